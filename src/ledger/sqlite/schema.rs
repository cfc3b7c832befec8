//! The tables, and how a file is known to hold them.

use std::borrow::Cow;

use rusqlite::{Connection, TransactionBehavior};

use super::error::Fault;
use super::given;
use crate::ledger::{Damage, LedgerError};
use crate::manifest::normal_id;

/// `PRAGMA application_id`: "L4Bk" in ASCII. A file without it is not ours.
pub(super) const APPLICATION_ID: i64 = 0x4c34_426b;

/// `PRAGMA user_version`: the newest schema that this program knows, [`CURRENT`]; one more than there are [`STEPS`].
pub(super) const SCHEMA_VERSION: i64 = 2;

/// The condition of `payments_open`; a query that repeats it word for word is answered from that index.
pub(super) const OPEN_PAYMENT: &str =
    "(p.state = 'intended' OR p.state = 'paid' OR (p.state = 'posted' AND p.delivered_at IS NULL))";

/// That a job `o` is bought: delivered, paid, open or lost. What was refunded is none. The first condition is that of `jobs_bought`, and
/// true of whatever is bought: the table's own check says so.
pub(super) const BOUGHT: &str =
    "o.begun = 1 AND (o.state = 'running' OR o.state = 'in_doubt' OR o.state = 'paid' OR o.state = 'delivered' OR o.state = 'downloaded'
    OR o.state = 'refund_offered' OR o.state = 'lost')";

/// The condition of `jobs_unsettled`.
pub(super) const UNSETTLED: &str = "superseded = 0
    AND (state = 'pending' OR state = 'refused' OR state = 'failed' OR row_content IS NOT NULL
        OR ((state = 'delivered' OR state = 'downloaded') AND reason <> ''))";

/// The newest schema, for an empty file: SQLite reads all tables anew after each of the steps' changes to them.
const CURRENT: &str = include_str!("schema/current.sql");

/// What leads from a schema to the next: statements, and what SQL cannot tell of rows that are there already.
type Step = (&'static str, fn(&Connection) -> Result<(), Fault>);

/// Each of them, the first from schema 1. A released step never changes.
const STEPS: [Step; 1] = [(include_str!("schema/v2.sql"), fill_v2)];

/// Creates the tables where the file is empty, and takes an older ledger to the newest schema: all or nothing.
pub(super) fn create_or_migrate(conn: &mut Connection, name: &str) -> Result<(), Fault> {
    if is_behind(conn)? {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        // Another process may have done it while this one waited for the lock.
        if is_empty(&tx)? {
            tx.execute_batch(CURRENT)?;
            mark(&tx)?;
        } else if is_older(&tx)? {
            migrate(&tx)?;
            mark(&tx)?;
        }
        tx.commit()?;
    }
    check(conn, name)
}

/// Takes an older ledger to the newest schema.
fn migrate(tx: &Connection) -> Result<(), Fault> {
    let done = usize::try_from(pragma(tx, "user_version")?).unwrap_or(usize::MAX).saturating_sub(1);
    for (statements, fill) in STEPS.iter().skip(done) {
        tx.execute_batch(statements)?;
        fill(tx)?;
    }
    Ok(())
}

fn fill_v2(tx: &Connection) -> Result<(), Fault> {
    compare_ids_in_nfc(tx)?;
    given::fill_given(tx)
}

/// Says that the newest schema stands in it.
fn mark(tx: &Connection) -> Result<(), Fault> {
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(tx.pragma_update(None, "user_version", SCHEMA_VERSION)?)
}

/// Schema 1 kept ids as they were given. One that another job of its batch has in NFC already stays as it is.
fn compare_ids_in_nfc(tx: &Connection) -> Result<(), Fault> {
    let mut statement = tx.prepare("SELECT DISTINCT job FROM jobs WHERE job GLOB '*[^ -~]*'")?;
    let ids: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in ids {
        if let Cow::Owned(normal) = normal_id(&id) {
            let elsewhere = "batch NOT IN (SELECT batch FROM jobs WHERE job = ?2)";
            tx.execute(&format!("UPDATE jobs SET job = ?2 WHERE job = ?1 AND {elsewhere}"), [&id, &normal])?;
        }
    }
    Ok(())
}

/// Whether it is an older version's ledger, which has to be migrated before it is used.
pub(super) fn is_older(conn: &Connection) -> Result<bool, Fault> {
    Ok(pragma(conn, "application_id")? == APPLICATION_ID
        && (1..SCHEMA_VERSION).contains(&pragma(conn, "user_version")?))
}

fn is_behind(conn: &Connection) -> Result<bool, Fault> {
    Ok(is_empty(conn)? || is_older(conn)?)
}

/// Checks that the file holds our tables, in the version that this program writes.
pub(super) fn check(conn: &Connection, name: &str) -> Result<(), Fault> {
    check_ours(conn, name)?;
    match pragma(conn, "user_version")? {
        SCHEMA_VERSION => Ok(()),
        found if found > SCHEMA_VERSION => Err(LedgerError::Newer { found, known: SCHEMA_VERSION }.into()),
        found => Err(LedgerError::from(Damage::Schema { name: name.to_owned(), version: found }).into()),
    }
}

/// Checks that the file holds our tables, in whatever version.
pub(super) fn check_ours(conn: &Connection, name: &str) -> Result<(), Fault> {
    if pragma(conn, "application_id")? == APPLICATION_ID {
        return Ok(());
    }
    Err(LedgerError::from(Damage::Stranger(name.to_owned())).into())
}

/// Whether nothing stands in it: no ledger, and nothing else.
pub(super) fn is_empty(conn: &Connection) -> Result<bool, Fault> {
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0 && pragma(conn, "application_id")? == 0 && pragma(conn, "user_version")? == 0)
}

