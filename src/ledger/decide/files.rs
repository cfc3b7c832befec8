//! Records about files: what is fetched into which, and what came of it.

use crate::ledger::{DownloadedFile, FetchMark, JobKey, Transition};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::{Facts, Job, Ruling, Unfit, Write, contradiction};

/// The file that is written, and by what it can be resumed.
pub fn fetching<'a>(facts: &Facts, key: JobKey, number: usize, mark: &'a FetchMark) -> Result<Ruling<'a>, Unfit> {
    expect_delivered(facts, key, "a download")?;
    let mut ruling = Ruling::done();
    ruling.write(Write::Fetching(key, number, mark));
    Ok(ruling)
}

/// The file is whole and stands under its name.
pub fn downloaded<'a>(facts: &Facts, now: UnixMs, key: JobKey, whole: &'a DownloadedFile) -> Result<Ruling<'a>, Unfit> {
    let job = expect_delivered(facts, key, "a downloaded file")?;
    let reason = if job.reason.is_of_manifest() { job.reason } else { Reason::None };
    let mut ruling = Ruling::done();
    ruling.write(Write::File(key, whole));
    let change = JobUpdate { finished: true, ..JobUpdate::to(JobState::Downloaded, reason) };
    ruling.change(now, job, &change);
    let file = Some(whole.file.clone());
    ruling.transition = Some(Transition { url: job.url.clone(), file, ..Transition::of(&change) });
    Ok(ruling)
}

/// It could not be fetched. That the manifest has changed says more.
pub fn not_downloaded<'a>(
    facts: &Facts,
    now: UnixMs,
    key: JobKey,
    reason: Reason,
    error: &str,
) -> Result<Ruling<'a>, Unfit> {
    if !reason.is_of_file() {
        return contradiction(format!("{} is no reason why a file is not here", reason.as_str()));
    }
    let job = expect_delivered(facts, key, "a failed download")?;
    let reason = if job.reason.is_of_manifest() { job.reason } else { reason };
    let mut ruling = Ruling::done();
    ruling.say(now, job, reason, error);
    let change = JobUpdate { error: Some(error), ..JobUpdate::to(JobState::Delivered, reason) };
    ruling.transition = Some(Transition { url: job.url.clone(), ..Transition::of(&change) });
    Ok(ruling)
}

/// How a downloaded job stands whose file is gone. That the manifest has changed says more.
pub const fn without_file(reason: Reason) -> (JobState, Reason) {
    let reason = if reason.is_of_manifest() { reason } else { Reason::NotDownloaded };
    (JobState::Delivered, reason)
}

fn expect_delivered<'f>(facts: &'f Facts, key: JobKey, record: &str) -> Result<&'f Job, Unfit> {
    let job = facts.job(key)?;
    if job.state == JobState::Delivered {
        return Ok(job);
    }
    contradiction(format!("{record} does not fit job {}, which is {}", key.0, job.state.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_whose_file_is_gone_is_delivered_and_says_so_unless_its_row_says_more() {
        let not_downloaded = (JobState::Delivered, Reason::NotDownloaded);
        assert_eq!(without_file(Reason::None), not_downloaded);
        assert_eq!(without_file(Reason::Changed), (JobState::Delivered, Reason::Changed));
    }
}
