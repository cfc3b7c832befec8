//! The ledger's port, with a disk that fails, and two ledgers that lie.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::sqlite::{BatchStart, Books, InlineLedger, NewBatch, Retake};
use l402_batch::ledger::{
    BatchKey, Committed, JobKey, Ledger, LedgerError, OpenJob, PaymentKey, PendingJob, Record, Twin, Witness,
};
use l402_batch::origin::Request;
use l402_batch::payer::NodeId;
use l402_batch::plan::PlannedJob;
use l402_batch::time::UnixMs;

use super::faults::Fault;
use super::timeline::sleep;
use super::world::World;

/// How a ledger lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    /// It hands out an intent before it is durable: a crash soon after loses it.
    IntentBeforeCommit,
    /// One answered send counts for all.
    AllSendsAnswered,
}

/// When the disk fails: before a commit, or after it, while whoever wrote still waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// An intent that is handed out before its time becomes durable after so long, in milliseconds.
const LAZY_MS: i64 = 5_000;

/// What was written, so that a lying ledger can lose the end of it.
enum Written {
    Begun(UnixMs, NewBatch),
    Loaded(BatchKey, UnixMs, Retake, Vec<PlannedJob>),
    Record(i64, UnixMs, Record),
}

pub struct Disk {
    pub world: Rc<World>,
    pub ledger: InlineLedger,
    lie: Lie,
    written: RefCell<Vec<Written>>,
    /// After a failed commit nothing is written by this process any more.
    broken: Cell<bool>,
    /// Commits of this process so far, and at which it fails.
    commits: Cell<u64>,
    fails_at: Cell<Option<(u64, Moment)>>,
    /// The disk is full until then.
    full_until: Cell<i64>,
    payments: RefCell<BTreeMap<PaymentKey, (PaymentHash, usize)>>,
    /// Budget of each batch, in msat.
    pub budgets: RefCell<BTreeMap<BatchKey, u64>>,
}

impl Disk {
    pub fn new(world: &Rc<World>, lie: Lie) -> Self {
        let books = Books::in_memory().expect("a ledger in memory");
        Self {
            world: Rc::clone(world),
            ledger: InlineLedger::new(books),
            lie,
            written: RefCell::default(),
            broken: Cell::new(false),
            commits: Cell::new(0),
            fails_at: Cell::new(None),
            full_until: Cell::new(0),
            payments: RefCell::default(),
            budgets: RefCell::default(),
        }
    }

    /// Another process opens the ledger. What a lying one had not written is gone after a crash.
    pub fn reopen(&self, crashed: bool) {
        self.broken.set(false);
        if crashed && self.lie == Lie::IntentBeforeCommit {
            self.lose_the_end();
        }
    }

    /// It fails at the n-th commit from now on, from 0.
    pub fn fails_at(&self, at: Option<(u64, Moment)>) {
        self.commits.set(0);
        self.fails_at.set(at);
    }

    /// How many commits there were since then.
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Whether it fails now, and when.
    fn fails_now(&self) -> Option<Moment> {
        let at = self.commits.replace(self.commits.get() + 1);
        if let Some((_, moment)) = self.fails_at.get().filter(|(commit, _)| *commit == at) {
            return Some(moment);
        }
        let world = &self.world;
        if world.strikes(Fault::FailsBeforeCommit) && world.between(0, 9) == 0 {
            return Some(Moment::Before);
        }
        (world.strikes(Fault::FailsAfterCommit) && world.between(0, 9) == 0).then_some(Moment::After)
    }

