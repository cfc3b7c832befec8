//! Carries a run out beside everything that can stop it: signals, a deadline; and beside its heartbeat.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::Failure;
use crate::cli::options::config::Pace;
use crate::download::{Feed, Fetched};
use crate::event::{Event, Listener};
use crate::ledger::port::Downloads;
use crate::ledger::{BatchKey, LedgerAddress, LedgerHandle, OpenLedger, free_bytes};
use crate::life::Bounds;
use crate::money::thousands;
use crate::payer::NodeInfo;
use crate::plan::Policy;
use crate::purchase::ROOM_LEFT_BYTES_MIN;
use crate::run::signals::Stopped;
use crate::run::{
    Budget, CREDENTIAL_LIFE_MS, Clock, Control, Controller, DrainCause, NODE_PATIENCE_MS, Outcome, PAYMENT_PATIENCE_MS,
    Run, RunError, Settings, SystemClock,
};
use crate::time::UnixMs;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::download_setup::{Both, DownloadSetup};
use crate::cli::batch::reporter::Reporter;

/// How often at least the clock is looked at while a deadline is waited for.
const LOOK_MS: u64 = 10_000;

/// For so long buying waits for the files that waited before it: whether they can be kept.
const TRIES_MS_MAX: u64 = 60_000;

/// What is over that soon is not told.
const UNTOLD_MS_MAX: u64 = 1_000;
/// Jobs whose files are named.
const NAMED_MAX: usize = 5;
/// So often one looks at it.
const ROOM_LOOK_MS: u64 = 500;

/// What is to be carried out.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Work {
    /// Every open job of the batch (of all, with none) once; nothing is waited for.
    OneRound(Option<BatchKey>),
    /// Every open job of the batch (of all, with none) to its end; nothing is bought.
    Recover(Option<BatchKey>),
    /// Every open job, and what is pending.
    Buy(BatchKey, NodeInfo),
    /// The refunds of the batch alone: of these jobs, where any are named.
    Claim(BatchKey, Vec<String>),
    /// Files are fetched, and nothing is bought.
    Download(BatchKey),
}

impl Work {
    /// The batch that it is about; none where it is about all.
    pub(in crate::cli) const fn batch(&self) -> Option<BatchKey> {
        match self {
            Self::OneRound(batch) | Self::Recover(batch) => *batch,
            Self::Buy(batch, _) | Self::Claim(batch, _) | Self::Download(batch) => Some(*batch),
        }
    }

    /// The batch whose results are fetched beside it. A round of recovery waits for nothing.
    const fn fetched(&self) -> Option<BatchKey> {
        match self {
            Self::OneRound(_) | Self::Claim(..) => None,
            Self::Recover(batch) => *batch,
            Self::Buy(batch, _) | Self::Download(batch) => Some(*batch),
        }
    }
}

/// What it is carried out with.
pub(in crate::cli) struct How<'a> {
    /// The other side.
    pub(in crate::cli) counterparties: &'a Counterparties,
    /// Limits and bounds.
    pub(in crate::cli) settings: &'a Settings,
    /// No purchase begins after this.
    pub(in crate::cli) deadline: Option<UnixMs>,
    /// Who hears of it.
    pub(in crate::cli) reporter: &'a Reporter,
    /// What fetches results beside it.
    pub(in crate::cli) download_setup: Option<&'a DownloadSetup>,
}

/// How it ended.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct BatchRun {
    /// The run's own account.
    pub(in crate::cli) outcome: Outcome,
    /// The downloads' own account, where there were any.
    pub(in crate::cli) fetched: Option<Fetched>,
    /// The signal that stopped it.
    pub(in crate::cli) stopped: Option<Stopped>,
    /// What it was allowed to spend.
    pub(in crate::cli) budget: Budget,
    /// Why nothing more was bought for the sake of the files, where that is so.
    pub(in crate::cli) unkept: Option<String>,
    /// Results and receipts, where there are any, are as the ledger is.
    pub(in crate::cli) files_whole: bool,
}

/// The settings that the options ask for; what is to be spent is added by the caller.
pub(in crate::cli) fn settings(pace: &Pace) -> Settings {
    Settings {
        jobs_in_flight: pace.jobs_in_flight as usize,
        payments_in_flight: pace.payments_in_flight as usize,
        requests_per_second: std::num::NonZeroU32::new(pace.requests_per_second),
        max_undelivered: pace.max_undelivered,
        max_doubt: pace.max_doubt as usize,
        is_play: false,
        wait_doubt_ms: u64::try_from(pace.wait_doubt.as_millis()).unwrap_or(u64::MAX),
        invoice_life_ms_max: i64::try_from(pace.max_invoice_life.as_millis()).unwrap_or(i64::MAX),
        node_patience_ms: NODE_PATIENCE_MS,
        payment_patience_ms: PAYMENT_PATIENCE_MS,
        credential_life_ms: CREDENTIAL_LIFE_MS,
        exact_price: false,
        fees: Policy::default(),
        only: None,
        limit: None,
        prices: BTreeMap::new(),
        budget: Budget::default(),
        bounds: Bounds::default(),
    }
}

