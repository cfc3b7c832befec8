//! What is not to be printed, and how it is found in what is.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::notation::is_of_text;

/// So many letters and digits of a secret in a row are not printed, wherever they stand and whatever stands between them.
pub(super) const PART_LETTERS: usize = 12;

/// A line of what is wrapped is hidden by itself where it is so long; what is shorter is nothing to go by.
const SHORT_CHARS_MIN: usize = 4;

/// What is not to be printed, in small letters.
#[derive(Default)]
pub(super) struct Kept {
    parts: HashSet<[u8; PART_LETTERS]>,
    /// Words shorter than a part: hidden where they stand alone.
    short: HashSet<String>,
    /// Texts that are hidden as they were typed, whatever stands in them.
    whole: Vec<String>,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.short.is_empty() && self.whole.is_empty()
    }

    pub(super) fn keep(&mut self, secret: &str) {
        let letters: Vec<u8> = letters(secret).map(|(_, letter)| letter).collect();
        let parts = letters.windows(PART_LETTERS).filter_map(|part| part.try_into().ok());
        self.parts.extend(parts.filter(is_telling));
        let short = secret.lines().map(str::trim).filter(|line| (SHORT_CHARS_MIN..PART_LETTERS).contains(&line.len()));
        self.short.extend(short.filter(|line| line.chars().all(is_of_text)).map(str::to_ascii_lowercase));
    }

    /// Keeps all of a text, however short it is.
    pub(super) fn keep_whole(&mut self, text: &str) {
        self.keep(text);
        self.whole.extend(Some(text.to_owned()).filter(|text| !text.is_empty()));
    }

    pub(super) fn veil<'t>(&self, text: &'t str) -> Cow<'t, str> {
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
        let wholes = self.whole.iter().flat_map(|whole| text.match_indices(whole.as_str()));
        wholes.for_each(|(at, found)| hidden[at..at + found.len()].fill(true));
        if !hidden.contains(&true) {
            return Cow::Borrowed(text);
        }
        // What is hidden are whole characters.
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
pub(super) fn letters(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut is_escaped = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        let is_blank = is_escaped && matches!(byte, b'n' | b'r' | b't');
        is_escaped = byte == b'\\';
        (byte.is_ascii_alphanumeric() && !is_blank).then(|| (at, byte.to_ascii_lowercase()))
    })
}

/// What stands between the letters of what is encoded.
const fn is_between(byte: u8) -> bool {
    matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}
