//! `run`: recovery first, then the plan, the limits and the questions, then new purchases.

mod dry_run;
mod preflight;
mod results;
mod stand;

use crate::cli::batch::counterparties::{Counterparties, SandboxOptions};
use crate::cli::batch::download_setup::{DownloadSetup, Made};
use crate::cli::batch::files::{Files, tried_again};
use crate::cli::batch::receipt_guard::{BatchFiles, check as check_receipts, keep_unknown, stop};
use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::run_batch::{BatchRun, Work, settings};
use crate::cli::batch::session::{Session, check_files, check_owner};
use crate::cli::ending::advice::Ended;
use crate::cli::ending::conclusion::{Ending, tell, tell_broken};
use crate::cli::ending::limits::Bought;
use crate::cli::preflight::duplicates::{edition, stopped_words, words as duplicate_words};
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::words::{LeftOut, elsewhere_words};
use crate::cli::preflight::{questions, trust};
use crate::error::Hinted;
use preflight::Preflight;
use stand::{OPEN, Stand, planned, stand, to_download};

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};

use crate::event::{Event, Listener};
use crate::ledger::port::{Batches, Loading, Views};
use crate::ledger::{
    Batch, BatchKey, Counts, DownloadTo, Duplicates as FoundDuplicates, OpenLedger, OpenMode, OutputKind, PlanLoad,
};
use crate::manifest::{Duplicates, Limits, Manifest};
use crate::money::Msat;
use crate::payer::NodeInfo;
use crate::plan::view::LeftToBuy;
use crate::purchase::{JobState, Reason};
use crate::report::OutputPaths;
use crate::run::signals::Stopped;
use crate::run::{Budget, Clock, Settings, SystemClock, Whose};
use crate::time::UnixMs;

use crate::cli::money::{Chosen, Fitting, Room};
use crate::cli::options::config::{ManifestSource, Payment, RunOptions};
use crate::cli::{CommandError, ExitCode, Failure, input, money, target};

/// Runs a batch.
pub(in crate::cli) fn execute(options: &RunOptions, sandbox: &SandboxOptions) -> Result<ExitCode, Failure> {
    if matches!(options.payment, Payment::Node(..)) && *sandbox != SandboxOptions::default() {
        return Err(CommandError::usage("the --sandbox-… flags go with --sandbox").into());
    }
    let result = crate::cli::runtime()?.block_on(async {
        let counterparties = Counterparties::open(&options.payment, sandbox).await?;
        let result = Runner::new(options, &counterparties)?.run().await;
        counterparties.close().await;
        result
    });
    if let Payment::Sandbox(ledger) = &options.payment {
        // The folder for play money's ledger, where none was begun. One that holds anything stays.
        let _ = ledger.file().parent().map(std::fs::remove_dir);
    }
    result
}

/// One run, with all that it works with.
struct Runner<'a> {
    options: Cow<'a, RunOptions>,
    counterparties: &'a Counterparties,
    reporter: Reporter,
    began: UnixMs,
    /// The batch's name, once those who listen have heard of it.
    started: OnceCell<String>,
    /// How the batch stood before, where the ledger had it.
    before: OnceCell<Counts>,
    /// What it leaves behind where it is refused before anything was accepted.
    traces: RefCell<Traces>,
}

/// What a run has made before anything was accepted.
#[derive(Debug, Default)]
struct Traces {
    /// The name of the batch, where it began with this run.
    begun: Option<String>,
    /// Folders for its files.
    folders: Made,
}

impl<'a> Runner<'a> {
    fn new(options: &'a RunOptions, counterparties: &'a Counterparties) -> Result<Self, Failure> {
        let reporter = Reporter::new(options.output)?;
        Ok(Self {
            options: Cow::Borrowed(options),
            counterparties,
            reporter,
            began: SystemClock.now(),
            started: OnceCell::new(),
            before: OnceCell::new(),
            traces: RefCell::default(),
        })
    }

