//! A plan written into the ledger, in one transaction, job by job: what is new, what has changed, what has gone.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::SqliteLedger;
use super::by_receipt::{Unproven, proved_since};
use super::convert::{Json, int};
use super::error::{Fault, contradiction};
use super::recognise::given;
use super::store::{append_transition, unsettled_until};
use super::words::{can_be_discarded, discard_repeat, discard_set_aside, discard_unaccepted, takes};
use crate::catalog::Endpoint;
use crate::ledger::decide::{self, Latest, LoadAction};
use crate::ledger::loading::IDS_MAX;
use crate::ledger::{BatchKey, JobKey, PlanLoad, Retake, Unmet};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// Pairs of ids that look alike that are reported at most.
const ALIKE_MAX: usize = 100;

impl PlanLoad {
    /// A take is bought in that one's place, once no payment of the job may settle any more. Whether that time is past
    /// is for whoever tells it.
    pub(super) fn note_wait(
        &mut self,
        conn: &Connection,
        step: &LoadAction,
        known: &StoredTake,
        id: &str,
    ) -> Result<(), Fault> {
        if *step == LoadAction::Retake
            && self.waiting.len() < IDS_MAX
            && let Some(until) = unsettled_until(conn, known.key, UnixMs(0))?
        {
            self.waiting.push((id.to_owned(), until));
        }
        Ok(())
    }

    /// A later row has proved what was bought: the job's own row asks for something else.
    pub(super) fn is_proved(&mut self, id: &str) {
        self.unproved.take_out(id);
        self.changed.add(id);
    }
}

impl SqliteLedger {
    /// The endpoint's row; 0, which is none, where it is not there yet.
    pub(super) fn endpoint_row(&self, endpoint: &Endpoint) -> Result<i64, Fault> {
        let (hash, _) = endpoint_json(endpoint)?;
        let row = self
            .conn
            .prepare_cached("SELECT id FROM endpoints WHERE hash = ?1")?
            .query_row([hash], |found| found.get(0))
            .optional()?;
        Ok(row.unwrap_or(0))
    }
}

fn endpoint_json(endpoint: &Endpoint) -> Result<([u8; 32], String), Fault> {
    let json = serde_json::to_string(endpoint)
        .map_err(|error| Fault::Contradiction(format!("an endpoint cannot be written: {error}")))?;
    Ok((Sha256::digest(&json).into(), json))
}

/// A take of a job, as its row stands.
pub(super) struct StoredTake {
    pub(super) key: JobKey,
    pub(super) take: u32,
    pub(super) state: JobState,
    pub(super) reason: Reason,
    pub(super) content: ContentHash,
    endpoint: i64,
    last_load: i64,
    pub(super) edition: String,
    pub(super) meant: bool,
    /// The content of its row at which a person said to leave it as it is.
    kept: Option<ContentHash>,
}

pub(super) struct Load<'a> {
    pub(super) tx: &'a Connection,
    pub(super) batch: BatchKey,
    pub(super) now: UnixMs,
    /// The number of this load of the batch, from 1.
    pub(super) number: i64,
    seq: u64,
    pub(super) retake: &'a Retake,
    unproven: Unproven,
    /// The endpoint's row by the address of its value, which is kept alive beside it.
    endpoints: HashMap<*const Endpoint, (Arc<Endpoint>, i64)>,
    find: CachedStatement<'a>,
    insert: CachedStatement<'a>,
    place: CachedStatement<'a>,
    rewrite: CachedStatement<'a>,
    pub(super) report: PlanLoad,
}

/// The latest take of a job that is before that one.
const FIND: &str = "
    SELECT id, take, state, reason, content, endpoint, last_load, edition, meant, kept
    FROM jobs WHERE batch = ?1 AND job = ?2 AND take < ?3 ORDER BY take DESC LIMIT 1";
const INSERT: &str = "
    INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat, max_cost_msat,
        state, reason, first_load, last_load, params, extra, given)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'pending', '', ?11, ?11, ?12, ?13, ?14)";
const PLACE: &str = "
    UPDATE jobs SET seq = ?2, line = ?3, extra = ?4, reason = ?5, last_load = ?6, row_content = nullif(?7, content),
        row_given = nullif(?8, given)
    WHERE id = ?1";
