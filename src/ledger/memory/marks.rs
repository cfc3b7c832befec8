//! What a person says of takes, in the maps.

use crate::ledger::decide::{MarkFacts, markable};
use crate::ledger::port::Marks;
use crate::ledger::{BatchKey, LedgerError, Marking, TakeMark, Unmarkable};
use crate::time::UnixMs;

use super::{JobRow, MemoryLedger};

impl Marks for MemoryLedger {
    fn mark(&mut self, now: UnixMs, markings: &[Marking]) -> Result<Vec<(usize, Unmarkable)>, LedgerError> {
        let (mut marked, mut refused) = (Vec::new(), Vec::new());
        for (at, marking) in markings.iter().enumerate() {
            let is_it = |row: &&JobRow| row.job.batch == marking.batch && row.id == marking.take.id;
            let facts = |row: &JobRow| MarkFacts { key: row.job.key, take: row.take, state: row.job.state };
            let takes: Vec<MarkFacts> = self.jobs.values().filter(is_it).map(facts).collect();
            match markable(&takes, marking.take.take) {
                Ok(key) => marked.push((key, marking)),
                Err(why) => refused.push((at, why)),
            }
        }
        if refused.is_empty() {
            for (key, marking) in marked {
                let said = self.marks.entry(key).or_default();
                said.note = marking.note.clone().unwrap_or_else(|| std::mem::take(&mut said.note));
                (said.mark, said.at) = (marking.mark, Some(now));
            }
        }
        Ok(refused)
    }

    fn has_picks(&self, batch: BatchKey) -> Result<bool, LedgerError> {
        let is_of_batch = |key| self.jobs.get(key).is_some_and(|row: &JobRow| row.job.batch == batch);
        Ok(self.marks.iter().any(|(key, said)| said.mark == Some(TakeMark::Pick) && is_of_batch(key)))
    }
}
