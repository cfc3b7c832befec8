//! Values as they are typed: on the command line, in a variable, in the configuration file. All three are read here.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned, civil};
use url::Url;

use crate::error::Hinted;
use crate::fiat::Currency;
use crate::ledger::{LedgerAddress, endpoint_and_origin};
use crate::manifest::{self, Duplicates};
use crate::money::Sats;
use crate::plan::column::Column;
use crate::plan::compare::Axis;
use crate::plan::view::Page;
use crate::safe_open::scheme;
use crate::screen::{hide, holds_secret, looks_like_private_key};
use crate::time::UnixMs;

/// The longest wait that is taken: a year.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How a command writes what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One document; for `run`, one event a line.
    Json,
    /// A row a job.
    Csv,
}

/// The same as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatWord {
    /// For people.
    Table,
    /// One document; for `run`, one event a line.
    Json,
    /// A row a job.
    Csv,
    /// An estimate to send, of `plan`: one page.
    Html,
    /// The same in Markdown.
    Md,
}

impl FormatWord {
    /// How it is written; an estimate takes the place of the table.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Table | Self::Html | Self::Md => Format::Table,
            Self::Json => Format::Json,
            Self::Csv => Format::Csv,
        }
    }

    /// The page that is asked for, if it is one.
    #[must_use]
    pub const fn page(self) -> Option<Page> {
        match self {
            Self::Html => Some(Page::Html),
            Self::Md => Some(Page::Markdown),
            Self::Table | Self::Json | Self::Csv => None,
        }
    }
}

/// A currency, by its code.
pub fn currency(text: &str) -> Result<Currency, String> {
    Currency::of(text).ok_or_else(|| format!("expected the three letters of a currency, such as EUR, got \"{text}\""))
}

/// A column that jobs are summed by.
pub fn column(text: &str) -> Result<Column, String> {
    match text.trim() {
        "" => Err("expected a column: endpoint, a parameter or an x_*".to_owned()),
        name => Ok(Column::of(name)),
    }
}

/// What a person decides of a job, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecisionWord {
    /// The payment was never made.
    Unpaid,
    /// The money is gone.
    Lost,
    /// Lost, and bought once more.
    Rebuy,
    /// Asked for again with what was paid for.
    Retry,
    /// The kept answer is the result.
    Delivered,
    /// What was delivered stays, though the manifest has another row.
    Keep,
}

/// A person's word for an origin that gets no more payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustWord {
    /// Host, and port where it is not the usual one.
    pub origin: String,
    /// The words for an origin are numbered, so that each is carried out once.
    pub number: u32,
}

impl std::fmt::Display for TrustWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.origin, self.number)
    }
}

/// `HOST`, `HOST:PORT` or a URL there, and `@N` after it.
pub fn trust(text: &str) -> Result<TrustWord, String> {
    let wrong = || format!("expected a host or a URL, and maybe @ and a number from 1 after it, got \"{text}\"");
    let (place, number) = match text.trim().rsplit_once('@') {
        Some((place, number)) => (place, number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?),
        None => (text.trim(), 1),
    };
    let is_url = place.contains("://");
    let url = if is_url { place.to_owned() } else { format!("https://{place}") };
    let url = Url::parse(&url).map_err(|_| wrong())?;
    let (_, origin) = endpoint_and_origin(&url);
    let fits = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && !origin.is_empty();
    if fits && (is_url || (url.path() == "/" && url.query().is_none())) {
        return Ok(TrustWord { origin, number });
    }
    Err(wrong())
}

/// Reads a path.
pub fn path(text: &str) -> Result<PathBuf, String> {
    path_at(PathBuf::from(text))
}

/// A path. An address of something elsewhere may hold a password: where it is refused nothing of it is printed.
pub fn path_at(given: PathBuf) -> Result<PathBuf, String> {
    let wrong = match scheme(&given) {
        _ if given.as_os_str().is_empty() => "expected a path, got nothing".to_owned(),
        Some(scheme) => {
            hide(&given.to_string_lossy());
            format!("expected the path of a file or folder on this machine, and what begins with {scheme}:// is none")
        }
        None => return Ok(given),
    };
    Err(wrong)
}

