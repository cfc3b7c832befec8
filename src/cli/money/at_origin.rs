//! What of the jobs that are bought at one origin fits into what it may get.

use crate::cli::Failure;
use crate::ledger::port::Views;
use crate::ledger::{Caps, OriginLimit, ToBuy};
use crate::money::{Msat, counted, thousands};
use crate::purchase::Reason;

use super::{Chosen, Room};

/// What of the chosen jobs of one origin fits into its limits at worst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AtOrigin {
    name: String,
    /// What each of its limits leaves.
    left: Vec<(OriginLimit, Msat)>,
    jobs: u64,
    fit: u64,
    /// What all of them may cost.
    cost: Msat,
    /// The limit that ends it, and what that leaves.
    reached: Option<(OriginLimit, Msat)>,
    /// The same, once the origin has delivered.
    reached_later: Option<(OriginLimit, Msat)>,
}

impl AtOrigin {
    /// The limit that does not hold the next job, where one does not.
    fn limit_of(&mut self, cost: Option<Msat>) -> Option<OriginLimit> {
        self.jobs = self.jobs.saturating_add(1);
        let sum = cost.and_then(|cost| self.cost.checked_add(cost));
        let mut exceeded = self.left.iter().filter(|(_, left)| sum.is_none_or(|sum| sum > *left)).copied();
        let first = exceeded.next();
        let lasting = first.into_iter().chain(exceeded).find(|(limit, _)| *limit != OriginLimit::New);
        (self.reached, self.reached_later) = (self.reached.or(first), self.reached_later.or(lasting));
        self.cost = sum.unwrap_or(self.cost);
        if self.reached.is_none() {
            self.fit = self.fit.saturating_add(1);
        }
        self.reached.map(|(limit, _)| limit)
    }

    fn words(&self) -> Option<OriginShort> {
        let (limit, left) = self.reached?;
        let whose = match limit {
            OriginLimit::Day => "the day's limit",
            OriginLimit::Month => "the month's limit",
            OriginLimit::New => "the limit of an origin that has never delivered",
        };
        let left = left.sats_floor();
        let fit = if self.fit == 1 { "1 fits".to_owned() } else { format!("{} fit", thousands(self.fit)) };
        let (name, key, jobs) = (&self.name, limit.key(), counted(self.jobs, "job"));
        let (rest, ends) = match limit {
            OriginLimit::New if self.fit > 0 => (
                " before it has delivered, and the rest waits for that and is bought then as far as other limits hold it",
                self.reached_later,
            ),
            OriginLimit::New => (" before it has delivered, and the rest stays pending", self.reached),
            OriginLimit::Day | OriginLimit::Month => (", and the rest stays pending", self.reached),
        };
        let words = format!("{whose} at {name} ({key}) leaves {left}: of {jobs} there, {fit} for sure{rest}");
        Some(OriginShort { reason: ends.map(|(limit, _)| limit.reason()), words })
    }
}

/// That the limit of an origin does not hold all that is bought there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct OriginShort {
    /// With which jobs stay pending for sure; none where all may be bought once the origin has delivered.
    pub(in crate::cli) reason: Option<Reason>,
    pub(in crate::cli) words: String,
}

impl Room<'_> {
    /// What that origin may still get, by each limit.
    pub(in crate::cli) fn at(&self, origin: &str) -> Result<Vec<(OriginLimit, Msat)>, Failure> {
        let Some((budget, caps)) = &self.origins else { return Ok(Vec::new()) };
        let of = budget.origin(origin);
        let caps = Caps { origin: of, ..caps.clone() };
        let used = self.ledger.map(|ledger| ledger.origin_used(origin, &caps)).transpose()?;
        let new = used.map_or(Some(Msat::ZERO), |used| used.new);
        let used = used.unwrap_or_default();
        let left = |most: Option<Msat>, used: Msat| Some(most?.checked_sub(used).unwrap_or(Msat::ZERO));
        let all = [
            (OriginLimit::New, new.and_then(|used| left(of.new, used))),
            (OriginLimit::Day, left(of.day, used.day)),
            (OriginLimit::Month, left(of.month, used.month)),
        ];
        Ok(all.into_iter().filter_map(|(limit, left)| Some((limit, left?))).collect())
    }
}

impl Chosen<'_> {
    /// Whose limits do not hold all that is bought there.
    pub(in crate::cli) fn short_origins(&self) -> Vec<OriginShort> {
        self.origins.iter().filter_map(AtOrigin::words).collect()
    }

    /// The limit of its origin that does not hold the job, where one does not.
    pub(super) fn limit_there(&mut self, job: &ToBuy) -> Result<Option<Reason>, Failure> {
        if self.room.origins.is_none() {
            return Ok(None);
        }
        let at = match self.at.get(&job.place) {
            Some(at) => *at,
            None => {
                let at = (self.origin_at)(job.place)?.map(|name| self.origin(name)).transpose()?;
                self.at.insert(job.place, at);
                at
            }
        };
        let of_origin = at.and_then(|at| self.origins.get_mut(at));
        let limit = of_origin.and_then(|origin| origin.limit_of(job.price.checked_add(job.fee_ceiling)));
        Ok(limit.map(OriginLimit::reason))
    }

    fn origin(&mut self, name: String) -> Result<usize, Failure> {
        if let Some(known) = self.origins.iter().position(|origin| origin.name == name) {
            return Ok(known);
        }
        let left = self.room.at(&name)?;
        self.origins.push(AtOrigin { name, left, ..AtOrigin::default() });
        Ok(self.origins.len().saturating_sub(1))
    }
}
