//! The breaker of rule 10: an endpoint that took payments in a row and delivered none gets no more.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::ledger::JobKey;

/// Counts, by endpoint, the paid jobs in a row that were not delivered.
#[derive(Debug)]
pub(super) struct Breaker {
    most: u32,
    undelivered: RefCell<HashMap<String, HashSet<JobKey>>>,
}

impl Breaker {
    pub(super) fn new(most: u32) -> Self {
        Self { most: most.max(1), undelivered: RefCell::default() }
    }

    /// The endpoint delivered: all is well with it.
    pub(super) fn delivered(&self, endpoint: &str) {
        self.undelivered.borrow_mut().remove(endpoint);
    }

    /// A paid job was not delivered so far. Returns whether this very job opened the breaker.
    pub(super) fn undelivered(&self, endpoint: &str, job: JobKey) -> bool {
        let mut undelivered = self.undelivered.borrow_mut();
        let jobs = undelivered.entry(endpoint.to_owned()).or_default();
        let fresh = jobs.insert(job);
        fresh && jobs.len() == usize::try_from(self.most).unwrap_or(usize::MAX)
    }

    /// The endpoints that get no more payments, by name.
    pub(super) fn open_endpoints(&self) -> Vec<String> {
        let names: Vec<String> = self.undelivered.borrow().keys().cloned().collect();
        let mut open: Vec<String> = names.into_iter().filter(|name| self.is_open(name)).collect();
        open.sort();
        open
    }

    /// Whether the endpoint gets no more payments.
    pub(super) fn is_open(&self, endpoint: &str) -> bool {
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        self.undelivered.borrow().get(endpoint).is_some_and(|jobs| jobs.len() >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_nth_in_a_row_and_closes_on_delivery() {
        let breaker = Breaker::new(2);
        assert!(!breaker.undelivered("a", JobKey(1)));
        assert!(!breaker.undelivered("a", JobKey(1)), "the same job again is no second one");
        assert!(!breaker.is_open("a"));
        assert!(breaker.undelivered("a", JobKey(2)));
        assert!(breaker.is_open("a"));
        assert!(!breaker.is_open("b"));
        breaker.delivered("a");
        assert!(!breaker.is_open("a"));
    }
}
