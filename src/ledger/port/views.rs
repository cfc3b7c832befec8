//! What is shown of the ledger.

use std::collections::HashMap;
use std::io;

use crate::l402::PaymentHash;
use crate::ledger::{
    AuditRow, BatchKey, Caps, Counts, LedgerError, OriginUsed, PaymentRow, PeriodsUsed, ReceiptRow, RefundRow,
    ResultRow, TakeRecord, TakeRow,
};
use crate::purchase::WalletId;

/// What is shown of a batch: how it stands, results, receipts, refunds; and of days and months, what is used.
pub trait Views {
    /// Where the batch stands, over the latest take of each job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn counts(&self, batch: BatchKey) -> Result<Counts, LedgerError>;

    /// Every job of the batch, in manifest order, one at a time: what was bought of it, by its latest take that is paid for, and
    /// else its latest. What is under way beside a delivered take stands in its `next` and its `error`.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first error of `each`, which ends the reading.
    fn results(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ResultRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError>;

    /// The latest take of every job of the batch, in manifest order, one at a time: what there is to do.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first error of `each`, which ends the reading.
    fn latest_takes(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ResultRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError>;

    /// Every take of every job of the batch, replaced ones too, one at a time: jobs in the manifest's order, takes of a job from the first
    /// on.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first error of `each`, which ends the reading.
    fn all_takes(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(TakeRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError>;

    /// Every settlement of the batch (every take), payments and refunds, in the order of their times, one at a time.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first error of `each`, which ends the reading.
    fn receipts(
        &self,
        batch: BatchKey,
        each: &mut dyn FnMut(ReceiptRow) -> io::Result<()>,
    ) -> Result<io::Result<()>, LedgerError>;

    /// The settlement with that hash: a payment's, or that of a refund's invoice.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn receipt(&self, hash: &PaymentHash) -> Result<Option<ReceiptRow>, LedgerError>;

    /// The payment that bought that take of a job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn payment_receipt(&self, batch: &str, id: &str, take: u32) -> Result<Option<ReceiptRow>, LedgerError>;

    /// Every refund of the batch (of all batches, with none), in the order of their payments.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn refunds(&self, batch: Option<BatchKey>) -> Result<Vec<RefundRow>, LedgerError>;

    /// What is used of the periods that a payment made now would be charged to.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn periods_used(&self, caps: &Caps) -> Result<PeriodsUsed, LedgerError>;

    /// What is used of what that origin (host, and port where it is not the usual one) may get, as far as the caps limit it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn origin_used(&self, origin: &str, caps: &Caps) -> Result<OriginUsed, LedgerError>;

    /// The origin at which what stands there ([`ToBuy::place`](crate::ledger::ToBuy::place)) is bought.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn origin_at(&self, place: i64) -> Result<String, LedgerError>;
}

/// What a person is shown of single jobs and payments.
pub trait Inspection {
    /// The open payments of the batch's jobs (latest takes), by the job's id: intended or paid, and nothing delivered.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_payments(&self, batch: BatchKey) -> Result<HashMap<String, PaymentRow>, LedgerError>;

    /// All that the ledger knows of one job: its takes, oldest first. Empty where the batch has no such job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn takes(&self, batch: BatchKey, id: &str) -> Result<Vec<TakeRecord>, LedgerError>;
}

/// What the ledger knows of payments, for a comparison with a node's own list or with receipts.
pub trait Audit {
    /// Whether a payment of that hash was ever intended, or an invoice of that hash ever made for a refund.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn knows(&self, hash: &PaymentHash) -> Result<bool, LedgerError>;

    /// Whether it knows of a payment for that take of a job, however it ended, or of a token that has served it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn knows_purchase(&self, batch: &str, id: &str, take: u32) -> Result<bool, LedgerError>;

    /// Every payment that was intended at that node, in the order of intents.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn payments_at(&self, node: &WalletId) -> Result<Vec<AuditRow>, LedgerError>;
}
