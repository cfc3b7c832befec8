//! `repeat`: each planned take is a purchase of its own, whatever becomes of the others.

use std::collections::HashSet;

use crate::foretold::World;
use crate::harness::{Client, Sandbox};

/// A video of three seconds in the standard mode, in millisatoshi.
const VIDEO: u64 = 900_000;

/// One job in so many takes; `endpoint` says more of what it is bought from.
fn manifest(takes: u32, endpoint: &str) -> String {
    format!(
        "version = 1\n[endpoint.generate-video]\n{endpoint}\n[defaults]\nendpoint = \"generate-video\"\nduration = 3\nmode = \"standard\"\n\
         [[job]]\nid = \"opening\"\nprompt = \"a kite\"\nrepeat = {takes}\n"
    )
}

/// The model stands for a seed: the sandbox takes any number for it.
const NONCE: &str = "nonce = \"modelId\"\nparams.modelId = { type = \"integer\", min = 0, max = 99999 }\ndedup_window_s = 36000\nbypass_header = \"\"";

fn takes(client: &Client) -> Vec<(String, String, String)> {
    let rows = client.rows("june.results.csv");
    rows.iter().map(|row| (row["id"].clone(), row["take"].clone(), row["state"].clone())).collect()
}

fn delivered(ids: &[(&str, &str)]) -> Vec<(String, String, String)> {
    ids.iter().map(|(id, take)| ((*id).to_owned(), (*take).to_owned(), "delivered".to_owned())).collect()
}

/// How many different requests and videos were paid for.
fn sold(sandbox: &Sandbox) -> (usize, usize, usize) {
    let books = sandbox.books();
    let paid: Vec<_> = books.sales.iter().filter(|sale| sale.paid).collect();
    let requests: HashSet<_> = paid.iter().map(|sale| &sale.body_sha256).collect();
    let videos: HashSet<_> = paid.iter().filter_map(|sale| sale.video.as_deref()).collect();
    (paid.len(), requests.len(), videos.len())
}

#[test]
fn takes_are_planned_bought_raised_lowered_and_bought_once_more() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.toml", &manifest(3, ""));
    let plan = client.says("plan june.toml").with(0);
    assert!(plan.stderr.starts_with("note: repeat of job \"opening\": 3 takes\n"), "{}", plan.stderr);
    plan.saying("each goes out once the one before has its answer");
    world.all_say("june.toml", 0, 3 * VIDEO);
    let three = [("opening", "1"), ("opening.t2", "1"), ("opening.t3", "1")];
    assert_eq!(takes(client), delivered(&three));
    assert_eq!(sold(&world.sandbox), (3, 1, 3), "each take is a video of its own");
    world.all_say("june.toml", 0, 0);
    // Two more; then fewer, which costs nothing and touches nothing.
    client.write("june.toml", &manifest(5, ""));
    world.all_say("june.toml", 0, 2 * VIDEO);
    client.write("june.toml", &manifest(2, ""));
    world.all_say("june.toml", 0, 0);
    assert_eq!(takes(client).len(), 5);
    client.write("june.toml", &manifest(5, ""));
    world.all_say("june.toml", 0, 0);
    // A word is about the take that it names.
    world.all_say("june.toml --retake opening.t2", 0, VIDEO);
    assert_eq!(takes(client)[..3], delivered(&[("opening", "1"), ("opening.t2", "2"), ("opening.t3", "1")]));
    world.all_say("june.toml --retake opening.t2", 6, 0);
    client.run("run june.toml --retake opening@3").with(2).saying("is the job opening.t3");
    world.all_say("june.toml --retake opening", 0, VIDEO);
    assert_eq!(client.rows("june.receipts.csv").len(), 7);
    // The same takes under another name are bought already.
    client.write("july.toml", &manifest(3, ""));
    world.all_say("july.toml", 6, 0);
}

