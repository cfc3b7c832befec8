//! What the ledger knows of one job, for a person who has to decide or to complain.

use crate::catalog::Method;
use crate::l402::{Network, PaymentHash, PaymentReceipt};
use crate::money::Msat;
use crate::time::UnixMs;

use super::{AnswerKind, RefundRow, ResultRow};
use crate::purchase::{JobState, Reason};

/// The words by which a person takes what there is for a job's result: the answer that is kept, and what its address serves.
pub const TAKEN_BY: [&str; 2] = ["delivered", "served"];

/// How a payment stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Standing {
    /// Intended; its fate is not known.
    Open,
    /// The preimage is there; the node has not posted it yet.
    Paid,
    /// Posted, its fee known.
    #[strum(serialize = "settled")]
    Posted,
    /// It can never settle.
    Dead,
}

impl Standing {
    /// The word for it, as results, events and the ledger have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One payment: what was asked of the node, and what came of it. Without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// Its payment hash.
    pub hash: PaymentHash,
    /// How it stands.
    pub standing: Standing,
    /// What it pays without the routing fee, in msat.
    pub amount: Msat,
    /// The most that routing may cost.
    pub fee_limit: Msat,
    /// What is held for it: amount and fee limit, until it is posted or dead.
    pub held: Msat,
    /// The actual routing fee, once posted.
    pub fee: Option<Msat>,
    /// The public key of the only node that may pay it.
    pub node: String,
    /// When its intent became durable.
    pub intended_at: UnixMs,
    /// When its invoice expires.
    pub invoice_expires_at: UnixMs,
    /// When its credential is expected to expire.
    pub credential_expires_at: UnixMs,
    /// POSTs that were begun.
    pub sends_begun: u32,
    /// POSTs that the node itself answered.
    pub sends_answered: u32,
    /// When the last POST began.
    pub sent_at: UnixMs,
    /// When the node last answered one.
    pub send_answered_at: Option<UnixMs>,
    /// What the node last said while the payment was open, or why nothing was learnt, in words.
    pub node_said: Option<String>,
    /// The moment, in milliseconds since 1970 (UTC).
    pub node_said_at: Option<UnixMs>,
    /// When the preimage became durable.
    pub paid_at: Option<UnixMs>,
    /// When the node posted it.
    pub posted_at: Option<UnixMs>,
    /// When the origin last answered with what was paid for, or without it.
    pub answered_at: Option<UnixMs>,
    /// The status of that answer.
    pub answered_status: Option<u16>,
    /// Answers to redeems.
    pub redeems: u32,
    /// When the result was there.
    pub delivered_at: Option<UnixMs>,
    /// When it was proved that it can never settle.
    pub dead_at: Option<UnixMs>,
    /// By what proof, as the ledger's word for it.
    pub dead_proof: Option<String>,
}

/// One payment with its request and its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// It is known by its receipt alone: what was asked for, when, and what was answered stood in a ledger that is gone.
    pub by_receipt: bool,
    /// The payment as it stands.
    pub row: PaymentRow,
    /// The request's method.
    pub method: Method,
    /// The request's URL.
    pub url: String,
    /// The SHA-256 of the request's body, in hex.
    pub body_sha256: String,
    /// The body's length; unknown once a large one was removed.
    pub body_bytes: Option<u64>,
    /// The BOLT11 invoice.
    pub invoice: String,
    /// The payee's public key.
    pub payee: String,
    /// The invoice's network.
    pub network: Network,
    /// The preimage, in hex, where it is known: the proof of payment.
    pub preimage: Option<String>,
    /// What the origin answered after the payment, oldest first.
    pub answers: Vec<AnswerRow>,
}

/// One answer of the origin to a redeem or a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRow {
    /// To what it is an answer: a redeem or a poll.
    pub kind: AnswerKind,
    /// The moment, in milliseconds since 1970 (UTC).
    pub at: UnixMs,
    /// Its HTTP status.
    pub status: u16,
    /// The beginning of its body as text. What it may hold of the credential has been taken out; not harmless to a
    /// terminal.
    pub body: String,
    /// The length of the body as it is kept, in bytes.
    pub body_bytes: u64,
    /// The receipt that came with it, of the `Payment` scheme.
    pub receipt: Option<PaymentReceipt>,
}

/// One change of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitionRow {
    /// The moment, in milliseconds since 1970 (UTC).
    pub at: UnixMs,
    /// The state before.
    pub from: JobState,
    /// The state after.
    pub to: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// The moment, in milliseconds since 1970 (UTC).
    pub at: UnixMs,
    /// `unpaid`, `lost` or `rebuy`.
    pub decision: String,
    /// Why, in the person's words.
    pub note: String,
    /// What the node said, or why it was not asked.
    pub evidence: String,
}

/// One take of a job, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeRecord {
    /// The job, as results show it.
    pub row: ResultRow,
    /// The most that routing may cost.
    pub fee_ceiling: Msat,
    /// The job's own limit, fee included.
    pub max_cost: Option<Msat>,
    /// Its payments, oldest first.
    pub payments: Vec<PaymentRecord>,
    /// By which other job's token it was served, where it was.
    pub served: Option<ServedRow>,
    /// The refund that was offered for it.
    pub refund: Option<RefundRow>,
    /// Its changes, oldest first (the latest thousand).
    pub transitions: Vec<TransitionRow>,
    /// What a person decided, oldest first.
    pub decisions: Vec<DecisionRow>,
}

/// A job that another one's token has served: nothing was paid for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedRow {
    /// What the token was paid for with.
    pub hash: PaymentHash,
    /// The batch of the job that bought it.
    pub batch: String,
    /// That job's id.
    pub id: String,
    /// What was answered.
    pub answer: AnswerRow,
}

impl TakeRecord {
    /// Whether a person has taken what there is for its result.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.decisions.iter().any(|said| TAKEN_BY.contains(&said.decision.as_str()))
    }
}

/// A payment as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its payment hash.
    pub hash: PaymentHash,
    /// How it stands.
    pub standing: Standing,
    /// What it pays without the routing fee, in msat.
    pub amount: Msat,
    /// The fee, once the node has posted it.
    pub fee: Option<Msat>,
    /// The batch's name.
    pub batch: String,
    /// The job's id.
    pub job: String,
    /// Which purchase of the job, counted from 1.
    pub take: u32,
}
