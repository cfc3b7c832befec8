//! What it works with: `doctor`, `config`, `catalog`, `sandbox`, `completions`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::options::{DownloadArgs, LedgerArgs, LimitArgs, NodeArgs, OutputArgs, PaceArgs, ReadingArgs};

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  l402-batch doctor                                node, ledger, configuration
  l402-batch doctor jobs.toml                      and whether this manifest would run
  l402-batch doctor jobs.toml --json --no-ask

Pays nothing and writes nothing. Each endpoint is asked once, without payment, for its cheapest job.
What a run obeys by variables and configuration file counts. Exit codes: 0 ready (warnings count for
nothing), 2 configuration or manifest, 3 to 6 as a run, or an endpoint, would end, 7 ledger, 8 a limit,
9 node, 11 another run holds the batch.";

pub(super) const CATALOG_EXAMPLES: &str = "\
Examples:
  l402-batch catalog show                          what is built in
  l402-batch catalog show jobs.toml --catalog mine.toml --json
  l402-batch catalog show --prices --format csv    a price list
  l402-batch catalog check --endpoint generate-video
  l402-batch catalog update --out prices.toml      then read it, and: plan jobs.toml --catalog prices.toml
  l402-batch catalog import https://shop.example/openapi.json -o shop.toml

Each rate is asked for once, without payment; import asks for nothing but the document. Exit codes: 0 as
the catalogue says, or imported, 2 usage, 3 not everything could be learnt, 6 something differs.";

/// What `doctor` takes: it checks everything that a run needs, and pays nothing.
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
    /// The node that pays, and how it is reached.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `config` takes: it shows each option's value and where that came from, and what an editor has to know.
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
    /// The JSON Schema by which an editor checks and completes a TOML file of that kind, to standard output
    Schema(SchemaArgs),
}

/// `config schema`.
#[derive(Args, Clone, Copy, Debug)]
pub struct SchemaArgs {
    /// Of which file
    pub of: SchemaOf,
}

/// A TOML file that a person writes.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaOf {
    /// What to buy
    Manifest,
    /// Endpoints, for --catalog
    Catalog,
    /// The configuration file
    Config,
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
    /// The node that pays, and how it is reached.
    #[command(flatten)]
    pub node: NodeArgs,
    /// How many at once, how fast, and how long.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Where files go, how they are called, and how they are fetched.
    #[command(flatten)]
    pub downloads: DownloadArgs,
    /// How to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Where it is recorded.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// What `catalog` takes: it shows endpoints and prices, and compares them with the services' own.
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
    Show(Box<CatalogShowArgs>),
    /// Compare them with the service's own listing and with what it asks for now; nothing is paid
    Check(Box<CatalogViewArgs>),
    /// Write what it asks for now into a file of overrides to read; nothing is paid
    Update(Box<CatalogUpdateArgs>),
    /// Make endpoint tables to read of what a seller publishes; nothing is bought, and nothing else is asked for
    Import(Box<CatalogImportArgs>),
}

/// `catalog show`.
#[derive(Args, Clone, Debug, Default)]
pub struct CatalogShowArgs {
    /// Which catalogue.
    #[command(flatten)]
    pub view: CatalogViewArgs,
    /// A price list: what a job costs, by every combination of the values that the price depends on
    #[arg(long)]
    pub prices: bool,
}

/// `catalog check`, and what the others have in common with it.
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

/// `catalog import`.
#[derive(Args, Clone, Debug, Default)]
pub struct CatalogImportArgs {
    /// A file, `-` for standard input, or the address of /.well-known/l402-services, /.well-known/l402.json or an OpenAPI document
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub source: String,
    /// Only this endpoint, by the name that it gets here (repeatable)
    #[arg(long, value_name = "NAME")]
    pub endpoint: Vec<String>,
    /// Begin every endpoint's name so
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub name: String,
    /// Where the document stands, for a file or standard input whose addresses are relative
    #[arg(long, value_name = "URL")]
    pub base: Option<String>,
    /// The file to write, instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Files")]
    pub out: Option<PathBuf>,
    /// Replace it where it is there
    #[arg(long, requires = "out", help_heading = "Files")]
    pub overwrite: bool,
}

/// What `sandbox` takes: it keeps a stand-in API and a stand-in node running.
#[derive(Args, Clone, Debug, Default)]
pub struct SandboxArgs {
    /// Keep keys and books in this folder across restarts, to practise resuming [default: nothing is kept]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How it behaves.
    #[command(flatten)]
    pub options: crate::cli::batch::counterparties::SandboxOptions,
    /// Who mints its invoices.
    #[cfg(feature = "sandbox")]
    #[command(flatten)]
    pub mint: Option<crate::sandbox::MintOptions>,
}

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  l402-batch man | man -l -
  l402-batch man refunds-claim | man -l -          the page of one command
  l402-batch man ~/.local/share/man/man1           l402-batch.1, l402-batch-run.1, …";

/// What `man` takes: it prints the manual pages.
#[derive(Args, Clone, Debug, Default)]
pub struct ManArgs {
    /// A folder to write the pages into, a file each, or the name of a command whose page alone is printed, where no folder is
    /// called so; without it all are printed, one after the other
    #[arg(value_name = "DIR|COMMAND")]
    pub folder: Option<std::path::PathBuf>,
}

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bash: echo 'eval \"$(l402-batch completions bash)\"' >> ~/.bashrc
  zsh:  echo 'autoload -U compinit && compinit' >> ~/.zshrc
        echo 'eval \"$(l402-batch completions zsh)\"' >> ~/.zshrc
  fish: echo 'l402-batch completions fish | source' >> ~/.config/fish/config.fish

Type that once in the shell; the next one that is started completes.";

/// What `completions` takes: it prints what a shell needs to complete commands.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
