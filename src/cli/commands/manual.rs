//! `l402-batch man`: made from the command line's own description.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Arg;
use clap_mangen::Man;

use crate::cli::{CommandError, ExitCode, Failure, args, terminal};
use crate::money::counted;

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

/// What is only said, and not typed, begins at least here in an example.
const FAR_IN: &str = "            ";

/// Prints the manual, the program's page and then one a command, or that of one command; or writes each into a file of that folder.
pub(in crate::cli) fn man(what: Option<&Path>) -> Result<ExitCode, Failure> {
    let pages = pages(&described()).map_err(Failure::Stdout)?;
    let Some(folder) = what else {
        return print(&pages.into_iter().flat_map(|(_, page)| page).collect::<Vec<u8>>());
    };
    if let Some((_, page)) = pages.iter().find(|(name, _)| !folder.exists() && is_page_of(name, folder)) {
        return print(page);
    }
    let unwritten = |path: &Path, error: io::Error| {
        CommandError::usage(format!("{} cannot be written", path.display())).because(error)
    };
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    for (name, page) in &pages {
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page).map_err(|error| unwritten(&path, error))?;
    }
    terminal::say(&format!("{} in {}\n", counted(pages.len() as u64, "manual page"), folder.display()));
    Ok(ExitCode::Done)
}

/// Whether the page of that name is meant, which may be called as it is or by its command: `l402-batch-run`, `refunds-claim`.
fn is_page_of(name: &str, meant: &Path) -> bool {
    // As it was typed: `./run` and `run/` are folders.
    [Some(name), name.strip_prefix("l402-batch-")].into_iter().flatten().any(|word| meant.as_os_str() == word)
}

/// The command line with all its commands; `help`, which is one of them, has no page.
fn described() -> clap::Command {
    let mut command = args::command().disable_help_subcommand(true);
    command.build();
    command
}

/// The page of a command, and those of its own commands, each with its name.
fn pages(command: &clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let mut pages = vec![(name.to_owned(), page(command, name)?)];
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        pages.extend(self::pages(sub)?);
    }
    Ok(pages)
}

fn page(command: &clap::Command, name: &str) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).title(name).source(concat!("l402-batch ", env!("CARGO_PKG_VERSION")));
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, notes): (Vec<&str>, Vec<&str>) =
        help.lines().filter(|line| *line != "Examples:").partition(|line| line.starts_with("  "));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // What is to be typed has no hyphens and no blanks but its own.
    writeln!(page, ".nh\n.ad l")?;
    man.render_name_section(&mut page)?;
    writeln!(page, ".SH SYNOPSIS\n{}", synopsis(command))?;
    man.render_description_section(&mut page)?;
    for note in notes {
        writeln!(page, "{}", if note.is_empty() { ".PP".to_owned() } else { plain(note) })?;
    }
    options(&mut page, command, &man)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let codes = ExitCode::ALL.iter().map(|code| (code.number().to_string(), code.meaning()));
    section(&mut page, "EXIT STATUS", codes)?;
    writeln!(page, ".PP\nWhere several apply, the first of 7, 5, 4, 6, signal, 9, 8, 10, 3 counts.")?;
    section(&mut page, "FILES", FILES.iter().map(|(path, what)| ((*path).to_owned(), *what)))?;
    if !examples.is_empty() {
        let lines: Vec<String> = examples.into_iter().map(example).collect();
        writeln!(page, ".SH EXAMPLES\n.nf\n{}\n.fi", lines.join("\n"))?;
    }
    Ok(page)
}

/// The command with all that it takes, each option beside its value.
fn synopsis(command: &clap::Command) -> String {
    let word = |arg: &Arg| {
        let (name, short) = (arg.to_string(), arg.get_short().map(|short| format!("-{short}|")));
        let name = plain(&format!("{}{name}", short.unwrap_or_default())).replace(' ', "\\ ");
        if arg.is_positional() || arg.is_required_set() { name } else { format!("[{name}]") }
    };
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    let mut words = vec![format!("\\fB{}\\fR", plain(command.get_bin_name().unwrap_or_else(|| command.get_name())))];
    words.extend(shown().filter(|arg| !arg.is_positional()).map(word));
    words.extend(shown().filter(|arg| arg.is_positional()).map(word));
    if command.has_subcommands() {
        words.push(if command.is_subcommand_required_set() { "<COMMAND>" } else { "[COMMAND]" }.to_owned());
    }
    words.join("\n")
}

