//! The body template of an endpoint entry.

use serde_json::{Map, Number, Value as Json};
use toml::de::{DeTable, DeValue};

use super::reader::{Item, Reader};
use crate::catalog::structured::{DEPTH_MAX, is_exact};
use crate::catalog::{Param, Template, accept, placeholder};
use crate::diagnostic::closest;

/// Reads `[endpoint.NAME.body]` against the entry's parameters, each of which needs a place in it. Nothing where anything is wrong.
pub(super) fn template(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, params: &[Param]) -> Option<Template> {
    let Some(table) = item.get_ref().as_table() else {
        reader.expected(at, item, "a table, or \"multipart\" for a part each parameter");
        return None;
    };
    let before = reader.error_count();
    let object = object(reader, (at, DEPTH_MAX), table, params);
    (reader.error_count() == before).then(|| Template::new(object))
}

/// Reads `[endpoint.NAME.parts]` likewise: each key is the name of a part, each value is a constant or stands for a parameter.
pub(super) fn parts(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, params: &[Param]) -> Option<Template> {
    let template = template(reader, at, item, params)?;
    let deep = template.fields().find(|(_, json)| json.is_array() || json.is_object());
    if let Some((name, _)) = deep {
        reader.error(item.span(), format!("{at}.{name}: a part is a text, a number, a truth value or a parameter"));
        return None;
    }
    Some(template)
}

/// Which parameter has no place in the body, in words.
pub(super) fn unplaced(template: &Template, params: &[Param]) -> Option<String> {
    let param = params.iter().find(|param| param.place.is_usual() && !template.places(&param.name))?;
    Some(format!("the parameter `{0}` has no place: write \"{{{0}}}\" where its value belongs", param.name))
}

fn object(
    reader: &mut Reader<'_>,
    (at, depth): (&str, usize),
    table: &DeTable<'_>,
    params: &[Param],
) -> Map<String, Json> {
    let mut object = Map::new();
    for (key, item) in table {
        let key = key.get_ref().as_ref();
        if let Some(json) = value(reader, (&format!("{at}.{key}"), depth), item, params) {
            object.insert(key.to_owned(), json);
        }
    }
    object
}

fn value(reader: &mut Reader<'_>, (at, depth): (&str, usize), item: &Item<'_>, params: &[Param]) -> Option<Json> {
    let Some(depth) = depth.checked_sub(1) else {
        reader.error(item.span(), format!("{at}: deeper than {DEPTH_MAX} levels"));
        return None;
    };
    match item.get_ref() {
        DeValue::String(said) => text(reader, at, item, (said, params)),
        DeValue::Integer(number) => {
            let number = accept::integer(number);
            if number.is_none() {
                reader.expected(at, item, "a number of at most 64 bits");
            }
            number.map(Json::from)
        }
        DeValue::Float(number) => {
            let text = number.as_str().replace('_', "");
            let number = Some(&text).filter(|text| is_exact(text)).and_then(|text| text.parse().ok());
            let number = number.and_then(Number::from_f64);
            if number.is_none() {
                reader.expected(at, item, "a number that JSON has, and of which 64 bits lose no digit");
            }
            number.map(Json::Number)
        }
        DeValue::Boolean(truth) => Some(Json::Bool(*truth)),
        DeValue::Array(all) => {
            let all = all.iter().enumerate();
            Some(all.filter_map(|(n, item)| value(reader, (&format!("{at}.{n}"), depth), item, params)).collect())
        }
        DeValue::Table(table) => Some(Json::Object(object(reader, (at, depth), table, params))),
        DeValue::Datetime(_) => {
            reader.expected(at, item, "what JSON has; a time in quotes is text");
            None
        }
    }
}

fn text(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, (said, params): (&str, &[Param])) -> Option<Json> {
    let name = placeholder(said);
    if let Some(name) = name
        && params.iter().all(|param| param.name != name)
    {
        let meant = closest(name, params.iter().map(|param| param.name.as_str()));
        let help = meant.map(|meant| format!("did you mean \"{{{meant}}}\"?"));
        reader.error_with(item.span(), format!("{at}: the endpoint has no parameter `{name}`"), help);
        return None;
    }
    if let Some(param) = params.iter().find(|param| Some(param.name.as_str()) == name && !param.is_sent()) {
        reader.error(item.span(), format!("{at}: `{}` has a place in it, and `send = false`", param.name));
        return None;
    }
    let within = params.iter().find(|param| name.is_none() && said.contains(&format!("{{{}}}", param.name)));
    if let Some(param) = within {
        let message =
            format!("{at}: `{{{}}}` stands for its parameter only where nothing else stands beside it", param.name);
        reader.error(item.span(), message);
        return None;
    }
    Some(Json::from(said))
}
