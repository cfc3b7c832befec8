//! What others keep accounts with: workbooks whose cells have types, a row for every take, and books that accounting programs read.

use std::collections::HashMap;
use std::process::Command;

use calamine::{Data, Reader as _};
use serde_json::Value;

use crate::harness::{Client, Sandbox, two_jobs};

const MADE_BY: &str = "--default endpoint=generate-video --default duration=3";

/// A sheet's rows, each cell by its column.
fn sheet(client: &Client, file: &str) -> Vec<HashMap<String, Data>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(client.path(file)).unwrap();
    let name = book.sheet_names().remove(0);
    let range = book.worksheet_range(&name).unwrap();
    let mut rows = range.rows();
    let names: Vec<String> = rows.next().unwrap().iter().map(ToString::to_string).collect();
    rows.map(|row| names.iter().cloned().zip(row.iter().cloned()).collect()).collect()
}

/// Three jobs of which two are bought; ids and words are what a spreadsheet would take for something else.
fn two_of_three(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.csv", "id,prompt,x_scene\n010,'=1+1,=2\n011,a boat,-7\n012,'+49 a dog,\"x\ny\"\n");
    client.run(&format!("run jobs.csv {MADE_BY} --limit 2 --jobs-in-flight 1")).with(3);
    client
}

#[test]
fn results_as_a_workbook_have_types_and_are_a_manifest_again() {
    let sandbox = Sandbox::start("");
    let client = two_of_three(&sandbox);
    let export = "export jobs.csv --results r.xlsx --receipts s.xlsx";
    client.says(export).with(0).saying("r.xlsx");
    let (cells, texts) = (sheet(&client, "r.xlsx"), client.rows("jobs.results.csv"));
    assert_eq!(cells.len(), texts.len());
    for (row, text) in cells.iter().zip(&texts) {
        assert_eq!(row.len(), text.len());
        for (column, cell) in row {
            // Nothing in a workbook's text is a formula, so that nothing has to keep it from being one.
            let expected = text[column].strip_prefix('\'').unwrap_or(&text[column]);
            assert_eq!(cell.to_string(), expected, "{column}");
        }
        let typed = [&row["id"], &row["x_scene"], &row["price_msat"], &row["take"], &row["generate_audio"]];
        assert!(
            matches!(typed, [Data::String(_), Data::String(_), Data::Float(_), Data::Float(_), Data::Bool(false)]),
            "{row:?}"
        );
    }
    assert!(sheet(&client, "s.xlsx").iter().all(|row| matches!(row["amount_msat"], Data::Float(_))));
    let of = |manifest: &str| -> Value {
        serde_json::from_str(&client.says(&format!("plan {manifest} --json")).with(0).stdout).unwrap()
    };
    let (book, text) = (of("r.xlsx"), of("jobs.results.csv"));
    assert_eq!((&book["fingerprint"], &book["job_count"]), (&text["fingerprint"], &Value::from(3)));
    client.run("run r.xlsx").with(0);
    client.run("run r.xlsx").with(0);
    assert_eq!(sandbox.books().settled().len(), 3, "what was left is bought, once");
}

#[test]
fn every_take_has_a_row_for_ever() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs("first"));
    client.run("run jobs.toml").with(0);
    client.write("jobs.toml", &two_jobs("second"));
    client.run("run jobs.toml --retake video").with(6);
    let rows = |file: &str| -> Vec<(String, String, bool)> {
        let told =
            |row: HashMap<String, String>| (row["id"].clone(), row["take"].clone(), row["prompt"].contains("first"));
        client.rows(file).into_iter().map(told).collect()
    };
    let row = |id: &str, take: &str, is_first| (id.to_owned(), take.to_owned(), is_first);
    client.says("export jobs.toml --takes all --results all.csv --receipts s.csv").with(0);
    assert_eq!(rows("all.csv"), [row("video", "1", true), row("video", "2", false), row("image", "1", true)]);
    client.says("export jobs.toml --takes latest --results r.csv --receipts t.csv").with(0);
    assert_eq!(rows("r.csv"), [row("video", "2", false), row("image", "1", true)]);
    assert_eq!(client.read("r.csv"), client.read("jobs.results.csv"));
    // As a manifest it buys nothing for a take that another has replaced, and says so.
    client.run("run all.csv").with(6).saying("left alone: video (line 2: take is \"1\", and \"2\" in the ledger)");
    assert_eq!(sandbox.books().settled().len(), 3);
}

/// Rates of an hour ago, in a file.
fn rates(client: &Client) {
    let at = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(1)).unwrap();
    client.write("rates.csv", &format!("time,EUR\n{at},95000.50\n"));
}

