//! The rows of a manifest, CSV or workbook. Of a CSV they stream: one record is held at a time. Columns are matched with parameters once for
//! each endpoint.

use std::fmt::Display;
use std::sync::Arc;

use csv::ByteRecord;

use super::bounded_reader::BoundedReader;
use super::bytes::Bytes;
use super::header::{Column, ColumnRules, Dialect, HEAD_BYTES_MAX, HeaderContext, dialect};
use super::image::Images;
use super::locate;
use super::matrix::JobTable;
use super::names::{fold, id_problem, normal_id};
use super::notes::Notes;
use super::problems::Problems;
use super::quotes::Raw;
use super::records::TableRecords;
use super::row::{Row, without_name};
use super::rows_matrix::{OfEndpoint, RowsMatrix};
use super::stand::StandColumns;
use super::table_options::TableOptions;
use super::template::{Template, Templates};
use super::tolerance::{Declared, Tolerance};
use super::values::{Given, Wrong, check, expected, max_sats, repeat};
use super::workbook::{self, Kind, Sheet};
use super::{JobSpec, WRONG_IDS_MAX};
use crate::catalog::{Catalog, Param, Value};
use crate::csv_escape::lf;
use crate::diagnostic::{Diagnostic, Place};
use crate::money::thousands;

const BUFFER_BYTES: usize = 64 * 1024;
/// Columns are compared with one another, and each that is unknown is an error of its own.
const COLUMNS_MAX: usize = 1_000;

/// A table whose header has been read.
pub(super) struct Rows {
    /// The file as the person named it.
    pub(super) file: String,
    pub(super) bytes: Bytes,
    pub(super) source: Source,
    pub(super) columns: Vec<Column>,
    /// The columns' own names, trimmed.
    pub(super) header: Vec<String>,
    /// The columns' names, folded, with those that flags and manifest give them in the place of their own.
    pub(super) names: Vec<String>,
    pub(super) images: Images,
    tolerance: Tolerance,
    matrix: Option<RowsMatrix>,
    /// Rows of a results file that say that they are bought are passed over.
    pub(super) leaves_out_bought: bool,
}

/// Where the rows are.
pub(super) enum Source {
    /// In a text file that is written so.
    Csv(Dialect),
    /// In a workbook's sheet.
    Sheet(Box<Sheet>),
}

/// What a table is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableFormat {
    /// Text; the delimiter is found from the header.
    Csv,
    /// Text with tabs.
    Tsv,
    /// A workbook.
    Workbook(Kind),
}

/// How a table is to be read.
pub(super) struct RowsOptions {
    pub(super) file: String,
    pub(super) format: TableFormat,
    pub(super) table: TableOptions,
    pub(super) rules: ColumnRules,
    pub(super) declared: Declared,
    pub(super) matrix: Option<RowsMatrix>,
    pub(super) images: Images,
    /// The command that proposes what columns are, where the table is the manifest itself.
    pub(super) init: Option<String>,
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
        let RowsOptions { file, format, table, rules, declared, matrix, images, init } = options;
        let (source, header, head) = match format {
            TableFormat::Workbook(kind) => {
                let sheet = workbook::open(&bytes, kind, &file, &table)?;
                errors.extend(sheet.wrong.iter().cloned());
                let header = sheet.header.clone();
                (Source::Sheet(Box::new(sheet)), header, Vec::new())
            }
            TableFormat::Csv | TableFormat::Tsv => {
                not_of_text(&file, &table, errors);
                let head = bytes.slice(0, HEAD_BYTES_MAX).map_err(|e| Box::new(unreadable(&file, &e)))?;
                if let Some(error) = locate::no_text(&file, &head) {
                    return Err(Box::new(error));
                }
                let dialect = dialect(&head, &table, format == TableFormat::Tsv);
                let header = CsvHead { file: &file, bytes: &bytes, head: &head, dialect }.header()?;
                (Source::Csv(dialect), header, head)
            }
        };
        let places = |index| match &source {
            Source::Csv(dialect) => {
                // What a header is part of may go on below it.
                let raw = head.get(dialect.header_byte..).unwrap_or_default();
                let cell = locate::cell(raw, dialect.delimiter, index);
                locate::place(raw, dialect.header_line, cell.start, cell.end)
            }
            Source::Sheet(sheet) => sheet.place(sheet.header_row.into(), index),
        };
        if header.len() > COLUMNS_MAX {
            let message =
                format!("the header names {} columns, more than {COLUMNS_MAX}", thousands(header.len() as u64));
            let error = Diagnostic::error(&file, message).at(Place { width: 1, ..places(0) });
            return Err(Box::new(error.help("is it the right file, and the right delimiter?")));
        }
        let context = HeaderContext { file: &file, catalog, rules: &rules, init: init.as_deref(), places: &places };
        let (columns, names) = (context.columns(&header, errors), context.names(&header));
        let tolerance = Tolerance::of(declared, (&header, &names, &columns), errors);
        let leaves_out_bought = false;
        Ok(Self { file, bytes, source, columns, header, names, images, tolerance, matrix, leaves_out_bought })
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

