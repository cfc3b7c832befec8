//! A CSV that is no manifest, read with the checks that a manifest's rows have: quotes, cells, encoding, delimiter, `sep=`.

use std::io;
use std::path::{Path, PathBuf};

use super::bytes::Bytes;
use super::header::ColumnRules;
use super::image::Images;
use super::notes::Notes;
use super::open::{Format, STDIN};
use super::problems::Problems;
use super::records::TableRecords;
use super::row::Row;
use super::rows::{Rows, RowsOptions, TableFormat};
use super::table_options::TableOptions;
use super::tolerance::Declared;
use crate::catalog::Catalog;
use crate::diagnostic::{Diagnostic, Place, closest, unread};

/// Its rows are held in memory: a larger file holds something else.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Columns by name, as headers are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainColumns<'a> {
    pub(crate) needed: &'a [&'a str],
    pub(crate) optional: &'a [&'a str],
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainRow {
    /// Its first line.
    pub(crate) place: Place,
    /// What stands under each column, needed ones first, trimmed; none where the file has no such column.
    pub(crate) cells: Vec<Option<String>>,
}

/// Reads every whole row of a file, or of standard input; beside them stands what is wrong with the others. Further columns are not read, but
/// none may be called nearly as an optional one that is missing: what a person wrote there would be lost without a word.
///
/// # Errors
/// Where the rows cannot be read at all.
pub(crate) fn plain_rows(
    path: &Path,
    columns: PlainColumns<'_>,
) -> Result<(Vec<PlainRow>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let rows = open(path).map_err(|error| vec![*error])?;
    let at = positions(&rows, columns)?;
    let (mut records, mut problems, mut notes) = (TableRecords::new(&rows), Problems::default(), Notes::default());
    let mut found = Vec::new();
    while let Some(row) = records.next(&mut problems, &mut notes, |row, _, _| plain(row, &at)) {
        found.push(row);
    }
    Ok((found, problems.finish(&rows.file)))
}

fn open(path: &Path) -> Result<Rows, Box<Diagnostic>> {
    let file = path.display().to_string();
    let error = |message: &str, help: &str| Box::new(Diagnostic::error(&file, message).help(help));
    let format = match Format::of(path) {
        Some(Format::Tsv) => TableFormat::Tsv,
        Some(Format::Xlsx | Format::Ods) => {
            return Err(error("this is a workbook, and a CSV is read", "save its sheet as \"CSV UTF-8\""));
        }
        Some(Format::Csv | Format::Toml) | None => TableFormat::Csv,
    };
    let is_stdin = path == Path::new(STDIN);
    let bytes = if is_stdin { Bytes::spool(&mut io::stdin().lock()) } else { Bytes::open(path) };
    let bytes = bytes.map_err(|failed| Box::new(unread(&file, &failed)))?;
    if bytes.len > FILE_BYTES_MAX {
        let mib = FILE_BYTES_MAX / (1024 * 1024);
        return Err(error(&format!("larger than {mib} MiB"), "is it the right file?"));
    }
    let options = RowsOptions {
        file,
        format,
        table: TableOptions::default(),
        rules: ColumnRules { passes_others: true, ..ColumnRules::default() },
        declared: Declared::default(),
        matrix: None,
        images: Images::new(PathBuf::new()),
        init: None,
    };
    // What a manifest's columns may be called means nothing here.
    Rows::open(bytes, options, &Catalog::default(), &mut Vec::new())
}

