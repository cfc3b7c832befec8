//! What one source (flags, environment, configuration file) says, and how sources are laid over each other.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use url::Url;

use crate::download::name::Template;
use crate::manifest::{Duplicates, Limits};
use crate::payer::looks_like_macaroon;

use super::command_line::CommandLine;
use super::flags::{
    DownloadArgs, DownloadToArgs, LedgerArgs, LimitArgs, NodeArgs, OutputArgs, PaceArgs, ReadingArgs, TargetArgs,
};
use super::values::{self, Deadline, Format, ManifestFormat, Pair};

/// What every variable begins with.
pub(super) const PREFIX: &str = "L402_BATCH_";

/// The options that one source gives. What it does not give is none or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Where the ledger is.
    pub ledger: Option<PathBuf>,
    /// Catalogue files, in order.
    pub catalog: Vec<PathBuf>,
    /// How the manifest is written.
    pub manifest_format: Option<ManifestFormat>,
    /// The batch's name.
    pub batch: Option<String>,
    /// Defaults for parameters.
    pub default: Vec<Pair>,
    /// CSV columns under other headers.
    pub column: Vec<Pair>,
    /// The CSV's delimiter.
    pub delimiter: Option<u8>,
    /// How to print.
    pub format: Option<Format>,
    /// Whether to print only what needs a person.
    pub quiet: Option<bool>,
    /// What may be spent.
    pub limits: Limits,
    /// Whether to buy what fits.
    pub partial: Option<bool>,
    /// The node's address.
    pub lnd_url: Option<Url>,
    /// The macaroon.
    pub lnd_macaroon: Option<MacaroonSource>,
    /// The node's certificate.
    pub lnd_cert: Option<CertSource>,
    /// lnd's own folder.
    pub lnd_dir: Option<PathBuf>,
    /// Which network's macaroon of that folder.
    pub lnd_network: Option<String>,
    /// Jobs in flight.
    pub jobs_in_flight: Option<u32>,
    /// Payments in flight.
    pub payments_in_flight: Option<u32>,
    /// Requests a second and host.
    pub requests_per_second: Option<u32>,
    /// The breaker's count.
    pub max_undelivered: Option<u32>,
    /// Payments in doubt with which nothing new is bought.
    pub max_doubt: Option<u32>,
    /// How long to wait for doubt.
    pub wait_doubt: Option<Duration>,
    /// How long an invoice may live.
    pub max_invoice_life: Option<Duration>,
    /// When to stop admission.
    pub deadline: Option<Deadline>,
    /// Whether to go on without asking.
    pub yes: Option<bool>,
    /// Whether to stop before the first request.
    pub dry_run: Option<bool>,
    /// At most so many purchases.
    pub limit: Option<u64>,
    /// Only these jobs.
    pub only: Vec<String>,
    /// What becomes of jobs that are bought already elsewhere.
    pub duplicates: Option<Duplicates>,
    /// Whether a new batch is refused.
    pub resume: Option<bool>,
    /// Where results go.
    pub results: Option<PathBuf>,
    /// Where receipts go.
    pub receipts: Option<PathBuf>,
    /// Where files go.
    pub download: Option<PathBuf>,
    /// How files are called.
    pub download_name: Option<Template>,
    /// Files that are fetched at once.
    pub downloads_in_flight: Option<u32>,
    /// Fetches a second and host.
    pub downloads_per_second: Option<u32>,
    /// The largest file, in MiB.
    pub max_file_mib: Option<u32>,
    /// How long nothing may come.
    pub download_idle: Option<Duration>,
    /// Whether it is play money.
    pub sandbox: Option<bool>,
}

/// Where the macaroon stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacaroonSource {
    /// In a file: binary, hex or base64.
    File(PathBuf),
    /// It stands itself where its file is to be named: a mistake, of which nothing is kept.
    Pasted,
    /// In the environment, in hex or base64.
    Text(Secret),
    /// A command says it.
    Command(CommandLine),
}

