//! Why a ledger cannot be used, and what one job lacks.

use std::borrow::Cow;
use std::fmt::Display;

use crate::command::{command, file as quoted, node_command};
use crate::error::{Hinted, SharedError};
use crate::purchase::Reason;

use super::LockedBy;
use super::decide::Unfit;

/// Why the ledger cannot be used, or what one job lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written: disk full, read-only, I/O error.
    #[error("the ledger cannot be used")]
    Io(#[source] Obstacle),
    /// The file is no ledger of this program, or is damaged.
    #[error(transparent)]
    Foreign(#[from] Damage),
    /// A newer version of this program wrote it.
    #[error("the ledger was written by a newer version ({found}; this one knows {known})")]
    Newer {
        /// Its schema version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A record contradicts what the ledger holds. A defect of this program, in words for those who mend it; nothing was written.
    #[error("the ledger refuses a record that contradicts it: {0}")]
    Contradiction(String),
    /// What one job lacks: the ledger itself is usable, and the others go on.
    #[error(transparent)]
    OfJob(#[from] Lack),
    /// Receipts that are to be brought in tell what cannot be.
    #[error(transparent)]
    Receipt(#[from] BadReceipt),
    /// It lies on a network or FUSE file system, whose locks and syncs cannot be relied upon.
    #[error("the ledger lies on a {0} file system")]
    NotLocal(&'static str),
}

/// What keeps a ledger from being read or written now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// What befell one file or folder.
    #[error("{file}")]
    At {
        /// The path of the file or folder.
        file: String,
        /// What went wrong with it.
        source: Box<Self>,
    },
    /// An error of the system or of the store, which says enough.
    #[error(transparent)]
    System(SharedError),
    /// One that needs to be said of what.
    #[error("{what}")]
    Failed {
        /// What could not be done.
        what: &'static str,
        /// The store's or the system's own error.
        source: SharedError,
    },
    /// Another process writes and does not end.
    #[error("another process has kept it locked for too long")]
    Busy,
    /// The disk has no room left.
    #[error("the disk is full")]
    DiskFull,
    /// Less room than what is to be bought may need, in KiB.
    #[error("its disk has {free_kib} KiB free, and buying needs {needed_kib} KiB")]
    LittleRoom {
        /// What there is.
        free_kib: u64,
        /// What it takes.
        needed_kib: u64,
    },
    /// It, or its folder, is missing or may not be written.
    #[error("it cannot be opened")]
    Unopened,
    /// It may not be written.
    #[error("it is read-only")]
    ReadOnly,
    /// By two hard links it would be written by two runs that do not see each other.
    #[error("the file has {0} names (hard links), and a ledger must have one")]
    Names(u64),
    /// Where its folder should be there is something else.
    #[error("it is no folder")]
    NoFolder,
    /// The folder is on something that has no room for files, such as `/proc`.
    #[error("it is on no disk")]
    NoDisk,
    /// Its journal cannot be a write-ahead log there: what it is instead.
    #[error("its journal is kept as {0}, not as a write-ahead log")]
    Journal(String),
    /// An older version's ledger is not changed while a run of that version works on it.
    #[error("it was written by an older version of l402-batch, and {0} still runs a batch on it")]
    OlderRun(LockedBy),
    /// It was deleted or replaced under a run.
    #[error(
        "it was deleted or replaced while it was in use; nothing more is spent; what it held {}",
        rescued_words(rescued)
    )]
    Replaced {
        /// The copy of what it held, or why there is none.
        rescued: Result<String, SharedError>,
    },
    /// Whoever writes it has ended before its time.
    #[error("its thread has ended")]
    Ended,
    /// A transaction has told nothing of its record: a defect.
    #[error("a transaction gave no outcome")]
    NoOutcome,
}

/// What is wrong with a file that should be a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is no database, or none that can be read.
    #[error("{} is no ledger of l402-batch, or is damaged", file.as_deref().unwrap_or("the file"))]
    Unreadable {
        /// The file, where its name is known.
        file: Option<String>,
    },
    /// It is another program's database.
    #[error("{0} is no ledger of l402-batch")]
    Stranger(String),
    /// A part of it cannot be read.
    #[error("the ledger{} is damaged", file.as_ref().map(|file| format!(" {file}")).unwrap_or_default())]
    Corrupt {
        /// The file, where its name is known.
        file: Option<String>,
        /// What cannot be read.
        source: SharedError,
    },
    /// Something else than a file is there.
    #[error("{file} is {what}, and no ledger")]
    NoFile {
        /// What was named.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// It is shorter than it says of itself.
    #[error("the ledger {0} is damaged: its end is missing")]
    Cut(String),
    /// No such version was ever released.
    #[error("{name} is damaged: it claims the schema version {version}, which never was")]
    Schema {
        /// The file, as it is called.
        name: String,
        /// The version that its tables claim to be of.
        version: i64,
    },
    /// A sum of money is not the sum of its payments.
    #[error("the ledger is damaged: what it counts for {0} is not the sum of its payments")]
    Sums(String),
    /// One that lives in memory cannot have put a body into a file.
    #[error("the ledger in memory names a body's file")]
    BodyOfMemory,
}

/// What one job lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// The file of its request's body is gone.
    #[error(
        "{0} is missing: the body of this job's request, without which nothing can be asked for with what was paid"
    )]
    Body(String),
    /// That file cannot be read.
    #[error("the body of this job's request: {file}")]
    BodyUnread {
        /// The path of the file that holds the body.
        file: String,
        /// The operating system's error.
        source: SharedError,
    },
    /// That file holds something else.
    #[error("the body of this job's request is not the one that was kept")]
    OtherBody,
    /// A row of it cannot be what it says: what is wrong with it.
    #[error("the ledger is damaged in a row of this job")]
    Row(#[source] SharedError),
}

