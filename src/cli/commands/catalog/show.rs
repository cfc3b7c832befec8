//! `catalog show`: endpoints, parameters and prices in use, and where each comes from.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::catalog::{Endpoint, Param, ParamKind, Place, PriceRule, Rate, Value};
use crate::cli::commands::catalog::layers::Layers;
use crate::cli::options::config::CatalogOptions;
use crate::cli::{ExitCode, Failure, Format, terminal};
use crate::money::{Msat, Sats};
use crate::terminal_text::{printable_char, write_json};

/// Prints every endpoint.
pub(super) fn execute(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    let layers = Layers::read(options)?;
    let endpoints = layers.endpoints(&options.endpoints)?;
    let shown = endpoints.iter().map(|endpoint| Shown::of(endpoint, &layers)).collect();
    let document = Document { format_version: crate::report::FORMAT_VERSION, kind: "catalog", endpoints: shown };
    terminal::print(options.output.format, |out| match options.output.format {
        Format::Json => write_json(out, &document),
        Format::Table | Format::Csv => document.endpoints.iter().try_for_each(|shown| shown.write(out)),
    })?;
    Ok(ExitCode::Done)
}

#[derive(Serialize)]
struct Document {
    format_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    endpoints: Vec<Shown>,
}

/// An endpoint; `from` says which catalogue or manifest a value is of.
#[derive(Serialize)]
struct Shown {
    endpoint: String,
    method: &'static str,
    url: String,
    url_from: String,
    source: String,
    as_of: Option<String>,
    dedup_window_s: u32,
    bypass_header: Option<String>,
    nonce: Option<String>,
    headers: Vec<String>,
    scheme: Option<&'static str>,
    redeem: &'static str,
    patience_s: u32,
    credential: &'static str,
    listing: Option<String>,
    params: Vec<ShownParam>,
    multipart: bool,
    body: Option<Json>,
    price: ShownPrice,
    errors: Vec<ShownError>,
}

#[derive(Serialize)]
struct ShownParam {
    name: String,
    #[serde(flatten)]
    kind: ParamKind,
    required: bool,
    place: Place,
    default: Option<Json>,
    from: String,
    #[serde(skip)]
    words: String,
}

#[derive(Serialize)]
struct ShownPrice {
    unit: String,
    quantity: Option<String>,
    is_cap: bool,
    length: Option<&'static str>,
    per: u64,
    factor: Option<String>,
    minimum_msat: Option<Msat>,
    rates: Vec<ShownRate>,
    from: String,
}

#[derive(Serialize)]
struct ShownRate {
    when: Map<String, Json>,
    rate_sats: Sats,
    rate_msat: Msat,
    #[serde(skip)]
    words: String,
}

#[derive(Serialize)]
struct ShownError {
    code: String,
    before: &'static str,
    after: &'static str,
    from: String,
}

