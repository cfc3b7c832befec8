//! Sheets of `.ods`. calamine reads them whole, and neither tells cells that hold an error from numbers nor rows that are hidden; so they are
//! read here, as they stream by.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{BufRead, Read as _};

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::archive::{Archive, broken};
use super::content::{Content, iso_duration};
use super::sheet::Filling;
use super::xml::{attribute, character, number, reader, skip};
use super::{Area, Listed, Marks, Refusal};
use crate::manifest::bytes::Bytes;

const CONTENT: &str = "content.xml";
const MIME_TYPE: &[u8] = b"application/vnd.oasis.opendocument.spreadsheet";
/// As many rows as sheets have.
const ROWS_MAX: u32 = 1_048_576;

/// A workbook as LibreOffice writes it.
pub(super) struct Workbook<'b> {
    archive: Archive<'b>,
}

impl<'b> Workbook<'b> {
    pub(super) fn open(bytes: &'b Bytes) -> Result<Self, Refusal> {
        let mut archive = Archive::open(bytes)?;
        let mut kind = Vec::new();
        if let Some(part) = archive.part("mimetype")? {
            part.take(256).read_to_end(&mut kind).map_err(|error| broken(&error))?;
        }
        if kind.trim_ascii() != MIME_TYPE {
            return Err(Refusal::new("it is no spreadsheet as OpenDocument has them").help(super::SAVE_ANEW));
        }
        let mut is_encrypted = false;
        if let Some(part) = archive.part("META-INF/manifest.xml")? {
            let (mut reader, mut buffer) = (reader(part), Vec::new());
            loop {
                buffer.clear();
                match reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
                    Event::Start(element) => is_encrypted |= element.local_name().as_ref() == "encryption-data",
                    Event::Eof => break,
                    _ => {}
                }
            }
        }
        if is_encrypted { Err(super::encrypted()) } else { Ok(Self { archive }) }
    }

    pub(super) fn sheets(&mut self) -> Result<Vec<Listed>, Refusal> {
        let mut seen = Listing::default();
        self.pass(&mut seen)?;
        Ok(seen.listed)
    }

    /// Adds all cells of a sheet, and says what else it shows.
    pub(super) fn read(&mut self, name: &str, filling: &mut Filling) -> Result<Marks, Refusal> {
        let mut seen = Table { name, filling, is_it: false, marks: Marks::default() };
        self.pass(&mut seen)?;
        Ok(seen.marks)
    }

    fn pass(&mut self, see: &mut impl See) -> Result<(), Refusal> {
        let Some(part) = self.archive.part(CONTENT)? else {
            return Err(Refusal::new(format!("its part {CONTENT} is missing")).help(super::SAVE_ANEW));
        };
        let mut pass =
            Pass { reader: reader(part), row: 0, column: 0, columns: 0, style: None, hidden_styles: HashSet::new() };
        pass.run(see)
    }
}

/// Who looks at tables while they stream by.
trait See {
    /// A table begins.
    fn table(&mut self, name: String, is_visible: bool);
    /// Whether its cells are looked at.
    fn wants_cells(&self) -> bool;
    /// A cell that holds something: its row from 1, its column from 0.
    fn cell(&mut self, row: u32, column: u32, content: &Content<'_>) -> Result<(), Refusal>;
    /// What the table shows besides.
    fn marks(&mut self) -> Option<&mut Marks>;
}

#[derive(Default)]
struct Listing {
    listed: Vec<Listed>,
}

impl See for Listing {
    fn table(&mut self, name: String, is_visible: bool) {
        self.listed.push(Listed { name, is_visible, has_content: false });
    }

    fn wants_cells(&self) -> bool {
        self.listed.last().is_some_and(|sheet| !sheet.has_content)
    }

    fn cell(&mut self, _row: u32, _column: u32, content: &Content<'_>) -> Result<(), Refusal> {
        if let Some(sheet) = self.listed.last_mut() {
            sheet.has_content |= content.told(|text, _| !text.is_empty());
        }
        Ok(())
    }

    fn marks(&mut self) -> Option<&mut Marks> {
        None
    }
}

struct Table<'t> {
    name: &'t str,
    filling: &'t mut Filling,
    is_it: bool,
    marks: Marks,
}

