//! Lists and objects as values: JSON in one form, so that neither white space nor the order of keys makes another job of it.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value as Json};
use toml::de::DeValue;

/// Deeper than any service's bodies are.
pub(super) const DEPTH_MAX: usize = 32;
/// A longer value is no cell of a table, in bytes.
const BYTES_MAX: usize = 256 * 1024;

/// A JSON list or object: compact, with the keys of each object in byte order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Structured(String);

impl Structured {
    /// The list or object of that JSON text. Nothing where it is neither, is longer or deeper than is kept, names a key twice, or holds a number
    /// of which 64 bits would lose a digit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let Unique(json) = Some(text).filter(|text| text.len() <= BYTES_MAX).map(serde_json::from_str)?.ok()?;
        if numbers(text).all(is_exact) { Self::of(json) } else { None }
    }

    /// The list or object of that TOML value; nothing where JSON has it not, or as for [`Self::parse`].
    pub(super) fn of_toml(value: &DeValue<'_>) -> Option<Self> {
        Self::of(json_of(value, DEPTH_MAX)?)
    }

    fn of(mut json: Json) -> Option<Self> {
        let is_one = json.is_array() || json.is_object();
        if !is_one || !is_within(&json, DEPTH_MAX) {
            return None;
        }
        json.sort_all_objects();
        let text = json.to_string();
        (text.len() <= BYTES_MAX).then_some(Self(text))
    }

    /// The JSON, as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a list, and no object.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.0.starts_with('[')
    }

    /// The JSON as a value.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.0).unwrap_or(Json::Null)
    }
}

