//! What a document says that a request costs. An amount is read only where its unit and its meaning are said: what is doubtful is unknown.

use serde_json::{Map, Value as Json};

use super::lack::Lack;
use super::rate::{QUANTITIES, is_flat, unit_of_rate};
use super::unit::{BTC, SAT, folded, places};

/// What a request costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// So many millisatoshis.
    Flat(u64),
    /// So many for each unit of a parameter, which the document names.
    Rate { msat: u64, quantity: String, unit: String },
    /// Not to be read from the document, which says this of it.
    Unknown(String),
}

/// Ways of paying that go over Lightning, as documents call them.
const LIGHTNING: [&str; 7] = ["lightning", "l402", "lsat", "mpp", "payment", "bolt11", "ln"];
/// Keys that make an amount another one.
const SCALES: [&str; 7] = ["decimals", "scale", "multiplier", "exponent", "factor", "divisor", "precision"];
/// Keys that hold an amount, by its unit, without `_` and in lower case.
const SATS: [&str; 12] = [
    "sats",
    "sat",
    "satoshis",
    "pricesats",
    "pricesat",
    "pricesatoshis",
    "pricesatsperrequest",
    "amountsats",
    "amountsat",
    "costsats",
    "satsperrequest",
    "satspercall",
];
const MSAT: [&str; 5] = ["msat", "msats", "pricemsat", "amountmsat", "amountmsats"];
/// Keys that hold an amount whose unit another one names.
const BARE: [&str; 4] = ["amount", "price", "cost", "value"];
const UNITS: [&str; 3] = ["currency", "asset", "priceunit"];
/// Keys that name ways of paying.
const RAILS: [&str; 5] = ["method", "protocol", "protocols", "payment_protocol", "rails"];
/// What an OpenAPI operation says with `x-payment-info`: one offer, `offers`, or `price` and `protocols`.
pub(super) fn of_payment_info(info: &Json, is_parameter: impl Fn(&str) -> bool) -> Result<Cost, Lack> {
    let offers: Vec<&Json> = match info.get("offers").and_then(Json::as_array) {
        Some(offers) if !offers.is_empty() => offers.iter().collect(),
        Some(_) | None => vec![info],
    };
    let (mut rails, mut intents) = (Vec::new(), Vec::new());
    for offer in offers {
        let own = rails_of(offer);
        if !own.is_empty() && !own.iter().any(|rail| is_lightning(rail)) {
            rails.extend(own);
            continue;
        }
        match offer.get("intent").and_then(Json::as_str) {
            Some(intent) if folded(intent) != "charge" => intents.push(intent.to_owned()),
            Some(_) | None => return read(offer, true, is_parameter),
        }
    }
    Err(match intents.pop() {
        Some(intent) => Lack::Intent(intent),
        None => Lack::Rail(rails.join(", ")),
    })
}

/// What a service says: one amount, in its own keys or in an object that is its price.
pub(super) fn of_service(service: &Json, is_parameter: impl Fn(&str) -> bool) -> Result<Cost, Lack> {
    read(service, false, is_parameter)
}

