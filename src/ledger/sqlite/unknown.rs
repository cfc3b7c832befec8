//! Which rows of a manifest may be what receipts alone tell of.
//!
//! A receipt names batch, id, take, time, amount, the endpoint's name and the seller's host. What was asked for it does not tell,
//! so that any row may be the same purchase, of whatever batch and under whatever id, unless one of these shows that it is not:
//!
//! - The purchase's id was made: it is the hash of what was asked for, and no row has it.
//! - The row is of another endpoint and of another host. One of the two alone shows nothing: contents are compared by the
//!   endpoint's name, requests by address and bytes.
//! - Results beside the receipts tell a parameter that the row gives otherwise. One that the row leaves at its default shows
//!   nothing, since the default may have been another; nor does an image's path, nor what a spreadsheet writes anew.
//!
//! Price and time show nothing: prices change, and what was bought may be bought again at any time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::by_receipt::{cell, tells_its_content};
use super::convert::Json;
use super::duplicates::{BOUGHT, Rows};
use super::error::Fault;
use super::recognise::is_default;
use super::views::host_of;
use crate::catalog::{Endpoint, Value};
use crate::l402::Network;
use crate::ledger::{BatchKey, JobKey};
use crate::manifest::fold;

/// Before the digest of an image, as results have it.
const DIGEST: &str = "sha256:";

/// What may tell a row of a manifest from a purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowFacts {
    endpoint: String,
    host: String,
    /// The parameters that do not have their endpoint's default, as results have names and cells; images as their digests.
    given: Vec<(String, String)>,
}

impl RowFacts {
    pub(super) fn of(endpoint: &Endpoint, params: &[(String, Value)]) -> Self {
        let given = params.iter().filter(|(name, value)| !is_default(endpoint, name, value));
        let cell = |value: &Value| match value {
            Value::Image(image) => format!("{DIGEST}{}", image.sha256),
            Value::Text(_) | Value::Integer(_) | Value::Boolean(_) => cell(value),
        };
        Self {
            endpoint: endpoint.name.clone(),
            host: endpoint.url.host_str().unwrap_or_default().to_owned(),
            given: given.map(|(name, value)| (fold(name), cell(value))).collect(),
        }
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
    /// How many of its batch are known so.
    pub(super) of_batch: u64,
}

/// Those of one batch, endpoint and host.
#[derive(Debug)]
struct Group {
    batch: BatchKey,
    endpoint: String,
    host: String,
    /// Those of which no results tell, by id.
    untold: BTreeMap<String, JobKey>,
    told: Told,
}

/// Those of which results tell.
#[derive(Debug, Default)]
struct Told {
    purchases: Vec<ToldPurchase>,
    /// By a parameter's name and cell: their places.
    by_cell: HashMap<(String, String), Vec<usize>>,
    /// How many have that parameter.
    having: HashMap<String, usize>,
}

#[derive(Debug)]
struct ToldPurchase {
    key: JobKey,
    id: String,
    cells: HashMap<String, String>,
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
            "SELECT o.id, o.job, o.take, o.batch, json_extract(e.json, '$.name'), i.url, o.params
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
            if tells_its_content(&id, row.get(2)?) {
                continue;
            }
            let (of, endpoint, host) = (row.get(3)?, row.get(4)?, host_of(&row.get::<_, String>(5)?));
            let Json(params): Json<Vec<(String, Value)>> = row.get(6)?;
            let count = found.counts.entry(of).or_default();
            *count = count.saturating_add(1);
            found.add((of, endpoint, host), key, id, &params);
        }
        Ok((!found.groups.is_empty()).then_some(found))
    }

    fn add(&mut self, of: (BatchKey, String, String), key: JobKey, id: String, params: &[(String, Value)]) {
        let (batch, endpoint, host) = of;
        let is_its = |group: &&mut Group| group.batch == batch && group.endpoint == endpoint && group.host == host;
        match self.groups.iter_mut().find(is_its) {
            Some(group) => group.add(key, id, params),
            None => {
                let mut group = Group { batch, endpoint, host, untold: BTreeMap::new(), told: Told::default() };
                group.add(key, id, params);
                self.groups.push(group);
            }
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
        let found = self.groups.iter().filter(|group| !group.is_sold_elsewhere(&row)).filter_map(|group| {
            let own = group.batch == self.batch;
            group.original(own, id, &row).map(|(key, same_id)| {
                let of_batch = self.counts.get(&group.batch).copied().unwrap_or_default();
                (own, Unknown { key, same_id, of_batch })
            })
        });
        Ok(found.min_by_key(|(own, unknown)| (!unknown.same_id, !own)).map(|(_, unknown)| unknown))
    }
}

