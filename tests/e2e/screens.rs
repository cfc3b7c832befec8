//! What people see on terminals of 80 and of 140 columns.

use std::process::Command;

use crate::harness::{Client, Sandbox, Screen};

/// An id that somebody made of a title.
const LONG: &str = "a-trailer-with-an-id-that-somebody-made-of-the-whole-title-of-the-film-2026";
const WIDTHS: [u16; 2] = [80, 140];
const VIDEO: &str = "--default endpoint=generate-video --default duration=3";

/// Snapshots hold where lines end, so what differs from machine to machine has to be as long everywhere.
macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({ filters => [
            (r"/tmp/\.tmp\w{6}/", "/tmp/.tmpfolder/"),
            (r"127\.0\.0\.1:\d{5}\b", "127.0.0.1:40000"),
            (r"videos/[0-9a-f]{24}", "videos/000000000000000000000000"),
            (r"\d{4}-\d\d-\d\d", "2026-11-28"),
            (r"\d\d:\d\d:\d\d", "12:00:00"),
            (r"\d\d:\d\d(\s+)UTC", "12:00${1}UTC"),
            (r"00\.\d{3}\+", "00.000+"),
            (r"took            \d+ s", "took            0 s"),
            (r"differ by \d seconds?", "differ by 0 seconds"),
            (r"\b0[23][0-9a-f]{64}\b", "[key]"),
            (r"\b[0-9a-f]{64}\b", "[hash]"),
        ] }, { insta::assert_snapshot!($name, $text) })
    };
}

fn lies_elsewhere() -> bool {
    let is_so = std::env::temp_dir() != std::path::Path::new("/tmp");
    if is_so {
        eprintln!("SKIPPED: these screens are kept as they are where temporary files lie in /tmp");
    }
    is_so
}

/// The command's screen at each width; none where there is no terminal to be had.
fn look(name: &str, command: &Command) -> Option<()> {
    for columns in WIDTHS {
        keep(name, columns, &Screen::start(command, columns)?.end().1);
    }
    Some(())
}

/// Keeps a screen. What the terminal had to break is a word or a command, and is kept in one line: where it is broken
/// depends on how long a path is.
fn keep(name: &str, columns: u16, shown: &str) {
    let whole = shown.replace("↩\n", "");
    for line in shown.replace("↩\n", "↩").lines().filter(|line| line.contains('↩')) {
        let line = line.trim().trim_start_matches("→ ");
        let is_whole = !line.contains(' ') || line.starts_with("l402-batch ") || line.starts_with("lncli ");
        assert!(is_whole, "the terminal breaks words at {columns} columns: {line}\n{shown}");
    }
    snapshot!(format!("{name}_{columns}"), whole);
}

fn command(client: &Client, line: &str) -> Command {
    let mut program = client.program();
    program.args(line.split_whitespace());
    program
}

/// A batch of five, three of which are delivered, and another manifest with the same content.
fn two_manifests() -> (Sandbox, Client) {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10 --sandbox-drift-jobs-percent 50 --sandbox-seed 1");
    let client = Client::of(&sandbox);
    let rows: String = (1..=4).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}{LONG},a long kite\n"));
    client.run(&format!("run jobs.csv {VIDEO} --jobs-in-flight 1")).with(6);
    client.write("july.csv", &format!("id,prompt\n{rows}{LONG},a long kite\nnew,another\n"));
    std::fs::copy(sandbox.file("catalog.toml"), client.path("catalog.toml")).unwrap();
    (sandbox, client)
}

#[test]
fn plans_batches_and_doctor() {
    if lies_elsewhere() {
        return;
    }
    let (_sandbox, client) = two_manifests();
    client.copy_of("jobs.example.toml");
    client.copy_of("jobs.example.png");
    for (name, line) in [
        ("plan", "plan jobs.example.toml --jobs".to_owned()),
        ("plan_with_duplicates", format!("plan july.csv {VIDEO} --catalog catalog.toml")),
        ("status", "status jobs.csv --all".to_owned()),
        ("status_of_a_job", "status jobs.csv --job 1".to_owned()),
        ("batches", "batches".to_owned()),
        ("doctor", "doctor jobs.csv".to_owned()),
        ("a_wrong_flag", "run jobs.csv --max-sats 12,5k".to_owned()),
        ("a_run_without_a_node", format!("run jobs.csv {VIDEO}")),
        ("help", "ledger --help".to_owned()),
        (
            "a_manifest_with_an_error",
            "plan jobs.csv --default endpoint=generate-video --default durations=3".to_owned(),
        ),
    ] {
        if look(name, &command(&client, &line)).is_none() {
            return;
        }
    }
    let mut doctor = command(&client, &format!("doctor july.csv {VIDEO}"));
    doctor.args(client.node());
    look("doctor_of_a_node", &doctor);
}

