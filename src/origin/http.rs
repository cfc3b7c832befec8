//! The port over HTTP/1.1: one request, one bounded answer, no redirect, no retry.
//!
//! HTTP/1.1 alone is spoken: a connection that breaks then takes one purchase's answer with it, where a broken HTTP/2
//! connection would take every one that waits on it.

use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    LOCATION,
};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use sha2::{Digest, Sha256};
use url::Url;

use super::coding::{Coding, Packing, unpacked};
use super::fetch::{content_codings, public_only, text};
use super::inline::is_media;
use super::url_policy::{is_at_home, is_own_origin};
use super::{ANSWERED_AT, COVERED, HttpFailure, Origin, SecretHeaders, lnurl, secret_headers};
use crate::catalog::{Header, Method};
use crate::error::Hinted;
use crate::first_bytes;
use crate::l402::Scheme;
use crate::loopback::is_loopback;
use crate::purchase::{Body, BodyFile, Credential, HttpAnswer, Request};
use crate::terminal_text::printable;
use crate::tls;

/// Says in which scheme a challenge can be answered.
const ACCEPT_AUTHENTICATE: HeaderName = HeaderName::from_static("accept-authenticate");
/// Says what the `Payment` scheme may ask for, and that it is the same purchase again.
const ACCEPT_PAYMENT: HeaderName = HeaderName::from_static("accept-payment");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// No redeem ends before this: some origins answer when the video is made.
pub const REDEEM_TIMEOUT_MIN: Duration = Duration::from_secs(15 * 60);

/// All header names and values of an answer together, in bytes. What is longer is not taken.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Of a success that is not whole, so much of the body is kept.
const CUT_BODY_BYTES_MAX: usize = 1024 * 1024;
/// So many redirects in a row are followed.
const REDIRECTS_MAX: usize = 3;
/// So many header lines are taken.
const HEADER_LINES_MAX: usize = 128;

/// Bounds of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// For the connection, TLS included.
    pub connect_timeout: Duration,
    /// For asking, in total.
    pub ask_timeout: Duration,
    /// For one poll, in total.
    pub poll_timeout: Duration,
    /// For one request about a refund, in total.
    pub withdraw_timeout: Duration,
    /// For redeeming, in total; less than [`REDEEM_TIMEOUT_MIN`] counts as that.
    pub redeem_timeout: Duration,
    /// The longest body of an ask's answer, in bytes.
    pub body_bytes_max: usize,
    /// The longest body of a redeem's or a poll's answer, in bytes: it may hold the result itself.
    pub result_body_bytes_max: usize,
    /// So many idle connections are kept for each host; as many as jobs in flight.
    pub idle_per_host_max: usize,
    /// Whether `HTTPS_PROXY` and its like count. Off for the sandbox, which no proxy reaches.
    pub proxy_from_env: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ask_timeout: Duration::from_secs(60),
            poll_timeout: Duration::from_secs(60),
            withdraw_timeout: Duration::from_secs(30),
            redeem_timeout: Duration::from_secs(20 * 60),
            body_bytes_max: 1024 * 1024,
            result_body_bytes_max: 64 * 1024 * 1024,
            idle_per_host_max: 256,
            proxy_from_env: true,
        }
    }
}

/// An origin over HTTP.
#[derive(Clone, Debug)]
pub struct HttpOrigin {
    client: Client,
    /// For this machine's own addresses: no proxy reaches them.
    direct: Client,
    /// For what an answer names: resolves names to public addresses alone.
    guarded: Client,
    options: HttpOptions,
    secrets: SecretHeaders,
}

impl HttpOrigin {
    /// An origin with these bounds. Certificates are verified as the system does.
    ///
    /// # Errors
    /// Where the system gives no client at all, with the cause.
    pub fn new(options: HttpOptions) -> Result<Self, HttpFailure> {
        let tls = tls::as_the_system().map_err(|error| HttpFailure::NotSent(error.to_string()))?;
        let builder = || Self::builder(&options).tls_backend_preconfigured(tls.clone());
        let build = |builder: ClientBuilder| builder.build().map_err(|error| not_sent(&error));
        Ok(Self {
            client: build(builder())?,
            direct: build(builder().no_proxy())?,
            guarded: build(public_only(builder(), options.proxy_from_env))?,
            options,
            secrets: SecretHeaders::default(),
        })
    }

