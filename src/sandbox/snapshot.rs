//! The books as an auditor reads them: at `GET /sandbox/books`, and in the process.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::Serialize;

use super::books::{End, OwnInvoice, Payment, Sale, State};
use super::journal::Claimed;
use super::shapes::Handled;
use super::videos::Fetches;
use super::{World, now};
use crate::money::Msat;
use crate::time::UnixMs;

/// Everything that the sandbox itself holds for true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// What the node can still send.
    pub balance_msat: Msat,
    /// Every payment hash that the node was asked to pay, oldest first.
    pub payments: Vec<PaymentRow>,
    /// Every challenge that the API made, oldest first.
    pub sales: Vec<SaleRow>,
    /// Every invoice that the node made, oldest first.
    pub invoices: Vec<InvoiceRow>,
    /// Every refund that was claimed, oldest first.
    pub refunds: Vec<RefundRow>,
    /// How often each video was fetched since the start.
    pub fetches: BTreeMap<String, Fetches>,
}

/// A payment in the node's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PaymentRow {
    /// The payment hash in hex.
    pub hash: String,
    /// The invoice's amount.
    pub amount_msat: Msat,
    /// What routing cost, or would have.
    pub fee_msat: Msat,
    /// `IN_FLIGHT`, `SUCCEEDED` or `FAILED`.
    pub status: &'static str,
    /// When it settled, in milliseconds since the epoch.
    pub settled_at: Option<UnixMs>,
}

/// A challenge in the API's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SaleRow {
    /// The payment hash in hex.
    pub hash: String,
    /// SHA-256 over method, path and body, each with its length before it, in hex.
    pub body_sha256: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// What the invoice asks for.
    pub amount_msat: Msat,
    /// When the challenge was made, in milliseconds since the epoch.
    pub asked: UnixMs,
    /// Whether the invoice is settled.
    pub paid: bool,
    /// How many answers handed the video over.
    pub delivered_count: u64,
    /// How often the API's handler ran for it since the start.
    pub handled: u64,
    /// The video, once there is one. Two sales of one video were answered from the cache of identical requests.
    pub video: Option<String>,
    /// Whether the video is another sale's.
    pub deduplicated: bool,
}

/// An invoice in the node's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InvoiceRow {
    /// Its payment hash in hex.
    pub hash: String,
    /// What it asks for.
    pub amount_msat: Msat,
    /// `OPEN`, `SETTLED` or `CANCELED`.
    pub status: &'static str,
    /// What came back, in msat.
    pub received_msat: Option<Msat>,
    /// When, in milliseconds since the epoch.
    pub settled_at: Option<UnixMs>,
}

/// A refund in the API's books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundRow {
    /// The payment hash of the sale that is given back, in hex.
    pub sale: String,
    /// The payment hash of the invoice that it was claimed with, in hex.
    pub invoice: String,
    /// What is given back.
    pub amount_msat: Msat,
    /// Whether that invoice is paid.
    pub paid: bool,
}

impl World {
    pub(super) fn snapshot(&self) -> Snapshot {
        let books = self.books();
        Snapshot {
            balance_msat: books.state.balance(),
            payments: books.state.payments().map(PaymentRow::of).collect(),
            sales: books.state.sales().map(|sale| SaleRow::of(sale, &self.handled)).collect(),
            fetches: self.fetches.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            invoices: books.state.invoices().map(|invoice| InvoiceRow::of(invoice, now())).collect(),
            refunds: books.state.claims().map(|claimed| RefundRow::of(claimed, &books.state)).collect(),
        }
    }
}

impl InvoiceRow {
    fn of(invoice: &OwnInvoice, now: UnixMs) -> Self {
        Self {
            hash: invoice.made.hash.hex(),
            amount_msat: invoice.made.amount_msat,
            status: invoice.standing(now).as_str(),
            received_msat: invoice.paid.map(|(amount, _)| amount),
            settled_at: invoice.paid.map(|(_, at)| at),
        }
    }
}

impl RefundRow {
    fn of(claimed: &Claimed, state: &State) -> Self {
        Self {
            sale: claimed.sale.hex(),
            invoice: claimed.invoice.hex(),
            amount_msat: claimed.amount_msat,
            paid: state.invoice(&claimed.invoice).is_some_and(|invoice| invoice.paid.is_some()),
        }
    }
}

impl PaymentRow {
    fn of(payment: &Payment) -> Self {
        let (status, settled_at) = match payment.end {
            None => ("IN_FLIGHT", None),
            Some(End::Settled(at)) => ("SUCCEEDED", Some(at)),
            Some(End::Failed(_)) => ("FAILED", None),
        };
        let begun = &payment.begun;
        Self { hash: begun.hash.hex(), amount_msat: begun.amount_msat, fee_msat: begun.fee_msat, status, settled_at }
    }
}

impl SaleRow {
    fn of(sale: &Sale, handled: &Handled) -> Self {
        Self {
            hash: sale.asked.hash.hex(),
            handled: handled.count(&sale.asked.hash),
            body_sha256: sale.asked.body_sha256.clone(),
            endpoint: sale.asked.endpoint.clone(),
            amount_msat: sale.asked.amount_msat,
            asked: sale.asked.at,
            paid: sale.paid,
            delivered_count: sale.delivered_count,
            video: sale.bought.as_ref().map(|bought| bought.video.clone()),
            deduplicated: sale.bought.as_ref().is_some_and(|bought| bought.deduplicated),
        }
    }
}
