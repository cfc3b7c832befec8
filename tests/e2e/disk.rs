//! Disks that fill up or cannot be written, ledgers that are damaged, deleted, exchanged: nothing is paid twice.

use std::fs;

use crate::harness::{Audit, Client, Process, Sandbox, two_jobs, under};

const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3";

fn jobs(client: &Client, count: usize, tag: &str) {
    let rows: String = (1..=count).map(|n| format!("{n},kite {n} {tag}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
}

/// Makes a small file system, which somebody else fills up while the first run goes on; makes room and runs again.
const FULL: &str = r#"
    mkdir small && mount -t tmpfs -o size=48m tmpfs small
    (sleep AFTER; head -c 48m /dev/zero > small/filler) 2>/dev/null &
    "$@" --ledger small/ledger.db; echo "first: $?"; echo "THEN" >&2
    wait; "$@" --ledger small/ledger.db --dry-run; echo "foretold: $?"; rm small/filler
    "$@" --ledger small/ledger.db; echo "then: $?"
    mkdir -p ../state/l402-batch && cp -r small/. ../state/l402-batch/
"#;

#[test]
fn a_disk_that_fills_up_stops_the_spending_and_room_lets_it_go_on() {
    let mut stopped_after_money_was_spent = false;
    // One job after the other, for three seconds at least.
    let run = format!("{RUN} --jobs-in-flight 1 --payments-in-flight 1");
    for after in ["0.7", "1.2", "1.7"] {
        let sandbox = Sandbox::start("--sandbox-pay-ms 400");
        let client = Client::of(&sandbox);
        jobs(&client, 8, "");
        let script = FULL.replace("AFTER", after);
        let Some(ended) = client.shell_that_mounts(&script, &client.buying(&run)) else { return };
        let mut ended = ended.saying("then: 0");
        if !ended.stdout.contains("first: 0") {
            // Ended by a write (7), or by a look between two writes (3).
            ended = if ended.stdout.contains("first: 3") {
                ended.saying("nothing more is bought in this run")
            } else {
                ended.saying("first: 7")
            };
            let ended = ended.saying("make room, then run again").saying("foretold: 7");
            let told = ended.stderr.split("THEN").next().unwrap();
            eprintln!("after {after} s it stopped after {} purchases", told.matches("\ndelivered ").count());
            stopped_after_money_was_spent |= told.contains("\ndelivered ");
        }
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(8);
    }
    assert!(stopped_after_money_was_spent, "no disk was full while jobs were under way");
}

/// Where the ledger's disk has little room nothing is bought, and all say so before; what is paid goes on to its end.
#[test]
fn a_ledger_with_little_room_buys_nothing_and_all_say_so() {
    let mut sandbox = Sandbox::start("--sandbox-redeem-error SERVICE_ERROR");
    let client = Client::of(&sandbox);
    jobs(&client, 3, "");
    let running = client.start(&format!("{RUN} --limit 1"));
    sandbox.wait_for("a payment", |books| books.settled().len() == 1);
    assert!(running.kill());
    sandbox.restart_with("");
    let script = r#"
        mkdir small && mount -t tmpfs -o size=40m tmpfs small && cp -r ../state/l402-batch/. small/
        head -c 12m /dev/zero > small/filler
        for command in "plan" "run --dry-run" "doctor --no-ask" "run" "run"; do
            set -- $command; name=$1; shift
            "$PROGRAM" $name jobs.csv $READING "$@" --ledger small/ledger.db; echo "$name $*: $?"
        done
        "$PROGRAM" status --batch jobs --ledger small/ledger.db | grep delivered
        rm small/filler; "$PROGRAM" run jobs.csv $READING --ledger small/ledger.db; echo "at last: $?"
        rm -r ../state/l402-batch; cp -r small ../state/l402-batch"#;
    let mut command = client.program();
    let (program, reading) = (command.get_program().to_owned(), RUN.replace("run jobs.csv", ""));
    let reading = format!("{reading} {} --max-sats 100000", client.node()[..2].join(" "));
    command.env("PROGRAM", program).env("READING", reading).env("L402_BATCH_YES", "1");
    for pair in client.node()[2..].chunks(2) {
        command.env(crate::foretold::variable(&pair[0]), &pair[1]);
    }
    let Some(ended) = client.shell_that_mounts(script, &command) else { return };
    let ended = ended.with(0).saying("at last: 0");
    for said in ["plan : 7", "run --dry-run: 7", "doctor --no-ask: 7", "run : 7"] {
        assert!(ended.stdout.contains(said), "{said}: {ended}");
    }
    let words = "KiB free, and buying needs 32784 KiB";
    let make_room = format!("{words}; make room, then run again");
    assert_eq!((ended.stderr.matches(&make_room).count(), ended.stdout.matches(words).count()), (4, 1), "{ended}");
    ended.saying("delivered       1");
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(3);
}

/// A disk that fills up slowly: buying ends while there is room for what is under way, and nothing ends half way.
#[test]
fn a_run_that_sees_the_ledgers_disk_fill_up_buys_nothing_more() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 400");
    let client = Client::of(&sandbox);
    jobs(&client, 12, "");
    let script = r#"
        mkdir small && mount -t tmpfs -o size=48m tmpfs small
        (sleep 1; head -c 34m /dev/zero > small/filler) &
        "$@" --ledger small/ledger.db --jobs-in-flight 2; echo "first: $?"; wait
        "$@" --ledger small/ledger.db --dry-run; echo "foretold: $?"; rm small/filler
        "$@" --ledger small/ledger.db; echo "then: $?"
        mkdir -p ../state/l402-batch && cp -r small/. ../state/l402-batch/"#;
    let Some(ended) = client.shell_that_mounts(script, &client.buying(RUN)) else { return };
    let ended = ended.saying("nothing more is bought in this run").saying("first: 3").saying("foretold: 7");
    ended.saying("then: 0").not_saying("the disk is full");
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(12);
}

/// The same without any right to mount: files may grow to so many blocks, and no further.
#[test]
fn a_file_that_may_not_grow_stops_the_spending() {
    let (mut stopped, mut spent) = (0, 0);
    for blocks in [64, 200, 400, 700] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        jobs(&client, 8, "");
        let ended = client.shell(&format!(r#"trap "" XFSZ; ulimit -f {blocks}; exec "$@""#), RUN);
        assert!(matches!(ended.code, Some(0 | 7)), "{blocks}: {ended}");
        if ended.code == Some(7) {
            let settled = sandbox.books().settled().len();
            (stopped, spent) = (stopped + 1, spent + settled);
            ended.saying("ledger");
        }
        client.run(RUN).with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(8);
    }
    assert!(stopped > 0 && spent > 0, "stopped {stopped} times, after {spent} payments");
}

#[test]
fn what_cannot_be_written_is_not_bought_from() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2, "");
    client.run(&format!("{RUN} --limit 1 --ledger shut/ledger.db")).with(3);
    let script = r#"mount --bind shut shut && mount -o remount,ro,bind shut && exec "$@" --ledger shut/ledger.db"#;
    let Some(ended) = client.shell_that_mounts(script, &client.buying(RUN)) else { return };
    ended.with(7).saying("read-only");
    for (line, code, words) in [("recover --all", 0, "nothing is open"), ("status --batch jobs", 3, "pending")] {
        let mut command = client.program();
        command.args(line.split(' '));
        client.shell_that_mounts(script, &command).unwrap().with(code).saying(words);
    }
    assert_eq!(sandbox.books().settled().len(), 1);
    client.run(&format!("{RUN} --ledger shut/ledger.db")).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn a_damaged_a_foreign_and_a_newer_ledger_are_left_as_they_are() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 3, "");
    client.run(&format!("{RUN} --limit 1")).with(3);
    let before = sandbox.books();
    let whole = fs::read(client.ledger()).unwrap();
    let half = &whole[..whole.len() / 2];
    let garbled: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| if at < 4_096 { *byte } else { !byte }).collect();
    let made = |name: &str, sql: &str| {
        fs::write(client.path(name), if sql.contains("CREATE") { &[][..] } else { &whole }).unwrap();
        rusqlite::Connection::open(client.path(name)).unwrap().execute_batch(sql).unwrap();
        fs::read(client.path(name)).unwrap()
    };
    let foreign = made("foreign.db", "CREATE TABLE diary (day TEXT)");
    let newer = made("newer.db", "PRAGMA user_version = 7");
    for (what, content, words) in [
        ("truncated", half, "damaged"),
        ("cut within a page", &whole[..whole.len() - 100], "damaged"),
        ("garbled", &garbled, "damaged"),
        ("noise", &[7; 10_000], "no ledger of l402-batch"),
        ("foreign", &foreign, "no ledger of l402-batch"),
        ("newer", &newer, "update l402-batch"),
    ] {
        fs::write(client.ledger(), content).unwrap();
        for line in [RUN, "recover --all", "recover --batch jobs", "audit"] {
            let ended = if line == "audit" { client.asks_node(line) } else { client.run(line) };
            assert!(ended.code == Some(7) && ended.stderr.contains(words), "{what}: {ended}");
        }
        client.says("status --batch jobs").with(7);
        assert!(fs::read(client.ledger()).unwrap() == content, "{what}: the file was changed");
    }
    assert_eq!(sandbox.books().sales.len(), before.sales.len());
    fs::write(client.ledger(), whole).unwrap();
    client.run(RUN).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(3);
}

