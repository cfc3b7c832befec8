//! Reads endpoint entries: the built-in ones, those of a manifest (`[endpoint.NAME]`) and those of a file of their own.
//!
//! An entry's keys:
//!
//! ```toml
//! [endpoint.NAME]
//! url = "https://…"            # http only to loopback, unless allow_http = true; "{NAME}" in path or query is a parameter
//! method = "POST"              # or "PUT", or "GET"
//! headers = { X-Version = "2" } # what goes with each request
//! source = "…"                 # the document that says so; else the file that holds the entry
//! as_of = "2026-11-20"         # the day as of which it said so
//! dedup_window_s = 30
//! nonce = "seed"               # the parameter that tells takes of one job apart
//! scheme = "payment"           # or "l402": pay by this one; else L402, LSAT, Payment, the first that is offered
//! redeem = "replays"           # a second redeem gives the same purchase again; else "once"
//! patience_s = 86400           # how long a paid job is asked for before a person has to decide
//! credential = "reusable"      # what one purchase brings is good for further requests; else "single"
//! [endpoint.NAME.params]       # sent in this order
//! prompt = { type = "text", required = true }
//! duration = { type = "integer", min = 3, max = 15, default = 5 }
//! strength = { type = "decimal", min = 0, max = 1.0, default = 0.5 }
//! pages = { type = "integer", min = 1, send = false }  # sets the price, and is not sent
//! tags = { type = "list" }      # JSON in a cell; `object` likewise
//! mode = { type = "choice", values = ["standard", "pro"], default = "pro" }
//! audio = { type = "boolean", default = false }
//! model = { type = "integer-or-text" }
//! image = { type = "image" }
//! file = { type = "file", types = ["audio/*"], as = "base64" }  # or as = "data-uri"
//! [endpoint.NAME.body]         # any JSON object; "{NAME}" is where that parameter stands
//! body = "multipart"           # or a part for each parameter; or `parts = { a = "{NAME}" }`, parts of these names
//! [endpoint.NAME.price]        # one of four, msat for sats throughout but in the last; or `price = "unknown"`
//! sats = 100                                                     # a flat price
//! sats_per_unit = 100; quantity = "duration"; unit = "second"    # a rate times a parameter
//! length = "characters"; per = 100; factor = "n"; minimum_sats = 5  # with quantity: max(minimum, rate × ceil(quantity / per) × n)
//! by = ["mode"]; rates = [{ mode = "pro", sats = 450 }, …]       # a table of rates, with or without quantity
//! at_most_sats = 500                                             # a cap: the invoice decides within it
//! [endpoint.NAME.result]       # JSON pointers; done and failed are words
//! url = ["/url"]; text = []; poll_url = []; poll_interval_ms = []; status = []; done = []; failed = []
//! url = ["/data/*/url"]        # several results: each element of that list; `text` likewise
//! body = true                  # or the answer itself
//! [endpoint.NAME.errors]       # what error codes mean; one that is not named counts for nothing
//! RATE_LIMITED = "rate-limited"
//! GPU_FAILED = { before = "retry", after = "redeem-again" }
//! ```
//!
//! An entry of a known name overrides only the keys it names: `params.NAME` replaces that one parameter, `price` the whole
//! rule, `result` key by key, `errors` code by code. The whole is checked again: every job that the parameters allow has exactly one price.

mod amount;
mod check;
mod entry;
mod errors;
mod params;
mod price;
mod reader;
mod request;
mod scale;
mod template;

use std::io::ErrorKind;
use std::path::Path;

use toml::de::DeTable;

use super::Catalog;
use crate::diagnostic::{Diagnostic, SourceText, closest, unread};
use crate::safe_open;
use reader::Reader;

const BUILT_IN_TEXT: &str = include_str!("../builtin.toml");
/// Where the built-in entries are defined.
pub const BUILT_IN: &str = "built-in";
/// Largest catalogue file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Most places of broken TOML that are shown: one breakage has many consequences.
const SYNTAX_ERRORS_MAX: usize = 20;

