//! Identical requests, and hosts that want to be left alone.

use super::shop::{Act, Kind};
use super::world::{HOUR, MINUTE, Wish, World, begin_meant, wish, wishes};
use crate::purchase::JobState;

fn slow(after_s: u32) -> Act {
    Act::Say(429, vec![("retry-after", after_s.to_string())], "{}".to_owned())
}

fn on(host: &str, ids: std::ops::RangeInclusive<usize>) -> Vec<Wish> {
    ids.map(|n| Wish { host: host.to_owned(), ..wish(&format!("{host}{n:03}")) }).collect()
}

pub(super) async fn identical_requests_are_a_window_apart() {
    let mut wishes = wishes(6);
    for wish in &mut wishes {
        wish.prompt = "same".to_owned();
    }
    let world = World::new(&wishes);
    world.shop.want("same", 6);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.cached.get(), 0);
}

pub(super) async fn identical_requests_of_another_batch_are_a_window_apart_too() {
    let world = World::new(&wishes(2));
    world.shop.want("j001", 2);
    world.buy(HOUR).await;
    let other = begin_meant(&mut world.ledger(), "july", &wishes(1));
    let july = World { batch: other, ..world };
    july.buy(HOUR).await;
    assert_eq!(july.in_state(JobState::Delivered), 1);
    assert_eq!(july.shop.cached.get(), 0);
}

/// Two endpoints of one address, or two processes, may ask at the same time: neither sees an intent of the other then.
pub(super) async fn identical_requests_that_ask_at_the_same_time_are_told_apart_at_the_intent() {
    let mut all = wishes(2);
    for (wish, host) in all.iter_mut().zip(["shop.example", "SHOP.example"]) {
        (wish.prompt, wish.host) = ("same".to_owned(), host.to_owned());
    }
    let world = World::new(&all);
    world.shop.want("same", 2);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    assert_eq!(world.shop.cached.get(), 0, "the shop answers identical requests from a cache: paid twice for one film");
}

/// The other batch may never be run again.
pub(super) async fn an_open_identical_request_of_another_batch_does_not_keep_the_run_alive() {
    let world = World::new(&wishes(1));
    world.shop.want("j001", 2);
    world.shop.always(Kind::Redeem, "j001", Act::Drop);
    world.buy(HOUR).await;
    assert_eq!(world.in_state(JobState::Paid), 1);
    world.shop.mend();
    let other = begin_meant(&mut world.ledger(), "july", &wishes(3));
    let july = World { batch: other, ..world };
    july.buy(HOUR).await;
    assert_eq!(july.in_state(JobState::Delivered), 2);
    assert_eq!(july.state_of("j001").0, JobState::Pending);
}

pub(super) async fn a_slow_host_slows_only_itself() {
    let mut all = on("busy.example", 1..=100);
    all.extend(on("free.example", 1..=20));
    let world = World::new(&all);
    world.shop.script(Kind::Ask, "busy.example001", [slow(1_800)]);
    let begun = crate::run::Clock::now(&world.clock);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let last = (1..=20).map(|n| world.shop.times(Kind::Redeem, &format!("free.example{n:03}"))[0]).max().unwrap();
    let took = last.since_ms(begun);
    assert!(took < i64::try_from(2 * MINUTE).unwrap(), "the other host was done after {took} ms");
    let asks: usize = world
        .shop
        .seen
        .borrow()
        .iter()
        .filter(|(kind, of, at)| {
            *kind == Kind::Ask && of.starts_with("busy") && (5_000..1_790_000).contains(&at.since_ms(begun))
        })
        .count();
    assert_eq!(asks, 0, "nothing goes to a host that asked to be left alone");
}

/// A fresh credential is redeemed within its life, whatever the host wishes and whoever stands before it in the line.
pub(super) async fn no_wish_of_a_host_outlives_a_paid_credential() {
    let world = World::new(&wishes(8));
    for id in ["j001", "j002"] {
        world.shop.script(Kind::Redeem, id, [slow(3_600)]);
    }
    world.buy(3 * HOUR).await;
    world.audit_all_delivered();
    for wish in wishes(8) {
        let asked = world.shop.times(Kind::Ask, &wish.id)[0];
        let redeemed = *world.shop.times(Kind::Redeem, &wish.id).last().unwrap();
        assert!(redeemed.since_ms(asked) < 600_000, "{} waited {} ms", wish.id, redeemed.since_ms(asked));
    }
}

pub(super) async fn an_old_credential_leaves_the_host_alone_and_holds_up_nobody() {
    let world = World::new(&wishes(2));
    world.shop.always(Kind::Redeem, "j001", Act::Drop);
    world.buy(HOUR).await;
    tokio::time::sleep(std::time::Duration::from_millis(HOUR)).await;
    world.shop.mend();
    world.shop.script(Kind::Redeem, "j001", [slow(600), Act::Sell]);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let redeems = world.shop.times(Kind::Redeem, "j001");
    let [.., before, last] = redeems[..] else { panic!("{redeems:?}") };
    assert!(last.since_ms(before) >= 600_000);
}

pub(super) async fn requests_to_a_host_keep_their_pace() {
    let mut world = World::new(&wishes(20));
    world.settings.requests_per_second = std::num::NonZeroU32::new(2);
    world.buy(HOUR).await;
    world.audit_all_delivered();
    let seen: Vec<_> = world.shop.seen.borrow().iter().map(|(.., at)| *at).collect();
    for (n, pair) in seen.windows(2).enumerate() {
        assert!(
            pair[1].since_ms(pair[0]) >= 499,
            "requests {n} and {} are {} ms apart",
            n + 1,
            pair[1].since_ms(pair[0])
        );
    }
}
