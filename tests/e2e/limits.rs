//! Budgets: what does not fit is not begun, or is bought as far as it fits.

use crate::harness::{Audit, Client, Sandbox};

/// Five videos of 900 sats, each with a fee ceiling of 10.
fn five(client: &Client) -> &'static str {
    let jobs: String = (1..=5).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    "run jobs.csv --default endpoint=generate-video --default duration=3 --default mode=standard"
}

#[test]
fn what_does_not_fit_is_not_begun() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats 4549")).with(8).saying("4,550 sats").saying("--partial");
    sandbox.books().are_empty();
    client.run(&format!("{run} --max-sats 4549 --dry-run")).with(8);
    client.run(&format!("{run} --max-sats 4550")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

#[test]
fn what_fits_is_bought_where_that_is_wanted() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats 2000 --partial --payments-in-flight 4")).with(8);
    let books = sandbox.books();
    assert_eq!(books.settled().len(), 2);
    assert!(books.spent_msat() <= 2_000_000);
    Audit::of(&client, "jobs", &books);
    // The limit is the batch's, over all its runs.
    client.run(&format!("{run} --max-sats 2000 --partial")).with(8);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run(&format!("{run} --max-sats 4000")).with(8);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run(&format!("{run} --max-sats 4600")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

#[test]
fn a_day_has_its_limit_over_all_batches() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats-per-day 2000 --time-zone UTC")).with(8).saying("day");
    assert_eq!(sandbox.books().settled().len(), 2);
    let pending = client.rows("jobs.results.csv").into_iter().filter(|row| row["state"] == "pending").count();
    assert_eq!(pending, 3);
    client
        .run(&format!("{run} --max-sats-per-day 2000 --time-zone UTC --batch other --results r.csv --receipts s.csv"))
        .with(8);
    assert_eq!(sandbox.books().settled().len(), 2, "the day is the ledger's, not the batch's");
}

#[test]
fn a_job_has_its_own_limit() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write(
        "jobs.toml",
        "version = 1\n[[job]]\nid = \"dear\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nmax_sats = 100\n",
    );
    let ended = client.run("run jobs.toml");
    assert!(ended.code != Some(0), "{ended}");
    sandbox.books().are_unpaid();
}

#[test]
fn the_balance_must_hold_it() {
    let sandbox = Sandbox::start("--sandbox-balance-sats 1000");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(run).with(9).saying("channels hold 1,000 sats").saying("nothing was spent");
    sandbox.books().are_empty();
}
