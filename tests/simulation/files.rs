//! The folder into which results are fetched: what was not synced may be gone once the power was cut. And the user, who
//! moves files away and puts others beside them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use l402_batch::download::{Disk, PartFile};
use l402_batch::ledger::JobKey;
use sha2::{Digest, Sha256};

use super::coverage::Sight;
use super::rng::Rng;
use super::world::World;

pub const FOLDER: &str = "/files";
const PART: &str = ".part";

/// What can go wrong on the way to a file. These faults have dice of their own: worlds without downloads are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Refused,
    Breaks,
    Drips,
    EndsEarly,
    TurnedAway,
    GoneForNow,
    GoneForGood,
    Page,
    Changes,
    WrongRange,
    NoRange,
    NoVersion,
    Unsized,
    FolderFull,
    FolderFails,
    PowerCut,
    NameTaken,
    MovedAway,
    PartSpoiled,
}

const FLAWS: usize = Flaw::PartSpoiled as usize + 1;

/// A file's content, whatever it is called.
#[derive(Clone, Debug)]
struct Inode {
    content: Vec<u8>,
    /// So much of it is on the disk for certain.
    synced: usize,
    held: bool,
}

/// A result, as its server has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served {
    pub version: u32,
    pub gone: bool,
    /// It was said to be gone, or a page stood in its place.
    pub missed: bool,
}

pub struct Files {
    /// It says that a file is on the disk, and it is not.
    pub lies: Cell<bool>,
    rng: RefCell<Rng>,
    rates: [u32; FLAWS],
    inodes: RefCell<Vec<Inode>>,
    names: RefCell<BTreeMap<String, usize>>,
    /// The names that are on the disk for certain.
    durable: RefCell<BTreeMap<String, usize>>,
    full_until: Cell<i64>,
    pub served: RefCell<BTreeMap<String, Served>>,
    /// Every whole content that was ever served.
    whole: RefCell<BTreeSet<[u8; 32]>>,
    /// Files that the ledger calls downloaded.
    known: RefCell<BTreeMap<String, JobKey>>,
    /// Files of somebody else.
    foreign: RefCell<BTreeMap<String, usize>>,
    moved: RefCell<BTreeSet<String>>,
}

