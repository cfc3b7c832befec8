//! The stand-in API: asks for payment, takes credentials, hands over videos.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::books::{Redeemed, Terms};
use super::errors::{self, Charge};
use super::faults::{FaultPoint, Refusal};
use super::goods::{Good, Ware};
use super::journal::Asked;
use super::keys::{Bill, Minted, hex, request_digest};
use super::mint::{Mint, MintError};
use super::mpp::{self, Problem};
use super::options::{ErrorCode, Gate, OfferedScheme};
use super::serve::HangUp;
use super::{World, now, refund, shapes, videos};
use crate::l402::PaymentHash;
use crate::money::{Msat, Sats};

/// An image of some megabytes as base64, and room to spare.
const BODY_BYTES_MAX: usize = 32 << 20;
pub(super) const JSON: &str = "application/json";
const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const X_DEDUP: HeaderName = HeaderName::from_static("x-dedup");
const X_NO_CACHE: HeaderName = HeaderName::from_static("x-no-cache");
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_JOB_ID: HeaderName = HeaderName::from_static("x-job-id");
const REQUEST_ID_PREFIX: &str = "pred_";
const POLL_MS_MIN: u64 = 50;
const POLL_MS_MAX: u64 = 5_000;

/// The API's side of the world.
pub(super) struct Shop {
    pub world: Arc<World>,
    pub base: Url,
}

/// One request for a video.
pub(super) struct Wish {
    ware: Ware,
    digest: [u8; 32],
    body: Bytes,
    fresh: bool,
}

/// What proves a payment.
pub(super) struct Proof {
    pub hash: PaymentHash,
    /// The id of the charge, where it was paid in the `Payment` scheme.
    pub charge: Option<String>,
}

/// Every route of the API, and the books.
pub(super) fn router(world: Arc<World>, base: Url) -> Router {
    Router::new()
        .route("/api/l402/job-status", get(poll))
        .route("/api/l402/models", get(models))
        .route("/api/l402/{good}", post(sell))
        .route("/sandbox/sell/{msat}/{what}", post(sell_anything))
        .route("/api/l402/refund/{charge}", get(refund::offer))
        .route("/api/l402/refund/{charge}/claim", get(refund::claim))
        .route("/sandbox/books", get(books))
        .route("/sandbox/settle/{hash}", post(settle))
        .route("/sandbox/cancel/{hash}", post(cancel))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::new(Shop { world: Arc::clone(&world), base }))
        .merge(videos::router(world))
}

async fn sell(State(shop): State<Arc<Shop>>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(good) = Good::by_name(&name) else {
        shop.world.wait(shop.world.options.latency_ms).await;
        return refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "no such endpoint");
    };
    let digest = request_digest("POST", &format!("/api/l402/{name}"), &body);
    sold(&shop, Wish { ware: Ware::Good(good), digest, body, fresh: headers.contains_key(X_NO_CACHE) }, headers).await
}

