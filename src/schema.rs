//! The schemas of `docs/schema/`, by which an editor knows our TOML files: tests hold them against the readers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// The file of a schema.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{name}.json"))
}

/// A schema as it stands in its file.
pub(crate) fn schema(name: &str) -> Json {
    let text = std::fs::read_to_string(file(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What is wrong with that text by that schema; nothing where it is good. It has to be TOML.
pub(crate) fn faults(name: &str, text: &str) -> Vec<String> {
    let document = json(toml::Value::Table(text.parse().unwrap()));
    let schema = jsonschema::validator_for(&schema(name)).unwrap();
    schema.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The keys that a table of it may have, as far as they are named; not those that it forbids.
pub(crate) fn keys(table: &Json) -> BTreeSet<String> {
    let properties = table["properties"].as_object().unwrap();
    properties.iter().filter(|(_, schema)| **schema != Json::Bool(false)).map(|(key, _)| key.clone()).collect()
}

/// The keys that an error names as those that there are.
pub(crate) fn told(words: &str) -> BTreeSet<String> {
    let (_, keys) =
        words.split_once("keys are ").or_else(|| words.split_once("known keys: ")).unwrap_or_else(|| panic!("{words}"));
    keys.split([';', ')']).next().unwrap().split(", ").map(|key| key.trim().to_owned()).collect()
}

/// The TOML that stands indented in that document.
pub(crate) fn examples(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(code), Some(block)) => *block = format!("{block}{code}\n"),
            // An empty line within a block is of it.
            (None, Some(block)) if line.is_empty() && !block.is_empty() => block.push('\n'),
            (None, _) => blocks.push(String::new()),
            (Some(_), None) => {}
        }
    }
    blocks.retain(|block| block.parse::<toml::Table>().is_ok_and(|table| !table.is_empty()));
    blocks
}

fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::Datetime(time) => Json::from(time.to_string()),
        toml::Value::Array(all) => all.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
        toml::Value::String(text) => Json::from(text),
        toml::Value::Integer(number) => Json::from(number),
        toml::Value::Float(number) => Json::from(number),
        toml::Value::Boolean(truth) => Json::from(truth),
    }
}
