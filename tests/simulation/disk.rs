//! The ledger's port, with a disk that fails, and ledgers that lie.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::mem;
use std::rc::Rc;

use l402_batch::l402::{Network, PaymentHash};
use l402_batch::ledger::sqlite::{
    BatchStart, Books, Compared, Decided, Decision, InlineLedger, LoadError, NewBatch, Retake, Trusted, Undecided,
};
use l402_batch::ledger::{
    AnswerKind, BatchKey, Caps, Committed, DeadProof, DeliveredJob, Deliveries, DurableIntent, HeldBack, IntentBounds,
    IntentRefusal, JobEnd, JobKey, JobState, Ledger, LedgerError, NewIntent, OpenJob, OpenRefund, Original, PaymentKey,
    PendingJob, PeriodCap, Prospect, Reason, Record, RefundRecord, ResultRow, Twin, Undownloaded, Witness,
};
use l402_batch::money::Msat;
use l402_batch::origin::{Credential, HttpAnswer, Request};
use l402_batch::payer::NodeId;
use l402_batch::plan::PlannedJob;
use l402_batch::run::{HeldJobs, Outcome, Whose};
use l402_batch::time::UnixMs;

use super::coverage::Sight;
use super::faults::Fault;
use super::ledger_file::LedgerFile;
use super::plan::job_name;
use super::shop::{STRANGE, endpoint_of};
use super::timeline::sleep;
use super::verdict;
use super::world::World;

/// How a ledger lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    None,
    /// It hands out an intent before it is durable: a crash soon after loses it.
    IntentBeforeCommit,
    /// One answered send counts for all.
    AllSendsAnswered,
    /// No limit refuses anything.
    NoLimits,
    /// A node's "not found" needs no witness.
    NoWitness,
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
    SetAside(BatchKey, UnixMs),
    TakenAside(BatchKey, UnixMs),
    Accepted(BatchKey, UnixMs, bool),
    TakenBack(BatchKey),
    Record(i64, UnixMs, Record),
    Trusted(UnixMs, BatchKey, String, u32, IntentBounds),
}

pub struct Disk {
    pub world: Rc<World>,
    pub ledger: InlineLedger,
    /// Where it lies in a file, and not in memory.
    pub file: Option<LedgerFile>,
    lie: Lie,
    written: RefCell<Vec<Written>>,
    /// Commits of this process so far, and at which it fails.
    commits: Cell<u64>,
    fails_at: Cell<Option<(u64, Moment)>>,
    /// The disk is full until then.
    full_until: Cell<i64>,
    payments: RefCell<BTreeMap<PaymentKey, Payment>>,
    /// Words for one more payment at each origin, and the payments that were begun with them.
    trusts: RefCell<BTreeMap<String, usize>>,
    beyond: RefCell<BTreeMap<PaymentKey, String>>,
    /// Payments of ledgers that stood in this one's place.
    everything: RefCell<BTreeMap<PaymentHash, Payment>>,
    open: RefCell<BTreeSet<PaymentKey>>,
    /// Those that are in doubt, by the ledger's records.
    in_doubt: RefCell<BTreeSet<PaymentKey>>,
    /// Payments whose credential was rejected with 402 while it was good, and which got no 2xx since.
    rejected: RefCell<BTreeSet<PaymentKey>>,
}

fn accept(books: &mut Books, batch: BatchKey, now: UnixMs, means_duplicates: bool) -> Result<(), LedgerError> {
    books.accept_takes(now, batch)?;
    if means_duplicates { books.mean_duplicates(batch, now, &[]) } else { Ok(()) }
}

thread_local! {
    /// An empty ledger to have open while nobody has the file open: making one takes longer than what a process does.
    static NOBODYS: Cell<Option<Books>> = const { Cell::new(None) };
}

fn in_memory() -> Books {
    Books::in_memory().expect("a ledger in memory")
}