/// Sells that for so many msat, whatever is asked.
async fn sell_anything(
    State(shop): State<Arc<Shop>>,
    Path((msat, what)): Path<(u64, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let digest = request_digest("POST", &what, &body);
    sold(&shop, Wish { ware: Ware::Anything(Msat::new(msat)), digest, body, fresh: true }, headers).await
}

async fn sold(shop: &Shop, wish: Wish, headers: HeaderMap) -> Response {
    shop.world.wait(shop.world.options.latency_ms).await;
    let digest = wish.digest;
    let place = if headers.contains_key(AUTHORIZATION) { FaultPoint::Redeem } else { FaultPoint::Ask };
    let luck = shop.world.faults.next(place, &digest);
    if let Some(refusal) = luck.refused {
        return refused(refusal);
    }
    if place == FaultPoint::Ask
        && let Some(code) = shop.world.faults.error_code(place, &digest)
    {
        return errors::answer(code, None);
    }
    let answer = match headers.get(AUTHORIZATION) {
        None => shop.ask(&wish, &headers, None).await,
        Some(value) => match shop.world.proof(value.as_bytes(), Some(&wish.body)) {
            Ok(proof) => shop.redeem_with_receipt(&wish, &proof, &headers).await,
            Err(Some(problem)) => shop.ask(&wish, &headers, Some(problem)).await,
            // As aperture does: whoever shows nothing that it takes is asked to pay.
            Err(None) if shop.world.options.scheme == OfferedScheme::Mpp => shop.ask(&wish, &headers, None).await,
            Err(None) => Ok(bad_credential("the credential's macaroon or preimage is not right")),
        },
    };
    if luck.dropped {
        return HangUp.into_response();
    }
    answer.unwrap_or_else(|error| broken_books(&error))
}

impl Shop {
    /// Answers a request without payment: 402 with a challenge, or what is wrong with it. Where a credential was shown, the
    /// `problem` with that.
    pub(super) async fn ask(&self, wish: &Wish, headers: &HeaderMap, problem: Option<Problem>) -> io::Result<Response> {
        let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
        let price = match &wish.ware {
            Ware::Good(_) if !is_json => return Ok(invalid("the Content-Type must be application/json")),
            Ware::Good(good) => match good.price(&wish.body) {
                Ok(price) => self.drifted(price, &wish.digest),
                Err(complaint) => return Ok(invalid(&complaint)),
            },
            Ware::Anything(price) => *price,
        };
        let world = &self.world;
        let now = now();
        let number = world.books().take_number();
        let bill = Bill {
            number,
            amount: price,
            description: format!("sandbox: {}", wish.ware.name()),
            at: now,
            expiry_s: world.options.invoice_expiry_s,
        };
        let minted = self.mint(bill).await?;
        world.books().ask(Asked {
            hash: minted.hash,
            number,
            endpoint: wish.ware.name().to_owned(),
            body_sha256: hex(&wish.digest),
            amount_msat: price,
            at: now,
        })?;
        let expires_at = now.plus_ms(ms(world.options.invoice_expiry_s.saturating_mul(1_000)));
        self.payment_required(&mpp::Charge { minted: &minted, price, expires_at, body: &wish.body }, problem)
    }

    /// The challenge for a bill: the invoice of the node that mints, or the sandbox's own.
    async fn mint(&self, bill: Bill) -> io::Result<Minted> {
        let keys = &self.world.keys;
        let Some(mint) = &self.world.mint else {
            return keys.challenge(bill).map_err(|error| io::Error::other(error.to_string()));
        };
        let (hash, token) = keys.promise(bill.number);
        let invoice = mint.invoice(&bill, &hash, &keys.preimage(bill.number)).await.map_err(io::Error::other)?;
        Ok(Minted { hash, token, invoice })
    }

    /// Answers a request with a credential whose macaroon and preimage are right.
    pub(super) async fn redeem(&self, wish: &Wish, proof: &Proof, headers: &HeaderMap) -> io::Result<Response> {
        if self.world.mint.is_some() {
            // Only who paid has the preimage: the payment itself was another node's affair.
            self.world.books().paid_elsewhere(proof.hash, now())?;
        }
        if let Some(code) = self.error_after_payment(wish, proof, headers) {
            return Ok(code);
        }
        let options = &self.world.options;
        let terms = Terms {
            credential_ms: ms(options.credential_s.saturating_mul(1_000)),
            dedup_ms: if wish.fresh { 0 } else { ms(options.dedup_s.saturating_mul(1_000)) },
            accept_ms: options.accept.then(|| ms(options.accept_ms)),
            uses: options.reusable.filter(|_| self.is_of(&proof.hash, &wish.ware)),
        };
        let redeemed = self.world.books().redeem(proof.hash, &hex(&wish.digest), terms, now())?;
        if matches!(redeemed, Redeemed::Delivered { .. } | Redeemed::Processing) {
            if self.is_used_up(proof, headers) {
                let shown = (wish, proof, headers);
                return self.turned_away(shown, Problem::InvalidChallenge, "the token was already used").await;
            }
            let ran = self.world.handled.runs(proof.hash, headers.get(IDEMPOTENCY_KEY).map(HeaderValue::as_bytes));
            if let (Some(shape), Redeemed::Delivered { video, .. }) = (options.answer, &redeemed)
                && options.answers.is_none_or(|most| ran < most)
            {
                return Ok(shapes::answer(shape, &format!("{}videos/{video}.mp4", self.base_for(headers))));
            }
        }
        let (problem, why) = match redeemed {
            Redeemed::Delivered { video, deduplicated } => return Ok(self.delivered(&video, deduplicated)),
            Redeemed::Processing => return Ok(self.accepted(&proof.hash)),
            Redeemed::Unpaid => {
                let problem = proof.charge.is_some().then_some(Problem::VerificationFailed);
                return self.ask(wish, headers, problem).await;
            }
            Redeemed::Expired => (Problem::PaymentExpired, "the credential has expired; it cannot be used any more"),
            Redeemed::OtherRequest => (
                Problem::VerificationFailed,
                "the credential was made for another request; the payload must be identical",
            ),
            Redeemed::Unknown => (Problem::InvalidChallenge, "the credential is not known here"),
        };
        self.turned_away((wish, proof, headers), problem, why).await
    }

    /// Whether a challenge was made for that good.
    fn is_of(&self, hash: &PaymentHash, ware: &Ware) -> bool {
        self.world.books().state.sale(hash).is_some_and(|sale| sale.asked.endpoint == ware.name())
    }

    /// The error code that was asked for, where this is paid; nothing is handed over then.
    fn error_after_payment(&self, wish: &Wish, proof: &Proof, headers: &HeaderMap) -> Option<Response> {
        let charge = self.charge(&proof.hash, headers)?;
        // What was given back once is not made any more.
        let given_back = self.world.books().state.claim(&proof.hash).is_some();
        let code = match given_back || self.world.faults.refunds(&wish.digest) {
            true => ErrorCode::L402RefundIssued,
            false => self.world.faults.error_code(FaultPoint::Redeem, &wish.digest)?,
        };
        Some(errors::answer(code, Some(&charge)))
    }

    /// What was paid for that hash, if it was.
    fn charge(&self, hash: &PaymentHash, headers: &HeaderMap) -> Option<Charge> {
        let books = self.world.books();
        let sale = books.state.sale(hash).filter(|sale| sale.paid)?;
        Some(Charge { hash: *hash, amount: sale.asked.amount_msat.sats_ceil(), origin: self.base_for(headers) })
    }

    /// The API's address as this client reaches it: through a proxy on loopback, where it came by one.
    pub(super) fn base_for(&self, headers: &HeaderMap) -> Url {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| host.starts_with("127.0.0.1:"));
        let through = host.and_then(|host| Url::parse(&format!("http://{host}/")).ok());
        through.unwrap_or_else(|| self.base.clone())
    }

    fn delivered(&self, video: &str, deduplicated: bool) -> Response {
        let url = self.place(video).unwrap_or_else(|| format!("{}videos/{video}.mp4", self.base));
        let mut response = ([(CONTENT_TYPE, JSON)], json!({ "videoUrl": url }).to_string()).into_response();
        if deduplicated {
            response.headers_mut().insert(X_DEDUP, HeaderValue::from_static("1"));
        }
        response
    }

    /// The video itself, where it is to stand in the answer.
    fn place(&self, video: &str) -> Option<String> {
        let options = &self.world.options;
        options.in_answer.map(|how| videos::in_answer(video, how, options.video_kib))
    }

    fn accepted(&self, hash: &PaymentHash) -> Response {
        let id = format!("{REQUEST_ID_PREFIX}{hash}");
        let body = json!({
            "requestId": id,
            "status": "processing",
            "poll_url": format!("/api/l402/job-status?requestId={id}&jobType=video"),
            "poll_interval_ms": self.poll_interval_ms(),
        });
        let headers = [(CONTENT_TYPE, JSON.to_owned()), (X_JOB_ID, id)];
        (StatusCode::ACCEPTED, headers, body.to_string()).into_response()
    }

    fn poll_interval_ms(&self) -> u64 {
        (self.world.options.accept_ms / 2).clamp(POLL_MS_MIN, POLL_MS_MAX)
    }

    /// The price in msat, with the drift that was asked for; rounded down to a whole sat, at least one.
    fn drifted(&self, price: Sats, request: &[u8; 32]) -> Msat {
        let percent = if self.world.faults.drifts(request) { self.world.options.price_drift_percent } else { 0 };
        Msat::new(drifted(price, percent).get().saturating_mul(1_000))
    }
}

