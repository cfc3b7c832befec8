//! Whatever keeps a run from ending with 0 and is known before it begins: `plan`, a dry run and the run say the same of it, end the
//! same, and the run pays what was said.

use std::fs;
use std::sync::Mutex;

use l402_batch::cli::Cause;

use crate::foretold::{FLAGS, VIDEO, World, rows};
use crate::harness::{Client, Sandbox, every};

#[test]
fn every_cause_is_foretold_as_it_comes() {
    let causes = Mutex::new(Cause::ALL.into_iter().step_by(every(3)));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(cause) = causes.lock().unwrap().next() else { return };
                    if std::panic::catch_unwind(|| comes(cause)).is_err() {
                        failed.lock().unwrap().push(cause);
                    }
                }
            });
        }
    });
    assert_eq!(failed.into_inner().unwrap(), []);
}

fn comes(cause: Cause) {
    match cause {
        Cause::Word => a_word(),
        Cause::Waiting => a_word_that_waits(),
        Cause::Duplicate => a_duplicate(),
        Cause::Changed => a_change(),
        Cause::Unproved => a_receipt_alone(),
        Cause::Row => a_row_of_results(),
        Cause::OtherLedger => another_ledgers_results(),
        Cause::Person => what_a_person_decides(),
        Cause::JobLimit => a_jobs_limit(),
        Cause::Breaker => an_endpoint_that_gets_no_more(),
        Cause::Limit => a_days_limit(),
        Cause::Unfetched => what_is_not_fetched(),
        Cause::Unchosen => what_is_not_chosen(),
    }
}

/// Two jobs, a and b, in `june.csv`, and the command line that runs them.
fn june(flags: &str) -> (World, String) {
    let world = World::with(flags);
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    (world, format!("june.csv {FLAGS}"))
}

fn a_word() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    world.all_say(&format!("{line} --retake a"), 0, VIDEO);
    world.all_say(&format!("{line} --retake a"), 6, 0);
    // A take that would cost more than one job may is none.
    world.all_say(&format!("{line} --retake b --max-sats-per-job 900"), 6, 0);
    world.all_say(&line, 0, 0);
}

fn a_word_that_waits() {
    let (world, line) = june("--sandbox-refund-percent 100 --sandbox-refund never-paid");
    world.client.write("../config/l402-batch/config.toml", "wait_doubt = \"1s\"\n");
    world.client.run(&format!("run {line} --only a")).with(3);
    world.all_say(&format!("{line} --only a --retake a"), 3, 0);
}

fn a_duplicate() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    world.client.write("july.csv", &rows(&[("x", "a kite"), ("y", "a dog")]));
    world.all_say(&format!("july.csv {FLAGS}"), 6, VIDEO);
    // The same requests under another endpoint's name.
    let catalog = fs::read_to_string(world.sandbox.file("catalog.toml")).unwrap();
    let url = catalog.lines().find(|line| line.starts_with("url") && line.contains("generate-video")).unwrap();
    world.client.write("more.toml", &format!("[endpoint.video-two]\n{url}\n{VIDEO_TWO}"));
    let other = FLAGS.replace("generate-video", "video-two");
    world.client.write("aug.csv", &rows(&[("k", "a kite"), ("l", "an elk")]));
    world.all_say(&format!("aug.csv {other} --catalog more.toml"), 6, VIDEO);
    world.all_say(&format!("aug.csv {other} --catalog more.toml"), 6, 0);
    world.all_say(&format!("aug.csv {other} --catalog more.toml --duplicates buy"), 0, VIDEO);
    world.all_say("aug.results.csv --catalog more.toml", 0, 0);
}

