//! Reading TOML values with a place for each error.

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::catalog::accept;
use crate::diagnostic::{Diagnostic, SourceText, closest};
use crate::screen::quotation;

/// A key or value with its byte range.
pub(super) type Key<'i> = Spanned<DeString<'i>>;
/// A value with its byte range.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

/// More errors than anybody mends at once: what follows is left for the next reading.
const ERRORS_MAX: usize = 200;
/// Longest piece of a value that an error quotes, in characters.
const QUOTE_CHARS_MAX: usize = 40;

/// Takes values of the expected types out of a document, and notes what is otherwise.
pub(super) struct Reader<'a> {
    source: &'a SourceText,
    errors: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a SourceText, errors: &'a mut Vec<Diagnostic>) -> Self {
        Self { source, errors }
    }

    /// How many errors there are: to know whether a part was read without any.
    pub(super) fn error_count(&self) -> usize {
        self.errors.len()
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.error_with(span, message, None);
    }

    pub(super) fn error_with(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        if self.errors.len() > ERRORS_MAX {
            return;
        }
        let mut error = Diagnostic::error(&self.source.file, message).at(self.source.place(span));
        error.help = help;
        if self.errors.len() == ERRORS_MAX {
            error = Diagnostic::error(&self.source.file, "more errors follow; mend these first");
        }
        self.errors.push(error);
    }

    /// The same, without the line: what stands there may be a secret.
    pub(super) fn error_unseen(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let before = self.errors.len();
        self.error_with(span, message, help);
        for place in self.errors[before..].iter_mut().filter_map(|error| error.place.as_mut()) {
            place.text.clear();
        }
    }

    pub(super) fn unknown_key(&mut self, at: &str, key: &Key<'_>, known: &[&str]) {
        let name = key.get_ref();
        let help = match closest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        self.error_with(key.span(), format!("{at}: unknown key `{name}`"), Some(help));
    }

    pub(super) fn expected(&mut self, at: &str, item: &Item<'_>, expected: &str) {
        self.expected_with(at, item, expected, None);
    }

    pub(super) fn expected_with(&mut self, at: &str, item: &Item<'_>, expected: &str, help: Option<String>) {
        self.error_with(item.span(), format!("{at}: expected {expected}, got {}", got(item.get_ref())), help);
    }

    /// Trimmed text that is not blank.
    pub(super) fn text(&mut self, at: &str, item: &Item<'_>) -> Option<String> {
        match item.get_ref().as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            Some(_) | None => {
                self.expected(at, item, "text that is not blank");
                None
            }
        }
    }

    pub(super) fn integer(&mut self, at: &str, item: &Item<'_>, range: RangeInclusive<i64>) -> Option<i64> {
        let n = item.get_ref().as_integer().and_then(accept::integer).filter(|n| range.contains(n));
        if n.is_none() {
            let expected = match (*range.start(), *range.end()) {
                (i64::MIN, i64::MAX) => "an integer".to_owned(),
                (min, i64::MAX) => format!("an integer of at least {min}"),
                (min, max) => format!("an integer from {min} to {max}"),
            };
            self.expected(at, item, &expected);
        }
        n
    }

    pub(super) fn boolean(&mut self, at: &str, item: &Item<'_>) -> Option<bool> {
        let truth = item.get_ref().as_bool();
        if truth.is_none() {
            self.expected(at, item, "true or false");
        }
        truth
    }

    /// A list of texts, each trimmed and not blank, each with its place; none where any of it is otherwise.
    pub(super) fn texts(&mut self, at: &str, item: &Item<'_>) -> Option<Vec<(String, Range<usize>)>> {
        let Some(array) = item.get_ref().as_array() else {
            self.expected(at, item, "a list of texts");
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        for item in array.iter() {
            texts.push((self.text(at, item), item.span()));
        }
        texts.into_iter().map(|(text, span)| text.map(|text| (text, span))).collect()
    }

    pub(super) fn table<'t, 'i>(&mut self, at: &str, item: &'t Item<'i>) -> Option<&'t DeTable<'i>> {
        let table = item.get_ref().as_table();
        if table.is_none() {
            self.expected(at, item, "a table");
        }
        table
    }
}

/// A value as an error quotes it.
fn got(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{:?}", quotation(text, QUOTE_CHARS_MAX)),
        DeValue::Integer(n) => n.to_string(),
        DeValue::Float(n) => n.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