/// The query of a poll.
#[derive(Deserialize)]
struct Job {
    #[serde(rename = "requestId")]
    request_id: String,
    #[serde(rename = "jobType")]
    job_type: String,
}

async fn poll(State(shop): State<Arc<Shop>>, Query(job): Query<Job>, headers: HeaderMap) -> Response {
    shop.world.wait(shop.world.options.latency_ms).await;
    let hash = job.request_id.strip_prefix(REQUEST_ID_PREFIX).and_then(PaymentHash::from_hex);
    let (Some(hash), "video") = (hash, job.job_type.as_str()) else { return no_such_job() };
    if shop.world.options.gates.contains(&Gate::Polls) && !shop.world.shows(&headers, &hash) {
        return refuse(StatusCode::PAYMENT_REQUIRED, "L402_PAYMENT_REQUIRED", "show the credential");
    }
    if let Some(code) = shop.world.faults.error_code(FaultPoint::Poll, &hash.0) {
        return errors::answer(code, shop.charge(&hash, &headers).as_ref());
    }
    let luck = shop.world.faults.next(FaultPoint::Poll, &hash.0);
    let polled = shop.world.books().poll(hash, now());
    if luck.dropped {
        return HangUp.into_response();
    }
    let body = match polled {
        Ok(Redeemed::Delivered { video, .. }) => {
            let url = shop.place(&video).unwrap_or_else(|| format!("/videos/{video}.mp4"));
            json!({ "requestId": job.request_id, "status": "COMPLETED", "result": { "url": url } })
        }
        Ok(Redeemed::Processing) => json!({
            "requestId": job.request_id, "status": "processing", "poll_interval_ms": shop.poll_interval_ms(),
        }),
        Ok(Redeemed::Unpaid | Redeemed::Expired | Redeemed::OtherRequest | Redeemed::Unknown) => return no_such_job(),
        Err(error) => return broken_books(&error),
    };
    ([(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// The free listing: endpoints, parameters and prices.
async fn models(State(shop): State<Arc<Shop>>) -> Response {
    shop.world.wait(shop.world.options.latency_ms).await;
    let percent = shop.world.options.listing_drift_percent;
    let models: Vec<_> = Good::ALL.into_iter().map(|good| good.listed(|sats| drifted(sats, percent).get())).collect();
    ([(CONTENT_TYPE, JSON)], json!({ "models": models }).to_string()).into_response()
}

/// So many percent more, rounded down to a whole sat, at least one.
fn drifted(price: Sats, percent: i64) -> Sats {
    let factor = u64::try_from(percent.saturating_add(100)).unwrap_or(0);
    Sats::new((price.get().saturating_mul(factor) / 100).max(1))
}

/// Takes what a hold invoice holds.
async fn settle(State(shop): State<Arc<Shop>>, Path(hash): Path<String>) -> Response {
    shop.decide(&hash, async |mint, _, preimage| mint.settle(&preimage).await).await
}

/// Gives back what a hold invoice holds.
async fn cancel(State(shop): State<Arc<Shop>>, Path(hash): Path<String>) -> Response {
    shop.decide(&hash, async |mint, hash, _| mint.cancel(&hash).await).await
}

impl Shop {
    async fn decide(
        &self,
        hash: &str,
        decision: impl AsyncFnOnce(&Mint, PaymentHash, [u8; 32]) -> Result<(), MintError>,
    ) -> Response {
        let hash = PaymentHash::from_hex(hash);
        let number = hash.and_then(|hash| self.world.books().state.sale(&hash).map(|sale| sale.asked.number));
        let (Some(mint), Some(hash), Some(number)) = (&self.world.mint, hash, number) else {
            return refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "no such hold invoice");
        };
        match decision(mint, hash, self.world.keys.preimage(number)).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refuse(StatusCode::BAD_GATEWAY, "MINT", &error.to_string()),
        }
    }
}

async fn books(State(shop): State<Arc<Shop>>) -> Response {
    let snapshot = shop.world.snapshot();
    match serde_json::to_vec(&snapshot) {
        Ok(body) => ([(CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => broken_books(&error.into()),
    }
}

fn refuse(status: StatusCode, code: &'static str, why: &str) -> Response {
    let body = json!({ "error": why, "error_code": code });
    (status, [(CONTENT_TYPE, JSON), (X_ERROR_CODE, code)], body.to_string()).into_response()
}

fn invalid(why: &str) -> Response {
    refuse(StatusCode::BAD_REQUEST, "INVALID_INPUT", why)
}

pub(super) fn bad_credential(why: &str) -> Response {
    refuse(StatusCode::UNAUTHORIZED, "L402_INVALID_CREDENTIAL", why)
}

fn no_such_job() -> Response {
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "no such job")
}

fn broken_books(error: &io::Error) -> Response {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "SERVICE_ERROR", &format!("the sandbox's books: {error}"))
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::RateLimit => {
            let body = json!({ "error": "too many requests", "error_code": "RATE_LIMITED", "retry_after_seconds": 1 });
            let headers = [(CONTENT_TYPE, JSON), (X_ERROR_CODE, "RATE_LIMITED"), (RETRY_AFTER, "1")];
            (StatusCode::TOO_MANY_REQUESTS, headers, body.to_string()).into_response()
        }
        Refusal::Internal => refuse(StatusCode::INTERNAL_SERVER_ERROR, "SERVICE_ERROR", "something went wrong"),
        Refusal::Unavailable => refuse(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_ERROR", "try again later"),
    }
}

fn ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl World {
    /// Waits `ms` milliseconds.
    pub(super) async fn wait(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
}
