//! The rows of a CSV manifest, streamed: one record is held at a time, and columns are matched with parameters once for
//! each endpoint.

use std::fmt::Display;
use std::sync::Arc;

use csv::ByteRecord;

use super::bounded_reader::BoundedReader;
use super::bytes::Bytes;
use super::header::{Column, ColumnRules, Dialect, HEAD_BYTES_MAX, HeaderContext, dialect};
use super::image::Images;
use super::locate;
use super::names::{fold, id_problem, normal_id};
use super::notes::Notes;
use super::problems::Problems;
use super::quotes::Raw;
use super::records::Records;
use super::row::Row;
use super::stand::StandColumns;
use super::template::{Template, Templates};
use super::values::{Given, Wrong, check, expected, max_sats};
use super::{JobSpec, WRONG_IDS_MAX};
use crate::catalog::{Catalog, Param, Value};
use crate::csv_escape::lf;
use crate::diagnostic::{Diagnostic, Place};
use crate::money::thousands;

const BUFFER_BYTES: usize = 64 * 1024;
/// Columns are compared with one another, and each that is unknown is an error of its own.
const COLUMNS_MAX: usize = 1_000;

/// A CSV file whose header has been read.
pub(super) struct Rows {
    /// The file as the person named it.
    pub(super) file: String,
    pub(super) bytes: Bytes,
    pub(super) dialect: Dialect,
    pub(super) columns: Vec<Column>,
    /// The columns' names, folded, with those that flags and manifest give them in the place of their own.
    pub(super) names: Vec<String>,
    pub(super) images: Images,
    /// Rows of a results file that say that they are bought are passed over.
    pub(super) leaves_out_bought: bool,
}

/// How a CSV file is to be read.
pub(super) struct RowsOptions {
    pub(super) file: String,
    pub(super) delimiter: Option<u8>,
    pub(super) is_tsv: bool,
    pub(super) rules: ColumnRules,
    pub(super) images: Images,
}

impl Rows {
    /// Reads the head. Errors of single columns are added to `errors`, and the rows can be read all the same.
    ///
    /// # Errors
    /// Where the rows cannot be read at all.
    pub(super) fn open(
        bytes: Bytes,
        options: RowsOptions,
        catalog: &Catalog,
        errors: &mut Vec<Diagnostic>,
    ) -> Result<Self, Box<Diagnostic>> {
        let RowsOptions { file, delimiter, is_tsv, rules, images } = options;
        let head = bytes.slice(0, HEAD_BYTES_MAX).map_err(|e| Box::new(unreadable(&file, &e)))?;
        if let Some(error) = locate::no_text(&file, &head) {
            return Err(Box::new(error));
        }
        let dialect = dialect(&head, delimiter, is_tsv);
        let mut rows =
            Self { file, bytes, dialect, columns: Vec::new(), names: Vec::new(), images, leaves_out_bought: false };
        let mut header = ByteRecord::new();
        let mut reader = rows.reader();
        let is_there = reader.read_byte_record(&mut header).map_err(|e| Box::new(unreadable(&rows.file, &e)))?;
        let tape_end = reader.position().byte();
        let end = dialect.header_byte + usize::try_from(tape_end).unwrap_or(usize::MAX);
        let stray = reader.get_mut().quotes.take_before(tape_end);
        let is_all = end as u64 >= rows.bytes.len;
        let open = reader.get_ref().quotes.left_open().filter(|_| is_all);
        drop(reader);
        let raw = head.get(dialect.header_byte..end.min(head.len())).unwrap_or_default();
        rows.check_head(is_there, raw, end > head.len() && rows.bytes.len > HEAD_BYTES_MAX)?;
        let shown = Raw { file: &rows.file, bytes: raw, start: 0, line: dialect.header_line };
        let wrong = stray.map(|stray| shown.stray(stray)).or_else(|| open.map(|open| shown.left_open(open)));
        if let Some(error) = wrong {
            return Err(Box::new(error));
        }
        if header.len() > COLUMNS_MAX {
            let message =
                format!("the header names {} columns, more than {COLUMNS_MAX}", thousands(header.len() as u64));
            let error = Diagnostic::error(&rows.file, message).at(locate::place(raw, dialect.header_line, 0, 0));
            return Err(Box::new(error.help("is it the right file, and the right delimiter?")));
        }
        // What a header is part of may go on below it.
        let raw = head.get(dialect.header_byte..).unwrap_or_default();
        let context = HeaderContext { file: &rows.file, catalog, rules: &rules, raw, dialect };
        let header: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        rows.columns = context.columns(&header, errors);
        rows.names = context.names(&header);
        Ok(rows)
    }

