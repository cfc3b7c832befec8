//! Why a command ended before it could do its work: in words, and with its exit code.

use std::io::{self, Write};

use crate::diagnostic::Diagnostic;
use crate::ledger::LedgerError;
use crate::payer::NodeProblem;

use super::ExitCode;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the environment is wrong.
    #[error("{0}")]
    Usage(String),
    /// The manifest, a catalogue or the configuration file is wrong: everything that is, in one pass.
    #[error("{} in {}", errors(.0), files(.0))]
    Input(Vec<Diagnostic>),
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
    /// A command that is reserved, and has still to come.
    #[must_use]
    pub fn not_yet(command: &str) -> Self {
        Self::Usage(format!("`{command}` is not there yet; `l402-batch --help` lists what is"))
    }

    /// How the process ends.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::Input(_) => ExitCode::Usage,
            Self::NotAsPlanned(_) => ExitCode::NotAsPlanned,
            Self::Ledger(_) | Self::BooksDiffer(_) => ExitCode::Ledger,
            Self::Limit(_) => ExitCode::Limit,
            Self::Node(_) | Self::NodeUnfit(_) => ExitCode::Node,
            Self::Locked(_) => ExitCode::Locked,
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
            Self::Stdout(_) | Self::Internal(_) => ExitCode::Internal,
        }
    }

    /// Says it on standard error, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let code = self.code();
        if code != ExitCode::Done {
            // Where standard error is closed there is nobody to tell; the code still tells it.
            let _ = self.write(&mut io::stderr().lock());
        }
        code
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        if let Self::Input(diagnostics) = self {
            for diagnostic in diagnostics {
                write_diagnostic(out, diagnostic)?;
            }
        }
        writeln!(out, "error: {self}")
    }
}

/// One diagnostic as `file:line:column: message`, the line it means, and what to do.
fn write_diagnostic(out: &mut impl Write, diagnostic: &Diagnostic) -> io::Result<()> {
    writeln!(out, "{diagnostic}")?;
    if let Some(place) = &diagnostic.place {
        let before: String = place.text.chars().take(place.column.saturating_sub(1) as usize).map(blank).collect();
        writeln!(out, "    {}", place.text)?;
        writeln!(out, "    {before}{}", "^".repeat(place.width as usize))?;
    }
    for (place, words) in &diagnostic.related {
        writeln!(out, "    {}:{}:{}: {words}", diagnostic.file, place.line, place.column)?;
    }
    match &diagnostic.help {
        Some(help) => writeln!(out, "    help: {help}"),
        None => Ok(()),
    }
}

/// A tab stays a tab, so that the mark stands under what it means.
const fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

fn errors(diagnostics: &[Diagnostic]) -> String {
    match diagnostics.len() {
        1 => "an error".to_owned(),
        n => format!("{n} errors"),
    }
}

fn files(diagnostics: &[Diagnostic]) -> String {
    let mut files: Vec<&str> = diagnostics.iter().map(|d| d.file.as_str()).collect();
    files.dedup();
    files.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;

    fn written(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_reader_that_has_gone_is_a_success() {
        assert_eq!(Failure::Stdout(io::ErrorKind::BrokenPipe.into()).code(), ExitCode::Done);
        assert_eq!(Failure::Stdout(io::ErrorKind::StorageFull.into()).code(), ExitCode::Internal);
    }

    #[test]
    fn an_error_shows_its_place() {
        let source = SourceText::new("config.toml", "quiet = true\n\tmax_sat = 5\n");
        let error = Diagnostic::error("config.toml", "unknown key \"max_sat\"")
            .at(source.place(14..21))
            .help("did you mean \"max_sats\"?");
        assert_eq!(
            written(&Failure::Input(vec![error])),
            "config.toml:2:2: unknown key \"max_sat\"\n    \tmax_sat = 5\n    \t^^^^^^^\n    \
             help: did you mean \"max_sats\"?\nerror: an error in config.toml\n"
        );
    }
}
