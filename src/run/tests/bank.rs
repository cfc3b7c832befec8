//! Refunds in the scripted world: what the shop gives back, and the invoices of the node that it is given back to. Both
//! sides keep their own books, and what the node has received is believed alone.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use sha2::{Digest, Sha256};
use url::Url;

use super::world::FakeClock;
use crate::l402::{Invoice, PaymentHash};
use crate::money::Msat;
use crate::origin::HttpFailure;
use crate::payer::{InvoiceOrder, InvoiceState, MadeInvoice, NodeProblem, ProblemKind};
use crate::purchase::HttpAnswer;
use crate::run::Clock;
use crate::time::UnixMs;

const PAY_MS: i64 = 300;

/// What the shop does with one request about a refund; then it pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// As it should be.
    Pay,
    /// The link offers so many msat less.
    Less(u64),
    /// The link offers so many msat more.
    More(u64),
    /// ERROR, and nothing is done.
    Refuse,
    /// Nothing is done, and nothing answered.
    Drop,
    /// It answers 503: it is busy, and may be asked again.
    Busy,
    /// 429, and an hour to wait.
    Away,
    /// The callback pays, and does not answer.
    PayUnheard,
    /// The callback says ERROR, and pays.
    PayAndDeny,
    /// The callback says OK, and never pays.
    Never,
    /// The callback says OK, and pays after so many milliseconds.
    Later(i64),
    /// The callback tries to pay twice.
    Twice,
}

/// An invoice of the node's own.
struct Made {
    amount: Msat,
    expires_at: UnixMs,
    received: Option<Msat>,
}

pub(super) struct Bank {
    clock: FakeClock,
    links: RefCell<HashMap<String, VecDeque<Back>>>,
    claims: RefCell<HashMap<String, VecDeque<Back>>>,
    made: RefCell<BTreeMap<PaymentHash, Made>>,
    due: RefCell<Vec<(UnixMs, PaymentHash, Msat)>>,
    /// Invoices that were handed over, by the sale that they are for.
    handed: RefCell<BTreeMap<PaymentHash, BTreeSet<PaymentHash>>>,
    paid: RefCell<BTreeSet<PaymentHash>>,
    /// The macaroon lets the node make and look up invoices.
    pub(super) permitted: Cell<bool>,
    /// So many invoices are made, and the answer is lost.
    pub(super) unheard: Cell<u32>,
    /// The node has still to cancel what has expired.
    pub(super) idle: Cell<bool>,
    /// The node says another hash than its invoice's.
    pub(super) crooked: Cell<bool>,
    /// The node does not know its invoices: restored, or its database is not the one.
    pub(super) forgetful: Cell<bool>,
    pub(super) asked: Cell<u32>,
}

impl Bank {
    pub(super) fn new(clock: FakeClock) -> Self {
        Self {
            clock,
            links: RefCell::default(),
            claims: RefCell::default(),
            made: RefCell::default(),
            due: RefCell::default(),
            handed: RefCell::default(),
            paid: RefCell::default(),
            permitted: Cell::new(true),
            unheard: Cell::new(0),
            forgetful: Cell::new(false),
            crooked: Cell::new(false),
            idle: Cell::new(false),
            asked: Cell::new(0),
        }
    }

    pub(super) fn script_link(&self, prompt: &str, acts: impl IntoIterator<Item = Back>) {
        self.links.borrow_mut().entry(prompt.to_owned()).or_default().extend(acts);
    }

    pub(super) fn script_claim(&self, prompt: &str, acts: impl IntoIterator<Item = Back>) {
        self.claims.borrow_mut().entry(prompt.to_owned()).or_default().extend(acts);
    }

    /// What the node has received in all.
    pub(super) fn received(&self) -> Msat {
        self.settle();
        Msat::checked_sum(self.made.borrow().values().filter_map(|made| made.received)).unwrap()
    }

    /// Invoices that the node made.
    pub(super) fn made(&self) -> usize {
        self.made.borrow().len()
    }

    /// How many different invoices were handed over for each sale.
    pub(super) fn handed_over(&self) -> Vec<usize> {
        self.handed.borrow().values().map(BTreeSet::len).collect()
    }

    /// No refund was claimed with two invoices, and none was paid twice.
    pub(super) fn audit(&self) {
        self.settle();
        for (sale, invoices) in self.handed.borrow().iter() {
            assert!(invoices.len() <= 1, "{} invoices were handed over for the refund of {sale}", invoices.len());
        }
    }

    /// A node takes money for an invoice once, and while it is open.
    fn settle(&self) {
        let now = self.clock.now();
        let due: Vec<_> = self.due.borrow_mut().extract_if(.., |(at, ..)| *at <= now).collect();
        for (at, hash, amount) in due {
            let mut made = self.made.borrow_mut();
            let invoice = made.get_mut(&hash).unwrap();
            if invoice.received.is_none() && at <= invoice.expires_at {
                invoice.received = Some(amount);
            }
        }
    }

