//! How many statements SQLite carries out for one purchase, where many are recorded together; and for one job, where a plan is loaded.

use std::convert::Infallible;

use rusqlite::trace::TraceEventCodes;

use super::support::*;
use crate::ledger::OpenMode;
use crate::ledger::port::{Fate, Whole};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::sqlite::views::ALL_TAKES;
use crate::ledger::{
    AnswerKind, BatchKey, Committed, DownloadedFile, FetchMark, LedgerError, PendingJob, Record, Retake, TakeId,
};
use crate::plan::PlanDigest;

/// Purchases that are under way together.
const TOGETHER: u8 = 32;

/// Commits these in one group, and gives what is handed back.
fn commit(ledger: &mut SqliteLedger, records: impl Iterator<Item = Record>) -> Vec<Committed> {
    let outcomes = ledger.apply_all(records.map(|record| (NOW, record)).collect()).unwrap();
    outcomes.into_iter().map(|outcome| outcome.unwrap().committed).collect()
}

fn many() -> (SqliteLedger, BatchKey) {
    let ids: Vec<String> = (0..TOGETHER).map(|n| format!("job{n}")).collect();
    in_memory(&ids.iter().map(String::as_str).collect::<Vec<_>>())
}

/// From the intent to the file, each step of all of them in one group.
fn buy_all(ledger: &mut SqliteLedger, jobs: &[PendingJob]) {
    buy_all_from(ledger, jobs, 0);
}

/// The same with payments of which the first has that number.
fn buy_all_from(ledger: &mut SqliteLedger, jobs: &[PendingJob], first: u8) {
    let intents = (first..).zip(jobs).map(|(n, job)| Record::Intend(Box::new(new_intent(job, n))));
    let payments: Vec<_> = commit(ledger, intents)
        .into_iter()
        .map(|committed| match committed {
            Committed::Intent(intent) => intent.payment(),
            other => panic!("{other:?}"),
        })
        .collect();
    commit(ledger, (first..).zip(&payments).map(|(n, payment)| paid(*payment, n, Some(posted()))));
    let at_once = (0..).zip(&payments).map(|(n, payment)| Record::DeliveredAtOnce {
        payment: *payment,
        kind: AnswerKind::Redeem,
        answer: http(200),
        url: format!("https://seller.example/v/{}", u32::from(first) + n),
        more: Vec::new(),
        own: true,
    });
    commit(ledger, at_once);
    let file = |id: &str| format!("/videos/{id}.mp4");
    let fetching = |id: &str| FetchMark { file: file(id), ..FetchMark::default() };
    commit(ledger, jobs.iter().map(|job| Record::Fetching(job.key, 0, fetching(&job.id))));
    let whole = |id: &str| DownloadedFile { file: file(id), sha256: [1; 32] };
    commit(ledger, jobs.iter().map(|job| Record::Downloaded(job.key, whole(&job.id))));
}

#[test]
fn a_purchase_costs_few_statements_where_many_are_recorded_together() {
    let (mut ledger, batch) = many();
    let jobs = pending(&ledger, batch);
    let (statements, ()) = count(&mut ledger, TraceEventCodes::SQLITE_TRACE_STMT, |ledger| buy_all(ledger, &jobs));
    let hundredths = statements * 100 / u64::from(TOGETHER);
    assert!(hundredths <= 1_300, "{hundredths} hundredths of a statement for each purchase");
    ledger.check_money(None).unwrap();
}

#[test]
fn a_purchase_that_is_recorded_by_itself_looks_little_up() {
    let (mut ledger, batch) = many();
    let jobs = pending(&ledger, batch);
    // The first one begins its endpoint.
    buy_all(&mut ledger, &jobs[..1]);
    let (statements, ()) =
        count(&mut ledger, TraceEventCodes::SQLITE_TRACE_STMT, |ledger| buy_all_from(ledger, &jobs[1..2], 1));
    assert!(statements <= 50, "{statements} statements");
    ledger.check_money(None).unwrap();
}

