//! What a price rule says of its quantity beside the parameter's name: `length`, `per`, `factor`, and the least that a job costs.

use std::num::NonZeroU64;

use strum::VariantNames;
use toml::de::DeTable;

use super::amount::{amount, known_param};
use super::reader::Reader;
use crate::catalog::{Length, Param, Scale};

/// The keys of a scale in a price rule.
pub(super) const KEYS: [&str; 5] = ["length", "per", "factor", "minimum_sats", "minimum_msat"];

/// Reads it; the plain one where nothing of it is there.
pub(super) fn scale(
    reader: &mut Reader<'_>,
    at: &str,
    table: &DeTable<'_>,
    params: &[Param],
    multiplied: bool,
) -> Option<Scale> {
    let named = KEYS.iter().filter_map(|key| table.get_key_value(*key));
    if let Some((key, _)) = named.into_iter().next().filter(|_| !multiplied) {
        let help = Some("write `quantity = \"NAME\"`, the parameter that multiplies the rate".to_owned());
        reader.error_with(key.span(), format!("{at}: `{}` needs `quantity`", key.get_ref()), help);
        return None;
    }
    let length = match table.get("length") {
        None => None,
        Some(item) => {
            let length: Option<Length> = item.get_ref().as_str().and_then(|word| word.parse().ok());
            if length.is_none() {
                let words: Vec<String> = Length::VARIANTS.iter().map(|word| format!("{word:?}")).collect();
                reader.expected(&format!("{at}.length"), item, &words.join(" or "));
            }
            Some(length?)
        }
    };
    let per = match table.get("per") {
        None => NonZeroU64::MIN,
        Some(item) => reader.integer(&format!("{at}.per"), item, 1..=i64::MAX)?.unsigned_abs().try_into().ok()?,
    };
    let factor = match table.get("factor") {
        None => None,
        Some(item) => Some(known_param(reader, &format!("{at}.factor"), item, params)?),
    };
    let has_minimum = table.get("minimum_sats").is_some() || table.get("minimum_msat").is_some();
    let minimum =
        if has_minimum { Some(amount(reader, at, 0..0, table, ["minimum_sats", "minimum_msat"])?) } else { None };
    Some(Scale { length, per, factor, minimum })
}
