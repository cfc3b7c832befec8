//! The row of a payment, and what the run may hold of it.

use rusqlite::{Connection, OptionalExtension, Row};

use super::convert::{PaymentState, uint_or_none};
use super::error::{Fault, contradiction, of_row};
use super::read::stored_url;
use crate::l402::{PaymentHash, Preimage, Token};
use crate::ledger::{
    AnswerKey, BatchKey, DurableIntent, JobKey, JobState, PaidPurchase, PaymentKey, Poll, Reason, record::SincePaid,
};
use crate::money::Msat;
use crate::origin::Credential;
use crate::payer::NodeId;
use crate::time::UnixMs;

/// What a record must know of a payment and its job.
#[derive(Debug)]
pub(super) struct Payment {
    pub(super) key: PaymentKey,
    pub(super) job: JobKey,
    pub(super) batch: BatchKey,
    pub(super) hash: PaymentHash,
    pub(super) state: PaymentState,
    pub(super) amount: Msat,
    pub(super) fee_limit: Msat,
    pub(super) fee: Option<Msat>,
    /// It is dead by a person's word alone.
    pub(super) decided: bool,
    pub(super) day: Option<String>,
    pub(super) month: Option<String>,
    pub(super) sends_begun: u32,
    pub(super) sends_answered: u32,
    pub(super) accepted: bool,
    pub(super) preimage: Option<[u8; 32]>,
    pub(super) delivered_at: Option<UnixMs>,
    pub(super) job_state: JobState,
    pub(super) job_reason: Reason,
}

/// Reads a payment.
pub(super) fn payment(tx: &Connection, key: PaymentKey) -> Result<Payment, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT p.job, p.batch, p.payment_hash, p.state, p.amount_msat, p.fee_limit_msat, p.fee_msat,
                 p.dead_proof IS 'decided', p.day, p.month, p.sends_begun, p.sends_answered, p.preimage, p.delivered_at,
                 j.state, j.reason, p.accepted
             FROM payments p JOIN jobs j ON j.id = p.job WHERE p.id = ?1",
        )?
        .query_row([key], |row| {
            Ok(Payment {
                key,
                job: row.get(0)?,
                batch: row.get(1)?,
                hash: row.get(2)?,
                state: row.get(3)?,
                amount: row.get(4)?,
                fee_limit: row.get(5)?,
                fee: row.get(6)?,
                decided: row.get(7)?,
                day: row.get(8)?,
                month: row.get(9)?,
                sends_begun: row.get(10)?,
                sends_answered: row.get(11)?,
                preimage: row.get(12)?,
                delivered_at: row.get(13)?,
                job_state: row.get(14)?,
                job_reason: row.get(15)?,
                accepted: row.get(16)?,
            })
        })
        .optional()?;
    match found {
        Some(payment) => Ok(payment),
        None => contradiction(format!("there is no payment {}", key.0)),
    }
}

impl Payment {
    /// The job's state and reason before the record.
    pub(super) const fn job_from(&self) -> (JobState, Reason) {
        (self.job_state, self.job_reason)
    }

    /// The most that it can cost: what is held for it until it is posted or dead.
    pub(super) fn hold(&self) -> Result<Msat, Fault> {
        self.amount.checked_add(self.fee_limit).map_or_else(|| contradiction("the hold does not fit"), Ok)
    }

    /// That the payment has no preimage and may still settle.
    pub(super) fn expect_intended(&self, record: &str) -> Result<(), Fault> {
        match self.state {
            PaymentState::Intended => Ok(()),
            PaymentState::Paid | PaymentState::Posted | PaymentState::Dead => self.unexpected(record),
        }
    }

    /// That the payment is paid and its job not at its good end.
    pub(super) fn expect_undelivered(&self, record: &str) -> Result<(), Fault> {
        let paid = match self.state {
            PaymentState::Paid | PaymentState::Posted => true,
            PaymentState::Intended | PaymentState::Dead => false,
        };
        let open = match self.job_state {
            // A lost job, or one whose refund is offered, may still be delivered in the end.
            JobState::Paid | JobState::RefundOffered | JobState::Lost => true,
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::Refunded => false,
        };
        if paid && open && self.delivered_at.is_none() { Ok(()) } else { self.unexpected(record) }
    }