    fn check_head(&self, is_there: bool, raw: &[u8], is_cut: bool) -> Result<(), Box<Diagnostic>> {
        let at = || locate::place(raw, self.dialect.header_line, 0, 0);
        let error =
            |message: &str, help: &str| Err(Box::new(Diagnostic::error(&self.file, message).at(at()).help(help)));
        if !is_there {
            return error("the file is empty", "its first line names the columns: id,endpoint,prompt,duration");
        }
        if is_cut {
            return error("the header line does not end", "its first line names the columns; is a quote left open?");
        }
        if let Some(error) = locate::not_utf8(&self.file, raw, self.dialect.header_line) {
            return Err(Box::new(error));
        }
        if raw.trim_ascii_end().contains(&b'\r') && !raw.trim_ascii_end().contains(&b'\n') {
            return error("lines end in CR alone", "save it again with LF or CR LF line ends, as \"CSV UTF-8\"");
        }
        Ok(())
    }

    pub(super) fn reader(&self) -> csv::Reader<BoundedReader<'_>> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.dialect.delimiter)
            // The CR of a CR LF stays at the end of the last cell, where it is trimmed: this keeps line numbers exact.
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_BYTES)
            .from_reader(BoundedReader::new(self.bytes.from(self.dialect.header_byte as u64), self.dialect.delimiter))
    }

    /// Where that column of our own results stands.
    pub(super) fn results_column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| matches!(column, Column::Results(known) if known == name))
    }

    /// The error of a file for which [`Bytes::has_changed`].
    pub(super) fn changed(&self) -> Diagnostic {
        let error = Diagnostic::error(&self.file, "the file was written to while it was read");
        error.help("run again when it is whole")
    }

    /// The whole of a physical line, for an error that is found only by comparing jobs.
    pub(super) fn place_of_line(&self, line: u64) -> Place {
        use std::io::{BufRead, BufReader, Read};
        let mut reader = BufReader::new(self.bytes.from(0).take(self.bytes.len));
        for _ in 1..line {
            if !matches!(reader.skip_until(b'\n'), Ok(n) if n > 0) {
                break;
            }
        }
        let mut text = Vec::new();
        // An excerpt that cannot be read is empty; the line number stands all the same.
        let _ = reader.take(HEAD_BYTES_MAX).read_until(b'\n', &mut text);
        let start = if line == 1 && self.dialect.bom { 3.min(text.len()) } else { 0 };
        let end = text.trim_ascii_end().len().max(start);
        locate::place(&text[start..], line, 0, end - start)
    }
}

/// The error of a file that cannot be read.
pub(super) fn unreadable(file: &str, error: &dyn Display) -> Diagnostic {
    Diagnostic::error(file, format!("cannot be read: {error}"))
}

/// How one endpoint's parameters stand in the columns.
struct Layout {
    template: usize,
    /// By parameter, in the endpoint's order.
    columns: Vec<Option<usize>>,
    /// Parameter columns that this endpoint does not take.
    foreign: Vec<usize>,
}

/// One reading of all rows.
pub(super) struct RowPass<'m> {
    rows: &'m Rows,
    templates: &'m Templates,
    records: Records<'m>,
    /// Taken while a row is read from it, so that its memory serves all rows.
    record: Option<ByteRecord>,
    layouts: Vec<Layout>,
    own: OwnColumns,
}

/// Where the tool's own columns stand.
#[derive(Default)]
struct OwnColumns {
    id: Option<usize>,
    endpoint: Option<usize>,
    max_sats: Option<usize>,
    /// Where a results file says how its jobs stand, where rows that are bought are passed over.
    stand: StandColumns,
    extra: Vec<usize>,
    unnamed: Vec<usize>,
}

impl OwnColumns {
    fn new(columns: &[Column]) -> Self {
        let mut own = Self::default();
        for (index, column) in columns.iter().enumerate() {
            match column {
                Column::Id => own.id = Some(index),
                Column::Endpoint => own.endpoint = Some(index),
                Column::MaxSats => own.max_sats = Some(index),
                Column::Extra(_) => own.extra.push(index),
                Column::Unnamed => own.unnamed.push(index),
                Column::Param { .. } | Column::Results(_) | Column::Unknown => {}
            }
        }
        own
    }
}

