//! `plan` and `run`: what it will cost, and buying it.

use clap::Args;

use crate::cli::options::flags::ManifestArgs;
use crate::cli::options::values;
use crate::cli::options::{
    ChoiceArgs, DownloadArgs, DownloadToArgs, FileArgs, JobChoiceArgs, LedgerArgs, LimitArgs, NodeArgs, OutputArgs,
    PaceArgs, PlayArgs, RateArgs, ReportToArgs, SumArgs,
};

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  l402-batch plan jobs.toml                        groups and totals
  l402-batch plan jobs.toml --jobs                 every job
  l402-batch plan jobs.toml --json > plan.json
  l402-batch plan shots.csv --default endpoint=animate-image --column S=duration
  l402-batch plan jobs.toml --retake shot-7        what a run with that word would buy
  l402-batch plan jobs.toml --compare 'mode=standard|pro' \\
      --compare 'duration=5|10'                    what each of these would cost
  l402-batch plan jobs.toml --sum-by x_client --format html > estimate.html
  l402-batch plan jobs.toml --live                 and what the sellers ask now: nothing is paid
  l402-batch plan jobs.toml --live --out june.plan
                                                   saved with these prices: `run june.plan` buys that

But for --out nothing is written, and but for --live nobody is asked. It ends as the run would, as far as that is known before: 0, 2 (manifest), 3
(something is left to another run), 4 (a person must act), 5 (a payment is in doubt), 6 (not all that is
asked for would be bought, or a live price differs), 7 (ledger), 8 (a limit does not hold it), 11 (another run holds the batch).";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  l402-batch run jobs.toml --sandbox               play money: stand-in API and node in the process
  l402-batch run jobs.toml --dry-run --lnd-url https://127.0.0.1:8080 \\
      --lnd-macaroon-file payer.macaroon --lnd-cert-file tls.cert
                                                   plan, limits, node, balance; nothing spent
  l402-batch run jobs.toml --max-sats 50000 --limit 2
  l402-batch run jobs.toml --max-sats 50000 --yes --deadline 06:30 --quiet
  l402-batch run jobs.toml --download videos       and fetch every result into that folder
  l402-batch run june.plan                         what `plan --out` has saved, without a question
  l402-batch run jobs.toml --retake shot-7         buy that job anew: this spends again
  l402-batch run jobs.toml --download videos --report sheet
                                                   and a contact sheet of it all

Running again goes on where it stopped: what is paid is redeemed, never paid anew; what is
delivered is not bought.

Exit codes: 0 all done, 1 internal, 2 usage or manifest, 3 unfinished (run again), 4 a person must
act, 5 a payment is in doubt, 6 not as planned, 7 ledger, 8 a limit, 9 node, 10 deadline, 11 batch
locked, 130/143 signal.";

/// What `plan` takes: it tells what a manifest would cost.
#[derive(Args, Clone, Debug, Default)]
pub struct PlanArgs {
    /// What to buy.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// What of it: as `run` would be told.
    #[command(flatten)]
    pub choice: JobChoiceArgs,
    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Show every job, not only groups and totals
    #[arg(long, help_heading = "Output")]
    pub jobs: bool,
    /// Show what it would cost with other values in every job, filled cells too (repeatable: every combination, 16 at most)
    #[arg(long, value_name = "KEY=A|B", help_heading = "Prices", value_parser = values::axis, conflicts_with_all = ["jobs", "live", "out"])]
    pub compare: Vec<crate::plan::compare::Axis>,
    /// Ask the sellers what it costs now: of each rate one job, without paying
    #[arg(long, help_heading = "Prices")]
    pub live: bool,
    /// Save the plan, for one batch that `run FILE.plan` buys without a question: the plan is the yes
    #[arg(long, value_name = "FILE.plan", help_heading = "Prices")]
    pub out: Option<std::path::PathBuf>,
    /// Replace a file that is no saved plan
    #[arg(long, requires = "out", help_heading = "Prices")]
    pub overwrite: bool,
    /// Where files would go.
    #[command(flatten)]
    pub download: DownloadToArgs,
    /// By what jobs are summed.
    #[command(flatten)]
    pub sums: SumArgs,
    /// What amounts are worth in another currency.
    #[command(flatten)]
    pub rates: RateArgs,
    /// Where the batch may have run already.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `run` takes: it buys what a manifest asks for.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// What to buy.
    #[command(flatten)]
    pub manifest: ManifestArgs,
    /// What of it, and whether to ask.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The node that pays, and how it is reached.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How many at once, how fast, and how long.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Where results go.
    #[command(flatten)]
    pub files: FileArgs,
    /// Whether a contact sheet is written.
    #[command(flatten)]
    pub report: ReportToArgs,
    /// Whether they are fetched.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// By what jobs are summed at its end.
    #[command(flatten)]
    pub sums: SumArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Whether it is play money.
    #[command(flatten)]
    pub play: PlayArgs,
    /// How the sandbox behaves.
    #[command(flatten)]
    pub sandbox_options: crate::cli::batch::counterparties::SandboxOptions,
}