impl MacaroonSource {
    /// From what was given as its file's name.
    fn file(path: PathBuf) -> Self {
        if path.to_str().is_some_and(|text| looks_like_macaroon(text.trim())) { Self::Pasted } else { Self::File(path) }
    }
}

/// Where the node's certificate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertSource {
    /// In a file, PEM or base64.
    File(PathBuf),
    /// In the environment, PEM or base64.
    Text(String),
    /// A command says it.
    Command(CommandLine),
}

/// A text that shows no content in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for the node. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An option that a variable can set, and perhaps the configuration file.
pub(super) struct Key {
    /// Its name in the file; with dashes the flag, in upper case after the prefix the variable.
    pub name: &'static str,
    /// Whether it makes sense for good, and so may stand in the configuration file.
    pub in_file: bool,
    /// What separates several values in a variable, where it takes several.
    pub separator: Option<char>,
    /// Whether an array in the file is one value: the words of a command.
    pub words: bool,
    /// Sets it (or adds to it) from a text.
    pub set: fn(&mut Layer, &str) -> Result<(), String>,
}

const fn lasting(name: &'static str, set: fn(&mut Layer, &str) -> Result<(), String>) -> Key {
    Key { name, in_file: true, separator: None, words: false, set }
}

const fn passing(name: &'static str, set: fn(&mut Layer, &str) -> Result<(), String>) -> Key {
    Key { name, in_file: false, separator: None, words: false, set }
}

const fn several(key: Key, separator: char) -> Key {
    Key { separator: Some(separator), ..key }
}

const fn command(key: Key) -> Key {
    Key { words: true, ..key }
}

/// Flags that are a person's word for this one command: a variable that is left set must not say them again.
pub(super) const FLAG_ONLY: [&str; 15] = [
    "retake",
    "retake_changed",
    "retake_refunded",
    "trust",
    "adopt",
    "overwrite",
    "all",
    "job",
    "jobs",
    "state",
    "as",
    "note",
    "no_ask",
    "proof",
    "missing",
];

