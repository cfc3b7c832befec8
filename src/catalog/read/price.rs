//! The price rule of an endpoint entry: a flat price, a rate times a parameter, a table of rates, or a cap; or that nobody knows it.

use std::ops::Range;

use toml::de::DeTable;

use super::amount::{amount, known_param};
use super::check::COMBINATIONS_MAX;
use super::reader::{Item, Reader};
use super::scale;
use crate::catalog::{Length, Param, PriceRule, Rate, Scale, Value};
use crate::money::Sats;

const KEYS: [&str; 9] = ["sats", "msat", "sats_per_unit", "msat_per_unit", "by", "rates", "quantity", "unit", AT_MOST];
/// The most that an invoice may ask for one job.
const AT_MOST: &str = "at_most_sats";
/// What stands for a price that nobody knows.
const UNKNOWN: &str = "unknown";
/// The unit of a price by length, one of it a unit.
const LENGTH_UNITS: [(Length, &str); 2] = [(Length::Characters, "character"), (Length::Bytes, "byte")];
/// The unit of a price that nothing multiplies.
const FLAT_UNIT: &str = "job";
/// The unit of a multiplied price that names none.
const OTHER_UNIT: &str = "unit";

/// Reads `[endpoint.NAME.price]` against the entry's parameters. Whether the rule is total is checked later.
pub(super) fn price(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, params: &[Param]) -> Option<PriceRule> {
    if item.get_ref().as_str() == Some(UNKNOWN) {
        return Some(PriceRule::unknown());
    }
    let table = reader.table(at, item)?;
    let before = reader.error_count();
    let known: Vec<&str> = KEYS.into_iter().chain(scale::KEYS).collect();
    for (key, _) in table {
        if !known.contains(&key.get_ref().as_ref()) {
            reader.unknown_key(at, key, &known);
        }
    }
    if let Some((key, most)) = table.get_key_value(AT_MOST) {
        return cap(reader, at, (key.span(), most), table);
    }
    let quantity = match table.get("quantity") {
        Some(item) => Some(known_param(reader, &format!("{at}.quantity"), item, params)?),
        None => None,
    };
    let unit = match table.get("unit") {
        Some(item) if quantity.is_none() => {
            reader.error(item.span(), format!("{at}.unit: a price without `quantity` is for the whole job"));
            None
        }
        Some(item) => reader.text(&format!("{at}.unit"), item),
        None => None,
    };
    let scale = scale::scale(reader, at, table, params, quantity.is_some())?;
    let of_length = LENGTH_UNITS.iter().find(|(length, _)| scale.length == Some(*length) && scale.per.get() == 1);
    let otherwise = match of_length {
        Some((_, unit)) => unit,
        None if quantity.is_some() => OTHER_UNIT,
        None => FLAT_UNIT,
    };
    let unit = unit.unwrap_or_else(|| otherwise.to_owned());
    let (by, rates) = match table.get("rates") {
        Some(rates) => table_of_rates(reader, at, table, rates, params)?,
        None => (Vec::new(), single_rate(reader, at, item, table, quantity.is_some())?),
    };
    (reader.error_count() == before).then_some(PriceRule { by, rates, quantity, unit, is_cap: false, scale })
}

/// `at_most_sats`: the invoice decides within it, so that nothing else says a price.
fn cap(
    reader: &mut Reader<'_>,
    at: &str,
    (span, most): (Range<usize>, &Item<'_>),
    table: &DeTable<'_>,
) -> Option<PriceRule> {
    let others = table
        .iter()
        .map(|(key, _)| key.get_ref().as_ref())
        .filter(|key| *key != AT_MOST && (KEYS.contains(key) || scale::KEYS.contains(key)));
    let others: Vec<String> = others.map(|key| format!("`{key}`")).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        let message =
            format!("{at}: `{AT_MOST}` is the whole price, as the invoice decides within it: leave {others} out");
        reader.error_with(span, message, Some(format!("or leave `{AT_MOST}` out, for a price that is exact")));
        return None;
    }
    let at = format!("{at}.{AT_MOST}");
    let sats = Sats::new(reader.integer(&at, most, 1..=i64::MAX)?.unsigned_abs());
    let Some(rate) = sats.msat() else {
        reader.error(most.span(), format!("{at}: larger than any amount of money"));
        return None;
    };
    let rates = vec![Rate { when: Vec::new(), rate }];
    Some(PriceRule {
        by: Vec::new(),
        rates,
        quantity: None,
        unit: FLAT_UNIT.to_owned(),
        is_cap: true,
        scale: Scale::default(),
    })
}