#[test]
fn a_ledger_that_is_deleted_in_use_stops_the_spending_and_is_saved() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 200");
    let client = Client::of(&sandbox);
    jobs(&client, 6, "");
    let run = format!("{RUN} --payments-in-flight 1");
    let running = client.start(&run);
    sandbox.wait_for("a purchase", |books| books.settled().len() == 2);
    let beside = |suffix: &str| client.ledger().with_file_name(format!("ledger.db{suffix}"));
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(suffix)).unwrap();
    }
    running.end().with(7).saying("deleted or replaced").saying("ledger.db.rescued-1");
    assert!(sandbox.books().payments.len() <= 4, "{:?}", sandbox.books().payments);
    let asked = sandbox.books().sales.len();
    // Nobody takes the copy: a new ledger would know nothing.
    client.run(&run).with(7).saying("ledger merge");
    assert_eq!(sandbox.books().sales.len(), asked);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(suffix));
    }
    fs::rename(beside(".rescued-1"), client.ledger()).unwrap();
    client.run(&run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
}

#[test]
fn a_ledger_that_is_older_than_its_receipts_buys_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 4, "");
    client.run(&format!("{RUN} --limit 1")).with(3);
    let backup = fs::read(client.ledger()).unwrap();
    client.run(&format!("{RUN} --limit 2")).with(3);
    let (newest, receipts) = (fs::read(client.ledger()).unwrap(), client.read("jobs.receipts.csv"));
    let before = sandbox.books().sales.len();

    fs::write(client.ledger(), backup).unwrap();
    for line in [RUN, &format!("{RUN} --dry-run"), "recover --batch jobs"] {
        client.run(line).with(7).saying("of 3 payments begun").saying("older copy");
    }
    client.says("export --batch jobs").with(7).saying("older copy");
    // A spreadsheet has had them in its hands.
    client.write("jobs.receipts.csv", &format!("\u{feff}{}", receipts.replace(',', ";")));
    client.run(RUN).with(7).saying("older copy");
    client.write("jobs.receipts.csv", &receipts);
    client.asks_node("audit").with(0).saying("others   2 payments");
    assert_eq!(client.read("jobs.receipts.csv"), receipts, "they are the only proof");
    assert_eq!(sandbox.books().sales.len(), before);

    fs::write(client.ledger(), newest).unwrap();
    client.run(RUN).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(4);
}

