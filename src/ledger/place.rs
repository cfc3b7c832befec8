//! Where a ledger is, what it lacks there, and who works with it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::LedgerAddress;
use crate::error::Hinted;
use crate::l402::PaymentHash;
use crate::terminal_text::printable;
use crate::time::UnixMs;

/// How a ledger is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// To write; created where it is missing.
    Write,
    /// For views, beside a writer; an error where it is missing.
    Read,
}

/// Where a ledger stands, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Whether there is one.
    pub exists: bool,
    /// Bytes that are free on its disk.
    pub free_bytes: u64,
}

/// What a ledger lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// These copies were rescued from under a run, and may hold purchases that the ledger does not know.
    Rescued(Vec<LedgerAddress>),
    /// Payments were begun with the ledger of this place that this one does not know, or knows by their receipts alone.
    Behind {
        /// How many were begun with it.
        begun: u64,
        /// How many were begun with this one.
        known: u64,
        /// There is one at all.
        is_here: bool,
        /// The newest payment.
        hash: PaymentHash,
        /// The file that says so.
        mark: LedgerAddress,
    },
}

/// Who holds a lock, as far as its file tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockedBy {
    /// The id of the process that holds it, where that is known.
    pub pid: Option<u32>,
    /// The host it runs on.
    pub host: Option<String>,
    /// When it took the lock.
    pub since: Option<UnixMs>,
}

impl std::fmt::Display for LockedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        if let Some(host) = &self.host {
            write!(f, " on {host}")?;
        }
        if let Some(since) = self.since {
            write!(f, " since {since}")?;
        }
        Ok(())
    }
}

/// Why a lock was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("the batch {} is being run by {by}", printable(batch))]
    Locked {
        /// The name of the batch.
        batch: String,
        /// Who holds it.
        by: LockedBy,
    },
    /// The lock file cannot be used.
    #[error("the batch's lock cannot be taken")]
    Io(#[source] std::io::Error),
}

impl Hinted for LockError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Locked { .. } => Some("wait until that has ended, or stop it".into()),
            Self::Io(_) => None,
        }
    }
}
