//! The disk with the ledger: it fails, and a ledger on it may lie.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::mem;
use std::rc::Rc;

use l402_batch::l402::{Network, PaymentHash};
use l402_batch::ledger::port::{Batches, Decisions, Foresee, Inspection, Loading, Marks, Records, Views};
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{
    BatchKey, BatchStart, Caps, ChosenRows, Compared, DeadProof, Decided, Decision, InlineLedger, IntentBounds, JobKey,
    LedgerError, LoadError, Marking, NewBatch, PaymentKey, PeriodCap, Record, Recorded, Reopened, Reopening, Retake,
    TakeId, TakeMark, Trusted, Undecided,
};
use l402_batch::manifest::ResultsRow;
use l402_batch::money::Msat;
use l402_batch::plan::PlannedJob;
use l402_batch::purchase::JobState;
use l402_batch::run::{HeldJobs, Outcome, Whose};
use l402_batch::time::UnixMs;

use super::faults::Fault;
use super::ledger_file::LedgerFile;
use super::port::{Bounds, Port};
use super::records::{Payment, name};
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
    /// A node's "not found" needs no history check.
    NoWitness,
    /// What an endpoint took and did not deliver counts in the run alone that paid it.
    BreakerForgets,
    /// How many payments are in doubt does not bound an intent.
    DoubtUncounted,
    /// A poll's 404 ends what was paid for.
    PollGoneIsLost,
    /// A token serves the job that bought it alone: neither the one in use nor one that is being bought is known.
    TokensUnknown,
}

/// When the disk fails: before a commit, or after it, while whoever wrote still waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// An intent that is handed out before its time becomes durable after so long, in milliseconds.
const LAZY_MS: i64 = 5_000;

/// What a person notes beside a decision.
const NOTE: &str = "as I say";

/// A payment, as a ledger's file has it.
pub struct Held {
    key: PaymentKey,
    state: String,
    /// What is spent or held for it, in msat, without what came back.
    used: u64,
    refunded: u64,
    /// Its credential was rejected, as far as the ledger knows.
    rejected: bool,
}

/// What was written, so that a lying ledger can lose the end of it.
enum Written {
    Begun(UnixMs, NewBatch),
    Loaded(BatchKey, UnixMs, Retake, Vec<PlannedJob>),
    Chosen(BatchKey, UnixMs, Vec<ResultsRow>),
    SetAside(BatchKey, UnixMs, Option<String>, Vec<String>),
    TakenAside(BatchKey, UnixMs),
    Accepted(BatchKey, UnixMs, Meant),
    Reopened(UnixMs, JobKey, Reopening),
    Discarding(BatchKey),
    Marked(UnixMs, Marking),
    Record(i64, UnixMs, Record),
    Trusted(UnixMs, BatchKey, String, u32, IntentBounds),
}

/// Which of the duplicates a person means to be bought all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    None,
    All,
    /// These.
    Some(Vec<String>),
}

pub struct Disk {
    pub world: Rc<World>,
    pub ledger: InlineLedger<SqliteLedger>,
    /// Where it lies in a file, and not in memory.
    pub file: Option<LedgerFile>,
    pub lie: Lie,
    written: RefCell<Vec<Written>>,
    /// Commits of this process so far, and at which it fails.
    commits: Cell<u64>,
    fails_at: Cell<Option<(u64, Moment)>>,
    /// The disk is full until then.
    full_until: Cell<i64>,
    pub payments: RefCell<BTreeMap<PaymentKey, Payment>>,
    /// Words for one more payment at each origin, and the payments that were begun with them.
    pub trusts: RefCell<BTreeMap<String, usize>>,
    pub beyond: RefCell<BTreeMap<PaymentKey, String>>,
    /// Payments of ledgers that stood in this one's place.
    everything: RefCell<BTreeMap<PaymentHash, Payment>>,
    pub open: RefCell<BTreeSet<PaymentKey>>,
    /// Those that are in doubt, by the ledger's records.
    pub in_doubt: RefCell<BTreeSet<PaymentKey>>,
    /// Payments whose credential was rejected with 402 while it was good, and which got no 2xx since.
    pub rejected: RefCell<BTreeSet<PaymentKey>>,
}

