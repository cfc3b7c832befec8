//! Who takes payments and delivers nothing gets no more, and what is held at the node is bounded: over runs, batches and
//! processes, by the sandbox's own books.

use crate::harness::{Client, Sandbox};

/// Rows of videos whose bodies nobody else has.
fn jobs(client: &Client, batch: &str, count: usize) -> String {
    let rows: String = (1..=count).map(|n| format!("{n},kite {n} of {batch}\n")).collect();
    client.write(&format!("{batch}.csv"), &format!("id,prompt\n{rows}"));
    format!("run {batch}.csv --default endpoint=generate-video --default duration=3 --wait-doubt 1s")
}

/// State and reason of each row.
fn standing(client: &Client, batch: &str) -> Vec<(String, String)> {
    let rows = client.rows(&format!("{batch}.results.csv")).into_iter();
    rows.map(|row| (row["state"].clone(), row["reason"].clone())).collect()
}

fn count(standing: &[(String, String)], state: &str, reason: &str) -> usize {
    standing.iter().filter(|(s, r)| s == state && r == reason).count()
}

#[test]
fn an_origin_that_never_delivers_is_remembered_over_runs_and_batches() {
    let mut sandbox = Sandbox::start("--sandbox-redeem-error SERVICE_ERROR");
    let client = Client::of(&sandbox);
    let run = jobs(&client, "june", 6);
    for _ in 0..3 {
        client.run(&format!("{run} --deadline 3s")).with(10);
        assert_eq!(sandbox.books().settled().len(), 3, "three in a row, and then no more in any run");
    }
    assert_eq!(count(&standing(&client, "june"), "pending", "awaiting_delivery"), 3);
    let july = jobs(&client, "july", 2);
    client.run(&july).with(3).saying("took 3 payments in a row without delivering");
    assert_eq!(count(&standing(&client, "july"), "pending", "awaiting_delivery"), 2);
    assert_eq!(sandbox.books().settled().len(), 3, "nor in another batch");
    // The seller thinks better of it: what is paid is offered to it again, and that opens the way for the rest.
    sandbox.restart_with("");
    client.run("recover --batch june").with(0).saying("3 jobs are not bought yet");
    assert_eq!(count(&standing(&client, "june"), "pending", ""), 3, "nothing holds them back any more");
    for batch in ["june", "july"] {
        client
            .says(&format!("status --batch {batch}"))
            .with(3)
            .not_saying("awaiting_delivery")
            .not_saying("gets no more");
    }
    client.run(&run).with(0);
    client.run(&july).with(0);
    assert_eq!(sandbox.books().settled().len(), 8);
}

/// What a person says is delivered opens the way as what comes by itself does: a run would buy the rest.
#[test]
fn what_is_taken_as_delivered_lets_the_endpoint_have_more() {
    let mut sandbox = Sandbox::start("--sandbox-answer unknown");
    let client = Client::of(&sandbox);
    let run = jobs(&client, "june", 5);
    client.run(&run).with(4);
    let status = "status --batch june";
    client.says(status).with(4).saying("breaker_open");
    for row in client.rows("june.results.csv").iter().filter(|row| row["reason"] == "unknown_answer") {
        client.says(&format!("resolve --batch june --job {} --as delivered --note seen", row["id"])).with(0);
    }
    client.says(status).with(3).not_saying("breaker_open").not_saying("gets no more");
    client.run("recover --batch june").with(0).saying("2 jobs are not bought yet").not_saying("needs you");
    sandbox.restart_with("");
    client.run(&run).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
}

