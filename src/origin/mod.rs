//! The port to whoever sells: one HTTP request at a time, each answered by what came back, uninterpreted.

pub mod answer;
mod delivery;
pub mod fetch;
mod gzip;
pub mod http;
mod inline;
pub mod lnurl;
mod place;
mod request;
mod said;
#[cfg(test)]
mod samples;
mod taken;

use std::future::Future;

use sha2::{Digest, Sha256};
use url::Url;

use crate::catalog::Method;
use crate::l402::{Preimage, Scheme, Token, payment_credential};

pub use answer::{Asked, challenged_in, read_ask};
pub use delivery::{POLL_RETRY_AFTER_MS_MAX, Polled, Redeemed, read_poll, read_redeem};
pub use fetch::{Fetch, FetchBody, FetchFailure, FetchHead, Fetcher};
pub use http::{HttpOptions, HttpOrigin};
pub use inline::{Inline, inline_result, is_inline};
pub use place::is_own_origin;
pub use said::retry_after_ms;

/// The header under which it is kept why only a part of an answer came.
const INCOMPLETE: &str = "x-l402-batch-incomplete";
/// The header under which the address is kept that answered a poll, where that was asked by a redirect.
const ANSWERED_AT: &str = "x-l402-batch-answered-at";

/// A request that can be sent again to the very byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The resolved URL, query included.
    pub url: Url,
    /// The exact body; empty for GET.
    pub body: Vec<u8>,
    /// The header that asks the service's cache of identical requests to stand aside. It is no part of what is sold: it
    /// goes with the first sending of an ask and of a redeem, never with a repeated one, and is not kept.
    pub bypass: Option<String>,
}

impl Request {
    /// The same request without the header that bypasses the cache: what is repeated must not be made a second time.
    #[must_use]
    pub fn repeated(&self) -> Self {
        Self { bypass: None, ..self.clone() }
    }

    /// SHA-256 over method, URL and body: two requests of one digest are the same to a service's cache.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.method.as_str().as_bytes(), self.url.as_str().as_bytes(), &self.body] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// What proves a payment to the origin: `Authorization: L402 token:preimage`, or its `Payment` form.
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
    /// The value of the `Authorization` header. A secret: never for a log.
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

/// A server that sells.
pub trait Origin {
    /// Sends the request without a credential, and says in which scheme a challenge can be answered: some servers ask for
    /// payment only then. The very same goes to another address of the same origin where a 307 or 308 says so.
    fn ask(&self, request: &Request, scheme: Scheme) -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;

    /// Sends the very same request with the credential, and by the same redirects. Never times out in total within 15
    /// minutes.
    fn redeem(
        &self,
        request: &Request,
        credential: &Credential,
    ) -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;

    /// Asks a poll address, which stands at the seller's own origin: with the credential of its purchase where it stands
    /// behind the same gate. A redirect is followed within that origin. Of an answer that is the result itself, a film for
    /// instance, the head alone is taken: it stands at the address that answered.
    fn poll(&self, url: &Url, credential: Option<&Credential>)
    -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;

    /// Asks an address of a refund that this seller has offered, without credential: its link, or its callback.
    fn withdraw(&self, url: &Url, seller: &Url) -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;
}

/// What an origin answered, bounded and uninterpreted.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Headers in order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// The request never left: no address, no connection, no TLS.
    #[error("no connection: {0}")]
    NotSent(String),
    /// It left, or may have, and no whole answer came: reset, truncated, time-out.
    #[error("no whole answer: {0}")]
    NoAnswer(String),
    /// The answer is larger than any that is read.
    #[error("the answer is too large: {0}")]
    TooLarge(String),
    /// A success whose body broke off or is longer than any that is read: what came of it, and why there is no more.
    #[error("the answer is not whole: {1}")]
    Cut(HttpAnswer, String),
    /// A redirect elsewhere, or of a kind by which a request may change: never followed.
    #[error("redirected to {0}, which is not followed")]
    Redirect(String),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l402::PaymentHash;

    #[test]
    fn the_credential_is_scheme_token_and_preimage() {
        let preimage = Preimage::verify([7; 32], &PaymentHash(Sha256::digest([7; 32]).into())).unwrap();
        let credential = Credential { scheme: Scheme::Lsat, token: Token::new("AGI+/w==".to_owned()), preimage };
        assert_eq!(credential.header_value(), format!("LSAT AGI+/w==:{}", "07".repeat(32)));
        assert!(!format!("{credential:?}").contains("AGI"));
    }
}
