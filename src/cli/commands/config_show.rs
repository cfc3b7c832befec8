//! `config show`: each option's value and where it came from; secrets are not shown.

use std::io::{self, Write};

use serde::Serialize;

use crate::terminal_text::write_json;

use crate::cli::options::config::ShowOptions;
use crate::cli::options::displayed::Displayed;
use crate::cli::options::layer::{CertSource, Layers, MacaroonSource};
use crate::cli::options::{Declaration, Layer, OPTIONS, flag, variable};
use crate::cli::{ExitCode, Failure, Format, input, terminal};

/// Prints every option.
pub(in crate::cli) fn execute(options: &ShowOptions) -> Result<ExitCode, Failure> {
    let mut layers = options.layers.clone();
    if let Some(manifest) = &options.manifest {
        let limits = input::open(manifest, None).map_err(Failure::Input)?.limits.clone();
        layers.manifest = Layer::from(&limits);
    }
    let all = layers.all();
    let values = OPTIONS.iter().filter(|option| option.is_shown());
    let values = values.filter_map(|option| value(option, options, &layers, &all)).collect();
    let document = Document {
        format_version: crate::report::FORMAT_VERSION,
        kind: "config",
        file: options.file.as_ref().map(|file| file.display().to_string()),
        values,
    };
    terminal::print(options.output.format, |out| document.write(out, options.output.format))?;
    Ok(ExitCode::Done)
}

#[derive(Serialize)]
struct Document {
    format_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The configuration file, where one was read.
    file: Option<String>,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct Value {
    key: &'static str,
    value: Option<Displayed>,
    /// `flag`, `variable`, `manifest`, `file`, `found` (where lnd keeps it) or `default`; several for a list.
    source: String,
}

fn value(option: &Declaration, options: &ShowOptions, layers: &Layers, all: &Layer) -> Option<Value> {
    let key = option.name;
    let sources = [
        ("flag", &layers.flags),
        ("variable", &layers.variables),
        ("manifest", &layers.manifest),
        ("file", &layers.file),
    ];
    if let Some(value) = (option.displayed)(all) {
        let list = matches!(value, Displayed::List(_));
        let from: Vec<&str> = sources
            .iter()
            .filter(|(_, layer)| (option.displayed)(layer).is_some_and(|said| list || said == value))
            .map(|(name, _)| *name)
            .collect();
        let from = if list { from.join(", ") } else { from.first().copied().unwrap_or_default().to_owned() };
        return Some(Value { key, value: Some(value), source: from });
    }
    if let Some(found) = found(key, options) {
        return Some(Value { key, value: Some(found), source: "found".to_owned() });
    }
    // Content and command are other ways to say what a file says: shown where they are used.
    let default = || options.found.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
    let default = || option.default.map(|default| default()).or_else(default);
    option.who.flag.then(|| Value { key, value: default(), source: "default".to_owned() })
}

/// What nobody named, and lies where lnd keeps it.
fn found(key: &str, options: &ShowOptions) -> Option<Displayed> {
    let node = options.node.as_ref()?;
    let file = match (key, &node.macaroon, &node.cert) {
        ("lnd_url", _, _) if node.found.url => return Some(Displayed::Text(node.place())),
        ("lnd_macaroon_file", MacaroonSource::File(file), _) if node.found.macaroon => file,
        ("lnd_cert_file", _, Some(CertSource::File(file))) if node.found.cert => file,
        _ => return None,
    };
    Some(Displayed::Text(file.display().to_string()))
}

impl Document {
    fn write(&self, out: &mut dyn Write, format: Format) -> io::Result<()> {
        if format == Format::Json {
            return write_json(out, self);
        }
        match &self.file {
            Some(file) => writeln!(out, "configuration file: {file}\n")?,
            None => writeln!(out, "configuration file: none\n")?,
        }
        let shown = |value: &Option<Displayed>| -> String {
            let value = value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            value.chars().map(crate::terminal_text::printable_char).collect()
        };
        let width = self.values.iter().map(|value| shown(&value.value).chars().count()).max().unwrap_or_default();
        for Value { key, value, source } in &self.values {
            let value = shown(value);
            let source = match source.as_str() {
                "variable" => variable(key),
                "flag" => flag(key),
                "found" => "found where lnd keeps it".to_owned(),
                "default" if value == "-" => "not set".to_owned(),
                other => other.to_owned(),
            };
            writeln!(out, "{key:<20}  {value:<width$}  {source}")?;
        }
        Ok(())
    }
}