fn a_change() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    world.client.write("june.csv", &rows(&[("a", "a fox"), ("b", "a boat")]));
    world.all_say(&line, 6, 0);
    // Killed while it was open, and changed before anything went on: whenever it is delivered.
    for wait_ms in [0, 300, 3_000] {
        let (world, line) = june(&format!("--sandbox-accept --sandbox-accept-ms {wait_ms} --sandbox-latency-ms 100"));
        let running = world.client.start(&format!("run {line}"));
        world.sandbox.wait_for("payments", |books| books.settled().len() == 2);
        running.kill();
        world.client.write("june.csv", &rows(&[("a", "a fox"), ("b", "a boat")]));
        for _ in 0..2 {
            let (planned, dry) = (world.plan(&line).with(6), world.run(&format!("{line} --dry-run")).with(6));
            for ended in [planned, dry, world.run(&line).with(6)] {
                let words = ["changed in the manifest since", "\"changed_count\":1"];
                let said = format!("{}{}", ended.stdout, ended.stderr).replace("\": ", "\":");
                assert!(words.iter().all(|words| said.contains(words)), "{ended}");
            }
            assert_eq!(world.client.column("june.results.csv", "reason"), ["changed", ""], "{wait_ms}");
        }
        world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
        world.all_say(&line, 0, 0);
    }
}

fn a_receipt_alone() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    lose_ledger(&world.client);
    fs::remove_file(world.client.path("june.results.csv")).unwrap();
    world.client.says("ledger merge june.receipts.csv").with(0);
    world.all_say(&line, 6, 0);
    // Results beside the receipts tell what was bought, but for a text that a spreadsheet may have made of another.
    let world = World::with("");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "R31")]));
    world.all_say(&line, 0, 2 * VIDEO);
    lose_ledger(&world.client);
    world.client.says("ledger merge june.receipts.csv").with(0);
    world.all_say(&line, 6, 0);
    assert_eq!(world.client.column("june.results.csv", "reason"), ["", "known_by_receipt"]);
    world
        .client
        .run(&format!("run {line}"))
        .with(6)
        .saying("1 job is known by receipt alone")
        .saying("as `R31`, is no proof");
}

fn a_row_of_results() {
    let (world, line) = june("");
    world.all_say(&format!("{line} --limit 1"), 3, VIDEO);
    world.client.write("some.csv", &world.client.read("june.results.csv").replace("a boat", "a ship"));
    world.all_say("some.csv", 6, 0);
    world.client.write("some.csv", &world.client.read("june.results.csv").replace("a kite", "a cat"));
    world.all_say("some.csv", 6, VIDEO);
    // Withdrawn since the file was written.
    let (world, line) = june("");
    world.all_say(&format!("{line} --limit 1"), 3, VIDEO);
    world.client.write("some.csv", &world.client.read("june.results.csv"));
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("c", "a dog")]));
    world.all_say(&line, 0, VIDEO);
    let words = "1 job is withdrawn, as its row has gone from the manifest, and bought by no run: b;";
    world.plan_of("some.csv").with(6).saying(words);
    world.client.asks("doctor some.csv --no-ask").with(6).saying(words).saying("it buys nothing;");
    world.client.run("run some.csv --dry-run").with(6).saying(words);
    world.client.run("run some.csv").with(6).saying(words);
    world.all_say("some.csv", 6, 0);
    // A file that says so itself asks for nothing else; what is put back is bought.
    assert_eq!(world.client.column("june.results.csv", "reason"), ["", "withdrawn", ""]);
    world.all_say("june.results.csv", 0, 0);
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    world.all_say(&line, 0, VIDEO);
    world.all_say("some.csv", 0, 0);
}

fn another_ledgers_results() {
    let (world, line) = june("");
    world.all_say(&format!("{line} --limit 1"), 3, VIDEO);
    world.client.write("some.csv", &world.client.read("june.results.csv"));
    // Beside the receipts of the ledger that bought of it nothing is bought with another one.
    world.client.run("run some.csv --ledger other.db").with(7);
    world.client.write("elsewhere/some.csv", &world.client.read("june.results.csv"));
    world.all_say("elsewhere/some.csv --ledger other.db", 6, VIDEO);
}

