//! Which files are still to be fetched, and what that needs.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteLedger;
use super::convert::{Json, int, uint};
use super::error::Fault;
use super::store::{append_transition, file_key, kept_answer, paid_purchase};
use crate::ledger::decide::{TAKEN_BY, without_file};
use crate::ledger::port::Downloads;
use crate::ledger::{
    BatchKey, ComingFile, DeliveredJob, DownloadTo, FetchMark, FurtherResult, JobKey, LedgerError, PaymentKey, Resume,
    Undownloaded,
};
use crate::purchase::{Credential, HttpAnswer, JobState, Reason};
use crate::time::UnixMs;

/// Files that are looked for between two writes, where those that are missing are sought.
const FILES_AT_ONCE: usize = 1_000;

/// The payment of a job whose result a person took from the answer that was kept.
fn taken(conn: &Connection, job: JobKey) -> Result<Option<PaymentKey>, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT p.id FROM payments p WHERE p.job = ?1 AND p.delivered_at IS NOT NULL
                 AND EXISTS (SELECT 1 FROM decisions d WHERE d.job = p.job AND d.decision = 'delivered')",
        )?
        .query_row([job], |row| row.get(0))
        .optional()?)
}

/// Whether that file is a further result's of another job. Such a file is called as the first result's is, and a number.
fn is_further_of_another(conn: &Connection, job: JobKey, file: &str) -> Result<bool, Fault> {
    let key = file_key(file);
    let Some(first) = first_of(&key) else { return Ok(false) };
    let mut statement = conn.prepare_cached(
        "SELECT more FROM jobs WHERE file_key >= ?1 || '.' AND file_key < ?1 || '/' AND id <> ?2 AND more IS NOT NULL",
    )?;
    let mut rows = statement.query(params![first, job])?;
    while let Some(row) = rows.next()? {
        let more: Option<Json<Vec<FurtherResult>>> = row.get(0).ok();
        let mut files = more.iter().flat_map(|Json(more)| more).filter_map(|one| one.mark.as_ref());
        if files.any(|mark| file_key(&mark.file) == key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the file of the first result is called, without its ending, where this may be that of a further one: `/v/kite` of `/v/kite-2.png`.
fn first_of(key: &str) -> Option<&str> {
    let (first, number) = key.rsplit_once('.')?.0.rsplit_once('-')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(first)
}

impl Downloads for SqliteLedger {
    fn to_download(
        &self,
        batch: BatchKey,
        which: Undownloaded,
        after: Option<(u64, JobKey)>,
        limit: usize,
    ) -> Result<Vec<DeliveredJob>, LedgerError> {
        self.read(|ledger| {
            let (seq, key) = after.map_or(Ok((-1, JobKey(0))), |(seq, key)| int(seq).map(|seq| (seq, key)))?;
            let mut statement = ledger.conn.prepare_cached(
                "SELECT j.id, seq, j.job, take, endpoint, params, extra, price_msat, reason, started_at, url, file, resume,
                     sha256, iif(s.job IS NULL OR p.id IS NOT NULL, p.fee_msat, 0),
                     EXISTS (SELECT 1 FROM decisions d WHERE d.job = j.id AND d.decision IN (?6, ?7)),
                     iif(s.job IS NULL OR p.id IS NOT NULL, p.amount_msat, 0), j.more
                 FROM jobs j INDEXED BY jobs_to_fetch LEFT JOIN payments p ON p.job = j.id AND p.dead_proof IS NULL
                     LEFT JOIN served s ON s.job = j.id
                 WHERE j.batch = ?1 AND j.state = 'delivered' AND (seq, j.id) > (?2, ?3)
                     AND (?4 OR (reason = '') = ?5 AND reason NOT IN ('url_gone', 'row_damaged')) ORDER BY seq, j.id",
            )?;
            let (all, new) = (which == Undownloaded::All, which == Undownloaded::New);
            let [kept, served] = TAKEN_BY;
            let mut rows = statement.query(params![batch, seq, key, all, new, kept, served])?;
            let mut jobs = Vec::new();
            while jobs.len() < limit
                && let Some(row) = rows.next()?
            {
                match ledger.delivered_of_row(row) {
                    Ok(job) => jobs.push(job),
                    // Its row says so in every view.
                    Err(Fault::Fatal(LedgerError::OfJob { .. })) => {}
                    Err(fault) => return Err(fault),
                }
            }
            Ok(jobs)
        })
    }

    fn is_file_of_another(&self, job: JobKey, file: &str) -> Result<bool, LedgerError> {
        self.read(|ledger| {
            let other = ledger
                .conn
                .prepare_cached("SELECT 1 FROM jobs WHERE file_key = ?1 AND id <> ?2 LIMIT 1")?
                .query_row(params![file_key(file), job], |_| Ok(()))
                .optional()?;
            Ok(other.is_some() || is_further_of_another(&ledger.conn, job, file)?)
        })
    }

    fn delivery(&self, job: JobKey) -> Result<Option<HttpAnswer>, LedgerError> {
        self.read(|ledger| {
            if let Some(payment) = taken(&ledger.conn, job)? {
                return kept_answer(&ledger.conn, payment);
            }
            // Nothing is kept after the answer that delivered.
            let mut statement = ledger.conn.prepare_cached(
                "SELECT * FROM (SELECT a.status, a.headers, a.body FROM answers a JOIN payments p ON p.id = a.payment
                     WHERE p.job = ?1 AND p.delivered_at IS NOT NULL ORDER BY a.id DESC LIMIT 1)
                 UNION ALL SELECT status, headers, body FROM served WHERE job = ?1 LIMIT 1",
            )?;
            let answer = statement.query_row([job], |row| {
                let Json(headers) = row.get(1)?;
                Ok(HttpAnswer { status: row.get(0)?, headers, body: row.get(2)? })
            });
            Ok(answer.optional()?)
        })
    }

    fn credential(&self, job: JobKey) -> Result<Option<Credential>, LedgerError> {
        self.read(|ledger| {
            let paid: Option<PaymentKey> = ledger
                .conn
                .prepare_cached(
                    "SELECT id FROM payments WHERE job = ?1 AND delivered_at IS NOT NULL
                     UNION ALL SELECT payment FROM served WHERE job = ?1 LIMIT 1",
                )?
                .query_row([job], |row| row.get(0))
                .optional()?;
            paid.map(|payment| Ok(paid_purchase(&ledger.conn, payment)?.credential().clone())).transpose()
        })
    }

    fn coming_files(&self) -> Result<Vec<ComingFile>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "WITH b AS (SELECT id, name, CASE WHEN json_valid(remembered) THEN remembered END AS known FROM batches),
                 j AS (SELECT id, batch, seq, job, take, file, resume, more FROM jobs
                     WHERE state = 'delivered' AND typeof(file) = 'text' AND reason NOT IN ('url_gone', 'row_damaged')),
                 f AS (SELECT id, batch, seq, job, take, file, resume FROM j WHERE json_valid(resume)
                     UNION ALL SELECT j.id, batch, seq, job, take, m.value ->> '$.mark.file', m.value -> '$.mark.resume'
                     FROM j, json_each(CASE WHEN json_valid(more) THEN more ELSE '[]' END) m
                     WHERE m.value -> '$.mark.resume' <> 'null')
                 SELECT b.id, b.name, b.known ->> '$[2].folder', coalesce(b.known ->> '$[2].name', ''),
                     b.known ->> '$[2].device', f.job, f.take, f.file,
                     CAST(coalesce(f.resume ->> '$.total', 0) AS INTEGER)
                 FROM b JOIN f ON f.batch = b.id ORDER BY b.id, f.seq, f.id",
            )?;
            let files = statement.query_map([], |row| {
                let folder: Option<String> = row.get(2)?;
                let (name, device) = (row.get(3)?, row.get(4)?);
                Ok(ComingFile {
                    batch: row.get(0)?,
                    name: row.get(1)?,
                    to: folder.map(|folder| DownloadTo { folder, name, device }),
                    id: row.get(5)?,
                    take: row.get(6)?,
                    file: row.get(7)?,
                    total: row.get::<_, i64>(8)?.try_into().unwrap_or_default(),
                })
            })?;
            Ok(files.collect::<Result<_, _>>()?)
        })
    }

    fn explain_undownloaded(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.write(|tx, _| {
            tx.prepare_cached(
                "UPDATE jobs SET reason = ?2 WHERE batch = ?1 AND state = 'delivered' AND reason = '' AND superseded = 0",
            )?
            .execute(params![batch, Reason::NotDownloaded])?;
            Ok(())
        })
    }

    fn forget_missing_files(&mut self, now: UnixMs, batch: BatchKey, only: &[String]) -> Result<u64, LedgerError> {
        let (mut missing, mut after) = (0_u64, JobKey(0));
        loop {
            let page: Vec<(JobKey, Reason, String, Vec<String>)> = self.read(|ledger| {
                let mut statement = ledger.conn.prepare_cached(
                    "SELECT id, reason, job, file, more FROM jobs
                     WHERE batch = ?1 AND state = 'downloaded' AND id > ?2 ORDER BY id LIMIT ?3",
                )?;
                let limit = i64::try_from(FILES_AT_ONCE).unwrap_or(i64::MAX);
                let rows = statement.query_map(params![batch, after, limit], |row| {
                    let more: Option<Json<Vec<FurtherResult>>> = row.get(4).unwrap_or_default();
                    let marks = more.into_iter().flat_map(|Json(more)| more).filter_map(|one| one.mark);
                    let files = [row.get(3)?].into_iter().chain(marks.map(|mark| mark.file)).collect();
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, files))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })?;
            let Some(last) = page.last() else { return Ok(missing) };
            after = last.0;
            let meant = |id: &String| only.is_empty() || only.contains(id);
            // Where nobody can say whether it is there, it is not missing.
            let is_gone = |file: &String| Path::new(file).try_exists().is_ok_and(|is_there| !is_there);
            let has_lost = |files: &[String]| files.iter().any(is_gone);
            let gone: Vec<_> = page.into_iter().filter(|(.., id, files)| meant(id) && has_lost(files)).collect();
            missing = missing.saturating_add(u64::try_from(gone.len()).unwrap_or(u64::MAX));
            if gone.is_empty() {
                continue;
            }
            self.write(|tx, _| gone.iter().try_for_each(|(key, reason, ..)| forget_file(tx, now, *key, *reason)))?;
        }
    }
}

