//! What of the bounds on endpoints and on doubt (rule 10) a run has to know itself: which of its purchases are about to
//! begin, and what was said about those that may not. The counts are the ledger's.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::Endpoint;
use crate::event::Event;
use crate::ledger::{Asking, BatchKey, HeldBack, IntentBounds, JobKey, endpoint_and_origin};
use crate::payer::NodeInfo;
use crate::purchase::Reason;
use crate::time::UnixMs;

use super::Settings;

/// What a run that buys is about.
pub(super) struct Buying {
    pub(super) batch: BatchKey,
    /// The node that pays.
    pub(super) node: NodeInfo,
    /// How far purchases may go.
    pub(super) bounds: IntentBounds,
}

impl Buying {
    pub(super) fn new(batch: BatchKey, node: NodeInfo, settings: &Settings, run_began: UnixMs) -> Self {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let bounds = IntentBounds {
            max_undelivered: settings.max_undelivered,
            max_doubt: small(settings.max_doubt),
            payments_in_flight: small(settings.payments_in_flight),
            run_began,
            is_play: settings.is_play,
        };
        Self { batch, node, bounds }
    }
}

/// A purchase between its admission and its intent.
struct About {
    endpoint: String,
    origin: String,
    in_slot: bool,
}

/// The bounds as this run meets them.
#[derive(Default)]
pub(super) struct Bounds {
    about: RefCell<HashMap<JobKey, About>>,
    /// Endpoints, by name, at which nothing may begin, as of the last look.
    endpoints: RefCell<BTreeMap<String, HeldBack>>,
    /// The same of the node.
    node: RefCell<Option<HeldBack>>,
    said_of_endpoints: RefCell<BTreeSet<String>>,
    said_of_node: Cell<bool>,
}

impl Bounds {
    /// A purchase is about to begin.
    pub(super) fn begin(&self, job: JobKey, endpoint: &Endpoint) {
        let (endpoint, origin) = endpoint_and_origin(&endpoint.url);
        self.about.borrow_mut().insert(job, About { endpoint, origin, in_slot: false });
    }

    /// It has a payment slot.
    pub(super) fn enter_slot(&self, job: JobKey, endpoint: &Endpoint) {
        self.begin(job, endpoint);
        if let Some(about) = self.about.borrow_mut().get_mut(&job) {
            about.in_slot = true;
        }
    }

    /// The ledger counts it from now on, or it does not begin.
    pub(super) fn end(&self, job: JobKey) {
        self.about.borrow_mut().remove(&job);
    }

    /// What else is about to begin there.
    pub(super) fn asking(&self, job: JobKey, endpoint: &Endpoint) -> Asking {
        let (endpoint, origin) = endpoint_and_origin(&endpoint.url);
        let about = self.about.borrow();
        let mut asking = Asking::default();
        for (_, other) in about.iter().filter(|(key, _)| **key != job) {
            asking.endpoint += u64::from(other.endpoint == endpoint);
            asking.origin += u64::from(other.origin == origin);
            asking.node += u64::from(other.in_slot);
        }
        asking
    }

    /// Keeps what was learnt, and gives what is to be told of it.
    pub(super) fn note(&self, endpoint: &str, held: Option<&HeldBack>, now: UnixMs) -> Option<Event> {
        let of_node = held.filter(|held| held.is_of_node());
        self.node.replace(of_node.cloned());
        if of_node.is_none() {
            match held {
                Some(held) => self.endpoints.borrow_mut().insert(endpoint.to_owned(), held.clone()),
                None => self.endpoints.borrow_mut().remove(endpoint),
            };
        }
        let paused = |held: &HeldBack| Some(Event::Paused { cause: held.to_string() });
        match held {
            Some(held) if held.is_of_node() => {
                if held.is_alarming(now) && !self.said_of_node.replace(true) {
                    paused(held)
                } else {
                    None
                }
            }
            Some(held) => {
                let new = held.is_alarming(now) && self.said_of_endpoints.borrow_mut().insert(endpoint.to_owned());
                if new { paused(held) } else { None }
            }
            None => {
                self.said_of_endpoints.borrow_mut().remove(endpoint);
                self.said_of_node.replace(false).then_some(Event::Resumed)
            }
        }
    }

    /// Whether only a person, or a delivery that nothing promises, lets the endpoint have more.
    pub(super) fn is_shut(&self, endpoint: &str, now: UnixMs) -> bool {
        let endpoints = self.endpoints.borrow();
        endpoints.get(endpoint).is_some_and(|held| held.reason() == Reason::BreakerOpen && held.is_alarming(now))
    }

    /// Whether another process may be about to let purchases begin that may not now.
    pub(super) fn may_change_elsewhere(&self) -> bool {
        let of_node = self.node.borrow();
        of_node.iter().chain(self.endpoints.borrow().values()).any(HeldBack::may_change_elsewhere)
    }

    /// What holds the node back, as of the last look.
    pub(super) fn of_node(&self) -> Option<HeldBack> {
        self.node.borrow().clone()
    }

    /// What holds endpoints back, by name, as of the last look.
    pub(super) fn of_endpoints(&self) -> BTreeMap<String, HeldBack> {
        self.endpoints.borrow().clone()
    }
}
