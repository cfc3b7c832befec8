//! What a run and its downloads need of a store.

use url::Url;

use crate::l402::Network;
use crate::ledger::{
    BatchKey, ComingFile, Committed, DamagedJob, DeliveredJob, HeldBack, HistoryCheck, IdenticalRequest, JobKey,
    LedgerError, Obstacle, OpenJob, OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt,
    Undownloaded,
};
use crate::purchase::{BodyFolder, Credential, HttpAnswer, Request, WalletId};
use crate::time::UnixMs;

/// What a run reads and makes durable. The synchronous half of [`Ledger`](super::Ledger): a handle asks it, each record in its turn.
pub trait Records {
    /// Makes many records durable in one transaction; outcomes stand in the order of the records. A record that
    /// contradicts the ledger leaves no trace, and the others stand.
    ///
    /// # Errors
    /// The outcome of every record is unknown, and nothing more is written.
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError>;

    /// Makes one record durable, and tells how its job stands then.
    ///
    /// # Errors
    /// As for [`Self::apply`].
    fn commit(&mut self, now: UnixMs, record: Record) -> Result<Recorded, LedgerError> {
        match self.apply_all(vec![(now, record)])?.pop() {
            Some(outcome) => outcome,
            None => Err(LedgerError::Io(Obstacle::NoOutcome)),
        }
    }

    /// Makes one record durable.
    ///
    /// # Errors
    /// A contradiction leaves no trace. After any other error the outcome is unknown, and nothing more is written.
    fn apply(&mut self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        Ok(self.commit(now, record)?.committed)
    }

    /// Every job of the batch (of all batches, with none) whose purchase is open: intended or paid and not at its end,
    /// at its end and not posted, or dead by a person's word alone.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError>;

    /// Every open job that [`Self::open_jobs`] leaves out, since its row cannot be read.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn damaged_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError>;

    /// Up to `limit` pending jobs of the batch with a position above `after`, in manifest order. Positions of pending
    /// jobs are distinct: each load numbers them anew.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError>;

    /// See [`Ledger::body_folder`](super::Ledger::body_folder).
    fn body_folder(&self) -> Option<BodyFolder> {
        None
    }

    /// The exact request that an intent holds, its digest compared, and without a header that leads past a cache. One whose body is gone is made anew from what the job
    /// asks for, image and all, where that gives the very same bytes.
    ///
    /// # Errors
    /// Where the ledger cannot be read; of the job, where its body is not to be had.
    fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError>;

    /// What a node must still know for its "not found" of that payment to count.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError>;

    /// Whether the ledger knows of any payment that has settled at that node.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError>;

    /// The latest other purchase, of any batch, that sends the same request and whose payment is not dead. It counts as
    /// open where any such purchase is.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError>;

    /// The purchase, of any batch, that the job with this request would repeat; none where a person means it to.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError>;

    /// Why a purchase may not begin there now; none where it may.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError>;

    /// The token that the endpoint at that address has for several jobs, on that network, beside a job that is to be bought.
    ///
    /// # Errors
    /// Where the ledger cannot be read, or a token in use is damaged.
    fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError>;

    /// Every refund of the batch (of all batches, with none) that can still be claimed or come: offered with a link, or
    /// handed over and not at its end.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError>;

    /// One refund, as the run works with it; none where it is at its end, or offers no link.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError>;
}

/// What downloads read of the ledger, and what is said of files beside a run.
pub trait Downloads {
    /// See [`Deliveries::to_download`](crate::ledger::Deliveries::to_download).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError>;

    /// See [`Deliveries::is_file_of_another`](crate::ledger::Deliveries::is_file_of_another).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError>;

    /// See [`Deliveries::delivery`](crate::ledger::Deliveries::delivery).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError>;

    /// See [`Deliveries::credential`](crate::ledger::Deliveries::credential).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError>;

    /// The files of every batch that are still to come, and of which it is known how long they are.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError>;

    /// Delivered jobs of the batch whose file is wanted, and of which nothing else is said, say `not_downloaded` from now
    /// on.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError>;

    /// Downloaded jobs of the batch (with `only`, of those ids) whose file is not there any more become `delivered` again,
    /// so that they are fetched once more. Gives how many.
    ///
    /// # Errors
    /// Where the ledger cannot be used.
    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError>;
}
