//! The port to the payer, over the simulated network; and payers that lie.

use std::cell::Cell;
use std::rc::Rc;

use l402_batch::l402::{Network, PaymentHash, Preimage};
use l402_batch::ledger::DurableIntent;
use l402_batch::money::Msat;
use l402_batch::payer::{
    Found, InvoiceOrder, InvoiceState, ListedPage, LookUp, MadeInvoice, NodeInfo, NodeProblem, PayFailure, Payer,
    PaymentHistory, ProblemKind, Promises, Receiver, SendOutcome, SendReport, Settled,
};
use l402_batch::purchase::WalletId;
use l402_batch::time::UnixMs;

use super::bank;
use super::faults::Fault;
use super::liars::Liar;
use super::network::{Kind, Lost, exchange};
use super::node::{self, Posted, short, weather};
use super::timeline::sleep;
use super::world::World;

/// A unary call is given up after this long, in milliseconds.
const UNARY_MS: i64 = 30_000;
/// Once the preimage is out, the other parts get so long to settle, in milliseconds.
const PARTS_GRACE_MS: i64 = 1_000;

/// Who pays: the simulated node behind the simulated network.
pub struct SimPayer {
    pub world: Rc<World>,
    pub liar: Liar,
}

/// What a stream brought at its end, or when it broke.
enum Followed {
    Found(Found),
    Broken,
    Late,
}

/// Somebody waits for the answer to a POST, until this is dropped.
struct Waits(Rc<Cell<bool>>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl SimPayer {
    fn here(&self) -> usize {
        self.world.answering.get()
    }

    /// Follows a hash until its payment ends, the stream breaks, or time is up.
    async fn follow(&self, at: usize, hash: &PaymentHash, patience_ms: i64, preimage_ends: bool) -> Followed {
        let world = &self.world;
        let breaks_after = world.strikes(Fault::StreamBreaks).then(|| world.spread_ms(1, patience_ms.max(2)));
        let begun = world.now();
        let mut known: Option<Preimage> = None;
        let mut until = begun + breaks_after.unwrap_or(patience_ms).min(patience_ms);
        loop {
            let (found, problem) = {
                let node = world.nodes[at].borrow();
                (node.found(hash), node.problem())
            };
            if problem.is_some() {
                return Followed::Broken;
            }
            match self.as_told(found) {
                Found::InFlight => {}
                Found::PreimageKnown(preimage) if preimage_ends => {
                    return Followed::Found(Found::PreimageKnown(preimage));
                }
                Found::PreimageKnown(preimage) if known.is_none() => {
                    known = Some(preimage);
                    until = until.min(world.now() + PARTS_GRACE_MS);
                }
                Found::PreimageKnown(_) => {}
                Found::Settled(_) if world.strikes(Fault::WrongPreimage) => {
                    return Followed::Found(Found::Unknown(ProblemKind::Other("a wrong preimage".to_owned()).into()));
                }
                end @ (Found::Settled(_) | Found::Failed(_) | Found::Unknown(_)) => return Followed::Found(end),
                // The node lost its record while it was asked: its stream ends.
                Found::NotFound => return Followed::Broken,
            }
            if world.now() >= until {
                return match known {
                    Some(preimage) => Followed::Found(Found::PreimageKnown(preimage)),
                    None if breaks_after.is_some_and(|after| after < patience_ms) => Followed::Broken,
                    None => Followed::Late,
                };
            }
            tokio::select! {
                biased;
                () = world.node_bell.rung() => {}
                () = sleep(world, until - world.now()) => {}
            }
        }
    }

    /// What a payer that lies makes of the node's word.
    fn as_told(&self, found: Found) -> Found {
        match (self.liar, found) {
            (Liar::ForgetfulPayer, Found::NotFound) => Found::Failed(PayFailure::Error),
            (Liar::FlatteringPayer, Found::Settled(settled)) => Found::Settled(Settled { fee: Msat::ZERO, ..settled }),
            (Liar::DreamingPayer, Found::Settled(_) | Found::PreimageKnown(_) | Found::Failed(_)) => Found::InFlight,
            (_, found) => found,
        }
    }

    async fn first_word(&self, at: usize, hash: &PaymentHash) -> (Found, Option<UnixMs>) {
        let hash = *hash;
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| {
            weather(world, at);
            match refused(world, at) {
                Some(problem) => (Found::Unknown(problem), None),
                None => (world.nodes[at].borrow().found(&hash), Some(world.node_time())),
            }
        });
        match asked.await.map(|(found, node_time)| (self.as_told(found), node_time)) {
            Ok((Found::Settled(_), _)) if self.world.strikes(Fault::WrongPreimage) => {
                (Found::Unknown(ProblemKind::Other("a wrong preimage".to_owned()).into()), None)
            }
            Ok(heard) => heard,
            Err(lost) => (Found::Unknown(problem_of(lost)), None),
        }
    }
}

