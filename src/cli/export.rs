//! `export`: results and receipts, made anew from the ledger.

use std::path::{Path, PathBuf};

use crate::report::{Output, OutputPaths, check_outputs, default_paths, named_paths};

use super::config::ExportOptions;
use super::run::Files;
use super::{ExitCode, Failure, target, terminal};

/// Writes both files and says where.
pub(super) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (_, batch) = target::find(&options.ledger, &options.target)?;
    let manifest = (batch.manifest != "-").then(|| PathBuf::from(&batch.manifest));
    let usual = match &manifest {
        Some(path) => default_paths(path, batch.sandbox),
        None => named_paths(&batch.name, batch.sandbox),
    };
    let paths = OutputPaths {
        results: options.files.results.clone().unwrap_or(usual.results),
        receipts: options.files.receipts.clone().unwrap_or(usual.receipts),
    };
    let written = &batch.remembered.outputs;
    let ours = |path: &Path, before: &Option<String>, written: bool| {
        written && std::path::absolute(path).is_ok_and(|path| before.as_deref() == Some(&*path.to_string_lossy()))
    };
    let outputs = [
        Output {
            name: "--results",
            path: &paths.results,
            ours: ours(&paths.results, &written.results, written.results_written),
        },
        Output {
            name: "--receipts",
            path: &paths.receipts,
            ours: ours(&paths.receipts, &written.receipts, written.receipts_written),
        },
    ];
    let mut inputs = vec![("the ledger", options.ledger.as_path())];
    inputs.extend(manifest.as_deref().map(|path| ("the manifest", path)));
    check_outputs(&outputs, &inputs, options.files.overwrite).map_err(|error| Failure::Usage(error.to_string()))?;

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
