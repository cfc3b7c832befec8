//! What a parameter accepts: a CSV cell or a TOML value becomes a checked value, or the words for what was expected.

use toml::de::{DeInteger, DeValue};

use super::{Decimal, Mismatch, Param, ParamKind, Place, Structured, Value, meant, place};

use crate::csv_escape::{lf, trim};
use crate::diagnostic::closest;

impl Param {
    /// The value of a CSV cell. Text is trimmed, and CR LF becomes LF. Whether a blank cell means the default is the
    /// caller's to decide; here it fits nothing.
    ///
    /// # Errors
    /// Where the cell does not fit, and always for an image: its bytes have to be found first.
    pub fn from_text(&self, cell: &str) -> Result<Value, Mismatch> {
        let value = self.read_text(trim(cell))?;
        self.fits_place(&value).map(|()| value)
    }

    fn read_text(&self, cell: &str) -> Result<Value, Mismatch> {
        match &self.kind {
            ParamKind::Text => text(cell).map(Value::Text).ok_or_else(|| self.mismatch(None)),
            ParamKind::Integer { min, max } => match cell.parse::<i64>() {
                Ok(n) if (*min..=*max).contains(&n) => Ok(Value::Integer(n)),
                Ok(_) | Err(_) => Err(self.mismatch(self.meant(cell))),
            },
            ParamKind::Decimal { .. } => self.decimal(cell).ok_or_else(|| self.mismatch(self.meant(cell))),
            ParamKind::List | ParamKind::Object => {
                self.structured(Structured::parse(cell)).ok_or_else(|| self.mismatch(None))
            }
            ParamKind::Boolean => truth(cell).map(Value::Boolean).ok_or_else(|| self.mismatch(self.meant(cell))),
            ParamKind::Choice { values } => self.choice(values, cell),
            ParamKind::IntegerOrText => match canonical_integer(cell) {
                Some(n) => Ok(Value::Integer(n)),
                None => text(cell).map(Value::Text).ok_or_else(|| self.mismatch(None)),
            },
            ParamKind::Image | ParamKind::File { .. } => Err(self.mismatch(None)),
        }
    }

    /// The value of a TOML value. Types are taken at their word, `duration = "5"` is an error with a suggestion; only a
    /// parameter that takes a number or a text reads `"6"` as the number, so that TOML and CSV mean the same.
    ///
    /// # Errors
    /// Where the value does not fit, and always for an image: its bytes have to be found first.
    pub fn from_toml(&self, value: &DeValue<'_>) -> Result<Value, Mismatch> {
        let value = self.read_toml(value)?;
        self.fits_place(&value).map(|()| value)
    }

    fn read_toml(&self, value: &DeValue<'_>) -> Result<Value, Mismatch> {
        match (&self.kind, value) {
            (ParamKind::Text | ParamKind::Choice { .. } | ParamKind::IntegerOrText, DeValue::String(text)) => {
                self.read_text(trim(text))
            }
            (ParamKind::Integer { min, max }, DeValue::Integer(n)) => match integer(n) {
                Some(n) if (*min..=*max).contains(&n) => Ok(Value::Integer(n)),
                Some(_) | None => Err(self.mismatch(None)),
            },
            (ParamKind::IntegerOrText, DeValue::Integer(n)) => {
                integer(n).map(Value::Integer).ok_or_else(|| self.mismatch(None))
            }
            (ParamKind::Decimal { .. }, DeValue::Integer(n)) => {
                let number = integer(n).and_then(|n| self.decimal(&n.to_string()));
                number.ok_or_else(|| self.mismatch(None))
            }
            (ParamKind::Decimal { .. }, DeValue::Float(number)) => {
                self.decimal(&number.as_str().replace('_', "")).ok_or_else(|| self.mismatch(None))
            }
            (ParamKind::List | ParamKind::Object, DeValue::Array(_) | DeValue::Table(_)) => {
                self.structured(Structured::of_toml(value)).ok_or_else(|| self.mismatch(None))
            }
            (ParamKind::Boolean, DeValue::Boolean(b)) => Ok(Value::Boolean(*b)),
            (ParamKind::Integer { .. } | ParamKind::Decimal { .. } | ParamKind::Boolean, DeValue::String(text)) => {
                let meant = self.from_text(text).map(|value| value.to_string()).ok().or_else(|| self.meant(text));
                Err(self.mismatch(meant.map(|value| format!("{value} without quotes"))))
            }
            (ParamKind::Integer { .. }, DeValue::Float(number)) => {
                Err(self.mismatch(self.meant(number.as_str()).map(|value| format!("{value} without a point"))))
            }
            (
                ParamKind::Text
                | ParamKind::Choice { .. }
                | ParamKind::IntegerOrText
                | ParamKind::Integer { .. }
                | ParamKind::Decimal { .. }
                | ParamKind::Boolean
                | ParamKind::List
                | ParamKind::Object
                | ParamKind::Image
                | ParamKind::File { .. },
                _,
            ) => Err(self.mismatch(None)),
        }
    }

