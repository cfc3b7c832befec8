//! Finds the physical place of a cell by reading its record's raw bytes again. Only errors pay for it.

use crate::diagnostic::{Diagnostic, Place, SourceText, excerpt};

/// Where a cell's content stands within its record's raw bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The first byte of its content, after a quote and white space.
    pub(super) start: usize,
    /// Where its content ends.
    pub(super) end: usize,
}

/// The cell at `index` of the record that `raw` begins with, or the last one where there are fewer.
pub(super) fn cell(raw: &[u8], delimiter: u8, index: usize) -> Cell {
    // The csv reader skips empty lines before a record.
    let mut at = raw.iter().position(|b| *b != b'\n').unwrap_or(raw.len());
    let mut number = 0;
    loop {
        let (cell, next) = cell_at(raw, delimiter, at);
        let is_last = raw.get(next) != Some(&delimiter);
        if number == index || is_last {
            return trimmed(raw, cell);
        }
        number += 1;
        at = next + 1;
    }
}

/// The cell that begins at `at`, and where its delimiter, its line end or the end of all stands.
fn cell_at(raw: &[u8], delimiter: u8, at: usize) -> (Cell, usize) {
    let ends = |b: &u8| *b == delimiter || *b == b'\n';
    let find_end = |from: usize| raw.iter().skip(from).position(ends).map_or(raw.len(), |n| from + n);
    if raw.get(at) != Some(&b'"') {
        let end = find_end(at);
        return (Cell { start: at, end }, end);
    }
    let mut close = at + 1;
    while let Some(b) = raw.get(close) {
        match (b, raw.get(close + 1)) {
            (b'"', Some(b'"')) => close += 2,
            (b'"', _) => return (Cell { start: at + 1, end: close }, find_end(close + 1)),
            _ => close += 1,
        }
    }
    (Cell { start: at + 1, end: raw.len() }, raw.len())
}

fn trimmed(raw: &[u8], cell: Cell) -> Cell {
    let content = raw.get(cell.start..cell.end).unwrap_or_default();
    let start = cell.start + content.iter().take_while(|b| b.is_ascii_whitespace()).count();
    if start == cell.end {
        return cell;
    }
    let end = cell.end - content.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
    Cell { start, end }
}

/// The place of a byte range of `raw`, whose first byte begins the physical line `line`.
pub(super) fn place(raw: &[u8], line: u64, start: usize, end: usize) -> Place {
    let start = start.min(raw.len());
    let before = &raw[..start];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line_end = raw[start..].iter().position(|b| *b == b'\n').map_or(raw.len(), |n| start + n);
    let count = |bytes: &[u8]| u32::try_from(String::from_utf8_lossy(bytes).chars().count()).unwrap_or(u32::MAX);
    Place {
        sheet: None,
        line: line + before.iter().filter(|b| **b == b'\n').count() as u64,
        column: count(&raw[line_start..start]).saturating_add(1),
        width: count(&raw[start..end.clamp(start, line_end)]).max(1),
        text: excerpt(raw, line_start..line_end),
        also_lines: Vec::new(),
    }
}

/// The error of bytes that are not UTF-8, and how to save the file so that they are; nothing where they are.
pub(super) fn not_utf8(file: &str, raw: &[u8], line: u64) -> Option<Diagnostic> {
    let at = std::str::from_utf8(raw).err()?.valid_up_to();
    let byte = raw.get(at).copied().unwrap_or_default();
    let mut help = "save it as UTF-8: in Excel as \"CSV UTF-8\", in LibreOffice with the character set \"Unicode \
                    (UTF-8)\", or with iconv -f WINDOWS-1252 -t UTF-8"
        .to_owned();
    if byte >= 0xa0 {
        help = format!("the byte 0x{byte:02X} is \"{}\" in Windows-1252; {help}", char::from(byte));
    }
    Some(Diagnostic::error(file, NOT_UTF8).at(place(raw, line, at, at + 1)).help(help))
}

/// The message of [`not_utf8`].
pub(super) const NOT_UTF8: &str = "this is not UTF-8 text";

