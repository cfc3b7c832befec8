//! What of the bounds on endpoints and on doubt (rule 10) a run has to know itself: which of its purchases are about to
//! begin, and what was said about those that may not. The counts are the ledger's.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use url::Position;

use crate::catalog::Endpoint;
use crate::event::Event;
use crate::ledger::{Asking, BatchKey, HeldBack, IntentBounds, JobKey};
use crate::payer::NodeInfo;
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

/// The bounds as this run meets them.
#[derive(Default)]
pub(super) struct Bounds {
    /// Purchases between their admission and their intent.
    about: RefCell<HashMap<JobKey, Arc<Endpoint>>>,
    /// Those that may be asked for, until their payment is paid, dead or in doubt: they have a slot or wait for one.
    in_slots: RefCell<BTreeSet<JobKey>>,
    /// How many payments this run has left open and without a slot so far.
    left_open: Cell<u64>,
    /// Endpoints, by name, that have delivered in this run: they are on trial no more.
    proven: RefCell<BTreeSet<String>>,
    /// Endpoints, by name, at which nothing may begin, as of the last look.
    endpoints: RefCell<BTreeMap<String, HeldBack>>,
    /// The same of the node.
    node: RefCell<Option<HeldBack>>,
    said_of_endpoints: RefCell<BTreeSet<String>>,
    said_of_node: Cell<bool>,
}

impl Bounds {
    /// A purchase is about to begin.
    pub(super) fn begin(&self, job: JobKey, endpoint: &Arc<Endpoint>) {
        self.about.borrow_mut().insert(job, Arc::clone(endpoint));
    }

    /// It may be asked for: whatever else begins at the node now counts it.
    pub(super) fn enter_slots(&self, job: JobKey) {
        self.in_slots.borrow_mut().insert(job);
    }

    /// It has no slot any more, and waits for none.
    pub(super) fn leave_slots(&self, job: JobKey) {
        self.in_slots.borrow_mut().remove(&job);
    }

    /// A payment is left open, and its slot is free: what was known of the node's room before is old.
    pub(super) fn leave_open(&self) {
        self.left_open.set(self.left_open.get().saturating_add(1));
    }

    /// How many payments were left open so far.
    pub(super) fn left_open(&self) -> u64 {
        self.left_open.get()
    }

    /// The ledger counts it from now on, or it does not begin.
    pub(super) fn end(&self, job: JobKey) {
        self.about.borrow_mut().remove(&job);
    }

    /// What else is about to begin there, with so many payment slots in all.
    pub(super) fn asking(&self, job: JobKey, endpoint: &Endpoint, slots: u32) -> Asking {
        let url = &endpoint.url;
        let about = self.about.borrow();
        let in_slots: Vec<JobKey> = self.in_slots.borrow().iter().copied().collect();
        let others = in_slots.iter().filter(|key| **key != job).count();
        let others = u64::try_from(others).unwrap_or(u64::MAX);
        let mut asking =
            Asking { slots: others.min(u64::from(slots).saturating_sub(1)), in_slots, ..Asking::default() };
        for (_, other) in about.iter().filter(|(key, _)| **key != job) {
            asking.endpoint += u64::from(other.url[..Position::AfterPath] == url[..Position::AfterPath]);
            asking.origin += u64::from((other.url.host_str(), other.url.port()) == (url.host_str(), url.port()));
        }
        asking
    }

    /// The endpoint has delivered.
    pub(super) fn delivers(&self, endpoint: &str) {
        if !self.proven.borrow().contains(endpoint) {
            self.proven.borrow_mut().insert(endpoint.to_owned());
        }
    }

    /// Whether nothing is known to speak against the endpoint's next purchase: its trial is over, and the last look found room.
    /// Each job is looked at once more before it is asked for.
    pub(super) fn has_room(&self, endpoint: &str) -> bool {
        self.proven.borrow().contains(endpoint)
            && self.node.borrow().is_none()
            && !self.endpoints.borrow().contains_key(endpoint)
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

    /// Whether only a person, another day, or a delivery that nothing promises, lets the endpoint have more.
    pub(super) fn is_shut(&self, endpoint: &str, now: UnixMs) -> bool {
        let endpoints = self.endpoints.borrow();
        endpoints.get(endpoint).is_some_and(|held| held.is_shut(now))
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
