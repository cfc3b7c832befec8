//! Draining, leaving, one round, giving up.

use std::time::Duration;

use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, World, wishes};
use crate::event::Event;
use crate::every::every;
use crate::payer::PayFailure;
use crate::purchase::JobState;
use crate::run::{Clock, Control, Controller, DrainCause};
use crate::time::UnixMs;

async fn drained_after(world: &World, ms: u64) {
    let (controller, control) = Controller::new();
    let drain = async {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        controller.drain(DrainCause::Interrupted);
        world.clock.now()
    };
    let (outcome, told_at) = tokio::join!(world.try_buy(20 * MINUTE, control), drain);
    assert_eq!(outcome.unwrap().drained, Some(DrainCause::Interrupted));
    nothing_begins_after(world, told_at);
}

fn nothing_begins_after(world: &World, told_at: UnixMs) {
    let made = world.ledger.made.borrow();
    let late: Vec<_> = made.iter().filter(|(at, word)| word == "intend" && *at > told_at.plus_ms(1)).collect();
    assert!(late.is_empty(), "told at {told_at}, and {late:?}");
}

/// The host is paced, and one of its challenges takes its time: jobs hold slots and wait, and one is being asked for.
pub(super) async fn once_nothing_more_is_bought_whoever_waits_for_its_turn_begins_nothing() {
    for ms in (0..4_000).step_by(370) {
        let mut world = World::new(&wishes(12));
        world.settings.payments_in_flight = 8;
        world.settings.requests_per_second = std::num::NonZeroU32::new(2);
        world.shop.script(Kind::Ask, "j001", [Act::Slow(900)]);
        world.shop.script(Kind::Ask, "j003", [say(500, "{}")]);
        let (controller, control) = Controller::new();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            controller.stop_buying();
            world.clock.now()
        };
        let (outcome, told_at) = tokio::join!(world.try_buy(20 * MINUTE, control), stop);
        assert_eq!(outcome.unwrap().drained, None);
        nothing_begins_after(&world, told_at);
        let seen = world.shop.seen.borrow().clone();
        // What was on its way when it was told arrives.
        let late = seen.iter().find(|(kind, _, at)| *kind == Kind::Ask && at.since_ms(told_at) > 40);
        assert_eq!(late, None, "told at {told_at}");
        world.audit();
        assert!(world.in_state(JobState::Pending) >= 4, "told after {ms} ms: {:?}", world.standing());
        let (pending, delivered) = (world.in_state(JobState::Pending), world.in_state(JobState::Delivered));
        assert_eq!(pending + delivered, 12, "what is open goes on to its end: {:?}", world.standing());
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
}

