//! The shop: asks for payment with real invoices, takes credentials, and keeps its own books.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use sha2::{Digest, Sha256};
use url::Url;

use super::bank::Bank;
use super::world::{FakeClock, PRICE};
use crate::catalog::Header;
use crate::l402::{PaymentHash, Scheme};
use crate::money::Msat;
use crate::origin::{HttpFailure, Origin};
use crate::purchase::{Credential, HttpAnswer, Request};
use crate::run::Clock;
use crate::time::UnixMs;

const WAY_MS: u64 = 30;

/// What the shop does with one request, of whatever kind; then it sells.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// As it should be.
    Sell,
    /// No answer.
    Drop,
    /// There is no connection.
    Unreachable,
    /// This answer. A redeem that is answered so has not been taken.
    Say(u16, Vec<(&'static str, String)>, String),
    /// An ask: a challenge at another price. A redeem or poll: as it should be.
    Ask(Msat),
    /// An ask: the invoice of the last challenge once more.
    Repeat,
    /// A redeem: taken, and not done: poll.
    Accept,
    /// A redeem: done, and the answer is lost.
    Swallow,
    /// The answer takes so long.
    Slow(u64),
    /// A redeem: not made, and the money is given back.
    Refund,
}

pub(super) fn say(status: u16, body: &str) -> Act {
    Act::Say(status, Vec::new(), body.to_owned())
}

struct Sale {
    prompt: String,
    digest: [u8; 32],
    secret: [u8; 32],
    amount: Msat,
    token: String,
    delivered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Ask,
    Redeem,
    Poll,
}

pub(super) struct Shop {
    clock: FakeClock,
    pub(super) expiry_s: Cell<u64>,
    /// An identical request whose ask comes within so many milliseconds of a delivery gets that delivery.
    pub(super) window_ms: Cell<i64>,
    acts: RefCell<HashMap<(Kind, String), VecDeque<Act>>>,
    always: RefCell<HashMap<(Kind, String), Act>>,
    sales: RefCell<HashMap<PaymentHash, Sale>>,
    delivered_at: RefCell<HashMap<[u8; 32], UnixMs>>,
    /// What is being made of each request: the cache knows it before there is a result.
    in_work: RefCell<HashMap<[u8; 32], PaymentHash>>,
    wanted: RefCell<HashMap<String, usize>>,
    last: RefCell<Option<String>>,
    /// Every request: kind, prompt or host, when.
    pub(super) seen: RefCell<Vec<(Kind, String, UnixMs)>>,
    /// Of each of them: whether it came with the header that bypasses the cache.
    pub(super) bypassed: RefCell<Vec<bool>>,
    /// Polls stand behind the same gate.
    pub(super) gated: Cell<bool>,
    /// To which addresses nothing can go for want of a secret, after so many redeems.
    pub(super) withholds: Cell<fn(&Url, usize) -> bool>,
    /// Identical requests that got another's film.
    pub(super) cached: Cell<u32>,
    minted: Cell<u64>,
    /// What it gives back, and to what.
    pub(super) bank: Bank,
}

impl Shop {
    pub(super) fn new(clock: FakeClock) -> Self {
        Self {
            clock,
            expiry_s: Cell::new(3_600),
            window_ms: Cell::new(30_000),
            acts: RefCell::default(),
            always: RefCell::default(),
            sales: RefCell::default(),
            delivered_at: RefCell::default(),
            in_work: RefCell::default(),
            wanted: RefCell::default(),
            last: RefCell::default(),
            seen: RefCell::default(),
            bypassed: RefCell::default(),
            gated: Cell::new(false),
            withholds: Cell::new(|_, _| false),
            cached: Cell::new(0),
            minted: Cell::new(0),
            bank: Bank::new(clock),
        }
    }

    pub(super) fn script(&self, kind: Kind, prompt: &str, acts: impl IntoIterator<Item = Act>) {
        self.acts.borrow_mut().entry((kind, prompt.to_owned())).or_default().extend(acts);
    }

    /// What it does with every request of that kind, of that prompt or host, that no script covers.
    pub(super) fn always(&self, kind: Kind, prompt_or_host: &str, act: Act) {
        self.always.borrow_mut().insert((kind, prompt_or_host.to_owned()), act);
    }

    pub(super) fn mend(&self) {
        self.always.borrow_mut().clear();
        self.acts.borrow_mut().clear();
    }

    /// More than one job has that prompt.
    pub(super) fn want(&self, prompt: &str, times: usize) {
        self.wanted.borrow_mut().insert(prompt.to_owned(), times);
    }

    pub(super) fn wanted(&self, prompt: &str) -> usize {
        self.wanted.borrow().get(prompt).copied().unwrap_or(1)
    }

    pub(super) fn secret_of(&self, hash: &PaymentHash) -> [u8; 32] {
        self.sales.borrow()[hash].secret
    }

    pub(super) fn prompt_of(&self, hash: &PaymentHash) -> String {
        self.sales.borrow()[hash].prompt.clone()
    }

    pub(super) fn amount_of(&self, hash: &PaymentHash) -> Msat {
        self.sales.borrow()[hash].amount
    }

    /// Of each request of that kind and prompt, whether it came with the header that bypasses the cache.
    pub(super) fn bypasses(&self, kind: Kind, prompt: &str) -> Vec<bool> {
        let (seen, bypassed) = (self.seen.borrow(), self.bypassed.borrow());
        let of = seen.iter().zip(bypassed.iter()).filter(|((known, of, _), _)| *known == kind && of == prompt);
        of.map(|(_, bypassed)| *bypassed).collect()
    }

    pub(super) fn times(&self, kind: Kind, prompt: &str) -> Vec<UnixMs> {
        let seen = self.seen.borrow();
        seen.iter().filter(|(known, of, _)| *known == kind && of == prompt).map(|(.., at)| *at).collect()
    }

    fn next(&self, kind: Kind, prompt: &str, host: &str, bypass: bool) -> Act {
        let key = (kind, prompt.to_owned());
        self.bypassed.borrow_mut().push(bypass);
        self.seen.borrow_mut().push((kind, prompt.to_owned(), self.clock.now()));
        let scripted = self.acts.borrow_mut().get_mut(&key).and_then(VecDeque::pop_front);
        let always = self.always.borrow();
        scripted
            .or_else(|| always.get(&key).cloned())
            .or_else(|| always.get(&(kind, host.to_owned())).cloned())
            .unwrap_or(Act::Sell)
    }

    fn challenge(&self, request: &Request, prompt: &str, amount: Msat) -> HttpAnswer {
        let number = self.minted.get() + 1;
        self.minted.set(number);
        let secret: [u8; 32] = Sha256::digest(format!("secret {number}")).into();
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let invoice = self.invoice(hash, amount);
        // Every other token is opaque, so that nothing is read out of it.
        let token = if number.is_multiple_of(2) {
            format!("token{number}")
        } else {
            let identifier = [&[0, 0][..], &hash, &[1; 32]].concat();
            crate::l402::mint::mint(b"key", &identifier, &[], "")
        };
        let challenge = format!("L402 macaroon=\"{token}\", invoice=\"{invoice}\"");
        let sale =
            Sale { prompt: prompt.to_owned(), digest: request.digest(), secret, amount, token, delivered: false };
        self.sales.borrow_mut().insert(PaymentHash(hash), sale);
        self.last.replace(Some(challenge.clone()));
        answer(402, &[("www-authenticate", challenge)], "{}")
    }

    fn invoice(&self, hash: [u8; 32], amount: Msat) -> String {
        let secp = Secp256k1::signing_only();
        let key = SecretKey::from_slice(&[41; 32]).unwrap();
        let now_ms = u64::try_from(self.clock.now().0).unwrap();
        InvoiceBuilder::new(Currency::Regtest)
            .description("a film".to_owned())
            .payment_hash(sha256::Hash::from_byte_array(hash))
            .payment_secret(PaymentSecret([42; 32]))
            .duration_since_epoch(Duration::from_secs(now_ms / 1_000))
            .expiry_time(Duration::from_secs(self.expiry_s.get()))
            .min_final_cltv_expiry_delta(18)
            .amount_milli_satoshis(amount.get())
            .build_signed(|digest| secp.sign_ecdsa_recoverable(digest, &key))
            .unwrap()
            .to_string()
    }

    /// The sale of that credential; the request must be the one that was asked with, to the byte.
    fn take(&self, request: &Request, credential: &Credential) -> PaymentHash {
        let hash = PaymentHash(Sha256::digest(credential.preimage.reveal()).into());
        let sales = self.sales.borrow();
        let sale = &sales[&hash];
        assert_eq!(sale.token, credential.token.reveal(), "the token comes back byte for byte");
        let sent = Request::new(request.method, request.url.clone(), request.body().bytes().unwrap().into_owned());
        let sent = sent.heading(request.headers());
        assert_eq!(sale.digest, sent.digest(), "the request is the one that was asked with");
        hash
    }

    /// To be polled.
    fn accept(&self, request: &Request, hash: &PaymentHash) -> HttpAnswer {
        self.in_work.borrow_mut().insert(request.digest(), *hash);
        accepted(hash)
    }

    /// What another paid for with the same request, and is being made. That request joins it, unless it bypasses the cache.
    fn joins(&self, request: &Request, hash: &PaymentHash) -> Option<HttpAnswer> {
        let made = self.in_work.borrow().get(&request.digest()).copied();
        let made = made.filter(|made| request.bypass.is_none() && made != hash)?;
        self.cached.set(self.cached.get() + 1);
        Some(accepted(&made))
    }

    fn hand_over(&self, hash: &PaymentHash, bypass: bool) -> HttpAnswer {
        let mut sales = self.sales.borrow_mut();
        let sale = sales.get_mut(hash).unwrap();
        let now = self.clock.now();
        let identical = self.delivered_at.borrow_mut().insert(sale.digest, now);
        if !bypass && !sale.delivered && identical.is_some_and(|at| now.since_ms(at) < self.window_ms.get()) {
            self.cached.set(self.cached.get() + 1);
        }
        sale.delivered = true;
        self.in_work.borrow_mut().retain(|_, made| made != hash);
        answer(200, &[], &format!("{{\"videoUrl\":\"https://cdn.example/{}.mp4\"}}", hash.hex()))
    }
}

fn answer(status: u16, headers: &[(&str, String)], body: &str) -> HttpAnswer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    HttpAnswer { status, headers, body: body.as_bytes().to_vec() }
}

