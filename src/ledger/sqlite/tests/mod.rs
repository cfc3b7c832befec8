//! Tests of the ledger as a whole.

mod bounds;
mod by_receipt;
mod contract;
mod damaged;
mod deciding;
mod duplicates;
mod fetching;
mod files;
mod inspecting;
mod load;
mod loads;
mod merging;
mod merging_tokens;
mod money;
mod reading;
mod records;
mod refunds;
mod reopening;
mod shell;
mod statements;
pub(in crate::ledger) mod support;
mod v1;