impl Group {
    fn add(&mut self, key: JobKey, id: String, params: &[(String, Value)]) {
        if params.is_empty() {
            self.untold.insert(id, key);
        } else {
            self.told.add(key, id, params);
        }
    }

    /// Neither its endpoint nor its host is the row's.
    fn is_sold_elsewhere(&self, row: &RowFacts) -> bool {
        let differs = |ours: &str, theirs: &str| !ours.is_empty() && !theirs.is_empty() && ours != theirs;
        differs(&self.endpoint, &row.endpoint) && differs(&self.host, &row.host)
    }

    /// One of them that the row may repeat, and whether it has the row's id. Of its own batch it is no purchase of its own job.
    fn original(&self, own: bool, id: &str, row: &RowFacts) -> Option<(JobKey, bool)> {
        let is_another = |of: &str| !(own && of == id);
        if let Some(key) = self.untold.get(id).filter(|_| !own) {
            return Some((*key, true));
        }
        let untold = self.untold.iter().find(|(of, _)| is_another(of)).map(|(_, key)| *key);
        untold.map(|key| (key, false)).or_else(|| {
            let told = self.told.original(row, is_another)?;
            Some((told.key, told.id == id))
        })
    }
}

impl Told {
    fn add(&mut self, key: JobKey, id: String, params: &[(String, Value)]) {
        let cells: HashMap<String, String> = params.iter().map(|(name, value)| (fold(name), cell(value))).collect();
        let at = self.purchases.len();
        for (name, cell) in &cells {
            self.by_cell.entry((name.clone(), sort_of(cell))).or_default().push(at);
            let having = self.having.entry(name.clone()).or_default();
            *having = having.saturating_add(1);
        }
        self.purchases.push(ToldPurchase { key, id, cells });
    }

    /// The first that the row may repeat.
    fn original(&self, row: &RowFacts, is_another: impl Fn(&str) -> bool) -> Option<&ToldPurchase> {
        let may_be = |purchase: &&ToldPurchase| {
            let may_be =
                |(name, cell): &(String, String)| purchase.cells.get(name).is_none_or(|of| may_be_one(cell, of));
            is_another(&purchase.id) && row.given.iter().all(may_be)
        };
        let all = self.purchases.len();
        // Where every purchase has the parameter, those alone come into question that have its cell.
        let sorting = row.given.iter().filter(|(name, cell)| {
            !cell.starts_with(DIGEST) && self.having.get(name).is_some_and(|having| *having == all)
        });
        let of_cell = |(name, cell): &(String, String)| {
            self.by_cell.get(&(name.clone(), sort_of(cell))).map(Vec::as_slice).unwrap_or_default()
        };
        match sorting.map(of_cell).min_by_key(|places| places.len()) {
            Some(places) => places.iter().filter_map(|at| self.purchases.get(*at)).find(may_be),
            None => self.purchases.iter().find(may_be),
        }
    }
}

/// Whether the row's cell and the cell in results may tell of one value. A spreadsheet writes numbers and dates anew.
fn may_be_one(row: &str, results: &str) -> bool {
    if row.starts_with(DIGEST) && !results.starts_with(DIGEST) {
        return true;
    }
    match (row.parse::<i64>(), results.parse::<i64>()) {
        (Ok(row), Ok(results)) => row == results,
        (_, _) => sort_of(row) == sort_of(results),
    }
}

/// Cells that may tell of one value have one; all numbers and dates have the same.
fn sort_of(cell: &str) -> String {
    let is_number = |c: char| !c.is_alphabetic() || c == 'e' || c == 'E';
    if cell.chars().all(is_number) { String::new() } else { cell.to_owned() }
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
    let sql = "SELECT e.json, j.params FROM jobs j JOIN endpoints e ON e.id = j.endpoint WHERE j.id = ?1";
    let mut stored = conn.prepare_cached(sql)?;
    let stored = stored.query_row([key], |row| {
        let (Json(endpoint), Json(params)): (Json<Endpoint>, Json<Vec<(String, Value)>>) = (row.get(0)?, row.get(1)?);
        Ok(RowFacts::of(&endpoint, &params))
    });
    Ok(stored?)
}
