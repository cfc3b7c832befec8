//! What names a ledger, as an option, a variable or the configuration file gives it. That it is a path is known to this file, to
//! the store whose it is, and to whoever keeps files of their own away from it.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Hinted;

/// What the address of a server begins with.
const SERVERS: [&str; 2] = ["postgres://", "postgresql://"];

/// Where a ledger is, or would be, or a file is that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerAddress(PathBuf);

/// Why something is no address of a ledger. Says nothing of what was given: a password may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was given.
    #[error("expected a path, got nothing")]
    Empty,
    /// It names a database's server.
    #[error("this version keeps a ledger in a file, and PostgreSQL keeps none")]
    Server,
}

impl Hinted for AddressError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Empty => None,
            Self::Server => Some("give the path of a file on a local disk".into()),
        }
    }
}

impl TryFrom<PathBuf> for LedgerAddress {
    type Error = AddressError;

    /// What a person gave.
    fn try_from(given: PathBuf) -> Result<Self, AddressError> {
        let bytes = given.as_os_str().as_encoded_bytes();
        let begins = |server: &&str| {
            bytes.get(..server.len()).is_some_and(|start| start.eq_ignore_ascii_case(server.as_bytes()))
        };
        match bytes {
            [] => Err(AddressError::Empty),
            _ if SERVERS.iter().any(begins) => Err(AddressError::Server),
            _ => Ok(Self(given)),
        }
    }
}

impl LedgerAddress {
    /// That of a file, whatever it is called.
    #[must_use]
    pub const fn of_file(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file.
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
        for path in
            ["ledger.db", "/var/lib/l.db", "./postgres://x", "postgres:", "postgres:/x", "postgresql", "a b", "é"]
        {
            let address = read(path).unwrap();
            assert_eq!((address.to_string().as_str(), address.file()), (path, Path::new(path)));
        }
        for server in ["postgres://", "postgresql://u:secret@db/ledger?sslmode=require", "PostgreS://db"] {
            let refused = read(server).unwrap_err();
            assert_eq!(refused, AddressError::Server);
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
