//! What becomes of one payment of the other ledger, and of its job here.

use crate::ledger::decide::jobs::JobUpdate;
use crate::ledger::decide::takes::survivor;
use crate::ledger::decide::{Payment, PaymentState, Ruling, Undelivered, Write};
use crate::ledger::{PaymentKey, UNKNOWN_CONTENT};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::combine::{combined, is_refund_further, proves_dead};
use super::place::{Placed, place};
use super::write::MergeRuling;
use super::{MergeLookup, MergeWrite, Side};

/// Decides what becomes of it. `ours` is the same payment as this ledger knows it.
///
/// # Errors
/// Where what is here cannot be looked up, or cannot be what it says.
pub fn merge<L: MergeLookup>(
    lookup: &L,
    now: UnixMs,
    theirs: &Side,
    ours: Option<Side>,
) -> Result<MergeRuling, L::Error> {
    let mut ruling = MergeRuling::default();
    match ours {
        None => bring_in(lookup, &mut ruling, now, theirs)?,
        Some(mut ours) => {
            let completes = ours.by_receipt && !theirs.by_receipt;
            if completes {
                ruling.complete(now, &mut ours, theirs);
            }
            let tells = ours.by_receipt && theirs.by_receipt && ruling.learn_cells(&ours, theirs);
            let stands_otherwise = compare(lookup, &mut ruling, now, &ours, theirs)?;
            ruling.is_changed = stands_otherwise || completes || tells;
        }
    }
    Ok(ruling)
}

/// A payment that is not here.
fn bring_in<L: MergeLookup>(lookup: &L, ruling: &mut MergeRuling, now: UnixMs, theirs: &Side) -> Result<(), L::Error> {
    let (target, (_, key)) = (lookup.target(theirs.job.key)?, lookup.next()?);
    let placed = match theirs.is_dead() {
        true => Placed { job: target, stood: None },
        false => place(lookup, ruling, theirs, target)?,
    };
    ruling.writes.push(MergeWrite::Payment { theirs: theirs.payment.key, key, job: placed.job });
    ruling.add_answers_and_refund(key, None, theirs);
    ruling.stand(now, &placed, theirs);
    if theirs.by_receipt {
        // What a receipt has bought is not what stood under its id here so far: it tells nothing of that.
        ruling.writes.push(MergeWrite::Forget { theirs: theirs.job.key, job: placed.job });
    }
    Ok(())
}

/// A payment that both ledgers know. Gives whether it stands otherwise now.
fn compare<L: MergeLookup>(
    lookup: &L,
    ruling: &mut MergeRuling,
    now: UnixMs,
    ours: &Side,
    theirs: &Side,
) -> Result<bool, L::Error> {
    let (was, there) = (&ours.payment, &theirs.payment);
    let is_revived = ours.is_dead() && !theirs.is_dead();
    if is_revived && !theirs.has_preimage() && proves_dead(was, &there.sends) {
        return Ok(false);
    }
    let mut is = combined(was, there);
    let is_further = !ours.is_dead() && !theirs.is_dead() && theirs.reached() > ours.reached();
    let placed = match is_revived {
        true => place(lookup, ruling, theirs, was.job)?,
        false => Placed { job: was.job, stood: Some(ours.job.state).filter(|_| is_further) },
    };
    is.job = placed.job;
    let died = theirs.is_dead() && was.fate.state == PaymentState::Intended && proves_dead(there, &was.sends);
    if died {
        (is.fate.state, is.fate.death, is.fate.dead_at) = (PaymentState::Dead, there.fate.death, there.fate.dead_at);
        is.redeeming.undelivered = Undelivered::No;
    }
    let stands_otherwise = is_further || is.fate.state != was.fate.state;
    ruling.payment(was, is);
    if died {
        dies(lookup, ruling, now, ours)?;
    }
    ruling.add_answers_and_refund(was.key, Some(ours), theirs);
    ruling.stand(now, &placed, theirs);
    Ok(stands_otherwise)
}

/// The other ledger proves dead what is open here. What it bought the job with instead comes with its own payment.
fn dies<L: MergeLookup>(lookup: &L, ruling: &mut MergeRuling, now: UnixMs, ours: &Side) -> Result<(), L::Error> {
    let (state, reason) = match ours.job.is_gone {
        true => (JobState::Refused, Reason::Withdrawn),
        false => (JobState::Pending, Reason::PaymentFailed),
    };
    ruling.change(now, ours, &JobUpdate::to(state, reason));
    let joined = survivor(&lookup.takes(ours.job.key)?, ours.job.key, Some(ours.payment.key));
    ruling.writes.extend(joined.map(Write::JoinTakes).map(MergeWrite::Row));
    Ok(())
}

impl MergeRuling {
    fn payment(&mut self, was: &Payment, is: Payment) {
        if *was != is {
            self.writes.push(MergeWrite::Row(Write::Payment(Box::new(was.clone()), Box::new(is))));
        }
    }

    fn change(&mut self, now: UnixMs, of: &Side, update: &JobUpdate<'_>) {
        let mut ruling = Ruling::done();
        ruling.change(now, &of.job, update);
        self.writes.extend(ruling.writes.into_iter().map(MergeWrite::Row));
    }

    /// What was known by its receipt alone is whole again: its intent is there, and what it was for. What only lacked its credential
    /// is asked for again.
    fn complete(&mut self, now: UnixMs, ours: &mut Side, theirs: &Side) {
        let (there, was) = (&theirs.payment, ours.payment.clone());
        self.writes.push(MergeWrite::Intent { theirs: there.key, of: was.key });
        let (node, fee_limit, cltv_limit) = (there.node.clone(), there.fee_limit, there.cltv_limit);
        ours.payment = Payment { node, fee_limit, cltv_limit, endpoint: None, ..was.clone() };
        self.payment(&was, ours.payment.clone());
        self.writes.push(MergeWrite::Describe { theirs: theirs.job.key, job: ours.job.key });
        if (ours.job.state, ours.job.reason) == (JobState::Lost, Reason::NotDelivered) {
            self.change(now, ours, &JobUpdate::to(JobState::Paid, Reason::None));
            ours.job.state = JobState::Paid;
        }
    }

    /// Results stand beside the receipts by now, and tell what was asked for. Gives whether that is new here.
    fn learn_cells(&mut self, ours: &Side, theirs: &Side) -> bool {
        let tells = ours.content == UNKNOWN_CONTENT && !ours.has_params && theirs.has_params;
        if tells {
            self.writes.push(MergeWrite::Cells { theirs: theirs.job.key, job: ours.job.key });
        }
        tells
    }

    fn add_answers_and_refund(&mut self, of: PaymentKey, ours: Option<&Side>, theirs: &Side) {
        let there = theirs.payment.key;
        self.writes.push(MergeWrite::Answers { theirs: there, of });
        let ours = ours.and_then(|ours| ours.refund.as_ref());
        let is_further = is_refund_further(ours, theirs.refund.as_ref());
        self.writes.extend(is_further.map(|in_its_place| MergeWrite::Refund { theirs: there, of, in_its_place }));
    }

    /// The job stands as the other ledger knows it, where it stood otherwise so far.
    fn stand(&mut self, now: UnixMs, placed: &Placed, theirs: &Side) {
        let (Some(from), job) = (placed.stood, placed.job) else { return };
        self.writes.push(MergeWrite::Stand { theirs: theirs.job.key, job });
        let (to, reason) = (theirs.job.state, theirs.job.reason);
        if from != to {
            self.writes.push(MergeWrite::Row(Write::Transition { job, at: now, from, to, reason }));
        }
    }
}
