//! The HTTP side: one request, one answer or one stream, every wait bounded, nothing sent twice.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, timeout, timeout_at};

use crate::l402::PaymentHash;
use crate::payer::{NodeProblem, ProblemKind, Untrusted};
use crate::time::UnixMs;
use crate::tls::{Distrust, distrust};

use super::answer::{HTTP_OK, Heard, hear_error, hear_line};
use super::stream::Lines;
use super::{LndConfigError, LndOptions, base, hint, tls};
use crate::terminal_text::printable;

const MACAROON_HEADER: HeaderName = HeaderName::from_static("grpc-metadata-macaroon");

/// Longest body of a unary answer, in bytes: one payment with all its attempts.
const UNARY_BYTES_MAX: usize = 4 << 20;

/// Longest body of an error that is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// How much of a stream is read after its last message, so that its connection can be used again.
const TAIL_BYTES_MAX: usize = 16 << 10;

/// How long that may take.
const TAIL_WAIT: Duration = Duration::from_secs(5);

/// Idle connections that are kept: as many as streams may have been open, so that payments seldom wait for a handshake.
const IDLE_CONNECTIONS_MAX: usize = 256;

/// How long an idle connection is kept: shorter than what middleboxes allow, lest a POST go into a dead one.
const IDLE_CONNECTION_LIFE: Duration = Duration::from_secs(30);

/// How long the client waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For a connection, TLS included.
    pub(super) connect: Duration,
    /// For the next bytes of a stream, or its first.
    pub(super) idle: Duration,
    /// For a whole unary answer.
    pub(super) unary: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(60), unary: Duration::from_secs(30) }
    }
}

/// A client of one node.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    macaroon: HeaderValue,
    waits: Waits,
}

/// A unary call's body, and the node's clock.
pub(super) struct Unary {
    pub(super) body: Vec<u8>,
    pub(super) node_time: Option<UnixMs>,
}

impl Client {
    pub(super) fn new(options: &LndOptions, waits: Waits) -> Result<Self, LndConfigError> {
        let base = base(&options.url)?;
        // Plain http, which loopback alone is asked over, asks for no trust.
        let trust = match &options.certificate_pem {
            Some(pem) => tls::pinned(pem)?,
            None => tls::as_the_system()?,
        };
        let http = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            // Only the connection pool may send anew, and only what it never wrote to a connection.
            .retry(reqwest::retry::never())
            // A proxy from the environment has no business between us and a node that holds money.
            .no_proxy()
            .tls_backend_preconfigured(trust)
            .connect_timeout(waits.connect)
            .tcp_keepalive(Duration::from_secs(15))
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_CONNECTION_LIFE)
            .build()
            .map_err(LndConfigError::Client)?;
        let macaroon = options.macaroon.header().ok_or(LndConfigError::Header)?;
        Ok(Self { http, base, macaroon, waits })
    }

    /// A GET with the macaroon.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.open_get(path).header(MACAROON_HEADER, self.macaroon.clone())
    }

    /// A GET without it, for the one call that needs none.
    pub(super) fn open_get(&self, path: &str) -> RequestBuilder {
        // A "not found" from a cache before the node would be believed.
        self.http.get(format!("{}{path}", self.base)).header(CACHE_CONTROL, "no-cache, no-store")
    }

    /// A POST of a JSON body with the macaroon.
    pub(super) fn post(&self, path: &str, json: Vec<u8>) -> RequestBuilder {
        self.http
            .post(format!("{}{path}", self.base))
            .header(MACAROON_HEADER, self.macaroon.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(json)
    }

    /// How long a look at one payment may take.
    pub(super) const fn unary_wait(&self) -> Duration {
        self.waits.unary
    }

    /// Sends a request and reads its whole answer.
    pub(super) async fn unary(&self, request: RequestBuilder) -> Result<Unary, NodeProblem> {
        let whole = async {
            let response = request.send().await.map_err(|error| problem(&error))?;
            let (status, node_time) = (response.status().as_u16(), node_time(&response));
            let body = bounded_body(response, UNARY_BYTES_MAX).await?;
            Ok::<_, NodeProblem>((status, node_time, body))
        };
        let late = || hint::unreachable(format!("no answer within {} s", self.waits.unary.as_secs()));
        let (status, node_time, body) = timeout(self.waits.unary, whole).await.map_err(|_| late())??;
        if status == HTTP_OK {
            return Ok(Unary { body, node_time });
        }
        Err(match hear_error(status, &body) {
            Heard::Error(error) => error.into_problem(),
            Heard::Foreign(problem) => problem,
            Heard::Unclear(words) => hint::other(words),
            Heard::Broken(problem) => problem,
            Heard::Going
            | Heard::PreimageKnown(_)
            | Heard::Settled(_)
            | Heard::Failed(_)
            | Heard::Ended
            | Heard::Late => hint::other(format!("HTTP {status}")),
        })
    }

    /// Sends a request whose answer is a stream. Whatever goes wrong is heard as the stream's only message.
    pub(super) async fn open(&self, request: RequestBuilder, deadline: Instant) -> Updates {
        let idle = self.waits.idle;
        let until = deadline.min(Instant::now() + idle);
        let response = match timeout_at(until, request.send()).await {
            Err(_) => return Updates::only(Heard::Late, None),
            Ok(Err(error)) => return Updates::only(Heard::Broken(problem(&error)), None),
            Ok(Ok(response)) => response,
        };
        let (status, node_time) = (response.status().as_u16(), node_time(&response));
        if status == HTTP_OK {
            return Updates { response: Some(response), lines: Lines::default(), end: Heard::Ended, node_time, idle };
        }
        let heard = match timeout_at(until, bounded_body(response, ERROR_BYTES_MAX)).await {
            Err(_) => Heard::Late,
            Ok(Err(problem)) => Heard::Broken(problem),
            Ok(Ok(body)) => hear_error(status, &body),
        };
        Updates::only(heard, node_time)
    }
}

