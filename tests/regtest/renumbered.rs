//! A payer whose payments get other numbers, or whose failed ones are deleted: it has forgotten nothing that counts.

use crate::audit::all_delivered;
use crate::late::client_through;
use crate::lnd::number;
use crate::proxy::Proxy;
use crate::refused::{deciding, open_the_way};
use crate::rig::Rig;
use crate::shop::{Shop, one_job};

/// Two more jobs beside the first.
fn three_jobs(tag: &str) -> String {
    let job = |id: &str| {
        one_job(&format!("{tag} {id}"))
            .replace("version = 1\n", "")
            .replace("\"image\"\nendpoint", &format!("\"{id}\"\nendpoint"))
    };
    one_job(tag) + &job("held") + &job("unheard")
}

/// The payer moves to native SQL while one payment is held and another order never reached it: lnd numbers its payments anew.
pub fn the_payer_moves_to_native_sql(rig: &Rig) {
    if rig.release == "0.20" {
        return;
    }
    let shop = Shop::open(rig, "--mint-hold");
    let proxy = Proxy::before(&rig.payer);
    let client = client_through(&shop, &proxy);
    client.write("jobs.toml", &three_jobs("moving"));
    deciding(&shop, client.start("run jobs.toml --only image"), |hash| shop.settle(hash)).with(3);
    // lnd takes numbers by the thousand, and drops the rest of them at each start.
    rig.run(&["stop", "payer"]);
    rig.run(&["start", "payer"]);
    rig.run(&["wait", "payer"]);
    rig.wait_for_way();

    let run = client.start("run jobs.toml --only held");
    let held = shop.wait_held();
    run.killer()();
    run.end();
    let index_before = rig.payer.newest_payment();
    proxy.stop_next_order();
    let run = client.start("run jobs.toml --only unheard");
    proxy.wait_stopped();
    run.killer()();
    run.end();

    rig.run(&["native", "payer"]);
    let index_after = rig.payer.newest_payment();
    assert!(index_after < index_before, "the numbers are no others: {index_before}, then {index_after}");
    rig.wait_for_way();
    shop.settle(&held);
    // Only now is the second order lost for good: nobody waits for it.
    let ended = deciding(&shop, client.start("run jobs.toml"), |hash| shop.settle(hash)).with(0);
    assert!(!ended.stderr.contains("forgotten") && !ended.stdout.contains("forgotten"), "{ended}");
    proxy.release();
    assert_eq!(shop.lists.invoices().len(), 3, "no other invoice was asked for");
    client.asks_node("audit").with(0).saying("agree    3 payments");
    let settled = shop.lists.invoices().iter().filter(|invoice| invoice.state == "SETTLED").count();
    assert_eq!(settled, 3, "each is paid once");
}

/// The payer's failed payments are deleted while the fate of one of them is not known to us.
pub fn failed_payments_deleted_under_doubt(rig: &Rig) {
    let shop = Shop::open(rig, "--sandbox-invoice-expiry-s 64");
    let proxy = Proxy::before(&rig.payer);
    let client = client_through(&shop, &proxy);
    client.write("jobs.toml", &one_job("deleted"));
    open_the_way(rig, false);
    proxy.swallow_answers();
    let run = client.start("run jobs.toml");
    let failed = || shop.lists.payments().iter().any(|payment| payment.status == "FAILED");
    crate::rig::wait_for("the node's no", failed);
    run.killer()();
    run.end();
    rig.payer.ask("DELETE", "/v1/payments?failed_payments_only=true", None).good();
    assert!(shop.lists.payments().is_empty(), "it is deleted");
    proxy.release();
    open_the_way(rig, true);
    let ended = client.run("run jobs.toml --wait-doubt 1s");
    assert_ne!(client.column("jobs.results.csv", "reason"), ["node_forgot"], "{ended}");
    assert_ne!(client.column("jobs.results.csv", "reason"), ["no_witness"], "{ended}");
    // Two minutes after the expiry nothing can pay it any more.
    std::thread::sleep(std::time::Duration::from_secs(190));
    for _ in 0..2 {
        client.run("run jobs.toml");
    }
    all_delivered(&shop, &client, 1);
    assert!(number(&client.column("jobs.results.csv", "attempts")[0].clone().into()) >= 1);
}
