//! What records depend on, looked up: one statement for each kind of row, however many records ask.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::Connection;

use crate::l402::PaymentHash;
use crate::ledger::decide::{Answer, DeliveryFacts, EndpointKey, Facts, Keys, Payment, Refund, Refusal};
use crate::ledger::sqlite::convert::{text, uint};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{AnswerKey, JobKey, PaymentKey};

use super::{admission, jobs, once, payments, rows, takes};

/// The answers ?1.
pub(super) const ANSWERS: &str = "SELECT id, payment, kind, at, coalesce((SELECT min(f.id) FROM answers f
         WHERE f.payment = a.payment AND f.kind = 'redeem' AND f.at = a.at AND f.status BETWEEN 200 AND 299), 0)
     FROM answers a WHERE id IN (SELECT value FROM json_each(?1))";

/// The answers to the payments ?1 that are no success; then the key of the next answer.
pub(super) const REFUSALS: &str = "SELECT payment, id, length(body) FROM answers
         WHERE payment IN (SELECT value FROM json_each(?1)) AND status NOT BETWEEN 200 AND 299
     UNION ALL SELECT NULL, (SELECT coalesce(max(id), 0) + 1 FROM answers), 0";

/// The refunds of the payments ?1.
pub(super) const REFUNDS: &str =
    "SELECT payment, state FROM refunds WHERE payment IN (SELECT value FROM json_each(?1))";

/// The refunds whose invoices have the hashes ?1.
pub(super) const REFUND_INVOICES: &str =
    "SELECT hash, payment FROM refunds WHERE hash IN (SELECT unhex(value) FROM json_each(?1))";

/// For each payment and result of ?1, by its place there: whether another job that was bought with the request of that payment, or that a
/// token has served with it, has that result.
pub(super) const RESULTS: &str = "SELECT e.key FROM json_each(?1) e
     CROSS JOIN intents own ON own.payment = e.value ->> 0 JOIN payments of ON of.id = own.payment
     JOIN intents i ON i.request_digest = own.request_digest
     JOIN payments p ON p.id = i.payment JOIN jobs j ON j.id = p.job
     WHERE p.job <> of.job AND j.url = e.value ->> 1
     UNION SELECT e.key FROM json_each(?1) e
     CROSS JOIN intents own ON own.payment = e.value ->> 0 JOIN payments of ON of.id = own.payment
     JOIN served s ON s.request_digest = own.request_digest JOIN jobs j ON j.id = s.job
     WHERE s.job <> of.job AND j.url = e.value ->> 1";

/// Of which of the nodes ?1 a payment is kept by which their history is checked.
pub(super) const KEPT_SETTLEMENTS: &str = "SELECT node FROM witnesses WHERE node IN (SELECT value FROM json_each(?1))";

