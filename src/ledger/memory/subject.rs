//! The maps, as the contract suite sees them.

use crate::ledger::BatchKey;
use crate::ledger::contract::{KeptAnswer, Subject};
use crate::ledger::decide::{Job, Payment, Sums};
use crate::money::Msat;

use super::{AnswerRow, MemoryLedger};

impl Subject for MemoryLedger {
    fn empty() -> Self {
        Self::new()
    }

    fn begin(&mut self, name: &str) -> BatchKey {
        self.begin_batch(name)
    }

    fn jobs(&self) -> Vec<Job> {
        self.jobs.values().map(|row| row.job.clone()).collect()
    }

    fn payments(&self) -> Vec<Payment> {
        self.payments.keys().map(|key| self.payment(*key).unwrap()).collect()
    }

    fn sums(&self, batch: BatchKey) -> Sums {
        self.check_money();
        self.batches.get(&batch).map(|row| row.sums).unwrap_or_default()
    }

    fn planned(&self, batch: BatchKey) -> [Msat; 2] {
        let counts = self.counts(batch);
        [counts.planned, counts.planned_capped]
    }

    fn transitions(&self) -> usize {
        self.transitions.len()
    }

    fn answers(&self) -> Vec<KeptAnswer> {
        let kept = self.answers.iter().map(|(key, row)| {
            let AnswerRow { payment, kind, at, is_interpreted: is_read, answer } = row.clone();
            KeptAnswer { key: *key, payment, kind, at, answer, is_read }
        });
        kept.collect()
    }
}
