//! Many records at once: what they depend on is looked up in one go, and what is decided about them is written in one go.
//!
//! Records of a round are decided in their order, as if each had been written before the next was looked up. What one changes for
//! the others as a whole (sums, counts, the next keys) is carried on in memory; a record that depends on a row which an earlier
//! one of the round has to do with waits for the next round, and all that follow it.

use std::collections::HashSet;

use crate::l402::PaymentHash;
use crate::ledger::{AnswerKey, JobKey, PaymentKey, Record, Recorded};
use crate::time::UnixMs;

use super::{AnswerWrite, Facts, Keys, Ruling, Store, Unfit, Write, decide, keys};

/// What became of each of some records: what was recorded, or why it was not.
pub type Outcomes = Vec<Result<Recorded, Unfit>>;

/// Loads, decides and applies records, in their order. A record that does not fit leaves no trace.
///
/// # Errors
/// Where the store cannot be used, or refuses what was decided: its transaction is to be rolled back, and
/// [`commit_one`] for each finds out which record that was.
pub fn commit_all<S: Store>(store: &mut S, records: &[(UnixMs, Record)]) -> Result<Outcomes, S::Error> {
    let mut outcomes = Vec::with_capacity(records.len());
    let mut rest = records;
    let mut most = records.len();
    while !rest.is_empty() {
        let round = rest.get(..most).unwrap_or(rest);
        let decided = commit_round(store, round)?;
        rest = rest.get(decided.len()..).unwrap_or_default();
        // What a round that ended early has looked up in vain stays in proportion to what it came to.
        most = decided.len().saturating_mul(2);
        outcomes.extend(decided);
    }
    Ok(outcomes)
}

/// Loads, decides and applies one record.
///
/// # Errors
/// Where the record does not fit, or the store cannot be used: its transaction, or what of it is the record's own, is to be
/// rolled back.
pub fn commit_one<S: Store>(store: &mut S, record: &(UnixMs, Record)) -> Result<Recorded, S::Error> {
    let outcome = commit_round(store, std::slice::from_ref(record))?.pop();
    Ok(outcome.unwrap_or_else(|| super::contradiction("a record of which nothing was decided"))?)
}

/// As many of these records as do not wait for one before them; the first one never does.
fn commit_round<S: Store>(store: &mut S, records: &[(UnixMs, Record)]) -> Result<Outcomes, S::Error> {
    let asked: Vec<Keys<'_>> = records.iter().map(|(_, record)| keys(record)).collect();
    let loaded = store.load(&asked)?;
    let mut round = Round::default();
    let mut outcomes = Vec::with_capacity(records.len());
    for (((now, record), keys), mut facts) in records.iter().zip(&asked).zip(loaded) {
        if !round.admits(keys, &mut facts) {
            break;
        }
        outcomes.push(decide(&facts, *now, record).map(|ruling| round.add(ruling)));
    }
    store.apply(&round.writes)?;
    Ok(outcomes)
}

/// A row that only one record of a round may have to do with, by what names it.
#[derive(PartialEq, Eq, Hash)]
enum Named {
    Job(JobKey),
    Payment(PaymentKey),
    Answer(AnswerKey),
    Hash(PaymentHash),
    RefundInvoice(PaymentHash),
    Request([u8; 32]),
    Result(String),
    KeptSettlement(String),
}

/// What the records of a round have to do with so far, and what is to be written of them.
#[derive(Default)]
struct Round<'a> {
    named: HashSet<Named>,
    writes: Vec<Write<'a>>,
}

impl<'a> Round<'a> {
    /// Whether what was looked up for a record before the round began still holds, or can be brought up to date.
    fn admits(&mut self, keys: &Keys<'_>, facts: &mut Facts) -> bool {
        let named = named(keys, facts);
        if named.iter().any(|row| self.named.contains(row)) {
            return false;
        }
        self.named.extend(named);
        self.writes.iter().all(|write| facts.after_write(keys, write))
    }

    fn add(&mut self, ruling: Ruling<'a>) -> Recorded {
        let new = ruling.writes.iter().filter_map(|write| match write {
            Write::Intend(payment, _) => Some(Named::Payment(payment.key)),
            Write::Answer(AnswerWrite::New { key, .. }) => Some(Named::Answer(*key)),
            Write::Job(_)
            | Write::Transition { .. }
            | Write::MoreResults(..)
            | Write::Fetching(..)
            | Write::File(..)
            | Write::FurtherTake { .. }
            | Write::Unreplace { .. }
            | Write::JoinTakes(_)
            | Write::Decision { .. }
            | Write::Keep(_)
            | Write::Payment(..)
            | Write::Money(..)
            | Write::Period(..)
            | Write::OriginPeriod { .. }
            | Write::Endpoint { .. }
            | Write::Delivers(..)
            | Write::AcceptsAgain(_)
            | Write::Word { .. }
            | Write::UseWord { .. }
            | Write::LapseWord { .. }
            | Write::KeptSettlement { .. }
            | Write::Answer(AnswerWrite::Cut(..) | AnswerWrite::Drop(_) | AnswerWrite::Interpreted(..))
            | Write::Served(..)
            | Write::BodyUnneeded(_)
            | Write::Refund(..) => None,
        });
        self.named.extend(new);
        self.writes.extend(ruling.writes);
        Recorded { committed: ruling.committed, transition: ruling.transition }
    }
}

/// The rows that a record depends on, as far as others of its round may change them.
fn named(keys: &Keys<'_>, facts: &Facts) -> HashSet<Named> {
    let mut jobs: Vec<JobKey> = keys.job.into_iter().chain(facts.job.as_ref().map(|job| job.key)).collect();
    jobs.extend(facts.payment.as_ref().map(|payment| payment.job));
    jobs.extend(facts.takes.iter().map(|take| take.job.key));
    let mut named: HashSet<Named> = keys.payment.map(Named::Payment).into_iter().collect();
    named.extend(keys.answer.map(Named::Answer));
    named.extend(keys.refund_invoice.map(Named::RefundInvoice));
    if let Some(intent) = keys.intent {
        named.insert(Named::Hash(intent.hash));
        named.insert(Named::Request(intent.request.digest()));
        jobs.extend(facts.intending.iter().flat_map(|known| &known.alike).map(|one| one.job));
    }
    if let Some(url) = keys.delivers {
        named.insert(Named::Result(url.to_owned()));
        named.extend(facts.job.as_ref().and_then(|job| job.url.clone()).map(Named::Result));
    }
    named.extend(keys.kept_settlement.map(|node| Named::KeptSettlement(node.0.clone())));
    named.extend(jobs.into_iter().map(Named::Job));
    named
}

/// What the facts of a record are once another one is decided, as they are carried on; none where it waits for the next round.
#[cfg(test)]
pub(in crate::ledger) fn carried<S: Store>(store: &mut S, now: UnixMs, first: &Record, next: &Record) -> Option<Facts>
where
    S::Error: std::fmt::Debug,
{
    let asked = [keys(first), keys(next)];
    let mut loaded = store.load(&asked).unwrap();
    let (mut facts, mut before) = (loaded.pop().unwrap(), loaded.pop().unwrap());
    let mut round = Round::default();
    assert!(round.admits(&asked[0], &mut before), "the first one never waits");
    let _recorded = decide(&before, now, first).map(|ruling| round.add(ruling));
    round.admits(&asked[1], &mut facts).then_some(facts)
}
