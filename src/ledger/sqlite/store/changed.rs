//! Purchases that were begun before their row in the manifest became another: they are finished as they were begun, and are
//! `changed` once they are delivered, whenever that is.

use rusqlite::{Connection, params};

use crate::ledger::decide::load::OtherRow;
use crate::ledger::load::MarkDesk;
use crate::ledger::sqlite::convert::{text, uint};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::sqlite::schema::UNSETTLED;
use crate::ledger::{BatchKey, JobKey};

use super::Tx;
use super::jobs::{self, JOB, JOB_COLUMNS};

/// That the row of a job `j`, as the last load found it, asks for something else than what is bought or begun.
const OTHER_ROW: &str = "j.superseded = 0 AND j.row_content IS NOT NULL
    AND j.last_load = (SELECT loads FROM batches WHERE id = j.batch)";

pub(in crate::ledger::sqlite) fn open_and_changed(conn: &Connection, batch: BatchKey) -> Result<u64, Fault> {
    let sql = format!(
        "SELECT count(*) FROM jobs j WHERE j.batch = ?1
             AND j.state IN ('running', 'in_doubt', 'paid', 'refund_offered') AND {OTHER_ROW}"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![batch], |row| uint(row, 0))?)
}

/// Whether there is any such job in the batch ?1, or in all where it is null: it would be among what is not settled.
fn any_other_row(batch: Option<BatchKey>) -> String {
    let of = if batch.is_some() { "j.batch = ?1" } else { "?1 IS NULL" };
    format!("SELECT 1 FROM jobs j INDEXED BY jobs_unsettled WHERE {of} AND {UNSETTLED} AND {OTHER_ROW}")
}

impl MarkDesk for Tx<'_> {
    fn other_rows(
        &mut self,
        batch: Option<BatchKey>,
        after: Option<JobKey>,
        most: usize,
    ) -> Result<Vec<OtherRow>, Fault> {
        if after.is_none() && !self.conn.prepare_cached(&any_other_row(batch))?.exists([batch])? {
            return Ok(Vec::new());
        }
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {JOB}, j.row_content, j.kept FROM jobs j JOIN batches b ON b.id = j.batch
             WHERE (?1 IS NULL OR j.batch = ?1) AND j.id > ?2 AND {OTHER_ROW} ORDER BY j.id LIMIT ?3"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![batch, after.unwrap_or(JobKey(i64::MIN)), most], |row| {
            let (row_content, kept) = (row.get(JOB_COLUMNS)?, row.get(JOB_COLUMNS + 1)?);
            Ok(OtherRow { job: jobs::of_row(row, 0, text)?, row_content, kept })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::SqliteLedger;

    /// Each run asks whether there are any, however many jobs are delivered.
    #[test]
    fn whether_there_are_any_is_known_without_what_is_settled() {
        let ledger = SqliteLedger::in_memory().unwrap();
        for batch in [None, Some(BatchKey(1))] {
            let sql = format!("EXPLAIN QUERY PLAN {}", any_other_row(batch));
            let first: String = ledger.conn.query_row(&sql, [batch], |row| row.get(3)).unwrap();
            assert!(first.contains("jobs_unsettled"), "{first}");
        }
    }
}
