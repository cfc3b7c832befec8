//! The ledger as a run has it: asked, and awaited.

use std::future::Future;

use url::Url;

use crate::l402::Network;
use crate::ledger::{
    BatchKey, DamagedJob, DeliveredJob, HeldBack, HistoryCheck, IdenticalRequest, JobKey, LedgerError, OpenJob,
    OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt, Undownloaded,
};
use crate::purchase::{BodyFolder, Credential, HttpAnswer, Request, WalletId};
use crate::time::UnixMs;

/// The durable record, as the run sees it.
pub trait Ledger {
    /// Makes one record durable. It returns after the commit, never before.
    ///
    /// # Errors
    /// After any error the outcome of the commit is unknown: nothing more may be spent, and the run ends.
    fn commit(&self, now: UnixMs, record: Record) -> impl Future<Output = Result<Recorded, LedgerError>> {
        self.commit_in_line(now, record, || ())
    }

    /// The same, and calls `in_line` as soon as the record has its place: what is handed over from then on is carried out after it,
    /// in the same transaction or a later one. It is not durable by then.
    ///
    /// # Errors
    /// As of [`Self::commit`].
    fn commit_in_line(
        &self,
        now: UnixMs,
        record: Record,
        in_line: impl FnOnce(),
    ) -> impl Future<Output = Result<Recorded, LedgerError>>;

    /// Every job of the batch (of all batches, with none) whose purchase is open: intended or paid, and not at its end.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_jobs(&self, batch: Option<BatchKey>) -> impl Future<Output = Result<Vec<OpenJob>, LedgerError>>;

    /// Every open job that [`Self::open_jobs`] leaves out, since its row cannot be read.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn damaged_jobs(&self, _batch: Option<BatchKey>) -> impl Future<Output = Result<Vec<DamagedJob>, LedgerError>> {
        std::future::ready(Ok(Vec::new()))
    }

    /// Up to `most` pending jobs of the batch, in manifest order, each once to a run; none once all were handed out. What was claimed
    /// and came to nothing is pending still, and the next run's.
    ///
    /// # Errors
    /// Where the ledger cannot be read: nothing is claimed then.
    fn claim(&self, batch: BatchKey, most: usize) -> impl Future<Output = Result<Vec<PendingJob>, LedgerError>>;

    /// Where large bodies wait on disk for their intent; none where a store keeps all of them in itself.
    fn body_folder(&self) -> Option<BodyFolder> {
        None
    }

    /// The exact request that an intent holds.
    ///
    /// # Errors
    /// Where the ledger or the body's file cannot be read, or its digest differs.
    fn request(&self, payment: PaymentKey) -> impl Future<Output = Result<Request, LedgerError>>;

    /// What a node must still know for its "not found" of that payment to count.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn history_check(
        &self,
        node: &WalletId,
        payment: PaymentKey,
    ) -> impl Future<Output = Result<HistoryCheck, LedgerError>>;

    /// Whether the ledger knows of any payment that has settled at that node.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn knows_settlement(&self, node: &WalletId) -> impl Future<Output = Result<bool, LedgerError>>;

    /// The latest other purchase, of any batch, that sends the same request (by its digest, see
    /// [`Request::digest`]) and has an intent.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn identical_request(
        &self,
        job: JobKey,
        digest: &[u8; 32],
    ) -> impl Future<Output = Result<Option<IdenticalRequest>, LedgerError>>;

    /// The purchase, of any batch and on that network, that the job with this request (by its digest) would repeat, though
    /// nobody means it to (rule 11).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> impl Future<Output = Result<Option<Original>, LedgerError>>;

    /// Why a purchase may not begin there now, by what endpoints, origins and nodes hold in the whole ledger. The intent's
    /// own transaction asks the same.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn held_back(
        &self,
        now: UnixMs,
        prospect: &Prospect,
    ) -> impl Future<Output = Result<Option<HeldBack>, LedgerError>>;

    /// The token that the endpoint at that address (as its table has it) has for several jobs, on that network, beside a job that is to be
    /// bought. The intent's own transaction asks the same.
    ///
    /// # Errors
    /// Where the ledger cannot be read, or a token in use is damaged.
    fn token(&self, job: JobKey, url: &Url, network: Network) -> impl Future<Output = Result<TokenAt, LedgerError>>;

    /// Every refund of the batch (of all batches, with none) that can still be claimed or come, by its payment.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_refunds(&self, batch: Option<BatchKey>) -> impl Future<Output = Result<Vec<PaymentKey>, LedgerError>>;

    /// One refund that is not at its end.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn refund(&self, payment: PaymentKey) -> impl Future<Output = Result<Option<OpenRefund>, LedgerError>>;
}

/// What downloads read of the record. They write through [`Ledger::commit`].
pub trait Deliveries: Ledger {
    /// Up to `limit` delivered jobs of the batch (every take) after that place, in manifest order.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeliveredJob>, LedgerError>>;

    /// Whether another job, of any batch, has a file of that path, or of one that differs only by case.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn is_file_of_another(&self, job: JobKey, file: &str) -> impl Future<Output = Result<bool, LedgerError>>;

    /// The answer that delivered a job, whole; none where it is not delivered.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn delivery(&self, job: JobKey) -> impl Future<Output = Result<Option<HttpAnswer>, LedgerError>>;

    /// What a job's result was paid for with; none where it was not.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn credential(&self, job: JobKey) -> impl Future<Output = Result<Option<Credential>, LedgerError>>;
}
