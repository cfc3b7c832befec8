//! Where a run stands, as far as its events tell. The ledger knows better; this is for the eye.

use std::collections::HashMap;

use crate::event::{Event, JobEvent};
use crate::money::Msat;
use crate::purchase::JobState;

use super::labels::{is_end, is_settled, is_without_file, sats, state_words};

/// Counts and sums over the events of one run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Jobs to bring to their end: to buy and open. None until the plan is heard of.
    pub(super) to_do: Option<u64>,
    /// Jobs that came to their end since the plan was heard of (before it: since the start).
    pub(super) ended: u64,
    /// Jobs that came to their end in this run, by state.
    ends: HashMap<JobState, u64>,
    /// Jobs heard of that are on their way. As many as the ledger has open at a time.
    live: HashMap<(String, u32), Live>,
    /// The same, by state: a bar is drawn too often to walk through all of them.
    on_its_way: HashMap<JobState, u64>,
    /// Prices of what this run set out to buy.
    planned: Msat,
    /// A price among these is the most that it may be.
    has_caps: bool,
    /// Prices of what was open before this run and settled in it.
    found_open: Msat,
    /// Prices of what settled in this run.
    spent: Msat,
    /// A delivered job is at its end only with its file.
    downloads: bool,
}

#[derive(Debug)]
struct Live {
    state: JobState,
    /// Its purchase began in this run, so that its price is in the plan's sum.
    begun_here: bool,
}

impl Tally {
    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Planned { to_buy_count, to_buy_msat, has_caps, open_count, download, to_download_count, .. } => {
                self.to_do = Some(to_buy_count.saturating_add(*open_count).saturating_add(*to_download_count));
                self.downloads = download.is_some();
                (self.planned, self.has_caps) = (*to_buy_msat, *has_caps);
                // What recovery brought to its end is not among what is left to do.
                self.ended = 0;
            }
            Event::Job(job) => self.note_job(job),
            Event::RunStarted { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::Warning { .. }
            | Event::Draining { .. }
            | Event::RunEnded(_) => {}
        }
    }

    fn note_job(&mut self, job: &JobEvent) {
        let key = (job.id.clone(), job.take);
        let known = self.live.remove(&key);
        if let Some(count) = known.as_ref().and_then(|live| self.on_its_way.get_mut(&live.state)) {
            *count = count.saturating_sub(1);
        }
        let begun_here = known
            .map_or(matches!(job.from, JobState::Pending | JobState::Failed | JobState::Refused), |live| {
                live.begun_here
            });
        if is_settled(job.state) && !is_settled(job.from) {
            self.spent = sum(self.spent, job.amount_msat.unwrap_or(job.price_msat));
            if !begun_here {
                self.found_open = sum(self.found_open, job.price_msat);
            }
        }
        let waits_for_file = |state| self.downloads && state == JobState::Delivered;
        let stays_without_file = waits_for_file(job.state) && is_without_file(job.reason);
        if !is_end(job.state) || (waits_for_file(job.state) && !stays_without_file) {
            if !matches!(job.state, JobState::Pending) {
                self.live.insert(key, Live { state: job.state, begun_here });
                *self.on_its_way.entry(job.state).or_default() += 1;
            }
        } else if job.from != job.state || stays_without_file {
            let ended_before = is_end(job.from) && !waits_for_file(job.from);
            *self.ends.entry(job.state).or_default() += 1;
            if ended_before {
                let before = self.ends.entry(job.from).or_default();
                *before = before.saturating_sub(1);
            } else {
                self.ended = self.ended.saturating_add(1);
            }
        }
    }

    /// `12 running, 3 paid, 1 in doubt`, then what has ended, without zeros. Empty where nothing has happened.
    pub(super) fn states(&self) -> String {
        let parts: Vec<String> = JobState::ALL
            .iter()
            .map(|&state| {
                let of = |counts: &HashMap<JobState, u64>| counts.get(&state).copied().unwrap_or(0);
                (state, of(&self.ends).saturating_add(of(&self.on_its_way)))
            })
            .filter(|(_, jobs)| *jobs > 0)
            .map(|(state, jobs)| format!("{jobs} {}", state_words(state)))
            .collect();
        parts.join(", ")
    }

    /// `8,250 of 11,450 sats`, or of at most so much: what was settled in this run, of those that it set out to pay.
    pub(super) fn money(&self) -> String {
        let most = if self.has_caps { "at most " } else { "" };
        format!("{} of {most}{} sats", sats(self.spent), sats(sum(self.planned, self.found_open)))
    }

    /// Whether anything was to be paid, or was.
    pub(super) fn is_about_money(&self) -> bool {
        sum(self.planned, self.found_open) > Msat::ZERO
    }

    /// One line that tells where the run stands.
    pub(super) fn line(&self) -> String {
        let progress = match self.to_do {
            Some(to_do) => format!("{} of {to_do} jobs at their end", self.ended.min(to_do)),
            None => "bringing open jobs to their end".to_owned(),
        };
        let states = self.states();
        let states = if states.is_empty() { states } else { format!(" ({states})") };
        format!("this run: {progress}{states}, {} spent", self.money())
    }
}

