//! The command line: arguments, configuration, one file a command.

pub mod args;
mod command_line;
pub mod config;
mod environment;
pub mod exit;
mod failure;
mod file;
mod flags;
mod input;
mod layer;
mod manual;
mod money;
mod node;
mod resolve;
mod shown;
mod terminal;
mod values;

mod audit;
mod batches;
mod config_show;
mod doctor;
mod export;
mod plan;
mod recover;
mod resolve_job;
mod run;
mod sandbox;
mod status;
mod target;

use std::ffi::OsString;

pub use command_line::CommandLine;
pub use environment::Environment;
pub use exit::{ExitCode, Findings, Signal};
pub use failure::Failure;
pub use flags::{LedgerArgs, LimitArgs, ManifestArgs, NodeArgs, OutputArgs, PaceArgs, ReadingArgs, TargetArgs};
pub use layer::{CertSource, Layer, MacaroonSource, Secret};
pub use node::Found;
pub use values::{Deadline, Format, ManifestFormat, Pair};

use args::{Cli, Command, ConfigCommand};
use config::Config;

/// Parses and runs one command line, and prints what is wrong with it. Never leaves the process by itself.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match args::parse(argv) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. A reader that has gone is no failure.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage } else { ExitCode::Done };
        }
    };
    execute(cli).unwrap_or_else(|failure| failure.report())
}

fn execute(cli: Cli) -> Result<ExitCode, Failure> {
    let config = |config| Config::load(config, Environment::of_process());
    match cli.command {
        Command::Plan(args) => plan::execute(config(cli.config)?.plan(args)?),
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
        Command::Man => manual::man(),
        Command::Resolve(args) => resolve_job::execute(&config(cli.config)?.resolve(*args)?),
        Command::Audit(args) => audit::execute(&config(cli.config)?.audit(args)?),
        Command::Doctor(args) => doctor::execute(*args, config(cli.config)),
        Command::Catalog(_) => Err(Failure::not_yet("catalog")),
        Command::Refunds(_) => Err(Failure::not_yet("refunds")),
        Command::Download(_) => Err(Failure::not_yet("download")),
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