impl Files {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 3);
        let mut rates = [0; FLAWS];
        let count = match rng.below(4) {
            0 => 0,
            1 => 1,
            2 => 4,
            _ => FLAWS,
        };
        for _ in 0..count {
            let most = if count == FLAWS { 150 } else { 500 };
            let at = usize::try_from(rng.below(FLAWS as u64)).unwrap_or(0);
            rates[at] = u32::try_from(20 + rng.below(most)).unwrap_or(0);
        }
        // What a power cut takes is known only where it comes often, and while something is under way.
        rates[Flaw::PowerCut as usize] = 600;
        rates[Flaw::PartSpoiled as usize] = 300;
        if rng.below(3) == 0 {
            rates[Flaw::Breaks as usize] = 400;
        }
        Self {
            lies: Cell::new(false),
            rng: RefCell::new(rng),
            rates,
            inodes: RefCell::default(),
            names: RefCell::default(),
            durable: RefCell::default(),
            full_until: Cell::new(0),
            served: RefCell::default(),
            whole: RefCell::default(),
            known: RefCell::default(),
            foreign: RefCell::default(),
            moved: RefCell::default(),
        }
    }

    pub fn strikes(&self, world: &World, flaw: Flaw) -> bool {
        let struck = self.rng.borrow_mut().permille(self.rates[flaw as usize]) && !world.is_calm();
        if struck {
            world.note(|| format!("flaw {flaw:?}"));
        }
        struck
    }

    pub fn between(&self, low: i64, high: i64) -> i64 {
        self.rng.borrow_mut().between(low, high)
    }

    /// The bytes of a result in that version.
    pub fn content(&self, url: &str, version: u32) -> Vec<u8> {
        let seed = Sha256::new().chain_update(url).chain_update(version.to_be_bytes()).finalize();
        // Most are small; some are long enough that a break is progress.
        let length = if seed[0] == 0 { 40_000 } else { 100 + usize::from(seed[1]) * 8 };
        let mut content: Vec<u8> = seed.iter().copied().cycle().take(length).collect();
        // As films begin: one hash of some reads as words else.
        content[..8].copy_from_slice(b"\x00\x00\x00\x18ftyp");
        self.whole.borrow_mut().insert(Sha256::digest(&content).into());
        content
    }

    /// A person took this answer for a result: it may be a file.
    pub fn may_hold(&self, answer: &[u8]) {
        self.whole.borrow_mut().insert(Sha256::digest(answer).into());
    }

    fn sha256_of(&self, name: &str) -> Option<[u8; 32]> {
        let inode = *self.names.borrow().get(name)?;
        Some(Sha256::digest(&self.inodes.borrow()[inode].content).into())
    }

    fn create(&self, name: &str, content: &[u8]) -> usize {
        let mut inodes = self.inodes.borrow_mut();
        inodes.push(Inode { content: content.to_vec(), synced: 0, held: false });
        self.names.borrow_mut().insert(name.to_owned(), inodes.len() - 1);
        inodes.len() - 1
    }

    /// Ours, with its own name: neither a part nor somebody else's.
    fn finished(&self) -> Vec<String> {
        let foreign = self.foreign.borrow();
        let names = self.names.borrow();
        names.keys().filter(|name| !name.ends_with(PART) && !foreign.contains_key(*name)).cloned().collect()
    }

    /// Before a process begins, somebody else takes a name that is wanted, moves a file away, or writes into a part.
    pub fn meddle(&self, world: &World, ids: &[String]) {
        for id in ids {
            self.perhaps_take(world, format!("{FOLDER}/{id}.mp4"));
        }
        for name in self.finished() {
            if self.known.borrow().contains_key(&name) && self.strikes(world, Flaw::MovedAway) {
                self.names.borrow_mut().remove(&name);
                self.durable.borrow_mut().remove(&name);
                self.moved.borrow_mut().insert(name);
                world.saw(Sight::FileMoved);
            }
        }
        let parts: Vec<usize> =
            self.names.borrow().iter().filter(|(name, _)| name.ends_with(PART)).map(|(_, inode)| *inode).collect();
        for inode in parts {
            let is_free = self.inodes.borrow().get(inode).is_some_and(|part| !part.held && !part.content.is_empty());
            if is_free && self.strikes(world, Flaw::PartSpoiled) {
                self.inodes.borrow_mut()[inode].content[0] ^= 0xff;
                world.saw(Sight::PartSpoiled);
            }
        }
    }

    /// Somebody else takes a free name.
    fn perhaps_take(&self, world: &World, name: String) {
        let is_free = !self.names.borrow().contains_key(&name) && !self.known.borrow().contains_key(&name);
        if self.strikes(world, Flaw::NameTaken) && is_free {
            let inode = self.create(&name, b"somebody else's");
            self.inodes.borrow_mut()[inode].synced = usize::MAX;
            self.durable.borrow_mut().insert(name.clone(), inode);
            self.foreign.borrow_mut().insert(name, inode);
            world.saw(Sight::NameTaken);
        }
    }

    /// Every process is gone; perhaps because the power was cut.
    pub fn closed(&self, world: &World, crashed: bool) {
        for inode in &mut *self.inodes.borrow_mut() {
            inode.held = false;
        }
        if crashed && self.strikes(world, Flaw::PowerCut) {
            world.saw(Sight::PowerCut);
            for inode in &mut *self.inodes.borrow_mut() {
                let kept = inode.synced.min(inode.content.len());
                // What was not synced is there, or not, or holds nothing.
                match self.between(0, 2) {
                    0 => inode.content.truncate(kept),
                    1 => inode.content[kept..].fill(0),
                    _ => {}
                }
            }
            if self.between(0, 1) == 0 {
                *self.names.borrow_mut() = self.durable.borrow().clone();
            }
        }
        self.check_whole(world);
    }

    /// What has its name is whole, and what is somebody else's is as it was.
    fn check_whole(&self, world: &World) {
        for name in self.finished() {
            let is_whole = self.sha256_of(&name).is_some_and(|sha256| self.whole.borrow().contains(&sha256));
            if !is_whole {
                world.violated(format!("{name} is not whole"));
            }
        }
        for (name, inode) in &*self.foreign.borrow() {
            let same = self.names.borrow().get(name) == Some(inode);
            if !same || self.inodes.borrow()[*inode].content != b"somebody else's" {
                world.violated(format!("{name} was somebody else's"));
            }
        }
    }

    /// The ledger calls a file downloaded: it must be there for good, whatever happens next.
    pub fn downloaded(&self, world: &World, job: JobKey, file: &str, sha256: [u8; 32]) {
        world.saw(Sight::Downloaded);
        let inode = self.durable.borrow().get(file).copied();
        let inodes = self.inodes.borrow();
        let kept = inode.map(|inode| &inodes[inode]).filter(|inode| inode.synced >= inode.content.len());
        if kept.is_none_or(|inode| <[u8; 32]>::from(Sha256::digest(&inode.content)) != sha256) {
            world.violated(format!("{file} is downloaded, and not on the disk for certain"));
        }
        let mut known = self.known.borrow_mut();
        if known.values().any(|other| *other == job) || known.insert(file.to_owned(), job).is_some() {
            world.violated(format!("{file} is downloaded twice, or another job's"));
        }
    }

    /// At the end each file is known to the ledger, and what is known and was not moved away is there.
    pub fn look(&self, world: &World) {
        self.check_whole(world);
        let known: BTreeSet<String> = self.known.borrow().keys().cloned().collect();
        let there: BTreeSet<String> = self.finished().into_iter().collect();
        let expected: BTreeSet<String> = known.difference(&self.moved.borrow()).cloned().collect();
        if there != expected {
            world.violated(format!("the folder has {there:?}, the ledger {expected:?}"));
        }
    }

    fn trouble(&self, world: &World) -> io::Result<()> {
        if self.strikes(world, Flaw::FolderFails) && self.between(0, 5) == 0 {
            world.saw(Sight::FolderFailed);
            return Err(io::Error::other("input/output error"));
        }
        if self.strikes(world, Flaw::FolderFull) && self.between(0, 5) == 0 {
            self.full_until.set(world.now() + self.rng.borrow_mut().spread_ms(1_000, 86_400_000));
        }
        if self.is_full(world) {
            world.saw(Sight::FolderWasFull);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn is_full(&self, world: &World) -> bool {
        !world.is_calm() && world.now() < self.full_until.get()
    }
}

/// The folder, as a process has it.
pub struct SimDisk(pub Rc<World>);

/// A part in it.
pub struct SimPart {
    world: Rc<World>,
    inode: usize,
    name: String,
}

impl SimDisk {
    fn hold(&self, name: String, inode: usize) -> SimPart {
        self.0.files.inodes.borrow_mut()[inode].held = true;
        SimPart { world: Rc::clone(&self.0), inode, name }
    }

    fn free(&self, name: &str) -> Option<usize> {
        let files = &self.0.files;
        let inode = files.names.borrow().get(name).copied();
        inode.filter(|inode| !files.inodes.borrow()[*inode].held)
    }
}

impl Disk for SimDisk {
    type Part = SimPart;

    /// Names of jobs that are simulated lead into no folder.
    async fn make_folders(&self, _: &str, below: &str) -> io::Result<()> {
        Err(io::Error::other(format!("{below} is asked for")))
    }

    async fn is_taken(&self, file: &str) -> io::Result<bool> {
        Ok(self.0.files.names.borrow().contains_key(file))
    }

    async fn begin(&self, file: &str) -> io::Result<Option<SimPart>> {
        let (files, name) = (&self.0.files, format!("{file}{PART}"));
        files.trouble(&self.0)?;
        if files.names.borrow().contains_key(&name) {
            let empty = self.free(&name).filter(|inode| files.inodes.borrow()[*inode].content.is_empty());
            return Ok(empty.map(|inode| self.hold(name, inode)));
        }
        let inode = files.create(&name, &[]);
        let part = self.hold(name, inode);
        self.0.point("a part is begun").await;
        Ok(Some(part))
    }

    async fn go_on(&self, file: &str, bytes: u64) -> io::Result<Option<SimPart>> {
        let name = format!("{file}{PART}");
        let Some(inode) = self.free(&name) else { return Ok(None) };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let inodes = &self.0.files.inodes;
        inodes.borrow_mut()[inode].content.truncate(bytes);
        let left = inodes.borrow()[inode].content.len();
        let synced = inodes.borrow()[inode].synced.min(left);
        inodes.borrow_mut()[inode].synced = synced;
        Ok(Some(self.hold(name, inode)))
    }

    async fn is_whole(&self, file: &str, sha256: [u8; 32]) -> io::Result<bool> {
        let files = &self.0.files;
        let is_whole = files.sha256_of(file) == Some(sha256);
        if is_whole {
            self.0.saw(Sight::RecordedAfterCrash);
            *files.durable.borrow_mut() = files.names.borrow().clone();
        }
        Ok(is_whole)
    }

    async fn room(&self, _: &str) -> io::Result<u64> {
        Ok(if self.0.files.is_full(&self.0) { 0 } else { 1 << 40 })
    }
}

impl PartFile for SimPart {
    fn bytes(&self) -> u64 {
        self.world.files.inodes.borrow()[self.inode].content.len() as u64
    }

    fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.world.files.inodes.borrow()[self.inode].content).into()
    }

    async fn add(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let files = &self.world.files;
        files.trouble(&self.world)?;
        files.inodes.borrow_mut()[self.inode].content.extend_from_slice(&pieces.concat());
        self.world.point("a piece is written").await;
        Ok(())
    }

    async fn begin_anew(&mut self) -> io::Result<()> {
        let files = &self.world.files;
        files.inodes.borrow_mut()[self.inode].content.clear();
        files.inodes.borrow_mut()[self.inode].synced = 0;
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        let files = &self.world.files;
        files.trouble(&self.world)?;
        let length = files.inodes.borrow()[self.inode].content.len();
        if !files.lies.get() {
            files.inodes.borrow_mut()[self.inode].synced = length;
        }
        self.world.point("a part is synced").await;
        Ok(())
    }

    async fn publish(&mut self, file: &str) -> io::Result<bool> {
        let files = &self.world.files;
        files.perhaps_take(&self.world, file.to_owned());
        if files.names.borrow().contains_key(file) {
            return Ok(false);
        }
        self.world.saw_if(self.name != format!("{file}{PART}"), Sight::NamedOtherwise);
        files.names.borrow_mut().remove(&self.name);
        files.names.borrow_mut().insert(file.to_owned(), self.inode);
        self.world.point("a file has its name").await;
        *files.durable.borrow_mut() = files.names.borrow().clone();
        self.world.point("a file has its name for good").await;
        Ok(true)
    }

    async fn discard(&mut self) -> io::Result<()> {
        self.world.files.names.borrow_mut().remove(&self.name);
        Ok(())
    }
}

impl Drop for SimPart {
    fn drop(&mut self) {
        self.world.files.inodes.borrow_mut()[self.inode].held = false;
    }
}
