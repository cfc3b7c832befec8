//! What running a manifest would buy, by the same decisions and the same comparison as loading it makes. Nothing is written into
//! the ledger: what its rows would become stands in a table of this connection alone, in a temporary file.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};
use url::Url;

use super::SqliteLedger;
use super::by_receipt::unproven;
use super::convert::{Json, int};
use super::error::{Fault, contradiction};
use super::foreseen::Foreseen;
use super::load::{KnownJobs, gone, had, new_row};
use super::requests::Named;
use super::store::Rows;
use crate::catalog::Endpoint;
use crate::ledger::decide::RowFacts;
use crate::ledger::decide::load::{LoadAction, NewRow, Reading, Recognising, StoredTake, before, given, takes_edition};
use crate::ledger::load::in_chunks;
use crate::ledger::port::{Foresee, Loading};
use crate::ledger::word::Retake;
use crate::ledger::{BatchKey, ChosenRows, JobKey, LedgerError, LoadError, PlanLoad, Unbought};
use crate::manifest::{JobSpec, ResultsRow};
use crate::plan::PlannedJob;
use crate::purchase::JobState;

/// `learnt` holds what was bought where receipts alone tell of it, and the manifest proves it. `planned` holds the rows of a
/// manifest as loading it would have them, and what of them is to be bought. `changed` rows and those that are
/// open or withdrawn are there too: what is bought may be a row of this manifest. `facts` are there only where receipts alone tell of
/// any purchase; `place` is where its request goes; `endpoint` and `params` where a purchase under another endpoint's name may have
/// sent the same request.
const TABLE: &str = "
    DROP TABLE IF EXISTS temp.planned;
    DROP TABLE IF EXISTS temp.learnt;
    CREATE TEMP TABLE learnt (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT;
    CREATE TEMP TABLE planned (
        id INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        job TEXT NOT NULL,
        take INTEGER NOT NULL,
        superseded INTEGER NOT NULL DEFAULT 0,
        content BLOB NOT NULL,
        given BLOB,
        price_msat INTEGER NOT NULL,
        fee_ceiling_msat INTEGER NOT NULL,
        max_cost_msat INTEGER,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        edition TEXT NOT NULL,
        meant INTEGER NOT NULL,
        is_new INTEGER NOT NULL,
        retaken INTEGER NOT NULL DEFAULT 0,
        facts TEXT,
        is_capped INTEGER NOT NULL,
        place INTEGER NOT NULL,
        endpoint TEXT,
        params TEXT
    ) STRICT;
    CREATE INDEX temp.learnt_by_content ON learnt (content)";

/// Made once the table is filled.
const BY_JOB: &str = "CREATE INDEX temp.planned_by_job ON planned (job)";

/// A batch that the ledger does not have: no job is of it.
const NO_BATCH: BatchKey = BatchKey(0);

/// The table as it is filled.
struct Filling<'a> {
    ledger: &'a SqliteLedger,
    batch: BatchKey,
    edition: &'a str,
    seq: u64,
    endpoints: HashMap<*const Endpoint, (Arc<Endpoint>, i64)>,
    insert: CachedStatement<'a>,
    known: KnownJobs<'a>,
    reading: Reading<'a>,
    named: Named,
    places: HashMap<Url, i64>,
}

impl<'a> Filling<'a> {
    fn begin(ledger: &'a SqliteLedger, batch: BatchKey, retake: &'a Retake, edition: &'a str) -> Result<Self, Fault> {
        let insert = ledger.conn.prepare_cached(
            "INSERT INTO temp.planned (seq, batch, job, take, content, given, price_msat, fee_ceiling_msat, max_cost_msat,
                 state, reason, edition, meant, is_new, retaken, facts, place, endpoint, params,
                 is_capped)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?;
        let (known, reading) = (KnownJobs::of(&ledger.conn, batch)?, Reading::of(retake, unproven(&ledger.conn)?));
        let (named, endpoints, places) = (Named::of(&ledger.conn)?, HashMap::new(), HashMap::new());
        Ok(Self { ledger, batch, edition, seq: 0, endpoints, insert, known, reading, named, places })
    }

    fn take_all(&mut self, jobs: &[PlannedJob]) -> Result<(), Fault> {
        let asked = jobs.iter().map(|job| Ok((job.id.as_str(), self.endpoint(job)?)));
        let asked = asked.collect::<Result<Vec<_>, Fault>>()?;
        let stored = self.known.takes(self.reading.retake(), &asked, None)?;
        jobs.iter().zip(stored).try_for_each(|(job, takes)| self.take(job, takes))
    }

