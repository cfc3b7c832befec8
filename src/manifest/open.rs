//! Opens a manifest, by file or from a pipe, and hands out its jobs.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use toml::de::DeTable;

use super::bounded_reader::RECORD_BYTES_MAX;
use super::bytes::Bytes;
use super::digest::FileDigest;
use super::document::{Catalogs, Document, EndpointName, FlagDefaults, Reader, set_default_endpoint};
use super::document_rows::RowsTable;
use super::header::{Alias, ColumnRules};
use super::image::Images;
use super::matrix::JobTable;
use super::names::fold;
use super::notes::Notes;
use super::problems::Problems;
use super::rows::{Found, RowPass, Rows, RowsOptions, TableFormat, unreadable};
use super::table_options::TableOptions;
use super::template::{DefaultEntry, Templates, default_problem, param_name};
use super::tolerance::Declared;
use super::values::{Given, repeat};
use super::workbook::{Kind, Sheet};
use super::{Duplicates, Edition, JobSource, JobSpec, Limits, locate};
use crate::catalog::{Catalog, Endpoint};
use crate::command::{self, shell};
use crate::diagnostic::{Diagnostic, Place, SourceText, similar, unread};
use crate::safe_open::read_small;

/// The name that stands for standard input.
pub const STDIN: &str = "-";
/// Of files that hold rows.
const ROWS_ENDINGS: [&str; 6] = [".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".ods"];

/// The largest TOML manifest, in bytes. Larger batches belong into a CSV, which streams.
const TOML_BYTES_MAX: u64 = RECORD_BYTES_MAX;
/// The most values of a TOML manifest, counted by what stands before each: it is held as a whole, and a value takes a
/// hundred times the memory of the two characters in which it may be written.
const TOML_VALUES_MAX: usize = 4_000_000;

/// How a manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A TOML document: jobs, with defaults and limits of its own.
    Toml,
    /// CSV; the delimiter is found from the header.
    Csv,
    /// CSV with tabs.
    Tsv,
    /// A workbook as Excel writes it.
    Xlsx,
    /// A workbook as LibreOffice writes it.
    Ods,
}

impl Format {
    /// The endings of manifests, and what each means; one that stands further ahead is looked for first.
    pub const ENDINGS: [(&str, Self); 7] = [
        ("toml", Self::Toml),
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("txt", Self::Csv),
        ("xlsx", Self::Xlsx),
        ("xlsm", Self::Xlsx),
        ("ods", Self::Ods),
    ];

    /// The format that a file's ending names.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        Self::ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, format)| *format)
    }

    /// How its rows are written; nothing where it is a document.
    fn table(self) -> Option<TableFormat> {
        match self {
            Self::Toml => None,
            Self::Csv => Some(TableFormat::Csv),
            Self::Tsv => Some(TableFormat::Tsv),
            Self::Xlsx => Some(TableFormat::Workbook(Kind::Xlsx)),
            Self::Ods => Some(TableFormat::Workbook(Kind::Ods)),
        }
    }
}

/// Which manifest to open, and what the flags add to it.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// Its format, where the extension does not tell.
    pub format: Option<Format>,
    /// `--catalog FILE`: endpoints for any manifest.
    pub catalogs: Vec<PathBuf>,
    /// `--default KEY=VALUE`, also `endpoint=…`.
    pub defaults: Vec<(String, String)>,
    /// What `--column HEADER=NAME` says: a header, and the name that its column is read under.
    pub columns: Vec<(String, String)>,
    /// How its table is written.
    pub table: TableOptions,
    /// Endpoints as they are bought from, whatever the catalogues and the manifest say of their names.
    pub endpoints: Vec<Endpoint>,
    /// What `defaults` and `columns` were given by, where it was another source than these flags: the name of each.
    pub given_by: GivenBy,
}

/// What is shown as the place of what is wrong with a value that stands in no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenBy {
    /// What gave `defaults`, as it is shown: a flag, or a variable.
    pub defaults: String,
    /// What gave `columns`, as it is shown: a flag, or a variable.
    pub columns: String,
}

impl Default for GivenBy {
    fn default() -> Self {
        Self { defaults: "--default".to_owned(), columns: "--column".to_owned() }
    }
}

