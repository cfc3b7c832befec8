//! What an error says: what went wrong (its message), why (its sources), and what to do about it (its hint), each by itself.
//! Here they become the one line that a person reads.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

/// An error that says what to do about it, apart from what went wrong.
pub trait Hinted: Error + 'static {
    /// What to do, in lower case; none where there is nothing to say.
    fn hint(&self) -> Option<Cow<'_, str>>;

    /// Message, causes and hint on one line: `the ledger cannot be used: the disk is full; make room, then run again`.
    fn told(&self) -> String
    where
        Self: Sized,
    {
        let mut line = chain(self);
        if let Some(hint) = self.hint() {
            let _ = write!(line, "; {hint}");
        }
        line
    }
}

/// An error's message, and behind it those of its causes. What a cause says that was said before is not said again.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !line.contains(&words) {
            let _ = write!(line, ": {words}");
        }
        next = cause.source();
    }
    line
}

/// Why an error came about, where that is told to several: an error of the system, or of a library.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct SharedError(Arc<dyn Error + Send + Sync>);

impl SharedError {
    /// That error, shared; or words, where there is nothing more to it.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }
}

/// Two are the same where they say the same.
impl PartialEq for SharedError {
    fn eq(&self, other: &Self) -> bool {
        chain(self) == chain(other)
    }
}

impl Eq for SharedError {}

impl From<std::io::Error> for SharedError {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{path} cannot be read")]
    struct Unread {
        path: &'static str,
        source: SharedError,
    }

    impl Hinted for Unread {
        fn hint(&self) -> Option<Cow<'_, str>> {
            Some("name another".into())
        }
    }

    #[test]
    fn message_causes_and_hint_become_one_line() {
        let error = Unread { path: "a.db", source: std::io::Error::other("no disk").into() };
        assert_eq!(error.to_string(), "a.db cannot be read");
        assert_eq!(error.told(), "a.db cannot be read: no disk; name another");
    }

    #[test]
    fn a_cause_that_repeats_the_message_is_told_once() {
        let error = Unread {
            path: "a.db",
            source: SharedError::new(Unread { path: "a.db", source: std::io::Error::other("no disk").into() }),
        };
        assert_eq!(chain(&error), "a.db cannot be read: no disk");
    }
}
