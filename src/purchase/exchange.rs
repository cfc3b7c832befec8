//! What goes with a request and what comes back: what proves its payment, and the answer, uninterpreted.

use crate::l402::{PAYMENT_AUTHORIZATION, Preimage, Scheme, Token, has_own_header, payment_credential};

/// The header under which it is kept why only a part of an answer came.
pub(crate) const INCOMPLETE: &str = "x-l402-batch-incomplete";

/// What proves a payment to the origin: `Authorization: L402 token:preimage`, or its `Payment` form, in the header that the
/// challenge names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The scheme name of the challenge.
    pub scheme: Scheme,
    /// Its token, byte for byte.
    pub token: Token,
    /// The preimage that was paid for.
    pub preimage: Preimage,
}

impl Credential {
    /// The header in which it goes, in lower case.
    #[must_use]
    pub fn header_name(&self) -> &'static str {
        match self.scheme {
            Scheme::Payment if has_own_header(&self.token) => PAYMENT_AUTHORIZATION,
            Scheme::L402 | Scheme::Lsat | Scheme::Payment => "authorization",
        }
    }

    /// What is one and the same in every request of one `Payment` purchase and in no other's: its payment hash, quoted, as
    /// `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header: a String). It goes with the credential alone. A server that keeps answers by such keys would else give the 402
    /// that it once answered to whoever has paid.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<String> {
        match self.scheme {
            Scheme::L402 | Scheme::Lsat => None,
            Scheme::Payment => Some(format!("\"{}\"", self.preimage.hash())),
        }
    }

    /// The value of that header. A secret: never for a log.
    #[must_use]
    pub fn header_value(&self) -> String {
        let scheme = self.scheme.as_str();
        match self.scheme {
            Scheme::L402 | Scheme::Lsat => {
                format!("{scheme} {}:{}", self.token.reveal(), self.preimage.reveal_hex())
            }
            Scheme::Payment => format!("{scheme} {}", payment_credential(&self.token, &self.preimage)),
        }
    }
}

/// What an origin answered, bounded and uninterpreted.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Headers in order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it is kept.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// That only a part of it came, as it is kept: a header says so, which no server's answer needs to have.
    #[must_use]
    pub fn cut(mut self, why: &str) -> Self {
        self.headers.push((INCOMPLETE.to_owned(), why.to_owned()));
        self
    }

    /// The first header of that (lower-case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every header of that (lower-case) name.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for HttpAnswer {
    /// Status and sizes only: headers may hold tokens, the body what was paid for.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpAnswer({}, {} headers, {} bytes)", self.status, self.headers.len(), self.body.len())
    }
}

/// Where and how often to poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The absolute address.
    pub url: url::Url,
    /// Milliseconds between polls, as the origin asks, within bounds.
    pub interval_ms: u64,
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::l402::PaymentHash;

    #[test]
    fn the_credential_is_scheme_token_and_preimage() {
        let preimage = Preimage::verify([7; 32], &PaymentHash(Sha256::digest([7; 32]).into())).unwrap();
        let credential = Credential { scheme: Scheme::Lsat, token: Token::new("AGI+/w==".to_owned()), preimage };
        assert_eq!(credential.header_value(), format!("LSAT AGI+/w==:{}", "07".repeat(32)));
        assert!(!format!("{credential:?}").contains("AGI"));
        assert_eq!((credential.header_name(), credential.idempotency_key()), ("authorization", None));
    }

    #[test]
    fn a_payment_credential_goes_where_its_challenge_says_with_a_key_of_its_purchase() {
        let hash = PaymentHash(Sha256::digest([7; 32]).into());
        let of = |token: &str| Credential {
            scheme: Scheme::Payment,
            token: Token::new(token.to_owned()),
            preimage: Preimage::verify([7; 32], &hash).unwrap(),
        };
        assert_eq!(of(r#"{"id":"1"}"#).header_name(), "authorization");
        let own = of(r#"{"header":"Payment-Authorization","id":"1"}"#);
        assert_eq!(own.header_name(), "payment-authorization");
        assert_eq!(own.idempotency_key(), Some(format!("\"{hash}\"")));
        assert_eq!(own.idempotency_key(), of(r#"{"id":"1"}"#).idempotency_key());
    }
}
