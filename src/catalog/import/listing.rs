//! Listings of services, as `/.well-known/l402-services` and `/.well-known/l402.json` have them. No standard says how one looks: what is
//! sold is an object that names its address, in a list (or under its name) of the usual words, or the document itself.

use serde_json::{Map, Value as Json};
use url::Url;

use super::cost;
use super::document::Document;
use super::inputs::Inputs;
use super::lack::Lack;
use super::offer::{Entry, Offer, address, method, results};
use crate::catalog::Method;

/// Where lists of what is sold stand.
const LISTS: [&str; 9] =
    ["services", "endpoints", "routes", "pricing", "resources", "operations", "apis", "tools", "l402"];
/// So deep such lists stand within each other.
const LISTS_DEPTH_MAX: usize = 6;
const ADDRESSES: [&str; 9] =
    ["endpoint", "url", "path", "uri", "route", "resource", "href", "demo_endpoint", "endpoint_url"];
const SITES: [&str; 4] = ["base_url", "baseUrl", "api_base", "base"];
/// Where a document that was not fetched from its site may name it.
const HOMES: [&str; 4] = ["homepage", "url", "origin", "site"];
const NAMES: [&str; 6] = ["id", "service", "slug", "operationId", "name", "title"];
const SCHEMAS: [&str; 12] = [
    "request_schema",
    "requestSchema",
    "input_schema",
    "inputSchema",
    "body_schema",
    "schema",
    "parameters",
    "params",
    "request",
    "request_body",
    "body",
    "input",
];
const ANSWERS: [&str; 5] = ["response_schema", "responseSchema", "output_schema", "outputSchema", "response"];

/// Reads what is sold. `base`: where the document stands.
pub(super) fn entries(document: &Document<'_>, base: Option<&Url>) -> Vec<Entry> {
    let root = document.root;
    let service = root.get("service").filter(|json| json.is_object());
    let named = |keys: &[&str]| {
        let within = [Some(root), service];
        within.into_iter().flatten().find_map(|json| text(json, keys)).and_then(|text| Url::parse(text).ok())
    };
    let site = named(&SITES).or_else(|| base.map(super::openapi::root_of)).or_else(|| named(&HOMES));
    let mut listing = Listing { document, entries: Vec::new() };
    listing.look(root, "", site.as_ref(), 0);
    listing.entries
}

/// Whether identical requests are answered from a cache.
pub(super) fn is_cached(root: &Json) -> bool {
    root.pointer("/features/dedup/supported").or_else(|| root.get("dedup")).is_some_and(|json| *json != false)
}

struct Listing<'d, 'l> {
    document: &'l Document<'d>,
    entries: Vec<Entry>,
}

