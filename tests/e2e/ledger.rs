//! A ledger that cannot be used, and a batch that belongs to another manifest.

use crate::harness::{Audit, Client, Sandbox, two_jobs};

#[test]
fn what_is_no_ledger_is_left_alone() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.write("diary.db", "dear diary, this is no database at all, and nobody shall overwrite it");
    let before = client.read("diary.db");
    client.run("run jobs.toml --ledger diary.db").with(7).saying("diary.db");
    client.says("status --batch jobs --ledger diary.db").with(7);
    client.says("batches --ledger diary.db").with(7);
    assert_eq!(client.read("diary.db"), before);
    client.run("run jobs.toml --ledger diary.db/ledger.db").with(7);
    std::fs::create_dir(client.path("folder")).unwrap();
    client.run("run jobs.toml --ledger folder").with(7).saying("folder");
    sandbox.books().are_empty();
}

#[test]
fn a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        // Nothing is read-only for root.
        return;
    }
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.write("shut/readme", "");
    std::fs::set_permissions(client.path("shut"), std::fs::Permissions::from_mode(0o500)).unwrap();
    client.run("run jobs.toml --ledger shut/ledger.db").with(7).saying("shut");
    std::fs::set_permissions(client.path("shut"), std::fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.books().are_empty();
}

#[test]
fn a_name_belongs_to_one_manifest() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("june/jobs.csv", "id,prompt\n1,a kite\n");
    client.write("july/jobs.csv", "id,prompt\n1,a dog\n");
    let run = |manifest: &str, more: &str| {
        client.run(&format!("run {manifest} --default endpoint=generate-video --default duration=3 {more}"))
    };
    run("june/jobs.csv", "").with(0);
    run("july/jobs.csv", "").with(6).saying("june/jobs.csv").saying("july/jobs.csv").saying("--adopt");
    assert_eq!(sandbox.books().sales.len(), 1);
    run("july/jobs.csv", "--batch other").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    std::fs::create_dir(client.path("moved")).unwrap();
    std::fs::rename(client.path("june/jobs.csv"), client.path("moved/jobs.csv")).unwrap();
    run("moved/jobs.csv", "--adopt").with(0).saying("nothing to do");
    run("moved/jobs.csv", "").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
}

#[test]
fn a_renamed_manifest_does_not_buy_everything_once_more() {
    let sandbox = Sandbox::start("--sandbox-pay-ms 300");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    let running = client.start("run jobs.toml");
    sandbox.wait_for("both on their way", |books| books.payments.len() == 2);
    assert!(running.kill());
    std::fs::rename(client.path("jobs.toml"), client.path("june.toml")).unwrap();
    client.run("run june.toml").with(6).saying("was the manifest renamed?").saying("--adopt");
    client.run("run june.toml --batch jobs").with(6).saying("--adopt");
    assert_eq!(sandbox.books().sales.len(), 2);
    // What was open under the old name and path is finished from the new ones.
    client.run("run june.toml --batch jobs --adopt --overwrite").with(0);
    assert_eq!(sandbox.books().settled().len(), 2);
    assert_eq!(client.column("june.results.csv", "state"), ["delivered", "delivered"]);
    // Neither a manifest that gives itself another name nor a name on the command line is a word for that.
    client.write("june.toml", &format!("name = \"july\"\n{}", two_jobs("")));
    let elsewhere = "--results r.csv --receipts s.csv";
    client.run(&format!("run june.toml {elsewhere}")).with(6).saying("the batch jobs has the very same jobs");
    client.run(&format!("run june.toml --batch august {elsewhere} --overwrite")).with(6);
    assert_eq!(sandbox.books().sales.len(), 2);
}

#[test]
fn resuming_begins_nothing_new() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.run("run jobs.toml --resume").with(2).saying("--resume");
    sandbox.books().are_empty();
}

#[test]
fn other_peoples_files_are_not_replaced() {
    let sandbox = Sandbox::start("");
    let client = Client::of(&sandbox);
    client.write("jobs.toml", &two_jobs(""));
    client.write("jobs.results.csv", "mine\n");
    client.run("run jobs.toml").with(2).saying("jobs.results.csv").saying("or move it away");
    assert_eq!(client.read("jobs.results.csv"), "mine\n");
    client.says("status --batch jobs").with(2).saying("there is no ledger at");
    client.run("run jobs.toml --results jobs.toml").with(2).saying("manifest");
    client.write("rows.toml", "version = 1\n[defaults]\nendpoint = \"generate-video\"\n[rows]\nfile = \"rows.csv\"\n");
    client.write("rows.csv", "prompt\na kite\n");
    client.run("run rows.toml --results rows.csv --overwrite").with(2).saying("the manifest's rows");
    assert_eq!(client.read("rows.csv"), "prompt\na kite\n");
    client.run("run jobs.toml --results same.csv --receipts same.csv").with(2);
    sandbox.books().are_empty();
    client.run("run jobs.toml --overwrite").with(0);
    Audit::of(&client, "jobs", &sandbox.books()).all_delivered(2);
}
