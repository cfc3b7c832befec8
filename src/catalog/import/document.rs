//! A document of JSON whose schemas refer to one another: looked up within it, merged, and never without end.

use std::cell::Cell;

use serde_json::{Map, Value as Json};

use super::lack::Lack;

/// So many schemas stand within one another.
const DEPTH_MAX: usize = 24;
/// So much is taken from the whole document, in bytes or so: few schemas can refer to each other so that there is no end.
const WEIGHT_MAX: usize = 64 << 20;
/// What looking at a schema counts for, beside what is taken from it.
const SCHEMA_WEIGHT: usize = 256;
/// Keys that explain, and bind nothing: of two, the later one counts.
const EXPLAINING: [&str; 9] =
    ["title", "description", "default", "example", "examples", "deprecated", "$comment", "readOnly", "writeOnly"];

/// A document while it is read.
pub(super) struct Document<'d> {
    pub root: &'d Json,
    weight: Cell<usize>,
}

impl<'d> Document<'d> {
    pub fn new(root: &'d Json) -> Self {
        Self { root, weight: Cell::new(0) }
    }

    /// What stands there, or what it refers to within the document.
    pub fn resolved(&self, json: &'d Json) -> Result<&'d Json, Lack> {
        let mut json = json;
        for _ in 0..DEPTH_MAX {
            self.count(0)?;
            match json.get("$ref").and_then(Json::as_str) {
                Some(reference) => json = self.target(reference)?,
                None => return Ok(json),
            }
        }
        Err(Lack::Endless)
    }

    /// A schema with all that it refers to, and all that has to hold at once, side by side. `name`: what it is the schema of.
    pub fn flat(&self, name: &str, schema: &Json) -> Result<Map<String, Json>, Lack> {
        self.flat_at(name, schema, 0)
    }

    fn flat_at(&self, name: &str, schema: &Json, depth: usize) -> Result<Map<String, Json>, Lack> {
        self.count(0)?;
        if depth > DEPTH_MAX {
            return Err(Lack::Endless);
        }
        let mut flat = Map::new();
        let Json::Object(schema) = schema else { return Ok(flat) };
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            flat = self.flat_at(name, self.target(reference)?, depth + 1)?;
        }
        for part in schema.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            merge(name, &mut flat, self.flat_at(name, part, depth + 1)?)?;
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(all) = schema.get(word).and_then(Json::as_array) {
                merge(name, &mut flat, self.only(name, word, all, depth)?)?;
            }
        }
        let mut own = Map::new();
        for (key, json) in schema.iter().filter(|(key, _)| !["$ref", "allOf", "oneOf", "anyOf"].contains(&key.as_str()))
        {
            self.count(weight(json))?;
            own.insert(key.clone(), json.clone());
        }
        merge(name, &mut flat, own)?;
        Ok(flat)
    }

    /// The one of several schemas that is not for null; or where all are nothing but types, these.
    fn only(&self, name: &str, word: &'static str, all: &[Json], depth: usize) -> Result<Map<String, Json>, Lack> {
        let mut left = Vec::new();
        for schema in all {
            let schema = self.flat_at(name, schema, depth + 1)?;
            if schema.get("type").and_then(Json::as_str) != Some("null") {
                left.push(schema);
            }
        }
        let is_type = |schema: &Map<String, Json>| {
            schema.get("type").is_some_and(Json::is_string)
                && schema.keys().all(|key| key == "type" || EXPLAINING.contains(&key.as_str()))
        };
        if left.len() > 1 && left.iter().all(is_type) {
            let types: Json = left.iter().filter_map(|schema| schema.get("type").cloned()).collect();
            return Ok(Map::from_iter([("type".to_owned(), types)]));
        }
        let first = left.pop().filter(|_| left.is_empty());
        first.ok_or_else(|| Lack::Alternatives(name.to_owned(), word))
    }

    fn target(&self, reference: &str) -> Result<&'d Json, Lack> {
        let pointer = reference.strip_prefix('#');
        // A pointer in an address is percent-encoded (RFC 6901, 6).
        let decoded = pointer.map(|pointer| pointer.replace("%7B", "{").replace("%7D", "}").replace("%20", " "));
        let target = decoded.and_then(|pointer| self.root.pointer(&pointer));
        target.ok_or_else(|| Lack::Reference(reference.to_owned()))
    }

    fn count(&self, weight: usize) -> Result<(), Lack> {
        self.weight.set(self.weight.get().saturating_add(weight).saturating_add(SCHEMA_WEIGHT));
        if self.weight.get() > WEIGHT_MAX { Err(Lack::Endless) } else { Ok(()) }
    }
}

