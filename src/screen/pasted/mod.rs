//! Secrets that a person pasted where something else belongs: what was typed is remembered, and nothing of it is printed.

mod notation;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{LazyLock, PoisonError, RwLock};

use crate::encoded_text::one_line;

/// What lnd's macaroons begin with, in hex and in base64: version 2, and `lnd` as the location.
const BEGINNINGS: [&str; 2] = ["0201036c6e64", "AgEDbG5k"];

/// A macaroon of another maker is told from a name by its length too.
const MACAROON_CHARS_MIN: usize = 80;

/// What is encoded has at least so many characters in one piece.
const ENCODED_CHARS_MIN: usize = 40;

/// A dump has at least so many numbers in a row, each of a byte or a few.
const DUMP_NUMBERS_MIN: usize = 16;
const DUMP_NUMBER_CHARS_MAX: usize = 8;

/// Lengths of hex that a person types and that are no secret: a commit's name, a digest or a payment hash, a node's key.
const KNOWN_HEX_CHARS: [usize; 3] = [40, 64, 66];

/// So many letters and digits of a secret in a row are not printed, wherever they stand and whatever stands between them.
const PART_LETTERS: usize = 12;

/// A line of what is wrapped is hidden by itself where it is so long; what is shorter is nothing to go by.
const SHORT_CHARS_MIN: usize = 4;

/// Of the process: it has one person who types.
static REMEMBERED: LazyLock<RwLock<Kept>> = LazyLock::new(RwLock::default);

/// What is not to be printed, in small letters.
#[derive(Default)]
struct Kept {
    parts: HashSet<[u8; PART_LETTERS]>,
    /// Words shorter than a part: hidden where they stand alone.
    short: HashSet<String>,
}

/// Where a text was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedAs {
    /// The value of an option that names a macaroon: whatever is encoded there is likely the macaroon itself, or a part of it.
    Macaroon,
    /// Anything else, also names and paths, which may hold long identifiers: a macaroon is known by how it begins.
    Anything,
}

/// Remembers what of this text, typed by a person, is a secret. Whatever is printed from now on shows none of it.
pub fn remember(typed: &str, typed_as: TypedAs) {
    let found = secrets(typed, typed_as);
    if !found.is_empty() {
        let mut kept = REMEMBERED.write().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().for_each(|secret| kept.keep(secret));
    }
}

/// Remembers a text of which nothing may be printed.
pub fn hide(typed: &str) {
    REMEMBERED.write().unwrap_or_else(PoisonError::into_inner).keep(typed);
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

/// Whether a text is a macaroon, as far as one can see without decoding it: what is pasted may be cut, wrapped, a dump, or have
/// something before it.
#[must_use]
pub fn looks_like_macaroon(text: &str) -> bool {
    !macaroons(text).is_empty()
}

/// Whether a macaroon's own bytes stand in what was typed, as a shell pastes them. No text that is printed of it can be veiled.
#[must_use]
pub fn holds_binary_macaroon(typed: &[u8]) -> bool {
    typed.windows(notation::BYTES.len()).any(|window| window == notation::BYTES)
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.short.is_empty()
    }

    fn keep(&mut self, secret: &str) {
        let letters: Vec<u8> = letters(secret).map(|(_, letter)| letter).collect();
        let parts = letters.windows(PART_LETTERS).filter_map(|part| part.try_into().ok());
        self.parts.extend(parts.filter(is_telling));
        let short = secret.lines().map(str::trim).filter(|line| (SHORT_CHARS_MIN..PART_LETTERS).contains(&line.len()));
        self.short.extend(short.filter(|line| line.chars().all(is_of_text)).map(str::to_ascii_lowercase));
    }

    fn veil<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut hidden = vec![false; text.len()];
        let (places, letters): (Vec<usize>, Vec<u8>) = letters(text).unzip();
        for (nth, part) in letters.windows(PART_LETTERS).enumerate() {
            if self.parts.contains(part) {
                // What is between words stays, so that a document of JSON is still one.
                places[nth..nth + PART_LETTERS].iter().for_each(|at| hidden[*at] = true);
                let between = places[nth]..places[nth + PART_LETTERS - 1];
                between.for_each(|at| hidden[at] |= is_between(text.as_bytes()[at]));
            }
        }
        self.short_in(text).for_each(|word| hidden[word].fill(true));
        if !hidden.contains(&true) {
            return Cow::Borrowed(text);
        }
        // What is hidden is ASCII: no character is hidden by half.
        Cow::Owned(text.char_indices().map(|(at, c)| if hidden[at] { '*' } else { c }).collect())
    }

    fn short_in(&self, text: &str) -> impl Iterator<Item = Range<usize>> {
        let mut end = 0;
        let words = text.split_inclusive(|c| !is_of_text(c)).map(move |word| {
            let start = end;
            end += word.len();
            start..start + word.trim_end_matches(|c| !is_of_text(c)).len()
        });
        words.filter(|word| self.short.contains(&text[word.clone()].to_ascii_lowercase()))
    }
}