/// An open manifest: its head is read, its rows are read as often as they are asked for.
pub struct Manifest {
    /// The batch's name, where the manifest gives one.
    pub name: Option<String>,
    /// What it says of purchases that the ledger already has under another name.
    pub duplicates: Option<Duplicates>,
    /// Within what its jobs are compared with those; with all purchases where it names none.
    pub edition: Option<Edition>,
    /// Its `[limits]`.
    pub limits: Limits,
    /// All endpoints: the built-in ones, those of `--catalog`, those of the manifest.
    pub catalog: Catalog,
    /// Its absolute path; `-` is standard input.
    pub path: PathBuf,
    /// The delimiter of its CSV; a comma where it has none.
    pub delimiter: u8,
    /// Whether its CSV begins with a byte order mark. What is made of a workbook does: a spreadsheet will open it, and tells UTF-8 by that.
    pub bom: bool,
    digest: FileDigest,
    pub(super) options: OpenOptions,
    file: String,
    document: Option<SourceText>,
    templates: Templates,
    jobs: Vec<JobTable>,
    used: Vec<bool>,
    pub(super) rows: Option<Rows>,
    errors: Vec<Diagnostic>,
    notes: Mutex<Notes>,
    /// Of `[[job]]` tables that have an error.
    wrong_ids: Vec<(u64, String)>,
    /// Of these and of rows, after a reading.
    all_wrong_ids: Mutex<Vec<(u64, String)>>,
}

impl Manifest {
    /// How many takes are planned of each job that does not say it.
    #[must_use]
    pub const fn takes_by_default(&self) -> u32 {
        self.templates.default_repeat
    }

    /// Opens a manifest. Errors of its head do not stop it: they come with those of its rows from
    /// [`JobSource::jobs`], so that one pass shows all.
    ///
    /// # Errors
    /// Where nothing can be read: no such file, an unknown format, a CSV without a header.
    pub fn open(options: &OpenOptions) -> Result<Self, Vec<Diagnostic>> {
        if options.path == Path::new(STDIN) {
            return Self::open_from(options, &mut io::stdin().lock());
        }
        let format = format(options)?;
        let bytes = Bytes::open(&options.path).map_err(|e| unopened(&name(options), &e))?;
        Self::with(options, format, bytes)
    }

    /// Opens a manifest that `from` holds, with the path in `options` as its name. It is copied to an unlinked
    /// temporary file first.
    ///
    /// # Errors
    /// As [`Manifest::open`].
    pub fn open_from(options: &OpenOptions, from: &mut dyn Read) -> Result<Self, Vec<Diagnostic>> {
        let format = format(options)?;
        let bytes = Bytes::spool(from).map_err(|e| unopened(&name(options), &e))?;
        Self::with(options, format, bytes)
    }

    /// The batch's name where neither the manifest nor a flag gives one: the file's stem. Standard input has none.
    #[must_use]
    pub fn fallback_name(&self) -> Option<String> {
        let stem = self.path.file_stem().filter(|stem| *stem != STDIN)?;
        Some(stem.to_string_lossy().into_owned())
    }

    /// The file that its rows are read from, where it is another one than the manifest or the manifest is a table.
    #[must_use]
    pub fn rows_file(&self) -> Option<&Path> {
        self.rows.as_ref().map(|rows| Path::new(&rows.file))
    }

    /// Its own rows, where it is itself a table.
    pub(super) fn own_rows(&self) -> Option<&Rows> {
        self.rows.as_ref().filter(|_| self.document.is_none())
    }

    /// Passes over rows of a results file that say that their jobs are bought, or may be: no ledger at hand knows them.
    pub fn leave_out_bought(&mut self) {
        if let Some(rows) = &mut self.rows {
            rows.leaves_out_bought = true;
        }
    }

