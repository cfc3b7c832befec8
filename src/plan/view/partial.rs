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
}

/// Jobs of either kind that are listed; the rest is counted.
const LISTED_MAX: usize = 100;

/// Writes what fits for sure and what does not; all of it, or the first of either.
pub(super) fn write_partial(out: &mut dyn Write, list: &[Listed], all: bool) -> io::Result<()> {
    let most = if all { usize::MAX } else { LISTED_MAX };
    for (label, fits) in [("fits for sure", true), ("does not fit for sure, and stays pending", false)] {
        let of = || list.iter().filter(|job| job.limit.is_none() == fits);
        let count = of().count();
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
        "in this order one job after the other (--jobs-in-flight 1); of several at once the one whose seller answers first is first\n"
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
        })
    };
    list.iter().map(job).collect()
}
