//! What a payment order says, read as lnd reads it; and the carrying out of payments.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef, Currency};
use serde_json::{Map, Value};

use super::journal::FailureReason;
use super::lnd_error::{Code, LndError};
use super::serve::stopped;
use super::{World, now};
use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::time::UnixMs;

/// Where no fee is set: a sat, and 100 parts per million.
const FEE_BASE: Msat = Msat::new(1_000);
const FEE_PPM: u64 = 100;

/// The fields of lnrpc's SendPaymentRequest: lnd refuses every other.
const FIELDS: [&str; 23] = [
    "payment_request",
    "timeout_seconds",
    "fee_limit_msat",
    "fee_limit_sat",
    "max_parts",
    "cltv_limit",
    "no_inflight_updates",
    "amt",
    "amt_msat",
    "dest",
    "payment_hash",
    "final_cltv_delta",
    "payment_addr",
    "outgoing_chan_id",
    "outgoing_chan_ids",
    "last_hop_pubkey",
    "route_hints",
    "dest_custom_records",
    "allow_self_payment",
    "dest_features",
    "max_shard_size_msat",
    "amp",
    "time_pref",
];

/// A payment order.
pub(super) struct SendRequest {
    pub payment_request: String,
    pub fee_limit: Msat,
    pub no_inflight_updates: bool,
    has_amount: bool,
}

/// An invoice, as far as the node looks at it.
pub(super) struct Read {
    pub hash: PaymentHash,
    pub payee: PublicKey,
    pub amount: Option<Msat>,
    pub timestamp_s: u64,
    pub expiry_s: u64,
    pub cltv_expiry: u64,
    pub description: String,
    pub payment_secret: [u8; 32],
}

impl SendRequest {
    /// Reads a body as protojson does.
    pub(super) fn from_json(body: &[u8]) -> Result<Self, LndError> {
        let bad = |why: String| LndError::new(Code::InvalidArgument, format_args!("proto: {why}"));
        let object: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|error| bad(format!("syntax error (line {}:{}): {error}", error.line(), error.column())))?;
        if let Some(field) = object.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            let column = position(body, field);
            return Err(bad(format!("(line 1:{column}): unknown field \"{field}\"")));
        }
        let number = |field: &str| match object.get(field) {
            None | Some(Value::Null) => Ok(0),
            Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64().unwrap_or(0)),
            Some(Value::String(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().unwrap_or(0)),
            Some(other) => {
                Err(bad(format!("(line 1:{}): invalid value for int64 field {field}: {other}", position(body, field))))
            }
        };
        let (limit_sat, limit_msat) = (number("fee_limit_sat")?, number("fee_limit_msat")?);
        let has_amount = number("amt")? != 0 || number("amt_msat")? != 0;
        number("timeout_seconds")?;
        number("cltv_limit")?;
        number("max_parts")?;
        if limit_sat != 0 && limit_msat != 0 {
            return Err(LndError::new(Code::Unknown, "sat and msat arguments are mutually exclusive"));
        }
        let limit = limit_msat.saturating_add(limit_sat.saturating_mul(1_000));
        let fee_limit = u64::try_from(limit)
            .map(Msat::new)
            .map_err(|_| LndError::new(Code::Unknown, "amount cannot be negative"))?;
        let text = object.get("payment_request").and_then(Value::as_str).unwrap_or_default();
        let no_inflight_updates = object.get("no_inflight_updates") == Some(&Value::Bool(true));
        Ok(Self { payment_request: text.to_owned(), fee_limit, no_inflight_updates, has_amount })
    }

    /// The amount to be paid: the invoice's own, which must be there.
    pub(super) fn amount(&self, invoice: &Read) -> Result<Msat, LndError> {
        match (invoice.amount, self.has_amount) {
            (Some(amount), false) => Ok(amount),
            (Some(_), true) => {
                let why = "amount must not be specified when paying a non-zero amount invoice";
                Err(LndError::new(Code::Unknown, why))
            }
            (None, _) => {
                let why = "amount must be specified when paying a zero amount invoice";
                Err(LndError::new(Code::Unknown, why))
            }
        }
    }
}

impl Read {
    /// lnd looks at the expiry before it looks for the hash.
    pub(super) fn refuse_expired(&self, now: UnixMs) -> Result<(), LndError> {
        let end_s = i64::try_from(self.timestamp_s.saturating_add(self.expiry_s)).unwrap_or(i64::MAX);
        if now <= UnixMs::from_secs(end_s) {
            return Ok(());
        }
        let end = jiff::Timestamp::from_second(end_s).unwrap_or(jiff::Timestamp::MAX);
        let end = end.strftime("%Y-%m-%d %H:%M:%S +0000 UTC");
        Err(LndError::new(Code::Unknown, format_args!("invoice expired. Valid until {end}")))
    }
}

