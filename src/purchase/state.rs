//! The states, reasons and next steps that users see, the same words everywhere.

use serde::{Deserialize, Serialize};

/// How a job stands. The words are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum JobState {
    /// Not bought yet; nothing spent.
    Pending,
    /// Its payment is on its way.
    Running,
    /// The payment's fate is unknown; tracked, never paid anew by itself.
    InDoubt,
    /// Paid, not delivered yet.
    Paid,
    /// The result's URL is there.
    Delivered,
    /// The result is on disk.
    Downloaded,
    /// Refused before paying; nothing spent.
    Refused,
    /// It did not come to a purchase; nothing spent.
    Failed,
    /// Paid; the origin offers the money back.
    RefundOffered,
    /// The money came back.
    Refunded,
    /// Paid; the origin will neither deliver nor refund.
    Lost,
}

/// Why a job stands so. The words are part of the interface; new ones may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// Nothing to explain.
    #[serde(rename = "")]
    #[strum(serialize = "")]
    None,
    /// Pending or refused: the batch's limit does not hold it any more.
    BatchLimit,
    /// Pending: the day's limit does not hold it.
    DayLimit,
    /// Pending: the month's limit does not hold it.
    MonthLimit,
    /// Pending: the day's limit of its origin does not hold it.
    OriginDayLimit,
    /// Pending: the month's limit of its origin does not hold it.
    OriginMonthLimit,
    /// Pending: its origin has never delivered, and gets no more in a run that nobody watches.
    NewOriginLimit,
    /// Pending: the node could not be used.
    NodeUnusable,
    /// Pending or failed: the node's channels could not send that much.
    InsufficientBalance,
    /// Pending: the endpoint or its origin took payments and delivered nothing, so it gets no more.
    BreakerOpen,
    /// Pending: an earlier purchase of the job is open, or may still settle.
    EarlierTake,
    /// Pending: the endpoint has as many purchases under way as it may before it delivers.
    AwaitingDelivery,
    /// Pending: another job buys the token that serves it, and is not delivered yet.
    AwaitingToken,
    /// Pending: too many payments are in doubt or on their way at the node.
    DoubtLimit,
    /// Pending: an identical request is still open.
    IdenticalRequest,
    /// In doubt: nobody knows yet whether it was paid.
    PaymentUnknown,
    /// In doubt: the payment is still on its way at the node.
    PaymentInFlight,
    /// In doubt: another node than the one that was asked to pay.
    OtherNode,
    /// In doubt: the node has forgotten payments that it had made.
    NodeForgot,
    /// In doubt: not paid so far; final once the invoice has expired.
    WaitingForExpiry,
    /// In doubt: the node does not know it, and nothing shows that it still knows what it did before.
    NoWitness,
    /// Paid: the origin has accepted it and is working.
    Processing,
    /// Paid or lost: the origin has not delivered so far.
    NotDelivered,
    /// Paid or lost: the origin answers success in a shape that holds no result. Refused: it answers a job so that a token serves.
    UnknownAnswer,
    /// Paid or lost: the origin rejects the credential.
    CredentialRejected,
    /// Lost: the origin said that it failed.
    OriginFailed,
    /// Refund offered: the origin offers the money back.
    RefundOffered,
    /// Refund offered: claimed, and not here yet.
    RefundPending,
    /// Refund offered: the macaroon does not let the node make invoices, or look them up.
    RefundNotPermitted,
    /// Refund offered: what is offered cannot be claimed, or the origin refuses it.
    RefundFailed,
    /// Refund offered: claimed, and not paid while it could be.
    RefundExpired,
    /// Refunded: less came back than was paid.
    RefundPartial,
    /// Refused: the origin asks more than the plan's price, or another one where it has to be exact. Pending: it did of others at its rate.
    PriceChanged,
    /// Refused: the challenge cannot be read or contradicts itself.
    ChallengeInvalid,
    /// Refused: the invoice cannot be read, or has no amount.
    InvoiceInvalid,
    /// Refused: the invoice is of another network than the node's.
    WrongNetwork,
    /// Refused: the invoice expires before its payment could finish.
    InvoiceExpired,
    /// Refused: the invoice already belongs to another purchase.
    InvoiceReused,
    /// Refused: the invoice can be paid for longer than is allowed.
    InvoiceLife,
    /// Refused: price and fee ceiling are above the job's own limit.
    JobLimit,
    /// Refused: the origin answers without asking for payment.
    NotForSale,
    /// Refused: the origin rejects the request itself.
    InvalidInput,
    /// Refused or lost: the origin's content filter rejects it.
    ContentFiltered,
    /// Refused: the image has changed since it was planned.
    ImageChanged,
    /// Refused: the image cannot be read any more.
    ImageUnreadable,
    /// Refused: its row has gone from the manifest before it was bought.
    Withdrawn,
    /// Refused: the same content or request is bought already, under another id or in another batch.
    Duplicate,
    /// Failed: no route within the fee limit.
    NoRoute,
    /// Failed: the payment found no way in time.
    PaymentTimeout,
    /// Failed: the recipient does not take the payment.
    PaymentRejected,
    /// Failed: the node could not make the payment.
    PaymentFailed,
    /// Failed: the origin could not be reached.
    OriginUnreachable,
    /// Failed: the origin answered with an error of its own.
    OriginError,
    /// Failed: the origin allowed no more requests.
    RateLimited,
    /// Failed, paid or lost: the origin answers from its cache of identical requests.
    AnsweredFromCache,
    /// Delivered or downloaded: the manifest now asks for something else under this id.
    Changed,
    /// Delivered or downloaded, as its receipt alone proves: nothing proves that the manifest asks for the same under this id.
    KnownByReceipt,
    /// Delivered: its file is wanted and not here yet.
    NotDownloaded,
    /// Delivered: its URL does not serve the result any more.
    UrlGone,
    /// Failed or lost: a person decided so (`resolve`).
    Decided,
    /// The body of its request is gone, so that nothing can be asked for with what was paid.
    BodyMissing,
    /// The ledger's row of it cannot be read.
    RowDamaged,
}

