//! What a node must still know before what it does not know counts (rule 5).

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedger;
use super::error::Fault;
use crate::l402::PaymentHash;
use crate::ledger::{HistoryCheck, PaymentKey};
use crate::purchase::WalletId;

/// Settled payments of each kind that a node must still know; each costs a look-up at the node.
const WITNESSES_MAX: i64 = 16;
const LAST_SETTLED: &str = "p.paid_at DESC, p.id DESC";

impl SqliteLedger {
    fn settled(&self, node: &WalletId, of: PaymentKey, which: &str, order: &str) -> Result<Vec<PaymentHash>, Fault> {
        let sql = format!(
            "SELECT p.payment_hash FROM payments p, payments of
             WHERE p.node = ?1 AND of.id = ?2 AND p.preimage IS NOT NULL AND {which} ORDER BY {order} LIMIT ?3"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(params![node.0, of, WITNESSES_MAX], |row| row.get(0))?;
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
    // Of those that settled before it was intended, of all, and of those bought before it, the ones that settled last; of
    // those bought since, the first and the last.
    let before = ledger.settled(node, payment, "p.paid_at <= of.intended_at AND p.id <> of.id", LAST_SETTLED)?;
    let is_earlier = !before.is_empty();
    let kept = if is_earlier { None } else { ledger.kept_before(node, payment)? };
    let mut settled = before;
    for (which, order) in [
        ("p.id <> of.id", LAST_SETTLED),
        ("p.id < of.id", LAST_SETTLED),
        ("p.id > of.id", "p.id"),
        ("p.id > of.id", "p.id DESC"),
    ] {
        for hash in ledger.settled(node, payment, which, order)? {
            if !settled.contains(&hash) {
                settled.push(hash);
            }
        }
    }
    settled.extend(kept);
    Ok(HistoryCheck { settled, is_earlier: is_earlier || kept.is_some() })
}

pub(super) fn is_witnessed(conn: &Connection, node: &WalletId) -> Result<bool, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT 1 FROM witnesses WHERE node = ?1
         UNION ALL SELECT 1 FROM payments WHERE node = ?1 AND preimage IS NOT NULL LIMIT 1",
    )?;
    Ok(statement.exists([&node.0])?)
}
