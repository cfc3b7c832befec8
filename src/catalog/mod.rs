//! Endpoints that can be bought from: where they are, what they take, what they cost, where the result stands.
//!
//! Data, not code: the built-in ones are a TOML file in this folder, and a user adds or overrides any. Nothing else in the
//! program knows a service by name.

mod accept;
mod address;
mod decimal;
mod errors;
mod header;
pub mod import;
mod listing;
pub(crate) mod meant;
mod nonce;
mod param;
mod place;
mod price;
mod price_list;
mod read;
mod scale;
mod sent;
mod structured;
mod template;
mod terms;
mod toml_text;

pub use address::origin_of;
pub use decimal::Decimal;
pub use errors::{ErrorRule, Treatment};
pub use header::{Header, HeaderValue, is_secret_name, is_value as is_header_value};
pub use listing::{Listed, listed};
pub use nonce::PLANNED_TAKES_MAX;
pub use param::{FileForm, FileType, ImageKind, ImageRef, ImageSource, Mismatch, Param, ParamKind, Value};
pub use place::Place;
pub use price::{PriceRule, Priced, Quote, Rate};
pub use price_list::{PriceLine, price_list};
pub use read::BUILT_IN;
pub use scale::{Length, PriceError, Scale};
pub use structured::Structured;
pub use template::{Template, placeholder};
pub use terms::{AuthScheme, CredentialRule, RedeemRule, Terms};
pub use toml_text::{toml_key, toml_text};

use serde::{Deserialize, Serialize};
use url::Url;

/// One thing that can be bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The name that manifests use.
    pub name: String,
    /// Where requests go, with a place for each parameter that stands in it. `https`, or `http` to loopback, or `http` with `allow_http`.
    #[serde(deserialize_with = "address::read")]
    pub url: Url,
    /// How parameters travel.
    pub method: Method,
    /// The parameters it takes, in the order in which they are sent.
    pub params: Vec<Param>,
    /// The body is multipart: each parameter, or each field of the template, is a part of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multipart: bool,
    /// How they stand in the body; side by side where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// What a purchase costs.
    pub price: PriceRule,
    /// Where the answer holds the result.
    pub result: ResultRule,
    /// What the error codes of its answers mean. A code that is not here counts for nothing: the status decides.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Identical requests within this many seconds may be answered from the service's cache.
    pub dedup_window_s: u32,
    /// The header that bypasses that cache, where the service has one.
    #[serde(default)]
    pub bypass_header: Option<String>,
    /// The parameter that tells takes of one job apart in their requests, and stands outside of what is bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What stands in the head of each request, beside what HTTP itself needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    /// How the service deals with whoever pays.
    #[serde(default, skip_serializing_if = "Terms::are_usual")]
    pub terms: Terms,
    /// Where the service itself lists what it sells, free of charge: an absolute URL, or a path on the endpoint's host.
    #[serde(default)]
    pub listing: Option<String>,
    /// Plain `http` to a host that is not loopback was allowed by name.
    pub allow_http: bool,
    /// The document that says so. Where an entry names none: the file that holds the entry.
    pub source: String,
    /// The day as of which it said so, `2026-11-20`; empty where nobody says.
    pub as_of: String,
    /// Where this entry was read: `built-in`, or a file's path; for an overridden one, both.
    pub defined_in: String,
}

/// How parameters travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    /// A JSON object in the body.
    Post,
    /// The same.
    Put,
    /// The query of the URL; no body.
    Get,
}

