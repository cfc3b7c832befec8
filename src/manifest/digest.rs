//! The digest of a manifest's bytes, found by a thread of its own while the rows are read.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use sha2::{Digest, Sha256};

use super::bounded_reader::FromOffset;
use super::image::{hash_rest, hex};

/// SHA-256 of a file, in lower-case hex, in the making.
pub(super) struct FileDigest {
    thread: Mutex<Option<JoinHandle<io::Result<String>>>>,
    done: OnceLock<Result<String, String>>,
}

impl FileDigest {
    /// Begins to read its first `len` bytes: a file that grows without end is not hashed without end. Without a thread to
    /// be had, it is read at once.
    pub(super) fn begin(file: &Arc<File>, len: u64) -> Self {
        let (here, there) = (Arc::clone(file), Arc::clone(file));
        let done = OnceLock::new();
        let thread = Builder::new().name("digest".to_owned()).spawn(move || digest(&there, len)).ok();
        if thread.is_none() {
            done.get_or_init(|| digest(&here, len).map_err(|e| e.to_string()));
        }
        Self { thread: Mutex::new(thread), done }
    }

    /// Waits for it.
    ///
    /// # Errors
    /// In words, where the file cannot be read.
    pub(super) fn get(&self) -> Result<&str, &str> {
        let done = self.done.get_or_init(|| {
            let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            let read = thread.and_then(|thread| thread.join().ok());
            read.ok_or("nothing reads it")?.map_err(|e| e.to_string())
        });
        done.as_deref().map_err(String::as_str)
    }
}

fn digest(file: &File, len: u64) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash_rest(&mut FromOffset::new(file, 0, len), &mut hash)?;
    Ok(hex(&hash.finalize()))
}
