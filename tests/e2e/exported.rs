//! What `export` never replaces: with receipts goes the knowledge of what was bought already, and a person's tables are no one else's.

use std::fs;

use crate::harness::{Client, Sandbox};

const FLAGS: &str = "--default endpoint=generate-video --default duration=3";

/// A batch of that name, bought.
fn bought(client: &Client, name: &str) {
    client.write(&format!("{name}.csv"), &format!("id,prompt,x_note\n1,a {name},=1\n"));
    client.run(&format!("run {name}.csv {FLAGS}")).with(0);
}

#[test]
fn a_run_writes_csv_and_refuses_names_of_workbooks() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("june.csv", "id,prompt\n1,a kite\n");
    for file in ["--receipts g.xlsx", "--results g.XLSX", "--results g.ods", "--receipts g.xlsm"] {
        let refused = client.run(&format!("run june.csv {FLAGS} {file}")).with(2);
        refused.saying("a run writes a CSV").saying("ends in .csv");
        client.run(&format!("run june.csv {FLAGS} {file} --overwrite --dry-run")).with(2);
    }
    assert!(sandbox.books().settled().is_empty());
    client.run(&format!("run june.csv {FLAGS}")).with(0);
    for (line, words) in [
        ("--results r.ods", "read, and never written"),
        ("--books b.xlsm", "read, and never written"),
        ("--books b.xlsx --template hledger", "a template makes a text"),
    ] {
        client.says(&format!("export june.csv {line} --overwrite")).with(2).saying(words);
    }
    assert!(
        client.files().iter().all(|name| !name.contains("g.") && !name.starts_with("r.") && !name.starts_with("b."))
    );
}

/// Whoever puts yesterday's ledger back buys nothing again, whatever was exported in between.
#[test]
fn receipts_guard_against_an_older_ledger_after_every_export() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    bought(&client, "may");
    client.write("june.csv", "id,prompt\n1,a kite\n2,a boat\n");
    client.run(&format!("run june.csv {FLAGS} --limit 1")).with(3);
    let yesterday = fs::read(client.ledger()).unwrap();
    client.run(&format!("run june.csv {FLAGS}")).with(0);
    let receipts = client.read("june.receipts.csv");
    fs::copy(client.path("june.receipts.csv"), client.path("elsewhere.csv")).unwrap();
    fs::hard_link(client.path("june.receipts.csv"), client.path("link.xlsx")).unwrap();
    for batch in ["june.csv", "may.csv"] {
        for line in [
            "--books june.receipts.csv",
            "--books elsewhere.csv",
            "--books june.results.csv",
            "--books june.receipts.csv --template hledger",
            "--results link.xlsx",
            "--receipts link.xlsx",
            "--results june.receipts.csv --receipts other.csv",
        ] {
            client.says(&format!("export {batch} {line} --overwrite")).with(2).saying("give another path");
        }
    }
    assert_eq!((client.read("june.receipts.csv"), client.read("elsewhere.csv")), (receipts.clone(), receipts));
    client.says("export june.csv").with(0);
    client.says("export june.csv --receipts s.xlsx --results r.xlsx").with(0);
    fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    fs::write(client.ledger(), yesterday).unwrap();
    let before = sandbox.books().settled().len();
    client.run(&format!("run june.csv {FLAGS}")).with(7).saying("june.receipts.csv hold the payment");
    assert_eq!(sandbox.books().settled().len(), before);
    // Neither are a stranger's receipts, of a ledger that is not here.
    let stranger = Client::of(&sandbox);
    bought(&stranger, "may");
    fs::copy(client.path("elsewhere.csv"), stranger.path("mine.csv")).unwrap();
    stranger.says("export may.csv --books mine.csv --overwrite").with(2).saying("holds receipts");
    assert_eq!(stranger.read("mine.csv"), client.read("elsewhere.csv"));
}

