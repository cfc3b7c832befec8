//! Budgets: what does not fit is not begun, or is bought as far as it fits.

use crate::harness::{Audit, Client, Ended, Process, Sandbox};

/// Five videos of 900 sats, each with a fee ceiling of 10.
fn five(client: &Client) -> &'static str {
    let jobs: String = (1..=5).map(|n| format!("{n},kite {n}\n")).collect();
    client.write("jobs.csv", &format!("id,prompt\n{jobs}"));
    "run jobs.csv --default endpoint=generate-video --default duration=3 --default mode=standard"
}

#[test]
fn what_does_not_fit_is_not_begun() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats 4549")).with(8).saying("4,550 sats").saying("--partial");
    sandbox.books().are_empty();
    client.run(&format!("{run} --max-sats 4549 --dry-run")).with(8).saying("or buy what fits with --partial");
    // Where not even the first job fits, there is no such way on; neither is there one for today.
    let line = run.strip_prefix("run ").unwrap();
    for flags in ["--max-sats 909", "--max-sats 4549 --max-sats-per-day 909 --time-zone UTC"] {
        for ended in [
            client.run(&format!("{run} {flags}")),
            client.run(&format!("{run} {flags} --dry-run")),
            client.says(&format!("plan {line} {flags} --catalog {}", client.node()[1])),
            client.asks(&format!("doctor {line} {flags} --no-ask")),
        ] {
            ended.with(8).saying("raise it by").not_saying("what fits");
        }
    }
    for ended in [
        client.says(&format!("plan {line} --max-sats 910 --catalog {}", client.node()[1])),
        client.asks(&format!("doctor {line} --max-sats 910 --no-ask")),
    ] {
        ended.with(8).saying("or buy what fits with --partial");
    }
    sandbox.books().are_empty();
    client.run(&format!("{run} --max-sats 4550")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

#[test]
fn what_the_channels_do_not_hold_is_not_begun() {
    for (balance, is_held) in [(899, false), (900, true)] {
        let sandbox = Sandbox::start(&format!("--sandbox-balance-sats {balance}"));
        let client = Client::of(&sandbox);
        let ended = client.run(five(&client)).with(9);
        let ended = ended.saying("the node's channels hold").saying("move funds into channels");
        let words = "or buy what fits with --partial";
        _ = if is_held { ended.saying(words) } else { ended.not_saying(words) };
        sandbox.books().are_empty();
    }
}

#[test]
fn what_fits_is_bought_where_that_is_wanted() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats 2000 --partial --payments-in-flight 4")).with(8);
    let books = sandbox.books();
    assert_eq!(books.settled().len(), 2);
    assert!(books.spent_msat() <= 2_000_000);
    Audit::of(&client, "jobs", &books);
    // The limit is the batch's, over all its runs.
    client.run(&format!("{run} --max-sats 2000 --partial")).with(8);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run(&format!("{run} --max-sats 4000")).with(8);
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run(&format!("{run} --max-sats 4600")).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

#[test]
fn a_day_has_its_limit_over_all_batches() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats-per-day 2000 --time-zone UTC")).with(8).saying("day");
    assert_eq!(sandbox.books().settled().len(), 2);
    let pending = client.rows("jobs.results.csv").into_iter().filter(|row| row["state"] == "pending").count();
    assert_eq!(pending, 3);
    client.write("other.csv", "id,prompt\n1,a dog\n");
    client.run(&format!("{} --max-sats-per-day 2000 --time-zone UTC", run.replace("jobs.csv", "other.csv"))).with(8);
    assert_eq!(sandbox.books().settled().len(), 2, "the day is the ledger's, not the batch's");
}

#[test]
fn a_job_has_its_own_limit() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write(
        "jobs.toml",
        "version = 1\n[[job]]\nid = \"dear\"\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nmax_sats = 100\n",
    );
    let ended = client.run("run jobs.toml");
    assert!(ended.code != Some(0), "{ended}");
    sandbox.books().are_unpaid();
}