/// Decodes a BOLT11 invoice of this node's network.
pub(super) fn read_invoice(text: &str) -> Result<Read, LndError> {
    let invoice = Bolt11Invoice::from_str(text).map_err(|_| no_invoice(text))?;
    if invoice.currency() != Currency::Regtest {
        return Err(LndError::new(Code::Unknown, "invoice not for current active network 'regtest'"));
    }
    let description = match invoice.description() {
        Bolt11InvoiceDescriptionRef::Direct(text) => text.to_string(),
        Bolt11InvoiceDescriptionRef::Hash(_) => String::new(),
    };
    Ok(Read {
        hash: PaymentHash(invoice.payment_hash().to_byte_array()),
        payee: invoice.get_payee_pub_key(),
        amount: invoice.amount_milli_satoshis().map(Msat::new),
        timestamp_s: invoice.duration_since_epoch().as_secs(),
        expiry_s: invoice.expiry_time().as_secs(),
        cltv_expiry: invoice.min_final_cltv_expiry_delta(),
        description,
        payment_secret: invoice.payment_secret().0,
    })
}

fn no_invoice(text: &str) -> LndError {
    /// A shorter one is not looked at.
    const BECH32_CHARS_MIN: usize = 8;
    match text.len() {
        length @ ..BECH32_CHARS_MIN => {
            LndError::new(Code::Unknown, format_args!("invalid bech32 string length {length}"))
        }
        _ => LndError::new(Code::Unknown, "invalid index of 1"),
    }
}

impl World {
    /// What routing this amount costs.
    pub(super) fn fee(&self, amount: Msat) -> Msat {
        match self.options.fee_msat {
            Some(fee) => Msat::new(fee),
            None => {
                amount.ppm_ceil(FEE_PPM).and_then(|share| share.checked_add(FEE_BASE)).unwrap_or(Msat::new(u64::MAX))
            }
        }
    }

    /// Carries a payment that has begun to its end, whoever still listens. A stop of the sandbox leaves it in flight,
    /// and the next start carries it on.
    pub(super) fn execute(self: Arc<Self>, hash: PaymentHash) {
        tokio::spawn(async move {
            let takes_time = match self.books().state.payment(&hash).map(|payment| payment.begun.doomed) {
                None => return,
                Some(None | Some(FailureReason::Timeout)) => true,
                Some(Some(_)) => false,
            };
            let mut stop = self.stop.subscribe();
            if takes_time {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(self.options.pay_ms)) => {}
                    () = stopped(&mut stop) => return,
                }
            }
            // Books that cannot be written leave the payment in flight: nothing happened that is not written.
            let _ = self.books().finish(hash, now());
        });
    }
}

/// The column of a field's name in a one-line body, counted from 1.
pub(super) fn position(body: &[u8], field: &str) -> usize {
    let quoted = format!("\"{field}\"");
    body.windows(quoted.len()).position(|window| window == quoted.as_bytes()).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (Code, String) {
        match SendRequest::from_json(body.as_bytes()) {
            Ok(_) => panic!("accepted {body}"),
            Err(error) => (error.code, error.message),
        }
    }

    #[test]
    fn int64_come_as_strings_or_numbers() {
        for body in
            [r#"{"payment_request":"x","fee_limit_msat":"5000"}"#, r#"{"payment_request":"x","fee_limit_sat":5}"#]
        {
            assert_eq!(SendRequest::from_json(body.as_bytes()).ok().map(|r| r.fee_limit), Some(Msat::new(5_000)));
        }
    }

    #[test]
    fn without_a_limit_only_free_routes() {
        assert_eq!(SendRequest::from_json(b"{}").ok().map(|r| r.fee_limit), Some(Msat::ZERO));
    }

    #[test]
    fn what_lnd_refuses_in_a_body() {
        assert_eq!(
            refusal(r#"{"foo":1}"#),
            (Code::InvalidArgument, "proto: (line 1:2): unknown field \"foo\"".to_owned())
        );
        assert_eq!(refusal(r#"{"fee_limit_sat":1,"fee_limit_msat":1}"#).0, Code::Unknown);
        assert_eq!(refusal(r#"{"fee_limit_sat":-1}"#).0, Code::Unknown);
        assert_eq!(refusal(r#"{"fee_limit_sat":"x"}"#).0, Code::InvalidArgument);
        assert_eq!(refusal("nonsense").0, Code::InvalidArgument);
    }

    #[test]
    fn what_is_no_invoice_is_refused() {
        assert!(matches!(read_invoice("hello"), Err(LndError { code: Code::Unknown, .. })));
    }
}
