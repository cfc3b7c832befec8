//! What of a plan the limits hold, job by job, in the order in which a run buys.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::sats;
use super::words::shown;
use crate::money::{Msat, counted};

/// A job that a run would buy, were there room for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its price, in msat.
    pub price: Msat,
    /// That is the most that it may cost.
    pub is_capped: bool,
    /// The most that routing may cost.
    pub fee_ceiling: Msat,
    /// The limit that does not hold it for sure: the reason with which it stays pending. None where it fits.
    pub limit: Option<&'static str>,
    /// That limit falls once the job's origin has delivered.
    pub waits: bool,
}

/// Jobs of either kind that are listed; the rest is counted.
const LISTED_MAX: usize = 100;

/// What becomes of a listed job.
const fn kind(job: &Listed) -> Kind {
    match job.limit {
        None => Kind::Fits,
        Some(_) if job.waits => Kind::Waits,
        Some(_) => Kind::Stays,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fits,
    Waits,
    Stays,
}

/// Each kind, and what is said of it.
const KINDS: [(Kind, &str); 3] = [
    (Kind::Fits, "fits for sure"),
    (Kind::Waits, "waits for the first delivery of its origin, and is bought then as far as other limits hold it"),
    (Kind::Stays, "does not fit for sure, and stays pending where it does not"),
];

/// Writes what fits for sure and what does not; all of it, or the first of each kind.
pub(super) fn write_partial(out: &mut dyn Write, list: &[Listed], all: bool) -> io::Result<()> {
    if list.iter().all(|job| job.limit.is_none()) {
        let jobs = counted(list.len() as u64, "job");
        return writeln!(out, "with --partial: {jobs} to buy, and all of it fits with the highest routing fees\n");
    }
    let most = if all { usize::MAX } else { LISTED_MAX };
    for (what, label) in KINDS {
        let of = || list.iter().filter(|job| kind(job) == what);
        let count = of().count();
        if count == 0 && what == Kind::Waits {
            continue;
        }
        writeln!(out, "{label}: {}", counted(count as u64, "job"))?;
        for job in of().take(most) {
            let cap = if job.is_capped { "≤ " } else { "" };
            let price = format!("{cap}{}", job.price);
            let fee = sats(job.fee_ceiling);
            let limit = job.limit.map(|limit| format!("  {limit}")).unwrap_or_default();
            writeln!(out, "  {:<20}  {price:>16}  and at most {fee} of fees{limit}", shown(&job.id, usize::MAX))?;
        }
        if count > most {
            writeln!(out, "  and {} more; --jobs lists them all", count - most)?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "in this order one job after the other (--jobs-in-flight 1); of several at once the one whose seller answers first is first, and one whose request is identical to another's waits for it\n"
    )
}

/// The same for programs.
pub(super) fn partial_json(list: &[Listed]) -> Json {
    let job = |job: &Listed| {
        json!({
            "id": job.id,
            "price_msat": job.price,
            "price_is_cap": job.is_capped,
            "fee_ceiling_msat": job.fee_ceiling,
            "fits": job.limit.is_none(),
            "limit": job.limit,
            "waits": job.waits,
        })
    };
    list.iter().map(job).collect()
}
