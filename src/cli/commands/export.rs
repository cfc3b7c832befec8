//! `export`: results and receipts, made anew from the ledger.

use std::path::{Path, PathBuf};

use crate::ledger::port::Views;
use crate::ledger::{Batch, LedgerError, OpenLedger, files_of};
use crate::report::{OutputPaths, named_paths};

use crate::cli::batch::files::{Files, STDOUT, check as check_files, laid_out, ledger_of, usual_paths};
use crate::cli::batch::receipt_guard::{check as check_receipts, keep_unknown};
use crate::cli::options::config::ExportOptions;
use crate::cli::{CommandError, ExitCode, Failure, Format, target, terminal};

/// Writes both files and says where.
pub(in crate::cli) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    let named = [&options.files.results, &options.files.receipts].map(Option::as_deref);
    if let Some(printed) = named.iter().position(|path| *path == Some(Path::new(STDOUT))) {
        if named[1 - printed].is_some() {
            return Err(CommandError::usage("`-` prints one of the two files, and no other is written")
                .hint("name `--results -` or `--receipts -` alone")
                .into());
        }
        check_receipts(&ledger, &batch)?;
        return print(&ledger, &batch, printed == 0);
    }
    let manifest = (batch.manifest != "-").then(|| PathBuf::from(&batch.manifest));
    let usual = match &manifest {
        Some(path) => usual_paths(Some(&ledger), Some(&batch), path, &batch.name, batch.sandbox)?,
        None => named_paths(&batch.name, batch.sandbox),
    };
    let paths = OutputPaths {
        results: options.files.results.clone().unwrap_or(usual.results),
        receipts: options.files.receipts.clone().unwrap_or(usual.receipts),
    };
    let kept = files_of(&options.ledger);
    let mut inputs: Vec<_> = kept.iter().map(|file| ("the ledger", file.file())).collect();
    inputs.extend(manifest.as_deref().map(|path| ("the manifest", path)));
    let of = Some((&ledger, batch.name.as_str()));
    check_files(&paths, of, &batch.remembered.outputs, false, &inputs, &options.files)?;
    check_receipts(&ledger, &batch)?;
    if let Some(kept) = keep_unknown(&ledger, &paths.receipts, batch.sandbox)? {
        terminal::say(&format!("warning: {kept}\n"));
    }

    let text = format!("results   {}\nreceipts  {}\n", paths.results.display(), paths.receipts.display());
    let warnings = Files::new(&options.ledger, batch.key, &batch.remembered.layout, paths).rewrite()?;
    if !warnings.is_empty() {
        let hint = "make room there, or name other files with --results and --receipts";
        return Err(CommandError::unwritten(warnings.join("; ")).hint(hint).into());
    }
    if !options.quiet {
        terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(ExitCode::Done)
}

/// Prints one of the files, as it would be written.
fn print(ledger: &OpenLedger, batch: &Batch, is_results: bool) -> Result<ExitCode, Failure> {
    let broken = std::io::Error::other::<LedgerError>;
    let (mut results, receipts) = laid_out(&batch.remembered.layout);
    results.stamp(batch.name.clone(), ledger_of(ledger, &batch.name)?);
    terminal::print(Format::Csv, |out| match is_results {
        true => results.write(out, &mut |each| ledger.results(batch.key, each).map_err(broken)?),
        false => receipts.write(out, &mut |each| ledger.receipts(batch.key, each).map_err(broken)?),
    })?;
    Ok(ExitCode::Done)
}
