//! What a seller says of a payment that it took: `Payment-Receipt` of the `Payment` scheme, base64url of a JSON object.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{PaymentHash, macaroon};
use crate::terminal_text::printable;

/// A longer one is not read.
const RECEIPT_BYTES_MAX: usize = 8 * 1024;

/// A receipt, as far as it is harmless: its reference is only compared, since some sellers put the preimage there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentReceipt {
    /// Its status: `success`, by the drafts.
    pub status: String,
    /// The method that it was paid by: `lightning`.
    pub method: String,
    /// When it was settled, as the seller has written it.
    pub timestamp: String,
    /// It names that very payment, by its hash or, as some sellers do, by the preimage itself.
    pub is_of_payment: bool,
}

#[derive(Deserialize)]
struct Told {
    status: String,
    method: String,
    timestamp: String,
    reference: String,
}

impl PaymentReceipt {
    /// What the header says, held against the payment that it came for. None where it is no receipt.
    #[must_use]
    pub fn read(header: &str, payment: &PaymentHash) -> Option<Self> {
        let bytes = macaroon::any_base64(header.trim()).filter(|bytes| bytes.len() <= RECEIPT_BYTES_MAX)?;
        let told: Told = serde_json::from_slice(&bytes).ok()?;
        Some(Self {
            status: printable(&told.status),
            method: printable(&told.method),
            timestamp: printable(&told.timestamp),
            is_of_payment: is_of(&told.reference, payment),
        })
    }

    /// The same, each text with what `hide` leaves of it.
    #[must_use]
    pub(crate) fn shown(self, hide: impl Fn(String) -> String) -> Self {
        let Self { status, method, timestamp, is_of_payment } = self;
        Self { status: hide(status), method: hide(method), timestamp: hide(timestamp), is_of_payment }
    }
}

fn is_of(reference: &str, payment: &PaymentHash) -> bool {
    let Some(bytes) = HEXLOWER_PERMISSIVE.decode(reference.trim().as_bytes()).ok() else { return false };
    bytes == payment.0 || Sha256::digest(&bytes)[..] == payment.0
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL_NOPAD};

    use super::*;

    #[test]
    fn a_receipt_is_read_and_held_against_its_payment() {
        let hash = PaymentHash([7; 32]);
        let told = |reference: &str| {
            let json = serde_json::json!({
                "challengeId": "c", "method": "lightning", "reference": reference, "status": "success", "timestamp": "2026\u{1b}",
            });
            json.to_string()
        };
        let receipt = PaymentReceipt::read(&BASE64URL_NOPAD.encode(told(&hash.hex()).as_bytes()), &hash).unwrap();
        assert_eq!(
            (receipt.status.as_str(), receipt.method.as_str(), receipt.is_of_payment),
            ("success", "lightning", true)
        );
        assert_eq!(receipt.timestamp, "2026\u{fffd}", "harmless to a terminal");
        let preimage = PaymentHash(Sha256::digest([5; 32]).into());
        let by_preimage = PaymentReceipt::read(&BASE64.encode(told(&"05".repeat(32)).as_bytes()), &preimage).unwrap();
        assert!(by_preimage.is_of_payment && !format!("{by_preimage:?}").contains("0505"));
        let secret = "ab".repeat(32);
        let other = PaymentReceipt::read(&BASE64.encode(told(&secret).as_bytes()), &hash).unwrap();
        assert!(!other.is_of_payment && !format!("{other:?}").contains(&secret));
        for none in ["", "%%", "e30", "bnVsbA", &BASE64.encode(&vec![b' '; RECEIPT_BYTES_MAX + 1])] {
            assert_eq!(PaymentReceipt::read(none, &hash), None, "{none}");
        }
    }
}
