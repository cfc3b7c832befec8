//! Which identical requests of a run are under way (rule 9): one at a time, and a window apart.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use crate::catalog::DedupPolicy;
use crate::ledger::{JobKey, OpenJob, PendingJob};
use crate::plan::{ContentHash, content_hash_of};
use crate::time::UnixMs;

const IDENTICALS_KEPT: usize = 4_096;

/// Identical requests of this run: one at a time, and a window apart.
#[derive(Default)]
pub(super) struct IdenticalRequests {
    requests: RefCell<HashMap<ContentHash, InRun>>,
    /// Those that have ended, in that order, and from when on others may begin: the oldest is forgotten where there are too many.
    ended: RefCell<VecDeque<(UnixMs, ContentHash)>>,
}

enum InRun {
    /// Under way: whose, and its id.
    Active(JobKey, String),
    FreeAt(UnixMs),
}

/// By what requests of this run are known to be the same: by what is asked for, and where takes of it are told apart, by that too.
pub(super) fn request_key(job: &PendingJob) -> ContentHash {
    match job.endpoint.nonce {
        None => job.content,
        Some(_) => content_hash_of(&job.endpoint.name, &job.params, |_, _| true),
    }
}

impl IdenticalRequests {
    /// When the job may begin as far as its identical requests of this run are concerned; nothing while one is under way.
    pub(super) fn free_at(&self, job: &PendingJob) -> Option<UnixMs> {
        if job.endpoint.dedup_policy() == DedupPolicy::Never {
            return Some(UnixMs(i64::MIN));
        }
        match self.requests.borrow().get(&request_key(job)) {
            None => Some(UnixMs(i64::MIN)),
            Some(InRun::FreeAt(at)) => Some(*at),
            Some(InRun::Active(..)) => None,
        }
    }

    /// The id of the identical request of this run that is under way.
    pub(super) fn in_the_way(&self, job: &PendingJob) -> Option<String> {
        match self
            .requests
            .borrow()
            .get(&request_key(job))
            .filter(|_| job.endpoint.dedup_policy() != DedupPolicy::Never)?
        {
            InRun::Active(_, id) => Some(id.clone()),
            InRun::FreeAt(_) => None,
        }
    }

    pub(super) fn begin(&self, job: &PendingJob) {
        if job.endpoint.dedup_policy() != DedupPolicy::Never {
            self.requests.borrow_mut().insert(request_key(job), InRun::Active(job.key, job.id.clone()));
        }
    }

    /// An open job of an earlier run is under way.
    pub(super) fn resume(&self, job: &OpenJob) {
        self.requests.borrow_mut().entry(job.content).or_insert_with(|| InRun::Active(job.key, job.id.clone()));
    }

    /// The job was never asked for: its identical requests need not wait for it.
    pub(super) fn withdraw(&self, content: ContentHash, key: JobKey) {
        let mut identicals = self.requests.borrow_mut();
        if matches!(identicals.get(&content), Some(InRun::Active(active, _)) if *active == key) {
            identicals.remove(&content);
        }
    }

    /// The job is at its end, or this run does nothing more with it, or it has an answer of its own: its identical requests may
    /// begin from `free_at` on.
    pub(super) fn end(&self, content: ContentHash, key: JobKey, free_at: UnixMs, now: UnixMs) {
        let mut identicals = self.requests.borrow_mut();
        if matches!(identicals.get(&content), Some(InRun::Active(active, _)) if *active == key) {
            identicals.insert(content, InRun::FreeAt(free_at));
            self.ended.borrow_mut().push_back((free_at, content));
        }
        let mut ended = self.ended.borrow_mut();
        while ended.len() > IDENTICALS_KEPT
            && let Some((_, oldest)) = ended.front().copied().filter(|(free_at, _)| *free_at <= now)
        {
            ended.pop_front();
            if matches!(identicals.get(&oldest), Some(InRun::FreeAt(free_at)) if *free_at <= now) {
                identicals.remove(&oldest);
            }
        }
    }
}
