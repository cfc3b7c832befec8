//! Batches with a picture in each job: memory, and CPU time where there are many.

use crate::far_side::FarSide;
use crate::measure;
use crate::ours::{Buyer, pictures};
use crate::row::Row;
use crate::{Effort, Outcome};

/// The stand-in node's own time for a payment.
const PAY_MS: u32 = 50;
const LARGE_BYTES: u32 = 5_000_000;
/// More than are in flight at once.
const LARGE_COUNT: u32 = 80;
const SMALL_BYTES: u32 = 100_000;
/// Two batches, once a cache of so many pictures had an end between them.
const SMALL_COUNTS: [u32; 2] = [4_000, 4_500];
/// The code of a run that leaves something to buy.
const UNFINISHED: i32 = 3;

/// The most memory at once with large pictures and default settings, in a batch and in one of twice its size.
pub(crate) fn memory(effort: &Effort) -> Outcome<()> {
    let count = effort.jobs.min(LARGE_COUNT);
    let pictures = pictures(2 * count, LARGE_BYTES)?;
    let mut peaks = Vec::new();
    for jobs in [count, 2 * count] {
        let far_side = FarSide::start(PAY_MS, &[])?;
        let buyer = Buyer::of_pictures(&far_side, &pictures, jobs)?;
        peaks.push(measure::run(&mut buyer.run())?.peak_mib);
        far_side.has_delivered(jobs)?;
    }
    let (half, whole) = peaks.split_at(1);
    let work = format!("memory, {} pictures of 5 MB, default settings", 2 * count);
    let what = format!("{count} of them");
    Row { work: &work, unit: "MiB", ours: whole, beside: half, what: &what, aim: "≤ 200 MiB; 1.0" }.print()
}

/// One job of batches with many pictures.
pub(crate) fn many(effort: &Effort) -> Outcome<()> {
    let [fewer, more] = SMALL_COUNTS;
    let pictures = pictures(more, SMALL_BYTES)?;
    let far_side = FarSide::start(PAY_MS, &[])?;
    let mut bought = 0;
    let mut one = |jobs: u32| -> Outcome<f64> {
        let buyer = Buyer::of_pictures(&far_side, &pictures, jobs)?;
        let sample = measure::run_to(buyer.run().args(["--limit", "1"]), UNFINISHED)?;
        bought += 1;
        far_side.has_delivered(bought)?;
        Ok(sample.cpu_s)
    };
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        few.push(one(fewer)?);
        many.push(one(more)?);
    }
    let work = format!("{more} pictures of 100 kB, `run --limit 1`");
    let what = format!("{fewer} of them");
    Row { work: &work, unit: "CPU s", ours: &many, beside: &few, what: &what, aim: "1.13: no cliff" }.print()
}
