//! A batch in hand: its ledger open, its lock held, its plan written into it.

use std::path::{Path, PathBuf};

use crate::cli::options::config::{self, Choice};
use crate::cli::{CommandError, Failure, input};
use crate::command::command;
use crate::l402::Network;
use crate::ledger::port::{Batches, HeldLock, LoadedPlans, Loading, Locks};
use crate::ledger::{
    Batch, BatchKey, BatchStart, ByKind, Compared, DownloadTo, Duplicates, IdList, Layout, LedgerAddress, LoadError,
    LockHere, NewBatch, OpenLedger, OpenMode, OutputFile, PlanLoad, Remembered, Retake, files_of,
};
use crate::manifest::{Limits, Manifest, rows_file_of};
use crate::money::{Msat, counted};
use crate::plan::Plan;
use crate::report::{OutputPaths, default_paths, named_paths};
use crate::run::{Clock, Settings, SystemClock};
use crate::time::UnixMs;

use crate::cli::batch::counterparties::Counterparties;
use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::batch::files;
use crate::cli::batch::files::{Owner, absolute};
use crate::cli::batch::reporter::Reporter;
use crate::cli::batch::run_batch::{BatchRun, How, Work, run_batch};
use crate::cli::preflight::planned::UNPROVED;
use crate::cli::preflight::questions::in_msat;
use crate::cli::preflight::words;

/// Ids that a message names.
const NAMED_MAX: usize = 5;

/// The ledger, and the right to run one batch of it.
pub(in crate::cli) struct Session {
    /// The ledger.
    pub(in crate::cli) ledger: OpenLedger,
    /// The batch's name.
    pub(in crate::cli) name: String,
    /// The batch, where the ledger knows it.
    pub(in crate::cli) known: Option<Batch>,
    lock: LockHere,
}

impl Session {
    /// Opens the ledger and takes the batch's lock.
    pub(in crate::cli) fn open(ledger: &LedgerAddress, name: &str) -> Result<Self, Failure> {
        let ledger = crate::ledger::open(ledger, OpenMode::Write)?;
        let lock = lock(&ledger, name)?;
        let known = ledger.batch(name)?;
        Ok(Self { ledger, name: name.to_owned(), known, lock })
    }

    /// Gives the lock back; its file goes with it where there is no such batch.
    pub(in crate::cli) fn leave_no_trace(self) {
        if self.known.is_none() {
            self.lock.remove();
        }
    }

    /// Carries work out on this batch's ledger.
    pub(in crate::cli) async fn run_batch(
        self,
        counterparties: &Counterparties,
        settings: &Settings,
        deadline: Option<UnixMs>,
        reporter: &Reporter,
        work: Work,
        download_setup: Option<&DownloadSetup>,
    ) -> Result<(Self, BatchRun), Failure> {
        let how = How { counterparties, settings, deadline, reporter, download_setup };
        let batch = work.batch();
        let (mut ledger, carried) = run_batch(self.ledger, &how, work).await?;
        let now = SystemClock.now();
        // What was delivered, or has come to its end without, decides what the endpoints of all batches get from now on.
        ledger.explain_held_anew(now, settings.max_undelivered)?;
        ledger.mark_changed(batch, now)?;
        Ok((Self { ledger, ..self }, carried))
    }

    /// Remembers where files go, for the commands that are not told.
    pub(in crate::cli) fn remember_download(&mut self, batch: &Batch, to: &DownloadTo) -> Result<(), Failure> {
        let remembered = Remembered { download: Some(to.clone()), ..batch.remembered.clone() };
        Ok(self.ledger.remember(batch.key, &remembered)?)
    }
}

/// Begins the batch of that name or finds it again, and writes the resolved jobs into it: from now on they alone count.
pub(in crate::cli) fn load(
    ledger: &mut OpenLedger,
    name: &str,
    (adopt, sandbox): (bool, bool),
    (manifest, plan): (&Manifest, &Plan),
    retake: &Retake,
) -> Result<(Batch, PlanLoad), Failure> {
    let new = NewBatch { name: name.to_owned(), manifest: manifest.path.display().to_string(), sandbox, adopt };
    let mut batch = match ledger.begin_batch(SystemClock.now(), &new)? {
        BatchStart::New(batch) | BatchStart::Existing(batch) => batch,
        BatchStart::OtherManifest { known, given } => {
            let batch = ledger.batch(name)?;
            let begun = batch.map_or(format!("was begun from {known}"), |batch| batch.origin_words().into_owned());
            return Err(other_manifest(name, &begun, &given));
        }
        BatchStart::OtherMoney { known_is_sandbox } => {
            return Err(other_money(known_is_sandbox));
        }
    };
    let (load, extra) = load_jobs(ledger, batch.key, (manifest, plan), retake)?;
    batch.remembered.fingerprint = Some(plan.fingerprint().to_owned());
    batch.remembered.layout = layout(&batch.remembered.layout, manifest, plan, extra);
    ledger.remember(batch.key, &batch.remembered)?;
    ledger.remember_limits(batch.key, &manifest.limits)?;
    Ok((batch, load))
}

