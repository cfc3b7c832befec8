//! What kind of screen there is, and writing to it.

use std::io::{self, IsTerminal, Write};

use jiff::tz::TimeZone;
use rustix::termios::tcgetwinsize;

use super::Failure;

/// Columns where nothing tells.
const WIDTH_DEFAULT: u16 = 100;

/// Whether standard error takes colour: a terminal, and `NO_COLOR` unset (no-color.org).
pub(super) fn color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The width of standard output's terminal, in columns.
pub(super) fn width() -> u16 {
    tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|columns| *columns > 0).unwrap_or(WIDTH_DEFAULT)
}

/// The system's time zone, in which a person reads times.
pub(super) fn zone() -> TimeZone {
    TimeZone::system()
}

/// Says something on standard error. Where that is closed there is nobody to tell.
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output through a buffer.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(Failure::Stdout)
}
