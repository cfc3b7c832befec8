//! `status`: where a batch stands, and the jobs that need something.

use crate::ledger::port::{Foresee, Inspection, Locks, Views};
use crate::ledger::{BatchKey, Counts, LedgerError, OpenLedger, ResultRow};
use crate::report::{Rows, StatusHead, StatusMoney, StatusStyle, write_jobs, write_status, write_sums_csv};
use crate::screen::stdout_columns;

use crate::cli::batch::receipt_guard::gap_words;
use crate::cli::exit::Findings;
use crate::cli::options::config::StatusOptions;
use crate::cli::preflight::duplicates::words;
use crate::cli::{CommandError, ExitCode, Failure, Format, exit, rates, sums, target, terminal};

/// Prints; the exit code says how the batch stands.
pub(in crate::cli) fn execute(options: &StatusOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    if let Some(gap) = gap_words(&ledger)? {
        terminal::say(&format!("warning: {gap}\n"));
    }
    let mut counts = ledger.counts(batch.key)?;
    let unbought = ledger.unbought(batch.key)?;
    counts.to_buy_worst_case = unbought.worst_case;
    let not_as_planned = unbought.elsewhere.count > 0;
    let code = exit::of_batch(&counts, &Findings { not_as_planned, ..Findings::default() });
    if not_as_planned {
        terminal::say(&format!("warning: a run leaves out what is bought by now: {}\n", words(&unbought.elsewhere)));
    }
    // What the next run brings on by itself needs nobody.
    let needs_nobody = matches!(code, ExitCode::Done | ExitCode::Unfinished);
    if options.output.quiet && needs_nobody && !options.all && options.jobs.is_empty() {
        return Ok(code);
    }
    if batch.sandbox {
        let ends = "its API and its node end with their run, and no command brings on what that has left open";
        terminal::say(&format!("note: play money: {ends}\n"));
    }
    let head = StatusHead {
        batch: batch.name.clone(),
        manifest: (batch.manifest != "-").then(|| batch.manifest.clone()),
        ledger: options.ledger.to_string(),
        // Where that cannot be found out, nothing is said of it.
        at_work: ledger.locked_by(&batch.name).ok().flatten(),
        is_play: batch.sandbox,
    };
    let style = style(options);
    if options.jobs.is_empty() {
        show(options, (&ledger, batch.key), (&head, &counts), &style)?;
        return Ok(code);
    }
    let (mut jobs, mut missing) = (Vec::new(), Vec::new());
    for id in &options.jobs {
        match ledger.takes(batch.key, id)? {
            takes if takes.is_empty() => missing.push(id.as_str()),
            takes => jobs.push(takes),
        }
    }
    terminal::print(options.output.format, |out| write_jobs(out, &head, &counts, &jobs, &style))?;
    if !missing.is_empty() {
        let (ids, name) = (missing.join(", "), &batch.name);
        return Err(CommandError::usage(format!("the batch {name} has no job {ids}"))
            .hint("--all lists every job")
            .into());
    }
    Ok(code)
}

/// Shows how the batch stands, and what groups of its jobs have come to where that is asked for.
fn show(
    options: &StatusOptions,
    (ledger, batch): (&OpenLedger, BatchKey),
    (head, counts): (&StatusHead, &Counts),
    style: &StatusStyle,
) -> Result<(), Failure> {
    let sums = options.sum_by.as_ref().map(|by| sums::of_batch(ledger, batch, by)).transpose()?;
    if let Some(sums) = sums.as_ref().filter(|_| options.output.format == Format::Csv) {
        return terminal::print(options.output.format, |out| write_sums_csv(out, sums));
    }
    let payments = ledger.open_payments(batch)?;
    let money = StatusMoney { counts, sums: sums.as_ref(), rate: rates::now(&options.rates) };
    let broken = std::io::Error::other::<LedgerError>;
    terminal::print(options.output.format, |out| {
        let rows: Rows<'_, ResultRow> = &mut |each| ledger.latest_takes(batch, each).map_err(broken)?;
        write_status(out, head, &money, rows, &payments, style)
    })
}

fn style(options: &StatusOptions) -> StatusStyle {
    StatusStyle {
        format: options.output.format.into(),
        all: options.all || !options.jobs.is_empty(),
        quiet: options.output.quiet,
        columns: stdout_columns(),
        zone: terminal::zone(),
        proof: options.proof,
    }
}
