//! The command line as it is typed. What it means, together with variables, manifest and configuration, is
//! [`super::config`]'s to say.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::flags::{
    DownloadArgs, DownloadToArgs, LedgerArgs, LimitArgs, ManifestArgs, NodeArgs, OutputArgs, PaceArgs, ReadingArgs,
    TargetArgs,
};
use super::{layer, values};

const ABOUT: &str = "Buy from L402 APIs in bulk: plan the exact cost in sats, run it, keep every URL and receipt";

const MAIN_EXAMPLES: &str = "\
Examples:
  l402-batch run jobs.example.toml --sandbox       try it: no node, no money
  l402-batch plan shots.csv --default endpoint=generate-video
  l402-batch run shots.csv --max-sats 50000        the same command again goes on where it stopped
  l402-batch status shots.csv

A flag --max-sats is also the variable L402_BATCH_MAX_SATS and, where it makes sense for good, the
key max_sats in $XDG_CONFIG_HOME/l402-batch/config.toml. Flag beats variable beats manifest beats
file; of limits the tightest wins.";

const PLAN_EXAMPLES: &str = "\
Examples:
  l402-batch plan jobs.toml                        groups and totals
  l402-batch plan jobs.toml --jobs                 every job
  l402-batch plan jobs.toml --json > plan.json
  l402-batch plan shots.csv --default endpoint=generate-video --column Seconds=duration

No network, nothing written. Exit codes: 0, 2 (manifest), 8 (a limit does not hold it).";

const RUN_EXAMPLES: &str = "\
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

const RECOVER_EXAMPLES: &str = "\
Examples:
  l402-batch recover --all                         everything that is open in the ledger
  l402-batch recover jobs.toml
  l402-batch recover --batch june-trailers

Tracks payments, redeems, polls, claims refunds, fetches files. Buys nothing. What is paid is redeemed without a node.";

const REFUNDS_EXAMPLES: &str = "\
Examples:
  l402-batch refunds list jobs.toml                what was offered, claimed, and came back
  l402-batch refunds claim --all                   claim what can be claimed, and look for what was
  l402-batch refunds list --batch june --proof     with the links: whoever has one can have the money

runs and recover claim refunds by themselves, through the node that paid. A refund has one invoice,
ever. The macaroon must allow AddInvoice and LookupInvoice; without, a refund stays open and says so.
A refunded job is bought again only by `run --retake-refunded`.";

const DOWNLOAD_EXAMPLES: &str = "\
Examples:
  l402-batch download jobs.toml --download videos     every result that is not here yet
  l402-batch download jobs.toml --job shot-7
  l402-batch download jobs.toml --missing             those too whose files have been moved away

Buys nothing and asks no node. Without --download files go where those of the batch went before.";

const RESOLVE_EXAMPLES: &str = "\
Examples:
  l402-batch resolve jobs.toml --job shot-07 --as unpaid --note 'node restored; checked with the seller'
  l402-batch resolve --batch june-trailers --job shot-07 --as rebuy --note 'seller lost the order'

The node that was asked to pay is asked once more, where it is named; a decision against what it says is refused.";

const STATUS_EXAMPLES: &str = "\
Examples:
  l402-batch status jobs.toml                      counts, and the jobs that need something
  l402-batch status jobs.toml --all --json
  l402-batch status --batch june-trailers --job shot-7      request, payments, answers, history
  l402-batch status jobs.toml --job shot-7 --proof          with invoice and preimage, to complain with";

const EXPORT_EXAMPLES: &str = "\
Examples:
  l402-batch export jobs.toml                      jobs.results.csv, jobs.receipts.csv beside it
  l402-batch export --batch june-trailers --results results.csv --receipts receipts.csv";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  l402-batch doctor                                node, ledger, configuration
  l402-batch doctor jobs.toml                      and whether this manifest would run
  l402-batch doctor jobs.toml --json --no-ask

Pays nothing and writes nothing. Each endpoint is asked once, without payment, for its cheapest job.
Exit codes: 0 ready (warnings count for nothing), 2 configuration or manifest, 3, 4 and 6 an endpoint
as a run would end with it, 7 ledger, 8 a limit, 9 node.";

const CATALOG_EXAMPLES: &str = "\
Examples:
  l402-batch catalog show                          what is built in
  l402-batch catalog show jobs.toml --catalog mine.toml --json
  l402-batch catalog check --endpoint generate-video
  l402-batch catalog update --out prices.toml      then read it, and: plan jobs.toml --catalog prices.toml

