//! A ledger that version 0.1 wrote: it is taken along as it is, and nobody takes it from under a run of that version.

use std::path::Path;

use rusqlite::Connection;

use crate::error::Hinted;
use crate::ledger::port::{Batches, Inspection, Records, Views};
use crate::ledger::sqlite::schema::tests::objects;
use crate::ledger::sqlite::{BatchLock, SqliteLedger};
use crate::ledger::{LedgerError, OpenMode, OpenStage};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// What 0.1.0 wrote, as SQLite tells it: every state that a job can be left in, takes, a decision, caps.
const OLD: &str = include_str!("../../../../tests/e2e/v01/ledger.sql");
const BODY: &[u8] =
    include_bytes!("../../../../tests/e2e/v01/9f028444fe4efed4fd42bb5997461542b8c28c71c5214c504b81d0802445b8e5");

pub(super) fn write_old(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(OLD).unwrap();
    conn.pragma_update(None, "application_id", 0x4c34_426b).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    let bodies = path.with_file_name("ledger.db.bodies");
    std::fs::create_dir(&bodies).unwrap();
    std::fs::write(bodies.join("9f028444fe4efed4fd42bb5997461542b8c28c71c5214c504b81d0802445b8e5"), BODY).unwrap();
}

/// Every table with the columns that it has.
fn tables(conn: &Connection) -> Vec<(String, String)> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    names
        .map(|name| {
            let name = name.unwrap();
            let columns = "SELECT group_concat(name, ', ') FROM pragma_table_info(?1)";
            let columns = conn.query_row(columns, [&name], |row| row.get(0)).unwrap();
            (name, columns)
        })
        .collect()
}

/// Every row, in these columns.
fn rows(conn: &Connection, tables: &[(String, String)]) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in tables {
        let quoted = columns.replace(", ", ") || ' ' || quote(");
        let sql = format!("SELECT quote({quoted}) AS row FROM {table} ORDER BY row");
        let mut statement = conn.prepare(&sql).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        all.extend(found.map(|row| format!("{table} {}", row.unwrap())));
    }
    all
}

#[test]
fn a_ledger_of_version_1_is_taken_along_row_by_row() {
    for mode in [OpenMode::Write, OpenMode::Read] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        write_old(&path);
        let old = Connection::open(&path).unwrap();
        let mut tables = tables(&old);
        // What stood there is known from the payments.
        tables.retain(|(name, _)| name != "nodes");
        let before = rows(&old, &tables);
        assert!(before.len() > 100, "{}", before.len());
        drop(old);

        let ledger = SqliteLedger::open(&path, mode).unwrap();
        ledger.check_money(None).unwrap();
        assert_eq!(rows(&ledger.conn, &tables), before, "{mode:?}");
        let batches = ledger.batches().unwrap();
        let jobs: u64 = batches.iter().map(|(_, counts)| counts.all_jobs()).sum();
        assert_eq!((batches.len(), jobs), (9, 14), "a take that was superseded is none of them");
        for (batch, _) in &batches {
            ledger.results(batch.key, &mut |_| Ok(())).unwrap().unwrap();
            ledger.receipts(batch.key, &mut |_| Ok(())).unwrap().unwrap();
        }
        let open = ledger.open_jobs(None).unwrap();
        let standing: Vec<_> = open.iter().map(|job| (job.id.as_str(), job.state, job.reason)).collect();
        assert_eq!(standing.len(), 4, "{standing:?}");
        assert!(standing.contains(&("1", JobState::InDoubt, Reason::PaymentInFlight)));
        for job in &open {
            match &job.stage {
                OpenStage::Intended(intent) => drop(ledger.request(intent.payment()).unwrap()),
                OpenStage::Paid(purchase) => drop(ledger.request(purchase.payment()).unwrap()),
                other => panic!("{other:?}"),
            }
        }
        let without = "SELECT count(*) FROM jobs WHERE given IS NULL";
        let without: i64 = ledger.conn.query_row(without, [], |row| row.get(0)).unwrap();
        assert_eq!(without, 0, "what was given follows from endpoint and parameters");
        let plain = ledger.batch("plain").unwrap().unwrap();
        assert_eq!(ledger.takes(plain.key, "1").unwrap().len(), 2);
    }
}

/// What that version wrote stands in its ledgers as it wrote it, blank by blank.
#[test]
fn a_ledger_of_version_1_is_checked_by_what_a_new_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    write_old(&path);
    let stepped = SqliteLedger::open(&path, OpenMode::Write).unwrap();
    let checks = |ledger: &SqliteLedger| {
        let mut objects = objects(&ledger.conn);
        objects.sort();
        objects
    };
    let (stepped, new) = (checks(&stepped), checks(&SqliteLedger::in_memory().unwrap()));
    for (stepped, new) in stepped.iter().zip(&new) {
        assert_eq!(stepped, new);
    }
    assert_eq!(stepped.len(), new.len());
}

#[test]
fn a_ledger_on_which_a_run_of_version_1_works_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    write_old(&path);
    let running = BatchLock::take(&path, "plain", UnixMs(1)).unwrap();
    for mode in [OpenMode::Write, OpenMode::Read] {
        let error = SqliteLedger::open(&path, mode).unwrap_err();
        assert!(matches!(&error, LedgerError::Io(_) if error.told().contains("older version")), "{error}");
    }
    let version: i64 =
        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    drop(running);
    SqliteLedger::open(&path, OpenMode::Read).unwrap();
}
