//! What is read from the ledger: jobs for the run, rows for the views.

use std::sync::Arc;

use crate::catalog::{DedupPolicy, Endpoint, Value};
use crate::l402::{Network, PaymentHash};
use crate::money::{Msat, alike};
use crate::plan::ContentHash;
use crate::purchase::{HttpAnswer, JobState, Next, Poll, Reason};
use crate::time::UnixMs;

use super::Lack;
use super::{AnswerKey, AnswerKind, BatchKey, DurableIntent, FetchMark, FurtherResult, JobKey, PaidPurchase};

/// A job that is still to be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingJob {
    /// Its key.
    pub key: JobKey,
    /// Its position in the manifest.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Which purchase of it this is, from 1.
    pub take: u32,
    /// What is bought.
    pub endpoint: Arc<Endpoint>,
    /// Resolved parameters, in the endpoint's order.
    pub params: Vec<(String, Value)>,
    /// The hash of what is bought.
    pub content: ContentHash,
    /// The price: exact, or the most that it may be where its endpoint's is a cap.
    pub price: Msat,
    /// The most that routing may cost.
    pub fee_ceiling: Msat,
    /// The job's own limit, fee included.
    pub max_cost: Option<Msat>,
    /// How often it was tried before.
    pub attempts: u32,
}

impl PendingJob {
    /// The most that its purchase can cost: price and fee ceiling.
    #[must_use]
    pub fn most(&self) -> Msat {
        self.price.checked_add(self.fee_ceiling).unwrap_or(Msat::new(u64::MAX))
    }

    /// Why it costs more than one job may, where it does.
    #[must_use]
    pub fn above_its_limit(&self) -> Option<String> {
        let most = self.max_cost?;
        let worst = self.price.checked_add(self.fee_ceiling);
        worst.is_none_or(|worst| worst > most).then(|| job_limit_words(self.price, self.fee_ceiling, most))
    }
}

/// That a job with this price and fee ceiling costs more than it may.
#[must_use]
pub fn job_limit_words(price: Msat, fee_ceiling: Msat, most: Msat) -> String {
    let [price, fee, most] = alike([price, fee_ceiling, most]);
    format!("the price of {price} and a routing fee of up to {fee} are above the job's limit of {most}")
}

/// A job whose purchase is open.
#[derive(Clone, Debug)]
pub struct OpenJob {
    /// Its key.
    pub key: JobKey,
    /// Its batch.
    pub batch: BatchKey,
    /// Its id.
    pub id: String,
    /// Which purchase of it this is, from 1.
    pub take: u32,
    /// What is bought.
    pub endpoint: Arc<Endpoint>,
    /// The hash of what is bought.
    pub content: ContentHash,
    /// Its price by the plan, in msat.
    pub price: Msat,
    /// Its state as last recorded.
    pub state: JobState,
    /// Its reason as last recorded.
    pub reason: Reason,
    /// How far it came.
    pub stage: OpenStage,
}

/// An open job whose row cannot be read: a person's, and in nobody's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedJob {
    /// Its key.
    pub key: JobKey,
    /// Its id.
    pub id: String,
    /// What it lacks.
    pub lack: Lack,
}

/// A job whose result is to be fetched.
#[derive(Clone, Debug)]
pub struct DeliveredJob {
    /// Its key.
    pub key: JobKey,
    /// Its position in the manifest.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Which purchase of it this is, from 1.
    pub take: u32,
    /// What was bought.
    pub endpoint: Arc<Endpoint>,
    /// Its parameters, with defaults filled in.
    pub params: Vec<(String, Value)>,
    /// The `x_*` columns of its row, with their values.
    pub extra: Vec<(String, String)>,
    /// Its price by the plan, in msat.
    pub price: Msat,
    /// What the seller was paid in msat, where that is known.
    pub amount: Option<Msat>,
    /// The routing fee, once it is known.
    pub fee: Option<Msat>,
    /// Its reason as last recorded.
    pub reason: Reason,
    /// When its purchase began.
    pub started_at: Option<UnixMs>,
    /// The result's URL.
    pub url: String,
    /// Further results of the same answer.
    pub more: Vec<FurtherResult>,
    /// How far an earlier run came with its file.
    pub mark: Option<FetchMark>,
    /// A person has taken what it names for the result, whatever it looks like.
    pub is_taken: bool,
}

