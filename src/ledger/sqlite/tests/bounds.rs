//! What endpoints take and nodes hold is counted over batches, and refuses intents in their own transaction.

use url::Url;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    AnswerKind, Asking, BatchKey, Committed, Decision, HeldBack, IntentBounds, IntentRefusal, NewIntent, PaymentKey,
    Prospect, Record, Trusted,
};
use crate::purchase::{HttpAnswer, JobState, Reason, WalletId};
use crate::time::UnixMs;

const HOUR: i64 = 3_600_000;
const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Three in a row, three at once until it delivers; four in doubt, six held.
const BOUNDS: IntentBounds =
    IntentBounds { max_undelivered: 3, max_doubt: 4, payments_in_flight: 6, run_began: UnixMs(NOW.0 - HOUR) };

/// Two batches of a few jobs each.
fn two() -> (SqliteLedger, BatchKey, BatchKey) {
    let (mut ledger, june) = in_memory(&IDS);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &IDS.map(|id| format!("{id}2")).each_ref().map(String::as_str));
    (ledger, june, july)
}

fn try_at(
    ledger: &mut SqliteLedger,
    now: UnixMs,
    batch: BatchKey,
    n: u8,
    bounds: IntentBounds,
) -> Result<PaymentKey, HeldBack> {
    let job = pending(ledger, batch).remove(0);
    let intent = NewIntent { bounds, ..new_intent(&job, n) };
    let url = intent.request.url.clone();
    let prospect = Prospect { batch, url, node: intent.node.clone(), bounds, asking: Asking::default() };
    let before = ledger.held_back(now, &prospect).unwrap();
    match ledger.apply(now, Record::Intend(Box::new(intent))).unwrap() {
        Committed::Intent(intent) => {
            assert_eq!(before, None, "asked before the ask, it says the same");
            Ok(intent.payment())
        }
        Committed::IntentRefused(IntentRefusal::HeldBack(held)) => {
            assert_eq!(before.as_ref(), Some(&held));
            Err(held)
        }
        other => panic!("{other:?}"),
    }
}

fn buy(ledger: &mut SqliteLedger, batch: BatchKey, n: u8) -> Result<PaymentKey, HeldBack> {
    try_at(ledger, NOW, batch, n, BOUNDS)
}

/// Paid, and answered with that status.
fn pay(ledger: &mut SqliteLedger, payment: PaymentKey, n: u8, status: u16) {
    ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    let answer = HttpAnswer { status, headers: Vec::new(), body: Vec::new() };
    let Committed::Answer(answer) =
        ledger.apply(NOW, Record::Answer { payment, kind: AnswerKind::Redeem, answer }).unwrap()
    else {
        panic!()
    };
    let end = end(JobState::Paid, Reason::NotDelivered);
    ledger.apply(NOW, Record::Undelivered { payment, answer: Some(answer), heard: false, end }).unwrap();
}

fn deliver_at(ledger: &mut SqliteLedger, now: UnixMs, payment: PaymentKey) {
    let answer = answer(ledger, payment, 200);
    let url = format!("https://seller.example/v/{}", payment.0);
    ledger.apply(now, Record::Delivered { payment, answer, url, own: false }).unwrap();
}

#[test]
fn who_takes_three_and_delivers_none_gets_no_more_in_any_batch_until_it_delivers() {
    let (mut ledger, june, july) = two();
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 500);
    for (batch, n) in [(july, 2), (june, 3)] {
        let payment = buy(&mut ledger, batch, n).unwrap();
        pay(&mut ledger, payment, n, 500);
    }
    for batch in [june, july] {
        let held = buy(&mut ledger, batch, 4).unwrap_err();
        assert_eq!(held.reason(), Reason::AwaitingDelivery, "{held}");
        assert!(held.is_alarming(NOW) && held.may_change_elsewhere(), "{held:?}");
        assert!(held.to_string().starts_with("https://seller.example/make took 3 payments in a row"), "{held}");
    }
    deliver_at(&mut ledger, NOW, first);
    for n in 4..8 {
        buy(&mut ledger, july, n).unwrap();
    }
}

