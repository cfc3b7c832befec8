//! `get`: one purchase without a manifest, through the same ledger as a run's.

use crate::harness::{Client, Ended, Process, Sandbox, Screen};

const WORDS: &str = r#"{"prompt":"a-kite","duration":3,"mode":"standard"}"#;

/// An address of that sandbox, and the body that it is asked with.
fn address(sandbox: &Sandbox) -> String {
    format!("get {}/api/l402/generate-video --json {WORDS}", sandbox.origin)
}

/// No secret of a purchase is printed.
fn tells_no_secret(ended: &Ended, client: &Client) {
    let ledger = rusqlite::Connection::open(client.ledger()).unwrap();
    let (token, preimage): (String, Vec<u8>) = ledger
        .query_row("SELECT i.token, p.preimage FROM intents i JOIN payments p ON p.id = i.payment", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let preimage = data_encoding::HEXLOWER.encode(&preimage);
    for said in [&ended.stdout, &ended.stderr] {
        assert!(!said.contains(&token) && !said.contains(&preimage), "{ended}");
    }
}

#[test]
fn an_address_is_bought_once_and_what_came_is_given_again() {
    for scheme in ["l402", "payment"] {
        let sandbox = Sandbox::start(&format!("--sandbox-scheme {scheme}"));
        let client = Client::of(&sandbox);
        let line = address(&sandbox);
        let first = client.asks(&format!("{line} --max-sats 1000")).with(0).saying("delivered");
        let body: serde_json::Value =
            serde_json::from_str(&first.stdout).unwrap_or_else(|error| panic!("{error}: {first}"));
        assert!(body["videoUrl"].is_string(), "what came, and nothing else: {first}");
        tells_no_secret(&first, &client);
        // Without a limit, as nothing is paid; and where its files have gone.
        let folder = client.ledger().with_file_name("ledger.db.gets");
        for gone in [false, true] {
            if gone {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            let again = client.asks(&line).with(0).saying("bought already").saying(" --retake get-");
            assert_eq!(again.stdout, first.stdout, "{again}");
            let manifests = std::fs::read_dir(&folder).unwrap().flatten();
            let manifests = manifests.filter(|entry| entry.path().extension().is_some_and(|of| of == "toml"));
            assert_eq!(manifests.count(), 1, "what the printed command runs");
        }
        let books = sandbox.books();
        assert_eq!((books.settled().len(), books.sales.len()), (1, 2), "asked for its price, then bought");
        client.says("batches").with(0).saying("get-");
    }
}

#[test]
fn an_endpoint_is_bought_into_a_file_which_replaces_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("kite.mp4", "mine");
    let line = "get generate-video prompt=kite duration=3 mode=standard --max-sats 1000 -o kite.mp4";
    client.asks(line).with(2).saying("kite.mp4 is there already").saying("--overwrite");
    assert_eq!(client.read("kite.mp4"), "mine");
    assert!(sandbox.books().sales.is_empty() && !client.ledger().exists(), "nothing was asked, and nothing written");
    let bought = client.asks(&format!("{line} --overwrite")).with(0).saying("written to kite.mp4");
    assert_eq!(bought.stdout, "");
    assert_eq!(&std::fs::read(client.path("kite.mp4")).unwrap()[4..8], b"ftyp");
    // What is here already is no other file.
    client.asks(line).with(0).saying("bought already");
    assert_eq!(sandbox.books().settled().len(), 1);
    let quiet = client.asks("get generate-video prompt=kite duration=3 mode=standard -q").with(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_dry_run_says_the_price_and_leaves_no_trace() {
    let sandbox = Sandbox::start("--sandbox-price-drift-percent 10");
    let client = Client::of(&sandbox);
    let line = format!("{} --dry-run", address(&sandbox));
    let said = client.says(&line).with(0).saying("it costs 990 sats now; nothing was paid, and nothing written");
    assert_eq!(said.stdout, "");
    // As the purchase would end: the routing fee counts.
    for most in [900, 990] {
        let words = format!("max_sats of {most} sats does not hold it");
        client.says(&format!("{line} --max-sats {most}")).with(8).saying(&words);
    }
    client.says(&format!("{line} --max-sats 1100")).with(0);
    client
        .says(&format!("{line} --max-sats-new-origin 990"))
        .with(8)
        .saying("max_sats_new_origin at ")
        .saying("leaves 990 sats");
    client.says(&format!("{line} --max-sats-new-origin 1100")).with(0);
    let config = "../config/l402-batch/config.toml";
    for key in ["max_sats_per_job", "max_sats_per_day", "max_sats_per_month"] {
        let host = sandbox.origin.strip_prefix("http://").unwrap();
        client.write(config, &format!("[origin.\"{host}\"]\n{key} = 990\n"));
        client.says(&line).with(8).saying(&format!("{key} at {host} leaves 990 sats"));
    }
    client.write(config, "");
    client.says(&format!("{line} --lnd-network signet")).with(6).saying("lnd_network is signet");
    let catalog = sandbox.file("catalog.toml").display().to_string();
    let line = format!("get generate-video prompt=kite duration=3 mode=standard --dry-run --catalog {catalog}");
    client.says(&line).with(6).saying("990 sats now, and the catalogue says 900 sats");
    sandbox.books().are_unpaid();
    assert!(!client.ledger().parent().unwrap().exists() && client.files() == ["picture.png"]);
}

/// A token may serve several jobs, and one job costs what the catalogue says: no more, and no less.
#[test]
fn a_price_is_exact_where_a_token_serves_several_jobs() {
    for (percent, asked) in [(-10, 810), (10, 990)] {
        let sandbox = Sandbox::start(&format!("--sandbox-price-drift-percent {percent}"));
        let client = Client::of(&sandbox);
        let table = "[endpoint.generate-video]\n";
        let text = std::fs::read_to_string(sandbox.file("catalog.toml")).unwrap();
        assert!(text.contains(table), "{text}");
        client.write(
            "reusable.toml",
            &text.replacen(table, &format!("{table}dedup_window_s = 0\ncredential = \"reusable\"\n"), 1),
        );
        let line = "get generate-video prompt=kite duration=3 mode=standard --dry-run --catalog reusable.toml";
        client.says(line).with(6).saying(&format!("{asked} sats now, and the catalogue says 900 sats;"));
    }
}

#[test]
fn nobody_to_ask_and_no_limit_buys_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let line = address(&sandbox);
    client.asks(&line).with(2).saying("add --max-sats SATS");
    client.asks(&format!("{line} --max-sats 800")).with(8).saying("it costs 900 sats now");
    client.asks("get generate-video prompt=kite --max-sats 10").with(8);
    for (line, code, words) in [
        ("get generate-vido prompt=kite --max-sats 10", 2, "did you mean \"generate-video\"?"),
        ("get generate-video prmpt=kite --max-sats 10", 2, "did you mean \"prompt\"?"),
        ("get generate-video prompt=kite --json {} --max-sats 10", 2, "go with an address"),
        ("get http://shop.example/x --max-sats 10", 2, "allow_http"),
        ("get https://shop.example/x --json [1] --max-sats 10", 2, "expected a JSON object"),
        ("get https://shop.example/x --json {\"a\":null} --max-sats 10", 2, "null"),
        ("get https://shop.example/x tag=a tag=b --max-sats 10", 2, "tag is given twice"),
        ("get http://127.0.0.1:1/x --method put --json {\"a\":1} --max-sats 10", 3, "cannot be asked"),
        ("get generate-video prompt=kite --max-sats 5000 -o none/kite.mp4", 2, "there is no folder none"),
        ("get generate-video prompt=kite --max-sats 5000 -o /dev/null --overwrite", 2, "it is not a regular file"),
    ] {
        client.asks(line).with(code).saying(words);
    }
    sandbox.books().are_unpaid();
    let left: Vec<_> = std::fs::read_dir(client.ledger().parent().unwrap()).into_iter().flatten().flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name() == "ledger.db.gets"), "{left:?}");
}

