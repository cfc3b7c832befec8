//! Manifests that do not say what a person reads in them: nothing of them is bought.

use std::fs;

use crate::harness::{Client, Sandbox, two_jobs};

const RUN: &str = "--default endpoint=generate-video --default duration=3";

#[test]
fn a_prompt_with_stray_quotes_is_not_bought() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = format!("run jobs.csv {RUN}");
    for (rows, place) in [
        ("a,\"Sign says \"open\" at night\"\nb,a good one\n", "jobs.csv:2:14"),
        ("a,a good one\nb,\"A cat\" runs", "jobs.csv:3:9"),
        ("a,\"A \\\"big\\\" cat\"\r\nb,a good one\r\n", "jobs.csv:2:7"),
        ("a, \"A cat\"\n", "jobs.csv:2:4"),
    ] {
        client.write("jobs.csv", &format!("id,prompt\n{rows}"));
        client.run(&run).with(2).saying(place).saying("nothing was spent");
        client.says(&format!("plan jobs.csv {RUN}")).with(2).saying(place);
    }
    sandbox.books().are_empty();
    client.write("jobs.csv", "id,prompt\na,\"Sign says \"\"open\"\" at night\"\n");
    client.run(&run).with(0);
    assert_eq!(sandbox.books().settled().len(), 1);
    assert_eq!(client.column("jobs.results.csv", "prompt"), ["Sign says \"open\" at night"]);
    // A results file, edited by hand: its batch is not gone on with.
    let results = client
        .read("jobs.results.csv")
        .replace("\"Sign says", "\"A \"big\" sign says")
        .replace("downloaded", "pending");
    client.write("again.csv", &results);
    client.run("run again.csv").with(2).saying("text follows the quote");
    assert_eq!(sandbox.books().settled().len(), 1);
}

#[test]
fn what_a_pipe_breaks_off_is_not_bought() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let run = format!("run - --manifest-format csv --batch june {RUN}");
    for (rows, said) in [
        ("a cat,a\na d", "the input ends inside this row: it has 1 cell, the header names 2 columns"),
        ("a cat,a\n\"a dog", "the quote that opens here is never closed"),
    ] {
        let text = format!("prompt,id\n{rows}");
        let ended = client.shell(&format!("printf '%s' '{text}' | \"$@\""), &run).with(2);
        ended.saying("-:3:1").saying(said).saying("nothing was spent");
    }
    sandbox.books().are_empty();
}

/// Two batches of one manifest: each has files of its own, in every run, export and results file, and neither is in the other's way.
#[test]
fn batches_that_share_a_manifest_have_files_of_their_own() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --limit 1").with(3);
    let first = client.read("jobs.results.csv");
    client.run("run jobs.toml --batch trial/2 --dry-run --duplicates buy").with(0);
    client.run("run jobs.toml --batch trial/2 --duplicates buy --limit 1").with(3).saying("jobs.trial_2.results.csv");
    assert_eq!(client.read("jobs.results.csv"), first, "the other batch's");
    assert_eq!(client.column("jobs.trial_2.results.csv", "state"), ["delivered", "pending"]);
    client.run("run jobs.toml").with(0);
    client.run("run jobs.toml --batch trial/2 --duplicates buy").with(0);
    assert_eq!(sandbox.books().settled().len(), 4);
    for (batch, stem) in [("jobs", "jobs"), ("trial/2", "jobs.trial_2")] {
        let names = ["results", "receipts"].map(|what| format!("{stem}.{what}.csv"));
        let before = names.each_ref().map(|name| client.read(name));
        names.iter().for_each(|name| std::fs::remove_file(client.path(name)).unwrap());
        client.says(&format!("export --batch {batch}")).with(0).saying(&names[0]);
        assert_eq!(names.each_ref().map(|name| client.read(name)), before);
        assert_eq!(client.column(&names[0], "l402_batch"), [batch, batch]);
        assert_eq!(client.column(&names[1], "batch"), [batch, batch]);
    }
    // What stands in the manifest's own place still speaks, whatever the batch is called.
    std::fs::rename(client.ledger(), client.path("gone.db")).unwrap();
    std::fs::remove_dir_all(client.ledger().with_file_name("ledger.db.locks")).unwrap();
    client.run("run jobs.toml --batch third").with(7).saying("jobs.receipts.csv");
    client.says("ledger merge jobs.trial_2.receipts.csv").with(0);
    client.says("status --batch trial/2").saying("jobs.toml");
}

/// Of rows without an id only their images tell which is which: two that have exchanged theirs are not the plan that was loaded.
#[test]
fn images_that_were_exchanged_are_read_anew() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    let picture = fs::read(client.path("picture.png")).unwrap();
    let exchange = |images: [&str; 2]| {
        for (image, last) in images.iter().zip([1_u8, 2]) {
            fs::write(client.path(image), [&picture[..], &[last]].concat()).unwrap();
        }
    };
    exchange(["a.png", "b.png"]);
    client.write(
        "jobs.csv",
        "endpoint,image,prompt,x_whose\nanimate-image,a.png,she waves,Ann\nanimate-image,b.png,she waves,Bob\n",
    );
    client.run("run jobs.csv").with(0);
    let whose = |client: &Client| -> Vec<(String, String)> {
        let mut rows: Vec<_> =
            client.rows("jobs.results.csv").iter().map(|row| (row["id"].clone(), row["x_whose"].clone())).collect();
        rows.sort();
        rows
    };
    let before = whose(&client);
    client.run("run jobs.csv").with(0);
    assert_eq!(whose(&client), before);
    exchange(["b.png", "a.png"]);
    client.run("run jobs.csv").with(0);
    let exchanged = [(before[0].0.clone(), before[1].1.clone()), (before[1].0.clone(), before[0].1.clone())];
    assert_eq!(whose(&client), exchanged);
    assert_eq!(sandbox.books().settled().len(), 2);
}
