//! The one table from JSON Schema to the types of the catalogue.

use serde_json::{Map, Value as Json};

use super::lack::Lack;
use crate::catalog::{Decimal, Structured};

/// A type of parameter, as an endpoint table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// The word of its `type`.
    pub word: &'static str,
    /// Its other keys.
    pub keys: Vec<(&'static str, Json)>,
}

/// What a schema describes.
pub(super) enum Shape {
    Constant(Json),
    Field(Kind),
    Object(Map<String, Json>),
}

/// What a schema describes: the one table from JSON Schema to the catalogue.
pub(super) fn shape(name: &str, schema: &Map<String, Json>) -> Result<Shape, Lack> {
    if let Some(json) = schema.get("const").filter(|json| !json.is_null()) {
        return Ok(Shape::Constant(json.clone()));
    }
    let values: Option<Vec<&Json>> = schema.get("enum").and_then(Json::as_array).map(|all| {
        // Null says that it may be left out, an empty text that nothing is chosen.
        all.iter().filter(|json| !json.is_null() && **json != "").collect()
    });
    let field = |word, keys| Ok(Shape::Field(Kind { word, keys }));
    let types = types(schema);
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    match (types.as_slice(), values) {
        (_, Some(values)) => match values.as_slice() {
            [only] => Ok(Shape::Constant((*only).clone())),
            values => field("choice", vec![("values", words(name, values)?)]),
        },
        (["string"], None) if is_image(schema) => field("image", Vec::new()),
        (["string"], None) => field("text", Vec::new()),
        (["integer"], None) => field("integer", bounds(schema)),
        (["number"], None) if schema.get("multipleOf").and_then(Json::as_i64) == Some(1) => {
            field("integer", bounds(schema))
        }
        (["number"] | ["integer", "number"] | ["number", "integer"], None) => field("decimal", decimal_bounds(schema)),
        (["integer" | "number", "string"] | ["string", "integer" | "number"], None) => {
            field("integer-or-text", Vec::new())
        }
        (["boolean"], None) => field("boolean", Vec::new()),
        (["object"] | [], None) if schema.get("properties").is_some_and(Json::is_object) => {
            Ok(Shape::Object(schema.clone()))
        }
        (["array"], None) => field("list", Vec::new()),
        (["object"], None) => field("object", Vec::new()),
        _ => Err(Lack::Type(name.to_owned(), kind_word(schema))),
    }
}

/// The types that a schema names, without the null that says that it may be left out.
fn types(schema: &Map<String, Json>) -> Vec<String> {
    let named = match schema.get("type") {
        Some(Json::String(one)) => vec![one.as_str()],
        Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
        Some(_) | None => Vec::new(),
    };
    named.into_iter().filter(|one| *one != "null").map(str::to_owned).collect()
}

pub(super) fn kind_word(schema: &Map<String, Json>) -> String {
    let types = types(schema);
    let (article, rest) = match types.as_slice() {
        [one] if one == "array" => ("an array", ""),
        [one] if one == "object" => ("an object", " without properties"),
        [one] if one == "number" => ("a number", " that need not be whole"),
        [] => ("of no type", ""),
        several => return format!("of the type {}", several.join(" or ")),
    };
    format!("{article}{rest}")
}

/// A picture in base64.
fn is_image(schema: &Map<String, Json>) -> bool {
    let is = |key: &str, what: &[&str]| {
        schema.get(key).and_then(Json::as_str).is_some_and(|text| what.iter().any(|word| text.starts_with(word)))
    };
    let is_base64 = is("contentEncoding", &["base64"]) || is("format", &["byte", "base64"]);
    is("contentMediaType", &["image/"]) && is_base64
}

/// The words of a choice.
fn words(name: &str, values: &[&Json]) -> Result<Json, Lack> {
    let word = |json: &&Json| json.as_str().filter(|word| word.trim() == *word).map(Json::from);
    let words: Option<Vec<Json>> = values.iter().map(word).collect();
    match words {
        Some(words) if !words.is_empty() => Ok(Json::Array(words)),
        Some(_) | None => Err(Lack::Values(name.to_owned())),
    }
}