fn accepted(hash: &PaymentHash) -> HttpAnswer {
    answer(202, &[], &format!("{{\"status\":\"processing\",\"poll_url\":\"/poll?h={}\"}}", hash.hex()))
}

/// As the service offers one, its link written out.
fn refund(request: &Request, hash: &PaymentHash) -> HttpAnswer {
    let link = request.url.join(&format!("/link?h={}", hash.hex())).unwrap();
    let body = format!(
        r#"{{"error":"the model failed","error_code":"L402_REFUND_ISSUED",
           "refund":{{"charge_id":"c","refund_amount":500,"lnurl_withdraw":"{link}","status":"pending"}}}}"#
    );
    answer(502, &[], &body)
}

fn prompt_in(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_slice(&request.body().bytes().unwrap()).unwrap();
    body["prompt"].as_str().unwrap().to_owned()
}

fn unreachable_host() -> HttpFailure {
    HttpFailure::NotSent("connection refused".to_owned())
}

fn lost() -> HttpFailure {
    HttpFailure::NoAnswer("connection reset".to_owned())
}

impl Origin for Shop {
    async fn ask(&self, request: &Request, _scheme: Scheme) -> Result<HttpAnswer, HttpFailure> {
        self.clock.sleep_ms(WAY_MS).await;
        let prompt = prompt_in(request);
        let identical = self.delivered_at.borrow().get(&request.digest()).copied();
        if request.bypass.is_none() && identical.is_some_and(|at| self.clock.now().since_ms(at) < self.window_ms.get())
        {
            self.cached.set(self.cached.get() + 1);
        }
        match self.next(Kind::Ask, &prompt, request.url.host_str().unwrap(), request.bypass.is_some()) {
            Act::Sell | Act::Accept | Act::Swallow | Act::Refund => Ok(self.challenge(request, &prompt, PRICE)),
            Act::Drop => Err(lost()),
            Act::Unreachable => Err(unreachable_host()),
            Act::Say(status, headers, body) => Ok(answer(status, &headers, &body)),
            Act::Ask(price) => Ok(self.challenge(request, &prompt, price)),
            Act::Repeat => Ok(answer(402, &[("www-authenticate", self.last.borrow().clone().unwrap())], "{}")),
            Act::Slow(ms) => {
                self.clock.sleep_ms(ms).await;
                Ok(self.challenge(request, &prompt, PRICE))
            }
        }
    }

