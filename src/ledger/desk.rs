//! Where a person's words are carried out: each is looked up, decided and written in one transaction, whatever the store.

use super::decide::{OriginFacts, PersonFacts, ReopeningFacts, Said, Store, Unfit, keep, reopen, resolve, trust};
use super::port::Decisions;
use super::{
    AnswerKey, BatchKey, DeadProof, Decided, Decision, IntentBounds, JobKey, LedgerError, Reopened, Reopening, Trusted,
    Undecided,
};
use crate::purchase::HttpAnswer;
use crate::time::UnixMs;

/// One transaction of a store, as a person's words see it.
pub trait Desk: Store {
    /// What a decision on that job depends on.
    ///
    /// # Errors
    /// Where it cannot be read, or there is no such job.
    fn person(&mut self, job: JobKey) -> Result<PersonFacts, Self::Error>;

    /// What a word on what that job has paid for depends on.
    ///
    /// # Errors
    /// Where it cannot be read, or there is no such job.
    fn reopening(&mut self, job: JobKey) -> Result<ReopeningFacts, Self::Error>;

    /// An answer that is kept.
    ///
    /// # Errors
    /// Where it cannot be read, or there is no such answer.
    fn kept(&mut self, answer: AnswerKey) -> Result<HttpAnswer, Self::Error>;

    /// What a word for that origin depends on.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn origin(&mut self, origin: &str) -> Result<OriginFacts, Self::Error>;
}

/// A store in which persons decide: it has [`Decisions`].
pub trait Desks {
    /// Why something could not be carried out.
    type Error: From<Unfit>;

    /// Carries out one transaction.
    ///
    /// # Errors
    /// Where the ledger cannot be written, or the work fails. Nothing was written then.
    fn at_desk<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Desk<Error = Self::Error>) -> Result<T, Self::Error>,
    ) -> Result<T, LedgerError>;

    /// See [`Decisions::undecided_take`].
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn find_undecided(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError>;
}

impl<S: Desks> Decisions for S {
    fn undecided(&self, batch: BatchKey, id: &str) -> Result<Option<Undecided>, LedgerError> {
        self.find_undecided(batch, id, None)
    }

    fn undecided_take(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError> {
        self.find_undecided(batch, id, take)
    }

    fn decide(
        &mut self,
        now: UnixMs,
        key: JobKey,
        decision: Decision,
        note: &str,
        evidence: &str,
        proof: Option<DeadProof>,
    ) -> Result<Decided, LedgerError> {
        self.at_desk(|desk| {
            let said = Said { decision, note, evidence, proof };
            let (decided, writes) = resolve(&desk.person(key)?, now, said)?;
            desk.apply(&writes)?;
            Ok(decided)
        })
    }

    fn keep(&mut self, now: UnixMs, key: JobKey, note: &str) -> Result<bool, LedgerError> {
        self.at_desk(|desk| {
            let Some(writes) = keep(&desk.person(key)?.job, now, note) else { return Ok(false) };
            desk.apply(&writes)?;
            Ok(true)
        })
    }

    fn reopen(&mut self, now: UnixMs, key: JobKey, word: Reopening, note: &str) -> Result<Reopened, LedgerError> {
        self.at_desk(|desk| {
            let facts = desk.reopening(key)?;
            let (reopened, writes) = reopen(&facts, now, (word, note), |answer| desk.kept(answer))?;
            desk.apply(&writes)?;
            Ok(reopened)
        })
    }

    fn trust(
        &mut self,
        now: UnixMs,
        batch: BatchKey,
        origin: &str,
        number: u32,
        bounds: IntentBounds,
    ) -> Result<Trusted, LedgerError> {
        self.at_desk(|desk| {
            let known = desk.origin(origin)?;
            let (trusted, writes) = trust(&known, now, batch, (origin, number), bounds);
            desk.apply(&writes)?;
            Ok(trusted)
        })
    }
}
