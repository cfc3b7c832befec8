//! Payments of another ledger are brought into this one, in one transaction of any store: each is looked up beside what is known here,
//! decided and written before the next, since several may be for one job.

use super::decide::Write;
use super::decide::merge::{MergeLookup, MergeWrite, Side, left_to_a_person, merge};
use super::{Merged, PaymentKey};
use crate::l402::PaymentHash;
use crate::time::UnixMs;

/// Payments of the other ledger that are looked up together.
const CHUNK: usize = 256;

/// One transaction of a store, into which another ledger is merged.
pub trait MergeDesk: MergeLookup {
    /// Up to so many payments of the other ledger whose jobs are here, in the order of keys after that one; keys are that ledger's.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn theirs(&self, after: Option<PaymentKey>, most: usize) -> Result<Vec<Side>, Self::Error>;

    /// The payment of that hash, as it is known here.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn ours(&self, hash: PaymentHash) -> Result<Option<Side>, Self::Error>;

    /// Payments here that are known by their receipts alone, and whose jobs are paid and no more.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn without_credential(&self) -> Result<Vec<Side>, Self::Error>;

    /// Writes, in this order.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn apply(&mut self, writes: &[MergeWrite]) -> Result<(), Self::Error>;
}

/// Brings in every payment of the other ledger, in the order of intents, and notes what a person hears of it.
///
/// # Errors
/// Where the store cannot be used, or the two ledgers do not fit together. The transaction is to be rolled back.
pub fn merge_payments<D: MergeDesk>(desk: &mut D, now: UnixMs, merged: &mut Merged) -> Result<(), D::Error> {
    let mut after = None;
    loop {
        let chunk = desk.theirs(after, CHUNK)?;
        let Some(last) = chunk.last() else { return Ok(()) };
        after = Some(last.payment.key);
        for theirs in &chunk {
            let ours = desk.ours(theirs.payment.hash)?;
            let is_new = ours.is_none();
            let ruling = merge(desk, now, theirs, ours)?;
            desk.apply(&ruling.writes)?;
            merged.payments = merged.payments.saturating_add(is_new.into());
            merged.changed = merged.changed.saturating_add(ruling.is_changed.into());
            merged.doubled.extend(ruling.doubled);
        }
    }
}

/// Leaves to a person what is paid for and cannot be asked for, as its credential is gone.
///
/// # Errors
/// Where the store cannot be used.
pub fn leave_to_a_person<D: MergeDesk>(desk: &mut D) -> Result<(), D::Error> {
    let left = desk.without_credential()?;
    let writes = left.iter().filter_map(left_to_a_person).map(|job| MergeWrite::Row(Write::Job(Box::new(job))));
    desk.apply(&writes.collect::<Vec<_>>())
}
