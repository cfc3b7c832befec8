//! Collects what is wrong with rows: the same error in many rows is one message, and memory stays bounded whatever the
//! file holds.

use std::collections::HashMap;

use super::values::Wrong;
use crate::diagnostic::Diagnostic;

/// Messages kept; the rest is counted.
const GROUPS_MAX: usize = 200;
/// Line ranges kept for one message; the rest is counted.
const RANGES_MAX: usize = 50;

/// Errors of one kind that are shown each with its own words; what comes after them is gathered in one.
const SAME_KIND_MAX: usize = 3;
/// Those of them that are named.
const NAMED_MAX: usize = 10;

#[derive(Default)]
pub(super) struct Problems {
    groups: Vec<Group>,
    by_message: HashMap<String, usize>,
    /// How many of a kind are shown, and the group that gathers the rest.
    kinds: HashMap<String, (usize, usize)>,
    not_shown: u64,
}

struct Group {
    diagnostic: Diagnostic,
    last_line: u64,
    ranges: Vec<(u64, u64)>,
    lines_not_kept: u64,
    /// Errors that it tells of.
    count: u64,
    /// Errors of its kind in other words: how many, and the first ones.
    alike: u64,
    named: Vec<Diagnostic>,
}

impl Problems {
    /// Notes what is wrong on `line`. Only the first line of a message pays for its place.
    pub(super) fn add(&mut self, line: u64, wrong: Wrong, first: impl FnOnce(Wrong) -> Diagnostic) {
        if let Some(group) = self.by_message.get(&wrong.message).and_then(|at| self.groups.get_mut(*at)) {
            return group.also(line);
        }
        let kind = wrong.kind.as_ref().unwrap_or(&wrong.message);
        if let Some((SAME_KIND_MAX.., rest)) = self.kinds.get(kind).copied()
            && let Some(group) = self.groups.get_mut(rest)
        {
            group.gather(wrong);
            return group.also(line);
        }
        if self.groups.len() >= GROUPS_MAX {
            self.not_shown += 1;
            return;
        }
        let (shown, rest) = self.kinds.entry(kind.clone()).or_insert((0, 0));
        (*shown, *rest) = (*shown + 1, self.groups.len());
        self.by_message.insert(wrong.message.clone(), self.groups.len());
        self.push_at(line, first(wrong));
    }

    /// Notes an error that happens once.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let line = diagnostic.place.as_ref().map_or(0, |place| place.line);
        self.push_at(line, diagnostic);
    }

    fn push_at(&mut self, line: u64, diagnostic: Diagnostic) {
        self.groups.push(Group {
            diagnostic,
            last_line: line,
            ranges: Vec::new(),
            lines_not_kept: 0,
            count: 1,
            alike: 0,
            named: Vec::new(),
        });
    }

    /// Every message, in order of its first line. `file` names where the uncounted ones are.
    pub(super) fn finish(self, file: &str) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = self.groups.into_iter().map(Group::finish).collect();
        if self.not_shown > 0 {
            let more = format!("{} more errors of other kinds are not shown", crate::money::thousands(self.not_shown));
            let more = Diagnostic::error(file, more).help("mend those that are shown, then plan again");
            found.push(Diagnostic { count: self.not_shown, ..more });
        }
        found
    }
}

impl Group {
    /// One more of its kind.
    fn gather(&mut self, wrong: Wrong) {
        self.alike += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(wrong.into_diagnostic(&self.diagnostic.file, None));
        }
    }

    /// Says what all have in common, and of each the words that it has for itself: a help of one is no help for another.
    fn name_all(&mut self) {
        let more = self.alike.saturating_sub(self.named.len() as u64);
        let is_common = self.named.iter().all(|each| each.help == self.diagnostic.help);
        let own = |each: &Diagnostic| {
            each.help.clone().filter(|_| !is_common).map_or_else(String::new, |help| format!(" ({help})"))
        };
        let common = self.named.first().map_or(0, |each| common_words(&self.diagnostic.message, &each.message));
        let first = own(&self.diagnostic);
        self.diagnostic.message.push_str(&first);
        for each in &self.named {
            let words = each.message.get(common..).unwrap_or(&each.message);
            self.diagnostic.message.push_str(&format!(", {words}{}", own(each)));
        }
        if more > 0 {
            self.diagnostic.message.push_str(&format!(" and {} more like it", crate::money::thousands(more)));
        }
        if !is_common {
            self.diagnostic.help = None;
        }
    }

    fn also(&mut self, line: u64) {
        self.count += 1;
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
        if self.alike > 0 {
            self.name_all();
        }
        if self.lines_not_kept > 0 {
            let more = crate::money::thousands(self.lines_not_kept);
            self.diagnostic.message.push_str(&format!(" (and on {more} more lines)"));
        }
        if let Some(place) = &mut self.diagnostic.place {
            place.also_lines = self.ranges;
        }
        self.diagnostic.count = self.count;
        self.diagnostic
    }
}

