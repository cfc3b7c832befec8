//! Sums that several commands show and check.

mod at_origin;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::tz::TimeZone;

use sha2::{Digest, Sha256};

use crate::ledger::port::Views;
use crate::ledger::{Caps, Counts, OpenLedger, OriginCaps, PeriodsUsed, ToBuy};
use crate::manifest::Limits;
use crate::money::{Msat, Sats, counted, thousands};
use crate::plan::view::{LeftToBuy, Listed};
use crate::purchase::{JobState, Reason};
use crate::run::{Budget, Clock, SystemClock};

use crate::cli::exit::of_job;
use crate::cli::options::config::Choice;
use crate::cli::preflight::questions::in_msat;
use crate::cli::{CommandError, ExitCode, Failure};

use at_origin::AtOrigin;
pub(super) use at_origin::OriginShort;

/// What a batch has used of its limit: spent, with fees, and held, without what came back.
pub(super) fn used(counts: &Counts) -> Result<Msat, Failure> {
    let gross = sum([counts.spent, counts.fees, counts.held])?;
    Ok(gross.checked_sub(counts.refunded).unwrap_or(Msat::ZERO))
}

/// A sum of amounts.
pub(super) fn sum(amounts: impl IntoIterator<Item = Msat>) -> Result<Msat, Failure> {
    Msat::checked_sum(amounts)
        .ok_or_else(|| CommandError::internal("amounts add up to more money than there can be").into())
}

/// Adds a job.
fn add(left: &mut LeftToBuy, job: &ToBuy) -> Result<(), Failure> {
    left.jobs += 1;
    left.price = sum([left.price, job.price])?;
    left.capped = sum([left.capped, if job.is_capped { job.price } else { Msat::ZERO }])?;
    left.fee_ceiling = sum([left.fee_ceiling, job.fee_ceiling])?;
    Ok(())
}

/// The least that a job may cost: within a cap the invoice decides.
const fn least(job: &ToBuy) -> Msat {
    if job.is_capped { Msat::ZERO } else { job.price }
}

/// A limit that does not keep a run from beginning.
#[derive(Clone, Copy, Debug)]
struct Cap {
    /// What it is called.
    reason: Reason,
    most: Msat,
    /// What it leaves to be spent.
    left: Msat,
}

/// What may be spent by these limits: of the batch only that bound. An origin that never delivered is limited only where nobody
/// watches.
pub(super) fn budget(
    limits: &Limits,
    batch: Option<Msat>,
    time_zone: TimeZone,
    is_unattended: bool,
) -> Result<Budget, Failure> {
    let msat = |sats: Option<Sats>| sats.map(in_msat).transpose();
    let mut origins = BTreeMap::new();
    for (origin, of) in &limits.origins {
        let caps = OriginCaps {
            job: msat(of.max_sats_per_job)?,
            day: msat(of.max_sats_per_day)?,
            month: msat(of.max_sats_per_month)?,
            new: None,
        };
        origins.insert(origin.clone(), caps);
    }
    Ok(Budget {
        batch,
        day: msat(limits.max_sats_per_day)?,
        month: msat(limits.max_sats_per_month)?,
        origins,
        new_origin: msat(limits.max_sats_new_origin.filter(|_| is_unattended))?,
        time_zone,
    })
}

/// What such limits leave to be spent.
#[derive(Default)]
pub(super) struct Room<'l> {
    caps: Vec<Cap>,
    /// What the batch's limit leaves, where it keeps a run that it does not hold from beginning.
    whole: Option<Msat>,
    /// Where origins are limited: how far, and by when.
    origins: Option<(&'l Budget, Caps)>,
    /// Whoever knows what is used of that.
    ledger: Option<&'l OpenLedger>,
}