/// The path of a certificate.
pub fn certificate(text: &str) -> Result<PathBuf, String> {
    match looks_like_private_key(text.as_bytes()) {
        true => {
            Err("this is a private key (tls.key); the certificate (tls.cert) is meant, by the name of its file"
                .to_owned())
        }
        false => path(text),
    }
}

/// Where a ledger is.
pub fn ledger(text: &str) -> Result<LedgerAddress, String> {
    ledger_at(PathBuf::from(text))
}

/// Where a ledger is. Nothing of what is refused is printed, as of any path.
pub fn ledger_at(given: PathBuf) -> Result<LedgerAddress, String> {
    let typed = given.to_string_lossy().into_owned();
    LedgerAddress::try_from(given).map_err(|refused| {
        hide(&typed);
        refused.told()
    })
}

/// Reads a name.
pub fn name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("expected a name, got nothing".to_owned()) } else { Ok(text.to_owned()) }
}

/// Reads a URL.
pub fn url(text: &str) -> Result<Url, String> {
    Url::parse(text.trim()).map_err(|error| format!("expected a URL such as https://127.0.0.1:8080: {error}"))
}

/// One of the type's words.
pub fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text.trim(), true).map_err(|_| format!("expected one of {}, got \"{text}\"", words::<T>().join(", ")))
}

/// The type's words.
pub fn words<T: ValueEnum>() -> Vec<String> {
    T::value_variants().iter().filter_map(|v| v.to_possible_value()).map(|v| v.get_name().to_owned()).collect()
}

/// A network, by the name of its folder in lnd's data.
pub fn lnd_network(text: &str) -> Result<String, String> {
    match LND_NETWORKS.iter().find(|name| **name == text.trim()) {
        Some(name) => Ok((*name).to_owned()),
        None => Err(format!("expected one of {}, got \"{text}\"", LND_NETWORKS.join(", "))),
    }
}

/// What lnd calls its networks.
pub const LND_NETWORKS: [&str; 6] = ["mainnet", "testnet", "testnet4", "signet", "regtest", "simnet"];

/// What becomes of jobs that are bought already elsewhere.
pub fn duplicates(text: &str) -> Result<Duplicates, String> {
    Duplicates::from_word(text.trim()).ok_or_else(|| format!("expected ask, skip or buy, got \"{text}\""))
}

/// The same in a variable, where it would go on saying a person's word.
pub fn duplicates_of_variable(text: &str) -> Result<Duplicates, String> {
    match duplicates(text)? {
        Duplicates::Buy => Err("buy is said on the command line or in the manifest; unset the variable".to_owned()),
        other @ (Duplicates::Ask | Duplicates::Skip) => Ok(other),
    }
}

/// A note that says something.
pub fn note(text: &str) -> Result<String, String> {
    let text = text.trim();
    match text {
        "" => Err("say why, in a few words".to_owned()),
        // It is stored, and shown with the job.
        _ if holds_secret(text) => Err("say why, and keep macaroons and private keys out of it".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

impl From<Format> for crate::report::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
        }
    }
}

/// Which takes of a job have a row in results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TakesWord {
    /// What was bought of it, else its latest take.
    #[default]
    Latest,
    /// Each, also those that others have replaced.
    All,
}

/// How a manifest is written, where its name does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ManifestFormat {
    /// A TOML document
    Toml,
    /// Separated values; the delimiter is found from the header.
    Csv,
    /// Separated by tabs.
    Tsv,
    /// A workbook as Excel writes it (.xlsx, .xlsm).
    Xlsx,
    /// A workbook as LibreOffice writes it.
    Ods,
}

impl From<manifest::Format> for ManifestFormat {
    fn from(format: manifest::Format) -> Self {
        match format {
            manifest::Format::Toml => Self::Toml,
            manifest::Format::Csv => Self::Csv,
            manifest::Format::Tsv => Self::Tsv,
            manifest::Format::Xlsx => Self::Xlsx,
            manifest::Format::Ods => Self::Ods,
        }
    }
}

