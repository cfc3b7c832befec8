//! Where the values of parameters go: into the body or the query as usual, or into a place in the endpoint's address. A value is one step of a
//! path, or part of one, whatever it holds; scheme, host and port have no place for any.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use url::Url;

/// What a value in a path must be, in words that follow "expected".
pub(super) const STEP: &str = "what can stand in a path: not dots alone";
/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the value of a parameter goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Into the body, or a GET's query.
    #[default]
    Usual,
    /// Into the address's path.
    Path,
    /// Into the address's query.
    Query,
    /// Nowhere: it sets the price alone.
    Unsent,
}

impl Place {
    /// Whether nothing needs to be said of it.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

/// Whether a text can be a step of a path.
pub(super) fn is_step(text: &str) -> bool {
    !text.bytes().all(|byte| byte == b'.')
}

/// A piece of an address.
enum Piece<'a> {
    Text(&'a str),
    /// The place of the parameter of that name.
    Of(Cow<'a, str>),
}

/// The pieces of a part of an address, in which braces may be encoded.
fn pieces(part: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let first =
            |marks: [&str; 2], text: &str| marks.iter().filter_map(|mark| Some((text.find(mark)?, mark.len()))).min();
        let opened = first(["{", "%7B"], rest);
        let closed = opened.and_then(|(at, length)| {
            let inner = rest.get(at.checked_add(length)?..)?;
            let (end, mark) = first(["}", "%7D"], inner)?;
            Some((at, inner.get(..end)?, inner.get(end.checked_add(mark)?..)?))
        });
        let piece = match closed {
            Some((0, name, after)) => {
                rest = after;
                Piece::Of(percent_decode_str(name).decode_utf8_lossy())
            }
            Some((at, ..)) => {
                let (text, after) = rest.split_at(at);
                rest = after;
                Piece::Text(text)
            }
            None if rest.is_empty() => return None,
            None => Piece::Text(std::mem::take(&mut rest)),
        };
        Some(piece)
    })
}

fn names(part: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pieces(part).filter_map(|piece| match piece {
        Piece::Of(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The names for which an address has a place, each with where that is.
pub(super) fn places(url: &Url) -> Vec<(Place, String)> {
    let of = |place: Place, part: &str| names(part).map(|name| (place, name.into_owned())).collect::<Vec<_>>();
    let mut all = of(Place::Path, url.path());
    all.extend(of(Place::Query, url.query().unwrap_or_default()));
    all
}

/// Whether a step of the path has places for more than one: dots and dots would make two dots.
pub(super) fn has_crowded_step(url: &Url) -> bool {
    url.path().split('/').any(|step| names(step).nth(1).is_some())
}

/// The address with the values in those of its places that are used. Of a query, what holds a place for a value that is not given is left out.
pub(super) fn filled(url: &Url, used: &[Place], value_of: &dyn Fn(&str) -> Option<String>) -> Url {
    let mut filled = url.clone();
    // An address in which no parameter stands is sent as it is written, braces and all.
    if used.contains(&Place::Path)
        && let Some(path) = fill(url.path(), value_of)
    {
        filled.set_path(&path);
    }
    if let Some(query) = url.query().filter(|_| used.contains(&Place::Query)) {
        let pairs: Vec<String> = query.split('&').filter_map(|pair| fill(pair, value_of)).collect();
        filled.set_query(Some(pairs.join("&").as_str()).filter(|query| !query.is_empty()));
    }
    filled
}

fn fill(part: &str, value_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    pieces(part)
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.to_owned()),
            Piece::Of(name) => Some(utf8_percent_encode(&value_of(&name)?, RESERVED).to_string()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled_with(url: &str, values: &[(&str, &str)]) -> String {
        let url = Url::parse(url).unwrap();
        let used: Vec<Place> = places(&url).into_iter().map(|(place, _)| place).collect();
        let value_of =
            |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        filled(&url, &used, &value_of).into()
    }

    #[test]
    fn a_value_stands_in_its_place_and_nowhere_else() {
        for (url, values, expected) in [
            ("https://a.example/v1/{voice}/speech", &[("voice", "x")][..], "https://a.example/v1/x/speech"),
            (
                "https://a.example/{v}",
                &[("v", "a/b?c#d%2F..\\ é")],
                "https://a.example/a%2Fb%3Fc%23d%252F..%5C%20%C3%A9",
            ),
            ("https://a.example/v{v}.mp3", &[("v", "..")], "https://a.example/v...mp3"),
            ("https://a.example/x?q={q}&k=1", &[("q", "a&b=c+d e")], "https://a.example/x?q=a%26b%3Dc%2Bd%20e&k=1"),
            ("https://a.example/x?q={q}&k=1", &[], "https://a.example/x?k=1"),
            ("https://a.example/x?q={q}", &[], "https://a.example/x"),
            ("https://a.example/{größe}?{größe}", &[("größe", "1")], "https://a.example/1?1"),
            ("https://a.example/x?q=%7Bq%7D", &[("q", "1")], "https://a.example/x?q=1"),
        ] {
            assert_eq!(filled_with(url, values), expected, "{url}");
        }
        // Without a parameter in it, an address stays as it is written.
        let braces = Url::parse("https://a.example/{a}?b={c}").unwrap();
        assert_eq!(filled(&braces, &[], &|_| None), braces);
        assert!(has_crowded_step(&Url::parse("https://a.example/{a}{b}").unwrap()));
        assert!(!has_crowded_step(&Url::parse("https://a.example/{a}/{b}").unwrap()));
        assert!(!is_step("") && !is_step(".") && !is_step("..") && is_step("...a"));
    }

    proptest! {
        /// Whatever the value: the same origin, the same number of steps, the same number of pairs, and the value comes out as it went in.
        #[test]
        fn no_value_changes_what_stands_around_it(value in "\\PC{1,20}|[./\\\\%&#?;@: a]{1,12}") {
            prop_assume!(is_step(&value));
            let url = "https://a.example:8443/v1/{a}/end?q={a}&k=1";
            let filled = Url::parse(&filled_with(url, &[("a", value.as_str())])).unwrap();
            prop_assert_eq!(filled.origin(), Url::parse(url).unwrap().origin());
            prop_assert!(filled.username().is_empty() && filled.fragment().is_none());
            let steps: Vec<&str> = filled.path_segments().unwrap().collect();
            prop_assert_eq!((steps.len(), steps[0], steps[2]), (3, "v1", "end"));
            prop_assert_eq!(percent_decode_str(steps[1]).decode_utf8().unwrap(), value.as_str());
            let pairs: Vec<(String, String)> = filled.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, [("q".to_owned(), value), ("k".to_owned(), "1".to_owned())]);
        }
    }
}