    /// What stands between cells; in a workbook nothing does, and a comma is what is made of it.
    pub(super) fn delimiter(&self) -> u8 {
        match &self.source {
            Source::Csv(dialect) => dialect.delimiter,
            Source::Sheet(_) => b',',
        }
    }

    /// Whether text that goes with it begins with a byte order mark.
    pub(super) fn has_bom(&self) -> bool {
        match &self.source {
            Source::Csv(dialect) => dialect.bom,
            Source::Sheet(_) => true,
        }
    }

    /// Where the header stands.
    pub(super) fn place_of_header(&self) -> Place {
        self.place_of_line(match &self.source {
            Source::Csv(dialect) => dialect.header_line,
            Source::Sheet(sheet) => sheet.header_row.into(),
        })
    }

    /// The whole of a physical line, for an error that is found only by comparing jobs.
    pub(super) fn place_of_line(&self, line: u64) -> Place {
        use std::io::{BufRead, BufReader, Read};
        let dialect = match &self.source {
            Source::Csv(dialect) => dialect,
            Source::Sheet(sheet) => return sheet.place(line, 0),
        };
        let mut reader = BufReader::new(self.bytes.from(0).take(self.bytes.len));
        for _ in 1..line {
            if !matches!(reader.skip_until(b'\n'), Ok(n) if n > 0) {
                break;
            }
        }
        let mut text = Vec::new();
        // An excerpt that cannot be read is empty; the line number stands all the same.
        let _ = reader.take(HEAD_BYTES_MAX).read_until(b'\n', &mut text);
        let start = if line == 1 && dialect.bom { 3.min(text.len()) } else { 0 };
        let end = text.trim_ascii_end().len().max(start);
        locate::place(&text[start..], line, 0, end - start)
    }
}

/// The head of a text file.
struct CsvHead<'h> {
    file: &'h str,
    bytes: &'h Bytes,
    /// Its first bytes.
    head: &'h [u8],
    dialect: Dialect,
}

impl CsvHead<'_> {
    /// The header's cells, trimmed.
    fn header(&self) -> Result<Vec<String>, Box<Diagnostic>> {
        let Self { file, head, dialect, .. } = *self;
        let mut header = ByteRecord::new();
        let mut reader = reader(self.bytes, dialect);
        let is_there = reader.read_byte_record(&mut header).map_err(|e| Box::new(unreadable(file, &e)))?;
        let tape_end = reader.position().byte();
        let end = dialect.header_byte + usize::try_from(tape_end).unwrap_or(usize::MAX);
        let stray = reader.get_mut().quotes.take_before(tape_end);
        let is_all = end as u64 >= self.bytes.len;
        let open = reader.get_ref().quotes.left_open().filter(|_| is_all);
        let raw = head.get(dialect.header_byte..end.min(head.len())).unwrap_or_default();
        self.check(is_there, raw, end > head.len() && self.bytes.len > HEAD_BYTES_MAX)?;
        let shown = Raw { file, bytes: raw, start: 0, line: dialect.header_line };
        let wrong = stray.map(|stray| shown.stray(stray)).or_else(|| open.map(|open| shown.left_open(open)));
        match wrong {
            Some(error) => Err(Box::new(error)),
            None => Ok(header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect()),
        }
    }

    fn check(&self, is_there: bool, raw: &[u8], is_cut: bool) -> Result<(), Box<Diagnostic>> {
        let line = self.dialect.header_line;
        let at = || locate::place(raw, line, 0, 0);
        let error =
            |message: &str, help: &str| Err(Box::new(Diagnostic::error(self.file, message).at(at()).help(help)));
        if !is_there {
            return error("the file is empty", "its first line names the columns: id,endpoint,prompt,duration");
        }
        if is_cut {
            return error("the header line does not end", "its first line names the columns; is a quote left open?");
        }
        if let Some(error) = locate::not_utf8(self.file, raw, line) {
            return Err(Box::new(error));
        }
        if raw.trim_ascii_end().contains(&b'\r') && !raw.trim_ascii_end().contains(&b'\n') {
            return error("lines end in CR alone", "save it again with LF or CR LF line ends, as \"CSV UTF-8\"");
        }
        Ok(())
    }
}

