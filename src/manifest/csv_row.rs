//! A row of a CSV file: its cells, and how their places are found.

use csv::ByteRecord;

use super::header::Dialect;
use super::locate::{self, NOT_UTF8, newlines};
use super::problems::Problems;
use super::quotes::{Raw, Stray};
use super::rows::Rows;
use super::values::Wrong;
use crate::csv_escape::{restore, trim};
use crate::diagnostic::Place;

/// A record of a CSV file, and how its places are found.
pub(super) struct CsvRow<'a> {
    pub(super) rows: &'a Rows,
    pub(super) dialect: Dialect,
    pub(super) record: &'a ByteRecord,
    pub(super) text: &'a str,
    /// The physical line on which it begins.
    pub(super) line: u64,
    /// Its raw bytes: from, and to where.
    pub(super) range: (u64, u64),
}

impl CsvRow<'_> {
    /// The trimmed content of a cell; empty where the row has none.
    pub(super) fn cell(&self, index: usize) -> &str {
        let range = self.record.range(index);
        restore(trim(range.and_then(|range| self.text.get(range)).unwrap_or_default()))
    }

    /// The physical line on which a cell's content begins.
    fn line_of(&self, index: usize) -> u64 {
        let Some(range) = self.record.range(index) else { return self.line };
        let bytes = self.record.as_slice();
        let blank = bytes[range.clone()].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let start = if blank == range.len() { range.start } else { range.start + blank };
        self.line + newlines(&bytes[..start])
    }

    /// Where a cell stands, for a message.
    pub(super) fn place(&self, index: usize) -> Place {
        let raw = self.raw();
        let cell = locate::cell(&raw, self.dialect.delimiter, index);
        locate::place(&raw, self.line, cell.start, cell.end)
    }

    /// Notes what is wrong with a cell.
    pub(super) fn problem(&self, problems: &mut Problems, index: usize, wrong: Wrong) {
        let file = &self.rows.file;
        problems.add(self.line_of(index), wrong, |wrong| wrong.into_diagnostic(file, Some(self.place(index))));
    }

    fn raw(&self) -> Vec<u8> {
        self.raw_from().1
    }

    /// Its bytes without the empty lines before it, and where in the file they begin.
    fn raw_from(&self) -> (u64, Vec<u8>) {
        let mut raw = self.rows.bytes.slice(self.range.0, self.range.1).unwrap_or_default();
        let blank_lines = raw.iter().take_while(|b| **b == b'\n').count();
        raw.drain(..blank_lines);
        (self.range.0 + blank_lines as u64, raw)
    }

    /// The row's bytes, with quotes counted from the header on.
    fn quotes<T>(&self, see: impl FnOnce(Raw<'_>) -> T) -> T {
        let (start, bytes) = self.raw_from();
        let start = start.saturating_sub(self.dialect.header_byte as u64);
        see(Raw { file: &self.rows.file, bytes: &bytes, start, line: self.line })
    }

    pub(super) fn stray(&self, problems: &mut Problems, stray: Stray) {
        let error = self.quotes(|raw| raw.stray(stray));
        let line = error.place.as_ref().map_or(self.line, |place| place.line);
        problems.add(line, Wrong::new(stray.kind.message()), |_| error);
    }

    pub(super) fn left_open(&self, problems: &mut Problems, open: u64) {
        problems.push(self.quotes(|raw| raw.left_open(open)));
    }

    pub(super) fn wrong_encoding(&self, problems: &mut Problems) {
        let raw = self.raw();
        let Some(error) = locate::not_utf8(&self.rows.file, &raw, self.line) else { return };
        let line = error.place.as_ref().map_or(self.line, |place| place.line);
        problems.add(line, Wrong::new(NOT_UTF8), |_| error);
    }
}

/// The record's text, if each cell of it is UTF-8: pieces of two cells could make up a character together.
pub(super) fn utf8(record: &ByteRecord) -> Option<&str> {
    let text = std::str::from_utf8(record.as_slice()).ok()?;
    let is_whole = |index| record.range(index).is_none_or(|range| text.is_char_boundary(range.end));
    (0..record.len()).all(is_whole).then_some(text)
}
