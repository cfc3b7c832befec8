//! The simulated origin: what it hands out, what it was paid for, and how it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use l402_batch::l402::{Challenge, PaymentHash};
use l402_batch::money::Msat;
use l402_batch::purchase::{HttpAnswer, Request};
use l402_batch::time::UnixMs;
use sha2::{Digest, Sha256};
use url::Url;

use super::coverage::Sight;
use super::faults::Fault;
use super::mint::{self, Form, Order};
use super::node::short;
use super::world::World;

/// Identical requests within this long may be answered from the cache, in milliseconds: what the endpoints' entries say.
pub const CACHE_MS: i64 = 30_000;
/// An invoice lives so long, in seconds; a credential lives as long.
const EXPIRY_S: u64 = 600;
const DAY_MS: i64 = 86_400_000;

/// What nobody understands.
pub const STRANGE: &str = "wonder";
/// For so long after a delivery purchases that are under way do not count against an endpoint, in milliseconds: the hour of the rule, and
/// half of one in which the answer that delivered may have been on its way.
const ON_ITS_WAY_MS: i64 = 5_400_000;

/// How the origin will treat a purchase once it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    Good,
    /// 402 for so many milliseconds after the payment.
    Late(i64),
    /// 402 until so many milliseconds after the challenge: shorter than the patience of rule 7.
    VeryLate(i64),
    Ever402,
    Ever401,
    /// Errors of its own, until the faults stop.
    NeverWell,
    /// Success in a shape that nobody knows; for ever, or until the faults stop.
    Unknown(bool),
    /// Accepted and never done, until the faults stop.
    NeverDone,
    /// The poll address leads nowhere, so many times.
    Gone(u32),
    /// Accepted, then failed.
    Fails,
    Refund,
}

/// One challenge that was handed out.
#[derive(Clone, Debug)]
struct Sale {
    number: u64,
    preimage: [u8; 32],
    token: String,
    invoice: String,
    /// The challenge, as its header has it.
    line: String,
    /// It is a charge of the `Payment` scheme, which is consumed once; by its first redeem in vain; and whether it is.
    charges: bool,
    in_vain: bool,
    consumed: bool,
    /// Where it was asked for, without the query.
    endpoint: String,
    /// The requests for which it was handed out.
    requests: Vec<[u8; 32]>,
    amount: Msat,
    asked_at: i64,
    expires_at: UnixMs,
    paid_at: Option<i64>,
    temper: Temper,
    /// Its credential is rejected after its life.
    ends: bool,
    accepts: bool,
    /// Its poll address stands behind the gate.
    gated: bool,
    /// It is redeemed once; and when a redeem was first answered with success.
    burns: bool,
    answered_at: Option<i64>,
    /// When a poll was last answered with something that is no last word.
    stumbled_at: Option<i64>,
    gone: u32,
    polls: u32,
    delivered_at: Option<i64>,
    /// When a person took an answer of it for the result.
    taken_at: Option<i64>,
    sharing: Sharing,
}

/// What a token does for other requests than its own.
#[derive(Clone, Copy, Debug, Default)]
struct Sharing {
    /// It is good for them.
    is_good: bool,
    /// So many it has served.
    uses: u64,
    /// It was refused to one.
    refused: bool,
    /// The ledger knows of its own delivery.
    heard: bool,
}

/// What a node needs to know of an invoice.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    pub amount: Msat,
    pub preimage: [u8; 32],
    pub expires_at: UnixMs,
}

pub struct Shop {
    seed: u64,
    sales: BTreeMap<PaymentHash, Sale>,
    by_token: BTreeMap<String, PaymentHash>,
    by_number: Vec<PaymentHash>,
    /// What plans say of each request.
    prices: BTreeMap<[u8; 32], Price>,
    /// Purchases of tokens that serve several jobs, as their intents became durable, by endpoint.
    tokens: BTreeMap<String, Vec<PaymentHash>>,
    /// Results that a token has brought to another job than its own, by their paths.
    served: BTreeSet<String>,
}

/// What a plan says of a request.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    pub most: Msat,
    /// The invoice decides within it.
    pub is_cap: bool,
    /// A purchase of it is given again to whoever redeems again.
    pub replays: bool,
    /// What it brings is good for further requests.
    pub reuses: bool,
}