pub(super) async fn draining_at_any_moment_buys_nothing_new_and_loses_nothing() {
    for ms in (0..2_000).step_by(37 * every(8)) {
        let mut world = World::new(&wishes(12));
        world.settings.jobs_in_flight = 4;
        world.settings.payments_in_flight = 2;
        world.shop.script(Kind::Ask, "j002", [Act::Slow(400)]);
        world.shop.script(Kind::Ask, "j003", [Act::Drop, Act::Drop]);
        world.shop.script(Kind::Redeem, "j004", [Act::Accept]);
        world.node.script_for("j005", [Fate::Lost]);
        drained_after(&world, ms).await;
        world.audit();
        assert_eq!(world.in_state(JobState::Running), 0, "payments end: {:?}", world.standing());
        assert_eq!(world.in_state(JobState::Failed) + world.in_state(JobState::Refused), 0, "{:?}", world.standing());
        for wish in wishes(12) {
            let paid = world.node.settled_by_prompt().contains_key(&wish.id);
            assert!(!paid || !world.shop.times(Kind::Redeem, &wish.id).is_empty(), "{} was not redeemed once", wish.id);
        }
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
}

pub(super) async fn leaving_at_any_moment_loses_nothing() {
    for ms in (0..2_000).step_by(37 * every(8)) {
        let mut world = World::new(&wishes(12));
        world.settings.jobs_in_flight = 4;
        world.settings.payments_in_flight = 2;
        world.shop.script(Kind::Redeem, "j004", [Act::Accept]);
        world.node.script_for("j002", [Fate::Deaf(Box::new(Fate::SettleLate(5_000)))]);
        let (controller, control) = Controller::new();
        let leave = async {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            controller.leave();
        };
        let (outcome, ()) = tokio::join!(world.try_buy(MINUTE, control), leave);
        assert!(outcome.unwrap().left || world.in_state(JobState::Delivered) == 12);
        for _ in 0..2 {
            world.buy(HOUR).await;
            world.audit();
        }
        world.audit_all_delivered();
    }
}

/// Once nothing more is bought in a run, no node's recovery lets it buy on.
pub(super) async fn nothing_is_resumed_where_nothing_more_is_bought() {
    let resumed = |world: &World| world.heard.0.borrow().iter().filter(|event| matches!(event, Event::Resumed)).count();
    // Before the node is probed, and while it is.
    for ms in (1_000..5_000).step_by(500).chain((5_200..5_500).step_by(10)) {
        let world = World::new(&wishes(2));
        world.node.script_for("j001", [Fate::SettleLate(20_000)]);
        world.node.script_for("j002", [Fate::Fail(PayFailure::InsufficientBalance)]);
        let (controller, control) = Controller::new();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            controller.stop_buying();
            resumed(&world)
        };
        let (outcome, before) = tokio::join!(world.try_buy(HOUR, control), stop);
        outcome.unwrap();
        assert_eq!(resumed(&world), before, "nothing more was bought from {ms} ms on");
        world.audit();
    }
}

pub(super) async fn one_round_brings_every_open_job_one_step_on() {
    let world = World::new(&wishes(3));
    world.node.script_for("j001", [Fate::SettleLate(1_000_000)]);
    world.shop.always(Kind::Redeem, "j002", Act::Drop);
    world.shop.always(Kind::Redeem, "j003", Act::Accept);
    world.shop.always(Kind::Poll, "j003", Act::Accept);
    world.buy(3 * HOUR).await;
    let polls = world.shop.times(Kind::Poll, "j003").len();
    world.shop.mend();
    world.try_buy(MINUTE, Control::one_round()).await.unwrap();
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Poll, "j003").len(), polls + 1);
}

pub(super) async fn with_nothing_left_but_doubt_the_run_waits_as_long_as_it_says() {
    let mut world = World::new(&wishes(2));
    world.settings.wait_doubt_ms = 300_000;
    world.node.script_for("j001", [Fate::Stuck]);
    let begun = world.clock.now();
    world.buy(HOUR).await;
    let took = world.clock.now().since_ms(begun);
    assert!((300_000..500_000).contains(&took), "{took} ms");

    let world = World::new(&wishes(1));
    world.node.script([Fate::PreimageFirst(i64::MAX / 4)]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001").0, JobState::Delivered, "a fee that is not known yet does not keep a run alive");
}

pub(super) async fn a_run_that_drains_does_not_sit_out_the_wish_of_a_host() {
    let world = World::new(&wishes(2));
    for kind in [Kind::Redeem, Kind::Poll] {
        world.shop.always(kind, "j001", Act::Accept);
    }
    world.shop.always(Kind::Redeem, "j002", Act::Drop);
    world.buy(3 * HOUR).await;
    let alone = Act::Say(429, vec![("retry-after", "3600".to_owned())], "{}".to_owned());
    world.shop.script(Kind::Poll, "j001", [alone.clone()]);
    world.shop.script(Kind::Redeem, "j002", [alone]);
    let begun = world.clock.now();
    let (controller, control) = Controller::new();
    let drain = async {
        tokio::time::sleep(Duration::from_millis(MINUTE)).await;
        controller.drain(DrainCause::Interrupted);
    };
    let (outcome, ()) = tokio::join!(world.try_buy(HOUR, control), drain);
    assert!(outcome.is_ok());
    assert!(world.clock.now().since_ms(begun) < 70_000);
    world.audit();
}
