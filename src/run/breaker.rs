//! The breaker of rule 10: an endpoint that took payments in a row and delivered none gets no more.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::ledger::JobKey;

/// Counts, by endpoint, the paid jobs in a row that were not delivered.
///
/// Until an endpoint has delivered once in this run, no more than that many of its purchases are under way together: an
/// origin that takes the money and only then hangs would otherwise have sold to every job in flight before the first
/// verdict.
#[derive(Debug)]
pub(super) struct Breaker {
    most: usize,
    endpoints: RefCell<HashMap<String, Record>>,
}

/// What this run knows of an endpoint.
#[derive(Debug, Default)]
struct Record {
    /// It has delivered in this run.
    proven: bool,
    /// Bought or being bought, and not delivered.
    out: HashSet<JobKey>,
    /// Paid and answered without a delivery, since the last one.
    undelivered: HashSet<JobKey>,
}

impl Breaker {
    pub(super) fn new(most: u32) -> Self {
        Self { most: usize::try_from(most.max(1)).unwrap_or(usize::MAX), endpoints: RefCell::default() }
    }

    /// A purchase is under way, or is paid.
    pub(super) fn begin(&self, endpoint: &str, job: JobKey) {
        self.with(endpoint, |record| record.out.insert(job));
    }

    /// The purchase did not come about, or nobody knows: others may be tried.
    pub(super) fn withdraw(&self, endpoint: &str, job: JobKey) {
        self.with(endpoint, |record| record.out.remove(&job));
    }

    /// The endpoint delivered: all is well with it.
    pub(super) fn delivered(&self, endpoint: &str, job: JobKey) {
        self.with(endpoint, |record| {
            record.proven = true;
            record.out.remove(&job);
            record.undelivered.clear();
        });
    }

    /// A paid job was not delivered so far. Returns whether this very job opened the breaker.
    pub(super) fn undelivered(&self, endpoint: &str, job: JobKey) -> bool {
        self.with(endpoint, |record| {
            record.out.insert(job);
            record.undelivered.insert(job) && record.undelivered.len() == self.most
        })
    }

    /// The endpoints that get no more payments, by name.
    pub(super) fn open_endpoints(&self) -> Vec<String> {
        let endpoints = self.endpoints.borrow();
        let open = endpoints.iter().filter(|(_, record)| record.undelivered.len() >= self.most);
        let mut open: Vec<String> = open.map(|(name, _)| name.clone()).collect();
        open.sort();
        open
    }

    /// Whether the endpoint took payments in a row and delivered none.
    pub(super) fn is_open(&self, endpoint: &str) -> bool {
        self.endpoints.borrow().get(endpoint).is_some_and(|record| record.undelivered.len() >= self.most)
    }

    /// Whether another purchase may begin at the endpoint now.
    pub(super) fn has_room(&self, endpoint: &str) -> bool {
        let admits =
            |record: &Record| record.undelivered.len() < self.most && (record.proven || record.out.len() < self.most);
        self.endpoints.borrow().get(endpoint).is_none_or(admits)
    }

    fn with<T>(&self, endpoint: &str, change: impl FnOnce(&mut Record) -> T) -> T {
        change(self.endpoints.borrow_mut().entry(endpoint.to_owned()).or_default())
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
        assert!(!breaker.has_room("a"));
        assert!(!breaker.is_open("b"));
        breaker.delivered("a", JobKey(1));
        assert!(!breaker.is_open("a"));
        assert!(breaker.has_room("a"));
    }

    #[test]
    fn who_has_not_delivered_yet_is_tried_with_a_few() {
        let breaker = Breaker::new(2);
        breaker.begin("a", JobKey(1));
        assert!(breaker.has_room("a"));
        breaker.begin("a", JobKey(2));
        assert!(!breaker.has_room("a"));
        assert!(!breaker.is_open("a"), "nothing speaks against it so far");
        assert!(breaker.has_room("b"));
        breaker.withdraw("a", JobKey(2));
        assert!(breaker.has_room("a"), "a purchase that did not come about is no risk");
        breaker.begin("a", JobKey(3));
        breaker.delivered("a", JobKey(1));
        for job in 4..100 {
            breaker.begin("a", JobKey(job));
            assert!(breaker.has_room("a"), "who delivers gets all that there is");
        }
    }
}
