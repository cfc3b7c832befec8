//! The port to whoever pays: what may be asked of a wallet, and every answer that the run must tell apart.
//!
//! Three traits: whoever pays is a [`Payer`]; one that can show what it has paid also has a [`PaymentHistory`], one that can be
//! paid also a [`Receiver`]. Each wallet is a folder here, and nothing outside it but the file that opens it knows which it is.

/// For whoever adds a wallet, and for the doubles in `tests/`.
#[doc(hidden)]
pub mod contract;
pub mod lnd;
mod problem;
mod promises;

use std::future::Future;

use crate::l402::{Network, PaymentHash, Preimage};
use crate::ledger::DurableIntent;
use crate::money::Msat;
use crate::purchase::WalletId;
use crate::time::UnixMs;

pub use problem::{NodeProblem, ProblemKind, Untrusted};
pub use promises::{Answers, Expiry, Failures, FeeCeiling, History, LookUps, Promises, Repeats};

/// A wallet that pays: a node, a service, or a person.
pub trait Payer {
    /// What it promises of all that follows. It never changes.
    fn promises(&self) -> Promises;

    /// Begins the payment of a durable intent and follows it until it ends or `patience_ms` have passed. Dropping the future
    /// never cancels the payment.
    fn send(&self, intent: &DurableIntent, patience_ms: u64) -> impl Future<Output = SendReport>;

    /// What the wallet knows of a hash now.
    fn look_up(&self, hash: &PaymentHash) -> impl Future<Output = LookUp>;

    /// Follows a hash until its payment ends or `patience_ms` have passed.
    fn track(&self, hash: &PaymentHash, patience_ms: u64) -> impl Future<Output = LookUp>;

    /// Who the wallet is and whether it is ready to pay.
    fn node(&self) -> impl Future<Output = Result<NodeInfo, NodeProblem>>;

    /// What it can send at most (an lnd's reserve and fee buffer are still in it).
    fn balance(&self) -> impl Future<Output = Result<Msat, NodeProblem>>;

    /// The problem, with what to do about it where the wallet is one of this kind.
    fn advise(&self, kind: ProblemKind) -> NodeProblem {
        kind.into()
    }

    /// What shows its payments. Without it nothing is kept, before the first payment, by which the wallet's memory could be tested
    /// later: where it then does not know a payment, a person decides, unless it had settled another one for this ledger before.
    /// And its books cannot be audited.
    fn history(&self) -> Option<&impl PaymentHistory> {
        None::<&Nothing>
    }

    /// What makes its invoices. Without it no refund is claimed: what is offered stays offered, for a person to withdraw.
    fn receiver(&self) -> Option<&impl Receiver> {
        None::<&Nothing>
    }
}

/// A wallet that shows what it has paid, whoever began it.
pub trait PaymentHistory {
    /// The hash of the newest payment that it has settled: what it must still know later, where it has not lost its history. None
    /// where it has settled none.
    fn newest_settled(&self) -> impl Future<Output = Result<Option<PaymentHash>, NodeProblem>>;

    /// A page of its payments, oldest first, from after that offset on; 0 is the beginning.
    ///
    /// # Errors
    /// Where it cannot be asked, or its list is not understood.
    fn list(&self, after: u64) -> impl Future<Output = Result<ListedPage, NodeProblem>>;
}

/// A wallet that is paid by invoices of its own.
pub trait Receiver {
    /// Makes an invoice. Each call makes another one.
    fn add_invoice(&self, order: &InvoiceOrder) -> impl Future<Output = Result<MadeInvoice, NodeProblem>>;

    /// What it says of an invoice of its own.
    fn invoice(&self, hash: &PaymentHash) -> impl Future<Output = Result<InvoiceState, NodeProblem>>;

    /// What keeps it from receiving where it is not allowed to ([`ProblemKind::Denied`]), and what to do, on that network.
    fn when_denied(&self, network: Option<Network>) -> String;
}

/// What a run through this wallet does without, in sentences for a person.
pub fn lacks(payer: &impl Payer) -> Vec<&'static str> {
    let mut lacks = payer.promises().lacks();
    if payer.receiver().is_none() {
        lacks.push("this wallet makes no invoices: refunds that are offered are not claimed, and left to a person");
    }
    lacks
}

/// What a wallet has that lacks a part of the port: there is no value of it.
#[derive(Clone, Copy, Debug)]
pub enum Nothing {}

impl PaymentHistory for Nothing {
    async fn newest_settled(&self) -> Result<Option<PaymentHash>, NodeProblem> {
        match *self {}
    }

    async fn list(&self, _: u64) -> Result<ListedPage, NodeProblem> {
        match *self {}
    }
}

