//! Words of a person that buy once more: when they stand.

use rusqlite::{Connection, params};

use super::error::Fault;
use crate::ledger::BatchKey;
use crate::time::UnixMs;

/// Takes that nobody has accepted so far. One that a decision made is of no load, and stands from its beginning.
pub(super) const UNACCEPTED: &str = "n.batch = ?1 AND n.take > 1 AND n.attempts = 0
    AND (n.state = 'pending' OR (n.state = 'refused' AND n.reason = 'duplicate'))
    AND n.first_load > (SELECT accepted_load FROM batches WHERE id = ?1)";

pub(super) fn accept_takes(tx: &Connection, now: UnixMs, batch: BatchKey) -> Result<(), Fault> {
    tx.prepare_cached(&format!(
        "INSERT INTO decisions (job, at, decision, note, evidence)
         SELECT p.id, ?2, 'retake', p.job || '@' || p.take, 'take ' || n.take || ' replaces it'
         FROM jobs n JOIN jobs p ON p.batch = n.batch AND p.job = n.job AND p.take = n.take - 1
         WHERE {UNACCEPTED}"
    ))?
    .execute(params![batch, now])?;
    tx.prepare_cached("UPDATE batches SET accepted_load = loads WHERE id = ?1")?.execute([batch])?;
    Ok(())
}
