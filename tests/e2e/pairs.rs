//! Every two of the circumstances that have a run end otherwise than with 0, together: plan, a dry run, doctor and the run are asked in
//! turn and end alike.

use std::fs::{self, File};
use std::sync::Mutex;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::foretold::World;
use crate::harness::{Client, Ended, Sandbox, every};

const KIB: &str = "--sandbox-video-kib 2048";
const FLAGS: &str = "--default endpoint=generate-video --default mode=standard";
/// Of the jobs the first is bought before anything is asked.
const ROWS: &str = "id,prompt,duration\na,a kite,3\nb,a boat,3\nc,a dog,3\nd,a fox,4\n";

/// Something that keeps a run from buying all, or from ending well.
#[derive(Clone, Copy)]
struct Circumstance {
    name: &'static str,
    /// What goes wrong with the first job.
    fault: &'static str,
    /// How the first job is bought.
    first: &'static str,
    /// What happens after that.
    then: fn(&mut World),
    /// With which flags all are asked.
    flags: &'static str,
    /// Whether a plan, which asks no node, knows of it.
    is_planned: bool,
}

const NOTHING: fn(&mut World) = |_| {};

const fn flags(name: &'static str, flags: &'static str) -> Circumstance {
    Circumstance { name, fault: "", first: "", then: NOTHING, flags, is_planned: true }
}

const fn then(name: &'static str, then: fn(&mut World)) -> Circumstance {
    Circumstance { then, ..flags(name, "") }
}

const fn first(name: &'static str, fault: &'static str, first: &'static str) -> Circumstance {
    Circumstance { fault, first, ..flags(name, "") }
}

const ALL: &[Circumstance] = &[
    flags("one is chosen", "--only b"),
    flags("so many are chosen", "--limit 1"),
    flags("no room today", "--max-sats-per-day 1000 --time-zone UTC"),
    flags("some room this month", "--max-sats-per-month 2000 --time-zone UTC"),
    flags("a limit that is too low", "--max-sats 1000"),
    flags("what fits", "--max-sats 2000 --partial"),
    flags("all that there is room for", "--max-sats 50000 --partial"),
    flags("only what has begun", "--resume"),
    flags("one is too dear", "--max-sats-per-job 1000"),
    flags("a folder that is none", "--download june.csv"),
    flags("results in the place of the manifest", "--results june.csv"),
    flags("duplicates are meant", "--duplicates buy"),
    flags("a word", "--retake a"),
    Circumstance {
        flags: "--retake b",
        ..then("a word that is used up", |world| {
            drop(world.client.run(&format!("run june.csv {FLAGS} --only b --retake b")))
        })
    },
    then("a duplicate", |world| {
        world.client.write("july.csv", "id,prompt,duration\nx,a dog,3\n");
        world.client.run(&format!("run july.csv {FLAGS}")).with(0);
    }),
    then("changed", |world| edit(&world.client, "june.csv", "a kite", "an elk")),
    then("an edited row", |world| {
        if world.client.path("some.csv").exists() {
            edit(&world.client, "some.csv", "a boat", "a ship");
        }
    }),
    then("withdrawn", |world| edit(&world.client, "june.csv", "c,a dog,3\n", "")),
    then("moved", |world| {
        let conn = rusqlite::Connection::open(world.client.ledger()).unwrap();
        conn.execute("UPDATE batches SET manifest = manifest || '.old'", []).unwrap();
    }),
    then("the ledger is gone", |world| lose_ledger(&world.client)),
    then("known by receipts", |world| {
        lose_ledger(&world.client);
        let _ = fs::remove_file(world.client.path("june.results.csv"));
        world.client.says("ledger merge june.receipts.csv");
    }),
    then("another runs it", |world| {
        let name = format!("{}.lock", HEXLOWER.encode(&Sha256::digest("june")));
        let locks = world.client.ledger().with_file_name("ledger.db.locks");
        fs::create_dir_all(&locks).unwrap();
        let file = File::options().create(true).append(true).open(locks.join(name)).unwrap();
        file.lock().unwrap();
        std::mem::forget(file);
    }),
    then("a breaker", |world| {
        world.sandbox.restart_with(&format!("{KIB} --sandbox-answer unknown"));
        world.client.write("aug.csv", "id,prompt,duration\nx,an owl,3\ny,an ape,3\nz,a cow,3\n");
        world.client.run(&format!("run aug.csv {FLAGS}"));
    }),
    Circumstance { is_planned: false, ..then("no node", |world| world.sandbox.stop()) },
    Circumstance { is_planned: false, ..first("little balance", "--sandbox-balance-sats 2300", "") },
    first("not fetched", "", "--download v --max-file-mib 1"),
    first("not served", "--sandbox-downloads gone", "--download v --downloads-per-second 1000"),
    first("not delivered", "--sandbox-answer unknown --sandbox-answers 1", ""),
    first("refunded", "--sandbox-answer failed --sandbox-answers 1 --sandbox-refund-percent 100", ""),
];

fn edit(client: &Client, file: &str, from: &str, to: &str) {
    let before = client.read(file);
    assert!(before.contains(from), "{file}: {before}");
    client.write(file, &before.replace(from, to));
}

fn lose_ledger(client: &Client) {
    let _ = fs::remove_file(client.ledger());
    for beside in ["-wal", "-shm"] {
        let _ = fs::remove_file(client.ledger().with_file_name(format!("ledger.db{beside}")));
    }
    let _ = fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks"));
}

