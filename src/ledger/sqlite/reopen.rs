//! A person's word on what is paid for and given up: to ask for it again with the credential that was paid for, or to take the
//! answer that is kept as its result.

use rusqlite::{Connection, OptionalExtension, params};

use super::convert::Json;
use super::error::Fault;
use super::read::stored_url;
use super::store::{self, paid_purchase};
use crate::command::{command, node_command};
use crate::ledger::decide::JobUpdate;
use crate::ledger::{AnswerKey, JobKey, PaymentKey, Reopened, Reopening};
use crate::purchase::{HttpAnswer, JobState, Reason};
use crate::time::UnixMs;

pub(super) fn reopen(
    tx: &Connection,
    now: UnixMs,
    key: JobKey,
    word: Reopening,
    note: &str,
) -> Result<Reopened, Fault> {
    match word {
        Reopening::Retry => retry(tx, now, key, note),
        Reopening::Delivered => deliver(tx, now, key, note),
    }
}

/// The job is asked for again with the credential that was paid for, for the endpoint's whole patience. Where it is so already,
/// nothing changes.
fn retry(tx: &Connection, now: UnixMs, key: JobKey, note: &str) -> Result<Reopened, Fault> {
    let found = store::job(tx, key)?;
    let payment = match undelivered(tx, key, found.state)? {
        Ok(payment) => payment,
        Err(not) => return Ok(not),
    };
    let purchase = paid_purchase(tx, payment)?;
    if is_without_credential(tx, payment)? {
        return Ok(Reopened::Unfit(
            "it is known by its receipt alone: its credential stood in the ledger that is gone".to_owned(),
        ));
    }
    let asks_no_more =
        found.state == JobState::Lost || (found.reason == Reason::UnknownAnswer && !purchase.is_retried());
    if !asks_no_more {
        return Ok(Reopened::Unchanged);
    }
    let replacement = discard_replacement(tx, key)?;
    let evidence = match replacement {
        Some(take) => format!("take {take}, which was to be bought in its place and was not, is none any more"),
        None => "it is asked for with the credential that was paid for".to_owned(),
    };
    record(tx, now, key, Reopening::Retry, note, &evidence)?;
    // Later than any redeem that was sent by an earlier word, whatever the clock shows.
    tx.prepare_cached("UPDATE payments SET retried_at = max(?2, coalesce(replayed_at + 1, ?2)) WHERE id = ?1")?
        .execute(params![payment, now])?;
    let reason = if purchase.poll().is_some() { Reason::Processing } else { Reason::NotDelivered };
    store::change(tx, now, &found, &JobUpdate::to(JobState::Paid, reason))?;
    Ok(Reopened::Recorded)
}

fn is_without_credential(tx: &Connection, payment: PaymentKey) -> Result<bool, Fault> {
    Ok(tx.prepare_cached("SELECT 1 FROM intents WHERE payment = ?1 AND token = ''")?.exists([payment])?)
}

/// The answer that is kept is the result: the one address in it, else the answer itself.
fn deliver(tx: &Connection, now: UnixMs, key: JobKey, note: &str) -> Result<Reopened, Fault> {
    let found = store::job(tx, key)?;
    let payment = match undelivered(tx, key, found.state)? {
        Ok(payment) => payment,
        Err(not) => return Ok(not),
    };
    if found.state == JobState::Paid && found.reason != Reason::UnknownAnswer {
        return Ok(Reopened::Unfit("the origin is still asked for it".to_owned()));
    }
    let Some((answer, kept)) = kept_answer(tx, payment)? else {
        return Ok(Reopened::Unfit("no answer of it is kept that could hold a result".to_owned()));
    };
    let endpoint: String =
        tx.prepare_cached("SELECT url FROM intents WHERE payment = ?1")?.query_row([payment], |row| row.get(0))?;
    let Some(url) = kept.taken_result(&stored_url(&endpoint)?) else {
        return Ok(Reopened::Unfit("the answer that is kept of it is empty".to_owned()));
    };
    record(tx, now, key, Reopening::Delivered, note, &format!("taken from answer {}: {url}", answer.0))?;
    tx.prepare_cached("UPDATE answers SET interpreted = 1 WHERE payment = ?1 AND interpreted = 0")?
        .execute([payment])?;
    store::deliver(tx, now, payment)?;
    let change =
        JobUpdate { url: Some(url.as_str()), finished: true, ..JobUpdate::to(JobState::Delivered, Reason::None) };
    store::change(tx, now, &found, &change)?;
    Ok(Reopened::Taken(url.into()))
}

