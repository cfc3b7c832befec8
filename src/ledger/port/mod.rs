//! The port: what a ledger does for the rest, by concern. A run and its downloads ask a handle ([`Ledger`], [`Deliveries`]),
//! behind which any store stands ([`Records`], [`Downloads`]); commands ask the store itself, before and after a run.

mod batches;
mod loading;
mod marks;
mod merging;
mod person;
mod records;
mod run;
mod views;
mod whole;

pub use batches::{Batches, HeldLock, Locks, WrittenFiles};
pub use loading::{Foresee, Foreseen, LoadedPlans, Loading};
pub use marks::Marks;
pub use merging::{MergeSource, Merging};
pub use person::Decisions;
pub use records::{Downloads, Records};
pub use run::{Deliveries, Ledger};
pub use views::{Audit, Inspection, Views};
pub(in crate::ledger) use whole::RECORD_IN_PART;
pub use whole::{Fate, Whole};
