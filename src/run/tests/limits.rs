//! Budget, breaker, gate, `limit` and `only`.

use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOLD, HOUR, MINUTE, PRICE, World, wishes};
use crate::ledger::OriginCaps;
use crate::money::Msat;
use crate::payer::{PayFailure, PayRefusal, ProblemKind};
use crate::purchase::{JobState, Reason};
use crate::run::{Controller, DrainCause, Whose};

pub(super) async fn many_workers_never_pass_the_limit() {
    for most in [0, HOLD - 1, HOLD, 5 * HOLD + 7, 12 * HOLD] {
        let mut world = World::new(&wishes(30));
        world.settings.budget.batch = Some(Msat::new(most));
        world.ledger.cap.set(Some((world.batch, Msat::new(most))));
        let fates = [Fate::SettleLate(9_000), Fate::Fail(PayFailure::NoRoute), Fate::Lost, Fate::Settle];
        world.node.script(fates.into_iter().cycle().take(24));
        let outcome = world.buy(HOUR).await;
        world.audit();
        let (reason, _) = outcome.limit_reached.unwrap();
        assert_eq!(reason, Reason::BatchLimit);
        let delivered = u64::try_from(world.in_state(JobState::Delivered)).unwrap();
        assert!(delivered * HOLD <= most + HOLD, "{delivered} within {most}");
        assert!(world.in_state(JobState::Pending) > 0);
        // The same again spends what the fees left, and no more.
        world.buy(HOUR).await;
        world.audit();
    }
}

