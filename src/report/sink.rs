//! Where lines go: a writer that may break without breaking the run.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The mutex's content. Display state stays usable whatever happened to the thread that held it.
pub(super) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes whole lines until the first error, and then nothing more.
pub(super) struct Sink {
    inner: Mutex<Inner>,
}

struct Inner {
    /// None once writing has failed.
    out: Option<Box<dyn Write + Send>>,
    /// The error that ended it, unless the reader just went away.
    error: Option<io::Error>,
}

impl Sink {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Self { inner: Mutex::new(Inner { out: Some(Box::new(out)), error: None }) }
    }

    /// Writes one line (or several, with line feeds between) and flushes it, so that a reader at the other end of a pipe
    /// sees it now.
    pub(super) fn line(&self, text: &str) {
        let mut inner = locked(&self.inner);
        let Some(out) = &mut inner.out else { return };
        // One write, so that lines of several writers to one file do not mix.
        let text = crate::screen::veiled(text);
        let written = out.write_all(format!("{text}\n").as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written {
            inner.out = None;
            inner.error = (error.kind() != io::ErrorKind::BrokenPipe).then_some(error);
        }
    }

    /// The error that ended the writing, if any, once. A broken pipe is none.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        locked(&self.inner).error.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Breaking, Shared};

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_ends_the_writing() {
        let seen = Shared::default();
        let sink = Sink::new(Breaking::after(1, io::ErrorKind::BrokenPipe, seen.clone()));
        for text in ["one", "two", "three"] {
            sink.line(text);
        }
        assert_eq!(seen.text(), "one\n");
        assert!(sink.take_error().is_none());
    }

    #[test]
    fn a_full_disk_is_told_once() {
        let sink = Sink::new(Breaking::after(0, io::ErrorKind::StorageFull, Shared::default()));
        sink.line("one");
        assert_eq!(sink.take_error().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
        assert!(sink.take_error().is_none());
    }
}
