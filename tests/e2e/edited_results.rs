//! A results file that somebody has edited: `plan`, a dry run, `doctor` and a run read it alike, say the same and buy what was said;
//! and nothing of an edit outlives its file.

use std::thread;

use crate::foretold::{FLAGS, VIDEO, World, rows};
use crate::harness::every;

/// A results file: its columns, and its rows.
struct Sheet {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    fn of(text: &str) -> Self {
        let mut lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut lines = lines.records().map(|line| line.unwrap().iter().map(str::to_owned).collect());
        Self { columns: lines.next().unwrap(), rows: lines.collect() }
    }

    fn at(&self, column: &str) -> usize {
        self.columns.iter().position(|known| known == column).unwrap()
    }

    fn set(mut self, row: usize, column: &str, cell: &str) -> Self {
        let at = self.at(column);
        cell.clone_into(&mut self.rows[row][at]);
        self
    }

    fn column(mut self, name: &str, cells: [&str; 3]) -> Self {
        self.columns.push(name.to_owned());
        self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell.to_owned()));
        self
    }

    fn renamed(mut self, column: &str, name: &str) -> Self {
        let at = self.at(column);
        name.clone_into(&mut self.columns[at]);
        self
    }

    fn only(self, columns: &[&str]) -> Self {
        let kept: Vec<usize> = columns.iter().map(|column| self.at(column)).collect();
        let keep = |row: &[String]| kept.iter().map(|at| row[*at].clone()).collect::<Vec<_>>();
        Self { columns: keep(&self.columns), rows: self.rows.iter().map(|row| keep(row)).collect() }
    }

    fn twice(mut self, row: usize) -> Self {
        self.rows.push(self.rows[row].clone());
        self
    }

    fn without(mut self, row: usize) -> Self {
        self.rows.remove(row);
        self
    }

    fn text(&self) -> String {
        let mut text = csv::Writer::from_writer(Vec::new());
        [&self.columns].into_iter().chain(&self.rows).for_each(|row| text.write_record(row).unwrap());
        String::from_utf8(text.into_inner().unwrap()).unwrap()
    }
}

/// What is done to a file, with which flags it is then run, how that ends, what it buys, and what is said of it.
struct Case {
    what: &'static str,
    edit: fn(Sheet) -> Sheet,
    flags: &'static str,
    code: i32,
    videos: u64,
    words: &'static str,
}

const fn case(what: &'static str, edit: fn(Sheet) -> Sheet, code: i32, videos: u64, words: &'static str) -> Case {
    Case { what, edit, flags: "", code, videos, words }
}

