//! That every option is whole: shown without its secret, given by whom its declaration says, and described in
//! `docs/options.md` as it is declared.

mod config_schema;

use std::path::Path;

use clap::Arg;

use crate::cli::args;
use crate::cli::options::*;
use crate::manifest::Limits;

/// A text that the option takes, with a secret in it where it may hold one.
fn sample(option: &Declaration) -> String {
    let text = match option.name {
        "time_zone" => "UTC",
        "currency" => "EUR",
        "lnd_url" => "https://user:secret@n:8080/?secret",
        "lnd_macaroon" => "secret",
        "lnd_macaroon_command" | "lnd_cert_command" => "pass show secret",
        _ => return default(option).unwrap_or_else(|| "7".to_owned()),
    };
    text.to_owned()
}

/// What counts where nobody gives it, as a person would type it.
fn default(option: &Declaration) -> Option<String> {
    option.told_default().or_else(|| option.default.map(|default| default().to_string()))
}

#[test]
fn every_lasting_option_and_the_nodes_papers_can_be_shown() {
    for option in OPTIONS.iter().filter(|option| option.is_shown()) {
        let mut layer = Layer::default();
        option.read(&mut layer, &sample(option)).unwrap();
        let value = (option.displayed)(&layer).unwrap_or_else(|| panic!("{} is not shown", option.name)).to_string();
        assert!(!value.contains("secret"), "{}: {value}", option.name);
    }
}

#[test]
fn a_default_is_what_its_option_would_be_given() {
    for option in OPTIONS {
        let Some(text) = default(option) else { continue };
        let mut layer = Layer::default();
        option.read(&mut layer, &text).unwrap();
        assert_eq!((option.displayed)(&layer), option.default.map(|default| default()), "{}", option.name);
    }
}

/// Every flag of every command, with its command.
fn flags(command: &clap::Command, each: &mut impl FnMut(&str, &Arg)) {
    command.get_arguments().filter(|arg| arg.get_long().is_some()).for_each(|arg| each(command.get_name(), arg));
    command.get_subcommands().for_each(|sub| flags(sub, each));
}

#[test]
fn options_have_the_flags_that_they_are_declared_with() {
    let mut seen: Vec<String> = Vec::new();
    flags(&args::command(), &mut |command, arg| {
        let name = arg.get_long().unwrap_or_default().replace('-', "_");
        // What curl and the documents of sellers call the body that is sent.
        if (command, name.as_str()) == ("get", "json") {
            return;
        }
        if let Some(option) = find(&name) {
            assert!(option.who.flag, "--{name} of {command} may not be given so");
            assert_eq!(arg.get_id().as_str(), name, "{command}");
        }
        seen.push(name);
    });
    for option in OPTIONS {
        assert_eq!(seen.iter().any(|flag| flag == option.name), option.who.flag, "{}", option.name);
    }
}

#[test]
fn a_manifest_gives_the_limits() {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let keys: Vec<&String> = limits.as_object().unwrap().keys().collect();
    let declared = OPTIONS.iter().filter(|option| option.who.manifest).map(|option| option.name);
    assert_eq!(declared.collect::<Vec<_>>(), keys);
}

#[test]
fn a_persons_word_has_no_variable_and_no_key() {
    for word in ["retake", "retake_changed", "retake_refunded", "retake_rejected", "trust", "adopt", "overwrite"] {
        assert_eq!(find(word).map(|option| option.who), Some(Who::WORD), "{word}");
    }
    for word in ["all", "job", "jobs", "as", "note", "no_ask", "proof", "missing", "discard"] {
        assert!(find(word).is_none() && args::is_flag(word), "{word}");
    }
}

#[test]
fn durations_are_told_in_their_largest_unit() {
    use value::Value;
    let told = |secs| std::time::Duration::from_secs(secs).told();
    assert_eq!([told(60), told(120), told(90), told(5_400), told(691_200)], ["60s", "2m", "90s", "90m", "8d"]);
    assert_eq!([told(0), told(3_600)], ["0s", "60m"]);
}

/// `docs/options.md`: its head by hand, its table from the declarations.
fn document() -> String {
    let mut text = HEAD.to_owned();
    let mut values: Vec<(String, String)> = Vec::new();
    flags(&args::command(), &mut |_, arg| {
        let names = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string);
        let names = if arg.get_action().takes_values() { names.collect() } else { Vec::new() };
        values.push((arg.get_id().to_string(), names.join(" ")));
    });
    for option in OPTIONS {
        let value = values.iter().find(|(name, _)| name == option.name).map_or("", |(_, value)| value);
        let shown = format!("{} {value}", option.name).trim().replace('|', "\\|");
        let Who { flag, variable, manifest, file } = option.who;
        let who = [(flag, "flag"), (variable, "variable"), (manifest, "manifest"), (file, "file")];
        let who: Vec<&str> = who.iter().filter(|(may, _)| *may).map(|(_, source)| *source).collect();
        let default = default(option).map_or_else(String::new, |default| format!("`{default}`"));
        let help = option.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").replace('|', "\\|");
        text.push_str(&format!("| `{shown}` | {} | {default} | {help} |\n", who.join(", ")));
    }
    text
}

const HEAD: &str = "\
# Options

`max_sats` is the flag `--max-sats`, the variable `L402_BATCH_MAX_SATS`, the key `max_sats` in a manifest's `[limits]` and the key
`max_sats` in the configuration file (`$XDG_CONFIG_HOME/l402-batch/config.toml`, or `--config FILE`, or `L402_BATCH_CONFIG`). A flag
beats a variable, a variable the manifest, the manifest the file; of limits the tightest wins, catalogues add up. Who may give an
option stands beside it; which commands take it, `l402-batch COMMAND --help` says, and `l402-batch config show` where each value
came from. A misspelt variable or key is an error. What stands in no row is given on the command line only, but for two tables of the
configuration file: [`[origin.\"HOST\"]`](limits.md#what-one-origin-may-get) and [`[secret.NAME]`](endpoints.md). A manifest also says
`name` for its batch, and `duplicates`.

Of `lnd_macaroon_file`, `lnd_macaroon` and `lnd_macaroon_command` the nearest source gives one, and so of the certificate's three.

A variable that takes several values separates them: `catalog` by `:`, `only` by `,`, `default`, `column` and `where` by line
ends. In the file
they are arrays. Paths in the file are relative to its folder, and `~/` is the home folder.

This table is made from `src/cli/options/table.rs`; a test holds it against that, and writes it with
`WRITE_DOCS=1 cargo test --lib options_are_documented`.

| Option | Given by | Default | What it does |
|---|---|---|---|
";

#[test]
fn options_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&file, document()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == document(), "docs/options.md is not as declared: WRITE_DOCS=1 writes it anew\n{}", document());
}
