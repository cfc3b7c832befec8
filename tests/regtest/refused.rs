//! Payments that come to nothing: said in the right words, nothing spent, and bought in the end once the cause is gone.

use std::time::Duration;

use crate::audit::{all_delivered, audit};
use crate::harness::{Client, Ended, Process, two_jobs};
use crate::proxy::Proxy;
use crate::rig::{Rig, wait_for};
use crate::shop::{Shop, one_job};

/// The hub's channel to the payee can be used from now on, or not.
pub fn open_the_way(rig: &Rig, open: bool) {
    let channels = rig.hub.get("/v1/channels");
    let channels = channels["channels"].as_array().unwrap();
    let channel = channels.iter().find(|channel| channel["remote_pubkey"] == rig.payee.id()).unwrap();
    let point = channel["channel_point"].as_str().unwrap();
    let action = if open { "enable" } else { "disable" };
    rig.run(&["cli", "hub", "updatechanstatus", "--chan_point", point, "--action", action]);
    let path = format!("/v1/graph/routes/{}/1000", rig.payee.id());
    wait_for("the payer knows", || (rig.payer.ask("GET", &path, None).status == 200) == open);
}

#[track_caller]
fn ended_without_purchase(client: &Client, ended: Ended, reason: &str) {
    let ended = ended.with(3);
    assert_eq!(client.column("jobs.results.csv", "state"), ["failed"], "{ended}");
    assert_eq!(client.column("jobs.results.csv", "reason"), [reason], "{ended}");
}

pub fn no_route(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = shop.client();
    client.write("jobs.toml", &one_job("no way"));
    open_the_way(rig, false);
    let ended = client.run("run jobs.toml");
    open_the_way(rig, true);
    ended_without_purchase(&client, ended, "no_route");
    assert!(audit(&shop, &client, "jobs").is_empty());
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
}

pub fn the_fee_limit_is_too_low(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = shop.client();
    client.write("jobs.toml", &one_job("cheap"));
    // The hub takes a sat and 100 parts per million.
    let ended = client.run("run jobs.toml --max-fee-ppm 0 --fee-floor-sats 1");
    ended_without_purchase(&client, ended, "no_route");
    client.run("run jobs.toml --max-fee-ppm 0 --fee-floor-sats 2").with(0);
    all_delivered(&shop, &client, 1);
}

pub fn the_recipient_cancels(rig: &Rig) {
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    client.write("jobs.toml", &one_job("cancelled"));
    let ended = deciding(&shop, client.start("run jobs.toml"), |hash| shop.cancel(hash));
    ended_without_purchase(&client, ended, "payment_rejected");
    assert!(audit(&shop, &client, "jobs").is_empty());
    deciding(&shop, client.start("run jobs.toml"), |hash| shop.settle(hash)).with(0);
    all_delivered(&shop, &client, 1);
}

/// A run's end, while somebody decides on each payment that comes in.
pub fn deciding(shop: &Shop<'_>, run: Process, decide: impl Fn(&str)) -> Ended {
    let run = std::thread::spawn(|| run.end());
    while !run.is_finished() {
        shop.held().iter().for_each(|hash| decide(hash));
        std::thread::sleep(Duration::from_millis(50));
    }
    run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

pub fn too_little_balance(rig: &Rig) {
    // What the node calls its balance holds the reserve too, which it cannot send: so the run starts, and the node says no.
    let drained = rig.payer.balance_sats() - rig.payer.reserve_sats() - 12_000;
    let paid = rig.payer.pay(&rig.hub.invoice(drained));
    assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
    let shop = Shop::open(rig, "");
    let client = shop.client();
    let jobs = two_jobs("poor").replace("duration = 3", "duration = 15") + &jobs_more();
    client.write("jobs.toml", &jobs);
    let run = client.start("run jobs.toml");
    let failed = || shop.lists.payments().iter().any(|payment| payment.status == "FAILED");
    wait_for("the node's no", failed);
    // It waits for the node, and fails no job.
    wait_for("the channel is calm", || rig.payer.is_calm());
    let back = rig.hub.pay(&rig.payer.invoice(drained - rig.payer.reserve_sats() - 12_000));
    assert_eq!(back["status"], "SUCCEEDED", "{back}");
    run.end().with(0);
    all_delivered(&shop, &client, 4);
}

fn jobs_more() -> String {
    ["b", "c"]
        .map(|id| {
            format!(
                "\n[[job]]\nid = \"{id}\"\nendpoint = \"generate-video\"\nprompt = \"a kite {id}\"\nduration = 15\n"
            )
        })
        .concat()
}

pub fn the_invoice_has_expired(rig: &Rig) {
    // The order is on its way for longer than the invoice lives.
    let shop = Shop::open(rig, "--sandbox-invoice-expiry-s 64");
    let proxy = Proxy::before(&rig.payer);
    let client = crate::late::client_through(&shop, &proxy);
    client.write("jobs.toml", &one_job("expired"));
    proxy.stop_next_order();
    let run = client.start("run jobs.toml --wait-doubt 1s");
    proxy.wait_stopped();
    std::thread::sleep(Duration::from_secs(66));
    proxy.release();
    let ended = run.end().with(5);
    // Certain only some time after the expiry, by the node's clock.
    assert_eq!(client.column("jobs.results.csv", "reason"), ["waiting_for_expiry"], "{ended}");
    assert_eq!(shop.lists.invoices().len(), 1, "{ended}");
    let known = shop.lists.payments();
    assert!(known.is_empty(), "the node refuses what has expired: {known:?}");
}
