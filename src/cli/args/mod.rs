//! The command line as it is typed. What it means, together with variables, manifest and configuration, is
//! [`crate::cli::options::config`]'s to say.

mod buy;
mod choose;
mod finish;
mod get;
mod keep;
mod look;
mod setup;
#[cfg(test)]
mod tests;

use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::screen::{fold, stdout_columns};

use crate::cli::options;
use crate::cli::options::values::path_at;

pub use buy::{PlanArgs, RunArgs};
pub use choose::{ReportArgs, TakesArgs, TakesCommand, TakesListArgs, TakesMarkArgs, TakesReadArgs};
pub use finish::{
    DownloadCommandArgs, RecoverArgs, RefundsArgs, RefundsClaimArgs, RefundsCommand, RefundsListArgs, ResolveArgs,
};
pub use get::GetArgs;
pub use keep::{LaterArgs, LedgerCommand, LedgerCommandArgs, LedgerMergeArgs};
pub use look::{AuditArgs, BatchesArgs, ExportArgs, InitArgs, StatusArgs};
pub use setup::{
    CatalogArgs, CatalogCommand, CatalogImportArgs, CatalogShowArgs, CatalogUpdateArgs, CatalogViewArgs,
    CompletionsArgs, ConfigArgs, ConfigCommand, DoctorArgs, ManArgs, SandboxArgs, SchemaArgs, SchemaOf, ShowArgs,
};

const ABOUT: &str = "Buy from L402 APIs in bulk: plan the exact cost in sats, run it, keep every URL and receipt";

/// Help is wider on no terminal.
const HELP_COLUMNS_MAX: u16 = 110;

const MAIN_EXAMPLES: &str = "\
Examples:
  l402-batch run jobs.example.toml --sandbox       try it: no node, no money
  l402-batch plan shots.csv --default endpoint=generate-video
  l402-batch run shots.csv --max-sats 50000        the same command again goes on where it stopped
  l402-batch status shots.csv

A flag --max-sats is also the variable L402_BATCH_MAX_SATS and, where it makes sense for good, the
key max_sats in $XDG_CONFIG_HOME/l402-batch/config.toml. Flag beats variable beats manifest beats
file; of limits the tightest wins.";

/// The whole command line.
#[derive(Parser, Clone, Debug)]
#[command(name = "l402-batch", version, about = ABOUT, after_help = MAIN_EXAMPLES)]
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
    /// What it will cost, to the sat; nothing written, and no network but for --live
    #[command(visible_aliases = ["estimate", "cost"], after_help = buy::PLAN_EXAMPLES)]
    Plan(Box<PlanArgs>),
    /// Make a manifest of a sheet: propose what its columns are, show what would be bought, and write that to read
    #[command(after_help = look::INIT_EXAMPLES)]
    Init(Box<InitArgs>),
    /// Buy it; the same command again goes on where it stopped
    #[command(after_help = buy::RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Buy one thing without a manifest: an address or an endpoint; what comes goes to standard output
    #[command(after_help = get::GET_EXAMPLES)]
    Get(Box<GetArgs>),
    /// Finish everything that is open, and buy nothing
    #[command(after_help = finish::RECOVER_EXAMPLES)]
    Recover(Box<RecoverArgs>),
    /// Where a batch stands, and which jobs need something
    #[command(after_help = look::STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Write results, receipts and books, from the ledger
    #[command(after_help = look::EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Write a contact sheet: every take of every job side by side, to look at and to mark in a browser
    #[command(after_help = choose::REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// What you say of takes: picked, rejected, a note; nothing is bought by that
    #[command(after_help = choose::TAKES_EXAMPLES)]
    Takes(TakesArgs),
    /// The batches in the ledger
    Batches(BatchesArgs),
    /// A stand-in API and node on loopback, until Ctrl-C; prints how to use them
    Sandbox(SandboxArgs),
    /// A completion script for a shell
    #[command(after_help = setup::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// The manual's pages, in roff
    #[command(after_help = setup::MAN_EXAMPLES)]
    Man(ManArgs),
    /// Decide about a job that only a person can bring on
    #[command(after_help = finish::RESOLVE_EXAMPLES)]
    Resolve(Box<ResolveArgs>),
    /// Compare the ledger with the node's own list of payments
    Audit(AuditArgs),
    /// Check configuration, ledger, node and endpoints, and say what to do
    #[command(after_help = setup::DOCTOR_EXAMPLES)]
    Doctor(Box<DoctorArgs>),
    /// Endpoints, parameters and prices in use, and whether the service still asks for them
    #[command(after_help = setup::CATALOG_EXAMPLES)]
    Catalog(CatalogArgs),
    /// Refunds that were offered: list them, claim them
    #[command(after_help = finish::REFUNDS_EXAMPLES)]
    Refunds(RefundsArgs),
    /// Fetch results into files, and buy nothing
    #[command(after_help = finish::DOWNLOAD_EXAMPLES)]
    Download(Box<DownloadCommandArgs>),
    /// Bring into the ledger what another one, a rescued copy or receipts know
    #[command(after_help = keep::LEDGER_EXAMPLES)]
    Ledger(LedgerCommandArgs),
    /// The configuration in force
    Config(ConfigArgs),
}

