//! A file that is read by position, so that errors can look back at it while its rows stream.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use memchr::memchr_iter;

use super::digest::FileDigest;
use super::quotes::Quotes;
use crate::safe_open::{self, Opened};

/// The longest record that is read: a 32 MiB image as base64, and room for its prompt. A quote that is never closed
/// must not pull the rest of a large file into memory.
pub(super) const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most delimiters in one record, those in quoted text included: each cell costs memory, even an empty one.
pub(super) const RECORD_DELIMITERS_MAX: u64 = 1024 * 1024;
/// The most that comes through a pipe, in bytes: a copy of it is kept while it is read.
const SPOOLED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A manifest's bytes: a regular file, or an unlinked temporary one that holds what came through a pipe.
pub(super) struct Bytes {
    file: Arc<File>,
    /// How many bytes it held when it was opened.
    pub(super) len: u64,
    modified: Option<SystemTime>,
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
        Ok(Self { len: metadata.len(), modified: modified(&metadata), file: Arc::new(file) })
    }

    /// Begins to hash all of it.
    pub(super) fn digest(&self) -> FileDigest {
        FileDigest::begin(&self.file, self.len)
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
        FromOffset::new(&self.file, offset, self.len)
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

/// Reads a file from a position, without moving anyone else's.
pub(super) struct FromOffset<'a> {
    file: &'a File,
    offset: u64,
    end: u64,
}

impl<'a> FromOffset<'a> {
    /// From a position to where the file ended when it was opened.
    pub(super) fn new(file: &'a File, offset: u64, end: u64) -> Self {
        Self { file, offset, end }
    }
}

impl Read for FromOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..left], self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

/// What the csv reader reads: the file from its header on, always ended by a line end, with an allowance for each
/// record, and its quotes looked at.
pub(super) struct BoundedReader<'a> {
    from: FromOffset<'a>,
    /// What may still be read before the record that is being read counts as too long.
    allowance: u64,
    /// The same for delimiters.
    delimiters_left: u64,
    delimiter: u8,
    ends_line: bool,
    pub(super) quotes: Quotes,
}

impl<'a> BoundedReader<'a> {
    pub(super) fn new(from: FromOffset<'a>, delimiter: u8) -> Self {
        let quotes = Quotes::new(delimiter);
        let mut reader = Self { from, allowance: 0, delimiters_left: 0, delimiter, ends_line: true, quotes };
        reader.begin_record();
        reader
    }

    /// Another record begins, and may be as long as any.
    pub(super) const fn begin_record(&mut self) {
        self.allowance = RECORD_BYTES_MAX;
        self.delimiters_left = RECORD_DELIMITERS_MAX;
    }
}

impl Read for BoundedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowance == 0 {
            let limit = RECORD_BYTES_MAX / (1024 * 1024);
            return Err(io::Error::other(format!("a record is longer than {limit} MiB; is a quote left open?")));
        }
        if self.delimiters_left == 0 {
            return Err(io::Error::other(format!(
                "a record has more than {RECORD_DELIMITERS_MAX} cells; is it the right delimiter?"
            )));
        }
        let n = self.from.read(buffer)?;
        self.allowance = self.allowance.saturating_sub(n as u64);
        let read = buffer.get(..n).unwrap_or_default();
        self.delimiters_left = self.delimiters_left.saturating_sub(memchr_iter(self.delimiter, read).count() as u64);
        self.quotes.read(read);
        match (n, buffer.first_mut()) {
            (0, Some(first)) if !self.ends_line => {
                *first = b'\n';
                self.ends_line = true;
                self.quotes.read(b"\n");
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