    async fn run(mut self) -> Result<ExitCode, Failure> {
        for warning in &self.counterparties.warnings {
            self.reporter.warn(warning.clone());
        }
        let result = Box::pin(self.run_manifest()).await;
        if let (Err(failure), Some(name)) = (&result, self.started.get()) {
            tell_broken(&self.counterparties.ledger, name, failure, self.began(), &self.reporter);
        }
        self.leave_no_trace();
        // Whatever ended it, the screen is left in order before the error is told.
        self.reporter.end(result)
    }

    async fn run_manifest(&mut self) -> Result<ExitCode, Failure> {
        let last_catalog = self.counterparties.play.as_ref().map(|play| play.catalog.as_path());
        let mut manifest = match input::open(&self.options.manifest, last_catalog) {
            Ok(manifest) => manifest,
            Err(found) => return Err(self.finish_unread(Failure::Input(found)).await),
        };
        let play = self.counterparties.play.is_some();
        if let Some(name) =
            input::batch_of_results(&mut manifest, &self.options.manifest, &self.counterparties.ledger, play)?
        {
            return match self.options.buying.choice.dry_run {
                true => self.dry_run(&manifest, &name, true).await,
                false => Box::pin(self.run_results(&manifest, name)).await,
            };
        }
        let name = input::batch_name(&self.options.manifest, &manifest)?;
        if self.options.buying.choice.dry_run {
            return self.dry_run(&manifest, &name, false).await;
        }
        let place = self.place(&manifest, &name);
        let owner = manifest.path.display().to_string();
        let mut checked = None;
        if !self.counterparties.ledger.exists() {
            // What is wrong with a manifest or a command leaves no trace: not even an empty ledger.
            stop(&self.counterparties.ledger, None, None, place.as_ref())?;
            let planned = Planned::of(&manifest, &self.options.buying.limits, None)?;
            check_owner(None, &name, &self.options.buying.choice, &owner, false)?;
            let ground = Ground { manifest: &manifest, ledger: None, known: None, of_results: false };
            let found = self.preflight(&ground, planned)?;
            self.check_files((None, None), &name, &manifest)?;
            found.to.as_ref().map_or(Ok(()), |to| DownloadSetup::look(to, None))?;
            checked = Some(found);
        }
        let session = self.open(&name)?;
        let play = self.counterparties.play.is_some();
        check_owner(session.known.as_ref(), &name, &self.options.buying.choice, &owner, play)?;
        self.start(&name, session.known.is_none(), session.ledger.is_new());
        if let Err(failure) =
            stop(&self.counterparties.ledger, Some(&session.ledger), session.known.as_ref(), place.as_ref())
        {
            return Err(self.finish_open(session, failure).await);
        }
        let session = self.recover_first(session).await?;
        let checked = match checked.filter(|_| session.ledger.is_new()) {
            Some(checked) => checked,
            None => match Planned::of(&manifest, &self.options.buying.limits, None) {
                Ok(planned) => {
                    let (ledger, known) = (Some(&session.ledger), session.known.as_ref());
                    let ground = Ground { manifest: &manifest, ledger, known, of_results: false };
                    self.preflight(&ground, planned)?
                }
                Err(failure) => return Err(self.finish_open(session, failure).await),
            },
        };
        Box::pin(self.run_checked(session, &manifest, checked)).await
    }

    /// The ledger, with the batch's lock held.
    fn open(&self, name: &str) -> Result<Session, Failure> {
        let session = Session::open(&self.counterparties.ledger, name)?;
        match &session.known {
            // A run opens once.
            Some(batch) => drop(self.before.set(session.ledger.counts(batch.key)?)),
            None => self.traces.borrow_mut().begun = Some(name.to_owned()),
        }
        Ok(session)
    }

