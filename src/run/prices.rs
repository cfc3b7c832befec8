//! What a run learns of prices: how much less than planned, or than a cap, it paid, and at which rates an origin asks something else than the plan.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::catalog::Priced;
use crate::ledger::PendingJob;
use crate::money::{Msat, alike};

/// So many price refusals in a row end the asking at a rate and price, and so many at any price of a rate, or above a cap.
const REFUSALS_MAX: u32 = 3;
const REFUSALS_OF_RATE_MAX: u32 = 10;

/// What was paid with less than the plan says, or than its cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cheaper {
    /// So many jobs.
    pub jobs: u64,
    /// So much less, in msat.
    pub saved: Msat,
}

impl Cheaper {
    /// And a job of that price, for which the seller was paid that amount.
    #[must_use]
    pub fn and(self, price: Msat, amount: Msat) -> Self {
        match price.checked_sub(amount) {
            None | Some(Msat::ZERO) => self,
            Some(less) => Self {
                jobs: self.jobs.saturating_add(1),
                saved: self.saved.checked_add(less).unwrap_or(Msat::new(u64::MAX)),
            },
        }
    }
}

/// Rates at which an origin refused the plan's price last. One stands for all jobs of its rate and price, and each refusal costs the origin a request
/// and an invoice: after a few in a row nobody is asked any more in this run. Above a cap a refusal says nothing of any other job: these are asked
/// until many in a row were refused, and what no run has asked for yet apart from the rest, so that the next run comes to others.
#[derive(Debug, Default)]
pub(super) struct PriceRefusals(RefCell<HashMap<RateGroup, Refused>>);

/// The jobs whose price follows from one rate, and is the same: a seller may ask more for short ones, or for long ones, alone. Of a cap it is those
/// that were tried before, or those that were not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RateGroup {
    endpoint: String,
    /// None for all prices of the rate.
    price: Option<Msat>,
    /// `mode=pro, generate_audio=true`; empty where there is one rate.
    chosen_by: String,
    /// Where the price is a cap, whether they were tried before.
    cap_tried: Option<bool>,
}

#[derive(Debug, Default)]
struct Refused {
    in_a_row: u32,
    /// What the last one said.
    words: String,
}

impl PriceRefusals {
    /// Why the job is not asked for, where its rate was refused too often.
    pub(super) fn shut(&self, job: &PendingJob) -> Option<String> {
        let refusals = self.0.borrow();
        if refusals.is_empty() {
            return None;
        }
        let of = |group| refusals.get(&group).filter(|refused: &&Refused| refused.in_a_row >= group.most());
        let refused = RateGroup::of(job).find_map(of)?;
        Some(format!("not asked for, since of another job {}, {} times in a row", refused.words, refused.in_a_row))
    }

    /// The origin asks for the job what the plan says, or less.
    pub(super) fn admitted(&self, job: &PendingJob) {
        let mut refusals = self.0.borrow_mut();
        if refusals.is_empty() {
            return;
        }
        for group in RateGroup::of(job) {
            // Once the others are left out, they stay so: what was in flight then decides nothing.
            if let Some(refused) = refusals.get_mut(&group).filter(|refused| refused.in_a_row < group.most()) {
                refused.in_a_row = 0;
            }
        }
    }

    /// The origin asks that amount for the job instead. Gives what is to be said where that ends the asking.
    pub(super) fn refused(&self, job: &PendingJob, asked: Msat) -> Option<String> {
        let words = prices(job, asked);
        // Of two the one that ends more.
        RateGroup::of(job).fold(None, |said, group| self.count(group, &words).or(said))
    }

    fn count(&self, group: RateGroup, words: &str) -> Option<String> {
        let most = group.most();
        let mut refusals = self.0.borrow_mut();
        let refused = refusals.entry(group.clone()).or_default();
        if refused.in_a_row < most {
            refused.in_a_row += 1;
            words.clone_into(&mut refused.words);
            (refused.in_a_row == most).then(|| group.words(words))
        } else {
            None
        }
    }
}