#[test]
fn the_same_command_after_a_kill_finishes_the_purchase_and_pays_once() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    let line = format!("{} --max-sats 1000", address(&sandbox));
    let mut command = client.program();
    command.args(line.split_whitespace()).args(client.node_for(&line));
    let process = Process::start(&mut command);
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    process.kill();
    // What is begun has its price, and needs no limit.
    let ended = client.asks(&address(&sandbox)).with(0);
    assert!(ended.stdout.contains("videoUrl"), "{ended}");
    let books = sandbox.books();
    assert_eq!((books.settled().len(), books.sales.len()), (1, 2), "its price is not asked for again: {books:?}");
}

/// What is paid waits for nothing that the words stand for now: it is brought to its end, and nothing new is bought.
#[test]
fn what_was_begun_is_finished_though_its_words_stand_for_something_else() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    let line = "get animate-image image=picture.png prompt=wave duration=5 --max-sats 5000";
    let mut command = client.program();
    command.args(line.split_whitespace()).args(client.node_for(line));
    let process = Process::start(&mut command);
    sandbox.wait_for("a payment is under way", |books| !books.payments.is_empty());
    process.kill();
    let before = std::fs::read(client.path("picture.png")).unwrap();
    std::fs::write(client.path("picture.png"), [&before[..], &[0]].concat()).unwrap();
    let ended = client.asks(line).with(6).saying("have begun to");
    assert_eq!(ended.stdout, "", "{ended}");
    assert!(sandbox.books().sales.iter().any(|sale| sale.delivered_count > 0), "{ended}");
    std::fs::write(client.path("picture.png"), before).unwrap();
    client.asks(line).with(0).saying("bought already");
    assert_eq!(sandbox.books().settled().len(), 1);
}

