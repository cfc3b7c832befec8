//! The node: keeps its own record of every payment, and does with each what the script says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use super::shop::Shop;
use super::world::FakeClock;
use crate::l402::{Network, PaymentHash, Preimage};
use crate::ledger::DurableIntent;
use crate::money::Msat;
use crate::payer::lnd;
use crate::payer::{
    Found, InvoiceOrder, InvoiceState, Listed, ListedPage, ListedStatus, LookUp, MadeInvoice, NodeInfo, NodeProblem,
    PayFailure, PayRefusal, Payer, PaymentHistory, ProblemKind, Promises, Receiver, SendOutcome, SendReport, Settled,
};
use crate::purchase::WalletId;
use crate::run::Clock;
use crate::time::UnixMs;

pub(super) const FEE: Msat = Msat::new(1_500);
const WAY_MS: u64 = 20;
const PAY_MS: i64 = 300;

/// What becomes of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It settles at once.
    Settle,
    /// It settles after so many milliseconds.
    SettleLate(i64),
    /// It fails at once.
    Fail(PayFailure),
    /// It fails after so many milliseconds.
    FailLate(PayFailure, i64),
    /// It stays in flight.
    Stuck,
    /// The preimage is out at once, and the node posts it after so many milliseconds.
    PreimageFirst(i64),
    /// The node refuses it and does not know the hash.
    Refuse(PayRefusal),
    /// It reaches the node, and the answer is lost.
    Deaf(Box<Fate>),
    /// It never reaches the node.
    Lost,
    /// It stalls on the way for so long, and then reaches the node; the client hears nothing.
    Stalled(i64, Box<Fate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Flying,
    Half,
    Settled,
    Failed(PayFailure),
}

struct KnownPayment {
    /// Statuses from those times on, the latest last.
    course: Vec<(UnixMs, Status)>,
    index: u64,
}

pub(super) struct Node {
    clock: FakeClock,
    shop: Rc<Shop>,
    pub(super) id: RefCell<String>,
    pub(super) network: Cell<Network>,
    /// From its next invoice on another one answers.
    pub(super) swapped_for: RefCell<Option<String>>,
    /// Fates of the next POSTs; then all settle.
    pub(super) fates: RefCell<VecDeque<Fate>>,
    /// Fates of the POSTs for a prompt, before those.
    pub(super) fates_of: RefCell<HashMap<String, VecDeque<Fate>>>,
    /// What its channels say they hold.
    pub(super) balance: Cell<Msat>,
    /// It cannot be reached.
    pub(super) down: Cell<bool>,
    /// It has forgotten all payments up to this index.
    pub(super) forgot_to: Cell<u64>,
    /// Of those it says FAILED, as a restored node does that was asked to pay them once more.
    pub(super) fails_forgotten: Cell<bool>,
    /// The newest settled payment that it tells of: somebody else's, which it knows. An ordinary node has one.
    pub(super) newest: Cell<Option<PaymentHash>>,
    /// It does not answer so many questions for that.
    pub(super) lists_unheard: Cell<u32>,
    known: RefCell<HashMap<PaymentHash, KnownPayment>>,
    arriving: RefCell<Vec<(UnixMs, PaymentHash, UnixMs, Fate)>>,
    pub(super) posts: Cell<u32>,
    /// Every POST that was begun: for which prompt, and when.
    pub(super) sent: RefCell<Vec<(String, UnixMs)>>,
    pub(super) sending: Cell<usize>,
    pub(super) sending_max: Cell<usize>,
}

impl Node {
    pub(super) fn new(clock: FakeClock, shop: Rc<Shop>) -> Self {
        Self {
            clock,
            shop,
            network: Cell::new(Network::Regtest),
            swapped_for: RefCell::new(None),
            id: RefCell::new("03payer0000000000000".to_owned()),
            fates: RefCell::default(),
            fates_of: RefCell::default(),
            balance: Cell::new(Msat::new(1_000_000_000)),
            down: Cell::new(false),
            forgot_to: Cell::new(0),
            fails_forgotten: Cell::new(false),
            newest: Cell::new(Some(foreign().1)),
            lists_unheard: Cell::new(0),
            known: RefCell::default(),
            arriving: RefCell::default(),
            posts: Cell::new(0),
            sent: RefCell::default(),
            sending: Cell::new(0),
            sending_max: Cell::new(0),
        }
    }

