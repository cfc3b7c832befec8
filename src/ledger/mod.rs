//! The port to the durable record of every batch. Nothing is paid before its intent is here; preimages, tokens and
//! answers are here before they are used.

mod address;
mod batch;
mod bounds;
mod claimed;
#[cfg(test)]
mod contract;
mod decide;
mod desk;
mod error;
#[cfg(test)]
pub mod fixtures;
mod history;
mod inline;
mod load;
mod loading;
pub mod memory;
mod merge;
mod merging;
mod open;
mod outputs;
mod person;
mod place;
pub mod port;
mod record;
mod refund;
mod rows;
mod shown_body;
mod shown_take;
pub mod sqlite;
mod stored_jobs;
mod take_id;
mod take_mark;
mod token;
mod word;
mod writer;

pub use crate::l402::PaymentReceipt;
pub use address::{AddressError, LedgerAddress};
pub use batch::{Batch, BatchStart, ComingFile, DownloadTo, FilesOf, Layout, NewBatch, Remembered};
pub use bounds::{
    Asking, EndpointCount, HeldBack, IntentBounds, NodeCount, OriginLimit, Prospect, endpoint_and_origin,
};
pub use claimed::Claimed;
pub use error::{BadReceipt, Damage, Lack, LedgerError, Obstacle};
pub use history::{
    AnswerRow, AuditRow, DecisionRow, PaymentRecord, PaymentRow, ServedRow, Standing, TakeRecord, TransitionRow,
};
pub use inline::InlineLedger;
pub use loading::{
    ChosenRows, Compared, Duplicates, EditedRow, EditedRows, IdList, JobsThen, LoadError, PlanLoad, ToBuy, Unbought,
};
pub use merging::{Doubled, KnownParams, Merged};
pub use open::{
    ForeseenHere, LockHere, OpenLedger, SourceHere, check_location, files_of, free_bytes, gap_of_new, holds_ledger,
    in_memory, open,
};
pub use outputs::{ByKind, OutputFile, OutputKind, Outputs, WrittenFile};
pub use person::{Decided, Decision, Reopened, Reopening, Trusted, Undecided};
pub use place::{Gap, Location, LockError, LockedBy, OpenMode};
pub use port::{Deliveries, Ledger};
pub use record::{
    AnswerKey, AnswerKind, BatchKey, CLTV_LIMIT, Caps, Committed, DeadProof, DownloadedFile, DurableIntent, FetchMark,
    FurtherResult, IntentRefusal, JobEnd, JobKey, NewIntent, OriginCaps, OriginUsed, PaidPurchase, PaymentKey,
    PeriodCap, PeriodsUsed, Posted, Record, Recorded, Resume, Transition,
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
pub use take_id::TakeId;
pub use take_mark::{Marked, Marking, TakeMark, TakeRow, Unmarkable};
pub use token::{Came, ReusableToken, Reuse, Served, TokenAt, TokenBuyer};

pub use word::{Retake, Unmet};
pub use writer::{LedgerHandle, LedgerThread};

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
