//! The command of this very process, as it can be given again: it goes on, and says nothing that a person said once.

use std::ffi::OsString;

use crate::command::{lone_command, printable, shell};
use crate::money::Sats;
use crate::time::UnixMs;

use crate::cli::Deadline;
use crate::cli::options::{Declaration, of_flag, variable};
use crate::run::{Clock, SystemClock};

/// Options that hold for one start, as a person's words do: by them it buys only some of the jobs, or nothing.
const ONE_START: [&str; 4] = ["limit", "only", "where", "dry_run"];

/// The command line, made from its words; it begins with the same word as every command that is printed. It carries no person's
/// word and no choice of jobs, so that it goes on with all that is left, and no deadline that has passed. Secrets never stand in
/// arguments. None where it reads a manifest from standard input, which has been read, or holds what no terminal shows as it is.
/// `with`: flags and values that every command needs. `most`: a limit, by its flag, that takes the place of the one that was said.
pub(super) fn again(
    argv: impl IntoIterator<Item = OsString>,
    with: &[String],
    most: Option<(&str, Sats)>,
    now: UnixMs,
) -> Option<String> {
    let mut argv = argv.into_iter().map(|word| word.into_string().ok());
    argv.next();
    let mut command = Vec::new();
    let mut are_files = false;
    while let Some(word) = argv.next() {
        let word = word?;
        if word == "-" {
            return None;
        }
        // What follows is no flag, whatever it begins with; and flags may follow in what is printed.
        if are_files && word.starts_with('-') {
            command.push(format!("./{word}"));
            continue;
        }
        if word == "--" {
            are_files = true;
            continue;
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let is_replaced = most.is_some_and(|(limit, _)| flag == limit);
        let is_left_out = |option: &&Declaration| option.is_word() || ONE_START.contains(&option.name) || is_replaced;
        if let Some(option) = of_flag(flag).filter(is_left_out) {
            if option.takes_value && value.is_none() {
                argv.next();
            }
            continue;
        }
        if flag == "--duplicates" || flag == "--deadline" {
            let value = value.or_else(|| argv.next().flatten()).unwrap_or_default();
            if !(flag == "--duplicates" && value == "buy" || flag == "--deadline" && has_passed(&value, now)) {
                command.push(format!("{flag}={value}"));
            }
            continue;
        }
        command.push(word);
    }
    command.extend(most.map(|(limit, most)| format!("{limit}={}", most.get())));
    let absent = |flag: &String| !command.iter().any(|word| word == flag || word.starts_with(&format!("{flag}=")));
    let more: Vec<String> = with.chunks(2).filter(|pair| pair.first().is_some_and(absent)).flatten().cloned().collect();
    command.extend(more);
    Some(printable(lone_command(&command.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" "))))
}

/// The variables that stand in the way of a command that goes on with all that is left: what of them is a choice of jobs, a person's
/// word or a deadline that has passed holds for one start, as the flags do.
pub(super) fn in_the_way(get: impl Fn(&str) -> Option<String>, now: UnixMs) -> Vec<String> {
    let stands = |name: &str, value: &str| match name {
        "duplicates" => value.trim() == "buy",
        "deadline" => has_passed(value.trim(), now),
        _ => true,
    };
    let stands = |name: &&str| get(&variable(name)).is_some_and(|value| stands(name, &value));
    ["limit", "only", "where", "duplicates", "deadline"]
        .iter()
        .filter(|name| stands(name))
        .map(|name| variable(name))
        .collect()
}

/// The same of this process's environment.
pub(super) fn in_the_way_here() -> Vec<String> {
    in_the_way(|name| std::env::var(name).ok(), SystemClock.now())
}

