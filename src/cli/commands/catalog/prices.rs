//! `catalog show --prices`: what jobs cost, by the values that the price depends on.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::layers::Layers;
use super::show::{plain, rate_words};
use crate::catalog::{Endpoint, PriceLine, price_list};
use crate::cli::options::config::CatalogOptions;
use crate::cli::{ExitCode, Failure, Format, terminal};
use crate::csv_escape::neutralise;
use crate::screen::{stdout_columns, table};
use crate::terminal_text::{printable_char, write_json};

/// Prints the list.
pub(super) fn execute(options: &CatalogOptions) -> Result<ExitCode, Failure> {
    let endpoints = Layers::read(options)?.endpoints(&options.endpoints)?;
    terminal::print(options.output.format, |out| match options.output.format {
        Format::Table => write_table(out, &endpoints),
        Format::Json => write_json(out, &document(&endpoints)),
        Format::Csv => write_csv(out, &endpoints),
    })?;
    Ok(ExitCode::Done)
}

fn write_table(out: &mut dyn Write, endpoints: &[Arc<Endpoint>]) -> io::Result<()> {
    let rows = endpoints.iter().flat_map(|endpoint| {
        let lines = price_list(endpoint);
        let unknown = lines.is_empty().then(|| [&endpoint.name, "", "unknown", "no job of it is planned"].map(shown));
        let row = |line: PriceLine<'_>| {
            let values: Vec<String> = line.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let most = if endpoint.price.is_cap { "≤ " } else { "" };
            let price = line.price.map_or_else(|| "by the unit".to_owned(), |price| format!("{most}{price}"));
            [&endpoint.name, &*values.join(", "), &price, &*rate_words(line.rate, endpoint)].map(shown)
        };
        lines.into_iter().map(row).chain(unknown).collect::<Vec<_>>()
    });
    table(out, &["endpoint", "with", "price", "rate"], &[2], rows, stdout_columns())?;
    writeln!(out)?;
    for endpoint in endpoints {
        writeln!(out, "{}", shown(&format!("prices of {}: {}, {}", endpoint.name, endpoint.source, as_of(endpoint))))?;
    }
    Ok(())
}

fn as_of(endpoint: &Endpoint) -> String {
    if endpoint.as_of.is_empty() { "undated".to_owned() } else { format!("as of {}", endpoint.as_of) }
}

fn shown(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

fn document(endpoints: &[Arc<Endpoint>]) -> Json {
    let endpoint = |endpoint: &Arc<Endpoint>| {
        let line = |line: PriceLine<'_>| {
            let values: Map<String, Json> =
                line.values.iter().map(|(name, value)| ((*name).to_owned(), plain(value))).collect();
            json!({
                "values": values,
                "rate_sats": line.rate.rate.sats_ceil(),
                "rate_msat": line.rate.rate,
                "price_sats": line.price.map(crate::money::Msat::sats_ceil),
                "price_msat": line.price,
            })
        };
        json!({
            "endpoint": endpoint.name,
            "unit": endpoint.price.unit,
            "is_cap": endpoint.price.is_cap,
            "is_reusable": endpoint.is_reusable(),
            "minimum_msat": endpoint.price.scale.minimum,
            "source": endpoint.source,
            "as_of": Some(&endpoint.as_of).filter(|day| !day.is_empty()),
            "prices": price_list(endpoint).into_iter().map(line).collect::<Vec<_>>(),
        })
    };
    json!({
        "format_version": crate::report::FORMAT_VERSION,
        "type": "prices",
        "endpoints": endpoints.iter().map(endpoint).collect::<Vec<_>>(),
    })
}

/// A row a combination, with a column for each parameter that any price depends on.
fn write_csv(out: &mut dyn Write, endpoints: &[Arc<Endpoint>]) -> io::Result<()> {
    let mut names: Vec<&str> = Vec::new();
    for endpoint in endpoints {
        let rule = &endpoint.price;
        for name in rule.by.iter().chain(&rule.quantity).chain(&rule.scale.factor) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
    }
    let mut out = csv::Writer::from_writer(out);
    let header = names.iter().map(|name| format!("params.{name}"));
    let after = ["unit", "rate_msat", "price_sats", "price_msat", "price_is_cap", "as_of", "source"];
    out.write_record(std::iter::once("endpoint".to_owned()).chain(header).chain(after.map(str::to_owned)))?;
    for endpoint in endpoints {
        for line in price_list(endpoint) {
            let value = |name: &&str| {
                let value = line.values.iter().find(|(known, _)| known == name);
                value.map(|(_, value)| neutralise(&value.to_string()).into_owned()).unwrap_or_default()
            };
            let amount = |amount: Option<u64>| amount.map(|amount| amount.to_string()).unwrap_or_default();
            let price = line.price;
            let after = [
                neutralise(&endpoint.price.unit).into_owned(),
                line.rate.rate.get().to_string(),
                amount(price.map(|price| price.sats_ceil().get())),
                amount(price.map(crate::money::Msat::get)),
                endpoint.price.is_cap.to_string(),
                neutralise(&endpoint.as_of).into_owned(),
                neutralise(&endpoint.source).into_owned(),
            ];
            let name = neutralise(&endpoint.name).into_owned();
            out.write_record(std::iter::once(name).chain(names.iter().map(value)).chain(after))?;
        }
    }
    out.flush()
}
