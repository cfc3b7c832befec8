//! Sums that several commands show and check.

use crate::ledger::sqlite::{Books, Retake};
use crate::ledger::{BatchKey, Counts};
use crate::manifest::JobSource;
use crate::money::Msat;
use crate::plan::Plan;
use crate::plan::view::LeftToBuy;

use super::Failure;
use super::config::Choice;

/// What a batch has used of its limit: spent, with fees, and held, without what came back.
pub(super) fn used(counts: &Counts) -> Result<Msat, Failure> {
    let gross = sum([counts.spent, counts.fees, counts.held])?;
    Ok(gross.checked_sub(counts.refunded).unwrap_or(Msat::ZERO))
}

/// A sum of amounts.
pub(super) fn sum(amounts: impl IntoIterator<Item = Msat>) -> Result<Msat, Failure> {
    Msat::checked_sum(amounts)
        .ok_or_else(|| Failure::Internal("amounts add up to more money than there can be".to_owned()))
}

/// Adds a job.
pub(super) fn add(left: &mut LeftToBuy, price: Msat, fee_ceiling: Msat) -> Result<(), Failure> {
    left.jobs += 1;
    left.price = sum([left.price, price])?;
    left.fee_ceiling = sum([left.fee_ceiling, fee_ceiling])?;
    Ok(())
}

/// What of the plan running it would buy, given where its batch stands, if it has one. Nothing is written.
pub(super) fn left_to_buy(
    known: Option<(&Books, BatchKey)>,
    plan: &Plan,
    source: &dyn JobSource,
    choice: &Choice,
    retake: &Retake,
) -> Result<LeftToBuy, Failure> {
    let mut left = LeftToBuy { jobs: 0, price: Msat::ZERO, fee_ceiling: Msat::ZERO };
    // Read to the end in any case: only there is it certain that the manifest is still the one that was planned.
    for job in plan.jobs(source) {
        let job = job.map_err(Failure::Input)?;
        let wanted = choice.limit.is_none_or(|limit| left.jobs < limit)
            && (choice.only.is_empty() || choice.only.contains(&job.id));
        let bought = match known {
            Some((books, batch)) => wanted && books.would_buy(batch, retake, &job)?,
            None => wanted,
        };
        if bought {
            add(&mut left, job.priced.price, job.fee_ceiling)?;
        }
    }
    Ok(left)
}
