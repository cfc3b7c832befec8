//! Which take of a job results show, and what they tell of the latest one beside it.

use super::ResultRow;
use crate::purchase::{JobState, Next, Reason};

/// The latest take of a job, where results show one before it.
pub(super) struct LaterTake {
    /// Its line in the manifest.
    pub(super) line: u64,
    /// Its `x_*` columns, where they can be read.
    pub(super) extra: Option<Vec<(String, String)>>,
    pub(super) take: u32,
    pub(super) state: JobState,
    pub(super) reason: Reason,
    /// In words.
    pub(super) error: Option<String>,
}

/// Whether the latest take of a job that stands so is not shown where a take before it [`is_shown_first`]: no take that is not
/// paid for hides what one before it delivered.
pub(super) const fn gives_way(state: JobState) -> bool {
    match state {
        JobState::Pending | JobState::Refused | JobState::Failed | JobState::Running | JobState::InDoubt => true,
        JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => false,
    }
}

/// Whether a take that stands so is shown before a later one that [`gives_way`].
pub(super) const fn is_shown_first(state: JobState) -> bool {
    matches!(state, JobState::Paid | JobState::Delivered | JobState::Downloaded)
}

impl ResultRow {
    /// The URLs of further results of the same answer.
    #[must_use]
    pub fn more_urls(&self) -> Vec<&str> {
        self.more.iter().map(|one| one.url.as_str()).collect()
    }

    /// Their files, once the job is downloaded.
    #[must_use]
    pub fn more_files(&self) -> Vec<&str> {
        let marks = self.more.iter().filter_map(|one| one.mark.as_ref());
        marks.filter(|_| self.file.is_some()).map(|mark| mark.file.as_str()).collect()
    }

    /// It stands where the manifest has the job's latest take, and tells how that one stands.
    pub(super) fn stand_beside(&mut self, later: LaterTake) {
        let LaterTake { line, extra, take, state, reason, error } = later;
        self.line = line;
        if let Some(extra) = extra {
            self.extra = extra;
        }
        if reason == Reason::Withdrawn {
            return;
        }
        let why = if reason == Reason::None { String::new() } else { format!(" ({})", reason.as_str()) };
        let words = error.map(|words| format!(": {words}")).unwrap_or_default();
        let later = format!("take {take} is {}{why}{words}", state.as_str());
        self.error = Some(match self.error.take() {
            Some(own) => format!("{own}; {later}"),
            None => later,
        });
        let next = Next::of(state, reason);
        if next != Next::None {
            self.next = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Msat;

    fn delivered(error: Option<&str>) -> ResultRow {
        ResultRow {
            id: "a".to_owned(),
            line: 3,
            take: 1,
            state: JobState::Delivered,
            reason: Reason::None,
            next: Next::None,
            endpoint: "make".to_owned(),
            params: Vec::new(),
            price: Msat::ZERO,
            is_capped: false,
            fee: None,
            url: None,
            file: None,
            sha256: None,
            more: Vec::new(),
            attempts: 1,
            started_at: None,
            finished_at: None,
            wait_until: None,
            error: error.map(str::to_owned),
            extra: vec![("x_note".to_owned(), "old".to_owned())],
        }
    }

    fn later(state: JobState, reason: Reason, error: Option<&str>) -> LaterTake {
        LaterTake { line: 9, extra: None, take: 2, state, reason, error: error.map(str::to_owned) }
    }

    #[test]
    fn what_is_shown_tells_how_the_latest_take_stands() {
        let mut row = delivered(None);
        let extra = vec![("x_note".to_owned(), "new".to_owned())];
        let pending = LaterTake { extra: Some(extra.clone()), ..later(JobState::Pending, Reason::None, None) };
        row.stand_beside(pending);
        assert_eq!((row.line, row.extra, row.next), (9, extra, Next::Rerun));
        assert_eq!(row.error.as_deref(), Some("take 2 is pending"));
        let mut row = delivered(Some("its own words"));
        row.stand_beside(later(JobState::Failed, Reason::OriginError, Some("no answer")));
        assert_eq!(row.error.as_deref(), Some("its own words; take 2 is failed (origin_error): no answer"));
        assert_eq!(row.extra, delivered(None).extra, "what cannot be read is as it was");
    }

    #[test]
    fn of_a_take_that_is_withdrawn_nothing_is_told() {
        let mut row = delivered(None);
        row.stand_beside(later(JobState::Refused, Reason::Withdrawn, Some("gone")));
        assert_eq!(row, ResultRow { line: 9, ..delivered(None) });
    }
}
