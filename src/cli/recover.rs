//! `recover`: finishes what is open, and buys nothing.

use crate::event::{Event, Listener};
use crate::ledger::sqlite::{Batch, Books, OpenMode};
use crate::run::{Clock, SystemClock};
use crate::time::UnixMs;

use super::config::RecoverOptions;
use super::run::{Carried, Ending, Files, Reporter, Session, Work, World, check_papers, settings, tell, tell_broken};
use super::{ExitCode, Failure, Format, target, terminal};

/// Recovers one batch, or all of the ledger one after the other.
pub(super) fn execute(options: &RecoverOptions) -> Result<ExitCode, Failure> {
    let batches = match &options.target {
        Some(target) => vec![target::find(&options.ledger, target)?.1],
        None => with_open_jobs(&options.ledger)?,
    };
    if batches.is_empty() && options.output.format != Format::Json && !options.output.quiet {
        terminal::say(&format!(
            "nothing is open in the ledger {}: there was nothing to do\n",
            options.ledger.display()
        ));
    }
    super::runtime()?.block_on(async {
        let world = World::of_node(options.node.as_ref(), &options.ledger)?;
        let mut worst = ExitCode::Done;
        for batch in batches {
            let work = Work::Recover(Some(batch.key));
            let code = match recover(options, &world, &batch, work).await {
                Ok(code) => code,
                // Another batch's run holds its lock, and finishes what is open itself; receipts that know more than the
                // ledger concern their own batch. What others have paid for does not wait for either.
                Err(failure @ (Failure::Locked(_) | Failure::BooksDiffer(_))) if options.target.is_none() => {
                    failure.report()
                }
                Err(failure) => return Err(failure),
            };
            worst = worst.or_worse(code);
        }
        Ok(worst)
    })
}

fn with_open_jobs(ledger: &std::path::Path) -> Result<Vec<Batch>, Failure> {
    let books: Books = if ledger.exists() { Books::open(ledger, OpenMode::Read)? } else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for (batch, _) in books.batches()? {
        if !books.open_jobs(Some(batch.key))?.is_empty() || !books.open_refunds(Some(batch.key))?.is_empty() {
            open.push(batch);
        }
    }
    Ok(open)
}

/// Brings one batch on without buying anything, and tells of it from start to end.
pub(super) async fn recover(
    options: &RecoverOptions,
    world: &World,
    batch: &Batch,
    work: Work,
) -> Result<ExitCode, Failure> {
    let began = SystemClock.now();
    let reporter = Reporter::new(options.output)?;
    for warning in &world.warnings {
        reporter.warn(warning.clone());
    }
    reporter.hear(&Event::RunStarted {
        batch: batch.name.clone(),
        ledger: options.ledger.display().to_string(),
        new_batch: false,
        new_ledger: false,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
    });
    let result = bring_to_end(options, world, batch, work, began, &reporter).await;
    if let Err(failure) = &result {
        tell_broken(&options.ledger, &batch.name, failure, began, &reporter);
    }
    reporter.close();
    result
}

async fn bring_to_end(
    options: &RecoverOptions,
    world: &World,
    batch: &Batch,
    work: Work,
    began: UnixMs,
    reporter: &Reporter,
) -> Result<ExitCode, Failure> {
    let session = Session::open(&options.ledger, &batch.name)?;
    // Receipts that know more than the ledger are evidence, and stay as they are. What is open is finished all the same.
    let papers = check_papers(&session.books, batch);
    let following = match Files::remembered(&options.ledger, batch).filter(|_| papers.is_ok()) {
        Some(files) => Some(files.follow(reporter.changed())?),
        None => None,
    };
    let carried = session.carry(world, &settings(&options.pace), &options.pace, reporter, work).await;
    let files_whole = following.map_or(Ok(true), |following| following.finish(reporter));
    let (session, carried) = carried?;
    papers?;
    let carried = Carried { files_whole: files_whole?, ..carried };
    let ending = Ending { batch, carried: &carried, refused: None, began, play: false, buys: false, chosen: false };
    tell(&session.books, &ending, reporter)
}