impl RateGroup {
    /// Of the job's price, unless that is a cap, and then of all prices of its rate.
    fn of(job: &PendingJob) -> impl Iterator<Item = Self> {
        let cap_tried = job.endpoint.price.is_cap.then_some(job.attempts > 0);
        let chosen_by = priced(job).map(|priced| priced.chosen_by).unwrap_or_default();
        let of_price = cap_tried.is_none().then_some(Some(job.price));
        of_price.into_iter().chain([None]).map(move |price| Self {
            endpoint: job.endpoint.name.clone(),
            price,
            chosen_by: chosen_by.clone(),
            cap_tried,
        })
    }

    const fn most(&self) -> u32 {
        match self.price {
            Some(_) => REFUSALS_MAX,
            None => REFUSALS_OF_RATE_MAX,
        }
    }

    fn words(&self, prices: &str) -> String {
        let Self { endpoint, price, chosen_by, cap_tried } = self;
        let of = if chosen_by.is_empty() { String::new() } else { format!(" ({chosen_by})") };
        let others = match (cap_tried, price) {
            (Some(false), _) => {
                "job of that endpoint is asked for the first time in this run, and the next run asks others"
            }
            (Some(true), _) => "job of that endpoint that was asked for before is asked for in this run",
            (None, Some(_)) => "job of that rate and price is asked for in this run",
            (None, None) => "job of that rate is asked for in this run",
        };
        let way_on = match cap_tried {
            Some(_) => "the cap is to be higher, raise at_most_sats",
            None => "the new price is right, set it",
        };
        format!(
            "{endpoint}{of}: {prices}, {} times in a row: no other {others}; where {way_on} in the manifest's \
             [endpoint.{endpoint}.price] or with --catalog FILE, plan, and run again",
            self.most()
        )
    }
}

fn priced(job: &PendingJob) -> Option<Priced> {
    let value_of = |name: &str| job.params.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    job.endpoint.price.price(value_of).ok()
}

