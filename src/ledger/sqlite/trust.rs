//! A person's word for an origin that gets no more payments: it lets one purchase begin there, once.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Fault;
use super::store::{endpoint, next_word_of};
use crate::ledger::decide::endpoint_is_held;
use crate::ledger::{Asking, BatchKey, IntentBounds, Trusted};
use crate::time::UnixMs;

/// A word as it is recorded.
struct Word {
    lapsed: bool,
    /// Batch and job of the purchase that it let begin, unless that was never paid for; and whether nothing has come of it
    /// yet.
    by: Option<((String, String), bool)>,
}

fn word(tx: &Connection, origin: &str, number: u32) -> Result<Option<Word>, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT t.lapsed_at IS NOT NULL, b.name, j.job, p.undelivered = 1
             FROM trusts t LEFT JOIN payments p ON p.id = t.payment AND (p.state <> 'dead' OR p.dead_proof = 'decided')
                 LEFT JOIN jobs j ON j.id = p.job LEFT JOIN batches b ON b.id = p.batch
             WHERE t.origin = ?1 AND t.number = ?2",
        )?
        .query_row(params![origin, number], |row| {
            let by: Option<(String, String)> = row.get::<_, Option<String>>(1)?.zip(row.get(2)?);
            let under_way = row.get::<_, Option<bool>>(3)?.unwrap_or(false);
            Ok(Word { lapsed: row.get(0)?, by: by.map(|by| (by, under_way)) })
        })
        .optional()?)
}

/// Whether any endpoint of the origin gets no more payments.
fn origin_is_held(
    tx: &Connection,
    now: UnixMs,
    batch: BatchKey,
    origin: &str,
    bounds: IntentBounds,
) -> Result<bool, Fault> {
    let mut urls = tx.prepare_cached("SELECT url FROM endpoint_urls WHERE origin = ?1")?;
    let urls: Vec<String> = urls.query_map([origin], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for url in urls {
        let known = endpoint(tx, url, origin.to_owned())?;
        if endpoint_is_held(now, batch, bounds, Asking::default(), &known).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn trust(
    tx: &Connection,
    now: UnixMs,
    batch: BatchKey,
    (origin, number): (&str, u32),
    bounds: IntentBounds,
) -> Result<Trusted, Fault> {
    let trusted = judged(tx, now, batch, (origin, number), bounds)?;
    if trusted == Trusted::Recorded {
        tx.prepare_cached("INSERT INTO trusts (origin, number, batch, at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![origin, number, batch, now])?;
    }
    Ok(trusted)
}

/// What becomes of a word: it is to be recorded, or why not.
pub(super) fn judged(
    conn: &Connection,
    now: UnixMs,
    batch: BatchKey,
    (origin, number): (&str, u32),
    bounds: IntentBounds,
) -> Result<Trusted, Fault> {
    let next = next_word_of(conn, origin)?;
    if let Some(word) = word(conn, origin, number)? {
        return Ok(match word {
            Word { lapsed: false, by: None } => Trusted::InForce,
            Word { by, .. } => Trusted::UsedUp { by: by.map(|(by, _)| by), next },
        });
    }
    if number != next {
        return Ok(Trusted::OutOfTurn(next));
    }
    match word(conn, origin, next.saturating_sub(1))? {
        Some(Word { by: Some(((batch, job), true)), .. }) => return Ok(Trusted::UnderWay(batch, job)),
        Some(Word { lapsed: false, by: None }) => return Ok(Trusted::InForce),
        Some(_) | None => {}
    }
    Ok(if origin_is_held(conn, now, batch, origin, bounds)? { Trusted::Recorded } else { Trusted::NotNeeded })
}
