//! What the tests share: an endpoint, jobs, intents, and the way through a purchase.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use sha2::{Digest, Sha256};
use url::Url;

use crate::catalog::{DedupPolicy, Endpoint, Method, PriceRule, Priced, Rate, ResultRule, Terms, Value};
use crate::l402::{Network, PaymentHash, Preimage, Scheme, Token};
use crate::ledger::decide::{PersonFacts, Write};
pub(in crate::ledger) use crate::ledger::port::*;
use crate::ledger::sqlite::{SqliteLedger, store};
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, BatchStart, Caps, Committed, Compared, DurableIntent, IntentBounds, JobEnd,
    JobKey, LedgerError, NewBatch, NewIntent, PaymentKey, PendingJob, PlanLoad, Posted, Record, Retake, TakeId, ToBuy,
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
        price: PriceRule {
            by: Vec::new(),
            rates: vec![Rate { when: Vec::new(), rate: PRICE }],
            quantity: None,
            unit: "job".to_owned(),
        },
        result: ResultRule {
            url: vec!["/url".to_owned()],
            poll_url: Vec::new(),
            poll_interval_ms: Vec::new(),
            status: Vec::new(),
            done: Vec::new(),
            failed: Vec::new(),
        },
        errors: Vec::new(),
        dedup_window_s: 60,
        bypass_header: None,
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
        extra: vec![("x_note".to_owned(), format!("note of {id}"))],
        content: ContentHash(Sha256::digest(prompt).into()),
        priced: Priced { chosen_by: String::new(), rate: PRICE, quantity: 1, price: PRICE },
        fee_ceiling: FEE_CEILING,
        max_cost: None,
    }
}

pub(in crate::ledger) fn begin(ledger: &mut SqliteLedger, name: &str) -> BatchKey {
    let new = NewBatch { name: name.to_owned(), manifest: format!("/jobs/{name}.toml"), sandbox: false, adopt: false };
    match ledger.begin_batch(NOW, &new).unwrap() {
        BatchStart::New(batch) | BatchStart::Existing(batch) => batch.key,
        other => panic!("{other:?}"),
    }
}

/// The word for one more take in the place of that one.
pub(in crate::ledger) fn word(id: &str, take: u32) -> Retake {
    Retake::of([TakeId { id: id.to_owned(), take }])
}

/// Loads the jobs, and holds what that makes of them against what was foreseen.
pub(in crate::ledger) fn load(
    ledger: &mut SqliteLedger,
    batch: BatchKey,
    retake: &Retake,
    jobs: Vec<PlannedJob>,
) -> PlanLoad {
    let (foreseen, report) = {
        let foreseen = ledger.foresee(Some(batch), retake, "", jobs.iter().cloned().map(Ok::<_, Infallible>)).unwrap();
        (to_buy(&foreseen), foreseen.report().clone())
    };
    let load = ledger.load_plan(batch, NOW, retake, jobs.into_iter().map(Ok::<_, Infallible>)).unwrap();
    let pending: Vec<_> = ledger.pending(batch, None, 1_000_000).unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(foreseen, pending, "what is foreseen is what is done");
    let told = |load: &PlanLoad| {
        let lists =
            [&load.replaced, &load.open_as_begun, &load.changed, &load.by_default, &load.unproved, &load.retaken];
        (lists.map(Clone::clone), load.unmet.clone(), load.waiting.clone())
    };
    assert_eq!(told(&report), told(&load), "what is foreseen is what is told");
    load
}

/// How often SQLite does that while this is done.
pub(in crate::ledger) fn count<T>(
    ledger: &mut SqliteLedger,
    what: TraceEventCodes,
    done: impl FnOnce(&mut SqliteLedger) -> T,
) -> (u64, T) {
    let counted = Arc::new(AtomicU64::new(0));
    let count = {
        let counted = Arc::clone(&counted);
        move |_: TraceEvent<'_>| {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    };
    ledger.conn.trace_v2(what, Some(count)).unwrap();
    let done = done(ledger);
    ledger.conn.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>).unwrap();
    (counted.load(Ordering::Relaxed), done)
}

