//! Why a command ended before it could do its work: in words, and with its exit code.

use std::io::{self, Write};

use crate::diagnostic::{Diagnostic, render};
use crate::ledger::LedgerError;
use crate::payer::NodeProblem;
use crate::run::signals::Stopped;
use crate::screen::stderr_columns;

use crate::cli::ExitCode;
use crate::cli::node::veiled;
use crate::cli::terminal::{color, stderr};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the environment is wrong.
    #[error("{0}")]
    Usage(String),
    /// The manifest, a catalogue or the configuration file is wrong: everything that is, in one pass.
    #[error("{}", render(.0, false, None))]
    Input(Vec<Diagnostic>),
    /// A person said no. Nothing was bought, and the same command asks again.
    #[error("nothing was bought")]
    Declined,
    /// A signal came before the first purchase.
    #[error("stopped: nothing new was bought; the same command goes on")]
    Stopped(Stopped),
    /// Price or content is not as planned, or the batch belongs to another manifest.
    #[error("{0}")]
    NotAsPlanned(String),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's books differ from the node's.
    #[error("{0}")]
    BooksDiffer(String),
    /// A limit does not hold what is to be bought; nothing was begun.
    #[error("{0}")]
    Limit(String),
    /// The node cannot be used; nothing was spent.
    #[error(transparent)]
    Node(#[from] NodeProblem),
    /// The node can be used, but not for this: wrong network, too little balance. Nothing was spent.
    #[error("{0}")]
    NodeUnfit(String),
    /// Another run holds the batch.
    #[error("{0}")]
    Locked(String),
    /// Standard output could not be written. A reader that has gone is a success.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[source] io::Error),
    /// A defect of this program, or of the machine under it.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// How the process ends.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Input(_) => ExitCode::Usage,
            Self::Declined => ExitCode::Unfinished,
            Self::Stopped(Stopped::Interrupted) => ExitCode::Interrupted,
            Self::Stopped(Stopped::Terminated) => ExitCode::Terminated,
            Self::NotAsPlanned(_) => ExitCode::NotAsPlanned,
            Self::Ledger(_) | Self::BooksDiffer(_) => ExitCode::Ledger,
            Self::Limit(_) => ExitCode::Limit,
            Self::Node(_) | Self::NodeUnfit(_) => ExitCode::Node,
            Self::Locked(_) => ExitCode::Locked,
            Self::Stdout(error) if reader_has_gone(error) => ExitCode::Done,
            Self::Stdout(_) | Self::Internal(_) => ExitCode::Internal,
        }
    }

    /// Says it on standard error, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let code = self.code();
        if code != ExitCode::Done {
            // Where standard error is closed there is nobody to tell; the code still tells it.
            let mut out = stderr();
            let _ = self.write(&mut out).and_then(|()| out.flush());
        }
        code
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Input(diagnostics) => out.write_all(render(diagnostics, color(), stderr_columns()).as_bytes()),
            // No error: it is what was asked for.
            Self::Declined | Self::Stopped(_) => writeln!(out, "{self}"),
            Self::Usage(_)
            | Self::NotAsPlanned(_)
            | Self::Ledger(_)
            | Self::BooksDiffer(_)
            | Self::Limit(_)
            | Self::Node(_)
            | Self::NodeUnfit(_)
            | Self::Locked(_)
            | Self::Stdout(_)
            | Self::Internal(_) => writeln!(out, "error: {}", veiled(&self.to_string())),
        }
    }
}

/// A closed pipe, or a terminal that was closed.
fn reader_has_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_gone_is_a_success() {
        assert_eq!(Failure::Stdout(io::ErrorKind::BrokenPipe.into()).code(), ExitCode::Done);
        let hung_up = io::Error::from(rustix::io::Errno::IO);
        assert_eq!(Failure::Stdout(hung_up).code(), ExitCode::Done);
        assert_eq!(Failure::Stdout(io::ErrorKind::StorageFull.into()).code(), ExitCode::Internal);
    }
}
