//! Where results and receipts are written, and what they must never replace.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Hinted;
use crate::ledger::{ByKind, OutputKind};

use super::replace::{folder_of, try_out};

/// Where the files of a batch go.
pub type OutputPaths = ByKind<PathBuf>;

/// `STEM.results.csv` and `STEM.receipts.csv` beside the manifest; `STEM.sandbox.*` for play money.
#[must_use]
pub fn default_paths(manifest: &Path, sandbox: bool) -> OutputPaths {
    let stem = manifest.file_stem().unwrap_or_default().to_string_lossy();
    beside(folder_of(manifest), &stem, sandbox)
}

/// `STEM.BATCH.results.csv` and `STEM.BATCH.receipts.csv`, where those by default are another batch's of the same manifest.
#[must_use]
pub fn batch_paths(manifest: &Path, batch: &str, sandbox: bool) -> OutputPaths {
    let stem = manifest.file_stem().unwrap_or_default().to_string_lossy();
    beside(folder_of(manifest), &format!("{stem}.{}", file_name(batch)), sandbox)
}

/// The same in the current folder, for a manifest from standard input: named by its batch.
#[must_use]
pub fn named_paths(batch: &str, sandbox: bool) -> OutputPaths {
    beside(Path::new("."), &file_name(batch), sandbox)
}

/// A batch's name as a part of a file's.
fn file_name(batch: &str) -> String {
    batch.replace(['/', '\\', '\0'], "_")
}

fn beside(folder: &Path, stem: &str, sandbox: bool) -> OutputPaths {
    let play = if sandbox { ".sandbox" } else { "" };
    OutputPaths::of(|kind| {
        let ending = match kind {
            OutputKind::Results => "results.csv",
            OutputKind::Receipts => "receipts.csv",
        };
        let name = format!("{stem}{play}.{ending}");
        if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
    })
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileForm {
    /// As text: a CSV, or what a template makes.
    Text,
    /// As a workbook.
    Workbook,
}

/// How a file is written, by its ending; none where that names a workbook of another kind than we write.
#[must_use]
pub fn form_of(path: &Path) -> Option<FileForm> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "xlsx" => Some(FileForm::Workbook),
        "xlsm" | "xlsb" | "xls" | "ods" | "numbers" => None,
        _ => Some(FileForm::Text),
    }
}

/// A file that is going to be written.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The option that names it.
    pub option: &'static str,
    /// Where it goes.
    pub path: &'a Path,
    /// The ledger remembers that this batch wrote the file.
    pub ours: bool,
}

/// Why an output cannot be written there. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum OutputRefused {
    /// It would replace something that the run needs.
    #[error("--{option} {path} is {other}")]
    IsInput {
        /// The option that names it.
        option: &'static str,
        /// The path of the output.
        path: String,
        /// What the path is: `the manifest`, `the ledger`.
        other: String,
    },
    /// Two outputs are one file.
    #[error("--{first} and --{second} are the same file, {path}")]
    Same {
        /// The option that names the first output.
        first: &'static str,
        /// The option that names the second output.
        second: &'static str,
        /// The second output's path.
        path: String,
    },
    /// It holds something that this batch did not write.
    #[error("--{option} {path} already holds something that this batch did not write")]
    Foreign {
        /// The option that names it.
        option: &'static str,
        /// The path of the output.
        path: String,
    },
    /// It cannot be written.
    #[error("--{option} {path} cannot be written")]
    Unwritable {
        /// The option that names it.
        option: &'static str,
        /// The path of the output.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
}

impl Hinted for OutputRefused {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::IsInput { .. } | Self::Unwritable { .. } => "give another path",
            Self::Same { .. } => "give one of them another path",
            // Books tell nobody what is bought.
            Self::Foreign { option: "books", .. } => "give another path, or move it away",
            Self::Foreign { .. } => {
                "was it written by another ledger's batch, that ledger (--ledger) knows what is bought already; else give \
                 another path, or move it away"
            }
        };
        Some(hint.into())
    }
}

