//! A run that is refused changes nothing of what was accepted before: neither which jobs there are, nor what they ask for, nor whom.

use rusqlite::Connection;

use crate::harness::{Client, Count, Cutter, Process, Sandbox, Screen};

const RUN: &str = "run jobs.csv --default endpoint=generate-video --default duration=3";
const RESULTS: &str = "run jobs.results.csv";
/// One is delivered, two were accepted with it.
const ACCEPTED: &str = "id,prompt\na,a kite\nb,a boat\nc,a tree\n";
/// One is another, one has gone, and one is new.
const EDITED: &str = "id,prompt\na,a kite\nb,another boat\nd,a dog\n";

/// Every row of the ledger that a plan has to do with, to the byte. When files were written last is none of it.
fn books(client: &Client) -> Vec<String> {
    let books = Connection::open(client.ledger()).unwrap();
    books
        .execute_batch("CREATE TEMP TABLE batches AS SELECT * FROM main.batches; UPDATE batches SET written = NULL")
        .unwrap();
    let mut rows = Vec::new();
    for table in ["batches", "jobs", "endpoints", "transitions", "payments", "decisions", "trusts"] {
        let mut all = books.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let columns = all.column_count();
        let mut found = all.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells: Vec<_> = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap())).collect();
            rows.push(format!("{table}: {}", cells.join(", ")));
        }
    }
    rows
}

/// A batch of which one job is delivered and two are to be bought, and whose manifest was edited since.
fn edited(sandbox: &Sandbox) -> Client {
    let client = Client::of(sandbox);
    client.write("jobs.csv", ACCEPTED);
    client.run(&format!("{RUN} --limit 1")).with(3);
    client.write("jobs.csv", EDITED);
    client
}

/// What was accepted is bought by its results, as it was accepted.
#[track_caller]
fn is_bought_as_accepted(client: &Client, sandbox: &Sandbox, way: &str) {
    client.run(RESULTS).with(0);
    let columns = ["id", "prompt", "state"].map(|column| client.column("jobs.results.csv", column));
    let expected = [vec!["a", "b", "c"], vec!["a kite", "a boat", "a tree"], vec!["delivered"; 3]];
    assert_eq!(columns, expected, "{way}");
    assert_eq!(sandbox.books().settled().len(), 3, "{way}");
}

/// Refuses a run of the edited manifest in that way.
fn refused(way: &str, refuse: impl FnOnce(Client, &Sandbox) -> Client) {
    let sandbox = Sandbox::start("--sandbox-balance-sats 5000");
    let client = edited(&sandbox);
    let (before, results) = (books(&client), client.read("jobs.results.csv"));
    let client = refuse(client, &sandbox);
    let after = books(&client);
    assert!(before == after, "{way}\n{}\nis\n{}", before.join("\n"), after.join("\n"));
    assert_eq!(client.read("jobs.results.csv"), results, "{way}");
    is_bought_as_accepted(&client, &sandbox, way);
}

#[test]
fn an_edited_manifest_that_no_limit_and_no_node_lets_through_is_none() {
    refused("without a word", |client, _| {
        client.asks(RUN).with(2).saying("there is no terminal to ask on");
        client
    });
    refused("--max-sats", |client, _| {
        client.run(&format!("{RUN} --max-sats 1")).with(8).saying("does not hold the worst case");
        client
    });
    refused("no node", |client, sandbox| {
        let nobody = Client::at("https://127.0.0.1:1", &sandbox.file("catalog.toml"), sandbox).instead_of(client);
        nobody.run(RUN).with(9).saying("cannot be reached");
        Client::of(sandbox).instead_of(nobody)
    });
    refused("poor channels", |client, _| {
        client.write("jobs.csv", "id,prompt,duration\na,a kite,3\nb,another boat,10\n");
        client.run(RUN).with(9).saying("channels hold 3,648 sats");
        client
    });
}

/// A run that asks.
fn on_a_terminal(client: &Client, line: &str) -> Option<Screen> {
    let mut run = client.program();
    run.args(line.split_whitespace()).args(client.node()).args(["--max-sats", "100000"]);
    Screen::start(&run, 120)
}