impl See for Table<'_> {
    fn table(&mut self, name: String, _is_visible: bool) {
        self.is_it = name == self.name;
    }

    fn wants_cells(&self) -> bool {
        self.is_it
    }

    fn cell(&mut self, row: u32, column: u32, content: &Content<'_>) -> Result<(), Refusal> {
        self.filling.add(row, column, content)
    }

    fn marks(&mut self) -> Option<&mut Marks> {
        self.is_it.then_some(&mut self.marks)
    }
}

/// One reading of the part that holds all tables.
struct Pass<R> {
    reader: Reader<R>,
    /// The row that is being read, from 1; the cell's column and the column description's, from 0.
    row: u32,
    column: u32,
    columns: u32,
    /// The style that is being described, and those whose tables are hidden.
    style: Option<String>,
    hidden_styles: HashSet<String>,
}

impl<R: BufRead> Pass<R> {
    fn run(&mut self, see: &mut impl See) -> Result<(), Refusal> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            match self.reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
                Event::Start(element) => self.element(&element, see)?,
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn element(&mut self, element: &BytesStart<'_>, see: &mut impl See) -> Result<(), Refusal> {
        match element.local_name().as_ref() {
            "style" => self.style = attribute(element, "name").map(Cow::into_owned),
            "table-properties" if attribute(element, "display").as_deref() == Some("false") => {
                self.hidden_styles.extend(self.style.take());
            }
            // Cells that a change has removed are no cells.
            "tracked-changes" => skip(&mut self.reader, element).map_err(|error| broken(&error))?,
            "table" => {
                let style = attribute(element, "style-name").unwrap_or_default();
                let name = attribute(element, "name").unwrap_or_default().into_owned();
                (self.row, self.columns) = (0, 0);
                see.table(name, !self.hidden_styles.contains(&*style));
            }
            "table-column" => {
                let (first, count) = (self.columns, repeated(element, "number-columns-repeated"));
                self.columns = first.saturating_add(count);
                if let Some(marks) = see.marks().filter(|_| is_hidden(element)) {
                    marks.hidden_columns.push((first, self.columns - 1));
                }
            }
            "table-row" => self.row(element, see)?,
            _ => {}
        }
        Ok(())
    }

    /// A row, as often as it says.
    fn row(&mut self, element: &BytesStart<'_>, see: &mut impl See) -> Result<(), Refusal> {
        let (first, count) = (self.row + 1, repeated(element, "number-rows-repeated"));
        let last = self.row.saturating_add(count).min(ROWS_MAX);
        self.row = last;
        if let Some(marks) = see.marks().filter(|_| is_hidden(element)) {
            marks.hide_rows(first, last);
        }
        let (mut cells, mut buffer) = (Vec::new(), Vec::new());
        self.column = 0;
        loop {
            buffer.clear();
            match self.reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
                Event::Start(element) => match element.local_name().as_ref() {
                    "table-cell" | "covered-table-cell" if see.wants_cells() => {
                        self.cell(&element, first, see, &mut cells)?
                    }
                    _ => skip(&mut self.reader, &element).map_err(|error| broken(&error))?,
                },
                Event::End(end) if end.local_name().as_ref() == "table-row" => break,
                Event::Eof => return Err(broken(&"it ends inside a row")),
                _ => {}
            }
        }
        if cells.is_empty() {
            return Ok(());
        }
        for row in first..=last {
            for (column, cell) in &cells {
                see.cell(row, *column, cell)?;
            }
        }
        Ok(())
    }

    /// A cell, as often as it says, where it holds something.
    fn cell(
        &mut self,
        element: &BytesStart<'_>,
        row: u32,
        see: &mut impl See,
        cells: &mut Vec<(u32, Content<'static>)>,
    ) -> Result<(), Refusal> {
        let (first, count) = (self.column, repeated(element, "number-columns-repeated"));
        self.column = first.saturating_add(count);
        let spans = ["number-rows-spanned", "number-columns-spanned"].map(|name| repeated(element, name));
        if let Some(marks) = see.marks().filter(|_| spans != [1, 1]) {
            let [rows, columns] = spans.map(|span| span - 1);
            marks
                .merged
                .push(Area { first: (row, first), last: (row.saturating_add(rows), first.saturating_add(columns)) });
        }
        let text = self.text(element)?;
        let Some(cell) = content(element, text) else { return Ok(()) };
        for column in first..self.column.min(first.saturating_add(super::sheet::COLUMNS_MAX + 1)) {
            cells.push((column, cell.clone()));
        }
        Ok(())
    }

    /// The text of a cell: its paragraphs, each on a line. Notes and drawings are none of it.
    fn text(&mut self, cell: &BytesStart<'_>) -> Result<String, Refusal> {
        let end = cell.name().as_ref().to_owned();
        let (mut text, mut paragraphs, mut buffer) = (String::new(), 0_u32, Vec::new());
        loop {
            buffer.clear();
            match self.reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
                Event::Start(element) if matches!(element.local_name().as_ref(), "p" | "h") => {
                    paragraphs += 1;
                    if paragraphs > 1 {
                        text.push('\n');
                    }
                    let name = element.name().as_ref().to_owned();
                    self.paragraph(&name, &mut text)?;
                }
                // The paragraphs of a list are the cell's.
                Event::Start(element)
                    if matches!(element.local_name().as_ref(), "list" | "list-header" | "list-item") => {}
                Event::Start(element) => skip(&mut self.reader, &element).map_err(|error| broken(&error))?,
                Event::End(found) if found.name().as_ref() == end => return Ok(text),
                Event::Eof => return Err(broken(&"it ends inside a cell")),
                _ => {}
            }
        }
    }

    /// A paragraph: blanks in its XML count as one, and those that are meant have elements of their own.
    fn paragraph(&mut self, name: &str, text: &mut String) -> Result<(), Refusal> {
        let (mut buffer, mut is_blank) = (Vec::new(), true);
        loop {
            buffer.clear();
            match self.reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
                Event::Text(words) => {
                    for c in words.xml10_content().chars() {
                        let is_space = matches!(c, ' ' | '\t' | '\r' | '\n');
                        if !(is_space && is_blank) {
                            text.push(if is_space { ' ' } else { c });
                        }
                        is_blank = is_space;
                    }
                }
                Event::CData(words) => text.push_str(&words.xml10_content()),
                Event::GeneralRef(reference) => {
                    text.push(character(&reference).ok_or_else(|| broken(&"an unknown character"))?);
                    is_blank = false;
                }
                Event::Start(element) => match element.local_name().as_ref() {
                    "s" => text.extend(std::iter::repeat_n(' ', repeated(&element, "c").min(1_024) as usize)),
                    "tab" => text.push('\t'),
                    "line-break" => text.push('\n'),
                    "annotation" => skip(&mut self.reader, &element).map_err(|error| broken(&error))?,
                    _ => {}
                },
                Event::End(end) if end.name().as_ref() == name => return Ok(()),
                Event::Eof => return Err(broken(&"it ends inside a text")),
                _ => {}
            }
        }
    }
}

