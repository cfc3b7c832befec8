//! A payer whose payments were deleted under open jobs.

use crate::audit::all_delivered;
use crate::harness::{Client, Process};
use crate::late::client_through;
use crate::proxy::Proxy;
use crate::refused::deciding;
use crate::rig::Rig;
use crate::shop::{Shop, one_job};

fn delete_payments(rig: &Rig) {
    rig.payer.ask("DELETE", "/v1/payments?all_payments=true", None).good();
}

fn pay_something_else(rig: &Rig) {
    let paid = rig.payer.pay(&rig.payee.invoice(50));
    assert_eq!(paid["status"], "SUCCEEDED", "{paid}");
}

/// A payment that is made while nobody of ours looks, and then deleted.
fn paid_and_deleted(shop: &Shop<'_>, run: Process) {
    let hash = shop.wait_held();
    run.killer()();
    run.end();
    shop.settle(&hash);
    shop.wait_paid(&hash, "SUCCEEDED");
    delete_payments(shop.lists.rig);
}

#[track_caller]
fn stays_in_doubt(shop: &Shop<'_>, client: &Client, why: &str) {
    let asked = shop.sandbox.books().sales.len();
    for _ in 0..2 {
        let ended = client.run("run jobs.toml --wait-doubt 1s").with(5);
        let reasons = client.column("jobs.results.csv", "reason");
        assert_eq!(reasons.last().map(String::as_str), Some(why), "{ended}");
        assert_eq!(shop.sandbox.books().sales.len(), asked, "another invoice was asked for: {ended}");
        pay_something_else(shop.lists.rig);
    }
}

pub fn payments_deleted_under_open_jobs(rig: &Rig) {
    // Where the ledger knows other payments of this node's.
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    client.write("jobs.toml", &one_job("known"));
    deciding(&shop, client.start("run jobs.toml"), |hash| shop.settle(hash)).with(0);
    all_delivered(&shop, &client, 1);
    let second =
        one_job("and another").replace("version = 1\n", "").replace("\"image\"\nendpoint", "\"second\"\nendpoint");
    client.write("jobs.toml", &(one_job("known") + &second));
    paid_and_deleted(&shop, client.start("run jobs.toml"));
    stays_in_doubt(&shop, &client, "node_forgot");
    // Sent once more to the node that has forgotten it, it is refused by its recipient, who has been paid.
    let paid = rig.payer.pay(&shop.lists.invoices()[1].request);
    assert_eq!(paid["failure_reason"], "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS", "{paid}");

    // Where it knows of this one only: what the node had settled before, for whomever, is gone.
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    client.write("jobs.toml", &one_job("the only one"));
    paid_and_deleted(&shop, client.start("run jobs.toml"));
    stays_in_doubt(&shop, &client, "node_forgot");

    // And where we heard nothing of it.
    let shop = Shop::open(rig, "--mint-hold");
    let proxy = Proxy::before(&rig.payer);
    let client = client_through(&shop, &proxy);
    client.write("jobs.toml", &one_job("unheard"));
    proxy.swallow_answers();
    paid_and_deleted(&shop, client.start("run jobs.toml"));
    proxy.release();
    stays_in_doubt(&shop, &client, "node_forgot");
}
