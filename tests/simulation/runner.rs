//! Lives through many worlds on every core, tells which broke a promise and how to live through them again.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{RefUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use l402_batch::purchase::{JobState, Reason};

use super::coverage::SIGHTS;
use super::disk::Moment;
use super::faults::{ALL, Fault};
use super::liars::Liar;
use super::life::{Options, live};
use super::script::Script;
use super::world::Stop;

const JOBS_MAX: u64 = 60;
const BROKEN_MAX: usize = 20;

/// What many worlds together saw.
pub struct Tally {
    /// How to live again through those that broke a promise, and what was broken.
    pub broken: Vec<(String, String)>,
    pub worlds: u64,
    pub processes: usize,
    pub settled: usize,
    /// In how many worlds each fault struck, and each thing really happened.
    pub struck: [u64; ALL.len()],
    pub seen: [u64; SIGHTS.len()],
    pub faults: u64,
    pub ends: BTreeMap<(JobState, Reason), u64>,
    pub seconds: f64,
}

/// Said past the test harness, which keeps what a passing test prints.
pub fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    let _closed = writeln!(out, "{line}");
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// What a test lives through by itself, in each profile.
pub const fn usual_seeds() -> u64 {
    if cfg!(debug_assertions) { 200 } else { 5_000 }
}

/// A world as its seed has it.
pub fn options(seed: u64) -> Options {
    let (first_stop, disk_fails, liar) = (None, None, Liar::Nobody);
    Options {
        seed,
        first_stop,
        disk_fails,
        more: &[],
        jobs_max: JOBS_MAX,
        script: Script::Drawn,
        restless: false,
        restored: false,
        planned_takes: true,
        liar,
        traced: false,
    }
}

/// The world that `SIM_SEED` and its companions describe.
pub fn asked_for() -> Option<Options> {
    let named = std::env::var("SIM_LIAR").unwrap_or_default();
    let liar = Liar::ALL.into_iter().find(|liar| format!("{liar:?}") == named).unwrap_or(Liar::Nobody);
    let before = number("SIM_DISK_BEFORE").map(|at| (at, Moment::Before));
    let disk_fails = before.or(number("SIM_DISK_AFTER").map(|at| (at, Moment::After)));
    let jobs_max = number("SIM_JOBS").unwrap_or(JOBS_MAX);
    let first_stop = number("SIM_STOP").map(stop_of);
    let script = SCRIPTS.iter().find_map(|(name, script)| number(name).map(|at| script(stop_of(at))));
    let script = script.unwrap_or(Script::Drawn);
    let restless = number("SIM_RESTLESS").is_some();
    let restored = number("SIM_RESTORED").is_some();
    let seed = number("SIM_SEED")?;
    let more = more();
    Some(Options {
        first_stop,
        disk_fails,
        more,
        jobs_max,
        script,
        restless,
        restored,
        liar,
        traced: true,
        ..options(seed)
    })
}

/// A name by which a script and its stop are asked for.
type Named = (&'static str, fn(Stop) -> Script);

/// Those of each script.
const SCRIPTS: [Named; 3] =
    [("SIM_WORD", Script::Word), ("SIM_RESULTS", Script::Results), ("SIM_REOPENS", Script::Reopens)];

/// Faults that strike in each world beside those of its seed, as `SIM_MORE` names them: `Name:permille,Name:permille`.
fn more() -> &'static [(Fault, u32)] {
    let named = std::env::var("SIM_MORE").unwrap_or_default();
    let read = |one: &str| {
        let (name, permille) = one.split_once(':')?;
        let fault = ALL.iter().find(|fault| format!("{fault:?}") == name)?;
        Some((*fault, permille.parse().ok()?))
    };
    // Once a process.
    Vec::leak(named.split(',').filter_map(read).collect())
}

/// `SIM_STOP` of a process that does not stop.
const NO_STOP: u64 = 999_999;

const fn stop_of(at: u64) -> Stop {
    if at == NO_STOP { Stop::Never } else { Stop::At(at) }
}

/// The line that lives through a world again.
fn replay(options: &Options) -> String {
    let mut line = format!("SIM_SEED={}", options.seed);
    match options.first_stop {
        None | Some(Stop::Chance(..)) => {}
        Some(Stop::Never) => line.push_str(&format!(" SIM_STOP={NO_STOP}")),
        Some(Stop::At(at)) => line.push_str(&format!(" SIM_STOP={at}")),
    }
    match options.disk_fails {
        None => {}
        Some((at, Moment::Before)) => line.push_str(&format!(" SIM_DISK_BEFORE={at}")),
        Some((at, Moment::After)) => line.push_str(&format!(" SIM_DISK_AFTER={at}")),
    }
    if options.jobs_max != JOBS_MAX {
        line.push_str(&format!(" SIM_JOBS={}", options.jobs_max));
    }
    let script = match options.script {
        Script::Drawn => None,
        Script::Word(stop) => Some(("SIM_WORD", stop)),
        Script::Results(stop) => Some(("SIM_RESULTS", stop)),
        Script::Reopens(stop) => Some(("SIM_REOPENS", stop)),
    };
    match script {
        None => {}
        Some((name, Stop::At(at))) => line.push_str(&format!(" {name}={at}")),
        Some((name, Stop::Never | Stop::Chance(..))) => line.push_str(&format!(" {name}={NO_STOP}")),
    }
    if !options.more.is_empty() {
        let more: Vec<String> = options.more.iter().map(|(fault, permille)| format!("{fault:?}:{permille}")).collect();
        line.push_str(&format!(" SIM_MORE={}", more.join(",")));
    }
    if options.restless {
        line.push_str(" SIM_RESTLESS=1");
    }
    if options.restored {
        line.push_str(" SIM_RESTORED=1");
    }
    if options.liar != Liar::Nobody {
        line.push_str(&format!(" SIM_LIAR={:?}", options.liar));
    }
    format!("{line} cargo test --profile sim --test simulation every_seed")
}