/// Writes the jobs of a plan, and gives the names of their `x_*` that were met.
fn load_jobs(
    ledger: &mut OpenLedger,
    batch: BatchKey,
    (manifest, plan): (&Manifest, &Plan),
    retake: &Retake,
) -> Result<(PlanLoad, Vec<String>), Failure> {
    let (now, digest) = (SystemClock.now(), plan.digest(manifest));
    if let Some(digest) = digest.filter(|_| retake.is_none())
        && let Some(load) = ledger.load_again(batch, now, digest, plan.jobs(manifest)).map_err(unloaded)?
    {
        return Ok((load, Vec::new()));
    }
    let mut extra = Vec::new();
    let jobs = plan.jobs(manifest).inspect(|job| {
        for (name, _) in job.iter().flat_map(|job| &job.extra) {
            if !extra.contains(name) {
                extra.push(name.clone());
            }
        }
    });
    let load = ledger.load_plan(batch, now, retake, jobs).map_err(unloaded)?;
    digest.map_or(Ok(()), |digest| ledger.note_loaded(batch, digest))?;
    Ok((load, extra))
}

/// Refuses what costs more than one job may.
pub(in crate::cli) fn hold_to_job_limit(
    ledger: &mut OpenLedger,
    batch: BatchKey,
    limits: &Limits,
) -> Result<IdList, Failure> {
    let most = limits.max_sats_per_job.map(in_msat).transpose()?;
    Ok(ledger.hold_to_job_limit(batch, SystemClock.now(), most)?)
}

/// Sets aside what is bought already under another name; of that network alone, where it is known.
pub(in crate::cli) fn set_duplicates_aside(
    ledger: &mut OpenLedger,
    batch: BatchKey,
    (edition, only): (Option<String>, &[String]),
    network: Option<Network>,
) -> Result<Duplicates, Failure> {
    let anywhere = Compared { edition, network: None, only };
    let found = ledger.set_duplicates_aside(batch, SystemClock.now(), &anywhere)?;
    if network.is_none() || found.count == 0 {
        return Ok(found);
    }
    let here = Compared { network, ..anywhere };
    Ok(ledger.set_duplicates_aside(batch, SystemClock.now(), &here)?)
}

/// Remembers that results and receipts at these paths are from now on this batch's own, and, where a purchase was accepted, its bound
/// and that these duplicates are bought too; no others are.
pub(in crate::cli) fn accept(
    ledger: &mut OpenLedger,
    batch: &mut Batch,
    paths: &OutputPaths,
    accepted: Option<(Msat, &[String])>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    batch.remembered.outputs.files =
        ByKind::of(|kind| OutputFile { path: Some(absolute(&paths[kind])), written: true });
    if let Some((cap, meant)) = accepted {
        batch.remembered.accepted = Some(cap);
        ledger.accept_takes(now, batch.key)?;
        if !meant.is_empty() {
            ledger.mean_duplicates(batch.key, now, meant)?;
            ledger.discard_duplicates(batch.key, now)?;
        }
    }
    Ok(ledger.remember(batch.key, &batch.remembered)?)
}

/// Refuses what cannot go on: another manifest under this name, or the other kind of money.
pub(in crate::cli) fn check_owner(
    known: Option<&Batch>,
    name: &str,
    choice: &Choice,
    manifest: &str,
    sandbox: bool,
) -> Result<(), Failure> {
    let Some(known) = known else {
        if choice.resume {
            return Err(CommandError::usage(format!(
                "--resume begins no new batch, and the ledger has none named {name}"
            ))
            .hint(match crate::command::ledger().is_some_and(Path::exists) {
                true => format!("leave --resume out, or `{}` lists those it has", command("batches")),
                false => "leave --resume out".to_owned(),
            })
            .into());
        }
        return Ok(());
    };
    if known.sandbox != sandbox {
        return Err(other_money(known.sandbox));
    }
    if known.manifest != manifest && !choice.adopt {
        return Err(other_manifest(name, &known.origin_words(), manifest));
    }
    Ok(())
}

