//! Workbooks as manifests: which sheet is read, and its table.

mod archive;
mod content;
mod ods;
mod sheet;
mod unfit;
mod xlsx;
mod xml;

use std::fmt;

pub(in crate::manifest) use sheet::{Sheet, SheetRow};
pub(in crate::manifest) use unfit::Unfit;

use super::bytes::Bytes;
use super::table_options::{SheetChoice, TableOptions};
use crate::diagnostic::{Diagnostic, Place, closest, column_name};

const SAVE_ANEW: &str = "open it in a spreadsheet program and save it as .xlsx";
/// How a file begins that is not packed as a zip: Excel's old format, and what only a password opens.
const OLD: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// How a workbook is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `.xlsx`, `.xlsm`
    Xlsx,
    /// `.ods`
    Ods,
}

/// A sheet of a workbook.
#[derive(Debug)]
struct Listed {
    name: String,
    is_visible: bool,
    has_content: bool,
}

/// What a sheet shows beside its cells.
#[derive(Debug, Default)]
struct Marks {
    /// Rows from 1, in order.
    hidden_rows: Vec<(u32, u32)>,
    /// Columns from 0.
    hidden_columns: Vec<(u32, u32)>,
    merged: Vec<Area>,
}

impl Marks {
    fn hide_rows(&mut self, first: u32, last: u32) {
        match self.hidden_rows.last_mut() {
            Some((_, end)) if *end + 1 == first => *end = last,
            Some(_) | None => self.hidden_rows.push((first, last)),
        }
    }
}

/// A rectangle of cells: rows from 1, columns from 0.
#[derive(Clone, Copy, Debug)]
struct Area {
    first: (u32, u32),
    last: (u32, u32),
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |(row, column): (u32, u32)| format!("{}{row}", column_name(column + 1));
        write!(f, "{}:{}", name(self.first), name(self.last))
    }
}

/// Why a workbook, or something in it, is not read.
#[derive(Debug)]
struct Refusal {
    message: String,
    help: Option<String>,
    /// Row from 1, column from 0.
    cell: Option<(u32, u32)>,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, cell: None }
    }

    fn at(self, row: u32, column: u32) -> Self {
        Self { cell: Some((row, column)), ..self }
    }

    fn help(self, words: impl Into<String>) -> Self {
        Self { help: Some(words.into()), ..self }
    }

    fn told(self, file: &str, sheet: Option<&str>) -> Diagnostic {
        let mut error = Diagnostic::error(file, self.message);
        error.help = self.help;
        error.place = sheet.zip(self.cell).map(|(sheet, (row, column))| Place::of_cell(sheet, row.into(), column + 1));
        error
    }
}

fn encrypted() -> Refusal {
    Refusal::new("only a password opens this workbook")
        .help("open it in a spreadsheet program, and save a copy without the password")
}

/// A workbook, and what reads it.
enum Book<'b> {
    Xlsx(Box<xlsx::Workbook<'b>>),
    Ods(ods::Workbook<'b>),
}

impl<'b> Book<'b> {
    fn open(bytes: &'b Bytes, kind: Kind) -> Result<Self, Refusal> {
        let head = bytes.slice(0, 8).map_err(|error| archive::broken(&error))?;
        if head.starts_with(OLD) {
            return Err(match xlsx::Workbook::is_encrypted(bytes) {
                true => encrypted(),
                false => Refusal::new("it is an old Excel workbook, whatever its name says").help(SAVE_ANEW),
            });
        }
        if !head.starts_with(b"PK") {
            let help = "is it text? then name it .csv; else open it in a spreadsheet program and save it as .xlsx";
            return Err(Refusal::new("it is no workbook, whatever its name says").help(help));
        }
        Ok(match kind {
            Kind::Xlsx => Self::Xlsx(Box::new(xlsx::Workbook::open(bytes)?)),
            Kind::Ods => Self::Ods(ods::Workbook::open(bytes)?),
        })
    }

    fn sheets(&mut self) -> Result<Vec<Listed>, Refusal> {
        match self {
            Self::Xlsx(book) => book.sheets(),
            Self::Ods(book) => book.sheets(),
        }
    }

    fn read(&mut self, name: &str, filling: &mut sheet::Filling) -> Result<Marks, Refusal> {
        match self {
            Self::Xlsx(book) => book.read(name, filling),
            Self::Ods(book) => book.read(name, filling),
        }
    }
}

/// Reads the table of a workbook's sheet. What is wrong with how it stands is kept with it.
///
/// # Errors
/// Where there is no table to read.
pub(super) fn open(bytes: &Bytes, kind: Kind, file: &str, options: &TableOptions) -> Result<Sheet, Box<Diagnostic>> {
    let told = |refusal: Refusal| Box::new(refusal.told(file, None));
    let mut book = Book::open(bytes, kind).map_err(told)?;
    let listed = book.sheets().map_err(told)?;
    let name = chosen(&listed, options.sheet.as_ref()).map_err(told)?;
    let read = |book: &mut Book<'_>| {
        let mut filling = Sheet::filling(name, options.header_row, options.hidden_rows);
        let marks = book.read(name, &mut filling)?;
        filling.finish(&marks)
    };
    let told = |refusal: Refusal| refusal.told(file, Some(name));
    let (mut sheet, wrong) = read(&mut book).map_err(told).map_err(Box::new)?;
    sheet.wrong = wrong.into_iter().map(told).collect();
    Ok(sheet)
}