/// How far an open purchase came, by what is durable.
#[derive(Clone, Debug)]
pub enum OpenStage {
    /// An intent, and no preimage.
    Intended(DurableIntent),
    /// The same, but a person took it as lost or as never paid: only that the node settled it after all is news, or that it never
    /// can.
    Abandoned(DurableIntent),
    /// Paid; nothing to interpret and nothing to poll: redeem.
    Paid(PaidPurchase),
    /// Paid, and an answer is stored that nobody has interpreted yet: a result, a refund, or that it is still to come.
    Answered(PaidPurchase, AnswerKind, AnswerKey, HttpAnswer),
    /// Paid and accepted: poll.
    Accepted(PaidPurchase, Poll),
    /// At its end, but the node has not posted the payment yet: its fee is unknown and its hold stands.
    Unposted(PaidPurchase),
}

/// What a node must still know for its "not found" to count (rule 5). Payment indices are not among it: lnd numbers its
/// payments anew when it moves to SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryCheck {
    /// Hashes that are known to have settled there: the newest, and those shortly before and since the payment in question.
    /// A node that came back from a backup has forgotten a stretch of its payments; once it has made new ones, the newest
    /// settlement does not tell.
    pub settled: Vec<PaymentHash>,
    /// One of them had settled when the payment in question was intended. Without such a one, a node that has lost its history
    /// since then cannot be told from one that never knew the payment.
    pub is_earlier: bool,
}

/// Another purchase that sends the same request: of several the one that is most in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdenticalRequest {
    /// Its batch.
    pub batch: String,
    /// Its job's id.
    pub id: String,
    /// It is not at its end yet.
    pub open: bool,
    /// It has neither a result nor a poll address yet, and is not at its end.
    pub awaiting: bool,
    /// When any of them was last touched: its intent or its latest answer, whichever is later.
    pub last_at: UnixMs,
}

impl IdenticalRequest {
    /// Whether it has to come to something before an identical request goes out.
    #[must_use]
    pub const fn is_in_the_way(&self, apart: DedupPolicy) -> bool {
        match apart {
            DedupPolicy::Never => false,
            DedupPolicy::Window(_) => self.open,
            DedupPolicy::Answer => self.awaiting,
        }
    }

    /// Milliseconds for which an identical request has to wait although it is not in the way.
    #[must_use]
    pub fn window_left_ms(&self, apart: DedupPolicy, now: UnixMs) -> u64 {
        match apart {
            DedupPolicy::Never | DedupPolicy::Answer => 0,
            DedupPolicy::Window(window_s) => {
                let window_ms = i64::from(window_s).saturating_mul(1_000);
                u64::try_from(window_ms.saturating_sub(now.since_ms(self.last_at))).unwrap_or(0)
            }
        }
    }
}

/// What is said of a job whose credential and request are gone.
pub const KNOWN_BY_RECEIPT: &str = "known by its receipt alone: what was asked for, and the credential, stood in the ledger \
    that is gone";

/// The content of such a job: no job's own.
pub const UNKNOWN_CONTENT: ContentHash = ContentHash([0; 32]);

/// A purchase that another job would repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// Its batch's name.
    pub batch: String,
    /// Its job's id.
    pub id: String,
    /// When it was paid, or else intended.
    pub at: UnixMs,
    /// How alike the two are.
    pub is: Likeness,
}

/// How far a purchase is known to be what another job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It is the same.
    Same,
    /// It was given as the other job is, and asked for something else: a default of the catalogue is another now.
    OtherDefault,
    /// It may be: it is known by its receipt alone.
    MayBe,
    /// So may any of as many purchases, of its batch and of as many others.
    MayBeOneOf(u64, u64),
}

impl Original {
    /// Whether it may be another purchase, since receipts alone tell of it.
    #[must_use]
    pub const fn is_unproved(&self) -> bool {
        matches!(self.is, Likeness::MayBe | Likeness::MayBeOneOf(..))
    }

    /// Why the other job is not bought.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} already: {self}", if self.is_unproved() { "may be bought" } else { "bought" })
    }
}

impl std::fmt::Display for Original {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { batch, id, at, is } = self;
        match is {
            Likeness::Same => write!(f, "job {id} of the batch {batch}, {at}"),
            Likeness::OtherDefault => {
                write!(f, "job {id} of the batch {batch}, {at}, before a default of the catalogue changed")
            }
            Likeness::MayBe => write!(f, "job {id} of the batch {batch}, {at} (known by its receipt alone)"),
            Likeness::MayBeOneOf(count, others) => {
                let others = match others {
                    0 => String::new(),
                    1 => " and another one".to_owned(),
                    others => format!(" and {others} others"),
                };
                write!(f, "one of {count} jobs of the batch {batch}{others} that are known by their receipts alone")
            }
        }
    }
}

