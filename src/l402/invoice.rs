//! BOLT11 invoices: what is asked for, by whom, until when. Checksum and signature are verified.

use std::sync::LazyLock;

use bitcoin::secp256k1::ecdsa::RecoverableSignature;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, VerifyOnly};
use lightning_invoice::{Currency, RawBolt11Invoice, SignedRawBolt11Invoice, TaggedField};
use sha2::{Digest, Sha256};

use super::{Network, PaymentHash};
use crate::money::Msat;
use crate::time::UnixMs;

/// The lifetime of an invoice that names none (BOLT11 field `x`).
const DEFAULT_EXPIRY_S: u64 = 3_600;
/// Pico-bitcoin in a whole bitcoin: an amount without a multiplier counts bitcoin.
const PICO_PER_BTC: u64 = 1_000_000_000_000;
/// Pico-bitcoin in a millisatoshi.
const PICO_PER_MSAT: u64 = 10;
/// The signature at the end of the data part, and the checksum behind it, in characters.
const SIGNATURE_CHARS: usize = 104;
const CHECKSUM_CHARS: usize = 6;
/// The characters of bech32 by value (BIP 173).
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static SECP: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

/// An invoice whose checksum and signature hold and which has an amount above zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The payment hash.
    pub hash: PaymentHash,
    /// The amount, above zero.
    pub amount: Msat,
    /// The network, by its prefix.
    pub network: Network,
    /// The payee's public key (named, else recovered from the signature), 33 bytes in lower-case hex.
    pub payee: String,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it expires.
    pub expires_at: UnixMs,
}

/// Why an invoice cannot be paid. No part of the invoice is in the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// It is no BOLT11 invoice, or says something that cannot be.
    #[error("the invoice cannot be read: {0}")]
    Undecodable(String),
    /// Its signature is not its payee's.
    #[error("the invoice's signature does not hold")]
    BadSignature,
    /// It names no amount, or zero: the payer would choose.
    #[error("the invoice names no amount")]
    NoAmount,
}

impl Invoice {
    /// Reads and verifies a BOLT11 invoice, in lower or upper case.
    ///
    /// # Errors
    /// Where it is anything but a whole, signed invoice over a whole number of msat above zero. Nothing that cannot be
    /// read becomes a default.
    pub fn read(bolt11: &str) -> Result<Self, InvoiceError> {
        let signed: SignedRawBolt11Invoice = bolt11.parse().map_err(|e| undecodable(&format!("{e}")))?;
        let raw = signed.raw_invoice();
        let amount = amount(raw)?;
        let hash = the_payment_hash(raw)?;
        let created_s = raw.data.timestamp.as_unix_timestamp();
        let lifetime_s = raw.expiry_time().map_or(DEFAULT_EXPIRY_S, lightning_invoice::ExpiryTime::as_seconds);
        let payee = verified_payee(raw, &signed.signature().0, signed_digest(bolt11)?)?;
        Ok(Self {
            hash,
            amount,
            network: network(&raw.hrp.currency),
            payee: data_encoding::HEXLOWER.encode(&payee.serialize()),
            created_at: at_s(created_s),
            expires_at: at_s(created_s.saturating_add(lifetime_s)),
        })
    }
}

fn undecodable(why: &str) -> InvoiceError {
    InvoiceError::Undecodable(crate::terminal_text::printable(why))
}