/// Why a node answers no call at all: it is not up, or the macaroon is another node's.
fn refused(world: &World, at: usize) -> Option<NodeProblem> {
    let foreign = || ProblemKind::Denied("the macaroon: it is another node's".to_owned()).into();
    let problem = world.nodes[at].borrow().problem();
    problem.or_else(|| (world.configured.get() != at).then(foreign))
}

fn problem_of(lost: Lost) -> NodeProblem {
    let kind = match lost {
        Lost::NotSent => ProblemKind::Unreachable("connection refused".to_owned()),
        Lost::Reset => ProblemKind::Unreachable("connection reset".to_owned()),
        Lost::TooLate => ProblemKind::Unreachable("no answer in time".to_owned()),
        Lost::Truncated => ProblemKind::Other("half a message".to_owned()),
        Lost::Proxy => ProblemKind::Other("HTTP 502 in a form that is not lnd's".to_owned()),
    };
    kind.into()
}

impl Payer for SimPayer {
    fn promises(&self) -> Promises {
        l402_batch::payer::lnd::PROMISES
    }

    async fn send(&self, intent: &DurableIntent, patience_ms: u64) -> SendReport {
        let (world, at, hash) = (&self.world, self.here(), *intent.hash());
        let abandoned = Rc::new(Cell::new(false));
        let (fee_limit, macaroon_of, begun_at) = (intent.fee_limit(), world.configured.get(), world.now());
        let send = node::Send { hash, fee_limit, begun_at, macaroon_of, abandoned: Rc::clone(&abandoned) };
        let _waits = Waits(abandoned);
        let patience_ms = i64::try_from(patience_ms).unwrap_or(i64::MAX);
        world.note(|| format!("-> send {}", short(&hash)));
        world.point("before a send").await;
        let begun = world.now();
        let posted = exchange(world, Kind::Send, patience_ms, move |world| {
            (node::post(world, at, send.clone()), world.node_time())
        });
        let posted = posted.await;
        world.point("after a send").await;
        let report = match posted {
            Err(lost) => unanswered(problem_of(lost)),
            Ok((Posted::Down, _)) => unanswered(ProblemKind::Unreachable("connection refused".to_owned()).into()),
            Ok((Posted::Refused(refusal), node_time)) => answered(SendOutcome::Refused(refusal), node_time),
            Ok((Posted::Accepted, node_time)) => {
                let left_ms = patience_ms - (world.now() - begun);
                let outcome = match self.follow(at, &hash, left_ms, true).await {
                    Followed::Found(Found::Settled(settled)) => SendOutcome::Settled(settled),
                    Followed::Found(Found::PreimageKnown(preimage)) => SendOutcome::PreimageKnown(preimage),
                    Followed::Found(Found::Failed(why)) => SendOutcome::Failed(why),
                    Followed::Found(Found::InFlight | Found::NotFound) | Followed::Late => SendOutcome::InFlight,
                    Followed::Found(Found::Unknown(problem)) => SendOutcome::InDoubt(problem.to_string()),
                    Followed::Broken => SendOutcome::InDoubt("the stream broke".to_owned()),
                };
                answered(outcome, node_time)
            }
        };
        world.note(|| format!("<- send {}: answered {}, {:?}", short(&hash), report.answered, report.outcome));
        world.point("after a payment").await;
        report
    }

    async fn look_up(&self, hash: &PaymentHash) -> LookUp {
        self.world.point("before a look-up").await;
        let (found, node_time) = self.first_word(self.here(), hash).await;
        self.world.note(|| format!("<- look-up {}: {found:?}", short(hash)));
        self.world.point("after a look-up").await;
        LookUp { found, node_time }
    }

