//! Records about what was bought: answers, acceptance, delivery, and ends.

use rusqlite::{Connection, OptionalExtension, params};

use super::bounds;
use super::convert::{Json, int, kind_word};
use super::error::{Fault, contradiction};
use super::job::{self, Change};
use super::payment::{Payment, paid_purchase, payment};
use super::settle::expect_unspent;
use crate::ledger::{AnswerKey, AnswerKind, Committed, JobEnd, JobKey, JobState, PaymentKey, Poll, Reason};
use crate::origin::HttpAnswer;
use crate::time::UnixMs;

/// Of a refusal's body, once it is interpreted, this much is kept: what a complaint needs.
const REFUSAL_BYTES_MAX: u32 = 64 * 1024;
/// Refusals that are kept of one payment: the first ones, and the latest.
const REFUSALS_FIRST: u32 = 16;
const REFUSALS_MAX: u32 = 64;

/// An answer, before it is interpreted: whole, as what reads it after a crash must find what this process would have
/// found, a refund's link for instance. Each 2xx stays so (rule 6).
pub(super) fn answer(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    kind: AnswerKind,
    answer: &HttpAnswer,
) -> Result<Committed, Fault> {
    payment(tx, key)?.expect_undelivered("an answer")?;
    trim_refusals(tx, key)?;
    tx.prepare_cached(
        "INSERT INTO answers (payment, kind, at, status, headers, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![key, kind_word(kind), now, answer.status, Json(&answer.headers), answer.body])?;
    let stored = AnswerKey(tx.last_insert_rowid());
    if !(200..300).contains(&answer.status) {
        forget_refusals(tx, key)?;
    }
    tx.prepare_cached("UPDATE payments SET answered_at = ?2, redeems = redeems + ?3 WHERE id = ?1")?
        .execute(params![key, now, kind == AnswerKind::Redeem])?;
    if kind == AnswerKind::Redeem {
        bounds::redeemed(tx, now, key, answer.status)?;
    }
    Ok(Committed::Answer(stored))
}

/// Cuts the refusals of one payment, which nobody reads any more but a person.
fn trim_refusals(tx: &Connection, key: PaymentKey) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE answers SET body = substr(body, 1, ?2)
         WHERE payment = ?1 AND status NOT BETWEEN 200 AND 299 AND length(body) > ?2",
    )?
    .execute(params![key, REFUSAL_BYTES_MAX])?;
    Ok(())
}

/// Keeps the refusals of one payment within their bound: the first after the first ones goes.
fn forget_refusals(tx: &Connection, key: PaymentKey) -> Result<(), Fault> {
    tx.prepare_cached(
        "DELETE FROM answers WHERE id = (
             SELECT id FROM answers WHERE payment = ?1 AND status NOT BETWEEN 200 AND 299 ORDER BY id LIMIT 1 OFFSET ?2
         ) AND (SELECT count(*) FROM answers WHERE payment = ?1 AND status NOT BETWEEN 200 AND 299) > ?3",
    )?
    .execute(params![key, REFUSALS_FIRST, REFUSALS_MAX])?;
    Ok(())
}

/// The origin takes its time: where to poll is durable.
pub(super) fn accepted(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    answer: AnswerKey,
    poll: &Poll,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_undelivered("an acceptance")?;
    interpreted(tx, &payment, answer)?;
    tx.prepare_cached("UPDATE payments SET poll_url = ?2, poll_interval_ms = ?3 WHERE id = ?1")?.execute(params![
        key,
        poll.url.as_str(),
        int(poll.interval_ms)?
    ])?;
    hear(tx, key, answer)?;
    let change = Change::to(JobState::Paid, Reason::Processing);
    job::change(tx, now, payment.job, payment.job_from(), &change)?;
    Ok(Committed::Paid(paid_purchase(tx, key)?))
}

/// The first success that is answered to a redeem counts: later ones change nothing of it.
fn hear(tx: &Connection, key: PaymentKey, answer: AnswerKey) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE payments SET heard_at = (SELECT at FROM answers WHERE id = ?2 AND kind = 'redeem')
         WHERE id = ?1 AND heard_at IS NULL",
    )?
    .execute(params![key, answer])?;
    Ok(())
}

