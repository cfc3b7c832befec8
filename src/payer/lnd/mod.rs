//! LND over REST, as its own documentation and a real node of version 0.21 answer.
//!
//! `stream` cuts bytes into messages, `answer` and `node` say what they mean (both pure), `client` is the HTTP side, and
//! this file puts them together as the port [`Payer`].

mod answer;
mod client;
#[doc(hidden)]
pub mod fuzzing;
mod hint;
mod invoice;
mod list;
mod macaroon;
mod node;
mod rights;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use data_encoding::{BASE64URL, HEXLOWER};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

use crate::error::{Hinted, SharedError};
use crate::l402::{Network, PaymentHash, Preimage};
use crate::ledger::DurableIntent;
use crate::loopback::is_loopback;
use crate::money::Msat;
use crate::payer::{
    Answers, Expiry, Failures, FeeCeiling, Found, History, InvoiceOrder, InvoiceState, ListedPage, LookUp, LookUps,
    MadeInvoice, NodeInfo, NodeProblem, Payer, PaymentHistory, ProblemKind, Promises, Receiver, Repeats, SendReport,
};
use crate::time::UnixMs;

use answer::Heard;
use client::{Client, Updates, Waits};
pub use macaroon::{Macaroon, MacaroonError, MacaroonFile};
pub use node::Channels;
pub use rights::{Right, Rights};
pub use tls::{CERTIFICATE_BYTES_MAX, certificate_pem};

/// Longest time that LND may look for routes, in seconds. An HTLC that is out already can last longer.
const PAY_TIMEOUT_S_MAX: u64 = 60;

/// How much earlier than our patience LND's ends, in seconds, so that we hear its FAILED.
const PAY_TIMEOUT_MARGIN_S: u64 = 5;

/// Most parts that a payment may be split into.
const PAY_PARTS_MAX: u32 = 16;

/// How long the other parts get to settle once the preimage is out, before a follower is told.
const PARTS_GRACE: Duration = Duration::from_secs(1);

/// Where the node is, and what it asks of us.
#[derive(Clone)]
pub struct LndOptions {
    /// The REST address: `https://127.0.0.1:8080`. It may end in a path; plain `http` is for loopback only.
    pub url: String,
    /// What authorises us.
    pub macaroon: Macaroon,
    /// The node's `tls.cert`, in PEM. Without it the certificate must be one that the system trusts.
    pub certificate_pem: Option<Vec<u8>>,
}

/// Why the options make no client.
#[derive(Debug, thiserror::Error)]
pub enum LndConfigError {
    /// The text is no URL.
    #[error("the node's URL cannot be read")]
    Url(#[source] url::ParseError),
    /// It names no host.
    #[error("the node's URL names no host")]
    NoHost,
    /// Neither `https`, nor `http` on loopback.
    #[error("the node's URL must begin with https:// (plain http is accepted for loopback only)")]
    NotHttps,
    /// User, password, query or fragment.
    #[error("the node's URL must hold neither user, password, query nor fragment")]
    Superfluous,
    /// What was given as certificate holds none.
    #[error("{0}: holds no certificate")]
    NoCertificate(String),
    /// What was given as certificate is its private key.
    #[error("{0}: this is a private key (tls.key)")]
    PrivateKey(String),
    /// What was given as certificate is damaged.
    #[error("{origin}: the certificate is cut or damaged")]
    Certificate {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        source: SharedError,
    },
    /// The HTTP client cannot be made.
    #[error("no client for the node can be made")]
    Client(#[source] reqwest::Error),
    /// TLS cannot be set up.
    #[error("no client for the node can be made")]
    Tls(#[source] rustls::Error),
    /// What was given as macaroon fits no header.
    #[error("the macaroon fits no header")]
    Header,
}

impl Hinted for LndConfigError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Url(_) | Self::NoHost => "write it as https://HOST:PORT, lnd's REST address (port 8080 by default)",
            Self::Superfluous => "the macaroon has an option of its own",
            Self::NoCertificate(_) | Self::Certificate { .. } => "pass lnd's tls.cert",
            Self::PrivateKey(_) => "the certificate (tls.cert) is meant",
            Self::NotHttps | Self::Client(_) | Self::Tls(_) | Self::Header => return None,
        };
        Some(hint.into())
    }
}

