//! The same purchase under another name (rule 11): compared by content when a plan is loaded, and by the request when an
//! intent is made.
//!
//! By content means also: by what the manifest gives, where a default of the catalogue has changed in the meantime.
//!
//! A purchase counts against a job that is still to be bought unless it is itself a row of the same manifest, with the same
//! id and the same content: identical rows of one manifest are both meant. Row numbers that were shifted are not.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::error::Fault;
use super::requests::Named;
use super::store::{Rows, alike, append_transition, buyer, takes};
use super::unknown::{MayRepeat, Unknown};
use crate::l402::Network;
use crate::ledger::decide::Wanted;
use crate::ledger::loading::NAMED_MAX;
use crate::ledger::{BatchKey, Compared, Duplicates, JobKey, Likeness, Original, ToBuy, decide};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// The condition of `jobs_bought`, for a job `o`: what is delivered, paid, open or lost. What was refunded is none.
pub(super) const BOUGHT: &str =
    "o.state IN ('running', 'in_doubt', 'paid', 'delivered', 'downloaded', 'refund_offered', 'lost')";

/// That `r` is compared with a purchase `o`: what names no edition is compared with everything.
const ONE_EDITION: &str = "(r.edition = '' OR o.edition IN ('', r.edition))";

/// A job that the pass has found.
pub(super) struct Found {
    pub(super) key: JobKey,
    pub(super) id: String,
    pub(super) price: Msat,
    seq: i64,
    pub(super) was_aside: bool,
    /// A word of the last load wants it once more.
    pub(super) retaken: bool,
    pub(super) original: Option<Repeated>,
}

/// What a job would repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    /// What is bought there.
    Same(JobKey),
    /// It was given as the job is; a default of the catalogue is another since.
    OtherDefault(JobKey),
    /// It may: receipts alone tell of that purchase.
    May(Unknown),
}

impl Duplicates {
    pub(super) fn add(&mut self, job: Found, original: Original) -> Result<(), Fault> {
        self.count = self.count.saturating_add(1);
        let sum = self.price.checked_add(job.price);
        self.price = sum.ok_or_else(|| Fault::Contradiction("the prices of the duplicates do not fit".to_owned()))?;
        if job.retaken {
            self.retaken.add(&job.id);
        }
        if self.first.len() < NAMED_MAX {
            self.first.push((job.id, original));
        }
        Ok(())
    }
}

/// See [`SqliteLedger::to_buy`].
pub(super) fn to_buy<E>(
    conn: &Connection,
    batch: BatchKey,
    duplicates: bool,
    rows: Rows,
    each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
) -> Result<Result<(), E>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT job, price_msat, fee_ceiling_msat, state = 'refused', reason, {} FROM {}
         WHERE batch = ?1 AND superseded = 0 AND (state = 'pending' OR (?2 AND state = 'refused' AND reason = 'duplicate'))
         ORDER BY seq, id",
        match rows {
            Rows::Loaded => "endpoint",
            Rows::Planned => "place",
        },
        rows.table()
    ))?;
    let mut rows = statement.query(params![batch, duplicates])?;
    while let Some(row) = rows.next()? {
        let (id, price, fee_ceiling) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (is_duplicate, reason, place) = (row.get(3)?, row.get(4)?, row.get(5)?);
        if let Err(error) = each(ToBuy { id, price, fee_ceiling, is_duplicate, reason, place }) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// What is still to be bought is of the manifest's edition; what was bought keeps its own, and so does what was set aside: it
/// is no other purchase on another day.
fn name_edition(tx: &Connection, batch: BatchKey, edition: &str) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE jobs SET edition = ?2
         WHERE batch = ?1 AND state IN ('pending', 'refused', 'failed') AND superseded = 0 AND edition <> ?2
             AND reason <> 'duplicate'",
    )?
    .execute(params![batch, edition])?;
    Ok(())
}

/// By what a job and a purchase are compared.
#[derive(Clone, Copy)]
enum By {
    /// What is bought.
    Content,
    /// What the manifest gives: a default of the catalogue may have changed since.
    Given,
    /// What is bought, as far as only this manifest proves it: see `by_receipt`.
    Learnt,
}

/// That a purchase `o` is itself a row of the manifest of `r`, with the same id and content.
fn is_row_of_the_manifest(by: By, manifest: Rows) -> String {
    let same = match (manifest, by) {
        (Rows::Loaded, By::Content) => "coalesce(l.row_content, l.content) = o.content",
        (Rows::Loaded, By::Given) => "coalesce(l.row_given, l.given) = o.given",
        (Rows::Planned, By::Content) => "l.content = o.content",
        (Rows::Planned, By::Given) => "l.given = o.given",
        (Rows::Loaded | Rows::Planned, By::Learnt) => "l.content = n.content",
    };
    let is_of_the_last_load = match manifest {
        Rows::Loaded => "AND l.last_load = (SELECT loads FROM batches WHERE id = r.batch)",
        Rows::Planned => "",
    };
    format!(
        "o.batch = r.batch AND EXISTS (SELECT 1 FROM {} l WHERE l.batch = r.batch AND l.job = o.job AND l.superseded = 0
             {is_of_the_last_load} AND {same})",
        manifest.table()
    )
}