fn accept(ledger: &mut SqliteLedger, batch: BatchKey, now: UnixMs, meant: &Meant) -> Result<(), LedgerError> {
    ledger.accept_takes(now, batch)?;
    match meant {
        Meant::None => Ok(()),
        Meant::All => ledger.mean_duplicates(batch, now, &[]),
        Meant::Some(ids) => ledger.mean_duplicates(batch, now, ids),
    }
}

fn choose(
    ledger: &mut SqliteLedger,
    batch: BatchKey,
    now: UnixMs,
    rows: &[ResultsRow],
) -> Result<ChosenRows, LedgerError> {
    ledger.discard_unaccepted(batch)?;
    let read = ledger.read_rows(batch, rows.iter().cloned().map(Ok::<_, Infallible>));
    let chosen = read.map_err(|error| match error {
        LoadError::Ledger(error) => error,
        LoadError::Plan(never) => match never {},
    })?;
    ledger.choose(now, &chosen)?;
    Ok(chosen)
}

fn compared<'a>(edition: Option<&str>, only: &'a [String]) -> Compared<'a> {
    Compared { edition: edition.map(str::to_owned), network: Some(Network::Regtest), only }
}

thread_local! {
    /// An empty ledger to have open while nobody has the file open: making one takes longer than what a process does.
    static NOBODYS: Cell<Option<SqliteLedger>> = const { Cell::new(None) };
}

fn in_memory() -> SqliteLedger {
    SqliteLedger::in_memory().expect("a ledger in memory")
}

