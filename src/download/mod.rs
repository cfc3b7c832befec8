//! Fetches what was delivered into files, beside the run and after it. Nothing here touches money: a job whose file is not
//! to be had stays delivered.
//!
//! A file has its name only when it is whole and on the disk, and only then the ledger says so. What the next run needs to
//! go on is in the ledger before it is relied upon: the file's name, the version of what the server has, and how much of
//! the part is on the disk for certain.

mod body;
mod disk;
mod fetch;
pub mod file;
pub mod name;
mod part_file;
mod picked;
mod response;
mod source;
#[cfg(test)]
mod tests;
mod transfer;
mod words;

pub use disk::{Disk, LocalDisk, PartFile};
pub use picked::{PickRefused, TakeFile, keep_picked};
pub use transfer::full_words;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};

use crate::event::{Event, Listener};
use crate::ledger::{BatchKey, Deliveries, JobKey, LedgerError};
use crate::origin::Fetch;
use crate::purchase::{JobState, Reason};
use crate::run::{Clock, Control, Pace, SteadyClock};

use name::Template;
use source::Source;
use transfer::Transfer;

/// Jobs that wait for their next try, beside those that are fetched.
const WAITING_MAX: usize = 64;
/// At a host that sells as well, so many fetches a second begin: others buy there.
const SELLER_PER_SECOND: Option<NonZeroU32> = NonZeroU32::new(10);
/// After so many jobs in a row that it gave nothing for, a host is left alone until the next run.
const HOST_FAILURES_MAX: u32 = 8;

/// How files are fetched. Everything has a bound.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder, as an absolute path.
    pub folder: String,
    /// How files are called.
    pub name: Template,
    /// Files that are fetched at once.
    pub in_flight: usize,
    /// Fetches a second that begin at one host, at most; none goes as fast as a host bears it that only serves files.
    pub per_second: Option<NonZeroU32>,
    /// The longest file, in bytes.
    pub bytes_max: u64,
    /// A fetch breaks off where nothing to speak of came for so many milliseconds.
    pub idle_ms: u64,
    /// A file that is still coming after so many milliseconds is left to the next run.
    pub file_ms_max: u64,
    /// So many bytes of the disk are left free.
    pub room_min: u64,
    /// Pieces are gathered up to this size before they are written.
    pub gathered_bytes: usize,
    /// After so many bytes what came is brought to the disk for certain, so that the next run can go on from there.
    pub checkpoint_bytes: u64,
}

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What is delivered while a run goes on, and what could not be had so far.
    OfRun,
    /// Every delivered job whose file is not here (with ids, of these jobs alone), once.
    Missing(HashSet<String>),
}

/// Tells the downloads what happens in the run beside them.
#[derive(Debug, Default)]
pub struct Feed {
    wake: Notify,
    over: Cell<bool>,
    abandoned: Cell<bool>,
    /// Why a file could not be written: what is bought now could not be kept either.
    blocked: RefCell<Option<String>>,
    blocks: Notify,
    /// Of the files that waited at the beginning: those of which nobody knows yet whether they can be kept, with their jobs' ids.
    untried: RefCell<Vec<(JobKey, String)>>,
    /// All that waited has begun.
    all_begun: Cell<bool>,
    /// Every file that waited at the beginning was tried.
    tried: Cell<bool>,
    tries: Notify,
    /// Purchases of the run whose files have not come, and may yet, and of which nobody knows how long they are: by id and take.
    unmeasured: RefCell<HashSet<(String, u32)>>,
    /// The longest file of which the length became known, in bytes.
    longest: Cell<u64>,
    /// What the ledger knows of files that are to come has changed since somebody looked.
    is_recorded: Cell<bool>,
    /// Jobs that the run may still begin to buy.
    left: Cell<u64>,
}

/// How the downloads ended. What became of each job is in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Why nothing more could be written, where that is so: it concerns every file.
    pub trouble: Option<String>,
    /// Hosts that gave nothing for too many jobs in a row.
    pub silent_hosts: Vec<String>,
}

/// All that downloads work with.
pub struct Downloads<'a, L, F, D, C> {
    /// The ledger in which everything is recorded.
    pub ledger: &'a L,
    /// The way to the results.
    pub fetch: &'a F,
    /// Where files are written.
    pub disk: &'a D,
    /// Tells the time, and waits.
    pub clock: &'a C,
    /// Who hears of what was committed.
    pub listener: &'a dyn Listener,
    /// Into which folder, under which names, how many files at once, and how large.
    pub settings: &'a Settings,
    /// How they are told to stop.
    pub control: Control,
    /// What happens in the run beside them.
    pub feed: &'a Feed,
}

