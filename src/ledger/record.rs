//! What is written, one record at a time, and what the ledger hands back once it is durable.

use url::Url;

use crate::catalog::{DedupPolicy, Header, RedeemRule};
use crate::l402::{Network, PaymentHash, Preimage, Scheme, Token};
use crate::money::Msat;
use crate::purchase::{Credential, HttpAnswer, JobState, Poll, Reason, Request, WalletId};
use crate::time::UnixMs;

use super::{HeldBack, IntentBounds, Original, RefundRecord, Reuse, Served};

/// A batch in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchKey(pub i64);

/// A job (one take of it) in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey(pub i64);

/// A payment in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentKey(pub i64);

/// A stored answer in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnswerKey(pub i64);

/// One thing to make durable.
#[derive(Clone, Debug)]
pub enum Record {
    /// Reserve price and fee ceiling and keep all that redeeming needs, in one transaction. Counts the first send as
    /// begun. The job becomes `running`.
    Intend(Box<NewIntent>),
    /// One more POST of this payment is about to begin.
    SendBegun(PaymentKey),
    /// The node itself has answered a POST that did not settle.
    SendAnswered {
        /// The payment that it is about.
        payment: PaymentKey,
        /// The node has taken the payment up: from now on its "not found" only says that it has forgotten.
        accepted: bool,
    },
    /// The preimage is known. The job becomes `paid`, even where a person had taken the payment as never made.
    Paid {
        /// The payment that it is about.
        payment: PaymentKey,
        /// The verified preimage.
        preimage: Preimage,
        /// The node itself has answered the POST that was open.
        answered: bool,
        /// What the node posted, where it already has.
        posted: Option<Posted>,
    },
    /// The node says SUCCEEDED: the actual fee replaces the ceiling, and the rest of the hold is given back.
    Posted(PaymentKey, Posted),
    /// The hash is dead, by proof: the hold is given back, and the job may end or become pending again.
    Dead {
        /// The payment that it is about.
        payment: PaymentKey,
        /// Why it can never settle any more.
        proof: DeadProof,
        /// What becomes of the job.
        end: JobEnd,
    },
    /// What a person gave up can never settle any more, by proof: what is still held for it is given back, and the job
    /// stays as it was decided.
    AbandonedDead {
        /// The payment that it is about.
        payment: PaymentKey,
        /// Why it can never settle any more.
        proof: DeadProof,
    },
    /// The newest payment that a node has settled, whoever made it: what it must still know for its "not found" to count
    /// before the ledger knows of any settlement there. The first one kept stays.
    KeptSettlement {
        /// The node that says so.
        node: WalletId,
        /// The hash that it says has settled.
        hash: PaymentHash,
    },
    /// The payment's fate is unknown, or known not to be final. The job becomes `in_doubt`; the hold stays.
    Doubt {
        /// The payment that it is about.
        payment: PaymentKey,
        /// Why. `payment_in_flight` also says that the node has taken the payment up, and `node_forgot` that it may have:
        /// from then on its "not found" proves nothing for this payment.
        reason: Reason,
        /// In words, for a person.
        error: Option<String>,
        /// Nothing can change before this time.
        wait_until: Option<UnixMs>,
    },
    /// An answer to a redeem or a poll, before it is interpreted.
    Answer {
        /// The payment that it is about.
        payment: PaymentKey,
        /// To what it is an answer.
        kind: AnswerKind,
        /// What the origin answered: status, headers and body.
        answer: HttpAnswer,
    },
    /// The origin takes its time: poll there. The job stays `paid`.
    Accepted {
        /// The payment that it is about.
        payment: PaymentKey,
        /// The answer that said so.
        answer: AnswerKey,
        /// Where to poll.
        poll: Poll,
    },
    /// The result is there. The job becomes `delivered`; a body file is removed. Refused where it is an identical
    /// request's and may not be.
    Delivered {
        /// The payment that it is about.
        payment: PaymentKey,
        /// The answer that said so.
        answer: AnswerKey,
        /// The result's absolute URL.
        url: String,
        /// Those of further results of the same answer.
        more: Vec<String>,
        /// It must be no other purchase's of the identical request: the origin may have answered from its cache.
        own: bool,
    },
    /// An answer that is the result: [`Record::Answer`] and [`Record::Delivered`] in one. Where the result may not be its own, or does not
    /// fit, the answer alone is kept, not interpreted.
    DeliveredAtOnce {
        /// The payment that it is about.
        payment: PaymentKey,
        /// To what it is an answer.
        kind: AnswerKind,
        /// What the origin answered.
        answer: HttpAnswer,
        /// The result's absolute URL.
        url: String,
        /// Those of further results of the same answer.
        more: Vec<String>,
        /// As of [`Record::Delivered`].
        own: bool,
    },
    /// Paid and not delivered: the job's state and reason (`paid` or `lost`) say how it stands. A poll address stays.
    Undelivered {
        /// The payment that it is about.
        payment: PaymentKey,
        /// The answer that was interpreted so, if any.
        answer: Option<AnswerKey>,
        /// That answer to a redeem was a success: the first such one counts, and is never sent for again but by
        /// [`Record::Replaying`].
        heard: bool,
        /// How the job stands.
        end: JobEnd,
    },
    /// The one redeem more that may follow a success is about to be sent.
    Replaying(PaymentKey),
    /// The refund of a payment is offered, claimed, or comes.
    Refund(PaymentKey, RefundRecord),
    /// This run has waited long enough for a paid job, and leaves it to the next one: that counts against its endpoint
    /// until it delivers. Neither state nor reason change.
    LeftUndelivered(JobKey),
    /// Another job's token has served the job: the answer is kept, and the job becomes `delivered`, or ends without any spending. Nothing
    /// is paid for it.
    Served(Box<Served>),
    /// The job ends, or becomes pending again, without any open payment.
    Ended(JobKey, JobEnd),
    /// Nobody can go on with the job: `body_missing` or `row_damaged`; or, paid, not before its secret can be had: `not_delivered`. Its
    /// state stays, and nothing is counted against the origin, which was not asked.
    Stuck {
        /// The job that it is about.
        job: JobKey,
        /// The reason, as results and events name it.
        reason: Reason,
        /// In words, with what to do.
        error: String,
    },
    /// A delivered job's result, of several the one with that number from 0, is about to be written into that file, or is whole and about to
    /// get its name. Neither state nor reason change.
    Fetching(JobKey, usize, FetchMark),
    /// The file of its first result is whole, synced, and stands under its name, and so do those of all further ones, as they are marked.
    /// The job becomes `downloaded`.
    Downloaded(JobKey, DownloadedFile),
    /// A delivered job's result could not be fetched: `not_downloaded` or `url_gone`. The job stays `delivered`.
    NotDownloaded {
        /// The job that it is about.
        job: JobKey,
        /// The reason, as results and events name it.
        reason: Reason,
        /// What went wrong, in words for a person.
        error: String,
    },
}

