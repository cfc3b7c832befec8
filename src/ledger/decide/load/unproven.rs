//! Purchases that are known by their receipts alone: what was asked for stood in a ledger that is gone.
//!
//! It is learnt only where it is proved: a made id is the hash of its content, and a row of the results that stood beside the
//! receipts holds what was asked for. As long as it is not, rows of any manifest may be the same purchase.

use std::collections::HashMap;

use crate::catalog::{PLANNED_TAKES_MAX, Value};
use crate::ledger::JobKey;
use crate::manifest::fold;
use crate::plan::{ContentHash, PlannedJob, looks_made, made_id};
use crate::purchase::JobState;

use super::{RowRuling, StoredTake};

/// Letters of a month's name, as spreadsheets have it in short ("sept.", "août", "juil.").
const MONTH_CHARS_MAX: usize = 4;

/// A purchase that is known by its receipt alone, with what results told of it.
#[derive(Clone, Debug)]
pub struct KnownByReceipt {
    pub key: JobKey,
    pub id: String,
    pub take: u32,
    /// Its endpoint's name.
    pub endpoint: String,
    /// What was asked for, as the cells of results have it; empty where there were none.
    pub params: Vec<(String, Value)>,
}

/// What of the ledger is known by receipts alone and may yet be learnt, by what would prove it.
#[derive(Debug, Default)]
pub struct Unproven {
    any: bool,
    by_made_id: HashMap<String, Vec<JobKey>>,
    by_cells: HashMap<String, Vec<(JobKey, String)>>,
    /// The most takes of any of these jobs.
    takes: u32,
    /// What was proved since.
    learnt: HashMap<JobKey, ContentHash>,
    /// Rows whose own purchases nothing had proved when they came.
    rows: Vec<(JobKey, String, JobState)>,
}

impl Unproven {
    /// Takes one more purchase into account.
    pub fn add(&mut self, known: KnownByReceipt) {
        let KnownByReceipt { key, id, take, endpoint, params } = known;
        self.any = true;
        if tells_its_content(&id, take) {
            let first_of_its_content = id.split('-').next().unwrap_or_default().to_owned();
            self.by_made_id.entry(first_of_its_content).or_default().push(key);
        }
        if !params.is_empty() {
            self.takes = self.takes.max(take.min(PLANNED_TAKES_MAX));
            self.by_cells.entry(cells(&endpoint, &params)).or_default().push((key, id));
        }
    }

    /// Whether there is any such purchase.
    pub const fn is_any(&self) -> bool {
        self.any
    }

    /// The purchases that this row of a plan proves to be what it asks for: that is known from now on.
    pub fn learn(&mut self, job: &PlannedJob) -> Vec<JobKey> {
        let mut proved = Vec::new();
        if !self.by_made_id.is_empty() {
            proved.extend(self.by_made_id.remove(&made_id(&job.content)).into_iter().flatten());
        }
        if !self.by_cells.is_empty() && !job.params.iter().any(|(_, value)| is_written_anew(value)) {
            proved.extend(self.by_cells(job));
        }
        self.learnt.extend(proved.iter().map(|key| (*key, job.content)));
        proved
    }

    /// The purchases that had the cells of this row, or at an endpoint that tells takes of one job apart, those of a further take of it. There
    /// one job may send what another one's row has: only the row of a purchase's own id proves it.
    fn by_cells(&mut self, job: &PlannedJob) -> Vec<JobKey> {
        let name = &job.endpoint.name;
        if job.endpoint.nonce.is_none() {
            let proved = self.by_cells.remove(&cells(name, &job.params)).into_iter().flatten();
            return proved.map(|(key, _)| key).collect();
        }
        let mut proved = Vec::new();
        for earlier in 0..self.takes {
            if let Some(known) = self.by_cells.get_mut(&cells(name, &job.sent_params(earlier))) {
                proved.extend(known.extract_if(.., |(_, id)| *id == job.id).map(|(key, _)| key));
            }
        }
        proved
    }

