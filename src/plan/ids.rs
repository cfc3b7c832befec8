//! Ids within one manifest, in compact tables: hashes and lines, never the texts. What a message needs beyond that is
//! found by reading the manifest again.

use std::hash::{BuildHasher as _, RandomState};

use sha2::{Digest, Sha256};

use super::identity::{self, MadeKey};
use super::same::Contents;

/// Most clashes of one sort that are reported.
const CLASHES_MAX: usize = 50;

/// Equal for equal ids: 96 bits of a SHA-256.
pub(super) type IdHash = [u32; 3];

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
    /// The ids of the first two.
    pub(super) ids: [IdHash; 2],
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
    pub(super) fn has_alike(&mut self) -> bool {
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
    pub(super) fn also_made(&mut self, contents: &Contents) -> Vec<MadeClash> {
        if !self.may_be_made {
            return Vec::new();
        }
        self.rows.sort_unstable_by_key(|row| (row.id, row.line));
        let mut found = Vec::new();
        for (key, count) in contents.made() {
            for number in 1..=count {
                let hash = id_hash(&key.id(number));
                let at = self.rows.partition_point(|row| row.id < hash);
                if let Some(row) = self.rows.get(at).filter(|row| row.id == hash) {
                    found.push(MadeClash { given_line: row.line.into(), key, number });
                }
            }
        }
        found.sort_by_key(|clash| clash.given_line);
        found.truncate(CLASHES_MAX);
        found
    }
}

/// By what an id is known in these tables.
pub(super) fn id_hash(id: &str) -> IdHash {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let (parts, _) = digest.as_chunks::<4>();
    [parts[0], parts[1], parts[2]].map(u32::from_be_bytes)
}

fn clashes<'r>(groups: impl Iterator<Item = &'r [Given]>) -> Vec<Clash> {
    let mut found: Vec<Clash> = groups
        .filter_map(|group| match group {
            [first, second, others @ ..] => Some(Clash {
                ids: [first.id, second.id],
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