    fn take(&mut self, job: &PlannedJob, takes: Vec<StoredTake>) -> Result<(), Fault> {
        let (learnt, row) = self.reading.row(job, takes)?;
        for key in learnt {
            let mut learn = self.ledger.conn.prepare_cached("INSERT INTO temp.learnt VALUES (?1, ?2)")?;
            learn.execute(params![key, job.content])?;
        }
        let is_shared = self.named.is_shared(&job.endpoint);
        let place = self.place(&job.endpoint.url)?;
        let keeping = row.known.as_ref().filter(|_| !takes_edition(row.state, row.reason));
        self.insert.execute(params![
            int(self.seq)?,
            self.batch,
            job.id,
            row.take,
            job.content,
            given(job),
            job.priced.price,
            job.fee_ceiling,
            job.max_cost,
            row.state,
            row.reason,
            keeping.map_or(self.edition, |known| known.edition.as_str()),
            row.is_meant(job),
            row.action == LoadAction::Add,
            row.action == LoadAction::Retake,
            self.reading.has_unproven().then(|| Json(RowFacts::of(&job.endpoint))),
            place,
            is_shared.then(|| Json(&*job.endpoint)),
            is_shared.then(|| Json(job.sent_params(row.earlier))),
            job.is_capped()
        ])?;
        self.seq = self.seq.saturating_add(1);
        Ok(())
    }

    fn place(&mut self, url: &Url) -> Result<i64, Fault> {
        if let Some(place) = self.places.get(url) {
            return Ok(*place);
        }
        let place = int(u64::try_from(self.places.len()).unwrap_or(u64::MAX))?;
        self.places.insert(url.clone(), place);
        Ok(place)
    }

    /// The endpoint's row.
    fn endpoint(&mut self, job: &PlannedJob) -> Result<i64, Fault> {
        if let Some((_, row)) = self.endpoints.get(&Arc::as_ptr(&job.endpoint)) {
            return Ok(*row);
        }
        let row = self.ledger.endpoint_row(&job.endpoint)?;
        self.endpoints.insert(Arc::as_ptr(&job.endpoint), (Arc::clone(&job.endpoint), row));
        Ok(row)
    }

    fn finish(mut self) -> Result<(PlanLoad, HashMap<i64, Url>), Fault> {
        let conn = &self.ledger.conn;
        conn.execute_batch(BY_JOB)?;
        if self.batch != NO_BATCH {
            recognise(conn, self.batch, &DiscardedTakes::of(&mut self.known)?, &mut self.reading)?;
        }
        let (report, _) = self.reading.finish();
        Ok((report, self.places.into_iter().map(|(url, place)| (place, url)).collect()))
    }
}

/// Takes that a load takes back before anything else.
#[derive(Default)]
struct DiscardedTakes {
    gone: Vec<JobKey>,
    /// Those before them, which are the latest of their jobs again.
    latest: Vec<i64>,
}

impl DiscardedTakes {
    fn of(known: &mut KnownJobs<'_>) -> Result<Self, Fault> {
        let mut found = Self::default();
        for takes in known.further()? {
            if let Some((latest, gone)) = before(&takes).zip(takes.last()).filter(|(_, last)| last.is_taken_back()) {
                found.gone.push(gone.key);
                found.latest.push(latest.key.0);
            }
        }
        Ok(found)
    }
}

/// Rows with made ids that are purchases by another default of the catalogue.
fn recognise(
    conn: &Connection,
    batch: BatchKey,
    discarded_takes: &DiscardedTakes,
    reading: &mut Reading<'_>,
) -> Result<(), Fault> {
    let which = "(superseded = 0 OR id IN (SELECT value FROM json_each(?2)))
        AND NOT EXISTS (SELECT 1 FROM temp.planned l WHERE l.job = jobs.job)";
    let mut recognising = Recognising::of(gone(conn, which, params![batch, Json(&discarded_takes.latest)])?);
    if recognising.is_empty() {
        return Ok(());
    }
    let mut new = conn.prepare_cached(
        "SELECT id, job, content, given, coalesce(price_msat + fee_ceiling_msat > max_cost_msat, 0)
         FROM temp.planned WHERE is_new = 1 AND state = 'pending' ORDER BY seq",
    )?;
    let mut put =
        conn.prepare_cached("UPDATE temp.planned SET job = ?2, take = ?3, state = ?4, retaken = ?5 WHERE id = ?1")?;
    let new: Vec<NewRow> = new.query_map([], new_row)?.collect::<Result<_, _>>()?;
    for new in new {
        let had = |id: &str, content| {
            Ok::<_, Fault>(had(conn, batch, id, content)?.iter().any(|take| !discarded_takes.gone.contains(take)))
        };
        let Some(known) = reading.recognise(&mut recognising, &new, had)? else { continue };
        let was = &known.was;
        match known.next_take {
            Some(next) => put.execute(params![new.key, was.id, next, JobState::Pending, true])?,
            None => put.execute(params![new.key, was.id, was.take, was.state, false])?,
        };
    }
    Ok(())
}

