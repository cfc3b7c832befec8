//! Which rows of a manifest may be what receipts alone tell of.
//!
//! A receipt names batch, id, take, time, amount, the endpoint's name and the seller's host. What was asked for it does not tell,
//! so that any row may be the same purchase, of whatever batch and under whatever id, unless it is of another endpoint and of
//! another host. One of the two alone shows nothing: contents are compared by the endpoint's name, requests by address and bytes.
//!
//! Nothing else shows it. Prices change, and what was bought may be bought again at any time. An id that looks made may have been
//! given. Results that stand beside the receipts and say something else may have been written anew by a spreadsheet, in its own
//! language, or by a run that knew no more.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::catalog::Endpoint;
use crate::ledger::{BatchKey, JobKey, Likeness};

/// What may tell a row of a manifest from a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFacts {
    endpoint: String,
    host: String,
}

impl RowFacts {
    pub fn of(endpoint: &Endpoint) -> Self {
        let host = endpoint.url.host_str().unwrap_or_default().to_owned();
        Self { endpoint: endpoint.name.clone(), host }
    }
}

/// Purchases that are known by their receipts alone, and that nothing has proved so far.
#[derive(Debug)]
pub struct MayRepeat {
    batch: BatchKey,
    groups: Vec<Group>,
    /// How many a batch has.
    counts: HashMap<BatchKey, u64>,
}

/// A purchase that a row may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub key: JobKey,
    /// It has the row's id.
    pub same_id: bool,
    /// How many are known so, of its batch and of the others that have one which it may be.
    pub count: u64,
    /// How many such others there are.
    pub others: u64,
}

/// Those of one batch, endpoint and host.
#[derive(Debug)]
struct Group {
    batch: BatchKey,
    endpoint: String,
    host: String,
    by_id: BTreeMap<String, JobKey>,
}

impl MayRepeat {
    /// Those among which a row of that batch may have its like: none so far.
    pub fn for_batch(batch: BatchKey) -> Self {
        Self { batch, groups: Vec::new(), counts: HashMap::new() }
    }

    /// One more: of that batch, endpoint and host.
    pub fn add(&mut self, (batch, endpoint, host): (BatchKey, String, String), key: JobKey, id: String) {
        let count = self.counts.entry(batch).or_default();
        *count = count.saturating_add(1);
        let is_its = |group: &&mut Group| group.batch == batch && group.endpoint == endpoint && group.host == host;
        match self.groups.iter_mut().find(is_its) {
            Some(group) => drop(group.by_id.insert(id, key)),
            None => self.groups.push(Group { batch, endpoint, host, by_id: [(id, key)].into() }),
        }
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        !self.groups.is_empty()
    }

    /// What a row of the batch with that id may repeat: a purchase of its id before others, and one of its batch.
    pub fn original(&self, row: &RowFacts, id: &str) -> Option<Unknown> {
        let mut batches = HashSet::new();
        let found = self.groups.iter().filter(|group| !group.is_sold_elsewhere(row)).filter_map(|group| {
            let own = group.batch == self.batch;
            let original = group.original(own, id)?;
            batches.insert(group.batch);
            Some((own, original))
        });
        let first = found.min_by_key(|(own, (_, same_id))| (!same_id, !own));
        let count = batches.iter().filter_map(|batch| self.counts.get(batch)).sum();
        let others = (batches.len() as u64).saturating_sub(1);
        first.map(|(_, (key, same_id))| Unknown { key, same_id, count, others })
    }
}

impl Unknown {
    /// How sure it is that the row repeats that purchase.
    pub const fn likeness(&self) -> Likeness {
        match *self {
            Self { same_id: true, .. } | Self { count: 1, .. } => Likeness::MayBe,
            Self { count, others, .. } => Likeness::MayBeOneOf(count, others),
        }
    }
}

impl Group {
    /// Neither its endpoint nor its host is the row's.
    fn is_sold_elsewhere(&self, row: &RowFacts) -> bool {
        let differs = |ours: &str, theirs: &str| !ours.is_empty() && !theirs.is_empty() && ours != theirs;
        differs(&self.endpoint, &row.endpoint) && differs(&self.host, &row.host)
    }

    /// One of them that the row may repeat, and whether it has the row's id. Of its own batch it is no purchase of its own job.
    fn original(&self, own: bool, id: &str) -> Option<(JobKey, bool)> {
        let same_id = self.by_id.get(id).filter(|_| !own).map(|key| (*key, true));
        same_id.or_else(|| self.by_id.iter().find(|(of, _)| !(own && *of == id)).map(|(_, key)| (*key, false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(endpoint: &str, host: &str) -> RowFacts {
        RowFacts { endpoint: endpoint.to_owned(), host: host.to_owned() }
    }

    #[test]
    fn only_what_is_of_another_endpoint_and_of_another_host_is_certainly_something_else() {
        let mut known = MayRepeat::for_batch(BatchKey(1));
        assert!(!known.is_any());
        known.add((BatchKey(2), "video".to_owned(), "seller.example".to_owned()), JobKey(7), "a".to_owned());
        for (endpoint, host, may) in [
            ("video", "seller.example", true),
            ("video", "other.example", true),
            ("image", "seller.example", true),
            ("image", "other.example", false),
            ("", "other.example", true),
            ("image", "", true),
        ] {
            assert_eq!(known.original(&row(endpoint, host), "z").is_some(), may, "{endpoint} at {host}");
        }
    }

    #[test]
    fn a_purchase_of_the_same_id_comes_first_and_then_one_of_the_same_batch() {
        let of = |batch| (BatchKey(batch), "video".to_owned(), "seller.example".to_owned());
        let mut known = MayRepeat::for_batch(BatchKey(1));
        for (batch, key, id) in [(1, 1, "a"), (1, 2, "b"), (2, 3, "c"), (3, 4, "d")] {
            known.add(of(batch), JobKey(key), id.to_owned());
        }
        let row = row("video", "seller.example");
        for (id, key, is) in [
            // Of its own batch a row is no purchase of its own job.
            ("a", 2, Likeness::MayBeOneOf(4, 2)),
            ("b", 1, Likeness::MayBeOneOf(4, 2)),
            ("c", 3, Likeness::MayBe),
            ("z", 1, Likeness::MayBeOneOf(4, 2)),
        ] {
            let found = known.original(&row, id).unwrap();
            assert_eq!((found.key, found.likeness()), (JobKey(key), is), "{id}");
        }
        let mut alone = MayRepeat::for_batch(BatchKey(1));
        alone.add(of(1), JobKey(1), "a".to_owned());
        assert_eq!(alone.original(&row, "a"), None);
        assert_eq!(alone.original(&row, "z").map(|found| found.likeness()), Some(Likeness::MayBe));
    }
}
