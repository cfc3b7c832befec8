//! SIGKILL at random moments, again and again, with faults on; then the books are held against the receipts.
//!
//! The short version is part of every test run. The long one (300 kills through a batch of 1,000 jobs) is
//! `E2E_KILLS=300 E2E_JOBS=1000 cargo test --release --test e2e killed_often -- --nocapture`.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Audit, Books, Client, PATIENCE, Sandbox};

/// Half of the answers are 202 and polled: the sandbox is started anew with `ACCEPT` and without it, by turns.
const FAULTS: &str = "--sandbox-pay-ms 150 --sandbox-latency-ms 5 --sandbox-drop-percent 5 --sandbox-accept-ms 100 \
    --sandbox-fail-origin-percent 5 --sandbox-fail-pay-percent 5 --sandbox-rate-limit-percent 2";
const ACCEPT: &str = "--sandbox-accept";
/// After so many kills the sandbox is killed as well, while the client works, and started again with its books.
const SANDBOX_EVERY: u64 = 8;
/// The longest life that a run is given. Where the batch is behind the kills it grows with every job that is missing: the
/// kills shall be spread over the batch's whole length, on machines of any speed.
const LIFE_MS: u64 = 300;
const LIFE_MS_PER_JOB: u64 = 100;
const LIFE_MS_MAX: u64 = 3_000;
/// Jobs that the last kill is to leave undone: more than fit into the longest life.
const LEFT_BY_KILLS: u64 = 12;
/// Runs without a kill that a batch with faults may need to its end.
const RUNS_MAX: usize = 25;

#[test]
fn killed_at_random_moments_each_job_is_paid_once_and_delivered() {
    let (kills, jobs) = (number("E2E_KILLS", 12), number("E2E_JOBS", 40));
    let began = Instant::now();
    let mut sandbox = Sandbox::start(FAULTS);
    let client = Client::of(&sandbox);
    let rows: String = (1..=jobs).map(|n| format!("{n},a kite number {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3 --max-sats 2000000 --wait-doubt 5s \
               --jobs-in-flight 8 --payments-in-flight 3";

    let mut random = Random(number("E2E_SEED", 1));
    let mut seen = Seen::default();
    let mut killed = 0;
    while killed < kills {
        let done = seen.look(&sandbox.books());
        assert!(done < jobs, "the batch is done after {killed} of {kills} kills");
        let behind = (killed * jobs / kills).saturating_sub(done + LEFT_BY_KILLS);
        let process = client.start(run);
        // Anywhere from the very start to well into the purchases.
        let life_ms = random.below((LIFE_MS + behind * LIFE_MS_PER_JOB).min(LIFE_MS_MAX));
        if killed % SANDBOX_EVERY == SANDBOX_EVERY - 1 {
            thread::sleep(Duration::from_millis(life_ms));
            sandbox.restart_with(&format!(
                "{FAULTS} {}",
                if (killed / SANDBOX_EVERY).is_multiple_of(2) { ACCEPT } else { "" }
            ));
        }
        thread::sleep(Duration::from_millis(life_ms));
        killed += u64::from(process.kill());
        if killed % 25 == 0 {
            println!("{killed} kills, {done} of {jobs} delivered, {:?}", began.elapsed());
        }
    }
    let left = jobs - seen.look(&sandbox.books());
    // Thousands of jobs take their time.
    let patience = PATIENCE + Duration::from_secs(jobs);
    let ended = (0..RUNS_MAX).map(|_| client.start(run).end_within(patience)).find(|ended| {
        assert!(matches!(ended.code, Some(0 | 3 | 5)), "{ended}");
        ended.code == Some(0)
    });
    assert!(ended.is_some(), "the batch does not come to its end in {RUNS_MAX} runs");
    let jobs = usize::try_from(jobs).unwrap();
    let books = sandbox.books();
    let audit = Audit::of(&client, "jobs", &books).all_delivered(jobs);
    client.asks_node("audit").with(0).saying("differ   0 payments");
    println!(
        "{kills} kills, {} jobs, each paid once and delivered ({left} of them after the last kill), {:?}\n\
         when it was killed: {seen:?}\nat the end: {} challenges, {} payments, of which {} failed",
        audit.bought.len(),
        began.elapsed(),
        books.sales.len(),
        books.payments.len(),
        books.payments.len() - books.settled().len(),
    );
}

/// In what the kills left the purchases, added up over all kills.
#[derive(Debug, Default)]
struct Seen {
    /// Payments that the node was still making.
    in_flight: usize,
    /// Purchases that were paid and not yet asked for.
    paid: usize,
    /// Videos that were begun, and not yet fetched.
    begun: usize,
}

impl Seen {
    /// Counts what is open. Gives how many jobs have got their video.
    fn look(&mut self, books: &Books) -> u64 {
        let settled = books.settled();
        let paid = || books.sales.iter().filter(|sale| settled.contains_key(sale.hash.as_str()));
        self.in_flight += books.payments.iter().filter(|payment| payment.status == "IN_FLIGHT").count();
        self.paid += paid().filter(|sale| sale.video.is_none()).count();
        self.begun += paid().filter(|sale| sale.video.is_some() && sale.delivered_count == 0).count();
        u64::try_from(paid().filter(|sale| sale.delivered_count > 0).count()).unwrap()
    }
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
