//! Why a command ended before it could do its work: in words, and with its exit code.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Write};

use crate::command::ledger;
use crate::diagnostic::{Diagnostic, render};
use crate::error::{Hinted, chain};
use crate::ledger::{LedgerError, LockError};
use crate::payer::NodeProblem;
use crate::plan::LimitTooLarge;
use crate::report::{FolderRefused, OutputRefused};
use crate::run::RunError;
use crate::run::signals::Stopped;
#[cfg(feature = "sandbox")]
use crate::sandbox::SandboxError;
use crate::screen::stderr_columns;

use crate::cli::ExitCode;
use crate::cli::terminal::{color, stderr};

/// Why a command could not do its work: what the rooms tell, and what the command line itself refuses.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command itself refuses.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The manifest, a catalogue or the configuration file is wrong: everything that is, in one pass.
    #[error("{}", render(.0, false, None))]
    Input(Vec<Diagnostic>),
    /// A person said no. Nothing was bought, and the same command asks again.
    #[error("nothing was bought")]
    Declined,
    /// A signal came before the first purchase.
    #[error("stopped: nothing new was bought; the same command goes on")]
    Stopped(Stopped),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The batch cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The run broke off.
    #[error(transparent)]
    Run(RunError),
    /// The node cannot be used; nothing was spent.
    #[error(transparent)]
    Node(#[from] NodeProblem),
    /// A limit is no amount.
    #[error(transparent)]
    Limit(#[from] LimitTooLarge),
    /// A run's files cannot be written.
    #[error(transparent)]
    Output(#[from] OutputRefused),
    /// A contact sheet cannot be written there.
    #[error(transparent)]
    Folder(#[from] FolderRefused),
    /// The sandbox cannot be started.
    #[cfg(feature = "sandbox")]
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Standard output could not be written. A reader that has gone is a success.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
}

/// What a command itself refuses, or could not do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of refusal it is: this decides how the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command line or the environment is wrong.
    Usage,
    /// Price or content is not as planned, or the batch belongs to another manifest.
    NotAsPlanned,
    /// The ledger's books differ from the node's, or from the receipts.
    BooksDiffer,
    /// What was given as a ledger is none.
    NoLedger,
    /// A limit does not hold what is to be bought; nothing was begun.
    Limit,
    /// The node can be used, but not for this: wrong network, too little balance. Nothing was spent.
    NodeUnfit,
    /// Another run holds the batch.
    Locked,
    /// What was to be written could not be: the same command later may.
    Unwritten,
    /// What there is to buy has become another while it was asked for: the same command later may buy it.
    Overtaken,
    /// A defect of this program, or of the machine under it.
    Internal,
}

impl CommandError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// The command line or the environment is wrong.
    pub(in crate::cli) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The command line or the environment is wrong, in the words of what read it.
    pub(in crate::cli) fn usage_of(error: &impl Hinted) -> Self {
        Self { hint: error.hint().map(Cow::into_owned), ..Self::usage(chain(error)) }
    }

    /// Price or content is not as planned, or the batch belongs to another manifest.
    pub(in crate::cli) fn not_as_planned(message: impl Into<String>) -> Self {
        Self::new(Kind::NotAsPlanned, message)
    }

    /// The ledger's books differ from the node's, or from the receipts.
    pub(in crate::cli) fn books_differ(message: impl Into<String>) -> Self {
        Self::new(Kind::BooksDiffer, message)
    }

    /// What was given as a ledger is none.
    pub(in crate::cli) fn no_ledger(message: impl Into<String>) -> Self {
        Self::new(Kind::NoLedger, message)
    }

    /// A limit does not hold what is to be bought; nothing was begun.
    pub(in crate::cli) fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }

    /// The node can be used, but not for this.
    pub(in crate::cli) fn node_unfit(message: impl Into<String>) -> Self {
        Self::new(Kind::NodeUnfit, message)
    }

    /// Another run holds the batch.
    pub(in crate::cli) fn locked(message: impl Into<String>) -> Self {
        Self::new(Kind::Locked, message)
    }

    /// What was to be written could not be.
    pub(in crate::cli) fn unwritten(message: impl Into<String>) -> Self {
        Self::new(Kind::Unwritten, message)
    }

    /// What there is to buy is no longer what was accepted.
    pub(in crate::cli) fn overtaken(message: impl Into<String>) -> Self {
        Self::new(Kind::Overtaken, message)
    }

    /// A defect of this program, or of the machine under it.
    pub(in crate::cli) fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// The same, with what to do.
    pub(in crate::cli) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same, with why.
    pub(in crate::cli) fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

impl Hinted for CommandError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }
}

