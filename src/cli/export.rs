//! `export`: results and receipts, made anew from the ledger.

use std::path::PathBuf;

use crate::report::{OutputPaths, default_paths, named_paths};

use super::config::ExportOptions;
use super::run::{Files, check_files, check_papers, keep_unknown};
use super::{ExitCode, Failure, target, terminal};

/// Writes both files and says where.
pub(super) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (books, batch) = target::find(&options.ledger, &options.target)?;
    let manifest = (batch.manifest != "-").then(|| PathBuf::from(&batch.manifest));
    let usual = match &manifest {
        Some(path) => default_paths(path, batch.sandbox),
        None => named_paths(&batch.name, batch.sandbox),
    };
    let paths = OutputPaths {
        results: options.files.results.clone().unwrap_or(usual.results),
        receipts: options.files.receipts.clone().unwrap_or(usual.receipts),
    };
    let mut inputs = vec![("the ledger", options.ledger.as_path())];
    inputs.extend(manifest.as_deref().map(|path| ("the manifest", path)));
    let of = Some((&books, batch.name.as_str()));
    check_files(&paths, of, &batch.remembered.outputs, false, &inputs, options.files.overwrite)?;
    check_papers(&books, &batch)?;
    if let Some(kept) = keep_unknown(&books, &paths.receipts)? {
        terminal::say(&format!("warning: {kept}\n"));
    }

    let text = format!("results   {}\nreceipts  {}\n", paths.results.display(), paths.receipts.display());
    let warnings = Files::new(&options.ledger, batch.key, &batch.remembered.layout, paths).rewrite()?;
    if let Some(warning) = warnings.into_iter().next() {
        return Err(Failure::Usage(warning));
    }
    if !options.quiet {
        terminal::print(|out| out.write_all(text.as_bytes()))?;
    }
    Ok(ExitCode::Done)
}
