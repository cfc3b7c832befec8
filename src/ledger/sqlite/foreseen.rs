//! What running a manifest would buy and leave, asked of the table that `foresee.rs` fills, and of the ledger beside it.

use std::collections::HashMap;

use rusqlite::params;
use url::Url;

use super::SqliteLedger;
use super::convert::uint;
use super::duplicates::{find, stand_planned, stands, to_buy};
use super::store::Rows;
use super::{job_limit, store};
use crate::ledger::decide::{self, load::SettingAside};
use crate::ledger::port::{self, Records};
use crate::ledger::{
    Asking, BatchKey, Caps, Compared, Duplicates, HeldBack, IdList, IntentBounds, JobsThen, LedgerError, PlanLoad,
    Prospect, ToBuy, Trusted, endpoint_and_origin,
};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason, WalletId};
use crate::time::UnixMs;

/// What running a manifest would buy.
#[derive(Debug)]
pub struct Foreseen<'b> {
    pub(super) ledger: &'b SqliteLedger,
    pub(super) batch: BatchKey,
    /// Where its rows stand when purchases are asked whether they are rows of the manifest.
    pub(super) manifest: Rows,
    /// What loading it would report of the jobs that the batch has already; how many are new or gone is not counted.
    pub(super) report: PlanLoad,
    /// Delivered jobs that it would mark as changed.
    pub(super) changed: u64,
    /// Open ones that are changed since they were begun.
    pub(super) open_and_changed: u64,
    /// Where requests go.
    pub(super) places: HashMap<i64, Url>,
}