#[test]
fn until_it_delivers_no_more_are_open_whatever_they_are_called() {
    let (mut ledger, june, july) = two();
    let in_doubt = buy(&mut ledger, june, 1).unwrap();
    let record = Record::Doubt { payment: in_doubt, reason: Reason::PaymentUnknown, error: None, wait_until: None };
    ledger.apply(NOW, record).unwrap();
    let abandoned = buy(&mut ledger, june, 2).unwrap();
    let job = ledger.open_jobs(None).unwrap().into_iter().find(|job| job.id == "b").unwrap().key;
    ledger.decide(NOW, job, Decision::Lost, "gone", "nobody asked", None).unwrap();
    let third = buy(&mut ledger, july, 3).unwrap();
    let held = buy(&mut ledger, july, 4).unwrap_err();
    assert_eq!(held.reason(), Reason::AwaitingDelivery);
    assert!(!held.is_alarming(NOW), "nothing speaks against it so far");
    // A delivery a long time ago proves nothing; one since the run began, or within the hour, does.
    ledger.apply(NOW, paid(third, 3, Some(posted()))).unwrap();
    deliver_at(&mut ledger, NOW, third);
    let later = NOW.plus_ms(2 * HOUR);
    let tomorrow = IntentBounds { run_began: later, ..BOUNDS };
    for n in 5..8 {
        try_at(&mut ledger, later, july, n, tomorrow).unwrap();
    }
    let held = try_at(&mut ledger, later, july, 8, tomorrow).unwrap_err();
    let HeldBack::Undelivered { count, .. } = &held else { panic!("{held:?}") };
    assert_eq!((count.begun, count.undelivered), (3, 0), "what was begun before its last delivery counts no more");
    let _held_still = abandoned;
}

/// A delivery within the hour speaks for an endpoint, and not for what every run that was killed since has left there.
#[test]
fn what_earlier_runs_have_left_brings_an_endpoint_back_on_trial_within_the_hour() {
    let (mut ledger, june, july) = two();
    let first = buy(&mut ledger, june, 1).unwrap();
    ledger.apply(NOW, paid(first, 1, Some(posted()))).unwrap();
    deliver_at(&mut ledger, NOW, first);
    let run = |minute: i64| IntentBounds { run_began: NOW.plus_ms(minute * 60_000), ..BOUNDS };
    let mut begin = |minute: i64, batch, n| try_at(&mut ledger, NOW.plus_ms(minute * 60_000), batch, n, run(minute));
    for n in 2..=3 {
        begin(10, june, n).unwrap();
    }
    // Two are left by the run before: the hour still speaks for it, within one run.
    for n in 4..=6 {
        begin(20, july, n).unwrap();
    }
    for minute in [30, 40, 50] {
        for batch in [june, july] {
            let held = begin(minute, batch, 7).unwrap_err();
            assert_eq!(held.reason(), Reason::AwaitingDelivery, "{held}");
            assert!(held.to_string().contains("what it is tried with (5 purchases)"), "{held}");
        }
    }
    // It delivers again, and is proven again.
    let second = ledger.open_jobs(None).unwrap().remove(0);
    let payment = PaymentKey(2);
    assert_eq!(second.id, "b");
    ledger.apply(NOW, paid(payment, 2, Some(posted()))).unwrap();
    deliver_at(&mut ledger, NOW.plus_ms(50 * 60_000), payment);
    try_at(&mut ledger, NOW.plus_ms(51 * 60_000), june, 7, run(51)).unwrap();
}

/// Whoever gives up what is in doubt takes it for paid: it counts against the endpoint until that delivers, however long ago it was,
/// and a person's word is named.
#[test]
fn what_a_person_gave_up_counts_until_the_endpoint_delivers() {
    let (mut ledger, june, july) = two();
    let bounds = IntentBounds { max_undelivered: 1, ..BOUNDS };
    let payment = try_at(&mut ledger, NOW, june, 1, bounds).unwrap();
    ledger.apply(NOW, Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None }).unwrap();
    assert_eq!(try_at(&mut ledger, NOW, july, 2, bounds).unwrap_err().reason(), Reason::AwaitingDelivery);
    let job = ledger.open_jobs(None).unwrap().remove(0).key;
    ledger.decide(NOW, job, Decision::Lost, "gone", "nobody asked", None).unwrap();
    for now in [NOW, NOW.plus_ms(60 * 24 * HOUR)] {
        let held = try_at(&mut ledger, now, july, 2, bounds).unwrap_err();
        assert_eq!(held.reason(), Reason::BreakerOpen, "{held}");
        assert!(held.to_string().ends_with("(that word is seller.example@1)"), "{held}");
    }
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    deliver_at(&mut ledger, NOW, payment);
    try_at(&mut ledger, NOW, july, 2, bounds).unwrap();
}

