//! Jobs without an id of their own whose content is another although the manifest gives them as before: a default of the
//! catalogue has changed, and with it the made id. They are the same jobs, changed, and no new ones.
//!
//! What a manifest gives is a job's parameters without those that have their endpoint's default: a column, `given`. By the
//! same a purchase is known again in another batch, or under another id (`duplicates.rs`).

use std::collections::{HashMap, VecDeque};

use rusqlite::{Connection, params};

use super::convert::Json;
use super::error::{Fault, contradiction};
use super::load::Load;
use super::store::append_transition;
use crate::catalog::{Endpoint, Value};
use crate::ledger::JobKey;
use crate::plan::{ContentHash, content_hash_of, looks_made};
use crate::purchase::{JobState, Reason};

/// A purchase whose row has gone from the manifest.
struct Gone {
    key: JobKey,
    id: String,
    take: u32,
    state: JobState,
    reason: Reason,
    content: ContentHash,
    kept: Option<ContentHash>,
}

/// A row that this load has made a job of.
struct New {
    key: JobKey,
    given: ContentHash,
    content: ContentHash,
    is_above_limit: bool,
}

impl Load<'_> {
    /// Finds, for jobs of this load with made ids, the purchases that they were before, and puts those in their place.
    pub(super) fn recognise(&mut self) -> Result<(), Fault> {
        if self.number <= 1 || self.report.new == 0 {
            return Ok(());
        }
        let mut gone = self.gone()?;
        if gone.is_empty() {
            return Ok(());
        }
        for new in self.new_ones()? {
            let Some(was) = gone.get_mut(&new.given).and_then(VecDeque::pop_front) else { continue };
            self.put_in_place(&new, &was)?;
        }
        Ok(())
    }

    /// Purchases with made ids that are no rows of the manifest any more, by what it gave of them, in its order.
    fn gone(&self) -> Result<HashMap<ContentHash, VecDeque<Gone>>, Fault> {
        let mut statement = self.tx.prepare_cached(
            "SELECT id, job, take, state, reason, content, given, kept FROM jobs
             WHERE batch = ?1 AND superseded = 0 AND last_load < ?2 AND given IS NOT NULL
                 AND state NOT IN ('pending', 'refused', 'failed') ORDER BY seq",
        )?;
        let mut gone: HashMap<ContentHash, VecDeque<Gone>> = HashMap::new();
        let mut rows = statement.query(params![self.batch, self.number])?;
        while let Some(row) = rows.next()? {
            let id: String = row.get(1)?;
            if looks_made(&id) {
                let given = row.get(6)?;
                let (key, take, state, reason) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
                let job = Gone { key, id, take, state, reason, content: row.get(5)?, kept: row.get(7)? };
                gone.entry(given).or_default().push_back(job);
            }
        }
        Ok(gone)
    }

    /// The jobs with made ids that this load has added, in the manifest's order.
    fn new_ones(&self) -> Result<Vec<New>, Fault> {
        let mut statement = self.tx.prepare_cached(
            "SELECT id, job, content, given, coalesce(price_msat + fee_ceiling_msat > max_cost_msat, 0) FROM jobs
             WHERE batch = ?1 AND first_load = ?2 AND take = 1 AND state = 'pending' AND given IS NOT NULL ORDER BY seq",
        )?;
        let mut new = Vec::new();
        let mut rows = statement.query(params![self.batch, self.number])?;
        while let Some(row) = rows.next()? {
            if looks_made(&row.get::<_, String>(1)?) {
                let is_above_limit = row.get(4)?;
                new.push(New { key: row.get(0)?, given: row.get(3)?, content: row.get(2)?, is_above_limit });
            }
        }
        Ok(new)
    }

    /// The purchase stands where the new row stood, which is no job of its own; or that row is its next take, by a word.
    fn put_in_place(&mut self, new: &New, was: &Gone) -> Result<(), Fault> {
        self.report.new = self.report.new.saturating_sub(1);
        let delivered = matches!(was.state, JobState::Delivered | JobState::Downloaded);
        let is_changed = new.content != was.content && was.kept != Some(new.content);
        if is_changed {
            self.report.by_default.add(&was.id);
        }
        if delivered && is_changed && self.retake.changed && !new.is_above_limit && !self.had(new, was)? {
            let Some(take) = was.take.checked_add(1) else { return contradiction("there are too many takes") };
            self.tx.prepare_cached("UPDATE jobs SET superseded = 1 WHERE id = ?1")?.execute([was.key])?;
            self.tx
                .prepare_cached("UPDATE jobs SET job = ?2, take = ?3 WHERE id = ?1")?
                .execute(params![new.key, was.id, take])?;
            self.report.retaken.add(&was.id);
            return Ok(());
        }
        let reason = match was.reason {
            reason if !delivered => reason,
            _ if is_changed => Reason::Changed,
            Reason::Changed => Reason::None,
            reason => reason,
        };
        self.tx
            .prepare_cached(
                "UPDATE jobs SET seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load, reason = ?3,
                     row_content = nullif(n.content, jobs.content), row_given = nullif(n.given, jobs.given)
                 FROM jobs n WHERE jobs.id = ?1 AND n.id = ?2",
            )?
            .execute(params![was.key, new.key, reason])?;
        self.tx.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([new.key])?;
        if !is_changed {
            self.report.unchanged = self.report.unchanged.saturating_add(1);
        } else if delivered {
            self.report.changed.add(&was.id);
        } else {
            self.report.open_as_begun.add(&was.id);
        }
        if reason != was.reason {
            append_transition(self.tx, self.now, was.key, was.state, was.state, reason)?;
        }
        Ok(())
    }

    /// Whether a take of that purchase had the new content already.
    fn had(&self, new: &New, was: &Gone) -> Result<bool, Fault> {
        let mut statement =
            self.tx.prepare_cached("SELECT 1 FROM jobs WHERE batch = ?1 AND job = ?2 AND content = ?3")?;
        Ok(statement.exists(params![self.batch, was.id, new.content])?)
    }
}