/// The error of a file that is no UTF-8 text at all, which its first bytes tell.
pub(super) fn no_text(file: &str, head: &[u8]) -> Option<Diagnostic> {
    let (what, help) = foreign(head)?;
    let place = SourceText::new(file, "").place(0..0);
    Some(Diagnostic::error(file, format!("the file is {what}")).at(place).help(help))
}

/// What a file is that begins so, where that is neither CSV nor TOML, and what to do about it.
fn foreign(head: &[u8]) -> Option<(&'static str, &'static str)> {
    const SAVE: &str = "open it in a spreadsheet program and save it as .xlsx";
    let holds = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    let starts = |start: &[u8]| head.starts_with(start);
    if starts(b"\xff\xfe") || starts(b"\xfe\xff") {
        let help =
            "save it as UTF-8: in Excel as \"CSV UTF-8\" instead of \"Unicode Text\", or with iconv -f UTF-16 -t UTF-8";
        Some(("UTF-16, not UTF-8", help))
    } else if starts(b"PK\x03\x04") && (holds(b"xl/") || holds(b"[Content_Types].xml")) {
        Some(("an Excel workbook, whatever its name says", "name it .xlsx"))
    } else if starts(b"PK\x03\x04") && holds(b"opendocument.spreadsheet") {
        Some(("a LibreOffice workbook, whatever its name says", "name it .ods"))
    } else if starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        Some(("an old Excel workbook, whatever its name says", SAVE))
    } else if starts(b"PK\x03\x04") || starts(b"\x1f\x8b") {
        Some(("compressed, not text", "unpack it first"))
    } else if starts(b"%PDF-") {
        Some(("a PDF, not text", "save the table itself as CSV"))
    } else if is_page(head) {
        Some(("a web page, not a table", "a link to share leads to a page; there, download the sheet as CSV"))
    } else {
        None
    }
}

/// Whether a file begins as HTML does.
fn is_page(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()));
    starts("<!doctype html") || starts("<html")
}

/// On which line a record of a CSV begins, of which each line ends with LF: it was looked for from the line `before` on, and read up to the
/// line `after`; its cells hold the line ends within it.
pub fn first_line(before: u64, after: u64, cells: &[u8]) -> u64 {
    match after.saturating_sub(before) {
        // Most records are one line, which needs no counting.
        0 | 1 => before,
        _ => after.saturating_sub(1 + newlines(cells)).max(before),
    }
}

/// How many line ends bytes hold.
pub(super) fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|b| **b == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_in_raw_bytes() {
        let raw = b"\n\na,\"b \"\"x\"\",\nc\" , dd ,\r\n";
        let content = |index| {
            let cell = cell(raw, b',', index);
            (std::str::from_utf8(&raw[cell.start..cell.end]).unwrap(), place(raw, 7, cell.start, cell.end))
        };
        let (text, at) = content(0);
        assert_eq!((text, at.line, at.column), ("a", 9, 1));
        let (text, at) = content(1);
        assert_eq!((text, at.line, at.column, at.width), ("b \"\"x\"\",\nc", 9, 4, 8));
        let (text, at) = content(2);
        assert_eq!((text, at.line, at.column, at.text.as_str()), ("dd", 10, 6, "c\" , dd ,"));
        assert_eq!(content(9).1.line, 10);
    }

    #[test]
    fn wrong_encodings_name_their_place() {
        let found = not_utf8("a.csv", b"ab\nc\xe9d\n", 4).unwrap();
        let at = found.place.unwrap();
        assert_eq!((at.line, at.column, at.width), (5, 2, 1));
        assert!(found.help.unwrap().contains("\"é\" in Windows-1252"));
        assert_eq!(not_utf8("a.csv", "é".as_bytes(), 1), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(raw: Vec<u8>, index in 0_usize..5, line in 0_u64..9) {
            let found = cell(&raw, b',', index);
            proptest::prop_assert!(found.start <= raw.len() && found.end <= raw.len());
            place(&raw, line, found.start, found.end);
            not_utf8("a", &raw, line);
        }
    }
}