/// The bounds of a whole number. One that no 64 bits hold binds nobody.
fn bounds(schema: &Map<String, Json>) -> Vec<(&'static str, Json)> {
    let bound = |key: &str, exclusive: &str, step: i64| {
        let at = |key: &str| schema.get(key).and_then(|json| whole(json, step < 0));
        // In OpenAPI 3.0 the second is a word on the first.
        let is_exclusive = schema.get(exclusive) == Some(&Json::Bool(true));
        let inclusive = at(key).and_then(|n| if is_exclusive { n.checked_add(step) } else { Some(n) });
        let beyond = schema.get(exclusive).and_then(|json| whole(json, step > 0)).and_then(|n| n.checked_add(step));
        match (inclusive, beyond) {
            (Some(a), Some(b)) => Some(if step > 0 { a.max(b) } else { a.min(b) }),
            (one, other) => one.or(other),
        }
    };
    let min = bound("minimum", "exclusiveMinimum", 1).map(|n| ("min", Json::from(n)));
    let max = bound("maximum", "exclusiveMaximum", -1).map(|n| ("max", Json::from(n)));
    min.into_iter().chain(max).collect()
}

/// The bounds of a decimal number. One that it may come as near to as it likes is taken for one of them.
fn decimal_bounds(schema: &Map<String, Json>) -> Vec<(&'static str, Json)> {
    let bound =
        |keys: [&str; 2]| keys.into_iter().find_map(|key| schema.get(key).filter(|json| decimal(json).is_some()));
    let min = bound(["minimum", "exclusiveMinimum"]).map(|json| ("min", json.clone()));
    let max = bound(["maximum", "exclusiveMaximum"]).map(|json| ("max", json.clone()));
    min.into_iter().chain(max).collect()
}

/// The number there, exactly as our own reader will have it.
fn decimal(json: &Json) -> Option<Decimal> {
    json.as_number().and_then(|number| Decimal::parse(&number.to_string()))
}

/// Whether TOML can say the list or the object: it has no null.
fn is_structured(json: &Json) -> bool {
    fn has_null(json: &Json) -> bool {
        match json {
            Json::Null => true,
            Json::Array(all) => all.iter().any(has_null),
            Json::Object(all) => all.values().any(has_null),
            Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
        }
    }
    !has_null(json) && Structured::parse(&json.to_string()).is_some()
}

/// The whole number there, or the next one below or above.
#[expect(clippy::cast_possible_truncation, reason = "it lies within the bounds that are asked for")]
fn whole(json: &Json, below: bool) -> Option<i64> {
    const EXACT_MAX: f64 = 9e15;
    let rounded = |n: f64| if below { n.floor() } else { n.ceil() };
    let of_float = || json.as_f64().map(rounded).filter(|n| n.abs() <= EXACT_MAX).map(|n| n as i64);
    json.as_i64().or_else(of_float)
}