impl From<ManifestFormat> for manifest::Format {
    fn from(format: ManifestFormat) -> Self {
        match format {
            ManifestFormat::Toml => Self::Toml,
            ManifestFormat::Csv => Self::Csv,
            ManifestFormat::Tsv => Self::Tsv,
            ManifestFormat::Xlsx => Self::Xlsx,
            ManifestFormat::Ods => Self::Ods,
        }
    }
}

/// How `get` asks an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RequestMethod {
    /// With a query.
    Get,
    /// With a JSON body.
    Post,
    /// With a JSON body, too.
    Put,
}

/// `KEY=VALUE`, as `--default` and `--column` take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Left of the sign.
    pub key: String,
    /// Right of it.
    pub value: String,
}

/// `COLUMN=GLOB`, as `--where` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The column, as it was typed.
    pub column: String,
    /// What its cell has to be like.
    pub glob: glob::Pattern,
}

/// When a run stops admitting purchases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long after its start.
    In(Duration),
    /// At a point in time.
    At(Timestamp),
    /// When the clock next shows this local time.
    Clock(civil::Time),
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            Some(_) | None => Err(format!("expected KEY=VALUE, such as mode=pro, got \"{text}\"")),
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, glob) = match text.split_once('=') {
            Some((column, glob)) if !column.trim().is_empty() => (column.trim(), glob.trim()),
            Some(_) | None => {
                return Err(format!("expected COLUMN=GLOB, such as mode=pro or x_scene=1*, got \"{text}\""));
            }
        };
        let glob = glob_of(glob).map_err(|why| format!("\"{glob}\" is no glob: {why}"))?;
        Ok(Self { column: column.to_owned(), glob })
    }
}

/// A text as a glob: `*` any text, `?` a character, `[12]` one of these. Nothing of it is a path: `**` is any text too.
///
/// # Errors
/// Why it is none.
pub(in crate::cli) fn glob_of(text: &str) -> Result<glob::Pattern, &'static str> {
    let (mut pattern, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['*', '[']) {
        let (before, from) = rest.split_at(at);
        pattern.push_str(before);
        let length =
            if from.starts_with('*') { from.len() - from.trim_start_matches('*').len() } else { list_len(from) };
        let (special, after) = from.split_at(length);
        pattern.push_str(if from.starts_with('*') { "*" } else { special });
        rest = after;
    }
    pattern.push_str(rest);
    glob::Pattern::new(&pattern).map_err(|error| error.msg)
}

/// Bytes of the `[…]` that the text begins with: a `]` that comes first in it is one of its characters. All, where it does not end.
fn list_len(text: &str) -> usize {
    let first = if text.starts_with("[!") { 2 } else { 1 };
    let mut chars = text.char_indices().skip(first + 1);
    chars.find(|(_, c)| *c == ']').map_or(text.len(), |(at, _)| at + 1)
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.column, self.glob)
    }
}

/// A parameter and values to compare: `mode=standard|pro`.
pub fn axis(text: &str) -> Result<Axis, String> {
    let wrong = || format!("expected KEY=A|B, such as mode=standard|pro, got \"{text}\"");
    let (name, values) = text.split_once('=').ok_or_else(wrong)?;
    let values: Vec<String> = values.split('|').map(|value| value.trim().to_owned()).collect();
    if name.trim().is_empty() || values.iter().any(String::is_empty) {
        return Err(wrong());
    }
    if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value)) {
        return Err(format!("{} stands twice in \"{text}\"", twice.1));
    }
    Ok(Axis { name: name.trim().to_owned(), values })
}

impl FromStr for Deadline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(time) = civil::Time::strptime("%H:%M", text) {
            return Ok(Self::Clock(time));
        }
        let after = duration(text).map_err(|_| {
            format!(
                "expected a duration (8h, 90m), a local time (06:30) or an RFC 3339 time with its offset \
                 (2026-11-21T06:30:00+01:00), got \"{text}\""
            )
        })?;
        match after.is_zero() {
            true => Err(format!("expected a time to come: after {text} no purchase could begin")),
            false => Ok(Self::In(after)),
        }
    }
}