/// What is said of a batch that another process is running: a run of it would end at once.
pub(in crate::cli) fn running_words(ledger: &OpenLedger, name: &str) -> Result<Option<String>, Failure> {
    Ok(ledger.locked_by(name)?.map(|by| {
        format!(
            "the batch {name} is being run by {by}: until that has ended, a run ends at once (11); what it buys and finishes \
             meanwhile is not counted in here"
        )
    }))
}

/// Refuses what another process is running, whatever else is to be said of it: so does a run.
pub(in crate::cli) fn check_running(ledger: Option<&OpenLedger>, name: &str) -> Result<(), Failure> {
    match ledger.map(|ledger| running_words(ledger, name)).transpose()?.flatten() {
        None => Ok(()),
        Some(words) => Err(CommandError::locked(words).hint("wait until that has ended").into()),
    }
}

/// What a person may want to know of a new batch: another one has the very same jobs. They are set aside one by one all the same.
pub(in crate::cli) fn same_plan(
    ledger: &OpenLedger,
    name: &str,
    manifest: &str,
    plan: &Plan,
) -> Result<Option<String>, Failure> {
    let same = |batch: &Batch| batch.remembered.fingerprint.as_deref() == Some(plan.fingerprint());
    let other = ledger.uncounted()?.into_iter().find(|batch| batch.name != name && same(batch));
    Ok(other.map(|other| {
        let same = format!("the batch {} has the very same jobs", other.name);
        if other.manifest == manifest {
            return format!("{same}, from the same manifest");
        }
        format!(
            "{same}, from {}: was the manifest renamed? whoever means this one to go on with that batch says so with its name \
             (--batch) and --adopt (see `run --help`)",
            other.manifest
        )
    }))
}

/// Where results and receipts go, checked before anything is written or spent.
pub(in crate::cli) fn check_files(
    ledger: Option<&OpenLedger>,
    known: Option<&Batch>,
    name: &str,
    files: &config::Files,
    manifest: &Manifest,
    (address, is_play): (&LedgerAddress, bool),
) -> Result<OutputPaths, Failure> {
    let paths = output_paths(ledger, known, files, manifest, name, is_play)?;
    let before = known.map(|batch| batch.remembered.outputs.clone()).unwrap_or_default();
    let kept = files_of(address);
    let mut inputs = vec![("the manifest", manifest.path.as_path())];
    inputs.extend(kept.iter().map(|file| ("the ledger", file.file())));
    inputs.extend(manifest.rows_file().map(|rows| ("the manifest's rows", rows)));
    let of = ledger.map(|ledger| (ledger, name));
    files::check(&paths, &Owner { of, before: &before, is_play, asked: files }, &inputs)?;
    Ok(paths)
}

/// Where a run of a results file writes its batch's files, checked before anything is bought: as the flags say, else where it did
/// before, else beside its manifest. The ledger stands at `address`.
pub(in crate::cli) fn results_paths(
    ledger: &OpenLedger,
    batch: &Batch,
    asked: &config::Files,
    address: &LedgerAddress,
) -> Result<OutputPaths, Failure> {
    let remembered = &batch.remembered.outputs;
    let manifest = Path::new(&batch.manifest);
    let usual = files::usual_paths(Some(ledger), Some(batch), manifest, &batch.name, batch.sandbox)?;
    let before = |kind| remembered.files[kind].path.clone().map(PathBuf::from);
    let paths = OutputPaths::of(|kind| {
        asked.paths[kind].clone().or_else(|| before(kind)).unwrap_or_else(|| usual[kind].clone())
    });
    let kept = files_of(address);
    let mut inputs = vec![("the batch's manifest", manifest)];
    let rows = rows_file_of(manifest);
    inputs.extend(rows.as_deref().map(|rows| ("the manifest's rows", rows)));
    inputs.extend(kept.iter().map(|file| ("the ledger", file.file())));
    let of = Some((ledger, batch.name.as_str()));
    files::check(&paths, &Owner { of, before: remembered, is_play: batch.sandbox, asked }, &inputs)?;
    Ok(paths)
}

fn lock(ledger: &OpenLedger, name: &str) -> Result<LockHere, Failure> {
    Ok(ledger.lock(name, SystemClock.now())?)
}

fn unloaded(error: LoadError<Vec<crate::diagnostic::Diagnostic>>) -> Failure {
    match error {
        LoadError::Plan(found) => Failure::Input(found),
        LoadError::Ledger(error) => error.into(),
    }
}

