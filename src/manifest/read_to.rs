//! How far a file has been read, for whoever keeps behind that.

use std::sync::{Condvar, Mutex, PoisonError};

/// Whoever waits for a file to be read further is woken each so many bytes.
const STRIDE_BYTES: u64 = 1024 * 1024;

/// How far a file has been read. Its digest keeps behind that: ahead of it, it would take a processor from those who make a plan of the
/// rows, and have to wait for them in the end.
#[derive(Default)]
pub(super) struct ReadTo {
    to: Mutex<u64>,
    further: Condvar,
}

impl ReadTo {
    /// It has been read to there.
    pub(super) fn reach(&self, to: u64) {
        let mut known = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if to / STRIDE_BYTES > *known / STRIDE_BYTES {
            self.further.notify_all();
        }
        *known = to.max(*known);
    }

    /// Waits until it has been read to there, or hardly less.
    pub(super) fn wait_for(&self, to: u64) {
        let to = to / STRIDE_BYTES * STRIDE_BYTES;
        let known = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.further.wait_while(known, |known| *known < to));
    }
}