#[test]
fn the_balance_must_hold_it() {
    let sandbox = Sandbox::start("--sandbox-balance-sats 1000");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(run).with(9).saying("channels hold 1,000 sats").saying("nothing was spent");
    sandbox.books().are_empty();
}

/// A source that can set a limit.
#[derive(Clone, Copy, Debug)]
enum Source {
    Flag,
    Variable,
    Manifest,
    File,
}

/// Limits, each from its source.
type Set<'a> = &'a [(Source, &'a str, u64)];

const SOURCES: [Source; 4] = [Source::Flag, Source::Variable, Source::Manifest, Source::File];

/// Five videos of 900 sats and a fee ceiling of 10 each, with limits from those sources, to the end of a run.
fn five_with(sandbox: &Sandbox, tag: &str, limits: Set<'_>) -> (Client, Ended) {
    let client = Client::of(sandbox);
    let of = |wanted: fn(&Source) -> bool| {
        limits.iter().filter(move |(source, ..)| wanted(source)).map(|(_, key, value)| (*key, value.to_string()))
    };
    let toml = |wanted| of(wanted).map(|(key, value)| format!("{key} = {value}\n")).collect::<String>();
    let jobs: String = (1..=5).map(|n| format!("[[job]]\nid = \"{n}\"\nprompt = \"kite {n} {tag}\"\n")).collect();
    client.write(
        "jobs.toml",
        &format!(
            "version = 1\n[limits]\n{}[defaults]\nendpoint = \"generate-video\"\nduration = 3\nmode = \"standard\"\n{jobs}",
            toml(|source| matches!(source, Source::Manifest))
        ),
    );
    client.write("../config/l402-batch/config.toml", &toml(|source| matches!(source, Source::File)));
    let flags: String = of(|source| matches!(source, Source::Flag))
        .map(|(key, value)| format!(" --{} {value}", key.replace('_', "-")))
        .collect();
    let max_sats = if limits.iter().any(|(_, key, _)| *key == "max_sats") { "" } else { " --max-sats 100000" };
    let mut command = client.program();
    let line = format!("run jobs.toml --yes --partial --time-zone UTC --requests-per-second 1000{flags}{max_sats}");
    command.args(line.split_whitespace()).args(client.node());
    for (key, value) in of(|source| matches!(source, Source::Variable)) {
        command.env(format!("L402_BATCH_{}", key.to_uppercase()), value);
    }
    let ended = Process::start(&mut command).end();
    (client, ended)
}

#[test]
fn every_limit_holds_from_every_source() {
    let sandbox = Sandbox::start("");
    std::thread::scope(|scope| {
        for source in SOURCES {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for (key, most, code, bought, words) in [
                    ("max_sats", 2_000, 8, 2, "the batch's limit of 2,000 sats"),
                    ("max_sats_per_day", 2_000, 8, 2, "the day's limit of 2,000 sats"),
                    ("max_sats_per_month", 2_000, 8, 2, "the month's limit of 2,000 sats"),
                    ("max_sats_per_job", 909, 4, 0, "refused"),
                    ("max_sats_per_job", 910, 0, 5, "delivered"),
                ] {
                    let (client, ended) =
                        five_with(sandbox, &format!("{source:?} {key} {most}"), &[(source, key, most)]);
                    assert_eq!(ended.code, Some(code), "{source:?} {key}: {ended}");
                    assert_eq!(client.rows("jobs.receipts.csv").len(), bought, "{source:?} {key}: {ended}");
                    ended.saying(words);
                }
            });
        }
    });
}

#[test]
fn of_several_limits_the_tightest_wins() {
    let sandbox = Sandbox::start("");
    for at in 0..SOURCES.len() {
        let (key, values) = (["max_sats", "max_sats_per_day"][at % 2], [2_000, 3_000, 4_000, 5_000]);
        let limits: Vec<_> = (0..4).map(|n| (SOURCES[(at + n) % 4], key, values[n])).collect();
        let (client, ended) = five_with(&sandbox, &format!("tightest {at}"), &limits);
        assert_eq!(ended.code, Some(8), "{limits:?}: {ended}");
        assert_eq!(client.rows("jobs.receipts.csv").len(), 2, "{limits:?}: {ended}");
    }
}

