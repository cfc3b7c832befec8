//! Other purchases with the identical request: what is in the way (rule 9), and what is bought already under another name
//! (rule 11).

use crate::l402::Network;
use crate::ledger::{BatchKey, IdenticalRequest, JobKey, Likeness, Original};
use crate::purchase::JobState;

use super::admission::may_be_delivered;
use super::{Alike, Take};

/// A job that is to be bought, beside others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyer {
    pub job: JobKey,
    pub batch: BatchKey,
    pub id: String,
    /// It is bought with play money.
    pub is_play: bool,
}

impl Alike {
    /// Its request was not answered for good: it is under way, or paid and not accepted.
    fn is_awaiting(&self) -> bool {
        matches!(self.state, JobState::Running | JobState::InDoubt)
            || (may_be_delivered(self.state, self.reason) && !self.is_polled)
    }

    /// It is delivered, paid, open or lost. What was refunded is none.
    const fn is_bought(&self) -> bool {
        match self.state {
            JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::RefundOffered
            | JobState::Lost => true,
            JobState::Pending | JobState::Refused | JobState::Failed | JobState::Refunded => false,
        }
    }
}

/// The latest other purchase, of those that are most in the way. It counts as open where any is.
pub fn identical_request(job: JobKey, alike: &[Alike]) -> Option<IdenticalRequest> {
    let others = || alike.iter().filter(|one| one.job != job);
    let last_at = others().map(|one| one.answered_at.map_or(one.intended_at, |at| at.max(one.intended_at))).max()?;
    let rank = |one: &&Alike| (one.is_awaiting(), may_be_delivered(one.state, one.reason), one.payment);
    let most = others().max_by_key(rank)?;
    Some(IdenticalRequest {
        open: may_be_delivered(most.state, most.reason),
        awaiting: most.is_awaiting(),
        last_at,
        batch: most.batch_name.clone(),
        id: most.id.clone(),
    })
}

/// The purchase that the job would repeat, on that network, though nobody means it to.
pub fn bought_elsewhere(buyer: &Buyer, takes: &[Take], network: Network, alike: &[Alike]) -> Option<Original> {
    let own = takes.iter().find(|take| take.job.key == buyer.job)?;
    // One more take of the same content: there was a word for it.
    let is_repeated = own.take > 1 && takes.iter().any(|take| take.take < own.take && take.content == own.content);
    if own.meant || is_repeated || buyer.is_play {
        return None;
    }
    let one_edition = |one: &Alike| own.edition.is_empty() || one.edition.is_empty() || one.edition == own.edition;
    let is_own_row = |one: &Alike| one.batch == buyer.batch && one.row_content == Some(one.content);
    let repeated = alike.iter().find(|one| {
        one.network == network
            && one.is_bought()
            && one_edition(one)
            && !(one.batch == buyer.batch && one.id == buyer.id)
            && !is_own_row(one)
            && !one.is_play
    })?;
    Some(Original {
        batch: repeated.batch_name.clone(),
        id: repeated.id.clone(),
        at: repeated.paid_at.unwrap_or(repeated.intended_at),
        is: Likeness::Same,
    })
}
