//! Takes of one job beside each other.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::catalog::{Endpoint, Value};
use crate::ledger::decide::{self, PersonFacts, Take, TakePayment};
use crate::ledger::sqlite::convert::{Json, ReadText, edition, text};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{JobKey, PaymentKey};

use super::jobs::{self, JOB, JOB_COLUMNS};
use super::{apply, payments, rows};

/// Every take of the jobs of ?1, with each of its payments that is not dead by proof: what lives first.
pub(super) static TAKES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {JOB}, j.take, j.merged, j.content, j.endpoint, j.edition, j.meant,
             own.id, (SELECT max(id) + 1 FROM jobs), p.id, p.state, p.dead_proof, i.invoice_expires_at, p.cltv_limit,
             EXISTS (SELECT 1 FROM served s WHERE s.job = j.id)
         FROM jobs own JOIN jobs j ON j.batch = own.batch AND j.job = own.job JOIN batches b ON b.id = j.batch
             LEFT JOIN payments p ON p.job = j.id AND (p.dead_proof IS NULL OR p.dead_proof = 'decided')
             LEFT JOIN intents i ON i.payment = p.id
         WHERE own.id IN (SELECT value FROM json_each(?1)) ORDER BY j.take, p.dead_proof IS NOT NULL, p.id"
    )
});

/// Every take of each of these jobs, in their order, with their payments that are not dead by proof; and the key of the next job.
pub(in crate::ledger::sqlite) fn find(
    conn: &Connection,
    jobs: &[JobKey],
    read: ReadText,
) -> Result<(HashMap<JobKey, Vec<Take>>, JobKey), Fault> {
    let asked: Vec<i64> = jobs.iter().map(|key| key.0).collect();
    let takes: Vec<(JobKey, JobKey, Take)> = rows(conn, &TAKES, &asked, |row| {
        const AT: usize = JOB_COLUMNS;
        let has_payment = row.get::<_, Option<PaymentKey>>(AT + 8)?.is_some();
        let take = Take {
            job: jobs::of_row(row, 0, read)?,
            take: row.get(AT)?,
            merged: row.get(AT + 1)?,
            content: row.get(AT + 2)?,
            bought: row.get(AT + 3)?,
            edition: edition(row, AT + 4)?,
            meant: row.get(AT + 5)?,
            is_answered: row.get(AT + 13)?,
            payments: has_payment.then(|| payment_of_row(row, AT + 8)).transpose()?.into_iter().collect(),
        };
        Ok((row.get(AT + 6)?, row.get(AT + 7)?, take))
    })?;
    let next = takes.first().map_or(JobKey(1), |(_, next, _)| *next);
    let mut found = HashMap::<JobKey, Vec<Take>>::new();
    for (own, _, take) in takes {
        let of_job = found.entry(own).or_default();
        match of_job.last_mut().filter(|last| last.job.key == take.job.key) {
            Some(last) => last.payments.extend(take.payments),
            None => of_job.push(take),
        }
    }
    Ok((found, next))
}

fn payment_of_row(row: &Row<'_>, from: usize) -> rusqlite::Result<TakePayment> {
    Ok(TakePayment {
        key: row.get(from)?,
        state: row.get(from + 1)?,
        death: row.get(from + 2)?,
        invoice_expires_at: row.get(from + 3)?,
        cltv_limit: row.get(from + 4)?,
    })
}

/// Every take of the same job.
pub(in crate::ledger::sqlite) fn takes(conn: &Connection, job: JobKey, read: ReadText) -> Result<Vec<Take>, Fault> {
    Ok(find(conn, &[job], read)?.0.remove(&job).unwrap_or_default())
}

/// What a person's decision on that job depends on.
pub(in crate::ledger::sqlite) fn person_facts(conn: &Connection, key: JobKey) -> Result<PersonFacts, Fault> {
    let job = jobs::job(conn, key)?;
    let (mut takes, next) = find(conn, &[key], text)?;
    let takes = takes.remove(&key).unwrap_or_default();
    let own = takes.iter().find(|take| take.job.key == key);
    let live = own.and_then(Take::live_payment).map(|key| payments::payment(conn, key)).transpose()?;
    Ok(PersonFacts { job, live: live.map(|(payment, _)| payment), takes, next })
}

/// The job comes to stand in another way than by a load: the next one looks at all rows of its batch.
fn forget_load(tx: &Connection, job: JobKey) -> Result<(), Fault> {
    let sql = "UPDATE batches SET loaded = NULL WHERE id = (SELECT batch FROM jobs WHERE id = ?1)";
    tx.prepare_cached(sql)?.execute([job])?;
    Ok(())
}

