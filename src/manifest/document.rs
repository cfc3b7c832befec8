//! A TOML manifest: its head, its `[[job]]` tables, and where its `[rows]` are.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document_job::{Jobs, Read};
use super::document_rows::RowsTable;
use super::image::Images;
use super::matrix::JobTable;
use super::names::{LATER_KEYS, PARAMS_PREFIX, name_problem};
use super::template::{DefaultEntry, Templates, default_problem};
use super::values::{Given, integer_of, repeat, shown};
use super::{Duplicates, Edition, Limits, limits};
use crate::catalog::{Catalog, Endpoint};
use crate::diagnostic::{Diagnostic, Place, SourceText, closest};

const KEYS: &[&str] = &["version", "name", "duplicates", "edition", "defaults", "limits", "rows", "job", "endpoint"];
const VERSION: i64 = 1;
/// Syntax errors that are shown.
const FAULTS_MAX: usize = 50;
/// Once so many errors are found, what follows is not checked: each error costs a look through the file.
const ERRORS_MAX: usize = 500;
/// The most keys of a table that is no job. The place of each is found by a look through the file.
const KEYS_MAX: usize = 1_000;

/// The endpoints that a manifest finds, and those that count whatever its own tables say.
pub(super) struct Catalogs<'c> {
    pub(super) all: &'c mut Catalog,
    pub(super) frozen: &'c [Endpoint],
}

/// Everything that a TOML manifest says.
pub(super) struct Document {
    pub(super) name: Option<String>,
    pub(super) duplicates: Option<Duplicates>,
    pub(super) edition: Option<Edition>,
    pub(super) limits: Limits,
    pub(super) templates: Templates,
    pub(super) jobs: Vec<JobTable>,
    /// By template: whether a `[[job]]` uses it.
    pub(super) used: Vec<bool>,
    /// Ids of jobs that have an error, with their lines.
    pub(super) wrong_ids: Vec<(u64, String)>,
    pub(super) rows: Option<RowsTable>,
}

/// A default endpoint as it is given, with the place where that was said.
pub(super) struct EndpointName {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) place: Option<Place>,
}

/// What stands under `[defaults]` beside parameters, or is said by flags.
pub(super) struct FlagDefaults<'a> {
    pub(super) entries: Vec<DefaultEntry<'a>>,
    pub(super) endpoint: Option<EndpointName>,
    /// How many takes are planned of each job.
    pub(super) repeat: Option<u32>,
}

