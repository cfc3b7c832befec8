//! The rows of a table after its header: of a CSV file its records, each held against what any row has to be: text, with its quotes closed and a cell for
//! each column.

use csv::ByteRecord;

use super::bounded_reader::BoundedReader;
use super::csv_row::{CsvRow, utf8};
use super::header::{Dialect, HEAD_BYTES_MAX};
use super::locate::first_line;
use super::notes::{Notes, delimiter_name};
use super::problems::Problems;
use super::quotes::Raw;
use super::row::{Row, without_name};
use super::rows::{Rows, Source, reader, unreadable};
use super::values::Wrong;
use super::workbook::SheetRow;
use crate::diagnostic::Diagnostic;
use crate::money::counted;

/// The rows of a table, as they are read.
pub(super) enum TableRecords<'m> {
    /// The record is there for its memory, which serves all rows.
    Csv(Box<Records<'m>>, ByteRecord),
    Sheet(Box<dyn Iterator<Item = SheetRow<'m>> + 'm>),
}

impl<'m> TableRecords<'m> {
    /// Begins after the header.
    pub(super) fn new(rows: &'m Rows) -> Self {
        match &rows.source {
            Source::Csv(dialect) => Self::Csv(Box::new(Records::new(rows, *dialect)), ByteRecord::new()),
            Source::Sheet(sheet) => Self::Sheet(Box::new(sheet.rows(&rows.file))),
        }
    }

    /// Shows the next whole row, whoever reads the table; one that is not whole is noted and passed over. None at the end.
    pub(super) fn next<T>(
        &mut self,
        problems: &mut Problems,
        notes: &mut Notes,
        see: impl FnOnce(&Row<'_>, &mut Problems, &mut Notes) -> T,
    ) -> Option<T> {
        match self {
            Self::Csv(records, record) => loop {
                let before = records.read(record, problems, notes)?;
                if let Some(row) = records.row(record, &before, problems, notes) {
                    return Some(see(&Row::Csv(row), problems, notes));
                }
            },
            Self::Sheet(rows) => loop {
                let row = rows.next()?;
                match row.beside() {
                    Some(at) => row.problem(problems, at, without_name()),
                    None => return Some(see(&Row::Sheet(row), problems, notes)),
                }
            },
        }
    }
}

/// One reading of a file's records.
pub(super) struct Records<'m> {
    rows: &'m Rows,
    dialect: Dialect,
    reader: csv::Reader<BoundedReader<'m>>,
    is_done: bool,
}

impl<'m> Records<'m> {
    /// Begins after the header.
    fn new(rows: &'m Rows, dialect: Dialect) -> Self {
        let mut reader = reader(&rows.bytes, dialect);
        // The header was read once already; a failure now shows at the first row.
        let is_done = reader.read_byte_record(&mut ByteRecord::new()).is_err();
        Self { rows, dialect, reader, is_done }
    }

    /// Reads the next record, and says where it was looked for. None at the end, or where it cannot be read, which is noted.
    fn read(&mut self, record: &mut ByteRecord, problems: &mut Problems, notes: &mut Notes) -> Option<csv::Position> {
        if self.is_done {
            return None;
        }
        let before = self.reader.position().clone();
        self.reader.get_mut().begin_record();
        match self.reader.read_byte_record(record) {
            Ok(true) => return Some(before),
            Ok(false) => {
                notes.empty_records += self.reader.position().line().saturating_sub(before.line());
                if self.rows.bytes.has_changed() {
                    problems.push(self.rows.changed());
                }
            }
            Err(error) => problems.push(self.broken_off(&error, &before)),
        }
        self.is_done = true;
        None
    }

    /// The record that was just read, as a row. None where it is empty, or no whole row, which is noted.
    fn row<'r>(
        &mut self,
        record: &'r ByteRecord,
        before: &csv::Position,
        problems: &mut Problems,
        notes: &mut Notes,
    ) -> Option<CsvRow<'r>>
    where
        'm: 'r,
    {
        let after = self.reader.position().clone();
        let stray = self.reader.get_mut().quotes.take_before(after.byte());
        let base = self.dialect.header_byte as u64;
        let range = (base + before.byte(), base + after.byte());
        let is_last = range.1 >= self.rows.bytes.len;
        let first_tape_line = first_line(before.line(), after.line(), record.as_slice());
        let line = self.physical(first_tape_line);
        let Some(text) = utf8(record) else {
            let row = CsvRow { rows: self.rows, dialect: self.dialect, record, text: "", line, range };
            row.wrong_encoding(problems);
            return None;
        };
        notes.empty_records += first_tape_line - before.line();
        let row = CsvRow { rows: self.rows, dialect: self.dialect, record, text, line, range };
        if let Some(stray) = stray {
            row.stray(problems, stray);
            return None;
        }
        if let Some(open) = self.reader.get_ref().quotes.left_open().filter(|_| is_last) {
            row.left_open(problems, open);
            return None;
        }
        if text.trim_start().is_empty() {
            notes.empty_records += 1;
            return None;
        }
        has_its_cells(&row, problems).then_some(row)
    }

    /// The error of a record that cannot be read, at the quote that it leaves open, if it does.
    fn broken_off(&self, error: &csv::Error, before: &csv::Position) -> Diagnostic {
        let line = self.physical(before.line());
        let error = unreadable(&self.rows.file, error);
        let Some(open) = self.reader.get_ref().quotes.left_open() else {
            return error.at(self.rows.place_of_line(line));
        };
        let base = self.dialect.header_byte as u64;
        let bytes = self.rows.bytes.slice(base + before.byte(), base + open + HEAD_BYTES_MAX).unwrap_or_default();
        error.at(Raw { file: &self.rows.file, bytes: &bytes, start: before.byte(), line }.place(open))
    }

    /// The line of the file for a line of the tape, which begins at the header.
    fn physical(&self, tape_line: u64) -> u64 {
        self.dialect.header_line + tape_line.saturating_sub(1)
    }
}

/// Whether the record has a cell for each column. One too few may be a row that was cut off, one too many a comma in a prompt:
/// either way a guess could buy the wrong thing.
fn has_its_cells(row: &CsvRow<'_>, problems: &mut Problems) -> bool {
    let (cells, columns) = (row.record.len(), row.rows.columns.len());
    let extra = (columns..cells).find(|index| !row.cell(*index).is_empty());
    if cells >= columns && extra.is_none() {
        return true;
    }
    let delimiter = delimiter_name(row.dialect.delimiter);
    let (has, names) = (counted(cells as u64, "cell"), counted(columns as u64, "column"));
    let is_cut = cells < columns && row.range.1 > row.rows.bytes.len;
    let (message, help) = if is_cut {
        let help = "there is no line end after it: is all of it there? a whole row has a cell for each column";
        (format!("the input ends inside this row: it has {has}, the header names {names}"), help.to_owned())
    } else {
        let help = format!("put quotes around text that holds a {delimiter} or a line end; keep every {delimiter}");
        (format!("the row has {has}, the header names {names}"), help)
    };
    let at = extra.unwrap_or(cells.saturating_sub(1));
    row.problem(problems, at, Wrong::new(message).help(help));
    false
}
