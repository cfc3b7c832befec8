//! The body of an endpoint's requests where it is more than its parameters side by side.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// A JSON object in which a text that is exactly `{name}` stands for the parameter of that name, and everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(Map<String, Json>);

/// Takes a body piece by piece.
type Pieces<'a> = &'a mut dyn FnMut(&[u8]);
/// Writes the value of the parameter of that name.
type Values<'a, E> = &'a mut dyn FnMut(&str, Pieces<'_>) -> Result<(), E>;

/// The name of the parameter for which a text stands: `prompt` for `{prompt}`.
#[must_use]
pub fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['{', '}'])).then_some(name)
}

impl Template {
    /// A body of that object.
    #[must_use]
    pub const fn new(object: Map<String, Json>) -> Self {
        Self(object)
    }

    /// Whether the parameter of that name has a place in it.
    #[must_use]
    pub fn places(&self, name: &str) -> bool {
        fn is_in(json: &Json, name: &str) -> bool {
            match json {
                Json::String(text) => placeholder(text) == Some(name),
                Json::Array(all) => all.iter().any(|json| is_in(json, name)),
                Json::Object(all) => all.values().any(|json| is_in(json, name)),
                Json::Null | Json::Bool(_) | Json::Number(_) => false,
            }
        }
        self.0.values().any(|json| is_in(json, name))
    }

    /// Its outermost keys, and what stands there.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, json)| (key.as_str(), json))
    }

    /// Writes the body as compact JSON: `out` takes what stands for itself, `param` writes the value of the parameter of that name. What stands
    /// for a parameter that a job does not give is left out, with its key.
    ///
    /// # Errors
    /// What a parameter's value says that cannot be had.
    pub fn write<E>(&self, is_given: &dyn Fn(&str) -> bool, out: Pieces<'_>, param: Values<'_, E>) -> Result<(), E> {
        write_object(&self.0, is_given, out, param)
    }
}

fn stands(json: &Json, is_given: &dyn Fn(&str) -> bool) -> bool {
    json.as_str().and_then(placeholder).is_none_or(is_given)
}

fn write_object<E>(
    object: &Map<String, Json>,
    is_given: &dyn Fn(&str) -> bool,
    out: Pieces<'_>,
    param: Values<'_, E>,
) -> Result<(), E> {
    out(b"{");
    for (at, (key, json)) in object.iter().filter(|(_, json)| stands(json, is_given)).enumerate() {
        let comma = if at == 0 { "" } else { "," };
        out(format!("{comma}{}:", Json::from(key.as_str())).as_bytes());
        write(json, is_given, out, param)?;
    }
    out(b"}");
    Ok(())
}

fn write<E>(json: &Json, is_given: &dyn Fn(&str) -> bool, out: Pieces<'_>, param: Values<'_, E>) -> Result<(), E> {
    match json {
        Json::String(text) => match placeholder(text) {
            Some(name) => return param(name, out),
            None => out(json.to_string().as_bytes()),
        },
        Json::Array(all) => {
            out(b"[");
            for (at, json) in all.iter().filter(|json| stands(json, is_given)).enumerate() {
                if at > 0 {
                    out(b",");
                }
                write(json, is_given, out, param)?;
            }
            out(b"]");
        }
        Json::Object(object) => return write_object(object, is_given, out, param),
        Json::Null | Json::Bool(_) | Json::Number(_) => out(json.to_string().as_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn a_text_that_is_exactly_a_name_in_braces_stands_for_a_parameter() {
        assert_eq!(placeholder("{prompt}"), Some("prompt"));
        for text in ["prompt", "{}", "a {prompt}", "{prompt} ", "{a}{b}", "{{a}}"] {
            assert_eq!(placeholder(text), None, "{text}");
        }
        let json = serde_json::json!({
            "input": { "prompt": "{prompt}", "seed": "{seed}" },
            "messages": [{ "role": "user", "content": "{prompt}" }, "{seed}", 0.5, null, "say \"{hi}\""],
            "stream": false,
        });
        let Json::Object(object) = json else { panic!() };
        let template = Template::new(object);
        assert!(template.places("prompt") && template.places("seed") && !template.places("hi"));
        let body = |given: &[&str]| {
            let mut body = Vec::new();
            let mut param = |name: &str, out: &mut dyn FnMut(&[u8])| {
                out(format!("<{name}>").as_bytes());
                Ok::<_, Infallible>(())
            };
            template
                .write(&|name| given.contains(&name), &mut |bytes| body.extend_from_slice(bytes), &mut param)
                .unwrap();
            String::from_utf8(body).unwrap()
        };
        let rest = r#"0.5,null,"say \"{hi}\""],"stream":false}"#;
        let whole =
            r#"{"input":{"prompt":<prompt>,"seed":<seed>},"messages":[{"role":"user","content":<prompt>},<seed>,"#;
        assert_eq!(body(&["prompt", "seed"]), format!("{whole}{rest}"));
        let part = r#"{"input":{"prompt":<prompt>},"messages":[{"role":"user","content":<prompt>},"#;
        assert_eq!(body(&["prompt"]), format!("{part}{rest}"));
    }
}
