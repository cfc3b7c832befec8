//! The sums of a plan by a column, and what amounts are worth in another currency.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::sats;
use super::words::{shown, totals_json};
use crate::fiat::Rate;
use crate::money::{Msat, thousands};
use crate::plan::Totals;
use crate::plan::sums::Sums;
use crate::screen::table;

/// Longest value of a group that a table shows, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// Writes a line a group.
pub(super) fn write_sums(
    out: &mut dyn Write,
    sums: &Sums,
    rate: Option<&Rate>,
    columns: Option<u16>,
) -> io::Result<()> {
    let by = shown(sums.by.name(), VALUE_CHARS_MAX);
    let rows = sums.groups.iter().map(|(value, totals)| {
        let Totals { job_count, price, capped, fee_ceiling, worst_case } = *totals;
        let most = if capped > Msat::ZERO { "≤ " } else { "" };
        [
            value_words(value.as_deref()),
            thousands(job_count),
            format!("{most}{price}"),
            sats(fee_ceiling).to_string(),
            sats(worst_case).to_string(),
            rate.map(|rate| rate.words(worst_case)).unwrap_or_default(),
        ]
    });
    let header = [by.as_str(), "jobs", "price", "fees, at most", "worst case"];
    match rate {
        Some(_) => table(
            out,
            &[header[0], header[1], header[2], header[3], header[4], "in fiat"],
            &[1, 2, 3, 4, 5],
            rows,
            columns,
        ),
        None => table(out, &header, &[1, 2, 3, 4], rows.map(|[a, b, c, d, e, _]| [a, b, c, d, e]), columns),
    }
}

/// What stands in the column, as a table has it.
pub(super) fn value_words(value: Option<&str>) -> String {
    value.map_or_else(|| "(nothing there)".to_owned(), |value| shown(value, VALUE_CHARS_MAX))
}

/// The same for programs.
pub(super) fn sums_json(sums: &Sums, rate: Option<&Rate>) -> Json {
    let group = |(value, totals): &(Option<String>, Totals)| {
        let mut group = totals_json(totals);
        group.insert("value".to_owned(), json!(value));
        group.insert("fiat".to_owned(), rate.map_or(Json::Null, |rate| fiat_json(rate, totals)));
        Json::from(group)
    };
    json!({ "by": sums.by.name(), "groups": sums.groups.iter().map(group).collect::<Vec<_>>() })
}

/// What the totals are worth.
pub(super) fn fiat_json(rate: &Rate, totals: &Totals) -> Json {
    let Totals { price, fee_ceiling, worst_case, .. } = *totals;
    rate.json(&[("total", price), ("fee_ceiling", fee_ceiling), ("worst_case", worst_case)])
}
