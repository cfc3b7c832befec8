//! The port to the durable record of every batch. Nothing is paid before its intent is here; preimages, tokens and
//! answers are here before they are used.

mod batch;
mod bounds;
mod claimed;
#[cfg(test)]
mod contract;
mod decide;
#[cfg(test)]
pub mod fixtures;
mod history;
mod inline;
mod loading;
pub mod memory;
mod open;
mod person;
mod place;
pub mod port;
mod record;
mod refund;
mod rows;
pub mod sqlite;
mod stored_jobs;
mod word;
mod writer;

pub use batch::{Batch, BatchStart, DownloadTo, Layout, NewBatch, Outputs, Remembered};
pub use bounds::{Asking, EndpointCount, HeldBack, IntentBounds, NodeCount, Prospect, endpoint_and_origin};
pub use claimed::Claimed;
pub use history::{AnswerRow, AuditRow, DecisionRow, PaymentRecord, PaymentRow, Standing, TakeRecord, TransitionRow};
pub use inline::InlineLedger;
pub use loading::{
    ChosenRows, Compared, Duplicates, EditedRow, EditedRows, IdList, JobsThen, LoadError, PlanLoad, ToBuy, Unbought,
};
pub use open::{ForeseenHere, LockHere, OpenLedger, check_location, gap_of_new, in_memory, open};
pub use person::{Decided, Decision, Reopened, Reopening, Trusted, Undecided};
pub use place::{Gap, Location, LockError, LockedBy, OpenMode};
pub use port::{Deliveries, Ledger};
pub use record::{
    AnswerKey, AnswerKind, BatchKey, CLTV_LIMIT, Caps, Committed, DeadProof, DownloadedFile, DurableIntent, FetchMark,
    IntentRefusal, JobEnd, JobKey, NewIntent, PaidPurchase, PaymentKey, PeriodCap, PeriodsUsed, Posted, Record,
    Recorded, Resume, Transition,
};
pub use refund::{
    DurableInvoice, OpenRefund, RefundInvoice, RefundInvoiceRow, RefundRecord, RefundRow, RefundStanding,
};
pub use rows::job_limit_words;
pub use rows::{
    Counts, DamagedJob, DeliveredJob, HistoryCheck, IdenticalRequest, KNOWN_BY_RECEIPT, Likeness, OpenJob, OpenStage,
    Original, PendingJob, ReceiptKind, ReceiptRow, ResultRow, StateCount, UNKNOWN_CONTENT,
};
pub use stored_jobs::StoredJobs;

pub use word::{Retake, TakeId, Unmet};
pub use writer::{LedgerHandle, LedgerThread};

use std::borrow::Cow;

use crate::error::Hinted;
use crate::purchase::Reason;

/// Which of the delivered jobs whose file is not here are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undownloaded {
    /// Those of which nothing is said yet: just delivered, or never wanted as files before.
    New,
    /// Those whose file could not be had so far, and those that the manifest has changed since.
    Left,
    /// All of them, those too whose URL is gone.
    All,
}

/// Why the ledger cannot be used, or what one job lacks. Messages say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written: disk full, read-only, I/O error.
    #[error("the ledger cannot be used: {0}")]
    Io(String),
    /// The file is no ledger of this program, or is damaged.
    #[error("{0}")]
    Foreign(String),
    /// A newer version of this program wrote it.
    #[error("the ledger was written by a newer version ({found}; this one knows {known})")]
    Newer {
        /// Its schema version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// A record contradicts what the ledger holds. A defect of this program; nothing was written.
    #[error("the ledger refuses a record that contradicts it: {0}")]
    Contradiction(String),
    /// What one job lacks: the ledger itself is usable, and the others go on.
    #[error("{what}")]
    OfJob {
        /// What is said of the job: `body_missing` or `row_damaged`.
        reason: Reason,
        /// In words, with what to do.
        what: String,
    },
    /// It lies on a network or FUSE file system, whose locks and syncs cannot be relied upon.
    #[error("the ledger lies on a {0} file system")]
    NotLocal(String),
}

impl Hinted for LedgerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Newer { .. } => Some("update l402-batch".into()),
            Self::NotLocal(_) => Some("put it on a local disk with --ledger".into()),
            _ => None,
        }
    }
}
