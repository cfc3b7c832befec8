//! What is known where a purchase would begin: of its node, its endpoint, and its budget.

use rusqlite::{Connection, OptionalExtension, params};
use url::Url;

use crate::ledger::decide::{
    Admission, Against, BegunAt, DeliveryFacts, Endpoint, EndpointFacts, EndpointKey, Held, IntentFacts, Job, Payment,
    PeriodKind, Rejected, Used, Word, next_word,
};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{NewIntent, PaymentKey, endpoint_and_origin};
use crate::money::Msat;
use crate::purchase::WalletId;

use super::alike::alike;
use super::buyer;

/// What the node ?1 holds.
pub(super) const HELD: &str = "SELECT p.batch, j.state, i.invoice_expires_at, p.cltv_limit
    FROM payments p JOIN jobs j ON j.id = p.job JOIN intents i ON i.payment = p.id
    WHERE p.node = ?1 AND p.state = 'intended'";

/// What the endpoint ?1 has begun since its last delivery.
pub(super) const BEGUN: &str =
    "SELECT p.batch, j.state, j.reason, p.undelivered, p.intended_at FROM payments p JOIN jobs j ON j.id = p.job
    WHERE p.endpoint_url = ?1 AND p.undelivered > 0 AND p.state <> 'dead'";

/// The newest payment at the origin ?1 whose credential it does not take.
pub(super) const REJECTED: &str =
    "SELECT p.batch, b.name, j.job, coalesce(p.answered_at, p.intended_at), j.state, j.reason
    FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.rejected = 1
    JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
    WHERE e.origin = ?1 ORDER BY p.id DESC LIMIT 1";

/// Payments at the origin ?1 that are rejected, or taken for nothing.
pub(super) const AGAINST: &str = "SELECT p.id, e.id, p.undelivered, p.rejected
    FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id
    WHERE e.origin = ?1 AND (p.undelivered > 0 AND p.undelivered = 2 OR p.rejected = 1)";

/// What a new intent depends on, and the key of its payment.
pub(super) fn intending(conn: &Connection, job: &Job, intent: &NewIntent) -> Result<(IntentFacts, PaymentKey), Fault> {
    let (knows_hash, next, next_endpoint, used) = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM payments WHERE payment_hash = ?2),
                 (SELECT coalesce(max(id), 0) + 1 FROM payments), (SELECT coalesce(max(id), 0) + 1 FROM endpoint_urls),
                 held_msat + spent_msat + fees_msat - refunded_msat
             FROM batches WHERE id = ?1",
        )?
        .query_row(params![job.batch, intent.hash], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let of = |cap: bool, kind| if cap { period(conn, kind) } else { Ok(None) };
    let used = Used {
        batch: used,
        day: of(intent.caps.day.is_some(), PeriodKind::Day)?,
        month: of(intent.caps.month.is_some(), PeriodKind::Month)?,
    };
    let facts = IntentFacts {
        buyer: buyer(conn, job.key)?,
        knows_hash,
        alike: alike(conn, job.key, &intent.request.digest())?,
        admission: prospective(conn, &intent.request.url, &intent.node)?,
        used,
        next_endpoint,
    };
    Ok((facts, next))
}

