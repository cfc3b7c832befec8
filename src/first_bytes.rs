//! Whether so many first bytes of a file are words, and so no video, picture or sound.

use crate::media;

/// Whether it is a page or a message: text in UTF-8, UTF-16 or one byte a letter, that is no picture and no playlist.
#[must_use]
pub fn are_words(bytes: &[u8]) -> bool {
    media::recognise(bytes).is_none() && (is_page(bytes) || reads_as_text(bytes)) && !is_media_text(bytes)
}

/// Without blanks, comments and what tells its encoding.
fn beginning(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    while let Some(comment) = rest.strip_prefix(b"<!--") {
        let Some(end) = comment.windows(3).position(|three| three == b"-->") else { break };
        rest = comment.get(end + 3..).unwrap_or_default().trim_ascii_start();
    }
    rest
}

/// Whether it begins as a page of HTML.
#[must_use]
pub fn is_page(bytes: &[u8]) -> bool {
    let start: Vec<u8> = beginning(bytes).iter().take(14).map(u8::to_ascii_lowercase).collect();
    [&b"<!doctype html"[..], b"<html", b"<head>", b"<body"].iter().any(|tag| start.starts_with(tag))
}

/// Pictures and playlists may be text.
fn is_media_text(bytes: &[u8]) -> bool {
    let start = beginning(bytes);
    let has = |tag: &[u8]| start.windows(tag.len()).any(|there| there == tag);
    start.starts_with(b"#EXTM3U") || (start.starts_with(b"<") && (has(b"<svg") || has(b"<MPD")))
}

/// Whether so many first bytes are words: a character at their end may be cut.
fn reads_as_text(bytes: &[u8]) -> bool {
    is_utf8(bytes) || is_utf16(bytes) || is_of_one_byte_each(bytes)
}

fn is_sign(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
}

fn is_utf8(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(is_sign)
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

/// As ISO-8859 and Windows write: some letter is none of UTF-8, and most are of ASCII.
fn is_of_one_byte_each(bytes: &[u8]) -> bool {
    let ascii = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace()).count();
    ascii > bytes.len() / 2 && !bytes.iter().any(|byte| byte.is_ascii() && is_sign(char::from(*byte)))
}
