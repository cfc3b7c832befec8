//! Addresses as they are compared: what RFC 3986 (6.2.2) calls equivalent is one address. Case of scheme and host and the default port are
//! settled where a URL is parsed; what is left is percent-encoding.

use serde::{Deserialize, Deserializer};
use url::Url;

/// The address with every unreserved character as it is, and the hexadecimal digits of the others in upper case.
#[must_use]
pub(super) fn normal(mut url: Url) -> Url {
    let (path, query) = (decoded(url.path()), url.query().map(decoded));
    if path != url.path() {
        url.set_path(&path);
    }
    if query.as_deref() != url.query() {
        url.set_query(query.as_deref());
    }
    url
}

/// Host, and port where it is not the usual one: who sells there.
#[must_use]
pub fn origin_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Reads an address so.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    Url::deserialize(from).map(normal)
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut normal = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet.zip(piece.get(2..)) {
            Some((octet, rest)) if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) => {
                normal.push(char::from(octet));
                normal.push_str(rest);
            }
            Some((octet, rest)) => normal.push_str(&format!("%{octet:02X}{rest}")),
            None => {
                normal.push('%');
                normal.push_str(piece);
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_addresses_are_one_and_others_are_not() {
        let normal = |url: &str| normal(Url::parse(url).unwrap()).to_string();
        for (url, expected) in [
            ("HTTPS://Seller.example:443/generate%2Dvideo", "https://seller.example/generate-video"),
            ("https://seller.example/%7Eada/%41?q=%2d%2f", "https://seller.example/~ada/A?q=-%2F"),
            ("https://seller.example/a%2fb%20c", "https://seller.example/a%2Fb%20c"),
            ("https://seller.example/100%25", "https://seller.example/100%25"),
            ("https://seller.example/a%+1b%zz", "https://seller.example/a%+1b%zz"),
            ("http://localhost:8080/x", "http://localhost:8080/x"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ] {
            assert_eq!(normal(url), expected);
            assert_eq!(normal(expected), expected);
        }
    }
}