const REWRITE: &str = "
    UPDATE jobs SET seq = ?2, line = ?3, extra = ?4, state = ?5, reason = ?6, last_load = ?7, endpoint = ?8, content = ?9,
        price_msat = ?10, fee_ceiling_msat = ?11, max_cost_msat = ?12, params = ?13, row_content = NULL, given = ?15, row_given = NULL,
        meant = meant AND content = ?9,
        error = CASE WHEN ?14 THEN NULL ELSE error END,
        wait_until = NULL, finished_at = CASE WHEN ?5 = 'pending' THEN NULL ELSE finished_at END
    WHERE id = ?1";

impl<'a> Load<'a> {
    pub(super) fn begin(tx: &'a Connection, batch: BatchKey, now: UnixMs, retake: &'a Retake) -> Result<Self, Fault> {
        discard_unaccepted(tx, batch)?;
        discard_set_aside(tx, batch, now)?;
        let number = tx
            .prepare_cached("UPDATE batches SET loads = loads + 1 WHERE id = ?1 RETURNING loads")?
            .query_row([batch], |row| row.get(0))
            .optional()?;
        let Some(number) = number else {
            return contradiction(format!("there is no batch {}", batch.0));
        };
        Ok(Self {
            tx,
            batch,
            now,
            number,
            seq: 0,
            retake,
            unproven: Unproven::of(tx)?,
            endpoints: HashMap::new(),
            find: tx.prepare_cached(FIND)?,
            insert: tx.prepare_cached(INSERT)?,
            place: tx.prepare_cached(PLACE)?,
            rewrite: tx.prepare_cached(REWRITE)?,
            report: PlanLoad::default(),
        })
    }

    pub(super) fn add(&mut self, job: &PlannedJob) -> Result<(), Fault> {
        let endpoint = self.endpoint(&job.endpoint)?;
        self.unproven.learn(self.tx, job, endpoint)?;
        let known = self.find.query_row(params![self.batch, job.id, TAKES_MAX], known_of_row).optional()?;
        match known {
            None => {
                self.insert(job, 1, endpoint)?;
                self.report.new = self.report.new.saturating_add(1);
            }
            Some(known) if known.last_load == self.number => {
                return contradiction(format!("the plan has two jobs of the id {}", job.id));
            }
            Some(mut known) => {
                let mut step = self.step(&known, job, endpoint)?;
                if step == LoadAction::Discard {
                    known = self.find.query_row(params![self.batch, job.id, TAKES_MAX], known_of_row)?;
                    step = self.step(&known, job, endpoint)?;
                }
                self.act(&known, job, endpoint, &step)?;
            }
        }
        self.seq = self.seq.saturating_add(1);
        Ok(())
    }

    /// What becomes of the job, as [`decide`] has it, noted in the report.
    fn step(&mut self, known: &StoredTake, job: &PlannedJob, endpoint: i64) -> Result<LoadAction, Fault> {
        let (step, unmet) = decide(self.tx, self.batch, self.retake, known, job, endpoint)?;
        self.report.note(&step, unmet, &known.latest(endpoint), job);
        self.report.note_wait(self.tx, &step, known, &job.id)?;
        if step == LoadAction::Discard {
            discard_repeat(self.tx, self.batch, &job.id)?;
        }
        Ok(step)
    }

