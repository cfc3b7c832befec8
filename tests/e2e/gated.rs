//! Polls and results behind the same gate as the purchase: asked for with its credential, and never paid for.

use crate::harness::{Audit, Client, Sandbox, two_jobs};

#[test]
fn a_poll_behind_the_gate_is_asked_with_the_credential_of_its_purchase() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 300 --sandbox-gate polls");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    let books = sandbox.books();
    Audit::of(&client, "jobs", &books).all_delivered(2);
    assert!(books.sales.iter().all(|sale| sale.handled == 1), "{books:?}");
    assert_eq!((books.sales.len(), books.payments.len()), (2, 2), "a poll is never paid for: {books:?}");
}

#[test]
fn a_result_behind_the_gate_is_fetched_with_the_credential_of_its_purchase() {
    let sandbox = Sandbox::start("--sandbox-gate videos");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --download out").with(0);
    let books = sandbox.books();
    Audit::of(&client, "jobs", &books).all_downloaded(2);
    assert_eq!((books.sales.len(), books.payments.len()), (2, 2), "a result is never paid for again: {books:?}");
}