#[test]
fn a_node_holds_no_more_than_the_bounds_say_over_all_batches() {
    let (mut ledger, june, july) = two();
    let bounds = IntentBounds { max_undelivered: 100, ..BOUNDS };
    let mut payments = Vec::new();
    for n in 1..=6 {
        payments.push(try_at(&mut ledger, NOW, if n < 4 { june } else { july }, n, bounds).unwrap());
    }
    let held = try_at(&mut ledger, NOW, july, 7, bounds).unwrap_err();
    assert_eq!((held.reason(), held.is_alarming(NOW)), (Reason::DoubtLimit, false), "the node is busy");
    assert!(
        held.to_string().contains("0 payments are in doubt at node 03payer, and 6 payments are held there besides"),
        "{held}"
    );
    // Another node is another one.
    let job = pending(&ledger, july).remove(0);
    let other = NewIntent { bounds, node: WalletId("03other".to_owned()), ..new_intent(&job, 9) };
    intend(&mut ledger, other);
    for payment in &payments[..4] {
        let record =
            Record::Doubt { payment: *payment, reason: Reason::PaymentInFlight, error: None, wait_until: None };
        ledger.apply(NOW, record).unwrap();
    }
    // Two of six settle: four in doubt are as many as may be.
    for n in [5_u8, 6] {
        ledger.apply(NOW, paid(payments[usize::from(n) - 1], n, Some(posted()))).unwrap();
    }
    let held = try_at(&mut ledger, NOW, june, 7, bounds).unwrap_err();
    assert!(held.is_alarming(NOW) && held.to_string().contains("until fewer than 4 are in doubt"), "{held}");
    // What a person gives up is not in doubt, and is held while the node may still pay it.
    for job in ledger.open_jobs(None).unwrap().into_iter().filter(|job| job.state == JobState::InDoubt) {
        ledger.decide(NOW, job.key, Decision::Lost, "gone", "nobody asked", None).unwrap();
    }
    for n in [7, 8] {
        try_at(&mut ledger, NOW, june, n, bounds).unwrap();
    }
    assert!(try_at(&mut ledger, NOW, june, 10, bounds).is_err(), "four given up and two on their way");
    let in_weeks = NOW.plus_ms(29 * 24 * HOUR);
    try_at(&mut ledger, in_weeks, june, 10, bounds).unwrap();
}

#[test]
fn an_origin_that_does_not_take_what_was_paid_for_gets_no_more_at_any_endpoint() {
    for status in [401, 402] {
        let (mut ledger, june, july) = two();
        let first = buy(&mut ledger, june, 1).unwrap();
        let second = buy(&mut ledger, june, 2).unwrap();
        pay(&mut ledger, first, 1, status);
        let held = buy(&mut ledger, july, 3).unwrap_err();
        assert_eq!((held.reason(), held.is_alarming(NOW)), (Reason::BreakerOpen, false));
        assert!(held.is_alarming(NOW.plus_ms(60_000)));
        assert!(held.to_string().contains("seller.example took the payment of job a (batch june)"), "{held}");
        let url = Url::parse("https://seller.example/another?x=1").unwrap();
        let node = WalletId("03payer".to_owned());
        let elsewhere = Prospect { batch: july, url, node, bounds: BOUNDS, asking: Asking::default() };
        assert!(ledger.held_back(NOW, &elsewhere).unwrap().is_some());
        let url = Url::parse("https://another.example/make").unwrap();
        assert_eq!(ledger.held_back(NOW, &Prospect { url, ..elsewhere }).unwrap(), None);
        // Another purchase's delivery says nothing of this one; its own 2xx does.
        ledger.apply(NOW, paid(second, 2, Some(posted()))).unwrap();
        deliver_at(&mut ledger, NOW, second);
        assert!(buy(&mut ledger, july, 3).is_err());
        answer(&mut ledger, first, 202);
        buy(&mut ledger, july, 3).unwrap();
    }
}

#[test]
fn a_credential_that_has_ended_may_be_rejected() {
    let (mut ledger, june, _) = two();
    let first = buy(&mut ledger, june, 1).unwrap();
    ledger.apply(NOW, paid(first, 1, Some(posted()))).unwrap();
    let answer = HttpAnswer { status: 402, headers: Vec::new(), body: Vec::new() };
    let record = Record::Answer { payment: first, kind: AnswerKind::Redeem, answer };
    ledger.apply(NOW.plus_ms(900_001), record).unwrap();
    buy(&mut ledger, june, 2).unwrap();
}

