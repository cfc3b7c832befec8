//! What a manifest would buy: how much, the dearest job, and of each endpoint the cheapest one.

use std::collections::HashSet;

use crate::cli::batch::download_setup::{DownloadSetup, check_template, destination};
use crate::cli::batch::session::refusal;
use crate::cli::money::{Fitting, Room};
use crate::cli::options::config::{Choice, DoctorOptions, ManifestOptions};
use crate::cli::preflight::foresight::{Asked, Foresight, Foretold};
use crate::cli::preflight::planned::Planned;
use crate::cli::{ExitCode, Failure, input, money};
use crate::ledger::port::{Batches, Views};
use crate::ledger::{Batch, DownloadTo, OpenLedger, Retake};
use crate::money::{Msat, Sats};
use crate::payer::NodeInfo;
use crate::plan::PlannedJob;
use crate::plan::view::LeftToBuy;
use crate::run::Budget;

/// A manifest, as far as node and endpoints are concerned.
pub(super) struct Survey {
    pub(super) batch: Option<String>,
    pub(super) left: LeftToBuy,
    /// What of it the limits hold.
    pub(super) fitting: Fitting,
    /// Price and fee ceilings of what is left.
    pub(super) worst_case: Msat,
    /// What earlier runs have spent and hold.
    pub(super) used: Msat,
    /// The batch's limit.
    pub(super) max: Option<Msat>,
    /// The highest price of a job that is left to buy.
    pub(super) dearest: Msat,
    /// What keeps a run from buying all of it, and from ending with 0.
    pub(super) told: Vec<String>,
    /// How a run would end, as far as what it leaves out and what no run brings on decide that.
    pub(super) code: ExitCode,
    /// What a run would be refused for, whatever it is to buy.
    pub(super) refused: Option<Failure>,
    /// Where files would go, or why a run would refuse that.
    pub(super) download: Result<Option<DownloadTo>, Failure>,
    /// Of each endpoint the cheapest job: one that is left to buy, where there is one.
    pub(super) samples: Vec<Sample>,
}

/// The job that an endpoint is asked for.
pub(super) struct Sample {
    pub(super) job: PlannedJob,
    to_buy: bool,
}

/// Plans the manifest, and holds it against what the ledger knows of its batch.
pub(super) fn survey(
    manifest: &ManifestOptions,
    options: &DoctorOptions,
    ledger: Option<&OpenLedger>,
    node: Option<&NodeInfo>,
) -> Result<Survey, Failure> {
    let mut opened = input::open(manifest, None).map_err(Failure::Input)?;
    // What a ledger holds that cannot be opened, nobody can tell.
    let of_results = match ledger.is_some() || !options.ledger.exists() {
        true => input::batch_of_results(&mut opened, manifest, &options.ledger, false)?,
        false => None,
    };
    let is_of_results = of_results.is_some();
    let batch = of_results.or_else(|| input::batch_name(manifest, &opened).ok());
    let known = ledger.zip(batch.as_ref()).map(|(ledger, name)| ledger.batch(name)).transpose()?.flatten();
    let files = Some(&options.files).filter(|_| !is_of_results);
    let refused = refusal(&options.ledger, ledger, known.as_ref(), &opened, batch.as_deref(), files).err();
    let of_batch = ledger.zip(known.as_ref()).filter(|_| is_of_results);
    let planned = Planned::of(&opened, &options.limits, of_batch)?;
    let (plan, limits) = (&planned.plan, &planned.limits);
    let none = crate::ledger::in_memory()?;
    let ledger = ledger.unwrap_or(&none);
    let zone = input::time_zone(limits, &options.system_time_zone)?;
    let foresight = Foresight::of(
        ledger,
        known.as_ref().map(|batch| batch.key),
        &Asked {
            manifest: &opened,
            name: batch.as_deref(),
            plan,
            choice: &Choice::default(),
            retake: &Retake::default(),
            limits,
            max_undelivered: options.max_undelivered,
            zone: &zone,
            rows: planned.rows.as_ref(),
            node,
        },
    )?;
    let counts = known.as_ref().map(|batch| ledger.counts(batch.key)).transpose()?.unwrap_or_default();
    let used = money::used(&counts)?;
    let budget = Budget { time_zone: zone, ..Budget::default() };
    let (Foretold { left, fitting, code, .. }, mut told) =
        told(&foresight, &Room::of(Some(ledger), limits, &budget, used, options.partial)?)?;
    let download = folder(options, (ledger, known.as_ref(), is_of_results), &planned);
    let lacking = lacking(&download, (ledger, known.as_ref()))?;
    let code = lacking.as_ref().map_or(code, |_| code.or_worse(ExitCode::Unfinished));
    told.extend(lacking);
    let mut survey = Survey {
        batch,
        left,
        fitting,
        worst_case: money::sum([left.price, left.fee_ceiling])?,
        used,
        max: limits.max_sats.and_then(Sats::msat),
        dearest: Msat::ZERO,
        told,
        code,
        refused,
        download,
        samples: Vec::new(),
    };
    survey.sample_all(&foresight, &planned)?;
    Ok(survey)
}

