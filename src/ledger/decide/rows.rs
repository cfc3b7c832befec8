//! What a store keeps, row by row, as far as records depend on it or change it.

use crate::catalog::Header;
use crate::l402::{Network, PaymentHash, Scheme};
use crate::ledger::{AnswerKey, AnswerKind, BatchKey, DeadProof, JobKey, PaymentKey, RefundStanding, Standing};
use crate::money::Msat;
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

/// One take of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub key: JobKey,
    pub batch: BatchKey,
    /// A later take has replaced it.
    pub superseded: bool,
    pub price: Msat,
    pub fee_ceiling: Msat,
    /// The job's own limit, fee included.
    pub max_cost: Option<Msat>,
    /// Its row has gone from the manifest, or it never had one here: nobody asks for it any more.
    pub is_gone: bool,
    pub state: JobState,
    pub reason: Reason,
    /// In words, for a person.
    pub error: Option<String>,
    /// Nothing can change before this time.
    pub wait_until: Option<UnixMs>,
    /// The result's address.
    pub url: Option<String>,
    /// Intents, and tries that were refused or failed.
    pub attempts: u32,
    pub started_at: Option<UnixMs>,
    pub finished_at: Option<UnixMs>,
}

/// How a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum PaymentState {
    /// Its intent is durable, and no preimage is known.
    Intended,
    /// The preimage is durable; the node has not posted it.
    Paid,
    /// The node says SUCCEEDED, and the fee is known.
    Posted,
    /// It can never settle any more.
    Dead,
}

/// By what a payment is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// By proof that it can never settle.
    Proven(DeadProof),
    /// By a person's word alone.
    Decided,
}

/// What a payment says of its endpoint, since the endpoint's last delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// Nothing: it is dead, or the endpoint has delivered since.
    No,
    /// Begun, and neither delivered nor dead.
    Begun,
    /// Paid for besides, and answered without a delivery, or waited for in vain; or abandoned by a person.
    Taken,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub key: PaymentKey,
    pub job: JobKey,
    pub batch: BatchKey,
    pub hash: PaymentHash,
    pub amount: Msat,
    pub fee_limit: Msat,
    /// The most blocks for which it may lock its money; none where its node decided.
    pub cltv_limit: Option<u32>,
    /// The only node that may pay it.
    pub node: WalletId,
    /// The day and the month to which it is charged.
    pub charged: Charged,
    pub intended_at: UnixMs,
    /// The row of its endpoint.
    pub endpoint: Option<EndpointKey>,
    /// Where what it brings is good for further requests to its endpoint: when it was intended, and later than all such payments there that
    /// were known then, whatever the clock showed. So the newest is the same one in every ledger that knows it.
    pub token_at: Option<UnixMs>,
    pub sends: Sends,
    pub fate: Fate,
    pub redeeming: Redeeming,
}

/// What a node was asked about a payment, and said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sends {
    /// POSTs that were ever begun, and when the last one was.
    pub begun: u32,
    pub begun_at: UnixMs,
    /// POSTs that the node itself answered, and when it last did.
    pub answered: u32,
    pub answered_at: Option<UnixMs>,
    /// The node has taken the payment up: its "not found" only says that it has forgotten.
    pub accepted: bool,
    /// What the node last said of it, or why nothing was learnt.
    pub said: Option<String>,
    pub said_at: Option<UnixMs>,
}

/// What has become of a payment.
#[derive(Clone, PartialEq, Eq)]
pub struct Fate {
    pub state: PaymentState,
    pub preimage: Option<[u8; 32]>,
    pub paid_at: Option<UnixMs>,
    /// The actual fee, once posted.
    pub fee: Option<Msat>,
    /// The node's own number for it.
    pub index: Option<u64>,
    pub posted_at: Option<UnixMs>,
    pub death: Option<Death>,
    pub dead_at: Option<UnixMs>,
}

/// What has become of what was paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeeming {
    /// Answers to redeems.
    pub redeems: u32,
    pub answered_at: Option<UnixMs>,
    /// When the first success was answered to a redeem, and which it was.
    pub heard_at: Option<UnixMs>,
    pub heard: AnswerKey,
    /// When a person last said to ask again.
    pub retried_at: Option<UnixMs>,
    /// When the redeem was sent that may follow a success.
    pub replayed_at: Option<UnixMs>,
    /// Where to poll, and how often, in milliseconds.
    pub poll: Option<(String, u64)>,
    pub delivered_at: Option<UnixMs>,
    pub undelivered: Undelivered,
    /// The origin answers 401 or 402 to a credential that was good.
    pub rejected: bool,
}

/// What an intent keeps besides.
#[derive(Clone, PartialEq, Eq)]
pub struct Intent {
    pub invoice: String,
    pub invoice_expires_at: UnixMs,
    pub credential_expires_at: UnixMs,
    pub scheme: Scheme,
    pub token: String,
    pub headers: Vec<Header>,
}

/// The day and the month to which a payment is charged, where there is a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Charged {
    pub day: Option<String>,
    pub month: Option<String>,
}

/// A day, or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum PeriodKind {
    Day,
    Month,
}

