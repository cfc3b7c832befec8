//! A service's own free listing of what it sells, read as far as it can be without knowing its shape: no standard says how
//! one looks. What is found is held against the catalogue; a price is never taken from it.

use serde_json::Value as Json;
use url::Url;

use super::Endpoint;

/// So deep and so many values are looked at.
const DEPTH_MAX: usize = 12;
const VALUES_MAX: usize = 100_000;
/// So many amounts of one endpoint are told: more than any has prices.
const AMOUNTS_MAX: usize = 256;

/// What a listing says of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// It does not name the endpoint.
    Missing,
    /// It names it, and no price in sats.
    Priceless,
    /// The amounts in sats that it names for it, in ascending order, each once.
    Sats(Vec<u64>),
}

/// Reads a listing. An object is about the endpoint where a text in it, or the key under which it stands, is the endpoint's
/// name, its URL or the URL's path; an amount is a whole number whose key, or one above it within that object, speaks of
/// sats.
#[must_use]
pub fn listed(listing: &Json, endpoint: &Endpoint) -> Listed {
    let mut search = Search { endpoint, values: 0, named: false, sats: Vec::new() };
    search.look(listing, "", 0);
    search.sats.sort_unstable();
    search.sats.dedup();
    search.sats.truncate(AMOUNTS_MAX);
    match (search.named, search.sats.is_empty()) {
        (false, _) => Listed::Missing,
        (true, true) => Listed::Priceless,
        (true, false) => Listed::Sats(search.sats),
    }
}

struct Search<'a> {
    endpoint: &'a Endpoint,
    values: usize,
    named: bool,
    sats: Vec<u64>,
}

impl Search<'_> {
    /// Goes down to the objects that are about the endpoint.
    fn look(&mut self, json: &Json, key: &str, depth: usize) {
        self.values = self.values.saturating_add(1);
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return;
        }
        match json {
            Json::Object(object) => {
                let texts = object.values().filter_map(Json::as_str);
                if self.names(key) || texts.into_iter().any(|text| self.names(text)) {
                    self.named = true;
                    self.gather(json, false, depth);
                    return;
                }
                for (key, value) in object {
                    self.look(value, key, depth + 1);
                }
            }
            Json::Array(list) => list.iter().for_each(|value| self.look(value, "", depth + 1)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    /// Gathers the amounts of one that is.
    fn gather(&mut self, json: &Json, of_sats: bool, depth: usize) {
        self.values = self.values.saturating_add(1);
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return;
        }
        match json {
            Json::Object(object) => {
                for (key, value) in object {
                    self.gather(value, of_sats || key.to_ascii_lowercase().contains("sat"), depth + 1);
                }
            }
            Json::Array(list) => list.iter().for_each(|value| self.gather(value, of_sats, depth + 1)),
            Json::Number(number) if of_sats => self.sats.extend(number.as_u64().filter(|sats| *sats > 0)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }

    fn names(&self, text: &str) -> bool {
        let Endpoint { name, url, .. } = self.endpoint;
        let path_of = |text: &str| Url::parse(text).ok().map(|url| url.path().to_owned());
        text == name || text == url.path() || (text.contains("://") && path_of(text).as_deref() == Some(url.path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use serde_json::json;

    fn read(listing: &Json) -> Listed {
        listed(listing, Catalog::builtin().unwrap().get("generate-video").unwrap())
    }

    #[test]
    fn many_shapes_of_a_listing() {
        let prices = [300, 450];
        for listing in [
            json!({ "models": [{ "service": "generate-video", "price_sats": 450, "other_sats": 300, "usd": 7 }] }),
            json!({ "services": { "generate-video": { "pricing": { "sats_per_second": { "pro": 450, "standard": 300 } } } } }),
            json!([{ "endpoint": "https://sats4ai.com/api/l402/generate-video", "sats": prices, "seconds": [3, 15] }]),
            json!({ "paths": { "/api/l402/generate-video": { "post": { "x-sats": [{ "sats": 300 }, { "sats": 450 }] } } } }),
        ] {
            assert_eq!(read(&listing), Listed::Sats(prices.to_vec()), "{listing}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_made_up() {
        for listing in [json!(null), json!({}), json!({ "service": "animate-image", "sats": 5 }), json!([1, "x"])] {
            assert_eq!(read(&listing), Listed::Missing, "{listing}");
        }
        let cents =
            json!({ "service": "generate-video", "price": 450, "usd_cents": 7, "sats": "many", "sat_per_s": -1 });
        assert_eq!(read(&cents), Listed::Priceless);
        let many: Vec<u64> = (1..10_000).collect();
        let Listed::Sats(sats) = read(&json!({ "service": "generate-video", "sats": many })) else {
            panic!("no amounts")
        };
        assert_eq!(sats.len(), AMOUNTS_MAX, "nobody reads ten thousand of them");
        let mut deep = json!({ "service": "generate-video", "sats": 5 });
        for _ in 0..DEPTH_MAX {
            deep = json!([[deep]]);
        }
        assert_eq!(read(&deep), Listed::Missing);
    }
}
