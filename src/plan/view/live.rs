//! What a plan's rates cost now, as their sellers say.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::sats;
use super::words::shown;
use crate::money::{Msat, counted, thousands, with_caps};
use crate::plan::PlannedJob;
use crate::screen::table;

/// Prices that were asked for now, beside the plan's. Of each rate one job was asked for, without payment; of the others the price follows, unless it
/// is capped.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// A line for each rate of which anything is left to buy.
    pub rates: Vec<LiveRate>,
}

/// One rate.
#[derive(Clone, Debug)]
pub struct LiveRate {
    /// The job that was asked for.
    pub job: PlannedJob,
    /// How many jobs are left to buy at that rate.
    pub jobs: u64,
    /// How many units together.
    pub quantity: u64,
    /// What these cost together by the plan, in msat.
    pub planned: Msat,
    /// What the seller says.
    pub answer: LiveAnswer,
}

/// What a seller says of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveAnswer {
    /// So many msat.
    Asks(Msat),
    /// It does not sell it so; why.
    Refuses(String),
    /// It said nothing that tells; why.
    Unknown(String),
}

/// How a live price stands to the plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum LiveVerdict {
    /// As planned.
    Same,
    /// More.
    Dearer,
    /// Less.
    Cheaper,
    /// As planned: no more than the cap.
    WithinCap,
    /// Not at any price.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Live {
    /// What all of it costs by the plan; none where it does not fit.
    #[must_use]
    pub fn planned(&self) -> Option<Msat> {
        Msat::checked_sum(self.rates.iter().map(|rate| rate.planned))
    }

    /// What of that is capped.
    #[must_use]
    pub fn capped(&self) -> Option<Msat> {
        Msat::checked_sum(self.rates.iter().map(|rate| rate.capped_of(rate.planned)))
    }

    /// What all of it costs now; none where that of any rate is not known.
    #[must_use]
    pub fn total(&self) -> Option<Msat> {
        self.rates.iter().map(LiveRate::total).collect::<Option<Vec<_>>>().and_then(Msat::checked_sum)
    }

    fn planned_words(&self) -> Option<String> {
        Some(with_caps(self.planned()?, self.capped()?, |planned| planned.to_string()))
    }

    /// What stands before the sum at live prices, where a token may serve several of its jobs.
    fn at_most(&self) -> &'static str {
        if self.rates.iter().any(|rate| rate.job.endpoint.is_reusable()) { "at most " } else { "" }
    }

    /// Whether any rate stands so.
    #[must_use]
    pub fn has(&self, verdicts: &[LiveVerdict]) -> bool {
        self.rates.iter().any(|rate| verdicts.contains(&rate.verdict()))
    }

    /// What it comes to, in words, where it is not all as planned.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        use LiveVerdict::{Cheaper, Dearer, Refused, Unknown};
        if !self.has(&[Dearer, Cheaper, Refused, Unknown]) {
            return None;
        }
        let planned = self.planned_words().unwrap_or_else(|| "too much".to_owned());
        let of = |verdict: LiveVerdict| {
            let count = self.rates.iter().filter(|rate| rate.verdict() == verdict).count() as u64;
            (count > 0).then(|| format!("{} {}", counted(count, "rate"), verdict.words()))
        };
        let rates: Vec<String> = [Dearer, Cheaper, Refused, Unknown].into_iter().filter_map(of).collect();
        let now = self.total().map_or_else(
            || "what it costs now is not known whole".to_owned(),
            |total| format!("it costs {}{total} now, and {planned} by the plan", self.at_most()),
        );
        let differs = |rate: &&LiveRate| !matches!(rate.verdict(), LiveVerdict::Same | LiveVerdict::WithinCap);
        let first = self.rates.iter().filter(differs).take(NAMED_MAX).map(LiveRate::words);
        Some(format!("{}: {now} ({})", rates.join(", "), first.collect::<Vec<_>>().join("; ")))
    }

    pub(super) fn table(&self, out: &mut dyn Write, columns: Option<u16>) -> io::Result<()> {
        if self.rates.is_empty() {
            return writeln!(out, "nothing is left to buy: no live price was asked for\n");
        }
        let rows = self.rates.iter().map(|rate| {
            let asked = match &rate.answer {
                LiveAnswer::Asks(asked) if rate.job.endpoint.price.is_cap && rate.jobs > 1 => {
                    format!("{asked} of one job")
                }
                LiveAnswer::Asks(asked) => asked.to_string(),
                LiveAnswer::Refuses(why) | LiveAnswer::Unknown(why) => why.clone(),
            };
            [
                rate.job.endpoint.name.clone(),
                shown(&rate.job.priced.chosen_by, usize::MAX),
                thousands(rate.jobs),
                shown(&rate.job.id, usize::MAX),
                rate.planned_words(),
                shown(&asked, usize::MAX),
                rate.verdict().words().to_owned(),
            ]
        });
        let header = ["endpoint", "rate chosen by", "jobs", "asked for", "plan", "asked now", "that is"];
        table(out, &header, &[2, 4, 5], rows, columns)?;
        writeln!(out)?;
        let sum =
            |amount: Option<Msat>| amount.map_or_else(|| "not known whole".to_owned(), |amount| amount.to_string());
        let capped = self.capped().unwrap_or(Msat::ZERO);
        let planned = if capped == Msat::ZERO { "left, by the plan" } else { "left, by the plan, most" };
        writeln!(out, "{planned:<26}{:>16}", sum(self.planned()))?;
        let now = if self.at_most().is_empty() { "left, at live prices" } else { "left, at live prices, most" };
        writeln!(out, "{now:<26}{:>16}   asked now of one job a rate, nothing was paid", sum(self.total()))?;
        writeln!(out)
    }

    pub(super) fn json(&self) -> Json {
        let rates = self.rates.iter().map(|rate| {
            let (asked, message) = match &rate.answer {
                LiveAnswer::Asks(asked) => (Some(*asked), None),
                LiveAnswer::Refuses(why) | LiveAnswer::Unknown(why) => (None, Some(why)),
            };
            let verdict: &str = rate.verdict().into();
            json!({
                "endpoint": rate.job.endpoint.name,
                "chosen_by": rate.job.priced.chosen_by,
                "job": rate.job.id,
                "planned_msat": rate.job.priced.price,
                "planned_is_cap": rate.job.is_capped(),
                "asked_msat": asked,
                "verdict": verdict,
                "message": message,
                "job_count": rate.jobs,
                "total_msat": rate.planned,
                "live_total_msat": rate.total(),
            })
        });
        json!({
            "rates": rates.collect::<Vec<_>>(),
            "total_sats": self.planned().map(sats),
            "total_msat": self.planned(),
            "capped_msat": self.capped(),
            "live_total_sats": self.total().map(sats),
            "live_total_msat": self.total(),
        })
    }
}

