//! What is wrong with what a person wrote: where, what was expected, and what to do.

mod unread;

use std::fmt;
use std::ops::Range;

use crate::screen::keep_back;

pub use unread::{similar, unread};

/// One thing that is wrong (or doubtful) in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the work.
    pub severity: Severity,
    /// The file as the person named it; `-` is standard input.
    pub file: String,
    /// Where in the file, if it has a place.
    pub place: Option<Place>,
    /// What is wrong, in lower case: `duration: expected an integer from 3 to 15, got "8s"`.
    pub message: String,
    /// A second place that matters (the first use of a duplicate id), with its own words.
    pub related: Vec<(Place, String)>,
    /// What to do about it: `did you mean "duration"?`
    pub help: Option<String>,
    /// How many cells (or other places) it tells of: the same in many rows is said once.
    pub count: u64,
}

/// Whether a diagnostic stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is asked and nothing is spent until it is mended.
    Error,
    /// Shown, and the work goes on.
    Warning,
}

/// A place in a text file, or in a sheet of a workbook. Lines and columns count from 1; a column counts characters, or the sheet's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sheet, in a workbook.
    pub sheet: Option<String>,
    /// The physical line, or the sheet's row.
    pub line: u64,
    /// The first character of what is meant.
    pub column: u32,
    /// How many characters are meant; at least 1.
    pub width: u32,
    /// The text of that line, for the excerpt, without its line end (may be cut when very long).
    pub text: String,
    /// More lines on which the same was found, as inclusive ranges, in order.
    pub also_lines: Vec<(u64, u64)>,
}

impl Place {
    /// A cell of a sheet, by its row and its column, each from 1.
    #[must_use]
    pub fn of_cell(sheet: &str, row: u64, column: u32) -> Self {
        Self { sheet: Some(sheet.to_owned()), line: row, column, width: 1, text: String::new(), also_lines: Vec::new() }
    }

    /// `Shots!F12`, as spreadsheets name the cell; nothing where it is no place in a sheet.
    #[must_use]
    pub fn cell(&self) -> Option<String> {
        let sheet = self.sheet.as_ref()?;
        let is_plain = sheet.chars().all(|c| c.is_alphanumeric() || c == '_') && !sheet.starts_with(char::is_numeric);
        let sheet = if is_plain { sheet.clone() } else { format!("'{}'", sheet.replace('\'', "''")) };
        Some(format!("{sheet}!{}{}", column_name(self.column), self.line))
    }
}

/// What spreadsheets call the column of that number, from 1: `A`, `Z`, `AA`.
#[must_use]
pub fn column_name(number: u32) -> String {
    let (mut left, mut name) = (number, String::new());
    while left > 0 {
        let letter = u8::try_from((left - 1) % 26).unwrap_or_default();
        name.insert(0, char::from(b'A' + letter));
        left = (left - 1) / 26;
    }
    name
}

impl Diagnostic {
    /// An error without a place yet.
    #[must_use]
    pub fn error(file: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        keep_back(message.as_bytes(), 0..0);
        Self {
            severity: Severity::Error,
            file: file.into(),
            place: None,
            message,
            related: Vec::new(),
            help: None,
            count: 1,
        }
    }

    /// A warning without a place yet.
    #[must_use]
    pub fn warning(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, message) }
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// `jobs.csv:17:5: duration: expected an integer, got "8s"`, on one line; `shots.xlsx: Shots!F12: …` in a workbook.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        match self.place.as_ref().map(|place| (place.cell(), place)) {
            Some((Some(cell), _)) => write!(f, ": {cell}")?,
            Some((None, place)) => write!(f, ":{}:{}", place.line, place.column)?,
            None => {}
        }
        write!(f, ": {}", self.message)
    }
}

/// A longer name is close to none.
const NAME_BYTES_MAX: usize = 512;

/// The name among `known` that a person most likely meant by `given`.
#[must_use]
pub fn closest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody means a short name by a long one, and comparing takes time by length.
    if given.len() > NAME_BYTES_MAX {
        return None;
    }
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A text file in memory, to turn byte offsets into places.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// The file as the person named it.
    pub file: String,
    /// Its whole text.
    pub text: String,
}

/// Longest piece of a line that an excerpt shows, in characters.
const EXCERPT_CHARS_MAX: usize = 2_000;

/// A line of a user's text as an excerpt shows it. What is a secret there, or goes on there from other lines, is never printed.
#[must_use]
pub fn excerpt(text: &[u8], line: Range<usize>) -> String {
    // A line may be as long as an image: of what is not shown only what lies close is looked at.
    keep_back(text, line.start..line.end.min(line.start.saturating_add(4 * EXCERPT_CHARS_MAX)));
    let line = String::from_utf8_lossy(&text[line]);
    line.trim_end_matches('\r').chars().take(EXCERPT_CHARS_MAX).collect()
}

impl SourceText {
    /// A text and its name.
    #[must_use]
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// The place of a byte range. A range that spans lines is cut at the end of its first.
    #[must_use]
    pub fn place(&self, range: Range<usize>) -> Place {
        let start = self.text.floor_char_boundary(range.start.min(self.text.len()));
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = self.text.floor_char_boundary(range.end.clamp(start, line_end));
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Place {
            sheet: None,
            line: 1 + self.text[..line_start].bytes().filter(|b| *b == b'\n').count() as u64,
            column: count(&self.text[line_start..start]).saturating_add(1),
            width: count(&self.text[start..end]).max(1),
            text: excerpt(self.text.as_bytes(), line_start..line_end),
            also_lines: Vec::new(),
        }
    }
}

mod render;

pub use render::render;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let source = SourceText::new("a.toml", "x = 1\r\nünd = 23\n");
        let place = source.place(7 + 7..7 + 9);
        assert_eq!((place.line, place.column, place.width, place.text.as_str()), (2, 7, 2, "ünd = 23"));
        assert_eq!(source.place(999..1_000).line, 3);
    }

    #[test]
    fn cells_are_named_as_spreadsheets_name_them() {
        let names = [1, 6, 26, 27, 52, 702, 703, 16_384].map(column_name);
        assert_eq!(names, ["A", "F", "Z", "AA", "AZ", "ZZ", "AAA", "XFD"]);
        for (sheet, cell) in [
            ("Shots", "Shots!F12"),
            ("Größe_2", "Größe_2!F12"),
            ("My shots", "'My shots'!F12"),
            ("a's", "'a''s'!F12"),
            ("2024", "'2024'!F12"),
        ] {
            let wrong = Diagnostic::error("a.xlsx", "wrong").at(Place::of_cell(sheet, 12, 6));
            assert_eq!(wrong.to_string(), format!("a.xlsx: {cell}: wrong"));
        }
    }

    #[test]
    fn misspelt_names_are_recognised() {
        assert_eq!(closest("duratoin", ["prompt", "duration"]), Some("duration"));
        assert_eq!(closest("colour", ["prompt", "duration"]), None);
        assert_eq!(closest(&"prompt".repeat(10_000_000), ["prompt"]), None);
    }
}