impl<'l> Room<'l> {
    /// Of the batch's limit where what fits is bought, and of the day's and the month's in any case.
    pub(super) fn of(
        ledger: Option<&'l OpenLedger>,
        limits: &Limits,
        budget: &'l Budget,
        used: Msat,
        partial: bool,
    ) -> Result<Self, Failure> {
        let caps = budget.caps(SystemClock.now());
        let periods = match ledger {
            Some(ledger) if limits.max_sats_per_day.is_some() || limits.max_sats_per_month.is_some() => {
                ledger.periods_used(&caps)?
            }
            Some(_) | None => PeriodsUsed::default(),
        };
        let set = [
            (Reason::BatchLimit, limits.max_sats, used),
            (Reason::DayLimit, limits.max_sats_per_day, periods.day),
            (Reason::MonthLimit, limits.max_sats_per_month, periods.month),
        ];
        let cap = |(reason, most, used): (Reason, Option<Sats>, Msat)| {
            let most = most?.msat()?;
            Some(Cap { reason, most, left: most.checked_sub(used).unwrap_or(Msat::ZERO) })
        };
        let all: Vec<Cap> = set.into_iter().filter_map(cap).collect();
        let (whole, caps): (Vec<Cap>, _) =
            all.into_iter().partition(|cap| cap.reason == Reason::BatchLimit && !partial);
        let of_origins = budget.new_origin.is_some() || budget.origins.values().any(OriginCaps::has_sums);
        let origins = of_origins.then(|| (budget, budget.caps(SystemClock.now())));
        Ok(Self { caps, whole: whole.first().map(|cap| cap.left), origins, ledger })
    }

    /// Whether there is any limit.
    pub(super) fn is_bounded(&self) -> bool {
        !self.caps.is_empty() || self.whole.is_some() || self.origins.is_some()
    }

    /// Whether every limit holds so much.
    fn holds(&self, cost: Option<Msat>) -> bool {
        let is_held = |left: Msat| cost.is_some_and(|cost| cost <= left);
        self.exceeded_by(cost).is_none() && self.whole.is_none_or(is_held)
    }

    /// The first limit that does not hold so much.
    fn exceeded_by(&self, cost: Option<Msat>) -> Option<(Reason, Msat)> {
        let exceeded = self.caps.iter().find(|cap| cost.is_none_or(|cost| cost > cap.left))?;
        Some((exceeded.reason, exceeded.left))
    }

    /// The first of a day or a month that never holds so much.
    fn never_holds(&self, cost: Option<Msat>) -> Option<TooSmall> {
        let of_period = self.caps.iter().filter(|cap| matches!(cap.reason, Reason::DayLimit | Reason::MonthLimit));
        let cost = cost?;
        let mut too_small = of_period.filter(|cap| cost > cap.most);
        let first = too_small.next()?;
        Some(TooSmall { reason: first.reason, cost, both: too_small.next().is_some() })
    }
}

/// A limit of a day or a month that is below what one job may cost: no day and no month will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooSmall {
    pub(super) reason: Reason,
    /// What the dearest job may cost, with the highest routing fee.
    pub(super) cost: Msat,
    /// The other of the two is so, too.
    pub(super) both: bool,
}

impl TooSmall {
    /// The flag that sets it.
    pub(super) const fn flag(self) -> &'static str {
        match self.reason {
            Reason::MonthLimit => "--max-sats-per-month",
            _ => "--max-sats-per-day",
        }
    }

    /// What would do.
    pub(super) fn words(self) -> String {
        let (period, limits) = match self.reason {
            _ if self.both => ("day and no month", "max_sats_per_day and max_sats_per_month have"),
            Reason::MonthLimit => ("month", "max_sats_per_month has"),
            _ => ("day", "max_sats_per_day has"),
        };
        let cost = self.cost.sats_ceil();
        format!(
            "one job may cost {cost}, which no {period} holds: {limits} to be {cost} at least, wherever that is set (the \
             tightest counts)"
        )
    }
}

/// What of the chosen jobs fits into the limits at worst, in the order in which they are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fitting {
    /// So many fit for sure.
    pub(super) fits: LeftToBuy,
    /// The limit that ends it, and what it leaves.
    pub(super) reached: Option<(Reason, Msat)>,
    /// A limit that never holds one of them.
    pub(super) too_small: Option<TooSmall>,
    /// The price of the first one, where all limits hold it, the batch's too.
    pub(super) begins_with: Option<Msat>,
    /// The least that any may cost: its price, or nothing where that is a cap; none where there is none.
    pub(super) cheapest: Option<Msat>,
    /// So many the limits of their origins do not hold for sure.
    pub(super) beyond_origins: u64,
}

impl Fitting {
    /// Nothing fits, as there is nothing.
    pub(super) const fn of_nothing() -> Self {
        let fits = LeftToBuy { jobs: 0, price: Msat::ZERO, capped: Msat::ZERO, fee_ceiling: Msat::ZERO };
        Self { fits, reached: None, too_small: None, begins_with: None, cheapest: None, beyond_origins: 0 }
    }

