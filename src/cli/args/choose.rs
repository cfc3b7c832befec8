//! Choosing among what came: `report`, `takes`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::options::flags::{TargetArgs, other_help};
use crate::cli::options::{BatchArgs, LedgerArgs, OutputArgs, QuietArgs, values};

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  l402-batch report sheet jobs.toml                sheet/index.html, for a browser
  l402-batch report sheet --batch june

The page loads nothing from any network. Each shot stands there with its takes side by side: P picks, R rejects, and what is
marked is saved as a CSV, which `takes read` takes in. Files that are here are linked into the folder, which takes no room;
those on another disk stay where they are.";

pub(super) const TAKES_EXAMPLES: &str = "\
Examples:
  l402-batch takes list jobs.toml                  what is marked
  l402-batch takes read june.marks.csv             what the contact sheet saved
  l402-batch takes pick jobs.toml shot-7@2 --note 'the hands are right'
  l402-batch takes reject --batch june shot-7@1 shot-9

A mark spends nothing. `run --retake-rejected` buys one more take of each job whose latest take is rejected and of which none is
picked: each rejected take once.";

/// What `report` takes: it writes a contact sheet.
#[derive(Args, Clone, Debug, Default)]
#[command(mut_args(other_help("quiet", "Print only what needs a person")))]
pub struct ReportArgs {
    /// The folder to write; it is made where it is missing
    #[arg(value_name = "DIR", help_heading = Option::<&str>::None)]
    pub folder: PathBuf,
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Write into a folder that holds something else, too
    #[arg(long, help_heading = "Files")]
    pub overwrite: bool,
    /// How much is printed.
    #[command(flatten)]
    pub quiet: QuietArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `takes` takes: what a person says of delivered takes.
#[derive(Args, Clone, Debug)]
pub struct TakesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub what: TakesCommand,
}

/// What to say of takes.
#[derive(Subcommand, Clone, Debug)]
pub enum TakesCommand {
    /// What is marked, or with --all every delivered take
    List(TakesListArgs),
    /// These takes are the ones
    Pick(TakesMarkArgs),
    /// These takes will not do; nothing is bought by that
    Reject(TakesMarkArgs),
    /// Take back what was said of these takes
    Clear(TakesMarkArgs),
    /// Take in the marks of a CSV: batch, id, take, mark, note
    Read(TakesReadArgs),
}

/// `takes list`.
#[derive(Args, Clone, Debug, Default)]
pub struct TakesListArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Every delivered take, marked or not
    #[arg(long, help_heading = "Output")]
    pub all: bool,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `takes pick`, `takes reject`, `takes clear`.
#[derive(Args, Clone, Debug, Default)]
#[command(
    mut_args(other_help("batch", "The batch's name in the ledger [default: the only one that there is]")),
    mut_args(other_help("quiet", "Print only what needs a person"))
)]
pub struct TakesMarkArgs {
    /// The batch's manifest, without --batch, and the takes: an id alone where the job has one take
    #[arg(value_name = "[MANIFEST] ID[@TAKE]", required = true, help_heading = Option::<&str>::None)]
    pub words: Vec<String>,
    /// Why, in your words; kept in the ledger
    #[arg(long, value_name = "TEXT", value_parser = values::note, help_heading = "Batch")]
    pub note: Option<String>,
    /// Its name in the ledger.
    #[command(flatten, next_help_heading = "Batch")]
    pub batch: BatchArgs,
    /// How much is printed.
    #[command(flatten)]
    pub quiet: QuietArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `takes read`.
#[derive(Args, Clone, Debug, Default)]
#[command(
    mut_args(other_help("batch", "The batch of rows whose batch is empty; no other batch is marked then")),
    mut_args(other_help("quiet", "Print only what needs a person"))
)]
pub struct TakesReadArgs {
    /// A CSV with the columns batch, id, take, mark and note, as the contact sheet saves it
    #[arg(value_name = "FILE", help_heading = Option::<&str>::None)]
    pub file: PathBuf,
    /// The batch's name in the ledger.
    #[command(flatten, next_help_heading = "Batch")]
    pub batch: BatchArgs,
    /// How much is printed.
    #[command(flatten)]
    pub quiet: QuietArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}
