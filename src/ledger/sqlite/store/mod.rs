//! What records depend on, looked up, and what is decided, written: the rules stand in `ledger::decide`.

mod admission;
mod alike;
mod apply;
mod jobs;
mod payments;
mod takes;

use rusqlite::{Connection, OptionalExtension, params};

use super::bodies::Bodies;
use super::convert::uint;
use super::error::{Fault, of_row};
use crate::ledger::decide::{Answer, Facts, Keys, Refund, Refusal, Store, Unfit, Write};
use crate::ledger::{AnswerKey, PaymentKey};

pub(super) use admission::{endpoint, next_word_of, period, prospective};
pub(super) use alike::{alike, buyer};
pub(super) use apply::{file_key, row as write};
pub(super) use jobs::{append_transition, change, job};
pub(super) use payments::{deliver, durable_intent, paid_purchase, payment, with_intent};
pub(super) use takes::{extra_take, give_way, takes, unsettled_until};

/// Whether the job of another payment with the request of the payment ?1 has the result ?2.
const RESULT: &str = "SELECT 1 FROM intents own JOIN payments of ON of.id = own.payment
    JOIN intents i ON i.request_digest = own.request_digest
    JOIN payments p ON p.id = i.payment JOIN jobs j ON j.id = p.job
    WHERE own.payment = ?1 AND p.job <> of.job AND j.url = ?2 LIMIT 1";

/// One transaction of the ledger, as rules see it.
pub(super) struct Tx<'c> {
    pub(super) conn: &'c Connection,
    pub(super) bodies: &'c Bodies,
    /// Bodies that the payment of a record needs no more.
    pub(super) unused: Vec<[u8; 32]>,
}

impl From<Unfit> for Fault {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Contradiction(what) => Self::Contradiction(what),
            Unfit::Damaged(what) => Self::Fatal(of_row(what)),
        }
    }
}

impl Store for Tx<'_> {
    type Error = Fault;

    fn load(&mut self, keys: &Keys<'_>) -> Result<Facts, Fault> {
        let conn = self.conn;
        let mut facts = Facts::default();
        if let Some(key) = keys.payment
            && let Some((payment, job, intent)) = payments::find(conn, key)?
        {
            (facts.payment, facts.job, facts.intent) = (Some(payment), Some(job), intent);
        }
        if let Some(key) = keys.job.filter(|_| !keys.takes) {
            facts.job = jobs::find(conn, key)?;
        }
        let of = facts.job.as_ref().map(|job| job.key).or(keys.job);
        if let Some(key) = of.filter(|_| keys.takes) {
            (facts.takes, facts.next.job) = takes::find(conn, key)?;
            facts.job = facts.takes.iter().find(|take| take.job.key == key).map(|take| take.job.clone());
        }
        if let Some(key) = keys.job.filter(|_| keys.undelivered) {
            facts.undelivered = payments::undelivered(conn, key)?;
        }
        if let Some(key) = keys.answer {
            facts.answer = answer(conn, key)?;
        }
        if let Some(key) = keys.payment {
            if keys.refusals {
                facts.refusals = refusals(conn, key)?;
            }
            if keys.refund {
                facts.refund = refund(conn, key)?;
            }
            if let Some(url) = keys.result {
                facts.is_result_of_another = is_result_of_another(conn, key, url)?;
            }
        }
        if let Some(payment) = facts.payment.as_ref().filter(|_| keys.origin) {
            facts.origin = admission::delivery(conn, payment)?;
        }
        if let Some(node) = keys.witness {
            facts.is_witnessed = conn.prepare_cached("SELECT 1 FROM witnesses WHERE node = ?1")?.exists([&node.0])?;
        }
        if keys.next_answer {
            facts.next.answer = next_answer(conn)?;
        }
        if let Some((intent, job)) = keys.intent.zip(facts.job.as_ref()) {
            let (intending, next) = admission::intending(conn, job, intent)?;
            (facts.intending, facts.next.payment) = (Some(Box::new(intending)), next);
        }
        Ok(facts)
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), Fault> {
        writes.iter().try_for_each(|write| apply::write(self, write))
    }
}

fn answer(conn: &Connection, key: AnswerKey) -> Result<Option<Answer>, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT payment, kind, at, coalesce((SELECT min(f.id) FROM answers f WHERE f.payment = a.payment
                 AND f.kind = 'redeem' AND f.at = a.at AND f.status BETWEEN 200 AND 299), 0)
             FROM answers a WHERE id = ?1",
        )?
        .query_row([key], |row| {
            Ok(Answer { key, payment: row.get(0)?, kind: row.get(1)?, at: row.get(2)?, first_success: row.get(3)? })
        })
        .optional()?)
}

fn next_answer(conn: &Connection) -> Result<AnswerKey, Fault> {
    Ok(conn.prepare_cached("SELECT coalesce(max(id), 0) + 1 FROM answers")?.query_row([], |row| row.get(0))?)
}

fn refusals(conn: &Connection, payment: PaymentKey) -> Result<Vec<Refusal>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT id, length(body) FROM answers WHERE payment = ?1 AND status NOT BETWEEN 200 AND 299 ORDER BY id",
    )?;
    let rows = statement.query_map([payment], |row| Ok(Refusal { key: row.get(0)?, bytes: uint(row, 1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn refund(conn: &Connection, payment: PaymentKey) -> Result<Option<Refund>, Fault> {
    Ok(conn
        .prepare_cached("SELECT state FROM refunds WHERE payment = ?1")?
        .query_row([payment], |row| Ok(Refund { standing: row.get(0)? }))
        .optional()?)
}

fn is_result_of_another(conn: &Connection, payment: PaymentKey, url: &str) -> Result<bool, Fault> {
    Ok(conn.prepare_cached(RESULT)?.exists(params![payment, url])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::SqliteLedger;

    /// A ledger may hold a million purchases, and each record asks.
    #[test]
    fn whatever_a_record_depends_on_is_found_by_an_index() {
        let ledger = SqliteLedger::in_memory().unwrap();
        let loads = [
            payments::WITH_JOB.clone(),
            payments::OF_JOB.clone(),
            takes::LIVE.clone(),
            takes::DECIDED.to_owned(),
            alike::ALIKE.to_owned(),
            admission::HELD.to_owned(),
            admission::BEGUN.to_owned(),
            admission::REJECTED.to_owned(),
            admission::AGAINST.to_owned(),
            RESULT.to_owned(),
        ];
        for sql in loads {
            let mut statement = ledger.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement
                .query_map(rusqlite::params_from_iter((0..statement.parameter_count()).map(|_| 1)), |row| {
                    row.get::<_, String>(3)
                });
            let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
            assert!(steps.iter().all(|step| !step.starts_with("SCAN ")), "{sql}: {steps:?}");
        }
    }
}