impl Shop {
    pub fn new(seed: u64) -> Self {
        let (sales, by_token, prices) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (tokens, served) = (BTreeMap::new(), BTreeSet::new());
        Self { seed, sales, by_token, by_number: Vec::new(), prices, tokens, served }
    }

    /// What a request costs.
    pub fn prices(&mut self, request: [u8; 32], price: Price) {
        self.prices.insert(request, price);
    }

    /// Whether the origin says of that purchase that it gives it again to whoever redeems again: of any request for which its invoice was
    /// handed out.
    pub fn replays(&self, hash: &PaymentHash) -> bool {
        self.planned(hash).iter().any(|price| price.replays)
    }

    /// Whether that request may be served by the token of another one.
    pub fn reuses(&self, request: &[u8; 32]) -> bool {
        self.prices.get(request).is_some_and(|price| price.reuses)
    }

    /// Whether that purchase's token serves several requests.
    pub fn is_token(&self, hash: &PaymentHash) -> bool {
        self.sales.get(hash).is_some_and(|sale| sale.sharing.is_good)
    }

    /// A token is bought: the purchases of tokens there before it, in their order.
    pub fn buys_token(&mut self, endpoint: &str, hash: PaymentHash) -> Vec<PaymentHash> {
        let tokens = self.tokens.entry(endpoint.to_owned()).or_default();
        let before = tokens.clone();
        tokens.push(hash);
        before
    }

    /// The ledger knows that this purchase is delivered.
    pub fn heard_delivered(&mut self, hash: &PaymentHash) {
        if let Some(sale) = self.sales.get_mut(hash) {
            sale.sharing.heard = true;
        }
    }

    /// Whether a token is delivered for all that anybody knows, and was never refused to whoever showed it.
    pub fn is_in_use(&self, hash: &PaymentHash) -> bool {
        self.sales
            .get(hash)
            .is_some_and(|sale| (sale.sharing.heard || sale.taken_at.is_some()) && !sale.sharing.refused)
    }

