//! Payments that are lost, late, in flight, failed; nodes that forget or are others.

use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, World, begin, wish, wishes};
use crate::money::Msat;
use crate::payer::{PayFailure, PayRefusal, ProblemKind};
use crate::purchase::{JobState, Reason};

async fn delivered_with(fates: &[Fate]) -> World {
    let world = World::new(&wishes(2));
    world.node.script_for("j001", fates.to_vec());
    for _ in 0..3 {
        world.buy(3 * HOUR).await;
        world.audit();
    }
    world.audit_all_delivered();
    world
}

pub(super) async fn whatever_becomes_of_a_post_it_is_paid_once() {
    let failed = || Fate::Fail(PayFailure::NoRoute);
    let variants = [
        vec![Fate::Lost],
        vec![Fate::Lost, Fate::Lost],
        vec![Fate::Lost, failed()],
        vec![Fate::Lost, failed(), Fate::Lost],
        vec![Fate::Deaf(Box::new(Fate::Settle))],
        vec![Fate::Deaf(Box::new(failed()))],
        vec![Fate::Deaf(Box::new(Fate::SettleLate(200_000)))],
        vec![Fate::SettleLate(90_000)],
        vec![Fate::SettleLate(100_000)],
        vec![Fate::FailLate(PayFailure::Timeout, 90_000)],
        vec![failed(), failed()],
        vec![Fate::Refuse(PayRefusal::Other("no".to_owned()))],
        vec![
            Fate::Refuse(PayRefusal::Node(ProblemKind::Locked.into())),
            Fate::Refuse(PayRefusal::Node(ProblemKind::Locked.into())),
        ],
        vec![Fate::PreimageFirst(30_000)],
        vec![Fate::Stalled(500, Box::new(Fate::Settle))],
        vec![Fate::Stalled(20_000, Box::new(Fate::Settle))],
        vec![Fate::Stalled(20_000, Box::new(failed()))],
        vec![Fate::Stalled(1_040, Box::new(Fate::Settle)), failed()],
        vec![Fate::Stalled(60_000, Box::new(Fate::Settle)), failed(), failed(), failed(), failed()],
        vec![Fate::Fail(PayFailure::InsufficientBalance), Fate::Fail(PayFailure::InsufficientBalance)],
    ];
    for fates in variants {
        delivered_with(&fates).await;
    }
}

/// Rule 2: the stalled POST arrives after the node has said FAILED to the one that was sent again.
pub(super) async fn a_stalled_post_that_arrives_after_a_failure_is_not_paid_again() {
    for stall in [5_000, 60_000, 600_000, 3_000_000] {
        let world = World::new(&wishes(1));
        let failed = || Fate::Fail(PayFailure::NoRoute);
        let stalled = Fate::Stalled(stall, Box::new(Fate::Settle));
        world.node.script([stalled, failed(), failed(), failed(), failed(), failed()]);
        for _ in 0..4 {
            world.buy(3 * HOUR).await;
            world.audit();
            tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
        }
        world.audit();
        assert_eq!(world.node.settled_by_prompt()["j001"], 1);
        assert_eq!(world.state_of("j001").0, JobState::Delivered, "stalled for {stall} ms");
    }
}

pub(super) async fn a_payment_that_stays_in_flight_ends_the_run_after_the_stated_wait_and_keeps_its_hold() {
    let world = World::new(&wishes(3));
    world.node.script_for("j002", [Fate::Stuck]);
    world.buy(10 * MINUTE).await;
    world.audit();
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::PaymentInFlight));
    assert_eq!(world.in_state(JobState::Delivered), 2);
    assert_eq!(world.ledger().counts(world.batch).held, Msat::new(510_000));
    world.buy(10 * MINUTE).await;
    assert_eq!(world.node.posts.get(), 3, "never paid anew");
}

pub(super) async fn doubt_gives_its_place_to_other_jobs() {
    let mut world = World::new(&wishes(6));
    world.settings.jobs_in_flight = 1;
    world.settings.payments_in_flight = 1;
    world.node.script_for("j001", [Fate::Stuck]);
    world.node.script_for("j003", [Fate::SettleLate(300_000)]);
    world.settings.wait_doubt_ms = 600_000;
    world.buy(HOUR).await;
    assert_eq!(world.in_state(JobState::Delivered), 5, "{:?}", world.standing());
}

