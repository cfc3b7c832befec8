//! Sums that several commands show and check.

use crate::ledger::sqlite::Books;
use crate::ledger::{BatchKey, Counts};
use crate::manifest::JobSource;
use crate::money::Msat;
use crate::plan::Plan;
use crate::plan::view::LeftToBuy;

use super::Failure;

/// What a batch has used of its limit: spent, with fees, and held.
pub(super) fn used(counts: &Counts) -> Result<Msat, Failure> {
    sum([counts.spent, counts.fees, counts.held])
}

/// A sum of amounts.
pub(super) fn sum(amounts: impl IntoIterator<Item = Msat>) -> Result<Msat, Failure> {
    Msat::checked_sum(amounts)
        .ok_or_else(|| Failure::Internal("amounts add up to more money than there can be".to_owned()))
}

/// What of the plan running it would buy, given where the batch stands. Nothing is written.
pub(super) fn left_to_buy(
    books: &Books,
    batch: BatchKey,
    plan: &Plan,
    source: &dyn JobSource,
) -> Result<LeftToBuy, Failure> {
    let mut left = LeftToBuy { jobs: 0, price: Msat::ZERO, fee_ceiling: Msat::ZERO };
    for job in plan.jobs(source) {
        let job = job.map_err(Failure::Input)?;
        if books.would_buy(batch, &job)? {
            left.jobs += 1;
            left.price = sum([left.price, job.priced.price])?;
            left.fee_ceiling = sum([left.fee_ceiling, job.fee_ceiling])?;
        }
    }
    Ok(left)
}
