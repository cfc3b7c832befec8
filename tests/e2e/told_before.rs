//! What a run would meet beside prices and limits (a running process, a folder that cannot be used, a ledger that is gone, a word that
//! is spent) is told by whatever foretells it.

use std::fs;

use crate::foretold::{FLAGS, VIDEO, World, rows, variable};
use crate::harness::{Ended, Process};

fn june(flags: &str) -> (World, String) {
    let world = World::with(flags);
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    (world, format!("june.csv {FLAGS}"))
}

#[test]
fn a_batch_that_is_being_run_is_told() {
    let (world, line) = june("--sandbox-accept --sandbox-accept-ms 600000");
    let running = world.client.start(&format!("run {line} --limit 1"));
    world.sandbox.wait_for("a payment", |books| books.settled().len() == 1);
    let words = "the batch june is being run by process ";
    for _ in 0..3 {
        world.plan_of(&line).with(11).saying(words).saying("2 jobs");
        world.client.run(&format!("run {line} --dry-run")).with(11).saying(words);
        // However little a run would buy, and whatever else there is to be said of it.
        world.plan_of(&format!("{line} --only zz")).with(11);
        for limit in ["", "--max-sats 1"] {
            world.doctor_of(&format!("{line} {limit}")).unwrap().with(11).saying(words).not_saying("all good");
        }
    }
    world.client.run(&format!("run {line}")).with(11);
    // What is open nobody is told to bring on before that: whoever is at work may not bring it on.
    let status = world.client.says("status --batch june").with(3).saying("at work process ");
    let status = status.saying(": until it has ended, recover ends at once (11)").not_saying("itself");
    let status = status.saying("  do       once nobody is at work on the batch: l402-batch recover --batch june");
    assert!(status.stdout.contains("processing"), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&world.client.says("status --batch june --json").stdout).unwrap();
    assert!(json["at_work"]["pid"].is_u64() && json["at_work"]["since"].is_string(), "{json}");
    assert!(json["jobs"][0]["command"].as_str().unwrap().starts_with("l402-batch recover --batch june"), "{json}");
    assert_eq!(json["jobs"][0]["command_needs"], "once nobody is at work on the batch", "{json}");
    world.client.says("status --batch june --job a").saying("until it has ended, all but `status` ends at once (11)");
    assert!(running.kill());
    world.client.says("status --batch june").with(3).saying("  do       l402-batch recover").not_saying("at work");
    // How that ends nobody knows before: it is said that it decides how a run ends.
    let words_of_open = "1 job is open or in doubt, and a run brings it on first";
    world.plan_of(&line).not_saying(words).with(0).saying(words_of_open);
    world.plan_of(&format!("{line} --json")).with(0).saying(&format!("\"message\":\"{words_of_open}"));
    let dry_run = format!("run {line} --dry-run");
    world.client.run(&dry_run).not_saying(words).with(0).saying(words_of_open);
    world.client.run(&format!("{dry_run} --json")).with(0).saying(words_of_open);
    world.doctor_of(&line).unwrap().saying(words_of_open);
}

/// What a variable says to a run it says to whatever foretells that run.
#[test]
fn variables_count_for_all() {
    let (world, line) = june("");
    for (flag, value, code) in [
        ("--limit", "1", 3),
        ("--limit", "0", 2),
        ("--only", "a", 3),
        ("--only", "zz", 2),
        ("--resume", "1", 2),
        ("--deadline", "0s", 2),
        ("--deadline", "8h", 0),
        ("--duplicates", "skip", 0),
        ("--duplicates", "buy", 2),
        ("--results", "june.csv", 2),
        ("--download", "june.csv", 2),
        ("--download-name", "{nothing}", 0),
    ] {
        let ended = |command: &str, flags: &str| {
            let mut command = match command {
                "run" => world.client.buying(&format!("run {line} {flags}")),
                other => {
                    let mut command = world.client.program();
                    command.arg(other).args(line.split_whitespace()).args(flags.split_whitespace());
                    let node = world.client.node();
                    command.args(if other == "plan" { &node[..2] } else { node }).args(["--max-sats", "100000"]);
                    command
                }
            };
            Process::start(command.env(variable(flag), value)).end()
        };
        ended("plan", "").with(code);
        ended("doctor", "--no-ask").with(code);
        ended("run", "--dry-run").with(code);
        // A wish that is refused leaves nothing to compare with, and one that is not buys.
        if code != 0 {
            ended("run", "").with(code);
        }
        fs::remove_dir_all(world.client.ledger().parent().unwrap()).unwrap_or_default();
        for written in ["june.results.csv", "june.receipts.csv"] {
            let _ = fs::remove_file(world.client.path(written));
        }
    }
}

