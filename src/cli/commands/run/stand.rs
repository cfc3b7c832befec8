//! How a batch stands when a run begins, and what is told of that.

use crate::event::Event;
use crate::ledger::{Counts, DownloadTo, StateCount};
use crate::money::Msat;
use crate::plan::view::LeftToBuy;
use crate::purchase::{JobState, Reason};

pub(super) const DELIVERED: [JobState; 2] = [JobState::Delivered, JobState::Downloaded];
pub(super) const OPEN: [JobState; 3] = [JobState::Running, JobState::InDoubt, JobState::Paid];

/// Jobs in those states, and their prices together.
pub(super) fn stand(counts: &Counts, states: &[JobState]) -> (u64, Msat) {
    let of = |count: &&StateCount| states.contains(&count.state);
    let prices = counts.by_state.iter().filter(of).map(|count| count.price);
    (counts.by_state.iter().filter(of).map(|count| count.jobs).sum(), Msat::checked_sum(prices).unwrap_or(Msat::ZERO))
}

/// Jobs and prices, without those.
pub(super) fn less((jobs, price): (u64, Msat), (others, their_price): (u64, Msat)) -> (u64, Msat) {
    (jobs.saturating_sub(others), price.checked_sub(their_price).unwrap_or(Msat::ZERO))
}

/// Delivered jobs whose files a run fetches.
pub(super) fn to_download(counts: &Counts) -> u64 {
    let of = |count: &&StateCount| count.state == JobState::Delivered && count.reason != Reason::UrlGone;
    counts.by_state.iter().filter(of).map(|count| count.jobs).sum()
}

/// How many jobs a batch has, and how many of them are not as the manifest has them.
pub(super) struct Stand {
    pub(super) jobs: u64,
    /// Delivered or open, and changed since.
    pub(super) changed: u64,
    /// Gone from the manifest before they were bought.
    pub(super) gone: u64,
    /// Delivered, and their prices together.
    pub(super) delivered: (u64, Msat),
}

impl Stand {
    /// With what is changed beside the delivered jobs that say so themselves.
    pub(super) fn of(counts: &Counts, changed: u64) -> Self {
        let for_reason = |states: &[JobState], reason: Reason| -> u64 {
            let of = |count: &&StateCount| states.contains(&count.state) && count.reason == reason;
            counts.by_state.iter().filter(of).map(|count| count.jobs).sum()
        };
        Self {
            jobs: counts.all_jobs(),
            changed: for_reason(&DELIVERED, Reason::Changed).saturating_add(changed),
            gone: for_reason(&[JobState::Refused], Reason::Withdrawn),
            delivered: stand(counts, &DELIVERED),
        }
    }
}

pub(super) fn planned(stand_of: &Stand, counts: &Counts, left: &LeftToBuy, to: Option<&DownloadTo>) -> Event {
    let (delivered, open) = (stand_of.delivered, stand(counts, &OPEN));
    let in_doubt = stand(counts, &[JobState::InDoubt]);
    Event::Planned {
        job_count: stand_of.jobs,
        to_buy_count: left.jobs,
        to_buy_msat: left.price,
        to_buy_capped_msat: left.capped,
        fee_ceiling_msat: left.fee_ceiling,
        has_caps: left.capped > Msat::ZERO || counts.planned_capped > Msat::ZERO,
        delivered_count: delivered.0,
        delivered_msat: delivered.1,
        open_count: open.0,
        open_msat: open.1,
        in_doubt_count: in_doubt.0,
        in_doubt_msat: in_doubt.1,
        changed_count: stand_of.changed,
        gone_count: stand_of.gone,
        download: to.map(DownloadTo::to_string),
        to_download_count: to.map_or(0, |_| to_download(counts)),
    }
}
