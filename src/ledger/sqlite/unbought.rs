//! What of a batch is left to buy, without its manifest: what another batch has bought since is left out, as a run leaves it out.

use std::collections::HashSet;

use rusqlite::params;

use super::SqliteLedger;
use super::duplicates::{find, original_of};
use super::error::Fault;
use super::foresee::plan_stored;
use super::store::Rows;
use crate::ledger::{BatchKey, JobKey, Unbought};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason, tried_again};

/// A job that a run tries.
struct Tried {
    key: JobKey,
    state: JobState,
    reason: Reason,
    cost: Option<Msat>,
    /// The edition of its next purchase may be another one than the last.
    has_edition: bool,
}

impl SqliteLedger {
    /// See [`crate::ledger::port::Foresee::unbought`].
    pub(super) fn unbought_of(&self, batch: BatchKey) -> Result<Unbought, Fault> {
        let tried = self.tried(batch)?;
        if tried.is_empty() {
            return Ok(Unbought::default());
        }
        let compared = tried.iter().filter(|job| !job.has_edition).map(|job| job.key);
        plan_stored(&self.conn, batch, "FALSE", compared)?;
        let mut unbought = Unbought::default();
        let mut aside = HashSet::new();
        for found in find(&self.conn, batch, None, (Rows::Planned, Rows::Loaded))? {
            if let Some(original) = found.original {
                aside.insert(found.job.key);
                found.job.count(&mut unbought.elsewhere, original_of(&self.conn, original)?)?;
            }
        }
        for Tried { state, reason, cost, .. } in tried.iter().filter(|job| !aside.contains(&job.key)) {
            unbought.jobs += u64::from(Next::of(*state, *reason) == Next::Rerun);
            let sum = cost.and_then(|cost| unbought.worst_case.checked_add(cost));
            unbought.worst_case = sum.ok_or_else(|| Fault::Contradiction("the prices do not fit".to_owned()))?;
        }
        Ok(unbought)
    }

    fn tried(&self, batch: BatchKey) -> Result<Vec<Tried>, Fault> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, state, reason, price_msat, fee_ceiling_msat, edition <> '' FROM jobs
             WHERE batch = ?1 AND superseded = 0 AND state IN ('pending', 'failed', 'refused') ORDER BY seq, id",
        )?;
        let tried = statement.query_map(params![batch], |row| {
            let (price, fee): (Msat, Msat) = (row.get(3)?, row.get(4)?);
            let (key, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Tried { key, state, reason, cost: price.checked_add(fee), has_edition: row.get(5)? })
        })?;
        let is_tried = |job: &Result<Tried, _>| job.as_ref().map_or(true, |job| tried_again(job.state, job.reason));
        Ok(tried.filter(is_tried).collect::<Result<_, _>>()?)
    }
}
