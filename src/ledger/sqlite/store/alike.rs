//! Other purchases with the identical request.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::ledger::decide::{Alike, Buyer};
use crate::ledger::sqlite::convert::{edition, hex};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{BatchKey, JobKey};
use crate::money::Msat;

use super::rows;

/// Endpoints whose price is the most that a job may cost (`Endpoint::is_capped`). One that cannot be read is none: its own jobs say so, and
/// stand in no other batch's way.
pub(in crate::ledger::sqlite) const CAPPED_ENDPOINTS: &str = "FROM endpoints WHERE CASE WHEN json_valid(json) THEN json ->> '$.price.is_cap' OR json ->> '$.terms.credential' = 'reusable' END";

/// Where rows of a manifest stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger::sqlite) enum Rows {
    /// Among the jobs, as the last load has written them.
    Loaded,
    /// In the table of this connection alone that [`SqliteLedger::foresee`](crate::ledger::sqlite::SqliteLedger::foresee) makes.
    Planned,
}

impl Rows {
    /// The table.
    pub(in crate::ledger::sqlite) const fn table(self) -> &'static str {
        match self {
            Self::Loaded => "jobs",
            Self::Planned => "temp.planned",
        }
    }

    /// Whether the price of a row is the most that it may be.
    pub(in crate::ledger::sqlite) fn is_capped(self) -> String {
        match self {
            Self::Loaded => format!("endpoint IN (SELECT id {CAPPED_ENDPOINTS})"),
            Self::Planned => "is_capped".to_owned(),
        }
    }

    /// What a row `l` of the manifest asks for, and that it is of the last load.
    const fn content(self) -> (&'static str, &'static str) {
        match self {
            Self::Loaded => ("coalesce(l.row_content, l.content)", "l.last_load = b.loads"),
            Self::Planned => ("l.content", "true"),
        }
    }
}

/// For each job, request and batch of ?1, by its place there: purchases with that request that are no purchase of the job, and
/// whose payment is not dead; and jobs with it that a token has delivered. Where they are of that batch, what its manifest asks for under their
/// ids is told.
pub(super) fn finding(manifest: Rows) -> String {
    let ((content, is_of_the_last_load), table) = (manifest.content(), manifest.table());
    let of_job = |went: &str| {
        format!(
            "SELECT e.key, p.id, o.id, o.batch, b.name, b.sandbox, o.job, o.edition, o.content, o.state, o.reason, i.network, {went},
                 CASE WHEN o.batch = e.value ->> 2 THEN
                     (SELECT {content} FROM {table} l
                      WHERE l.batch = o.batch AND l.job = o.job AND l.superseded = 0 AND {is_of_the_last_load} LIMIT 1) END"
        )
    };
    format!(
        "{bought}
         FROM json_each(?1) e CROSS JOIN intents i ON i.request_digest = unhex(e.value ->> 1)
             JOIN payments p ON p.id = i.payment JOIN jobs o ON o.id = p.job JOIN batches b ON b.id = o.batch
         WHERE p.state <> 'dead' AND p.job <> e.value ->> 0
         UNION ALL {served}
         FROM json_each(?1) e CROSS JOIN served s ON s.request_digest = unhex(e.value ->> 1)
             JOIN payments p ON p.id = s.payment JOIN intents i ON i.payment = p.id
             JOIN jobs o ON o.id = s.job JOIN batches b ON b.id = o.batch
         WHERE o.state IN ('delivered', 'downloaded') AND s.job <> e.value ->> 0
             AND NOT EXISTS (SELECT 1 FROM payments l WHERE l.job = s.job AND l.state <> 'dead')
         ORDER BY 2, 3",
        bought = of_job("p.poll_url IS NOT NULL, p.intended_at, p.paid_at, p.answered_at"),
        served = of_job("0, s.at, s.at, s.at"),
    )
}

/// The jobs ?1, as they are to be bought, and what their batches have used of their limits.
pub(super) const BUYERS: &str = "SELECT j.id, j.batch, j.job, b.sandbox,
         b.held_msat + b.spent_msat + b.fees_msat - b.refunded_msat FROM jobs j JOIN batches b ON b.id = j.batch
     WHERE j.id IN (SELECT value FROM json_each(?1))";

/// Jobs that are to be bought, and what their batches have used of their limits.
pub(super) fn buyers(conn: &Connection, jobs: &[JobKey]) -> Result<HashMap<JobKey, (Buyer, Msat)>, Fault> {
    let jobs: Vec<i64> = jobs.iter().map(|key| key.0).collect();
    rows(conn, BUYERS, &jobs, |row| {
        let job = row.get(0)?;
        Ok((job, (Buyer { job, batch: row.get(1)?, id: row.get(2)?, is_play: row.get(3)? }, row.get(4)?)))
    })
}

/// A job that is to be bought.
pub(in crate::ledger::sqlite) fn buyer(conn: &Connection, job: JobKey) -> Result<Buyer, Fault> {
    match buyers(conn, &[job])?.remove(&job) {
        Some((buyer, _)) => Ok(buyer),
        None => Err(rusqlite::Error::QueryReturnedNoRows.into()),
    }
}

/// A job that is not bought yet, where it has a row; the digest of its request; its batch, where that matters.
pub(in crate::ledger::sqlite) type Sought = (Option<JobKey>, [u8; 32], Option<BatchKey>);

/// Purchases with the request of that digest that are no purchase of that job, and whose payment is not dead.
pub(in crate::ledger::sqlite) fn alike(conn: &Connection, asked: Sought, manifest: Rows) -> Result<Vec<Alike>, Fault> {
    Ok(all_alike(conn, &[asked], manifest)?.remove(&0).unwrap_or_default())
}

/// What [`alike`] finds for each of many, by its position among them.
pub(super) fn all_alike(
    conn: &Connection,
    asked: &[Sought],
    manifest: Rows,
) -> Result<HashMap<u32, Vec<Alike>>, Fault> {
    let asked: Vec<(i64, String, Option<i64>)> = asked
        .iter()
        .map(|(job, digest, batch)| (job.map_or(0, |job| job.0), hex(digest), batch.map(|batch| batch.0)))
        .collect();
    let alike: Vec<(u32, Alike)> = rows(conn, &finding(manifest), &asked, |row| {
        let alike = Alike {
            payment: row.get(1)?,
            job: row.get(2)?,
            batch: row.get(3)?,
            batch_name: row.get(4)?,
            is_play: row.get(5)?,
            id: row.get(6)?,
            edition: edition(row, 7)?,
            content: row.get(8)?,
            state: row.get(9)?,
            reason: row.get(10)?,
            network: row.get(11)?,
            is_polled: row.get(12)?,
            intended_at: row.get(13)?,
            paid_at: row.get(14)?,
            answered_at: row.get(15)?,
            row_content: row.get(16)?,
        };
        Ok((row.get(0)?, alike))
    })?;
    let mut found = HashMap::<_, Vec<Alike>>::new();
    for (place, alike) in alike {
        found.entry(place).or_default().push(alike);
    }
    Ok(found)
}
