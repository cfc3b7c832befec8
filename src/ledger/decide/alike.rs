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

/// What is to be bought, as far as it decides whether another purchase is the same.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    pub batch: BatchKey,
    pub id: &'w str,
    /// What it is compared within; empty where its manifest names nothing.
    pub edition: &'w str,
    /// On which it would be paid for; none where that is not known yet.
    pub network: Option<Network>,
}

impl Wanted<'_> {
    /// Whether buying it would repeat a purchase with the identical request: one that is bought, on the same network and within
    /// one edition, and is neither the job's own nor itself a row of the same manifest.
    pub fn repeats(&self, one: &Alike) -> bool {
        let is_own = one.batch == self.batch && one.id == self.id;
        let is_own_row = one.batch == self.batch && one.row_content == Some(one.content);
        let is_one_edition = self.edition.is_empty() || one.edition.is_empty() || one.edition == self.edition;
        let is_one_network = self.network.is_none_or(|network| network == one.network);
        one.is_bought() && is_one_network && is_one_edition && !is_own && !is_own_row && !one.is_play
    }
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
    let wanted = Wanted { batch: buyer.batch, id: &buyer.id, edition: &own.edition, network: Some(network) };
    let repeated = alike.iter().find(|one| wanted.repeats(one))?;
    Some(Original {
        batch: repeated.batch_name.clone(),
        id: repeated.id.clone(),
        at: repeated.paid_at.unwrap_or(repeated.intended_at),
        is: Likeness::Same,
    })
}
