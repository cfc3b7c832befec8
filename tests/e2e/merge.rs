//! A ledger that lacks what was bought with it buys nothing until that is merged: rescued, restored, deleted ones.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Audit, Client, Process, Sandbox, two_jobs};

const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3";

fn jobs(client: &Client, count: usize) {
    let rows: String = (1..=count).map(|n| format!("{n},paper kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{rows}"));
}

fn beside(client: &Client, suffix: &str) -> PathBuf {
    client.ledger().with_file_name(format!("ledger.db{suffix}"))
}

#[test]
fn what_was_rescued_from_under_a_run_stops_buying_until_it_is_merged() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 200");
    let client = Client::of(&sandbox);
    jobs(&client, 6);
    let run = format!("{RUN} --payments-in-flight 1");
    let running = client.start(&run);
    sandbox.wait_for("a purchase", |books| books.settled().len() == 2);
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&client, suffix)).unwrap();
    }
    running.end().with(7).saying("ledger.db.rescued-1").saying("ledger merge");
    let asked = sandbox.books().sales.len();
    for line in [&run, &format!("{run} --overwrite"), &format!("{run} --dry-run")] {
        client.run(line).with(7).saying("ledger merge");
    }
    client.says("batches").with(7).saying("ledger merge");
    client.run("recover --all").with(7).saying("ledger merge");
    assert_eq!(sandbox.books().sales.len(), asked, "nothing was asked for");

    let rescued = beside(&client, ".rescued-1").display().to_string();
    client.says(&format!("ledger merge {rescued}")).with(0).saying("6 jobs").saying(".rescued-1.merged");
    client.run("recover --all").with(0);
    client.run(&run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(6);
}

#[test]
fn a_rescue_that_cannot_be_read_is_given_up_by_a_persons_word_alone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(&format!("{RUN} --limit 1")).with(3);
    let rescued = beside(&client, ".rescued-1");
    for rubbish in [&b"rubbish"[..], b""] {
        fs::write(&rescued, rubbish).unwrap();
        client.run(RUN).with(7).saying("ledger merge");
        client.says(&format!("ledger merge {}", rescued.display())).with(7).saying("damaged");
    }
    client.says("ledger merge --discard jobs.csv").with(2).saying("nothing that the ledger waits for");
    assert_eq!(sandbox.books().settled().len(), 1);
    client.says(&format!("ledger merge --discard {}", rescued.display())).with(0).saying(".discarded");
    client.run(RUN).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}

#[test]
fn what_two_ledgers_have_both_paid_for_is_receipted_twice_and_bought_no_third_time() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(RUN).with(0);
    let other = "--ledger other.db --results other.results.csv --receipts other.receipts.csv";
    client.run(&format!("{RUN} {other} --limit 1")).with(3);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.says("ledger merge other.db").with(0).saying("paid by both ledgers: 1 of jobs").saying("take 2");
    client.says("ledger merge other.db").with(0).not_saying("paid by both");
    client.run(RUN).with(0);
    let mut takes: Vec<_> =
        client.rows("jobs.receipts.csv").iter().map(|row| row["id"].clone() + &row["take"]).collect();
    takes.sort();
    assert_eq!(takes, ["11", "12", "21"]);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.asks_node("audit").with(0).not_saying("others   1");
}

#[test]
fn a_ledger_of_yesterday_buys_nothing_though_its_receipts_are_gone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 3);
    client.run(&format!("{RUN} --limit 1")).with(3);
    let yesterday = fs::read(client.ledger()).unwrap();
    client.run(&format!("{RUN} --limit 1")).with(3);
    fs::rename(client.ledger(), client.path("newest.db")).unwrap();
    fs::write(client.ledger(), yesterday).unwrap();
    fs::remove_file(client.path("jobs.receipts.csv")).unwrap();
    let asked = sandbox.books().sales.len();
    for line in [RUN, &format!("{RUN} --overwrite"), &format!("{RUN} --batch other"), &format!("{RUN} --dry-run")] {
        client.run(line).with(7).saying("older copy");
    }
    client.says("status --batch jobs").with(3).saying("older copy");
    client.asks("doctor --json").saying("older copy");
    assert_eq!(sandbox.books().sales.len(), asked);
    client.says("ledger merge newest.db").with(0);
    client.run(RUN).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(3);
}

