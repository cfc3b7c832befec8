//! Jobs without an id of their own whose content is another although the manifest gives them as before: a default of the
//! catalogue has changed, and with it the made id. They are the same jobs, changed, and no new ones.

use std::collections::{HashMap, VecDeque};

use crate::ledger::decide::Unfit;
use crate::ledger::word::Retake;
use crate::ledger::{JobKey, PlanLoad};
use crate::plan::{ContentHash, looks_made};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::LoadWrite;
use super::row::next;

/// A purchase whose row has gone from the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub key: JobKey,
    pub id: String,
    pub take: u32,
    pub state: JobState,
    pub reason: Reason,
    pub content: ContentHash,
    pub given: ContentHash,
    /// The content of its row at which a person said to leave it as it is.
    pub kept: Option<ContentHash>,
}

/// A row that is a job of its own so far, and to be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    pub key: JobKey,
    pub id: String,
    pub content: ContentHash,
    pub given: ContentHash,
    /// Its worst case is more than its own limit.
    pub is_above_limit: bool,
}

/// What a row is recognised as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    pub was: Gone,
    /// The take that it is, where a word buys it once more; else it is that purchase.
    pub next_take: Option<u32>,
    /// What is said of the purchase from now on.
    pub reason: Reason,
}

/// Purchases whose rows have gone, by what the manifest gave of them, in its order.
#[derive(Debug, Default)]
pub struct Recognising(HashMap<ContentHash, VecDeque<Gone>>);

impl Recognising {
    pub fn of(gone: impl IntoIterator<Item = Gone>) -> Self {
        let mut by_given: HashMap<ContentHash, VecDeque<Gone>> = HashMap::new();
        for one in gone.into_iter().filter(|one| looks_made(&one.id)) {
            by_given.entry(one.given).or_default().push_back(one);
        }
        Self(by_given)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decides what a row was before, and notes it; none where it is new indeed. `had`: whether a take of the job of that id had
    /// that content already.
    ///
    /// # Errors
    /// Where that cannot be looked up.
    pub fn recognise<E: From<Unfit>>(
        &mut self,
        retake: &Retake,
        new: &NewRow,
        had: impl FnOnce(&str, ContentHash) -> Result<bool, E>,
        report: &mut PlanLoad,
    ) -> Result<Option<Recognised>, E> {
        if !looks_made(&new.id) {
            return Ok(None);
        }
        let Some(was) = self.0.get_mut(&new.given).and_then(VecDeque::pop_front) else { return Ok(None) };
        report.new = report.new.saturating_sub(1);
        let delivered = matches!(was.state, JobState::Delivered | JobState::Downloaded);
        let is_changed = new.content != was.content && was.kept != Some(new.content);
        if is_changed {
            report.by_default.add(&was.id);
        }
        let is_meant = delivered && is_changed && retake.changed && !new.is_above_limit;
        if is_meant && !had(&was.id, new.content)? {
            report.retaken.add(&was.id);
            let (next_take, reason) = (Some(next(was.take)?), was.reason);
            return Ok(Some(Recognised { was, next_take, reason }));
        }
        match (is_changed, delivered) {
            (false, _) => report.unchanged = report.unchanged.saturating_add(1),
            (true, true) => report.changed.add(&was.id),
            (true, false) => report.open_as_begun.add(&was.id),
        }
        let reason = match was.reason {
            reason if !delivered => reason,
            _ if is_changed => Reason::Changed,
            Reason::Changed => Reason::None,
            reason => reason,
        };
        Ok(Some(Recognised { was, next_take: None, reason }))
    }
}

impl Recognised {
    /// The purchase stands where that row stood, which is no job of its own; or the row is its next take.
    pub fn writes(&self, now: UnixMs, new: JobKey) -> Vec<LoadWrite<'static>> {
        let Gone { key: was, state, reason, .. } = self.was;
        if let Some(take) = self.next_take {
            return vec![LoadWrite::Replaced(was), LoadWrite::Join { new, was, take }];
        }
        let mut writes = vec![LoadWrite::Recognise { new, was, reason: self.reason }];
        if self.reason != reason {
            writes.push(LoadWrite::Transition { job: was, at: now, from: state, to: state, reason: self.reason });
        }
        writes
    }
}
