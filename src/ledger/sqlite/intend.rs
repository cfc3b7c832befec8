//! The intent: budget reserved, and all that paying and redeeming need made durable, in one transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::bodies::{Bodies, Kept};
use super::bounds;
use super::budget::{self, Charged};
use super::convert::{Json, PaymentState};
use super::duplicates::bought_elsewhere;
use super::error::{Fault, contradiction};
use super::gap;
use super::job::{self, Change, Job};
use super::payment::durable_intent;
use super::read::twin;
use super::unsettled::earlier_take;
use crate::catalog::Apart;
use crate::ledger::{BatchKey, CLTV_LIMIT, Committed, IntentRefusal, JobState, NewIntent, PaymentKey, Reason};
use crate::money::Msat;
use crate::time::UnixMs;

/// Carries out [`Record::Intend`](crate::ledger::Record::Intend).
pub(super) fn intend(tx: &Connection, bodies: &Bodies, now: UnixMs, intent: &NewIntent) -> Result<Committed, Fault> {
    let job = job::job(tx, intent.job)?;
    let cost = expect_buyable(tx, &job, intent)?;
    if is_known(tx, intent)? {
        return Ok(Committed::IntentRefused(IntentRefusal::HashKnown));
    }
    if let Some(original) = bought_elsewhere(tx, intent.job, &intent.request.digest(), intent.network)? {
        return Ok(Committed::IntentRefused(IntentRefusal::Duplicate(original)));
    }
    if has_twin(tx, now, intent)? {
        return Ok(Committed::IntentRefused(IntentRefusal::TwinKnown));
    }
    if let Some(until) = earlier_take(tx, intent.job, now)? {
        return Ok(Committed::IntentRefused(IntentRefusal::EarlierTake { until }));
    }
    let admitted = match bounds::admit_intent(tx, now, job.batch, intent)? {
        Ok(admitted) => admitted,
        Err(held) => return Ok(Committed::IntentRefused(IntentRefusal::HeldBack(held))),
    };
    let charged = match budget::fit(tx, job.batch, &intent.caps, cost)? {
        Ok(charged) => charged,
        Err(refusal) => return Ok(Committed::IntentRefused(refusal)),
    };
    budget::hold(tx, job.batch, &charged, cost)?;
    let payment = insert_payment(tx, now, job.batch, intent, &charged)?;
    insert_intent(tx, bodies, payment, intent)?;
    gap::count_intent(tx)?;
    bounds::use_word(tx, admitted, intent, payment)?;
    let running = Change { attempt: true, ..Change::to(JobState::Running, Reason::None) };
    job::change(tx, now, intent.job, (job.state, job.reason), &running)?;
    Ok(Committed::Intent(durable_intent(tx, payment)?))
}

/// That the job is still to be bought, at exactly this price; gives the most that this payment can cost.
fn expect_buyable(tx: &Connection, job: &Job, intent: &NewIntent) -> Result<Msat, Fault> {
    let key = intent.job.0;
    if job.state != JobState::Pending || job.superseded {
        return contradiction(format!("an intent for job {key}, which is {}", job.state.as_str()));
    }
    if intent.amount != job.price {
        return contradiction(format!("an intent of {} for job {key}, whose price is {}", intent.amount, job.price));
    }
    if intent.fee_limit > job.fee_ceiling {
        return contradiction(format!(
            "an intent with a fee limit of {} for job {key}, whose ceiling is {}",
            intent.fee_limit, job.fee_ceiling
        ));
    }
    let live = tx
        .prepare_cached("SELECT 1 FROM payments WHERE job = ?1 AND state <> 'dead'")?
        .query_row([intent.job], |_| Ok(()))
        .optional()?;
    if live.is_some() {
        return contradiction(format!("an intent for job {key}, which has a live payment"));
    }
    match intent.amount.checked_add(intent.fee_limit) {
        Some(cost) if job.max_cost.is_none_or(|most| cost <= most) => Ok(cost),
        Some(_) | None => contradiction(format!("an intent above the own limit of job {key}")),
    }
}

fn is_known(tx: &Connection, intent: &NewIntent) -> Result<bool, Fault> {
    let known = tx
        .prepare_cached("SELECT 1 FROM payments WHERE payment_hash = ?1")?
        .query_row([intent.hash], |_| Ok(()))
        .optional()?;
    Ok(known.is_some())
}

/// Whether an identical request is under way, or was within its window (rule 9). Whoever asked looked before it did; here
/// the looks of two processes, or of two endpoints of one address, cannot cross.
fn has_twin(tx: &Connection, now: UnixMs, intent: &NewIntent) -> Result<bool, Fault> {
    if intent.apart == Apart::Never {
        return Ok(false);
    }
    let twin = twin(tx, intent.job, &intent.request.digest())?;
    Ok(twin.is_some_and(|twin| twin.is_in_the_way(intent.apart) || twin.window_left_ms(intent.apart, now) > 0))
}

fn insert_payment(
    tx: &Connection,
    now: UnixMs,
    batch: BatchKey,
    intent: &NewIntent,
    charged: &Charged,
) -> Result<PaymentKey, Fault> {
    tx.prepare_cached(
        "INSERT INTO payments (job, batch, payment_hash, state, amount_msat, fee_limit_msat, node, day, month,
             sends_begun, sent_at, intended_at, cltv_limit, endpoint_url, undelivered)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10, ?11, ?12, 1)",
    )?
    .execute(params![
        intent.job,
        batch,
        intent.hash,
        PaymentState::Intended,
        intent.amount,
        intent.fee_limit,
        intent.node.0,
        charged.day,
        charged.month,
        now,
        CLTV_LIMIT,
        bounds::endpoint_row(tx, &intent.request.url)?
    ])?;
    Ok(PaymentKey(tx.last_insert_rowid()))
}

fn insert_intent(tx: &Connection, bodies: &Bodies, payment: PaymentKey, intent: &NewIntent) -> Result<(), Fault> {
    let request = &intent.request;
    let (body, body_sha256) = match bodies.keep(&request.body)? {
        Kept::Inline => (Some(&request.body), None),
        Kept::File(digest) => (None, Some(digest)),
    };
    tx.prepare_cached(
        "INSERT INTO intents (payment, request_digest, method, url, scheme, token, challenge, invoice, payee, network,
             invoice_expires_at, credential_expires_at, body_sha256, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        payment,
        request.digest(),
        request.method,
        request.url.as_str(),
        intent.scheme,
        intent.token.reveal(),
        Json(&intent.challenge),
        intent.invoice,
        intent.payee,
        intent.network,
        intent.invoice_expires_at,
        intent.credential_expires_at,
        body_sha256,
        body
    ])?;
    Ok(())
}
