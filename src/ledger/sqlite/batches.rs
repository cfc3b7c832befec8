//! Batches: begun, found again, and what is remembered of them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteLedger;
use super::convert::{Json, hex};
use super::error::{Fault, contradiction};
use super::store;
use crate::ledger::decide::endpoint_is_held;
use crate::ledger::port::{Batches, Views};
use crate::ledger::{
    Asking, Batch, BatchKey, BatchStart, Counts, Damage, DownloadTo, FilesOf, HeldBack, IntentBounds, JobKey, Layout,
    LedgerError, NewBatch, Remembered, endpoint_and_origin,
};
use crate::manifest::Limits;
use crate::purchase::Reason;
use crate::time::UnixMs;

const COLUMNS: &str =
    "id, name, manifest, sandbox, created_at, remembered, accepted_msat, fingerprint, last_run_at, plan";

fn batch_of_row(row: &Row<'_>) -> rusqlite::Result<Batch> {
    // What one batch lacks is that batch's: the others are listed, and what is open of this one is finished.
    let (is_damaged, (layout, outputs, download)) = match row.get(5) {
        Ok(Json(remembered)) => (false, remembered),
        Err(rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..)) => {
            (true, Default::default())
        }
        Err(error) => return Err(error),
    };
    Ok(Batch {
        key: row.get(0)?,
        name: row.get(1)?,
        manifest: row.get(2)?,
        sandbox: row.get(3)?,
        created_at: row.get(4)?,
        last_run_at: row.get(8)?,
        remembered: Remembered {
            layout,
            outputs,
            accepted: row.get(6)?,
            fingerprint: row.get(7)?,
            download,
            plan: row.get(9)?,
        },
        is_damaged,
    })
}

fn by_name(conn: &Connection, name: &str) -> Result<Option<Batch>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM batches WHERE name = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([name], batch_of_row).optional()?)
}

/// How the batch's results are laid out.
pub(super) fn layout(conn: &Connection, batch: BatchKey) -> Result<Layout, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM batches WHERE id = ?1");
    let found = conn.prepare_cached(&sql)?.query_row([batch], batch_of_row).optional()?;
    Ok(found.map(|batch| batch.remembered.layout).unwrap_or_default())
}

fn insert(tx: &Connection, now: UnixMs, new: &NewBatch) -> Result<Batch, Fault> {
    let remembered = Remembered::default();
    tx.prepare_cached(
        "INSERT INTO batches (name, manifest, sandbox, remembered, created_at, last_run_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
    )?
    .execute(params![
        new.name,
        new.manifest,
        new.sandbox,
        Json((&remembered.layout, &remembered.outputs, &remembered.download)),
        now
    ])?;
    Ok(Batch::begun(BatchKey(tx.last_insert_rowid()), now, new))
}

fn go_on(tx: &Connection, now: UnixMs, known: Batch, new: &NewBatch) -> Result<BatchStart, Fault> {
    let start = known.go_on(now, new);
    if let BatchStart::Existing(batch) = &start {
        let sql = "UPDATE batches SET manifest = ?2, last_run_at = ?3 WHERE id = ?1";
        tx.prepare_cached(sql)?.execute(params![batch.key, batch.manifest, batch.last_run_at])?;
    }
    Ok(start)
}

impl Batches for SqliteLedger {
    fn id(&self) -> Result<String, LedgerError> {
        self.read(|ledger| {
            let id: [u8; 16] =
                ledger.conn.prepare_cached("SELECT id FROM ledger_id")?.query_row([], |row| row.get(0))?;
            Ok(hex(&id))
        })
    }

    fn is_new(&self) -> bool {
        self.created
    }

    fn begin_batch(&mut self, now: UnixMs, new: &NewBatch) -> Result<BatchStart, LedgerError> {
        let start = self.note(|tx, _| match by_name(tx, &new.name)? {
            None => insert(tx, now, new).map(BatchStart::New),
            Some(known) => go_on(tx, now, known, new),
        })?;
        if let BatchStart::Existing(batch) = &start {
            self.check_money(Some(batch.key))?;
        }
        Ok(start)
    }

    fn batch(&self, name: &str) -> Result<Option<Batch>, LedgerError> {
        self.read(|ledger| by_name(&ledger.conn, name))
    }

    fn batches(&self) -> Result<Vec<(Batch, Counts)>, LedgerError> {
        let all = self.uncounted()?;
        all.into_iter().map(|batch| self.counts(batch.key).map(|counts| (batch, counts))).collect()
    }

