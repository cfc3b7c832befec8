//! A till: the least wallet that can pay. It pays at once from what is in it, or says that there is too little; it keeps no record
//! over a restart, would pay an invoice twice, has no clock, takes a sat for each payment, and receives nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::contract::invoice;
use super::ledger::Stop;
use super::shop::{Act, Kind, Shop};
use super::world::{FakeClock, HOUR, PRICE, START, World, wishes};
use crate::event::Event;
use crate::l402::{Network, PaymentHash, Preimage};
use crate::ledger::port::Views;
use crate::ledger::{DurableIntent, fixtures};
use crate::money::Msat;
use crate::payer::contract::{Course, Subject, holds};
use crate::payer::{
    Answers, Expiry, Failures, FeeCeiling, Found, History, LookUp, LookUps, NodeInfo, NodeProblem, PayFailure, Payer,
    Promises, Repeats, SendOutcome, SendReport, Settled,
};
use crate::purchase::{JobState, Reason, WalletId};
use crate::run::{Clock, Controller, Outcome, Run, RunError};

const FEE: Msat = Msat::new(1_000);

struct Till {
    shop: Rc<Shop>,
    cash: Cell<u64>,
    /// Since it was started.
    remembered: RefCell<HashMap<PaymentHash, Found>>,
    /// What the recipient counts.
    paid: RefCell<Vec<PaymentHash>>,
}

impl Till {
    fn of(world: &World, cash: u64) -> Self {
        let (shop, cash) = (Rc::clone(&world.shop), Cell::new(cash));
        Self { shop, cash, remembered: RefCell::default(), paid: RefCell::default() }
    }
}

impl Payer for Till {
    fn promises(&self) -> Promises {
        Promises {
            repeats: Repeats::EachPays,
            answers: Answers::Own,
            failures: Failures::Final,
            look_ups: LookUps::Recent,
            history: History::Dropped,
            expiry: Expiry::Ignored,
            fee_ceiling: FeeCeiling::Own { ppm: 0, at_least: FEE },
            patience_ms_min: 0,
        }
    }

    async fn send(&self, intent: &DurableIntent, _: u64) -> SendReport {
        let (hash, cost) = (*intent.hash(), intent.amount().get() + FEE.get());
        let (found, outcome) = match self.cash.get().checked_sub(cost) {
            Some(left) => {
                self.cash.set(left);
                self.paid.borrow_mut().push(hash);
                let preimage = Preimage::verify(self.shop.secret_of(&hash), &hash).unwrap();
                let settled = Settled { preimage, fee: FEE, payment_index: None };
                (Found::Settled(settled.clone()), SendOutcome::Settled(settled))
            }
            None => {
                let failure = PayFailure::InsufficientBalance;
                (Found::Failed(failure), SendOutcome::Failed(failure))
            }
        };
        self.remembered.borrow_mut().insert(hash, found);
        SendReport { answered: true, outcome, node_time: None }
    }

    async fn look_up(&self, hash: &PaymentHash) -> LookUp {
        let found = self.remembered.borrow().get(hash).cloned().unwrap_or(Found::NotFound);
        LookUp { found, node_time: None }
    }

    async fn track(&self, hash: &PaymentHash, _: u64) -> LookUp {
        self.look_up(hash).await
    }

    async fn node(&self) -> Result<NodeInfo, NodeProblem> {
        let (id, version) = (WalletId("the till".to_owned()), "1".to_owned());
        Ok(NodeInfo { id, network: Network::Regtest, synced: true, version, node_time: None })
    }

    async fn balance(&self) -> Result<Msat, NodeProblem> {
        Ok(Msat::new(self.cash.get()))
    }
}

// ---- it keeps the contract, with promises of its own ----

struct InTheShop {
    till: Till,
    clock: FakeClock,
}

impl Subject for InTheShop {
    type Payer = Till;

    fn payer(&self) -> &Till {
        &self.till
    }

    async fn intent(&self, course: Course) -> Option<DurableIntent> {
        self.till.cash.set(match course {
            Course::Settles => 10 * PRICE.get(),
            Course::Fails => 1,
            Course::Stays => return None,
        });
        let till = self.till.node().await.unwrap().id;
        Some(fixtures::intent_of(&invoice(&self.till.shop).await, Msat::new(10_000), &till))
    }

    fn received(&self, hash: &PaymentHash) -> Option<usize> {
        Some(self.till.paid.borrow().iter().filter(|paid| *paid == hash).count())
    }