Each rate is asked for once, without payment. Exit codes: 0 as the catalogue says, 2 usage, 3 not
everything could be learnt, 6 something differs.";

/// The whole command line.
#[derive(Parser, Clone, Debug)]
#[command(name = "l402-batch", version, about = ABOUT, after_help = MAIN_EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// The configuration file [default: $XDG_CONFIG_HOME/l402-batch/config.toml, where it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// What it will cost, to the sat; no network, nothing written
    #[command(visible_aliases = ["estimate", "cost"], after_help = PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Buy it; the same command again goes on where it stopped
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Finish everything that is open, and buy nothing
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(Box<RecoverArgs>),
    /// Where a batch stands, and which jobs need something
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Write results and receipts as CSV, from the ledger
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// The batches in the ledger
    Batches(BatchesArgs),
    /// A stand-in API and node on loopback, until Ctrl-C; prints how to use them
    Sandbox(SandboxArgs),
    /// A completion script for a shell
    Completions(CompletionsArgs),
    /// The manual page, in roff
    Man,
    /// Decide about a job that only a person can bring on
    #[command(after_help = RESOLVE_EXAMPLES)]
    Resolve(Box<ResolveArgs>),
    /// Compare the ledger with the node's own list of payments
    Audit(AuditArgs),
    /// Check configuration, ledger, node and endpoints, and say what to do
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<DoctorArgs>),
    /// Endpoints, parameters and prices in use, and whether the service still asks for them
    #[command(after_help = CATALOG_EXAMPLES)]
    Catalog(CatalogArgs),
    /// Refunds that were offered: list them, claim them
    #[command(after_help = REFUNDS_EXAMPLES)]
    Refunds(RefundsArgs),
    /// Fetch results into files, and buy nothing
    #[command(after_help = DOWNLOAD_EXAMPLES)]
    Download(Box<DownloadCommandArgs>),
    /// The configuration in force
    Config(ConfigArgs),
}

