//! The same purchase under another name: the seller's books show one sale a request, whatever a person calls it.

use serde_json::Value;

use crate::foretold::World;
use crate::harness::{Client, Sandbox};

const FLAGS: &str = "--default endpoint=generate-video --default duration=3 --default mode=standard";

/// A manifest with one prompt a row.
fn prompts(prompts: &[&str]) -> String {
    prompts.iter().fold("prompt\n".to_owned(), |text, prompt| text + prompt + "\n")
}

/// A manifest with an id and a prompt a row.
fn rows(rows: &[(&str, &str)]) -> String {
    rows.iter().fold("id,prompt\n".to_owned(), |text, (id, prompt)| format!("{text}{id},{prompt}\n"))
}

/// One who has bought what this manifest says.
fn bought(manifest: &str, text: &str, flags: &str) -> (Sandbox, Client) {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write(manifest, text);
    client.run(&format!("run {manifest} {flags}")).with(0);
    (sandbox, client)
}

/// So many purchases were made, and no request was paid for twice.
#[track_caller]
fn sold(sandbox: &Sandbox, count: usize) {
    let books = sandbox.books();
    let mut paid: Vec<_> = books.sales.iter().filter(|sale| sale.paid).map(|sale| &sale.body_sha256).collect();
    assert_eq!((paid.len(), books.settled().len()), (count, count), "{books:?}");
    paid.sort();
    paid.dedup();
    assert_eq!(paid.len(), count, "a request was paid for twice: {books:?}");
}

fn reasons(client: &Client, stem: &str) -> Vec<String> {
    client.column(&format!("{stem}.results.csv"), "reason")
}

#[test]
fn an_id_column_that_is_added_buys_nothing_again() {
    let (sandbox, client) = bought("shots.csv", &prompts(&["a kite", "a boat"]), FLAGS);
    client.write("shots.csv", &rows(&[("one", "a kite"), ("two", "a boat"), ("three", "a dog")]));
    let ended = client.run(&format!("run shots.csv {FLAGS}"));
    ended.with(6).saying("2 jobs for 1,800 sats are bought already under another name").saying("of the batch shots");
    sold(&sandbox, 3);
    let reason =
        |id: &str| client.rows("shots.results.csv").into_iter().find(|row| row["id"] == id).unwrap()["reason"].clone();
    assert_eq!(["one", "two", "three"].map(reason), ["duplicate", "duplicate", ""]);
    client.run(&format!("run shots.csv {FLAGS}")).with(6);
    sold(&sandbox, 3);
}

#[test]
fn row_numbers_that_shift_buy_nothing_again() {
    let (sandbox, client) = bought("shots.csv", &rows(&[("1", "a kite"), ("2", "a boat")]), FLAGS);
    client.write("shots.csv", &rows(&[("1", "a dog"), ("2", "a kite"), ("3", "a boat")]));
    client.run(&format!("run shots.csv {FLAGS}")).with(6);
    sold(&sandbox, 2);
    assert_eq!(reasons(&client, "shots"), ["changed", "changed", "duplicate"]);
    // Put back in order, the new one is bought: nothing else was lost on the way.
    client.write("shots.csv", &rows(&[("1", "a kite"), ("2", "a boat"), ("3", "a dog")]));
    client.run(&format!("run shots.csv {FLAGS}")).with(0);
    sold(&sandbox, 3);
}

#[test]
fn a_renamed_manifest_with_one_row_more_buys_that_row() {
    let (sandbox, client) = bought("june.csv", &prompts(&["a kite", "a boat"]), FLAGS);
    client.write("july.csv", &prompts(&["a kite", "a boat", "a dog"]));
    client.run(&format!("run july.csv {FLAGS}")).with(6).saying("of the batch june");
    sold(&sandbox, 3);
    let error = &client.column("july.results.csv", "error")[0];
    assert!(error.contains("of the batch june"), "{error}");
    client.says("status --batch july").with(6).saying("duplicate");
}

#[test]
fn a_temporary_manifest_that_grows_each_night_under_a_new_name_buys_what_is_new() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let mut all = Vec::new();
    for (night, prompt) in ["a kite", "a boat", "a dog"].into_iter().enumerate() {
        all.push(prompt);
        let name = format!("tmp.{night}.csv");
        client.write(&name, &prompts(&all));
        let batch = format!("--batch night-{night} --results r{night}.csv --receipts s{night}.csv");
        client.run(&format!("run {name} {FLAGS} {batch}")).with(if night == 0 { 0 } else { 6 });
        sold(&sandbox, night + 1);
    }
}