fn at_s(seconds: u64) -> UnixMs {
    UnixMs::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn amount(raw: &RawBolt11Invoice) -> Result<Msat, InvoiceError> {
    let number = raw.hrp.raw_amount.filter(|number| *number > 0).ok_or(InvoiceError::NoAmount)?;
    let unit = raw.hrp.si_prefix.as_ref().map_or(PICO_PER_BTC, lightning_invoice::SiPrefix::multiplier);
    let pico = number.checked_mul(unit).ok_or_else(|| undecodable("its amount is larger than any amount of money"))?;
    if pico.is_multiple_of(PICO_PER_MSAT) {
        Ok(Msat::new(pico / PICO_PER_MSAT))
    } else {
        Err(undecodable("its amount is not a whole number of msat"))
    }
}

/// The payment hash, of which there must be exactly one: of two, the node might pay the other.
fn the_payment_hash(raw: &RawBolt11Invoice) -> Result<PaymentHash, InvoiceError> {
    let mut hashes = raw.known_tagged_fields().filter_map(|field| match field {
        TaggedField::PaymentHash(hash) => Some(PaymentHash(*hash.0.as_ref())),
        _ => None,
    });
    match (hashes.next(), hashes.next()) {
        (Some(hash), None) => Ok(hash),
        (None, _) => Err(undecodable("it has no payment hash")),
        (Some(_), Some(_)) => Err(undecodable("it has two payment hashes")),
    }
}

/// The payee, with one signature operation: verification where the invoice names a key, recovery where it does not.
fn verified_payee(
    raw: &RawBolt11Invoice,
    signature: &RecoverableSignature,
    digest: [u8; 32],
) -> Result<PublicKey, InvoiceError> {
    let message = Message::from_digest(digest);
    match raw.payee_pub_key() {
        Some(key) => {
            let mut standard = signature.to_standard();
            // BOLT11 takes signatures of either half; libsecp256k1 verifies the lower one only.
            standard.normalize_s();
            SECP.verify_ecdsa(&message, &standard, &key.0).map_err(|_| InvoiceError::BadSignature)?;
            Ok(key.0)
        }
        None => SECP.recover_ecdsa(&message, signature).map_err(|_| InvoiceError::BadSignature),
    }
}

/// What the signature covers: SHA-256 over the human-readable part and the data without the signature, padded to a
/// whole byte. Taken from the text itself, not from what was decoded, so that the payee comes out right where an
/// invoice spells a field in an unusual way.
fn signed_digest(bolt11: &str) -> Result<[u8; 32], InvoiceError> {
    let lower = bolt11.to_ascii_lowercase();
    let (prefix, data) = lower.rsplit_once('1').ok_or_else(|| undecodable("it has no separator"))?;
    let covered = data.len().checked_sub(SIGNATURE_CHARS + CHECKSUM_CHARS).and_then(|len| data.as_bytes().get(..len));
    let covered = covered.ok_or_else(|| undecodable("it is too short"))?;
    let mut hash = Sha256::new();
    hash.update(prefix.as_bytes());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for character in covered {
        let value = BECH32.iter().position(|known| known == character).and_then(|at| u32::try_from(at).ok());
        let value = value.ok_or_else(|| undecodable("it holds a character that bech32 has not"))?;
        bits = (bits << 5 | value) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            hash.update([(bits >> held).to_le_bytes()[0]]);
        }
    }
    if held > 0 {
        hash.update([(bits << (8 - held)).to_le_bytes()[0]]);
    }
    Ok(hash.finalize().into())
}

