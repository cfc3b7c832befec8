//! What becomes of a known job where a plan that has it is loaded.

use crate::ledger::word::{Heard, Retake, Unmet, heard, repeats};
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason, tried_again};

use super::{StoredTake, before};

/// What becomes of the job of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadAction {
    /// The batch did not have it: it is to be bought.
    Add,
    /// Only its place in the manifest is refreshed.
    Keep,
    /// Place, price and ceiling are refreshed.
    Refresh,
    /// It is pending again, with what was planned now.
    Again,
    /// It is replaced by what was planned now.
    Replace,
    /// A mark is set or taken away.
    Mark(Reason),
    /// One more take of it is bought.
    Retake,
    /// A take that was not bought is none any more; the one before it is the latest.
    Discard,
    /// A take that was not bought, and came to a payment that died or to a decision, is withdrawn.
    Withdraw,
}

/// The decision table: how the job stands, and whether it is still the same. With it, why a person's word buys nothing, where
/// one does not. `takes` stand in their order, the latest last.
pub fn action(
    retake: &Retake,
    known: &StoredTake,
    job: &PlannedJob,
    takes: &[StoredTake],
) -> (LoadAction, Option<Unmet>) {
    let stands = || takes.iter().map(StoredTake::stand).collect::<Vec<_>>();
    let same = known.content == job.content;
    let is_kept = known.kept == Some(job.content);
    let said = match !known.state.has_spent_nothing() && retake.concerns(&job.id, known.state) {
        true => heard(retake, &job.id, job.content, &stands()),
        false => Heard::Nothing,
    };
    let unmet = match said {
        Heard::Unmet(why) => Some(why),
        Heard::Buys if job.is_above_its_limit() => Some(Unmet::AboveLimit),
        Heard::Buys => retake.used(&job.id, known.take).map(Unmet::Used),
        Heard::Nothing => None,
    };
    let buys = said == Heard::Buys && !job.is_above_its_limit();
    let step = match known.state {
        JobState::Pending | JobState::Refused | JobState::Failed if !same => {
            match known.take > 1 && repeats(retake, &job.id, job.content, &stands()) {
                true if known.can_be_discarded() && before(takes).is_some() => LoadAction::Discard,
                true => LoadAction::Withdraw,
                false => LoadAction::Replace,
            }
        }
        JobState::Pending if known.reason == Reason::None => LoadAction::Refresh,
        JobState::Pending | JobState::Refused | JobState::Failed => {
            if is_tried_again(known) {
                LoadAction::Again
            } else {
                LoadAction::Refresh
            }
        }
        JobState::Running | JobState::InDoubt | JobState::Paid | JobState::RefundOffered => LoadAction::Keep,
        JobState::Delivered | JobState::Downloaded if buys => LoadAction::Retake,
        JobState::Delivered | JobState::Downloaded if !same && !is_kept => {
            LoadAction::Mark(known.marked_beside_other_row())
        }
        // Whether its file is here has nothing to do with the manifest.
        JobState::Delivered | JobState::Downloaded if known.reason.is_of_file() => LoadAction::Mark(known.reason),
        JobState::Delivered | JobState::Downloaded => LoadAction::Mark(Reason::None),
        JobState::Lost | JobState::Refunded if buys => LoadAction::Retake,
        JobState::Lost | JobState::Refunded => LoadAction::Keep,
    };
    (step, unmet)
}

/// Whether a job of the same content that spent nothing is tried again: where what would be asked is another now, and where the
/// same request may fare better. What is set aside as a duplicate waits for its original alone, and what costs too much for a
/// limit that holds it.
fn is_tried_again(known: &StoredTake) -> bool {
    !matches!(known.reason, Reason::Duplicate | Reason::JobLimit)
        && (tried_again(known.state, known.reason) || known.reason == Reason::Withdrawn || known.asks_otherwise)
}