#[test]
fn a_nonce_tells_takes_apart_and_is_no_part_of_what_is_bought() {
    let world = World::with("--sandbox-dedup-s 36000");
    let client = &world.client;
    client.write("june.toml", &manifest(3, NONCE));
    world.all_say("june.toml", 0, 3 * VIDEO);
    assert_eq!(sold(&world.sandbox), (3, 3, 3));
    assert_eq!(client.column("june.results.csv", "modelId"), ["", "61803", "23606"]);
    world.all_say("june.toml --retake opening,opening.t3", 0, 2 * VIDEO);
    assert_eq!(sold(&world.sandbox), (5, 5, 5));
    assert_eq!(client.column("june.results.csv", "modelId"), ["55392", "61803", "78998"]);
    // By another name: the same shot, whatever the number.
    client.write("july.toml", &manifest(5, NONCE).replace("opening", "other"));
    world.all_say("july.toml", 6, 0);
    // What results show is what was sent: as a manifest they choose what they show, and nothing else.
    client.run("run june.results.csv").with(0);
    client
        .run("run june.results.csv --default repeat=3")
        .with(2)
        .saying("a results file chooses among jobs that are there");
    assert_eq!(sold(&world.sandbox).0, 5);
}

/// Where a row changes, its own number is sent first; and what only another number tells from it is bought already.
#[test]
fn what_a_take_sends_follows_from_what_it_is_a_take_of() {
    let world = World::with("--sandbox-dedup-s 36000");
    let client = &world.client;
    let seeded = |seed: u32, takes: u32| format!("{}modelId = {seed}\n", manifest(takes, NONCE));
    client.write("june.toml", &seeded(5, 2));
    world.all_say("june.toml", 0, 2 * VIDEO);
    assert_eq!(client.column("june.results.csv", "modelId"), ["5", "61808"]);
    client.write("june.toml", &seeded(7, 2));
    world.all_say("june.toml --retake-changed", 0, 2 * VIDEO);
    assert_eq!(client.column("june.results.csv", "modelId"), ["7", "61810"]);
    assert_eq!(sold(&world.sandbox), (4, 4, 4));
    // Another batch asks by itself for what the second take has sent.
    client.write("july.toml", &seeded(61_810, 1).replace("opening", "other"));
    world.all_say("july.toml", 6, 0);
    // Rows with seeds of their own meet none of each other's takes.
    client.write("rows.csv", "id,prompt,modelId\na,a boat,1\nb,a boat,2\nc,a boat,3\n");
    let head = manifest(2, NONCE);
    let head = head.split("[[job]]").next().unwrap();
    client.write("rows.toml", &format!("{head}repeat = 2\n[rows]\nfile = \"rows.csv\"\n"));
    world.all_say("rows.toml", 0, 6 * VIDEO);
    assert_eq!(sold(&world.sandbox), (10, 10, 10));
}

/// What a plan and a dry run print of takes that meet what others send is what a run then does.
#[test]
fn what_takes_send_by_accident_is_said_before_it_is_bought() {
    let world = World::with("--sandbox-dedup-s 36000");
    let client = &world.client;
    let without = NONCE.replace("nonce = \"modelId\"\n", "");
    // Another batch has bought what the second take will send: its endpoint told no takes apart so far.
    client.write(
        "july.toml",
        &manifest(1, &without).replace("opening", "other").replace("repeat", "modelId = 61803\nrepeat"),
    );
    world.all_say("july.toml", 0, VIDEO);
    client.write("june.toml", &manifest(2, NONCE));
    world.all_say("june.toml", 6, VIDEO);
    assert_eq!(sold(&world.sandbox), (2, 2, 2));
    // Within one plan it is said, whatever of it is bought already.
    let job = "[[job]]\nid = \"b\"\nprompt = \"a kite\"\nmodelId = 61803\n";
    client.write("both.toml", &format!("{}{job}", manifest(2, NONCE)));
    let said = "take 2 of this job sends the very same request as another job";
    client.says("plan both.toml --batch both").with(6).saying(said).saying("the same is asked for here");
    client.run("run both.toml --batch both --dry-run").with(6).saying(said);
}

