//! What the cases share whatever the store: an endpoint, jobs, an intent, and the records of a purchase.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use url::Url;

use crate::catalog::{DedupPolicy, Endpoint, Method, PriceRule, Priced, Rate, ResultRule, Scale, Terms, Value};
use crate::l402::{Network, PaymentHash, Preimage, Scheme, Token};
use crate::ledger::{
    Caps, IntentBounds, JobEnd, LedgerError, NewIntent, PaymentKey, PendingJob, Posted, Record, Retake, TakeId,
};
use crate::money::Msat;
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{HttpAnswer, JobState, Reason, Request, WalletId};
use crate::time::UnixMs;

pub(in crate::ledger) const NOW: UnixMs = UnixMs(1_790_000_000_000);
pub(in crate::ledger) const PRICE: Msat = Msat::new(500_000);
pub(in crate::ledger) const FEE_CEILING: Msat = Msat::new(10_000);
pub(in crate::ledger) const FEE: Msat = Msat::new(1_500);
pub(in crate::ledger) const HOLD: u64 = 510_000;

pub(in crate::ledger) fn endpoint() -> Arc<Endpoint> {
    Arc::new(Endpoint {
        name: "make".to_owned(),
        url: Url::parse("https://seller.example/make").unwrap(),
        method: Method::Post,
        params: Vec::new(),
        multipart: false,
        body: None,
        price: PriceRule {
            is_cap: false,
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: PRICE }],
            quantity: None,
            unit: "job".to_owned(),
            scale: Scale::default(),
        },
        result: ResultRule {
            url: vec!["/url".to_owned()],
            poll_url: Vec::new(),
            poll_interval_ms: Vec::new(),
            status: Vec::new(),
            done: Vec::new(),
            failed: Vec::new(),
            text: Vec::new(),
            body: false,
        },
        errors: Vec::new(),
        dedup_window_s: 60,
        bypass_header: None,
        nonce: None,
        headers: Vec::new(),
        terms: Terms::default(),
        listing: None,
        allow_http: false,
        source: "a test".to_owned(),
        as_of: "2026-11-20".to_owned(),
        defined_in: "built-in".to_owned(),
    })
}

/// A job of that id, whose content follows from `prompt`.
pub(in crate::ledger) fn planned(endpoint: &Arc<Endpoint>, id: &str, prompt: &str) -> PlannedJob {
    PlannedJob {
        seq: 0,
        line: 7,
        id: id.to_owned(),
        endpoint: Arc::clone(endpoint),
        params: vec![("prompt".to_owned(), Value::Text(prompt.to_owned())), ("n".to_owned(), Value::Integer(3))],
        nonce: None,
        extra: vec![("x_note".to_owned(), format!("note of {id}"))],
        content: ContentHash(Sha256::digest(prompt).into()),
        priced: Priced { chosen_by: String::new(), rate: PRICE, quantity: 1, price: PRICE },
        fee_ceiling: FEE_CEILING,
        max_cost: None,
    }
}

/// The word for one more take in the place of that one.
pub(in crate::ledger) fn word(id: &str, take: u32) -> Retake {
    Retake::of([TakeId { id: id.to_owned(), take }])
}

pub(in crate::ledger) fn secret(n: u8) -> ([u8; 32], PaymentHash) {
    let bytes = [n; 32];
    (bytes, PaymentHash(Sha256::digest(bytes).into()))
}

pub(in crate::ledger) fn preimage(n: u8) -> Preimage {
    let (bytes, hash) = secret(n);
    Preimage::verify(bytes, &hash).unwrap()
}

/// What the job sends, with that body.
pub(in crate::ledger) fn request(job: &PendingJob, body: Vec<u8>) -> Request {
    Request::new(Method::Post, job.endpoint.url.clone(), body)
}

/// An intent for the job, paid by the invoice whose secret is `n`.
pub(in crate::ledger) fn new_intent(job: &PendingJob, n: u8) -> NewIntent {
    NewIntent {
        job: job.key,
        request: request(job, format!("{{\"prompt\":{:?}}}", job.id).into_bytes()),
        endpoint_url: job.endpoint.url.clone(),
        // Most tests buy at one instant.
        dedup: DedupPolicy::Never,
        scheme: Scheme::L402,
        token: Token::new(format!("token{n}")),
        challenge: vec![("invoice".to_owned(), format!("lnbc{n}")), ("other".to_owned(), "kept".to_owned())],
        invoice: format!("lnbc{n}"),
        hash: secret(n).1,
        amount: job.price,
        fee_limit: job.fee_ceiling,
        payee: "02payee".to_owned(),
        network: Network::Regtest,
        node: WalletId("03payer".to_owned()),
        invoice_expires_at: NOW.plus_ms(600_000),
        credential_expires_at: NOW.plus_ms(900_000),
        caps: Caps::default(),
        bounds: IntentBounds::default(),
        reuse: None,
    }
}

pub(in crate::ledger) fn paid(payment: PaymentKey, n: u8, posted: Option<Posted>) -> Record {
    Record::Paid { payment, preimage: preimage(n), answered: true, posted }
}

pub(in crate::ledger) fn posted() -> Posted {
    Posted { fee: FEE, payment_index: Some(9) }
}

pub(in crate::ledger) fn http(status: u16) -> HttpAnswer {
    HttpAnswer {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{\"url\":\"/v/1\"}".to_vec(),
    }
}

pub(in crate::ledger) fn end(state: JobState, reason: Reason) -> JobEnd {
    JobEnd { state, reason, error: Some(format!("because {}", reason.as_str())) }
}

pub(in crate::ledger) fn is_contradiction<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Contradiction(_)))
}