/// Every option that has a variable.
pub(super) const KEYS: [Key; 50] = [
    lasting("ledger", |l, t| put(&mut l.ledger, path(t))),
    several(lasting("catalog", |l, t| path(t).map(|file| l.catalog.push(file))), ':'),
    lasting("max_sats", |l, t| put(&mut l.limits.max_sats, values::sats(t))),
    lasting("max_sats_per_job", |l, t| put(&mut l.limits.max_sats_per_job, values::sats(t))),
    lasting("max_sats_per_day", |l, t| put(&mut l.limits.max_sats_per_day, values::sats(t))),
    lasting("max_sats_per_month", |l, t| put(&mut l.limits.max_sats_per_month, values::sats(t))),
    lasting("time_zone", |l, t| put(&mut l.limits.time_zone, values::time_zone(t))),
    lasting("max_fee_ppm", |l, t| put(&mut l.limits.max_fee_ppm, values::ppm(t))),
    lasting("fee_floor_sats", |l, t| put(&mut l.limits.fee_floor_sats, values::sats(t))),
    lasting("partial", |l, t| put(&mut l.partial, values::boolean(t))),
    lasting("lnd_url", |l, t| put(&mut l.lnd_url, url(t))),
    lasting("lnd_macaroon_file", |l, t| path(t).and_then(|file| macaroon(l, MacaroonSource::file(file)))),
    passing("lnd_macaroon", |l, t| macaroon(l, MacaroonSource::Text(Secret(t.trim().to_owned())))),
    command(lasting("lnd_macaroon_command", |l, t| {
        CommandLine::from_words(t).and_then(|line| macaroon(l, MacaroonSource::Command(line)))
    })),
    lasting("lnd_cert_file", |l, t| path(t).and_then(|file| certificate(l, CertSource::File(file)))),
    passing("lnd_cert", |l, t| certificate(l, CertSource::Text(t.to_owned()))),
    command(lasting("lnd_cert_command", |l, t| {
        CommandLine::from_words(t).and_then(|line| certificate(l, CertSource::Command(line)))
    })),
    lasting("lnd_dir", |l, t| put(&mut l.lnd_dir, path(t))),
    lasting("lnd_network", |l, t| put(&mut l.lnd_network, values::lnd_network(t))),
    lasting("jobs_in_flight", |l, t| put(&mut l.jobs_in_flight, values::jobs_in_flight(t))),
    lasting("payments_in_flight", |l, t| put(&mut l.payments_in_flight, values::payments_in_flight(t))),
    lasting("requests_per_second", |l, t| put(&mut l.requests_per_second, values::from_one(t))),
    lasting("max_undelivered", |l, t| put(&mut l.max_undelivered, values::from_one(t))),
    lasting("max_doubt", |l, t| put(&mut l.max_doubt, values::from_one(t))),
    lasting("wait_doubt", |l, t| put(&mut l.wait_doubt, values::duration(t))),
    lasting("max_invoice_life", |l, t| put(&mut l.max_invoice_life, values::duration(t))),
    lasting("download", |l, t| put(&mut l.download, path(t))),
    lasting("download_name", |l, t| put(&mut l.download_name, t.parse())),
    lasting("downloads_in_flight", |l, t| put(&mut l.downloads_in_flight, values::downloads_in_flight(t))),
    lasting("downloads_per_second", |l, t| put(&mut l.downloads_per_second, values::from_one(t))),
    lasting("max_file_mib", |l, t| put(&mut l.max_file_mib, values::file_mib(t))),
    lasting("download_idle", |l, t| put(&mut l.download_idle, values::idle(t))),
    lasting("quiet", |l, t| put(&mut l.quiet, values::boolean(t))),
    passing("format", |l, t| put(&mut l.format, word(t))),
    passing("json", |l, t| {
        values::boolean(t).map(|json| {
            if json {
                l.format = Some(Format::Json)
            }
        })
    }),
    passing("manifest_format", |l, t| put(&mut l.manifest_format, word(t))),
    passing("batch", |l, t| put(&mut l.batch, named(t))),
    several(passing("default", |l, t| t.parse().map(|pair| l.default.push(pair))), '\n'),
    several(passing("column", |l, t| t.parse().map(|pair| l.column.push(pair))), '\n'),
    passing("delimiter", |l, t| put(&mut l.delimiter, values::delimiter(t))),
    passing("deadline", |l, t| put(&mut l.deadline, t.parse())),
    passing("yes", |l, t| put(&mut l.yes, values::boolean(t))),
    passing("dry_run", |l, t| put(&mut l.dry_run, values::boolean(t))),
    passing("limit", |l, t| put(&mut l.limit, values::count(t))),
    several(passing("only", |l, t| named(t).map(|id| l.only.push(id))), ','),
    passing("duplicates", |l, t| put(&mut l.duplicates, values::duplicates_of_variable(t))),
    passing("resume", |l, t| put(&mut l.resume, values::boolean(t))),
    passing("results", |l, t| put(&mut l.results, path(t))),
    passing("receipts", |l, t| put(&mut l.receipts, path(t))),
    passing("sandbox", |l, t| put(&mut l.sandbox, values::boolean(t))),
];

/// The names of the options that make sense for good, and of those that name the node.
pub(super) fn lasting_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter(|key| key.in_file || key.name.starts_with("lnd_")).map(|key| key.name)
}

/// The variable that sets the same as a flag, where there is one.
pub(super) fn variable_of_flag(flag: &str) -> Option<String> {
    let name = flag.replace('-', "_");
    let known = name == "config" || KEYS.iter().any(|key| key.name == name);
    if known { Some(variable(&name)) } else { None }
}

/// The variable of a key.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase())
}

