//! Of which takes a person can say that they are picked or rejected, and what a pick is said of.

use std::collections::HashSet;

use crate::ledger::{JobKey, Unmarkable};
use crate::manifest::planned_take;
use crate::plan::ContentHash;
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

/// The shots of a batch that have their pick, with what that asked for. A shot is a job, or all jobs that are planned takes of one and ask for
/// the same: whoever picks one of these has what was wanted.
#[derive(Debug, Default)]
pub struct PickedShots(HashSet<(String, ContentHash)>);

impl PickedShots {
    /// Those of the takes that are picked, by their jobs and contents. An id may look like a planned take's where the batch has no job of which it is
    /// one: `has_job` says that.
    ///
    /// # Errors
    /// Those of `has_job`.
    pub fn of<E>(
        picked: impl IntoIterator<Item = (String, ContentHash)>,
        mut has_job: impl FnMut(&str) -> Result<bool, E>,
    ) -> Result<Self, E> {
        let mut shots = HashSet::new();
        for (id, content) in picked {
            let job = planned_take(&id).map(|(job, _)| job.to_owned());
            let shot = match job {
                Some(job) if has_job(&job)? => job,
                Some(_) | None => id,
            };
            shots.insert((shot, content));
        }
        Ok(Self(shots))
    }

    /// Whether a take of that content, of the job of that id, is of one of them.
    pub fn has(&self, id: &str, content: ContentHash) -> bool {
        self.0.contains(&(planned_take(id).map_or(id, |(job, _)| job).to_owned(), content))
    }
}