/// Of the three rows the first is bought; the second and the third, on line 4 of the file, are not.
const CASES: &[Case] = &[
    case("nothing", |sheet| sheet, 0, 2, ""),
    Case {
        what: "a row that is not there",
        edit: |sheet| sheet.without(2),
        flags: "--only c",
        code: 2,
        videos: 0,
        words: "--only c: the file has no row of that id",
    },
    case(
        "no number",
        |sheet| sheet.set(2, "duration", "pro"),
        6,
        1,
        "c (line 4: duration is \"pro\", and \"3\" in the",
    ),
    case("a fraction", |sheet| sheet.set(2, "duration", "3.0"), 6, 1, "c (line 4: duration is \"3.0\", and \"3\" in"),
    case("too much", |sheet| sheet.set(2, "duration", "99"), 6, 1, "c (line 4: duration is \"99\", and \"3\" in the"),
    case(
        "another price",
        |sheet| sheet.set(2, "duration", "4"),
        6,
        1,
        "c (line 4: duration is \"4\", and \"3\" in the",
    ),
    case(
        "German",
        |sheet| sheet.set(2, "generate_audio", "WAHR"),
        6,
        1,
        "c (line 4: generate_audio is \"WAHR\", and \"f",
    ),
    case("LibreOffice", |sheet| sheet.set(2, "generate_audio", "FALSE"), 0, 2, ""),
    case("emptied", |sheet| sheet.set(2, "prompt", ""), 6, 1, "c (line 4: prompt is \"\", and \"dog"),
    case(
        "no endpoint",
        |sheet| sheet.set(2, "endpoint", "gvx"),
        6,
        1,
        "c (line 4: endpoint is \"gvx\", and \"generate-",
    ),
    case(
        "an older take",
        |sheet| sheet.set(2, "take", "2"),
        6,
        1,
        "c (line 4: take is \"2\", and \"1\" in the ledger)",
    ),
    case(
        "no take",
        |sheet| sheet.set(2, "take", "1.0"),
        6,
        1,
        "c (line 4: take is \"1.0\", and nothing in the ledger)",
    ),
    case(
        "a limit",
        |sheet| sheet.column("max_sats", ["", "", "1"]),
        6,
        1,
        "c (line 4: max_sats is \"1\", and has to be empty",
    ),
    case(
        "a word",
        |sheet| sheet.column("skip", ["", "", "yes"]),
        6,
        1,
        "c (line 4: skip is \"yes\", and has to be empty",
    ),
    case(
        "bought and edited",
        |sheet| sheet.set(0, "prompt", "an elk"),
        6,
        2,
        "a (line 2: prompt is \"an elk\", and \"kite",
    ),
    case(
        "notes",
        |sheet| sheet.column("Notes", ["nice", "", "so so"]),
        0,
        2,
        "nor its results' own, and ignored: \"notes\"",
    ),
    case("no notes yet", |sheet| sheet.column("notes", ["", "", ""]), 0, 2, ""),
    case("notes passed through", |sheet| sheet.column("x_notes", ["nice", "", ""]), 0, 2, ""),
    case("renamed", |sheet| sheet.renamed("duration", "Dauer"), 0, 2, "ignored: \"dauer\""),
    case("an id and whose", |sheet| sheet.only(&["l402_ledger", "id", "l402_batch"]), 0, 2, ""),
    case("filtered", |sheet| sheet.without(1), 3, 1, ""),
    case("sorted", |sheet| Sheet { rows: sheet.rows.into_iter().rev().collect(), ..sheet }, 0, 2, ""),
    case("twice", |sheet| sheet.twice(2), 0, 2, "1 row for jobs that stand in the file already"),
    case(
        "twice, and edited",
        |sheet| sheet.twice(2).set(3, "prompt", "an elk"),
        6,
        1,
        "c (line 5: prompt is \"an elk\"",
    ),
    case(
        "edited, and twice",
        |sheet| sheet.twice(2).set(2, "prompt", "an elk"),
        6,
        1,
        "c (line 4: prompt is \"an elk\"",
    ),
    case("a new job", |sheet| sheet.twice(2).set(3, "id", "d"), 2, 0, "line 5: the batch "),
    case("no id", |sheet| sheet.set(2, "id", ""), 2, 0, "names no job"),
    case("no ids", |sheet| sheet.only(&["prompt", "l402_ledger", "l402_batch"]), 2, 0, "names no job"),
    case("of two batches", |sheet| sheet.set(2, "l402_batch", "other"), 2, 0, "rows of more than one batch"),
    Case {
        flags: "--column Dauer=duration",
        ..case("renamed, and said", |sheet| sheet.renamed("duration", "Dauer"), 0, 2, "")
    },
    Case { flags: "--column Seconds=duration", ..case("as its manifest", |sheet| sheet, 0, 2, "") },
    Case {
        flags: "--column notes=x_notes",
        ..case("notes, and said", |sheet| sheet.column("notes", ["nice", "", ""]), 0, 2, "")
    },
    Case {
        flags: "--default mode=pro",
        ..case("a default", |sheet| sheet.set(1, "mode", ""), 6, 1, "b (line 3: mode is \"\"")
    },
    Case {
        flags: "--trust 127.0.0.1:1",
        ..case("a stranger", |sheet| sheet, 2, 0, "this manifest buys nothing there")
    },
    Case {
        flags: "--download-name {nothing} --download v",
        ..case("a name", |sheet| sheet, 2, 0, "no job has a {nothing}")
    },
];

#[test]
fn every_edit_is_read_alike_by_all() {
    let cases: Vec<&Case> = CASES.iter().step_by(every(6)).collect();
    thread::scope(|scope| {
        for cases in cases.chunks(cases.len().div_ceil(4)) {
            scope.spawn(|| are_read_alike(cases));
        }
    });
}

fn are_read_alike(cases: &[&Case]) {
    let world = World::with("");
    for (number, case) in cases.iter().enumerate() {
        let stem = format!("m{number}");
        let prompts = ["kite", "boat", "dog"].map(|what| format!("{what} {number}"));
        world
            .client
            .write(&format!("{stem}.csv"), &rows(&[("a", &prompts[0]), ("b", &prompts[1]), ("c", &prompts[2])]));
        world.client.run(&format!("run {stem}.csv {FLAGS} --limit 1")).with(3);
        let edited = (case.edit)(Sheet::of(&world.client.read(&format!("{stem}.results.csv")))).text();
        world.client.write("edited.csv", &edited);
        tried(&world, case, number);
        // Nothing of that is left: the file as it was written buys what is left, and all is well.
        let whole = world.client.run(&format!("run {stem}.results.csv")).with(0);
        whole.not_saying("changed");
        assert_eq!(world.client.column(&format!("{stem}.results.csv"), "state"), ["delivered"; 3], "{}", case.what);
        assert_eq!(world.client.column(&format!("{stem}.results.csv"), "reason"), [""; 3], "{}", case.what);
        world.client.run(&format!("run {stem}.csv {FLAGS}")).with(0);
    }
    assert_eq!(world.paid(), VIDEO * 3 * cases.len() as u64);
}

