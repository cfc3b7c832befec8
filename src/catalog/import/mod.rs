//! Endpoint tables from what a seller publishes: `/.well-known/l402-services`, `/.well-known/l402.json`, OpenAPI with `x-payment-info`.
//!
//! For a person to read: nothing here is believed. Each table is held against our own reader before it is given; what cannot be expressed
//! is listed. Whatever the document says stands in texts and comments that it cannot end.

mod cost;
mod document;
mod inputs;
mod lack;
mod listing;
mod offer;
mod openapi;
mod rate;
mod shape;
mod table;
mod unit;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use url::Url;

use super::Catalog;
use crate::diagnostic::SourceText;
use crate::terminal_text::printable;
use cost::Cost;
use document::Document;
use lack::Lack;
use offer::{Entry, Offer};

/// So many endpoints are read from a document.
const ENDPOINTS_MAX: usize = 500;
/// So many bytes of tables are written: a catalogue file is no longer than 1 MiB, comments included.
const TABLES_BYTES_MAX: usize = 900_000;
/// So many bytes of lines tell what is left out: they stand in the same file.
const LEFT_BYTES_MAX: usize = 100_000;
/// Longest name that is made, in characters; what a prefix and a number need is left of the reader's own bound.
const NAME_CHARS_MAX: usize = 48;
/// Where a document says of which day it is.
const DAYS: [&str; 8] =
    ["updated", "updated_at", "updatedAt", "last_updated", "lastUpdated", "generated_at", "generatedAt", "as_of"];

/// Where a document is from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// As people see it: its address without the query, or its file.
    pub shown: &'a str,
    /// The address where it stands, where that is known: relative ones in it are resolved against this.
    pub base: Option<&'a Url>,
    /// The day on which it was read, `2026-11-30`.
    pub day: &'a str,
}

/// Which of it is wanted, and how it is named.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Begins every name.
    pub prefix: &'a str,
    /// Only these names; all where empty.
    pub names: &'a [String],
}

/// What was read from a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The tables, one after the other.
    pub tables: String,
    /// The names of the endpoints in them.
    pub names: Vec<String>,
    /// Those of them whose price is not known: no job of these is planned before it is filled in.
    pub unpriced: Vec<String>,
    /// The sites on which some of them stand, where that is not the document's own.
    pub elsewhere: Vec<String>,
    /// What was left out, a line each.
    pub left: Vec<String>,
    /// The names of all that it sells, wanted or not.
    pub known: Vec<String>,
}

/// Why nothing can be read from a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Its shape is none that is known, or it sells nothing.
    #[error("it names nothing that is sold")]
    Nothing,
    /// An older OpenAPI.
    #[error("it is Swagger 2, not OpenAPI 3")]
    Swagger,
}

impl Source<'_> {
    fn is_elsewhere(&self, url: &Url) -> bool {
        self.base.is_some_and(|base| base.origin() != url.origin())
    }
}

/// Makes endpoint tables of what a document says is sold.
///
/// # Errors
/// Where it is no document that says so.
pub fn import(document: &Json, source: &Source<'_>, wanted: &Wanted<'_>) -> Result<Imported, ImportError> {
    if document.get("swagger").is_some() {
        return Err(ImportError::Swagger);
    }
    let read = Document::new(document);
    let entries = match document.get("openapi") {
        Some(_) => openapi::entries(&read, source.base),
        None => listing::entries(&read, source.base),
    };
    if entries.is_empty() {
        return Err(ImportError::Nothing);
    }
    let mut import = Import {
        source,
        wanted,
        as_of: day_of(document),
        taken: builtin_names(),
        imported: Imported::default(),
        left_room: LEFT_BYTES_MAX,
    };
    for entry in entries {
        import.add(entry);
    }
    if document.get("openapi").is_none() && listing::is_cached(document) {
        import.leave("all of it", &Lack::Cache);
    }
    Ok(import.imported)
}

struct Import<'a> {
    source: &'a Source<'a>,
    wanted: &'a Wanted<'a>,
    as_of: Option<String>,
    /// How often each name was made.
    taken: BTreeMap<String, usize>,
    imported: Imported,
    /// So many bytes more tell what is left out.
    left_room: usize,
}

