//! Invoices for tests, signed for real.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret, RawBolt11Invoice, RawHrp, SiPrefix};
use std::time::Duration;

/// When every sample was made, in seconds since the epoch.
pub(crate) const CREATED_S: u64 = 1_790_000_000;

pub(crate) fn key() -> SecretKey {
    SecretKey::from_slice(&[41; 32]).unwrap()
}

/// A sample invoice before it is signed: no expiry, no amount.
pub(crate) fn unsigned(currency: Currency, hash: [u8; 32]) -> RawBolt11Invoice {
    InvoiceBuilder::new(currency)
        .description("a sample".to_owned())
        .payment_hash(sha256::Hash::from_byte_array(hash))
        .payment_secret(PaymentSecret([42; 32]))
        .duration_since_epoch(Duration::from_secs(CREATED_S))
        .min_final_cltv_expiry_delta(18)
        .build_raw()
        .unwrap()
}

pub(crate) fn sign(raw: RawBolt11Invoice) -> String {
    let secp = Secp256k1::signing_only();
    raw.sign(|digest| Ok::<_, ()>(secp.sign_ecdsa_recoverable(digest, &key()))).unwrap().to_string()
}

/// An invoice that asks `amount` of a unit.
pub(crate) fn asking(currency: Currency, amount: Option<u64>, unit: Option<SiPrefix>, hash: [u8; 32]) -> String {
    let mut raw = unsigned(currency.clone(), hash);
    raw.hrp = RawHrp { currency, raw_amount: amount, si_prefix: unit };
    sign(raw)
}

/// A regtest invoice over so many sats.
pub(crate) fn sats(sats: u64, hash: [u8; 32]) -> String {
    asking(Currency::Regtest, Some(sats * 10), Some(SiPrefix::Nano), hash)
}