/// How plan, dry run, doctor and run end in a world in which all of that is so; none where one is not asked.
fn ends(all: &[Circumstance], of_results: bool) -> ([Option<i32>; 4], String) {
    let joined = |part: fn(&Circumstance) -> &'static str| all.iter().map(part).collect::<Vec<_>>().join(" ");
    let faults = joined(|one| one.fault);
    let sandbox = Sandbox::start(&format!("{KIB} {faults}"));
    let client = Client::of(&sandbox);
    let mut world = World { sandbox, client };
    world.client.write("june.csv", ROWS);
    world.client.run(&format!("run june.csv {FLAGS} --limit 1 {}", joined(|one| one.first)));
    if faults.contains("answer") || faults.contains("downloads") {
        let lasting = if faults.contains("balance") { "--sandbox-balance-sats 2300" } else { "" };
        world.sandbox.restart_with(&format!("{KIB} {lasting}"));
    }
    if of_results {
        fs::copy(world.client.path("june.results.csv"), world.client.path("some.csv")).unwrap();
    }
    all.iter().for_each(|one| (one.then)(&mut world));
    let line = match of_results {
        true => format!("some.csv {}", joined(|one| one.flags)),
        false => format!("june.csv {FLAGS} {}", joined(|one| one.flags)),
    };
    let mut told = String::new();
    let mut code = |ended: Ended| {
        told.push_str(&format!("{ended}\n"));
        ended.code
    };
    // Doctor looks at the node whatever else there is.
    let is_sound = all.iter().all(|one| one.is_planned) || (all.len() == 1 && all[0].name != "no node");
    let plan = all.iter().all(|one| one.is_planned).then(|| world.plan_of(&line));
    let plan = plan.and_then(&mut code);
    let dry = code(world.client.run(&format!("run {line} --dry-run")));
    let doctor = world.doctor_of(&line).filter(|_| is_sound).and_then(&mut code);
    let run = code(world.client.run(&format!("run {line}")));
    ([plan, dry, doctor, run], told)
}

/// Whether both say the same flag.
fn exclude_each_other(one: &Circumstance, other: &Circumstance) -> bool {
    let names = |flags: &'static str| flags.split_whitespace().filter(|word| word.starts_with("--"));
    let share = |one, other| names(one).any(|name| names(other).any(|word| word == name));
    share(one.flags, other.flags) || share(one.first, other.first) || share(one.fault, other.fault)
}

/// Every other one alone, and of each two together every seventy-second pair; or all of them, of results files too.
fn cases() -> impl Iterator<Item = (Vec<Circumstance>, bool)> {
    let with = |nth: usize| (nth..ALL.len()).map(move |other| (nth, other));
    let every = every(72);
    let are_all = every == 1;
    let is_tried = move |(one, other): &(usize, usize)| {
        (one == other && (are_all || one % 2 == 0))
            || (one != other && (one + other) % every == 0 && !exclude_each_other(&ALL[*one], &ALL[*other]))
    };
    (0..ALL.len()).flat_map(with).filter(is_tried).flat_map(move |(one, other)| {
        let all = if one == other { vec![ALL[one]] } else { vec![ALL[one], ALL[other]] };
        let of_results = are_all || (one * other) % 4 == 0;
        [(all.clone(), false), (all, true)].into_iter().take(if of_results { 2 } else { 1 })
    })
}

#[test]
fn every_two_circumstances_are_foretold_as_they_come() {
    let (cases, differ) = (Mutex::new(cases()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((all, of_results)) = cases.lock().unwrap().next() else { return };
                    let names: Vec<_> = all.iter().map(|one| one.name).collect();
                    let ended = std::panic::catch_unwind(|| ends(&all, of_results));
                    let Ok((codes, told)) = ended else {
                        differ.lock().unwrap().push(format!("{names:?} {of_results} panicked"));
                        continue;
                    };
                    eprintln!("{codes:?} {names:?} {of_results}");
                    if codes.iter().flatten().any(|code| Some(*code) != codes[3]) {
                        differ.lock().unwrap().push(format!("{names:?} {of_results}: {codes:?}\n{told}"));
                    }
                }
            });
        }
    });
    let differ = differ.into_inner().unwrap();
    assert!(differ.is_empty(), "{}", differ.join("\n\n"));
}

/// What fits into a limit may be more than the node can pay, and all that ask the node say so.
#[test]
fn a_part_that_the_node_cannot_pay_is_foretold() {
    let sandbox = Sandbox::start("--sandbox-balance-sats 1400");
    let client = Client::of(&sandbox);
    let world = World { sandbox, client };
    world.client.write("june.csv", ROWS);
    for (flags, code) in [
        ("--max-sats 50000 --partial", 9),
        ("--max-sats 50000", 9),
        ("--max-sats 950 --partial", 8),
        ("--max-sats 50000 --partial --only a", 3),
    ] {
        let line = format!("june.csv {FLAGS} {flags}");
        let dry = world.client.run(&format!("run {line} --dry-run")).with(code);
        if code == 9 {
            dry.saying("the node's channels hold 1,400 sats");
        }
        world.doctor_of(&line).unwrap().with(code);
    }
    // It buys what it can, waits for nothing that does not come, and buys nothing where that is foretold.
    let line = format!("june.csv {FLAGS} --max-sats 50000 --partial");
    world.client.run(&format!("run {line}")).with(9).saying("the cheapest job that is left costs");
    assert_eq!(world.sandbox.books().settled().len(), 1);
    let asked = world.sandbox.books().sales.len();
    for end in [world.client.run(&format!("run {line} --dry-run")), world.client.run(&format!("run {line}"))] {
        end.with(9).saying("the cheapest of ").saying("nothing was spent");
    }
    world.doctor_of(&line).unwrap().with(9);
    assert_eq!(world.sandbox.books().sales.len(), asked);
}
