//! The stores as a run and a command have them: SQLite in a file, and each behind the thread, and inline.

use std::sync::{Arc, Mutex, MutexGuard};

use futures::executor::block_on;
use futures::future::join_all;
use tempfile::TempDir;
use url::Url;

use super::{Commanded, KeptAnswer, Subject};
use crate::l402::Network;
use crate::ledger::decide::{Job, Payment, Sums};
use crate::ledger::desk::{Desk, Desks};
use crate::ledger::port::{Deliveries, Downloads, Ledger, Loading, Records};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, ChosenRows, ComingFile, Compared, DamagedJob, DeliveredJob, Duplicates, HeldBack, HistoryCheck, IdList,
    IdenticalRequest, InlineLedger, JobKey, LedgerError, LedgerHandle, LoadError, OpenJob, OpenMode, OpenRefund,
    Original, PaymentKey, PendingJob, PlanLoad, Prospect, Record, Recorded, Retake, ToBuy, TokenAt, Undecided,
    Undownloaded,
};
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::purchase::{BodyFolder, Credential, HttpAnswer, Request, WalletId};
use crate::time::UnixMs;

/// SQLite in a file, which goes with it.
pub(in crate::ledger) struct InFile {
    ledger: SqliteLedger,
    _folder: TempDir,
}

/// A store that a shell has, and whose rows the suite looks at.
pub(in crate::ledger) struct Shared<S>(Arc<Mutex<S>>);

impl<S> Shared<S> {
    fn store(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap()
    }
}

impl InFile {
    fn store(&self) -> &SqliteLedger {
        &self.ledger
    }
}

/// A shell around a store.
pub(in crate::ledger) struct Through<L, S> {
    shell: L,
    store: Shared<S>,
}

pub(in crate::ledger) type Threaded<S> = Through<LedgerHandle, S>;
pub(in crate::ledger) type Inline<S> = Through<InlineLedger<Shared<S>>, S>;

/// A shell, as it is made.
pub(in crate::ledger) trait Shell<S>: Deliveries + Sized {
    fn around(store: Shared<S>) -> Self;
}

impl<S: Records + Downloads + Send + 'static> Shell<S> for LedgerHandle {
    fn around(store: Shared<S>) -> Self {
        Self::spawn(store).unwrap().0
    }
}

impl<S: Records + Downloads> Shell<S> for InlineLedger<Shared<S>> {
    fn around(store: Shared<S>) -> Self {
        Self::new(store)
    }
}

/// What the suite does to a store, done to the one inside.
macro_rules! inside {
    ($self:ident => $store:expr) => {
        fn begin(&mut $self, name: &str) -> BatchKey {
            $store.begin(name)
        }

        fn jobs(&$self) -> Vec<Job> {
            $store.jobs()
        }

        fn payments(&$self) -> Vec<Payment> {
            $store.payments()
        }

        fn sums(&$self, batch: BatchKey) -> Sums {
            $store.sums(batch)
        }

        fn planned(&$self, batch: BatchKey) -> [Msat; 2] {
            $store.planned(batch)
        }

        fn transitions(&$self) -> usize {
            $store.transitions()
        }

        fn answers(&$self) -> Vec<KeptAnswer> {
            $store.answers()
        }
    };
}

/// A person's words concern the store itself.
macro_rules! desks_inside {
    ($self:ident => $store:expr) => {
        fn at_desk<T>(
            &mut $self,
            work: impl FnOnce(&mut dyn Desk<Error = Self::Error>) -> Result<T, Self::Error>,
        ) -> Result<T, LedgerError> {
            $store.at_desk(work)
        }

        fn find_undecided(&$self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError> {
            $store.find_undecided(batch, id, take)
        }
    };
}

/// What is made of a batch before anything of it is bought concerns the store itself.
macro_rules! loading_inside {
    ($self:ident => $store:expr; $($name:ident($($arg:ident: $of:ty),*) -> $gives:ty;)*) => {
        fn load_plan<E>(
            &mut $self,
            batch: BatchKey,
            now: UnixMs,
            retake: &Retake,
            jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
        ) -> Result<PlanLoad, LoadError<E>> {
            $store.load_plan(batch, now, retake, jobs)
        }

        fn open_and_changed(&$self, batch: BatchKey) -> Result<u64, LedgerError> {
            $store.open_and_changed(batch)
        }

        fn to_buy<E>(
            &$self,
            batch: BatchKey,
            duplicates: bool,
            each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
        ) -> Result<Result<(), E>, LedgerError> {
            $store.to_buy(batch, duplicates, each)
        }

        $(fn $name(&mut $self, $($arg: $of),*) -> Result<$gives, LedgerError> {
            $store.$name($($arg),*)
        })*
    };
    ($self:ident => $store:expr) => {
        loading_inside! {
            $self => $store;
            choose(now: UnixMs, chosen: &ChosenRows) -> ();
            hold_to_job_limit(batch: BatchKey, now: UnixMs, most: Option<Msat>) -> IdList;
            mark_changed(batch: Option<BatchKey>, now: UnixMs) -> ();
            accept_takes(now: UnixMs, batch: BatchKey) -> ();
            discard_unaccepted(batch: BatchKey) -> ();
            set_duplicates_aside(batch: BatchKey, now: UnixMs, compared: &Compared<'_>) -> Duplicates;
            mean_duplicates(batch: BatchKey, now: UnixMs, only: &[String]) -> ();
            discard_duplicates(batch: BatchKey, now: UnixMs) -> ();
        }
    };
}

impl Loading for InFile {
    loading_inside!(self => self.ledger);
}

impl<L, S: Loading> Loading for Through<L, S> {
    loading_inside!(self => self.store.store());
}

impl Desks for InFile {
    type Error = <SqliteLedger as Desks>::Error;

    desks_inside!(self => self.ledger);
}

impl<L, S: Desks> Desks for Through<L, S> {
    type Error = S::Error;

    desks_inside!(self => self.store.store());
}

impl Subject for InFile {
    fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("ledger.db"), OpenMode::Write).unwrap();
        Self { ledger, _folder: folder }
    }

    inside!(self => self.ledger);
}

