//! The same purchase under another name (rule 11): compared by content when a plan is loaded, and by the request when an
//! intent is made. Which purchase counts is decided in `decide/alike.rs`; here they are found.
//!
//! By content means also: by what the manifest gives, where a default of the catalogue has changed in the meantime.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::convert::{self, text};
use super::error::Fault;
use super::load::Loading;
use super::requests::Named;
use super::schema::{BOUGHT, UNSETTLED};
use super::store::{Rows, alike, buyer, takes};
use super::unknown;
use crate::l402::Network;
use crate::ledger::decide::load::{Candidate, SettingAside, Stand};
use crate::ledger::decide::{Bought, MayRepeat, Unknown, Wanted, is_free};
use crate::ledger::load::LoadDesk;
use crate::ledger::{BatchKey, Compared, Duplicates, JobKey, Likeness, Original, ToBuy, decide};
use crate::plan::ContentHash;
use crate::time::UnixMs;

/// From so many purchases of one content on they are looked up once for all jobs that ask for it.
const OFTEN: u32 = 16;

/// A job that the pass has found.
pub(super) struct Found {
    pub(super) job: Candidate,
    seq: i64,
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

/// See [`SqliteLedger::to_buy`].
pub(super) fn to_buy<E>(
    conn: &Connection,
    batch: BatchKey,
    duplicates: bool,
    rows: Rows,
    each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
) -> Result<Result<(), E>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT job, price_msat, fee_ceiling_msat, state = 'refused', reason, {}, {} FROM {}
         WHERE batch = ?1 AND {} AND (state = 'pending' OR (?2 AND state = 'refused' AND reason = 'duplicate'))
         ORDER BY seq, id",
        match rows {
            Rows::Loaded => "endpoint",
            Rows::Planned => "place",
        },
        rows.is_capped(),
        rows.table(),
        match rows {
            Rows::Loaded => UNSETTLED,
            Rows::Planned => "superseded = 0",
        }
    ))?;
    let mut rows = statement.query(params![batch, duplicates])?;
    while let Some(row) = rows.next()? {
        let (id, price, fee_ceiling) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (is_duplicate, reason, place) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let is_capped = row.get(6)?;
        if let Err(error) = each(ToBuy { id, price, is_capped, fee_ceiling, is_duplicate, reason, place }) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// Names the edition of all that [`decide::load::takes_edition`] is true of.
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

/// Whether what is bought in `b` is what the row of its id asks for, in the manifest of the batch ?1 and its own.
fn is_row(manifest: Rows) -> &'static str {
    match manifest {
        Rows::Loaded => {
            "b.batch = ?1 AND EXISTS (SELECT 1 FROM jobs l WHERE l.batch = ?1 AND l.job = b.job AND l.superseded = 0
                 AND l.last_load = (SELECT loads FROM batches WHERE id = ?1)
                 AND CASE WHEN b.content = ?2 THEN coalesce(l.row_content, l.content) = b.content
                     ELSE coalesce(l.row_given, l.given) = b.given END)"
        }
        // What is learnt only from this manifest has the content of the row that proves it.
        Rows::Planned => {
            "b.batch = ?1 AND EXISTS (SELECT 1 FROM temp.planned l WHERE l.batch = ?1 AND l.job = b.job AND l.superseded = 0
                 AND CASE WHEN b.content = ?2 THEN l.content = b.content
                     WHEN EXISTS (SELECT 1 FROM temp.learnt n WHERE n.id = b.id) THEN l.content = ?2
                     ELSE l.given = b.given END)"
        }
    }
}