impl fmt::Display for Structured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_within(json: &Json, depth: usize) -> bool {
    let Some(below) = depth.checked_sub(1) else { return false };
    match json {
        Json::Array(all) => all.iter().all(|json| is_within(json, below)),
        Json::Object(all) => all.values().all(|json| is_within(json, below)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

/// What JSON has of a TOML value.
fn json_of(value: &DeValue<'_>, depth: usize) -> Option<Json> {
    let below = depth.checked_sub(1)?;
    Some(match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(number) => Json::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Float(number) => {
            let text = number.as_str().replace('_', "");
            Some(&text).filter(|text| is_exact(text))?.parse().ok().and_then(fraction)?
        }
        DeValue::Boolean(truth) => Json::Bool(*truth),
        DeValue::Array(all) => all.iter().map(|item| json_of(item.get_ref(), below)).collect::<Option<_>>()?,
        DeValue::Table(all) => {
            let pair = |(key, item): (&toml::Spanned<toml::de::DeString<'_>>, &toml::Spanned<DeValue<'_>>)| {
                Some((key.get_ref().to_string(), json_of(item.get_ref(), below)?))
            };
            Json::Object(all.iter().map(pair).collect::<Option<_>>()?)
        }
        DeValue::Datetime(_) => return None,
    })
}

/// The numbers in a JSON text, as they are written.
fn numbers(json: &str) -> impl Iterator<Item = &str> {
    let (mut is_text, mut is_escaped) = (false, false);
    let outside = move |c: char| {
        let was_text = is_text;
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_text,
            '"' => is_text = !is_text,
            _ => {}
        }
        was_text || !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'))
    };
    json.split(outside).filter(|piece| piece.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
}

/// Whether 64 bits hold the number that is written so, to its last digit.
pub(super) fn is_exact(number: &str) -> bool {
    let is_whole = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    let held = || number.parse::<f64>().ok().filter(|float| float.is_finite()).map(|float| format!("{float:e}"));
    is_whole || significant(number).is_some_and(|written| held().and_then(|held| significant(&held)) == Some(written))
}

/// The digits that count of a number as it is written, and the power of ten of the last of them.
fn significant(number: &str) -> Option<(bool, String, i64)> {
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let counting = digits.trim_start_matches('0').trim_end_matches('0');
    if counting.is_empty() {
        return Some((false, String::new(), 0));
    }
    let zeros = digits.len().checked_sub(digits.trim_end_matches('0').len())?;
    let power = power.parse::<i64>().ok()?.checked_sub(fraction.len().try_into().ok()?)?;
    Some((is_negative, counting.to_owned(), power.checked_add(zeros.try_into().ok()?)?))
}

/// A fraction as JSON; below zero there is no zero, which one of two formats would tell from the other.
fn fraction(number: f64) -> Option<Json> {
    if number == 0.0 && number.is_sign_negative() {
        return Some(Json::from(0));
    }
    Number::from_f64(number).map(Json::Number)
}

/// JSON in which no object names a key twice: which of the two counts, readers disagree.
struct Unique(Json);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(fraction(number).unwrap_or(Json::Null))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut all = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Json::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Json, A::Error> {
        let mut all = Map::new();
        while let Some((key, Unique(item))) = pairs.next_entry::<String, Unique>()? {
            if all.insert(key, item).is_some() {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Json::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Structured::parse(text).map(|value| value.to_string())
    }

    #[test]
    fn neither_white_space_nor_the_order_of_keys_counts() {
        for (text, canonical) in [
            (" [ 1 , \"a b\" ]\n", r#"[1,"a b"]"#),
            (r#"{"b": {"d": null, "c": [true]}, "a": "\u00e9\/"}"#, r#"{"a":"é/","b":{"c":[true],"d":null}}"#),
            ("{}", "{}"),
            ("[0.1, -3, 1.50, 18446744073709551615]", "[0.1,-3,1.5,18446744073709551615]"),
            (r#"["1e400 \" 0.1000000000000000055"]"#, r#"["1e400 \" 0.1000000000000000055"]"#),
        ] {
            assert_eq!(read(text).as_deref(), Some(canonical), "{text}");
        }
        let toml = DeValue::parse("{ b = { d = 1, c = [true] }, a = 'é' , n = 1_0.5 }").unwrap();
        let of_toml = Structured::of_toml(toml.get_ref()).unwrap();
        assert_eq!(of_toml.as_str(), r#"{"a":"é","b":{"c":[true],"d":1},"n":10.5}"#);
    }

    #[test]
    fn a_number_is_the_same_in_either_format_to_its_last_digit() {
        for (text, canonical) in [
            ("[0.10101787042252375]", "[0.10101787042252375]"),
            ("[-0]", "[0]"),
            ("[-0.0, 0.0]", "[0,0.0]"),
            ("[1e300, -2.5E-30]", "[1e+300,-2.5e-30]"),
        ] {
            assert_eq!(read(text).as_deref(), Some(canonical), "{text}");
            let toml = DeValue::parse(text).unwrap();
            assert_eq!(Structured::of_toml(toml.get_ref()).unwrap().as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn what_would_be_changed_is_refused() {
        for text in [
            "",
            "1",
            "\"a\"",
            "null",
            "[1",
            "[1] 2",
            r#"{"a": 1, "a": 2}"#,
            r#"[{"a": {"b": 1, "b": 1}}]"#,
            "[1e400]",
            "[18446744073709551616]",
            "[0.1000000000000000055]",
            "{a: 1}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        for value in ["[2026-01-31]", "[nan]", "{ a = inf }", "[0.1000000000000000055]", "7", "'[1]'"] {
            assert!(Structured::of_toml(DeValue::parse(value).unwrap().get_ref()).is_none(), "{value}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX)).is_some() && read(&nested(DEPTH_MAX + 1)).is_none());
        assert!(read(&nested(10_000)).is_none());
        let long = |bytes: usize| format!("[\"{}\"]", "x".repeat(bytes - 4));
        assert!(read(&long(BYTES_MAX)).is_some() && read(&long(BYTES_MAX + 1)).is_none());
    }

    proptest! {
        /// Up to as many digits as 64 bits always give back, and any number that they are given back as.
        #[test]
        fn no_format_changes_a_number(whole in 0..10_u8, digits in "[0-9]{1,17}", float in any::<f64>()) {
            for number in [format!("{whole}.{digits}"), format!("{float:?}")].into_iter().filter(|text| is_exact(text)) {
                let text = format!("[{number}]");
                let toml = DeValue::parse(&text).unwrap();
                let (of_json, of_toml) = (read(&text), Structured::of_toml(toml.get_ref()).map(|one| one.to_string()));
                prop_assert_eq!(&of_json, &of_toml);
                let sent: f64 = of_json.unwrap().trim_matches(['[', ']']).parse().unwrap();
                prop_assert_eq!(sent, number.parse::<f64>().unwrap());
            }
        }

        #[test]
        fn one_form_is_its_own_form(text in "[\\[\\]{}\",:0-9a-c.e -]{0,24}") {
            if let Some(value) = Structured::parse(&text) {
                prop_assert_eq!(Structured::parse(value.as_str()), Some(value));
            }
        }
    }
}
