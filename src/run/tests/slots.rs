//! Payment slots: none stands idle while there is something to pay for, and nothing is asked for long before it can be paid.

use super::ledger::Stop;
use super::node::Fate;
use super::shop::{Act, Kind};
use super::world::{HOUR, START, World, wishes};
use crate::payer::PayFailure;
use crate::run::Controller;
use crate::time::UnixMs;

const SLOTS: usize = 16;
/// So long an ask takes.
const ASK_MS: u64 = 200;

/// A world in which one payment after the other ends once the slots are full, each a while after the one before, and soon enough for
/// what stands in line.
fn staggered(jobs: usize) -> World {
    let mut world = World::new(&wishes(jobs));
    world.settings.payments_in_flight = SLOTS;
    world.settings.max_undelivered = 100;
    world.shop.always(Kind::Ask, "shop.example", Act::Slow(ASK_MS));
    world.node.script((0..jobs).map(|n| Fate::SettleLate(300 + 200 * i64::try_from(n).unwrap())));
    world
}

fn handed_over(world: &World, wanted: &str) -> Vec<UnixMs> {
    let made = world.ledger.made.borrow();
    let mut times: Vec<_> = made.iter().filter(|(_, word)| word == wanted).map(|(at, _)| *at).collect();
    times.sort();
    times
}

/// How long after each end of a payment the next POST began.
fn idle_ms(world: &World) -> Vec<i64> {
    let (sent, paid) = (world.node.sent.borrow(), handed_over(world, "paid"));
    sent.iter().skip(SLOTS).zip(paid).map(|((_, sent), paid)| sent.since_ms(paid)).collect()
}

pub(super) async fn a_challenge_stands_ready_when_a_slot_is_free() {
    let world = staggered(40);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let (idle, most) = (idle_ms(&world), i64::try_from(ASK_MS).unwrap());
    assert_eq!(idle.len(), 40 - SLOTS);
    assert!(idle.iter().all(|ms| (0..most / 4).contains(ms)), "no slot waits for an ask: {idle:?}");
    assert_eq!(world.node.sending_max.get(), SLOTS, "no more are at the node than are allowed");
    assert_eq!(world.shop.seen.borrow().len(), 2 * 40, "each is asked for once");
}

/// The next intent is handed over behind the answer: it does not wait until that is durable, and is never decided before it.
pub(super) async fn a_slot_is_free_once_its_answer_is_handed_over() {
    const COMMIT_MS: u64 = 300;
    let world = staggered(40);
    world.ledger.commit_ms.set(COMMIT_MS);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let (idle, commit_ms) = (idle_ms(&world), i64::try_from(COMMIT_MS).unwrap());
    assert!(
        idle.iter().all(|ms| (commit_ms..commit_ms + 50).contains(ms)),
        "its own intent and nothing else: {idle:?}"
    );
    let mut open = 0;
    for (at, word) in world.ledger.made.borrow().iter() {
        match word.as_str() {
            "intend" => open += 1,
            "paid" => open -= 1,
            _ => {}
        }
        assert!(open <= SLOTS, "{open} payments at {at}");
    }
}

/// Too old, or too near to the end of its invoice: what stood in line is asked for anew, with its slot in hand.
pub(super) async fn a_challenge_that_stood_in_line_for_too_long_is_asked_for_anew() {
    // Those that stood in line for the second round of payments, and none of the later ones, since payments take long; or since by then
    // half a minute was left of a whole second's invoices.
    for (pay_ms, expiry_s) in [(60_000, 3_600), (700, 31)] {
        let jobs = 3 * SLOTS + 2;
        let mut world = World::new(&wishes(jobs));
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        world.settings.max_undelivered = 100;
        world.shop.expiry_s.set(expiry_s);
        world.node.script((0..jobs).map(|_| Fate::SettleLate(pay_ms)));
        world.buy(HOUR).await;
        world.audit_all_delivered();
        let mut renewed = 0;
        for (prompt, at) in world.node.sent.borrow().iter() {
            let asks = world.shop.times(Kind::Ask, prompt);
            let age_ms = at.since_ms(*asks.last().unwrap());
            assert!(age_ms < 1_100, "{prompt} was asked for {age_ms} ms before its payment");
            renewed += asks.len() - 1;
        }
        assert_eq!(renewed, SLOTS / 8, "those that stood in line");
    }
}

fn asks(world: &World) -> usize {
    world.shop.seen.borrow().iter().filter(|(kind, ..)| *kind == Kind::Ask).count()
}

/// Ten payments are in doubt, and hold none of the sixteen slots: six more may begin at the node, and no more are asked for. What
/// stood in line when they fell into doubt looks before its intent.
pub(super) async fn what_the_node_would_not_take_is_not_asked_for() {
    let mut world = World::new(&wishes(40));
    world.settings.max_undelivered = 100;
    let doubt = Fate::Deaf(Box::new(Fate::Stuck));
    let fates = std::iter::repeat_n(doubt, 10).chain((0..30).map(|n| Fate::SettleLate(3_000 + 400 * n)));
    world.node.script(fates);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!((world.ledger.not_made(), world.node.posts.get()), (0, 40), "no intent is refused");
    assert!(asks(&world) <= 40 + SLOTS / 8, "{} were asked for", asks(&world));
}

/// Until it is dead the ledger holds it, and whoever took its slot would find the node full.
pub(super) async fn a_payment_that_failed_keeps_its_slot_until_it_is_dead() {
    let mut world = World::new(&wishes(40));
    world.settings.max_undelivered = 100;
    world.ledger.commit_ms.set(20);
    world.node.script((0..30).map(|n| Fate::FailLate(PayFailure::NoRoute, 300 + 30 * n)));
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.ledger.not_made(), 0, "no intent is refused");
}

/// The outcome of that commit is unknown: not even what is under way spends anything after it.
pub(super) async fn after_an_error_nothing_goes_on_while_the_next_one_is_admitted() {
    const LOOK_MS: u64 = 500;
    for number in 1.. {
        let mut world = World::new(&wishes(12));
        world.settings.max_undelivered = 100;
        world.ledger.look_ms.set(LOOK_MS);
        // None is delivered while others are admitted, so that each is looked at; and payments end in the middle of that.
        world.shop.always(Kind::Redeem, "shop.example", Act::Slow(20_000));
        world.node.script((0..12).map(|n| Fate::SettleLate(300 + 130 * n)));
        world.ledger.stop.set(Some(Stop::Before(number)));
        let (_controller, control) = Controller::new();
        if world.try_buy(HOUR, control).await.is_ok() {
            assert!(number > 3 * 12, "{number}");
            break;
        }
        let posts = world.node.sent.borrow().len();
        assert_eq!(world.ledger.commits(), number, "it was the last one; {posts} payments were sent");
        world.audit();
    }
}

/// Whoever waits for the ledger to admit the next job keeps none waiting that is under way.
pub(super) async fn jobs_go_on_while_the_next_one_is_admitted() {
    const LOOK_MS: i64 = 500;
    let mut world = World::new(&wishes(12));
    world.settings.max_undelivered = 100;
    world.ledger.look_ms.set(LOOK_MS.unsigned_abs());
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let first = world.node.sent.borrow()[0].1;
    // One look admits it, and one lets it be asked for.
    assert!(first.since_ms(START) < 3 * LOOK_MS, "{} ms", first.since_ms(START));
}