/// Zeros in a row, and the like, are no secret.
fn is_telling(part: &[u8; PART_LETTERS]) -> bool {
    part.iter().any(|letter| *letter != part[0])
}

/// The letters and digits of a text, in small letters, and where each stands. A line end or a tab that is written as `\n`, `\r`,
/// `\t` is none.
fn letters(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut is_escaped = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        let is_blank = is_escaped && matches!(byte, b'n' | b'r' | b't');
        is_escaped = byte == b'\\';
        (byte.is_ascii_alphanumeric() && !is_blank).then(|| (at, byte.to_ascii_lowercase()))
    })
}

/// What looks like a secret in a text.
fn secrets(typed: &str, typed_as: TypedAs) -> Vec<&str> {
    let mut found = macaroons(typed);
    if typed_as == TypedAs::Macaroon {
        found.extend(runs(typed, typed_as));
        found.extend(Some(value(typed)).filter(|value| is_dump(value)));
    }
    found
}

/// The macaroons in a text that can be told by how they begin.
fn macaroons(typed: &str) -> Vec<&str> {
    let mut found = runs(typed, TypedAs::Anything);
    found.extend(notation::beginning(typed).map(|at| &typed[at..at + length(&typed[at..])]));
    // Of another maker and in groups: as the macaroon's own file may be, read as that is.
    let values = typed.lines().chain(std::iter::once(typed)).map(value);
    let is_read = |value: &&str| String::from_utf8(one_line(value.as_bytes())).is_ok_and(|line| is_macaroon(&line));
    found.extend(values.filter(is_read));
    found
}

/// Whether a run of encoded text is a macaroon from its beginning to its end.
fn is_macaroon(run: &str) -> bool {
    run.chars().all(is_of_text) && macaroon_in(run) == Some(0)
}

/// What follows an option's or a key's name.
fn value(typed: &str) -> &str {
    typed.split_once('=').filter(|(name, _)| name.chars().all(is_of_name)).map_or(typed, |(_, value)| value)
}

/// Options and keys are written in small letters; what is encoded, hardly ever.
const fn is_of_name(c: char) -> bool {
    c.is_ascii_lowercase() || matches!(c, '-' | '_' | ' ')
}

/// How much of a text belongs to the macaroon that it begins with: all but what a configuration file has below it.
fn length(typed: &str) -> usize {
    let mut lines = typed.split_inclusive('\n');
    let first = lines.next().map_or(0, str::len);
    first + lines.take_while(|line| !is_of_file(line.trim())).map(str::len).sum::<usize>()
}

/// Whether a line is a configuration file's own: a key, a table, a comment, the end of a text.
fn is_of_file(line: &str) -> bool {
    let is_key = line
        .split_once('=')
        .is_some_and(|(name, value)| name.chars().all(is_of_name) && !value.is_empty() && !value.starts_with('='));
    is_key || ["[", "#", "\"\"\"", "'''"].iter().any(|begins| line.starts_with(begins))
}

/// Whether a text is nothing but numbers, as `xxd`, `od` and the like print bytes.
fn is_dump(text: &str) -> bool {
    let is_number = |number: &str| number.len() <= DUMP_NUMBER_CHARS_MAX && u64::from_str_radix(number, 16).is_ok();
    let mut numbers = notation::numbers(text).map(|(_, number)| number);
    numbers.all(is_number) && notation::numbers(text).count() >= DUMP_NUMBERS_MIN
}

