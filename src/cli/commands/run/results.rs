//! A results file run as a manifest: `--only` on the stored jobs of its batch. Nothing is withdrawn, nothing is replaced, and nothing
//! is marked; the batch's limits, lock and files are its own.

use crate::cli::{CommandError, ExitCode, Failure};
use crate::ledger::port::{Fate, Loading, Whole};
use crate::ledger::{Batch, OpenLedger};
use crate::manifest::Manifest;
use crate::report::OutputPaths;

use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::batch::receipt_guard::stop;
use crate::cli::batch::session;
use crate::cli::batch::session::Session;
use crate::cli::commands::run::preflight::Preflight;
use crate::cli::commands::run::taking::{ToTake, What};
use crate::cli::commands::run::{GoingOn, Runner};
use crate::cli::preflight::foresight::chosen_of;
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::planned::{left_alone_words, passed_over_words};
use crate::cli::preflight::words::LeftOut;

impl Runner<'_> {
    /// Runs the stored jobs that the file names.
    pub(super) async fn run_results(&mut self, manifest: &Manifest, name: String) -> Result<ExitCode, Failure> {
        let session = self.open(&name)?;
        let Some(known) = session.known.clone() else {
            return Err(CommandError::internal(format!("the batch {name} was there a moment ago")).into());
        };
        session::check_owner(
            session.known.as_ref(),
            &name,
            &self.options.buying.choice,
            &known.manifest,
            self.counterparties.play.is_some(),
        )?;
        self.start(&name, false, false);
        if let Err(failure) = stop(&self.counterparties.ledger, Some(&session.ledger), session.known.as_ref(), None) {
            return Err(self.finish_open(session, failure).await);
        }
        let mut session = self.recover_first(session).await?;
        let checked = session.ledger.as_one(|ledger| {
            // What an earlier command asked for and never accepted is nothing to go on with.
            ledger.discard_unaccepted(known.key)?;
            Ok((self.check_results(ledger, &known, manifest)?, Fate::TakenBack))
        });
        let checked = match checked {
            Ok(checked) => checked,
            Err(failure) => return Err(self.finish_open(session, failure).await),
        };
        Box::pin(self.buy_chosen(session, manifest, known, checked)).await
    }

    fn check_results(
        &self,
        ledger: &OpenLedger,
        batch: &Batch,
        manifest: &Manifest,
    ) -> Result<(Preflight, OutputPaths), Failure> {
        let planned = self.planned(manifest, Some((ledger, batch)))?;
        let ground = Ground { manifest, ledger: Some(ledger), known: Some(batch), of_results: true };
        let found = self.preflight(&ground, planned)?;
        self.check_sheet(Some(ledger), &batch.name)?;
        let paths = session::results_paths(ledger, batch, &self.options.buying.files, &self.counterparties.ledger)?;
        self.keep_sheet_apart(&paths, Some(batch))?;
        Ok((found, paths))
    }

    async fn buy_chosen(
        &mut self,
        session: Session,
        manifest: &Manifest,
        batch: Batch,
        (checked, paths): (Preflight, OutputPaths),
    ) -> Result<ExitCode, Failure> {
        let Preflight { plan, limits, rows, only, to, .. } = checked;
        let chosen = rows.unwrap_or_default();
        let play = self.counterparties.play.is_some();
        let (download_setup, to) =
            match DownloadSetup::of_run(&self.options.buying.downloads, to, &session.ledger, play) {
                Ok(ready) => ready,
                // What is paid for does not wait for a folder.
                Err(failure) => return Err(self.finish_open(session, failure).await),
            };
        session::tell_remarks(manifest, &plan, &self.reporter);
        let edited = left_alone_words(&chosen);
        let said = edited.iter().cloned().chain(passed_over_words(&chosen));
        said.for_each(|words| self.reporter.warn(words));
        if let Some(download_setup) = &download_setup {
            self.traces.borrow_mut().folders = download_setup.made();
        }
        let left_out = LeftOut { edited, of_results: true, ..LeftOut::default() };
        self.choose(chosen_of(&chosen, &only));
        let of = ToTake {
            what: What::Rows { batch: &batch, chosen: &chosen },
            limits: &limits,
            paths,
            download_setup,
            to,
            duplicates: self.options.buying.choice.duplicates,
            same_plan: None,
        };
        Box::pin(self.go_on(GoingOn { session, of, changed: chosen.changed, left_out })).await
    }
}
