//! A manifest's bytes, wherever they come from.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::bounded_reader::{FromOffset, RECORD_BYTES_MAX};
use super::digest::FileDigest;
use super::read_to::ReadTo;
use crate::safe_open::{self, Opened};

/// The most that comes through a pipe, in bytes: a copy of it is kept while it is read.
const SPOOLED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A manifest's bytes: a regular file, or an unlinked temporary one that holds what came through a pipe.
pub(super) struct Bytes {
    file: Arc<File>,
    /// How many bytes it held when it was opened.
    pub(super) len: u64,
    modified: Option<SystemTime>,
    read_to: Arc<ReadTo>,
}

impl Bytes {
    /// Opens a file; what comes through a pipe is copied.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match safe_open::open(path)? {
            Opened::File(file) => Self::new(file),
            Opened::Pipe(mut pipe) => Self::spool(&mut pipe),
        }
    }

    /// Copies a stream into an unlinked temporary file.
    pub(super) fn spool(from: &mut dyn Read) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        let copied = io::copy(&mut from.take(SPOOLED_BYTES_MAX + 1), &mut file)?;
        if copied > SPOOLED_BYTES_MAX {
            let limit = SPOOLED_BYTES_MAX / (1024 * 1024 * 1024);
            return Err(io::Error::other(format!("more than {limit} GiB come through the pipe; save it as a file")));
        }
        file.flush()?;
        Self::new(file)
    }

    fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { len: metadata.len(), modified: modified(&metadata), file: Arc::new(file), read_to: Arc::default() })
    }

    /// Begins to hash all of it, behind what is read of it.
    pub(super) fn digest(&self) -> FileDigest {
        FileDigest::begin(&self.file, self.len, &self.read_to)
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

    /// Reads on from a position, to where the file ended when it was opened.
    pub(super) fn from(&self, offset: u64) -> FromOffset<'_> {
        FromOffset::new(&self.file, offset, self.len, Some(&self.read_to))
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}