    fn act(&mut self, known: &StoredTake, job: &PlannedJob, endpoint: i64, step: &LoadAction) -> Result<(), Fault> {
        match step {
            LoadAction::Keep => {
                self.place(known, job, known.reason)?;
                count(&mut self.report.unchanged);
            }
            LoadAction::Mark(reason) => {
                self.place(known, job, *reason)?;
                if !reason.is_of_manifest() {
                    count(&mut self.report.unchanged);
                }
            }
            LoadAction::Refresh => {
                self.rewrite(known, job, endpoint, (known.state, known.reason), false)?;
                count(&mut self.report.unchanged);
            }
            // Its old error is kept until the next try says something newer.
            LoadAction::Again => {
                self.rewrite(known, job, endpoint, (JobState::Pending, Reason::None), false)?;
                count(&mut self.report.again);
            }
            LoadAction::Replace => self.rewrite(known, job, endpoint, (JobState::Pending, Reason::None), true)?,
            LoadAction::Withdraw => self.withdraw_take(known, job)?,
            LoadAction::Discard => return contradiction(format!("two takes of {} are to be taken back", job.id)),
            LoadAction::Retake => {
                let Some(take) = known.take.checked_add(1) else { return contradiction("there are too many takes") };
                self.tx.prepare_cached("UPDATE jobs SET superseded = 1 WHERE id = ?1")?.execute([known.key])?;
                self.insert(job, take, endpoint)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, job: &PlannedJob, take: u32, endpoint: i64) -> Result<(), Fault> {
        self.insert.execute(params![
            self.batch,
            job.id,
            take,
            int(self.seq)?,
            int(job.line)?,
            endpoint,
            job.content,
            job.priced.price,
            job.fee_ceiling,
            job.max_cost,
            self.number,
            Json(&job.params),
            Json(&job.extra),
            given(&job.endpoint, &job.params)
        ])?;
        Ok(())
    }

    fn place(&mut self, known: &StoredTake, job: &PlannedJob, reason: Reason) -> Result<(), Fault> {
        self.place.execute(params![
            known.key,
            int(self.seq)?,
            int(job.line)?,
            Json(&job.extra),
            reason,
            self.number,
            job.content,
            given(&job.endpoint, &job.params)
        ])?;
        self.note(known, (known.state, reason))
    }

    fn rewrite(
        &mut self,
        known: &StoredTake,
        job: &PlannedJob,
        endpoint: i64,
        to: (JobState, Reason),
        forget_error: bool,
    ) -> Result<(), Fault> {
        self.rewrite.execute(params![
            known.key,
            int(self.seq)?,
            int(job.line)?,
            Json(&job.extra),
            to.0,
            to.1,
            self.number,
            endpoint,
            job.content,
            job.priced.price,
            job.fee_ceiling,
            job.max_cost,
            Json(&job.params),
            forget_error,
            given(&job.endpoint, &job.params)
        ])?;
        self.note(known, to)
    }

    /// What it was to buy stays as it stands: only its place is the manifest's.
    fn withdraw_take(&mut self, known: &StoredTake, job: &PlannedJob) -> Result<(), Fault> {
        self.tx
            .prepare_cached(
                "UPDATE jobs SET state = 'refused', error = NULL, wait_until = NULL, finished_at = coalesce(finished_at, ?2)
                 WHERE id = ?1",
            )?
            .execute(params![known.key, self.now])?;
        self.place.execute(params![
            known.key,
            int(self.seq)?,
            int(job.line)?,
            Json(&job.extra),
            Reason::Withdrawn,
            self.number,
            job.content,
            given(&job.endpoint, &job.params)
        ])?;
        self.note(known, (JobState::Refused, Reason::Withdrawn))
    }

    fn note(&self, known: &StoredTake, to: (JobState, Reason)) -> Result<(), Fault> {
        if (known.state, known.reason) == to {
            return Ok(());
        }
        append_transition(self.tx, self.now, known.key, known.state, to.0, to.1)
    }

    /// The row of an endpoint, written once for each different content.
    fn endpoint(&mut self, endpoint: &Arc<Endpoint>) -> Result<i64, Fault> {
        if let Some((_, row)) = self.endpoints.get(&Arc::as_ptr(endpoint)) {
            return Ok(*row);
        }
        let (hash, json) = endpoint_json(endpoint)?;
        self.tx
            .prepare_cached("INSERT INTO endpoints (hash, json) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING")?
            .execute(params![hash, json])?;
        let row = self
            .tx
            .prepare_cached("SELECT id FROM endpoints WHERE hash = ?1")?
            .query_row([hash], |found| found.get(0))?;
        if self.endpoints.len() >= ENDPOINTS_MAX {
            self.endpoints.clear();
        }
        self.endpoints.insert(Arc::as_ptr(endpoint), (Arc::clone(endpoint), row));
        Ok(row)
    }

    pub(super) fn finish(mut self) -> Result<PlanLoad, Fault> {
        self.recognise()?;
        self.withdraw()?;
        for (key, id) in proved_since(self.tx, self.batch, self.number)? {
            let state = self
                .tx
                .prepare_cached("UPDATE jobs SET reason = 'changed' WHERE id = ?1 RETURNING state")?
                .query_row([key], |row| row.get(0))?;
            append_transition(self.tx, self.now, key, state, state, Reason::Changed)?;
            self.report.is_proved(&id);
        }
        if self.number > 1 && self.report.new > 0 {
            self.find_alike()?;
        }
        Ok(self.report)
    }

    /// Rows that have gone from the manifest: what is not bought is withdrawn, everything else stays.
    fn withdraw(&mut self) -> Result<(), Fault> {
        let mut gone = self.tx.prepare_cached(
            "UPDATE jobs SET state = 'refused', reason = 'withdrawn', error = NULL, wait_until = NULL, finished_at = ?3
             WHERE batch = ?1 AND superseded = 0 AND last_load < ?2 AND reason <> 'withdrawn' AND state = ?4
             RETURNING id, job",
        )?;
        for state in [JobState::Pending, JobState::Refused, JobState::Failed] {
            let mut rows = gone.query(params![self.batch, self.number, self.now, state])?;
            while let Some(row) = rows.next()? {
                append_transition(self.tx, self.now, row.get(0)?, state, JobState::Refused, Reason::Withdrawn)?;
                self.report.withdrawn.add(&row.get::<_, String>(1)?);
            }
        }
        Ok(())
    }

    fn find_alike(&mut self) -> Result<(), Fault> {
        let mut alike = self.tx.prepare_cached(
            "SELECT max(CASE WHEN first_load = ?2 THEN job END), max(CASE WHEN first_load < ?2 THEN job END)
             FROM jobs WHERE batch = ?1 AND superseded = 0
             GROUP BY lower(ltrim(job, '0')) HAVING max(first_load) = ?2 AND min(first_load) < ?2
             ORDER BY min(seq) LIMIT ?3",
        )?;
        let limit = i64::try_from(ALIKE_MAX).unwrap_or(i64::MAX);
        let rows = alike.query_map(params![self.batch, self.number, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.report.alike = rows.collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Endpoint rows remembered while loading.
const ENDPOINTS_MAX: usize = 1_024;

/// Above every take.
const TAKES_MAX: i64 = i64::MAX;

/// The latest take of a job; before that take, where one is named.
pub(super) fn known(
    conn: &Connection,
    batch: BatchKey,
    id: &str,
    before: Option<u32>,
) -> Result<Option<StoredTake>, Fault> {
    let before = before.map_or(TAKES_MAX, i64::from);
    Ok(conn.prepare_cached(FIND)?.query_row(params![batch, id, before], known_of_row).optional()?)
}

impl StoredTake {
    /// As far as loading depends on it, where the plan has this row of an endpoint.
    pub(super) const fn latest(&self, endpoint: i64) -> Latest {
        let Self { take, state, reason, content, kept, .. } = *self;
        Latest { take, state, reason, content, kept, asks_otherwise: self.endpoint != endpoint }
    }
}

/// What becomes of a known job, and why a person's word for it buys nothing, where one does not.
pub(super) fn decide(
    conn: &Connection,
    batch: BatchKey,
    retake: &Retake,
    known: &StoredTake,
    job: &PlannedJob,
    endpoint: i64,
) -> Result<(LoadAction, Option<Unmet>), Fault> {
    let (takes, can_be_discarded) = (|| takes(conn, batch, &job.id), || can_be_discarded(conn, batch, &job.id));
    decide::load(retake, &known.latest(endpoint), job, takes, can_be_discarded)
}

fn known_of_row(row: &Row<'_>) -> rusqlite::Result<StoredTake> {
    Ok(StoredTake {
        key: row.get(0)?,
        take: row.get(1)?,
        state: row.get(2)?,
        reason: row.get(3)?,
        content: row.get(4)?,
        endpoint: row.get(5)?,
        last_load: row.get(6)?,
        edition: row.get(7)?,
        meant: row.get(8)?,
        kept: row.get(9)?,
    })
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
