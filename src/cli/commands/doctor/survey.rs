//! What a manifest would buy: how much, the dearest job, and of each endpoint the cheapest one.

use std::collections::HashSet;

use crate::cli::batch::download_setup::DownloadSetup;
use crate::cli::money::{Fitting, Room};
use crate::cli::options::config::{Buying, DoctorOptions, ManifestOptions};
use crate::cli::preflight::foresight::{Foresight, Foretold, RunToForesee};
use crate::cli::preflight::ground::Ground;
use crate::cli::preflight::planned::Planned;
use crate::cli::preflight::questions::is_unattended;
use crate::cli::{ExitCode, Failure, input, money};
use crate::ledger::port::{Batches, Views};
use crate::ledger::{DownloadTo, OpenLedger};
use crate::money::{Msat, Sats};
use crate::payer::NodeInfo;
use crate::plan::PlannedJob;
use crate::plan::limits::{Fit, check};
use crate::plan::view::LeftToBuy;

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
    /// Where files would go, or why a run would refuse that.
    pub(super) download: Result<Option<DownloadTo>, Failure>,
    /// What a run would buy, as far as no limit keeps it from beginning.
    pub(super) to_buy: LeftToBuy,
    /// Files of before lack room: it would buy nothing of what is left.
    pub(super) lacks_room: bool,
    /// Of each endpoint the cheapest job: one that is left to buy, where there is one.
    pub(super) samples: Vec<Sample>,
}

/// What is found of a manifest.
pub(super) struct Found {
    /// What a run would be refused for, whatever it is to buy.
    pub(super) refused: Result<(), Failure>,
    /// What it would buy.
    pub(super) survey: Result<Survey, Failure>,
}

/// The job that an endpoint is asked for.
pub(super) struct Sample {
    pub(super) job: PlannedJob,
    to_buy: bool,
}

/// Plans the manifest, and holds it against what the ledger knows of its batch; and says what a run would be refused for, whatever it is
/// to buy.
///
/// # Errors
/// Where it cannot be told which batch it is about.
pub(super) fn survey(
    manifest: &ManifestOptions,
    options: &DoctorOptions,
    ledger: Option<&OpenLedger>,
    node: Option<&NodeInfo>,
) -> Result<Found, Failure> {
    let mut opened = input::open(manifest, None).map_err(Failure::Input)?;
    // What a ledger holds that cannot be opened, nobody can tell.
    let of_results = match ledger.is_some() || !options.ledger.exists() {
        true => input::batch_of_results(&mut opened, manifest, &options.ledger, false)?,
        false => None,
    };
    let is_of_results = of_results.is_some();
    let batch = of_results.or_else(|| input::batch_name(manifest, &opened).ok());
    let known = ledger.zip(batch.as_ref()).map(|(ledger, name)| ledger.batch(name)).transpose()?.flatten();
    let of = Ground { manifest: &opened, ledger, known: known.as_ref(), of_results: is_of_results };
    let refused = of.refusal((&options.ledger, false), batch.as_deref(), &options.buying);
    Ok(Found { refused, survey: Survey::of(&of, batch, options, node) })
}

impl Survey {
    fn of(
        of: &Ground<'_>,
        batch: Option<String>,
        options: &DoctorOptions,
        node: Option<&NodeInfo>,
    ) -> Result<Self, Failure> {
        let Ground { manifest, ledger, known, .. } = *of;
        let planned = Planned::of(manifest, &options.buying.limits, of.of_batch())?;
        let (plan, limits) = (&planned.plan, &planned.limits);
        let (buying, retake) = of.chosen(&options.buying, &planned)?;
        let buying = &buying;
        let download = folder(of, buying, &planned);
        let none = crate::ledger::in_memory()?;
        let ledger = ledger.unwrap_or(&none);
        let zone = input::time_zone(limits, &buying.system_time_zone)?;
        let foresight = Foresight::of(
            ledger,
            known.map(|batch| batch.key),
            &RunToForesee {
                manifest,
                name: batch.as_deref(),
                plan,
                buying,
                retake: &retake,
                limits,
                fetches: download.as_ref().is_ok_and(Option::is_some),
                zone: &zone,
                rows: planned.rows.as_ref(),
                node,
            },
        )?;
        let used = money::used(&known.map(|batch| ledger.counts(batch.key)).transpose()?.unwrap_or_default())?;
        let budget = money::budget(limits, None, zone, is_unattended(&buying.choice, false, false))?;
        let (foretold, mut told) =
            told(&foresight, &Room::of(Some(ledger), limits, &budget, used, buying.choice.partial)?)?;
        let (left, fitting) = (foretold.left, foretold.fitting);
        let (worst_case, max) = (money::sum([left.price, left.fee_ceiling])?, limits.max_sats.and_then(Sats::msat));
        let is_held = buying.choice.partial || check(used, worst_case, max) == Fit::Fits;
        let lacking = of.lacking(download.as_ref().ok().and_then(Option::as_ref), &left)?;
        let lacks_room = lacking.is_some();
        let waits = if lacks_room { ExitCode::Unfinished } else { ExitCode::Done };
        told.extend(lacking);
        let mut survey = Self {
            batch,
            left,
            fitting,
            worst_case,
            used,
            max,
            dearest: Msat::ZERO,
            told,
            code: foretold.code(is_held && !lacks_room).or_worse(waits),
            download,
            to_buy: foretold.to_buy(lacks_room),
            lacks_room,
            samples: Vec::new(),
        };
        survey.sample_all(&foresight, &planned)?;
        Ok(survey)
    }
}

/// Where files go, where that can be used.
fn folder(of: &Ground<'_>, buying: &Buying, planned: &Planned<'_>) -> Result<Option<DownloadTo>, Failure> {
    let to = of.folder(buying, planned)?;
    to.as_ref().map_or(Ok(()), |to| DownloadSetup::look(to, of.ledger))?;
    Ok(to)
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
    /// Whether a run buys anything, as far as no limit keeps it from beginning.
    pub(super) const fn buys(&self) -> bool {
        self.to_buy.jobs > 0 && !self.fitting.holds_nothing()
    }

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