/// Reads a text file's records, the header first.
pub(super) fn reader(bytes: &Bytes, dialect: Dialect) -> csv::Reader<BoundedReader<'_>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        // The CR of a CR LF stays at the end of the last cell, where it is trimmed: this keeps line numbers exact.
        .terminator(csv::Terminator::Any(b'\n'))
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(BoundedReader::new(bytes.from(dialect.header_byte as u64), dialect.delimiter))
}

/// What is said of sheets, of a file that has none.
fn not_of_text(file: &str, table: &TableOptions, errors: &mut Vec<Diagnostic>) {
    let of_sheets = [("sheet", table.sheet.is_some()), ("hidden_rows", table.hidden_rows.is_some())];
    for (what, _) in of_sheets.iter().filter(|(_, is_said)| *is_said) {
        let error = Diagnostic::error(file, format!("{what} is said of workbooks, and this file is text"));
        errors.push(error.help("leave it out, or name the workbook"));
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
    matrix: OfEndpoint,
    /// Columns of what the matrix varies: their cells are empty.
    varied: Vec<usize>,
}

/// One reading of all rows.
pub(super) struct RowPass<'m> {
    records: TableRecords<'m>,
    jobs: JobReader<'m>,
    /// The row at hand, and the next combination of its matrix.
    row: Option<(JobTable, usize)>,
}

/// Makes jobs of rows.
struct JobReader<'m> {
    rows: &'m Rows,
    templates: &'m Templates,
    layouts: Vec<Layout>,
    own: OwnColumns,
    /// `x_*` are wanted, too.
    reads_extra: bool,
}

/// Where the tool's own columns stand.
#[derive(Default)]
struct OwnColumns {
    id: Option<usize>,
    endpoint: Option<usize>,
    max_sats: Option<usize>,
    repeat: Option<usize>,
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
                Column::Repeat => own.repeat = Some(index),
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
        let stand = match rows.leaves_out_bought {
            true => StandColumns::of(|name| rows.results_column(name)),
            false => StandColumns::default(),
        };
        let own = OwnColumns { stand, ..OwnColumns::new(&rows.columns) };
        notes.unnamed_columns = own.unnamed.len() as u64;
        notes.results_columns = rows
            .columns
            .iter()
            .filter_map(|column| if let Column::Results(name) = column { Some(name.clone()) } else { None })
            .collect();
        notes.matrices.extend(rows.matrix.as_ref().and_then(RowsMatrix::words));
        match &rows.source {
            Source::Csv(dialect) => notes.delimiter = Some(dialect.delimiter),
            Source::Sheet(sheet) => notes.sheet = sheet.notes(),
        }
        let records = TableRecords::new(rows);
        Self { records, jobs: JobReader { rows, templates, layouts: Vec::new(), own, reads_extra: true }, row: None }
    }

    /// The same, without `x_*`.
    pub(super) fn without_extra(mut self) -> Self {
        self.jobs.reads_extra = false;
        self
    }

    /// The next job of a good row; wrong ones are noted and passed over. None at the end.
    pub(super) fn next_job(&mut self, found: &mut Found<'_>) -> Option<JobSpec> {
        let Self { records, jobs, row } = self;
        let Found { problems, used, notes, wrong_ids } = found;
        loop {
            if let Some((table, cell)) = row {
                if let Some((job, next)) = table.job_from(*cell) {
                    *cell = next;
                    return Some(job);
                }
                *row = None;
            }
            let job = records.next(problems, notes, |row, problems, notes| {
                jobs.read(row, &mut Found { problems, used, notes, wrong_ids })
            })?;
            match job {
                Some(table) if table.is_single() => return Some(table.into_first()),
                Some(table) => *row = Some((note_takes(table, notes), 0)),
                None => {}
            }
        }
    }
}

