//! What the node says, made fit for a person's terminal, and its clock.

use crate::time::UnixMs;

/// Longest message of the node that is shown, in characters.
const WORDS_CHARS_MAX: usize = 300;

/// A foreign text that cannot steer a terminal: control and direction characters replaced, long ones cut.
pub(super) fn harmless(text: &str) -> String {
    let mut chars = text.trim().chars();
    let mut out: String =
        chars.by_ref().take(WORDS_CHARS_MAX).map(|c| if steers(c) { '\u{fffd}' } else { c }).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// Whether a character does something other than show itself.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The time of a `Date` header (RFC 9110 section 5.6.7), or nothing where it is none.
pub(super) fn from_http_date(date: &str) -> Option<UnixMs> {
    date.ends_with(" GMT").then_some(())?;
    let at = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(UnixMs(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_steer_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(harmless(&"é".repeat(500)).chars().count(), WORDS_CHARS_MAX + 1);
    }

    #[test]
    fn the_date_header_is_the_nodes_clock() {
        assert_eq!(from_http_date("Fri, 20 Nov 2026 17:36:35 GMT"), Some(UnixMs(1_795_196_195_000)));
        assert_eq!(from_http_date("2026-11-20T17:36:35Z"), None);
        assert_eq!(from_http_date("Fri, 20 Nov 2026 17:36:35 +0200"), None);
        assert_eq!(from_http_date(""), None);
    }
}
