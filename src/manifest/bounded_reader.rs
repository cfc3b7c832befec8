//! A file that is read by position, so that errors can look back at it while its rows stream.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use memchr::memchr_iter;

use super::quotes::Quotes;
use super::read_to::ReadTo;

/// The longest record that is read: a 32 MiB image as base64, and room for its prompt. A quote that is never closed
/// must not pull the rest of a large file into memory.
pub(super) const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most delimiters in one record, those in quoted text included: each cell costs memory, even an empty one.
pub(super) const RECORD_DELIMITERS_MAX: u64 = 1024 * 1024;

/// Reads a file from a position, without moving anyone else's.
pub(super) struct FromOffset<'a> {
    file: &'a File,
    offset: u64,
    end: u64,
    read_to: Option<&'a ReadTo>,
}

impl<'a> FromOffset<'a> {
    /// From a position to where the file ended when it was opened; whoever wants to know how far is told.
    pub(super) fn new(file: &'a File, offset: u64, end: u64, read_to: Option<&'a ReadTo>) -> Self {
        Self { file, offset, end, read_to }
    }

    /// Where it reads next.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

impl Read for FromOffset<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..left], self.offset)?;
        self.offset += n as u64;
        self.read_to.inspect(|read_to| read_to.reach(self.offset));
        Ok(n)
    }
}

impl Seek for FromOffset<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(from) => self.end.checked_add_signed(from),
            SeekFrom::Current(from) => self.offset.checked_add_signed(from),
        };
        self.offset = offset.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.offset)
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
