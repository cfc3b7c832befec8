//! Which refunds a run has still to claim.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::ledger::PaymentKey;

/// Refunds that are claimed at once.
const CLAIMS_MAX: usize = 8;

/// The refunds of a run that are still to be claimed.
#[derive(Default)]
pub(in crate::run) struct Claims {
    waiting: RefCell<VecDeque<(PaymentKey, Offer)>>,
    handed_over: RefCell<Vec<PaymentKey>>,
    under_way: Cell<usize>,
}

/// When a refund was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Earlier,
    InThisRun,
    /// Claimed in this run, and to be looked for once more.
    Claimed,
}

impl Claims {
    /// Offers of earlier runs.
    pub(in crate::run) fn found(&self, payments: Vec<PaymentKey>) {
        self.waiting.borrow_mut().extend(payments.into_iter().map(|payment| (payment, Offer::Earlier)));
    }

    /// An offer that has just been made.
    pub(in crate::run) fn offered(&self, payment: PaymentKey) {
        self.waiting.borrow_mut().push_back((payment, Offer::InThisRun));
    }

    /// At the end of the run, what it has claimed is looked for once more. Whether there is any such.
    pub(in crate::run) fn look_again(&self) -> bool {
        let handed_over = self.handed_over.take();
        let any = !handed_over.is_empty();
        self.waiting.borrow_mut().extend(handed_over.into_iter().map(|payment| (payment, Offer::Claimed)));
        any
    }

    /// Its invoice is with the other side: looked for once more at the end of the run.
    pub(super) fn handed_over(&self, payment: PaymentKey) {
        self.handed_over.borrow_mut().push(payment);
    }

    /// Leaves what earlier runs have left to the next one: what was offered in this run is claimed once in any case.
    pub(in crate::run) fn only_new(&self) {
        self.waiting.borrow_mut().retain(|(_, offer)| *offer == Offer::InThisRun);
    }

    pub(super) fn next(&self) -> Option<(PaymentKey, Offer)> {
        if self.under_way.get() >= CLAIMS_MAX {
            return None;
        }
        let next = self.waiting.borrow_mut().pop_front()?;
        self.under_way.set(self.under_way.get().saturating_add(1));
        Some(next)
    }

    /// One that was taken is under way no more.
    pub(super) fn done(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
    }
}
