//! `takes`: what a person says of delivered takes. It spends nothing, and changes nothing but what is said.

mod file;

use std::collections::BTreeSet;

use crate::command::{about_batch, command};
use crate::ledger::port::{Batches, Inspection, Marks, Views};
use crate::ledger::{Batch, LedgerAddress, Marking, OpenLedger, OpenMode, TakeId, TakeMark, TakeRow, Unmarkable};
use crate::money::counted;
use crate::report::{TakesStyle, write_takes};
use crate::run::{Clock, SystemClock};
use crate::screen::stdout_columns;

use crate::cli::batch::picked;
use crate::cli::options::config::{TakesListOptions, TakesMarkOptions, TakesReadOptions, Target};
use crate::cli::{CommandError, ExitCode, Failure, Format, target, terminal};

/// Lists takes of a batch and what is said of them.
pub(in crate::cli) fn list(options: &TakesListOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    let mut takes = Vec::new();
    let is_shown = |take: &TakeRow| take.marked.is_any() || (options.all && take.row.state.is_delivered());
    let read = ledger.all_takes(batch.key, &mut |take| {
        takes.extend(Some(take).filter(is_shown));
        Ok(())
    })?;
    read.map_err(|error| CommandError::internal("takes cannot be kept in memory").because(error))?;
    if options.output.quiet {
        return Ok(ExitCode::Done);
    }
    let style = TakesStyle { format: options.output.format.into(), columns: stdout_columns() };
    terminal::print(options.output.format, |out| write_takes(out, &batch.name, &takes, &style))?;
    Ok(ExitCode::Done)
}

/// Says of the named takes that they are picked, or rejected, or takes that back: of all, or of none.
pub(in crate::cli) fn mark(options: &TakesMarkOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = match &options.target {
        Some(target) => target::find(&options.ledger, target)?,
        None => only_batch(&options.ledger)?,
    };
    let (mut takes, mut wrong) = (BTreeSet::new(), Vec::new());
    for typed in &options.takes {
        takes.extend(named(&ledger, &batch, typed, &mut wrong)?);
    }
    let marking = |take| Marking { batch: batch.key, take, mark: options.mark, note: options.note.clone() };
    let markings: Vec<Marking> = takes.into_iter().map(marking).collect();
    drop(ledger);
    if wrong.is_empty() {
        let mut ledger = crate::ledger::open(&options.ledger, OpenMode::Write)?;
        let refused = ledger.mark(SystemClock.now(), &markings)?;
        wrong.extend(refused.into_iter().filter_map(|(at, why)| Some(unmarkable(&markings.get(at)?.take, why))));
    }
    if !wrong.is_empty() {
        return Err(CommandError::usage(format!("{}; nothing was marked", wrong.join("; ")))
            .hint(format!(
                "`{}` lists every delivered take",
                command(&format!("{} --all", about_batch("takes list", &batch.name)))
            ))
            .into());
    }
    said(&options.ledger, &markings, options.quiet)
}

/// Takes in what a file says: all of it, or nothing.
pub(in crate::cli) fn read(options: &TakesReadOptions) -> Result<ExitCode, Failure> {
    let rows = file::read(&options.file)?;
    let ledger = target::open(&options.ledger)?;
    let mut found = file::markings(rows, &ledger, options.batch.as_deref())?.checked()?;
    drop(ledger);
    let mut ledger = crate::ledger::open(&options.ledger, OpenMode::Write)?;
    let refused = ledger.mark(SystemClock.now(), &found.markings)?;
    found.refuse_takes(refused);
    said(&options.ledger, &found.checked()?.markings, options.quiet)
}

/// The ledger, and the one batch that it has.
fn only_batch(address: &LedgerAddress) -> Result<(OpenLedger, Batch), Failure> {
    let ledger = target::open(address)?;
    let mut batches = ledger.uncounted()?;
    match (batches.pop(), batches.is_empty()) {
        (Some(batch), true) => Ok((ledger, batch)),
        (Some(_), false) | (None, _) => {
            let target = Target { manifest: None, batch: None };
            Err(match target::find(address, &target) {
                Err(failure) => failure,
                Ok(_) => CommandError::usage("name the batch with --batch NAME").into(),
            })
        }
    }
}

/// The take that was typed; else why it cannot be told which one is meant stands in `wrong`.
fn named(ledger: &OpenLedger, batch: &Batch, typed: &str, wrong: &mut Vec<String>) -> Result<Option<TakeId>, Failure> {
    let count = |id: &str| Ok::<_, Failure>(ledger.takes(batch.key, id)?.len());
    let other = TakeId::read(typed, |id| id != typed);
    let is_other = other.as_ref().map_or(Ok(0), |other| count(&other.id))? > 0;
    let take = match (count(typed)?, other) {
        (0, Some(other)) => return Ok(Some(other)),
        (0, None) => Err(format!("the batch {} has no job {typed}", batch.name)),
        (1.., _) if is_other => {
            Err(format!("{typed} is the id of a job, and a take of another one; {typed}@1 is the job's first take"))
        }
        (1, _) => Ok(TakeId { id: typed.to_owned(), take: 1 }),
        (takes, _) => Err(format!("the job {typed} has {takes} takes: name the one that is meant, as {typed}@{takes}")),
    };
    Ok(take.map_err(|words| wrong.push(words)).ok())
}

/// Why nothing can be said of a take.
fn unmarkable(take: &TakeId, why: Unmarkable) -> String {
    match why {
        Unmarkable::NoJob => format!("{take}: the batch has no such job"),
        Unmarkable::NoTake(latest) => {
            format!("there is no {take}: the latest take of that job is {}@{latest}", take.id)
        }
        Unmarkable::Undelivered(state) => format!("{take} is {}: only what is delivered can be marked", state.as_str()),
    }
}

/// Puts what is picked where it belongs, and tells what was said.
fn said(ledger: &LedgerAddress, markings: &[Marking], quiet: bool) -> Result<ExitCode, Failure> {
    let ledger = target::open(ledger)?;
    for batch in ledger.uncounted()? {
        if markings.iter().any(|marking| marking.batch == batch.key) {
            let told = picked::keep(&ledger, &batch.name);
            told.iter().for_each(|words| terminal::say(&format!("warning: {words}\n")));
        }
    }
    if quiet {
        return Ok(ExitCode::Done);
    }
    let of = |mark: Option<TakeMark>| markings.iter().filter(|marking| marking.mark == mark).count();
    let told = |mark, words: &str| Some(of(mark)).filter(|count| *count > 0).map(|count| format!("{count} {words}"));
    let all =
        [told(Some(TakeMark::Pick), "picked"), told(Some(TakeMark::Reject), "rejected"), told(None, "without a mark")];
    let all = all.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let takes = counted(u64::try_from(markings.len()).unwrap_or(u64::MAX), "take");
    let colon = if all.is_empty() { "" } else { ": " };
    terminal::print(Format::Table, |out| writeln!(out, "{takes}{colon}{all}; nothing is bought by that"))?;
    Ok(ExitCode::Done)
}
