//! Values as a manifest gives them, checked against their parameter.

use std::path::PathBuf;

use toml::de::DeValue;

use super::image::Images;
use super::missing;
use super::takes::Takes;
use crate::catalog::{Mismatch, PLANNED_TAKES_MAX, Param, ParamKind, Value, meant};
use crate::diagnostic::{Diagnostic, Place};
use crate::money::Sats;
use crate::screen::{around, beginning, keep_back, quotation};
use crate::terminal_text::printable_char;

/// How much of a wrong value an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A value before it is checked.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// A cell or a flag: trimmed, not empty.
    Text(&'a str),
    /// A TOML value and its text in the file.
    Toml(&'a DeValue<'a>, &'a str),
}

/// What is wrong with a value.
pub(super) struct Wrong {
    pub(super) message: String,
    /// What the same mistake in other rows has in common, where each has its own words: what was expected, not what was got.
    pub(super) kind: Option<String>,
    pub(super) help: Help,
    /// The text of which the message repeats the beginning. What in it is a secret is looked for only where the error is shown:
    /// most errors of a long file are counted.
    pub(super) quoted: Option<String>,
}

/// What to do about it.
pub(super) enum Help {
    None,
    Words(String),
    /// An image that is not there: what it may have been meant to be is looked for only where the error is shown.
    Missing {
        given: String,
        folder: PathBuf,
    },
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: None, help: Help::None, quoted: None }
    }

    /// An error whose message ends with the beginning of that text, as [`repeated`] has it.
    pub(super) fn quoting(mut self, text: &str) -> Self {
        self.quoted = Some(around(text, SHOWN_CHARS_MAX).to_owned());
        self
    }

    pub(super) fn help(mut self, words: impl Into<String>) -> Self {
        self.help = Help::Words(words.into());
        self
    }

    pub(super) fn into_diagnostic(self, file: &str, place: Option<Place>) -> Diagnostic {
        if let Some(text) = &self.quoted {
            keep_back(text.as_bytes(), 0..text.len());
        }
        let help = match self.help {
            Help::None => None,
            Help::Words(words) => Some(words),
            Help::Missing { given, folder } => missing::advice(&given, &folder),
        };
        Diagnostic { place, help, ..Diagnostic::error(file, self.message) }
    }
}

impl Given<'_> {
    /// As an error repeats it, and all of it.
    fn repeated(&self) -> (String, &str) {
        match self {
            Self::Text(text) => (format!("\"{}\"", repeated(text)), text),
            Self::Toml(_, raw) => (repeated(raw), raw),
        }
    }

    /// As text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Toml(value, _) => value.as_str(),
        }
    }
}

/// The checked value of a parameter.
///
/// # Errors
/// What was expected and what was found, with a suggestion where there is one.
pub(super) fn check(param: &Param, given: Given<'_>, images: &Images) -> Result<Value, Box<Wrong>> {
    let takes = match &param.kind {
        ParamKind::Image => Some(Takes::Image),
        ParamKind::File { types, .. } => Some(Takes::File(types)),
        ParamKind::Text
        | ParamKind::Integer { .. }
        | ParamKind::Decimal { .. }
        | ParamKind::Boolean
        | ParamKind::Choice { .. }
        | ParamKind::IntegerOrText
        | ParamKind::List
        | ParamKind::Object => None,
    };
    if let Some(takes) = takes {
        let Some(text) = given.text() else {
            let what = if param.kind == ParamKind::Image { "an image" } else { "a file" };
            return Err(Box::new(expected(&param.name, &format!("{what}: a path, base64 or a data URI"), given)));
        };
        let resolved = images.resolve(text.trim(), takes);
        return resolved.map(Box::new).map(Value::Image).map_err(|mut wrong| {
            for words in [Some(&mut wrong.message), wrong.kind.as_mut()].into_iter().flatten() {
                words.insert_str(0, &format!("{}: ", param.name));
            }
            Box::new(wrong)
        });
    }
    let checked = match given {
        Given::Text(text) => param.from_text(text),
        Given::Toml(value, _) => param.from_toml(value),
    };
    checked.map_err(|mismatch| Box::new(unfit(param, mismatch, given)))
}