/// What an intent said.
#[derive(Clone, Debug)]
struct Payment {
    hash: PaymentHash,
    node: usize,
    host: String,
    credential_ends: UnixMs,
    amount: u64,
    /// Spent or held, without what came back.
    used: u64,
    refunded: u64,
}

/// The disk as one process has it: after a failed commit that process writes nothing more.
pub struct Port<'a> {
    disk: &'a Disk,
    broken: Cell<bool>,
    /// The batch that it buys, and its name.
    pub batch: Cell<Option<BatchKey>>,
    name: String,
    /// Somebody may delete the ledger under it.
    meddled: bool,
    /// How far it may go.
    bounds: Bounds,
    /// When the process began.
    began_at: i64,
}

/// What a process may have under way, by its settings.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub max_undelivered: usize,
    pub max_doubt: usize,
    pub payments_in_flight: usize,
}

impl Disk {
    pub fn new(world: &Rc<World>, lie: Lie, file: Option<LedgerFile>) -> Self {
        // A lying ledger that loses its end is written anew, in memory.
        let file = file.filter(|_| lie != Lie::IntentBeforeCommit);
        let books = file.as_ref().map_or_else(in_memory, LedgerFile::open);
        Self {
            world: Rc::clone(world),
            ledger: InlineLedger::new(books),
            file,
            lie,
            written: RefCell::default(),
            commits: Cell::new(0),
            fails_at: Cell::new(None),
            full_until: Cell::new(0),
            payments: RefCell::default(),
            trusts: RefCell::default(),
            beyond: RefCell::default(),
            everything: RefCell::default(),
            open: RefCell::default(),
            in_doubt: RefCell::default(),
            rejected: RefCell::default(),
        }
    }

    /// The first of the processes that begin now opens the ledger; nobody has it open.
    pub fn opened(&self) {
        self.closed_for(|_| ());
    }