/// What the next run must know to go on with a file where this one stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FetchMark {
    /// The file's absolute path, at its end.
    pub file: String,
    /// How to go on with the part that is here; none where the server named no length, or no version by which the rest could be
    /// known to belong to it.
    pub resume: Option<Resume>,
    /// The SHA-256 of the whole file, once it is whole.
    pub sha256: Option<[u8; 32]>,
}

/// A result beside the first one of the same answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FurtherResult {
    /// Its absolute URL.
    pub url: String,
    /// How far its file has come: whole where it has a digest.
    pub mark: Option<FetchMark>,
}

/// How the part of a file can be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resume {
    /// The word for `If-Range`, by which the part is known to belong to what the server has now: a strong ETag, else the
    /// date of the last change.
    pub version: String,
    /// The whole file's length, in bytes.
    pub total: u64,
    /// So many bytes of the part are on the disk for certain. What follows them may be anything after a power cut.
    pub synced: u64,
    /// The SHA-256 of these bytes, where there are any: by it the part is known again.
    pub sha256: Option<[u8; 32]>,
}

/// A file that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadedFile {
    /// Its absolute path.
    pub file: String,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
}

/// How a job stands after a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// How the job stands.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// In words, for a person. Harmless to a terminal; without any secret.
    pub error: Option<String>,
}

/// All that paying and redeeming need, to be made durable before the payer is called (rule 1).
#[derive(Clone)]
pub struct NewIntent {
    /// For which job.
    pub job: JobKey,
    /// The exact request.
    pub request: Request,
    /// The address of its endpoint, whatever stands in its places: what is taken there without a delivery counts for all of it.
    pub endpoint_url: Url,
    /// How far identical requests keep apart (rule 9).
    pub dedup: DedupPolicy,
    /// The scheme name of the challenge.
    pub scheme: Scheme,
    /// Its token.
    pub token: Token,
    /// Every parameter of the challenge, as received.
    pub challenge: Vec<(String, String)>,
    /// The BOLT11 invoice.
    pub invoice: String,
    /// Its payment hash.
    pub hash: PaymentHash,
    /// Its amount: the job's price by the plan, or less.
    pub amount: Msat,
    /// The most that routing may cost.
    pub fee_limit: Msat,
    /// The public key of the invoice's payee, in hex.
    pub payee: String,
    /// The invoice's network.
    pub network: Network,
    /// The node that is to pay.
    pub node: WalletId,
    /// When the invoice expires.
    pub invoice_expires_at: UnixMs,
    /// When the credential is expected to expire.
    pub credential_expires_at: UnixMs,
    /// The limits that this intent must fit into.
    pub caps: Caps,
    /// How far purchases may go.
    pub bounds: IntentBounds,
    /// Where its token is good for further requests; none where it serves its own job alone.
    pub reuse: Option<Reuse>,
}

