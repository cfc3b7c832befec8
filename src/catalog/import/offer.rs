//! Something that a document says is sold.

use serde_json::Value as Json;
use url::Url;

use super::cost::Cost;
use super::document::Document;
use super::inputs::Inputs;
use super::lack::Lack;
use crate::catalog::Method;

/// Something that can be bought, as the catalogue has it.
#[derive(Debug)]
pub(super) struct Offer {
    pub url: Url,
    pub method: Method,
    /// The document says the method.
    pub says_method: bool,
    /// The document's words on it.
    pub about: String,
    pub inputs: Inputs,
    pub cost: Cost,
    /// Where its answer may name an address: JSON pointers.
    pub results: Vec<String>,
}

/// What a document says of one thing that is sold: where it stands there, and what it is, or why it is none.
pub(super) struct Entry {
    pub at: String,
    /// The words from which its name is made.
    pub called: String,
    pub offer: Result<Offer, Lack>,
}

/// So deep an address of a result is looked for in the schema of an answer, and so many are named.
const RESULT_DEPTH_MAX: usize = 4;
const RESULTS_MAX: usize = 4;
/// How a key begins that ends in `url` and names a result.
const RESULT_WORDS: [&str; 12] =
    ["audio", "asset", "download", "file", "image", "media", "model", "music", "output", "result", "speech", "video"];

/// Where the answer's schema has addresses that are named like those of results.
pub(super) fn results(document: &Document<'_>, schema: Option<&Json>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(schema) = schema {
        look(document, schema, "", RESULT_DEPTH_MAX, &mut found);
    }
    found
}

fn look(document: &Document<'_>, schema: &Json, at: &str, depth: usize, found: &mut Vec<String>) {
    let (Some(depth), Ok(schema)) = (depth.checked_sub(1), document.flat(at, schema)) else { return };
    let properties = schema.get("properties").and_then(Json::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let is_text = property.get("type").is_none_or(|kind| kind == "string");
        if is_text && names_result(name) && found.len() < RESULTS_MAX {
            found.push(pointer);
        } else {
            look(document, property, &pointer, depth, found);
        }
    }
    if let Some(items) = schema.get("items") {
        look(document, items, &format!("{at}/0"), depth, found);
    }
}

fn names_result(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['_', '-'], "");
    let before = key.strip_suffix("url").or_else(|| key.strip_suffix("uri"));
    before.is_some_and(|word| word.is_empty() || RESULT_WORDS.contains(&word))
}

/// The address of a path at a site: whole, or relative to it.
pub(super) fn address(text: &str, base: Option<&Url>) -> Result<Url, Lack> {
    match (Url::parse(text), base) {
        (Ok(url), _) if url.has_host() => Ok(url),
        (Ok(_), _) => Err(Lack::Address),
        (Err(_), Some(base)) => {
            // A path stands below the site's own, as OpenAPI has it.
            let site = base.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
            Url::parse(&format!("{site}/{}", text.trim_start_matches('/'))).map_err(|_| Lack::Address)
        }
        (Err(_), None) => Err(Lack::Relative(text.to_owned())),
    }
}

/// The method of a request, where there is one.
pub(super) fn method(word: &str) -> Result<Method, Lack> {
    word.to_ascii_uppercase().parse().map_err(|_| Lack::Method(word.to_ascii_uppercase()))
}
