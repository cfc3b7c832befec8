//! The client's papers held against the two nodes' own lists, both ways, to the millisatoshi.

use std::collections::{HashMap, HashSet};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::Client;
use crate::lnd::Payment;
use crate::shop::{Lists, Shop};

/// Holds the batch against the nodes, as [`booked`] does; no request was paid for twice; and what is paid is delivered. Gives what
/// was bought by job, and what it cost.
#[track_caller]
pub fn audit(shop: &Shop<'_>, client: &Client, stem: &str) -> HashMap<String, u64> {
    let bought = booked(&shop.lists, client, stem);
    no_request_is_paid_for_twice(shop, bought.len());
    bought
}

/// Holds the batch against the nodes: every settled payment of the payer's has a receipt and is an invoice that the payee settled,
/// nothing else is; and the ledger's sums are the payer's. Gives what was bought by job, and what it cost.
#[track_caller]
pub fn booked(lists: &Lists<'_>, client: &Client, stem: &str) -> HashMap<String, u64> {
    let payments = lists.payments();
    let open: Vec<&Payment> = payments.iter().filter(|payment| !is_ended(payment)).collect();
    assert!(open.is_empty(), "still open at the payer: {open:?}");
    let sent: HashMap<&str, &Payment> = payments
        .iter()
        .filter(|payment| payment.status == "SUCCEEDED")
        .map(|payment| (payment.hash.as_str(), payment))
        .collect();
    let received = received(lists);
    assert_eq!(sent.len(), received.len(), "{sent:?}\n{received:?}");

    let receipts = client.rows(&format!("{stem}.receipts.csv"));
    assert_eq!(receipts.len(), sent.len(), "{receipts:?}\n{sent:?}");
    let mut bought = HashMap::new();
    for receipt in &receipts {
        let hash = receipt["payment_hash"].as_str();
        let payment = sent.get(hash).unwrap_or_else(|| panic!("the payer does not know {receipt:?}"));
        assert_eq!(receipt["amount_msat"], received[hash].to_string(), "{receipt:?}");
        assert_eq!(receipt["amount_msat"], payment.value_msat.to_string(), "{receipt:?}");
        assert_eq!(receipt["fee_msat"], payment.fee_msat.to_string(), "{receipt:?}");
        assert_eq!(receipt["total_msat"], (payment.value_msat + payment.fee_msat).to_string(), "{receipt:?}");
        assert_eq!(receipt["preimage"], payment.preimage, "{receipt:?}");
        let preimage = HEXLOWER.decode(receipt["preimage"].as_bytes()).unwrap();
        assert_eq!(HEXLOWER.encode(&Sha256::digest(preimage)), hash);
        assert_eq!(receipt["payer_node"], lists.rig.payer.id(), "{receipt:?}");
        assert_eq!(receipt["payee_node"], lists.rig.payee.id(), "{receipt:?}");
        let once = bought.insert(receipt["id"].clone(), payment.value_msat + payment.fee_msat);
        assert!(once.is_none(), "bought twice: {receipt:?}");
    }
    ledger_agrees(client, stem, sent.values().map(|payment| payment.value_msat + payment.fee_msat).sum());
    bought
}

/// The same, and every job of the batch is delivered.
#[track_caller]
pub fn all_delivered(shop: &Shop<'_>, client: &Client, jobs: usize) {
    let bought = audit(shop, client, "jobs");
    let results = client.rows("jobs.results.csv");
    assert_eq!((results.len(), bought.len()), (jobs, jobs), "{results:?}");
    assert!(results.iter().all(|row| row["state"] == "delivered"), "{results:?}");
}

fn is_ended(payment: &Payment) -> bool {
    ["SUCCEEDED", "FAILED"].contains(&payment.status.as_str())
}

/// What has come in at the payee, by hash.
fn received(lists: &Lists<'_>) -> HashMap<String, u64> {
    let settled = lists.invoices().into_iter().filter(|invoice| invoice.state == "SETTLED");
    settled.map(|invoice| (invoice.hash, invoice.paid_msat)).collect()
}

fn no_request_is_paid_for_twice(shop: &Shop<'_>, bought: usize) {
    let received = received(&shop.lists);
    let books = shop.sandbox.books();
    let mut bodies = HashSet::new();
    for sale in books.sales.iter().filter(|sale| received.contains_key(&sale.hash)) {
        assert!(bodies.insert(&sale.body_sha256), "paid for twice: {sale:?}");
        assert!(sale.delivered_count > 0, "paid and not delivered: {sale:?}");
    }
    assert_eq!(bodies.len(), bought, "payments that no sale explains");
}

fn ledger_agrees(client: &Client, stem: &str, spent_msat: u64) {
    let status = client.says(&format!("status --batch {stem} --json"));
    let status: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status}"));
    let number = |key: &str| status[key].as_u64().unwrap_or_else(|| panic!("{key}: {status}"));
    assert_eq!(number("held_msat"), 0, "{status}");
    assert_eq!(number("spent_msat") + number("fees_msat"), spent_msat, "{status}");
}
