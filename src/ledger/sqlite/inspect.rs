//! What a person is shown of open payments, and of one job with all that ever happened to it.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::SqliteLedger;
use super::convert::{Json, hex, text_or_what_is_left, uint};
use super::error::Fault;
use super::schema::OPEN_PAYMENT;
use super::views::RESULT;
use crate::l402::{PaymentHash, PaymentReceipt};
use crate::ledger::decide::PaymentState;
use crate::ledger::port::Inspection;
use crate::ledger::shown_body::{BODY_BYTES_READ, Secrets};
use crate::ledger::{
    AnswerKind, AnswerRow, BatchKey, DecisionRow, JobKey, LedgerError, PaymentKey, PaymentRecord, PaymentRow,
    ServedRow, Standing, TakeRecord, TransitionRow,
};
use crate::money::Msat;
use crate::purchase::HttpAnswer;

/// Transitions of one take that are read: the latest.
const TRANSITIONS_MAX: u32 = 1_000;

/// What a [`PaymentRow`] is read from.
const PAYMENT: &str = "p.payment_hash, p.state, p.amount_msat, p.fee_limit_msat, p.fee_msat, p.node, p.intended_at,
    i.invoice_expires_at, i.credential_expires_at, p.sends_begun, p.sends_answered, p.sent_at, p.send_answered_at,
    p.node_said, p.node_said_at, p.paid_at, p.posted_at, p.answered_at,
    (SELECT a.status FROM answers a WHERE a.payment = p.id ORDER BY a.id DESC LIMIT 1), p.redeems, p.delivered_at,
    p.dead_at, p.dead_proof";