impl JobReader<'_> {
    fn read(&mut self, row: &Row<'_>, found: &mut Found<'_>) -> Option<JobTable> {
        if self.own.stand.says_bought(|column| row.filled(Some(column))) {
            found.notes.left_out += 1;
            return None;
        }
        let job = self.job(row, found);
        // The ids of a matrix are others.
        if job.is_none()
            && self.rows.matrix.is_none()
            && let Some(id) = row.filled(self.own.id).filter(|id| id_problem(id).is_none())
            && found.wrong_ids.len() < WRONG_IDS_MAX
        {
            found.wrong_ids.push((row.line(), normal_id(id).into_owned()));
        }
        job
    }

    /// What a row stands for, where everything in it is good.
    fn job(&mut self, row: &Row<'_>, found: &mut Found<'_>) -> Option<JobTable> {
        let template_at = self.endpoint(row, found.problems)?;
        let layout_at = self.layout(template_at, found);
        let template = self.templates.list.get(template_at)?;
        let layout = self.layouts.get(layout_at)?;
        let mut is_good = true;
        let mut wrong = |index: usize, wrong: Wrong| {
            is_good = false;
            row.problem(found.problems, index, wrong);
        };
        let id = self.id(row, &mut wrong);
        let limit = self.number(row, (self.own.max_sats, "max_sats", Some("sat")), max_sats, &mut wrong);
        let takes = self.number(row, (self.own.repeat, "repeat", None), repeat, &mut wrong);
        let takes = takes.unwrap_or(self.templates.default_repeat);
        let values = self.values(row, template, layout, &mut wrong);
        self.check_others(row, template, layout, &mut wrong);
        if let Err(problem) = layout.matrix.check_id(id, takes) {
            wrong(self.own.id.unwrap_or(0), *problem);
        }
        if let Err(problem) = layout.matrix.check_takes(takes) {
            wrong(self.own.repeat.or(self.own.id).unwrap_or(0), *problem);
        }
        is_good &= !template.rests_on_wrong_default(&values);
        let job = JobSpec {
            line: row.line(),
            id: id.map(|id| normal_id(id).into_owned()),
            endpoint: Arc::clone(&template.endpoint),
            values,
            extra: self.extra(row),
            max_sats: limit,
            take: 1,
            nonce: None,
        };
        layout.matrix.of_good(is_good).map(|matrix| JobTable::new(job, matrix, takes))
    }

    /// That what stands in the row besides may stand there.
    fn check_others(&self, row: &Row<'_>, template: &Template, layout: &Layout, wrong: &mut impl FnMut(usize, Wrong)) {
        let name = |index: usize| self.rows.names.get(index).map_or("", String::as_str);
        let is_filled = |index: &&usize| !row.cell(**index).is_empty();
        for index in layout.foreign.iter().filter(is_filled) {
            wrong(*index, foreign(&self.rows.columns, *index, template));
        }
        for index in &self.own.extra {
            if let Some(unfit) = row.unfit(*index).filter(|unfit| !unfit.may_pass) {
                wrong(*index, unfit.wrong(name(*index), row.cell(*index)));
            }
        }
        for index in layout.varied.iter().filter(is_filled) {
            let twice = Wrong::new(format!("{}: the row gives it, and so does the matrix", name(*index)));
            wrong(*index, twice.help("empty the cell, or take it out of the matrix under [rows]"));
        }
        for index in self.own.unnamed.iter().filter(is_filled) {
            wrong(*index, without_name());
        }
    }

    fn id<'r>(&self, row: &'r Row<'_>, wrong: &mut impl FnMut(usize, Wrong)) -> Option<&'r str> {
        let (at, id) = self.own.id.zip(row.filled(self.own.id))?;
        if let Some(unfit) = row.unfit(at) {
            wrong(at, unfit.wrong("id", id));
        } else if let Some(words) = id_problem(id) {
            wrong(at, expected("id", words, Given::Text(id)));
        }
        Some(id)
    }

    /// A key of the tool's own that is a number: where it stands, its name, and the unit that may stand behind it.
    fn number<T>(
        &self,
        row: &Row<'_>,
        (column, name, unit): (Option<usize>, &str, Option<&str>),
        read_it: fn(Given<'_>) -> Result<T, Wrong>,
        wrong: &mut impl FnMut(usize, Wrong),
    ) -> Option<T> {
        let (at, cell) = column.zip(row.filled(column))?;
        let read = || match row.unfit(at) {
            Some(unfit) => Err(unfit.wrong(name, cell)),
            None => {
                let given = (at, cell, row.is_typed(at));
                let cell = self.rows.tolerance.own_number(given, name, unit).map_err(|problem| *problem)?;
                read_it(Given::Text(&cell))
            }
        };
        read().map_err(|problem| wrong(at, problem)).ok()
    }

    /// The values of a row, in the endpoint's order, after all defaults.
    fn values(
        &self,
        row: &Row<'_>,
        template: &Template,
        layout: &Layout,
        wrong: &mut impl FnMut(usize, Wrong),
    ) -> Vec<Option<Value>> {
        let columns = template.endpoint.params.iter().zip(&template.base).zip(&layout.columns).enumerate();
        let mut value = |place: usize, param: &Param, base: &Option<Value>, column: Option<usize>| {
            if let Some(first) = layout.matrix.first_of(place) {
                return Some(first.clone());
            }
            let Some((at, cell)) = column.zip(row.filled(column)) else {
                if base.is_none() && template.must_have(param) && !layout.matrix.is_wrong() {
                    wrong(column.unwrap_or_default(), template.missing(param));
                }
                return base.clone();
            };
            self.value(row, (at, cell), param, template).map_err(|problem| wrong(at, *problem)).ok()
        };
        columns.map(|(place, ((param, base), column))| value(place, param, base, *column)).collect()
    }

    fn value(
        &self,
        row: &Row<'_>,
        (at, cell): (usize, &str),
        param: &Param,
        template: &Template,
    ) -> Result<Value, Box<Wrong>> {
        if let Some(unfit) = row.unfit(at) {
            return Err(Box::new(unfit.wrong(&param.name, cell)));
        }
        if self.rows.tolerance.is_none() {
            return check(param, Given::Text(cell), &self.rows.images);
        }
        let given = (at, cell, row.is_typed(at));
        let cell = self.rows.tolerance.value(given, param, &template.endpoint)?;
        check(param, Given::Text(&cell), &self.rows.images)
    }

    fn extra(&self, row: &Row<'_>) -> Vec<(String, String)> {
        let cell = |index: &usize| match self.rows.columns.get(*index)? {
            Column::Extra(name) => Some((name.clone(), lf(row.filled(Some(*index))?).into_owned())),
            _ => None,
        };
        self.own.extra.iter().filter(|_| self.reads_extra).filter_map(cell).collect()
    }

    fn endpoint(&self, row: &Row<'_>, problems: &mut Problems) -> Option<usize> {
        let Some(name) = row.filled(self.own.endpoint) else {
            if self.templates.default_endpoint.is_none() && !self.templates.is_default_wrong {
                let example = self.templates.names().next().unwrap_or("NAME");
                let help = format!("fill a column named endpoint, or give --default endpoint={example}");
                let wrong = Wrong::new("endpoint: the row names none").help(help);
                row.problem(problems, self.own.endpoint.unwrap_or(0), wrong);
            }
            return self.templates.default_endpoint;
        };
        if let Some((at, unfit)) = self.own.endpoint.and_then(|at| Some((at, row.unfit(at)?))) {
            row.problem(problems, at, unfit.wrong("endpoint", name));
            return None;
        }
        let word = self.own.endpoint.and_then(|at| self.rows.tolerance.word(at, name));
        let name = word.unwrap_or(name);
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
        let before = self.layouts.iter().map(|layout| layout.template);
        let matrix = OfEndpoint::of(self.rows.matrix.as_ref(), template_at, before, found.problems);
        let is_varied = |index: &usize| match self.rows.columns.get(*index) {
            Some(Column::Param { .. }) => columns
                .iter()
                .enumerate()
                .any(|(place, column)| *column == Some(*index) && matrix.first_of(place).is_some()),
            Some(Column::Extra(name)) => matrix.labels(name),
            _ => false,
        };
        let varied = (0..self.rows.columns.len()).filter(is_varied).collect();
        let is_foreign = |index: &usize| {
            matches!(self.rows.columns.get(*index), Some(Column::Param { .. })) && !columns.contains(&Some(*index))
        };
        let foreign = (0..self.rows.columns.len()).filter(is_foreign).collect();
        self.layouts.push(Layout { template: template_at, columns, foreign, matrix, varied });
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
                let place = self.rows.place_of_header();
                let error = Diagnostic::error(&self.rows.file, format!("{message} as a parameter")).at(place);
                problems.push(error.help(format!("name column {} params.{name}, or remove it", index + 1)));
            }
        }
    }
}

/// Counts the takes of a row, where several are planned.
fn note_takes(table: JobTable, notes: &mut Notes) -> JobTable {
    if table.is_repeated() {
        let (rows, takes) = &mut notes.repeated;
        *rows = rows.saturating_add(1);
        *takes = takes.saturating_add(table.count() as u64);
        notes.note_same_requests(table.endpoint());
    }
    table
}

fn foreign(columns: &[Column], index: usize, template: &Template) -> Wrong {
    let name = match columns.get(index) {
        Some(Column::Param { key, .. }) => key.as_str(),
        _ => "",
    };
    let wrong = Wrong::new(format!("{name}: {} does not take it", template.endpoint.name));
    wrong.help("empty the cell, or change the row's endpoint")
}
