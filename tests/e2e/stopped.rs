//! Signals, and two runs at once.

use rustix::process::Signal;

use crate::harness::{Audit, Client, Sandbox, get};

/// Payments take so long that a signal always comes while one is under way.
const SLOW: &str = "--sandbox-pay-ms 1000";

fn six(client: &Client) -> &'static str {
    let jobs: String = (1..=6).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    "run jobs.csv --default endpoint=generate-video --default duration=3 --jobs-in-flight 2"
}

#[test]
fn once_drains_and_the_next_run_finishes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let sandbox = Sandbox::start(SLOW);
        let client = Client::of(&sandbox);
        let run = six(&client);
        let running = client.start(run);
        sandbox.wait_for("a payment", |books| !books.payments.is_empty());
        running.signal(signal);
        running.end().with(code).saying("go on where this run stopped");
        // What was under way is at its end: paid, and delivered.
        let books = sandbox.books();
        assert!((1..=2).contains(&books.settled().len()), "{books:?}");
        Audit::of(&client, "jobs", &books);
        client.run(&run.replace("--jobs-in-flight 2", "")).with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
    }
}

#[test]
fn twice_leaves_at_once_and_nothing_is_lost() {
    let sandbox = Sandbox::start(SLOW);
    let client = Client::of(&sandbox);
    let run = six(&client);
    let running = client.start(run);
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    running.signal(Signal::INT);
    // Signals of one kind melt together while none is handled: another kind is always the second.
    running.signal(Signal::TERM);
    let ended = running.end();
    assert!(matches!(ended.code, Some(5 | 130 | 143)), "{ended}");
    client.run(&run.replace("--jobs-in-flight 2", "")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
}

#[test]
fn a_second_run_ends_at_once_and_names_the_first() {
    let sandbox = Sandbox::start(SLOW);
    let client = Client::of(&sandbox);
    let run = six(&client).replace("--jobs-in-flight 2", "");
    let first = client.start(&run);
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    let pid = format!("process {}", first.id());
    client.run(&run).with(11).saying(&pid);
    client.run("recover --batch jobs").with(11).saying(&pid);
    client.says("status --batch jobs --json").saying("\"running\"");
    first.end().with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
}

#[test]
fn a_deadline_that_has_passed_buys_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = six(&client);
    let ended = client.run(&format!("{run} --deadline 2020-01-01T00:00:00Z"));
    assert!(matches!(ended.code, Some(2 | 10)), "{ended}");
    sandbox.books().are_unpaid();
}

#[test]
fn a_sandbox_keeps_its_books_and_addresses_over_a_restart() {
    let client = Client::alone();
    client.write("jobs.csv", "id,prompt\n1,kite\n");
    let start = || {
        let mut command = client.program();
        let process = crate::harness::Process::start(command.args(["sandbox", "--state", "kept"]));
        let catalog = client.path("kept/catalog.toml");
        while !catalog.exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let origin = std::fs::read_to_string(&catalog).unwrap();
        let origin = origin.split('"').nth(1).unwrap().split("/api").next().unwrap().to_owned();
        std::fs::remove_file(catalog).unwrap();
        (process, origin)
    };
    let (first, origin) = start();
    get(&format!("{origin}/sandbox/books"));
    first.signal(Signal::INT);
    first.end().with(0).saying("--lnd-macaroon-file").saying("Ctrl-C stops it");
    let (second, again) = start();
    assert_eq!(origin, again);
    second.signal(Signal::TERM);
    second.end().with(0);
}