impl Commanded for InFile {
    type Ledger = SqliteLedger;

    fn ledger(&mut self) -> &mut SqliteLedger {
        &mut self.ledger
    }
}

impl<L: Shell<S>, S: Subject> Subject for Through<L, S> {
    fn empty() -> Self {
        let store = Arc::new(Mutex::new(S::empty()));
        Self { shell: L::around(Shared(Arc::clone(&store))), store: Shared(store) }
    }

    inside!(self => self.store.store());
}

/// What a store is asked, asked of the one inside.
macro_rules! asked {
    ($($name:ident($($arg:ident: $of:ty),*) -> $gives:ty;)*) => {
        $(fn $name(&self, $($arg: $of),*) -> Result<$gives, LedgerError> {
            self.store().$name($($arg),*)
        })*
    };
}

/// The same, asked of the shell.
macro_rules! awaited {
    ($($name:ident($($arg:ident: $of:ty),*) -> $gives:ty;)*) => {
        $(fn $name(&self, $($arg: $of),*) -> Result<$gives, LedgerError> {
            block_on(self.shell.$name($($arg),*))
        })*
    };
}

/// What shells are asked of records, by whoever asks.
macro_rules! of_records {
    ($asks:ident) => {
        $asks! {
            open_jobs(batch: Option<BatchKey>) -> Vec<OpenJob>;
            damaged_jobs(batch: Option<BatchKey>) -> Vec<DamagedJob>;
            request(payment: PaymentKey) -> Request;
            history_check(node: &WalletId, payment: PaymentKey) -> HistoryCheck;
            knows_settlement(node: &WalletId) -> bool;
            identical_request(job: JobKey, digest: &[u8; 32]) -> Option<IdenticalRequest>;
            bought_elsewhere(job: JobKey, digest: &[u8; 32], network: Network) -> Option<Original>;
            held_back(now: UnixMs, prospect: &Prospect) -> Option<HeldBack>;
            token(job: JobKey, url: &Url, network: Network) -> TokenAt;
            open_refunds(batch: Option<BatchKey>) -> Vec<PaymentKey>;
            refund(payment: PaymentKey) -> Option<OpenRefund>;
        }
    };
}

/// What shells are asked of files.
macro_rules! of_downloads {
    ($asks:ident) => {
        $asks! {
            to_download(batch: BatchKey, which: Undownloaded, after: Option<(u64, JobKey)>, limit: usize) -> Vec<DeliveredJob>;
            is_file_of_another(job: JobKey, file: &str) -> bool;
            delivery(job: JobKey) -> Option<HttpAnswer>;
            credential(job: JobKey) -> Option<Credential>;
        }
    };
}

type Outcomes = Vec<Result<Recorded, LedgerError>>;

impl Records for InFile {
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Outcomes, LedgerError> {
        self.ledger.apply_all(records)
    }

    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.ledger.pending(batch, after, limit)
    }

    fn body_folder(&self) -> Option<BodyFolder> {
        self.ledger.body_folder()
    }

    of_records!(asked);
}

impl Downloads for InFile {
    of_downloads!(asked);

    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        self.ledger.coming_files()
    }

    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.ledger.explain_undownloaded(batch)
    }

    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError> {
        self.ledger.forget_missing_files(now, batch, only)
    }
}

impl<S: Records> Records for Shared<S> {
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Outcomes, LedgerError> {
        self.store().apply_all(records)
    }

    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.store().pending(batch, after, limit)
    }

    of_records!(asked);
}

impl<S: Downloads> Downloads for Shared<S> {
    of_downloads!(asked);

    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        self.store().coming_files()
    }

    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.store().explain_undownloaded(batch)
    }

    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError> {
        self.store().forget_missing_files(now, batch, only)
    }
}

impl<L: Ledger, S: Records> Records for Through<L, S> {
    /// All at once: a shell may gather them.
    fn apply_all(&mut self, records: Vec<(UnixMs, Record)>) -> Result<Outcomes, LedgerError> {
        Ok(block_on(join_all(records.into_iter().map(|(now, record)| self.shell.commit(now, record)))))
    }

    /// Shells give out each job once: what is pending is asked of the store.
    fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.store.pending(batch, after, limit)
    }

    of_records!(awaited);
}

impl<L: Deliveries, S: Downloads> Downloads for Through<L, S> {
    of_downloads!(awaited);

    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        self.store.coming_files()
    }

    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.store.explain_undownloaded(batch)
    }

    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError> {
        self.store.forget_missing_files(now, batch, only)
    }
}