impl Hinted for Failure {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Refused(refusal) => Hinted::hint(refusal),
            Self::Ledger(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Node(problem) => problem.hint(),
            Self::Output(refused) => refused.hint(),
            Self::Folder(refused) => refused.hint(),
            #[cfg(feature = "sandbox")]
            Self::Sandbox(error) => error.hint(),
            Self::Input(_) | Self::Declined | Self::Stopped(_) | Self::Limit(_) | Self::Stdout(_) => None,
        }
    }
}

/// The ledger is named: in a log of many runs nobody knows which it was.
impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(named(error))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::Run(match error {
            RunError::Ledger(error) => RunError::Ledger(named(error)),
            RunError::Defect(defect) => RunError::Defect(defect),
        })
    }
}

fn named(error: LedgerError) -> LedgerError {
    match ledger() {
        Some(ledger) => error.or_at(ledger.display()),
        None => error,
    }
}

impl Failure {
    /// What went wrong while something was printed: with what was to be printed, or with where it was to go.
    pub(in crate::cli) fn printing(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<LedgerError>()) {
            Some(unread) => unread.clone().into(),
            None => Self::Stdout(error),
        }
    }

    /// How the process ends.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Refused(refusal) => refusal.kind.code(),
            Self::Input(_) | Self::Limit(_) | Self::Output(_) | Self::Folder(_) => ExitCode::Usage,
            #[cfg(feature = "sandbox")]
            Self::Sandbox(_) => ExitCode::Usage,
            Self::Declined => ExitCode::Unfinished,
            Self::Stopped(Stopped::Interrupted) => ExitCode::Interrupted,
            Self::Stopped(Stopped::Terminated) => ExitCode::Terminated,
            Self::Lock(LockError::Locked { .. }) => ExitCode::Locked,
            Self::Ledger(LedgerError::Receipt(_)) => ExitCode::Usage,
            Self::Ledger(_) | Self::Lock(LockError::Io(_)) | Self::Run(RunError::Ledger(_)) => ExitCode::Ledger,
            Self::Node(_) => ExitCode::Node,
            Self::Stdout(error) if reader_has_gone(error) => ExitCode::Done,
            Self::Stdout(_) | Self::Run(RunError::Defect(_)) => ExitCode::Internal,
        }
    }

    /// Whether another run holds the batch.
    pub(in crate::cli) const fn is_locked(&self) -> bool {
        matches!(self, Self::Lock(LockError::Locked { .. }))
    }

    /// Whether the ledger can be used, and its books differ from the node's, or from the receipts.
    pub(in crate::cli) const fn is_of_books(&self) -> bool {
        matches!(self, Self::Refused(CommandError { kind: Kind::BooksDiffer, .. }))
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
            error => writeln!(out, "error: {}", error.told()),
        }
    }
}

impl Kind {
    const fn code(self) -> ExitCode {
        match self {
            Self::Usage => ExitCode::Usage,
            Self::NotAsPlanned => ExitCode::NotAsPlanned,
            Self::BooksDiffer | Self::NoLedger => ExitCode::Ledger,
            Self::Limit => ExitCode::Limit,
            Self::NodeUnfit => ExitCode::Node,
            Self::Locked => ExitCode::Locked,
            Self::Unwritten | Self::Overtaken => ExitCode::Unfinished,
            Self::Internal => ExitCode::Internal,
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
    use crate::ledger::Obstacle;

    #[test]
    fn a_reader_that_has_gone_is_a_success() {
        assert_eq!(Failure::Stdout(io::ErrorKind::BrokenPipe.into()).code(), ExitCode::Done);
        let hung_up = io::Error::from(rustix::io::Errno::IO);
        assert_eq!(Failure::Stdout(hung_up).code(), ExitCode::Done);
        assert_eq!(Failure::Stdout(io::ErrorKind::StorageFull.into()).code(), ExitCode::Internal);
    }

    /// What could not be read is no fault of where it was to be printed.
    #[test]
    fn a_ledger_that_fails_while_it_is_printed_is_told_as_the_ledger() {
        let failed = Failure::printing(io::Error::other(LedgerError::Io(Obstacle::DiskFull)));
        assert_eq!(failed.told(), "the ledger cannot be used: the disk is full; make room, then run again");
        assert_eq!(failed.code(), ExitCode::Ledger);
        assert_eq!(Failure::printing(io::ErrorKind::StorageFull.into()).code(), ExitCode::Internal);
    }

    #[test]
    fn a_refusal_tells_what_why_and_what_to_do_on_one_line() {
        let refusal =
            CommandError::usage("a.toml cannot be written").because(io::Error::other("no room")).hint("name another");
        let failure = Failure::from(refusal);
        assert_eq!(failure.to_string(), "a.toml cannot be written");
        assert_eq!(failure.told(), "a.toml cannot be written: no room; name another");
        assert_eq!(failure.code(), ExitCode::Usage);
    }
}
