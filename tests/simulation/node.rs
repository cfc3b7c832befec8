//! Two simulated lnds: one payment per hash, a record that can be lost, and money that is gone whether or not the record is.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use l402_batch::l402::{PaymentHash, Preimage};
use l402_batch::money::Msat;
use l402_batch::payer::{Found, Listed, ListedStatus, NodeProblem, PayFailure, PayRefusal, ProblemKind, Settled};
use l402_batch::purchase::WalletId;

use sha2::{Digest, Sha256};

use super::auditor::{Attempt, Fate};
use super::coverage::Sight;
use super::faults::Fault;
use super::shop::Bill;
use super::timeline::Timed;
use super::world::World;

/// A send is given up after this long: the run's own default, in milliseconds.
const PATIENCE_MS: i64 = 75_000;
/// From the look-up that allows a send to the send, at most.
const LOOKED_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Up,
    Down,
    Starting,
    Locked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Status {
    InFlight,
    Succeeded,
    Failed(PayFailure),
}

/// What the node remembers of a payment.
#[derive(Clone, Debug)]
struct Payment {
    /// Which of the attempts that really happened.
    attempt: usize,
    status: Status,
    preimage: [u8; 32],
    preimage_out: bool,
    fee: Msat,
    index: u64,
}

pub struct Node {
    pub id: WalletId,
    pub health: Health,
    payments: BTreeMap<PaymentHash, Payment>,
    /// What somebody else paid here before the world began, while it is remembered.
    foreign: Option<(PaymentHash, [u8; 32])>,
    newest_index: u64,
}

/// A POST of a payment.
#[derive(Clone, Debug)]
pub struct Send {
    pub hash: PaymentHash,
    pub fee_limit: Msat,
    pub begun_at: i64,
    pub macaroon_of: usize,
    /// Whoever sent it waits for no answer any more.
    pub abandoned: Rc<Cell<bool>>,
}

/// What a POST came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// Nobody was there.
    Down,
    Refused(PayRefusal),
    Accepted,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    PreimageOut,
    Succeed(Msat),
    Fail(PayFailure),
}

impl Node {
    /// A node that is `fresh` has never paid for anybody.
    pub fn new(number: usize, fresh: bool) -> Self {
        let id = WalletId(format!("02{}", format!("{number:02x}").repeat(32)));
        Self {
            id,
            health: Health::Up,
            payments: BTreeMap::new(),
            foreign: (!fresh).then(|| foreign(number)),
            newest_index: 40,
        }
    }

    /// The problem of the whole node, if it has one.
    pub fn problem(&self) -> Option<NodeProblem> {
        match self.health {
            Health::Up => None,
            Health::Down => Some(ProblemKind::Unreachable("connection refused".to_owned()).into()),
            Health::Starting => Some(ProblemKind::Starting.into()),
            Health::Locked => Some(ProblemKind::Locked.into()),
        }
    }

    /// The newest payment that it remembers as settled.
    pub fn newest_settled(&self) -> Option<PaymentHash> {
        let settled = self.payments.iter().filter(|(_, payment)| payment.status == Status::Succeeded);
        let newest = settled.max_by_key(|(_, payment)| payment.index).map(|(hash, _)| *hash);
        newest.or(self.foreign.map(|(hash, _)| hash))
    }

    /// What it remembers of its own payments, oldest first.
    pub fn list(&self, amount_of: impl Fn(&PaymentHash) -> Msat) -> Vec<Listed> {
        let mut payments: Vec<_> = self.payments.iter().collect();
        payments.sort_by_key(|(_, payment)| payment.index);
        let listed = payments.into_iter().map(|(hash, payment)| Listed {
            hash: *hash,
            status: match payment.status {
                Status::InFlight => ListedStatus::Open,
                Status::Succeeded => ListedStatus::Settled,
                Status::Failed(_) => ListedStatus::Failed,
            },
            amount: amount_of(hash),
            fee: payment.fee,
        });
        listed.collect()
    }

    pub fn has_in_flight(&self) -> bool {
        self.payments.values().any(|payment| payment.status == Status::InFlight)
    }