#[test]
fn a_copy_with_other_ids_buys_nothing() {
    let (sandbox, client) = bought("june.csv", &rows(&[("a", "a kite"), ("b", "a boat")]), FLAGS);
    client.write("copy.csv", &rows(&[("x", "a kite"), ("y", "a boat")]));
    client.run(&format!("run copy.csv {FLAGS}")).with(6);
    sold(&sandbox, 2);
    let events = client.run(&format!("run copy.csv {FLAGS} --json")).with(6).stdout;
    let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!(last["needs_person"][0]["reason"], "duplicate", "{last}");
}

#[test]
fn identical_rows_of_one_manifest_are_both_meant() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("june.csv", &prompts(&["a kite", "a kite"]));
    client.run(&format!("run june.csv {FLAGS} --limit 1")).with(3);
    client.run(&format!("run june.csv {FLAGS}")).with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    // One row more of the same is meant as well, and the same rows in another batch are not.
    client.write("june.csv", &prompts(&["a kite", "a kite", "a kite"]));
    client.run(&format!("run june.csv {FLAGS}")).with(0);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.write("july.csv", &prompts(&["a kite", "a kite", "a kite"]));
    client.run(&format!("run july.csv {FLAGS}")).with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
}

/// Neither plan knows of the other's purchases when it is loaded.
#[test]
fn two_batches_that_start_together_buy_once() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 200 --sandbox-latency-ms 40");
    let client = Client::of(&sandbox);
    let prompts = prompts(&["a kite", "a boat", "a dog", "a tree"]);
    let runs = ["june", "july"].map(|name| {
        client.write(&format!("{name}.csv"), &prompts);
        client.start(&format!("run {name}.csv {FLAGS}"))
    });
    let codes: Vec<_> = runs.into_iter().map(|run| run.end().code).collect();
    assert!(codes.iter().all(|code| [Some(0), Some(6)].contains(code)), "{codes:?}");
    sold(&sandbox, 4);
    let both = ["june", "july"].map(|name| reasons(&client, name)).concat();
    assert_eq!(both.iter().filter(|reason| *reason == "duplicate").count(), 4, "{both:?}");
}

#[test]
fn duplicates_are_bought_by_word_and_once() {
    let (sandbox, client) = bought("june.csv", &prompts(&["a kite", "a boat"]), FLAGS);
    client.write("july.csv", &prompts(&["a kite", "a boat"]));
    let buy = format!("run july.csv {FLAGS} --duplicates buy");
    // A word that a limit did not let through is none for the next run, of which nobody asked it.
    for flag in ["--dry-run", ""] {
        client.run(&format!("{buy} --max-sats 1 {flag}")).with(8).saying("nothing was bought");
    }
    client.run(&format!("run july.csv {FLAGS}")).with(6);
    assert_eq!(sandbox.books().settled().len(), 2);
    // Nor is it one for what a limit leaves out.
    client.run(&format!("{buy} --limit 1")).with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
    client.run(&format!("run july.csv {FLAGS}")).with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
    assert_eq!(client.column("july.results.csv", "state"), ["delivered", "refused"]);
    client.run(&buy).with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
    // Once it was carried out it buys nothing more.
    client.run(&buy).with(0).saying("nothing to do").not_saying("--duplicates buy");
    assert_eq!(sandbox.books().settled().len(), 4);
    // A word for one job is none for the other.
    client.write("august.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    client.run(&format!("run august.csv {FLAGS} --duplicates buy --only a")).with(6).not_saying("--duplicates buy");
    client.run(&format!("run august.csv {FLAGS}")).with(6);
    assert_eq!(sandbox.books().settled().len(), 5);
    assert_eq!(client.column("august.results.csv", "state"), ["delivered", "refused"]);
}

#[test]
fn a_manifest_can_say_that_duplicates_are_bought_and_a_variable_cannot() {
    let (sandbox, client) = bought("june.csv", &prompts(&["a kite"]), FLAGS);
    client.write("july.csv", &prompts(&["a kite"]));
    let head = "version = 1\n[defaults]\nendpoint = \"generate-video\"\nduration = 3\nmode = \"standard\"\n\
                [rows]\nfile = \"july.csv\"\n";
    client.write("july.toml", &format!("duplicates = \"skip\"\n{head}"));
    client.run("run july.toml").with(6);
    sold(&sandbox, 1);
    client.write("july.toml", &format!("duplicates = \"buy\"\n{head}"));
    client.run("run july.toml --duplicates skip").with(6);
    sold(&sandbox, 1);
    client.run("run july.toml").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    let mut command = client.buying("run july.toml");
    command.env("L402_BATCH_DUPLICATES", "buy");
    crate::harness::Process::start(&mut command).end().with(2).saying("on the command line or in the manifest");
}

#[test]
fn an_edition_is_compared_within_itself() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let manifest = |edition: &str| {
        format!("version = 1\n{edition}\n[[job]]\nendpoint = \"generate-video\"\nprompt = \"a kite\"\nduration = 3\n")
    };
    for (name, edition, code, count) in [
        ("a", "edition = \"monday\"", 0, 1),
        ("b", "edition = \"monday\"", 6, 1),
        ("c", "edition = \"tuesday\"", 0, 2),
        ("d", "edition = \"{date}\"", 0, 3),
        ("e", "edition = \"{date}\"", 6, 3),
        // What names no edition is compared with everything.
        ("f", "", 6, 3),
    ] {
        client.write(&format!("{name}.toml"), &manifest(edition));
        client.run(&format!("run {name}.toml")).with(code);
        assert_eq!(sandbox.books().settled().len(), count, "{name}");
    }
    client.write("h.toml", &manifest("edition = \"{day}\""));
    client.run("run h.toml").with(2).saying("perhaps with {date}");
}