/// What all transfers share.
struct Shared {
    /// Of hosts that serve files.
    pace: Pace,
    /// Of those that sell as well, where nobody has said how fast.
    sellers: Pace,
    places: Semaphore,
    /// Held while a name is chosen: two that differ only by case are not told apart by every file system.
    naming: tokio::sync::Mutex<()>,
    /// Names are numbered from here on where the first one is taken: by stem.
    numbers: RefCell<HashMap<String, u32>>,
    /// Jobs in a row that a host gave nothing for.
    failures: RefCell<HashMap<String, u32>>,
    /// Why nothing more can be written.
    trouble: RefCell<Option<String>>,
    halted: Notify,
    /// Bytes that are still to come, of what is fetched right now.
    coming: RefCell<HashMap<JobKey, u64>>,
}

impl Feed {
    /// A job was delivered.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Purchases of the run whose files have not come, and may yet, and of which nobody knows how long they are.
    pub fn unmeasured(&self) -> u64 {
        self.unmeasured.borrow().len() as u64
    }

    /// The longest file of which the length became known, in bytes.
    pub fn longest(&self) -> u64 {
        self.longest.get()
    }

    /// It became known how long the file of that purchase is, in bytes.
    fn measured(&self, id: &str, take: u32, total: u64) {
        self.unmeasured.borrow_mut().remove(&(id.to_owned(), take));
        self.longest.set(total.max(self.longest.get()));
    }

    /// Another file, or another length of one, is in the ledger.
    fn recorded(&self) {
        self.is_recorded.set(true);
    }

    /// Whether that has happened since this was asked last.
    pub fn take_recorded(&self) -> bool {
        self.is_recorded.replace(false)
    }

    /// The run begins with so many jobs to buy.
    pub fn begin_buying(&self, jobs: u64) {
        self.left.set(jobs);
    }

    /// Whether the run may still begin to buy a job.
    pub fn has_left(&self) -> bool {
        self.left.get() > 0
    }

    /// The run has ended: nothing more is delivered.
    pub fn end(&self) {
        self.over.set(true);
        self.wake.notify_one();
    }

    /// A file cannot be written.
    pub fn block(&self, words: &str) {
        self.blocked.borrow_mut().get_or_insert_with(|| words.to_owned());
        self.blocks.notify_one();
        self.tries.notify_one();
    }

    /// A file that waited is to be tried.
    fn begin(&self, job: JobKey, id: &str) {
        if !self.all_begun.get() {
            self.untried.borrow_mut().push((job, id.to_owned()));
        }
    }

    /// No other file has waited.
    fn begin_all(&self) {
        self.all_begun.set(true);
        self.look_whether_tried();
    }

    /// There is room for the job's file, or it is not to be had now.
    fn tried(&self, job: JobKey) {
        self.untried.borrow_mut().retain(|(other, _)| *other != job);
        self.look_whether_tried();
    }

    fn look_whether_tried(&self) {
        if self.all_begun.get() && self.untried.borrow().is_empty() {
            self.settle();
        }
    }

    /// What waited at the beginning was tried.
    fn settle(&self) {
        self.tried.set(true);
        self.tries.notify_one();
    }

    /// The jobs of those files that waited, were begun, and may be kept or not, for all that is known.
    #[must_use]
    pub fn untried(&self) -> Vec<String> {
        self.untried.borrow().iter().map(|(_, id)| id.clone()).collect()
    }

    /// Returns once each file that waited at the beginning was tried, or one cannot be kept: what is bought now could not be
    /// kept either.
    pub async fn until_tried(&self) {
        while !self.tried.get() && self.blocked.borrow().is_none() {
            self.tries.notified().await;
        }
    }

    /// Why a file could not be written, where that is so.
    pub fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    /// Returns once a file could not be written, and says why: buying has to wait.
    pub async fn until_blocked(&self) -> String {
        loop {
            if let Some(words) = self.blocked() {
                return words;
            }
            self.blocks.notified().await;
        }
    }

    /// The run has failed: nothing more is fetched.
    pub fn abandon(&self) {
        self.abandoned.set(true);
        self.end();
    }
}

impl Listener for Feed {
    fn hear(&self, event: &Event) {
        let Event::Job(job) = event else { return };
        let may_come = match job.state {
            JobState::Running | JobState::InDoubt | JobState::Paid => true,
            JobState::Delivered => !matches!(job.reason, Reason::NotDownloaded | Reason::UrlGone),
            JobState::Pending
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::RefundOffered
            | JobState::Refunded
            | JobState::Lost => false,
        };
        let purchase = (job.id.clone(), job.take);
        if may_come {
            self.unmeasured.borrow_mut().insert(purchase);
        } else {
            self.unmeasured.borrow_mut().remove(&purchase);
        }
        match (job.from == JobState::Pending, job.state == JobState::Pending) {
            (true, false) => self.left.set(self.left.get().saturating_sub(1)),
            (false, true) => self.left.set(self.left.get().saturating_add(1)),
            (true, true) | (false, false) => {}
        }
        if job.state == JobState::Delivered && job.from != JobState::Delivered {
            self.wake();
        }
    }
}

