//! What a purchase must fit into: budgets, what endpoints have taken, what a node holds, identical requests.

use url::Url;

use super::cases::{answer, deliver, intend};
use super::{AT, Subject};
use crate::catalog::DedupPolicy;
use crate::l402::PaymentHash;
use crate::ledger::contract::support::{HOLD, end, new_intent, paid, posted};
use crate::ledger::{
    Caps, Committed, HeldBack, IntentBounds, IntentRefusal, NewIntent, PaymentKey, PendingJob, PeriodCap, Record,
    RefundInvoice, RefundRecord,
};
use crate::money::Msat;
use crate::purchase::{JobState, Poll, Reason, WalletId};
use crate::time::UnixMs;

/// Why that intent is not made; none where it is.
pub(super) fn refused<S: Subject>(store: &mut S, now: UnixMs, intent: NewIntent) -> Option<IntentRefusal> {
    match store.hand_back(now, Record::Intend(Box::new(intent))).unwrap() {
        Committed::IntentRefused(refusal) => Some(refusal),
        Committed::Intent(_) => None,
        other => panic!("{other:?}"),
    }
}

fn capped(job: &PendingJob, n: u8, caps: Caps) -> NewIntent {
    NewIntent { caps, ..new_intent(job, n) }
}

fn batch(most: u64) -> Caps {
    Caps { batch: Some(Msat::new(most)), ..Caps::default() }
}

fn day(period: &str, most: u64) -> Caps {
    Caps { day: Some(PeriodCap { period: period.to_owned(), most: Msat::new(most) }), ..Caps::default() }
}

pub(super) fn a_batch_s_limit_holds_fees_and_all<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let (cost, used, most) = (Msat::new(HOLD), Msat::new(HOLD), Msat::new(2 * HOLD - 1));
    assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, batch(HOLD - 1))).map(drop), Some(()));
    assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, batch(HOLD))), None);
    let full = Some(IntentRefusal::BatchLimit { cost, used, most });
    assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, batch(most.get()))), full);
    // What routing cost is less than what was held for it.
    store.hand_back(AT, paid(PaymentKey(1), 1, Some(posted()))).unwrap();
    assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, batch(most.get()))), None);
}

pub(super) fn a_day_s_limit_is_over_all_batches_and_the_clock_never_goes_back<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c", "d"])]);
    assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, day("2026-11-20", HOLD))), None);
    for today in ["2026-11-20", "2026-11-19"] {
        let refusal = refused(&mut store, AT, capped(&jobs[2], 2, day(today, HOLD)));
        assert!(matches!(refusal, Some(IntentRefusal::DayLimit { .. })), "{today}: {refusal:?}");
    }
    assert_eq!(refused(&mut store, AT, capped(&jobs[2], 2, day("2026-11-21", HOLD))), None);
    let refusal = refused(&mut store, AT, capped(&jobs[1], 3, day("2026-11-20", HOLD)));
    assert!(matches!(refusal, Some(IntentRefusal::DayLimit { .. })), "{refusal:?}");
}

pub(super) fn what_came_back_makes_room_again<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let caps = |most| Caps { batch: Some(Msat::new(most)), ..day("2026-11-20", most) };
    let payment = intend(&mut store, capped(&jobs[0], 1, caps(HOLD)));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut store, payment, 200);
    let mut refund = |record| store.hand_back(AT, Record::Refund(payment, record)).unwrap();
    refund(RefundRecord::Offered { answer, link: Some("lnurlw://x".to_owned()), message: "sorry".to_owned() });
    refund(RefundRecord::Invoiced(Box::new(RefundInvoice {
        invoice: "lnbc9".to_owned(),
        hash: PaymentHash([9; 32]),
        amount: Msat::new(500_000),
        expires_at: AT.plus_ms(60_000),
        node: WalletId("03payer".to_owned()),
        callback: Url::parse("https://seller.example/withdraw").unwrap(),
        k1: "k".to_owned(),
    })));
    assert!(refused(&mut store, AT, capped(&jobs[1], 2, caps(HOLD))).is_some(), "promised is not come");
    store.hand_back(AT, Record::Refund(payment, RefundRecord::Settled { received: Msat::new(499_000) })).unwrap();
    let job = store.job(jobs[0].key);
    assert_eq!((job.state, job.reason), (JobState::Refunded, Reason::RefundPartial));
    assert!(refused(&mut store, AT, capped(&jobs[1], 2, caps(HOLD))).is_some(), "the fee is gone");
    assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, caps(HOLD + 2_500))), None);
}