fn tried(world: &World, case: &Case, number: usize) {
    let Case { what, flags, code, videos, words, .. } = case;
    let line = format!("edited.csv {flags}");
    let is_of_run = ["--trust", "--download", "--only"].iter().any(|flag| flags.starts_with(flag));
    let before = world.paid();
    let plan = if flags.starts_with("--trust") { None } else { Some(world.plan_of(&line)) };
    let doctor = (!is_of_run).then(|| world.client.asks(&format!("doctor {line} --no-ask")));
    let dry = world.client.run(&format!("run {line} --dry-run"));
    let said = [plan, doctor, Some(dry)];
    for ended in said.into_iter().flatten() {
        let ended = ended.with(*code).saying(words);
        if words.is_empty() {
            ended.not_saying("ignored").not_saying("left alone");
        }
    }
    assert_eq!(world.paid(), before, "{what}, {number}");
    match code {
        2 => drop(world.client.run(&format!("run {line}")).with(2).saying(words)),
        _ => world.all_say(&line, *code, VIDEO * videos),
    }
    assert_eq!(world.paid() - before, VIDEO * videos, "{what}, {number}");
}

/// A row that is cut off, and one with a quote that does not close: with its place, and nothing is bought.
#[test]
fn a_torn_file_is_refused_by_all() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.client.run(&format!("run june.csv {FLAGS} --limit 1")).with(3);
    let whole = world.client.read("june.results.csv");
    let cut = whole.rfind("a dog").unwrap();
    for (text, words) in [
        (whole[..cut].to_owned(), "edited.csv:4:"),
        (whole.trim_end().rsplit_once(',').unwrap().0.to_owned(), "edited.csv:4:"),
        (whole.replace(",a boat,", ",\"a boat\" or so,"), "edited.csv:3:"),
        (whole.replace(",a dog,", ",\"a dog,"), "edited.csv:4:"),
        (whole.replace(",a dog,", ",a dog, or a cat,"), "edited.csv:4:"),
    ] {
        world.client.write("edited.csv", &text);
        world.plan_of("edited.csv").with(2).saying(words);
        world.client.asks("doctor edited.csv --no-ask").with(2).saying(words);
        world.client.run("run edited.csv --dry-run").with(2).saying(words);
        world.client.run("run edited.csv").with(2).saying(words);
        assert_eq!(world.paid(), VIDEO);
    }
    let of_other: Vec<String> = world.client.column("june.results.csv", "l402_ledger");
    world.client.write("edited.csv", &whole.trim_end().replacen(&of_other[2], &of_other[2][1..], 1));
    world.plan_of("edited.csv").with(2).saying("edited.csv:2:").saying("not the id of a ledger");
    world.client.run("run edited.csv").with(2).saying("not the id of a ledger");
    // The same tear in a file of one row, which is then no other ledger's.
    let (head, last) = (whole.lines().next().unwrap(), whole.lines().last().unwrap());
    world.client.write("edited.csv", &format!("{head}\n{}", &last[..last.len() - 4]));
    world.plan_of("edited.csv").with(2).saying("edited.csv:2:").saying("not the id of a ledger");
    world.client.run("run edited.csv --dry-run").with(2).saying("not the id of a ledger");
    world.client.run("run edited.csv").with(2).saying("not the id of a ledger");
    world.all_say("june.results.csv", 0, 2 * VIDEO);
}

/// The ledger is forgotten: what stands beside the file tells that another one bought of its batch.
#[test]
fn results_of_another_ledger_are_not_bought_beside_its_receipts() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    world.client.run(&format!("run june.csv {FLAGS} --limit 1 --ledger own.db")).with(3);
    let before = world.paid();
    world.plan_of("june.results.csv").with(7).saying("june.receipts.csv");
    world.client.asks("doctor june.results.csv --no-ask").with(7).saying("june.receipts.csv");
    world.client.run("run june.results.csv --dry-run").with(7).saying("june.receipts.csv");
    world.client.run("run june.results.csv").with(7).saying("june.receipts.csv").saying("--ledger");
    assert_eq!(world.paid(), before);
    world.all_say("june.results.csv --ledger own.db", 0, VIDEO);
}

