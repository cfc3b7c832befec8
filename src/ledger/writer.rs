//! The thin shell around any store: a thread owns it, answers what is read, and commits the records that wait in one transaction.
//!
//! Records are carried out in the order in which they came into its channel. A future that hands one over may have to wait before it
//! is in there: for room, or for its task's next turn.

use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::port::{Downloads, Records};
use crate::l402::Network;
use crate::ledger::{
    BatchKey, Claimed, ComingFile, DamagedJob, DeliveredJob, Deliveries, HeldBack, HistoryCheck, IdenticalRequest,
    JobKey, Ledger, LedgerError, Obstacle, OpenJob, OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record,
    Recorded, TokenAt, Undownloaded,
};
use crate::purchase::{BodyFolder, Credential, HttpAnswer, Request, WalletId};
use crate::time::UnixMs;

/// Requests that may wait at most; a caller beyond waits for room.
const WAITING_MAX: usize = 256;
/// Requests that are taken from the line at once, at most. None waits for others to come.
const TAKEN_MAX: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// One request to the thread.
enum Ask {
    Commit(UnixMs, Box<Record>, Reply<Recorded>),
    OpenJobs(Option<BatchKey>, Reply<Vec<OpenJob>>),
    DamagedJobs(Option<BatchKey>, Reply<Vec<DamagedJob>>),
    Claim(BatchKey, usize, Reply<Vec<PendingJob>>),
    Request(PaymentKey, Reply<Request>),
    HistoryCheck(WalletId, PaymentKey, Reply<HistoryCheck>),
    KnowsSettlement(WalletId, Reply<bool>),
    Identical(JobKey, [u8; 32], Reply<Option<IdenticalRequest>>),
    BoughtElsewhere(JobKey, [u8; 32], Network, Reply<Option<Original>>),
    HeldBack(UnixMs, Box<Prospect>, Reply<Option<HeldBack>>),
    Token(JobKey, Url, Network, Reply<TokenAt>),
    OpenRefunds(Option<BatchKey>, Reply<Vec<PaymentKey>>),
    Refund(PaymentKey, Reply<Option<OpenRefund>>),
    ToDownload(BatchKey, Undownloaded, Option<(u64, JobKey)>, usize, Reply<Vec<DeliveredJob>>),
    IsFileOfAnother(JobKey, String, Reply<bool>),
    Delivery(JobKey, Reply<Option<HttpAnswer>>),
    Credential(JobKey, Reply<Option<Credential>>),
    ComingFiles(Reply<Vec<ComingFile>>),
}

/// The ledger as one run uses it. Clones speak to the same thread, which ends when the last one is gone, and claim together.
#[derive(Clone, Debug)]
pub struct LedgerHandle {
    asks: mpsc::Sender<Ask>,
    bodies: Option<BodyFolder>,
}

/// The thread behind a [`LedgerHandle`].
#[derive(Debug)]
pub struct LedgerThread<S> {
    thread: std::thread::JoinHandle<S>,
}

impl LedgerHandle {
    /// Gives the books to a thread of their own.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn spawn<S: Records + Downloads + Send + 'static>(ledger: S) -> Result<(Self, LedgerThread<S>), LedgerError> {
        let (handle, serve) = Self::line(ledger);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(serve)
            .map_err(|error| LedgerError::failed("no thread for it", error))?;
        Ok((handle, LedgerThread { thread }))
    }

    /// A line for the books, and what serves it until its last handle is gone.
    pub(in crate::ledger) fn line<S: Records + Downloads>(ledger: S) -> (Self, impl FnOnce() -> S) {
        let (asks, inbox) = mpsc::channel(WAITING_MAX);
        let bodies = ledger.body_folder();
        (Self { asks, bodies }, move || serve(ledger, inbox))
    }

    /// See [`Downloads::coming_files`].
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub async fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        self.ask(Ask::ComingFiles).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, LedgerError> {
        self.ask_in_line(ask, || ()).await
    }

    async fn ask_in_line<T>(
        &self,
        ask: impl FnOnce(Reply<T>) -> Ask,
        in_line: impl FnOnce(),
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| gone())?;
        in_line();
        answer.await.map_err(|_| gone())?
    }
}

impl<S> LedgerThread<S> {
    /// Waits until every handle is gone and all that they asked is done; gives the books back. It blocks.
    ///
    /// # Errors
    /// Where the thread has panicked.
    pub fn join(self) -> Result<S, LedgerError> {
        self.thread.join().map_err(|_| gone())
    }
}

impl Ledger for LedgerHandle {
    async fn commit_in_line(
        &self,
        now: UnixMs,
        record: Record,
        in_line: impl FnOnce(),
    ) -> Result<Recorded, LedgerError> {
        let record = Box::new(record);
        self.ask_in_line(|reply| Ask::Commit(now, record, reply), in_line).await
    }

