//! What the jobs of a plan ask for, in some bytes a content: ids that are made for it are numbered, and a job that asks for the
//! same as one before it is noted.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::identity::MadeKey;
use super::{ContentHash, findings};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::JobSource;

/// A content: 20 bytes.
struct Known {
    key: MadeKey,
    /// How many jobs without an id ask for it.
    made: u32,
    /// The first job that does.
    line: u32,
}

/// The contents of a plan's jobs.
pub(super) struct Contents {
    known: Vec<Known>,
    /// Where each key stands among them. Positions alone make a small table, of which more stays in the processor's caches.
    index: HashTable<u32>,
    /// Spreads the keys over the table: odd, and drawn by lot, so that nobody can choose contents that are slow to look up.
    factor: u64,
    again: Again,
}

/// Jobs that ask for what one before them asks for.
#[derive(Default)]
struct Again {
    count: u64,
    /// The lines of the first of them, and of the job before it.
    first: Option<(u32, u32)>,
    /// Lines of the others.
    others: Vec<(u64, u64)>,
}

impl Again {
    fn add(&mut self, line: u32, before: u32) {
        self.count = self.count.saturating_add(1);
        match self.first {
            None => self.first = Some((line, before)),
            Some(_) => findings::also(&mut self.others, line.into(), line.into()),
        }
    }
}

impl Default for Contents {
    fn default() -> Self {
        let factor = RandomState::new().hash_one(0) | 1;
        Self { known: Vec::new(), index: HashTable::new(), factor, again: Again::default() }
    }
}

impl Contents {
    /// Adds the next job, in the manifest's order; a further take of the job before it is meant to ask for the same. Of one without an id: its
    /// number among those with this content, counted from 1.
    pub(super) fn add(&mut self, content: &ContentHash, (line, is_further_take): (u32, bool), has_id: bool) -> u32 {
        let key = MadeKey::of(content);
        let known = &mut self.known;
        let is_same = |at: &u32| known[*at as usize].key == key;
        let made = u32::from(!has_id);
        match self.index.entry(key.spread(self.factor), is_same, |at| known[*at as usize].key.spread(self.factor)) {
            Entry::Vacant(free) => {
                // There are no more keys than lines, whose numbers have 32 bits.
                free.insert(u32::try_from(known.len()).unwrap_or(u32::MAX));
                known.push(Known { key, made, line });
                made
            }
            Entry::Occupied(at) => {
                let same = &mut known[*at.get() as usize];
                if !is_further_take {
                    self.again.add(line, same.line);
                }
                same.made = same.made.saturating_add(made);
                same.made
            }
        }
    }

    /// Made ids, and how many jobs share each.
    pub(super) fn made(&self) -> impl Iterator<Item = (MadeKey, u32)> {
        self.known.iter().map(|known| (known.key, known.made)).filter(|(_, made)| *made > 0)
    }

    /// Made ids that more than one job shares.
    pub(super) fn repeated(&self) -> HashSet<MadeKey> {
        self.made().filter(|(_, made)| *made > 1).map(|(key, _)| key).collect()
    }

    /// What is said of jobs that ask for what one before them asks for.
    pub(super) fn warning(&self, source: &dyn JobSource) -> Option<Diagnostic> {
        let Again { count, ref others, .. } = self.again;
        let (line, before) = self.again.first?;
        let message = match count {
            1 => "this job asks for the very same as another".to_owned(),
            _ => format!("{count} jobs ask for the very same as one before them"),
        };
        let place = Place { also_lines: others.clone(), ..source.place_of_line(line.into()) };
        let mut warning = Diagnostic { count, ..Diagnostic::warning(source.file(), message).at(place) };
        warning.related.push((source.place_of_line(before.into()), "the same is asked for here".to_owned()));
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
            of_jobs().for_each(|content| assert_eq!(contents.add(&content, (1, false), false), round));
        }
        let number = contents.add(&content(0, 20), (1, false), false);
        assert_eq!(contents.add(&content(0, 20), (1, false), true), number, "an id that is given counts no made one");
        assert_eq!(contents.repeated(), of_jobs().map(|content| MadeKey::of(&content)).collect());
    }
}
