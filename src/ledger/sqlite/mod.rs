//! The ledger in SQLite: a synchronous core ([`SqliteLedger`]) over one connection, and a thin shell around it
//! ([`LedgerHandle`]) that commits many waiting records in one transaction.
//!
//! A record's rules stand in `ledger::decide`; here what it depends on is looked up, and what is decided is written, in one
//! transaction. A record that does not fit leaves no trace. Money is counted where it moves: in the transaction of the record.

mod again;
mod audit;
mod batches;
mod bodies;
mod bounds;
mod budget;
mod by_receipt;
mod chosen;
mod commit;
mod convert;
mod core;
mod decide;
mod duplicates;
mod error;
mod fetch;
mod file;
mod file_guard;
mod foresee;
mod foreseen;
mod gap;
mod given;
mod history_check;
mod inspect;
mod job_limit;
mod load;
mod loading;
mod lock;
mod marks;
mod merge;
mod read;
mod refund;
mod requests;
mod schema;
mod store;
mod unbought;
mod unknown;
mod views;
mod written;

#[cfg(test)]
pub(in crate::ledger) mod tests;

pub use self::core::SqliteLedger;
pub use file::{check_location, files, free_bytes};
pub use foreseen::Foreseen;
pub use gap::gap_of_new;
pub use lock::BatchLock;
pub use merge::{MergeSource, is_database};
