//! A ledger that was put back, deleted or replaced by what its receipts tell: what it lacks is known beside its locks, and nothing
//! is bought a second time on the way back.

use std::fs;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::harness::{Audit, Client, Sandbox, two_jobs};

const FLAGS: &str = "--default endpoint=generate-video --default duration=3";

/// A manifest with an id and a prompt a row.
fn rows(client: &Client, name: &str, rows: &[(&str, &str)]) {
    let rows: String = rows.iter().map(|(id, prompt)| format!("{id},{prompt}\n")).collect();
    client.write(name, &format!("id,prompt\n{rows}"));
}

/// What stands in the ledger's place now is set aside under that name, and yesterday's is put there.
fn put_back(client: &Client, yesterday: &[u8], aside: &str) {
    fs::rename(client.ledger(), client.path(aside)).unwrap();
    fs::write(client.ledger(), yesterday).unwrap();
}

#[test]
fn receipts_of_the_newest_payment_do_not_hide_what_was_on_its_way_before_it() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    for (name, prompt) in [("old", "a tree"), ("slow", "a kite"), ("fast", "a boat")] {
        rows(&client, &format!("{name}.csv"), &[("1", prompt)]);
    }
    client.run(&format!("run old.csv {FLAGS}")).with(0);
    let yesterday = fs::read(client.ledger()).unwrap();
    let slow = client.start(&format!("run slow.csv {FLAGS}"));
    sandbox.wait_for("a payment on its way", |books| books.payments.len() == 2);
    slow.kill();
    client.run(&format!("run fast.csv {FLAGS}")).with(0);
    put_back(&client, &yesterday, "newest.db");

    client.run(&format!("run fast.csv {FLAGS}")).with(7).saying("older copy");
    let merged = client.says("ledger merge fast.receipts.csv").with(0);
    merged.saying("of 3 payments begun").saying("the ledger knows 1").saying("receipts do not do that");
    for line in ["slow.csv", "slow.csv --overwrite", "fast.csv", "slow.csv --batch other --dry-run"] {
        client.run(&format!("run {line} {FLAGS}")).with(7).saying("older copy").not_saying("overwrite");
    }
    client.says("ledger merge newest.db").with(0).not_saying("older copy");
    client.run("recover --all").with(0);
    for name in ["old", "slow", "fast"] {
        client.run(&format!("run {name}.csv {FLAGS}")).with(0);
    }
    assert_eq!(sandbox.books().settled().len(), 3);
    assert_eq!(client.column("slow.results.csv", "state"), ["delivered"]);
}

/// What a receipt proved without its credential is asked for with it, once its own ledger is back.
#[test]
fn what_was_known_by_its_receipt_alone_is_fetched_once_its_ledger_is_merged() {
    let sandbox = Sandbox::start("--sandbox-redeem-error SERVICE_ERROR");
    let client = Client::of(&sandbox);
    rows(&client, "jobs.csv", &[("1", "a kite")]);
    let running = client.start(&format!("run jobs.csv {FLAGS}"));
    sandbox.wait_for("a redeem", |books| books.settled().len() == 1);
    running.signal(Signal::INT);
    running.end().with(130);
    fs::rename(client.ledger(), client.path("newest.db")).unwrap();
    fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    client.says("ledger merge jobs.receipts.csv").with(0).saying("1 job and 1 payment were new");
    client.says("status --batch jobs").with(4).saying("its receipt alone");
    client.says("status --batch jobs --job 1").saying("--as rebuy").not_saying("--as retry");
    client.says("resolve --batch jobs --job 1 --as retry --note x").with(2).saying("its receipt alone");
    client.says("ledger merge newest.db").with(0).saying("1 payment stood otherwise");
    client.says("status --batch jobs").with(3).saying("paid");
    assert_eq!(sandbox.books().settled().len(), 1);
}