impl SqliteLedger {
    fn delivered_of_row(&self, row: &Row<'_>) -> Result<DeliveredJob, Fault> {
        let (Json(params), Json(extra)) = (row.get(5)?, row.get(6)?);
        let (take, endpoint) = (row.get(3)?, self.endpoint(row.get(4)?)?);
        let (resume, sha256): (Option<Json<Resume>>, Option<String>) = (row.get(12)?, row.get(13)?);
        let sha256 = sha256.and_then(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok());
        let file: Option<String> = row.get(11)?;
        let mark = file.map(|file| FetchMark { file, resume: resume.map(|Json(known)| known), sha256 });
        Ok(DeliveredJob {
            key: row.get(0)?,
            seq: uint(row, 1)?,
            id: row.get(2)?,
            take,
            endpoint,
            params,
            extra,
            price: row.get(7)?,
            amount: row.get(16)?,
            fee: row.get(14)?,
            reason: row.get(8)?,
            started_at: row.get(9)?,
            url: row.get(10)?,
            more: row.get::<_, Option<Json<Vec<FurtherResult>>>>(17)?.map(|Json(more)| more).unwrap_or_default(),
            mark,
            is_taken: row.get(15)?,
        })
    }
}

fn forget_file(tx: &Connection, now: UnixMs, key: JobKey, from: Reason) -> Result<(), Fault> {
    let (state, reason) = without_file(from);
    // Of several files those that are there still are what came: each is looked at again.
    tx.prepare_cached(
        "UPDATE jobs SET state = ?2, reason = ?3, file = iif(more IS NULL, NULL, file),
             file_key = iif(more IS NULL, NULL, file_key), sha256 = iif(more IS NULL, NULL, sha256) WHERE id = ?1",
    )?
    .execute(params![key, state, reason])?;
    append_transition(tx, now, key, JobState::Downloaded, state, reason)
}