    async fn redeem(&self, request: &Request, credential: &Credential) -> Result<HttpAnswer, HttpFailure> {
        self.clock.sleep_ms(WAY_MS).await;
        let hash = self.take(request, credential);
        let prompt = prompt_in(request);
        match self.next(Kind::Redeem, &prompt, request.url.host_str().unwrap(), request.bypass.is_some()) {
            Act::Sell | Act::Ask(_) | Act::Repeat => {
                let sold = || self.hand_over(&hash, request.bypass.is_some());
                Ok(self.joins(request, &hash).unwrap_or_else(sold))
            }
            Act::Drop => Err(lost()),
            Act::Unreachable => Err(unreachable_host()),
            Act::Say(status, headers, body) => Ok(answer(status, &headers, &body)),
            Act::Refund => Ok(refund(request, &hash)),
            Act::Accept => Ok(self.joins(request, &hash).unwrap_or_else(|| self.accept(request, &hash))),
            Act::Swallow => {
                self.hand_over(&hash, request.bypass.is_some());
                Err(lost())
            }
            Act::Slow(ms) => {
                self.clock.sleep_ms(ms).await;
                Ok(self.hand_over(&hash, request.bypass.is_some()))
            }
        }
    }

    async fn poll(
        &self,
        url: &Url,
        _headers: &[Header],
        credential: Option<&Credential>,
    ) -> Result<HttpAnswer, HttpFailure> {
        self.clock.sleep_ms(WAY_MS).await;
        let hash = url.query_pairs().find(|(name, _)| name == "h").unwrap().1.into_owned();
        let hash = PaymentHash::from_hex(&hash).unwrap();
        if let Some(credential) = credential {
            let shown = PaymentHash(Sha256::digest(credential.preimage.reveal()).into());
            assert_eq!(shown, hash, "a poll shows the credential of its own purchase");
        } else if self.gated.get() {
            return Ok(answer(402, &[], "{}"));
        }
        match self.next(Kind::Poll, &self.prompt_of(&hash), url.host_str().unwrap(), false) {
            Act::Sell | Act::Ask(_) | Act::Repeat | Act::Refund => Ok(self.hand_over(&hash, true)),
            Act::Drop | Act::Swallow => Err(lost()),
            Act::Unreachable => Err(unreachable_host()),
            Act::Say(status, headers, body) => Ok(answer(status, &headers, &body)),
            Act::Accept => Ok(answer(200, &[], "{\"status\":\"processing\"}")),
            Act::Slow(ms) => {
                self.clock.sleep_ms(ms).await;
                Ok(self.hand_over(&hash, true))
            }
        }
    }

    async fn withheld(&self, headers: &[Header], at: &Url) -> Option<String> {
        let redeems = self.seen.borrow().iter().filter(|(kind, ..)| *kind == Kind::Redeem).count();
        let withholds = self.withholds.get();
        (!headers.is_empty() && withholds(at, redeems))
            .then(|| "the secret SHOP cannot be had: it is locked".to_owned())
    }

    async fn withdraw(&self, url: &Url, _seller: &Url) -> Result<HttpAnswer, HttpFailure> {
        self.clock.sleep_ms(WAY_MS).await;
        let sale = url.query_pairs().find(|(name, _)| name == "h").unwrap().1.into_owned();
        let sale = PaymentHash::from_hex(&sale).unwrap();
        self.bank.answer(url, sale, &self.prompt_of(&sale), self.amount_of(&sale))
    }
}
