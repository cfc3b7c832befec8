//! Another ledger's payments brought into this one. Nothing that either has paid is lost, and nothing counts as dead that may settle.

mod combine;
mod payment;
mod place;
mod receipt;
#[cfg(test)]
mod tests;
mod write;

use crate::ledger::{BatchKey, JobKey, PaymentKey};
use crate::plan::ContentHash;

use super::{Job, Payment, Refund, Take, Unfit};

pub use payment::merge;
pub use receipt::{Proof, left_to_a_person, stands_twice};
pub use write::MergeWrite;

/// A payment as one ledger knows it, with the job that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub payment: Payment,
    pub job: Job,
    /// What was bought; receipts alone do not tell.
    pub content: ContentHash,
    /// Parameters are known of the job, be it as cells of results.
    pub has_params: bool,
    /// Its intent is gone: a receipt is all that is left.
    pub by_receipt: bool,
    pub refund: Option<Refund>,
}

/// A job here, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName {
    pub batch: BatchKey,
    pub batch_name: String,
    pub id: String,
}

/// What a merge looks up here only where it decides. Keys are this ledger's.
pub trait MergeLookup {
    /// Why it could not be looked up.
    type Error: From<Unfit>;

    /// Every take of the same job, in their order.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn takes(&self, job: JobKey) -> Result<Vec<Take>, Self::Error>;

    /// How a job is called.
    ///
    /// # Errors
    /// Where it cannot be read, or there is no such job.
    fn name(&self, job: JobKey) -> Result<JobName, Self::Error>;

    /// The latest take of that id which the other ledger has in the batch, 0 where it has none; and whether either has the id.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn id(&self, batch: BatchKey, id: &str) -> Result<(u32, bool), Self::Error>;

    /// The job here of the same batch, id and take as that one of the other ledger.
    ///
    /// # Errors
    /// Where it cannot be read, or is not here.
    fn target(&self, theirs: JobKey) -> Result<JobKey, Self::Error>;

    /// The keys of the next job and of the next payment.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn next(&self) -> Result<(JobKey, PaymentKey), Self::Error>;
}
