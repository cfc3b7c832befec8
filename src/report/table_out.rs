//! Tables of ledger rows: as a CSV, or as a workbook.

use std::io::{self, Write};

use super::table_row::{Cells, TableRow};
use super::workbook_out;
use super::workbook_stamp::WorkbookOf;

/// How a CSV is written: as the manifest was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between two cells: `,`, `;` or a tab.
    pub delimiter: u8,
    /// Whether the file begins with a byte order mark.
    pub bom: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', bom: false }
    }
}

impl Dialect {
    /// A writer whose content has begun, mark included.
    pub(super) fn begin(self, out: &mut dyn Write) -> io::Result<csv::Writer<&mut dyn Write>> {
        if self.bom {
            out.write_all("\u{feff}".as_bytes())?;
        }
        Ok(csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(out))
    }
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableForm {
    /// As text.
    Csv(Dialect),
    /// As a workbook of one sheet, each cell with its type (`.xlsx`), which tells of that batch.
    Workbook(WorkbookOf),
}

impl TableForm {
    /// Writes a table: its header, and the rows that `fill` puts. `name` is what a workbook calls its sheet.
    ///
    /// # Errors
    /// Where `out` cannot be written, the rows cannot be read, or a workbook has no room for them.
    pub(super) fn write<'n>(
        &self,
        out: &mut dyn Write,
        name: &str,
        header: impl IntoIterator<Item = &'n str>,
        fill: &mut dyn FnMut(&mut Cells<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let header: Vec<&str> = header.into_iter().collect();
        let mut write = |row: &mut dyn TableRow| {
            let mut put = Cells(row);
            header.iter().try_for_each(|name| put.text(name))?;
            put.end()?;
            fill(&mut put)
        };
        match self {
            Self::Csv(dialect) => {
                let mut csv = dialect.begin(out)?;
                write(&mut csv)?;
                csv.flush()
            }
            Self::Workbook(of) => workbook_out::write(out, (name, of), &mut write),
        }
    }
}