/// What a pass adds to while it reads.
pub(super) struct Found<'a> {
    pub(super) problems: &'a mut Problems,
    pub(super) used: &'a mut [bool],
    pub(super) notes: &'a mut Notes,
    pub(super) wrong_ids: &'a mut Vec<(u64, String)>,
}

impl<'m> RowPass<'m> {
    /// Begins after the header.
    pub(super) fn new(rows: &'m Rows, templates: &'m Templates, notes: &mut Notes) -> Self {
        let pass = Self {
            rows,
            templates,
            records: Records::new(rows),
            record: None,
            layouts: Vec::new(),
            own: OwnColumns {
                stand: if rows.leaves_out_bought {
                    StandColumns::of(|name| rows.results_column(name))
                } else {
                    StandColumns::default()
                },
                ..OwnColumns::new(&rows.columns)
            },
        };
        notes.delimiter = Some(rows.dialect.delimiter);
        notes.unnamed_columns = pass.own.unnamed.len() as u64;
        notes.results_columns = rows
            .columns
            .iter()
            .filter_map(|column| if let Column::Results(name) = column { Some(name.clone()) } else { None })
            .collect();
        pass
    }

    /// The same, without `x_*`.
    pub(super) fn without_extra(mut self) -> Self {
        self.own.extra.clear();
        self
    }

    /// The next good row; wrong ones are noted and passed over. None at the end.
    pub(super) fn next_job(&mut self, found: &mut Found<'_>) -> Option<JobSpec> {
        let mut record = self.record.take().unwrap_or_default();
        let mut job = None;
        while job.is_none() {
            let Some(before) = self.records.read(&mut record, found.problems, found.notes) else { break };
            job = self.read(&record, &before, found);
        }
        self.record = Some(record);
        job
    }

    fn read(&mut self, record: &ByteRecord, before: &csv::Position, found: &mut Found<'_>) -> Option<JobSpec> {
        let row = self.records.row(record, before, found.problems, found.notes)?;
        if self.own.stand.says_bought(|column| row.filled(Some(column))) {
            found.notes.left_out += 1;
            return None;
        }
        let job = self.job(&row, found);
        if let Some(id) = row.filled(self.own.id).filter(|id| job.is_none() && id_problem(id).is_none())
            && found.wrong_ids.len() < WRONG_IDS_MAX
        {
            found.wrong_ids.push((row.line, normal_id(id).into_owned()));
        }
        job
    }

    /// The job of a row, where everything in it is good.
    fn job(&mut self, row: &impl Row, found: &mut Found<'_>) -> Option<JobSpec> {
        let template_at = self.endpoint(row, found.problems)?;
        let layout_at = self.layout(template_at, found);
        let template = self.templates.list.get(template_at)?;
        let layout = self.layouts.get(layout_at)?;
        let mut is_good = true;
        let mut wrong = |index: usize, wrong: Wrong| {
            is_good = false;
            row.problem(found.problems, index, wrong);
        };
        let id = row.filled(self.own.id);
        if let (Some(given), Some(at)) = (id, self.own.id)
            && let Some(words) = id_problem(given)
        {
            wrong(at, expected("id", words, Given::Text(given)));
        }
        let limit = row.filled(self.own.max_sats).map(|cell| max_sats(Given::Text(cell))).transpose();
        let limit = limit.unwrap_or_else(|problem| {
            wrong(self.own.max_sats.unwrap_or_default(), problem);
            None
        });
        let values = values(row, template, layout, &self.rows.images, &mut wrong);
        for index in layout.foreign.iter().filter(|index| !row.cell(**index).is_empty()) {
            wrong(*index, foreign(&self.rows.columns, *index, template));
        }
        for index in self.own.unnamed.iter().filter(|index| !row.cell(**index).is_empty()) {
            let error = Wrong::new("a cell in a column without a name");
            wrong(*index, error.help("name the column, or empty the cell"));
        }
        is_good &= !template.rests_on_wrong_default(&values);
        is_good.then(|| JobSpec {
            line: row.line(),
            id: id.map(|id| normal_id(id).into_owned()),
            endpoint: Arc::clone(&template.endpoint),
            values,
            extra: self.extra(row),
            max_sats: limit,
        })
    }

    fn extra(&self, row: &impl Row) -> Vec<(String, String)> {
        let cell = |index: &usize| match self.rows.columns.get(*index)? {
            Column::Extra(name) => Some((name.clone(), lf(row.filled(Some(*index))?).into_owned())),
            _ => None,
        };
        self.own.extra.iter().filter_map(cell).collect()
    }