impl Method {
    /// The method as it stands in a request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where an answer holds what was bought. Each list but those of words is of JSON pointers (RFC 6901); the first that leads to a value of
/// the right kind wins. In `url` and `text` one step of a pointer may be `*`: each element of the list there, in its order. An index is
/// never `*`; of an object it is the name, as ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRule {
    /// The result's URL, absolute or relative to the endpoint.
    pub url: Vec<String>,
    /// The address to poll after a `202`.
    pub poll_url: Vec<String>,
    /// How long to wait between polls, in milliseconds.
    pub poll_interval_ms: Vec<String>,
    /// The word that tells how far a polled job is.
    pub status: Vec<String>,
    /// Words of `status` that mean: done. Compared without case.
    pub done: Vec<String>,
    /// Words of `status` that mean: it will not be done. Compared without case.
    pub failed: Vec<String>,
    /// Text that is the result itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<String>,
    /// A successful answer that names neither is the result itself, whatever it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body: bool,
}

/// How far identical requests keep apart, so that each gets a result of its own (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DedupPolicy {
    /// Not at all: the service makes each anew.
    Never,
    /// One at a time, and so many seconds between the end of one and the next.
    Window(u32),
    /// A header bypasses the cache: the next goes out as soon as the one before has an answer of its own, a result or a
    /// poll address. Until then that one may have to be repeated, which it is without the header, and what the cache
    /// then holds must be its own.
    Answer,
}

impl Endpoint {
    /// How far identical requests to it keep apart.
    #[must_use]
    pub const fn dedup_policy(&self) -> DedupPolicy {
        match (self.dedup_window_s, &self.bypass_header) {
            (0, _) => DedupPolicy::Never,
            (_, Some(_)) => DedupPolicy::Answer,
            (window_s, None) => DedupPolicy::Window(window_s),
        }
    }

    /// Whether the token that one purchase brings is good for further requests, until the service refuses it.
    #[must_use]
    pub const fn is_reusable(&self) -> bool {
        matches!(self.terms.credential, CredentialRule::Reusable)
    }

    /// Whether a job's price is the most that the job may cost: its invoice may ask less, or the token of another job may serve it.
    #[must_use]
    pub const fn is_capped(&self) -> bool {
        self.price.is_cap || self.is_reusable()
    }

    /// How long an answer stays in the service's cache, in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        i64::from(self.dedup_window_s).saturating_mul(1_000)
    }

    /// The address of a job's request, with the values that have a place in it.
    #[must_use]
    pub fn address(&self, value_of: &dyn Fn(&str) -> Option<String>) -> Url {
        place::filled(&self.url, &|name| self.has_place(name), value_of)
    }

    /// Whether the address has a place for the parameter of that name.
    fn has_place(&self, name: &str) -> bool {
        self.param(name).is_some_and(|param| param.place.is_in_address())
    }

    /// The address as a person reads it, its places in braces.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let placed = self.params.iter().filter(|param| param.place.is_in_address());
        placed.fold(self.url.to_string(), |url, Param { name, .. }| {
            url.replace(&format!("%7B{name}%7D"), &format!("{{{name}}}"))
        })
    }

    /// The address of the service's own listing.
    #[must_use]
    pub fn listing_url(&self) -> Option<Url> {
        self.url.join(self.listing.as_ref()?).ok()
    }

    /// What an error code (in upper case) of its answers means; nothing where no rule names it.
    #[must_use]
    pub fn error_rule(&self, code: &str) -> Option<&ErrorRule> {
        self.errors.iter().find(|rule| rule.code == code)
    }

    /// The parameter of that exact name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

/// All endpoints that a manifest can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    endpoints: Vec<std::sync::Arc<Endpoint>>,
}

impl Catalog {
    /// The endpoint of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&std::sync::Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.name == name)
    }

    /// Every endpoint, in order of definition.
    pub fn iter(&self) -> impl Iterator<Item = &std::sync::Arc<Endpoint>> {
        self.endpoints.iter()
    }

    /// Adds an endpoint, or replaces the one of the same name in its place.
    pub fn put(&mut self, endpoint: Endpoint) {
        let endpoint = std::sync::Arc::new(endpoint);
        match self.endpoints.iter_mut().find(|known| known.name == endpoint.name) {
            Some(known) => *known = endpoint,
            None => self.endpoints.push(endpoint),
        }
    }
}
