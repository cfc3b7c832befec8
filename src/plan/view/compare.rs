//! A plan beside its variants: a table, JSON, CSV.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::json::FORMAT_VERSION;
use super::words::{TOTALS_COLUMNS, shown, totals_cells, totals_json};
use super::{ManifestFacts, sats};
use crate::csv_escape::neutralise;
use crate::diagnostic::Diagnostic;
use crate::money::{Msat, Sats, counted_are, difference, thousands};
use crate::plan::compare::{Outcome, Variant};
use crate::screen::table;
use crate::terminal_text::write_json;

/// A plan as it is, and what it becomes with some cells edited alike in every job.
pub struct Comparison<'a> {
    /// The manifest, for the reader.
    pub manifest: ManifestFacts,
    /// As it is.
    pub as_it_is: &'a Outcome,
    /// In the order in which they were asked for.
    pub variants: &'a [Variant],
    /// What may be spent in all, where that is limited.
    pub max_sats: Option<Sats>,
}

/// How the manifest itself is called among its variants.
const AS_IT_IS: &str = "as it is";
/// Where there is nothing to show.
const NONE: &str = "—";

impl Comparison<'_> {
    fn first(&self) -> Option<&Outcome> {
        self.variants.first().and_then(|variant| variant.outcome.as_ref().ok())
    }

    /// Writes a line a variant, and below what is wrong with any; folded to so many `columns`.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn table(&self, out: &mut dyn Write, columns: Option<u16>) -> io::Result<()> {
        let all = std::iter::once((AS_IT_IS.to_owned(), Some(self.as_it_is)))
            .chain(self.variants.iter().map(|of| (shown(&of.words(), usize::MAX), of.outcome.as_ref().ok())));
        let rows = all.map(|(name, outcome)| self.row(name, outcome));
        let header = ["variant", "jobs", "price", "fees, at most", "worst case", "to the first", "to as it is"];
        table(out, &header, &[1, 2, 3, 4, 5, 6], rows, columns)?;
        writeln!(out)?;
        let outcomes =
            || self.variants.iter().filter_map(|variant| Some((variant.words(), variant.outcome.as_ref().ok()?)));
        let all = std::iter::once((AS_IT_IS.to_owned(), self.as_it_is)).chain(outcomes());
        for (name, outcome) in all {
            let name = shown(&name, usize::MAX);
            if let Some(most) = self.max_sats.filter(|_| self.is_above(outcome)) {
                writeln!(out, "{name}: the worst case is above max_sats of {most}")?;
            }
            if outcome.above_limit == 0 {
                continue;
            }
            let jobs = counted_are(outcome.above_limit, "job");
            writeln!(out, "{name}: {jobs} above their own limit, fee ceiling included, and no run buys them")?;
        }
        for (variant, wrong) in self.variants.iter().filter_map(|of| Some((of, of.outcome.as_ref().err()?))) {
            let (count, first) = wrong_of(wrong);
            let rows = counted_are(count, "job");
            let first = first.map(|first| format!("; the first: {}", at(first))).unwrap_or_default();
            writeln!(
                out,
                "{}: no such plan, {rows} wrong then{}",
                shown(&variant.words(), usize::MAX),
                shown(&first, usize::MAX)
            )?;
        }
        writeln!(out, "every job counts, bought already or not; nothing was bought, and nothing written")
    }

    fn row(&self, name: String, outcome: Option<&Outcome>) -> [String; 7] {
        let Some(Outcome { totals, .. }) = outcome else {
            return [name, NONE.into(), NONE.into(), NONE.into(), NONE.into(), NONE.into(), NONE.into()];
        };
        let to = |other: Option<&Outcome>| {
            other.map_or_else(|| NONE.to_owned(), |other| difference(totals.price, other.totals.price))
        };
        let most = if totals.capped > Msat::ZERO { "≤ " } else { "" };
        [
            name,
            thousands(totals.job_count),
            format!("{most}{}", totals.price),
            sats(totals.fee_ceiling).to_string(),
            sats(totals.worst_case).to_string(),
            to(self.first()),
            to(Some(self.as_it_is)),
        ]
    }

    /// Writes one document.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let variants: Vec<Json> = self.variants.iter().map(|variant| self.variant(variant)).collect();
        let document = json!({
            "format_version": FORMAT_VERSION,
            "type": "comparison",
            "manifest": self.manifest,
            "as_it_is": self.sums(self.as_it_is),
            "variants": variants,
        });
        write_json(out, &document)
    }

    fn variant(&self, variant: &Variant) -> Json {
        let cells: Map<String, Json> =
            variant.cells.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let mut json = Map::new();
        json.insert("cells".to_owned(), cells.into());
        match &variant.outcome {
            Ok(outcome) => {
                json.extend(self.sums(outcome));
                for (key, other) in self.differences(outcome) {
                    json.insert(key.to_owned(), json!(other));
                }
            }
            Err(wrong) => {
                let (count, first) = wrong_of(wrong);
                let first = first.map(|first| {
                    let line = first.place.as_ref().map(|place| place.line);
                    json!({ "file": first.file, "line": line, "message": first.message })
                });
                json.insert("wrong".to_owned(), json!({ "job_count": count, "first": first }));
            }
        }
        json.into()
    }

    /// Whether all of it may cost more than may be spent.
    fn is_above(&self, outcome: &Outcome) -> bool {
        self.max_sats.and_then(Sats::msat).is_some_and(|most| outcome.totals.worst_case > most)
    }

    fn sums(&self, outcome: &Outcome) -> Map<String, Json> {
        let mut sums = totals_json(&outcome.totals);
        sums.insert("above_limit_count".to_owned(), outcome.above_limit.into());
        sums.insert("above_max_sats".to_owned(), self.is_above(outcome).into());
        sums.insert("fingerprint".to_owned(), outcome.fingerprint.as_str().into());
        sums
    }

    /// In msat, where it fits.
    fn differences(&self, outcome: &Outcome) -> [(&'static str, Option<i64>); 2] {
        let to = |other: &Outcome| outcome.totals.price.minus(other.totals.price);
        [("difference_to_first_msat", self.first().and_then(to)), ("difference_to_manifest_msat", to(self.as_it_is))]
    }

    /// Writes a row a variant, the manifest as it is first, without cells.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = csv::Writer::from_writer(out);
        let names = self.variants.first().map_or(&[][..], |variant| variant.cells.as_slice());
        let header = names.iter().map(|(name, _)| neutralise(name).into_owned());
        out.write_record(header.chain(TOTALS_COLUMNS.iter().chain(&FURTHER_COLUMNS).map(|name| (*name).to_owned())))?;
        let none = names.iter().map(|_| String::new());
        out.write_record(none.chain(self.cells_of(Ok(self.as_it_is))))?;
        for variant in self.variants {
            let cells = variant.cells.iter().map(|(_, value)| neutralise(value).into_owned());
            out.write_record(cells.chain(self.cells_of(variant.outcome.as_ref())))?;
        }
        out.flush()
    }

    fn cells_of(&self, outcome: Result<&Outcome, &Vec<Diagnostic>>) -> Vec<String> {
        match outcome {
            Ok(outcome) => {
                let differences = self.differences(outcome).map(|(_, msat)| msat.map(|msat| msat.to_string()));
                let mut cells = totals_cells(&outcome.totals).to_vec();
                cells.extend([outcome.above_limit.to_string(), self.is_above(outcome).to_string()]);
                cells.extend(differences.map(Option::unwrap_or_default));
                cells.extend([String::new(), String::new()]);
                cells
            }
            Err(wrong) => {
                let (count, first) = wrong_of(wrong);
                let first = first.map(|first| neutralise(&at(first)).into_owned()).unwrap_or_default();
                let mut cells = vec![String::new(); TOTALS_COLUMNS.len() + FURTHER_COLUMNS.len() - 2];
                cells.extend([count.to_string(), first]);
                cells
            }
        }
    }
}

/// The columns after the sums.
const FURTHER_COLUMNS: [&str; 6] = [
    "above_limit_count",
    "above_max_sats",
    "difference_to_first_msat",
    "difference_to_manifest_msat",
    "wrong_count",
    "wrong_first",
];

/// How many jobs are wrong, and the first of them.
fn wrong_of(wrong: &[Diagnostic]) -> (u64, Option<&Diagnostic>) {
    let count = wrong.iter().fold(0_u64, |count, wrong| count.saturating_add(wrong.count));
    let line = |wrong: &&Diagnostic| wrong.place.as_ref().map_or(u64::MAX, |place| place.line);
    (count, wrong.iter().min_by_key(line))
}

/// Where it is and what: `jobs.csv:4: duration: expected …`.
fn at(wrong: &Diagnostic) -> String {
    let line = wrong.place.as_ref().map(|place| format!(":{}", place.line)).unwrap_or_default();
    format!("{}{line}: {}", wrong.file, wrong.message)
}