    fn uncounted(&self) -> Result<Vec<Batch>, LedgerError> {
        self.read(|ledger| {
            let sql = format!("SELECT {COLUMNS} FROM batches ORDER BY id");
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            Ok(statement.query_map([], batch_of_row)?.collect::<Result<_, _>>()?)
        })
    }

    fn batches_at(&self, manifest: &str) -> Result<Vec<Batch>, LedgerError> {
        self.read(|ledger| {
            let sql = format!("SELECT {COLUMNS} FROM batches WHERE manifest = ?1 ORDER BY id DESC");
            let mut statement = ledger.conn.prepare_cached(&sql)?;
            Ok(statement.query_map([manifest], batch_of_row)?.collect::<Result<_, _>>()?)
        })
    }

    fn name_of(&self, batch: BatchKey) -> Result<String, LedgerError> {
        self.read(|ledger| {
            let sql = "SELECT name FROM batches WHERE id = ?1";
            Ok(ledger.conn.prepare_cached(sql)?.query_row([batch], |row| row.get(0))?)
        })
    }

    fn files(&self) -> Result<Vec<FilesOf>, LedgerError> {
        self.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT id, name, remembered ->> '$[2].folder', coalesce(remembered ->> '$[2].name', ''),
                     remembered ->> '$[2].device',
                     EXISTS (SELECT 1 FROM jobs j WHERE j.batch = b.id AND j.state = 'downloaded')
                 FROM batches b WHERE json_valid(remembered) AND remembered ->> '$[2].folder' IS NOT NULL
                     AND EXISTS (SELECT 1 FROM jobs j WHERE j.batch = b.id AND j.state IN ('downloaded', 'delivered'))
                 ORDER BY last_run_at DESC, id DESC",
            )?;
            let files = statement.query_map([], |row| {
                let to = DownloadTo { folder: row.get(2)?, name: row.get(3)?, device: row.get(4)? };
                Ok(FilesOf { batch: row.get(0)?, name: row.get(1)?, to, has_files: row.get(5)? })
            })?;
            Ok(files.collect::<Result<_, _>>()?)
        })
    }

    fn remember(&mut self, batch: BatchKey, what: &Remembered) -> Result<(), LedgerError> {
        self.note(|tx, _| {
            let rows = tx
                .prepare_cached(
                    "UPDATE batches SET remembered = ?2, accepted_msat = ?3, fingerprint = ?4, plan = ?5 WHERE id = ?1",
                )?
                .execute(params![
                    batch,
                    Json((&what.layout, &what.outputs, &what.download)),
                    what.accepted,
                    what.fingerprint,
                    what.plan
                ])?;
            if rows == 1 { Ok(()) } else { contradiction(format!("there is no batch {}", batch.0)) }
        })
    }

    fn remember_limits(&mut self, batch: BatchKey, limits: &Limits) -> Result<(), LedgerError> {
        self.note(|tx, _| {
            let sql = "UPDATE batches SET limits = ?2 WHERE id = ?1";
            tx.prepare_cached(sql)?.execute(params![batch, Json(limits)])?;
            Ok(())
        })
    }

    fn limits(&self, batch: BatchKey) -> Result<Limits, LedgerError> {
        self.read(|ledger| {
            let sql = "SELECT limits FROM batches WHERE id = ?1";
            let found: Option<Json<Limits>> =
                ledger.conn.prepare_cached(sql)?.query_row([batch], |row| row.get(0)).optional()?.flatten();
            Ok(found.map(|Json(limits)| limits).unwrap_or_default())
        })
    }

    fn explain_pending(
        &mut self,
        batch: BatchKey,
        endpoint: Option<&str>,
        reason: Reason,
        words: &str,
    ) -> Result<(), LedgerError> {
        self.write(|tx, _| {
            tx.prepare_cached(
                "UPDATE jobs SET reason = ?3, error = ?4
                 WHERE batch = ?1 AND state = 'pending' AND reason = '' AND superseded = 0
                     AND (?2 IS NULL OR endpoint IN (SELECT id FROM endpoints WHERE json_extract(json, '$.name') = ?2))",
            )?
            .execute(params![batch, endpoint, reason, words])?;
            Ok(())
        })
    }

    fn explain_jobs(&mut self, jobs: &[JobKey], reason: Reason, words: &str) -> Result<(), LedgerError> {
        self.write(|tx, _| {
            let mut explain = tx.prepare_cached(
                "UPDATE jobs SET reason = ?2, error = ?3 WHERE id = ?1 AND state = 'pending' AND superseded = 0",
            )?;
            for job in jobs {
                explain.execute(params![job, reason, words])?;
            }
            Ok(())
        })
    }

    fn explain_held_anew(&mut self, now: UnixMs, max_undelivered: u32) -> Result<(), LedgerError> {
        const HELD: &str = "state = 'pending' AND superseded = 0 AND reason IN ('breaker_open', 'awaiting_delivery')";
        let held = self.read(|ledger| {
            let of_endpoints = format!(
                "SELECT DISTINCT batch, endpoint, sandbox FROM batches b CROSS JOIN jobs ON batch = b.id WHERE {HELD}"
            );
            let mut statement = ledger.conn.prepare_cached(&of_endpoints)?;
            let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let mut held: Vec<(BatchKey, i64, Option<HeldBack>)> = Vec::new();
            for (batch, endpoint, is_play) in found.collect::<Result<Vec<(BatchKey, i64, bool)>, _>>()? {
                // One that cannot be read is told where its jobs are shown.
                let Ok(known) = ledger.endpoint(endpoint) else { continue };
                let (url, origin) = endpoint_and_origin(&known.url);
                let known = store::endpoint_facts(&ledger.conn, url, origin)?;
                let bounds = IntentBounds { max_undelivered, run_began: now, is_play, ..IntentBounds::default() };
                held.push((batch, endpoint, endpoint_is_held(now, batch, bounds, &Asking::default(), &known)));
            }
            Ok(held)
        })?;
        if held.is_empty() {
            return Ok(());
        }
        self.write(|tx, _| {
            let anew = format!("UPDATE jobs SET reason = ?3, error = ?4 WHERE batch = ?1 AND endpoint = ?2 AND {HELD}");
            let mut explain = tx.prepare_cached(&anew)?;
            for (batch, endpoint, held) in held {
                let reason = held.as_ref().map_or(Reason::None, HeldBack::reason);
                explain.execute(params![batch, endpoint, reason, held.map(|held| held.to_string())])?;
            }
            Ok(())
        })
    }

    fn check_money(&self, batch: Option<BatchKey>) -> Result<(), LedgerError> {
        // `sum` fails where it does not fit; `total` would count in floats.
        const DIFFERENT: &str = "
            SELECT 'batch ' || b.name FROM batches b LEFT JOIN payments p ON p.batch = b.id
            WHERE ?1 IS NULL OR b.id = ?1 GROUP BY b.id
            HAVING b.held_msat <> coalesce(sum(CASE WHEN p.state IN ('intended', 'paid')
                    THEN p.amount_msat + p.fee_limit_msat END), 0)
                OR b.spent_msat <> coalesce(sum(CASE WHEN p.state = 'posted' THEN p.amount_msat END), 0)
                OR b.fees_msat <> coalesce(sum(CASE WHEN p.state = 'posted' THEN p.fee_msat END), 0)
                OR b.refunded_msat <> coalesce((SELECT sum(min(r.received_msat, q.amount_msat))
                    FROM refunds r JOIN payments q ON q.id = r.payment
                    WHERE r.batch = b.id AND r.received_msat IS NOT NULL), 0)";
        const DIFFERENT_PERIODS: &str = "
            SELECT d.kind || ' ' || d.name FROM periods d
                LEFT JOIN payments p ON d.name = CASE d.kind WHEN 'day' THEN p.day ELSE p.month END
            GROUP BY d.kind, d.name
            HAVING d.held_msat <> coalesce(sum(CASE WHEN p.state IN ('intended', 'paid')
                    THEN p.amount_msat + p.fee_limit_msat END), 0)
                OR d.spent_msat <> coalesce(sum(CASE WHEN p.state = 'posted' THEN p.amount_msat + p.fee_msat END), 0)
                OR d.refunded_msat <> coalesce((SELECT sum(min(r.received_msat, q.amount_msat))
                    FROM refunds r JOIN payments q ON q.id = r.payment
                    WHERE r.received_msat IS NOT NULL
                        AND d.name = CASE d.kind WHEN 'day' THEN q.day ELSE q.month END), 0)";
        self.read(|ledger| {
            let mut found: Option<String> =
                ledger.conn.prepare_cached(DIFFERENT)?.query_row([batch], |row| row.get(0)).optional()?;
            if batch.is_none() && found.is_none() {
                found = ledger.conn.prepare_cached(DIFFERENT_PERIODS)?.query_row([], |row| row.get(0)).optional()?;
            }
            if batch.is_none() && found.is_none() {
                let sql = store::different_origin_periods();
                found = ledger.conn.prepare_cached(&sql)?.query_row([], |row| row.get(0)).optional()?;
            }
            match found {
                None => Ok(()),
                Some(what) => Err(LedgerError::from(Damage::Sums(what)).into()),
            }
        })
    }
}
