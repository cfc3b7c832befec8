//! A channel that is closed while a payment is in it: the chain decides, and the preimage comes from there.

use std::time::{Duration, Instant};

use crate::audit::all_delivered;
use crate::rig::Rig;
use crate::shop::{Shop, one_job};

pub fn the_channel_is_closed_under_a_payment(rig: &Rig) {
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    // Large enough to be an output of its own on the chain.
    client.write("jobs.toml", &one_job("closed").replace("duration = 3", "duration = 15"));
    let run = client.start("run jobs.toml");
    let hash = shop.wait_held();
    let channels = rig.payer.get("/v1/channels");
    let point = channels["channels"][0]["channel_point"].as_str().unwrap().replace(':', "/");
    let closing = rig.payer.ask_for("DELETE", &format!("/v1/channels/{point}?force=true"), 1);
    assert_eq!(closing.status, 200, "{closing:?}");
    rig.mine(1);
    shop.settle(&hash);
    // The hub claims its due on the chain with the preimage, and the payer reads it there.
    let give_up = Instant::now() + Duration::from_secs(90);
    let succeeded = || shop.lists.payments().iter().any(|payment| payment.status == "SUCCEEDED");
    while !succeeded() {
        assert!(Instant::now() < give_up, "the payment never ends");
        rig.mine(1);
        std::thread::sleep(Duration::from_millis(500));
    }
    run.end().with(0);
    all_delivered(&shop, &client, 1);
}
