//! Limits that hold nothing more of what a run has left to buy: those that it reached, and those that the next one would reach at once.

use crate::cli::Failure;
use crate::cli::money::{TooSmall, used};
use crate::ledger::port::{Loading, Views};
use crate::ledger::{Batch, Counts, OpenLedger};
use crate::life::{Limit, limit_words};
use crate::money::{Msat, Sats};
use crate::purchase::Reason;
use crate::run::{Budget, Outcome};
use crate::time::UnixMs;

/// What a run was to buy, and within which limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Bought {
    /// Only some of the jobs.
    pub(in crate::cli) chosen: bool,
    /// Only what fits into the limit was to be bought.
    pub(in crate::cli) partial: bool,
    /// The batch's limit, where one is set.
    pub(in crate::cli) most: Option<Sats>,
    /// The tightest that is set elsewhere than by a flag.
    pub(in crate::cli) elsewhere: Option<Sats>,
    /// The same of a day's limit, and of a month's.
    pub(in crate::cli) periods_elsewhere: (Option<Sats>, Option<Sats>),
}

impl Bought {
    /// Whether a flag alone does not raise that limit.
    pub(super) fn is_too_small_elsewhere(&self, limit: TooSmall) -> bool {
        let (day, month) = self.periods_elsewhere;
        let elsewhere = if limit.reason == Reason::MonthLimit { month } else { day };
        elsewhere.and_then(Sats::msat).is_some_and(|most| most < limit.cost)
    }
}

/// Such a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Full {
    /// What it is called.
    pub(in crate::cli) reason: Reason,
    /// What it leaves, and what it does not hold.
    pub(in crate::cli) words: String,
}

/// What of the limits keeps the same command, given once more, from buying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Filled {
    /// The batch's limit, where what fits is bought, or the run reached it.
    pub(in crate::cli) batch: Option<Full>,
    /// The one of day and month that lasts longer.
    pub(in crate::cli) period: Option<Full>,
    /// It never holds what is bought next.
    pub(in crate::cli) too_small: Option<TooSmall>,
}

impl Filled {
    /// Holds what is left to buy against the limits of the run that has ended.
    pub(in crate::cli) fn of(
        ledger: &OpenLedger,
        (batch, counts): (&Batch, &Counts),
        (outcome, budget): (&Outcome, &Budget),
        bought: Bought,
        now: UnixMs,
    ) -> Result<Self, Failure> {
        let reached = |of: &[Reason]| {
            let (reason, words) = outcome.limit_reached.as_ref().filter(|(reason, _)| of.contains(reason))?;
            Some(Full { reason: *reason, words: words.clone() })
        };
        let of_batch = reached(&[Reason::BatchLimit]);
        let of_period = reached(&[Reason::DayLimit, Reason::MonthLimit]);
        let (mut next, mut dearest) = (None, Msat::ZERO);
        ledger.to_buy(batch.key, false, &mut |job| {
            let cost = job.price.checked_add(job.fee_ceiling).unwrap_or(job.price);
            next.get_or_insert(cost);
            dearest = dearest.max(cost);
            Ok::<_, Failure>(())
        })??;
        let Some(next) = next else { return Ok(Self { batch: of_batch, period: of_period, too_small: None }) };
        let full = |limit: Limit, most: Option<Msat>, used: Msat| {
            let (most, reason) = (most?, limit.reason());
            let left = most.checked_sub(used).unwrap_or(Msat::ZERO);
            // What the run reached had the sums of that moment, of which some was not spent in the end.
            let was_reached = outcome.limit_reached.as_ref().is_some_and(|(reached, _)| *reached == reason);
            let told = || if was_reached { limit_words(limit, next, used, most) } else { words(limit, left, next) };
            (next > left).then(|| Full { reason, words: told() })
        };
        let periods = ledger.periods_used(&budget.caps(now))?;
        let day = full(Limit::Day, budget.day, periods.day);
        let month = full(Limit::Month, budget.month, periods.month);
        let never = |most: Option<Msat>| most.is_some_and(|most| next > most);
        // What never ends is said before what ends, and the month's end comes after the day's.
        let found = if never(budget.day) { day.or(month) } else { month.or(day) };
        let period = found.or(of_period);
        let most = bought.most.and_then(Sats::msat).filter(|_| bought.partial || of_batch.is_some());
        let batch = full(Limit::Batch, most, used(counts)?).or(of_batch);
        let too_small = period.as_ref().and_then(|full| {
            let (most, other) = match full.reason {
                Reason::MonthLimit => (budget.month, budget.day),
                _ => (budget.day, budget.month),
            };
            let both = other.is_some_and(|other| dearest > other);
            never(most).then_some(TooSmall { reason: full.reason, cost: dearest, both })
        });
        Ok(Self { batch, period, too_small })
    }

    /// Each of them.
    pub(in crate::cli) fn all(&self) -> impl Iterator<Item = &Full> {
        self.batch.iter().chain(&self.period)
    }
}

fn words(limit: Limit, left: Msat, next: Msat) -> String {
    let whose = match limit {
        Limit::Batch => "the batch's limit",
        Limit::Day => "the day's limit",
        Limit::Month => "the month's limit",
    };
    format!("{whose} leaves {}, and the next job may cost {}", left.sats_floor(), next.sats_ceil())
}
