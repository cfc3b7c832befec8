//! Other purchases with the identical request.

use rusqlite::{Connection, params};

use crate::ledger::JobKey;
use crate::ledger::decide::{Alike, Buyer};
use crate::ledger::sqlite::error::Fault;

/// Purchases with the request ?2 that are no purchase of the job ?1, and whose payment is not dead.
pub(super) const ALIKE: &str =
    "SELECT p.id, p.job, o.batch, b.name, b.sandbox, o.job, o.edition, o.content, o.state, o.reason, i.network,
         p.poll_url IS NOT NULL, p.intended_at, p.paid_at, p.answered_at,
         CASE WHEN o.batch = (SELECT batch FROM jobs WHERE id = ?1) THEN
             (SELECT coalesce(l.row_content, l.content) FROM jobs l
              WHERE l.batch = o.batch AND l.job = o.job AND l.superseded = 0 AND l.last_load = b.loads) END
     FROM intents i JOIN payments p ON p.id = i.payment JOIN jobs o ON o.id = p.job JOIN batches b ON b.id = o.batch
     WHERE i.request_digest = ?2 AND p.state <> 'dead' AND p.job <> ?1 ORDER BY p.id";

/// A job that is to be bought.
pub(in crate::ledger::sqlite) fn buyer(conn: &Connection, job: JobKey) -> Result<Buyer, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT j.batch, j.job, b.sandbox FROM jobs j JOIN batches b ON b.id = j.batch WHERE j.id = ?1",
        )?
        .query_row([job], |row| Ok(Buyer { job, batch: row.get(0)?, id: row.get(1)?, is_play: row.get(2)? }))?)
}

/// Purchases with the request of that digest that are no purchase of that job, and whose payment is not dead.
pub(in crate::ledger::sqlite) fn alike(conn: &Connection, job: JobKey, digest: &[u8; 32]) -> Result<Vec<Alike>, Fault> {
    let mut statement = conn.prepare_cached(ALIKE)?;
    let rows = statement.query_map(params![job, digest], |row| {
        Ok(Alike {
            payment: row.get(0)?,
            job: row.get(1)?,
            batch: row.get(2)?,
            batch_name: row.get(3)?,
            is_play: row.get(4)?,
            id: row.get(5)?,
            edition: row.get(6)?,
            content: row.get(7)?,
            state: row.get(8)?,
            reason: row.get(9)?,
            network: row.get(10)?,
            is_polled: row.get(11)?,
            intended_at: row.get(12)?,
            paid_at: row.get(13)?,
            answered_at: row.get(14)?,
            row_content: row.get(15)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
