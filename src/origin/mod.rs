//! The port to whoever sells: one HTTP request at a time, each answered by what came back, uninterpreted.

mod answer_envelope;
pub mod challenge_response;
mod coding;
pub mod fetch;
pub mod http;
mod inline;
mod job_status;
pub mod lnurl;
mod multipart;
mod poll_response;
mod redeem_response;
mod request;
mod results;
#[cfg(test)]
mod samples;
mod secret_headers;
mod taken;
mod url_policy;

use std::future::Future;

use url::Url;

use crate::catalog::Header;
use crate::l402::Scheme;
use crate::purchase::{Credential, HttpAnswer, Request};

pub use answer_envelope::retry_after_ms;
pub use challenge_response::{ChallengeResponse, challenged_in, read_ask};
pub use fetch::{Fetch, FetchBody, FetchFailure, FetchHead, Fetcher};
pub use http::{HttpOptions, HttpOrigin};
pub use inline::{Inline, NoResult, inline_result, is_inline};
pub use poll_response::{POLL_RETRY_AFTER_MS_MAX, PollResponse, read_poll};
pub use redeem_response::{RedeemResponse, read_redeem};
pub use results::RESULTS_MAX;
pub use secret_headers::{ReadSecret, SecretHeaders, SecretProblem, SecretUnread};
pub use url_policy::{BadAddress, is_own_origin};

/// The header under which the address is kept that answered a redeem or a poll.
const ANSWERED_AT: &str = "x-l402-batch-answered-at";

/// The header of an answer in which a secret is covered that its request was sent with.
const COVERED: &str = "x-l402-batch-covered";

/// Where relative addresses in that answer start: where it came from. What was kept without that came from the endpoint's address.
fn answered_at(answer: &crate::purchase::HttpAnswer, endpoint: &url::Url) -> url::Url {
    answer.header(ANSWERED_AT).and_then(|at| at.parse().ok()).unwrap_or_else(|| endpoint.clone())
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

    /// Asks a poll address: where it stands at the seller's own origin with what its endpoint wants in the head of each request, and with the credential of its purchase where it stands
    /// behind the same gate. A redirect is followed within that origin. Of an answer that is the result itself, a film for
    /// instance, the head alone is taken: it stands at the address that answered.
    fn poll(
        &self,
        url: &Url,
        headers: &[Header],
        credential: Option<&Credential>,
    ) -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;

    /// Why a request with these headers cannot go to that address, in words: a secret among them cannot be had. Nothing is sent.
    fn withheld(&self, _headers: &[Header], _at: &Url) -> impl Future<Output = Option<String>> {
        std::future::ready(None)
    }

    /// Asks an address of a refund that this seller has offered, without credential: its link, or its callback.
    fn withdraw(&self, url: &Url, seller: &Url) -> impl Future<Output = Result<HttpAnswer, HttpFailure>>;
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// The request never left: no address, no connection, no TLS.
    #[error("no connection: {0}")]
    NotSent(String),
    /// A secret in its head cannot be had, or may not go there: nothing left.
    #[error("nothing was sent: {0}")]
    Withheld(String),
    /// The challenge holds a secret that its request was sent with: it would have to be kept to be paid for.
    #[error(
        "the challenge repeats the secret that the request was sent with, so it is not paid for: the ledger keeps challenges"
    )]
    Repeats,
    /// Its body could not be read back from its file: no whole request left.
    #[error("the body of the request: {0}")]
    BodyUnread(String),
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

impl HttpFailure {
    /// Whether no whole request has left.
    #[must_use]
    pub const fn is_not_sent(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Withheld(_) | Self::BodyUnread(_) => true,
            Self::Repeats | Self::NoAnswer(_) | Self::TooLarge(_) | Self::Cut(..) | Self::Redirect(_) => false,
        }
    }
}