    pub(super) fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.borrow_mut().extend(fates);
    }

    pub(super) fn script_for(&self, prompt: &str, fates: impl IntoIterator<Item = Fate>) {
        self.fates_of.borrow_mut().entry(prompt.to_owned()).or_default().extend(fates);
    }

    fn next_fate(&self, prompt: &str) -> Fate {
        let own = self.fates_of.borrow_mut().get_mut(prompt).and_then(VecDeque::pop_front);
        own.or_else(|| self.fates.borrow_mut().pop_front()).unwrap_or(Fate::Settle)
    }

    /// What lnd does with a POST that reaches it: one live payment a hash; a failed one may be tried again; an expired
    /// invoice is refused before the hash is looked up.
    fn arrive(&self, hash: PaymentHash, expires_at: UnixMs, fate: &Fate, at: UnixMs) -> Result<(), PayRefusal> {
        if let Fate::Refuse(refusal) = fate {
            return Err(refusal.clone());
        }
        if at > expires_at {
            return Err(PayRefusal::InvoiceExpired);
        }
        let before = self.status(hash, at);
        if matches!(before, Some(Status::Flying | Status::Half | Status::Settled)) {
            return Err(PayRefusal::AlreadyKnown);
        }
        let soon = at.plus_ms(PAY_MS);
        let mut course = vec![(at, Status::Flying)];
        match fate {
            Fate::Settle => course.push((soon, Status::Settled)),
            Fate::SettleLate(ms) => course.push((at.plus_ms(*ms), Status::Settled)),
            Fate::Fail(why) => course.push((soon, Status::Failed(*why))),
            Fate::FailLate(why, ms) => course.push((at.plus_ms(*ms), Status::Failed(*why))),
            Fate::PreimageFirst(ms) => {
                course.extend([(soon, Status::Half), (at.plus_ms(*ms), Status::Settled)]);
            }
            Fate::Stuck => {}
            Fate::Refuse(_) | Fate::Deaf(_) | Fate::Lost | Fate::Stalled(..) => panic!("{fate:?} does not arrive"),
        }
        let index = u64::try_from(self.known.borrow().len()).unwrap() + 1;
        let mut known = self.known.borrow_mut();
        let known = known.entry(hash).or_insert(KnownPayment { course: Vec::new(), index });
        known.course.extend(course);
        Ok(())
    }

    fn arrivals(&self, now: UnixMs) {
        let mut due: Vec<_> = self.arriving.borrow_mut().extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_by_key(|(at, ..)| *at);
        for (at, hash, expires_at, fate) in due {
            let _unheard = self.arrive(hash, expires_at, &fate, at);
        }
    }

    fn status(&self, hash: PaymentHash, now: UnixMs) -> Option<Status> {
        let known = self.known.borrow();
        known.get(&hash)?.course.iter().rev().find(|(from, _)| *from <= now).map(|(_, status)| *status)
    }

    fn found(&self, hash: PaymentHash) -> Found {
        let now = self.clock.now();
        self.arrivals(now);
        if self.newest.get() == Some(hash) && self.forgot_to.get() == 0 {
            let preimage = Preimage::verify(foreign().0, &hash).unwrap();
            return Found::Settled(Settled { preimage, fee: FEE, payment_index: Some(0) });
        }
        let index = self.known.borrow().get(&hash).map(|known| known.index);
        if index.is_some_and(|index| index <= self.forgot_to.get()) {
            let failed = Found::Failed(PayFailure::IncorrectPaymentDetails);
            return if self.fails_forgotten.get() { failed } else { Found::NotFound };
        }
        match self.status(hash, now) {
            None => Found::NotFound,
            Some(Status::Flying) => Found::InFlight,
            Some(Status::Half) => Found::PreimageKnown(self.preimage(hash)),
            Some(Status::Settled) => {
                Found::Settled(Settled { preimage: self.preimage(hash), fee: FEE, payment_index: index })
            }
            Some(Status::Failed(why)) => Found::Failed(why),
        }
    }

    fn preimage(&self, hash: PaymentHash) -> Preimage {
        Preimage::verify(self.shop.secret_of(&hash), &hash).unwrap()
    }

    async fn follow(&self, hash: PaymentHash, patience_ms: u64, until_half: bool) -> Found {
        let end = self.clock.now().plus_ms(i64::try_from(patience_ms).unwrap());
        loop {
            if self.down.get() {
                return Found::Unknown(unreachable_node());
            }
            let found = self.found(hash);
            let over = match found {
                Found::InFlight => false,
                Found::PreimageKnown(_) => until_half,
                Found::Settled(_) | Found::Failed(_) | Found::NotFound | Found::Unknown(_) => true,
            };
            if over || self.clock.now() >= end {
                return found;
            }
            self.clock.sleep_ms(100).await;
        }
    }

    /// How many payments settled, by the prompt of the job. Counted from the node's own record.
    pub(super) fn settled_by_prompt(&self) -> BTreeMap<String, usize> {
        let now = self.clock.now();
        self.arrivals(now);
        let mut by_prompt = BTreeMap::new();
        for (hash, known) in self.known.borrow().iter() {
            let times = known.course.iter().filter(|(at, status)| *status == Status::Settled && *at <= now).count();
            assert!(times <= 1, "{hash} settled {times} times");
            if times == 1 {
                *by_prompt.entry(self.shop.prompt_of(hash)).or_default() += 1;
            }
        }
        by_prompt
    }

    /// How often a hash has settled.
    pub(super) fn times_settled(&self, hash: &PaymentHash) -> usize {
        let (now, known) = (self.clock.now(), self.known.borrow());
        let course = known.get(hash).map_or(&[][..], |known| &known.course);
        course.iter().filter(|(at, status)| *status == Status::Settled && *at <= now).count()
    }

    /// Amounts and fees of all that settled.
    pub(super) fn spent(&self) -> (Msat, Msat) {
        let now = self.clock.now();
        let known = self.known.borrow();
        let settled = known
            .iter()
            .filter(|(_, known)| known.course.iter().any(|(at, status)| *status == Status::Settled && *at <= now));
        let mut sums = (0, 0);
        for (hash, _) in settled {
            sums.0 += self.shop.amount_of(hash).get();
            sums.1 += FEE.get();
        }
        (Msat::new(sums.0), Msat::new(sums.1))
    }

    async fn post(&self, intent: &DurableIntent, patience_ms: u64) -> SendReport {
        let hash = *intent.hash();
        self.clock.sleep_ms(WAY_MS).await;
        self.posts.set(self.posts.get() + 1);
        self.sent.borrow_mut().push((self.shop.prompt_of(&hash), self.clock.now()));
        let unheard = |words: &str| SendReport {
            answered: false,
            outcome: SendOutcome::InDoubt(words.to_owned()),
            node_time: None,
        };
        if self.down.get() {
            return unheard("connection refused");
        }
        let expires_at = intent.invoice_expires_at();
        self.arrivals(self.clock.now());
        let fate = match self.next_fate(&self.shop.prompt_of(&hash)) {
            Fate::Lost => return unheard("connection reset"),
            Fate::Stalled(ms, fate) => {
                self.arriving.borrow_mut().push((self.clock.now().plus_ms(ms), hash, expires_at, *fate));
                return unheard("no answer");
            }
            Fate::Deaf(fate) => {
                let _unheard = self.arrive(hash, expires_at, &fate, self.clock.now());
                return unheard("connection reset");
            }
            fate => fate,
        };
        let answered = |outcome| SendReport { answered: true, outcome, node_time: Some(self.clock.now()) };
        if let Err(refusal) = self.arrive(hash, expires_at, &fate, self.clock.now()) {
            return answered(SendOutcome::Refused(refusal));
        }
        match self.follow(hash, patience_ms, true).await {
            Found::Settled(settled) => answered(SendOutcome::Settled(settled)),
            Found::PreimageKnown(preimage) => answered(SendOutcome::PreimageKnown(preimage)),
            Found::Failed(why) => answered(SendOutcome::Failed(why)),
            Found::InFlight => answered(SendOutcome::InFlight),
            Found::NotFound | Found::Unknown(_) => answered(SendOutcome::InDoubt("the stream broke".to_owned())),
        }
    }
}

