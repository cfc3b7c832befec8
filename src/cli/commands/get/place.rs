//! Where `get` keeps what it makes: beside the ledger, in a folder of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::options::config::{DownloadOptions, RunOptions};
use crate::cli::{CommandError, Failure};
use crate::ledger::port::{Batches, Locks, Views};
use crate::ledger::{LedgerAddress, OpenMode, ResultRow};

/// One purchase's files.
pub(super) struct Place {
    folder: PathBuf,
    pub(super) manifest: PathBuf,
    /// The folder of what came.
    pub(super) files: PathBuf,
}

impl Place {
    pub(super) fn of(ledger: &LedgerAddress, name: &str) -> Self {
        let mut folder = ledger.file().as_os_str().to_owned();
        folder.push(".gets");
        let folder = PathBuf::from(folder);
        Self { manifest: folder.join(format!("{name}.toml")), files: folder.join("files"), folder }
    }

    /// What comes is fetched into its folder, whatever else says where files go.
    pub(super) fn downloads(&self, run: &RunOptions) -> DownloadOptions {
        DownloadOptions { folder: Some(self.files.clone()), name: None, ..run.buying.downloads.clone() }
    }

    /// The manifest, whole or not at all, for its owner alone.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let unwritten = |error: std::io::Error| {
            CommandError::unwritten(format!("{} cannot be written", self.manifest.display())).because(error)
        };
        make_private(&self.folder).map_err(unwritten)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(unwritten)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(unwritten)?;
        file.persist(&self.manifest).map_err(|error| unwritten(error.error))?;
        Ok(())
    }

    /// The same, where there is none any more.
    pub(super) fn write_missing(&self, text: &str) -> Result<(), Failure> {
        if self.manifest.exists() { Ok(()) } else { self.write(text) }
    }

    /// What was made for a purchase that was never begun. Folders that hold anything else stay.
    pub(super) fn leave(&self) {
        let _ = std::fs::remove_file(&self.manifest);
        for folder in [&self.files, &self.folder] {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether another process may be beginning the purchase: its manifest is that one's, too.
pub(super) fn is_locked(ledger: &LedgerAddress, name: &str) -> bool {
    ledger.exists()
        && crate::ledger::open(ledger, OpenMode::Read)
            .map_or(true, |ledger| ledger.locked_by(name).map_or(true, |by| by.is_some()))
}

/// How the purchase stands, where the ledger knows it.
pub(super) fn row_of(ledger: &LedgerAddress, name: &str) -> Result<Option<ResultRow>, Failure> {
    if !ledger.exists() {
        return Ok(None);
    }
    let ledger = crate::ledger::open(ledger, OpenMode::Read)?;
    let Some(batch) = ledger.batch(name)? else { return Ok(None) };
    let mut found = None;
    let read = ledger.results(batch.key, &mut |row| {
        found = Some(row);
        Ok(())
    })?;
    read.map_err(|error| CommandError::internal("a row cannot be read").because(error))?;
    Ok(found)
}
