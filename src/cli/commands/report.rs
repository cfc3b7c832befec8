//! `report`: the contact sheet of a batch.

use crate::cli::batch::contact_sheet::{folder, write};
use crate::cli::batch::receipt_guard::gap_words;
use crate::cli::options::config::ReportOptions;
use crate::cli::{ExitCode, Failure, Format, target, terminal};

/// Writes it, and says where.
pub(in crate::cli) fn execute(options: &ReportOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    if let Some(gap) = gap_words(&ledger)? {
        terminal::say(&format!("warning: {gap}\n"));
    }
    let folder = folder(&options.folder, (Some(&ledger), batch.sandbox), &batch.name, options.overwrite)?;
    let words = write(&folder, &ledger, &batch)?;
    if !options.quiet {
        terminal::print(Format::Table, |out| writeln!(out, "{words}"))?;
    }
    Ok(ExitCode::Done)
}
