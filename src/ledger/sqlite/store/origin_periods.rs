//! What an origin has of us in a day, in a month and in all. A sum is kept from the first purchase on that a limit of the origin was held
//! against, and is as the payments themselves have it, at any time: one that is not kept is summed up over them.

use rusqlite::{Connection, OptionalExtension};

use crate::ledger::decide::{EndpointKey, IN_ALL, OriginSum, OriginSums, PeriodKind, used_of};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{Caps, PeriodCap};
use crate::money::Msat;

/// Moves money in what is kept of the origin of the endpoint ?1: by the day ?2, the month ?3, and in all (?4).
pub(super) const MOVE: &str = "UPDATE origin_periods SET held_msat = held_msat + ?5, spent_msat = spent_msat + ?6,
         refunded_msat = refunded_msat + ?7
     WHERE origin = (SELECT origin FROM endpoint_urls WHERE id = ?1) AND period IN (?2, ?3, ?4)";

/// What payments `p`, with their refunds `r`, hold, have spent and got back.
const SUMS: &str = "
    coalesce(sum(CASE WHEN p.state IN ('intended', 'paid') THEN p.amount_msat + p.fee_limit_msat END), 0),
    coalesce(sum(CASE WHEN p.state = 'posted' THEN p.amount_msat + p.fee_msat END), 0),
    coalesce(sum(CASE WHEN r.received_msat IS NOT NULL THEN min(r.received_msat, p.amount_msat) END), 0)";

/// Those that are kept and are not what the payments say.
pub(in crate::ledger::sqlite) fn different() -> String {
    let of = |period: &str| {
        format!(
            "SELECT e.origin AS origin, {period} AS period, {SUMS} FROM payments p JOIN endpoint_urls e ON e.id = p.endpoint_url
             LEFT JOIN refunds r ON r.payment = p.id GROUP BY 1, 2"
        )
    };
    format!(
        "WITH sums (origin, period, held, spent, refunded) AS ({} UNION ALL {} UNION ALL {})
         SELECT 'origin ' || o.origin || ' ' || o.period FROM origin_periods o LEFT JOIN sums s USING (origin, period)
         WHERE o.held_msat <> coalesce(s.held, 0) OR o.spent_msat <> coalesce(s.spent, 0)
             OR o.refunded_msat <> coalesce(s.refunded, 0)",
        of("p.day"),
        of("p.month"),
        of(&format!("'{IN_ALL}'"))
    )
}

/// The payments at the origin ?1 in the period ?2.
fn payments() -> String {
    format!(
        "FROM payments p JOIN endpoint_urls e ON e.id = p.endpoint_url LEFT JOIN refunds r ON r.payment = p.id
         WHERE e.origin = ?1 AND (p.day = ?2 OR p.month = ?2 OR ?2 = '{IN_ALL}')"
    )
}

/// Keeps the sum of the origin ?1 in the period ?2 from now on.
pub(super) fn keep() -> String {
    format!(
        "INSERT INTO origin_periods (origin, period, held_msat, spent_msat, refunded_msat) SELECT ?1, ?2, {SUMS} {}
         ON CONFLICT DO NOTHING",
        payments()
    )
}

/// What the limits of an origin are held against.
pub(in crate::ledger::sqlite) fn sums(
    conn: &Connection,
    origin: &str,
    caps: &Caps,
) -> Result<Option<OriginSums>, Fault> {
    let of = &caps.origin;
    if !of.has_sums() {
        return Ok(None);
    }
    let of_period = |kind, most: Option<Msat>, cap: Option<&PeriodCap>| match most.and(cap) {
        Some(cap) => sum(conn, origin, used_of(period(conn, kind)?.as_ref(), cap).0).map(Some),
        None => Ok(None),
    };
    let is_new = of.new.is_some() && !has_delivered(conn, origin)?;
    if !is_new && of.day.is_none() && of.month.is_none() {
        return Ok(None);
    }
    Ok(Some(OriginSums {
        day: of_period(PeriodKind::Day, of.day, caps.day.as_ref())?,
        month: of_period(PeriodKind::Month, of.month, caps.month.as_ref())?,
        new: if is_new { Some(sum(conn, origin, IN_ALL.to_owned())?) } else { None },
        is_open: is_new && is_open(conn, origin)?,
        endpoints: endpoints(conn, origin)?,
    }))
}

/// Whether a purchase at the origin ?1 may still be delivered.
const OPEN: &str = "SELECT 1 FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.undelivered > 0
     JOIN jobs j ON j.id = p.job
     WHERE e.origin = ?1 AND p.state <> 'dead' AND j.state IN ('running', 'in_doubt', 'paid') AND j.reason <> 'unknown_answer'";

fn is_open(conn: &Connection, origin: &str) -> Result<bool, Fault> {
    Ok(conn.prepare_cached(OPEN)?.exists([origin])?)
}

fn endpoints(conn: &Connection, origin: &str) -> Result<Vec<EndpointKey>, Fault> {
    let mut statement = conn.prepare_cached("SELECT id FROM endpoint_urls WHERE origin = ?1 ORDER BY id")?;
    let keys = statement.query_map([origin], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
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

fn sum(conn: &Connection, origin: &str, period: String) -> Result<OriginSum, Fault> {
    let kept = conn
        .prepare_cached(
            "SELECT held_msat + spent_msat - refunded_msat FROM origin_periods WHERE origin = ?1 AND period = ?2",
        )?
        .query_row([origin, &period], |row| row.get(0))
        .optional()?;
    if let Some(used) = kept {
        return Ok(OriginSum { period, used, is_kept: true });
    }
    let (held, spent, refunded): (i64, i64, i64) = conn
        .prepare_cached(&format!("SELECT {SUMS} {}", payments()))?
        .query_row([origin, &period], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let used = held.saturating_add(spent).saturating_sub(refunded);
    Ok(OriginSum { period, used: Msat::new(u64::try_from(used).unwrap_or_default()), is_kept: false })
}

/// Whether anything that the origin sold was ever delivered.
fn has_delivered(conn: &Connection, origin: &str) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM endpoint_urls WHERE origin = ?1 AND delivered_at IS NOT NULL";
    Ok(conn.prepare_cached(sql)?.exists([origin])?)
}