/// Where each column stands.
fn positions(rows: &Rows, columns: PlainColumns<'_>) -> Result<Vec<Option<usize>>, Vec<Diagnostic>> {
    let all = || columns.needed.iter().chain(columns.optional);
    let mut wrong = Vec::new();
    let mut error = |message: String, help: String| {
        wrong.push(Diagnostic::error(&rows.file, message).at(rows.place_of_header()).help(help));
    };
    let known = || all().copied().collect::<Vec<_>>().join(", ");
    let mut positions = Vec::new();
    for (index, name) in all().enumerate() {
        let mut found = rows.names.iter().enumerate().filter(|(_, known)| known == name).map(|(at, _)| at);
        let first = found.next();
        if first.is_none() && index < columns.needed.len() {
            error(format!("there is no column {name}"), format!("the columns are {}", known()));
        }
        if found.next().is_some() {
            error(format!("the column {name} stands twice"), "keep one of the two".to_owned());
        }
        let is_other = |header: &&String| !header.is_empty() && !all().any(|known| header == known);
        let meant = rows.names.iter().filter(is_other).find(|header| closest(header, [*name]).is_some());
        if let Some(header) = meant.filter(|_| first.is_none() && index >= columns.needed.len()) {
            error(format!("unknown column {header}"), format!("call it {name}, if that is meant, or take it out"));
        }
        positions.push(first);
    }
    if wrong.is_empty() { Ok(positions) } else { Err(wrong) }
}

fn plain(row: &Row<'_>, at: &[Option<usize>]) -> PlainRow {
    let place = row.place(0);
    let width = u32::try_from(place.text.chars().count()).unwrap_or(u32::MAX).max(1);
    let cells = at.iter().map(|at| at.map(|at| row.cell(at).to_owned())).collect();
    PlainRow { place: Place { column: 1, width, ..place }, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of a file's whole rows, and what is wrong with it, with lines.
    fn read(text: &str) -> (Vec<String>, Vec<(u64, String)>) {
        let file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
        std::fs::write(file.path(), text).unwrap();
        let columns = PlainColumns { needed: &["id", "mark"], optional: &["note"] };
        let (rows, wrong) = plain_rows(file.path(), columns).unwrap_or_else(|wrong| (Vec::new(), wrong));
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "-".to_owned());
        let rows = rows.iter().map(|row| row.cells.iter().map(cell).collect::<Vec<_>>().join("|")).collect();
        let wrong = wrong.into_iter().map(|found| (found.place.map_or(0, |place| place.line), found.message));
        (rows, wrong.collect())
    }

    fn wrong(text: &str, line: u64, message: &str) {
        let found = read(text).1;
        assert!(found.iter().any(|(at, words)| *at == line && words.contains(message)), "{text:?}: {found:?}");
    }

    #[test]
    fn rows_are_read_however_a_spreadsheet_saved_them() {
        for text in [
            "id,mark,note\na,pick,\"x, y\"\n",
            "\u{feff}sep=;\r\nMark;ID;note\r\npick;a;x, y\r\n;;\r\n",
            "id\tmark\tstate\tNOTE\na\tpick\tdone\tx, y\n",
        ] {
            assert_eq!(read(text), (vec!["a|pick|x, y".to_owned()], vec![]), "{text:?}");
        }
        assert_eq!(read("id,mark\na,'=x\n").0, ["a|=x|-"]);
    }

    #[test]
    fn a_column_that_is_called_nearly_as_one_that_is_missing_is_not_passed_over() {
        wrong("id,mark,Notes\na,pick,x\n", 1, "unknown column notes");
        assert_eq!(read("id,mark,note,notes,remarks\na,pick,x,y,z\n").0, ["a|pick|x"]);
    }

    #[test]
    fn what_would_be_guessed_is_refused() {
        wrong("id,mark,note\na,pick,\"odd\nb,pick,\nc,pick,\n", 2, "the quote that opens here is never closed");
        wrong("id,mark,Mark\na,pick,reject\n", 1, "the column mark stands twice");
        wrong("id,id,mark\na,b,pick\n", 1, "the column id stands twice");
        let (rows, found) = read("id,mark\na,pick,more\nb,pick\nc\nd,pick,more\n");
        assert_eq!(rows, ["b|pick|-"]);
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4], "the header is right: {found:?}");
        let (_, found) = read("sep=;\nid;note\n");
        assert_eq!(found, [(2, "there is no column mark".to_owned())]);
    }
}
