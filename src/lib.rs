//! Buys from L402 APIs in bulk: a manifest is planned to the exact sat, then carried out through an LND node, with
//! every purchase recorded in a ledger before it is paid for.
//!
//! One way: manifest → plan → run → ledger → results, receipts, report. `docs/architecture.md` walks through the rooms.

pub mod backoff;
pub mod catalog;
pub mod cells;
pub mod cli;
pub mod command;
pub mod diagnostic;
pub mod download;
pub mod event;
pub mod harmless;
pub mod l402;
pub mod ledger;
pub mod loopback;
pub mod manifest;
pub mod media;
pub mod money;
pub mod opening;
pub mod origin;
pub mod payer;
pub mod pinned;
pub mod plan;
pub mod report;
pub mod run;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod screen;
pub mod time;
