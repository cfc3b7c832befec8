//! Words that several ways to show a plan have in common.

use serde_json::{Map, Value as Json, json};

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
    let as_of = match endpoint.as_of.as_str() {
        "" => "undated".to_owned(),
        day => format!("as of {day}"),
    };
    let source = if endpoint.source == endpoint.defined_in { "" } else { &endpoint.source };
    let separator = if source.is_empty() { "" } else { ": " };
    let (home, source) = (shown(&endpoint.defined_in, usize::MAX), shown(source, usize::MAX));
    format!("prices of {}: {home}{separator}{source}, {as_of}", endpoint.name)
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