    fn lose_the_end(&self) {
        let now = self.world.now();
        let lost = self
            .written
            .borrow()
            .iter()
            .position(|written| matches!(written, Written::Record(at, _, Record::Intend(_)) if now - at < LAZY_MS));
        let Some(lost) = lost else { return };
        self.world.note(|| "the ledger loses an intent that it had handed out".to_owned());
        let mut books = Books::in_memory().expect("a ledger in memory");
        let mut written = self.written.borrow_mut();
        written.truncate(lost);
        for written in &*written {
            match written {
                Written::Begun(now, new) => drop(books.begin_batch(*now, new)),
                Written::Loaded(batch, now, retake, jobs) => {
                    drop(books.load_plan(*batch, *now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>)));
                    drop(books.accept_takes(*batch));
                }
                Written::Record(_, now, record) => drop(books.apply(*now, record.clone())),
            }
        }
        *self.ledger.books() = books;
    }

    fn keep(&self, written: impl FnOnce() -> Written) {
        if self.lie == Lie::IntentBeforeCommit {
            self.written.borrow_mut().push(written());
        }
    }

    pub fn begin(&self, new: &NewBatch) -> BatchKey {
        let now = self.world.our_time();
        self.keep(|| Written::Begun(now, new.clone()));
        match self.ledger.books().begin_batch(now, new).expect("the batch begins") {
            BatchStart::New(batch) | BatchStart::Known(batch) => batch.key,
            BatchStart::OtherManifest { .. } | BatchStart::OtherMoney { .. } => panic!("another batch"),
        }
    }

    /// Loads a plan, and gives back the ids that are bought once more.
    pub fn load(&self, batch: BatchKey, retake: &Retake, jobs: &[PlannedJob]) -> Vec<String> {
        let now = self.world.our_time();
        self.keep(|| Written::Loaded(batch, now, retake.clone(), jobs.to_vec()));
        let loaded = self.ledger.books().load_plan(batch, now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>));
        match loaded {
            Ok(load) => {
                self.ledger.books().accept_takes(batch).expect("the takes are accepted");
                load.retaken.first
            }
            Err(error) => {
                self.world.violated(format!("the plan cannot be loaded: {error:?}"));
                Vec::new()
            }
        }
    }

    fn fail(&self, what: &str) -> LedgerError {
        self.broken.set(true);
        self.world.note(|| format!("disk: {what}"));
        LedgerError::Io(what.to_owned())
    }

    fn is_full(&self) -> bool {
        if self.world.strikes(Fault::DiskFull) && self.world.between(0, 3) == 0 {
            self.full_until.set(self.world.now() + self.world.spread_ms(1_000, 86_400_000));
        }
        !self.world.is_calm() && self.world.now() < self.full_until.get()
    }

    fn apply(&self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        let committed = self.ledger.books().apply(now, record.clone());
        let Ok(done) = &committed else {
            self.world.violated(format!("the ledger refuses {}: {:?}", name(&record), committed.as_ref().err()));
            return committed;
        };
        self.note_payment(&record, done);
        self.keep(|| Written::Record(self.world.now(), now, record));
        committed
    }

    fn note_payment(&self, record: &Record, done: &Committed) {
        let mut payments = self.payments.borrow_mut();
        let open = &self.world.open_payments;
        match (record, done) {
            (Record::Intend(_), Committed::Intent(intent)) => {
                let node = usize::from(self.world.nodes[0].borrow().id != *intent.node());
                payments.insert(intent.payment(), (*intent.hash(), node));
                open.set(open.get() + 1);
            }
            (Record::Paid { payment, .. }, _) => {
                if let Some((hash, node)) = payments.get(payment) {
                    self.world.auditor.borrow_mut().known_settled(*node, *hash);
                }
                open.set(open.get().saturating_sub(1));
            }
            (Record::Dead { .. }, _) => open.set(open.get().saturating_sub(1)),
            (_, _) => {}
        }
    }

    /// Settled + held ≤ budget, at this very instant, by the ledger's own counts.
    fn check_budget(&self) {
        for (batch, most) in &*self.budgets.borrow() {
            let counts = self.ledger.books().counts(*batch).expect("the ledger can be read");
            let used = counts.spent.get() + counts.fees.get() + counts.held.get();
            if used > most + self.world.auditor.borrow().overcharged() {
                self.world.violated(format!("the ledger has {used} msat spent or held, the budget is {most}"));
            }
        }
    }

    /// A read. It fails where the disk fails.
    async fn read<T>(&self, read: impl FnOnce(&Books) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        if self.broken.get() {
            return Err(LedgerError::Io("the disk failed before".to_owned()));
        }
        read(&self.ledger.books())
    }
}

/// What a record is, in a word.
pub fn name(record: &Record) -> String {
    let debug = format!("{record:?}");
    let word: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    match record {
        Record::Dead { proof, end, .. } => format!("{word} ({proof:?}, {:?} {:?})", end.state, end.reason),
        Record::Doubt { reason, .. } => format!("{word} ({reason:?})"),
        Record::Undelivered { end, .. } | Record::Ended(_, end) => {
            format!("{word} ({:?} {:?}: {})", end.state, end.reason, end.error.as_deref().unwrap_or_default())
        }
        Record::Intend(intent) => format!("{word} job {} {}", intent.job.0, super::node::short(&intent.hash)),
        Record::SendAnswered { accepted, .. } => format!("{word} (accepted: {accepted})"),
        Record::SendBegun(_)
        | Record::Paid { .. }
        | Record::Posted(..)
        | Record::Answer { .. }
        | Record::Accepted { .. }
        | Record::Delivered { .. } => word,
    }
}

impl Ledger for Disk {
    async fn commit(&self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        let world = &self.world;
        world.point("before a commit").await;
        // The gathering delay of a group commit.
        sleep(world, world.between(0, 8)).await;
        if self.broken.get() {
            return Err(LedgerError::Io("the disk failed before".to_owned()));
        }
        if self.is_full() {
            return Err(self.fail("it is full"));
        }
        let fails = self.fails_now();
        if fails == Some(Moment::Before) {
            return Err(self.fail("it failed before a commit"));
        }
        let answers_all = self.lie == Lie::AllSendsAnswered && matches!(record, Record::SendAnswered { .. });
        let mut committed = self.apply(now, record.clone())?;
        while answers_all
            && matches!(&committed, Committed::Intent(intent) if intent.sends_answered() < intent.sends_begun())
        {
            committed = self.apply(now, record.clone())?;
        }
        world.note(|| format!("committed {} -> {committed:?}", name(&record)));
        if matches!(record, Record::Intend(_) | Record::Paid { .. } | Record::Posted(..) | Record::Dead { .. }) {
            self.check_budget();
        }
        if fails == Some(Moment::After) {
            return Err(self.fail("it failed after a commit"));
        }
        world.point("after a commit").await;
        Ok(committed)
    }

    async fn open_jobs(&self, batch: Option<BatchKey>) -> Result<Vec<OpenJob>, LedgerError> {
        self.read(|books| books.open_jobs(batch)).await
    }

    async fn pending(&self, batch: BatchKey, after: Option<u64>, limit: usize) -> Result<Vec<PendingJob>, LedgerError> {
        self.read(|books| books.pending(batch, after, limit)).await
    }

    async fn request(&self, payment: PaymentKey) -> Result<Request, LedgerError> {
        self.read(|books| books.request(payment)).await
    }

    async fn witness(&self, node: &NodeId, payment: PaymentKey) -> Result<Witness, LedgerError> {
        self.read(|books| books.witness(node, payment)).await
    }

    async fn twin(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<Twin>, LedgerError> {
        self.read(|books| books.twin(job, digest)).await
    }
}
