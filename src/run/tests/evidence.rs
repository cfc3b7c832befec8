//! What speaks against a person's decision on an open payment.

use super::node::{Fate, Node};
use super::world::{HOLD, HOUR, MINUTE, START, World, wishes};
use crate::l402::PaymentHash;
use crate::ledger::port::{Decisions, Views};
use crate::ledger::{DeadProof, Decided, Decision, DurableIntent, Ledger, OpenStage};
use crate::money::Msat;
use crate::payer::{NodeProblem, PayFailure, PayRefusal, Payer};
use crate::purchase::{JobState, Reason};
use crate::run::{Evidence, evidence};
use crate::time::UnixMs;

const FAILED: &str = "the node says that it failed";

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

/// What the command asks, with the ledger's own history check.
async fn ask<P: Payer>(
    world: &World,
    payer: Option<&P>,
    intent: &DurableIntent,
    now: UnixMs,
) -> Result<Evidence, NodeProblem> {
    let history_check = world.ledger.history_check(intent.node(), intent.payment()).await.unwrap();
    evidence(payer, intent, &history_check, now).await
}

/// The invoices of the scripted shop live an hour.
const LATE: UnixMs = START.plus_ms(3 * 3_600_000);

pub(super) async fn a_payment_that_the_node_has_is_never_taken_as_not_made() {
    let (world, intent) = doubtful(vec![Fate::Stuck]).await;
    let heard = ask(&world, Some(&*world.node), &intent, LATE).await;
    assert_eq!(heard, Ok(Evidence::Contradicts("is on its way")));
}

pub(super) async fn while_a_post_may_still_arrive_it_is_no_proof_that_the_node_has_not_paid() {
    let stalled = || Fate::Stalled(50 * 60_000, Box::new(Fate::Settle));
    let (world, intent) = doubtful(vec![stalled(), Fate::Fail(PayFailure::NoRoute)]).await;
    let heard = ask(&world, Some(&*world.node), &intent, LATE).await;
    assert_eq!(heard, Ok(Evidence::Unproven(FAILED.to_owned())), "by the node's clock, not by ours");
    let unnamed = ask(&world, None::<&Node>, &intent, START.plus_ms(60_000)).await;
    assert!(matches!(unnamed, Ok(Evidence::Unproven(_))), "{unnamed:?}");
    tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
    assert_eq!(ask(&world, Some(&*world.node), &intent, START).await, Ok(Evidence::Contradicts("has settled")));
}

/// The date of an answer may be a proxy's, and a clock that is ahead comes back.
pub(super) async fn an_invoice_has_expired_only_by_both_clocks() {
    let stalled = || Fate::Stalled(5 * 60 * 60_000, Box::new(Fate::Settle));
    let (world, intent) = doubtful(vec![stalled(), Fate::Fail(PayFailure::NoRoute)]).await;
    tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    let early = ask(&world, Some(&*world.node), &intent, START.plus_ms(60_000)).await;
    assert!(matches!(early, Ok(Evidence::Unproven(_))), "the node's alone: {early:?}");
    let heard = ask(&world, Some(&*world.node), &intent, LATE).await;
    assert_eq!(heard, Ok(Evidence::Proven(DeadProof::FailedAndExpired, FAILED.to_owned())));
}

pub(super) async fn a_node_that_is_gone_proves_nothing_however_late() {
    let (world, intent) = doubtful(vec![Fate::Stuck]).await;
    world.node.id.replace("03other0000000000000".to_owned());
    let heard = ask(&world, Some(&*world.node), &intent, LATE).await;
    assert!(matches!(&heard, Ok(Evidence::Unproven(words)) if words.contains("and node 03other")), "{heard:?}");
    world.node.down.set(true);
    assert!(
        ask(&world, Some(&*world.node), &intent, LATE).await.is_err(),
        "a named node that cannot be asked decides nothing"
    );
    assert!(matches!(ask(&world, None::<&Node>, &intent, LATE).await, Ok(Evidence::Unproven(_))));
}

/// A node that was restored from a backup cannot say that it has not paid.
pub(super) async fn a_node_that_has_forgotten_is_no_proof_that_it_has_not_paid() {
    let (world, intent) = doubtful(vec![Fate::Stuck]).await;
    assert!(intent.accepted() && intent.sends_answered() == intent.sends_begun(), "it was on its way, and answered");
    world.node.forgot_to.set(1);
    let heard = ask(&world, Some(&*world.node), &intent, START.plus_ms(60_000)).await;
    assert!(matches!(&heard, Ok(Evidence::Unproven(words)) if words.contains("forgotten")), "{heard:?}");

    // It refused the POST, and has since forgotten what it had settled before.
    let mut world = World::new(&wishes(2));
    world.settings.limit = Some(1);
    world.buy(HOUR).await;
    world.settings.limit = None;
    world.settings.wait_doubt_ms = 5_000;
    world.node.script([Fate::Refuse(PayRefusal::Other("no".to_owned()))]);
    let fall = async {
        while world.node.posts.get() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        world.node.down.set(true);
    };
    let (_, ()) = tokio::join!(world.buy(HOUR), fall);
    world.node.down.set(false);
    let OpenStage::Intended(intent) = world.ledger.open_jobs(None).await.unwrap().remove(0).stage else { panic!() };
    assert!(!intent.accepted() && intent.sends_answered() == intent.sends_begun());
    let heard = ask(&world, Some(&*world.node), &intent, START).await;
    let words = "the node does not know it".to_owned();
    assert_eq!(heard, Ok(Evidence::Proven(DeadProof::NotFoundAndAnswered, words)));
    world.node.forgot_to.set(1);
    let heard = ask(&world, Some(&*world.node), &intent, START).await;
    assert!(matches!(&heard, Ok(Evidence::Unproven(words)) if words.contains("forgotten")), "{heard:?}");
}