impl Kind {
    /// Whether a default is a value of this kind, as our own reader will have it.
    pub fn takes(&self, json: &Json) -> bool {
        let bound = |key: &str| self.keys.iter().find(|(name, _)| *name == key).and_then(|(_, json)| json.as_i64());
        match self.word {
            "text" => json.as_str().is_some_and(|text| !text.trim().is_empty()),
            "integer" => json
                .as_i64()
                .is_some_and(|n| bound("min").is_none_or(|min| n >= min) && bound("max").is_none_or(|max| n <= max)),
            "decimal" => decimal(json).is_some_and(|number| {
                let bound =
                    |key: &str| self.keys.iter().find(|(name, _)| *name == key).and_then(|(_, json)| decimal(json));
                bound("min").is_none_or(|min| number >= min) && bound("max").is_none_or(|max| number <= max)
            }),
            "list" => json.is_array() && is_structured(json),
            "object" => json.is_object() && is_structured(json),
            "boolean" => json.is_boolean(),
            "choice" => self.keys.iter().any(|(_, values)| values.as_array().is_some_and(|all| all.contains(json))),
            "integer-or-text" => json.is_i64() || json.as_str().is_some_and(|text| !text.trim().is_empty()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(schema: Json) -> Result<(&'static str, Json), Lack> {
        match shape("x", schema.as_object().unwrap())? {
            Shape::Field(kind) => {
                Ok((kind.word, kind.keys.iter().map(|(key, json)| ((*key).to_owned(), json.clone())).collect()))
            }
            Shape::Constant(json) => Ok(("constant", json)),
            Shape::Object(_) => Ok(("object", json!({}))),
        }
    }

    #[test]
    fn types_of_json_schema_become_types_of_the_catalogue() {
        for (schema, word, keys) in [
            (json!({ "type": "string", "maxLength": 9 }), "text", json!({})),
            (json!({ "type": ["string", "null"] }), "text", json!({})),
            (json!({ "type": "integer", "minimum": 3, "maximum": 15 }), "integer", json!({ "min": 3, "max": 15 })),
            (json!({ "type": "integer", "exclusiveMinimum": 0, "maximum": 1e300 }), "integer", json!({ "min": 1 })),
            (json!({ "type": "integer", "minimum": 0.5, "maximum": 9, "exclusiveMaximum": true }), "integer", {
                json!({ "min": 1, "max": 8 })
            }),
            (json!({ "type": "number", "multipleOf": 1 }), "integer", json!({})),
            (json!({ "type": ["integer", "string"] }), "integer-or-text", json!({})),
            (json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1.5 }), "decimal", {
                json!({ "min": 0, "max": 1.5 })
            }),
            (json!({ "type": "number", "maximum": 1e300 }), "decimal", json!({})),
            (json!({ "type": "array", "items": { "type": "string" } }), "list", json!({})),
            (json!({ "type": ["object", "null"] }), "object", json!({})),
            (json!({ "type": "boolean" }), "boolean", json!({})),
            (json!({ "type": "string", "const": "a" }), "constant", json!("a")),
            (json!({ "enum": [2, null] }), "constant", json!(2)),
            (json!({ "properties": {} }), "object", json!({})),
            (json!({ "enum": ["a", "b", null, ""] }), "choice", json!({ "values": ["a", "b"] })),
            (json!({ "type": "string", "contentMediaType": "image/png", "contentEncoding": "base64" }), "image", {
                json!({})
            }),
        ] {
            assert_eq!(kind(schema.clone()), Ok((word, keys)), "{schema}");
        }
        for (schema, words) in [
            (json!({ "type": ["array", "string"] }), "`x` is of the type array or string"),
            (json!({ "description": "anything" }), "`x` is of no type"),
            (json!({ "type": "date" }), "`x` is of the type date"),
            (json!({ "enum": [1, 2] }), "`x` has values that are no words"),
        ] {
            assert_eq!(kind(schema.clone()).unwrap_err().to_string(), words, "{schema}");
        }
    }
    #[test]
    fn a_default_is_one_that_our_reader_takes() {
        let takes = |schema: Json, default: Json| match shape("x", schema.as_object().unwrap()).unwrap() {
            Shape::Field(kind) => kind.takes(&default),
            Shape::Constant(_) | Shape::Object(_) => panic!("{schema}"),
        };
        let number = json!({ "type": "number", "minimum": 0.1, "maximum": 2 });
        assert!(takes(number.clone(), json!(0.1)) && takes(number.clone(), json!(2)));
        assert!(!takes(number.clone(), json!(0.05)) && !takes(number, json!("1")));
        let (list, object) = (json!({ "type": "array" }), json!({ "type": "object" }));
        assert!(takes(list.clone(), json!([1, "a"])) && !takes(list.clone(), json!({})) && !takes(list, json!([null])));
        assert!(takes(object.clone(), json!({ "a": [0.5] })) && !takes(object, json!({ "a": { "b": null } })));
    }
}