/// A run of the edited manifest that waits at its question.
fn asking(client: &Client) -> Option<Screen> {
    let screen = on_a_terminal(client, RUN)?;
    screen.wait_until("the question", |shown| shown.contains("buy 2 jobs for 2,700 sats"));
    Some(screen)
}

#[test]
fn an_edited_manifest_that_nobody_says_yes_to_is_none() {
    for (way, keys, code) in [("no", "n\n", 3), ("Ctrl-C", "\u{3}", 130)] {
        refused(way, |client, _| {
            if let Some(mut screen) = asking(&client) {
                screen.types(keys);
                let (ended, shown) = screen.end();
                assert_eq!(ended, Some(code), "{shown}");
            }
            client
        });
    }
    // Killed at it, it has not said so either.
    refused("killed", |client, _| {
        drop(asking(&client));
        client
    });
}

/// Nor is one for which the ledger's disk has no room.
#[test]
fn an_edited_manifest_for_which_there_is_no_room_is_none() {
    refused("room", |client, _| {
        let script = r#"
            mkdir small && mount -t tmpfs -o size=40m tmpfs small && cp -r ../state/l402-batch/. small/
            head -c 12m /dev/zero > small/filler
            "$@" --ledger small/ledger.db; echo "it ended with $?"
            rm small/filler; rm -r ../state/l402-batch; cp -r small ../state/l402-batch"#;
        if let Some(ended) = client.shell_that_mounts(script, &client.buying(RUN)) {
            ended.saying("it ended with 7").saying("KiB free, and buying needs");
        }
        client
    });
}

/// Whoever only asked what another catalogue comes to has moved nothing there.
#[test]
fn a_catalogue_that_was_refused_sells_nothing() {
    let (sandbox, other) = (Sandbox::start(""), Sandbox::start(""));
    let client = Client::of(&sandbox);
    client.write("jobs.csv", ACCEPTED);
    client.run(&format!("{RUN} --limit 1")).with(3);
    let before = books(&client);
    let elsewhere = Client::of(&other).instead_of(client);
    elsewhere.run(&format!("{RUN} --max-sats 1")).with(8);
    let client = Client::of(&sandbox).instead_of(elsewhere);
    assert_eq!(books(&client), before);
    is_bought_as_accepted(&client, &sandbox, "another catalogue");
    other.books().are_empty();
}

/// What a results file finds is not written either where it is not accepted: here that one job costs too much.
#[test]
fn a_results_file_that_is_refused_is_none() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.csv", "id,prompt,duration\na,a kite,3\nb,a boat,3\nc,a tree,10\n");
    client.run("run jobs.csv --default endpoint=generate-video --limit 1").with(3);
    let before = books(&client);
    client
        .run(&format!("{RESULTS} --max-sats-per-job 2000 --max-sats 1"))
        .with(4)
        .saying("above what one job may cost");
    client.asks(&format!("{RESULTS} --max-sats-per-job 2000")).with(2);
    assert_eq!(books(&client), before);
    is_bought_as_accepted(&client, &sandbox, "results");
}

/// Another batch buys what a run has asked a person for: it is counted anew, and nothing is bought but what is accepted then.
#[test]
fn what_another_batch_buys_while_a_person_thinks_is_asked_for_anew() {
    let sandbox = Sandbox::start("");
    let client = edited(&sandbox);
    let Some(mut screen) = asking(&client) else { return };
    let before = books(&client);
    client.write("june.csv", "prompt\na dog\n");
    client.run(&RUN.replace("jobs", "june")).with(0);
    screen.types("y\n");
    screen.wait_until("the duplicate", |shown| shown.contains("buy 1 job once more for 1,350 sats?"));
    assert!(screen.shown().contains("is no longer what was counted"), "{}", screen.shown());
    let of_jobs = |rows: Vec<String>| -> Vec<_> { rows.into_iter().filter(|row| before.contains(row)).collect() };
    assert_eq!(of_jobs(books(&client)), before, "nothing was taken in");
    screen.types("n\n");
    screen.wait_until("the question", |shown| shown.contains("buy 1 job for 1,350 sats"));
    screen.types("y\n");
    let (code, shown) = screen.end();
    assert_eq!(code, Some(6), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 3, "{shown}");
    assert_eq!(client.column("jobs.results.csv", "reason"), ["", "", "withdrawn", "duplicate"], "{shown}");
}

