//! The digest of a manifest's bytes, found by a thread of its own while the rows are read.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use sha2::{Digest, Sha256};

use super::bounded_reader::FromOffset;
use super::image::{hash_rest, hex};
use super::read_to::ReadTo;

/// Reads a file behind those who read it.
struct Behind<'a> {
    from: FromOffset<'a>,
    others: &'a ReadTo,
}

impl Read for Behind<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.others.wait_for(self.from.offset());
        self.from.read(buffer)
    }
}

/// SHA-256 of a file, in lower-case hex, in the making.
pub(super) struct FileDigest {
    thread: Mutex<Option<JoinHandle<io::Result<String>>>>,
    done: OnceLock<Result<String, String>>,
    read_to: Arc<ReadTo>,
}

impl FileDigest {
    /// Begins to read its first `len` bytes, behind those who read it: a file that grows without end is not hashed without end. Without
    /// a thread to be had, it is read at once.
    pub(super) fn begin(file: &Arc<File>, len: u64, read_to: &Arc<ReadTo>) -> Self {
        let (here, there) = (Arc::clone(file), Arc::clone(file));
        let (read_to, others) = (Arc::clone(read_to), Arc::clone(read_to));
        let done = OnceLock::new();
        let thread = Builder::new().name("digest".to_owned()).spawn(move || digest(&there, len, &others)).ok();
        if thread.is_none() {
            read_to.reach(u64::MAX);
            done.get_or_init(|| digest(&here, len, &read_to).map_err(|e| e.to_string()));
        }
        Self { thread: Mutex::new(thread), done, read_to }
    }

    /// Waits for it, and it for nobody any more.
    ///
    /// # Errors
    /// In words, where the file cannot be read.
    pub(super) fn get(&self) -> Result<&str, &str> {
        let done = self.done.get_or_init(|| {
            self.read_to.reach(u64::MAX);
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            let read = thread.and_then(|thread| thread.join().ok());
            read.ok_or("nothing reads it")?.map_err(|e| e.to_string())
        });
        done.as_deref().map_err(String::as_str)
    }
}

impl Drop for FileDigest {
    fn drop(&mut self) {
        // Its thread ends by itself.
        self.read_to.reach(u64::MAX);
    }
}

fn digest(file: &File, len: u64, others: &ReadTo) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash_rest(&mut Behind { from: FromOffset::new(file, 0, len, None), others }, &mut hash)?;
    Ok(hex(&hash.finalize()))
}
