//! Writing to the terminal, or to what stands in its place.

use std::io::{self, IsTerminal, Write};

use jiff::tz::TimeZone;

use crate::screen::{Folding, stderr_columns, stdout_columns};

use crate::cli::{Failure, Format};

/// Whether standard error takes colour: a terminal, and `NO_COLOR` unset (no-color.org).
pub(super) fn color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The system's time zone, in which a person reads times.
pub(super) fn zone() -> TimeZone {
    TimeZone::system()
}

/// Says something on standard error. Where that is closed there is nobody to tell.
pub(super) fn say(text: &str) {
    let mut out = stderr();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Standard error, for a person: lines are folded where it is a terminal.
pub(super) fn stderr() -> Folding<io::Stderr> {
    Folding::new(io::stderr(), stderr_columns())
}

/// Writes to standard output through a buffer. What is for a person is folded where it is a terminal; what is for a program
/// never is.
pub(super) fn print(format: Format, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let columns = match format {
        Format::Table => stdout_columns(),
        Format::Json | Format::Csv => None,
    };
    let mut out = Folding::new(io::BufWriter::new(io::stdout().lock()), columns);
    write(&mut out).and_then(|()| out.flush()).map_err(Failure::printing)
}
