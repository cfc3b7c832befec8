//! What a manifest would buy: how much, the dearest job, and of each endpoint the cheapest one.

use crate::cli::config::{DoctorOptions, ManifestOptions};
use crate::cli::{Failure, input, money};
use crate::ledger::sqlite::{Books, Retake};
use crate::money::{Msat, Sats};
use crate::plan::PlannedJob;
use crate::plan::view::LeftToBuy;

/// A manifest, as far as node and endpoints are concerned.
pub(super) struct Survey {
    pub(super) batch: Option<String>,
    pub(super) left: LeftToBuy,
    /// Price and fee ceilings of what is left.
    pub(super) worst_case: Msat,
    /// What earlier runs have spent and hold.
    pub(super) used: Msat,
    /// The batch's limit.
    pub(super) max: Option<Msat>,
    /// The highest price of a job that is left to buy.
    pub(super) dearest: Msat,
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
    books: Option<&Books>,
) -> Result<Survey, Failure> {
    let opened = input::open(manifest, None).map_err(Failure::Input)?;
    let (plan, limits) = input::plan(&opened, &options.limits)?;
    let batch = input::batch_name(manifest, &opened).ok();
    let known = match (books, &batch) {
        (Some(books), Some(name)) => books.batch(name)?.map(|batch| (books, batch.key)),
        (Some(_) | None, _) => None,
    };
    let mut survey = Survey {
        batch,
        left: LeftToBuy { jobs: 0, price: Msat::ZERO, fee_ceiling: Msat::ZERO },
        worst_case: Msat::ZERO,
        used: known.map(|(books, key)| books.counts(key)).transpose()?.map_or(Ok(Msat::ZERO), |c| money::used(&c))?,
        max: limits.max_sats.and_then(Sats::msat),
        dearest: Msat::ZERO,
        samples: Vec::new(),
    };
    for job in plan.jobs(&opened) {
        let job = job.map_err(Failure::Input)?;
        let to_buy = known.map_or(Ok(true), |(books, key)| books.would_buy(key, &Retake::default(), &job))?;
        survey.add(job, to_buy)?;
    }
    survey.worst_case = money::sum([survey.left.price, survey.left.fee_ceiling])?;
    Ok(survey)
}

impl Survey {
    fn add(&mut self, job: PlannedJob, to_buy: bool) -> Result<(), Failure> {
        if to_buy {
            money::add(&mut self.left, job.priced.price, job.fee_ceiling)?;
            self.dearest = self.dearest.max(job.priced.price);
        }
        match self.samples.iter_mut().find(|sample| sample.job.endpoint.name == job.endpoint.name) {
            None => self.samples.push(Sample { job, to_buy }),
            Some(known) => {
                let rank = |to_buy: bool, job: &PlannedJob| (!to_buy, job.priced.price);
                if rank(to_buy, &job) < rank(known.to_buy, &known.job) {
                    *known = Sample { job, to_buy };
                }
            }
        }
        Ok(())
    }
}
