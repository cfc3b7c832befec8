//! `batches`: what a ledger holds.

use crate::ledger::port::Batches;
use crate::ledger::{Batch, Counts, StateCount};
use crate::purchase::{JobState, Next};
use crate::report::{BatchLine, write_batches};
use crate::screen::stdout_columns;

use crate::cli::batch::receipt_guard::gap_words;
use crate::cli::options::config::BatchesOptions;
use crate::cli::{ExitCode, Failure, target, terminal};

/// Prints a line a batch.
pub(in crate::cli) fn execute(options: &BatchesOptions) -> Result<ExitCode, Failure> {
    let ledger = target::open(&options.ledger)?;
    if let Some(gap) = gap_words(&ledger)? {
        terminal::say(&format!("warning: {gap}\n"));
    }
    let lines: Vec<BatchLine> = ledger.batches()?.iter().map(|(batch, counts)| line(batch, counts)).collect();
    if !options.output.quiet {
        let (format, zone) = (options.output.format, terminal::zone());
        terminal::print(format, |out| write_batches(out, &lines, format.into(), stdout_columns(), &zone))?;
    }
    Ok(ExitCode::Done)
}

/// Whether its jobs are not at their end. A result that is not fetched yet is delivered all the same.
fn is_open(count: &StateCount) -> bool {
    let next = Next::of(count.state, count.reason);
    match count.state {
        JobState::Delivered | JobState::Downloaded => false,
        JobState::Refused | JobState::Lost | JobState::Refunded => next == Next::Rerun,
        JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Failed
        | JobState::RefundOffered => next != Next::None,
    }
}

fn line(batch: &Batch, counts: &Counts) -> BatchLine {
    let jobs = |states: &[JobState]| states.iter().map(|state| counts.jobs(*state)).sum();
    BatchLine {
        batch: batch.name.clone(),
        manifest: (batch.manifest != "-").then(|| batch.manifest.clone()),
        jobs: counts.all_jobs(),
        delivered: jobs(&[JobState::Delivered, JobState::Downloaded]),
        open: counts.by_state.iter().filter(|count| is_open(count)).map(|count| count.jobs).sum(),
        spent: counts.spent,
        fees: counts.fees,
        refunded: counts.refunded,
        last_run_at: Some(batch.last_run_at),
    }
}