impl Catalog {
    /// The endpoints that need no entry of the user's own.
    ///
    /// # Errors
    /// Only where the program was built with a defective built-in catalogue, which a test rules out.
    pub fn builtin() -> Result<Self, Vec<Diagnostic>> {
        let mut catalog = Self::default();
        catalog.read_text(&SourceText::new(BUILT_IN, BUILT_IN_TEXT), BUILT_IN)?;
        Ok(catalog)
    }

    /// Reads the `[endpoint]` table of a document whose text is `source`. An entry adds an endpoint, or overrides the keys
    /// it names of the one that is known. One with an error changes nothing; each error goes to `errors`, in one pass.
    /// `defined_in` is what people see as the entry's home: the file's path.
    pub fn merge(
        &mut self,
        source: &SourceText,
        endpoints: &DeTable<'_>,
        defined_in: &str,
        errors: &mut Vec<Diagnostic>,
    ) {
        let before = errors.len();
        let mut reader = Reader::new(source, errors);
        for (key, item) in endpoints {
            let name = key.get_ref().as_ref();
            let base = self.get(name).cloned();
            let suggestion = closest(name, self.iter().map(|endpoint| endpoint.name.as_str()));
            if let Some(endpoint) = entry::entry(&mut reader, key, item, base.as_deref(), defined_in, suggestion) {
                self.put(endpoint);
            }
        }
        // In the order of the file, as one mends them.
        errors[before..].sort_by_key(|error| error.place.as_ref().map_or((u64::MAX, 0), |at| (at.line, at.column)));
    }

    /// Reads a file that holds `[endpoint.NAME]` tables and nothing else (`--catalog FILE`).
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with its place. Entries without an error are taken all the same.
    pub fn read_file(&mut self, path: &Path) -> Result<(), Vec<Diagnostic>> {
        let name = path.display().to_string();
        let text = read_bounded(path, &name).map_err(|error| vec![*error])?;
        self.read_text(&SourceText::new(&name, text), &name)
    }

    /// The same of a text, whose entries are told to be defined there.
    ///
    /// # Errors
    /// As [`Self::read_file`].
    pub(in crate::catalog) fn read_text(
        &mut self,
        source: &SourceText,
        defined_in: &str,
    ) -> Result<(), Vec<Diagnostic>> {
        let (document, faults) = DeTable::parse_recoverable(&source.text);
        if !faults.is_empty() {
            return Err(faults.iter().take(SYNTAX_ERRORS_MAX).map(|fault| syntax(source, fault)).collect());
        }
        let mut errors = Vec::new();
        for (key, item) in document.get_ref() {
            let mut reader = Reader::new(source, &mut errors);
            if key.get_ref() != "endpoint" {
                reader.unknown_key("catalogue", key, &["endpoint"]);
            } else if let Some(table) = reader.table("endpoint", item) {
                self.merge(source, table, defined_in, &mut errors);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

fn syntax(source: &SourceText, fault: &toml::de::Error) -> Diagnostic {
    let error = Diagnostic::error(&source.file, format!("not TOML: {}", fault.message()));
    match fault.span() {
        Some(span) => error.at(source.place(span)),
        None => error,
    }
}

/// A whole text file of bounded size, without a byte order mark.
fn read_bounded(path: &Path, name: &str) -> Result<String, Box<Diagnostic>> {
    let bytes = safe_open::read_small(path, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Box::new(Diagnostic::error(
            name,
            format!("larger than {FILE_BYTES_MAX} bytes; a catalogue is a small TOML file"),
        )),
        _ => Box::new(unread(name, &error)),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let first = error.utf8_error().valid_up_to().saturating_add(1);
        Box::new(Diagnostic::error(name, format!("not UTF-8 from byte {first}; save it as UTF-8")))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests;