#[test]
fn after_a_402_to_what_was_paid_for_the_origin_gets_no_more_without_a_person() {
    let mut sandbox = Sandbox::start("--sandbox-scheme mpp");
    let client = Client::of(&sandbox);
    let run = jobs(&client, "june", 4);
    client.run(&format!("{run} --max-undelivered 1 --deadline 3s")).with(4);
    assert_eq!(sandbox.books().settled().len(), 1, "of four jobs one was lost to it");
    assert_eq!(count(&standing(&client, "june"), "pending", "breaker_open"), 3);
    // Another endpoint of the same origin, from another batch.
    client.write("july.csv", "id,endpoint,image,prompt\n1,animate-image,picture.png,a boat\n");
    let july = "run july.csv --wait-doubt 1s --deadline 4s";
    let said = client.run(july).with(4).saying("does not take its credential");
    let origin = sandbox.origin.strip_prefix("http://").unwrap().to_owned();
    assert!(said.stdout.contains(&format!("once with --trust (that word is {origin}@1)")), "{said}");
    assert_eq!(sandbox.books().settled().len(), 1);
    // A person's word lets one purchase begin, however often it is said.
    let trusting = format!("{run} --trust {} --payments-in-flight 1 --deadline 3s", sandbox.origin);
    client.run(&trusting).saying("one purchase may begin");
    assert_eq!(sandbox.books().settled().len(), 2);
    for _ in 0..2 {
        client.run(&trusting).saying("lets nothing more begin").saying(&format!("{origin}@2"));
        assert_eq!(sandbox.books().settled().len(), 2, "the same word is the same word");
    }
    client.run(&format!("{july} --trust nobody.example")).with(2).saying("buys nothing there");
    // What was paid for is delivered after all: that lifts it for all.
    sandbox.restart_with("--sandbox-scheme l402");
    client.run("recover --all");
    client.run(&run).with(0);
    client.run(july).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
}

#[test]
fn an_endpoint_that_goes_bad_within_the_hour_takes_one_killed_run_s_purchases_and_no_more() {
    let mut sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.run(&jobs(&client, "june", 1)).with(0);
    sandbox.restart_with("--sandbox-accept --sandbox-accept-ms 3600000");
    for batch in ["a", "b", "c"] {
        let running = client.start(&format!("{} --jobs-in-flight 4", jobs(&client, batch, 8)));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
        let all = |sandbox: &Sandbox| sandbox.books().settled().len();
        let before = all(&sandbox);
        while all(&sandbox) < before + 4 && std::time::Instant::now() < until {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        // A run that may begin nothing has ended by itself.
        let _ended_before = running.kill();
        assert_eq!(sandbox.books().settled().len(), 5, "after the run of {batch}");
    }
    client.run(&jobs(&client, "d", 1)).with(3).saying("what it is tried with (4 purchases)");
}

#[test]
fn what_a_killed_run_left_at_the_node_bounds_every_batch() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 600000");
    let client = Client::of(&sandbox);
    let bounds = "--max-undelivered 100 --payments-in-flight 4 --max-doubt 4";
    let run = format!("{} {bounds}", jobs(&client, "june", 8));
    let running = client.start(&format!("{run} --json"));
    while sandbox.books().payments.len() < 4 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(running.kill());
    let july = format!("{} {bounds}", jobs(&client, "july", 3));
    client.run(&july).with(3).saying("0 payments are in doubt").saying("4 payments are held there besides");
    assert_eq!(count(&standing(&client, "july"), "pending", "doubt_limit"), 3);
    assert_eq!(sandbox.books().payments.len(), 4, "held, whatever it is called");
    // Looked up, they are in doubt; and still nothing is bought.
    client.run(&format!("recover --batch june {bounds} --wait-doubt 1s")).with(5);
    client.run(&july).with(3).saying("4 payments are in doubt").saying("--max-doubt 4");
    client.run(&run).with(5);
    assert_eq!(sandbox.books().payments.len(), 4);
    // With the usual bounds the node may hold more, but the endpoint has delivered to nobody.
    client.run(&jobs(&client, "july", 3)).with(3).saying("tried with (4 purchases)");
    assert_eq!(count(&standing(&client, "july"), "pending", "awaiting_delivery"), 3);
    assert_eq!(sandbox.books().payments.len(), 4);
}

#[test]
fn a_job_that_waits_for_an_identical_request_says_for_which() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 600000");
    let client = Client::of(&sandbox);
    let manifest = "version = 1\n\n[endpoint.generate-video]\ndedup_window_s = 1\n\n\
                    [[job]]\nid = \"a\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n";
    client.write("june.toml", manifest);
    let running = client.start("run june.toml --json");
    while sandbox.books().payments.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(running.kill());
    client.write("july.toml", &manifest.replace("\"a\"", "\"b\""));
    client.run("run july.toml --duplicates buy --wait-doubt 1s").with(3).saying("identical request");
    let row = client.rows("july.results.csv").remove(0);
    assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("pending", "identical_request"), "{row:?}");
    assert_eq!(row["next"], "rerun");
    assert!(row["error"].contains("job a of batch june"), "{row:?}");
    assert_eq!(sandbox.books().payments.len(), 1);
}