/// `is_price`: all of its keys speak of the price.
fn read(object: &Json, is_price: bool, is_parameter: impl Fn(&str) -> bool) -> Result<Cost, Lack> {
    let rails = rails_of(object);
    if !rails.is_empty() && !rails.iter().any(|rail| is_lightning(rail)) {
        return Err(Lack::Rail(rails.join(", ")));
    }
    let within = ["price", "pricing", "cost"].iter().find_map(|key| object.get(*key).filter(|json| json.is_object()));
    let is_price = is_price || within.is_some();
    let Some(said) = within.or(Some(object)).and_then(Json::as_object) else { return Ok(Cost::Unknown(String::new())) };
    let told: Map<String, Json> = said
        .iter()
        .filter(|(key, _)| is_price || is_of_price(key))
        .map(|(key, json)| (key.clone(), json.clone()))
        .collect();
    let unknown =
        || Ok(Cost::Unknown(if told.is_empty() { String::new() } else { Json::from(told.clone()).to_string() }));
    if is_price && ["mode", "type", "model"].iter().any(|key| said.get(*key).is_some_and(|word| word == "free")) {
        return Err(Lack::Free);
    }
    let Some(amount) = amount(said, is_price) else { return unknown() };
    let text = |keys: &[&str]| keys.iter().find_map(|key| said.get(*key).and_then(Json::as_str));
    let has_scale = |json: &Map<String, Json>| json.keys().any(|key| SCALES.contains(&folded(key).as_str()));
    if has_scale(said) || object.as_object().is_some_and(has_scale) {
        return unknown();
    }
    match text(&QUANTITIES) {
        Some(name) if is_price && is_parameter(name) => match unit_of_rate(said, name) {
            Some(unit) => Ok(Cost::Rate { msat: amount, quantity: name.to_owned(), unit }),
            None => unknown(),
        },
        _ if !is_flat(said, is_price) => unknown(),
        // Where the price depends on something, none may stand for not yet known.
        _ if amount == 0 => Err(Lack::Free),
        _ => Ok(Cost::Flat(amount)),
    }
}

/// The one amount that is told, in millisatoshis. None where several differ, or one has no unit, or only its bounds are told.
fn amount(said: &Map<String, Json>, is_price: bool) -> Option<u64> {
    let units = units(said, is_price)?;
    let places_of_unit = units.first().copied();
    let is_other = |places: u32| units.iter().any(|unit| *unit != places);
    if places_of_unit.is_some_and(is_other) {
        return None;
    }
    let mut found: Option<u64> = None;
    for (key, json) in said.iter().filter(|(key, _)| !RAILS.contains(&key.as_str())) {
        let key = folded(key);
        let places = if SATS.contains(&key.as_str()) {
            Some(SAT)
        } else if MSAT.contains(&key.as_str()) {
            Some(0)
        } else if BARE.contains(&key.as_str()) {
            match json {
                Json::Number(_) | Json::String(_) => None,
                _ => continue,
            }
        } else if (is_price || is_of_price(&key)) && (json.is_number() || json.is_array() || json.is_object()) {
            // A bound, a rate for something, a number of units.
            return None;
        } else {
            continue;
        };
        if places.is_some_and(is_other) {
            return None;
        }
        let amount = msat(json, places.or(places_of_unit))?;
        if found.is_some_and(|before| before != amount) {
            return None;
        }
        found = Some(amount);
    }
    found
}

/// The units of money that are named, by their decimal places. None where one is named that is none of ours.
fn units(said: &Map<String, Json>, is_price: bool) -> Option<Vec<u32>> {
    let mut units = Vec::new();
    for (key, json) in said {
        let key = folded(key);
        let Some(word) = json.as_str().filter(|_| UNITS.contains(&key.as_str()) || (is_price && key == "unit")) else {
            continue;
        };
        match places(&folded(word)) {
            Some(places) => units.push(places),
            // What a rate is for, or for what the price is.
            None if key.ends_with("unit") => {}
            None => return None,
        }
    }
    Some(units)
}

/// An exact amount: a number, or a text of one that may bear its unit.
fn msat(json: &Json, places: Option<u32>) -> Option<u64> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit() && c != '.') {
        Some(at) => (text.get(..at)?, Some(folded(text.get(at..)?.trim()))),
        None => (text.as_str(), None),
    };
    let places = match unit {
        Some(unit) => Some(super::unit::places(&unit)?),
        None => places,
    }?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.trim_end_matches('0');
    if places == BTC && part.is_empty() {
        // Whole bitcoin are more than anything costs: base units may be meant.
        return None;
    }
    let rest = places.checked_sub(u32::try_from(part.len()).ok()?)?;
    let digits = format!("{whole}{part}");
    digits.parse::<u64>().ok()?.checked_mul(10_u64.checked_pow(rest)?)
}

/// Whether a key speaks of what something costs.
fn is_of_price(key: &str) -> bool {
    let key = folded(key);
    ["sat", "price", "pricing", "cost", "amount", "currency"].iter().any(|word| key.contains(word))
}

