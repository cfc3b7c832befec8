//! Purchases that were begun before their row in the manifest became another: they are finished as they were begun, and are
//! `changed` once they are delivered, whenever that is.

use crate::ledger::decide::{Job, Write};
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// The latest take of a job whose row, as the last load found it, asks for something else than is bought or begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRow {
    pub job: Job,
    /// The content of that row.
    pub row_content: ContentHash,
    /// The content of its row at which a person said to leave it as it is.
    pub kept: Option<ContentHash>,
}

impl OtherRow {
    /// What is written of it; nothing where it is not delivered, a person has left it as it is, or more is said of it already.
    pub fn mark(self, now: UnixMs) -> Vec<Write<'static>> {
        let Self { job, row_content, kept } = self;
        let is_delivered = matches!(job.state, JobState::Delivered | JobState::Downloaded);
        let says_more = job.reason.is_of_manifest() || matches!(job.reason, Reason::BodyMissing | Reason::RowDamaged);
        if !is_delivered || says_more || kept == Some(row_content) {
            return Vec::new();
        }
        let (key, state, reason) = (job.key, job.state, Reason::Changed);
        vec![
            Write::Job(Box::new(Job { reason, ..job })),
            Write::Transition { job: key, at: now, from: state, to: state, reason },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::decide::fixtures;

    #[test]
    fn only_what_is_delivered_and_says_no_more_is_marked() {
        let row = ContentHash([1; 32]);
        for state in JobState::ALL {
            for reason in Reason::ALL {
                for kept in [None, Some(row), Some(ContentHash([2; 32]))] {
                    let job = Job { state: *state, reason: *reason, ..fixtures::job() };
                    let writes = OtherRow { job: job.clone(), row_content: row, kept }.mark(UnixMs(7));
                    let is_marked = ["delivered", "downloaded"].contains(&state.as_str())
                        && !["changed", "known_by_receipt", "body_missing", "row_damaged"].contains(&reason.as_str())
                        && kept != Some(row);
                    let marked = Job { reason: Reason::Changed, ..job };
                    match &writes[..] {
                        [] => assert!(!is_marked, "{state:?} {reason:?} {kept:?}"),
                        [
                            Write::Job(job),
                            Write::Transition { at: UnixMs(7), from, to, reason: Reason::Changed, .. },
                        ] => {
                            assert!(is_marked && **job == marked && (from, to) == (state, state));
                        }
                        _ => panic!("{state:?} {reason:?}: {} writes", writes.len()),
                    }
                }
            }
        }
    }
}
