//! `recover`: finishes what is open, and buys nothing.

use crate::command::{about_batch, command};
use crate::download::Wanted;
use crate::error::Hinted;
use crate::event::{Event, Listener};
use crate::ledger::port::{Batches, Downloads, Foresee, Records, Views};
use crate::ledger::{Batch, Counts, DownloadTo, LedgerAddress, OpenLedger, OpenMode};
use crate::purchase::{JobState, Reason};
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::download_setup::{DownloadSetup, destination};
use crate::cli::batch::files::Files;
use crate::cli::batch::picked;
use crate::cli::batch::receipt_guard::{check as check_receipts, stop};
use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::run_batch::{BatchRun, Work, settings};
use crate::cli::batch::session::{Session, running_words};
use crate::cli::ending::advice::{Ended, to_buy_words};
use crate::cli::ending::conclusion::{Ending, tell, tell_broken};
use crate::cli::exit::Findings;
use crate::cli::options::config::{Output, Pace, RecoverOptions};
use crate::cli::preflight::words::LeftOut;
use crate::cli::{ExitCode, Failure, Format, exit, target, terminal};

/// Recovers one batch, or all of the ledger one after the other.
pub(in crate::cli) fn execute(options: &RecoverOptions) -> Result<ExitCode, Failure> {
    let (batches, idle) = match &options.target {
        Some(target) => (vec![target::find(&options.ledger, target)?.1], ExitCode::Done),
        None => of_ledger(options)?,
    };
    if batches.is_empty() {
        let ledger = &options.ledger;
        say(
            options,
            &match idle {
                // Of a ledger that is gone with all that stood beside it nothing here tells.
                ExitCode::Done if !options.ledger.exists() => format!(
                    "there is no ledger at {ledger}, so that nothing is known to be open; another one is named with --ledger, and \
                     one that is gone is put back first"
                ),
                ExitCode::Ledger => format!("nothing is open in the ledger {ledger}, as far as it knows"),
                _ => format!("nothing is open in the ledger {ledger}: there was nothing to do"),
            },
        );
    }
    crate::cli::runtime()?.block_on(async {
        let counterparties = Counterparties::of_node(options.node.as_ref(), &options.ledger)?.bearing(&options.tables);
        let mut worst = idle;
        for batch in batches {
            let code = match Box::pin(recover(options, &counterparties, &batch)).await {
                Ok(code) => code,
                // Another batch's run holds its lock, and finishes what is open itself; receipts that know more than the
                // ledger concern their own batch. What others have paid for does not wait for either.
                Err(failure) if options.target.is_none() && (failure.is_locked() || failure.is_of_books()) => {
                    failure.report()
                }
                Err(failure) => return Err(failure),
            };
            worst = worst.or_worse(code);
        }
        Ok(worst)
    })
}

/// Says it to a person.
fn say(options: &RecoverOptions, words: &str) {
    if options.output.format != Format::Json && !options.output.quiet {
        terminal::say(&format!("{words}\n"));
    }
}

/// The batches that have something to finish, and how the others stand: what waits for a person, and what is not bought.
fn of_ledger(options: &RecoverOptions) -> Result<(Vec<Batch>, ExitCode), Failure> {
    let (mut open, mut worst) = (Vec::new(), ExitCode::Done);
    if !options.ledger.exists() {
        return Ok((open, stop(&options.ledger, None, None, None).map_or_else(|lacks| lacks.report(), |()| worst)));
    }
    let ledger = crate::ledger::open(&options.ledger, OpenMode::Read)?;
    // What the ledger lacks may be open: each batch that is brought on tells that, else it is told here.
    let lacks = stop(&options.ledger, Some(&ledger), None, None).err();
    for (batch, counts) in ledger.batches()? {
        if is_unfinished(options, &ledger, &batch, &counts)? {
            open.push(batch);
            continue;
        }
        let code = exit::of_batch(&exit::without_unbought(&counts), &Findings::default());
        if code != ExitCode::Done {
            let look = command(&about_batch("status", &batch.name));
            // It decides how this ends, and is said however little is to be printed.
            let words = format!("{}: nothing is open, and some of it waits for you: `{look}` lists that", batch.name);
            terminal::say(&format!("{words}\n"));
        }
        worst = worst.or_worse(code);
        // No run is advised that buys nothing.
        match stop(&options.ledger, Some(&ledger), Some(&batch), None) {
            Ok(()) => match running_words(&ledger, &batch.name)? {
                Some(words) => say(options, &words),
                None => {
                    if let Some(words) = to_buy_words(&batch, &ledger.unbought(batch.key)?) {
                        say(options, &format!("{}: {words}", batch.name));
                    }
                }
            },
            Err(_) if lacks.is_some() => {}
            Err(failure) => worst = worst.or_worse(failure.report()),
        }
    }
    if let Some(lacks) = lacks {
        worst = worst.or_worse(if open.is_empty() { lacks.report() } else { lacks.code() });
    }
    Ok((open, worst))
}

/// Whether it has an open job, a refund that has not come, or a file that is still to be fetched where a folder for it is
/// known.
fn is_unfinished(
    options: &RecoverOptions,
    ledger: &OpenLedger,
    batch: &Batch,
    counts: &Counts,
) -> Result<bool, Failure> {
    let files = destination(&options.downloads, batch.remembered.download.as_ref())?.is_some()
        && counts.by_state.iter().any(|count| {
            // A run that was killed could not say that a file is not here.
            let may_lack_it = matches!(count.reason, Reason::None | Reason::NotDownloaded);
            count.state == JobState::Delivered && may_lack_it && count.jobs > 0
        });
    Ok(files
        || !ledger.open_refunds(Some(batch.key))?.is_empty()
        || !ledger.open_jobs(Some(batch.key))?.is_empty()
        || !ledger.damaged_jobs(Some(batch.key))?.is_empty())
}

