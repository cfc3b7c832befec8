//! Counts what endpoints have taken without delivering and what a node holds, in the transactions that change it, and
//! says by that whether a purchase may begin (rule 10).

use rusqlite::{Connection, OptionalExtension, params};

use super::Books;
use super::convert::uint;
use super::error::Fault;
use crate::ledger::record::{BLOCK_MS_MAX, CLTV_LIMIT_UNKNOWN};
use crate::ledger::{
    Asking, BatchKey, EndpointCount, HeldBack, IntentBounds, JobKey, LedgerError, NewIntent, NodeCount, PaymentKey,
    Prospect, endpoint_and_origin,
};
use crate::payer::NodeId;
use crate::time::UnixMs;

/// A held payment that counts: not one which a person gave up so long ago that no node can make it any more.
fn counts() -> String {
    format!(
        "(p.state <> 'intended' OR j.state IN ('running', 'in_doubt')
             OR i.invoice_expires_at + coalesce(p.cltv_limit, {CLTV_LIMIT_UNKNOWN}) * {BLOCK_MS_MAX} > ?2)"
    )
}
/// A purchase that may still be delivered.
const OPEN: &str = "(j.state IN ('running', 'in_doubt', 'paid') AND j.reason <> 'unknown_answer')";

impl Books {
    /// Why a purchase may not begin there now; none where it may.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        self.read(|books| Ok(admit(&books.conn, now, prospect)?.err()))
    }
}

/// How a purchase may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// Nothing speaks against it.
    Freely,
    /// By a person's word of that number, which it uses up.
    Trusted(u32),
}

/// Whether the intent may be made.
pub(super) fn admit_intent(
    tx: &Connection,
    now: UnixMs,
    batch: BatchKey,
    intent: &NewIntent,
) -> Result<Result<Admitted, HeldBack>, Fault> {
    let prospect = Prospect {
        batch,
        url: intent.request.url.clone(),
        node: intent.node.clone(),
        bounds: intent.bounds,
        asking: Asking::default(),
    };
    admit(tx, now, &prospect)
}

fn admit(conn: &Connection, now: UnixMs, prospect: &Prospect) -> Result<Result<Admitted, HeldBack>, Fault> {
    let Prospect { batch, url, node, bounds, asking } = prospect;
    if let Some(full) = node_is_full(conn, now, *batch, node, *bounds, asking.node)? {
        return Ok(Err(full));
    }
    let (url, origin) = endpoint_and_origin(url);
    let Some(held) = endpoint_is_held(conn, now, *batch, &url, &origin, *bounds, *asking)? else {
        return Ok(Ok(Admitted::Freely));
    };
    match open_word(conn, &origin)? {
        Some(number) if asking.origin == 0 => Ok(Ok(Admitted::Trusted(number))),
        Some(_) | None => Ok(Err(held)),
    }
}

fn node_is_full(
    conn: &Connection,
    now: UnixMs,
    batch: BatchKey,
    node: &NodeId,
    bounds: IntentBounds,
    asking: u64,
) -> Result<Option<HeldBack>, Fault> {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE j.state = 'in_doubt'), count(*),
             count(*) FILTER (WHERE p.batch <> ?3 AND j.state IN ('running', 'in_doubt'))
         FROM payments p JOIN jobs j ON j.id = p.job JOIN intents i ON i.payment = p.id
         WHERE p.node = ?1 AND p.state = 'intended' AND {}",
        counts()
    );
    let count = conn.prepare_cached(&sql)?.query_row(params![node.0, now, batch], |row| {
        Ok(NodeCount { in_doubt: uint(row, 0)?, held: uint(row, 1)?, held_elsewhere: uint(row, 2)? })
    })?;
    let full = !bounds.has_room_at_node(&count, asking);
    Ok(full.then(|| HeldBack::Doubt { node: node.clone(), count, bounds }))
}