/// Results of play money: nothing in them is bought, and nothing of them is bought for real.
#[test]
fn results_of_play_money_are_no_manifest_of_real_purchases() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    world.client.says(&format!("run june.csv {FLAGS} --sandbox --limit 1")).with(3);
    let played = world.client.read("june.sandbox.results.csv");
    assert_eq!(world.client.column("june.sandbox.results.csv", "l402_ledger"), ["sandbox"; 2]);
    world.client.write("renamed.csv", &played);
    // As it was written before: known by its name.
    world.client.write("old.sandbox.results.csv", &played.replace(",sandbox", &format!(",{}", "0a".repeat(16))));
    let words = "these are results of play money";
    for file in ["june.sandbox.results.csv", "renamed.csv", "old.sandbox.results.csv"] {
        world.plan_of(file).with(2).saying(words);
        world.client.asks(&format!("doctor {file} --no-ask")).with(2).saying(words);
        world.client.run(&format!("run {file} --dry-run")).with(2).saying(words);
        world.client.run(&format!("run {file}")).with(2).saying(words).saying("run the manifest");
    }
    assert_eq!(world.paid(), 0);
    // With play money all begins anew, and the manifest buys for real.
    world.client.says("run renamed.csv --sandbox").with(0).saying("delivered       2 of 2 jobs");
    world.all_say(&format!("june.csv {FLAGS}"), 0, 2 * VIDEO);
}

/// The columns that somebody looks at, under a ledger that knows nothing of them: what says that it is bought is left out.
#[test]
fn a_state_alone_says_what_is_bought() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    world.client.run(&format!("run june.csv {FLAGS} --limit 1")).with(3);
    let sheet = Sheet::of(&world.client.read("june.results.csv"));
    world.client.write("few/few.csv", &sheet.only(&["id", "state", "endpoint", "prompt", "duration"]).text());
    world.all_say(&format!("few/few.csv {FLAGS} --ledger few/few.db"), 6, VIDEO);
}

/// Why an earlier run did not buy a row says nothing of the next one, whether that chooses it or not.
#[test]
fn a_limit_of_an_earlier_run_is_no_word_of_the_next() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.client.run(&format!("run june.csv {FLAGS} --max-sats-per-day 100")).with(8);
    let whole = world.client.read("june.results.csv");
    world.client.write("all.csv", &whole);
    world.all_say("all.csv --limit 1", 3, VIDEO);
    world.client.run(&format!("run june.csv {FLAGS} --max-sats-per-day 100")).with(8);
    let of_b: Vec<&str> =
        whole.lines().enumerate().filter(|(at, _)| [0, 2].contains(at)).map(|(_, line)| line).collect();
    world.client.write("one.csv", &format!("{}\n", of_b.join("\n")));
    world.all_say("one.csv", 3, VIDEO);
    world.all_say(&format!("june.csv {FLAGS}"), 0, VIDEO);
}

/// The results of a manifest with an endpoint of its own, which no catalogue knows.
#[test]
fn an_endpoint_of_the_manifests_own_is_known_to_its_results() {
    let world = World::with("");
    let catalog = std::fs::read_to_string(world.sandbox.file("catalog.toml")).unwrap();
    let url = catalog.lines().find(|line| line.starts_with("url") && line.contains("generate-video")).unwrap();
    let job = |id: &str| format!("[[job]]\nid = \"{id}\"\nendpoint = \"gvx\"\nprompt = \"kite {id}\"\nduration = 3\n");
    let endpoint = format!(
        "version = 1\n[endpoint.gvx]\n{url}\nmethod = \"POST\"\nsource = \"the same\"\nas_of = \"2026-11-20\"\n\
         params.prompt = {{ type = \"text\", required = true }}\n\
         params.duration = {{ type = \"integer\", min = 3, max = 15, default = 5 }}\n\
         params.mode = {{ type = \"choice\", values = [\"standard\", \"pro\"], default = \"standard\" }}\n\
         price = {{ sats_per_unit = 300, quantity = \"duration\", unit = \"second\" }}\nresult.url = [\"/videoUrl\"]\n"
    );
    world.client.write("own.toml", &format!("{endpoint}{}{}", job("a"), job("b")));
    world.client.run("run own.toml --limit 1").with(3);
    world.client.asks("doctor own.results.csv --no-ask").with(0).saying("1 to buy for 900 sats");
    world.all_say("own.results.csv", 0, VIDEO);
}
