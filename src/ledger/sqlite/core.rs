//! The synchronous core: one connection, and records applied to it in transactions.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::bodies::Bodies;
use super::commit::{Done, Way, answer_of, commit, one_by_one, together};
use super::error::{Fault, of_sqlite};
use super::file_guard::FileGuard;
use super::{file, gap, lock, schema};
use crate::catalog::Endpoint;
use crate::ledger::port::{Fate, RECORD_IN_PART, Whole};
use crate::ledger::{LedgerError, Obstacle, OpenMode, Record, Recorded};
use crate::safe_open;
use crate::time::UnixMs;

/// How long another process may hold the write lock (loading a large plan) before this one gives up.
const BUSY_WAIT: Duration = Duration::from_secs(60);
/// Statements kept prepared: more than a command comes to. A payment is written by another one for each set of columns that change
/// together, of which there are some dozens.
const STATEMENTS_MAX: usize = 256;
/// Of a ledger that is made anew. A commit appends every page that it touches to the log, whole: most of it stands there already, and the
/// less of it the better.
const PAGE_BYTES: i64 = 1_024;
/// Bytes of pages in the write-ahead log before a commit also checkpoints. Most pages change with every commit, and only their last state
/// is copied at a checkpoint.
const CHECKPOINT_BYTES: i64 = 16 * 1_024 * 1_024;
/// So much of the file is kept in memory at most, in KiB: in SQLite's own 2 MiB the indexes of a large plan do not stay while it is
/// loaded.
const CACHE_KIB: i64 = 16 * 1024;
/// The same while writes are carried out as one: a large plan that is taken in is gone through several times before it is committed, and what
/// has not stayed is read anew each time.
const WHOLE_CACHE_KIB: i64 = 64 * 1024;
/// The log is cut to this size at a checkpoint, so that one large load does not stay on the disk.
const JOURNAL_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// A ledger: every batch, payment and answer, and the only way to change them.
///
/// After an error other than a contradiction the outcome of the last transaction is unknown, and nothing more is
/// written through this value; but for answers, where it was rolled back on its way to the commit.
#[derive(Debug)]
pub struct SqliteLedger {
    pub(super) conn: Connection,
    pub(super) bodies: Bodies,
    /// Endpoints by row; their rows never change.
    pub(super) endpoints: RefCell<HashMap<i64, Arc<Endpoint>>>,
    path: Option<PathBuf>,
    /// None in memory.
    held: Option<FileGuard>,
    pub(super) created: bool,
    broken: Option<LedgerError>,
    /// No other part of this process opens the file while this lives. Dropped after the connection.
    _kept: Option<safe_open::Kept>,
}