/// A payer that is an LND node.
#[derive(Clone, Debug)]
pub struct LndPayer {
    client: Client,
    /// The largest time lock that the node allows, in blocks, once it has refused a larger one.
    cltv_most: Arc<AtomicU32>,
}

/// The body of `POST /v2/router/send`. LND refuses unknown fields, and an amount beside an invoice that has one.
#[derive(Serialize)]
struct SendRequest<'a> {
    payment_request: &'a str,
    timeout_seconds: u64,
    /// 64-bit integers travel as strings. Zero means zero-fee routes only, and is sent as it is.
    fee_limit_msat: String,
    max_parts: u32,
    /// In blocks; without it lnd takes its own limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    cltv_limit: Option<u32>,
    /// Without updates LND sends no HTTP header before the payment's end.
    no_inflight_updates: bool,
}

/// What is to be paid: an intent, as far as LND needs it.
struct Order<'a> {
    hash: &'a PaymentHash,
    invoice: &'a str,
    fee_limit: Msat,
    cltv_limit: Option<u32>,
}

impl LndPayer {
    /// A client of the node. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the URL or the certificate cannot be used.
    pub fn new(options: &LndOptions) -> Result<Self, LndConfigError> {
        Self::waiting(options, Waits::default())
    }

    fn waiting(options: &LndOptions, waits: Waits) -> Result<Self, LndConfigError> {
        Ok(Self { client: Client::new(options, waits)?, cltv_most: Arc::new(AtomicU32::new(u32::MAX)) })
    }

    /// A settled payment's fee is reported as it is, even above the limit: the money is gone, and the ledger posts the
    /// truth. A stream that stays silent for long counts as patience over: it may be dead, and tracking goes on anew.
    async fn pay(&self, order: &Order<'_>, patience_ms: u64) -> SendReport {
        let deadline = deadline(Duration::from_millis(patience_ms));
        let body =
            match serde_json::to_vec(&SendRequest::of(order, self.cltv_most.load(Ordering::Relaxed), patience_ms)) {
                Ok(body) => body,
                Err(error) => return report(Heard::Foreign(hint::other(error.to_string())), false, None),
            };
        let mut updates = self.client.open(self.client.post("/v2/router/send", body), deadline).await;
        let mut answered = false;
        loop {
            let heard = updates.next(order.hash, deadline).await;
            if heard == Heard::Going {
                answered = true;
                continue;
            }
            let (ends, node_time) = (heard.is_last(), updates.node_time());
            if ends {
                updates.finish();
            }
            if let Some(blocks) = heard.cltv_limit_allowed() {
                self.cltv_most.fetch_min(blocks, Ordering::Relaxed);
            }
            return report(heard, answered, node_time);
        }
    }

    async fn open_track(&self, hash: &PaymentHash, deadline: Instant) -> Updates {
        // In a path LND takes base64url with its padding, and nothing else.
        let path = format!("/v2/router/track/{}?no_inflight_updates=false", BASE64URL.encode(&hash.0));
        self.client.open(self.client.get(&path), deadline).await
    }

    async fn follow(&self, hash: &PaymentHash, patience_ms: u64) -> LookUp {
        let patience = deadline(Duration::from_millis(patience_ms));
        let mut follower = Follower { until: patience, going: false, preimage: None };
        let mut updates = self.open_track(hash, patience).await;
        loop {
            let heard = updates.next(hash, follower.until).await;
            if heard == Heard::Late && follower.going && follower.preimage.is_none() && Instant::now() < patience {
                // The stream was silent for long: it may be dead, so ask anew.
                updates = self.open_track(hash, patience).await;
                continue;
            }
            let ends = heard.is_last();
            if let Some(found) = follower.hear(heard) {
                let look_up = look_up(found, updates.node_time());
                if ends {
                    updates.finish();
                }
                return look_up;
            }
        }
    }
}

