//! SIGKILL at random moments, again and again, with faults on; then the books are held against the papers.
//!
//! The short version is part of every test run. The long one (300 kills through a batch of 1,000 jobs) is
//! `E2E_KILLS=300 E2E_JOBS=1000 cargo test --release --test e2e killed_often -- --nocapture`.

use std::thread;
use std::time::Duration;

use crate::harness::{Audit, Client, Sandbox};

const FAULTS: &str = "--sandbox-pay-ms 40 --sandbox-latency-ms 5 --sandbox-drop-percent 5 \
    --sandbox-fail-origin-percent 5 --sandbox-fail-pay-percent 5 --sandbox-rate-limit-percent 2";
/// Runs without a kill that a batch with faults may need to its end.
const RUNS_MAX: usize = 25;

#[test]
fn killed_at_random_moments_each_job_is_paid_once_and_delivered() {
    let (kills, jobs) = (number("E2E_KILLS", 12), number("E2E_JOBS", 40));
    let sandbox = Sandbox::start(FAULTS);
    let client = Client::of(&sandbox);
    let rows: String = (1..=jobs).map(|n| format!("{n},a kite number {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3 --max-sats 2000000 --wait-doubt 5s";

    let mut random = Random(number("E2E_SEED", 1));
    for _ in 0..kills {
        let process = client.start(run);
        // Anywhere from the very start to well into the purchases.
        thread::sleep(Duration::from_millis(random.below(600)));
        process.killer()();
        drop(process);
    }
    let ended = (0..RUNS_MAX).map(|_| client.run(run)).find(|ended| {
        assert!(matches!(ended.code, Some(0 | 3 | 5)), "{ended}");
        ended.code == Some(0)
    });
    assert!(ended.is_some(), "the batch does not come to its end in {RUNS_MAX} runs");
    let jobs = usize::try_from(jobs).unwrap();
    let audit = Audit::of(&client, "jobs", &sandbox.books()).all_delivered(jobs);
    println!("{kills} kills, {} jobs, each paid once and delivered", audit.bought.len());
    client.asks_node("audit").with(0).saying("differ   0 payments");
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// A small generator of random numbers (splitmix64), so that a seed repeats its moments.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}