impl SqliteLedger {
    /// Opens the ledger at `path`; to write, folders (0700) and file (0600) are created where they are missing.
    ///
    /// # Errors
    /// Where the file cannot be used, is no ledger, is damaged, was written by a newer version, or lies on a network or
    /// FUSE file system.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, LedgerError> {
        Self::open_file(path, mode).map_err(|fault| file::named(fault, path))
    }

    fn open_file(path: &Path, mode: OpenMode) -> Result<Self, Fault> {
        let created = mode == OpenMode::Write && !path.exists();
        let mut conn = match mode {
            OpenMode::Write => {
                file::prepare_writable(path)?;
                let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
                Connection::open_with_flags(path, flags)?
            }
            OpenMode::Read => {
                file::prepare_readable(path)?;
                file::connect_to_read(path)?
            }
        };
        let mut kept = safe_open::keep_from_others(path);
        configure(&conn)?;
        file::check_whole(&conn, path)?;
        let name = path.display().to_string();
        match mode {
            OpenMode::Write => {
                if schema::is_older(&conn)? {
                    lock::refuse_running(path)?;
                }
                // One that is there keeps the size that it has.
                conn.pragma_update(None, "page_size", PAGE_BYTES)?;
                schema::create_or_migrate(&mut conn, &name)?;
                file::close_to_others(path)?;
                log_ahead(&conn)?;
            }
            OpenMode::Read => {
                if schema::is_empty(&conn)? {
                    // Whoever was to make it has got no further: it holds what none holds, and whoever writes makes it one.
                    conn = Connection::open_in_memory()?;
                    kept = None;
                    configure(&conn)?;
                    schema::create_or_migrate(&mut conn, &name)?;
                } else if schema::is_older(&conn)? {
                    // Views need the newest schema; whoever opens it to write brings it there.
                    drop(conn);
                    drop(Self::open_file(path, OpenMode::Write)?);
                    return Self::open_file(path, mode);
                }
                schema::check(&conn, &name)?;
            }
        }
        let path = file::true_path(path)?;
        let mut ledger = Self { _kept: kept, ..Self::of(conn, Bodies::of_ledger(&path), Some(path), created) };
        if mode == OpenMode::Write && ledger.bodies.exist() {
            let tx = ledger.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            ledger.bodies.sweep(&tx)?;
            tx.commit()?;
        }
        Ok(ledger)
    }

    /// A ledger in memory, for tests and simulation. Bodies of any size stand in it.
    ///
    /// # Errors
    /// Where SQLite cannot give one.
    pub fn in_memory() -> Result<Self, LedgerError> {
        let open = || -> Result<Self, Fault> {
            let mut conn = Connection::open_in_memory()?;
            configure(&conn)?;
            schema::create_or_migrate(&mut conn, "the ledger in memory")?;
            Ok(Self::of(conn, Bodies::inline(), None, true))
        };
        open().map_err(Fault::into_error)
    }

    fn of(conn: Connection, bodies: Bodies, path: Option<PathBuf>, created: bool) -> Self {
        conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let held = path.as_deref().map(FileGuard::new);
        Self { conn, bodies, endpoints: RefCell::default(), path, held, created, broken: None, _kept: None }
    }

    /// Where it is, without links; none in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// See [`Records::apply_all`](crate::ledger::port::Records::apply_all).
    pub(super) fn make_durable(
        &mut self,
        records: Vec<(UnixMs, Record)>,
    ) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError> {
        if self.is_part() {
            return Err(LedgerError::Contradiction(RECORD_IN_PART.to_owned()));
        }
        let done = match self.carry_out(&records, together) {
            // What the rules let pass does not fit the rows: which record that is of is found out one by one.
            Err(LedgerError::Contradiction(_) | LedgerError::OfJob { .. }) => self.carry_out(&records, one_by_one),
            done => done,
        };
        let Done { outcomes, unused, begun } = done?;
        self.remove_bodies(&unused);
        match begun {
            Some(begun) => self.note_newest(&begun).map(|()| outcomes),
            None => Ok(outcomes),
        }
    }

    /// Carries records out in one transaction. Where that breaks on the way to its commit, answers that were to stand together with their
    /// results are kept alone, as nobody may answer so again: that is tried once, and changes nothing of what went wrong.
    fn carry_out(&mut self, records: &[(UnixMs, Record)], way: Way) -> Result<Done, LedgerError> {
        let mut is_on_its_way = false;
        let done = self.note(|tx, bodies| {
            let done = commit(tx, bodies, records, way);
            is_on_its_way = done.is_err();
            done
        });
        if is_on_its_way && let Some(broken) = self.broken.take() {
            for (now, record) in records {
                let answer = match record {
                    Record::Answer { .. } => Some(record.clone()),
                    _ => answer_of(record),
                };
                let Some(answer) = answer else { continue };
                let _read_by_the_next_run = self.note(|tx, bodies| commit(tx, bodies, &[(*now, answer)], one_by_one));
                self.broken = None;
            }
            self.broken = Some(broken);
        }
        done
    }

    /// Notes the newest intent beside the ledger, before its payment is begun.
    fn note_newest(&mut self, begun: &gap::Begun) -> Result<(), LedgerError> {
        let Some(path) = &self.path else { return Ok(()) };
        gap::note_newest(path, begun).map_err(|error| {
            let broken = LedgerError::failed("its newest intent cannot be noted beside it", error);
            self.broken = Some(broken.clone());
            broken
        })
    }

    /// Runs one write transaction, or a part of the one under way (see [`Whole`]), and counts it where it has changed anything: views of
    /// what was before are older than the ledger.
    ///
    /// # Errors
    /// A contradiction rolls everything that it wrote back. After any other error nothing more is written.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &Bodies) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        self.note(|tx, bodies| {
            let before = tx.total_changes();
            let done = work(tx, bodies)?;
            if tx.total_changes() != before {
                tx.prepare_cached("UPDATE ledger_id SET changes = changes + 1")?.execute([])?;
            }
            Ok(done)
        })
    }

    /// The same, where it changes nothing of what a view shows.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) fn note<T>(
        &mut self,
        work: impl FnOnce(&Connection, &Bodies) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        self.unless_broken(|ledger| {
            // What is dropped on the way is rolled back.
            if ledger.is_part() {
                let part = ledger.conn.savepoint()?;
                let done = work(&part, &ledger.bodies)?;
                part.commit()?;
                return Ok(done);
            }
            ledger.in_place()?;
            let tx = ledger.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx, &ledger.bodies)?;
            tx.commit().map_err(of_sqlite)?;
            ledger.in_place()?;
            Ok(done)
        })
    }

    /// Writes, unless that has failed before.
    fn unless_broken<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, LedgerError> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        work(self).map_err(|fault| match fault {
            Fault::Contradiction(what) => LedgerError::Contradiction(what),
            // The others' rows are sound.
            Fault::Fatal(error @ LedgerError::OfJob { .. }) => error,
            Fault::Fatal(error) => {
                self.broken = Some(error.clone());
                error
            }
        })
    }

    /// Whether [`Whole`] has begun a transaction: what is written is a part of it, and its file is looked for around the whole.
    fn is_part(&self) -> bool {
        !self.conn.is_autocommit()
    }

    /// Keeps what [`Whole`] has begun.
    fn keep(&mut self) -> Result<(), Fault> {
        self.conn.execute_batch("COMMIT").map_err(of_sqlite)?;
        self.in_place()
    }

    /// Takes it back, where a failure has not done so already.
    fn take_back(&mut self) -> Result<(), LedgerError> {
        // Rows of endpoints that were new are none.
        self.endpoints.borrow_mut().clear();
        let undone = if self.is_part() { self.conn.execute_batch("ROLLBACK") } else { Ok(()) };
        undone.map_err(|error| {
            let broken = Fault::from(error).into_error();
            self.broken = Some(broken.clone());
            broken
        })
    }

    fn in_place(&self) -> Result<(), Fault> {
        self.held.as_ref().map_or(Ok(()), |held| held.check(&self.conn))
    }

    /// Removes the files of bodies that no open payment needs any more. What cannot be removed now is swept when the
    /// ledger is opened again: it costs room and nothing else.
    fn remove_bodies(&mut self, unused: &[[u8; 32]]) {
        if unused.is_empty() {
            return;
        }
        let mut run = || -> Result<(), Fault> {
            let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for digest in unused {
                self.bodies.remove_unused(&tx, digest)?;
            }
            Ok(tx.commit()?)
        };
        let _swept_later = run();
    }
}

