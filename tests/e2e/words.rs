//! A person's words: each is carried out once, wherever the command that says it is stopped and however often it is repeated.

use crate::harness::{Client, Count, Cutter, Sandbox, every, two_jobs};

#[test]
fn a_word_buys_once_however_often_its_command_is_repeated() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let settled = || sandbox.books().settled().len();
    client.run("run jobs.toml").with(0);
    // What a trial does not reach stays to be bought: the word was accepted.
    client.run("run jobs.toml --retake video,image --limit 1").with(3).not_saying("--retake").not_saying("--limit 1");
    assert_eq!(settled(), 3);
    client.run("run jobs.toml").with(0);
    assert_eq!(settled(), 4);
    for _ in 0..6 {
        client.run("run jobs.toml --retake video,image").with(6).saying("video@2").saying("image@2");
    }
    assert_eq!(settled(), 4, "the same command is the same word");
    client.run("run jobs.toml --retake video@1,image@1").with(6);
    client.run("run jobs.toml --retake video@9").with(2).saying("the latest take of that job is video@2");
    client.run("run jobs.toml --retake video --only image").with(2).saying("--only or --where leaves that job out");
    client.run("run jobs.toml --retake nobody@1").with(2).saying("no job of that id");
    assert_eq!(settled(), 4);
    client.run("run jobs.toml --retake video@2").with(0);
    client.run("run jobs.toml --retake video@2").with(6).saying("video@3");
    assert_eq!(settled(), 5);
    // A word that is used up is told beside one that buys.
    client
        .run("run jobs.toml --retake video@3 --retake video@1 --dry-run")
        .with(6)
        .saying("the word video@1 buys nothing");
    client.run("run jobs.toml --retake video@3 --retake video@1").with(6).saying("the word video@1 buys nothing");
    assert_eq!(settled(), 6);
    client.says("status jobs.toml --job video").saying("retake: video@1").saying("retake: video@2");
}

#[test]
fn a_word_that_was_declined_or_held_no_limit_is_none() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml").with(0);
    client.run("run jobs.toml --retake video --max-sats 1").with(8);
    client.run("run jobs.toml").with(0).saying("nothing to do");
    assert_eq!(sandbox.books().settled().len(), 2);
    client.run("run jobs.toml --retake video").with(0);
    assert_eq!(sandbox.books().settled().len(), 3);
}

#[test]
fn a_word_whose_command_was_killed_at_any_turn_buys_once() {
    const TURNS_MAX: usize = 60;
    const AT_ONCE: usize = 4;
    std::thread::scope(|scope| {
        for first in 1..=AT_ONCE {
            scope.spawn(move || {
                let sandbox = Sandbox::start("--sandbox-dedup-s 0");
                let cutter = Cutter::before(&sandbox);
                // It remembers no answer, so that no redeem that is repeated need wait until it has forgotten one.
                let catalog = std::fs::read_to_string(&cutter.catalog).unwrap();
                std::fs::write(&cutter.catalog, catalog.replace("url = ", "dedup_window_s = 1\nurl = ")).unwrap();
                let every = every(3);
                let mut turns = (first * every..=TURNS_MAX).step_by(AT_ONCE * every);
                let ended = turns.find(|nth| killed_at(*nth, &sandbox, &cutter));
                assert!(ended.is_some_and(|end| end > 8), "{ended:?} turns");
            });
        }
    });
}

/// Kills a command with a word at its `nth` turn of traffic, and gives it again, twice. Returns whether there was none.
fn killed_at(nth: usize, sandbox: &Sandbox, cutter: &Cutter) -> bool {
    let client = Client::at(&cutter.node, &cutter.catalog, sandbox);
    client.write("jobs.csv", &format!("id,prompt,duration\na,kite {nth},3\n"));
    let run = "run jobs.csv --default endpoint=generate-video --jobs-in-flight 1";
    client.run(run).with(0);
    let before = sandbox.books().settled().len();
    let again = format!("{run} --retake a");
    let killed = cutter.start(Count::Turns, nth, || client.start(&again)).end();
    let place = cutter.sheathe();
    let second = client.run(&again);
    assert!(matches!(second.code, Some(0 | 6)), "{place:?}: {second}");
    client.run(&again).with(6).saying("a@2");
    client.run(run).with(0);
    assert_eq!(sandbox.books().settled().len(), before + 1, "{place:?}: {second}");
    assert_eq!(client.column("jobs.results.csv", "take"), ["2"]);
    assert_eq!(client.rows("jobs.receipts.csv").len(), 2, "{place:?}");
    if place.is_none() {
        killed.with(0);
    }
    place.is_none()
}