    /// How it was read and what was skipped. Complete once [`JobSource::jobs`] has been read to the end.
    #[must_use]
    pub fn notes(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says how its sheet was read, where its rows choose among stored jobs and make none.
    pub(super) fn note_sheet(&self, sheet: &Sheet) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).sheet = sheet.notes();
    }

    /// SHA-256 of its bytes, in lower-case hex. They are hashed while the jobs are read, so that asking before means
    /// waiting.
    ///
    /// # Errors
    /// Where the file cannot be read, or was written to since it was opened.
    pub fn sha256(&self) -> Result<&str, Vec<Diagnostic>> {
        let sha256 = self.digest.get().map_err(|problem| vec![unreadable(&self.file, &problem)])?;
        match &self.rows {
            Some(rows) if rows.bytes.has_changed() => Err(vec![rows.changed()]),
            Some(_) | None => Ok(sha256),
        }
    }

    /// What tells one reading of it from another: where that is the same, each of its jobs has the same line, place and `x_*`, as far as
    /// the jobs themselves are the same. None where it cannot be told.
    pub(crate) fn reading(&self) -> Option<[u8; 32]> {
        let rows = self.rows.as_ref().filter(|_| self.document.is_some()).map(|rows| rows.bytes.digest());
        let rows = rows.as_ref().map(FileDigest::get).transpose().ok()?;
        let files: Vec<&str> = std::iter::once(self.sha256().ok()?).chain(rows).collect();
        reading(&files, &self.options, &self.catalog).ok()
    }

    /// How many jobs its `[[job]]` tables stand for: they come before those of its rows.
    pub(super) fn table_jobs(&self) -> u64 {
        self.jobs.iter().map(|table| table.count() as u64).sum()
    }

    /// Where the job stands that was the `index`-th (from 0) to be handed out, by file and line. A manifest that has
    /// both `[[job]]` and `[rows]` has jobs in two files.
    #[must_use]
    pub fn locate(&self, index: u64, line: u64) -> (String, Place) {
        match (&self.rows, &self.document) {
            (Some(rows), _) if index >= self.table_jobs() => (rows.file.clone(), rows.place_of_line(line)),
            (_, Some(document)) => (document.file.clone(), line_of(document, line)),
            _ => (self.file.clone(), self.place_of_line(line)),
        }
    }

    fn with(options: &OpenOptions, format: Format, bytes: Bytes) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut catalog = Catalog::builtin()?;
        for path in &options.catalogs {
            if let Err(found) = catalog.read_file(path) {
                errors.extend(found);
            }
        }
        // The manifest's own tables may stand on one of these.
        options.endpoints.iter().for_each(|endpoint| catalog.put(endpoint.clone()));
        match format.table() {
            None => Self::from_toml(options, bytes, catalog, errors),
            Some(table) => Self::from_table(options, table, bytes, catalog, errors),
        }
    }

    fn from_table(
        options: &OpenOptions,
        format: TableFormat,
        bytes: Bytes,
        catalog: Catalog,
        mut errors: Vec<Diagnostic>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let images = Images::new(folder(options));
        let FlagDefaults { entries, endpoint, repeat } = flag_defaults(options, &mut errors);
        let mut templates = Templates::new(&catalog, &entries, &images);
        templates.default_repeat = repeat.unwrap_or(1);
        set_default_endpoint(&mut templates, endpoint, &mut errors);
        let digest = bytes.digest();
        let row_options = RowsOptions {
            file: name(options),
            format,
            table: options.table.clone(),
            rules: ColumnRules { aliases: flag_aliases(options), passes_others: false },
            declared: Declared::default(),
            matrix: None,
            images,
            init: init(options),
        };
        match Rows::open(bytes, row_options, &catalog, &mut errors) {
            Ok(rows) => Ok(Self::new(options, catalog, digest, Parts::of_rows(templates, rows), errors)),
            Err(error) => {
                errors.push(*error);
                Err(errors)
            }
        }
    }

    fn from_toml(
        options: &OpenOptions,
        bytes: Bytes,
        mut catalog: Catalog,
        mut errors: Vec<Diagnostic>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let digest = bytes.digest();
        let source = match read_text(&name(options), &bytes) {
            Ok(source) => source,
            Err(error) => {
                errors.push(*error);
                return Err(errors);
            }
        };
        let flags = flag_defaults(options, &mut errors);
        let reader = Reader { source: &source, errors: &mut errors };
        let catalogs = Catalogs { all: &mut catalog, frozen: &options.endpoints };
        let document = reader.document(catalogs, &source.file, flags, &Images::new(folder(options)));
        let Document { name, duplicates, edition, limits, templates, jobs, used, wrong_ids, rows } = document;
        if rows.is_none() && !options.columns.is_empty() {
            let error = Diagnostic::error(
                &options.given_by.columns,
                "there is no column to name: the manifest has no CSV rows",
            );
            errors.push(error.help("remove it, or write [rows] with the file's name"));
        }
        let rows = rows.and_then(|table| open_rows(options, table, &catalog, &mut errors));
        let document = Some(source);
        let parts = Parts { name, duplicates, edition, limits, document, templates, jobs, used, wrong_ids, rows };
        Ok(Self::new(options, catalog, digest, parts, errors))
    }

    fn new(options: &OpenOptions, catalog: Catalog, digest: FileDigest, parts: Parts, errors: Vec<Diagnostic>) -> Self {
        let Parts { name: given_name, duplicates, edition, limits, document, templates, jobs, used, wrong_ids, rows } =
            parts;
        let is_stdin = options.path == Path::new(STDIN);
        let path = if is_stdin { options.path.clone() } else { absolute(&options.path) };
        Self {
            name: given_name,
            duplicates,
            edition,
            limits,
            catalog,
            path,
            digest,
            options: options.clone(),
            delimiter: rows.as_ref().map_or(b',', Rows::delimiter),
            bom: rows.as_ref().is_some_and(Rows::has_bom),
            file: name(options),
            document,
            templates,
            jobs,
            used,
            rows,
            errors,
            notes: Mutex::default(),
            wrong_ids,
            all_wrong_ids: Mutex::default(),
        }
    }
}