    /// What it says of a hash.
    pub fn found(&self, hash: &PaymentHash) -> Found {
        let Some(payment) = self.payments.get(hash) else { return self.found_foreign(hash) };
        let preimage = Preimage::verify(payment.preimage, hash);
        match (&payment.status, preimage) {
            (Status::Succeeded, Ok(preimage)) => {
                Found::Settled(Settled { preimage, fee: payment.fee, payment_index: Some(payment.index) })
            }
            (Status::InFlight, Ok(preimage)) if payment.preimage_out => Found::PreimageKnown(preimage),
            (Status::InFlight, _) => Found::InFlight,
            (Status::Failed(why), _) => Found::Failed(*why),
            (Status::Succeeded, Err(_)) => Found::Unknown(ProblemKind::Other("no such preimage".to_owned()).into()),
        }
    }

    fn found_foreign(&self, hash: &PaymentHash) -> Found {
        let preimage = self.foreign.filter(|(known, _)| known == hash).and_then(|(_, preimage)| {
            let verified = Preimage::verify(preimage, hash);
            verified.ok()
        });
        preimage.map_or(Found::NotFound, |preimage| {
            Found::Settled(Settled { preimage, fee: Msat::new(1_000), payment_index: Some(40) })
        })
    }

    /// Goes back to a backup: everything after that index is forgotten.
    fn restore(&mut self, index: u64) {
        self.payments.retain(|_, payment| payment.index <= index);
        self.newest_index = index;
    }

    fn delete_history(&mut self) {
        self.payments.retain(|_, payment| payment.status == Status::InFlight);
        self.foreign = None;
    }
}

fn foreign(number: usize) -> (PaymentHash, [u8; 32]) {
    let preimage = [0xf0 | u8::try_from(number).unwrap_or(0xf); 32];
    (PaymentHash(Sha256::digest(preimage).into()), preimage)
}

/// Something that may befall a node, drawn whenever it is asked.
pub fn weather(world: &Rc<World>, at: usize) {
    if world.strikes(Fault::Restarts) && world.between(0, 5) == 0 {
        restart(world, at);
    }
    if world.strikes(Fault::Restored) && world.between(0, 5) == 0 {
        forget(world, at, true);
    }
    if world.strikes(Fault::HistoryDeleted) && world.between(0, 5) == 0 {
        forget(world, at, false);
    }
}

fn restart(world: &Rc<World>, at: usize) {
    if world.nodes[at].borrow().health != Health::Up {
        return;
    }
    world.note(|| format!("node {at} goes down"));
    set_health(world, at, Health::Down);
    let (down, starting) = (world.spread_ms(500, 900_000), world.between(100, 30_000));
    let locked = if world.between(0, 2) == 0 { world.spread_ms(1_000, 3_600_000) } else { 0 };
    world.timeline().after(down, move |world| set_health(world, at, Health::Starting));
    world.timeline().after(down + starting, move |world| set_health(world, at, Health::Locked));
    world.timeline().after(down + starting + locked, move |world| set_health(world, at, Health::Up));
}

fn set_health(world: &Rc<World>, at: usize, health: Health) {
    world.nodes[at].borrow_mut().health = health;
    match health {
        Health::Up => {}
        Health::Down => world.saw(Sight::NodeDown),
        Health::Starting => world.saw(Sight::NodeStarting),
        Health::Locked => world.saw(Sight::NodeLocked),
    }
    world.node_bell.ring();
}

/// A record that is lost can be noticed only where something is missing that the ledger knows to have settled there. A
/// node that loses nothing but what nobody knows of cannot be told from one that never paid, by anybody.
fn forget(world: &Rc<World>, at: usize, restored: bool) {
    let known = world.auditor.borrow().settled_in_ledger(at);
    let mut node = world.nodes[at].borrow_mut();
    let noticed: Vec<u64> = node
        .payments
        .iter()
        .filter(|(hash, payment)| known.contains(hash) && payment.status == Status::Succeeded)
        .map(|(_, payment)| payment.index)
        .collect();
    let Some(one) = noticed.get(usize::try_from(world.between(0, 1 << 20)).unwrap_or(0) % noticed.len().max(1)) else {
        // Nothing of the ledger's own is known to have settled there: what somebody else paid there is missing then, or there
        // never was anything.
        if restored && !node.payments.is_empty() {
            world.note(|| format!("node {at} is restored to nothing"));
            node.restore(0);
            node.foreign = None;
            world.saw(Sight::NodeForgotAll);
            world.auditor.borrow_mut().forgot_at[at] = Some(world.now());
        }
        return;
    };
    if restored {
        world.note(|| format!("node {at} is restored to before payment {one}"));
        node.restore(one - 1);
    } else {
        world.note(|| format!("the history of node {at} is deleted"));
        node.delete_history();
    }
    world.saw(if restored { Sight::NodeRestored } else { Sight::HistoryGone });
    world.auditor.borrow_mut().forgot_at[at] = Some(world.now());
}