impl Import<'_> {
    fn add(&mut self, Entry { at, called, offer }: Entry) {
        if self.imported.known.len() >= ENDPOINTS_MAX {
            return self.leave(&at, &Lack::Room(ENDPOINTS_MAX));
        }
        let name = self.name(&called);
        self.imported.known.push(name.clone());
        if !self.wanted.names.is_empty() && !self.wanted.names.contains(&name) {
            return;
        }
        let (offer, text) = match offer.and_then(|offer| self.readable(&name, offer)) {
            Ok(found) => found,
            Err(lack) => return self.leave(&format!("{name} ({at})"), &lack),
        };
        self.imported.tables.push_str(&text);
        for lack in &offer.inputs.dropped {
            self.leave(&name, lack);
        }
        if matches!(offer.cost, Cost::Unknown(_)) {
            self.imported.unpriced.push(name.clone());
        }
        let site = table::site(&offer.url);
        if self.source.is_elsewhere(&offer.url) && !self.imported.elsewhere.contains(&site) {
            self.imported.elsewhere.push(site);
        }
        self.imported.names.push(name);
    }

    /// The table as our own reader takes it. A price that it does not take is not known.
    fn readable(&self, name: &str, mut offer: Offer) -> Result<(Offer, String), Lack> {
        let written = |offer: &Offer| {
            let as_of = self.as_of.as_deref().filter(|_| !matches!(offer.cost, Cost::Unknown(_)));
            table::table(name, offer, self.source, as_of)
        };
        let mut text = written(&offer);
        if text.len() > TABLES_BYTES_MAX.saturating_sub(self.imported.tables.len()) {
            return Err(Lack::Room(ENDPOINTS_MAX));
        }
        if !matches!(offer.cost, Cost::Unknown(_)) {
            if fault(&text).is_none() {
                return Ok((offer, text));
            }
            offer.cost = Cost::Unknown("one that a catalogue does not take".to_owned());
            text = written(&offer);
        }
        match fault(&text) {
            Some(fault) => Err(Lack::Unreadable(fault)),
            None => Ok((offer, text)),
        }
    }

    fn leave(&mut self, what: &str, lack: &Lack) {
        if self.left_room == 0 {
            return;
        }
        let line = printable(&format!("{what}: {lack}"));
        // With what stands before it in the file, and the end of the line.
        self.left_room = self.left_room.saturating_sub(line.len().saturating_add("# - \n".len()));
        self.imported.left.push(if self.left_room > 0 { line } else { "and more".to_owned() });
    }

    /// A name that nothing else has.
    fn name(&mut self, called: &str) -> String {
        let name = format!("{}{}", self.wanted.prefix, slug(called));
        let mut candidate = name.clone();
        while let Some(times) = self.taken.get_mut(&candidate) {
            *times += 1;
            candidate = format!("{name}-{times}");
        }
        self.taken.insert(candidate.clone(), 1);
        candidate
    }
}

/// What our own reader says of a table; nothing where it takes it.
fn fault(text: &str) -> Option<String> {
    let mut catalog = Catalog::default();
    let errors = catalog.read_text(&SourceText::new("", text), "").err()?;
    Some(errors.into_iter().next().map(|error| error.message).unwrap_or_default())
}

/// A table of such a name would change what is built in.
fn builtin_names() -> BTreeMap<String, usize> {
    Catalog::builtin().iter().flat_map(Catalog::iter).map(|endpoint| (endpoint.name.clone(), 1)).collect()
}

/// A name for a table: `generateVideo`, `Generate video` and `/api/generate_video` are `generate-video`, or end so.
fn slug(called: &str) -> String {
    let mut slug = String::new();
    let mut before = ' ';
    for c in called.chars() {
        if c.is_ascii_alphanumeric() {
            let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase();
            if begins {
                slug.push('-');
            }
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        before = c;
    }
    let all = slug.trim_matches('-');
    // The end of a path says more than its beginning.
    let cut = all.get(all.len().saturating_sub(NAME_CHARS_MAX)..).unwrap_or(all).trim_matches('-');
    if cut.is_empty() { "endpoint".to_owned() } else { cut.to_owned() }
}

/// The day that a document bears.
fn day_of(document: &Json) -> Option<String> {
    let within = [Some(document), document.get("info"), document.get("service")];
    let mut texts =
        within.into_iter().flatten().flat_map(|json| DAYS.iter().filter_map(|key| json.get(*key)?.as_str()));
    let day = texts.find_map(|text| text.get(..10).filter(|day| day.parse::<jiff::civil::Date>().is_ok()));
    day.map(str::to_owned)
}

/// Words of the document on one line, harmless, and no longer than that.
fn shortened(text: &str, chars_max: usize) -> String {
    let text = printable(text);
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