/// A job whose identical request is in doubt waits for it; that is no reason for the run to go on for ever.
pub(super) async fn an_identical_request_of_a_job_in_doubt_does_not_keep_the_run_alive() {
    let mut wishes = wishes(2);
    wishes[1].prompt = "j001".to_owned();
    let world = World::new(&wishes);
    world.shop.want("j001", 2);
    world.node.script_for("j001", [Fate::Stuck]);
    world.buy(10 * MINUTE).await;
    assert_eq!(world.state_of("j002").0, JobState::Pending);
}

pub(super) async fn a_payment_that_settles_while_nobody_looks_is_found_by_the_next_run() {
    let world = World::new(&wishes(1));
    world.node.script([Fate::SettleLate(2_000_000)]);
    world.buy(10 * MINUTE).await;
    assert_eq!(world.state_of("j001").0, JobState::InDoubt);
    tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
    world.recover(10 * MINUTE).await;
    world.audit_all_delivered();
}

pub(super) async fn a_node_that_forgot_proves_nothing() {
    let world = World::new(&wishes(2));
    world.node.script_for("j002", [Fate::Deaf(Box::new(Fate::SettleLate(20_000)))]);
    world.node.forgot_to.set(0);
    let forget = async {
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
        world.node.forgot_to.set(2);
    };
    let (_, ()) = tokio::join!(world.buy(3 * HOUR), forget);
    world.audit();
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::NodeForgot));
    tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    world.buy(3 * HOUR).await;
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::NodeForgot), "expiry does not cure it");
    assert_eq!(world.node.posts.get(), 2);
    world.node.forgot_to.set(0);
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

pub(super) async fn a_node_that_forgot_proves_nothing_when_it_has_paid_anew_since() {
    let world = World::new(&wishes(2));
    world.node.script_for("j002", [Fate::Deaf(Box::new(Fate::SettleLate(20_000)))]);
    let forget = async {
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
        world.node.forgot_to.set(2);
    };
    let (_, ()) = tokio::join!(world.buy(3 * HOUR), forget);
    begin(&mut world.ledger(), "june", &wishes(5));
    for _ in 0..2 {
        world.buy(3 * HOUR).await;
        tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    }
    assert_eq!(world.state_of("j005").0, JobState::Delivered);
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::NodeForgot), "new payments do not hide it");
}

pub(super) async fn another_node_is_never_asked_to_pay_and_never_believed() {
    let world = World::new(&wishes(1));
    world.node.script([Fate::Lost]);
    let swap = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        world.node.id.replace("03other0000000000000".to_owned());
    };
    let (_, ()) = tokio::join!(world.buy(HOUR), swap);
    assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::OtherNode));
    assert_eq!(world.node.posts.get(), 1);
    world.node.id.replace("03payer0000000000000".to_owned());
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

/// Another node takes the address over while ours is asked for what it remembers: ours has forgotten nothing.
pub(super) async fn a_node_that_gives_way_to_another_in_the_middle_has_not_forgotten() {
    let mut world = World::new(&wishes(2));
    world.node.script_for("j002", [Fate::Lost]);
    world.settings.bounds.resends = 0;
    world.settings.wait_doubt_ms = 5_000;
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::WaitingForExpiry));
    // Asked who it is, and for the payment; then for what it has settled.
    let swap = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.node.id.replace("03other0000000000000".to_owned());
        world.node.forgot_to.set(9);
    };
    let (_, ()) = tokio::join!(world.recover(MINUTE), swap);
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::OtherNode));
    world.node.id.replace("03payer0000000000000".to_owned());
    world.node.forgot_to.set(0);
    tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    for _ in 0..2 {
        world.buy(HOUR).await;
    }
    world.audit_all_delivered();
}

