//! What running a manifest would buy, by the same decisions and the same comparison as loading it makes. Nothing is written into
//! the ledger: what its rows would become stands in a table of this connection alone, in a temporary file.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};
use url::Url;

use super::SqliteLedger;
use super::by_receipt::Unproven;
use super::convert::{Json, int};
use super::error::{Fault, contradiction};
use super::foreseen::Foreseen;
use super::load::{StoredTake, decide, known};
use super::recognise::given;
use super::requests::Named;
use super::store::Rows;
use super::unknown::RowFacts;
use super::words::{UNACCEPTED, is_discarded};
use crate::catalog::Endpoint;
use crate::ledger::decide::LoadAction;
use crate::ledger::port::{Foresee, Loading};
use crate::ledger::word::Retake;
use crate::ledger::{BatchKey, ChosenRows, JobKey, LedgerError, LoadError, PlanLoad, Unbought};
use crate::manifest::{JobSpec, ResultsRow};
use crate::plan::{ContentHash, PlannedJob, looks_made};
use crate::purchase::{JobState, Reason};

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
        place INTEGER NOT NULL,
        endpoint TEXT,
        params TEXT
    ) STRICT;
    CREATE INDEX temp.learnt_by_content ON learnt (content)";

/// Made once the table is filled.
const BY_JOB: &str = "CREATE INDEX temp.planned_by_job ON planned (job)";

/// A batch that the ledger does not have: no job is of it.
const NO_BATCH: BatchKey = BatchKey(0);

/// What becomes of a row.
struct Row {
    take: u32,
    state: JobState,
    reason: Reason,
    edition: String,
    meant: bool,
    is_new: bool,
    retaken: bool,
}

/// The table as it is filled.
struct Filling<'a> {
    ledger: &'a SqliteLedger,
    batch: BatchKey,
    retake: &'a Retake,
    edition: &'a str,
    seq: u64,
    endpoints: HashMap<*const Endpoint, (Arc<Endpoint>, i64)>,
    insert: CachedStatement<'a>,
    unproven: Unproven,
    named: Named,
    places: HashMap<Url, i64>,
    learnt: HashMap<JobKey, ContentHash>,
    /// Rows of purchases of which nothing had proved so far what they were.
    unproved: Vec<(JobKey, String)>,
    report: PlanLoad,
}

impl<'a> Filling<'a> {
    fn begin(ledger: &'a SqliteLedger, batch: BatchKey, retake: &'a Retake, edition: &'a str) -> Result<Self, Fault> {
        let insert = ledger.conn.prepare_cached(
            "INSERT INTO temp.planned (seq, batch, job, take, content, given, price_msat, fee_ceiling_msat, max_cost_msat,
                 state, reason, edition, meant, is_new, retaken, facts, place, endpoint, params)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?;
        let (unproven, named) = (Unproven::of(&ledger.conn)?, Named::of(&ledger.conn)?);
        let (endpoints, learnt, unproved) = (HashMap::new(), HashMap::new(), Vec::new());
        let (places, report) = (HashMap::new(), PlanLoad::default());
        Ok(Self {
            ledger,
            batch,
            retake,
            edition,
            seq: 0,
            endpoints,
            insert,
            unproven,
            named,
            places,
            learnt,
            unproved,
            report,
        })
    }

