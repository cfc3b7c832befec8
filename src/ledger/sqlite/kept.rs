//! What a person says to leave as it was delivered, although the manifest's row is another, or nobody knows whether it is.

use rusqlite::{Connection, params};

use super::error::Fault;
use super::store::{append_transition, job};
use crate::ledger::JobKey;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

pub(super) fn keep(tx: &Connection, now: UnixMs, key: JobKey, note: &str) -> Result<bool, Fault> {
    let found = job(tx, key)?;
    let is_delivered = matches!(found.state, JobState::Delivered | JobState::Downloaded);
    if found.superseded || !is_delivered || !found.reason.is_of_manifest() {
        return Ok(false);
    }
    tx.prepare_cached("INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, 'keep', ?3, ?4)")?
        .execute(params![key, now, note, found.reason.as_str()])?;
    tx.prepare_cached("UPDATE jobs SET reason = '', kept = coalesce(row_content, content) WHERE id = ?1")?
        .execute([key])?;
    append_transition(tx, now, key, found.state, found.state, Reason::None)?;
    Ok(true)
}
