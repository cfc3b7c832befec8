//! One row of a plan beside what is known of its job.

use crate::ledger::decide::{Unfit, contradiction, may_settle_until};
use crate::ledger::word::Retake;
use crate::ledger::{JobKey, PlanLoad};
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::action::action;
use super::{LoadAction, LoadWrite, StoredTake, before};

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRuling {
    /// The take that goes before anything else: what was bought before it stands again.
    pub discarded: Option<JobKey>,
    /// The latest take that stood before; none where the batch did not have the job.
    pub known: Option<StoredTake>,
    pub action: LoadAction,
    /// The take that the row is from now on, and how it stands.
    pub take: u32,
    /// How many takes before it were of the very same: what tells takes apart in their requests is moved by as many.
    pub earlier: u32,
    pub state: JobState,
    pub reason: Reason,
}

/// Decides what becomes of a row, and notes what a person hears of it. `takes`: all that are known of its job, in their order.
///
/// # Errors
/// Where the plan has two rows of one id, or the takes cannot be what they say.
pub fn row(
    retake: &Retake,
    job: &PlannedJob,
    mut takes: Vec<StoredTake>,
    report: &mut PlanLoad,
) -> Result<RowRuling, Unfit> {
    if before(&takes).is_some() && takes.last().is_some_and(StoredTake::is_taken_back) {
        takes.pop();
    }
    let mut discarded = None;
    loop {
        let Some(known) = takes.last() else {
            report.note(LoadAction::Add, None, job);
            return RowRuling::of(discarded, None, LoadAction::Add, 0);
        };
        if known.is_found {
            return contradiction(format!("the plan has two jobs of the id {}", job.id));
        }
        let (action, unmet) = action(retake, known, job, &takes);
        report.note(action, Some(known), job);
        unmet.into_iter().for_each(|why| report.note_unmet(&job.id, why));
        match action {
            LoadAction::Discard if discarded.is_none() => discarded = takes.pop().map(|take| take.key),
            LoadAction::Discard => return contradiction(format!("two takes of {} are to be taken back", job.id)),
            LoadAction::Add
            | LoadAction::Keep
            | LoadAction::Refresh
            | LoadAction::Again
            | LoadAction::Replace
            | LoadAction::Mark(_)
            | LoadAction::Retake
            | LoadAction::Withdraw => {
                let until = may_settle_until(takes.iter().flat_map(|take| &take.payments));
                let until = until.filter(|_| action == LoadAction::Retake);
                until.into_iter().for_each(|until| report.note_wait(&job.id, until));
                let known = takes.pop();
                let before = takes.iter().chain(known.as_ref().filter(|_| action == LoadAction::Retake));
                let earlier = before.filter(|take| take.may_be_of(job.content)).count();
                return RowRuling::of(discarded, known, action, u32::try_from(earlier).unwrap_or(u32::MAX));
            }
        }
    }
}

impl RowRuling {
    fn of(
        discarded: Option<JobKey>,
        known: Option<StoredTake>,
        action: LoadAction,
        earlier: u32,
    ) -> Result<Self, Unfit> {
        let stood = known.as_ref().map(|known| (known.take, known.state, known.reason));
        let (number, was, why) = stood.unwrap_or((1, JobState::Pending, Reason::None));
        let (take, state, reason) = match action {
            LoadAction::Keep | LoadAction::Refresh | LoadAction::Discard => (number, was, why),
            LoadAction::Mark(reason) => (number, was, reason),
            LoadAction::Add | LoadAction::Again | LoadAction::Replace => (number, JobState::Pending, Reason::None),
            LoadAction::Withdraw => (number, JobState::Refused, Reason::Withdrawn),
            LoadAction::Retake => (next(number)?, JobState::Pending, Reason::None),
        };
        Ok(Self { discarded, known, action, take, earlier, state, reason })
    }

    /// Whether a person said to buy it although it is bought elsewhere: that goes where its content becomes another.
    pub fn is_meant(&self, job: &PlannedJob) -> bool {
        let stays = |known: &&StoredTake| known.meant && known.content == job.content && known.take == self.take;
        self.known.as_ref().filter(stays).is_some()
    }

    /// The job's row, where it is known by its receipt alone and nothing has proved so far that the row asks for the same.
    pub fn unproved(&self) -> Option<&StoredTake> {
        self.known.as_ref().filter(|_| self.action == LoadAction::Mark(Reason::KnownByReceipt))
    }

    /// What is written of it: it is the row at that place.
    pub fn writes<'a>(&self, now: UnixMs, job: &'a PlannedJob, place: u64) -> Vec<LoadWrite<'a>> {
        let (take, earlier, to) = (self.take, self.earlier, (self.state, self.reason));
        let Some(known) = &self.known else { return vec![LoadWrite::Add { job, place, take, earlier }] };
        let key = known.key;
        let mut writes: Vec<LoadWrite<'a>> = Vec::new();
        writes.extend(self.discarded.map(|gone| LoadWrite::DiscardTake { gone, latest: key }));
        let placed = LoadWrite::FoundAt { key, job, place, reason: self.reason };
        let rewritten = |forgets_error| LoadWrite::Rewrite { key, job, earlier, place, to, forgets_error };
        match self.action {
            LoadAction::Keep | LoadAction::Mark(_) | LoadAction::Discard => writes.push(placed),
            // Its old error is kept until the next try says something newer.
            LoadAction::Refresh | LoadAction::Again => writes.push(rewritten(false)),
            LoadAction::Replace => writes.push(rewritten(true)),
            // What it was to buy stays as it stands: only its place is the manifest's.
            LoadAction::Withdraw => writes.extend([LoadWrite::Withdraw { key, at: now, keeps_end: true }, placed]),
            LoadAction::Add | LoadAction::Retake => {
                writes.extend([LoadWrite::Replaced(key), LoadWrite::Add { job, place, take, earlier }]);
                return writes;
            }
        }
        if (known.state, known.reason) != to {
            writes.push(LoadWrite::transition(now, known, to));
        }
        writes
    }
}

/// What is written of the latest take of a job whose row has gone: what is not bought is withdrawn, everything else stays.
pub fn leaves(now: UnixMs, job: JobKey, state: JobState, reason: Reason) -> Vec<LoadWrite<'static>> {
    if !state.has_spent_nothing() || reason == Reason::Withdrawn {
        return Vec::new();
    }
    let (to, why) = (JobState::Refused, Reason::Withdrawn);
    vec![
        LoadWrite::Withdraw { key: job, at: now, keeps_end: false },
        LoadWrite::Transition { job, at: now, from: state, to, reason: why },
    ]
}

/// The number of the take after that one.
pub(super) fn next(take: u32) -> Result<u32, Unfit> {
    take.checked_add(1).map_or_else(|| contradiction("there are too many takes"), Ok)
}