/// Where in a run of encoded text a macaroon begins.
fn macaroon_in(run: &str) -> Option<usize> {
    let lower = run.to_ascii_lowercase();
    let signed = lower.find(BEGINNINGS[0]).or_else(|| run.find(BEGINNINGS[1]));
    let starts = std::iter::once(0).chain(run.match_indices(['/', '=']).map(|(at, _)| at + 1));
    // Version 2 in hex, and in base64 with the kind of the field that follows.
    let begins = |at: &usize| ["02", "Ag", "0x02", "0X02"].iter().any(|beginning| run[*at..].starts_with(beginning));
    signed.or_else(|| starts.filter(begins).find(|at| run.len() - at >= MACAROON_CHARS_MIN && is_mixed(&run[*at..])))
}

/// What looks like a secret in a text, in pieces without white space.
fn runs(typed: &str, typed_as: TypedAs) -> Vec<&str> {
    let mut found = Vec::new();
    let mut goes_on = false;
    for word in typed.split_whitespace() {
        let is_line_of_it = goes_on && word.chars().all(is_of_text) && is_mixed(word);
        let mut is_begun = false;
        goes_on = false;
        for run in word.split(|c| !is_of_text(c)) {
            // In a file a line end may be written as `\n`: what follows a secret in one word is more of it.
            let is_more = is_line_of_it || (is_begun && run.len() >= PART_LETTERS);
            let secret = if is_more { Some(run) } else { secret_in(run, typed_as) };
            if let Some(secret) = secret {
                found.push(secret);
                is_begun = true;
                // The next line of what is wrapped.
                goes_on = word.ends_with(secret);
            }
        }
    }
    found
}

fn secret_in(run: &str, typed_as: TypedAs) -> Option<&str> {
    if let Some(at) = macaroon_in(run) {
        return Some(&run[at..]);
    }
    if typed_as == TypedAs::Anything {
        return None;
    }
    let whole = Some(run).filter(|run| is_encoded(run));
    whole.or_else(|| run.split(['/', '=']).find(|part| is_encoded(part)))
}

/// Whether a run is more likely the encoding of something than a name or a path.
fn is_encoded(run: &str) -> bool {
    let digits = run.strip_prefix("0x").or_else(|| run.strip_prefix("0X")).unwrap_or(run);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex {
        return digits.len() >= ENCODED_CHARS_MIN && !KNOWN_HEX_CHARS.contains(&digits.len());
    }
    run.len() >= ENCODED_CHARS_MIN && is_mixed(run) && run.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Whether small letters, capitals and digits follow each other as in nothing that a person writes: in names the kind changes
/// with each word, in what is encoded with nearly every second character.
fn is_mixed(run: &str) -> bool {
    let kinds: Vec<u8> = run.bytes().filter(u8::is_ascii_alphanumeric).map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changes * 5 >= kinds.len() * 2 || run.bytes().all(|byte| byte.is_ascii_hexdigit())
}

const fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    }
}

