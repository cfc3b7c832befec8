//! What a run has taken of what is to be bought.

use std::collections::HashMap;

use super::port::Records;
use super::{BatchKey, LedgerError, PendingJob};

/// The pending jobs that a run has claimed, by how far it came in each batch. It goes with the run: a job of which nothing came is
/// pending still, and the next run claims it. That two runs do not claim the same is the batch's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed(HashMap<BatchKey, u64>);

impl Claimed {
    /// Up to `most` pending jobs of the batch that were not claimed so far, in the manifest's order.
    ///
    /// # Errors
    /// Where the ledger cannot be read: nothing is claimed then.
    pub fn claim(
        &mut self,
        store: &impl Records,
        batch: BatchKey,
        most: usize,
    ) -> Result<Vec<PendingJob>, LedgerError> {
        let jobs = store.pending(batch, self.0.get(&batch).copied(), most)?;
        if let Some(last) = jobs.last() {
            self.0.insert(batch, last.seq);
        }
        Ok(jobs)
    }
}