#[test]
fn books_are_movements_with_what_they_were_worth() {
    let sandbox = Sandbox::start("");
    let client = two_of_three(&sandbox);
    rates(&client);
    client.says("export jobs.csv --books b.csv --rate-file rates.csv").with(0).saying("b.csv").not_saying("results");
    let (books, receipts) = (client.rows("b.csv"), client.rows("jobs.receipts.csv"));
    let sum = |kind: &str| -> u64 {
        books.iter().filter(|row| row["kind"] == kind).map(|row| row["amount_msat"].parse::<u64>().unwrap()).sum()
    };
    let of = |column: &str| -> u64 { receipts.iter().map(|row| row[column].parse::<u64>().unwrap()).sum() };
    assert_eq!((sum("payment"), sum("fee")), (of("amount_msat"), of("fee_msat")));
    for row in &books {
        // 95000.50 EUR of 100,000,000,000 msat.
        let exact = rust_decimal::Decimal::from(row["amount_msat"].parse::<u64>().unwrap())
            * rust_decimal::Decimal::new(9_500_050, 13);
        assert_eq!(row["fiat"], exact.normalize().to_string());
        assert_eq!((&*row["currency"], &*row["rate"], &*row["network"]), ("EUR", "95000.50", "regtest"));
        assert!(row.values().all(|cell| receipts.iter().all(|receipt| *cell != receipt["preimage"])), "{row:?}");
    }
    client.says("export jobs.csv --books b.xlsx --rate-file rates.csv").with(0);
    assert!(sheet(&client, "b.xlsx").iter().all(|row| matches!(row["amount_msat"], Data::Float(_))));
    assert_eq!(client.says("export jobs.csv --books - --rate-file rates.csv").with(0).stdout, client.read("b.csv"));
    client.says("export jobs.csv --receipts s.csv --results r.csv --rate-file rates.csv").with(0);
    let figures = client.column("s.csv", "total_fiat");
    assert!(figures.iter().all(|figure| !figure.is_empty()), "{figures:?}");
    // No figure is guessed, and nobody has to look for what is missing.
    client.write("later.csv", "time,EUR\n2100-01-01,95000\n");
    let lacking = client.says("export jobs.csv --books - --rate-file later.csv").with(0);
    assert!(lacking.stderr.contains("has no rate of") && lacking.stderr.contains("rows have no amounts"), "{lacking}");
    assert!(!lacking.stdout.contains("EUR"), "{lacking}");
    // The payment tells which line is missing: it was not made now.
    let paid_at = client.column("jobs.receipts.csv", "paid_at").remove(0).replace('T', " ");
    lacking.saying(&format!("add a line of {} UTC", &paid_at[.."2026-11-30 12:00".len()]));
}

#[test]
fn books_replace_nothing_that_somebody_may_need() {
    let sandbox = Sandbox::start("");
    let client = two_of_three(&sandbox);
    client.write("mine.csv.j2", "{% for s in settlements %}{{ s.id }},{{ s.sats }}\n{% endfor %}");
    let before = client.read("mine.csv.j2");
    for (file, words) in [
        ("jobs.csv", "the manifest"),
        ("jobs.results.csv", "results"),
        ("jobs.receipts.csv", "receipts"),
        ("mine.csv.j2", "the template"),
    ] {
        client
            .says(&format!("export jobs.csv --books {file} --template mine.csv.j2 --overwrite"))
            .with(2)
            .saying(words);
    }
    assert_eq!(client.read("mine.csv.j2"), before);
    client.says("export jobs.csv --books b.csv --template mine.csv.j2").with(0);
    assert_eq!(client.read("b.csv"), "010,1350\n011,1350\n");
    client.says("export jobs.csv --books b.csv --template mine.csv.j2").with(2).saying("already holds something");
    client.says("export jobs.csv --books b.csv").with(2).not_saying("what is bought already");
    client.says("export jobs.csv --books b.csv --results - ").with(2).saying("`-` prints one of the files");
    client.says("export jobs.csv --books c.csv --template hleger").with(2).saying("hledger, beancount");
    client.says("export jobs.csv --template hledger").with(2).saying("--books");
    client.write("wrong.csv.j2", "id\n{{ settlements[0].preimage }}\n");
    let wrong = client.says("export jobs.csv --books c.csv --template wrong.csv.j2").with(2);
    assert!(wrong.stderr.contains("wrong.csv.j2:2: ") && wrong.stderr.contains("docs/books.md"), "{wrong}");
    assert!(!client.path("c.csv").exists());
}