fn pragma(conn: &Connection, name: &str) -> Result<i64, Fault> {
    Ok(conn.pragma_query_value(None, name, |row| row.get(0))?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ledger::sqlite::tests::support::in_memory;

    fn of_version_1() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema/v1.sql")).unwrap();
        conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        conn
    }

    /// All that the schema says, table by table, in the order in which SQLite tries it, whatever its blanks.
    pub(in crate::ledger::sqlite) fn objects(conn: &Connection) -> Vec<String> {
        let mut statement =
            conn.prepare("SELECT tbl_name, type, name, sql FROM sqlite_schema ORDER BY 1, rowid").unwrap();
        let objects = statement.query_map([], |row| {
            let (table, kind, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sql = row.get::<_, Option<String>>(3)?.unwrap_or_default();
            let sql = ["(", ")", ","].iter().fold(sql, |sql, sign| sql.replace(sign, &format!(" {sign} ")));
            Ok(format!("{table}: {kind} {name}: {}", sql.split_whitespace().collect::<Vec<_>>().join(" ")))
        });
        objects.unwrap().map(Result::unwrap).collect()
    }

    /// The same, and how many rows there are.
    fn told(conn: &Connection) -> Vec<String> {
        let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
        let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let rows = tables.map(|name| {
            let rows = conn.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get::<_, i64>(0));
            format!("{name}: {} rows", rows.unwrap())
        });
        let marks = ["application_id", "user_version"].map(|name| format!("{name} {}", pragma(conn, name).unwrap()));
        objects(conn).into_iter().chain(rows).chain(marks).collect()
    }

    #[test]
    fn an_empty_file_gets_the_very_tables_that_an_older_ledger_is_brought_to() {
        let mut made = Connection::open_in_memory().unwrap();
        create_or_migrate(&mut made, "a test").unwrap();
        let mut brought = of_version_1();
        create_or_migrate(&mut brought, "a test").unwrap();
        let (made, brought) = (told(&made), told(&brought));
        for (made, brought) in made.iter().zip(&brought) {
            assert_eq!(made, brought, "current.sql, and what the steps lead to");
        }
        assert_eq!(made.len(), brought.len());
    }

    #[test]
    fn what_the_first_schema_lacked_is_filled_in_by_its_own_step_alone() {
        let ledger = in_memory(&["a"]).0;
        ledger.conn.execute("UPDATE jobs SET given = NULL, job = 'cafe\u{301}'", []).unwrap();
        // As a ledger of the second schema will be before a third.
        migrate(&ledger.conn).unwrap();
        let kept = "SELECT count(*) FROM jobs WHERE given IS NULL AND job = 'cafe\u{301}'";
        assert_eq!(
            ledger.conn.query_row(kept, [], |row| row.get::<_, i64>(0)).unwrap(),
            1,
            "a merge may have forgotten it"
        );
    }

    #[test]
    fn what_the_first_schema_kept_decomposed_is_found_composed() {
        let mut conn = of_version_1();
        conn.execute_batch(
            "INSERT INTO endpoints (id, hash, json) VALUES (1, zeroblob(32), '{}');
             INSERT INTO batches (id, name, manifest, sandbox, remembered, created_at, last_run_at)
             VALUES (1, 'june', '/j', 0, '', 0, 0), (2, 'july', '/k', 0, '', 0, 0);",
        )
        .unwrap();
        let (nfd, nfc) = ("cafe\u{301}", "caf\u{e9}");
        for (batch, id, take) in [(1, nfd, 1), (1, nfd, 2), (1, "b", 1), (2, nfd, 1), (2, nfd, 2), (2, nfc, 1)] {
            conn.execute(
                "INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat, state, reason,
                     first_load, last_load, params, extra)
                 VALUES (?1, ?2, ?3, 0, 0, 1, zeroblob(32), 1, 1, 'pending', '', 1, 1, '[]', '[]')",
                rusqlite::params![batch, id, take],
            )
            .unwrap();
        }
        create_or_migrate(&mut conn, "a test").unwrap();
        let count = |batch: i64, id: &str| {
            let sql = "SELECT count(*) FROM jobs WHERE batch = ?1 AND job = ?2";
            conn.query_row(sql, rusqlite::params![batch, id], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((count(1, nfd), count(1, nfc)), (0, 2), "every take of it");
        assert_eq!((count(2, nfd), count(2, nfc)), (2, 1), "where both are there they were two jobs, and stay so");
    }
}