    /// The same, which can send these.
    #[must_use]
    pub fn bearing(self, secrets: SecretHeaders) -> Self {
        Self { secrets, ..self }
    }

    /// The secrets that it can send.
    #[must_use]
    pub const fn secrets(&self) -> &SecretHeaders {
        &self.secrets
    }

    /// What an endpoint wants in the head of each request to that address, and to those of the same origin.
    async fn wanted(&self, headers: &[Header], at: &Url) -> Result<Vec<(String, HeaderValue)>, HttpFailure> {
        self.secrets.sent(headers, at).await
    }

    /// No request is sent twice. What is left is the pool's: a request for which an idle connection turned out to be
    /// closed before a byte of it was written goes to another connection.
    fn builder(options: &HttpOptions) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(concat!("l402-batch/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .http1_max_headers(HEADER_LINES_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .default_headers(HeaderMap::from_iter([
                (ACCEPT, HeaderValue::from_static("application/json")),
                (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            ]))
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(options.idle_per_host_max);
        if options.proxy_from_env { builder } else { builder.no_proxy() }
    }

    /// What reaches the seller's own address.
    fn client(&self, at: &Url) -> &Client {
        if is_loopback(at) { &self.direct } else { &self.client }
    }

    /// The request, to that address.
    fn request(&self, request: &Request, wanted: &[(String, HeaderValue)], at: &Url) -> RequestBuilder {
        let builder = match request.method {
            Method::Post | Method::Put => self
                .client(at)
                .request(
                    if request.method == Method::Put { reqwest::Method::PUT } else { reqwest::Method::POST },
                    at.clone(),
                )
                .header(CONTENT_TYPE, request.content_type().as_ref())
                .header(CONTENT_LENGTH, request.body().len())
                .body(sendable(request.body())),
            Method::Get => self.client(at).get(at.clone()),
        };
        let builder = headed(builder, wanted);
        match &request.bypass {
            Some(name) => builder.header(name.as_str(), HeaderValue::from_static("1")),
            None => builder,
        }
    }

    /// Sends what `request` makes for an address, and for each to which such a redirect refers within the same origin. The
    /// address that answered comes with the answer, which may be a redirect that is not followed.
    async fn follow(
        &self,
        url: &Url,
        headers: &[Header],
        follows: &[u16],
        request: impl Fn(&Url) -> RequestBuilder,
    ) -> Result<(Response, Url), HttpFailure> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = sent(request(&at)).await?;
            if !response.status().is_redirection() {
                return Ok((response, at));
            }
            let target = text(response.headers(), &LOCATION).and_then(|location| at.join(location.trim()).ok());
            let target = target
                .filter(|target| is_own_origin(target, url) && has_no_user(target))
                .filter(|target| self.secrets.may_go(headers, target));
            match target {
                Some(target) if follows.contains(&response.status().as_u16()) => at = target,
                Some(_) | None => return Ok((response, at)),
            }
        }
        Err(HttpFailure::Redirect(format!("more than {REDIRECTS_MAX} addresses in a row")))
    }
}

