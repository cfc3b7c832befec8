//! Other purchases with the identical request.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::ledger::JobKey;
use crate::ledger::decide::{Alike, Buyer};
use crate::ledger::sqlite::convert::hex;
use crate::ledger::sqlite::error::Fault;

use super::rows;

/// For each job and request of ?1, by its place there: purchases with that request that are no purchase of the job, and whose
/// payment is not dead.
pub(super) const ALIKE: &str =
    "SELECT e.key, p.id, p.job, o.batch, b.name, b.sandbox, o.job, o.edition, o.content, o.state, o.reason, i.network,
         p.poll_url IS NOT NULL, p.intended_at, p.paid_at, p.answered_at,
         CASE WHEN o.batch = (SELECT batch FROM jobs WHERE id = e.value ->> 0) THEN
             (SELECT coalesce(l.row_content, l.content) FROM jobs l
              WHERE l.batch = o.batch AND l.job = o.job AND l.superseded = 0 AND l.last_load = b.loads) END
     FROM json_each(?1) e CROSS JOIN intents i ON i.request_digest = unhex(e.value ->> 1)
         JOIN payments p ON p.id = i.payment JOIN jobs o ON o.id = p.job JOIN batches b ON b.id = o.batch
     WHERE p.state <> 'dead' AND p.job <> e.value ->> 0 ORDER BY p.id";

/// The jobs ?1, as they are to be bought.
pub(super) const BUYERS: &str = "SELECT j.id, j.batch, j.job, b.sandbox FROM jobs j JOIN batches b ON b.id = j.batch
     WHERE j.id IN (SELECT value FROM json_each(?1))";

/// Jobs that are to be bought.
pub(super) fn buyers(conn: &Connection, jobs: &[JobKey]) -> Result<HashMap<JobKey, Buyer>, Fault> {
    let jobs: Vec<i64> = jobs.iter().map(|key| key.0).collect();
    rows(conn, BUYERS, &jobs, |row| {
        let job = row.get(0)?;
        Ok((job, Buyer { job, batch: row.get(1)?, id: row.get(2)?, is_play: row.get(3)? }))
    })
}

/// A job that is to be bought.
pub(in crate::ledger::sqlite) fn buyer(conn: &Connection, job: JobKey) -> Result<Buyer, Fault> {
    buyers(conn, &[job])?.remove(&job).map_or_else(|| Err(rusqlite::Error::QueryReturnedNoRows.into()), Ok)
}

/// Purchases with the request of that digest that are no purchase of that job, and whose payment is not dead.
pub(in crate::ledger::sqlite) fn alike(conn: &Connection, job: JobKey, digest: &[u8; 32]) -> Result<Vec<Alike>, Fault> {
    Ok(all_alike(conn, &[(job, *digest)])?.remove(&0).unwrap_or_default())
}

/// The same of many jobs with the digests of their requests, by their places.
pub(super) fn all_alike(conn: &Connection, asked: &[(JobKey, [u8; 32])]) -> Result<HashMap<u32, Vec<Alike>>, Fault> {
    let asked: Vec<(i64, String)> = asked.iter().map(|(job, digest)| (job.0, hex(digest))).collect();
    let alike: Vec<(u32, Alike)> = rows(conn, ALIKE, &asked, |row| {
        let alike = Alike {
            payment: row.get(1)?,
            job: row.get(2)?,
            batch: row.get(3)?,
            batch_name: row.get(4)?,
            is_play: row.get(5)?,
            id: row.get(6)?,
            edition: row.get(7)?,
            content: row.get(8)?,
            state: row.get(9)?,
            reason: row.get(10)?,
            network: row.get(11)?,
            is_polled: row.get(12)?,
            intended_at: row.get(13)?,
            paid_at: row.get(14)?,
            answered_at: row.get(15)?,
            row_content: row.get(16)?,
        };
        Ok((row.get(0)?, alike))
    })?;
    let mut found = HashMap::<_, Vec<Alike>>::new();
    for (place, alike) in alike {
        found.entry(place).or_default().push(alike);
    }
    Ok(found)
}
