//! What a person says of takes, in its table.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::SqliteLedger;
use super::error::Fault;
use super::store::rows;
use crate::ledger::decide::{MarkFacts, PickedShots, markable};
use crate::ledger::port::Marks;
use crate::ledger::{BatchKey, JobKey, LedgerError, Marking, TakeMark, Unmarkable};
use crate::plan::ContentHash;
use crate::time::UnixMs;

impl Marks for SqliteLedger {
    fn mark(&mut self, now: UnixMs, markings: &[Marking]) -> Result<Vec<(usize, Unmarkable)>, LedgerError> {
        // No view that a run writes shows it.
        self.note(|tx, _| {
            let (mut marked, mut refused) = (Vec::new(), Vec::new());
            for (at, marking) in markings.iter().enumerate() {
                match markable(&takes(tx, marking)?, marking.take.take) {
                    Ok(key) => marked.push((key, marking)),
                    Err(why) => refused.push((at, why)),
                }
            }
            if refused.is_empty() {
                marked.into_iter().try_for_each(|(key, marking)| say(tx, now, key, marking))?;
            }
            Ok(refused)
        })
    }

    fn has_picks(&self, batch: BatchKey) -> Result<bool, LedgerError> {
        let sql = "SELECT 1 FROM marks m JOIN jobs j ON j.id = m.job WHERE m.mark = 'pick' AND j.batch = ?1";
        self.read(|ledger| Ok(ledger.conn.prepare_cached(sql)?.exists([batch])?))
    }
}

/// The shots of a batch that have their pick.
pub(super) fn picked_shots(conn: &Connection, batch: BatchKey) -> Result<PickedShots, Fault> {
    let sql = "SELECT DISTINCT j.job, j.content FROM marks m JOIN jobs j ON j.id = m.job WHERE m.mark = 'pick' AND j.batch = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let picked = statement.query_map([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let picked: Vec<(String, ContentHash)> = picked.collect::<Result<_, _>>()?;
    let mut has_job = conn.prepare_cached("SELECT 1 FROM jobs WHERE batch = ?1 AND job = ?2")?;
    PickedShots::of(picked, |id| Ok(has_job.exists(params![batch, id])?))
}

/// The word's mark; none of one that was taken back.
pub(super) fn of_word(word: &str) -> Option<TakeMark> {
    word.parse().ok()
}

/// Every take of the job that is meant.
fn takes(conn: &Connection, of: &Marking) -> Result<Vec<MarkFacts>, Fault> {
    let mut statement = conn.prepare_cached("SELECT id, take, state FROM jobs WHERE batch = ?1 AND job = ?2")?;
    let facts = statement.query_map(params![of.batch, of.take.id], |row| {
        Ok(MarkFacts { key: row.get(0)?, take: row.get(1)?, state: row.get(2)? })
    })?;
    Ok(facts.collect::<Result<_, _>>()?)
}

/// What is taken back stays as a row, so that no other ledger that is merged says it again.
fn say(conn: &Connection, now: UnixMs, key: JobKey, marking: &Marking) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT INTO marks (job, mark, note, at) VALUES (?1, ?2, coalesce(?3, ''), ?4)
         ON CONFLICT (job) DO UPDATE SET mark = ?2, note = coalesce(?3, note), at = ?4",
    )?
    .execute(params![key, marking.mark.map_or("", TakeMark::as_str), marking.note, now])?;
    Ok(())
}

/// What is said of those of these jobs that are marked.
pub(super) fn marks_of(conn: &Connection, jobs: &[i64]) -> Result<HashMap<JobKey, TakeMark>, Fault> {
    let sql = "SELECT job, mark FROM marks WHERE job IN (SELECT value FROM json_each(?1)) AND mark <> ''";
    let marks: Vec<(JobKey, String)> = rows(conn, sql, jobs, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(marks.into_iter().filter_map(|(job, word)| Some((job, of_word(&word)?))).collect())
}
