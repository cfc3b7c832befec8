//! Invoices at the node: made to receive a refund, and looked up to learn whether it came. Pure: bytes to types, and a
//! field that is missing or odd is an error, never a default.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::payer::{InvoiceOrder, InvoiceState, MadeInvoice, NodeProblem, ProblemKind};

use super::node::{not_understood, read};
use super::stream::Field;

/// The body of `POST /v1/invoices`. LND refuses unknown fields.
#[derive(Serialize)]
pub(super) struct AddRequest<'a> {
    memo: &'a str,
    /// 64-bit integers travel as strings.
    value_msat: String,
    expiry: String,
    /// A node whose channels are not announced is found by the hints in its invoices alone.
    private: bool,
}

impl<'a> AddRequest<'a> {
    pub(super) fn of(order: &'a InvoiceOrder) -> Self {
        Self {
            memo: &order.memo,
            value_msat: order.amount.get().to_string(),
            expiry: order.expiry_s.to_string(),
            private: true,
        }
    }
}

#[derive(Deserialize)]
struct Added<'a> {
    #[serde(borrow)]
    r_hash: Field<'a>,
    payment_request: String,
}

#[derive(Deserialize)]
struct InvoiceAnswer<'a> {
    #[serde(borrow)]
    r_hash: Field<'a>,
    #[serde(borrow)]
    state: Field<'a>,
    #[serde(borrow)]
    amt_paid_msat: Field<'a>,
}

pub(super) const ADD_PATH: &str = "/v1/invoices";

/// What `POST /v1/invoices` gives.
pub(super) fn added(body: &[u8]) -> Result<MadeInvoice, NodeProblem> {
    let added: Added<'_> = read(body, ADD_PATH)?;
    let hash = hash(&added.r_hash).ok_or_else(|| not_understood(ADD_PATH, "r_hash is no hash"))?;
    Ok(MadeInvoice { hash, invoice: added.payment_request })
}

/// What `GET /v1/invoice/{hash}` says.
pub(super) fn state(body: &[u8], asked: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
    const PATH: &str = "/v1/invoice";
    let known: InvoiceAnswer<'_> = read(body, PATH)?;
    if hash(&known.r_hash).as_ref() != Some(asked) {
        return Err(not_understood(PATH, "it is about another invoice"));
    }
    match known.state.text() {
        "OPEN" | "ACCEPTED" => Ok(InvoiceState::Open),
        "CANCELED" => Ok(InvoiceState::Canceled),
        "SETTLED" => {
            let received = known.amt_paid_msat.unsigned().filter(|msat| *msat > 0).map(Msat::new);
            let received = received.ok_or_else(|| not_understood(PATH, "amt_paid_msat is no amount"))?;
            Ok(InvoiceState::Settled { received })
        }
        _ => Err(not_understood(PATH, "an unknown state")),
    }
}

/// Where LND knows no such invoice, its words alone say so: the code has changed between versions.
pub(super) fn is_unknown(problem: &NodeProblem) -> bool {
    let ProblemKind::Other(words) = &problem.kind else { return false };
    ["unable to locate invoice", "there are no existing invoices"].into_iter().any(|known| words.contains(known))
}

fn hash(field: &Field<'_>) -> Option<PaymentHash> {
    BASE64.decode(field.text().as_bytes()).ok()?.try_into().ok().map(PaymentHash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: PaymentHash = PaymentHash([7; 32]);

    fn body(state: &str, paid: &str) -> String {
        let hash = BASE64.encode(&HASH.0);
        format!(
            r#"{{"memo":"x","r_preimage":"","r_hash":"{hash}","value":"500","value_msat":"500000","settled":true,
               "state":"{state}","amt_paid":"0","amt_paid_sat":"1","amt_paid_msat":"{paid}","htlcs":[],"is_keysend":false}}"#
        )
    }

    #[test]
    fn each_state_is_told_apart_and_what_came_counts_alone() {
        let of = |word: &str, paid: &str| state(body(word, paid).as_bytes(), &HASH);
        assert_eq!(of("OPEN", "0"), Ok(InvoiceState::Open));
        assert_eq!(of("ACCEPTED", "500000"), Ok(InvoiceState::Open), "an HTLC that is held is not money yet");
        assert_eq!(of("CANCELED", "0"), Ok(InvoiceState::Canceled));
        assert_eq!(of("SETTLED", "499000"), Ok(InvoiceState::Settled { received: Msat::new(499_000) }));
        for (word, paid) in [("SETTLED", "0"), ("SETTLED", "-1"), ("SETTLED", "x"), ("PAID", "1"), ("", "1")] {
            assert!(of(word, paid).is_err(), "{word} {paid}");
        }
        assert!(state(body("SETTLED", "1").as_bytes(), &PaymentHash([8; 32])).is_err(), "another invoice");
        assert!(state(b"{}", &HASH).is_err() && state(b"<html>", &HASH).is_err());
    }

    #[test]
    fn an_added_invoice_needs_its_hash() {
        let body = format!(r#"{{"r_hash":"{}","payment_request":"lnbcrt1x","add_index":"3"}}"#, BASE64.encode(&HASH.0));
        let made = added(body.as_bytes()).unwrap();
        assert_eq!((made.hash, made.invoice.as_str()), (HASH, "lnbcrt1x"));
        for body in [r#"{"payment_request":"x"}"#, r#"{"r_hash":"AA==","payment_request":"x"}"#, r#"{"r_hash":""}"#] {
            assert!(added(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_order_is_written_as_lnd_reads_it() {
        let order = InvoiceOrder { amount: Msat::new(498_000), memo: "refund".to_owned(), expiry_s: 600 };
        let json = serde_json::to_string(&AddRequest::of(&order)).unwrap();
        assert_eq!(json, r#"{"memo":"refund","value_msat":"498000","expiry":"600","private":true}"#);
    }
}
