//! Words from elsewhere (an origin, a node, a file) made harmless to a terminal and to a line of a log.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

/// The most characters of a foreign message that are shown.
pub const PRINTABLE_CHARS_MAX: usize = 300;

/// What stands for a character that was taken out.
const REPLACEMENT: char = '\u{fffd}';

/// The text on one line, without control, escape, invisible or direction-changing characters, cut to
/// [`HARMLESS_CHARS_MAX`] characters (the last is `…` where something was cut). A line break or tab becomes a space,
/// every other such character becomes `\u{fffd}`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out: String = text.trim().chars().take(PRINTABLE_CHARS_MAX).map(printable_char).collect();
    if text.trim().chars().nth(PRINTABLE_CHARS_MAX).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// Whether nothing in the text would be changed by [`printable`], but for its length.
#[must_use]
pub fn is_printable(text: &str) -> bool {
    text.chars().all(|c| printable_char(c) == c)
}

/// The character, or what stands for it: a space for a line break or tab, `\u{fffd}` for whatever steers a terminal,
/// hides, or turns the direction of text.
#[must_use]
pub const fn printable_char(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        // Direction marks, embeddings and isolates let a text show in another order than it is written (Unicode TR 36).
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => REPLACEMENT,
        // Invisible: zero-width space, word joiner, byte-order mark, soft hyphen, tag characters. The zero-width
        // joiners stay, which emoji and several scripts need.
        '\u{00ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => REPLACEMENT,
        // C0, DEL, C1: among them ESC and the one-byte CSI.
        '\u{0000}'..='\u{001f}' | '\u{007f}'..='\u{009f}' => REPLACEMENT,
        other => other,
    }
}

/// The same JSON, with whatever [`harmless_char`] would take out written as an escape: a program reads the very text, and a
/// terminal on which it is shown is not steered by it. (What is ASCII, the text's writer has escaped already, but for DEL.)
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let steers = |c: char| c >= '\u{7f}' && printable_char(c) != c;
    if !json.contains(steers) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Writes a document of JSON and a line end, as [`harmless_json`] has it.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_json(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string(document)?;
    writeln!(out, "{}", printable_json(&json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(printable("a\u{1b}[31mred\u{9b}2J\u{7}"), "a\u{fffd}[31mred\u{fffd}2J\u{fffd}");
        assert_eq!(printable("evil\u{202e}gpj.exe"), "evil\u{fffd}gpj.exe");
        assert_eq!(printable("  two\r\nlines\tand\u{2028}more "), "two  lines and more");
        assert_eq!(printable("größer 🙂 日本"), "größer 🙂 日本");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = printable(&"é".repeat(PRINTABLE_CHARS_MAX + 1));
        assert_eq!(long.chars().count(), PRINTABLE_CHARS_MAX);
        assert!(long.ends_with('…'));
        let whole = "é".repeat(PRINTABLE_CHARS_MAX);
        assert_eq!(printable(&whole), whole);
    }

    proptest! {
        #[test]
        fn json_is_the_same_and_steers_nothing(text in any::<String>(), key in "[\u{1b}\u{7f}-\u{a0}\u{202e}\u{e0001}a]*") {
            let value = serde_json::json!({ key: [text, "\u{9b}2J\u{202e}\u{7f}"] });
            let written = value.to_string();
            let shown = printable_json(&written);
            prop_assert!(is_printable(&shown), "{shown}");
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }

        #[test]
        fn nothing_harmful_is_left(text in any::<String>()) {
            let out = printable(&text);
            prop_assert!(out.chars().count() <= PRINTABLE_CHARS_MAX);
            prop_assert!(!out.chars().any(char::is_control) && is_printable(&out));
            prop_assert_eq!(printable(&out), out);
        }
    }
}
