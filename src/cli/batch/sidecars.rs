//! The sidecars of a batch's files: made from the ledger, like results, and beside whatever is downloaded and stands where it was put.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use crate::error::chain;
use crate::ledger::port::{Batches as _, Inspection as _, Views as _};
use crate::ledger::{BatchKey, LedgerError, OpenLedger, TakeRow};
use crate::report::{Sidecar, Throttle, place_new, replace_whole};
use crate::run::{Clock as _, SystemClock};
use crate::safe_open::read_small;
use crate::time::UnixMs;

/// The longest file that may be a sidecar of before: requests are shorter.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The sidecars of one batch, as they are written again and again.
#[derive(Debug)]
pub(in crate::cli) struct Sidecars {
    batch: BatchKey,
    /// Files whose sidecars stand, and will not change.
    done: HashSet<String>,
    /// What was told of those that could not be written.
    told: HashSet<String>,
    throttle: Throttle,
    /// Something changed since they were written.
    is_stale: bool,
}

impl Sidecars {
    /// Those of that batch; nothing is known yet of how they stand.
    pub(in crate::cli) fn new(batch: BatchKey) -> Self {
        Self { batch, done: HashSet::new(), told: HashSet::new(), throttle: Throttle::new(), is_stale: true }
    }

    /// The ledger has changed.
    pub(in crate::cli) const fn changed(&mut self) {
        self.is_stale = true;
    }

    /// Whether a writing is worth it and allowed at `now`.
    pub(in crate::cli) fn due(&self, now: UnixMs) -> bool {
        self.is_stale && self.throttle.due(now)
    }

    /// Writes each that is not there, or not as it would be written, and gives what a person should know and has not been told. None of
    /// that is anything that a run fails for.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub(in crate::cli) fn write(&mut self, ledger: &OpenLedger) -> Result<Vec<String>, LedgerError> {
        let began = SystemClock.now();
        self.is_stale = false;
        let told = self.write_all(ledger);
        self.throttle.done(began, SystemClock.now());
        told
    }

    fn write_all(&mut self, ledger: &OpenLedger) -> Result<Vec<String>, LedgerError> {
        let name = ledger.name_of(self.batch)?;
        let mut ids = Vec::new();
        let read = ledger.all_takes(self.batch, &mut |TakeRow { row, .. }| {
            if row.file.is_some_and(|file| !self.done.contains(&file)) && ids.last() != Some(&row.id) {
                ids.push(row.id);
            }
            Ok(())
        })?;
        read.map_err(|error| LedgerError::failed("its files cannot be listed", error))?;
        let mut told = Vec::new();
        for id in ids {
            let takes = ledger.takes(self.batch, &id)?;
            for sidecar in takes.iter().flat_map(|take| Sidecar::of(&name, take)) {
                match place(&sidecar) {
                    Ok(true) if sidecar.is_final => _ = self.done.insert(sidecar.file),
                    Ok(_) => {}
                    Err(error) => told.push(format!("{} cannot be written: {}", sidecar.path(), chain(&error))),
                }
            }
        }
        told.retain(|words| self.told.insert(words.clone()));
        Ok(told)
    }
}

/// Puts a sidecar beside its file, where it is not there yet. False where the file is not where it was: a film that was moved has taken
/// its sidecar along.
fn place(sidecar: &Sidecar) -> io::Result<bool> {
    let path = sidecar.path();
    let (path, text) = (Path::new(&path), sidecar.text());
    if !Path::new(&sidecar.file).is_file() {
        return Ok(false);
    }
    let there = match read_small(path, BYTES_MAX) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return place_new(path, |out| out.write_all(text.as_bytes())).map(|_| true);
        }
        Err(error) => return Err(error),
    };
    if there == text.as_bytes() {
        return Ok(true);
    }
    if !sidecar.is_earlier(&there) {
        return Err(io::Error::other("somebody else's file stands there; move it away, or the film and its name"));
    }
    replace_whole(path, |out| out.write_all(text.as_bytes())).map(|_| true)
}