const fn network(currency: &Currency) -> Network {
    match currency {
        Currency::Bitcoin => Network::Mainnet,
        Currency::BitcoinTestnet => Network::Testnet,
        Currency::Regtest => Network::Regtest,
        Currency::Simnet => Network::Simnet,
        Currency::Signet => Network::Signet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::samples::{self, asking};
    use lightning_invoice::{ExpiryTime, RawTaggedField, SiPrefix};
    use proptest::prelude::*;

    const HASH: [u8; 32] = [5; 32];
    /// "1 cup coffee" of BOLT11's examples: 2,500 micro-bitcoin, 60 seconds.
    const COFFEE: &str = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh";

    fn key_hex() -> String {
        bitcoin::secp256k1::PublicKey::from_secret_key(&bitcoin::secp256k1::Secp256k1::new(), &samples::key())
            .to_string()
    }

    fn amount_of(number: u64, unit: Option<SiPrefix>) -> Result<Msat, InvoiceError> {
        Invoice::read(&asking(Currency::Bitcoin, Some(number), unit, HASH)).map(|invoice| invoice.amount)
    }

    #[test]
    fn the_specification_s_own_example_is_read() {
        let expected = Invoice {
            hash: PaymentHash::from_hex("0001020304050607080900010203040506070809000102030405060708090102").unwrap(),
            amount: Msat::new(250_000_000),
            network: Network::Mainnet,
            payee: "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad".to_owned(),
            created_at: UnixMs::from_secs(1_496_314_658),
            expires_at: UnixMs::from_secs(1_496_314_658 + 60),
        };
        assert_eq!(Invoice::read(COFFEE), Ok(expected.clone()));
        assert_eq!(Invoice::read(&COFFEE.to_ascii_uppercase()), Ok(expected));
    }

    #[test]
    fn amounts_of_every_unit_are_exact() {
        assert_eq!(amount_of(11, None), Ok(Msat::new(1_100_000_000_000)));
        assert_eq!(amount_of(3, Some(SiPrefix::Milli)), Ok(Msat::new(300_000_000)));
        assert_eq!(amount_of(2_500, Some(SiPrefix::Micro)), Ok(Msat::new(250_000_000)));
        assert_eq!(amount_of(1_500, Some(SiPrefix::Nano)), Ok(Msat::new(150_000)));
        assert_eq!(amount_of(10, Some(SiPrefix::Pico)), Ok(Msat::new(1)));
    }

    #[test]
    fn an_amount_that_cannot_be_read_is_never_zero() {
        assert_eq!(amount_of(0, Some(SiPrefix::Nano)), Err(InvoiceError::NoAmount));
        assert_eq!(Invoice::read(&asking(Currency::Bitcoin, None, None, HASH)), Err(InvoiceError::NoAmount));
        for (number, unit) in [(2_501, Some(SiPrefix::Pico)), (u64::MAX, None), (20_000_000, None)] {
            assert!(matches!(amount_of(number, unit), Err(InvoiceError::Undecodable(_))), "{number}");
        }
    }

    #[test]
    fn every_network_is_told_by_its_prefix() {
        for (currency, prefix, network) in [
            (Currency::Bitcoin, "lnbc1", Network::Mainnet),
            (Currency::BitcoinTestnet, "lntb1", Network::Testnet),
            (Currency::Signet, "lntbs1", Network::Signet),
            (Currency::Regtest, "lnbcrt1", Network::Regtest),
            (Currency::Simnet, "lnsb1", Network::Simnet),
        ] {
            let text = asking(currency, Some(1), Some(SiPrefix::Micro), HASH);
            assert!(text.starts_with(prefix), "{text}");
            assert_eq!(Invoice::read(&text).map(|invoice| invoice.network), Ok(network));
        }
    }

    #[test]
    fn an_invoice_without_expiry_lives_an_hour() {
        let invoice = Invoice::read(&samples::sats(1, HASH)).unwrap();
        assert_eq!(invoice.expires_at.since_ms(invoice.created_at), 3_600_000);
        assert_eq!(invoice.payee, key_hex());
        let mut raw = samples::unsigned(Currency::Regtest, HASH);
        raw.hrp.raw_amount = Some(1);
        raw.data
            .tagged_fields
            .push(RawTaggedField::KnownSemantics(TaggedField::ExpiryTime(ExpiryTime::from_seconds(7))));
        let invoice = Invoice::read(&samples::sign(raw)).unwrap();
        assert_eq!(invoice.expires_at.since_ms(invoice.created_at), 7_000);
    }

    #[test]
    fn an_endless_expiry_does_not_overflow() {
        let mut raw = samples::unsigned(Currency::Regtest, HASH);
        raw.hrp.raw_amount = Some(1);
        let endless = TaggedField::ExpiryTime(ExpiryTime::from_seconds(u64::MAX));
        raw.data.tagged_fields.push(RawTaggedField::KnownSemantics(endless));
        assert_eq!(Invoice::read(&samples::sign(raw)).unwrap().expires_at, UnixMs(i64::MAX));
    }

    #[test]
    fn a_named_payee_must_have_signed() {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let named = |secret: [u8; 32]| {
            let secret = bitcoin::secp256k1::SecretKey::from_slice(&secret).unwrap();
            let payee = lightning_invoice::PayeePubKey(secret.public_key(&secp));
            let mut raw = samples::unsigned(Currency::Regtest, HASH);
            raw.hrp.raw_amount = Some(1);
            raw.data.tagged_fields.push(RawTaggedField::KnownSemantics(TaggedField::PayeePubKey(payee)));
            Invoice::read(&samples::sign(raw)).map(|invoice| invoice.payee)
        };
        assert_eq!(named([41; 32]), Ok(key_hex()));
        assert_eq!(named([40; 32]), Err(InvoiceError::BadSignature));
    }

    #[test]
    fn two_payment_hashes_are_refused() {
        let mut raw = samples::unsigned(Currency::Regtest, HASH);
        raw.hrp.raw_amount = Some(1);
        let other = samples::unsigned(Currency::Regtest, [6; 32]).data.tagged_fields;
        raw.data.tagged_fields.extend(other);
        assert!(matches!(Invoice::read(&samples::sign(raw)), Err(InvoiceError::Undecodable(_))));
    }

    #[test]
    fn an_altered_character_breaks_the_checksum() {
        for at in [4, 12, 60, COFFEE.len() - 1] {
            let mut text = COFFEE.to_owned().into_bytes();
            text[at] = if text[at] == b'q' { b'p' } else { b'q' };
            let text = String::from_utf8(text).unwrap();
            assert!(matches!(Invoice::read(&text), Err(InvoiceError::Undecodable(_))), "{at}");
        }
        for text in ["", "lnbc", "lnbc1", "1", "lightning:x", "lnbc1é"] {
            assert!(matches!(Invoice::read(text), Err(InvoiceError::Undecodable(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), tail in "[qpzry9x8gf2tvdw0s3jn54khce6mua7l]{0,200}") {
            let _ = Invoice::read(&text);
            let _ = Invoice::read(&format!("lnbc1{tail}"));
            let _ = signed_digest(&text);
            let _ = signed_digest(&format!("lnbc20u1{tail}"));
        }

        #[test]
        fn amounts_come_back(msat in 1_u64..100_000_000_000, hash in any::<[u8; 32]>()) {
            let text = asking(Currency::Signet, Some(msat * 10), Some(SiPrefix::Pico), hash);
            let invoice = Invoice::read(&text).unwrap();
            prop_assert_eq!((invoice.amount, invoice.hash), (Msat::new(msat), PaymentHash(hash)));
            prop_assert_eq!(invoice.payee, key_hex());
        }
    }
}