impl std::fmt::Debug for NewIntent {
    /// Without token and challenge, which are credentials, and without the invoice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewIntent")
            .field("job", &self.job)
            .field("hash", &self.hash)
            .field("amount", &self.amount)
            .field("fee_limit", &self.fee_limit)
            .finish_non_exhaustive()
    }
}

/// Limits over more than one job, checked and charged in the transaction of the intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Over all runs of the batch: spent + held, fees included.
    pub batch: Option<Msat>,
    /// Over the day, across batches.
    pub day: Option<PeriodCap>,
    /// Over the month, across batches.
    pub month: Option<PeriodCap>,
    /// Of the origin at which it buys.
    pub origin: OriginCaps,
}

/// What one origin may get, over every batch of the ledger. Its day and month are those of [`Caps`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginCaps {
    /// By one purchase, fee ceiling included.
    pub job: Option<Msat>,
    /// In the day: spent + held, fees included.
    pub day: Option<Msat>,
    /// In the month.
    pub month: Option<Msat>,
    /// In all, for as long as nothing it sold was ever delivered.
    pub new: Option<Msat>,
}

impl OriginCaps {
    /// Whether anything has to be known of the origin for them.
    #[must_use]
    pub const fn has_sums(&self) -> bool {
        self.day.is_some() || self.month.is_some() || self.new.is_some()
    }
}

/// What is used of what one origin may get: spent + held, in msat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginUsed {
    /// Of the day to which a payment made now would be charged.
    pub day: Msat,
    /// Of the month.
    pub month: Msat,
    /// In all; none where it has ever delivered.
    pub new: Option<Msat>,
}

/// What is used of the day and of the month that a payment made now would be charged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeriodsUsed {
    /// Of the day.
    pub day: Msat,
    /// Of the month.
    pub month: Msat,
}

/// A limit over a day or a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodCap {
    /// The period's name, which sorts by time: `2026-11-20`, `2026-11`. A name before the newest that the ledger knows
    /// is charged to the newest: the clock never goes back.
    pub period: String,
    /// The most that may be spent and held in it.
    pub most: Msat,
}

/// Why an intent was not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntentRefusal {
    /// The batch's limit does not hold this purchase any more.
    BatchLimit {
        /// The most that the purchase can cost.
        cost: Msat,
        /// Spent and held so far.
        used: Msat,
        /// The limit, in msat.
        most: Msat,
    },
    /// The day's limit.
    DayLimit {
        /// The most that the purchase can cost.
        cost: Msat,
        /// Spent and held so far.
        used: Msat,
        /// The limit, in msat.
        most: Msat,
    },
    /// The month's limit.
    MonthLimit {
        /// The most that the purchase can cost.
        cost: Msat,
        /// Spent and held so far.
        used: Msat,
        /// The limit, in msat.
        most: Msat,
    },
    /// It may cost more than one purchase may at its origin.
    OriginJobLimit {
        /// The most that the purchase can cost.
        cost: Msat,
        /// The limit, in msat.
        most: Msat,
    },
    /// The ledger already knows this payment hash: it belongs to another purchase.
    HashKnown,
    /// Another purchase of the identical request is open, or is not a window ago: two processes asked at once.
    IdenticalKnown,
    /// The same request is bought already under another name, and nobody means to buy it once more.
    Duplicate(Original),
    /// A purchase of the same job from before a person's word is open, or its hash is neither settled nor dead.
    EarlierTake {
        /// When its payment can settle no more without its node's having been asked; none where it is open.
        until: Option<UnixMs>,
    },
    /// By what endpoints, origins and nodes hold, no purchase may begin there now.
    HeldBack(HeldBack),
    /// The endpoint has a token that serves several jobs, or one is being bought: that one is asked with first.
    TokenKnown,
}

/// The most blocks for which a payment's HTLCs may lock its money, from when it is sent: half of lnd's own default, and more than
/// invoices that are paid at once ever need.
pub const CLTV_LIMIT: u32 = 1_008;
/// The same of payments for which none was kept: lnd's own default, which version 0.1 left to it.
pub(in crate::ledger) const CLTV_LIMIT_UNKNOWN: u32 = 2_016;
/// How long a block may take on average over so many, in milliseconds: twice what the chain aims at. It never took that
/// long, and what the end on the chain takes is in there too.
pub(in crate::ledger) const BLOCK_MS_MAX: i64 = 20 * 60_000;

