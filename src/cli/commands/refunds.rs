//! `refunds`: what was offered, claimed and came back; and the claiming of it.

use crate::ledger::port::{Batches, Records, Views};
use crate::ledger::{Batch, LedgerAddress, OpenLedger, OpenMode, RefundRow};
use crate::purchase::{JobState, Next};
use crate::report::{RefundsStyle, write_refunds};
use crate::screen::stdout_columns;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::run_batch::Work;
use crate::cli::commands::recover::{Bringing, bring_to_end};
use crate::cli::options::config::{RefundsClaimOptions, RefundsListOptions};
use crate::cli::{ExitCode, Failure, Format, target, terminal};

/// Lists refunds. The exit code says whether some can still come, and whether some need a person.
pub(in crate::cli) fn list(options: &RefundsListOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = match &options.target {
        Some(target) => {
            let (ledger, batch) = target::find(&options.ledger, target)?;
            (ledger, Some(batch.key))
        }
        None => (target::open(&options.ledger)?, None),
    };
    let wanted = |refund: &RefundRow| options.jobs.is_empty() || options.jobs.contains(&refund.id);
    let refunds: Vec<RefundRow> = ledger.refunds(batch)?.into_iter().filter(wanted).collect();
    let code = code_of(&refunds);
    if options.output.quiet && code == ExitCode::Done {
        return Ok(code);
    }
    let style = RefundsStyle {
        format: options.output.format.into(),
        columns: stdout_columns(),
        zone: terminal::zone(),
        proof: options.proof,
    };
    terminal::print(options.output.format, |out| write_refunds(out, &refunds, &style))?;
    Ok(code)
}

/// What came back needs nothing here: whether it is bought anew is no question of refunds.
fn code_of(refunds: &[RefundRow]) -> ExitCode {
    let open = refunds.iter().filter(|refund| refund.state == JobState::RefundOffered);
    open.fold(ExitCode::Done, |worst, refund| {
        worst.or_worse(match Next::of(refund.state, refund.reason) {
            Next::None => ExitCode::Done,
            Next::Rerun => ExitCode::Unfinished,
            Next::Person => ExitCode::Person,
        })
    })
}

/// Claims the refunds of one batch, or of all of the ledger one after the other.
pub(in crate::cli) fn claim(options: &RefundsClaimOptions) -> Result<ExitCode, Failure> {
    let recovering = &options.recover;
    let batches = match &recovering.target {
        Some(target) => vec![target::find(&recovering.ledger, target)?.1],
        None => with_open_refunds(&recovering.ledger)?,
    };
    if batches.is_empty() && recovering.output.format != Format::Json && !recovering.output.quiet {
        terminal::say(&format!("no refund is to be claimed in the ledger {}\n", recovering.ledger));
    }
    crate::cli::runtime()?.block_on(async {
        let counterparties =
            Counterparties::of_node(recovering.node.as_ref(), &recovering.ledger)?.bearing(&recovering.tables);
        let mut worst = ExitCode::Done;
        for batch in batches {
            let work = Work::Claim(batch.key, options.jobs.clone());
            let bringing = Bringing {
                ledger: &recovering.ledger,
                output: recovering.output,
                pace: &recovering.pace,
                deadline: recovering.deadline,
                counterparties: &counterparties,
                batch: &batch,
                work,
                download_setup: None,
                sidecars: false,
                missing: None,
                no_files: None,
            };
            let code = match bring_to_end(bringing).await {
                Ok(code) => code,
                // Another batch's run holds its lock, and claims its refunds itself.
                Err(failure) if recovering.target.is_none() && failure.is_locked() => failure.report(),
                Err(failure) => return Err(failure),
            };
            worst = worst.or_worse(code);
        }
        Ok(worst)
    })
}

fn with_open_refunds(ledger: &LedgerAddress) -> Result<Vec<Batch>, Failure> {
    let ledger: OpenLedger =
        if ledger.exists() { crate::ledger::open(ledger, OpenMode::Read)? } else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for (batch, _) in ledger.batches()? {
        if !ledger.open_refunds(Some(batch.key))?.is_empty() {
            open.push(batch);
        }
    }
    Ok(open)
}