/// Payments that one page of the node's list holds at most.
const LISTED_MAX: u32 = 100;

impl LndPayer {
    /// What single channels could send now. It needs a right that paying does not.
    ///
    /// # Errors
    /// Where the node cannot be asked, or its answer is not understood.
    pub async fn channels(&self) -> Result<Channels, NodeProblem> {
        let path = "/v1/channels?active_only=true";
        node::channels(&self.client.unary(self.client.get(path)).await?.body)
    }
}

/// What lnd promises. One payment a hash, and its FAILED is final: `routerrpc.SendPaymentV2` refuses what is in flight or settled, and
/// fails a payment only once no part of it is out. Its answers are told from a proxy's by their form (`answer`). It keeps its payments
/// until somebody deletes them. "invoice expired" is said before anything else; the `Date` header is its clock.
pub const PROMISES: Promises = Promises {
    repeats: Repeats::OnePayment,
    answers: Answers::Own,
    failures: Failures::Final,
    look_ups: LookUps::EveryHash,
    history: History::Shown,
    expiry: Expiry::Refused,
    fee_ceiling: FeeCeiling::AsAsked,
    // Its own limit follows the patience that it is given.
    patience_ms_min: 0,
};

impl Payer for LndPayer {
    fn promises(&self) -> Promises {
        PROMISES
    }

    async fn send(&self, intent: &DurableIntent, patience_ms: u64) -> SendReport {
        let order = Order {
            hash: intent.hash(),
            invoice: intent.invoice(),
            fee_limit: intent.fee_limit(),
            cltv_limit: intent.cltv_limit(),
        };
        self.pay(&order, patience_ms).await
    }

    async fn look_up(&self, hash: &PaymentHash) -> LookUp {
        let deadline = deadline(self.client.unary_wait());
        let mut updates = self.open_track(hash, deadline).await;
        let heard = updates.next(hash, deadline).await;
        let (ends, node_time) = (heard.is_last(), updates.node_time());
        if ends {
            updates.finish();
        }
        look_up(heard.found(), node_time)
    }

    /// Once the preimage is out, the other parts get a second to settle; so whoever asks again and again for the post
    /// does not spin.
    async fn track(&self, hash: &PaymentHash, patience_ms: u64) -> LookUp {
        self.follow(hash, patience_ms).await
    }

    async fn node(&self) -> Result<NodeInfo, NodeProblem> {
        let state = self.client.unary(self.client.open_get("/v1/state")).await?;
        node::ready(&state.body)?;
        let info = self.client.unary(self.client.get("/v1/getinfo")).await?;
        node::info(&info.body, info.node_time)
    }

    async fn balance(&self) -> Result<Msat, NodeProblem> {
        node::balance(&self.client.unary(self.client.get("/v1/balance/channels")).await?.body)
    }

    fn advise(&self, kind: ProblemKind) -> NodeProblem {
        hint::advised(kind)
    }

    fn history(&self) -> Option<&impl PaymentHistory> {
        Some(self)
    }

    fn receiver(&self) -> Option<&impl Receiver> {
        Some(self)
    }
}

impl PaymentHistory for LndPayer {
    async fn newest_settled(&self) -> Result<Option<PaymentHash>, NodeProblem> {
        let newest = "/v1/payments?include_incomplete=false&reversed=true&max_payments=1";
        node::newest_settled(&self.client.unary(self.client.get(newest)).await?.body)
    }

    async fn list(&self, after: u64) -> Result<ListedPage, NodeProblem> {
        let path = format!("/v1/payments?include_incomplete=true&index_offset={after}&max_payments={LISTED_MAX}");
        let answer = self.client.unary(self.client.get(&path)).await?;
        list::page(&answer.body, after)
    }
}

impl Receiver for LndPayer {
    async fn add_invoice(&self, order: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
        let body =
            serde_json::to_vec(&invoice::AddRequest::of(order)).map_err(|error| hint::other(error.to_string()))?;
        invoice::added(&self.client.unary(self.client.post(invoice::ADD_PATH, body)).await?.body)
    }