/// A commit appends each page that it touches to the log.
#[test]
fn a_purchase_touches_few_pages_of_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path, OpenMode::Write).unwrap();
    let batch = begin(&mut ledger, "june");
    let ids: Vec<String> = (0..TOGETHER).map(|n| format!("job{n}")).collect();
    load_ids(&mut ledger, batch, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let jobs = pending(&ledger, batch);
    let log = || std::fs::metadata(folder.path().join("ledger.db-wal")).unwrap().len();
    let before = log();
    buy_all(&mut ledger, &jobs);
    let bytes = (log() - before) / u64::from(TOGETHER);
    assert!(bytes <= 6_000, "{bytes} bytes of the log for each purchase");
}

/// What loading the batch's jobs with these words costs, foreseen and done.
fn load_all(ledger: &mut SqliteLedger, batch: BatchKey, retake: &Retake) -> [u64; 2] {
    let endpoint = endpoint();
    let jobs: Vec<_> = (0..TOGETHER).map(|n| format!("job{n}")).map(|id| planned(&endpoint, &id, &id)).collect();
    let rows = || jobs.iter().cloned().map(Ok::<_, Infallible>);
    let statements = TraceEventCodes::SQLITE_TRACE_STMT;
    let (foreseen, ()) = count(ledger, statements, |ledger| {
        ledger.foresee(Some(batch), retake, "", rows()).unwrap();
    });
    let (loaded, _) = count(ledger, statements, |ledger| ledger.load_plan(batch, NOW, retake, rows()).unwrap());
    [foreseen, loaded]
}

/// No job is looked for in a batch that has none.
#[test]
fn a_new_batch_is_loaded_by_one_statement_a_job() {
    const FOR_ALL: u64 = 16;
    let mut ledger = many().0;
    let july = begin(&mut ledger, "july");
    let most = u64::from(TOGETHER) + FOR_ALL;
    let costs = load_all(&mut ledger, july, &Retake::default());
    assert!(costs.iter().all(|cost| *cost <= most), "{costs:?} statements, and at most {most}");
}

/// A batch that is retaken each month is loaded at each plan and run.
#[test]
fn loading_jobs_of_several_takes_costs_one_look_up_a_job_and_a_few_for_all() {
    const FOR_ALL: u64 = 16;
    let (mut ledger, batch) = many();
    ledger.conn.execute("UPDATE jobs SET state = 'delivered', url = 'u', begun = 1", []).unwrap();
    let first = load_all(&mut ledger, batch, &Retake::default());
    let seen = |name: &str, cost: [u64; 2], a_job: u64| {
        let most = first.map(|first| first + a_job * u64::from(TOGETHER) + FOR_ALL);
        let is_little = cost.iter().zip(most).all(|(cost, most)| *cost <= most);
        assert!(is_little, "{name}: {cost:?}, and at most {most:?}");
    };
    let refunded = Retake { refunded: true, ..Retake::default() };
    seen("words that concern all and mean none", load_all(&mut ledger, batch, &refunded), 0);
    let all = Retake::of((0..TOGETHER).map(|n| TakeId { id: format!("job{n}"), take: 1 }));
    load_all(&mut ledger, batch, &all);
    ledger.accept_takes(NOW, batch).unwrap();
    // Once more what stands already, and once more as it is loaded.
    seen("second takes to be bought", load_all(&mut ledger, batch, &Retake::default()), 1);
    ledger.conn.execute("UPDATE jobs SET state = 'delivered', url = 'u', begun = 1", []).unwrap();
    seen("second takes that are bought", load_all(&mut ledger, batch, &Retake::default()), 0);
}

