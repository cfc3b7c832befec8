//! What the sandbox knows: its node's payments and its API's sales. Every change is an entry, written before it counts,
//! so that reading the journal again gives the same books.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::SandboxError;
use super::journal::{Asked, Begun, Bought, Claimed, Entry, FailureReason, Invoiced, Journal};
use crate::l402::PaymentHash;
use crate::money::Msat;
use crate::time::UnixMs;

/// Journal, what follows from it, and who waits for payments to end.
pub(super) struct Books {
    journal: Journal,
    pub state: State,
    in_flight: HashMap<PaymentHash, watch::Sender<()>>,
}

/// Everything that follows from the entries.
#[derive(Default)]
pub(super) struct State {
    opening: Option<Msat>,
    spent: Msat,
    held: Msat,
    sales: HashMap<PaymentHash, Sale>,
    sale_order: Vec<PaymentHash>,
    payments: HashMap<PaymentHash, Payment>,
    payment_order: Vec<PaymentHash>,
    /// What somebody paid with the node before there were these books.
    earlier: Option<Payment>,
    videos: HashSet<String>,
    newest_of_body: HashMap<String, (String, UnixMs)>,
    next_number: u64,
    newest_index: u64,
    received: Msat,
    invoices: HashMap<PaymentHash, OwnInvoice>,
    invoice_order: Vec<PaymentHash>,
    claims: HashMap<PaymentHash, Claimed>,
    claim_order: Vec<PaymentHash>,
}

/// A challenge and what became of it.
pub(super) struct Sale {
    pub asked: Asked,
    pub paid: bool,
    pub bought: Option<Bought>,
    pub delivered_count: u64,
}

/// An invoice of the node's own, and what came for it.
pub(super) struct OwnInvoice {
    pub made: Invoiced,
    pub paid: Option<(Msat, UnixMs)>,
}

/// How an invoice of the node's own stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub(super) enum Standing {
    Open,
    Settled,
    Canceled,
}

impl Standing {
    /// The word, as lnd has it.
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A payment and what became of it.
pub(super) struct Payment {
    pub begun: Begun,
    pub end: Option<End>,
}

/// How a payment ended.
#[derive(Clone, Copy)]
pub(super) enum End {
    Settled(UnixMs),
    Failed(FailureReason),
}

/// What a payment is asked to be.
pub(super) struct Order {
    pub hash: PaymentHash,
    pub amount: Msat,
    pub fee: Msat,
    pub fee_limit: Msat,
    pub invoice: String,
    /// The invoice is signed by this sandbox's own payee.
    pub ours: bool,
}

/// What came of beginning a payment.
pub(super) enum Begin {
    Started(watch::Receiver<()>),
    AlreadyPaid,
    InTransition,
}

/// How purchases are treated.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub credential_ms: i64,
    pub dedup_ms: i64,
    pub accept_ms: Option<i64>,
    /// How many requests of its endpoint a credential serves, where it serves more than its own.
    pub uses: Option<u64>,
}

/// What came of a credential.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redeemed {
    Delivered { video: String, deduplicated: bool },
    Processing,
    Unpaid,
    Expired,
    OtherRequest,
    Unknown,
}

impl Books {
    /// Opens the books; `opening` is what a new node owns.
    pub(super) fn open(path: &Path, opening: Msat) -> Result<Self, SandboxError> {
        let mut state = State::default();
        let journal = Journal::open(path, |entry| state.apply(entry))?;
        let in_flight = state.unfinished().map(|hash| (hash, watch::Sender::new(()))).collect();
        let mut books = Self { journal, state, in_flight };
        if books.state.opening.is_none() {
            let entry = Entry::Opened { balance_msat: opening };
            books.record(entry).map_err(|source| SandboxError::State { path: path.to_owned(), source })?;
        }
        Ok(books)
    }

    /// Somebody paid with the node before: `hash` settled, and nobody asks for more than that it did.
    pub(super) fn remember(&mut self, hash: PaymentHash) {
        let at = UnixMs(0);
        let begun = Begun {
            hash,
            index: 0,
            attempt: 0,
            amount_msat: Msat::new(1_000),
            fee_msat: Msat::ZERO,
            invoice: String::new(),
            doomed: None,
            at,
        };
        self.state.earlier = Some(Payment { begun, end: Some(End::Settled(at)) });
    }

    /// A number for the next challenge, never given twice.
    pub(super) fn take_number(&mut self) -> u64 {
        let number = self.state.next_number;
        self.state.next_number = number.saturating_add(1);
        number
    }

    /// Notes a challenge.
    pub(super) fn ask(&mut self, asked: Asked) -> io::Result<()> {
        self.record(Entry::Asked(asked))
    }