    /// What this parameter accepts, in words that follow "expected".
    #[must_use]
    pub fn expected(&self) -> String {
        match &self.kind {
            ParamKind::Text => "text that is not blank".to_owned(),
            ParamKind::Integer { min: i64::MIN, max: i64::MAX } => "an integer".to_owned(),
            ParamKind::Integer { min, max: i64::MAX } => format!("an integer of at least {min}"),
            ParamKind::Integer { min: i64::MIN, max } => format!("an integer of at most {max}"),
            ParamKind::Integer { min, max } => format!("an integer from {min} to {max}"),
            ParamKind::Decimal { min, max } => {
                let bound = |words: &str, bound: &Option<Decimal>| bound.map(|bound| format!("{words}{bound}"));
                let most = bound(if min.is_some() { " to " } else { " of at most " }, max).unwrap_or_default();
                let least = bound(if max.is_some() { " from " } else { " of at least " }, min).unwrap_or_default();
                format!("a decimal number{least}{most}")
            }
            ParamKind::List => "a list, in JSON: [\"a\", 2]".to_owned(),
            ParamKind::Object => "an object, in JSON: {\"a\": 2}".to_owned(),
            ParamKind::Boolean => "true or false".to_owned(),
            ParamKind::Choice { values } => {
                let words: Vec<String> = values.iter().map(|word| format!("{word:?}")).collect();
                match words.as_slice() {
                    [one] => one.clone(),
                    [one, other] => format!("{one} or {other}"),
                    many => format!("one of {}", many.join(", ")),
                }
            }
            ParamKind::IntegerOrText => "an integer, or text that is not blank".to_owned(),
            ParamKind::Image => "an image (png, jpeg or webp): a path, base64 or a data URI".to_owned(),
            ParamKind::File { types, .. } => {
                let of = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
                format!("a file{of}: a path, base64 or a data URI")
            }
        }
    }

    /// That the value can stand in its place: dots alone would lead to another path.
    fn fits_place(&self, value: &Value) -> Result<(), Mismatch> {
        match self.place {
            Place::Path if !place::is_step(&value.to_string()) => {
                Err(Mismatch { expected: place::STEP.to_owned(), suggestion: None })
            }
            Place::Path | Place::Usual | Place::Query | Place::Unsent => Ok(()),
        }
    }

    fn decimal(&self, text: &str) -> Option<Value> {
        let ParamKind::Decimal { min, max } = &self.kind else { return None };
        let number = Decimal::parse(text)?;
        let fits = min.is_none_or(|min| min <= number) && max.is_none_or(|max| number <= max);
        fits.then_some(Value::Decimal(number))
    }

    fn structured(&self, value: Option<Structured>) -> Option<Value> {
        value.filter(|value| value.is_list() == (self.kind == ParamKind::List)).map(Value::Structured)
    }

