//! Values and keys as TOML takes them, so that whatever a text holds neither ends where it stands nor steers a terminal.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::terminal_text::printable_char;

/// A text in quotes. What breaks a line, steers a terminal or hides is written as an escape.
#[must_use]
pub fn toml_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if printable_char(c) == c => quoted.push(c),
            _ => {
                let code = u32::from(c);
                let width = if code > 0xffff { 8 } else { 4 };
                // Writing into a text does not fail.
                let _ = write!(quoted, "\\{}{code:0width$X}", if width == 8 { 'U' } else { 'u' });
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A key, bare where it may be.
#[must_use]
pub fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if bare { name.to_owned() } else { toml_text(name) }
}

/// A value on one line. What is null is left out, with its key: TOML has no word for it.
#[must_use]
pub fn toml_value(json: &Json) -> String {
    match json {
        Json::Null => "\"\"".to_owned(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        Json::String(text) => toml_text(text),
        Json::Array(all) => {
            let values: Vec<String> = all.iter().filter(|json| !json.is_null()).map(toml_value).collect();
            format!("[{}]", values.join(", "))
        }
        Json::Object(all) => {
            let pairs: Vec<String> = all
                .iter()
                .filter(|(_, json)| !json.is_null())
                .map(|(key, json)| format!("{} = {}", toml_key(key), toml_value(json)))
                .collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal_text::is_printable;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<String>().prop_map(Json::from),
            "[\\\\\"\r\n\u{1b}\u{7f}\u{202e}\u{e0001}\\]#=]*".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was_and_steers_nothing(value in json(), key in any::<String>()) {
            let line = format!("{} = {}", toml_key(&key), toml_value(&value));
            prop_assert!(is_printable(&line), "{line}");
            let read: serde_json::Map<String, Json> = toml::from_str(&line).unwrap();
            prop_assert_eq!(read, serde_json::Map::from_iter([(key, value)]));
        }
    }
}