    pub(super) fn add_invoice(&self, order: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
        if !self.permitted.get() {
            return Err(ProblemKind::Denied("the macaroon: permission denied".to_owned()).into());
        }
        let number = self.made.borrow().len();
        let secret: [u8; 32] = Sha256::digest(format!("own {number}")).into();
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let (now, expiry_s) = (self.clock.now(), order.expiry_s);
        let secp = Secp256k1::signing_only();
        let key = SecretKey::from_slice(&[43; 32]).unwrap();
        let invoice = InvoiceBuilder::new(Currency::Regtest)
            .description(order.memo.clone())
            .payment_hash(sha256::Hash::from_byte_array(hash))
            .payment_secret(PaymentSecret([44; 32]))
            .duration_since_epoch(Duration::from_secs(u64::try_from(now.0).unwrap() / 1_000))
            .expiry_time(Duration::from_secs(expiry_s))
            .min_final_cltv_expiry_delta(18)
            .amount_milli_satoshis(order.amount.get())
            .build_signed(|digest| secp.sign_ecdsa_recoverable(digest, &key))
            .unwrap()
            .to_string();
        let expires_at = now.plus_ms(i64::try_from(expiry_s).unwrap() * 1_000);
        let hash = PaymentHash(hash);
        self.made.borrow_mut().insert(hash, Made { amount: order.amount, expires_at, received: None });
        if self.unheard.get() > 0 {
            self.unheard.set(self.unheard.get() - 1);
            return Err(ProblemKind::Unreachable("connection reset".to_owned()).into());
        }
        let hash = if self.crooked.get() { PaymentHash([9; 32]) } else { hash };
        Ok(MadeInvoice { hash, invoice })
    }

    pub(super) fn invoice(&self, hash: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
        if !self.permitted.get() {
            return Err(ProblemKind::Denied("the macaroon: permission denied".to_owned()).into());
        }
        self.settle();
        let made = self.made.borrow();
        let Some(invoice) = made.get(hash).filter(|_| !self.forgetful.get()) else { return Ok(InvoiceState::Unknown) };
        Ok(match invoice.received {
            Some(received) => InvoiceState::Settled { received },
            None if self.clock.now() > invoice.expires_at && !self.idle.get() => InvoiceState::Canceled,
            None => InvoiceState::Open,
        })
    }

    /// A request about the refund of that sale, for which so much was paid.
    pub(super) fn answer(
        &self,
        url: &Url,
        sale: PaymentHash,
        prompt: &str,
        amount: Msat,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.asked.set(self.asked.get() + 1);
        let next = |scripts: &RefCell<HashMap<String, VecDeque<Back>>>| {
            scripts.borrow_mut().get_mut(prompt).and_then(VecDeque::pop_front).unwrap_or(Back::Pay)
        };
        if url.path() == "/link" {
            return self.link(url, sale, amount, next(&self.links));
        }
        assert_eq!(url.path(), "/claim");
        self.claim(url, sale, next(&self.claims))
    }

    fn link(&self, url: &Url, sale: PaymentHash, amount: Msat, act: Back) -> Result<HttpAnswer, HttpFailure> {
        let (less, more) = match act {
            Back::Drop => return Err(lost()),
            Back::Busy => return Ok(say(503, "{}")),
            Back::Away => return Ok(away()),
            Back::Refuse => return Ok(no("it has expired")),
            Back::Less(less) => (less, 0),
            Back::More(more) => (0, more),
            _ => (0, 0),
        };
        if self.paid.borrow().contains(&sale) {
            return Ok(no("it was withdrawn already"));
        }
        let most = amount.get() - less + more;
        let callback = url.join(&format!("/claim?h={}", sale.hex())).unwrap();
        let body = format!(
            r#"{{"tag":"withdrawRequest","callback":"{callback}","k1":"k{}","defaultDescription":"back",
               "minWithdrawable":1000,"maxWithdrawable":{most}}}"#,
            sale.hex()
        );
        Ok(say(200, &body))
    }

    fn claim(&self, url: &Url, sale: PaymentHash, act: Back) -> Result<HttpAnswer, HttpFailure> {
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(query["k1"], format!("k{}", sale.hex()));
        let invoice = Invoice::read(&query["pr"]).unwrap();
        assert_eq!(self.made.borrow()[&invoice.hash].amount, invoice.amount, "an invoice of our own node's");
        self.handed.borrow_mut().entry(sale).or_default().insert(invoice.hash);
        let pay = |after_ms: i64| {
            self.paid.borrow_mut().insert(sale);
            self.due.borrow_mut().push((self.clock.now().plus_ms(after_ms), invoice.hash, invoice.amount));
        };
        match act {
            Back::Drop => Err(lost()),
            Back::Busy => Ok(say(503, "{}")),
            Back::Away => Ok(away()),
            Back::Refuse => Ok(no("not now")),
            Back::Never => {
                self.paid.borrow_mut().insert(sale);
                Ok(say(200, r#"{"status":"OK"}"#))
            }
            Back::PayUnheard => {
                pay(PAY_MS);
                Err(lost())
            }
            Back::PayAndDeny => {
                pay(PAY_MS);
                Ok(no("something went wrong"))
            }
            Back::Later(ms) => {
                pay(ms);
                Ok(say(200, r#"{"status":"OK"}"#))
            }
            Back::Twice => {
                pay(PAY_MS);
                pay(PAY_MS);
                Ok(say(200, r#"{"status":"OK"}"#))
            }
            Back::Pay | Back::Less(_) | Back::More(_) => {
                pay(PAY_MS);
                Ok(say(200, r#"{"status":"OK"}"#))
            }
        }
    }
}

fn say(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn away() -> HttpAnswer {
    HttpAnswer { headers: vec![("retry-after".to_owned(), "3600".to_owned())], ..say(429, "{}") }
}

fn no(reason: &str) -> HttpAnswer {
    say(200, &format!(r#"{{"status":"ERROR","reason":"{reason}"}}"#))
}

fn lost() -> HttpFailure {
    HttpFailure::NoAnswer("connection reset".to_owned())
}
