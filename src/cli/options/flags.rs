//! Flags that several commands share and that are more than options.

use std::path::PathBuf;

use clap::{Arg, Args};

use crate::cli::options::{BatchArgs, ReadingArgs};

/// What to buy: the manifest and how to read it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Manifest")]
pub struct ManifestArgs {
    /// The file that says what to buy: .toml, .csv, .tsv, .txt, .xlsx, .xlsm, .ods, or - for standard input
    #[arg(help_heading = Option::<&str>::None)]
    pub manifest: PathBuf,
    /// How to read it.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// Which batch a command is about.
#[derive(Args, Clone, Debug, Default)]
#[command(
    next_help_heading = "Batch",
    mut_args(other_help("manifest_format", "How the manifest is written, where its name does not tell")),
    mut_args(other_help("batch", "The batch's name in the ledger"))
)]
pub struct TargetArgs {
    /// The batch's manifest
    #[arg(help_heading = Option::<&str>::None)]
    pub manifest: Option<PathBuf>,
    /// Its name in the ledger.
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// Gives an option, in the commands where its own says more than is true there, another help.
pub(in crate::cli) fn other_help(name: &str, help: &'static str) -> impl Fn(Arg) -> Arg {
    move |arg| if arg.get_id() == name { arg.help(help) } else { arg }
}
