//! The same purchase under another name (rule 11): compared by content when a plan is loaded, and by the request when an
//! intent is made. Which purchase counts is decided in `decide/alike.rs`; here they are found.
//!
//! By content means also: by what the manifest gives, where a default of the catalogue has changed in the meantime.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::error::Fault;
use super::requests::Named;
use super::store::{Rows, alike, append_transition, buyer, takes};
use super::unknown::{MayRepeat, Unknown};
use crate::l402::Network;
use crate::ledger::decide::{Bought, Wanted, is_free};
use crate::ledger::{BatchKey, Compared, Duplicates, JobKey, Likeness, Original, ToBuy, decide};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// The condition of `jobs_bought`, for a job `o`: what is delivered, paid, open or lost. What was refunded is none.
pub(super) const BOUGHT: &str =
    "o.state IN ('running', 'in_doubt', 'paid', 'delivered', 'downloaded', 'refund_offered', 'lost')";

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

/// Counts a job among the duplicates.
pub(super) fn add(duplicates: &mut Duplicates, job: &Found, original: Original) -> Result<(), Fault> {
    let fits = duplicates.add(&job.id, job.price, job.retaken, original);
    fits.ok_or_else(|| Fault::Contradiction("the prices of the duplicates do not fit".to_owned()))
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

/// That an earlier take of a job `r` had the same content.
const HAD_CONTENT: &str = "r.take > 1 AND EXISTS (SELECT 1 FROM jobs e WHERE e.batch = r.batch AND e.job = r.job
    AND e.take < r.take AND e.content = r.content)";

/// Whether what is bought in `b` is what the row of its id asks for, in the manifest of the job `r` and of its own batch.
fn is_row(manifest: Rows) -> &'static str {
    match manifest {
        Rows::Loaded => {
            "b.batch = r.batch AND EXISTS (SELECT 1 FROM jobs l WHERE l.batch = r.batch AND l.job = b.job AND l.superseded = 0
                 AND l.last_load = (SELECT loads FROM batches WHERE id = r.batch)
                 AND CASE WHEN b.content = r.content THEN coalesce(l.row_content, l.content) = b.content
                     ELSE coalesce(l.row_given, l.given) = b.given END)"
        }
        // What is learnt only from this manifest has the content of the row that proves it.
        Rows::Planned => {
            "b.batch = r.batch AND EXISTS (SELECT 1 FROM temp.planned l WHERE l.batch = r.batch AND l.job = b.job AND l.superseded = 0
                 AND CASE WHEN b.content = r.content THEN l.content = b.content
                     WHEN EXISTS (SELECT 1 FROM temp.learnt n WHERE n.id = b.id) THEN l.content = r.content
                     ELSE l.given = b.given END)"
        }
    }
}

/// A purchase beside the job that is compared, as a row has it from that column on; and whether it is the very same content.
struct Beside {
    key: JobKey,
    batch: BatchKey,
    id: String,
    edition: String,
    is_same: bool,
    network: Option<Network>,
    is_play: bool,
    is_row: bool,
}

impl Beside {
    fn of_row(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<Self>> {
        let Some(key) = row.get(from)? else { return Ok(None) };
        Ok(Some(Self {
            key,
            batch: row.get(from + 1)?,
            id: row.get(from + 2)?,
            edition: row.get(from + 3)?,
            is_same: row.get(from + 4)?,
            network: row.get(from + 5)?,
            is_play: row.get(from + 6)?,
            is_row: row.get(from + 7)?,
        }))
    }

    /// What the job would repeat.
    fn repeated(&self, wanted: Wanted<'_>) -> Option<Repeated> {
        let Self { key, batch, network, is_play, is_row, .. } = *self;
        let bought = Bought { batch, id: &self.id, edition: &self.edition, network, is_play, is_row };
        let repeated = if self.is_same { Repeated::Same(key) } else { Repeated::OtherDefault(key) };
        wanted.repeats(&bought).then_some(repeated)
    }
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
    let (named, unproved) = (Named::of(tx)?, MayRepeat::of(tx, batch, network, rows.1)?);
    let mut comparing = Comparing { tx, batch, network, rows, named, unproved, job: None, found: Vec::new() };
    let mut statement = tx.prepare_cached(&finding(rows))?;
    let mut rows = statement.query(params![batch, network])?;
    // Each job stands once for each purchase that it is compared with, one after the other.
    while let Some(row) = rows.next()? {
        comparing.add(row)?;
    }
    comparing.finish()
}

/// A job beside all that may be the same purchase.
struct Candidate {
    job: Found,
    edition: String,
    is_free: bool,
    /// The digest of its request, where contents do not tell all.
    request: Option<[u8; 32]>,
}

/// The jobs of a batch as they are compared, one after the other.
struct Comparing<'c> {
    tx: &'c Connection,
    batch: BatchKey,
    network: Option<Network>,
    rows: (Rows, Rows),
    named: Named,
    unproved: Option<MayRepeat>,
    job: Option<Candidate>,
    found: Vec<Found>,
}

