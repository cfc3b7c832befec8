//! Care of the ledger: `ledger`.

use std::ffi::OsString;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};

use crate::cli::options::LedgerArgs;
use crate::cli::options::values::ledger_at;
use crate::ledger::LedgerAddress;

pub(super) const LEDGER_EXAMPLES: &str = "\
Examples:
  l402-batch ledger merge ledger.db.rescued-1      bring in what was saved from under a run
  l402-batch ledger merge yesterday/ledger.db      bring in what another ledger knows
  l402-batch ledger merge jobs.receipts.csv        take over what receipts prove

A merge is one transaction and can be repeated. Nothing that either ledger has paid is lost; what both
have paid is receipted twice. It waits for no run: each batch of both ledgers must be free.";

/// What `ledger` takes: it brings in what another ledger, or receipts, know.
#[derive(Args, Clone, Debug)]
pub struct LedgerCommandArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub what: LedgerCommand,
}

/// What to do with a ledger.
#[derive(Subcommand, Clone, Debug)]
pub enum LedgerCommand {
    /// Bring in what another ledger, a rescued copy or receipts know and this ledger does not
    Merge(LedgerMergeArgs),
    /// Not yet
    #[command(hide = true)]
    Backup(LaterArgs),
    /// Not yet
    #[command(hide = true)]
    Verify(LaterArgs),
    /// Not yet
    #[command(hide = true)]
    Prune(LaterArgs),
    /// Not yet
    #[command(hide = true)]
    Copy(LaterArgs),
    /// Not yet
    #[command(hide = true)]
    Init(LaterArgs),
}

/// `ledger merge`.
#[derive(Args, Clone, Debug)]
pub struct LedgerMergeArgs {
    /// A ledger, a copy that was rescued, or receipts
    #[arg(
        value_name = "FILE",
        value_hint = ValueHint::AnyPath,
        value_parser = PathBufValueParser::new().try_map(ledger_at)
    )]
    pub file: LedgerAddress,
    /// Give up what FILE holds instead: what it bought may be bought again
    #[arg(long)]
    pub discard: bool,
    /// The ledger into which it is brought.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What a command that is still to come was given.
#[derive(Args, Clone, Debug)]
pub struct LaterArgs {
    /// Any words and flags; none of them is looked at.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<OsString>,
}
