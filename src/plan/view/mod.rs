//! A plan as people and programs read it: a table, JSON, CSV. Each writes as it goes and holds no more than one job.
//!
//! Amounts named `_msat` are exact. Those named `_sats` are whole sats, rounded up where the amount is none.

mod compare;
mod csv;
mod json;
mod live;
mod page;
mod partial;
mod saved;
mod sums;
mod table;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::io;

use serde::Serialize;

pub use compare::Comparison;
pub use live::{Live, LiveAnswer, LiveRate, LiveVerdict};
pub use page::{Page, PageFacts};
pub use partial::Listed;
pub use table::job_line;
pub use words::file_name;

use super::sums::Sums;
use super::{Plan, PlannedJob, Totals};
use crate::catalog::{ImageRef, ImageSource, Value};
use crate::diagnostic::Diagnostic;
use crate::fiat::Rate;
use crate::manifest::JobSource;
use crate::money::{Msat, Sats, counted, with_caps};

/// A plan, and what is to be shown with it.
pub struct PlanView<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The manifest that it was made from.
    pub source: &'a dyn JobSource,
    /// The manifest, for the reader.
    pub manifest: ManifestFacts,
    /// What is left to buy, where the batch has already run or something is bought already under another name.
    pub left: Option<LeftToBuy>,
    /// What of that the limits hold for sure, where they do not hold all of it.
    pub fits: Option<LeftToBuy>,
    /// Files of before lack room: nothing is bought until there is some.
    pub lacks_room: bool,
    /// Delivered jobs of which the manifest, or the results file, says something else now.
    pub changed: u64,
    /// What is bought already under another name, where anything is.
    pub duplicates: Option<&'a Duplicated>,
    /// What the batch has spent so far, where it has already run.
    pub so_far: Option<SoFar>,
    /// What else a person is warned of, in words.
    pub told: &'a [String],
    /// Where a run would write files, with the template of their names; none where it would fetch none.
    pub download: Option<String>,
    /// What it costs now, where that was asked for.
    pub live: Option<&'a Live>,
    /// What it comes to by a column, where that was asked for.
    pub sums: Option<&'a Sums>,
    /// What a bitcoin costs in another currency, where that is known.
    pub rate: Option<&'a Rate>,
    /// What of it the limits hold, where what fits is bought.
    pub partial: Option<&'a [Listed]>,
}

/// A manifest as a plan names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestFacts {
    /// Its path; `-` for standard input.
    pub path: String,
    /// SHA-256 of its bytes, in lower-case hex.
    pub sha256: String,
}

/// What a run would leave out, since it is bought already under another name; or buy once more, by a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicated {
    /// How many jobs.
    pub jobs: u64,
    /// Their price.
    pub price: Msat,
    /// Of that, what is capped.
    pub capped: Msat,
    /// They are bought once more, and are among what is left to buy.
    pub are_bought: bool,
    /// The first of them: the job's id, and in words what it repeats.
    pub first: Vec<(String, String)>,
}

/// What is left to buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftToBuy {
    /// How many jobs.
    pub jobs: u64,
    /// Their price: exact, but for what is capped of it.
    pub price: Msat,
    /// Of that, what is the most that it may be.
    pub capped: Msat,
    /// The most that routing them may cost.
    pub fee_ceiling: Msat,
}

impl LeftToBuy {
    /// All of a plan.
    #[must_use]
    pub const fn of(totals: &Totals) -> Self {
        let Totals { job_count: jobs, price, capped, fee_ceiling, .. } = *totals;
        Self { jobs, price, capped, fee_ceiling }
    }

    /// The price, and what of it is capped, as `show` shows an amount.
    #[must_use]
    pub fn price_words(&self, show: impl Fn(Msat) -> String) -> String {
        with_caps(self.price, self.capped, show)
    }

    /// What files of before keep from being bought, and until when: `until there is room (5 jobs for 4,500 sats)`.
    #[must_use]
    pub fn until_room(&self) -> String {
        format!(
            "until there is room ({} for {})",
            counted(self.jobs, "job"),
            self.price_words(|price| price.to_string())
        )
    }
}

/// What a batch that has already run has spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoFar {
    /// Settled payments, without fees.
    pub spent: Msat,
    /// Their routing fees.
    pub fees: Msat,
    /// What came back of them.
    pub refunded: Msat,
}

/// Why a plan was not shown whole. What was written until then is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The output does not take it.
    #[error("the plan cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The manifest is no longer the one that was planned.
    #[error("the manifest changed while it was read")]
    Manifest(Vec<Diagnostic>),
}

impl PlanView<'_> {
    /// Every job, in the manifest's order.
    fn jobs(&self) -> impl Iterator<Item = Result<PlannedJob, ViewError>> {
        self.plan.jobs(self.source).map(|job| job.map_err(ViewError::Manifest))
    }
}

/// Whole sats, rounded up: how a cost is shown. The exact amount stands beside it in msat.
const fn sats(amount: Msat) -> Sats {
    amount.sats_ceil()
}

/// The value as it stands in a plan's and in results' cells, but for what spreadsheets would take for a formula.
pub fn cell_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Image(image) => image_path(image).unwrap_or_else(|| value.to_string()).into(),
        Value::Integer(_) | Value::Decimal(_) | Value::Structured(_) | Value::Boolean(_) => value.to_string().into(),
    }
}

/// Where an image comes from, for the reader: its path, or nothing for one that stands in the manifest.
fn image_path(image: &ImageRef) -> Option<String> {
    match &image.source {
        ImageSource::File(path) => Some(path.display().to_string()),
        ImageSource::Inline(_) => None,
    }
}
