//! A file that is read by position, so that errors can look back at it while its rows stream.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::digest::FileDigest;

/// The longest record that is read: a 32 MiB image as base64, and room for its prompt. A quote that is never closed
/// must not pull the rest of a large file into memory.
pub(super) const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A manifest's bytes: a regular file, or an unlinked temporary one that holds what came through a pipe.
pub(super) struct Bytes {
    file: Arc<File>,
    /// How many bytes it held when it was opened.
    pub(super) len: u64,
    modified: Option<SystemTime>,
}

impl Bytes {
    /// Opens a file; what is no regular file (a pipe) is copied.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory"));
        }
        if metadata.is_file() { Self::new(file) } else { Self::spool(&mut file) }
    }

    /// Copies a stream into an unlinked temporary file.
    pub(super) fn spool(from: &mut dyn Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        io::copy(from, &mut file)?;
        file.flush()?;
        Self::new(file)
    }

    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { len: metadata.len(), modified: modified(&metadata), file: Arc::new(file) })
    }

    /// Begins to hash all of it.
    pub(super) fn digest(&self) -> FileDigest {
        FileDigest::begin(&self.file)
    }

    /// Whether the file was written to since it was opened.
    pub(super) fn has_changed(&self) -> bool {
        self.file.metadata().map_or(true, |metadata| metadata.len() != self.len || modified(&metadata) != self.modified)
    }

    /// The bytes from `start` to `end`, at most [`RECORD_BYTES_MAX`] of them; fewer at the file's end.
    pub(super) fn slice(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let len = end.saturating_sub(start).min(RECORD_BYTES_MAX);
        self.from(start).take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads on from a position.
    pub(super) fn from(&self, offset: u64) -> FromOffset<'_> {
        FromOffset::new(&self.file, offset)
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

/// Reads a file from a position, without moving anyone else's.
pub(super) struct FromOffset<'a> {
    file: &'a File,
    offset: u64,
}

impl<'a> FromOffset<'a> {
    pub(super) fn new(file: &'a File, offset: u64) -> Self {
        Self { file, offset }
    }
}

impl Read for FromOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// What the csv reader reads: the file from its header on, always ended by a line end, with an allowance for each
/// record.
pub(super) struct Tape<'a> {
    from: FromOffset<'a>,
    /// What may still be read before the record that is being read counts as too long.
    pub(super) allowance: u64,
    ends_line: bool,
}

impl<'a> Tape<'a> {
    pub(super) fn new(from: FromOffset<'a>) -> Self {
        Self { from, allowance: RECORD_BYTES_MAX, ends_line: true }
    }
}

impl Read for Tape<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowance == 0 {
            let limit = RECORD_BYTES_MAX / (1024 * 1024);
            return Err(io::Error::other(format!("a record is longer than {limit} MiB; is a quote left open?")));
        }
        let n = self.from.read(buffer)?;
        self.allowance = self.allowance.saturating_sub(n as u64);
        match (n, buffer.first_mut()) {
            (0, Some(first)) if !self.ends_line => {
                *first = b'\n';
                self.ends_line = true;
                Ok(1)
            }
            (0, _) => Ok(0),
            (n, _) => {
                self.ends_line = buffer.get(n - 1) == Some(&b'\n');
                Ok(n)
            }
        }
    }
}