/// How many bytes of both are the same words, up to a colon: `image: no such file: `.
fn common_words(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.get(..same).and_then(|same| same.rfind(": ")).map_or(0, |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn at(line: u64) -> impl FnOnce(Wrong) -> Diagnostic {
        let place = Place { sheet: None, line, column: 1, width: 1, text: String::new(), also_lines: Vec::new() };
        move |wrong| wrong.into_diagnostic("a.csv", Some(place))
    }

    #[test]
    fn the_same_message_is_said_once_with_its_lines() {
        let mut problems = Problems::default();
        for line in [2, 4, 5, 5, 6, 9] {
            problems.add(line, Wrong::new("bad"), at(line));
        }
        problems.add(7, Wrong::new("worse"), at(7));
        let found = problems.finish("a.csv");
        let lines = |at: usize| found[at].place.as_ref().map(|place| (place.line, place.also_lines.clone()));
        assert_eq!(lines(0), Some((2, vec![(4, 6), (9, 9)])));
        assert_eq!(lines(1), Some((7, vec![])));
        assert_eq!(found.iter().map(|found| found.count).collect::<Vec<_>>(), [6, 1]);
    }

    #[test]
    fn memory_is_bounded_whatever_the_rows_hold() {
        let mut problems = Problems::default();
        for line in 0..10_000_u64 {
            problems.add(line, Wrong::new(format!("bad {line}")), at(line));
            problems.add(line * 2, Wrong::new("every other"), at(line * 2));
        }
        let found = problems.finish("a.csv");
        assert_eq!(found.len(), GROUPS_MAX + 1);
        assert_eq!(found[1].message, "every other (and on 9,949 more lines)");
        assert_eq!(found[GROUPS_MAX].message, "9,801 more errors of other kinds are not shown");
        assert_eq!(found.iter().map(|found| found.count).sum::<u64>(), 20_000);
    }

    #[test]
    fn errors_of_one_kind_are_shown_a_few_times() {
        let mut problems = Problems::default();
        for line in 2..400_u64 {
            let kind = Some(format!("no such file in {}", line % 2));
            problems.add(line, Wrong { kind, ..Wrong::new(format!("no such file: {line}")) }, at(line));
        }
        let found = problems.finish("a.csv");
        assert_eq!(found.len(), 2 * SAME_KIND_MAX);
        assert_eq!(found[0].message, "no such file: 2");
        assert_eq!(found.iter().map(|found| found.count).sum::<u64>(), 398);
        let named = "no such file: 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26 and 186 more like it";
        assert_eq!(found[4].message, format!("{named} (and on 146 more lines)"));
    }

    #[test]
    fn a_help_of_one_is_no_help_for_another() {
        let said = |helps: [Option<&str>; 6]| {
            let mut problems = Problems::default();
            for (line, help) in (2_u64..).zip(helps) {
                let kind = Some("no such file in ".to_owned());
                let wrong = Wrong { kind, ..Wrong::new(format!("image: no such file: {line}.png")) };
                let wrong = match help {
                    Some(words) => wrong.help(words),
                    None => wrong,
                };
                problems.add(line, wrong, at(line));
            }
            let last = problems.finish("a.csv").pop().unwrap();
            (last.message, last.help)
        };
        let other = said([None, None, Some("a?"), Some("b?"), None, Some("c?")]);
        assert_eq!(other, ("image: no such file: 4.png (a?), 5.png (b?), 6.png, 7.png (c?)".to_owned(), None));
        let same = said([Some("there is no folder x"); 6]);
        assert_eq!(same.0, "image: no such file: 4.png, 5.png, 6.png, 7.png");
        assert_eq!(same.1.as_deref(), Some("there is no folder x"));
    }
}
