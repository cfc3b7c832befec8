//! What can go wrong inside a transaction, told apart by what becomes of it.

use rusqlite::{ErrorCode, ffi};

use crate::error::SharedError;
use crate::ledger::{Damage, Lack, LedgerError, Obstacle};

/// Why a record was not written.
#[derive(Debug)]
pub enum Fault {
    /// The record contradicts the rows. Nothing of it is written; the records beside it stand.
    Contradiction(String),
    /// The ledger itself cannot be used. The whole transaction is lost.
    Fatal(LedgerError),
}

impl Fault {
    /// The error that the caller sees.
    pub(super) fn into_error(self) -> LedgerError {
        match self {
            Self::Contradiction(what) => LedgerError::Contradiction(what),
            Self::Fatal(error) => error,
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Fatal(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let is_of_the_record = match &error {
            // A number that no ledger can hold.
            rusqlite::Error::ToSqlConversionFailure(_) => true,
            // The schema's own checks are the last of the asserts.
            error => error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation),
        };
        if is_of_the_record { Self::Contradiction(error.to_string()) } else { Self::Fatal(of_sqlite(error)) }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Fatal(LedgerError::system(error))
    }
}

/// A contradiction, in words.
pub(super) fn contradiction<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Contradiction(what.into()))
}

/// A row that cannot be what it says: that of one job, where it is one job's.
pub(super) fn of_row(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LedgerError {
    Lack::row(what).into()
}

/// What an error of SQLite means to the caller.
pub(super) fn of_sqlite(error: rusqlite::Error) -> LedgerError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..)
        | rusqlite::Error::QueryReturnedNoRows => of_row(error),
        _ => match error.sqlite_error_code() {
            // Whoever opens it adds its name.
            Some(ErrorCode::NotADatabase) => Damage::Unreadable { file: None }.into(),
            Some(ErrorCode::DatabaseCorrupt) => {
                Damage::Corrupt { file: None, source: SharedError::new(words(&error)) }.into()
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Io(Obstacle::Busy),
            Some(ErrorCode::DiskFull) => LedgerError::Io(Obstacle::DiskFull),
            // What all connections share of the log stands in a file that could not grow.
            Some(_) if of_code(&error) == Some(ffi::SQLITE_IOERR_SHMSIZE) => LedgerError::Io(Obstacle::DiskFull),
            Some(ErrorCode::CannotOpen) => LedgerError::Io(Obstacle::Unopened),
            Some(ErrorCode::ReadOnly) => LedgerError::Io(Obstacle::ReadOnly),
            _ => LedgerError::system(words(&error)),
        },
    }
}

fn of_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// SQLite's own words, once, and its number for them.
fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(failure, Some(text)) => format!("{text} (SQLite {})", failure.extended_code),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_grow_is_a_full_disk() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
            let found = of_sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(matches!(found, LedgerError::Io(Obstacle::DiskFull)), "{code}: {found:?}");
        }
        let found = of_sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_READ), None));
        assert!(matches!(found, LedgerError::Io(Obstacle::System(_))), "{found:?}");
    }
}