/// An endpoint's address, in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndpointKey(pub i64);

/// An endpoint's address and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub key: EndpointKey,
    /// Host, and port where it is not the usual one.
    pub origin: String,
    pub delivered_at: Option<UnixMs>,
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub key: AnswerKey,
    pub payment: PaymentKey,
    pub kind: AnswerKind,
    pub at: UnixMs,
    /// The first success to a redeem of that payment at that very time; 0 where there is none.
    pub first_success: AnswerKey,
}

/// A stored answer that is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub key: AnswerKey,
    /// The length of its body.
    pub bytes: u64,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub standing: RefundStanding,
}

/// A take of a job beside others of the same job, with what was ever intended for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    pub job: Job,
    pub take: u32,
    /// A merge made it, since both ledgers had paid for the job, or might have.
    pub merged: bool,
    pub content: ContentHash,
    /// What is bought, by the row of its description.
    pub bought: i64,
    /// What it is compared within, where its manifest says so.
    pub edition: String,
    /// A person said to buy it although it is bought elsewhere.
    pub meant: bool,
    /// Another job's token has answered to it.
    pub is_answered: bool,
    pub payments: Vec<TakePayment>,
}

/// A payment for a take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakePayment {
    pub key: PaymentKey,
    pub state: PaymentState,
    pub death: Option<Death>,
    pub invoice_expires_at: Option<UnixMs>,
    pub cltv_limit: Option<u32>,
}

/// A payment that its node holds: neither settled nor dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub payment: PaymentKey,
    pub job: JobKey,
    pub batch: BatchKey,
    pub job_state: JobState,
    pub invoice_expires_at: UnixMs,
    pub cltv_limit: Option<u32>,
}

/// A payment that an endpoint has begun since its last delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunAt {
    pub payment: PaymentKey,
    pub job: JobKey,
    pub batch: BatchKey,
    pub job_state: JobState,
    pub job_reason: Reason,
    pub undelivered: Undelivered,
    pub intended_at: UnixMs,
}

/// The newest payment at an origin whose credential it does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub job: JobKey,
    pub batch: BatchKey,
    pub batch_name: String,
    pub id: String,
    pub at: UnixMs,
    pub job_state: JobState,
    pub job_reason: Reason,
}

/// The payment at an endpoint on which its token for several jobs depends: of those on the network that is asked about, for play money or
/// not, and not dead, one that is open where there is any, since it may settle however old it is; else the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReusablePayment {
    pub payment: PaymentKey,
    pub batch_name: String,
    pub id: String,
    pub job_state: JobState,
    /// `row_damaged` where it cannot be read.
    pub job_reason: Reason,
    /// Its own job is delivered by it.
    pub is_delivered: bool,
    /// When it was bought, as [`Payment::token_at`] has it.
    pub token_at: UnixMs,
}

/// A payment that counts against an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Against {
    pub payment: PaymentKey,
    pub endpoint: EndpointKey,
    pub undelivered: Undelivered,
    pub rejected: bool,
}

/// A person's word for an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub number: u32,
    pub has_lapsed: bool,
    /// The payment that began by it, how that stands, and by what it is dead.
    pub payment: Option<(PaymentKey, PaymentState, Option<Death>)>,
}

/// Another purchase with the identical request, and how the job stands for which it was made. What a token has delivered is one as well, as
/// of then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// What paid for it, or may; of what a token has delivered, for that token.
    pub payment: PaymentKey,
    pub job: JobKey,
    pub batch: BatchKey,
    pub batch_name: String,
    pub is_play: bool,
    pub id: String,
    pub edition: String,
    pub content: ContentHash,
    pub state: JobState,
    pub reason: Reason,
    pub network: Network,
    pub is_polled: bool,
    pub intended_at: UnixMs,
    pub paid_at: Option<UnixMs>,
    pub answered_at: Option<UnixMs>,
    /// What the row of the manifest asks for that has its id, where it stood in the last load and is of the same batch as the
    /// job that is to be bought.
    pub row_content: Option<ContentHash>,
}

impl PaymentState {
    /// The word for it, as results, events and the ledger have it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// How it stands, as far as others than the ledger tell apart.
    pub const fn standing(self) -> Standing {
        match self {
            Self::Intended => Standing::Open,
            Self::Paid => Standing::Paid,
            Self::Posted => Standing::Posted,
            Self::Dead => Standing::Dead,
        }
    }
}

impl Undelivered {
    /// As it is kept.
    pub const fn number(self) -> u8 {
        match self {
            Self::No => 0,
            Self::Begun => 1,
            Self::Taken => 2,
        }
    }

    /// What that number says.
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::No),
            1 => Some(Self::Begun),
            2 => Some(Self::Taken),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Fate {
    /// Without the preimage.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { state, preimage: _, paid_at, fee, index, posted_at, death, dead_at } = self;
        write!(f, "Fate({state:?} {:?} {:?} {:?})", (paid_at, posted_at, dead_at), (fee, index), death)
    }
}

impl std::fmt::Debug for Intent {
    /// Without the token, which is a credential, and without the invoice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}