    /// Whether a token has brought that result to another job than its own.
    pub fn has_served(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.served.contains(url.path()))
    }

    /// What plans say that this purchase costs: an invoice may be handed out for several requests.
    pub fn planned(&self, hash: &PaymentHash) -> Vec<Price> {
        self.requests_of(hash).iter().filter_map(|request| self.prices.get(request)).copied().collect()
    }

    pub fn bill(&self, hash: &PaymentHash) -> Option<Bill> {
        let sale = self.sales.get(hash)?;
        Some(Bill { amount: sale.amount, preimage: sale.preimage, expires_at: sale.expires_at })
    }

    /// The requests for which an invoice was handed out.
    pub fn requests_of(&self, hash: &PaymentHash) -> &[[u8; 32]] {
        self.sales.get(hash).map_or(&[], |sale| &sale.requests)
    }

    pub fn is_paid(&mut self, hash: &PaymentHash, now: i64) {
        if let Some(sale) = self.sales.get_mut(hash) {
            sale.paid_at.get_or_insert(now);
        }
    }

    /// Whether a paid purchase may end without a result: by the origin's own doing.
    pub fn may_be_lost(&self, hash: &PaymentHash) -> bool {
        let Some(sale) = self.sales.get(hash) else { return false };
        // Patience with an origin ends a day after its first word of success.
        let stumbles = sale.stumbled_at.zip(sale.answered_at).is_some_and(|(at, first)| at - first > DAY_MS);
        let burned = sale.burns && sale.answered_at.is_some();
        let good = matches!(sale.temper, Temper::Good | Temper::Late(_) | Temper::VeryLate(_) | Temper::Gone(_));
        sale.ends || burned || stumbles || sale.consumed || !good
    }

    /// What was paid for a sale that is given back; nothing for any other.
    pub fn refundable(&self, hash: &PaymentHash) -> Option<Msat> {
        let sale = self.sales.get(hash)?;
        (sale.paid_at.is_some() && sale.temper == Temper::Refund).then_some(sale.amount)
    }

    /// Payments that an endpoint had taken by that time, and has delivered none of them nor anything since. What was asked for
    /// while its last delivery may have been on its way does not count; nor what a person takes for never paid.
    pub fn undelivered_by(&self, endpoint: &str, by: i64, is_excused: impl Fn(&PaymentHash) -> bool) -> usize {
        // Whose purchase an invoice pays that was sold for several requests, nobody can tell.
        let is_its = |sale: &Sale| sale.endpoint == endpoint && sale.requests.len() == 1;
        let of_it = || self.sales.iter().filter(|(_, sale)| is_its(sale));
        let delivered = of_it().filter_map(|(_, sale)| sale.delivered_at.max(sale.taken_at)).max();
        let after = delivered.map_or(i64::MIN, |at| at + ON_ITS_WAY_MS);
        let is_taken = |sale: &Sale| sale.asked_at > after && sale.paid_at.is_some_and(|at| at <= by);
        let open = of_it().filter(|(_, sale)| sale.delivered_at.is_none() && is_taken(sale));
        open.filter(|(hash, _)| !is_excused(hash)).count()
    }

    /// A person took an answer of that purchase for its result.
    pub fn taken_as_delivered(&mut self, hash: &PaymentHash, now: i64) {
        if let Some(sale) = self.sales.get_mut(hash) {
            sale.taken_at = Some(now);
        }
    }

    /// Whether what was paid for is delivered to whoever asks for it now that nothing goes wrong any more.
    pub fn delivers_at_last(&self, hash: &PaymentHash) -> bool {
        let Some(sale) = self.sales.get(hash).filter(|sale| sale.paid_at.is_some()) else { return false };
        let burned = sale.burns && sale.answered_at.is_some();
        let refuses = match sale.temper {
            Temper::Ever402 | Temper::Ever401 | Temper::Unknown(true) | Temper::Fails | Temper::Refund => true,
            Temper::Good
            | Temper::Late(_)
            | Temper::VeryLate(_)
            | Temper::NeverWell
            | Temper::Unknown(false)
            | Temper::NeverDone
            | Temper::Gone(_) => false,
        };
        !sale.ends && !burned && !sale.in_vain && !refuses
    }

    /// Whose token that is.
    pub fn sold_by(&self, token: &str) -> Option<PaymentHash> {
        self.by_token.get(token).copied()
    }

    /// Whether an answer holds another purchase's result.
    pub fn is_of_another(&self, hash: &PaymentHash, answer: &HttpAnswer) -> bool {
        let body = String::from_utf8_lossy(&answer.body);
        let own = self.sales.get(hash).map(|sale| [".mp4", "-"].map(|end| format!("/v/{}{end}", sale.number)));
        body.contains("/v/") && !own.is_some_and(|own| own.iter().any(|own| body.contains(own)))
    }

    pub fn invoice_of(&self, hash: &PaymentHash) -> Option<&str> {
        self.sales.get(hash).map(|sale| sale.invoice.as_str())
    }

    fn latest_identical(&self, request: &[u8; 32], now: i64) -> Option<PaymentHash> {
        let recent = |sale: &Sale| now - sale.delivered_at.unwrap_or(sale.asked_at) <= CACHE_MS;
        self.by_number
            .iter()
            .rev()
            .find(|hash| self.sales.get(hash).is_some_and(|sale| sale.requests.contains(request) && recent(sale)))
            .copied()
    }
}

/// An endpoint's address, without the query.
pub fn endpoint_of(url: &Url) -> String {
    url.as_str().split('?').next().unwrap_or_default().to_owned()
}

fn json(status: u16, body: String) -> HttpAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    HttpAnswer { status, headers, body: body.into_bytes() }
}

fn error(status: u16, words: &str) -> HttpAnswer {
    json(status, format!("{{\"error\":\"{words}\"}}"))
}

fn rate_limited(world: &World) -> HttpAnswer {
    let mut answer = error(429, "too many requests");
    let seconds = world.spread_ms(1, 7_200);
    world.saw_if(seconds >= 3_600, Sight::LongRetryAfter);
    answer.headers.push(("retry-after".to_owned(), seconds.to_string()));
    answer
}

/// An answer that has nothing to do with what was asked.
fn troubled(world: &World) -> Option<HttpAnswer> {
    if world.strikes(Fault::ServerError) {
        let status = [500, 502, 503, 504][usize::try_from(world.between(0, 3)).unwrap_or(0)];
        return Some(error(status, "out of order"));
    }
    world.strikes(Fault::RateLimited).then(|| rate_limited(world))
}

