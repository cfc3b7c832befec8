//! A node that cannot be used: clear words, no API asked, nothing spent.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::audit::all_delivered;
use crate::harness::Client;
use crate::lnd::Lnd;
use crate::rig::{Rig, wait_for};
use crate::shop::{README_RIGHTS, Shop, one_job, write_macaroon};

/// Somebody with a cheap job, this node and these papers.
pub fn client_with(shop: &Shop<'_>, node: &Lnd, macaroon: &Path, certificate: &Path) -> Client {
    let client = Client::with(&shop.sandbox.file("catalog.toml"), &node.url, macaroon, certificate);
    client.write("jobs.toml", &one_job("unusable"));
    client
}

#[track_caller]
fn refuses(shop: &Shop<'_>, client: &Client, words: &str) {
    client.run("run jobs.toml").with(9).saying(words);
    assert!(shop.lists.invoices().is_empty(), "an invoice was asked for");
    assert!(shop.lists.payments().is_empty());
}

pub fn macaroons_that_do_not_serve(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let (payer, certificate) = (&rig.payer, &rig.payer.certificate_file);
    let folder = shop.client();
    let of_another = rig.hub.bake(&README_RIGHTS);
    let cases = [
        ("another.macaroon", of_another, "verification failed"),
        ("balance-only.macaroon", payer.bake(&["/lnrpc.Lightning/ChannelBalance"]), "permission denied"),
        ("expired.macaroon", expired(rig, &payer.bake(&README_RIGHTS), &folder), "macaroon has expired"),
    ];
    for (name, hex, words) in cases {
        let macaroon = write_macaroon(&folder, name, &hex);
        let client = client_with(&shop, payer, &macaroon, certificate);
        refuses(&shop, &client, words);
        client.run("run jobs.toml --dry-run").with(9).saying(words);
    }
    // One that can do everything but pay is found out only by paying. Nothing is spent, and the right one buys.
    let no_send: Vec<&str> = README_RIGHTS.into_iter().filter(|right| !right.contains("SendPayment")).collect();
    let macaroon = write_macaroon(&folder, "no-send.macaroon", &payer.bake(&no_send));
    let client = client_with(&shop, payer, &macaroon, certificate);
    let ended = client.run("run jobs.toml --deadline 3s --wait-doubt 1s");
    assert!(matches!(ended.code, Some(3 | 9 | 10)), "{ended}");
    assert!(shop.lists.payments().is_empty());
    std::fs::copy(&payer.macaroon_file, &macaroon).unwrap();
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
}

/// The same macaroon with an end that has passed.
pub fn expired(rig: &Rig, hex: &str, folder: &Client) -> String {
    let (from, to) = (write_macaroon(folder, "from.macaroon", hex), folder.path("to.macaroon"));
    let words = ["cli", "payer", "constrainmacaroon", "--timeout", "1", from.to_str().unwrap(), to.to_str().unwrap()];
    rig.run(&words);
    std::thread::sleep(Duration::from_millis(1_500));
    data_encoding::HEXLOWER.encode(&std::fs::read(to).unwrap())
}

pub fn another_nodes_certificate(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = client_with(&shop, &rig.payer, &rig.payer.macaroon_file, &rig.hub.certificate_file);
    refuses(&shop, &client, "certificate");
}

pub fn another_network(rig: &Rig) {
    rig.run(&["start", "other"]);
    let shop = Shop::open(rig, "");
    let port = std::fs::read_to_string(rig.file("other/port-rest")).unwrap();
    let other = Lnd::at(
        &format!("https://127.0.0.1:{}", port.trim()),
        &rig.file("other/data/chain/bitcoin/simnet/admin.macaroon"),
        &rig.file("other/tls.cert"),
    );
    let client = client_with(&shop, &other, &other.macaroon_file, &other.certificate_file);
    // It has no channel, so its balance is the first thing that does not do.
    client.run("run jobs.toml").with(9);
    client.asks("doctor jobs.toml").with(9).saying("simnet").saying("use a node on regtest");
    // And the other way round: this payer has money, and the invoices are of that network.
    let abroad = Shop::minting_at(rig, &other, "");
    let client = abroad.client();
    client.write("jobs.toml", &one_job("abroad"));
    client.asks("doctor jobs.toml").with(9).saying("use a node on simnet");
    let ended = client.run("run jobs.toml").with(4);
    assert_eq!(client.column("jobs.results.csv", "reason"), ["wrong_network"], "{ended}");
    rig.run(&["stop", "other"]);
    rig.run(&["stop", "otherchain"]);
    assert!(shop.lists.payments().is_empty());
}

/// The payer again, after an end of any kind, with its wallet locked.
pub fn start_locked(rig: &Rig) {
    rig.run(&["start", "payer", "--debuglevel=info"]);
    let state = || rig.payer.ask_with("", "GET", "/v1/state", None, usize::MAX);
    wait_for("the wallet is locked", || state().is_ok_and(|answer| answer.text().contains("LOCKED")));
}

/// A wallet without a password of its own is opened by starting its node as the rig does.
pub fn unlock(rig: &Rig) {
    rig.run(&["stop", "payer"]);
    rig.run(&["start", "payer"]);
    rig.run(&["wait", "payer"]);
    rig.wait_for_way();
}

pub fn a_locked_wallet(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = client_with(&shop, &rig.payer, &rig.payer.macaroon_file, &rig.payer.certificate_file);
    rig.run(&["stop", "payer"]);
    start_locked(rig);
    client.run("run jobs.toml").with(9).saying("locked").saying("lncli unlock");
    client.asks("doctor jobs.toml --no-ask").with(9).saying("lncli unlock");
    assert!(shop.lists.invoices().is_empty(), "an invoice was asked for");
    unlock(rig);
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
}

pub fn not_synced(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let client = client_with(&shop, &rig.payer, &rig.payer.macaroon_file, &rig.payer.certificate_file);
    // It sleeps while the chain grows, and has to catch up.
    let pid = rig.pid("payer");
    kill_process(pid, Signal::STOP).unwrap();
    rig.mine(1_000);
    kill_process(pid, Signal::CONT).unwrap();
    wait_for("it lags behind", || rig.payer.get("/v1/getinfo")["synced_to_chain"] == false);
    let ended = client.run("run jobs.toml");
    rig.run(&["wait", "payer"]);
    let ended = ended.with(9).saying("not synced");
    assert!(shop.lists.invoices().is_empty(), "{ended}");
}
