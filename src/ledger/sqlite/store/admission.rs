//! What is known where a purchase would begin: of its node, its endpoint, and its budget.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, params};
use url::Url;

use crate::l402::Network;
use crate::ledger::decide::{
    Admission, Against, BegunAt, DeliveryFacts, Endpoint, EndpointFacts, EndpointKey, Facts, Held, IntentFacts, Keys,
    PeriodKind, Rejected, ReusablePayment, Used, Word,
};
use crate::ledger::sqlite::convert::{Json, text_or_what_is_left};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{BatchKey, Caps, JobKey, NewIntent, PaymentKey, PeriodCap, Prospect, endpoint_and_origin};
use crate::money::Msat;
use crate::purchase::{Reason, WalletId};

use super::alike::{Rows, all_alike, buyers};
use super::once;
use super::origin_periods::{self, period};

/// What the node ?1 holds.
pub(super) const HELD: &str = "SELECT p.id, p.job, p.batch, j.state, i.invoice_expires_at, p.cltv_limit
    FROM payments p JOIN jobs j ON j.id = p.job JOIN intents i ON i.payment = p.id
    WHERE p.node = ?1 AND p.state = 'intended'";

/// What the endpoint ?1 has begun since its last delivery.
pub(super) const BEGUN: &str =
    "SELECT p.id, p.job, p.batch, j.state, j.reason, p.undelivered, p.intended_at FROM payments p JOIN jobs j ON j.id = p.job
    WHERE p.endpoint_url = ?1 AND p.undelivered > 0 AND p.state <> 'dead'";

/// The newest payment at the origin ?1 whose credential it does not take.
pub(super) const REJECTED: &str =
    "SELECT p.job, p.batch, b.name, j.job, coalesce(p.answered_at, p.intended_at), j.state, j.reason
    FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.rejected = 1
    JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
    WHERE e.origin = ?1 ORDER BY p.id DESC LIMIT 1";

/// Payments at the origin ?1 that are rejected, or taken for nothing.
pub(super) const AGAINST: &str = "SELECT p.id, e.id, p.undelivered, p.rejected
    FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id
    WHERE e.origin = ?1 AND (p.undelivered > 0 AND p.undelivered = 2 OR p.rejected = 1)";

/// The keys of the next payment and of the next endpoint, and which of the hashes ?1 are known.
pub(super) const NEXT: &str =
    "SELECT (SELECT coalesce(max(id), 0) + 1 FROM payments), (SELECT coalesce(max(id), 0) + 1 FROM endpoint_urls),
         (SELECT json_group_array(lower(hex(p.payment_hash)))
          FROM json_each(?1) e CROSS JOIN payments p ON p.payment_hash = unhex(e.value))";

