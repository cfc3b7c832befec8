//! `catalog import`: endpoint tables of what a seller publishes, for a person to read. Nothing is asked for but the document, and nothing
//! uses the tables before a person names their file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use url::Url;

use crate::catalog::import::{ImportError, Imported, Source, Wanted, import};
use crate::cli::args::CatalogImportArgs;
use crate::cli::commands::new_file;
use crate::cli::options::config::UpdateFile;
use crate::cli::{CommandError, ExitCode, Failure, Format, node, terminal};
use crate::diagnostic::{closest, unread};
use crate::loopback::is_loopback;
use crate::origin::{HttpOptions, HttpOrigin, Origin as _};
use crate::run::{Clock, SystemClock};
use crate::safe_open;
use crate::screen::veiled;
use crate::terminal_text::printable;

/// Longest document that is read, in bytes.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// Longest beginning of every name, in characters.
const PREFIX_CHARS_MAX: usize = 12;

/// Reads the document, and prints or writes what was made of it.
pub(super) fn execute(args: &CatalogImportArgs) -> Result<ExitCode, Failure> {
    check_prefix(&args.name)?;
    let file = args.out.clone().map(|path| UpdateFile { path, overwrite: args.overwrite });
    file.as_ref().map_or(Ok(()), new_file::refuse_known)?;
    let place = Place::of(args)?;
    let shown = place.shown();
    let document = parsed(&shown, &place.read()?)?;
    let today = SystemClock.now().rfc3339().chars().take(10).collect::<String>();
    let source = Source { shown: &shown, base: place.base(), day: &today };
    let wanted = Wanted { prefix: &args.name, names: &args.endpoint };
    let imported = import(&document, &source, &wanted).map_err(|error| refused(&shown, error))?;
    if let Some(name) = args.endpoint.iter().find(|name| !imported.known.contains(name)) {
        return Err(unknown(&shown, name, &imported.known));
    }
    if !imported.names.is_empty() {
        let text = format!("{}{}{}", head(&source), imported.tables, tail(&imported));
        match &file {
            Some(file) => new_file::write(file, &text)?,
            None => terminal::print(Format::Json, |out| out.write_all(text.as_bytes()))?,
        }
    }
    terminal::say(&summary(&imported, &shown, file.as_ref()));
    Ok(if imported.names.is_empty() { ExitCode::Usage } else { ExitCode::Done })
}

fn check_prefix(prefix: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if prefix.len() <= PREFIX_CHARS_MAX && prefix.chars().all(fits) {
        return Ok(());
    }
    let rule = format!("--name: expected letters, digits, `-` and `_`, at most {PREFIX_CHARS_MAX}");
    Err(CommandError::usage(rule).into())
}

/// Where the document is.
enum Place {
    Stdin(Option<Url>),
    File(PathBuf, Option<Url>),
    Web(Url),
}

impl Place {
    fn of(args: &CatalogImportArgs) -> Result<Self, Failure> {
        let base = args.base.as_deref().map(|text| site("--base", text)).transpose()?;
        let path = Path::new(&args.source);
        match (args.source.as_str(), safe_open::scheme(path)) {
            ("-", _) => Ok(Self::Stdin(base)),
            (_, None) => Ok(Self::File(path.to_owned(), base)),
            (_, Some(_)) if base.is_some() => Err(CommandError::usage(
                "--base says where a file or standard input is from; an address says it itself",
            )
            .into()),
            (text, Some(_)) => Ok(Self::Web(site("SOURCE", text)?)),
        }
    }

    /// As people see it, without what may be a secret.
    fn shown(&self) -> String {
        match self {
            Self::Stdin(_) => "standard input".to_owned(),
            Self::File(path, _) => path.display().to_string(),
            Self::Web(url) => node::place(url),
        }
    }

    const fn base(&self) -> Option<&Url> {
        match self {
            Self::Stdin(base) | Self::File(_, base) => base.as_ref(),
            Self::Web(url) => Some(url),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Stdin(_) => {
                let mut bytes = Vec::new();
                let most = (DOCUMENT_BYTES_MAX as u64).saturating_add(1);
                let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
                read.map_err(|error| CommandError::usage("standard input cannot be read").because(error))?;
                if bytes.len() > DOCUMENT_BYTES_MAX { Err(too_long(&self.shown())) } else { Ok(bytes) }
            }
            Self::File(path, _) => {
                safe_open::read_small(path, DOCUMENT_BYTES_MAX as u64).map_err(|error| match error.kind() {
                    std::io::ErrorKind::InvalidData => too_long(&self.shown()),
                    _ => Failure::Input(vec![unread(&self.shown(), &error)]),
                })
            }
            Self::Web(url) => crate::cli::runtime()?.block_on(fetched(url)),
        }
    }
}

