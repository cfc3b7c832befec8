//! What an endpoint wants in the head of each request, and what never stands there by a catalogue's word.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of a header, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Longest value of a header, in bytes.
const VALUE_BYTES_MAX: usize = 1024;
/// Headers that mean something else: to HTTP itself, to whoever pays, or to a cache.
const TAKEN: [&str; 31] = [
    "accept-authenticate",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "keep-alive",
    "origin",
    "payment",
    "payment-receipt",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "www-authenticate",
    "x-forwarded-for",
];
/// Whole families of such.
const TAKEN_FAMILIES: [&str; 3] = ["if-", "proxy-", "sec-"];

/// What a cache on the way is told by; of these none is the endpoint's.
const OF_CACHES: [&str; 2] = ["cache-control", "pragma"];
/// What the names of secrets have in them.
const SECRETS: [&str; 6] = ["auth", "key", "macaroon", "password", "secret", "token"];

/// A header that goes with each request of an endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its name, as it is sent.
    pub name: String,
    /// Its value.
    pub value: HeaderValue,
}

/// What is sent of a header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeaderValue {
    /// This.
    Text(String),
    /// What the user's configuration has under this name. The name alone is known, kept and compared.
    Secret {
        /// The name.
        secret: String,
    },
}

impl Header {
    /// A header with that value.
    #[must_use]
    pub fn text(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: HeaderValue::Text(value.to_owned()) }
    }

    /// The name of the secret that it sends, where it sends one.
    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match &self.value {
            HeaderValue::Secret { secret } => Some(secret),
            HeaderValue::Text(_) => None,
        }
    }
}

impl HeaderValue {
    /// What tells it from others: the text, or the name of the secret, which no text is.
    #[must_use]
    pub fn identity(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Secret { secret } => format!("\0secret\0{secret}").into(),
        }
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderValue(…)")
    }
}

/// A value may say who one is.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether an entry may name a header so.
pub(super) fn is_free(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let lower = name.to_ascii_lowercase();
    let is_taken = TAKEN.contains(&lower.as_str()) || TAKEN_FAMILIES.iter().any(|family| lower.starts_with(family));
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(fits) && !is_taken
}

/// Whether it tells a cache on the way something.
pub(super) fn is_of_cache(name: &str) -> bool {
    OF_CACHES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a header of that name is most likely to hold a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    // The service's word for a purchase, of which nothing is secret.
    SECRETS.iter().any(|word| lower.contains(word)) && lower != "idempotency-key"
}

/// Whether a secret may be called so.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(fits)
}

/// Whether it can be the value of a header: visible ASCII, with blanks between.
#[must_use]
pub fn is_value(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= VALUE_BYTES_MAX
        && text.trim() == text
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_else_is_no_free_header() {
        for name in ["X-Version", "Accept", "x_key", "Ifx"] {
            assert!(is_free(name), "{name}");
        }
        for name in
            ["", "HOST", "Proxy-Authorization", "if-None-Match", "Idempotency-Key", "a b", "X:", "Ü", "Content-Type"]
        {
            assert!(!is_free(name), "{name}");
        }
        for name in
            ["X-Api-Key", "Authorization", "Grpc-Metadata-Macaroon", "macaroon", "x-secret", "X-PassWord", "Token"]
        {
            assert!(is_secret(name), "{name}");
        }
        assert!(!is_secret("X-Version") && !is_secret("Accept") && is_of_cache("Cache-control"));
        assert!(is_value("2, x") && !is_value("") && !is_value(" a") && !is_value("a\r\nb") && !is_value("é"));
        assert!(TAKEN.is_sorted() && TAKEN.iter().all(|name| !is_free(name)));
    }
}