pub(super) async fn a_whole_budget_buys_the_whole_plan() {
    let mut world = World::new(&wishes(30));
    let most = Msat::new(30 * HOLD);
    world.settings.budget.batch = Some(most);
    world.ledger.cap.set(Some((world.batch, most)));
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

/// Its jobs wait, and none of them is asked for any more; those of other origins go on.
pub(super) async fn a_limit_of_an_origin_holds_back_its_jobs_alone() {
    for (day, month) in [(Some(3 * HOLD), None), (None, Some(3 * HOLD))] {
        let mut all = wishes(24);
        all.iter_mut().step_by(2).for_each(|wish| wish.host = "other.example".to_owned());
        let mut world = World::new(&all);
        let caps = OriginCaps { day: day.map(Msat::new), month: month.map(Msat::new), ..OriginCaps::default() };
        world.settings.budget.origins = [("shop.example".to_owned(), caps)].into();
        let outcome = world.buy(HOUR).await;
        world.audit();
        assert_eq!(outcome.limit_reached, None, "{outcome:?}");
        let [held] = outcome.held_back.as_slice() else { panic!("{outcome:?}") };
        assert_eq!(held.whose, Whose::AllOfEndpoint("shop.example".to_owned()));
        let reason = if day.is_some() { Reason::OriginDayLimit } else { Reason::OriginMonthLimit };
        assert_eq!(held.reason, reason, "{outcome:?}");
        // Three for sure; a fourth as far as fees left room.
        assert!((15..=16).contains(&world.in_state(JobState::Delivered)), "{outcome:?}");
        world.settings.budget.origins.clear();
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
}

/// What is under way there is waited for: its delivery makes the origin known.
pub(super) async fn an_origin_that_never_delivered_gets_no_more_until_it_does() {
    let mut world = World::new(&wishes(12));
    world.settings.budget.new_origin = Some(Msat::new(HOLD));
    world.shop.always(Kind::Redeem, "shop.example", say(404, "{}"));
    let outcome = world.buy(HOUR).await;
    world.audit();
    assert_eq!(outcome.held_back[0].reason, Reason::NewOriginLimit, "{outcome:?}");
    assert_eq!((world.in_state(JobState::Paid), world.in_state(JobState::Pending)), (1, 11), "{outcome:?}");
    world.shop.mend();
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

/// However many wait: none is left to the next run while the first is under way.
pub(super) async fn more_jobs_of_a_new_origin_than_can_be_set_aside_wait_for_its_first_delivery() {
    let mut world = World::new(&wishes(1_100));
    world.settings.budget.new_origin = Some(Msat::new(HOLD));
    world.settings.payments_in_flight = 1;
    world.settings.jobs_in_flight = 1;
    world.shop.script(Kind::Redeem, "j001", [Act::Slow(60_000)]);
    let (controller, control) = Controller::new();
    let drain = async {
        tokio::time::sleep(std::time::Duration::from_millis(61_000)).await;
        controller.drain(DrainCause::Interrupted);
    };
    let (outcome, ()) = tokio::join!(world.try_buy(HOUR, control), drain);
    assert_eq!(outcome.unwrap().drained, Some(DrainCause::Interrupted));
    world.audit();
    for next in ["j001", "j002", "j003"] {
        assert_eq!(world.state_of(next).0, JobState::Delivered, "the manifest's order: {next}");
    }
}

pub(super) async fn what_costs_more_than_one_job_may_at_its_origin_is_not_asked_for() {
    let mut world = World::new(&wishes(2));
    let caps = OriginCaps { job: Some(Msat::new(HOLD - 1)), ..OriginCaps::default() };
    world.settings.budget.origins = [("shop.example".to_owned(), caps)].into();
    world.shop.always(Kind::Ask, "shop.example", Act::Slow(HOUR));
    world.buy(MINUTE).await;
    world.audit();
    assert_eq!(world.in_state(JobState::Refused), 2);
}

pub(super) async fn an_endpoint_that_delivers_nothing_gets_no_more() {
    let mut world = World::new(&wishes(30));
    world.settings.payments_in_flight = 1;
    world.settings.jobs_in_flight = 4;
    world.shop.always(Kind::Redeem, "shop.example", say(404, "{}"));
    let outcome = world.buy(HOUR).await;
    world.audit();
    let held = &outcome.held_back[0];
    assert_eq!(held.whose, Whose::AllOfEndpoint("shop.example".to_owned()), "{outcome:?}");
    assert_eq!(held.reason, Reason::AwaitingDelivery, "what is paid is offered to it again");
    let paid = world.in_state(JobState::Paid);
    assert!((3..=4).contains(&paid), "{paid}");
    world.shop.mend();
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

/// An origin that takes the money and then says nothing for a quarter of an hour has not sold to all that could be in flight.
pub(super) async fn an_endpoint_that_has_still_to_deliver_is_tried_with_a_few() {
    let world = World::new(&wishes(30));
    world.shop.always(Kind::Redeem, "shop.example", Act::Slow(15 * MINUTE));
    let watch = async {
        tokio::time::sleep(std::time::Duration::from_millis(14 * MINUTE)).await;
        let early = world.node.settled_by_prompt().len();
        tokio::time::sleep(std::time::Duration::from_millis(10 * MINUTE)).await;
        (early, world.node.settled_by_prompt().len())
    };
    let (_, paid) = tokio::join!(world.buy(HOUR), watch);
    // Slow is not bad: with the first delivery the rest is bought, all together.
    assert_eq!(paid, (3, 30), "paid before the first delivery, and after it");
    world.audit_all_delivered();
}

/// What never came to a payment says nothing about who delivers.
pub(super) async fn refusals_and_failures_do_not_use_up_the_first_few() {
    let world = World::new(&wishes(20));
    for id in ["j001", "j002", "j003", "j004", "j005"] {
        world.shop.script(Kind::Ask, id, [say(400, r#"{"error":"no","error_code":"INVALID_INPUT"}"#)]);
    }
    world.node.script_for("j006", std::iter::repeat_n(Fate::Fail(PayFailure::NoRoute), 20));
    world.node.script_for("j007", [Fate::Stuck]);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!(world.in_state(JobState::Delivered), 13);
}

/// Some origins answer 402 for a moment after the payment: that opens the breaker, and the first delivery closes it.
pub(super) async fn a_breaker_that_closes_again_leaves_no_job_behind() {
    let mut world = World::new(&wishes(30));
    world.settings.payments_in_flight = 3;
    for id in ["j001", "j002", "j003"] {
        world.shop.script(Kind::Redeem, id, [say(402, "{}"), say(402, "{}")]);
    }
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

pub(super) async fn a_node_that_is_down_pauses_the_run_and_ends_it_after_the_patience() {
    let world = World::new(&wishes(60));
    let fall = async {
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        world.node.down.set(true);
    };
    let (outcome, ()) = tokio::join!(world.buy(HOUR), fall);
    assert!(outcome.node_unusable.is_some(), "{outcome:?}");
    world.audit();
    let doubts = world.in_state(JobState::InDoubt) + world.in_state(JobState::Running);
    assert!(doubts <= 2 * world.settings.payments_in_flight, "{doubts} jobs are in doubt");
    assert_eq!(world.in_state(JobState::Failed) + world.in_state(JobState::Refused), 0, "no job fails by it");
    world.node.down.set(false);
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

pub(super) async fn a_node_that_comes_back_in_time_is_used_again() {
    let world = World::new(&wishes(60));
    let fall = async {
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        world.node.down.set(true);
        tokio::time::sleep(std::time::Duration::from_millis(5 * MINUTE)).await;
        world.node.down.set(false);
    };
    let (outcome, ()) = tokio::join!(world.buy(HOUR), fall);
    assert_eq!(outcome.node_unusable, None);
    world.audit_all_delivered();
}

pub(super) async fn channels_without_balance_end_the_run_after_the_patience() {
    let world = World::new(&wishes(10));
    world.node.script(std::iter::repeat_n(Fate::Fail(PayFailure::InsufficientBalance), 10_000));
    let outcome = world.buy(HOUR).await;
    assert!(outcome.node_unusable.is_some());
    assert_eq!(world.in_state(JobState::Pending), 10);
    world.audit();
}

/// What does not come is not waited for; what is under way may bring money back.
pub(super) async fn channels_that_hold_less_than_anything_left_costs_end_the_run_at_once() {
    let mut world = World::new(&wishes(4));
    world.settings.payments_in_flight = 2;
    world.settings.prices = [(PRICE, 4)].into();
    world.node.balance.set(Msat::new(PRICE.get() - 1));
    world.node.script([Fate::Settle]);
    world.node.script(std::iter::repeat_n(Fate::Fail(PayFailure::InsufficientBalance), 10_000));
    let outcome = world.buy(HOUR).await;
    let words = outcome.node_unusable.unwrap();
    assert!(
        words.starts_with("the node's channels hold ") && words.contains("the cheapest job that is left"),
        "{words}"
    );
    assert_eq!((world.in_state(JobState::Delivered), world.in_state(JobState::Pending)), (1, 3));
    assert!(world.node.posts.get() <= 4, "{}: none is tried again", world.node.posts.get());
    // With enough for a cheaper one, which the run does not come to, it waits as long as for any node.
    world.settings.prices = [(PRICE, 3), (Msat::new(1), 1)].into();
    let before = world.node.posts.get();
    let outcome = world.buy(HOUR).await;
    assert!(outcome.node_unusable.unwrap().contains("cannot send that much"));
    assert!(world.node.posts.get() > before + 3, "they are tried again");
    world.audit();
}

/// Its payment failed after all: it is left to buy, and may be what the channels still hold enough for.
pub(super) async fn what_comes_back_from_doubt_is_left_to_buy() {
    let late = || Fate::FailLate(PayFailure::InsufficientBalance, 90_000);
    // It is the cheapest that is left, and there is enough for it.
    let mut world = World::new(&wishes(1));
    world.settings.prices = [(PRICE, 1), (Msat::new(5 * PRICE.get()), 1)].into();
    world.node.balance.set(PRICE);
    world.node.script([late(), late()]);
    let outcome = world.buy(HOUR).await;
    assert_eq!(outcome.node_unusable, None);
    world.audit_all_delivered();
    // However often it comes back, it takes nothing of another job of its price away.
    let mut world = World::new(&wishes(2));
    world.settings.prices = [(PRICE, 2), (Msat::new(5 * PRICE.get()), 1)].into();
    world.node.balance.set(PRICE);
    world.node.script_for("j001", [late(), late()]);
    world.node.script_for("j002", [Fate::Fail(PayFailure::InsufficientBalance), late(), late()]);
    let outcome = world.buy(HOUR).await;
    assert_eq!(outcome.node_unusable, None);
    world.audit_all_delivered();
}

pub(super) async fn a_node_in_trouble_does_not_hold_a_run_that_has_nothing_to_buy() {
    let world = World::new(&wishes(3));
    world.node.script_for("j003", [Fate::SettleLate(80_000)]);
    let fall = async {
        tokio::time::sleep(std::time::Duration::from_millis(3_000)).await;
        world.node.down.set(true);
    };
    let (_, ()) = tokio::join!(world.buy(5 * MINUTE), fall);
    assert_eq!(world.state_of("j003").0, JobState::InDoubt);
}

pub(super) async fn limit_and_only_bound_what_is_bought() {
    let mut world = World::new(&wishes(10));
    world.settings.limit = Some(4);
    world.buy(HOUR).await;
    assert_eq!(world.in_state(JobState::Delivered), 4);
    world.settings.only = Some(["j003", "j009"].map(str::to_owned).into());
    world.buy(HOUR).await;
    assert_eq!(world.in_state(JobState::Delivered), 5);
    assert_eq!(world.state_of("j009").0, JobState::Delivered);
    world.audit();
}

/// The first two are what the question was about.
pub(super) async fn a_limit_means_the_first_jobs_also_where_one_has_to_wait() {
    let mut jobs = wishes(3);
    jobs[1].prompt = "j001".to_owned();
    let mut world = World::new(&jobs);
    world.shop.want("j001", 2);
    world.settings.limit = Some(2);
    world.buy(HOUR).await;
    let states = ["j001", "j002", "j003"].map(|id| world.state_of(id).0);
    assert_eq!(states, [JobState::Delivered, JobState::Delivered, JobState::Pending]);
    world.audit();
}

/// A challenge that comes while the node is in trouble cannot be paid at once: another one is asked for when it can.
pub(super) async fn a_challenge_that_comes_while_the_node_is_in_trouble_is_dropped() {
    let world = World::new(&wishes(2));
    world.node.script_for("j001", [Fate::Refuse(PayRefusal::Node(ProblemKind::Locked.into()))]);
    world.shop.script(Kind::Ask, "j002", [Act::Slow(1_000)]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let asks: Vec<_> = world
        .shop
        .seen
        .borrow()
        .iter()
        .filter(|(kind, id, _)| *kind == Kind::Ask && id == "j002")
        .map(|it| it.2)
        .collect();
    assert_eq!(asks.len(), 2, "{asks:?}");
    assert!(asks[1].since_ms(asks[0]) > 4_000, "after the pause: {asks:?}");
}