/// A purchase beside jobs that ask for the same; and whether it is the very same content.
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
    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            batch: row.get(1)?,
            id: row.get(2)?,
            edition: convert::edition(row, 3)?,
            is_same: row.get(4)?,
            network: row.get(5)?,
            is_play: row.get(6)?,
            is_row: row.get(7)?,
        })
    }

    fn is_repeated_by(&self, wanted: Wanted<'_>) -> bool {
        let Self { batch, network, is_play, is_row, .. } = *self;
        wanted.repeats(&Bought { batch, id: &self.id, edition: &self.edition, network, is_play, is_row })
    }

    /// Whether what is kept says as much to every job: two of one kind do, of which a job is at most one itself.
    fn is_one_too_many(&self, kept: &[Self]) -> bool {
        let kind = |one: &Self| (one.is_same, one.is_row);
        let is_alike = |one: &&Self| kind(one) == kind(self) && one.edition == self.edition;
        let mut alike = kept.iter().filter(is_alike);
        alike.next().is_some_and(|one| (one.batch == self.batch && one.id == self.id) || alike.next().is_some())
    }

    fn repeated(&self) -> Repeated {
        if self.is_same { Repeated::Same(self.key) } else { Repeated::OtherDefault(self.key) }
    }
}

/// Every job of the batch that is to be bought and is bought already, and every one that was set aside before: the jobs as they
/// stand in the first place, beside the manifest as it stands in the second.
pub(super) fn find(
    tx: &Connection,
    batch: BatchKey,
    network: Option<Network>,
    (jobs, manifest): (Rows, Rows),
) -> Result<Vec<Found>, Fault> {
    if is_play(tx, batch)? {
        return Ok(Vec::new());
    }
    let (named, unproved) = (Named::of(tx)?, unknown::may_repeat(tx, batch, network, manifest)?);
    let (any, beside) = (tx.prepare_cached(&any_beside(manifest))?, tx.prepare_cached(&beside(manifest))?);
    let mut comparing =
        Comparing { tx, batch, network, jobs, manifest, named, unproved, any, beside, often: HashMap::new() };
    let mut statement = tx.prepare_cached(&compared(jobs))?;
    let mut rows = statement.query([batch])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let original = comparing.original(row)?;
        let is_aside = row.get(4)?;
        if is_aside || original.is_some() {
            let job = Candidate {
                key: row.get(0)?,
                id: row.get(1)?,
                take: row.get(6)?,
                attempts: row.get(14)?,
                price: row.get(2)?,
                is_capped: row.get(16)?,
                is_aside,
                is_new_word: row.get(15)?,
                is_retaken: row.get(8)?,
            };
            found.push(Found { job, seq: row.get(3)?, original });
        }
    }
    found.sort_by_key(|job| job.seq);
    Ok(found)
}

/// What a job asks for: its content, and what its manifest gave.
type AskedFor = (ContentHash, Option<[u8; 32]>);

/// The jobs of a batch as they are compared, one after the other.
struct Comparing<'c> {
    tx: &'c Connection,
    batch: BatchKey,
    network: Option<Network>,
    jobs: Rows,
    manifest: Rows,
    named: Named,
    unproved: Option<MayRepeat>,
    any: CachedStatement<'c>,
    beside: CachedStatement<'c>,
    /// What was found where there was much of it: identical rows ask for the same.
    often: HashMap<AskedFor, Vec<Beside>>,
}

impl Comparing<'_> {
    /// What the job of that row of [`compared`] would repeat.
    fn original(&mut self, row: &Row<'_>) -> Result<Option<Repeated>, Fault> {
        if is_free(row.get(5)?, row.get(6)?, row.get(7)?) {
            return Ok(None);
        }
        let (key, id, edition): (JobKey, String, String) = (row.get(0)?, row.get(1)?, convert::edition(row, 11)?);
        let (batch, network, is_row) = (self.batch, self.network, row.get(17)?);
        let wanted = Wanted { batch, id: &id, edition: &edition, network, is_row };
        if let Some(repeated) = self.by_content((row.get(12)?, row.get(13)?), wanted)? {
            return Ok(Some(repeated));
        }
        if let Some(request) = self.named.request(row, self.jobs, 9)? {
            let own = Some(key).filter(|_| self.jobs == Rows::Loaded);
            let alike = alike(self.tx, (own, request.digest(), Some(self.batch)), self.manifest)?;
            if let Some(one) = alike.iter().find(|one| wanted.repeats_request(one)) {
                return Ok(Some(Repeated::Same(one.job)));
            }
        }
        let Some(unproved) = &self.unproved else { return Ok(None) };
        let facts = unknown::facts(self.tx, self.jobs, key)?;
        Ok(unproved.original(&facts, &id).map(Repeated::May))
    }

    /// A purchase of the same content before others.
    fn by_content(&mut self, asked: AskedFor, wanted: Wanted<'_>) -> Result<Option<Repeated>, Fault> {
        let first = |found: &[Beside]| {
            let repeated = found.iter().filter(|one| one.is_repeated_by(wanted));
            repeated.min_by_key(|one| !one.is_same).map(Beside::repeated)
        };
        if let Some(found) = self.often.get(&asked) {
            return Ok(first(found));
        }
        // Mostly there is none: that is known at a tenth of the cost.
        if !self.any.exists(params![asked.0, asked.1])? {
            return Ok(None);
        }
        // A job of no id, no edition and no row would repeat all that any may.
        let any = Wanted { id: "", edition: "", is_row: false, ..wanted };
        let (mut found, mut count) = (Vec::new(), 0_u32);
        let mut rows = self.beside.query(params![self.batch, asked.0, asked.1, self.network])?;
        while let Some(row) = rows.next()? {
            let one = Beside::of_row(row)?;
            count = count.saturating_add(1);
            if one.is_repeated_by(any) && !one.is_one_too_many(&found) {
                found.push(one);
            }
        }
        let first = first(&found);
        if count >= OFTEN {
            self.often.insert(asked, found);
        }
        Ok(first)
    }
}

