//! Credentials live ten minutes from the challenge: none is asked for that cannot be paid at once, and one that ran out is
//! renewed only where nothing was or can be paid with it.

use super::node::Fate;
use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, World, wishes};
use crate::payer::PayFailure;
use crate::purchase::{JobState, Reason};

const CREDENTIAL_MS: i64 = 600_000;

/// Between a challenge and its payment there is nothing but the way: no slot to wait for, no pause to sit out.
pub(super) async fn each_challenge_is_paid_at_once_however_few_the_slots() {
    let mut world = World::new(&wishes(12));
    world.settings.payments_in_flight = 2;
    // Each payment takes half of a credential's life: a challenge that stood in line would be over.
    world.node.script((0..12).map(|_| Fate::SettleLate(80_000)));
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let sent = world.node.sent.borrow();
    assert_eq!(sent.len(), 12);
    for (prompt, at) in sent.iter() {
        let asks = world.shop.times(Kind::Ask, prompt);
        let waited = at.since_ms(*asks.last().unwrap());
        assert!(waited < 1_000, "{prompt} was asked for {waited} ms before its payment");
        assert_eq!(asks.len(), 1, "{prompt}");
    }
}

pub(super) async fn nothing_is_asked_for_while_payments_pause() {
    const UP_AFTER_MS: i64 = 300_000;
    let world = World::new(&wishes(60));
    let begun = crate::run::Clock::now(&world.clock);
    let fall = async {
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        world.node.down.set(true);
        tokio::time::sleep(std::time::Duration::from_millis(UP_AFTER_MS.unsigned_abs())).await;
        world.node.down.set(false);
    };
    let (_, ()) = tokio::join!(world.buy(HOUR), fall);
    world.audit_all_delivered();
    // It is known to be in trouble once a payment on its way has run into it.
    let seen = world.shop.seen.borrow();
    let while_down = |at: &&crate::time::UnixMs| (3_000..UP_AFTER_MS).contains(&at.since_ms(begun));
    let asks: Vec<_> = seen.iter().filter(|(kind, ..)| *kind == Kind::Ask).map(|(.., at)| at).collect();
    assert_eq!(asks.iter().copied().filter(while_down).count(), 0, "asked while nothing could be paid");
    assert!(asks.len() >= 60);
    let renewed = |prompt: &str| world.shop.times(Kind::Ask, prompt);
    for (prompt, at) in world.node.sent.borrow().iter().filter(|(_, at)| at.since_ms(begun) > UP_AFTER_MS) {
        let Some(ask) = renewed(prompt).into_iter().filter(|ask| *ask <= *at).max() else { panic!("{prompt}") };
        // What was in doubt goes out again with the credential that it has; what is new is asked for at once.
        let is_new = ask.since_ms(begun) > UP_AFTER_MS;
        assert!(!is_new || at.since_ms(ask) < 1_000, "{prompt} waited {} ms", at.since_ms(ask));
    }
}

pub(super) async fn one_that_ran_out_is_renewed_where_its_hash_is_dead() {
    let world = World::new(&wishes(1));
    world.node.script([Fate::FailLate(PayFailure::Timeout, 90_000), Fate::Fail(PayFailure::NoRoute)]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Ask, "j001").len(), 3, "a new challenge for each dead one");
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1);
}

pub(super) async fn one_that_ran_out_in_doubt_is_not_renewed() {
    let mut world = World::new(&wishes(1));
    world.settings.wait_doubt_ms = 20 * MINUTE;
    world.node.script([Fate::Stuck]);
    world.buy(2 * HOUR).await;
    world.audit();
    assert_eq!(world.state_of("j001"), (JobState::InDoubt, Reason::PaymentInFlight));
    assert_eq!(world.shop.times(Kind::Ask, "j001").len(), 1);
    world.buy(2 * HOUR).await;
    assert_eq!((world.shop.times(Kind::Ask, "j001").len(), world.node.posts.get()), (1, 1));
}

/// Paid after its end: our clock may be wrong, and some origins are generous.
pub(super) async fn one_that_ran_out_paid_is_tried_all_the_same() {
    let mut world = World::new(&wishes(1));
    world.settings.wait_doubt_ms = 30 * MINUTE;
    world.node.script([Fate::SettleLate(CREDENTIAL_MS + 60_000)]);
    world.buy(2 * HOUR).await;
    world.audit_all_delivered();
    let (asked, redeemed) = (world.shop.times(Kind::Ask, "j001")[0], world.shop.times(Kind::Redeem, "j001")[0]);
    assert!(redeemed.since_ms(asked) > CREDENTIAL_MS);
    assert_eq!((world.shop.times(Kind::Ask, "j001").len(), world.node.posts.get()), (1, 1));
}

pub(super) async fn one_that_ran_out_paid_and_is_rejected_is_paid_and_not_delivered() {
    for status in [401, 402] {
        let mut world = World::new(&wishes(1));
        world.settings.wait_doubt_ms = 30 * MINUTE;
        world.node.script([Fate::SettleLate(CREDENTIAL_MS + 60_000)]);
        let rejected = r#"{"error":"the credential has expired","error_code":"L402_INVALID_CREDENTIAL"}"#;
        world.shop.always(Kind::Redeem, "j001", say(status, rejected));
        world.buy(2 * HOUR).await;
        world.audit();
        assert_eq!(world.state_of("j001"), (JobState::Paid, Reason::CredentialRejected), "{status}");
        // Rule 7: final an hour after its end, and even then never asked for anew.
        tokio::time::sleep(std::time::Duration::from_millis(2 * HOUR)).await;
        world.load_again();
        world.buy(2 * HOUR).await;
        world.load_again();
        world.buy(2 * HOUR).await;
        world.audit();
        assert_eq!(world.state_of("j001"), (JobState::Lost, Reason::CredentialRejected), "{status}");
        assert_eq!((world.shop.times(Kind::Ask, "j001").len(), world.node.posts.get()), (1, 1), "{status}");
    }
}

/// A challenge that is over before its payment could begin has no intent, and is asked for anew by the next run.
pub(super) async fn one_that_came_too_late_to_be_paid_leaves_no_intent() {
    let world = World::new(&wishes(1));
    world.shop.expiry_s.set(20);
    world.shop.script(Kind::Ask, "j001", [Act::Slow(30_000)]);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!((world.state_of("j001"), world.node.posts.get()), ((JobState::Refused, Reason::InvoiceExpired), 0));
    world.shop.expiry_s.set(3_600);
    world.load_again();
    world.buy(HOUR).await;
    world.audit_all_delivered();
}