/// About how many bytes a copy of it takes.
fn weight(json: &Json) -> usize {
    let inner: usize = match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        Json::String(text) => text.len(),
        Json::Array(all) => all.iter().map(weight).sum(),
        Json::Object(all) => all.iter().map(|(key, json)| key.len().saturating_add(weight(json))).sum(),
    };
    inner.saturating_add(32)
}

/// Two schemas that hold at once. What both say has to be the same, but for properties and what is required, which add up.
fn merge(name: &str, flat: &mut Map<String, Json>, with: Map<String, Json>) -> Result<(), Lack> {
    for (key, json) in with {
        match (flat.get_mut(&key), json) {
            (None, json) => {
                flat.insert(key, json);
            }
            (Some(Json::Object(known)), Json::Object(more)) if key == "properties" => {
                for (property, schema) in more {
                    match known.get_mut(&property) {
                        Some(before) => both(before, schema),
                        None => drop(known.insert(property, schema)),
                    }
                }
            }
            (Some(Json::Array(known)), Json::Array(more)) if key == "required" => known.extend(more),
            (Some(known), json) if EXPLAINING.contains(&key.as_str()) || key.starts_with("x-") => *known = json,
            (Some(known), json) if *known == json => {}
            (Some(_), _) => return Err(Lack::Contradiction(name.to_owned(), key)),
        }
    }
    Ok(())
}

/// A property of which two schemas hold: they stay side by side, however many follow.
fn both(before: &mut Json, schema: Json) {
    match before.as_object_mut() {
        Some(only) if only.len() == 1 && only.contains_key("allOf") => {
            only.values_mut().filter_map(Json::as_array_mut).for_each(|all| all.push(schema.clone()));
        }
        Some(_) | None => *before = serde_json::json!({ "allOf": [before.take(), schema] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_followed_and_what_holds_at_once_is_merged() {
        let root = json!({ "schemas": {
            "Base": { "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
            "of/all": { "$ref": "#/schemas/Base" },
        } });
        let document = Document::new(&root);
        let schema = json!({
            "allOf": [{ "$ref": "#/schemas/of~1all" }, { "properties": { "b": { "type": "integer" } }, "required": ["b"] }],
            "description": "both",
        });
        let flat = document.flat("body", &schema).unwrap();
        assert_eq!(flat["required"], json!(["a", "b"]));
        assert_eq!(flat["properties"]["b"]["type"], "integer");
        assert_eq!((flat["type"].as_str(), flat["description"].as_str()), (Some("object"), Some("both")));
        let nullable = json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }], "default": 3 });
        assert_eq!(json!(document.flat("n", &nullable).unwrap()), json!({ "type": "integer", "default": 3 }));
        let types = json!({ "oneOf": [{ "type": "integer" }, { "type": "string", "description": "a name" }] });
        assert_eq!(document.flat("n", &types).unwrap()["type"], json!(["integer", "string"]));
    }

    #[test]
    fn what_is_one_of_several_or_contradicts_itself_or_has_no_end_is_said() {
        let mut root = json!({ "circle": { "allOf": [{ "$ref": "#/circle" }] }, "to": { "$ref": "#/to" }, "0": {} });
        // Each refers twice to the one before: as many schemas as there are grains on a chess board.
        for n in 1..64 {
            let half = json!({ "$ref": format!("#/{}", n - 1) });
            root[n.to_string()] = json!({ "allOf": [half.clone(), half] });
        }
        let document = Document::new(&root);
        let lack = |schema: Json| document.flat("x", &schema).unwrap_err();
        assert_eq!(lack(json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }] })), {
            Lack::Alternatives("x".to_owned(), "oneOf")
        });
        let two = json!({ "allOf": [{ "type": "integer" }, { "type": "string" }] });
        assert_eq!(lack(two), Lack::Contradiction("x".to_owned(), "type".to_owned()));
        assert_eq!(lack(json!({ "$ref": "#/nowhere" })), Lack::Reference("#/nowhere".to_owned()));
        assert_eq!(lack(json!({ "$ref": "https://a.example/s.json" })), {
            Lack::Reference("https://a.example/s.json".to_owned())
        });
        assert_eq!(lack(json!({ "$ref": "#/circle" })), Lack::Endless);
        assert_eq!(document.resolved(&root["to"]), Err(Lack::Endless));
        assert_eq!(lack(json!({ "$ref": "#/20" })), Lack::Endless);
        let again = json!({ "properties": { "a": { "type": "string" } } });
        let many = json!({ "allOf": vec![again; 50_000] });
        let flat = Document::new(&root).flat("x", &many).unwrap();
        assert_eq!(Document::new(&root).flat("a", &flat["properties"]["a"]).unwrap()["type"], "string");
    }
}
