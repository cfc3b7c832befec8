//! Refunds: what the shop gives back, the node's own invoices that it is given back to, and what really came.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use l402_batch::l402::{Invoice, PaymentHash};
use l402_batch::money::Msat;
use l402_batch::payer::{InvoiceOrder, InvoiceState, MadeInvoice, NodeProblem, ProblemKind};
use l402_batch::purchase::HttpAnswer;
use l402_batch::time::UnixMs;
use sha2::{Digest, Sha256};
use url::Url;

use super::coverage::Sight;
use super::faults::Fault;
use super::mint;
use super::node::short;
use super::timeline::Timed;
use super::world::World;

const LEAST: u64 = 1_000;
const DAY_MS: i64 = 86_400_000;

/// A refund as the shop has it.
#[derive(Clone, Debug, Default)]
struct Offer {
    /// How much less than was paid it gives back; drawn when it is first asked.
    less: Option<u64>,
    /// It says for ever that it has expired.
    expired: bool,
    /// What it gives back of a small price is less than it pays out.
    too_little: bool,
    /// Invoices that came to its callback.
    handed: BTreeSet<PaymentHash>,
    /// The invoice that it pays, or says it pays.
    taken: Option<PaymentHash>,
}

/// An invoice as the node has it.
#[derive(Clone, Debug)]
struct Own {
    node: usize,
    amount: Msat,
    expires_at: UnixMs,
    received: Option<Msat>,
}

#[derive(Default)]
pub struct Bank {
    offers: BTreeMap<PaymentHash, Offer>,
    invoices: BTreeMap<PaymentHash, Own>,
}

impl Bank {
    /// What came of the refunds of that sale.
    pub fn received_for(&self, sale: &PaymentHash) -> u64 {
        let handed = self.offers.get(sale).into_iter().flat_map(|offer| &offer.handed);
        handed.filter_map(|hash| self.invoices.get(hash)?.received).map(Msat::get).sum()
    }

    /// What the node has received for that invoice.
    pub fn received(&self, invoice: &PaymentHash) -> Option<Msat> {
        self.invoices.get(invoice)?.received
    }

    /// Every invoice that was paid, and what came.
    pub fn all_received(&self) -> Vec<(PaymentHash, Msat)> {
        self.invoices.iter().filter_map(|(hash, own)| Some((*hash, own.received?))).collect()
    }

    /// Whether the shop itself keeps the refund of that sale from coming.
    pub fn withholds(&self, sale: &PaymentHash) -> bool {
        self.offers.get(sale).is_some_and(|offer| {
            let unpaid = |hash: &PaymentHash| self.received(hash).is_none();
            offer.expired || offer.too_little || offer.taken.as_ref().is_some_and(unpaid)
        })
    }
}

/// The node makes an invoice.
pub fn add_invoice(world: &Rc<World>, at: usize, order: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
    refuses(world, at)?;
    let mut bank = world.bank.borrow_mut();
    let number = bank.invoices.len() as u64;
    let secret = Sha256::new().chain_update(b"own").chain_update(number.to_be_bytes()).finalize();
    let hash = PaymentHash(Sha256::digest(secret).into());
    let (invoice, expires_at) = mint::own_invoice(hash, order.amount, world.node_time(), order.expiry_s);
    bank.invoices.insert(hash, Own { node: at, amount: order.amount, expires_at, received: None });
    world.note(|| format!("node {at} makes the invoice {}", short(&hash)));
    world.saw(Sight::InvoiceMade);
    Ok(MadeInvoice { hash, invoice })
}

/// The node is asked for an invoice.
pub fn look_up(world: &Rc<World>, at: usize, hash: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
    refuses(world, at)?;
    let bank = world.bank.borrow();
    let Some(own) = bank.invoices.get(hash).filter(|own| own.node == at) else { return Ok(InvoiceState::Unknown) };
    Ok(match own.received {
        Some(received) => InvoiceState::Settled { received },
        None if world.node_time() > own.expires_at => InvoiceState::Canceled,
        None => InvoiceState::Open,
    })
}

/// A node takes no other node's macaroon, and some take none for invoices.
fn refuses(world: &Rc<World>, at: usize) -> Result<(), NodeProblem> {
    if let Some(problem) = world.nodes[at].borrow().problem() {
        return Err(problem);
    }
    if world.configured.get() != at {
        return Err(ProblemKind::Denied("the macaroon: verification failed: signature mismatch".to_owned()).into());
    }
    if world.strikes(Fault::NoInvoices) {
        world.saw(Sight::InvoicesNotPermitted);
        return Err(ProblemKind::Denied("the macaroon: permission denied".to_owned()).into());
    }
    Ok(())
}

/// A request about a refund.
pub fn answer(world: &Rc<World>, url: &Url) -> HttpAnswer {
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let sale = query.get("h").and_then(|hash| PaymentHash::from_hex(hash));
    let paid = sale.and_then(|hash| Some((hash, world.shop.borrow().refundable(&hash)?)));
    let Some((sale, amount)) = paid else { return no("no such charge") };
    let answer = match url.path() {
        "/link" => link(world, url, sale, amount),
        _ => claim(world, &query, sale, amount),
    };
    world.note(|| format!("refund of {}: {} {}", short(&sale), url.path(), String::from_utf8_lossy(&answer.body)));
    answer
}