/// `the origin asks 605 sats where the plan says 550 sats, which is 121 sats a second instead of 110 sats`; of a cap that it is above it
fn prices(job: &PendingJob, asked: Msat) -> String {
    if job.endpoint.price.is_cap {
        let [cap, asked] = alike([job.price, asked]);
        return format!("the origin asks {asked}, above the cap of {cap}");
    }
    // Of the least that a job costs no unit has its price.
    let by_rate = |priced: &Priced| priced.rate.checked_mul(priced.quantity) == Some(priced.price);
    let quantity = priced(job).filter(by_rate).map_or(1, |priced| priced.quantity);
    let unit = |amount: Msat| {
        (quantity > 1 && amount.get().is_multiple_of(quantity)).then(|| Msat::new(amount.get() / quantity))
    };
    let [planned_words, asked_words] = alike([job.price, asked]);
    let each = match (unit(job.price), unit(asked)) {
        (Some(planned), Some(asked)) => {
            let [planned, asked] = alike([planned, asked]);
            format!(", which is {asked} a {} instead of {planned}", job.endpoint.price.unit)
        }
        _ => String::new(),
    };
    format!("the origin asks {asked_words} where the plan says {planned_words}{each}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{Rate, Value};
    use crate::ledger::JobKey;
    use crate::ledger::fixtures::delivered_job;
    use crate::plan::ContentHash;

    fn job(mode: &str, seconds: i64) -> PendingJob {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut endpoint = Arc::unwrap_or_clone(delivered_job("a").endpoint);
        endpoint.name = "film".to_owned();
        endpoint.price.by = vec!["mode".to_owned()];
        endpoint.price.rates =
            ["std", "pro"].map(|mode| Rate { when: vec![text(mode)], rate: Msat::new(110_000) }).into();
        (endpoint.price.quantity, endpoint.price.unit) = (Some("seconds".to_owned()), "second".to_owned());
        PendingJob {
            key: JobKey(1),
            seq: 0,
            id: "a".to_owned(),
            take: 1,
            endpoint: Arc::new(endpoint),
            params: vec![("mode".to_owned(), text(mode)), ("seconds".to_owned(), Value::Integer(seconds))],
            content: ContentHash([0; 32]),
            price: Msat::new(110_000 * seconds.unsigned_abs()),
            fee_ceiling: Msat::ZERO,
            max_cost: None,
            attempts: 0,
        }
    }

    #[test]
    fn three_refusals_in_a_row_shut_their_rate_and_are_told_once() {
        let refusals = PriceRefusals::default();
        let dear = |seconds| refusals.refused(&job("pro", seconds), Msat::new(605_000));
        assert_eq!((dear(5), dear(5)), (None, None));
        // One that fits begins the count anew.
        refusals.admitted(&job("pro", 5));
        assert_eq!((dear(5), dear(5), refusals.shut(&job("pro", 5))), (None, None, None));
        let said = dear(5).unwrap();
        let prices =
            "the origin asks 605 sats where the plan says 550 sats, which is 121 sats a second instead of 110 sats";
        assert!(said.starts_with(&format!("film (mode=pro): {prices}, 3 times in a row: no other job")), "{said}");
        assert_eq!(dear(5), None, "said once");
        // What was in flight decides nothing any more.
        refusals.admitted(&job("pro", 5));
        let why = refusals.shut(&job("pro", 5)).unwrap();
        assert!(why.starts_with(&format!("not asked for, since of another job {prices}")), "{why}");
        assert_eq!(
            (refusals.shut(&job("std", 5)), refusals.shut(&job("pro", 10))),
            (None, None),
            "other rates and prices"
        );
    }

    #[test]
    fn above_a_cap_ten_in_a_row_are_refused_before_others_are_left_to_the_next_run() {
        let refusals = PriceRefusals::default();
        let capped = |attempts: u32| {
            let mut job = job("pro", 5);
            let mut endpoint = Arc::unwrap_or_clone(job.endpoint);
            endpoint.price.is_cap = true;
            (endpoint.price.by, endpoint.price.quantity) = (Vec::new(), None);
            endpoint.price.rates = vec![Rate { when: Vec::new(), rate: Msat::new(500_000) }];
            (job.endpoint, job.price, job.attempts) = (Arc::new(endpoint), Msat::new(500_000), attempts);
            job
        };
        let dear = |attempts| refusals.refused(&capped(attempts), Msat::new(605_000));
        for _ in 1..10 {
            assert_eq!(dear(1), None);
        }
        // The next run begins with those that were refused, and comes to the others all the same.
        let said = dear(2).unwrap();
        assert!(said.contains("10 times in a row: no other job of that endpoint that was asked for before"), "{said}");
        assert!(refusals.shut(&capped(7)).is_some());
        for _ in 0..9 {
            assert_eq!((refusals.shut(&capped(0)), dear(0)), (None, None));
        }
        // One within its cap begins the count anew.
        refusals.admitted(&capped(0));
        for _ in 0..9 {
            assert_eq!(dear(0), None);
        }
        assert_eq!(
            dear(0).unwrap(),
            "film: the origin asks 605 sats, above the cap of 500 sats, 10 times in a row: no other job of that endpoint is asked for \
             the first time in this run, and the next run asks others; where the cap is to be higher, raise at_most_sats in the \
             manifest's [endpoint.film.price] or with --catalog FILE, plan, and run again"
        );
        assert!(refusals.shut(&capped(0)).is_some());
    }

    #[test]
    fn what_is_saved_is_counted() {
        let cheaper = Cheaper::default().and(Msat::new(10), Msat::new(10)).and(Msat::new(10), Msat::new(7));
        assert_eq!(cheaper, Cheaper { jobs: 1, saved: Msat::new(3) });
    }
}
