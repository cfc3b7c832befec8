//! Orders that come twice, and late.

use crate::audit::all_delivered;
use crate::harness::Client;
use crate::lnd::number;
use crate::proxy::Proxy;
use crate::refused::open_the_way;
use crate::rig::{Rig, wait_for};
use crate::shop::{Shop, one_job};

/// Somebody who reaches the payer through the proxy.
pub fn client_through(shop: &Shop<'_>, proxy: &Proxy) -> Client {
    let catalog = shop.sandbox.file("catalog.toml");
    Client::with(&catalog, &proxy.url, &shop.lists.rig.payer.macaroon_file, &proxy.certificate_file)
}

pub fn the_same_invoice_twice_at_once(rig: &Rig) {
    let shop = Shop::open(rig, "--mint-hold");
    let proxy = Proxy::before(&rig.payer);
    let client = client_through(&shop, &proxy);
    client.write("jobs.toml", &one_job("twice"));
    proxy.stop_next_order();
    let run = client.start("run jobs.toml");
    proxy.wait_stopped();
    // Somebody else sends the very invoice first; ours is refused, and must not be taken for unpaid.
    rig.payer.send_off(&shop.lists.invoices()[0].request);
    let hash = shop.wait_held();
    proxy.release();
    let doubted = || client.says("status --batch jobs --json").stdout.contains("payment_in_flight");
    wait_for("it is known to be on its way", doubted);
    shop.settle(&hash);
    run.end().with(0);
    all_delivered(&shop, &client, 1);
    assert_eq!(shop.lists.invoices().len(), 1, "no other invoice was asked for");
}

pub fn a_stalled_send_arrives_after_another_failed(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let proxy = Proxy::before(&rig.payer);
    let client = client_through(&shop, &proxy);
    client.write("jobs.toml", &one_job("stalled"));
    proxy.stop_next_order();
    let run = client.start("run jobs.toml");
    proxy.wait_stopped();
    run.killer()();
    run.end();
    open_the_way(rig, false);
    let ended = client.run("run jobs.toml --wait-doubt 1s");
    open_the_way(rig, true);
    // The payer says FAILED. That is not the end of it: the first order is still on its way, and will be carried out.
    let ended = ended.with(5);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["waiting_for_expiry"], "{ended}");
    let hash = shop.lists.invoices()[0].hash.clone();
    shop.wait_paid(&hash, "FAILED");
    rig.payer.post("/v2/router/mc/reset", &serde_json::json!({}));
    proxy.release();
    shop.wait_paid(&hash, "SUCCEEDED");
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
    assert_eq!(shop.lists.invoices().len(), 1, "no other invoice was asked for");
    let attempts = client.column("jobs.results.csv", "attempts");
    assert!(number(&attempts[0].clone().into()) >= 1, "{attempts:?}");
}