const DAY: u64 = 24 * HOUR;

/// Long after every time lock, by the person's calendar.
const VERY_LATE: UnixMs = START.plus_ms(30 * 24 * 3_600_000);

fn decide(world: &World, decision: Decision) {
    let mut ledger = world.ledger();
    let ledger = ledger.sqlite();
    let job = ledger.undecided(world.batch, "j001").unwrap().unwrap();
    let decided = ledger.decide(VERY_LATE, job.job, decision, "a note", "nobody was asked", None).unwrap();
    assert_eq!(decided, Decided::Recorded);
}

fn receipts(world: &World) -> Vec<(PaymentHash, u32, bool)> {
    let mut receipts = Vec::new();
    let mut each = |row: crate::ledger::ReceiptRow| {
        receipts.push((row.hash, row.take, row.url.is_some()));
        Ok(())
    };
    world.ledger().sqlite().receipts(world.batch, &mut each).unwrap().unwrap();
    receipts
}

/// Whoever gave a payment up was wrong: what it paid for is redeemed after all, and has its receipt; and the run that finds it
/// buys nothing in its place.
pub(super) async fn what_was_given_up_and_settles_after_all_is_redeemed() {
    for (decision, take) in [(Decision::Unpaid, 1), (Decision::Lost, 1), (Decision::Rebuy, 2)] {
        for buys in [false, true] {
            let (world, intent) = doubtful(vec![Fate::SettleLate(2_000_000)]).await;
            decide(&world, decision);
            tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
            world.load_again();
            if buys {
                world.buy(10 * MINUTE).await;
            } else {
                world.recover(10 * MINUTE).await;
            }
            assert_eq!(receipts(&world), [(*intent.hash(), take, true)], "{decision:?}");
            assert_eq!(world.ledger().counts(world.batch).held.get(), 0);
            assert!(world.ledger.open_jobs(None).await.unwrap().is_empty());
            world.buy(10 * MINUTE).await;
            world.audit_all_delivered();
        }
    }
}

/// It settles only after its job was bought anew: both are delivered, both have their receipts.
pub(super) async fn what_settles_after_its_job_was_bought_anew_is_redeemed_too() {
    for decision in [Decision::Unpaid, Decision::Rebuy] {
        let (world, intent) = doubtful(vec![Fate::SettleLate(20 * DAY as i64)]).await;
        world.shop.want("j001", 2);
        decide(&world, decision);
        // Its own node is away; another one pays what the person has asked for.
        world.node.id.replace("03other0000000000000".to_owned());
        world.load_again();
        world.buy(10 * MINUTE).await;
        assert_eq!(world.state_of("j001"), (JobState::Pending, Reason::EarlierTake), "its time locks may still hold");
        tokio::time::sleep(std::time::Duration::from_millis(15 * DAY)).await;
        world.load_again();
        world.buy(10 * MINUTE).await;
        assert_eq!(world.state_of("j001").0, JobState::Delivered);
        world.node.id.replace("03payer0000000000000".to_owned());
        tokio::time::sleep(std::time::Duration::from_millis(6 * DAY)).await;
        world.recover(10 * MINUTE).await;
        let mut found = receipts(&world);
        found.sort_by_key(|(_, take, _)| *take);
        assert_eq!(found.len(), 2, "{decision:?}: {found:?}");
        assert!(found.iter().any(|(hash, ..)| hash == intent.hash()) && found.iter().all(|(.., url)| *url));
        assert!(world.ledger.open_jobs(None).await.unwrap().is_empty());
    }
}

/// Its node says that it was never paid: what was held for it is given back, without a person.
pub(super) async fn what_was_given_up_and_never_settles_gives_its_hold_back() {
    let (world, _) = doubtful(vec![Fate::Lost, Fate::Lost]).await;
    decide(&world, Decision::Lost);
    assert_eq!(world.ledger().counts(world.batch).held, Msat::new(HOLD));
    tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    world.recover(MINUTE).await;
    assert_eq!(world.ledger().counts(world.batch).held, Msat::ZERO);
    assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::Decided));
    assert!(world.ledger.open_jobs(None).await.unwrap().is_empty());
}

/// Nothing less than a settlement begins anew what a person has ended, and no run waits for it.
pub(super) async fn what_was_given_up_stays_so_while_it_is_not_paid() {
    for fate in [Fate::Stuck, Fate::Lost, Fate::Fail(PayFailure::NoRoute)] {
        let fates = vec![Fate::Stalled(5 * HOUR as i64, Box::new(Fate::Settle)), fate];
        let (world, _) = doubtful(fates).await;
        decide(&world, Decision::Lost);
        let posts = world.node.posts.get();
        for _ in 0..2 {
            world.buy(2_000).await;
            assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::Decided));
            world.node.down.set(true);
            world.recover(2_000).await;
            world.node.down.set(false);
            tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
        }
        assert_eq!(world.node.posts.get(), posts, "it is never sent again");
        assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::Decided));
    }
}
