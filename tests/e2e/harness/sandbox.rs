//! A sandbox in a process of its own, and its books.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use super::{PATIENCE, PROGRAM, Process, get};

/// A running sandbox. It is stopped when dropped.
pub struct Sandbox {
    /// `http://127.0.0.1:PORT`.
    pub origin: String,
    /// `https://127.0.0.1:PORT`; empty where a real node mints the invoices.
    pub node: String,
    folder: TempDir,
    flags: String,
    process: Option<Process>,
}

/// What the sandbox holds for true.
#[derive(Clone, Debug, Deserialize)]
pub struct Books {
    pub balance_msat: u64,
    pub payments: Vec<Payment>,
    pub sales: Vec<Sale>,
    pub invoices: Vec<Invoice>,
    pub refunds: Vec<Refund>,
    #[serde(default)]
    pub fetches: BTreeMap<String, Fetches>,
}

/// How often a video was fetched since the sandbox was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Fetches {
    pub requests: u32,
    pub ranged: u32,
    pub to_the_end: u32,
}

/// An invoice of the node's own.
#[derive(Clone, Debug, Deserialize)]
pub struct Invoice {
    pub hash: String,
    pub amount_msat: u64,
    pub status: String,
    pub received_msat: Option<u64>,
}

/// A refund that was claimed.
#[derive(Clone, Debug, Deserialize)]
pub struct Refund {
    pub sale: String,
    pub invoice: String,
    pub paid: bool,
}

/// A payment in the node's books.
#[derive(Clone, Debug, Deserialize)]
pub struct Payment {
    pub hash: String,
    pub amount_msat: u64,
    pub fee_msat: u64,
    pub status: String,
}

/// A challenge in the API's books.
#[derive(Clone, Debug, Deserialize)]
pub struct Sale {
    pub hash: String,
    pub body_sha256: String,
    pub endpoint: String,
    pub amount_msat: u64,
    pub paid: bool,
    pub delivered_count: u64,
    #[serde(default)]
    pub handled: u64,
    pub video: Option<String>,
}

#[derive(Deserialize)]
struct Ports {
    origin: u16,
    node: Option<u16>,
}

impl Sandbox {
    /// Starts one with these flags, on free ports. Payments are quick unless the flags say otherwise.
    pub fn start(flags: &str) -> Self {
        Self::begun_in(tempfile::tempdir().unwrap(), flags)
    }

    /// Starts one that goes on with what an earlier one left in that folder.
    pub fn going_on_with(left: &Path, flags: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        for file in std::fs::read_dir(left).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), state.join(file.file_name())).unwrap();
        }
        Self::begun_in(folder, flags)
    }

    fn begun_in(folder: TempDir, flags: &str) -> Self {
        let process = begin(folder.path(), flags);
        let (origin, node) = addresses(&folder.path().join("state"));
        Self { origin, node, folder, flags: flags.to_owned(), process: Some(process) }
    }

    /// Kills it and starts it again, with its books, at the same addresses.
    pub fn restart(&mut self) {
        self.stop();
        std::fs::remove_file(self.file("catalog.toml")).unwrap();
        self.process = Some(begin(self.folder.path(), &self.flags));
        let addresses = addresses(&self.folder.path().join("state"));
        assert_eq!(addresses, (self.origin.clone(), self.node.clone()));
    }

    /// As [`Self::restart`], with these flags from now on.
    pub fn restart_with(&mut self, flags: &str) {
        flags.clone_into(&mut self.flags);
        self.restart();
    }

    /// A file of its state directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// Its books, as they are now.
    pub fn books(&self) -> Books {
        serde_json::from_slice(&get(&format!("{}/sandbox/books", self.origin))).unwrap()
    }

    /// Waits until its books are so.
    pub fn wait_for(&self, what: &str, so: impl Fn(&Books) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        while !so(&self.books()) {
            assert!(Instant::now() < give_up, "never: {what}\n{:?}", self.books());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it; its addresses answer no more.
    pub fn stop(&mut self) {
        self.process = None;
    }
}

fn begin(folder: &Path, flags: &str) -> Process {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
    command.arg("sandbox").arg("--state").arg(folder.join("state")).args(flags.split_whitespace());
    if !flags.contains("--sandbox-pay-ms") {
        command.args(["--sandbox-pay-ms", "5"]);
    }
    Process::start(&mut command)
}

/// The addresses, once both answer: the catalogue is the last file that a starting sandbox writes.
fn addresses(state: &Path) -> (String, String) {
    let give_up = Instant::now() + PATIENCE;
    while !state.join("catalog.toml").exists() {
        assert!(Instant::now() < give_up, "the sandbox does not start");
        thread::sleep(Duration::from_millis(5));
    }
    let ports: Ports = serde_json::from_slice(&std::fs::read(state.join("ports.json")).unwrap()).unwrap();
    let node = ports.node.map(|port| format!("https://127.0.0.1:{port}"));
    (format!("http://127.0.0.1:{}", ports.origin), node.unwrap_or_default())
}

impl Books {
    /// What was added since.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            balance_msat: self.balance_msat,
            payments: self.payments[before.payments.len()..].to_vec(),
            sales: self.sales[before.sales.len()..].to_vec(),
            invoices: self.invoices[before.invoices.len()..].to_vec(),
            refunds: self.refunds[before.refunds.len()..].to_vec(),
            fetches: self.fetches.clone(),
        }
    }

    /// Payments that settled, by hash.
    pub fn settled(&self) -> HashMap<&str, &Payment> {
        let settled = self.payments.iter().filter(|payment| payment.status == "SUCCEEDED");
        settled.map(|payment| (payment.hash.as_str(), payment)).collect()
    }

    /// What the node has received.
    pub fn received_msat(&self) -> u64 {
        self.invoices.iter().filter_map(|invoice| invoice.received_msat).sum()
    }

    /// What left the node's balance.
    pub fn spent_msat(&self) -> u64 {
        self.settled().values().map(|payment| payment.amount_msat + payment.fee_msat).sum()
    }

    /// Nobody was asked to pay, and nobody paid.
    #[track_caller]
    pub fn are_unpaid(&self) {
        assert!(self.payments.is_empty(), "{:?}", self.payments);
        assert!(self.sales.iter().all(|sale| !sale.paid), "{:?}", self.sales);
    }

    /// The API was not even asked.
    #[track_caller]
    pub fn are_empty(&self) {
        self.are_unpaid();
        assert!(self.sales.is_empty(), "{:?}", self.sales);
    }
}
