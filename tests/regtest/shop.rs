//! The API: the sandbox's, with invoices of the real payee.

use std::rc::Rc;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::harness::{Client, Sandbox};
use crate::lnd::{Invoice, Lnd, Payment, post_to};
use crate::rig::{Rig, wait_for};

/// What the README's macaroon allows.
pub const README_RIGHTS: [&str; 8] = [
    "/lnrpc.Lightning/GetInfo",
    "/lnrpc.Lightning/ChannelBalance",
    "/lnrpc.Lightning/ListPayments",
    "/routerrpc.Router/SendPaymentV2",
    "/routerrpc.Router/TrackPaymentV2",
    "/lnrpc.Lightning/ListChannels",
    "/lnrpc.Lightning/AddInvoice",
    "/lnrpc.Lightning/LookupInvoice",
];

/// The nodes' lists from some place on.
#[derive(Clone, Copy)]
pub struct Lists<'a> {
    pub rig: &'a Rig,
    pub payments_before: u64,
    pub invoices_before: u64,
}

/// An API that sells, and the nodes' lists since it opened.
pub struct Shop<'a> {
    pub sandbox: Rc<Sandbox>,
    pub lists: Lists<'a>,
}

impl<'a> Lists<'a> {
    /// From here on.
    pub fn begin(rig: &'a Rig) -> Self {
        Self { rig, payments_before: rig.payer.newest_payment(), invoices_before: rig.payee.newest_invoice() }
    }

    /// What the payer has paid, or tried to.
    pub fn payments(&self) -> Vec<Payment> {
        self.rig.payer.payments(self.payments_before)
    }

    /// What the payee has asked for.
    pub fn invoices(&self) -> Vec<Invoice> {
        self.rig.payee.invoices(self.invoices_before)
    }
}

impl<'a> Shop<'a> {
    /// Opens one with these flags of the sandbox's.
    pub fn open(rig: &'a Rig, flags: &str) -> Self {
        Self::minting_at(rig, &rig.payee, flags)
    }

    /// The same, with the invoices of another node than the payee.
    pub fn minting_at(rig: &'a Rig, payee: &Lnd, flags: &str) -> Self {
        let mint = format!(
            "--mint-lnd-url {} --mint-lnd-macaroon-file {} --mint-lnd-cert-file {} {flags}",
            payee.url,
            payee.macaroon_file.display(),
            payee.certificate_file.display()
        );
        let lists = Lists::begin(rig);
        Self { sandbox: Rc::new(Sandbox::start(&mint)), lists }
    }

    /// The same API, with the nodes' lists begun anew.
    pub fn reopened(&self) -> Self {
        Self { sandbox: Rc::clone(&self.sandbox), lists: Lists::begin(self.lists.rig) }
    }

    /// Somebody who buys there and pays with the payer.
    pub fn client(&self) -> Client {
        self.client_at(&self.lists.rig.payer.url)
    }

    /// The same, who reaches the payer elsewhere.
    pub fn client_at(&self, url: &str) -> Client {
        let payer = &self.lists.rig.payer;
        Client::with(&self.sandbox.file("catalog.toml"), url, &payer.macaroon_file, &payer.certificate_file)
    }

    /// Hashes whose payment has come in and is held.
    pub fn held(&self) -> Vec<String> {
        self.lists
            .invoices()
            .into_iter()
            .filter(|invoice| invoice.state == "ACCEPTED")
            .map(|invoice| invoice.hash)
            .collect()
    }

    /// Waits until a payment is held.
    pub fn wait_held(&self) -> String {
        wait_for("a payment is held", || !self.held().is_empty());
        self.held().remove(0)
    }

    /// Takes what is held.
    pub fn settle(&self, hash: &str) {
        self.decide("settle", hash);
    }

    /// Gives it back.
    pub fn cancel(&self, hash: &str) {
        self.decide("cancel", hash);
    }

    fn decide(&self, decision: &str, hash: &str) {
        let url = format!("{}/sandbox/{decision}/{hash}", self.sandbox.origin);
        assert_eq!(post_to(&url), 204, "{decision} {hash}");
    }

    /// Waits until the payer's own list says this of a hash.
    pub fn wait_paid(&self, hash: &str, status: &str) {
        let so = || self.lists.payments().iter().any(|payment| payment.hash == hash && payment.status == status);
        wait_for(&format!("{hash} is {status}"), so);
    }
}

/// A cheap job; the tag makes its body differ from all others.
pub fn one_job(tag: &str) -> String {
    format!(
        "version = 1\n\n[[job]]\nid = \"image\"\nendpoint = \"animate-image\"\nimage = \"picture.png\"\nduration = 3\nprompt = \"a boat {tag}\"\n"
    )
}

/// A macaroon in a client's folder, from its hex.
pub fn write_macaroon(client: &Client, name: &str, hex: &str) -> std::path::PathBuf {
    let path = client.path(name);
    std::fs::write(&path, HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap()).unwrap();
    path
}
