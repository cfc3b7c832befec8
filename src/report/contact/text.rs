//! Text of elsewhere, as a page shows it.

use std::path::Path;

/// Text without what steers a screen. Which way it runs is its own element's affair alone.
pub(super) fn clean(text: &str) -> String {
    let is_bad = |c: char| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}');
    text.chars().map(|c| if is_bad(c) { '\u{fffd}' } else { c }).collect()
}

/// The name of a file, without where it lies.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| clean(&name.to_string_lossy())).unwrap_or_default()
}
