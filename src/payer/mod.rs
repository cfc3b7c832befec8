//! The port to whoever pays: what may be asked of a Lightning node, and every answer that the run must tell apart.

mod lnd;

use std::future::Future;

use crate::l402::{Network, PaymentHash, Preimage};
use crate::ledger::DurableIntent;
use crate::money::Msat;
use crate::purchase::WalletId;
use crate::time::UnixMs;

#[doc(hidden)]
pub use lnd::fuzzing;
pub use lnd::{
    CERTIFICATE_BYTES_MAX, Channels, Listed, ListedPage, ListedStatus, LndConfigError, LndOptions, LndPayer, Macaroon,
    MacaroonError, MacaroonFile, Right, Rights, certificate_pem, looks_like_macaroon, veiled,
};

/// A Lightning node that pays.
pub trait Payer {
    /// Begins the payment of a durable intent and follows it until it ends or `patience_ms` have passed. The same call
    /// again is the same payment: the node keeps one per payment hash. Dropping the future never cancels the payment.
    fn send(&self, intent: &DurableIntent, patience_ms: u64) -> impl Future<Output = SendReport>;

    /// What the node knows of a hash now (the first message of the track stream).
    fn look_up(&self, hash: &PaymentHash) -> impl Future<Output = LookUp>;

    /// Follows a hash until its payment ends or `patience_ms` have passed.
    fn track(&self, hash: &PaymentHash, patience_ms: u64) -> impl Future<Output = LookUp>;

    /// Who the node is and whether it is ready to pay.
    fn node(&self) -> impl Future<Output = Result<NodeInfo, NodeProblem>>;

    /// What its channels can send at most (reserve and fee buffer are still in it).
    fn balance(&self) -> impl Future<Output = Result<Msat, NodeProblem>>;

    /// The hash of the newest payment that the node has settled, whoever made it: what it must still know later, where it has
    /// not lost its history. None where it has settled none.
    fn newest_settled(&self) -> impl Future<Output = Result<Option<PaymentHash>, NodeProblem>>;

    /// Makes an invoice of the node's own, to receive with. Each call makes another one.
    fn add_invoice(&self, order: &InvoiceOrder) -> impl Future<Output = Result<MadeInvoice, NodeProblem>>;

    /// What the node says of an invoice of its own.
    fn invoice(&self, hash: &PaymentHash) -> impl Future<Output = Result<InvoiceState, NodeProblem>>;
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
    /// Whether LND itself answered this POST: a stream message, or an error that LND formed. A proxy's 502 is none.
    pub answered: bool,
    /// What is known of the payment.
    pub outcome: SendOutcome,
    /// The node's clock (its `Date` header), where an answer carried it.
    pub node_time: Option<UnixMs>,
}

/// What is known of a payment after a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It succeeded, and the preimage is verified.
    Settled(Settled),
    /// The preimage is out, and parts of the payment are still in flight: paid, not posted.
    PreimageKnown(Preimage),
    /// LND's stream said FAILED.
    Failed(PayFailure),
    /// LND refused the POST with an error of its own: an answer, to be confirmed by one look-up.
    Refused(PayRefusal),
    /// LND has it, and patience ran out.
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

/// Why LND says that a payment failed.
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

/// An error that LND itself formed in answer to a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayRefusal {
    /// gRPC code 6: the hash is in transition, or already paid.
    AlreadyKnown,
    /// "invoice expired" (said before the hash is looked up, so it does not mean unpaid).
    InvoiceExpired,
    /// A cause that concerns the whole node.
    Node(NodeProblem),
    /// Any other refusal, in LND's words.
    Other(String),
}

/// What a node says of one payment hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// What it says.
    pub found: Found,
    /// The node's clock (its `Date` header), where an answer carried it.
    pub node_time: Option<UnixMs>,
}

/// What a node knows of one payment hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It succeeded.
    Settled(Settled),
    /// The preimage is out, and parts are still in flight.
    PreimageKnown(Preimage),
    /// It failed. Not final while a POST for it is unanswered.
    Failed(PayFailure),
    /// It is on its way.
    InFlight,
    /// LND's own wrapped 404: this node does not know the hash. It counts only with identity and history checked.
    NotFound,
    /// The node could not be asked, or its answer was not understood.
    Unknown(NodeProblem),
}

/// A node that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its identity.
    pub id: WalletId,
    /// Its network.
    pub network: Network,
    /// Whether it follows the chain's tip.
    pub synced: bool,
    /// Its version, as it says it.
    pub version: String,
    /// The node's clock (its `Date` header).
    pub node_time: Option<UnixMs>,
}

/// Why a node cannot be used now. Each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeProblem {
    /// No connection, or none that lasted.
    #[error("the node cannot be reached: {0}; is lnd running, and is the URL its REST address?")]
    Unreachable(String),
    /// The TLS certificate is not the one given, or none was given and the system does not trust it. What to do is said.
    #[error("the node's TLS certificate is not accepted: {0}")]
    Certificate(String),
    /// The wallet is locked.
    #[error("the node's wallet is locked; unlock it with `lncli unlock`")]
    Locked,
    /// It is starting up.
    #[error("the node is starting up; wait until `lncli state` says SERVER_ACTIVE")]
    Starting,
    /// The macaroon is missing, malformed, of another node, expired, or allows too little.
    #[error("the node refuses the macaroon: {0}; bake one with the permissions in the README")]
    Macaroon(String),
    /// It is not synced to the chain.
    #[error("the node is not synced to the chain; wait until `lncli getinfo` says synced_to_chain")]
    NotSynced,
    /// Anything else, in the node's words.
    #[error("the node answered in a way that was not understood: {0}")]
    Other(String),
}
