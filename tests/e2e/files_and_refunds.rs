//! One batch of which some jobs come as files and others come back as money.

use std::collections::HashMap;
use std::fs;

use serde_json::Value;

use crate::downloads::{bytes_of, sha256};
use crate::harness::{Books, Client, Ended, Process, Sandbox};

/// Of these jobs, some are given back: always the same ones.
const SOME_BACK: &str = "--sandbox-refund-percent 50 --sandbox-seed 1 --sandbox-dedup-s 0";
const NONE_BACK: &str = "--sandbox-seed 1 --sandbox-dedup-s 0";
const JOBS: usize = 8;
const PRICE_MSAT: u64 = 1_350_000;
const RUN: &str =
    "run jobs.csv --default endpoint=generate-video --default duration=3 --max-undelivered 20 --wait-doubt 1s";
const FILES: &str = "--download videos --download-idle 1s --downloads-per-second 1000";

fn client_of(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    let jobs: String = (1..=JOBS).map(|n| format!("k{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    client
}

/// How many jobs stand how.
fn states(client: &Client) -> HashMap<String, usize> {
    let mut states = HashMap::new();
    for row in client.rows("jobs.results.csv") {
        let words = format!("{} {}", row["state"], row["reason"]);
        *states.entry(words.trim_end().to_owned()).or_default() += 1;
    }
    states
}

fn events(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The folder holds the file of each downloaded job, with the bytes that this very take was sold, and nothing else; what
/// was given back has none.
#[track_caller]
fn each_file_is_its_own(sandbox: &Sandbox, client: &Client) {
    let (receipts, books) = (client.rows("jobs.receipts.csv"), sandbox.books());
    let mut expected = Vec::new();
    for row in client.rows("jobs.results.csv") {
        if row["state"] != "downloaded" {
            assert!(row["file"].is_empty() && row["sha256"].is_empty(), "{row:?}");
            continue;
        }
        let is_its = |receipt: &&HashMap<String, String>| {
            (&receipt["id"], &receipt["take"], receipt["kind"].as_str()) == (&row["id"], &row["take"], "payment")
        };
        let receipt = receipts.iter().find(is_its).unwrap_or_else(|| panic!("{row:?}: {receipts:?}"));
        let sale = books.sales.iter().find(|sale| sale.hash == receipt["payment_hash"]).unwrap();
        let bytes = fs::read(&row["file"]).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        assert!(bytes == bytes_of(sandbox, sale.video.as_deref().unwrap()), "{row:?}: another's bytes");
        assert_eq!(row["sha256"], sha256(&bytes), "{row:?}");
        assert_eq!(row["url"], receipt["url"], "{row:?}");
        let take = if row["take"] == "1" { String::new() } else { format!("-take{}", row["take"]) };
        expected.push(client.path("videos").join(format!("{}{take}.mp4", row["id"])));
    }
    let mut there: Vec<_> = fs::read_dir(client.path("videos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected);
}

/// What came back, in the receipts, in `status` and at the node.
#[track_caller]
fn came_back(client: &Client, books: &Books, jobs: usize) {
    let msat = PRICE_MSAT * u64::try_from(jobs).unwrap();
    assert_eq!((books.refunds.len(), books.received_msat()), (jobs, msat), "{books:?}");
    let refunds = client.rows("jobs.receipts.csv").into_iter().filter(|row| row["kind"] == "refund");
    assert!(refunds.clone().all(|row| row["url"].is_empty()), "{:?}", refunds.collect::<Vec<_>>());
    assert_eq!(refunds.count(), jobs);
    let status: Value = serde_json::from_str(&client.says("status --batch jobs --json").stdout).unwrap();
    assert_eq!(status["refunded_msat"], msat, "{status}");
    client.asks_node("audit").with(0);
}

/// A run that gets neither its refunds nor its files says both; `recover` brings both; and a refunded job that is bought
/// anew has its file like any other.
#[test]
fn what_is_open_on_either_side_is_said_and_brought_to_its_end() {
    let mut sandbox = Sandbox::start(&format!("{SOME_BACK} --sandbox-refund refused --sandbox-downloads slow"));
    let client = client_of(&sandbox);
    let ended = client.run(&format!("{RUN} {FILES}")).with(3);
    let before = states(&client);
    let back = before.get("refund_offered refund_pending").copied().unwrap_or_default();
    assert!(back > 0 && back < JOBS, "{before:?}");
    assert_eq!(before.get("delivered not_downloaded"), Some(&(JOBS - back)), "{before:?}");
    let ended = ended.saying("l402-batch refunds claim --batch jobs").saying("l402-batch download --batch jobs");
    assert!(client.column("jobs.results.csv", "next").iter().all(|next| next == "rerun"), "{ended}");
    let status = client.says("status jobs.csv").with(3).saying("refund_pending").saying("not_downloaded");
    assert!(
        status.stdout.contains("l402-batch refunds claim") && status.stdout.contains("l402-batch download"),
        "{status}"
    );
    // Nothing but flags of the run named the node, which a claim cannot do without.
    let needed = "with --lnd-url and --lnd-macaroon-file as the run had them";
    let status = status.saying(&format!("{needed}: l402-batch refunds claim --batch jobs --job "));
    let id =
        status.stdout.split("refunds claim --batch jobs --job ").nth(1).unwrap().split_whitespace().next().unwrap();
    let of_job = format!("status jobs.csv --job {id}");
    client.says(&of_job).saying("to claim it, with --lnd-url and --lnd-macaroon-file  ");
    client.says(&format!("{of_job} --json")).saying(&format!("\"command_needs\":\"{needed}\""));
    let named = |line: &str| {
        let mut command = client.program();
        command.args(line.split(' ')).env("L402_BATCH_LND_URL", &client.node()[3]);
        Process::start(command.env("L402_BATCH_LND_MACAROON_FILE", &client.node()[5])).end()
    };
    named("status jobs.csv").with(3).not_saying(needed).saying("--lnd-macaroon-file ");
    named(&of_job).with(3).not_saying("to claim it, with");

    sandbox.restart_with(SOME_BACK);
    let ended = client.run("recover --all --wait-doubt 1s --json").with(4);
    let jobs = events(&ended).into_iter().filter(|event| event["type"] == "job");
    for event in jobs {
        match event["state"].as_str().unwrap() {
            "refunded" => assert!(event["refunded_msat"] == PRICE_MSAT && event["file"].is_null(), "{event}"),
            "downloaded" => assert!(event["refunded_msat"].is_null() && event["file"].is_string(), "{event}"),
            state => assert_eq!(state, "refund_offered", "{event}"),
        }
    }
    let after = HashMap::from([("refunded".to_owned(), back), ("downloaded".to_owned(), JOBS - back)]);
    assert_eq!(states(&client), after, "{ended}");
    each_file_is_its_own(&sandbox, &client);
    came_back(&client, &sandbox.books(), back);
    client.run("recover --all").with(4).saying("nothing is open");
    client.says("download --batch jobs").with(4).not_saying("downloaded k");
    client.says("status jobs.csv").with(4).saying("downloaded").saying("refunded");
    client.says("export --batch jobs --results r.csv --receipts s.csv").with(0);
    assert_eq!(client.read("r.csv"), client.read("jobs.results.csv"));
    assert_eq!(client.read("s.csv"), client.read("jobs.receipts.csv"));

    sandbox.restart_with(NONE_BACK);
    client.run(&format!("{RUN} {FILES} --retake-refunded --limit 1")).with(3).saying("downloaded k");
    each_file_is_its_own(&sandbox, &client);
    client.run(&format!("{RUN} {FILES} --retake-refunded")).with(0);
    assert_eq!(states(&client), HashMap::from([("downloaded".to_owned(), JOBS)]));
    each_file_is_its_own(&sandbox, &client);
    came_back(&client, &sandbox.books(), back);
    assert_eq!(sandbox.books().settled().len(), JOBS + back);
}

/// What a person has to see outweighs what the next run brings.
#[test]
fn a_gone_file_outweighs_an_open_refund_and_neither_keeps_the_other_back() {
    let mut sandbox = Sandbox::start(&format!("{SOME_BACK} --sandbox-refund refused --sandbox-downloads gone"));
    let client = client_of(&sandbox);
    client.run(&format!("{RUN} {FILES}")).with(4).saying("url_gone").saying("refunds claim --batch jobs");
    let back = states(&client)["refund_offered refund_pending"];
    sandbox.restart_with(SOME_BACK);
    // Each command does its own part.
    client.says("download --batch jobs").with(3).saying("downloaded k").not_saying("came back");
    assert_eq!(states(&client)["refund_offered refund_pending"], back);
    each_file_is_its_own(&sandbox, &client);
    client.run("refunds claim --batch jobs --wait-doubt 1s").with(4).saying("came back");
    came_back(&client, &sandbox.books(), back);
    each_file_is_its_own(&sandbox, &client);
}

/// A take's file stands beside the one of the take before it.
#[test]
fn a_retaken_job_has_a_file_for_each_take() {
    let sandbox = Sandbox::start(NONE_BACK);
    let client = client_of(&sandbox);
    client.run(&format!("{RUN} {FILES} --only k1,k2")).with(3);
    let first = fs::read(client.path("videos/k1.mp4")).unwrap();
    client.run(&format!("{RUN} {FILES} --retake k1 --only k1")).with(3).saying("downloaded k1 (take 2)");
    let row = client.rows("jobs.results.csv").remove(0);
    assert_eq!((row["state"].as_str(), row["take"].as_str()), ("downloaded", "2"), "{row:?}");
    assert_eq!(fs::canonicalize(&row["file"]).unwrap(), client.path("videos/k1-take2.mp4").canonicalize().unwrap());
    let second = fs::read(&row["file"]).unwrap();
    assert_eq!(row["sha256"], sha256(&second));
    assert!(first != second && fs::read(client.path("videos/k1.mp4")).unwrap() == first, "one of each");
}