/// All options in one section, each heading of the help within: a page has other sections of such names.
fn options(page: &mut Vec<u8>, command: &clap::Command, man: &Man) -> io::Result<()> {
    let mut rendered = Vec::new();
    man.render_options_section(&mut rendered)?;
    for line in String::from_utf8_lossy(&rendered).lines() {
        let title = line.strip_prefix(".SH ").map(|title| title.trim_matches('"'));
        let is_title = |heading: &&str| title == Some(heading.to_uppercase().as_str());
        match command.get_arguments().filter_map(Arg::get_help_heading).find(is_title) {
            Some(heading) => writeln!(page, ".SS \"{heading}\"")?,
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}

/// A line of the examples, as it is typed; what the help says beside a command stands below it, where a page has room.
fn example(line: &str) -> String {
    let line = line.strip_prefix("  ").unwrap_or(line);
    let below = |said: &str| format!("    # {}", said.trim_start());
    let shown = match line.split_once("  ") {
        Some((command, said)) if command.starts_with("l402-batch ") => format!("{command}\n{}", below(said)),
        _ if line.starts_with(FAR_IN) => below(line),
        _ => line.to_owned(),
    };
    plain(&shown)
}

/// A section of words and what each means.
fn section(page: &mut Vec<u8>, title: &str, lines: impl Iterator<Item = (String, &'static str)>) -> io::Result<()> {
    writeln!(page, ".SH \"{title}\"")?;
    for (word, meaning) in lines {
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", plain(&word), plain(meaning))?;
    }
    Ok(())
}

/// The text as roff prints it: no sign of it stands for another one, and no line of it is a request.
fn plain(text: &str) -> String {
    let signs = [('\\', "\\e"), ('-', "\\-"), ('\'', "\\(aq"), ('`', "\\(ga"), ('~', "\\(ti"), ('^', "\\(ha")];
    let text = signs.iter().fold(text.to_owned(), |text, (sign, roff)| text.replace(*sign, roff));
    let lines = text.split('\n').map(|line| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<String>>().join("\n")
}

/// Writes to standard output.
pub(super) fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Stdout)?;
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each page's command, and the page as it is read: what stands for a sign is that sign.
    fn read() -> Vec<(clap::Command, String)> {
        fn commands(command: &clap::Command) -> Vec<clap::Command> {
            let own = command.get_subcommands().filter(|sub| !sub.is_hide_set()).flat_map(commands);
            std::iter::once(command.clone()).chain(own).collect()
        }
        let described = described();
        let pages = pages(&described).unwrap();
        let signs = [
            ("\\(aq", "'"),
            ("\\*(Aq", "'"),
            ("\\(ga", "`"),
            ("\\(ti", "~"),
            ("\\(ha", "^"),
            ("\\-", "-"),
            ("\\ ", " "),
            ("\\e", "\\"),
        ];
        let text = |page: Vec<u8>| {
            signs.iter().fold(String::from_utf8(page).unwrap(), |page, (roff, sign)| page.replace(roff, sign))
        };
        let commands = commands(&described);
        assert_eq!(commands.len(), pages.len());
        commands.into_iter().zip(pages.into_iter().map(|(_, page)| text(page))).collect()
    }

    #[test]
    fn examples_stand_line_by_line() {
        let mut count = 0;
        for (command, page) in read() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, shown) = page.split_once("\n.SH EXAMPLES\n.nf\n").unwrap_or_default();
            let shown = shown.strip_suffix("\n.fi\n").unwrap_or_default();
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                let (typed, said) = match line.trim_start().split_once("  ") {
                    Some((typed, said)) if typed.starts_with("l402-batch") => (typed, said.trim_start()),
                    _ => (line.trim_start(), ""),
                };
                let mut lines = shown.lines().skip_while(|line| line.trim_start_matches([' ', '#']) != typed);
                assert!(lines.next().is_some(), "{typed} is broken in\n{page}");
                assert!(said.is_empty() || lines.next() == Some(&format!("    # {said}")), "{said} is not in\n{page}");
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn no_page_has_a_section_twice() {
        for (command, page) in read() {
            let mut titles: Vec<String> =
                page.lines().filter_map(|line| line.strip_prefix(".SH ")).map(|title| title.replace('"', "")).collect();
            let all = titles.len();
            titles.sort();
            titles.dedup();
            assert_eq!(titles.len(), all, "{}: {titles:?}", command.get_name());
            let headings = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_help_heading);
            for heading in headings {
                assert_eq!(page.matches(&format!("\n.SS \"{heading}\"\n")).count(), 1, "{heading}");
            }
        }
    }

    #[test]
    fn every_page_that_is_named_is_there() {
        let names: Vec<String> = pages(&described()).unwrap().into_iter().map(|(name, _)| name).collect();
        let mut count = 0;
        for (_, page) in read() {
            for (before, _) in page.match_indices("(1)").map(|(at, _)| page.split_at(at)) {
                let name = before.split_whitespace().next_back().unwrap();
                assert!(names.iter().any(|known| known == name), "there is no {name}(1)");
                count += 1;
            }
        }
        assert!(count >= names.len() - 1, "{count}");
    }

    #[test]
    fn the_synopsis_shows_each_option_with_its_value() {
        for (command, page) in read() {
            let (_, from) = page.split_once("\n.SH SYNOPSIS\n").unwrap();
            let synopsis = from.split("\n.SH ").next().unwrap();
            let words: Vec<&str> = synopsis.lines().skip(1).map(|line| line.trim_matches(['[', ']'])).collect();
            for arg in command.get_arguments().filter(|arg| arg.get_long().is_some() && !arg.is_hide_set()) {
                let names = arg.get_value_names().filter(|_| arg.get_action().takes_values());
                let value = names.map(|names| format!(" <{}>", names.join("> <"))).unwrap_or_default();
                let expected = format!("--{}{value}", arg.get_long().unwrap());
                let stands = |word: &&str| word.ends_with(&expected);
                assert_eq!(words.iter().filter(|word| stands(word)).count(), 1, "{expected} in {synopsis}");
            }
        }
    }
}