    /// Ends what is to be done about a limit or a balance that does not hold all: `--partial` is a way on where the limits, and the
    /// `balance` if one is known, hold the first job.
    pub(super) fn or_partial(&self, balance: Option<Msat>) -> &'static str {
        let is_held = self.begins_with.is_some_and(|price| balance.is_none_or(|balance| price <= balance));
        if is_held { ", or buy what fits with --partial" } else { "" }
    }

    /// Whether not even the first job fits: nothing is bought.
    pub(super) const fn holds_nothing(&self) -> bool {
        self.is_partial() && self.fits.jobs == 0
    }

    /// Whether not all fits for sure.
    pub(super) const fn is_partial(&self) -> bool {
        self.reached.is_some() || self.beyond_origins > 0
    }

    /// The price of what is bought of so much: of all, or of what fits for sure.
    pub(super) fn payable(&self, left: &LeftToBuy) -> Msat {
        if self.is_partial() { self.fits.price } else { left.price }
    }

    /// The limit that ends it, in words.
    const fn limit(&self) -> Option<&'static str> {
        match self.reached {
            None => None,
            Some((Reason::DayLimit, _)) => Some("the day's limit leaves"),
            Some((Reason::MonthLimit, _)) => Some("the month's limit leaves"),
            Some(_) => Some("the batch's limit leaves"),
        }
    }

    /// That not even the first job fits, in words; nothing where it does.
    pub(super) fn none_fits(&self, left: &LeftToBuy) -> Option<String> {
        let (_, most) = self.reached.filter(|_| self.holds_nothing())?;
        let what = match left.jobs {
            1 => "the job does not fit".to_owned(),
            jobs => format!("not even the first of {} fits", counted(jobs, "job")),
        };
        Some(format!("{} {}: {what}", self.limit()?, most.sats_floor()))
    }

    /// What does not fit of so much, in words; nothing where all does.
    pub(super) fn words(&self, left: &LeftToBuy) -> Option<String> {
        let (_, most) = self.reached?;
        let limit = self.limit()?;
        let Self { fits, .. } = self;
        let for_ever = self.too_small.map(|limit| format!("; {}", limit.words())).unwrap_or_default();
        if let Some(none) = self.none_fits(left) {
            let stay = if left.jobs == 1 { "stays" } else { "all stay" };
            return Some(format!("{none}, and {stay} pending{for_ever}"));
        }
        Some(format!(
            "{limit} {}: of {}, {} for sure, for {} and at most {} of routing fees; more fit only as far as {} less, \
             and the rest stays pending{for_ever}",
            most.sats_floor(),
            counted(left.jobs, "job"),
            if fits.jobs == 1 { "1 fits".to_owned() } else { format!("{} fit", thousands(fits.jobs)) },
            fits.price_words(|price| price.sats_ceil().to_string()),
            fits.fee_ceiling.sats_ceil(),
            match (left.capped, self.beyond_origins) {
                (Msat::ZERO, 0) => "routing costs",
                (_, 0) => "routing and what is capped cost",
                (Msat::ZERO, _) => "routing, and what waits for its origin's limit, cost",
                (_, _) => "routing, what is capped, and what waits for its origin's limit, cost",
            },
        ))
    }
}

/// The origin at which what stands in such a place is bought.
pub(super) type OriginAt<'a> = &'a dyn Fn(i64) -> Result<Option<String>, Failure>;

/// What a run chooses of what there is to buy: what `--only` and `--limit` leave of it.
pub(super) struct Chosen<'a> {
    only: HashSet<&'a str>,
    limit: Option<u64>,
    room: &'a Room<'a>,
    origin_at: OriginAt<'a>,
    /// By their origins' limits; by place, and those by place.
    origins: Vec<AtOrigin>,
    at: HashMap<i64, Option<usize>>,
    /// What is bought.
    pub(super) left: LeftToBuy,
    /// What of that the limits hold.
    pub(super) fitting: Fitting,
    /// How many jobs are bought at each price; at none, where it is a cap.
    pub(super) prices: BTreeMap<Msat, u64>,
    /// Of which duplicates the run is a person's word, by their ids.
    pub(super) meant: Vec<String>,
    /// Where what is bought is asked for.
    pub(super) places: BTreeSet<i64>,
    /// Which jobs are bought, in their order, and at which cost: what is bought otherwise has another digest.
    bought: Sha256,
    /// How many it leaves to buy.
    pub(super) unchosen: u64,
    /// With what those have a run end.
    pub(super) unchosen_codes: HashSet<ExitCode>,
    /// Each job that is bought, where somebody lists them.
    pub(super) list: Option<&'a mut Vec<Listed>>,
    /// Why nothing begins in such a place, whatever the limits hold; for the list.
    pub(super) held: HashMap<i64, Reason>,
}

