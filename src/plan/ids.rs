//! Ids within one manifest, in compact tables: hashes and lines, never the texts. What a message needs beyond that is
//! found by reading the manifest again.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use sha2::{Digest, Sha256};

use super::ContentHash;
use super::identity::{self, MadeKey};

/// Most clashes of one sort that are reported.
const CLASHES_MAX: usize = 50;

/// Counts made ids, to number jobs that are the same.
pub(super) struct MadeCounts {
    counts: Vec<(MadeKey, u32)>,
    /// Where each key stands among them. Positions alone make a small table, of which more stays in the processor's caches.
    index: HashTable<u32>,
    /// Spreads the keys over the table: odd, and drawn by lot, so that nobody can choose contents that are slow to look up.
    factor: u64,
}

impl Default for MadeCounts {
    fn default() -> Self {
        Self { counts: Vec::new(), index: HashTable::new(), factor: RandomState::new().hash_one(0) | 1 }
    }
}

impl MadeCounts {
    /// The number of the next job with this content and no id, counted from 1.
    pub(super) fn next(&mut self, content: &ContentHash) -> u32 {
        let key = MadeKey::of(content);
        let counts = &mut self.counts;
        let is_same = |at: &u32| counts[*at as usize].0 == key;
        match self.index.entry(key.spread(self.factor), is_same, |at| counts[*at as usize].0.spread(self.factor)) {
            Entry::Vacant(free) => {
                // There are no more keys than lines, whose numbers have 32 bits.
                free.insert(u32::try_from(counts.len()).unwrap_or(u32::MAX));
                counts.push((key, 1));
                1
            }
            Entry::Occupied(known) => {
                let (_, count) = &mut counts[*known.get() as usize];
                *count = count.saturating_add(1);
                *count
            }
        }
    }

    /// Made ids that more than one job shares.
    pub(super) fn into_repeated(self) -> HashSet<MadeKey> {
        self.counts.into_iter().filter(|(_, count)| *count > 1).map(|(key, _)| key).collect()
    }
}

/// Equal for equal ids: 96 bits of a SHA-256.
type IdHash = [u32; 3];

/// A given id: 24 bytes a job.
#[derive(Clone, Copy)]
struct Given {
    id: IdHash,
    /// 64 bits of a hash of the folded id.
    folded: [u32; 2],
    line: u32,
}

/// Ids that the manifest gives.
#[derive(Default)]
pub(super) struct GivenIds {
    rows: Vec<Given>,
    /// Nobody can choose ids that it takes for alike.
    state: RandomState,
    /// Whether any of them could be a made id.
    may_be_made: bool,
    has_alike: Option<bool>,
}

/// Jobs whose ids clash, by their lines.
pub(super) struct Clash {
    pub(super) first: u64,
    pub(super) second: u64,
    /// More lines that clash with the first.
    pub(super) others: Vec<u64>,
    /// How many lines clash with the first.
    pub(super) count: u64,
}

/// A given id that is also the id made for another job.
pub(super) struct MadeClash {
    pub(super) given_line: u64,
    pub(super) key: MadeKey,
    pub(super) number: u32,
}

impl GivenIds {
    pub(super) fn add(&mut self, id: &str, line: u32) {
        self.may_be_made |= identity::looks_made(id);
        let folded = self.state.hash_one(identity::folded(id)).to_be_bytes();
        let (halves, _) = folded.as_chunks::<4>();
        let folded = [halves[0], halves[1]].map(u32::from_be_bytes);
        self.rows.push(Given { id: id_hash(id), folded, line });
    }

    /// Whether any two ids are equal when folded, as equal ids are too. Numbers alone sort far faster than rows, and
    /// most manifests need no more. Asked when all ids are there.
    fn has_alike(&mut self) -> bool {
        let rows = &self.rows;
        *self.has_alike.get_or_insert_with(|| {
            let number = |row: &Given| (u64::from(row.folded[0]) << 32) | u64::from(row.folded[1]);
            let mut folded: Vec<u64> = rows.iter().map(number).collect();
            folded.sort_unstable();
            folded.windows(2).any(|pair| pair[0] == pair[1])
        })
    }

    /// Ids that are given more than once, in order of their lines.
    pub(super) fn repeated(&mut self) -> Vec<Clash> {
        if !self.has_alike() {
            return Vec::new();
        }
        self.rows.sort_unstable_by_key(|row| (row.id, row.line));
        clashes(self.rows.chunk_by(|a, b| a.id == b.id))
    }

    /// Different ids that are equal when folded. After [`Self::repeated`] has found nothing.
    pub(super) fn alike(&mut self) -> Vec<Clash> {
        if !self.has_alike() {
            return Vec::new();
        }
        self.rows.sort_unstable_by_key(|row| (row.folded, row.line));
        clashes(self.rows.chunk_by(|a, b| a.folded == b.folded))
    }

    /// Given ids that are made for other jobs too.
    pub(super) fn also_made(&mut self, counts: &MadeCounts) -> Vec<MadeClash> {
        if !self.may_be_made {
            return Vec::new();
        }
        self.rows.sort_unstable_by_key(|row| (row.id, row.line));
        let mut found = Vec::new();
        for (key, count) in &counts.counts {
            for number in 1..=*count {
                let hash = id_hash(&key.id(number));
                let at = self.rows.partition_point(|row| row.id < hash);
                if let Some(row) = self.rows.get(at).filter(|row| row.id == hash) {
                    found.push(MadeClash { given_line: row.line.into(), key: *key, number });
                }
            }
        }
        found.sort_by_key(|clash| clash.given_line);
        found.truncate(CLASHES_MAX);
        found
    }
}

fn id_hash(id: &str) -> IdHash {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let (parts, _) = digest.as_chunks::<4>();
    [parts[0], parts[1], parts[2]].map(u32::from_be_bytes)
}

fn clashes<'r>(groups: impl Iterator<Item = &'r [Given]>) -> Vec<Clash> {
    let mut found: Vec<Clash> = groups
        .filter_map(|group| match group {
            [first, second, others @ ..] => Some(Clash {
                first: first.line.into(),
                second: second.line.into(),
                others: others.iter().map(|row| row.line.into()).take(CLASHES_MAX).collect(),
                count: 1 + others.len() as u64,
            }),
            [] | [_] => None,
        })
        .collect();
    found.sort_by_key(|clash| clash.second);
    found.truncate(CLASHES_MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_are_counted_each_by_itself() {
        let mut counts = MadeCounts::default();
        // Where only the end of a key differs, its hash does not.
        let content = |n: u16, at: usize| {
            let mut bytes = [7; 32];
            bytes[at..at + 2].copy_from_slice(&n.to_be_bytes());
            ContentHash(bytes)
        };
        let contents = || (0..500).map(|n| content(n, 8)).chain((0..50_000).map(|n| content(n, 0)));
        for round in 1..=3 {
            contents().for_each(|content| assert_eq!(counts.next(&content), round));
        }
        counts.next(&content(0, 20));
        assert_eq!(counts.into_repeated(), contents().map(|content| MadeKey::of(&content)).collect());
    }
}
