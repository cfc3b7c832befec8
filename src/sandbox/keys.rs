//! Everything secret of a sandbox, derived from one root key: who its node is, and what makes and proves its challenges.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{All, PublicKey, Secp256k1, SecretKey};
use data_encoding::{BASE64, HEXLOWER};
use lightning_invoice::{CreationError, Currency, InvoiceBuilder, PaymentSecret};
use sha2::{Digest, Sha256};

use crate::l402::PaymentHash;
use crate::l402::mint::{hmac, mint, verify};
use crate::money::Msat;
use crate::time::UnixMs;

/// An L402 identifier of version 0: version (two bytes), payment hash, token id.
const IDENTIFIER_BYTES: usize = 66;
const MIN_FINAL_CLTV_EXPIRY_BLOCKS: u64 = 80;

/// The keys, and the one curve context.
pub(super) struct Keys {
    root: [u8; 32],
    curve: Secp256k1<All>,
    payee: SecretKey,
    node: SecretKey,
    payee_id: PublicKey,
    node_id: String,
    node_macaroon: Vec<u8>,
    payer_macaroon: Vec<u8>,
    reader_macaroon: Vec<u8>,
}

/// A call of the node's, and the right that covers it beside its own name.
pub(super) struct Guarded {
    pub uri: &'static str,
    pub entity: &'static str,
    pub action: &'static str,
}

/// Why a macaroon is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It is none of this node's.
    Foreign,
    /// It does not allow this.
    TooSmall,
}

/// What lnd's `admin.macaroon` allows, as far as this node knows it.
const ADMIN: [(&str, &[&str]); 5] = [
    ("info", &["read", "write"]),
    ("invoices", &["read", "write"]),
    ("macaroon", &["generate", "read", "write"]),
    ("offchain", &["read", "write"]),
    ("onchain", &["read", "write"]),
];

const PAYER_CALLS: [&str; 8] = [
    "/lnrpc.Lightning/GetInfo",
    "/lnrpc.Lightning/ChannelBalance",
    "/lnrpc.Lightning/ListPayments",
    "/lnrpc.Lightning/ListChannels",
    "/routerrpc.Router/SendPaymentV2",
    "/routerrpc.Router/TrackPaymentV2",
    "/lnrpc.Lightning/AddInvoice",
    "/lnrpc.Lightning/LookupInvoice",
];

/// A macaroon as lnd bakes them: its identifier is the byte 3 and a protocol-buffers message with nonce, id of the root key,
/// and operations.
fn bake(root: &[u8; 32], ops: &[(&str, &[&str])]) -> Option<Vec<u8>> {
    let nonce = derive(root, "macaroon nonce", 0);
    let mut identifier = [vec![3], field(1, nonce.get(..16)?)?, field(2, b"0")?].concat();
    for (entity, actions) in ops {
        let mut op = field(1, entity.as_bytes())?;
        for action in *actions {
            op.extend(field(2, action.as_bytes())?);
        }
        identifier.extend(field(3, &op)?);
    }
    BASE64.decode(mint(&derive(root, "admin", 0), &identifier, &[], "lnd").as_bytes()).ok()
}

/// A length-delimited field; none here is longer than two groups of seven bits say.
fn field(number: u8, value: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(value.len()).ok().filter(|length| *length < 1 << 14)?;
    let [low, high] = [length & 0x7f, length >> 7].map(|group| u8::try_from(group).unwrap_or_default());
    let length = if high == 0 { vec![low] } else { vec![low | 0x80, high] };
    Some([vec![number << 3 | 2], length, value.to_vec()].concat())
}

/// A challenge, ready to be sent.
pub(super) struct Minted {
    pub hash: PaymentHash,
    pub token: String,
    pub invoice: String,
}

/// An invoice that is to be made.
pub(super) struct Bill {
    /// Which challenge: its preimage follows from the number.
    pub number: u64,
    pub amount: Msat,
    pub description: String,
    pub at: UnixMs,
    pub expiry_s: u64,
}

impl Keys {
    /// The keys that follow from a root key; nothing for the one root in 2^128 that gives no curve key.
    pub(super) fn new(root: [u8; 32]) -> Option<Self> {
        let curve = Secp256k1::new();
        let payee = SecretKey::from_slice(&derive(&root, "payee", 0)).ok()?;
        let node = SecretKey::from_slice(&derive(&root, "node", 0)).ok()?;
        Some(Self {
            payee_id: payee.public_key(&curve),
            node_id: node.public_key(&curve).to_string(),
            node_macaroon: bake(&root, &ADMIN)?,
            payer_macaroon: bake(&root, &[("uri", &PAYER_CALLS)])?,
            reader_macaroon: bake(&root, &[("info", &["read"]), ("offchain", &["read"])])?,
            root,
            curve,
            payee,
            node,
        })
    }

