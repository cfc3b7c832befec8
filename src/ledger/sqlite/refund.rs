//! Records about refunds, and what is read of them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use url::Url;

use super::Books;
use super::bounds;
use super::budget;
use super::error::{Fault, contradiction};
use super::job::{self, Change};
use super::payment::{Payment, payment};
use super::read::stored_url;
use super::redeem::interpreted;
use crate::ledger::{
    AnswerKey, BatchKey, Committed, DurableInvoice, JobKey, JobState, LedgerError, OpenRefund, PaymentKey, Reason,
    RefundInvoice, RefundInvoiceRow, RefundRecord, RefundRow, RefundStanding,
};
use crate::money::Msat;
use crate::payer::NodeId;
use crate::time::UnixMs;

/// Carries out one record about the refund of a payment.
pub(super) fn refund(tx: &Connection, now: UnixMs, key: PaymentKey, record: &RefundRecord) -> Result<Committed, Fault> {
    let payment = payment(tx, key)?;
    if let RefundRecord::Offered { answer, link, message } = record {
        return offered(tx, now, &payment, *answer, link.as_deref(), message);
    }
    let standing = standing(tx, &payment)?;
    match record {
        RefundRecord::Offered { .. } => unexpected(&payment, "an offer", standing),
        RefundRecord::Invoiced(invoice) => invoiced(tx, now, &payment, standing, invoice),
        RefundRecord::HandedOver { callback, k1 } => handed_over(tx, now, &payment, standing, callback, k1),
        RefundRecord::Waits { reason, words } => waits(tx, now, &payment, standing, *reason, words),
        RefundRecord::Settled { received } => settled(tx, now, &payment, standing, *received),
        RefundRecord::Expired { words } => expired(tx, now, &payment, standing, words),
    }?;
    Ok(Committed::Done)
}

/// The offer, with its link, in the transaction that ends the job's life. An offer without a link is a person's to see to.
fn offered(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    answer: AnswerKey,
    link: Option<&str>,
    message: &str,
) -> Result<Committed, Fault> {
    payment.expect_undelivered("a refund's offer")?;
    interpreted(tx, payment, answer)?;
    tx.prepare_cached(
        "INSERT INTO refunds (payment, batch, state, link, offered_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (payment) DO UPDATE SET link = coalesce(excluded.link, link) WHERE state = ?3",
    )?
    .execute(params![payment.key, payment.batch, RefundStanding::Offered, link, now])?;
    tx.prepare_cached("UPDATE payments SET poll_url = NULL, poll_interval_ms = NULL WHERE id = ?1")?
        .execute([payment.key])?;
    bounds::undelivered(tx, payment.key)?;
    let reason = if link.is_some() { Reason::RefundOffered } else { Reason::RefundFailed };
    let change = Change { error: Some(message), ..Change::to(JobState::RefundOffered, reason) };
    job::change(tx, now, payment.job, payment.job_from(), &change)?;
    Ok(Committed::Done)
}

/// The one invoice, before it is handed over for the first time.
fn invoiced(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    standing: RefundStanding,
    invoice: &RefundInvoice,
) -> Result<(), Fault> {
    if standing != RefundStanding::Offered {
        return unexpected(payment, "an invoice", standing);
    }
    if invoice.amount > payment.amount || invoice.amount == Msat::ZERO {
        return contradiction(format!("a refund of {} for payment {}", invoice.amount, payment.hash));
    }
    tx.prepare_cached(
        "UPDATE refunds SET state = ?2, hash = ?3, invoice = ?4, amount_msat = ?5, node = ?6, made_at = ?7,
             expires_at = ?8, callback = ?9, k1 = ?10, handovers = 1, handed_at = ?7, words = NULL, words_at = NULL
         WHERE payment = ?1",
    )?
    .execute(params![
        payment.key,
        RefundStanding::Invoiced,
        invoice.hash,
        invoice.invoice,
        invoice.amount,
        invoice.node.0,
        now,
        invoice.expires_at,
        invoice.callback.as_str(),
        invoice.k1
    ])?;
    stand(tx, now, payment, Reason::RefundPending, None)
}

fn handed_over(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    standing: RefundStanding,
    callback: &Url,
    k1: &str,
) -> Result<(), Fault> {
    if standing != RefundStanding::Invoiced {
        return unexpected(payment, "a handing over", standing);
    }
    tx.prepare_cached(
        "UPDATE refunds SET callback = ?2, k1 = ?3, handovers = handovers + 1, handed_at = ?4 WHERE payment = ?1",
    )?
    .execute(params![payment.key, callback.as_str(), k1, now])?;
    Ok(())
}

fn waits(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    standing: RefundStanding,
    reason: Reason,
    words: &str,
) -> Result<(), Fault> {
    let open = matches!(standing, RefundStanding::Offered | RefundStanding::Invoiced);
    let fits = matches!(
        reason,
        Reason::RefundOffered | Reason::RefundPending | Reason::RefundNotPermitted | Reason::RefundFailed
    );
    if !open || !fits {
        return unexpected(payment, reason.as_str(), standing);
    }
    say(tx, now, payment, words)?;
    stand(tx, now, payment, reason, Some(words))
}