impl Deadline {
    /// The point in time that is meant, for a run that starts `now`.
    ///
    /// # Errors
    /// Where it lies in the past, or beyond the calendar.
    pub fn resolve(&self, now: &Zoned) -> Result<UnixMs, String> {
        let beyond = |_| "the deadline lies beyond the calendar".to_owned();
        let at = match self {
            Self::In(after) => now.timestamp().checked_add(*after).map_err(beyond)?,
            Self::At(at) if *at <= now.timestamp() => {
                return Err(format!("the deadline {at} has passed; give a later one"));
            }
            Self::At(at) => *at,
            Self::Clock(time) => {
                let today = now.with().time(*time).build().map_err(beyond)?;
                let next = if today > *now { today } else { today.checked_add(1.day()).map_err(beyond)? };
                next.timestamp()
            }
        };
        Ok(UnixMs(at.as_millisecond()))
    }
}

/// A duration with its unit: `90s`, `10m`, `2h30m`.
///
/// # Errors
/// In words, where it is none, is negative, or is longer than a year.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    // Days of 24 hours, which jiff leaves to calendars.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let read = match days {
        Some(days) => Some(Duration::from_secs(u64::from(days) * 24 * 3_600)),
        None => text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok()),
    };
    match read {
        Some(duration) if duration <= DURATION_MAX => Ok(duration),
        Some(_) => Err(format!("expected at most a year, got \"{text}\"")),
        None => Err(format!("expected a duration with its unit, such as 90s, 10m or 2h30m, got \"{text}\"")),
    }
}

/// A whole number of sats; `_` may separate thousands.
///
/// # Errors
/// In words, where it is none, or is more than can be counted in msat.
pub fn sats(text: &str) -> Result<Sats, String> {
    let sats = whole(text).map(Sats::new).ok_or_else(|| format!("expected a whole number of sats, got \"{text}\""))?;
    match sats.msat() {
        Some(_) => Ok(sats),
        None => Err(format!("expected an amount of sats that can exist, got \"{text}\"")),
    }
}

/// Parts per million, up to a million.
///
/// # Errors
/// In words.
pub fn ppm(text: &str) -> Result<u64, String> {
    within(text, 0, 1_000_000, "parts per million: a whole number").map(u64::from)
}

/// How many payments may be in flight at the node.
///
/// # Errors
/// In words.
pub fn payments_in_flight(text: &str) -> Result<u32, String> {
    within(text, 1, 256, "a whole number")
}

/// How many jobs may be in flight.
///
/// # Errors
/// In words.
pub fn jobs_in_flight(text: &str) -> Result<u32, String> {
    within(text, 1, 4_096, "a whole number")
}

/// A count or a rate that is at least one.
///
/// # Errors
/// In words.
pub fn from_one(text: &str) -> Result<u32, String> {
    within(text, 1, 10_000, "a whole number")
}

/// How many files may be fetched at once.
///
/// # Errors
/// In words.
pub fn downloads_in_flight(text: &str) -> Result<u32, String> {
    within(text, 1, 256, "a whole number")
}

/// The largest file, in MiB: up to a terabyte.
///
/// # Errors
/// In words.
pub fn file_mib(text: &str) -> Result<u32, String> {
    within(text, 1, 1 << 20, "a whole number of MiB")
}

/// How long nothing may come: a second at least.
///
/// # Errors
/// In words.
pub fn idle(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|idle| {
        if idle < Duration::from_secs(1) { Err("expected a second at least".to_owned()) } else { Ok(idle) }
    })
}

/// A number of jobs, at least one.
///
/// # Errors
/// In words.
pub fn count(text: &str) -> Result<u64, String> {
    whole(text).filter(|n| *n > 0).ok_or_else(|| format!("expected a whole number above zero, got \"{text}\""))
}

/// A field delimiter: `,`, `;`, `|`, or the word `tab`.
///
/// # Errors
/// In words.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "," => Ok(b','),
        ";" => Ok(b';'),
        "|" => Ok(b'|'),
        "tab" | "\\t" | "\t" => Ok(b'\t'),
        _ => Err(format!("expected , or ; or | or the word tab, got \"{text}\"")),
    }
}