async fn recover(
    options: &RecoverOptions,
    counterparties: &Counterparties,
    batch: &Batch,
) -> Result<ExitCode, Failure> {
    let to = destination(&options.downloads, batch.remembered.download.as_ref())?;
    let prepare = |to: &DownloadTo| DownloadSetup::prepare(&options.downloads, to, Wanted::OfRun, batch.sandbox);
    // What is paid for does not wait for a folder.
    let (download_setup, no_files) = match to.as_ref().map(prepare).transpose() {
        Ok(download_setup) => (download_setup, None),
        Err(failure) => (None, Some(failure.told())),
    };
    bring_to_end(Bringing {
        ledger: &options.ledger,
        output: options.output,
        pace: &options.pace,
        deadline: options.deadline,
        counterparties,
        batch,
        work: Work::Recover(Some(batch.key)),
        download_setup: download_setup.as_ref().zip(to.as_ref()),
        sidecars: options.downloads.sidecars,
        missing: None,
        no_files,
    })
    .await
}

/// A batch that is brought to its end without buying anything.
pub(in crate::cli) struct Bringing<'a> {
    /// Where it is recorded.
    pub(in crate::cli) ledger: &'a LedgerAddress,
    /// How to print.
    pub(in crate::cli) output: Output,
    /// How many at once, how fast, and how long.
    pub(in crate::cli) pace: &'a Pace,
    /// When it stops by itself.
    pub(in crate::cli) deadline: Option<UnixMs>,
    /// The other side.
    pub(in crate::cli) counterparties: &'a Counterparties,
    /// Which batch.
    pub(in crate::cli) batch: &'a Batch,
    /// What is to be done.
    pub(in crate::cli) work: Work,
    /// What fetches files, and where they go.
    pub(in crate::cli) download_setup: Option<(&'a DownloadSetup, &'a DownloadTo)>,
    /// Files get sidecars.
    pub(in crate::cli) sidecars: bool,
    /// Files that are not where they were are fetched once more: of these jobs, or of all.
    pub(in crate::cli) missing: Option<&'a Vec<String>>,
    /// Why nothing can be fetched, though files are wanted.
    pub(in crate::cli) no_files: Option<String>,
}

/// Does it, and tells it from its start to its end.
pub(in crate::cli) async fn bring_to_end(bringing: Bringing<'_>) -> Result<ExitCode, Failure> {
    let began = SystemClock.now();
    let reporter = Reporter::new(bringing.output)?;
    for warning in &bringing.counterparties.warnings {
        reporter.warn(warning.clone());
    }
    let (ledger, batch) = (bringing.ledger, bringing.batch);
    reporter.hear(&Event::RunStarted {
        batch: batch.name.clone(),
        ledger: ledger.to_string(),
        new_batch: false,
        new_ledger: false,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let result = run_batch(bringing, began, &reporter).await;
    if let Err(failure) = &result {
        tell_broken(ledger, &batch.name, failure, began, &reporter);
    }
    reporter.end(result)
}

async fn run_batch(bringing: Bringing<'_>, began: UnixMs, reporter: &Reporter) -> Result<ExitCode, Failure> {
    let Bringing { ledger, batch, work, download_setup, sidecars, missing, no_files, .. } = bringing;
    if let Some(why) = &no_files {
        reporter.warn(why.clone());
    }
    let ended = match &work {
        Work::OneRound(_) | Work::Recover(_) | Work::Buy(..) => Ended::Recovery,
        Work::Claim(..) | Work::Download(_) => Ended::Part,
    };
    let mut session = Session::open(ledger, &batch.name)?;
    let before = Some(session.ledger.counts(batch.key)?);
    let stopped = stop(ledger, Some(&session.ledger), Some(batch), None).err();
    if let Some(only) = missing {
        session.ledger.forget_missing_files(began, batch.key, only)?;
    }
    if let Some((download_setup, to)) = download_setup {
        session.remember_download(batch, &download_setup.remembered(to))?;
    }
    // Receipts that know more than the ledger are evidence, and stay as they are. What is open is finished all the same.
    let are_evidence = check_receipts(&session.ledger, batch).is_err();
    let refused = stopped.as_ref().filter(|_| ended == Ended::Recovery || are_evidence);
    if let Some(stopped) = stopped.as_ref().filter(|_| refused.is_none()) {
        reporter.warn(stopped.to_string());
    }
    let files = Files::of_batch(ledger, batch, sidecars).filter(|_| !are_evidence);
    let following = files.map(|files| files.follow(reporter)).transpose()?;
    let download_setup = download_setup.map(|(download_setup, _)| download_setup);
    let (counterparties, settings) = (bringing.counterparties, settings(bringing.pace));
    let deadline = bringing.deadline;
    let carried = session.run_batch(counterparties, &settings, deadline, reporter, work, download_setup).await;
    let files_whole = following.map_or(Ok(true), |following| following.finish(reporter));
    let (mut session, carried) = carried?;
    if no_files.is_some() {
        session.ledger.explain_undownloaded(batch.key)?;
    }
    picked::keep(&session.ledger, &batch.name).into_iter().for_each(|words| reporter.warn(words));
    let carried = BatchRun { files_whole: files_whole?, ..carried };
    let ending = Ending {
        batch,
        carried: &carried,
        refused,
        would: None,
        is_stopped: stopped.is_some(),
        began,
        ended,
        before: before.as_ref(),
        left_out: LeftOut::default(),
        sum_by: None,
    };
    let code = tell(&session.ledger, &ending, reporter)?;
    refused.map(Failure::report);
    Ok(code)
}
