//! The row of a payment, and what the run may hold of it.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::{Connection, Row};

use crate::ledger::decide::{Charged, Fate, Intent, Job, Payment, Redeeming, Sends};
use crate::ledger::sqlite::convert::{Json, ReadText, text, text_if_whole, uint_or_none};
use crate::ledger::sqlite::error::{Fault, contradiction};
use crate::ledger::{DurableIntent, JobKey, PaidPurchase, PaymentKey};
use crate::purchase::WalletId;

use super::jobs::{self, JOB, JOB_COLUMNS};
use super::rows;

/// What a [`Payment`] is read from: a payment `p`.
pub(in crate::ledger::sqlite) const PAYMENT: &str =
    "p.id, p.job, p.batch, p.payment_hash, p.amount_msat, p.fee_limit_msat, p.cltv_limit, p.node, p.day,
    p.month, p.intended_at, p.endpoint_url,
    p.sends_begun, p.sent_at, p.sends_answered, p.send_answered_at, p.accepted, p.node_said, p.node_said_at,
    p.state, p.preimage, p.paid_at, p.fee_msat, p.payment_index, p.posted_at, p.dead_proof, p.dead_at,
    p.redeems, p.answered_at, p.heard_at, CASE WHEN p.heard_at IS NULL THEN 0 ELSE
        coalesce((SELECT min(a.id) FROM answers a WHERE a.payment = p.id AND a.kind = 'redeem' AND a.at = p.heard_at
            AND a.status BETWEEN 200 AND 299), 0) END,
    p.retried_at, p.replayed_at, p.poll_url, p.poll_interval_ms, p.delivered_at, p.undelivered, p.rejected, p.token_at";
pub(in crate::ledger::sqlite) const PAYMENT_COLUMNS: usize = 39;
/// What an [`Intent`] is read from.
const INTENT: &str = "i.invoice, i.invoice_expires_at, i.credential_expires_at, i.scheme, i.token, i.headers";

pub(in crate::ledger::sqlite) fn of_row(row: &Row<'_>, read: ReadText) -> rusqlite::Result<Payment> {
    Ok(Payment {
        key: row.get(0)?,
        job: row.get(1)?,
        batch: row.get(2)?,
        hash: row.get(3)?,
        amount: row.get(4)?,
        fee_limit: row.get(5)?,
        cltv_limit: row.get(6)?,
        node: WalletId(row.get(7)?),
        charged: Charged { day: row.get(8)?, month: row.get(9)? },
        intended_at: row.get(10)?,
        endpoint: row.get(11)?,
        token_at: row.get(38)?,
        sends: Sends {
            begun: row.get(12)?,
            begun_at: row.get(13)?,
            answered: row.get(14)?,
            answered_at: row.get(15)?,
            accepted: row.get(16)?,
            said: read(row, 17)?,
            said_at: row.get(18)?,
        },
        fate: Fate {
            state: row.get(19)?,
            preimage: row.get(20)?,
            paid_at: row.get(21)?,
            fee: row.get(22)?,
            index: uint_or_none(row, 23)?,
            posted_at: row.get(24)?,
            death: row.get(25)?,
            dead_at: row.get(26)?,
        },
        redeeming: redeeming_of_row(row, read)?,
    })
}

fn redeeming_of_row(row: &Row<'_>, read: ReadText) -> rusqlite::Result<Redeeming> {
    Ok(Redeeming {
        redeems: row.get(27)?,
        answered_at: row.get(28)?,
        heard_at: row.get(29)?,
        heard: row.get(30)?,
        retried_at: row.get(31)?,
        replayed_at: row.get(32)?,
        // What is left of an address is another one.
        poll: read(row, 33)?.and(text_if_whole(row, 33)?).zip(uint_or_none(row, 34)?),
        delivered_at: row.get(35)?,
        undelivered: row.get(36)?,
        rejected: row.get(37)?,
    })
}

fn intent_of_row(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<Intent>> {
    let Some(invoice) = row.get(from)? else { return Ok(None) };
    let Json(headers) = row.get(from + 5)?;
    Ok(Some(Intent {
        invoice,
        invoice_expires_at: row.get(from + 1)?,
        credential_expires_at: row.get(from + 2)?,
        scheme: row.get(from + 3)?,
        token: row.get(from + 4)?,
        headers,
    }))
}

/// The payments of the keys ?1, with their jobs and their intents.
pub(super) static WITH_JOB: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {PAYMENT}, {JOB}, {INTENT}
         FROM payments p JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = j.batch
             LEFT JOIN intents i ON i.payment = p.id
         WHERE p.id IN (SELECT value FROM json_each(?1))"
    )
});

/// A payment with its job and its intent.
pub(super) type Found = (Payment, Job, Option<Intent>);

/// Those of these payments that are there.
pub(super) fn find(conn: &Connection, keys: &[PaymentKey]) -> Result<HashMap<PaymentKey, Found>, Fault> {
    let keys: Vec<i64> = keys.iter().map(|key| key.0).collect();
    rows(conn, &WITH_JOB, &keys, |row| {
        let (payment, intent) = (of_row(row, text)?, intent_of_row(row, PAYMENT_COLUMNS + JOB_COLUMNS)?);
        Ok((payment.key, (payment, jobs::of_row(row, PAYMENT_COLUMNS, text)?, intent)))
    })
}

/// A payment with its job.
pub(in crate::ledger::sqlite) fn payment(conn: &Connection, key: PaymentKey) -> Result<(Payment, Job), Fault> {
    match find(conn, &[key])?.remove(&key) {
        Some((payment, job, _)) => Ok((payment, job)),
        None => contradiction(format!("there is no payment {}", key.0)),
    }
}

/// What of the jobs ?1 is paid for and not delivered. Only what is alive has a preimage.
pub(super) static OF_JOB: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {PAYMENT} FROM payments p
         WHERE p.job IN (SELECT value FROM json_each(?1)) AND p.state <> 'dead' AND p.preimage IS NOT NULL AND p.delivered_at IS NULL"
    )
});

/// What of these jobs is paid for and not delivered.
pub(super) fn undelivered(conn: &Connection, jobs: &[JobKey]) -> Result<Vec<Payment>, Fault> {
    let jobs: Vec<i64> = jobs.iter().map(|key| key.0).collect();
    rows(conn, &OF_JOB, &jobs, |row| of_row(row, text))
}

/// A payment with its job and its intent.
pub(in crate::ledger::sqlite) fn with_intent(
    conn: &Connection,
    key: PaymentKey,
) -> Result<(Payment, Job, Intent), Fault> {
    match find(conn, &[key])?.remove(&key) {
        Some((payment, job, Some(intent))) => Ok((payment, job, intent)),
        Some(_) | None => Err(rusqlite::Error::QueryReturnedNoRows.into()),
    }
}

/// The intent as it now stands.
pub(in crate::ledger::sqlite) fn durable_intent(conn: &Connection, key: PaymentKey) -> Result<DurableIntent, Fault> {
    let (payment, _, intent) = with_intent(conn, key)?;
    Ok(payment.durable(&intent))
}

/// The paid purchase as it now stands, its preimage verified once more.
pub(in crate::ledger::sqlite) fn paid_purchase(conn: &Connection, key: PaymentKey) -> Result<PaidPurchase, Fault> {
    let (payment, job, intent) = with_intent(conn, key)?;
    Ok(payment.purchase(&intent, (job.reason, job.error))?)
}
