//! Secrets that go in the head of requests: read where the configuration file says, and only for endpoints that it lets have them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::{Endpoint, origin_of, toml_text};
use crate::diagnostic::Diagnostic;
use crate::origin::{ReadSecret, SecretHeaders, SecretUnread};
use crate::safe_open;

use crate::cli::options::tables::{SecretFrom, Tables};
use crate::cli::{CommandError, Failure};

/// No secret is longer: it has to fit into a header.
const BYTES_MAX: u64 = 4 * 1024;

/// The secrets that a configuration names. None is read before it is needed.
pub(super) fn of(tables: &Tables) -> SecretHeaders {
    let mut secrets = SecretHeaders::default();
    for (name, entry) in &tables.secrets {
        let from = entry.from.clone();
        let read: ReadSecret = Arc::new(move || read(&from));
        secrets.add(name, entry.origins.clone(), read);
    }
    secrets
}

fn read(from: &SecretFrom) -> Result<String, SecretUnread> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| SecretUnread("it is not UTF-8".to_owned()));
    match from {
        SecretFrom::File(path) => text(of_file(path)?),
        SecretFrom::Command(line) => text(line.output(BYTES_MAX).map_err(SecretUnread)?),
        SecretFrom::Variable(name) => {
            std::env::var(name).map_err(|_| SecretUnread(format!("the variable {name} is not set, or not UTF-8")))
        }
    }
}

fn of_file(path: &Path) -> Result<Vec<u8>, SecretUnread> {
    safe_open::read_small(path, BYTES_MAX).map_err(|error| SecretUnread(format!("{}: {error}", path.display())))
}

/// What should be mended about the files in which they stand.
pub(super) fn warnings(tables: &Tables) -> Vec<String> {
    let files = tables.secrets.iter().filter_map(|(name, entry)| match &entry.from {
        SecretFrom::File(path) => Some((name, path)),
        SecretFrom::Command(_) | SecretFrom::Variable(_) => None,
    });
    let open = files.filter(|(_, path)| safe_open::is_readable_by_all(path));
    let words = |(name, path): (&String, &PathBuf)| {
        format!("{}: everybody on this machine can read the secret {name}; do `chmod o-r` on it", path.display())
    };
    open.map(words).collect()
}

/// That the configuration lets each of these endpoints send what it names.
///
/// # Errors
/// Each that it does not let, with the lines that would.
pub(super) fn check(endpoints: &[Arc<Endpoint>], secrets: &SecretHeaders) -> Result<(), Failure> {
    let mut wrong = Vec::new();
    for endpoint in endpoints {
        for (header, name) in endpoint.headers.iter().filter_map(|header| Some((header, header.secret()?))) {
            let Some(why) = secrets.why_not(name, &endpoint.url) else { continue };
            let at = &endpoint.defined_in;
            let words = format!("endpoint.{}.headers.{}: {why}", endpoint.name, header.name);
            let help = format!(
                "in the configuration file: [secret.{name}] with one of file = \"…\", command = [\"…\"], env = \"…\", and origins = [{}]",
                toml_text(&origin_of(&endpoint.url))
            );
            wrong.push(Diagnostic::error(at, words).help(help));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::Input(wrong)) }
}

/// Reads what these endpoints send, before anything is asked.
///
/// # Errors
/// Where one cannot be had.
pub(super) fn read_all(endpoints: &[Arc<Endpoint>], secrets: &SecretHeaders) -> Result<(), Failure> {
    for endpoint in endpoints {
        for name in endpoint.headers.iter().filter_map(|header| header.secret()) {
            secrets.value(name, &endpoint.url).map_err(|why| {
                CommandError::usage(why.to_string()).hint("see [secret] in the configuration file; nothing was bought")
            })?;
        }
    }
    Ok(())
}