fn other_manifest(name: &str, begun: &str, given: &str) -> Failure {
    CommandError::not_as_planned(format!("the batch {name} {begun}, and this is {given}"))
        .hint(
            "give this one a name of its own with --batch OTHER; whoever means it to take that batch over says so with \
             --adopt (see `run --help`)",
        )
        .into()
}

fn other_money(known_is_sandbox: bool) -> Failure {
    let (known, given) = if known_is_sandbox { ("play money", "real money") } else { ("real money", "play money") };
    CommandError::not_as_planned(format!("the batch was begun with {known}, and this run is for {given}"))
        .hint("give this one a name with --batch OTHER")
        .into()
}

/// Columns of parameters and of `x_*`, those of earlier runs first: columns are only ever added.
fn layout(before: &Layout, manifest: &Manifest, plan: &Plan, extra: Vec<String>) -> Layout {
    let mut layout = Layout {
        delimiter: char::from(manifest.delimiter),
        bom: manifest.bom,
        params: before.params.clone(),
        extra: before.extra.clone(),
    };
    let params = plan.endpoints().iter().flat_map(|endpoint| &endpoint.params);
    for name in params.map(|param| &param.name) {
        if !layout.params.contains(name) {
            layout.params.push(name.clone());
        }
    }
    for name in extra {
        if !layout.extra.contains(&name) {
            layout.extra.push(name);
        }
    }
    layout
}

/// Where results and receipts go.
pub(in crate::cli) fn output_paths(
    ledger: Option<&OpenLedger>,
    known: Option<&Batch>,
    asked: &config::Files,
    manifest: &Manifest,
    batch: &str,
    sandbox: bool,
) -> Result<OutputPaths, Failure> {
    let usual = match manifest.fallback_name() {
        // Whoever means what stands there to be replaced has said so.
        Some(_) if asked.overwrite => default_paths(&manifest.path, sandbox),
        Some(_) => files::usual_paths(ledger, known, &manifest.path, batch, sandbox)?,
        None => named_paths(batch, sandbox),
    };
    Ok(asked.or(&usual))
}

/// What is said of jobs that cost more than one may.
pub(in crate::cli) const ABOVE_LIMIT: &str =
    "above what one job may cost with its routing fee (max_sats of the job, or max_sats_per_job): not bought";

/// What a person's words buy once more, without what is left out as bought already under another name.
pub(in crate::cli) fn retaken_words(load: &PlanLoad, left_out: &IdList) -> Option<String> {
    of_jobs(&load.retaken.without(left_out), "to be bought once more")
}

/// Jobs that are counted, the first of them named; nothing where there are none.
pub(in crate::cli) fn of_jobs(ids: &IdList, words: &str) -> Option<String> {
    if ids.count == 0 {
        return None;
    }
    let mut named = ids.first.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if usize::try_from(ids.count).is_ok_and(|count| count > NAMED_MAX) {
        named.push_str(", …");
    }
    Some(format!("{} {words}: {named}", counted(ids.count, "job")))
}

/// What loading the plan found, for a person.
pub(in crate::cli) fn load_words(load: &PlanLoad) -> Vec<String> {
    let lines = [
        (&load.replaced, "changed in the manifest before the purchase, and bought as the manifest is now"),
        (
            &load.by_receipt,
            "to be bought as the manifest is now: what was bought for it before is known by its receipt alone",
        ),
        (&load.open_as_begun, "begun and changed in the manifest since: finished as begun"),
        (&load.changed, "delivered and changed in the manifest since: not bought again"),
        (&load.unproved, UNPROVED),
        (&load.above_limit, ABOVE_LIMIT),
        (
            &load.by_default,
            "given in the manifest as before, and another by a default of the catalogue that has changed",
        ),
        (
            &load.withdrawn,
            "gone from the manifest before the purchase, or asked for as an earlier take has it: withdrawn",
        ),
    ];
    let mut said: Vec<String> = lines.into_iter().filter_map(|(ids, words)| of_jobs(ids, words)).collect();
    said.extend(words::unmet_words(load));
    said.extend(words::waiting_words(load, SystemClock.now()));
    said.extend(
        load.alike
            .iter()
            .take(20)
            .map(|(new, old)| format!("the new id {new} is {old} but for case or leading zeros: is it the same job?")),
    );
    said
}

/// The manifest's remarks, for a person.
pub(in crate::cli) fn tell_remarks(manifest: &Manifest, plan: &Plan, reporter: &Reporter) {
    let text = input::remarks(manifest, plan, crate::cli::terminal::color());
    if !text.is_empty() {
        reporter.say(&text);
    }
}
