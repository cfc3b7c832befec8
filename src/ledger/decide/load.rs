//! What becomes of a known job where a plan that has it is loaded.

use crate::ledger::UNKNOWN_CONTENT;
use crate::ledger::word::{Heard, Retake, TakeStand, Unmet, heard, repeats};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason, tried_again};

/// The latest take of a job, as far as loading depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    pub take: u32,
    pub state: JobState,
    pub reason: Reason,
    pub content: ContentHash,
    /// The content of its row at which a person said to leave it as it is.
    pub kept: Option<ContentHash>,
    /// Its endpoint is described otherwise now than when it was planned.
    pub asks_otherwise: bool,
}

/// What becomes of a known job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadAction {
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
/// one does not.
///
/// `takes`: every take of the job that stands, the latest last. `can_be_discarded`: the latest came to no payment and no decision.
/// Both are looked up only where they decide.
///
/// # Errors
/// Where one of them cannot be looked up.
pub fn load<E>(
    retake: &Retake,
    known: &Latest,
    job: &PlannedJob,
    takes: impl Fn() -> Result<Vec<TakeStand>, E>,
    can_be_discarded: impl FnOnce() -> Result<bool, E>,
) -> Result<(LoadAction, Option<Unmet>), E> {
    let same = known.content == job.content;
    let is_kept = known.kept == Some(job.content);
    let is_unbought = matches!(known.state, JobState::Pending | JobState::Refused | JobState::Failed);
    let said = match !is_unbought && retake.concerns(&job.id, known.state) {
        true => heard(retake, &job.id, job.content, &takes()?),
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
            match known.take > 1 && repeats(retake, &job.id, job.content, &takes()?) {
                true if can_be_discarded()? => LoadAction::Discard,
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
        JobState::Delivered | JobState::Downloaded if !same && !is_kept => LoadAction::Mark(match known.content {
            UNKNOWN_CONTENT => Reason::KnownByReceipt,
            _ => Reason::Changed,
        }),
        // Whether its file is here has nothing to do with the manifest.
        JobState::Delivered | JobState::Downloaded => LoadAction::Mark(match known.reason {
            reason @ (Reason::NotDownloaded | Reason::UrlGone) => reason,
            _ => Reason::None,
        }),
        JobState::Lost | JobState::Refunded if buys => LoadAction::Retake,
        JobState::Lost | JobState::Refunded => LoadAction::Keep,
    };
    Ok((step, unmet))
}

/// Whether a job of the same content that spent nothing is tried again: where what would be asked is another now, and where the
/// same request may fare better. What is set aside as a duplicate waits for its original alone, and what costs too much for a
/// limit that holds it.
fn is_tried_again(known: &Latest) -> bool {
    !matches!(known.reason, Reason::Duplicate | Reason::JobLimit)
        && (tried_again(known.state, known.reason) || known.reason == Reason::Withdrawn || known.asks_otherwise)
}
