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
    /// It is what a row of its batch's manifest asks for. One that a merge brought in, or left behind, may be none.
    pub is_row: bool,
}

/// What is bought, beside a job that asks for the same: by its content, by what its manifest gave, or by its request.
#[derive(Clone, Copy, Debug)]
pub struct Bought<'b> {
    pub batch: BatchKey,
    pub id: &'b str,
    pub edition: &'b str,
    /// On which it is paid for; none where nothing pays for it, and where no network is compared.
    pub network: Option<Network>,
    /// It is bought with play money.
    pub is_play: bool,
    /// It is itself what the row of its id asks for in the manifest of its batch.
    pub is_row: bool,
}

impl Wanted<'_> {
    /// Whether buying it would repeat that purchase (rule 11): on the same network and within one edition, where it is neither the
    /// job's own nor beside it a row of the same manifest. Identical rows of one manifest are both meant; row numbers that were shifted
    /// are not, nor is a job without a row beside one that has it.
    pub fn repeats(&self, one: &Bought<'_>) -> bool {
        let is_of_batch = one.batch == self.batch;
        let is_its_own = is_of_batch && (one.id == self.id || (self.is_row && one.is_row));
        let is_one_edition = self.edition.is_empty() || one.edition.is_empty() || one.edition == self.edition;
        let is_one_network = self.network.is_none_or(|network| Some(network) == one.network);
        is_one_network && is_one_edition && !is_its_own && !one.is_play
    }

    /// The same of a purchase with the identical request, where it is bought.
    pub fn repeats_request(&self, one: &Alike) -> bool {
        let Alike { batch, network, is_play, .. } = *one;
        let is_row = one.row_content == Some(one.content);
        let (id, edition) = (one.id.as_str(), one.edition.as_str());
        one.is_bought() && self.repeats(&Bought { batch, id, edition, network: Some(network), is_play, is_row })
    }
}

/// Whether a job is compared with nothing: a person means it, or it is one more take of the same content, for which there was a word.
pub const fn is_free(is_meant: bool, take: u32, had_content_before: bool) -> bool {
    is_meant || (take > 1 && had_content_before)
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
    let had_content = takes.iter().any(|take| take.take < own.take && take.content == own.content);
    if buyer.is_play || is_free(own.meant, own.take, had_content) {
        return None;
    }
    let (batch, id, edition, is_row) = (buyer.batch, buyer.id.as_str(), own.edition.as_str(), !own.job.is_gone);
    let wanted = Wanted { batch, id, edition, network: Some(network), is_row };
    let repeated = alike.iter().find(|one| wanted.repeats_request(one))?;
    Some(Original {
        batch: repeated.batch_name.clone(),
        id: repeated.id.clone(),
        at: repeated.paid_at.unwrap_or(repeated.intended_at),
        is: Likeness::Same,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identical rows of one manifest are both meant; a merge may leave a job of the same batch that is no row of it.
    #[test]
    fn rows_of_one_manifest_repeat_nothing_of_it_and_what_is_no_row_does() {
        let wanted = Wanted { batch: BatchKey(1), id: "a", edition: "", network: None, is_row: true };
        let bought = Bought {
            batch: BatchKey(1),
            id: "b",
            edition: "",
            network: Some(Network::Mainnet),
            is_play: false,
            is_row: true,
        };
        let repeats = |wanted: &Wanted<'_>, bought: Bought<'_>| wanted.repeats(&bought);
        assert!(!repeats(&wanted, bought), "both are rows");
        assert!(repeats(&wanted, Bought { is_row: false, ..bought }), "what is bought is no row");
        assert!(repeats(&Wanted { is_row: false, ..wanted }, bought), "what is to be bought is no row");
        assert!(!repeats(&Wanted { is_row: false, ..wanted }, Bought { id: "a", ..bought }), "it is the job's own");
        assert!(repeats(&wanted, Bought { batch: BatchKey(2), ..bought }), "it is another batch's");
    }
}