#[test]
fn what_was_bought_without_an_edition_is_bought_in_none() {
    let (sandbox, client) = bought("june.csv", &prompts(&["a kite"]), FLAGS);
    client.write(
        "july.toml",
        "version = 1\nedition = \"july\"\n[[job]]\nendpoint = \"generate-video\"\nprompt = \"a kite\"\n\
         duration = 3\nmode = \"standard\"\n",
    );
    client.run("run july.toml").with(6).saying("of the batch june");
    sold(&sandbox, 1);
}

/// A take that is set aside would show no URL of what is paid for.
#[test]
fn a_retake_that_is_a_duplicate_does_not_hide_what_is_delivered() {
    let (sandbox, client) = bought("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]), FLAGS);
    let urls = client.column("shots.results.csv", "url");
    let in_order = client.read("shots.csv");
    client.write("shots.csv", &rows(&[("a", "a boat"), ("b", "a kite")]));
    let line = format!("run shots.csv {FLAGS}");
    for flag in [" --retake-changed", "", " --retake-changed", " --retake a,b"] {
        client.run(&format!("{line}{flag}")).with(6);
        assert_eq!(client.column("shots.results.csv", "url"), urls, "{flag}");
        assert_eq!(client.column("shots.results.csv", "take"), ["1", "1"], "{flag}");
        assert_eq!(reasons(&client, "shots"), ["changed", "changed"], "{flag}");
        sold(&sandbox, 2);
    }
    client.write("shots.csv", &in_order);
    client.run(&line).with(0).saying("nothing to do");
    assert_eq!(reasons(&client, "shots"), ["", ""]);
    assert_eq!(client.column("shots.results.csv", "url"), urls);
    sold(&sandbox, 2);
    // Meant, they are bought: one take more of each.
    client.write("shots.csv", &rows(&[("a", "a boat"), ("b", "a kite")]));
    client.run(&format!("{line} --retake-changed --duplicates buy --limit 1")).with(6);
    assert_eq!(sandbox.books().settled().len(), 3);
    assert_eq!(client.column("shots.results.csv", "take"), ["2", "1"]);
    assert_eq!(client.column("shots.results.csv", "state"), ["delivered", "delivered"]);
}

/// A take that is accepted and comes to no payment, or to one that dies, leaves what is delivered where it is seen.
#[test]
fn a_retake_that_is_not_paid_for_hides_nothing() {
    let (mut sandbox, client) = bought("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]), FLAGS);
    let urls = client.column("shots.results.csv", "url");
    let line = format!("run shots.csv {FLAGS}");
    sandbox.restart_with("--sandbox-fail-pay-percent 100");
    client.run(&format!("{line} --retake a")).with(3);
    let seen = |next: [&str; 2]| {
        assert_eq!(client.column("shots.results.csv", "url"), urls);
        assert_eq!(client.column("shots.results.csv", "take"), ["1", "1"]);
        assert_eq!(client.column("shots.results.csv", "state"), ["delivered", "delivered"]);
        assert_eq!(client.column("shots.results.csv", "next"), next);
    };
    seen(["rerun", "none"]);
    let error = &client.column("shots.results.csv", "error")[0];
    assert!(error.starts_with("take 2 is failed (payment_timeout)"), "{error}");
    // What is to be done stands in `status`, and running the results does it.
    client.says("status --batch shots").with(3).saying("payment found no way");
    client.run("run shots.results.csv").with(3);
    // Now it is what the other row has delivered: set aside, with its dead payments.
    client.write("shots.csv", &rows(&[("a", "a boat"), ("b", "a kite")]));
    client.run(&line).with(6);
    seen(["person", "person"]);
    client.run(&line).with(6);
    // And back: as if it had never been asked for.
    sandbox.restart_with("");
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    for _ in 0..2 {
        client.run(&line).with(0).saying("everything is delivered");
        seen(["none", "none"]);
        assert_eq!(client.column("shots.results.csv", "error"), ["", ""]);
        client.says("status --batch shots").with(0).saying("delivered       2");
    }
    sold(&sandbox, 2);
}

#[test]
fn what_was_refunded_or_never_paid_is_no_original() {
    let sandbox = Sandbox::start("--sandbox-refund-percent 100");
    let client = Client::of(&sandbox);
    client.write("june.csv", &prompts(&["a kite"]));
    client.run(&format!("run june.csv {FLAGS}"));
    client.run("recover --batch june");
    assert_eq!(client.column("june.results.csv", "state"), ["refunded"]);
    client.write("july.csv", &prompts(&["a kite"]));
    client.run(&format!("run july.csv {FLAGS}")).not_saying("under another name");
    assert_eq!(sandbox.books().settled().len(), 2);
}

/// The built-in endpoint's parameters, with one more default.
const ONE_DEFAULT_MORE: &str = "[endpoint.generate-video.params]\nprompt = { type = \"text\", required = true }\n\
    modelId = { type = \"integer-or-text\", default = 7 }\nduration = { type = \"integer\", min = 3, max = 15, default = 5 }\n\
    mode = { type = \"choice\", values = [\"standard\", \"pro\"], default = \"pro\" }\n\
    generate_audio = { type = \"boolean\", default = false }\n";

#[test]
fn one_default_more_in_the_catalogue_changes_jobs_and_makes_no_new_ones() {
    let (sandbox, client) = bought("shots.csv", &prompts(&["a kite", "a kite", "a boat"]), FLAGS);
    let ids = client.column("shots.results.csv", "id");
    client.write("more.toml", ONE_DEFAULT_MORE);
    let line = format!("run shots.csv --catalog more.toml {FLAGS}");
    client.run(&line).with(6).saying("a default of the catalogue that has changed");
    assert_eq!(client.column("shots.results.csv", "id"), ids, "no job is added");
    assert_eq!(reasons(&client, "shots"), ["changed"; 3]);
    // One row more is new, and bought as the catalogue is now.
    client.write("shots.csv", &prompts(&["a dog", "a kite", "a kite", "a boat"]));
    client.run(&line).with(6);
    assert_eq!(sandbox.books().settled().len(), 4);
    assert_eq!(reasons(&client, "shots"), ["", "changed", "changed", "changed"]);
    // The catalogue as it was: nothing has changed. The new row was bought under the other one, and is changed in turn.
    client.run(&format!("run shots.csv {FLAGS}")).with(6);
    assert_eq!(reasons(&client, "shots"), ["changed", "", "", ""]);
    client.run(&format!("{line} --retake-changed")).with(0);
    assert_eq!(sandbox.books().settled().len(), 7);
    client.run(&line).with(0).saying("nothing to do");
    assert_eq!(sandbox.books().settled().len(), 7);
    assert_eq!(client.column("shots.results.csv", "take"), ["1", "2", "2", "2"]);
}

#[test]
fn one_default_more_leaves_what_is_open_and_replaces_what_is_not_bought() {
    let sandbox = Sandbox::start("--sandbox-accept --sandbox-accept-ms 3600000");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &prompts(&["a kite", "a boat"]));
    client.write("more.toml", ONE_DEFAULT_MORE);
    let running = client.start(&format!("run shots.csv {FLAGS} --limit 1"));
    sandbox.wait_for("accepted", |books| books.sales.iter().any(|sale| sale.paid));
    running.kill();
    let running = client.start(&format!("run shots.csv --catalog more.toml {FLAGS}"));
    sandbox.wait_for("the other one", |books| books.sales.iter().filter(|sale| sale.paid).count() == 2);
    running.kill();
    sold(&sandbox, 2);
    let sales = sandbox.books().sales;
    assert_eq!(sales.iter().filter(|sale| sale.paid).count(), 2, "{sales:?}");
}

/// Each night's manifest has a name of its own, and the catalogue's default of a parameter was changed between two of them.
#[test]
fn one_default_more_under_another_name_buys_nothing_again() {
    let (sandbox, client) = bought("mon.csv", &prompts(&["a kite", "a boat"]), FLAGS);
    client.write("more.toml", ONE_DEFAULT_MORE);
    client.write("tue.csv", &prompts(&["a kite", "a boat", "a dog"]));
    let line = format!("run tue.csv --catalog more.toml {FLAGS}");
    client.run(&line).with(6).saying("2 jobs for 1,800 sats").saying("before a default of the catalogue changed");
    sold(&sandbox, 3);
    assert_eq!(reasons(&client, "tue"), ["duplicate", "duplicate", ""]);
    let error = &client.column("tue.results.csv", "error")[0];
    assert!(error.contains("of the batch mon") && error.contains("a default of the catalogue"), "{error}");
    client.run(&line).with(6);
    client.run(&format!("run tue.csv {FLAGS}")).with(6);
    sold(&sandbox, 3);
    // Whoever means it says so.
    client.run(&format!("{line} --duplicates buy --limit 1")).with(6);
    sold(&sandbox, 4);
}

/// With ids of one's own, too: what is bought is changed, and what is not is bought as the catalogue is now.
#[test]
fn identical_rows_are_both_meant_when_a_default_has_changed() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a kite")]));
    client.write("more.toml", ONE_DEFAULT_MORE);
    client.run(&format!("run shots.csv {FLAGS} --limit 1")).with(3);
    client.run(&format!("run shots.csv --catalog more.toml {FLAGS}")).with(6);
    assert_eq!(reasons(&client, "shots"), ["changed", ""]);
    sold(&sandbox, 2);
    // Under another id alone it is the same purchase.
    client.write("shots.csv", &rows(&[("c", "a kite")]));
    client.run(&format!("run shots.csv --catalog more.toml {FLAGS}")).with(6);
    client.run(&format!("run shots.csv {FLAGS}")).with(6);
    sold(&sandbox, 2);
}

