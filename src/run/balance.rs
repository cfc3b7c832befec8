//! Whether the node's channels hold enough for anything that is left to buy, once they could not send so much.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crate::money::Msat;

/// What is left to buy, and who waits for a node that cannot pay now.
#[derive(Debug, Default)]
pub(super) struct Balance {
    /// How many jobs are left at each price, as far as that is known; at zero those whose price is a cap.
    left: RefCell<BTreeMap<Msat, u64>>,
    waiting: Cell<usize>,
    /// The channels could not send so much, and nobody has looked since how much they hold.
    is_unknown: Cell<bool>,
}

/// A job that waits, until it is dropped.
pub(super) struct Waits<'a>(&'a Balance);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }
}

impl Balance {
    /// With so many jobs left at each price.
    pub(super) fn of(left: BTreeMap<Msat, u64>) -> Self {
        Self { left: RefCell::new(left), ..Self::default() }
    }

    /// A job waits for the node.
    pub(super) fn wait(&self) -> Waits<'_> {
        self.waiting.set(self.waiting.get().saturating_add(1));
        Waits(self)
    }

    /// Jobs that wait for the node.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// A job of that price is not left to buy any more.
    pub(super) fn bought(&self, price: Msat) {
        let mut left = self.left.borrow_mut();
        if let Some(jobs) = left.get_mut(&price) {
            *jobs = jobs.saturating_sub(1);
            if *jobs == 0 {
                left.remove(&price);
            }
        }
    }

    /// A job of that price is left to buy again: what was sent for it is dead.
    pub(super) fn left_again(&self, price: Msat) {
        let mut left = self.left.borrow_mut();
        let jobs = left.entry(price).or_default();
        *jobs = jobs.saturating_add(1);
    }

    /// The channels could not send so much.
    pub(super) fn fell_short(&self) {
        self.is_unknown.set(true);
    }

    /// Whether to look how much they hold: once each time that they could not send so much.
    pub(super) fn takes_look(&self) -> bool {
        self.is_unknown.replace(false)
    }

    /// That they hold less than the cheapest job that is left costs.
    pub(super) fn too_little(&self, held: Msat) -> Option<String> {
        let (cheapest, _) = self.left.borrow().first_key_value().map(|(price, jobs)| (*price, *jobs))?;
        (held < cheapest).then(|| {
            let (held, cheapest) = (held.sats_floor(), cheapest.sats_ceil());
            format!("the node's channels hold {held}, and the cheapest job that is left costs {cheapest} by the plan")
        })
    }
}