#[test]
fn a_word_lets_one_purchase_begin_once() {
    let (mut ledger, june, july) = two();
    let trust = |ledger: &mut SqliteLedger, number| ledger.trust(NOW, july, "seller.example", number, BOUNDS).unwrap();
    assert_eq!(trust(&mut ledger, 1), Trusted::NotNeeded);
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 402);
    assert_eq!(trust(&mut ledger, 2), Trusted::OutOfTurn(1));
    assert_eq!(trust(&mut ledger, 1), Trusted::Recorded);
    assert_eq!(trust(&mut ledger, 1), Trusted::InForce);
    let trusted = buy(&mut ledger, july, 2).unwrap();
    assert!(buy(&mut ledger, july, 3).is_err(), "one, whoever buys it");
    let used_up = Trusted::UsedUp { by: Some(("july".to_owned(), "a2".to_owned())), next: 2 };
    assert_eq!(trust(&mut ledger, 1), used_up);
    assert_eq!(trust(&mut ledger, 2), Trusted::UnderWay("july".to_owned(), "a2".to_owned()));
    pay(&mut ledger, trusted, 2, 500);
    assert_eq!(trust(&mut ledger, 1), used_up, "whatever became of it");
    assert!(buy(&mut ledger, july, 3).is_err());
    assert_eq!(trust(&mut ledger, 2), Trusted::Recorded);
    let second = buy(&mut ledger, july, 3).unwrap();
    ledger.apply(NOW, paid(second, 3, Some(posted()))).unwrap();
    deliver_at(&mut ledger, NOW, second);
    // The purchase that it was trusted with speaks for the whole origin.
    buy(&mut ledger, june, 4).unwrap();
    assert_eq!(trust(&mut ledger, 3), Trusted::NotNeeded);
}

#[test]
fn a_word_for_what_was_never_paid_is_not_used_up_and_lapses_where_it_is_not_needed() {
    let (mut ledger, june, _) = two();
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 402);
    assert_eq!(ledger.trust(NOW, june, "seller.example", 1, BOUNDS).unwrap(), Trusted::Recorded);
    let dead = buy(&mut ledger, june, 2).unwrap();
    ledger.apply(NOW, Record::SendAnswered { payment: dead, accepted: false }).unwrap();
    let proof = crate::ledger::DeadProof::FailedAndAnswered;
    let end = end(JobState::Pending, Reason::NoRoute);
    ledger.apply(NOW, Record::Dead { payment: dead, proof, end }).unwrap();
    assert_eq!(ledger.trust(NOW, june, "seller.example", 1, BOUNDS).unwrap(), Trusted::InForce);
    let again = buy(&mut ledger, june, 3).unwrap();
    let proof = crate::ledger::DeadProof::FailedAndAnswered;
    ledger.apply(NOW, Record::SendAnswered { payment: again, accepted: false }).unwrap();
    ledger
        .apply(NOW, Record::Dead { payment: again, proof, end: super::support::end(JobState::Failed, Reason::NoRoute) })
        .unwrap();
    deliver_at(&mut ledger, NOW, first);
    buy(&mut ledger, june, 4).unwrap();
}

#[test]
fn what_is_left_after_a_long_wait_counts() {
    let (mut ledger, june, july) = two();
    for n in 1..=3 {
        let payment = buy(&mut ledger, june, n).unwrap();
        ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    }
    assert!(!buy(&mut ledger, july, 4).unwrap_err().is_alarming(NOW));
    for job in ledger.open_jobs(Some(june)).unwrap() {
        ledger.apply(NOW, Record::LeftUndelivered(job.key)).unwrap();
    }
    assert!(buy(&mut ledger, july, 4).unwrap_err().is_alarming(NOW));
}

#[test]
fn what_version_1_left_undelivered_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    super::v1::write_old(&path);
    let ledger = SqliteLedger::open(&path, crate::ledger::OpenMode::Write).unwrap();
    let batch = ledger.batch("plain").unwrap().unwrap().key;
    let url = Url::parse("http://127.0.0.1:21737/api/l402/generate-video").unwrap();
    let node = WalletId("03another".to_owned());
    let prospect = Prospect { batch, url, node, bounds: BOUNDS, asking: Asking::default() };
    let held = ledger.held_back(UnixMs(1_795_862_200_000), &prospect).unwrap();
    let Some(HeldBack::Undelivered { count, word: 1, .. }) = held else { panic!("{held:?}") };
    // Two lost, one refunded, one owed; one in doubt and one of a run that was killed.
    assert_eq!((count.undelivered, count.begun, count.open), (4, 6, 3));
    assert_eq!(count.delivered_at, Some(UnixMs(1_795_862_151_098)));
}
