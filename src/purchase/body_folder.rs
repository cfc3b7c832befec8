//! Where large bodies wait on disk, and how one gets there: piece by piece, never whole in memory.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::body::{Body, BodyFile};

/// The largest body that is held in memory, and by a ledger in itself, in bytes.
pub(crate) const HELD_BYTES_MAX: usize = 64 * 1024;

/// How a body's name begins until an intent needs it.
const UNFINISHED: &str = ".tmp";

/// So much of the ledger's disk is left free, in bytes: as much as the log beside it may grow. With less nothing more is bought, and no
/// body is begun or goes on: what is paid is to be recorded to its end.
pub(crate) const ROOM_LEFT_BYTES_MIN: u64 = 16 << 20;

/// A folder of large bodies.
#[derive(Clone, Debug)]
pub struct BodyFolder(PathBuf);

impl BodyFolder {
    /// At that path, where it is made once it is needed.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A body in a file whose name goes with the value; on disk when this returns, but for the name.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, body: &[u8]) -> io::Result<BodyFile> {
        let mut growing = Growing::begin(self)?;
        growing.add(body)?;
        growing.finish()
    }

    /// Makes the names in it durable, and its own.
    ///
    /// # Errors
    /// Where it, or the folder above, cannot be synced.
    pub fn sync(&self) -> io::Result<()> {
        let above = self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Whoever made it may have stopped before its name was durable, and it may have been made anew since.
        [&self.0, above].into_iter().try_for_each(|folder| File::open(folder)?.sync_all())
    }
}

/// Whether the file at that path was to become a body, and nobody works on it any more.
///
/// # Errors
/// Where it cannot be opened.
pub(crate) fn is_abandoned(path: &Path) -> io::Result<bool> {
    let is_unfinished = path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(UNFINISHED));
    Ok(is_unfinished && is_locked_now(&File::open(path)?))
}

/// Whether this could lock the file, which whoever works on it does for as long as it has it open.
fn is_locked_now(file: &File) -> bool {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// A body as it grows: in memory while it is small, then in a file. What goes wrong is told at its end.
#[derive(Debug)]
pub struct BodyWriter<'f> {
    folder: &'f BodyFolder,
    held: Vec<u8>,
    growing: Option<Growing>,
    failed: Option<io::Error>,
    room_left_bytes: u64,
}

impl<'f> BodyWriter<'f> {
    /// A body whose file, where it needs one, is in that folder.
    #[must_use]
    pub const fn new(folder: &'f BodyFolder) -> Self {
        Self { folder, held: Vec::new(), growing: None, failed: None, room_left_bytes: ROOM_LEFT_BYTES_MIN }
    }

    /// The next bytes of it.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.try_add(bytes).err();
        }
    }

    fn try_add(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.growing.is_some() {
            self.check_room()?;
        }
        if let Some(growing) = &mut self.growing {
            return growing.add(bytes);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > HELD_BYTES_MAX {
            let growing = self.growing.insert(Growing::begin(self.folder)?);
            growing.add(&std::mem::take(&mut self.held))?;
        }
        Ok(())
    }

    fn check_room(&self) -> io::Result<()> {
        // A disk that does not say is no obstacle.
        let Ok(disk) = rustix::fs::statvfs(&self.folder.0) else { return Ok(()) };
        let is_short = disk.f_blocks > 0 && disk.f_bavail.saturating_mul(disk.f_frsize) < self.room_left_bytes;
        if is_short { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// The whole; what is in a file is on disk, but for its name.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn finish(self) -> io::Result<Body> {
        match (self.failed, self.growing) {
            (Some(error), _) => Err(error),
            (None, Some(growing)) => Ok(Body::Filed(growing.finish()?.into())),
            (None, None) => Ok(Body::Held(self.held)),
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
struct Growing {
    file: NamedTempFile,
    len: usize,
    hash: Sha256,
}

impl Growing {
    fn begin(folder: &BodyFolder) -> io::Result<Self> {
        // The folder above is the ledger's, which is there.
        match DirBuilder::new().mode(0o700).create(&folder.0) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&folder.0)?;
        // Where there are no locks, another process may sweep it away as it opens the ledger: it is written once more then.
        let _locked = is_locked_now(file.as_file());
        Ok(Self { file, len: 0, hash: Sha256::new() })
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.len = self.len.saturating_add(bytes.len());
        Ok(())
    }

    fn finish(self) -> io::Result<BodyFile> {
        self.file.as_file().sync_all()?;
        let (file, name) = self.file.into_parts();
        Ok(BodyFile::begun(file, name, self.len, self.hash.finalize().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_file_once_it_is_large() {
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        for (pieces, is_file) in [(64, false), (65, true), (300, true)] {
            let mut writer = BodyWriter::new(&folder);
            let piece = |number: u8| [number; 1024];
            for number in 0..pieces {
                writer.add(&piece(u8::try_from(number % 251).unwrap()));
            }
            let body = writer.finish().unwrap();
            assert_eq!((body.len(), matches!(body, Body::Filed(_))), (pieces * 1024, is_file));
            let all: Vec<u8> = (0..pieces).flat_map(|number| piece(u8::try_from(number % 251).unwrap())).collect();
            assert_eq!(*body.bytes().unwrap(), all);
            if let Body::Filed(file) = &body {
                assert_eq!(file.sha256(), <[u8; 32]>::from(Sha256::digest(&all)));
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn written(mut writer: BodyWriter<'_>) -> io::Result<Body> {
        for _ in 0..3 {
            writer.add(&[0; 60_000]);
        }
        writer.finish()
    }

    #[test]
    fn what_cannot_be_written_is_told_at_the_end() {
        let above = tempfile::NamedTempFile::new().unwrap();
        let folder = BodyFolder::new(above.path().to_owned());
        assert!(written(BodyWriter::new(&folder)).is_err());
    }

    #[test]
    fn what_may_never_be_needed_does_not_fill_the_disk() {
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        let error = written(BodyWriter { room_left_bytes: u64::MAX, ..BodyWriter::new(&folder) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Where the ledger's own folder has gone, nothing is made in its place.
    #[test]
    fn the_folder_above_is_there_or_nothing_is_written() {
        let above = tempfile::tempdir().unwrap();
        let gone = above.path().join("gone");
        let error = BodyFolder::new(gone.join("bodies")).write(b"body").unwrap_err();
        assert_eq!((error.kind(), gone.exists()), (ErrorKind::NotFound, false));
    }

    #[test]
    fn what_is_worked_on_is_not_abandoned() {
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        let body = folder.write(b"body").unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert!(!is_abandoned(&path).unwrap());
        let left = folder.path().join(".tmpLeft");
        std::fs::copy(&path, &left).unwrap();
        assert!(is_abandoned(&left).unwrap(), "its process has ended");
        drop(body);
    }
}
