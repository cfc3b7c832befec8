//! Buys from L402 APIs in bulk: a manifest is planned to the exact sat, then carried out through an LND node, with
//! every purchase recorded in a ledger before it is paid for.
//!
//! One way: manifest → plan → run → ledger → results, receipts, report. `docs/architecture.md` walks through the rooms.

pub(crate) mod backoff;
pub mod catalog;
pub mod cli;
pub(crate) mod command;
pub(crate) mod csv_escape;
pub mod diagnostic;
pub mod download;
pub(crate) mod encoded_text;
pub mod error;
pub mod event;
#[cfg(test)]
mod every;
pub mod fiat;
mod first_bytes;
pub mod l402;
pub mod ledger;
pub mod life;
pub(crate) mod loopback;
pub mod manifest;
pub(crate) mod media;
pub mod money;
pub mod origin;
pub mod payer;
pub mod plan;
pub mod purchase;
pub(crate) mod report;
pub mod run;
pub(crate) mod safe_open;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
#[cfg(test)]
mod schema;
pub(crate) mod screen;
pub(crate) mod terminal_text;
pub mod time;
pub mod tls;
