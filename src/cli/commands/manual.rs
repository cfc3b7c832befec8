//! `l402-batch completions` and `l402-batch man`: made from the command line's own description.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ValueHint};
use clap_complete::Shell;

use crate::manifest::Duplicates;

use crate::cli::options::values::LND_NETWORKS;
use crate::cli::{CommandError, ExitCode, Failure, args};

/// What stands where.
const FILES: [(&str, &str); 5] = [
    (
        "$XDG_CONFIG_HOME/l402-batch/config.toml",
        "the configuration; --config names another (~/.config where the variable is unset)",
    ),
    (
        "$XDG_STATE_HOME/l402-batch/ledger.db",
        "the ledger, the only truth about what was paid; --ledger names another ($STATE_DIRECTORY comes first, ~/.local/state last)",
    ),
    ("STEM.results.csv", "beside the manifest: a row for each job"),
    ("STEM.receipts.csv", "beside the manifest: a row for each payment and each refund"),
    ("STEM.sandbox.results.csv, STEM.sandbox.receipts.csv", "the same, of play money"),
];

/// Prints the completion script of a shell.
pub(in crate::cli) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_hints(shown(args::command())), "l402-batch", &mut script);
    let Ok(mut script) = String::from_utf8(script) else {
        return Err(CommandError::internal("the completion script is no text").into());
    };
    if shell == Shell::Fish {
        script.push_str(&fish_places(&args::command()));
    }
    // In bash a name with a hyphen is written in two ways, so that nothing behind a command would be completed:
    // https://github.com/clap-rs/clap/issues/6421. Where that is mended this changes nothing.
    print(script.replace("l402__subcmd__batch__subcmd__", "l402__batch__subcmd__").as_bytes())
}

/// The command without what its help hides: scripts would offer that all the same.
fn shown(command: clap::Command) -> clap::Command {
    let is_hidden = |command: &clap::Command| command.get_subcommands().any(clap::Command::is_hide_set);
    let is_there = command.find_subcommand(LEDGER).is_some_and(is_hidden);
    if !is_there {
        return command;
    }
    command.mut_subcommand(LEDGER, |all| {
        let shown = all.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned();
        let shown: Vec<clap::Command> = shown.collect();
        let args: Vec<Arg> = all.get_arguments().cloned().collect();
        clap::Command::new(LEDGER).about(all.get_about().cloned().unwrap_or_default()).args(args).subcommands(shown)
    })
}

/// The command of which some parts are hidden.
const LEDGER: &str = "ledger";

/// The command with what each value is: file names are completed only where a file or a folder is meant.
fn with_hints(command: clap::Command) -> clap::Command {
    command.mut_args(with_hint).mut_subcommands(with_hints)
}

/// What fish's script leaves out: the words of a value that is given by its place.
fn fish_places(command: &clap::Command) -> String {
    let mut lines = String::new();
    for sub in command.get_subcommands() {
        for arg in sub.get_positionals().filter(|arg| !arg.get_possible_values().is_empty()) {
            let words: Vec<String> = arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
            let (name, words) = (sub.get_name(), words.join(" "));
            lines.push_str(&format!(
                "complete -c l402-batch -n \"__fish_l402_batch_using_subcommand {name}\" -f -a \"{words}\"\n"
            ));
        }
    }
    lines
}

/// The words of a value that is read by a rule of our own, where there are some.
fn words_of(arg: &Arg) -> Vec<&'static str> {
    match arg.get_id().as_str() {
        "duplicates" => Duplicates::ALL.iter().map(|word| word.as_str()).collect(),
        "lnd_network" => LND_NETWORKS.to_vec(),
        _ => Vec::new(),
    }
}

fn with_hint(arg: Arg) -> Arg {
    let words = words_of(&arg);
    let arg = if words.is_empty() { arg } else { arg.value_parser(PossibleValuesParser::new(words)) };
    let is_folder = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "DIR"));
    let is_choice = !arg.get_possible_values().is_empty();
    match arg.get_value_hint() {
        ValueHint::AnyPath if is_folder => arg.value_hint(ValueHint::DirPath),
        ValueHint::AnyPath => arg.value_hint(ValueHint::FilePath),
        ValueHint::Unknown if arg.get_action().takes_values() && !is_choice => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

/// Prints the manual, the program's page and then one a command, or writes each into a file of that folder.
pub(in crate::cli) fn man(folder: Option<&Path>) -> Result<ExitCode, Failure> {
    let mut command = args::command();
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, &mut pages).map_err(Failure::Stdout)?;
    let Some(folder) = folder else {
        return print(&pages.into_iter().flat_map(|(_, page)| page).collect::<Vec<u8>>());
    };
    let unwritten = |path: &Path, error: io::Error| {
        CommandError::usage(format!("{} cannot be written", path.display())).because(error)
    };
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    for (name, page) in pages {
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page).map_err(|error| unwritten(&path, error))?;
    }
    Ok(ExitCode::Done)
}

/// The page of a command, and those of its own commands, each with its name.
fn add_pages(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(&name).render(&mut page)?;
    let codes = ExitCode::ALL.iter().map(|code| (code.number().to_string(), code.meaning()));
    section(&mut page, "EXIT STATUS", codes)?;
    writeln!(page, ".PP\nWhere several apply, the first of 7, 5, 4, 6, signal, 9, 8, 10, 3 counts.")?;
    section(&mut page, "FILES", FILES.iter().map(|(path, what)| ((*path).to_owned(), *what)))?;
    pages.push((name, page));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        add_pages(sub, pages)?;
    }
    Ok(())
}

/// A section of words and what each means.
fn section(page: &mut Vec<u8>, title: &str, lines: impl Iterator<Item = (String, &'static str)>) -> io::Result<()> {
    let plain = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    writeln!(page, ".SH \"{title}\"")?;
    for (word, meaning) in lines {
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", plain(&word), plain(meaning))?;
    }
    Ok(())
}

fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the help lists the words of a value, they complete.
    #[test]
    fn words_that_the_help_lists_complete() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments() {
                let is_list = |name: &str| name.contains('|') && name.contains(char::is_lowercase);
                let lists = arg.get_value_names().is_some_and(|names| names.iter().any(|name| is_list(name)));
                assert!(!lists || !arg.get_possible_values().is_empty(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&with_hints(args::command()));
    }
}