/// `plan`.
#[derive(Args, Clone, Debug, Default)]
pub struct PlanArgs {
    /// What to buy.
    #[command(flatten)]
    pub manifest: ManifestArgs,
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
    pub sandbox_options: super::run::SandboxOptions,
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
    /// Buy at most N jobs in this run: a trial first
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub limit: Option<u64>,
    /// Buy only these jobs in this run
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Buy these jobs anew, although they have ended: this spends again
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub retake: Vec<String>,
    /// Buy anew every delivered job whose content has changed in the manifest: this spends again
    #[arg(long)]
    pub retake_changed: bool,
    /// Buy anew every job whose money came back: this spends again
    #[arg(long)]
    pub retake_refunded: bool,
    /// Go on with a batch that is there; refuse to begin a new one
    #[arg(long)]
    pub resume: bool,
    /// Take over a batch of this name that was begun from a manifest at another path
    #[arg(long)]
    pub adopt: bool,
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

/// `recover`.
#[derive(Args, Clone, Debug, Default)]
pub struct RecoverArgs {
    /// Which batch.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Every batch of the ledger
    #[arg(long, help_heading = "Batch", conflicts_with_all = ["manifest", "batch"])]
    pub all: bool,
    /// Who was asked to pay.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How fast.
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

/// `refunds`.
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
    /// Which batch.
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

/// `status`.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// Which batch.
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
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `export`.
#[derive(Args, Clone, Debug, Default)]
pub struct ExportArgs {
    /// Which batch.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Where to.
    #[command(flatten)]
    pub files: FileArgs,
    /// Print only what needs a person
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `batches`.
#[derive(Args, Clone, Debug, Default)]
pub struct BatchesArgs {
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where they are recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `sandbox`.
#[derive(Args, Clone, Debug, Default)]
pub struct SandboxArgs {
    /// Keep keys and books in this folder across restarts, to practise resuming [default: nothing is kept]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How it behaves.
    #[command(flatten)]
    pub options: super::run::SandboxOptions,
    /// Who mints its invoices.
    #[cfg(feature = "sandbox")]
    #[command(flatten)]
    pub mint: Option<crate::sandbox::MintOptions>,
}

/// `download`.
#[derive(Args, Clone, Debug, Default)]
pub struct DownloadCommandArgs {
    /// Which batch.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Fetch the result of this job alone (repeatable)
    #[arg(long, value_name = "ID", help_heading = "Batch")]
    pub job: Vec<String>,
    /// Fetch once more what was fetched before and is not where it was
    #[arg(long, help_heading = "Batch")]
    pub missing: bool,
    /// How.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `resolve`.
#[derive(Args, Clone, Debug)]
pub struct ResolveArgs {
    /// Which batch.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The job to decide on
    #[arg(long, value_name = "ID", help_heading = "Decision")]
    pub job: String,
    /// unpaid: never paid, free what is held; lost: the money is gone; rebuy: lost, and buy it once more
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

/// `audit`.
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

/// `doctor`.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArgs {
    /// The file that says what to buy; without it, node, ledger and configuration are checked alone
    pub manifest: Option<PathBuf>,
    /// Ask no endpoint. Each is asked once otherwise, for the cheapest job, without payment: that costs nothing
    #[arg(long)]
    pub no_ask: bool,
    /// How to read the manifest.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Who pays.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `config`.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub what: ConfigCommand,
}

/// What to do with the configuration.
#[derive(Subcommand, Clone, Debug)]
pub enum ConfigCommand {
    /// Each value and where it came from; secrets are not shown
    Show(Box<ShowArgs>),
}

/// `config show`.
#[derive(Args, Clone, Debug, Default)]
pub struct ShowArgs {
    /// A manifest, whose limits then count
    pub manifest: Option<PathBuf>,
    /// How to read the manifest.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Who pays.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How fast.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Downloads.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `catalog`.
#[derive(Args, Clone, Debug)]
pub struct CatalogArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub what: CatalogCommand,
}

/// What to do with the catalogue.
#[derive(Subcommand, Clone, Debug)]
pub enum CatalogCommand {
    /// Endpoints, parameters and prices in use, and where each comes from; no network
    Show(Box<CatalogViewArgs>),
    /// Compare them with the service's own listing and with what it asks for now; nothing is paid
    Check(Box<CatalogViewArgs>),
    /// Write what it asks for now into a file of overrides to read; nothing is paid
    Update(Box<CatalogUpdateArgs>),
}

/// `catalog show`, `catalog check`.
#[derive(Args, Clone, Debug, Default)]
pub struct CatalogViewArgs {
    /// A manifest, whose endpoints then count too
    pub manifest: Option<PathBuf>,
    /// Only this endpoint (repeatable)
    #[arg(long, value_name = "NAME")]
    pub endpoint: Vec<String>,
    /// How to read the manifest.
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `catalog update`.
#[derive(Args, Clone, Debug, Default)]
pub struct CatalogUpdateArgs {
    /// Which catalogue.
    #[command(flatten)]
    pub view: CatalogViewArgs,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = "catalog.toml", help_heading = "Files")]
    pub out: PathBuf,
    /// Replace it where it is there
    #[arg(long, help_heading = "Files")]
    pub overwrite: bool,
}

/// `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The command line's description, each flag's long help with its variable.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command().mut_args(with_variable).mut_subcommands(|sub| sub.mut_args(with_variable))
}

fn with_variable(arg: Arg) -> Arg {
    let Some(variable) = arg.get_long().and_then(layer::variable_of_flag) else { return arg };
    let Some(help) = arg.get_help().map(ToString::to_string) else { return arg };
    arg.long_help(format!("{help}\n\n[env: {variable}]"))
}

/// Reads one command line, the program's own name first.
///
/// # Errors
/// Where it is wrong, and also where it only asks for help or the version: clap's error prints each where it belongs.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(argv)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Deadline, Format, Pair};
    use crate::money::Sats;

    fn parsed(line: &str) -> Result<Command, clap::Error> {
        let words = std::iter::once("l402-batch").chain(line.split_whitespace());
        parse(words.map(OsString::from)).map(|cli| cli.command)
    }

