//! `takes list`: what a person says of takes.

use std::io::{self, Write};

use serde_json::json;

use crate::ledger::{TakeMark, TakeRow};
use crate::screen::table;
use crate::terminal_text::{printable, printable_json};
use crate::time::UnixMs;

use super::format::{FORMAT_VERSION, Format};
use super::table_out::Dialect;
use super::table_row::Cells;

/// How takes are listed.
#[derive(Clone, Copy, Debug)]
pub struct TakesStyle {
    /// As what.
    pub format: Format,
    /// The terminal's columns.
    pub columns: Option<u16>,
}

/// Writes takes of that batch, in their order. As CSV it is what `takes read` reads.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_takes(out: &mut dyn Write, batch: &str, takes: &[TakeRow], style: &TakesStyle) -> io::Result<()> {
    match style.format {
        Format::Table => write_table(out, takes, style.columns),
        Format::Json => write_json(out, batch, takes),
        Format::Csv => write_csv(out, batch, takes),
    }
}

fn word(take: &TakeRow) -> &'static str {
    take.marked.mark.map_or("", TakeMark::as_str)
}

fn write_table(out: &mut dyn Write, takes: &[TakeRow], columns: Option<u16>) -> io::Result<()> {
    if takes.is_empty() {
        return writeln!(out, "nothing is marked");
    }
    let rows = takes.iter().map(|take| {
        let state = if take.is_replaced { "replaced" } else { take.row.state.as_str() };
        [
            printable(&take.row.id),
            take.row.take.to_string(),
            word(take).to_owned(),
            state.to_owned(),
            printable(&take.marked.note),
        ]
    });
    table(out, &["id", "take", "mark", "state", "note"], &[1], rows, columns)?;
    let of = |mark| takes.iter().filter(|take| take.marked.mark == Some(mark)).count();
    writeln!(out, "\n{} picked, {} rejected", of(TakeMark::Pick), of(TakeMark::Reject))
}

fn write_json(out: &mut dyn Write, batch: &str, takes: &[TakeRow]) -> io::Result<()> {
    let told = |take: &TakeRow| {
        json!({
            "id": take.row.id,
            "take": take.row.take,
            "mark": take.marked.mark.map(TakeMark::as_str),
            "note": take.marked.note,
            "marked_at": take.marked.at.map(UnixMs::rfc3339),
            "state": take.row.state.as_str(),
            "is_replaced": take.is_replaced,
        })
    };
    let takes: Vec<_> = takes.iter().map(told).collect();
    let all = json!({ "format_version": FORMAT_VERSION, "type": "takes", "batch": batch, "takes": takes });
    writeln!(out, "{}", printable_json(&all.to_string()))
}

fn write_csv(out: &mut dyn Write, batch: &str, takes: &[TakeRow]) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    csv.write_record(["batch", "id", "take", "mark", "note", "state"])?;
    for take in takes {
        let mut put = Cells(&mut csv);
        put.text(batch)?;
        put.text(&take.row.id)?;
        put.number(take.row.take)?;
        put.word(word(take))?;
        put.text(&take.marked.note)?;
        put.word(take.row.state.as_str())?;
        put.end()?;
    }
    csv.flush()
}
