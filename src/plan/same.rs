//! What the jobs of a plan ask for, in some bytes a job: ids that are made for it are numbered, and jobs that ask for the same as one before
//! them are told.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::identity::MadeKey;
use super::{ContentHash, findings};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::JobSource;

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
    /// What jobs with an id ask for, by 64 bits of its hash, and their lines: 12 bytes a job, where the table would take three times as much.
    given: Vec<([u32; 2], u32)>,
    /// Lines of jobs that ask for what one before them asks for, and of that one.
    again: Vec<(u32, u32)>,
}

impl Default for Contents {
    fn default() -> Self {
        let factor = RandomState::new().hash_one(0) | 1;
        Self { known: Vec::new(), index: HashTable::new(), factor, given: Vec::new(), again: Vec::new() }
    }
}

impl Contents {
    /// Adds the next job, whose id is given; a further take of the job before it is meant to ask for the same.
    pub(super) fn add_given(&mut self, content: &ContentHash, (line, is_further_take): (u32, bool)) {
        if !is_further_take {
            self.given.push((MadeKey::of(content).halves(), line));
        }
    }

    /// Adds the next job, in the manifest's order, which has no id: gives its number among those with this content, counted from 1.
    pub(super) fn add_made(&mut self, content: &ContentHash, (line, is_further_take): (u32, bool)) -> u32 {
        let key = MadeKey::of(content);
        let known = &mut self.known;
        let is_same = |at: &u32| known[*at as usize].key == key;
        match self.index.entry(key.spread(self.factor), is_same, |at| known[*at as usize].key.spread(self.factor)) {
            Entry::Vacant(free) => {
                // There are no more keys than lines, whose numbers have 32 bits.
                free.insert(u32::try_from(known.len()).unwrap_or(u32::MAX));
                known.push(Known { key, made: 1, line });
                1
            }
            Entry::Occupied(at) => {
                let same = &mut known[*at.get() as usize];
                if !is_further_take {
                    self.again.push((line, same.line));
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

    /// What is said of jobs that ask for what one before them asks for. Asked once, when all are there.
    pub(super) fn warning(&mut self, source: &dyn JobSource) -> Option<Diagnostic> {
        let mut given = std::mem::take(&mut self.given);
        if !given.is_empty() {
            given.extend(self.known.iter().map(|known| (known.key.halves(), known.line)));
        }
        given.sort_unstable();
        let mut again = std::mem::take(&mut self.again);
        for same in given.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, first), others @ ..] = same {
                again.extend(others.iter().map(|(_, line)| (*line, *first)));
            }
        }
        again.sort_unstable();
        let (line, first) = *again.first()?;
        let message = match again.len() {
            1 => "this job asks for the very same as another".to_owned(),
            count => format!("{count} jobs ask for the very same as one before them"),
        };
        let mut also_lines = Vec::new();
        for (line, _) in again.iter().skip(1) {
            findings::also(&mut also_lines, (*line).into(), (*line).into());
        }
        let place = Place { also_lines, ..source.place_of_line(line.into()) };
        let mut warning =
            Diagnostic { count: again.len() as u64, ..Diagnostic::warning(source.file(), message).at(place) };
        warning.related.push((source.place_of_line(first.into()), "the same is asked for here".to_owned()));
        Some(warning.help("each of them is bought; remove a row that stands there by mistake"))
    }
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
            of_jobs().for_each(|content| assert_eq!(contents.add_made(&content, (1, false)), round));
        }
        contents.add_made(&content(0, 20), (1, false));
        assert_eq!(contents.repeated(), of_jobs().map(|content| MadeKey::of(&content)).collect());
    }
}
