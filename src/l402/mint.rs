//! Makes and verifies macaroons with first-party caveats, as a server does: the stand-in origin's side of the exchange.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::macaroon::{Caveat, END, IDENTIFIER, LOCATION, Macaroon, SIGNATURE, VERIFICATION_ID, VERSION};

/// The constant under which libmacaroons derives its keys.
const KEY_GENERATOR: &[u8] = b"macaroons-key-generator";

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacaroonError {
    /// It is no base64 of a version-2 macaroon.
    #[error("the token is no macaroon of version 2")]
    NotAMacaroon,
    /// Its signature was not made with this root key.
    #[error("the macaroon's signature does not hold")]
    BadSignature,
    /// It has a third-party caveat, which needs a discharge.
    #[error("the macaroon has a third-party caveat")]
    ThirdParty,
}

/// A macaroon with these first-party caveats, as standard base64 of its binary form. An empty location is left out.
#[must_use]
pub fn mint(root_key: &[u8], identifier: &[u8], caveats: &[&str], location: &str) -> String {
    let caveats: Vec<Caveat> = caveats
        .iter()
        .map(|caveat| Caveat { location: None, identifier: caveat.as_bytes().to_vec(), verification_id: None })
        .collect();
    let location = (!location.is_empty()).then(|| location.as_bytes().to_vec());
    let signature = chain(root_key, identifier, caveats.iter().map(|caveat| caveat.identifier.as_slice()));
    BASE64.encode(&Macaroon { location, identifier: identifier.to_vec(), caveats, signature }.to_bytes())
}

/// The identifier of a token that was minted with this root key.
///
/// # Errors
/// Where it is no macaroon, or its signature is not made with the key.
pub fn verify(root_key: &[u8], token: &str) -> Result<Vec<u8>, MacaroonError> {
    let macaroon = Macaroon::from_base64(token).ok_or(MacaroonError::NotAMacaroon)?;
    if macaroon.caveats.iter().any(|caveat| caveat.verification_id.is_some()) {
        return Err(MacaroonError::ThirdParty);
    }
    let (key, message) = match macaroon.caveats.split_last() {
        None => (hmac(KEY_GENERATOR, root_key), macaroon.identifier.as_slice()),
        Some((last, before)) => {
            let before = before.iter().map(|caveat| caveat.identifier.as_slice());
            (chain(root_key, &macaroon.identifier, before), last.identifier.as_slice())
        }
    };
    // The crate compares in constant time.
    let verified = keyed(&key).chain_update(message).verify_slice(&macaroon.signature);
    verified.map(|()| macaroon.identifier).map_err(|_| MacaroonError::BadSignature)
}

/// The signature: the identifier under the derived root key, then each caveat under the signature before.
fn chain<'a>(root_key: &[u8], identifier: &[u8], caveats: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    caveats.fold(hmac(&hmac(KEY_GENERATOR, root_key), identifier), |signature, caveat| hmac(&signature, caveat))
}

/// HMAC-SHA256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(message).finalize().into_bytes().into()
}

/// A key of any length as HMAC's block (RFC 2104): a longer one is hashed, a shorter one padded with zeros.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    let hashed: [u8; 32];
    let key = if key.len() > block.len() {
        hashed = Sha256::digest(key).into();
        &hashed
    } else {
        key
    };
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    Hmac::new(&block.into())
}

impl Macaroon {
    /// Its binary form.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_optional(&mut out, LOCATION, self.location.as_deref());
        put(&mut out, IDENTIFIER, &self.identifier);
        out.push(END);
        for caveat in &self.caveats {
            put_optional(&mut out, LOCATION, caveat.location.as_deref());
            put(&mut out, IDENTIFIER, &caveat.identifier);
            put_optional(&mut out, VERIFICATION_ID, caveat.verification_id.as_deref());
            out.push(END);
        }
        out.push(END);
        put(&mut out, SIGNATURE, &self.signature);
        out
    }
}

