//! Settled payments of a node: what it must still know is decided in `ledger::decide`.

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedger;
use super::error::Fault;
use crate::l402::PaymentHash;
use crate::ledger::decide::{SETTLED_MAX, Settled, history_check};
use crate::ledger::{HistoryCheck, PaymentKey};
use crate::purchase::WalletId;

impl SqliteLedger {
    fn settled(&self, node: &WalletId, of: PaymentKey, which: Settled) -> Result<Vec<PaymentHash>, Fault> {
        let last_settled = "p.paid_at DESC, p.id DESC";
        let (which, order) = match which {
            Settled::Before => ("p.paid_at <= of.intended_at AND p.id <> of.id", last_settled),
            Settled::Others => ("p.id <> of.id", last_settled),
            Settled::IntendedBefore => ("p.id < of.id", last_settled),
            Settled::FirstSince => ("p.id > of.id", "p.id"),
            Settled::LastSince => ("p.id > of.id", "p.id DESC"),
        };
        let sql = format!(
            "SELECT p.payment_hash FROM payments p, payments of
             WHERE p.node = ?1 AND of.id = ?2 AND p.preimage IS NOT NULL AND {which} ORDER BY {order} LIMIT ?3"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let most = i64::try_from(SETTLED_MAX).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![node.0, of, most], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn kept_before(&self, node: &WalletId, payment: PaymentKey) -> Result<Option<PaymentHash>, Fault> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT w.hash FROM witnesses w, payments of
                 WHERE w.node = ?1 AND of.id = ?2 AND w.at <= of.intended_at",
            )?
            .query_row(params![node.0, payment], |row| row.get(0))
            .optional()?)
    }
}

pub(super) fn needed(ledger: &SqliteLedger, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, Fault> {
    history_check(|which| ledger.settled(node, payment, which), || ledger.kept_before(node, payment))
}

pub(super) fn knows_settlement(conn: &Connection, node: &WalletId) -> Result<bool, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM witnesses WHERE node = ?1
         UNION ALL SELECT 1 FROM payments WHERE node = ?1 AND preimage IS NOT NULL LIMIT 1",
    )?;
    Ok(statement.exists([&node.0])?)
}