#[test]
fn a_manifest_that_goes_back_is_not_bought_back() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    let settled = || sandbox.books().settled().len();
    for (tag, line, code, bought) in [
        ("a", "run jobs.toml", 0, 2),
        ("b", "run jobs.toml", 6, 2),
        ("b", "run jobs.toml --retake-changed --only video", 6, 3),
        ("b", "run jobs.toml --retake-changed", 0, 4),
        ("a", "run jobs.toml --retake-changed", 6, 4),
        ("b", "run jobs.toml --retake-changed", 0, 4),
        ("c", "run jobs.toml --retake-changed --limit 1", 3, 5),
        // One of the two was not reached, and the manifest no longer asks for it.
        ("b", "run jobs.toml", 6, 5),
        ("c", "run jobs.toml", 6, 5),
        ("c", "run jobs.toml --retake-changed", 0, 6),
        ("c", "run jobs.toml --retake-changed", 0, 6),
    ] {
        client.write("jobs.toml", &two_jobs(tag));
        client.run(line).with(code);
        assert_eq!(settled(), bought, "{tag}: {line}");
    }
}

#[test]
fn a_word_that_a_duplicate_stops_says_so_and_nothing_else() {
    let sandbox = Sandbox::start("--sandbox-dedup-s 0");
    let client = Client::of(&sandbox);
    let flags = "--default endpoint=generate-video --default duration=3";
    client.write("june.csv", "id,prompt\nx,a kite\n");
    client.write("july.csv", "id,prompt\na,a boat\nb,a dog\n");
    for name in ["june.csv", "july.csv"] {
        client.run(&format!("run {name} {flags}")).with(0);
    }
    client.write("july.csv", "id,prompt\na,a kite\nb,a fox\n");
    let word = format!("run july.csv {flags} --retake-changed");
    client
        .run(&format!("{word} --dry-run"))
        .with(6)
        .saying("1 job to be bought once more: b")
        .not_saying("2 jobs to be");
    let ended = client.run(&word).with(6).saying("1 job to be bought once more: b").not_saying("2 jobs to be");
    ended
        .saying("1 job was not bought once more")
        .saying("a is job x of the batch june")
        .saying("says so with --duplicates");
    client.run(&word).with(6).not_saying("to be bought once more").saying("1 job was not bought once more");
    assert_eq!(sandbox.books().settled().len(), 4);
    client.run(&format!("{word} --duplicates buy")).with(0).saying("1 job to be bought once more: a");
    assert_eq!(sandbox.books().settled().len(), 5);
}

#[test]
fn a_word_that_waits_for_a_payment_that_may_still_settle_says_until_when() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 600000");
    let client = Client::of(&sandbox);
    client.write("jobs.csv", "id,prompt,duration\na,a kite,3\n");
    let run = "run jobs.csv --default endpoint=generate-video --wait-doubt 1s";
    let running = client.start(run);
    sandbox.wait_for("a payment", |books| books.payments.len() == 1);
    assert!(running.kill());
    client.says("resolve --batch jobs --job a --as lost --note gone").with(0);
    let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
    let until = "SELECT strftime('%Y-%m-%d %H:%M', (i.invoice_expires_at + p.cltv_limit * 1200000) / 1000, 'unixepoch')
        FROM intents i JOIN payments p ON p.id = i.payment";
    let until: String = ledger.query_row(until, [], |row| row.get(0)).unwrap();
    let waits = format!("a is bought once more after {until}");
    let catalog = client.node()[..2].join(" ");
    client
        .says(&format!("plan jobs.csv --default endpoint=generate-video {catalog} --retake a"))
        .with(3)
        .saying(&waits);
    client.run(&format!("{run} --retake a --dry-run")).with(3).saying(&waits);
    client.run(&format!("{run} --retake a")).with(3).saying(&waits);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["earlier_take"]);
    assert_eq!(sandbox.books().payments.len(), 1);
}
