//! Secrets that a person pasted where something else belongs: what was typed is remembered, and nothing of it is printed.

mod found;
mod inside;
mod kept;
mod notation;
mod private_key;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::{LazyLock, PoisonError, RwLock};

use kept::Kept;

/// Of the process: it has one person who types.
static REMEMBERED: LazyLock<RwLock<Kept>> = LazyLock::new(RwLock::default);

/// Where a text was typed.
#[derive(Clone, Copy)]
pub enum TypedAs<'a> {
    /// The value of an option that names a macaroon: whatever is encoded there is likely the macaroon itself, or a part of it,
    /// unless it is the name of something that is there, as the function says of a path.
    Macaroon(&'a dyn Fn(&Path) -> bool),
    /// Anything else, also names and paths, which may hold long identifiers: a macaroon is known by what it says.
    Anything,
}

/// Remembers what of this text, typed by a person, is a secret. Whatever is printed from now on shows none of it.
pub fn remember(typed: &str, typed_as: TypedAs<'_>) {
    let found = found::secrets(typed, typed_as);
    if !found.is_empty() {
        let mut kept = REMEMBERED.write().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().for_each(|secret| kept.keep(secret));
    }
}

/// So many bytes before and after a quotation are looked at: a secret that is wrapped, or a dump, begins lines before.
const AROUND_BYTES: usize = 2 * 1024;

/// Remembers what is secret in a piece of a user's text that is about to be quoted, and in what stands around it: of one line out
/// of several, or of one that is cut, nobody could tell any more.
pub fn keep_back(text: &[u8], quoted: Range<usize>) {
    let to = quoted.end.saturating_add(AROUND_BYTES).min(text.len());
    let from = quoted.start.saturating_sub(AROUND_BYTES).min(to);
    // What is shorter is never hidden.
    if to - from >= kept::PART_LETTERS {
        remember(&String::from_utf8_lossy(&text[from..to]), TypedAs::Anything);
    }
}

/// The beginning of a user's text as a message quotes it, in so many characters, with `…` where more follows.
#[must_use]
pub fn quotation(text: &str, chars_max: usize) -> Cow<'_, str> {
    let cut = text.char_indices().nth(chars_max).map(|(at, _)| at);
    keep_back(text.as_bytes(), 0..cut.unwrap_or(text.len()));
    beginning(text, chars_max)
}

/// The same of a message that may never be shown: whoever shows it has what [`around`] the quotation is kept back before.
#[must_use]
pub fn beginning(text: &str, chars_max: usize) -> Cow<'_, str> {
    let cut = text.char_indices().nth(chars_max).map(|(at, _)| at);
    cut.map_or(Cow::Borrowed(text), |at| Cow::Owned(format!("{}…", &text[..at])))
}

/// As much of a text as has to be kept back where its beginning is quoted, in so many characters.
#[must_use]
pub fn around(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max.saturating_add(AROUND_BYTES)).map_or(text, |(at, _)| &text[..at])
}

/// Remembers a text of which nothing may be printed.
pub fn hide(typed: &str) {
    REMEMBERED.write().unwrap_or_else(PoisonError::into_inner).keep_whole(typed);
}

/// The text, with a `*` for each character of a secret that was typed.
#[must_use]
pub fn veiled(text: &str) -> Cow<'_, str> {
    REMEMBERED.read().unwrap_or_else(PoisonError::into_inner).veil(text)
}

/// Whether anything is to be kept from what is printed.
pub(super) fn is_any() -> bool {
    !REMEMBERED.read().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Whether a text is a macaroon, or a part of one: what is pasted may be cut, wrapped, a dump, or have something before it.
#[must_use]
pub fn looks_like_macaroon(text: &str) -> bool {
    !found::macaroons(text).is_empty()
}

/// Whether a private key stands in a text, as PEM (its lines may be broken anywhere) or as what that frames; or in binary form.
#[must_use]
pub fn looks_like_private_key(text: &[u8]) -> bool {
    inside::is_private_key(text) || !found::private_keys(&String::from_utf8_lossy(text)).is_empty()
}

/// Whether a text is a macaroon or a private key, or has one in it: it is not to be stored where it is shown later.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    looks_like_macaroon(text) || looks_like_private_key(text.as_bytes())
}

/// Whether a macaroon's own bytes stand in what was typed, as a shell pastes them. No text that is printed of it can be veiled.
#[must_use]
pub fn holds_binary_macaroon(typed: &[u8]) -> bool {
    typed.windows(notation::BYTES.len()).any(|window| window == notation::BYTES)
}