    async fn track(&self, hash: &PaymentHash, patience_ms: u64) -> LookUp {
        let at = self.here();
        self.world.point("before tracking").await;
        let (mut found, node_time) = self.first_word(at, hash).await;
        if matches!(found, Found::InFlight | Found::PreimageKnown(_)) {
            let patience_ms = i64::try_from(patience_ms).unwrap_or(i64::MAX);
            found = match self.follow(at, hash, patience_ms, false).await {
                Followed::Found(found) => found,
                Followed::Late => Found::InFlight,
                Followed::Broken => Found::Unknown(ProblemKind::Unreachable("the stream broke".to_owned()).into()),
            };
        }
        self.world.note(|| format!("<- track {}: {found:?}", short(hash)));
        self.world.point("after tracking").await;
        LookUp { found, node_time }
    }

    async fn node(&self) -> Result<NodeInfo, NodeProblem> {
        let at = self.here();
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| {
            weather(world, at);
            match refused(world, at) {
                Some(problem) => Err(problem),
                None => Ok(info(world.nodes[at].borrow().id.clone(), world.node_time())),
            }
        });
        asked.await.unwrap_or_else(|lost| Err(problem_of(lost)))
    }

    async fn balance(&self) -> Result<Msat, NodeProblem> {
        Ok(Msat::new(u64::from(u32::MAX)))
    }

    fn history(&self) -> Option<&impl PaymentHistory> {
        Some(self)
    }

    fn receiver(&self) -> Option<&impl Receiver> {
        Some(self)
    }
}

impl PaymentHistory for SimPayer {
    async fn newest_settled(&self) -> Result<Option<PaymentHash>, NodeProblem> {
        let at = self.here();
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| match refused(world, at) {
            Some(problem) => Err(problem),
            None => Ok(world.nodes[at].borrow().newest_settled()),
        });
        asked.await.unwrap_or_else(|lost| Err(problem_of(lost)))
    }

    async fn list(&self, _after: u64) -> Result<ListedPage, NodeProblem> {
        let at = self.here();
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| match refused(world, at) {
            Some(problem) => Err(problem),
            None => {
                let amount_of =
                    |hash: &PaymentHash| world.shop.borrow().bill(hash).map_or(Msat::ZERO, |bill| bill.amount);
                Ok(ListedPage { payments: world.nodes[at].borrow().list(amount_of), next: None })
            }
        });
        asked.await.unwrap_or_else(|lost| Err(problem_of(lost)))
    }
}

impl Receiver for SimPayer {
    async fn add_invoice(&self, order: &InvoiceOrder) -> Result<MadeInvoice, NodeProblem> {
        let (at, order) = (self.here(), order.clone());
        self.world.point("before an invoice is made").await;
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| bank::add_invoice(world, at, &order));
        let made = asked.await.unwrap_or_else(|lost| Err(problem_of(lost)));
        self.world.point("after an invoice is made").await;
        made
    }

    async fn invoice(&self, hash: &PaymentHash) -> Result<InvoiceState, NodeProblem> {
        let (at, asked_for) = (self.here(), *hash);
        self.world.point("before an invoice is looked up").await;
        let asked = exchange(&self.world, Kind::Other, UNARY_MS, move |world| bank::look_up(world, at, &asked_for));
        let state = asked.await.unwrap_or_else(|lost| Err(problem_of(lost)));
        self.world.note(|| format!("<- invoice {}: {state:?}", short(hash)));
        self.world.point("after an invoice is looked up").await;
        match (self.liar, state) {
            (Liar::HopefulPayer, Ok(InvoiceState::Open)) => Ok(InvoiceState::Settled { received: Msat::new(1_000) }),
            (_, state) => state,
        }
    }

    fn when_denied(&self, _: Option<Network>) -> String {
        "the macaroon does not let the node make and look up invoices".to_owned()
    }
}

fn info(id: WalletId, node_time: UnixMs) -> NodeInfo {
    let network = l402_batch::l402::Network::Regtest;
    NodeInfo { id, network, synced: true, version: "0.20.0-beta".to_owned(), node_time: Some(node_time) }
}

fn unanswered(problem: NodeProblem) -> SendReport {
    SendReport { answered: false, outcome: SendOutcome::InDoubt(problem.to_string()), node_time: None }
}

fn answered(outcome: SendOutcome, node_time: UnixMs) -> SendReport {
    SendReport { answered: true, outcome, node_time: Some(node_time) }
}
