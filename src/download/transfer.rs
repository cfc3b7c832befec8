//! One job's result, from its address to its file: tries, pauses, and what comes of them.

use std::cell::Cell;
use std::io;

use url::Url;

use super::disk::Disk;
use super::file::PartLost;
use super::part_file::Left;
use super::{Downloads, Settings, Shared};
use crate::backoff;
use crate::event::{Changing, Event};
use crate::ledger::{DeliveredJob, Deliveries, DownloadedFile, JobKey, LedgerError, Record, Resume};
use crate::origin::{Fetch, is_inline};
use crate::purchase::{JobState, Reason};
use crate::run::Clock;

/// Tries in a row that bring nothing, and tries in all, before a run gives a file up.
const FRUITLESS_TRIES_MAX: u32 = 5;
const TRIES_MAX: u32 = 200;
/// What is gone may not have arrived yet.
const GONE_TRIES_MAX: u32 = 4;
/// Half the pause before the second try; it doubles.
const PAUSE_MS_FIRST: u64 = 250;
const PAUSE_MS_MAX: u64 = 30_000;
/// A host that wants to be left alone for longer is asked by the next run.
pub(super) const RETRY_AFTER_MS_MAX: u64 = 300_000;

/// The hands of one job.
pub(super) struct Transfer<'r, L, F, D, C> {
    pub(super) run: &'r Downloads<'r, L, F, D, C>,
    pub(super) shared: &'r Shared,
    /// The job; its mark is that of the result in hand.
    pub(super) job: DeliveredJob,
    /// The result in hand, from 0: those of one answer are fetched one after the other.
    pub(super) number: usize,
    /// The first one's file, once it is whole.
    pub(super) first: Option<DownloadedFile>,
    /// Those of further ones that are whole.
    pub(super) files: Vec<String>,
    /// What this run could not get of its results.
    pub(super) lacks: Option<Lacks>,
    /// What was known of the server's file before the last answer: its version and length.
    pub(super) known: Option<Resume>,
    /// So long the result was said to be, where no version was named.
    pub(super) told: Option<u64>,
    /// So far a try has come, in bytes.
    pub(super) furthest: u64,
    /// For so long this file has been coming, in milliseconds.
    pub(super) streamed_ms: u64,
    /// This transfer is told to end by a signal.
    stopped: Cell<bool>,
}

/// Results of one answer that are not to be had.
pub(super) struct Lacks {
    reason: Reason,
    /// What is the matter with the first of them.
    words: String,
    count: usize,
}

/// How a try ended.
pub(super) enum Tried {
    Downloaded,
    /// The result in hand is: another one of the job's is next.
    Whole,
    /// Later again, in this run.
    Again(Again),
    /// The address does not serve the result; asked again a few times, as it may only not have arrived yet.
    Gone(String),
    /// Not in this run.
    Never(String),
    Stopped,
}

/// A try that may be repeated.
#[derive(Default)]
pub(super) struct Again {
    /// What went wrong.
    pub(super) words: String,
    /// How long the host wants to be left alone, in milliseconds.
    pub(super) after_ms: Option<u64>,
    /// It brought the file further than any try before it.
    pub(super) advanced: bool,
    /// Its host is at fault, not the result.
    pub(super) silent: bool,
}

