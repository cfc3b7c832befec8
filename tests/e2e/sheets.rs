//! Sheets as they are: workbooks, tables of other countries, and the manifest that `init` makes of one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::harness::{Client, Sandbox};

fn sheets(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sheets").join(name)
}

/// A client with copies of these files.
fn client(sandbox: &Sandbox, names: &[&str]) -> Client {
    let client = Client::of(sandbox);
    for name in names {
        fs::copy(sheets(name), client.path(name)).unwrap();
    }
    client
}

#[test]
fn one_plan_of_the_same_shots_whoever_wrote_them() {
    let sandbox = Sandbox::start("");
    let names = [
        "shots.en.csv",
        "shots.libreoffice.csv",
        "shots.libreoffice.xlsx",
        "shots.libreoffice.ods",
        "shots.openpyxl.xlsx",
        "shots.odfpy.ods",
        "shots.de.toml",
        "shots.fr.toml",
        "shots.xlsxwriter.toml",
    ];
    let client = client(&sandbox, &names);
    for name in ["catalog.toml", "shots.de.csv", "shots.fr.csv", "shots.xlsxwriter.xlsx"] {
        fs::copy(sheets(name), client.path(name)).unwrap();
    }
    let fingerprint = |name: &str| {
        let ended = client.says(&format!("plan {name} --catalog catalog.toml --default endpoint=clip --json")).with(0);
        let plan: Json = serde_json::from_str(&ended.stdout).unwrap();
        (plan["fingerprint"].clone(), plan["job_count"].clone())
    };
    let first = fingerprint("shots.en.csv");
    assert_eq!(first.1, 40);
    for name in names {
        assert_eq!(fingerprint(name), first, "{name}");
    }
}

const BUY: &str = "--default endpoint=generate-video --column Strength=x_strength";

#[test]
fn a_workbook_is_bought_gone_on_with_and_found_again() {
    let sandbox = Sandbox::start("");
    let client = client(&sandbox, &["shots.openpyxl.xlsx"]);
    fs::rename(client.path("shots.openpyxl.xlsx"), client.path("shots.xlsx")).unwrap();
    client.run(&format!("run shots.xlsx {BUY} --limit 2")).with(3).saying("batch shots (new)");
    client.run(&format!("run shots.xlsx {BUY} --only s002"));
    assert_eq!(sandbox.books().settled().len(), 3);
    client.says("status shots.xlsx").saying("delivered");
    let results = client.read("shots.results.csv");
    assert!(results.starts_with('\u{feff}'), "a spreadsheet opens it");
    assert_eq!(client.column("shots.results.csv", "line")[..3], ["2", "3", "4"]);
    assert_eq!(client.column("shots.results.csv", "x_strength")[..3], ["0", "0.5", "0.25"]);
    client.says(&format!("plan shots.xlsx {BUY} --sheet Lists")).with(2).saying("shots.xlsx: Lists!A1");
    client.run(&format!("run shots.xlsx {BUY} --only s001"));
    assert_eq!(sandbox.books().settled().len(), 3, "nobody pays twice");
}

#[test]
fn a_workbook_comes_through_a_pipe_and_into_a_saved_plan() {
    let sandbox = Sandbox::start("");
    let client = client(&sandbox, &["quirks.xlsx"]);
    let what = "--default endpoint=generate-video --column strength=x_strength --sheet texts";
    client.says(&format!("plan quirks.xlsx {what} --batch july --out july.plan")).with(0);
    client.says("run july.plan --sheet texts").with(2).saying("takes no --sheet");
    assert!(client.read("july.plan").contains("\"sheet\":\"texts\""));
    let line = format!("run - --manifest-format xlsx --batch june {what}");
    client.shell("cat quirks.xlsx | \"$@\"", &line).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn a_sheet_of_which_nothing_is_known_becomes_a_manifest() {
    let sandbox = Sandbox::start("");
    let client = client(&sandbox, &["shots.de.csv"]);
    client
        .says("plan shots.de.csv --default endpoint=generate-video --header-row 1")
        .with(2)
        .saying("init shots.de.csv --header-row 1");
    let looked = client.says("init shots.de.csv").with(2).saying("shots.de.toml is written");
    looked.saying("mode: expected \"standard\" or \"pro\", got \"\"");
    let manifest = client.read("shots.de.toml");
    assert!(manifest.contains("locale = \"de\"") && manifest.contains("units = \"strip\""), "{manifest}");
    client.says("init shots.de.csv").with(2).saying("is there already");
    client.says("init shots.de.csv --out ./shots.de.csv --overwrite").with(2).saying("is the table itself");
    client.write(
        "shots.de.toml",
        &manifest.replace("Hoch = \"\"", "Hoch = \"pro\"").replace("Normal = \"\"", "Normal = \"standard\""),
    );
    client.says("plan shots.de.toml").with(0).saying("40 jobs");
    client.run("run shots.de.toml --limit 1").with(3);
    assert_eq!(sandbox.books().settled().len(), 1);
    client.says("init shots.de.results.csv").with(2).saying("holds results");
    // Where nothing is left to a person, three rows are shown as they would be bought.
    client.write("plain.csv", "Nr;Text;Sekunden;Kunde\na;a fox;10 s;ACME\nb;an owl;5 s;ACME\nc;a cat;5;\nd;a dog;5;\n");
    let shown = client.says("init plain.csv").with(0).saying("plan plain.toml");
    assert!(
        shown.stdout.contains("prompt=a fox duration=10") && shown.stdout.contains("and 1 job more"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("price 11,250 sats, worst case 11,3"), "{}", shown.stdout);
    client.says("plan plain.toml").with(0).saying("4 jobs");
}