    /// Notes that a challenge was paid at another node than the sandbox's own.
    pub(super) fn paid_elsewhere(&mut self, hash: PaymentHash, now: UnixMs) -> io::Result<()> {
        match self.state.sales.get(&hash) {
            Some(sale) if !sale.paid => self.record(Entry::Settled { hash, at: now }),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a credential whose macaroon and preimage are right, for a request with this digest.
    pub(super) fn redeem(
        &mut self,
        hash: PaymentHash,
        body_sha256: &str,
        terms: Terms,
        now: UnixMs,
    ) -> io::Result<Redeemed> {
        let Some(sale) = self.state.sales.get(&hash) else { return Ok(Redeemed::Unknown) };
        let is_own = sale.asked.body_sha256 == body_sha256;
        if !is_own && terms.uses.is_none() {
            return Ok(Redeemed::OtherRequest);
        }
        if now > sale.asked.at.plus_ms(terms.credential_ms) {
            return Ok(Redeemed::Expired);
        }
        if !sale.paid {
            return Ok(Redeemed::Unpaid);
        }
        if terms.uses.is_some_and(|uses| sale.delivered_count >= uses) {
            return Ok(Redeemed::Unpaid);
        }
        if !is_own {
            let video = reused(&hash, body_sha256);
            self.record(Entry::Reused { hash, video: video.clone() })?;
            return Ok(Redeemed::Delivered { video, deduplicated: false });
        }
        if sale.bought.is_none() {
            let bought = self.state.purchase(hash, body_sha256, terms, now);
            self.record(Entry::Bought(bought))?;
        }
        self.deliver(hash, now)
    }

    /// What a poll for an accepted purchase is told.
    pub(super) fn poll(&mut self, hash: PaymentHash, now: UnixMs) -> io::Result<Redeemed> {
        match self.state.sales.get(&hash).is_some_and(|sale| sale.bought.is_some()) {
            true => self.deliver(hash, now),
            false => Ok(Redeemed::Unknown),
        }
    }

    fn deliver(&mut self, hash: PaymentHash, now: UnixMs) -> io::Result<Redeemed> {
        let Some(bought) = self.state.sales.get(&hash).and_then(|sale| sale.bought.as_ref()) else {
            return Ok(Redeemed::Unknown);
        };
        if bought.ready_at.is_some_and(|ready_at| now < ready_at) {
            return Ok(Redeemed::Processing);
        }
        let delivered = Redeemed::Delivered { video: bought.video.clone(), deduplicated: bought.deduplicated };
        self.record(Entry::Delivered { hash })?;
        Ok(delivered)
    }

    /// A number for the next invoice of the node's own.
    pub(super) fn invoice_number(&self) -> u64 {
        u64::try_from(self.state.invoice_order.len()).unwrap_or(u64::MAX)
    }

    /// Notes an invoice of the node's own.
    pub(super) fn invoice(&mut self, invoiced: Invoiced) -> io::Result<()> {
        self.record(Entry::Invoiced(invoiced))
    }

    /// Notes that a refund was claimed. The first claim stands: whoever comes second is told so.
    pub(super) fn claim(&mut self, claimed: Claimed) -> io::Result<bool> {
        if self.state.claims.contains_key(&claimed.sale) {
            return Ok(false);
        }
        self.record(Entry::Claimed(claimed))?;
        Ok(true)
    }

    /// Pays an invoice of the node's own, as a node takes it: once, and while it is open.
    pub(super) fn receive(&mut self, hash: PaymentHash, amount: Msat, now: UnixMs) -> io::Result<bool> {
        if self.state.invoices.get(&hash).is_none_or(|invoice| invoice.standing(now) != Standing::Open) {
            return Ok(false);
        }
        self.record(Entry::Received { hash, amount_msat: amount, at: now })?;
        Ok(true)
    }

    /// Begins a payment, or says that the hash is known. `drawn` is whether the payment of that attempt shall fail.
    pub(super) fn begin(&mut self, order: Order, drawn: impl FnOnce(u32) -> bool, now: UnixMs) -> io::Result<Begin> {
        let attempt = match self.state.payments.get(&order.hash).map(|payment| (payment.end, payment.begun.attempt)) {
            None => 0,
            Some((None, _)) => return Ok(Begin::InTransition),
            Some((Some(End::Settled(_)), _)) => return Ok(Begin::AlreadyPaid),
            Some((Some(End::Failed(_)), attempt)) => attempt.saturating_add(1),
        };
        let doomed = self.state.doom(&order).or_else(|| drawn(attempt).then_some(FailureReason::Timeout));
        let hash = order.hash;
        self.record(Entry::Begun(Begun {
            hash,
            index: self.state.newest_index.saturating_add(1),
            attempt,
            amount_msat: order.amount,
            fee_msat: order.fee,
            invoice: order.invoice,
            doomed,
            at: now,
        }))?;
        let ended = watch::Sender::new(());
        let waiting = ended.subscribe();
        self.in_flight.insert(hash, ended);
        Ok(Begin::Started(waiting))
    }

    /// Ends a payment that is in flight as it was bound to end, and tells those who wait.
    pub(super) fn finish(&mut self, hash: PaymentHash, now: UnixMs) -> io::Result<()> {
        let Some(payment) = self.state.payments.get(&hash).filter(|payment| payment.end.is_none()) else {
            return Ok(());
        };
        self.record(match payment.begun.doomed {
            None => Entry::Settled { hash, at: now },
            Some(reason) => Entry::Failed { hash, reason, at: now },
        })?;
        self.in_flight.remove(&hash);
        Ok(())
    }

    /// Wakes when the payment ends; nothing where it is not in flight.
    pub(super) fn waiting(&self, hash: &PaymentHash) -> Option<watch::Receiver<()>> {
        self.in_flight.get(hash).map(watch::Sender::subscribe)
    }

    /// Ends the books: nothing is written, and so nothing happens, from here on.
    pub(super) fn close(&mut self) {
        self.journal.close();
    }

    fn record(&mut self, entry: Entry) -> io::Result<()> {
        self.journal.append(&entry)?;
        self.state.apply(entry);
        Ok(())
    }
}

/// The video of a request that another one's credential serves: the same each time.
fn reused(hash: &PaymentHash, body_sha256: &str) -> String {
    let digest = Sha256::new().chain_update(hash.0).chain_update(body_sha256).finalize();
    HEXLOWER.encode(&digest).chars().take(24).collect()
}

impl State {
    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Opened { balance_msat } => self.opening = Some(balance_msat),
            Entry::Asked(asked) => {
                self.next_number = self.next_number.max(asked.number.saturating_add(1));
                self.sale_order.push(asked.hash);
                self.sales.insert(asked.hash, Sale { asked, paid: false, bought: None, delivered_count: 0 });
            }
            Entry::Begun(begun) => self.apply_begun(begun),
            Entry::Settled { hash, at } => {
                self.apply_end(hash, End::Settled(at));
                if let Some(sale) = self.sales.get_mut(&hash) {
                    sale.paid = true;
                }
            }
            Entry::Failed { hash, reason, at: _ } => self.apply_end(hash, End::Failed(reason)),
            Entry::Bought(bought) => self.apply_bought(bought),
            Entry::Reused { hash, video } => {
                self.videos.insert(video);
                if let Some(sale) = self.sales.get_mut(&hash) {
                    sale.delivered_count = sale.delivered_count.saturating_add(1);
                }
            }
            Entry::Invoiced(made) => {
                self.invoice_order.push(made.hash);
                self.invoices.insert(made.hash, OwnInvoice { made, paid: None });
            }
            Entry::Received { hash, amount_msat, at } => {
                self.received = plus(self.received, amount_msat);
                if let Some(invoice) = self.invoices.get_mut(&hash) {
                    invoice.paid = Some((amount_msat, at));
                }
            }
            Entry::Claimed(claimed) => {
                self.claim_order.push(claimed.sale);
                self.claims.insert(claimed.sale, claimed);
            }
            Entry::Delivered { hash } => {
                if let Some(sale) = self.sales.get_mut(&hash) {
                    sale.delivered_count = sale.delivered_count.saturating_add(1);
                }
            }
        }
    }