pub(super) fn an_endpoint_that_takes_and_does_not_deliver_gets_no_more<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    let bounds = IntentBounds { max_undelivered: 2, ..IntentBounds::default() };
    let wants = |n: usize| NewIntent { bounds, ..new_intent(&jobs[n], u8::try_from(n + 1).unwrap()) };
    for n in [0, 1] {
        let payment = intend(&mut store, wants(n));
        store.hand_back(AT, paid(payment, u8::try_from(n + 1).unwrap(), None)).unwrap();
        let end = end(JobState::Lost, Reason::OriginFailed);
        store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    }
    let refusal = refused(&mut store, AT, wants(2));
    let Some(IntentRefusal::HeldBack(HeldBack::Undelivered { count, .. })) = refusal else { panic!("{refusal:?}") };
    assert_eq!((count.undelivered, count.open), (2, 0));
    // It delivers one of them after all.
    let late = PaymentKey(1);
    let answer = answer(&mut store, late, 200);
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment: late, answer, url, more: Vec::new(), own: false }).unwrap();
    assert_eq!(refused(&mut store, AT, wants(2)), None);
    // What it takes, and rejects: the origin gets no more.
    store.hand_back(AT, paid(PaymentKey(3), 3, None)).unwrap();
    super::cases::answer(&mut store, PaymentKey(3), 402);
    let refusal = refused(&mut store, AT, wants(3));
    assert!(matches!(refusal, Some(IntentRefusal::HeldBack(HeldBack::Rejected { .. }))), "{refusal:?}");
}

pub(super) fn a_node_in_doubt_gets_no_more<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let bounds = IntentBounds { max_doubt: 1, payments_in_flight: 2, ..IntentBounds::default() };
    let wants = |n: usize| NewIntent { bounds, ..new_intent(&jobs[n], u8::try_from(n + 1).unwrap()) };
    let payment = intend(&mut store, wants(0));
    let doubt = Record::Doubt { payment, reason: Reason::PaymentUnknown, error: None, wait_until: None };
    store.hand_back(AT, doubt).unwrap();
    let refusal = refused(&mut store, AT, wants(1));
    let Some(IntentRefusal::HeldBack(HeldBack::Doubt { count, .. })) = refusal else { panic!("{refusal:?}") };
    assert_eq!((count.in_doubt, count.held), (1, 1));
    let other = NewIntent { node: WalletId("03other".to_owned()), ..wants(1) };
    assert_eq!(refused(&mut store, AT, other), None, "another node is in no doubt");
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    assert_eq!(refused(&mut store, AT, wants(2)), None);
}

pub(super) fn the_same_request_is_not_bought_under_another_name<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["a"])]);
    deliver(&mut store, &jobs[0], 1);
    let refusal = refused(&mut store, AT, new_intent(&jobs[1], 2));
    let Some(IntentRefusal::Duplicate(original)) = refusal else { panic!("{refusal:?}") };
    assert_eq!((original.batch.as_str(), original.id.as_str()), ("june", "a"));
    assert_eq!(store.sums(store.job(jobs[1].key).batch).held, 0);
}

pub(super) fn an_identical_request_waits_for_its_window<S: Subject>() {
    // Rows of one manifest are both meant.
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let request = new_intent(&jobs[0], 1).request;
    deliver(&mut store, &jobs[0], 1);
    let wants = |apart| NewIntent { dedup: apart, request: request.clone(), ..new_intent(&jobs[1], 2) };
    let early = refused(&mut store, AT.plus_ms(29_999), wants(DedupPolicy::Window(30)));
    assert_eq!(early, Some(IntentRefusal::IdenticalKnown));
    assert_eq!(refused(&mut store, AT.plus_ms(30_000), wants(DedupPolicy::Window(30))), None);
}

/// With a header that bypasses the cache no window counts, but what is under way has no answer of its own.
pub(super) fn what_leads_past_a_cache_waits_for_an_answer_alone<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let request = new_intent(&jobs[0], 1).request;
    let wants =
        |n: u8, dedup| NewIntent { dedup, request: request.clone(), ..new_intent(&jobs[usize::from(n) - 1], n) };
    let payment = intend(&mut store, wants(1, DedupPolicy::Never));
    let known = Some(IntentRefusal::IdenticalKnown);
    assert_eq!(refused(&mut store, AT, wants(2, DedupPolicy::Answer)), known);
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    assert_eq!(refused(&mut store, AT, wants(2, DedupPolicy::Answer)), known, "paid, and not answered");
    let accepted = answer(&mut store, payment, 202);
    let poll = Poll { url: Url::parse("https://seller.example/poll").unwrap(), interval_ms: 5_000 };
    store.hand_back(AT, Record::Accepted { payment, answer: accepted, poll }).unwrap();
    assert_eq!(refused(&mut store, AT, wants(2, DedupPolicy::Answer)), None);
    // Now that one is open: no window is ever over.
    assert_eq!(refused(&mut store, AT.plus_ms(900_000), wants(3, DedupPolicy::Window(30))), known);
    assert_eq!(refused(&mut store, AT, wants(3, DedupPolicy::Never)), None);
}