    async fn invoice(&self, hash: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
        let path = format!("/v1/invoice/{}", HEXLOWER.encode(&hash.0));
        match self.client.unary(self.client.get(&path)).await {
            Ok(known) => invoice::state(&known.body, hash),
            Err(problem) if invoice::is_unknown(&problem) => Ok(InvoiceState::Unknown),
            Err(problem) => Err(problem),
        }
    }

    fn when_denied(&self, network: Option<Network>) -> String {
        without_invoices(network)
    }
}

/// That the macaroon allows no invoices, and the command that bakes one that does.
pub(crate) fn without_invoices(network: Option<Network>) -> String {
    format!(
        "the macaroon does not let the node make and look up invoices, which receiving takes; bake one that does: {}",
        Rights::bake_command(network)
    )
}

/// What a follower of a track stream knows so far.
struct Follower {
    until: Instant,
    going: bool,
    preimage: Option<Preimage>,
}

impl Follower {
    /// What was found, or nothing where there is more to hear. A preimage once seen is never forgotten for anything less
    /// than a settlement.
    fn hear(&mut self, heard: Heard) -> Option<Found> {
        match (heard, self.preimage) {
            (Heard::Settled(settled), _) => Some(Found::Settled(settled)),
            (Heard::Going, _) => {
                self.going = true;
                None
            }
            (Heard::PreimageKnown(preimage), None) => {
                self.preimage = Some(preimage);
                self.until = self.until.min(Instant::now() + PARTS_GRACE);
                None
            }
            (Heard::PreimageKnown(_), Some(_)) => None,
            (_, Some(preimage)) => Some(Found::PreimageKnown(preimage)),
            (Heard::Late, None) if self.going => Some(Found::InFlight),
            (heard, None) => Some(heard.found()),
        }
    }
}

impl<'a> SendRequest<'a> {
    fn of(order: &Order<'a>, cltv_most: u32, patience_ms: u64) -> Self {
        let patience_s = (patience_ms / 1_000).saturating_sub(PAY_TIMEOUT_MARGIN_S);
        Self {
            payment_request: order.invoice,
            timeout_seconds: patience_s.clamp(1, PAY_TIMEOUT_S_MAX),
            fee_limit_msat: order.fee_limit.get().to_string(),
            max_parts: PAY_PARTS_MAX,
            cltv_limit: order.cltv_limit.map(|blocks| blocks.min(cltv_most)),
            no_inflight_updates: false,
        }
    }
}

/// A node's address, checked, without a slash at its end.
fn base(text: &str) -> Result<String, LndConfigError> {
    let url = Url::parse(text.trim()).map_err(LndConfigError::Url)?;
    if url.host().is_none() {
        return Err(LndConfigError::NoHost);
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(LndConfigError::NotHttps);
    }
    let superfluous = url.query().is_some() || url.fragment().is_some();
    if superfluous || !url.username().is_empty() || url.password().is_some() {
        return Err(LndConfigError::Superfluous);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl fmt::Debug for LndOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL is left out: it has not been checked yet, and may hold a password.
        f.debug_struct("LndOptions").field("macaroon", &self.macaroon).finish_non_exhaustive()
    }
}

/// The report of a send that heard this after `answered`. Only an answer of LND's own shows the node's clock.
fn report(heard: Heard, answered: bool, node_time: Option<UnixMs>) -> SendReport {
    let by_lnd = answered || heard.is_lnds_answer();
    SendReport { answered: by_lnd, outcome: heard.outcome(answered), node_time: node_time.filter(|_| by_lnd) }
}

/// Only where the node itself was heard is the answer's clock the node's.
fn look_up(found: Found, node_time: Option<UnixMs>) -> LookUp {
    let heard = !matches!(found, Found::Unknown(_));
    LookUp { found, node_time: node_time.filter(|_| heard) }
}

/// The point in time until which to wait, in bounds that the clock can hold.
fn deadline(wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);
    Instant::now() + wait.min(YEAR)
}