/// What stands between the letters of what is encoded.
const fn is_between(byte: u8) -> bool {
    matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

const fn is_of_text(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=')
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use data_encoding::{BASE32, BASE32HEX, BASE64, BASE64URL, HEXLOWER, HEXUPPER};

    use super::*;

    /// A macaroon of lnd's make.
    fn macaroon() -> Vec<u8> {
        noise([2, 1, 3].into_iter().chain(*b"lnd"))
    }

    fn noise(beginning: impl Iterator<Item = u8>) -> Vec<u8> {
        let noise = (0..200u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
        beginning.chain(noise).collect()
    }

    fn kept(typed: &str, typed_as: TypedAs) -> Kept {
        let mut kept = Kept::default();
        secrets(typed, typed_as).into_iter().for_each(|secret| kept.keep(secret));
        kept
    }

    fn in_pieces(text: &str, length: usize, separator: &str) -> String {
        let pieces: Vec<&str> =
            text.as_bytes().chunks(length).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        pieces.join(separator)
    }

    /// One word a byte, or more.
    fn numbers(size: usize, separator: &str, number: impl Fn(&[u8]) -> String) -> String {
        macaroon().chunks(size).map(number).collect::<Vec<_>>().join(separator)
    }

    /// As `xxd` and `hexdump -C` print it.
    fn with_offsets(group: usize, end: &str) -> String {
        let mut dump = String::new();
        for (nth, line) in macaroon().chunks(16).enumerate() {
            let seen: String =
                line.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
            let hex = in_pieces(&HEXLOWER.encode(line), group, " ");
            writeln!(dump, "{:08x}: {hex}  {seen}{end}", nth * 16).unwrap();
        }
        dump
    }

    /// Whether a part of the secret can still be read.
    fn shows(text: &str, secret: &str) -> bool {
        let plain = |text: &str| letters(text).map(|(_, letter)| char::from(letter)).collect::<String>();
        let (text, secret) = (plain(text), plain(secret));
        (0..secret.len().saturating_sub(16))
            .map(|at| &secret[at..at + 16])
            .any(|part| !part.contains("000000") && text.contains(part))
    }

    fn is_hidden(typed: &str, secret: &str) {
        let kept = kept(typed, TypedAs::Anything);
        let cut: String = typed.chars().take(300).collect();
        let on_one_line = typed.replace('\n', " ");
        let shown = [format!("no file {typed} there"), format!("{typed:?}"), format!("/etc/{cut}…/x"), on_one_line];
        for printed in shown {
            let shown = kept.veil(&printed);
            assert!(!shows(&shown, secret), "{printed}: {shown}");
        }
        let json = serde_json::to_string(&["a.csv", typed]).unwrap();
        serde_json::from_str::<Vec<String>>(&kept.veil(&json)).unwrap();
        assert!(looks_like_macaroon(typed), "{typed}");
    }

    #[test]
    fn nothing_of_a_pasted_macaroon_is_shown_however_it_is_written() {
        let bytes = macaroon();
        let hex = HEXLOWER.encode(&bytes);
        let mut written =
            vec![HEXUPPER.encode(&bytes), BASE64.encode(&bytes), BASE64URL.encode(&bytes), hex[..60].to_owned()];
        written.push(BASE64.encode(hex.as_bytes()));
        written.push(hex.clone());
        for group in [2, 3, 4, 7, 8, 16, 76] {
            for between in [" ", ":", "\n", "\r\n", ", "] {
                let groups = written.iter().take(3).chain([&hex]).map(|text| in_pieces(text, group, between));
                written = written.iter().cloned().chain(groups.collect::<Vec<_>>()).collect();
                written.truncate(60);
            }
        }
        for secret in written {
            for before in ["", "0x", "./", "/home/x/", "macaroon:", "L402 ", "--ledger=", "'"] {
                is_hidden(&format!("{before}{secret}"), &secret);
            }
        }
        for cut in [&hex[40..100], &BASE64.encode(&bytes)[30..100], &in_pieces(&hex[40..100], 2, " ")] {
            assert!(!shows(&kept(cut, TypedAs::Macaroon).veil(cut), cut), "from its middle: {cut}");
        }
    }

    #[test]
    fn nothing_of_a_macaroon_that_is_pasted_as_a_dump_is_shown() {
        let little = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        for secret in [
            with_offsets(4, ""),
            with_offsets(2, "|"),
            with_offsets(8, ""),
            numbers(1, "", |byte| format!("\\x{:02x}", byte[0])),
            numbers(1, "", |byte| format!("\\{:03o}", byte[0])),
            numbers(1, "", |byte| format!("%{:02X}", byte[0])),
            numbers(1, "", |byte| format!("\\\\u{:04x}", byte[0])),
            // As Python shows bytes.
            numbers(1, "", |byte| std::ascii::escape_default(byte[0]).to_string()),
            numbers(1, ", ", |byte| format!("0x{:02x}", byte[0])),
            numbers(1, " ", |byte| byte[0].to_string()),
            numbers(1, ",", |byte| format!("{}", byte[0].cast_signed())),
            numbers(1, " ", |byte| format!("{:03o}", byte[0])),
            numbers(1, " ", |byte| format!("{:08b}", byte[0])),
            // As `od -c` does.
            numbers(1, " ", |byte| match byte[0] {
                byte if byte.is_ascii_graphic() => format!("  {}", char::from(byte)),
                byte => format!("{byte:03o}"),
            }),
            BASE32.encode(&macaroon()),
            BASE32HEX.encode(&macaroon()),
            numbers(2, " ", |word| format!("{:04x}", little(word))),
            numbers(2, " ", |word| format!("{:06o}", little(word))),
            numbers(2, " ", |word| little(word).to_string()),
            numbers(4, " ", |word| format!("{:08x}", little(word))),
        ] {
            for before in ["", "0000000 ", "b'", "[", "--batch=", "name="] {
                is_hidden(&format!("{before}{secret}"), &secret);
            }
        }
        assert!(holds_binary_macaroon(&[b"--batch=".as_slice(), &macaroon()].concat()));
    }

    /// A table shows each line by itself.
    #[test]
    fn each_line_of_a_wrapped_macaroon_is_hidden_by_itself() {
        let wrapped = in_pieces(&BASE64.encode(&macaroon()), 4, "\n");
        let kept = kept(&wrapped, TypedAs::Anything);
        for line in wrapped.lines().filter(|line| line.len() == 4) {
            assert_eq!(kept.veil(&format!("ledger  {line}")), "ledger  ****");
        }
    }

    #[test]
    fn one_of_another_maker_is_known_as_its_file_is_read() {
        let hex = HEXLOWER.encode(&noise([2, 2].into_iter()));
        for group in [2, 4, 76] {
            let secret = in_pieces(&hex, group, " ");
            is_hidden(&secret, &secret);
            is_hidden(&format!("--batch={secret}"), &secret);
        }
    }

    #[test]
    fn what_stands_beside_a_pasted_macaroon_is_shown() {
        let hex = HEXLOWER.encode(&macaroon());
        let padded = in_pieces(&BASE64.encode(&noise(macaroon().into_iter().chain([1]))), 76, "\n");
        assert!(padded.ends_with('=') && !padded.ends_with("=="));
        for secret in [hex.clone(), in_pieces(&hex, 2, " "), with_offsets(4, ""), padded] {
            for quote in ["", "\"", "\"\"\"\n"] {
                let file = format!(
                    "lnd_macaroon_command = {quote}{secret}{quote}\nmax_sats_per_month = 5\nlnd_macaroon_file = \"m\"\n"
                );
                let shown = kept(&file, TypedAs::Anything).veil(&file).into_owned();
                assert!(!shows(&shown, &secret), "{shown}");
                assert!(
                    shown.starts_with("lnd_macaroon_command = ")
                        && shown.ends_with("max_sats_per_month = 5\nlnd_macaroon_file = \"m\"\n"),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn what_a_person_names_is_no_secret() {
        let ids = |from: u32| (from..from + 200).map(|id| format!("{id:02}")).collect::<Vec<_>>().join(",");
        let rows = format!("--only={}", ids(1));
        for plain in [
            "",
            "/etc/lnd/data/chain/bitcoin/mainnet/admin.macaroon",
            "/srv/films/2026-11-29_Night-Batch/of_Kites-over_Lisboa/Festival",
            "0200000000000000000000000000000000000000000000000000000000000000",
            "/home/agnes/AgencyWork/ProjectsOfTheYear2026/Commercials/SeriesOne/EpisodeTwo/ShotsOfTheNight",
            "026f4e15ae3ac15b9f3e2a7f6e9a0a4c5b1d7e8f90123456789abcdef012345678",
            "prompt=A kite over the harbour, as seen from the old lighthouse in 1999",
            "550e8400-e29b-41d4-a716-446655440000/550e8400-e29b-41d4-a716-446655440000",
            "lnbc20u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6q",
        ] {
            assert_eq!(secrets(plain, TypedAs::Macaroon), Vec::<&str>::new());
            assert!(!looks_like_macaroon(plain));
        }
        // Of a document, of a folder in a cloud, of a file in git-annex; jobs, and prompts.
        for long in [
            "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms.csv",
            "users/4f3Kz9QwLm2pRt7XvB1c/9aHk3LmQ2xZr8Tv5Wn0P/j.csv",
            "SHA256E-s2048--9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.csv",
            &rows,
            &ids(2),
            &ids(1).replace(',', " "),
            "02 01 2026 10:30:00 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31",
            "AgE: a kite over the old harbour, 12 ships, 3 of them burning, and again the kite over 14 ships that are gone",
        ] {
            assert_eq!(secrets(long, TypedAs::Anything), Vec::<&str>::new(), "{long}");
        }
    }
}
