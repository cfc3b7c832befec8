//! The parameters of an endpoint entry.

use strum::VariantNames;
use toml::de::{DeTable, DeValue};

use super::reader::{Item, Reader};
use crate::catalog::{Decimal, FileForm, Param, ParamKind, Place, accept};
use crate::diagnostic::closest;
use crate::media;
use crate::terminal_text::is_printable;

const TYPES: [&str; 10] =
    ["text", "integer", "decimal", "boolean", "choice", "integer-or-text", "list", "object", "image", "file"];
/// Longest name of a parameter, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Reads `[endpoint.NAME.params]`. What is wrong is noted; a parameter whose type is known is given all the same, so that
/// the price rule can be read in the same pass. False where one had to be left out.
pub(super) fn params(reader: &mut Reader<'_>, at: &str, table: &DeTable<'_>) -> (Vec<Param>, bool) {
    let mut params = Vec::with_capacity(table.len());
    for (key, item) in table {
        let name = key.get_ref().as_ref();
        let at = format!("{at}.{name}");
        if !is_name(name) {
            reader.error(key.span(), format!("{at}: expected a name of at most {NAME_CHARS_MAX} printable characters"));
        }
        params.extend(param(reader, &at, name, item));
    }
    let whole = params.len() == table.len();
    (params, whole)
}

fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=NAME_CHARS_MAX).contains(&length) && name.trim() == name && is_printable(name)
}

fn param(reader: &mut Reader<'_>, at: &str, name: &str, item: &Item<'_>) -> Option<Param> {
    let table = reader.table(at, item)?;
    let Some(kind_item) = table.get("type") else {
        let help = Some(format!("types: {}", TYPES.join(", ")));
        reader.error_with(item.span(), format!("{at}: `type` is missing"), help);
        return None;
    };
    let kind = kind(reader, at, kind_item, table)?;
    let own: &[&str] = match &kind {
        ParamKind::Integer { .. } | ParamKind::Decimal { .. } => &["type", "required", "send", "default", "min", "max"],
        ParamKind::Choice { .. } => &["type", "required", "send", "default", "values"],
        ParamKind::Text | ParamKind::Boolean | ParamKind::IntegerOrText | ParamKind::List | ParamKind::Object => {
            &["type", "required", "send", "default"]
        }
        ParamKind::Image => &["type", "required"],
        ParamKind::File { .. } => &["type", "required", "types", "as"],
    };
    for (key, _) in table {
        if !own.contains(&key.get_ref().as_ref()) {
            reader.unknown_key(at, key, own);
        }
    }
    let required = table.get("required").and_then(|item| reader.boolean(&format!("{at}.required"), item));
    let send = table.get("send").and_then(|item| reader.boolean(&format!("{at}.send"), item));
    let place = if send == Some(false) { Place::Unsent } else { Place::Usual };
    let mut param = Param { name: name.to_owned(), kind, required: required.unwrap_or(false), default: None, place };
    if let (Some(item), false) = (table.get("default"), param.kind.is_file()) {
        match param.from_toml(item.get_ref()) {
            Ok(value) => param.default = Some(value),
            Err(mismatch) => reader.expected(&format!("{at}.default"), item, &mismatch.expected),
        }
        if param.required {
            reader.error(item.span(), format!("{at}: a required parameter has no default; leave one of the two out"));
        }
    }
    Some(param)
}

fn kind(reader: &mut Reader<'_>, at: &str, item: &Item<'_>, table: &DeTable<'_>) -> Option<ParamKind> {
    match item.get_ref().as_str() {
        Some("text") => Some(ParamKind::Text),
        Some("boolean") => Some(ParamKind::Boolean),
        Some("integer-or-text") => Some(ParamKind::IntegerOrText),
        Some("list") => Some(ParamKind::List),
        Some("object") => Some(ParamKind::Object),
        Some("image") => Some(ParamKind::Image),
        Some("decimal") => decimal(reader, at, item, table),
        Some("file") => file(reader, at, table),
        Some("integer") => integer(reader, at, item, table),
        Some("choice") => choice(reader, at, item, table),
        Some(other) => {
            let meant = closest(other, TYPES);
            let help = meant.map_or_else(|| format!("types: {}", TYPES.join(", ")), |t| format!("did you mean {t:?}?"));
            reader.error_with(item.span(), format!("{at}.type: unknown type {other:?}"), Some(help));
            None
        }
        None => {
            reader.expected(&format!("{at}.type"), item, &format!("one of {}", TYPES.join(", ")));
            None
        }
    }
}

