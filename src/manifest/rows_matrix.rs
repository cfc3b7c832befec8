//! The keys `matrix` and `exclude` of `[rows]`: each row of the table is a job in each combination. Rows name their endpoints, so that the
//! values are checked beside each endpoint of the catalogue, and what is wrong with one is told where a row is of it.

use std::sync::Arc;

use toml::de::DeTable;

use super::JobSpec;
use super::document::Reader;
use super::document_job::{Jobs, Keys};
use super::document_matrix::{OF_ROW, Written};
use super::image::Images;
use super::matrix::{Axis, Matrix, take_suffix};
use super::names::{fold, id_problem};
use super::problems::Problems;
use super::template::{Template, Templates};
use super::values::{Given, Wrong, check, expected};
use crate::catalog::Value;
use crate::diagnostic::Diagnostic;

/// What varies in every row of a table.
pub(super) struct RowsMatrix {
    /// By template: its combinations, or what is wrong with them there. Nothing is told of what was told already.
    of_templates: Vec<Result<Arc<Matrix>, Vec<Diagnostic>>>,
    /// The `x_*` that varies, which makes no other content.
    label: Option<String>,
}

impl RowsMatrix {
    /// How many jobs it makes of a row, for a person; none where it is wrong.
    pub(super) fn words(&self) -> Option<String> {
        let good = self.of_templates.iter().find_map(|matrix| matrix.as_ref().ok())?;
        Some(format!("matrix under [rows]: {} a row", good.words()))
    }
}

/// A matrix of rows, as an endpoint has it.
#[derive(Default)]
pub(super) struct OfEndpoint {
    matrix: Option<Arc<Matrix>>,
    /// It is wrong, which is told: rows are read for their other errors alone.
    is_wrong: bool,
    label: Option<String>,
    /// What ids get behind them at most.
    longest_suffix: String,
}

impl OfEndpoint {
    /// That of the rows at the endpoint of that template, whose first row has come: what is wrong with it is told, unless it was at an
    /// endpoint `before` it.
    pub(super) fn of(
        rows: Option<&RowsMatrix>,
        template: usize,
        before: impl Iterator<Item = usize>,
        problems: &mut Problems,
    ) -> Self {
        let Some((rows, matrix)) = rows.and_then(|rows| Some((rows, rows.of_templates.get(template)?))) else {
            return Self::default();
        };
        match matrix {
            Ok(matrix) => Self {
                matrix: Some(Arc::clone(matrix)),
                is_wrong: false,
                label: rows.label.clone(),
                longest_suffix: Matrix::longest_suffix(matrix.axes()),
            },
            Err(errors) => {
                let told: Vec<&Diagnostic> =
                    before.filter_map(|at| rows.of_templates.get(at)?.as_ref().err()).flatten().collect();
                let new = errors.iter().filter(|error| !told.contains(error));
                new.for_each(|error| problems.push(error.clone()));
                Self { is_wrong: true, ..Self::default() }
            }
        }
    }

    fn axes(&self) -> &[Axis] {
        self.matrix.as_ref().map_or(&[], |matrix| matrix.axes())
    }

    pub(super) const fn is_wrong(&self) -> bool {
        self.is_wrong
    }

    /// The first value of the parameter at that place, where it varies.
    pub(super) fn first_of(&self, param: usize) -> Option<&Value> {
        self.axes().iter().find_map(|axis| axis.first_of(param))
    }

    /// Whether it gives that `x_*`.
    pub(super) fn labels(&self, name: &str) -> bool {
        self.axes().iter().any(|axis| matches!(axis, Axis::Extra(known, _) if fold(known) == fold(name)))
    }

