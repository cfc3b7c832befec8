//! Collects what is wrong with a manifest in bounded memory: the same in many rows is one message with line ranges.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Severity};

/// Most different messages that are kept; more are counted.
const DIFFERENT_MAX: usize = 200;
/// Most line ranges that one message names.
const RANGES_MAX: usize = 200;

/// Diagnostics in order of their first line.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Diagnostic>,
    /// Where a file's message stands in `kept`.
    known: HashMap<(String, String), usize>,
    left_out: u64,
    /// What those that were left out tell of.
    left_out_count: u64,
}

impl Findings {
    pub(super) fn push(&mut self, found: Diagnostic) {
        if let Some(same) =
            self.known.get(&(found.file.clone(), found.message.clone())).and_then(|at| self.kept.get_mut(*at))
            && let (Some(first), Some(place)) = (&mut same.place, &found.place)
        {
            same.count = same.count.saturating_add(found.count);
            also(&mut first.also_lines, place.line, place.line);
            for (from, to) in &place.also_lines {
                also(&mut first.also_lines, *from, *to);
            }
        } else if self.kept.len() < DIFFERENT_MAX {
            self.known.insert((found.file.clone(), found.message.clone()), self.kept.len());
            self.kept.push(found);
        } else {
            self.left_out = self.left_out.saturating_add(1);
            self.left_out_count = self.left_out_count.saturating_add(found.count);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.kept.iter().any(|found| found.severity == Severity::Error)
    }

    /// All of them, and how many were left out.
    pub(super) fn into_vec(mut self) -> Vec<Diagnostic> {
        if let (1.., Some(first)) = (self.left_out, self.kept.first()) {
            let message = format!("{} more were found; mend these first", self.left_out);
            let more = Diagnostic::error(first.file.clone(), message);
            self.kept.push(Diagnostic { severity: first.severity, count: self.left_out_count, ..more });
        }
        self.kept
    }
}

/// Adds lines to ranges in order; lines that follow on widen the last one. What does not fit any more is left out.
pub(super) fn also(ranges: &mut Vec<(u64, u64)>, from: u64, to: u64) {
    let room = ranges.len() < RANGES_MAX;
    match ranges.last_mut() {
        Some(last) if from >= last.0 && from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
        Some(_) | None if room => ranges.push((from, to)),
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;

    fn on_line(line: u64, message: &str) -> Diagnostic {
        let mut place = SourceText::new("jobs.csv", "x").place(0..1);
        place.line = line;
        Diagnostic::error("jobs.csv", message).at(place)
    }

    #[test]
    fn the_same_in_many_rows_is_one_message() {
        let mut findings = Findings::default();
        for line in [2, 3, 4, 9, 11, 12] {
            findings.push(on_line(line, "duration: expected an integer"));
        }
        findings.push(on_line(5, "another"));
        let found = findings.into_vec();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].place.as_ref().unwrap().also_lines, [(3, 4), (9, 9), (11, 12)]);
        assert_eq!((found[0].count, found[1].count), (6, 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut findings = Findings::default();
        for line in 0..1_000 {
            findings.push(on_line(line, &format!("error {line}")));
            findings.push(on_line(line * 2, "odd lines"));
        }
        let found = findings.into_vec();
        assert_eq!(found.len(), DIFFERENT_MAX + 1);
        assert_eq!(found[DIFFERENT_MAX].message, "801 more were found; mend these first");
        assert_eq!(found[1].place.as_ref().unwrap().also_lines.len(), RANGES_MAX);
        assert_eq!(found.iter().map(|found| found.count).sum::<u64>(), 2_000);
    }
}