/// A variable that asks for play money is told: what doctor looks at is not what such a run works with.
#[test]
fn play_money_that_a_variable_asks_for_is_told() {
    let (world, line) = june("");
    let mut command = world.client.program();
    command.arg("doctor").args(line.split_whitespace()).args(world.client.node()).arg("--no-ask");
    let ended = Process::start(command.env(variable("--sandbox"), "1")).end().with(0);
    ended.saying("play money is asked for").saying("unset L402_BATCH_SANDBOX").not_saying("all good");
}

/// As such a run begins anew, what is bought for real counts as little in its plan.
#[test]
fn a_plan_of_play_money_is_of_a_new_ledger() {
    let (world, line) = june("");
    world.client.run(&format!("run {line}")).with(0);
    let plan = |value: &str, more: &str| {
        let mut command = world.client.program();
        let words = format!("plan {line} --json {more}");
        command.args(words.split_whitespace()).args(&world.client.node()[..2]);
        Process::start(command.env(variable("--sandbox"), value)).end()
    };
    let left = |ended: &Ended| serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()["left_to_buy"].clone();
    let real = plan("no", "").with(0).not_saying("play money");
    assert_eq!(left(&real)["job_count"], 0, "{real}");
    let play = plan("1", "").with(0).saying("play money");
    assert!(left(&play).is_null(), "all of it: {play}");
    plan("1", "--ledger l.db").with(2).saying("asks for play money");
}

/// A file that could not be fetched is not here, and a run that fetches none leaves it so: all say that, and how to come to it.
#[test]
fn a_file_that_is_not_here_is_told() {
    let (world, line) = june("--sandbox-video-kib 2048");
    let words = "1 job delivered, whose file could not be fetched before";
    world.client.run(&format!("run {line} --limit 1 --download v --max-file-mib 1")).with(3);
    for (videos, jobs) in [(1, words), (0, words)] {
        let plan = world.plan_of(&line).with(3).saying(jobs).saying("download --batch june");
        plan.saying(": a");
        world.client.run(&format!("run {line} --dry-run")).with(3).saying(jobs);
        world.doctor_of(&line).unwrap().with(3).saying(jobs);
        world.ends(&line, 3, videos * VIDEO);
    }
    // What goes on with the batch has its folder.
    world.all_say("june.results.csv", 0, 0);
    world.all_say(&line, 0, 0);
}

#[test]
fn a_folder_that_cannot_be_used_is_told_and_leaves_no_ledger() {
    let (world, line) = june("");
    world.client.write("file", "no folder");
    let old = world.client.path("old.csv");
    fs::write(&old, "somebody's own\n").unwrap();
    for flags in ["--download file", "--download file/below", "--download /proc/xx", "--results old.csv"] {
        if flags.starts_with("--download") {
            world.plan_of(&format!("{line} {flags}")).with(2).saying("--download");
        }
        world.client.run(&format!("run {line} {flags} --dry-run")).with(2);
        world.client.run(&format!("run {line} {flags}")).with(2);
        assert!(!world.client.ledger().exists(), "{flags}");
    }
    world.all_say(&format!("{line} --download new/folder --limit 1"), 3, VIDEO);
    // Once there is a ledger, too; what is open is finished all the same.
    world.ends(&format!("{line} --download file"), 2, 0);
    world.ends("june.results.csv --download file", 2, 0);
    assert_eq!(fs::read_to_string(old).unwrap(), "somebody's own\n");
}

#[test]
fn a_manifest_that_was_renamed_is_told() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    world.client.write("july.csv", &world.client.read("june.csv"));
    let line = line.replace("june", "july");
    let words = "the batch june has the very same jobs";
    world.plan_of(&line).with(6).saying(words).saying("was the manifest renamed?");
    world.client.run(&format!("run {line} --dry-run")).with(6).saying(words);
    world.client.run(&format!("run {line}")).with(6).saying(words);
    world.client.write("aug.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.plan_of(&line.replace("july", "aug")).with(6).not_saying("the very same jobs");
}