impl Disk {
    pub fn new(world: &Rc<World>, lie: Lie, file: Option<LedgerFile>) -> Self {
        // A lying ledger that loses its end is written anew, in memory.
        let file = file.filter(|_| lie != Lie::IntentBeforeCommit);
        let ledger = file.as_ref().map_or_else(in_memory, LedgerFile::open);
        Self {
            world: Rc::clone(world),
            ledger: InlineLedger::new(ledger),
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
        drop(mem::replace(&mut *self.ledger.ledger(), nobodys));
        act(file);
        NOBODYS.set(Some(mem::replace(&mut *self.ledger.ledger(), file.open())));
    }

    /// The payments that the ledger's file holds.
    pub fn hashes(&self) -> BTreeMap<PaymentHash, Held> {
        let Some(file) = &self.file else { return BTreeMap::new() };
        let read = || -> rusqlite::Result<BTreeMap<PaymentHash, Held>> {
            let conn = rusqlite::Connection::open(file.path())?;
            let mut statement = conn.prepare(
                "SELECT p.payment_hash, p.id, p.state, p.amount_msat + CASE p.state WHEN 'posted' THEN p.fee_msat
                     WHEN 'dead' THEN -p.amount_msat ELSE p.fee_limit_msat END,
                     coalesce(min(r.received_msat, p.amount_msat), 0), p.rejected
                 FROM payments p LEFT JOIN refunds r ON r.payment = p.id",
            )?;
            let rows = statement.query_map([], |row| {
                let msat = |at: usize| row.get(at).map(i64::unsigned_abs);
                let (key, state) = (PaymentKey(row.get(1)?), row.get(2)?);
                let held = Held { key, state, used: msat(3)?, refunded: msat(4)?, rejected: row.get(5)? };
                Ok((PaymentHash(row.get(0)?), held))
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
        for (hash, Held { key, state, used, refunded, .. }) in hashes {
            uses.insert(hash, used - refunded);
            if let Some(known) = everything.get(&hash) {
                payments.insert(key, Payment { used, refunded, ..known.clone() });
            }
            // What a person has given up is not open, in whatever ledger.
            if state == "intended" && !self.world.auditor.borrow().is_abandoned(&hash) {
                self.open.borrow_mut().insert(key);
            }
            if rejected.contains(&hash) {
                self.rejected.borrow_mut().insert(key);
            }
        }
        self.world.open_payments.set(self.open.borrow().len() as u64);
        self.world.auditor.borrow_mut().other_ledger(uses);
    }

    /// An older ledger is in this one's place: it knows nothing of the answers that came since.
    pub fn is_older(&self) {
        let known: BTreeSet<PaymentKey> =
            self.hashes().into_values().filter(|held| held.rejected).map(|held| held.key).collect();
        self.rejected.borrow_mut().retain(|key| known.contains(key));
    }

    /// A process opens the ledger.
    pub fn open(&self, name: &str, meddled: bool, bounds: Bounds) -> Port<'_> {
        Port::new(self, name, meddled, bounds)
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
    pub fn fails_now(&self) -> Option<Moment> {
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
        let mut ledger = in_memory();
        let mut written = self.written.borrow_mut();
        written.truncate(lost);
        for written in &*written {
            match written {
                Written::Begun(now, new) => drop(ledger.begin_batch(*now, new)),
                Written::Loaded(batch, now, retake, jobs) => {
                    drop(ledger.load_plan(*batch, *now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>)));
                }
                Written::Chosen(batch, now, rows) => drop(choose(&mut ledger, *batch, *now, rows)),
                Written::SetAside(batch, now, edition, only) => {
                    drop(ledger.set_duplicates_aside(*batch, *now, &compared(edition.as_deref(), only)));
                }
                Written::Accepted(batch, now, meant) => drop(accept(&mut ledger, *batch, *now, meant)),
                Written::Reopened(now, job, word) => drop(ledger.reopen(*now, *job, *word, NOTE)),
                Written::TakenAside(batch, now) => drop(ledger.discard_duplicates(*batch, *now)),
                Written::Marked(now, marking) => drop(ledger.mark(*now, std::slice::from_ref(marking))),
                Written::Discarding(batch) => drop(ledger.discard_unaccepted(*batch)),
                Written::Record(_, now, record) => drop(ledger.apply(*now, record.clone())),
                Written::Trusted(now, batch, origin, number, bounds) => {
                    drop(ledger.trust(*now, *batch, origin, *number, *bounds));
                }
            }
        }
        *self.ledger.ledger() = ledger;
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
        let begun = self.ledger.ledger().begin_batch(now, new);
        match self.written("a batch", begun)? {
            BatchStart::New(batch) | BatchStart::Existing(batch) => Ok(batch.key),
            BatchStart::OtherManifest { .. } | BatchStart::OtherMoney { .. } => panic!("another batch"),
        }
    }

    /// Whether the purchase before the latest take of that job was given back.
    pub fn was_refunded(&self, batch: BatchKey, id: &str) -> bool {
        let takes = self.ledger.ledger().takes(batch, id).expect("the ledger can be read");
        takes.iter().rev().nth(1).is_some_and(|take| take.row.state == JobState::Refunded)
    }

    /// Whether the purchase before the latest take of that job was rejected.
    pub fn was_rejected(&self, batch: BatchKey, id: &str) -> bool {
        let (mut marks, ledger) = (Vec::new(), self.ledger.ledger());
        let read = ledger.all_takes(batch, &mut |take| {
            marks.extend((take.row.id == id).then_some(take.marked.mark));
            Ok(())
        });
        read.expect("the ledger can be read").expect("rows can be kept");
        marks.iter().rev().nth(1).is_some_and(|mark| *mark == Some(TakeMark::Reject))
    }

    /// A person rejects a delivered take.
    pub fn reject(&self, batch: BatchKey, take: &TakeId) {
        let now = self.world.our_time();
        let marking = Marking { batch, take: take.clone(), mark: Some(TakeMark::Reject), note: None };
        self.keep(|| Written::Marked(now, marking.clone()));
        let refused = self.ledger.ledger().mark(now, &[marking]);
        if let Ok(refused) = self.written("a mark", refused)
            && !refused.is_empty()
        {
            self.world.violated(format!("{take} is delivered, and cannot be marked: {refused:?}"));
        }
    }

    /// Loads a plan, and gives back the ids that are bought once more.
    pub fn load(&self, batch: BatchKey, retake: &Retake, jobs: &[PlannedJob]) -> Result<Vec<String>, LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Loaded(batch, now, retake.clone(), jobs.to_vec()));
        let loaded = self.ledger.ledger().load_plan(batch, now, retake, jobs.iter().cloned().map(Ok::<_, Infallible>));
        let loaded = loaded.map_err(|error| match error {
            LoadError::Ledger(error) => error,
            LoadError::Plan(never) => match never {},
        });
        self.written("a plan", loaded).map(|load| load.retaken.first)
    }

    /// The rows of a results file choose among the stored jobs of its batch.
    pub fn choose_rows(&self, batch: BatchKey, rows: &[ResultsRow]) -> Result<ChosenRows, LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Chosen(batch, now, rows.to_vec()));
        let chosen = choose(&mut self.ledger.ledger(), batch, now, rows);
        self.written("what is chosen", chosen)
    }

    /// Sets duplicates of the last load aside, and gives the ids of those among these jobs; among all where none is named.
    pub fn set_duplicates_aside(
        &self,
        batch: BatchKey,
        edition: Option<&str>,
        only: &[String],
    ) -> Result<Vec<String>, LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::SetAside(batch, now, edition.map(str::to_owned), only.to_vec()));
        let found = self.ledger.ledger().set_duplicates_aside(batch, now, &compared(edition, only));
        let found = self.written("duplicates", found)?;
        Ok(found.first.into_iter().map(|(id, _)| id).collect())
    }

    /// Nobody means the duplicates: takes that were set aside go, and hide nothing.
    pub fn take_back_duplicates(&self, batch: BatchKey) -> Result<(), LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::TakenAside(batch, now));
        let taken_back = self.ledger.ledger().discard_duplicates(batch, now);
        self.written("what is taken back", taken_back)
    }

    /// What the last load found is accepted; its duplicates too, where a person means them.
    pub fn accept(&self, batch: BatchKey, meant: &Meant) -> Result<(), LedgerError> {
        let now = self.world.our_time();
        self.keep(|| Written::Accepted(batch, now, meant.clone()));
        let accepted = accept(&mut self.ledger.ledger(), batch, now, meant);
        self.written("what is accepted", accepted)
    }

    /// It is not.
    pub fn discard_unaccepted(&self, batch: BatchKey) -> Result<(), LedgerError> {
        self.keep(|| Written::Discarding(batch));
        let taken_back = self.ledger.ledger().discard_unaccepted(batch);
        self.written("what is taken back", taken_back)
    }

    pub fn is_full(&self) -> bool {
        if self.world.strikes(Fault::DiskFull) && self.world.between(0, 3) == 0 {
            self.full_until.set(self.world.now() + self.world.spread_ms(1_000, 86_400_000));
        }
        !self.world.is_calm() && self.world.now() < self.full_until.get()
    }

    pub fn apply(&self, batch: &str, now: UnixMs, mut record: Record) -> Result<Recorded, LedgerError> {
        if let (Lie::NoLimits, Record::Intend(intent)) = (self.lie, &mut record) {
            let endless = |cap: &PeriodCap| PeriodCap { period: cap.period.clone(), most: Msat::new(u64::MAX) };
            let Caps { day, month, .. } = &intent.caps;
            intent.caps =
                Caps { day: day.as_ref().map(endless), month: month.as_ref().map(endless), ..Caps::default() };
        }
        let committed = self.ledger.ledger().commit(now, record.clone());
        let Ok(Recorded { committed: done, .. }) = &committed else {
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

    /// A person's word for an origin that gets no more payments.
    pub fn trust(&self, batch: BatchKey, origin: &str, number: u32, max_undelivered: u32) -> Trusted {
        let now = self.world.our_time();
        let bounds = IntentBounds { max_undelivered, run_began: now, ..IntentBounds::default() };
        self.keep(|| Written::Trusted(now, batch, origin.to_owned(), number, bounds));
        self.ledger.ledger().trust(now, batch, origin, number, bounds).expect("a word can be written")
    }

    /// Why jobs are still pending: what the command writes at its end. A run that was to buy `chosen` ones knows nothing of others.
    pub fn explain(&self, batch: BatchKey, outcome: &Outcome, chosen: bool) -> Result<(), LedgerError> {
        for HeldJobs { whose, reason, words, jobs } in &outcome.held_back {
            let explained = self.ledger.ledger().explain_jobs(jobs, *reason, words);
            self.written("a reason", explained)?;
            let endpoint = match whose {
                Whose::AllOfEndpoint(name) => Some(name.as_str()),
                Whose::AllPending => None,
                Whose::Named => continue,
            };
            if !chosen {
                let explained = self.ledger.ledger().explain_pending(batch, endpoint, *reason, words);
                self.written("a reason", explained)?;
            }
        }
        Ok(())
    }

    /// A person's decision.
    pub fn decide(&self, job: &Undecided, decision: Decision, evidence: &str, proof: Option<DeadProof>) -> Decided {
        let now = self.world.our_time();
        let decided = self.ledger.ledger().decide(now, job.job, decision, NOTE, evidence, proof);
        let decided = decided.expect("a decision can be written");
        if let (Decided::Recorded, Some(intent)) = (decided, &job.intent) {
            self.open.borrow_mut().remove(&intent.payment());
            self.in_doubt.borrow_mut().remove(&intent.payment());
            self.world.open_payments.set(self.open.borrow().len() as u64);
            if proof.is_some() {
                // A word that it used up is there again.
                self.beyond.borrow_mut().remove(&intent.payment());
            }
            if decision == Decision::Unpaid || proof.is_some() {
                self.world.auditor.borrow_mut().ledger_uses(*intent.hash(), 0);
            }
        }
        self.check_limits();
        decided
    }

    /// A person's word on what is paid for and given up. `payment` is what was paid for it.
    pub fn reopen(&self, job: JobKey, word: Reopening, payment: Option<&PaymentHash>) -> Reopened {
        let now = self.world.our_time();
        self.keep(|| Written::Reopened(now, job, word));
        let reopened = self.ledger.ledger().reopen(now, job, word, NOTE).expect("a word can be written");
        if let (Reopened::Taken(_), Some(hash)) = (&reopened, payment) {
            self.delivered_to_a_person(hash);
        }
        self.check_limits();
        reopened
    }

    /// Settled + held never pass a limit, at this very instant, by the ledger's own records; and its sums are those.
    pub fn check_limits(&self) {
        let world = &self.world;
        let broken = world.auditor.borrow().ledger_over_budget();
        if let Some(broken) = broken {
            world.violated(broken);
        }
        let by_batch = world.auditor.borrow().ledger_by_batch();
        for (name, used) in by_batch {
            let batch = self.ledger.ledger().batch(&name).expect("the ledger can be read").expect("a batch").key;
            let counts = self.ledger.ledger().counts(batch).expect("the ledger can be read");
            let sum = counts.spent.get() + counts.fees.get() + counts.held.get() - counts.refunded.get();
            if sum != used && self.lie != Lie::IntentBeforeCommit {
                world.violated(format!("the ledger has {sum} msat spent or held, its records say {used}"));
            }
        }
    }
}
