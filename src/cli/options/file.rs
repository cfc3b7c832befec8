//! The configuration file: TOML, a table of the keys that make sense for good, and beside them tables of its own ([`tables`]).

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, SourceText, closest, unread};
use crate::safe_open;
use crate::screen::{TypedAs, remember};

use crate::cli::args::is_flag;
use crate::cli::command_line::CommandLine;
use crate::cli::options::{Declaration, Layer, OPTIONS, flag, tables, variable};

/// No configuration file is larger than this.
const BYTES_MAX: u64 = 1_000_000;

/// What the configuration file says, where there is one. The default file need not exist; one that was named must.
///
/// # Errors
/// Everything that is wrong with it, in one pass.
pub(in crate::cli) fn read(file: &Path, named: bool, home: Option<&Path>) -> Result<Option<Layer>, Vec<Diagnostic>> {
    let shown = file.display().to_string();
    let text = match text(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named => return Ok(None),
        Err(error) => return Err(vec![unread(&shown, &error)]),
    };
    // Paths in the file are relative to its folder; `~/` is the user's own.
    let folder = file.parent().unwrap_or(Path::new(""));
    let anchored = |path: &Path| match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        (Ok(_) | Err(_), _) => folder.join(path),
    };
    keep_back(&text, &|path: &Path| anchored(path).exists());
    let mut layer = parse(&SourceText::new(shown, text))?;
    OPTIONS.iter().for_each(|option| (option.anchor)(&mut layer, &anchored));
    layer.tables.anchor(&anchored);
    Ok(Some(layer))
}

fn text(file: &Path) -> io::Result<String> {
    let bytes = safe_open::read_small(file, BYTES_MAX)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8"))
}

/// A macaroon may stand in any line, and errors show lines.
fn keep_back(text: &str, is_there: &dyn Fn(&Path) -> bool) {
    remember(text, TypedAs::Anything);
    let of_macaroon = text.lines().filter(|line| line.trim_start().starts_with("lnd_macaroon"));
    of_macaroon.for_each(|line| remember(line, TypedAs::Macaroon(is_there)));
}

fn parse(source: &SourceText) -> Result<Layer, Vec<Diagnostic>> {
    let table = DeTable::parse(&source.text).map_err(|error| {
        let mut wrong = Diagnostic::error(&source.file, error.message());
        wrong.place = error.span().map(|span| source.place(span));
        vec![wrong]
    })?;
    let mut layer = Layer::default();
    let mut wrong = Vec::new();
    for (name, value) in table.get_ref() {
        if tables::is_table(name.get_ref()) {
            tables::read(&mut layer.tables, source, (name.get_ref(), value), &mut wrong);
            continue;
        }
        match OPTIONS.iter().find(|option| option.who.file && option.name == name.get_ref()) {
            None => wrong.push(unknown(name.get_ref()).at(source.place(name.span()))),
            Some(option) => {
                if let Err((span, error)) = set(&mut layer, option, value) {
                    let words = format!("{}: {error}", option.name);
                    wrong.push(Diagnostic::error("", words).at(source.place(span)));
                }
            }
        }
    }
    if wrong.is_empty() {
        return Ok(layer);
    }
    wrong.iter_mut().for_each(|wrong| wrong.file.clone_from(&source.file));
    Err(wrong)
}

type Wrong = (std::ops::Range<usize>, String);

fn set(layer: &mut Layer, option: &Declaration, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
    match value.get_ref() {
        DeValue::Array(items) if option.split.is_some() => items.iter().try_for_each(|item| one(layer, option, item)),
        DeValue::Array(items) if option.is_command() => {
            let words: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            let line = words.ok_or_else(|| "expected texts: a program and its arguments".to_owned());
            let line = line.and_then(|words| CommandLine::joined(words.into_iter()));
            line.and_then(|line| option.read(layer, &line)).map_err(|error| (value.span(), error))
        }
        _ => one(layer, option, value),
    }
}

fn one(layer: &mut Layer, option: &Declaration, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
    let number;
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        // Digits of another base would be read as if they were decimal.
        DeValue::Integer(n) if n.radix() == 10 => {
            number = n.to_string();
            &number
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return Err((value.span(), "expected a text, a whole number or true/false".to_owned()));
        }
    };
    option.read(layer, text).map_err(|error| (value.span(), error))
}

fn unknown(name: &str) -> Diagnostic {
    let wrong = Diagnostic::error("", format!("unknown key \"{name}\""));
    if name == "lnd_macaroon" {
        return wrong.help(format!(
            "a macaroon stands in its own file (lnd_macaroon_file), in {}, or a command says it (lnd_macaroon_command)",
            variable(name)
        ));
    }
    if name == "lnd_cert" {
        return wrong.help(format!("a certificate stands in its own file (lnd_cert_file) or in {}", variable(name)));
    }
    if name != "config" && is_flag(name) {
        return wrong.help(format!("this is said for one command only: {}", flag(name)));
    }
    let options = OPTIONS.iter().filter(|option| option.who.file).map(|option| option.name);
    match closest(name, options.chain(tables::NAMES)) {
        Some(known) => wrong.help(format!("did you mean \"{known}\"?")),
        None => wrong,
    }
}