impl port::Foreseen for Foreseen<'_> {
    fn report(&self) -> &PlanLoad {
        &self.report
    }

    fn changed(&self) -> u64 {
        self.changed
    }

    fn open_and_changed(&self) -> u64 {
        self.open_and_changed
    }

    fn compare(&self, compared: &Compared<'_>) -> Result<Duplicates, LedgerError> {
        self.ledger.read(|ledger| {
            let conn = &ledger.conn;
            let tx = conn.unchecked_transaction()?;
            let mut setting = SettingAside::of(compared);
            let found = find(conn, self.batch, compared.network, (Rows::Planned, self.manifest))?;
            stand_planned(conn, stands(conn, found, &mut setting))?;
            tx.commit()?;
            Ok(setting.found())
        })
    }

    fn to_buy<E>(
        &self,
        duplicates: bool,
        each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        self.ledger.read(|ledger| to_buy(&ledger.conn, self.batch, duplicates, Rows::Planned, each))
    }

    fn jobs_then(&self, duplicates: bool) -> Result<JobsThen, LedgerError> {
        let of_manifest = matches!(self.manifest, Rows::Planned);
        self.ledger.read(|ledger| {
            let planned: u64 = match of_manifest {
                true => ledger.conn.query_row("SELECT count(*) FROM temp.planned", [], |row| uint(row, 0))?,
                false => 0,
            };
            let (gone, others) = match of_manifest {
                true => (
                    "j.reason = 'withdrawn' OR j.state IN ('pending', 'refused', 'failed')",
                    "NOT EXISTS (SELECT 1 FROM temp.planned p WHERE p.job = j.job)",
                ),
                false => ("j.reason = 'withdrawn'", "TRUE"),
            };
            let mut statement = ledger.conn.prepare_cached(&format!(
                "SELECT count(*), count(*) FILTER (WHERE {gone}) FROM jobs j
                 WHERE j.batch = ?1 AND j.superseded = 0 AND {others}"
            ))?;
            let (others, gone): (u64, u64) =
                statement.query_row([self.batch], |row| Ok((uint(row, 0)?, uint(row, 1)?)))?;
            let mut statement = ledger.conn.prepare_cached(
                "SELECT count(*), coalesce(sum(j.price_msat), 0) FROM temp.planned p CROSS JOIN jobs j ON p.job = j.job
                 WHERE j.batch = ?1 AND j.superseded = 0 AND j.state IN ('delivered', 'downloaded') AND p.take > j.take
                     AND (p.state = 'pending' OR (?2 AND p.state = 'refused' AND p.reason = 'duplicate'))",
            )?;
            let (retaken, retaken_price) =
                statement.query_row(params![self.batch, duplicates], |row| Ok((uint(row, 0)?, row.get(1)?)))?;
            Ok(JobsThen { all: planned.saturating_add(others), gone, retaken, retaken_price })
        })
    }

    fn hold_to_job_limit(&mut self, most: Option<Msat>) -> Result<(), LedgerError> {
        self.report.above_limit = self.ledger.read(|ledger| job_limit::foresee(&ledger.conn, self.batch, most))?;
        Ok(())
    }

    fn set_aside(&self) -> Result<u64, LedgerError> {
        self.ledger.read(|ledger| {
            let sql = "SELECT count(*) FROM temp.planned WHERE state = 'refused' AND reason = 'duplicate'";
            Ok(ledger.conn.query_row(sql, [], |row| uint(row, 0))?)
        })
    }

    fn origin(&self, place: i64) -> Option<String> {
        self.places.get(&place).map(|url| endpoint_and_origin(url).1)
    }

    fn trust(&self, now: UnixMs, origin: &str, number: u32, bounds: IntentBounds) -> Result<Trusted, LedgerError> {
        let known = self.ledger.read(|ledger| store::origin_facts(&ledger.conn, origin))?;
        Ok(decide::trusted(&known, now, self.batch, number, bounds))
    }

    fn breaker(&self, now: UnixMs, place: i64, max_undelivered: u32) -> Result<Option<HeldBack>, LedgerError> {
        let Some(url) = self.places.get(&place).cloned() else { return Ok(None) };
        let bounds = IntentBounds { max_undelivered, run_began: now, ..IntentBounds::default() };
        let (node, asking) = (WalletId(String::new()), Asking::default());
        let held = self.ledger.held_back(
            now,
            &Prospect { batch: self.batch, url, node, bounds, asking, cost: Msat::ZERO, caps: Caps::default() },
        )?;
        let Some(held) = held.filter(|held| held.reason() == Reason::BreakerOpen) else { return Ok(None) };
        let is_open = self.ledger.read(|ledger| {
            let sql = "SELECT 1 FROM jobs WHERE batch = ?1 AND superseded = 0
                 AND state IN ('running', 'in_doubt', 'paid') AND reason <> 'unknown_answer'";
            Ok(ledger.conn.prepare_cached(sql)?.exists([self.batch])?)
        })?;
        Ok((!is_open).then_some(held))
    }

    fn at_other_nodes(&self, node: &WalletId) -> Result<IdList, LedgerError> {
        self.ledger.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT j.job FROM jobs j WHERE j.batch = ?1 AND j.superseded = 0 AND j.state IN ('running', 'in_doubt')
                     AND EXISTS (SELECT 1 FROM payments p WHERE p.job = j.id AND p.state = 'intended' AND p.node <> ?2)
                 ORDER BY j.seq",
            )?;
            let mut ids = IdList::default();
            let mut rows = statement.query(params![self.batch, node.0])?;
            while let Some(row) = rows.next()? {
                ids.add(&row.get::<_, String>(0)?);
            }
            Ok(ids)
        })
    }

    fn refused_before(&self) -> Result<Vec<(Reason, String)>, LedgerError> {
        self.ledger.read(|ledger| {
            // Another price than was refused is asked for the first time.
            let mut statement = ledger.conn.prepare_cached(
                "SELECT j.reason, j.job FROM jobs j JOIN temp.planned p ON p.job = j.job
                 WHERE j.batch = ?1 AND j.superseded = 0 AND j.state = 'refused' AND p.state = 'pending'
                     AND p.content = j.content AND (j.reason <> 'price_changed' OR p.price_msat = j.price_msat)
                     AND j.reason IN ('price_changed', 'challenge_invalid', 'invoice_invalid', 'wrong_network',
                         'invoice_reused', 'invoice_life', 'origin_error')
                 ORDER BY j.seq",
            )?;
            let rows = statement.query_map([self.batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn stays(&self, fetches: bool) -> Result<Vec<(JobState, Reason, IdList)>, LedgerError> {
        let of_manifest = matches!(self.manifest, Rows::Planned);
        self.ledger.read(|ledger| {
            let mut statement = ledger.conn.prepare_cached(
                "SELECT j.state, j.reason, j.job FROM jobs j INDEXED BY jobs_counted
                 WHERE j.batch = ?1 AND j.superseded = 0 AND j.state <> 'pending'
                     AND j.reason NOT IN ('duplicate', 'job_limit')
                     AND NOT (j.state IN ('delivered', 'downloaded') AND j.reason = '')
                     AND NOT EXISTS (SELECT 1 FROM temp.planned p WHERE p.job = j.job AND p.state = 'pending')
                     AND NOT (?2 AND j.state IN ('delivered', 'downloaded')
                         AND EXISTS (SELECT 1 FROM temp.planned p WHERE p.job = j.job
                             AND (j.reason IN ('changed', 'known_by_receipt') OR p.reason IN ('changed', 'known_by_receipt'))))
                     AND NOT (?2 AND j.state IN ('refused', 'failed')
                         AND NOT EXISTS (SELECT 1 FROM temp.planned p WHERE p.job = j.job))
                 ORDER BY +j.seq",
            )?;
            let mut stays: Vec<(JobState, Reason, IdList)> = Vec::new();
            let mut rows = statement.query(params![self.batch, of_manifest])?;
            while let Some(row) = rows.next()? {
                let (state, reason, id): (JobState, Reason, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let is_unbought = matches!(state, JobState::Refused | JobState::Failed);
                match Next::of(state, reason) {
                    Next::Person => {}
                    Next::Rerun if is_unbought => {}
                    Next::Rerun if !fetches && (state, reason) == (JobState::Delivered, Reason::NotDownloaded) => {}
                    Next::Rerun | Next::None => continue,
                }
                match stays.iter_mut().find(|(has, why, _)| (*has, *why) == (state, reason)) {
                    Some((.., ids)) => ids.add(&id),
                    None => {
                        let mut ids = IdList::default();
                        ids.add(&id);
                        stays.push((state, reason, ids));
                    }
                }
            }
            Ok(stays)
        })
    }
}
