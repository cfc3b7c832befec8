//! The names that a manifest may use, apart from its endpoints' parameters.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::screen::holds_secret;
use crate::terminal_text::is_printable;

/// The tool's own job keys that are read now.
pub(super) const JOB_KEYS: &[&str] = &["id", "endpoint", "max_sats", "repeat", "params"];
/// Job keys that are reserved: refused now, so that they can come without breaking a manifest.
pub(super) const LATER_KEYS: &[&str] = &["skip", "matrix", "include"];
/// The columns of our own results file that are skipped on reading, so that a filtered results file is a manifest.
pub(super) const RESULTS_COLUMNS: &[&str] = &[
    "line",
    "take",
    "state",
    "reason",
    "next",
    "price_sats",
    "price_msat",
    "fee_msat",
    "url",
    "file",
    "sha256",
    "attempts",
    "started_at",
    "finished_at",
    "error",
    "l402_batch",
    "l402_ledger",
    "more_urls",
    "more_files",
];
/// Before a parameter whose name collides with one of the above.
pub(super) const PARAMS_PREFIX: &str = "params.";
/// Before a column or key that is passed through to the results.
pub(super) const EXTRA_PREFIX: &str = "x_";

/// A header as headers are compared: trimmed, without case, with space, `-` and `_` equal.
pub(crate) fn fold(header: &str) -> String {
    header.trim().chars().flat_map(char::to_lowercase).map(|c| if c == ' ' || c == '-' { '_' } else { c }).collect()
}

/// Whether a column of that name, folded, says something of a job wherever it stands, beside parameters.
pub(crate) fn is_job_key(name: &str) -> bool {
    name == "take" || JOB_KEYS.contains(&name) || LATER_KEYS.contains(&name)
}

/// The delimiter that a person means by `,`, `;`, `|`, a tab, `\t` or `tab`.
#[must_use]
pub fn parse_delimiter(text: &str) -> Option<u8> {
    match text {
        "," => Some(b','),
        ";" => Some(b';'),
        "|" => Some(b'|'),
        "\t" | "\\t" => Some(b'\t'),
        _ if text.eq_ignore_ascii_case("tab") => Some(b'\t'),
        _ => None,
    }
}

/// Why an id that a manifest gives cannot be one, in words that follow "expected". Ids stand in tables, logs and commands
/// to be copied: what hides in one or turns it around could name another job than it shows.
#[must_use]
pub fn id_problem(id: &str) -> Option<&'static str> {
    // Most ids are plain ASCII, of which each byte is a character.
    let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic());
    let length = if is_plain { id.len() } else { id.chars().count() };
    let is_text = is_plain || (is_printable(id) && !id.trim().is_empty());
    let is_fit = (1..=ID_CHARS_MAX).contains(&length) && is_text;
    (!is_fit).then_some("1 to 128 printable characters")
}

/// Why that can be no name of a batch, in the same words. It is stored, and stands in names of files: a secret would stand there.
#[must_use]
pub fn name_problem(name: &str) -> Option<&'static str> {
    id_problem(name).or_else(|| holds_secret(name).then_some("a name, which a macaroon or a private key is not"))
}

/// An id as ids are compared: in Unicode's NFC. An `é` of two characters, as file names on a Mac have it, is the `é` of one.
#[must_use]
pub fn normal_id(id: &str) -> Cow<'_, str> {
    if id.is_ascii() || is_nfc(id) { Cow::Borrowed(id) } else { Cow::Owned(id.nfc().collect()) }
}

const ID_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_compare_without_case_space_and_dash() {
        for header in ["generate_audio", " Generate Audio ", "GENERATE-AUDIO"] {
            assert_eq!(fold(header), "generate_audio");
        }
    }

    #[test]
    fn ids_are_compared_in_nfc() {
        for (id, normal) in
            [("a", "a"), ("cafe\u{301}", "caf\u{e9}"), ("caf\u{e9}", "caf\u{e9}"), ("\u{212b}", "\u{c5}")]
        {
            assert_eq!(normal_id(id), normal);
        }
    }

    #[test]
    fn ids_are_short_and_printable() {
        for (id, is_fit) in [
            ("a", true),
            ("día 1", true),
            ("shot 010", true),
            ("ü/ü", true),
            ("", false),
            (" ", false),
            ("a\u{1b}[2J", false),
            ("a\tb", false),
            ("a\u{202e}b", false),
            ("a\u{200b}", false),
            (&"é".repeat(128), true),
            (&"é".repeat(129), false),
        ] {
            assert_eq!(id_problem(id).is_none(), is_fit, "{id}");
        }
    }
}