#[test]
fn what_a_kill_leaves_beside_the_ledger_may_be_there_or_not() {
    for leave_index in [true, false] {
        let sandbox = Sandbox::start("--sandbox-pay-ms 300");
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &two_jobs(""));
        let running = client.start("run jobs.toml");
        sandbox.wait_for("both on their way", |books| books.payments.len() == 2);
        assert!(running.kill());
        assert!(client.ledger().with_file_name("ledger.db-wal").exists());
        if !leave_index {
            fs::remove_file(client.ledger().with_file_name("ledger.db-shm")).unwrap();
        }
        client.run("run jobs.toml").with(0);
        Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
    }
}

/// One batch's receipts speak against its ledger: what the others have paid for is finished all the same.
#[test]
fn a_batch_whose_books_differ_does_not_hold_up_the_others() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 300");
    let client = Client::of(&sandbox);
    let run = |name: &str| format!("run {name}.csv --default endpoint=generate-video --default duration=3");
    for (at, name) in ["anna", "bert"].into_iter().enumerate() {
        client.write(&format!("{name}.csv"), &format!("id,prompt\n1,{name}'s kite\n"));
        let running = client.start(&run(name));
        sandbox.wait_for("a payment", |books| books.payments.len() == at + 1);
        assert!(running.kill());
    }
    let receipts = format!("{}\n{}\n", "payment_hash", "ab".repeat(32));
    client.write("anna.receipts.csv", &receipts);
    client.run("recover --all").with(7).saying("anna.receipts.csv").saying("older copy");
    assert_eq!(client.column("bert.results.csv", "state"), ["delivered"]);
    assert_eq!(client.read("anna.receipts.csv"), receipts);
    client.says("status --batch anna").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn a_new_ledger_in_the_place_of_a_deleted_one_is_told_by_the_receipts() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2, "");
    client.run(RUN).with(0);
    let receipts = client.read("jobs.receipts.csv");
    let kept = client.ledger().with_extension("kept");
    fs::rename(client.ledger(), &kept).unwrap();
    client.run(RUN).with(7).saying("the ledger is gone");
    fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    for line in [RUN, &format!("{RUN} --dry-run"), &format!("{RUN} --batch other"), RUN] {
        client.run(line).with(7).saying("was it deleted, or is another one meant?").saying("jobs.receipts.csv");
    }
    assert_eq!(client.read("jobs.receipts.csv"), receipts);
    assert_eq!(sandbox.books().sales.len(), 2);
    fs::rename(kept, client.ledger()).unwrap();
    client.run(RUN).with(0).saying("nothing to do");
}

