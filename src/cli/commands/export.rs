//! `export`: results and receipts, made anew from the ledger.

use std::path::{Path, PathBuf};

use crate::ledger::{OutputKind, files_of};
use crate::report::named_paths;

use crate::cli::batch::files::{Files, STDOUT, check as check_files, usual_paths, write};
use crate::cli::batch::receipt_guard::{check as check_receipts, keep_unknown};
use crate::cli::options::config::ExportOptions;
use crate::cli::{CommandError, ExitCode, Failure, Format, target, terminal};

/// Writes both files and says where.
pub(in crate::cli) fn execute(options: &ExportOptions) -> Result<ExitCode, Failure> {
    let (ledger, batch) = target::find(&options.ledger, &options.target)?;
    let named = || options.files.paths.iter().filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
    if let Some((printed, _)) = named().find(|(_, path)| *path == Path::new(STDOUT)) {
        if named().count() > 1 {
            return Err(CommandError::usage("`-` prints one of the two files, and no other is written")
                .hint("name `--results -` or `--receipts -` alone")
                .into());
        }
        check_receipts(&ledger, &batch)?;
        let of = (batch.key, &batch.remembered.layout);
        terminal::print(Format::Csv, |out| write(printed, &ledger, of, out))?;
        return Ok(ExitCode::Done);
    }
    let manifest = (batch.manifest != "-").then(|| PathBuf::from(&batch.manifest));
    let usual = match &manifest {
        Some(path) => usual_paths(Some(&ledger), Some(&batch), path, &batch.name, batch.sandbox)?,
        None => named_paths(&batch.name, batch.sandbox),
    };
    let paths = options.files.or(&usual);
    let kept = files_of(&options.ledger);
    let mut inputs: Vec<_> = kept.iter().map(|file| ("the ledger", file.file())).collect();
    inputs.extend(manifest.as_deref().map(|path| ("the manifest", path)));
    let of = Some((&ledger, batch.name.as_str()));
    check_files(&paths, of, &batch.remembered.outputs, batch.sandbox, &inputs, &options.files)?;
    check_receipts(&ledger, &batch)?;
    if let Some(kept) = keep_unknown(&ledger, &paths[OutputKind::Receipts])? {
        terminal::say(&format!("warning: {kept}\n"));
    }

    let text: String = paths.iter().map(|(kind, path)| format!("{kind:<8}  {}\n", path.display())).collect();
    let warnings = Files::new(&options.ledger, batch.key, &batch.remembered.layout, &paths).anew().rewrite()?;
    if !warnings.is_empty() {
        let hint = "make room there, or name other files with --results and --receipts";
        return Err(CommandError::unwritten(warnings.join("; ")).hint(hint).into());
    }
    if !options.quiet {
        terminal::print(Format::Table, |out| out.write_all(text.as_bytes()))?;
    }
    Ok(ExitCode::Done)
}
