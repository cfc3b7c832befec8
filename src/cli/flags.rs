//! Flags that several commands share, as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use crate::download::name::Template;
use crate::money::Sats;

use super::values::{self, Deadline, Format, ManifestFormat, Pair};

/// What to buy: the manifest and how to read it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Manifest")]
pub struct ManifestArgs {
    /// The file that says what to buy: .toml, .csv, .tsv, .txt, or - for standard input
    #[arg(help_heading = Option::<&str>::None)]
    pub manifest: PathBuf,
    /// How to read it.
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How to read a manifest.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Manifest")]
pub struct ReadingArgs {
    /// How the manifest is written, where its name does not tell (needed for -)
    #[arg(long, value_name = "FORMAT")]
    pub manifest_format: Option<ManifestFormat>,
    /// The batch's name in the ledger [default: the manifest's name, else the file's stem]
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
    /// A TOML file with [endpoint.NAME] tables that adds endpoints or overrides keys of known ones (repeatable; a later
    /// one wins)
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
    /// A parameter for every job that does not give it, also endpoint=NAME (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub default: Vec<Pair>,
    /// A CSV column under another header: Seconds=duration (repeatable)
    #[arg(long, value_name = "HEADER=NAME")]
    pub column: Vec<Pair>,
    /// The CSV's delimiter: one character, or tab [default: found from the header]
    #[arg(long, value_name = "CHAR", value_parser = values::delimiter)]
    pub delimiter: Option<u8>,
}

/// Which batch a command is about.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Batch")]
pub struct TargetArgs {
    /// The batch's manifest
    #[arg(help_heading = Option::<&str>::None)]
    pub manifest: Option<PathBuf>,
    /// How the manifest is written, where its name does not tell
    #[arg(long, value_name = "FORMAT")]
    pub manifest_format: Option<ManifestFormat>,
    /// The batch's name in the ledger
    #[arg(long, value_name = "NAME")]
    pub batch: Option<String>,
}

/// How much is printed, and how.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How results are written to standard output [default: table]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Short for --format json (JSON Lines for run)
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Print only what needs a person; nothing at all on success
    #[arg(long, short)]
    pub quiet: bool,
}

/// Where the ledger is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Ledger")]
pub struct LedgerArgs {
    /// The durable record of every batch, on a local disk
    /// [default: $STATE_DIRECTORY/ledger.db, else $XDG_STATE_HOME/l402-batch/ledger.db]
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
}

/// What may be spent. Where several sources set one of these, the tightest wins.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (of flag, variable, manifest and configuration the tightest wins)")]
pub struct LimitArgs {
    /// The most that the batch may cost over all its runs, in sats, routing fees included
    #[arg(long, value_name = "SATS", value_parser = values::sats)]
    pub max_sats: Option<Sats>,
    /// The most that one job may cost, in sats, routing fee included
    #[arg(long, value_name = "SATS", value_parser = values::sats)]
    pub max_sats_per_job: Option<Sats>,
    /// The most that may be spent in a day, in sats, over all batches of the ledger; the rest stays pending
    #[arg(long, value_name = "SATS", value_parser = values::sats)]
    pub max_sats_per_day: Option<Sats>,
    /// The most that may be spent in a month, in sats, over all batches of the ledger; the rest stays pending
    #[arg(long, value_name = "SATS", value_parser = values::sats)]
    pub max_sats_per_month: Option<Sats>,
    /// The IANA time zone in which days and months begin [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = values::time_zone)]
    pub time_zone: Option<String>,
    /// A payment's routing-fee ceiling, in parts per million of its amount
    #[arg(long, value_name = "PPM", value_parser = values::ppm)]
    pub max_fee_ppm: Option<u64>,
    /// A payment's routing-fee ceiling is never below this, in sats
    #[arg(long, value_name = "SATS", value_parser = values::sats)]
    pub fee_floor_sats: Option<Sats>,
    /// Buy what fits into --max-sats instead of refusing to start
    #[arg(long)]
    pub partial: bool,
}

