//! What the jobs of a plan ask for, in some bytes a job: ids that are made for it are numbered, and jobs that ask for the same as one before
//! them, or send the same, are told.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::identity::MadeKey;
use super::{ContentHash, findings};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::JobSource;
use crate::money::counted;

/// Said of the other place.
const SAME_HERE: &str = "the same is asked for here";

/// A content that jobs without an id ask for: 20 bytes.
struct Known {
    key: MadeKey,
    /// How many of them do.
    made: u32,
    /// The line of the first.
    line: u32,
}

/// The contents of a plan's jobs.
pub(super) struct Contents {
    known: Vec<Known>,
    /// Where each key stands among them. Positions alone make a small table, of which more stays in the processor's caches.
    index: HashTable<u32>,
    /// Spreads the keys over the table: odd, and drawn by lot, so that nobody can choose contents that are slow to look up.
    factor: u64,
    /// What jobs send that have an id, or whose contents do not tell that, by 64 bits of its hash, and their lines: 12 bytes a job, where the
    /// table would take three times as much.
    sent: Vec<([u32; 2], u32)>,
    /// The same of planned takes that are told apart in their requests.
    moved: Vec<([u32; 2], At)>,
    /// Lines of jobs that ask for what one before them asks for, and of that one.
    again: Vec<(u32, u32)>,
}

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) line: u32,
    /// Which planned take of its job it is, from 1. One after the first asks for the same, and is meant to.
    pub(super) take: u32,
}

impl At {
    const fn first(line: u32) -> Self {
        Self { line, take: 1 }
    }
}

impl Default for Contents {
    fn default() -> Self {
        let factor = RandomState::new().hash_one(0) | 1;
        let (known, index, sent) = Default::default();
        Self { known, index, factor, sent, moved: Vec::new(), again: Vec::new() }
    }
}

impl Contents {
    /// Adds the next job, whose id is given; `sent` tells its request, where its content does not.
    pub(super) fn add_given(&mut self, content: &ContentHash, sent: Option<&ContentHash>, at: At) {
        let key = || MadeKey::of(sent.unwrap_or(content)).halves();
        if at.take == 1 {
            self.sent.push((key(), at.line));
        } else if sent.is_some() {
            self.moved.push((key(), at));
        }
    }

    /// Adds the next job, in the manifest's order, which has no id: gives its number among those with this content, counted from 1.
    pub(super) fn add_made(&mut self, content: &ContentHash, sent: Option<&ContentHash>, at: At) -> u32 {
        if sent.is_some() {
            self.add_given(content, sent, at);
        }
        let key = MadeKey::of(content);
        let known = &mut self.known;
        let is_same = |at: &u32| known[*at as usize].key == key;
        match self.index.entry(key.spread(self.factor), is_same, |at| known[*at as usize].key.spread(self.factor)) {
            Entry::Vacant(free) => {
                // There are no more keys than lines, whose numbers have 32 bits.
                free.insert(u32::try_from(known.len()).unwrap_or(u32::MAX));
                known.push(Known { key, made: 1, line: at.line });
                1
            }
            Entry::Occupied(place) => {
                let same = &mut known[*place.get() as usize];
                if at.take == 1 && sent.is_none() {
                    self.again.push((at.line, same.line));
                }
                same.made = same.made.saturating_add(1);
                same.made
            }
        }
    }

    /// Made ids, and how many jobs share each.
    pub(super) fn made(&self) -> impl Iterator<Item = (MadeKey, u32)> {
        self.known.iter().map(|known| (known.key, known.made))
    }

    /// Made ids that more than one job shares.
    pub(super) fn repeated(&self) -> HashSet<MadeKey> {
        self.made().filter(|(_, made)| *made > 1).map(|(key, _)| key).collect()
    }

    /// Puts what jobs send in order, once all are there.
    pub(super) fn sort(&mut self) {
        if !(self.sent.is_empty() && self.moved.is_empty()) {
            self.sent.extend(self.known.iter().map(|known| (known.key.halves(), known.line)));
        }
        self.sent.sort_unstable();
        self.moved.sort_unstable();
    }

