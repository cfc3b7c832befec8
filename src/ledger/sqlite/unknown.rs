//! Which rows of a manifest may be what receipts alone tell of.
//!
//! A receipt names batch, id, take, time, amount, the endpoint's name and the seller's host. What was asked for it does not tell,
//! so that any row may be the same purchase, of whatever batch and under whatever id, unless it is of another endpoint and of
//! another host. One of the two alone shows nothing: contents are compared by the endpoint's name, requests by address and bytes.
//!
//! Nothing else shows it. Prices change, and what was bought may be bought again at any time. An id that looks made may have been
//! given. Results that stand beside the receipts and say something else may have been written anew by a spreadsheet, in its own
//! language, or by a run that knew no more.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::convert::Json;
use super::duplicates::BOUGHT;
use super::error::Fault;
use super::store::Rows;
use super::views::host_of;
use crate::catalog::Endpoint;
use crate::l402::Network;
use crate::ledger::{BatchKey, JobKey};

/// What may tell a row of a manifest from a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowFacts {
    endpoint: String,
    host: String,
}

impl RowFacts {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let host = endpoint.url.host_str().unwrap_or_default().to_owned();
        Self { endpoint: endpoint.name.clone(), host }
    }
}

/// Purchases that are known by their receipts alone, and that nothing has proved so far.
#[derive(Debug)]
pub(super) struct MayRepeat {
    batch: BatchKey,
    groups: Vec<Group>,
    /// How many a batch has.
    counts: HashMap<BatchKey, u64>,
}

/// A purchase that a row may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub(super) key: JobKey,
    /// It has the row's id.
    pub(super) same_id: bool,
    /// How many are known so, of its batch and of the others that have one which it may be.
    pub(super) count: u64,
    /// How many such others there are.
    pub(super) others: u64,
}

/// Those of one batch, endpoint and host.
#[derive(Debug)]
struct Group {
    batch: BatchKey,
    endpoint: String,
    host: String,
    by_id: BTreeMap<String, JobKey>,
}

impl MayRepeat {
    /// Those of this network, where it is known; none where nothing is unproved.
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
            "SELECT o.id, o.job, o.batch, json_extract(e.json, '$.name'), i.url
             FROM jobs o JOIN endpoints e ON e.id = o.endpoint
                 JOIN payments p ON p.job = o.id AND p.state <> 'dead' JOIN intents i ON i.payment = p.id
             WHERE o.content = zeroblob(32) AND {BOUGHT} {learnt} AND NOT (SELECT sandbox FROM batches WHERE id = o.batch)
                 AND (?1 IS NULL OR ?1 = i.network)
             ORDER BY o.id"
        ))?;
        let mut found = Self { batch, groups: Vec::new(), counts: HashMap::new() };
        let mut rows = statement.query(params![network])?;
        while let Some(row) = rows.next()? {
            let (key, id): (JobKey, String) = (row.get(0)?, row.get(1)?);
            let (of, endpoint, host) = (row.get(2)?, row.get(3)?, host_of(&row.get::<_, String>(4)?));
            let count = found.counts.entry(of).or_default();
            *count = count.saturating_add(1);
            found.add((of, endpoint, host), key, id);
        }
        Ok((!found.groups.is_empty()).then_some(found))
    }

    fn add(&mut self, (batch, endpoint, host): (BatchKey, String, String), key: JobKey, id: String) {
        let is_its = |group: &&mut Group| group.batch == batch && group.endpoint == endpoint && group.host == host;
        match self.groups.iter_mut().find(is_its) {
            Some(group) => drop(group.by_id.insert(id, key)),
            None => self.groups.push(Group { batch, endpoint, host, by_id: [(id, key)].into() }),
        }
    }

    /// What the row of the batch may repeat that stands under that key in that table: a purchase of its id before others, and
    /// one of its batch.
    pub(super) fn original(
        &self,
        conn: &Connection,
        rows: Rows,
        key: JobKey,
        id: &str,
    ) -> Result<Option<Unknown>, Fault> {
        let row = facts(conn, rows, key)?;
        let mut batches = HashSet::new();
        let found = self.groups.iter().filter(|group| !group.is_sold_elsewhere(&row)).filter_map(|group| {
            let own = group.batch == self.batch;
            let original = group.original(own, id)?;
            batches.insert(group.batch);
            Some((own, original))
        });
        let first = found.min_by_key(|(own, (_, same_id))| (!same_id, !own));
        let count = batches.iter().filter_map(|batch| self.counts.get(batch)).sum();
        let others = (batches.len() as u64).saturating_sub(1);
        Ok(first.map(|(_, (key, same_id))| Unknown { key, same_id, count, others }))
    }
}

impl Group {
    /// Neither its endpoint nor its host is the row's.
    fn is_sold_elsewhere(&self, row: &RowFacts) -> bool {
        let differs = |ours: &str, theirs: &str| !ours.is_empty() && !theirs.is_empty() && ours != theirs;
        differs(&self.endpoint, &row.endpoint) && differs(&self.host, &row.host)
    }

    /// One of them that the row may repeat, and whether it has the row's id. Of its own batch it is no purchase of its own job.
    fn original(&self, own: bool, id: &str) -> Option<(JobKey, bool)> {
        let same_id = self.by_id.get(id).filter(|_| !own).map(|key| (*key, true));
        same_id.or_else(|| self.by_id.iter().find(|(of, _)| !(own && *of == id)).map(|(_, key)| (*key, false)))
    }
}

/// What is told of a row: a row of a plan brings it along, where it is not a stored job's.
fn facts(conn: &Connection, rows: Rows, key: JobKey) -> Result<RowFacts, Fault> {
    if rows == Rows::Planned {
        let mut planned = conn.prepare_cached("SELECT facts FROM temp.planned WHERE id = ?1")?;
        let facts: Option<Option<Json<RowFacts>>> = planned.query_row([key], |row| row.get(0)).optional()?;
        if let Some(Some(Json(facts))) = facts {
            return Ok(facts);
        }
    }
    let sql = "SELECT e.json FROM jobs j JOIN endpoints e ON e.id = j.endpoint WHERE j.id = ?1";
    let mut stored = conn.prepare_cached(sql)?;
    let stored = stored.query_row([key], |row| {
        let Json(endpoint): Json<Endpoint> = row.get(0)?;
        Ok(RowFacts::of(&endpoint))
    });
    Ok(stored?)
}