/// The node that pays. The macaroon may also stand in the variable `L402_BATCH_LND_MACAROON`, or be said by a command; it
/// never stands in a manifest, in the configuration file or on the command line.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Node")]
pub struct NodeArgs {
    /// LND's REST address [default: https://127.0.0.1:8080, where a macaroon is named or found]
    #[arg(long, value_name = "URL")]
    pub lnd_url: Option<Url>,
    /// The file with the macaroon, binary or hex [default: payer.macaroon, else admin.macaroon, where lnd keeps them]. Its
    /// hex may stand in $L402_BATCH_LND_MACAROON instead, or a command in lnd_macaroon_command may say it
    #[arg(long, value_name = "FILE")]
    pub lnd_macaroon_file: Option<PathBuf>,
    /// The node's own tls.cert, which is then the only certificate that is trusted [default: tls.cert where lnd keeps it]
    #[arg(long, value_name = "FILE")]
    pub lnd_cert_file: Option<PathBuf>,
    /// lnd's own folder, for what is not named [default: ~/.lnd, for a node on this machine]
    #[arg(long, value_name = "DIR")]
    pub lnd_dir: Option<PathBuf>,
    /// Of which network the macaroon in lnd's folder is: mainnet, testnet, signet, regtest, … [default: mainnet]
    #[arg(long, value_name = "NETWORK", value_parser = values::lnd_network)]
    pub lnd_network: Option<String>,
}

/// How fast, how long and how persistently.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// Jobs between their first request and their result, at most [default: 64]
    #[arg(long, value_name = "N", value_parser = values::jobs_in_flight)]
    pub jobs_in_flight: Option<u32>,
    /// Payments on their way at the node, at most (1 to 256) [default: 16]
    #[arg(long, value_name = "N", value_parser = values::payments_in_flight)]
    pub payments_in_flight: Option<u32>,
    /// Requests a second to one host [default: 10]
    #[arg(long, value_name = "N", value_parser = values::from_one)]
    pub requests_per_second: Option<u32>,
    /// Stop buying from an endpoint that took this many payments in a row without delivering; until its first delivery
    /// in this run, no more of its purchases are under way together [default: 3]
    #[arg(long, value_name = "N", value_parser = values::from_one)]
    pub max_undelivered: Option<u32>,
    /// Buy nothing new while this many payments are in doubt [default: 16]
    #[arg(long, value_name = "N", value_parser = values::from_one)]
    pub max_doubt: Option<u32>,
    /// With nothing left to do but payments in doubt, wait this long before ending (90s, 10m, 2h30m) [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub wait_doubt: Option<Duration>,
    /// Refuse an invoice that can be paid for longer than this: while it can, a doubt about it does not end [default: 8d]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub max_invoice_life: Option<Duration>,
    /// Begin no purchase after this: a duration (8h), a local time (06:30) or an RFC 3339 time
    #[arg(long, value_name = "TIME|DURATION")]
    pub deadline: Option<Deadline>,
}

/// Where results are written as files, and under which names.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Downloads")]
pub struct DownloadToArgs {
    /// Fetch every result into this folder as it comes; it is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub download: Option<PathBuf>,
    /// How files are called: {id}, {endpoint}, {date}, {take}, a parameter or an x_* column in braces; the ending follows
    /// from the content [default: {id}]
    #[arg(long, value_name = "TEMPLATE")]
    pub download_name: Option<Template>,
}

/// Downloads.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Downloads")]
pub struct DownloadArgs {
    /// Where to.
    #[command(flatten)]
    pub to: DownloadToArgs,
    /// Files that are fetched at once [default: 8]
    #[arg(long, value_name = "N", value_parser = values::downloads_in_flight)]
    pub downloads_in_flight: Option<u32>,
    /// Fetches that begin at one host, a second [default: 10]
    #[arg(long, value_name = "N", value_parser = values::from_one)]
    pub downloads_per_second: Option<u32>,
    /// A result that is larger is not fetched, in MiB [default: 1024]
    #[arg(long, value_name = "MIB", value_parser = values::file_mib)]
    pub max_file_mib: Option<u32>,
    /// Break a fetch off, and try again, where nothing to speak of comes for this long [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = values::idle)]
    pub download_idle: Option<Duration>,
}