/// The one rate of a rule without a table.
fn single_rate(
    reader: &mut Reader<'_>,
    at: &str,
    item: &Item<'_>,
    table: &DeTable<'_>,
    multiplied: bool,
) -> Option<Vec<Rate>> {
    if let Some((key, _)) = table.get_key_value("by") {
        reader.error(key.span(), format!("{at}: `by` needs `rates`, one for each combination of values"));
        return None;
    }
    let (own, other) = if multiplied {
        (["sats_per_unit", "msat_per_unit"], ["sats", "msat"])
    } else {
        (["sats", "msat"], ["sats_per_unit", "msat_per_unit"])
    };
    if let Some((key, _)) = other.iter().find_map(|key| table.get_key_value(*key)) {
        let message = if multiplied {
            format!("{at}: with `quantity` the price is a rate: write `{}_per_unit`", key.get_ref())
        } else {
            format!("{at}: `{}` needs `quantity`, the parameter that multiplies it", key.get_ref())
        };
        reader.error(key.span(), message);
        return None;
    }
    let rate = amount(reader, at, item.span(), table, own)?;
    Some(vec![Rate { when: Vec::new(), rate }])
}

/// `by` and `rates`.
fn table_of_rates(
    reader: &mut Reader<'_>,
    at: &str,
    table: &DeTable<'_>,
    rates_item: &Item<'_>,
    params: &[Param],
) -> Option<(Vec<String>, Vec<Rate>)> {
    for key in ["sats", "msat", "sats_per_unit", "msat_per_unit"] {
        if let Some((key, _)) = table.get_key_value(key) {
            reader.error(key.span(), format!("{at}: with `rates` the amounts stand in the rates"));
        }
    }
    let Some(by_item) = table.get("by") else {
        let message = format!("{at}: `rates` needs `by`, the list of the parameters that choose the rate");
        reader.error(rates_item.span(), message);
        return None;
    };
    let by = chosen_by(reader, &format!("{at}.by"), by_item, params)?;
    let at = format!("{at}.rates");
    let Some(array) = rates_item.get_ref().as_array() else {
        reader.expected(&at, rates_item, "a list of tables");
        return None;
    };
    if array.len() > COMBINATIONS_MAX {
        reader.expected(&at, rates_item, &format!("at most {COMBINATIONS_MAX} rates"));
        return None;
    }
    let mut rates: Vec<Rate> = Vec::with_capacity(array.len());
    for item in array.iter() {
        let Some(rate) = rate(reader, &at, item, &by) else { continue };
        if rates.iter().any(|known| known.when == rate.when) {
            reader.error(item.span(), format!("{at}: a second rate for the same values"));
        }
        rates.push(rate);
    }
    Some((by.into_iter().map(|param| param.name.clone()).collect(), rates))
}

fn chosen_by<'p>(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, params: &'p [Param]) -> Option<Vec<&'p Param>> {
    let Some(array) = item.get_ref().as_array().filter(|array| !array.is_empty()) else {
        reader.expected(at, item, "a list of parameters");
        return None;
    };
    let mut names: Vec<&Param> = Vec::with_capacity(array.len());
    let mut whole = true;
    for item in array.iter() {
        let found = known_param(reader, at, item, params).and_then(|name| params.iter().find(|p| p.name == name));
        match found {
            Some(param) if names.iter().any(|known| known.name == param.name) => {
                reader.error(item.span(), format!("{at}: `{}` stands twice", param.name));
                whole = false;
            }
            Some(param) if ["sats", "msat"].contains(&param.name.as_str()) => {
                reader.error(item.span(), format!("{at}: a parameter named `{}` cannot choose a rate", param.name));
                whole = false;
            }
            Some(param) => names.push(param),
            None => whole = false,
        }
    }
    whole.then_some(names)
}

/// One line of `rates`: `{ mode = "pro", generate_audio = true, sats = 550 }`.
fn rate(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, by: &[&Param]) -> Option<Rate> {
    let table = reader.table(at, item)?;
    let before = reader.error_count();
    let mut known: Vec<&str> = by.iter().map(|param| param.name.as_str()).collect();
    known.extend(["sats", "msat"]);
    for (key, _) in table {
        if !known.contains(&key.get_ref().as_ref()) {
            reader.unknown_key(at, key, &known);
        }
    }
    let mut when: Vec<Value> = Vec::with_capacity(by.len());
    for param in by {
        match table.get(param.name.as_str()) {
            None => reader.error(item.span(), format!("{at}: this rate does not say for which `{}`", param.name)),
            Some(value) => match param.from_toml(value.get_ref()) {
                Ok(value) => when.push(value),
                Err(mismatch) => {
                    let help = mismatch.suggestion.map(|meant| format!("did you mean {meant}?"));
                    let message = format!("{at}: {}: expected {}", param.name, mismatch.expected);
                    reader.error_with(value.span(), message, help);
                }
            },
        }
    }
    let rate = amount(reader, at, item.span(), table, ["sats", "msat"])?;
    (reader.error_count() == before).then_some(Rate { when, rate })
}
