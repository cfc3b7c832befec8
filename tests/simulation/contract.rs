//! The contract of every payer, kept by the simulated node: one world for each course that a payment can take, and nothing else goes
//! wrong in it.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use l402_batch::l402::{Invoice, PaymentHash, Scheme, Token};
use l402_batch::ledger::port::{Batches, Loading};
use l402_batch::ledger::sqlite::SqliteLedger;
use l402_batch::ledger::{
    BatchStart, Caps, Committed, DurableIntent, InlineLedger, IntentBounds, JobKey, Ledger, NewBatch, NewIntent,
    Record, Retake,
};
use l402_batch::payer::Payer;
use l402_batch::payer::contract::{Course, Subject, holds};
use l402_batch::plan::PlannedJob;
use l402_batch::purchase::Request;

use super::faults::{Fault, Faults};
use super::liars::Liar;
use super::payer::SimPayer;
use super::plan::Plan;
use super::rng::Rng;
use super::shop;
use super::timeline::{Driven, drive};
use super::world::World;

const SEED: u64 = 1;
const STEPS_MAX: u64 = 100_000;

/// The simulated node, and a ledger that makes the intents.
struct Simulated {
    world: Rc<World>,
    payer: SimPayer,
    course: Course,
    ledger: InlineLedger<SqliteLedger>,
    jobs: Vec<PlannedJob>,
    next: Cell<usize>,
}

impl Simulated {
    fn new(course: Course, liar: Liar) -> Self {
        let mut faults = Faults::none();
        match course {
            Course::Settles => {}
            Course::Fails => faults.set(Fault::NoRoute, 1_000),
            Course::Stays => faults.set(Fault::SettlesDaysLater, 1_000),
        }
        let world = World::new(SEED, faults, false);
        let jobs = Plan::draw(&mut Rng::new(SEED, 0), "june", 3).resolve(&world);
        let mut ledger = SqliteLedger::in_memory().expect("a ledger");
        let new = NewBatch { name: "june".into(), manifest: "/june.toml".into(), sandbox: false, adopt: false };
        let BatchStart::New(batch) = ledger.begin_batch(world.our_time(), &new).expect("a batch") else {
            panic!("a ledger that is not new")
        };
        let planned = jobs.iter().cloned().map(Ok::<_, Infallible>);
        ledger.load_plan(batch.key, world.our_time(), &Retake::default(), planned).expect("a plan");
        let payer = SimPayer { world: Rc::clone(&world), liar };
        Self { world, payer, course, ledger: InlineLedger::new(ledger), jobs, next: Cell::new(0) }
    }

    /// What asking for that job brings, as it is intended.
    async fn intended(&self, at: usize) -> NewIntent {
        let job = &self.jobs[at];
        let Ok(request) = Request::build(&job.endpoint, &job.params, |_, _| Ok::<_, Infallible>(()));
        let challenge = shop::ask(&self.world, &request);
        let challenge = challenge.header("www-authenticate").expect("a challenge");
        let text = challenge.split('"').nth(3).expect("an invoice").to_owned();
        let invoice = Invoice::read(&text).expect("an invoice");
        NewIntent {
            job: JobKey(i64::try_from(at + 1).expect("a key")),
            request,
            endpoint_url: job.endpoint.url.clone(),
            dedup: job.endpoint.dedup_policy(),
            scheme: Scheme::L402,
            token: Token::new("token".to_owned()),
            challenge: Vec::new(),
            invoice: text,
            hash: invoice.hash,
            amount: invoice.amount,
            fee_limit: job.fee_ceiling,
            payee: invoice.payee,
            network: invoice.network,
            node: self.payer.node().await.expect("a node").id,
            invoice_expires_at: invoice.expires_at,
            credential_expires_at: invoice.expires_at,
            caps: Caps::default(),
            bounds: IntentBounds::default(),
            reuse: None,
        }
    }
}

impl Subject for Simulated {
    type Payer = SimPayer;

    fn payer(&self) -> &SimPayer {
        &self.payer
    }

    async fn intent(&self, course: Course) -> Option<DurableIntent> {
        if course != self.course {
            return None;
        }
        let new = self.intended(self.next.replace(self.next.get() + 1)).await;
        let recorded = self.ledger.commit(self.world.our_time(), Record::Intend(Box::new(new))).await;
        match recorded.expect("a record").committed {
            Committed::Intent(intent) => Some(intent),
            other => panic!("no intent: {other:?}"),
        }
    }

    fn received(&self, hash: &PaymentHash) -> Option<usize> {
        let auditor = self.world.auditor.borrow();
        Some(auditor.attempts().iter().filter(|attempt| attempt.hash == *hash && attempt.is_settled()).count())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.world.now()).expect("a time")
    }
}

fn kept(course: Course, liar: Liar) -> Result<(), String> {
    let mut subject = Simulated::new(course, liar);
    let world = Rc::clone(&subject.world);
    match drive(&world, holds(&mut subject), STEPS_MAX) {
        Driven::Done(kept) => kept,
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn the_simulated_node_keeps_the_contract() {
    for course in [Course::Settles, Course::Fails, Course::Stays] {
        assert_eq!(kept(course, Liar::Nobody), Ok(()), "{course:?}");
    }
}

/// The payers that lie in the simulation are no payers.
#[test]
fn a_payer_that_lies_does_not() {
    for (liar, course) in [
        (Liar::ForgetfulPayer, Course::Settles),
        (Liar::FlatteringPayer, Course::Settles),
        (Liar::DreamingPayer, Course::Settles),
        (Liar::DreamingPayer, Course::Fails),
        (Liar::HopefulPayer, Course::Settles),
    ] {
        assert!(kept(course, liar).is_err(), "{liar:?}, {course:?}");
    }
}
