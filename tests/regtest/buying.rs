//! Bought, delivered, and booked to the millisatoshi.

use crate::audit::{all_delivered, audit};
use crate::harness::two_jobs;
use crate::rig::Rig;
use crate::shop::Shop;

pub fn the_payment_scheme(rig: &Rig) {
    let shop = Shop::open(rig, "--sandbox-scheme payment");
    let client = shop.client();
    client.write("jobs.toml", &two_jobs("charged"));
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 2);
}

pub fn both_endpoints(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = shop.client();
    client.write("jobs.toml", &two_jobs("real"));
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 2);
    let fees = client.column("jobs.receipts.csv", "fee_msat");
    assert!(fees.iter().all(|fee| fee.parse::<u64>().unwrap() > 1_000), "the hub takes a sat and more: {fees:?}");
    assert_eq!(client.column("jobs.receipts.csv", "network"), ["regtest", "regtest"]);
    client.run("run jobs.toml").with(0);
    audit(&shop, &client, "jobs");
    client.asks_node("audit").with(0);
}