/// Reads one document; every error goes to `errors`.
pub(super) struct Reader<'a> {
    pub(super) source: &'a SourceText,
    pub(super) errors: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Reads the whole document. What cannot be parsed is reported, and the rest read all the same.
    pub(super) fn document(
        mut self,
        Catalogs { all: catalog, frozen }: Catalogs<'_>,
        defined_in: &str,
        flags: FlagDefaults<'_>,
        images: &Images,
    ) -> Document {
        let (document, faults) = DeTable::parse_recoverable(&self.source.text);
        let table = document.get_ref();
        let faulty_lines = self.faults(&faults);
        let before = self.errors.len();
        self.known_keys(table);
        if let Some(endpoints) = self.table(table, "endpoint") {
            catalog.merge(self.source, endpoints, defined_in, self.errors);
        }
        frozen.iter().for_each(|endpoint| catalog.put(endpoint.clone()));
        let (templates, Read { used, list: jobs, wrong_ids }) = self.jobs(table, catalog, flags, images);
        let limits = self.table(table, "limits").map(|table| limits::read(self.source, table, self.errors));
        let rows = self.table(table, "rows").and_then(|rows| {
            let matrix = self.rows_matrix(rows, &templates, images);
            Some(RowsTable { matrix, ..self.rows(rows, table)? })
        });
        let name = self.name(table);
        let (duplicates, edition) = (self.duplicates(table), self.edition(table));
        // What follows from a line that cannot be parsed is no error of its own.
        let follows = |error: &Diagnostic| error.place.as_ref().is_some_and(|place| faulty_lines.contains(&place.line));
        let found = self.errors.split_off(before.min(self.errors.len()));
        self.errors.extend(found.into_iter().filter(|error| !follows(error)));
        // Jobs that were passed over say so themselves.
        if self.errors.len() == ERRORS_MAX {
            let error = Diagnostic::error(&self.source.file, "there may be more errors, which were not looked for");
            self.errors.push(error.help("mend what is shown, then plan again"));
        }
        Document {
            name,
            duplicates,
            edition,
            limits: limits.unwrap_or_default(),
            templates,
            jobs,
            used,
            wrong_ids,
            rows,
        }
    }

    fn faults(&mut self, faults: &[toml::de::Error]) -> Vec<u64> {
        let mut lines = Vec::new();
        for fault in faults.iter().take(FAULTS_MAX) {
            let mut error = self.error(format!("not TOML: {}", fault.message()), fault.span().unwrap_or_default());
            error.help = Some("text stands in quotes, lines end without a comma".to_owned());
            let line = error.place.as_ref().map_or(0, |place| place.line);
            // One slip draws several complaints from a parser; the first says most.
            if !lines.contains(&line) {
                lines.push(line);
                self.errors.push(error);
            }
        }
        lines
    }

    fn known_keys(&mut self, table: &DeTable<'_>) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !KEYS.contains(&name) && !self.is_full() {
                self.unknown_key("", name, key.span(), KEYS);
            }
        }
        if let Some(version) = table.get("version")
            && integer_of(version.get_ref()) != Some(VERSION)
        {
            self.mismatch("version", "1, the version that this program reads", version);
        }
    }

    fn name(&mut self, table: &DeTable<'_>) -> Option<String> {
        let value = table.get("name")?;
        let name = value.get_ref().as_str().map(str::trim);
        let Some(problem) = name.map_or(Some("a text of 1 to 128 printable characters"), name_problem) else {
            return name.map(str::to_owned);
        };
        self.mismatch("name", problem, value);
        None
    }

    fn duplicates(&mut self, table: &DeTable<'_>) -> Option<Duplicates> {
        let value = table.get("duplicates")?;
        let word = value.get_ref().as_str().and_then(Duplicates::from_word);
        if word.is_none() {
            self.mismatch("duplicates", "\"ask\", \"skip\" or \"buy\"", value);
        }
        word
    }

    fn edition(&mut self, table: &DeTable<'_>) -> Option<Edition> {
        let value = table.get("edition")?;
        let text = value.get_ref().as_str().map(str::trim);
        match text.ok_or("a text").and_then(Edition::parse) {
            Ok(edition) => Some(edition),
            Err(expected) => {
                self.mismatch("edition", expected, value);
                None
            }
        }
    }

    fn jobs(
        &mut self,
        table: &DeTable<'_>,
        catalog: &Catalog,
        flags: FlagDefaults<'_>,
        images: &Images,
    ) -> (Templates, Read) {
        let mut given = FlagDefaults { entries: Vec::new(), endpoint: None, repeat: None };
        if let Some(defaults) = self.table(table, "defaults") {
            self.defaults(defaults, &mut given);
        }
        given.entries.extend(flags.entries);
        let mut templates = Templates::new(catalog, &given.entries, images);
        templates.default_repeat = flags.repeat.or(given.repeat).unwrap_or(1);
        let defined = table.get("endpoint").and_then(|value| value.get_ref().as_table());
        let names = defined.into_iter().flat_map(DeTable::keys).map(|key| key.get_ref().as_ref());
        templates.broken = names.filter(|name| catalog.get(name).is_none()).map(str::to_owned).collect();
        set_default_endpoint(&mut templates, flags.endpoint.or(given.endpoint), self.errors);
        let mut jobs = Jobs::new(self, &templates, images);
        match table.get("job").map(Spanned::get_ref) {
            None => {}
            Some(DeValue::Array(items)) => items.iter().for_each(|item| jobs.add(item)),
            Some(_) => jobs.not_a_list(table),
        }
        let read = jobs.finish();
        (templates, read)
    }

    fn defaults<'t>(&mut self, table: &'t DeTable<'t>, given: &mut FlagDefaults<'t>)
    where
        'a: 't,
    {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match (name, value.get_ref()) {
                ("endpoint", DeValue::String(text)) => {
                    let place = Some(self.source.place(value.span()));
                    let file = self.source.file.clone();
                    given.endpoint = Some(EndpointName { name: text.trim().to_owned(), file, place });
                }
                ("repeat", _) => match repeat(self.given(value)) {
                    Ok(takes) => given.repeat = Some(takes),
                    Err(wrong) => {
                        let place = Some(self.source.place(value.span()));
                        self.errors.push(wrong.into_diagnostic(&self.source.file, place));
                    }
                },
                ("endpoint", _) => self.mismatch("endpoint", "an endpoint's name", value),
                ("params", DeValue::Table(params)) if params.len() <= KEYS_MAX => {
                    let named = params.iter().map(|(key, value)| self.default_entry(key, value));
                    given.entries.extend(named);
                }
                ("params", _) => self.mismatch("params", "a table of parameters", value),
                _ => match default_problem(name) {
                    Some(help) => {
                        let error = self.error(format!("{name} cannot be a default"), key.span());
                        self.errors.push(error.help(help));
                    }
                    None => given.entries.push(self.default_entry(key, value)),
                },
            }
        }
    }

    fn default_entry<'t>(
        &self,
        key: &Spanned<toml::de::DeString<'t>>,
        value: &'t Spanned<DeValue<'t>>,
    ) -> DefaultEntry<'t>
    where
        'a: 't,
    {
        DefaultEntry {
            name: key.get_ref().as_ref().to_owned(),
            is_flag: false,
            given: self.given(value),
            file: self.source.file.clone(),
            place: Some(self.source.place(key.span().start..value.span().end)),
        }
    }
}