    async fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.ask(|reply| Ask::OpenJobs(batch, reply)).await
    }

    async fn damaged_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError> {
        self.ask(|reply| Ask::DamagedJobs(batch, reply)).await
    }

    async fn claim(&self, batch: BatchKey, most: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.ask(|reply| Ask::Claim(batch, most, reply)).await
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        self.bodies.clone()
    }

    async fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.ask(|reply| Ask::Request(payment, reply)).await
    }

    async fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        self.ask(|reply| Ask::HistoryCheck(node.clone(), payment, reply)).await
    }

    async fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        self.ask(|reply| Ask::KnowsSettlement(node.clone(), reply)).await
    }

    async fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        self.ask(|reply| Ask::Identical(job, *digest, reply)).await
    }

    async fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.ask(|reply| Ask::BoughtElsewhere(job, *digest, network, reply)).await
    }

    async fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        let prospect = Box::new(prospect.clone());
        self.ask(|reply| Ask::HeldBack(now, prospect, reply)).await
    }

    async fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        self.ask(|reply| Ask::Token(job, url.clone(), network, reply)).await
    }

    async fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.ask(|reply| Ask::OpenRefunds(batch, reply)).await
    }

    async fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.ask(|reply| Ask::Refund(payment, reply)).await
    }
}

impl Deliveries for LedgerHandle {
    async fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        self.ask(|reply| Ask::ToDownload(batch, which, after, limit, reply)).await
    }

    async fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        self.ask(|reply| Ask::IsFileOfAnother(job, file.to_owned(), reply)).await
    }

    async fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        self.ask(|reply| Ask::Delivery(job, reply)).await
    }

    async fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        self.ask(|reply| Ask::Credential(job, reply)).await
    }
}

fn gone() -> LedgerError {
    LedgerError::Io(Obstacle::Ended)
}

fn serve<S: Records + Downloads>(mut ledger: S, mut inbox: mpsc::Receiver<Ask>) -> S {
    let mut claimed = Claimed::default();
    while let Some(first) = inbox.blocking_recv() {
        let mut asks = vec![first];
        while asks.len() < TAKEN_MAX
            && let Ok(ask) = inbox.try_recv()
        {
            asks.push(ask);
        }
        answer(&mut ledger, &mut claimed, asks);
    }
    ledger
}

/// Reads at once, then the records in one transaction: a read sees at least what was committed before it was asked, and waits for no
/// commit of others.
///
/// Whoever asked may have stopped listening; what was asked is done all the same.
fn answer<S: Records + Downloads>(ledger: &mut S, claimed: &mut Claimed, asks: Vec<Ask>) {
    let mut records = Vec::new();
    let mut replies = Vec::new();
    for ask in asks {
        match ask {
            Ask::Commit(now, record, reply) => {
                records.push((now, *record));
                replies.push(reply);
            }
            Ask::OpenJobs(..)
            | Ask::DamagedJobs(..)
            | Ask::Claim(..)
            | Ask::Request(..)
            | Ask::HistoryCheck(..)
            | Ask::KnowsSettlement(..)
            | Ask::Identical(..)
            | Ask::BoughtElsewhere(..)
            | Ask::HeldBack(..)
            | Ask::Token(..)
            | Ask::OpenRefunds(..)
            | Ask::Refund(..)
            | Ask::ToDownload(..)
            | Ask::IsFileOfAnother(..)
            | Ask::Delivery(..)
            | Ask::Credential(..)
            | Ask::ComingFiles(..) => read(ledger, claimed, ask),
        }
    }
    if records.is_empty() {
        return;
    }
    match ledger.apply_all(records) {
        Ok(outcomes) => {
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                let _unheard = reply.send(outcome);
            }
        }
        Err(error) => {
            for reply in replies {
                let _unheard = reply.send(Err(error.clone()));
            }
        }
    }
}

fn read<S: Records + Downloads>(ledger: &S, claimed: &mut Claimed, ask: Ask) {
    match ask {
        Ask::OpenJobs(batch, reply) => drop(reply.send(ledger.open_jobs(batch))),
        Ask::DamagedJobs(batch, reply) => drop(reply.send(ledger.damaged_jobs(batch))),
        Ask::Claim(batch, most, reply) => drop(reply.send(claimed.claim(ledger, batch, most))),
        Ask::Request(payment, reply) => drop(reply.send(ledger.request(payment))),
        Ask::HistoryCheck(node, payment, reply) => drop(reply.send(ledger.history_check(&node, payment))),
        Ask::KnowsSettlement(node, reply) => drop(reply.send(ledger.knows_settlement(&node))),
        Ask::Identical(job, digest, reply) => drop(reply.send(ledger.identical_request(job, &digest))),
        Ask::BoughtElsewhere(job, digest, network, reply) => {
            drop(reply.send(ledger.bought_elsewhere(job, &digest, network)));
        }
        Ask::HeldBack(now, prospect, reply) => drop(reply.send(ledger.held_back(now, &prospect))),
        Ask::Token(job, url, network, reply) => drop(reply.send(ledger.token(job, &url, network))),
        Ask::OpenRefunds(batch, reply) => drop(reply.send(ledger.open_refunds(batch))),
        Ask::Refund(payment, reply) => drop(reply.send(ledger.refund(payment))),
        Ask::ToDownload(batch, which, after, limit, reply) => {
            drop(reply.send(ledger.to_download(batch, which, after, limit)));
        }
        Ask::IsFileOfAnother(job, file, reply) => drop(reply.send(ledger.is_file_of_another(job, &file))),
        Ask::Delivery(job, reply) => drop(reply.send(ledger.delivery(job))),
        Ask::Credential(job, reply) => drop(reply.send(ledger.credential(job))),
        Ask::ComingFiles(reply) => drop(reply.send(ledger.coming_files())),
        // It is carried out with its group.
        Ask::Commit(..) => {}
    }
}