/// Planned takes are given as before, too, where a default of the catalogue is another.
#[test]
fn takes_of_another_default_are_known_again() {
    let world = World::with("--sandbox-dedup-s 36000");
    let client = &world.client;
    let of_default = |takes: u32, default: u32| {
        manifest(takes, &NONCE.replace("max = 99999", &format!("max = 99999, default = {default}")))
    };
    client.write("june.toml", &of_default(3, 7));
    world.all_say("june.toml", 0, 3 * VIDEO);
    client.write("july.toml", &of_default(5, 9).replace("opening", "other"));
    world.all_say("july.toml", 6, 0);
    let unnamed = |takes, default| of_default(takes, default).replace("id = \"opening\"\n", "").replace("kite", "boat");
    client.write("made.toml", &unnamed(3, 7));
    world.all_say("made.toml", 0, 3 * VIDEO);
    client.write("made.toml", &unnamed(3, 9));
    world.all_say("made.toml", 6, 0);
    assert_eq!(sold(&world.sandbox), (6, 6, 6));
}

#[test]
fn what_is_left_of_a_night_is_bought_take_by_take() {
    let world = World::with("");
    let client = &world.client;
    client.write("june.toml", &manifest(4, ""));
    world.all_say("june.toml --limit 1", 3, VIDEO);
    // A results file that shows one take alone buys that one.
    let results = client.read("june.results.csv");
    let kept = |line: &&str| line.starts_with("id,") || line.starts_with("opening.t3,");
    let chosen: Vec<&str> = results.lines().filter(kept).collect();
    assert_eq!(chosen.len(), 2, "{results}");
    client.write("chosen.csv", &format!("{}\n", chosen.join("\n")));
    client.run("run chosen.csv").with(3);
    let states: Vec<String> = takes(client).into_iter().map(|(.., state)| state).collect();
    assert_eq!(states, ["delivered", "pending", "delivered", "pending"]);
    // Two are asked for now, and two are bought: not those that came first in the list, and none besides.
    client.write("june.toml", &manifest(2, ""));
    let before = world.paid();
    client.run("run june.toml").with(6).saying("bought already under another name");
    assert_eq!(world.paid(), before, "fewer takes cost nothing");
    client.write("june.toml", &manifest(4, ""));
    world.all_say("june.toml", 0, 2 * VIDEO);
    assert_eq!(sold(&world.sandbox), (4, 1, 4));
}

#[test]
fn a_night_of_takes_that_is_killed_loses_none_and_pays_none_twice() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 150");
    let client = Client::of(&sandbox);
    client.write("june.toml", &manifest(5, NONCE));
    for settled in [1, 3] {
        let running = client.start("run june.toml --jobs-in-flight 2");
        sandbox.wait_for("a payment", |books| books.settled().len() >= settled);
        running.kill();
    }
    client.run("run june.toml").with(0);
    assert_eq!(sold(&sandbox), (5, 5, 5));
    assert_eq!(client.rows("june.receipts.csv").len(), 5);
}

/// Where the ledger is gone, receipts tell which takes are bought, and results what each of them sent.
#[test]
fn takes_that_receipts_alone_tell_of_are_not_bought_again() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("june.toml", &manifest(3, NONCE));
    client.run("run june.toml --limit 2").with(3);
    std::fs::remove_file(client.ledger()).unwrap();
    std::fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    client.run("run june.toml").with(7).saying("ledger merge");
    client.says("ledger merge june.receipts.csv").with(0).saying("2 payments were new");
    client.run("run june.toml").with(0);
    assert_eq!(takes(&client), delivered(&[("opening", "1"), ("opening.t2", "1"), ("opening.t3", "1")]));
    assert_eq!(sold(&sandbox), (3, 3, 3), "the third alone was bought");
    // A take that was bought once more is proved by what it had sent.
    client.run("run june.toml --retake opening.t3").with(0);
    std::fs::remove_file(client.ledger()).unwrap();
    std::fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    client.says("ledger merge june.receipts.csv").with(0).saying("4 payments were new");
    client.run("run june.toml").with(0);
    assert_eq!(takes(&client), delivered(&[("opening", "1"), ("opening.t2", "1"), ("opening.t3", "2")]));
    assert_eq!(sold(&sandbox), (4, 4, 4));
    client.says("resolve --batch june --job opening.t2 --as lost --note x").with(2).saying("opening.t2 is delivered");
}