/// File names on a Mac come decomposed.
#[test]
fn an_id_in_another_form_of_unicode_is_the_same_job() {
    let (sandbox, client) = bought("shots.csv", &rows(&[("caf\u{e9}", "a kite"), ("b", "a boat")]), FLAGS);
    client.write("shots.csv", &rows(&[("cafe\u{301}", "a kite"), ("b", "a boat")]));
    client.run(&format!("run shots.csv {FLAGS}")).with(0).saying("nothing to do");
    client.says("status --batch shots --job cafe\u{301}").with(0);
    sold(&sandbox, 2);
    client.write("twice.csv", &rows(&[("cafe\u{301}", "a tree"), ("caf\u{e9}", "a dog")]));
    client.run(&format!("run twice.csv {FLAGS}")).with(2).saying("is given to more than one job");
}

/// The results of a batch, of which these lines are kept.
fn filtered(client: &Client, stem: &str, keep: impl Fn(&str) -> bool) -> String {
    let results = client.read(&format!("{stem}.results.csv"));
    results
        .lines()
        .enumerate()
        .filter(|(at, line)| *at == 0 || keep(line))
        .map(|(_, line)| format!("{line}\n"))
        .collect()
}

#[test]
fn a_filtered_results_file_goes_on_with_its_batch() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog"), ("d", "a tree")]));
    client.run(&format!("run shots.csv {FLAGS} --limit 2")).with(3);
    sold(&sandbox, 2);
    client.write("rest.csv", &filtered(&client, "shots", |line| line.starts_with("b,") || line.starts_with("c,")));
    client.run("run rest.csv").with(3).saying("batch shots");
    sold(&sandbox, 3);
    assert_eq!(client.column("shots.results.csv", "state"), ["delivered", "delivered", "delivered", "pending"]);
    client.run("run rest.csv").with(3);
    sold(&sandbox, 3);
    assert!(client.files().iter().all(|file| !file.starts_with("rest.") || file == "rest.csv"), "{:?}", client.files());
    // The whole file, as it lies there, buys what is left.
    client.run("run shots.results.csv").with(0);
    sold(&sandbox, 4);
    client.run("run shots.results.csv").with(0).saying("nothing to do");
    client.says("plan rest.csv --batch other").with(2).saying("leave --batch out");
    for command in ["run --dry-run", "run"] {
        client.run(&format!("{command} rest.csv --batch other")).with(2).saying("leave --batch out");
    }
    sold(&sandbox, 4);
}

