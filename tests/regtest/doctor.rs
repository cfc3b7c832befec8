//! `doctor` before real nodes; and the commands that it and the README tell a person to type, typed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::audit::all_delivered;
use crate::harness::{Client, Ended, two_jobs};
use crate::lnd::Lnd;
use crate::rig::{Rig, wait_for};
use crate::shop::{README_RIGHTS, Shop, one_job, write_macaroon};
use crate::unusable::{client_with, expired};

/// What the fees on the chain take of a channel, and the buffer for them.
const BESIDE_SATS: u64 = 5_000;

/// Types a command line in this client's folder, where `lncli` reaches the payer.
fn typed(rig: &Rig, client: &Client, line: &str) {
    let folder = client.path("bin");
    let lncli = folder.join("lncli");
    std::fs::create_dir_all(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regtest/rig");
    let text = format!("#!/bin/sh\nexec '{}' --lnd {} cli payer \"$@\"\n", script.display(), rig.release);
    std::fs::write(&lncli, text).unwrap();
    std::fs::set_permissions(&lncli, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let output = shell.args(["-ec", line]).env("PATH", path).current_dir(client.path("")).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// The command that the README has for baking a macaroon.
fn the_readmes_command() -> String {
    let lines = include_str!("../../README.md").lines().map(str::trim);
    let lines: Vec<&str> = lines.skip_while(|line| !line.starts_with("lncli bakemacaroon")).collect();
    let end = lines.iter().position(|line| line.ends_with("payer.macaroon") && line.contains("chmod")).unwrap();
    lines[..=end].join("\n")
}

pub fn the_readmes_macaroon_is_enough(rig: &Rig) {
    let shop = Shop::open(rig, "--sandbox-accept --sandbox-accept-ms 50");
    let folder = shop.client();
    typed(rig, &folder, &the_readmes_command());
    let client = client_with(&shop, &rig.payer, &folder.path("payer.macaroon"), &rig.payer.certificate_file);
    client.write("jobs.toml", &one_job("baked"));
    client.asks("doctor jobs.toml").with(0).saying("all good");
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
    client.asks_node("audit").with(0);
    client.asks("doctor jobs.toml").with(0).saying("nothing to buy");
}

/// The advice to what it found of this kind.
#[track_caller]
fn advice(ended: &Ended, check: &str, level: &str) -> String {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"));
    let findings = document["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check && finding["level"] == level);
    finding.unwrap_or_else(|| panic!("no {level} of {check}: {ended}"))["advice"].as_str().unwrap().to_owned()
}

pub fn what_the_macaroon_allows(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let (payer, certificate) = (&rig.payer, &rig.payer.certificate_file);
    let client = shop.client();
    client.write("jobs.toml", &two_jobs("looked at"));
    // lnd's own for everything draws a warning; the command that is advised bakes one that draws none.
    client.asks("doctor jobs.toml").with(0).saying("ready to run").saying("the macaroon can do more than pay");
    let command = advice(&client.asks("doctor jobs.toml --json").with(0), "macaroon", "warning");
    typed(rig, &client, &command);
    let baked = client.path("payer.macaroon");
    let doctor = |macaroon: &Path| client_with(&shop, payer, macaroon, certificate).asks("doctor jobs.toml");
    let found = doctor(&baked).with(0).saying("all good").saying(payer.id()).saying("regtest");
    found.saying("1 channel active").saying("as planned");

    let by_lnd = payer.macaroon_file.with_file_name("readonly.macaroon");
    doctor(&by_lnd).with(9).saying("does not allow /routerrpc.Router/SendPaymentV2").saying(&command);
    let by_lnd = payer.macaroon_file.with_file_name("invoice.macaroon");
    doctor(&by_lnd).with(9).saying("does not allow");
    let rights = payer.bake(&README_RIGHTS);
    for (name, hex, words) in [
        ("another.macaroon", rig.hub.bake(&README_RIGHTS), "verification failed"),
        ("expired.macaroon", expired(rig, &rights, &client), "has expired"),
    ] {
        doctor(&write_macaroon(&client, name, &hex)).with(9).saying("the node refuses the macaroon").saying(words);
    }
    assert!(shop.lists.payments().is_empty(), "doctor pays nothing");
}

pub fn whose_certificate_it_is(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let (payer, hub) = (&rig.payer, &rig.hub);
    let client = client_with(&shop, payer, &payer.macaroon_file, &hub.certificate_file);
    client.asks("doctor").with(9).saying("problem  tls").saying("not the one that was given");
    let node = format!("--lnd-url {} --lnd-macaroon-file {}", payer.url, payer.macaroon_file.display());
    client.says(&format!("doctor {node}")).with(9).saying("signed by itself").saying("--lnd-cert-file");
    // Where nothing is named, everything is found where lnd put it.
    let folder = rig.file("payer");
    let found = format!("doctor --lnd-url {} --lnd-dir {} --lnd-network regtest", payer.url, folder.display());
    client.says(&found).with(0).saying("admin.macaroon").saying("can do more than pay").saying(payer.id());
}

pub fn the_largest_payment(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let found = shop.client().asks("doctor --json").with(0);
    let document: Value = serde_json::from_str(&found.stdout).unwrap();
    let largest_sats = document["node"]["largest_channel_msat"].as_u64().unwrap() / 1_000;
    // To the next node, so that nobody else's channel has a say.
    let (payer, hub) = (&rig.payer, &rig.hub);
    let paid = payer.pay(&hub.invoice(largest_sats + 1));
    assert_eq!(paid["failure_reason"], "FAILURE_REASON_INSUFFICIENT_BALANCE", "{paid}");
    let most = largest_sats - BESIDE_SATS;
    let paid = payer.pay(&hub.invoice(most));
    assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
    wait_for("the channel is calm", || payer.is_calm());
    let found = shop.client().asks("doctor --json").with(0);
    let document: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(document["node"]["balance_msat"], json!(balance_msat(payer)), "{found}");
    // Now the hub keeps a reserve there too.
    let paid = hub.pay(&payer.invoice(most - payer.reserve_sats() - BESIDE_SATS));
    assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
}

fn balance_msat(node: &Lnd) -> u64 {
    crate::lnd::number(&node.get("/v1/balance/channels")["local_balance"]["msat"])
}