/// A payment that is to be sent again stands in line for a slot; its first POST arrives meanwhile.
pub(super) async fn what_was_seen_before_standing_in_line_is_seen_anew_before_sending_again() {
    let mut world = World::new(&wishes(2));
    world.settings.payments_in_flight = 1;
    world.node.script_for("j001", [Fate::Stalled(30_000, Box::new(Fate::Settle))]);
    world.node.script_for("j002", [Fate::SettleLate(60_000)]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.node.posts.get(), 2, "nothing is sent again once the first POST has arrived");
}

pub(super) async fn recovering_buys_nothing() {
    let world = World::new(&wishes(3));
    world.recover(MINUTE).await;
    assert_eq!(world.in_state(JobState::Pending), 3);
    assert!(world.shop.seen.borrow().is_empty());
}

/// Its payment is in flight while its row goes from the manifest, and fails after that: whoever took the row out, or set a
/// tighter limit, does not want it bought as it was.
pub(super) async fn an_open_job_that_turns_out_unpaid_is_not_bought_by_the_run_that_found_it_open() {
    let mut world = World::new(&wishes(6));
    world.settings.jobs_in_flight = 1;
    world.settings.wait_doubt_ms = MINUTE;
    world.node.script_for("j006", [Fate::FailLate(PayFailure::Timeout, 4 * 60_000)]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j006"), (JobState::InDoubt, Reason::PaymentInFlight));

    world.wishes = vec![wish("new1"), wish("new2")];
    world.load_again();
    // It fails while the first of them is being made.
    world.shop.script(Kind::Redeem, "new1", [Act::Accept]);
    world.shop.script(Kind::Poll, "new1", std::iter::repeat_n(say(200, r#"{"status":"processing"}"#), 100));
    world.buy(3 * HOUR).await;
    world.audit();
    assert_eq!(world.state_of("new2").0, JobState::Delivered);
    assert_eq!(world.state_of("j006"), (JobState::Refused, Reason::Withdrawn), "it has failed");
    assert_eq!(world.node.settled_by_prompt().get("j006"), None, "nobody wants it any more");

    // Whoever puts its row back wants it again.
    world.wishes.push(wish("j006"));
    world.load_again();
    assert_eq!(world.state_of("j006").0, JobState::Pending);
}

/// Who stood in line for a slot until too little was left of the credential does not pay for what could not be redeemed.
pub(super) async fn what_waited_too_long_for_a_slot_is_not_sent_again() {
    let mut world = World::new(&wishes(2));
    world.settings.payments_in_flight = 1;
    world.settings.credential_life_ms = 90_000;
    world.node.script_for("j001", [Fate::Lost]);
    world.node.script_for("j002", [Fate::SettleLate(70_000)]);
    world.buy(HOUR).await;
    assert_eq!(world.node.posts.get(), 2, "the one that was lost, and its neighbour");
    assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::WaitingForExpiry));
    tokio::time::sleep(std::time::Duration::from_millis(2 * HOUR)).await;
    // That run finds it dead, and the next one buys it.
    world.buy(HOUR).await;
    world.buy(HOUR).await;
    world.audit_all_delivered();
}

/// The other node knows the hash too, and fails it: somebody has tried the same invoice there.
pub(super) async fn another_node_s_failure_is_no_failure_of_ours() {
    let mut world = World::new(&wishes(1));
    world.settings.wait_doubt_ms = 5_000;
    world.node.script([Fate::Deaf(Box::new(Fate::FailLate(PayFailure::NoRoute, 600_000)))]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001").0, JobState::InDoubt);
    tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
    world.node.id.replace("03other0000000000000".to_owned());
    world.recover(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::OtherNode));
    assert_eq!(world.ledger().counts(world.batch).held, Msat::new(510_000), "its hold stays");
}

/// One job is delivered; of the other's payment the node knows nothing, and each sign that it has forgotten something else
/// keeps that from being a proof, however late.
pub(super) async fn every_sign_of_a_lost_history_keeps_a_payment_in_doubt() {
    type Sign = (&'static str, fn(&World));
    let signs: [Sign; 2] = [
        ("what had settled is not known", |world| world.node.forgot_to.set(1)),
        ("what had settled fails", |world| {
            world.node.forgot_to.set(1);
            world.node.fails_forgotten.set(true);
        }),
    ];
    for (sign, lose) in signs {
        let mut world = World::new(&wishes(2));
        world.settings.limit = Some(1);
        world.buy(HOUR).await;
        world.settings.limit = None;
        world.settings.bounds.resends = 0;
        world.settings.wait_doubt_ms = 5_000;
        world.node.script([Fate::Lost]);
        world.buy(HOUR).await;
        assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::WaitingForExpiry), "{sign}");
        lose(&world);
        tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
        world.buy(HOUR).await;
        assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::NodeForgot), "{sign}");
        assert_eq!(world.node.posts.get(), 2, "{sign}");
    }
}

