//! Signals, and two runs at once.

use rustix::process::Signal;

use crate::harness::{Audit, Client, Process, Sandbox, get};

/// Payments take so long that a signal always comes while one is under way.
const SLOW: &str = "--sandbox-pay-ms 1000";

fn six(client: &Client) -> &'static str {
    let jobs: String = (1..=6).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    "run jobs.csv --default endpoint=generate-video --default duration=3 --jobs-in-flight 2"
}

#[test]
fn once_drains_and_the_next_run_finishes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let sandbox = Sandbox::start(SLOW);
        let client = Client::of(&sandbox);
        let run = six(&client);
        let running = client.start(run);
        sandbox.wait_for("a payment", |books| !books.payments.is_empty());
        running.signal(signal);
        running.end().with(code).saying("go on where this run stopped");
        // What was under way is at its end: paid, and delivered.
        let books = sandbox.books();
        assert!((1..6).contains(&books.settled().len()), "{books:?}");
        Audit::of(&client, "jobs", &books);
        client.run(&run.replace("--jobs-in-flight 2", "")).with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
    }
}

/// Where nothing but flags of the killed run named the node, `recover` is printed with what it needs to learn how payments ended: as
/// printed alone it would leave them in doubt.
#[test]
fn what_a_killed_run_was_paying_is_recovered_with_its_node() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 60000");
    let client = Client::of(&sandbox);
    let running = client.start(six(&client));
    sandbox.wait_for("two payments", |books| books.payments.len() == 2);
    assert!(running.kill());
    let needed = "with --lnd-url and --lnd-macaroon-file as the run had them";
    let (before, after) = (format!("  do       {needed}: l402-batch recover"), format!("`, {needed}, "));
    for state in ["running", "in_doubt"] {
        client.says("status --batch jobs").saying(&before);
        client.says("status --batch jobs --job 1").saying("to look again, with --lnd-url and --lnd-macaroon-file  ");
        let json = client.says("status --batch jobs --json").stdout;
        let job = &serde_json::from_str::<serde_json::Value>(&json).unwrap()["jobs"][0];
        assert_eq!((&job["state"], &job["command_needs"]), (&state.into(), &needed.into()), "{json}");
        assert!(job["command"].as_str().unwrap().contains(" recover --batch jobs"), "{json}");
        // No column of it says what a command needs besides.
        client.says("status --batch jobs --format csv").not_saying("l402-batch recover");
        let named = |line: &str| {
            let mut command = client.program();
            command.args(line.split(' ')).env("L402_BATCH_LND_URL", &client.node()[3]);
            Process::start(command.env("L402_BATCH_LND_MACAROON_FILE", &client.node()[5])).end()
        };
        named("status --batch jobs").not_saying(needed).saying("  do       l402-batch recover --batch jobs --lnd-");
        named("status --batch jobs --job 1").not_saying("again, with").saying("to look again ");
        named("status --batch jobs --format csv").saying("l402-batch recover --batch jobs --lnd-");
        client.says("resolve --batch jobs --job 1 --as unpaid --note x").with(2).saying(&format!("--all{after}may"));
        client.says("recover --all --wait-doubt 1s").with(5).saying(&format!("--batch jobs{after}looks again"));
    }
}

/// A run begins with what is open. A signal in that time does not let it go on to the purchases.
#[test]
fn a_signal_during_the_first_recovery_buys_nothing() {
    let sandbox = Sandbox::start("--sandbox-latency-ms 2000");
    let client = Client::of(&sandbox);
    let run = six(&client);
    let killed = client.start(run);
    sandbox.wait_for("two payments", |books| books.settled().len() == 2);
    killed.killer()();
    for (signal, code) in [(Signal::TERM, [5, 143]), (Signal::INT, [5, 130])] {
        let running = client.start(&format!("{run} --json"));
        running.wait_for("run_started");
        // It redeems what is paid; each request takes so long.
        std::thread::sleep(std::time::Duration::from_millis(500));
        running.signal(signal);
        let ended = running.end();
        assert!(ended.code.is_some_and(|ended| code.contains(&ended)), "{ended}");
        let pending = client.column("jobs.results.csv", "state").into_iter().filter(|state| state == "pending");
        assert_eq!(pending.count(), 4, "{ended}");
        assert_eq!(sandbox.books().payments.len(), 2, "{ended}");
    }
    client.run(&run.replace("--jobs-in-flight 2", "")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
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
    sandbox.wait_for("every payment", |books| books.payments.len() == 6);
    // Held still, so that it is under way however long the others take.
    first.signal(Signal::STOP);
    let pid = format!("process {}", first.id());
    client.run(&run).with(11).saying(&pid);
    client.run("recover --batch jobs").with(11).saying(&pid);
    client.run("recover --all").with(11).saying(&pid);
    client.says("status --batch jobs --json").with(3).saying("\"state\":\"running\"");
    client.says("export --batch jobs --results r.csv --receipts s.csv").with(0);
    first.signal(Signal::CONT);
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
    let start = || {
        let sandbox = Process::start(client.program().args(["sandbox", "--state", "kept"]));
        sandbox.wait_for("Ctrl-C stops it");
        let catalog = client.read("kept/catalog.toml");
        let origin = catalog.split('"').nth(1).unwrap().split("/api").next().unwrap().to_owned();
        let node = client.read("kept/ports.json");
        (sandbox, origin, node)
    };
    let (first, origin, node) = start();
    let before = String::from_utf8(get(&format!("{origin}/sandbox/books"))).unwrap();
    client.says("sandbox --state kept").with(2).saying("another sandbox uses");
    first.signal(Signal::INT);
    first.end().with(0).saying("--lnd-macaroon-file");
    let (second, origin_again, node_again) = start();
    assert_eq!((&origin, &node), (&origin_again, &node_again));
    assert_eq!(get(&format!("{origin}/sandbox/books")), before.as_bytes());
    second.signal(Signal::TERM);
    second.end().with(0);
}
