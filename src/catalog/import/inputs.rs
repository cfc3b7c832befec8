//! What a request holds, from JSON Schema to the parameters and the body of an endpoint table.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::document::Document;
use super::lack::Lack;
use super::shape::{Kind, Shape, kind_word, shape};
use crate::terminal_text::is_printable;

/// More than anybody fills in.
const PARAMETERS_MAX: usize = 200;
/// So deep objects stand within one another in a body.
const NESTED_MAX: usize = 16;
/// Longest name of a parameter, in characters.
const NAME_CHARS_MAX: usize = 64;

/// What a request holds.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// In the order in which the document has them.
    pub fields: Vec<Field>,
    /// What stands in every request: where, and what.
    pub constants: Vec<(Vec<String>, Json)>,
    /// What may be left out and cannot be expressed.
    pub dropped: Vec<Lack>,
}

/// A parameter.
#[derive(Debug)]
pub(super) struct Field {
    /// The keys that lead to it in the body.
    pub path: Vec<String>,
    /// What the catalogue calls it.
    pub name: String,
    pub kind: Kind,
    pub required: bool,
    pub default: Option<Json>,
    /// The document's words on it.
    pub about: String,
    /// It has a place in the address, and none in the body.
    pub in_path: bool,
}

impl Inputs {
    /// Adds what a body's schema describes.
    pub fn add_body(&mut self, document: &Document<'_>, schema: &Json) -> Result<(), Lack> {
        let schema = document.flat("body", schema)?;
        if schema.is_empty() {
            return Ok(());
        }
        match shape("body", &schema)? {
            Shape::Object(object) => self.add_object(document, &object, &mut Vec::new(), true)?,
            Shape::Constant(_) | Shape::Field(_) => {
                return Err(Lack::Type("body".to_owned(), kind_word(&schema)));
            }
        }
        self.name()
    }

    /// Gives the parameters of which a path names the place, `{name}`, that place: they have a value always.
    pub fn place_in(&mut self, path: &str) {
        for field in &mut self.fields {
            field.in_path = field.path.len() == 1 && path.contains(&format!("{{{}}}", field.name));
            field.required |= field.in_path && field.default.is_none();
        }
    }

    /// Adds what a query's schema describes: no object stands within it, and of a list nobody says how it is written there.
    pub fn add_query(&mut self, document: &Document<'_>, schema: &Json) -> Result<(), Lack> {
        self.add_body(document, schema)?;
        for field in self.fields.extract_if(.., |field| ["list", "object"].contains(&field.kind.word)) {
            let kind = if field.kind.word == "list" { "an array" } else { "an object" };
            let lack = Lack::Type(field.name, kind.to_owned());
            if field.required {
                return Err(lack);
            }
            self.dropped.push(lack);
        }
        let nested = self.fields.iter().map(|field| &field.path).chain(self.constants.iter().map(|(path, _)| path));
        match nested.into_iter().find(|path| path.len() > 1) {
            Some(path) => Err(Lack::Type(path.first().cloned().unwrap_or_default(), "an object".to_owned())),
            None => Ok(()),
        }
    }

    /// Adds one parameter of a query.
    pub fn add_field(
        &mut self,
        document: &Document<'_>,
        name: &str,
        schema: &Json,
        required: bool,
    ) -> Result<(), Lack> {
        let schema = serde_json::json!({ "type": "object", "properties": { name: schema }, "required": if required { vec![name] } else { vec![] } });
        self.add_query(document, &schema)
    }

    fn add_object(
        &mut self,
        document: &Document<'_>,
        object: &Map<String, Json>,
        path: &mut Vec<String>,
        required: bool,
    ) -> Result<(), Lack> {
        if path.len() > NESTED_MAX {
            return Err(Lack::Endless);
        }
        let needed: Vec<&str> =
            object.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
        let empty = Map::new();
        let properties = object.get("properties").and_then(Json::as_object).unwrap_or(&empty);
        if let Some(missing) = needed.iter().find(|name| required && !properties.contains_key(**name)) {
            return Err(Lack::Undescribed((*missing).to_owned()));
        }
        for (name, schema) in properties {
            path.push(name.clone());
            let added = self.add(document, path, schema, required && needed.contains(&name.as_str()));
            path.pop();
            added?;
        }
        Ok(())
    }

    /// Adds what stands at a path. What may be left out and cannot be expressed is noted.
    fn add(
        &mut self,
        document: &Document<'_>,
        path: &mut Vec<String>,
        schema: &Json,
        required: bool,
    ) -> Result<(), Lack> {
        let name = path.join(".");
        let found = document.flat(&name, schema).and_then(|schema| match shape(&name, &schema)? {
            _ if !path.iter().all(|key| is_name(key)) => Err(Lack::Name(name.clone())),
            shape => Ok((schema, shape)),
        });
        let (schema, shape) = match found {
            Ok((schema, _)) if schema.get("readOnly") == Some(&Json::Bool(true)) => return Ok(()),
            Ok(found) => found,
            Err(lack) if required => return Err(lack),
            Err(lack) => {
                self.dropped.push(lack);
                return Ok(());
            }
        };
        match shape {
            Shape::Constant(json) if required => self.constants.push((path.clone(), json)),
            Shape::Constant(_) => {}
            Shape::Object(object) => return self.add_object(document, &object, path, required),
            Shape::Field(kind) => {
                if self.fields.len() >= PARAMETERS_MAX {
                    return Err(Lack::Parameters(PARAMETERS_MAX));
                }
                let default = schema.get("default").filter(|json| !json.is_null() && *json != "");
                let taken = default.filter(|json| kind.takes(json)).cloned();
                if default.is_some() && taken.is_none() {
                    self.dropped.push(Lack::Default(name));
                }
                let words = |key| schema.get(key).and_then(Json::as_str);
                let about = words("description").or(words("title")).unwrap_or_default().to_owned();
                // A default is sent: nothing has to be given.
                let required = required && taken.is_none();
                self.fields.push(Field {
                    path: path.clone(),
                    name: String::new(),
                    kind,
                    required,
                    default: taken,
                    about,
                    in_path: false,
                });
            }
        }
        Ok(())
    }

