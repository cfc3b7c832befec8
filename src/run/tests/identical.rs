//! Identical requests to a host whose cache a header bypasses: no window between them, and never two results for one.

use super::ledger::Stop;
use super::shop::{Act, Kind, say};
use super::world::{HOUR, MINUTE, Wish, World, begin_meant, wish};
use crate::event::Event;
use crate::ledger::port::Views;
use crate::purchase::{JobState, Reason};
use crate::run::Controller;

/// So many jobs with one prompt, at a host that has the header.
fn identicals(count: usize) -> World {
    let wish = |n| Wish { prompt: "same".to_owned(), host: "fresh.example".to_owned(), ..wish(&format!("t{n}")) };
    let world = World::new(&(1..=count).map(wish).collect::<Vec<_>>());
    world.shop.want("same", count);
    world
}

fn took_ms(world: &World) -> i64 {
    let seen = world.shop.seen.borrow();
    seen.last().unwrap().2.since_ms(seen[0].2)
}

pub(super) async fn with_the_header_identical_requests_need_no_window_between_them() {
    let world = identicals(6);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.cached.get(), 0);
    assert!(took_ms(&world) < 30_000, "{} ms", took_ms(&world));
    assert_eq!(world.shop.bypasses(Kind::Ask, "same"), [true; 6]);
    assert_eq!(world.shop.bypasses(Kind::Redeem, "same"), [true; 6]);
}

pub(super) async fn an_identical_request_goes_out_while_the_other_is_being_made() {
    let world = identicals(3);
    world.shop.script(Kind::Redeem, "same", [Act::Accept, Act::Accept, Act::Accept]);
    world.shop.always(Kind::Poll, "same", Act::Slow(10 * MINUTE));
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let last_redeem = *world.shop.times(Kind::Redeem, "same").last().unwrap();
    let first_redeem = world.shop.times(Kind::Redeem, "same")[0];
    assert!(last_redeem.since_ms(first_redeem) < 30_000, "made one after the other");
}

/// What is repeated would be made a second time with the header, and answered with the identical request's result without it.
pub(super) async fn a_repeated_redeem_goes_without_the_header_and_after_the_window() {
    for act in [Act::Drop, Act::Swallow, say(503, "{}"), say(429, r#"{"error_code":"RATE_LIMITED"}"#), say(402, "{}")] {
        let world = identicals(2);
        world.shop.script(Kind::Redeem, "same", [Act::Sell, act.clone()]);
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.shop.cached.get(), 0, "{act:?}");
        assert_eq!(world.shop.bypasses(Kind::Redeem, "same"), [true, true, false], "{act:?}");
        let redeems = world.shop.times(Kind::Redeem, "same");
        let waited = redeems[2].since_ms(redeems[0]);
        assert!((30_000..32_000).contains(&waited), "{act:?}: {waited} ms after the identical request's");
    }
}

/// A cache may know what is still being made: whoever repeats a request joins the identical request that is in work, however
/// long ago that
/// was taken.
pub(super) async fn a_repeated_redeem_does_not_join_an_identical_request_that_is_being_made() {
    const MADE_IN: u64 = 2 * MINUTE;
    let world = identicals(2);
    world.shop.script(Kind::Redeem, "same", [Act::Accept, Act::Drop]);
    world.shop.script(Kind::Poll, "same", [Act::Slow(MADE_IN)]);
    world.buy(HOUR).await;
    assert_eq!(world.shop.cached.get(), 0, "it joined its identical request");
    world.audit_all_delivered();
    assert_eq!(world.shop.bypasses(Kind::Redeem, "same"), [true, true, false]);
    let redeems = world.shop.times(Kind::Redeem, "same");
    let waited = redeems[2].since_ms(redeems[0]);
    assert!(waited >= i64::try_from(MADE_IN).unwrap() + 30_000, "{waited} ms after the identical request's");
}

pub(super) async fn a_lone_job_s_repeated_redeem_waits_for_nobody() {
    let world = identicals(1);
    world.shop.script(Kind::Redeem, "same", [Act::Drop]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.bypasses(Kind::Redeem, "same"), [true, false]);
    assert!(took_ms(&world) < 5_000);
}

pub(super) async fn what_never_left_is_not_repeated() {
    let world = identicals(1);
    world.shop.script(Kind::Redeem, "same", [Act::Unreachable, Act::Unreachable, Act::Drop]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.bypasses(Kind::Redeem, "same"), [true, true, true, false]);
}

