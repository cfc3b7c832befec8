//! The `[[job]]` tables of a TOML manifest.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Reader;
use super::document_matrix::{OF_JOB, Rest, Written};
use super::image::Images;
use super::locate::newlines;
use super::matrix::{JobTable, Matrix, take_suffix};
use super::names::{EXTRA_PREFIX, JOB_KEYS, LATER_KEYS, id_problem, normal_id};
use super::problems::Problems;
use super::template::{Template, Templates};
use super::values::{Wrong, check, extra_text, max_sats, repeat, shown};
use super::{JobSpec, WRONG_IDS_MAX};
use crate::catalog::Value;
use crate::csv_escape::lf;
use crate::diagnostic::{Diagnostic, closest};
use crate::money::Sats;

/// Reads job after job.
pub(super) struct Jobs<'r, 'a, 't> {
    pub(super) reader: &'r mut Reader<'a>,
    templates: &'t Templates,
    pub(super) images: &'t Images,
    read: Read,
    problems: Problems,
    /// Something is wrong with a value of the job at hand.
    pub(super) has_wrong: bool,
    not_checked: u64,
    /// A byte and its line: jobs come in order, so that lines are counted once over the whole file.
    counted: (usize, u64),
}

/// What was read.
pub(super) struct Read {
    /// By template: whether a job uses it.
    pub(super) used: Vec<bool>,
    /// The tables in which all is good.
    pub(super) list: Vec<JobTable>,
    /// Ids of the others, with their lines.
    pub(super) wrong_ids: Vec<(u64, String)>,
}

/// A key, its place, and its value.
pub(super) type Pair<'v> = (&'v str, std::ops::Range<usize>, &'v Spanned<DeValue<'v>>);

/// A job's keys, sorted out.
#[derive(Default)]
pub(super) struct Keys<'v> {
    id: Option<String>,
    endpoint: Option<Pair<'v>>,
    max_sats: Option<Sats>,
    /// How many takes of it are planned, where it says so.
    repeat: Option<u32>,
    pub(super) params: Vec<Pair<'v>>,
    pub(super) extra: Vec<(String, String)>,
    /// Parameters of which it is reported already that they cannot be read.
    pub(super) unread: Vec<&'v str>,
}

impl<'r, 'a, 't> Jobs<'r, 'a, 't> {
    pub(super) fn new(reader: &'r mut Reader<'a>, templates: &'t Templates, images: &'t Images) -> Self {
        let read = Read { used: vec![false; templates.list.len()], list: Vec::new(), wrong_ids: Vec::new() };
        let problems = Problems::default();
        Self { reader, templates, images, read, problems, has_wrong: false, not_checked: 0, counted: (0, 1) }
    }

    /// All that was read; errors go to the reader.
    pub(super) fn finish(self) -> Read {
        self.reader.errors.extend(self.problems.finish(&self.reader.source.file));
        if self.not_checked > 0 {
            let message = format!("{} more jobs were not checked", crate::money::thousands(self.not_checked));
            let error = Diagnostic::error(&self.reader.source.file, message);
            self.reader.errors.push(error.help("mend what is shown, then plan again"));
        }
        self.read
    }

    /// `job` is there and is no list of tables.
    pub(super) fn not_a_list(&mut self, table: &DeTable<'_>) {
        if let Some((key, _)) = table.get_key_value("job") {
            let error = self.reader.error("job: expected a list of tables".to_owned(), key.span());
            self.reader.errors.push(error.help("write [[job]] before each job"));
        }
    }

    /// Reads one job; it is kept if nothing is wrong with it.
    pub(super) fn add<'v>(&mut self, item: &'v Spanned<DeValue<'v>>)
    where
        'a: 'v,
    {
        let before = self.reader.errors.len();
        if self.reader.is_full() {
            self.not_checked += 1;
            return;
        }
        let Some(table) = item.get_ref().as_table() else {
            return self.reader.mismatch("job", "a table", item);
        };
        let line = self.line_of(item.span().start);
        self.has_wrong = false;
        let mut keys = self.keys(table);
        // The ids of a matrix are others.
        let id = keys.id.clone().filter(|_| !table.contains_key("matrix"));
        let written = self.written(table, &mut keys, &OF_JOB);
        let takes = keys.repeat.unwrap_or(self.templates.default_repeat);
        let job = self.job(keys, item, written.as_ref());
        let job = job.filter(|_| self.reader.errors.len() == before && !self.has_wrong);
        let job = job.and_then(|(job, rest)| {
            let job = JobSpec { line, ..job };
            let matrix = match &written {
                Some(written) => {
                    self.check_labels(&job, written)?;
                    Some(Arc::new(self.matrix(&job, written, rest)?))
                }
                None => None,
            };
            self.check_takes(&job, matrix.as_deref(), takes, item)?;
            Some(JobTable::new(job, matrix, takes))
        });
        match job.filter(|_| self.reader.errors.len() == before) {
            Some(job) => self.read.list.push(job),
            None if self.read.wrong_ids.len() < WRONG_IDS_MAX => self.read.wrong_ids.extend(id.map(|id| (line, id))),
            None => {}
        }
    }