/// A sheet of a workbook, by name or number.
///
/// # Errors
/// In words.
pub fn sheet(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("expected a sheet's name, or its number from 1".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A truth value.
///
/// # Errors
/// In words.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("expected true or false, got \"{text}\"")),
    }
}

/// An IANA time zone, by name.
///
/// # Errors
/// In words, where the zone is not known.
pub fn time_zone(text: &str) -> Result<String, String> {
    match jiff::tz::TimeZone::get(text.trim()) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(_) => Err(format!("expected an IANA time zone such as Europe/Berlin or UTC, got \"{text}\"")),
    }
}

fn within(text: &str, min: u32, max: u32, what: &str) -> Result<u32, String> {
    whole(text)
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| format!("expected {what} from {min} to {max}, got \"{text}\""))
}

fn whole(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.replace('_', "");
    let plain = text.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_no_path() {
        for (glob, text, is_like) in [
            ("**/c", "c", false),
            ("**/c", "a/b/c", true),
            ("a***", "a/b", true),
            ("a**b", "ab", true),
            ("[**]", "*", true),
            ("[!]**]c", "*c", false),
            ("[]**]**", "]c", true),
            ("[[]**", "[a", true),
        ] {
            assert_eq!(glob_of(glob).map(|glob| glob.matches(text)), Ok(is_like), "{glob} {text}");
        }
        assert!(glob_of("a[**").is_err() && glob_of("[!]").is_err());
    }

    #[test]
    fn durations_carry_their_unit() {
        for (text, secs) in [("90s", 90), ("10m", 600), ("2h30m", 9_000), (" 1h ", 3_600), ("0s", 0), ("8d", 691_200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(secs)), "{text}");
        }
        for text in ["90", "", "-5m", "5 parsecs", "99999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deadlines_are_durations_or_times() {
        let now: Zoned = "2026-11-20T22:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let resolved = |text: &str| text.parse::<Deadline>().and_then(|d| d.resolve(&now)).map(UnixMs::rfc3339);
        for (text, at) in [
            ("8h", "2026-11-21T05:00:00.000+00:00"),
            ("22:30", "2026-11-20T21:30:00.000+00:00"),
            ("06:30", "2026-11-21T05:30:00.000+00:00"),
            ("22:00", "2026-11-21T21:00:00.000+00:00"),
            ("2026-11-20T23:00:00Z", "2026-11-20T23:00:00.000+00:00"),
            ("2026-11-21T06:30:00+01:00", "2026-11-21T05:30:00.000+00:00"),
        ] {
            assert_eq!(resolved(text).as_deref(), Ok(at), "{text}");
        }
        for text in ["2026-11-20T20:00:00Z", "tomorrow", "25:00", "8", "0s", "0m"] {
            assert!(resolved(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_whole_sats() {
        assert_eq!(sats("50_000"), Ok(Sats::new(50_000)));
        for text in ["0.5", "-1", "", "5k", "_5", "99999999999999999999", "18446744073709551615"] {
            assert!(sats(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!((payments_in_flight("256"), payments_in_flight("1")), (Ok(256), Ok(1)));
        assert!(payments_in_flight("257").is_err() && payments_in_flight("0").is_err());
        assert!(jobs_in_flight("4097").is_err() && ppm("1000001").is_err() && from_one("0").is_err());
    }

    #[test]
    fn delimiters_are_one_character_or_a_word() {
        assert_eq!((delimiter(";"), delimiter("tab"), delimiter("\\t")), (Ok(b';'), Ok(b'\t'), Ok(b'\t')));
        assert!(delimiter("\"").is_err() && delimiter(",,").is_err() && delimiter("a").is_err());
    }

    #[test]
    fn pairs_split_at_the_first_sign() {
        assert_eq!("prompt=a = b".parse(), Ok(Pair { key: "prompt".to_owned(), value: "a = b".to_owned() }));
        assert!("=x".parse::<Pair>().is_err() && "mode".parse::<Pair>().is_err());
    }

    #[test]
    fn zones_are_known_by_name() {
        assert_eq!(time_zone("Europe/Berlin").as_deref(), Ok("Europe/Berlin"));
        assert!(time_zone("Europe/Atlantis").is_err());
    }
}