fn what_a_person_decides() {
    let (world, line) = june("--sandbox-answer unknown --sandbox-answers 1");
    world.client.run(&format!("run {line}")).with(4);
    world.all_say(&line, 4, 0);
    let (world, line) = june("--sandbox-refund-percent 100");
    world.client.run(&format!("run {line}")).with(4);
    world.all_say(&line, 4, 0);
    let (world, line) = june("--sandbox-redeem-error L402_REFUND_ISSUED --sandbox-errors 1");
    world.client.run(&format!("run {line}")).with(4);
    world.all_say(&line, 4, 0);
}

fn a_jobs_limit() {
    let (world, line) = june("");
    world.client.write("june.csv", "id,prompt,duration\na,a kite,3\nb,a boat,4\n");
    let line = line.replace("--default duration=3 ", "");
    // Of 900 sats, and 1,200, each with a fee ceiling of 10.
    world.all_say(&format!("{line} --max-sats-per-job 909"), 4, 0);
    assert_eq!(world.client.column("june.results.csv", "reason"), ["job_limit"; 2]);
    world.all_say(&format!("{line} --max-sats-per-job 909"), 4, 0);
    world.all_say(&format!("{line} --max-sats-per-job 1000 --only b"), 4, 0);
    world.all_say(&format!("{line} --max-sats-per-job 1000"), 4, VIDEO);
    world.all_say("june.results.csv", 4, 0);
    world.all_say(&format!("{line} --only a"), 3, 0);
    // What goes on with the batch is held to a limit of its own run as well, and to no former run's.
    world.all_say("june.results.csv --max-sats-per-job 1000", 4, 0);
    world.all_say("june.results.csv", 0, VIDEO / 3 * 4);
    world.all_say(&format!("{line} --max-sats-per-job 1000"), 0, 0);
}

fn an_endpoint_that_gets_no_more() {
    let (world, line) = june("--sandbox-answer unknown");
    world.client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog"), ("d", "a fox")]));
    world.client.run(&format!("run {line}")).with(4);
    world.client.write("july.csv", &rows(&[("x", "an elk")]));
    for _ in 0..2 {
        world.ends(&format!("july.csv {FLAGS}"), 4, 0);
        let words = "took 3 payments in a row without delivering";
        world.plan_of(&format!("july.csv {FLAGS}")).with(4).saying(words);
        world.client.asks(&format!("doctor july.csv {FLAGS} --no-ask")).with(4).saying(words).not_saying("all good");
    }
}

fn a_days_limit() {
    let (world, line) = june("--sandbox-fee-msat 10000");
    let day = |most: u64| format!("{line} --max-sats-per-day {most} --time-zone UTC");
    world.ends(&day(910), 8, VIDEO);
    // No day and no month will ever hold one job.
    for (limit, period) in [("max-sats-per-day", "day"), ("max-sats-per-month", "month")] {
        let (world, line) = june("");
        let line = format!("{line} --{limit} 909 --time-zone UTC");
        let words = format!(
            "one job may cost 910 sats, which no {period} holds: {} has to be 910 sats",
            limit.replace('-', "_")
        );
        world.ends(&line, 8, 0);
        for ended in [
            world.plan_of(&line),
            world.client.run(&format!("run {line} --dry-run")),
            world.client.run(&format!("run {line}")),
        ] {
            ended.with(8).saying(&words).not_saying("from then on").not_saying("stays pending until 20");
        }
        // What is printed to go on with does.
        let ended = world.client.run(&format!("run {line}")).with(8);
        let command = ended.stdout.lines().find_map(|line| line.split_once(" at the latest: ")).unwrap().1;
        assert!(command.ends_with(&format!(" --{limit}=910")), "{command}");
        let mut shell = world.client.program();
        shell = crate::harness::under(&["sh", "-c", command, "sh"], &shell);
        crate::harness::Process::start(&mut shell).end().with(8);
        assert_eq!(world.paid(), VIDEO, "one a {period}");
        // What is spent by now counts as well: not before the next one.
        world.client.run(&format!("run {line}")).with(8).saying(" goes on, at 20").not_saying("goes on: ");
    }
    let (world, line) = june("");
    let ended = world.client.run(&format!("run {line} --max-sats-per-day 909 --max-sats-per-month 909")).with(8);
    ended.saying("max_sats_per_day and max_sats_per_month have to be 910 sats").not_saying("--max-sats-per-day=");
}