#[test]
fn an_edited_row_of_the_results_is_changed_and_buys_nothing() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog")]));
    client.run(&format!("run shots.csv {FLAGS} --limit 1")).with(3);
    let edited = client.read("shots.results.csv").replace("a kite", "a plane").replace("a boat", "a ship");
    client.write("edited.csv", &edited);
    client
        .run("run edited.csv")
        .with(6)
        .saying("2 rows are changed")
        .saying("left alone: a (line 2: ")
        .saying(", b (line 3: ");
    sold(&sandbox, 2);
    assert_eq!(client.column("shots.results.csv", "state"), ["delivered", "pending", "delivered"]);
    assert_eq!(client.column("shots.results.csv", "reason"), ["", "", ""], "the manifest is as it was");
    client.write("more.csv", &format!("{edited}{}", edited.lines().last().unwrap().replacen('c', "new", 1)));
    client.run("run more.csv").with(2).saying("has no job new");
    client.run(&format!("run shots.csv {FLAGS}")).with(0);
    sold(&sandbox, 3);
}

#[test]
fn rows_of_more_than_one_batch_are_no_manifest() {
    let (sandbox, client) = bought("june.csv", &rows(&[("a", "a kite")]), FLAGS);
    client.write("july.csv", &rows(&[("b", "a boat")]));
    client.run(&format!("run july.csv {FLAGS}")).with(0);
    let both = client.read("june.results.csv") + client.read("july.results.csv").lines().nth(1).unwrap() + "\n";
    client.write("both.csv", &both);
    client.run("run both.csv").with(2).saying("rows of more than one batch").saying("june").saying("july");
    client.says("plan both.csv").with(2).saying("rows of more than one batch").saying("\"june\" and \"july\"");
    // Two ledgers may each have a batch of that name: each is told by its ledger.
    let (here, other) = (client.column("june.results.csv", "l402_ledger").remove(0), "0123456789abcdef".repeat(2));
    let june = client.read("june.results.csv");
    client.write("both.csv", &format!("{june}{}\n", june.lines().nth(1).unwrap().replace(&here, &other)));
    let words = format!("\"june\" of the ledger {here} and \"june\" of the ledger {other}");
    client.run("run both.csv").with(2).saying(&words);
    sold(&sandbox, 2);
}

