//! A plan in the tables: what is known of its jobs is looked up, and what `decide::load` decides of them is written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::SqliteLedger;
use super::by_receipt::unproven;
use super::convert::{Json, edition, int, text_or_what_is_left, uint};
use super::error::{Fault, contradiction};
use super::marks::{marks_of, picked_shots};
use super::store::{append_transition, find_takes, rows};
use crate::catalog::Endpoint;
use crate::ledger::decide::load::{Gone, LoadWrite, NewRow, StoredTake, Unproven, asks_history, given};
use crate::ledger::decide::{PickedShots, TakePayment};
use crate::ledger::load::{ALIKE_MAX, LoadDesk, Unfound};
use crate::ledger::{BatchKey, JobKey, Retake};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};

/// Endpoint rows remembered while loading.
const ENDPOINTS_MAX: usize = 1_024;

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

/// Every take of a job.
const TAKES: &str = "
    SELECT id, take, state, reason, content, kept, edition, meant, attempts, endpoint, last_load, first_load
    FROM jobs WHERE batch = ?1 AND job = ?2 ORDER BY take";
/// Takes of ?1 for which a payment was ever begun, or on which a decision was made.
const TOUCHED: &str = "
    SELECT p.job FROM payments p WHERE p.job IN (SELECT value FROM json_each(?1))
    UNION SELECT s.job FROM served s WHERE s.job IN (SELECT value FROM json_each(?1))
    UNION SELECT d.job FROM decisions d WHERE d.job IN (SELECT value FROM json_each(?1))";
/// Jobs whose latest take is not their first and is not bought.
const FURTHER: &str = "
    SELECT job FROM jobs INDEXED BY jobs_further
    WHERE batch = ?1 AND take > 1 AND superseded = 0 AND state IN ('pending', 'refused', 'failed')";
const ADD: &str = "
    INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat, max_cost_msat,
        state, reason, first_load, last_load, params, extra, given, begun)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'pending', '', ?11, ?11, ?12, ?13, ?14, 0)";
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

/// What is known of the jobs of a batch.
pub(super) struct KnownJobs<'a> {
    conn: &'a Connection,
    batch: BatchKey,
    /// The load whose jobs were accepted last.
    accepted: i64,
    /// The batch had no job when it was asked: none is looked for.
    has_none: bool,
    /// Looked for once a word is about what is rejected.
    picked: Option<PickedShots>,
    takes: CachedStatement<'a>,
}

impl<'a> KnownJobs<'a> {
    pub(super) fn of(conn: &'a Connection, batch: BatchKey) -> Result<Self, Fault> {
        let sql = "SELECT accepted_load FROM batches WHERE id = ?1";
        let accepted = conn.prepare_cached(sql)?.query_row([batch], |row| row.get(0)).optional()?.unwrap_or(0);
        let has_none = !conn.prepare_cached("SELECT 1 FROM jobs WHERE batch = ?1")?.exists([batch])?;
        Ok(Self { conn, batch, accepted, has_none, picked: None, takes: conn.prepare_cached(TAKES)? })
    }

    /// Every take of each of these jobs, beside a row with that endpoint, in a load of that number.
    pub(super) fn takes(
        &mut self,
        retake: &Retake,
        jobs: &[(&str, i64)],
        load: Option<i64>,
    ) -> Result<Vec<Vec<StoredTake>>, Fault> {
        if self.has_none {
            // Of two jobs of one id the second is refused by the table.
            return Ok(jobs.iter().map(|_| Vec::new()).collect());
        }
        let (batch, accepted) = (self.batch, self.accepted);
        let mut found = Vec::with_capacity(jobs.len());
        for (id, endpoint) in jobs {
            let takes = self.takes.query_map(params![batch, id], |row| of_row(row, *endpoint, load, accepted))?;
            found.push(takes.collect::<Result<Vec<_>, _>>()?);
        }
        let asking = found.iter_mut().zip(jobs).filter(|(takes, (id, _))| asks_history(retake, id, takes));
        self.add_history(retake.rejected, asking.map(|(takes, _)| takes).collect())?;
        if retake.rejected {
            let picked = match &mut self.picked {
                Some(picked) => picked,
                none => none.insert(picked_shots(self.conn, self.batch)?),
            };
            let takes =
                found.iter_mut().zip(jobs).flat_map(|(takes, (id, _))| takes.iter_mut().map(move |take| (take, id)));
            takes.for_each(|(take, id)| take.is_beside_pick = picked.has(id, take.content));
        }
        Ok(found)
    }