/// The sum; for the eye, so that one which does not fit shows the most.
fn sum(a: Msat, b: Msat) -> Msat {
    a.checked_add(b).unwrap_or(Msat::new(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchase::Reason;
    use crate::report::testing::{job, story};

    #[test]
    fn a_run_is_counted() {
        let mut tally = Tally::default();
        story().iter().for_each(|event| tally.note(event));
        assert_eq!(tally.to_do, Some(7));
        assert_eq!(
            tally.line(),
            "this run: 3 of 7 jobs at their end (1 in doubt, 1 delivered, 1 refused, 1 failed), 550 of 3,300 sats spent"
        );
    }

    #[test]
    fn what_was_open_before_adds_to_what_is_spent_and_to_what_was_to_pay() {
        let mut tally = Tally::default();
        tally.note(&Event::Job(job("old", JobState::InDoubt, JobState::Paid, Reason::None)));
        assert_eq!(tally.money(), "550 of 550 sats");
        tally.note(&Event::Job(job("old", JobState::Paid, JobState::Delivered, Reason::None)));
        tally.note(&Event::Job(job("old", JobState::Delivered, JobState::Downloaded, Reason::None)));
        assert_eq!((tally.ended, tally.states().as_str()), (1, "1 downloaded"));
        assert_eq!(tally.money(), "550 of 550 sats");
    }

    #[test]
    fn with_downloads_a_job_ends_with_its_file() {
        let mut planned = story();
        let Some(Event::Planned { download, to_download_count, .. }) = planned.get_mut(1) else { panic!("no plan") };
        (*download, *to_download_count) = (Some("/videos/{id}".to_owned()), 2);
        let mut tally = Tally::default();
        tally.note(&planned[1]);
        let mut hear = |id, from, state, reason| tally.note(&Event::Job(job(id, from, state, reason)));
        hear("a", JobState::Paid, JobState::Delivered, Reason::None);
        hear("b", JobState::Paid, JobState::Delivered, Reason::None);
        hear("a", JobState::Delivered, JobState::Downloaded, Reason::None);
        hear("old", JobState::Delivered, JobState::Downloaded, Reason::None);
        hear("older", JobState::Delivered, JobState::Delivered, Reason::UrlGone);
        assert_eq!((tally.to_do, tally.ended), (Some(9), 3));
        assert_eq!(tally.states(), "2 delivered, 2 downloaded");
    }

    #[test]
    fn a_retake_of_a_job_is_another_purchase() {
        let mut tally = Tally::default();
        tally.note(&Event::Job(job("a", JobState::Pending, JobState::Running, Reason::None)));
        let mut second = job("a", JobState::Pending, JobState::Running, Reason::None);
        second.take = 2;
        tally.note(&Event::Job(second));
        assert_eq!(tally.states(), "2 running");
    }
}
