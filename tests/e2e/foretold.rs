//! What `plan` and `run --dry-run` say is what a run then pays, to the millisatoshi, and it ends as they do.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Client, Ended, Process, Sandbox};

pub const FLAGS: &str = "--default endpoint=generate-video --default duration=3 --default mode=standard";
/// A video of three seconds in that mode, in millisatoshi.
pub const VIDEO: u64 = 900_000;

/// A manifest with an id and a prompt a row.
pub fn rows(rows: &[(&str, &str)]) -> String {
    rows.iter().fold("id,prompt\n".to_owned(), |text, (id, prompt)| format!("{text}{id},{prompt}\n"))
}

/// The variable that says what the flag does.
pub fn variable(flag: &str) -> String {
    format!("L402_BATCH_{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase())
}

/// The command with the line's words and the limit of the runs here; those flags are told by variables.
fn told(mut command: Command, line: &str, by_variable: &[&str]) -> Ended {
    if !line.contains("--max-sats ") {
        command.args(["--max-sats", "100000"]);
    }
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        match by_variable.contains(&word) {
            true if word == "--resume" => command.env(variable(word), "1"),
            true => command.env(variable(word), words.next().unwrap()),
            false => command.arg(word),
        };
    }
    Process::start(&mut command).end()
}

pub struct World {
    pub sandbox: Sandbox,
    pub client: Client,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    pub fn with(flags: &str) -> Self {
        let sandbox = Sandbox::start(flags);
        let client = Client::of(&sandbox);
        Self { sandbox, client }
    }

    /// `plan`, as the runs here are run: with their catalogue and their limit.
    pub fn plan_of(&self, line: &str) -> Ended {
        const OF_RUN: [&str; 5] = ["--resume", "--results", "--receipts", "--deadline", "--max-undelivered"];
        let mut command = self.client.program();
        command.arg("plan").args(&self.client.node()[..2]);
        told(command, line, &OF_RUN)
    }

    pub fn plan(&self, line: &str) -> Ended {
        self.plan_of(&format!("{line} --json"))
    }

    pub fn run(&self, line: &str) -> Ended {
        self.client.run(&format!("run {line} --json"))
    }

    /// What the node has paid so far, without fees.
    pub fn paid(&self) -> u64 {
        self.sandbox.books().settled().values().map(|payment| payment.amount_msat).sum()
    }

    /// `doctor`, told by variables what a run is told by flags; none where a person's word is said, which has no variable.
    pub fn doctor_of(&self, line: &str) -> Option<Ended> {
        const WORDS: [&str; 5] = ["--retake", "--trust", "--adopt", "--overwrite", "--duplicates buy"];
        const OF_RUN: [&str; 11] = [
            "--resume",
            "--only",
            "--where",
            "--limit",
            "--duplicates",
            "--download",
            "--download-name",
            "--results",
            "--receipts",
            "--deadline",
            "--max-undelivered",
        ];
        if WORDS.iter().any(|flag| line.contains(flag)) {
            return None;
        }
        let mut command = self.client.program();
        command.arg("doctor").args(self.client.node()).arg("--no-ask");
        Some(told(command, line, &OF_RUN))
    }

    /// Doctor ends so too.
    #[track_caller]
    fn examined(&self, line: &str, code: i32) {
        let Some(ended) = self.doctor_of(line) else { return };
        match code {
            0 => ended.with(code).not_saying("problem"),
            _ => ended.with(code).not_saying("all good").not_saying("ready to run"),
        };
    }

    /// A plan, a dry run, doctor and a run end so, and the run pays that: of all that is to be bought a limit may hold a part alone.
    #[track_caller]
    pub fn ends(&self, line: &str, code: i32, msat: u64) {
        let before = self.paid();
        self.plan(line).with(code);
        self.run(&format!("{line} --dry-run")).with(code);
        self.examined(line, code);
        assert_eq!(self.paid(), before, "a dry run pays nothing");
        self.run(line).with(code);
        assert_eq!(self.paid() - before, msat, "{line}");
    }

    /// What `plan` says that running it would buy, in millisatoshi.
    fn planned(&self, line: &str, code: i32) -> u64 {
        let said = self.plan(line).with(code).stdout;
        let plan: Value = serde_json::from_str(&said).unwrap();
        let left = &plan["left_to_buy"]["total_msat"];
        left.as_u64().or(plan["total_msat"].as_u64()).unwrap()
    }