impl<'a> Chosen<'a> {
    /// Nothing so far.
    pub(super) fn of(choice: &'a Choice, room: &'a Room<'a>, origin_at: OriginAt<'a>) -> Self {
        Self {
            room,
            origin_at,
            origins: Vec::new(),
            at: HashMap::new(),
            fitting: Fitting::of_nothing(),
            only: choice.only.iter().map(String::as_str).collect(),
            limit: choice.limit,
            left: LeftToBuy::default(),
            prices: BTreeMap::new(),
            meant: Vec::new(),
            places: BTreeSet::new(),
            bought: Sha256::new(),
            unchosen: 0,
            unchosen_codes: HashSet::new(),
            list: None,
            held: HashMap::new(),
        }
    }

    /// Offers the next job.
    pub(super) fn add(&mut self, job: ToBuy) -> Result<(), Failure> {
        let wanted = self.only.is_empty() || self.only.contains(job.id.as_str());
        if wanted && self.limit.is_none_or(|limit| self.left.jobs < limit) {
            add(&mut self.left, &job)?;
            let limit = self.fit(&job)?;
            self.list(&job, limit);
            self.note(&job);
            let jobs = self.prices.entry(least(&job)).or_default();
            *jobs = jobs.saturating_add(1);
            self.places.insert(job.place);
            if job.is_duplicate {
                self.meant.push(job.id);
            }
            return Ok(());
        }
        self.leave(&job)
    }

    /// Leaves the job as it is. What is set aside is no less so.
    pub(super) fn leave(&mut self, job: &ToBuy) -> Result<(), Failure> {
        if !job.is_duplicate {
            self.unchosen = self.unchosen.saturating_add(1);
            self.unchosen_codes.insert(of_job(JobState::Pending, job.reason));
        }
        Ok(())
    }

    fn note(&mut self, job: &ToBuy) {
        self.bought.update(job.id.len().to_le_bytes());
        self.bought.update(&job.id);
        self.bought.update(job.price.get().to_le_bytes());
        self.bought.update(job.fee_ceiling.get().to_le_bytes());
        self.bought.update([u8::from(job.is_duplicate), u8::from(job.is_capped)]);
    }