    /// What these takes were for, as far as it was learnt since they were looked up.
    pub fn inform(&self, takes: &mut [StoredTake]) {
        for take in takes {
            take.content = self.learnt.get(&take.key).copied().unwrap_or(take.content);
        }
    }

    /// Notes what was decided of a row: nothing may prove so far what its own purchase was.
    pub fn note(&mut self, ruling: &RowRuling, id: &str) {
        let unproved = ruling.unproved().map(|known| (known.key, id.to_owned(), known.state));
        self.rows.extend(unproved);
    }

    /// The rows of which a later one has proved that they ask for something else than was bought, and how those stand.
    pub fn proved_since(&self) -> impl Iterator<Item = &(JobKey, String, JobState)> {
        self.rows.iter().filter(|(key, ..)| self.learnt.contains_key(key))
    }
}

/// Whether an id is the hash of what was bought. A later take of it may be of another default of the catalogue.
fn tells_its_content(id: &str, take: u32) -> bool {
    take == 1 && looks_made(id)
}

/// What was asked for, as a results row has it: cells by name, in the order of names, however a spreadsheet has left them.
fn cells(endpoint: &str, params: &[(String, Value)]) -> String {
    let mut cells: Vec<(String, String)> = params.iter().map(|(name, value)| (fold(name), cell(value))).collect();
    cells.retain(|(_, cell)| !cell.is_empty());
    cells.sort();
    cells.iter().fold(endpoint.to_owned(), |text, (name, cell)| format!("{text}\u{1e}{name}\u{1f}{cell}"))
}

/// Whether a spreadsheet may have made a text of another one, as it writes numbers and dates: then its cell proves nothing. A date
/// has no word that is longer than the name of a month in short, in any language.
fn is_written_anew(value: &Value) -> bool {
    let text = match value {
        Value::Text(text) => text,
        // Of a number with many digits a spreadsheet keeps fifteen.
        Value::Decimal(_) => return true,
        Value::Integer(_) | Value::Boolean(_) | Value::Structured(_) | Value::Image(_) => return false,
    };
    let has_long_word = text.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() > MONTH_CHARS_MAX);
    !has_long_word && text.chars().any(char::is_numeric)
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Text(text) => text.trim().replace("\r\n", "\n"),
        Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) | Value::Image(_) => {
            value.in_file()
        }
    };
    let is_truth = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_truth { text.to_ascii_lowercase() } else { text }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::{Endpoint, Param, ParamKind, Place};
    use crate::ledger::contract::support::{endpoint, planned};

    #[test]
    fn where_takes_are_told_apart_a_purchase_is_proved_by_the_row_of_its_own_id_alone() {
        let kind = ParamKind::Integer { min: 0, max: 9_999 };
        let n = Param { name: "n".to_owned(), kind, required: false, default: None, place: Place::Usual };
        let nonce = Some("n".to_owned());
        let endpoint = Arc::new(Endpoint { params: vec![n], nonce, ..Endpoint::clone(&endpoint()) });
        let params = |n| vec![("n".to_owned(), Value::Integer(n))];
        let row = |id: &str, n| PlannedJob { params: params(n), ..planned(&endpoint, id, id) };
        let mut unproven = Unproven::default();
        // The second take of `a` has moved from 3, and `a.t2` has sent what the row of `b` says.
        for (key, id, take, n) in [(1, "a", 1, 3), (2, "a", 2, 5_587), (3, "a.t2", 1, 6_184)] {
            let (id, endpoint) = (id.to_owned(), endpoint.name.clone());
            unproven.add(KnownByReceipt { key: JobKey(key), id, take, endpoint, params: params(n) });
        }
        assert_eq!(unproven.learn(&row("b", 6_184)), []);
        assert_eq!(unproven.learn(&row("a", 3)), [JobKey(1), JobKey(2)]);
        assert_eq!(unproven.learn(&row("a.t2", 6_184)), [JobKey(3)]);
    }
}
