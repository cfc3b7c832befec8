//! Jobs that ask for the very same, in some bytes a job: hashes and lines.

use super::{ContentHash, findings};
use crate::diagnostic::{Diagnostic, Place};
use crate::manifest::JobSource;

/// What the jobs ask for, each by 64 bits of its content's hash, and its line.
#[derive(Default)]
pub(super) struct Contents(Vec<([u32; 2], u32)>);

impl Contents {
    pub(super) fn add(&mut self, content: &ContentHash, line: u32) {
        let (parts, _) = content.0.as_chunks::<4>();
        self.0.push(([parts[0], parts[1]].map(u32::from_be_bytes), line));
    }

    /// What is said of jobs that ask for what one before them asks for.
    pub(super) fn warning(mut self, source: &dyn JobSource) -> Option<Diagnostic> {
        self.0.sort_unstable();
        let mut again: Vec<(u32, u32)> = Vec::new();
        for same in self.0.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, first), others @ ..] = same {
                again.extend(others.iter().map(|(_, line)| (*line, *first)));
            }
        }
        again.sort_unstable();
        let (line, first) = *again.first()?;
        let message = match again.len() {
            1 => "this job asks for the very same as another".to_owned(),
            count => format!("{count} jobs ask for the very same as one before them"),
        };
        let mut also_lines = Vec::new();
        for (line, _) in again.iter().skip(1) {
            findings::also(&mut also_lines, (*line).into(), (*line).into());
        }
        let place = Place { also_lines, ..source.place_of_line(line.into()) };
        let mut warning =
            Diagnostic { count: again.len() as u64, ..Diagnostic::warning(source.file(), message).at(place) };
        warning.related.push((source.place_of_line(first.into()), "the same is asked for here".to_owned()));
        Some(warning.help("each of them is bought; remove a row that stands there by mistake"))
    }
}