/// What each part of a document needs.
impl<'a> Reader<'a> {
    pub(super) fn error(&self, message: String, span: std::ops::Range<usize>) -> Diagnostic {
        Diagnostic::error(&self.source.file, message).at(self.source.place(span))
    }

    /// A value with its text in the file.
    pub(super) fn given<'t>(&self, value: &'t Spanned<DeValue<'t>>) -> Given<'t>
    where
        'a: 't,
    {
        Given::Toml(value.get_ref(), self.source.text.get(value.span()).unwrap_or_default())
    }

    /// Whether so many errors are found that no more are looked for.
    pub(super) fn is_full(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    /// `name: expected words, got value`.
    pub(super) fn mismatch(&mut self, name: &str, words: &str, value: &Spanned<DeValue<'_>>) {
        let got = shown(self.source.text.get(value.span()).unwrap_or_default());
        let error = self.error(format!("{name}: expected {words}, got {got}"), value.span());
        self.errors.push(error);
    }

    pub(super) fn unknown_key(&mut self, of: &str, name: &str, span: std::ops::Range<usize>, known: &[&str]) {
        let error = match name {
            "matrix" => self
                .error(format!("{of}matrix: it stands in a [[job]], or under [rows]"), span)
                .help("write it in each [[job]] that it is for, or under [rows] for every row"),
            _ if LATER_KEYS.contains(&name) => self.not_yet(name, span),
            _ => self.error(format!("{of}unknown key \"{name}\""), span).help(
                match closest(name, known.iter().copied()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("the keys are {}", known.join(", ")),
                },
            ),
        };
        self.errors.push(error);
    }

    pub(super) fn not_yet(&self, name: &str, span: std::ops::Range<usize>) -> Diagnostic {
        let help = format!("remove it; a parameter of that name is written {PARAMS_PREFIX}{name}");
        self.error(format!("{name}: not yet; the name is kept for a later version"), span).help(help)
    }

    pub(super) fn table<'t>(&mut self, table: &'t DeTable<'t>, name: &str) -> Option<&'t DeTable<'t>> {
        let value = table.get(name)?;
        let found = value.get_ref().as_table();
        match found {
            Some(found) if found.len() > KEYS_MAX => {
                self.mismatch(name, &format!("a table of at most {KEYS_MAX} keys"), value);
                return None;
            }
            Some(_) => {}
            None => self.mismatch(name, "a table", value),
        }
        found
    }

    pub(super) fn text<'t>(
        &mut self,
        table: &'t DeTable<'t>,
        name: &str,
    ) -> Option<(&'t str, &'t Spanned<DeValue<'t>>)> {
        let value = table.get(name)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.mismatch(name, "a text", value);
        }
        text.map(|text| (text, value))
    }
}

/// Sets the default endpoint, which must be known.
pub(super) fn set_default_endpoint(
    templates: &mut Templates,
    given: Option<EndpointName>,
    errors: &mut Vec<Diagnostic>,
) {
    let Some(EndpointName { name, file, place }) = given else { return };
    templates.default_endpoint = templates.find(&name);
    templates.is_default_wrong = templates.default_endpoint.is_none();
    if templates.is_default_wrong && !templates.is_broken(&name) {
        let mut error = Diagnostic::error(file, format!("unknown endpoint \"{}\"", shown(&name)));
        error.place = place;
        errors.push(error.help(templates.suggest_endpoint(&name)));
    }
}