#[test]
fn a_run_from_its_question_to_its_end() {
    if lies_elsewhere() {
        return;
    }
    let drift = "--sandbox-price-drift-percent 10 --sandbox-drift-jobs-percent 50 --sandbox-seed 1";
    for columns in WIDTHS {
        let sandbox = Sandbox::start(drift);
        let client = Client::of(&sandbox);
        let rows: String = (1..=4).map(|n| format!("{n},kite {n}\n")).collect();
        client.write("june.csv", &format!("id,prompt\n{rows}"));
        client.write("july.csv", &format!("id,prompt\n{rows}{LONG},a long kite\nnew,another\n"));
        let line = |name: &str| format!("run {name}.csv {VIDEO} --jobs-in-flight 1 --max-sats 100000");
        client.run(&line("june")).with(6);
        let mut run = command(&client, &line("july"));
        run.args(client.node());
        let Some(mut screen) = Screen::start(&run, columns) else { return };
        for question in ["once more", "of routing fees"] {
            screen.wait_until(question, |shown| shown.contains(question) && shown.trim_end().ends_with("[y/N]"));
            screen.types("y\n");
        }
        let (code, shown) = screen.end();
        assert_eq!(code, Some(6), "{shown}");
        keep("run", columns, &shown);
    }
}

#[test]
fn a_batch_with_every_state() {
    if lies_elsewhere() {
        return;
    }
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let states = [
        ("pending", "day_limit", ""),
        ("running", "payment_in_flight", ""),
        ("in_doubt", "waiting_for_expiry", ""),
        ("paid", "credential_rejected", "the origin says: this credential is not known here, ask the support for help"),
        ("delivered", "", ""),
        ("downloaded", "", ""),
        ("refused", "price_changed", "the plan says 1,350 sats and the origin asks 1,485 sats; set the new price"),
        (
            "failed",
            "origin_unreachable",
            "https://api.example/v1/generate-video-from-a-prompt-and-an-image?model=pro: timeout",
        ),
        ("refund_offered", "refund_offered", ""),
        ("refunded", "", ""),
        ("lost", "origin_failed", "a filter has blocked it"),
    ];
    let rows: String = states.iter().map(|(state, ..)| format!("shot-{state},{state}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}{LONG},long\n"));
    client.run(&format!("run jobs.csv {VIDEO} --jobs-in-flight 1")).with(0);
    // How each state looks, not how it comes about.
    let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
    for (state, reason, error) in states {
        let set = "UPDATE jobs SET state = ?1, reason = ?2, error = nullif(?3, ''), file = iif(?1 = 'downloaded', \
                   '/videos/shot.mp4', NULL), file_key = iif(?1 = 'downloaded', 'k', NULL), sha256 = \
                   iif(?1 = 'downloaded', hex(zeroblob(32)), NULL) WHERE job = 'shot-' || ?1";
        assert_eq!(ledger.execute(set, [state, reason, error]).unwrap(), 1);
    }
    drop(ledger);
    look("every_state", &command(&client, "status jobs.csv --all"));
}

#[test]
fn nothing_is_folded_in_a_pipe() {
    let (_sandbox, client) = two_manifests();
    let duplicates = format!("plan july.csv {VIDEO} --catalog catalog.toml --jobs");
    for (line, whole) in [
        ("status jobs.csv --all", format!(" {LONG}  delivered                 none    http://")),
        ("batches", " UTC  /".to_owned()),
        (duplicates.as_str(), format!("{LONG} is job {LONG} of the batch jobs")),
    ] {
        let said = client.says(line).stdout;
        assert!(said.lines().any(|row| row.contains(&whole)), "{line}\n{said}");
    }
}