#[test]
fn a_persons_word_gives_up_what_no_ledger_knows() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    rows(&client, "jobs.csv", &[("1", "a kite"), ("2", "a boat")]);
    let run = format!("run jobs.csv {FLAGS}");
    client.run(&format!("{run} --limit 1")).with(3);
    let yesterday = fs::read(client.ledger()).unwrap();
    client.run(&run).with(0);
    put_back(&client, &yesterday, "gone.db");
    client.says("ledger merge jobs.receipts.csv").with(0).saying("older copy");
    let mark = client.ledger().with_file_name("ledger.db.locks").join("newest");
    let said = client.run(&run).with(7).saying(&format!("gives up {} with --discard", mark.display()));
    // Whatever is printed as a command works as printed; a person's word is no command.
    let command = |words: &&str| words.starts_with("l402-batch ") && !words.contains(" FILE");
    let (_, message) = said.stderr.split_once("older copy").unwrap();
    let commands: Vec<&str> = message.split('`').skip(1).step_by(2).filter(command).collect();
    assert!(commands.iter().all(|command| command.starts_with("l402-batch audit ")), "{commands:?}");
    client.says("ledger merge --help").with(0).saying("--discard");
    client.says(&format!("ledger merge --discard {}", mark.display())).with(0);
    client.run(&run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

/// Somebody has lost the ledger, and has merged the receipts of the batch `jobs`; with its results beside them, or without.
fn lost_but_receipts(client: &Client, results: bool) {
    fs::remove_file(client.ledger()).unwrap();
    fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    if !results {
        fs::remove_file(client.path("jobs.results.csv")).unwrap();
    }
    client.says("ledger merge jobs.receipts.csv").with(0);
}

/// Two batches of one manifest, whose ledger is lost: each finds its own files, whatever is left of them, and whichever runs first.
#[test]
fn batches_of_one_manifest_find_their_files_though_receipts_alone_are_left() {
    for (kept, first) in [(0, "two"), (1, "two"), (2, "two"), (3, "two"), (0, "jobs")] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        for (name, prompt) in [("jobs", "a kite"), ("two", "a boat")] {
            rows(&client, "jobs.csv", &[("1", prompt)]);
            client.run(&format!("run jobs.csv --batch {name} {FLAGS}")).with(0);
        }
        let results = ["jobs.results.csv", "jobs.two.results.csv"];
        let is_gone = |(at, _): &(usize, &&str)| kept & (1 << at) == 0;
        results.iter().enumerate().filter(is_gone).for_each(|(_, name)| fs::remove_file(client.path(name)).unwrap());
        fs::remove_file(client.ledger()).unwrap();
        fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
        let receipts = ["jobs.receipts.csv", "jobs.two.receipts.csv"];
        receipts.iter().for_each(|name| drop(client.says(&format!("ledger merge {name}")).with(0)));
        let before = receipts.map(|name| client.rows(name));
        for name in [first, "jobs", "two"] {
            let proved = name == "two" && kept & 2 != 0;
            client.run(&format!("run jobs.csv --batch {name} {FLAGS}")).with(if proved { 0 } else { 6 });
        }
        assert_eq!(receipts.map(|name| client.rows(name)), before, "{kept} {first}");
        assert_eq!(results.map(|name| client.column(name, "l402_batch")), [["jobs"], ["two"]]);
        assert_eq!(sandbox.books().settled().len(), 2);
    }
}

#[test]
fn a_copy_of_the_manifest_buys_nothing_that_receipts_prove() {
    for (ids, results) in [(true, true), (true, false), (false, true), (false, false)] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        let text = if ids { "id,prompt\n1,a kite\n2,a boat\n" } else { "prompt\na kite\na boat\n" };
        client.write("jobs.csv", text);
        client.run(&format!("run jobs.csv {FLAGS}")).with(0);
        lost_but_receipts(&client, results);
        client.write("other.csv", text);
        let ended = client.run(&format!("run other.csv {FLAGS}")).with(6).saying("bought already");
        ended.saying(if ids && !results { "may be job 1 of the batch jobs" } else { "of the batch jobs" });
        assert_eq!(sandbox.books().settled().len(), 2, "ids {ids}, results {results}");
        client.run(&format!("run jobs.csv {FLAGS}")).with(if ids && !results { 6 } else { 0 });
        assert_eq!(sandbox.books().settled().len(), 2, "ids {ids}, results {results}");
        assert_eq!(client.column("other.results.csv", "reason"), ["duplicate", "duplicate"]);
    }
}

#[test]
fn row_numbers_that_shift_after_receipts_were_merged_buy_nothing_again() {
    for results in [true, false] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        rows(&client, "jobs.csv", &[("1", "one"), ("2", "two")]);
        let run = format!("run jobs.csv {FLAGS}");
        client.run(&run).with(0);
        lost_but_receipts(&client, results);
        rows(&client, "jobs.csv", &[("1", "zero"), ("2", "one"), ("3", "two")]);
        for _ in 0..2 {
            client.run(&run).with(6);
            assert_eq!(sandbox.books().settled().len(), 2);
            let own = if results { "changed" } else { "known_by_receipt" };
            assert_eq!(client.column("jobs.results.csv", "reason"), [own, own, "duplicate"]);
        }
        // With the rows as they were bought, a new one is bought: by itself where results prove the others, else by a word.
        rows(&client, "jobs.csv", &[("1", "one"), ("2", "two"), ("3", "three")]);
        client.run(&run).with(if results { 0 } else { 6 });
        assert_eq!(sandbox.books().settled().len(), if results { 3 } else { 2 });
        client.run(&format!("{run} --duplicates buy")).with(if results { 0 } else { 6 });
        assert_eq!(sandbox.books().settled().len(), 3);
    }
}

