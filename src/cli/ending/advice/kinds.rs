//! The kinds of advice, and which jobs each concerns.

use crate::purchase::{JobState, Next, Reason};

/// A kind of advice. Whoever adds one says in `tests/e2e/advice.rs` how a run comes to it, and has its commands tried there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Advice {
    /// A limit was reached.
    Limit,
    /// The node could not be used.
    Node,
    /// An endpoint, an origin or the node may get no more for now.
    HeldBack,
    /// A job waits for an identical request of another one.
    Identical,
    /// A price is not the plan's.
    Price,
    /// What is bought already under another name was left out.
    Duplicate,
    /// A word to buy once more that a duplicate stopped.
    Stopped,
    /// Words to buy once more that were carried out before.
    Unmet,
    /// Rows of a results file that are not as the ledger has them.
    Edited,
    /// Rows of another ledger's results.
    Elsewhere,
    /// What was delivered is no longer what the manifest asks for.
    Changed,
    /// Known by its receipt alone: nobody can tell whether it is what the manifest asks for.
    Unknown,
    /// A payment is in doubt, and a run looks for it.
    Doubt,
    /// A payment is in doubt, and only a person can say what became of it.
    Decide,
    /// Paid and lost.
    Lost,
    /// A refund that can still come.
    Refund,
    /// A refund that the macaroon does not let the node take.
    RefundRights,
    /// A refund that cannot be had.
    RefundGone,
    /// What was refunded.
    Refunded,
    /// Files could not be written any more.
    Disk,
    /// Files that are not here yet.
    Files,
    /// Files that cannot be fetched as they are served.
    FilesGone,
    /// Results or receipts that are not as the ledger is.
    Outputs,
    /// Play money begins anew each time.
    Play,
    /// How to go on with what is paid, or left to buy.
    GoOn,
    /// What a command that buys nothing leaves to a run.
    ToBuy,
}

impl Advice {
    /// Every kind, in the order in which it is given.
    pub const ALL: [Self; 26] = [
        Self::Limit,
        Self::Node,
        Self::HeldBack,
        Self::Identical,
        Self::Price,
        Self::Duplicate,
        Self::Stopped,
        Self::Unmet,
        Self::Edited,
        Self::Elsewhere,
        Self::Changed,
        Self::Unknown,
        Self::Doubt,
        Self::Decide,
        Self::Lost,
        Self::Refund,
        Self::RefundRights,
        Self::RefundGone,
        Self::Refunded,
        Self::Disk,
        Self::Files,
        Self::FilesGone,
        Self::Outputs,
        Self::Play,
        Self::GoOn,
        Self::ToBuy,
    ];
}

impl Advice {
    /// Whether it says how something is brought on by who sold or who paid.
    pub(super) const fn is_brought_on(self) -> bool {
        match self {
            Self::Identical
            | Self::Doubt
            | Self::Refund
            | Self::RefundRights
            | Self::Files
            | Self::FilesGone
            | Self::GoOn
            | Self::ToBuy => true,
            Self::Limit
            | Self::Node
            | Self::HeldBack
            | Self::Price
            | Self::Duplicate
            | Self::Stopped
            | Self::Unmet
            | Self::Edited
            | Self::Elsewhere
            | Self::Changed
            | Self::Unknown
            | Self::Decide
            | Self::Lost
            | Self::RefundGone
            | Self::Refunded
            | Self::Disk
            | Self::Outputs
            | Self::Play => false,
        }
    }

    /// Whether it is about a job that stands so. Never where it is about the whole run.
    pub(super) fn concerns(self, state: JobState, reason: Reason) -> bool {
        match self {
            Self::Node => is_of_node(reason),
            Self::Identical => reason == Reason::IdenticalRequest,
            Self::Price => reason == Reason::PriceChanged,
            Self::Duplicate => reason == Reason::Duplicate,
            Self::Changed => reason == Reason::Changed,
            Self::Unknown => reason == Reason::KnownByReceipt,
            Self::Doubt => state == JobState::InDoubt && Next::of(state, reason) == Next::Rerun,
            Self::Decide => {
                state == JobState::InDoubt
                    && matches!(reason, Reason::OtherNode | Reason::NodeForgot | Reason::NoWitness)
            }
            Self::Lost => state == JobState::Lost && reason != Reason::Decided,
            Self::Refund => {
                state == JobState::RefundOffered && matches!(reason, Reason::RefundOffered | Reason::RefundPending)
            }
            Self::RefundRights => (state, reason) == (JobState::RefundOffered, Reason::RefundNotPermitted),
            Self::RefundGone => {
                state == JobState::RefundOffered && matches!(reason, Reason::RefundFailed | Reason::RefundExpired)
            }
            Self::Refunded => state == JobState::Refunded && matches!(reason, Reason::None | Reason::RefundPartial),
            Self::Files => (state, reason) == (JobState::Delivered, Reason::NotDownloaded),
            Self::FilesGone => (state, reason) == (JobState::Delivered, Reason::UrlGone),
            Self::Limit
            | Self::HeldBack
            | Self::Stopped
            | Self::Unmet
            | Self::Edited
            | Self::Elsewhere
            | Self::Disk
            | Self::Outputs
            | Self::Play
            | Self::GoOn
            | Self::ToBuy => false,
        }
    }
}

/// Whether the node is why.
pub(super) const fn is_of_node(reason: Reason) -> bool {
    matches!(reason, Reason::NodeUnusable | Reason::InsufficientBalance)
}
