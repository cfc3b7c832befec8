//! Secrets that a person pasted where something else belongs: what was typed is remembered, and nothing of it is printed.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

/// What lnd's macaroons begin with, in hex and in base64: version 2, and `lnd` as the location.
const BEGINNINGS: [&str; 2] = ["0201036c6e64", "AgEDbG5k"];

/// A macaroon of another maker is told from a name by its length too.
const MACAROON_CHARS_MIN: usize = 80;

/// What is encoded has at least so many characters in one piece.
const ENCODED_CHARS_MIN: usize = 40;

/// Lengths of hex that a person types and that are no secret: a commit's name, a digest or a payment hash, a node's key.
const KNOWN_HEX_CHARS: [usize; 3] = [40, 64, 66];

/// So many characters of a secret in a row are not printed, wherever they stand.
const VEILED_CHARS_MIN: usize = 12;

/// Of the process: it has one person who types.
static REMEMBERED: RwLock<Vec<String>> = RwLock::new(Vec::new());

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
        REMEMBERED.write().unwrap_or_else(PoisonError::into_inner).extend(found);
    }
}

/// The text, with a `*` for each character of a secret that was typed.
#[must_use]
pub fn veiled(text: &str) -> Cow<'_, str> {
    let secrets = REMEMBERED.read().unwrap_or_else(PoisonError::into_inner);
    if secrets.is_empty() { Cow::Borrowed(text) } else { veil(text, &secrets) }
}

/// Whether anything is to be kept from what is printed.
pub(super) fn is_any() -> bool {
    !REMEMBERED.read().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// Whether a text is a macaroon, as far as one can see without decoding it: what is pasted may be cut, wrapped, or have
/// something before it.
#[must_use]
pub fn looks_like_macaroon(text: &str) -> bool {
    text.split_whitespace().any(|word| word.split(|c| !is_of_text(c)).any(|run| macaroon_in(run).is_some()))
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
fn secrets(typed: &str, typed_as: TypedAs) -> Vec<String> {
    let mut found = Vec::new();
    let mut goes_on = false;
    for word in typed.split_whitespace() {
        let is_line_of_it = goes_on && word.chars().all(is_of_text) && is_mixed(word);
        let mut is_begun = false;
        goes_on = false;
        for run in word.split(|c| !is_of_text(c)) {
            // In a file a line end may be written as `\n`: what follows a secret in one word is more of it.
            let is_more = is_line_of_it || (is_begun && run.len() >= VEILED_CHARS_MIN);
            let secret = if is_more { Some(run) } else { secret_in(run, typed_as) };
            if let Some(secret) = secret {
                found.push(secret.to_ascii_lowercase());
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

fn veil<'t>(text: &'t str, secrets: &[String]) -> Cow<'t, str> {
    let lower = text.to_ascii_lowercase();
    let mut hidden = vec![false; text.len()];
    for secret in secrets {
        let length = secret.len().min(VEILED_CHARS_MIN);
        let parts = (0..=secret.len() - length).filter_map(|at| secret.get(at..at + length));
        for part in parts.filter(|part| !part.is_empty()) {
            // A short last line stands for itself; a part of a word is another word.
            let is_whole = |at: usize| {
                let around = (lower[..at].chars().next_back(), lower[at + part.len()..].chars().next());
                length == VEILED_CHARS_MIN || [around.0, around.1].into_iter().flatten().all(|c| !is_of_text(c))
            };
            for (at, _) in lower.match_indices(part).filter(|(at, _)| is_whole(*at)) {
                hidden[at..at + part.len()].fill(true);
            }
        }
    }
    if !hidden.contains(&true) {
        return Cow::Borrowed(text);
    }
    // A secret is ASCII: no character is hidden by half.
    Cow::Owned(text.char_indices().map(|(at, c)| if hidden[at] { '*' } else { c }).collect())
}

const fn is_of_text(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=')
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

    use super::*;

    /// A macaroon of lnd's make.
    fn macaroon() -> Vec<u8> {
        let noise = (0..200u32).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap());
        [2, 1, 3].into_iter().chain(*b"lnd").chain(noise).collect()
    }

    fn wrapped(text: &str) -> String {
        let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join("\n")
    }

    /// Whether a part of the secret can still be read.
    fn shows(text: &str, secret: &str) -> bool {
        let secret: String = secret.split_whitespace().collect();
        (0..secret.len().saturating_sub(16)).any(|at| text.contains(&secret[at..at + 16]))
    }

    #[test]
    fn nothing_of_a_pasted_macaroon_is_shown_however_it_is_written() {
        let bytes = macaroon();
        let hex = HEXLOWER.encode(&bytes);
        let one_line = [
            hex.clone(),
            HEXUPPER.encode(&bytes),
            BASE64.encode(&bytes),
            BASE64URL.encode(&bytes),
            hex[..60].to_owned(),
        ];
        for secret in one_line.iter().cloned().chain(one_line.iter().map(|line| wrapped(line))) {
            for before in ["", "0x", "./", "/home/x/", "macaroon:", "L402 ", "--ledger=", "'"] {
                let typed = format!("{before}{secret}");
                let found = secrets(&typed, TypedAs::Anything);
                for printed in [format!("no file {typed} there"), format!("{typed:?}"), format!("/etc/{typed}/x")] {
                    let shown = veil(&printed, &found);
                    assert!(!shows(&shown, &secret), "{printed}: {shown}");
                }
                assert!(looks_like_macaroon(&typed), "{typed}");
            }
        }
        for cut in [&hex[40..100], &BASE64.encode(&bytes)[30..100]] {
            assert!(!shows(&veil(cut, &secrets(cut, TypedAs::Macaroon)), cut), "from its middle: {cut}");
        }
    }

    #[test]
    fn what_stands_beside_a_pasted_macaroon_is_shown() {
        let hex = HEXLOWER.encode(&macaroon());
        for quote in ["", "\""] {
            let file = format!("lnd_macaroon_command = {quote}{hex}{quote}\nmax_sats = 5\nlnd_macaroon_file = \"m\"\n");
            assert_eq!(secrets(&file, TypedAs::Anything), std::slice::from_ref(&hex));
        }
    }

    #[test]
    fn what_a_person_names_is_no_secret() {
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
            assert_eq!(secrets(plain, TypedAs::Macaroon), Vec::<String>::new());
            assert!(!looks_like_macaroon(plain));
        }
        // Of a document, of a folder in a cloud, of a file in git-annex.
        for long in [
            "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms.csv",
            "users/4f3Kz9QwLm2pRt7XvB1c/9aHk3LmQ2xZr8Tv5Wn0P/j.csv",
            "SHA256E-s2048--9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.csv",
        ] {
            assert_eq!(secrets(long, TypedAs::Anything), Vec::<String>::new(), "{long}");
        }
    }
}