fn integer(reader: &mut Reader<'_>, at: &str, kind: &Item<'_>, table: &DeTable<'_>) -> Option<ParamKind> {
    let mut bound = |key: &str, otherwise: i64| match table.get(key) {
        Some(item) => reader.integer(&format!("{at}.{key}"), item, i64::MIN..=i64::MAX),
        None => Some(otherwise),
    };
    let (min, max) = (bound("min", i64::MIN), bound("max", i64::MAX));
    let (min, max) = (min?, max?);
    if min > max {
        reader.error(kind.span(), format!("{at}: min {min} is above max {max}"));
        return None;
    }
    Some(ParamKind::Integer { min, max })
}

/// `{ type = "file", types = ["audio/*"], as = "base64" }`
fn file(reader: &mut Reader<'_>, at: &str, table: &DeTable<'_>) -> Option<ParamKind> {
    let mut types = Vec::new();
    if let Some(item) = table.get("types") {
        let at = format!("{at}.types");
        for (text, span) in reader.texts(&at, item)? {
            let family = text.strip_suffix("/*");
            let is_known = family.map_or_else(|| media::known_type(&text).is_some(), media::is_family);
            if !is_known {
                let meant = closest(&text, media::types());
                let help = meant.map(|meant| format!("did you mean {meant:?}?"));
                reader.error_with(span, format!("{at}: no media type that is known here: {text:?}"), help);
            }
            types.push(text);
        }
    }
    let form = match table.get("as") {
        None => FileForm::default(),
        Some(item) => {
            let form: Option<FileForm> = item.get_ref().as_str().and_then(|word| word.parse().ok());
            if form.is_none() {
                let words: Vec<String> = FileForm::VARIANTS.iter().map(|word| format!("{word:?}")).collect();
                reader.expected(&format!("{at}.as"), item, &words.join(" or "));
            }
            form?
        }
    };
    Some(ParamKind::File { types, form })
}

fn decimal(reader: &mut Reader<'_>, at: &str, kind: &Item<'_>, table: &DeTable<'_>) -> Option<ParamKind> {
    let mut bound = |key: &str| {
        let Some(item) = table.get(key) else { return Some(None) };
        let number = match item.get_ref() {
            DeValue::Integer(number) => accept::integer(number).and_then(Decimal::whole),
            DeValue::Float(number) => Decimal::parse(&number.as_str().replace('_', "")),
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                None
            }
        };
        if number.is_none() {
            reader.expected(&format!("{at}.{key}"), item, "a decimal number");
        }
        number.map(Some)
    };
    let (min, max) = (bound("min"), bound("max"));
    let (min, max) = (min?, max?);
    if let Some((min, max)) = min.zip(max).filter(|(min, max)| min > max) {
        reader.error(kind.span(), format!("{at}: min {min} is above max {max}"));
        return None;
    }
    Some(ParamKind::Decimal { min, max })
}

fn choice(reader: &mut Reader<'_>, at: &str, kind: &Item<'_>, table: &DeTable<'_>) -> Option<ParamKind> {
    let Some(item) = table.get("values") else {
        reader.error(kind.span(), format!("{at}: a choice needs `values`, the list of its words"));
        return None;
    };
    let at = format!("{at}.values");
    let texts = reader.texts(&at, item)?;
    if texts.is_empty() {
        reader.error(item.span(), format!("{at}: expected at least one word"));
        return None;
    }
    let mut values: Vec<String> = Vec::with_capacity(texts.len());
    for (text, span) in texts {
        if values.contains(&text) {
            reader.error(span, format!("{at}: {text:?} stands twice"));
        }
        values.push(text);
    }
    Some(ParamKind::Choice { values })
}
