//! What speaks against a person's decision on an open payment.

use super::node::{Fate, Node};
use super::world::{HOUR, START, World, wishes};
use crate::ledger::{DurableIntent, JobState, Ledger, OpenStage};
use crate::payer::PayFailure;
use crate::run::{Evidence, evidence};
use crate::time::UnixMs;

async fn doubtful(fates: Vec<Fate>) -> (World, DurableIntent) {
    let mut world = World::new(&wishes(1));
    world.node.script(fates);
    world.settings.wait_doubt_ms = 5_000;
    world.settings.bounds.resends = 1;
    world.buy(HOUR).await;
    assert!(matches!(world.state_of("j001").0, JobState::InDoubt | JobState::Running), "{:?}", world.standing());
    let open = world.ledger.open_jobs(None).await.unwrap().remove(0);
    let OpenStage::Intended(intent) = open.stage else { panic!("{:?}", open.stage) };
    (world, intent)
}

/// The invoices of the scripted shop live an hour.
const LATE: UnixMs = START.plus_ms(3 * 3_600_000);

#[tokio::test(start_paused = true)]
async fn a_payment_that_the_node_has_is_never_taken_as_not_made() {
    let (world, intent) = doubtful(vec![Fate::Stuck]).await;
    let heard = evidence(Some(&*world.node), &intent, LATE).await;
    assert_eq!(heard, Ok(Evidence::Contradicts("is on its way")));
}

#[tokio::test(start_paused = true)]
async fn while_a_post_may_still_arrive_it_is_no_proof_that_the_node_has_not_paid() {
    let stalled = || Fate::Stalled(50 * 60_000, Box::new(Fate::Settle));
    let (world, intent) = doubtful(vec![stalled(), Fate::Fail(PayFailure::NoRoute)]).await;
    let until = intent.invoice_expires_at().plus_ms(120_000);
    let heard = evidence(Some(&*world.node), &intent, LATE).await;
    let failed = "the node says that it failed".to_owned();
    assert_eq!(heard, Ok(Evidence::MayStillArrive(until, failed)), "by the node's clock, not by ours");
    let unnamed = evidence(None::<&Node>, &intent, START.plus_ms(60_000)).await;
    assert!(matches!(unnamed, Ok(Evidence::MayStillArrive(at, _)) if at == until), "{unnamed:?}");
    tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
    assert_eq!(evidence(Some(&*world.node), &intent, START).await, Ok(Evidence::Contradicts("has settled")));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_leaves_the_word_to_the_person_once_the_invoice_has_expired() {
    let (world, intent) = doubtful(vec![Fate::Stuck]).await;
    world.node.id.replace("03other0000000000000".to_owned());
    let early = evidence(Some(&*world.node), &intent, START.plus_ms(60_000)).await;
    assert!(matches!(early, Ok(Evidence::MayStillArrive(..))), "{early:?}");
    let heard = evidence(Some(&*world.node), &intent, LATE).await;
    assert!(matches!(&heard, Ok(Evidence::Heard(words)) if words.contains("is not the one")), "{heard:?}");
    world.node.down.set(true);
    assert!(
        evidence(Some(&*world.node), &intent, LATE).await.is_err(),
        "a named node that cannot be asked decides nothing"
    );
    assert!(matches!(evidence(None::<&Node>, &intent, LATE).await, Ok(Evidence::Heard(_))));
}