#[test]
fn receipts_whose_ledger_is_gone_are_taken_over_whatever_flag_is_given() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 3);
    client.run(&format!("{RUN} --limit 2")).with(3);
    fs::remove_file(client.ledger()).unwrap();
    fs::remove_dir_all(beside(&client, ".locks")).unwrap();
    let receipts = client.read("jobs.receipts.csv");
    for line in [RUN, &format!("{RUN} --overwrite"), RUN] {
        client.run(line).with(7).saying("jobs.receipts.csv").saying("ledger merge");
    }
    assert_eq!(client.read("jobs.receipts.csv"), receipts);
    client.says("ledger merge jobs.receipts.csv").with(0).saying("2 payments were new");
    client.says("ledger merge jobs.receipts.csv").with(0).saying("0 payments were new");
    client.run(RUN).with(0);
    assert_eq!(sandbox.books().settled().len(), 3, "the third alone was bought");
    let states: Vec<_> = client.rows("jobs.results.csv").iter().map(|row| row["state"].clone()).collect();
    assert_eq!(states, ["delivered", "delivered", "delivered"]);
    assert_eq!(client.rows("jobs.receipts.csv").len(), 3);
    client.asks_node("audit").with(0);
}

/// Receipts that were cut while they were copied, or edited: what an invoice tells is taken from it, and what nothing proves is
/// refused with its place.
#[test]
fn receipts_that_are_cut_or_contradict_themselves_are_not_taken_as_they_are() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(RUN).with(0);
    let whole = client.read("jobs.receipts.csv");
    let rows = client.rows("jobs.receipts.csv");
    let merged = |receipts: &str| {
        let _ = fs::remove_file(client.path("new.db"));
        client.write("copy.csv", receipts);
        client.says("ledger merge copy.csv --ledger new.db")
    };
    let swapped = whole.replace(&rows[0]["invoice"], &rows[1]["invoice"]);
    for (receipts, words) in [
        (whole[..whole.len() - 20].to_owned(), "copy.csv:3: the file ends within this record's url"),
        (whole.trim_end().to_owned(), "copy.csv:3: the file ends within this record's url"),
        (whole.replace(&rows[1]["url"], "\"http://a\nb\n"), "the file ends within this record's url"),
        (whole[..whole.find(&rows[1]["invoice"]).unwrap() + 9].to_owned(), "copy.csv:3: invoice: it cannot be read"),
        (swapped, "copy.csv:2: invoice: it is another payment's"),
        (whole.replace(&rows[1]["preimage"], &rows[0]["preimage"]), "copy.csv:3: preimage: it is not the preimage"),
        (whole.replace(",preimage,", ",Preimage,"), "copy.csv:2: there is no column preimage"),
        (whole.replace(",1350000,", ",\"1,350,000\","), "copy.csv:2: amount_msat: it is not as `run` writes it"),
    ] {
        merged(&receipts).with(2).saying(words).saying("nothing was merged");
        client.says("batches --ledger new.db").with(0);
        assert!(!client.says("batches --ledger new.db").stdout.contains("jobs"), "{words}");
    }
    let cut = whole.replace(&rows[1]["url"], "");
    merged(&cut).with(0).saying("2 payments were new");
    let edited = whole.replace(",1350000,", ",1351000,").replacen(&rows[0]["payee_node"], "a friend", 1);
    let ended = merged(&edited).with(0).saying("2 payments were new");
    let ended =
        ended.saying("copy.csv:3: amount_msat is 1351000, and the invoice that was paid says 1350000, which is taken");
    let ended = ended.saying("copy.csv:2: payee_node is a friend");
    assert_eq!(ended.stderr.matches("which is taken").count(), 3, "each once: {ended}");
    client.says("export --batch jobs --ledger new.db --results r.csv --receipts p.csv").with(0);
    let facts = |rows: &[std::collections::HashMap<String, String>]| -> Vec<[String; 3]> {
        let mut facts: Vec<_> =
            rows.iter().map(|row| ["id", "amount_msat", "payee_node"].map(|column| row[column].clone())).collect();
        facts.sort();
        facts
    };
    assert_eq!(facts(&client.rows("p.csv")), facts(&rows));
}

