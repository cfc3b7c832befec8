//! Words that several ways to show a plan have in common.

use serde_json::{Map, Value as Json, json};
use url::Url;

use super::sats;
use crate::catalog::Endpoint;
use crate::money::{Msat, thousands};
use crate::plan::{Policy, Totals};
use crate::terminal_text::printable_char;

/// The least that a job costs, behind a rate.
pub(super) fn at_least(minimum: Option<Msat>) -> String {
    minimum.map(|minimum| format!(", {minimum} at least")).unwrap_or_default()
}

/// What routing one payment may cost.
pub(super) fn ceiling_words(policy: &Policy) -> String {
    format!("{} or {} ppm of its amount, whichever is more", policy.fee_floor, thousands(policy.max_fee_ppm))
}

/// A ceiling: whole sats, rounded up.
pub(super) fn at_most(amount: Msat) -> String {
    amount.sats_ceil().to_string()
}

/// Where an endpoint's prices come from.
pub(super) fn price_source(endpoint: &Endpoint) -> String {
    source_words(endpoint, &endpoint.defined_in, &endpoint.source)
}

/// The same for others to read.
pub(super) fn price_source_to_send(endpoint: &Endpoint) -> String {
    let mut homes: Vec<&str> = endpoint.defined_in.split(", ").collect();
    let is_home = homes.contains(&endpoint.source.as_str()) || endpoint.source == endpoint.defined_in;
    homes.iter_mut().for_each(|home| *home = file_name(home));
    let home = homes.join(", ");
    let source = if is_home { home.clone() } else { source_to_send(&endpoint.source) };
    source_words(endpoint, &home, &source)
}

fn source_words(endpoint: &Endpoint, home: &str, source: &str) -> String {
    let as_of = match endpoint.as_of.as_str() {
        "" => "undated".to_owned(),
        day => format!("as of {day}"),
    };
    let source = if source == home { "" } else { source };
    let separator = if source.is_empty() { "" } else { ": " };
    let (home, source) = (shown(home, usize::MAX), shown(source, usize::MAX));
    format!("prices of {}: {home}{separator}{source}, {as_of}", endpoint.name)
}

/// The last part of a path, with either kind of slash.
#[must_use]
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A source without what only its writer may know: who logs in there and what is asked, and where a file lies.
fn source_to_send(source: &str) -> String {
    if !source.contains("://") {
        let is_path = source.starts_with(['/', '~', '.', '\\']) || source.get(1..3) == Some(":\\");
        return if is_path { file_name(source).to_owned() } else { source.to_owned() };
    }
    let word = |word: &str| match word.contains("://") {
        true => address(word).unwrap_or_else(|| "(an address)".to_owned()),
        false => word.to_owned(),
    };
    source.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// Of an address scheme, host and path.
fn address(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(Url::has_host)?;
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

/// Text that a terminal takes as text, on one line, cut where it is long.
pub(super) fn shown(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { printable_char(c) });
    let mut shown: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What of a price is no cap.
pub(super) fn exact(price: Msat, capped: Msat) -> Msat {
    price.checked_sub(capped).unwrap_or(Msat::ZERO)
}

/// The columns of sums.
pub(super) const TOTALS_COLUMNS: [&str; 8] = [
    "job_count",
    "total_sats",
    "total_msat",
    "capped_msat",
    "fee_ceiling_sats",
    "fee_ceiling_msat",
    "worst_case_sats",
    "worst_case_msat",
];

/// Their cells.
pub(super) fn totals_cells(totals: &Totals) -> [String; 8] {
    let Totals { job_count, price, capped, fee_ceiling, worst_case } = *totals;
    let both = |amount: Msat| [sats(amount).get(), amount.get()];
    let [[total, total_msat], [fees, fees_msat], [worst, worst_msat]] = [price, fee_ceiling, worst_case].map(both);
    [job_count, total, total_msat, capped.get(), fees, fees_msat, worst, worst_msat].map(|number| number.to_string())
}

/// Sums for programs.
pub(super) fn totals_json(totals: &Totals) -> Map<String, Json> {
    let Totals { job_count, price, capped, fee_ceiling, worst_case } = *totals;
    let fields = [
        ("job_count", json!(job_count)),
        ("total_sats", json!(sats(price))),
        ("total_msat", json!(price)),
        ("exact_msat", json!(exact(price, capped))),
        ("capped_msat", json!(capped)),
        ("fee_ceiling_sats", json!(sats(fee_ceiling))),
        ("fee_ceiling_msat", json!(fee_ceiling)),
        ("worst_case_sats", json!(sats(worst_case))),
        ("worst_case_msat", json!(worst_case)),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is sent an estimate learns nothing of where its writer keeps files, or how that one logs in.
    #[test]
    fn what_is_sent_has_no_paths_and_no_logins() {
        let mut endpoint = Endpoint::clone(crate::catalog::Catalog::builtin().unwrap().get("generate-video").unwrap());
        for (home, source, words) in [
            (
                "built-in, /home/me/my.toml",
                "https://me:pw@api.example/prices?key=s#x",
                "built-in, my.toml: https://api.example/prices",
            ),
            ("/home/me/my.toml", "/home/me/my.toml", "my.toml"),
            ("/home/me/base.toml, C:\\me\\my.toml", "/home/me/base.toml", "base.toml, my.toml"),
            ("my.toml", "told by mail, see ftp://a:b@c.example/d", "my.toml: told by mail, see ftp://c.example/d"),
            ("my.toml", "/home/me/list.pdf", "my.toml: list.pdf"),
            ("my.toml", "(https://me:pw@api.example)", "my.toml: (an address)"),
        ] {
            (endpoint.defined_in, endpoint.source) = (home.to_owned(), source.to_owned());
            let expected = format!("prices of generate-video: {words}, ");
            assert!(price_source_to_send(&endpoint).starts_with(&expected), "{}", price_source_to_send(&endpoint));
        }
    }
}
