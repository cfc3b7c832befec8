//! A paid job is asked for over runs: no single word of its origin ends it.

use crate::harness::{Audit, Client, Sandbox};

/// One video.
const JOB: &str =
    "version = 1\n\n[[job]]\nid = \"one\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n";
/// What is polled is ready soon.
const ACCEPT: &str = "--sandbox-accept --sandbox-accept-ms 50";

fn client(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.toml", JOB);
    client
}

fn state(client: &Client) -> String {
    let row = client.rows("jobs.results.csv").remove(0);
    format!("{} {} {}", row["state"], row["reason"], row["next"])
}

/// Each of these ended a paid job within seconds.
#[test]
fn polls_that_say_no_for_a_while_end_nothing() {
    std::thread::scope(|scope| {
        for code in ["NOT_FOUND", "NOT_READY", "FORBIDDEN", "FAILED", "INVALID_INPUT"] {
            scope.spawn(move || {
                let sandbox = Sandbox::start(&format!("{ACCEPT} --sandbox-poll-error {code} --sandbox-errors 3"));
                let client = client(&sandbox);
                client.run("run jobs.toml").with(0);
                let books = sandbox.books();
                Audit::of(&client, "jobs", &books).all_delivered(1);
                let handled: Vec<u64> = books.sales.iter().map(|sale| sale.handled).collect();
                assert_eq!((handled, books.payments.len()), (vec![1], 1), "{code}: {books:?}");
            });
        }
    });
}

#[test]
fn what_one_run_did_not_get_the_next_one_gets() {
    let mut sandbox = Sandbox::start(&format!("{ACCEPT} --sandbox-poll-error NOT_FOUND"));
    let client = client(&sandbox);
    client.run("run jobs.toml --deadline 3s").with(10).saying("origin_failed");
    assert_eq!(state(&client), "paid origin_failed rerun");
    client.run("run jobs.toml --deadline 2s").with(10);
    sandbox.restart_with(ACCEPT);
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(1);
}

#[test]
fn a_word_against_what_is_paid_is_not_the_last() {
    for code in ["CONTENT_FILTERED", "INVALID_INPUT", "NOT_FOUND", "FORBIDDEN"] {
        let mut sandbox = Sandbox::start(&format!("--sandbox-redeem-error {code}"));
        let client = client(&sandbox);
        client.run("run jobs.toml --deadline 2s").with(10);
        assert!(state(&client).starts_with("paid "), "{code}: {}", state(&client));
        sandbox.restart_with("");
        client.run("recover jobs.toml").with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(1);
    }
}