pub(super) fn endpoint_is_held(
    conn: &Connection,
    now: UnixMs,
    batch: BatchKey,
    url: &str,
    origin: &str,
    bounds: IntentBounds,
    asking: Asking,
) -> Result<Option<HeldBack>, Fault> {
    if let Some(rejected) = rejected(conn, batch, origin)? {
        return Ok(Some(rejected));
    }
    let count = count_endpoint(conn, batch, url, bounds.run_began)?;
    if bounds.has_room_at_endpoint(&count, asking.endpoint, now) {
        return Ok(None);
    }
    let word = next_word(conn, origin)?;
    let (url, origin, most) = (url.to_owned(), origin.to_owned(), bounds.max_undelivered);
    Ok(Some(HeldBack::Undelivered { url, origin, count, most, word }))
}

/// The newest payment at that origin whose credential it does not take.
fn rejected(conn: &Connection, batch: BatchKey, origin: &str) -> Result<Option<HeldBack>, Fault> {
    let sql = format!(
        "SELECT b.name, j.job, coalesce(p.answered_at, p.intended_at), p.batch <> ?2 AND {OPEN}
         FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.rejected = 1
             JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
         WHERE e.origin = ?1 ORDER BY p.id DESC LIMIT 1"
    );
    let found = conn
        .prepare_cached(&sql)?
        .query_row(params![origin, batch], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, UnixMs>(2)?, row.get::<_, bool>(3)?))
        })
        .optional()?;
    let Some((job, at, elsewhere)) = found else { return Ok(None) };
    let word = next_word(conn, origin)?;
    Ok(Some(HeldBack::Rejected { origin: origin.to_owned(), job, at, elsewhere, word }))
}

/// What was given up counts for ever: whoever gave it up takes it for paid, and for nothing.
fn count_endpoint(conn: &Connection, batch: BatchKey, url: &str, run_began: UnixMs) -> Result<EndpointCount, Fault> {
    let known: Option<(i64, Option<UnixMs>)> = conn
        .prepare_cached("SELECT id, delivered_at FROM endpoint_urls WHERE url = ?1")?
        .query_row([url], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((endpoint, delivered_at)) = known else { return Ok(EndpointCount::default()) };
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE p.undelivered = 2), count(*) FILTER (WHERE {OPEN}),
             count(*) FILTER (WHERE {OPEN} AND p.batch <> ?2), count(*) FILTER (WHERE p.intended_at < ?3)
         FROM payments p JOIN jobs j ON j.id = p.job
         WHERE p.endpoint_url = ?1 AND p.undelivered > 0 AND p.state <> 'dead'"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![endpoint, batch, run_began], |row| {
        Ok(EndpointCount {
            begun: uint(row, 0)?,
            undelivered: uint(row, 1)?,
            open: uint(row, 2)?,
            open_elsewhere: uint(row, 3)?,
            begun_before: uint(row, 4)?,
            delivered_at,
        })
    })?)
}

/// The word at that origin that is not used up: no payment began by it, or one that is dead.
fn open_word(conn: &Connection, origin: &str) -> Result<Option<u32>, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT t.number FROM trusts t LEFT JOIN payments p ON p.id = t.payment
             WHERE t.origin = ?1 AND t.lapsed_at IS NULL
                 AND (t.payment IS NULL OR (p.state = 'dead' AND p.dead_proof <> 'decided'))
             ORDER BY t.number LIMIT 1",
        )?
        .query_row([origin], |row| row.get(0))
        .optional()?)
}

/// The number that the next word at that origin has.
pub(super) fn next_word(conn: &Connection, origin: &str) -> Result<u32, Fault> {
    Ok(conn
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM trusts WHERE origin = ?1")?
        .query_row([origin], |row| row.get(0))?)
}

/// The row of the endpoint that the request goes to.
pub(super) fn endpoint_row(tx: &Connection, url: &url::Url) -> Result<i64, Fault> {
    let (url, origin) = endpoint_and_origin(url);
    tx.prepare_cached("INSERT INTO endpoint_urls (url, origin) VALUES (?1, ?2) ON CONFLICT (url) DO NOTHING")?
        .execute(params![url, origin])?;
    Ok(tx.prepare_cached("SELECT id FROM endpoint_urls WHERE url = ?1")?.query_row([url], |row| row.get(0))?)
}

