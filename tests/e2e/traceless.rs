//! A run that is refused before its first purchase leaves nothing behind: no batch, no results, no receipts, no lock, no folder.

use crate::harness::{Client, Sandbox, two_jobs};

/// What the ledger and its locks hold, and what lies in the folder.
#[track_caller]
fn is_untouched(client: &Client, files: &[&str], line: &str) {
    assert_eq!(client.files(), files, "{line}");
    let ledger = client.ledger();
    if !ledger.exists() {
        return;
    }
    let books = rusqlite::Connection::open(&ledger).unwrap();
    for table in ["batches", "jobs", "transitions", "payments", "decisions", "trusts"] {
        let rows: i64 = books.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}: {line}");
    }
    let beside = |name: &str| std::fs::read_dir(ledger.with_file_name(name)).map_or(0, Iterator::count);
    assert_eq!((beside("ledger.db.locks"), beside("ledger.db.bodies")), (0, 0), "{line}");
}

/// Every way to be refused, and its exit code.
const REFUSED: [(&str, i32); 13] = [
    ("--max-sats 1", 8),
    ("--max-sats 1 --download films/june", 8),
    ("--only nobody", 2),
    ("--limit 1 --max-sats 1", 8),
    ("--retake nobody", 2),
    ("--retake video@9", 2),
    ("--trust nowhere.example", 2),
    ("--resume", 2),
    ("--results jobs.toml", 2),
    ("--results same.csv --receipts same.csv", 2),
    ("--results nowhere/r.csv", 2),
    ("--download-name {nothing} --download films", 2),
    ("--duplicates skip --max-sats 1 --results r.csv --receipts s.csv", 8),
];

#[test]
fn a_refused_run_leaves_nothing_and_its_dry_run_says_so() {
    let sandbox = Sandbox::start("");
    for (flags, code) in REFUSED {
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        let files = ["jobs.toml", "picture.png"];
        let line = format!("run jobs.toml {flags}");
        client.run(&format!("{line} --dry-run")).with(code);
        assert!(!client.ledger().exists(), "{line}");
        is_untouched(&client, &files, &line);
        for _ in 0..2 {
            client.run(&line).with(code).not_saying("status --batch");
            is_untouched(&client, &files, &line);
        }
        let events = client.run(&format!("{line} --json")).with(code);
        assert!(!events.stdout.contains("status --batch"), "{events}");
        is_untouched(&client, &files, &line);
        // Nothing is in the way of a run that is not refused.
        client.run("run jobs.toml --limit 1").with(3).saying("batch jobs (new)");
    }
    sandbox.books();
}

#[test]
fn without_a_terminal_and_a_word_nothing_begins() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    for (flags, words) in [
        ("", "add --yes and --max-sats SATS"),
        ("--max-sats 5000", "nothing was bought; add --yes"),
        ("--yes", "--yes needs a limit"),
    ] {
        let line = format!("run jobs.toml {flags} --download films");
        client.asks(&line).with(2).saying(words);
        is_untouched(&client, &["jobs.toml", "picture.png"], &line);
        client.asks(&format!("{line} --dry-run")).with(2).saying(words);
    }
    sandbox.books().are_empty();
}

#[test]
fn nothing_begins_where_no_node_answers_or_too_little_stands_in_its_channels() {
    for (flags, words) in [("", "cannot be reached"), ("--sandbox-balance-sats 1000", "channels hold 1,000 sats")] {
        let mut sandbox = Sandbox::start(flags);
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        if flags.is_empty() {
            sandbox.stop();
        }
        for line in ["run jobs.toml --dry-run", "run jobs.toml --download films"] {
            client.run(line).with(9).saying(words);
            is_untouched(&client, &["jobs.toml", "picture.png"], line);
        }
    }
}

/// Of a batch that there is, nothing is taken back, and its files stay what they were.
#[test]
fn a_batch_that_there_is_stays_as_it_was() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --limit 1").with(3);
    let files = ["jobs.receipts.csv", "jobs.results.csv", "jobs.toml", "picture.png"];
    for flags in ["--max-sats 1", "--max-sats 1 --results other.csv", "--retake nobody"] {
        let ended = client.run(&format!("run jobs.toml {flags}"));
        assert!(matches!(ended.code, Some(2 | 8)), "{ended}");
        assert_eq!(client.files(), files, "{flags}");
        assert_eq!(client.column("jobs.results.csv", "state"), ["delivered", "pending"], "{flags}");
    }
    client.run("run jobs.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// Play money gets a folder for its ledger, and leaves none where no ledger was begun.
#[test]
fn play_money_that_is_refused_leaves_no_folder() {
    let client = Client::alone();
    client.write("jobs.toml", &two_jobs(""));
    let left = || std::fs::read_dir(client.path("../tmp")).unwrap().count();
    for (more, code) in [
        ("--deadline 2020-01-01T00:00:00Z", 2),
        ("--format csv", 2),
        ("--catalog nowhere.toml", 2),
        ("--results jobs.toml", 2),
        ("--dry-run", 0),
    ] {
        client.says(&format!("run jobs.toml --sandbox {more}")).with(code);
        assert_eq!(left(), 0, "{more}");
    }
    client.says("run jobs.toml --sandbox").with(0);
    assert_eq!(left(), 1);
}
