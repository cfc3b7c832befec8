//! Purchases that are known by their receipts alone: what was asked for stood in a ledger that is gone.
//!
//! It is learnt only where it is proved: a made id is the hash of its content, and a row of the results that stood beside the
//! receipts holds what was asked for. As long as it is not, any other row of the batch may be the same purchase, and so may the
//! row of that id in another batch: neither is bought without a person's word.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::convert::Json;
use super::duplicates::{BOUGHT, Rows};
use super::error::Fault;
use super::recognise::given;
use crate::catalog::{ImageSource, Value};
use crate::l402::Network;
use crate::ledger::{BatchKey, JobKey};
use crate::manifest::fold;
use crate::plan::{ContentHash, PlannedJob, looks_made, made_id};

/// The content of a job of which only its receipt is left: no job's own.
pub(super) const UNKNOWN_CONTENT: ContentHash = ContentHash([0; 32]);

/// What of the ledger is known by receipts alone and may yet be learnt, by what would prove it.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    by_made_id: HashMap<String, Vec<JobKey>>,
    by_cells: HashMap<String, Vec<JobKey>>,
}

impl Unproven {
    /// All of the ledger.
    pub(super) fn of(conn: &Connection) -> Result<Self, Fault> {
        let mut statement = conn.prepare_cached(&format!(
            "SELECT o.id, o.job, o.params, json_extract(e.json, '$.name')
             FROM jobs o JOIN endpoints e ON e.id = o.endpoint WHERE o.content = zeroblob(32) AND {BOUGHT}"
        ))?;
        let mut found = Self::default();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, id): (JobKey, String) = (row.get(0)?, row.get(1)?);
            if looks_made(&id) {
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

    /// The purchases that this row of a plan proves to be what it asks for.
    pub(super) fn proved(&mut self, job: &PlannedJob) -> Vec<JobKey> {
        let mut proved = Vec::new();
        if !self.by_made_id.is_empty() {
            proved.extend(self.by_made_id.remove(&made_id(&job.content)).into_iter().flatten());
        }
        if !self.by_cells.is_empty() {
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

/// Rows of the batch's load of that number that are delivered, and of which nothing proves that the manifest asks for the same.
pub(super) fn unproved_rows(conn: &Connection, batch: BatchKey, load: i64) -> Result<Vec<String>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT o.job FROM jobs o WHERE o.content = zeroblob(32) AND {BOUGHT} AND o.batch = ?1 AND o.last_load = ?2
             AND o.superseded = 0 AND o.state IN ('delivered', 'downloaded') ORDER BY o.seq"
    ))?;
    let ids = statement.query_map(params![batch, load], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// What was asked for, as a results row has it: cells by name, in the order of names, however a spreadsheet has left them.
fn cells(endpoint: &str, params: &[(String, Value)]) -> String {
    let mut cells: Vec<(String, String)> = params.iter().map(|(name, value)| (fold(name), cell(value))).collect();
    cells.retain(|(_, cell)| !cell.is_empty());
    cells.sort();
    cells.iter().fold(endpoint.to_owned(), |text, (name, cell)| format!("{text}\u{1e}{name}\u{1f}{cell}"))
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

/// Purchases that a row may repeat, as far as anybody can tell.
#[derive(Debug)]
pub(super) struct MayRepeat {
    of_batch: Option<JobKey>,
    by_id: HashMap<String, JobKey>,
}

impl MayRepeat {
    /// What is known by its receipt alone, of this network where it is known, and still unproved; none where nothing is. A made
    /// id tells its content: where no row has proved it, no row is the same.
    pub(super) fn of(
        conn: &Connection,
        batch: BatchKey,
        network: Option<Network>,
        manifest: Rows,
    ) -> Result<Option<Self>, Fault> {
        let learnt = match manifest {
            Rows::Loaded => "",
            Rows::Planned => "AND o.id NOT IN (SELECT id FROM temp.learnt)",
        };
        let mut statement = conn.prepare_cached(&format!(
            "SELECT o.id, o.job, o.batch = ?1 FROM jobs o WHERE o.content = zeroblob(32) AND {BOUGHT} {learnt}
                 AND NOT (SELECT sandbox FROM batches WHERE id = o.batch)
                 AND (?2 IS NULL OR ?2 = (SELECT i.network FROM payments p JOIN intents i ON i.payment = p.id
                     WHERE p.job = o.id AND p.state <> 'dead'))
             ORDER BY o.id"
        ))?;
        let mut found = Self { of_batch: None, by_id: HashMap::new() };
        let mut rows = statement.query(params![batch, network])?;
        while let Some(row) = rows.next()? {
            let (key, id, of_batch): (JobKey, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            match (looks_made(&id), of_batch) {
                (true, _) => {}
                (false, true) => found.of_batch = found.of_batch.or(Some(key)),
                (false, false) => drop(found.by_id.insert(id, key)),
            }
        }
        Ok((found.of_batch.is_some() || !found.by_id.is_empty()).then_some(found))
    }

    /// What the batch's first take of that id may repeat.
    pub(super) fn original(&self, id: &str) -> Option<JobKey> {
        self.of_batch.or_else(|| self.by_id.get(id).copied())
    }
}