    /// Takes back what was made for purchases that were never accepted.
    fn leave_no_trace(&self) {
        let Traces { begun, folders } = self.traces.take();
        folders.remove();
        let Some(name) = begun else { return };
        // Where another process has the batch now, it is that one's.
        let Ok(session) = Session::open(&self.counterparties.ledger, &name) else { return };
        if let Err(failure) = session.discard_unaccepted() {
            self.reporter
                .warn(format!("the batch {name} was begun for nothing, and stays in the ledger: {}", failure.told()));
        }
    }

    /// From now on the batch, its files and its folders are meant to be there.
    fn accepted(&self) {
        self.traces.take();
    }

    /// Where the files of a manifest's batch go. Each run with play money has a ledger of its own, and replaces what the last left.
    fn place<'m>(&'m self, manifest: &'m Manifest, name: &'m str) -> Option<BatchFiles<'m>> {
        self.counterparties.play.is_none().then(|| BatchFiles { manifest, name, files: &self.options.buying.files })
    }

    /// When it would have begun if no question had waited for a person: from then on it has worked.
    fn began(&self) -> UnixMs {
        self.began.plus_ms(self.reporter.asked_ms())
    }

    fn check_files(
        &self,
        (ledger, known): (Option<&OpenLedger>, Option<&Batch>),
        name: &str,
        manifest: &Manifest,
    ) -> Result<OutputPaths, Failure> {
        let place = (&self.counterparties.ledger, self.counterparties.play.is_some());
        check_files(ledger, known, name, &self.options.buying.files, manifest, place)
    }

    fn start(&self, name: &str, new_batch: bool, new_ledger: bool) {
        self.reporter.hear(&Event::RunStarted {
            batch: name.to_owned(),
            ledger: self.counterparties.ledger.to_string(),
            new_batch,
            new_ledger,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        // Started once: a second start would say the same.
        let _ = self.started.set(name.to_owned());
    }

    /// One round of recovery: each open job is looked up, redeemed or polled once, and none is waited for.
    async fn recover_first(&self, session: Session) -> Result<Session, Failure> {
        match session.known.as_ref().map(|batch| batch.key) {
            None => Ok(session),
            Some(batch) => {
                let work = Work::OneRound(Some(batch));
                let (session, carried) =
                    self.run_batch(session, &settings(&self.options.buying.pace), work, None).await?;
                match carried.stopped {
                    None => Ok(session),
                    // Whoever stops a run does not want it to go on to the purchases.
                    Some(stopped) => Err(self.stopped(&session, stopped)),
                }
            }
        }
    }

    fn stopped(&self, session: &Session, stopped: Stopped) -> Failure {
        let rewritten = session
            .known
            .as_ref()
            .and_then(|batch| Files::remembered(&self.counterparties.ledger, batch))
            .map_or(Ok(Vec::new()), |mut files| files.rewrite());
        match rewritten {
            Ok(warnings) => {
                warnings.into_iter().for_each(|warning| self.reporter.warn(warning));
                Failure::Stopped(stopped)
            }
            Err(failure) => failure,
        }
    }

    async fn run_batch(
        &self,
        session: Session,
        settings: &Settings,
        work: Work,
        download_setup: Option<&DownloadSetup>,
    ) -> Result<(Session, BatchRun), Failure> {
        session
            .run_batch(
                self.counterparties,
                settings,
                self.options.buying.deadline,
                &self.reporter,
                work,
                download_setup,
            )
            .await
    }

    /// A manifest that cannot be read at all: what is open of its batch is finished, then its errors are told.
    async fn finish_unread(&self, failure: Failure) -> Failure {
        let session = match self.batch_of_unread() {
            Ok(Some(session)) => session,
            Ok(None) => return failure,
            Err(error) => return error,
        };
        self.finish_open(session, failure).await
    }

    fn batch_of_unread(&self) -> Result<Option<Session>, Failure> {
        if self.options.buying.choice.dry_run || !self.counterparties.ledger.exists() {
            return Ok(None);
        }
        let ledger = crate::ledger::open(&self.counterparties.ledger, OpenMode::Read)?;
        let name = match (&self.options.manifest.batch, &self.options.manifest.source) {
            (Some(name), _) => Some(name.clone()),
            (None, ManifestSource::Stdin(_)) => None,
            (None, ManifestSource::File(path, _)) => {
                let path = std::path::absolute(path)
                    .map_err(|error| CommandError::usage(path.display().to_string()).because(error))?;
                target::at_path(&ledger, &path)?.map(|batch| batch.name)
            }
        };
        drop(ledger);
        name.map(|name| Session::open(&self.counterparties.ledger, &name)).transpose()
    }

    /// Finishes what is open of a batch that cannot go on, and gives back why it cannot.
    async fn finish_open(&self, session: Session, failure: Failure) -> Failure {
        let Some(batch) = session.known.clone() else { return failure };
        // Receipts that know more than the ledger are evidence, and stay as they are.
        let files = check_receipts(&session.ledger, &batch).is_ok();
        let work = Work::Recover(Some(batch.key));
        match self.run_batch(session, &settings(&self.options.buying.pace), work, None).await {
            Err(error) => error,
            Ok(_) => {
                match Files::remembered(&self.counterparties.ledger, &batch)
                    .filter(|_| files)
                    .map(|mut files| files.rewrite())
                {
                    None | Some(Ok(_)) => failure,
                    Some(Err(error)) => error,
                }
            }
        }
    }

    async fn run_checked(
        &self,
        mut session: Session,
        manifest: &Manifest,
        checked: Preflight,
    ) -> Result<ExitCode, Failure> {
        let Preflight { plan, limits, retake, to, .. } = checked;
        let (plan, limits) = (&plan, &limits);
        let same_plan = match session.known {
            None => crate::cli::batch::session::same_plan(
                &session.ledger,
                &session.name,
                &manifest.path.display().to_string(),
                plan,
            )?,
            Some(_) => None,
        };
        let (ledger, known) = (Some(&session.ledger), session.known.as_ref());
        let paths = self.check_files((ledger, known), &session.name, manifest)?;
        let play = self.counterparties.play.is_some();
        let (download_setup, to) =
            match DownloadSetup::of_run(&self.options.buying.downloads, to, &session.ledger, play) {
                Ok(ready) => ready,
                // What is paid for does not wait for a folder.
                Err(failure) => return Err(self.finish_open(session, failure).await),
            };
        crate::cli::batch::session::tell_remarks(manifest, plan, &self.reporter);
        let (mut batch, load) =
            session.load(&self.options, manifest, plan, &retake, self.counterparties.play.is_some())?;
        let above_limit = session.hold_to_job_limit(batch.key, limits)?;
        let load = PlanLoad { above_limit, ..load };
        crate::cli::batch::session::load_words(&load).into_iter().for_each(|words| self.reporter.warn(words));
        if let Some(download_setup) = &download_setup {
            self.traces.borrow_mut().folders = download_setup.made();
        }
        let edition = edition(manifest, &self.time_zone(limits)?)?;
        let word = self.options.buying.choice.duplicates.or(manifest.duplicates);
        let (meant, stopped) = self.duplicates(&mut session, batch.key, Some(edition), word, same_plan).await?;
        crate::cli::batch::session::retaken_words(&load, &stopped.retaken)
            .into_iter()
            .for_each(|words| self.reporter.warn(words));
        batch.remembered.download = to.clone().or(batch.remembered.download);
        let elsewhere = elsewhere_words(manifest.notes().left_out);
        elsewhere.iter().for_each(|words| self.reporter.warn(words.as_str()));
        let left_out = LeftOut { stopped: stopped_words(&stopped), elsewhere, ..LeftOut::of(&load) };
        self.go_on(GoingOn {
            session,
            batch,
            paths,
            limits,
            download_setup,
            to,
            meant,
            nothing: false,
            changed: 0,
            left_out,
        })
        .await
    }

    /// What follows once the ledger holds what is to be bought: limits, node and person, the purchases, the end.
    async fn go_on(&self, on: GoingOn<'_>) -> Result<ExitCode, Failure> {
        let GoingOn {
            mut session,
            mut batch,
            paths,
            limits,
            download_setup,
            to,
            meant,
            nothing,
            changed,
            mut left_out,
        } = on;
        let used = money::used(&session.ledger.counts(batch.key)?)?;
        let budget = self.budget(limits, None)?;
        let room = Room::of(Some(&session.ledger), limits, &budget, used, self.options.buying.choice.partial)?;
        let choice = &self.options.buying.choice;
        let Chosen { left, fitting, meant, prices, .. } = match nothing {
            true => Chosen::of(choice, &room),
            false => questions::chosen(&session.ledger, batch.key, choice, meant, &room)?,
        };
        left_out.meant = u64::try_from(meant.len()).unwrap_or(u64::MAX);
        left_out.beyond_limits = fitting.reached.is_some();
        if meant.is_empty() {
            session.ledger.discard_duplicates(batch.key, SystemClock.now())?;
        }
        let counts = session.ledger.counts(batch.key)?;
        let changed = session.ledger.open_and_changed(batch.key)?.saturating_add(changed);
        let lacks_room = match &download_setup {
            Some(setup) => setup.lacking(&session.ledger, batch.key, left.jobs > 0)?.is_some(),
            None => false,
        };
        let buying = if lacks_room { Fitting::of_nothing().fits } else { left };
        self.reporter.hear(&planned(&Stand::of(&counts, changed), &counts, &buying, to.as_ref()));
        if let Some(words) = fitting.words(&left) {
            self.reporter.warn(words);
        }

        let begun = Begun { session: &mut session, batch: &mut batch, paths, meant: &meant };
        let Admitted { work, files, refused } = self.work(begun, limits, &counts, (&left, &fitting)).await?;
        let settings = Settings { prices, ..self.settings(limits, &batch)? };
        let following = files.map(|files| files.follow(self.reporter.changed())).transpose()?;
        let carried = self.run_batch(session, &settings, work, download_setup.as_ref()).await;
        let (mut session, carried) = match carried {
            Ok(carried) => carried,
            Err(error) => {
                // The files are made from the ledger: where that has failed, they only say the same once more.
                let _as_they_were = following.map(|following| following.finish(&self.reporter));
                return Err(error);
            }
        };
        self.explain(&mut session, &batch, &carried)?;
        let files_whole = following.map_or(Ok(true), |following| following.finish(&self.reporter))?;
        let carried = BatchRun { files_whole, ..carried };
        let untouched = left.jobs == 0 && stand(&counts, &OPEN).0 == 0 && (to.is_none() || to_download(&counts) == 0);
        self.end(&session, &batch, &carried, refused, untouched, left_out)
    }

    /// What the batch is carried on with: purchases, where limits, node and person admit them, else what is open alone.
    async fn work(
        &self,
        begun: Begun<'_>,
        limits: &Limits,
        counts: &Counts,
        to_buy: (&LeftToBuy, &Fitting),
    ) -> Result<Admitted, Failure> {
        let Begun { session, batch, paths, meant } = begun;
        if to_buy.0.jobs == 0 {
            let files = Some(self.files(session, batch, paths)?);
            return Ok(Admitted { work: Work::Recover(Some(batch.key)), files, refused: None });
        }
        match self.admit(limits, counts, to_buy).await {
            Ok((cap, node)) => {
                let files = Some(self.files(session, batch, paths)?);
                session.accept(batch, cap, meant)?;
                let (words, most) = (&self.options.buying.choice.trust, self.options.buying.pace.max_undelivered);
                trust::record(&mut session.ledger, batch, words, most, &self.reporter)?;
                Ok(Admitted { work: Work::Buy(batch.key, node), files, refused: None })
            }
            Err(failure) => {
                // Only the user's word buys something once more, and it was not given.
                session.ledger.discard_unaccepted(batch.key)?;
                session.ledger.discard_duplicates(batch.key, SystemClock.now())?;
                let mut files = Files::remembered(&self.counterparties.ledger, batch);
                if matches!(failure, Failure::Stopped(_)) {
                    files.as_mut().map_or(Ok(Vec::new()), Files::rewrite)?;
                    return Err(failure);
                }
                Ok(Admitted { work: Work::Recover(Some(batch.key)), files, refused: Some(failure) })
            }
        }
    }

    /// Results and receipts, from now on this batch's own: nothing keeps it from buying any more.
    fn files(&self, session: &mut Session, batch: &mut Batch, paths: OutputPaths) -> Result<Files, Failure> {
        if let Some(kept) = keep_unknown(&session.ledger, &paths[OutputKind::Receipts])? {
            self.reporter.warn(kept);
        }
        let mut files = session.files(batch, self.counterparties, paths)?;
        self.accepted();
        for words in files.rewrite()? {
            self.reporter.warn(tried_again(&words));
        }
        Ok(files)
    }

    /// Sets aside what is bought already under another name, tells of it, and says whether a person means it to be bought
    /// once more; if not, what is left out.
    async fn duplicates(
        &self,
        session: &mut Session,
        batch: BatchKey,
        edition: Option<String>,
        word: Option<Duplicates>,
        same_plan: Option<String>,
    ) -> Result<(bool, FoundDuplicates), Failure> {
        let found =
            session.set_duplicates_aside(batch, self.counterparties, edition, &self.options.buying.choice.only).await?;
        if found.count == 0 {
            return Ok((false, found));
        }
        self.reporter.warn(duplicate_words(&found));
        same_plan.into_iter().for_each(|words| self.reporter.warn(words));
        let meant = match word.unwrap_or(Duplicates::Ask) {
            Duplicates::Buy => true,
            Duplicates::Skip => false,
            Duplicates::Ask if self.options.buying.choice.yes => false,
            Duplicates::Ask => questions::means(&found, &self.reporter, &self.counterparties.signals).await?,
        };
        Ok((meant, if meant { FoundDuplicates::default() } else { found }))
    }

    /// What is still pending learns why, so that `status` can tell it.
    fn explain(&self, session: &mut Session, batch: &Batch, carried: &BatchRun) -> Result<(), Failure> {
        let (choice, outcome) = (&self.options.buying.choice, &carried.outcome);
        let chosen = choice.limit.is_some() || !choice.only.is_empty();
        for held in &outcome.held_back {
            session.ledger.explain_jobs(&held.jobs, held.reason, &held.words)?;
            let endpoint = match &held.whose {
                Whose::AllOfEndpoint(name) => Some(name.as_str()),
                Whose::AllPending => None,
                Whose::Named => continue,
            };
            if !chosen {
                session.ledger.explain_pending(batch.key, endpoint, held.reason, &held.words)?;
            }
        }
        if chosen {
            return Ok(());
        }
        if let Some((reason, words)) = &outcome.limit_reached {
            session.ledger.explain_pending(batch.key, None, *reason, words)?;
        }
        if let Some(cause) = &outcome.node_unusable {
            session.ledger.explain_pending(batch.key, None, Reason::NodeUnusable, cause)?;
        }
        Ok(())
    }

    fn end(
        &self,
        session: &Session,
        batch: &Batch,
        carried: &BatchRun,
        refused: Option<Failure>,
        untouched: bool,
        left_out: LeftOut,
    ) -> Result<ExitCode, Failure> {
        let choice = &self.options.buying.choice;
        // As its manifest said them last.
        let manifest = &session.ledger.limits(batch.key)?;
        let elsewhere = self.options.buying.limits.without_flags(manifest);
        let ending = Ending {
            batch,
            carried,
            refused: refused.as_ref(),
            is_stopped: false,
            began: self.began(),
            ended: Ended::Run(Bought {
                chosen: choice.limit.is_some() || !choice.only.is_empty(),
                partial: choice.partial,
                most: self.options.buying.limits.with_manifest(manifest).max_sats,
                elsewhere: elsewhere.max_sats,
                periods_elsewhere: (elsewhere.max_sats_per_day, elsewhere.max_sats_per_month),
            }),
            before: self.before.get(),
            left_out,
        };
        let code = tell(&session.ledger, &ending, &self.reporter)?;
        if let Some(failure) = refused {
            failure.report();
        } else if untouched && code == ExitCode::Done {
            let counts = session.ledger.counts(batch.key)?;
            let here = counts.jobs(JobState::Delivered) + counts.jobs(JobState::Downloaded);
            let gone = counts.by_state.iter().filter(|count| count.reason == Reason::Withdrawn).map(|count| count.jobs);
            let all = here > 0 && here + gone.sum::<u64>() == counts.all_jobs();
            let how = if all { "everything is delivered" } else { "all is at its end, and not all of it is delivered" };
            self.reporter.say(&format!("{how}: there was nothing to do\n"));
        }
        if self.counterparties.play.is_some() {
            self.reporter.say(&format!(
                "\nplay money: the stand-in API has ended, and its URLs with it (the command `sandbox` keeps one \
                 running); the ledger stays at {}\n",
                self.counterparties.ledger
            ));
        }
        Ok(code)
    }

    /// Limits, node, balance and the person: all must agree before anything is bought.
    async fn admit(
        &self,
        limits: &Limits,
        counts: &Counts,
        to_buy: (&LeftToBuy, &Fitting),
    ) -> Result<(Msat, NodeInfo), Failure> {
        let used = money::used(counts)?;
        let (cap, ready) = self.ready(limits, used, to_buy).await?;
        questions::confirm(&self.options, limits, to_buy, self.counterparties, &self.reporter).await?;
        Ok((cap, ready.node))
    }

    fn time_zone(&self, limits: &Limits) -> Result<jiff::tz::TimeZone, Failure> {
        input::time_zone(limits, &self.options.buying.system_time_zone)
    }

    /// What may be spent, with that bound of the batch.
    fn budget(&self, limits: &Limits, batch: Option<Msat>) -> Result<Budget, Failure> {
        Ok(Budget {
            batch,
            day: limits.max_sats_per_day.map(questions::in_msat).transpose()?,
            month: limits.max_sats_per_month.map(questions::in_msat).transpose()?,
            time_zone: self.time_zone(limits)?,
        })
    }

    fn settings(&self, limits: &Limits, batch: &Batch) -> Result<Settings, Failure> {
        let choice = &self.options.buying.choice;
        Ok(Settings {
            only: (!choice.only.is_empty()).then(|| choice.only.iter().cloned().collect()),
            limit: choice.limit,
            is_play: self.counterparties.play.is_some(),
            budget: self.budget(limits, batch.remembered.accepted)?,
            ..settings(&self.options.buying.pace)
        })
    }
}

/// A run whose jobs are in the ledger.
struct GoingOn<'a> {
    session: Session,
    batch: Batch,
    /// Where results and receipts go.
    paths: OutputPaths,
    limits: &'a Limits,
    download_setup: Option<DownloadSetup>,
    to: Option<DownloadTo>,
    /// A person means the duplicates to be bought.
    meant: bool,
    /// Nothing was chosen: what is open is finished, and that is all.
    nothing: bool,
    /// Delivered jobs of which a results file says something else.
    changed: u64,
    /// What it does not do of what was asked.
    left_out: LeftOut,
}

/// What a run has opened and not yet been admitted to.
struct Begun<'a> {
    session: &'a mut Session,
    batch: &'a mut Batch,
    /// Where results and receipts go.
    paths: OutputPaths,
    /// Duplicates that a person means to be bought.
    meant: &'a [String],
}

/// What a run does with its batch.
struct Admitted {
    work: Work,
    files: Option<Files>,
    /// Why it buys nothing, where it was to buy.
    refused: Option<Failure>,
}
