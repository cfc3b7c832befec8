//! What all jobs of a run share, and what each counts in there while it is under way.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::balance::Balance;
use super::bounds::{Bounds, Buying};
use super::identical::IdenticalRequests;
use super::node_health::NodeHealth;
use super::pace::Pace;
use super::prices::{Cheaper, PriceRefusals};
use super::refund::Claims;
use super::tokens::Tokens;
use crate::ledger::JobKey;
use crate::purchase::Reason;
use crate::time::UnixMs;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) pace: Pace,
    /// Payments at the node: from the intent on, until the ledger is told that it is paid, dead or in doubt.
    pub(super) slots: Semaphore,
    /// Purchases from before they are asked for until their slot is given back. Some more than slots: while payments go on, others
    /// are asked for, so that a checked challenge stands ready when a slot is free.
    pub(super) asks: Semaphore,
    /// Requests with pictures that are built at once.
    pub(super) builders: Semaphore,
    pub(super) node_health: NodeHealth,
    pub(super) bounds: Bounds,
    /// Hosts whose poll addresses do not answer: each is told of once, until it answers again.
    pub(super) silent: RefCell<HashSet<String>>,
    pub(super) identical: IdenticalRequests,
    /// Tokens that serve several jobs.
    pub(super) tokens: Tokens,
    /// Refunds to claim.
    pub(super) claims: Claims,
    /// Jobs that hold a place among the jobs in flight.
    pub(super) in_flight: Cell<usize>,
    /// What is left to buy, and who waits for the node.
    pub(super) balance: Balance,
    /// What it buys, and through which node; none in a run that buys nothing.
    pub(super) buying: Option<Buying>,
    /// How far the node's clock is ahead of ours.
    pub(super) node_ahead_ms: Cell<i64>,
    /// Until then slots are taken before it is asked for a challenge: payments take long.
    pub(super) slots_first_until: Cell<UnixMs>,
    /// What was paid with less than the plan says.
    pub(super) cheaper: Cell<Cheaper>,
    /// What was paid with less than the plan's cap.
    pub(super) below_cap: Cell<Cheaper>,
    /// Jobs that another one's token served.
    pub(super) served: Cell<u64>,
    /// Rates at which another price is asked.
    pub(super) price_refusals: PriceRefusals,
    /// The first limit that was reached.
    pub(super) limit_hit: RefCell<Option<(Reason, String)>>,
    /// Jobs that a person gave up and whose node has still to be asked whether they settled after all: nothing is bought in their
    /// place before that.
    pub(super) abandoned_lookups: Cell<usize>,
    /// The node was asked which payment it has settled last, if that was needed.
    pub(super) has_asked_for_settlement: Cell<bool>,
    /// Nothing but doubt is left, and the run has waited long enough.
    pub(super) doubt_timed_out: Cell<bool>,
    pub(super) doubt_timeout: Notify,
    /// Something changed that the run's loop cannot see by itself: a place is free, or the node is in trouble.
    pub(super) wake: Notify,
}

impl Shared {
    /// The permit to ask for a challenge that a node is ready to pay; none once the gate is closed.
    pub(super) async fn may_ask(&self, job: JobKey) -> Option<MayAsk<'_>> {
        loop {
            let waits = self.balance.wait();
            self.wake.notify_one();
            if !self.node_health.opened().await {
                return None;
            }
            drop(waits);
            let permit = self.asks.acquire().await.ok()?;
            // It may have fallen into trouble while this one stood in line.
            if self.node_health.is_open() {
                return Some(MayAsk::with(permit, self, job));
            }
        }
    }
}

/// That a job may be asked for, and may wait for a slot with its challenge, until it is dropped.
pub(super) struct MayAsk<'a> {
    shared: &'a Shared,
    job: JobKey,
    permit: Option<SemaphorePermit<'a>>,
}

impl<'a> MayAsk<'a> {
    fn with(permit: SemaphorePermit<'a>, shared: &'a Shared, job: JobKey) -> Self {
        shared.bounds.enter_slots(job);
        Self { shared, job, permit: Some(permit) }
    }

    /// Another job may be asked for. What the ledger holds of this one is still counted as its own.
    pub(super) fn give_on(&mut self) {
        self.permit = None;
    }
}

impl Drop for MayAsk<'_> {
    fn drop(&mut self) {
        self.shared.bounds.leave_slots(self.job);
    }
}

/// A place among the jobs in flight, given back when dropped.
pub(super) struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    pub(super) fn take(shared: &'a Shared) -> Self {
        shared.in_flight.set(shared.in_flight.get().saturating_add(1));
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        self.0.wake.notify_one();
    }
}

/// That a job is still to be looked back at, until it is dropped.
pub(super) struct LooksBack<'a>(&'a Shared);

impl<'a> LooksBack<'a> {
    pub(super) fn begin(shared: &'a Shared) -> Self {
        shared.abandoned_lookups.set(shared.abandoned_lookups.get().saturating_add(1));
        Self(shared)
    }
}

impl Drop for LooksBack<'_> {
    fn drop(&mut self) {
        self.0.abandoned_lookups.set(self.0.abandoned_lookups.get().saturating_sub(1));
        self.0.wake.notify_one();
    }
}
