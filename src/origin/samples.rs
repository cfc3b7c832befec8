//! An endpoint and answers for tests.

use crate::catalog::{Catalog, Endpoint, ErrorRule, Method, PriceRule, Rate, ResultRule, Scale, Terms};
use crate::money::Msat;
use crate::purchase::HttpAnswer;

pub(crate) fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        name: "generate-video".to_owned(),
        url: url.parse().unwrap(),
        method: Method::Post,
        params: Vec::new(),
        multipart: false,
        body: None,
        price: PriceRule {
            is_cap: false,
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: Msat::new(1_000) }],
            quantity: None,
            unit: "job".to_owned(),
            scale: Scale::default(),
        },
        result: rule(),
        errors: errors(),
        dedup_window_s: 30,
        bypass_header: None,
        nonce: None,
        headers: Vec::new(),
        terms: Terms::default(),
        listing: None,
        allow_http: false,
        source: String::new(),
        as_of: String::new(),
        defined_in: String::new(),
    }
}

/// The error codes of the built-in endpoints.
pub(crate) fn errors() -> Vec<ErrorRule> {
    Catalog::builtin().unwrap().get("generate-video").unwrap().errors.clone()
}

pub(crate) fn rule() -> ResultRule {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    ResultRule {
        url: list(&["/videoUrl", "/result/url", "/result/videoUrl"]),
        poll_url: list(&["/poll_url"]),
        poll_interval_ms: list(&["/poll_interval_ms"]),
        status: list(&["/status"]),
        done: list(&["COMPLETED"]),
        failed: list(&["FAILED"]),
        text: Vec::new(),
        body: false,
    }
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpAnswer { status, headers, body: body.as_bytes().to_vec() }
}
