//! Collects what is wrong with rows: the same error in many rows is one message, and memory stays bounded whatever the
//! file holds.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;

/// Messages kept; the rest is counted.
const GROUPS_MAX: usize = 200;
/// Line ranges kept for one message; the rest is counted.
const RANGES_MAX: usize = 50;

#[derive(Default)]
pub(super) struct Problems {
    groups: Vec<Group>,
    by_message: HashMap<String, usize>,
    not_shown: u64,
}

struct Group {
    diagnostic: Diagnostic,
    last_line: u64,
    ranges: Vec<(u64, u64)>,
    lines_not_kept: u64,
}

impl Problems {
    /// Notes that `message` holds for `line`. Only the first line of a message pays for its place.
    pub(super) fn add(&mut self, message: String, line: u64, first: impl FnOnce(String) -> Diagnostic) {
        if let Some(group) = self.by_message.get(&message).and_then(|at| self.groups.get_mut(*at)) {
            return group.also(line);
        }
        if self.groups.len() >= GROUPS_MAX {
            self.not_shown += 1;
            return;
        }
        self.by_message.insert(message.clone(), self.groups.len());
        let diagnostic = first(message);
        self.groups.push(Group { diagnostic, last_line: line, ranges: Vec::new(), lines_not_kept: 0 });
    }

    /// Notes an error that happens once.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let line = diagnostic.place.as_ref().map_or(0, |place| place.line);
        self.groups.push(Group { diagnostic, last_line: line, ranges: Vec::new(), lines_not_kept: 0 });
    }

    /// Every message, in order of its first line. `file` names where the uncounted ones are.
    pub(super) fn finish(self, file: &str) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = self.groups.into_iter().map(Group::finish).collect();
        if self.not_shown > 0 {
            let more = format!("{} more errors of other kinds are not shown", crate::money::thousands(self.not_shown));
            found.push(Diagnostic::error(file, more).help("mend those that are shown, then plan again"));
        }
        found
    }
}

impl Group {
    fn also(&mut self, line: u64) {
        if line == self.last_line {
            return;
        }
        let follows = line == self.last_line + 1 && self.lines_not_kept == 0;
        self.last_line = line;
        let has_room = self.ranges.len() < RANGES_MAX;
        match self.ranges.last_mut() {
            Some((_, end)) if follows => *end = line,
            Some(_) | None if has_room => self.ranges.push((line, line)),
            Some(_) | None => self.lines_not_kept += 1,
        }
    }

    fn finish(mut self) -> Diagnostic {
        if self.lines_not_kept > 0 {
            let more = crate::money::thousands(self.lines_not_kept);
            self.diagnostic.message.push_str(&format!(" (and on {more} more lines)"));
        }
        if let Some(place) = &mut self.diagnostic.place {
            place.also_lines = self.ranges;
        }
        self.diagnostic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn at(line: u64) -> impl FnOnce(String) -> Diagnostic {
        let place = Place { line, column: 1, width: 1, text: String::new(), also_lines: Vec::new() };
        move |message| Diagnostic::error("a.csv", message).at(place)
    }

    #[test]
    fn the_same_message_is_said_once_with_its_lines() {
        let mut problems = Problems::default();
        for line in [2, 4, 5, 5, 6, 9] {
            problems.add("bad".to_owned(), line, at(line));
        }
        problems.add("worse".to_owned(), 7, at(7));
        let found = problems.finish("a.csv");
        let lines = |at: usize| found[at].place.as_ref().map(|place| (place.line, place.also_lines.clone()));
        assert_eq!(lines(0), Some((2, vec![(4, 6), (9, 9)])));
        assert_eq!(lines(1), Some((7, vec![])));
    }

    #[test]
    fn memory_is_bounded_whatever_the_rows_hold() {
        let mut problems = Problems::default();
        for line in 0..10_000_u64 {
            problems.add(format!("bad {line}"), line, at(line));
            problems.add("every other".to_owned(), line * 2, at(line * 2));
        }
        let found = problems.finish("a.csv");
        assert_eq!(found.len(), GROUPS_MAX + 1);
        assert_eq!(found[1].message, "every other (and on 9,949 more lines)");
        assert_eq!(found[GROUPS_MAX].message, "9,801 more errors of other kinds are not shown");
    }
}
