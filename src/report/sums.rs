//! What groups of a batch's jobs have come to, as people read it.

use std::io::{self, Write};

use crate::event::{SpentBy, SpentGroup};
use crate::money::thousands;
use crate::screen::table;
use crate::terminal_text::printable;

use super::labels::amount;
use super::table_out::Dialect;

/// Writes a line a group, folded to so many `columns`.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_sums(out: &mut dyn Write, sums: &SpentBy, columns: Option<u16>) -> io::Result<()> {
    let row = |group: &SpentGroup| {
        [
            group.value.as_deref().map_or_else(|| "(nothing there)".to_owned(), printable),
            thousands(group.job_count),
            thousands(group.delivered_count),
            thousands(group.open_count),
            amount(group.planned_msat),
            amount(group.spent_msat),
            amount(group.fees_msat),
            amount(group.refunded_msat),
            amount(group.held_msat),
        ]
    };
    let by = printable(&sums.by);
    let header = [by.as_str(), "jobs", "delivered", "open", "planned", "spent", "fees", "refunded", "held"];
    writeln!(out)?;
    table(out, &header, &[1, 2, 3, 4, 5, 6, 7, 8], sums.groups.iter().map(row), columns)
}

/// Writes a row a group.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write_sums_csv(out: &mut dyn Write, sums: &SpentBy) -> io::Result<()> {
    let mut csv = Dialect::default().begin(out)?;
    let by = crate::csv_escape::neutralise(&sums.by);
    csv.write_record([
        &*by,
        "job_count",
        "delivered_count",
        "open_count",
        "planned_msat",
        "spent_msat",
        "fees_msat",
        "refunded_msat",
        "held_msat",
    ])?;
    for group in &sums.groups {
        csv.write_field(&*crate::csv_escape::neutralise(group.value.as_deref().unwrap_or_default()))?;
        for count in [group.job_count, group.delivered_count, group.open_count] {
            csv.write_field(count.to_string())?;
        }
        for amount in [group.planned_msat, group.spent_msat, group.fees_msat, group.refunded_msat, group.held_msat] {
            csv.write_field(amount.get().to_string())?;
        }
        csv.write_record(None::<&[u8]>)?;
    }
    csv.flush()
}
