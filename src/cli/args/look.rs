//! What is known of it: `init`, `status`, `export`, `batches`, `audit`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::cli::options::flags::{TargetArgs, other_help};
use crate::cli::options::values::{TakesWord, path_at};
use crate::cli::options::{FileArgs, LedgerArgs, NodeArgs, OutputArgs, QuietArgs, RateArgs, ReadingArgs, SumArgs};

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  l402-batch status jobs.toml                       counts, and the jobs that need something
  l402-batch status jobs.toml --all --json
  l402-batch status --batch june --job shot-7       request, payments, answers, history
  l402-batch status jobs.toml --job shot-7 --proof  with invoice and preimage, to complain with";

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  l402-batch export jobs.toml                      jobs.results.csv, jobs.receipts.csv beside it
  l402-batch export --batch june --results results.csv --receipts receipts.csv
  l402-batch export jobs.toml --results -          results alone, on standard output
  l402-batch export jobs.toml --results june.xlsx --takes all
  l402-batch export jobs.toml --books june.xlsx --rate-file rates.csv
  l402-batch export jobs.toml --books june.journal --template hledger

What ends in .xlsx is a workbook, everything else a CSV. Templates of your own: docs/books.md.";

pub(super) const INIT_EXAMPLES: &str = "\
Examples:
  l402-batch init shots.xlsx                       shots.toml beside it
  l402-batch init shots.xlsx --sheet \"June\" --header-row 3
  l402-batch init shots.csv --default endpoint=animate-image --out june.toml";

/// What `init` takes: it makes a manifest of a sheet.
#[derive(Args, Clone, Debug, Default)]
pub struct InitArgs {
    /// The table: .csv, .tsv, .txt, .xlsx, .xlsm or .ods
    #[arg(value_name = "SHEET", help_heading = Option::<&str>::None)]
    pub from: PathBuf,
    /// How to read it.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The manifest to write [default: beside the sheet, called like it, with the ending .toml]
    #[arg(short, long, value_name = "FILE", help_heading = "Files")]
    pub out: Option<PathBuf>,
    /// Replace it where it is there
    #[arg(long, help_heading = "Files")]
    pub overwrite: bool,
}

/// What `status` takes: it tells how a batch stands.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Show every job, not only those that need something
    #[arg(long, help_heading = "Output", conflicts_with = "job")]
    pub all: bool,
    /// Show all that is known of this job (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Output")]
    pub job: Vec<String>,
    /// With --job: its invoices and preimages too, the proof of payment
    #[arg(long, help_heading = "Output", requires = "job")]
    pub proof: bool,
    /// By what jobs are summed.
    #[command(flatten)]
    pub sums: SumArgs,
    /// What amounts are worth in another currency.
    #[command(flatten)]
    pub rates: RateArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `export` takes: it writes results and receipts from the ledger.
#[derive(Args, Clone, Debug, Default)]
#[command(
    mut_args(other_help("quiet", "Print only what needs a person")),
    mut_args(other_help(
        "rate_file",
        "A file of lines `time, price of one bitcoin`; the last line at or before a payment counts, and nothing is fetched"
    )),
    mut_args(other_help("overwrite", "Replace a file that this batch did not write, or books that stand there"))
)]
pub struct ExportArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where results and receipts are written.
    #[command(flatten)]
    pub files: FileArgs,
    /// A row a job, with what was bought of it; or one for each of its takes, for ever
    #[arg(long, value_name = "WHICH", help_heading = "Files", default_value = "latest")]
    pub takes: TakesWord,
    /// The books: a row a movement of money (payment, fee, refund). Alone, nothing else is written
    #[arg(long, value_name = "FILE", help_heading = "Files", value_parser = PathBufValueParser::new().try_map(path_at))]
    pub books: Option<PathBuf>,
    /// How the books are written: hledger, beancount, or a template of your own
    #[arg(long, value_name = "NAME|FILE", help_heading = "Files", requires = "books", value_parser = PathBufValueParser::new().try_map(path_at))]
    pub template: Option<PathBuf>,
    /// What amounts were worth in another currency.
    #[command(flatten)]
    pub rates: RateArgs,
    /// How much is printed.
    #[command(flatten)]
    pub quiet: QuietArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `batches` takes: it lists the batches of a ledger.
#[derive(Args, Clone, Debug, Default)]
pub struct BatchesArgs {
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where they are recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `audit` takes: it compares the ledger with the node's own list of payments.
#[derive(Args, Clone, Debug, Default)]
pub struct AuditArgs {
    /// The node whose list is compared.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}