    fn endpoint(&self, row: &impl Row, problems: &mut Problems) -> Option<usize> {
        let Some(name) = row.filled(self.own.endpoint) else {
            if self.templates.default_endpoint.is_none() && !self.templates.is_default_wrong {
                let example = self.templates.names().next().unwrap_or("NAME");
                let help = format!("fill a column named endpoint, or give --default endpoint={example}");
                let wrong = Wrong::new("endpoint: the row names none").help(help);
                row.problem(problems, self.own.endpoint.unwrap_or(0), wrong);
            }
            return self.templates.default_endpoint;
        };
        let position = self.templates.find(name);
        if position.is_none() && !self.templates.is_broken(name) {
            let wrong = Wrong::new(format!("unknown endpoint \"{}\"", super::values::repeated(name))).quoting(name);
            let wrong = Wrong { kind: Some("unknown endpoint".to_owned()), ..wrong };
            let help = self.templates.suggest_endpoint(name);
            row.problem(problems, self.own.endpoint.unwrap_or(0), wrong.help(help));
        }
        position
    }

    /// The layout of an endpoint, made when its first row comes.
    fn layout(&mut self, template_at: usize, found: &mut Found<'_>) -> usize {
        if let Some(position) = self.layouts.iter().position(|layout| layout.template == template_at) {
            return position;
        }
        if let Some(used) = found.used.get_mut(template_at) {
            *used = true;
        }
        let params = self.templates.list.get(template_at).map_or(&[][..], |template| &template.endpoint.params);
        let columns: Vec<Option<usize>> = params
            .iter()
            .map(|param| {
                let folded = fold(&param.name);
                self.rows.columns.iter().position(|c| matches!(c, Column::Param { key, .. } if *key == folded))
            })
            .collect();
        self.check_hidden(template_at, found.problems);
        let is_foreign = |index: &usize| {
            matches!(self.rows.columns.get(*index), Some(Column::Param { .. })) && !columns.contains(&Some(*index))
        };
        let foreign = (0..self.rows.columns.len()).filter(is_foreign).collect();
        self.layouts.push(Layout { template: template_at, columns, foreign });
        self.layouts.len() - 1
    }

    /// A parameter that is named as one of our results columns would be skipped silently.
    fn check_hidden(&self, template_at: usize, problems: &mut Problems) {
        let Some(template) = self.templates.list.get(template_at) else { return };
        for (index, column) in self.rows.columns.iter().enumerate() {
            let Column::Results(name) = column else { continue };
            let is_param = template.endpoint.params.iter().any(|param| fold(&param.name) == *name);
            let has_prefixed =
                self.rows.columns.iter().any(|c| matches!(c, Column::Param { key, is_prefixed: true } if key == name));
            if is_param && !has_prefixed {
                let message =
                    format!("column \"{name}\" is a column of the results, and {} takes it", template.endpoint.name);
                let place = self.rows.place_of_line(self.rows.dialect.header_line);
                let error = Diagnostic::error(&self.rows.file, format!("{message} as a parameter")).at(place);
                problems.push(error.help(format!("name column {} params.{name}, or remove it", index + 1)));
            }
        }
    }
}

/// The values of a row, in the endpoint's order, after all defaults.
fn values(
    row: &impl Row,
    template: &Template,
    layout: &Layout,
    images: &Images,
    wrong: &mut impl FnMut(usize, Wrong),
) -> Vec<Option<Value>> {
    let columns = template.endpoint.params.iter().zip(&template.base).zip(&layout.columns);
    let value = |((param, base), column): ((&Param, &Option<Value>), &Option<usize>)| {
        let Some(cell) = row.filled(*column) else {
            if base.is_none() && template.must_have(param) {
                wrong(column.unwrap_or_default(), template.missing(param));
            }
            return base.clone();
        };
        check(param, Given::Text(cell), images).map_err(|problem| wrong(column.unwrap_or_default(), *problem)).ok()
    };
    columns.map(value).collect()
}

fn foreign(columns: &[Column], index: usize, template: &Template) -> Wrong {
    let name = match columns.get(index) {
        Some(Column::Param { key, .. }) => key.as_str(),
        _ => "",
    };
    let wrong = Wrong::new(format!("{name}: {} does not take it", template.endpoint.name));
    wrong.help("empty the cell, or change the row's endpoint")
}