/// The one redeem more that may follow a success is about to be sent: for whoever comes after a crash, it was. It comes after the
/// word that asked for it, whatever the clock shows: a clock that was set back since would let that word send it once more.
pub(super) fn replaying(tx: &Connection, now: UnixMs, key: PaymentKey) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_undelivered("a redeem more")?;
    let written = tx
        .prepare_cached(
            "UPDATE payments SET replayed_at = max(?2, coalesce(retried_at, ?2)) WHERE id = ?1 AND heard_at IS NOT NULL",
        )?
        .execute(params![key, now])?;
    if written == 1 { Ok(Committed::Paid(paid_purchase(tx, key)?)) } else { payment.unexpected("a redeem more") }
}

/// The result is there; `own`, where it may not be an identical request's.
pub(super) fn delivered(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    answer: AnswerKey,
    url: &str,
    own: bool,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_undelivered("a delivery")?;
    if own && is_anothers(tx, &payment, url)? {
        return Ok(Committed::NotItsOwn);
    }
    interpreted(tx, &payment, answer)?;
    hear(tx, key, answer)?;
    tx.prepare_cached("UPDATE payments SET delivered_at = ?2, poll_url = NULL, poll_interval_ms = NULL WHERE id = ?1")?
        .execute(params![key, now])?;
    bounds::delivered(tx, now, key)?;
    let change = Change { url: Some(url), finished: true, ..Change::to(JobState::Delivered, Reason::None) };
    job::change(tx, now, payment.job, payment.job_from(), &change)?;
    Ok(Committed::Done)
}

/// Whether that is the result of another purchase of the identical request.
fn is_anothers(tx: &Connection, payment: &Payment, url: &str) -> Result<bool, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT 1 FROM intents own JOIN intents i ON i.request_digest = own.request_digest
                 JOIN payments p ON p.id = i.payment JOIN jobs j ON j.id = p.job
             WHERE own.payment = ?1 AND p.job <> ?2 AND j.url = ?3 LIMIT 1",
        )?
        .query_row(params![payment.key, payment.job, url], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}

/// Paid and not delivered. Where `heard`, the answer was a success.
pub(super) fn undelivered(
    tx: &Connection,
    now: UnixMs,
    key: PaymentKey,
    (answer, heard): (Option<AnswerKey>, bool),
    end: &JobEnd,
) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    payment.expect_undelivered("a failed delivery")?;
    match end.state {
        JobState::Paid | JobState::Lost => {}
        JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::RefundOffered
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::Refunded => {
            return contradiction(format!("a paid job without its result cannot be {}", end.state.as_str()));
        }
    }
    match answer {
        Some(answer) => interpreted(tx, &payment, answer)?,
        None => trim_refusals(tx, key)?,
    }
    if let Some(answer) = answer.filter(|_| heard) {
        hear(tx, key, answer)?;
    }
    bounds::undelivered(tx, key)?;
    job::change(tx, now, payment.job, payment.job_from(), &Change::to_end(end))?;
    Ok(Committed::Done)
}

/// Marks the answer, and those before it, as interpreted. It must belong to the payment.
pub(super) fn interpreted(tx: &Connection, payment: &Payment, answer: AnswerKey) -> Result<(), Fault> {
    let owner: Option<PaymentKey> = tx
        .prepare_cached("SELECT payment FROM answers WHERE id = ?1")?
        .query_row([answer], |row| row.get(0))
        .optional()?;
    if owner != Some(payment.key) {
        return contradiction(format!("answer {} does not belong to payment {}", answer.0, payment.hash));
    }
    tx.prepare_cached("UPDATE answers SET interpreted = 1 WHERE payment = ?1 AND id <= ?2 AND interpreted = 0")?
        .execute(params![payment.key, answer])?;
    trim_refusals(tx, payment.key)
}

/// The job ends, or becomes pending again, without any open payment.
pub(super) fn ended(tx: &Connection, now: UnixMs, key: JobKey, end: &JobEnd) -> Result<Committed, Fault> {
    let job = job::job(tx, key)?;
    match job.state {
        JobState::Pending | JobState::Refused | JobState::Failed => {}
        JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => {
            return contradiction(format!("an end without payment for job {}, which is {}", key.0, job.state.as_str()));
        }
    }
    expect_unspent(end)?;
    let change = Change { attempt: end.state != JobState::Pending, ..Change::to_end(end) };
    job::change(tx, now, key, (job.state, job.reason), &change)?;
    Ok(Committed::Done)
}
