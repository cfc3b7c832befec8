//! Results and receipts that follow a run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::chain;
use crate::ledger::OutputKind;
use crate::time::UnixMs;

use super::replace::{replace_whole, sweep};
use super::throttle::Throttle;

/// The files of a batch, replaced whole as the run goes on. A file that cannot be replaced stops nothing: it is told once and
/// tried again.
#[derive(Debug)]
pub struct Views {
    files: Vec<(OutputKind, At)>,
    throttle: Throttle,
    /// Something changed since the files were written.
    stale: bool,
}

/// Where a file stands, and what was told of it where its last writing failed.
#[derive(Debug)]
struct At {
    path: PathBuf,
    failing: Option<String>,
}

/// What became of a writing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// What a person should know and has not been told: which file cannot be replaced, and why.
    pub warnings: Vec<String>,
    /// Files that are not as the ledger is, in the words that were told of them, now or before.
    pub failing: Vec<String>,
}

impl Views {
    /// Views at these paths, which [`super::check_outputs`] has found good. What a killed run left half-written beside
    /// them is removed, so the caller holds the batch's lock. Nothing is written yet, and the first writing is due.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = (OutputKind, PathBuf)>) -> Self {
        let at = |(kind, path): (OutputKind, PathBuf)| {
            sweep(&path);
            (kind, At { path, failing: None })
        };
        Self { files: paths.into_iter().map(at).collect(), throttle: Throttle::new(), stale: true }
    }

    /// The ledger has changed.
    pub const fn changed(&mut self) {
        self.stale = true;
    }

    /// Whether a writing is worth it and allowed at `now`.
    #[must_use]
    pub fn due(&self, now: UnixMs) -> bool {
        self.stale && self.throttle.due(now)
    }

    /// Replaces every file, whether due or not (at the start and at the end), with what `write` writes for its kind. `clock` tells
    /// when it began and ended, so that the next pause fits the work.
    pub fn rewrite(
        &mut self,
        clock: &dyn Fn() -> UnixMs,
        write: &mut dyn FnMut(OutputKind, &mut dyn Write) -> io::Result<()>,
    ) -> Rewritten {
        let (began, mut rewritten) = (clock(), Rewritten::default());
        for (kind, at) in &mut self.files {
            rewritten.warnings.extend(at.replace(|path| replace_whole(path, |out| write(*kind, out))));
            rewritten.failing.extend(at.failing.clone());
        }
        self.throttle.done(began, clock());
        // What failed is tried again when it is next due.
        self.stale = !rewritten.failing.is_empty();
        rewritten
    }
}

impl At {
    /// Writes, and gives a warning where that fails after it had not failed.
    fn replace(&mut self, write: impl FnOnce(&Path) -> io::Result<()>) -> Option<String> {
        let Err(error) = write(&self.path) else {
            self.failing = None;
            return None;
        };
        if self.failing.is_some() {
            return None;
        }
        self.failing = Some(format!("{} cannot be replaced: {}", self.path.display(), chain(&error)));
        self.failing.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn views(folder: &Path) -> Views {
        Views::new([
            (OutputKind::Results, folder.join("a/results.csv")),
            (OutputKind::Receipts, folder.join("receipts.csv")),
        ])
    }

    fn rewrite(views: &mut Views, at_ms: i64) -> Rewritten {
        views.rewrite(&|| UnixMs(at_ms), &mut |kind, out| write!(out, "{kind}"))
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_told_once_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut views = views(folder.path());
        assert!(views.due(UnixMs(0)), "rebuilt at the start");
        let first = rewrite(&mut views, 0);
        assert_eq!(first.failing, first.warnings);
        assert_eq!(first.warnings.len(), 1, "{first:?}");
        assert!(folder.path().join("receipts.csv").exists(), "one that fails does not stop the other");
        let again = rewrite(&mut views, 10_000);
        assert_eq!(
            (again.warnings.len(), &again.failing),
            (0, &first.failing),
            "told once, and known for as long as it lasts"
        );
        assert!(views.due(UnixMs(20_000)), "it is tried again");

        fs::create_dir(folder.path().join("a")).unwrap();
        assert!(rewrite(&mut views, 20_000).failing.is_empty());
        assert!(folder.path().join("a/results.csv").exists());
        fs::remove_dir_all(folder.path().join("a")).unwrap();
        assert_eq!(rewrite(&mut views, 30_000).warnings.len(), 1, "a new failure is told again");
    }

    #[test]
    fn they_are_written_only_when_something_changed_and_not_too_often() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        let mut views = views(folder.path());
        assert!(rewrite(&mut views, 0).failing.is_empty());
        assert!(!views.due(UnixMs(60_000)));
        views.changed();
        assert!(!views.due(UnixMs(1_000)));
        assert!(views.due(UnixMs(3_000)));
    }

    #[test]
    fn a_ledger_that_cannot_be_read_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        let mut views = views(folder.path());
        rewrite(&mut views, 0);
        let before = fs::read(folder.path().join("a/results.csv")).unwrap();
        let broken = views.rewrite(&|| UnixMs(0), &mut |kind, _| match kind {
            OutputKind::Results => Err(io::Error::other("the ledger cannot be read")),
            OutputKind::Receipts => Ok(()),
        });
        assert!(!broken.failing.is_empty());
        assert_eq!(fs::read(folder.path().join("a/results.csv")).unwrap(), before);
    }
}