/// A person's word is used up by that payment.
pub(super) fn use_word(
    tx: &Connection,
    admitted: Admitted,
    intent: &NewIntent,
    payment: PaymentKey,
) -> Result<(), Fault> {
    let Admitted::Trusted(number) = admitted else { return Ok(()) };
    let (_, origin) = endpoint_and_origin(&intent.request.url);
    tx.prepare_cached("UPDATE trusts SET payment = ?3 WHERE origin = ?1 AND number = ?2")?
        .execute(params![origin, number, payment])?;
    Ok(())
}

/// It was paid for, and what came of it so far is no delivery.
pub(super) fn undelivered(tx: &Connection, key: PaymentKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET undelivered = 2 WHERE id = ?1")?.execute([key])?;
    Ok(())
}

/// This run has waited long enough for what that job has paid for.
pub(super) fn left(tx: &Connection, job: JobKey) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE payments SET undelivered = 2 WHERE job = ?1 AND preimage IS NOT NULL AND delivered_at IS NULL",
    )?
    .execute([job])?;
    Ok(())
}

/// A person gave up what that job has paid for, or may have: it is under way no more, and counts as taken for nothing.
pub(super) fn given_up(tx: &Connection, job: JobKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET undelivered = 2 WHERE job = ?1 AND undelivered = 1 AND state <> 'dead'")?
        .execute([job])?;
    Ok(())
}

/// What the origin's answer to a redeem says of credentials: 401 or 402 to one that is good, or that it takes this one.
pub(super) fn redeemed(tx: &Connection, now: UnixMs, key: PaymentKey, status: u16) -> Result<(), Fault> {
    match status {
        401 | 402 => tx
            .prepare_cached(
                "UPDATE payments SET rejected = 1 WHERE id = ?1
                     AND ?2 <= (SELECT credential_expires_at FROM intents WHERE payment = ?1)",
            )?
            .execute(params![key, now])?,
        200..=299 => {
            tx.prepare_cached("UPDATE payments SET rejected = 0 WHERE id = ?1 AND rejected = 1")?.execute([key])?
        }
        _ => 0,
    };
    Ok(())
}

/// It delivered: what was counted against the endpoint counts no more. A purchase that a person trusted the origin with
/// speaks for the whole origin. Words that are not needed any more lapse.
pub(super) fn delivered(tx: &Connection, now: UnixMs, key: PaymentKey) -> Result<(), Fault> {
    let endpoint: Option<(i64, String)> = tx
        .prepare_cached(
            "SELECT e.id, e.origin FROM payments p JOIN endpoint_urls e ON e.id = p.endpoint_url WHERE p.id = ?1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((endpoint, origin)) = endpoint else { return Ok(()) };
    tx.prepare_cached("UPDATE endpoint_urls SET delivered_at = ?2 WHERE id = ?1")?.execute(params![endpoint, now])?;
    tx.prepare_cached("UPDATE payments SET undelivered = 0 WHERE endpoint_url = ?1 AND undelivered > 0")?
        .execute([endpoint])?;
    tx.prepare_cached("UPDATE payments SET rejected = 0 WHERE id = ?1 AND rejected = 1")?.execute([key])?;
    if next_word(tx, &origin)? == 1 {
        return Ok(());
    }
    tx.prepare_cached(
        "UPDATE payments SET rejected = 0 WHERE rejected = 1
             AND endpoint_url IN (SELECT id FROM endpoint_urls WHERE origin = ?1)
             AND EXISTS (SELECT 1 FROM trusts WHERE payment = ?2)",
    )?
    .execute(params![origin, key])?;
    tx.prepare_cached(
        "UPDATE trusts SET lapsed_at = ?2 WHERE origin = ?1 AND payment IS NULL AND lapsed_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id
                 WHERE e.origin = ?1 AND (p.undelivered > 0 AND p.undelivered = 2 OR p.rejected = 1))",
    )?
    .execute(params![origin, now])?;
    Ok(())
}