/// How many jobs stand how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateCount {
    /// How these jobs stand.
    pub state: JobState,
    /// The reason.
    pub reason: Reason,
    /// How many jobs (latest takes).
    pub jobs: u64,
    /// Their prices together.
    pub price: Msat,
}

/// Where a batch stands: counts and sums over the latest take of each job, and the batch's money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs by state and reason.
    pub by_state: Vec<StateCount>,
    /// Settled payments: amounts.
    pub spent: Msat,
    /// Settled payments: routing fees as posted.
    pub fees: Msat,
    /// Holds of payments that are not posted: amount plus fee ceiling.
    pub held: Msat,
    /// What came back of payments: of each at most its amount.
    pub refunded: Msat,
    /// The prices of all jobs that are not withdrawn, and of their earlier takes.
    pub planned: Msat,
    /// Of that, what is the most that it may be; the rest is exact.
    pub planned_capped: Msat,
    /// The worst case (price plus fee ceiling) of jobs that running again would buy.
    pub to_buy_worst_case: Msat,
}

impl Counts {
    /// How many jobs stand in that state.
    #[must_use]
    pub fn jobs(&self, state: JobState) -> u64 {
        self.by_state.iter().filter(|count| count.state == state).map(|count| count.jobs).sum()
    }

    /// What the payments cost on balance, without fees: spent, less what came back.
    #[must_use]
    pub fn net_spent(&self) -> Msat {
        self.spent.checked_sub(self.refunded).unwrap_or(Msat::ZERO)
    }

    /// How many jobs there are.
    #[must_use]
    pub fn all_jobs(&self) -> u64 {
        self.by_state.iter().map(|count| count.jobs).sum()
    }
}

/// One row of the results: the latest take of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The job's id.
    pub id: String,
    /// Its line in the manifest.
    pub line: u64,
    /// Which purchase of the job, counted from 1.
    pub take: u32,
    /// How the job stands.
    pub state: JobState,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// What has to happen next.
    pub next: Next,
    /// The endpoint's name.
    pub endpoint: String,
    /// Its parameters, with defaults filled in.
    pub params: Vec<(String, Value)>,
    /// The planned price.
    pub price: Msat,
    /// That is the most that it may be.
    pub is_capped: bool,
    /// The actual routing fee, once posted.
    pub fee: Option<Msat>,
    /// The result's URL.
    pub url: Option<String>,
    /// The downloaded file.
    pub file: Option<String>,
    /// The downloaded file's SHA-256.
    pub sha256: Option<String>,
    /// Further results of the same answer; their files are there where the job is downloaded.
    pub more: Vec<FurtherResult>,
    /// How many intents and refused or failed tries there were.
    pub attempts: u32,
    /// The first intent or try.
    pub started_at: Option<UnixMs>,
    /// When it came to its end.
    pub finished_at: Option<UnixMs>,
    /// Nothing can change before this time (in doubt).
    pub wait_until: Option<UnixMs>,
    /// What went wrong, in words for a person; none where nothing did.
    pub error: Option<String>,
    /// The `x_*` columns of its row, with their values.
    pub extra: Vec<(String, String)>,
}

/// What kind of settlement a receipt proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum ReceiptKind {
    /// Money that went out.
    Payment,
    /// Money that came back.
    Refund,
}

impl ReceiptKind {
    /// The word, as the receipts have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// One row of the receipts: a settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The batch's name.
    pub batch: String,
    /// The job's id.
    pub id: String,
    /// Which purchase of the job, counted from 1.
    pub take: u32,
    /// Payment or refund.
    pub kind: ReceiptKind,
    /// When the preimage became durable; of a refund, when it was known to have come.
    pub paid_at: UnixMs,
    /// The host that sold.
    pub seller: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// The network; `None` is play money (written `sandbox`).
    pub network: Option<Network>,
    /// What was paid, or came back, without the routing fee, in msat.
    pub amount: Msat,
    /// The routing fee; none while the node has not posted it.
    pub fee: Option<Msat>,
    /// The payment hash.
    pub hash: PaymentHash,
    /// The preimage, in hex: the proof of payment. Empty for a refund, which proves itself at our own node.
    pub preimage: String,
    /// The BOLT11 invoice: of a refund, our own node's.
    pub invoice: String,
    /// The payee's public key: of a refund, our own node's.
    pub payee_node: String,
    /// The paying node's public key: of a refund it is not known.
    pub payer_node: String,
    /// The result's URL; of several results of one answer, all of them, with blanks between.
    pub url: Option<String>,
    /// The `x_*` columns of its row, with their values.
    pub extra: Vec<(String, String)>,
}
