//! The whole machinery in simulated worlds: the real executor, the real state machine and the real ledger, between a node, a
//! shop, a network and a disk that fail in every way we can think of. One seed is one world.
//!
//! `SIM_SEEDS=100000 cargo test --release --test simulation` lives through more of them;
//! `SIM_SEED=123 cargo test --release --test simulation every_seed` replays one and prints what happened in it.

#[cfg(test)]
mod auditor;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod life;
#[cfg(test)]
mod mint;
#[cfg(test)]
mod network;
#[cfg(test)]
mod node;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod payer;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod rng;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod verdict;
#[cfg(test)]
mod world;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use life::{Liar, Options, Story, live};
use world::Stop;

const JOBS_MAX: u64 = 30;

/// Said past the test harness, which keeps what a passing test prints.
fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    let _closed = writeln!(out, "{line}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What `cargo test` lives through, in each profile.
const fn usual_seeds() -> u64 {
    if cfg!(debug_assertions) { 200 } else { 5_000 }
}

fn options(seed: u64) -> Options {
    Options { seed, first_stop: None, jobs_max: JOBS_MAX, liar: Liar::Nobody, traced: false }
}

/// Lives through many worlds, on every core, and gives back those that broke a promise.
fn live_through(
    worlds: &(dyn Fn(u64) -> Options + Sync + std::panic::RefUnwindSafe),
    from: u64,
    count: u64,
    enough: usize,
) -> Vec<(u64, Vec<String>)> {
    let next = AtomicU64::new(from);
    let broken = Mutex::new(Vec::new());
    let lives = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= from + count || broken.lock().expect("no panic").len() >= enough {
            return;
        }
        let story = std::panic::catch_unwind(|| live(&worlds(seed)));
        let violations = match story {
            Ok(story) => story.violations,
            Err(_) => vec!["it panicked".to_owned()],
        };
        if !violations.is_empty() {
            broken.lock().expect("no panic").push((seed, violations));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..cores {
            scope.spawn(lives);
        }
    });
    let mut broken = broken.into_inner().expect("no panic");
    broken.sort();
    broken
}

fn tell(broken: &[(u64, Vec<String>)]) {
    for (seed, violations) in broken {
        say(&format!("SIM_SEED={seed} cargo test --release --test simulation every_seed  # {}", violations.join("; ")));
    }
}

fn replay(seed: u64) -> Story {
    let liar = match std::env::var("SIM_LIAR").as_deref() {
        Ok("EagerLedger") => Liar::EagerLedger,
        Ok("ForgivingLedger") => Liar::ForgivingLedger,
        Ok("ForgetfulPayer") => Liar::ForgetfulPayer,
        Ok("PayingOrigin") => Liar::PayingOrigin,
        _ => Liar::Nobody,
    };
    let first_stop = number("SIM_STOP").map(Stop::At);
    let jobs_max = number("SIM_JOBS").unwrap_or(JOBS_MAX);
    let story = live(&Options { seed, first_stop, jobs_max, liar, traced: true });
    for line in &story.trace {
        say(line);
    }
    story
}

#[test]
fn every_seed_keeps_the_promises() {
    if let Some(seed) = number("SIM_SEED") {
        let story = replay(seed);
        assert!(story.violations.is_empty(), "seed {seed}: {}", story.violations.join("; "));
        return;
    }
    let (from, count) = (number("SIM_FROM").unwrap_or(0), number("SIM_SEEDS").unwrap_or_else(usual_seeds));
    let begun = Instant::now();
    let broken = live_through(&options, from, count, 20);
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("{count} seeds in {seconds:.1} s, {:.0} a second, {} broken", count as f64 / seconds, broken.len()));
    tell(&broken);
    assert!(broken.is_empty(), "{} of {count} seeds broke a promise", broken.len());
}

/// The auditor bites: each of these is caught within the seeds that CI lives through.
fn is_caught(liar: Liar) {
    let worlds = move |seed| Options { liar, ..options(seed) };
    let broken = live_through(&worlds, 0, usual_seeds(), 1);
    let (seed, violations) = broken.first().unwrap_or_else(|| panic!("{liar:?} was not caught"));
    say(&format!("{liar:?} is caught at seed {seed}: {}", violations[0]));
}

#[test]
fn a_ledger_that_hands_out_the_intent_before_committing_it_is_caught() {
    is_caught(Liar::EagerLedger);
}

#[test]
fn a_ledger_that_takes_failed_as_final_while_a_send_is_unanswered_is_caught() {
    is_caught(Liar::ForgivingLedger);
}

#[test]
fn a_payer_that_maps_not_found_to_failed_is_caught() {
    is_caught(Liar::ForgetfulPayer);
}

#[test]
fn an_origin_that_reads_402_on_redeeming_as_a_reason_to_pay_again_is_caught() {
    is_caught(Liar::PayingOrigin);
}

/// Same seed, same trace.
#[test]
fn the_same_seed_is_the_same_world() {
    for seed in 0..40 {
        let one = live(&Options { traced: true, ..options(seed) }).trace;
        let other = live(&Options { traced: true, ..options(seed) }).trace;
        let differ = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

/// The first process stops at every single point, one world after the other.
#[test]
fn a_process_may_stop_at_every_point() {
    let mut stops = 0;
    for seed in 0..(usual_seeds() / 100) {
        let small = Options { jobs_max: 2, first_stop: Some(Stop::Never), ..options(seed) };
        let points = live(&small).first_points.min(120);
        let worlds = |point| Options { first_stop: Some(Stop::At(point)), ..small.clone() };
        let broken = live_through(&worlds, 0, points, 1);
        stops += points;
        assert!(broken.is_empty(), "seed {seed}, stopped at point {}: {}", broken[0].0, broken[0].1.join("; "));
    }
    say(&format!("{stops} stops"));
}
