//! Text cells that a spreadsheet would take for a formula.

use std::borrow::Cow;

/// The text with a leading `'` where a spreadsheet would compute it.
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