fn put_optional(out: &mut Vec<u8>, kind: u8, data: Option<&[u8]>) {
    if let Some(data) = data {
        put(out, kind, data);
    }
}

fn put(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    out.push(kind);
    let mut length = data.len();
    while length > 0x7f {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::PaymentHash;
    use crate::l402::macaroon::payment_hash_of;
    use proptest::prelude::*;

    const ROOT: &[u8] = b"this is our super secret key; only we should know it";
    const IDENTIFIER: &[u8] = b"we used our secret key";

    fn signature_hex(caveats: &[&str]) -> String {
        let token = mint(ROOT, IDENTIFIER, caveats, "http://mybank/");
        data_encoding::HEXLOWER.encode(&Macaroon::from_base64(&token).unwrap().signature)
    }

    /// The worked example of libmacaroons' README.
    #[test]
    fn signatures_are_those_of_libmacaroons() {
        assert_eq!(signature_hex(&[]), "e3d9e02908526c4c0039ae15114115d97fdd68bf2ba379b342aaf0f617d0552f");
        assert_eq!(
            signature_hex(&["account = 3735928559"]),
            "1efe4763f290dbce0c1d08477367e11f4eee456a64933cf662d79772dbb82128"
        );
        assert_eq!(
            signature_hex(&["account = 3735928559", "time < 2020-01-01T00:00"]),
            "b5f06c8c8ef92f6c82c6ff282cd1f8bd1849301d09a2db634ba182536a611c49"
        );
        assert_eq!(
            signature_hex(&["account = 3735928559", "time < 2020-01-01T00:00", "email = alice@example.org"]),
            "ddf553e46083e55b8d71ab822be3d8fcf21d6bf19c40d617bb9fb438934474b6"
        );
    }

    #[test]
    fn bytes_are_laid_out_as_version_2_says() {
        let token = mint(ROOT, b"id", &["c"], "loc");
        let mut expected = b"\x02\x01\x03loc\x02\x02id\x00\x02\x01c\x00\x00\x06\x20".to_vec();
        let bytes = BASE64.decode(token.as_bytes()).unwrap();
        expected.extend_from_slice(bytes.last_chunk::<32>().unwrap());
        assert_eq!(bytes, expected);
    }

    #[test]
    fn only_the_right_key_verifies_and_no_altered_byte() {
        for caveats in [&[][..], &["a = 1"], &["a = 1", "b = 2"]] {
            let token = mint(ROOT, IDENTIFIER, caveats, "x");
            assert_eq!(verify(ROOT, &token), Ok(IDENTIFIER.to_vec()));
            assert_eq!(verify(b"another", &token), Err(MacaroonError::BadSignature));
            let bytes = BASE64.decode(token.as_bytes()).unwrap();
            // The location (3 bytes behind the version) is a hint and is not signed.
            for at in 4..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                assert!(verify(ROOT, &BASE64.encode(&altered)).is_err(), "byte {at}");
            }
        }
        assert_eq!(verify(ROOT, "AGIAJEemVQUTEyNCR0exk7ek90Cg=="), Err(MacaroonError::NotAMacaroon));
    }

    #[test]
    fn keys_of_every_length_work() {
        for length in [0, 32, 64, 65, 200] {
            let key = vec![7; length];
            assert_eq!(verify(&key, &mint(&key, b"id", &[], "")), Ok(b"id".to_vec()), "{length}");
        }
    }

    proptest! {
        #[test]
        fn what_is_minted_is_read_back(id in proptest::collection::vec(any::<u8>(), 1..300), caveat in ".{1,200}", hash in any::<[u8; 32]>()) {
            prop_assert_eq!(verify(b"k", &mint(b"k", &id, &[&caveat], "l")), Ok(id));
            let bound = [&[0, 0][..], &hash, &[9; 32]].concat();
            prop_assert_eq!(payment_hash_of(&mint(b"k", &bound, &[&caveat], "")), Some(PaymentHash(hash)));
        }
    }
}
