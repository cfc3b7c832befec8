//! What people read: plan, status, batches, results, receipts.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::harness::{Client, Process, Sandbox, two_jobs};

/// Two jobs of which one is delivered and one is not for sale at that price.
fn a_mixed_batch() -> (Sandbox, Client) {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10 --sandbox-drift-jobs-percent 50 --sandbox-seed 1");
    let client = Client::of(&sandbox);
    let jobs: String = (1..=4).map(|n| format!("{n},kite {n},scene {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt,x_scene\n{jobs}"));
    client.run("run jobs.csv --default endpoint=generate-video --default duration=3 --jobs-in-flight 1").with(6);
    (sandbox, client)
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        insta::with_settings!({ filters => [
            (r#"/[^\s"]+/desk/"#, "[desk]/"),
            (r#"/[^\s"]+/state/l402-batch/"#, "[state]/"),
            (r"http://127\.0\.0\.1:\d+/videos/[0-9a-f]{24}", "[origin]/videos/[video]"),
            (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d\.\d{3}\+00:00)?", "[time]"),
            (r"lnbcrt[0-9a-z]+", "[invoice]"),
            (r"\b0[23][0-9a-f]{64}\b", "[key]"),
            (r"\b[0-9a-f]{64}\b", "[hash]"),
            (r"\b[0-9a-f]{32}\b", "[ledger]"),
        ] }, { insta::assert_snapshot!($name, $text) })
    };
}

#[test]
fn what_people_read_of_a_mixed_batch() {
    let (_sandbox, client) = a_mixed_batch();
    snapshot!("status", client.says("status jobs.csv").with(6).stdout);
    snapshot!("status_all", client.says("status jobs.csv --all").with(6).stdout);
    snapshot!("status_json", client.says("status jobs.csv --json").with(6).stdout);
    snapshot!("batches", client.says("batches").with(0).stdout);
    snapshot!("batches_json", client.says("batches --json").with(0).stdout);
    snapshot!("results", client.read("jobs.results.csv"));
    snapshot!("receipts", client.read("jobs.receipts.csv"));
    let plan = "plan jobs.csv --default endpoint=generate-video --default duration=3";
    snapshot!("plan_after_a_run", client.says(plan).with(0).stdout);
}

/// Filtered or whole, wherever it lies: every command about a batch takes its results file as `run` and `plan` do.
#[test]
fn a_results_file_stands_for_its_batch() {
    let (_sandbox, client) = a_mixed_batch();
    let results = client.read("jobs.results.csv");
    let some: Vec<&str> = results.lines().take(2).collect();
    client.write("else/some.csv", &some.join("\n"));
    for file in ["jobs.results.csv", "else/some.csv"] {
        for (command, code) in
            [("status", 6), ("export", 0), ("refunds list", 0), ("recover", 6), ("download --download out", 6)]
        {
            let of_batch = client.says(&format!("{command} --batch jobs"));
            let of_file = client.says(&format!("{command} {file}"));
            assert_eq!((of_batch.code, of_file.code), (Some(code), Some(code)), "{of_batch} {of_file}");
            assert!(of_file.stdout.is_empty() == of_batch.stdout.is_empty(), "{of_batch} {of_file}");
        }
    }
    // Another ledger's is no batch of this one, and one of several batches stands for none.
    let id = client.rows("jobs.results.csv").remove(0)["l402_ledger"].clone();
    client.write("other.csv", &results.replace(&id, &"0".repeat(id.len())));
    client.write("mixed.csv", &results.replacen(",jobs,", ",june,", 1));
    for file in ["other.csv", "mixed.csv"] {
        client.says(&format!("status {file}")).with(2).saying("has no batch of");
    }
}

/// A batch, or the manifest of one, that was mistyped: by name, and by a path of whatever kind.
#[test]
fn what_was_meant_is_named_where_there_is_no_such_batch() {
    let (_sandbox, client) = a_mixed_batch();
    let desk = client.path("").display().to_string();
    let desk = desk.trim_end_matches('/');
    for folder in ["", "./", &format!("{desk}/")] {
        for name in ["jbos.csv", "Jobs.csv", "jobs.toml"] {
            let meant = format!("did you mean {folder}jobs.csv?");
            client.says(&format!("status {folder}{name}")).with(2).saying("has no batch of").saying(&meant);
        }
    }
    client.says("status other/jbos.csv").with(2).not_saying("did you mean");
    client.says("status --batch jbos").with(2).saying("did you mean --batch jobs?").saying("lists those it has");
    let mut plan = client.program();
    plan.args(["plan", "jobs.csv", "--default", "endpoint=generate-video"]).env("L402_BATCH_COLUMN", "Nix=prompt");
    Process::start(&mut plan).end().with(2).saying("in L402_BATCH_COLUMN").not_saying("--column");
}

#[test]
fn an_export_is_what_the_run_wrote() {
    let (_sandbox, client) = a_mixed_batch();
    client.says("export jobs.csv --results r.csv --receipts s.csv").with(0).saying("r.csv");
    assert_eq!(client.read("r.csv"), client.read("jobs.results.csv"));
    assert_eq!(client.read("s.csv"), client.read("jobs.receipts.csv"));
    // Files that the ledger's batch did not write are somebody's.
    client.says("export jobs.csv --results r.csv --receipts s.csv").with(2).saying("or move it away");
    client.says("export jobs.csv --results r.csv --receipts s.csv --overwrite").with(0);
    for name in ["r.csv", "s.csv", "jobs.results.csv", "jobs.receipts.csv"] {
        assert_eq!(std::fs::metadata(client.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(client.ledger()).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::remove_file(client.path("jobs.results.csv")).unwrap();
    client.says("export --batch jobs").with(0);
    assert_eq!(client.read("r.csv"), client.read("jobs.results.csv"));
}

/// By its inode a file is known to be the very one: whoever writes it anew puts another in its place.
#[test]
fn a_file_is_written_anew_only_where_it_is_not_as_it_would_be_written() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.csv", "id,prompt\n1,kite\n2,barn\n");
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";
    client.run(run).with(0);
    let files = ["jobs.results.csv", "jobs.receipts.csv"];
    let inodes = || files.map(|name| std::fs::metadata(client.path(name)).unwrap().ino());
    let (texts, first) = (files.map(|name| client.read(name)), inodes());
    client.run(run).with(0);
    client.run("recover jobs.csv").with(0);
    assert_eq!(inodes(), first, "nothing was to be done");
    // As long as before, and written at once: only the times of its inode tell.
    client.write(files[0], &texts[0].replace("kite", "rock"));
    client.run(run).with(0);
    assert_eq!(files.map(|name| client.read(name)), texts);
    std::fs::remove_file(client.path(files[1])).unwrap();
    client.run(run).with(0);
    assert_eq!(files.map(|name| client.read(name)), texts);
    let second = inodes();
    client.run(run).with(0);
    assert_eq!(inodes(), second);
    // A row more: all of it is bought, and told.
    client.write("jobs.csv", "id,prompt\n1,kite\n2,barn\n3,cliff\n");
    client.run(run).with(0);
    assert_eq!(files.map(|name| client.read(name).lines().count()), [4, 4]);
    // Another order, and nothing to buy.
    client.write("jobs.csv", "id,prompt\n3,cliff\n2,barn\n1,kite\n");
    client.run(run).with(0);
    assert_eq!(client.column(files[0], "id"), ["3", "2", "1"]);
}

#[test]
fn quiet_says_nothing_of_success() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let ended = client.run("run jobs.toml --quiet").with(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    let ended = client.says("status jobs.toml --quiet").with(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn quiet_says_nothing_of_what_the_next_run_brings_on() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let jobs: String = (1..=200).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    let run = "run jobs.csv --default endpoint=generate-video --default duration=3";
    client.run(&format!("{run} --limit 2")).with(3);
    for line in ["status jobs.csv -q", "status jobs.csv -q --json"] {
        let ended = client.says(line).with(3);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{line}");
    }
    assert!(client.says("status jobs.csv -q --all").with(3).stdout.lines().count() > 200);
    // What is left is open.
    let batches: serde_json::Value = serde_json::from_str(&client.says("batches --json").with(0).stdout).unwrap();
    let batch = &batches["batches"][0];
    assert_eq!((&batch["delivered_count"], &batch["open_count"]), (&2.into(), &198.into()));
}

#[test]
fn quiet_names_those_who_need_a_person() {
    let (_sandbox, client) = a_mixed_batch();
    let said = client.says("status jobs.csv -q").with(6).stdout;
    assert!(said.contains("price_changed") && !said.contains("downloaded "), "{said}");
}

#[test]
fn an_export_goes_to_standard_output() {
    let (_sandbox, client) = a_mixed_batch();
    let files = client.files();
    let results = client.says("export jobs.csv --results -").with(0);
    assert_eq!((results.stdout, results.stderr), (client.read("jobs.results.csv"), String::new()));
    assert_eq!(client.says("export --batch jobs --receipts -").with(0).stdout, client.read("jobs.receipts.csv"));
    client.says("export jobs.csv --results - --receipts -").with(2).saying("alone");
    client.says("export jobs.csv --results - --receipts s.csv").with(2).saying("alone");
    assert_eq!(client.files(), files, "nothing is written beside");
    client.run("run jobs.csv --default endpoint=generate-video --results -").with(2).saying("`-` is for `export`");
}

#[test]
fn a_plan_in_json_steers_no_terminal() {
    let client = Client::alone();
    client.write("jobs.csv", "id,prompt,x_note\n1,a cat \u{202e}gpj.exe,\u{9b}2J\u{2066}\n");
    let plan = client.says("plan jobs.csv --json --default endpoint=generate-video").with(0).stdout;
    assert!(!plan.contains(['\u{202e}', '\u{9b}', '\u{2066}']), "{plan}");
    let read: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(read["jobs"][0]["params"]["prompt"], "a cat \u{202e}gpj.exe", "a program reads the very text");
}

#[test]
fn a_batch_that_is_unknown_is_named() {
    let (_sandbox, client) = a_mixed_batch();
    client.says("status --batch nobody").with(2).saying("nobody").saying("l402-batch batches");
    client.says("status other.csv").with(2).saying("other.csv");
    client.says("status jobs.csv --job 99").with(2).saying("--all");
    client.says("export --batch nobody").with(2);
    client.run("recover --batch nobody").with(2);
}
