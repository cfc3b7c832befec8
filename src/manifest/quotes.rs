//! Holds the quotes of a CSV against RFC 4180 while its bytes stream by. The csv reader takes any bytes: of
//! `"Sign says "open" at night"` it makes another text than a person reads, and what is bought is that.
//!
//! A quoted cell ends with its quote; white space may follow. A quote within an unquoted cell is text, as every reader has it
//! (`a 5" screen`), unless it may have been meant to quote: after white space alone, or where what it opens closes in a later cell.

use std::collections::VecDeque;

use memchr::{memchr, memchr3};

use super::locate;
use crate::diagnostic::{Diagnostic, Place};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A quote that RFC 4180 does not have. Offsets count bytes from where the reading began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    pub(super) kind: StrayKind,
    /// Where the quote stands.
    pub(super) at: u64,
    /// Where the quote stands that opens its cell; itself where none does.
    pub(super) open: u64,
}

/// Why a quote must not stand where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StrayKind {
    /// It closes its cell, and text follows.
    Inside,
    /// White space stands before it, so that it opens no cell.
    AfterBlank,
    /// It stands in an unquoted cell, and its counterpart in a later one.
    Split,
}

impl StrayKind {
    /// What is wrong.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::Inside => "text follows the quote that closes this cell",
            Self::AfterBlank => "white space stands before the quote that would open this cell",
            Self::Split => "a quote opens within this cell, and the next one stands in a later cell",
        }
    }

    /// What to do about it; `before` is the byte before the quote.
    fn help(self, before: Option<u8>) -> &'static str {
        match self {
            Self::Inside if before == Some(b'\\') => {
                "CSV has no \\\": within a quoted cell a quote is written twice, as in \"A \"\"big\"\" cat\""
            }
            Self::Inside => "within a quoted cell a quote is written twice, as in \"Sign says \"\"open\"\" at night\"",
            Self::AfterBlank => "remove the white space, or quote the whole cell and write each quote in it twice",
            Self::Split => {
                "quote each of the two cells, or both as one, and write each quote in them twice, as in \"a \"\"b, c\"\" d\""
            }
        }
    }
}

/// A record's bytes, to show quotes in.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) file: &'a str,
    pub(super) bytes: &'a [u8],
    /// Where they begin, counted as a quote's offset is.
    pub(super) start: u64,
    /// The physical line on which they begin.
    pub(super) line: u64,
}

impl Raw<'_> {
    fn at(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }

    /// The place of the byte at an offset.
    pub(super) fn place(&self, offset: u64) -> Place {
        let at = self.at(offset);
        locate::place(self.bytes, self.line, at, at.saturating_add(1))
    }

    /// The error of a stray quote.
    pub(super) fn stray(&self, stray: Stray) -> Diagnostic {
        let before = self.at(stray.at).checked_sub(1).and_then(|at| self.bytes.get(at)).copied();
        let place = self.place(stray.at);
        let open = self.place(stray.open);
        let error = Diagnostic::error(self.file, stray.kind.message()).help(stray.kind.help(before));
        // Who forgot to close a quote finds its end on another line.
        let related = (open.line != place.line).then(|| (open, "the cell begins here".to_owned()));
        Diagnostic { related: related.into_iter().collect(), ..error.at(place) }
    }

    /// The error of a quote that nothing closes: it has swallowed the rest of the file.
    pub(super) fn left_open(&self, open: u64) -> Diagnostic {
        let error = Diagnostic::error(self.file, "the quote that opens here is never closed").at(self.place(open));
        error.help("close it, or write a quote inside a quoted cell twice: \"\"")
    }
}

/// Where within a cell the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the beginning of a cell.
    Start,
    /// After white space at the beginning of a cell.
    Blank,
    /// In an unquoted cell.
    Text,
    /// In an unquoted cell that has quotes: whether their number is odd.
    Marked { is_odd: bool },
    /// In a quoted cell.
    Quoted,
    /// After a quote in a quoted cell: the cell's end, or half of a doubled quote.
    Quote,
    /// After a quoted cell and white space.
    Closed,
}