    /// That there are not too many planned takes, and that their ids are not too long.
    fn check_takes(
        &mut self,
        job: &JobSpec,
        matrix: Option<&Matrix>,
        takes: u32,
        item: &Spanned<DeValue<'_>>,
    ) -> Option<()> {
        if let Err((words, help)) = OF_JOB.check(matrix, takes) {
            let written = item.get_ref().as_table().and_then(|table| table.get("repeat"));
            let error = self.reader.error(words, written.map_or_else(|| item.span(), Spanned::span));
            self.reader.errors.push(error.help(help));
            return None;
        }
        let suffix = matrix.map(|matrix| Matrix::longest_suffix(matrix.axes())).unwrap_or_default();
        let longest = job.id.as_ref().map(|id| format!("{id}{suffix}{}", take_suffix(takes)));
        let Some(longest) = longest.filter(|id| takes > 1 && id_problem(id).is_some()) else { return Some(()) };
        let words = format!("repeat: the id of a take is longer than 128 characters: {longest}");
        let error = self.reader.error(words, item.span());
        self.reader.errors.push(error.help("shorten the job's id, or leave it out"));
        None
    }

    /// The job, where its endpoint is known and no default of it is wrong, with the other values of its matrix; its line is still to be
    /// said.
    fn job<'v>(
        &mut self,
        keys: Keys<'v>,
        item: &'v Spanned<DeValue<'v>>,
        written: Option<&Written<'v>>,
    ) -> Option<(JobSpec, Vec<Rest>)>
    where
        'a: 'v,
    {
        let template_at = self.endpoint(&keys, item)?;
        let template = self.templates.list.get(template_at)?;
        if let Some(used) = self.read.used.get_mut(template_at) {
            *used = true;
        }
        let values = self.values(template, &keys, item);
        let rest = written.map(|written| self.rest(template, written)).unwrap_or_default();
        let endpoint = Arc::clone(&template.endpoint);
        let Keys { id, max_sats, extra, .. } = keys;
        let is_good = !template.rests_on_wrong_default(&values);
        is_good.then_some((JobSpec { line: 0, id, endpoint, values, extra, max_sats, take: 1, nonce: None }, rest))
    }

    fn line_of(&mut self, byte: usize) -> u64 {
        let (from, line) = if self.counted.0 <= byte { self.counted } else { (0, 1) };
        let passed = self.reader.source.text.as_bytes().get(from..byte).unwrap_or_default();
        self.counted = (byte, line + newlines(passed));
        self.counted.1
    }

    fn keys<'v>(&mut self, table: &'v DeTable<'v>) -> Keys<'v>
    where
        'a: 'v,
    {
        let mut keys = Keys::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "id" => keys.id = self.id(value),
                "endpoint" => keys.endpoint = Some((name, key.span(), value)),
                "max_sats" => match max_sats(self.reader.given(value)) {
                    Ok(sats) => keys.max_sats = Some(sats),
                    Err(wrong) => self.wrong(wrong, value.span()),
                },
                "repeat" => match repeat(self.reader.given(value)) {
                    Ok(takes) => keys.repeat = Some(takes),
                    Err(wrong) => self.wrong(wrong, value.span()),
                },
                "params" => match value.get_ref().as_table() {
                    Some(params) => {
                        keys.params.extend(params.iter().map(|(k, v)| (k.get_ref().as_ref(), k.span(), v)));
                    }
                    None => self.reader.mismatch("params", "a table of parameters", value),
                },
                // Read once the others are.
                "matrix" => {}
                "exclude" if table.contains_key("matrix") => {}
                _ if LATER_KEYS.contains(&name) => {
                    let error = self.reader.not_yet(name, key.span());
                    self.reader.errors.push(error);
                }
                _ if name.len() > EXTRA_PREFIX.len() && name.starts_with(EXTRA_PREFIX) => {
                    self.extra(name, value, &mut keys)
                }
                _ => keys.params.push((name, key.span(), value)),
            }
        }
        keys
    }

    fn id(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let id = value.get_ref().as_str().map(str::trim).filter(|id| id_problem(id).is_none());
        if id.is_none() {
            self.reader.mismatch("id", "a text of 1 to 128 printable characters", value);
            if value.get_ref().is_integer()
                && let Some(error) = self.reader.errors.last_mut()
            {
                error.help = Some("put it in quotes".to_owned());
            }
        }
        id.map(|id| normal_id(id).into_owned())
    }

    pub(super) fn extra<'v>(&mut self, name: &str, value: &'v Spanned<DeValue<'v>>, keys: &mut Keys<'v>)
    where
        'a: 'v,
    {
        match extra_text(self.reader.given(value)) {
            Some(text) if text.is_empty() => {}
            Some(text) => keys.extra.push((name.to_owned(), lf(&text).into_owned())),
            None if self.reader.is_full() => {}
            None => self.reader.mismatch(name, "a text, a number or a truth value", value),
        }
    }

    fn endpoint(&mut self, keys: &Keys<'_>, item: &Spanned<DeValue<'_>>) -> Option<usize> {
        let Some((_, _, value)) = &keys.endpoint else {
            if self.templates.default_endpoint.is_none() && !self.templates.is_default_wrong {
                let example = self.templates.names().next().unwrap_or("NAME").to_owned();
                let error = self.reader.error("endpoint: the job names none".to_owned(), item.span());
                let help = format!("write endpoint = \"{example}\" here or under [defaults]");
                self.reader.errors.push(error.help(help));
            }
            return self.templates.default_endpoint;
        };
        let Some(name) = value.get_ref().as_str().map(str::trim) else {
            self.reader.mismatch("endpoint", "an endpoint's name", value);
            return None;
        };
        let found = self.templates.find(name);
        if found.is_none() && !self.templates.is_broken(name) {
            let error = self.reader.error(format!("unknown endpoint \"{}\"", shown(name)), value.span());
            self.reader.errors.push(error.help(self.templates.suggest_endpoint(name)));
        }
        found
    }

    fn values<'v>(&mut self, template: &Template, keys: &Keys<'v>, item: &Spanned<DeValue<'_>>) -> Vec<Option<Value>>
    where
        'a: 'v,
    {
        self.unknown(template, keys, "job");
        let mut values = Vec::with_capacity(template.base.len());
        for (param, base) in template.endpoint.params.iter().zip(&template.base) {
            let mut given = keys.params.iter().filter(|(name, ..)| *name == param.name);
            let value = match given.next() {
                None => base.clone(),
                Some((_, _, value)) => match check(param, self.reader.given(value), self.images) {
                    Ok(value) => Some(value),
                    Err(wrong) => {
                        self.wrong(*wrong, value.span());
                        continue;
                    }
                },
            };
            if let Some((name, span, _)) = given.next() {
                let error = self.reader.error(format!("{name} is given twice"), span.clone());
                self.reader.errors.push(error.help("keep one of the two"));
            }
            if value.is_none() && template.must_have(param) && !keys.unread.contains(&param.name.as_str()) {
                self.wrong(template.missing(param), item.span());
            }
            values.push(value);
        }
        values
    }

    /// Keys that the endpoint of this job, or row, does not take.
    pub(super) fn unknown(&mut self, template: &Template, keys: &Keys<'_>, whose: &str) {
        for (name, span, _) in &keys.params {
            if template.endpoint.param(name).is_some() || self.reader.is_full() {
                continue;
            }
            let is_elsewhere = self.templates.list.iter().any(|other| other.endpoint.param(name).is_some());
            let (message, help) = if is_elsewhere {
                let message = format!("{name}: {} does not take it", template.endpoint.name);
                (message, format!("remove it, or change the {whose}'s endpoint"))
            } else {
                let own = closest(name, JOB_KEYS.iter().copied().filter(|key| key != name));
                let help = own.map(|own| format!("did you mean \"{own}\"?"));
                (format!("unknown key \"{name}\""), help.unwrap_or_else(|| template.suggest_param(name)))
            };
            let error = self.reader.error(message, span.clone());
            self.reader.errors.push(error.help(help));
        }
    }

    pub(super) fn wrong(&mut self, wrong: Wrong, span: std::ops::Range<usize>) {
        self.has_wrong = true;
        let source = self.reader.source;
        // Its job's line was counted last, and lines are counted from there.
        let (from, line) = self.counted;
        let passed = source.text.as_bytes().get(from..span.start).unwrap_or_default();
        let line = line + newlines(passed);
        self.problems.add(line, wrong, |wrong| wrong.into_diagnostic(&source.file, Some(source.place(span))));
    }
}