/// How often something stands there.
fn repeated(element: &BytesStart<'_>, name: &str) -> u32 {
    number(element, name).unwrap_or(1).max(1)
}

/// Whether a row or a column is hidden, by a person or by a filter.
fn is_hidden(element: &BytesStart<'_>) -> bool {
    attribute(element, "visibility").is_some_and(|value| value != "visible")
}

/// What a cell holds; nothing where it is empty.
fn content(cell: &BytesStart<'_>, text: String) -> Option<Content<'static>> {
    let has_formula = attribute(cell, "formula").is_some();
    let (mut kind, mut is_error) = (None, false);
    // The value's type stands there twice, once in words of LibreOffice's own.
    for attribute in cell.attributes().with_checks(false).flatten() {
        if attribute.key.local_name().as_ref() == "value-type" {
            is_error |= &*attribute.value == "error";
            kind = kind.or_else(|| Some(attribute.value.into_owned()));
        }
    }
    if is_error || (has_formula && text.starts_with('#')) {
        return Some(Content::Error(text));
    }
    let value = |name| attribute(cell, name).map(Cow::into_owned);
    // What a cell has a type for it holds, however little of it is stored: it is not empty.
    match kind.as_deref() {
        Some("float" | "percentage" | "currency") => Some(match value("value").map(|value| value.parse()) {
            Some(Ok(number)) => Content::Number(number),
            Some(Err(_)) => Content::Text(text.into()),
            None => Content::Uncomputed,
        }),
        Some("boolean") => {
            Some(value("boolean-value").map_or(Content::Uncomputed, |truth| Content::Truth(truth == "true")))
        }
        Some("date") => Some(Content::Date(value("date-value").unwrap_or(text))),
        Some("time") => Some(Content::Date(iso_duration(&value("time-value").unwrap_or(text)))),
        Some(_) => Some(Content::Text(value("string-value").unwrap_or(text).into())),
        None if has_formula && text.is_empty() => Some(Content::Uncomputed),
        None => (!text.is_empty()).then_some(Content::Text(text.into())),
    }
}