/// Lives through so many worlds, at most until `broken_max` of them broke a promise.
pub fn live_through(
    worlds: &(dyn Fn(u64) -> Options + Sync + RefUnwindSafe),
    from: u64,
    count: u64,
    broken_max: usize,
) -> Tally {
    let begun = Instant::now();
    let next = AtomicU64::new(from);
    let tally = Mutex::new(Tally::new());
    let lives = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= from + count || tally.lock().expect("no panic").broken.len() >= broken_max {
            return;
        }
        let options = worlds(number);
        let story = catch_unwind(|| live(&options));
        let mut tally = tally.lock().expect("no panic");
        tally.worlds += 1;
        let violations = match story {
            Err(_) => vec!["it panicked".to_owned()],
            Ok(story) => {
                tally.processes += story.processes;
                tally.settled += story.settled;
                tally.struck.iter_mut().zip(story.struck).for_each(|(worlds, times)| *worlds += times.min(1));
                tally.seen.iter_mut().zip(story.seen).for_each(|(worlds, times)| *worlds += times.min(1));
                tally.faults += story.struck.iter().sum::<u64>();
                for (end, jobs) in story.ends {
                    *tally.ends.entry(end).or_default() += jobs;
                }
                story.violations
            }
        };
        if !violations.is_empty() {
            tally.broken.push((replay(&options), violations.join("; ")));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        for _ in 0..number("SIM_THREADS").unwrap_or(cores) {
            scope.spawn(lives);
        }
    });
    let mut tally = tally.into_inner().expect("no panic");
    tally.seconds = begun.elapsed().as_secs_f64();
    tally
}

impl Tally {
    fn new() -> Self {
        let (broken, ends) = (Vec::new(), BTreeMap::new());
        let (struck, seen) = ([0; ALL.len()], [0; SIGHTS.len()]);
        Self { broken, worlds: 0, processes: 0, settled: 0, struck, seen, faults: 0, ends, seconds: 0.0 }
    }

    /// Fails where a promise was broken, with a line for each world that replays it.
    pub fn expect_kept(&self) {
        for (replay, violations) in &self.broken {
            say(&format!("{replay}  # {violations}"));
        }
        assert!(self.broken.is_empty(), "{} of {} worlds broke a promise", self.broken.len(), self.worlds);
    }

    /// In how many worlds each fault struck, and each thing happened.
    pub fn coverage(&self) -> String {
        let faults = table(ALL.iter().zip(self.struck).map(|(fault, worlds)| (format!("{fault:?}"), worlds)));
        let sights = table(SIGHTS.iter().zip(self.seen).map(|(sight, worlds)| (format!("{sight:?}"), worlds)));
        format!("worlds in which a fault struck: {faults}\nworlds in which it happened: {sights}")
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<String> {
        let faults =
            ALL.iter().zip(self.struck).filter(|(_, worlds)| *worlds == 0).map(|(fault, _)| format!("{fault:?}"));
        let sights = SIGHTS.iter().zip(self.seen).filter(|(_, worlds)| *worlds == 0);
        faults.chain(sights.map(|(sight, _)| format!("{sight:?}"))).collect()
    }

    pub fn summary(&self) -> String {
        let ends: Vec<String> = self
            .ends
            .iter()
            .map(|((state, reason), jobs)| match reason {
                Reason::None => format!("{jobs} {}", state.as_str()),
                _ => format!("{jobs} {} ({})", state.as_str(), reason.as_str()),
            })
            .collect();
        format!(
            "{} worlds in {:.1} s, {:.0} a second: {} processes, {} payments settled, {} faults struck; jobs at the end: {}",
            self.worlds,
            self.seconds,
            self.worlds as f64 / self.seconds,
            self.processes,
            self.settled,
            self.faults,
            ends.join(", ")
        )
    }
}

/// Names and in how many worlds.
fn table(of: impl Iterator<Item = (String, u64)>) -> String {
    of.map(|(name, worlds)| format!("{name} {worlds}")).collect::<Vec<_>>().join(", ")
}

/// All that broke, up to a number of worlds that still can be read.
pub fn live_through_seeds(from: u64, count: u64) -> Tally {
    let (restored, more) = (number("SIM_RESTORED").is_some(), more());
    live_through(&|seed| Options { restored, more, ..options(seed) }, from, count, BROKEN_MAX)
}