impl Whole for SqliteLedger {
    fn as_one<T, E: From<LedgerError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(T, Fate), E>,
    ) -> Result<T, E> {
        self.unless_broken(|ledger| {
            ledger.in_place()?;
            keep_in_memory(&ledger.conn, WHOLE_CACHE_KIB)?;
            Ok(ledger.conn.execute_batch("BEGIN IMMEDIATE")?)
        })?;
        let done = work(self);
        let kept = match &done {
            Ok((_, Fate::Kept)) => self.unless_broken(Self::keep),
            Ok((_, Fate::TakenBack)) | Err(_) => self.take_back(),
        };
        if kept.is_err() {
            // Nothing of it is to be read as if it stood.
            let _what_ended_it_counts = self.take_back();
        }
        let _at_the_cost_of_memory_else = keep_in_memory(&self.conn, CACHE_KIB);
        let (done, _) = done?;
        kept?;
        Ok(done)
    }
}

pub(super) fn configure(conn: &Connection) -> Result<(), Fault> {
    conn.busy_timeout(BUSY_WAIT)?;
    keep_in_memory(conn, CACHE_KIB)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // Without these an Apple disk may keep a "synced" write in its own cache. No effect elsewhere.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // Else a statement that a partial index could serve is parsed anew whenever a value is bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Keeps so many KiB of the file in memory at most.
fn keep_in_memory(conn: &Connection, most_kib: i64) -> rusqlite::Result<()> {
    conn.pragma_update(None, "cache_size", -most_kib)
}

fn log_ahead(conn: &Connection) -> Result<(), Fault> {
    let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(LedgerError::Io(Obstacle::Journal(mode)).into());
    }
    let page_bytes: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = CHECKPOINT_BYTES / page_bytes.max(1);
    conn.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", JOURNAL_BYTES_MAX, |_| Ok(()))?;
    Ok(())
}
