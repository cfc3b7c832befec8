//! The command line: arguments, configuration, one file a command.

mod again;
pub mod args;
mod batch;
mod command_line;
mod commands;
mod ending;
pub mod exit;
mod failure;
mod input;
mod live_price;
mod money;
mod node;
mod options;
mod preflight;
mod rates;
mod secrets;
mod sums;
mod terminal;

mod receipt_check;
mod receipts;
mod target;

use std::ffi::OsString;
use std::path::Path;

use crate::command::set_program;
use crate::screen::{TypedAs, holds_binary_macaroon, looks_like_private_key, remember, veiled};

pub use command_line::CommandLine;
pub use ending::advice::Advice;
pub use exit::{ExitCode, Findings};
pub use failure::{CommandError, Failure};
pub use node::Found;
pub use options::environment::Environment;
pub use options::flags::{ManifestArgs, TargetArgs};
pub use options::layer::{CertSource, MacaroonSource, Secret};
pub use options::values::{Deadline, Format, ManifestFormat, Pair};
pub use preflight::foresight::Cause;

use crate::ledger::TakeMark;
use args::{CatalogCommand, Cli, Command, ConfigCommand, LedgerCommand, RefundsCommand, TakesCommand};
use options::config::Config;

/// Parses and runs one command line, and prints what is wrong with it. Never leaves the process by itself.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let argv: Vec<OsString> = argv.into_iter().collect();
    if argv.iter().any(|word| holds_binary_macaroon(word.as_encoded_bytes())) {
        let hint = "name the file that holds it (--lnd-macaroon-file)";
        return Failure::from(CommandError::usage("a macaroon itself stands on the command line").hint(hint)).report();
    }
    if argv.iter().any(|word| looks_like_private_key(word.as_encoded_bytes())) {
        let hint = "the certificate (tls.cert) is meant, by the name of its file (--lnd-cert-file)";
        return Failure::from(CommandError::usage("a word of the command line is a private key (tls.key)").hint(hint))
            .report();
    }
    // What was typed in a wrong place is a secret all the same.
    let mut is_of_macaroon = false;
    for word in argv.iter().map(|word| word.to_string_lossy()) {
        let names_macaroon = word.starts_with("--lnd-macaroon");
        remember(
            &word,
            if is_of_macaroon || names_macaroon { TypedAs::Macaroon(&Path::exists) } else { TypedAs::Anything },
        );
        is_of_macaroon = names_macaroon && !word.contains('=');
    }
    argv.first().into_iter().for_each(|word| set_program(Path::new(word), args::command_words));
    let cli = match args::parse(argv) {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() {
                let plain = error.render().to_string();
                let is_as_typed = terminal::color() && veiled(&plain) == plain;
                terminal::say(&if is_as_typed { error.render().ansi().to_string() } else { plain });
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
        Command::Plan(args) => commands::plan::execute(config(cli.config)?.plan(*args)?),
        Command::Init(args) => commands::init::execute(&config(cli.config)?.init(*args)?),
        Command::Run(args) => {
            let sandbox = args.sandbox_options.clone();
            commands::run::execute(&config(cli.config)?.run(*args)?, &sandbox)
        }
        Command::Get(args) => {
            let sandbox = args.sandbox_options.clone();
            commands::get::execute(config(cli.config)?.get(*args)?, &sandbox)
        }
        Command::Recover(args) => commands::recover::execute(&config(cli.config)?.recover(*args)?),
        Command::Status(args) => commands::status::execute(&config(cli.config)?.status(args)?),
        Command::Export(args) => commands::export::execute(&config(cli.config)?.export(args)?),
        Command::Report(args) => commands::report::execute(&config(cli.config)?.report(args)?),
        Command::Takes(args) => takes(args.what, config(cli.config)?),
        Command::Batches(args) => commands::batches::execute(&config(cli.config)?.batches(args)?),
        Command::Sandbox(args) => commands::sandbox::execute(&args),
        Command::Completions(args) => commands::completions::completions(args.shell),
        Command::Man(args) => commands::manual::man(args.folder.as_deref()),
        Command::Resolve(args) => commands::resolve::execute(&config(cli.config)?.resolve(*args)?),
        Command::Audit(args) => commands::audit::execute(&config(cli.config)?.audit(args)?),
        Command::Doctor(args) => commands::doctor::execute(*args, config(cli.config)),
        Command::Catalog(args) => match args.what {
            CatalogCommand::Show(args) => commands::catalog::show(&config(cli.config)?.catalog_show(*args)?),
            CatalogCommand::Check(args) => commands::catalog::check(&config(cli.config)?.catalog(*args)?),
            CatalogCommand::Update(args) => {
                let file = options::config::UpdateFile { path: args.out, overwrite: args.overwrite };
                commands::catalog::update(&config(cli.config)?.catalog(args.view)?, &file)
            }
            CatalogCommand::Import(args) => commands::catalog::import(&args),
        },
        Command::Refunds(args) => match args.what {
            RefundsCommand::List(args) => commands::refunds::list(&config(cli.config)?.refunds_list(args)?),
            RefundsCommand::Claim(args) => commands::refunds::claim(&config(cli.config)?.refunds_claim(*args)?),
        },
        Command::Download(args) => commands::download::execute(&config(cli.config)?.download(*args)?),
        Command::Ledger(args) => match args.what {
            LedgerCommand::Merge(args) => commands::ledger::merge(&config(cli.config)?.ledger_merge(args)?),
            LedgerCommand::Backup(_) => Err(commands::ledger::later("backup")),
            LedgerCommand::Verify(_) => Err(commands::ledger::later("verify")),
            LedgerCommand::Prune(_) => Err(commands::ledger::later("prune")),
            LedgerCommand::Copy(_) => Err(commands::ledger::later("copy")),
            LedgerCommand::Init(_) => Err(commands::ledger::later("init")),
        },
        Command::Config(args) => match args.what {
            ConfigCommand::Show(args) => commands::config_show::execute(&config(cli.config)?.show(*args)?),
            ConfigCommand::Schema(args) => commands::config_schema::execute(args.of),
        },
    }
}

fn takes(command: TakesCommand, config: Config) -> Result<ExitCode, Failure> {
    use commands::takes;
    match command {
        TakesCommand::List(args) => takes::list(&config.takes_list(args)?),
        TakesCommand::Pick(args) => takes::mark(&config.takes_mark(args, Some(TakeMark::Pick))?),
        TakesCommand::Reject(args) => takes::mark(&config.takes_mark(args, Some(TakeMark::Reject))?),
        TakesCommand::Clear(args) => takes::mark(&config.takes_mark(args, None)?),
        TakesCommand::Read(args) => takes::read(&config.takes_read(args)?),
    }
}

/// The runtime of the commands that ask a node or an origin. One thread: the ledger has its own, the rest waits for the
/// network, and handing each answer from thread to thread would cost more than reading it.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::internal("no runtime").because(error).into())
}