/// The purchase `o` that the job `r` would repeat on the network ?2: a subquery.
fn purchase(by: By, manifest: Rows) -> String {
    let same = match by {
        By::Content => "jobs o WHERE o.content = r.content",
        By::Given => "jobs o WHERE o.given = r.given AND o.content <> r.content",
        By::Learnt => "temp.learnt n JOIN jobs o ON o.id = n.id WHERE n.content = r.content",
    };
    format!(
        "(SELECT o.id FROM {same} AND {BOUGHT} AND {ONE_EDITION}
             AND NOT (o.batch = r.batch AND o.job = r.job)
             AND NOT ({row})
             AND NOT (SELECT sandbox FROM batches WHERE id = o.batch)
             AND (?2 IS NULL OR ?2 = (SELECT i.network FROM payments p JOIN intents i ON i.payment = p.id
                 WHERE p.job = o.id AND p.state <> 'dead'))
         LIMIT 1)",
        row = is_row_of_the_manifest(by, manifest)
    )
}

/// That nothing needs comparing: a person means it, or it is one more take of the same content, for which there was a word.
fn is_free() -> &'static str {
    "r.meant = 1 OR (r.take > 1 AND EXISTS (SELECT 1 FROM jobs e WHERE e.batch = r.batch AND e.job = r.job AND e.take < r.take
        AND e.content = r.content))"
}

/// Every job of the batch that is to be bought and is bought already, and every one that was set aside before: the jobs as they
/// stand in the first place, beside the manifest as it stands in the second.
pub(super) fn find(
    tx: &Connection,
    batch: BatchKey,
    network: Option<Network>,
    rows: (Rows, Rows),
) -> Result<Vec<Found>, Fault> {
    if is_play(tx, batch)? {
        return Ok(Vec::new());
    }
    let (jobs, among) = (rows.0, rows);
    let named = Named::of(tx)?;
    let unproved = MayRepeat::of(tx, batch, network, rows.1)?;
    let mut statement = tx.prepare_cached(&finding(rows))?;
    let mut rows = statement.query(params![batch, network])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (was_aside, is_free): (bool, bool) = (row.get(4)?, row.get(5)?);
        let (same, given): (Option<JobKey>, Option<JobKey>) = (row.get(6)?, row.get(7)?);
        let (key, id): (JobKey, String) = (row.get(0)?, row.get(1)?);
        let mut original = same.map(Repeated::Same).or(given.map(Repeated::OtherDefault));
        if original.is_none() && !is_free {
            let wanted = Wanted { batch, id: &id, edition: &row.get::<_, String>(11)?, network };
            original = named.original(tx, row, (key, 9), wanted, among)?.map(Repeated::Same);
        }
        if let Some(unproved) = unproved.as_ref().filter(|_| original.is_none() && !is_free) {
            original = unproved.original(tx, jobs, key, &id)?.map(Repeated::May);
        }
        if was_aside || original.is_some() {
            let (price, seq, retaken) = (row.get(2)?, row.get(3)?, row.get(8)?);
            found.push(Found { key, id, price, seq, was_aside, retaken, original });
        }
    }
    found.sort_by_key(|job| job.seq);
    Ok(found)
}

/// The joined pass: each purchase is found by an index.
pub(super) fn finding((jobs, manifest): (Rows, Rows)) -> String {
    let mut content = purchase(By::Content, manifest);
    if manifest == Rows::Planned {
        content = format!("coalesce({content}, {})", purchase(By::Learnt, manifest));
    }
    let retaken = match jobs {
        Rows::Loaded => "r.take > 1 AND r.first_load = (SELECT loads FROM batches WHERE id = r.batch)",
        Rows::Planned => "r.retaken",
    };
    format!(
        "SELECT r.id, r.job, r.price_msat, r.seq, r.state = 'refused', {free},
             CASE WHEN {free} THEN NULL ELSE {content} END, CASE WHEN {free} THEN NULL ELSE {given} END, {retaken},
             r.endpoint, r.params, r.edition
         FROM {table} r WHERE r.batch = ?1 AND r.superseded = 0
             AND r.state IN ('pending', 'refused') AND (r.state = 'pending' OR r.reason = 'duplicate')",
        free = is_free(),
        given = purchase(By::Given, manifest),
        table = jobs.table(),
    )
}