/// A POST arrives.
pub fn post(world: &Rc<World>, at: usize, send: Send) -> Posted {
    // What befalls a record befalls it between requests: both copies of a doubled send meet the same one.
    if world.strikes(Fault::Restarts) && world.between(0, 5) == 0 {
        restart(world, at);
    }
    let hash = send.hash;
    let answer = answer_post(world, at, send);
    world.note(|| format!("node {at} gets a send of {}: {answer:?}", short(&hash)));
    answer
}

fn answer_post(world: &Rc<World>, at: usize, send: Send) -> Posted {
    let Send { hash, fee_limit, begun_at, macaroon_of, .. } = send;
    if let Some(problem) = world.nodes[at].borrow().problem() {
        return match problem.kind {
            ProblemKind::Unreachable(_) => Posted::Down,
            of_lnd => Posted::Refused(PayRefusal::Node(of_lnd.into())),
        };
    }
    if macaroon_of != at {
        return Posted::Refused(PayRefusal::Node(
            ProblemKind::Denied("the macaroon: it is another node's".to_owned()).into(),
        ));
    }
    if world.strikes(Fault::RefusesSend) {
        return Posted::Refused(PayRefusal::Other("something is wrong with it".to_owned()));
    }
    let Some(bill) = world.shop.borrow().bill(&hash) else {
        return Posted::Refused(PayRefusal::Other("no such invoice".to_owned()));
    };
    if world.node_time() >= bill.expires_at {
        return Posted::Refused(PayRefusal::InvoiceExpired);
    }
    let known = world.nodes[at].borrow().payments.get(&hash).map(|payment| payment.status.clone());
    match known {
        Some(status @ (Status::InFlight | Status::Succeeded)) => {
            world.saw(if status == Status::InFlight { Sight::InTransition } else { Sight::AlreadyPaid });
            Posted::Refused(PayRefusal::AlreadyKnown)
        }
        Some(Status::Failed(_)) | None => {
            let fate = fate(world, fee_limit);
            // The recipient takes no money twice. Whoever sends it anew to a node that has forgotten does so at the risk that
            // somebody on the way keeps the money; a send from before, or from just after the look-up that allowed it,
            // cannot be called back by anybody.
            let before_it_forgot =
                world.auditor.borrow().forgot_at[at].is_some_and(|forgot| begun_at <= forgot + LOOKED_MS);
            let stalled = before_it_forgot && world.auditor.borrow().may_be_settled(&hash);
            let refused = vec![(500, Step::Fail(PayFailure::IncorrectPaymentDetails))];
            accept(world, at, &bill, &send, if stalled { refused } else { fate });
            Posted::Accepted
        }
    }
}

fn accept(world: &Rc<World>, at: usize, bill: &Bill, send: &Send, fate: Vec<(i64, Step)>) {
    let (hash, fee_limit, amount, preimage) = (send.hash, send.fee_limit, bill.amount, bill.preimage);
    let begun_at = world.now();
    let late = send.abandoned.get();
    world.saw_if(late, Sight::ArrivedLate);
    let overtaken = world.auditor.borrow().has_failed_since(&hash, send.begun_at);
    world.saw_if(late && overtaken, Sight::ArrivedLateAfterFailure);
    let attempt = Attempt { hash, node: at, amount, limit: fee_limit, begun_at, fate: Fate::Live };
    let attempt = world.auditor.borrow_mut().begun(attempt);
    let broken = world.auditor.borrow().over_budget();
    if let Some(broken) = broken {
        world.violated(broken);
    }
    {
        let mut node = world.nodes[at].borrow_mut();
        node.newest_index += 1;
        let index = node.newest_index;
        let payment =
            Payment { attempt, status: Status::InFlight, preimage, preimage_out: false, fee: Msat::ZERO, index };
        node.payments.insert(hash, payment);
    }
    for (after, step) in fate {
        world.timeline().after(after, move |world| advance(world, at, hash, attempt, step));
    }
}

