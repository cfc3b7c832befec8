//! Ledgers that are restored from yesterday's copy, deleted under a run, rescued, and merged again.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use l402_batch::ledger::port::{Batches, Locks, Merging};
use l402_batch::ledger::sqlite::MergeSource;

use super::coverage::Sight;
use super::disk::Disk;
use super::ledger_file::LedgerFile;
use super::liars::Liar;
use super::life::Life;
use super::world::World;

/// What stands beside a ledger.
#[derive(Default)]
pub struct Beside {
    /// What was in its place when yesterday's copy was put there.
    newer: RefCell<Option<PathBuf>>,
    /// The file has just been deleted under a run.
    pub deleted: Cell<bool>,
}

impl LedgerFile {
    fn yesterday(&self) -> PathBuf {
        self.beside("yesterday.db")
    }

    /// A copy is made, as every night.
    fn back_up(&self) {
        let copy = self.yesterday();
        let _none = std::fs::remove_file(&copy);
        let copied = rusqlite::Connection::open(self.path())
            .and_then(|conn| conn.execute("VACUUM INTO ?1", [copy.display().to_string()]));
        copied.expect("a backup");
    }

    /// Yesterday's copy takes its place; nobody has it open.
    fn restore(&self) {
        let newer = self.beside("newer.db");
        std::fs::rename(self.path(), &newer).expect("a file is moved");
        for log in ["ledger.db-wal", "ledger.db-shm"] {
            let _none = std::fs::remove_file(self.beside(log));
        }
        std::fs::copy(self.yesterday(), self.path()).expect("a file is copied");
        self.around.newer.replace(Some(newer));
    }

    /// Somebody deletes it under a run.
    pub fn perhaps_delete(&self, world: &World) {
        let lacks = self.around.newer.borrow().is_some() || self.around.deleted.get() || !self.rescued().is_empty();
        if world.is_calm() || lacks || !self.strikes(60) {
            return;
        }
        world.note(|| "somebody deletes the ledger".to_owned());
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _none = std::fs::remove_file(self.beside(name));
        }
        self.around.deleted.set(true);
        world.saw(Sight::LedgerDeleted);
    }

    fn rescued(&self) -> Vec<PathBuf> {
        let paths = (1..9).map(|n| self.beside(&format!("ledger.db.rescued-{n}")));
        paths.filter(|path| path.exists()).collect()
    }

    /// What has to be merged.
    fn missing(&self) -> Vec<PathBuf> {
        self.rescued().into_iter().chain(self.around.newer.borrow().clone()).collect()
    }

    fn merged(&self, file: &Path) {
        std::fs::rename(file, file.with_extension("merged")).expect("a file is moved");
        self.around.newer.replace(None);
    }
}

impl Life {
    /// Between processes: copies are made, put back, and what a ledger lacks is merged.
    pub fn meddles_with_the_ledger(&mut self) {
        self.opens_the_ledger();
        let Some(file) = self.disk.file.as_ref().filter(|_| self.people.is_some() && self.download_setup.is_none())
        else {
            return;
        };
        if !file.missing().is_empty() {
            if file.strikes(2) {
                self.merges();
            }
            return;
        }
        if file.strikes(2) {
            file.back_up();
        } else if file.strikes(2) && file.yesterday().exists() {
            self.world.note(|| "yesterday's ledger is put back".to_owned());
            self.disk.closed_for(LedgerFile::restore);
            self.world.saw(Sight::LedgerRestored);
            self.knows_anew();
            self.disk.is_older();
        }
    }

    /// Merges all that the ledger lacks; sometimes twice.
    pub fn merges(&mut self) {
        let Some(file) = &self.disk.file else { return };
        let (world, missing) = (&self.world, file.missing());
        for path in &missing {
            if self.liar == Liar::DroppingMerge {
                drop_an_intent(path, file.path());
            }
            for _ in 0..if file.strikes(3) { 2 } else { 1 } {
                let mut ledger = self.disk.ledger.ledger();
                let source = MergeSource::open(path, &ledger).expect("a copy can be read");
                let merged = ledger.merge(world.our_time(), &source).expect("it can be merged");
                world.note(|| format!("merged {}: {merged:?}", path.display()));
                world.saw(Sight::LedgerMerged);
            }
            file.merged(path);
        }
        if !missing.is_empty() {
            self.knows_anew();
        }
    }

    /// The first of the processes that begin now opens the ledger; it is a new one where it was deleted.
    pub fn opens_the_ledger(&mut self) {
        self.disk.opened();
        if self.disk.was_deleted() {
            self.disk.file.iter().for_each(|file| file.around.deleted.set(false));
            self.knows_anew();
        }
    }

    /// Keys of batches and payments are others in another ledger.
    fn knows_anew(&mut self) {
        self.disk.knows_anew();
        for batch in &mut self.batches {
            let known = self.disk.ledger.ledger().batch(&batch.name).expect("the ledger can be read");
            batch.key = known.map(|batch| batch.key);
        }
    }
}

impl Disk {
    /// What was bought with the ledger of this place and is not in it must be missed by it.
    pub fn lacks(&self) -> bool {
        let Some(file) = &self.file else { return false };
        // Whoever opens it now finds none, and what was begun in its place.
        if self.was_deleted() {
            return true;
        }
        let gap = self.ledger.ledger().gap().expect("the ledger can be read");
        let known = self.hashes();
        let lost = self.world.auditor.borrow().charged_hashes().into_iter().find(|hash| !known.contains_key(hash));
        if let Some(lost) = lost.filter(|_| gap.is_none()) {
            self.world.violated(format!("the ledger does not know {lost}, and misses nothing"));
        }
        if gap.is_some() && file.missing().is_empty() {
            self.world.violated(format!("the ledger misses what nobody has: {gap:?}"));
        }
        self.world.saw_if(gap.is_some(), Sight::GapNoticed);
        gap.is_some()
    }
}

/// The first intent that only this copy has is dropped from it, with all that follows from it.
fn drop_an_intent(copy: &Path, ledger: &Path) {
    let conn = rusqlite::Connection::open(copy).expect("a copy");
    let dropped = conn.execute_batch(&format!(
        "ATTACH '{}' AS here;
         CREATE TEMP TABLE lost AS SELECT id, job FROM main.payments
             WHERE payment_hash NOT IN (SELECT payment_hash FROM here.payments) ORDER BY id LIMIT 1;
         DELETE FROM main.answers WHERE payment IN (SELECT id FROM lost);
         DELETE FROM main.served WHERE payment IN (SELECT id FROM lost);
         UPDATE main.trusts SET payment = NULL WHERE payment IN (SELECT id FROM lost);
         DELETE FROM main.refunds WHERE payment IN (SELECT id FROM lost);
         DELETE FROM main.intents WHERE payment IN (SELECT id FROM lost);
         DELETE FROM main.payments WHERE id IN (SELECT id FROM lost);
         UPDATE main.jobs SET state = 'pending', reason = '', url = NULL, file = NULL, file_key = NULL, sha256 = NULL
             WHERE id IN (SELECT job FROM lost);",
        ledger.display()
    ));
    dropped.expect("an intent is dropped");
}