#[test]
fn a_word_that_buys_nothing_is_told() {
    let (world, line) = june("--sandbox-answer failed");
    let host = world.sandbox.origin.replace("http://", "").trim_end_matches('/').to_owned();
    let undelivered = |line: &str| format!("{line} --max-undelivered 1");
    world.client.run(&undelivered(&format!("run {line} --only a"))).with(4);
    world.client.write("july.csv", &rows(&[("x", "a dog"), ("y", "an elk")]));
    let july = undelivered(&line.replace("june", "july"));
    let dry = |words: &str, code: i32| world.client.run(&format!("run {july} {words} --dry-run")).with(code);
    let out_of_turn = format!("--trust {host}@3");
    dry(&out_of_turn, 4).saying("is not recorded: the next word");
    world.client.run(&format!("run {july} {out_of_turn}")).with(4).saying("is not recorded: the next word");
    let first = format!("--trust {host}@1");
    dry(&first, 0).saying("one purchase may begin at");
    world.client.run(&format!("run {july} {first} --only x")).with(4).saying("one purchase may begin at");
    assert_eq!(world.paid(), 2 * VIDEO, "by the word");
    dry(&format!("{first} --only y"), 4).saying("was carried out by job x of batch july");
    world.client.run(&format!("run {july} {first} --only y")).with(4).saying("was carried out by job x of batch july");
    assert_eq!(world.paid(), 2 * VIDEO, "and once");
}

/// A ledger that is gone with all that stood beside it: its receipts say so where a manifest is named, and without one nothing does.
#[test]
fn a_ledger_that_is_gone_is_told_by_whatever_knows_its_manifest() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    fs::remove_dir_all(world.client.ledger().parent().unwrap()).unwrap();
    let words = "june.receipts.csv hold the payment";
    world.plan(&line).with(7).saying(words);
    for command in ["status june.csv", "status june.csv --batch june", "export june.csv", "download june.csv"] {
        world.client.says(command).with(7).saying(words).not_saying("there is no ledger");
    }
    world.client.run("recover june.csv").with(7).saying(words);
    let recover = world.client.run("recover --all").with(0).saying("there is no ledger at ");
    recover.not_saying("nothing to do");
    world.client.says("status other.csv").with(2).saying("there is no ledger");
    assert!(!world.client.ledger().exists());
}

/// A process that was killed as it began may leave an empty file: plan and run take it for a new ledger alike.
#[test]
fn an_empty_ledger_is_a_new_one() {
    let (world, line) = june("");
    fs::create_dir_all(world.client.ledger().parent().unwrap()).unwrap();
    fs::write(world.client.ledger(), "").unwrap();
    world.all_say(&line, 0, 2 * VIDEO);
}

#[test]
fn a_deadline_of_no_time_is_none() {
    let (world, line) = june("");
    for command in [format!("run {line} --deadline 0s"), format!("run {line} --deadline 0s --dry-run")] {
        world.client.run(&command).with(2).saying("no purchase could begin");
    }
    assert_eq!(world.paid(), 0);
}

/// What the origin refused may be refused again: plan and dry run say that, and that only asking tells.
#[test]
fn what_the_origin_refused_is_told() {
    let (mut world, line) = june("--sandbox-price-drift-percent 10");
    world.client.run(&format!("run {line}")).with(6);
    let words = "2 jobs refused by the origin when last asked for (price_changed)";
    let told = |world: &World| {
        for ended in [world.plan_of(&line), world.client.run(&format!("run {line} --dry-run"))] {
            ended.with(0).saying(words).saying("only that tells whether it refuses again: a, b");
        }
        let only = world.client.run(&format!("run {line} --only a --dry-run"));
        only.with(3).saying("1 job refused by the origin");
    };
    told(&world);
    world.sandbox.restart_with("");
    told(&world);
    world.client.run(&format!("run {line}")).with(0);
    world.plan_of(&line).with(0).not_saying("refused by the origin");
}

/// Files of others that stand where the batch would write are found by all, before anything is bought.
#[test]
fn a_file_in_the_place_of_the_results_is_told_before() {
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite")]));
    world.client.write("june.results.csv", "mine\n");
    world.plan_of(&format!("june.csv {FLAGS}")).with(2).saying("june.results.csv");
    world.client.asks(&format!("doctor june.csv {FLAGS} --no-ask")).with(2).saying("june.results.csv");
    world.client.run(&format!("run june.csv {FLAGS} --dry-run")).with(2).saying("june.results.csv");
    world.client.run(&format!("run june.csv {FLAGS}")).with(2).saying("june.results.csv");
    assert_eq!(world.paid(), 0);
    world.client.run(&format!("run june.csv {FLAGS} --results other.csv")).with(0);
}