/// Where nobody is to be asked about a new batch, its node is asked before it is counted what there is to buy: nothing overtakes it then.
#[test]
fn what_another_batch_buys_while_the_node_thinks_is_counted_at_once() {
    let sandbox = Sandbox::start("");
    let cutter = Cutter::before(&sandbox);
    let (client, other) = (Client::at(&cutter.node, &cutter.catalog, &sandbox), Client::of(&sandbox));
    let ledger = client.path("ledger.db").display().to_string();
    client.write("jobs.csv", "prompt\na kite\na dog\n");
    other.write("june.csv", "prompt\na dog\n");
    let mut june = other.buying(&format!("{} --ledger {ledger}", RUN.replace("jobs", "june")));
    let buys = move || drop(Process::start(&mut june).end().with(0));
    let run = || client.start(&format!("{RUN} --ledger {ledger}"));
    let ended = cutter.start_and(Count::Pieces, 1, run, Some(Box::new(buys))).end().with(6);
    ended.saying("bought already").not_saying("is no longer what was counted");
    assert_eq!(sandbox.books().settled().len(), 2);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["", "duplicate"]);
}

/// Whoever is overtaken at each answer has accepted nothing, and nothing is bought.
#[test]
fn who_is_overtaken_again_and_again_buys_nothing() {
    let sandbox = Sandbox::start("");
    let client = edited(&sandbox);
    let prompts = ["one", "two", "three", "four"];
    client.write("jobs.csv", &format!("id,prompt\na,a kite\n{}", prompts.map(|it| format!("{it},{it}\n")).concat()));
    let before = books(&client);
    let Some(mut screen) = on_a_terminal(&client, &format!("{RUN} --duplicates skip")) else { return };
    for (prompt, question) in prompts.iter().zip(["buy 4 jobs for", "buy 3 jobs for", "buy 2 jobs for"]) {
        screen.wait_until(question, |shown| shown.contains(question));
        client.write(&format!("{prompt}.csv"), &format!("prompt\n{prompt}\n"));
        client.run(&RUN.replace("jobs", prompt)).with(0);
        screen.types("y\n");
    }
    let (code, shown) = screen.end();
    assert_eq!(code, Some(6), "{shown}");
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("meanwhile, again and again; nothing was bought"), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 4, "{shown}");
    assert!(before.iter().all(|row| books(&client).contains(row)), "{shown}");
}

/// A manifest that is edited while a person thinks about it is not what the person says yes to.
#[test]
fn what_is_edited_at_the_question_is_not_accepted() {
    refused("edited", |client, _| {
        if let Some(mut screen) = asking(&client) {
            client.write("jobs.csv", &EDITED.replace("another boat", "a third boat"));
            screen.types("y\n");
            let (code, shown) = screen.end();
            assert_eq!(code, Some(2), "{shown}");
            assert!(shown.contains("the file was written to while it was read"), "{shown}");
        }
        client
    });
}

/// What was said of one duplicate is said of no other: another batch buys one more while a person thinks about the first.
#[test]
fn a_word_for_one_duplicate_is_none_for_what_becomes_one_meanwhile() {
    let sandbox = Sandbox::start("");
    let client = edited(&sandbox);
    client.write("june.csv", "prompt\na dog\n");
    client.run(&RUN.replace("jobs", "june")).with(0);
    let Some(mut screen) = on_a_terminal(&client, RUN) else { return };
    screen.wait_until("the duplicate", |shown| shown.contains("buy 1 job once more for 1,350 sats?"));
    client.write("july.csv", "prompt\nanother boat\n");
    client.run(&RUN.replace("jobs", "july")).with(0);
    screen.types("y\n");
    screen.wait_until("the question", |shown| shown.contains("buy 2 jobs for 2,700 sats"));
    screen.types("y\n");
    screen.wait_until("both duplicates", |shown| shown.contains("buy 2 jobs once more for 2,700 sats?"));
    assert!(screen.shown().contains("is no longer what was counted"), "{}", screen.shown());
    screen.types("n\n");
    let (code, shown) = screen.end();
    assert_eq!(code, Some(6), "{shown}");
    assert_eq!(sandbox.books().settled().len(), 3, "{shown}");
    assert_eq!(client.column("jobs.results.csv", "reason"), ["", "duplicate", "withdrawn", "duplicate"], "{shown}");
}