/// On a terminal a person is asked, with the price of now.
#[test]
fn a_person_is_asked_with_the_price() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let line = address(&sandbox);
    let mut command = client.program();
    command.args(line.split_whitespace()).args(client.node_for(&line));
    for (key, code, paid) in [("n\n", 3, 0), ("y\n", 0, 1)] {
        let Some(mut screen) = Screen::start(&command, 100) else { return };
        screen.wait_until("the question", |shown| shown.contains("[y/N]"));
        assert!(screen.shown().contains("buy 1 job for 900 sats"), "{}", screen.shown());
        screen.types(key);
        let (ended, shown) = screen.end();
        assert_eq!(ended, Some(code), "{shown}");
        assert_eq!(sandbox.books().settled().len(), paid, "{shown}");
    }
}

/// A price that has risen since is the seller's word of now, where nothing was begun; and what was not delivered is not bought anew.
#[test]
fn what_is_paid_and_not_delivered_is_not_bought_again() {
    let sandbox = Sandbox::start("--sandbox-scheme payment --sandbox-answer consumed");
    let client = Client::of(&sandbox);
    let line = format!("{} --max-sats 5000", address(&sandbox));
    for _ in 0..2 {
        let ended = client.asks(&line).with(4);
        assert_eq!(ended.stdout, "", "{ended}");
    }
    assert_eq!(sandbox.books().settled().len(), 1);
}

#[test]
fn play_money_buys_what_is_built_in() {
    let client = Client::alone();
    let line = "get generate-video prompt=kite duration=3 --sandbox -o kite.mp4";
    client.says(line).with(0).saying("play money").saying("written to kite.mp4");
    assert_eq!(&std::fs::read(client.path("kite.mp4")).unwrap()[4..8], b"ftyp");
    client.says("get https://shop.example/x --sandbox").with(2).saying("--sandbox sells what is built in");
}