    fn run(line: &str) -> RunArgs {
        match parsed(line) {
            Ok(Command::Run(args)) => *args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_description_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_read_with_their_units() {
        let args = run("run shots.csv --default endpoint=generate-video --column Seconds=duration --delimiter tab \
             --max-sats 50_000 --max-fee-ppm 5000 --wait-doubt 90s --deadline 2h30m --only a,b --only c --json -y");
        assert_eq!(args.manifest.reading.default, [Pair { key: "endpoint".into(), value: "generate-video".into() }]);
        assert_eq!(args.manifest.reading.delimiter, Some(b'\t'));
        assert_eq!(args.limits.max_sats, Some(Sats::new(50_000)));
        assert_eq!(args.limits.max_fee_ppm, Some(5_000));
        assert_eq!(args.pace.wait_doubt.map(|d| d.as_secs()), Some(90));
        assert!(matches!(args.pace.deadline, Some(Deadline::In(d)) if d.as_secs() == 9_000));
        assert_eq!(args.choice.only, ["a", "b", "c"]);
        assert!(args.output.json && args.choice.yes && !args.output.quiet);
        assert_eq!(run("run - --format table").output.format, Some(Format::Table));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for line in [
            "run",
            "run a.toml --json --format csv",
            "run a.toml --sandbox --lnd-url https://127.0.0.1:8080",
            "run a.toml --sandbox --lnd-macaroon-file m",
            "run a.toml --sandbox --ledger l.db",
            "run a.toml --payments-in-flight 257",
            "run a.toml --max-sats 0.5",
            "run a.toml --limit 0",
            "run a.toml --wait-doubt 90",
            "run a.toml --default mode",
            "run a.toml --lnd-macaroon 00",
            "recover --all --batch june",
            "refunds",
            "refunds list --all --batch june",
            "refunds claim a.toml --proof",
            "refunds list a.toml --lnd-url https://127.0.0.1:8080",
            "recover a.toml --all",
            "status a.toml --all --job x",
            "plan a.toml --yes",
            "plan a.toml --lnd-url https://127.0.0.1:8080",
            "run a.toml --download d --download-name a/{id}",
            "download --missing a.toml --download-idle 0s",
            "frobnicate",
        ] {
            let error = parsed(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn every_command_is_there() {
        for line in [
            "plan a.toml --jobs",
            "estimate a.toml",
            "cost - --manifest-format csv",
            "recover --all",
            "status --batch june --job x --job y",
            "export a.toml --results r.csv --receipts s.csv --overwrite",
            "batches --json",
            "resolve a.toml --job x --as unpaid --note why --lnd-url https://n:8080",
            "audit --lnd-url https://n:8080 --json",
            "run a.toml --download d --download-name {endpoint}-{id} --downloads-in-flight 2 --max-file-mib 9",
            "plan a.toml --download d",
            "download a.toml --missing --job x --download-idle 5s",
            "download --batch june --json",
            "refunds list a.toml --job x --proof --json",
            "refunds claim --all --job x --lnd-url https://n:8080",
            "sandbox --state d",
            "doctor",
            "doctor a.toml --no-ask --lnd-dir d --json",
            "config show",
            "config show a.toml --max-sats 5 --lnd-network regtest --json",
            "catalog show",
            "catalog check a.toml --endpoint x --catalog c.toml --json",
            "catalog update --out p.toml --overwrite",
            "completions zsh",
            "man",
            "--config c.toml batches",
            "batches --config c.toml",
        ] {
            assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line));
        }
    }

    #[test]
    fn every_flag_has_a_variable_or_is_a_persons_word() {
        let command = command();
        let is_practice = |flag: &str| flag.starts_with("sandbox-") || flag.starts_with("mint-");
        for sub in command.get_subcommands() {
            for flag in sub.get_arguments().filter_map(Arg::get_long).filter(|flag| !is_practice(flag)) {
                let said_here_only = layer::FLAG_ONLY.contains(&flag.replace('-', "_").as_str());
                let has_variable = layer::variable_of_flag(flag).is_some();
                assert!(flag == "help" || said_here_only != has_variable, "--{flag} of {}", sub.get_name());
            }
        }
    }

    #[test]
    fn every_option_has_its_flag() {
        let command = command();
        let flags: Vec<String> = command
            .get_subcommands()
            .flat_map(clap::Command::get_arguments)
            .filter_map(Arg::get_long)
            .map(|flag| flag.replace('-', "_"))
            .collect();
        for key in &layer::KEYS {
            // Secrets stand on no command line, and what runs a program is no business of one.
            let secret = ["lnd_macaroon", "lnd_macaroon_command", "lnd_cert", "lnd_cert_command"].contains(&key.name);
            assert_eq!(flags.iter().any(|flag| flag == key.name), !secret, "{}", key.name);
        }
    }

    #[test]
    fn long_help_names_the_variable() {
        let mut command = command();
        let help = command.find_subcommand_mut("run").map(|run| run.render_long_help().to_string()).unwrap();
        assert!(help.contains("[env: L402_BATCH_MAX_SATS_PER_DAY]"), "{help}");
        assert!(!help.contains("L402_BATCH_RETAKE"), "{help}");
        assert!(help.starts_with("Buy it; the same command again goes on where it stopped"), "{help}");
    }
}