/// Rates that are named where prices differ.
const NAMED_MAX: usize = 5;

impl LiveRate {
    /// The price of the job that was asked for, by the plan.
    fn planned_words(&self) -> String {
        with_caps(self.job.priced.price, self.capped_of(self.job.priced.price), |price| price.to_string())
    }

    /// What of so much by the plan is capped.
    fn capped_of(&self, planned: Msat) -> Msat {
        if self.job.is_capped() { planned } else { Msat::ZERO }
    }

    /// `generate-video (mode=pro): 605 sats for shot-1, planned 550 sats`
    fn words(&self) -> String {
        let job = &self.job;
        let of = if job.priced.chosen_by.is_empty() { String::new() } else { format!(" ({})", job.priced.chosen_by) };
        let says = match &self.answer {
            LiveAnswer::Asks(asked) => format!("{asked} for {}, planned {}", job.id, self.planned_words()),
            LiveAnswer::Refuses(why) | LiveAnswer::Unknown(why) => format!("{}: {why}", job.id),
        };
        shown(&format!("{}{of}: {says}", job.endpoint.name), usize::MAX)
    }

    /// How the live price stands to the plan's.
    #[must_use]
    pub fn verdict(&self) -> LiveVerdict {
        match &self.answer {
            LiveAnswer::Asks(asked) if self.job.endpoint.price.is_cap && *asked <= self.job.priced.price => {
                LiveVerdict::WithinCap
            }
            LiveAnswer::Asks(asked) => match asked.cmp(&self.job.priced.price) {
                std::cmp::Ordering::Less => LiveVerdict::Cheaper,
                std::cmp::Ordering::Equal => LiveVerdict::Same,
                std::cmp::Ordering::Greater => LiveVerdict::Dearer,
            },
            LiveAnswer::Refuses(_) => LiveVerdict::Refused,
            LiveAnswer::Unknown(_) => LiveVerdict::Unknown,
        }
    }

    /// What its jobs cost together now; none where that does not follow from the one that was asked for: it is no whole number of msat a unit, or
    /// a seller decides of each within a cap.
    #[must_use]
    pub fn total(&self) -> Option<Msat> {
        let LiveAnswer::Asks(asked) = &self.answer else { return None };
        if self.job.endpoint.price.is_cap {
            return (self.jobs == 1).then_some(*asked);
        }
        let units = self.job.priced.quantity;
        // What one job costs at least tells nothing of the others.
        let has_minimum = self.job.endpoint.price.scale.minimum.is_some();
        let is_whole = !has_minimum && asked.get().checked_rem(units) == Some(0);
        match (is_whole, units == self.quantity) {
            (true, _) => Msat::new(asked.get() / units).checked_mul(self.quantity),
            (false, true) => Some(*asked),
            (false, false) => None,
        }
    }
}

impl LiveVerdict {
    /// How it reads after a rate.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Same => "as planned",
            Self::Dearer => "dearer",
            Self::Cheaper => "cheaper",
            Self::WithinCap => "within the cap",
            Self::Refused => "not to be had",
            Self::Unknown => "not known",
        }
    }
}
