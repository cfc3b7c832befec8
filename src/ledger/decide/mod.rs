//! Every rule about money and lives of jobs that a record must keep, as pure functions: from what is known, the time and the
//! record to what is answered, how the job stands then, and what is to be written. No SQL, no clock, no waiting.
//!
//! A store does two things, in one transaction: it loads what a record depends on ([`Keys`] to [`Facts`]), and applies what is
//! decided ([`Write`]). What a store's own constraints refuse beyond that is a defect, or a row that somebody else has changed.

mod admission;
mod after_write;
mod alike;
mod budget;
mod files;
#[cfg(test)]
mod fixtures;
pub(in crate::ledger) mod group;
mod history_check;
mod intend;
mod jobs;
mod keys;
pub(in crate::ledger) mod load;
mod mark;
mod may_repeat;
pub(in crate::ledger) mod merge;
mod open;
mod payments;
mod person;
mod redeem;
mod refund;
mod reopen;
mod rows;
mod sums;
mod takes;
mod token;
mod trust;
mod write;

use crate::ledger::{AnswerKey, Committed, JobKey, PaymentKey, Record, Transition};
use crate::time::UnixMs;

use admission::next_word;

pub use admission::{
    Admission, DeliveryFacts, EndpointFacts, IN_ALL, OriginSum, OriginSums, admit, endpoint_is_held, may_be_delivered,
};
pub use alike::{Bought, Buyer, Wanted, bought_elsewhere, identical_request, is_free};
pub use budget::{Used, used_of};
pub use files::without_file;
pub use group::{commit_all, commit_one};
pub use history_check::{SETTLED_MAX, Settled, history_check};
pub use intend::IntentFacts;
pub use keys::{Keys, keys};
pub use mark::{MarkFacts, PickedShots, markable};
pub use may_repeat::{MayRepeat, RowFacts, Unknown};
pub use open::{Stored, StoredAnswer, stage};
pub use person::{PersonFacts, Said, keep, resolve};
pub use redeem::deliver;
pub use reopen::{ReopeningFacts, TAKEN_BY, kept_answer, reopen};
pub use rows::*;
pub use sums::Sums;
pub use takes::may_settle_until;
pub use token::{TokenStanding, token_at};
pub use trust::{BegunByWord, OriginFacts, WordSaid, trust, trusted};
pub use write::{AnswerWrite, Join, Moved, RefundWrite, Write};

/// What a store knows of the things that a record names. What is not there was not found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The record's job, or that of its payment.
    pub job: Option<Job>,
    pub payment: Option<Payment>,
    pub intent: Option<Intent>,
    /// Every take of the same job, in their order.
    pub takes: Vec<Take>,
    pub answer: Option<Answer>,
    /// Answers of the payment that are no success, in their order.
    pub refusals: Vec<Refusal>,
    pub refund: Option<Refund>,
    /// The refund of another payment has that very invoice.
    pub is_invoice_of_another: bool,
    /// The endpoint of the payment, with the words that were said for its origin.
    pub origin: DeliveryFacts,
    /// Payments of the job that are paid for and not delivered.
    pub undelivered: Vec<Payment>,
    /// The job of another payment with the identical request has that result.
    pub is_result_of_another: bool,
    /// A payment is kept by which the node's history is checked.
    pub has_kept_settlement: bool,
    /// What a new intent depends on.
    pub intending: Option<Box<IntentFacts>>,
    /// The keys of the next rows.
    pub next: NextKeys,
}

/// The keys that the next rows of their kinds get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextKeys {
    pub job: JobKey,
    pub payment: PaymentKey,
    pub answer: AnswerKey,
}

impl Default for NextKeys {
    fn default() -> Self {
        Self { job: JobKey(1), payment: PaymentKey(1), answer: AnswerKey(1) }
    }
}

/// What is decided about a record.
pub struct Ruling<'a> {
    pub committed: Committed,
    pub transition: Option<Transition>,
    pub writes: Vec<Write<'a>>,
}

/// Why a record is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It contradicts what is known.
    Contradiction(String),
    /// A row that it depends on cannot be what it says.
    Damaged(String),
}

/// Where records are kept: one transaction of it.
pub trait Store {
    /// Why it could not.
    type Error: From<Unfit>;

    /// Looks up what each of these names; the facts stand in the order of the keys.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn load(&mut self, keys: &[Keys<'_>]) -> Result<Vec<Facts>, Self::Error>;

