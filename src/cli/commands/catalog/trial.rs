//! What an endpoint is asked for to learn its prices: the cheapest job of each rate, and one larger job that shows whether
//! the price really grows with the quantity. None is paid.

use sha2::{Digest, Sha256};

use crate::catalog::{Decimal, Endpoint, ImageKind, ImageRef, ImageSource, Param, ParamKind, Rate, Structured, Value};
use crate::money::Msat;

/// So many jobs of one endpoint are asked for.
const TRIALS_MAX: usize = 64;
const PROMPT: &str = "a price check: nothing is bought";
/// A picture of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// One job to ask for.
pub(super) struct Trial {
    /// Which rate of the price rule it is of.
    pub(super) rate_index: usize,
    pub(super) params: Vec<(String, Value)>,
    /// What chose the rate, in words; empty where there is one rate.
    pub(super) chosen_by: String,
    pub(super) quantity: u64,
    /// What the catalogue says that it costs, where it says so.
    pub(super) price: Option<Msat>,
    /// The most, and not what it costs.
    pub(super) is_cap: bool,
}

/// The jobs to ask for.
pub(super) fn trials(endpoint: &Endpoint) -> Vec<Trial> {
    if endpoint.price.is_unknown() {
        let params = params(endpoint, None, Size::Least);
        return vec![Trial {
            rate_index: 0,
            params,
            chosen_by: String::new(),
            quantity: 1,
            price: None,
            is_cap: false,
        }];
    }
    let rates = endpoint.price.rates.iter().take(TRIALS_MAX);
    let mut trials: Vec<Trial> = rates.filter_map(|rate| trial(endpoint, rate, Size::Least)).collect();
    let largest = endpoint.price.rates.first().and_then(|rate| trial(endpoint, rate, Size::Most));
    trials.extend(largest.filter(|largest| trials.first().is_some_and(|first| first.quantity != largest.quantity)));
    trials
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Least,
    Most,
}

fn trial(endpoint: &Endpoint, rate: &Rate, size: Size) -> Option<Trial> {
    let rule = &endpoint.price;
    let params = params(endpoint, Some(rate), size);
    let value_of = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let priced = rule.price(value_of).ok()?;
    let rate_index = rule.rates.iter().position(|known| known == rate)?;
    let (chosen_by, quantity, price) = (priced.chosen_by, priced.quantity, Some(priced.price));
    Some(Trial { rate_index, params, chosen_by, quantity, price, is_cap: rule.is_cap })
}

/// What such a job sends.
fn params(endpoint: &Endpoint, rate: Option<&Rate>, size: Size) -> Vec<(String, Value)> {
    let rule = &endpoint.price;
    let chosen = |name: &str| rule.by.iter().position(|by| by == name).and_then(|at| rate?.when.get(at)).cloned();
    let mut params = Vec::new();
    for param in &endpoint.params {
        let is_quantity = rule.quantity.as_deref() == Some(param.name.as_str());
        let value = chosen(&param.name)
            .or_else(|| {
                if is_quantity { extreme(param, size).or_else(|| param.default.clone()) } else { param.default.clone() }
            })
            .or_else(|| param.required.then(|| placeholder(param)));
        params.extend(value.map(|value| (param.name.clone(), value)));
    }
    params
}

fn extreme(param: &Param, size: Size) -> Option<Value> {
    match (&param.kind, size) {
        (ParamKind::Integer { min, .. }, Size::Least) => Some(Value::Integer(*min)),
        (ParamKind::Integer { max, .. }, Size::Most) => Some(Value::Integer(*max)),
        (ParamKind::Decimal { min, max }, size) => (if size == Size::Least { *min } else { *max }).map(Value::Decimal),
        _ => None,
    }
}

fn placeholder(param: &Param) -> Value {
    let json = |text| Structured::parse(text).map_or_else(|| Value::Text(text.to_owned()), Value::Structured);
    match &param.kind {
        ParamKind::List => json("[]"),
        ParamKind::Object => json("{}"),
        ParamKind::Text => Value::Text(PROMPT.to_owned()),
        ParamKind::Integer { min, .. } => Value::Integer(*min),
        ParamKind::Decimal { min, max } => Value::Decimal(min.or(*max).unwrap_or(Decimal::ZERO)),
        ParamKind::Boolean => Value::Boolean(false),
        ParamKind::Choice { values } => Value::Text(values.first().cloned().unwrap_or_default()),
        ParamKind::IntegerOrText => Value::Integer(1),
        ParamKind::Image => Value::Image(Box::new(pixel())),
        ParamKind::File { types, .. } => Value::Image(Box::new(some_file(types))),
    }
}

/// A file of the first of these types, as far as its name goes: nothing is made of what is not paid for.
fn some_file(types: &[String]) -> ImageRef {
    let kind = types.iter().find_map(|named| ImageKind::of(named)).or_else(|| ImageKind::of("text/plain"));
    let is_png = types.iter().any(|named| named == "image/*") || kind == Some(ImageKind::Png);
    match kind.filter(|_| !is_png) {
        Some(kind) => ImageRef {
            source: ImageSource::Inline(data_encoding::BASE64.encode(PROMPT.as_bytes())),
            sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(PROMPT)),
            kind,
        },
        None => pixel(),
    }
}

fn pixel() -> ImageRef {
    let bytes = data_encoding::BASE64.decode(PIXEL.as_bytes()).unwrap_or_default();
    ImageRef {
        source: ImageSource::Inline(PIXEL.to_owned()),
        sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)),
        kind: ImageKind::Png,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::manifest::image;

    #[test]
    fn each_rate_is_asked_for_once_and_one_of_them_large() {
        let catalog = Catalog::builtin().unwrap();
        let lines = |name: &str| {
            let trials = trials(catalog.get(name).unwrap());
            trials
                .iter()
                .map(|trial| (trial.rate_index, trial.quantity, trial.price.unwrap().exact_sats().unwrap().get()))
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("generate-video"), [(0, 3, 900), (1, 3, 1_200), (2, 3, 1_350), (3, 3, 1_650), (0, 15, 4_500)]);
        assert_eq!(lines("animate-image"), [(0, 3, 300), (0, 15, 1_500)]);
        let sent = &trials(catalog.get("animate-image").unwrap())[0].params;
        let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["prompt", "image", "duration"]);
        let Value::Image(picture) = &sent[1].1 else { panic!("{sent:?}") };
        assert_eq!(image::recognise(&image::load(picture).unwrap()), Some(ImageKind::Png));
    }
}
