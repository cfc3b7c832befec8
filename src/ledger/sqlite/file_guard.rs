//! Whether the file that is written is still the one at the ledger's path. A database that was deleted or replaced while
//! it is open takes every commit, and keeps none of them: that must be known before money follows a commit.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::Fault;
use super::file::beside;
use super::gap::rescued_path;
use crate::error::SharedError;
use crate::ledger::{LedgerError, Obstacle};

/// Copies that may stand beside a ledger at most.
const RESCUED_MAX: u32 = 100;

/// The files of an open ledger, by device and inode.
#[derive(Debug)]
pub(super) struct FileGuard {
    path: PathBuf,
    log: PathBuf,
    file_held: Option<(u64, u64)>,
    /// Known from the first look on: SQLite makes the log with the first transaction, and keeps it while it is open.
    log_held: Cell<Option<(u64, u64)>>,
}

impl FileGuard {
    /// Of a ledger that has just been opened there, without links.
    pub(super) fn new(path: &Path) -> Self {
        let log = beside(path, "-wal");
        Self { file_held: inode(path), log_held: Cell::new(inode(&log)), path: path.to_owned(), log }
    }

    /// Looks whether both files are still in their places. Where they are not, what the ledger holds is saved beside it.
    pub(super) fn check(&self, conn: &Connection) -> Result<(), Fault> {
        let log = inode(&self.log);
        let log_held = self.log_held.get().or(log);
        self.log_held.set(log_held);
        let whole = |held: Option<_>, found| held.is_some() && held == found;
        if whole(self.file_held, inode(&self.path)) && (log_held.is_none() || log_held == log) {
            return Ok(());
        }
        let rescued = self.rescue(conn).map(|copy| copy.display().to_string());
        Err(LedgerError::Io(Obstacle::Replaced { rescued }).into())
    }

    fn rescue(&self, conn: &Connection) -> Result<PathBuf, SharedError> {
        for n in 1..=RESCUED_MAX {
            let copy = rescued_path(&self.path, n);
            // An empty file of our own, so that nobody else can read what is written into it.
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let name = copy.display().to_string();
                    return match conn.execute("VACUUM INTO ?1", [name]) {
                        Ok(_) => Ok(copy),
                        Err(error) => Err(SharedError::new(error)),
                    };
                }
            }
        }
        Err(SharedError::new("too many copies stand there already"))
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}