fn less(world: &World, offer: &mut Offer, amount: Msat) -> u64 {
    *offer.less.get_or_insert_with(|| {
        let struck = world.strikes(Fault::RefundLess);
        world.saw_if(struck, Sight::RefundLess);
        if struck { amount.get().min(2_000) } else { 0 }
    })
}

fn link(world: &Rc<World>, url: &Url, sale: PaymentHash, amount: Msat) -> HttpAnswer {
    let mut bank = world.bank.borrow_mut();
    let offer = bank.offers.entry(sale).or_default();
    if offer.taken.is_none() && world.strikes(Fault::RefundExpires) {
        offer.expired = true;
        world.saw(Sight::RefundExpired);
    }
    if offer.expired {
        return no("it has expired");
    }
    if offer.taken.is_some() {
        return no("it was withdrawn already");
    }
    let most = amount.get() - less(world, offer, amount);
    offer.too_little = most < LEAST;
    let callback = url.join(&format!("/claim?h={}", sale.hex())).expect("a URL");
    let body = format!(
        r#"{{"tag":"withdrawRequest","callback":"{callback}","k1":"k{}","defaultDescription":"back",
           "minWithdrawable":{LEAST},"maxWithdrawable":{most}}}"#,
        sale.hex()
    );
    say(200, &body)
}

fn claim(world: &Rc<World>, query: &BTreeMap<String, String>, sale: PaymentHash, amount: Msat) -> HttpAnswer {
    let Some(invoice) = query.get("pr").and_then(|invoice| Invoice::read(invoice).ok()) else {
        return no("no invoice");
    };
    if query.get("k1") != Some(&format!("k{}", sale.hex())) {
        world.violated("a claim with another k1 than the link's".to_owned());
    }
    let mut bank = world.bank.borrow_mut();
    let own = bank.invoices.get(&invoice.hash).map(|own| own.amount);
    let offer = bank.offers.entry(sale).or_default();
    offer.handed.insert(invoice.hash);
    if offer.handed.len() > 1 {
        world.violated(format!("{} invoices were handed over for the refund of {sale}", offer.handed.len()));
    }
    if own != Some(invoice.amount) {
        world.violated(format!("an invoice that no node of ours has made is handed over for the refund of {sale}"));
    }
    if offer.expired || offer.taken.is_some() {
        return no("it was withdrawn already");
    }
    let most = amount.get() - less(world, offer, amount);
    if invoice.amount.get() > most || invoice.amount.get() < LEAST {
        return no("not within what may be withdrawn");
    }
    if world.strikes(Fault::RefundRefused) {
        world.saw(Sight::RefundRefused);
        return no("not now");
    }
    offer.taken = Some(invoice.hash);
    drop(bank);
    if world.strikes(Fault::RefundNeverPaid) {
        world.saw(Sight::RefundNeverPaid);
        return say(200, r#"{"status":"OK"}"#);
    }
    pay(world, invoice.hash, invoice.amount);
    if world.strikes(Fault::RefundDenied) {
        world.saw(Sight::RefundDenied);
        return no("something went wrong");
    }
    say(200, r#"{"status":"OK"}"#)
}

/// The shop pays an invoice: soon or days later, and perhaps tries it twice.
fn pay(world: &Rc<World>, invoice: PaymentHash, amount: Msat) {
    let late = world.strikes(Fault::RefundPaidLate);
    let after = if late { world.spread_ms(120_000, 6 * DAY_MS) } else { world.between(20, 4_000) };
    let times = if world.strikes(Fault::RefundPaidTwice) { 2 } else { 1 };
    for _ in 0..times {
        world.timeline().after(after, move |world| receive(world, invoice, amount, late));
    }
}

/// A node takes money for an invoice once, and while it is open.
fn receive(world: &Rc<World>, hash: PaymentHash, amount: Msat, late: bool) {
    let mut bank = world.bank.borrow_mut();
    let Some(own) = bank.invoices.get_mut(&hash) else { return };
    if own.received.is_some() {
        world.saw(Sight::RefundPaidAgain);
        return;
    }
    if world.node_time() > own.expires_at {
        world.note(|| format!("{} has expired, and is not paid", short(&hash)));
        return;
    }
    own.received = Some(amount);
    let sale = bank.offers.iter().find(|(_, offer)| offer.handed.contains(&hash)).map(|(sale, _)| *sale);
    if let Some(sale) = sale {
        world.auditor.borrow_mut().came_back(sale, amount.get());
    }
    world.note(|| format!("{} is paid: {amount} came back", short(&hash)));
    world.saw(Sight::RefundReceived);
    world.saw_if(late, Sight::RefundReceivedLate);
}

fn say(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn no(reason: &str) -> HttpAnswer {
    say(200, &format!(r#"{{"status":"ERROR","reason":"{reason}"}}"#))
}
