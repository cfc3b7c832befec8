//! Rows of a results file that is run as a manifest, beside the stored jobs of its batch: they choose among them, and change none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Decimal, Endpoint, Structured, Value};
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
                Some(value) => return Some((name.clone(), cell.clone(), value.in_file())),
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
        Value::Boolean(_) => cell.eq_ignore_ascii_case(&value.in_file()),
        Value::Integer(number) => cell.parse() == Ok(*number),
        Value::Decimal(number) => Decimal::parse(cell) == Some(*number),
        Value::Structured(json) => Structured::parse(cell).as_ref() == Some(json),
        Value::Text(text) => text.trim() == cell,
        Value::Image(_) => value.in_file() == cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    /// The job `a`, which asks for a kite.
    fn stored(state: JobState, reason: Reason) -> StoredRow {
        StoredRow {
            key: JobKey(1),
            take: 1,
            state,
            reason,
            endpoint: Catalog::builtin().unwrap().get("generate-video").unwrap().clone(),
            params: vec![("prompt".to_owned(), Value::Text("a kite".to_owned()))],
            is_unknown: false,
            is_shown: true,
        }
    }

    /// The same, of which nobody knows what it asks for.
    fn unknown(state: JobState) -> StoredRow {
        StoredRow { is_unknown: true, params: Vec::new(), ..stored(state, Reason::None) }
    }

    /// What is chosen by rows with these cells beside the id, from line 2 on: whatever is noted, in a word each.
    fn chosen(rows: &[&[(&str, &str)]], stored: Option<&StoredRow>) -> String {
        let mut choosing = Choosing::among(&["Seed".to_owned()]);
        for (line, cells) in (2..).zip(rows) {
            let cells = std::iter::once(("id", "a")).chain(cells.iter().copied());
            choosing.add(ResultsRow { line, ..ResultsRow::of(cells) }, stored.cloned());
        }
        let found = choosing.finish([JobKey(9)]);
        let mut words: Vec<String> = found.jobs.iter().map(|(_, line)| format!("at {line}")).collect();
        words.extend(found.ids.iter().map(|id| format!("as stored {id}")));
        words.extend(found.edited.first.iter().map(|row| format!("edited {}:{}", row.line, row.column)));
        words.extend((found.changed > 0).then(|| format!("changed {}", found.changed)));
        words.extend(found.withdrawn.first.iter().map(|id| format!("withdrawn {id}")));
        words.extend(found.unproved.first.iter().map(|id| format!("unproved {id}")));
        words.extend(found.unknown.map(|(line, id)| format!("unknown {line}:{id}")));
        words.extend((found.repeated > 0).then(|| format!("repeated {}", found.repeated)));
        words.extend(found.ignored.iter().map(|name| format!("ignored {name}")));
        words.extend(found.again.iter().map(|again| format!("again {} {}", again.key.0, again.from.as_str())));
        words.join(", ")
    }

    #[test]
    fn a_row_chooses_the_job_that_it_shows_and_changes_none() {
        use JobState::{Delivered, Failed, Pending, Refused};
        let (kite, kit): (&[_], &[_]) = (&[("prompt", "a kite")], &[("prompt", "a kit")]);
        let gone = stored(Refused, Reason::Withdrawn);
        for (rows, job, found) in [
            (&[kite][..], stored(Pending, Reason::None), "at 2, as stored a"),
            (&[&[]], stored(Pending, Reason::None), "at 2, as stored a"),
            (&[kite], stored(Pending, Reason::NoRoute), "at 2, as stored a"),
            (&[kite], stored(Failed, Reason::OriginError), "at 2, as stored a, again 1 failed"),
            (&[kite], stored(Refused, Reason::NotForSale), "at 2, as stored a"),
            (&[kite], gone.clone(), "at 2, withdrawn a"),
            (&[&[("reason", "withdrawn")]], gone.clone(), "at 2, as stored a"),
            (&[kite], StoredRow { is_shown: false, ..gone }, "at 2, as stored a"),
            (&[kit], stored(Pending, Reason::None), "at 2, edited 2:prompt"),
            (&[kit], stored(Delivered, Reason::None), "at 2, edited 2:prompt, changed 1"),
            (&[kit], stored(Delivered, Reason::Changed), "at 2, edited 2:prompt"),
            (&[&[("take", "2")]], stored(Delivered, Reason::None), "at 2, edited 2:take, changed 1"),
            (&[&[("take", "second")]], stored(Pending, Reason::None), "at 2, edited 2:take"),
            (&[&[("endpoint", "other")]], stored(Pending, Reason::None), "at 2, edited 2:endpoint"),
            (&[&[("seed", "7")]], stored(Pending, Reason::None), "at 2, edited 2:seed"),
            (&[&[("seed", "")]], stored(Pending, Reason::None), "at 2, as stored a"),
            (
                &[&[("colour", "red")], &[("colour", "red")]],
                stored(Pending, Reason::None),
                "at 2, as stored a, repeated 1, ignored colour",
            ),
            (&[kite, kit], stored(Failed, Reason::OriginError), "at 2, edited 3:prompt, repeated 1"),
            (&[kit, kite], stored(Failed, Reason::OriginError), "at 2, edited 2:prompt, repeated 1"),
            (
                &[kit, kit],
                stored(Delivered, Reason::None),
                "at 2, edited 2:prompt, edited 3:prompt, changed 1, repeated 1",
            ),
            (&[kite], unknown(Pending), "edited 2:prompt"),
            (&[&[]], unknown(Pending), "edited 2:"),
            (&[&[]], unknown(Delivered), "as stored a"),
            (&[kite, kite], unknown(Delivered), "unproved a, repeated 1"),
            (&[&[("take", "2")]], unknown(Delivered), "edited 2:take, changed 1"),
        ] {
            let what = format!("{rows:?} beside {:?} {:?}", job.state, job.reason);
            assert_eq!(chosen(rows, Some(&job)), format!("{found}, again 9 pending"), "{what}");
        }
        assert_eq!(chosen(&[kite, kite], None), "unknown 2:a, again 9 pending", "the batch has no such job");
    }
}
