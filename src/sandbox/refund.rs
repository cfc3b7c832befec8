//! Refunds: what the API gives back as LNURL-withdraw (LUD-03), and the node's own invoices that it is given back to.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::journal::{Claimed, Invoiced};
use super::keys::Bill;
use super::lnd_error::{Code, LndError};
use super::options::RefundFault;
use super::pay::{position, read_invoice};
use super::serve::{HangUp, stopped};
use super::shop::Shop;
use super::{World, now};
use crate::l402::PaymentHash;
use crate::money::Msat;

/// What later refunds are short of: a fee for it.
const LESS: Msat = Msat::new(2_000);
const LEAST: Msat = Msat::new(1_000);
const SLOW: Duration = Duration::from_secs(3);
const EXPIRY_S_DEFAULT: u64 = 86_400;
const EXPIRY_S_MAX: u64 = 31_536_000;

/// The fields of lnrpc's Invoice that this node reads: lnd refuses every unknown one.
const FIELDS: [&str; 6] = ["memo", "value", "value_msat", "expiry", "private", "cltv_expiry"];

/// An invoice that is to be made.
pub(super) struct InvoiceRequest {
    memo: String,
    amount: Msat,
    expiry_s: u64,
}

impl InvoiceRequest {
    /// Reads a body as protojson does.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, LndError> {
        let bad = |why: String| LndError::new(Code::InvalidArgument, format_args!("proto: {why}"));
        let object: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| bad(format!("syntax error: {error}")))?;
        if let Some(field) = object.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(bad(format!("(line 1:{}): unknown field \"{field}\"", position(body, field))));
        }
        let number = |field: &str| match object.get(field) {
            None | Some(Value::Null) => Ok(0),
            Some(Value::Number(number)) => number.as_u64().ok_or_else(|| bad(format!("invalid value for {field}"))),
            Some(Value::String(text)) => text.parse().map_err(|_| bad(format!("invalid value for {field}"))),
            Some(_) => Err(bad(format!("invalid value for {field}"))),
        };
        let (sats, msat, expiry_s) = (number("value")?, number("value_msat")?, number("expiry")?);
        if sats != 0 && msat != 0 {
            return Err(LndError::new(Code::Unknown, "sat and msat arguments are mutually exclusive"));
        }
        if expiry_s > EXPIRY_S_MAX {
            return Err(LndError::new(Code::Unknown, "expiry too large"));
        }
        Ok(Self {
            memo: object.get("memo").and_then(Value::as_str).unwrap_or_default().to_owned(),
            amount: Msat::new(sats.saturating_mul(1_000).saturating_add(msat)),
            expiry_s: if expiry_s == 0 { EXPIRY_S_DEFAULT } else { expiry_s },
        })
    }
}

impl World {
    /// Makes an invoice of the node's own.
    pub(super) fn make_invoice(&self, request: &InvoiceRequest) -> Result<(PaymentHash, String), LndError> {
        let mut books = self.books();
        let (number, at) = (books.invoice_number(), now());
        let bill =
            Bill { number, amount: request.amount, description: request.memo.clone(), at, expiry_s: request.expiry_s };
        let (hash, invoice) = self.keys.own_invoice(bill).map_err(|error| LndError::new(Code::Unknown, error))?;
        books.invoice(Invoiced {
            hash,
            number,
            amount_msat: request.amount,
            memo: request.memo.clone(),
            invoice: invoice.clone(),
            expiry_s: request.expiry_s,
            at,
        })?;
        Ok((hash, invoice))
    }

    /// Whether that goes wrong with refunds.
    fn has_refund_fault(&self, fault: RefundFault) -> bool {
        self.options.refund_faults.contains(&fault)
    }

    /// Pays a refund that was claimed, whoever still listens. A stop of the sandbox leaves it to the next start.
    pub(super) fn pay_back(self: Arc<Self>, claimed: Claimed) {
        if !claimed.pays {
            return;
        }
        tokio::spawn(async move {
            let mut stop = self.stop.subscribe();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.options.pay_ms)) => {}
                () = stopped(&mut stop) => return,
            }
            if let Some(mint) = &self.mint {
                // What it could not pay stays unpaid, and whoever is owed it says so.
                let _ = mint.pay(&claimed.request).await;
                return;
            }
            let times = if self.has_refund_fault(RefundFault::Twice) { 2 } else { 1 };
            for _ in 0..times {
                // Books that cannot be written leave it unpaid: nothing happened that is not written.
                let _ = self.books().receive(claimed.invoice, claimed.amount_msat, now());
            }
        });
    }
}