fn what_is_not_fetched() {
    let (world, line) = june("--sandbox-video-kib 2048");
    world.client.run(&format!("run {line} --limit 1 --download v --max-file-mib 1")).with(3);
    world.all_say(&line, 3, VIDEO);
    world.all_say(&line, 3, 0);
    world.all_say(&format!("{line} --download v"), 0, 0);
}

fn what_is_not_chosen() {
    let (world, line) = june("");
    world.all_say(&format!("{line} --only b"), 3, VIDEO);
    world.all_say(&format!("{line} --limit 1"), 0, VIDEO);
    // A results file leaves out what it does not name; why an earlier run left that says nothing any more.
    let (world, line) = june("");
    world.client.run(&format!("run {line} --max-sats-per-day 1 --time-zone UTC")).with(8);
    let first: String = world.client.read("june.results.csv").lines().take(2).map(|line| format!("{line}\n")).collect();
    world.client.write("first.csv", &first);
    world.all_say("first.csv", 3, VIDEO);
    world.all_say("first.csv", 3, 0);
    world.all_say(&line, 0, VIDEO);
}

/// The built-in endpoint of videos, as far as its requests and prices here are concerned.
const VIDEO_TWO: &str = r#"method = "POST"
source = "the same"
as_of = "2026-11-20"
params.prompt = { type = "text", required = true }
params.duration = { type = "integer", min = 3, max = 15, default = 5 }
params.mode = { type = "choice", values = ["standard", "pro"], default = "pro" }
params.generate_audio = { type = "boolean", default = false }
price = { sats_per_unit = 300, quantity = "duration", unit = "second" }
result.url = ["/videoUrl"]
"#;

fn lose_ledger(client: &Client) {
    fs::remove_file(client.ledger()).unwrap();
    fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
}

/// What becomes of a ledger.
type Breaks = fn(&Client);

/// What stops a ledger from buying, whatever is to be bought: every command that foretells or advises a purchase says so.
#[test]
fn a_ledger_that_lacks_purchases_buys_nothing_and_nobody_foretells_or_advises_otherwise() {
    let ways: [(&str, Breaks); 5] = [
        ("june.receipts.csv hold the payment", lose_ledger),
        ("june.receipts.csv hold the payment", |client| {
            // An older copy that knows the batch, and receipts that know more; nobody has noted how many payments were begun.
            fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
            fs::copy(client.path("older.db"), client.ledger()).unwrap();
        }),
        ("none is known here: the ledger is gone", |client| fs::remove_file(client.ledger()).unwrap()),
        ("older copy", |client| assert!(fs::copy(client.path("older.db"), client.ledger()).is_ok())),
        ("ledger.db.rescued-1", |client| {
            let rescued = client.ledger().with_file_name("ledger.db.rescued-1");
            fs::rename(client.ledger(), rescued).unwrap();
            fs::copy(client.path("older.db"), client.ledger()).unwrap();
        }),
    ];
    for (words, breaks) in ways {
        let (world, line) = june("");
        let client = &world.client;
        client.run(&format!("run {line} --limit 1")).with(3);
        let older = rusqlite::Connection::open(client.ledger()).unwrap();
        older.execute("VACUUM INTO ?1", [client.path("older.db").display().to_string()]).unwrap();
        drop(older);
        client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
        client.run(&format!("run {line} --limit 1")).with(3);
        breaks(client);
        let is_there = client.ledger().exists();
        world.plan(&line).with(7).saying(words);
        client.run(&format!("run {line} --dry-run")).with(7).saying(words);
        client.asks(&format!("doctor {line} --no-ask")).with(7).saying(words).not_saying("all good");
        if is_there || client.ledger().with_file_name("ledger.db.locks").exists() {
            for recovery in ["recover --all", "recover --batch june", "recover --all"] {
                let said = client.run(recovery).with(7).saying(words);
                said.not_saying("nothing to do").not_saying("l402-batch run").not_saying("not bought yet");
            }
        }
        client.run(&format!("run {line}")).with(7).saying(words);
        assert_eq!(client.ledger().exists(), is_there, "a run that is refused begins no ledger");
        assert_eq!(world.paid(), 2 * VIDEO);
    }
}