impl Inspection for SqliteLedger {
    fn open_payments(&self, batch: BatchKey) -> Result<HashMap<String, PaymentRow>, LedgerError> {
        self.read(|ledger| {
            let sql = format!(
                "SELECT {PAYMENT}, j.job FROM payments p JOIN jobs j ON j.id = p.job JOIN intents i ON i.payment = p.id
                 WHERE p.batch = ?1 AND j.superseded = 0 AND {OPEN_PAYMENT}"
            );
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            let rows = statement.query_map([batch], |row| Ok((row.get(23)?, payment_of_row(row)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn takes(&self, batch: BatchKey, id: &str) -> Result<Vec<TakeRecord>, LedgerError> {
        self.read(|ledger| {
            let sql = format!(
                "SELECT {RESULT}, j.id, j.fee_ceiling_msat, j.max_cost_msat FROM jobs j
                 WHERE j.batch = ?1 AND j.job = ?2 ORDER BY j.take"
            );
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![batch, id])?;
            let mut takes = Vec::new();
            while let Some(row) = rows.next()? {
                let job: JobKey = row.get(19)?;
                takes.push(TakeRecord {
                    row: ledger.result_of_row(row)?,
                    fee_ceiling: row.get(20)?,
                    max_cost: row.get(21)?,
                    payments: ledger.payments_of(job)?,
                    served: ledger.served_of(job)?,
                    refund: ledger.refund_of(job)?,
                    transitions: ledger.transitions_of(job)?,
                    decisions: ledger.decisions_of(job)?,
                });
            }
            Ok(takes)
        })
    }
}

impl SqliteLedger {
    fn payments_of(&self, job: JobKey) -> Result<Vec<PaymentRecord>, Fault> {
        let sql = format!(
            "SELECT {PAYMENT}, p.id, i.method, i.url, i.body, i.body_sha256, i.invoice, i.payee, i.network, i.token,
                 p.preimage
             FROM payments p JOIN intents i ON i.payment = p.id WHERE p.job = ?1 ORDER BY p.id"
        );
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query([job])?;
        let mut payments = Vec::new();
        while let Some(row) = rows.next()? {
            let payment: PaymentKey = row.get(23)?;
            let (body, file): (Option<Vec<u8>>, Option<[u8; 32]>) = (row.get(26)?, row.get(27)?);
            let (body_sha256, body_bytes) = match (&body, &file) {
                (Some(body), _) => (hex(&Sha256::digest(body)), u64::try_from(body.len()).ok()),
                (None, Some(digest)) => (hex(digest), self.bodies.length(digest)),
                (None, None) => (String::new(), None),
            };
            let preimage = row.get::<_, Option<[u8; 32]>>(32)?.map(|bytes| hex(&bytes));
            let secrets =
                Secrets { token: row.get(31)?, preimage: preimage.clone(), refund_link: self.refund_link(payment)? };
            let payment_row = payment_of_row(row)?;
            payments.push(PaymentRecord {
                by_receipt: secrets.token.is_empty(),
                answers: self.answers_to(payment, &payment_row.hash, &secrets)?,
                row: payment_row,
                method: row.get(24)?,
                url: row.get(25)?,
                body_sha256,
                body_bytes,
                invoice: row.get(28)?,
                payee: row.get(29)?,
                network: row.get(30)?,
                preimage,
            });
        }
        Ok(payments)
    }

    /// By whose token the job was served.
    fn served_of(&self, job: JobKey) -> Result<Option<ServedRow>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT p.payment_hash, b.name, o.job, s.at, s.status, coalesce(substr(s.body, 1, ?2), x''), length(s.body), i.token,
                 p.preimage
             FROM served s JOIN payments p ON p.id = s.payment JOIN intents i ON i.payment = p.id
                 JOIN jobs o ON o.id = p.job JOIN batches b ON b.id = o.batch WHERE s.job = ?1",
        )?;
        let served = statement.query_row(params![job, BODY_BYTES_READ], |row| {
            let preimage = row.get::<_, Option<[u8; 32]>>(8)?.map(|bytes| hex(&bytes));
            let secrets = Secrets { token: row.get(7)?, preimage, refund_link: None };
            let status = row.get(4)?;
            let answer = AnswerRow {
                receipt: None,
                kind: AnswerKind::Redeem,
                at: row.get(3)?,
                status,
                body: secrets.hide_in(status, row.get(5)?),
                body_bytes: uint(row, 6)?,
            };
            Ok(ServedRow { hash: row.get(0)?, batch: row.get(1)?, id: row.get(2)?, answer })
        });
        Ok(served.optional()?)
    }

    fn refund_link(&self, payment: PaymentKey) -> Result<Option<String>, Fault> {
        let found: Option<Option<String>> = self
            .conn
            .prepare_cached("SELECT link FROM refunds WHERE payment = ?1")?
            .query_row([payment], |row| row.get(0))
            .optional()?;
        Ok(found.flatten())
    }

    fn answers_to(&self, payment: PaymentKey, hash: &PaymentHash, secrets: &Secrets) -> Result<Vec<AnswerRow>, Fault> {
        // Of an empty BLOB SQLite gives NULL for a part.
        let mut statement = self.conn.prepare_cached(
            "SELECT kind, at, status, coalesce(substr(body, 1, ?2), x''), length(body), headers FROM answers
             WHERE payment = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map(params![payment, BODY_BYTES_READ], |row| {
            let status = row.get(2)?;
            // Headers that cannot be read tell nothing, and keep nobody from the rest.
            let headers = row.get(5).map_or_else(|_| Vec::new(), |Json(headers)| headers);
            let answer = HttpAnswer { status, headers, body: Vec::new() };
            let receipt = answer.header("payment-receipt").and_then(|header| PaymentReceipt::read(header, hash));
            let receipt = receipt.map(|receipt| receipt.shown(|text| secrets.hide(&text, None)));
            Ok(AnswerRow {
                receipt,
                kind: row.get(0)?,
                at: row.get(1)?,
                status,
                body: secrets.hide_in(status, row.get(3)?),
                body_bytes: uint(row, 4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn transitions_of(&self, job: JobKey) -> Result<Vec<TransitionRow>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT at, from_state, to_state, reason FROM
                 (SELECT * FROM transitions WHERE job = ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id",
        )?;
        let rows = statement.query_map(params![job, TRANSITIONS_MAX], |row| {
            Ok(TransitionRow { at: row.get(0)?, from: row.get(1)?, to: row.get(2)?, reason: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn decisions_of(&self, job: JobKey) -> Result<Vec<DecisionRow>, Fault> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT at, decision, note, evidence FROM decisions WHERE job = ?1 ORDER BY id")?;
        let rows = statement.query_map([job], |row| {
            Ok(DecisionRow { at: row.get(0)?, decision: row.get(1)?, note: row.get(2)?, evidence: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn payment_of_row(row: &Row<'_>) -> rusqlite::Result<PaymentRow> {
    let standing = row.get::<_, PaymentState>(1)?.standing();
    let (amount, fee_limit): (Msat, Msat) = (row.get(2)?, row.get(3)?);
    let held = match standing {
        Standing::Open | Standing::Paid => amount.checked_add(fee_limit).unwrap_or(Msat::new(u64::MAX)),
        Standing::Posted | Standing::Dead => Msat::ZERO,
    };
    Ok(PaymentRow {
        hash: row.get(0)?,
        standing,
        amount,
        fee_limit,
        held,
        fee: row.get(4)?,
        node: row.get(5)?,
        intended_at: row.get(6)?,
        invoice_expires_at: row.get(7)?,
        credential_expires_at: row.get(8)?,
        sends_begun: row.get(9)?,
        sends_answered: row.get(10)?,
        sent_at: row.get(11)?,
        send_answered_at: row.get(12)?,
        node_said: text_or_what_is_left(row, 13)?,
        node_said_at: row.get(14)?,
        paid_at: row.get(15)?,
        posted_at: row.get(16)?,
        answered_at: row.get(17)?,
        answered_status: row.get(18)?,
        redeems: row.get(19)?,
        delivered_at: row.get(20)?,
        dead_at: row.get(21)?,
        dead_proof: row.get(22)?,
    })
}