    /// Every take of each job whose latest take is not its first and is not bought.
    pub(super) fn further(&mut self) -> Result<Vec<Vec<StoredTake>>, Fault> {
        let mut statement = self.conn.prepare_cached(FURTHER)?;
        let ids: Vec<String> = statement.query_map([self.batch], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let jobs: Vec<_> = ids.iter().map(|id| (id.as_str(), 0)).collect();
        self.takes(&Retake::default(), &jobs, None)
    }

    /// What became of the takes of these jobs.
    fn add_history(&self, with_marks: bool, mut found: Vec<&mut Vec<StoredTake>>) -> Result<(), Fault> {
        let firsts: Vec<JobKey> = found.iter().filter_map(|takes| takes.first()).map(|first| first.key).collect();
        let (whole, _) = find_takes(self.conn, &firsts, text_or_what_is_left)?;
        let payments: HashMap<JobKey, Vec<TakePayment>> =
            whole.into_values().flatten().map(|take| (take.job.key, take.payments)).collect();
        let further = |take: &StoredTake| take.take > 1 && take.state.has_spent_nothing();
        let asked = found.iter().flat_map(|takes| takes.iter()).filter(|take| further(take));
        let asked: Vec<i64> = asked.map(|take| take.key.0).collect();
        let touched: HashSet<JobKey> = rows(self.conn, TOUCHED, &asked, |row| row.get(0))?;
        let all = found.iter().flat_map(|takes| takes.iter()).filter(|_| with_marks);
        let marks = marks_of(self.conn, &all.map(|take| take.key.0).collect::<Vec<_>>())?;
        for take in found.iter_mut().flat_map(|takes| takes.iter_mut()) {
            take.payments = payments.get(&take.key).cloned().unwrap_or_default();
            take.was_touched = touched.contains(&take.key);
            take.mark = marks.get(&take.key).copied();
        }
        Ok(())
    }
}

fn of_row(row: &Row<'_>, endpoint: i64, load: Option<i64>, accepted: i64) -> rusqlite::Result<StoredTake> {
    let (its_endpoint, last_load, first_load): (i64, i64, i64) = (row.get(9)?, row.get(10)?, row.get(11)?);
    Ok(StoredTake {
        key: row.get(0)?,
        take: row.get(1)?,
        state: row.get(2)?,
        reason: row.get(3)?,
        content: row.get(4)?,
        kept: row.get(5)?,
        edition: edition(row, 6)?,
        meant: row.get(7)?,
        attempts: row.get(8)?,
        asks_otherwise: its_endpoint != endpoint,
        is_found: Some(last_load) == load,
        is_new_word: first_load > accepted,
        payments: Vec::new(),
        mark: None,
        is_beside_pick: false,
        was_touched: false,
    })
}

/// A batch whose plan is loaded.
pub(super) struct Loading<'a> {
    tx: &'a Connection,
    batch: BatchKey,
    /// The number of the load that is under way, from 1.
    number: i64,
    /// It is of rows that the last load has found already.
    is_again: bool,
    known: KnownJobs<'a>,
    /// The endpoint's row by the address of its value, which is kept alive beside it.
    endpoints: HashMap<*const Endpoint, (Arc<Endpoint>, i64)>,
    add: CachedStatement<'a>,
    place: CachedStatement<'a>,
    rewrite: CachedStatement<'a>,
}

impl<'a> Loading<'a> {
    pub(super) fn of(tx: &'a Connection, batch: BatchKey) -> Result<Self, Fault> {
        Ok(Self {
            tx,
            batch,
            number: 0,
            is_again: false,
            known: KnownJobs::of(tx, batch)?,
            endpoints: HashMap::new(),
            add: tx.prepare_cached(ADD)?,
            place: tx.prepare_cached(PLACE)?,
            rewrite: tx.prepare_cached(REWRITE)?,
        })
    }