impl Listing<'_, '_> {
    /// Goes through the lists of an object, or takes it for what is sold where it has none. `name`: the key under which it stands.
    fn look(&mut self, json: &Json, name: &str, site: Option<&Url>, depth: usize) {
        if depth > LISTS_DEPTH_MAX {
            return;
        }
        if let Json::Array(all) = json {
            all.iter().for_each(|json| self.look(json, name, site, depth + 1));
            return;
        }
        let Json::Object(object) = json else { return };
        let own = text(json, &SITES).and_then(|text| address(text, site).ok());
        let site = own.as_ref().or(site);
        let is_list = |json: &Json| match json {
            Json::Array(all) => all.iter().any(Json::is_object),
            Json::Object(all) => all.values().any(|json| json.is_object() || json.is_array()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
        };
        // An entry's own `pricing` is a price.
        let is_entry = depth > 0 && text(json, &ADDRESSES).is_some();
        let lists: Vec<&str> = LISTS
            .into_iter()
            .filter(|key| !(is_entry && *key == "pricing") && object.get(*key).is_some_and(is_list))
            .collect();
        for key in &lists {
            match object.get(*key) {
                Some(Json::Object(named)) if *key != "l402" => {
                    named.iter().for_each(|(name, json)| self.look(json, name, site, depth + 1));
                }
                Some(list) => self.look(list, "", site, depth + 1),
                None => {}
            }
        }
        let says_price =
            object.keys().any(|key| ["price", "pricing", "cost"].contains(&key.as_str()) || key.contains("sat"));
        // A document that names an address is no offer yet.
        if lists.is_empty() && (depth > 0 || says_price) {
            self.take(json, name, site, says_price);
        }
    }

    fn take(&mut self, json: &Json, name: &str, site: Option<&Url>, says_price: bool) {
        let said = text(json, &ADDRESSES).or_else(|| name.starts_with('/').then_some(name));
        let Some(said) = said else {
            if says_price {
                let called = text(json, &NAMES).unwrap_or(name).to_owned();
                self.entries.push(Entry { at: called.clone(), called, offer: Err(Lack::Address) });
            }
            return;
        };
        // `POST /path` says both.
        let (word, path) = match said.split_once(' ') {
            Some((word, path)) if word.chars().all(|c| c.is_ascii_uppercase()) => (Some(word), path.trim()),
            Some(_) | None => (None, said),
        };
        let word = word.or_else(|| text(json, &["method", "http_method", "httpMethod"])).or_else(|| only_method(json));
        let key = Some(name).filter(|name| !name.is_empty() && !name.starts_with('/'));
        // Of a whole address the path.
        let own =
            Url::parse(path).map_or_else(|_| path.to_owned(), |url| url.path().replace("%7B", "{").replace("%7D", "}"));
        let called = text(json, &NAMES).or(key).unwrap_or(&own).to_owned();
        let at = word.map_or_else(|| path.to_owned(), |word| format!("{word} {path}"));
        let offer = SoldEntry { document: self.document, json, path }.offer(word, site);
        self.entries.push(Entry { at, called, offer });
    }
}

fn only_method(json: &Json) -> Option<&str> {
    json.get("methods").and_then(Json::as_array).filter(|all| all.len() == 1)?.first()?.as_str()
}

struct SoldEntry<'e, 'd> {
    document: &'e Document<'d>,
    json: &'e Json,
    path: &'e str,
}

impl SoldEntry<'_, '_> {
    fn offer(&self, word: Option<&str>, site: Option<&Url>) -> Result<Offer, Lack> {
        let json = self.json;
        if json.get("free") == Some(&Json::Bool(true)) {
            return Err(Lack::Free);
        }
        let schema = SCHEMAS.iter().find_map(|key| json.get(*key).and_then(schema_of));
        // Where no method is said, what has a body is sent by POST.
        let method = word.map_or(Ok(if schema.is_some() { Method::Post } else { Method::Get }), method)?;
        let mut inputs = Inputs::default();
        match schema {
            Some(schema) if method == Method::Get => inputs.add_query(self.document, &schema)?,
            Some(schema) => inputs.add_body(self.document, &schema)?,
            None => {}
        }
        inputs.place_in(self.path);
        if self.path.contains(['{', '}']) && !inputs.fields.iter().any(|field| field.in_path) {
            return Err(Lack::Place(self.path.to_owned(), "path"));
        }
        let cost = cost::of_service(json, |name| inputs.fields.iter().any(|field| field.name == name))?;
        let answer = ANSWERS.iter().find_map(|key| json.get(*key).and_then(schema_of));
        Ok(Offer {
            url: address(self.path, site)?,
            method,
            says_method: word.is_some(),
            about: text(json, &["description", "summary"]).unwrap_or_default().to_owned(),
            results: results(self.document, answer.as_ref()),
            inputs,
            cost,
        })
    }
}

/// A JSON Schema; what stands in its place is one of parameters by name, each with a `type` and perhaps `required`, or a list of them.
fn schema_of(json: &Json) -> Option<Json> {
    let fields: Vec<(&str, &Json)> = match json {
        Json::Object(object) => {
            let is_schema =
                ["properties", "$ref", "allOf", "oneOf", "anyOf"].iter().any(|key| object.contains_key(*key))
                    || object.get("type").is_some_and(Json::is_string);
            if is_schema {
                return Some(json.clone());
            }
            object.iter().map(|(name, field)| (name.as_str(), field)).collect()
        }
        Json::Array(all) => all.iter().filter_map(|field| Some((field.get("name")?.as_str()?, field))).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return None,
    };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in fields {
        if field.get("required") == Some(&Json::Bool(true)) {
            required.push(Json::from(name));
        }
        let mut schema = field.get("schema").unwrap_or(field).clone();
        if let Json::String(kind) = &schema {
            schema = serde_json::json!({ "type": kind });
        }
        if let Some(schema) =
            schema.as_object_mut().filter(|schema| schema.get("required").is_some_and(Json::is_boolean))
        {
            schema.retain(|key, _| key != "required");
        }
        properties.insert(name.to_owned(), schema);
    }
    let schema = serde_json::json!({ "type": "object", "properties": properties, "required": required });
    (!properties.is_empty()).then_some(schema)
}

/// The first of these keys that holds text.
fn text<'j>(json: &'j Json, keys: &[&str]) -> Option<&'j str> {
    keys.iter().find_map(|key| json.get(*key).and_then(Json::as_str)).filter(|text| !text.is_empty())
}
