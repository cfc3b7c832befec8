//! What records depend on, looked up, and what is decided, written: the rules stand in `ledger::decide`.

mod admission;
mod alike;
mod apply;
mod changed;
mod jobs;
mod load;
mod origin_periods;
mod payments;
mod person;
mod takes;
mod write_payment;

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};
use serde::Serialize;

use super::bodies::Bodies;
use super::convert::Json;
use super::error::{Fault, of_row};
use crate::ledger::decide::{Facts, Keys, Store, Unfit, Write};

pub(super) use admission::{endpoint as endpoint_facts, prospective, token};
pub(super) use alike::{CAPPED_ENDPOINTS, Rows, alike, buyer};
pub(super) use apply::file_key;
pub(super) use apply::row as write;
pub(super) use changed::open_and_changed;
#[cfg(test)]
pub(super) use jobs::job;
pub(super) use jobs::{JOB, JOB_COLUMNS, append_transition, of_row as job_of_row};
pub(super) use origin_periods::{different as different_origin_periods, period, sums as origin_sums};
#[cfg(test)]
pub(super) use payments::payment;
pub(super) use payments::{
    PAYMENT, PAYMENT_COLUMNS, durable_intent, of_row as payment_of_row, paid_purchase, with_intent,
};
pub(super) use person::{kept_answer, origin_facts};
#[cfg(test)]
pub(super) use takes::person_facts;
pub(super) use takes::{find as find_takes, takes};

/// One transaction of the ledger, as rules see it.
pub(super) struct Tx<'c> {
    pub(super) conn: &'c Connection,
    pub(super) bodies: &'c Bodies,
    /// Bodies that the payment of a record needs no more.
    pub(super) unused: Vec<[u8; 32]>,
    /// Intents that were written, and are counted with the commit.
    pub(super) intents: u64,
}

impl<'c> Tx<'c> {
    pub(super) const fn new(conn: &'c Connection, bodies: &'c Bodies) -> Self {
        Self { conn, bodies, unused: Vec::new(), intents: 0 }
    }
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

    fn load(&mut self, keys: &[Keys<'_>]) -> Result<Vec<Facts>, Fault> {
        load::facts(self.conn, keys)
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), Fault> {
        apply::all(self, writes)
    }
}

/// What a statement finds whose one parameter is a list; nothing is asked about none.
pub(super) fn rows<A: Serialize, T, C: FromIterator<T>>(
    conn: &Connection,
    sql: &str,
    asked: &[A],
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<C, Fault> {
    if asked.is_empty() {
        return Ok(std::iter::empty().collect());
    }
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([Json(asked)], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is known under that key, looked up where it is not yet.
fn once<K: Ord + Clone, V: Clone>(
    known: &mut BTreeMap<K, V>,
    key: &K,
    look_up: impl FnOnce() -> Result<V, Fault>,
) -> Result<V, Fault> {
    if let Some(value) = known.get(key) {
        return Ok(value.clone());
    }
    let value = look_up()?;
    known.insert(key.clone(), value.clone());
    Ok(value)
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
            jobs::BY_KEY.clone(),
            payments::WITH_JOB.clone(),
            payments::OF_JOB.clone(),
            takes::TAKES.clone(),
            alike::finding(Rows::Loaded),
            alike::BUYERS.to_owned(),
            admission::HELD.to_owned(),
            admission::BEGUN.to_owned(),
            admission::REJECTED.to_owned(),
            admission::AGAINST.to_owned(),
            admission::NEXT.to_owned(),
            admission::ENDPOINT.to_owned(),
            admission::TOKEN[0].clone(),
            admission::TOKEN[1].clone(),
            load::ANSWERS.to_owned(),
            load::REFUSALS.to_owned(),
            load::REFUNDS.to_owned(),
            load::REFUND_INVOICES.to_owned(),
            load::RESULTS.to_owned(),
            load::KEPT_SETTLEMENTS.to_owned(),
        ];
        for sql in loads {
            let mut statement = ledger.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement
                .query_map(rusqlite::params_from_iter((0..statement.parameter_count()).map(|_| 1)), |row| {
                    row.get::<_, String>(3)
                });
            let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
            // What a subquery comes to is found likewise.
            let is_little =
                |step: &String| ["CONSTANT ROW", " VIRTUAL TABLE ", "(subquery"].iter().any(|of| step.contains(of));
            let is_found = |step: &String| !step.starts_with("SCAN ") || is_little(step);
            assert!(steps.iter().all(is_found), "{sql}: {steps:?}");
        }
    }
}