/// Nobody knows whether the run that ended had sent it.
pub(super) async fn the_next_run_s_redeem_counts_as_repeated() {
    let mut stopped = 0;
    for at in 1..12 {
        let world = identicals(1);
        world.ledger.stop.set(Some(Stop::After(at)));
        let (_controller, control) = Controller::new();
        let _ended = world.try_buy(HOUR, control).await;
        world.ledger.stop.set(None);
        let was_paid = world.in_state(JobState::Paid) == 1;
        let sent = world.shop.times(Kind::Redeem, "same").len();
        world.buy(HOUR).await;
        world.audit_all_delivered();
        let of_the_second = world.shop.bypasses(Kind::Redeem, "same")[sent..].to_vec();
        if was_paid {
            stopped += 1;
            assert!(of_the_second.iter().all(|bypassed| !bypassed), "stopped after {at}: {of_the_second:?}");
        }
    }
    assert!(stopped > 0, "no stop hit a paid job");
}

/// Wherever the run ends: what goes out without the header never meets an identical request's result in the cache.
pub(super) async fn what_an_earlier_run_intended_is_redeemed_past_its_identical_request_s_result() {
    let mut without = 0;
    for at in 1..24 {
        let world = identicals(2);
        world.ledger.stop.set(Some(Stop::After(at)));
        let (_controller, control) = Controller::new();
        let _ended = world.try_buy(HOUR, control).await;
        world.ledger.stop.set(None);
        world.buy(HOUR).await;
        world.audit_all_delivered();
        assert_eq!(world.shop.cached.get(), 0, "stopped after {at}");
        without += world.shop.bypasses(Kind::Redeem, "same").iter().filter(|bypassed| !**bypassed).count();
    }
    assert!(without > 2, "no stop hit a purchase between intent and result");
}

/// The cache does not know that this was another purchase.
pub(super) async fn an_identical_request_s_result_is_not_taken_for_a_second_purchase() {
    for header in [true, false] {
        let world = identicals(2);
        world.buy(HOUR).await;
        let urls = |world: &World| {
            let mut urls = Vec::new();
            let mut keep = |row: crate::ledger::ResultRow| {
                urls.extend(row.url);
                Ok(())
            };
            world.ledger().sqlite().results(world.batch, &mut keep).unwrap().unwrap();
            urls
        };
        let bought = urls(&world);
        let other = begin_meant(&mut world.ledger(), "july", &world.wishes[..1]);
        world.shop.want("same", 3);
        let body = format!(r#"{{"videoUrl":"{}"}}"#, bought[1]);
        let headers = if header { vec![("x-dedup", "1".to_owned())] } else { Vec::new() };
        world.shop.script(Kind::Redeem, "same", [Act::Say(200, headers, body)]);
        let july = World { batch: other, ..world };
        july.buy(HOUR).await;
        july.ledger().check_money();
        assert_eq!(july.state_of("t1").0, JobState::Delivered);
        assert!(!bought.contains(&urls(&july)[0]), "one result for two purchases");
        let redeems = july.shop.times(Kind::Redeem, "same");
        assert!(redeems[3].since_ms(redeems[2]) >= 30_000, "not before the window is over");
        assert_eq!(july.node.posts.get(), 3);
    }
}

/// Its own first answer was lost, and comes back from the cache.
pub(super) async fn a_result_from_the_cache_that_nobody_else_has_is_its_own() {
    let world = identicals(1);
    let cached =
        Act::Say(200, vec![("x-dedup", "1".to_owned())], r#"{"videoUrl":"https://cdn.example/own.mp4"}"#.into());
    world.shop.script(Kind::Redeem, "same", [Act::Drop, cached]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.times(Kind::Redeem, "same").len(), 2);
}

pub(super) async fn an_origin_that_only_ever_gives_the_identical_request_s_result_is_not_asked_for_ever() {
    let world = identicals(2);
    world.shop.always(Kind::Redeem, "same", say(200, r#"{"videoUrl":"https://cdn.example/one.mp4"}"#));
    for _ in 0..8 {
        world.buy(4 * HOUR).await;
        world.audit();
        tokio::time::sleep(std::time::Duration::from_millis(4 * HOUR)).await;
    }
    assert_eq!(world.state_of("t1").0, JobState::Delivered);
    assert_eq!(world.state_of("t2"), (JobState::Lost, Reason::AnsweredFromCache));
    assert_eq!(world.node.posts.get(), 2);
    let delivered = |event: &Event| matches!(event, Event::Job(job) if job.state == JobState::Delivered);
    let told = world.heard.0.borrow().iter().filter(|event| delivered(event)).count();
    assert_eq!(told, 1, "an event tells of what is in the ledger");
}