/// One reading of a file's quotes, piece by piece.
pub(super) struct Quotes {
    delimiter: u8,
    at: At,
    /// How many bytes have passed.
    offset: u64,
    /// The quote that opened the cell at hand, or the first one in an unquoted cell.
    open: u64,
    /// The latest quote that may have closed it.
    close: u64,
    /// Whether the byte before is of a word or a number: a quote after it opens nothing (`5"`).
    is_in_word: bool,
    /// Whether the first quote in an unquoted cell may open something.
    may_open: bool,
    /// The quote of an unquoted cell of this record that may open something, and has no counterpart there.
    half: Option<u64>,
    /// Something was found in this record: the first is enough.
    is_faulty: bool,
    found: VecDeque<Stray>,
}

impl Quotes {
    pub(super) fn new(delimiter: u8) -> Self {
        let (at, found) = (At::Start, VecDeque::new());
        let (is_in_word, may_open) = (false, false);
        Self { delimiter, at, offset: 0, open: 0, close: 0, is_in_word, may_open, half: None, is_faulty: false, found }
    }

    /// Takes the next bytes of the file.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        // The csv reader passes over a mark at the very beginning.
        let mut next = if self.offset == 0 && bytes.starts_with(BOM) { BOM.len() } else { 0 };
        while let Some(byte) = bytes.get(next) {
            next = match self.at {
                At::Start | At::Blank | At::Text => self.unquoted(bytes, next),
                At::Marked { is_odd } => self.marked(bytes, next, is_odd),
                At::Quoted => self.quoted(bytes, next),
                At::Quote | At::Closed => self.closed(*byte, next),
            };
        }
        self.offset += bytes.len() as u64;
    }

    /// The first stray quote before `end`; none before that is told again.
    pub(super) fn take_before(&mut self, end: u64) -> Option<Stray> {
        let mut first = None;
        while self.found.front().is_some_and(|stray| stray.at < end) {
            first = first.or(self.found.pop_front());
        }
        first
    }

    /// The quote that opened the cell at hand and is not closed yet.
    pub(super) fn left_open(&self) -> Option<u64> {
        (self.at == At::Quoted).then_some(self.open)
    }

    fn unquoted(&mut self, bytes: &[u8], from: usize) -> usize {
        let quote = memchr(b'"', &bytes[from..]).map_or(bytes.len(), |n| from + n);
        self.pass(&bytes[from..quote]);
        if quote == bytes.len() {
            return quote;
        }
        self.open = self.offset + quote as u64;
        self.may_open = !self.is_in_word;
        self.is_in_word = false;
        self.at = match self.at {
            At::Start => At::Quoted,
            At::Blank => {
                self.add(StrayKind::AfterBlank, self.open, self.open);
                At::Text
            }
            At::Text | At::Marked { .. } | At::Quoted | At::Quote | At::Closed => At::Marked { is_odd: true },
        };
        quote + 1
    }

    /// Passes over bytes without a quote, outside quotes.
    fn pass(&mut self, bytes: &[u8]) {
        self.is_in_word = bytes.last().map_or(self.is_in_word, |b| b.is_ascii_alphanumeric() || !b.is_ascii());
        let text = bytes.iter().rposition(|b| self.ends(*b) || !is_blank(*b));
        let has_blank = text.map_or(!bytes.is_empty(), |at| at + 1 < bytes.len());
        self.at = match text.map(|at| bytes[at]) {
            Some(byte) if !self.ends(byte) => At::Text,
            None if self.at != At::Start => self.at,
            Some(_) | None if has_blank => At::Blank,
            Some(_) | None => At::Start,
        };
        if (self.half.is_some() || self.is_faulty) && bytes.contains(&b'\n') {
            self.begin_record();
        }
    }

    fn marked(&mut self, bytes: &[u8], from: usize, is_odd: bool) -> usize {
        let Some(found) = memchr3(b'"', self.delimiter, b'\n', &bytes[from..]) else { return bytes.len() };
        let byte = bytes[from + found];
        if byte == b'"' {
            self.at = At::Marked { is_odd: !is_odd };
        } else {
            match self.half {
                Some(first) if is_odd => self.add(StrayKind::Split, first, first),
                None if is_odd && self.may_open => self.half = Some(self.open),
                Some(_) | None => {}
            }
            self.end_cell(byte);
        }
        from + found + 1
    }

    fn quoted(&mut self, bytes: &[u8], from: usize) -> usize {
        let Some(found) = memchr(b'"', &bytes[from..]) else { return bytes.len() };
        self.close = self.offset + (from + found) as u64;
        self.at = At::Quote;
        from + found + 1
    }

    fn closed(&mut self, byte: u8, at: usize) -> usize {
        if byte == b'"' && self.at == At::Quote {
            self.at = At::Quoted;
        } else if self.ends(byte) {
            self.end_cell(byte);
        } else if is_blank(byte) {
            self.at = At::Closed;
        } else {
            self.add(StrayKind::Inside, self.close, self.open);
            // The csv reader takes the rest as text, quotes too.
            self.at = At::Text;
            self.is_in_word = false;
            return at;
        }
        at + 1
    }

    fn end_cell(&mut self, end: u8) {
        self.at = At::Start;
        self.is_in_word = false;
        if end == b'\n' {
            self.begin_record();
        }
    }

    const fn begin_record(&mut self) {
        self.half = None;
        self.is_faulty = false;
    }

    fn add(&mut self, kind: StrayKind, at: u64, open: u64) {
        if !self.is_faulty {
            self.found.push_back(Stray { kind, at, open });
        }
        self.is_faulty = true;
    }

    const fn ends(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n'
    }
}

