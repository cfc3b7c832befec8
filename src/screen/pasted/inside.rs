//! What encoded text says once it is decoded: a macaroon, from its beginning or cut, or once more encoded text that says one.

use super::notation::{BYTES, is_of_text};

/// Encoded text is taken apart so often: once, and what it says once more.
const LAYERS: u8 = 2;

/// So much of a text tells whether a macaroon begins there.
const BEGINNING_CHARS: usize = 256;

/// A macaroon of another maker than lnd is told from a name by its length too.
const MACAROON_BYTES_MIN: usize = 40;

/// The fields of a macaroon of version 2.
const VERSION: u8 = 2;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;

/// What the first packet of a macaroon of version 1 says, behind its length in four digits.
const PACKETS: [&[u8]; 2] = [b"location ", b"identifier "];

/// What stands in the middle of lnd's: what it allows, with the length before it.
const RIGHTS: [&[u8]; 4] = [b"\x12\x04read", b"\x12\x05write", b"\x12\x08generate", b"\x0a\x03uri\x12"];

/// What stands at the end of one of version 2: two ends, and a signature of so many bytes.
const BEFORE_SIGNATURE: &[u8] = b"\x00\x00\x06\x20";
const SIGNATURE_BYTES: usize = 32;

/// Whether encoded text begins with a macaroon; how that goes on may be cut off.
pub(super) fn begins_macaroon(run: &str) -> bool {
    begins(run.get(..BEGINNING_CHARS).unwrap_or(run), LAYERS)
}

fn begins(run: &str, layers: u8) -> bool {
    let digits = run.strip_prefix("0x").or_else(|| run.strip_prefix("0X")).unwrap_or(run);
    [hex(digits), base64(run)].iter().any(|bytes| {
        let is_one = bytes.starts_with(BYTES) || is_version_1(bytes) || is_version_2(bytes);
        is_one || (layers > 1 && text_of(bytes).is_some_and(|text| begins(text.trim(), layers - 1)))
    })
}

/// Whether encoded text begins with a private key, in binary form or once more as PEM.
pub(super) fn begins_private_key(run: &str) -> bool {
    let run = run.get(..BEGINNING_CHARS).unwrap_or(run);
    [hex(run), base64(run)].iter().any(|bytes| {
        is_private_key(bytes)
            || text_of(bytes).is_some_and(|text| text.contains("-BEGIN") && text.contains("PRIVATE KEY"))
    })
}

/// A sequence of a version and a key, or of what kind of key it is. A certificate begins with a sequence in a sequence.
pub(super) fn is_private_key(bytes: &[u8]) -> bool {
    let ([0x30, 0..=0x7f, rest @ ..] | [0x30, 0x81, _, rest @ ..] | [0x30, 0x82, _, _, rest @ ..]) = bytes else {
        return false;
    };
    matches!(rest, [2, 1, 0, 0x30 | 2, ..] | [2, 1, 1, 0x30 | 4, ..])
}

/// Whether a part of a macaroon stands in encoded text whose beginning is cut off.
pub(super) fn holds_part(run: &str) -> bool {
    holds(run, LAYERS)
}

fn holds(run: &str, layers: u8) -> bool {
    // Where the first character stood in its group is not known.
    let hexes = (0..2).filter_map(|at| run.get(at..)).map(hex);
    let decoded = hexes.chain((0..4).filter_map(|at| run.get(at..)).map(base64));
    let is_part = |bytes: &Vec<u8>| {
        let is_there = |part: &&[u8]| bytes.windows(part.len()).any(|window| window == *part);
        let end = bytes.len().checked_sub(SIGNATURE_BYTES).map_or(&[][..], |end| &bytes[..end]);
        is_there(&&BYTES[..]) || RIGHTS.iter().any(is_there) || end.ends_with(BEFORE_SIGNATURE)
    };
    let in_text = |text: &str| text.split(|c| !is_of_text(c)).any(|run| holds(run, layers - 1));
    decoded.into_iter().any(|bytes| is_part(&bytes) || (layers > 1 && text_of(&bytes).is_some_and(in_text)))
}

/// Packets: a length, a name, a value.
fn is_version_1(bytes: &[u8]) -> bool {
    let (length, rest) = bytes.split_at(bytes.len().min(4));
    length.iter().all(u8::is_ascii_hexdigit) && PACKETS.iter().any(|packet| rest.starts_with(packet))
}

/// Fields: where it is from, which may be left out, and what it is.
fn is_version_2(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(&[VERSION]).filter(|_| bytes.len() >= MACAROON_BYTES_MIN) else { return false };
    let (location, rest) = field(rest, LOCATION).unwrap_or((&[], rest));
    let is_followed =
        |(identifier, rest): (&[u8], &[u8])| !identifier.is_empty() && rest.first().is_none_or(|end| *end == 0);
    location.iter().all(u8::is_ascii_graphic) && field(rest, IDENTIFIER).is_some_and(is_followed)
}

/// The field of that kind, as much as there is of it, and what follows it.
fn field(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(&[kind])?;
    // No field that there is in practice is longer than what two groups of seven bits say.
    let (length, rest) = match rest {
        [low @ 0..0x80, rest @ ..] => (usize::from(*low), rest),
        [low, high @ 0..0x80, rest @ ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, rest),
        _ => return None,
    };
    Some(rest.split_at(length.min(rest.len())))
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// The bytes that a text begins with in hex.
fn hex(text: &str) -> Vec<u8> {
    let digits = text.chars().map_while(|c| c.to_digit(16)).collect::<Vec<_>>();
    digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok()).collect()
}

/// The bytes that a text begins with in base64, in either alphabet.
fn base64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let values: Vec<u8> = text.bytes().map_while(value).collect();
    let group = |group: &[u8]| {
        let bits = (0..4).fold(0, |bits, nth| bits << 6 | u32::from(group.get(nth).copied().unwrap_or(0)));
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(group.len().saturating_sub(1))
    };
    values.chunks(4).flat_map(group).collect()
}