    /// What is said of jobs that ask for what one before them asks for, and of planned takes that send what another job sends. Asked
    /// once, after [`Self::sort`].
    pub(super) fn warnings(&mut self, source: &dyn JobSource) -> impl Iterator<Item = Diagnostic> {
        let (sent, moved) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.moved));
        let mut again = std::mem::take(&mut self.again);
        for same in sent.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, first), others @ ..] = same {
                again.extend(others.iter().map(|(_, line)| (*line, *first)));
            }
        }
        let mut met = Vec::new();
        for same in moved.chunk_by(|a, b| a.0 == b.0) {
            let Some(((key, own), others)) = same.split_first() else { continue };
            let before = sent.get(sent.partition_point(|(known, _)| known < key)).filter(|(known, _)| known == key);
            met.extend(before.map(|(_, line)| (*own, At::first(*line))));
            let first = before.map_or(*own, |(_, line)| At::first(*line));
            met.extend(others.iter().map(|(_, at)| (*at, first)));
        }
        [of_jobs(source, again), of_takes(source, &met)].into_iter().flatten()
    }
}

/// What is said of jobs that ask for what one before them asks for.
fn of_jobs(source: &dyn JobSource, again: Vec<(u32, u32)>) -> Option<Diagnostic> {
    let message = match again.len() {
        1 => "this job asks for the very same as another".to_owned(),
        count => format!("{} ask for the very same as one before them", counted(count as u64, "job")),
    };
    let warning = said(source, again, (message, SAME_HERE.to_owned()))?;
    Some(warning.help("each is a purchase of its own; remove a row that stands there by mistake"))
}

/// What is said of planned takes that send what another job sends.
fn of_takes(source: &dyn JobSource, met: &[(At, At)]) -> Option<Diagnostic> {
    let (own, other) = met.iter().min()?;
    let message = match met.len() {
        1 => format!("take {} of this job sends the very same request as another job", own.take),
        count => format!(
            "{} send the very same request as another job, the first of them take {} of this one",
            counted(count as u64, "planned take"),
            own.take
        ),
    };
    let label = match other.take {
        1 => SAME_HERE.to_owned(),
        take => format!("take {take} of the job here asks for the same"),
    };
    let lines = met.iter().map(|(own, other)| (own.line, other.line)).collect();
    let warning = said(source, lines, (message, label))?;
    Some(warning.help(
        "each is a purchase of its own, goes out after the other where the endpoint answers one request alike (`dedup_window_s`), and may get its answer; give one of the rows another value of what tells takes apart (the endpoint's `nonce`)",
    ))
}

/// A warning of jobs by their lines, each with that of one that asks for the same; what is said of the first, and of its other one.
fn said(source: &dyn JobSource, mut lines: Vec<(u32, u32)>, (message, label): (String, String)) -> Option<Diagnostic> {
    lines.sort_unstable();
    let (first, other) = *lines.first()?;
    let mut also_lines = Vec::new();
    for (line, _) in lines.iter().filter(|(line, _)| *line != first) {
        findings::also(&mut also_lines, (*line).into(), (*line).into());
    }
    let place = Place { also_lines, ..source.place_of_line(first.into()) };
    let mut warning = Diagnostic { count: lines.len() as u64, ..Diagnostic::warning(source.file(), message).at(place) };
    warning.related.push((source.place_of_line(other.into()), label));
    Some(warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_counted_each_by_itself() {
        let mut contents = Contents::default();
        // Where only the end of a key differs, its hash does not.
        let content = |n: u16, at: usize| {
            let mut bytes = [7; 32];
            bytes[at..at + 2].copy_from_slice(&n.to_be_bytes());
            ContentHash(bytes)
        };
        let of_jobs = || (0..500).map(|n| content(n, 8)).chain((0..50_000).map(|n| content(n, 0)));
        for round in 1..=3 {
            of_jobs().for_each(|content| assert_eq!(contents.add_made(&content, None, At::first(1)), round));
        }
        contents.add_made(&content(0, 20), None, At::first(1));
        assert_eq!(contents.repeated(), of_jobs().map(|content| MadeKey::of(&content)).collect());
    }
}
