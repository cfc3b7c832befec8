//! What a person decides, in the maps.

use crate::ledger::decide::{self, PersonFacts, Said, Take};
use crate::ledger::{DeadProof, Decided, Decision, JobKey, LedgerError};
use crate::time::UnixMs;

use super::{MemoryLedger, next};

impl MemoryLedger {
    /// Carries out a decision, as [`Decisions::decide`](crate::ledger::port::Decisions::decide) does.
    ///
    /// # Errors
    /// Where the proof contradicts what is known of the payment.
    pub fn decide(
        &mut self,
        now: UnixMs,
        key: JobKey,
        decision: Decision,
        note: &str,
        evidence: &str,
        proof: Option<DeadProof>,
    ) -> Result<Decided, LedgerError> {
        let row = self.jobs.get(&key);
        let job = row
            .map(|row| row.job.clone())
            .ok_or_else(|| LedgerError::Contradiction(format!("there is no job {}", key.0)))?;
        let takes = self.takes(&job);
        let own = takes.iter().find(|take| take.job.key == key);
        let live = own.and_then(Take::live_payment).and_then(|key| self.payment(key));
        let next = JobKey(next(self.jobs.keys().last().map(|key| key.0)));
        let (decided, writes) =
            decide::resolve(&PersonFacts { job, takes, live, next }, now, Said { decision, note, evidence, proof })?;
        decide::Store::apply(self, &writes)?;
        Ok(decided)
    }
}