/// Why a try had to be broken off.
pub(super) enum Trouble {
    Ledger(LedgerError),
    Disk(io::Error),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

pub(super) fn again(words: impl Into<String>, silent: bool) -> Tried {
    Tried::Again(Again { words: words.into(), silent, ..Again::default() })
}

/// The tries of one transfer.
#[derive(Default)]
struct Tries {
    all: u32,
    fruitless: u32,
    gone: u32,
}

/// What follows from a try.
enum Then {
    End,
    Next,
    Pause(u64),
    Fail { reason: Reason, words: String, silent: bool },
}

impl Tries {
    fn then(&mut self, tried: Tried) -> Then {
        let fail = |reason, words, silent| Then::Fail { reason, words, silent };
        self.all += 1;
        let after_ms = match tried {
            Tried::Stopped | Tried::Downloaded => return Then::End,
            Tried::Whole => {
                *self = Self::default();
                return Then::Next;
            }
            Tried::Never(words) => return fail(Reason::NotDownloaded, words, false),
            Tried::Gone(words) => {
                self.gone += 1;
                if self.gone >= GONE_TRIES_MAX {
                    return fail(Reason::UrlGone, words, false);
                }
                0
            }
            Tried::Again(again) => {
                self.fruitless = if again.advanced { 0 } else { self.fruitless + 1 };
                let after_ms = again.after_ms.unwrap_or(0);
                let enough = self.fruitless >= FRUITLESS_TRIES_MAX || self.all >= TRIES_MAX;
                if enough || after_ms > RETRY_AFTER_MS_MAX {
                    return fail(Reason::NotDownloaded, again.words, again.silent);
                }
                after_ms
            }
        };
        let pause_ms = backoff::pause_ms(self.fruitless.max(self.gone), PAUSE_MS_FIRST, PAUSE_MS_MAX);
        Then::Pause(pause_ms.max(after_ms))
    }
}

impl<'r, L: Deliveries, F: Fetch, D: Disk, C: Clock> Transfer<'r, L, F, D, C> {
    pub(super) fn new(run: &'r Downloads<'r, L, F, D, C>, shared: &'r Shared, job: DeliveredJob) -> Self {
        let known = job.mark.as_ref().and_then(|mark| mark.resume.clone());
        let stopped = Cell::new(false);
        Self {
            run,
            shared,
            job,
            number: 0,
            first: None,
            files: Vec::new(),
            lacks: None,
            known,
            told: None,
            furthest: 0,
            streamed_ms: 0,
            stopped,
        }
    }

    pub(super) const fn key(&self) -> JobKey {
        self.job.key
    }

    /// Fetches the result, again and again within bounds, until its file is there or this run gives it up.
    pub(super) async fn run(mut self) -> Result<(), LedgerError> {
        let mut tries = Tries::default();
        loop {
            let Ok(url) = self.address().parse::<Url>() else {
                if self.pass_over(Reason::UrlGone, "its address cannot be read") {
                    continue;
                }
                return self.fail().await;
            };
            let host = host_of(&url);
            let tried = self.one_try(&url, &host).await;
            self.shared.coming.borrow_mut().remove(&self.job.key);
            self.run.feed.tried(self.job.key);
            let tried = match tried {
                Ok(tried) => tried,
                Err(Trouble::Ledger(error)) => return Err(error),
                Err(Trouble::Disk(error)) if error.get_ref().is_some_and(|why| why.is::<PartLost>()) => {
                    self.known = self.job.mark.take().and_then(|mark| mark.resume);
                    again(error.to_string(), false)
                }
                Err(Trouble::Disk(error)) => match of_one_file(&error) {
                    Some(words) => Tried::Never(words.to_owned()),
                    None => {
                        self.halt(&error);
                        return Ok(());
                    }
                },
            };
            if matches!(tried, Tried::Downloaded | Tried::Whole) {
                self.shared.failures.borrow_mut().remove(&host);
            }
            match tries.then(tried) {
                Then::End => return Ok(()),
                Then::Next if self.is_last() => return self.fail().await,
                Then::Next => self.next(),
                Then::Pause(ms) => {
                    if self.unless_stopped(self.run.clock.sleep_ms(ms)).await.is_none() {
                        return Ok(());
                    }
                }
                Then::Fail { reason, words, silent } => {
                    if silent {
                        *self.shared.failures.borrow_mut().entry(host).or_default() += 1;
                    }
                    if !self.pass_over(reason, &words) {
                        return self.fail().await;
                    }
                    tries = Tries::default();
                }
            }
        }
    }

    /// The address of the result in hand.
    fn address(&self) -> &str {
        let further = self.number.checked_sub(1).and_then(|at| self.job.more.get(at));
        further.map_or(&self.job.url, |one| &one.url)
    }

    /// No result follows the one in hand.
    pub(super) const fn is_last(&self) -> bool {
        self.number == self.job.more.len()
    }

    /// The result in hand is not to be had in this run: those after it are fetched all the same. False where it is the last one.
    fn pass_over(&mut self, reason: Reason, words: &str) -> bool {
        let words = match self.job.more.len() {
            0 => words.to_owned(),
            further => format!("result {} of {}: {words}", self.number + 1, further + 1),
        };
        let lacks = self.lacks.get_or_insert(Lacks { reason, words, count: 0 });
        lacks.count += 1;
        // Where any of them may come in the next run, that one tries again.
        if reason == Reason::NotDownloaded {
            lacks.reason = reason;
        }
        let is_last = self.is_last();
        if !is_last {
            self.next();
        }
        !is_last
    }