/// A payment that another node was asked for is a person's as long as that one does not answer.
#[test]
fn another_node_is_foretold() {
    let (world, line) = june("--sandbox-pay-ms 1500");
    let World { sandbox, client } = world;
    client.write("../config/l402-batch/config.toml", "wait_doubt = \"1s\"\n");
    let running = client.start(&format!("run {line} --only a"));
    sandbox.wait_for("a payment", |books| books.payments.len() == 1);
    assert!(running.kill());
    let dry = format!("run {line} --only a --dry-run");
    let other = Sandbox::start("");
    let elsewhere = Client::of(&other).instead_of(client);
    for _ in 0..2 {
        elsewhere.run(&dry).with(5).saying("that only a person can bring on: a");
        elsewhere.run(&format!("run {line} --only a")).with(5);
    }
    sandbox.wait_for("a payment", |books| books.settled().len() == 1);
    let client = Client::of(&sandbox).instead_of(elsewhere);
    client.run(&dry).with(3).not_saying("only a person");
    client.run(&format!("run {line} --only a")).with(3);
    client.run(&format!("run {line}")).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// A manifest that has another batch's name, and one that has moved.
#[test]
fn another_manifest_is_foretold() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    world.client.write("moved/june.csv", &world.client.read("june.csv"));
    let moved = format!("moved/{line}");
    world.plan(&moved).with(6).saying("--batch OTHER");
    world.client.run(&format!("run {moved} --dry-run")).with(6).saying("--batch OTHER");
    world.client.asks(&format!("doctor {moved} --no-ask")).with(6).saying("--batch OTHER");
    world.client.run(&format!("run {moved}")).with(6).saying("--batch OTHER");
}

/// A dry run counts what would be delivered as the run does: not the takes that are to be replaced.
#[test]
fn a_take_that_is_replaced_is_not_delivered_then() {
    let (world, line) = june("");
    world.all_say(&line, 0, 2 * VIDEO);
    let planned = |line: &str| {
        let events = world.client.run(&format!("run {line} --json")).with(0).stdout;
        let mut events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut planned = events.rfind(|event| event["type"] == "planned").unwrap();
        planned["at"].take();
        planned
    };
    let line = format!("{line} --retake a");
    let (dry, run) = (planned(&format!("{line} --dry-run")), planned(&line));
    assert_eq!(dry, run);
    assert_eq!((&dry["delivered_count"], &dry["delivered_msat"]), (&1.into(), &VIDEO.into()));
}

/// What limits a batch in its own manifest limits a run of its results, and is foretold.
#[test]
fn a_results_file_is_held_to_its_batchs_limits() {
    let world = World::with("");
    let job = |id: &str| format!("[[job]]\nid = \"{id}\"\nprompt = \"kite {id}\"\n");
    let head = "version = 1\n[limits]\nmax_sats = 1000\n[defaults]\nendpoint = \"generate-video\"\nduration = 3\nmode = \"standard\"\n";
    world.client.write("june.toml", &format!("{head}{}{}", job("a"), job("b")));
    world.all_say("june.toml --limit 1", 3, VIDEO);
    world.ends("june.results.csv", 8, 0);
    world.ends("june.results.csv --partial", 8, 0);
}

/// Where nothing is bought no node is needed.
#[test]
fn what_is_refused_needs_no_node() {
    let (mut world, line) = june("");
    world.sandbox.stop();
    world.client.run(&format!("run {line} --max-sats-per-job 1")).with(4);
    assert_eq!(world.client.column("june.results.csv", "state"), ["refused"; 2]);
}