    /// Whether the ledger was deleted under a run.
    pub fn was_deleted(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.around.deleted.get())
    }

    /// Does something with the file while nobody has it open.
    pub fn closed_for(&self, act: impl FnOnce(&LedgerFile)) {
        let Some(file) = &self.file else { return };
        let nobodys = NOBODYS.take().unwrap_or_else(in_memory);
        drop(mem::replace(&mut *self.ledger.books(), nobodys));
        act(file);
        NOBODYS.set(Some(mem::replace(&mut *self.ledger.books(), file.open())));
    }

    /// The payments that the ledger's file holds: their keys, and what they use, in msat.
    pub fn hashes(&self) -> BTreeMap<PaymentHash, (PaymentKey, u64, String)> {
        let Some(file) = &self.file else { return BTreeMap::new() };
        let read = || -> rusqlite::Result<BTreeMap<PaymentHash, (PaymentKey, u64, String)>> {
            let conn = rusqlite::Connection::open(file.path())?;
            let mut statement = conn.prepare(
                "SELECT p.payment_hash, p.id, p.state, p.amount_msat + CASE p.state WHEN 'posted' THEN p.fee_msat
                     WHEN 'dead' THEN -p.amount_msat ELSE p.fee_limit_msat END
                     - coalesce(min(r.received_msat, p.amount_msat), 0)
                 FROM payments p LEFT JOIN refunds r ON r.payment = p.id",
            )?;
            let rows = statement.query_map([], |row| {
                let key = PaymentKey(row.get(1)?);
                Ok((PaymentHash(row.get(0)?), (key, row.get::<_, i64>(3)?.unsigned_abs(), row.get(2)?)))
            })?;
            rows.collect()
        };
        read().expect("the ledger can be read")
    }

    /// Another ledger is in this one's place.
    pub fn knows_anew(&self) {
        let hashes = self.hashes();
        let mut payments = self.payments.borrow_mut();
        let known: BTreeMap<PaymentHash, Payment> = payments.values().map(|one| (one.hash, one.clone())).collect();
        let rejected: BTreeSet<PaymentHash> =
            self.rejected.borrow().iter().filter_map(|key| payments.get(key)).map(|one| one.hash).collect();
        self.everything.borrow_mut().extend(known);
        let everything = self.everything.borrow();
        payments.clear();
        self.open.borrow_mut().clear();
        self.in_doubt.borrow_mut().clear();
        self.rejected.borrow_mut().clear();
        let mut uses = BTreeMap::new();
        for (hash, (key, used, state)) in hashes {
            uses.insert(hash, used);
            if let Some(known) = everything.get(&hash) {
                let used = if state == "dead" { 0 } else { used + known.refunded };
                payments.insert(key, Payment { used, ..known.clone() });
            }
            // What a person has given up is not open, in whatever ledger.
            if state == "intended" && !self.world.auditor.borrow().is_given_up(&hash) {
                self.open.borrow_mut().insert(key);
            }
            if rejected.contains(&hash) {
                self.rejected.borrow_mut().insert(key);
            }
        }
        self.world.open_payments.set(self.open.borrow().len() as u64);
        self.world.auditor.borrow_mut().other_ledger(uses);
    }

    /// A process opens the ledger.
    pub fn open(&self, name: &str, meddled: bool, bounds: Bounds) -> Port<'_> {
        let (broken, batch, began_at) = (Cell::new(false), Cell::new(None), self.world.now());
        Port { disk: self, broken, batch, name: name.to_owned(), meddled, bounds, began_at }
    }

    /// All processes are gone. What a lying ledger had not written is gone too after a crash.
    pub fn closed(&self, crashed: bool) {
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
        let mut books = in_memory();
        let mut written = self.written.borrow_mut();
        written.truncate(lost);
        for written in &*written {
            match written {
                Written::Begun(now, new) => drop(books.begin_batch(*now, new)),
                Written::Loaded(batch, now, retake, jobs) => {
                    drop(books.load_plan(*batch, *now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>)));
                }
                Written::SetAside(batch, now) => {
                    let compared =
                        Compared { edition: Some(String::new()), network: Some(Network::Regtest), only: &[] };
                    drop(books.set_duplicates_aside(*batch, *now, &compared));
                }
                Written::Accepted(batch, now, means) => drop(accept(&mut books, *batch, *now, *means)),
                Written::TakenAside(batch, now) => drop(books.take_back_duplicates(*batch, *now)),
                Written::TakenBack(batch) => drop(books.take_back_takes(*batch)),
                Written::Record(_, now, record) => drop(books.apply(*now, record.clone())),
                Written::Trusted(now, batch, origin, number, bounds) => {
                    drop(books.trust(*now, *batch, origin, *number, *bounds));
                }
            }
        }
        *self.ledger.books() = books;
    }

    fn keep(&self, written: impl FnOnce() -> Written) {
        if self.lie == Lie::IntentBeforeCommit {
            self.written.borrow_mut().push(written());
        }
    }

    /// What a command writes by itself succeeds, but where somebody has deleted the ledger: then the command ends.
    fn written<T>(&self, what: &str, written: Result<T, LedgerError>) -> Result<T, LedgerError> {
        if let Err(error) = &written
            && !self.was_deleted()
        {
            self.world.violated(format!("{what} cannot be written: {error:?}"));
        }
        written
    }

    pub fn begin(&self, new: &NewBatch) -> Result<BatchKey, LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Begun(now, new.clone()));
        let begun = self.ledger.books().begin_batch(now, new);
        match self.written("a batch", begun)? {
            BatchStart::New(batch) | BatchStart::Known(batch) => Ok(batch.key),
            BatchStart::OtherManifest { .. } | BatchStart::OtherMoney { .. } => panic!("another batch"),
        }
    }

    /// Whether the purchase before the latest take of that job was given back.
    pub fn was_refunded(&self, batch: BatchKey, id: &str) -> bool {
        let takes = self.ledger.books().takes(batch, id).expect("the ledger can be read");
        takes.iter().rev().nth(1).is_some_and(|take| take.row.state == JobState::Refunded)
    }

    /// Loads a plan, and gives back the ids that are bought once more.
    pub fn load(&self, batch: BatchKey, retake: &Retake, jobs: &[PlannedJob]) -> Result<Vec<String>, LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Loaded(batch, now, retake.clone(), jobs.to_vec()));
        let loaded = self.ledger.books().load_plan(batch, now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>));
        let loaded = loaded.map_err(|error| match error {
            LoadError::Ledger(error) => error,
            LoadError::Plan(never) => match never {},
        });
        self.written("a plan", loaded).map(|load| load.retaken.first)
    }

    /// Sets duplicates of the last load aside, and gives their ids.
    pub fn set_duplicates_aside(&self, batch: BatchKey) -> Result<Vec<String>, LedgerError> {
        let compared = Compared { edition: Some(String::new()), network: Some(Network::Regtest), only: &[] };
        let now = self.world.our_time();
        self.keep(|| Written::SetAside(batch, now));
        let found = self.ledger.books().set_duplicates_aside(batch, now, &compared);
        let found = self.written("duplicates", found)?;
        Ok(found.first.into_iter().map(|(id, _)| id).collect())
    }

    /// Nobody means the duplicates: takes that were set aside go, and hide nothing.
    pub fn take_back_duplicates(&self, batch: BatchKey) -> Result<(), LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::TakenAside(batch, now));
        let taken_back = self.ledger.books().take_back_duplicates(batch, now);
        self.written("what is taken back", taken_back)
    }

    /// What the last load found is accepted; its duplicates too, where a person means them.
    pub fn accept(&self, batch: BatchKey, means_duplicates: bool) -> Result<(), LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Accepted(batch, now, means_duplicates));
        let accepted = accept(&mut self.ledger.books(), batch, now, means_duplicates);
        self.written("what is accepted", accepted)
    }

    /// It is not.
    pub fn take_back(&self, batch: BatchKey) -> Result<(), LedgerError> {
        self.keep(|| Written::TakenBack(batch));
        let taken_back = self.ledger.books().take_back_takes(batch);
        self.written("what is taken back", taken_back)
    }

    fn is_full(&self) -> bool {
        if self.world.strikes(Fault::DiskFull) && self.world.between(0, 3) == 0 {
            self.full_until.set(self.world.now() + self.world.spread_ms(1_000, 86_400_000));
        }
        !self.world.is_calm() && self.world.now() < self.full_until.get()
    }

    fn apply(&self, batch: &str, now: UnixMs, mut record: Record) -> Result<Committed, LedgerError> {
        if let (Lie::NoLimits, Record::Intend(intent)) = (self.lie, &mut record) {
            let endless = |cap: &PeriodCap| PeriodCap { period: cap.period.clone(), most: Msat::new(u64::MAX) };
            let Caps { day, month, .. } = &intent.caps;
            intent.caps = Caps { batch: None, day: day.as_ref().map(endless), month: month.as_ref().map(endless) };
        }
        let committed = self.ledger.books().apply(now, record.clone());
        let Ok(done) = &committed else {
            if self.was_deleted() {
                return committed;
            }
            self.world.violated(format!("the ledger refuses {}: {:?}", name(&record), committed.as_ref().err()));
            return committed;
        };
        self.note_payment(now, batch, &record, done);
        self.note_file(&record);
        self.keep(|| Written::Record(self.world.now(), now, record));
        committed
    }

    fn note_payment(&self, now: UnixMs, batch: &str, record: &Record, done: &Committed) {
        let mut payments = self.payments.borrow_mut();
        let mut open = self.open.borrow_mut();
        let mut auditor = self.world.auditor.borrow_mut();
        let mut in_doubt = self.in_doubt.borrow_mut();
        match record {
            Record::Doubt { payment, .. } => drop(in_doubt.insert(*payment)),
            Record::Paid { payment, .. } => drop(in_doubt.remove(payment)),
            Record::Delivered { payment, .. } if matches!(done, Committed::Done) => {
                let mut rejected = self.rejected.borrow_mut();
                rejected.remove(payment);
                // A purchase that a person trusted the origin with speaks for the whole origin.
                if let Some(host) = self.beyond.borrow().get(payment) {
                    rejected.retain(|one| payments.get(one).is_none_or(|one| one.host != *host));
                }
            }
            Record::Dead { payment, .. } => {
                in_doubt.remove(payment);
                self.beyond.borrow_mut().remove(payment);
            }
            _ => {}
        }
        if let Committed::IntentRefused(IntentRefusal::Duplicate(_)) = done {
            self.world.saw(Sight::DuplicateAtIntent);
        }
        match (record, done) {
            (Record::Intend(new), Committed::Intent(intent)) => {
                let node = self.node_of(intent);
                let (hash, amount) = (*intent.hash(), intent.amount().get());
                let most = amount + intent.fee_limit().get();
                let host = new.request.url.host_str().unwrap_or_default().to_owned();
                let credential_ends = new.credential_expires_at;
                let payment = Payment { hash, node, host, credential_ends, amount, used: most, refunded: 0 };
                payments.insert(intent.payment(), payment);
                open.insert(intent.payment());
                auditor.charged(hash, batch.to_owned(), &new.caps);
                auditor.ledger_uses(hash, most);
            }
            (Record::Paid { payment, posted, .. }, _) => {
                if let Some(known) = payments.get_mut(payment) {
                    auditor.known_settled(known.node, known.hash);
                    if let Some(posted) = posted {
                        known.used = known.amount + posted.fee.get();
                    }
                    // What a person had taken as never made is held again.
                    auditor.ledger_uses(known.hash, known.used - known.refunded);
                }
                open.remove(payment);
            }
            (Record::Posted(payment, posted), _) => {
                if let Some(known) = payments.get_mut(payment) {
                    known.used = known.amount + posted.fee.get();
                    auditor.ledger_uses(known.hash, known.used - known.refunded);
                }
            }
            (Record::Answer { payment, answer, kind }, _) => {
                let own = |known: &&Payment| !self.world.shop.borrow().is_of_another(&known.hash, answer);
                if let Some(known) = payments.get(payment).filter(own)
                    && *kind == AnswerKind::Redeem
                    && (200..=299).contains(&answer.status)
                {
                    let understood = !String::from_utf8_lossy(&answer.body).contains(STRANGE);
                    auditor.answered(known.hash, understood);
                }
                let good = payments.get(payment).is_some_and(|known| now <= known.credential_ends);
                match answer.status {
                    402 if good => drop(self.rejected.borrow_mut().insert(*payment)),
                    200..=299 => drop(self.rejected.borrow_mut().remove(payment)),
                    _ => {}
                }
            }
            (Record::Dead { payment, .. } | Record::GivenUpDead { payment, .. }, _) => {
                if let Some(known) = payments.get_mut(payment) {
                    known.used = 0;
                    auditor.ledger_uses(known.hash, 0);
                }
                open.remove(payment);
            }
            (Record::Refund(payment, RefundRecord::Settled { received }), _) => {
                if let Some(known) = payments.get_mut(payment) {
                    known.refunded = received.get().min(known.amount);
                    auditor.ledger_uses(known.hash, known.used - known.refunded);
                    let came = self.world.bank.borrow().received_for(&known.hash);
                    if came != received.get() {
                        let words = format!("a refund of {received} is booked, and the node has received {came} msat");
                        auditor.violated(words);
                    }
                }
                self.world.saw(Sight::RefundSettled);
            }
            (Record::Refund(_, RefundRecord::HandedOver { .. }), _) => self.world.saw(Sight::HandedOverAgain),
            (Record::Refund(_, RefundRecord::Expired { .. }), _) => self.world.saw(Sight::InvoiceExpired),
            (_, _) => {}
        }
        self.world.open_payments.set(open.len() as u64);
    }

    fn node_of(&self, intent: &DurableIntent) -> usize {
        usize::from(self.world.nodes[0].borrow().id != *intent.node())
    }

    fn note_file(&self, record: &Record) {
        let world = &self.world;
        match record {
            Record::Downloaded(job, whole) => world.files.downloaded(world, *job, &whole.file, whole.sha256),
            Record::NotDownloaded { reason: Reason::UrlGone, .. } => world.saw(Sight::FileGone),
            Record::NotDownloaded { .. } => world.saw(Sight::FileGivenUp),
            _ => {}
        }
    }

    /// A word was given for one more payment at an origin.
    pub fn trusted(&self, origin: &str) {
        *self.trusts.borrow_mut().entry(origin.to_owned()).or_default() += 1;
    }

    /// Whether a word lets this payment begin at an origin that gets no more; each word lets one that does not come to nothing.
    fn trusts(&self, origin: &str, payment: PaymentKey) -> bool {
        let mut beyond = self.beyond.borrow_mut();
        beyond.insert(payment, origin.to_owned());
        let used = beyond.values().filter(|one| *one == origin).count();
        used <= self.trusts.borrow().get(origin).copied().unwrap_or(0)
    }

    /// A person's word for an origin that gets no more payments.
    pub fn trust(&self, batch: BatchKey, origin: &str, number: u32, max_undelivered: u32) -> Trusted {
        let now = self.world.our_time();
        let bounds = IntentBounds { max_undelivered, run_began: now, ..IntentBounds::default() };
        self.keep(|| Written::Trusted(now, batch, origin.to_owned(), number, bounds));
        self.ledger.books().trust(now, batch, origin, number, bounds).expect("a word can be written")
    }

    /// Why jobs are still pending: what the command writes at its end.
    pub fn explain(&self, batch: BatchKey, outcome: &Outcome) -> Result<(), LedgerError> {
        for HeldJobs { whose, reason, words, jobs } in &outcome.held_back {
            let explained = self.ledger.books().explain_jobs(jobs, *reason, words);
            self.written("a reason", explained)?;
            let endpoint = match whose {
                Whose::AllOfEndpoint(name) => Some(name.as_str()),
                Whose::AllPending => None,
                Whose::Named => continue,
            };
            let explained = self.ledger.books().explain_pending(batch, endpoint, *reason, words);
            self.written("a reason", explained)?;
        }
        Ok(())
    }

    /// A person's decision.
    pub fn decide(&self, job: &Undecided, decision: Decision, evidence: &str, proof: Option<DeadProof>) -> Decided {
        let now = self.world.our_time();
        let decided = self.ledger.books().decide(now, job.job, decision, "as I say", evidence, proof);
        let decided = decided.expect("a decision can be written");
        if let (Decided::Recorded, Some(intent)) = (decided, &job.intent) {
            self.open.borrow_mut().remove(&intent.payment());
            self.in_doubt.borrow_mut().remove(&intent.payment());
            self.world.open_payments.set(self.open.borrow().len() as u64);
            if decision == Decision::Unpaid || proof.is_some() {
                self.world.auditor.borrow_mut().ledger_uses(*intent.hash(), 0);
            }
        }
        self.check_limits();
        decided
    }

    /// Settled + held never pass a limit, at this very instant, by the ledger's own records; and its sums are those.
    fn check_limits(&self) {
        let world = &self.world;
        let broken = world.auditor.borrow().ledger_over_budget();
        if let Some(broken) = broken {
            world.violated(broken);
        }
        let by_batch = world.auditor.borrow().ledger_by_batch();
        for (name, used) in by_batch {
            let batch = self.ledger.books().batch(&name).expect("the ledger can be read").expect("a batch").key;
            let counts = self.ledger.books().counts(batch).expect("the ledger can be read");
            let sum = counts.spent.get() + counts.fees.get() + counts.held.get() - counts.refunded.get();
            if sum != used && self.lie != Lie::IntentBeforeCommit {
                world.violated(format!("the ledger has {sum} msat spent or held, its records say {used}"));
            }
        }
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
        Record::Refund(_, record) => format!("{word} {record:?}"),
        Record::SendBegun(_)
        | Record::Paid { .. }
        | Record::Posted(..)
        | Record::GivenUpDead { .. }
        | Record::Witness { .. }
        | Record::Answer { .. }
        | Record::Accepted { .. }
        | Record::LeftUndelivered(_)
        | Record::Replaying(_)
        | Record::Fetching(..)
        | Record::Downloaded(..)
        | Record::NotDownloaded { .. }
        | Record::Stuck { .. }
        | Record::Delivered { .. } => word,
    }
}

