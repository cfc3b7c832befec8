//! What names a ledger, as an option, a variable or the configuration file gives it. That it is a path is known to this file, to
//! the store whose it is, and to whoever keeps files of their own away from it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Hinted;
use crate::safe_open::scheme;

/// What the address of a server begins with.
const SERVERS: [&str; 2] = ["postgres", "postgresql"];

/// Where a ledger is, or would be, or a file is that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerAddress(PathBuf);

/// Why something is no address of a ledger. Says of what was given no more than its scheme: a password may stand in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was given.
    #[error("expected a path, got nothing")]
    Empty,
    /// It names a database's server.
    #[error("this version keeps a ledger in a file, and PostgreSQL keeps none")]
    Server,
    /// It is the address of something else.
    #[error("this version keeps a ledger in a file, and what begins with {0}:// is no path")]
    Scheme(String),
}

impl Hinted for AddressError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Empty => None,
            Self::Server | Self::Scheme(_) => Some("give the path of a file on a local disk".into()),
        }
    }
}

impl TryFrom<PathBuf> for LedgerAddress {
    type Error = AddressError;

    /// What a person gave.
    fn try_from(given: PathBuf) -> Result<Self, AddressError> {
        match scheme(&given).map(str::to_ascii_lowercase) {
            _ if given.as_os_str().is_empty() => Err(AddressError::Empty),
            Some(scheme) if SERVERS.contains(&scheme.as_str()) => Err(AddressError::Server),
            Some(scheme) => Err(AddressError::Scheme(scheme)),
            None => Ok(Self(given)),
        }
    }
}

impl LedgerAddress {
    /// That of a file, whatever it is called.
    #[must_use]
    pub const fn of_file(path: PathBuf) -> Self {
        Self(path)
    }

    /// The path of the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.0
    }

    /// Whether something is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.0.exists()
    }
}

impl fmt::Display for LedgerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_ledger_and_a_server_does_not() {
        let read = |text: &str| LedgerAddress::try_from(PathBuf::from(text));
        for path in [
            "ledger.db",
            "/var/lib/l.db",
            "./postgres://x",
            "postgres:",
            "postgres:/x",
            "C:\\l.db",
            "c://l.db",
            "a b://c",
            "é",
        ] {
            let address = read(path).unwrap();
            assert_eq!((address.to_string().as_str(), address.file()), (path, Path::new(path)));
        }
        for server in ["postgres://", "postgresql://u:secret@db/ledger?sslmode=require", "PostgreS://db"] {
            let refused = read(server).unwrap_err();
            assert_eq!(refused, AddressError::Server);
            assert!(!refused.told().contains("secret"));
        }
        for (other, scheme) in
            [("mysql://u:secret@db", "mysql"), ("S3://b/l", "s3"), ("file:///l.db", "file"), ("sqlite://l", "sqlite")]
        {
            let refused = read(other).unwrap_err();
            assert_eq!(refused, AddressError::Scheme(scheme.to_owned()));
            assert!(!refused.told().contains("secret"));
        }
        assert_eq!(read(""), Err(AddressError::Empty));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_taken_as_it_is() {
        use std::os::unix::ffi::OsStringExt;
        let name = PathBuf::from(std::ffi::OsString::from_vec(vec![b'l', 0xff, b'.', b'd']));
        assert_eq!(LedgerAddress::try_from(name.clone()).unwrap().file(), name);
    }
}
