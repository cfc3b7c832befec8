//! The client's papers held against the sandbox's books.

use std::collections::{HashMap, HashSet};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Books, Client, Rows};

/// Books and papers that have been found to agree.
pub struct Audit {
    /// How many purchases each job has, by id.
    pub bought: HashMap<String, usize>,
    /// The results, row by row.
    pub results: Rows,
}

impl Audit {
    /// Holds the batch `STEM` against these books: nothing is under way, no request was paid for twice, what is paid is
    /// delivered, and receipts and ledger agree with the books to the msat.
    #[track_caller]
    pub fn of(client: &Client, stem: &str, books: &Books) -> Self {
        let audit = Self::of_any(client, stem, books);
        for row in audit.results.iter().filter(|row| ["delivered", "downloaded"].contains(&row["state"].as_str())) {
            let video = books.sales.iter().filter_map(|sale| sale.video.as_deref());
            let in_answer = row["url"].starts_with("data:");
            let stands = |video: &str| row["url"].ends_with(&format!("/videos/{video}.mp4"));
            assert!(in_answer || video.into_iter().any(stands), "{row:?}");
        }
        audit
    }

    /// The same where something else than the sandbox's videos is sold.
    #[track_caller]
    pub fn of_any(client: &Client, stem: &str, books: &Books) -> Self {
        no_request_is_paid_for_twice(books);
        what_is_paid_is_delivered(books);
        let receipts = client.rows(&format!("{stem}.receipts.csv"));
        receipts_agree(&receipts, books);
        ledger_agrees(client, stem, books);
        let mut bought = HashMap::new();
        for receipt in &receipts {
            *bought.entry(receipt["id"].clone()).or_default() += 1;
        }
        let results = client.rows(&format!("{stem}.results.csv"));
        for row in results.iter().filter(|row| ["delivered", "downloaded"].contains(&row["state"].as_str())) {
            assert_eq!(bought.get(&row["id"]), Some(&1), "{row:?}");
        }
        Self { bought, results }
    }

    /// Every job is delivered, each bought exactly once.
    #[track_caller]
    pub fn all_delivered(self, jobs: usize) -> Self {
        self.all("delivered", jobs)
    }

    /// Every job is downloaded, each bought exactly once.
    #[track_caller]
    pub fn all_downloaded(self, jobs: usize) -> Self {
        self.all("downloaded", jobs)
    }

    #[track_caller]
    fn all(self, state: &str, jobs: usize) -> Self {
        assert_eq!(self.results.len(), jobs, "{:?}", self.results);
        assert!(self.results.iter().all(|row| row["state"] == state), "{:?}", self.results);
        assert_eq!(self.bought.len(), jobs, "{:?}", self.bought);
        assert!(self.bought.values().all(|count| *count == 1), "{:?}", self.bought);
        self
    }
}

fn no_request_is_paid_for_twice(books: &Books) {
    assert!(books.payments.iter().all(|payment| payment.status != "IN_FLIGHT"), "{:?}", books.payments);
    let mut paid = HashSet::new();
    for sale in books.sales.iter().filter(|sale| sale.paid) {
        assert!(paid.insert(&sale.body_sha256), "paid for twice: {sale:?}");
    }
    assert_eq!(books.settled().len(), paid.len(), "{books:?}");
}

fn what_is_paid_is_delivered(books: &Books) {
    for sale in &books.sales {
        assert_eq!(sale.paid, sale.delivered_count > 0, "{sale:?}");
        assert_eq!(sale.paid, sale.video.is_some(), "{sale:?}");
    }
}

fn receipts_agree(receipts: &Rows, books: &Books) {
    let settled = books.settled();
    assert_eq!(receipts.len(), settled.len(), "{receipts:?}\n{settled:?}");
    for receipt in receipts {
        let payment = settled.get(receipt["payment_hash"].as_str()).unwrap_or_else(|| panic!("{receipt:?}"));
        assert_eq!(receipt["amount_msat"], payment.amount_msat.to_string(), "{receipt:?}");
        assert_eq!(receipt["fee_msat"], payment.fee_msat.to_string(), "{receipt:?}");
        assert_eq!(receipt["total_msat"], (payment.amount_msat + payment.fee_msat).to_string(), "{receipt:?}");
        let preimage = HEXLOWER.decode(receipt["preimage"].as_bytes()).unwrap();
        assert_eq!(HEXLOWER.encode(&Sha256::digest(preimage)), receipt["payment_hash"]);
        let sale = books.sales.iter().find(|sale| sale.hash == receipt["payment_hash"]).unwrap();
        let is_told = sale.endpoint != "anything";
        assert!(!is_told || receipt["endpoint"] == sale.endpoint, "{receipt:?}");
    }
}

fn ledger_agrees(client: &Client, stem: &str, books: &Books) {
    let status = client.says(&format!("status --batch {stem} --json"));
    let status: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status}"));
    let number = |key: &str| status[key].as_u64().unwrap_or_else(|| panic!("{key}: {status}"));
    assert_eq!(number("held_msat"), 0, "{status}");
    assert_eq!(number("spent_msat") + number("fees_msat"), books.spent_msat(), "{status}");
}
