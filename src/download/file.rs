//! A file on its way: written under `NAME.part`, hashed as it grows, synced, and given its name only when it is whole, and
//! only where nothing stands there.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::safe_open;

const COPY_BYTES: usize = 256 * 1024;

/// A part of a file, open and locked.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
}

/// Somebody has taken a part away, or put something else in its place, while it was written.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its part was taken away while it was written")]
pub struct PartLost;

/// Where the part of a file stands.
#[must_use]
pub fn part_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Whether anything stands there, a link that leads nowhere included.
#[must_use]
pub fn is_taken(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

impl Part {
    /// Begins the part of a new file. None where something stands there already, whatever it is; but an empty part that
    /// nobody holds is what a process left that was stopped before it could say so, and is taken.
    ///
    /// # Errors
    /// Where the folder cannot be written to.
    pub fn begin(file: &Path) -> io::Result<Option<Self>> {
        let path = part_path(file);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(opened) => Self::locked(path, opened),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let left = Self::open(path)?;
                Ok(left.filter(|left| left.file.metadata().is_ok_and(|about| about.len() == 0)))
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on with the part of a file that an earlier run began: keeps its first `bytes`, and hashes them. None where
    /// there is none, somebody else writes it, or it is something else than a file of its own (a link is not followed) that
    /// can be written to.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn go_on(file: &Path, bytes: u64) -> io::Result<Option<Self>> {
        let Some(mut part) = Self::open(part_path(file))? else { return Ok(None) };
        if part.file.metadata()?.len() > bytes {
            part.file.set_len(bytes)?;
        }
        part.bytes = hash_all(&mut part.file, &mut part.hash)?;
        Ok(Some(part))
    }

    fn open(path: PathBuf) -> io::Result<Option<Self>> {
        if safe_open::refuse_kept(&path).is_err() {
            return Ok(None);
        }
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let opened = match OpenOptions::new().read(true).write(true).custom_flags(no_link).open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_no_file_of_ours(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let about = opened.metadata()?;
        if !about.is_file() || about.nlink() != 1 {
            return Ok(None);
        }
        Self::locked(path, opened)
    }

    /// None where another process writes it, or has given it its name since it was opened: it must not be touched then.
    fn locked(path: PathBuf, file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => {
                let part = Self { path, file, hash: Sha256::new(), bytes: 0 };
                Ok(if part.is_in_place()? { Some(part) } else { None })
            }
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether what stands under its path is still this part.
    fn is_in_place(&self) -> io::Result<bool> {
        let mine = self.file.metadata()?;
        match self.path.symlink_metadata() {
            Ok(there) => Ok((there.dev(), there.ino()) == (mine.dev(), mine.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The SHA-256 of what it has.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// Where it cannot be written: the disk is full, or gone.
    pub fn add(&mut self, piece: &[u8]) -> io::Result<()> {
        self.add_all(&[piece])
    }

    /// Adds pieces, in their order, by as few writes as can be.
    ///
    /// # Errors
    /// As for [`Self::add`].
    pub fn add_all(&mut self, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece.as_ref())).collect();
        let mut left = slices.as_mut_slice();
        // What is empty would seem to be a disk that takes nothing.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for piece in pieces.iter().map(AsRef::as_ref) {
            self.hash.update(piece);
            self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Forgets all that it has.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.hash, self.bytes) = (Sha256::new(), 0);
        Ok(())
    }

    /// Returns once all that it has is on the disk.
    ///
    /// # Errors
    /// Where the disk says otherwise.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Gives the whole file its name, where nothing stands there: false where something does.
    ///
    /// # Errors
    /// Where the file system cannot do that; [`PartLost`] where what it would name is not this part.
    pub fn publish(&self, file: &Path) -> io::Result<bool> {
        if !self.is_in_place()? {
            return Err(io::Error::other(PartLost));
        }
        let published = match rustix::fs::renameat_with(CWD, &self.path, CWD, file, RenameFlags::NOREPLACE) {
            // File systems that cannot rename so can mostly link: that too replaces nothing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                std::fs::hard_link(&self.path, file).and_then(|()| std::fs::remove_file(&self.path))
            }
            renamed => renamed.map_err(io::Error::from),
        };
        match published {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        sync_folder(file)?;
        Ok(true)
    }

    /// Removes it, where it is still there: nothing of it is of use.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub fn discard(&mut self) -> io::Result<()> {
        if self.is_in_place()? { std::fs::remove_file(&self.path) } else { Ok(()) }
    }
}

/// Whether what stands there could not be opened because it is a link, a folder, a socket, or somebody else's. That
/// concerns one name, and not the folder.
fn is_no_file_of_ours(error: &io::Error) -> bool {
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    [Errno::LOOP, Errno::ISDIR, Errno::NXIO, Errno::ACCESS, Errno::PERM, Errno::TXTBSY].into_iter().any(is)
}

/// Whether a file of that SHA-256 stands there, and can be read.
///
/// # Errors
/// Where reading it fails.
pub fn is_whole(path: &Path, sha256: &[u8; 32]) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    if safe_open::refuse_kept(path).is_err() {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    match File::open(path) {
        Ok(mut file) => hash_all(&mut file, &mut hash)?,
        Err(error) if is_no_file_of_ours(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let found: [u8; 32] = hash.finalize().into();
    Ok(found == *sha256)
}

/// Makes the folder, with those above it, so that it is still there after a power cut. False where it was there.
///
/// # Errors
/// Where it cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<bool> {
    if folder.is_dir() {
        return Ok(false);
    }
    let new: Vec<&Path> =
        folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).collect();
    std::fs::create_dir_all(folder)?;
    new.into_iter().try_for_each(sync_folder)?;
    Ok(true)
}

/// Makes the folders that lead from one that is there to `below`, so that they are still there after a power cut. The first one itself is
/// never made: where it is gone, its disk may be.
///
/// # Errors
/// Where they cannot be made; [`io::ErrorKind::NotADirectory`] where a file stands in the place of one.
pub fn make_folders_below(folder: &Path, below: &Path) -> io::Result<()> {
    let mut made = folder.to_owned();
    for step in below.components() {
        made.push(step);
        match std::fs::create_dir(&made) {
            Ok(()) => sync_folder(&made)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && made.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The number of the device on which the folder is, or would be made.
///
/// # Errors
/// Where nobody says.
pub fn device(folder: &Path) -> io::Result<i64> {
    let there = folder.ancestors().find(|above| above.exists()).unwrap_or(folder);
    Ok(std::fs::metadata(there)?.dev().cast_signed())
}

/// Whether two paths lead to one folder, whatever links and steps are in them, and whether or not anything stands there now.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    one == other || resolved(one) == resolved(other)
}

/// The path without links and steps back; what is not there stays as it is written.
fn resolved(path: &Path) -> PathBuf {
    const LINKS_MAX: usize = 40;
    let (mut done, mut links) = (PathBuf::new(), 0);
    let mut rest: Vec<PathBuf> = path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect();
    while let Some(part) = rest.pop() {
        match part.components().next() {
            None | Some(Component::CurDir) => continue,
            Some(Component::ParentDir) => {
                done.pop();
                continue;
            }
            Some(Component::RootDir | Component::Prefix(_) | Component::Normal(_)) => done.push(&part),
        }
        if links < LINKS_MAX
            && let Ok(to) = std::fs::read_link(&done)
        {
            links += 1;
            done.pop();
            rest.extend(to.components().rev().map(|part| PathBuf::from(part.as_os_str())));
        }
    }
    done
}

/// So many bytes there are of the file: of its part, else of itself.
#[must_use]
pub fn bytes_of(file: &Path) -> u64 {
    let bytes = |path: &Path| std::fs::metadata(path).map(|about| about.len());
    bytes(&part_path(file)).or_else(|_| bytes(file)).unwrap_or(0)
}

/// Whether the folder can be written to, or made, as far as that is seen without writing; and the bytes that there is room for.
///
/// # Errors
/// Where it is none, or nobody may write there.
pub fn look(folder: &Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|above| above.exists()).unwrap_or(folder);
    if !std::fs::metadata(there)?.is_dir() {
        // As making it says.
        let kind = if there == folder { io::ErrorKind::AlreadyExists } else { io::ErrorKind::NotADirectory };
        return Err(kind.into());
    }
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?;
    room(there)
}

/// Whether nothing stands in the folder, or it is not there.
///
/// # Errors
/// Where it cannot be read.
pub fn is_bare(folder: &Path) -> io::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Tries in the folder all that is done there with a file, and leaves nothing behind: before anything is spent.
///
/// # Errors
/// Where a part cannot be written, locked, synced, or renamed without replacing.
pub fn probe(folder: &Path) -> io::Result<()> {
    let name = tempfile::Builder::new().prefix(".l402-batch-").tempfile_in(folder)?;
    let file = name.path().with_extension("probe");
    let Some(mut part) = Part::begin(&file)? else { return Err(io::ErrorKind::AlreadyExists.into()) };
    let tried = part.add(b"?").and_then(|()| part.sync()).and_then(|()| part.publish(&file));
    std::fs::remove_file(if is_taken(&file) { file } else { part_path(&file) })?;
    tried.map(|_| ())
}

/// Bytes that whoever runs this may still write to the file system on which the folder is.
///
/// # Errors
/// Where nobody says.
pub fn room(folder: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(folder)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Returns once the folder's list of names is on the disk, where its file system keeps such lists at all.
///
/// # Errors
/// Where the folder cannot be opened or synced.
pub fn sync_folder(file: &Path) -> io::Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

fn hash_all(file: &mut File, hash: &mut Sha256) -> io::Result<u64> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(bytes);
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"half").unwrap();
        drop(part);
        assert!(!file.exists());
        let mut part = Part::go_on(&file, u64::MAX).unwrap().unwrap();
        assert_eq!(part.bytes(), 4);
        part.add(b" and half").unwrap();
        part.sync().unwrap();
        let sha256 = part.sha256();
        assert!(part.publish(&file).unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), b"half and half");
        assert!(is_whole(&file, &sha256).unwrap() && !is_whole(&file, &[0; 32]).unwrap());
        assert!(!is_taken(&part_path(&file)));
    }

    #[test]
    fn nothing_is_ever_replaced() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"mine").unwrap();
        std::fs::write(&file, "theirs").unwrap();
        assert!(!part.publish(&file).unwrap());
        assert_eq!(std::fs::read(&file).unwrap(), b"theirs");
        assert!(Part::begin(&file).unwrap().is_none(), "a part that is there was begun anew");
    }

    #[test]
    fn two_do_not_write_one_part() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let part = Part::begin(&file).unwrap().unwrap();
        assert!(Part::go_on(&file, u64::MAX).unwrap().is_none());
        drop(part);
        assert!(Part::go_on(&file, u64::MAX).unwrap().is_some());
    }

    #[test]
    fn what_got_its_name_since_it_was_opened_is_not_touched() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"whole").unwrap();
        let opened = OpenOptions::new().read(true).write(true).open(part_path(&file)).unwrap();
        assert!(part.publish(&file).unwrap());
        drop(part);
        assert!(Part::locked(part_path(&file), opened).unwrap().is_none());
    }

    #[test]
    fn what_stands_in_place_of_a_part_is_neither_published_nor_removed() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"mine").unwrap();
        std::fs::remove_file(part_path(&file)).unwrap();
        assert!(part.publish(&file).unwrap_err().get_ref().is_some_and(|why| why.is::<PartLost>()));
        std::fs::write(part_path(&file), "theirs").unwrap();
        assert!(part.publish(&file).is_err() && !file.exists());
        part.discard().unwrap();
        assert_eq!(std::fs::read(part_path(&file)).unwrap(), b"theirs");
    }

    #[test]
    fn a_link_is_not_written_through() {
        let folder = folder();
        let (file, other) = (folder.path().join("kite.mp4"), folder.path().join("other"));
        std::fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, part_path(&file)).unwrap();
        assert!(Part::begin(&file).unwrap().is_none());
        assert!(Part::go_on(&file, u64::MAX).unwrap().is_none());
        std::fs::remove_file(part_path(&file)).unwrap();
        std::fs::hard_link(&other, part_path(&file)).unwrap();
        assert!(Part::go_on(&file, u64::MAX).unwrap().is_none());
    }

    #[test]
    fn what_is_no_file_is_somebody_elses() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        std::fs::create_dir(part_path(&file)).unwrap();
        assert!(Part::begin(&file).unwrap().is_none() && Part::go_on(&file, 9).unwrap().is_none());
        std::fs::create_dir(&file).unwrap();
        assert!(!is_whole(&file, &[0; 32]).unwrap());
    }

    #[test]
    fn one_folder_has_many_spellings() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("t")).unwrap();
        std::os::unix::fs::symlink("t/v", at("link")).unwrap();
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        for other in ["link", "t/v/", "t/../t/./v", "t/v/x/..", "link/../v"] {
            assert!(is_same(&at("t/v"), &at(other)), "{other}");
        }
        for other in ["t", "t/w", "v", "link/v", "loop"] {
            assert!(!is_same(&at("t/v"), &at(other)), "{other}");
        }
    }

    #[test]
    fn a_probe_leaves_nothing() {
        let folder = folder();
        probe(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(probe(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn what_is_not_on_the_disk_for_certain_is_not_gone_on_with() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"sure, and who knows").unwrap();
        drop(part);
        let mut part = Part::go_on(&file, 4).unwrap().unwrap();
        part.add(b" thing").unwrap();
        assert_eq!(std::fs::read(part_path(&file)).unwrap(), b"sure thing");
        assert_eq!(part.sha256(), <[u8; 32]>::from(Sha256::digest(b"sure thing")));
    }

    #[test]
    fn an_empty_part_that_nobody_holds_is_taken() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let part = Part::begin(&file).unwrap().unwrap();
        assert!(Part::begin(&file).unwrap().is_none(), "it is held");
        drop(part);
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"x").unwrap();
        drop(part);
        assert!(Part::begin(&file).unwrap().is_none(), "it is somebody's");
    }

    #[test]
    fn a_folder_is_made_with_those_above_it() {
        let folder = folder();
        let deep = folder.path().join("a/b/c");
        assert!(make_folder(&deep).unwrap() && !make_folder(&deep).unwrap() && deep.is_dir());
        assert!(room(&deep).unwrap() > 0);
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(make_folder(&folder.path().join("file")).is_err());
    }

    #[test]
    fn beginning_anew_forgets_all() {
        let folder = folder();
        let file = folder.path().join("kite.mp4");
        let mut part = Part::begin(&file).unwrap().unwrap();
        part.add(b"wrong version").unwrap();
        part.begin_anew().unwrap();
        part.add(b"right").unwrap();
        let right: [u8; 32] = Sha256::digest(b"right").into();
        assert_eq!((part.bytes(), part.sha256()), (5, right));
        assert_eq!(std::fs::read(part_path(&file)).unwrap(), b"right");
    }
}
