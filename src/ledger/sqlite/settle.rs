//! Records about the payment itself: sends, settlement, death, doubt.

use rusqlite::{Connection, params};

use super::budget;
use super::convert::{PaymentState, int, proof_word};
use super::error::{Fault, contradiction};
use super::job::{self, Change};
use super::joined::give_way;
use super::payment::{Payment, durable_intent, paid_purchase, payment};
use super::unsettled;
use crate::l402::Preimage;
use crate::ledger::{Committed, DeadProof, JobEnd, JobState, PaymentKey, Posted, Reason};
use crate::time::UnixMs;

/// One more POST is about to begin.
pub(super) fn send_begun(tx: &Connection, now: UnixMs, key: PaymentKey) -> Result<Committed, Fault> {
    payment(tx, key)?.expect_intended("a new send")?;
    tx.prepare_cached("UPDATE payments SET sends_begun = sends_begun + 1, sent_at = ?2 WHERE id = ?1")?
        .execute(params![key, now])?;
    Ok(Committed::Intent(durable_intent(tx, key)?))
}

/// LND itself has answered a POST. The preimage may have come by another way in the meantime.
pub(super) fn send_answered(tx: &Connection, now: UnixMs, key: PaymentKey, accepted: bool) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    let live = match payment.state {
        PaymentState::Intended | PaymentState::Paid | PaymentState::Posted => true,
        PaymentState::Dead => false,
    };
    if !live || payment.sends_answered >= payment.sends_begun {
        return payment.unexpected("an answer to a send");
    }
    answer_one(tx, now, key)?;
    if accepted {
        accept(tx, key)?;
    }
    Ok(Committed::Intent(durable_intent(tx, key)?))
}

/// The node has taken the payment up: it never counts as unknown to it any more.
fn accept(tx: &Connection, key: PaymentKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET accepted = 1 WHERE id = ?1")?.execute([key])?;
    Ok(())
}

fn answer_one(tx: &Connection, now: UnixMs, key: PaymentKey) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE payments SET sends_answered = min(sends_answered + 1, sends_begun), send_answered_at = ?2
         WHERE id = ?1",
    )?
    .execute(params![key, now])?;
    Ok(())
}

/// What the node last said of the payment, or why nothing was learnt, for a person: it outlives the job's own words.
fn note_said(tx: &Connection, now: UnixMs, key: PaymentKey, words: Option<&str>) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET node_said = ?2, node_said_at = ?3 WHERE id = ?1")?
        .execute(params![key, words, now])?;
    Ok(())
}

/// The preimage is known. The same again changes nothing.
pub(super) fn paid(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    preimage: &Preimage,
    answered: bool,
    posted: Option<Posted>,
) -> Result<Committed, Fault> {
    let found = payment(tx, key)?;
    if Preimage::verify(*preimage.reveal(), &found.hash).is_err() {
        return contradiction(format!("a preimage that does not belong to payment {}", found.hash));
    }
    match found.state {
        PaymentState::Intended => take_in(tx, now, &found, preimage)?,
        PaymentState::Dead if found.decided => {
            budget::hold_again(tx, &found)?;
            take_in(tx, now, &found, preimage)?;
        }
        PaymentState::Paid | PaymentState::Posted if found.preimage.as_ref() == Some(preimage.reveal()) => {}
        PaymentState::Paid | PaymentState::Posted | PaymentState::Dead => {
            return found.unexpected("a preimage");
        }
    }
    if answered {
        answer_one(tx, now, key)?;
    }
    if let Some(posted) = posted {
        self::posted(tx, now, key, posted)?;
    }
    Ok(Committed::Paid(paid_purchase(tx, key)?))
}

/// The preimage is kept, and the job that it turns out to have paid for becomes `paid`.
fn take_in(tx: &Connection, now: UnixMs, payment: &Payment, preimage: &Preimage) -> Result<(), Fault> {
    let (job, from) = unsettled::job_of_settled(tx, now, payment)?;
    tx.prepare_cached(
        "UPDATE payments SET state = ?2, preimage = ?3, paid_at = ?4, dead_proof = NULL, dead_at = NULL WHERE id = ?1",
    )?
    .execute(params![payment.key, PaymentState::Paid, preimage.reveal(), now])?;
    job::change(tx, now, job, from, &Change::to(JobState::Paid, Reason::None))
}