fn put<T>(place: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *place = Some(value?);
    Ok(())
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("expected a path, got nothing".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn named(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("expected a name, got nothing".to_owned()) } else { Ok(text.to_owned()) }
}

fn url(text: &str) -> Result<Url, String> {
    Url::parse(text.trim()).map_err(|error| format!("expected a URL such as https://127.0.0.1:8080: {error}"))
}

fn macaroon(layer: &mut Layer, source: MacaroonSource) -> Result<(), String> {
    match layer.lnd_macaroon {
        None => put(&mut layer.lnd_macaroon, Ok(source)),
        Some(_) => Err("the macaroon is given twice, of file, content and command; keep one".to_owned()),
    }
}

fn certificate(layer: &mut Layer, source: CertSource) -> Result<(), String> {
    match layer.lnd_cert {
        None => put(&mut layer.lnd_cert, Ok(source)),
        Some(_) => Err("the certificate is given twice, of file, content and command; keep one".to_owned()),
    }
}

fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text.trim(), true).map_err(|_| {
        let words: Vec<String> =
            T::value_variants().iter().filter_map(|v| v.to_possible_value()).map(|v| v.get_name().to_owned()).collect();
        format!("expected one of {}, got \"{text}\"", words.join(", "))
    })
}

/// A flag that is set says yes; one that is not says nothing.
pub(super) const fn said(flag: bool) -> Option<bool> {
    if flag { Some(true) } else { None }
}

