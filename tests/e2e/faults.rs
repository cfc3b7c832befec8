//! Everything goes wrong at once, some of the time.

use crate::harness::{Audit, Client, Sandbox};

const JOBS: usize = 40;
const RUNS_MAX: usize = 25;

#[test]
fn running_again_until_all_is_delivered() {
    let sandbox = Sandbox::start(
        "--sandbox-drop-percent 10 --sandbox-fail-origin-percent 10 --sandbox-fail-pay-percent 10 \
         --sandbox-rate-limit-percent 5",
    );
    let client = Client::of(&sandbox);
    let jobs: String = (1..=JOBS).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";
    let mut runs = 0;
    loop {
        let ended = client.run(run);
        runs += 1;
        if ended.code == Some(0) {
            break;
        }
        assert!(matches!(ended.code, Some(3 | 5)), "{ended}");
        assert!(runs < RUNS_MAX, "{ended}");
    }
    let books = sandbox.books();
    assert!(books.payments.iter().any(|payment| payment.status == "FAILED") || books.sales.len() > JOBS, "no fault");
    Audit::of(&client, "jobs", &books).all_delivered(JOBS);
}
