//! Buys from L402 APIs in bulk: a manifest is planned to the exact sat, then carried out through an LND node, with
//! every purchase recorded in a ledger before it is paid for.
//!
//! One way: manifest → plan → run → ledger → results, receipts, report. `docs/architecture.md` walks through the rooms.

pub mod backoff;
pub mod catalog;
pub mod cli;
pub mod command;
pub mod csv_escape;
pub mod diagnostic;
pub mod download;
pub mod encoded_text;
pub mod error;
pub mod event;
pub mod first_bytes;
pub mod l402;
pub mod ledger;
pub mod life;
pub mod loopback;
pub mod manifest;
pub mod media;
pub mod money;
pub mod origin;
pub mod payer;
pub mod plan;
pub mod purchase;
pub mod report;
pub mod run;
pub mod safe_open;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod screen;
pub mod terminal_text;
pub mod time;
pub mod tls;
