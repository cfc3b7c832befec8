//! Which job is fetched next: first what is left of earlier runs, in manifest order, then what is delivered.

use std::collections::{HashSet, VecDeque};

use crate::ledger::{BatchKey, DeliveredJob, Deliveries, JobKey, LedgerError, Undownloaded};

use super::Wanted;

/// Jobs that are read at once.
const PAGE: usize = 64;

/// Where the jobs come from.
pub(super) struct Source {
    batch: BatchKey,
    /// What one pass over the batch looks for, and how far it came; none once it is over.
    pass: Option<(Undownloaded, Option<(u64, JobKey)>)>,
    /// Of these ids alone; of all where there is none.
    only: HashSet<String>,
    /// Whether there may be delivered jobs that were not read yet, where such are wanted.
    news: Option<bool>,
    read: VecDeque<DeliveredJob>,
}

impl Source {
    pub(super) fn new(batch: BatchKey, wanted: Wanted) -> Self {
        let (which, only, news) = match wanted {
            Wanted::OfRun => (Undownloaded::Left, HashSet::new(), Some(true)),
            Wanted::Missing(only) => (Undownloaded::All, only, None),
        };
        Self { batch, pass: Some((which, None)), only, news, read: VecDeque::new() }
    }

    /// Something may have been delivered.
    pub(super) fn look_again(&mut self) {
        if let Some(news) = &mut self.news {
            *news = true;
        }
    }

    /// The next job, none of the busy ones; none where there is none for now.
    pub(super) async fn next<L: Deliveries>(
        &mut self,
        ledger: &L,
        busy: &HashSet<JobKey>,
    ) -> Result<Option<DeliveredJob>, LedgerError> {
        loop {
            if let Some(job) = self.read.pop_front() {
                if !busy.contains(&job.key) {
                    return Ok(Some(job));
                }
                continue;
            }
            if let Some((which, after)) = self.pass {
                let page = ledger.to_download(self.batch, which, after, PAGE).await?;
                self.pass = page.last().map(|last| (which, Some((last.seq, last.key))));
                let only = &self.only;
                self.read.extend(page.into_iter().filter(|job| only.is_empty() || only.contains(&job.id)));
            } else if self.news == Some(true) {
                // What is fetched right now still counts as new, so there is room for it and a page more.
                let most = busy.len().saturating_add(PAGE);
                let page = ledger.to_download(self.batch, Undownloaded::New, None, most).await?;
                self.news = Some(page.len() == most);
                self.read.extend(page);
            } else {
                return Ok(None);
            }
        }
    }
}