    /// The next result is in hand: nothing of the one before concerns it.
    fn next(&mut self) {
        self.job.mark = self.job.more.get_mut(self.number).and_then(|one| one.mark.take());
        self.number += 1;
        self.known = self.job.mark.as_ref().and_then(|mark| mark.resume.clone());
        (self.told, self.furthest, self.streamed_ms) = (None, 0, 0);
    }

    /// Nothing can be written any more: that concerns every transfer.
    fn halt(&self, error: &io::Error) {
        let words = disk_words(self.run.settings, error);
        self.run.feed.block(&words);
        if self.shared.halt(words.clone()) {
            self.run.listener.hear(&Event::Warning { message: format!("{words}: nothing more is fetched") });
        }
    }

    async fn one_try(&mut self, url: &Url, host: &str) -> Result<Tried, Trouble> {
        let shared = self.shared;
        let Some(Ok(_place)) = self.unless_stopped(shared.places.acquire()).await else { return Ok(Tried::Stopped) };
        if shared.is_silent(host) {
            return Ok(Tried::Never(format!("its host ({host}) gave nothing for the jobs before it")));
        }
        let part = match self.left_part().await? {
            Left::Whole => return self.downloaded().await,
            Left::Part(part) => Some(part),
            Left::Nothing => None,
        };
        if part.is_none() && self.job.mark.as_ref().is_some_and(|mark| mark.sha256.is_some()) {
            self.job.mark = None;
        }
        if is_inline(url) { self.take_from_answer(url, part).await } else { self.fetch(url, part).await }
    }

    async fn fail(&self) -> Result<(), LedgerError> {
        let Some(Lacks { reason, words, count }) = &self.lacks else { return Ok(()) };
        let others = count.saturating_sub(1);
        let error = if others == 0 { words.clone() } else { format!("{words}; and {others} more are not to be had") };
        self.commit(Record::NotDownloaded { job: self.job.key, reason: *reason, error }).await
    }

    /// Writes one record, and tells how the job stands then.
    pub(super) async fn commit(&self, record: Record) -> Result<(), LedgerError> {
        let now = self.run.clock.now();
        let committed = self.run.ledger.commit(now, record).await?;
        self.run.feed.recorded();
        if let Some(mut to) = committed.transition {
            to.more_urls = self.job.more.iter().map(|one| one.url.clone()).collect();
            if to.state == JobState::Downloaded {
                to.more_files.clone_from(&self.files);
            }
            let DeliveredJob { id, take, endpoint, price, amount, fee, .. } = &self.job;
            let (endpoint, is_capped, from) = (&*endpoint.name, endpoint.is_capped(), JobState::Delivered);
            let job =
                Changing { id, take: *take, endpoint, from, price: *price, is_capped, amount: *amount, fee: *fee };
            job.announce(to, now, self.run.listener);
        }
        Ok(())
    }

    /// What the future gives, unless this transfer is told to stop before it does.
    pub(super) async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        if self.stopped.get() || self.shared.trouble.borrow().is_some() {
            return None;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_stopped() => {
                self.stopped.set(true);
                None
            }
            () = self.shared.halted.notified() => None,
            given = future => Some(given),
        }
    }
}

/// That the disk is full, and how much of it is left to others.
pub fn full_words(folder: &str, room_min: u64) -> String {
    format!(
        "the disk of {folder} is full: {} MiB of it are left free for others, the ledger among them",
        room_min >> 20
    )
}

fn host_of(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (None, _) => String::new(),
        (Some(host), None) => host.to_owned(),
        (Some(host), Some(port)) => format!("{host}:{port}"),
    }
}

/// What the file system says of this one file, and not of all.
fn of_one_file(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::InvalidFilename => Some("its name is none there; choose a shorter one with --download-name"),
        io::ErrorKind::NotADirectory => Some(
            "a file stands where a folder of its name would be; move it away, or choose other names with --download-name",
        ),
        io::ErrorKind::FileTooLarge => Some("it is larger than a file may be there"),
        _ => None,
    }
}

fn disk_words(settings: &Settings, error: &io::Error) -> String {
    let folder = &settings.folder;
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full_words(folder, settings.room_min),
        _ => format!("{folder} cannot be written to: {error}"),
    }
}