impl Foresee for SqliteLedger {
    type Foreseen<'b> = Foreseen<'b>;

    fn foresee<E>(
        &self,
        batch: Option<BatchKey>,
        retake: &Retake,
        edition: &str,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<Foreseen<'_>, LoadError<E>> {
        let batch = batch.unwrap_or(NO_BATCH);
        let mut of_plan = None;
        let filled = self.read(|ledger| {
            let tx = ledger.conn.unchecked_transaction()?;
            tx.execute_batch(TABLE)?;
            let mut filling = Filling::begin(ledger, batch, retake, edition)?;
            if let Err(error) = in_chunks(jobs, |chunk| filling.take_all(chunk))? {
                of_plan = Some(error);
                return contradiction("the plan has errors");
            }
            let filled = filling.finish()?;
            tx.commit()?;
            Ok(filled)
        });
        match (filled, of_plan) {
            (_, Some(error)) => Err(LoadError::Plan(error)),
            (Ok((report, places)), None) => {
                let (changed, open_and_changed) = (report.changed.count, report.open_as_begun.count);
                Ok(Foreseen { ledger: self, batch, manifest: Rows::Planned, report, changed, open_and_changed, places })
            }
            (Err(error), None) => Err(LoadError::Ledger(error)),
        }
    }

    fn read_rows<E>(
        &self,
        batch: BatchKey,
        rows: impl IntoIterator<Item = Result<ResultsRow, E>>,
    ) -> Result<ChosenRows, LoadError<E>> {
        self.compare_rows(batch, rows)
    }

    fn stored_spec(&self, job: JobKey, line: u64) -> Result<JobSpec, LedgerError> {
        self.read(|ledger| ledger.spec_of(job, line))
    }

    fn foresee_rows(&self, batch: BatchKey, chosen: &ChosenRows) -> Result<Foreseen<'_>, LedgerError> {
        let is_unbought = "(state = 'pending' OR (state = 'refused' AND reason IN ('duplicate', 'job_limit')))";
        let again = chosen.again.iter().map(|again| again.key);
        let places = self.read(|ledger| plan_stored(&ledger.conn, batch, is_unbought, again))?;
        let (report, open_and_changed) = (PlanLoad::default(), self.open_and_changed(batch)?);
        let changed = chosen.changed;
        Ok(Foreseen { ledger: self, batch, manifest: Rows::Loaded, report, changed, open_and_changed, places })
    }
    fn unbought(&self, batch: BatchKey) -> Result<Unbought, LedgerError> {
        self.read(|ledger| ledger.unbought_of(batch))
    }
}

/// Takes of the batch ?1 that nobody has accepted so far, and that a load would take back before anything else.
const UNACCEPTED: &str = "n.take > 1 AND n.attempts = 0
    AND (n.state = 'pending' OR (n.state = 'refused' AND n.reason = 'duplicate'))
    AND n.first_load > (SELECT accepted_load FROM batches WHERE id = ?1)";

/// Plans stored jobs of the batch as they are: those that stand so, and these. Gives where requests go.
pub(super) fn plan_stored(
    conn: &Connection,
    batch: BatchKey,
    stand: &str,
    again: impl Iterator<Item = JobKey>,
) -> Result<HashMap<i64, Url>, Fault> {
    let tx = conn.unchecked_transaction()?;
    tx.execute_batch(TABLE)?;
    let named = Named::of(&tx)?;
    let columns = "id, seq, batch, job, take, content, given, price_msat, fee_ceiling_msat, max_cost_msat";
    let sends = match named.is_shared_by_any() {
        true => "(SELECT json FROM endpoints e WHERE e.id = n.endpoint), params",
        false => "NULL, NULL",
    };
    let insert = format!(
        "INSERT OR IGNORE INTO temp.planned ({columns}, state, reason, edition, meant, is_new, is_capped, place, endpoint, params)
         SELECT {columns}, CASE WHEN reason IN ('duplicate', 'job_limit') THEN state ELSE 'pending' END,
             CASE WHEN reason IN ('duplicate', 'job_limit') THEN reason ELSE '' END, edition, meant, 0, {}, n.endpoint, {sends}
         FROM jobs n WHERE batch = ?1 AND superseded = 0 AND NOT ({UNACCEPTED})",
        Rows::Loaded.is_capped()
    );
    tx.execute(&format!("{insert} AND {stand}"), [batch])?;
    let mut one = tx.prepare(&format!("{insert} AND id = ?2"))?;
    for key in again {
        one.execute(params![batch, key])?;
    }
    drop(one);
    tx.execute_batch(BY_JOB)?;
    tx.commit()?;
    Ok(named.urls)
}