/// The request without a credential.
pub fn ask(world: &Rc<World>, request: &Request) -> HttpAnswer {
    let answer = answer_ask(world, request);
    world.note(|| format!("shop is asked: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    answer
}

fn answer_ask(world: &Rc<World>, request: &Request) -> HttpAnswer {
    let digest = &request.digest();
    if let Some(answer) = troubled(world) {
        return answer;
    }
    if world.strikes(Fault::AskRejected) {
        return error([400, 401, 403, 404][usize::try_from(world.between(0, 3)).unwrap_or(0)], "not you");
    }
    if world.strikes(Fault::Free) {
        return json(200, "{\"videoUrl\":\"/free.mp4\"}".to_owned());
    }
    let now = world.now();
    let reuses = world.shop.borrow().reuses(digest);
    if request.bypass.is_none() && !reuses && world.strikes(Fault::IdenticalCache) {
        let shop = world.shop.borrow();
        if let Some(identical) = shop.latest_identical(digest, now).and_then(|hash| shop.sales.get(&hash)) {
            world.saw(Sight::AskedIdenticalFromCache);
            return match identical.delivered_at {
                Some(_) => json(200, format!("{{\"videoUrl\":\"/v/{}.mp4\"}}", identical.number)),
                None => challenge(&identical.line),
            };
        }
    }
    if world.strikes(Fault::ReusedInvoice) {
        let mut shop = world.shop.borrow_mut();
        let count = i64::try_from(shop.by_number.len()).unwrap_or(0);
        let chosen = usize::try_from(world.between(0, (count - 1).max(0))).unwrap_or(0);
        let reuses = shop.reuses(digest);
        // A token that serves several jobs is none of an endpoint that sells one for each.
        if let Some(hash) = shop.by_number.get(chosen).copied()
            && let Some(sale) = shop.sales.get_mut(&hash)
            && sale.sharing.is_good == reuses
            && (!reuses || sale.endpoint == endpoint_of(&request.url))
        {
            world.saw(Sight::SoldTwice);
            if !sale.requests.contains(digest) {
                sale.requests.push(*digest);
                world.auditor.borrow_mut().share(&sale.requests);
            }
            return challenge(&sale.line);
        }
    }
    sell(world, request)
}

fn challenge(line: &str) -> HttpAnswer {
    let mut answer = error(402, "payment required");
    answer.headers.push(("www-authenticate".to_owned(), line.to_owned()));
    answer
}

/// Whether that happens to a sale.
fn happens_to(world: &World, fault: Fault, number: u64) -> bool {
    let drawn = Sha256::new().chain_update([fault as u8]).chain_update(number.to_be_bytes()).finalize();
    world.strikes_by(fault, u32::from(u16::from_be_bytes([drawn[0], drawn[1]])) % 1_000)
}

/// The challenge as its header has it, and the token by which its credential is known.
fn line_of(made: &mint::Made, hash: &PaymentHash, number: u64, form: Form, charges: bool) -> (String, String) {
    if !charges {
        return (format!("L402 macaroon=\"{}\", invoice=\"{}\"", made.token, made.invoice), made.token.clone());
    }
    let bound = if form == Form::OtherToken { PaymentHash([9; 32]) } else { *hash };
    let request = serde_json::json!({ "methodDetails": { "invoice": made.invoice, "paymentHash": bound.hex() } });
    let request = data_encoding::BASE64URL_NOPAD.encode(request.to_string().as_bytes());
    let line = format!(
        "Payment id=\"{number}\", realm=\"shop\", method=\"lightning\", intent=\"charge\", request=\"{request}\", opaque=\"e30\""
    );
    let token = Challenge::read([line.as_str()]).expect("a challenge").token.reveal().to_owned();
    (line, token)
}

/// A charge that is used up, with a fresh challenge beside it that nobody may pay for this purchase.
fn spent(world: &World, sale: &Sale) -> HttpAnswer {
    world.saw(Sight::ChargeSpent);
    let kind = if sale.consumed { "invalid-challenge" } else { "payment-expired" };
    let mut answer = json(402, format!("{{\"type\":\"https://paymentauth.org/problems/{kind}\"}}"));
    let fresh = sale.line.replacen("id=\"", "id=\"fresh-", 1);
    answer.headers.push(("www-authenticate".to_owned(), fresh));
    answer
}

/// Whether an answer says that its credential is used up, or too late.
pub fn is_spent(answer: &HttpAnswer) -> bool {
    is_late(answer) || (answer.status == 402 && String::from_utf8_lossy(&answer.body).contains("/invalid-challenge"))
}

/// Whether it says that the time of its charge is over.
pub fn is_late(answer: &HttpAnswer) -> bool {
    answer.status == 402 && String::from_utf8_lossy(&answer.body).contains("/payment-expired")
}

/// What is wrong with the next invoice, where something is.
fn form(world: &World) -> Form {
    let mut form = Form::Good;
    for (fault, other) in [
        (Fault::WrongNetwork, Form::OtherNetwork),
        (Fault::ExpiredInvoice, Form::Expired),
        (Fault::Amountless, Form::Amountless),
        (Fault::WrongToken, Form::OtherToken),
    ] {
        if world.strikes(fault) {
            form = other;
        }
    }
    match form {
        Form::Good => {}
        Form::OtherNetwork => world.saw(Sight::SoldOnOtherNetwork),
        Form::Expired => world.saw(Sight::SoldExpired),
        Form::Amountless => world.saw(Sight::SoldAmountless),
        Form::OtherToken => world.saw(Sight::SoldOtherToken),
    }
    form
}

fn sell(world: &Rc<World>, request: &Request) -> HttpAnswer {
    let digest = &request.digest();
    let form = form(world);
    let drift = if world.strikes(Fault::PriceDrift) { world.between(-1, 1) * 1_000 } else { 0 };
    world.saw_if(drift != 0, Sight::SoldAtOtherPrice);
    let temper = temper(world);
    let ends = world.strikes(Fault::CredentialEnds);
    let (gated, burns) = (world.strikes(Fault::GatedPolls), world.strikes(Fault::BurnsTokens));
    let mut shop = world.shop.borrow_mut();
    let number = shop.by_number.len() as u64;
    let amount = shop.prices.get(digest).map_or(Msat::ZERO, |price| asked(*price, number, drift));
    let preimage: [u8; 32] = Sha256::new()
        .chain_update(b"sale")
        .chain_update(shop.seed.to_be_bytes())
        .chain_update(number.to_be_bytes())
        .finalize()
        .into();
    let hash = PaymentHash(Sha256::digest(preimage).into());
    let at = world.true_time();
    let made = mint::challenge(&Order { hash, amount, at, expiry_s: EXPIRY_S, form });
    let reuses = shop.reuses(digest);
    let charges = !reuses && happens_to(world, Fault::ChargesPayment, number);
    let in_vain = charges && happens_to(world, Fault::ConsumesInVain, number);
    let (line, token) = line_of(&made, &hash, number, form, charges);
    world.saw_if(charges, Sight::ChargedByPayment);
    let sale = Sale {
        number,
        preimage,
        token,
        invoice: made.invoice,
        line,
        charges,
        in_vain,
        consumed: false,
        endpoint: endpoint_of(&request.url),
        requests: vec![*digest],
        amount,
        asked_at: world.now(),
        expires_at: made.expires_at,
        paid_at: None,
        temper,
        ends,
        accepts: number.is_multiple_of(3),
        gated,
        burns,
        answered_at: None,
        stumbled_at: None,
        gone: 0,
        polls: 0,
        delivered_at: None,
        taken_at: None,
        sharing: Sharing { is_good: reuses, ..Sharing::default() },
    };
    world.note(|| format!("sale {number} is {}, {temper:?}, {form:?}", short(&hash)));
    let answer = challenge(&sale.line);
    shop.by_number.push(hash);
    shop.by_token.insert(sale.token.clone(), hash);
    shop.sales.insert(hash, sale);
    answer
}

/// What an invoice asks. Within a cap it asks what it likes; above it only where the price drifts.
fn asked(price: Price, number: u64, drift: i64) -> Msat {
    let most = price.most.get();
    match price.is_cap && drift <= 0 {
        true => Msat::new(most * (50 + number * 37 % 51) / 100),
        false => Msat::new(most.saturating_add_signed(drift)),
    }
}

fn temper(world: &World) -> Temper {
    for (fault, temper) in [
        (Fault::Rejects402ForAMoment, Temper::Late(world.spread_ms(500, 90_000))),
        (Fault::Rejects402ForLong, very_late(world)),
        (Fault::Rejects402Ever, Temper::Ever402),
        (Fault::Rejects401Ever, Temper::Ever401),
        (Fault::NeverAnswersWell, Temper::NeverWell),
        (Fault::UnknownShape, Temper::Unknown(world.between(0, 1) == 0)),
        (Fault::NeverCompletes, Temper::NeverDone),
        (Fault::PollGone, Temper::Gone(u32::try_from(world.between(1, 2)).unwrap_or(1))),
        (Fault::FailsAfterAccepting, Temper::Fails),
        (Fault::OffersRefund, Temper::Refund),
    ] {
        if world.strikes(fault) {
            return temper;
        }
    }
    Temper::Good
}

/// A rejected credential is final an hour after its end, by our clock. Where that clock is wrong, the tries of one run
/// are all that an origin is sure to get: a minute and a half.
fn very_late(world: &World) -> Temper {
    let ms = world.spread_ms(60_000, 4_000_000);
    if world.our_clock_is_right() { Temper::VeryLate(ms) } else { Temper::Late(ms.min(90_000)) }
}

/// The request with a credential.
pub fn redeem(world: &Rc<World>, request: &Request, token: &str, preimage: &[u8; 32]) -> HttpAnswer {
    let answer = match troubled(world) {
        Some(answer) => {
            world.saw_if(answer.status == 429, Sight::RetryAfterToPaid);
            answer
        }
        None => answer_redeem(world, request, token, preimage),
    };
    world.note(|| format!("shop is paid: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    answer
}

/// What a cache of identical requests answers, where it does.
fn redeemed_from_cache(world: &World, request: &Request, now: i64) -> Option<HttpAnswer> {
    let digest = request.digest();
    if request.bypass.is_some() || world.shop.borrow().reuses(&digest) || !world.strikes(Fault::IdenticalCache) {
        return None;
    }
    let number = delivered_identical(world, &digest, now)?;
    world.saw(Sight::RedeemedIdenticalFromCache);
    let mut cached = json(200, format!("{{\"videoUrl\":\"/v/{number}.mp4\"}}"));
    // Not every cache says that it is one.
    if number.is_multiple_of(2) {
        cached.headers.push(("x-dedup".to_owned(), "1".to_owned()));
    }
    Some(cached)
}

fn answer_redeem(world: &Rc<World>, request: &Request, token: &str, preimage: &[u8; 32]) -> HttpAnswer {
    let (now, digest) = (world.now(), request.digest());
    if let Some(answer) = redeemed_from_cache(world, request, now) {
        return answer;
    }
    let mut shop = world.shop.borrow_mut();
    let hash = shop.by_token.get(token).copied();
    let Some(sale) = hash.and_then(|hash| shop.sales.get_mut(&hash)) else {
        world.violated("a credential that the shop has never handed out".to_owned());
        return error(401, "no such token");
    };
    let is_done = sale.delivered_at.is_some() || sale.taken_at.is_some();
    let is_anothers = sale.sharing.is_good && is_done && sale.endpoint == endpoint_of(&request.url);
    if sale.preimage != *preimage || !(is_anothers || sale.requests.contains(&digest)) {
        world.violated("a redeem with another preimage or another request than the one that was sold".to_owned());
        return error(400, "not what was sold");
    }
    let Some(paid_at) = sale.paid_at else {
        world.violated("a redeem of what was never paid".to_owned());
        return error(402, "not paid");
    };
    if sale.ends && sale.delivered_at.is_none() && now - sale.asked_at > i64::try_from(EXPIRY_S).unwrap_or(0) * 1_000 {
        world.saw(Sight::CredentialEnded);
        if sale.charges {
            return spent(world, sale);
        }
        return error(401, "the credential has expired");
    }
    if sale.consumed || (sale.charges && sale.burns && sale.answered_at.is_some()) {
        sale.consumed = true;
        return spent(world, sale);
    }
    if sale.in_vain {
        world.saw(Sight::ConsumedInVain);
        sale.consumed = true;
        return error(500, "it did not come to anything");
    }
    let calm = world.is_calm();
    note_temper(world, sale, now, paid_at);
    if sale.burns && sale.answered_at.is_some() {
        world.saw(Sight::TokenBurned);
        sale.sharing.refused |= is_anothers;
        return error(401, "the token is already used");
    }
    if is_anothers {
        let (answer, url) = serve(world, sale, sale.requests.contains(&digest), now - paid_at);
        shop.served.extend(url);
        return answer;
    }
    let answer = by_temper(sale, request, &hash.expect("a sale has its hash"), (now, paid_at), calm);
    if (200..=299).contains(&answer.status) {
        sale.answered_at.get_or_insert(now);
    }
    answer
}

/// A token serves another request than its own: so many times, or so long. Its own is served as often as it comes.
fn serve(world: &World, sale: &mut Sale, is_own: bool, age_ms: i64) -> (HttpAnswer, Option<String>) {
    let number = sale.number;
    let is_over = sale.sharing.uses > number % 4 || (number % 3 == 1 && age_ms > 600_000);
    if is_over && !is_own {
        sale.sharing.refused = true;
        world.saw(Sight::TokenRefused);
        let answer = if number.is_multiple_of(2) { error(402, "payment required") } else { error(401, "no") };
        return (answer, None);
    }
    sale.sharing.uses += 1;
    world.saw(Sight::ServedByToken);
    let (uses, path) = (sale.sharing.uses, format!("/v/{number}-{}.mp4", sale.sharing.uses));
    let answer = match sale.accepts && uses.is_multiple_of(2) {
        true => json(
            202,
            format!(
                "{{\"status\":\"processing\",\"poll_url\":\"/job?id={number}&use={uses}\",\"poll_interval_ms\":2000}}"
            ),
        ),
        false => json(200, format!("{{\"videoUrl\":\"{path}\",\"status\":\"COMPLETED\"}}")),
    };
    (answer, Some(path))
}

fn by_temper(
    sale: &mut Sale,
    request: &Request,
    hash: &PaymentHash,
    (now, paid_at): (i64, i64),
    calm: bool,
) -> HttpAnswer {
    match sale.temper {
        Temper::Late(ms) if now - paid_at < ms => error(402, "the payment was not seen yet"),
        Temper::VeryLate(ms) if now - sale.asked_at < ms => error(402, "the payment was not seen yet"),
        Temper::Ever402 => error(402, "payment required"),
        Temper::Ever401 => error(401, "no"),
        Temper::NeverWell if !calm => error(500, "out of order"),
        Temper::Unknown(ever) if ever || !calm => json(200, format!("{{\"{STRANGE}\":1}}")),
        Temper::Refund => refund(request, hash),
        Temper::NeverDone if !calm => accept(sale),
        Temper::Gone(times) if sale.gone < times => accept(sale),
        Temper::Fails => accept(sale),
        Temper::Good if sale.accepts && sale.delivered_at.is_none() => accept(sale),
        Temper::Good
        | Temper::Late(_)
        | Temper::VeryLate(_)
        | Temper::NeverWell
        | Temper::Unknown(_)
        | Temper::NeverDone
        | Temper::Gone(_) => deliver(sale, now),
    }
}

/// The money is given back, by a link that is written out.
fn refund(request: &Request, hash: &PaymentHash) -> HttpAnswer {
    let link = request.url.join(&format!("/link?h={}", hash.hex())).expect("a URL");
    json(500, format!("{{\"error\":\"failed\",\"refund\":{{\"lnurl_withdraw\":\"{link}\"}}}}"))
}

/// What this answer will be, for the record.
fn note_temper(world: &World, sale: &Sale, now: i64, paid_at: i64) {
    match sale.temper {
        Temper::Late(ms) => world.saw_if(now - paid_at < ms, Sight::Late402),
        Temper::VeryLate(ms) => world.saw_if(now - sale.asked_at < ms, Sight::VeryLate402),
        Temper::Ever402 => world.saw(Sight::Ever402),
        Temper::Ever401 => world.saw(Sight::Ever401),
        Temper::Unknown(ever) => world.saw_if(ever || !world.is_calm(), Sight::UnknownAnswer),
        Temper::Refund => world.saw(Sight::RefundOffered),
        Temper::Good | Temper::NeverWell | Temper::NeverDone | Temper::Gone(_) | Temper::Fails => {}
    }
}

fn delivered_identical(world: &World, digest: &[u8; 32], now: i64) -> Option<u64> {
    let shop = world.shop.borrow();
    let identical = shop.latest_identical(digest, now).and_then(|hash| shop.sales.get(&hash))?;
    identical.delivered_at.is_some().then_some(identical.number)
}

fn accept(sale: &Sale) -> HttpAnswer {
    json(
        202,
        format!("{{\"status\":\"processing\",\"poll_url\":\"/job?id={}\",\"poll_interval_ms\":2000}}", sale.number),
    )
}

fn deliver(sale: &mut Sale, now: i64) -> HttpAnswer {
    sale.delivered_at = Some(now);
    json(200, format!("{{\"videoUrl\":\"/v/{}.mp4\",\"status\":\"COMPLETED\"}}", sale.number))
}

/// A poll address; whoever asks may show the credential of a purchase, by its token.
pub fn poll(world: &Rc<World>, url: &Url, token: Option<&str>) -> HttpAnswer {
    let answer = match troubled(world) {
        Some(answer) => answer,
        None => answer_poll(world, url, token),
    };
    world.note(|| format!("shop is polled: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    answer
}

/// Something that is no last word.
fn stumble(world: &World) -> HttpAnswer {
    world.saw(Sight::PollStumbled);
    match world.between(0, 5) {
        0 => error(404, "no such job"),
        1 => error(400, "not completed yet"),
        2 => error(409, "busy"),
        3 => HttpAnswer {
            status: 403,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: b"<html>not now</html>".to_vec(),
        },
        4 => json(200, "{\"status\":\"FAILED\"}".to_owned()),
        _ => error(401, "who are you"),
    }
}

fn answer_poll(world: &Rc<World>, url: &Url, token: Option<&str>) -> HttpAnswer {
    let calm = world.is_calm();
    let number = url.query_pairs().find(|(name, _)| name == "id").and_then(|(_, id)| id.parse::<usize>().ok());
    let mut shop = world.shop.borrow_mut();
    let hash = number.and_then(|number| shop.by_number.get(number).copied());
    let Some(sale) = hash.and_then(|hash| shop.sales.get_mut(&hash)) else { return error(404, "no such job") };
    if token.is_some_and(|token| token != sale.token) {
        world.violated("a poll shows the credential of another purchase".to_owned());
    }
    if sale.gated {
        world.saw(if token.is_none() { Sight::PollAtGate } else { Sight::PollThroughGate });
        if token.is_none() {
            return challenge(&sale.line);
        }
    }
    sale.polls += 1;
    if let Some((_, uses)) = url.query_pairs().find(|(name, _)| name == "use") {
        if world.strikes(Fault::PollStumbles) {
            return stumble(world);
        }
        return match sale.polls % 4 {
            0 => json(200, format!("{{\"videoUrl\":\"/v/{}-{uses}.mp4\",\"status\":\"COMPLETED\"}}", sale.number)),
            _ => json(200, "{\"status\":\"processing\"}".to_owned()),
        };
    }
    if world.strikes(Fault::PollStumbles) {
        sale.stumbled_at = Some(world.now());
        return stumble(world);
    }
    match sale.temper {
        Temper::Gone(times) if sale.gone < times => {
            sale.gone += 1;
            sale.stumbled_at = Some(world.now());
            world.saw(Sight::PollWasGone);
            error(404, "gone")
        }
        Temper::Fails if sale.polls > 2 => {
            world.saw(Sight::FailedAfter202);
            json(200, "{\"status\":\"FAILED\"}".to_owned())
        }
        Temper::NeverDone if !calm => {
            world.saw(Sight::StillProcessing);
            json(200, "{\"status\":\"processing\"}".to_owned())
        }
        _ if sale.polls % 4 != 0 => json(200, "{\"status\":\"processing\"}".to_owned()),
        _ => deliver(sale, world.now()),
    }
}