/// Whether that is a point in time, and lies behind us: the same command would be refused.
fn has_passed(deadline: &str, now: UnixMs) -> bool {
    match deadline.parse() {
        Ok(Deadline::At(at)) => at.as_millisecond() <= now.0,
        Ok(Deadline::In(_) | Deadline::Clock(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::options::{OPTIONS, flag};

    fn said(line: &str) -> Option<String> {
        said_with(line, None)
    }

    fn said_with(line: &str, most: Option<(&str, Sats)>) -> Option<String> {
        let with = ["--ledger".to_owned(), "/a b/l.db".to_owned()];
        again(line.split(' ').map(OsString::from), &with, most, UnixMs(1_790_000_000_000))
    }

    #[test]
    fn variables_that_choose_or_have_passed_stand_in_the_way() {
        let in_the_way = |set: &[(&str, &str)]| {
            let get = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            in_the_way(get, UnixMs(1_790_000_000_000)).join(" ")
        };
        assert_eq!(in_the_way(&[]), "");
        let set = [
            ("L402_BATCH_ONLY", "a"),
            ("L402_BATCH_WHERE", "mode=pro"),
            ("L402_BATCH_LIMIT", "1"),
            ("L402_BATCH_YES", "1"),
        ];
        assert_eq!(in_the_way(&set), "L402_BATCH_LIMIT L402_BATCH_ONLY L402_BATCH_WHERE");
        let kept = [("L402_BATCH_DUPLICATES", "skip"), ("L402_BATCH_DEADLINE", "2h")];
        assert_eq!(in_the_way(&kept), "");
        let words = [("L402_BATCH_DUPLICATES", "buy"), ("L402_BATCH_DEADLINE", "2026-01-01T00:00:00Z")];
        assert_eq!(in_the_way(&words), "L402_BATCH_DUPLICATES L402_BATCH_DEADLINE");
    }

    #[test]
    fn no_word_of_a_person_is_repeated() {
        let words: Vec<_> = OPTIONS.iter().filter(|option| option.is_word()).collect();
        assert!(words.iter().any(|option| option.takes_value) && words.iter().any(|option| !option.takes_value));
        for option in words {
            let value = if option.takes_value { " value" } else { "" };
            let line = format!("x run j {}{value} --ledger l", flag(option.name));
            assert_eq!(said(&line).unwrap(), "l402-batch run j --ledger l", "{line}");
        }
    }

    #[test]
    fn a_command_is_repeated_without_what_was_said_once() {
        for (line, expected) in [
            ("x run j.toml --retake a,b --yes --ledger l.db", "l402-batch run j.toml --yes --ledger l.db"),
            (
                "x run j.toml --retake=a --only a --where mode=pro --limit=2 --where=id=a* --retake-changed -y",
                "l402-batch run j.toml -y --ledger '/a b/l.db'",
            ),
            ("x run j.toml --adopt --overwrite --trust h --ledger=l.db", "l402-batch run j.toml --ledger=l.db"),
            ("x run j.toml --duplicates buy --ledger l", "l402-batch run j.toml --ledger l"),
            ("x run j.toml --duplicates=skip --ledger l", "l402-batch run j.toml --duplicates=skip --ledger l"),
            ("x run it's.toml --retake-refunded --ledger l", r"l402-batch run 'it'\''s.toml' --ledger l"),
            ("x run --yes -- --retake", "l402-batch run --yes ./--retake --ledger '/a b/l.db'"),
            ("x run --only=-q -- j.csv", "l402-batch run j.csv --ledger '/a b/l.db'"),
        ] {
            assert_eq!(said(line).unwrap(), expected, "{line}");
        }
        for (line, expected) in [
            ("x run j --max-sats 5 --partial --ledger l", "l402-batch run j --partial --ledger l --max-sats=1234"),
            ("x run j --max-sats=5 --ledger l", "l402-batch run j --ledger l --max-sats=1234"),
            ("x run j --ledger l", "l402-batch run j --ledger l --max-sats=1234"),
        ] {
            assert_eq!(said_with(line, Some(("--max-sats", Sats::new(1_234)))).unwrap(), expected, "{line}");
        }
        let day = said_with(
            "x run j --max-sats 5 --max-sats-per-day 7 --ledger l",
            Some(("--max-sats-per-day", Sats::new(9))),
        );
        assert_eq!(day.unwrap(), "l402-batch run j --max-sats 5 --ledger l --max-sats-per-day=9");
        for (line, expected) in [
            ("x run j --deadline 2h --ledger l", "l402-batch run j --deadline=2h --ledger l"),
            ("x run j --deadline=06:30 --ledger l", "l402-batch run j --deadline=06:30 --ledger l"),
            ("x run j --deadline 2026-01-01T00:00:00Z --ledger l", "l402-batch run j --ledger l"),
            (
                "x run j --deadline 2126-01-01T00:00:00Z --ledger l",
                "l402-batch run j --deadline=2126-01-01T00:00:00Z --ledger l",
            ),
        ] {
            assert_eq!(said(line).unwrap(), expected, "{line}");
        }
        use std::os::unix::ffi::OsStringExt;
        let unprintable = ["x".into(), "run".into(), OsString::from_vec(b"gr\xf6sse.csv".to_vec())];
        assert_eq!(again(unprintable, &[], None, UnixMs(0)), None, "and no panic");
        assert_eq!(said("x run - --batch june"), None, "standard input has been read");
    }
}
