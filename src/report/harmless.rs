//! Text that cannot command a terminal.

/// The text with every control character replaced.
pub fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
