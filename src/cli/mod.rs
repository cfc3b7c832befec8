//! The command line: arguments, configuration, one file a command.

mod again;
pub mod args;
mod command_line;
pub mod config;
mod environment;
pub mod exit;
mod failure;
mod file;
mod flags;
mod foresight;
mod input;
mod layer;
mod manual;
mod money;
mod node;
mod options;
mod resolve;
mod shown;
mod terminal;
mod values;

mod audit;
mod batches;
mod catalog;
mod config_show;
mod doctor;
mod download;
mod export;
mod ledger;
mod plan;
mod receipts;
mod recover;
mod refunds;
mod resolve_job;
mod run;
mod sandbox;
mod status;
mod target;

use std::ffi::OsString;

use crate::payer::veiled;

pub use command_line::CommandLine;
pub use environment::Environment;
pub use exit::{ExitCode, Findings, Signal};
pub use failure::Failure;
pub use flags::{ManifestArgs, TargetArgs};
pub use foresight::Cause;
pub use layer::{CertSource, MacaroonSource, Secret};
pub use node::Found;
pub use run::Advice;
pub use values::{Deadline, Format, ManifestFormat, Pair};

use args::{CatalogCommand, Cli, Command, ConfigCommand, LedgerCommand, RefundsCommand};
use config::Config;

/// Parses and runs one command line, and prints what is wrong with it. Never leaves the process by itself.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match args::parse(argv) {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                let plain = error.render().to_string();
                // What was typed in a wrong place is a secret all the same.
                let hidden = veiled(&plain);
                let is_as_typed = terminal::color() && hidden == plain;
                terminal::say(&if is_as_typed { error.render().ansi().to_string() } else { hidden });
                return ExitCode::Usage;
            }
            // Help and version come this way too. A reader that has gone is no failure.
            return match error.print() {
                Ok(()) => ExitCode::Done,
                Err(error) => Failure::Stdout(error).report(),
            };
        }
    };
    execute(cli).unwrap_or_else(|failure| failure.report())
}

fn execute(cli: Cli) -> Result<ExitCode, Failure> {
    let config = |config| Config::load(config, Environment::of_process());
    match cli.command {
        Command::Plan(args) => plan::execute(config(cli.config)?.plan(*args)?),
        Command::Run(args) => {
            let sandbox = args.sandbox_options.clone();
            run::execute(&config(cli.config)?.run(*args)?, &sandbox)
        }
        Command::Recover(args) => recover::execute(&config(cli.config)?.recover(*args)?),
        Command::Status(args) => status::execute(&config(cli.config)?.status(args)?),
        Command::Export(args) => export::execute(&config(cli.config)?.export(args)?),
        Command::Batches(args) => batches::execute(&config(cli.config)?.batches(args)?),
        Command::Sandbox(args) => sandbox::execute(&args),
        Command::Completions(args) => manual::completions(args.shell),
        Command::Man(args) => manual::man(args.folder.as_deref()),
        Command::Resolve(args) => resolve_job::execute(&config(cli.config)?.resolve(*args)?),
        Command::Audit(args) => audit::execute(&config(cli.config)?.audit(args)?),
        Command::Doctor(args) => doctor::execute(*args, config(cli.config)),
        Command::Catalog(args) => {
            let config = config(cli.config)?;
            match args.what {
                CatalogCommand::Show(args) => catalog::show(&config.catalog(*args)?),
                CatalogCommand::Check(args) => catalog::check(&config.catalog(*args)?),
                CatalogCommand::Update(args) => {
                    let file = config::UpdateFile { path: args.out, overwrite: args.overwrite };
                    catalog::update(&config.catalog(args.view)?, &file)
                }
            }
        }
        Command::Refunds(args) => match args.what {
            RefundsCommand::List(args) => refunds::list(&config(cli.config)?.refunds_list(args)?),
            RefundsCommand::Claim(args) => refunds::claim(&config(cli.config)?.refunds_claim(*args)?),
        },
        Command::Download(args) => download::execute(&config(cli.config)?.download(*args)?),
        Command::Ledger(args) => match args.what {
            LedgerCommand::Merge(args) => ledger::merge(&config(cli.config)?.ledger_merge(args)?),
            LedgerCommand::Backup(_) => Err(ledger::later("backup")),
            LedgerCommand::Verify(_) => Err(ledger::later("verify")),
            LedgerCommand::Prune(_) => Err(ledger::later("prune")),
            LedgerCommand::Copy(_) => Err(ledger::later("copy")),
            LedgerCommand::Init(_) => Err(ledger::later("init")),
        },
        Command::Config(args) => match args.what {
            ConfigCommand::Show(args) => config_show::execute(&config(cli.config)?.show(*args)?),
        },
    }
}

/// The runtime of the commands that ask a node or an origin. One thread: the ledger has its own, the rest waits for the
/// network, and handing each answer from thread to thread would cost more than reading it.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Internal(format!("no runtime: {error}")))
}
