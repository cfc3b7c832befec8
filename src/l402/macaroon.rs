//! The binary macaroon, version 2, as libmacaroons and lnd write it. A small codec of our own: the published crate
//! builds on a binding to libsodium that nobody maintains, and all that is needed is a few length-prefixed fields.
//!
//! `02`, then the header section (optional location, identifier), the caveats (each: optional location, identifier,
//! optional verification id), then the signature. A field is type, length, bytes, both numbers as varints; a section
//! ends with a zero byte.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification, Translate};

use super::PaymentHash;

pub(super) const VERSION: u8 = 2;
pub(super) const END: u8 = 0;
pub(super) const LOCATION: u8 = 1;
pub(super) const IDENTIFIER: u8 = 2;
pub(super) const VERIFICATION_ID: u8 = 4;
pub(super) const SIGNATURE: u8 = 6;
const SIGNATURE_BYTES: usize = 32;

/// An L402 identifier of version 0: version (two bytes, big-endian), payment hash, token id.
const IDENTIFIER_BYTES: usize = 66;

/// Base64 with either alphabet and without padding, which is cut off before.
static ANY_BASE64: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut spec = Specification::new();
    spec.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    spec.translate = Translate { from: "-_".to_owned(), to: "+/".to_owned() };
    spec.check_trailing_bits = false;
    spec.encoding().ok()
});

/// What base64 or base64url says, padded or not.
pub(super) fn any_base64(text: &str) -> Option<Vec<u8>> {
    ANY_BASE64.as_ref()?.decode(text.trim_end_matches('=').as_bytes()).ok()
}

/// A macaroon's parts, as they stand in its bytes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Macaroon {
    pub(super) location: Option<Vec<u8>>,
    pub(super) identifier: Vec<u8>,
    pub(super) caveats: Vec<Caveat>,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

/// One caveat.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Caveat {
    pub(super) location: Option<Vec<u8>>,
    pub(super) identifier: Vec<u8>,
    /// Only a third-party caveat has one.
    pub(super) verification_id: Option<Vec<u8>>,
}

/// The payment hash that a token is bound to, where the token is a version-2 macaroon (base64 or base64url) with a
/// version-0 L402 identifier. Any other token says nothing about it.
#[must_use]
pub fn payment_hash_of(token: &str) -> Option<PaymentHash> {
    let macaroon = Macaroon::from_base64(token)?;
    let identifier: [u8; IDENTIFIER_BYTES] = macaroon.identifier.try_into().ok()?;
    let (version, rest) = identifier.split_first_chunk::<2>()?;
    let hash = rest.first_chunk::<32>()?;
    (u16::from_be_bytes(*version) == 0).then_some(PaymentHash(*hash))
}

/// What a macaroon says of itself. Nothing proves it but its issuer's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Inside {
    /// Its identifier.
    pub identifier: Vec<u8>,
    /// The conditions that were added to it.
    pub caveats: Vec<Vec<u8>>,
}

/// What a version-2 macaroon in its binary form says of itself.
#[must_use]
pub fn inside(bytes: &[u8]) -> Option<Inside> {
    let macaroon = Macaroon::from_bytes(bytes)?;
    let caveats = macaroon.caveats.into_iter().map(|caveat| caveat.identifier).collect();
    Some(Inside { identifier: macaroon.identifier, caveats })
}

impl Macaroon {
    /// From base64 or base64url, padded or not.
    pub(super) fn from_base64(token: &str) -> Option<Self> {
        Self::from_bytes(&any_base64(token)?)
    }

    /// From its binary form; nothing may follow it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut input = Input(bytes);
        if input.byte()? != VERSION {
            return None;
        }
        let location = input.optional(LOCATION)?;
        let identifier = input.field(IDENTIFIER)?;
        input.end()?;
        let mut caveats = Vec::new();
        while input.0.first() != Some(&END) {
            let location = input.optional(LOCATION)?;
            let identifier = input.field(IDENTIFIER)?;
            let verification_id = input.optional(VERIFICATION_ID)?;
            input.end()?;
            caveats.push(Caveat { location, identifier, verification_id });
        }
        input.end()?;
        let signature = input.field(SIGNATURE)?.try_into().ok()?;
        input.0.is_empty().then_some(Self { location, identifier, caveats, signature })
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn end(&mut self) -> Option<()> {
        (self.byte()? == END).then_some(())
    }

    /// The field of that type, which must be next.
    fn field(&mut self, kind: u8) -> Option<Vec<u8>> {
        if self.byte()? != kind {
            return None;
        }
        let length = self.varint()?;
        let (data, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(data.to_vec())
    }

    /// The field of that type where it is next; the outer nothing where it is broken.
    fn optional(&mut self, kind: u8) -> Option<Option<Vec<u8>>> {
        if self.0.first() == Some(&kind) { self.field(kind).map(Some) } else { Some(None) }
    }

    /// A length of up to four groups of seven bits, least first: no token is longer.
    fn varint(&mut self) -> Option<usize> {
        let mut value = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::{BASE64, BASE64URL_NOPAD};
    use proptest::prelude::*;

    fn bytes(version: u16, identifier_length: usize) -> Vec<u8> {
        let mut identifier = version.to_be_bytes().to_vec();
        identifier.resize(identifier_length, 0xfb);
        let mut out = vec![VERSION, LOCATION, 4];
        out.extend_from_slice(b"lsat");
        out.extend_from_slice(&[IDENTIFIER, u8::try_from(identifier_length).unwrap()]);
        out.extend_from_slice(&identifier);
        out.extend_from_slice(&[END, IDENTIFIER, 1, b'c', END, END, SIGNATURE, 32]);
        out.resize(out.len() + 32, 0xff);
        out
    }

    #[test]
    fn the_bound_payment_hash_is_found_in_either_alphabet() {
        let bytes = bytes(0, IDENTIFIER_BYTES);
        let expected = Some(PaymentHash([0xfb; 32]));
        assert_eq!(payment_hash_of(&BASE64.encode(&bytes)), expected);
        assert_eq!(payment_hash_of(BASE64.encode(&bytes).trim_end_matches('=')), expected);
        let url = BASE64URL_NOPAD.encode(&bytes);
        assert!(url.contains('_'));
        assert_eq!(payment_hash_of(&url), expected);
    }

    #[test]
    fn other_tokens_are_bound_to_nothing_that_can_be_read() {
        assert_eq!(payment_hash_of("AGIAJEemVQUTEyNCR0exk7ek90Cg=="), None);
        assert_eq!(payment_hash_of(&BASE64.encode(&bytes(1, IDENTIFIER_BYTES))), None);
        assert_eq!(payment_hash_of(&BASE64.encode(&bytes(0, IDENTIFIER_BYTES + 1))), None);
        let whole = bytes(0, IDENTIFIER_BYTES);
        for length in 0..whole.len() {
            assert_eq!(payment_hash_of(&BASE64.encode(&whole[..length])), None, "{length} bytes");
        }
        let longer = [whole, vec![0]].concat();
        assert_eq!(payment_hash_of(&BASE64.encode(&longer)), None);
    }

    proptest! {
        #[test]
        fn no_token_makes_the_codec_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
            let _ = payment_hash_of(&text);
            let _ = Macaroon::from_bytes(&bytes);
            let _ = Macaroon::from_bytes(&[&[VERSION, IDENTIFIER][..], &bytes].concat());
        }
    }
}