/// What an endpoint wants in the head of each request.
fn headed(request: RequestBuilder, wanted: &[(String, HeaderValue)]) -> RequestBuilder {
    wanted.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// An answer without the secrets that it was asked with.
fn hidden(answer: Result<HttpAnswer, HttpFailure>, sent: &[(String, HeaderValue)]) -> Result<HttpAnswer, HttpFailure> {
    let hidden = |mut answer: HttpAnswer| {
        secret_headers::hide(&mut answer, sent);
        answer
    };
    match answer {
        Ok(answer) => Ok(hidden(answer)),
        Err(HttpFailure::Cut(answer, why)) => Err(HttpFailure::Cut(hidden(answer), why)),
        Err(HttpFailure::Redirect(mut target)) => {
            secret_headers::hide_in(&mut target, sent);
            Err(HttpFailure::Redirect(target))
        }
        Err(
            failure @ (HttpFailure::NotSent(_)
            | HttpFailure::Withheld(_)
            | HttpFailure::Repeats
            | HttpFailure::BodyUnread(_)
            | HttpFailure::NoAnswer(_)
            | HttpFailure::TooLarge(_)),
        ) => Err(failure),
    }
}

/// Why a body could not be read back while it was sent.
#[derive(Debug, thiserror::Error)]
#[error("its file {0}")]
struct Unread(String);

/// A large body is read from its file as it leaves, on threads that may wait for a disk. Its end leaves only if the whole is what it was
/// when it was written: as its length is announced, nobody ever has another request that is whole.
fn sendable(body: &Body) -> reqwest::Body {
    let file = match body {
        Body::Held(bytes) => return bytes.clone().into(),
        Body::Filed(file) => Arc::clone(file),
    };
    reqwest::Body::wrap_stream(stream::try_unfold((0_usize, Sha256::new()), move |(at, hash)| {
        let file = Arc::clone(&file);
        async move {
            if at >= file.len() {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || checked_chunk(&file, at, hash)).await;
            read.unwrap_or_else(|error| Err(Unread(format!("was not read: {error}")))).map(Some)
        }
    }))
}

/// The bytes from there on, with the place and the digest of all before what follows them.
fn checked_chunk(file: &BodyFile, at: usize, mut hash: Sha256) -> Result<(Vec<u8>, (usize, Sha256)), Unread> {
    let chunk = file.chunk(at).map_err(|error| Unread(format!("cannot be read: {error}")))?;
    hash.update(&chunk);
    let next = at.saturating_add(chunk.len());
    if next >= file.len() && <[u8; 32]>::from(hash.clone().finalize()) != file.sha256() {
        return Err(Unread("has changed since it was written".to_owned()));
    }
    Ok((chunk, (next, hash)))
}

/// By these a request stays what it is (RFC 9110 15.4.8, 15.4.9).
const SAME_AGAIN: [u16; 2] = [307, 308];
/// By these a GET is one again.
const GET_AGAIN: [u16; 5] = [301, 302, 303, 307, 308];

/// A redirect must not set a password over the credential.
fn has_no_user(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

/// A body as it was before it was packed; none where it was not: where it is empty, or called deflated and is plain.
fn undone(packing: Packing, body: &[u8], body_max: usize) -> Result<Option<Vec<u8>>, HttpFailure> {
    if body.is_empty() {
        return Ok(None);
    }
    match unpacked(packing, body, body_max) {
        Ok(Some(unpacked)) => Ok(Some(unpacked)),
        Ok(None) => Err(HttpFailure::TooLarge(format!("its body is longer than {body_max} bytes"))),
        Err(_) if packing == Packing::Deflate && first_bytes::are_words(body) => Ok(None),
        Err(error) => Err(HttpFailure::NoAnswer(error.to_string())),
    }
}

/// The whole answer, of a bounded length.
async fn answer(mut response: Response, body_max: usize) -> Result<HttpAnswer, HttpFailure> {
    let status = response.status();
    let (mut headers, mut body) = (Vec::new(), Vec::new());
    let coding = Coding::of(content_codings(response.headers()));
    let read = async {
        headers = kept_headers(response.headers())?;
        bounded_body(&mut response, body_max, &mut body).await?;
        if let Coding::Packed(packing) = coding
            && let Some(unpacked) = undone(packing, &body, body_max)?
        {
            body = unpacked;
            headers.retain(|(name, _)| name != CONTENT_ENCODING.as_str());
        }
        Ok(())
    };
    match read.await {
        Ok(()) => Ok(HttpAnswer { status: status.as_u16(), headers, body }),
        // It was answered with success: that is never lost, whatever becomes of the rest.
        Err(failure) if status.is_success() => {
            body.truncate(CUT_BODY_BYTES_MAX);
            let words = match failure {
                HttpFailure::NotSent(words)
                | HttpFailure::Withheld(words)
                | HttpFailure::BodyUnread(words)
                | HttpFailure::NoAnswer(words)
                | HttpFailure::TooLarge(words) => words,
                other @ (HttpFailure::Repeats | HttpFailure::Cut(..) | HttpFailure::Redirect(_)) => other.to_string(),
            };
            Err(HttpFailure::Cut(HttpAnswer { status: status.as_u16(), headers, body }, words))
        }
        Err(failure) => Err(failure),
    }
}

impl Origin for HttpOrigin {
    async fn ask(&self, request: &Request, scheme: Scheme) -> Result<HttpAnswer, HttpFailure> {
        let mut offered = HeaderMap::from_iter([(ACCEPT_AUTHENTICATE, HeaderValue::from_static(scheme.as_str()))]);
        if scheme == Scheme::Payment {
            offered.insert(ACCEPT_PAYMENT, HeaderValue::from_static("lightning/charge"));
        }
        let wanted = self.wanted(request.headers(), &request.url).await?;
        let sent =
            |at: &Url| self.request(request, &wanted, at).headers(offered.clone()).timeout(self.options.ask_timeout);
        let (response, _) = self.follow(&request.url, request.headers(), &SAME_AGAIN, sent).await?;
        if response.status().is_redirection() {
            return hidden(Err(HttpFailure::Redirect(target(&response))), &wanted);
        }
        let answer = answer(response, self.options.body_bytes_max).await;
        // What is paid for is what the origin sent, and no other words.
        if let Ok(answer) = &answer
            && answer.headers_named("www-authenticate").any(|value| secret_headers::repeats(value, &wanted))
        {
            return Err(HttpFailure::Repeats);
        }
        hidden(answer, &wanted)
    }

    async fn redeem(&self, request: &Request, credential: &Credential) -> Result<HttpAnswer, HttpFailure> {
        let mut bearing = authorization(credential)?;
        let key = credential.idempotency_key().filter(|_| !request.unkeyed);
        if let Some(key) = key.and_then(|key| HeaderValue::try_from(key).ok()) {
            bearing.insert(IDEMPOTENCY_KEY, key);
        }
        let timeout = self.options.redeem_timeout.max(REDEEM_TIMEOUT_MIN);
        let wanted = self.wanted(request.headers(), &request.url).await?;
        let sent = |at: &Url| self.request(request, &wanted, at).headers(bearing.clone()).timeout(timeout);
        let (response, at) = self.follow(&request.url, request.headers(), &SAME_AGAIN, sent).await?;
        hidden(came_from(answer(response, self.options.result_body_bytes_max).await, at), &wanted)
    }

    async fn poll(
        &self,
        url: &Url,
        headers: &[Header],
        credential: Option<&Credential>,
    ) -> Result<HttpAnswer, HttpFailure> {
        let bearing = credential.map(authorization).transpose()?;
        let wanted = self.wanted(headers, url).await?;
        let sent = |at: &Url| {
            let request = headed(self.client(at).get(at.clone()), &wanted).timeout(self.options.poll_timeout);
            match &bearing {
                Some(bearing) => request.headers(bearing.clone()),
                None => request,
            }
        };
        let (response, at) = self.follow(url, headers, &GET_AGAIN, sent).await?;
        let is_result = response.status().is_success() && text(response.headers(), &CONTENT_TYPE).is_some_and(is_media);
        let answer = if is_result {
            let headers = kept_headers(response.headers())?;
            Ok(HttpAnswer { status: response.status().as_u16(), headers, body: Vec::new() })
        } else {
            answer(response, self.options.result_body_bytes_max).await
        };
        hidden(came_from(answer, at), &wanted)
    }

    async fn withheld(&self, headers: &[Header], at: &Url) -> Option<String> {
        self.secrets.withheld(headers, at).await
    }

    async fn withdraw(&self, url: &Url, seller: &Url) -> Result<HttpAnswer, HttpFailure> {
        let client = if is_at_home(url, seller) { self.client(url) } else { &self.guarded };
        let response = sent(client.get(url.clone()).timeout(self.options.withdraw_timeout)).await?;
        if response.status().is_redirection() {
            return Err(HttpFailure::Redirect(target(&response)));
        }
        answer(response, lnurl::BODY_BYTES_MAX).await
    }
}

/// The same, with where it came from: relative addresses in it start there.
fn came_from(answer: Result<HttpAnswer, HttpFailure>, at: Url) -> Result<HttpAnswer, HttpFailure> {
    let note = |mut answer: HttpAnswer| {
        answer.headers.push((ANSWERED_AT.to_owned(), at.into()));
        answer
    };
    match answer {
        Ok(answer) => Ok(note(answer)),
        Err(HttpFailure::Cut(answer, why)) => Err(HttpFailure::Cut(note(answer), why)),
        Err(failure) => Err(failure),
    }
}

/// The credential as a header that no log shows.
pub(super) fn authorization(credential: &Credential) -> Result<HeaderMap, HttpFailure> {
    let mut value = HeaderValue::from_str(&credential.header_value())
        .map_err(|_| HttpFailure::NotSent("the token cannot stand in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(HeaderName::from_static(credential.header_name()), value)]))
}

fn kept_headers(headers: &HeaderMap) -> Result<Vec<(String, String)>, HttpFailure> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(HttpFailure::TooLarge(format!("its headers are longer than {HEADER_BYTES_MAX} bytes")));
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    // What this program says of an answer, no server says.
    let kept = headers.iter().filter(|(name, _)| ![ANSWERED_AT, COVERED].contains(&name.as_str()));
    Ok(kept.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect())
}

async fn bounded_body(response: &mut Response, most: usize, body: &mut Vec<u8>) -> Result<(), HttpFailure> {
    let too_large = || HttpFailure::TooLarge(format!("its body is longer than {most} bytes"));
    let announced = response.content_length().map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced > most {
        return Err(too_large());
    }
    body.reserve(announced);
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if chunk.len() > most.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

/// Only an error before there was a connection is sure to have sent nothing.
async fn sent(request: RequestBuilder) -> Result<Response, HttpFailure> {
    request.send().await.map_err(|error| failure(&error))
}

fn failure(error: &reqwest::Error) -> HttpFailure {
    let mut causes = iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    if let Some(unread) = causes.find_map(|cause| cause.downcast_ref::<Unread>()) {
        return HttpFailure::BodyUnread(unread.to_string());
    }
    if error.is_connect() || error.is_builder() { not_sent(error) } else { HttpFailure::NoAnswer(words(error)) }
}

fn not_sent(error: &reqwest::Error) -> HttpFailure {
    HttpFailure::NotSent(words(error))
}

/// The causes of an error, without the outermost, whose words hold the URL and with it the query.
pub(super) fn words(error: &reqwest::Error) -> String {
    const CAUSES_MAX: usize = 8;
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    if let Some(why) = tls::distrust(error) {
        return printable(&format!("its TLS certificate is not accepted: {}", why.told()));
    }
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next.filter(|_| causes.len() < CAUSES_MAX) {
        let cause_words = cause.to_string();
        if causes.last().is_none_or(|last| !last.contains(&cause_words)) {
            causes.push(cause_words);
        }
        next = cause.source();
    }
    printable(&if causes.is_empty() { "the connection failed".to_owned() } else { causes.join(": ") })
}

/// Where a redirect points, without query, fragment and credentials.
fn target(response: &Response) -> String {
    let location = text(response.headers(), &LOCATION);
    let url = location.and_then(|location| response.url().join(location).ok());
    url.map_or_else(
        || "nowhere".to_owned(),
        |mut url| {
            url.set_query(None);
            url.set_fragment(None);
            let _ = url.set_username("");
            let _ = url.set_password(None);
            printable(url.as_str())
        },
    )
}

#[cfg(test)]
mod tests;