#[test]
fn another_ledger_buys_of_results_only_what_they_do_not_say_to_be_bought() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    client.run(&format!("run shots.csv {FLAGS} --limit 1")).with(3);
    client.write("sent/copy.csv", &client.read("shots.results.csv"));
    client.run("run sent/copy.csv --ledger other.db").with(6).saying("1 row was left out");
    sold(&sandbox, 2);
    assert_eq!(client.column("sent/copy.results.csv", "id"), ["b"]);
    client.write("done/done.csv", &filtered(&client, "sent/copy", |_| true));
    client.run("run done/done.csv --ledger third.db").with(6).saying("1 row was left out");
    sold(&sandbox, 2);
}

/// The results of a batch with these columns alone.
fn columns(client: &Client, stem: &str, kept: &[&str]) -> String {
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let rows = client.rows(&format!("{stem}.results.csv"));
    let head = line(kept.iter().map(ToString::to_string).collect());
    rows.iter().fold(head, |text, row| text + &line(kept.iter().map(|name| row[*name].clone()).collect()))
}

#[test]
fn results_of_which_columns_were_taken_out_are_results_all_the_same() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("shots.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    client.run(&format!("run shots.csv {FLAGS} --limit 1")).with(3);
    let kept = ["id", "endpoint", "prompt", "duration", "mode"];
    for (name, more, left_out) in [
        ("ledger", &["l402_ledger"][..], "2 rows were left out"),
        ("both", &["l402_batch", "l402_ledger"], "2 rows were left out"),
        ("batch", &["l402_batch", "reason", "take", "next"], "2 rows were left out"),
        ("state", &["l402_ledger", "l402_batch", "state"], "1 row was left out"),
    ] {
        // Not beside the receipts, which tell by themselves that another ledger bought of it.
        client.write(&format!("sent/{name}.csv"), &columns(&client, "shots", &[&kept[..], more].concat()));
        client.run(&format!("run sent/{name}.csv --ledger {name}.db")).with(6).saying(left_out);
        // The row that is pending is bought by the one file that says that it is.
        sold(&sandbox, if name == "state" { 2 } else { 1 });
    }
}

