//! A sheet's table: its header, and its rows up to the first blank one, held in memory.

use super::content::{Content, Kind};
use super::unfit::Unfit;
use super::{Area, Marks, Refusal};
use crate::csv_escape::restore;
use crate::diagnostic::{Diagnostic, Place, column_name};
use crate::manifest::problems::Problems;
use crate::manifest::table_options::HiddenRows;
use crate::manifest::values::Wrong;
use crate::money::{counted, thousands};

/// Cells of a table that are kept.
pub(super) const CELLS_MAX: usize = 10_000_000;
/// Bytes of their text.
const TEXT_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Merged areas that are told.
const MERGED_SHOWN_MAX: usize = 20;
/// Columns of a sheet, as spreadsheets have them.
pub(super) const COLUMNS_MAX: u32 = 16_384;

/// A table of a sheet.
#[derive(Debug, Default)]
pub(in crate::manifest) struct Sheet {
    /// The sheet's name.
    pub(in crate::manifest) name: String,
    /// The header's cells, trimmed.
    pub(in crate::manifest) header: Vec<String>,
    /// The row in which they stand, from 1.
    pub(in crate::manifest) header_row: u32,
    /// The rows below, each with where its cells begin.
    rows: Vec<(u32, u32)>,
    cells: Vec<Cell>,
    text: String,
    /// Rows with content behind the table's end: how many, the first and the last.
    below: Option<(u64, u32, u32)>,
    /// Rows of the table that are hidden, as ranges, and how many they are.
    hidden: (Vec<(u32, u32)>, u64),
    hidden_rows: Option<HiddenRows>,
    hidden_columns: Vec<u32>,
    /// What is wrong with how it stands: nothing is bought by such a table, whoever reads it.
    pub(in crate::manifest) wrong: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    column: u16,
    kind: Kind,
    start: u32,
    end: u32,
}

impl Sheet {
    /// An empty one, to which cells are added in the order in which they stand.
    pub(super) fn filling(name: &str, header_row: Option<u32>, hidden_rows: Option<HiddenRows>) -> Filling {
        let sheet = Self { name: name.to_owned(), hidden_rows, ..Self::default() };
        Filling { sheet, wanted: header_row, last: (0, 0) }
    }