/// What may be withdrawn for a charge.
pub(super) async fn offer(State(shop): State<Arc<Shop>>, Path(charge): Path<String>, headers: HeaderMap) -> Response {
    shop.world.wait(shop.world.options.latency_ms).await;
    match shop.withdrawable(&charge) {
        Ok((sale, most)) => say(&json!({
            "tag": "withdrawRequest",
            "callback": format!("{}api/l402/refund/{sale}/claim?from=sandbox", shop.base_for(&headers)),
            "k1": shop.world.keys.claim_word(&sale),
            "defaultDescription": "refund from the sandbox",
            "minWithdrawable": LEAST,
            "maxWithdrawable": most,
        })),
        Err(why) => refuse(why),
    }
}

/// The two words of a claim.
#[derive(Deserialize)]
pub(super) struct Words {
    k1: String,
    pr: String,
}

/// Takes the invoice of a claim.
pub(super) async fn claim(
    State(shop): State<Arc<Shop>>,
    Path(charge): Path<String>,
    Query(words): Query<Words>,
) -> Response {
    let world = &shop.world;
    world.wait(world.options.latency_ms).await;
    let claimed = match shop.claimed(&charge, &words) {
        Ok(claimed) => claimed,
        Err(why) => return refuse(why),
    };
    if world.has_refund_fault(RefundFault::Refused) {
        return refuse("no invoice is taken now");
    }
    let taken = world.books().claim(claimed.clone());
    match taken {
        Ok(true) => Arc::clone(world).pay_back(claimed),
        Ok(false) => return refuse("it was withdrawn already"),
        Err(_) => return refuse("the sandbox's books cannot be written"),
    }
    if world.has_refund_fault(RefundFault::Slow) {
        tokio::time::sleep(SLOW).await;
    }
    if world.has_refund_fault(RefundFault::Unanswered) {
        return HangUp.into_response();
    }
    if world.has_refund_fault(RefundFault::ErrorButPaid) {
        return refuse("something went wrong");
    }
    say(&json!({ "status": "OK" }))
}

impl Shop {
    /// The sale of a charge, and the most that is given back for it.
    fn withdrawable(&self, charge: &str) -> Result<(PaymentHash, Msat), &'static str> {
        let hash = PaymentHash::from_hex(charge).ok_or("no such charge")?;
        let books = self.world.books();
        let sale = books.state.sale(&hash).filter(|sale| sale.paid).ok_or("no such charge")?;
        if books.state.claim(&hash).is_some() {
            return Err("it was withdrawn already");
        }
        if self.world.has_refund_fault(RefundFault::Expired) {
            return Err("the refund has expired");
        }
        let less = if self.world.has_refund_fault(RefundFault::Less) { LESS } else { Msat::ZERO };
        Ok((hash, sale.asked.amount_msat.checked_sub(less).unwrap_or(Msat::ZERO)))
    }

    fn claimed(&self, charge: &str, words: &Words) -> Result<Claimed, &'static str> {
        let (sale, most) = self.withdrawable(charge)?;
        if words.k1 != self.world.keys.claim_word(&sale) {
            return Err("the k1 is not right");
        }
        let invoice = read_invoice(&words.pr).map_err(|_| "the invoice cannot be read")?;
        let amount = invoice.amount.filter(|amount| *amount >= LEAST && *amount <= most);
        let amount_msat = amount.ok_or("the invoice is not within what may be withdrawn")?;
        // The stand-in node can pay itself alone; the one that mints finds its way.
        let is_payable = self.world.mint.is_some() || self.world.keys.is_own(&invoice.payee);
        if !is_payable || invoice.refuse_expired(now()).is_err() {
            return Err("there is no way to pay the invoice");
        }
        let pays = !self.world.has_refund_fault(RefundFault::NeverPaid);
        let request = words.pr.clone();
        Ok(Claimed { sale, invoice: invoice.hash, request, amount_msat, pays, at: now() })
    }
}

/// LUD-03 answers errors with 200 as well.
fn refuse(why: &str) -> Response {
    say(&json!({ "status": "ERROR", "reason": why }))
}

fn say(body: &Value) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_lnd_reads_it() {
        let read = |body: &str| InvoiceRequest::from_json(body.as_bytes());
        let order = read(r#"{"memo":"x","value_msat":"498000","expiry":"600","private":true}"#);
        let order = order.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!((order.memo.as_str(), order.amount, order.expiry_s), ("x", Msat::new(498_000), 600));
        for (body, code) in [
            (r#"{"amount":1}"#, Code::InvalidArgument),
            (r#"{"value":-1}"#, Code::InvalidArgument),
            (r#"{"value":1,"value_msat":1}"#, Code::Unknown),
            (r#"{"expiry":"31536001"}"#, Code::Unknown),
            ("nonsense", Code::InvalidArgument),
        ] {
            assert_eq!(read(body).err().map(|error| error.code), Some(code), "{body}");
        }
    }
}
