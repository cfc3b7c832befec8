//! A row of the table, as it is printed.

use std::io::{self, Write};

use crate::Outcome;

/// One row: what of ours was measured, and what beside it, each once a round.
pub(crate) struct Row<'a> {
    pub(crate) work: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) ours: &'a [f64],
    /// Nothing, where a number stands for itself; or one for all rounds.
    pub(crate) beside: &'a [f64],
    /// What was measured beside it.
    pub(crate) what: &'a str,
    /// What it should come to.
    pub(crate) aim: &'a str,
}

/// The first lines of the table.
pub(crate) fn print_head() -> Outcome<()> {
    say("| work | ours | beside it | ratio (of single rounds) | aim |\n|---|---|---|---|---|")
}

/// A row that cannot be had here.
pub(crate) fn print_left_out(work: &str, why: &str) -> Outcome<()> {
    say(&format!("| {work} | left out: {why} | | | |"))
}

impl Row<'_> {
    /// Prints it.
    pub(crate) fn print(&self) -> Outcome<()> {
        let Self { work, unit, ours, beside, what, aim } = self;
        let told = |values: &[f64]| format!("{} {unit}", number(median(values))).trim_end().to_owned();
        if beside.is_empty() {
            return say(&format!("| {work} | {} | | | {aim} |", told(ours)));
        }
        say(&format!("| {work} | {} | {what}: {} | {} | {aim} |", told(ours), told(beside), ratio(ours, beside)))
    }
}

/// Of the medians, and the least and the greatest of single rounds.
fn ratio(ours: &[f64], beside: &[f64]) -> String {
    // CPU time is told in hundredths of a second.
    if beside.contains(&0.0) {
        return "too short to tell".to_owned();
    }
    let whole = median(ours) / median(beside);
    let single: Vec<f64> = ours.iter().zip(beside.iter().cycle()).map(|(ours, beside)| ours / beside).collect();
    if single.len() == 1 {
        return format!("{whole:.2}");
    }
    format!("{whole:.2} ({:.2}–{:.2})", extreme(&single, f64::min), extreme(&single, f64::max))
}

/// At once, so that a row that was measured stands there whatever becomes of the next one.
fn say(line: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn number(value: f64) -> String {
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn extreme(values: &[f64], of: fn(f64, f64) -> f64) -> f64 {
    values.iter().copied().fold(f64::NAN, of)
}