/// What a receipt says otherwise than another one, than itself or than the ledger is not merged over: it is named with its line, which is
/// the file's own, whatever its lines end in.
#[test]
fn receipts_that_contradict_each_other_or_the_ledger_are_refused_with_their_line() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(RUN).with(0);
    let (whole, rows) = (client.read("jobs.receipts.csv"), client.rows("jobs.receipts.csv"));
    let (header, lines): (&str, Vec<&str>) = (whole.lines().next().unwrap(), whole.lines().skip(1).collect());
    let [(a, b), (id, other)] = [(lines[0], lines[1]), (&*rows[0]["id"], &*rows[1]["id"])];
    let file = |lines: &[&str]| format!("{header}\n{}\n", lines.join("\n"));
    let renamed = a.replacen(&format!("jobs,{id},1,"), "jobs,z,1,", 1);
    let fee = a.replacen(&format!(",{},", rows[0]["fee_msat"]), ",77,", 1);
    let refund = b.replacen(",payment,", ",refund,", 1);
    let back = refund.replace(&rows[1]["preimage"], "").replace(&rows[1]["payment_hash"], &"ab".repeat(32));
    let back = back.replace(&rows[1]["invoice"], "").replace(&format!("jobs,{other},1,"), &format!("jobs,{id},1,"));
    let unknown = back.replace(&format!("jobs,{id},1,"), "jobs,z,1,");
    for (receipts, words) in [
        (
            file(&[a, b, &renamed]),
            format!("copy.csv:4: payment_hash: it is the payment of line 2, which is take 1 of {id} (jobs)'s"),
        ),
        (file(&[a, "", b, &fee]), "copy.csv:5: fee_msat: it is 77, and line 2 says".to_owned()),
        (file(&[&fee, b]), "copy.csv:2: fee_msat: it is 77, and the ledger has, as the node said,".to_owned()),
        (
            file(&[a, &refund]),
            "copy.csv:3: kind: it says refund, and the rest of the record is of a payment".to_owned(),
        ),
        (
            file(&[a, b, &unknown]),
            "copy.csv:4: kind: it says refund, and neither the file nor the ledger has the payment of take 1 of z"
                .to_owned(),
        ),
        (
            file(&[a, b, &back]),
            format!("copy.csv:4: kind: it says refund, and the ledger has the result of take 1 of {id} (jobs)"),
        ),
        (
            file(&[&a.replacen("jobs,", "\"jo\nbs\",", 1), b]),
            "copy.csv:2: batch: expected printable characters".to_owned(),
        ),
        (
            file(&[a, &b.replacen("jobs,", "\"jo\nbs\",", 1)]),
            "copy.csv:3: batch: expected printable characters".to_owned(),
        ),
    ] {
        for receipts in [receipts.clone(), receipts.replace('\n', "\r\n")] {
            client.write("copy.csv", &receipts);
            let ended = client.says("ledger merge copy.csv").with(2).saying("nothing was merged");
            ended.saying("or merge the file without it").saying(&words);
        }
    }
    client.says("export --batch jobs --receipts after.csv --results r.csv").with(0);
    assert_eq!(client.read("after.csv"), whole, "nothing has changed");
    client.write("copy.csv", &whole.replace('\n', "\r\n"));
    client.says("ledger merge copy.csv").with(0).saying("0 payments were new");
}

