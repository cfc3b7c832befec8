//! Results and receipts that follow a run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::chain;
use crate::ledger::{OutputKind, WrittenFile};
use crate::time::UnixMs;

use super::replace::{file_mark, replace_whole, sweep};
use super::throttle::Throttle;

/// The files of a batch, replaced whole as the run goes on. A file that cannot be replaced stops nothing: it is told once and
/// tried again.
#[derive(Debug)]
pub struct Views {
    files: Vec<(OutputKind, At)>,
    throttle: Throttle,
    /// What they are made of now, where that is known.
    of: Option<String>,
    /// Something changed since the files were written.
    stale: bool,
}

/// Where a file stands, and what was told of it where its last writing failed.
#[derive(Debug)]
struct At {
    path: PathBuf,
    failing: Option<String>,
    /// How it was written last.
    written: Option<WrittenFile>,
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
            (kind, At { path, failing: None, written: None })
        };
        Self { files: paths.into_iter().map(at).collect(), throttle: Throttle::new(), of: None, stale: true }
    }

    /// How the files were written before.
    pub fn know(&mut self, mut written: Vec<WrittenFile>) {
        for (_, at) in &mut self.files {
            let is_it = |file: &WrittenFile| file.path == absolute(&at.path);
            at.written = written.iter().position(is_it).map(|is| written.swap_remove(is));
        }
    }

    /// How the files were written last, as far as that is known.
    #[must_use]
    pub fn written(&self) -> Vec<WrittenFile> {
        self.files.iter().filter_map(|(_, at)| at.written.clone()).collect()
    }

    /// From now on they are made of that: one that was made of it before, and that nobody has touched since, is as it would be written.
    pub fn made_of(&mut self, of: Option<String>) {
        self.of = of;
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

    /// Replaces every file that is not as it would be written, whether due or not (at the start and at the end), with what `write` writes
    /// for its kind. `clock` tells when it began and ended, so that the next pause fits the work.
    pub fn rewrite(
        &mut self,
        clock: &dyn Fn() -> UnixMs,
        write: &mut dyn FnMut(OutputKind, &mut dyn Write) -> io::Result<()>,
    ) -> Rewritten {
        let (began, mut rewritten) = (clock(), Rewritten::default());
        let of = self.of.as_deref();
        for (kind, at) in self.files.iter_mut().filter(|(_, at)| !at.is_made_of(of)) {
            rewritten.warnings.extend(at.replace(of, |path| replace_whole(path, |out| write(*kind, out))));
            rewritten.failing.extend(at.failing.clone());
        }
        self.throttle.done(began, clock());
        // What failed is tried again when it is next due.
        self.stale = !rewritten.failing.is_empty();
        rewritten
    }
}

impl At {
    /// Whether it was made of that, and stands there untouched.
    fn is_made_of(&self, of: Option<&str>) -> bool {
        let same = self.written.as_ref().filter(|written| Some(written.of.as_str()) == of);
        same.is_some_and(|written| file_mark(&self.path).as_ref() == Some(&written.mark))
    }

    /// Writes, and gives a warning where that fails after it had not failed.
    fn replace(&mut self, of: Option<&str>, write: impl FnOnce(&Path) -> io::Result<String>) -> Option<String> {
        self.written = None;
        let error = match write(&self.path) {
            Ok(mark) => {
                let written = |of: &str| WrittenFile { path: absolute(&self.path), of: of.to_owned(), mark };
                (self.failing, self.written) = (None, of.map(written));
                return None;
            }
            Err(error) => error,
        };
        if self.failing.is_some() {
            return None;
        }
        self.failing = Some(format!("{} cannot be replaced: {}", self.path.display(), chain(&error)));
        self.failing.clone()
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
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
    fn what_is_as_it_would_be_written_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        let mut views = views(folder.path());
        let of = |views: &mut Views, of: Option<&str>| {
            let mut written = Vec::new();
            views.made_of(of.map(str::to_owned));
            let failing = views.rewrite(&|| UnixMs(0), &mut |kind, out| {
                written.push(kind);
                write!(out, "{kind}")
            });
            assert!(failing.failing.is_empty());
            written
        };
        let all = OutputKind::ALL;
        assert_eq!(of(&mut views, None), all);
        assert_eq!(of(&mut views, None), all, "of what they are made is not known");
        assert_eq!(of(&mut views, Some("1")), all);
        assert_eq!(of(&mut views, Some("1")), []);
        assert_eq!(of(&mut views, Some("2")), all);
        // Another process knows them by what was noted.
        let (noted, mut others) = (views.written(), super::tests::views(folder.path()));
        others.know(noted.clone());
        assert_eq!(of(&mut others, Some("2")), []);
        let results = folder.path().join("a/results.csv");
        fs::write(&results, "RESULTS").unwrap();
        assert_eq!(of(&mut others, Some("2")), [OutputKind::Results], "somebody has written as much into it");
        assert_eq!(fs::read_to_string(&results).unwrap(), "results");
        fs::remove_file(&results).unwrap();
        assert_eq!(of(&mut others, Some("2")), [OutputKind::Results], "it is gone");
        let mut earlier = super::tests::views(folder.path());
        earlier.know(noted);
        assert_eq!(of(&mut earlier, Some("2")), [OutputKind::Results], "what stands there is another one");
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
