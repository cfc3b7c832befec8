//! The words of the L402 specification and of BOLT11. Whatever is secret shows no content in `Debug`.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The payment hash of an invoice (BOLT11 field `p`): a payment's idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentHash(pub [u8; 32]);

/// The proof of payment: a value whose SHA-256 is the payment hash. It exists only verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Preimage([u8; 32]);

/// The node named a preimage that does not belong to the payment hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the preimage's SHA-256 is not the payment hash")]
pub struct WrongPreimage;

/// The token of a challenge, byte for byte as received. Whether it is a macaroon is not ours to say. Of a `Payment`
/// challenge: the JSON object of all its parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The scheme name that the challenge used, and that the credential echoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[derive(Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
pub enum Scheme {
    /// The current name.
    #[serde(rename = "L402")]
    L402,
    /// The old one.
    #[serde(rename = "LSAT")]
    #[strum(serialize = "LSAT")]
    Lsat,
    /// The `Payment` scheme (MPP), taken where neither of the others is offered.
    Payment,
}

/// The Bitcoin network of an invoice or a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Network {
    /// Real money; invoices begin with `lnbc`.
    Mainnet,
    /// Testnet, version 3 or 4; invoices begin with `lntb`.
    Testnet,
    /// Signet; invoices begin with `lntbs`.
    Signet,
    /// Regtest; invoices begin with `lnbcrt`.
    Regtest,
    /// Simnet; invoices begin with `lnsb`.
    Simnet,
}

impl PaymentHash {
    /// From 64 hex digits.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        bytes_of_hex(hex).map(Self)
    }

    /// Lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl Preimage {
    /// The preimage, where it belongs to the hash.
    ///
    /// # Errors
    /// Where its SHA-256 is another.
    pub fn verify(bytes: [u8; 32], hash: &PaymentHash) -> Result<Self, WrongPreimage> {
        if <[u8; 32]>::from(Sha256::digest(bytes)) == hash.0 { Ok(Self(bytes)) } else { Err(WrongPreimage) }
    }

    /// From 64 hex digits, as LND's REST answers carry it; verified.
    ///
    /// # Errors
    /// Where it is no hex of that length, or its SHA-256 is not the hash.
    pub fn verify_hex(hex: &str, hash: &PaymentHash) -> Result<Self, WrongPreimage> {
        Self::verify(bytes_of_hex(hex).ok_or(WrongPreimage)?, hash)
    }

    /// Lower-case hex, for the credential and the receipt. Never for a log.
    #[must_use]
    pub fn reveal_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// The payment hash that it belongs to.
    #[must_use]
    pub fn hash(&self) -> PaymentHash {
        PaymentHash(Sha256::digest(self.0).into())
    }

    /// The bytes, for the ledger.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Token {
    /// A token as received: of L402, printable ASCII without spaces, quotes, commas or colons that would break the credential.
    #[must_use]
    pub const fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself, for the credential and the ledger. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Scheme {
    /// Every scheme, the preferred first.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The name as it is written in a header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Network {
    /// The name, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// From the name that LND's `getinfo` gives (`testnet4` counts as testnet).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "mainnet" => Some(Self::Mainnet),
            "testnet" | "testnet3" | "testnet4" => Some(Self::Testnet),
            "signet" => Some(Self::Signet),
            "regtest" => Some(Self::Regtest),
            "simnet" => Some(Self::Simnet),
            _ => None,
        }
    }
}

fn bytes_of_hex(hex: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok()
}

impl fmt::Debug for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PaymentHash({})", self.hex())
    }
}

impl fmt::Display for PaymentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preimage(…)")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preimage_exists_only_verified() {
        let bytes = [7; 32];
        let hash = PaymentHash(Sha256::digest(bytes).into());
        assert_eq!(Preimage::verify(bytes, &hash).map(|p| *p.reveal()), Ok(bytes));
        assert_eq!(Preimage::verify([8; 32], &hash), Err(WrongPreimage));
        assert_eq!(Preimage::verify_hex("not hex", &hash), Err(WrongPreimage));
    }

    #[test]
    fn secrets_do_not_show() {
        let hash = PaymentHash(Sha256::digest([7; 32]).into());
        assert_eq!(format!("{:?}", Preimage::verify([7; 32], &hash)), "Ok(Preimage(…))");
        assert_eq!(format!("{:?}", Token::new("secret".to_owned())), "Token(…)");
    }
}
