//! `run`: recovery first, then the plan, the limits and the questions, then new purchases.

mod dry_run;
mod preflight;
mod results;
mod saved;
mod stand;
mod taking;

use crate::cli::batch::counterparties::{Counterparties, SandboxOptions};
use crate::cli::batch::download_setup::{DownloadSetup, Made, destination};
use crate::cli::batch::files::Files;
use crate::cli::batch::receipt_guard::{BatchFiles, check as check_receipts, stop};
use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::run_batch::{BatchRun, Work, settings};
use crate::cli::batch::session::{self, Session, check_files, check_owner};
use crate::cli::batch::{contact_sheet, picked};
use crate::cli::ending::advice::Ended;
use crate::cli::ending::conclusion::{Ending, tell, tell_broken};
use crate::cli::ending::limits::Bought;
use crate::cli::preflight::duplicates::{edition, stopped_words};
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::questions::{self, Answered};
use crate::cli::preflight::words::{LeftOut, elsewhere_words};
use crate::cli::secrets;
use preflight::Preflight;
use saved::Saved;
use stand::{Stand, planned};
use taking::{Accepted, Taken, TakenIn, ToTake, Tried, What};

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;

use crate::event::{Event, Listener};
use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, Counts, OpenLedger, OpenMode};
use crate::manifest::{Limits, Manifest};
use crate::money::Msat;
use crate::plan::Policy;
use crate::plan::view::LeftToBuy;
use crate::purchase::{JobState, Reason};
use crate::report::{ContactFolder, OutputPaths};
use crate::run::signals::Stopped;
use crate::run::{Budget, Clock, Settings, SystemClock, Whose};
use crate::time::UnixMs;

use crate::cli::money::Fitting;
use crate::cli::options::config::{ManifestSource, Payment, RunOptions};
use crate::cli::{CommandError, ExitCode, Failure, input, money, target, terminal};

/// So often what there is to buy is counted anew where another command has changed it meanwhile.
const ROUNDS_MAX: u32 = 3;
const OVERTAKEN: &str =
    "what there is to buy is no longer what was counted, as another command has changed this ledger meanwhile";

