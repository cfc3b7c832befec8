//! What a load writes.

use crate::ledger::JobKey;
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::StoredTake;

/// One thing to write of a plan that is loaded. A store carries them out in their order and decides nothing; what it finds in the
/// manifest is of the load under way.
#[derive(Clone, Copy, Debug)]
pub enum LoadWrite<'a> {
    /// That take of a job is to be bought, after so many `earlier` ones of the same; it stands at that place.
    Add { job: &'a PlannedJob, place: u64, take: u32, earlier: u32 },
    /// A later take replaces it.
    Replaced(JobKey),
    /// Its row is found at that place, with what is said of it now. What it is, and how it stands, stays.
    FoundAt { key: JobKey, job: &'a PlannedJob, place: u64, reason: Reason },
    /// It is to be bought as the plan has it now, after so many `earlier` takes of the same, or refused as it was.
    Rewrite { key: JobKey, job: &'a PlannedJob, earlier: u32, place: u64, to: (JobState, Reason), forgets_error: bool },
    /// Nobody asks for it any more. With `keeps_end` its end is not told anew.
    Withdraw { key: JobKey, at: UnixMs, keeps_end: bool },
    /// It is left out for these words; without any it is to be bought again. With `is_meant` a person means it, though it is bought
    /// elsewhere.
    Stand { key: JobKey, at: UnixMs, to: (JobState, Reason), words: Option<&'a str>, is_meant: bool },
    /// What is said of it, and nothing else.
    Mark { job: JobKey, reason: Reason },
    /// Appends to a job's history.
    Transition { job: JobKey, at: UnixMs, from: JobState, to: JobState, reason: Reason },
    /// What was bought is known now: this.
    Learn { bought: JobKey, job: &'a PlannedJob },
    /// That take of the same job replaces this one by a person's word, which is accepted: it is among this one's decisions.
    Accept { of: JobKey, take: u32, at: UnixMs },
    /// A take goes with its history, and the one before it stands in its place, with its row.
    DiscardTake { gone: JobKey, latest: JobKey },
    /// The job that this load made of a row goes: the row is of that purchase, which gets the row.
    Recognise { new: JobKey, was: JobKey, reason: Reason },
    /// The job that this load made of a row is no new one: it is one more take of the job of that purchase.
    Join { new: JobKey, was: JobKey, take: u32 },
}

impl LoadWrite<'_> {
    /// How a take stands from now on.
    pub(super) const fn transition(at: UnixMs, take: &StoredTake, to: (JobState, Reason)) -> Self {
        LoadWrite::Transition { job: take.key, at, from: take.state, to: to.0, reason: to.1 }
    }
}
