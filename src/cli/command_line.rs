//! A command that says a secret: `pass show lnd/macaroon`. Run without a shell, bounded in time and output; what it prints is
//! never shown, what it says on standard error always is.

use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// A password manager may have to ask its owner first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether the command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A program and its arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// From words as a shell would take them apart. Quotes are understood; nothing is expanded, and no shell is run.
    ///
    /// # Errors
    /// Where a quote is not closed, or there is no word.
    pub(in crate::cli) fn from_words(text: &str) -> Result<Self, String> {
        match shlex::split(text) {
            Some(words) if words.first().is_some_and(|program| !program.is_empty()) => Ok(Self(words)),
            Some(_) => Err("expected a program and its arguments".to_owned()),
            None => Err("expected a program and its arguments; a quote in it is not closed".to_owned()),
        }
    }

    /// The words in one text, from which [`Self::from_words`] makes the same again.
    ///
    /// # Errors
    /// Where a word holds a zero byte.
    pub(in crate::cli) fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Result<String, String> {
        shlex::try_join(words).map_err(|_| "a word of a command holds no zero byte".to_owned())
    }

    /// The program's name, which alone is shown: an argument may be a secret.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Runs it and gives back what it printed, at most `bytes_max` bytes of it.
    ///
    /// # Errors
    /// Where it cannot be run, fails, takes longer than a minute, or prints nothing or too much. In words that name the
    /// program, and nothing that it printed.
    pub(super) fn output(&self, bytes_max: u64) -> Result<Vec<u8>, String> {
        self.output_within(bytes_max, PATIENCE).map_err(|why| format!("the command `{} …` {why}", self.program()))
    }

    fn output_within(&self, bytes_max: u64, patience: Duration) -> Result<Vec<u8>, String> {
        let patience_ends = Instant::now() + patience;
        let late = || format!("did not end within {} s", patience.as_secs());
        let mut child = Command::new(self.program())
            .args(self.0.iter().skip(1))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be run: {error}"))?;
        let printed = match child.stdout.take() {
            Some(stdout) => collect(stdout, bytes_max),
            None => return Err("cannot be read".to_owned()),
        };
        let printed = printed.recv_timeout(patience_ends.saturating_duration_since(Instant::now()));
        let status = match &printed {
            Ok(Ok(bytes)) if bytes.len() as u64 <= bytes_max => wait(&mut child, patience_ends),
            Ok(_) | Err(_) => None,
        };
        let Some(status) = status else {
            // One that has just ended cannot be killed, and need not be.
            let _ = child.kill();
            let _ = child.wait();
            return match printed {
                Ok(Ok(bytes)) if bytes.len() as u64 > bytes_max => Err(format!("prints more than {bytes_max} bytes")),
                Ok(Err(error)) => Err(format!("cannot be read: {error}")),
                Ok(Ok(_)) | Err(_) => Err(late()),
            };
        };
        match printed {
            Ok(Ok(bytes)) if status.success() && !bytes.is_empty() => Ok(bytes),
            Ok(Ok(_)) if status.success() => Err("prints nothing".to_owned()),
            Ok(_) | Err(_) => Err(format!("failed ({status}); what it said stands above")),
        }
    }
}

/// Reads in a thread of its own: a program that keeps its output open must not hold up everything.
fn collect(stdout: impl Read + Send + 'static, bytes_max: u64) -> Receiver<std::io::Result<Vec<u8>>> {
    let (told, hear) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map(|_| bytes);
        // Where nobody waits any more, the command was too slow.
        let _ = told.send(read);
    });
    hear
}

fn wait(child: &mut Child, patience_ends: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < patience_ends => thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => return None,
        }
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLine({} …)", self.program())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, bytes_max: u64) -> Result<Vec<u8>, String> {
        CommandLine::from_words(line).unwrap().output_within(bytes_max, Duration::from_secs(20))
    }

    #[test]
    fn words_are_taken_apart_and_nothing_is_expanded() {
        assert_eq!(said("printf %s 'a  b' $HOME", 99).unwrap(), b"a  b$HOME");
        assert!(CommandLine::from_words("  ").is_err() && CommandLine::from_words("a 'b").is_err());
        let joined = CommandLine::joined(["sh", "-c", "echo 'x y'"].into_iter()).unwrap();
        assert_eq!(CommandLine::from_words(&joined).unwrap().0, ["sh", "-c", "echo 'x y'"]);
    }

    #[test]
    fn a_command_that_does_not_serve_is_named_without_what_it_printed() {
        for (line, words) in [
            ("/nowhere/at/all secret", "cannot be run"),
            ("sh -c 'echo secret; exit 3'", "failed (exit status: 3)"),
            ("true secret", "prints nothing"),
            ("sh -c 'while :; do echo secret; done'", "prints more than 99 bytes"),
        ] {
            let why = said(line, 99).unwrap_err();
            assert!(why.contains(words) && !why.contains("secret"), "{line}: {why}");
        }
        let line = CommandLine::from_words("pass show secret").unwrap();
        assert_eq!(format!("{line:?}"), "CommandLine(pass …)");
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        for line in ["sleep 600", "sh -c 'echo x; exec >&-; exec sleep 600'"] {
            let why = CommandLine::from_words(line).unwrap().output_within(99, Duration::from_millis(300)).unwrap_err();
            assert!(why.contains("did not end"), "{line}: {why}");
        }
    }
}
