//! How a job stands, and the records that concern no payment.

use crate::ledger::{Committed, JobEnd, JobKey, Transition};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::{Facts, Job, Ruling, Undelivered, Unfit, Write, contradiction};

/// How a job changes.
#[derive(Clone, Copy, Debug)]
pub struct JobUpdate<'a> {
    pub state: JobState,
    pub reason: Reason,
    pub error: Option<&'a str>,
    pub wait_until: Option<UnixMs>,
    pub url: Option<&'a str>,
    /// It counts as one more attempt.
    pub attempt: bool,
    /// It has come to an end.
    pub finished: bool,
}

impl<'a> JobUpdate<'a> {
    /// To a state, with nothing more to say.
    pub const fn to(state: JobState, reason: Reason) -> Self {
        Self { state, reason, error: None, wait_until: None, url: None, attempt: false, finished: false }
    }

    /// To how a record says the job stands.
    pub fn to_end(end: &'a JobEnd) -> Self {
        let finished = match end.state {
            JobState::Refused | JobState::Failed | JobState::Lost => true,
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::RefundOffered
            | JobState::Refunded => false,
        };
        Self { error: end.error.as_deref(), finished, ..Self::to(end.state, end.reason) }
    }

    /// The job as it stands after it.
    fn of(&self, job: &Job, now: UnixMs) -> Job {
        Job {
            state: self.state,
            reason: self.reason,
            error: self.error.map(str::to_owned),
            wait_until: self.wait_until,
            url: self.url.map(str::to_owned).or_else(|| job.url.clone()),
            attempts: job.attempts.saturating_add(u32::from(self.attempt)),
            started_at: if self.attempt { job.started_at.or(Some(now)) } else { job.started_at },
            finished_at: self.finished.then_some(now),
            ..job.clone()
        }
    }
}

impl Transition {
    /// As that change is seen.
    pub fn of(change: &JobUpdate<'_>) -> Self {
        Self {
            state: change.state,
            reason: change.reason,
            amount: None,
            fee: None,
            refunded: None,
            url: change.url.map(str::to_owned),
            more_urls: Vec::new(),
            file: None,
            more_files: Vec::new(),
            error: change.error.map(str::to_owned),
        }
    }
}

impl Ruling<'_> {
    /// A job changes. A transition is appended where state or reason are new, and people see it in any case.
    pub fn change(&mut self, now: UnixMs, job: &Job, change: &JobUpdate<'_>) {
        let is = change.of(job, now);
        self.transition = Some(Transition::of(change));
        let (key, from) = (job.key, (job.state, job.reason));
        self.write(Write::Job(Box::new(is)));
        self.note(now, key, from, (change.state, change.reason));
    }

    /// Of a job's state nothing changes but what is said of it.
    pub fn say(&mut self, now: UnixMs, job: &Job, reason: Reason, error: &str) {
        self.write(Write::Job(Box::new(Job { reason, error: Some(error.to_owned()), ..job.clone() })));
        self.note(now, job.key, (job.state, job.reason), (job.state, reason));
    }

    fn note(&mut self, at: UnixMs, job: JobKey, from: (JobState, Reason), to: (JobState, Reason)) {
        if from != to {
            self.write(Write::Transition { job, at, from: from.0, to: to.0, reason: to.1 });
        }
    }
}

/// That a job's end claims no spending.
pub fn expect_unspent(end: &JobEnd) -> Result<(), Unfit> {
    if end.state.has_spent_nothing() {
        return Ok(());
    }
    contradiction(format!("a job that spent nothing cannot be {}", end.state.as_str()))
}

/// The job ends, or becomes pending again, without any open payment.
pub fn ended<'a>(facts: &Facts, now: UnixMs, key: JobKey, end: &JobEnd) -> Result<Ruling<'a>, Unfit> {
    let job = facts.job(key)?;
    if !job.state.has_spent_nothing() {
        return contradiction(format!("an end without payment for job {}, which is {}", key.0, job.state.as_str()));
    }
    expect_unspent(end)?;
    let mut ruling = Ruling::done();
    ruling.change(now, job, &JobUpdate { attempt: end.state != JobState::Pending, ..JobUpdate::to_end(end) });
    Ok(ruling)
}

/// Nobody can go on with the job now: what is said of it, and nothing else, becomes another.
pub fn stuck<'a>(facts: &Facts, now: UnixMs, key: JobKey, reason: Reason, error: &str) -> Result<Ruling<'a>, Unfit> {
    let job = facts.job(key)?;
    let is_withheld = reason == Reason::NotDelivered && job.state == JobState::Paid;
    if !is_withheld && !matches!(reason, Reason::BodyMissing | Reason::RowDamaged) {
        return contradiction(format!("{} is no reason why nobody can go on with a job", reason.as_str()));
    }
    let mut ruling = Ruling::done();
    ruling.say(now, job, reason, error);
    Ok(ruling)
}

/// This run has waited long enough for what that job has paid for: that counts against its endpoint.
pub fn left_undelivered<'a>(facts: &Facts) -> Ruling<'a> {
    let mut ruling = Ruling::new(Committed::Done);
    for payment in &facts.undelivered {
        let mut is = payment.clone();
        is.redeeming.undelivered = Undelivered::Taken;
        ruling.payment(payment, is);
    }
    ruling
}