/// It was sent twice, and the node fails the second POST; meanwhile it has lost its history, and perhaps that the first one
/// has settled.
pub(super) async fn a_failure_of_a_later_post_is_no_proof_where_the_history_is_lost() {
    let mut world = World::new(&wishes(2));
    world.settings.limit = Some(1);
    world.buy(HOUR).await;
    world.settings.limit = None;
    world.settings.bounds.resends = 1;
    world.settings.wait_doubt_ms = 5_000;
    world.node.script([Fate::Lost, Fate::Fail(PayFailure::IncorrectPaymentDetails)]);
    let lose = async {
        while world.node.posts.get() < 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        world.node.forgot_to.set(1);
    };
    let (_, ()) = tokio::join!(world.buy(HOUR), lose);
    tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j002"), (JobState::InDoubt, Reason::NodeForgot));
    assert_eq!(world.node.posts.get(), 3);
}

/// A node of which nothing shows that it has kept its history: it has never paid for anybody, or nobody could ask it what it has.
fn without_history(wishes: usize) -> World {
    let mut world = World::new(&super::world::wishes(wishes));
    world.node.newest.set(None);
    world.settings.wait_doubt_ms = 5_000;
    world
}

/// Its first payment settles unheard, and then it forgets everything; or nothing ever came. Both look the same.
pub(super) async fn without_a_settlement_nothing_that_is_not_found_is_sent_again() {
    for (fate, settles) in [(Fate::Deaf(Box::new(Fate::SettleLate(20_000))), 1), (Fate::Lost, 0)] {
        let world = without_history(1);
        world.node.script([fate]);
        let forget = async {
            while world.node.posts.get() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            world.node.forgot_to.set(1);
        };
        let (_, ()) = tokio::join!(world.buy(HOUR), forget);
        assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::NoWitness));
        for _ in 0..3 {
            tokio::time::sleep(std::time::Duration::from_millis(3 * HOUR)).await;
            world.buy(HOUR).await;
            world.recover(HOUR).await;
        }
        assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::NoWitness), "no run and no time decides it");
        assert_eq!(world.node.posts.get(), 1);
        assert_eq!(world.node.settled_by_prompt().values().sum::<usize>(), settles);
        assert_eq!(world.ledger().counts(world.batch).held, Msat::new(510_000), "its hold stays");
    }
}

/// What the node itself has refused, every time, it has no record of to forget.
pub(super) async fn without_a_settlement_a_payment_that_the_node_refused_every_time_is_dead() {
    let world = without_history(1);
    world.node.script([Fate::Refuse(PayRefusal::Other("no".to_owned()))]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.node.posts.get(), 2);
}

/// The node answers, and goes away as it is asked what it has paid: nothing is bought before it has told.
pub(super) async fn nothing_is_bought_before_the_node_has_told_its_newest_settlement() {
    for unheard in [1, 4] {
        let world = World::new(&wishes(2));
        world.node.lists_unheard.set(unheard);
        world.node.script([Fate::Lost]);
        world.buy(HOUR).await;
        world.audit_all_delivered();
    }
    let world = World::new(&wishes(1));
    world.node.lists_unheard.set(u32::MAX);
    let outcome = world.buy(HOUR).await;
    assert!(outcome.node_unusable.is_some(), "{outcome:?}");
    assert_eq!((world.node.posts.get(), world.state_of("j001").0), (0, JobState::Pending));
}