/// The sheet that is meant: by name or number, else the only one that shows something.
fn chosen<'l>(listed: &'l [Listed], given: Option<&SheetChoice>) -> Result<&'l str, Refusal> {
    let names = || listed.iter().map(|sheet| sheet.name.as_str());
    let all = || names().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let Some(given) = given else {
        let shown: Vec<&Listed> = listed.iter().filter(|sheet| sheet.is_visible && sheet.has_content).collect();
        return match shown.as_slice() {
            [one] => Ok(&one.name),
            [] => Err(Refusal::new("none of its sheets shows anything").help(format!("its sheets are {}", all()))),
            many => {
                let names: Vec<String> = many.iter().map(|sheet| format!("\"{}\"", sheet.name)).collect();
                let words = format!("{} of its sheets hold something: {}", many.len(), names.join(", "));
                let example = many.first().map_or("", |sheet| &sheet.name);
                Err(Refusal::new(words)
                    .help(format!("say which one is meant: {}", crate::command::flag("--sheet", example))))
            }
        };
    };
    // A person counts the sheets that are shown.
    let mut visible = listed.iter().filter(|sheet| sheet.is_visible).map(|sheet| sheet.name.as_str());
    let mut numbered = |number: usize| visible.nth(number.checked_sub(1)?);
    let given = match given {
        SheetChoice::Named(name) => name,
        SheetChoice::Number(number) => {
            return usize::try_from(*number).ok().and_then(&mut numbered).ok_or_else(|| {
                Refusal::new(format!("there is no visible sheet number {number}"))
                    .help(format!("its sheets are {}", all()))
            });
        }
    };
    let exactly = names().find(|name| *name == given);
    let folded = || {
        let mut alike = names().filter(|name| super::fold(name) == super::fold(given));
        alike.next().filter(|_| alike.next().is_none())
    };
    let by_number = || given.parse().ok().and_then(numbered);
    exactly.or_else(folded).or_else(by_number).ok_or_else(|| {
        let meant = closest(given, names()).map(|name| format!("did you mean \"{name}\"? "));
        Refusal::new(format!("there is no sheet \"{given}\"")).help(format!(
            "{}its sheets are {}",
            meant.unwrap_or_default(),
            all()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_counts_the_sheets_that_a_person_sees_and_is_no_name() {
        let listed = [("Lists", false), ("2", true), ("Shots", true)].map(|(name, is_visible)| Listed {
            name: name.to_owned(),
            is_visible,
            has_content: true,
        });
        let chosen = |choice: SheetChoice| chosen(&listed, Some(&choice)).map_err(|refusal| refusal.message);
        assert_eq!(chosen(SheetChoice::Number(1)).unwrap(), "2");
        assert_eq!(chosen(SheetChoice::Number(2)).unwrap(), "Shots");
        assert_eq!(chosen(SheetChoice::Number(3)), Err("there is no visible sheet number 3".to_owned()));
        assert_eq!(chosen("1".into()).unwrap(), "2");
        assert_eq!(chosen("2".into()).unwrap(), "2", "a flag's text is a name before it is a number");
        assert_eq!(chosen("lists".into()).unwrap(), "Lists");
        assert_eq!(chosen("3".into()), Err("there is no sheet \"3\"".to_owned()));
    }
}