/// The newest day or month that is known, and what is used of it.
pub(in crate::ledger::sqlite) fn period(conn: &Connection, kind: PeriodKind) -> Result<Option<(String, Msat)>, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT name, held_msat + spent_msat - refunded_msat FROM periods WHERE kind = ?1
             ORDER BY name DESC LIMIT 1",
        )?
        .query_row([<&str>::from(kind)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

/// What is known of a node and of an address, as far as it decides whether a purchase may begin.
pub(in crate::ledger::sqlite) fn prospective(
    conn: &Connection,
    url: &Url,
    node: &WalletId,
) -> Result<Admission, Fault> {
    let (url, origin) = endpoint_and_origin(url);
    Ok(Admission { held: held(conn, node)?, endpoint: endpoint(conn, url, origin)? })
}

fn held(conn: &Connection, node: &WalletId) -> Result<Vec<Held>, Fault> {
    let mut statement = conn.prepare_cached(HELD)?;
    let rows = statement.query_map([&node.0], |row| {
        Ok(Held {
            batch: row.get(0)?,
            job_state: row.get(1)?,
            invoice_expires_at: row.get(2)?,
            cltv_limit: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is known of an endpoint and its origin.
pub(in crate::ledger::sqlite) fn endpoint(
    conn: &Connection,
    url: String,
    origin: String,
) -> Result<EndpointFacts, Fault> {
    let known = conn
        .prepare_cached("SELECT id, origin, delivered_at FROM endpoint_urls WHERE url = ?1")?
        .query_row([&url], |row| Ok(Endpoint { key: row.get(0)?, origin: row.get(1)?, delivered_at: row.get(2)? }))
        .optional()?;
    let begun = known.as_ref().map_or_else(|| Ok(Vec::new()), |endpoint| begun(conn, endpoint.key))?;
    let (rejected, words) = (rejected(conn, &origin)?, words(conn, &origin)?);
    Ok(EndpointFacts { url, origin, known, begun, rejected, words })
}

fn begun(conn: &Connection, endpoint: EndpointKey) -> Result<Vec<BegunAt>, Fault> {
    let mut statement = conn.prepare_cached(BEGUN)?;
    let rows = statement.query_map([endpoint], |row| {
        Ok(BegunAt {
            batch: row.get(0)?,
            job_state: row.get(1)?,
            job_reason: row.get(2)?,
            undelivered: row.get(3)?,
            intended_at: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn rejected(conn: &Connection, origin: &str) -> Result<Option<Rejected>, Fault> {
    Ok(conn
        .prepare_cached(REJECTED)?
        .query_row([origin], |row| {
            Ok(Rejected {
                batch: row.get(0)?,
                batch_name: row.get(1)?,
                id: row.get(2)?,
                at: row.get(3)?,
                job_state: row.get(4)?,
                job_reason: row.get(5)?,
            })
        })
        .optional()?)
}

fn words(conn: &Connection, origin: &str) -> Result<Vec<Word>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT t.number, t.lapsed_at IS NOT NULL, t.payment, p.state, p.dead_proof
         FROM trusts t LEFT JOIN payments p ON p.id = t.payment WHERE t.origin = ?1 ORDER BY t.number",
    )?;
    let rows = statement.query_map([origin], |row| {
        let payment: Option<PaymentKey> = row.get(2)?;
        let payment = match payment {
            None => None,
            Some(key) => Some((key, row.get(3)?, row.get(4)?)),
        };
        Ok(Word { number: row.get(0)?, has_lapsed: row.get(1)?, payment })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The number that the next word for that origin has.
pub(in crate::ledger::sqlite) fn next_word_of(conn: &Connection, origin: &str) -> Result<u32, Fault> {
    Ok(next_word(&words(conn, origin)?))
}

/// What a delivery for that payment changes of its origin.
pub(in crate::ledger::sqlite) fn delivery(conn: &Connection, payment: &Payment) -> Result<DeliveryFacts, Fault> {
    let Some(key) = payment.endpoint else { return Ok(DeliveryFacts::default()) };
    let endpoint = conn
        .prepare_cached("SELECT id, origin, delivered_at FROM endpoint_urls WHERE id = ?1")?
        .query_row([key], |row| Ok(Endpoint { key: row.get(0)?, origin: row.get(1)?, delivered_at: row.get(2)? }))?;
    let words = words(conn, &endpoint.origin)?;
    let against = if words.is_empty() { Vec::new() } else { against(conn, &endpoint.origin)? };
    Ok(DeliveryFacts { endpoint: Some(endpoint), words, against })
}

fn against(conn: &Connection, origin: &str) -> Result<Vec<Against>, Fault> {
    let mut statement = conn.prepare_cached(AGAINST)?;
    let rows = statement.query_map([origin], |row| {
        Ok(Against { payment: row.get(0)?, endpoint: row.get(1)?, undelivered: row.get(2)?, rejected: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
