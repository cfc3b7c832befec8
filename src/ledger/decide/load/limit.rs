//! Jobs that cost more than one may: refused before anything is asked, as the manifest's last load and this run limit them.

use crate::ledger::job_limit_words;
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

/// How the latest take of a job that stands so stands under these limits, fee included: its own, and that of the run. Outside none where
/// nothing changes; inside the words for why it is refused, none where it may be bought again.
pub fn limited(
    (state, reason): (JobState, Reason),
    (price, fee_ceiling): (Msat, Msat),
    own: Option<Msat>,
    of_run: Option<Msat>,
) -> Option<Option<String>> {
    let most = own.into_iter().chain(of_run).min();
    let above = most.filter(|most| price.checked_add(fee_ceiling).is_none_or(|cost| cost > *most));
    let words = above.map(|most| job_limit_words(price, fee_ceiling, most));
    match state {
        JobState::Pending => words.map(Some),
        JobState::Refused if reason == Reason::Duplicate => words.map(Some),
        JobState::Refused if reason == Reason::JobLimit => words.is_none().then_some(None),
        JobState::Refused
        | JobState::Failed
        | JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => None,
    }
}
