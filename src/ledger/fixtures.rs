//! Made-up intents and purchases for tests of other rooms: outside tests only a ledger makes them.

use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, Value};
use crate::l402::{Invoice, PaymentHash, Preimage, Scheme, Token};
use crate::money::Msat;
use crate::purchase::{Credential, JobState, Next, Poll, Reason, WalletId};
use crate::time::UnixMs;

use super::record::SincePaid;
use super::{AnswerKey, DeliveredJob, DurableIntent, JobKey, PaidPurchase, PaymentKey, ResultRow, ReusableToken};

/// When the fixtures' invoice expires.
pub const INVOICE_EXPIRES_AT: UnixMs = UnixMs(1_000_000_000);
/// When the fixtures' credential ends.
pub const CREDENTIAL_EXPIRES_AT: UnixMs = UnixMs(1_000_100_000);

/// The preimage that belongs to the fixtures' hash.
#[must_use]
pub fn preimage() -> Preimage {
    Preimage::verify([7; 32], &hash()).unwrap()
}

/// The fixtures' payment hash.
#[must_use]
pub fn hash() -> PaymentHash {
    PaymentHash(Sha256::digest([7; 32]).into())
}

/// An intent with so many POSTs begun and answered.
#[must_use]
pub fn intent(sends_begun: u32, sends_answered: u32) -> DurableIntent {
    DurableIntent {
        payment: PaymentKey(1),
        job: JobKey(1),
        hash: hash(),
        invoice: "lnbcrt1".to_owned(),
        headers: Vec::new(),
        amount: Msat::new(500_000),
        fee_limit: Msat::new(10_000),
        cltv_limit: Some(1_008),
        node: WalletId("02aa".to_owned()),
        invoice_expires_at: INVOICE_EXPIRES_AT,
        credential_expires_at: CREDENTIAL_EXPIRES_AT,
        sends_begun,
        sends_answered,
        accepted: false,
    }
}

/// The intent of that invoice, at a node of that name.
///
/// # Panics
/// Where the invoice cannot be read.
#[must_use]
pub fn intent_of(invoice: &str, fee_limit: Msat, node: &WalletId) -> DurableIntent {
    let read = Invoice::read(invoice).unwrap();
    DurableIntent {
        hash: read.hash,
        invoice: invoice.to_owned(),
        amount: read.amount,
        fee_limit,
        node: node.clone(),
        invoice_expires_at: read.expires_at,
        credential_expires_at: read.expires_at,
        ..intent(1, 0)
    }
}

/// The intent of a hash whose invoice nobody reads: the hash itself, in hex.
#[must_use]
pub fn intent_of_hash(hash: PaymentHash, fee_limit: Msat) -> DurableIntent {
    DurableIntent { hash, invoice: hash.hex(), fee_limit, ..intent(1, 0) }
}

/// The same, and the node has said once that it knows it.
#[must_use]
pub fn known_intent(sends_begun: u32, sends_answered: u32) -> DurableIntent {
    DurableIntent { accepted: true, ..intent(sends_begun, sends_answered) }
}

/// The token of a purchase that serves other jobs.
#[must_use]
pub fn reusable_token() -> Box<ReusableToken> {
    Box::new(ReusableToken::of(&purchase(true, 1)))
}

/// A paid purchase.
#[must_use]
pub fn purchase(posted: bool, redeems: u32) -> PaidPurchase {
    let credential = Credential { scheme: Scheme::L402, token: Token::new("token".to_owned()), preimage: preimage() };
    PaidPurchase {
        intent: intent(1, 1),
        credential,
        posted,
        redeems,
        since: Box::new(SincePaid {
            paid_at: INVOICE_EXPIRES_AT.plus_ms(-500_000),
            heard: None,
            retried_at: None,
            replayed_at: None,
            poll: None,
            stood: (Reason::None, None),
        }),
    }
}

/// One whose credential is of that scheme.
#[must_use]
pub fn purchase_by(scheme: Scheme) -> PaidPurchase {
    let mut purchase = purchase(true, 0);
    purchase.credential.scheme = scheme;
    purchase
}

/// The first success of [`heard_purchase`].
pub const FIRST_ANSWER: AnswerKey = AnswerKey(7);

/// The same, after a first success: one with an address to poll, or without.
#[must_use]
pub fn heard_purchase(posted: bool, poll: Option<Poll>, replayed: bool) -> PaidPurchase {
    let at = INVOICE_EXPIRES_AT.plus_ms(-450_000);
    let mut purchase = purchase(posted, 1);
    *purchase.since = SincePaid {
        heard: Some((at, FIRST_ANSWER)),
        replayed_at: replayed.then_some(at),
        poll,
        stood: (Reason::OriginFailed, Some("the first word".to_owned())),
        ..*purchase.since
    };
    purchase
}

/// The same, with a person's word to ask again.
#[must_use]
pub fn retried_purchase(mut purchase: PaidPurchase) -> PaidPurchase {
    purchase.since.retried_at = Some(INVOICE_EXPIRES_AT.plus_ms(-440_000));
    purchase
}

/// A delivered job of that id.
#[must_use]
pub fn delivered_job(id: &str) -> DeliveredJob {
    DeliveredJob {
        key: JobKey(1),
        seq: 0,
        id: id.to_owned(),
        take: 1,
        endpoint: Catalog::builtin().unwrap().get("generate-video").unwrap().clone(),
        params: vec![("prompt".to_owned(), Value::Text("a kite".to_owned()))],
        extra: vec![("x_scene".to_owned(), "harbour: night".to_owned())],
        price: Msat::new(550_000),
        amount: None,
        fee: None,
        reason: Reason::None,
        started_at: Some(UnixMs(1_790_000_000_000)),
        url: "https://api.example/videos/kite.mp4".to_owned(),
        more: Vec::new(),
        mark: None,
        is_taken: false,
    }
}

/// A job of which nothing was bought yet.
#[must_use]
pub fn result_row() -> ResultRow {
    ResultRow {
        id: "a".to_owned(),
        line: 2,
        take: 1,
        state: JobState::Pending,
        reason: Reason::None,
        next: Next::Rerun,
        endpoint: "generate-video".to_owned(),
        params: Vec::new(),
        price: Msat::ZERO,
        is_capped: false,
        fee: None,
        url: None,
        file: None,
        sha256: None,
        more: Vec::new(),
        attempts: 0,
        started_at: None,
        finished_at: None,
        wait_until: None,
        error: None,
        extra: Vec::new(),
    }
}