fn is_play(conn: &Connection, batch: BatchKey) -> Result<bool, Fault> {
    let found = conn.prepare_cached("SELECT sandbox FROM batches WHERE id = ?1")?.query_row([batch], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(false))
}

pub(super) fn original_of(conn: &Connection, repeated: Repeated) -> Result<Original, Fault> {
    let (key, is) = match repeated {
        Repeated::Same(key) => (key, Likeness::Same),
        Repeated::OtherDefault(key) => (key, Likeness::OtherDefault),
        Repeated::May(Unknown { key, same_id: true, .. } | Unknown { key, count: 1, .. }) => (key, Likeness::MayBe),
        Repeated::May(Unknown { key, count, others, .. }) => (key, Likeness::MayBeOneOf(count, others)),
    };
    let mut statement: CachedStatement<'_> = conn.prepare_cached(
        "SELECT b.name, o.job, coalesce(p.paid_at, p.intended_at, o.started_at, b.created_at)
         FROM jobs o JOIN batches b ON b.id = o.batch
             LEFT JOIN payments p ON p.job = o.id AND p.state <> 'dead' WHERE o.id = ?1",
    )?;
    let original = |row: &Row<'_>| Ok(Original { batch: row.get(0)?, id: row.get(1)?, at: row.get(2)?, is });
    Ok(statement.query_row([key], original)?)
}

/// A job that was set aside is pending again.
fn reopen(tx: &Connection, now: UnixMs, key: JobKey, meant: bool) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE jobs SET state = 'pending', reason = '', error = NULL, finished_at = NULL, meant = meant OR ?2
         WHERE id = ?1",
    )?
    .execute(params![key, meant])?;
    note(tx, now, key, (JobState::Refused, JobState::Pending), Reason::None)
}

/// Appends a transition; but for a take whose word nobody has accepted: it may be taken back, and leaves no trace then.
fn note(tx: &Connection, now: UnixMs, key: JobKey, (from, to): (JobState, JobState), why: Reason) -> Result<(), Fault> {
    let unaccepted = tx
        .prepare_cached(
            "SELECT 1 FROM jobs n JOIN batches b ON b.id = n.batch
             WHERE n.id = ?1 AND n.take > 1 AND n.attempts = 0 AND n.first_load > b.accepted_load",
        )?
        .exists([key])?;
    if unaccepted { Ok(()) } else { append_transition(tx, now, key, from, to, why) }
}

pub(super) fn set_aside(
    tx: &Connection,
    batch: BatchKey,
    now: UnixMs,
    compared: &Compared<'_>,
) -> Result<Duplicates, Fault> {
    if let Some(edition) = &compared.edition {
        name_edition(tx, batch, edition)?;
    }
    let mut duplicates = Duplicates::default();
    let only: HashSet<&String> = compared.only.iter().collect();
    let found = find(tx, batch, compared.network, (Rows::Loaded, Rows::Loaded))?;
    let mut mark = tx.prepare_cached(
        "UPDATE jobs SET state = 'refused', reason = 'duplicate', error = ?2, wait_until = NULL, finished_at = ?3
         WHERE id = ?1",
    )?;
    for job in found {
        let Some(original) = job.original else {
            reopen(tx, now, job.key, false)?;
            continue;
        };
        let original = original_of(tx, original)?;
        if !job.was_aside {
            mark.execute(params![job.key, original.words(), now])?;
            note(tx, now, job.key, (JobState::Pending, JobState::Refused), Reason::Duplicate)?;
        }
        if only.is_empty() || only.contains(&job.id) {
            duplicates.add(job, original)?;
        }
    }
    Ok(duplicates)
}

pub(super) fn mean(tx: &Connection, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT id, job FROM jobs WHERE batch = ?1 AND state = 'refused' AND reason = 'duplicate'
             AND superseded = 0",
    )?;
    let rows = statement.query_map([batch], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let found: Vec<(JobKey, String)> = rows.collect::<Result<_, _>>()?;
    let only: HashSet<&String> = only.iter().collect();
    for (key, id) in found {
        if only.is_empty() || only.contains(&id) {
            reopen(tx, now, key, true)?;
        }
    }
    Ok(())
}

pub(super) fn bought_elsewhere(
    conn: &Connection,
    job: JobKey,
    digest: &[u8; 32],
    network: Network,
) -> Result<Option<Original>, Fault> {
    let (buyer, takes) = (buyer(conn, job)?, takes(conn, job)?);
    Ok(decide::bought_elsewhere(
        &buyer,
        &takes,
        network,
        &alike(conn, (Some(job), *digest, Some(buyer.batch)), Rows::Loaded)?,
    ))
}
