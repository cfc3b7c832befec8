//! Whether so many first bytes of a file are words, and so no video, picture or sound.

use crate::media;

/// A message is shorter than this, and so is no film of a kind that nobody knows.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Of so many bytes one may be a sign that no text has.
const BYTES_A_SIGN: usize = 64;
/// It begins an escape sequence, as terminals and ISO-2022 have them.
const ESCAPE: u8 = 0x1b;

/// Whether it is a page or a message: text, in whatever encoding, that is no picture and no playlist.
#[must_use]
pub fn are_words(bytes: &[u8]) -> bool {
    media::recognise(bytes).is_none() && reads_as_text(bytes)
}

/// Whether it begins as a page of HTML.
#[must_use]
pub fn is_page(bytes: &[u8]) -> bool {
    let is_html = |text: &[u8]| {
        let start: Vec<u8> = text.iter().take(14).map(u8::to_ascii_lowercase).collect();
        [&b"<!doctype html"[..], b"<html", b"<head>", b"<body"].iter().any(|tag| start.starts_with(tag))
    };
    is_html(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start()) || is_html(media::markup(bytes))
}

/// Whether so many first bytes are words: a character at their end may be cut.
fn reads_as_text(bytes: &[u8]) -> bool {
    is_utf16(bytes) || (has_few_signs(bytes) && (is_utf8(bytes) || is_of_bytes(bytes)))
}

/// Whether hardly any byte is one that no text has: of what is no text every tenth is.
fn has_few_signs(bytes: &[u8]) -> bool {
    let is_sign = |byte: &&u8| **byte != ESCAPE && is_sign(char::from(**byte)) && byte.is_ascii();
    bytes.iter().filter(is_sign).count() <= bytes.len() / BYTES_A_SIGN + 1
}

fn is_sign(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

fn is_utf8(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(text) => !text.is_empty(),
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// As other encodings write, a byte or two a letter. Of what is long most is ASCII.
fn is_of_bytes(bytes: &[u8]) -> bool {
    let ascii = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace()).count();
    !bytes.is_empty() && (bytes.len() < MESSAGE_BYTES_MAX || ascii > bytes.len() / 2)
}

/// With the mark at its beginning; without it, of letters in ASCII alone.
fn is_utf16(bytes: &[u8]) -> bool {
    let units =
        |read: fn([u8; 2]) -> u16| bytes.chunks_exact(2).filter_map(|two| two.try_into().ok()).map(read).collect();
    let orders: [Vec<u16>; 2] = [units(u16::from_le_bytes), units(u16::from_be_bytes)];
    orders.iter().any(|units| match units.as_slice() {
        [0xfeff, text @ ..] if !text.is_empty() => {
            let read: Vec<_> = char::decode_utf16(text.iter().copied()).collect();
            // A pair may be cut.
            let whole = read.split_last().map_or(&[][..], |(_, before)| before);
            whole.iter().chain(read.last().filter(|last| last.is_ok())).all(|c| c.as_ref().is_ok_and(|c| !is_sign(*c)))
        }
        text => {
            let is_letter = |unit: &u16| u8::try_from(*unit).is_ok_and(|byte| byte.is_ascii() && !is_sign(byte.into()));
            text.len() > 3 && text.iter().all(is_letter)
        }
    })
}
