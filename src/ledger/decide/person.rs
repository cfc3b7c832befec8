//! What a person decides of a job that no run brings on, and what a person leaves as it was delivered.

use crate::ledger::{DeadProof, Decided, Decision, JobKey};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::payments::buried;
use super::takes::{moved_from, survivor, unsettled_until};
use super::{Job, Payment, PaymentState, Ruling, Take, Undelivered, Unfit, Write};

/// What a person's decision depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonFacts {
    pub job: Job,
    /// Every take of the same job, in their order.
    pub takes: Vec<Take>,
    /// The job's payment that is not dead.
    pub live: Option<Payment>,
    /// The key of the next job.
    pub next: JobKey,
}

/// What a person says.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    pub decision: Decision,
    /// Why, in the person's words.
    pub note: &'a str,
    /// What the node said, or why it was not asked.
    pub evidence: &'a str,
    /// What its own answer proves: that the open payment can never settle.
    pub proof: Option<DeadProof>,
}

/// Decides what becomes of a decision, and what is written of it: nothing, where it does not fit.
///
/// # Errors
/// Where the proof contradicts what is known of the payment.
pub fn resolve<'a>(facts: &PersonFacts, now: UnixMs, said: Said<'a>) -> Result<(Decided, Vec<Write<'a>>), Unfit> {
    let PersonFacts { job, takes, live, next } = facts;
    let Said { decision, note, evidence, proof } = said;
    let open = live.as_ref().filter(|payment| payment.fate.state == PaymentState::Intended);
    let of_nothing = decision == Decision::Unpaid && open.is_none();
    // What a person had asked for again of an earlier take may be given up again.
    let is_replaced = job.superseded && !(decision == Decision::Lost && job.state == JobState::Paid);
    if is_replaced || of_nothing || !decision.fits(job.state) {
        return Ok((Decided::Refused(job.state), Vec::new()));
    }
    let replaces = matches!(decision, Decision::Unpaid | Decision::Rebuy);
    if let Some(until) = unsettled_until(takes, now).filter(|_| replaces && proof.is_none()) {
        return Ok((Decided::TooEarly(until), Vec::new()));
    }
    let mut ruling = Ruling::done();
    ruling.write(Write::Decision {
        job: job.key,
        at: now,
        decision: decision.as_str(),
        note,
        evidence: evidence.into(),
    });
    let dying = open.filter(|_| decision == Decision::Unpaid || proof.is_some());
    if let Some(payment) = dying {
        ruling.writes.extend(buried(payment, job, now, proof)?);
    } else if let Some(payment) = live {
        abandon(&mut ruling, payment);
    }
    let state = match decision {
        Decision::Unpaid => JobState::Failed,
        // What came back stays what it is: only the job is left at that.
        Decision::Lost | Decision::Rebuy if job.state == JobState::Refunded => JobState::Refunded,
        Decision::Lost | Decision::Rebuy => JobState::Lost,
    };
    ruling.change(now, job, &JobUpdate { error: Some(note), finished: true, ..JobUpdate::to(state, Reason::Decided) });
    match decision {
        Decision::Rebuy => {
            let latest = takes.iter().map(|take| take.take).max().unwrap_or_default();
            let (take, moved) = (latest.saturating_add(1), moved_from(takes, job.key));
            ruling.write(Write::FurtherTake { of: job.key, key: *next, take, moved });
        }
        Decision::Unpaid => {
            let joined = survivor(takes, job.key, dying.map(|payment| payment.key));
            ruling.writes.extend(joined.map(Write::JoinTakes));
        }
        Decision::Lost => {}
    }
    Ok((Decided::Recorded, ruling.writes))
}

/// A person gave up what is paid for, or may be: it is under way no more, and counts as taken for nothing.
fn abandon(ruling: &mut Ruling<'_>, payment: &Payment) {
    if payment.redeeming.undelivered == Undelivered::Begun {
        let mut is = payment.clone();
        is.redeeming.undelivered = Undelivered::Taken;
        ruling.payment(payment, is);
    }
}

/// What is written where a person leaves a job as it was delivered, although its row asks for something else or nobody knows
/// whether it does; none where nothing of that is said of it.
pub fn keep<'a>(job: &Job, now: UnixMs, note: &'a str) -> Option<Vec<Write<'a>>> {
    let is_delivered = matches!(job.state, JobState::Delivered | JobState::Downloaded);
    if job.superseded || !is_delivered || !job.reason.is_of_manifest() {
        return None;
    }
    Some(vec![
        Write::Decision { job: job.key, at: now, decision: "keep", note, evidence: job.reason.as_str().into() },
        Write::Keep(job.key),
        Write::Transition { job: job.key, at: now, from: job.state, to: job.state, reason: Reason::None },
    ])
}
