//! A results file run as a manifest: `--only` on the stored jobs of its batch. Nothing is withdrawn, nothing is replaced; the batch's
//! limits, lock and files are its own.

use crate::ledger::port::{Batches, Loading};
use crate::ledger::{Batch, ChosenRows, OpenLedger};
use std::path::PathBuf;

use crate::cli::{ExitCode, Failure};
use crate::manifest::{Limits, Manifest};
use crate::money::{counted, counted_are};
use crate::report::OutputPaths;
use crate::run::{Clock, SystemClock};

use crate::cli::batch::download_setup::{DownloadSetup, destination};
use crate::cli::batch::receipt_guard::stop;
use crate::cli::batch::session::Session;
use crate::cli::batch::{files, session};
use crate::cli::commands::run::{GoingOn, Runner};
use crate::cli::preflight::words::{self, LeftOut};

/// Ids that a message names.
const NAMED_MAX: usize = 5;

impl Runner<'_> {
    /// Runs the stored jobs that the file names.
    pub(super) async fn run_results(&mut self, manifest: &Manifest, name: String) -> Result<ExitCode, Failure> {
        words::of_results(&self.options.choice)?;
        let session = self.open(&name)?;
        let Some(known) = session.known.clone() else {
            return Err(Failure::Internal(format!("the batch {name} was there a moment ago")));
        };
        session::check_owner(
            session.known.as_ref(),
            &name,
            &self.options.choice,
            &known.manifest,
            self.world.play.is_some(),
        )?;
        self.start(&name, false, false);
        if let Err(failure) = stop(&self.world.ledger, Some(&session.books), session.known.as_ref(), None) {
            return Err(self.finish_open(session, failure).await);
        }
        let mut session = self.recover_first(session).await?;
        let chosen = session.books.choose_rows(known.key, SystemClock.now(), manifest.results_rows())?;
        if let Some(id) = &chosen.unknown {
            return Err(self.finish_open(session, no_such_job(&known, id)).await);
        }
        rows_words(&chosen).into_iter().for_each(|words| self.reporter.warn(words));
        let limits = self.options.limits.with_manifest(&session.books.limits(known.key)?);
        let above_limit = session.hold_to_job_limit(known.key, &limits)?;
        session::of_jobs(&above_limit, session::ABOVE_LIMIT).into_iter().for_each(|words| self.reporter.warn(words));
        Box::pin(self.buy_chosen(session, known, chosen, limits)).await
    }

    async fn buy_chosen(
        &mut self,
        mut session: Session,
        mut batch: Batch,
        chosen: ChosenRows,
        limits: Limits,
    ) -> Result<ExitCode, Failure> {
        let left_out = LeftOut { edited: edited_words(&chosen), of_results: true, ..LeftOut::default() };
        let wanted = &self.options.choice.only;
        let wanted: std::collections::HashSet<&String> = wanted.iter().collect();
        let only: Vec<String> = chosen.ids.into_iter().filter(|id| wanted.is_empty() || wanted.contains(id)).collect();
        let nothing = only.is_empty();
        self.options.to_mut().choice.only = only;
        let to = destination(&self.options.downloads, batch.remembered.download.as_ref())?;
        let play = self.world.play.is_some();
        let (filing, to) = match DownloadSetup::of_run(&self.options.downloads, to, &session.books, play) {
            Ok(ready) => ready,
            // What is paid for does not wait for a folder.
            Err(failure) => return Err(self.finish_open(session, failure).await),
        };
        batch.remembered.download = to.clone().or(batch.remembered.download);
        let word = self.options.choice.duplicates;
        let meant = !nothing && self.duplicates(&mut session, batch.key, None, word, None).await?.0;
        let paths = paths_of(&session.books, &batch)?;
        if let Some(filing) = &filing {
            self.traces.borrow_mut().folders = filing.made();
        }
        self.go_on(GoingOn { session, batch, paths, limits: &limits, filing, to, meant, nothing, left_out }).await
    }
}

/// What the rows of a results file say otherwise than the ledger, for a person.
pub(in crate::cli) fn rows_words(chosen: &ChosenRows) -> Vec<String> {
    let mut said = Vec::new();
    if chosen.unproved.count > 0 {
        said.push(format!("{} {}", counted(chosen.unproved.count, "job"), session::UNPROVED));
    }
    said.extend(edited_words(chosen));
    said
}

fn edited_words(chosen: &ChosenRows) -> Option<String> {
    let named: Vec<&str> = chosen.edited.first.iter().take(NAMED_MAX).map(String::as_str).collect();
    (chosen.edited.count > 0).then(|| {
        format!(
            "{} changed against what the ledger holds, and left alone: {}{}; what is to be bought otherwise is changed in \
             the manifest",
            counted_are(chosen.edited.count, "row"),
            named.join(", "),
            if chosen.edited.first.len() > NAMED_MAX { ", …" } else { "" }
        )
    })
}

/// A results file with a row that its batch does not know.
pub(in crate::cli) fn no_such_job(batch: &Batch, id: &str) -> Failure {
    Failure::Usage(format!(
        "the batch {} has no job {id}: new jobs belong into its manifest, {}; nothing was bought",
        batch.name, batch.manifest
    ))
}

/// Where the batch writes its files: where it did before, else beside its manifest.
fn paths_of(books: &OpenLedger, batch: &Batch) -> Result<OutputPaths, Failure> {
    let manifest = PathBuf::from(&batch.manifest);
    let usual = files::usual_paths(Some(books), Some(batch), &manifest, &batch.name, batch.sandbox)?;
    let remembered = &batch.remembered.outputs;
    Ok(OutputPaths {
        results: remembered.results.clone().map_or(usual.results, PathBuf::from),
        receipts: remembered.receipts.clone().map_or(usual.receipts, PathBuf::from),
    })
}
