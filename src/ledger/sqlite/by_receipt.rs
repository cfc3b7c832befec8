//! Purchases that are known by their receipts alone: what was asked for stood in a ledger that is gone.
//!
//! It is learnt only where it is proved: a made id is the hash of its content, and a row of the results that stood beside the
//! receipts holds what was asked for. As long as it is not, rows of any manifest may be the same purchase (`unknown.rs`).

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::convert::Json;
use super::duplicates::BOUGHT;
use super::error::Fault;
use super::recognise::given;
use crate::catalog::{ImageSource, Value};
use crate::ledger::{BatchKey, JobKey};
use crate::manifest::fold;
use crate::plan::{PlannedJob, looks_made, made_id};

/// Letters of a month's name, as spreadsheets have it in short ("sept.", "août", "juil.").
const MONTH_CHARS_MAX: usize = 4;

/// What of the ledger is known by receipts alone and may yet be learnt, by what would prove it.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    any: bool,
    by_made_id: HashMap<String, Vec<JobKey>>,
    by_cells: HashMap<String, Vec<JobKey>>,
}

impl Unproven {
    /// All of the ledger.
    pub(super) fn of(conn: &Connection) -> Result<Self, Fault> {
        let mut statement = conn.prepare_cached(&format!(
            "SELECT o.id, o.job, o.params, json_extract(e.json, '$.name'), o.take
             FROM jobs o JOIN endpoints e ON e.id = o.endpoint WHERE o.content = zeroblob(32) AND {BOUGHT}"
        ))?;
        let mut found = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, id): (JobKey, String) = (row.get(0)?, row.get(1)?);
            found.any = true;
            if tells_its_content(&id, row.get(4)?) {
                let first_of_its_content = id.split('-').next().unwrap_or_default().to_owned();
                found.by_made_id.entry(first_of_its_content).or_default().push(key);
            }
            let Json(params): Json<Vec<(String, Value)>> = row.get(2)?;
            if !params.is_empty() {
                let endpoint: String = row.get(3)?;
                found.by_cells.entry(cells(&endpoint, &params)).or_default().push(key);
            }
        }
        Ok(found)
    }

    /// Whether there is any such purchase.
    pub(super) const fn is_any(&self) -> bool {
        self.any
    }

    /// The purchases that this row of a plan proves to be what it asks for.
    pub(super) fn proved(&mut self, job: &PlannedJob) -> Vec<JobKey> {
        let mut proved = Vec::new();
        if !self.by_made_id.is_empty() {
            proved.extend(self.by_made_id.remove(&made_id(&job.content)).into_iter().flatten());
        }
        if !self.by_cells.is_empty() && !job.params.iter().any(|(_, value)| is_written_anew(value)) {
            proved.extend(self.by_cells.remove(&cells(&job.endpoint.name, &job.params)).into_iter().flatten());
        }
        proved
    }

    /// Learns what was bought, where this row of a plan proves it.
    pub(super) fn learn(&mut self, tx: &Connection, job: &PlannedJob, endpoint: i64) -> Result<(), Fault> {
        for key in self.proved(job) {
            tx.prepare_cached(
                "UPDATE jobs SET content = ?2, endpoint = ?3, params = ?4, given = ?5
                 WHERE id = ?1 AND content = zeroblob(32)",
            )?
            .execute(params![
                key,
                job.content,
                endpoint,
                Json(&job.params),
                given(&job.endpoint, &job.params)
            ])?;
        }
        Ok(())
    }
}

/// Whether an id is the hash of what was bought. A later take of it may be of another default of the catalogue.
pub(super) fn tells_its_content(id: &str, take: u32) -> bool {
    take == 1 && looks_made(id)
}

/// Rows of the batch's load of that number of which nothing had proved what was bought when they came, and of which a later row
/// has: that is something else than they ask for.
pub(super) fn proved_since(conn: &Connection, batch: BatchKey, load: i64) -> Result<Vec<(JobKey, String)>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT o.id, o.job FROM jobs o WHERE o.batch = ?1 AND o.last_load = ?2 AND o.superseded = 0
             AND o.reason = 'known_by_receipt' AND o.content <> zeroblob(32) ORDER BY o.seq",
    )?;
    let rows = statement.query_map(params![batch, load], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
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
    let Value::Text(text) = value else { return false };
    let has_long_word = text.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().count() > MONTH_CHARS_MAX);
    !has_long_word && text.chars().any(char::is_numeric)
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Text(text) => text.trim().replace("\r\n", "\n"),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(is) => is.to_string(),
        Value::Image(image) => match &image.source {
            ImageSource::File(path) => path.to_string_lossy().into_owned(),
            ImageSource::Inline(_) => format!("sha256:{}", image.sha256),
        },
    };
    let is_truth = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_truth { text.to_ascii_lowercase() } else { text }
}
