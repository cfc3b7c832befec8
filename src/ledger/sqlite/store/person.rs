//! What a person's words depend on, looked up.

use rusqlite::{Connection, OptionalExtension, params};

use crate::ledger::decide::{self, BegunByWord, OriginFacts, PersonFacts, ReopeningFacts, Take, WordSaid};
use crate::ledger::desk::Desk;
use crate::ledger::sqlite::convert::Json;
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{AnswerKey, AnswerKind, JobKey, PaymentKey};
use crate::purchase::HttpAnswer;

use super::{Tx, admission, payments, takes};

impl Desk for Tx<'_> {
    fn person(&mut self, job: JobKey) -> Result<PersonFacts, Fault> {
        takes::person_facts(self.conn, job)
    }

    fn reopening(&mut self, job: JobKey) -> Result<ReopeningFacts, Fault> {
        reopening(self.conn, job)
    }

    fn kept(&mut self, answer: AnswerKey) -> Result<HttpAnswer, Fault> {
        kept(self.conn, answer)
    }

    fn origin(&mut self, origin: &str) -> Result<OriginFacts, Fault> {
        origin_facts(self.conn, origin)
    }
}

fn reopening(conn: &Connection, job: JobKey) -> Result<ReopeningFacts, Fault> {
    let of = takes::person_facts(conn, job)?;
    let never_begun = never_begun(conn, &of.takes)?;
    let mut facts = ReopeningFacts {
        of,
        intent: None,
        asked: String::new(),
        has_refund: false,
        successes: Vec::new(),
        last_answer: None,
        origin: Default::default(),
        never_begun,
        is_taken: conn
            .prepare_cached("SELECT 1 FROM decisions WHERE job = ?1 AND decision IN (?2, ?3)")?
            .exists(params![job, decide::TAKEN_BY[0], decide::TAKEN_BY[1]])?,
        served: served(conn, job)?,
    };
    let Some(live) = &facts.of.live else { return Ok(facts) };
    let asked = conn.prepare_cached("SELECT url FROM intents WHERE payment = ?1")?;
    facts.asked = { asked }.query_row([live.key], |row| row.get(0)).optional()?.unwrap_or_default();
    facts.intent = payments::find(conn, &[live.key])?.remove(&live.key).and_then(|(.., intent)| intent);
    facts.has_refund = conn.prepare_cached("SELECT 1 FROM refunds WHERE payment = ?1")?.exists([live.key])?;
    facts.successes = successes(conn, live.key)?;
    facts.last_answer = conn
        .prepare_cached("SELECT max(id) FROM answers WHERE payment = ?1")?
        .query_row([live.key], |row| row.get(0))?;
    facts.origin = live.endpoint.map(|endpoint| admission::delivery(conn, endpoint)).transpose()?.unwrap_or_default();
    Ok(facts)
}

/// What a token has answered to the job, and the address that the token's own job asked.
fn served(conn: &Connection, job: JobKey) -> Result<Option<(HttpAnswer, String)>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT s.status, s.headers, s.body, i.url FROM served s JOIN intents i ON i.payment = s.payment WHERE s.job = ?1",
    )?;
    let served = statement.query_row([job], |row| {
        let Json(headers) = row.get(1)?;
        Ok((HttpAnswer { status: row.get(0)?, headers, body: row.get(2)? }, row.get(3)?))
    });
    Ok(served.optional()?)
}

fn never_begun(conn: &Connection, takes: &[Take]) -> Result<Vec<JobKey>, Fault> {
    let mut begun = conn.prepare_cached(
        "SELECT 1 FROM payments WHERE job = ?1 UNION ALL SELECT 1 FROM served WHERE job = ?1 LIMIT 1",
    )?;
    let mut found = Vec::new();
    for take in takes {
        if !begun.exists([take.job.key])? {
            found.push(take.job.key);
        }
    }
    Ok(found)
}

fn successes(conn: &Connection, payment: PaymentKey) -> Result<Vec<(AnswerKey, AnswerKind)>, Fault> {
    let mut statement = conn
        .prepare_cached("SELECT id, kind FROM answers WHERE payment = ?1 AND status BETWEEN 200 AND 299 ORDER BY id")?;
    let rows = statement.query_map([payment], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn kept(conn: &Connection, answer: AnswerKey) -> Result<HttpAnswer, Fault> {
    Ok(conn.prepare_cached("SELECT status, headers, body FROM answers WHERE id = ?1")?.query_row([answer], |row| {
        let Json(headers) = row.get(1)?;
        Ok(HttpAnswer { status: row.get(0)?, headers, body: row.get(2)? })
    })?)
}

/// The answer that a person takes, or took, as the result of that payment.
pub(in crate::ledger::sqlite) fn kept_answer(
    conn: &Connection,
    payment: PaymentKey,
) -> Result<Option<HttpAnswer>, Fault> {
    let polled =
        conn.prepare_cached("SELECT 1 FROM payments WHERE id = ?1 AND poll_url IS NOT NULL")?.exists([payment])?;
    let answer = decide::kept_answer(&successes(conn, payment)?, polled);
    answer.map(|answer| kept(conn, answer)).transpose()
}

/// What a word for that origin depends on.
pub(in crate::ledger::sqlite) fn origin_facts(conn: &Connection, origin: &str) -> Result<OriginFacts, Fault> {
    let mut words = conn.prepare_cached(
        "SELECT t.number, t.lapsed_at IS NOT NULL, b.name, j.job, p.state, p.dead_proof, p.undelivered
         FROM trusts t LEFT JOIN payments p ON p.id = t.payment
             LEFT JOIN jobs j ON j.id = p.job LEFT JOIN batches b ON b.id = p.batch
         WHERE t.origin = ?1 ORDER BY t.number",
    )?;
    let words = words.query_map(params![origin], |row| {
        let by = match row.get::<_, Option<String>>(2)?.zip(row.get(3)?) {
            None => None,
            Some((batch_name, id)) => {
                Some(BegunByWord { batch_name, id, state: row.get(4)?, death: row.get(5)?, undelivered: row.get(6)? })
            }
        };
        Ok(WordSaid { number: row.get(0)?, has_lapsed: row.get(1)?, by })
    })?;
    let words = words.collect::<Result<_, _>>()?;
    let mut urls = conn.prepare_cached("SELECT url FROM endpoint_urls WHERE origin = ?1")?;
    let urls: Vec<String> = urls.query_map([origin], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let endpoints = urls.into_iter().map(|url| admission::endpoint(conn, url, origin.to_owned()));
    Ok(OriginFacts { words, endpoints: endpoints.collect::<Result<_, _>>()? })
}
