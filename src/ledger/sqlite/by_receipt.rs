//! Purchases that are known by their receipts alone, looked up: what proves one is for `decide::load` to say.

use rusqlite::Connection;

use super::convert::Json;
use super::error::Fault;
use super::schema::BOUGHT;
use crate::ledger::decide::load::{KnownByReceipt, Unproven};

/// All of the ledger of which nothing has proved so far what they are.
pub(super) fn unproven(conn: &Connection) -> Result<Unproven, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT o.id, o.job, o.params, json_extract(e.json, '$.name'), o.take
         FROM jobs o JOIN endpoints e ON e.id = o.endpoint WHERE o.content = zeroblob(32) AND {BOUGHT}"
    ))?;
    let mut found = Unproven::default();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Json(params) = row.get(2)?;
        let (key, id, endpoint, take) = (row.get(0)?, row.get(1)?, row.get(3)?, row.get(4)?);
        found.add(KnownByReceipt { key, id, take, endpoint, params });
    }
    Ok(found)
}
