//! `[secret.NAME]`: where a secret that goes in the head of requests comes from, and which origins may have it. No line of such a table
//! is ever shown: a secret may stand in it by mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin;
use crate::catalog::is_secret_name;
use crate::diagnostic::{Diagnostic, SourceText, closest};

use crate::cli::command_line::CommandLine;

/// What one says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct SecretEntry {
    /// Where it comes from.
    pub(in crate::cli) from: SecretFrom,
    /// Who may have it: host, and port where it is not the usual one.
    pub(in crate::cli) origins: BTreeSet<String>,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SecretFrom {
    /// A file holds it.
    File(PathBuf),
    /// A command prints it.
    Command(CommandLine),
    /// It stands in that variable of the environment.
    Variable(String),
}

const KEYS: [&str; 4] = ["file", "command", "env", "origins"];

type Wrong = (std::ops::Range<usize>, String, Option<String>);

pub(super) fn read(
    secrets: &mut BTreeMap<String, SecretEntry>,
    source: &SourceText,
    entries: &DeTable<'_>,
    wrong: &mut Vec<Diagnostic>,
) {
    for (name, value) in entries {
        let mut found = Vec::new();
        let entry = match (is_secret_name(name.get_ref()), value.get_ref().as_table()) {
            (true, Some(table)) => entry(name.get_ref(), (value.span(), table), &mut found),
            (true, None) => {
                found.push((value.span(), format!("secret.{}: expected a table", name.get_ref()), None));
                None
            }
            (false, _) => {
                let words = "secret: expected a name of letters, digits, `-` and `_`".to_owned();
                found.push((name.span(), words, None));
                None
            }
        };
        if let Some(entry) = entry.filter(|_| found.is_empty()) {
            secrets.insert(name.get_ref().to_string(), entry);
        }
        wrong.extend(found.into_iter().map(|(span, words, help)| {
            let mut error = Diagnostic::error("", words);
            let mut place = source.place(span);
            place.text.clear();
            (error.place, error.help) = (Some(place), help);
            error
        }));
    }
}

fn entry(
    name: &str,
    (span, table): (std::ops::Range<usize>, &DeTable<'_>),
    wrong: &mut Vec<Wrong>,
) -> Option<SecretEntry> {
    let at = format!("secret.{name}");
    let (mut sources, mut origins) = (Vec::new(), None);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "file" => sources.push(text(&at, "file", value, wrong).map(|path| SecretFrom::File(path.into()))),
            "env" => sources.push(text(&at, "env", value, wrong).map(SecretFrom::Variable)),
            "command" => sources.push(command(&at, value, wrong).map(SecretFrom::Command)),
            "origins" => origins = self::origins(&at, value, wrong),
            other => {
                let help = match closest(other, KEYS) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("the keys are {}; the secret itself stands in none of them", KEYS.join(", ")),
                };
                wrong.push((key.span(), format!("{at}: unknown key \"{other}\""), Some(help)));
            }
        }
    }
    if sources.len() != 1 {
        wrong.push((span.clone(), format!("{at}: expected one of file, command and env"), None));
    }
    if !table.iter().any(|(key, _)| key.get_ref() == "origins") {
        let help = "for instance origins = [\"api.example.com\"]: it goes nowhere else";
        wrong.push((span, format!("{at}: expected the origins that may have it"), Some(help.to_owned())));
    }
    Some(SecretEntry { from: sources.pop()??, origins: origins? })
}

fn text(at: &str, key: &str, value: &Spanned<DeValue<'_>>, wrong: &mut Vec<Wrong>) -> Option<String> {
    let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty() && !text.contains('\0'));
    if text.is_none() {
        let what = if key == "env" { "the name of a variable" } else { "the path of a file" };
        wrong.push((value.span(), format!("{at}.{key}: expected {what}"), None));
    }
    text.map(str::to_owned)
}

fn command(at: &str, value: &Spanned<DeValue<'_>>, wrong: &mut Vec<Wrong>) -> Option<CommandLine> {
    let line = match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(|word| word.get_ref().as_str()).collect();
            let expected = || "expected texts: a program and its arguments".to_owned();
            words.ok_or_else(expected).and_then(|words| CommandLine::joined(words.into_iter()))
        }
        DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            Err("expected texts: a program and its arguments".to_owned())
        }
    };
    match line.and_then(|line| CommandLine::from_words(&line)) {
        Ok(line) => Some(line),
        Err(why) => {
            wrong.push((value.span(), format!("{at}.command: {why}"), None));
            None
        }
    }
}

fn origins(at: &str, value: &Spanned<DeValue<'_>>, wrong: &mut Vec<Wrong>) -> Option<BTreeSet<String>> {
    let DeValue::Array(items) = value.get_ref() else {
        wrong.push((value.span(), format!("{at}.origins: expected a list of hosts"), None));
        return None;
    };
    if items.is_empty() {
        wrong.push((value.span(), format!("{at}.origins: expected one host at least"), None));
    }
    let mut origins = BTreeSet::new();
    for item in items.iter() {
        match item.get_ref().as_str().map(origin) {
            Some(Ok(origin)) => drop(origins.insert(origin)),
            Some(Err(why)) => wrong.push((item.span(), format!("{at}.origins: {why}"), None)),
            None => wrong.push((item.span(), format!("{at}.origins: expected a host"), None)),
        }
    }
    Some(origins)
}