/// An address from which a document may come: as for endpoints, https, or this machine.
fn site(what: &str, text: &str) -> Result<Url, Failure> {
    let refuse = |why: &str| Failure::from(CommandError::usage(format!("{what}: {why}")));
    let url = Url::parse(text).map_err(|error| refuse(&format!("expected an https address ({error})")))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refuse("expected an https address"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(refuse("plain http is taken from this machine only: anyone on the way could change what is read"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("an address with a user name or password is not taken"));
    }
    Ok(url)
}

/// Asks once, without credentials; a redirect is followed within the site.
async fn fetched(url: &Url) -> Result<Vec<u8>, Failure> {
    let options = HttpOptions { result_body_bytes_max: DOCUMENT_BYTES_MAX, ..HttpOptions::default() };
    let origin =
        HttpOrigin::new(options).map_err(|error| CommandError::internal("no client for the web").because(error))?;
    let shown = node::place(url);
    let answer = origin
        .poll(url, &[], None)
        .await
        .map_err(|failure| CommandError::unwritten(format!("{shown} cannot be read")).because(failure))?;
    match answer.status {
        200..=299 => Ok(answer.body),
        300..=399 => Err(CommandError::usage(format!("{shown} answers {}: it is somewhere else", answer.status))
            .hint("name the address itself; no other site is followed")
            .into()),
        status => Err(CommandError::unwritten(format!("{shown} answers {status}"))
            .hint("is it published at another address of the site?")
            .into()),
    }
}

fn too_long(shown: &str) -> Failure {
    CommandError::usage(format!("{shown} is longer than {DOCUMENT_BYTES_MAX} bytes")).into()
}

fn parsed(shown: &str, bytes: &[u8]) -> Result<Json, Failure> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| CommandError::usage(format!("{shown} is not UTF-8")).because(error))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let not_json = |error: serde_json::Error| {
        let hint = match text.chars().next() {
            Some('<') => "it is a page: name the document itself, /.well-known/l402-services for instance",
            Some('{' | '[') => "it is broken, or deeper than is read",
            Some(_) | None => "convert YAML to JSON first: yq -o json",
        };
        CommandError::usage(format!("{shown} is not JSON")).because(error).hint(hint)
    };
    Ok(serde_json::from_str(text).map_err(not_json)?)
}

fn refused(shown: &str, error: ImportError) -> Failure {
    let hint = match error {
        ImportError::Nothing => {
            "/.well-known/l402-services, /.well-known/l402.json, and OpenAPI with x-payment-info (or an answer 402) are read"
        }
        ImportError::Swagger => "convert it to OpenAPI 3 first",
    };
    CommandError::usage(format!("{shown} cannot be imported")).because(error).hint(hint).into()
}

fn unknown(shown: &str, name: &str, known: &[String]) -> Failure {
    let meant = closest(name, known.iter().map(String::as_str));
    let help = meant.map_or_else(|| known.join(", "), |name| format!("{name}?"));
    CommandError::usage(printable(&format!("{shown} has no endpoint {name}: {help}"))).into()
}

fn head(source: &Source<'_>) -> String {
    format!(
        "# What {} says it sells, read on {} by `catalog import`, for you to read: nothing was asked for, and nothing uses it yet.\n\
         # `catalog check --catalog FILE` asks what each costs now, and pays nothing. Try each endpoint with one job first: `run --limit 1`.\n",
        printable(source.shown),
        source.day
    )
}

fn tail(imported: &Imported) -> String {
    if imported.left.is_empty() {
        return String::new();
    }
    let lines: String = imported.left.iter().map(|line| format!("# - {line}\n")).collect();
    format!("\n# Not expressed:\n{lines}")
}

/// What a person hears of it.
fn summary(imported: &Imported, shown: &str, file: Option<&UpdateFile>) -> String {
    let mut text = String::new();
    let mut say = |line: &str| {
        text.push_str(&printable(&veiled(line)));
        text.push('\n');
    };
    imported.left.iter().for_each(|line| say(&format!("not expressed: {line}")));
    imported.elsewhere.iter().for_each(|site| say(&format!("on another site than the document: {site}")));
    let (all, unpriced) = (imported.names.len(), imported.unpriced.len());
    if all == 0 {
        say(&format!("no endpoint of {shown} can be written"));
        return text;
    }
    let endpoints = if all == 1 { "endpoint" } else { "endpoints" };
    say(&format!(
        "{all} {endpoints} of {shown}: {} with a price that was read, {unpriced} without",
        all.saturating_sub(unpriced)
    ));
    if !imported.unpriced.is_empty() {
        say(&format!("unknown, and no job is planned before: the price of {}", imported.unpriced.join(", ")));
    }
    if let Some(file) = file {
        say(&format!(
            "{} is written, and nothing uses it yet: read it, then name it with --catalog or in the configuration",
            file.path.display()
        ));
    }
    text
}
