//! What the fuzz targets share.

use l402_batch::diagnostic::{Diagnostic, render};

/// Words for a person hold nothing that steers a terminal, and are bounded.
pub fn assert_harmless(words: &str) {
    const CHARS_MAX: usize = 1_000;
    assert!(words.chars().count() <= CHARS_MAX, "a message of {} characters", words.chars().count());
    assert!(!words.chars().any(steers), "{words:?}");
}

/// Diagnostics as they are shown hold nothing that steers a terminal.
pub fn assert_shown_harmless(diagnostics: &[Diagnostic]) {
    let shown = render(diagnostics, false, None);
    assert!(!shown.chars().any(|c| c != '\n' && steers(c)), "{shown:?}");
}

/// Control characters, line and paragraph separators, and what changes the direction of text.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The header lines, the status and the body of an answer that is written as a status line, headers and a body.
pub fn answer(input: &[u8]) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (input, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    (status, headers, body.to_vec())
}
