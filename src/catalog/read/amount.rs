//! What price rules are made of: amounts, and names of parameters.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::reader::{Item, Reader};
use crate::catalog::Param;
use crate::diagnostic::closest;
use crate::money::{Msat, Sats};

/// Exactly one of an amount in sats and one in msat, above zero.
pub(super) fn amount(
    reader: &mut Reader<'_>,
    at: &str,
    span: Range<usize>,
    table: &DeTable<'_>,
    [sats, msat]: [&str; 2],
) -> Option<Msat> {
    let (key, item) = match (table.get(sats), table.get(msat)) {
        (Some(item), None) => (sats, item),
        (None, Some(item)) => (msat, item),
        (Some(_), Some(item)) => {
            reader.error(item.span(), format!("{at}: expected one of `{sats}` and `{msat}`, got both"));
            return None;
        }
        (None, None) => {
            reader.error(span, format!("{at}: the amount is missing: `{sats}` (or `{msat}`)"));
            return None;
        }
    };
    let at = format!("{at}.{key}");
    let number = reader.integer(&at, item, 1..=i64::MAX)?.unsigned_abs();
    let amount = if key == sats { Sats::new(number).msat() } else { Some(Msat::new(number)) };
    if amount.is_none() {
        reader.error(item.span(), format!("{at}: larger than any amount of money"));
    }
    amount
}

/// The name of one of the entry's parameters.
pub(super) fn known_param(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, params: &[Param]) -> Option<String> {
    let name = match item.get_ref() {
        DeValue::String(name) => name.as_ref(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            reader.expected(at, item, "the name of a parameter");
            return None;
        }
    };
    if params.iter().any(|param| param.name == name) {
        return Some(name.to_owned());
    }
    let meant = closest(name, params.iter().map(|param| param.name.as_str()));
    let help = meant.map(|meant| format!("did you mean `{meant}`?"));
    reader.error_with(item.span(), format!("{at}: the endpoint has no parameter `{name}`"), help);
    None
}