impl Receiver for Nothing {
    async fn add_invoice(&self, _: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
        match *self {}
    }

    async fn invoice(&self, _: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
        match *self {}
    }

    fn when_denied(&self, _: Option<Network>) -> String {
        match *self {}
    }
}

/// A page of a wallet's payments, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPage {
    /// The payments of this page.
    pub payments: Vec<Listed>,
    /// Where the next page begins; none after the last one.
    pub next: Option<u64>,
}

/// One payment as its wallet lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its payment hash.
    pub hash: PaymentHash,
    /// How it stands.
    pub status: ListedStatus,
    /// Its amount, without fees.
    pub amount: Msat,
    /// What routing cost.
    pub fee: Msat,
}

/// How a listed payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedStatus {
    /// It has succeeded.
    Settled,
    /// It has failed.
    Failed,
    /// Neither so far.
    Open,
}

/// An invoice that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceOrder {
    /// What it asks for.
    pub amount: Msat,
    /// What it is for: whoever pays it reads this.
    pub memo: String,
    /// How long it can be paid, in seconds.
    pub expiry_s: u64,
}

/// An invoice that the node has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeInvoice {
    /// Its payment hash.
    pub hash: PaymentHash,
    /// The BOLT11 invoice.
    pub invoice: String,
}

/// What a node says of an invoice of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceState {
    /// Nothing has come for certain.
    Open,
    /// It is paid.
    Settled {
        /// What came, which need not be what it asked for.
        received: Msat,
    },
    /// It can never be paid any more.
    Canceled,
    /// The node does not know it.
    Unknown,
}

/// What came of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReport {
    /// Whether the wallet itself answered this send: with news of the payment, or with an error of its own. A proxy's 502 is none.
    pub answered: bool,
    /// What is known of the payment.
    pub outcome: SendOutcome,
    /// The wallet's clock (lnd's `Date` header), where an answer carried it.
    pub node_time: Option<UnixMs>,
}

/// What is known of a payment after a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It succeeded, and the preimage is verified.
    Settled(Settled),
    /// The preimage is out, and parts of the payment are still in flight: paid, not posted.
    PreimageKnown(Preimage),
    /// The wallet says that it failed.
    Failed(PayFailure),
    /// The wallet refused the send with an error of its own: an answer, to be confirmed by one look-up.
    Refused(PayRefusal),
    /// The wallet has it, and patience ran out.
    InFlight,
    /// Nobody knows: time-out, disconnect, a proxy's answer, a wrong preimage.
    InDoubt(String),
}

/// A payment that the node posted as succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its verified preimage.
    pub preimage: Preimage,
    /// What routing cost.
    pub fee: Msat,
    /// The node's own number for the payment.
    pub payment_index: Option<u64>,
}

/// Why a wallet says that a payment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayFailure {
    /// No route within the fee limit, or none at all.
    NoRoute,
    /// Time ran out between attempts.
    Timeout,
    /// The recipient does not take it: unknown hash, wrong amount, expired.
    IncorrectPaymentDetails,
    /// The channels cannot send that much now.
    InsufficientBalance,
    /// It was cancelled.
    Canceled,
    /// Any other reason.
    Error,
}

/// An error that the wallet itself formed in answer to a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayRefusal {
    /// The hash is in transition, or already paid.
    AlreadyKnown,
    /// "invoice expired" (said before the hash is looked up, so it does not mean unpaid).
    InvoiceExpired,
    /// A cause that concerns the whole node.
    Node(NodeProblem),
    /// Any other refusal, in the wallet's words.
    Other(String),
}

/// What a node says of one payment hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// What it says.
    pub found: Found,
    /// The wallet's clock (lnd's `Date` header), where an answer carried it.
    pub node_time: Option<UnixMs>,
}

/// What a node knows of one payment hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The payment is settled: the preimage has come.
    Settled(Settled),
    /// The preimage is out, and parts are still in flight.
    PreimageKnown(Preimage),
    /// It failed. Not final while a send of it is unanswered.
    Failed(PayFailure),
    /// It is on its way.
    InFlight,
    /// The wallet itself says that it does not know the hash. It counts only with identity and history checked.
    NotFound,
    /// The wallet could not be asked, or its answer was not understood.
    Unknown(NodeProblem),
}

/// A node that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// What it is known by, wherever it is reached.
    pub id: WalletId,
    /// The Bitcoin network that it is on.
    pub network: Network,
    /// Whether it follows the chain's tip.
    pub synced: bool,
    /// Its version, as it says it.
    pub version: String,
    /// The node's clock (its `Date` header).
    pub node_time: Option<UnixMs>,
}
