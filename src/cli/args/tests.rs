//! What is read, what is refused, and that flags, variables and configuration know of each other.

use crate::cli::args::*;
use crate::cli::options::values::FormatWord;
use crate::cli::{Deadline, Pair};
use crate::money::Sats;

fn parsed(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("l402-batch").chain(line.split_whitespace());
    parse(words.map(OsString::from)).map(|cli| cli.command)
}

fn run(line: &str) -> RunArgs {
    match parsed(line) {
        Ok(Command::Run(args)) => *args,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_description_is_sound() {
    command().debug_assert();
}

#[test]
fn flags_are_read_with_their_units() {
    let args = run("run shots.csv --default endpoint=generate-video --column Seconds=duration --delimiter tab \
         --max-sats 50_000 --max-fee-ppm 5000 --wait-doubt 90s --deadline 2h30m --only a,b --only c --json -y");
    assert_eq!(args.manifest.reading.jobs.default, [Pair { key: "endpoint".into(), value: "generate-video".into() }]);
    assert_eq!(args.manifest.reading.table.delimiter, Some(b'\t'));
    assert_eq!(args.limits.max_sats, Some(Sats::new(50_000)));
    assert_eq!(args.limits.max_fee_ppm, Some(5_000));
    assert_eq!(args.pace.steady.wait_doubt.map(|d| d.as_secs()), Some(90));
    assert!(matches!(args.pace.deadline.deadline, Some(Deadline::In(d)) if d.as_secs() == 9_000));
    assert_eq!(args.choice.jobs.only, ["a", "b", "c"]);
    assert!(args.output.format.json && args.choice.ask.yes && !args.output.quiet.quiet);
    assert_eq!(run("run - --format table").output.format.format, Some(FormatWord::Table));
}

#[test]
fn what_does_not_go_together_is_refused() {
    for line in [
        "run",
        "run a.toml --json --format csv",
        "run a.toml --sandbox --lnd-url https://127.0.0.1:8080",
        "run a.toml --sandbox --lnd-macaroon-file m",
        "run a.toml --sandbox --ledger l.db",
        "run a.toml --payments-in-flight 257",
        "run a.toml --max-sats 0.5",
        "run a.toml --limit 0",
        "run a.toml --wait-doubt 90",
        "run a.toml --default mode",
        "run a.toml --lnd-macaroon 00",
        "recover --all --batch june",
        "refunds",
        "refunds list --all --batch june",
        "refunds claim a.toml --proof",
        "refunds list a.toml --lnd-url https://127.0.0.1:8080",
        "recover a.toml --all",
        "status a.toml --all --job x",
        "plan a.toml --yes",
        "plan a.toml --lnd-url https://127.0.0.1:8080",
        "run a.toml --download d --download-name a//{id}",
        "download --missing a.toml --download-idle 0s",
        "frobnicate",
    ] {
        let error = parsed(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

/// Every argument that is a path, of every command.
#[test]
fn an_address_is_no_path() {
    fn paths(command: &clap::Command, words: &str, found: &mut Vec<String>) {
        let is_path = |arg: &&clap::Arg| arg.get_value_hint() == clap::ValueHint::AnyPath;
        let line = |arg: &clap::Arg| match arg.get_long() {
            Some(flag) => format!("{words} --{flag}"),
            None => words.to_owned(),
        };
        found.extend(command.get_arguments().filter(is_path).map(line));
        command.get_subcommands().for_each(|sub| paths(sub, &format!("{words} {}", sub.get_name()), found));
    }
    let mut found = Vec::new();
    paths(&command(), "", &mut found);
    assert!(found.len() > 60, "{found:?}");
    for line in found {
        for address in ["s3://u:pw@b", "file:///a/b", "https://seller.example/jobs.csv"] {
            let error = parsed(&format!("{line} {address}")).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::ValueValidation, "{line} {error}");
        }
        for path in ["C:\\a\\b.csv", "./s3://b", "C://a"] {
            let read = parsed(&format!("{line} {path}"));
            let is_refused = read.is_err_and(|error| error.kind() == clap::error::ErrorKind::ValueValidation);
            assert!(!is_refused, "{line} {path}");
        }
    }
}

#[test]
fn a_printed_command_is_known_by_the_words_that_name_commands() {
    let words = super::command_words();
    for word in ["run", "plan", "estimate", "ledger", "sandbox"] {
        assert!(words.iter().any(|known| known == word), "{word}");
    }
}

#[test]
fn every_command_is_there() {
    for line in [
        "plan a.toml --jobs",
        "estimate a.toml",
        "cost - --manifest-format csv",
        "init shots.xlsx --sheet 2 --header-row 3 --hidden-rows skip --out a.toml --overwrite",
        "get https://x.example/y a=b --json {} --method post --max-sats 5 -o f --overwrite --dry-run",
        "get endpoint a=b --sandbox -q",
        "recover --all",
        "status --batch june --job x --job y",
        "export a.toml --results r.csv --receipts s.csv --overwrite",
        "export a.toml --takes all --books b.journal --template hledger --rate-file r.csv --currency EUR",
        "batches --json",
        "report d a.toml --overwrite -q",
        "report d --batch june",
        "run a.toml --report d --retake-rejected",
        "takes list a.toml --all --format csv",
        "takes pick a.toml x@2 y --note why",
        "takes reject --batch june x@1",
        "takes clear x",
        "takes read m.csv --batch june -q",
        "resolve a.toml --job x --as unpaid --note why --lnd-url https://n:8080",
        "audit --lnd-url https://n:8080 --json",
        "run a.toml --download d --download-name {endpoint}-{id} --downloads-in-flight 2 --max-file-mib 9",
        "plan a.toml --download d",
        "download a.toml --missing --job x --download-idle 5s",
        "download --batch june --json",
        "refunds list a.toml --job x --proof --json",
        "refunds claim --all --job x --lnd-url https://n:8080",
        "sandbox --state d",
        "doctor",
        "doctor a.toml --no-ask --lnd-dir d --json",
        "config show",
        "config schema manifest",
        "config show a.toml --max-sats 5 --lnd-network regtest --json",
        "catalog show",
        "catalog check a.toml --endpoint x --catalog c.toml --json",
        "catalog update --out p.toml --overwrite",
        "catalog import https://shop.example/.well-known/l402-services -o s.toml --overwrite --name shop- --endpoint x",
        "catalog import - --base https://shop.example/",
        "completions zsh",
        "man",
        "--config c.toml batches",
        "batches --config c.toml",
    ] {
        assert!(parsed(line).is_ok(), "{line}: {:?}", parsed(line));
    }
}

#[test]
fn long_help_names_the_variable() {
    let mut command = command();
    let help = command.find_subcommand_mut("run").map(|run| run.render_long_help().to_string()).unwrap();
    assert!(help.contains("[env: L402_BATCH_MAX_SATS_PER_DAY]"), "{help}");
    assert!(!help.contains("L402_BATCH_RETAKE"), "{help}");
    assert!(help.starts_with("Buy it; the same command again goes on where it stopped"), "{help}");
    let show = command.find_subcommand_mut("config").and_then(|config| config.find_subcommand_mut("show"));
    let help = show.map(|show| show.render_long_help().to_string()).unwrap();
    assert!(help.contains("[env: L402_BATCH_MAX_DOUBT]"), "also of a command's own commands: {help}");
}

/// The examples of a command and of its own ones: each line that begins one, and all help as it is shown.
fn helps(command: &clap::Command, columns: Option<u16>, each: &mut impl FnMut(&[String], &str)) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = text.lines().filter(|line| line.starts_with("  l402-batch"));
    let examples: Vec<String> =
        examples.map(|line| line.trim().split("  ").next().unwrap_or(line).to_owned()).collect();
    each(&examples, &on_screen(command.clone(), columns).render_long_help().to_string());
    command.get_subcommands().for_each(|sub| helps(sub, columns, each));
}

#[test]
fn help_folds_no_command_and_nothing_in_a_pipe() {
    helps(&command(), Some(80), &mut |examples, help| {
        for example in examples {
            assert!(help.lines().any(|line| line.contains(example.as_str())), "{example} is broken in\n{help}");
        }
        let mut lines = help.lines().filter(|line| !line.starts_with("Usage: "));
        assert!(lines.all(|line| line.chars().count() <= 80), "{help}");
    });
    let mut longest = 0;
    helps(&command(), None, &mut |_, help| {
        longest = help.lines().map(|line| line.chars().count()).max().unwrap_or(0).max(longest);
    });
    assert!(longest > 110);
}
