//! `plan --live`: of each rate that is left to buy one job is asked for now, without payment.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::cli::live_price::LivePrices;
use crate::cli::options::config::PlanOptions;
use crate::cli::preflight::foresight::Foresight;
use crate::cli::preflight::planned::Planned;
use crate::cli::{CommandError, ExitCode, Failure};
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::plan::view::{Live, LiveAnswer, LiveRate, LiveVerdict};

/// So many rates are asked for.
const RATES_MAX: usize = 100;
/// After that nothing more is asked for.
const TIME_MAX: Duration = Duration::from_secs(300);

/// Asks for the jobs that a run would buy.
pub(super) fn ask(planned: &Planned<'_>, foresight: &Foresight<'_>, options: &PlanOptions) -> Result<Live, Failure> {
    let mut live = Live { rates: rates(planned, foresight, options.buying.choice.limit)? };
    let mut prices = LivePrices::new(&options.buying.limits.all().tables)?;
    crate::cli::runtime()?.block_on(async {
        let began = Instant::now();
        for (at, rate) in live.rates.iter_mut().enumerate() {
            rate.answer = if at >= RATES_MAX {
                LiveAnswer::Unknown(format!("not asked: no more than {RATES_MAX} rates are"))
            } else if began.elapsed() > TIME_MAX {
                LiveAnswer::Unknown("not asked: the sellers took too long".to_owned())
            } else {
                prices.answer(&rate.job, options.network).await
            };
        }
    });
    Ok(live)
}

/// How a plan with these prices ends. What a saved plan takes over is as planned there.
pub(super) fn exit(live: &Live, is_saved: bool) -> ExitCode {
    use LiveVerdict::{Cheaper, Dearer, Refused, Unknown};
    let differs = |rate: &LiveRate| match rate.verdict() {
        Dearer | Cheaper => !is_saved || unit_price(rate).is_none(),
        Refused => true,
        LiveVerdict::Same | LiveVerdict::WithinCap | Unknown => false,
    };
    if live.rates.iter().any(differs) {
        ExitCode::NotAsPlanned
    } else if live.has(&[Unknown]) {
        ExitCode::Unfinished
    } else {
        ExitCode::Done
    }
}

/// What a unit costs now, where that is known and is a whole number of msat; none of a capped rate, whose cap is the person's own.
pub(super) fn unit_price(rate: &LiveRate) -> Option<Msat> {
    let LiveAnswer::Asks(asked) = &rate.answer else { return None };
    let units = rate.job.priced.quantity;
    let is_whole = !rate.job.endpoint.price.is_cap && asked.get().checked_rem(units) == Some(0);
    is_whole.then(|| Msat::new(asked.get() / units))
}

/// The rates of what is left to buy, each with its smallest job.
fn rates(planned: &Planned<'_>, foresight: &Foresight<'_>, limit: Option<u64>) -> Result<Vec<LiveRate>, Failure> {
    let to_buy = to_buy(foresight, limit)?;
    let mut rates: Vec<LiveRate> = Vec::new();
    let mut by_name: HashMap<(String, String), usize> = HashMap::new();
    for job in planned.plan.jobs(planned.source()) {
        let job = job.map_err(Failure::Input)?;
        if !to_buy.contains(&job.id) {
            continue;
        }
        let name = (job.endpoint.name.clone(), job.priced.chosen_by.clone());
        let at = *by_name.entry(name).or_insert_with(|| {
            let answer = LiveAnswer::Unknown(String::new());
            rates.push(LiveRate { job: job.clone(), jobs: 0, quantity: 0, planned: Msat::ZERO, answer });
            rates.len() - 1
        });
        if let Some(rate) = rates.get_mut(at) {
            add(rate, job).ok_or_else(|| CommandError::internal("prices add up to more money than there can be"))?;
        }
    }
    Ok(rates)
}

fn add(rate: &mut LiveRate, job: PlannedJob) -> Option<()> {
    rate.jobs = rate.jobs.checked_add(1)?;
    rate.quantity = rate.quantity.checked_add(job.priced.quantity)?;
    rate.planned = rate.planned.checked_add(job.priced.price)?;
    if job.priced.quantity < rate.job.priced.quantity {
        rate.job = job;
    }
    Some(())
}

/// The ids of what is bought, as far as it is chosen.
fn to_buy(foresight: &Foresight<'_>, limit: Option<u64>) -> Result<HashSet<String>, Failure> {
    let (only, mut to_buy) = (foresight.only(), HashSet::new());
    foresight.each(&mut |job| {
        let is_chosen = only.is_empty() || only.contains(&job.id);
        if is_chosen && limit.is_none_or(|most| (to_buy.len() as u64) < most) {
            to_buy.insert(job.id);
        }
        Ok(())
    })?;
    Ok(to_buy)
}
