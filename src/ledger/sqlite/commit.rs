//! Records, carried out in one transaction: together, or one by one where what the rules let pass does not fit the rows.

use rusqlite::Connection;

use super::bodies::Bodies;
use super::error::Fault;
use super::gap;
use super::store::Tx;
use crate::ledger::{Committed, LedgerError, Record, Recorded, decide};
use crate::time::UnixMs;

/// What a transaction came to.
pub(super) struct Done {
    pub(super) outcomes: Vec<Result<Recorded, LedgerError>>,
    /// Bodies that are needed no more.
    pub(super) unused: Vec<[u8; 32]>,
    /// The newest intent among them.
    pub(super) begun: Option<gap::Begun>,
}

/// How the records of a transaction are carried out.
pub(super) type Way = fn(&mut Tx<'_>, &[(UnixMs, Record)]) -> Result<Vec<Result<Recorded, LedgerError>>, Fault>;

/// Carries records out in a transaction, and counts what of it a view shows.
pub(super) fn commit(tx: &Connection, bodies: &Bodies, records: &[(UnixMs, Record)], way: Way) -> Result<Done, Fault> {
    let mut store = Tx::new(tx, bodies);
    let before = tx.total_changes();
    let outcomes = way(&mut store, records)?;
    let intents = records.iter().zip(&outcomes).filter(|((_, record), _)| matches!(record, Record::Intend(_)));
    let mut newest = intents.filter_map(|(_, outcome)| match outcome {
        Ok(Recorded { committed: Committed::Intent(intent), .. }) => Some(intent.hash),
        Ok(_) | Err(_) => None,
    });
    let newest = newest.next_back();
    let has_written = tx.total_changes() != before;
    let intents = if has_written { gap::count(tx, store.intents)? } else { 0 };
    let begun = newest.map(|hash| gap::Begun { intents, hash });
    Ok(Done { outcomes, unused: store.unused, begun })
}

/// A contradiction is known before anything is written.
pub(super) fn together(
    store: &mut Tx<'_>,
    records: &[(UnixMs, Record)],
) -> Result<Vec<Result<Recorded, LedgerError>>, Fault> {
    let outcomes = decide::commit_all(store, records)?;
    Ok(outcomes.into_iter().map(|outcome| outcome.map_err(|unfit| Fault::from(unfit).into_error())).collect())
}

/// Each by itself: what does not fit leaves no trace, and the others stand.
pub(super) fn one_by_one(
    store: &mut Tx<'_>,
    records: &[(UnixMs, Record)],
) -> Result<Vec<Result<Recorded, LedgerError>>, Fault> {
    let mut outcomes = Vec::with_capacity(records.len());
    for record in records {
        let mut outcome = alone(store, record)?;
        // What cannot be delivered was answered all the same.
        if outcome.is_err()
            && let Some(answer) = answer_of(&record.1)
        {
            outcome = alone(store, &(record.0, answer))?;
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// One record, of which nothing is left where it does not fit.
fn alone(store: &mut Tx<'_>, record: &(UnixMs, Record)) -> Result<Result<Recorded, LedgerError>, Fault> {
    let (needed, intents) = (store.unused.len(), store.intents);
    let outcome = in_savepoint(store.conn, || decide::commit_one(store, record))?;
    if outcome.is_err() {
        store.unused.truncate(needed);
        store.intents = intents;
    }
    Ok(outcome)
}

/// The answer alone, where more is to be recorded with it.
pub(super) fn answer_of(record: &Record) -> Option<Record> {
    let Record::DeliveredAtOnce { payment, kind, answer, .. } = record else { return None };
    Some(Record::Answer { payment: *payment, kind: *kind, answer: answer.clone() })
}

/// Runs one record's writes so that a contradiction undoes them alone.
fn in_savepoint<T>(tx: &Connection, work: impl FnOnce() -> Result<T, Fault>) -> Result<Result<T, LedgerError>, Fault> {
    tx.prepare_cached("SAVEPOINT record")?.execute([])?;
    let outcome = match work() {
        Ok(done) => Ok(done),
        Err(Fault::Contradiction(what)) => {
            tx.prepare_cached("ROLLBACK TO record")?.execute([])?;
            Err(LedgerError::Contradiction(what))
        }
        Err(Fault::Fatal(of_job @ LedgerError::OfJob { .. })) => {
            tx.prepare_cached("ROLLBACK TO record")?.execute([])?;
            Err(of_job)
        }
        Err(fatal @ Fault::Fatal(_)) => return Err(fatal),
    };
    tx.prepare_cached("RELEASE record")?.execute([])?;
    Ok(outcome)
}