/// The jobs of the batch ?1 that are to be bought, or were set aside.
fn compared(jobs: Rows) -> String {
    let (retaken, attempts, new_word, is_row) = match jobs {
        Rows::Loaded => (
            "r.take > 1 AND r.first_load = (SELECT loads FROM batches WHERE id = ?1)",
            "r.attempts",
            "r.first_load > (SELECT accepted_load FROM batches WHERE id = ?1)",
            "r.last_load = (SELECT loads FROM batches WHERE id = ?1)",
        ),
        // Of a foresight no history tells, and what is to be bought in it is a row.
        Rows::Planned => ("r.retaken", "0", "0", "1"),
    };
    format!(
        "SELECT r.id, r.job, r.price_msat, r.seq, r.state = 'refused', r.meant, r.take, {HAD_CONTENT}, {retaken},
             r.endpoint, r.params, r.edition, r.content, r.given, {attempts}, {new_word}, {is_capped},
             {is_row}
         FROM {table} r WHERE r.batch = ?1 AND r.superseded = 0
             AND r.state IN ('pending', 'refused') AND (r.state = 'pending' OR r.reason = 'duplicate')",
        table = jobs.table(),
        is_capped = jobs.is_capped(),
    )
}

/// Whether there is any purchase of that content ?1, or of what was given ?2.
fn any_beside(manifest: Rows) -> String {
    let learnt = match manifest {
        Rows::Loaded => "",
        Rows::Planned => "UNION ALL SELECT 1 FROM temp.learnt n WHERE n.content = ?1",
    };
    format!(
        "SELECT 1 FROM jobs o WHERE o.content = ?1 AND {BOUGHT}
         UNION ALL SELECT 1 FROM jobs o WHERE o.given = ?2 AND {BOUGHT} {learnt}"
    )
}