    /// Writes, as if in this order.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), Self::Error>;
}

/// Decides one record.
///
/// # Errors
/// Where it does not fit what is known.
pub fn decide<'a>(facts: &Facts, now: UnixMs, record: &'a Record) -> Result<Ruling<'a>, Unfit> {
    match record {
        Record::Intend(intent) => intend::intend(facts, now, intent),
        Record::SendBegun(key) => payments::send_begun(facts, now, *key),
        Record::SendAnswered { payment, accepted } => payments::send_answered(facts, now, *payment, *accepted),
        Record::Paid { payment, preimage, answered, posted } => {
            payments::paid(facts, now, *payment, preimage, *answered, *posted)
        }
        Record::Posted(key, posted) => payments::posted(facts, now, *key, *posted),
        Record::Dead { payment, proof, end } => payments::dead(facts, now, *payment, *proof, end),
        Record::AbandonedDead { payment, proof } => payments::abandoned_dead(facts, now, *payment, *proof),
        Record::KeptSettlement { node, hash } => Ok(payments::kept_settlement(facts, now, node, *hash)),
        Record::Doubt { payment, reason, error, wait_until } => {
            payments::doubt(facts, now, *payment, (*reason, error.as_deref()), *wait_until)
        }
        Record::Answer { payment, kind, answer } => redeem::answer(facts, now, *payment, *kind, answer),
        Record::Accepted { payment, answer, poll } => redeem::accepted(facts, now, *payment, *answer, poll),
        Record::Delivered { payment, answer, url, more, own } => {
            redeem::delivered(facts, now, *payment, *answer, (url, more, *own))
        }
        Record::DeliveredAtOnce { payment, kind, answer, url, more, own } => {
            redeem::delivered_at_once(facts, now, *payment, (*kind, answer), (url, more, *own))
        }
        Record::Undelivered { payment, answer, heard, end } => {
            redeem::undelivered(facts, now, *payment, (*answer, *heard), end)
        }
        Record::Replaying(key) => redeem::replaying(facts, now, *key),
        Record::Refund(key, record) => refund::refund(facts, now, *key, record),
        Record::LeftUndelivered(_) => Ok(jobs::left_undelivered(facts)),
        Record::Served(of) => token::served(facts, now, of),
        Record::Ended(key, end) => jobs::ended(facts, now, *key, end),
        Record::Stuck { job, reason, error } => jobs::stuck(facts, now, *job, *reason, error),
        Record::Fetching(key, number, mark) => files::fetching(facts, *key, *number, mark),
        Record::Downloaded(key, whole) => files::downloaded(facts, now, *key, whole),
        Record::NotDownloaded { job, reason, error } => files::not_downloaded(facts, now, *job, *reason, error),
    }
}

impl Facts {
    fn job(&self, key: JobKey) -> Result<&Job, Unfit> {
        self.job.as_ref().map_or_else(|| contradiction(format!("there is no job {}", key.0)), Ok)
    }

    /// The payment, and the job that it is for.
    fn payment(&self, key: PaymentKey) -> Result<(&Payment, &Job), Unfit> {
        match (&self.payment, &self.job) {
            (Some(payment), Some(job)) => Ok((payment, job)),
            _ => contradiction(format!("there is no payment {}", key.0)),
        }
    }

    fn intent(&self, key: PaymentKey) -> Result<&Intent, Unfit> {
        let missing = || Err(Unfit::Damaged(format!("payment {} has no intent", key.0)));
        self.intent.as_ref().map_or_else(missing, Ok)
    }
}

impl<'a> Ruling<'a> {
    pub fn new(committed: Committed) -> Self {
        Self { committed, transition: None, writes: Vec::new() }
    }

    pub fn done() -> Self {
        Self::new(Committed::Done)
    }

    fn write(&mut self, write: Write<'a>) {
        self.writes.push(write);
    }

    /// A payment becomes another.
    fn payment(&mut self, was: &Payment, is: Payment) {
        if *was != is {
            self.write(Write::Payment(Box::new(was.clone()), Box::new(is)));
        }
    }
}

/// A contradiction, in words.
fn contradiction<T>(what: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit::Contradiction(what.into()))
}

/// A number, as every store can keep it.
fn number(number: u64) -> Result<i64, Unfit> {
    i64::try_from(number).or_else(|_| contradiction(format!("{number} is more than a ledger can hold")))
}