/// The node says SUCCEEDED. The same again changes nothing, but for the index: the node may have numbered its payments anew.
/// Another fee contradicts.
pub(super) fn posted(tx: &Connection, now: UnixMs, key: PaymentKey, posted: Posted) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    match payment.state {
        PaymentState::Paid => {
            budget::post(tx, &payment, posted.fee)?;
            let index = posted.payment_index.map(int).transpose()?;
            tx.prepare_cached(
                "UPDATE payments SET state = ?2, fee_msat = ?3, payment_index = ?4, posted_at = ?5 WHERE id = ?1",
            )?
            .execute(params![key, PaymentState::Posted, posted.fee, index, now])?;
            Ok(Committed::Done)
        }
        PaymentState::Posted if payment.fee == Some(posted.fee) => {
            let index = posted.payment_index.map(int).transpose()?;
            tx.prepare_cached("UPDATE payments SET payment_index = coalesce(?2, payment_index) WHERE id = ?1")?
                .execute(params![key, index])?;
            Ok(Committed::Done)
        }
        PaymentState::Intended | PaymentState::Posted | PaymentState::Dead => payment.unexpected("a posting"),
    }
}

/// The hash can never settle any more: the hold is given back.
pub(super) fn dead(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    proof: DeadProof,
    end: &JobEnd,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_intended("a death")?;
    if !is_proven(&payment, proof) {
        return payment.unexpected("a death while a send is unanswered");
    }
    expect_unspent(end)?;
    budget::void(tx, &payment)?;
    tx.prepare_cached("UPDATE payments SET state = ?2, dead_proof = ?3, dead_at = ?4, undelivered = 0 WHERE id = ?1")?
        .execute(params![key, PaymentState::Dead, proof_word(proof), now])?;
    note_said(tx, now, key, end.error.as_deref())?;
    let is_gone = job::is_gone(tx, payment.job)?;
    let change = if is_gone { Change::to(JobState::Refused, Reason::Withdrawn) } else { Change::to_end(end) };
    job::change(tx, now, payment.job, payment.job_from(), &Change { error: end.error.as_deref(), ..change })?;
    let gives_way = give_way(tx, payment.job)?.is_some();
    Ok(if gives_way || is_gone { Committed::NotItsOwn } else { Committed::Done })
}

/// What a person gave up is dead by proof. The job stays as it was decided.
pub(super) fn given_up_dead(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    proof: DeadProof,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    let given_up = match payment.state {
        PaymentState::Intended => !matches!(payment.job_state, JobState::Running | JobState::InDoubt),
        PaymentState::Dead => payment.decided,
        PaymentState::Paid | PaymentState::Posted => false,
    };
    if !given_up || !is_proven(&payment, proof) {
        return payment.unexpected("the death of what was given up");
    }
    if payment.state == PaymentState::Intended {
        budget::void(tx, &payment)?;
    }
    tx.prepare_cached(
        "UPDATE payments SET state = ?2, dead_proof = ?3, dead_at = coalesce(dead_at, ?4) WHERE id = ?1",
    )?
    .execute(params![key, PaymentState::Dead, proof_word(proof), now])?;
    note_said(tx, now, key, Some("it was never paid, and can never be"))?;
    Ok(Committed::Done)
}

/// Whether the counted sends allow that proof (rule 2). That the invoice has expired is known by the node's clock alone,
/// so the ledger cannot check it.
pub(super) const fn is_proven(payment: &Payment, proof: DeadProof) -> bool {
    match proof {
        // A node that says FAILED knows the hash: where one POST was ever begun, that is its answer.
        DeadProof::FailedAndAnswered => payment.sends_answered == payment.sends_begun || payment.sends_begun == 1,
        // A node that has taken a payment up and does not know it has forgotten it, which proves nothing.
        DeadProof::NotFoundAndAnswered => !payment.accepted && payment.sends_answered == payment.sends_begun,
        DeadProof::NotFoundAndExpired => !payment.accepted,
        DeadProof::FailedAndExpired => true,
    }
}

/// That a job's end claims no spending.
pub(super) fn expect_unspent(end: &JobEnd) -> Result<(), Fault> {
    match end.state {
        JobState::Pending | JobState::Refused | JobState::Failed => Ok(()),
        JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => contradiction(format!("a job that spent nothing cannot be {}", end.state.as_str())),
    }
}

/// The payment's fate is unknown, or known not to be final.
pub(super) fn doubt(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    reason: Reason,
    error: Option<&str>,
    wait_until: Option<UnixMs>,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_intended("a doubt")?;
    // What a node that has lost its history once does not know, it may have paid: for ever.
    if matches!(reason, Reason::PaymentInFlight | Reason::NodeForgot) {
        accept(tx, key)?;
    }
    note_said(tx, now, key, error)?;
    let change = Change { error, wait_until, ..Change::to(JobState::InDoubt, reason) };
    job::change(tx, now, payment.job, payment.job_from(), &change)?;
    Ok(Committed::Done)
}