/// A payment that somebody else has made at this node, long before.
fn foreign() -> ([u8; 32], PaymentHash) {
    use sha2::Digest;
    let preimage = [0xee; 32];
    (preimage, PaymentHash(sha2::Sha256::digest(preimage).into()))
}

fn unreachable_node() -> NodeProblem {
    ProblemKind::Unreachable("connection refused".to_owned()).into()
}

impl Payer for Node {
    fn promises(&self) -> Promises {
        lnd::PROMISES
    }

    async fn send(&self, intent: &DurableIntent, patience_ms: u64) -> SendReport {
        self.sending.set(self.sending.get() + 1);
        self.sending_max.set(self.sending_max.get().max(self.sending.get()));
        let report = self.post(intent, patience_ms).await;
        self.sending.set(self.sending.get() - 1);
        report
    }

    async fn look_up(&self, hash: &PaymentHash) -> LookUp {
        self.clock.sleep_ms(WAY_MS).await;
        if self.down.get() {
            return LookUp { found: Found::Unknown(unreachable_node()), node_time: None };
        }
        LookUp { found: self.found(*hash), node_time: Some(self.clock.now()) }
    }

    async fn track(&self, hash: &PaymentHash, patience_ms: u64) -> LookUp {
        let found = self.follow(*hash, patience_ms, false).await;
        LookUp { found, node_time: Some(self.clock.now()) }
    }