    /// What the run says that it sets out to buy.
    fn said(&self, line: &str, code: i32) -> u64 {
        let events = self.client.run(&format!("run {line} --json")).with(code).stdout;
        let event = |kind: &str| -> Value {
            let mut events = events.lines().map(|line| serde_json::from_str(line).unwrap());
            events.find(|event: &Value| event["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {events:?}"))
        };
        assert_eq!(event("run_ended")["exit_code"], code);
        event("planned")["to_buy_msat"].as_u64().unwrap()
    }

    /// A plan, a dry run and a run of these manifests and flags: all say the same, and that is paid. Doctor ends as they do.
    #[track_caller]
    pub fn all_say(&self, line: &str, code: i32, msat: u64) {
        let before = self.paid();
        assert_eq!(self.planned(line, code), msat, "plan {line}");
        assert_eq!(self.said(&format!("{line} --dry-run"), code), msat, "{line} --dry-run");
        self.examined(line, code);
        assert_eq!(self.paid(), before, "a dry run pays nothing");
        assert_eq!(self.said(line, code), msat, "{line}");
        assert_eq!(self.paid() - before, msat, "what is said is paid: {line}");
    }
}

#[test]
fn copies_and_grown_manifests_cost_what_was_said() {
    let world = World::new();
    let client = &world.client;
    client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    world.all_say(&format!("june.csv {FLAGS}"), 0, 2 * VIDEO);
    world.all_say(&format!("june.csv {FLAGS}"), 0, 0);
    client.write("copy.csv", &rows(&[("x", "a kite"), ("y", "a boat")]));
    world.all_say(&format!("copy.csv {FLAGS}"), 6, 0);
    world.all_say(&format!("copy.csv {FLAGS}"), 6, 0);
    client.write("july.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.all_say(&format!("july.csv {FLAGS}"), 6, VIDEO);
    // Ids of one's own in the place of made ones, and a row that is put on top of numbered ones.
    client.write("june.csv", &rows(&[("1", "a kite"), ("2", "a boat"), ("3", "a tree")]));
    world.all_say(&format!("june.csv {FLAGS}"), 6, VIDEO);
    client.write("june.csv", &rows(&[("1", "a tree"), ("2", "a kite"), ("3", "a boat"), ("4", "a tree")]));
    world.all_say(&format!("june.csv {FLAGS}"), 6, 0);
    // Identical rows of one manifest are all meant.
    client.write("twins.csv", "prompt\na fox\na fox\n");
    world.all_say(&format!("twins.csv {FLAGS} --limit 1"), 3, VIDEO);
    world.all_say(&format!("twins.csv {FLAGS}"), 0, VIDEO);
}

#[test]
fn the_word_for_duplicates_costs_what_was_said() {
    let world = World::new();
    let client = &world.client;
    client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.all_say(&format!("june.csv {FLAGS}"), 0, 3 * VIDEO);
    client.write("copy.csv", &rows(&[("x", "a kite"), ("y", "a boat"), ("z", "a dog")]));
    let buy = format!("copy.csv {FLAGS} --duplicates buy");
    world.all_say(&format!("{buy} --only y"), 6, VIDEO);
    world.all_say(&format!("copy.csv {FLAGS}"), 6, 0);
    world.all_say(&format!("{buy} --limit 1"), 6, VIDEO);
    world.all_say(&buy, 0, VIDEO);
    world.all_say(&format!("copy.csv {FLAGS}"), 0, 0);
    // As the manifest says it, within editions and over them.
    let manifest = |head: &str| {
        format!(
            "version = 1\n{head}\n[[job]]\nendpoint = \"generate-video\"\nprompt = \"a fox\"\nduration = 3\nmode = \"standard\"\n"
        )
    };
    for (name, head, code, msat) in [
        ("one", "edition = \"monday\"", 0, VIDEO),
        ("two", "edition = \"monday\"", 6, 0),
        ("three", "edition = \"{date}\"", 0, VIDEO),
        ("four", "edition = \"{date}\"", 6, 0),
        ("five", "", 6, 0),
        ("six", "duplicates = \"skip\"", 6, 0),
        ("seven", "duplicates = \"buy\"", 0, VIDEO),
    ] {
        client.write(&format!("{name}.toml"), &manifest(head));
        world.all_say(&format!("{name}.toml"), code, msat);
    }
    // What was set aside on one day is no other purchase on the next.
    client.write("two.toml", &manifest("edition = \"tuesday\""));
    world.all_say("two.toml", 6, 0);
}

#[test]
fn words_for_more_takes_cost_what_was_said() {
    let world = World::new();
    let client = &world.client;
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    let line = format!("shots.csv {FLAGS}");
    world.all_say(&line, 0, 2 * VIDEO);
    world.all_say(&format!("{line} --retake a"), 0, VIDEO);
    world.all_say(&format!("{line} --retake a@2,b"), 0, 2 * VIDEO);
    client.write("shots.csv", &rows(&[("a", "a fox"), ("b", "a boat")]));
    world.all_say(&format!("{line} --retake-changed"), 0, VIDEO);
    // Swapped, each is what the other one is: duplicates, unless a person means them.
    client.write("shots.csv", &rows(&[("a", "a boat"), ("b", "a fox")]));
    world.all_say(&format!("{line} --retake-changed --duplicates buy --limit 1"), 6, VIDEO);
}

#[test]
fn results_that_are_run_cost_what_was_said() {
    let world = World::new();
    let client = &world.client;
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog"), ("d", "a tree")]));
    world.all_say(&format!("shots.csv {FLAGS} --limit 1"), 3, VIDEO);
    let results = client.read("shots.results.csv");
    let kept = |ids: &[&str]| -> String {
        let of = |(at, line): &(usize, &str)| *at == 0 || ids.iter().any(|id| line.starts_with(&format!("{id},")));
        results.lines().enumerate().filter(of).map(|(_, line)| format!("{line}\n")).collect()
    };
    client.write("edited.csv", &kept(&["a", "b", "c"]).replace("a boat", "a ship"));
    assert_eq!(world.planned("edited.csv", 6), VIDEO);
    world.all_say("edited.csv", 6, VIDEO);
    client.write("rest.csv", &kept(&["a", "d"]));
    assert_eq!(world.planned("rest.csv", 3), VIDEO, "what the file leaves out is no business of its plan");
    world.all_say("rest.csv", 3, VIDEO);
    // With another ledger the rows that say that they are bought are left out.
    client.write("sent/whole.csv", &client.read("shots.results.csv"));
    assert_eq!(world.planned("sent/whole.csv --ledger other.db", 6), VIDEO);
    world.all_say("sent/whole.csv --ledger other.db", 6, VIDEO);
    // What was delivered and edited is said in the same words, and counted, before it is run.
    client.write("bought.csv", &kept(&["a", "b"]).replace("a kite", "a cat"));
    let words = "1 row is changed against what the ledger holds, and left alone: a";
    let catalog = client.node()[..2].join(" ");
    let plan = client.says(&format!("plan bought.csv {catalog} --json")).with(6).saying(words);
    assert_eq!(serde_json::from_str::<Value>(&plan.stdout).unwrap()["changed_count"], 1, "{plan}");
    client.run("run bought.csv --dry-run -q").with(6).saying(words);
    let dry = client.run("run bought.csv --dry-run --json").with(6);
    assert!(dry.stdout.contains(words), "{dry}");
    let foretold = dry.stdout.lines().find(|line| line.contains("\"planned\"")).unwrap();
    let foretold: Value = serde_json::from_str(foretold).unwrap();
    assert_eq!((&foretold["changed_count"], &foretold["job_count"]), (&1.into(), &4.into()), "{foretold}");
    let run = client.run("run bought.csv --json").with(6);
    assert!(run.stdout.contains(words), "{run}");
    let said: Value =
        serde_json::from_str(run.stdout.lines().find(|line| line.contains("\"planned\"")).unwrap()).unwrap();
    for what in ["changed_count", "job_count", "to_buy_count", "delivered_count"] {
        assert_eq!(foretold[what], said[what], "{what}");
    }
}

#[test]
fn a_default_that_has_changed_costs_what_was_said() {
    let world = World::new();
    let client = &world.client;
    client.write(
        "more.toml",
        "[endpoint.generate-video.params]\nprompt = { type = \"text\", required = true }\n\
         modelId = { type = \"integer-or-text\", default = 7 }\n\
         duration = { type = \"integer\", min = 3, max = 15, default = 5 }\n\
         mode = { type = \"choice\", values = [\"standard\", \"pro\"], default = \"pro\" }\n\
         generate_audio = { type = \"boolean\", default = false }\n",
    );
    client.write("mon.csv", "prompt\na kite\na boat\n");
    world.all_say(&format!("mon.csv {FLAGS}"), 0, 2 * VIDEO);
    let more = format!("--catalog more.toml {FLAGS}");
    client.write("tue.csv", "prompt\na kite\na boat\na dog\n");
    world.all_say(&format!("tue.csv {more}"), 6, VIDEO);
    client.write("mon.csv", "prompt\na tree\na kite\na boat\n");
    world.all_say(&format!("mon.csv {more}"), 6, VIDEO);
    world.all_say(&format!("mon.csv {more} --retake-changed"), 0, 2 * VIDEO);
    world.all_say(&format!("mon.csv {more}"), 0, 0);
}

#[test]
fn what_is_left_out_is_a_line_of_its_own() {
    let world = World::new();
    let client = &world.client;
    client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    client.run(&format!("run june.csv {FLAGS}")).with(0);
    client.write("july.csv", &rows(&[("x", "a kite"), ("y", "a boat"), ("z", "a dog")]));
    let catalog = world.client.node()[..2].join(" ");
    let plan = format!("plan july.csv {FLAGS} {catalog}");
    let said = client.says(&plan).with(6);
    let line = |label: &str| said.stdout.lines().find(|line| line.starts_with(label)).unwrap_or_default().to_owned();
    let left_out = line("duplicates, left out");
    assert!(
        left_out.contains("1,800 sats") && left_out.contains("2 jobs: x is job a of the batch june, "),
        "{left_out}"
    );
    assert!(line("left to buy").contains("900 sats"), "{said}");
    let json: Value = serde_json::from_str(&client.says(&format!("{plan} --json")).with(6).stdout).unwrap();
    assert_eq!((&json["duplicates"]["job_count"], &json["duplicates"]["total_sats"]), (&2.into(), &1_800.into()));
    assert_eq!(
        (&json["duplicates"]["first"][1]["id"], &json["duplicates"]["are_bought"]),
        (&"y".into(), &false.into())
    );
    client.says(&format!("{plan} --max-sats 100")).with(6).saying("max_sats of 100 sats does not hold");
    let dry = client.run(&format!("run july.csv {FLAGS} --dry-run")).with(6);
    dry.saying("2 jobs for 1,800 sats are bought already under another name").saying("x is job a of the batch june");
    let doctor = client.asks(&format!("doctor july.csv {FLAGS} --no-ask"));
    doctor.saying("1 to buy for 900 sats");
}

#[test]
fn a_plan_takes_what_a_run_takes_also_before_there_is_a_ledger() {
    let world = World::new();
    let client = &world.client;
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    let line = format!("shots.csv {FLAGS}");
    assert_eq!(world.planned(&format!("{line} --only b"), 3), VIDEO);
    assert_eq!(world.planned(&format!("{line} --limit 1 --duplicates buy"), 3), VIDEO);
    assert_eq!(world.planned(&line, 0), 2 * VIDEO);
    client.says(&format!("plan {line} --only c")).with(2).saying("no job of that id");
    world.all_say(&line, 0, 2 * VIDEO);
    world.all_say(&format!("{line} --retake a"), 0, VIDEO);
    let catalog = client.node()[..2].join(" ");
    let used = client.says(&format!("plan {line} {catalog} --retake a")).with(6);
    used.saying("the word for one more take is a@2");
    client.says(&format!("plan shots.results.csv {catalog} --retake a@2")).with(2).saying("carries no word");
    client.run(&format!("run shots.results.csv {FLAGS} --retake a@2 --dry-run")).with(2).saying("carries no word");
}

/// Under limits that let only a part be bought, plan, dry run and run say the same, end the same, and that is bought.
#[test]
fn what_fits_is_said_and_bought() {
    // Five videos of 900 sats, each with a fee ceiling of 10 sats, and that fee: what comes back lets nothing more through.
    for (flags, before, fits, code) in [
        ("--max-sats 2000 --partial", 0, 2, 8),
        ("--max-sats 1 --partial", 0, 0, 8),
        ("--max-sats 4550 --partial", 0, 5, 0),
        ("--max-sats 5000 --max-sats-per-day 2729 --time-zone UTC", 0, 2, 8),
        ("--max-sats 5000 --max-sats-per-day 2730 --time-zone UTC", 0, 3, 8),
        ("--max-sats 5000 --max-sats-per-day 2730 --time-zone UTC", 2, 1, 8),
        ("--max-sats 5000 --max-sats-per-month 4499", 0, 4, 8),
        ("--max-sats 2000 --partial --max-sats-per-day 1000 --time-zone UTC", 0, 1, 8),
        ("--max-sats 2000", 0, 0, 8),
    ] {
        let world = World { sandbox: Sandbox::start("--sandbox-fee-msat 10000"), ..World::new() };
        let client = Client::of(&world.sandbox);
        let world = World { client, ..world };
        let all = [("a", "a kite"), ("b", "a boat"), ("c", "a dog"), ("d", "a tree"), ("e", "a fox")];
        world.client.write("june.csv", &rows(&all));
        if before > 0 {
            world.client.run(&format!("run june.csv {FLAGS} --limit {before}")).with(3);
        }
        let words = (code == 8 && flags != "--max-sats 2000").then(|| match fits {
            0 => "leaves 1 sat: not even the first of 5 jobs fits, and all stay pending".to_owned(),
            1 => format!("of {} jobs, 1 fits for sure", 5 - before),
            _ => format!("of {} jobs, {fits} fit for sure", 5 - before),
        });
        let says = |ended: Ended| match &words {
            Some(words) => drop(ended.saying(words)),
            None => drop(ended.not_saying(" for sure")),
        };
        let catalog = world.client.node()[..2].join(" ");
        says(world.client.says(&format!("plan june.csv {FLAGS} {flags} {catalog}")).with(code));
        let json = world.client.says(&format!("plan june.csv {FLAGS} {flags} {catalog} --json")).with(code).stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        let expected = if words.is_some() { Value::from(fits) } else { Value::Null };
        assert_eq!(json["fits"]["job_count"], expected, "{flags}");
        let paid = world.paid();
        says(world.client.run(&format!("run june.csv {FLAGS} {flags} --dry-run")).with(code));
        assert_eq!(world.paid(), paid, "{flags}");
        says(world.client.run(&format!("run june.csv {FLAGS} {flags}")).with(code));
        assert_eq!(world.paid() - paid, VIDEO * fits, "{flags}");
    }
}

/// A run with nothing to buy needs neither node nor limit, and its dry run says so; one that is refused ends as its dry run does.
#[test]
fn a_refusal_is_foretold() {
    let mut world = World::new();
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    let line = format!("run june.csv {FLAGS}");
    world.client.run(&line).with(0);
    // What is left out weighs more than the limit that holds the rest back.
    world.client.write("july.csv", &rows(&[("x", "a kite"), ("y", "a dog")]));
    let july = format!("run july.csv {FLAGS} --max-sats 1");
    world.client.run(&format!("{july} --dry-run")).with(6).saying("max_sats of 1 sat does");
    world.client.run(&july).with(6).saying("max_sats of 1 sat does");
    let events = world.client.run(&format!("{july} --dry-run --json")).with(6).stdout;
    assert!(events.lines().last().unwrap().contains("\"exit_code\":6"), "{events}");
    for line in [&format!("{line} --max-sats 1"), &line] {
        world.client.run(&format!("{line} --dry-run")).with(0).saying("there is nothing to buy");
        world.client.run(line).with(0);
        world.sandbox.stop();
    }
}

/// Results that went elsewhere once: the files of the usual name are still this batch's, and no further batch takes them.
#[test]
fn the_usual_files_stay_a_batchs_own_while_its_results_go_elsewhere() {
    let world = World::new();
    let client = &world.client;
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    let line = format!("run shots.csv {FLAGS}");
    client.run(&format!("{line} --limit 1")).with(3);
    std::fs::create_dir(client.path("out")).unwrap();
    client.run(&format!("{line} --results out/r.csv --receipts out/p.csv")).with(0);
    let third = format!("{line} --batch three --duplicates buy");
    client.run(&format!("{third} --dry-run")).with(0);
    client.run(&third).with(0);
    assert_eq!(client.column("shots.three.results.csv", "state").len(), 2);
    client.run(&format!("{line} --dry-run")).with(0);
    client.run(&line).with(0);
    assert_eq!(client.column("shots.results.csv", "state"), ["delivered"; 2]);
    // A row of somebody else's there is not this batch's to replace.
    client.run(&format!("{line} --results out/s.csv --receipts out/q.csv")).with(0);
    let ledger = client.column("shots.results.csv", "l402_ledger").remove(0);
    client.write("shots.results.csv", &client.read("shots.results.csv").replace(&ledger, &"0".repeat(ledger.len())));
    client.run(&line).with(2).saying("did not write");
}
