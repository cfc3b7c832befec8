//! `docs/studio.md`, command by command, as it is printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::harness::{Client, Ended, Process, Sandbox, under};

const STORY: &str = include_str!("../../docs/studio.md");

/// Each command of the story, with the code that it ends with.
fn commands() -> impl Iterator<Item = (&'static str, i32)> {
    let printed = STORY.lines().filter_map(|line| line.strip_prefix("    l402-batch "));
    printed.map(|line| match line.split_once(" # ") {
        Some((command, remark)) => (command.trim_end(), remark.split_once(':').unwrap().0.parse().unwrap()),
        None => (line, 0),
    })
}

/// Somebody with the sheet, whose configuration file names the node and the catalogue.
fn studio(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    let sheet = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sheets/shots.libreoffice.xlsx");
    fs::copy(sheet, client.path("shots.xlsx")).unwrap();
    client.write("rates.csv", "time,EUR\n2026-11-01,94100\n");
    let node = client.node().chunks(2).map(|pair| {
        let key = pair[0].trim_start_matches("--").replace('-', "_");
        if key == "catalog" { format!("{key} = [{:?}]", pair[1]) } else { format!("{key} = {:?}", pair[1]) }
    });
    let pace = "requests_per_second = 1000\nmax_rate_age = \"365d\"\n".to_owned();
    client.write("../config/l402-batch/config.toml", &node.chain([pace]).collect::<Vec<_>>().join("\n"));
    client
}

/// A command of the story in a shell that has said what the story exports.
fn shell(client: &Client, line: &str) -> Ended {
    let exported = STORY.lines().filter_map(|line| line.strip_prefix("    export "));
    let exports: String = exported.map(|line| format!("export {line}; ")).collect();
    Process::start(&mut under(&["sh", "-c", &format!("{exports}l402-batch {line}"), "sh"], &client.program())).end()
}

/// The marks that a person saves of the contact sheet, for these jobs and that take.
fn marks<'i>(jobs: impl Iterator<Item = (&'i str, &'i str)>, take: u32) -> String {
    let rows: String = jobs.map(|(id, mark)| format!("shots,{id},{take},{mark},\n")).collect();
    format!("batch,id,take,mark,note\n{rows}")
}

fn picked(client: &Client) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![client.path("takes/picked")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => _ = found.insert(entry.file_name().into_string().unwrap()),
            }
        }
    }
    found
}

#[test]
fn from_the_sheet_to_the_cut_as_it_is_printed() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = studio(&sandbox);
    let ids: Vec<String> = (0..40).map(|number| format!("s{number:03}")).collect();
    let is_rejected = |number: usize| number % 10 > 6;
    let first = (0..40).map(|number| (ids[number].as_str(), if is_rejected(number) { "reject" } else { "pick" }));
    client.write("shots.marks.csv", &marks(first, 1));
    let second = (0..40).filter(|number| is_rejected(*number)).map(|number| (ids[number].as_str(), "pick"));
    client.write("shots.second.marks.csv", &marks(second, 2));
    let mut bought = Vec::new();
    for (line, code) in commands() {
        let ended = shell(&client, line);
        eprintln!("$ l402-batch {line}\n{ended}");
        ended.with(code);
        bought.push(sandbox.books().settled().len());
        if line.starts_with("takes read") {
            assert!(picked(&client).len() >= 28, "{:?}", picked(&client));
        }
    }
    assert_eq!(bought, [0, 0, 0, 0, 0, 2, 40, 40, 40, 52, 52, 52, 52, 52], "what each command bought");
    assert!(client.read("estimate.html").contains("EUR"));
    assert!(client.read("sheet/index.html").contains("s039"));
    let expected: BTreeSet<String> = ids.iter().map(|id| format!("{id}.mp4")).collect();
    assert_eq!(picked(&client), expected, "each shot under the name that it had from the first night on");
    assert!(client.read("june.journal").contains("SAT"));
}