    /// The contradiction of a record that does not fit the state.
    pub(super) fn unexpected<T>(&self, record: &str) -> Result<T, Fault> {
        contradiction(format!(
            "{record} does not fit payment {}, which is {}, of a job that is {}",
            self.hash,
            self.state.as_str(),
            self.job_state.as_str()
        ))
    }
}

const HELD: &str = "p.id, p.job, p.payment_hash, i.invoice, p.amount_msat, p.fee_limit_msat, p.node,
    i.invoice_expires_at, i.credential_expires_at, p.sends_begun, p.sends_answered, p.accepted, p.cltv_limit";

fn intent_of_row(row: &Row<'_>) -> rusqlite::Result<DurableIntent> {
    Ok(DurableIntent {
        payment: row.get(0)?,
        job: row.get(1)?,
        hash: row.get(2)?,
        invoice: row.get(3)?,
        amount: row.get(4)?,
        fee_limit: row.get(5)?,
        node: NodeId(row.get(6)?),
        invoice_expires_at: row.get(7)?,
        credential_expires_at: row.get(8)?,
        sends_begun: row.get(9)?,
        sends_answered: row.get(10)?,
        accepted: row.get(11)?,
        cltv_limit: row.get(12)?,
    })
}

/// The intent as it now stands.
pub(super) fn durable_intent(tx: &Connection, key: PaymentKey) -> Result<DurableIntent, Fault> {
    let sql = format!("SELECT {HELD} FROM payments p JOIN intents i ON i.payment = p.id WHERE p.id = ?1");
    Ok(tx.prepare_cached(&sql)?.query_row([key], intent_of_row)?)
}

/// The paid purchase as it now stands, its preimage verified once more.
pub(super) fn paid_purchase(tx: &Connection, key: PaymentKey) -> Result<PaidPurchase, Fault> {
    let sql = format!(
        "SELECT {HELD}, i.scheme, i.token, p.preimage, p.state, p.redeems
         FROM payments p JOIN intents i ON i.payment = p.id WHERE p.id = ?1"
    );
    let (intent, scheme, token, preimage, state, redeems) = tx.prepare_cached(&sql)?.query_row([key], |row| {
        let preimage: Option<[u8; 32]> = row.get(15)?;
        let state: PaymentState = row.get(16)?;
        Ok((intent_of_row(row)?, row.get(13)?, row.get::<_, String>(14)?, preimage, state, row.get(17)?))
    })?;
    let verified = preimage.and_then(|bytes| Preimage::verify(bytes, &intent.hash).ok());
    let Some(preimage) = verified else {
        return Err(of_row(format!("the preimage of payment {} does not belong to its hash", intent.hash)).into());
    };
    let posted = state != PaymentState::Paid;
    let credential = Credential { scheme, token: Token::new(token), preimage };
    Ok(PaidPurchase { intent, credential, posted, redeems, since: Box::new(since_paid(tx, key)?) })
}

/// What the origin answered since the payment, and a person said.
fn since_paid(tx: &Connection, key: PaymentKey) -> Result<SincePaid, Fault> {
    let (poll, since) = tx
        .prepare_cached(
            "SELECT coalesce(p.paid_at, p.intended_at), p.retried_at, p.replayed_at, p.poll_url, p.poll_interval_ms,
                 j.reason, j.error, p.heard_at,
                 coalesce((SELECT min(a.id) FROM answers a WHERE a.payment = p.id AND a.kind = 'redeem'
                     AND a.at = p.heard_at AND a.status BETWEEN 200 AND 299), 0)
             FROM payments p JOIN jobs j ON j.id = p.job WHERE p.id = ?1",
        )?
        .query_row([key], |row| {
            let poll = row.get::<_, Option<String>>(3)?.zip(uint_or_none(row, 4)?);
            let heard: Option<UnixMs> = row.get(7)?;
            let answer: AnswerKey = row.get(8)?;
            let since = SincePaid {
                paid_at: row.get(0)?,
                heard: heard.map(|at| (at, answer)),
                retried_at: row.get(1)?,
                replayed_at: row.get(2)?,
                poll: None,
                stood: (row.get(5)?, row.get(6)?),
            };
            Ok((poll, since))
        })?;
    let Some((url, interval_ms)) = poll else { return Ok(since) };
    Ok(SincePaid { poll: Some(Poll { url: stored_url(&url)?, interval_ms }), ..since })
}
