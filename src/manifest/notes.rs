//! What reading a manifest passed over, and how it was read: shown, so that nothing is dropped silently.

use crate::catalog::{DedupPolicy, Endpoint};
use crate::money::counted;

/// Matrices that are told one by one.
const MATRICES_MAX: usize = 20;

/// How a manifest was read. Complete once its jobs have been read to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The delimiter of a CSV.
    pub delimiter: Option<u8>,
    /// Records without any content, and empty lines.
    pub empty_records: u64,
    /// Columns without a name and without content.
    pub unnamed_columns: u64,
    /// Columns of our own results file.
    pub results_columns: Vec<String>,
    /// Of each `[[job]]` with a matrix, how many jobs that makes, and of a matrix under `[rows]` how many of each row, in words.
    pub matrices: Vec<String>,
    /// Rows of which several takes are planned, and how many takes that makes.
    pub repeated: (u64, u64),
    /// The same of jobs that do not say it themselves.
    pub repeated_by_default: (u64, u64),
    /// Of endpoints that do not tell takes apart, what that means, in words.
    pub same_requests: Vec<String>,
    /// Rows of a results file of another ledger or batch that are bought, or may be. They decide how a command ends, which says so itself.
    pub left_out: u64,
    /// What a person may not expect of how a workbook's sheet was read, a line each.
    pub sheet: Vec<String>,
}

impl Notes {
    /// Says what becomes of several takes of a job at that endpoint, where it answers the same request alike.
    pub(super) fn note_same_requests(&mut self, endpoint: &Endpoint) {
        let name = &endpoint.name;
        let waits = match (endpoint.dedup_policy(), &endpoint.nonce) {
            (DedupPolicy::Never, _) | (_, Some(_)) => return,
            (DedupPolicy::Window(window_s), None) => {
                format!("each goes out {window_s} s after the one before has ended")
            }
            (DedupPolicy::Answer, None) => "each goes out once the one before has its answer".to_owned(),
        };
        let words =
            format!("takes of one job are the very same request to {name}, which may answer them alike: {waits}");
        if !self.same_requests.contains(&words) {
            self.same_requests.push(words);
        }
    }

    /// What was skipped, a line each; none where nothing was.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let matrices = self.matrices.iter().take(MATRICES_MAX);
        let mut lines: Vec<String> = matrices.chain(&self.sheet).cloned().collect();
        if let Some(more) = self.matrices.len().checked_sub(MATRICES_MAX).filter(|more| *more > 0) {
            lines.insert(MATRICES_MAX, format!("and {} more", crate::money::thousands(more as u64)));
        }
        for ((all, takes), what) in [(self.repeated_by_default, "job"), (self.repeated, "row")] {
            if all > 0 {
                lines.push(format!("repeat: {} of {}", counted(takes, "take"), counted(all, what)));
            }
        }
        lines.extend(self.same_requests.iter().cloned());
        if self.empty_records > 0 {
            let records = if self.empty_records == 1 { "record" } else { "records" };
            lines.push(format!("skipped {} empty {records}", crate::money::thousands(self.empty_records)));
        }
        if self.unnamed_columns > 0 {
            let columns = if self.unnamed_columns == 1 { "column" } else { "columns" };
            lines.push(format!("skipped {} empty {columns} without a name", self.unnamed_columns));
        }
        if !self.results_columns.is_empty() {
            lines.push(format!("skipped the results columns {}", self.results_columns.join(", ")));
        }
        lines
    }
}

/// A delimiter as people call it.
#[must_use]
pub fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b',' => "comma",
        b';' => "semicolon",
        b'\t' => "tab",
        b'|' => "bar",
        _ => "delimiter",
    }
}
