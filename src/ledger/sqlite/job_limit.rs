//! Jobs that cost more than one may: refused before anything is asked, as the manifest's last load and this run limit them.

use rusqlite::{Connection, params};

use super::duplicates::{stand, stand_planned};
use super::error::Fault;
use super::store::Rows;
use crate::ledger::decide::load::{Stand, limited};
use crate::ledger::{BatchKey, IdList};
use crate::money::Msat;
use crate::time::UnixMs;

/// The same of the manifest as [`SqliteLedger::foresee`] has it.
pub(super) fn foresee(conn: &Connection, batch: BatchKey, most: Option<Msat>) -> Result<IdList, Fault> {
    stand_planned(conn, find(conn, batch, most, Rows::Planned)?.into_iter().map(Ok))?;
    refused(conn, batch, Rows::Planned)
}

fn find(conn: &Connection, batch: BatchKey, most: Option<Msat>, rows: Rows) -> Result<Vec<Stand>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT r.id, r.state, r.reason, r.price_msat, r.fee_ceiling_msat, r.max_cost_msat FROM {} r
         WHERE r.batch = ?1 AND r.superseded = 0 AND r.state IN ('pending', 'refused')
             AND (r.state = 'pending' OR r.reason IN ('duplicate', 'job_limit'))
             AND (?2 IS NOT NULL OR r.max_cost_msat IS NOT NULL OR r.reason = 'job_limit')",
        rows.table()
    ))?;
    let mut rows = statement.query(params![batch, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let stands = (row.get(1)?, row.get(2)?);
        found.extend(limited(row.get(0)?, stands, (row.get(3)?, row.get(4)?), (row.get(5)?, most)));
    }
    Ok(found)
}

fn refused(conn: &Connection, batch: BatchKey, rows: Rows) -> Result<IdList, Fault> {
    // Else all of the batch is read in its order.
    let by_reason = match rows {
        Rows::Loaded => "INDEXED BY jobs_counted",
        Rows::Planned => "",
    };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT job FROM {} {by_reason}
         WHERE batch = ?1 AND superseded = 0 AND state = 'refused' AND reason = 'job_limit' ORDER BY seq",
        rows.table()
    ))?;
    let mut ids = IdList::default();
    let mut rows = statement.query([batch])?;
    while let Some(row) = rows.next()? {
        ids.add(&row.get::<_, String>(0)?);
    }
    Ok(ids)
}

pub(super) fn hold(tx: &Connection, batch: BatchKey, now: UnixMs, most: Option<Msat>) -> Result<IdList, Fault> {
    stand(tx, batch, now, find(tx, batch, most, Rows::Loaded)?.into_iter().map(Ok))?;
    refused(tx, batch, Rows::Loaded)
}