    /// That a row has an id where one is needed, and that its ids are not too long.
    pub(super) fn check_id(&self, id: Option<&str>, takes: u32) -> Result<(), Box<Wrong>> {
        let Some(id) = id else {
            let Some(label) = &self.label else { return Ok(()) };
            let wrong = Wrong::new(format!("matrix: {label} varies, and the row has no id"));
            return Err(Box::new(wrong.help("give each row an id: x_* makes no other content")));
        };
        if (takes == 1 && self.longest_suffix.is_empty()) || id_problem(id).is_some() {
            return Ok(());
        }
        let suffix = format!("{}{}", self.longest_suffix, take_suffix(takes));
        if id_problem(&format!("{id}{suffix}")).is_none() {
            return Ok(());
        }
        let words = format!("at most 128 characters with what a matrix or `repeat` puts behind it, such as {suffix}");
        Err(Box::new(expected("id", &words, Given::Text(id)).help("shorten the id, or leave it out")))
    }

    /// That a row does not stand for too many takes.
    pub(super) fn check_takes(&self, takes: u32) -> Result<(), Box<Wrong>> {
        let checked = OF_ROW.check(self.matrix.as_deref(), takes);
        checked.map_err(|(words, help)| Box::new(Wrong::new(words).help(help)))
    }

    /// What a row stands for, where everything in it is good.
    pub(super) fn of_good(&self, is_good: bool) -> Option<Option<Arc<Matrix>>> {
        (is_good && !self.is_wrong).then(|| self.matrix.clone())
    }
}

impl Reader<'_> {
    /// Reads the `matrix` of `[rows]`.
    pub(super) fn rows_matrix(
        &mut self,
        rows: &DeTable<'_>,
        templates: &Templates,
        images: &Images,
    ) -> Option<RowsMatrix> {
        if !rows.contains_key("matrix") {
            if let Some((key, _)) = rows.get_key_value("exclude") {
                let error = self.error("rows: exclude: there is no matrix to exclude from".to_owned(), key.span());
                self.errors.push(error.help("write matrix = { duration = [5, 10] } before it, or remove it"));
            }
            return None;
        }
        let (source, before) = (self.source, self.errors.len());
        let mut keys = Keys::default();
        let mut jobs = Jobs::new(self, templates, images);
        let written = jobs.written(rows, &mut keys, &OF_ROW);
        jobs.finish();
        let Some(written) = written.filter(|_| self.errors.len() == before) else {
            let of_templates = templates.list.iter().map(|_| Err(Vec::new())).collect();
            return Some(RowsMatrix { of_templates, label: None });
        };
        let of = |template: &Template| {
            let mut errors = Vec::new();
            let mut reader = Reader { source, errors: &mut errors };
            let mut jobs = Jobs::new(&mut reader, templates, images);
            let matrix = jobs.at_endpoint(template, &keys, &written);
            jobs.finish();
            matrix.filter(|_| errors.is_empty()).map(Arc::new).ok_or(errors)
        };
        let of_templates = templates.list.iter().map(of).collect();
        Some(RowsMatrix { of_templates, label: written.label().map(str::to_owned) })
    }
}

impl Jobs<'_, '_, '_> {
    /// A matrix beside that endpoint; none where it is wrong there, which is told.
    fn at_endpoint(&mut self, template: &Template, keys: &Keys<'_>, written: &Written<'_>) -> Option<Matrix> {
        self.unknown(template, keys, "row");
        let mut values = vec![None; template.base.len()];
        for (param, first) in template.endpoint.params.iter().zip(&mut values) {
            let Some((.., value)) = keys.params.iter().find(|(name, ..)| *name == param.name) else { continue };
            match check(param, self.reader.given(value), self.images) {
                Ok(value) => *first = Some(value),
                Err(wrong) => self.wrong(*wrong, value.span()),
            }
        }
        let rest = self.rest(template, written);
        if self.has_wrong || !self.reader.errors.is_empty() {
            return None;
        }
        let (endpoint, extra) = (Arc::clone(&template.endpoint), keys.extra.clone());
        let first = JobSpec { line: 0, id: None, endpoint, values, extra, max_sats: None, take: 1, nonce: None };
        self.matrix(&first, written, rest)
    }
}