/// Carries the work out on the books, fetches results beside it and after it, and gives the books back.
pub(in crate::cli) async fn run_batch(
    ledger: OpenLedger,
    how: &How<'_>,
    work: Work,
) -> Result<(OpenLedger, BatchRun), Failure> {
    let lacking = match (&work, how.download_setup) {
        (Work::Buy(batch, _), Some(download_setup)) => download_setup.lacking(&ledger, *batch, true)?,
        (_, _) => None,
    };
    let (ledger, thread) = LedgerHandle::spawn(ledger)?;
    let (controller, control) = match &work {
        Work::OneRound(_) => Controller::one_round(),
        Work::Recover(_) | Work::Buy(..) | Work::Claim(..) | Work::Download(_) => Controller::new(),
    };
    let download_setup = how.download_setup.zip(work.fetched());
    let buys = matches!(work, Work::Buy(..));
    let feed = feed_of(how.settings, lacking.as_deref());
    let (result, fetched) = {
        let fetches = async {
            match download_setup {
                Some((download_setup, batch)) => {
                    download_setup.fetch(batch, &ledger, how.reporter, control.clone(), &feed).await.map(Some)
                }
                None => Ok(None),
            }
        };
        let both =
            async { tokio::join!(run_until_stopped(&ledger, how, work, (&controller, &control), &feed), fetches) };
        tokio::select! {
            biased;
            // First, so that a signal or a deadline which came before this work keeps it from buying anything.
            error = how.counterparties.signals.listen(&controller) => (Err(RunError::Defect(listening(error))), Ok(None)),
            () = while_files_can_be_kept(&feed, buys, how.reporter, &controller) => {
                (Err(RunError::Defect("a disk ended the run".to_owned())), Ok(None))
            }
            () = while_others_have_room(&ledger, download_setup.filter(|_| buys), &feed) => {
                (Err(RunError::Defect("files to come ended the run".to_owned())), Ok(None))
            }
            () = while_the_ledger_has_room(&how.counterparties.ledger, buys, how.reporter, &controller) => {
                (Err(RunError::Defect("the ledger's disk ended the run".to_owned())), Ok(None))
            }
            () = at_deadline(how.deadline, &controller) => {
                (Err(RunError::Defect("the deadline ended the run".to_owned())), Ok(None))
            }
            results = both => results,
            () = beat(how.reporter) => (Err(RunError::Defect("the heartbeat ended the run".to_owned())), Ok(None)),
        }
    };
    drop(ledger);
    let mut ledger = thread.join()?;
    let (outcome, fetched) = (result?, fetched?);
    if let Some((_, batch)) = download_setup.filter(|(download_setup, _)| download_setup.is_of_all()) {
        ledger.explain_undownloaded(batch)?;
    }
    let (stopped, budget) = (how.counterparties.signals.stopped(), how.settings.budget.clone());
    let unkept = feed.blocked().filter(|_| buys);
    Ok((ledger, BatchRun { outcome, fetched, stopped, budget, unkept, files_whole: true }))
}

/// What a run that has so much to buy tells its downloads, with what lacks room at its beginning.
fn feed_of(settings: &Settings, lacking: Option<&str>) -> Feed {
    let feed = Feed::default();
    let jobs: u64 = settings.prices.values().sum();
    feed.begin_buying(settings.limit.map_or(jobs, |limit| jobs.min(limit)));
    lacking.into_iter().for_each(|words| feed.block(words));
    feed
}

async fn run_until_stopped(
    ledger: &LedgerHandle,
    how: &How<'_>,
    work: Work,
    (controller, control): (&Controller, &Control),
    feed: &Feed,
) -> Result<Outcome, RunError> {
    if matches!(work, Work::Buy(..)) && how.download_setup.is_some() {
        // What waits from before may wait for the disk.
        tokio::select! {
            biased;
            () = control.until_draining() => {}
            () = until_files_are_tried(feed, how.reporter) => {}
        }
        if feed.blocked().is_some() {
            controller.stop_buying();
        }
    }
    let listener = Both(how.reporter, feed);
    let run = Run {
        ledger,
        payer: how.counterparties.payer.as_ref(),
        origin: &how.counterparties.origin,
        clock: &SystemClock,
        listener: &listener,
        settings: how.settings,
        control: control.clone(),
    };
    let result = match work {
        Work::OneRound(batch) | Work::Recover(batch) => run.recover(batch).await,
        Work::Buy(batch, node) => run.buy(batch, node).await,
        Work::Claim(batch, jobs) => run.claim(batch, &jobs).await,
        Work::Download(_) => Ok(Outcome::default()),
    };
    match result {
        Ok(_) => feed.end(),
        Err(_) => feed.abandon(),
    }
    result
}

