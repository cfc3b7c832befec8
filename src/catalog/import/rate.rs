//! On what a price depends, by what a document says beside the amount: on nothing, on how many of something, or on what nobody can read.

use serde_json::{Map, Value as Json};

use super::slug;
use super::unit::{folded, places};

/// Words for one price a request.
const FLAT: [&str; 13] = [
    "fixed",
    "static",
    "flat",
    "exact",
    "charge",
    "request",
    "perrequest",
    "call",
    "percall",
    "job",
    "perjob",
    "onetime",
    "query",
];
/// Words for a price for each unit; `per_second` where that is the unit is another.
const RATES: [&str; 5] = ["rate", "unit", "perunit", "linear", "metered"];
/// What is counted one by one. Of a thousand tokens nobody says here that they are one.
const COUNTED: [&str; 17] = [
    "character",
    "document",
    "file",
    "frame",
    "image",
    "item",
    "message",
    "page",
    "picture",
    "piece",
    "result",
    "row",
    "second",
    "step",
    "token",
    "unit",
    "word",
];
/// Units that a parameter may be of by its name, and another one then is not.
const MEASURES: [&str; 11] =
    ["ms", "millisecond", "sec", "second", "min", "minute", "hour", "day", "week", "month", "year"];
/// Keys that say on what a price depends.
const DEPENDS: [&str; 5] = ["mode", "type", "model", "per", "unit"];
/// Keys that name the parameter that multiplies a rate.
pub(super) const QUANTITIES: [&str; 3] = ["quantity", "parameter", "param"];

/// Whether nothing that is said makes the price another one for another request.
pub(super) fn is_flat(said: &Map<String, Json>, is_price: bool) -> bool {
    let is_quantity = |key: &str| is_price && QUANTITIES.contains(&key);
    said.iter().filter(|(key, _)| is_quantity(key) || depends(key, is_price).is_some()).all(|(key, json)| {
        json.as_str().is_some_and(|word| {
            let word = folded(word);
            // The unit of the money may stand there, too.
            FLAT.contains(&word.as_str()) || (depends(key, is_price) == Some("unit") && places(&word).is_some())
        })
    })
}

/// On what a key says that the price depends: `mode`, `priceType`. Without `is_price` only what the key itself says of a price.
fn depends(key: &str, is_price: bool) -> Option<&'static str> {
    let key = folded(key);
    let of_price = ["pricing", "price", "cost", "billing"].iter().find_map(|word| key.strip_prefix(word));
    let word = of_price.unwrap_or(&key);
    DEPENDS
        .into_iter()
        .find(|known| *known == word && (is_price || of_price.is_some() || matches!(word, "per" | "unit")))
}

/// The one thing that a rate is for, where all that is said of the rate says so, and the parameter counts such.
pub(super) fn unit_of_rate(said: &Map<String, Json>, quantity: &str) -> Option<String> {
    let mut unit: Option<String> = None;
    let mut kinds = Vec::new();
    for (key, json) in said {
        let Some(what) = depends(key, true) else { continue };
        let word = json.as_str()?.to_lowercase();
        match what {
            "unit" if places(&folded(&word)).is_some() => {}
            "per" | "unit" => {
                let one = singular(&word);
                if unit.as_ref().is_some_and(|known| *known != one) {
                    return None;
                }
                unit = Some(one);
            }
            _ => kinds.push(folded(&word)),
        }
    }
    let unit = unit?;
    let per_unit = format!("per{unit}");
    let name = slug(quantity);
    let measure = name.split('-').map(singular).find(|word| MEASURES.contains(&word.as_str()));
    let is_counted = measure.map_or(COUNTED.contains(&unit.as_str()), |measure| measure == unit);
    (is_counted && kinds.iter().all(|kind| RATES.contains(&kind.as_str()) || *kind == per_unit)).then_some(unit)
}

fn singular(word: &str) -> String {
    word.strip_suffix('s').filter(|one| one.len() > 1).unwrap_or(word).to_owned()
}