/// What new intents depend on, and the key of the next payment. Batches, nodes and endpoints are looked up once.
pub(super) fn add_intending(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let with_job = keys.iter().zip(facts).filter_map(|(keys, facts)| {
        let (intent, job) = keys.intent.zip(facts.job.as_ref())?;
        let (job, batch) = (job.key, job.batch);
        Some((facts, intent, job, batch))
    });
    let asked: Vec<(&mut Facts, &NewIntent, JobKey, BatchKey)> = with_job.collect();
    if asked.is_empty() {
        return Ok(());
    }
    let hashes: Vec<String> = asked.iter().map(|(_, intent, ..)| intent.hash.hex()).collect();
    let (next, next_endpoint, Json(known)): (_, _, Json<HashSet<String>>) =
        conn.prepare_cached(NEXT)?.query_row([Json(&hashes)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut buyers = buyers(conn, &asked.iter().map(|(_, _, job, _)| *job).collect::<Vec<_>>())?;
    let alike: Vec<_> =
        asked.iter().map(|(_, intent, job, batch)| (Some(*job), intent.request.digest(), Some(*batch))).collect();
    let mut alike = all_alike(conn, &alike, Rows::Loaded)?;
    let mut places = Places::default();
    for ((place, hash), (facts, intent, job, _)) in (0..).zip(hashes).zip(asked) {
        let Some((buyer, used)) = buyers.remove(&job) else { continue };
        facts.next.payment = next;
        let asks = intent.reuse.map(|_| (&intent.endpoint_url, intent.network, buyer.is_play));
        let token = asks.map_or(Ok(None), |(url, network, is_play)| token(conn, url, network, is_play))?;
        facts.intending = Some(Box::new(IntentFacts {
            buyer,
            knows_hash: known.contains(&hash),
            alike: alike.remove(&place).unwrap_or_default(),
            admission: places.admission(conn, &intent.endpoint_url, &intent.node, &intent.caps)?,
            used: Used {
                batch: used,
                day: places.period(conn, PeriodKind::Day, intent.caps.day.as_ref())?,
                month: places.period(conn, PeriodKind::Month, intent.caps.month.as_ref())?,
            },
            token,
            next_endpoint,
        }));
    }
    Ok(())
}

/// What many intents have in common.
#[derive(Default)]
struct Places {
    nodes: BTreeMap<String, Vec<Held>>,
    endpoints: BTreeMap<String, EndpointFacts>,
    periods: BTreeMap<PeriodKind, Option<(String, Msat)>>,
}

impl Places {
    fn admission(&mut self, conn: &Connection, url: &Url, node: &WalletId, caps: &Caps) -> Result<Admission, Fault> {
        let (url, origin) = endpoint_and_origin(url);
        let of_origin = origin_periods::sums(conn, &origin, caps)?;
        Ok(Admission {
            held: once(&mut self.nodes, &node.0, || held(conn, node))?,
            endpoint: EndpointFacts {
                of_origin,
                ..once(&mut self.endpoints, &url, || endpoint(conn, url.clone(), origin))?
            },
        })
    }

    /// None where there is no limit.
    fn period(
        &mut self,
        conn: &Connection,
        kind: PeriodKind,
        cap: Option<&PeriodCap>,
    ) -> Result<Option<(String, Msat)>, Fault> {
        cap.map_or(Ok(None), |_| once(&mut self.periods, &kind, || period(conn, kind)))
    }
}

/// What is known of a node and of an address, as far as it decides whether a purchase may begin.
pub(in crate::ledger::sqlite) fn prospective(
    conn: &Connection,
    Prospect { url, node, caps, .. }: &Prospect,
) -> Result<Admission, Fault> {
    let (url, origin) = endpoint_and_origin(url);
    let of_origin = origin_periods::sums(conn, &origin, caps)?;
    Ok(Admission { held: held(conn, node)?, endpoint: EndpointFacts { of_origin, ..endpoint(conn, url, origin)? } })
}

/// The payments at the endpoint ?1 that have brought a token for several jobs, or may: on the network ?2, for play money or not (?3). Of
/// those that are open, and of all, the newest.
pub(super) static TOKEN: LazyLock<[String; 2]> = LazyLock::new(|| {
    let newest = |which: &str| {
        format!(
            "SELECT p.id, b.name, j.job, j.state, j.reason, p.delivered_at IS NOT NULL, p.token_at
             FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.token_at IS NOT NULL {which}
             JOIN intents i ON i.payment = p.id JOIN jobs j ON j.id = p.job JOIN batches b ON b.id = p.batch
             WHERE e.url = ?1 AND i.network = ?2 AND b.sandbox = ?3 AND p.dead_proof IS NULL
             ORDER BY p.token_at DESC, p.id DESC LIMIT 1"
        )
    };
    [
        newest("AND p.delivered_at IS NULL AND (j.state = 'running' OR j.state = 'in_doubt' OR j.state = 'paid')"),
        newest(""),
    ]
});

/// The purchase on which the token of an endpoint depends.
pub(in crate::ledger::sqlite) fn token(
    conn: &Connection,
    url: &Url,
    network: Network,
    is_play: bool,
) -> Result<Option<ReusablePayment>, Fault> {
    let (url, _) = endpoint_and_origin(url);
    for sql in &*TOKEN {
        let found = conn.prepare_cached(sql)?.query_row(params![url, network, is_play], |row| {
            Ok(ReusablePayment {
                payment: row.get(0)?,
                // What is damaged of that job is in the way of no other one.
                batch_name: text_or_what_is_left(row, 1)?.unwrap_or_default(),
                id: text_or_what_is_left(row, 2)?.unwrap_or_default(),
                job_state: row.get(3)?,
                job_reason: row.get(4).unwrap_or(Reason::RowDamaged),
                is_delivered: row.get(5)?,
                token_at: row.get(6)?,
            })
        });
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn held(conn: &Connection, node: &WalletId) -> Result<Vec<Held>, Fault> {
    let mut statement = conn.prepare_cached(HELD)?;
    let rows = statement.query_map([&node.0], |row| {
        Ok(Held {
            payment: row.get(0)?,
            job: row.get(1)?,
            batch: row.get(2)?,
            job_state: row.get(3)?,
            invoice_expires_at: row.get(4)?,
            cltv_limit: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The endpoint of the address ?1; whether it has begun anything since its last delivery; whether a payment at the origin ?2 is rejected,
/// and whether a person has said a word for it.
pub(super) const ENDPOINT: &str = "SELECT k.id, k.origin, k.delivered_at,
         EXISTS (SELECT 1 FROM payments p WHERE p.endpoint_url = k.id AND p.undelivered > 0),
         EXISTS (SELECT 1 FROM endpoint_urls e JOIN payments p ON p.endpoint_url = e.id AND p.rejected = 1 WHERE e.origin = ?2),
         EXISTS (SELECT 1 FROM trusts WHERE origin = ?2)
     FROM (SELECT 1) LEFT JOIN endpoint_urls k ON k.url = ?1";

/// What is known of an endpoint and its origin.
pub(in crate::ledger::sqlite) fn endpoint(
    conn: &Connection,
    url: String,
    origin: String,
) -> Result<EndpointFacts, Fault> {
    let (known, [has_begun, is_rejected, has_words]) =
        conn.prepare_cached(ENDPOINT)?.query_row([&url, &origin], |row| {
            let known = match row.get(0)? {
                Some(key) => Some(Endpoint { key, origin: row.get(1)?, delivered_at: row.get(2)? }),
                None => None,
            };
            Ok((known, [row.get(3)?, row.get(4)?, row.get(5)?]))
        })?;
    let known_begun = known.as_ref().filter(|_| has_begun);
    let begun = known_begun.map_or_else(|| Ok(Vec::new()), |endpoint| begun(conn, endpoint.key))?;
    let rejected = if is_rejected { rejected(conn, &origin)? } else { None };
    let words = if has_words { words(conn, &origin)? } else { Vec::new() };
    Ok(EndpointFacts { url, origin, known, begun, rejected, words, of_origin: None })
}

fn begun(conn: &Connection, endpoint: EndpointKey) -> Result<Vec<BegunAt>, Fault> {
    let mut statement = conn.prepare_cached(BEGUN)?;
    let rows = statement.query_map([endpoint], |row| {
        Ok(BegunAt {
            payment: row.get(0)?,
            job: row.get(1)?,
            batch: row.get(2)?,
            job_state: row.get(3)?,
            job_reason: row.get(4)?,
            undelivered: row.get(5)?,
            intended_at: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn rejected(conn: &Connection, origin: &str) -> Result<Option<Rejected>, Fault> {
    Ok(conn
        .prepare_cached(REJECTED)?
        .query_row([origin], |row| {
            Ok(Rejected {
                job: row.get(0)?,
                batch: row.get(1)?,
                batch_name: row.get(2)?,
                id: row.get(3)?,
                at: row.get(4)?,
                job_state: row.get(5)?,
                job_reason: row.get(6)?,
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

/// What a delivery of that endpoint changes of its origin.
pub(super) fn delivery(conn: &Connection, key: EndpointKey) -> Result<DeliveryFacts, Fault> {
    let (endpoint, has_words): (_, bool) = conn
        .prepare_cached(
            "SELECT id, origin, delivered_at, EXISTS (SELECT 1 FROM trusts t WHERE t.origin = e.origin)
             FROM endpoint_urls e WHERE id = ?1",
        )?
        .query_row([key], |row| {
            Ok((Endpoint { key: row.get(0)?, origin: row.get(1)?, delivered_at: row.get(2)? }, row.get(3)?))
        })?;
    if !has_words {
        return Ok(DeliveryFacts { endpoint: Some(endpoint), ..DeliveryFacts::default() });
    }
    let (words, against) = (words(conn, &endpoint.origin)?, against(conn, &endpoint.origin)?);
    Ok(DeliveryFacts { endpoint: Some(endpoint), words, against })
}

fn against(conn: &Connection, origin: &str) -> Result<Vec<Against>, Fault> {
    let mut statement = conn.prepare_cached(AGAINST)?;
    let rows = statement.query_map([origin], |row| {
        Ok(Against { payment: row.get(0)?, endpoint: row.get(1)?, undelivered: row.get(2)?, rejected: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
