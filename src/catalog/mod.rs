//! Endpoints that can be bought from: where they are, what they take, what they cost, where the result stands.
//!
//! Data, not code: the built-in ones are a TOML file in this folder, and a user adds or overrides any. Nothing else in the
//! program knows a service by name.

mod accept;
mod param;
mod price;
mod read;

pub use accept::Checked;
pub use param::{ImageKind, ImageRef, ImageSource, Mismatch, Param, ParamKind, Value};
pub use price::{PriceError, PriceRule, Priced, Quote, Rate};
pub use read::BUILT_IN;

use serde::{Deserialize, Serialize};
use url::Url;

/// One thing that can be bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The name that manifests use.
    pub name: String,
    /// Where requests go. `https`, or `http` to loopback, or `http` with `allow_http`.
    pub url: Url,
    /// How parameters travel.
    pub method: Method,
    /// The parameters it takes, in the order in which they are sent.
    pub params: Vec<Param>,
    /// What a purchase costs.
    pub price: PriceRule,
    /// Where the answer holds the result.
    pub result: ResultRule,
    /// Identical requests within this many seconds may be answered from the service's cache.
    pub dedup_window_s: u32,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// A JSON object in the body.
    Post,
    /// The query of the URL; no body.
    Get,
}

impl Method {
    /// The method as it stands in a request line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
        }
    }
}

/// Where an answer holds what was bought. Each field lists JSON pointers (RFC 6901); the first that leads to a value of
/// the right kind wins.
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
}

impl Endpoint {
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
