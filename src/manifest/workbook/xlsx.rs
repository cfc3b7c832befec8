//! Sheets of `.xlsx` and `.xlsm`. Values are read by calamine; what it does not tell (hidden rows, values that were never computed) is read
//! from the same parts.

use std::borrow::Cow;

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx, XlsxError};
use quick_xml::events::Event;

use super::archive::{Archive, Source, broken, source};
use super::content::{Content, excel_date, iso_duration};
use super::sheet::{COLUMNS_MAX, Filling};
use super::xml::{attribute, is_set, number, reader};
use super::{Area, Listed, Marks, Refusal};
use crate::manifest::bytes::Bytes;

/// A workbook as Excel writes it.
pub(super) struct Workbook<'b> {
    xlsx: Xlsx<Source<'b>>,
    archive: Archive<'b>,
}

/// What the workbook's main part says.
#[derive(Default)]
struct Head {
    /// Whoever wrote it left it to the reader to compute all formulas.
    is_uncomputed: bool,
    /// The sheet's part.
    part: Option<String>,
}

impl<'b> Workbook<'b> {
    pub(super) fn open(bytes: &'b Bytes) -> Result<Self, Refusal> {
        let mut archive = Archive::open(bytes)?;
        // What reads them stops before their end, where their checksum is: damage would be read as text, or as another kind of value.
        archive.check(&["sharedstrings.xml", "styles.xml"])?;
        let xlsx = Xlsx::new(source(bytes)).map_err(|error| broken(&error))?;
        Ok(Self { xlsx, archive })
    }

    /// Whether it is one that only a password opens.
    pub(super) fn is_encrypted(bytes: &'b Bytes) -> bool {
        matches!(Xlsx::new(source(bytes)), Err(XlsxError::Password))
    }

    pub(super) fn sheets(&mut self) -> Result<Vec<Listed>, Refusal> {
        let of_cells = self.xlsx.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        let mut listed: Vec<Listed> = of_cells
            .map(|sheet| Listed {
                name: sheet.name.clone(),
                is_visible: sheet.visible == SheetVisible::Visible,
                has_content: false,
            })
            .collect();
        for sheet in &mut listed {
            let mut cells = self.xlsx.worksheet_cells_reader(&sheet.name).map_err(|error| broken(&error))?;
            while let Some(cell) = cells.next_cell().map_err(|error| broken(&error))? {
                let content = content(cell.get_value());
                if content.is_some_and(|content| content.told(|text, _| !text.is_empty())) {
                    sheet.has_content = true;
                    break;
                }
            }
        }
        Ok(listed)
    }

    /// Adds all cells of a sheet, and says what else it shows.
    pub(super) fn read(&mut self, name: &str, filling: &mut Filling) -> Result<Marks, Refusal> {
        let head = self.head(name)?;
        let mut cells = self.xlsx.worksheet_cells_reader(name).map_err(|error| broken(&error))?;
        while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(|error| broken(&error))? {
            let (row, column) = cell.pos;
            let content = match (content(&cell.value), cell.formula) {
                (_, Some(_)) if head.is_uncomputed => Some(Content::Uncomputed),
                (None, Some(_)) => Some(Content::Uncomputed),
                (content, _) => content,
            };
            if let Some(content) = content {
                filling.add(row.saturating_add(1), column, &content)?;
            }
        }
        drop(cells);
        let mut marks = self.marks(&head)?;
        let merged = self.xlsx.merge_cells_by_sheet_name(name).map_err(|error| broken(&error))?;
        let area = |area: &calamine::Dimensions| Area {
            first: (area.start.0.saturating_add(1), area.start.1),
            last: (area.end.0.saturating_add(1), area.end.1),
        };
        marks.merged = merged.iter().map(area).collect();
        Ok(marks)
    }

    fn head(&mut self, name: &str) -> Result<Head, Refusal> {
        const MAIN: &str = "xl/workbook.xml";
        let mut head = Head::default();
        let mut id = None;
        for_each(&mut self.archive, MAIN, |element, tag| match tag {
            "calcPr" => head.is_uncomputed = is_set(element, "fullCalcOnLoad"),
            "sheet" if attribute(element, "name").is_some_and(|known| known == name) => {
                id = attribute(element, "id").map(Cow::into_owned);
            }
            _ => {}
        })?;
        for_each(&mut self.archive, "xl/_rels/workbook.xml.rels", |element, tag| {
            if tag == "Relationship" && attribute(element, "Id").as_deref() == id.as_deref() && id.is_some() {
                let target = attribute(element, "Target").unwrap_or_default();
                head.part = Some(match target.strip_prefix('/') {
                    Some(whole) => whole.to_owned(),
                    None => format!("xl/{target}"),
                });
            }
        })?;
        Ok(head)
    }

    /// Which rows and columns of the sheet are hidden.
    fn marks(&mut self, head: &Head) -> Result<Marks, Refusal> {
        let mut marks = Marks::default();
        let part = head.part.as_deref().unwrap_or_default();
        let mut row = 0;
        for_each(&mut self.archive, part, |element, tag| match tag {
            "row" => {
                row = number(element, "r").unwrap_or(row + 1);
                if is_set(element, "hidden") {
                    marks.hide_rows(row, row);
                }
            }
            "col" if is_set(element, "hidden") => {
                let of = |name| number(element, name).unwrap_or(1).clamp(1, COLUMNS_MAX) - 1;
                marks.hidden_columns.push((of("min"), of("max")));
            }
            _ => {}
        })?;
        Ok(marks)
    }
}

/// Shows each element of a part, by its name without a prefix.
fn for_each(
    archive: &mut Archive<'_>,
    part: &str,
    mut see: impl FnMut(&quick_xml::events::BytesStart<'_>, &str),
) -> Result<(), Refusal> {
    let Some(part) = archive.part(part)? else {
        return Err(Refusal::new(format!("its part {part} is missing")).help(super::SAVE_ANEW));
    };
    let (mut reader, mut buffer) = (reader(part), Vec::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|error| broken(&error))? {
            Event::Start(element) => see(&element, element.local_name().as_ref()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// What a cell holds; nothing where it is empty.
fn content<'v>(value: &'v DataRef<'_>) -> Option<Content<'v>> {
    Some(match value {
        #[expect(clippy::cast_precision_loss, reason = "no format that is read here has whole numbers apart")]
        DataRef::Int(number) => Content::Number(*number as f64),
        DataRef::Float(number) => Content::Number(*number),
        DataRef::String(text) => Content::Text(text.into()),
        DataRef::SharedString(text) => Content::Text((*text).into()),
        DataRef::Bool(truth) => Content::Truth(*truth),
        DataRef::DateTime(date) => Content::Date(excel_date(*date)),
        DataRef::DateTimeIso(date) => Content::Date(date.clone()),
        DataRef::DurationIso(duration) => Content::Date(iso_duration(duration)),
        DataRef::Error(error) => Content::Error(error.to_string()),
        DataRef::Empty => return None,
    })
}
