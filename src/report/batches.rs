//! `batches`: what a ledger holds.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde_json::json;

use crate::money::{Msat, thousands};
use crate::screen::table;
use crate::terminal_text::{printable, printable_json};
use crate::time::UnixMs;

use super::format::{FORMAT_VERSION, Format};
use super::labels::{sats, whole_line};
use super::status::local;
use super::table_out::Dialect;
use super::table_row::Cells;

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchLine {
    /// Its name.
    pub batch: String,
    /// Its manifest's path, where it has one.
    pub manifest: Option<String>,
    /// Its jobs.
    pub jobs: u64,
    /// Those delivered or downloaded.
    pub delivered: u64,
    /// Those that are not at their end: pending, begun, paid, or to be tried again.
    pub open: u64,
    /// Settled payments, without fees.
    pub spent: Msat,
    /// Their routing fees.
    pub fees: Msat,
    /// What came back of them.
    pub refunded: Msat,
    /// When it was last run.
    pub last_run_at: Option<UnixMs>,
}

/// Writes the batches of a ledger, in their order. `columns` are the terminal's; `zone` is the table's.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_batches(
    out: &mut dyn Write,
    batches: &[BatchLine],
    format: Format,
    columns: Option<u16>,
    zone: &TimeZone,
) -> io::Result<()> {
    match format {
        Format::Table => write_table(out, batches, columns, zone),
        Format::Json => write_json(out, batches),
        Format::Csv => write_csv(out, batches),
    }
}

fn write_table(out: &mut dyn Write, batches: &[BatchLine], columns: Option<u16>, zone: &TimeZone) -> io::Result<()> {
    if batches.is_empty() {
        return writeln!(out, "the ledger holds no batch");
    }
    let rows = batches.iter().map(|batch| {
        [
            printable(&batch.batch),
            thousands(batch.jobs),
            thousands(batch.delivered),
            thousands(batch.open),
            sats(batch.spent),
            sats(batch.refunded),
            batch.last_run_at.map(|at| local(at, zone)).unwrap_or_default(),
            batch.manifest.as_deref().map(whole_line).unwrap_or_default(),
        ]
    });
    if batches.iter().any(|batch| batch.refunded > Msat::ZERO) {
        let header = ["batch", "jobs", "delivered", "open", "spent sats", "back sats", "last run", "manifest"];
        return table(out, &header, &[1, 2, 3, 4, 5], rows, columns);
    }
    let header = ["batch", "jobs", "delivered", "open", "spent sats", "last run", "manifest"];
    let rows = rows.map(|[batch, jobs, delivered, open, spent, _, at, manifest]| {
        [batch, jobs, delivered, open, spent, at, manifest]
    });
    table(out, &header, &[1, 2, 3, 4], rows, columns)
}

fn write_json(out: &mut dyn Write, batches: &[BatchLine]) -> io::Result<()> {
    let lines: Vec<_> = batches
        .iter()
        .map(|batch| {
            json!({
                "batch": batch.batch,
                "manifest": batch.manifest,
                "job_count": batch.jobs,
                "delivered_count": batch.delivered,
                "open_count": batch.open,
                "spent_msat": batch.spent,
                "fees_msat": batch.fees,
                "refunded_msat": batch.refunded,
                "last_run_at": batch.last_run_at.map(UnixMs::rfc3339),
            })
        })
        .collect();
    let all = json!({ "format_version": FORMAT_VERSION, "type": "batches", "batches": lines });
    writeln!(out, "{}", printable_json(&all.to_string()))
}

fn write_csv(out: &mut dyn Write, batches: &[BatchLine]) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    csv.write_record([
        "batch",
        "manifest",
        "job_count",
        "delivered_count",
        "open_count",
        "spent_msat",
        "fees_msat",
        "last_run_at",
        "refunded_msat",
    ])?;
    for batch in batches {
        let mut put = Cells(&mut csv);
        put.text(&batch.batch)?;
        put.maybe(batch.manifest.as_deref())?;
        put.number(batch.jobs)?;
        put.number(batch.delivered)?;
        put.number(batch.open)?;
        put.msat(Some(batch.spent))?;
        put.msat(Some(batch.fees))?;
        put.time(batch.last_run_at)?;
        put.msat(Some(batch.refunded))?;
        put.end()?;
    }
    csv.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_in_every_form() {
        let june = BatchLine {
            batch: "june-trailers".into(),
            manifest: Some("/jobs/june.toml".into()),
            jobs: 1_208,
            delivered: 6,
            open: 1,
            spent: Msat::new(8_250_000),
            fees: Msat::new(8_001),
            refunded: Msat::new(550_000),
            last_run_at: Some(UnixMs(1_790_000_000_123)),
        };
        let piped = BatchLine {
            batch: "-piped".into(),
            manifest: None,
            refunded: Msat::ZERO,
            last_run_at: None,
            ..june.clone()
        };
        let text = [Format::Table, Format::Json, Format::Csv].map(|format| {
            let mut out = Vec::new();
            write_batches(&mut out, &[june.clone(), piped.clone()], format, Some(100), &TimeZone::UTC).unwrap();
            String::from_utf8(out).unwrap()
        });
        insta::assert_snapshot!(text.join("\n"));
    }
}
