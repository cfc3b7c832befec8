//! The ledger that can be stopped at any commit, and that is audited after each.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use url::Url;

use super::store::Store;
use crate::l402::Network;
use crate::ledger::{
    BatchKey, Claimed, Committed, HeldBack, HistoryCheck, IdenticalRequest, InlineLedger, JobKey, Ledger, LedgerError,
    OpenJob, OpenRefund, Original, PaymentKey, PendingJob, Prospect, Record, Recorded, RefundRecord, TokenAt,
};
use crate::money::Msat;
use crate::purchase::{BodyFolder, Request, WalletId};
use crate::time::UnixMs;

/// Where it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The n-th commit is not made.
    Before(usize),
    /// The n-th commit is made, and its outcome is not told.
    After(usize),
}

pub(super) struct Stoppable {
    pub(super) inner: InlineLedger<Store>,
    pub(super) stop: Cell<Option<Stop>>,
    /// Every record that was committed, as a word, and when.
    pub(super) made: RefCell<Vec<(UnixMs, String)>>,
    /// Spent, fees and held together never pass it.
    pub(super) cap: Cell<Option<(BatchKey, Msat)>>,
    /// What the run has claimed that is under way.
    pub(super) claimed: RefCell<Claimed>,
    /// How long a commit takes, in milliseconds.
    pub(super) commit_ms: Cell<u64>,
    /// How long it takes to look whether a purchase may begin, in milliseconds.
    pub(super) look_ms: Cell<u64>,
    tried: Cell<usize>,
}

impl Stoppable {
    pub(super) fn new(inner: InlineLedger<Store>) -> Self {
        let (made, claimed) = (RefCell::default(), RefCell::default());
        let (commit_ms, look_ms, tried) = (Cell::new(1), Cell::new(0), Cell::new(0));
        Self { inner, stop: Cell::new(None), made, cap: Cell::new(None), claimed, commit_ms, look_ms, tried }
    }

    pub(super) fn commits(&self) -> usize {
        self.tried.get()
    }

    /// Intents that were refused, and the commit that failed.
    pub(super) fn not_made(&self) -> usize {
        self.tried.get() - self.made.borrow().len()
    }

    /// After each commit: the sums are those of the payments, and no limit is passed.
    fn audit(&self) {
        let ledger = self.inner.ledger();
        ledger.check_money();
        if let Some((batch, most)) = self.cap.get() {
            let counts = ledger.counts(batch);
            let used = counts.spent.get() + counts.fees.get() + counts.held.get() - counts.refunded.get();
            assert!(used <= most.get(), "{used} msat are spent or held, and the limit is {most}");
        }
    }
}

fn word(record: &Record) -> &'static str {
    match record {
        Record::Intend(_) => "intend",
        Record::SendBegun(_) => "send begun",
        Record::SendAnswered { .. } => "send answered",
        Record::Paid { .. } => "paid",
        Record::Posted(..) => "posted",
        Record::Dead { .. } => "dead",
        Record::AbandonedDead { .. } => "given up dead",
        Record::KeptSettlement { .. } => "history_check",
        Record::Doubt { .. } => "doubt",
        Record::Answer { .. } => "answer",
        Record::Accepted { .. } => "accepted",
        Record::Delivered { .. } => "delivered",
        Record::DeliveredAtOnce { .. } => "delivered at once",
        Record::Undelivered { .. } => "undelivered",
        Record::LeftUndelivered(..) => "left undelivered",
        Record::Replaying(_) => "replaying",
        Record::Ended(..) => "ended",
        Record::Refund(_, RefundRecord::Offered { .. }) => "refund offered",
        Record::Refund(_, RefundRecord::Invoiced(_)) => "refund invoiced",
        Record::Refund(_, RefundRecord::HandedOver { .. }) => "refund handed over",
        Record::Refund(_, RefundRecord::Waits { .. }) => "refund waits",
        Record::Refund(_, RefundRecord::Settled { .. }) => "refund settled",
        Record::Refund(_, RefundRecord::Expired { .. }) => "refund expired",
        Record::Fetching(..) => "fetching",
        Record::Downloaded(..) => "downloaded",
        Record::NotDownloaded { .. } => "not downloaded",
        Record::Stuck { .. } => "stuck",
        Record::Served(_) => "served",
    }
}

fn failure() -> LedgerError {
    LedgerError::system("the disk is gone")
}

impl Ledger for Stoppable {
    async fn commit_in_line(
        &self,
        now: UnixMs,
        record: Record,
        in_line: impl FnOnce(),
    ) -> Result<Recorded, LedgerError> {
        in_line();
        tokio::time::sleep(Duration::from_millis(self.commit_ms.get())).await;
        let number = self.tried.get() + 1;
        self.tried.set(number);
        if self.stop.get() == Some(Stop::Before(number)) {
            return Err(failure());
        }
        let word = word(&record);
        let recorded = self.inner.commit(now, record).await?;
        if !matches!(recorded.committed, Committed::IntentRefused(_)) {
            self.made.borrow_mut().push((now, word.to_owned()));
        }
        self.audit();
        if self.stop.get() == Some(Stop::After(number)) { Err(failure()) } else { Ok(recorded) }
    }

    async fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.inner.open_jobs(batch).await
    }

    async fn claim(&self, batch: BatchKey, most: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.claimed.borrow_mut().claim(&*self.inner.ledger(), batch, most)
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        self.inner.body_folder()
    }

    async fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.inner.request(payment).await
    }

    async fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        self.inner.history_check(node, payment).await
    }

    async fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        self.inner.knows_settlement(node).await
    }

    async fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        self.inner.identical_request(job, digest).await
    }

    async fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.inner.bought_elsewhere(job, digest, network).await
    }

    async fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        if self.look_ms.get() > 0 {
            tokio::time::sleep(Duration::from_millis(self.look_ms.get())).await;
        }
        self.inner.held_back(now, prospect).await
    }

    async fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        self.inner.token(job, url, network).await
    }

    async fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.inner.open_refunds(batch).await
    }

    async fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.inner.refund(payment).await
    }
}
