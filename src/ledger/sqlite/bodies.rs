//! Large request bodies, as files beside the ledger. A body is on disk before the transaction of its intent commits, and
//! goes only when no open payment needs it.
//!
//! Files are written and removed inside write transactions alone: SQLite's lock keeps another process's intent and this
//! one's removal apart.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::convert::hex;
use super::error::Fault;
use super::file::{beside, create_folder};
use super::gap::rescued;
use crate::ledger::{Damage, Lack, LedgerError};

/// The largest body that stands in the ledger itself, in bytes.
pub(super) const INLINE_BODY_BYTES_MAX: usize = 64 * 1024;

/// How a body's name begins until it is whole.
const UNFINISHED: &str = ".tmp";

/// Where large bodies are kept.
#[derive(Debug)]
pub(super) struct Bodies {
    /// None for a ledger in memory, which keeps every body in itself.
    folder: Option<PathBuf>,
    ledger: PathBuf,
}

/// How a body is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// In the ledger.
    Inline,
    /// In a file of this SHA-256.
    File([u8; 32]),
}

impl Bodies {
    /// Of a ledger in memory.
    pub(super) fn inline() -> Self {
        Self { folder: None, ledger: PathBuf::new() }
    }

    /// Of the ledger at that path.
    pub(super) fn of_ledger(path: &Path) -> Self {
        Self { folder: Some(beside(path, ".bodies")), ledger: path.to_owned() }
    }

    /// Makes the body durable where it is too large for the ledger itself.
    pub(super) fn keep(&self, body: &[u8]) -> Result<Kept, Fault> {
        let Some(folder) = self.folder.as_deref().filter(|_| body.len() > INLINE_BODY_BYTES_MAX) else {
            return Ok(Kept::Inline);
        };
        let digest: [u8; 32] = Sha256::digest(body).into();
        let path = folder.join(hex(&digest));
        if !folder.is_dir() {
            create_folder(folder)?;
            sync_folder(folder.parent())?;
        }
        // The same body may belong to another open payment; a file that is not whole is replaced.
        if std::fs::read(&path).is_ok_and(|known| known == body) {
            File::open(&path)?.sync_all()?;
        } else {
            let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
            file.write_all(body)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| Fault::from(error.error))?;
        }
        sync_folder(Some(folder))?;
        Ok(Kept::File(digest))
    }

    /// Reads a body back. Its caller checks the digest of the whole request.
    pub(super) fn read(&self, digest: &[u8; 32]) -> Result<Vec<u8>, LedgerError> {
        let Some(folder) = &self.folder else {
            return Err(Damage::BodyOfMemory.into());
        };
        let path = folder.join(hex(digest));
        std::fs::read(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Lack::Body(path.display().to_string()).into(),
            _ => Lack::BodyUnread { file: path.display().to_string(), source: error.into() }.into(),
        })
    }

    /// The length of a body's file in bytes, while it is there.
    pub(super) fn length(&self, digest: &[u8; 32]) -> Option<u64> {
        let path = self.folder.as_ref()?.join(hex(digest));
        std::fs::metadata(path).ok().map(|file| file.len())
    }

    /// Removes the file of a body that no open payment needs. Call it inside a write transaction.
    pub(super) fn remove_unused(&self, tx: &Connection, digest: &[u8; 32]) -> Result<(), Fault> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if !is_used(tx, digest)? && self.may_remove()? {
            remove(&folder.join(hex(digest)))?;
        }
        Ok(())
    }

    /// Removes what a stopped process left: bodies of this ledger's own payments that none of them needs any more, and
    /// files that were never whole. What it does not know may be another ledger's, which stood here before. Call it inside
    /// a write transaction.
    pub(super) fn sweep(&self, tx: &Connection) -> Result<(), Fault> {
        let Some(folder) = self.folder.as_deref().filter(|folder| folder.is_dir()) else { return Ok(()) };
        if !self.may_remove()? {
            return Ok(());
        }
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let unneeded = match name.to_str().and_then(digest_of_name) {
                Some(digest) => is_known(tx, &digest)? && !is_used(tx, &digest)?,
                None => name.to_str().is_some_and(|name| name.starts_with(UNFINISHED)),
            };
            if unneeded {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Takes bodies over that another ledger keeps: those of open payments that are missing here.
    pub(super) fn take_over(&self, tx: &Connection, from: &Path) -> Result<(), Fault> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut needed = tx.prepare("SELECT DISTINCT body_sha256 FROM intents WHERE body_sha256 IS NOT NULL")?;
        for digest in needed.query_map([], |row| row.get::<_, [u8; 32]>(0))? {
            let digest = digest?;
            if !is_used(tx, &digest)? || folder.join(hex(&digest)).exists() {
                continue;
            }
            // One that is missing there as well is its own job's trouble.
            if let Ok(body) = std::fs::read(beside(from, ".bodies").join(hex(&digest))) {
                self.keep(&body)?;
            }
        }
        Ok(())
    }

    /// Not while a copy that was rescued from under a run is not merged: it may need what this ledger does not.
    fn may_remove(&self) -> Result<bool, Fault> {
        Ok(rescued(&self.ledger)?.is_empty())
    }

    /// Whether there is a folder to sweep.
    pub(super) fn exist(&self) -> bool {
        self.folder.as_deref().is_some_and(Path::is_dir)
    }
}

fn is_known(tx: &Connection, digest: &[u8; 32]) -> Result<bool, Fault> {
    Ok(tx.prepare_cached("SELECT 1 FROM intents WHERE body_sha256 = ?1 LIMIT 1")?.exists([digest])?)
}

fn is_used(tx: &Connection, digest: &[u8; 32]) -> Result<bool, Fault> {
    let used = tx
        .prepare_cached(
            "SELECT 1 FROM intents i JOIN payments p ON p.id = i.payment
             WHERE i.body_sha256 = ?1 AND (p.state <> 'dead' OR p.dead_proof = 'decided') AND p.delivered_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment = p.id AND r.state = 'settled') LIMIT 1",
        )?
        .query_row([digest], |_| Ok(()))
        .optional()?;
    Ok(used.is_some())
}

fn digest_of_name(name: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(name.as_bytes()).ok()?.try_into().ok()
}

fn remove(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn sync_folder(folder: Option<&Path>) -> Result<(), Fault> {
    match folder.filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all()?,
        None => File::open(".")?.sync_all()?,
    }
    Ok(())
}