/// A stream of payment updates.
pub(super) struct Updates {
    /// Nothing once the body has ended.
    response: Option<Response>,
    lines: Lines,
    /// What is heard once everything else has been.
    end: Heard,
    node_time: Option<UnixMs>,
    idle: Duration,
}

impl Updates {
    fn only(end: Heard, node_time: Option<UnixMs>) -> Self {
        Self { response: None, lines: Lines::default(), end, node_time, idle: Duration::ZERO }
    }

    /// The `Date` of the answer: the node's clock, if the answer is LND's. It is the time of the first message, so on
    /// a long stream it lies in the past, which is the safe side for judging an expiry.
    pub(super) const fn node_time(&self) -> Option<UnixMs> {
        self.node_time
    }

    /// The next thing that is said of the payment. After the end it is the same again and again.
    pub(super) async fn next(&mut self, hash: &PaymentHash, deadline: Instant) -> Heard {
        loop {
            match self.lines.next_line() {
                Ok(Some(line)) => return hear_line(line, hash),
                Ok(None) => {}
                Err(too_long) => return Heard::Foreign(hint::other(too_long.to_string())),
            }
            let Some(response) = self.response.as_mut() else { return self.last(hash) };
            let now = Instant::now();
            // A node that never stops talking is never waited for, so that no time-out would end it.
            if now >= deadline {
                return Heard::Late;
            }
            match timeout_at(deadline.min(now + self.idle), response.chunk()).await {
                Err(_) => return Heard::Late,
                Ok(Ok(Some(chunk))) => self.lines.push(&chunk),
                Ok(Ok(None)) => self.response = None,
                Ok(Err(error)) => {
                    self.end = Heard::Broken(problem(&error));
                    self.response = None;
                }
            }
        }
    }

    /// What the body held after its last line end, and then its end. A piece of a line that a broken connection left
    /// is no message; a whole object is one.
    fn last(&mut self, hash: &PaymentHash) -> Heard {
        let ended = self.end == Heard::Ended;
        match self.lines.rest().map(|rest| hear_line(rest, hash)) {
            Some(heard) if ended || heard.is_lnds_answer() => heard,
            Some(_) | None => self.end.clone(),
        }
    }

    /// Reads the stream to its end behind the caller's back, so that its connection can serve the next payment.
    pub(super) fn finish(mut self) {
        let Some(mut response) = self.response.take() else { return };
        let tail = async move {
            let mut read = 0;
            while let Ok(Some(chunk)) = response.chunk().await {
                read += chunk.len();
                if read > TAIL_BYTES_MAX {
                    return;
                }
            }
        };
        drop(tokio::spawn(timeout(TAIL_WAIT, tail)));
    }
}

async fn bounded_body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, NodeProblem> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| problem(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(hint::other(format!("an answer of more than {bytes_max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn node_time(response: &Response) -> Option<UnixMs> {
    UnixMs::from_http_date(response.headers().get(DATE)?.to_str().ok()?)
}

/// Why a request failed.
fn problem(error: &reqwest::Error) -> NodeProblem {
    match distrust(error) {
        Some(Distrust::Other) => hint::advised(ProblemKind::Certificate(Untrusted::Other)),
        Some(why) => hint::advised(ProblemKind::Certificate(Untrusted::Unknown(why))),
        None => hint::unreachable(chain(error)),
    }
}

/// The causes of an error, innermost last. The outermost names the URL and nothing else that matters.
fn chain(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // rustls sends its reader to a manual for programmers.
        words.push(text.split(": https://docs.rs/").next().unwrap_or(&text).to_owned());
        cause = error.source();
    }
    words.dedup();
    if words.is_empty() { "no answer".to_owned() } else { printable(&words.join(": ")) }
}