/// An intent that is durable. Only a ledger makes one, and paying takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableIntent {
    pub(in crate::ledger) payment: PaymentKey,
    pub(in crate::ledger) job: JobKey,
    pub(in crate::ledger) hash: PaymentHash,
    pub(in crate::ledger) invoice: String,
    pub(in crate::ledger) headers: Vec<Header>,
    pub(in crate::ledger) amount: Msat,
    pub(in crate::ledger) fee_limit: Msat,
    pub(in crate::ledger) cltv_limit: Option<u32>,
    pub(in crate::ledger) node: WalletId,
    pub(in crate::ledger) invoice_expires_at: UnixMs,
    pub(in crate::ledger) credential_expires_at: UnixMs,
    pub(in crate::ledger) sends_begun: u32,
    pub(in crate::ledger) sends_answered: u32,
    pub(in crate::ledger) accepted: bool,
}

impl DurableIntent {
    /// The payment's key.
    #[must_use]
    pub const fn payment(&self) -> PaymentKey {
        self.payment
    }
    /// The job that it pays for.
    #[must_use]
    pub const fn job(&self) -> JobKey {
        self.job
    }
    /// The payment hash.
    #[must_use]
    pub const fn hash(&self) -> &PaymentHash {
        &self.hash
    }
    /// The BOLT11 invoice.
    #[must_use]
    pub fn invoice(&self) -> &str {
        &self.invoice
    }
    /// What its request had in its head by its endpoint's word, whatever the endpoint says now.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }
    /// The invoice's amount.
    #[must_use]
    pub const fn amount(&self) -> Msat {
        self.amount
    }
    /// The most that routing may cost.
    #[must_use]
    pub const fn fee_limit(&self) -> Msat {
        self.fee_limit
    }
    /// The most blocks for which it may lock money; none where the node decided.
    #[must_use]
    pub const fn cltv_limit(&self) -> Option<u32> {
        self.cltv_limit
    }
    /// Until when it may still settle, as far as anybody knows without its node: a POST is taken up while the invoice lives,
    /// and its HTLCs end with their time locks.
    #[must_use]
    pub fn settles_until(&self) -> UnixMs {
        let blocks = i64::from(self.cltv_limit.unwrap_or(CLTV_LIMIT_UNKNOWN));
        self.invoice_expires_at.plus_ms(blocks.saturating_mul(BLOCK_MS_MAX))
    }
    /// The only node that may ever pay it.
    #[must_use]
    pub const fn node(&self) -> &WalletId {
        &self.node
    }
    /// When the invoice expires.
    #[must_use]
    pub const fn invoice_expires_at(&self) -> UnixMs {
        self.invoice_expires_at
    }
    /// When the credential is expected to expire.
    #[must_use]
    pub const fn credential_expires_at(&self) -> UnixMs {
        self.credential_expires_at
    }
    /// POSTs that were ever begun.
    #[must_use]
    pub const fn sends_begun(&self) -> u32 {
        self.sends_begun
    }
    /// POSTs that the node itself answered.
    #[must_use]
    pub const fn sends_answered(&self) -> u32 {
        self.sends_answered
    }
    /// Whether the node has ever taken the payment up: told that it is on its way, known, or failed.
    #[must_use]
    pub const fn accepted(&self) -> bool {
        self.accepted
    }
}

/// A purchase whose preimage is durable. Only a ledger makes one, and redeeming takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidPurchase {
    pub(in crate::ledger) intent: DurableIntent,
    pub(in crate::ledger) credential: Credential,
    pub(in crate::ledger) posted: bool,
    pub(in crate::ledger) redeems: u32,
    pub(in crate::ledger) since: Box<SincePaid>,
}

/// What came since the payment: from the origin, and as a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ledger) struct SincePaid {
    pub(in crate::ledger) paid_at: UnixMs,
    pub(in crate::ledger) heard: Option<(UnixMs, AnswerKey)>,
    pub(in crate::ledger) retried_at: Option<UnixMs>,
    pub(in crate::ledger) replayed_at: Option<UnixMs>,
    pub(in crate::ledger) poll: Option<Poll>,
    pub(in crate::ledger) stood: (Reason, Option<String>),
}

