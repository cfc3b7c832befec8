//! `run --dry-run`: everything but the purchases.

use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::batch::receipt_guard::stop;
use crate::cli::batch::room::lacking;
use crate::cli::batch::session::{check_owner, check_running, results_paths, tell_remarks};
use crate::cli::commands::run::Runner;
use crate::cli::commands::run::preflight::Preflight;
use crate::cli::commands::run::stand::{DELIVERED, OPEN, Stand, less, planned, stand};
use crate::cli::ending::conclusion::{self, untouched};
use crate::cli::money::{Fitting, Room};
use crate::cli::preflight::duplicates::words as duplicate_words;
use crate::cli::preflight::foresight::{Foresight, Foretold, RunToForesee};
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::questions::{self, Ready};
use crate::cli::{ExitCode, Failure, money};
use crate::event::Listener;
use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, Counts, OpenLedger, OpenMode};
use crate::manifest::{Limits, Manifest};
use crate::money::Msat;
use crate::payer::{NodeInfo, Payer};
use crate::plan::view::LeftToBuy;

/// The batch that it is about.
struct About<'a> {
    name: &'a str,
    ledger: Option<&'a OpenLedger>,
    /// The batch, where the ledger knows it.
    known: Option<&'a Batch>,
    manifest: &'a Manifest,
}

