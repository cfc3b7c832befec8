//! The store of a scripted world: the same tests run on each.

use std::cell::Cell;

use url::Url;

use crate::l402::Network;
use crate::ledger::memory::MemoryLedger;
use crate::ledger::port::{Batches, Records, Views};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, Counts, DamagedJob, HeldBack, HistoryCheck, IdenticalRequest, JobKey, LedgerError, OpenJob, OpenRefund,
    Original, PaymentKey, PendingJob, Prospect, ReceiptRow, Record, Recorded, RefundStanding, TokenAt,
};
use crate::purchase::{BodyFolder, JobState, Reason, Request, WalletId};
use crate::time::UnixMs;

/// Which store the worlds of a test have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Memory,
}

thread_local! {
    /// A test runs in a thread of its own.
    static KIND: Cell<Kind> = const { Cell::new(Kind::Sqlite) };
}

/// Worlds of this test have that store from now on.
pub(super) fn run_on(kind: Kind) {
    KIND.set(kind);
}

pub(super) enum Store {
    Sqlite(Box<SqliteLedger>),
    Memory(Box<MemoryLedger>),
}

macro_rules! ask {
    ($store:expr, $method:ident($($given:expr),*)) => {
        match $store {
            Self::Sqlite(store) => store.$method($($given),*),
            Self::Memory(store) => store.$method($($given),*),
        }
    };
}

impl Store {
    /// An empty one, of the kind that the test is for.
    pub(super) fn new() -> Self {
        match KIND.get() {
            Kind::Sqlite => Self::Sqlite(Box::new(SqliteLedger::in_memory().unwrap())),
            Kind::Memory => Self::Memory(Box::new(MemoryLedger::new())),
        }
    }

    /// What tests ask beside a run, which maps do not answer.
    pub(super) fn sqlite(&mut self) -> &mut SqliteLedger {
        match self {
            Self::Sqlite(store) => store,
            Self::Memory(_) => panic!("this test asks what only SQLite answers"),
        }
    }

    /// Receipts, of the store that makes any.
    pub(super) fn receipts(&self, batch: BatchKey) -> Option<Vec<ReceiptRow>> {
        let Self::Sqlite(store) = self else { return None };
        let mut rows = Vec::new();
        let read = store.receipts(batch, &mut |row| {
            rows.push(row);
            Ok(())
        });
        read.unwrap().unwrap();
        Some(rows)
    }

    /// How the first refund stands.
    pub(super) fn refund_standing(&self) -> RefundStanding {
        match self {
            Self::Sqlite(store) => store.refunds(None).unwrap()[0].standing,
            Self::Memory(store) => store.refund_standing(),
        }
    }

    pub(super) fn counts(&self, batch: BatchKey) -> Counts {
        match self {
            Self::Sqlite(store) => store.counts(batch).unwrap(),
            Self::Memory(store) => store.counts(batch),
        }
    }

    pub(super) fn check_money(&self) {
        match self {
            Self::Sqlite(store) => store.check_money(None).unwrap(),
            Self::Memory(store) => store.check_money(),
        }
    }

    /// The latest take of each job, in the manifest's order, with its words.
    pub(super) fn standing(&self, batch: BatchKey) -> Vec<(String, JobState, Reason, Option<String>)> {
        match self {
            Self::Sqlite(store) => {
                let mut rows = Vec::new();
                let read = store.latest_takes(batch, &mut |row| {
                    rows.push((row.id, row.state, row.reason, row.error));
                    Ok(())
                });
                read.unwrap().unwrap();
                rows
            }
            Self::Memory(store) => store.standing(batch),
        }
    }
}

impl Records for Store {
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Vec<Result<Recorded, LedgerError>>, LedgerError> {
        ask!(self, apply_all(records))
    }

    fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        ask!(self, open_jobs(batch))
    }

    fn damaged_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<DamagedJob>, LedgerError> {
        ask!(self, damaged_jobs(batch))
    }

    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        ask!(self, pending(batch, after, limit))
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        ask!(self, body_folder())
    }

    fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        ask!(self, request(payment))
    }

    fn history_check(&self, node: &WalletId, payment: PaymentKey) -> Result<HistoryCheck, LedgerError> {
        ask!(self, history_check(node, payment))
    }

    fn knows_settlement(&self, node: &WalletId) -> Result<bool, LedgerError> {
        ask!(self, knows_settlement(node))
    }

    fn identical_request(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<IdenticalRequest>, LedgerError> {
        ask!(self, identical_request(job, digest))
    }

    fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        ask!(self, bought_elsewhere(job, digest, network))
    }

    fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        ask!(self, held_back(now, prospect))
    }

    fn token(&self, job: JobKey, url: &Url, network: Network) -> Result<TokenAt, LedgerError> {
        ask!(self, token(job, url, network))
    }

    fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        ask!(self, open_refunds(batch))
    }

    fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        ask!(self, refund(payment))
    }
}
