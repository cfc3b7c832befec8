//! What a table of unknown columns holds: its headers, and what stands below each.

use super::open::Manifest;
use super::results::ResultsPass;
use crate::diagnostic::Diagnostic;

/// Different cells of a column that are kept.
const CELLS_MAX: usize = 200;

/// A column as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SurveyedColumn {
    /// Its header, trimmed; empty where it has none.
    pub header: String,
    /// Its cells that are not empty, each content once, at most so many as tell what it holds; and whether it is a number or a truth
    /// value as such.
    pub cells: Vec<(String, bool)>,
}

impl Manifest {
    /// Looks at all rows of a table, whatever its columns mean. None where it is no table.
    ///
    /// # Errors
    /// Where rows are not whole.
    pub fn survey(&self) -> Result<Vec<SurveyedColumn>, Vec<Diagnostic>> {
        let Some(rows) = self.own_rows() else { return Ok(Vec::new()) };
        let of = |header: &String| SurveyedColumn { header: header.clone(), cells: Vec::new() };
        let mut columns: Vec<SurveyedColumn> = rows.header.iter().map(of).collect();
        let mut pass = ResultsPass::new(rows);
        while pass.next_row(&mut |row, _| {
            for (index, column) in columns.iter_mut().enumerate() {
                let cell = row.cell(index);
                let is_new = !cell.is_empty() && !column.cells.iter().any(|(known, _)| known == cell);
                if is_new && column.cells.len() < CELLS_MAX {
                    column.cells.push((cell.to_owned(), row.is_typed(index)));
                }
            }
        }) {}
        let errors = pass.into_problems();
        if errors.is_empty() { Ok(columns) } else { Err(errors) }
    }
}