impl Layer {
    /// This layer over a `lower` one: what both give is this one's, except catalogues (both, the lower first, so that
    /// this one's entries win) and limits (the tightest).
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            ledger: self.ledger.or(lower.ledger),
            catalog: lower.catalog.into_iter().chain(self.catalog).collect(),
            manifest_format: self.manifest_format.or(lower.manifest_format),
            batch: self.batch.or(lower.batch),
            default: first_given(self.default, lower.default),
            column: first_given(self.column, lower.column),
            delimiter: self.delimiter.or(lower.delimiter),
            format: self.format.or(lower.format),
            quiet: self.quiet.or(lower.quiet),
            limits: tightest(&self.limits, &lower.limits),
            partial: self.partial.or(lower.partial),
            lnd_url: self.lnd_url.or(lower.lnd_url),
            lnd_macaroon: self.lnd_macaroon.or(lower.lnd_macaroon),
            lnd_cert: self.lnd_cert.or(lower.lnd_cert),
            lnd_dir: self.lnd_dir.or(lower.lnd_dir),
            lnd_network: self.lnd_network.or(lower.lnd_network),
            jobs_in_flight: self.jobs_in_flight.or(lower.jobs_in_flight),
            payments_in_flight: self.payments_in_flight.or(lower.payments_in_flight),
            requests_per_second: self.requests_per_second.or(lower.requests_per_second),
            max_undelivered: self.max_undelivered.or(lower.max_undelivered),
            max_doubt: self.max_doubt.or(lower.max_doubt),
            wait_doubt: self.wait_doubt.or(lower.wait_doubt),
            max_invoice_life: self.max_invoice_life.or(lower.max_invoice_life),
            deadline: self.deadline.or(lower.deadline),
            yes: self.yes.or(lower.yes),
            dry_run: self.dry_run.or(lower.dry_run),
            limit: self.limit.or(lower.limit),
            only: first_given(self.only, lower.only),
            duplicates: self.duplicates.or(lower.duplicates),
            resume: self.resume.or(lower.resume),
            results: self.results.or(lower.results),
            receipts: self.receipts.or(lower.receipts),
            download: self.download.or(lower.download),
            download_name: self.download_name.or(lower.download_name),
            downloads_in_flight: self.downloads_in_flight.or(lower.downloads_in_flight),
            downloads_per_second: self.downloads_per_second.or(lower.downloads_per_second),
            max_file_mib: self.max_file_mib.or(lower.max_file_mib),
            download_idle: self.download_idle.or(lower.download_idle),
            sandbox: self.sandbox.or(lower.sandbox),
        }
    }

    pub(super) fn reading(self, args: &ReadingArgs) -> Self {
        Self {
            manifest_format: args.manifest_format,
            batch: args.batch.clone(),
            catalog: args.catalog.clone(),
            default: args.default.clone(),
            column: args.column.clone(),
            delimiter: args.delimiter,
            ..self
        }
    }

    pub(super) fn target(self, args: &TargetArgs) -> Self {
        Self { manifest_format: args.manifest_format, batch: args.batch.clone(), ..self }
    }

    pub(super) fn output(self, args: &OutputArgs) -> Self {
        let format = if args.json { Some(Format::Json) } else { args.format };
        Self { format, quiet: said(args.quiet), ..self }
    }

    pub(super) fn ledger(self, args: &LedgerArgs) -> Self {
        Self { ledger: args.ledger.clone(), ..self }
    }

    pub(super) fn limits(self, args: &LimitArgs) -> Self {
        let limits = Limits {
            max_sats: args.max_sats,
            max_sats_per_job: args.max_sats_per_job,
            max_sats_per_day: args.max_sats_per_day,
            max_sats_per_month: args.max_sats_per_month,
            time_zone: args.time_zone.clone(),
            max_fee_ppm: args.max_fee_ppm,
            fee_floor_sats: args.fee_floor_sats,
        };
        Self { limits, partial: said(args.partial), ..self }
    }

    pub(super) fn node(self, args: &NodeArgs) -> Self {
        Self {
            lnd_url: args.lnd_url.clone(),
            lnd_macaroon: args.lnd_macaroon_file.clone().map(MacaroonSource::file),
            lnd_cert: args.lnd_cert_file.clone().map(CertSource::File),
            lnd_dir: args.lnd_dir.clone(),
            lnd_network: args.lnd_network.clone(),
            ..self
        }
    }

    pub(super) fn download_to(self, args: &DownloadToArgs) -> Self {
        Self { download: args.download.clone(), download_name: args.download_name.clone(), ..self }
    }

    pub(super) fn downloads(self, args: &DownloadArgs) -> Self {
        Self {
            downloads_in_flight: args.downloads_in_flight,
            downloads_per_second: args.downloads_per_second,
            max_file_mib: args.max_file_mib,
            download_idle: args.download_idle,
            ..self.download_to(&args.to)
        }
    }

    pub(super) fn pace(self, args: &PaceArgs) -> Self {
        Self {
            jobs_in_flight: args.jobs_in_flight,
            payments_in_flight: args.payments_in_flight,
            requests_per_second: args.requests_per_second,
            max_undelivered: args.max_undelivered,
            max_doubt: args.max_doubt,
            wait_doubt: args.wait_doubt,
            max_invoice_life: args.max_invoice_life,
            deadline: args.deadline.clone(),
            ..self
        }
    }
}

fn first_given<T>(upper: Vec<T>, lower: Vec<T>) -> Vec<T> {
    if upper.is_empty() { lower } else { upper }
}

/// Of two sources' limits the tightest, value by value; the time zone is the upper one's, where it has one.
#[must_use]
pub(super) fn tightest(upper: &Limits, lower: &Limits) -> Limits {
    Limits {
        max_sats: least(upper.max_sats, lower.max_sats),
        max_sats_per_job: least(upper.max_sats_per_job, lower.max_sats_per_job),
        max_sats_per_day: least(upper.max_sats_per_day, lower.max_sats_per_day),
        max_sats_per_month: least(upper.max_sats_per_month, lower.max_sats_per_month),
        time_zone: upper.time_zone.clone().or_else(|| lower.time_zone.clone()),
        max_fee_ppm: least(upper.max_fee_ppm, lower.max_fee_ppm),
        fee_floor_sats: least(upper.fee_floor_sats, lower.fee_floor_sats),
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}
