//! A terminal that does not show what is typed while something is drawn on it.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};

/// Keys show nothing on the terminal of standard error for as long as this lives: an echoed Ctrl-C or line end would stand
/// in the middle of what is drawn there, and tear it. They work as ever.
#[derive(Debug)]
pub struct Unechoed(());

impl Unechoed {
    /// None where nothing was echoed, or the terminal is not this process's to change.
    #[must_use]
    pub fn begin() -> Option<Self> {
        (is_ours() && is_on() && set_echo(false)).then_some(Self(()))
    }

    /// Once more, where somebody else (a shell, after Ctrl-Z) has let the terminal show keys again.
    pub fn renew(&self) {
        if is_ours() && is_on() {
            set_echo(false);
        }
    }
}

impl Drop for Unechoed {
    fn drop(&mut self) {
        // In the background the shell has its own modes back already.
        if is_ours() {
            set_echo(true);
        }
    }
}

/// Whether this process is in the foreground: in the background, changing a terminal's modes would stop it.
fn is_ours() -> bool {
    tcgetpgrp(io::stderr()).is_ok_and(|foreground| foreground == getpgrp())
}

fn is_on() -> bool {
    tcgetattr(io::stderr()).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ECHO))
}

fn set_echo(on: bool) -> bool {
    let Ok(mut modes) = tcgetattr(io::stderr()) else { return false };
    modes.local_modes.set(LocalModes::ECHO, on);
    tcsetattr(io::stderr(), OptionalActions::Now, &modes).is_ok()
}
