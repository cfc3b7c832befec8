//! What goes on with purchases that were begun: `recover`, `refunds`, `download`, `resolve`.

use clap::{Args, Subcommand};

use crate::cli::options::flags::TargetArgs;
use crate::cli::options::{DownloadArgs, LedgerArgs, NodeArgs, OutputArgs, PaceArgs, values};

pub(super) const RECOVER_EXAMPLES: &str = "\
Examples:
  l402-batch recover --all                         everything that is open in the ledger
  l402-batch recover jobs.toml
  l402-batch recover --batch june-trailers

Tracks payments, redeems, polls, claims refunds, fetches files. Buys nothing. What is paid is redeemed without a node.";

pub(super) const REFUNDS_EXAMPLES: &str = "\
Examples:
  l402-batch refunds list jobs.toml                what was offered, claimed, and came back
  l402-batch refunds claim --all                   claim what can be claimed, and look for what was
  l402-batch refunds list --batch june --proof     with the links: whoever has one can have the money

runs and recover claim refunds by themselves, through the node that paid. A refund has one invoice,
ever. The macaroon must allow AddInvoice and LookupInvoice; without, a refund stays open and says so.
A refunded job is bought again only by `run --retake-refunded`.";

pub(super) const DOWNLOAD_EXAMPLES: &str = "\
Examples:
  l402-batch download jobs.toml --download videos     every result that is not here yet
  l402-batch download jobs.toml --job shot-7
  l402-batch download jobs.toml --missing             those too whose files have been moved away

Buys nothing and asks no node. Without --download files go where those of the batch went before.";

pub(super) const RESOLVE_EXAMPLES: &str = "\
Examples:
  l402-batch resolve jobs.toml --job shot-07 --as unpaid --note 'never was sent'
  l402-batch resolve --batch june --job shot-07 --as rebuy --note 'it is lost'
  l402-batch resolve jobs.toml --job shot-07 --as retry --note 'it works again'
  l402-batch resolve jobs.toml --job shot-07 --as delivered --note 'has a link'

retry asks a lost job's seller again with the credential that was paid for, for a day (patience_s), and pays nothing; a take
that was to be bought in its place and was not is none any more. delivered takes the one http(s) address in the kept answer,
else the answer itself as the file; `status --job ID` shows it.

For the others the node that was asked to pay is asked once more, where it is named; a decision against what it says is refused.";

/// What `recover` takes: it finishes what is open and buys nothing.
#[derive(Args, Clone, Debug, Default)]
pub struct RecoverArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Every batch of the ledger
    #[arg(long, help_heading = "Batch", conflicts_with_all = ["manifest", "batch"])]
    pub all: bool,
    /// Who was asked to pay.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How many at once, how fast, and how long.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Whether results are fetched.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `refunds` takes: it lists what origins gave back, and claims what is open.
#[derive(Args, Clone, Debug)]
pub struct RefundsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub what: RefundsCommand,
}

/// What to do with refunds.
#[derive(Subcommand, Clone, Debug)]
pub enum RefundsCommand {
    /// What was offered, claimed, and came back
    List(RefundsListArgs),
    /// Claim what can be claimed through the node that paid, and look for what was
    Claim(Box<RefundsClaimArgs>),
}

/// `refunds list`.
#[derive(Args, Clone, Debug, Default)]
pub struct RefundsListArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Every batch of the ledger
    #[arg(long, help_heading = "Batch", conflicts_with_all = ["manifest", "batch"])]
    pub all: bool,
    /// Only of this job (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Batch")]
    pub job: Vec<String>,
    /// The links and invoices too: whoever has a link can have the money
    #[arg(long, help_heading = "Output")]
    pub proof: bool,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `refunds claim`.
#[derive(Args, Clone, Debug, Default)]
pub struct RefundsClaimArgs {
    /// Only of this job (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Batch")]
    pub job: Vec<String>,
    /// Which batch, who receives, how.
    #[command(flatten)]
    pub recover: RecoverArgs,
}

/// What `download` takes: it fetches results into files.
#[derive(Args, Clone, Debug, Default)]
pub struct DownloadCommandArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Fetch the result of this job alone (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Batch")]
    pub job: Vec<String>,
    /// Fetch once more what was fetched before and is not where it was
    #[arg(long, help_heading = "Batch")]
    pub missing: bool,
    /// Where the files go, how they are called, and how they are fetched.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `resolve` takes: a person's decision on a job that no run can finish.
#[derive(Args, Clone, Debug)]
pub struct ResolveArgs {
    /// The batch, named by its manifest or by its name.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The job to decide on; where it has several takes, as ID@TAKE
    #[arg(long, value_name = "ID[@TAKE]", help_heading = "Decision")]
    pub job: String,
    /// unpaid: never paid, free what is held; lost: the money is gone; rebuy: lost, and buy it once more; retry: ask again with
    /// what was paid for; delivered: the origin's answer, which is kept, is the result,
    /// or, where that is fetched and url_gone, whatever its address answers with; keep: what was delivered stays, whatever
    /// the manifest's row now asks for
    #[arg(long = "as", value_name = "DECISION", help_heading = "Decision")]
    pub decision: values::DecisionWord,
    /// Why, in your words; kept in the ledger
    #[arg(long, value_name = "TEXT", help_heading = "Decision", value_parser = values::note)]
    pub note: String,
    /// Who was asked to pay: it is asked once more. Leave it out where that node is gone for good.
    #[command(flatten)]
    pub node: NodeArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}