/// What the two kinds of manifest have in common once they are read.
struct Parts {
    name: Option<String>,
    duplicates: Option<Duplicates>,
    edition: Option<Edition>,
    limits: Limits,
    document: Option<SourceText>,
    templates: Templates,
    jobs: Vec<JobTable>,
    used: Vec<bool>,
    wrong_ids: Vec<(u64, String)>,
    rows: Option<Rows>,
}

impl Parts {
    fn of_rows(templates: Templates, rows: Rows) -> Self {
        let used = vec![false; templates.list.len()];
        Self {
            name: None,
            duplicates: None,
            edition: None,
            limits: Limits::default(),
            document: None,
            templates,
            jobs: Vec::new(),
            used,
            wrong_ids: Vec::new(),
            rows: Some(rows),
        }
    }
}

impl JobSource for Manifest {
    fn jobs(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        Box::new(Pass::new(self))
    }

    fn jobs_to_price(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        let pass = Pass::new(self);
        Box::new(Pass { rows: pass.rows.map(RowPass::without_extra), ..pass })
    }

    fn file(&self) -> &str {
        match &self.rows {
            Some(rows) if self.jobs.is_empty() => &rows.file,
            _ => &self.file,
        }
    }

    fn ids_of_wrong(&self) -> Vec<(u64, String)> {
        self.all_wrong_ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn place_of_line(&self, line: u64) -> Place {
        match (&self.rows, &self.document) {
            (Some(rows), _) if self.jobs.is_empty() => rows.place_of_line(line),
            (_, Some(document)) => line_of(document, line),
            _ => Place { sheet: None, line, column: 1, width: 1, text: String::new(), also_lines: Vec::new() },
        }
    }
}

/// One reading of all jobs.
struct Pass<'m> {
    manifest: &'m Manifest,
    /// The next `[[job]]` table, and the next combination of its matrix.
    next: (usize, usize),
    rows: Option<RowPass<'m>>,
    problems: Problems,
    used: Vec<bool>,
    notes: Notes,
    wrong_ids: Vec<(u64, String)>,
    jobs: u64,
    is_done: bool,
}

impl Iterator for Pass<'_> {
    type Item = Result<JobSpec, Vec<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        while let Some(table) = self.manifest.jobs.get(self.next.0) {
            if let Some((job, cell)) = table.job_from(self.next.1) {
                self.next.1 = cell;
                self.jobs += 1;
                return Some(Ok(job));
            }
            self.next = (self.next.0 + 1, 0);
        }
        let mut found = Found {
            problems: &mut self.problems,
            used: &mut self.used,
            notes: &mut self.notes,
            wrong_ids: &mut self.wrong_ids,
        };
        if let Some(job) = self.rows.as_mut().and_then(|rows| rows.next_job(&mut found)) {
            self.jobs += 1;
            return Some(Ok(job));
        }
        self.is_done = true;
        let errors = self.errors();
        (!errors.is_empty()).then_some(Err(errors))
    }
}

impl<'m> Pass<'m> {
    fn new(manifest: &'m Manifest) -> Self {
        let mut notes = Notes::default();
        let by_default = manifest.templates.default_repeat;
        let (of_default, others): (Vec<_>, Vec<_>) =
            manifest.jobs.iter().partition(|table| table.is_repeated() && table.is_takes(by_default));
        notes.repeated_by_default = (of_default.len() as u64, of_default.len() as u64 * u64::from(by_default));
        notes.matrices.extend(others.into_iter().filter_map(JobTable::words));
        let repeated = manifest.jobs.iter().filter(|table| table.is_repeated());
        repeated.for_each(|table| notes.note_same_requests(table.endpoint()));
        let rows = manifest.rows.as_ref().map(|rows| RowPass::new(rows, &manifest.templates, &mut notes));
        let (problems, used) = (Problems::default(), manifest.used.clone());
        let wrong_ids = manifest.wrong_ids.clone();
        Self { manifest, next: (0, 0), rows, problems, used, notes, wrong_ids, jobs: 0, is_done: false }
    }