/// The hash of what the manifest gave of a job.
pub(super) fn given(endpoint: &Endpoint, params: &[(String, Value)]) -> ContentHash {
    content_hash_of(&endpoint.name, params, |name, value| !is_default(endpoint, name, value))
}

/// Whether a parameter has its endpoint's default.
pub(super) fn is_default(endpoint: &Endpoint, name: &str, value: &Value) -> bool {
    endpoint.param(name).and_then(|param| param.default.as_ref()) == Some(value)
}

/// Schema 1 did not keep what the manifest gave. A job whose endpoint or parameters cannot be read stays without.
pub(super) fn fill_given(tx: &Connection) -> Result<(), Fault> {
    let mut endpoints: HashMap<i64, Option<Endpoint>> = HashMap::new();
    let mut read = tx.prepare("SELECT id, json FROM endpoints")?;
    let mut rows = read.query([])?;
    while let Some(row) = rows.next()? {
        endpoints.insert(row.get(0)?, row.get(1).ok().map(|Json(endpoint)| endpoint));
    }
    let mut fill = tx.prepare("UPDATE jobs SET given = ?2 WHERE id = ?1")?;
    let mut read = tx.prepare("SELECT endpoint, params, id FROM jobs WHERE id > ?1 ORDER BY id LIMIT 1000")?;
    let mut after = JobKey(i64::MIN);
    loop {
        let page = read.query_map([after], |row| {
            let params: Option<Json<Vec<(String, Value)>>> = row.get(1).ok();
            Ok((row.get::<_, i64>(0)?, params, row.get::<_, JobKey>(2)?))
        })?;
        let page: Vec<_> = page.collect::<Result<_, _>>()?;
        let Some((.., last)) = page.last() else { return Ok(()) };
        after = *last;
        for (endpoint, params, key) in page {
            if let (Some(Some(endpoint)), Some(Json(params))) = (endpoints.get(&endpoint), params) {
                fill.execute(params![key, given(endpoint, &params)])?;
            }
        }
    }
}
