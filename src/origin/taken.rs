//! The result that a person takes from an answer whose shape nobody understands: the one web address in it, else all of it.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use super::{answered_at, inline, url_policy};
use crate::purchase::HttpAnswer;

/// Whose addresses name a vocabulary, and no result.
const VOCABULARY: &str = "www.w3.org";
/// What ends an address in a text.
const DELIMITERS: &str = "\"'<>`\\(){}[],;|";

impl HttpAnswer {
    /// The address under which a person's result is recorded who takes this answer for it; none where it is empty.
    #[must_use]
    pub fn taken_result(&self, endpoint: &Url) -> Option<Url> {
        let at = answered_at(self, endpoint);
        let mut found = addresses(self).into_iter().filter_map(|text| url_policy::web_url(&text, &at, endpoint).ok());
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) | (None, _) => inline::whole(self),
        }
    }
}

/// The web addresses that a text names; a picture, for instance, is a result itself, whatever stands in it.
fn addresses(answer: &HttpAnswer) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let is_text = kind.is_empty() || kind.contains("json") || (kind.contains("text/") && !kind.contains("text/vtt"));
    let Ok(text) = std::str::from_utf8(&answer.body) else { return found };
    let text = text.trim_start_matches('\u{feff}');
    if !is_text {
        return found;
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) => of_json(&value, &mut found),
        Err(_) => of_text(text, &mut found),
    }
    found
}

fn of_json(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => of_text(text, found),
        Value::Array(all) => all.iter().for_each(|value| of_json(value, found)),
        Value::Object(all) => all.values().for_each(|value| of_json(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_text(text: &str, found: &mut BTreeSet<String>) {
    for word in text.split(|c: char| c.is_whitespace() || DELIMITERS.contains(c)) {
        let Some(at) = ["https://", "http://"].iter().filter_map(|scheme| word.find(scheme)).min() else { continue };
        let word = word.get(at..).unwrap_or_default().trim_end_matches(['.', ':', '!', '?']);
        if Url::parse(word).is_ok_and(|url| url.host_str().is_some_and(|host| host != VOCABULARY)) {
            found.insert(word.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::samples::{answer, rule};

    fn of(kind: &str, body: &str) -> String {
        let endpoint = "https://api.example/make".parse().unwrap();
        let answer = answer(200, &[("content-type", kind)], body);
        let url = answer.taken_result(&endpoint).unwrap();
        if super::super::is_inline(&url) {
            let found = inline::inline_result(&answer, &rule(), &url, 0).unwrap();
            assert_eq!(found.bytes, body.as_bytes());
            return format!("{}: all of it", found.media_type);
        }
        url.into()
    }

    #[test]
    fn the_one_address_is_the_result_and_else_all_of_it_is() {
        let json = "application/json; charset=utf-8";
        let film = "https://cdn.example/a.mp4?x=1&y=2";
        for (kind, body) in [
            (json, r#"{"made":{"film":"https:\/\/cdn.example\/a.mp4?x=1\u0026y=2"}}"#.to_owned()),
            (json, format!(r#"["{film}","{film}"]"#)),
            ("text/plain", format!("Your film: {film}.")),
            ("text/html", format!("<html xmlns='http://www.w3.org/1999/xhtml'><a href=\"{film}\">here</a>")),
        ] {
            assert_eq!(of(kind, &body), film, "{body}");
        }
        let two = r#"{"a":"https://cdn.example/a","b":"https://cdn.example/b"}"#;
        let private = r#"{"a":"http://127.0.0.1/a"}"#;
        for (kind, body) in [(json, two), (json, private), (json, r#"{"hello":1}"#), (json, r#"{"a":"#)] {
            assert_eq!(of(kind, body), "application/json: all of it", "{body}");
        }
        assert_eq!(of("image/svg+xml", "<svg a='https://x.example/'/>"), "image/svg+xml: all of it");
        assert_eq!(of("odd kind", "hello"), ": all of it");
        assert_eq!(answer(200, &[], "").taken_result(&"https://api.example/".parse().unwrap()), None);
    }
}
