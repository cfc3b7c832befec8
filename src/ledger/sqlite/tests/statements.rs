//! How many statements SQLite carries out for one purchase, where many are recorded together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{AnswerKind, Committed, DownloadedFile, FetchMark, Record};

/// Purchases that are under way together.
const TOGETHER: u8 = 32;

/// Commits these in one group, and gives what is handed back.
fn commit(ledger: &mut SqliteLedger, records: impl Iterator<Item = Record>) -> Vec<Committed> {
    let outcomes = ledger.apply_all(records.map(|record| (NOW, record)).collect()).unwrap();
    outcomes.into_iter().map(|outcome| outcome.unwrap().committed).collect()
}

/// From the intent to the file, each step of all of them in one group; gives the statements of one purchase, in hundredths.
fn statements_of_one() -> u64 {
    let ids: Vec<String> = (0..TOGETHER).map(|n| format!("job{n}")).collect();
    let (mut ledger, batch) = in_memory(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let jobs = pending(&ledger, batch);
    let counted = Arc::new(AtomicU64::new(0));
    let count = {
        let counted = Arc::clone(&counted);
        move |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(..) = event {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    ledger.conn.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count)).unwrap();
    let intents = (0..).zip(&jobs).map(|(n, job)| Record::Intend(Box::new(new_intent(job, n))));
    let payments: Vec<_> = commit(&mut ledger, intents)
        .into_iter()
        .map(|committed| match committed {
            Committed::Intent(intent) => intent.payment(),
            other => panic!("{other:?}"),
        })
        .collect();
    commit(&mut ledger, (0..).zip(&payments).map(|(n, payment)| paid(*payment, n, Some(posted()))));
    let answers = payments.iter().map(|payment| Record::Answer {
        payment: *payment,
        kind: AnswerKind::Redeem,
        answer: http(200),
    });
    let answers: Vec<_> = commit(&mut ledger, answers)
        .into_iter()
        .map(|committed| match committed {
            Committed::Answer(key) => key,
            other => panic!("{other:?}"),
        })
        .collect();
    let url = |n: usize| format!("https://seller.example/v/{n}");
    let delivered = (0..).zip(payments.iter().zip(&answers));
    commit(
        &mut ledger,
        delivered.map(|(n, (payment, answer))| Record::Delivered {
            payment: *payment,
            answer: *answer,
            url: url(n),
            own: true,
        }),
    );
    let file = |id: &str| format!("/videos/{id}.mp4");
    let fetching = |id: &str| FetchMark { file: file(id), ..FetchMark::default() };
    commit(&mut ledger, jobs.iter().map(|job| Record::Fetching(job.key, fetching(&job.id))));
    let whole = |id: &str| DownloadedFile { file: file(id), sha256: [1; 32] };
    commit(&mut ledger, jobs.iter().map(|job| Record::Downloaded(job.key, whole(&job.id))));
    let statements = counted.load(Ordering::Relaxed);
    ledger.check_money(None).unwrap();
    statements * 100 / u64::from(TOGETHER)
}

#[test]
fn a_purchase_costs_few_statements_where_many_are_recorded_together() {
    let hundredths = statements_of_one();
    assert!(hundredths <= 1_700, "{hundredths} hundredths of a statement for each purchase");
}