    /// All errors of head and rows, now that everything is read.
    fn errors(&mut self) -> Vec<Diagnostic> {
        let left_out = self.notes.left_out;
        *self.manifest.notes.lock().unwrap_or_else(PoisonError::into_inner) = std::mem::take(&mut self.notes);
        *self.manifest.all_wrong_ids.lock().unwrap_or_else(PoisonError::into_inner) =
            std::mem::take(&mut self.wrong_ids);
        let mut errors = self.manifest.errors.clone();
        errors.extend(self.manifest.templates.check_defaults(&self.used));
        let file = self.manifest.rows.as_ref().map_or(self.manifest.file.as_str(), |rows| &rows.file);
        errors.extend(std::mem::take(&mut self.problems).finish(file));
        if errors.is_empty() && self.jobs == 0 && left_out == 0 {
            errors.push(Diagnostic::error(&self.manifest.file, "there are no jobs in it"));
        }
        errors
    }
}

fn name(options: &OpenOptions) -> String {
    options.path.display().to_string()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// SHA-256 of all on which lines, order and `x_*` of a manifest's jobs depend: the bytes of its files by their digests, the flags that it
/// is read with, the endpoints that decide what its columns are, and the program that reads it.
fn reading(files: &[&str], options: &OpenOptions, catalog: &Catalog) -> serde_json::Result<[u8; 32]> {
    let OpenOptions { defaults, columns, table, path, .. } = options;
    let format = options.format.or_else(|| Format::of(path)).map(|format| format!("{format:?}"));
    let endpoints: Vec<_> = catalog.iter().map(|endpoint| &**endpoint).collect();
    let all = (env!("CARGO_PKG_VERSION"), files, defaults, columns, table, format, endpoints);
    Ok(Sha256::digest(serde_json::to_vec(&all)?).into())
}

/// The file from which a TOML manifest reads its rows, where that can be told: for whoever must not replace it and reads no job.
#[must_use]
pub fn rows_file_of(manifest: &Path) -> Option<PathBuf> {
    Format::of(manifest).filter(|format| *format == Format::Toml)?;
    let text = String::from_utf8(read_small(manifest, TOML_BYTES_MAX).ok()?).ok()?;
    let (document, _) = DeTable::parse_recoverable(&text);
    let file = document.get_ref().get("rows")?.get_ref().as_table()?.get("file")?.get_ref().as_str()?;
    Some(manifest.parent()?.join(file))
}

/// The folder that paths in the manifest are relative to.
pub(super) fn folder(options: &OpenOptions) -> PathBuf {
    let path = absolute(&options.path);
    path.parent().map(Path::to_owned).unwrap_or(path)
}

fn format(options: &OpenOptions) -> Result<Format, Vec<Diagnostic>> {
    options.format.or_else(|| Format::of(&options.path)).ok_or_else(|| {
        let error = Diagnostic::error(name(options), FORMAT_UNTOLD);
        vec![error.help(format_help(&options.path))]
    })
}

/// What is wrong where neither a file's name nor a person tells its format.
pub const FORMAT_UNTOLD: &str = "cannot tell whether this is TOML, CSV or a workbook";

/// What to do about a file whose name does not tell its format.
#[must_use]
pub fn format_help(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "xlsb" | "xls" | "fods" | "numbers" => {
            "a workbook of this kind is not read: open it in a spreadsheet program and save it as .xlsx"
        }
        _ => "name it .toml, .csv, .tsv, .txt, .xlsx, .xlsm or .ods, or give --manifest-format",
    }
}

fn unopened(file: &str, error: &io::Error) -> Vec<Diagnostic> {
    vec![unread(file, error)]
}

