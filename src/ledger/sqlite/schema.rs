//! The tables, and how a file is known to hold them.

use rusqlite::{Connection, TransactionBehavior};

use super::error::Fault;
use crate::ledger::LedgerError;

/// `PRAGMA application_id`: "L4Bk" in ASCII. A file without it is not ours.
pub(super) const APPLICATION_ID: i64 = 0x4c34_426b;

/// `PRAGMA user_version`: the newest schema that this program knows, one for each of [`STEPS`].
pub(super) const SCHEMA_VERSION: i64 = 2;

/// The condition of `payments_open`; a query that repeats it word for word is answered from that index.
pub(super) const OPEN_PAYMENT: &str =
    "(p.state IN ('intended', 'paid') OR (p.state = 'posted' AND p.delivered_at IS NULL))";

/// What leads from each schema to the next, the first from an empty file. A released step never changes.
const STEPS: [&str; 2] = [include_str!("schema/v1.sql"), include_str!("schema/v2.sql")];

/// Creates the tables where the file is empty, and takes an older ledger to the newest schema: all or nothing.
pub(super) fn create_or_migrate(conn: &mut Connection, name: &str) -> Result<(), Fault> {
    if is_behind(conn)? {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        // Another process may have done it while this one waited for the lock.
        if is_behind(&tx)? {
            let done = usize::try_from(pragma(&tx, "user_version")?).unwrap_or(STEPS.len());
            for step in STEPS.iter().skip(done) {
                tx.execute_batch(step)?;
            }
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        tx.commit()?;
    }
    check(conn, name)
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
        found => Err(LedgerError::Foreign(format!(
            "{name} is damaged: it claims the schema version {found}, which never was; restore it from a backup"
        ))
        .into()),
    }
}

/// Checks that the file holds our tables, in whatever version.
pub(super) fn check_ours(conn: &Connection, name: &str) -> Result<(), Fault> {
    if pragma(conn, "application_id")? == APPLICATION_ID {
        return Ok(());
    }
    Err(LedgerError::Foreign(format!("{name} is no ledger of l402-batch; name another file with --ledger")).into())
}

fn is_empty(conn: &Connection) -> Result<bool, Fault> {
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0 && pragma(conn, "application_id")? == 0 && pragma(conn, "user_version")? == 0)
}

fn pragma(conn: &Connection, name: &str) -> Result<i64, Fault> {
    Ok(conn.pragma_query_value(None, name, |row| row.get(0))?)
}