/// Returns once the files of before are tried, or that has taken long enough; says for what buying waits.
async fn until_files_are_tried(feed: &Feed, reporter: &Reporter) {
    let until = SystemClock.now().plus_ms(i64::try_from(TRIES_MS_MAX).unwrap_or(i64::MAX));
    tokio::select! {
        biased;
        () = feed.until_tried() => return,
        () = SystemClock.sleep_ms(UNTOLD_MS_MAX) => {}
    }
    reporter.mention(&Event::Paused { cause: waiting_words(&feed.untried(), until) });
    tokio::select! {
        biased;
        () = feed.until_tried() => {}
        () = SystemClock.sleep_ms(TRIES_MS_MAX.saturating_sub(UNTOLD_MS_MAX)) => {}
    }
    if feed.blocked().is_none() {
        reporter.mention(&Event::Resumed);
    }
}

fn waiting_words(ids: &[String], until: UnixMs) -> String {
    let named = ids.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if ids.len() > NAMED_MAX { ", …" } else { "" };
    let what = if ids.len() == 1 { "the file of a job of before is" } else { "files of jobs of before are" };
    format!(
        "{what} tried first ({named}{more}): what could not be kept is not bought; buying begins at {until} at the latest"
    )
}

fn listening(result: std::io::Result<()>) -> String {
    match result {
        Ok(()) => "nobody listens for signals".to_owned(),
        Err(error) => format!("signals cannot be listened for: {error}"),
    }
}

/// Buys nothing more once a file cannot be written: what is paid for is to be kept. Never returns.
async fn while_files_can_be_kept(feed: &Feed, buys: bool, reporter: &Reporter, controller: &Controller) {
    let words = feed.until_blocked().await;
    if buys {
        reporter.hear(&Event::Paused {
            cause: format!("files cannot be kept: {words}; nothing more is bought in this run"),
        });
        controller.stop_buying();
    }
    std::future::pending().await
}

/// Has nothing more bought once what is to come to the disk of the files needs more room than there is. Never returns.
async fn while_others_have_room(ledger: &LedgerHandle, of: Option<(&DownloadSetup, BatchKey)>, feed: &Feed) {
    if let Some((download_setup, batch)) = of {
        download_setup.while_there_is_room(ledger, batch, feed).await;
    }
    std::future::pending().await
}

/// Buys nothing more once the ledger's disk is nearly full: what is paid for is to be recorded to its end. Never returns.
async fn while_the_ledger_has_room(address: &LedgerAddress, buys: bool, reporter: &Reporter, controller: &Controller) {
    // A disk that does not say is no obstacle: what cannot be recorded ends the run.
    while let Some(free) = free_bytes(address).ok().flatten().filter(|_| buys) {
        if free < ROOM_LEFT_BYTES_MIN {
            reporter.hear(&Event::Paused {
                cause: format!(
                    "the disk of the ledger {address} has {} KiB free; nothing more is bought in this run",
                    thousands(free >> 10)
                ),
            });
            controller.stop_buying();
            break;
        }
        SystemClock.sleep_ms(ROOM_LOOK_MS).await;
    }
    std::future::pending().await
}

/// Drains at the deadline; never returns.
async fn at_deadline(deadline: Option<UnixMs>, controller: &Controller) {
    if let Some(deadline) = deadline {
        until(&SystemClock, deadline).await;
        controller.drain(DrainCause::Deadline);
    }
    std::future::pending().await
}

/// Returns at that time by the clock. A machine that slept meanwhile, or whose clock was set, is not waited for any longer.
async fn until(clock: &impl Clock, at: UnixMs) {
    while let Some(left_ms) = u64::try_from(at.since_ms(clock.now())).ok().filter(|left_ms| *left_ms > 0) {
        clock.sleep_ms(left_ms.min(LOOK_MS)).await;
    }
}

/// Beats for as long as it is polled; never returns.
async fn beat(reporter: &Reporter) {
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        each_second.tick().await;
        reporter.tick();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A clock that goes on by an hour in the middle of its second wait: the machine slept.
    struct Sleeper(Cell<i64>, Cell<u32>);

    impl Clock for Sleeper {
        fn now(&self) -> UnixMs {
            UnixMs(self.0.get())
        }

        async fn sleep_ms(&self, ms: u64) {
            self.1.set(self.1.get() + 1);
            let slept_ms = if self.1.get() == 2 { 3_600_000 } else { i64::try_from(ms).unwrap() };
            self.0.set(self.0.get() + slept_ms);
        }
    }

    #[tokio::test]
    async fn a_deadline_comes_also_while_the_machine_sleeps() {
        let clock = Sleeper(Cell::new(0), Cell::new(0));
        until(&clock, UnixMs(1_800_000)).await;
        assert_eq!(clock.1.get(), 2);
        until(&clock, UnixMs(0)).await;
        assert_eq!(clock.1.get(), 2, "it has passed");
    }
}