/// What has to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Next {
    /// Nothing has to happen: the job is at its end.
    None,
    /// The same command again.
    Rerun,
    /// A person has to decide or change something.
    Person,
}

impl JobState {
    /// Every state, in the order in which they are counted.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The word for it, as results, events and the ledger have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Whether it is bought, or may be, and neither delivered nor at another end.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Running | Self::InDoubt | Self::Paid => true,
            Self::Pending
            | Self::Refused
            | Self::Failed
            | Self::Delivered
            | Self::Downloaded
            | Self::RefundOffered
            | Self::Refunded
            | Self::Lost => false,
        }
    }

    /// Whether its result is known, be its file here or not.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Delivered | Self::Downloaded)
    }

    /// Whether a job that stands so counts as one that has spent nothing. A payment that a person took as never made (`resolve --as unpaid`)
    /// leaves its job so too, and may settle all the same: until when, and that nothing is bought before that, `ledger/decide/takes.rs` says.
    #[must_use]
    pub const fn has_spent_nothing(self) -> bool {
        match self {
            Self::Pending | Self::Refused | Self::Failed => true,
            Self::Running
            | Self::InDoubt
            | Self::Paid
            | Self::Delivered
            | Self::Downloaded
            | Self::RefundOffered
            | Self::Refunded
            | Self::Lost => false,
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The word; empty where there is nothing to explain.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether what the manifest now asks for is why: that says more than whether a file is here.
    #[must_use]
    pub const fn is_of_manifest(self) -> bool {
        matches!(self, Self::Changed | Self::KnownByReceipt)
    }

    /// Whether it says that a delivered job's file is not here.
    #[must_use]
    pub const fn is_of_file(self) -> bool {
        matches!(self, Self::NotDownloaded | Self::UrlGone)
    }

    /// The reason of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

/// Whether running the same command again tries a job that ended so. Only what spent nothing is tried again, and not
/// where the same request would be refused again.
#[must_use]
pub const fn tried_again(state: JobState, reason: Reason) -> bool {
    match state {
        JobState::Pending | JobState::Failed => true,
        JobState::Refused => !matches!(
            reason,
            Reason::InvalidInput
                | Reason::ContentFiltered
                | Reason::NotForSale
                | Reason::JobLimit
                | Reason::UnknownAnswer
                | Reason::Withdrawn
                | Reason::Duplicate
        ),
        JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => false,
    }
}

impl Next {
    /// What has to happen next with a job that stands so.
    #[must_use]
    pub const fn of(state: JobState, reason: Reason) -> Self {
        match (state, reason) {
            (_, Reason::BodyMissing | Reason::RowDamaged) => Self::Person,
            (JobState::Delivered | JobState::Downloaded, Reason::Changed | Reason::KnownByReceipt)
            | (JobState::Delivered, Reason::UrlGone) => Self::Person,
            // What was too late may have been this machine's clock; the next run asks for a new invoice.
            (JobState::Delivered, Reason::NotDownloaded) | (JobState::Refused, Reason::InvoiceExpired) => Self::Rerun,
            (JobState::Delivered | JobState::Downloaded, _)
            | (JobState::Refused, Reason::Withdrawn)
            | (JobState::Lost | JobState::Refunded, Reason::Decided) => Self::None,
            (JobState::RefundOffered, Reason::RefundOffered | Reason::RefundPending) => Self::Rerun,
            (JobState::InDoubt, Reason::OtherNode | Reason::NodeForgot | Reason::NoWitness)
            | (JobState::Paid, Reason::UnknownAnswer)
            | (JobState::Pending, Reason::BreakerOpen | Reason::PriceChanged) => Self::Person,
            (JobState::Refused | JobState::Lost | JobState::RefundOffered | JobState::Refunded, _) => Self::Person,
            (JobState::Pending | JobState::Running | JobState::InDoubt | JobState::Paid | JobState::Failed, _) => {
                Self::Rerun
            }
        }
    }

    /// The word for it, as results, events and the ledger have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