impl PaidPurchase {
    /// The intent that was paid.
    #[must_use]
    pub const fn intent(&self) -> &DurableIntent {
        &self.intent
    }
    /// The payment's key.
    #[must_use]
    pub const fn payment(&self) -> PaymentKey {
        self.intent.payment
    }
    /// What redeems it.
    #[must_use]
    pub const fn credential(&self) -> &Credential {
        &self.credential
    }
    /// Whether the node has posted it (SUCCEEDED, fee known).
    #[must_use]
    pub const fn posted(&self) -> bool {
        self.posted
    }
    /// Answers to redeems that are in the ledger.
    #[must_use]
    pub const fn redeems(&self) -> u32 {
        self.redeems
    }
    /// The first success that was answered to a redeem. Nothing is sent again after it but by
    /// [`Self::may_replay`].
    #[must_use]
    pub fn heard(&self) -> Option<AnswerKey> {
        self.since.heard.map(|(_, answer)| answer)
    }
    /// From when on the origin is waited for: its first success, else the payment; a person's word to ask again begins it
    /// anew.
    #[must_use]
    pub fn waited_from(&self) -> UnixMs {
        let from = self.since.heard.map_or(self.since.paid_at, |(at, _)| at);
        self.since.retried_at.map_or(from, |at| at.max(from))
    }
    /// Whether a person's word to ask again has not been followed by a redeem after a success.
    #[must_use]
    pub fn is_retried(&self) -> bool {
        self.since.retried_at.is_some_and(|word| self.since.replayed_at.is_none_or(|sent| sent < word))
    }
    /// Whether one redeem more may follow a success: where the endpoint says that it gives the same again, once; and once
    /// for each word of a person.
    #[must_use]
    pub fn may_replay(&self, rule: RedeemRule) -> bool {
        self.is_retried() || (rule == RedeemRule::Replays && self.since.replayed_at.is_none())
    }
    /// Where it is polled.
    #[must_use]
    pub fn poll(&self) -> Option<&Poll> {
        self.since.poll.as_ref()
    }
    /// How its job stood when the purchase was read: why, and in words.
    #[must_use]
    pub fn stood(&self) -> &(Reason, Option<String>) {
        &self.since.stood
    }
}

/// What the node posted for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// What routing cost.
    pub fee: Msat,
    /// The node's own number for the payment.
    pub payment_index: Option<u64>,
}

/// Why a payment hash can never settle any more (rule 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadProof {
    /// The same node says FAILED, and no POST is unanswered.
    FailedAndAnswered,
    /// The same node says FAILED, and the invoice has expired by its clock plus a margin.
    FailedAndExpired,
    /// The same node, its history intact, does not know the hash, and no POST is unanswered.
    NotFoundAndAnswered,
    /// The same node, its history intact, does not know the hash, and the invoice has expired by its clock plus a margin.
    NotFoundAndExpired,
}

/// To what an answer is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// The request with the credential.
    Redeem,
    /// The poll address.
    Poll,
}

/// What came of a record.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What the ledger hands back.
    pub committed: Committed,
    /// How the record changes what people see of its job; none where it changes nothing of that.
    pub transition: Option<Transition>,
}

/// How a job stands after a record, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// How the job stands.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// What the seller was paid, where the record tells it.
    pub amount: Option<Msat>,
    /// The actual routing fee, where the record tells it.
    pub fee: Option<Msat>,
    /// What came back, where the record tells it.
    pub refunded: Option<Msat>,
    /// The result's URL, from its delivery on.
    pub url: Option<String>,
    /// Those of further results of the same answer, where the record tells them.
    pub more_urls: Vec<String>,
    /// The file, once downloaded.
    pub file: Option<String>,
    /// Those of further results, then.
    pub more_files: Vec<String>,
    /// What went wrong, in words for a person; none where nothing did.
    pub error: Option<String>,
}

/// What the ledger hands back once a record is durable.
#[derive(Clone, Debug)]
pub enum Committed {
    /// To `Intend`, `SendBegun`, `SendAnswered`: the intent as it now stands.
    Intent(DurableIntent),
    /// To `Intend`, and to `Served` where an earlier take is open: it does not fit; nothing was written.
    IntentRefused(IntentRefusal),
    /// To `Paid`, `Accepted` and `Replaying`: the purchase as it now stands.
    Paid(PaidPurchase),
    /// To `Answer`, and to `DeliveredAtOnce` where nothing else of it is written: the stored answer.
    Answer(AnswerKey),
    /// To `Delivered`: the result is that of an identical request that was bought before; nothing was written.
    /// To `Dead`: only a merge had put the take beside another one that is paid for, or may be; that one stands for both now;
    /// or its row has gone from the manifest: it is withdrawn.
    NotItsOwn,
    /// To everything else.
    Done,
}