/// Jobs that are called as nobody calls them, with a refund among them.
fn hostile(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    let ids = ["a; b", "x  1 EUR", "\\\"q\\\" | (c)", "date:2020-01-01", "#tag ^link", "=1+1", "größe/1"];
    let jobs = ids.iter().enumerate().map(|(n, id)| {
        format!("[[job]]\nid = \"{id}\"\nendpoint = \"generate-video\"\nprompt = \"kite {n}\"\nduration = 3\n")
    });
    client.write("jobs.toml", &format!("version = 1\nname = \"june; {{x}}\"\n{}", jobs.collect::<String>()));
    client.run("run jobs.toml --wait-doubt 1s");
    rates(&client);
    client
}

/// The program's answer; none where it is not installed, which is said.
fn asked(client: &Client, program: &str, words: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(program).args(words).current_dir(client.path("")).output() else {
        eprintln!("SKIPPED: {program} is not installed");
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program}: {}{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout))
}

/// Sats that left, by our own receipts: paid and not come back.
fn spent(client: &Client) -> rust_decimal::Decimal {
    let msat = |row: &HashMap<String, String>| -> i64 {
        let sign = if row["kind"] == "refund" { -1 } else { 1 };
        sign * row["total_msat"].parse::<i64>().unwrap()
    };
    rust_decimal::Decimal::new(client.rows("jobs.receipts.csv").iter().map(msat).sum(), 3).normalize()
}

#[test]
fn hledger_takes_the_books_as_they_are() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 30 --sandbox-seed 3");
    let client = hostile(&sandbox);
    for (file, rate) in [("plain.journal", ""), ("worth.journal", "--rate-file rates.csv")] {
        client.says(&format!("export jobs.toml --books {file} --template hledger {rate}")).with(0);
        let Some(_) = asked(&client, "hledger", &["-f", file, "check", "--strict"]) else { return };
        let balance = ["-f", file, "balance", "assets:lightning", "--no-total", "--layout=bare", "-O", "csv"];
        let balance = asked(&client, "hledger", &balance).unwrap();
        let sats =
            balance.lines().find(|line| line.contains("\"SAT\"")).unwrap().rsplit('"').nth(1).unwrap().to_owned();
        assert_eq!(sats.parse::<rust_decimal::Decimal>().unwrap().normalize(), -spent(&client), "{balance}");
        let register = ["-f", file, "register", "assets:lightning", "-O", "csv"];
        let rows = asked(&client, "hledger", &register).unwrap().lines().count() - 1;
        assert_eq!(rows, client.rows("jobs.receipts.csv").len(), "no name makes a transaction");
        assert!(!asked(&client, "hledger", &["-f", file, "register"]).unwrap().contains("2020-01-01"));
    }
}

#[test]
fn beancount_takes_the_books_as_they_are() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 30 --sandbox-seed 3");
    let client = hostile(&sandbox);
    client.write("july.csv", "id,prompt\n1,a boat\n");
    client.run(&format!("run july.csv {MADE_BY}"));
    for (file, rate) in [("plain.beancount", ""), ("worth.beancount", "--rate-file rates.csv")] {
        client.says(&format!("export jobs.toml --books {file} --template beancount {rate}")).with(0);
        // A main file as the books say that it is: the accounts are opened once, for all of them.
        let books = client.read(file);
        let opened = books.lines().filter_map(|line| line.strip_prefix("; ").filter(|line| line.contains(" open ")));
        let main = format!("{}\ninclude \"{file}\"\n", opened.collect::<Vec<_>>().join("\n"));
        client.write("main.beancount", &main);
        client.says(&format!("export july.csv --books july.{file} --template beancount {rate}")).with(0);
        client.write("all.beancount", &format!("{main}include \"july.{file}\"\n"));
        let Some(_) = asked(&client, "bean-check", &["all.beancount"]) else { return };
        let read = "import sys; from beancount import loader; from beancount.core import data, realization, inventory
entries, errors, _ = loader.load_file(sys.argv[1]); assert not errors, errors
paid = [e for e in entries if isinstance(e, data.Transaction)]
print(len(paid)); print(sum(p.units.number for e in paid for p in e.postings if p.account == 'Assets:Lightning'))
print('\\n'.join(sorted({e.meta['job'] for e in paid})))";
        if !Command::new("python3").args(["-c", "import beancount"]).output().is_ok_and(|it| it.status.success()) {
            eprintln!("SKIPPED: no python3 here has beancount");
            return;
        }
        let python = asked(&client, "python3", &["-c", read, "main.beancount"]).unwrap();
        let mut lines = python.lines();
        let receipts = client.rows("jobs.receipts.csv");
        assert_eq!(lines.next().unwrap(), receipts.len().to_string());
        assert_eq!(lines.next().unwrap().parse::<rust_decimal::Decimal>().unwrap().normalize(), -spent(&client));
        let mut ids: Vec<&str> =
            receipts.iter().map(|row| row["id"].strip_prefix('\'').unwrap_or(&row["id"])).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(lines.collect::<Vec<_>>(), ids, "names are as they are");
    }
}
