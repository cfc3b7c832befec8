//! What can go wrong inside a transaction, told apart by what becomes of it.

use rusqlite::ErrorCode;

use crate::ledger::LedgerError;
use crate::purchase::Reason;

/// The file is no database. Whoever opens it adds its name.
pub(super) const NO_DATABASE: &str =
    "the file is no ledger of l402-batch, or is damaged; name another with --ledger, or restore it from a backup";

/// Why a record was not written.
#[derive(Debug)]
pub(super) enum Fault {
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
        if is_of_the_record { Self::Contradiction(error.to_string()) } else { Self::Fatal(of_sqlite(&error)) }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Fatal(LedgerError::Io(error.to_string()))
    }
}

/// A contradiction, in words.
pub(super) fn contradiction<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Contradiction(what.into()))
}

/// A row that cannot be what it says: that of one job, where it is one job's.
pub(super) fn of_row(what: impl std::fmt::Display) -> LedgerError {
    let what = format!("the ledger is damaged in a row of this job: {what}; restore the ledger from a backup");
    LedgerError::OfJob { reason: Reason::RowDamaged, what }
}

/// What an error of SQLite means to the caller.
fn of_sqlite(error: &rusqlite::Error) -> LedgerError {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::QueryReturnedNoRows => {
            of_row(error)
        }
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => LedgerError::Foreign(NO_DATABASE.to_owned()),
            Some(ErrorCode::DatabaseCorrupt) => {
                LedgerError::Foreign(format!("the ledger is damaged: {error}; restore it from a backup"))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Io(
                "another process has kept it locked for too long; wait until that has ended, then run again".to_owned(),
            ),
            Some(ErrorCode::DiskFull) => LedgerError::Io("the disk is full; make room, then run again".to_owned()),
            Some(ErrorCode::CannotOpen) => LedgerError::Io(
                "it cannot be opened: file and folder must be there and writable, and not read-only; or name another with \
                 --ledger"
                    .to_owned(),
            ),
            Some(ErrorCode::ReadOnly) => {
                LedgerError::Io("it is read-only; make it writable, or name another with --ledger".to_owned())
            }
            _ => LedgerError::Io(error.to_string()),
        },
    }
}
