//! Large request bodies, as files beside the ledger. A body is on disk before the transaction of its intent commits, and
//! goes only when no open payment needs it.
//!
//! Files get their lasting names, and are removed, inside write transactions alone: SQLite's lock keeps another process's intent and
//! this one's removal apart. What has no lasting name yet is locked for as long as its process has it open, and swept away after that.
//!
//! A name that lasts and belongs to no intent, since its transaction was rolled back or never committed, stays: the next such body takes its place,
//! and it may as well be another ledger's, which stood here before.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use url::Url;

use super::convert::hex;
use super::error::Fault;
use super::file::beside;
use super::gap::rescued;
use crate::catalog::Method;
use crate::ledger::{Damage, Lack, LedgerError};
use crate::purchase::{Body, BodyFile, BodyFolder, HELD_BYTES_MAX, Request, is_abandoned};

/// Where large bodies are kept.
#[derive(Debug)]
pub(super) struct Bodies {
    /// None for a ledger in memory, which keeps every body in itself.
    folder: Option<BodyFolder>,
    ledger: PathBuf,
}

/// How a body is kept.
#[derive(Debug)]
pub(super) enum Kept<'b> {
    /// In the ledger.
    Inline(Cow<'b, [u8]>),
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
        let folder = Some(BodyFolder::new(beside(path, ".bodies")));
        Self { folder, ledger: path.to_owned() }
    }

    /// Where they are written before they are needed.
    pub(super) fn folder(&self) -> Option<BodyFolder> {
        self.folder.clone()
    }

    /// Makes the body durable, under its lasting name, where it is too large for the ledger itself. Call it inside a write
    /// transaction.
    pub(super) fn keep<'b>(&self, body: &'b Body) -> Result<Kept<'b>, Fault> {
        let Some(folder) = self.folder.as_ref().filter(|_| body.len() > HELD_BYTES_MAX) else {
            return Ok(Kept::Inline(body.bytes()?));
        };
        let at = |sha256: &[u8; 32]| folder.path().join(hex(sha256));
        // The same body may belong to another open payment: this file, which is whole, stands in for it.
        let filed = match body {
            Body::Filed(file) if file.name(&at(&file.sha256()))? => file.sha256(),
            Body::Filed(_) | Body::Held(_) => {
                // What its own file no longer holds is no job's but this one's.
                let bytes = body.bytes().map_err(|error| unread(folder.path(), error))?;
                let anew = folder.write(&bytes)?;
                if matches!(body, Body::Filed(file) if file.sha256() != anew.sha256()) {
                    return Err(LedgerError::from(Lack::OtherBody).into());
                }
                if !anew.name(&at(&anew.sha256()))? {
                    return Err(std::io::Error::from(ErrorKind::NotFound).into());
                }
                anew.sha256()
            }
        };
        folder.sync()?;
        Ok(Kept::File(filed))
    }

    /// The request with that body, whose digest its caller checks.
    pub(super) fn request(&self, method: Method, url: Url, digest: &[u8; 32]) -> Result<Request, LedgerError> {
        let Some(folder) = &self.folder else {
            return Err(Damage::BodyOfMemory.into());
        };
        let path = folder.path().join(hex(digest));
        let opened = BodyFile::open(&path, *digest).and_then(|body| Request::of(method, url, Body::Filed(body.into())));
        opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Lack::Body(path.display().to_string()).into(),
            _ => unread(&path, error),
        })
    }

    /// The length of a body's file in bytes, while it is there.
    pub(super) fn length(&self, digest: &[u8; 32]) -> Option<u64> {
        let path = self.folder.as_ref()?.path().join(hex(digest));
        std::fs::metadata(path).ok().map(|file| file.len())
    }

    /// Removes the file of a body that no open payment needs. Call it inside a write transaction.
    pub(super) fn remove_unused(&self, tx: &Connection, digest: &[u8; 32]) -> Result<(), Fault> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if !is_used(tx, digest)? && self.may_remove()? {
            remove(&folder.path().join(hex(digest)))?;
        }
        Ok(())
    }

    /// Removes what a stopped process left: bodies of this ledger's own payments that none of them needs any more, and
    /// files that no intent has named. A lasting name that it does not know may be another ledger's, which stood here before. Call it
    /// inside a write transaction.
    pub(super) fn sweep(&self, tx: &Connection) -> Result<(), Fault> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.exist()) else { return Ok(()) };
        if !self.may_remove()? {
            return Ok(());
        }
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let unneeded = match name.to_str().and_then(digest_of_name) {
                Some(digest) => is_known(tx, &digest)? && !is_used(tx, &digest)?,
                // One that has gone by now is nobody's to remove.
                None => is_abandoned(&entry.path()).unwrap_or(false),
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
            if !is_used(tx, &digest)? || folder.path().join(hex(&digest)).exists() {
                continue;
            }
            // One that is missing there as well is its own job's trouble.
            if let Ok(body) = std::fs::read(beside(from, ".bodies").join(hex(&digest))) {
                self.keep(&Body::Held(body))?;
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
        self.folder.as_ref().is_some_and(|folder| folder.path().is_dir())
    }
}

fn unread(file: &Path, error: std::io::Error) -> LedgerError {
    Lack::BodyUnread { file: file.display().to_string(), source: error.into() }.into()
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