/// Whoever runs a batch again that is delivered waits for a few statements, however large it is.
#[test]
fn a_plan_that_is_loaded_once_more_costs_nothing_for_what_stands() {
    const FOR_ALL: u64 = 24;
    let (mut ledger, batch) = many();
    let endpoint = endpoint();
    let jobs: Vec<_> = (0..TOGETHER).map(|n| format!("job{n}")).map(|id| planned(&endpoint, &id, &id)).collect();
    let rows = || jobs.iter().cloned().map(Ok::<_, Infallible>);
    let plan = PlanDigest([1; 32]);
    ledger.note_loaded(batch, plan).unwrap();
    let again = |ledger: &mut SqliteLedger| {
        count(ledger, TraceEventCodes::SQLITE_TRACE_STMT, |ledger| {
            assert!(ledger.foresee_again(batch, plan).unwrap().is_none_or(|foreseen| to_buy(&foreseen).is_empty()));
            ledger.load_again(batch, NOW, plan, rows()).unwrap().unwrap()
        })
    };
    ledger.conn.execute("UPDATE jobs SET state = 'delivered', url = 'u', begun = 1", []).unwrap();
    let changes = ledger.changes().unwrap();
    let (statements, _) = again(&mut ledger);
    assert!(statements <= FOR_ALL, "{statements} statements for {TOGETHER} jobs");
    assert_eq!(ledger.changes().unwrap(), changes, "nothing was written");
    // Two that have failed since are tried again.
    ledger.conn.execute("UPDATE jobs SET state = 'failed' WHERE job IN ('job3', 'job9')", []).unwrap();
    let (statements, load) = again(&mut ledger);
    assert_eq!((load.again, load.new), (2, 0));
    assert!(statements <= FOR_ALL, "{statements} statements for two of {TOGETHER} jobs");
    assert_eq!(pending(&ledger, batch).iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["job3", "job9"]);
    assert_ne!(ledger.changes().unwrap(), changes);
    // A plan of other words is another one, and forgets what was loaded.
    load_all(&mut ledger, batch, &Retake::default());
    assert!(ledger.load_again(batch, NOW, plan, rows()).unwrap().is_none());
}

/// Room for all pages of a large plan is there while it is taken in, and given back whatever ends that.
#[test]
fn much_of_the_ledger_is_kept_in_memory_only_amid_what_is_one() {
    let mut ledger = many().0;
    let most_kib = |ledger: &SqliteLedger| {
        let kib: i64 = ledger.conn.pragma_query_value(None, "cache_size", |row| row.get(0)).unwrap();
        -kib
    };
    let before = most_kib(&ledger);
    for fate in [Some(Fate::Kept), Some(Fate::TakenBack), None] {
        let mut amid = 0;
        let ended = ledger.as_one::<(), LedgerError>(|ledger| {
            amid = most_kib(ledger);
            Ok(((), fate.ok_or_else(|| LedgerError::Contradiction("somebody said no".to_owned()))?))
        });
        assert_eq!((ended.is_ok(), amid, most_kib(&ledger)), (fate.is_some(), 4 * before, before), "{fate:?}");
    }
}

/// What belongs to one job is found without reading what belongs to all.
#[test]
fn what_hangs_on_a_job_is_found_by_an_index() {
    let ledger = SqliteLedger::in_memory().unwrap();
    for table in ["transitions", "payments"] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE job = 1");
        let plan: String = ledger.conn.query_row(&sql, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("SEARCH") && plan.contains("(job=?)"), "{plan}");
    }
}

/// A batch of many jobs is listed take by take in the time of its takes, and not of their square.
#[test]
fn where_a_take_stands_is_found_by_its_job() {
    let ledger = SqliteLedger::in_memory().unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", *ALL_TAKES);
    let mut statement = ledger.conn.prepare(&sql).unwrap();
    let steps: Vec<String> = statement.query_map([1], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    let is_found = |step: &String| step.contains("SEARCH j ") && step.contains("(batch=? AND job=?");
    assert!(steps.iter().any(is_found), "{steps:?}");
}