    fn restart(&mut self) {
        self.till.remembered.borrow_mut().clear();
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().since_ms(START)).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_till_keeps_the_contract() {
    let world = World::new(&wishes(1));
    let mut subject = InTheShop { till: Till::of(&world, 0), clock: world.clock };
    assert_eq!(holds(&mut subject).await, Ok(()));
}

// ---- and carries a batch ----

async fn buy(world: &World, till: &Till) -> Result<Outcome, RunError> {
    let (_controller, control) = Controller::new();
    // A run of its own.
    world.ledger.claimed.take();
    let run = Run {
        ledger: &world.ledger,
        payer: Some(till),
        origin: &*world.shop,
        clock: &world.clock,
        listener: &world.heard,
        settings: &world.settings,
        control,
    };
    let node = till.node().await.unwrap();
    let bought = tokio::time::timeout(std::time::Duration::from_millis(HOUR), run.buy(world.batch, node));
    bought.await.expect("the run ends")
}

/// Each of these was paid at most once, and what the recipient counts is what the ledger holds, to the msat.
fn audit(world: &World, till: &Till) {
    let paid = till.paid.borrow();
    for hash in paid.iter() {
        assert_eq!(paid.iter().filter(|other| *other == hash).count(), 1, "{hash} was paid twice");
    }
    world.ledger().check_money();
    let counts = world.ledger().counts(world.batch);
    let (count, price) = (u64::try_from(paid.len()).unwrap(), PRICE.get());
    assert!(count * (price + FEE.get()) <= counts.spent.get() + counts.fees.get() + counts.held.get());
    if counts.held == Msat::ZERO {
        assert_eq!((counts.spent.get(), counts.fees.get()), (count * price, count * FEE.get()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_bought_from_the_till_and_what_it_lacks_is_said() {
    let world = World::new(&wishes(5));
    let till = Till::of(&world, 100 * PRICE.get());
    buy(&world, &till).await.unwrap();
    assert_eq!(world.in_state(JobState::Delivered), 5, "{:?}", world.standing());
    audit(&world, &till);
    let heard = world.heard.0.borrow();
    let warned = heard.iter().filter(|event| matches!(event, Event::Warning { .. })).count();
    assert_eq!(warned, 6, "twice, look-ups, history, expiry, fees, refunds: {heard:?}");
}

/// Wherever the process stops: what it has paid and not recorded is a person's, and is never paid again.
#[tokio::test(start_paused = true)]
async fn what_the_till_has_forgotten_is_a_persons_and_is_never_paid_again() {
    let mut left_to_a_person = 0;
    for stop in (0..24).flat_map(|n| [Stop::Before(n), Stop::After(n)]) {
        let world = World::new(&wishes(2));
        let till = Till::of(&world, 100 * PRICE.get());
        world.ledger.stop.set(Some(stop));
        let _stopped = buy(&world, &till).await;
        world.ledger.stop.set(None);
        till.remembered.borrow_mut().clear();
        for _ in 0..2 {
            world.load_again();
            buy(&world, &till).await.unwrap();
        }
        audit(&world, &till);
        for (id, state, reason) in world.standing() {
            match (state, reason) {
                (JobState::Delivered, _) => {}
                (JobState::InDoubt, Reason::NoWitness) => left_to_a_person += 1,
                other => panic!("{stop:?}: {id} stands as {other:?}"),
            }
        }
    }
    assert!(left_to_a_person > 0, "it never happened");
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_not_claimed_through_the_till_and_the_job_says_so() {
    let world = World::new(&wishes(1));
    world.shop.script(Kind::Redeem, "j001", [Act::Refund]);
    let till = Till::of(&world, 100 * PRICE.get());
    buy(&world, &till).await.unwrap();
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundNotPermitted));
    let words = world.ledger().sqlite().refunds(None).unwrap()[0].words.clone().unwrap();
    assert!(words.contains("cannot receive"), "{words}");
    audit(&world, &till);
}

#[tokio::test(start_paused = true)]
async fn an_empty_till_fails_no_job() {
    let mut world = World::new(&wishes(2));
    world.settings.node_patience_ms = 30_000;
    let till = Till::of(&world, PRICE.get() + FEE.get());
    let outcome = buy(&world, &till).await.unwrap();
    assert!(outcome.node_unusable.is_some(), "{outcome:?}");
    assert_eq!((world.in_state(JobState::Delivered), world.in_state(JobState::Pending)), (1, 1));
    audit(&world, &till);
}
