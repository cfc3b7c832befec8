//! `download`: fetches into files what was delivered and is not here, and buys nothing.

use crate::command::{about_batch, command};
use crate::download::Wanted;
use crate::ledger::port::Inspection;
use crate::ledger::{Batch, OpenLedger};

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::download_setup::{DownloadSetup, destination};
use crate::cli::batch::run_batch::Work;
use crate::cli::commands::recover::{Bringing, bring_to_end};
use crate::cli::options::config::DownloadCommand;
use crate::cli::{CommandError, ExitCode, Failure, target};

/// Fetches what is missing of one batch.
pub(in crate::cli) fn execute(options: &DownloadCommand) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    check_jobs(&ledger, &batch, &options.jobs)?;
    drop(ledger);
    let Some(to) = destination(&options.downloads, batch.remembered.download.as_ref())? else {
        return Err(CommandError::usage("no folder is known for this batch")
            .hint("name one with --download DIR")
            .into());
    };
    let wanted = Wanted::Missing(options.jobs.iter().cloned().collect());
    let download_setup = DownloadSetup::prepare(&options.downloads, &to, wanted, batch.sandbox)?;
    crate::cli::runtime()?.block_on(async {
        let counterparties = Counterparties::of_node(None, &options.ledger)?;
        let bringing = Bringing {
            ledger: &options.ledger,
            output: options.output,
            pace: &options.pace,
            deadline: None,
            counterparties: &counterparties,
            batch: &batch,
            work: Work::Download(batch.key),
            download_setup: Some((&download_setup, &to)),
            sidecars: options.downloads.sidecars,
            missing: options.missing.then_some(&options.jobs),
            no_files: None,
        };
        Box::pin(bring_to_end(bringing)).await
    })
}

fn check_jobs(ledger: &OpenLedger, batch: &Batch, jobs: &[String]) -> Result<(), Failure> {
    for id in jobs {
        if ledger.takes(batch.key, id)?.is_empty() {
            return Err(CommandError::usage(format!("the batch {} has no job {id}", batch.name))
                .hint(format!(
                    "`{}` lists every job",
                    command(&format!("{} --all", about_batch("status", &batch.name)))
                ))
                .into());
        }
    }
    Ok(())
}
