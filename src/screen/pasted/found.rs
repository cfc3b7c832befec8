//! What of a text that was typed is a secret.

use std::path::Path;

use crate::encoded_text::one_line;

use super::kept::PART_LETTERS;
use super::notation::{self, is_of_text};
use super::{TypedAs, inside, private_key};

/// What lnd's macaroons begin with, in hex and in base64: version 2, and `lnd` as the location.
const BEGINNINGS: [&str; 2] = ["0201036c6e64", "AgEDbG5k"];

/// What is encoded has at least so many characters in one piece.
const ENCODED_CHARS_MIN: usize = 40;

/// What is so long in one piece is not wrapped: it ends where the piece does, whatever stands on the lines below.
const UNWRAPPED_CHARS_MIN: usize = 100;

/// A dump has at least so many numbers in a row, each of a byte or a few.
const DUMP_NUMBERS_MIN: usize = 16;
const DUMP_NUMBER_CHARS_MAX: usize = 8;

/// Lengths of hex that a person types and that are no secret: a commit's name, a digest or a payment hash, a node's key.
const KNOWN_HEX_CHARS: [usize; 3] = [40, 64, 66];

/// What looks like a secret in a text.
pub(super) fn secrets<'t>(typed: &'t str, typed_as: TypedAs<'_>) -> Vec<&'t str> {
    let mut found = macaroons(typed);
    found.extend(private_keys(typed));
    if let TypedAs::Macaroon(is_there) = typed_as {
        found.extend(runs(beyond(value(typed), is_there), typed_as, secret_in));
        found.extend(Some(value(typed)).filter(|value| is_dump(value)));
    }
    found
}

/// The macaroons in a text that can be told by what they say.
pub(super) fn macaroons(typed: &str) -> Vec<&str> {
    let mut found = runs(typed, TypedAs::Anything, secret_in);
    found.extend(notation::beginning(typed).map(|at| &typed[at..at + length(&typed[at..])]));
    // Of another maker and in groups: as the macaroon's own file may be, read as that is.
    let values = typed.lines().chain(std::iter::once(typed)).map(value);
    let is_read = |value: &&str| {
        value.len() >= PART_LETTERS
            && String::from_utf8(one_line(value.as_bytes())).is_ok_and(|line| is_macaroon(&line))
    };
    found.extend(values.filter(is_read));
    found
}

/// The private keys in a text.
pub(super) fn private_keys(typed: &str) -> Vec<&str> {
    let mut found = private_key::framed(typed);
    found.extend(runs(typed, TypedAs::Anything, |run, _| private_key::in_run(run)));
    found
}

/// Whether a run of encoded text is a macaroon from its beginning to its end.
fn is_macaroon(run: &str) -> bool {
    run.chars().all(is_of_text) && macaroon_in(run) == Some(0)
}

/// The end of a path that does not exist on the disk. The rest are names of files and folders, which are no secrets.
fn beyond<'t>(path: &'t str, is_there: &dyn Fn(&Path) -> bool) -> &'t str {
    let path = path.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let there = Path::new(path).ancestors().find(|path| is_there(path));
    &path[there.map_or(0, |there| there.as_os_str().len())..]
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
    let piece = typed.find(|c| !is_of_text(c)).unwrap_or(typed.len());
    if piece >= UNWRAPPED_CHARS_MIN {
        return piece;
    }
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

/// Where in a run of encoded text a macaroon begins, or what there is of one.
fn macaroon_in(run: &str) -> Option<usize> {
    if run.len() < BEGINNINGS[1].len() {
        return None;
    }
    let lower = run.to_ascii_lowercase();
    let signed = lower.find(BEGINNINGS[0]).or_else(|| run.find(BEGINNINGS[1]));
    let mut starts = std::iter::once(0).chain(run.match_indices(['/', '=']).map(|(at, _)| at + 1));
    let is_part = || run.len() >= ENCODED_CHARS_MIN && inside::holds_part(run);
    signed.or_else(|| starts.find(|at| inside::begins_macaroon(&run[*at..]))).or_else(|| is_part().then_some(0))
}

/// What looks like a secret in a text, in pieces without white space, of which `secret_in` tells.
fn runs<'t, 'a>(
    typed: &'t str,
    typed_as: TypedAs<'a>,
    secret_in: impl Fn(&'t str, TypedAs<'a>) -> Option<&'t str>,
) -> Vec<&'t str> {
    let mut found = Vec::new();
    let mut goes_on = false;
    for word in typed.split_whitespace() {
        let word = match typed_as {
            TypedAs::Macaroon(is_there) => beyond(word, is_there),
            TypedAs::Anything => word,
        };
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

fn secret_in<'t>(run: &'t str, typed_as: TypedAs<'_>) -> Option<&'t str> {
    match (macaroon_in(run), typed_as) {
        (Some(at), _) => Some(&run[at..]),
        (None, TypedAs::Anything) => None,
        (None, TypedAs::Macaroon(_)) if is_encoded(run) => Some(run),
        (None, TypedAs::Macaroon(_)) => run.split(['/', '=']).find(|part| is_encoded(part)),
    }
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