/// White space that the reader of cells trims away.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::StrayKind::{AfterBlank, Inside, Split};
    use super::*;

    /// Stray quotes of a text that comes in pieces of so many bytes: each with its place and its cell's.
    fn strays(text: &[u8], delimiter: u8, piece: usize) -> Vec<(StrayKind, u64, u64)> {
        let mut quotes = Quotes::new(delimiter);
        text.chunks(piece).for_each(|piece| quotes.read(piece));
        quotes.found.iter().map(|stray| (stray.kind, stray.at, stray.open)).collect()
    }

    #[test]
    fn stray_quotes_are_found_where_they_stand() {
        type Found = &'static [(StrayKind, u64, u64)];
        let cases: &[(&str, Found)] = &[
            ("\"Sign says \"open\" at night\"\n", &[(Inside, 11, 0)]),
            ("\"A cat\" runs\n", &[(Inside, 6, 0)]),
            ("a,\"A \\\"big\\\" cat\"\n", &[(Inside, 6, 2)]),
            ("\"\"a\"\n", &[(Inside, 1, 0)]),
            ("\"a\" \"b\"\n", &[(Inside, 2, 0)]),
            ("\"a\nb\"c\n\"d\"e", &[(Inside, 4, 0), (Inside, 9, 7)]),
            ("\"a\"b,\"c\"d\nok\n\"e\"f\n", &[(Inside, 2, 0), (Inside, 15, 13)]),
            ("\"a\"b\n\n\"c\",d\n\"e\"f\n", &[(Inside, 2, 0), (Inside, 14, 12)]),
            ("1, \"a cat\",5\n", &[(AfterBlank, 3, 3)]),
            (" \"a\"\n", &[(AfterBlank, 1, 1)]),
            ("says \"hello, you\" all\n", &[(Split, 5, 5)]),
            ("a (\"b,c,\"d\",e\" f\n", &[(Split, 3, 3)]),
            ("5\",a 5\" screen,3.5\" of \"it\"\n", &[]),
            ("a 5\" screen\n3\" b\n", &[]),
            ("a \"b\" c,d 5\" e\n", &[]),
            ("a 5\" b,c\nd,e 6\" f\n", &[]),
            ("\"a\" ,\"b\"\t\r\n\"\",\"\"\"\",\"x\"\"y\"\r\n", &[]),
            ("\"a,b\nc\",d\n\n\n\"e\"", &[]),
            ("a\"\",b\"\"\"\"\n", &[]),
        ];
        for (text, expected) in cases {
            for piece in 1..text.len() + 1 {
                assert_eq!(strays(text.as_bytes(), b',', piece), *expected, "{text:?} in pieces of {piece}");
            }
            let other = text.replace(',', ";");
            assert_eq!(strays(other.as_bytes(), b';', 64), *expected, "{other:?}");
        }
        assert_eq!(strays(b"\"a\"\t\"b\"\t c\n", b'\t', 3), []);
        assert_eq!(strays(b"a\t \"b\"\n", b'\t', 3), [(AfterBlank, 3, 3)]);
    }

    #[test]
    fn a_quote_left_open_is_known() {
        let open = |text: &[u8]| {
            let mut quotes = Quotes::new(b',');
            quotes.read(text);
            quotes.left_open()
        };
        assert_eq!(open(b"a,\"b\nc,d\n"), Some(2));
        assert_eq!(open(b"a,\"b\"\"\n"), Some(2));
        assert_eq!(open(b"a,\"b\"\n"), None);
        assert_eq!(open(b"a,b\"\n"), None);
    }

    /// Records as RFC 4180 says, by one rule after the other; none where the text breaks one. Quotes in unquoted cells are text.
    fn rfc4180(text: &str, delimiter: char) -> Option<Vec<Vec<String>>> {
        let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
        let mut rest = text.chars().peekable();
        while rest.peek().is_some() {
            if rest.peek() == Some(&'"') {
                rest.next();
                loop {
                    match rest.next()? {
                        '"' if rest.next_if_eq(&'"').is_some() => cell.push('"'),
                        '"' => break,
                        c => cell.push(c),
                    }
                }
                while let Some(blank) = rest.next_if(|c| *c != delimiter && [' ', '\t', '\r'].contains(c)) {
                    cell.push(blank);
                }
                if !rest.peek().is_none_or(|c| *c == delimiter || *c == '\n') {
                    return None;
                }
            } else {
                while let Some(c) = rest.next_if(|c| *c != delimiter && *c != '\n') {
                    cell.push(c);
                }
            }
            let is_cell_end = rest.peek() == Some(&delimiter);
            rest.next();
            record.push(std::mem::take(&mut cell));
            if is_cell_end && rest.peek().is_none() {
                record.push(String::new());
            }
            if !is_cell_end || rest.peek().is_none() {
                records.push(std::mem::take(&mut record));
            }
        }
        // The csv reader passes over empty lines.
        records.retain(|record| record.len() > 1 || record.first().is_some_and(|cell: &String| !cell.is_empty()));
        Some(records)
    }

    fn csv_reads(text: &str, delimiter: u8) -> Vec<Vec<String>> {
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(delimiter).terminator(csv::Terminator::Any(b'\n'));
        let mut reader = builder.from_reader(text.as_bytes());
        let mut read = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).unwrap() {
            read.push(record.iter().map(str::to_owned).collect::<Vec<_>>());
        }
        // A quoted empty cell alone is a record to the reader, and nothing to a manifest.
        read.retain(|record| record.len() > 1 || record.first().is_some_and(|cell| !cell.is_empty()));
        read
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_accepted_is_read_as_rfc_4180_says(text in "[a\",; \t\r\n\\\\]{0,24}", at in 0..3_usize, piece in 1..30_usize) {
            let delimiter = [b',', b';', b'\t'][at];
            let mut quotes = Quotes::new(delimiter);
            text.as_bytes().chunks(piece).for_each(|piece| quotes.read(piece));
            let is_accepted = quotes.take_before(u64::MAX).is_none() && quotes.left_open().is_none();
            let expected = rfc4180(&text, char::from(delimiter));
            prop_assert!(!is_accepted || expected.is_some(), "accepted what breaks a rule");
            if let Some(expected) = expected.filter(|_| is_accepted) {
                prop_assert_eq!(csv_reads(&text, delimiter), expected);
            }
        }

        #[test]
        fn what_a_writer_writes_is_accepted(
            cells in prop::collection::vec("[a\",; \t\r\n\\\\é]{0,8}", 1..8), at in 0..3_usize, always: bool, crlf: bool,
        ) {
            let delimiter = [b',', b';', b'\t'][at];
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer =
                csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).terminator(end).from_writer(Vec::new());
            writer.write_record(&cells).unwrap();
            writer.write_record(&cells).unwrap();
            let text = writer.into_inner().unwrap();
            prop_assert_eq!(strays(&text, delimiter, 5), []);
        }
    }
}