impl Comparing<'_> {
    fn add(&mut self, row: &Row<'_>) -> Result<(), Fault> {
        let key: JobKey = row.get(0)?;
        if self.job.as_ref().is_none_or(|candidate| candidate.job.key != key) {
            self.close()?;
            self.job = Some(Candidate {
                job: Found {
                    key,
                    id: row.get(1)?,
                    price: row.get(2)?,
                    seq: row.get(3)?,
                    was_aside: row.get(4)?,
                    retaken: row.get(8)?,
                    original: None,
                },
                edition: row.get(11)?,
                is_free: is_free(row.get(5)?, row.get(6)?, row.get(7)?),
                request: self.named.request(row, self.rows.0, 9)?.map(|request| request.digest()),
            });
        }
        let (batch, network) = (self.batch, self.network);
        let candidate = self.job.as_mut().filter(|candidate| !candidate.is_free);
        if let Some((Candidate { job, edition, .. }, beside)) = candidate.zip(Beside::of_row(row, 12)?) {
            let repeated = beside.repeated(Wanted { batch, id: &job.id, edition, network });
            let is_less = |of: &Repeated| !matches!(of, Repeated::Same(_));
            job.original = job.original.into_iter().chain(repeated).min_by_key(is_less);
        }
        Ok(())
    }

    /// All purchases are known beside which the job stands.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(Candidate { mut job, edition, is_free, request }) = self.job.take() else { return Ok(()) };
        let ((jobs, manifest), batch, network) = (self.rows, self.batch, self.network);
        if let Some(digest) = request.filter(|_| job.original.is_none() && !is_free) {
            let wanted = Wanted { batch, id: &job.id, edition: &edition, network };
            let own = Some(job.key).filter(|_| jobs == Rows::Loaded);
            let alike = alike(self.tx, (own, digest, Some(batch)), manifest)?;
            let repeated = alike.iter().find(|one| wanted.repeats_request(one));
            job.original = repeated.map(|one| Repeated::Same(one.job));
        }
        if let Some(unproved) = self.unproved.as_ref().filter(|_| job.original.is_none() && !is_free) {
            job.original = unproved.original(self.tx, jobs, job.key, &job.id)?.map(Repeated::May);
        }
        if job.was_aside || job.original.is_some() {
            self.found.push(job);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Found>, Fault> {
        self.close()?;
        self.found.sort_by_key(|job| job.seq);
        Ok(self.found)
    }
}

/// Jobs that are to be bought, or were set aside, each beside the purchases of the same content, and of what was given alike: each
/// is found by an index.
pub(super) fn finding((jobs, manifest): (Rows, Rows)) -> String {
    let retaken = match jobs {
        Rows::Loaded => "r.take > 1 AND r.first_load = (SELECT loads FROM batches WHERE id = r.batch)",
        Rows::Planned => "r.retaken",
    };
    let (learnt, is_same) = match manifest {
        Rows::Loaded => ("", "b.content = r.content"),
        Rows::Planned => (
            "UNION ALL SELECT n.id FROM temp.learnt n WHERE n.content = r.content",
            "b.content = r.content OR EXISTS (SELECT 1 FROM temp.learnt n WHERE n.id = b.id AND n.content = r.content)",
        ),
    };
    format!(
        "SELECT r.id, r.job, r.price_msat, r.seq, r.state = 'refused', r.meant, r.take, {HAD_CONTENT}, {retaken},
             r.endpoint, r.params, r.edition,
             b.id, b.batch, b.job, b.edition, {is_same},
             CASE WHEN ?2 IS NOT NULL THEN (SELECT i.network FROM payments p JOIN intents i ON i.payment = p.id
                 WHERE p.job = b.id AND p.state <> 'dead') END,
             (SELECT sandbox FROM batches WHERE id = b.batch), {is_row}
         FROM {table} r LEFT JOIN jobs b ON b.id IN (
             SELECT o.id FROM jobs o WHERE o.content = r.content AND {BOUGHT}
             UNION ALL SELECT o.id FROM jobs o WHERE o.given = r.given AND o.content <> r.content AND {BOUGHT} {learnt})
         WHERE r.batch = ?1 AND r.superseded = 0
             AND r.state IN ('pending', 'refused') AND (r.state = 'pending' OR r.reason = 'duplicate')",
        is_row = is_row(manifest),
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
            add(&mut duplicates, &job, original)?;
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
