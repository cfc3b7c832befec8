//! A results file that is run as a manifest: it chooses among the stored jobs of its batch, and changes none of them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedger;
use super::batches::layout;
use super::convert::Json;
use super::error::Fault;
use super::store::append_transition;
use super::views::SHOWN;
use crate::catalog::{Endpoint, ImageSource, Value};
use crate::ledger::loading::{Again, IGNORED_MAX};
use crate::ledger::{BatchKey, ChosenRows, EditedRow, JobKey, LoadError};
use crate::manifest::{JobSpec, ResultsRow, fold, is_job_key};
use crate::purchase::{JobState, Reason, tried_again};
use crate::time::UnixMs;

/// A job's latest take, and of the take that its results show what a row is compared with.
struct Stored {
    key: JobKey,
    take: u32,
    state: JobState,
    reason: Reason,
    endpoint: i64,
    params: Vec<(String, Value)>,
    /// What it asks for, or did, the ledger does not know.
    is_unknown: bool,
    /// Its latest take is the one that results show.
    is_shown: bool,
}

impl Stored {
    /// Its row has gone from the manifest: no run buys it.
    fn is_withdrawn(&self) -> bool {
        self.is_shown && (self.state, self.reason) == (JobState::Refused, Reason::Withdrawn)
    }
}

const TAKE: &str = "take";

/// A column, what the file has there, and what the ledger has.
type Difference = (String, String, String);

/// The rows of a file as they are compared.
struct Comparing<'b> {
    ledger: &'b SqliteLedger,
    batch: BatchKey,
    /// The columns that the batch's jobs have in its results.
    columns: Vec<String>,
    chosen: ChosenRows,
    /// Jobs with a row as they are stored.
    ids: Vec<(JobKey, String)>,
    /// Whether every row of a job so far is as it is stored.
    is_chosen: HashMap<JobKey, bool>,
}

impl SqliteLedger {
    /// See [`crate::ledger::port::Foresee::read_rows`].
    pub(super) fn compare_rows<E>(
        &self,
        batch: BatchKey,
        rows: impl IntoIterator<Item = Result<ResultsRow, E>>,
    ) -> Result<ChosenRows, LoadError<E>> {
        let of_ledger = |fault: Fault| LoadError::Ledger(fault.into_error());
        let mut comparing = Comparing::begin(self, batch).map_err(of_ledger)?;
        for row in rows {
            comparing.add(row.map_err(LoadError::Plan)?).map_err(of_ledger)?;
        }
        comparing.finish().map_err(of_ledger)
    }

    /// What the stored job asks for, as a manifest gives it.
    pub(super) fn spec_of(&self, key: JobKey, line: u64) -> Result<JobSpec, Fault> {
        let mut job = self.conn.prepare_cached("SELECT job, endpoint, params, extra FROM jobs WHERE id = ?1")?;
        let (id, endpoint, Json(params), Json(extra)): (String, i64, Json<Vec<(String, Value)>>, _) =
            job.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let endpoint = self.endpoint(endpoint)?;
        let value = |name: &str| params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let values = endpoint.params.iter().map(|param| value(&param.name)).collect();
        Ok(JobSpec { line, id: Some(id), endpoint, values, extra, max_sats: None })
    }

    fn stored(&self, batch: BatchKey, id: &str) -> Result<Option<Stored>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT l.id, j.take, l.state, l.reason, j.endpoint, j.params,
                 l.content = zeroblob(32), l.id = j.id FROM jobs l JOIN jobs j ON j.id = {SHOWN}
             WHERE l.batch = ?1 AND l.job = ?2 AND l.superseded = 0"
        ))?;
        let stored = statement.query_row(params![batch, id], |row| {
            let Json(params) = row.get(5)?;
            let (key, take, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (endpoint, is_unknown, is_shown) = (row.get(4)?, row.get(6)?, row.get(7)?);
            Ok(Stored { key, take, state, reason, endpoint, params, is_unknown, is_shown })
        });
        Ok(stored.optional()?)
    }
}

impl<'b> Comparing<'b> {
    fn begin(ledger: &'b SqliteLedger, batch: BatchKey) -> Result<Self, Fault> {
        let columns = layout(&ledger.conn, batch)?.params;
        let columns = columns.iter().map(|name| fold(name)).collect();
        let (chosen, ids, is_chosen) = (ChosenRows::default(), Vec::new(), HashMap::new());
        Ok(Self { ledger, batch, columns, chosen, ids, is_chosen })
    }

    fn add(&mut self, row: ResultsRow) -> Result<(), Fault> {
        let Some(stored) = self.ledger.stored(self.batch, &row.id)? else {
            self.chosen.unknown.get_or_insert((row.line, row.id));
            return Ok(());
        };
        let endpoint = self.ledger.endpoint(stored.endpoint)?;
        let difference = self.difference(&row, &stored, &endpoint);
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
        Ok(())
    }

    /// In what a row says something else than the stored job. A column that was taken out says nothing.
    fn difference(&mut self, row: &ResultsRow, stored: &Stored, endpoint: &Endpoint) -> Option<Difference> {
        if let Some(take) = row.take.filter(|take| *take != stored.take) {
            return Some((TAKE.to_owned(), take.to_string(), stored.take.to_string()));
        }
        if !row.endpoint.is_empty() && row.endpoint != endpoint.name {
            return Some(("endpoint".to_owned(), row.endpoint.clone(), endpoint.name.clone()));
        }
        for (name, cell) in &row.params {
            let has = stored.params.iter().find(|(known, _)| fold(known) == *name).map(|(_, value)| value);
            let is_of_job = || endpoint.params.iter().any(|param| fold(&param.name) == *name);
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

    fn finish(self) -> Result<ChosenRows, Fault> {
        let Self { ledger, batch, mut chosen, ids, is_chosen, .. } = self;
        let is_chosen = |key: &JobKey| is_chosen.get(key).copied().unwrap_or(false);
        chosen.ids = ids.into_iter().filter(|(key, _)| is_chosen(key)).map(|(_, id)| id).collect();
        chosen.again.retain(|again| is_chosen(&again.key) && again.from != JobState::Pending);
        // Why an earlier run did not buy them says nothing of the next one, whether it chooses them or not.
        let sql = "SELECT id FROM jobs WHERE batch = ?1 AND superseded = 0 AND state = 'pending' AND reason <> ''";
        let mut statement = ledger.conn.prepare_cached(sql)?;
        let waiting = statement.query_map([batch], |row| Ok(Again { key: row.get(0)?, from: JobState::Pending }))?;
        for again in waiting {
            chosen.again.push(again?);
        }
        drop(statement);
        Ok(chosen)
    }
}

/// The jobs that had ended without spending are pending again.
pub(super) fn choose(tx: &Connection, now: UnixMs, chosen: &ChosenRows) -> Result<(), Fault> {
    for Again { key, from } in &chosen.again {
        let sql = "UPDATE jobs SET state = 'pending', reason = '', wait_until = NULL WHERE id = ?1";
        tx.prepare_cached(sql)?.execute([key])?;
        append_transition(tx, now, *key, *from, JobState::Pending, Reason::None)?;
    }
    Ok(())
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
fn in_file(value: &Value) -> String {
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