/// The words are the same, and what they stand for is not: that is neither given nor bought.
#[test]
fn what_the_same_words_have_bought_before_is_not_given_for_something_else() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let picture = "get animate-image image=picture.png prompt=wave duration=5 --max-sats 5000";
    let video = "get generate-video prompt=kite duration=3 mode=standard --max-sats 5000";
    for line in [picture, video] {
        client.asks(line).with(0);
        client.asks(line).with(0).saying("bought already");
    }
    assert!(!client.asks(&format!("{video} -o -")).with(0).stdout.is_empty(), "`-` is standard output");
    let folder = client.ledger().with_extension("db.gets").join("files");
    let kept: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in &kept {
        let came = std::fs::read(file).unwrap();
        std::fs::write(file, [&came[..], b"more"].concat()).unwrap();
    }
    let ended = client.asks(video).saying("is not what came any more");
    assert!(ended.code != Some(0) && ended.stdout.is_empty(), "{ended}");
    kept.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    client.asks(video).with(0).saying("bought already");
    let mut changed = std::fs::read(client.path("picture.png")).unwrap();
    changed.push(0);
    std::fs::write(client.path("picture.png"), changed).unwrap();
    client.write("other.toml", "[endpoint.generate-video]\nurl = \"http://127.0.0.1:1/other\"\n");
    // The client's catalogue is the last one, and wins: so the other one is named alone.
    let mut elsewhere = client.program();
    let node = client.node_for("status");
    elsewhere.args(video.split_whitespace()).args(node).args(["--catalog", "other.toml"]);
    for ended in [client.asks(picture), Process::start(&mut elsewhere).end()] {
        let ended = ended.with(6).saying("have bought something else").saying("status --batch get-");
        assert_eq!(ended.stdout, "", "{ended}");
    }
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// A variable that says what a manifest's jobs have by default says nothing of what is typed.
#[test]
fn no_variable_says_what_is_bought() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let catalog = sandbox.file("catalog.toml").display().to_string();
    let line = format!("get generate-video prompt=kite duration=3 --dry-run --catalog {catalog}");
    let plain = client.says(&line).with(0);
    let mut command = client.program();
    command.args(line.split_whitespace()).env("L402_BATCH_DEFAULT", "mode=pro").env("L402_BATCH_ONLY", "other");
    assert_eq!(Process::start(&mut command).end().with(0).stderr, plain.stderr);
}

#[test]
fn a_file_that_came_during_the_purchase_stays() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 1500");
    let client = Client::of(&sandbox);
    let line = "get generate-video prompt=kite duration=3 --max-sats 5000 -o kite.mp4";
    let mut command = client.program();
    command.args(line.split_whitespace()).args(client.node_for(line));
    let process = Process::start(&mut command);
    sandbox.wait_for("a payment", |books| !books.payments.is_empty());
    client.write("kite.mp4", "mine");
    process.end().with(3).saying("kite.mp4 cannot be written; what came is ");
    assert_eq!(client.read("kite.mp4"), "mine");
}

/// On a terminal, too, the seller's word of now is not the bound of what nobody is asked about; and no bytes steer it.
#[test]
fn a_terminal_is_neither_a_bound_nor_a_file() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let video = "get generate-video prompt=kite duration=3 --yes --max-sats 5000";
    for (line, code, words) in
        [(&*format!("{} --yes", address(&sandbox)), 2, "nobody is asked"), (video, 0, "no text for a terminal")]
    {
        let mut command = client.program();
        command.args(line.split_whitespace()).args(client.node_for(line));
        let Some(mut screen) = Screen::start(&command, 100) else { return };
        let (ended, shown) = screen.end();
        assert_eq!(ended, Some(code), "{shown}");
        assert!(shown.contains(words) && !shown.contains("ftyp"), "{shown}");
    }
    assert_eq!(sandbox.books().settled().len(), 1);
}