impl Shown {
    fn of(endpoint: &Endpoint, layers: &Layers) -> Self {
        let home = |from: &str| from.to_owned();
        let name = &endpoint.name;
        let param = |param: &Param| {
            let at = param.name.clone();
            ShownParam::of(param, home(layers.home(name, move |endpoint| endpoint.param(&at).cloned())))
        };
        Self {
            endpoint: name.clone(),
            method: endpoint.method.as_str(),
            url: endpoint.shown_url(),
            url_from: home(layers.home(name, |endpoint| endpoint.url.clone())),
            source: endpoint.source.clone(),
            as_of: Some(endpoint.as_of.clone()).filter(|day| !day.is_empty()),
            dedup_window_s: endpoint.dedup_window_s,
            bypass_header: endpoint.bypass_header.clone(),
            nonce: endpoint.nonce.clone(),
            headers: endpoint.headers.iter().map(|header| header.name.clone()).collect(),
            scheme: endpoint.terms.scheme.map(Into::into),
            redeem: endpoint.terms.redeem.into(),
            patience_s: endpoint.terms.patience_s,
            credential: endpoint.terms.credential.into(),
            listing: endpoint.listing_url().map(String::from),
            params: endpoint.params.iter().map(param).collect(),
            multipart: endpoint.multipart,
            body: endpoint.body.as_ref().map(|body| serde_json::json!(body)),
            price: ShownPrice {
                unit: endpoint.price.unit.clone(),
                quantity: endpoint.price.quantity.clone(),
                is_cap: endpoint.price.is_cap,
                length: endpoint.price.scale.length.map(Into::into),
                per: endpoint.price.scale.per.get(),
                factor: endpoint.price.scale.factor.clone(),
                minimum_msat: endpoint.price.scale.minimum,
                rates: endpoint.price.rates.iter().map(|rate| ShownRate::of(rate, endpoint)).collect(),
                from: home(layers.home(name, |endpoint| endpoint.price.clone())),
            },
            errors: endpoint
                .errors
                .iter()
                .map(|rule| ShownError {
                    code: rule.code.clone(),
                    before: rule.before.as_str(),
                    after: rule.after.as_str(),
                    from: home(layers.home(name, |endpoint| endpoint.error_rule(&rule.code).cloned())),
                })
                .collect(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |text: String| writeln!(out, "{}", on_screen(text.trim_end()));
        line(self.endpoint.clone())?;
        line(row("url", &format!("{} {}", self.method, self.url), &self.url_from))?;
        let as_of = self.as_of.as_ref().map_or_else(|| ", undated".to_owned(), |day| format!(", taken in on {day}"));
        line(row("document", &format!("{}{as_of}", self.source), ""))?;
        if self.dedup_window_s > 0 {
            let bypass = self.bypass_header.as_ref().map_or_else(String::new, |name| format!("; {name} bypasses it"));
            let text = format!("answers identical requests for {} s{bypass}", self.dedup_window_s);
            line(row("cache", &text, ""))?;
        }
        if let Some(nonce) = &self.nonce {
            line(row("nonce", &format!("{nonce}: it tells takes of one job apart"), ""))?;
        }
        for name in &self.headers {
            line(row("header", name, ""))?;
        }
        let paid_by = self.scheme.unwrap_or("the first offered of L402, LSAT, Payment");
        line(row("scheme", paid_by, ""))?;
        let patience = format!("asked for {} after the payment at least", span(self.patience_s));
        line(row("redeem", &format!("{}; {patience}", self.redeem), ""))?;
        if self.credential != "single" {
            line(row("credential", &format!("{}; what one purchase brings serves further jobs", self.credential), ""))?;
        }
        if let Some(listing) = &self.listing {
            line(row("listing", listing, ""))?;
        }
        for param in &self.params {
            line(row(&param.name, &param.words, &param.from))?;
        }
        if let Some(body) = &self.body {
            line(row(if self.multipart { "parts" } else { "body" }, &body.to_string(), ""))?;
        } else if self.multipart {
            line(row("body", "multipart, a part each parameter", ""))?;
        }
        for rate in &self.price.rates {
            line(row("price", &rate.words, &self.price.from))?;
        }
        if self.price.rates.is_empty() {
            line(row("price", "unknown: no job of it is planned", &self.price.from))?;
        }
        let known = self.errors.len();
        line(row("error codes", &format!("{known}, as `--json` shows"), ""))?;
        line(String::new())
    }
}

/// A time in the largest unit that holds it whole.
fn span(seconds: u32) -> String {
    match seconds {
        s if s > 0 && s.is_multiple_of(3_600) => format!("{} h", s / 3_600),
        s if s > 0 && s.is_multiple_of(60) => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

fn row(what: &str, text: &str, from: &str) -> String {
    format!("  {what:<16} {text:<64} {from}")
}

fn on_screen(line: &str) -> String {
    line.chars().map(printable_char).collect()
}

impl ShownParam {
    fn of(param: &Param, from: String) -> Self {
        let mut words = param.expected();
        if param.required {
            words.push_str(", required");
        }
        match param.place {
            Place::Usual => {}
            Place::Path => words.push_str(", in the path"),
            Place::Query => words.push_str(", in the query"),
            Place::Unsent => words.push_str(", not sent"),
        }
        if let Some(default) = &param.default {
            words.push_str(&format!(", default {default}"));
        }
        Self {
            name: param.name.clone(),
            kind: param.kind.clone(),
            required: param.required,
            place: param.place,
            default: param.default.as_ref().map(plain),
            from,
            words,
        }
    }
}

/// How the quantity becomes units, where that is more than its number.
fn scale_words(rule: &PriceRule) -> String {
    let (scale, name) = (&rule.scale, rule.quantity.as_deref().unwrap_or_default());
    let of = match scale.length {
        Some(length) => format!("{} of {name}", <&str>::from(length)),
        None => name.to_owned(),
    };
    let per = if scale.per.get() == 1 { String::new() } else { format!(", a unit for each {} {of} begun", scale.per) };
    let factor = scale.factor.as_ref().map(|factor| format!(", times {factor}")).unwrap_or_default();
    let minimum = scale.minimum.map(|minimum| format!(", {minimum} at least")).unwrap_or_default();
    format!("{per}{factor}{minimum}")
}

/// What a unit costs: `at most 300 sats a second`.
fn unit_words(rate: &Rate, rule: &PriceRule) -> String {
    format!("{}{} a {}", if rule.is_cap { "at most " } else { "" }, rate.rate, rule.unit)
}

/// The rate, and how the quantity becomes units.
pub(super) fn rate_words(rate: &Rate, endpoint: &Endpoint) -> String {
    format!("{}{}", unit_words(rate, &endpoint.price), scale_words(&endpoint.price))
}

impl ShownRate {
    fn of(rate: &Rate, endpoint: &Endpoint) -> Self {
        let rule = &endpoint.price;
        let chosen = rule.chosen_by(|at| rate.when.get(at));
        let of = if chosen.is_empty() { String::new() } else { format!(" with {chosen}") };
        let when = rule.by.iter().cloned().zip(rate.when.iter().map(plain)).collect();
        Self {
            when,
            rate_sats: rate.rate.sats_ceil(),
            rate_msat: rate.rate,
            words: format!("{}{of}{}", unit_words(rate, rule), scale_words(rule)),
        }
    }
}

pub(super) fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Integer(n) => json!(n),
        Value::Decimal(number) => json!(number),
        Value::Structured(value) => value.json(),
        Value::Boolean(truth) => json!(truth),
        Value::Image(image) => json!(image.sha256),
    }
}