/// Whoever reads only the mail of a night's run learns why its results are not there, and gets no path to nothing.
#[test]
fn why_results_cannot_be_written_is_said_with_quiet_too() {
    for flags in ["--quiet", ""] {
        let sandbox = Sandbox::start("--sandbox-pay-ms 1000");
        let client = Client::of(&sandbox);
        jobs(&client, 2, "");
        fs::create_dir(client.path("there")).unwrap();
        let running = client.start(&format!("{RUN} --results there/results.csv {flags}"));
        sandbox.wait_for("a payment", |books| !books.payments.is_empty());
        fs::remove_dir_all(client.path("there")).unwrap();
        fs::write(client.path("there"), "").unwrap();
        let ended = running.end().with(3);
        assert!(ended.stderr.contains("warning: ") && ended.stderr.contains("results.csv"), "{ended}");
        assert!(!ended.stdout.lines().any(|line| line.starts_with("results  ")), "{ended}");
    }
}

/// It says what it can do, not what a run does.
#[test]
fn an_export_that_has_no_room_says_so() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 24, &"long ".repeat(390));
    client.run(RUN).with(0);
    let before = client.read("jobs.results.csv");
    let script = r#"trap "" XFSZ; ulimit -f 70; exec "$@" export --batch jobs"#;
    let ended = Process::start(&mut under(&["sh", "-c", script, "sh"], &client.program())).end().with(3);
    let ended = ended.saying("jobs.results.csv cannot be replaced: File too large").saying("--results");
    assert!(!ended.stderr.contains("tried again") && !ended.stderr.contains("`export`"), "{ended}");
    assert_eq!(client.read("jobs.results.csv"), before);
}
