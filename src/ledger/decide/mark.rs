//! Of which takes a person can say that they are picked or rejected.

use crate::ledger::{JobKey, Unmarkable};
use crate::purchase::JobState;

/// A take of a job, as far as that depends on it.
#[derive(Clone, Copy, Debug)]
pub struct MarkFacts {
    pub key: JobKey,
    pub take: u32,
    pub state: JobState,
}

/// The take of that number among all of its job: it has to be delivered.
///
/// # Errors
/// Where it cannot be marked.
pub fn markable(takes: &[MarkFacts], take: u32) -> Result<JobKey, Unmarkable> {
    let Some(latest) = takes.iter().map(|take| take.take).max() else { return Err(Unmarkable::NoJob) };
    let known = takes.iter().find(|known| known.take == take).ok_or(Unmarkable::NoTake(latest))?;
    match known.state {
        JobState::Delivered | JobState::Downloaded => Ok(known.key),
        state @ (JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Refused
        | JobState::Failed
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost) => Err(Unmarkable::Undelivered(state)),
    }
}
