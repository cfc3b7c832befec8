//! Splits `WWW-Authenticate` header lines into schemes and their parameters, leniently: a word followed by `=` is a
//! parameter, any other word begins a new scheme; values may be quoted doubly, singly or not at all.

use std::borrow::Cow;

/// All header lines together may be this long, in bytes.
pub(super) const HEADER_BYTES_MAX: usize = 32 * 1024;
/// So many parameters are read over all schemes.
const PARAMS_MAX: usize = 128;
/// So many schemes are read.
const SCHEMES_MAX: usize = 32;

/// One scheme and its parameters, names and values as received, quotes removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    pub(super) scheme: &'a str,
    pub(super) params: Vec<(&'a str, Cow<'a, str>)>,
}

/// What the lines hold.
pub(super) enum Scan<'a> {
    /// Every scheme, in order of arrival.
    Offers(Vec<Offer<'a>>),
    /// More than any answer needs.
    Overlong,
    /// A quoted value has no end.
    Unterminated,
}

/// Splits all lines. A scheme never goes on in the next line.
pub(super) fn scan<'a>(lines: impl IntoIterator<Item = &'a str>) -> Scan<'a> {
    let mut offers = Vec::new();
    let (mut bytes, mut params) = (0_usize, 0_usize);
    for line in lines {
        bytes = bytes.saturating_add(line.len());
        if bytes > HEADER_BYTES_MAX {
            return Scan::Overlong;
        }
        let line_begins = offers.len();
        let mut rest = skip_separators(line);
        while !rest.is_empty() {
            let Some(item) = next_item(rest) else { return Scan::Unterminated };
            match item.what {
                Item::Word("") => {}
                Item::Word(scheme) => offers.push(Offer { scheme, params: Vec::new() }),
                Item::Param(name, value) => {
                    params += 1;
                    // A parameter before any scheme of its line belongs to nothing.
                    if let Some(offer) = offers.get_mut(line_begins..).and_then(<[_]>::last_mut) {
                        offer.params.push((name, value));
                    }
                }
            }
            if offers.len() > SCHEMES_MAX || params > PARAMS_MAX {
                return Scan::Overlong;
            }
            rest = skip_separators(item.rest);
        }
    }
    Scan::Offers(offers)
}

enum Item<'a> {
    Word(&'a str),
    Param(&'a str, Cow<'a, str>),
}

struct Next<'a> {
    what: Item<'a>,
    rest: &'a str,
}

/// The item at the beginning of a text that is not empty; it takes at least one character. Nothing where a quoted
/// value has no end.
fn next_item(text: &str) -> Option<Next<'_>> {
    let (word, rest) = split_where(text, |c| is_separator(c) || matches!(c, '=' | '"' | '\''));
    let after = rest.trim_start_matches(is_space);
    if let Some(value) = after.strip_prefix('=').filter(|_| !word.is_empty()) {
        let (value, rest) = value_at(value.trim_start_matches(is_space))?;
        return Some(Next { what: Item::Param(word, value), rest });
    }
    if word.is_empty() {
        // A stray quote or `=`: passed over.
        let mut chars = rest.chars();
        chars.next();
        return Some(Next { what: Item::Word(""), rest: chars.as_str() });
    }
    Some(Next { what: Item::Word(word), rest })
}

fn value_at(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        return double_quoted(quoted);
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'')?;
        return Some((Cow::Borrowed(value), rest));
    }
    let (value, rest) = split_where(text, is_separator);
    Some((Cow::Borrowed(value), rest))
}

/// A quoted-string (RFC 9110 section 5.6.4) after its opening quote: a backslash takes the next character as it is.
fn double_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut unescaped: Option<String> = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let value = unescaped.map_or_else(|| Cow::Borrowed(&text[..at]), Cow::Owned);
                return Some((value, chars.as_str()));
            }
            '\\' => {
                let (_, escaped) = chars.next()?;
                unescaped.get_or_insert_with(|| text[..at].to_owned()).push(escaped);
            }
            other => {
                if let Some(value) = &mut unescaped {
                    value.push(other);
                }
            }
        }
    }
    None
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

fn skip_separators(text: &str) -> &str {
    text.trim_start_matches(is_separator)
}

const fn is_separator(c: char) -> bool {
    c == ',' || is_space(c)
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
