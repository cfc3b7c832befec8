//! The plan as a table for people.

use std::io::{self, BufWriter, Write};

use super::partial::write_partial;
use super::sums::write_sums;
use super::words::{at_least, at_most, ceiling_words, price_source, shown};
use super::{Duplicated, LeftToBuy, PlanView, SoFar, ViewError, image_path};
use crate::catalog::Value;
use crate::money::{Msat, counted, thousands};
use crate::plan::{Group, PlannedJob, Totals};
use crate::screen::table;
use crate::terminal_text::printable_char;

/// Longest value of a parameter that a job's line shows, in characters.
const VALUE_CHARS_MAX: usize = 40;

impl PlanView<'_> {
    /// Writes the groups, the totals and where the prices come from; with `rows` each job first, a line each.
    /// The groups are folded to so many `columns`.
    ///
    /// # Errors
    /// Where the output fails, or the manifest has changed.
    pub fn table(&self, out: &mut dyn Write, rows: bool, columns: Option<u16>) -> Result<(), ViewError> {
        let mut out = BufWriter::new(out);
        if rows {
            self.rows(&mut out)?;
        }
        groups(&mut out, self.plan.groups(), columns)?;
        writeln!(out)?;
        if let Some(sums) = self.sums {
            write_sums(&mut out, sums, self.rate, columns)?;
            writeln!(out)?;
        }
        for (label, amount, note) in self.sums() {
            writeln!(out, "{label:<26}{amount:>16}{note}")?;
        }
        writeln!(out)?;
        if let Some(list) = self.partial {
            write_partial(&mut out, list, rows)?;
        }
        if let Some(live) = self.live {
            live.table(&mut out, columns)?;
        }
        for endpoint in self.plan.endpoints() {
            writeln!(out, "{}", price_source(endpoint))?;
        }
        if let Some(to) = &self.download {
            let to: String = to.chars().map(printable_char).collect();
            writeln!(out, "files go to {to}, with the ending that their content has")?;
        }
        writeln!(out, "plan {}", self.plan.fingerprint())?;
        out.flush()?;
        Ok(())
    }

    /// A line a job, as it is read: a table that measures its columns would have to hold every job.
    fn rows(&self, out: &mut dyn Write) -> Result<(), ViewError> {
        writeln!(out, "{:>6}  {:<20}  {:>16}  job", "line", "id", "price")?;
        for job in self.jobs() {
            let job = job?;
            writeln!(out, "{}", job_line(&job))?;
        }
        writeln!(out)?;
        Ok(())
    }

    fn sums(&self) -> Vec<(&'static str, String, String)> {
        let totals = self.plan.totals();
        let policy = self.plan.policy();
        let ceiling = format!("   a payment's ceiling: {}", ceiling_words(policy));
        let mut sums = self.prices();
        sums.extend([
            ("routing fees, at most", at_most(totals.fee_ceiling), ceiling),
            ("worst case", at_most(totals.worst_case), String::new()),
        ]);
        if let Some(rate) = self.rate {
            sums.push((
                "price in fiat",
                rate.words(totals.price),
                format!("   {}", shown(&rate.to_string(), usize::MAX)),
            ));
            sums.push(("worst case in fiat", rate.words(totals.worst_case), String::new()));
        }
        sums.extend(self.duplicates.map(duplicated));
        if let Some(LeftToBuy { jobs, price, capped, fee_ceiling }) = self.left {
            let waits = if self.lacks_room { ", nothing of it until there is room" } else { "" };
            let label = if capped > Msat::ZERO { "left to buy, at most" } else { "left to buy" };
            sums.push((
                label,
                price.to_string(),
                format!("   {}{}{waits}", counted(jobs, "job"), parts(price, capped)),
            ));
            let worst_case = price.checked_add(fee_ceiling);
            let worst_case = worst_case.map_or_else(|| "too large".to_owned(), at_most);
            sums.push(("left to buy, worst case", worst_case, String::new()));
        }
        sums.extend(self.so_far.filter(|so_far| so_far.spent > Msat::ZERO).map(spent));
        sums
    }

    /// The price of all; where anything of it is capped, that beside what is exact.
    fn prices(&self) -> Vec<(&'static str, String, String)> {
        let Totals { job_count, price, capped, .. } = self.plan.totals();
        let jobs = |jobs: u64| format!("   {}", counted(jobs, "job"));
        if capped == Msat::ZERO {
            return vec![("price", price.to_string(), jobs(job_count))];
        }
        let exact = price.checked_sub(capped).unwrap_or(Msat::ZERO);
        let is_capped = |group: &&Group| group.is_cap || group.is_reusable;
        let capped_jobs = self.plan.groups().iter().filter(is_capped).map(|group| group.job_count).sum();
        vec![
            ("price, exact", exact.to_string(), jobs(job_count.saturating_sub(capped_jobs))),
            ("price, capped, at most", capped.to_string(), format!("{}: {}", jobs(capped_jobs), self.why_capped())),
            ("price together, at most", price.to_string(), jobs(job_count)),
        ]
    }

    /// Why what is capped may cost less.
    pub(super) fn why_capped(&self) -> &'static str {
        let any = |of: fn(&Group) -> bool| self.plan.groups().iter().any(of);
        match (any(|group| group.is_cap), any(|group| group.is_reusable)) {
            (_, false) => "each invoice decides within its cap",
            (false, true) => "a token serves several jobs",
            (true, true) => "an invoice decides within its cap, or a token serves several jobs",
        }
    }
}

