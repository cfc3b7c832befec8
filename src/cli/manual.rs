//! `l402-batch completions` and `l402-batch man`: made from the command line's own description.

use std::io::{self, Write};

use clap_complete::Shell;

use super::args;
use super::{ExitCode, Failure};

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "l402-batch", &mut script);
    print(&script)
}

/// Prints the manual: the program's page, then one a command.
pub(super) fn man() -> Result<ExitCode, Failure> {
    let mut command = args::command();
    command.build();
    let mut pages = Vec::new();
    let mut page = |command: clap::Command| clap_mangen::Man::new(command).render(&mut pages);
    page(command.clone()).map_err(Failure::Stdout)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        page(sub.clone()).map_err(Failure::Stdout)?;
    }
    print(&pages)
}

fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    Ok(ExitCode::Done)
}
