//! What a decision writes.

use std::borrow::Cow;

use crate::l402::PaymentHash;
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, DownloadedFile, FetchMark, JobKey, NewIntent, PaymentKey, RefundInvoice,
    RefundStanding, Served,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Reason, WalletId};
use crate::time::UnixMs;

use super::rows::{Charged, EndpointKey, Job, Payment, PeriodKind};

/// One thing to write. A store carries them out in their order, in one transaction, and decides nothing.
#[derive(Clone)]
pub enum Write<'a> {
    /// How a job stands, with all that is said of that.
    Job(Box<Job>),
    /// Appends to a job's history.
    Transition { job: JobKey, at: UnixMs, from: JobState, to: JobState, reason: Reason },
    /// The addresses of further results of a job.
    MoreResults(JobKey, &'a [String]),
    /// What is fetched of a job's result into which file; of several, of the one with that number from 0.
    Fetching(JobKey, usize, &'a FetchMark),
    /// The file of a job is whole.
    File(JobKey, &'a DownloadedFile),
    /// A further take of the same job, with that key and number: it is as the other one, is to be bought, and replaces all others. What tells
    /// takes apart in their requests is moved from the other one's by so many takes.
    FurtherTake { of: JobKey, key: JobKey, take: u32, moved: u32 },
    /// A take that was to be bought in the place of that one is none any more: that one has its place, and is the latest.
    Unreplace { of: JobKey, next: JobKey },
    /// Two takes of one job become one.
    JoinTakes(Join),
    /// A person's decision, appended to a job's decisions.
    Decision { job: JobKey, at: UnixMs, decision: &'static str, note: &'a str, evidence: Cow<'a, str> },
    /// Nothing more is said of a delivered job for as long as its row asks for what it now asks for.
    Keep(JobKey),
    /// A new payment and its intent.
    Intend(Box<Payment>, &'a NewIntent),
    /// A payment, before and after.
    Payment(Box<Payment>, Box<Payment>),
    /// Money that moves between what a batch, its periods, and the origin of its endpoint hold, have spent and got back.
    Money(BatchKey, Charged, Option<EndpointKey>, Moved),
    /// A day or a month begins.
    Period(PeriodKind, String),
    /// What an origin has of us in that period is kept from now on: the sum over all its payments so far.
    OriginPeriod { origin: String, period: String },
    /// An address that nothing was bought at before.
    Endpoint { key: EndpointKey, url: String, origin: String },
    /// An endpoint has delivered: nothing that it took before counts against it any more.
    Delivers(EndpointKey, UnixMs),
    /// No payment at that origin counts as rejected any more.
    AcceptsAgain(String),
    /// A person's word for that origin: one purchase may begin there.
    Word { origin: String, number: u32, batch: BatchKey, at: UnixMs },
    /// A person's word for that origin began that payment.
    UseWord { origin: String, number: u32, payment: PaymentKey },
    /// A word that nothing began by lapses.
    LapseWord { origin: String, number: u32, at: UnixMs },
    /// The first payment by which a node's history is checked.
    KeptSettlement { node: &'a WalletId, hash: PaymentHash, at: UnixMs },
    /// Of the answers of a payment.
    Answer(AnswerWrite<'a>),
    /// Another job's token has served a job, at that time.
    Served(&'a Served, UnixMs),
    /// The body of a payment's request may go, unless another payment needs it.
    BodyUnneeded(PaymentKey),
    /// Of the refund of a payment.
    Refund(PaymentKey, RefundWrite<'a>),
}

/// What is written of answers.
#[derive(Clone)]
pub enum AnswerWrite<'a> {
    /// A new one; `is_read`, where it is interpreted already.
    New { key: AnswerKey, payment: PaymentKey, kind: AnswerKind, at: UnixMs, answer: &'a HttpAnswer, is_read: bool },
    /// Of its body that much is kept, in bytes.
    Cut(AnswerKey, u64),
    /// The answer is removed.
    Drop(AnswerKey),
    /// Those of a payment up to that one have been read.
    Interpreted(PaymentKey, AnswerKey),
}

/// What is written of a refund.
#[derive(Clone)]
pub enum RefundWrite<'a> {
    /// It is offered, for the first time or with a further link.
    Offered { batch: BatchKey, link: Option<&'a str>, at: UnixMs },
    /// It has its one invoice, which is handed over.
    Invoiced { invoice: &'a RefundInvoice, at: UnixMs },
    /// The invoice is handed over once more.
    HandedOver { callback: &'a str, k1: &'a str, at: UnixMs },
    /// What is said of it.
    Said { words: &'a str, at: UnixMs },
    /// How it ends, and what came.
    Ends { standing: RefundStanding, received: Option<(Msat, UnixMs)> },
}

/// Money that moves, in msat: each amount is added (positive) or given back (negative).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    pub held: i64,
    pub spent: i64,
    pub fees: i64,
    pub refunded: i64,
}

impl Moved {
    /// Both moves at once; none where they do not fit.
    pub fn and(self, other: Self) -> Option<Self> {
        Some(Self {
            held: self.held.checked_add(other.held)?,
            spent: self.spent.checked_add(other.spent)?,
            fees: self.fees.checked_add(other.fees)?,
            refunded: self.refunded.checked_add(other.refunded)?,
        })
    }
}

/// Two takes of one job become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// The take that goes. All that happened to it is told of the other one.
    pub gone: JobKey,
    /// The take that stays.
    pub stays: JobKey,
    /// The number that it has from then on.
    pub take: u32,
    /// Whether a merge has made it.
    pub merged: bool,
    /// Its place in the manifest is that of the take that goes.
    pub takes_place: bool,
    /// The latest number among the takes that are left.
    pub latest: u32,
}