    /// The same for the same jobs in the same order at the same cost.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.bought.clone().finalize().into()
    }

    fn list(&mut self, job: &ToBuy, limit: Option<Reason>) {
        let &ToBuy { price, is_capped, fee_ceiling, .. } = job;
        let limit = self.held.get(&job.place).copied().or(limit);
        let (limit, waits) = (limit.map(Reason::as_str), limit == Some(Reason::NewOriginLimit));
        self.list
            .iter_mut()
            .for_each(|list| list.push(Listed { id: job.id.clone(), price, is_capped, fee_ceiling, limit, waits }));
    }

    /// Counts the job; gives the limit that does not hold it for sure, where one does not.
    fn fit(&mut self, job: &ToBuy) -> Result<Option<Reason>, Failure> {
        let limit_there = self.limit_there(job)?;
        let Fitting { fits, reached, too_small, begins_with, cheapest, beyond_origins } = &mut self.fitting;
        *cheapest = cheapest.iter().copied().chain([least(job)]).min();
        if self.left.jobs == 1 {
            *begins_with = Some(job.price).filter(|price| self.room.holds(price.checked_add(job.fee_ceiling)));
        }
        let too_dear = self.room.never_holds(job.price.checked_add(job.fee_ceiling));
        *too_small = too_dear.into_iter().chain(*too_small).max_by_key(|limit| limit.cost);
        if reached.is_none() {
            // What its origin's limit holds back may be bought before what comes after it: once the origin has delivered, or where
            // routing costs less.
            *reached = self.room.exceeded_by(self.left.price.checked_add(self.left.fee_ceiling));
        }
        if limit_there.is_some() {
            *beyond_origins = beyond_origins.saturating_add(1);
            return Ok(limit_there);
        }
        match reached {
            Some((reason, _)) => Ok(Some(*reason)),
            None => add(fits, job).map(|()| None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs of 1,000 sats each, with the origin at which each is bought, by the batch's limit and that of a new origin, in sats: what is
    /// listed of each, which limit ends it, and with which reasons origins' jobs stay pending.
    type Told = (Vec<Option<&'static str>>, Option<Reason>, Vec<Option<Reason>>);
    fn told(origins: [&str; 3], (batch, new, day): (u64, u64, Option<u64>), held: &[i64]) -> Told {
        let of_x = crate::manifest::OriginLimits { max_sats_per_day: day.map(Sats::new), ..Default::default() };
        let origins_limits = day.map(|_| ("x".to_owned(), of_x));
        let limits = Limits {
            max_sats: Some(Sats::new(batch)),
            max_sats_new_origin: Some(Sats::new(new)),
            origins: origins_limits.into_iter().collect(),
            ..Limits::default()
        };
        let budget = budget(&limits, None, TimeZone::UTC, true).unwrap();
        let room = Room::of(None, &limits, &budget, Msat::ZERO, true).unwrap();
        let (choice, mut list) = (Choice::default(), Vec::new());
        let origin_at =
            |place: i64| Ok(usize::try_from(place).ok().and_then(|at| origins.get(at)).map(ToString::to_string));
        let mut chosen = Chosen::of(&choice, &room, &origin_at);
        chosen.list = Some(&mut list);
        chosen.held.extend(held.iter().map(|place| (*place, Reason::BreakerOpen)));
        for place in 0..3 {
            let (id, price, reason) = (place.to_string(), Msat::new(1_000_000), Reason::None);
            let fee_ceiling = Msat::ZERO;
            chosen.add(ToBuy { id, price, is_capped: false, fee_ceiling, is_duplicate: false, reason, place }).unwrap();
        }
        let short = chosen.short_origins().into_iter().map(|short| short.reason).collect();
        let reached = chosen.fitting.reached.map(|(reason, _)| reason);
        (list.into_iter().map(|job| job.limit).collect(), reached, short)
    }

    /// What an origin's limit holds back may be bought before what comes after it, and takes its room then.
    #[test]
    fn what_waits_for_its_origin_may_take_the_room_of_what_comes_after_it() {
        let (waits, batch) = (Some("new_origin_limit"), Some("batch_limit"));
        assert_eq!(told(["x", "x", "y"], (2_500, 1_500, None), &[]).0, [None, waits, batch]);
        assert_eq!(told(["x", "x", "y"], (3_000, 1_500, None), &[]), (vec![None, waits, None], None, vec![None]));
        // That it waits is no reason for it to stay pending: other limits are.
        assert_eq!(told(["x", "x", "x"], (2_500, 1_500, None), &[]).1, Some(Reason::BatchLimit));
        let by_day = told(["x", "x", "x"], (9_000, 1_500, Some(2_000)), &[]);
        assert_eq!(by_day, (vec![None, waits, waits], None, vec![Some(Reason::OriginDayLimit)]));
        // Nothing is delivered where nothing may be bought.
        let none = told(["x", "x", "x"], (9_000, 500, None), &[]);
        assert_eq!(none, (vec![waits; 3], None, vec![Some(Reason::NewOriginLimit)]));
    }

    #[test]
    fn what_is_held_back_fits_nowhere() {
        let held = told(["x", "y", "z"], (9_000, 5_000, None), &[1]);
        assert_eq!(held.0, [None, Some(Reason::BreakerOpen.as_str()), None]);
    }

    /// A node that holds less than a cap may hold enough for its invoice: no cap ends the buying.
    #[test]
    fn a_capped_job_may_cost_anything_up_to_its_cap() {
        let (choice, room) = (Choice::default(), Room::default());
        let mut chosen = Chosen::of(&choice, &room, &|_| Ok(None));
        for (id, sats, is_capped) in [("a", 10, false), ("b", 500, true)] {
            let (id, price, reason) = (id.to_owned(), Msat::new(sats * 1_000), Reason::None);
            let job = ToBuy { id, price, is_capped, fee_ceiling: Msat::ZERO, is_duplicate: false, reason, place: 0 };
            assert!(chosen.add(job).is_ok());
        }
        let sums = [chosen.left.price, chosen.left.capped].map(Msat::get);
        assert_eq!(sums, [510_000, 500_000]);
        assert_eq!(chosen.prices, [(Msat::ZERO, 1), (Msat::new(10_000), 1)].into());
        assert_eq!(chosen.fitting.cheapest, Some(Msat::ZERO));
    }
}
