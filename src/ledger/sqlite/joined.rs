//! A take that a merge made, because both ledgers had paid for the job or might have, and of which one turns out never to
//! have been paid: two takes become one again, so that nothing is left to buy that nobody asked for.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Fault;
use crate::ledger::JobKey;

/// A take of the same job that is paid for, or may be, beside which only a merge has put the other one.
const SURVIVOR: &str = "
    SELECT j.id FROM jobs own JOIN jobs j ON j.batch = own.batch AND j.job = own.job AND j.id <> own.id
    WHERE own.id = ?1 AND ((own.merged = 1 AND j.take < own.take) OR (j.merged = 1 AND j.take > own.take))
        AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.job = own.id AND p.state <> 'dead')
        AND EXISTS (SELECT 1 FROM payments p WHERE p.job = j.id AND p.state <> 'dead')
    ORDER BY j.take DESC LIMIT 1";

/// What becomes of the one that stays: the earlier number, and the place that the manifest gave the later one.
const TAKE_OVER: &str = "
    UPDATE jobs AS j SET take = min(j.take, o.take), merged = min(j.merged, o.merged),
        seq = CASE WHEN o.take > j.take THEN o.seq ELSE j.seq END,
        line = CASE WHEN o.take > j.take THEN o.line ELSE j.line END,
        extra = CASE WHEN o.take > j.take THEN o.extra ELSE j.extra END,
        last_load = max(j.last_load, o.last_load),
        row_content = CASE WHEN o.take > j.take THEN nullif(coalesce(o.row_content, o.content), j.content)
            ELSE j.row_content END,
        row_given = CASE WHEN o.take > j.take THEN nullif(coalesce(o.row_given, o.given), j.given) ELSE j.row_given END
    FROM given_way o WHERE j.id = ?1";

/// The job's payments are all dead, and a merge has made it or the take beside it: that one stands for both from now on.
/// Gives which; none where the job stays as it is.
pub(super) fn give_way(tx: &Connection, job: JobKey) -> Result<Option<JobKey>, Fault> {
    let survivor: Option<JobKey> = tx.prepare_cached(SURVIVOR)?.query_row([job], |row| row.get(0)).optional()?;
    let Some(survivor) = survivor else { return Ok(None) };
    for table in ["payments", "transitions", "decisions"] {
        tx.prepare_cached(&format!("UPDATE {table} SET job = ?2 WHERE job = ?1"))?.execute(params![job, survivor])?;
    }
    tx.execute_batch("DROP TABLE IF EXISTS temp.given_way")?;
    tx.execute("CREATE TEMP TABLE given_way AS SELECT * FROM jobs WHERE id = ?1", [job])?;
    tx.execute("DELETE FROM jobs WHERE id = ?1", [job])?;
    tx.execute(TAKE_OVER, [survivor])?;
    tx.execute_batch("DROP TABLE temp.given_way")?;
    tx.execute(
        "UPDATE jobs AS m SET superseded = (m.take < (SELECT max(l.take) FROM jobs l
             WHERE l.batch = m.batch AND l.job = m.job))
         FROM jobs s WHERE s.id = ?1 AND m.batch = s.batch AND m.job = s.job",
        [survivor],
    )?;
    Ok(Some(survivor))
}
