//! `plan` and `run`: what it will cost, and buying it.

use std::path::PathBuf;

use clap::Args;

use crate::cli::flags::{
    DownloadArgs, DownloadToArgs, LedgerArgs, LimitArgs, ManifestArgs, NodeArgs, OutputArgs, PaceArgs,
};
use crate::cli::values::{self, TrustWord};
use crate::manifest::Duplicates;

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  l402-batch plan jobs.toml                        groups and totals
  l402-batch plan jobs.toml --jobs                 every job
  l402-batch plan jobs.toml --json > plan.json
  l402-batch plan shots.csv --default endpoint=animate-image --column S=duration
  l402-batch plan jobs.toml --retake shot-7        what a run with that word would buy

No network, nothing written. Exit codes: 0, 2 (manifest), 3 (a word waits for an open purchase), 6 (not all
that is asked for would be bought), 8 (a limit does not hold it).";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  l402-batch run jobs.toml --sandbox               play money: stand-in API and node in the process
  l402-batch run jobs.toml --dry-run --lnd-url https://127.0.0.1:8080 \\
      --lnd-macaroon-file payer.macaroon --lnd-cert-file tls.cert
                                                   plan, limits, node, balance; nothing spent
  l402-batch run jobs.toml --max-sats 50000 --limit 2
  l402-batch run jobs.toml --max-sats 50000 --yes --deadline 06:30 --quiet
  l402-batch run jobs.toml --download videos       and fetch every result into that folder
  l402-batch run jobs.toml --retake shot-7         buy that job anew: this spends again

Running again goes on where it stopped: what is paid is redeemed, never paid anew; what is
delivered is not bought.

Exit codes: 0 all done, 1 internal, 2 usage or manifest, 3 unfinished (run again), 4 a person must
act, 5 a payment is in doubt, 6 not as planned, 7 ledger, 8 a limit, 9 node, 10 deadline, 11 batch
locked, 130/143 signal.";

/// `plan`.
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
    /// Where files would go.
    #[command(flatten)]
    pub download: DownloadToArgs,
    /// Where the batch may have run already.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `run`.
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
    /// Who pays.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Where results go.
    #[command(flatten)]
    pub files: FileArgs,
    /// Whether they are fetched.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
    /// Play money: a stand-in API and node inside the process, a fresh ledger, no question, no configured node
    #[arg(
        long,
        help_heading = "Sandbox",
        conflicts_with_all = ["lnd_url", "lnd_macaroon_file", "lnd_cert_file", "lnd_dir", "lnd_network", "ledger"]
    )]
    pub sandbox: bool,
    /// How the sandbox behaves.
    #[command(flatten)]
    pub sandbox_options: crate::cli::run::SandboxOptions,
}

/// What of the manifest to buy, and whether to ask first.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to buy")]
pub struct ChoiceArgs {
    /// Do not ask; without a terminal this and a cap (--max-sats) are needed
    #[arg(long, short)]
    pub yes: bool,
    /// Check plan, limits, node and balance, and stop there: no origin is asked, nothing is spent
    #[arg(long)]
    pub dry_run: bool,
    /// What of it.
    #[command(flatten)]
    pub jobs: JobChoiceArgs,
    /// Let one purchase begin at an origin (host or URL) that gets no more payments. The words for an origin are numbered:
    /// each is carried out once, however often it is said, and ORIGIN alone is ORIGIN@1
    #[arg(long, value_name = "ORIGIN[@N],…", value_delimiter = ',', value_parser = values::trust)]
    pub trust: Vec<TrustWord>,
    /// Go on with a batch that is there; refuse to begin a new one
    #[arg(long)]
    pub resume: bool,
    /// Take over a batch of this name that was begun from a manifest at another path
    #[arg(long)]
    pub adopt: bool,
}

/// Which jobs are bought, and which are bought once more.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What to buy")]
pub struct JobChoiceArgs {
    /// Buy at most N jobs in this run: a trial first
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub limit: Option<u64>,
    /// Buy only these jobs in this run
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Buy one more take in the place of these, which have ended (ID alone: its first): this spends again, once a word
    #[arg(long, value_name = "ID[@TAKE],…", value_delimiter = ',')]
    pub retake: Vec<String>,
    /// Buy anew every delivered job whose content has changed in the manifest, to what no take of it has delivered: this
    /// spends again
    #[arg(long)]
    pub retake_changed: bool,
    /// Buy anew every job whose money came back for the first time: this spends again
    #[arg(long)]
    pub retake_refunded: bool,
    /// Jobs that are delivered, paid or open already under another id or in another batch: ask, skip (they are left out), or
    /// buy them once more, which spends again [default: ask on a terminal, else skip]
    #[arg(long, value_name = "ask|skip|buy", value_parser = values::duplicates)]
    pub duplicates: Option<Duplicates>,
}

/// Where results and receipts are written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files")]
pub struct FileArgs {
    /// The results, one row a job [default: STEM.results.csv beside the manifest]
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
    /// The receipts, one row a settlement [default: STEM.receipts.csv beside the manifest]
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Replace a results or receipts file that this batch did not write
    #[arg(long)]
    pub overwrite: bool,
}
