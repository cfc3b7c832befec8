//! The payer dies, we die, or both, while a payment is out: it is found again, redeemed, and made once.

use crate::audit::all_delivered;
use crate::harness::{Client, Count, Cutter};
use crate::refused::deciding;
use crate::rig::{Rig, wait_for};
use crate::shop::{Shop, one_job};
use crate::unusable::{start_locked, unlock};

/// More turns of traffic than a job can have.
const TURNS_MAX: usize = 100;

pub fn we_die_while_a_payment_is_out(rig: &Rig) {
    for settled_before_we_are_back in [true, false] {
        let shop = Shop::open(rig, "--mint-hold");
        let client = shop.client();
        client.write("jobs.toml", &one_job(&format!("we die {settled_before_we_are_back}")));
        let run = client.start("run jobs.toml");
        let hash = shop.wait_held();
        run.killer()();
        run.end();
        if settled_before_we_are_back {
            shop.settle(&hash);
            shop.wait_paid(&hash, "SUCCEEDED");
            client.run("run jobs.toml").with(0);
        } else {
            client.run("recover --batch jobs --wait-doubt 1s").with(5);
            deciding(&shop, client.start("run jobs.toml"), |hash| shop.settle(hash)).with(0);
        }
        all_delivered(&shop, &client, 1);
        assert_eq!(shop.lists.invoices().len(), 1, "no other invoice was asked for");
    }
}

pub fn we_die_at_every_turn(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let cutter = Cutter::between(&shop.sandbox, &rig.payer.url);
    let ended = (1..=TURNS_MAX).find(|nth| {
        let shop = shop.reopened();
        let client = Client::with(&cutter.catalog, &cutter.node, &rig.payer.macaroon_file, &rig.payer.certificate_file);
        client.write("jobs.toml", &one_job(&format!("turn {nth}")));
        let killed = cutter.start(Count::Turns, *nth, || client.start("run jobs.toml")).end();
        let place = cutter.sheathe();
        eprintln!("killed at: {place:?}");
        client.run("run jobs.toml").with(0);
        all_delivered(&shop, &client, 1);
        if place.is_none() {
            killed.with(0);
        }
        place.is_none()
    });
    assert!(ended.is_some_and(|ended| ended > 10), "{ended:?} turns");
}

pub fn the_node_dies_while_a_payment_is_out(rig: &Rig) {
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    client.write("jobs.toml", &one_job("it dies"));
    let run = client.start("run jobs.toml");
    let hash = shop.wait_held();
    rig.run(&["kill", "payer"]);
    let in_doubt = || client.says("status --batch jobs --json").stdout.contains("in_doubt");
    wait_for("it is in doubt", in_doubt);
    rig.run(&["start", "payer"]);
    rig.run(&["wait", "payer"]);
    shop.settle(&hash);
    run.end().with(0);
    all_delivered(&shop, &client, 1);
    assert_eq!(shop.lists.invoices().len(), 1, "no other invoice was asked for");
}

/// The first turn that a purchase takes; before it the node is asked how it is, and what it has paid last, without which nothing is
/// bought.
const FIRST_TURN: usize = 11;

pub fn the_node_dies_at_every_turn(rig: &Rig) {
    let shop = Shop::open(rig, "");
    let cutter = Cutter::between(&shop.sandbox, &rig.payer.url);
    let ended = (FIRST_TURN..=TURNS_MAX).find(|nth| {
        let shop = shop.reopened();
        let client = Client::with(&cutter.catalog, &cutter.node, &rig.payer.macaroon_file, &rig.payer.certificate_file);
        client.write("jobs.toml", &one_job(&format!("its turn {nth}")));
        let die = Box::new(rig.killer("payer"));
        let run = cutter.start_and(Count::Turns, *nth, || client.start("run jobs.toml --wait-doubt 1s"), Some(die));
        let ended = run.end();
        let place = cutter.sheathe();
        eprintln!("the node was killed at: {place:?}");
        if place.is_none() {
            ended.with(0);
            return true;
        }
        rig.run(&["start", "payer"]);
        rig.run(&["wait", "payer"]);
        rig.wait_for_way();
        client.run("run jobs.toml").with(0);
        all_delivered(&shop, &client, 1);
        assert_eq!(shop.lists.invoices().iter().filter(|invoice| invoice.state == "SETTLED").count(), 1);
        false
    });
    assert!(ended.is_some_and(|ended| ended > FIRST_TURN + 3), "{ended:?} turns");
}

pub fn both_die_and_the_wallet_is_locked(rig: &Rig) {
    let shop = Shop::open(rig, "--mint-hold");
    let client = shop.client();
    client.write("jobs.toml", &one_job("both die"));
    let run = client.start("run jobs.toml");
    let hash = shop.wait_held();
    rig.run(&["kill", "payer"]);
    run.killer()();
    run.end();
    client.run("recover --batch jobs --wait-doubt 1s").with(5).saying("cannot be reached");
    start_locked(rig);
    client.run("recover --batch jobs --wait-doubt 1s").with(5).saying("locked");
    // What can be made durable while it is away is settled at the payee meanwhile.
    shop.settle(&hash);
    unlock(rig);
    shop.wait_paid(&hash, "SUCCEEDED");
    client.run("run jobs.toml").with(0);
    all_delivered(&shop, &client, 1);
    assert_eq!(shop.lists.invoices().len(), 1, "no other invoice was asked for");
}
