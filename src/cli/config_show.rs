//! `config show`: each option's value and where it came from; secrets are not shown.

use std::io::{self, Write};

use serde::Serialize;

use crate::harmless::write_json;

use super::config::ShowOptions;
use super::layer::{Layer, lasting_names, variable};
use super::shown::{Shown, certificate, macaroon, shown};
use super::{ExitCode, Failure, Format, input, terminal};

/// Prints every option.
pub(super) fn execute(options: &ShowOptions) -> Result<ExitCode, Failure> {
    let mut layers = options.layers.clone();
    if let Some(manifest) = &options.manifest {
        let limits = input::open(manifest, None).map_err(Failure::Input)?.limits.clone();
        layers.manifest = Layer { limits, ..Layer::default() };
    }
    let values = lasting_names().filter_map(|name| value(name, options, &layers)).collect();
    let document = Document {
        format_version: crate::report::FORMAT_VERSION,
        kind: "config",
        file: options.file.as_ref().map(|file| file.display().to_string()),
        values,
    };
    terminal::print(options.output.format, |out| document.write(out, options.output.format))?;
    Ok(ExitCode::Done)
}

/// The layers from which a value can come, the upper first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    pub(super) flags: Layer,
    pub(super) variables: Layer,
    pub(super) manifest: Layer,
    pub(super) file: Layer,
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
    value: Option<Shown>,
    /// `flag`, `variable`, `manifest`, `file`, `found` (where lnd keeps it) or `default`; several for a list.
    source: String,
}

fn value(key: &'static str, options: &ShowOptions, layers: &Layers) -> Option<Value> {
    let flags_and_variables = layers.flags.clone().over(layers.variables.clone());
    let all = flags_and_variables.over(layers.manifest.clone()).over(layers.file.clone());
    let sources = [
        ("flag", &layers.flags),
        ("variable", &layers.variables),
        ("manifest", &layers.manifest),
        ("file", &layers.file),
    ];
    if let Some(value) = shown(&all, key) {
        let list = matches!(value, Shown::List(_));
        let from: Vec<&str> = sources
            .iter()
            .filter(|(_, layer)| shown(layer, key).is_some_and(|said| list || said == value))
            .map(|(name, _)| *name)
            .collect();
        let from = if list { from.join(", ") } else { from.first().copied().unwrap_or_default().to_owned() };
        return Some(Value { key, value: Some(value), source: from });
    }
    if let Some(found) = found(key, options) {
        return Some(Value { key, value: Some(found), source: "found".to_owned() });
    }
    // Content and command are other ways to say what a file says: shown where they are used.
    let alternative = ["lnd_macaroon", "lnd_macaroon_command", "lnd_cert", "lnd_cert_command"].contains(&key);
    (!alternative).then(|| Value {
        key,
        value: options.defaults.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone()),
        source: "default".to_owned(),
    })
}

/// What nobody named, and lies where lnd keeps it.
fn found(key: &str, options: &ShowOptions) -> Option<Shown> {
    let node = options.node.as_ref()?;
    match key {
        "lnd_url" if node.found.url => Some(Shown::Text(node.place())),
        "lnd_macaroon_file" if node.found.macaroon => macaroon(&node.macaroon, key),
        "lnd_cert_file" if node.found.cert => certificate(node.cert.as_ref()?, key),
        _ => None,
    }
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
        for Value { key, value, source } in &self.values {
            let value = value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            let value: String = value.chars().map(crate::harmless::harmless_char).collect();
            let source = match source.as_str() {
                "variable" => variable(key),
                "flag" => format!("--{}", key.replace('_', "-")),
                "found" => "found where lnd keeps it".to_owned(),
                "default" if value == "-" => "not set".to_owned(),
                other => other.to_owned(),
            };
            writeln!(out, "{key:<20}  {value:<40}  {source}")?;
        }
        Ok(())
    }
}