#[test]
fn a_results_file_has_its_batch_s_own_limits() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("rows.csv", &rows(&[("a", "a kite"), ("b", "a boat")]));
    client.write(
        "shots.toml",
        "version = 1\n[limits]\nmax_sats = 1000\n[defaults]\nendpoint = \"generate-video\"\nduration = 3\n\
         mode = \"standard\"\n[rows]\nfile = \"rows.csv\"\n",
    );
    client.run("run shots.toml --limit 1").with(3);
    client.write("rest.csv", &client.read("shots.results.csv"));
    client.run("run rest.csv").with(8).saying("max_sats of 1,000 sats");
    sold(&sandbox, 1);
}

/// What another batch has bought since is not left to buy, whoever says what is.
#[test]
fn what_is_bought_elsewhere_is_not_left_to_buy() {
    let world = World::with("--sandbox-dedup-s 0");
    let client = &world.client;
    client.write("june.csv", &rows(&[("a", "a kite"), ("b", "a boat"), ("c", "a dog"), ("d", "an elk")]));
    client.run(&format!("run june.csv {FLAGS} --limit 1")).with(3);
    client.write("july.csv", &rows(&[("x", "a boat"), ("y", "a dog")]));
    let left = |line: &str, code: i32| client.says(line).with(code);
    left("status june.csv", 3).saying("at most 2,730 sats, fees included").not_saying("bought by now");
    client.run("recover --all").with(0).saying("june: 3 jobs are not bought yet");
    client.run(&format!("run july.csv {FLAGS}")).with(0);
    let words = "a run leaves out what is bought by now: 2 jobs for 1,800 sats are bought already under another name: \
                 b is job x of the batch july, ";
    left("status june.csv", 6).saying("at most 910 sats, fees included").saying(words);
    left("status june.csv --quiet", 6).saying(words);
    let status: serde_json::Value = serde_json::from_str(&left("status june.csv --json", 6).stdout).unwrap();
    assert_eq!(status["to_buy_worst_case_msat"], 910_000);
    client.run("recover --all").with(0).saying("june: 1 job is not bought yet").saying(words);
    client.run("recover --batch june").with(0).saying("1 job is not bought yet").saying(words);
    client.run(&format!("run june.csv {FLAGS} --only d")).with(6);
    client.run("recover --all").with(6).not_saying("not bought yet").not_saying("bought by now");
    // Where nothing else is left.
    client.write("aug.csv", &rows(&[("k", "a fox"), ("l", "a cat")]));
    client.run(&format!("run aug.csv {FLAGS} --limit 1")).with(3);
    client.write("sep.csv", &rows(&[("m", "a cat")]));
    client.run(&format!("run sep.csv {FLAGS}")).with(0);
    client.run("recover --all").with(6).not_saying("aug: 1 job is not bought").saying("l is job m of the batch sep, ");
    left("status aug.csv", 6).not_saying("left to buy");
    let before = world.paid();
    client.run(&format!("run aug.csv {FLAGS}")).with(6);
    assert_eq!(world.paid(), before);
}