fn read_text(file: &str, bytes: &Bytes) -> Result<SourceText, Box<Diagnostic>> {
    let error = |message: String| Box::new(Diagnostic::error(file, message));
    if bytes.len > TOML_BYTES_MAX {
        let limit = TOML_BYTES_MAX / (1024 * 1024);
        let error = error(format!("larger than {limit} MiB, too much for TOML"));
        return Err(Box::new(error.help("put the jobs into a CSV and name it under [rows]")));
    }
    let raw = bytes.slice(0, bytes.len).map_err(|e| error(format!("cannot be read: {e}")))?;
    if let Some(error) = locate::no_text(file, &raw).or_else(|| locate::not_utf8(file, &raw, 1)) {
        return Err(Box::new(error));
    }
    let values = raw.iter().filter(|byte| matches!(byte, b'=' | b',' | b'[' | b'{')).count();
    if values > TOML_VALUES_MAX {
        let error = error("it holds more values than TOML is read with".to_owned());
        return Err(Box::new(error.help("put the jobs into a CSV and name it under [rows]")));
    }
    let text = String::from_utf8(raw).map_err(|e| error(format!("cannot be read: {e}")))?;
    Ok(SourceText::new(file, text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

fn line_of(document: &SourceText, line: u64) -> Place {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let start: usize = document.text.split_inclusive('\n').take(before).map(str::len).sum();
    let len = document.text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
    document.place(start..start + len)
}

/// `--default KEY=VALUE`, where the key can be one.
fn flag_defaults<'a>(options: &'a OpenOptions, errors: &mut Vec<Diagnostic>) -> FlagDefaults<'a> {
    let mut flags = FlagDefaults { entries: Vec::new(), endpoint: None, repeat: None };
    for (key, value) in &options.defaults {
        let (key, value, file) = (key.trim(), value.trim(), options.given_by.defaults.clone());
        let folded = fold(key);
        if folded == "endpoint" {
            flags.endpoint = Some(EndpointName { name: value.to_owned(), file, place: None });
        } else if folded == "repeat" {
            match repeat(Given::Text(value)) {
                Ok(takes) => flags.repeat = Some(takes),
                Err(wrong) => errors.push(wrong.into_diagnostic(&file, None)),
            }
        } else if let Some(help) = default_problem(&folded) {
            errors.push(Diagnostic::error(file, format!("{key} cannot be a default")).help(help));
        } else {
            let name = param_name(key).to_owned();
            flags.entries.push(DefaultEntry { name, is_flag: true, given: Given::Text(value), file, place: None });
        }
    }
    flags
}

fn flag_aliases(options: &OpenOptions) -> Vec<Alias> {
    let alias = |(header, name): &(String, String)| Alias {
        header: header.clone(),
        name: name.trim().to_owned(),
        file: options.given_by.columns.clone(),
        place: None,
    };
    options.columns.iter().map(alias).collect()
}

/// Opens the table that `[rows]` names. Where that fails, the error is the document's.
fn open_rows(options: &OpenOptions, table: RowsTable, catalog: &Catalog, errors: &mut Vec<Diagnostic>) -> Option<Rows> {
    let RowsTable { file, place, files, mut rules, table, declared, matrix } = table;
    let folder = folder(options);
    let path = folder.join(&file);
    let bytes = match Bytes::open(&path) {
        Ok(bytes) => bytes,
        Err(e) => {
            let mut error = Diagnostic::error(name(options), format!("rows: {file} cannot be read: {e}")).at(place);
            error.help = similar(&path, &ROWS_ENDINGS).map(|known| format!("did you mean \"{known}\"?"));
            errors.push(error);
            return None;
        }
    };
    rules.aliases.extend(flag_aliases(options));
    let row_options = RowsOptions {
        file: options.path.parent().unwrap_or(Path::new("")).join(&file).display().to_string(),
        format: Format::of(&path).and_then(Format::table).unwrap_or(TableFormat::Csv),
        table: options.table.clone().or(table),
        rules,
        declared,
        matrix,
        images: Images::new(files.map_or(folder.clone(), |files| folder.join(files))),
        init: None,
    };
    Rows::open(bytes, row_options, catalog, errors).map_err(|error| errors.push(*error)).ok()
}

/// The command that proposes what the columns of such a table are. None of standard input: it reads files.
fn init(options: &OpenOptions) -> Option<String> {
    if options.path == Path::new(STDIN) {
        return None;
    }
    let catalogs = options.catalogs.iter().map(|path| format!(" --catalog {}", shell(&path.display().to_string())));
    let catalogs: String = catalogs.collect();
    Some(format!("init {}{}{catalogs}", command::file(&name(options)), options.table.flags()))
}