    fn take(&mut self, job: &PlannedJob) -> Result<(), Fault> {
        for key in self.unproven.proved(job) {
            let mut learn = self.ledger.conn.prepare_cached("INSERT INTO temp.learnt VALUES (?1, ?2)")?;
            learn.execute(params![key, job.content])?;
            self.learnt.insert(key, job.content);
        }
        let row = self.row(job)?;
        let is_shared = self.named.is_shared(&job.endpoint);
        let place = self.place(&job.endpoint.url)?;
        self.insert.execute(params![
            int(self.seq)?,
            self.batch,
            job.id,
            row.take,
            job.content,
            given(&job.endpoint, &job.params),
            job.priced.price,
            job.fee_ceiling,
            job.max_cost,
            row.state,
            row.reason,
            row.edition,
            row.meant,
            row.is_new,
            row.retaken,
            self.unproven.is_any().then(|| Json(RowFacts::of(&job.endpoint))),
            place,
            is_shared.then(|| Json(&*job.endpoint)),
            is_shared.then_some(Json(&job.params))
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

    fn row(&mut self, job: &PlannedJob) -> Result<Row, Fault> {
        let edition = self.edition.to_owned();
        let pending = Row {
            take: 1,
            state: JobState::Pending,
            reason: Reason::None,
            edition,
            meant: false,
            is_new: false,
            retaken: false,
        };
        let Some(mut known) = self.standing(job)? else { return Ok(Row { is_new: true, ..pending }) };
        let endpoint = self.endpoint_of(&known, job)?;
        let (mut step, unmet) = decide(&self.ledger.conn, self.batch, self.retake, &known, job, endpoint)?;
        self.report.note(&step, unmet, &known.latest(endpoint), job);
        if step == LoadAction::Discard
            && let Some(before) = self.known(job, Some(known.take))?
        {
            known = before;
            let unmet;
            (step, unmet) = decide(&self.ledger.conn, self.batch, self.retake, &known, job, endpoint)?;
            self.report.note(&step, unmet, &known.latest(endpoint), job);
        }
        if step == LoadAction::Mark(Reason::KnownByReceipt) {
            self.unproved.push((known.key, job.id.clone()));
        }
        self.report.note_wait(&self.ledger.conn, &step, &known, &job.id)?;
        let Some(next) = known.take.checked_add(1) else { return contradiction("there are too many takes") };
        let meant = known.meant && known.content == job.content;
        Ok(match step {
            LoadAction::Again | LoadAction::Replace => Row { take: known.take, meant, ..pending },
            LoadAction::Retake => Row { take: next, retaken: true, ..pending },
            LoadAction::Refresh if known.reason == Reason::Duplicate => Row {
                take: known.take,
                state: known.state,
                reason: known.reason,
                edition: known.edition,
                meant,
                ..pending
            },
            LoadAction::Refresh => Row { take: known.take, state: known.state, reason: known.reason, meant, ..pending },
            LoadAction::Mark(reason) => Row { take: known.take, state: known.state, reason, meant, ..pending },
            LoadAction::Keep | LoadAction::Discard | LoadAction::Withdraw => {
                Row { take: known.take, state: known.state, meant, ..pending }
            }
        })
    }

    /// The take that would be the latest once a load has taken back what it takes back.
    fn standing(&self, job: &PlannedJob) -> Result<Option<StoredTake>, Fault> {
        let Some(latest) = self.known(job, None)? else { return Ok(None) };
        let is_unbought = matches!(latest.state, JobState::Pending | JobState::Refused);
        if latest.take > 1 && is_unbought && is_discarded(&self.ledger.conn, self.batch, latest.key)? {
            return self.known(job, Some(latest.take));
        }
        Ok(Some(latest))
    }

    fn known(&self, job: &PlannedJob, before: Option<u32>) -> Result<Option<StoredTake>, Fault> {
        let mut known = known(&self.ledger.conn, self.batch, &job.id, before)?;
        if let Some(known) = &mut known {
            known.content = self.learnt.get(&known.key).copied().unwrap_or(known.content);
        }
        Ok(known)
    }

    /// The endpoint's row, where it decides.
    fn endpoint_of(&mut self, known: &StoredTake, job: &PlannedJob) -> Result<i64, Fault> {
        if !matches!(known.state, JobState::Pending | JobState::Refused | JobState::Failed) {
            return Ok(0);
        }
        if let Some((_, row)) = self.endpoints.get(&Arc::as_ptr(&job.endpoint)) {
            return Ok(*row);
        }
        let row = self.ledger.endpoint_row(&job.endpoint)?;
        self.endpoints.insert(Arc::as_ptr(&job.endpoint), (Arc::clone(&job.endpoint), row));
        Ok(row)
    }

    fn finish(mut self) -> Result<(PlanLoad, HashMap<i64, Url>), Fault> {
        for (_, id) in self.unproved.iter().filter(|(key, _)| self.learnt.contains_key(key)) {
            self.report.is_proved(id);
        }
        let conn = &self.ledger.conn;
        conn.execute_batch(BY_JOB)?;
        if self.batch != NO_BATCH {
            recognise(conn, self.batch, self.retake, &mut self.report)?;
        }
        Ok((self.report, self.places.into_iter().map(|(url, place)| (place, url)).collect()))
    }
}

/// A purchase whose row would be gone.
struct Gone {
    job: String,
    take: u32,
    state: JobState,
    content: ContentHash,
    kept: Option<ContentHash>,
}

/// Rows with made ids that are purchases by another default of the catalogue: see `recognise.rs`.
fn recognise(conn: &Connection, batch: BatchKey, retake: &Retake, report: &mut PlanLoad) -> Result<(), Fault> {
    let mut gone = gone(conn, batch)?;
    if gone.is_empty() {
        return Ok(());
    }
    let mut new = conn.prepare_cached(
        "SELECT id, job, content, given, coalesce(price_msat + fee_ceiling_msat > max_cost_msat, 0)
         FROM temp.planned WHERE is_new = 1 AND state = 'pending' ORDER BY seq",
    )?;
    let mut put =
        conn.prepare_cached("UPDATE temp.planned SET job = ?2, take = ?3, state = ?4, retaken = ?5 WHERE id = ?1")?;
    let mut had = conn.prepare_cached("SELECT 1 FROM jobs WHERE batch = ?1 AND job = ?2 AND content = ?3")?;
    let rows = new.query_map([], |row| {
        let (id, job, content): (i64, String, ContentHash) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((id, job, content, row.get(3)?, row.get(4)?))
    })?;
    let new: Vec<(i64, String, ContentHash, ContentHash, bool)> = rows.collect::<Result<_, _>>()?;
    for (id, job, content, given, is_above_limit) in new {
        if !looks_made(&job) {
            continue;
        }
        let Some(was) = gone.get_mut(&given).and_then(VecDeque::pop_front) else { continue };
        let delivered = matches!(was.state, JobState::Delivered | JobState::Downloaded);
        let is_changed = content != was.content && was.kept != Some(content);
        let buys = delivered
            && is_changed
            && retake.changed
            && !is_above_limit
            && !had.exists(params![batch, was.job, content])?;
        if is_changed {
            report.by_default.add(&was.job);
            match (buys, delivered) {
                (true, _) => report.retaken.add(&was.job),
                (false, true) => report.changed.add(&was.job),
                (false, false) => report.open_as_begun.add(&was.job),
            }
        }
        match was.take.checked_add(1).filter(|_| buys) {
            Some(next) => put.execute(params![id, was.job, next, JobState::Pending, true])?,
            None => put.execute(params![id, was.job, was.take, was.state, false])?,
        };
    }
    Ok(())
}

/// Purchases of the batch with made ids that would be no rows of the manifest any more, by what it gave of them.
fn gone(conn: &Connection, batch: BatchKey) -> Result<HashMap<ContentHash, VecDeque<Gone>>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT job, take, state, content, given, kept FROM jobs
         WHERE batch = ?1 AND superseded = 0 AND given IS NOT NULL AND state NOT IN ('pending', 'refused', 'failed')
             AND NOT EXISTS (SELECT 1 FROM temp.planned l WHERE l.job = jobs.job) ORDER BY seq",
    )?;
    let mut gone: HashMap<ContentHash, VecDeque<Gone>> = HashMap::new();
    let mut rows = statement.query([batch])?;
    while let Some(row) = rows.next()? {
        let job: String = row.get(0)?;
        if looks_made(&job) {
            let purchase = Gone { job, take: row.get(1)?, state: row.get(2)?, content: row.get(3)?, kept: row.get(5)? };
            gone.entry(row.get(4)?).or_default().push_back(purchase);
        }
    }
    Ok(gone)
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
            for job in jobs {
                match job {
                    Ok(job) => filling.take(&job)?,
                    Err(error) => {
                        of_plan = Some(error);
                        return contradiction("the plan has errors");
                    }
                }
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
        "INSERT OR IGNORE INTO temp.planned ({columns}, state, reason, edition, meant, is_new, place, endpoint, params)
         SELECT {columns}, CASE WHEN reason IN ('duplicate', 'job_limit') THEN state ELSE 'pending' END,
             CASE WHEN reason IN ('duplicate', 'job_limit') THEN reason ELSE '' END, edition, meant, 0, n.endpoint, {sends}
         FROM jobs n WHERE batch = ?1 AND superseded = 0 AND NOT ({UNACCEPTED})"
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