impl Port<'_> {
    fn fail(&self, what: &str) -> LedgerError {
        self.broken.set(true);
        self.disk.world.note(|| format!("disk: {what}"));
        LedgerError::Io(what.to_owned())
    }

    fn expect_whole(&self) -> Result<(), LedgerError> {
        if self.broken.get() { Err(LedgerError::Io("the disk failed before".to_owned())) } else { Ok(()) }
    }

    /// Nothing is bought beyond what may be in doubt or on its way at a node, nor of whoever had taken as many payments as it
    /// may, and delivered none, before this process began; nor of an origin that does not take what was paid for.
    fn check_bounds(&self, new: &NewIntent, intent: &DurableIntent) {
        let (world, Bounds { max_undelivered, max_doubt, payments_in_flight }) = (&self.disk.world, self.bounds);
        let payments = self.disk.payments.borrow();
        let at_node = |keys: &BTreeSet<PaymentKey>| {
            let here = |key: &&PaymentKey| payments.get(key).is_some_and(|one| one.node == self.disk.node_of(intent));
            keys.iter().filter(here).count()
        };
        let (held, in_doubt) = (at_node(&self.disk.open.borrow()), at_node(&self.disk.in_doubt.borrow()));
        let most = max_doubt.max(payments_in_flight);
        if in_doubt >= max_doubt || held > most {
            world.violated(format!(
                "bought with {in_doubt} payments in doubt and {held} held; {max_doubt} and {most} are allowed"
            ));
        }
        let endpoint = endpoint_of(&new.request.url);
        let is_excused = |hash: &PaymentHash| world.auditor.borrow().is_excused(hash);
        let taken = world.shop.borrow().undelivered_by(&endpoint, self.began_at, is_excused);
        let host = new.request.url.host_str().unwrap_or_default();
        let rejected = self.disk.rejected.borrow();
        let rejects = rejected.iter().filter_map(|key| payments.get(key)).find(|one| one.host == host);
        let is_shut = taken >= max_undelivered && world.our_clock_is_right();
        if (is_shut || rejects.is_some()) && !self.disk.trusts(host, intent.payment()) {
            world.violated(format!(
                "{endpoint} had taken {taken} payments, and gets one more without a word; rejected {:?}",
                rejects.map(|one| one.hash)
            ));
        }
    }

    /// Latest takes before a load that it has taken back.
    pub fn note_taken_back(&self, before: &[ResultRow]) {
        let Some(batch) = self.batch.get() else { return };
        let after = verdict::rows(&self.disk.ledger.books(), batch);
        for row in before {
            let is_gone = after.iter().any(|now| now.id == row.id && now.take < row.take);
            if is_gone {
                self.disk.world.auditor.borrow_mut().set_aside(&job_name(&self.name, &row.id), row.take);
            }
        }
    }

    /// Takes that are set aside, and will be taken back, if not now, by the next load; but for these, which nobody has accepted.
    pub fn note_set_aside(&self, unaccepted: &[String]) {
        let Some(batch) = self.batch.get() else { return };
        for row in verdict::rows(&self.disk.ledger.books(), batch) {
            if row.take > 1 && row.reason == Reason::Duplicate && !unaccepted.contains(&row.id) {
                self.disk.world.auditor.borrow_mut().set_aside(&job_name(&self.name, &row.id), row.take);
            }
        }
    }

    /// A read. It fails where the disk failed.
    async fn read<T>(&self, read: impl FnOnce(&Books) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.expect_whole()?;
        read(&self.disk.ledger.books())
    }
}