#[test]
fn a_fee_above_the_ceiling_is_not_paid_whoever_set_the_ceiling() {
    // Ten sats of fee: the usual ceiling holds it, five sats do not. The larger of floor and parts per million counts.
    let sandbox = Sandbox::start("--sandbox-fee-msat 10000");
    let cases: [(Set<'_>, usize); 6] = [
        (&[], 5),
        (&[(Source::Flag, "fee_floor_sats", 5), (Source::Manifest, "max_fee_ppm", 100)], 0),
        (&[(Source::Flag, "fee_floor_sats", 50), (Source::File, "fee_floor_sats", 5)], 0),
        (&[(Source::Variable, "max_fee_ppm", 50_000), (Source::Flag, "fee_floor_sats", 0)], 5),
        (&[(Source::Variable, "max_fee_ppm", 50_000), (Source::Manifest, "max_fee_ppm", 10)], 5),
        (
            &[
                (Source::Variable, "max_fee_ppm", 50_000),
                (Source::Manifest, "max_fee_ppm", 10),
                (Source::File, "fee_floor_sats", 1),
                (Source::Flag, "fee_floor_sats", 1_000),
            ],
            0,
        ),
    ];
    std::thread::scope(|scope| {
        for (limits, bought) in cases {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let (client, ended) = five_with(sandbox, &format!("{limits:?}").replace('"', ""), limits);
                assert_eq!(client.rows("jobs.receipts.csv").len(), bought, "{limits:?}: {ended}");
                assert_eq!(ended.code, Some(if bought == 5 { 0 } else { 3 }), "{limits:?}: {ended}");
            });
        }
    });
}

#[test]
fn a_reached_limit_says_when_it_may_go_on() {
    let sandbox = Sandbox::start("");
    for (zone, key) in [("Pacific/Kiritimati", "day"), ("Pacific/Pago_Pago", "day"), ("America/New_York", "month")] {
        let client = Client::of(&sandbox);
        let run = five(&client);
        let next = || {
            let now = jiff::Timestamp::now().in_tz(zone).unwrap();
            let day = if key == "month" { now.last_of_month().unwrap() } else { now };
            let next = day.tomorrow().unwrap().start_of_day().unwrap();
            next.strftime("stays pending until %Y-%m-%d %H:%M %Z").to_string()
        };
        // Midnight may pass while it runs.
        let before = next();
        let ended = client.run(&format!("{run} --max-sats-per-{key} 1000 --time-zone {zone}")).with(8);
        assert!([before, next()].iter().any(|words| ended.stdout.contains(words)), "{}: {ended}", next());
        assert!(ended.stdout.contains("too much; what is left"), "{ended}");
    }
}

#[test]
fn a_limit_that_is_lowered_below_what_is_spent_buys_nothing_more() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.run(&format!("{run} --max-sats 3000 --partial")).with(8);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.run(&format!("{run} --max-sats 1000")).with(8).saying("2,7");
    for flags in ["--max-sats 1000 --partial", "--max-sats-per-day 1000 --time-zone UTC", "--max-sats-per-month 1000"] {
        client.run(&format!("{run} {flags}")).with(8);
        assert_eq!(sandbox.books().settled().len(), 3, "{flags}");
    }
    client.run(run).with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(5);
}

/// The sandbox, as an origin is known by.
fn host(sandbox: &Sandbox) -> &str {
    sandbox.origin.strip_prefix("http://").unwrap()
}

const CONFIG: &str = "../config/l402-batch/config.toml";

