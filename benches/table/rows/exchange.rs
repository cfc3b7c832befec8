//! Whole exchanges beside the floor client: CPU time and bytes a job, and the rate where payments take time.

use crate::far_side::FarSide;
use crate::measure::{self, Sample};
use crate::ours::Buyer;
use crate::row::Row;
use crate::{Effort, Outcome, floor};

/// One at a time is so much slower.
const SINGLE_SHARE: u32 = 8;

/// One measured situation.
#[derive(Clone, Copy)]
struct Setting {
    jobs: u32,
    /// The floor's workers; our payments at once.
    in_flight: u32,
    /// Our jobs at once. Where payments take time, more than those: while some are paid, others ask and redeem.
    jobs_in_flight: u32,
    /// How long the stand-in node takes to pay.
    pay_ms: u32,
}

/// What both clients took, each once a round.
#[derive(Default)]
struct Both {
    ours: Vec<Sample>,
    floor: Vec<Sample>,
    /// Bytes that stand on the disk once we are done.
    kept: Vec<f64>,
}

/// Payments that take no time, 64 in flight.
pub(crate) fn busy(effort: &Effort) -> Outcome<()> {
    let setting = Setting { jobs: effort.jobs, in_flight: 64, jobs_in_flight: 64, pay_ms: 0 };
    let both = setting.compare(effort.rounds)?;
    both.print_cpu(&setting, "≤ 2.4, 2 wished for")?;
    both.print_written(&setting, "≤ 12 kB")
}

/// The same, one at a time.
pub(crate) fn single(effort: &Effort) -> Outcome<()> {
    let setting = Setting { jobs: effort.jobs.div_ceil(SINGLE_SHARE), in_flight: 1, jobs_in_flight: 1, pay_ms: 0 };
    let both = setting.compare(effort.rounds)?;
    both.print_cpu(&setting, "≤ 5")?;
    both.print_written(&setting, "")
}

/// Payments of 200 ms, 128 in flight.
pub(crate) fn steady(effort: &Effort) -> Outcome<()> {
    let setting = Setting { jobs: effort.jobs, in_flight: 128, jobs_in_flight: 192, pay_ms: 200 };
    let ideal = [f64::from(setting.in_flight) * 1_000.0 / f64::from(setting.pay_ms)];
    let both = setting.compare(effort.rounds)?;
    let rates = |samples: &[Sample]| -> Vec<f64> {
        samples.iter().map(|sample| f64::from(setting.jobs) / sample.wall_s).collect()
    };
    let work = format!("rate, {setting}");
    let row = |work, ours: &[f64], aim| Row { work, unit: "jobs/s", ours, beside: &ideal, what: "ideal", aim }.print();
    row(&work, &rates(&both.ours), "≥ 0.92")?;
    row(&format!("{work}: the floor"), &rates(&both.floor), "")
}

impl Setting {
    /// Both clients, each time against a sandbox of its own, whose books are empty.
    fn compare(&self, rounds: u32) -> Outcome<Both> {
        let mut both = Both::default();
        // In turns, so that whatever else the machine does meets both.
        for _ in 0..rounds {
            let far_side = FarSide::start(self.pay_ms, &[])?;
            both.floor.push(floor::measure(&far_side, self.jobs, self.in_flight)?);
            far_side.has_delivered(self.jobs)?;
            let far_side = FarSide::start(self.pay_ms, &[])?;
            let buyer = Buyer::of_videos(&far_side, self.jobs)?;
            both.ours.push(measure::run(&mut buyer.fast_run(self.in_flight, self.jobs_in_flight))?);
            both.kept.push(buyer.kept_kb()?);
            far_side.has_delivered(self.jobs)?;
        }
        Ok(both)
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} payments of {} ms, {} in flight", self.jobs, self.pay_ms, self.in_flight)
    }
}

impl Both {
    fn print_cpu(&self, setting: &Setting, aim: &str) -> Outcome<()> {
        let us = |samples: &[Sample]| -> Vec<f64> {
            samples.iter().map(|sample| sample.cpu_s * 1e6 / f64::from(setting.jobs)).collect()
        };
        let work = format!("CPU a job, {setting}");
        let (ours, floor) = (us(&self.ours), us(&self.floor));
        Row { work: &work, unit: "µs", ours: &ours, beside: &floor, what: "floor", aim }.print()
    }

    fn print_written(&self, setting: &Setting, aim: &str) -> Outcome<()> {
        let jobs = f64::from(setting.jobs);
        let written: Vec<f64> = self.ours.iter().map(|sample| sample.written_kb / jobs).collect();
        let kept: Vec<f64> = self.kept.iter().map(|kb| kb / jobs).collect();
        let work = format!("written to disk a job, {setting}");
        Row { work: &work, unit: "kB", ours: &written, beside: &kept, what: "kept at the end", aim }.print()
    }
}
