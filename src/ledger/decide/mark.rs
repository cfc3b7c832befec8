//! Of which takes a person can say that they are picked or rejected, and what a pick is said of.

use std::collections::HashSet;

use crate::ledger::{JobKey, Unmarkable};
use crate::manifest::planned_take;
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

/// The shots of a batch that have their pick. A shot is a job, or all jobs that are planned takes of one: whoever picks one of these has what
/// was wanted.
#[derive(Debug, Default)]
pub struct PickedShots(HashSet<String>);

impl PickedShots {
    /// Those of the jobs that have a take which is picked. An id may look like a planned take's where the batch has no job of which it is
    /// one: `has_job` says that.
    ///
    /// # Errors
    /// Those of `has_job`.
    pub fn of<E>(
        picked: impl IntoIterator<Item = String>,
        mut has_job: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let mut shots = HashSet::new();
        for id in picked {
            let shot = planned_take(&id).map(|(job, _)| job.to_owned());
            match shot {
                Some(job) if shots.contains(&job) || has_job(&job)? => shots.insert(job),
                Some(_) | None => shots.insert(id),
            };
        }
        Ok(Self(shots))
    }

    /// Whether the job of that id is one of them, or a planned take of one.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains(planned_take(id).map_or(id, |(job, _)| job))
    }
}