/// Runs a batch.
pub(in crate::cli) fn execute(options: &RunOptions, sandbox: &SandboxOptions) -> Result<ExitCode, Failure> {
    if matches!(options.payment, Payment::Node(..)) && *sandbox != SandboxOptions::default() {
        return Err(CommandError::usage("the --sandbox-… flags go with --sandbox").into());
    }
    let (of_saved, saved) = saved::open(options)?.unzip();
    let options = of_saved.as_ref().unwrap_or(options);
    let result = crate::cli::runtime()?.block_on(async {
        let counterparties = Counterparties::open(&options.payment, sandbox).await?;
        let counterparties = counterparties.bearing(&options.buying.limits.all().tables);
        let result = Runner::new((options, saved.as_ref()), &counterparties)?.run().await;
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
    /// The saved plan that says what is bought, where one does.
    saved: Option<&'a Saved>,
    counterparties: &'a Counterparties,
    reporter: Reporter,
    began: UnixMs,
    /// The batch's name, once those who listen have heard of it.
    started: OnceCell<String>,
    /// Where a contact sheet is written at its end.
    sheet: OnceCell<ContactFolder>,
    /// How the batch stood before, where the ledger had it.
    before: OnceCell<Counts>,
    /// What it leaves behind where it is refused before anything was accepted.
    traces: RefCell<Traces>,
}

/// What a run has made before anything was accepted.
#[derive(Debug, Default)]
struct Traces {
    /// The name of the batch whose lock it has made, where there was no such batch.
    locked: Option<String>,
    /// Folders for its files.
    folders: Made,
}

impl<'a> Runner<'a> {
    fn new(
        (options, saved): (&'a RunOptions, Option<&'a Saved>),
        counterparties: &'a Counterparties,
    ) -> Result<Self, Failure> {
        let reporter = Reporter::new(options.output)?;
        Ok(Self {
            options: Cow::Borrowed(options),
            saved,
            counterparties,
            reporter,
            began: SystemClock.now(),
            started: OnceCell::new(),
            sheet: OnceCell::new(),
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
        self.write_contact_sheet();
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
            let planned = self.planned(&manifest, None)?;
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
        let mut checked = match checked.filter(|_| session.ledger.is_new() && session.known.is_none()) {
            Some(checked) => checked,
            None => match self.planned(&manifest, None) {
                Ok(planned) => {
                    let (ledger, known) = (Some(&session.ledger), session.known.as_ref());
                    let ground = Ground { manifest: &manifest, ledger, known, of_results: false };
                    self.preflight(&ground, planned)?
                }
                Err(failure) => return Err(self.finish_open(session, failure).await),
            },
        };
        self.choose(std::mem::take(&mut checked.only));
        Box::pin(self.run_checked(session, &manifest, checked)).await
    }

    /// The ledger, with the batch's lock held.
    fn open(&self, name: &str) -> Result<Session, Failure> {
        let session = Session::open(&self.counterparties.ledger, name)?;
        match &session.known {
            // A run opens once.
            Some(batch) => drop(self.before.set(session.ledger.counts(batch.key)?)),
            None => self.traces.borrow_mut().locked = Some(name.to_owned()),
        }
        Ok(session)
    }

    /// Takes back what was made for purchases that were never accepted.
    fn leave_no_trace(&self) {
        let Traces { locked, folders } = self.traces.take();
        folders.remove();
        // Where another process has the batch now, it is that one's.
        if let Some(Ok(session)) = locked.map(|name| Session::open(&self.counterparties.ledger, &name)) {
            session.leave_no_trace();
        }
    }

    /// From now on these ids alone are chosen, where any are.
    fn choose(&mut self, only: Vec<String>) {
        self.options.to_mut().buying.choice.only = only;
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
        self.check_sheet(ledger, name)?;
        let place = (&self.counterparties.ledger, self.counterparties.play.is_some());
        let paths = check_files(ledger, known, name, &self.options.buying.files, manifest, place)?;
        self.keep_sheet_apart(&paths, known)?;
        Ok(paths)
    }

    /// Refuses a contact sheet in the place of what the run writes, or of what it downloads.
    fn keep_sheet_apart(&self, paths: &OutputPaths, known: Option<&Batch>) -> Result<(), Failure> {
        let Some(folder) = &self.options.report else { return Ok(()) };
        let before = known.and_then(|known| known.remembered.download.as_ref());
        let download = destination(&self.options.buying.downloads, before)?.map(|to| PathBuf::from(to.folder));
        contact_sheet::keep_apart(folder, paths.iter().map(|(_, path)| path.as_path()).chain(download.as_deref()))
    }

    /// Where a contact sheet goes, checked before anything is spent.
    fn check_sheet(&self, ledger: Option<&OpenLedger>, name: &str) -> Result<(), Failure> {
        if let Some(path) = &self.options.report {
            let overwrite = self.options.buying.files.overwrite;
            let play = self.counterparties.play.is_some();
            let folder = contact_sheet::folder(path, (ledger, play), name, overwrite)?;
            if !self.options.buying.choice.dry_run {
                // The same one is found each time.
                let _ = self.sheet.set(folder);
            }
        }
        Ok(())
    }

    /// However the run has ended, the sheet shows what there is by then. One that cannot be written ends nothing.
    fn write_contact_sheet(&self) {
        let (Some(folder), Some(name)) = (self.sheet.get(), self.started.get()) else { return };
        let written = || {
            let ledger = crate::ledger::open(&self.counterparties.ledger, OpenMode::Read)?;
            let batch = ledger.batch(name)?;
            batch.map(|batch| contact_sheet::write(folder, &ledger, &batch)).transpose()
        };
        match written() {
            Ok(Some(words)) => self.reporter.say(&format!("contact sheet: {words}\n")),
            Ok(None) => {}
            // The last event has been told.
            Err(failure) => terminal::say(&format!("warning: {failure}; `report` writes it later\n")),
        }
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
        let deadline = self.options.buying.deadline;
        Box::pin(session.run_batch(self.counterparties, settings, deadline, &self.reporter, work, download_setup)).await
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
        session: Session,
        manifest: &Manifest,
        checked: Preflight,
    ) -> Result<ExitCode, Failure> {
        let Preflight { plan, limits, retake, to, .. } = checked;
        let (plan, limits) = (&plan, &limits);
        let same_plan = match session.known {
            None => session::same_plan(&session.ledger, &session.name, &manifest.path.display().to_string(), plan)?,
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
        session::tell_remarks(manifest, plan, &self.reporter);
        if let Some(download_setup) = &download_setup {
            self.traces.borrow_mut().folders = download_setup.made();
        }
        let edition = edition(manifest, &self.time_zone(limits)?)?;
        let of = ToTake {
            what: What::Plan { manifest, plan, retake: &retake, edition },
            limits,
            paths,
            download_setup,
            to,
            duplicates: self.options.buying.choice.duplicates.or(manifest.duplicates),
            same_plan,
        };
        Box::pin(self.go_on(GoingOn { session, of, changed: 0, left_out: LeftOut::default() })).await
    }

    /// Rehearses it, tells what it comes to, and takes it in where limits, node and person admit it; anew where another command has changed
    /// what it comes to meanwhile.
    async fn agree(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        (changed, left_out): (u64, &LeftOut),
    ) -> Result<(Tried, LeftOut, Admitted), Failure> {
        let mut ahead = self.ask_ahead(of).await;
        let mut rounds = 1;
        loop {
            let (tried, taken_in) =
                self.rehearse(session, of, ahead.as_ref().and_then(|said| said.as_ref().ok())).await?;
            let left_out = self.tell(of, &tried, (changed, left_out.clone()));
            let admitted = match taken_in {
                Some(taken_in) => Some(self.go_ahead(of, taken_in)),
                // What it said before a person was asked may be out of date.
                None => self.work(session, of, &tried, ahead.take().filter(|_| !tried.has_duplicates())).await?,
            };
            let admitted = match admitted {
                Some(admitted) => admitted,
                None if rounds < ROUNDS_MAX => {
                    rounds += 1;
                    self.reporter.warn(format!("{OVERTAKEN}: it is counted anew"));
                    continue;
                }
                None => {
                    let overtaken =
                        CommandError::overtaken(format!("{OVERTAKEN}, again and again; nothing was bought"));
                    self.refuse(session, &tried, overtaken.into())?
                }
            };
            return Ok((tried, left_out, admitted));
        }
    }

    /// What the node says, asked before what is to be bought is written, where something may be and nobody is to be asked about it.
    async fn ask_ahead(&self, of: &ToTake<'_>) -> Option<Result<Answered, Failure>> {
        let buys = self.before.get().is_none_or(|before| before.jobs(JobState::Pending) > 0)
            && !of.what.is_nothing(&self.options.buying.choice.only);
        let asks_nobody = matches!(questions::is_to_be_asked(&self.options, of.limits, self.counterparties), Ok(false));
        match buys && asks_nobody {
            true => Some(questions::ask_node(self.counterparties).await),
            false => None,
        }
    }

    /// What follows once it is known what may be bought: what is, limits, node and person, the purchases, the end.
    async fn go_on(&self, on: GoingOn<'_>) -> Result<ExitCode, Failure> {
        let GoingOn { mut session, of, changed, left_out } = on;
        let (tried, left_out, admitted) = Box::pin(self.agree(&mut session, &of, (changed, &left_out))).await?;
        let Admitted { batch, work, files, refused } = admitted;
        let before = session.known.as_ref().map(|batch| session.ledger.counts(batch.key)).transpose()?;
        let settings = Settings { prices: tried.taken.prices.clone(), ..self.settings(of.limits, &batch)? };
        let (mut session, carried) = match work {
            Some(work) => {
                self.carry_out((session, &batch), &settings, (work, files), of.download_setup.as_ref()).await?
            }
            // It has not begun: nothing is open.
            None => (session, BatchRun { budget: settings.budget, files_whole: true, ..BatchRun::default() }),
        };
        let has_nothing = of.has_nothing_to_do(&tried.taken);
        let would = match (&refused, before) {
            (None, _) => None,
            // What was open may have come further.
            (Some(_), Some(before)) if session.ledger.counts(batch.key)? != before => {
                self.refused_by_now(&mut session, &of, tried)?
            }
            (Some(_), _) => tried.refused,
        };
        let limits = of.limits_of_manifest(&session.ledger)?;
        let ending = Ending {
            batch: &batch,
            carried: &carried,
            refused: refused.as_ref(),
            would: would.as_ref(),
            is_stopped: false,
            began: self.began(),
            ended: self.ended(&limits),
            before: self.before.get(),
            left_out,
            sum_by: self.options.sum_by.as_ref(),
        };
        let code = tell(&session.ledger, &ending, &self.reporter)?;
        if let Some(failure) = refused {
            failure.report();
        } else if has_nothing && code == ExitCode::Done {
            self.say_all_is_done(&session.ledger.counts(batch.key)?);
        }
        self.say_where_play_money_stays();
        Ok(code)
    }

    /// Tells what is to be bought and how the batch stands, with so many delivered jobs of which a results file says something else; gives
    /// what the run leaves out of what was asked.
    fn tell(&self, of: &ToTake<'_>, tried: &Tried, (changed, left_out): (u64, LeftOut)) -> LeftOut {
        let Taken { load, left, fitting, short_origins, meant, counts, open_and_changed, lacks_room, .. } =
            &tried.taken;
        let mut left_out = match of.what {
            What::Rows { .. } => left_out,
            What::Plan { manifest, .. } => {
                let stopped = &tried.left_out;
                let elsewhere = elsewhere_words(manifest.notes().left_out);
                let retaken = session::retaken_words(load, &stopped.retaken);
                retaken.iter().chain(&elsewhere).for_each(|words| self.reporter.warn(words.as_str()));
                LeftOut { stopped: stopped_words(stopped), elsewhere, ..LeftOut::of(load) }
            }
        };
        left_out.meant = u64::try_from(meant.len()).unwrap_or(u64::MAX);
        left_out.beyond_limits = fitting.is_partial();
        let changed = open_and_changed.saturating_add(changed);
        let buying = if *lacks_room { Fitting::of_nothing().fits } else { *left };
        self.reporter.hear(&planned(&Stand::of(counts, changed), counts, &buying, of.to.as_ref()));
        if let Some(words) = fitting.words(left) {
            self.reporter.warn(words);
        }
        short_origins.iter().for_each(|short| self.reporter.warn(short.words.as_str()));
        left_out
    }

    fn say_where_play_money_stays(&self) {
        if self.counterparties.play.is_some() {
            self.reporter.say(&format!(
                "\nplay money: the stand-in API has ended, and its URLs with it (the command `sandbox` keeps one \
                 running); the ledger stays at {}\n",
                self.counterparties.ledger
            ));
        }
    }

    /// Carries it out, and the batch's files follow it.
    async fn carry_out(
        &self,
        (session, batch): (Session, &Batch),
        settings: &Settings,
        (work, files): (Work, Option<Files>),
        download_setup: Option<&DownloadSetup>,
    ) -> Result<(Session, BatchRun), Failure> {
        let sidecars = self.options.buying.downloads.sidecars;
        let files = files.map(|files| files.with_sidecars(sidecars));
        let following = files.map(|files| files.follow(&self.reporter)).transpose()?;
        match self.run_batch(session, settings, work, download_setup).await {
            Ok((mut session, carried)) => {
                self.explain(&mut session, batch, &carried)?;
                picked::keep(&session.ledger, &batch.name).into_iter().for_each(|words| self.reporter.warn(words));
                let files_whole = following.map_or(Ok(true), |following| following.finish(&self.reporter))?;
                Ok((session, BatchRun { files_whole, ..carried }))
            }
            Err(error) => {
                // The files are made from the ledger: where that has failed, they only say the same once more.
                let _as_they_were = following.map(|following| following.finish(&self.reporter));
                Err(error)
            }
        }
    }

    /// What the batch is carried on with: purchases, where limits, node and person admit them, else what is open alone. None where by then
    /// something else is to be bought than they have admitted.
    async fn work(
        &self,
        session: &mut Session,
        of: &ToTake<'_>,
        tried: &Tried,
        answered: Option<Result<Answered, Failure>>,
    ) -> Result<Option<Admitted>, Failure> {
        let Taken { left, fitting, counts, .. } = &tried.taken;
        let accepted = match left.jobs {
            0 => Ok(Accepted::Nothing),
            _ => self.admit(of.limits, counts, (left, fitting), answered).await,
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(failure) => return self.refuse(session, tried, failure).map(Some),
        };
        match self.take_in(session, of, tried, accepted) {
            Ok(Some(taken_in)) => Ok(Some(self.begin(of, taken_in))),
            Ok(None) => Ok(None),
            // The manifest is another by now.
            Err(failure @ Failure::Input(_)) => self.refuse(session, tried, failure).map(Some),
            Err(failure) => Err(failure),
        }
    }

    /// The same of what was taken in as it was found.
    fn go_ahead(&self, of: &ToTake<'_>, taken_in: TakenIn) -> Admitted {
        match &taken_in.accepted {
            Accepted::Nothing => {}
            Accepted::Purchases(_, ready) => ready.tell(&self.reporter),
        }
        self.begin(of, taken_in)
    }

    /// What a run does that is refused: what is open of a batch that there is goes on, and the ledger takes nothing in.
    fn refuse(&self, session: &Session, tried: &Tried, failure: Failure) -> Result<Admitted, Failure> {
        let known = session.known.clone();
        let mut files = known.as_ref().and_then(|batch| Files::remembered(&self.counterparties.ledger, batch));
        if matches!(failure, Failure::Stopped(_)) {
            files.as_mut().map_or(Ok(Vec::new()), Files::rewrite)?;
            return Err(failure);
        }
        let work = known.as_ref().map(|batch| Work::Recover(Some(batch.key)));
        let batch = known.unwrap_or_else(|| tried.taken.batch.clone());
        Ok(Admitted { batch, work, files, refused: Some(failure) })
    }

    /// Plans the manifest, or what a results file of that batch chooses, and reads the secrets that go with its requests.
    fn planned<'m>(
        &self,
        manifest: &'m Manifest,
        of_results: Option<(&'m OpenLedger, &Batch)>,
    ) -> Result<Planned<'m>, Failure> {
        let planned = Planned::of(manifest, &self.options.buying.limits, of_results)?;
        secrets::read_all(planned.plan.endpoints(), self.counterparties.origin.secrets())?;
        Ok(planned)
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

    /// What has ended: a run of a batch whose manifest has these limits.
    fn ended(&self, manifest: &Limits) -> Ended {
        let choice = &self.options.buying.choice;
        let elsewhere = self.options.buying.limits.without_flags(manifest);
        Ended::Run(Bought {
            chosen: choice.limit.is_some() || !choice.only.is_empty(),
            partial: choice.partial,
            most: self.options.buying.limits.with_manifest(manifest).max_sats,
            elsewhere: elsewhere.max_sats,
            periods_elsewhere: (elsewhere.max_sats_per_day, elsewhere.max_sats_per_month),
        })
    }

    /// That there was nothing to do, of a batch that stands so.
    fn say_all_is_done(&self, counts: &Counts) {
        let here = counts.jobs(JobState::Delivered) + counts.jobs(JobState::Downloaded);
        let gone = counts.by_state.iter().filter(|count| count.reason == Reason::Withdrawn).map(|count| count.jobs);
        let all = here > 0 && here + gone.sum::<u64>() == counts.all_jobs();
        let how = if all { "everything is delivered" } else { "all is at its end, and not all of it is delivered" };
        self.reporter.say(&format!("{how}: there was nothing to do\n"));
    }

    /// Limits, node, balance and the person: all must agree before anything is bought.
    async fn admit(
        &self,
        limits: &Limits,
        counts: &Counts,
        to_buy: (&LeftToBuy, &Fitting),
        answered: Option<Result<Answered, Failure>>,
    ) -> Result<Accepted, Failure> {
        let used = money::used(counts)?;
        let (cap, ready) = self.ready(limits, used, to_buy, answered).await?;
        questions::confirm(&self.options, limits, to_buy, self.counterparties, &self.reporter).await?;
        Ok(Accepted::Purchases(cap, ready))
    }

    fn time_zone(&self, limits: &Limits) -> Result<jiff::tz::TimeZone, Failure> {
        input::time_zone(limits, &self.options.buying.system_time_zone)
    }

    /// What may be spent, with that bound of the batch.
    fn budget(&self, limits: &Limits, batch: Option<Msat>) -> Result<Budget, Failure> {
        let (choice, is_play) = (&self.options.buying.choice, self.counterparties.play.is_some());
        let is_unattended = questions::is_unattended(choice, self.options.saved_plan.is_some(), is_play);
        money::budget(limits, batch, self.time_zone(limits)?, is_unattended)
    }

    fn settings(&self, limits: &Limits, batch: &Batch) -> Result<Settings, Failure> {
        let choice = &self.options.buying.choice;
        Ok(Settings {
            only: (!choice.only.is_empty()).then(|| choice.only.iter().cloned().collect()),
            limit: choice.limit,
            exact_price: choice.exact_price,
            fees: Policy::from_limits(limits)?,
            is_play: self.counterparties.play.is_some(),
            budget: self.budget(limits, batch.remembered.accepted)?,
            ..settings(&self.options.buying.pace)
        })
    }
}

/// A run that knows what it may buy.
struct GoingOn<'a> {
    session: Session,
    of: ToTake<'a>,
    /// Delivered jobs of which a results file says something else.
    changed: u64,
    /// What it does not do of what a results file asked for.
    left_out: LeftOut,
}

/// What a run does with its batch.
struct Admitted {
    batch: Batch,
    /// None of a batch that does not begin.
    work: Option<Work>,
    files: Option<Files>,
    /// Why it buys nothing, where it was to buy.
    refused: Option<Failure>,
}
