//! A table as a workbook of one sheet, of which the same rows make the same bytes.

use std::io::{self, Write};

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::csv_escape::restore;
use crate::money::thousands;

use super::table_row::{Cell, TableRow};
use super::workbook_stamp::WorkbookOf;

/// Rows of a sheet, its header included.
const ROWS_MAX: u32 = 1_048_576;
/// Up to here each whole number is one that a cell can hold.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Digits of a fraction that is written as a number: programs show no more of them than 15.
const DIGITS_MAX: usize = 12;
/// What a spreadsheet does with what is typed into a text's cell later: it stays text, so that `010` keeps its zero.
const AS_TEXT: &str = "@";

/// What no workbook holds, with its place.
#[derive(Debug, thiserror::Error)]
pub enum NoRoom {
    /// A text is too long.
    #[error("{cell} would hold more than the 32,767 characters that a workbook's cell can")]
    Text {
        /// The cell, such as `B2`.
        cell: String,
    },
    /// There are more rows or columns than a sheet has.
    #[error("{cell} is beyond the {} rows and 16,384 columns that a workbook's sheet has", thousands(ROWS_MAX.into()))]
    Sheet {
        /// The cell.
        cell: String,
    },
}

/// Writes the workbook whose rows `fill` puts, with the name of its sheet and the batch of which it tells.
///
/// # Errors
/// Where `out` cannot be written or a row not be read; [`NoRoom`] where a workbook cannot hold it.
pub(super) fn write(
    out: &mut dyn Write,
    (name, of): (&str, &WorkbookOf),
    fill: &mut dyn FnMut(&mut dyn TableRow) -> io::Result<()>,
) -> io::Result<()> {
    let mut workbook = Workbook::new();
    let created = ExcelDateTime::from_ymd(2000, 1, 1).map_err(io::Error::other)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created).set_comment(of.words(name)));
    let worksheet = workbook.add_worksheet_with_low_memory().map_err(io::Error::other)?;
    worksheet.set_name(name).map_err(io::Error::other)?;
    worksheet.set_freeze_panes(1, 0).map_err(io::Error::other)?;
    fill(&mut Sheet { worksheet, at: (0, 0), text: Format::new().set_num_format(AS_TEXT) })?;
    out.write_all(&workbook.save_to_buffer().map_err(io::Error::other)?)
}

/// A sheet that is filled row by row.
struct Sheet<'w> {
    worksheet: &'w mut Worksheet,
    /// The row and the column of the next cell, from 0.
    at: (u32, u16),
    text: Format,
}

impl TableRow for Sheet<'_> {
    fn put(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let (row, column) = self.at;
        let written = match cell {
            Cell::Empty => Ok(&mut *self.worksheet),
            Cell::Truth(is) => self.worksheet.write_boolean(row, column, is),
            Cell::Number(digits) => match exact(digits) {
                Some(number) => self.worksheet.write_number(row, column, number),
                None => self.worksheet.write_string_with_format(row, column, digits, &self.text),
            },
            Cell::Word(text) => self.worksheet.write_string_with_format(row, column, text, &self.text),
            // A text is no formula here; but whoever reads it takes an apostrophe that stands before one for ours.
            Cell::Text(text) if restore(text) != text => {
                self.worksheet.write_string_with_format(row, column, format!("'{text}"), &self.text)
            }
            Cell::Text(text) => self.worksheet.write_string_with_format(row, column, text, &self.text),
        };
        if let Err(error) = written.map(|_| ()) {
            return Err(self.told(error));
        }
        self.at.1 = column.saturating_add(1);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.at = (self.at.0.saturating_add(1), 0);
        Ok(())
    }
}

impl Sheet<'_> {
    fn told(&self, error: XlsxError) -> io::Error {
        let cell = rust_xlsxwriter::utility::row_col_to_cell(self.at.0, self.at.1);
        match error {
            XlsxError::MaxStringLengthExceeded => io::Error::other(NoRoom::Text { cell }),
            XlsxError::RowColumnLimitError => io::Error::other(NoRoom::Sheet { cell }),
            error => io::Error::other(error),
        }
    }
}

/// The number of these digits, where a cell holds it to the last one.
fn exact(digits: &str) -> Option<f64> {
    let number: f64 = digits.parse().ok()?;
    let is_exact = match number.fract() == 0.0 {
        true => number.abs() <= WHOLE_MAX,
        false => digits.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX,
    };
    (is_exact && number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{Data, Reader as _};

    type Cells = Vec<Vec<Cell<'static>>>;

    fn written(rows: &Cells) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let of = WorkbookOf { batch: "june".to_owned(), ledger: "ab12".to_owned() };
        write(&mut out, ("results", &of), &mut |row| {
            for cells in rows {
                cells.iter().try_for_each(|cell| row.put(*cell))?;
                row.end()?;
            }
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn cells_have_types_and_texts_stay_texts() {
        let rows = vec![vec![
            Cell::Text("010"),
            Cell::Text("=1+1"),
            Cell::Text("'=1+1"),
            Cell::Number("21000"),
            Cell::Number("0.5"),
            Cell::Number("9007199254740993"),
            Cell::Number("0.1234567890123"),
            Cell::Empty,
            Cell::Truth(true),
            Cell::Word("2026-11-30"),
        ]];
        let bytes = written(&rows).unwrap();
        assert_eq!(bytes, written(&rows).unwrap(), "the same rows are the same bytes");
        let mut read: calamine::Xlsx<_> = calamine::open_workbook_from_rs(io::Cursor::new(&bytes)).unwrap();
        assert!(read.worksheet_formula("results").unwrap().is_empty());
        let range = read.worksheet_range("results").unwrap();
        let text = |text: &str| Data::String(text.to_owned());
        assert_eq!(
            range.rows().next().unwrap(),
            [
                text("010"),
                text("=1+1"),
                text("''=1+1"),
                Data::Float(21_000.0),
                Data::Float(0.5),
                text("9007199254740993"),
                text("0.1234567890123"),
                Data::Empty,
                Data::Bool(true),
                text("2026-11-30"),
            ]
        );
    }

    #[test]
    fn what_no_cell_can_hold_is_told_with_its_place() {
        let long: &'static str = Box::leak("x".repeat(32_768).into_boxed_str());
        let told = written(&vec![vec![Cell::Word("id")], vec![Cell::Empty, Cell::Text(long)]]).unwrap_err();
        assert!(told.to_string().starts_with("B2 would hold more than the 32,767 characters"), "{told}");
        assert!(told.get_ref().is_some_and(|error| error.is::<NoRoom>()), "{told:?}");
    }
}
