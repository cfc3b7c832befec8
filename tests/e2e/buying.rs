//! What a user does on a good day.

use serde_json::Value;

use crate::harness::{Audit, Client, Sandbox, get, two_jobs};

#[test]
fn both_endpoints_deliver_videos_and_receipts() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.copy_of("jobs.example.toml");
    client.copy_of("jobs.example.png");
    client.run("run jobs.example.toml").with(0).saying("delivered       8 of 8 jobs");
    let books = sandbox.books();
    assert_eq!(books.sales.iter().map(|sale| sale.amount_msat).sum::<u64>(), 13_850_000);

    let results = client.rows("jobs.example.results.csv");
    assert_eq!(results.iter().filter(|row| row["endpoint"] == "animate-image").count(), 2);
    for row in &results {
        assert_eq!((row["state"].as_str(), row["next"].as_str(), row["take"].as_str()), ("delivered", "none", "1"));
        assert_eq!(&get(&row["url"])[4..8], b"ftyp", "no MP4");
    }
    std::fs::rename(client.path("jobs.example.results.csv"), client.path("example.results.csv")).unwrap();
    std::fs::rename(client.path("jobs.example.receipts.csv"), client.path("example.receipts.csv")).unwrap();
    Audit::of(&client, "example", &books).all_delivered(8);
}

#[test]
fn an_accepted_job_is_polled_until_it_is_there() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 150");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn a_server_that_speaks_only_the_payment_scheme_is_bought_from_and_l402_is_preferred() {
    for (scheme, spoken) in [("payment", "Payment"), ("both", "L402"), ("l402", "L402")] {
        let sandbox = Sandbox::start(&format!("--sandbox-scheme {scheme} --sandbox-drop-percent 20 --sandbox-seed 1"));
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        client.run("run jobs.toml").with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
        let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
        let other = ledger.query_one("SELECT count(*) FROM intents WHERE scheme <> ?1", [spoken], |row| row.get(0));
        assert_eq!(other, Ok(0), "{scheme}");
    }
}

#[test]
fn a_csv_is_bought_as_well() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "Shot;Prompt;Seconds\n1;a kite;3\n2;\"two; kites\";4\n");
    let line = "run shots.csv --default endpoint=generate-video --default mode=standard --column Seconds=duration \
                --column Shot=id --jobs-in-flight 1";
    client.run(line).with(0);
    // The results speak the manifest's dialect.
    let results = client.read("shots.results.csv");
    assert!(results.starts_with("id;line;take;state;"), "{results}");
    assert_eq!(sandbox.books().sales.iter().map(|sale| sale.amount_msat).collect::<Vec<_>>(), [900_000, 1_200_000]);
}

#[test]
fn delivered_is_delivered() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0).not_saying("nothing to do");
    let before = sandbox.books();
    client.run("run jobs.toml").with(0).saying("everything is delivered: there was nothing to do");
    assert_eq!(sandbox.books().sales.len(), before.sales.len());
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn a_trial_first_and_then_the_rest() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let jobs: String = (1..=5).map(|n| format!("{n},prompt {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";
    client.run(&format!("{run} --limit 2")).with(3);
    let audit = Audit::of(&client, "jobs", &sandbox.books());
    assert_eq!((audit.bought.len(), audit.results.len()), (2, 5));
    client.run(&format!("{run} --only 4")).with(3);
    assert_eq!(Audit::of(&client, "jobs", &sandbox.books()).bought.get("4"), Some(&1));
    client.run(run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

#[test]
fn a_dry_run_writes_nothing_and_asks_for_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let before = client.files();
    client.run("run jobs.toml --dry-run").with(0).saying("dry run").saying("nothing was spent");
    assert_eq!(client.files(), before);
    assert!(!client.ledger().exists());
    sandbox.books().are_empty();
}

#[test]
fn rows_of_the_results_are_a_manifest_again() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs("again").replace("a kite", "=1+1, a \\\"kite\\\""));
    client.run("run jobs.toml --limit 1").with(3);
    let results = client.read("jobs.results.csv");
    assert!(results.contains("\"'=1+1, a"), "a spreadsheet would compute: {results}");
    let mut lines: Vec<_> = results.lines().filter(|line| !line.contains(",delivered,")).collect();
    lines.sort_by_key(|line| !line.starts_with("id,"));
    client.write("rest.csv", &lines.join("\n"));
    let plan = client.says("plan rest.csv --json").with(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!((&plan["job_count"], &plan["total_sats"]), (&Value::from(1), &Value::from(500)));
    client.run("run rest.csv").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
    assert!(!client.path("rest.results.csv").exists(), "it is the batch of its manifest that goes on");

    // The whole file too, and the same words are bought: the apostrophe was the file's, not the prompt's.
    client.write("whole.csv", &results);
    let of = |manifest: &str| {
        let plan: Value = serde_json::from_str(&client.says(&format!("plan {manifest} --json")).stdout).unwrap();
        plan["fingerprint"].as_str().unwrap().to_owned()
    };
    assert_eq!(of("whole.csv"), of("jobs.toml"));
}

#[test]
fn the_first_command_of_the_readme_works_again_and_again() {
    let client = Client::alone();
    client.copy_of("jobs.example.toml");
    client.copy_of("jobs.example.png");
    for _ in 0..2 {
        client
            .says("run jobs.example.toml --sandbox")
            .with(0)
            .saying("delivered       8 of 8 jobs")
            .saying("play money");
        let results = ["jobs.example.sandbox.receipts.csv", "jobs.example.sandbox.results.csv"];
        assert!(results.iter().all(|name| client.files().iter().any(|file| file == name)), "{:?}", client.files());
        assert!(client.column(results[0], "network").iter().all(|network| network == "sandbox"));
        assert!(client.column(results[1], "state").iter().all(|state| state == "delivered"));
    }
    assert!(!client.ledger().exists(), "play money is not in the real ledger");
}

#[test]
fn what_is_delivered_and_changed_is_bought_anew_only_by_word() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    client.write("jobs.toml", &two_jobs("and a dog"));
    client.run("run jobs.toml").with(6).saying("changed").not_saying("--retake");
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run("run jobs.toml --retake video").with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.run("run jobs.toml --retake video@2 --dry-run").saying("1 to buy");
    client.run("run jobs.toml --retake video --dry-run").saying("nothing to buy");
    // A word that a limit did not let through is no word for the next run, of which nobody asked it.
    client.run("run jobs.toml --retake video@2 --max-sats 1").with(6).saying("nothing was bought");
    assert_eq!(client.column("jobs.results.csv", "take"), ["2", "1"]);
    client.run("run jobs.toml").with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.run("run jobs.toml --retake-changed").with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
    assert_eq!(client.column("jobs.results.csv", "take"), ["2", "2"]);
    assert_eq!(client.rows("jobs.receipts.csv").len(), 4);
}
