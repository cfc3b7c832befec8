//! Where large bodies wait on disk, and how one gets there: piece by piece, never whole in memory.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::body::{Body, BodyFile};

/// The largest body that is held in memory, and by a ledger in itself, in bytes.
pub(crate) const HELD_BYTES_MAX: usize = 64 * 1024;

/// How a body's name begins until an intent needs it. What has no other name is nobody's once its process has ended.
pub(crate) const UNFINISHED: &str = ".tmp";

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

    /// Makes the names in it durable.
    ///
    /// # Errors
    /// Where it cannot be synced.
    pub fn sync(&self) -> io::Result<()> {
        sync(&self.0)
    }

    /// Makes its own name durable.
    ///
    /// # Errors
    /// Where the folder above cannot be synced.
    pub fn sync_own(&self) -> io::Result<()> {
        sync(self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A body as it grows: in memory while it is small, then in a file. What goes wrong is told at its end.
#[derive(Debug)]
pub struct BodyWriter<'f> {
    folder: &'f BodyFolder,
    held: Vec<u8>,
    growing: Option<Growing>,
    failed: Option<io::Error>,
}

impl<'f> BodyWriter<'f> {
    /// A body whose file, where it needs one, is in that folder.
    #[must_use]
    pub const fn new(folder: &'f BodyFolder) -> Self {
        Self { folder, held: Vec::new(), growing: None, failed: None }
    }

    /// The next bytes of it.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.try_add(bytes).err();
        }
    }

    fn try_add(&mut self, bytes: &[u8]) -> io::Result<()> {
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
        DirBuilder::new().recursive(true).mode(0o700).create(&folder.0)?;
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&folder.0)?;
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

    #[test]
    fn what_cannot_be_written_is_told_at_the_end() {
        let above = tempfile::NamedTempFile::new().unwrap();
        let folder = BodyFolder::new(above.path().to_owned());
        let mut writer = BodyWriter::new(&folder);
        for _ in 0..3 {
            writer.add(&[0; 60_000]);
        }
        assert!(writer.finish().is_err());
    }
}
