//! The command of this very process, as it can be given again: it goes on, and says nothing that a person said once.

use crate::command::shell;

/// Flags with a value that are a person's word, or that hold for one start.
const WORDS: [&str; 2] = ["--retake", "--trust"];
/// The same, without a value.
const SWITCHES: [&str; 6] =
    ["--retake-changed", "--retake-refunded", "--retake-rejected", "--overwrite", "--adopt", "--dry-run"];
/// Flags by which a start buys only some of the jobs.
const CHOICE: [&str; 2] = ["--limit", "--only"];

/// The command line, made from its words; the program's own name comes first. It carries no person's word and no choice
/// of jobs, so that it goes on with all that is left. Secrets never stand in arguments. None where it reads a manifest
/// from standard input, which has been read. `with`: flags and values that every command needs. `used_up`: the limit of
/// the batch is, and is not said again.
pub(super) fn again(argv: impl IntoIterator<Item = String>, with: &[String], used_up: bool) -> Option<String> {
    let mut argv = argv.into_iter();
    let mut command: Vec<String> = argv.next().into_iter().collect();
    while let Some(word) = argv.next() {
        if word == "-" {
            return None;
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if SWITCHES.contains(&flag) {
            continue;
        }
        if WORDS.contains(&flag) || CHOICE.contains(&flag) || (used_up && flag == "--max-sats") {
            if value.is_none() {
                argv.next();
            }
            continue;
        }
        if flag == "--duplicates" {
            let value = value.or_else(|| argv.next()).unwrap_or_default();
            if value != "buy" {
                command.push(format!("--duplicates={value}"));
            }
            continue;
        }
        command.push(word);
    }
    let absent = |flag: &String| !command.iter().any(|word| word == flag || word.starts_with(&format!("{flag}=")));
    let more: Vec<String> = with.chunks(2).filter(|pair| pair.first().is_some_and(absent)).flatten().cloned().collect();
    command.extend(more);
    Some(command.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<String> {
        again(line.split(' ').map(str::to_owned), &["--ledger".to_owned(), "/a b/l.db".to_owned()], false)
    }

    #[test]
    fn a_command_is_repeated_without_what_was_said_once() {
        for (line, expected) in [
            ("x run j.toml --retake a,b --yes --ledger l.db", "x run j.toml --yes --ledger l.db"),
            ("x run j.toml --retake=a --only a --limit=2 --retake-changed -y", "x run j.toml -y --ledger '/a b/l.db'"),
            ("x run j.toml --adopt --overwrite --trust h --ledger=l.db", "x run j.toml --ledger=l.db"),
            ("x run j.toml --duplicates buy --ledger l", "x run j.toml --ledger l"),
            ("x run j.toml --duplicates=skip --ledger l", "x run j.toml --duplicates=skip --ledger l"),
            ("x run it's.toml --retake-refunded --ledger l", r"x run 'it'\''s.toml' --ledger l"),
        ] {
            assert_eq!(said(line).unwrap(), expected, "{line}");
        }
        let used_up = again("x run j.toml --max-sats 5 --partial".split(' ').map(str::to_owned), &[], true);
        assert_eq!(used_up.as_deref(), Some("x run j.toml --partial"));
        assert_eq!(said("x run - --batch june"), None, "standard input has been read");
    }
}