/// The command line's description, each option's help with its default and, where it is long, its variable.
#[must_use]
pub fn command() -> clap::Command {
    declared(Cli::command())
}

/// The words that name a command, by whatever name.
pub(super) fn command_words() -> Vec<String> {
    let words = |sub: &clap::Command| {
        std::iter::once(sub.get_name()).chain(sub.get_all_aliases()).map(str::to_owned).collect::<Vec<_>>()
    };
    Cli::command().get_subcommands().flat_map(words).collect()
}

/// Whether a command has that flag, which may be no option: then it is given on the command line only.
pub(super) fn is_flag(name: &str) -> bool {
    fn has(command: &clap::Command, flag: &str) -> bool {
        command.get_arguments().any(|arg| arg.get_long() == Some(flag))
            || command.get_subcommands().any(|sub| has(sub, flag))
    }
    has(&Cli::command(), &name.replace('_', "-"))
}

/// The same, as it is shown on a terminal of so many columns: examples are folded beside their commands and never within
/// one. What goes into a pipe is not folded.
fn on_screen(command: clap::Command, columns: Option<u16>) -> clap::Command {
    let columns = columns.map(|columns| columns.min(HELP_COLUMNS_MAX));
    let command = command.term_width(columns.map_or(usize::MAX, usize::from));
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(text) => command.after_help(laid_out(&text, columns)),
        None => command,
    };
    command.mut_subcommands(|sub| on_screen(sub, columns))
}

/// The text with each example folded, and each paragraph on one line, which clap folds.
fn laid_out(text: &str, columns: Option<u16>) -> String {
    let mut whole = String::new();
    let goes_on = |line: &str| !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':');
    for line in text.split('\n') {
        let last = whole.rsplit('\n').next().unwrap_or_default();
        let joint = if whole.is_empty() {
            ""
        } else if goes_on(last) && goes_on(line) {
            " "
        } else {
            "\n"
        };
        whole.push_str(joint);
        whole.push_str(&if line.starts_with(' ') { fold(line, columns) } else { line.into() });
    }
    whole
}

fn declared(command: clap::Command) -> clap::Command {
    command.mut_args(path).mut_args(with_default).mut_args(with_variable).mut_subcommands(declared)
}

/// Whatever is a path is held against being one.
fn path(arg: Arg) -> Arg {
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    if is_path { arg.value_parser(PathBufValueParser::new().try_map(path_at)) } else { arg }
}

fn with_default(arg: Arg) -> Arg {
    let default = options::find(arg.get_id().as_str()).and_then(options::Declaration::told_default);
    match (default, arg.get_help().map(ToString::to_string)) {
        (Some(default), Some(help)) => arg.help(format!("{help} [default: {default}]")),
        (None, _) | (_, None) => arg,
    }
}

fn with_variable(arg: Arg) -> Arg {
    // A flag of one command alone may be called like an option of others, and is none.
    let flag = arg.get_long().filter(|flag| arg.get_id().as_str() == flag.replace('-', "_"));
    let Some(variable) = flag.and_then(options::variable_of_flag) else { return arg };
    let Some(help) = arg.get_help().map(ToString::to_string) else { return arg };
    arg.long_help(format!("{help}\n\n[env: {variable}]"))
}

/// Reads one command line, the program's own name first.
///
/// # Errors
/// Where it is wrong, and also where it only asks for help or the version: clap's error prints each where it belongs.
pub fn parse(argv: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut command = on_screen(command(), stdout_columns());
    let matches = command.try_get_matches_from_mut(argv)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}
