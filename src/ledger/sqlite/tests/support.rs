//! What the tests of SQLite share beside what every store's have: a ledger, and the way through a purchase.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};

pub(in crate::ledger) use crate::ledger::contract::support::*;
use crate::ledger::decide::{PersonFacts, Write};
pub(in crate::ledger) use crate::ledger::port::*;
use crate::ledger::sqlite::{SqliteLedger, store};
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, BatchStart, Committed, Compared, DurableIntent, JobKey, NewBatch, NewIntent,
    PaymentKey, PendingJob, PlanLoad, Record, Retake, ToBuy,
};
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};

pub(in crate::ledger) fn begin(ledger: &mut SqliteLedger, name: &str) -> BatchKey {
    let new = NewBatch { name: name.to_owned(), manifest: format!("/jobs/{name}.toml"), sandbox: false, adopt: false };
    match ledger.begin_batch(NOW, &new).unwrap() {
        BatchStart::New(batch) | BatchStart::Existing(batch) => batch.key,
        other => panic!("{other:?}"),
    }
}

/// Loads the jobs, and holds what that makes of them against what was foreseen.
pub(in crate::ledger) fn load(
    ledger: &mut SqliteLedger,
    batch: BatchKey,
    retake: &Retake,
    jobs: Vec<PlannedJob>,
) -> PlanLoad {
    let (foreseen, report) = {
        let foreseen = ledger.foresee(Some(batch), retake, "", jobs.iter().cloned().map(Ok::<_, Infallible>)).unwrap();
        (to_buy(&foreseen), foreseen.report().clone())
    };
    let load = ledger.load_plan(batch, NOW, retake, jobs.into_iter().map(Ok::<_, Infallible>)).unwrap();
    let pending: Vec<_> = ledger.pending(batch, None, 1_000_000).unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(foreseen, pending, "what is foreseen is what is done");
    let told = |load: &PlanLoad| {
        let lists =
            [&load.replaced, &load.open_as_begun, &load.changed, &load.by_default, &load.unproved, &load.retaken];
        (lists.map(Clone::clone), load.unmet.clone(), load.waiting.clone())
    };
    assert_eq!(told(&report), told(&load), "what is foreseen is what is told");
    load
}

/// How often SQLite does that while this is done.
pub(in crate::ledger) fn count<T>(
    ledger: &mut SqliteLedger,
    what: TraceEventCodes,
    done: impl FnOnce(&mut SqliteLedger) -> T,
) -> (u64, T) {
    let counted = Arc::new(AtomicU64::new(0));
    let count = {
        let counted = Arc::clone(&counted);
        move |_: TraceEvent<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    ledger.conn.trace_v2(what, Some(count)).unwrap();
    let done = done(ledger);
    ledger.conn.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
    (counted.load(Ordering::Relaxed), done)
}

/// The ids of what running these jobs would buy, with what is bought already under another name left out.
pub(in crate::ledger) fn foreseen(
    ledger: &SqliteLedger,
    batch: BatchKey,
    retake: &Retake,
    jobs: Vec<PlannedJob>,
) -> Vec<String> {
    let foreseen = ledger.foresee(Some(batch), retake, "", jobs.into_iter().map(Ok::<_, Infallible>)).unwrap();
    foreseen.compare(&Compared::default()).unwrap();
    to_buy(&foreseen)
}

pub(in crate::ledger) fn to_buy(foreseen: &impl Foreseen) -> Vec<String> {
    let mut ids = Vec::new();
    let all = &mut |job: ToBuy| {
        ids.push(job.id);
        Ok::<_, Infallible>(())
    };
    foreseen.to_buy(false, all).unwrap().unwrap();
    ids
}

/// Loads jobs of these ids, each with its id as its prompt.
pub(in crate::ledger) fn load_ids(ledger: &mut SqliteLedger, batch: BatchKey, ids: &[&str]) -> PlanLoad {
    let endpoint = endpoint();
    load(ledger, batch, &Retake::default(), ids.iter().map(|id| planned(&endpoint, id, id)).collect())
}

pub(in crate::ledger) fn in_memory(ids: &[&str]) -> (SqliteLedger, BatchKey) {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, ids);
    (ledger, batch)
}

pub(in crate::ledger) fn pending(ledger: &SqliteLedger, batch: BatchKey) -> Vec<PendingJob> {
    ledger.pending(batch, None, 1_000).unwrap()
}

pub(in crate::ledger) fn intend(ledger: &mut SqliteLedger, intent: NewIntent) -> DurableIntent {
    match ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap() {
        Committed::Intent(intent) => intent,
        other => panic!("{other:?}"),
    }
}

pub(in crate::ledger) fn answer(ledger: &mut SqliteLedger, payment: PaymentKey, status: u16) -> AnswerKey {
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(status) };
    match ledger.apply(NOW, record).unwrap() {
        Committed::Answer(key) => key,
        other => panic!("{other:?}"),
    }
}

/// Buys a pending job from intent to delivery.
pub(in crate::ledger) fn deliver(ledger: &mut SqliteLedger, job: &PendingJob, n: u8) -> PaymentKey {
    let payment = intend(ledger, new_intent(job, n)).payment();
    ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(ledger, payment, 200);
    ledger
        .apply(
            NOW,
            Record::Delivered {
                payment,
                answer,
                url: "https://seller.example/v/1".to_owned(),
                more: Vec::new(),
                own: false,
            },
        )
        .unwrap();
    payment
}

/// How each job of the batch stands: id, take, state, reason.
pub(in crate::ledger) fn standing(ledger: &SqliteLedger, batch: BatchKey) -> Vec<(String, u32, JobState, Reason)> {
    let mut rows = Vec::new();
    ledger
        .latest_takes(batch, &mut |row| {
            rows.push((row.id, row.take, row.state, row.reason));
            Ok(())
        })
        .unwrap()
        .unwrap();
    rows
}

/// One more take of a job, which no word asked for.
pub(in crate::ledger) fn further_take(ledger: &SqliteLedger, job: JobKey) {
    let PersonFacts { takes, next, .. } = store::person_facts(&ledger.conn, job).unwrap();
    let latest = takes.iter().map(|take| take.take).max().unwrap();
    store::write(&ledger.conn, &Write::FurtherTake { of: job, key: next, take: latest + 1, moved: 1 }).unwrap();
}
