//! What receipts alone tell of, and rows of a manifest beside it, looked up: which rows may be the same is for `decide` to say.

use rusqlite::{Connection, OptionalExtension, params};

use super::convert::Json;
use super::error::Fault;
use super::schema::BOUGHT;
use super::store::Rows;
use super::views::host_of;
use crate::catalog::Endpoint;
use crate::l402::Network;
use crate::ledger::decide::{MayRepeat, RowFacts};
use crate::ledger::{BatchKey, JobKey};

/// The purchases of this network, where it is known, that are known by their receipts alone; none where nothing is unproved.
pub(super) fn may_repeat(
    conn: &Connection,
    batch: BatchKey,
    network: Option<Network>,
    manifest: Rows,
) -> Result<Option<MayRepeat>, Fault> {
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
    let mut found = MayRepeat::for_batch(batch);
    let mut rows = statement.query(params![network])?;
    while let Some(row) = rows.next()? {
        let of = (row.get(2)?, row.get(3)?, host_of(&row.get::<_, String>(4)?));
        found.add(of, row.get(0)?, row.get(1)?);
    }
    Ok(Some(found).filter(MayRepeat::is_any))
}

/// What is told of a row: a row of a plan brings it along, where it is not a stored job's.
pub(super) fn facts(conn: &Connection, rows: Rows, key: JobKey) -> Result<RowFacts, Fault> {
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
