//! Nothing that is paid for is given up early, and nothing that was answered with success is sent again by itself.

use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, World, wishes};
use crate::catalog::{RedeemRule, Terms};
use crate::purchase::{JobState, Reason};

async fn sleep(ms: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
}

/// A world of one job, whose endpoint has these terms.
fn one(terms: Terms) -> World {
    World::with_terms(&wishes(1), terms)
}

fn replays() -> Terms {
    Terms { redeem: RedeemRule::Replays, ..Terms::default() }
}

/// What origins were seen to answer to polls of what they were still making.
fn setbacks() -> Vec<Act> {
    vec![
        say(404, "{}"),
        say(400, r#"{"error":"not completed yet"}"#),
        say(401, "{}"),
        say(402, "{}"),
        say(403, "<!DOCTYPE html>"),
        say(409, "{}"),
        say(410, "{}"),
        say(500, "{}"),
        say(200, r#"{"status":"FAILED"}"#),
        say(200, r#"{"hello":1}"#),
        say(400, r#"{"error":"no","error_code":"INVALID_INPUT"}"#),
        say(400, r#"{"error":"no","error_code":"CONTENT_FILTERED"}"#),
        say(502, r#"{"error":"no","error_code":"L402_UPSTREAM_FAILED"}"#),
        Act::Drop,
    ]
}

pub(super) async fn a_poll_that_says_anything_for_a_while_is_asked_again() {
    for setback in setbacks() {
        let world = one(Terms::default());
        world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
        world.shop.script(Kind::Poll, "j001", vec![setback.clone(); 6]);
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1, "{setback:?}");
    }
}

pub(super) async fn over_runs_and_for_a_day_and_no_run_lives_for_it() {
    for setback in setbacks() {
        let world = one(Terms::default());
        world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
        world.shop.always(Kind::Poll, "j001", setback.clone());
        for hours in [0_u64, 2, 9, 12] {
            sleep(hours * HOUR).await;
            // It gives up by itself: within this time.
            world.buy(40 * MINUTE).await;
            assert_eq!(world.state_of("j001").0, JobState::Paid, "{setback:?} after {hours} h more");
        }
        // What an origin did a day later was not lost.
        let before = world.shop.times(Kind::Poll, "j001").len();
        sleep(HOUR / 2).await;
        world.shop.mend();
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.shop.times(Kind::Poll, "j001").len(), before + 1, "{setback:?}");
        assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1, "{setback:?}");
    }
}

pub(super) async fn once_the_patience_is_over_it_is_a_person_s() {
    for setback in setbacks() {
        let world = one(Terms { patience_s: 7_200, ..Terms::default() });
        world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
        world.shop.always(Kind::Poll, "j001", setback.clone());
        world.buy(HOUR).await;
        assert_eq!(world.state_of("j001").0, JobState::Paid, "{setback:?}");
        sleep(2 * HOUR).await;
        world.buy(HOUR).await;
        world.audit();
        assert_eq!(world.state_of("j001").0, JobState::Lost, "{setback:?}");
        assert_eq!((world.node.posts.get(), world.shop.times(Kind::Redeem, "j001").len()), (1, 1), "{setback:?}");
    }
}

pub(super) async fn a_redeem_that_is_refused_is_repeated_for_the_patience() {
    for setback in setbacks().into_iter().filter(|act| !matches!(act, Act::Say(200 | 401 | 402, ..))) {
        let world = one(Terms::default());
        world.shop.always(Kind::Redeem, "j001", setback.clone());
        for hours in [0_u64, 2, 9, 12] {
            sleep(hours * HOUR).await;
            world.buy(HOUR).await;
            assert_eq!(world.state_of("j001").0, JobState::Paid, "{setback:?} after {hours} h more");
        }
        sleep(HOUR).await;
        world.buy(HOUR).await;
        world.audit();
        assert_eq!(world.state_of("j001").0, JobState::Lost, "{setback:?}");
    }
}

pub(super) async fn a_poll_s_retry_after_counts_up_to_ten_minutes() {
    for (asked_s, kept_ms) in [(300, 300_000), (3_600, 600_000)] {
        for (status, body) in [(404, "{}"), (503, "{}"), (200, r#"{"status":"processing"}"#)] {
            let world = one(Terms::default());
            let later = Act::Say(status, vec![("retry-after", asked_s.to_string())], body.to_owned());
            world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
            world.shop.script(Kind::Poll, "j001", [later]);
            world.buy(HOUR).await;
            world.audit_all_delivered();
            let polls = world.shop.times(Kind::Poll, "j001");
            let waited = polls[1].since_ms(polls[0]);
            assert!((kept_ms..kept_ms + 10_000).contains(&waited), "{status}: {waited} ms for {asked_s} s");
        }
    }
}

/// Each of these is an answer to what was paid, and was sent for again and again.
fn unknown() -> Vec<Act> {
    vec![say(200, r#"{"hello":1}"#), say(200, "<!DOCTYPE html><p>Thank you"), say(204, ""), say(201, "[]")]
}

pub(super) async fn after_a_success_of_unknown_shape_nothing_is_sent_again() {
    for terms in [Terms::default(), replays()] {
        for act in unknown() {
            let world = one(terms);
            world.shop.script(Kind::Redeem, "j001", [act.clone()]);
            for _ in 0..3 {
                world.buy(HOUR).await;
                world.recover(HOUR).await;
                sleep(30 * HOUR).await;
            }
            world.audit();
            assert_eq!(world.state_of("j001"), (JobState::Paid, Reason::UnknownAnswer), "{act:?}");
            assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1, "{act:?}");
        }
    }
}

pub(super) async fn after_a_success_that_brings_nothing_one_redeem_more_goes_out_where_it_replays() {
    let failed = (say(200, r#"{"status":"FAILED"}"#), (JobState::Lost, Reason::OriginFailed));
    let unaddressed = (say(202, "{}"), (JobState::Paid, Reason::UnknownAnswer));
    let used = say(401, r#"{"error":"token already used"}"#);
    for (act, end) in [failed, unaddressed] {
        for (terms, then, redeems, delivered) in [
            (Terms::default(), Act::Sell, 1, false),
            (replays(), Act::Sell, 2, true),
            (replays(), act.clone(), 2, false),
            (replays(), used.clone(), 2, false),
            (replays(), Act::Drop, 2, false),
        ] {
            let world = one(terms);
            world.shop.script(Kind::Redeem, "j001", [act.clone(), then.clone()]);
            for _ in 0..3 {
                world.buy(HOUR).await;
                sleep(30 * HOUR).await;
            }
            world.audit();
            let expected = if delivered { (JobState::Delivered, Reason::None) } else { end };
            assert_eq!(world.state_of("j001"), expected, "{act:?}, then {then:?}");
            assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), redeems, "{act:?}, then {then:?}");
            assert!(!world.error_of("j001").contains("token"), "{}", world.error_of("j001"));
        }
    }
}

/// An address that forgets its job, at a service that gives the same purchase again.
pub(super) async fn polls_that_fail_send_for_it_once_more_where_it_replays() {
    let world = one(replays());
    world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
    world.shop.always(Kind::Poll, "j001", say(404, "{}"));
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 2);
    // Where that is refused, the address stands.
    let world = one(replays());
    world.shop.script(Kind::Redeem, "j001", [Act::Accept, say(401, "{}")]);
    world.shop.script(Kind::Poll, "j001", vec![say(404, "{}"); 6]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 2);
}

pub(super) async fn polls_behind_the_gate_are_asked_with_the_credential() {
    let world = one(Terms::default());
    world.shop.gated.set(true);
    world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
    world.shop.script(Kind::Poll, "j001", [Act::Accept, say(404, "{}"), Act::Accept]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!((world.node.posts.get(), world.shop.times(Kind::Redeem, "j001").len()), (1, 1));
}

/// A payment that ends in doubt while it is looked whether more may begin is no reason to wait longer for the others.
pub(super) async fn the_wait_for_doubt_does_not_begin_anew() {
    let mut world = World::new(&wishes(20));
    world.settings.max_undelivered = 100;
    world.ledger.look_ms.set(500);
    world.node.script(std::iter::repeat_n(Fate::Deaf(Box::new(Fate::Stuck)), 20));
    let forget = async {
        for (known, after_ms) in [(1, 100_000), (2, 300)] {
            sleep(after_ms).await;
            world.node.forgot_to.set(known);
        }
    };
    let within_ms = world.settings.wait_doubt_ms + MINUTE;
    tokio::join!(world.buy(within_ms), forget);
    world.audit();
    let forgotten = world.standing().iter().filter(|(.., reason)| *reason == Reason::NodeForgot).count();
    assert_eq!((forgotten, world.in_state(JobState::InDoubt)), (2, 16));
}

/// Nothing left, so that nobody was asked: however often, and however late.
pub(super) async fn what_cannot_be_sent_for_want_of_a_secret_counts_for_nobody_and_ends_nothing() {
    // Redeems, and polls.
    let kinds: [fn(&url::Url, usize) -> bool; 2] = [|at, _| at.query().is_none(), |at, _| at.query().is_some()];
    for withholds in kinds {
        let world = World::with_terms(&wishes(3), Terms { patience_s: 7_200, ..Terms::default() });
        world.shop.withholds.set(withholds);
        for job in ["j001", "j002", "j003"] {
            world.shop.script(Kind::Redeem, job, [Act::Accept]);
        }
        for hours in [0, 30, 30] {
            sleep(hours * HOUR).await;
            for _ in 0..10 {
                world.buy(HOUR).await;
            }
            world.audit();
            for job in ["j001", "j002", "j003"] {
                assert_eq!(world.state_of(job), (JobState::Paid, Reason::NotDelivered), "{hours} h more");
                assert_eq!(world.error_of(job), "the secret SHOP cannot be had: it is locked");
                assert!(world.shop.times(Kind::Poll, job).is_empty());
            }
            let made = world.ledger.made.borrow();
            assert!(made.iter().all(|(_, word)| !word.contains("undelivered")), "the seller was not asked");
        }
        world.shop.withholds.set(|_, _| false);
        world.recover(HOUR).await;
        world.audit_all_delivered();
    }
}

pub(super) async fn the_redeem_more_is_not_used_up_by_one_that_cannot_be_sent() {
    let world = one(replays());
    world.shop.script(Kind::Redeem, "j001", [say(200, r#"{"status":"FAILED"}"#)]);
    world.shop.withholds.set(|_, redeems| redeems > 0);
    for hours in [0, 30] {
        sleep(hours * HOUR).await;
        world.buy(HOUR).await;
        assert_eq!(world.state_of("j001").0, JobState::Paid);
        assert!(!world.error_of("j001").contains("SHOP"), "the first success is what is told of it");
    }
    world.shop.withholds.set(|_, _| false);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 2);
}