    /// The rows of the load of that number, once more.
    pub(super) fn again(tx: &'a Connection, batch: BatchKey, number: u64) -> Result<Self, Fault> {
        Ok(Self { number: int(number)?, is_again: true, ..Self::of(tx, batch)? })
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

    fn write(&mut self, write: &LoadWrite<'_>) -> Result<(), Fault> {
        match *write {
            LoadWrite::Add { job, place, take, earlier } => self.add((job, earlier), place, take),
            LoadWrite::FoundAt { key, job, place, reason } => self.place(key, job, place, reason),
            LoadWrite::Rewrite { key, job, earlier, place, to, forgets_error } => {
                self.rewrite(key, (job, earlier), place, to, forgets_error)
            }
            LoadWrite::Learn { bought, job } => self.learn(bought, job),
            LoadWrite::Transition { job, at, from, to, reason } => {
                append_transition(self.tx, at, job, from, to, reason)
            }
            LoadWrite::Replaced(key) => self.execute("UPDATE jobs SET superseded = 1 WHERE id = ?1", params![key]),
            LoadWrite::Withdraw { key, at, keeps_end } => self.execute(
                "UPDATE jobs SET state = 'refused', reason = 'withdrawn', error = NULL, wait_until = NULL,
                     finished_at = CASE WHEN ?3 THEN coalesce(finished_at, ?2) ELSE ?2 END
                 WHERE id = ?1",
                params![key, at, keeps_end],
            ),
            LoadWrite::Stand { key, at, to, words, is_meant } => self.execute(
                "UPDATE jobs SET state = ?2, reason = ?3, error = ?4, wait_until = NULL,
                     finished_at = CASE WHEN ?4 IS NOT NULL THEN ?5 END, meant = meant OR ?6
                 WHERE id = ?1",
                params![key, to.0, to.1, words, at, is_meant],
            ),
            LoadWrite::Mark { job, reason } => {
                self.execute("UPDATE jobs SET reason = ?2 WHERE id = ?1", params![job, reason])
            }
            LoadWrite::Accept { of, take, at } => self.execute(
                "INSERT INTO decisions (job, at, decision, note, evidence)
                 SELECT id, ?3, 'retake', job || '@' || take, 'take ' || ?2 || ' replaces it' FROM jobs WHERE id = ?1",
                params![of, take, at],
            ),
            LoadWrite::DiscardTake { gone, latest } => self.discard_takes(gone, latest),
            LoadWrite::Recognise { new, was, reason } => {
                self.execute(
                    "UPDATE jobs SET seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load, reason = ?3,
                         row_content = nullif(n.content, jobs.content), row_given = nullif(n.given, jobs.given)
                     FROM jobs n WHERE jobs.id = ?1 AND n.id = ?2",
                    params![was, new, reason],
                )?;
                self.execute("DELETE FROM jobs WHERE id = ?1", params![new])
            }
            LoadWrite::Join { new, was, take } => self.execute(
                "UPDATE jobs SET job = (SELECT w.job FROM jobs w WHERE w.id = ?2), take = ?3 WHERE id = ?1",
                params![new, was, take],
            ),
        }
    }

    fn execute(&self, sql: &str, params: &[&dyn rusqlite::ToSql]) -> Result<(), Fault> {
        self.tx.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    fn add(&mut self, (job, earlier): (&PlannedJob, u32), place: u64, take: u32) -> Result<(), Fault> {
        let endpoint = self.endpoint(&job.endpoint)?;
        self.add.execute(params![
            self.batch,
            job.id,
            take,
            int(place)?,
            int(job.line)?,
            endpoint,
            job.content,
            job.priced.price,
            job.fee_ceiling,
            job.max_cost,
            self.number,
            Json(&job.sent_params(earlier)),
            Json(&job.extra),
            given(job)
        ])?;
        Ok(())
    }

    fn place(&mut self, key: JobKey, job: &PlannedJob, place: u64, reason: Reason) -> Result<(), Fault> {
        self.place.execute(params![
            key,
            int(place)?,
            int(job.line)?,
            Json(&job.extra),
            reason,
            self.number,
            job.content,
            given(job)
        ])?;
        Ok(())
    }

    fn rewrite(
        &mut self,
        key: JobKey,
        (job, earlier): (&PlannedJob, u32),
        place: u64,
        to: (JobState, Reason),
        forgets_error: bool,
    ) -> Result<(), Fault> {
        let endpoint = self.endpoint(&job.endpoint)?;
        self.rewrite.execute(params![
            key,
            int(place)?,
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
            Json(&job.sent_params(earlier)),
            forgets_error,
            given(job)
        ])?;
        Ok(())
    }

    fn learn(&mut self, bought: JobKey, job: &PlannedJob) -> Result<(), Fault> {
        let endpoint = self.endpoint(&job.endpoint)?;
        self.execute(
            "UPDATE jobs SET content = ?2, endpoint = ?3, params = ?4, given = ?5
             WHERE id = ?1 AND content = zeroblob(32)",
            params![bought, job.content, endpoint, Json(&job.params), given(job)],
        )
    }

    fn discard_takes(&self, gone: JobKey, latest: JobKey) -> Result<(), Fault> {
        self.execute("DELETE FROM transitions WHERE job = ?1", params![gone])?;
        self.execute(
            "UPDATE jobs SET superseded = 0, seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load,
                 row_content = nullif(n.content, jobs.content), row_given = nullif(n.given, jobs.given)
             FROM jobs n WHERE jobs.id = ?1 AND n.id = ?2",
            params![latest, gone],
        )?;
        self.execute("DELETE FROM jobs WHERE id = ?1", params![gone])
    }
}

impl LoadDesk for Loading<'_> {
    type Error = Fault;

    fn further(&mut self) -> Result<Vec<Vec<StoredTake>>, Fault> {
        self.known.further()
    }

    fn begin(&mut self) -> Result<(u64, Unproven), Fault> {
        let sql = "UPDATE batches SET loads = loads + 1, loaded = NULL WHERE id = ?1 RETURNING loads";
        let number = self.tx.prepare_cached(sql)?.query_row([self.batch], |row| Ok((row.get(0)?, uint(row, 0)?)));
        let Some((number, load)) = number.optional()? else {
            return contradiction(format!("there is no batch {}", self.batch.0));
        };
        self.number = number;
        Ok((load, unproven(self.tx)?))
    }

    fn stored(&mut self, retake: &Retake, jobs: &[PlannedJob]) -> Result<Vec<Vec<StoredTake>>, Fault> {
        let asked = jobs.iter().map(|job| Ok((job.id.as_str(), self.endpoint(&job.endpoint)?)));
        let asked = asked.collect::<Result<Vec<_>, Fault>>()?;
        self.known.takes(retake, &asked, Some(self.number).filter(|_| !self.is_again))
    }

    fn gone(&mut self) -> Result<Vec<Gone>, Fault> {
        gone(self.tx, "superseded = 0 AND last_load < ?2", params![self.batch, self.number])
    }

    fn new_rows(&mut self) -> Result<Vec<NewRow>, Fault> {
        let mut statement = self.tx.prepare_cached(
            "SELECT id, job, content, given, coalesce(price_msat + fee_ceiling_msat > max_cost_msat, 0) FROM jobs
             WHERE batch = ?1 AND first_load = ?2 AND take = 1 AND state = 'pending' AND given IS NOT NULL ORDER BY seq",
        )?;
        let rows = statement.query_map(params![self.batch, self.number], new_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn had(&mut self, id: &str, content: ContentHash) -> Result<bool, Fault> {
        Ok(!had(self.tx, self.batch, id, content)?.is_empty())
    }

    fn unfound(&mut self, after: Option<(u64, JobKey)>, most: usize) -> Result<Vec<Unfound>, Fault> {
        if self.known.has_none {
            return Ok(Vec::new());
        }
        let (place, key) = after.unwrap_or((0, JobKey(i64::MIN)));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut statement = self.tx.prepare_cached(
            "SELECT id, job, state, reason, seq FROM jobs
             WHERE batch = ?1 AND superseded = 0 AND last_load < ?2 AND (seq, id) > (?3, ?4) ORDER BY seq, id LIMIT ?5",
        )?;
        let rows = statement.query_map(params![self.batch, self.number, int(place)?, key, most], |row| {
            let (key, id, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Unfound { key, id, state, reason, place: uint(row, 4)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn alike(&mut self) -> Result<Vec<(String, String)>, Fault> {
        let mut alike = self.tx.prepare_cached(
            "SELECT max(CASE WHEN first_load = ?2 THEN job END), max(CASE WHEN first_load < ?2 THEN job END)
             FROM jobs WHERE batch = ?1 AND superseded = 0
             GROUP BY lower(ltrim(job, '0')) HAVING max(first_load) = ?2 AND min(first_load) < ?2
             ORDER BY min(seq), lower(ltrim(job, '0')) LIMIT ?3",
        )?;
        let limit = i64::try_from(ALIKE_MAX).unwrap_or(i64::MAX);
        let rows = alike.query_map(params![self.batch, self.number, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn accept(&mut self) -> Result<(), Fault> {
        self.execute("UPDATE batches SET accepted_load = loads WHERE id = ?1", params![self.batch])
    }

    fn apply(&mut self, writes: &[LoadWrite<'_>]) -> Result<(), Fault> {
        writes.iter().try_for_each(|write| self.write(write))
    }
}

/// Takes of the batch ?1 of which that holds, and that are bought or open.
pub(super) fn gone(conn: &Connection, which: &str, params: &[&dyn rusqlite::ToSql]) -> Result<Vec<Gone>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT id, job, take, state, reason, content, given, kept FROM jobs
         WHERE batch = ?1 AND given IS NOT NULL AND state NOT IN ('pending', 'refused', 'failed') AND {which} ORDER BY seq"
    ))?;
    let rows = statement.query_map(params, |row| {
        let (key, id, take, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Gone { key, id, take, state, reason, content: row.get(5)?, given: row.get(6)?, kept: row.get(7)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row that is new so far, from its id, job, content, given, and whether it is above its limit.
pub(super) fn new_row(row: &Row<'_>) -> rusqlite::Result<NewRow> {
    let (key, id, content) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(NewRow { key, id, content, given: row.get(3)?, is_above_limit: row.get(4)? })
}

/// The takes of that job that have that content.
pub(super) fn had(conn: &Connection, batch: BatchKey, id: &str, content: ContentHash) -> Result<Vec<JobKey>, Fault> {
    let mut statement = conn.prepare_cached("SELECT id FROM jobs WHERE batch = ?1 AND job = ?2 AND content = ?3")?;
    Ok(statement.query_map(params![batch, id, content], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