/// A batch may be called by a file's name of any length.
#[test]
fn receipts_of_a_batch_with_a_long_name_are_merged() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let name = "n".repeat(140);
    client.write(&format!("{name}.csv"), "id,prompt\n1,paper kite 1\n");
    client.run(&RUN.replace("jobs", &name)).with(0);
    fs::remove_file(client.ledger()).unwrap();
    client.says(&format!("ledger merge {name}.receipts.csv")).with(0).saying("1 job and 1 payment were new");
}

/// Receipts under another name tell of no manifest, and none is named.
#[test]
fn a_batch_that_receipts_alone_tell_of_says_so() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(RUN).with(0);
    fs::remove_dir_all(client.ledger().parent().unwrap()).unwrap();
    fs::remove_file(client.path("jobs.results.csv")).unwrap();
    fs::rename(client.path("jobs.receipts.csv"), client.path("proofs.csv")).unwrap();
    client.says("ledger merge proofs.csv").with(0).saying("2 payments were new");
    let known = "the batch jobs is known from receipts, which do not say from what it was begun, and this is /";
    client.run(RUN).with(6).saying(known);
    client.run(&format!("{RUN} --dry-run")).with(6).saying(known);
    // One that was read from standard input is called that.
    let mut piped = client.buying(&RUN.replace("jobs.csv", "- --manifest-format csv --batch piped --duplicates buy"));
    piped.args(["--results", "r.csv", "--receipts", "p.csv"]);
    let script = r#"cat jobs.csv | "$0" "$@""#;
    let mut shell = crate::harness::under(&["sh", "-c", script], &piped);
    Process::start(&mut shell).end().with(0);
    client.run(&format!("{RUN} --batch piped")).with(6).saying("the batch piped was begun from standard input");
    assert_eq!(sandbox.books().settled().len(), 4);
}

/// Somebody who bought these jobs, and has their receipts alone: the ledger is kept as `gone.db`, the results as `gone.csv`.
fn left_with_receipts(sandbox: &Sandbox, count: usize) -> Client {
    let client = Client::of(sandbox);
    jobs(&client, count);
    client.run(RUN).with(0);
    fs::rename(client.ledger(), client.path("gone.db")).unwrap();
    fs::remove_dir_all(beside(&client, ".locks")).unwrap();
    fs::rename(client.path("jobs.results.csv"), client.path("gone.csv")).unwrap();
    client.says("ledger merge jobs.receipts.csv").with(0).saying("2 payments were new");
    client
}

#[test]
fn what_receipts_alone_tell_of_is_bought_in_no_other_manifest_until_it_is_known() {
    let sandbox = Sandbox::start("");
    let client = left_with_receipts(&sandbox, 2);
    client.write("july.csv", "id,prompt\na,paper kite 1\nb,paper kite 2\nc,a dog\n");
    let july = RUN.replace("jobs.csv", "july.csv");
    let catalog = client.node()[..2].join(" ");
    let unknown = "may be one of 2 jobs of the batch jobs that are known by their receipts alone";
    client.says(&format!("{} {catalog}", july.replace("run", "plan"))).with(6).saying(unknown);
    client.run(&format!("{july} --dry-run")).with(6).saying(unknown).saying("ledger merge FILE");
    for _ in 0..2 {
        client.run(&july).with(6).saying("3 jobs for 4,050 sats may be bought already").saying(unknown);
    }
    assert_eq!(sandbox.books().settled().len(), 2);
    assert_eq!(client.column("july.results.csv", "reason"), ["duplicate"; 3]);
    client.says("status --batch july").with(6).saying("may be bought already: one of 2 jobs");
    // A person's word buys one of them all the same, and no more than that.
    client.run(&format!("{july} --duplicates buy --only c")).with(6);
    assert_eq!(sandbox.books().settled().len(), 3);

    fs::copy(client.path("gone.csv"), client.path("jobs.results.csv")).unwrap();
    client.says("ledger merge jobs.receipts.csv").with(0).saying("0 payments were new, 2 payments stood otherwise");
    client.write("july.csv", "id,prompt\na,paper kite 1\nb,paper kite 2\nc,a dog\nd,a fox\n");
    client.run(&format!("{july} --dry-run")).with(6).saying("a is job 1 of the batch jobs");
    client.run(&july).with(6).saying("a is job 1 of the batch jobs");
    assert_eq!(sandbox.books().settled().len(), 4, "the fox is something new");
    client.asks_node("audit").with(0);
}

