//! A results file that is run as a manifest: it chooses among the stored jobs of its batch, and changes none of them.

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedger;
use super::convert::Json;
use super::error::Fault;
use super::store::append_transition;
use super::views::SHOWN;
use crate::catalog::{ImageSource, Value};
use crate::ledger::{BatchKey, ChosenRows, JobKey, LedgerError};
use crate::manifest::{ResultsRow, fold};
use crate::purchase::{JobState, Reason, tried_again};
use crate::time::UnixMs;

/// A job's latest take, and of the take that its results show what a row is compared with.
struct Stored {
    key: JobKey,
    take: u32,
    state: JobState,
    reason: Reason,
    endpoint: i64,
    params: Vec<(String, Value)>,
    /// What it asks for, or did, the ledger does not know.
    is_unknown: bool,
}

/// A job that stands otherwise once rows are chosen.
pub(super) struct Mark {
    pub(super) key: JobKey,
    from: JobState,
    pub(super) state: JobState,
    pub(super) reason: Reason,
}

impl SqliteLedger {
    /// What the rows choose, and how jobs stand otherwise then.
    pub(super) fn compare_rows(
        &self,
        batch: BatchKey,
        rows: impl IntoIterator<Item = ResultsRow>,
    ) -> Result<(ChosenRows, Vec<Mark>), LedgerError> {
        let mut chosen = ChosenRows::default();
        let mut marks = Vec::new();
        for row in rows {
            let Some(stored) = self.read(|books| books.stored(batch, &row.id))? else {
                chosen.unknown.get_or_insert(row.id);
                continue;
            };
            let name = self.read(|books| Ok(books.endpoint(stored.endpoint)?.name.clone()))?;
            let is_older = row.take.is_some_and(|take| take != stored.take);
            let delivered = matches!(stored.state, JobState::Delivered | JobState::Downloaded);
            let again = matches!(stored.state, JobState::Pending | JobState::Refused | JobState::Failed);
            let differs = is_edited(&row, &name, &stored.params);
            let to = if differs && delivered && !is_older && stored.is_unknown && stored.params.is_empty() {
                chosen.unproved.add(&row.id);
                Some((stored.state, Reason::KnownByReceipt))
            } else if is_older || differs || (stored.is_unknown && again) {
                chosen.edited.add(&row.id);
                (delivered && !is_older).then_some((stored.state, Reason::Changed))
            } else {
                chosen.ids.push(row.id);
                (again && tried_again(stored.state, stored.reason)).then_some((JobState::Pending, Reason::None))
            };
            let (key, from) = (stored.key, stored.state);
            let to = to.filter(|to| *to != (stored.state, stored.reason));
            marks.extend(to.map(|(state, reason)| Mark { key, from, state, reason }));
        }
        Ok((chosen, marks))
    }

    fn stored(&self, batch: BatchKey, id: &str) -> Result<Option<Stored>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT l.id, j.take, l.state, l.reason, j.endpoint, j.params,
                 l.content = zeroblob(32) FROM jobs l JOIN jobs j ON j.id = {SHOWN}
             WHERE l.batch = ?1 AND l.job = ?2 AND l.superseded = 0"
        ))?;
        let stored = statement.query_row(params![batch, id], |row| {
            let Json(params) = row.get(5)?;
            let (key, take, state, reason) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Stored { key, take, state, reason, endpoint: row.get(4)?, params, is_unknown: row.get(6)? })
        });
        Ok(stored.optional()?)
    }
}

/// Whether a row says something else than the stored job. A column that was taken out says nothing.
fn is_edited(row: &ResultsRow, endpoint: &str, stored: &[(String, Value)]) -> bool {
    if !row.endpoint.is_empty() && row.endpoint != endpoint {
        return true;
    }
    row.params.iter().any(|(name, cell)| match stored.iter().find(|(known, _)| fold(known) == *name) {
        None => !cell.is_empty(),
        Some((_, Value::Boolean(is))) => !cell.eq_ignore_ascii_case(if *is { "true" } else { "false" }),
        Some((_, Value::Integer(number))) => cell.parse() != Ok(*number),
        Some((_, Value::Text(text))) => text.trim() != cell,
        Some((_, Value::Image(image))) => match &image.source {
            ImageSource::File(path) => path.to_string_lossy() != *cell,
            ImageSource::Inline(_) => format!("sha256:{}", image.sha256) != *cell,
        },
    })
}

/// Those jobs stand otherwise from now on.
pub(super) fn mark(tx: &Connection, now: UnixMs, marks: Vec<Mark>) -> Result<(), Fault> {
    for Mark { key, from, state, reason } in marks {
        let sql = "UPDATE jobs SET state = ?2, reason = ?3, wait_until = NULL WHERE id = ?1";
        tx.prepare_cached(sql)?.execute(params![key, state, reason])?;
        append_transition(tx, now, key, from, state, reason)?;
    }
    Ok(())
}
