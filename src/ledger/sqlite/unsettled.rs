//! Purchases whose hash is neither settled nor dead although a person has ended their job: what they keep from being bought,
//! and what becomes of one that settles after all.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{Fault, contradiction};
use super::job::{self, Change, Job};
use super::payment::Payment;
use crate::ledger::record::{BLOCK_MS_MAX, CLTV_LIMIT_UNKNOWN};
use crate::ledger::{JobKey, JobState, Reason};
use crate::time::UnixMs;

/// Until when any purchase of the same job may still settle although nobody follows it: intended, or dead by a person's word
/// alone. None where none may by now. No take replaces one for which this says a time.
pub(super) fn unsettled_until(tx: &Connection, job: JobKey, now: UnixMs) -> Result<Option<UnixMs>, Fault> {
    let until: Option<UnixMs> = tx
        .prepare_cached(
            "SELECT max(i.invoice_expires_at + coalesce(p.cltv_limit, ?2) * ?3)
             FROM jobs own JOIN jobs j ON j.batch = own.batch AND j.job = own.job
                 JOIN payments p ON p.job = j.id JOIN intents i ON i.payment = p.id
             WHERE own.id = ?1 AND (p.state = 'intended' OR p.dead_proof = 'decided')",
        )?
        .query_row(params![job, CLTV_LIMIT_UNKNOWN, BLOCK_MS_MAX], |row| row.get(0))?;
    Ok(until.filter(|until| *until >= now))
}

/// What of the same job has to end before that take may be bought: another take that is open, or a hash that may still settle.
pub(super) fn earlier_take(tx: &Connection, job: JobKey, now: UnixMs) -> Result<Option<Option<UnixMs>>, Fault> {
    let open = tx
        .prepare_cached(
            "SELECT 1 FROM jobs own JOIN jobs j ON j.batch = own.batch AND j.job = own.job
             WHERE own.id = ?1 AND j.id <> own.id AND j.state IN ('running', 'in_doubt', 'paid')",
        )?
        .exists([job])?;
    if open {
        return Ok(Some(None));
    }
    Ok(unsettled_until(tx, job, now)?.map(Some))
}

/// The job for which a payment counts that has just settled, and how that job stood. It is its own, unless a person gave it up in
/// the meantime and its job went on: then it is the take that was to be bought in its place and is not bought yet, or, where
/// something else pays for each of these, a further take.
pub(super) fn job_of_settled(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
) -> Result<(JobKey, (JobState, Reason)), Fault> {
    let own = job::job(tx, payment.job)?;
    if own.superseded
        && let Some(heir) = heir(tx, payment.job)?
    {
        let left = Change { finished: true, ..Change::to(JobState::Failed, Reason::Decided) };
        job::change(tx, now, payment.job, payment.job_from(), &left)?;
        let from = job::job(tx, heir)?;
        return moved(tx, payment, heir, &from);
    }
    let lives_beside = tx
        .prepare_cached("SELECT 1 FROM payments WHERE job = ?1 AND id <> ?2 AND state <> 'dead'")?
        .exists(params![payment.job, payment.key])?;
    if lives_beside {
        let extra = extra_take(tx, payment.job)?;
        let from = job::job(tx, extra)?;
        return moved(tx, payment, extra, &from);
    }
    Ok((payment.job, payment.job_from()))
}

fn moved(tx: &Connection, payment: &Payment, to: JobKey, job: &Job) -> Result<(JobKey, (JobState, Reason)), Fault> {
    tx.prepare_cached("UPDATE payments SET job = ?2 WHERE id = ?1")?.execute(params![payment.key, to])?;
    Ok((to, (job.state, job.reason)))
}

/// The latest take of the same job, where it is the same purchase and nothing pays for it.
fn heir(tx: &Connection, own: JobKey) -> Result<Option<JobKey>, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT n.id FROM jobs o JOIN jobs n ON n.batch = o.batch AND n.job = o.job AND n.superseded = 0
             WHERE o.id = ?1 AND n.id <> o.id AND n.state IN ('pending', 'refused', 'failed')
                 AND n.content = o.content AND n.endpoint = o.endpoint AND n.price_msat = o.price_msat
                 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.job = n.id AND p.state <> 'dead')",
        )?
        .query_row([own], |row| row.get(0))
        .optional()?)
}

/// One more take of the same purchase, the latest from now on. It is of no load: nobody has to accept it.
pub(super) fn extra_take(tx: &Connection, job: JobKey) -> Result<JobKey, Fault> {
    tx.prepare_cached(
        "UPDATE jobs SET superseded = 1 FROM jobs o
         WHERE o.id = ?1 AND jobs.batch = o.batch AND jobs.job = o.job AND jobs.superseded = 0",
    )?
    .execute([job])?;
    let rows = tx
        .prepare_cached(
            "INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat,
                 max_cost_msat, state, reason, first_load, last_load, params, extra, edition, row_content, meant,
                 given, row_given)
             SELECT batch, job, (SELECT max(n.take) + 1 FROM jobs n WHERE n.batch = o.batch AND n.job = o.job), seq, line,
                 endpoint, content, price_msat, fee_ceiling_msat, max_cost_msat, 'pending', '', 0, last_load, params, extra,
                 edition, row_content, meant, given, row_given
             FROM jobs o WHERE o.id = ?1",
        )?
        .execute([job])?;
    if rows == 1 { Ok(JobKey(tx.last_insert_rowid())) } else { contradiction(format!("there is no job {}", job.0)) }
}
