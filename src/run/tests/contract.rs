//! The contract of every payer, kept by the scripted node.

use std::convert::Infallible;

use super::node::{Fate, Node};
use super::shop::Shop;
use super::world::{START, World, endpoint, wishes};
use crate::catalog::Value;
use crate::l402::{PaymentHash, Scheme};
use crate::ledger::{DurableIntent, fixtures};
use crate::money::Msat;
use crate::origin::{ChallengeResponse, Origin, read_ask};
use crate::payer::contract::{Course, Subject, holds};
use crate::payer::{PayFailure, Payer};
use crate::purchase::Request;
use crate::run::Clock;

/// An invoice that the shop hands out.
pub(super) async fn invoice(shop: &Shop) -> String {
    let (endpoint, params) = (endpoint("shop.example"), [("prompt".to_owned(), Value::Text("a kite".to_owned()))]);
    let Ok(request) = Request::build(&endpoint, &params, |_, _| Ok::<_, Infallible>(()));
    let answer = shop.ask(&request, Scheme::L402).await.unwrap();
    let ChallengeResponse::Challenge(challenge) = read_ask(&answer, &endpoint) else { panic!("{answer:?}") };
    challenge.invoice
}

struct Scripted(World);

impl Subject for Scripted {
    type Payer = Node;

    fn payer(&self) -> &Node {
        &self.0.node
    }

    async fn intent(&self, course: Course) -> Option<DurableIntent> {
        self.0.node.script([match course {
            Course::Settles => Fate::Settle,
            Course::Fails => Fate::Fail(PayFailure::NoRoute),
            Course::Stays => Fate::Stuck,
        }]);
        let node = self.0.node.node().await.unwrap().id;
        Some(fixtures::intent_of(&invoice(&self.0.shop).await, Msat::new(10_000), &node))
    }

    fn received(&self, hash: &PaymentHash) -> Option<usize> {
        Some(self.0.node.times_settled(hash))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.clock.now().since_ms(START)).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_scripted_node_keeps_the_contract() {
    assert_eq!(holds(&mut Scripted(World::new(&wishes(1)))).await, Ok(()));
}

/// What a double may do wrong, the suite sees.
#[tokio::test(start_paused = true)]
async fn one_that_forgets_does_not() {
    let world = World::new(&wishes(1));
    world.node.forgot_to.set(u64::MAX);
    let broken = holds(&mut Scripted(world)).await.unwrap_err();
    assert!(broken.contains("NotFound"), "{broken}");
}