    async fn node(&self) -> Result<NodeInfo, NodeProblem> {
        self.clock.sleep_ms(WAY_MS).await;
        if self.down.get() {
            return Err(unreachable_node());
        }
        Ok(NodeInfo {
            id: WalletId(self.id.borrow().clone()),
            network: self.network.get(),
            synced: true,
            version: "0.20".to_owned(),
            node_time: Some(self.clock.now()),
        })
    }

    async fn balance(&self) -> Result<Msat, NodeProblem> {
        Ok(self.balance.get())
    }

    fn history(&self) -> Option<&impl PaymentHistory> {
        Some(self)
    }

    fn receiver(&self) -> Option<&impl Receiver> {
        Some(self)
    }
}

impl PaymentHistory for Node {
    async fn newest_settled(&self) -> Result<Option<PaymentHash>, NodeProblem> {
        let unheard = self.lists_unheard.get();
        self.lists_unheard.set(unheard.saturating_sub(1));
        if self.down.get() || unheard > 0 {
            return Err(unreachable_node());
        }
        Ok(self.newest.get())
    }

    async fn list(&self, after: u64) -> Result<ListedPage, NodeProblem> {
        let (now, known) = (self.clock.now(), self.known.borrow());
        let mut rows: Vec<_> =
            known.iter().filter(|(_, known)| known.index > after.max(self.forgot_to.get())).collect();
        rows.sort_by_key(|(_, known)| known.index);
        let listed = rows.iter().map(|(hash, _)| Listed {
            hash: **hash,
            status: match self.status(**hash, now) {
                Some(Status::Settled) => ListedStatus::Settled,
                Some(Status::Failed(_)) => ListedStatus::Failed,
                Some(Status::Flying | Status::Half) | None => ListedStatus::Open,
            },
            amount: self.shop.amount_of(hash),
            fee: FEE,
        });
        Ok(ListedPage { payments: listed.collect(), next: None })
    }
}

impl Receiver for Node {
    async fn add_invoice(&self, order: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
        self.clock.sleep_ms(WAY_MS).await;
        if self.down.get() {
            return Err(unreachable_node());
        }
        if let Some(other) = self.swapped_for.take() {
            self.id.replace(other);
        }
        self.shop.bank.add_invoice(order)
    }

    async fn invoice(&self, hash: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
        self.clock.sleep_ms(WAY_MS).await;
        if self.down.get() {
            return Err(unreachable_node());
        }
        self.shop.bank.invoice(hash)
    }

    fn when_denied(&self, network: Option<Network>) -> String {
        lnd::without_invoices(network)
    }
}
