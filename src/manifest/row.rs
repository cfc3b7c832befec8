//! One row of a manifest: its cells, and their places.

use super::csv_row::CsvRow;
use super::problems::Problems;
use super::values::Wrong;
use super::workbook::{SheetRow, Unfit};
use crate::diagnostic::Place;

/// One row of a table, whatever kind of file it stands in: its cells by column, each with its place.
pub(super) enum Row<'r> {
    /// Of a text file.
    Csv(CsvRow<'r>),
    /// Of a workbook's sheet.
    Sheet(SheetRow<'r>),
}

impl Row<'_> {
    /// The physical line on which it begins, counted from 1.
    pub(super) fn line(&self) -> u64 {
        match self {
            Self::Csv(row) => row.line,
            Self::Sheet(row) => row.line(),
        }
    }

    /// The trimmed content of a cell; empty where the row has none.
    pub(super) fn cell(&self, index: usize) -> &str {
        match self {
            Self::Csv(row) => row.cell(index),
            Self::Sheet(row) => row.cell(index),
        }
    }

    /// Where a cell stands, for a message.
    pub(super) fn place(&self, index: usize) -> Place {
        match self {
            Self::Csv(row) => row.place(index),
            Self::Sheet(row) => row.place(index),
        }
    }

    /// Whether a cell holds a number or a truth value as such, and not text that a person wrote in the manner of a country.
    pub(super) fn is_typed(&self, index: usize) -> bool {
        match self {
            Self::Csv(_) => false,
            Self::Sheet(row) => row.is_typed(index),
        }
    }

    /// Why a cell's content is no value that may be bought by, where it is none: what it is, and what to do.
    pub(super) fn unfit(&self, index: usize) -> Option<Unfit> {
        match self {
            Self::Csv(_) => None,
            Self::Sheet(row) => row.unfit(index),
        }
    }

    /// A cell that holds something.
    pub(super) fn filled(&self, index: Option<usize>) -> Option<&str> {
        index.map(|index| self.cell(index)).filter(|cell| !cell.is_empty())
    }

    /// Notes what is wrong with a cell.
    pub(super) fn problem(&self, problems: &mut Problems, index: usize, wrong: Wrong) {
        match self {
            Self::Csv(row) => row.problem(problems, index, wrong),
            Self::Sheet(row) => row.problem(problems, index, wrong),
        }
    }
}

/// What is wrong with a cell beside the table.
pub(super) fn without_name() -> Wrong {
    Wrong::new("a cell in a column without a name").help("name the column, or empty the cell")
}