    fn choice(&self, values: &[String], cell: &str) -> Result<Value, Mismatch> {
        if values.iter().any(|value| value == cell) {
            return Ok(Value::Text(cell.to_owned()));
        }
        // Words compare without case, as headers do; what is sent is the endpoint's own spelling.
        let folded = cell.to_lowercase();
        let mut alike = values.iter().filter(|value| value.to_lowercase() == folded);
        match (alike.next(), alike.next()) {
            (Some(value), None) => Ok(Value::Text(value.clone())),
            _ => Err(self.mismatch(closest(cell, values.iter().map(String::as_str)).map(str::to_owned))),
        }
    }

    /// The number or the truth value that a cell most likely means.
    fn meant(&self, cell: &str) -> Option<String> {
        match &self.kind {
            ParamKind::Integer { min, max } => {
                meant::integer(cell, |n| (*min..=*max).contains(&n)).map(|n| n.to_string())
            }
            ParamKind::Decimal { .. } => {
                let with_point = cell.replacen(',', ".", 1);
                self.decimal(&with_point).map(|_| with_point)
            }
            ParamKind::Boolean => {
                meant::truth(cell).or_else(|| closest(cell, ["true", "false", "yes", "no"])).map(str::to_owned)
            }
            ParamKind::Text
            | ParamKind::Choice { .. }
            | ParamKind::IntegerOrText
            | ParamKind::List
            | ParamKind::Object
            | ParamKind::Image
            | ParamKind::File { .. } => None,
        }
    }

    fn mismatch(&self, suggestion: Option<String>) -> Mismatch {
        Mismatch { expected: self.expected(), suggestion }
    }
}

/// Trimmed text as it is sent: with LF line ends; nothing where it is blank.
fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| lf(text).into_owned())
}

fn truth(cell: &str) -> Option<bool> {
    let is = |word: &str| cell.eq_ignore_ascii_case(word);
    if is("true") || is("yes") || cell == "1" {
        Some(true)
    } else if is("false") || is("no") || cell == "0" {
        Some(false)
    } else {
        None
    }
}

/// A TOML integer, or nothing where it does not fit.
pub(super) fn integer(n: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(n.as_str(), n.radix()).ok()
}

