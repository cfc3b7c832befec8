//! A ledger in a file, as a user has it, and who else reads it meanwhile.

use std::cell::RefCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use l402_batch::ledger::port::Views;
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{BatchKey, OpenMode};
use rusqlite::{Connection, OpenFlags};

use super::coverage::Sight;
use super::restored::Beside;
use super::rng::Rng;
use super::world::World;

/// Where SQLite's lock of a reader or writer begins in the file (sqlite.org/lockingv3.html: SHARED_FIRST).
const SHARED_FIRST: &str = "1073741826";

/// How often the kernel is asked before a lock is taken for lost.
const LOOKS: u32 = 50;

/// The folder of one world's ledger; it goes with the world.
pub struct LedgerFile {
    folder: PathBuf,
    path: PathBuf,
    rng: RefCell<Rng>,
    pub around: Beside,
}

impl LedgerFile {
    /// In every eighth world; its dice are its own.
    pub fn draw(seed: u64, always: bool) -> Option<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut rng = Rng::new(seed, 4);
        if rng.below(8) > 0 && !always {
            return None;
        }
        // In memory where there is such a place: a commit waits for no disk.
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("l402-batch-simulation-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        Some(Self { path: folder.join("ledger.db"), folder, rng: RefCell::new(rng), around: Beside::default() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// True once in so many times.
    pub fn strikes(&self, times: u64) -> bool {
        self.rng.borrow_mut().below(times) == 0
    }

    /// A process opens it to write.
    pub fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.path, OpenMode::Write).expect("the ledger opens")
    }

    /// Does something while the tables refuse whatever delivers, but where there is no file any more.
    pub fn refusing_deliveries<T>(&self, act: impl FnOnce() -> T) -> T {
        let beside = |sql| {
            let conn = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            conn.execute_batch(sql)
        };
        let refuses = beside(
            "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.state = 'delivered' BEGIN SELECT RAISE (ABORT, 'no'); END",
        );
        let done = act();
        if refuses.is_ok() {
            beside("DROP TRIGGER refuse").expect("what refuses them can go");
        }
        done
    }

    /// Somebody may read it while it is written: a view, a backup. Nothing may come of that but what stands in it.
    pub fn perhaps_read(&self, world: &World, live: &SqliteLedger, batch: Option<BatchKey>) {
        let what = self.rng.borrow_mut().below(40);
        if what > 1 {
            return;
        }
        let held = self.is_held();
        if what == 0 {
            let view = SqliteLedger::open(&self.path, OpenMode::Read).expect("a view opens");
            if let Some(batch) = batch {
                let (ours, theirs) = (live.counts(batch), view.counts(batch));
                if format!("{ours:?}") != format!("{theirs:?}") {
                    world.violated(format!("a view says {theirs:?}, the ledger {ours:?}"));
                }
            }
            world.saw(Sight::ViewedMeanwhile);
        } else {
            let backup = self.folder.join("backup.db");
            let _none = std::fs::remove_file(&backup);
            let copied = Connection::open(&self.path)
                .and_then(|conn| conn.execute("VACUUM INTO ?1", [backup.display().to_string()]));
            if let Err(error) = copied {
                world.violated(format!("no backup can be made beside a run: {error}"));
            }
            world.saw(Sight::BackedUpMeanwhile);
        }
        // The kernel's list is read in pieces, while others come and go: what is in it once is there.
        if held && !(0..LOOKS).any(|_| self.is_held()) {
            world.violated("whoever reads the ledger takes the lock from the run beside it".to_owned());
        }
    }

    /// Whether somebody holds SQLite's lock on the file, as the kernel sees it; true where that cannot be known.
    fn is_held(&self) -> bool {
        let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return true };
        let inode = std::fs::metadata(&self.path).map(|meta| format!(":{}", meta.ino())).unwrap_or_default();
        locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(5).is_some_and(|file| file.ends_with(&inode)) && words.get(6) == Some(&SHARED_FIRST)
        })
    }
}

impl Drop for LedgerFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
