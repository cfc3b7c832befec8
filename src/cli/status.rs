//! `status`: where a batch stands, and the jobs that need something.

use crate::ledger::ResultRow;
use crate::report::{StatusHead, StatusStyle, write_status};

use super::config::StatusOptions;
use super::exit::{self, Findings};
use super::{ExitCode, Failure, target, terminal};

/// Prints; the exit code says how the batch stands.
pub(super) fn execute(options: &StatusOptions) -> Result<ExitCode, Failure> {
    let (books, batch) = target::find(&options.ledger, &options.target)?;
    let counts = books.counts(batch.key)?;
    let code = exit::of_batch(&counts, &Findings::default());
    if options.output.quiet && code == ExitCode::Done {
        return Ok(code);
    }
    let head = StatusHead {
        batch: batch.name.clone(),
        manifest: (batch.manifest != "-").then(|| batch.manifest.clone()),
        ledger: options.ledger.display().to_string(),
    };
    let style = StatusStyle {
        format: options.output.format.into(),
        all: options.all || !options.jobs.is_empty(),
        width: terminal::width(),
        zone: terminal::zone(),
    };
    let mut missing = options.jobs.clone();
    let broken = |error: crate::ledger::LedgerError| std::io::Error::other(error.to_string());
    terminal::print(|out| {
        write_status(
            out,
            &head,
            &counts,
            &mut |each| {
                let mut wanted = |row: ResultRow| {
                    if options.jobs.is_empty() || options.jobs.contains(&row.id) {
                        missing.retain(|id| *id != row.id);
                        return each(row);
                    }
                    Ok(())
                };
                books.results(batch.key, &mut wanted).map_err(broken)?
            },
            &style,
        )
    })?;
    if !missing.is_empty() {
        let (ids, name) = (missing.join(", "), &batch.name);
        return Err(Failure::Usage(format!("the batch {name} has no job {ids}; --all lists every job")));
    }
    Ok(code)
}