/// The ways of paying that are named.
fn rails_of(object: &Json) -> Vec<String> {
    let mut rails = Vec::new();
    for key in RAILS {
        let all = match object.get(key) {
            Some(Json::Array(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for one in all {
            match one {
                Json::String(word) => rails.push(word.clone()),
                Json::Object(named) => rails.extend(named.keys().cloned()),
                _ => {}
            }
        }
    }
    // A service's `method` is that of its requests.
    rails.retain(|word| !["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].contains(&word.to_uppercase().as_str()));
    rails
}

fn is_lightning(rail: &str) -> bool {
    rail.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| LIGHTNING.contains(&word.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unknown() -> Cost {
        Cost::Unknown(String::new())
    }

    /// Without the words.
    fn cost(found: Result<Cost, Lack>) -> Result<Cost, String> {
        found.map_err(|lack| lack.to_string()).map(|cost| if let Cost::Unknown(_) = cost { unknown() } else { cost })
    }

    #[test]
    fn an_amount_is_read_where_its_unit_and_meaning_are_said() {
        for (said, expected) in [
            (json!({ "price_sats": 10 }), Cost::Flat(10_000)),
            (json!({ "priceSats": "10", "price_msat": 10_000 }), Cost::Flat(10_000)),
            (json!({ "price": { "type": "static", "amount_msat": 1_500 } }), Cost::Flat(1_500)),
            (json!({ "price": { "amount": 2.5, "currency": "sats" } }), Cost::Flat(2_500)),
            (json!({ "price": "21 sats", "method": "POST" }), Cost::Flat(21_000)),
            (json!({ "price": { "amount": "0.00000021", "currency": "BTC" } }), Cost::Flat(21_000)),
            (json!({ "pricing": { "model": "per-request", "sats": 4 } }), Cost::Flat(4_000)),
            (json!({ "pricing": { "sats": 4, "per": "second", "parameter": "duration" } }), {
                Cost::Rate { msat: 4_000, quantity: "duration".to_owned(), unit: "second".to_owned() }
            }),
            (json!({ "pricing": { "sats": 4, "type": "per_second", "per": "seconds", "parameter": "duration" } }), {
                Cost::Rate { msat: 4_000, quantity: "duration".to_owned(), unit: "second".to_owned() }
            }),
            // No unit, another money, a price that depends, bounds, several that differ, less than a millisatoshi, none.
            (json!({ "price": 10 }), unknown()),
            (json!({ "price": { "amount": "0.05", "currency": "USD" } }), unknown()),
            (json!({ "price_usd": 0.05 }), unknown()),
            (json!({ "pricing": { "type": "dynamic", "sats": 4 } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "second" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "second", "parameter": "other" } }), unknown()),
            (json!({ "pricing": { "sats_per_second": 4 } }), unknown()),
            (json!({ "pricing": { "mode": "dynamic", "sats": 0 } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": 10, "parameter": "duration" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "minimum": 90, "parameter": "duration" } }), unknown()),
            (json!({ "min_price_sats": 4, "price_sats": 9 }), unknown()),
            (json!({ "price_sats": 4, "amount_sats": 5 }), unknown()),
            (json!({ "price_msat": 0.5 }), unknown()),
            (json!({ "price_sats": -4 }), unknown()),
            (json!({ "price_sats": 1e30 }), unknown()),
            (json!({ "price_sats": "18446744073709551615" }), unknown()),
            (json!({ "price_sats": null }), unknown()),
            (json!({ "name": "x" }), unknown()),
        ] {
            assert_eq!(cost(of_service(&said, |name| name.starts_with("duration"))), Ok(expected), "{said}");
        }
        for free in [json!({ "price_sats": 0 }), json!({ "pricing": { "type": "free" } })] {
            assert_eq!(cost(of_service(&free, |_| false)), Err("it costs nothing".to_owned()), "{free}");
        }
    }

    #[test]
    fn what_makes_an_amount_another_one_leaves_it_unknown() {
        for (said, expected) in [
            // Many of something are not one, nor is another unit, a step, or what is not said.
            (json!({ "pricing": { "sats": 4, "per": "1000 tokens", "parameter": "duration" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "1k", "parameter": "duration" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "thousand", "parameter": "duration" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "unit": "ktoken", "parameter": "duration" } }), unknown()),
            (
                json!({ "pricing": { "sats": 4, "per": "second", "unit": "minute", "parameter": "duration" } }),
                unknown(),
            ),
            (json!({ "pricing": { "sats": 4, "per": "minute", "parameter": "duration" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "second", "parameter": "durationMinutes" } }), unknown()),
            (json!({ "pricing": { "sats": 4, "per": "minute", "parameter": "durationMinutes" } }), {
                Cost::Rate { msat: 4_000, quantity: "durationMinutes".to_owned(), unit: "minute".to_owned() }
            }),
            (json!({ "pricing": { "sats": 4, "parameter": "duration" } }), unknown()),
            (
                json!({ "pricing": { "mode": "tiered", "sats": 4, "per": "second", "parameter": "duration" } }),
                unknown(),
            ),
            (
                json!({ "pricing": { "model": "dynamic", "sats": 4, "per": "second", "parameter": "duration" } }),
                unknown(),
            ),
            (json!({ "pricing": { "sats": 4, "per": "second", "parameter": "duration", "scale": "1e3" } }), unknown()),
            (json!({ "price_sats": 4, "per": "second" }), unknown()),
            (json!({ "price_sats": 4, "price_unit": "1000 tokens" }), unknown()),
            (json!({ "price_sats": 4, "pricing_model": "dynamic", "type": "image" }), unknown()),
            (json!({ "price_sats": 4, "type": "image", "model": "x" }), Cost::Flat(4_000)),
            (json!({ "price_sats": 4, "currency": "msat" }), unknown()),
            (json!({ "price_sats": 4, "currency": "USD" }), unknown()),
            (json!({ "price": { "amount": 4, "currency": "sat", "unit": "msat" } }), unknown()),
            (json!({ "price": { "amount": "4", "currency": "sat" }, "decimals": "3" }), unknown()),
            // Base units, or whole bitcoin.
            (json!({ "price": { "amount": "100", "currency": "BTC" } }), unknown()),
            (json!({ "price": { "amount": 100, "currency": "btc" } }), unknown()),
            (json!({ "price": { "amount": "1.0", "currency": "BTC" } }), unknown()),
        ] {
            assert_eq!(cost(of_service(&said, |name| name.starts_with("duration"))), Ok(expected), "{said}");
        }
    }

    #[test]
    fn of_several_offers_the_one_by_lightning_counts() {
        let lightning = json!({ "intent": "charge", "method": "lightning", "amount": "100", "currency": "sat" });
        let dollars = json!({ "intent": "charge", "method": "tempo", "amount": "1000000", "currency": "0x20c0" });
        let dynamic = json!({ "intent": "charge", "method": "lightning", "amount": null, "currency": "sat" });
        let session = json!({ "intent": "session", "method": "lightning", "amount": "1", "currency": "sat" });
        let by_mode = json!({ "price": { "mode": "fixed", "currency": "sat", "amount": "7" }, "protocols": ["l402"] });
        let x402 =
            json!({ "price": { "mode": "fixed", "currency": "USD", "amount": "0.05" }, "protocols": [{ "x402": {} }] });
        let or_range = json!({ "price": { "mode": "range", "currency": "sat", "min": "7", "max": "9" } });
        for (info, expected) in [
            (lightning.clone(), Ok(Cost::Flat(100_000))),
            (json!({ "offers": [dollars, lightning] }), Ok(Cost::Flat(100_000))),
            (dynamic, Ok(unknown())),
            (by_mode, Ok(Cost::Flat(7_000))),
            (or_range, Ok(unknown())),
            (json!({ "offers": [] }), Ok(unknown())),
            (json!({ "offers": [dollars] }), Err("it is paid by tempo, not over Lightning")),
            (json!({ "offers": [session, x402] }), Err("it is paid as a session, not by request")),
            (x402, Err("it is paid by x402, not over Lightning")),
        ] {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(cost(of_payment_info(&info, |_| false)), expected, "{info}");
        }
    }
}
