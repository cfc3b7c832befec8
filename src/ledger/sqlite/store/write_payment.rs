//! The row of a payment, written: anew, or what of it has changed.

use rusqlite::{Connection, ToSql, params};

use crate::ledger::decide::{Fate, Payment, Redeeming, Sends};
use crate::ledger::sqlite::convert::int;
use crate::ledger::sqlite::error::Fault;

/// A new one.
pub(super) fn insert(tx: &Connection, payment: &Payment) -> Result<(), Fault> {
    tx.prepare_cached(
        "INSERT INTO payments (id, job, batch, payment_hash, state, amount_msat, fee_limit_msat, node, day, month,
             sends_begun, sent_at, intended_at, cltv_limit, endpoint_url, undelivered, token_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        payment.key,
        payment.job,
        payment.batch,
        payment.hash,
        payment.fate.state,
        payment.amount,
        payment.fee_limit,
        payment.node.0,
        payment.charged.day,
        payment.charged.month,
        payment.sends.begun,
        payment.sends.begun_at,
        payment.intended_at,
        payment.cltv_limit,
        payment.endpoint,
        payment.redeeming.undelivered,
        payment.token_at
    ])?;
    Ok(())
}

/// The columns of a row that have changed.
#[derive(Default)]
struct Changed<'v> {
    set: String,
    values: Vec<&'v dyn ToSql>,
}

impl<'v> Changed<'v> {
    fn put<T: ToSql + PartialEq>(&mut self, column: &str, was: &T, is: &'v T) {
        if was != is {
            self.values.push(is);
            let comma = if self.set.is_empty() { "" } else { ", " };
            self.set.push_str(&format!("{comma}{column} = ?{}", self.values.len().saturating_add(1)));
        }
    }
}

/// Writes of a payment what has changed, in one go, so that no index is touched for what has not.
pub(super) fn update(tx: &Connection, was: &Payment, is: &Payment) -> Result<(), Fault> {
    let index = |of: &Payment| of.fate.index.map(int).transpose();
    let poll = |of: &Payment| {
        let (url, interval_ms) = of.redeeming.poll.clone().unzip();
        Ok::<_, Fault>((url, interval_ms.map(int).transpose()?))
    };
    let (index_was, index_is, poll_was, poll_is) = (index(was)?, index(is)?, poll(was)?, poll(is)?);
    let mut changed = Changed::default();
    changed.put("job", &was.job, &is.job);
    terms(&mut changed, was, is);
    sends(&mut changed, &was.sends, &is.sends);
    fate(&mut changed, &was.fate, &is.fate);
    changed.put("payment_index", &index_was, &index_is);
    redeeming(&mut changed, &was.redeeming, &is.redeeming);
    changed.put("poll_url", &poll_was.0, &poll_is.0);
    changed.put("poll_interval_ms", &poll_was.1, &poll_is.1);
    if changed.values.is_empty() {
        return Ok(());
    }
    changed.values.insert(0, &is.key);
    let sql = format!("UPDATE payments SET {} WHERE id = ?1", changed.set);
    tx.prepare_cached(&sql)?.execute(changed.values.as_slice())?;
    Ok(())
}

/// What of a payment stands from its intent on, but for a merge.
fn terms<'v>(changed: &mut Changed<'v>, was: &Payment, is: &'v Payment) {
    changed.put("fee_limit_msat", &was.fee_limit, &is.fee_limit);
    changed.put("cltv_limit", &was.cltv_limit, &is.cltv_limit);
    changed.put("node", &was.node.0, &is.node.0);
    changed.put("day", &was.charged.day, &is.charged.day);
    changed.put("month", &was.charged.month, &is.charged.month);
    changed.put("intended_at", &was.intended_at, &is.intended_at);
    changed.put("endpoint_url", &was.endpoint, &is.endpoint);
    changed.put("token_at", &was.token_at, &is.token_at);
}

fn sends<'v>(changed: &mut Changed<'v>, was: &Sends, is: &'v Sends) {
    let Sends { begun, begun_at, answered, answered_at, accepted, said, said_at } = is;
    changed.put("sends_begun", &was.begun, begun);
    changed.put("sent_at", &was.begun_at, begun_at);
    changed.put("sends_answered", &was.answered, answered);
    changed.put("send_answered_at", &was.answered_at, answered_at);
    changed.put("accepted", &was.accepted, accepted);
    changed.put("node_said", &was.said, said);
    changed.put("node_said_at", &was.said_at, said_at);
}

/// The node's own number for it stands apart.
fn fate<'v>(changed: &mut Changed<'v>, was: &Fate, is: &'v Fate) {
    let Fate { state, preimage, paid_at, fee, index: _, posted_at, death, dead_at } = is;
    changed.put("state", &was.state, state);
    changed.put("preimage", &was.preimage, preimage);
    changed.put("paid_at", &was.paid_at, paid_at);
    changed.put("fee_msat", &was.fee, fee);
    changed.put("posted_at", &was.posted_at, posted_at);
    changed.put("dead_proof", &was.death, death);
    changed.put("dead_at", &was.dead_at, dead_at);
}

/// Where to poll stands apart. Which answer was heard is known by its time.
fn redeeming<'v>(changed: &mut Changed<'v>, was: &Redeeming, is: &'v Redeeming) {
    let Redeeming {
        redeems,
        answered_at,
        heard_at,
        heard: _,
        retried_at,
        replayed_at,
        poll: _,
        delivered_at,
        undelivered,
        rejected,
    } = is;
    changed.put("redeems", &was.redeems, redeems);
    changed.put("answered_at", &was.answered_at, answered_at);
    changed.put("heard_at", &was.heard_at, heard_at);
    changed.put("retried_at", &was.retried_at, retried_at);
    changed.put("replayed_at", &was.replayed_at, replayed_at);
    changed.put("delivered_at", &was.delivered_at, delivered_at);
    changed.put("undelivered", &was.undelivered, undelivered);
    changed.put("rejected", &was.rejected, rejected);
}
