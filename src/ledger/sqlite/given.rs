//! What the manifest gave of a job, for ledgers of schema 1, which did not keep it.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::convert::Json;
use super::error::Fault;
use crate::catalog::{Endpoint, Value};
use crate::ledger::JobKey;
use crate::ledger::decide::load::given_of;

/// Fills it in. A job whose endpoint or parameters cannot be read stays without.
pub(super) fn fill_given(tx: &Connection) -> Result<(), Fault> {
    let mut endpoints: HashMap<i64, Option<Endpoint>> = HashMap::new();
    let mut read = tx.prepare("SELECT id, json FROM endpoints")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        endpoints.insert(row.get(0)?, row.get(1).ok().map(|Json(endpoint)| endpoint));
    }
    let mut fill = tx.prepare("UPDATE jobs SET given = ?2 WHERE id = ?1")?;
    let mut read = tx.prepare("SELECT endpoint, params, id FROM jobs WHERE id > ?1 ORDER BY id LIMIT 1000")?;
    let mut after = JobKey(i64::MIN);
    loop {
        let page = read.query_map([after], |row| {
            let params: Option<Json<Vec<(String, Value)>>> = row.get(1).ok();
            Ok((row.get::<_, i64>(0)?, params, row.get::<_, JobKey>(2)?))
        })?;
        let page: Vec<_> = page.collect::<Result<_, _>>()?;
        let Some((.., last)) = page.last() else { return Ok(()) };
        after = *last;
        for (endpoint, params, key) in page {
            if let (Some(Some(endpoint)), Some(Json(params))) = (endpoints.get(&endpoint), params) {
                fill.execute(params![key, given_of(endpoint, &params)])?;
            }
        }
    }
}