#[test]
fn a_workbook_replaces_its_like_of_its_own_batch_alone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    bought(&client, "june");
    bought(&client, "july");
    let export = "export june.csv --results r.xlsx --receipts s.xlsx --books b.xlsx";
    client.says(export).with(0);
    let read = |name: &str| fs::read(client.path(name)).unwrap();
    let before = ["r.xlsx", "s.xlsx", "b.xlsx"].map(read);
    // The same again needs no word, and makes the same bytes.
    client.says(export).with(0);
    assert_eq!(["r.xlsx", "s.xlsx", "b.xlsx"].map(read), before);
    for line in [
        "july.csv --results r.xlsx --receipts t.xlsx",
        "july.csv --books b.xlsx",
        "june.csv --results s.xlsx --receipts t.xlsx",
        "june.csv --books r.xlsx",
    ] {
        client.says(&format!("export {line} --overwrite")).with(2).saying("is another workbook: l402-batch");
    }
    // Another ledger's batch of the same name is another one.
    let stranger = Client::of(&sandbox);
    bought(&stranger, "june");
    fs::write(stranger.path("s.xlsx"), &before[1]).unwrap();
    stranger.says("export june.csv --receipts s.xlsx --overwrite").with(2).saying("receipts of \"june\" in ");
    assert_eq!(
        (["r.xlsx", "s.xlsx", "b.xlsx"].map(read), fs::read(stranger.path("s.xlsx")).unwrap()),
        (before.clone(), before[1].clone())
    );
    // What we did not write is replaced by a person's word.
    client.write("mine.xlsx", "not ours");
    client.says("export june.csv --results mine.xlsx").with(2).saying("did not write");
    client.says("export june.csv --results mine.xlsx --overwrite").with(0);
    assert_eq!(read("mine.xlsx"), before[0]);
}

#[test]
fn books_are_written_beside_results_and_receipts_in_their_own_places() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    bought(&client, "june");
    for line in [
        "--results j.xlsx --books b.csv",
        "--results june.results.csv --receipts june.receipts.csv --books b.csv --overwrite",
        "--receipts s.csv --books b.xlsx",
    ] {
        client.says(&format!("export june.csv {line}")).with(0).saying("books").saying("receipts");
    }
    assert_eq!(client.rows("june.receipts.csv"), client.rows("s.csv"));
    client.says("export june.csv --results b.csv --books b.csv --overwrite").with(2).saying("the same file");
    // The manifest as it is typed is one, whatever the batch was begun from.
    fs::copy(client.path("june.csv"), client.path("typed.csv")).unwrap();
    let typed = client.read("typed.csv");
    for line in ["--books typed.csv", "--results typed.csv", "--receipts typed.csv"] {
        let refused = client.says(&format!("export typed.csv --batch june {line} --overwrite")).with(2);
        refused.saying("is the manifest");
    }
    assert_eq!(client.read("typed.csv"), typed);
    // Results that are named as a manifest are still replaced as the batch's own.
    client.says("export june.results.csv").with(0);
}

#[test]
fn what_no_workbook_holds_keeps_every_file_as_it_is() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("long.csv", &format!("id,prompt,x_note\n1,a kite,{}\n", "y".repeat(33_000)));
    client.run(&format!("run long.csv {FLAGS}")).with(0);
    let refused = client.says("export long.csv --receipts s.csv --results r.xlsx --books b.csv").with(2);
    refused
        .saying("--results r.xlsx: ")
        .saying("32,767 characters")
        .saying("nothing was written")
        .not_saying("make room");
    assert!(["r.xlsx", "s.csv", "b.csv"].iter().all(|name| !client.path(name).exists()));
    client.says("export long.csv --receipts s.csv --results r.csv").with(0);
}

/// The sheet of a manifest is a person's own work as the manifest is.
#[test]
fn the_rows_of_a_manifest_are_never_replaced() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", "id,prompt\n1,a kite\n");
    client
        .write("june.toml", "[defaults]\nendpoint = \"generate-video\"\nduration = 3\n[rows]\nfile = \"shots.csv\"\n");
    client.run("run june.toml").with(0);
    for line in ["--results shots.csv", "--books shots.csv", "--receipts ./shots.csv"] {
        let refused = client.says(&format!("export june.toml {line} --overwrite")).with(2);
        refused.saying("is the manifest's rows");
    }
    client.run("run june.results.csv --results shots.csv --overwrite").with(2).saying("is the manifest's rows");
    assert_eq!(client.read("shots.csv"), "id,prompt\n1,a kite\n");
}
