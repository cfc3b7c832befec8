//! A large batch: until its first delivery, and once all of it is delivered.

use crate::far_side::FarSide;
use crate::measure::{self, Sample};
use crate::ours::Buyer;
use crate::row::Row;
use crate::{Effort, Outcome};

/// How an event tells a delivery.
const DELIVERED: &str = r#""state":"delivered""#;

/// Buys the batch, and measures `run` and `plan` beside it, in turns with a `plan` that knows no ledger.
pub(crate) fn large(effort: &Effort) -> Outcome<()> {
    let far_side = FarSide::start(0, &[])?;
    let buyer = Buyer::of_videos(&far_side, effort.batch)?;
    // The same batch, and nothing is known of it.
    let stranger = Buyer::of_videos(&far_side, effort.batch)?;
    let before = measure::run(&mut stranger.plan())?;
    let (_, first_s) = measure::heard(buyer.fast_run(64, 64).arg("--json"), DELIVERED)?;
    far_side.has_delivered(effort.batch)?;
    let (mut again, mut beside, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        again.push(measure::run(&mut buyer.fast_run(64, 64))?);
        beside.push(measure::run(&mut buyer.plan())?);
        bare.push(measure::run(&mut stranger.plan())?);
    }
    // Nothing was bought twice.
    far_side.has_delivered(effort.batch)?;

    let batch = effort.batch;
    let of = |samples: &[Sample], what: fn(&Sample) -> f64| -> Vec<f64> { samples.iter().map(what).collect() };
    let row = |work: String, unit, ours: &[f64], bare: &[f64], aim| {
        Row { work: &work, unit, ours, beside: bare, what: "`plan` without a ledger", aim }.print()
    };
    row(format!("first delivery of a new batch of {batch}"), "s", &[first_s], &[before.wall_s], "≤ 2 s")?;
    let cpu = |sample: &Sample| sample.cpu_s;
    let cpus = of(&bare, cpu);
    row(format!("`run` again, all {batch} delivered"), "CPU s", &of(&again, cpu), &cpus, "≤ 1 s")?;
    row("what that writes".to_owned(), "kB", &of(&again, |run| run.written_kb), &[], "nothing")?;
    row(format!("`plan` beside the ledger of {batch}"), "CPU s", &of(&beside, cpu), &cpus, "≤ 0.25 s")
}
