//! Where a macaroon of lnd's begins in a text, however its bytes are written there: encoded, in groups, as numbers of any base, with
//! escapes, as a dump shows them.

/// What lnd's macaroons begin with: version 2, and `lnd` as the location.
pub(super) const BYTES: &[u8; 6] = b"\x02\x01\x03lnd";
/// In hex, and in both kinds of base32: in small letters.
const HEX: [&str; 3] = ["0201036c6e64", "aiaqg3dom", "080g6r3ec"];
/// In base64; and hex in base64.
const BASE64: [&str; 2] = ["AgEDbG5k", "MDIwMTAzNmM2ZTY0"];

/// The bases and sizes of the numbers that dumps are made of: a byte each, or words of several.
const RADIXES: [u32; 4] = [16, 10, 8, 2];
const WORD_BYTES: [usize; 4] = [1, 2, 4, 8];

/// Where the macaroon begins.
pub(super) fn beginning(text: &str) -> Option<usize> {
    [in_groups(text), with_escapes(text), as_numbers(text)].into_iter().flatten().min()
}

/// Encoded in one piece, or in groups with anything between.
fn in_groups(text: &str) -> Option<usize> {
    let letters = text.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric());
    let (places, run): (Vec<usize>, String) = letters.unzip();
    let lower = run.to_ascii_lowercase();
    let in_base64 = BASE64.iter().filter_map(|begins| run.find(begins));
    let found = HEX.iter().filter_map(|begins| lower.find(begins)).chain(in_base64).min();
    found.map(|at| places[at])
}

/// As a string of a programming language or of a URL has it: `\x02`, `\u0002`, `\002`, `%02`, and what is printable as it is.
fn with_escapes(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut starts = (0..bytes.len()).filter(|at| matches!(bytes[*at], b'\\' | b'%'));
    let begins = |at: &usize| {
        let mut rest = &bytes[*at..];
        BYTES.iter().all(|wanted| {
            let Some((byte, length)) = unescaped(rest) else { return false };
            rest = &rest[length..];
            byte == u32::from(*wanted)
        })
    };
    starts.find(begins)
}

/// The byte that a text begins with, and how many characters say it.
fn unescaped(text: &[u8]) -> Option<(u32, usize)> {
    let number = |from: usize, length: usize, radix: u32| {
        let digits = std::str::from_utf8(text.get(from..from + length)?).ok()?;
        Some((u32::from_str_radix(digits, radix).ok()?, from + length))
    };
    // A backslash may be escaped itself.
    let slashes = text.iter().take_while(|byte| **byte == b'\\').count();
    match (slashes, text.get(slashes)?) {
        (0, b'%') => number(1, 2, 16),
        (0, byte) => Some((u32::from(*byte), 1)),
        (_, b'x' | b'X') => number(slashes + 1, 2, 16),
        (_, b'u') => number(slashes + 1, 4, 16),
        (_, _) => {
            let digits = text[slashes..].iter().take(3).take_while(|byte| (b'0'..b'8').contains(byte)).count();
            number(slashes, digits, 8)
        }
    }
}

/// As a row of numbers.
fn as_numbers(text: &str) -> Option<usize> {
    let (places, words): (Vec<usize>, Vec<&str>) = numbers(text).unzip();
    let begins = |at: &usize| {
        let mut forms = RADIXES.iter().flat_map(|radix| WORD_BYTES.map(|bytes| (*radix, bytes)));
        forms.any(|(radix, bytes)| [true, false].iter().any(|big| is_begun(&words[*at..], radix, bytes, *big)))
    };
    (0..words.len()).filter(|at| may_begin(words[*at])).find(begins).map(|at| places[at])
}

/// Whether a number has the first bytes in it, in any size and order: most words of a text are told apart by that.
fn may_begin(word: &str) -> bool {
    let mut numbers = RADIXES.iter().filter_map(|radix| u64::from_str_radix(word, *radix).ok());
    numbers.any(|number| {
        matches!(number, 2 | 0x0201 | 0x0102 | 0x0201_036c | 0x6c03_0102)
            || number >> 16 == 0x0201_036c_6e64
            || number & 0xffff_ffff_ffff == 0x646e_6c03_0102
    })
}

/// The words of a text that may be numbers, `0x` taken off, and where each stands.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(move |piece| {
        let start = end;
        end += piece.len();
        (start, piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
    });
    let words = words.filter(|(_, word)| !word.is_empty());
    words.map(|(at, word)| (at, word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word)))
}

fn is_begun(words: &[&str], radix: u32, word_bytes: usize, is_big_endian: bool) -> bool {
    let mut read = 0;
    for word in words {
        // `od -c` shows what is printable as it is.
        let letter =
            || Some(word.as_bytes()).filter(|word| word.len() == 1 && radix == 8).map(|word| u64::from(word[0]));
        let Some(number) = u64::from_str_radix(word, radix).ok().or_else(letter) else { return false };
        let all = number.to_le_bytes();
        let (bytes, beyond) = all.split_at(word_bytes);
        let mut bytes = bytes.to_vec();
        if is_big_endian {
            bytes.reverse();
        }
        let wanted = &BYTES[read..];
        let length = wanted.len().min(word_bytes);
        if beyond.iter().any(|byte| *byte != 0) || bytes[..length] != wanted[..length] {
            return false;
        }
        read += length;
        if read == BYTES.len() {
            return true;
        }
    }
    false
}

/// What encoded text is written with.
pub(super) const fn is_of_text(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=')
}