/// The answer that a person takes as the result: what the origin said last where it is polled, else its first success. Where
/// it only said where to poll, none.
pub(super) fn kept_answer(conn: &Connection, payment: PaymentKey) -> Result<Option<(AnswerKey, HttpAnswer)>, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT a.id, a.status, a.headers, a.body FROM answers a JOIN payments p ON p.id = a.payment
             WHERE a.payment = ?1 AND a.status BETWEEN 200 AND 299 AND (a.kind = 'poll' OR p.poll_url IS NULL)
             ORDER BY a.kind = 'poll' DESC, CASE a.kind WHEN 'poll' THEN -a.id ELSE a.id END LIMIT 1",
        )?
        .query_row([payment], |row| {
            let Json(headers) = row.get(2)?;
            Ok((row.get(0)?, HttpAnswer { status: row.get(1)?, headers, body: row.get(3)? }))
        })
        .optional()?)
}

/// The payment for which nothing came: what a word about it needs.
fn undelivered(tx: &Connection, key: JobKey, state: JobState) -> Result<Result<PaymentKey, Reopened>, Fault> {
    match state {
        JobState::Paid | JobState::Lost => {}
        JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::RefundOffered
        | JobState::Refunded => return Ok(Err(Reopened::Refused(state))),
    }
    let found: Option<(PaymentKey, bool)> = tx
        .prepare_cached(
            "SELECT p.id, EXISTS (SELECT 1 FROM refunds r WHERE r.payment = p.id) FROM payments p
             WHERE p.job = ?1 AND p.state IN ('paid', 'posted') AND p.preimage IS NOT NULL AND p.delivered_at IS NULL",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        None => Err(Reopened::Unfit(format!(
            "nobody knows that it was paid; `{}` asks its node",
            node_command("recover --all")
        ))),
        Some((_, true)) => Err(Reopened::Unfit(format!(
            "a refund was offered for it; `{}` shows how it stands",
            command("refunds list --all")
        ))),
        Some((payment, false)) => Ok(payment),
    })
}

/// The same purchase that was to be bought next in its place, and for which nothing was ever paid: whoever has the one asked
/// for again does not want both.
fn discard_replacement(tx: &Connection, key: JobKey) -> Result<Option<u32>, Fault> {
    let found: Option<(JobKey, u32)> = tx
        .prepare_cached(
            "SELECT n.id, n.take FROM jobs o JOIN jobs n ON n.batch = o.batch AND n.job = o.job AND n.take = o.take + 1
             WHERE o.id = ?1 AND n.superseded = 0 AND n.content = o.content AND n.state IN ('pending', 'refused', 'failed')
                 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.job = n.id)",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((next, take)) = found else { return Ok(None) };
    for sql in [
        "UPDATE jobs SET superseded = 0, seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load
         FROM jobs n WHERE n.id = ?2 AND jobs.id = ?1",
        "DELETE FROM transitions WHERE job = ?2 AND ?1 <> ?2",
        "DELETE FROM decisions WHERE job = ?2 AND ?1 <> ?2",
        "DELETE FROM jobs WHERE id = ?2 AND ?1 <> ?2",
    ] {
        tx.prepare_cached(sql)?.execute(params![key, next])?;
    }
    Ok(Some(take))
}

fn record(tx: &Connection, now: UnixMs, key: JobKey, word: Reopening, note: &str, evidence: &str) -> Result<(), Fault> {
    tx.prepare_cached("INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![key, now, word.as_str(), note, evidence])?;
    Ok(())
}
