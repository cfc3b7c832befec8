//! A store behind the port, called inline: for the simulation, where every commit happens at a known instant.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::port::{Downloads, Records};
use crate::l402::Network;
use crate::ledger::{
    BatchKey, Claimed, DamagedJob, DeliveredJob, Deliveries, HeldBack, HistoryCheck, IdenticalRequest, JobKey, Ledger,
    LedgerError, OpenJob, OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, TokenAt,
    Undownloaded,
};
use crate::purchase::{BodyFolder, Credential, HttpAnswer, Request, WalletId};
use crate::time::UnixMs;

/// A ledger without a thread, as one run has it. Clones share the same store, and are other runs: each claims for itself.
#[derive(Debug)]
pub struct InlineLedger<S> {
    ledger: Arc<Mutex<S>>,
    claimed: Mutex<Claimed>,
}

impl<S> Clone for InlineLedger<S> {
    fn clone(&self) -> Self {
        Self { ledger: Arc::clone(&self.ledger), claimed: Mutex::default() }
    }
}

impl<S> InlineLedger<S> {
    /// Over these books.
    #[must_use]
    pub fn new(ledger: S) -> Self {
        Self { ledger: Arc::new(Mutex::new(ledger)), claimed: Mutex::default() }
    }

    /// The books themselves, for what the port does not offer. Never hold them across an await.
    pub fn ledger(&self) -> MutexGuard<'_, S> {
        // A transaction of a thread that panicked was rolled back as its stack unwound.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Records> Ledger for InlineLedger<S> {
    async fn commit_in_line(
        &self,
        now: UnixMs,
        record: Record,
        in_line: impl FnOnce(),
    ) -> Result<Recorded, LedgerError> {
        let recorded = self.ledger().commit(now, record);
        in_line();
        recorded
    }

    async fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.ledger().open_jobs(batch)
    }

    async fn damaged_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError> {
        self.ledger().damaged_jobs(batch)
    }

    async fn claim(&self, batch: BatchKey, most: usize) -> Result<Vec<PendingJob>, LedgerError> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.claim(&*self.ledger(), batch, most)
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        self.ledger().body_folder()
    }

    async fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.ledger().request(payment)
    }

    async fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        self.ledger().history_check(node, payment)
    }

    async fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        self.ledger().knows_settlement(node)
    }

    async fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        self.ledger().identical_request(job, digest)
    }

    async fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.ledger().bought_elsewhere(job, digest, network)
    }

    async fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        self.ledger().held_back(now, prospect)
    }

    async fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        self.ledger().token(job, url, network)
    }

    async fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.ledger().open_refunds(batch)
    }

    async fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.ledger().refund(payment)
    }
}

impl<S: Records + Downloads> Deliveries for InlineLedger<S> {
    async fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        self.ledger().to_download(batch, which, after, limit)
    }

    async fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        self.ledger().is_file_of_another(job, file)
    }

    async fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        self.ledger().delivery(job)
    }

    async fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        self.ledger().credential(job)
    }
}
