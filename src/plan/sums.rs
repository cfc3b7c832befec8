//! The sums of a plan by what stands in a column.

use super::appraise::TOO_LARGE;
use super::column::{Column, Groups, NoSums};
use super::{Plan, Totals};
use crate::diagnostic::Diagnostic;
use crate::manifest::JobSource;

/// A plan's sums by a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The column.
    pub by: Column,
    /// What stands there, and what those jobs come to; in the order of their first ones.
    pub groups: Vec<(Option<String>, Totals)>,
}

/// Why a plan is not summed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSummed {
    /// The manifest is no longer the one that was planned.
    Manifest(Vec<Diagnostic>),
    /// The column does not do.
    Column(NoSums),
}

impl Plan {
    /// What the jobs come to by a column. Reads the manifest again.
    ///
    /// # Errors
    /// Where the manifest has changed since it was planned, no job has anything in such a column, or too much stands there.
    pub fn sums(&self, source: &dyn JobSource, by: &Column) -> Result<Sums, NotSummed> {
        let mut groups: Groups<'_, Totals> = Groups::by(by);
        for job in self.jobs(source) {
            let job = job.map_err(NotSummed::Manifest)?;
            let of = (job.endpoint.name.as_str(), job.params.as_slice(), job.extra.as_slice());
            let (_, totals) = groups.of(of).map_err(NotSummed::Column)?;
            let with = totals.with(job.priced.price, job.is_capped(), job.fee_ceiling);
            *totals = with.ok_or_else(|| {
                NotSummed::Manifest(vec![Diagnostic::error(source.file(), format!("the group's total is {TOO_LARGE}"))])
            })?;
        }
        Ok(Sums { by: by.clone(), groups: groups.finish().map_err(NotSummed::Column)? })
    }
}