#[test]
fn of_a_batch_that_is_known_by_its_receipts_alone_is_said_what_is_known_and_what_to_do() {
    let sandbox = Sandbox::start("");
    let client = left_with_receipts(&sandbox, 2);
    let proves = "2 jobs bought, as receipts prove, and nothing proves that the manifest asks for the same";
    client.run(&format!("{RUN} --dry-run")).with(6).saying(proves).not_saying("changed in the manifest");
    let ended = client
        .run(RUN)
        .with(6)
        .saying(proves)
        .saying("2 delivered (")
        .saying("delivered       2 of 2 jobs")
        .saying("by receipt      2")
        .saying("ledger merge FILE");
    ended.not_saying("changed").not_saying("put the manifest back");
    assert_eq!(client.column("jobs.results.csv", "reason"), ["known_by_receipt"; 2]);
    client.run(&format!("{RUN} --retake-changed")).with(6);
    client.says("status --batch jobs --job 1").with(6).saying("--as keep --note WHY").saying("ledger merge FILE");
    for id in ["1", "2"] {
        client.says(&format!("resolve --batch jobs --job {id} --as keep --note seen")).with(0).saying("stays as it is");
        client.says(&format!("resolve --batch jobs --job {id} --as keep --note seen")).with(2);
    }
    for line in [RUN, &format!("{RUN} --retake-changed")] {
        client.run(line).with(0).saying("everything is delivered");
    }
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn the_ledger_itself_tells_what_receipts_do_not() {
    let sandbox = Sandbox::start("");
    let client = left_with_receipts(&sandbox, 2);
    client.write("july.csv", "id,prompt\na,paper kite 1\nc,a dog\n");
    let july = RUN.replace("jobs.csv", "july.csv");
    client.run(&july).with(6).saying("2 jobs for");
    assert_eq!(sandbox.books().settled().len(), 2);
    client.says("ledger merge gone.db").with(0);
    client.run(&july).with(6).saying("a is job 1 of the batch jobs");
    assert_eq!(sandbox.books().settled().len(), 3);
    client.run(RUN).with(0);
    assert_eq!(sandbox.books().settled().len(), 3);
}

#[test]
fn a_restored_ledger_is_refused_with_overwrite_too_and_learns_from_its_receipts() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    jobs(&client, 3);
    client.run(&format!("{RUN} --limit 1")).with(3);
    let yesterday = fs::read(client.ledger()).unwrap();
    client.run(&format!("{RUN} --limit 1")).with(3);
    fs::write(client.ledger(), yesterday).unwrap();
    client.run(&format!("{RUN} --overwrite")).with(7).saying("older copy");
    client.says("export --batch jobs --overwrite").with(7).saying("older copy");
    client.says("ledger merge jobs.receipts.csv").with(0);
    client.run(&format!("{RUN} --overwrite")).with(7).saying("of 2 payments begun");
    let mark = beside(&client, ".locks").join("newest").display().to_string();
    client.says(&format!("ledger merge --discard {mark}")).with(0);
    client.run(RUN).with(0);
    assert_eq!(sandbox.books().settled().len(), 3);
}

#[test]
fn a_merge_waits_for_no_run_and_what_is_still_to_come_says_so() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 2000");
    let client = Client::of(&sandbox);
    jobs(&client, 1);
    let running = client.start(RUN);
    sandbox.wait_for("a payment", |books| books.payments.len() == 1);
    fs::copy(client.ledger(), client.path("copy.db")).unwrap();
    client.says("ledger merge copy.db").with(11);
    running.end().with(0);
    client.says("ledger backup --to x").with(2).saying("not there yet");
    client.says(&format!("ledger merge {}", client.ledger().display())).with(2).saying("is the ledger");
}

