//! The forms in which a command prints its result.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// The version of every JSON document and event. Fields are only ever added to it.
pub const FORMAT_VERSION: u32 = 1;

/// How a command prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// A row a thing.
    Csv,
}

/// A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// Every other error, as it was.
pub fn pipe_closed_is_fine(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Terminals narrower or wider than this are taken for these widths.
const TABLE_COLUMNS_MIN: u16 = 40;
const TABLE_COLUMNS_MAX: u16 = 200;

/// Writes a table without lines, at most `width` columns wide; long cells go on below. The columns `numbers` stand to the
/// right. Cells are harmless already.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    header: &[&str; N],
    numbers: &[usize],
    rows: impl Iterator<Item = [String; N]>,
    width: u16,
) -> io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width.clamp(TABLE_COLUMNS_MIN, TABLE_COLUMNS_MAX))
        .set_header(header.iter())
        .add_rows(rows);
    for column in numbers {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