impl Ledger for Port<'_> {
    async fn commit(&self, now: UnixMs, record: Record) -> Result<Committed, LedgerError> {
        let (disk, world) = (self.disk, &self.disk.world);
        world.point("before a commit").await;
        // The gathering delay of a group commit.
        sleep(world, world.between(0, 8)).await;
        self.expect_whole()?;
        if disk.is_full() {
            world.saw(Sight::DiskWasFull);
            return Err(self.fail("it is full"));
        }
        let fails = disk.fails_now();
        if fails == Some(Moment::Before) {
            world.saw(Sight::DiskFailedBefore);
            return Err(self.fail("it failed before a commit"));
        }
        let answers_all = disk.lie == Lie::AllSendsAnswered && matches!(record, Record::SendAnswered { .. });
        if let Some(file) = disk.file.as_ref().filter(|_| self.meddled) {
            file.perhaps_delete(world);
        }
        let mut committed = disk.apply(&self.name, now, record.clone())?;
        if let (Record::Intend(new), Committed::Intent(intent)) = (&record, &committed) {
            self.check_bounds(new, intent);
        }
        if let Record::Ended(_, JobEnd { reason: Reason::Duplicate, .. }) = &record {
            self.note_set_aside(&[]);
        }
        while answers_all
            && matches!(&committed, Committed::Intent(intent) if intent.sends_answered() < intent.sends_begun())
        {
            committed = disk.apply(&self.name, now, record.clone())?;
        }
        world.note(|| format!("committed {} -> {committed:?}", name(&record)));
        let moves_money = matches!(
            record,
            Record::Intend(_)
                | Record::Paid { .. }
                | Record::Posted(..)
                | Record::Dead { .. }
                | Record::Refund(_, RefundRecord::Settled { .. })
        );
        if moves_money {
            disk.check_limits();
        }
        if let Some(file) = &disk.file {
            file.perhaps_read(world, &disk.ledger.books(), self.batch.get());
        }
        if fails == Some(Moment::After) {
            world.saw(Sight::DiskFailedAfter);
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
        if self.disk.lie == Lie::NoWitness {
            return Ok(Witness { settled: Vec::new(), is_earlier: true });
        }
        self.read(|books| books.witness(node, payment)).await
    }

    async fn is_witnessed(&self, node: &NodeId) -> Result<bool, LedgerError> {
        self.read(|books| books.is_witnessed(node)).await
    }

    async fn twin(&self, job: JobKey, digest: &[u8; 32]) -> Result<Option<Twin>, LedgerError> {
        self.read(|books| books.twin(job, digest)).await
    }

    async fn bought_elsewhere(
        &self,
        job: JobKey,
        digest: &[u8; 32],
        network: Network,
    ) -> Result<Option<Original>, LedgerError> {
        self.read(|books| books.bought_elsewhere(job, digest, network)).await
    }

    async fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        self.read(|books| books.held_back(now, prospect)).await
    }

    async fn open_refunds(&self, batch: Option<BatchKey>) -> Result<Vec<PaymentKey>, LedgerError> {
        self.read(|books| books.open_refunds(batch)).await
    }

    async fn refund(&self, payment: PaymentKey) -> Result<Option<OpenRefund>, LedgerError> {
        self.read(|books| books.refund(payment)).await
    }
}

impl Deliveries for Port<'_> {
    async fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        self.read(|books| books.to_download(batch, which, after, limit)).await
    }

    async fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        self.read(|books| books.is_file_of_another(job, file)).await
    }

    async fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        self.read(|books| books.delivery(job)).await
    }

    async fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        self.read(|books| books.credential(job)).await
    }
}
