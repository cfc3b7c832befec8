//! An endpoint table as it is written for a person to read.

use std::fmt::Write as _;

use serde_json::Value as Json;
use url::Url;

use super::cost::Cost;
use super::inputs::Field;
use super::offer::Offer;
use super::{Source, shortened};
use crate::catalog::Method;
use crate::catalog::toml_text::{toml_key, toml_text, toml_value};

/// So many characters of the document's words stand beside what they are about.
const WORDS_CHARS_MAX: usize = 160;

/// The table. `as_of` is the document's day, where it has one.
pub(super) fn table(name: &str, offer: &Offer, source: &Source<'_>, as_of: Option<&str>) -> String {
    let mut text = format!("\n[endpoint.{name}]\n");
    if !offer.about.trim().is_empty() {
        put(&mut text, format_args!("# {}\n", shortened(&offer.about, WORDS_CHARS_MAX)));
    }
    if source.is_elsewhere(&offer.url) {
        put(&mut text, format_args!("# It stands on another site ({}) than the document.\n", site(&offer.url)));
    }
    put(&mut text, format_args!("url = {}\n", toml_text(&address(offer))));
    let guessed = if offer.says_method { "" } else { " # the document says none" };
    put(&mut text, format_args!("method = \"{}\"{guessed}\n", offer.method.as_str()));
    put(&mut text, format_args!("source = {}\n", toml_text(source.shown)));
    if let Some(day) = as_of {
        put(&mut text, format_args!("as_of = {}\n", toml_text(day)));
    }
    if offer.method != Method::Get && offer.inputs.has_template() {
        put(&mut text, format_args!("body = {}\n", toml_value(&offer.inputs.template())));
    }
    text.push_str(&result(&offer.results));
    text.push_str(&price(&offer.cost, source));
    if !offer.inputs.fields.is_empty() {
        put(&mut text, format_args!("[endpoint.{name}.params]\n"));
        offer.inputs.fields.iter().for_each(|field| text.push_str(&parameter(field)));
    }
    text
}

/// The price, with what it rests on; where it is not known, what has to be done.
fn price(cost: &Cost, source: &Source<'_>) -> String {
    let read = format!("# read on {} from {}", source.day, shortened(source.shown, WORDS_CHARS_MAX));
    match cost {
        Cost::Flat(msat) => {
            let (unit, amount) = amount(*msat);
            format!("price = {{ {unit} = {amount} }} {read}\n")
        }
        Cost::Rate { msat, quantity, unit } => {
            let (word, amount) = amount(*msat);
            let (quantity, unit) = (toml_text(quantity), toml_text(unit));
            format!("price = {{ {word}_per_unit = {amount}, quantity = {quantity}, unit = {unit} }} {read}\n")
        }
        Cost::Unknown(said) => {
            let said = match said.as_str() {
                "" => "the document says no price".to_owned(),
                said => format!("the document says {}", shortened(said, WORDS_CHARS_MAX)),
            };
            format!(
                "# on {} {said}. Write the price here, or `price = {{ at_most_sats = N }}`, which caps it; no job is planned before:\n\
                 price = \"unknown\"\n",
                source.day
            )
        }
    }
}

fn amount(msat: u64) -> (&'static str, u64) {
    match (msat.checked_div(1_000), msat.checked_rem(1_000)) {
        (Some(sats), Some(0)) => ("sats", sats),
        (_, _) => ("msat", msat),
    }
}

/// Whatever a successful answer is counts as the result, unless it names an address.
fn result(pointers: &[String]) -> String {
    if pointers.is_empty() {
        return "result = { body = true }\n".to_owned();
    }
    let pointers = toml_value(&Json::from(pointers.to_vec()));
    format!(
        "result = {{ url = {pointers}, body = true }} # an address that is named like a result's, else the answer itself\n"
    )
}

/// The address; what stands in every query belongs to it.
fn address(offer: &Offer) -> String {
    let mut url = offer.url.clone();
    if offer.method == Method::Get {
        for (path, json) in &offer.inputs.constants {
            let value = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(&path.join("."), &value);
        }
    }
    // The places of parameters, as people write them.
    let has_places = offer.inputs.fields.iter().any(|field| field.in_path);
    if has_places { url.as_str().replace("%7B", "{").replace("%7D", "}") } else { url.into() }
}

fn parameter(field: &Field) -> String {
    let mut keys = format!("type = {}", toml_text(field.kind.word));
    for (key, json) in &field.kind.keys {
        put(&mut keys, format_args!(", {key} = {}", toml_value(json)));
    }
    if field.required {
        keys.push_str(", required = true");
    }
    if let Some(json) = &field.default {
        put(&mut keys, format_args!(", default = {}", toml_value(json)));
    }
    let about = shortened(&field.about, WORDS_CHARS_MAX);
    let comment = if about.is_empty() { String::new() } else { format!(" # {about}") };
    format!("{} = {{ {keys} }}{comment}\n", toml_key(&field.name))
}

/// Where an address stands, without path and query.
pub(super) fn site(url: &Url) -> String {
    shortened(&url.origin().ascii_serialization(), WORDS_CHARS_MAX)
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing into a text does not fail.
    let _ = text.write_fmt(words);
}
