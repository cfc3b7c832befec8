//! What was paid for and is not delivered comes back: by an invoice of the real payer's, which the real payee pays.

use l402_batch::l402::PaymentHash;
use l402_batch::payer::lnd::{LndOptions, LndPayer, Macaroon};
use l402_batch::payer::{InvoiceState, NodeProblem, ProblemKind, Receiver};

use crate::harness::Client;
use crate::lnd::block_on;
use crate::rig::Rig;
use crate::shop::{README_RIGHTS, Shop, one_job, write_macaroon};
use crate::unusable::client_with;

const MACAROON: &str = "payer.macaroon";
const PRICE_MSAT: u64 = 300_000;
/// More than the reserve of a channel: below it the payee can give nothing back.
const TO_GIVE_SATS: u64 = 400_000;

/// A shop that gives everything back, and somebody who buys there with a macaroon of these rights, which lies in the folder
/// of the other.
fn giving_back<'a>(rig: &'a Rig, rights: &[&str]) -> (Shop<'a>, Client, Client) {
    assert_eq!(rig.payer.pay(&rig.payee.invoice(TO_GIVE_SATS))["status"], "SUCCEEDED");
    let shop = Shop::open(rig, "--sandbox-refund-percent 100");
    let keeper = shop.client();
    let macaroon = write_macaroon(&keeper, MACAROON, &rig.payer.bake(rights));
    let client = client_with(&shop, &rig.payer, &macaroon, &rig.payer.certificate_file);
    client.write("jobs.toml", &one_job("given back"));
    (shop, client, keeper)
}

/// By the payer's own books: one invoice was made, and it is paid in full.
fn came_once(rig: &Rig, invoices_before: u64) {
    let made = rig.payer.invoices(invoices_before);
    let states: Vec<_> = made.iter().map(|invoice| (invoice.state.as_str(), invoice.paid_msat)).collect();
    assert_eq!(states, [("SETTLED", PRICE_MSAT)]);
}

pub fn what_is_paid_back_comes(rig: &Rig) {
    let before = rig.payer.newest_invoice();
    let (shop, client, _keeper) = giving_back(rig, &README_RIGHTS);
    client.run("run jobs.toml").with(4).saying("refunded");
    came_once(rig, before);
    client.asks_node("audit").with(0);
    // Bought and given back once more, by the user's word alone.
    client.run("run jobs.toml").with(4);
    assert_eq!(shop.lists.payments().len(), 1);
    client.run("run jobs.toml --retake-refunded").with(4);
    assert_eq!(shop.lists.payments().len(), 2);
    let received: Vec<u64> = rig.payer.invoices(before).iter().map(|invoice| invoice.paid_msat).collect();
    assert_eq!(received, [PRICE_MSAT; 2]);
    client.asks_node("audit").with(0);
}

pub fn a_claim_waits_for_the_right_to_receive(rig: &Rig) {
    let before = rig.payer.newest_invoice();
    let (_shop, client, keeper) = giving_back(rig, &README_RIGHTS[..6]);
    client.run("run jobs.toml").with(4).saying("AddInvoice");
    assert!(rig.payer.invoices(before).is_empty());
    write_macaroon(&keeper, MACAROON, &rig.payer.bake(&README_RIGHTS));
    client.run("refunds claim --all").with(4).saying("came back");
    came_once(rig, before);
}

pub fn an_invoice_that_no_node_knows(rig: &Rig) {
    let payer = |rights: &[&str]| {
        let macaroon = Macaroon::from_text(&rig.payer.bake(rights), "baked").unwrap();
        let certificate_pem = Some(std::fs::read(&rig.payer.certificate_file).unwrap());
        LndPayer::new(&LndOptions { url: rig.payer.url.clone(), macaroon, certificate_pem }).unwrap()
    };
    let unknown = PaymentHash([7; 32]);
    assert_eq!(block_on(payer(&README_RIGHTS).invoice(&unknown)), Ok(InvoiceState::Unknown));
    let denied = block_on(payer(&README_RIGHTS[..6]).invoice(&unknown));
    assert!(matches!(denied, Err(NodeProblem { kind: ProblemKind::Denied(_), .. })), "{denied:?}");
}
