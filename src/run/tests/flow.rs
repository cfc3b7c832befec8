//! What goes well, and what the shop does wrong.

use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, PRICE, World, wish, wishes};
use crate::event::Event;
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::run::Outcome;

const REFUND: &str = r#"{"error_code":"L402_REFUND_ISSUED","refund":{"lnurl_withdraw":"lnurl1x","status":"pending"}}"#;

pub(super) async fn many_jobs_are_bought_once_each() {
    let world = World::new(&wishes(40));
    assert_eq!(world.buy(HOUR).await, Outcome::default());
    world.audit_all_delivered();
    assert!(world.node.sending_max.get() <= world.settings.payments_in_flight);
    assert_eq!(world.shop.cached.get(), 0);
}

pub(super) async fn an_accepted_job_is_polled_to_its_end() {
    let world = World::new(&wishes(3));
    world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
    world.shop.script(Kind::Poll, "j001", [Act::Accept, Act::Drop, say(502, "<html>"), Act::Accept]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Poll, "j001").len(), 5);
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1);
}

pub(super) async fn a_host_that_does_not_answer_for_what_it_works_on_is_told_of_once_an_outage() {
    let world = World::new(&wishes(1));
    world.shop.script(Kind::Redeem, "j001", [Act::Accept]);
    let polls = [Act::Drop, Act::Drop, Act::Accept, Act::Drop, Act::Accept];
    world.shop.script(Kind::Poll, "j001", polls);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let is_silence =
        |event: &&Event| matches!(event, Event::Warning { message } if message.contains("does not answer"));
    assert_eq!(world.heard.0.borrow().iter().filter(is_silence).count(), 2);
}

pub(super) async fn a_redeem_is_repeated_until_it_is_answered() {
    for acts in [
        vec![Act::Drop, Act::Drop],
        vec![say(402, "{}"), say(402, "{}"), say(401, "{}")],
        vec![say(502, "<html>bad gateway"), say(404, "")],
        vec![Act::Swallow],
        vec![say(400, r#"{"error":"no","error_code":"CONTENT_FILTERED"}"#)],
        vec![Act::Slow(14 * MINUTE)],
        vec![Act::Accept, Act::Accept],
    ] {
        let world = World::new(&wishes(1));
        world.shop.script(Kind::Redeem, "j001", acts);
        world.shop.script(Kind::Poll, "j001", [say(200, r#"{"status":"FAILED"}"#)]);
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.node.posts.get(), 1, "a redeem is never a reason to pay again");
    }
}

pub(super) async fn a_higher_price_is_refused_and_a_lower_one_is_paid() {
    let world = World::new(&wishes(3));
    world.shop.script(Kind::Ask, "j002", [Act::Ask(Msat::new(PRICE.get() + 1_000))]);
    world.shop.script(Kind::Ask, "j003", [Act::Ask(Msat::new(PRICE.get() - 1))]);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!(world.state_of("j001").0, JobState::Delivered);
    assert_eq!(world.state_of("j002"), (JobState::Refused, Reason::PriceChanged));
    // Less is paid.
    assert_eq!(world.state_of("j003").0, JobState::Delivered);
    assert_eq!(world.node.posts.get(), 2);
}

pub(super) async fn an_offered_refund_and_an_answer_that_says_no_end_the_job_and_the_fee_is_known() {
    let world = World::new(&wishes(3));
    world.shop.script(Kind::Redeem, "j001", [say(500, REFUND)]);
    world.shop.script(Kind::Redeem, "j002", [say(200, r#"{"error":"no","error_code":"CONTENT_FILTERED"}"#)]);
    world.buy(HOUR).await;
    world.audit();
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed), "its link is none");
    assert_eq!(world.state_of("j002"), (JobState::Lost, Reason::ContentFiltered));
    assert_eq!(world.state_of("j003").0, JobState::Delivered);
    assert_eq!(world.ledger().counts(world.batch).held, Msat::ZERO);
}

pub(super) async fn an_origin_that_never_delivers_ends_the_run_and_keeps_the_job() {
    for act in [Act::Drop, say(402, "{}"), say(503, "{}")] {
        let world = World::new(&wishes(1));
        world.shop.always(Kind::Redeem, "j001", act);
        world.buy(2 * HOUR).await;
        assert_eq!(world.state_of("j001").0, JobState::Paid);
        world.shop.mend();
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.node.posts.get(), 1);
    }
}

pub(super) async fn an_invoice_of_another_purchase_is_asked_for_once_more_and_then_refused() {
    let world = World::new(&wishes(2));
    world.shop.script(Kind::Ask, "j002", [Act::Slow(5_000), Act::Repeat, Act::Repeat]);
    // The first ask is slow only so that the other's invoice is in the ledger; then the shop repeats itself.
    world.shop.script(Kind::Ask, "j001", [Act::Sell]);
    let world_2 = World::new(&[wish("j001"), wish("j002")]);
    world_2.shop.script(Kind::Ask, "j002", [Act::Repeat, Act::Repeat]);
    let mut one_by_one = world_2;
    one_by_one.settings.jobs_in_flight = 1;
    one_by_one.buy(HOUR).await;
    one_by_one.audit();
    assert_eq!(one_by_one.state_of("j002"), (JobState::Refused, Reason::InvoiceReused));
    let asks = one_by_one.shop.times(Kind::Ask, "j002");
    assert!(asks[1].since_ms(asks[0]) >= 30_000, "a window apart");
    world.buy(HOUR).await;
    world.audit();
}

pub(super) async fn an_answer_without_a_price_is_no_purchase() {
    let world = World::new(&wishes(1));
    world.shop.script(Kind::Ask, "j001", [say(200, r#"{"videoUrl":"https://cdn.example/free.mp4"}"#)]);
    world.buy(HOUR).await;
    assert_eq!(world.state_of("j001"), (JobState::Refused, Reason::NotForSale));
    assert_eq!(world.node.posts.get(), 0);
}

pub(super) async fn asks_that_get_nothing_are_bounded() {
    for act in [Act::Drop, say(503, "{}"), say(429, "{}")] {
        let world = World::new(&wishes(5));
        world.shop.always(Kind::Ask, "shop.example", act);
        world.buy(2 * HOUR).await;
        assert_eq!(world.in_state(JobState::Failed), 5, "{:?}", world.standing());
        assert!(world.shop.seen.borrow().len() <= 5 * 6);
    }
}