/// Where files would go, as far as a run would not refuse that.
fn folder(
    options: &DoctorOptions,
    (ledger, known, is_of_results): (&OpenLedger, Option<&Batch>, bool),
    planned: &Planned<'_>,
) -> Result<Option<DownloadTo>, Failure> {
    // What a results file goes on with has its folder.
    let before = known.filter(|_| is_of_results).and_then(|batch| batch.remembered.download.as_ref());
    let to = destination(&options.downloads, before)?;
    if let Some(to) = &to {
        check_template(to, planned.source(), &planned.plan)?;
        DownloadSetup::look(to, Some(ledger))?;
    }
    Ok(to)
}

/// That what waits for the folder needs more room than there is.
fn lacking(
    download: &Result<Option<DownloadTo>, Failure>,
    (ledger, known): (&OpenLedger, Option<&Batch>),
) -> Result<Option<String>, Failure> {
    match (download, known) {
        (Ok(Some(to)), Some(batch)) => {
            let words = DownloadSetup::lacking(&to.folder, ledger, batch.key)?;
            Ok(words.map(|words| format!("{words}; nothing is bought until there is room")))
        }
        (_, _) => Ok(None),
    }
}

/// What would be bought, and what keeps a run from buying all, in words.
fn told(foresight: &Foresight<'_>, room: &Room) -> Result<(Foretold, Vec<String>), Failure> {
    let foretold = foresight.told(room)?;
    let mut told = foresight.words();
    let are_left_out = foresight.duplicates.count > 0 && !foresight.buys_duplicates();
    told.extend(are_left_out.then(|| crate::cli::preflight::duplicates::words(&foresight.duplicates)));
    told.extend(foretold.left_words());
    told.extend(foretold.fitting.words(&foretold.left));
    Ok((foretold, told))
}

impl Survey {
    /// Finds of each endpoint the job that it is asked for, and the dearest job.
    fn sample_all(&mut self, foresight: &Foresight<'_>, planned: &Planned<'_>) -> Result<(), Failure> {
        let mut to_buy = HashSet::new();
        let only = foresight.only();
        foresight.each(&mut |job| {
            if !only.is_empty() && !only.contains(&job.id) {
                return Ok(());
            }
            self.dearest = self.dearest.max(job.price);
            to_buy.insert(job.id);
            Ok(())
        })?;
        for job in planned.plan.jobs(planned.source()) {
            let job = job.map_err(Failure::Input)?;
            let is_to_buy = to_buy.contains(&job.id);
            self.sample(job, is_to_buy);
        }
        Ok(())
    }

    fn sample(&mut self, job: PlannedJob, to_buy: bool) {
        match self.samples.iter_mut().find(|sample| sample.job.endpoint.name == job.endpoint.name) {
            None => self.samples.push(Sample { job, to_buy }),
            Some(known) => {
                let rank = |to_buy: bool, job: &PlannedJob| (!to_buy, job.priced.price);
                if rank(to_buy, &job) < rank(known.to_buy, &known.job) {
                    *known = Sample { job, to_buy };
                }
            }
        }
    }
}