/// An integer that is written as such: `6`, but not `+6` or `006`, which may be a name.
fn canonical_integer(cell: &str) -> Option<i64> {
    let n: i64 = cell.parse().ok()?;
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let canonical = cell == "0" || (!digits.starts_with('0') && !digits.starts_with('+') && !cell.starts_with('+'));
    canonical.then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn param(kind: ParamKind) -> Param {
        Param { name: "p".to_owned(), kind, required: false, default: None, place: Place::Usual }
    }

    fn toml(param: &Param, value: &str) -> Result<Value, Mismatch> {
        param.from_toml(DeValue::parse(value).unwrap().get_ref())
    }

    fn mismatch(expected: &str, suggestion: Option<&str>) -> Result<Value, Mismatch> {
        Err(Mismatch { expected: expected.to_owned(), suggestion: suggestion.map(str::to_owned) })
    }

    #[test]
    fn integers_keep_their_bounds() {
        let duration = param(ParamKind::Integer { min: 3, max: 15 });
        assert_eq!(duration.from_text(" 3 "), Ok(Value::Integer(3)));
        assert_eq!(toml(&duration, "0xf"), Ok(Value::Integer(15)));
        for cell in ["2", "16", "16s", "5.5", "", "99999999999999999999"] {
            assert_eq!(duration.from_text(cell), mismatch("an integer from 3 to 15", None));
        }
        for (cell, meant) in [("8s", "8"), ("10 s", "10"), ("5,0", "5")] {
            assert_eq!(duration.from_text(cell), mismatch("an integer from 3 to 15", Some(meant)));
        }
        assert_eq!(toml(&duration, "5.0"), mismatch("an integer from 3 to 15", Some("5 without a point")));
        assert_eq!(toml(&duration, "5.5"), mismatch("an integer from 3 to 15", None));
        assert_eq!(toml(&duration, "\"10 s\""), mismatch("an integer from 3 to 15", Some("10 without quotes")));
        assert_eq!(toml(&duration, "\"5\""), mismatch("an integer from 3 to 15", Some("5 without quotes")));
        let at_least = param(ParamKind::Integer { min: 1, max: i64::MAX });
        assert_eq!(at_least.from_text("0"), mismatch("an integer of at least 1", None));
    }

    #[test]
    fn truth_has_three_spellings_in_csv_and_one_in_toml() {
        let audio = param(ParamKind::Boolean);
        for cell in ["true", "TRUE", "Yes", "1"] {
            assert_eq!(audio.from_text(cell), Ok(Value::Boolean(true)));
        }
        for cell in ["false", "False", "no", "0"] {
            assert_eq!(audio.from_text(cell), Ok(Value::Boolean(false)));
        }
        for (cell, meant) in [("treu", "true"), ("WAHR", "true"), ("Ja", "true"), ("FALSCH", "false")] {
            assert_eq!(audio.from_text(cell), mismatch("true or false", Some(meant)));
        }
        assert_eq!(toml(&audio, "\"Ja\""), mismatch("true or false", Some("true without quotes")));
        assert_eq!(toml(&audio, "true"), Ok(Value::Boolean(true)));
        assert_eq!(toml(&audio, "\"no\""), mismatch("true or false", Some("false without quotes")));
        assert_eq!(toml(&audio, "1"), mismatch("true or false", None));
    }

    #[test]
    fn words_are_compared_without_case_and_suggested_kindly() {
        let mode = param(ParamKind::Choice { values: vec!["standard".to_owned(), "pro".to_owned()] });
        for word in ["pro", "Pro", "PRO"] {
            assert_eq!(mode.from_text(word), Ok(Value::Text("pro".to_owned())), "{word}");
        }
        assert_eq!(toml(&mode, "\"Standard\""), Ok(Value::Text("standard".to_owned())));
        let size = param(ParamKind::Choice { values: vec!["s".to_owned(), "S".to_owned(), "É".to_owned()] });
        assert_eq!(size.from_text("S"), Ok(Value::Text("S".to_owned())));
        assert_eq!(size.from_text("é"), Ok(Value::Text("É".to_owned())));
        let two = param(ParamKind::Choice { values: vec!["ab".to_owned(), "AB".to_owned()] });
        assert!(two.from_text("Ab").is_err(), "it could be either");
        assert_eq!(toml(&mode, "\"standart\""), mismatch(r#""standard" or "pro""#, Some("standard")));
    }

    #[test]
    fn text_is_trimmed_with_lf() {
        let prompt = param(ParamKind::Text);
        assert_eq!(prompt.from_text("\u{a0} a\r\nb \n"), Ok(Value::Text("a\nb".to_owned())));
        assert_eq!(toml(&prompt, "\" a\\r\\nb\""), Ok(Value::Text("a\nb".to_owned())));
        assert_eq!(prompt.from_text(" \n"), mismatch("text that is not blank", None));
        assert_eq!(toml(&prompt, "5"), mismatch("text that is not blank", None));
    }

    #[test]
    fn a_number_or_a_name() {
        let model = param(ParamKind::IntegerOrText);
        for number in ["6", "0", "-1"] {
            assert_eq!(model.from_text(number), Ok(Value::Integer(number.parse().unwrap())));
            assert_eq!(toml(&model, &format!("{number:?}")), toml(&model, number));
        }
        for name in ["kling-v2", "007", "+6", "-0", "1.5", "99999999999999999999"] {
            assert_eq!(model.from_text(name), Ok(Value::Text(name.to_owned())));
        }
    }

    #[test]
    fn an_image_has_to_be_found_first() {
        let image = param(ParamKind::Image);
        assert!(image.from_text("a.png").unwrap_err().expected.starts_with("an image"));
        assert!(toml(&image, "\"a.png\"").is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_reads_back_the_same(cell in "\\PC{0,12}", pick in 0..4usize) {
            let kinds = [
                ParamKind::Text,
                ParamKind::Integer { min: -9, max: 99 },
                ParamKind::Boolean,
                ParamKind::IntegerOrText,
            ];
            let param = param(kinds[pick].clone());
            if let Ok(value) = param.from_text(&cell) {
                prop_assert_eq!(param.from_text(&value.to_string()), Ok(value));
            }
        }
    }
}