/// What will become of a payment, and when.
fn fate(world: &Rc<World>, fee_limit: Msat) -> Vec<(i64, Step)> {
    let soon = world.between(20, 4_000);
    for (fault, why) in [
        (Fault::NoRoute, PayFailure::NoRoute),
        (Fault::InsufficientBalance, PayFailure::InsufficientBalance),
        (Fault::OtherFailure, PayFailure::Error),
    ] {
        if world.strikes(fault) {
            return vec![(if world.between(0, 3) == 0 { world.between(1, 90_000) } else { soon }, Step::Fail(why))];
        }
    }
    let days = || world.between(3_600_000, 5 * 86_400_000);
    if world.strikes(Fault::StaysInFlightAndFails) {
        let after = if world.between(0, 1) == 0 { days() } else { world.spread_ms(1_000, 3_600_000) };
        return vec![(after, Step::Fail(PayFailure::Timeout))];
    }
    let at = if world.strikes(Fault::SettlesDaysLater) {
        days()
    } else if world.strikes(Fault::SettlesAfterPatience) {
        world.between(70_000, 1_200_000)
    } else {
        soon
    };
    let done = Step::Succeed(fee(world, fee_limit));
    if world.strikes(Fault::PartsInFlight) {
        let more = if world.between(0, 3) == 0 { days() } else { world.spread_ms(200, 600_000) };
        return vec![(at, Step::PreimageOut), (at + more, done)];
    }
    vec![(at, done)]
}

fn fee(world: &World, limit: Msat) -> Msat {
    let most = i64::try_from(limit.get()).unwrap_or(0);
    let msat = if world.strikes(Fault::FeeAboveCeiling) {
        most + world.between(1, 5_000)
    } else if world.strikes(Fault::FeeAtCeiling) {
        most
    } else {
        world.between(0, most / 2)
    };
    Msat::new(u64::try_from(msat).unwrap_or(0))
}

fn advance(world: &Rc<World>, at: usize, hash: PaymentHash, attempt: usize, step: Step) {
    world.note(|| format!("node {at}, {}: {step:?}", short(&hash)));
    match step {
        Step::PreimageOut => {
            world.saw(Sight::PreimageFirst);
            pay_out(world, hash, attempt);
        }
        Step::Succeed(fee) => {
            pay_out(world, hash, attempt);
            let limit = world.auditor.borrow().attempts()[attempt].limit;
            world.saw_if(fee == limit, Sight::PostedAtCeiling);
            world.saw_if(fee > limit, Sight::PostedAboveCeiling);
            world.auditor.borrow_mut().posted(attempt, fee);
        }
        Step::Fail(_) => world.auditor.borrow_mut().failed(attempt),
    }
    match world.nodes[at].borrow_mut().payments.get_mut(&hash) {
        Some(payment) if payment.attempt == attempt => match step {
            Step::PreimageOut => payment.preimage_out = true,
            Step::Succeed(fee) => {
                (payment.status, payment.preimage_out, payment.fee) = (Status::Succeeded, true, fee);
            }
            Step::Fail(why) => payment.status = Status::Failed(why),
        },
        Some(_) | None => world.saw_if(matches!(step, Step::Succeed(_)), Sight::SettledForgotten),
    }
    world.node_bell.ring();
}

/// The money is gone: the shop has it.
fn pay_out(world: &Rc<World>, hash: PaymentHash, attempt: usize) {
    let took_ms = world.now() - world.auditor.borrow().attempts()[attempt].begun_at;
    world.saw_if(took_ms > PATIENCE_MS, Sight::SettledUnheard);
    world.saw_if(took_ms > DAY_MS, Sight::SettledDaysLater);
    world.shop.borrow_mut().is_paid(&hash, world.now());
    let request = world.shop.borrow().requests_of(&hash).first().copied();
    world.note(|| {
        let request = request.map(|request| data_encoding::HEXLOWER.encode(&request[..4]));
        format!("{} is paid, for the request {}", short(&hash), request.unwrap_or_default())
    });
    let broken = world.auditor.borrow_mut().settled(attempt, request.as_ref());
    if let Some(broken) = broken {
        world.violated(broken);
    }
    let broken = world.auditor.borrow().over_budget();
    if let Some(broken) = broken {
        world.violated(broken);
    }
}

/// The beginning of a hash, for the trace.
pub fn short(hash: &PaymentHash) -> String {
    hash.hex().chars().take(8).collect()
}
