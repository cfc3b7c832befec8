//! One row of a manifest: its cells, and their places.

use super::problems::Problems;
use super::values::Wrong;
use crate::diagnostic::Place;

/// One row of a table, whatever kind of file it stands in: its cells by column, each with its place.
pub(super) trait Row {
    /// The file, as messages name it.
    fn file(&self) -> &str;

    /// The physical line on which it begins, counted from 1.
    fn line(&self) -> u64;

    /// The trimmed content of a cell; empty where the row has none.
    fn cell(&self, index: usize) -> &str;

    /// The physical line on which a cell's content begins.
    fn line_of(&self, index: usize) -> u64;

    /// Where a cell stands, for a message.
    fn place(&self, index: usize) -> Place;

    /// Whether a cell holds a number or a truth value as such, and not text that a person wrote in the manner of a country.
    fn is_typed(&self, _index: usize) -> bool {
        false
    }

    /// Why a cell's content is no value that may be bought by, where it is none: what it is, and what to do.
    fn unfit(&self, _index: usize) -> Option<Unfit> {
        None
    }

    /// A cell that holds something.
    fn filled(&self, index: Option<usize>) -> Option<&str> {
        index.map(|index| self.cell(index)).filter(|cell| !cell.is_empty())
    }

    /// Notes what is wrong with a cell.
    fn problem(&self, problems: &mut Problems, index: usize, wrong: Wrong) {
        problems.add(self.line_of(index), wrong, |wrong| wrong.into_diagnostic(self.file(), Some(self.place(index))));
    }
}

/// What a cell holds that is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// What it is: `a date`.
    pub(super) what: &'static str,
    /// What to do about it.
    pub(super) help: &'static str,
    /// Passed through it does no harm: nothing is bought by it.
    pub(super) may_pass: bool,
}

impl Unfit {
    /// The error of that cell in the column of that name.
    pub(super) fn wrong(self, name: &str, cell: &str) -> Wrong {
        let kind = format!("{name}: the cell holds {}", self.what);
        let wrong = Wrong::new(format!("{kind}, {}", super::values::repeated(cell))).quoting(cell).help(self.help);
        Wrong { kind: Some(kind), ..wrong }
    }
}

/// What is wrong with a cell beside the table.
pub(super) fn without_name() -> Wrong {
    Wrong::new("a cell in a column without a name").help("name the column, or empty the cell")
}
