//! What a run says: its events have an end, a refusal says only itself, and the batch that is meant is found.

use serde_json::Value;

use crate::harness::{Client, Ended, Sandbox, two_jobs};

fn events(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_stream_of_events_that_begins_has_its_last_line() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    for (line, code) in [
        ("run jobs.toml --json --dry-run", 0),
        ("run jobs.toml --json --max-sats 5", 8),
        ("run jobs.toml --json --results /nowhere/r.csv", 2),
        ("run jobs.toml --json --only nobody", 2),
        ("run jobs.toml --json --limit 1", 3),
        ("run jobs.toml --json", 0),
    ] {
        let ended = client.run(line).with(code);
        let events = events(&ended);
        assert_eq!(events[0]["type"], "run_started", "{line}");
        let last = &events[events.len() - 1];
        assert_eq!((&last["type"], &last["exit_code"]), (&"run_ended".into(), &code.into()), "{line}");
        assert_eq!(last["error"].is_string(), !matches!(code, 0 | 3), "{line}: {last}");
    }
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn a_refusal_says_only_itself_and_begins_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let ended = client.asks("run jobs.toml").with(2).saying("--yes");
    assert_eq!(ended.stdout, "", "there is nothing to sum up");
    for line in ["run jobs.toml --batch other --retake nobody", "run jobs.toml --batch other --results jobs.toml"] {
        client.run(line).with(2);
    }
    assert!(!client.says("batches").with(0).stdout.contains("other"));
    sandbox.books().are_empty();
}

#[test]
fn a_dry_run_checks_what_a_run_checks() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --limit 1").with(3);
    client.run("run jobs.toml --dry-run").with(0).saying("1 to buy").saying("1 delivered");
    client.run("run jobs.toml --dry-run --receipts jobs.toml").with(2).saying("is the manifest");
    client.write("elsewhere/jobs.toml", &two_jobs(""));
    client.run("run elsewhere/jobs.toml --dry-run").with(6).saying("--adopt");
}

/// What a person is told in words of its own stands where it belongs among the events.
#[test]
fn what_is_said_is_said_in_order() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.csv", "id,endpoint,prompt,duration,\n1,generate-video,a kite,3,\n");
    let in_order = |ended: &Ended, words: [&str; 3]| {
        let places = words.map(|words| ended.stderr.find(words));
        assert!(places[0].is_some() && places.is_sorted_by(|one, next| one < next), "{words:?} {ended}");
    };
    // Each time, whoever is quicker: the thread that tells of events, or the one that goes on.
    for _ in 0..20 {
        in_order(&client.run("run jobs.csv --dry-run").with(0), ["batch jobs", "1 job: 1 to buy", "dry run: "]);
    }
    in_order(&client.run("run jobs.csv").with(0), ["batch jobs", "note: skipped", "1 job: 1 to buy"]);
    for _ in 0..20 {
        let ended = client.run("run jobs.csv --dry-run").with(0);
        in_order(&ended, ["batch jobs", "1 job: nothing to buy", "dry run: "]);
    }
}

#[test]
fn a_manifest_means_the_batch_of_its_own_name() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &format!("name = \"june\"\n{}", two_jobs("")));
    client.run("run jobs.toml --only video").with(3);
    client.run("run jobs.toml --batch trial --only image --results r.csv --receipts p.csv").with(6);
    // Its image is bought by the other batch now: a run leaves it out, and ends with 6 too.
    assert!(client.says("status jobs.toml").with(6).stdout.contains("batch   june"));
    client.says("status --batch trial").with(6);
    client.says("status jobs.toml --job nobody").with(2).saying("has no job nobody");
}
