//! Real invoices, signed for real, and tokens that are bound to them.

use std::sync::LazyLock;
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey, SignOnly};
use l402_batch::l402::{PaymentHash, mint};
use l402_batch::money::Msat;
use l402_batch::time::UnixMs;
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret, RawHrp, SiPrefix};

static CURVE: LazyLock<Secp256k1<SignOnly>> = LazyLock::new(Secp256k1::signing_only);
static KEY: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_slice(&[41; 32]).expect("a key"));

/// What is wrong with a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Good,
    OtherNetwork,
    Expired,
    Amountless,
    OtherToken,
}

pub struct Order {
    pub hash: PaymentHash,
    pub amount: Msat,
    pub at: UnixMs,
    pub expiry_s: u64,
    pub form: Form,
}

pub struct Made {
    pub invoice: String,
    pub token: String,
    pub expires_at: UnixMs,
}

/// An invoice of a node's own, and when it expires.
pub fn own_invoice(hash: PaymentHash, amount: Msat, at: UnixMs, expiry_s: u64) -> (String, UnixMs) {
    let order = Order { hash, amount, at, expiry_s, form: Form::Good };
    let made = challenge(&order);
    (made.invoice, made.expires_at)
}

pub fn challenge(order: &Order) -> Made {
    let currency = if order.form == Form::OtherNetwork { Currency::Bitcoin } else { Currency::Regtest };
    let late_s = if order.form == Form::Expired { order.expiry_s + 5 } else { 0 };
    let created_s = u64::try_from(order.at.0 / 1_000).unwrap_or(0) - late_s;
    let mut raw = InvoiceBuilder::new(currency.clone())
        .description(String::new())
        .payment_hash(sha256::Hash::from_byte_array(order.hash.0))
        .payment_secret(PaymentSecret([42; 32]))
        .duration_since_epoch(Duration::from_secs(created_s))
        .min_final_cltv_expiry_delta(18)
        .expiry_time(Duration::from_secs(order.expiry_s))
        .build_raw()
        .expect("an invoice");
    // A msat is ten pico-bitcoin.
    let (raw_amount, si_prefix) = match order.form {
        Form::Amountless => (None, None),
        _ => (Some(order.amount.get() * 10), Some(SiPrefix::Pico)),
    };
    raw.hrp = RawHrp { currency, raw_amount, si_prefix };
    let signed = raw.sign(|digest| Ok::<_, ()>(CURVE.sign_ecdsa_recoverable(digest, &KEY))).expect("a signature");
    let bound = if order.form == Form::OtherToken { [9; 32] } else { order.hash.0 };
    // The number of a token is the hash once more: tokens of different sales differ, whatever they are bound to.
    let identifier = [&[0, 0][..], &bound, &order.hash.0].concat();
    let expires_at = UnixMs::from_secs(i64::try_from(created_s + order.expiry_s).unwrap_or(i64::MAX));
    Made { invoice: signed.to_string(), token: mint::mint(b"root", &identifier, &[], ""), expires_at }
}
