//! What commands share that have a batch in hand: opening it, carrying it out beside everything that can stop it, and the files that follow it.

pub(in crate::cli) mod contact_sheet;
pub(in crate::cli) mod counterparties;
pub(in crate::cli) mod download_setup;
pub(in crate::cli) mod files;
pub(in crate::cli) mod own;
pub(in crate::cli) mod picked;
pub(in crate::cli) mod receipt_guard;
pub(in crate::cli) mod reporter;
pub(in crate::cli) mod room;
pub(in crate::cli) mod run_batch;
pub(in crate::cli) mod session;
pub(in crate::cli) mod sidecars;
