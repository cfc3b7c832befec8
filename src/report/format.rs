//! The forms in which a command prints its result.

use std::io;

/// The version of every JSON document and event. Fields are only ever added to it.
pub const FORMAT_VERSION: u32 = 1;

/// How a command prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// A row a thing.
    Csv,
}

/// A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// Every other error, as it was.
pub fn pipe_closed_is_fine(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