impl Runner<'_> {
    /// Everything but the purchases: plan, limits, files, node and balance. Nothing is written, no origin is asked.
    pub(super) async fn dry_run(
        &mut self,
        manifest: &Manifest,
        name: &str,
        of_results: bool,
    ) -> Result<ExitCode, Failure> {
        let play = self.counterparties.play.is_some();
        let ledger = match self.counterparties.ledger.exists() {
            true => Some(crate::ledger::open(&self.counterparties.ledger, OpenMode::Read)?),
            false => None,
        };
        let known = ledger.as_ref().map(|ledger| ledger.batch(name)).transpose()?.flatten();
        let owner = match (&known, of_results) {
            (Some(batch), true) => batch.manifest.clone(),
            (_, _) => manifest.path.display().to_string(),
        };
        check_running(ledger.as_ref(), name)?;
        let place = self.place(manifest, name).filter(|_| !of_results);
        if ledger.is_none() {
            stop(&self.counterparties.ledger, None, None, place.as_ref())?;
        }
        check_owner(known.as_ref(), name, &self.options.buying.choice, &owner, play)?;
        self.start(name, known.is_none(), ledger.is_none());
        stop(&self.counterparties.ledger, ledger.as_ref(), known.as_ref(), place.as_ref())?;
        let (ledger, known) = (ledger.as_ref(), known.as_ref());
        let of_batch = ledger.zip(known).filter(|_| of_results);
        let planned = self.planned(manifest, of_batch)?;
        let mut found = self.preflight(&Ground { manifest, ledger, known, of_results }, planned)?;
        self.choose(std::mem::take(&mut found.only));
        match of_batch {
            Some((ledger, batch)) => {
                self.check_sheet(Some(ledger), name)?;
                let files = &self.options.buying.files;
                let paths = results_paths(ledger, batch, files, &self.counterparties.ledger)?;
                self.keep_sheet_apart(&paths, Some(batch))?;
                paths
            }
            None => self.check_files((ledger, known), name, manifest)?,
        };
        found.to.as_ref().map_or(Ok(()), |to| DownloadSetup::look(to, ledger))?;
        tell_remarks(manifest, &found.plan, &self.reporter);
        self.foretell(&About { name, ledger, known, manifest }, &found).await
    }

    /// Tells what a run would do, and how it would end.
    async fn foretell(&self, about: &About<'_>, found: &Preflight) -> Result<ExitCode, Failure> {
        let &About { name, ledger, known, manifest } = about;
        let Preflight { plan, limits, rows, retake, to, .. } = found;
        let batch = ledger.zip(known.map(|batch| batch.key));
        let mut counts = batch.map(|(ledger, key)| ledger.counts(key)).transpose()?.unwrap_or_default();
        let asked = RunToForesee {
            manifest,
            name: Some(name),
            plan,
            buying: &self.options.buying,
            retake,
            limits,
            fetches: to.is_some(),
            zone: &self.time_zone(limits)?,
            rows: rows.as_ref(),
            node: None,
        };
        let used = money::used(&counts)?;
        let budget = self.budget(limits, None)?;
        let room = Room::of(ledger, limits, &budget, used, self.options.buying.choice.partial)?;
        let foretold = self.foresee(ledger, known, &asked, &room).await?;
        let lacking = match (ledger, to) {
            (Some(ledger), Some(to)) => {
                lacking(&to.folder, ledger, known.map(|batch| batch.key), foretold.left.jobs > 0)?
            }
            (_, _) => None,
        };
        if let Some(words) = &lacking {
            self.reporter.insist(&format!("{words}; nothing is bought {}", foretold.left.until_room()));
        }
        let buying = foretold.to_buy(lacking.is_some());
        let stand = Stand {
            jobs: foretold.jobs.all,
            changed: foretold.changed,
            gone: foretold.jobs.gone,
            delivered: less(stand(&counts, &DELIVERED), (foretold.jobs.retaken, foretold.jobs.retaken_price)),
        };
        self.reporter.hear(&planned(&stand, &counts, &buying, to.as_ref()));
        for words in foretold.fitting.words(&foretold.left).into_iter().chain(foretold.left_words()) {
            self.reporter.warn(words);
        }
        if known.is_none() {
            (counts.planned, counts.planned_capped) = (plan.totals().price, plan.totals().capped);
        }
        let node = self.foretell_node(limits, used, (&foretold.left, &foretold.fitting)).await;
        let waits = if lacking.is_some() { ExitCode::Unfinished } else { ExitCode::Done };
        let is_short = lacking.is_none() && matches!(&node, Ok(Some(ready)) if ready.is_short);
        let part = if is_short { ExitCode::Node } else { ExitCode::Done };
        let code = foretold.code(lacking.is_none() && node.is_ok()).or_worse(waits).or_worse(part);
        self.conclude(name, &counts, (code, &foretold.fitting), (node, lacking.is_some()))
    }

    fn conclude(
        &self,
        name: &str,
        counts: &Counts,
        (code, fitting): (ExitCode, &Fitting),
        (node, lacks_room): (Result<Option<Ready>, Failure>, bool),
    ) -> Result<ExitCode, Failure> {
        match node {
            Ok(node) => {
                self.reporter.hear(&untouched(name, counts, code, self.began, None));
                let words = match lacks_room {
                    true => "nothing is bought until there is room".to_owned(),
                    false => ready_words(node.as_ref().map(|ready| &ready.node), fitting),
                };
                self.reporter
                    .say(&format!("dry run: {words}; no origin was asked, nothing was written, nothing was spent\n"));
                Ok(code)
            }
            Err(failure) => {
                let code = conclusion::foretold(&failure, code);
                self.reporter.hear(&untouched(name, counts, code, self.began, Some(&failure)));
                self.reporter.close();
                failure.report();
                Ok(code)
            }
        }
    }

    /// The node that would pay, where anything is to be bought: what a run would be refused for is found here.
    async fn foretell_node(
        &self,
        limits: &Limits,
        used: Msat,
        to_buy: (&LeftToBuy, &Fitting),
    ) -> Result<Option<Ready>, Failure> {
        if to_buy.0.jobs == 0 {
            return Ok(None);
        }
        let (_, ready) = self.ready(limits, used, to_buy, None).await?;
        questions::is_to_be_asked(&self.options, limits, self.counterparties)?;
        Ok(Some(ready))
    }

    /// What a run would buy, and how it would end where it leaves out something that is asked for; that is told.
    async fn foresee(
        &self,
        ledger: Option<&OpenLedger>,
        known: Option<&Batch>,
        asked: &RunToForesee<'_>,
        room: &Room<'_>,
    ) -> Result<Foretold, Failure> {
        let none;
        let ledger = match ledger {
            Some(ledger) => ledger,
            None => {
                none = crate::ledger::in_memory()?;
                &none
            }
        };
        let mut foresight = Foresight::of(ledger, known.map(|batch| batch.key), asked)?;
        let is_open = match known {
            Some(batch) => stand(&ledger.counts(batch.key)?, &OPEN).0 > 0,
            None => false,
        };
        if (foresight.duplicates.count > 0 || is_open)
            && let Some(payer) = &self.counterparties.payer
            && let Ok(node) = payer.node().await
        {
            foresight.meet(&node)?;
        }
        let foretold = foresight.told(room)?;
        let duplicates = (foresight.duplicates.count > 0).then(|| duplicate_words(&foresight.duplicates));
        for words in duplicates.into_iter().chain(foresight.words()) {
            match foretold.code(true) {
                ExitCode::Done => self.reporter.warn(words),
                _ => self.reporter.insist(&words),
            }
        }
        Ok(foretold)
    }
}

/// What a run would begin with.
fn ready_words(node: Option<&NodeInfo>, fitting: &Fitting) -> String {
    let Some(node) = node else { return "there is nothing to buy".to_owned() };
    let fits = match fitting.is_partial() {
        false => "limits hold",
        true if fitting.holds_nothing() => "nothing fits so far",
        true => "what fits is bought",
    };
    format!("{fits}, node {} ({}, {}) is ready", node.id.0, node.network, node.version)
}