    fn apply_begun(&mut self, begun: Begun) {
        self.newest_index = self.newest_index.max(begun.index);
        self.held = plus(self.held, cost(&begun));
        let hash = begun.hash;
        if self.payments.insert(hash, Payment { begun, end: None }).is_none() {
            self.payment_order.push(hash);
        }
    }

    fn apply_end(&mut self, hash: PaymentHash, end: End) {
        let Some(payment) = self.payments.get_mut(&hash) else { return };
        let cost = cost(&payment.begun);
        payment.end = Some(end);
        self.held = minus(self.held, cost);
        match end {
            End::Settled(_) => self.spent = plus(self.spent, cost),
            End::Failed(_) => {}
        }
    }

    fn apply_bought(&mut self, bought: Bought) {
        let Some(sale) = self.sales.get_mut(&bought.hash) else { return };
        self.videos.insert(bought.video.clone());
        if !bought.deduplicated {
            self.newest_of_body.insert(sale.asked.body_sha256.clone(), (bought.video.clone(), bought.at));
        }
        sale.bought = Some(bought);
    }

    /// A new video, or an identical request's, where one was made within the window.
    fn purchase(&self, hash: PaymentHash, body_sha256: &str, terms: Terms, now: UnixMs) -> Bought {
        let cached = self
            .newest_of_body
            .get(body_sha256)
            .filter(|(_, made_at)| now.since_ms(*made_at) < terms.dedup_ms)
            .map(|(video, _)| video.clone());
        let deduplicated = cached.is_some();
        let video = cached.unwrap_or_else(|| hash.hex().chars().take(24).collect());
        let ready_at = terms.accept_ms.map(|accept_ms| now.plus_ms(accept_ms));
        Bought { hash, video, deduplicated, ready_at, at: now }
    }