#[test]
fn what_one_origin_may_get_holds_over_batches_and_is_foretold() {
    let sandbox = Sandbox::start("");
    for (key, whose) in [("max_sats_per_day", "day"), ("max_sats_per_month", "month")] {
        let client = Client::of(&sandbox);
        let run = five(&client);
        let line = run.strip_prefix("run ").unwrap();
        client.write(CONFIG, &format!("[origin.\"{}\"]\n{key} = 2_000\n", host(&sandbox)));
        let limit = format!("the {whose}'s limit at {} ({key})", host(&sandbox));
        let there = format!("{limit} leaves 2,000 sats: of 5 jobs there, 2 fit for sure");
        client.says(&format!("plan {line} --catalog {}", client.node()[1])).with(8).saying(&there);
        client.asks(&format!("doctor {line} --no-ask")).with(8).saying(&there);
        client.run(&format!("{run} --dry-run")).with(8).saying(&there);
        let before = sandbox.books().payments.len();
        let reached = format!("the {whose}'s limit of 2,000 sats at {} ({key})", host(&sandbox));
        client.run(run).with(8).saying(&there).saying(&reached).saying("stays pending until");
        assert_eq!(sandbox.books().payments.len() - before, 2);
        let reason = format!("origin_{whose}_limit");
        let reasons = client.column("jobs.results.csv", "reason");
        assert_eq!(reasons.iter().filter(|of| **of == reason).count(), 3, "{reasons:?}");
        // Another batch of the ledger meets the same limit, with what is left of it.
        client.write("more.csv", &client.read("jobs.csv").replace("kite", &format!("boat {whose}")));
        let more = run.replace("jobs.csv", "more.csv");
        client.run(&more).with(8).saying("of 5 jobs there, 0 fit");
        assert_eq!(sandbox.books().payments.len() - before, 2);
        // A limit of another origin concerns nobody here.
        client.write(CONFIG, &format!("[origin.\"127.0.0.1:1\"]\n{key} = 0\n"));
        client.run(&more).with(0);
    }
}

#[test]
fn what_one_job_may_cost_at_its_origin_is_refused_before_it_is_asked_for() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    client.write(CONFIG, &format!("[origin.\"{}\"]\nmax_sats_per_job = 909\n", host(&sandbox)));
    client.run(run).with(4).saying("job_limit");
    sandbox.books().are_empty();
    client.write(CONFIG, &format!("[origin.\"{}\"]\nmax_sats_per_job = 910\n", host(&sandbox)));
    client.run(run).with(0);
}

#[test]
fn an_origin_that_has_never_delivered_gets_little_while_nobody_watches() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = five(&client);
    let there = format!("the limit of an origin that has never delivered at {} (max_sats_new_origin)", host(&sandbox));
    client
        .run(&format!("{run} --max-sats-new-origin 909"))
        .with(8)
        .saying(&format!("{there} leaves 909 sats: of 5 jobs there, 0 fit for sure before it has delivered"));
    sandbox.books().are_empty();
    assert_eq!(client.column("jobs.results.csv", "reason"), ["new_origin_limit"; 5]);
    // The first delivery makes it known: the others follow in the same run.
    client.run(&format!("{run} --max-sats-new-origin 910")).with(0);
    assert_eq!(sandbox.books().settled().len(), 5);
    client.write("more.csv", &client.read("jobs.csv").replace("kite", "boat"));
    client.run(&format!("{} --max-sats-new-origin 1", run.replace("jobs.csv", "more.csv"))).with(0);
}

#[test]
fn a_faulty_table_of_an_origin_is_told_with_its_place() {
    let client = Client::alone();
    client.write(
        CONFIG,
        "[origin.\"https://api.example.com/v1\"]\n[origin.\"api.example.com\"]\nmax_sats_per_dya = 5\nmax_sats_per_job = -1\n[orign]\n",
    );
    let ended = client.says("config show").with(2);
    ended
        .saying("is no host: write it as \"api.example.com\"")
        .saying("unknown key \"max_sats_per_dya\"")
        .saying("did you mean \"max_sats_per_day\"?")
        .saying("max_sats_per_job: expected a whole number of sats")
        .saying("did you mean \"origin\"?");
}
