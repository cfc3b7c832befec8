//! What tells takes of one job apart in their requests: a parameter of the endpoint that stands outside of what is bought.

use super::{Endpoint, Param, ParamKind, PriceRule, Value};
use crate::diagnostic::closest;
use crate::money::thousands;

/// The most takes of a job that a manifest plans.
pub const PLANNED_TAKES_MAX: u32 = 64;
/// The least values that such a parameter has: as many takes may be planned, and each be bought as often, before one comes again.
const VALUES_MIN: i128 = 64 * 64;

/// How many values a parameter has that may tell takes apart; none of one that is no whole number.
const fn values(param: &Param) -> Option<i128> {
    match param.kind {
        ParamKind::Integer { min, max } => Some(max as i128 - min as i128 + 1),
        _ => None,
    }
}

/// Why a parameter of that name cannot tell takes apart, and what to do; none where it can.
pub(super) fn fault(name: &str, params: &[Param], price: Option<&PriceRule>) -> Option<(String, Option<String>)> {
    let Some(param) = params.iter().find(|param| param.name == name) else {
        let meant = closest(name, params.iter().map(|param| param.name.as_str()));
        let help = meant.map(|meant| format!("did you mean {meant:?}?"));
        return Some((format!("the endpoint has no parameter {name:?}"), help));
    };
    let priced = price.is_some_and(|price| {
        let multiplies = [&price.quantity, &price.scale.factor].into_iter().flatten().any(|known| known == name);
        multiplies || price.by.iter().any(|known| known == name)
    });
    if priced {
        return Some((format!("the price depends on `{name}`: takes of one job cost the same"), None));
    }
    if !param.is_sent() {
        return Some((format!("`{name}` is not sent: it tells no request from another"), None));
    }
    let has_enough = values(param).is_some_and(|count| count >= VALUES_MIN);
    (!has_enough).then(|| {
        let least = thousands(u64::try_from(VALUES_MIN).unwrap_or_default());
        (format!("`{name}` is no integer of at least {least} values, so that takes could not all be told apart"), None)
    })
}

impl Endpoint {
    /// The place of the parameter that tells takes of one job apart, where one does.
    #[must_use]
    pub fn nonce_at(&self) -> Option<usize> {
        let name = self.nonce.as_ref()?;
        self.params.iter().position(|param| param.name == *name)
    }

    /// The place of the parameter that tells takes of one job apart, and its value in the take that is so many after the one in which it
    /// is `own`. None where no parameter does.
    #[must_use]
    pub fn nonce_value(&self, own: Option<&Value>, further: u32) -> Option<(usize, Value)> {
        let at = self.nonce_at()?;
        let (Some(count), ParamKind::Integer { min, max }) = (values(self.params.get(at)?), &self.params.get(at)?.kind)
        else {
            return None;
        };
        let from = match own {
            Some(Value::Integer(own)) => *own,
            _ => 0.clamp(*min, *max),
        };
        let moved = i128::from(from) - i128::from(*min) + i128::from(further) * stride(count);
        let value = i64::try_from(i128::from(*min) + moved.rem_euclid(count)).ok()?;
        Some((at, Value::Integer(value)))
    }

    /// The parameters of a take before which there are so many `earlier` ones of the very same, from those that the first of these sends: what
    /// tells takes apart is moved by as many as may be planned of a job, so that no two of them send the same.
    #[must_use]
    pub fn moved(&self, earlier: u32, mut params: Vec<(String, Value)>) -> Vec<(String, Value)> {
        let further = earlier.saturating_mul(PLANNED_TAKES_MAX);
        let Some(name) = self.nonce.as_ref().filter(|_| further > 0) else { return params };
        let known = params.iter().position(|(known, _)| known == name);
        let own = known.and_then(|known| params.get(known)).map(|(_, value)| value);
        let Some((at, value)) = self.nonce_value(own, further) else { return params };
        match known.and_then(|known| params.get_mut(known)) {
            Some((_, own)) => *own = value,
            None => {
                let is_before = |(known, _): &&(String, Value)| self.params.iter().take(at).any(|p| p.name == *known);
                let place = params.iter().take_while(is_before).count();
                params.insert(place, (name.clone(), value));
            }
        }
        params
    }
}