    /// Names each parameter by its last key, or by all of them where several have the same.
    fn name(&mut self) -> Result<(), Lack> {
        let mut last: HashMap<String, usize> = HashMap::new();
        for field in &self.fields {
            *last.entry(field.path.last().cloned().unwrap_or_default()).or_default() += 1;
        }
        let mut taken: Vec<String> = Vec::new();
        for field in &mut self.fields {
            let own = field.path.last().cloned().unwrap_or_default();
            let name = if last.get(&own) == Some(&1) { own } else { field.path.join("_") };
            if taken.contains(&name) || !is_name(&name) {
                return Err(Lack::Name(name));
            }
            taken.push(name.clone());
            field.name = name;
        }
        Ok(())
    }

    /// Whether the body is more than its parameters side by side.
    pub fn has_template(&self) -> bool {
        !self.constants.is_empty() || self.in_body().any(|field| field.path.len() > 1)
    }

    fn in_body(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.in_path)
    }

    /// The body, with each parameter in its place.
    pub fn template(&self) -> Json {
        let mut body = Map::new();
        for field in self.in_body() {
            put(&mut body, &field.path, Json::from(format!("{{{}}}", field.name)));
        }
        for (path, json) in &self.constants {
            put(&mut body, path, json.clone());
        }
        Json::Object(body)
    }
}

fn put(object: &mut Map<String, Json>, path: &[String], json: Json) {
    let Some((key, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        object.insert(key.clone(), json);
        return;
    }
    let inner = object.entry(key.clone()).or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(inner) = inner {
        put(inner, rest, json);
    }
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    let is_plain = name.trim() == name && is_printable(name) && !name.contains(['{', '}']);
    (1..=NAME_CHARS_MAX).contains(&length) && is_plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(schema: Json) -> Result<Inputs, Lack> {
        let root = json!(null);
        let mut inputs = Inputs::default();
        inputs.add_body(&Document::new(&root), &schema).map(|()| inputs)
    }

    #[test]
    fn nested_bodies_become_templates() {
        let inputs = body(json!({ "type": "object", "required": ["input", "action", "version"], "properties": {
            "action": { "const": "draw" },
            "version": { "type": "integer", "enum": [2] },
            "beta": { "const": true },
            "input": { "type": "object", "required": ["prompt"], "properties": {
                "prompt": { "type": "string", "description": "what to draw" },
                "size": { "type": "integer", "default": 512 },
            } },
            "options": { "type": "object", "required": ["seed"], "properties": {
                "seed": { "type": "integer" }, "size": { "type": "boolean" }, "tags": { "type": ["array", "string"] },
            } },
            "id": { "type": "string", "readOnly": true },
        } }))
        .unwrap();
        assert_eq!(
            inputs.template(),
            json!({
                "input": { "prompt": "{prompt}", "size": "{input_size}" },
                "options": { "seed": "{seed}", "size": "{options_size}" },
                "action": "draw",
                "version": 2,
            })
        );
        let required: Vec<&str> = inputs.fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect();
        assert_eq!(required, ["prompt"], "what stands in an object that may be left out may be left out");
        assert_eq!(inputs.dropped, [Lack::Type("options.tags".to_owned(), "of the type array or string".to_owned())]);
        assert!(inputs.has_template());
        let flat = body(json!({ "properties": { "prompt": { "type": "string" } }, "required": ["prompt"] })).unwrap();
        assert!(!flat.has_template());
    }

    #[test]
    fn what_is_required_and_cannot_be_expressed_leaves_the_endpoint_out() {
        for (schema, words) in [
            (
                json!({ "properties": { "tags": { "type": "date" } }, "required": ["tags"] }),
                "`tags` is of the type date",
            ),
            (json!({ "properties": {}, "required": ["x"] }), "`x` is required and not described"),
            (json!({ "type": "array", "items": {} }), "`body` is an array"),
            (json!({ "properties": { "a\u{1b}b": { "type": "string" } }, "required": ["a\u{1b}b"] }), {
                "a parameter is called \"a\\u{1b}b\""
            }),
        ] {
            assert_eq!(body(schema.clone()).unwrap_err().to_string(), words, "{schema}");
        }
        let wrong = json!({ "properties": { "n": { "type": "integer", "maximum": 3, "default": 4 } } });
        assert_eq!(body(wrong).unwrap().dropped, [Lack::Default("n".to_owned())]);
        let names: serde_json::Map<String, Json> =
            (0..=PARAMETERS_MAX).map(|n| (format!("p{n}"), json!({ "type": "string" }))).collect();
        assert_eq!(body(json!({ "properties": names })).unwrap_err(), Lack::Parameters(PARAMETERS_MAX));
    }
}
