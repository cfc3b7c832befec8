//! `get`: one purchase without a manifest.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::options::flags::other_help;
use crate::cli::options::values::{Pair, RequestMethod};
use crate::cli::options::{AskArgs, LedgerArgs, LimitArgs, NodeArgs, PlayArgs, QuietArgs};

pub(super) const GET_EXAMPLES: &str = "\
Examples:
  l402-batch get https://api.example.com/quote --dry-run
  l402-batch get https://api.example.com/quote city=Oslo --max-sats 50
  l402-batch get https://api.example.com/chat --json @ask.json -o said.json
  l402-batch get generate-video prompt='a boat' mode=standard \\
      --sandbox -o boat.mp4

What comes goes to standard output, or into FILE; words go to standard error. The same command again goes on where it
stopped, and gives again what is bought: it never pays twice. It is recorded as a batch of its own (`batches`), and ends
as `run` does.";

/// What `get` takes: one thing to buy, and within what.
#[derive(Args, Clone, Debug, Default)]
#[command(
    mut_args(other_help(
        "dry_run",
        "Say what it costs now, and stop there: it is asked for without payment, and nothing is written"
    )),
    mut_args(other_help(
        "max_sats",
        "The most that it may cost, in sats, routing fee included; needed without a terminal"
    )),
    mut_args(other_help("yes", "Do not ask"))
)]
pub struct GetArgs {
    /// An address (http, https), or the name of an endpoint of the catalogue
    #[arg(value_name = "URL|ENDPOINT", value_hint = ValueHint::Url)]
    pub target: String,
    /// Its parameters: of an address, what its query, or its JSON body with --method POST or PUT, is to hold
    #[arg(value_name = "KEY=VALUE")]
    pub params: Vec<Pair>,
    /// The JSON object to send to an address, or @FILE with it; a text in it that is exactly {KEY} stands for that parameter
    #[arg(id = "json_body", long = "json", value_name = "BODY|@FILE", help_heading = "Request")]
    pub json: Option<String>,
    /// How an address is asked [default: GET, with --json POST]
    #[arg(long, value_name = "METHOD", ignore_case = true, help_heading = "Request")]
    pub method: Option<RequestMethod>,
    /// A TOML file with [endpoint.NAME] tables (repeatable; a later one wins)
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    pub catalog: Vec<PathBuf>,
    /// Where what comes is written, instead of to standard output
    #[arg(short = 'o', long = "out", value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Replace that file where it is there
    #[arg(long, requires = "out", help_heading = "Output")]
    pub overwrite: bool,
    /// Whether to ask, and whether to buy.
    #[command(flatten)]
    pub ask: AskArgs,
    /// What may be spent.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The node that pays, and how it is reached.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How to print.
    #[command(flatten)]
    pub quiet: QuietArgs,
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
