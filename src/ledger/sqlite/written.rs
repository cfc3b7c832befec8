//! The files of batches, as they were written last.

use rusqlite::params;

use super::SqliteLedger;
use super::convert::{Json, uint};
use crate::ledger::port::WrittenFiles;
use crate::ledger::{BatchKey, LedgerError, WrittenFile};

impl WrittenFiles for SqliteLedger {
    fn changes(&self) -> Result<u64, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached("SELECT changes FROM ledger_id")?;
            Ok(statement.query_row([], |row| uint(row, 0))?)
        })
    }

    fn note_written(&mut self, batch: BatchKey, files: &[WrittenFile]) -> Result<(), LedgerError> {
        self.note(|tx, _| {
            let mut statement = tx.prepare_cached("UPDATE batches SET written = ?2 WHERE id = ?1")?;
            statement.execute(params![batch, Json(files)])?;
            Ok(())
        })
    }

    fn written(&self, batch: BatchKey) -> Result<Vec<WrittenFile>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached("SELECT written FROM batches WHERE id = ?1")?;
            let written: Option<Json<Vec<WrittenFile>>> = statement.query_row([batch], |row| row.get(0))?;
            Ok(written.map(|Json(files)| files).unwrap_or_default())
        })
    }

    fn has_written(&self, path: &str, mark: &str) -> Result<bool, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT 1 FROM batches b, json_each(b.written) w
                 WHERE json_valid(b.written) AND w.value ->> 'path' = ?1 AND w.value ->> 'mark' = ?2",
            )?;
            Ok(statement.exists([path, mark])?)
        })
    }
}
