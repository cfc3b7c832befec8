//! A manifest as it would be with a parameter edited alike in every job.

use std::sync::Arc;

use super::image::Images;
use super::names::fold;
use super::open::folder;
use super::template::param_name;
use super::values::{Given, Wrong, check};
use super::{JobSource, JobSpec, Manifest};
use crate::catalog::{Endpoint, Value};
use crate::diagnostic::{Diagnostic, Place};

/// The jobs of a manifest, with the same cells in each of them. A manifest with errors of its own has them here too.
pub struct Edited<'m> {
    manifest: &'m Manifest,
    /// Parameters by name, as headers are compared, and what would stand in their cells.
    cells: &'m [(String, String)],
    /// Where pictures that are named in `[[job]]` tables are.
    images: Images,
}

impl Manifest {
    /// The same jobs, each with these cells (a parameter's name, and its text) in the place of what it has there.
    #[must_use]
    pub fn edited<'m>(&'m self, cells: &'m [(String, String)]) -> Edited<'m> {
        Edited { manifest: self, cells, images: Images::new(folder(&self.options)) }
    }
}

impl JobSource for Edited<'_> {
    fn jobs(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        Box::new(self.editing(self.manifest.jobs()))
    }

    fn jobs_to_price(&self) -> Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + '_> {
        Box::new(self.editing(self.manifest.jobs_to_price()))
    }

    fn file(&self) -> &str {
        self.manifest.file()
    }

    fn ids_of_wrong(&self) -> Vec<(u64, String)> {
        self.manifest.ids_of_wrong()
    }

    fn place_of_line(&self, line: u64) -> Place {
        self.manifest.place_of_line(line)
    }
}

/// One reading.
struct Editing<'a> {
    edited: &'a Edited<'a>,
    jobs: Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + 'a>,
    index: u64,
    /// How many of them `[[job]]` tables stand for.
    table_jobs: u64,
    last: Option<Cells>,
}

/// The cells as an endpoint takes them: most often that of the next job too.
struct Cells {
    endpoint: Arc<Endpoint>,
    /// For jobs that are rows, and not `[[job]]` tables.
    of_rows: bool,
    /// By the positions of the parameters.
    values: Result<Vec<(usize, Value)>, Diagnostic>,
}

impl Iterator for Editing<'_> {
    type Item = Result<JobSpec, Vec<Diagnostic>>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.jobs.next()?;
        let of_rows = self.index >= self.table_jobs;
        self.index += 1;
        Some(next.and_then(|job| self.edit(job, of_rows)))
    }
}

impl Editing<'_> {
    /// What is wrong comes as one error a job, so that errors count jobs.
    fn edit(&mut self, mut job: JobSpec, of_rows: bool) -> Result<JobSpec, Vec<Diagnostic>> {
        let is_same = |cells: &Cells| Arc::ptr_eq(&cells.endpoint, &job.endpoint) && cells.of_rows == of_rows;
        let cells = match self.last.take().filter(is_same) {
            Some(cells) => self.last.insert(cells),
            None => self.last.insert(self.edited.cells_of(&job.endpoint, of_rows)),
        };
        match &cells.values {
            Ok(values) => {
                for (at, value) in values {
                    if let Some(cell) = job.values.get_mut(*at) {
                        *cell = Some(value.clone());
                    }
                }
                Ok(job)
            }
            Err(wrong) => {
                let (line, text) = (job.line, String::new());
                Err(vec![wrong.clone().at(Place {
                    sheet: None,
                    line,
                    column: 1,
                    width: 1,
                    text,
                    also_lines: Vec::new(),
                })])
            }
        }
    }
}

impl Edited<'_> {
    fn editing<'a>(&'a self, jobs: Box<dyn Iterator<Item = Result<JobSpec, Vec<Diagnostic>>> + 'a>) -> Editing<'a> {
        Editing { edited: self, jobs, index: 0, table_jobs: self.manifest.table_jobs(), last: None }
    }

    fn cells_of(&self, endpoint: &Arc<Endpoint>, of_rows: bool) -> Cells {
        let rows = self.manifest.rows.as_ref().filter(|_| of_rows);
        let file = rows.map_or(self.manifest.file(), |rows| &rows.file);
        let images = rows.map_or(&self.images, |rows| &rows.images);
        let values = self.cells.iter().map(|cell| value(endpoint, cell, images)).collect::<Result<_, _>>();
        let values = values.map_err(|wrong| wrong.into_diagnostic(file, None));
        Cells { endpoint: Arc::clone(endpoint), of_rows, values }
    }
}

/// A cell's value, and the position of its parameter.
fn value(endpoint: &Endpoint, (name, text): &(String, String), images: &Images) -> Result<(usize, Value), Box<Wrong>> {
    let folded = fold(param_name(name));
    let mut params = endpoint.params.iter().enumerate();
    let found = params.find(|(_, param)| fold(&param.name) == folded);
    let (at, param) =
        found.ok_or_else(|| Box::new(Wrong::new(format!("{name}: {} does not take it", endpoint.name))))?;
    Ok((at, check(param, Given::Text(text), images)?))
}