/// A job on a line: where it stands, its id, its price, and what is bought.
#[must_use]
pub fn job_line(job: &PlannedJob) -> String {
    let most = if job.is_capped() { "≤ " } else { "" };
    let price = format!("{most}{}", job.priced.price);
    format!("{:>6}  {:<20}  {price:>16}  {}", job.line, job.id, words(job))
}

/// What of a price is exact and what capped, behind a number of jobs; nothing where it is all exact.
fn parts(price: Msat, capped: Msat) -> String {
    match price.checked_sub(capped) {
        _ if capped == Msat::ZERO => String::new(),
        None | Some(Msat::ZERO) => ", all of it capped".to_owned(),
        Some(exact) => format!(", {exact} of it exact and at most {capped} capped"),
    }
}

/// Duplicates that the table names.
const NAMED_MAX: usize = 5;

/// What is bought already under another name.
fn duplicated(found: &Duplicated) -> (&'static str, String, String) {
    let label = if found.are_bought { "duplicates, bought too" } else { "duplicates, left out" };
    let named = found.first.iter().take(NAMED_MAX);
    let mut named: Vec<String> =
        named.map(|(id, original)| format!("{} {}", shown(id, usize::MAX), shown(original, usize::MAX))).collect();
    if usize::try_from(found.jobs).is_ok_and(|jobs| jobs > NAMED_MAX) {
        named.push("…".to_owned());
    }
    let jobs = format!("   {}{}: {}", counted(found.jobs, "job"), parts(found.price, found.capped), named.join(", "));
    (label, found.price.to_string(), jobs)
}

/// What was spent, and on balance where something came back.
fn spent(so_far: SoFar) -> (&'static str, String, String) {
    let SoFar { spent, fees, refunded } = so_far;
    let net = spent.checked_sub(refunded).unwrap_or(Msat::ZERO);
    let back = if refunded > Msat::ZERO { format!(", {refunded} came back: {net} on balance") } else { String::new() };
    ("spent so far", spent.to_string(), format!("   plus {} routing fees{back}", at_most(fees)))
}

fn groups(out: &mut dyn Write, groups: &[Group], columns: Option<u16>) -> io::Result<()> {
    let rows = groups.iter().map(|group| {
        let unit = shown(&group.unit, usize::MAX);
        [
            group.endpoint.clone(),
            shown(&group.chosen_by, usize::MAX),
            thousands(group.job_count),
            counted(group.quantity, &unit),
            format!(
                "{}{} a {unit}{}",
                if group.is_cap { "at most " } else { "" },
                group.rate_msat,
                at_least(group.minimum_msat)
            ),
            if group.is_cap || group.is_reusable {
                format!("≤ {}", group.total_msat)
            } else {
                group.total_msat.to_string()
            },
        ]
    });
    let header = ["endpoint", "rate chosen by", "jobs", "units", "rate", "price"];
    table(out, &header, &[2, 3, 4, 5], rows, columns)
}

fn words(job: &PlannedJob) -> String {
    let value = |value: &Value| match value {
        Value::Image(image) => image_path(image).unwrap_or_else(|| value.to_string()),
        Value::Text(_) | Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Structured(_) => {
            value.to_string()
        }
    };
    let params = job.params.iter().map(|(name, given)| format!(" {name}={}", shown(&value(given), VALUE_CHARS_MAX)));
    std::iter::once(job.endpoint.name.clone()).chain(params).collect()
}
