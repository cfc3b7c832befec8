//! Credentials that live seconds instead of minutes.

use crate::harness::{Audit, Client, Sandbox, two_jobs};

/// Each credential is over before its payment is.
const SHORT: &str = "--sandbox-credential-s 1 --sandbox-pay-ms 2000";

#[test]
fn one_that_ran_out_paid_is_paid_and_not_delivered_and_never_paid_again() {
    let mut sandbox = Sandbox::start(SHORT);
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let running = client.start("run jobs.toml --json");
    running.wait_for("credential_rejected");
    running.signal(rustix::process::Signal::INT);
    running.end().with(130);
    assert!(client.column("jobs.results.csv", "state").contains(&"paid".to_owned()));
    let rejected =
        client.rows("jobs.results.csv").into_iter().find(|row| row["reason"] == "credential_rejected").unwrap();
    assert_eq!(rejected["next"], "rerun");
    assert!(rejected["error"].contains("has expired"), "{}", rejected["error"]);
    let paid = sandbox.books().settled().len();
    // The seller thinks better of it.
    sandbox.restart_with("--sandbox-credential-s 3600");
    let recovered = client.run("recover --batch jobs");
    assert!(matches!(recovered.code, Some(0 | 3)), "{recovered}");
    assert_eq!(sandbox.books().settled().len(), paid);
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn one_whose_payment_failed_is_renewed() {
    let sandbox = Sandbox::start("--sandbox-credential-s 3 --sandbox-fail-pay-percent 50 --sandbox-seed 3");
    let client = Client::of(&sandbox);
    let rows: String = (1..=8).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";
    for _ in 0..10 {
        if client.run(run).code == Some(0) {
            break;
        }
    }
    let books = sandbox.books();
    assert!(books.payments.iter().any(|payment| payment.status == "FAILED"), "no fault");
    assert!(books.sales.len() > 8, "nothing was renewed");
    Audit::of(&client, "jobs", &books).all_delivered(8);
}

/// With one slot nothing stands in line. With more than a few something does; and what has stood there while payments took their
/// time would be over before it is redeemed.
#[test]
fn none_is_paid_that_is_over_before_it_is_redeemed() {
    for (slots, jobs, sandbox) in [
        (1, 10, "--sandbox-credential-s 3 --sandbox-pay-ms 600"),
        (16, 36, "--sandbox-credential-s 6 --sandbox-pay-ms 4000"),
    ] {
        let sandbox = Sandbox::start(sandbox);
        let client = Client::of(&sandbox);
        let rows: String = (1..=jobs).map(|n| format!("{n},kite {n}\n")).collect();
        client.write("jobs.csv", &format!("id,prompt\n{rows}"));
        let run = format!(
            "run jobs.csv --default endpoint=generate-video --default duration=3 --payments-in-flight {slots} \
             --max-undelivered 100"
        );
        client.run(&run).with(0);
        let books = sandbox.books();
        assert!(slots > 1 || books.sales.len() == jobs, "asked for in vain");
        Audit::of(&client, "jobs", &books).all_delivered(jobs);
    }
}
