//! Which kind of ledger an address means. Nobody else names a kind: a further one is opened here.

use super::port::{Foresee, Locks, Merging};
use super::sqlite::{self, SqliteLedger};
use super::{Gap, LedgerAddress, LedgerError, Location, OpenMode};

/// A ledger that is open, whichever kind it is: used by the traits of [`port`](super::port).
pub type OpenLedger = SqliteLedger;

/// What it foresees.
pub type ForeseenHere<'b> = <OpenLedger as Foresee>::Foreseen<'b>;

/// The right to run one of its batches.
pub type LockHere = <OpenLedger as Locks>::Lock;

/// What can be brought into it.
pub type SourceHere = <OpenLedger as Merging>::Source;

/// Opens the ledger at that address; to write, what is missing of it is created.
///
/// # Errors
/// Where it cannot be used, is no ledger, is damaged, was written by a newer version, or lies where it cannot be relied upon.
pub fn open(address: &LedgerAddress, mode: OpenMode) -> Result<OpenLedger, LedgerError> {
    SqliteLedger::open(address.file(), mode)
}

/// A ledger of which nothing stays: what there is where none has begun.
///
/// # Errors
/// Where none is to be had.
pub fn in_memory() -> Result<OpenLedger, LedgerError> {
    SqliteLedger::in_memory()
}

/// Whether a ledger can be written at that address: looks, and creates nothing.
///
/// # Errors
/// Where it cannot be, or what is there is none.
pub fn check_location(address: &LedgerAddress) -> Result<Location, LedgerError> {
    sqlite::check_location(address.file())
}

/// Bytes that are free for the ledger at that address, whether it is there or not; none where nobody can tell.
///
/// # Errors
/// Where its place cannot be asked.
pub fn free_bytes(address: &LedgerAddress) -> Result<Option<u64>, LedgerError> {
    sqlite::free_bytes(address.file())
}

/// The files in which a ledger at that address is kept, whether they are there or not: nobody else may write to them.
#[must_use]
pub fn files_of(address: &LedgerAddress) -> Vec<LedgerAddress> {
    sqlite::files(address.file()).map(LedgerAddress::of_file).into()
}

/// What a ledger that a run would begin there would lack.
///
/// # Errors
/// Where that cannot be found out.
pub fn gap_of_new(address: &LedgerAddress) -> Result<Option<Gap>, LedgerError> {
    sqlite::gap_of_new(address.file())
}

/// Whether a ledger, of whichever program, is at that address; else it is something that is none.
///
/// # Errors
/// Where it cannot be read.
pub fn holds_ledger(address: &LedgerAddress) -> std::io::Result<bool> {
    sqlite::is_database(address.file())
}
