//! The body of a request: small ones in memory, large ones in a file, so that memory does not follow what is under way.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tempfile::TempPath;

/// So much of a file is in memory at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The exact bytes of a body.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory.
    Held(Vec<u8>),
    /// In a file.
    Filed(Arc<BodyFile>),
}

impl Body {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Held(bytes) => bytes.len(),
            Self::Filed(file) => file.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Held(bytes) => Sha256::digest(bytes).into(),
            Self::Filed(file) => file.sha256(),
        }
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Held(bytes) => Ok(bytes.into()),
            Self::Filed(file) => {
                let mut bytes = Vec::with_capacity(file.len());
                file.read_through(|chunk| bytes.extend_from_slice(chunk))?;
                Ok(bytes.into())
            }
        }
    }
}

/// A body in an open file. Whoever removes its name does not take its bytes away.
#[derive(Debug)]
pub struct BodyFile {
    file: File,
    len: usize,
    sha256: [u8; 32],
    /// The name that goes with it; none once it has another one that lasts.
    passing: Mutex<Option<TempPath>>,
}

impl BodyFile {
    /// A file that was written, with what it holds, and the name that goes with this value.
    pub(super) const fn begun(file: File, name: TempPath, len: usize, sha256: [u8; 32]) -> Self {
        Self { file, len, sha256, passing: Mutex::new(Some(name)) }
    }

    /// The file of that lasting name, whose content is said to have this SHA-256.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(path: &Path, sha256: [u8; 32]) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        Ok(Self { file, len, sha256, passing: Mutex::default() })
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub const fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Puts it, under that lasting name, in the place of whatever bears it. False where it cannot be known that it is still
    /// there: it has been named before, somebody has swept away what has no lasting name, or it has not the length that it had.
    ///
    /// # Errors
    /// Where it cannot be renamed for another reason.
    pub fn name(&self, path: &Path) -> io::Result<bool> {
        let Some(passing) = self.passing.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(false);
        };
        let (is, stands) = (self.file.metadata()?, std::fs::metadata(&passing));
        let is_same = |stands: Metadata| (stands.dev(), stands.ino()) == (is.dev(), is.ino());
        if is.len() != self.len as u64 || !stands.is_ok_and(is_same) {
            return Ok(false);
        }
        match passing.persist(path) {
            Ok(()) => Ok(true),
            Err(refused) if refused.error.kind() == ErrorKind::NotFound => Ok(false),
            Err(refused) => Err(refused.error),
        }
    }

    /// The bytes from there on: some, and none only at the end.
    ///
    /// # Errors
    /// Where they cannot be read, or the file has become shorter.
    pub fn chunk(&self, from: usize) -> io::Result<Vec<u8>> {
        let mut chunk = vec![0; self.len.saturating_sub(from).min(CHUNK_BYTES)];
        self.file.read_exact_at(&mut chunk, u64::try_from(from).map_err(io::Error::other)?)?;
        Ok(chunk)
    }

    /// Reads it from its beginning to its end.
    ///
    /// # Errors
    /// As for [`Self::chunk`].
    pub fn read_through(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut at = 0;
        while at < self.len {
            let chunk = self.chunk(at)?;
            each(&chunk);
            at = at.saturating_add(chunk.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchase::BodyFolder;

    fn folder() -> (tempfile::TempDir, BodyFolder) {
        let above = tempfile::tempdir().unwrap();
        let folder = BodyFolder::new(above.path().join("bodies"));
        (above, folder)
    }

    #[test]
    fn a_file_is_gone_with_its_value_unless_it_has_a_lasting_name() {
        let (_above, folder) = folder();
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let body = || folder.write(&[7; 300_000]).unwrap();
        drop(body());
        assert_eq!(files(), 0);
        let (named, lasting) = (body(), folder.path().join("lasting"));
        std::fs::write(&lasting, "cut").unwrap();
        assert!(named.name(&lasting).unwrap());
        assert!(!named.name(&lasting).unwrap(), "once");
        drop(named);
        let opened = BodyFile::open(&lasting, [0; 32]).unwrap();
        assert_eq!((files(), opened.len()), (1, 300_000));
        std::fs::remove_file(&lasting).unwrap();
        assert_eq!(Body::Filed(opened.into()).bytes().unwrap().into_owned(), [7; 300_000]);
    }

    #[test]
    fn what_was_swept_away_gets_no_name_and_keeps_its_bytes() {
        let (_above, folder) = folder();
        let body = folder.write(b"body").unwrap();
        let name = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(name).unwrap();
        assert!(!body.name(&folder.path().join("lasting")).unwrap());
        assert_eq!(body.chunk(0).unwrap(), b"body");
    }

    #[test]
    fn what_is_not_whole_or_is_another_s_gets_no_name() {
        let (_above, folder) = folder();
        let lasting = folder.path().join("lasting");
        let cut = folder.write(b"body").unwrap();
        cut.file.set_len(3).unwrap();
        assert!(!cut.name(&lasting).unwrap());
        let replaced = folder.write(b"body").unwrap();
        let name = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let other = folder.path().join("other");
        std::fs::write(&other, b"ydob").unwrap();
        std::fs::rename(&other, name).unwrap();
        assert!(!replaced.name(&lasting).unwrap());
        assert!(!lasting.exists());
    }

    #[test]
    fn what_has_become_shorter_is_not_read() {
        let (_above, folder) = folder();
        let body = folder.write(b"body").unwrap();
        body.file.set_len(3).unwrap();
        assert!(body.read_through(|_| ()).is_err());
    }
}