/// The ids of what running these jobs would buy, with what is bought already under another name left out.
pub(in crate::ledger) fn foreseen(
    ledger: &SqliteLedger,
    batch: BatchKey,
    retake: &Retake,
    jobs: Vec<PlannedJob>,
) -> Vec<String> {
    let foreseen = ledger.foresee(Some(batch), retake, "", jobs.into_iter().map(Ok::<_, Infallible>)).unwrap();
    foreseen.compare(&Compared::default()).unwrap();
    to_buy(&foreseen)
}

pub(in crate::ledger) fn to_buy(foreseen: &impl Foreseen) -> Vec<String> {
    let mut ids = Vec::new();
    let all = &mut |job: ToBuy| {
        ids.push(job.id);
        Ok::<_, Infallible>(())
    };
    foreseen.to_buy(false, all).unwrap().unwrap();
    ids
}

/// Loads jobs of these ids, each with its id as its prompt.
pub(in crate::ledger) fn load_ids(ledger: &mut SqliteLedger, batch: BatchKey, ids: &[&str]) -> PlanLoad {
    let endpoint = endpoint();
    load(ledger, batch, &Retake::default(), ids.iter().map(|id| planned(&endpoint, id, id)).collect())
}

pub(in crate::ledger) fn in_memory(ids: &[&str]) -> (SqliteLedger, BatchKey) {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, ids);
    (ledger, batch)
}

pub(in crate::ledger) fn pending(ledger: &SqliteLedger, batch: BatchKey) -> Vec<PendingJob> {
    ledger.pending(batch, None, 1_000).unwrap()
}

pub(in crate::ledger) fn secret(n: u8) -> ([u8; 32], PaymentHash) {
    let bytes = [n; 32];
    (bytes, PaymentHash(Sha256::digest(bytes).into()))
}

pub(in crate::ledger) fn preimage(n: u8) -> Preimage {
    let (bytes, hash) = secret(n);
    Preimage::verify(bytes, &hash).unwrap()
}

/// An intent for the job, paid by the invoice whose secret is `n`.
pub(in crate::ledger) fn new_intent(job: &PendingJob, n: u8) -> NewIntent {
    NewIntent {
        job: job.key,
        request: Request {
            method: Method::Post,
            url: job.endpoint.url.clone(),
            body: format!("{{\"prompt\":{:?}}}", job.id).into_bytes(),
            bypass: None,
        },
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
    }
}

pub(in crate::ledger) fn intend(ledger: &mut SqliteLedger, intent: NewIntent) -> DurableIntent {
    match ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap() {
        Committed::Intent(intent) => intent,
        other => panic!("{other:?}"),
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

pub(in crate::ledger) fn answer(ledger: &mut SqliteLedger, payment: PaymentKey, status: u16) -> AnswerKey {
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(status) };
    match ledger.apply(NOW, record).unwrap() {
        Committed::Answer(key) => key,
        other => panic!("{other:?}"),
    }
}

/// Buys a pending job from intent to delivery.
pub(in crate::ledger) fn deliver(ledger: &mut SqliteLedger, job: &PendingJob, n: u8) -> PaymentKey {
    let payment = intend(ledger, new_intent(job, n)).payment();
    ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(ledger, payment, 200);
    ledger
        .apply(NOW, Record::Delivered { payment, answer, url: "https://seller.example/v/1".to_owned(), own: false })
        .unwrap();
    payment
}

pub(in crate::ledger) fn end(state: JobState, reason: Reason) -> JobEnd {
    JobEnd { state, reason, error: Some(format!("because {}", reason.as_str())) }
}

pub(in crate::ledger) fn is_contradiction<T>(outcome: &Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::Contradiction(_)))
}

/// How each job of the batch stands: id, take, state, reason.
pub(in crate::ledger) fn standing(ledger: &SqliteLedger, batch: BatchKey) -> Vec<(String, u32, JobState, Reason)> {
    let mut rows = Vec::new();
    ledger
        .latest_takes(batch, &mut |row| {
            rows.push((row.id, row.take, row.state, row.reason));
            Ok(())
        })
        .unwrap()
        .unwrap();
    rows
}

/// One more take of a job, which no word asked for.
pub(in crate::ledger) fn further_take(ledger: &SqliteLedger, job: JobKey) {
    let PersonFacts { takes, next, .. } = store::person_facts(&ledger.conn, job).unwrap();
    let latest = takes.iter().map(|take| take.take).max().unwrap();
    store::write(&ledger.conn, &Write::FurtherTake { of: job, key: next, take: latest + 1 }).unwrap();
}
