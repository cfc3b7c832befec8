//! What an endpoint's jobs cost, by every combination of the values that the price depends on.

use super::{Endpoint, ParamKind, Rate, Value};
use crate::money::Msat;

/// The most values of a number that are listed: one with a wider range is priced by the unit.
const NUMBERS_MAX: i64 = 64;
/// The most combinations that are listed of a rate: with more of them it is priced by the unit.
const COMBINATIONS_MAX: usize = 4_096;

/// One line of a price list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceLine<'a> {
    /// The parameters that the price depends on, as far as they have few values, each with one of them.
    pub values: Vec<(&'a str, Value)>,
    /// The rate that these choose.
    pub rate: &'a Rate,
    /// What such a job costs, or may cost at most; none where that depends on more: then the rate is all that is known of it.
    pub price: Option<Msat>,
}

/// Every combination that has a price, in the order of the rates and then of the numbers. None where the price is unknown.
#[must_use]
pub fn price_list(endpoint: &Endpoint) -> Vec<PriceLine<'_>> {
    let rule = &endpoint.price;
    let counted: Vec<&str> = rule.quantity.iter().chain(&rule.scale.factor).map(String::as_str).collect();
    let numbers: Option<Vec<Vec<Value>>> = counted.iter().map(|name| numbers(endpoint, name)).collect();
    let combinations = numbers.and_then(|numbers| combined(&counted, &numbers));
    let lines = |rate| lines_of(endpoint, rate, combinations.as_deref());
    rule.rates.iter().flat_map(lines).collect()
}

/// The lines of a rate: one for each combination of numbers.
fn lines_of<'a>(
    endpoint: &'a Endpoint,
    rate: &'a Rate,
    combinations: Option<&[Vec<(&'a str, Value)>]>,
) -> Vec<PriceLine<'a>> {
    let chosen: Vec<(&str, Value)> =
        endpoint.price.by.iter().map(String::as_str).zip(rate.when.iter().cloned()).collect();
    let line = |numbers: &Vec<(&'a str, Value)>| {
        // A parameter may both choose the rate and multiply it: then only its own value is of that rate.
        let is_own = |(name, value): &(&str, Value)| chosen.iter().all(|(known, own)| known != name || own == value);
        if !numbers.iter().all(is_own) {
            return None;
        }
        let further = numbers.iter().filter(|(name, _)| chosen.iter().all(|(known, _)| known != name)).cloned();
        let values: Vec<(&str, Value)> = chosen.iter().cloned().chain(further).collect();
        let of = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let price = endpoint.price.price(of).ok()?.price;
        Some(PriceLine { values, rate, price: Some(price) })
    };
    match combinations {
        Some(combinations) => combinations.iter().filter_map(line).collect(),
        None => vec![PriceLine { values: chosen.clone(), rate, price: None }],
    }
}

/// The numbers that a parameter may be, where they are few.
fn numbers(endpoint: &Endpoint, name: &str) -> Option<Vec<Value>> {
    match endpoint.param(name)?.kind {
        ParamKind::Integer { min, max }
            if endpoint.price.scale.length.is_none() || endpoint.price.quantity.as_deref() != Some(name) =>
        {
            let from = min.max(1);
            let count = max.checked_sub(from)?.checked_add(1)?;
            (1..=NUMBERS_MAX).contains(&count).then(|| (from..=max).map(Value::Integer).collect())
        }
        _ => None,
    }
}

/// Every combination of a value of each; none where there are too many.
fn combined<'a>(names: &[&'a str], values: &[Vec<Value>]) -> Option<Vec<Vec<(&'a str, Value)>>> {
    let count = values.iter().try_fold(1_usize, |count, values| count.checked_mul(values.len()))?;
    if count > COMBINATIONS_MAX {
        return None;
    }
    let mut all: Vec<Vec<(&str, Value)>> = vec![Vec::new()];
    for (name, values) in names.iter().zip(values) {
        let with = |cells: &Vec<(&'a str, Value)>, value: &Value| {
            cells.iter().cloned().chain([(*name, value.clone())]).collect()
        };
        all = all.iter().flat_map(|cells| values.iter().map(move |value| with(cells, value))).collect();
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn every_combination_is_there_once_and_at_its_price() {
        let catalog = Catalog::builtin().unwrap();
        for endpoint in catalog.iter() {
            let lines = price_list(endpoint);
            assert_eq!(lines.len(), endpoint.price.rates.len() * 13, "3 to 15 seconds");
            let mut seen = HashSet::new();
            for line in &lines {
                assert!(seen.insert(format!("{:?}", line.values)), "{line:?}");
                let [.., (name, Value::Integer(seconds))] = line.values.as_slice() else { panic!("{line:?}") };
                assert_eq!(*name, "duration");
                assert_eq!(line.price, line.rate.rate.checked_mul(seconds.unsigned_abs()));
            }
        }
    }

    #[test]
    fn what_has_no_end_is_priced_by_the_unit() {
        let mut endpoint = Endpoint::clone(Catalog::builtin().unwrap().get("animate-image").unwrap());
        let duration = endpoint.params.iter_mut().find(|param| param.name == "duration").unwrap();
        duration.kind = ParamKind::Integer { min: 1, max: 65 };
        let lines = price_list(&endpoint);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].price, lines[0].values.len()), (None, 0));
        endpoint.price.rates.clear();
        assert_eq!(price_list(&endpoint), []);
        // A flat price depends on nothing.
        let mut flat = Endpoint::clone(Catalog::builtin().unwrap().get("animate-image").unwrap());
        flat.price.quantity = None;
        assert_eq!(price_list(&flat)[0].price, Some(flat.price.rates[0].rate));
    }
}
