//! Error codes, each before the payment and after it. None is ever a reason to pay again.

use super::shop::{Kind, say};
use super::world::{HOUR, World, wishes};
use crate::every::every;
use crate::purchase::{JobState, Reason};

/// An answer with that code, as the service makes them.
fn coded(code: &str) -> super::shop::Act {
    say(418, &format!(r#"{{"error":"e","error_code":"{code}","suggestion":"s","retry_after_seconds":7}}"#))
}

/// A world of one job, to whose first request of that kind the shop answers with the code, and then sells.
async fn told(kind: Kind, code: &str) -> World {
    let world = World::new(&wishes(1));
    world.shop.script(kind, "j001", [coded(code)]);
    world.buy(HOUR).await;
    world.audit();
    world
}

pub(super) async fn before_the_payment_each_code_is_treated_as_its_table_says() {
    for (code, wait_ms) in
        [("TIMEOUT", 7_000), ("RATE_LIMITED", 7_000), ("SERVICE_ERROR", 7_000), ("L402_DEDUP_HIT", 30_000)]
    {
        let world = told(Kind::Ask, code).await;
        world.audit_all_delivered();
        let asks = world.shop.times(Kind::Ask, "j001");
        assert_eq!(asks.len(), 2, "{code}");
        let waited = asks[1].since_ms(asks[0]);
        assert!((wait_ms..wait_ms + 2_000).contains(&waited), "{code}: {waited} ms");
    }
    for (code, reason) in [
        ("CONTENT_FILTERED", Reason::ContentFiltered),
        ("INVALID_INPUT", Reason::InvalidInput),
        ("L402_INVALID_PARAMS", Reason::InvalidInput),
        ("L402_ESTIMATE_ONLY", Reason::NotForSale),
        // They say nothing before a payment, so the status (418) decides.
        ("L402_UPSTREAM_FAILED", Reason::OriginError),
        ("L402_REFUND_ISSUED", Reason::OriginError),
        ("NEVER_HEARD_OF", Reason::OriginError),
    ] {
        let world = told(Kind::Ask, code).await;
        assert_eq!(world.state_of("j001"), (JobState::Refused, reason), "{code}");
        assert_eq!(world.shop.times(Kind::Ask, "j001").len(), 1, "{code}");
        assert_eq!(world.node.posts.get(), 0, "{code}");
    }
}

pub(super) async fn after_the_payment_each_code_is_treated_as_its_table_says() {
    for (code, wait_ms) in [
        ("TIMEOUT", 7_000),
        ("RATE_LIMITED", 7_000),
        ("SERVICE_ERROR", 7_000),
        ("L402_UPSTREAM_FAILED", 7_000),
        ("L402_DEDUP_HIT", 30_000),
        ("L402_ESTIMATE_ONLY", 7_000),
        ("NEVER_HEARD_OF", 7_000),
        // Said once, they are not the last word on what is paid.
        ("CONTENT_FILTERED", 7_000),
        ("INVALID_INPUT", 7_000),
        ("L402_INVALID_PARAMS", 7_000),
    ] {
        let world = told(Kind::Redeem, code).await;
        world.audit_all_delivered();
        let redeems = world.shop.times(Kind::Redeem, "j001");
        assert_eq!((redeems.len(), world.node.posts.get()), (2, 1), "{code}");
        let waited = redeems[1].since_ms(redeems[0]);
        assert!((wait_ms..wait_ms + 2_000).contains(&waited), "{code}: {waited} ms");
    }
    let world = told(Kind::Redeem, "L402_REFUND_ISSUED").await;
    assert_eq!(world.state_of("j001"), (JobState::RefundOffered, Reason::RefundFailed));
    assert_eq!(world.shop.times(Kind::Redeem, "j001").len(), 1);
    world.load_again();
    world.buy(HOUR).await;
    assert_eq!((world.node.posts.get(), world.shop.times(Kind::Ask, "j001").len()), (1, 1), "paid once");
}

pub(super) async fn a_poll_s_code_is_not_its_last_word() {
    for code in
        ["TIMEOUT", "RATE_LIMITED", "CONTENT_FILTERED", "INVALID_INPUT", "L402_UPSTREAM_FAILED", "NEVER_HEARD_OF"]
    {
        let world = World::new(&wishes(1));
        world.shop.script(Kind::Redeem, "j001", [super::shop::Act::Accept]);
        world.shop.script(Kind::Poll, "j001", [coded(code)]);
        world.buy(HOUR).await;
        world.audit_all_delivered();
        let redeems = world.shop.times(Kind::Redeem, "j001").len();
        assert_eq!((world.shop.times(Kind::Poll, "j001").len(), redeems), (2, 1), "{code}");
        assert_eq!(world.node.posts.get(), 1, "{code}");
    }
}

/// Whatever an origin says for ever, with whatever status, of an ask, a redeem or a poll: at most one payment a job.
pub(super) async fn no_code_ever_leads_to_a_second_payment() {
    let codes = super::world::endpoint("shop.example").errors;
    assert!(codes.len() >= 10);
    for code in codes.iter().map(|rule| rule.code.as_str()).step_by(every(5)).chain(["NEVER_HEARD_OF"]) {
        for status in [200, 400, 402, 429, 500] {
            let body = format!(r#"{{"error":"e","error_code":"{code}"}}"#);
            for kind in [Kind::Redeem, Kind::Poll] {
                let world = World::new(&wishes(1));
                world.shop.script(Kind::Redeem, "j001", [super::shop::Act::Accept]);
                world.shop.always(kind, "j001", say(status, &body));
                for _ in 0..3 {
                    world.buy(12 * HOUR).await;
                    world.audit();
                    world.load_again();
                }
                assert_eq!(world.node.posts.get(), 1, "{code} {status} {kind:?}: {:?}", world.standing());
            }
        }
    }
}