/// By how much the values of two takes that follow one another differ, of so many values that there are: about the golden section of them, so that
/// a few takes stand far from one another and from the 1, 2, 3 that rows have, and no value comes again before all have.
fn stride(count: i128) -> i128 {
    /// 2^64 divided by the golden ratio.
    const GOLDEN: u128 = 0x9e37_79b9_7f4a_7c15;
    let about = u128::try_from(count).unwrap_or_default().saturating_mul(GOLDEN) >> 64;
    let about = i128::try_from(about).unwrap_or_default().max(1);
    (about..=count).find(|step| common_divisor(*step, count) == 1).unwrap_or(1)
}

const fn common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    /// `generate-video`, with a seed of these bounds between prompt and duration.
    fn endpoint(min: i64, max: i64) -> Endpoint {
        let mut endpoint = Endpoint::clone(Catalog::builtin().unwrap().get("generate-video").unwrap());
        let kind = ParamKind::Integer { min, max };
        let seed = Param { name: "seed".to_owned(), kind, required: false, default: None, place: Default::default() };
        endpoint.params.insert(1, seed);
        endpoint.nonce = Some("seed".to_owned());
        endpoint
    }

    #[test]
    fn each_take_has_a_value_of_its_own_within_the_bounds_far_from_the_next() {
        let value = |(min, max): (i64, i64), own: Option<i64>, further| {
            let (at, value) = endpoint(min, max).nonce_value(own.map(Value::Integer).as_ref(), further).unwrap();
            assert_eq!(at, 1);
            value.to_string()
        };
        for (bounds, own, further, expected) in [
            ((0, 9_999), None, 1, "6181"),
            ((0, 9_999), Some(7), 2, "2369"),
            ((0, 9_999), Some(9_999), 1, "6180"),
            ((10, 9_999), None, 0, "10"),
            ((-9_999, -1), None, 0, "-1"),
            ((i64::MIN, i64::MAX), None, 1, "-7046029254386353131"),
        ] {
            assert_eq!(value(bounds, own, further), expected, "{bounds:?} {own:?} {further}");
        }
        let all = (0..64).flat_map(|take| (0..64).map(move |planned| take * 64 + planned));
        let values: std::collections::HashSet<String> = all.map(|n| value((1, 4_096), Some(3_000), n)).collect();
        assert_eq!(values.len(), 4_096);
        // Planned takes of rows whose own values are small and follow one another.
        let rows = (1..=20).flat_map(|own| (0..64).map(move |further| value((0, 4_095), Some(own), further)));
        assert_eq!(rows.collect::<std::collections::HashSet<String>>().len(), 20 * 64);
    }

    #[test]
    fn a_further_take_of_a_job_sends_another_value_in_its_place() {
        let endpoint = endpoint(0, 9_999);
        let text = |name: &str, text: &str| (name.to_owned(), Value::Text(text.to_owned()));
        let seed = |seed| ("seed".to_owned(), Value::Integer(seed));
        let (prompt, mode) = (text("prompt", "a kite"), text("mode", "pro"));
        let without = vec![prompt.clone(), mode.clone()];
        assert_eq!(endpoint.moved(0, without.clone()), without);
        assert_eq!(endpoint.moved(2, without.clone()), [prompt.clone(), seed(1_168), mode.clone()]);
        assert_eq!(endpoint.moved(1, vec![prompt.clone(), seed(5)]), [prompt, seed(5_589)]);
        let other = Endpoint { nonce: None, ..endpoint };
        assert_eq!(other.moved(1, without.clone()), without);
    }
}
