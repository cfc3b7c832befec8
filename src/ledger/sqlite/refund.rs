//! What is read of refunds.

use rusqlite::{Connection, OptionalExtension, Row};

use super::SqliteLedger;
use super::error::Fault;
use super::read::stored_url;
use crate::ledger::{
    BatchKey, DurableInvoice, JobKey, OpenRefund, PaymentKey, RefundInvoiceRow, RefundRow, RefundStanding,
};
use crate::purchase::WalletId;

/// What a [`RefundRow`] is read from.
const ROW: &str = "b.name, j.job, j.take, j.state, j.reason, r.state, p.amount_msat, p.payment_hash, i.url, r.link,
    r.offered_at, r.received_msat, r.settled_at, r.words, r.words_at, r.hash, r.amount_msat, r.invoice, r.node,
    r.made_at, r.expires_at, r.handovers";
const OF: &str = "refunds r JOIN payments p ON p.id = r.payment JOIN intents i ON i.payment = p.id
    JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch";

impl SqliteLedger {
    /// The refund of that purchase, where one was offered.
    pub(super) fn refund_of(&self, job: JobKey) -> Result<Option<RefundRow>, Fault> {
        let sql = format!("SELECT {ROW} FROM {OF} WHERE p.job = ?1 ORDER BY r.payment DESC LIMIT 1");
        Ok(self.conn.prepare_cached(&sql)?.query_row([job], refund_of_row).optional()?)
    }
}

fn durable_invoice(row: &Row<'_>) -> rusqlite::Result<Option<DurableInvoice>> {
    let Some(invoice) = row.get(12)? else { return Ok(None) };
    Ok(Some(DurableInvoice {
        invoice,
        hash: row.get(13)?,
        amount: row.get(14)?,
        expires_at: row.get(15)?,
        node: WalletId(row.get(16)?),
        made_at: row.get(17)?,
    }))
}

fn refund_of_row(row: &Row<'_>) -> rusqlite::Result<RefundRow> {
    let hash: Option<_> = row.get(15)?;
    let invoice = match hash {
        None => None,
        Some(hash) => Some(RefundInvoiceRow {
            hash,
            amount: row.get(16)?,
            invoice: row.get(17)?,
            node: row.get(18)?,
            made_at: row.get(19)?,
            expires_at: row.get(20)?,
            handovers: row.get(21)?,
        }),
    };
    Ok(RefundRow {
        batch: row.get(0)?,
        id: row.get(1)?,
        take: row.get(2)?,
        state: row.get(3)?,
        reason: row.get(4)?,
        standing: row.get(5)?,
        paid: row.get(6)?,
        payment_hash: row.get(7)?,
        seller: row.get(8)?,
        link: row.get(9)?,
        offered_at: row.get(10)?,
        received: row.get(11)?,
        settled_at: row.get(12)?,
        words: row.get(13)?,
        words_at: row.get(14)?,
        invoice,
    })
}

pub(super) fn refunds(conn: &Connection, batch: Option<BatchKey>) -> Result<Vec<RefundRow>, Fault> {
    let sql = format!("SELECT {ROW} FROM {OF} WHERE ?1 IS NULL OR r.batch = ?1 ORDER BY r.payment");
    let mut statement = conn.prepare_cached(&sql)?;
    Ok(statement.query_map([batch], refund_of_row)?.collect::<Result<_, _>>()?)
}

pub(super) fn open(conn: &Connection, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT r.payment, r.state, r.link IS NOT NULL, j.state
         FROM refunds r JOIN payments p ON p.id = r.payment JOIN jobs j ON j.id = p.job
         WHERE ?1 IS NULL OR r.batch = ?1 ORDER BY r.payment",
    )?;
    let mut rows = statement.query([batch])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let standing: RefundStanding = row.get(1)?;
        if standing.is_open(row.get(2)?, row.get(3)?) {
            open.push(row.get(0)?);
        }
    }
    Ok(open)
}

pub(super) fn find(ledger: &SqliteLedger, payment: PaymentKey) -> Result<Option<OpenRefund>, Fault> {
    let sql = format!(
        "SELECT j.job, j.take, j.endpoint, i.url, j.state, j.reason, r.words, p.amount_msat, p.payment_hash,
             i.network, p.node, r.link, r.invoice, r.hash, r.amount_msat, r.expires_at, r.node, r.made_at, r.state,
             j.price_msat
         FROM {OF} WHERE r.payment = ?1 AND r.link IS NOT NULL"
    );
    let mut statement = ledger.conn.prepare_cached(&sql)?;
    let mut rows = statement.query([payment])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get::<_, RefundStanding>(18)?.is_at_its_end() {
        return Ok(None);
    }
    let seller: String = row.get(3)?;
    Ok(Some(OpenRefund {
        payment,
        id: row.get(0)?,
        take: row.get(1)?,
        endpoint: ledger.endpoint(row.get(2)?)?,
        seller: stored_url(&seller)?,
        state: row.get(4)?,
        reason: row.get(5)?,
        words: row.get(6)?,
        price: row.get(19)?,
        paid: row.get(7)?,
        hash: row.get(8)?,
        network: row.get(9)?,
        node: WalletId(row.get(10)?),
        link: row.get(11)?,
        invoice: durable_invoice(row)?,
    }))
}