    /// The public key of the stand-in node that pays, in hex.
    pub(super) fn node_id(&self) -> &str {
        &self.node_id
    }

    /// The node's admin macaroon, in its binary form.
    pub(super) fn node_macaroon(&self) -> &[u8] {
        &self.node_macaroon
    }

    /// A macaroon that can pay, receive refunds, and nothing else.
    pub(super) fn payer_macaroon(&self) -> &[u8] {
        &self.payer_macaroon
    }

    /// A macaroon that can look and not pay.
    pub(super) fn reader_macaroon(&self) -> &[u8] {
        &self.reader_macaroon
    }

    /// Whether a macaroon in its binary form allows a call.
    pub(super) fn admit(&self, macaroon: &[u8], call: &Guarded) -> Result<(), Denied> {
        verify(&derive(&self.root, "admin", 0), &BASE64.encode(macaroon)).map_err(|_| Denied::Foreign)?;
        let known = [&self.node_macaroon, &self.payer_macaroon, &self.reader_macaroon];
        let allowed = match known.iter().position(|known| *known == macaroon) {
            Some(0) => true,
            Some(1) => PAYER_CALLS.contains(&call.uri),
            Some(_) => call.action == "read" && ["info", "offchain"].contains(&call.entity),
            None => false,
        };
        if allowed { Ok(()) } else { Err(Denied::TooSmall) }
    }

    /// Whether invoices signed by this key are this sandbox's.
    pub(super) fn is_payee(&self, key: &PublicKey) -> bool {
        self.payee_id == *key
    }

    /// The preimage of a challenge.
    pub(super) fn preimage(&self, number: u64) -> [u8; 32] {
        derive(&self.root, "preimage", number)
    }

    /// A signed BOLT11 invoice on regtest, and a macaroon that is bound to its hash.
    ///
    /// # Errors
    /// Where BOLT11 cannot say it: an amount or an expiry out of range.
    pub(super) fn challenge(&self, bill: Bill) -> Result<Minted, CreationError> {
        let (hash, token) = self.promise(bill.number);
        let secret = derive(&self.root, "payment secret", bill.number);
        let invoice = self.invoice(bill, hash.0, secret, &self.payee)?;
        Ok(Minted { hash, token, invoice })
    }

    /// A signed BOLT11 invoice on regtest that the node itself is paid with, and its hash.
    ///
    /// # Errors
    /// As [`Self::challenge`].
    pub(super) fn own_invoice(&self, bill: Bill) -> Result<(PaymentHash, String), CreationError> {
        let hash: [u8; 32] = Sha256::digest(self.own_preimage(bill.number)).into();
        let secret = derive(&self.root, "own payment secret", bill.number);
        Ok((PaymentHash(hash), self.invoice(bill, hash, secret, &self.node)?))
    }

    /// The preimage of an invoice of the node's own.
    pub(super) fn own_preimage(&self, number: u64) -> [u8; 32] {
        derive(&self.root, "own preimage", number)
    }

    /// What somebody has paid with the node before: its preimage, and its hash.
    pub(super) fn earlier(&self) -> ([u8; 32], PaymentHash) {
        let preimage = derive(&self.root, "earlier preimage", 0);
        (preimage, PaymentHash(Sha256::digest(preimage).into()))
    }

    /// The word that goes with the claim of a refund.
    pub(super) fn claim_word(&self, sale: &PaymentHash) -> String {
        hex(&Sha256::new().chain_update(self.root).chain_update(sale.0).chain_update("k1").finalize())
    }

    /// Whether an invoice is the node's own.
    pub(super) fn is_own(&self, key: &PublicKey) -> bool {
        key.to_string() == self.node_id
    }

