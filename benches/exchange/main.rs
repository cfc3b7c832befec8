//! Throughput of whole exchanges: `l402-batch run` against a floor client that makes the same three requests, checks
//! nothing and writes nothing. Sandbox and clients are separate processes, so that each one's CPU time is its own.
//!
//! `cargo bench --bench exchange` takes some minutes; `-- --jobs N --rounds N` make it shorter or steadier.

mod far_side;
mod floor;
mod measure;
mod ours;

use std::error::Error;
use std::process::ExitCode;

use far_side::FarSide;
use measure::{Sample, median};

/// What goes wrong in a bench ends it.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// One measured situation.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    jobs: u32,
    /// The floor's workers; our payments at once.
    in_flight: u32,
    /// Our jobs at once. Where payments take time, more than those: while some are paid, others ask and redeem.
    jobs_in_flight: u32,
    /// How long the stand-in node takes to pay.
    pay_ms: u32,
}

impl Setting {
    /// Jobs a second, where nothing but the payments takes time.
    fn ideal_rate(&self) -> Option<f64> {
        (self.pay_ms > 0).then(|| f64::from(self.in_flight) * 1_000.0 / f64::from(self.pay_ms))
    }
}

/// How much of everything is done.
struct Effort {
    jobs: u32,
    rounds: u32,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["floor", order @ ..] => floor::main(order),
        words if words.contains(&"--bench") => effort(words).and_then(|effort| compare(&effort)),
        // `cargo test --all-targets` starts it too: that it still builds is all there is to see then.
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exchange: {error}");
            ExitCode::FAILURE
        }
    }
}

fn effort(words: &[&str]) -> Outcome<Effort> {
    Ok(Effort { jobs: number(words, "--jobs", 8_000)?, rounds: number(words, "--rounds", 5)? })
}

fn number(words: &[&str], name: &str, otherwise: u32) -> Outcome<u32> {
    match words.iter().position(|word| *word == name) {
        None => Ok(otherwise),
        Some(at) => Ok(words.get(at + 1).ok_or_else(|| format!("{name} needs a number"))?.parse()?),
    }
}

fn compare(effort: &Effort) -> Outcome<()> {
    let busy = Setting { name: "busy", jobs: effort.jobs, in_flight: 64, jobs_in_flight: 64, pay_ms: 0 };
    let steady = Setting { name: "steady", in_flight: 128, jobs_in_flight: 192, pay_ms: 200, ..busy };
    for setting in [busy, steady] {
        let mut ours = Vec::new();
        let mut floor = Vec::new();
        // In turns, so that whatever else the machine does meets both.
        for _ in 0..effort.rounds.max(1) {
            floor.push(one(&setting, floor::measure)?);
            ours.push(one(&setting, ours::measure)?);
        }
        show(&setting, &mut floor, &mut ours);
    }
    Ok(())
}

/// One client against a sandbox of its own, whose books are empty.
fn one(setting: &Setting, client: fn(&FarSide, &Setting) -> Outcome<Sample>) -> Outcome<Sample> {
    let far_side = FarSide::start(setting.pay_ms)?;
    let sample = client(&far_side, setting)?;
    let sold = far_side.delivered()?;
    if sold != u64::from(setting.jobs) {
        return Err(format!("{}: {} jobs, and the sandbox delivered {sold}", setting.name, setting.jobs).into());
    }
    Ok(sample)
}

fn show(setting: &Setting, floor: &mut [Sample], ours: &mut [Sample]) {
    let Setting { name, jobs, in_flight, jobs_in_flight: _, pay_ms } = setting;
    println!("{name}: {jobs} jobs, {in_flight} in flight, {pay_ms} ms a payment");
    let cpu_us = |samples: &mut [Sample]| median(samples, |sample| sample.cpu_s) * 1e6 / f64::from(*jobs);
    let rate = |samples: &mut [Sample]| f64::from(*jobs) / median(samples, |sample| sample.wall_s);
    let (floor_us, ours_us) = (cpu_us(floor), cpu_us(ours));
    let (floor_rate, ours_rate) = (rate(floor), rate(ours));
    println!("  floor  {floor_us:6.0} µs CPU a job   {floor_rate:6.1} jobs/s{}", of_ideal(setting, floor_rate));
    println!("  ours   {ours_us:6.0} µs CPU a job   {ours_rate:6.1} jobs/s{}", of_ideal(setting, ours_rate));
    println!("  ours / floor: {:.2} of its CPU, {:.2} of its rate", ours_us / floor_us, ours_rate / floor_rate);
}

fn of_ideal(setting: &Setting, rate: f64) -> String {
    setting.ideal_rate().map_or_else(String::new, |ideal| format!("   {:.2} of the ideal {ideal:.0}", rate / ideal))
}
