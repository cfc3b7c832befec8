//! The plan that was loaded last, once more: what is left to be tried, or is marked, is looked at, and nothing else.

use rusqlite::{Connection, params};

use super::SqliteLedger;
use super::convert::uint;
use super::error::Fault;
use super::foresee::plan_stored;
use super::foreseen::Foreseen;
use super::load::{KnownJobs, Loading as Tables};
use super::schema::UNSETTLED;
use super::store::Rows;
use crate::ledger::load::load_again;
use crate::ledger::port::LoadedPlans;
use crate::ledger::{BatchKey, LedgerError, LoadError, PlanLoad};
use crate::plan::{PlanDigest, PlannedJob};
use crate::time::UnixMs;

impl LoadedPlans for SqliteLedger {
    fn note_loaded(&mut self, batch: BatchKey, plan: PlanDigest) -> Result<(), LedgerError> {
        self.note(|tx, _| {
            tx.prepare_cached("UPDATE batches SET loaded = ?2 WHERE id = ?1")?.execute(params![batch, plan])?;
            Ok(())
        })
    }

    fn load_again<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        plan: PlanDigest,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<Option<PlanLoad>, LoadError<E>> {
        self.write_plan(|tx| {
            let Some((number, places)) = left(tx, batch, plan)? else { return Ok(Ok(None)) };
            if places.is_empty() {
                return Ok(Ok(Some(PlanLoad::default())));
            }
            Ok(load_again(&mut Tables::again(tx, batch, number)?, now, number, places, jobs)?.map(Some))
        })
    }

    fn foresee_again(&self, batch: BatchKey, plan: PlanDigest) -> Result<Option<Foreseen<'_>>, LedgerError> {
        self.read(|ledger| {
            let conn = &ledger.conn;
            let is_settled = format!(
                "SELECT NOT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_unsettled WHERE batch = ?1 AND {UNSETTLED})"
            );
            if number(conn, batch, plan)?.is_none()
                || !conn.prepare_cached(&is_settled)?.query_row([batch], |row| row.get(0))?
            {
                return Ok(None);
            }
            let places = plan_stored(conn, batch, "FALSE", std::iter::empty())?;
            let (report, manifest) = (PlanLoad::default(), Rows::Loaded);
            Ok(Some(Foreseen { ledger: self, batch, manifest, report, changed: 0, open_and_changed: 0, places }))
        })
    }
}

/// The number of the batch's last load, where that has read the plan.
fn number(conn: &Connection, batch: BatchKey, plan: PlanDigest) -> Result<Option<u64>, Fault> {
    let mut statement = conn.prepare_cached("SELECT loads FROM batches WHERE id = ?1 AND loaded = ?2")?;
    let mut rows = statement.query(params![batch, plan])?;
    Ok(rows.next()?.map(|row| uint(row, 0)).transpose()?)
}

/// With the number of the load that has read the plan, the places of the rows to look at. None where it was not the last one, or where
/// jobs stand in another way than by their rows: by a word for one purchase more, because the row has gone, or as what the row asked for
/// before; the row of such a one may have another id.
fn left(tx: &Connection, batch: BatchKey, plan: PlanDigest) -> Result<Option<(u64, Vec<u64>)>, Fault> {
    let Some(number) = number(tx, batch, plan)? else { return Ok(None) };
    if !KnownJobs::of(tx, batch)?.further()?.is_empty() {
        return Ok(None);
    }
    let mut statement = tx.prepare_cached(&format!(
        "SELECT seq, last_load = (SELECT loads FROM batches WHERE id = ?1), reason = 'withdrawn', row_content IS NULL
         FROM jobs INDEXED BY jobs_unsettled WHERE batch = ?1 AND {UNSETTLED} ORDER BY seq"
    ))?;
    let mut rows = statement.query([batch])?;
    let mut places = Vec::new();
    while let Some(row) = rows.next()? {
        match (row.get(1)?, row.get(2)?, row.get(3)?) {
            (true, _, true) => places.push(uint(row, 0)?),
            (false, true, _) => {}
            (false, false, _) | (true, _, false) => return Ok(None),
        }
    }
    Ok(Some((number, places)))
}