fn unfit(param: &Param, mismatch: Mismatch, given: Given<'_>) -> Wrong {
    let wrong = expected(&param.name, &mismatch.expected, given);
    match mismatch.suggestion {
        // A suggestion of several words (`5 without quotes`) is no value to be quoted.
        Some(words) if words.contains(' ') => wrong.help(format!("did you mean {words}?")),
        Some(word) => wrong.help(format!("did you mean \"{word}\"?")),
        None if matches!(param.kind, ParamKind::Integer { .. }) => digits_alone(wrong, given),
        None => wrong,
    }
}

/// How a whole number is written, where one is given in another way.
fn digits_alone(wrong: Wrong, given: Given<'_>) -> Wrong {
    let is_other = |text: &str| text.contains(|c: char| c.is_ascii_digit()) && text.parse::<i128>().is_err();
    match given {
        Given::Text(text) if is_other(text) => {
            wrong.help("write it in digits alone, without a point, a comma or a unit")
        }
        Given::Text(_) | Given::Toml(..) => wrong,
    }
}

/// The job's own limit.
pub(super) fn max_sats(given: Given<'_>) -> Result<Sats, Wrong> {
    let number = match given {
        Given::Text(text) => text.parse::<u64>().ok(),
        Given::Toml(value, _) => integer_of(value).and_then(|n| u64::try_from(n).ok()),
    };
    let sats = number.filter(|n| *n > 0).map(Sats::new).filter(|sats| sats.msat().is_some());
    sats.ok_or_else(|| {
        let wrong = expected("max_sats", "a whole number of sats above zero", given);
        let is_fit = |n| u64::try_from(n).is_ok_and(|n| n > 0 && Sats::new(n).msat().is_some());
        match given {
            Given::Text(text) => match meant::integer(text, is_fit) {
                Some(n) => wrong.help(format!("did you mean \"{n}\"?")),
                None => digits_alone(wrong, given),
            },
            Given::Toml(..) => wrong,
        }
    })
}

/// How many takes of a job are planned.
pub(super) fn repeat(given: Given<'_>) -> Result<u32, Wrong> {
    let number = match given {
        Given::Text(text) => text.parse::<u32>().ok(),
        Given::Toml(value, _) => integer_of(value).and_then(|n| u32::try_from(n).ok()),
    };
    let takes = number.filter(|n| (1..=PLANNED_TAKES_MAX).contains(n));
    takes.ok_or_else(|| {
        digits_alone(expected("repeat", &format!("a whole number from 1 to {PLANNED_TAKES_MAX}"), given), given)
    })
}

/// `name: expected words, got "value"`.
pub(super) fn expected(name: &str, words: &str, given: Given<'_>) -> Wrong {
    let kind = format!("{name}: expected {words}");
    let (got, text) = given.repeated();
    Wrong { kind: Some(kind.clone()), ..Wrong::new(format!("{kind}, got {got}")).quoting(text) }
}

/// A TOML integer, where it fits.
pub(super) fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok())
}

/// What an `x_*` key passes through: text, or a number or truth value as it is written.
pub(super) fn extra_text(given: Given<'_>) -> Option<String> {
    match given {
        Given::Text(text) => Some(text.to_owned()),
        Given::Toml(DeValue::String(text), _) => Some(text.trim().to_owned()),
        Given::Toml(DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_), raw) => {
            Some(raw.to_owned())
        }
        Given::Toml(DeValue::Array(_) | DeValue::Table(_), _) => None,
    }
}

fn shown_char(c: char) -> char {
    if c.is_control() { ' ' } else { printable_char(c) }
}

/// A value as an error repeats it: one line, harmless, not too long.
pub(crate) fn shown(text: &str) -> String {
    quotation(text, SHOWN_CHARS_MAX).chars().map(shown_char).collect()
}

/// The same in an error that may only be counted, which is [`Wrong::quoting`] it.
pub(super) fn repeated(text: &str) -> String {
    beginning(text, SHOWN_CHARS_MAX).chars().map(shown_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::veiled;

    /// Looking for secrets takes long, and of a hundred thousand wrong cells hardly any is shown.
    #[test]
    fn what_is_secret_is_looked_for_where_an_error_is_shown() {
        let secret = format!("0201036c6e6402{}", "5eedab1e".repeat(12));
        let wrong = expected("duration", "a whole number", Given::Text(&secret));
        // Others keep back how every macaroon begins.
        let own = &secret[14..];
        assert_eq!(veiled(own), own, "it may only be counted");
        let shown = wrong.into_diagnostic("a.csv", None);
        assert!(shown.message.contains("5eed") && !veiled(&shown.message).contains("5eed"), "{shown:?}");
    }
}