/// Two desks, each with a manifest of its own of the same name: neither batch becomes the other.
#[test]
fn another_desk_s_batch_of_the_same_name_stands_under_a_name_of_its_own() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    jobs(&client, 2);
    client.run(RUN).with(0);
    client.write("theirs/jobs.csv", "id,prompt\n1,a boat\n2,paper kite 2\n");
    client.run(&RUN.replace("jobs.csv", "theirs/jobs.csv --ledger other.db")).with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
    for _ in 0..2 {
        client.says("ledger merge other.db").with(0).not_saying("by both ledgers").saying("merged other.db");
    }
    client.says("status --batch jobs-merged").with(0);
    client.run(RUN).with(0);
    assert_eq!(client.rows("jobs.results.csv").len(), 2);
    // Its manifest begins a batch of that desk's name no more, and what it bought is known.
    client.run(&RUN.replace("jobs.csv", "theirs/jobs.csv")).with(6);
    client.run(&RUN.replace("jobs.csv", "theirs/jobs.csv --batch mine --overwrite")).with(6);
    client.run(&RUN.replace("jobs.csv", "theirs/jobs.csv --batch jobs-merged --overwrite")).with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
}

/// Receipts and results of what was paid in earnest stand where play money writes its own: it is refused, by whatever word, so that an
/// older copy of the ledger is still known by them. Its own prove nothing.
#[test]
fn play_money_replaces_no_proof_and_is_none() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("x.sandbox.toml", &two_jobs(""));
    client.write("x.toml", &two_jobs(""));
    client.run("run x.sandbox.toml --limit 1").with(3);
    let state = client.ledger().parent().unwrap().display().to_string();
    let copy = |from: &str, to: &str| assert!(Command::new("cp").args(["-a", from, to]).status().unwrap().success());
    copy(&state, &client.path("backup").display().to_string());
    client.run("run x.sandbox.toml").with(0);
    let [results, proof] = ["results", "receipts"].map(|kind| client.read(&format!("x.sandbox.{kind}.csv")));
    let words = "that are not known to be of play money";
    let refuses = |line: &str, kind: &str| {
        let files = client.files();
        let file = format!("--{kind} {} holds {kind} {words}", client.path(&format!("x.sandbox.{kind}.csv")).display());
        for line in [format!("{line} --dry-run"), format!("{line} --overwrite"), line.to_owned()] {
            client.says(&line).with(2).saying(&file).not_saying("move");
        }
        assert_eq!(client.files(), files, "nothing is moved");
    };
    refuses("run x.toml --sandbox", "results");
    refuses("run x.toml --sandbox --results r.csv", "receipts");
    fs::rename(client.path("x.sandbox.receipts.csv"), client.path("proof.csv")).unwrap();
    refuses("run x.toml --sandbox", "results");
    fs::rename(client.path("proof.csv"), client.path("x.sandbox.receipts.csv")).unwrap();
    // Where it is told to write it writes, and replaces its own that stand in its place.
    for files in ["--results r.csv --receipts s.csv", "--results r.csv --receipts s.csv --overwrite"] {
        client.says(&format!("run x.toml --sandbox {files}")).with(0);
    }
    assert_eq!(client.read("x.sandbox.results.csv"), results);
    assert_eq!(client.read("x.sandbox.receipts.csv"), proof);
    // An older copy of the ledger, with all that stands beside it, and none at all.
    fs::remove_dir_all(&state).unwrap();
    copy(&client.path("backup").display().to_string(), &state);
    client.run("run x.sandbox.toml").with(7).saying("older copy");
    fs::remove_dir_all(&state).unwrap();
    client.run("run x.sandbox.toml").with(7).saying("ledger merge");
    client.says("ledger merge s.csv").with(2).saying("a receipt of play money (run --sandbox)");
    client.says("ledger merge x.sandbox.receipts.csv").with(0).saying("2 payments were new");
    client.run("run x.sandbox.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}
