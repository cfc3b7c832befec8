//! The ledger in maps: the smallest store that keeps every rule, since the rules stand in `ledger::decide`. Nothing of it
//! outlives its process. It is what a further store is measured by, and where its writing begins.

mod apply;
#[cfg(test)]
mod audit;
mod before_buying;
mod duplicates;
mod load;
mod loading;
mod marks;
mod person;
mod records;
#[cfg(test)]
mod subject;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decide::{Endpoint, EndpointKey, Job, Payment, PeriodKind, Sums};
use super::{
    AnswerKey, AnswerKind, BatchKey, DownloadedFile, FetchMark, FurtherResult, JobKey, Marked, NewIntent, PaymentKey,
    RefundInvoice, RefundStanding, Served,
};
use crate::catalog;
use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::plan::ContentHash;
use crate::purchase::{HttpAnswer, JobState, Reason};
use crate::time::UnixMs;

/// A ledger in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    pub(in crate::ledger) batches: BTreeMap<BatchKey, BatchRow>,
    pub(in crate::ledger) jobs: BTreeMap<JobKey, JobRow>,
    pub(in crate::ledger) payments: BTreeMap<PaymentKey, Payment>,
    pub(in crate::ledger) intents: BTreeMap<PaymentKey, NewIntent>,
    answers: BTreeMap<AnswerKey, AnswerRow>,
    /// Jobs that another one's token has served, and when.
    served: BTreeMap<JobKey, (Served, UnixMs)>,
    refunds: BTreeMap<PaymentKey, RefundRow>,
    pub(in crate::ledger) transitions: Vec<(JobKey, UnixMs, JobState, JobState, Reason)>,
    endpoints: BTreeMap<EndpointKey, (String, Endpoint)>,
    words: BTreeMap<(String, u32), Said>,
    /// What persons say of takes.
    marks: BTreeMap<JobKey, Marked>,
    /// What persons have decided of jobs, in its order.
    decisions: Vec<(JobKey, &'static str)>,
    periods: BTreeMap<(PeriodKind, String), Sums>,
    kept_settlements: BTreeMap<String, (PaymentHash, UnixMs)>,
    /// What is written may be taken back.
    is_part: bool,
}

/// A batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ledger) struct BatchRow {
    name: String,
    is_play: bool,
    /// How often a plan was loaded into it.
    loads: u64,
    /// The load whose jobs were accepted last.
    accepted_load: u64,
    pub(in crate::ledger) sums: Sums,
}

/// A take of a job.
#[derive(Clone, Debug)]
pub(in crate::ledger) struct JobRow {
    pub(in crate::ledger) job: Job,
    pub(in crate::ledger) id: String,
    pub(in crate::ledger) take: u32,
    pub(in crate::ledger) merged: bool,
    pub(in crate::ledger) content: ContentHash,
    /// What its row in the manifest asks for now, where that is something else.
    row_content: Option<ContentHash>,
    /// What the manifest gave of it.
    given: ContentHash,
    /// The same of its row, where that is another.
    row_given: Option<ContentHash>,
    /// What it is compared within.
    edition: String,
    pub(in crate::ledger) meant: bool,
    /// What its row asked for when a person said to leave it as it is.
    kept: Option<ContentHash>,
    /// Its position in the manifest.
    seq: u64,
    /// The load that made it; 0 where a decision did.
    first_load: u64,
    /// The load that found it last.
    last_load: u64,
    endpoint: Arc<catalog::Endpoint>,
    params: Vec<(String, catalog::Value)>,
    extra: Vec<(String, String)>,
    mark: Option<FetchMark>,
    more: Vec<FurtherResult>,
    file: Option<DownloadedFile>,
}

/// An answer.
#[derive(Clone, Debug)]
struct AnswerRow {
    payment: PaymentKey,
    kind: AnswerKind,
    at: UnixMs,
    is_interpreted: bool,
    answer: HttpAnswer,
}

impl AnswerRow {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.answer.status)
    }
}

/// A refund.
#[derive(Clone)]
struct RefundRow {
    standing: RefundStanding,
    link: Option<String>,
    invoice: Option<RefundInvoice>,
    /// When its invoice was made.
    made_at: UnixMs,
    handovers: u32,
    words: Option<String>,
    received: Option<Msat>,
}

impl std::fmt::Debug for RefundRow {
    /// Without link and invoice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { standing, handovers, words, received, .. } = self;
        write!(f, "RefundRow({standing:?}, {handovers}, {words:?}, {received:?})")
    }
}

/// A person's word for an origin.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    has_lapsed: bool,
    payment: Option<PaymentKey>,
}

impl MemoryLedger {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The key after the last one.
fn next(last: Option<i64>) -> i64 {
    last.unwrap_or_default().saturating_add(1)
}

#[cfg(test)]
impl MemoryLedger {
    /// The latest answer that was stored for that payment.
    pub(in crate::ledger) fn latest_answer(&self, payment: PaymentKey) -> Option<AnswerKey> {
        let of_payment = self.answers.iter().rev().find(|(_, row)| row.payment == payment);
        of_payment.map(|(key, _)| *key)
    }
}
