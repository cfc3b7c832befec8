//! Sums that several commands show and check.

use std::collections::HashSet;

use crate::ledger::Counts;
use crate::ledger::sqlite::ToBuy;
use crate::money::Msat;
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

/// What a run chooses of what there is to buy: what `--only` and `--limit` leave of it.
pub(super) struct Chosen<'a> {
    only: HashSet<&'a str>,
    limit: Option<u64>,
    /// What is bought.
    pub(super) left: LeftToBuy,
    /// Of which duplicates the run is a person's word, by their ids.
    pub(super) meant: Vec<String>,
}

impl<'a> Chosen<'a> {
    /// Nothing so far.
    pub(super) fn of(choice: &'a Choice) -> Self {
        Self {
            only: choice.only.iter().map(String::as_str).collect(),
            limit: choice.limit,
            left: LeftToBuy { jobs: 0, price: Msat::ZERO, fee_ceiling: Msat::ZERO },
            meant: Vec::new(),
        }
    }

    /// Offers the next job.
    pub(super) fn add(&mut self, job: ToBuy) -> Result<(), Failure> {
        let wanted = self.only.is_empty() || self.only.contains(job.id.as_str());
        if wanted && self.limit.is_none_or(|limit| self.left.jobs < limit) {
            add(&mut self.left, job.price, job.fee_ceiling)?;
            if job.is_duplicate {
                self.meant.push(job.id);
            }
        }
        Ok(())
    }
}