/// Checks every output before anything is spent: none is one of `inputs` (what it is, and where: the manifest, its rows,
/// the ledger and its files), no two are one file, none would replace what another wrote (unless `overwrite`), and each can be written.
///
/// # Errors
/// The first that is refused.
pub fn check_outputs(outputs: &[Output<'_>], inputs: &[(&str, &Path)], overwrite: bool) -> Result<(), OutputRefused> {
    for (at, output) in outputs.iter().enumerate() {
        let (option, path) = (output.option, output.path.display().to_string());
        if let Some((other, _)) = inputs.iter().find(|(_, input)| same_file(output.path, input)) {
            return Err(OutputRefused::IsInput { option, path, other: (*other).to_owned() });
        }
        if let Some(first) = outputs[..at].iter().find(|first| same_file(first.path, output.path)) {
            return Err(OutputRefused::Same { first: first.option, second: option, path });
        }
        let filled = fs::metadata(output.path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
        if filled && !output.ours && !overwrite {
            return Err(OutputRefused::Foreign { option, path });
        }
        if let Err(source) = try_out(output.path) {
            return Err(OutputRefused::Unwritable { option, path, source });
        }
    }
    Ok(())
}

/// Whether two paths are one file, or would be once both exist. Hard links to one file count as one.
#[must_use]
pub fn same_file(a: &Path, b: &Path) -> bool {
    let inode = |path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    match (inode(a), inode(b)) {
        (Some(a), Some(b)) => a == b,
        (_, _) => resolved(a) == resolved(b),
    }
}

/// The path with its folder resolved; the file itself need not exist.
fn resolved(path: &Path) -> PathBuf {
    let whole = fs::canonicalize(path);
    let by_folder = || {
        let folder = fs::canonicalize(folder_of(path)).ok()?;
        Some(folder.join(path.file_name()?))
    };
    whole.ok().or_else(by_folder).unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LedgerAddress, files_of};

    #[test]
    fn files_stand_beside_the_manifest() {
        let paths = default_paths(Path::new("/jobs/june.trailers.toml"), false);
        assert_eq!(paths[OutputKind::Results], Path::new("/jobs/june.trailers.results.csv"));
        assert_eq!(paths[OutputKind::Receipts], Path::new("/jobs/june.trailers.receipts.csv"));
        assert_eq!(
            default_paths(Path::new("shots.csv"), true)[OutputKind::Results],
            Path::new("shots.sandbox.results.csv")
        );
        assert_eq!(
            batch_paths(Path::new("/j/a.toml"), "b/c", false)[OutputKind::Results],
            Path::new("/j/a.b_c.results.csv")
        );
        assert_eq!(named_paths("a/b", false)[OutputKind::Receipts], Path::new("a_b.receipts.csv"));
    }

    #[test]
    fn an_ending_says_how_a_file_is_written() {
        for (name, form) in [
            ("r.xlsx", Some(FileForm::Workbook)),
            ("R.XLSX", Some(FileForm::Workbook)),
            ("r.ods", None),
            ("r.Xlsm", None),
            ("r.xls", None),
            ("r.csv", Some(FileForm::Text)),
            ("r.journal", Some(FileForm::Text)),
            ("xlsx", Some(FileForm::Text)),
            ("-", Some(FileForm::Text)),
        ] {
            assert_eq!(form_of(Path::new(name)), form, "{name}");
        }
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
        fn check(&self, results: &Path, receipts: &Path, ours: bool, overwrite: bool) -> Result<(), OutputRefused> {
            let outputs = [
                Output { option: "results", path: results, ours },
                Output { option: "receipts", path: receipts, ours },
            ];
            let (manifest, ledger) =
                (self.path("shots.csv"), files_of(&LedgerAddress::of_file(self.path("ledger.db"))));
            let mut inputs = vec![("the manifest", manifest.as_path())];
            inputs.extend(ledger.iter().map(|file| ("the ledger", file.file())));
            check_outputs(&outputs, &inputs, overwrite)
        }
    }

    #[test]
    fn nothing_that_a_run_needs_is_replaced() {
        let place = Folder::new();
        fs::write(place.path("shots.csv"), "id\n").unwrap();
        fs::create_dir(place.path("sub")).unwrap();
        fs::hard_link(place.path("shots.csv"), place.path("link.csv")).unwrap();
        let free = place.path("free.csv");
        for taken in ["shots.csv", "sub/../shots.csv", "link.csv", "ledger.db", "ledger.db-wal", "sub/../ledger.db"] {
            let refused = place.check(&place.path(taken), &free, true, true);
            assert!(matches!(refused, Err(OutputRefused::IsInput { .. })), "{taken}: {refused:?}");
        }
        let refused = place.check(&free, &place.path("sub/../free.csv"), true, true);
        assert!(matches!(refused, Err(OutputRefused::Same { .. })), "{refused:?}");
        assert!(place.check(&free, &place.path("other.csv"), false, false).is_ok());
        assert!(!free.exists(), "a check leaves nothing behind");
    }

    #[test]
    fn the_work_of_others_is_kept() {
        let place = Folder::new();
        let (results, receipts) = (place.path("results.csv"), place.path("receipts.csv"));
        fs::write(&results, "").unwrap();
        assert!(place.check(&results, &receipts, false, false).is_ok(), "an empty file holds nothing");
        fs::write(&results, "somebody's\n").unwrap();
        let refused = place.check(&results, &receipts, false, false);
        assert!(matches!(refused, Err(OutputRefused::Foreign { .. })), "{refused:?}");
        assert!(place.check(&results, &receipts, true, false).is_ok());
        assert!(place.check(&results, &receipts, false, true).is_ok());
        let refused = place.check(&place.path("none/results.csv"), &receipts, false, false);
        assert!(refused.is_err_and(|error| error.to_string().contains("cannot be written")));
    }
}
