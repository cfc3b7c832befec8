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
    if known.state.is_delivered() { Ok(known.key) } else { Err(Unmarkable::Undelivered(known.state)) }
}
