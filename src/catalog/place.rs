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

    /// Whether it is in the address.
    #[must_use]
    pub const fn is_in_address(self) -> bool {
        match self {
            Self::Path | Self::Query => true,
            Self::Usual | Self::Unsent => false,
        }
    }
}

/// Whether a text can be a step of a path: none that leads elsewhere, not even at a server that decodes it before it looks for steps.
pub(super) fn is_step(text: &str) -> bool {
    let is_dots = |piece: &str| !piece.is_empty() && piece.bytes().all(|byte| byte == b'.');
    !text.is_empty() && !text.split(['/', '\\']).any(is_dots)
}

/// A piece of an address.
enum Piece<'a> {
    Text(&'a str),
    /// What may be the place of the parameter of that name, and as it is written.
    Of(Cow<'a, str>, &'a str),
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
                let written = rest.strip_suffix(after).unwrap_or(rest);
                rest = after;
                Piece::Of(percent_decode_str(name).decode_utf8_lossy(), written)
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
        Piece::Of(name, _) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The names in braces in an address, encoded or not, each with where that is.
pub(super) fn places(url: &Url) -> Vec<(Place, String)> {
    let of = |place: Place, part: &str| names(part).map(|name| (place, name.into_owned())).collect::<Vec<_>>();
    let mut all = of(Place::Path, url.path());
    all.extend(of(Place::Query, url.query().unwrap_or_default()));
    all
}

/// The places in an address as a person wrote it. Braces that are encoded there, and empty ones, stand for themselves.
pub(super) fn written(text: &str) -> Vec<(Place, String)> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let of = |place: Place, part: &str| {
        let inner = part.split('{').skip(1).filter_map(|after| Some(after.split_once('}')?.0));
        let names = inner.filter(|name| !name.is_empty());
        names.map(|name| (place, percent_decode_str(name).decode_utf8_lossy().into_owned())).collect::<Vec<_>>()
    };
    let mut all = of(Place::Path, path);
    all.extend(of(Place::Query, query));
    all
}

/// Whether a step of the path has places for more than one: dots and dots would make two dots.
pub(super) fn has_crowded_step(url: &Url, is_place: &dyn Fn(&str) -> bool) -> bool {
    url.path().split('/').any(|step| names(step).filter(|name| is_place(name)).nth(1).is_some())
}

/// Those places that share their pair of the query with another: of one alone that is not given, the other's value would go with it.
pub(super) fn paired(url: &Url, is_place: &dyn Fn(&str) -> bool) -> Vec<String> {
    let pairs = url.query().unwrap_or_default().split('&');
    let of_pair = pairs.map(|pair| names(pair).filter(|name| is_place(name)).collect::<Vec<_>>());
    of_pair.filter(|names| names.len() > 1).flatten().map(Cow::into_owned).collect()
}

/// The address with the values in its places. Of a query, what holds a place for a value that is not given is left out; what is no place is
/// sent as it is written, braces and all.
pub(super) fn filled(url: &Url, is_place: &dyn Fn(&str) -> bool, value_of: &dyn Fn(&str) -> Option<String>) -> Url {
    let mut filled = url.clone();
    let has_place = |part: &str| names(part).any(|name| is_place(&name));
    if has_place(url.path())
        && let Some(path) = fill(url.path(), is_place, value_of)
    {
        filled.set_path(&path);
    }
    if let Some(query) = url.query().filter(|query| has_place(query)) {
        let pairs: Vec<String> = query.split('&').filter_map(|pair| fill(pair, is_place, value_of)).collect();
        filled.set_query(Some(pairs.join("&").as_str()).filter(|query| !query.is_empty()));
    }
    filled
}

fn fill(part: &str, is_place: &dyn Fn(&str) -> bool, value_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    pieces(part)
        .map(|piece| match piece {
            Piece::Of(name, _) if is_place(&name) => Some(utf8_percent_encode(&value_of(&name)?, RESERVED).to_string()),
            Piece::Text(text) | Piece::Of(_, text) => Some(text.to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled_with(url: &str, values: &[(&str, &str)]) -> String {
        let url = Url::parse(url).unwrap();
        let value_of =
            |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        filled(&url, &|name| name != "literal", &value_of).into()
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
            ("https://a.example/{v}/x?voice={v}", &[("v", "a b")], "https://a.example/a%20b/x?voice=a%20b"),
            ("https://a.example/{literal}/{v}", &[("v", "1")], "https://a.example/%7Bliteral%7D/1"),
            ("https://a.example/x?q={literal}&v={v}", &[("v", "1")], "https://a.example/x?q={literal}&v=1"),
        ] {
            assert_eq!(filled_with(url, values), expected, "{url}");
        }
        // Without a parameter in it, an address stays as it is written.
        let braces = Url::parse("https://a.example/{a}?b={c}").unwrap();
        assert_eq!(filled(&braces, &|_| false, &|_| None), braces);
        let crowded = |url: &str| has_crowded_step(&Url::parse(url).unwrap(), &|name| name != "literal");
        assert!(crowded("https://a.example/{a}{b}"));
        assert!(!crowded("https://a.example/{a}/{b}") && !crowded("https://a.example/{a}{literal}"));
        for text in ["", ".", "..", "../admin", "a/../b", "a\\..", "./"] {
            assert!(!is_step(text), "{text}");
        }
        assert!(is_step("...a") && is_step("a/b") && is_step("/a") && is_step("a..b/c"));
        let said = |text: &str| written(text).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(said("https://a.example/{a}/%7Bb%7D/{}?x={c}&y={gr%C3%B6%C3%9Fe}"), ["a", "c", "größe"]);
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
