//! A plan as an estimate to send: one page of HTML or Markdown, by the same data. Nothing of it loads anything, and every text that
//! comes from the manifest stays text.

use std::io::{self, Write};

use askama::Template;

use super::sums::value_words;
use super::words::{at_least, at_most, ceiling_words, file_name, price_source_to_send, shown};
use super::{PlanView, ViewError};
use crate::fiat::Rate;
use crate::money::{Msat, counted, thousands};
use crate::plan::{Group, Totals};

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// For a browser, and to be printed.
    Html,
    /// For a message or a repository.
    Markdown,
}

/// What a page says besides the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFacts {
    /// What it is about: the batch's name, or the manifest's.
    pub name: String,
    /// When it was made, with its zone.
    pub date: String,
}

/// What both pages hold. Texts are on one line, and steer nothing.
struct Estimate {
    name: String,
    date: String,
    has_rate: bool,
    totals: Vec<Sum>,
    tables: Vec<Table>,
    meaning: Vec<String>,
    warnings: Vec<String>,
    sources: Vec<String>,
    fingerprint: String,
}

#[derive(Default)]
struct Sum {
    label: &'static str,
    amount: String,
    fiat: String,
    note: String,
    is_total: bool,
}

struct Table {
    title: String,
    header: Vec<String>,
    /// From this column on there are numbers.
    numbers_from: usize,
    rows: Vec<Vec<String>>,
}

#[derive(Template)]
#[template(path = "estimate.html")]
struct Html {
    of: Estimate,
}

#[derive(Template)]
#[template(path = "estimate.md", escape = "none")]
struct Markdown {
    of: Estimate,
}

impl PlanView<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Where the output fails.
    pub fn page(&self, page: Page, facts: &PageFacts, out: &mut dyn Write) -> Result<(), ViewError> {
        let of = self.estimate(facts);
        let text = match page {
            Page::Html => Html { of }.render(),
            Page::Markdown => Markdown { of }.render(),
        };
        let text = text.map_err(io::Error::other)?;
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn estimate(&self, facts: &PageFacts) -> Estimate {
        let plan = self.plan;
        Estimate {
            name: line(&facts.name),
            date: line(&facts.date),
            has_rate: self.rate.is_some(),
            totals: self.totals(),
            tables: std::iter::once(groups(plan.groups())).chain(self.sums_table()).collect(),
            meaning: self.meaning(),
            // What a run would be told is for whoever runs it.
            warnings: plan.warnings().iter().map(|found| line(&found.message)).collect(),
            sources: plan.endpoints().iter().map(|endpoint| price_source_to_send(endpoint)).collect(),
            fingerprint: plan.fingerprint().to_owned(),
        }
    }

    fn totals(&self) -> Vec<Sum> {
        let Totals { job_count, price, capped, fee_ceiling, worst_case } = self.plan.totals();
        let fiat = |amount: Msat| self.rate.map(|rate| rate.words(amount)).unwrap_or_default();
        let sum = |label, amount: Msat, words: String, note: String| Sum {
            label,
            amount: words,
            fiat: fiat(amount),
            note,
            is_total: false,
        };
        let most = if capped > Msat::ZERO { "at most " } else { "" };
        let mut totals = vec![
            sum("Price", price, format!("{most}{price}"), counted(job_count, "job")),
            sum("Routing fees, at most", fee_ceiling, at_most(fee_ceiling), String::new()),
            Sum { is_total: true, ..sum("Worst case", worst_case, at_most(worst_case), String::new()) },
        ];
        if let Some(left) = self.left {
            let note = counted(left.jobs, "job");
            totals.push(sum("Left to buy of it", left.price, left.price_words(|price| price.to_string()), note));
        }
        totals
    }

    fn sums_table(&self) -> Option<Table> {
        let sums = self.sums?;
        let mut header = vec![line(sums.by.name())];
        header.extend(["Jobs", "Price", "Fees, at most", "Worst case"].map(str::to_owned));
        header.extend(self.rate.map(|_| "In fiat".to_owned()));
        let row = |(value, totals): &(Option<String>, Totals)| {
            let most = if totals.capped > Msat::ZERO { "≤ " } else { "" };
            let mut row = vec![
                value_words(value.as_deref()),
                thousands(totals.job_count),
                format!("{most}{}", totals.price),
                at_most(totals.fee_ceiling),
                at_most(totals.worst_case),
            ];
            row.extend(self.rate.map(|rate| rate.words(totals.worst_case)));
            row
        };
        let rows = sums.groups.iter().map(row).collect();
        Some(Table { title: format!("By {}", line(sums.by.name())), header, numbers_from: 1, rows })
    }

    /// What a reader who knows nothing of it has to know.
    fn meaning(&self) -> Vec<String> {
        let capped = self.plan.totals().capped > Msat::ZERO;
        let price = if capped {
            format!(
                "What is marked with ≤ or \"at most\" is the most that it may cost: {}. All other prices are exact.",
                self.why_capped()
            )
        } else {
            "Prices are exact: each job is bought at its price here, or below it, or not at all.".to_owned()
        };
        let fees = format!(
            "Routing fees are paid to the Lightning network beside the price. None is known before it is paid, and none may be more \
             than {}.",
            ceiling_words(self.plan.policy())
        );
        let worst = "The worst case is price and highest fees together: more is never spent for these jobs.".to_owned();
        let fiat = self.rate.map(|rate| {
            let to_send = Rate { source: file_name(&rate.source).to_owned(), ..rate.clone() };
            format!("Figures in {} are {}.", rate.currency, line(&to_send.to_string()))
        });
        let print = "The plan's number below is over ids, contents and prices: the same number stands for the same jobs at the same prices."
            .to_owned();
        [Some(price), Some(fees), Some(worst), fiat, Some(print)].into_iter().flatten().collect()
    }
}

/// Text on one line, without whatever steers or turns it.
fn line(text: &str) -> String {
    shown(text, usize::MAX)
}

fn groups(groups: &[Group]) -> Table {
    let row = |group: &Group| {
        let most = if group.is_cap { "at most " } else { "" };
        let total = if group.is_cap || group.is_reusable { "≤ " } else { "" };
        let unit = line(&group.unit);
        vec![
            line(&group.endpoint),
            line(&group.chosen_by),
            thousands(group.job_count),
            counted(group.quantity, &unit),
            format!("{most}{} a {unit}{}", group.rate_msat, at_least(group.minimum_msat)),
            format!("{total}{}", group.total_msat),
        ]
    };
    Table {
        title: "What is bought".to_owned(),
        header: ["Endpoint", "Rate chosen by", "Jobs", "Units", "Rate", "Price"].map(str::to_owned).to_vec(),
        numbers_from: 2,
        rows: groups.iter().map(row).collect(),
    }
}

mod filters {
    use std::fmt::Display;

    /// Text that Markdown takes as text, HTML inside it too.
    #[askama::filter_fn]
    pub(super) fn md(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        let text = text.to_string();
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => out.extend(['\\', c]),
                '@' => out.push_str("&#64;"),
                c => out.push(c),
            }
        }
        // Nor does an address become a link.
        Ok(out.replace("://", "&#58;//").replace("www.", "www\\."))
    }
}