/// For a job of the batch ?1: the purchases of its content ?2, and of what was given ?3 alike. Each is found by an index.
pub(super) fn beside(manifest: Rows) -> String {
    let (learnt, is_same) = match manifest {
        Rows::Loaded => ("", "b.content = ?2"),
        Rows::Planned => (
            "UNION ALL SELECT n.id FROM temp.learnt n WHERE n.content = ?2",
            "b.content = ?2 OR EXISTS (SELECT 1 FROM temp.learnt n WHERE n.id = b.id AND n.content = ?2)",
        ),
    };
    format!(
        "SELECT b.id, b.batch, b.job, b.edition, {is_same},
             CASE WHEN ?4 IS NOT NULL THEN coalesce((SELECT i.network FROM payments p JOIN intents i ON i.payment = p.id
                 WHERE p.job = b.id AND p.state <> 'dead'),
                 (SELECT i.network FROM served s JOIN intents i ON i.payment = s.payment WHERE s.job = b.id)) END,
             (SELECT sandbox FROM batches WHERE id = b.batch), {is_row}
         FROM jobs b WHERE b.id IN (
             SELECT o.id FROM jobs o WHERE o.content = ?2 AND {BOUGHT}
             UNION ALL SELECT o.id FROM jobs o WHERE o.given = ?3 AND o.content <> ?2 AND {BOUGHT} {learnt})
         ORDER BY b.id",
        is_row = is_row(manifest),
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
        Repeated::May(unknown) => (unknown.key, unknown.likeness()),
    };
    let mut statement: CachedStatement<'_> = conn.prepare_cached(
        "SELECT b.name, o.job, coalesce(p.paid_at, p.intended_at, o.started_at, b.created_at)
         FROM jobs o JOIN batches b ON b.id = o.batch
             LEFT JOIN payments p ON p.job = o.id AND p.state <> 'dead' WHERE o.id = ?1",
    )?;
    let original = |row: &Row<'_>| Ok(Original { batch: row.get(0)?, id: row.get(1)?, at: row.get(2)?, is });
    Ok(statement.query_row([key], original)?)
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
    let mut setting = SettingAside::of(compared);
    let found = find(tx, batch, compared.network, (Rows::Loaded, Rows::Loaded))?;
    stand(tx, batch, now, stands(tx, found, &mut setting))?;
    Ok(setting.found())
}

/// How the jobs that were found stand from now on, one at a time: there may be very many.
pub(super) fn stands(
    conn: &Connection,
    found: Vec<Found>,
    setting: &mut SettingAside<'_>,
) -> impl Iterator<Item = Result<Stand, Fault>> {
    found.into_iter().filter_map(|Found { job, original, .. }| {
        let original = original.map(|original| original_of(conn, original)).transpose();
        original.and_then(|original| Ok(setting.set(&job, original)?)).transpose()
    })
}

/// Writes how jobs of the batch stand from now on.
pub(super) fn stand(
    tx: &Connection,
    batch: BatchKey,
    now: UnixMs,
    stands: impl IntoIterator<Item = Result<Stand, Fault>>,
) -> Result<(), Fault> {
    let mut desk = Loading::of(tx, batch)?;
    stands.into_iter().try_for_each(|stand| desk.apply(&stand?.writes(now)))
}

/// The same of a foresight, of which no more is kept.
pub(super) fn stand_planned(
    conn: &Connection,
    stands: impl IntoIterator<Item = Result<Stand, Fault>>,
) -> Result<(), Fault> {
    let mut mark = conn.prepare_cached("UPDATE temp.planned SET state = ?2, reason = ?3 WHERE id = ?1")?;
    for stand in stands {
        let Stand { key, state, reason, .. } = stand?;
        mark.execute(params![key, state, reason])?;
    }
    Ok(())
}

pub(super) fn mean(tx: &Connection, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), Fault> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT id, job, take, attempts, price_msat, first_load > (SELECT accepted_load FROM batches WHERE id = ?1), {}
         FROM jobs WHERE batch = ?1 AND state = 'refused' AND reason = 'duplicate' AND superseded = 0",
        Rows::Loaded.is_capped()
    ))?;
    let aside = statement.query_map([batch], |row| {
        let (key, id, take, attempts, price) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        let (is_new_word, is_capped) = (row.get(5)?, row.get(6)?);
        Ok(Candidate { key, id, take, attempts, price, is_capped, is_aside: true, is_new_word, is_retaken: false })
    })?;
    let aside: Vec<Candidate> = aside.collect::<Result<_, _>>()?;
    stand(tx, batch, now, decide::load::mean(&aside, only).into_iter().map(Ok))
}

pub(super) fn bought_elsewhere(
    conn: &Connection,
    job: JobKey,
    digest: &[u8; 32],
    network: Network,
) -> Result<Option<Original>, Fault> {
    // Mostly there is none, whoever asks.
    if alike(conn, (Some(job), *digest, None), Rows::Loaded)?.is_empty() {
        return Ok(None);
    }
    let (buyer, takes) = (buyer(conn, job)?, takes(conn, job, text)?);
    Ok(decide::bought_elsewhere(
        &buyer,
        &takes,
        network,
        &alike(conn, (Some(job), *digest, Some(buyer.batch)), Rows::Loaded)?,
    ))
}
