//! Whether the ledger lacks what was bought with it: a copy that was rescued from under a run and is not merged yet, or
//! intents beyond its own, of which a ledger that was restored from a backup does not know. How many were made, and the newest
//! one's hash, stand beside the ledger's locks: a receipt of the newest tells nothing of those before it.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::SqliteLedger;
use super::convert::{int, uint};
use super::error::Fault;
use super::file::{beside, create_folder};
use super::lock::BatchLock;
use crate::l402::PaymentHash;
use crate::ledger::port::Locks;
use crate::ledger::{Gap, LedgerAddress, LedgerError, LockError, LockedBy};
use crate::time::UnixMs;

/// What follows a ledger's name in that of a copy that was rescued; a number follows.
const RESCUED: &str = ".rescued-";
/// The file of the newest intent, among the ledger's locks.
const NEWEST: &str = "newest";
/// The number of intents in twenty digits, a space, the newest one's hash in hex, and a line's end: written in place, always as
/// long.
const NEWEST_BYTES: usize = 86;

/// What was begun with a ledger so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// How many intents there were.
    pub(super) intents: u64,
    /// The payment of the newest.
    pub(super) hash: PaymentHash,
}

impl Locks for SqliteLedger {
    type Lock = BatchLock;

    fn lock(&self, batch: &str, now: UnixMs) -> Result<BatchLock, LockError> {
        let in_memory = || LockError::Io(std::io::Error::other("a ledger in memory has no locks"));
        BatchLock::take(self.path().ok_or_else(in_memory)?, batch, now)
    }

    fn locked_by(&self, batch: &str) -> Result<Option<LockedBy>, LockError> {
        self.path().map_or(Ok(None), |path| BatchLock::held_by(path, batch))
    }

    fn gap(&self) -> Result<Option<Gap>, LedgerError> {
        self.path().map_or(Ok(None), |path| gap(path, Some(self)))
    }
}

/// What a ledger that a run would begin there would lack.
///
/// # Errors
/// Where that cannot be found out.
pub fn gap_of_new(ledger: &Path) -> Result<Option<Gap>, LedgerError> {
    gap(ledger, None)
}

fn gap(path: &Path, ledger: Option<&SqliteLedger>) -> Result<Option<Gap>, LedgerError> {
    let rescued = rescued(path)?;
    if !rescued.is_empty() {
        return Ok(Some(Gap::Rescued(rescued.into_iter().map(LedgerAddress::of_file).collect())));
    }
    let mark = mark_of(path);
    let Some(Begun { intents: begun, hash }) = read_newest(&mark)? else { return Ok(None) };
    let known =
        |ledger: &SqliteLedger| ledger.read(|ledger| Ok((intents(&ledger.conn)?, has_intent(&ledger.conn, &hash)?)));
    let (is_here, mark) = (ledger.is_some(), LedgerAddress::of_file(mark));
    let (known, newest_is_here) = ledger.map_or(Ok((0, false)), known)?;
    Ok((known < begun || !newest_is_here).then_some(Gap::Behind { begun, known, is_here, hash, mark }))
}

/// How many intents were made with the ledger.
pub(super) fn intents(conn: &Connection) -> Result<u64, Fault> {
    let count: i64 = conn.prepare_cached("SELECT intents FROM ledger_id")?.query_row([], |row| row.get(0))?;
    u64::try_from(count).map_err(|_| Fault::Contradiction("the ledger counts fewer intents than none".to_owned()))
}

/// That many more, in their own transaction, which has changed what a view shows; gives how many there are then.
pub(super) fn count(tx: &Connection, more: u64) -> Result<u64, Fault> {
    let sql = "UPDATE ledger_id SET intents = intents + ?1, changes = changes + 1 RETURNING intents";
    Ok(tx.prepare_cached(sql)?.query_row([int(more)?], |row| uint(row, 0))?)
}

/// Whether the payment's own intent is here: a receipt brings none.
fn has_intent(conn: &Connection, hash: &PaymentHash) -> Result<bool, Fault> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM payments p JOIN intents i ON i.payment = p.id WHERE p.payment_hash = ?1 AND i.token <> ''",
        )?
        .exists(params![hash])?)
}

/// The copies that were rescued and neither merged nor discarded.
pub(super) fn rescued(ledger: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    let io = |error: std::io::Error| LedgerError::failed("the ledger's folder cannot be read", error);
    let start = beside(ledger, RESCUED);
    let (Some(folder), Some(start)) = (ledger.parent(), start.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        // The first run makes it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(io)?,
    };
    for entry in entries {
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
/// an older one. The note may stay behind the ledger, and never leads it; of two processes, the one with the newer intent
/// is heard.
pub(super) fn note_newest(ledger: &Path, begun: &Begun) -> std::io::Result<()> {
    let mark = mark_of(ledger);
    let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&mark);
    let file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create_folder(mark.parent().unwrap_or(&mark))?;
            open()?
        }
        opened => opened?,
    };
    // Held until the file is closed.
    file.lock()?;
    if noted(&file).is_some_and(|noted| noted.intents > begun.intents) {
        return Ok(());
    }
    file.write_all_at(format!("{:020} {}\n", begun.intents, begun.hash.hex()).as_bytes(), 0)?;
    file.sync_data()
}

/// What stands in the file now.
fn noted(file: &File) -> Option<Begun> {
    let mut text = [0; NEWEST_BYTES];
    file.read_exact_at(&mut text, 0).ok()?;
    begun_of(&text)
}

/// One that was not written whole says nothing.
fn read_newest(mark: &Path) -> Result<Option<Begun>, LedgerError> {
    match crate::safe_open::read_small(mark, NEWEST_BYTES as u64) {
        Ok(text) => Ok(begun_of(&text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => Ok(None),
        Err(error) => Err(LedgerError::system(error).at(mark.display())),
    }
}

fn begun_of(text: &[u8]) -> Option<Begun> {
    let (intents, hash) = std::str::from_utf8(text).ok()?.trim_end().split_once(' ')?;
    Some(Begun { intents: intents.parse().ok()?, hash: PaymentHash::from_hex(hash)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_processes_the_newer_intent_is_noted() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.db");
        let begun = |intents: u64| Begun { intents, hash: PaymentHash([u8::try_from(intents).unwrap(); 32]) };
        let noted = || read_newest(&mark_of(&ledger)).unwrap();
        assert_eq!(noted(), None);
        for (intents, stands) in [(3, 3), (2, 3), (12, 12)] {
            note_newest(&ledger, &begun(intents)).unwrap();
            assert_eq!(noted(), Some(begun(stands)));
        }
        std::fs::write(mark_of(&ledger), "torn").unwrap();
        assert_eq!(noted(), None);
        note_newest(&ledger, &begun(4)).unwrap();
        assert_eq!(noted(), Some(begun(4)));
    }
}