/// What came is what our own node says, whatever was asked for. Of more than was paid, no limit hears.
fn settled(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    standing: RefundStanding,
    received: Msat,
) -> Result<(), Fault> {
    if standing != RefundStanding::Invoiced || received == Msat::ZERO {
        return unexpected(payment, "a settled refund", standing);
    }
    budget::give_back(tx, payment, received.min(payment.amount))?;
    tx.prepare_cached("UPDATE refunds SET state = ?2, received_msat = ?3, settled_at = ?4 WHERE payment = ?1")?
        .execute(params![payment.key, RefundStanding::Settled, received, now])?;
    let less = received < payment.amount;
    let words = format!("{} of {} came back", received, payment.amount);
    let reason = if less { Reason::RefundPartial } else { Reason::None };
    let change =
        Change { error: less.then_some(words.as_str()), finished: true, ..Change::to(JobState::Refunded, reason) };
    job::change(tx, now, payment.job, payment.job_from(), &change)
}

fn expired(
    tx: &Connection,
    now: UnixMs,
    payment: &Payment,
    standing: RefundStanding,
    words: &str,
) -> Result<(), Fault> {
    if standing != RefundStanding::Invoiced {
        return unexpected(payment, "an expiry", standing);
    }
    tx.prepare_cached("UPDATE refunds SET state = ?2 WHERE payment = ?1")?
        .execute(params![payment.key, RefundStanding::Expired])?;
    say(tx, now, payment, words)?;
    stand(tx, now, payment, Reason::RefundExpired, Some(words))
}

/// How the job stands now; one on which a person has decided stands as that person said.
fn stand(tx: &Connection, now: UnixMs, payment: &Payment, reason: Reason, error: Option<&str>) -> Result<(), Fault> {
    match payment.job_state {
        JobState::RefundOffered => {
            let change = Change { error, ..Change::to(JobState::RefundOffered, reason) };
            job::change(tx, now, payment.job, payment.job_from(), &change)
        }
        JobState::Lost => Ok(()),
        JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::Refunded => payment.unexpected("a refund"),
    }
}

fn say(tx: &Connection, now: UnixMs, payment: &Payment, words: &str) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE refunds SET words = ?2, words_at = ?3 WHERE payment = ?1")?.execute(params![
        payment.key,
        words,
        now
    ])?;
    Ok(())
}

fn standing(tx: &Connection, payment: &Payment) -> Result<RefundStanding, Fault> {
    let found = tx
        .prepare_cached("SELECT state FROM refunds WHERE payment = ?1")?
        .query_row([payment.key], |row| row.get(0))
        .optional()?;
    found.map_or_else(|| contradiction(format!("no refund is offered for payment {}", payment.hash)), Ok)
}

fn unexpected<T>(payment: &Payment, record: &str, standing: RefundStanding) -> Result<T, Fault> {
    contradiction(format!(
        "{record} does not fit the refund of payment {}, which is {}",
        payment.hash,
        standing.as_str()
    ))
}

/// What a [`RefundRow`] is read from.
const ROW: &str = "b.name, j.job, j.take, j.state, j.reason, r.state, p.amount_msat, p.payment_hash, i.url, r.link,
    r.offered_at, r.received_msat, r.settled_at, r.words, r.words_at, r.hash, r.amount_msat, r.invoice, r.node,
    r.made_at, r.expires_at, r.handovers";
const OF: &str = "refunds r JOIN payments p ON p.id = r.payment JOIN intents i ON i.payment = p.id
    JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch";

impl Books {
    /// Every refund of the batch (of all batches, with none) that can still be claimed or come: offered with a link, or
    /// handed over and not at its end.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.read(|books| {
            let mut statement = books.conn.prepare_cached(
                "SELECT r.payment FROM refunds r JOIN payments p ON p.id = r.payment JOIN jobs j ON j.id = p.job
                 WHERE (?1 IS NULL OR r.batch = ?1) AND (r.state = 'claimed'
                     OR (r.state = 'offered' AND r.link IS NOT NULL AND j.state = 'refund_offered'))
                 ORDER BY r.payment",
            )?;
            Ok(statement.query_map([batch], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    /// One refund, as the run works with it; none where it is at its end, or offers no link.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.read(|books| {
            let sql = format!(
                "SELECT j.job, j.take, j.endpoint, i.url, j.state, j.reason, r.words, p.amount_msat, p.payment_hash,
                     i.network, p.node, r.link, r.invoice, r.hash, r.amount_msat, r.expires_at, r.node, r.made_at
                 FROM {OF} WHERE r.payment = ?1 AND r.state IN ('offered', 'claimed') AND r.link IS NOT NULL"
            );
            let mut statement = books.conn.prepare_cached(&sql)?;
            let mut rows = statement.query([payment])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let seller: String = row.get(3)?;
            Ok(Some(OpenRefund {
                payment,
                id: row.get(0)?,
                take: row.get(1)?,
                endpoint: books.endpoint(row.get(2)?)?,
                seller: stored_url(&seller)?,
                state: row.get(4)?,
                reason: row.get(5)?,
                words: row.get(6)?,
                paid: row.get(7)?,
                hash: row.get(8)?,
                network: row.get(9)?,
                node: NodeId(row.get(10)?),
                link: row.get(11)?,
                invoice: durable_invoice(row)?,
            }))
        })
    }

    /// Every refund of the batch (of all batches, with none), in the order of their payments.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn refunds(&self, batch: Option<BatchKey>) -> Result<Vec<RefundRow>, LedgerError> {
        self.read(|books| {
            let sql = format!("SELECT {ROW} FROM {OF} WHERE ?1 IS NULL OR r.batch = ?1 ORDER BY r.payment");
            let mut statement = books.conn.prepare_cached(&sql)?;
            Ok(statement.query_map([batch], refund_of_row)?.collect::<Result<_, _>>()?)
        })
    }

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
        node: NodeId(row.get(16)?),
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
