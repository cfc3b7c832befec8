//! Whether the ledger lacks what was bought with it: a copy that was rescued from under a run and is not merged yet, or an
//! intent that is newer than any of its own, which a ledger that was restored from a backup does not know.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Books;
use super::file::{beside, create_folder};
use crate::l402::PaymentHash;
use crate::ledger::LedgerError;

/// What follows a ledger's name in that of a copy that was rescued; a number follows.
const RESCUED: &str = ".rescued-";
/// The file of the newest intent, among the ledger's locks.
const NEWEST: &str = "newest";
/// The newest intent's hash in hex and a line's end: written in place, always as long.
const NEWEST_BYTES: usize = 65;

/// What a ledger lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// These copies were rescued from under a run, and may hold purchases that the ledger does not know.
    Rescued(Vec<PathBuf>),
    /// A payment was begun with the ledger of this place that this one does not know.
    Behind {
        /// The payment.
        hash: PaymentHash,
        /// The file that says so.
        mark: PathBuf,
    },
}

impl Books {
    /// What the ledger lacks, if anything. None in memory.
    ///
    /// # Errors
    /// Where that cannot be found out.
    pub fn gap(&self) -> Result<Option<Gap>, LedgerError> {
        let Some(path) = self.path() else { return Ok(None) };
        let rescued = rescued(path)?;
        if !rescued.is_empty() {
            return Ok(Some(Gap::Rescued(rescued)));
        }
        let mark = mark_of(path);
        match read_newest(&mark)? {
            Some(hash) if !self.knows(&hash)? => Ok(Some(Gap::Behind { hash, mark })),
            Some(_) | None => Ok(None),
        }
    }
}

/// The copies that were rescued and neither merged nor discarded.
pub(super) fn rescued(ledger: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let io = |error: std::io::Error| LedgerError::Io(format!("the ledger's folder cannot be read: {error}"));
    let start = beside(ledger, RESCUED);
    let (Some(folder), Some(start)) = (ledger.parent(), start.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(start)).unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// The path of the next copy that is rescued.
pub(super) fn rescued_path(ledger: &Path, number: u32) -> PathBuf {
    beside(ledger, &format!("{RESCUED}{number}"))
}

/// The ledger whose copy that is, by its name.
pub(super) fn ledger_of_rescued(path: &Path) -> Option<PathBuf> {
    let (ledger, number) = path.file_name()?.to_str()?.rsplit_once(RESCUED)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| path.with_file_name(ledger))
}

/// Where the newest intent of that ledger is noted.
pub(super) fn mark_of(ledger: &Path) -> PathBuf {
    beside(ledger, ".locks").join(NEWEST)
}

/// Notes an intent that has just been committed: before the payer is called, so that a ledger without it is known to be
/// an older one. The note may stay behind the ledger, and never leads it.
pub(super) fn note_newest(ledger: &Path, hash: &PaymentHash) -> std::io::Result<()> {
    let mark = mark_of(ledger);
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&mark);
    let file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_folder(mark.parent().unwrap_or(&mark))?;
            open()?
        }
        opened => opened?,
    };
    file.write_all_at(format!("{}\n", hash.hex()).as_bytes(), 0)?;
    file.sync_data()
}

/// One that was not written whole says nothing.
fn read_newest(mark: &Path) -> Result<Option<PaymentHash>, LedgerError> {
    match crate::opening::read_small(mark, NEWEST_BYTES as u64) {
        Ok(text) => Ok(std::str::from_utf8(&text).ok().and_then(|text| PaymentHash::from_hex(text.trim_end()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(LedgerError::Io(format!("{}: {error}", mark.display()))),
    }
}