    /// The table's rows, but for those that are hidden and passed over.
    pub(in crate::manifest) fn rows<'s>(&'s self, file: &'s str) -> impl Iterator<Item = SheetRow<'s>> + use<'s> {
        let ends = self.rows.iter().skip(1).map(|(_, start)| *start as usize).chain([self.cells.len()]);
        let skips = self.hidden_rows == Some(HiddenRows::Skip);
        self.rows.iter().zip(ends).filter_map(move |((number, start), end)| {
            let cells = self.cells.get(*start as usize..end).unwrap_or_default();
            (!skips || !self.is_hidden(*number)).then_some(SheetRow { sheet: self, file, number: *number, cells })
        })
    }

    fn is_hidden(&self, row: u32) -> bool {
        let at = self.hidden.0.partition_point(|(_, last)| *last < row);
        self.hidden.0.get(at).is_some_and(|(first, _)| *first <= row)
    }

    /// Where a cell stands, by its row and its column from 0.
    pub(in crate::manifest) fn place(&self, row: u64, column: usize) -> Place {
        Place::of_cell(&self.name, row, u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// What a person may not expect of how it is read, a line each.
    pub(in crate::manifest) fn notes(&self) -> Vec<String> {
        let (name, mut notes) = (&self.name, Vec::new());
        if let Some((count, first, last)) = self.below {
            let end = self.rows.last().map_or(self.header_row, |(number, _)| *number);
            let (below, where_) = (counted(count, "row"), ranges(&[(first, last)]));
            notes.push(format!(
                "the table of sheet \"{name}\" ends at row {end}, before a blank row: {below} with content below it, not read ({where_})"
            ));
        }
        if let (rows, count @ 1..) = &self.hidden {
            let done = if self.hidden_rows == Some(HiddenRows::Skip) { "passed over" } else { "read as jobs" };
            let rows = format!("{} ({})", counted(*count, "hidden row"), ranges(rows));
            notes.push(format!("sheet \"{name}\": {rows}, {done}"));
        }
        if !self.hidden_columns.is_empty() {
            let names: Vec<String> = self.hidden_columns.iter().map(|column| column_name(column + 1)).collect();
            notes.push(format!("sheet \"{name}\": hidden columns that are read: {}", names.join(", ")));
        }
        notes
    }
}

/// `7-18, 30`, of many the first.
fn ranges(ranges: &[(u32, u32)]) -> String {
    const SHOWN_MAX: usize = 8;
    let one = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let mut shown: Vec<String> = ranges.iter().take(SHOWN_MAX).map(one).collect();
    if ranges.len() > SHOWN_MAX {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// A table that is being read.
pub(super) struct Filling {
    sheet: Sheet,
    /// The header's row, where it is said.
    wanted: Option<u32>,
    /// The row, from 1, and the column after which a cell must come.
    last: (u32, u32),
}

impl Filling {
    /// Adds a cell that holds something: its row from 1, its column from 0.
    ///
    /// # Errors
    /// Where it does not come in order, is one too many, or shows that the header is not where it is said to be.
    pub(super) fn add(&mut self, row: u32, column: u32, content: &Content<'_>) -> Result<(), Refusal> {
        content.told(|text, kind| if text.is_empty() { Ok(()) } else { self.add_text(row, column, text, kind) })
    }

    fn add_text(&mut self, row: u32, column: u32, text: &str, kind: Kind) -> Result<(), Refusal> {
        let is_new = row != self.last.0;
        if row < self.last.0 || (!is_new && column < self.last.1) {
            return Err(Refusal::new("its cells do not stand in order").at(row, column).help(super::SAVE_ANEW));
        }
        if column >= COLUMNS_MAX {
            return Err(Refusal::new("a cell stands behind the last column that sheets have").at(row, column));
        }
        let (before, sheet) = (self.last.0, &mut self.sheet);
        self.last = (row, column + 1);
        if sheet.header_row == 0 {
            match self.wanted {
                Some(wanted) if row < wanted => return Ok(()),
                Some(wanted) if row > wanted => {
                    let words = format!("row {wanted}, which is said to be the header, is blank");
                    return Err(
                        Refusal::new(words).help("name the row in which the columns have their names: --header-row N")
                    );
                }
                Some(_) | None => sheet.header_row = row,
            }
        }
        if row == sheet.header_row {
            sheet.header.resize(column as usize, String::new());
            sheet.header.push(text.to_owned());
            return Ok(());
        }
        match (&mut sheet.below, is_new) {
            (Some((count, _, last)), true) => (*count, *last) = (*count + 1, row),
            (Some(_), false) => {}
            (None, true) if row != before + 1 => sheet.below = Some((1, row, row)),
            (None, true) => {
                let start = u32::try_from(sheet.cells.len()).unwrap_or(u32::MAX);
                sheet.rows.push((row, start));
                sheet.push(row, column, text, kind)?;
            }
            (None, false) => sheet.push(row, column, text, kind)?,
        }
        Ok(())
    }

    /// The table, and what is wrong with how it stands: merged cells, rows that a person does not see.
    ///
    /// # Errors
    /// Where there is no table.
    pub(super) fn finish(self, marks: &Marks) -> Result<(Sheet, Vec<Refusal>), Refusal> {
        let mut sheet = self.sheet;
        if sheet.header_row == 0 {
            let words = self.wanted.map_or_else(
                || "the sheet is empty".to_owned(),
                |wanted| format!("there is nothing in row {wanted}, which is said to be the header, nor below it"),
            );
            return Err(Refusal::new(words).help("its first row names the columns: id, endpoint, prompt, duration"));
        }
        if let (true, Some((_, first, _))) = (sheet.rows.is_empty(), sheet.below) {
            let words = format!(
                "the row below row {}, the header, is blank, and a table ends at a blank row",
                sheet.header_row
            );
            let help =
                format!("delete it, or name the row in which the columns have their names: --header-row {first}");
            return Err(Refusal::new(words).at(sheet.header_row, 0).help(help));
        }
        let mut wrong = sheet.merged(&marks.merged);
        let last = sheet.rows.last().map_or(sheet.header_row, |(number, _)| *number);
        for (first, end) in &marks.hidden_rows {
            let (first, end) = ((*first).max(sheet.header_row + 1), (*end).min(last));
            if first <= end {
                sheet.hidden.0.push((first, end));
                sheet.hidden.1 += u64::from(end - first) + 1;
            }
        }
        if let (Some((first, _)), None) = (sheet.hidden.0.first(), sheet.hidden_rows) {
            let words = format!("the table has {}: {}", counted(sheet.hidden.1, "hidden row"), ranges(&sheet.hidden.0));
            let help = "show them (a filter may hide them), or say what they are: --hidden-rows read, jobs like the others, or \
                        --hidden-rows skip, none";
            wrong.push(Refusal::new(words).at(*first, 0).help(help));
        }
        let is_read = |column: &u32| sheet.header.get(*column as usize).is_some_and(|name| !name.is_empty());
        let hidden = marks.hidden_columns.iter().flat_map(|(first, last)| *first..=(*last).min(COLUMNS_MAX));
        sheet.hidden_columns = hidden.filter(is_read).collect();
        Ok((sheet, wrong))
    }
}

impl Sheet {
    fn push(&mut self, row: u32, column: u32, text: &str, kind: Kind) -> Result<(), Refusal> {
        if self.cells.len() >= CELLS_MAX || self.text.len() + text.len() > TEXT_BYTES_MAX {
            let words = format!(
                "the table holds more than {} cells, or more than {} MiB of text",
                thousands(CELLS_MAX as u64),
                TEXT_BYTES_MAX / (1024 * 1024)
            );
            return Err(Refusal::new(words)
                .at(row, column)
                .help("save it as CSV, which may be as long as the disk holds"));
        }
        let at = |text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX);
        let start = at(&self.text);
        self.text.push_str(text);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        self.cells.push(Cell { column, kind, start, end: at(&self.text) });
        Ok(())
    }

    /// Merged cells within the table: all but the first of each look filled and are empty.
    fn merged(&self, areas: &[Area]) -> Vec<Refusal> {
        let last = self.rows.last().map_or(self.header_row, |(number, _)| *number);
        let is_inside = |area: &&Area| {
            area.first.0 <= last && area.last.0 >= self.header_row && (area.first.1 as usize) < self.header.len()
        };
        let of = |area: &Area| {
            let words = format!("the cells {area} are merged: they look filled, and all but the first are empty");
            Refusal::new(words)
                .at(area.first.0, area.first.1)
                .help("unmerge them, and fill each that is meant to have the value")
        };
        areas.iter().filter(is_inside).take(MERGED_SHOWN_MAX).map(of).collect()
    }
}

/// A row of a sheet's table.
pub(in crate::manifest) struct SheetRow<'s> {
    sheet: &'s Sheet,
    file: &'s str,
    number: u32,
    cells: &'s [Cell],
}

impl<'s> SheetRow<'s> {
    fn at(&self, index: usize) -> Option<&'s Cell> {
        // They stand in order.
        let at = self.cells.binary_search_by_key(&index, |cell| usize::from(cell.column)).ok()?;
        self.cells.get(at)
    }

    /// The first cell that stands beside the table: its column has no name.
    pub(in crate::manifest) fn beside(&self) -> Option<usize> {
        let last = usize::from(self.cells.last()?.column);
        let first = self.cells.iter().find(|cell| usize::from(cell.column) >= self.sheet.header.len());
        first.filter(|_| last >= self.sheet.header.len()).map(|cell| usize::from(cell.column))
    }

    /// The row's number, counted from 1.
    pub(in crate::manifest) fn line(&self) -> u64 {
        self.number.into()
    }

    /// The trimmed content of a cell; empty where the row has none.
    pub(in crate::manifest) fn cell(&self, index: usize) -> &str {
        let text = self.at(index).and_then(|cell| self.sheet.text.get(cell.start as usize..cell.end as usize));
        restore(text.unwrap_or_default())
    }

    /// Where a cell stands, for a message.
    pub(in crate::manifest) fn place(&self, index: usize) -> Place {
        self.sheet.place(self.number.into(), index)
    }

    /// Whether a cell holds a number or a truth value as such.
    pub(in crate::manifest) fn is_typed(&self, index: usize) -> bool {
        self.at(index).is_some_and(|cell| cell.kind == Kind::Typed)
    }

    /// Why a cell's content is no value, where it is none.
    pub(in crate::manifest) fn unfit(&self, index: usize) -> Option<Unfit> {
        self.at(index).and_then(|cell| cell.kind.unfit())
    }

    /// Notes what is wrong with a cell.
    pub(in crate::manifest) fn problem(&self, problems: &mut Problems, index: usize, wrong: Wrong) {
        problems.add(self.line(), wrong, |wrong| wrong.into_diagnostic(self.file, Some(self.place(index))));
    }
}
