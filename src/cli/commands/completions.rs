//! `l402-batch completions`: made from the command line's own description.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ValueHint};
use clap_complete::Shell;

use crate::manifest::{Duplicates, HiddenRows};

use crate::cli::options::values::LND_NETWORKS;
use crate::cli::{CommandError, ExitCode, Failure, args};

use super::manual::print;

/// Prints the completion script of a shell.
pub(in crate::cli) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_hints(shown(args::command())), "l402-batch", &mut script);
    let Ok(mut script) = String::from_utf8(script) else {
        return Err(CommandError::internal("the completion script is no text").into());
    };
    match shell {
        Shell::Fish => script = in_fish(&script),
        Shell::Zsh => script = in_zsh(&script),
        _ => {}
    }
    // In bash a name with a hyphen is written in two ways, so that nothing behind a command would be completed:
    // https://github.com/clap-rs/clap/issues/6421. Where that is mended this changes nothing.
    let script = script.replace("l402__subcmd__batch__subcmd__", "l402__batch__subcmd__");
    print(if shell == Shell::Bash { in_bash(&script) } else { script }.as_bytes())
}

/// What bash's script leaves out: options are offered where one begins, or where nothing else can stand; names of batches.
fn in_bash(script: &str) -> String {
    let mut with_files = Vec::new();
    commands_with_files(&args::command(), "l402__batch", &mut with_files);
    let script = script.replacen(BASH_PREV, BASH_OPTION, 1).replace(BASH_WORDS, BASH_WORDS_THERE);
    let script = script.replace(BASH_BATCH, BASH_BATCH_NAMES);
    format!("{}{script}", BASH_HELPERS.replace("COMMANDS", &with_files.join("|")))
}

/// What zsh's script leaves out: names of batches.
fn in_zsh(script: &str) -> String {
    let is_batch = |line: &str| line.starts_with("'--batch=[");
    let named = |line: &str| {
        if is_batch(line) { line.replacen(":NAME:'", ":NAME:_l402_batch_names'", 1) } else { line.to_owned() }
    };
    let lines: Vec<String> = script.lines().map(named).collect();
    lines.join("\n").replacen(ZSH_BEGINNING, &format!("{ZSH_HELPERS}{ZSH_BEGINNING}"), 1) + "\n"
}

/// What fish's script leaves out: names of batches, and the words of a value that is given by its place.
fn in_fish(script: &str) -> String {
    let named = |line: &str| match line.contains("\" -l batch -d ") {
        true => format!("{line} -a \"(__l402_batch_names)\""),
        false => line.to_owned(),
    };
    let lines: Vec<String> = script.lines().map(named).collect();
    format!("{FISH_HELPERS}{}\n{}", lines.join("\n"), fish_places(&args::command()))
}

/// The commands that take a file by its place, as bash's script calls them.
fn commands_with_files(command: &clap::Command, name: &str, found: &mut Vec<String>) {
    if command.get_positionals().any(|arg| arg.get_possible_values().is_empty()) {
        found.push(name.to_owned());
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        commands_with_files(sub, &format!("{name}__subcmd__{}", sub.get_name().replace('-', "__")), found);
    }
}

const BASH_WORDS: &str = r#"compgen -W "${opts}" -- "${cur}""#;
const BASH_WORDS_THERE: &str = r#"compgen -W "$(_l402_batch_words "${cmd}" "${cur}" ${opts})" -- "${cur}""#;
const BASH_BATCH: &str = r#"--batch)
                    COMPREPLY=("${cur}")
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o nospace
                    fi
"#;
const BASH_BATCH_NAMES: &str = r#"--batch)
                    local IFS=$'\n'
                    COMPREPLY=( $(_l402_batch_names "$1" "${cur}") )
"#;

/// Of names, those that CSV writes as they are.
const BASH_HELPERS: &str = r#"_l402_batch_words() {
    local cmd="$1" cur="$2" word
    local words=()
    shift 2
    for word in "$@"; do
        [[ "${word}" == -* ]] || words+=("${word}")
    done
    if [[ -n "${cur}" ]]; then
        words=("$@")
    else
        case "${cmd}" in
            COMMANDS) ;;
            *) [[ "${#words[@]}" -gt 0 ]] || words=("$@") ;;
        esac
    fi
    printf '%s ' "${words[@]}"
}

_l402_batch_names() {
    local name
    "$1" batches --format csv 2>/dev/null | sed -n '2,$ s/^\([^,"]*\),.*/\1/p' | while IFS= read -r name; do
        [[ "${name}" == "$2"* ]] && printf '%q\n' "${name}"
    done
}

"#;

/// Behind it, the functions of zsh's script begin: what is before is read at once.
const ZSH_BEGINNING: &str = "_l402-batch() {\n";
const ZSH_HELPERS: &str = r#"_l402_batch_names() {
    local -a names
    names=(${(f)"$(l402-batch batches --format csv 2>/dev/null | sed -n '2,$ s/^\([^,"]*\),.*/\1/p')"})
    compadd -a names
}

"#;

const FISH_HELPERS: &str = r#"function __l402_batch_names
    l402-batch batches --format csv 2>/dev/null | sed -n '2,$ s/^\([^,"]*\),.*/\1/p'
end

"#;

/// How bash's script learns which option a value is of: it is the word before.
const BASH_PREV: &str = "    prev=\"$3\"\n";

/// The same for `--option=value`, which bash takes for three words (`COMP_WORDBREAKS`).
const BASH_OPTION: &str = r#"    prev="$3"
    if [[ "${prev}" == "=" && "${COMP_CWORD}" -ge 2 ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}"
    fi
"#;

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
        "hidden_rows" => HiddenRows::ALL.iter().map(|word| word.as_str()).collect(),
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