impl<L: Deliveries, F: Fetch, D: Disk, C: Clock> Downloads<'_, L, F, D, C> {
    /// Fetches until nothing is left and the run has ended, or it is told to stop.
    ///
    /// # Errors
    /// Where the ledger fails; everything durable is safe.
    pub async fn run(&self, batch: BatchKey, wanted: Wanted) -> Result<Fetched, LedgerError> {
        let clock = SteadyClock::new(self.clock);
        let fetched = self.with_clock(&clock).work(batch, wanted).await;
        self.feed.settle();
        fetched
    }

    fn with_clock<'b, E>(&'b self, clock: &'b E) -> Downloads<'b, L, F, D, E> {
        Downloads {
            ledger: self.ledger,
            fetch: self.fetch,
            disk: self.disk,
            clock,
            listener: self.listener,
            settings: self.settings,
            control: self.control.clone(),
            feed: self.feed,
        }
    }

    async fn work(&self, batch: BatchKey, wanted: Wanted) -> Result<Fetched, LedgerError> {
        let shared = self.shared();
        let mut source = Source::new(batch, wanted);
        let mut busy: HashSet<JobKey> = HashSet::new();
        let mut work = FuturesUnordered::new();
        let (mut stopping, mut was_over) = (false, false);
        loop {
            // Read before the ledger is asked: what is delivered after that stirs again.
            let over = self.feed.over.get();
            if over && !was_over {
                // What came with the end may have been heard by nobody.
                source.look_again();
                was_over = true;
            }
            if self.feed.abandoned.get() {
                shared.halt("the run has failed".to_owned());
            }
            stopping = stopping || shared.trouble.borrow().is_some();
            while !stopping && work.len() < self.settings.in_flight.saturating_add(WAITING_MAX) {
                let Some(job) = source.next(self.ledger, &busy).await? else {
                    self.feed.begin_all();
                    break;
                };
                busy.insert(job.key);
                self.feed.begin(job.key, &job.id);
                let transfer = Transfer::new(self, &shared, job);
                work.push(async move { (transfer.key(), transfer.run().await) });
            }
            if work.is_empty() && (stopping || over) {
                return Ok(shared.fetched());
            }
            tokio::select! {
                biased;
                () = self.control.until_leaving() => return Ok(shared.fetched()),
                () = self.control.until_stopped(), if !stopping => {
                    stopping = true;
                    self.say_stopping();
                }
                Some((job, done)) = work.next() => {
                    busy.remove(&job);
                    done?;
                }
                () = self.feed.wake.notified() => source.look_again(),
            }
        }
    }

    fn shared(&self) -> Shared {
        Shared {
            pace: Pace::learnt(self.settings.per_second),
            sellers: Pace::learnt(SELLER_PER_SECOND),
            places: Semaphore::new(self.settings.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            naming: tokio::sync::Mutex::default(),
            numbers: RefCell::default(),
            failures: RefCell::default(),
            trouble: RefCell::default(),
            halted: Notify::new(),
            coming: RefCell::default(),
        }
    }

    /// The run says it while it lasts.
    fn say_stopping(&self) {
        if self.feed.over.get() {
            let cause = "told to end (once more leaves at once)".to_owned();
            self.listener.hear(&Event::Draining { cause });
        }
    }
}

impl Shared {
    /// Nothing more can be written: every transfer ends. False where that was known.
    fn halt(&self, words: String) -> bool {
        let is_news = self.trouble.borrow().is_none();
        self.trouble.borrow_mut().get_or_insert(words);
        self.halted.notify_waiters();
        is_news
    }

    /// Bytes that are still to come for others than this job.
    fn coming_beside(&self, job: JobKey) -> u64 {
        let coming = self.coming.borrow();
        coming.iter().filter(|(other, _)| **other != job).fold(0, |sum, (_, more)| more.saturating_add(sum))
    }

    fn is_silent(&self, host: &str) -> bool {
        self.failures.borrow().get(host).is_some_and(|failures| *failures >= HOST_FAILURES_MAX)
    }

    fn fetched(&self) -> Fetched {
        let failures = self.failures.borrow();
        let silent = failures.iter().filter(|(_, failures)| **failures >= HOST_FAILURES_MAX);
        let mut silent_hosts: Vec<String> = silent.map(|(host, _)| host.clone()).collect();
        silent_hosts.sort();
        Fetched { trouble: self.trouble.borrow().clone(), silent_hosts }
    }
}