pub(super) fn insert_further(tx: &Connection, of: JobKey, (key, take): (JobKey, u32), moved: u32) -> Result<(), Fault> {
    forget_load(tx, of)?;
    tx.prepare_cached(
        "UPDATE jobs SET superseded = 1 FROM jobs o
         WHERE o.id = ?1 AND jobs.batch = o.batch AND jobs.job = o.job AND jobs.superseded = 0",
    )?
    .execute([of])?;
    // It is of no load: nobody has to accept it.
    let rows = tx
        .prepare_cached(
            "INSERT INTO jobs (id, batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat,
                 max_cost_msat, state, reason, first_load, last_load, params, extra, edition, row_content, meant,
                 given, row_given, begun)
             SELECT ?2, batch, job, ?3, seq, line, endpoint, content, price_msat, fee_ceiling_msat, max_cost_msat, 'pending',
                 '', 0, last_load, params, extra, edition, row_content, meant, given, row_given, 0
             FROM jobs o WHERE o.id = ?1",
        )?
        .execute(params![of, key, take])?;
    apply::expect_one(rows, || format!("there is no job {}", of.0))?;
    move_params(tx, key, moved)
}

/// What tells takes apart in their requests is moved by so many takes.
fn move_params(tx: &Connection, key: JobKey, moved: u32) -> Result<(), Fault> {
    let sql = "SELECT e.json, j.params FROM jobs j JOIN endpoints e ON e.id = j.endpoint
        WHERE j.id = ?1 AND CASE WHEN json_valid(e.json) THEN e.json ->> 'nonce' END IS NOT NULL";
    let of_row = |row: &Row<'_>| {
        let Json(endpoint): Json<Endpoint> = row.get(0)?;
        let Json(params): Json<Vec<(String, Value)>> = row.get(1)?;
        Ok((endpoint, params))
    };
    let found = tx.prepare_cached(sql)?.query_row([key], of_row).optional()?;
    if let Some((endpoint, params)) = found.filter(|_| moved > 0) {
        let params = endpoint.moved(moved, params);
        tx.prepare_cached("UPDATE jobs SET params = ?2 WHERE id = ?1")?.execute(params![key, Json(&params)])?;
    }
    Ok(())
}

pub(super) fn join(tx: &Connection, join: &decide::Join) -> Result<(), Fault> {
    forget_load(tx, join.stays)?;
    let decide::Join { gone, stays, take, merged, takes_place, latest } = *join;
    for table in ["payments", "transitions", "decisions"] {
        tx.prepare_cached(&format!("UPDATE {table} SET job = ?2 WHERE job = ?1"))?.execute(params![gone, stays])?;
    }
    // Of two answers the one stays that is there; the other goes with its job.
    tx.prepare_cached("UPDATE OR IGNORE served SET job = ?2 WHERE job = ?1")?.execute(params![gone, stays])?;
    tx.prepare_cached("UPDATE OR IGNORE marks SET job = ?2 WHERE job = ?1")?.execute(params![gone, stays])?;
    tx.execute_batch("DROP TABLE IF EXISTS temp.given_way")?;
    tx.execute("CREATE TEMP TABLE given_way AS SELECT * FROM jobs WHERE id = ?1", [gone])?;
    tx.execute("DELETE FROM jobs WHERE id = ?1", [gone])?;
    tx.execute(
        "UPDATE jobs AS j SET take = ?2, merged = ?3, last_load = max(j.last_load, o.last_load),
             seq = CASE WHEN ?4 THEN o.seq ELSE j.seq END,
             line = CASE WHEN ?4 THEN o.line ELSE j.line END,
             extra = CASE WHEN ?4 THEN o.extra ELSE j.extra END,
             row_content = CASE WHEN ?4 THEN nullif(coalesce(o.row_content, o.content), j.content) ELSE j.row_content END,
             row_given = CASE WHEN ?4 THEN nullif(coalesce(o.row_given, o.given), j.given) ELSE j.row_given END
         FROM given_way o WHERE j.id = ?1",
        params![stays, take, merged, takes_place],
    )?;
    tx.execute_batch("DROP TABLE temp.given_way")?;
    tx.execute(
        "UPDATE jobs AS m SET superseded = (m.take < ?2) FROM jobs s WHERE s.id = ?1 AND m.batch = s.batch AND m.job = s.job",
        params![stays, latest],
    )?;
    Ok(())
}

/// The take that was to be bought in its place goes, with all that was said of it.
pub(super) fn unreplace(tx: &Connection, of: JobKey, next: JobKey) -> Result<(), Fault> {
    forget_load(tx, of)?;
    for sql in [
        "UPDATE jobs SET superseded = 0, seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load
         FROM jobs n WHERE n.id = ?2 AND jobs.id = ?1",
        "DELETE FROM transitions WHERE job = ?2 AND ?1 <> ?2",
        "DELETE FROM decisions WHERE job = ?2 AND ?1 <> ?2",
        "DELETE FROM jobs WHERE id = ?2 AND ?1 <> ?2",
    ] {
        tx.prepare_cached(sql)?.execute(params![of, next])?;
    }
    Ok(())
}
