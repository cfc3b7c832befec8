//! One run of a batch at a time, by a lock that the kernel holds: it goes with its process, so that none is ever stale.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::convert::hex;
use super::file::{beside, create_folder, true_path};
use crate::ledger::port::HeldLock;
use crate::ledger::{LedgerError, LockError, LockedBy, Obstacle};
use crate::time::UnixMs;

/// The most that is read of a lock file.
const OWNER_BYTES_MAX: u64 = 4_096;

/// How often a lock is tried for that somebody may only be looking at.
const TRIES_MAX: u32 = 10;
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// How often a lock's file may be removed under the one who opens it.
const OPENINGS_MAX: u32 = 100;

/// The right to run a batch, held until it is dropped.
#[derive(Debug)]
pub struct BatchLock {
    /// Closing it releases the lock.
    _held: File,
    path: PathBuf,
}

impl BatchLock {
    /// Takes the lock of a batch of the ledger at that path, at once or not at all; whoever only looks at it is waited for.
    ///
    /// # Errors
    /// Where another process holds it, or its file cannot be used.
    pub fn take(ledger: &Path, batch: &str, now: UnixMs) -> Result<Self, LockError> {
        let io = LockError::Io;
        let path = path_of(&true_path(ledger).map_err(io)?, batch);
        create_folder(path.parent().unwrap_or(&path)).map_err(io)?;
        let mut file = locked(&path, batch)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let owner = LockedBy { pid: Some(std::process::id()), host: Some(host), since: Some(now) };
        let text = serde_json::to_vec(&owner).map_err(|error| LockError::Io(error.into()))?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(io)?;
        Ok(Self { _held: file, path })
    }

    /// Who holds the lock of that batch now, if anybody does. Nothing is made or written for that.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub fn held_by(ledger: &Path, batch: &str) -> Result<Option<LockedBy>, LockError> {
        let io = LockError::Io;
        let open = || File::open(path_of(&ledger.canonicalize()?, batch));
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(owner(&file))),
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }
}

impl HeldLock for BatchLock {
    /// Whoever has opened the file meanwhile sees, once the lock is theirs, that it has gone, and opens another one.
    fn remove(self) {
        // One that stays is in nobody's way.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where the lock of a batch stands.
fn path_of(ledger: &Path, batch: &str) -> PathBuf {
    beside(ledger, ".locks").join(format!("{}.lock", hex(&Sha256::digest(batch))))
}

/// Whether the lock is free, and now ours; somebody who only looks has it for a moment.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES_MAX {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_EVERY),
            tried => return tried,
        }
    }
    file.try_lock()
}

/// The file at that path, with its lock.
fn locked(path: &Path, batch: &str) -> Result<File, LockError> {
    let io = LockError::Io;
    for _ in 0..OPENINGS_MAX {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Locked { batch: batch.to_owned(), by: owner(&file) });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let inode = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let ours = inode(file.metadata().map_err(io)?);
        if std::fs::metadata(path).is_ok_and(|there| inode(there) == ours) {
            return Ok(file);
        }
    }
    Err(LockError::Io(std::io::Error::other("its file is removed again and again")))
}

/// Refuses to change the schema of a ledger while a run of another version works on it: it would not know what it writes.
pub(super) fn refuse_running(ledger: &Path) -> Result<(), LedgerError> {
    let io = |error: std::io::Error| LedgerError::failed("the ledger's locks cannot be read", error);
    let folder = beside(&true_path(ledger).map_err(io)?, ".locks");
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
        let path = entry.map_err(io)?.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let file = File::open(&path).map_err(io)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(LedgerError::Io(Obstacle::OlderRun(owner(&file))));
        }
    }
    Ok(())
}

/// Whoever holds the lock may be about to write who it is: then nothing is known.
fn owner(file: &File) -> LockedBy {
    let mut text = Vec::new();
    match file.take(OWNER_BYTES_MAX).read_to_end(&mut text) {
        Ok(_) => serde_json::from_slice(&text).unwrap_or_default(),
        Err(_) => LockedBy::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever waits with the removed file open does not run beside whoever makes it anew.
    #[test]
    fn a_lock_that_is_removed_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let held = BatchLock::take(&ledger, "june", UnixMs(1_000)).unwrap();
        let path = held.path.clone();
        let opened_before = File::open(&path).unwrap();
        held.remove();
        assert!(!path.exists());
        opened_before.try_lock().unwrap();
        let held = BatchLock::take(&ledger, "june", UnixMs(2_000)).unwrap();
        assert!(path.exists());
        assert!(BatchLock::take(&ledger, "june", UnixMs(3_000)).is_err());
        drop(held);
        assert!(path.exists(), "a batch that there is keeps it");
    }

    #[test]
    fn a_second_run_learns_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let held = BatchLock::take(&ledger, "june", UnixMs(1_000)).unwrap();

        let LockError::Locked { by, .. } = BatchLock::take(&ledger, "june", UnixMs(2_000)).unwrap_err() else {
            panic!("not locked")
        };
        assert_eq!((by.pid, by.since), (Some(std::process::id()), Some(UnixMs(1_000))));
        assert!(by.host.is_some());
        let told = BatchLock::take(&ledger, "june", UnixMs(2_000)).unwrap_err().to_string();
        assert!(told.starts_with("the batch june is being run by process "), "{told}");
        std::fs::write(&ledger, "").unwrap();
        assert_eq!(BatchLock::held_by(&ledger, "june").unwrap(), Some(by));
        assert_eq!(BatchLock::held_by(&ledger, "july").unwrap(), None);
        BatchLock::take(&ledger, "july", UnixMs(2_000)).unwrap();

        drop(held);
        assert_eq!(BatchLock::held_by(&ledger, "june").unwrap(), None);
        let _held = BatchLock::take(&ledger, "june", UnixMs(3_000)).unwrap();

        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&ledger, &link).unwrap();
        let by_link = BatchLock::take(&link, "june", UnixMs(4_000));
        assert!(matches!(by_link, Err(LockError::Locked { .. })), "a link leads to the same lock");
    }
}