/// Whatever a batch is called now: receipts of the manifest's own purchases, of which the ledger knows nothing, are no other's.
#[test]
fn another_name_for_the_batch_is_no_way_past_its_receipts() {
    for first in ["", "--batch june"] {
        let sandbox = Sandbox::start("");
        let client = Client::of(&sandbox);
        client.write("jobs.toml", &format!("name = \"trailers\"\n{}", two_jobs("")));
        client.run(&format!("run jobs.toml {first}")).with(0);
        fs::remove_file(client.ledger()).unwrap();
        fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
        for line in ["run jobs.toml --batch other", "run jobs.toml", "run jobs.toml --batch june"] {
            client.run(line).with(7).saying("jobs.receipts.csv");
            client.run(&format!("{line} --overwrite")).with(7).saying("jobs.receipts.csv").not_saying("overwrite");
        }
        assert_eq!(sandbox.books().settled().len(), 2);
    }
}

/// A copy of the ledger as it stands, beside whatever has it open.
fn copy_of_ledger(client: &Client, ledger: &str, name: &str) {
    let conn = Connection::open(client.path(ledger)).unwrap();
    conn.execute("VACUUM INTO ?1", [client.path(name).display().to_string()]).unwrap();
}

#[test]
fn a_copy_from_while_a_payment_was_on_its_way_buys_nothing_again() {
    let mut sandbox = Sandbox::start("--sandbox-pay-ms 1500 --sandbox-fail-pay-percent 100");
    let client = Client::of(&sandbox);
    rows(&client, "jobs.csv", &[("1", "a kite")]);
    let run = format!("run jobs.csv {FLAGS}");
    let running = client.start(&run);
    sandbox.wait_for("a payment on its way", |books| books.payments.len() == 1);
    copy_of_ledger(&client, &client.ledger().display().to_string(), "copy.db");
    running.signal(Signal::INT);
    running.end();
    sandbox.restart_with("");
    client.run(&run).with(0);
    assert_eq!(sandbox.books().settled().len(), 1);
    for _ in 0..3 {
        client.says("ledger merge copy.db").with(0).not_saying("by both ledgers");
        client.run("recover --all").with(0);
        client.run(&run).with(0).saying("everything is delivered");
    }
    client.run(&format!("run jobs.results.csv {FLAGS}")).with(0);
    assert_eq!(sandbox.books().settled().len(), 1);
    assert_eq!(
        (client.column("jobs.results.csv", "state"), client.rows("jobs.receipts.csv").len()),
        (vec!["delivered".to_owned()], 1)
    );
}

#[test]
fn what_another_ledger_began_under_one_id_and_never_paid_is_bought_by_nobody() {
    let mut sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = format!("run jobs.csv {FLAGS}");
    rows(&client, "jobs.csv", &[("1", "a kite")]);
    client.run(&run).with(0);
    sandbox.restart_with("--sandbox-pay-ms 3000 --sandbox-fail-pay-percent 100");
    rows(&client, "jobs.csv", &[("1", "a boat")]);
    let other = client.start(&format!("{run} --ledger other.db --results o.csv --receipts p.csv"));
    sandbox.wait_for("a payment on its way", |books| books.payments.len() == 2);
    other.kill();
    rows(&client, "jobs.csv", &[("1", "a kite")]);
    client.says("ledger merge other.db").with(0).saying("may have been paid by both ledgers, each for something else");
    client.run(&run).with(0);
    sandbox.restart_with("");
    for line in [&run, "run jobs.results.csv", "recover --all", &run] {
        client.run(line).with(0);
    }
    assert_eq!(sandbox.books().settled().len(), 1);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["", "withdrawn"]);
}

/// A word that is not carried out is no end at which everything is done.
#[test]
fn a_word_that_buys_nothing_is_said_and_ends_as_foretold() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.csv", "id,prompt\na,a kite\n");
    client.write("copy.csv", "id,prompt\nk,a kite\n");
    let run = |line: &str| client.run(&format!("run {line} --default endpoint=generate-video --default duration=3"));
    run("jobs.csv").with(0);
    lost_but_receipts(&client, false);
    run("copy.csv --duplicates buy").with(0);
    run("jobs.csv").with(6);
    let status = client.says("status --batch jobs --job a").with(6).saying("its receipt alone");
    status.not_saying("sent once").not_saying("0 bytes").not_saying("https://127.0.0.1/");
    client.says("resolve --batch jobs --job a --as keep --note seen").with(0);
    run("jobs.csv --dry-run --retake a").with(6);
    for flags in ["", "-q"] {
        let said = run(&format!("jobs.csv --retake a {flags}")).with(6).saying("1 job was not bought once more");
        said.not_saying("there was nothing to do");
    }
    assert_eq!(sandbox.books().settled().len(), 2);
}
