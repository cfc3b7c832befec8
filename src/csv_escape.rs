//! Cells of a CSV that a spreadsheet may open: text that it would take for a formula is written as text.

use std::borrow::Cow;

use memchr::memchr;

/// [`str::trim`], at once where there is nothing to trim.
#[must_use]
pub fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, ..] if first.is_ascii_graphic() && text.as_bytes().last().is_some_and(u8::is_ascii_graphic) => text,
        _ => text.trim(),
    }
}

/// Text with LF line ends.
#[must_use]
pub fn lf(text: &str) -> Cow<'_, str> {
    if memchr(b'\r', text.as_bytes()).is_some() { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// Whether a spreadsheet would take text that begins so for a formula, or lose it.
const fn is_risky(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r')
}

/// Whether `text` is any number of apostrophes (none too) before a risky character.
fn begins_risky(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(is_risky)
}

/// A text cell as it is written: one more leading `'` where it begins with `=`, `+`, `-`, `@`, tab or CR (or with
/// apostrophes before one of those, so that [`restore`] always gives back the very text).
///
/// For text only: numbers are written as they are.
#[must_use]
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if begins_risky(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of a cell as it is read: without the `'` that [`neutralise`] puts before it.
#[must_use]
pub fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if begins_risky(rest) => rest,
        Some(_) | None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_written_as_text() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-x", "'-x"),
            ("@a", "'@a"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("'=x", "''=x"),
            ("'quoted'", "'quoted'"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(neutralise(text), cell);
            assert_eq!(restore(cell), text);
        }
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_written(text in "['=+@\\-\ta]{0,4}.{0,4}") {
            let cell = neutralise(&text);
            prop_assert_eq!(restore(&cell), &text);
            prop_assert!(!cell.starts_with(is_risky));
            prop_assert_eq!(trim(&text), text.trim());
        }
    }
}