    fn invoice(&self, bill: Bill, hash: [u8; 32], secret: [u8; 32], key: &SecretKey) -> Result<String, CreationError> {
        let raw = InvoiceBuilder::new(Currency::Regtest)
            .description(bill.description)
            .payment_hash(sha256::Hash::from_byte_array(hash))
            .payment_secret(PaymentSecret(secret))
            .duration_since_epoch(since_epoch(bill.at))
            .min_final_cltv_expiry_delta(MIN_FINAL_CLTV_EXPIRY_BLOCKS)
            .expiry_time(Duration::from_secs(bill.expiry_s))
            .amount_milli_satoshis(bill.amount.get())
            .basic_mpp()
            .build_raw()?;
        let signed: Result<_, Infallible> = raw.sign(|message| Ok(self.curve.sign_ecdsa_recoverable(message, key)));
        Ok(match signed {
            Ok(signed) => signed.to_string(),
            Err(never) => match never {},
        })
    }

    /// A challenge's hash and its macaroon, where the invoice is made elsewhere.
    pub(super) fn promise(&self, number: u64) -> (PaymentHash, String) {
        let hash: [u8; 32] = Sha256::digest(self.preimage(number)).into();
        (PaymentHash(hash), self.token(&hash, number))
    }

    fn token(&self, hash: &[u8; 32], number: u64) -> String {
        let mut identifier = Vec::with_capacity(IDENTIFIER_BYTES);
        identifier.extend_from_slice(&[0, 0]);
        identifier.extend_from_slice(hash);
        identifier.extend_from_slice(&derive(&self.root, "token id", number));
        mint(&derive(&self.root, "macaroon", 0), &identifier, &[], "")
    }

    /// What only this sandbox makes of a message: it shows that a challenge is its own.
    pub(super) fn bind(&self, message: &[u8]) -> [u8; 32] {
        hmac(&derive(&self.root, "challenge", 0), message)
    }

    /// The payment hash of a token that was minted here.
    pub(super) fn verify(&self, token: &str) -> Option<PaymentHash> {
        let identifier = verify(&derive(&self.root, "macaroon", 0), token).ok()?;
        let identifier: [u8; IDENTIFIER_BYTES] = identifier.try_into().ok()?;
        let hash = identifier.get(2..34)?.try_into().ok()?;
        identifier.starts_with(&[0, 0]).then_some(PaymentHash(hash))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys(node {})", self.node_id)
    }
}

/// The SHA-256 of method, path and body, in hex: what must be identical in both requests.
pub(super) fn request_digest(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), body] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A secret of its own for each label and number. The root's length is fixed, so no two inputs run together.
fn derive(root: &[u8; 32], label: &str, number: u64) -> [u8; 32] {
    Sha256::new().chain_update(root).chain_update(number.to_be_bytes()).chain_update(label).finalize().into()
}

fn since_epoch(at: UnixMs) -> Duration {
    Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use lightning_invoice::Bolt11Invoice;

    use super::*;

    fn bill(number: u64) -> Bill {
        let amount = Msat::new(2_750_000);
        Bill { number, amount, description: "a video".to_owned(), at: UnixMs(1_790_000_000_123), expiry_s: 600 }
    }

    #[test]
    fn the_invoice_is_real_and_its_hash_is_bound_in_the_macaroon() {
        let keys = Keys::new([7; 32]).unwrap();
        let minted = keys.challenge(bill(3)).unwrap();
        let invoice = Bolt11Invoice::from_str(&minted.invoice).unwrap();
        assert!(minted.invoice.starts_with("lnbcrt"));
        assert_eq!(invoice.amount_milli_satoshis(), Some(2_750_000));
        assert_eq!(invoice.duration_since_epoch().as_secs(), 1_790_000_000);
        assert_eq!(invoice.expiry_time().as_secs(), 600);
        assert_eq!(invoice.payment_hash().to_byte_array(), minted.hash.0);
        assert_eq!(<[u8; 32]>::from(Sha256::digest(keys.preimage(3))), minted.hash.0);
        assert!(keys.is_payee(&invoice.recover_payee_pub_key()));
        assert_eq!(keys.verify(&minted.token), Some(minted.hash));
        assert_eq!(Keys::new([8; 32]).unwrap().verify(&minted.token), None);
    }

    #[test]
    fn challenges_differ_and_debug_tells_no_secret() {
        let keys = Keys::new([7; 32]).unwrap();
        assert_ne!(keys.challenge(bill(1)).unwrap().hash, keys.challenge(bill(2)).unwrap().hash);
        assert_eq!(format!("{keys:?}"), format!("Keys(node {})", keys.node_id()));
    }

    #[test]
    fn the_digest_keeps_path_and_body_apart() {
        assert_ne!(request_digest("POST", "/a", b"b"), request_digest("POST", "/ab", b""));
    }
}
