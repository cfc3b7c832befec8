//! An option as `config show` prints it: its value, or that it is a secret.

use serde::Serialize;

use super::layer::{CertSource, Layer, MacaroonSource};
use super::node::place;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Shown {
    Number(u64),
    Truth(bool),
    Text(String),
    List(Vec<String>),
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => f.write_str(&list.join(", ")),
        }
    }
}

/// What stands for a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// What the layer says of the lasting option of that name, and of node options that stand in variables.
pub(super) fn shown(layer: &Layer, name: &str) -> Option<Shown> {
    let limits = &layer.limits;
    let sats = |sats: Option<crate::money::Sats>| sats.map(|sats| Shown::Number(sats.get()));
    let number = |number: Option<u32>| number.map(|number| Shown::Number(number.into()));
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| text(path.display()));
    match name {
        "ledger" => path(&layer.ledger),
        "catalog" if layer.catalog.is_empty() => None,
        "catalog" => Some(Shown::List(layer.catalog.iter().map(|path| path.display().to_string()).collect())),
        "max_sats" => sats(limits.max_sats),
        "max_sats_per_job" => sats(limits.max_sats_per_job),
        "max_sats_per_day" => sats(limits.max_sats_per_day),
        "max_sats_per_month" => sats(limits.max_sats_per_month),
        "time_zone" => limits.time_zone.clone().map(Shown::Text),
        "max_fee_ppm" => limits.max_fee_ppm.map(Shown::Number),
        "fee_floor_sats" => sats(limits.fee_floor_sats),
        "partial" => layer.partial.map(Shown::Truth),
        "lnd_url" => layer.lnd_url.as_ref().map(|url| Shown::Text(place(url))),
        "lnd_macaroon_file" | "lnd_macaroon" | "lnd_macaroon_command" => macaroon(layer.lnd_macaroon.as_ref()?, name),
        "lnd_cert_file" | "lnd_cert" | "lnd_cert_command" => certificate(layer.lnd_cert.as_ref()?, name),
        "lnd_dir" => path(&layer.lnd_dir),
        "lnd_network" => layer.lnd_network.clone().map(Shown::Text),
        "jobs_in_flight" => number(layer.jobs_in_flight),
        "payments_in_flight" => number(layer.payments_in_flight),
        "requests_per_second" => number(layer.requests_per_second),
        "max_undelivered" => number(layer.max_undelivered),
        "max_doubt" => number(layer.max_doubt),
        "wait_doubt" => layer.wait_doubt.map(|wait| Shown::Text(format!("{}s", wait.as_secs()))),
        "max_invoice_life" => layer.max_invoice_life.map(|life| Shown::Text(format!("{}s", life.as_secs()))),
        "download" => path(&layer.download),
        "download_name" => layer.download_name.as_ref().map(text),
        "downloads_in_flight" => number(layer.downloads_in_flight),
        "downloads_per_second" => number(layer.downloads_per_second),
        "max_file_mib" => number(layer.max_file_mib),
        "download_idle" => layer.download_idle.map(|idle| Shown::Text(format!("{}s", idle.as_secs()))),
        "quiet" => layer.quiet.map(Shown::Truth),
        _ => None,
    }
}

fn text(value: impl ToString) -> Shown {
    Shown::Text(value.to_string())
}

pub(super) fn macaroon(source: &MacaroonSource, name: &str) -> Option<Shown> {
    match (source, name) {
        (MacaroonSource::File(path), "lnd_macaroon_file") => Some(text(path.display())),
        (MacaroonSource::Text(_), "lnd_macaroon") | (MacaroonSource::Pasted, "lnd_macaroon_file") => Some(text(HIDDEN)),
        (MacaroonSource::Command(line), "lnd_macaroon_command") => Some(text(format!("{} …", line.program()))),
        (
            MacaroonSource::File(_) | MacaroonSource::Pasted | MacaroonSource::Text(_) | MacaroonSource::Command(_),
            _,
        ) => None,
    }
}

pub(super) fn certificate(source: &CertSource, name: &str) -> Option<Shown> {
    match (source, name) {
        (CertSource::File(path), "lnd_cert_file") => Some(text(path.display())),
        (CertSource::Text(_), "lnd_cert") => Some(text("(a certificate)")),
        (CertSource::Command(line), "lnd_cert_command") => Some(text(format!("{} …", line.program()))),
        (CertSource::File(_) | CertSource::Text(_) | CertSource::Command(_), _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layer::KEYS;

    #[test]
    fn every_lasting_option_and_the_nodes_papers_can_be_shown() {
        for key in KEYS.iter().filter(|key| key.in_file || key.name.starts_with("lnd_")) {
            let text = match key.name {
                "time_zone" => "UTC",
                "partial" | "quiet" => "true",
                "lnd_url" => "https://user:secret@n:8080/?secret",
                "lnd_network" => "regtest",
                "lnd_macaroon" => "secret",
                "lnd_macaroon_command" | "lnd_cert_command" => "pass show secret",
                "wait_doubt" | "max_invoice_life" | "download_idle" => "90s",
                "download_name" => "{id}",
                _ => "7",
            };
            let mut layer = Layer::default();
            (key.set)(&mut layer, text).unwrap();
            let value = shown(&layer, key.name).unwrap_or_else(|| panic!("{} is not shown", key.name)).to_string();
            assert!(!value.contains("secret"), "{}: {value}", key.name);
        }
    }
}
