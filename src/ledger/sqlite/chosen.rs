//! The stored jobs that rows of a results file are compared with; what the rows choose is decided in `decide::load`.

use rusqlite::{Connection, params};

use super::SqliteLedger;
use super::batches::layout;
use super::convert::Json;
use super::error::Fault;
use super::store::append_transition;
use super::views::SHOWN;
use crate::catalog::Value;
use crate::ledger::decide::load::{Choosing, StoredRow};
use crate::ledger::loading::Again;
use crate::ledger::{BatchKey, ChosenRows, JobKey, LoadError};
use crate::manifest::{JobSpec, ResultsRow, planned_take};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

impl SqliteLedger {
    /// See [`crate::ledger::port::Foresee::read_rows`].
    pub(super) fn compare_rows<E>(
        &self,
        batch: BatchKey,
        rows: impl IntoIterator<Item = Result<ResultsRow, E>>,
    ) -> Result<ChosenRows, LoadError<E>> {
        let of_ledger = |fault: Fault| LoadError::Ledger(fault.into_error());
        let mut choosing = Choosing::among(&layout(&self.conn, batch).map_err(of_ledger)?.params);
        for row in rows {
            let row = row.map_err(LoadError::Plan)?;
            let stored = self.stored(batch, &row.id).map_err(of_ledger)?;
            choosing.add(row, stored);
        }
        Ok(choosing.finish(self.waiting(batch).map_err(of_ledger)?))
    }

    /// What the stored job asks for, as a manifest gives it.
    pub(super) fn spec_of(&self, key: JobKey, line: u64) -> Result<JobSpec, Fault> {
        let mut job = self.conn.prepare_cached("SELECT job, endpoint, params, extra FROM jobs WHERE id = ?1")?;
        let (id, endpoint, Json(params), Json(extra)): (String, i64, Json<Vec<(String, Value)>>, _) =
            job.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let endpoint = self.endpoint(endpoint)?;
        let value = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let values = endpoint.params.iter().map(|param| value(&param.name)).collect();
        // Takes that are planned of one job ask for the same, and are meant.
        let take = planned_take(&id).map_or(1, |(_, take)| take);
        Ok(JobSpec { line, id: Some(id), endpoint, values, extra, max_sats: None, take, nonce: None })
    }

    fn stored(&self, batch: BatchKey, id: &str) -> Result<Option<StoredRow>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT l.id, j.take, l.state, l.reason, j.endpoint, j.params,
                 l.content = zeroblob(32), l.id = j.id FROM jobs l JOIN jobs j ON j.id = {}
             WHERE l.batch = ?1 AND l.job = ?2 AND l.superseded = 0",
            *SHOWN
        ))?;
        let mut rows = statement.query(params![batch, id])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let Json(params) = row.get(5)?;
        let (key, take, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (endpoint, is_unknown, is_shown) = (self.endpoint(row.get(4)?)?, row.get(6)?, row.get(7)?);
        Ok(Some(StoredRow { key, take, state, reason, endpoint, params, is_unknown, is_shown }))
    }

    /// Pending jobs of which an earlier run said why it did not buy them.
    fn waiting(&self, batch: BatchKey) -> Result<Vec<JobKey>, Fault> {
        let sql = "SELECT id FROM jobs WHERE batch = ?1 AND superseded = 0 AND state = 'pending' AND reason <> ''";
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_map([batch], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

/// The jobs that had ended without spending are pending again.
pub(super) fn choose(tx: &Connection, now: UnixMs, chosen: &ChosenRows) -> Result<(), Fault> {
    for Again { key, from } in &chosen.again {
        let sql = "UPDATE jobs SET state = 'pending', reason = '', wait_until = NULL WHERE id = ?1";
        tx.prepare_cached(sql)?.execute([key])?;
        append_transition(tx, now, *key, *from, JobState::Pending, Reason::None)?;
    }
    Ok(())
}