    /// Why this payment cannot succeed, whatever is drawn.
    fn doom(&self, order: &Order) -> Option<FailureReason> {
        let sale = self.sales.get(&order.hash).filter(|_| order.ours);
        let Some(sale) = sale else { return Some(FailureReason::NoRoute) };
        if sale.asked.amount_msat != order.amount {
            return Some(FailureReason::IncorrectPaymentDetails);
        }
        if order.amount.checked_add(order.fee).is_none_or(|cost| cost > self.balance()) {
            return Some(FailureReason::InsufficientBalance);
        }
        (order.fee > order.fee_limit).then_some(FailureReason::NoRoute)
    }

    /// What the node can still send.
    pub(super) fn balance(&self) -> Msat {
        minus(minus(plus(self.opening.unwrap_or_default(), self.received), self.spent), self.held)
    }

    /// What the node has in flight.
    pub(super) const fn held(&self) -> Msat {
        self.held
    }

    pub(super) fn sale(&self, hash: &PaymentHash) -> Option<&Sale> {
        self.sales.get(hash)
    }

    pub(super) fn payment(&self, hash: &PaymentHash) -> Option<&Payment> {
        self.payments.get(hash).or_else(|| self.earlier().filter(|payment| payment.begun.hash == *hash))
    }

    /// What somebody paid with the node before.
    pub(super) const fn earlier(&self) -> Option<&Payment> {
        self.earlier.as_ref()
    }

    pub(super) fn invoice(&self, hash: &PaymentHash) -> Option<&OwnInvoice> {
        self.invoices.get(hash)
    }

    pub(super) fn claim(&self, sale: &PaymentHash) -> Option<&Claimed> {
        self.claims.get(sale)
    }

    /// Every invoice of the node's own, oldest first.
    pub(super) fn invoices(&self) -> impl Iterator<Item = &OwnInvoice> {
        self.invoice_order.iter().filter_map(|hash| self.invoices.get(hash))
    }

    /// Every refund that was claimed, oldest first.
    pub(super) fn claims(&self) -> impl Iterator<Item = &Claimed> {
        self.claim_order.iter().filter_map(|sale| self.claims.get(sale))
    }

    /// Refunds that a stop of the sandbox left unpaid.
    pub(super) fn unpaid_claims(&self) -> impl Iterator<Item = Claimed> {
        let unpaid = |claimed: &&Claimed| self.invoices.get(&claimed.invoice).is_some_and(|own| own.paid.is_none());
        self.claims().filter(|claimed| claimed.pays).filter(unpaid).cloned()
    }

    /// Every challenge, oldest first.
    pub(super) fn sales(&self) -> impl Iterator<Item = &Sale> {
        self.sale_order.iter().filter_map(|hash| self.sales.get(hash))
    }

    /// Every payment, in the order in which the hashes were first tried.
    pub(super) fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payment_order.iter().filter_map(|hash| self.payments.get(hash))
    }

    /// Payments that a stop of the sandbox left in flight.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = PaymentHash> {
        self.payments().filter(|payment| payment.end.is_none()).map(|payment| payment.begun.hash)
    }

    pub(super) fn has_video(&self, id: &str) -> bool {
        self.videos.contains(id)
    }
}

impl OwnInvoice {
    /// How it stands: one that has expired is cancelled, as lnd does it.
    pub(super) fn standing(&self, now: UnixMs) -> Standing {
        let expiry_ms = i64::try_from(self.made.expiry_s).unwrap_or(i64::MAX).saturating_mul(1_000);
        match self.paid {
            Some(_) => Standing::Settled,
            None if now > self.made.at.plus_ms(expiry_ms) => Standing::Canceled,
            None => Standing::Open,
        }
    }
}

/// What a payment takes from the balance; one that is doomed from the start never leaves.
fn cost(begun: &Begun) -> Msat {
    match begun.doomed {
        None | Some(FailureReason::Timeout) => plus(begun.amount_msat, begun.fee_msat),
        Some(FailureReason::NoRoute | FailureReason::IncorrectPaymentDetails | FailureReason::InsufficientBalance) => {
            Msat::ZERO
        }
    }
}

/// The sum; amounts near 2^64 msat are more than exist, and `doom` has refused them.
fn plus(a: Msat, b: Msat) -> Msat {
    a.checked_add(b).unwrap_or(Msat::new(u64::MAX))
}

fn minus(a: Msat, b: Msat) -> Msat {
    a.checked_sub(b).unwrap_or(Msat::ZERO)
}
