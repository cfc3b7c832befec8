//! Rows of a results file that is run as a manifest, beside the stored jobs of its batch: they choose among them, and change none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Endpoint, ImageSource, Value};
use crate::ledger::loading::{Again, IGNORED_MAX};
use crate::ledger::{ChosenRows, EditedRow, JobKey};
use crate::manifest::{ResultsRow, fold, is_job_key};
use crate::purchase::{JobState, Reason, tried_again};

/// A job's latest take, and of the take that its results show what a row is compared with.
#[derive(Clone, Debug)]
pub struct StoredRow {
    pub key: JobKey,
    pub take: u32,
    pub state: JobState,
    pub reason: Reason,
    pub endpoint: Arc<Endpoint>,
    pub params: Vec<(String, Value)>,
    /// What it asks for, or did, the ledger does not know.
    pub is_unknown: bool,
    /// Its latest take is the one that results show.
    pub is_shown: bool,
}

impl StoredRow {
    /// Its row has gone from the manifest: no run buys it.
    fn is_withdrawn(&self) -> bool {
        self.is_shown && (self.state, self.reason) == (JobState::Refused, Reason::Withdrawn)
    }
}

const TAKE: &str = "take";

/// A column, what the file has there, and what the ledger has.
type Difference = (String, String, String);

/// The rows of a file as they are compared.
#[derive(Debug, Default)]
pub struct Choosing {
    /// The columns that the batch's jobs have in its results.
    columns: Vec<String>,
    chosen: ChosenRows,
    /// Jobs with a row as they are stored.
    ids: Vec<(JobKey, String)>,
    /// Whether every row of a job so far is as it is stored.
    is_chosen: HashMap<JobKey, bool>,
}

impl Choosing {
    /// `columns`: the parameters that the batch's results have columns for.
    pub fn among(columns: &[String]) -> Self {
        Self { columns: columns.iter().map(|name| fold(name)).collect(), ..Self::default() }
    }

    /// Compares one more row with the stored job of its id, where the batch has it.
    pub fn add(&mut self, row: ResultsRow, stored: Option<StoredRow>) {
        let Some(stored) = stored else {
            self.chosen.unknown.get_or_insert((row.line, row.id));
            return;
        };
        let difference = self.difference(&row, &stored);
        let delivered = matches!(stored.state, JobState::Delivered | JobState::Downloaded);
        let again = stored.state.has_spent_nothing();
        let before = self.is_chosen.get(&stored.key).copied();
        match before {
            Some(_) => self.chosen.repeated = self.chosen.repeated.saturating_add(1),
            None if !stored.is_unknown => self.chosen.jobs.push((stored.key, row.line)),
            None => {}
        }
        let is_otherwise = difference.as_ref().is_some_and(|difference| difference.0 != TAKE);
        if is_otherwise && delivered && stored.is_unknown && stored.params.is_empty() {
            if before != Some(false) {
                self.chosen.unproved.add(&row.id);
            }
            self.is_chosen.insert(stored.key, false);
        } else if difference.is_some() || (stored.is_unknown && again) {
            let is_new = delivered && stored.reason != Reason::Changed && before != Some(false);
            self.chosen.changed = self.chosen.changed.saturating_add(u64::from(is_new));
            self.is_chosen.insert(stored.key, false);
            let (column, here, stored) = difference.unwrap_or_default();
            self.chosen.edited.add(EditedRow { line: row.line, id: row.id, column, here, stored });
        } else if before.is_none() && stored.is_withdrawn() && !row.is_withdrawn {
            self.is_chosen.insert(stored.key, false);
            self.chosen.withdrawn.add(&row.id);
        } else if before.is_none() {
            self.is_chosen.insert(stored.key, true);
            self.ids.push((stored.key, row.id));
            let is_again = again && tried_again(stored.state, stored.reason);
            if is_again && (stored.state, stored.reason) != (JobState::Pending, Reason::None) {
                self.chosen.again.push(Again { key: stored.key, from: stored.state });
            }
        }
    }

    /// In what a row says something else than the stored job. A column that was taken out says nothing.
    fn difference(&mut self, row: &ResultsRow, stored: &StoredRow) -> Option<Difference> {
        if let Some(take) = row.take.filter(|take| *take != stored.take) {
            return Some((TAKE.to_owned(), take.to_string(), stored.take.to_string()));
        }
        if !row.endpoint.is_empty() && row.endpoint != stored.endpoint.name {
            return Some(("endpoint".to_owned(), row.endpoint.clone(), stored.endpoint.name.clone()));
        }
        for (name, cell) in &row.params {
            let has = stored.params.iter().find(|(known, _)| fold(known) == *name).map(|(_, value)| value);
            let is_of_job = || stored.endpoint.params.iter().any(|param| fold(&param.name) == *name);
            match has {
                Some(value) if is_as_stored(value, cell) => {}
                Some(value) => return Some((name.clone(), cell.clone(), in_file(value))),
                None if cell.is_empty() => {}
                None if is_job_key(name) || self.columns.contains(name) || is_of_job() => {
                    return Some((name.clone(), cell.clone(), String::new()));
                }
                None => {
                    let ignored = &mut self.chosen.ignored;
                    if ignored.len() < IGNORED_MAX && !ignored.contains(name) {
                        ignored.push(name.clone());
                    }
                }
            }
        }
        None
    }

    /// What is chosen. `waiting`: pending jobs of the batch of which an earlier run said why it did not buy them. That says nothing of
    /// the next one, whether it chooses them or not.
    pub fn finish(self, waiting: impl IntoIterator<Item = JobKey>) -> ChosenRows {
        let Self { mut chosen, ids, is_chosen, .. } = self;
        let is_chosen = |key: &JobKey| is_chosen.get(key).copied().unwrap_or(false);
        chosen.ids = ids.into_iter().filter(|(key, _)| is_chosen(key)).map(|(_, id)| id).collect();
        chosen.again.retain(|again| is_chosen(&again.key) && again.from != JobState::Pending);
        chosen.again.extend(waiting.into_iter().map(|key| Again { key, from: JobState::Pending }));
        chosen
    }
}

/// Whether a cell says what is stored, as a results file or a spreadsheet writes it.
fn is_as_stored(value: &Value, cell: &str) -> bool {
    match value {
        Value::Boolean(_) => cell.eq_ignore_ascii_case(&in_file(value)),
        Value::Integer(number) => cell.parse() == Ok(*number),
        Value::Text(text) => text.trim() == cell,
        Value::Image(_) => in_file(value) == cell,
    }
}

/// A value as a results file has it.
pub(super) fn in_file(value: &Value) -> String {
    match value {
        Value::Boolean(is) => is.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Image(image) => match &image.source {
            ImageSource::File(path) => path.to_string_lossy().into_owned(),
            ImageSource::Inline(_) => format!("sha256:{}", image.sha256),
        },
    }
}
