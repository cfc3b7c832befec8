//! What a check of the catalogue found: for a person a line each, for a program one document.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::{ExitCode, Format};
use crate::money::Msat;
use crate::terminal_text::{printable_char, write_json};

/// How something compares with the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As the catalogue says.
    Agrees,
    /// The origin asks another price, or answers in another way, than the catalogue says.
    Differs,
    /// It could not be learnt, or the catalogue does not know the price.
    Unknown,
}

/// What the service's own listing says.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ListingFacts {
    pub(super) url: String,
    pub(super) verdict: Verdict,
    /// The amounts that it names for the endpoint.
    pub(super) listed_sats: Vec<u64>,
    pub(super) message: String,
}

/// What the endpoint asks for one job.
#[derive(Clone, Debug, Serialize)]
pub(super) struct QuoteFacts {
    #[serde(skip)]
    pub(super) rate_index: usize,
    pub(super) chosen_by: String,
    pub(super) quantity: u64,
    /// None where the catalogue does not know the price.
    pub(super) catalog_msat: Option<Msat>,
    pub(super) asked_msat: Option<Msat>,
    pub(super) verdict: Verdict,
    pub(super) message: String,
}

/// One endpoint.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EndpointFacts {
    pub(super) endpoint: String,
    pub(super) url: String,
    pub(super) listing: Option<ListingFacts>,
    pub(super) quotes: Vec<QuoteFacts>,
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    exit_code: u8,
    endpoints: &'a [EndpointFacts],
}

impl QuoteFacts {
    /// Whether the origin says a price, and the catalogue does not know one.
    fn lacks_price(&self) -> bool {
        self.catalog_msat.is_none() && self.asked_msat.is_some()
    }
}

impl EndpointFacts {
    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        // A listing that tells nothing is no reason to doubt what is asked for.
        let listing = self.listing.iter().map(|listing| listing.verdict).filter(|verdict| *verdict == Verdict::Differs);
        self.quotes.iter().map(|quote| quote.verdict).chain(listing)
    }
}

/// How a check ends: 6 where anything differs, 3 where something could not be learnt.
pub(super) fn exit(endpoints: &[EndpointFacts]) -> ExitCode {
    let found = |verdict| endpoints.iter().flat_map(EndpointFacts::verdicts).any(|known| known == verdict);
    if found(Verdict::Differs) {
        ExitCode::NotAsPlanned
    } else if found(Verdict::Unknown) {
        ExitCode::Unfinished
    } else {
        ExitCode::Done
    }
}

/// Prints what was found; with `quiet` only what is not as the catalogue says.
pub(super) fn write(endpoints: &[EndpointFacts], out: &mut dyn Write, format: Format, quiet: bool) -> io::Result<()> {
    if format == Format::Json {
        let exit_code = exit(endpoints).number();
        let format_version = crate::report::FORMAT_VERSION;
        return write_json(out, &Document { format_version, kind: "catalog_check", exit_code, endpoints });
    }
    let mut line = |verdict: Verdict, what: &str, text: &str| {
        let word = match verdict {
            Verdict::Agrees if quiet => return Ok(()),
            Verdict::Agrees => "agrees",
            Verdict::Differs => "differs",
            Verdict::Unknown => "unknown",
        };
        let text: String = format!("{word:<8} {what:<16} {text}").chars().map(printable_char).collect();
        writeln!(out, "{text}")
    };
    for found in endpoints {
        for quote in &found.quotes {
            line(quote.verdict, &found.endpoint, &quote.message)?;
        }
        if let Some(listing) = &found.listing {
            line(listing.verdict, &found.endpoint, &listing.message)?;
        }
    }
    if quiet { Ok(()) } else { writeln!(out, "\n{}", sum(endpoints)) }
}

fn sum(endpoints: &[EndpointFacts]) -> &'static str {
    match exit(endpoints) {
        ExitCode::Done => "the service asks for what the catalogue says; nothing was paid",
        ExitCode::NotAsPlanned => {
            "the service has changed; nothing was paid. the command `catalog update` writes its prices into a file to read"
        }
        _ if endpoints.iter().flat_map(|found| &found.quotes).any(QuoteFacts::lacks_price) => {
            "the catalogue has no price of some; nothing was paid. Write what they ask for into it, or `price = { at_most_sats = N }` as a cap"
        }
        _ => "not everything could be learnt; nothing was paid. Try again later",
    }
}
