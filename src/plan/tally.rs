//! Counting jobs by endpoint and rate.

use std::sync::Arc;

use super::Group;
use super::form::Form;
use crate::catalog::{Endpoint, Quote, Value};
use crate::money::Msat;

/// The endpoints in use, in order of their first job, and their jobs by rate.
#[derive(Default)]
pub(super) struct Tallies {
    used: Vec<Used>,
    /// The endpoint of the job before: most often that of the next one too.
    last: usize,
}

struct Used {
    endpoint: Arc<Endpoint>,
    form: Form,
    /// By the position of the rate in the price rule.
    rates: Vec<Tally>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    job_count: u64,
    quantity: u64,
    total: Msat,
}

impl Tallies {
    /// The position and the form of an endpoint, which from now on is in use.
    pub(super) fn enter(&mut self, endpoint: &Arc<Endpoint>) -> (usize, &Form) {
        if !self.used.get(self.last).is_some_and(|used| Arc::ptr_eq(&used.endpoint, endpoint)) {
            let same = |used: &Used| Arc::ptr_eq(&used.endpoint, endpoint) || used.endpoint == *endpoint;
            self.last = self.used.iter().position(same).unwrap_or_else(|| {
                let rates = vec![Tally::default(); endpoint.price.rates.len()];
                let first = self.endpoints().find(|other| other.sends_like(endpoint));
                let form = Form::new(endpoint, first.map(|first| &**first));
                self.used.push(Used { endpoint: Arc::clone(endpoint), form, rates });
                self.used.len() - 1
            });
        }
        (self.last, &self.used[self.last].form)
    }

    /// Counts one job; nothing where a sum does not fit.
    pub(super) fn count(&mut self, endpoint_index: usize, quote: &Quote) -> Option<()> {
        let tally = self.used.get_mut(endpoint_index)?.rates.get_mut(quote.rate_index)?;
        *tally = Tally {
            job_count: tally.job_count.checked_add(1)?,
            quantity: tally.quantity.checked_add(quote.quantity)?,
            total: tally.total.checked_add(quote.price)?,
        };
        Some(())
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.used.iter().map(|used| &used.endpoint)
    }

    /// The groups that have jobs, by endpoint's name and then in the order of its rates.
    pub(super) fn groups(&self) -> Vec<Group> {
        let mut used: Vec<&Used> = self.used.iter().collect();
        used.sort_by(|a, b| a.endpoint.name.cmp(&b.endpoint.name));
        used.into_iter().flat_map(Used::groups).collect()
    }
}

impl Used {
    fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        let rule = &self.endpoint.price;
        let counted = rule.rates.iter().zip(&self.rates).enumerate().filter(|(_, (_, tally))| tally.job_count > 0);
        counted.map(|(rate_index, (rate, tally))| Group {
            endpoint: self.endpoint.name.clone(),
            chosen_by: chosen_by(&self.endpoint, rate_index),
            rate_msat: rate.rate,
            unit: rule.unit.clone(),
            is_cap: rule.is_cap,
            is_reusable: self.endpoint.is_reusable(),
            minimum_msat: rule.scale.minimum,
            job_count: tally.job_count,
            quantity: tally.quantity,
            total_msat: tally.total,
        })
    }
}

/// The values that choose a rate, in words.
pub(super) fn chosen_by(endpoint: &Endpoint, rate_index: usize) -> String {
    let rule = &endpoint.price;
    let when: &[Value] = rule.rates.get(rate_index).map_or(&[], |rate| rate.when.as_slice());
    rule.chosen_by(|at| when.get(at))
}
