//! What is known of a job that a plan has.

use crate::ledger::decide::{PaymentState, TakePayment};
use crate::ledger::word::{Retake, TakeStand};
use crate::ledger::{JobKey, TakeMark, UNKNOWN_CONTENT};
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason};

/// A take of a job, as it stands when a plan is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTake {
    pub key: JobKey,
    pub take: u32,
    pub state: JobState,
    pub reason: Reason,
    pub content: ContentHash,
    /// The content of its row at which a person said to leave it as it is.
    pub kept: Option<ContentHash>,
    /// What it is compared within, where its manifest says so.
    pub edition: String,
    /// A person said to buy it although it is bought elsewhere.
    pub meant: bool,
    /// Intents, and tries that were refused or failed.
    pub attempts: u32,
    /// Its endpoint is described otherwise now than when it was planned.
    pub asks_otherwise: bool,
    /// The load under way has found it already.
    pub is_found: bool,
    /// Nobody has accepted so far what the load found that made it.
    pub is_new_word: bool,
    /// Its payments that are not dead by proof: known where [`asks_history`] says so.
    pub payments: Vec<TakePayment>,
    /// What a person says of it: known where words are about what is rejected.
    pub mark: Option<TakeMark>,
    /// A planned take of the same shot, which asked for the same, is picked: known where words are about what is rejected.
    pub is_beside_pick: bool,
    /// A payment was begun for it, a token has answered to it, or a person has decided on it: known where [`asks_history`] says so.
    pub was_touched: bool,
}

/// Whether what becomes of a job depends on the payments and decisions of its takes, which stand in their order: where a word may
/// concern it, or the latest take may be none any more.
pub fn asks_history(retake: &Retake, id: &str, takes: &[StoredTake]) -> bool {
    let may_go = |latest: &StoredTake| latest.take > 1 && latest.state.has_spent_nothing();
    takes.last().is_some_and(|latest| may_go(latest) || retake.concerns(id, latest.state))
}

/// The take in whose place the latest one stands.
pub fn before(takes: &[StoredTake]) -> Option<&StoredTake> {
    match takes {
        [.., before, latest] if before.take.checked_add(1) == Some(latest.take) => Some(before),
        _ => None,
    }
}

/// Whether a job that stands so is set aside as a duplicate.
pub const fn is_set_aside(state: JobState, reason: Reason) -> bool {
    matches!((state, reason), (JobState::Refused, Reason::Duplicate))
}

/// Whether a take that was not bought is there by a word alone that nobody has accepted so far.
pub const fn is_untouched_word(take: u32, attempts: u32, is_new_word: bool) -> bool {
    take > 1 && attempts == 0 && is_new_word
}

impl StoredTake {
    pub const fn is_delivered(&self) -> bool {
        matches!(self.state, JobState::Delivered | JobState::Downloaded)
    }

    /// How it is marked where it is bought, and its row does not ask for what is known of it.
    pub fn marked_beside_other_row(&self) -> Reason {
        if self.content == UNKNOWN_CONTENT { Reason::KnownByReceipt } else { Reason::Changed }
    }

    /// It stands by a word that nobody has accepted so far. One that a decision made is of no load, and stands from its beginning.
    pub fn is_unaccepted(&self) -> bool {
        let is_untried = self.state == JobState::Pending || self.is_set_aside();
        is_untried && is_untouched_word(self.take, self.attempts, self.is_new_word)
    }

    /// It is of that content, or nobody knows of which.
    pub fn may_be_of(&self, content: ContentHash) -> bool {
        self.content == content || self.content == UNKNOWN_CONTENT
    }

    /// It is set aside as a duplicate.
    pub const fn is_set_aside(&self) -> bool {
        is_set_aside(self.state, self.reason)
    }

    /// It came to no payment and no decision, and can go without a trace.
    pub const fn can_be_discarded(&self) -> bool {
        self.take > 1 && self.state.has_spent_nothing() && !self.was_touched
    }

    /// A load takes it back before anything else: nobody has accepted it, or it would hide what was bought before.
    pub fn is_taken_back(&self) -> bool {
        self.is_unaccepted() || (self.can_be_discarded() && self.is_set_aside())
    }

    /// As words see it.
    pub fn stand(&self) -> TakeStand {
        let is_open = |payment: &TakePayment| payment.state == PaymentState::Intended;
        TakeStand {
            take: self.take,
            state: self.state,
            reason: self.reason,
            content: self.content,
            kept: self.kept,
            mark: self.mark,
            is_beside_pick: self.is_beside_pick,
            unsettled: self.reason != Reason::Decided && self.payments.iter().any(is_open),
        }
    }
}