/// A receipt that cannot be brought into a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// Its preimage does not prove its payment.
    #[error("the receipt of {id} ({batch}) proves nothing: its preimage is not its own")]
    Unproved {
        /// The id of the job.
        id: String,
        /// The name of its batch.
        batch: String,
    },
    /// It lacks what a purchase has; the payment's hash.
    #[error("the receipt {0} names no purchase")]
    Nameless(String),
    /// One take cannot have been paid for twice.
    #[error("take {take} of {id} ({batch}) has receipts of two payments")]
    TwoPayments {
        /// Which purchase of the job, counted from 1.
        take: u32,
        /// The id of the job.
        id: String,
        /// The name of its batch.
        batch: String,
    },
}

impl LedgerError {
    /// An error of the system or of a library, which says enough.
    pub fn system(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Io(Obstacle::System(SharedError::new(error)))
    }

    /// What could not be done, and why.
    pub fn failed(what: &'static str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Io(Obstacle::Failed { what, source: SharedError::new(error) })
    }

    /// The same, of that file.
    #[must_use]
    pub fn at(self, file: impl Display) -> Self {
        match self {
            Self::Io(obstacle) => Self::Io(Obstacle::At { file: file.to_string(), source: Box::new(obstacle) }),
            Self::Foreign(Damage::Unreadable { .. }) => Damage::Unreadable { file: Some(file.to_string()) }.into(),
            Self::Foreign(Damage::Corrupt { source, .. }) => {
                Damage::Corrupt { file: Some(file.to_string()), source }.into()
            }
            error => error,
        }
    }

    /// The same, of that file where it names none.
    #[must_use]
    pub fn or_at(self, file: impl Display) -> Self {
        match self {
            Self::Io(Obstacle::At { .. } | Obstacle::Replaced { .. })
            | Self::Foreign(Damage::Unreadable { file: Some(_) } | Damage::Corrupt { file: Some(_), .. }) => self,
            error => error.at(file),
        }
    }
}

impl Lack {
    /// In words that tell what is wrong with a row.
    pub fn row(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Row(SharedError::new(what))
    }

    /// What is said of the job.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Body(_) | Self::BodyUnread { .. } | Self::OtherBody => Reason::BodyMissing,
            Self::Row(_) => Reason::RowDamaged,
        }
    }
}

impl From<Unfit> for LedgerError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Contradiction(what) => Self::Contradiction(what),
            Unfit::Damaged(what) => Lack::row(what).into(),
        }
    }
}

impl Hinted for LedgerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Io(obstacle) => obstacle.hint(),
            Self::Foreign(damage) => damage.hint(),
            Self::Newer { .. } => Some("update l402-batch".into()),
            Self::Contradiction(_) => None,
            Self::OfJob(lack) => lack.hint(),
            Self::Receipt(bad) => bad.hint(),
            Self::NotLocal(_) => Some("put it on a local disk with --ledger".into()),
        }
    }
}

impl Hinted for Obstacle {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::At { source, .. } => return source.hint(),
            Self::Busy => "wait until that has ended, then run again",
            Self::DiskFull | Self::LittleRoom { .. } => "make room, then run again",
            Self::Unopened => {
                "file and folder must be there and writable, and not read-only; or name another with --ledger"
            }
            Self::ReadOnly => "make it writable, or name another with --ledger",
            Self::Names(_) => "remove the others, or name a copy with --ledger",
            Self::OlderRun(_) => "wait until that has ended, then run again",
            Self::Replaced { rescued: Ok(copy) } => {
                let merge = command(&format!("ledger merge {}", quoted(copy)));
                return Some(format!("`{merge}` takes it over before anything runs again").into());
            }
            Self::Replaced { rescued: Err(_) } => "restore it from a backup before anything runs again",
            Self::System(_)
            | Self::Failed { .. }
            | Self::NoFolder
            | Self::NoDisk
            | Self::Journal(_)
            | Self::Ended
            | Self::NoOutcome => return None,
        };
        Some(hint.into())
    }
}

impl Hinted for Damage {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Unreadable { file: Some(_) } => "name another file with --ledger, or restore it from a backup",
            Self::Unreadable { file: None } => "name another with --ledger, or restore it from a backup",
            Self::Stranger(_) => "name another file with --ledger",
            Self::NoFile { .. } => "name the ledger's file with --ledger",
            Self::Corrupt { .. } | Self::Cut(_) | Self::Schema { .. } | Self::Sums(_) => "restore it from a backup",
            Self::BodyOfMemory => return None,
        };
        Some(hint.into())
    }
}

impl Hinted for Lack {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let recover = || node_command("recover --all");
        match self {
            Self::Body(_) => Some(format!("restore the file, and run `{}`", recover()).into()),
            Self::BodyUnread { .. } => None,
            Self::OtherBody => {
                Some(format!("restore the ledger's .bodies folder from a backup, and run `{}`", recover()).into())
            }
            Self::Row(_) => Some("restore the ledger from a backup".into()),
        }
    }
}

impl Hinted for BadReceipt {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unproved { .. } | Self::Nameless(_) => None,
            Self::TwoPayments { .. } => Some("whoever put files of two ledgers together merges each by itself".into()),
        }
    }
}

fn rescued_words(rescued: &Result<String, SharedError>) -> String {
    match rescued {
        Ok(copy) => format!("is saved as {copy}"),
        Err(why) => format!("could not be saved ({why})"),
    }
}
