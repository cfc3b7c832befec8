//! What the ledger knows of the payments of one node: for a comparison with the node's own list.

use rusqlite::params;

use super::SqliteLedger;
use crate::l402::PaymentHash;
use crate::ledger::decide::PaymentState;
use crate::ledger::port::Audit;
use crate::ledger::{AuditRow, LedgerError};
use crate::purchase::WalletId;

impl Audit for SqliteLedger {
    fn knows(&self, hash: &PaymentHash) -> Result<bool, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT 1 FROM payments WHERE payment_hash = ?1 UNION ALL SELECT 1 FROM refunds WHERE hash = ?1",
            )?;
            Ok(statement.exists(params![hash])?)
        })
    }

    fn knows_purchase(&self, batch: &str, id: &str, take: u32) -> Result<bool, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT 1 FROM batches b JOIN jobs j ON j.batch = b.id
                 WHERE b.name = ?1 AND j.job = ?2 AND j.take = ?3
                     AND (EXISTS (SELECT 1 FROM payments p WHERE p.job = j.id) OR EXISTS (SELECT 1 FROM served s WHERE s.job = j.id))",
            )?;
            Ok(statement.exists(params![batch, id, take])?)
        })
    }

    fn payments_at(&self, node: &WalletId) -> Result<Vec<AuditRow>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT p.payment_hash, p.state, p.amount_msat, p.fee_msat, b.name, j.job, j.take
                 FROM payments p JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
                 WHERE p.node = ?1 ORDER BY p.id",
            )?;
            let rows = statement.query_map(params![node.0], |row| {
                Ok(AuditRow {
                    hash: row.get(0)?,
                    standing: row.get::<_, PaymentState>(1)?.standing(),
                    amount: row.get(2)?,
                    fee: row.get(3)?,
                    batch: row.get(4)?,
                    job: row.get(5)?,
                    take: row.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