/// The facts of each of these.
pub(super) fn facts(conn: &Connection, keys: &[Keys<'_>]) -> Result<Vec<Facts>, Fault> {
    let mut facts = of_purchases(conn, keys)?;
    add_takes(conn, keys, &mut facts)?;
    add_answers(conn, keys, &mut facts)?;
    add_refunds(conn, keys, &mut facts)?;
    add_origins(conn, keys, &mut facts)?;
    add_results(conn, keys, &mut facts)?;
    add_kept_settlements(conn, keys, &mut facts)?;
    admission::add_intending(conn, keys, &mut facts)?;
    Ok(facts)
}

/// The payments with their intents, and the jobs.
fn of_purchases(conn: &Connection, keys: &[Keys<'_>]) -> Result<Vec<Facts>, Fault> {
    let payments: Vec<PaymentKey> = keys.iter().filter_map(|keys| keys.payment).collect();
    let jobs: Vec<JobKey> = keys.iter().filter(|keys| !keys.takes).filter_map(|keys| keys.job).collect();
    let undelivered: Vec<JobKey> = keys.iter().filter(|keys| keys.undelivered).filter_map(|keys| keys.job).collect();
    let (payments, jobs) = (payments::find(conn, &payments)?, jobs::find(conn, &jobs)?);
    let undelivered = payments::undelivered(conn, &undelivered)?;
    let facts = keys.iter().map(|keys| {
        let mut facts = Facts { job: keys.job.and_then(|key| jobs.get(&key)).cloned(), ..Facts::default() };
        if let Some((payment, job, intent)) = keys.payment.and_then(|key| payments.get(&key)).cloned() {
            (facts.payment, facts.job, facts.intent) = (Some(payment), Some(job), intent);
        }
        if let Some(key) = keys.job.filter(|_| keys.undelivered) {
            facts.undelivered = undelivered.iter().filter(|payment| payment.job == key).cloned().collect();
        }
        facts
    });
    Ok(facts.collect())
}

fn add_takes(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let mut of: Vec<(&mut Facts, JobKey)> = Vec::new();
    for (keys, facts) in keys.iter().zip(facts).filter(|(keys, _)| keys.takes) {
        let job = facts.job.as_ref().map(|job| job.key).or(keys.job);
        of.extend(job.map(|key| (facts, key)));
    }
    let (takes, next) = takes::find(conn, &of.iter().map(|(_, key)| *key).collect::<Vec<_>>(), text)?;
    for (facts, key) in of {
        facts.takes = takes.get(&key).cloned().unwrap_or_default();
        facts.job = facts.takes.iter().find(|take| take.job.key == key).map(|take| take.job.clone());
        facts.next.job = next;
    }
    Ok(())
}

fn add_answers(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let asked: Vec<i64> = keys.iter().filter_map(|keys| keys.answer).map(|key| key.0).collect();
    let answers: HashMap<AnswerKey, Answer> = rows(conn, ANSWERS, &asked, |row| {
        let key = row.get(0)?;
        let (payment, kind, at) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((key, Answer { key, payment, kind, at, first_success: row.get(4)? }))
    })?;
    let of = |wanted: bool, keys: &Keys<'_>| keys.payment.filter(|_| wanted);
    let asked: Vec<i64> = keys.iter().filter_map(|keys| of(keys.refusals, keys)).map(|key| key.0).collect();
    let mut refusals: Vec<(Option<PaymentKey>, Refusal)> =
        rows(conn, REFUSALS, &asked, |row| Ok((row.get(0)?, Refusal { key: row.get(1)?, bytes: uint(row, 2)? })))?;
    refusals.sort_unstable_by_key(|(_, refusal)| refusal.key);
    let next = refusals.iter().find(|(payment, _)| payment.is_none()).map_or(AnswerKey(1), |(_, next)| next.key);
    for (keys, facts) in keys.iter().zip(facts) {
        facts.answer = keys.answer.and_then(|key| answers.get(&key)).cloned();
        let own = refusals.iter().filter(|(payment, _)| keys.refusals && payment.is_some() && keys.payment == *payment);
        facts.refusals = own.map(|(_, refusal)| *refusal).collect();
        facts.next.answer = next;
    }
    Ok(())
}

fn add_refunds(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let asked: Vec<i64> =
        keys.iter().filter(|keys| keys.refund).filter_map(|keys| keys.payment).map(|key| key.0).collect();
    let refunds: HashMap<PaymentKey, Refund> =
        rows(conn, REFUNDS, &asked, |row| Ok((row.get(0)?, Refund { standing: row.get(1)? })))?;
    let invoices: Vec<String> = keys.iter().filter_map(|keys| keys.refund_invoice).map(|hash| hash.hex()).collect();
    let claimed: HashMap<PaymentHash, PaymentKey> =
        rows(conn, REFUND_INVOICES, &invoices, |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (keys, facts) in keys.iter().zip(facts).filter(|(keys, _)| keys.refund) {
        facts.refund = keys.payment.and_then(|key| refunds.get(&key)).cloned();
        let by = keys.refund_invoice.and_then(|hash| claimed.get(&hash));
        facts.is_invoice_of_another = by.is_some_and(|by| Some(*by) != keys.payment);
    }
    Ok(())
}

/// Each endpoint is looked up once.
fn add_origins(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let mut known: BTreeMap<EndpointKey, DeliveryFacts> = BTreeMap::new();
    for (_, facts) in keys.iter().zip(facts).filter(|(keys, _)| keys.delivers.is_some()) {
        let Some(endpoint) = facts.payment.as_ref().and_then(|payment: &Payment| payment.endpoint) else { continue };
        facts.origin = once(&mut known, &endpoint, || admission::delivery(conn, endpoint))?;
    }
    Ok(())
}

fn add_results(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let pair = |keys: &Keys<'_>| Some((keys.payment?.0, keys.result?.to_owned()));
    let asked: Vec<Option<(i64, String)>> = keys.iter().map(pair).collect();
    if asked.iter().all(Option::is_none) {
        return Ok(());
    }
    let found: HashSet<u32> = rows(conn, RESULTS, &asked, |row| row.get(0))?;
    for (place, facts) in (0..).zip(facts) {
        facts.is_result_of_another = found.contains(&place);
    }
    Ok(())
}

fn add_kept_settlements(conn: &Connection, keys: &[Keys<'_>], facts: &mut [Facts]) -> Result<(), Fault> {
    let asked: Vec<&str> = keys.iter().filter_map(|keys| keys.kept_settlement).map(|node| node.0.as_str()).collect();
    let found: HashSet<String> = rows(conn, KEPT_SETTLEMENTS, &asked, |row| row.get(0))?;
    for (keys, facts) in keys.iter().zip(facts) {
        facts.has_kept_settlement = keys.kept_settlement.is_some_and(|node| found.contains(&node.0));
    }
    Ok(())
}
