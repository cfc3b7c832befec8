//! What endpoints take and nodes hold is counted over batches, and refuses intents in their own transaction.

use url::Url;

use super::cases::{answer, intend};
use super::{AT, Subject};
use crate::ledger::contract::support::{end, new_intent, paid, posted};
use crate::ledger::{
    AnswerKind, Asking, BatchKey, Caps, Committed, Decision, HeldBack, IntentBounds, IntentRefusal, JobKey, NewIntent,
    PaymentKey, PendingJob, Prospect, Record,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Reason, WalletId};
use crate::time::UnixMs;

const HOUR: i64 = 3_600_000;
const IDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const IDS_2: [&str; 8] = ["a2", "b2", "c2", "d2", "e2", "f2", "g2", "h2"];
/// Three in a row, three at once until it delivers; four in doubt, six held.
pub(super) const BOUNDS: IntentBounds = IntentBounds {
    max_undelivered: 3,
    max_doubt: 4,
    payments_in_flight: 6,
    run_began: UnixMs(AT.0 - HOUR),
    is_play: false,
};

/// Two batches of a few jobs each.
pub(super) fn two<S: Subject>() -> (S, BatchKey, BatchKey) {
    (S::with(&[("june", &IDS), ("july", &IDS_2)]).0, BatchKey(1), BatchKey(2))
}

fn pending<S: Subject>(ledger: &S, batch: BatchKey) -> Vec<PendingJob> {
    ledger.pending(batch, None, 100).unwrap()
}

fn try_at<S: Subject>(
    ledger: &mut S,
    now: UnixMs,
    batch: BatchKey,
    n: u8,
    bounds: IntentBounds,
) -> Result<PaymentKey, HeldBack> {
    let job = pending(ledger, batch).remove(0);
    let intent = NewIntent { bounds, ..new_intent(&job, n) };
    let url = intent.request.url.clone();
    let prospect = Prospect {
        batch,
        url,
        node: intent.node.clone(),
        bounds,
        asking: Asking::default(),
        cost: Msat::ZERO,
        caps: Caps::default(),
    };
    let before = ledger.held_back(now, &prospect).unwrap();
    match ledger.hand_back(now, Record::Intend(Box::new(intent))).unwrap() {
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

pub(super) fn buy<S: Subject>(ledger: &mut S, batch: BatchKey, n: u8) -> Result<PaymentKey, HeldBack> {
    try_at(ledger, AT, batch, n, BOUNDS)
}

/// Paid, and answered with that status.
pub(super) fn pay<S: Subject>(ledger: &mut S, payment: PaymentKey, n: u8, status: u16) {
    ledger.hand_back(AT, paid(payment, n, Some(posted()))).unwrap();
    let answer = HttpAnswer { status, headers: Vec::new(), body: Vec::new() };
    let Committed::Answer(answer) =
        ledger.hand_back(AT, Record::Answer { payment, kind: AnswerKind::Redeem, answer }).unwrap()
    else {
        panic!()
    };
    let end = end(JobState::Paid, Reason::NotDelivered);
    ledger.hand_back(AT, Record::Undelivered { payment, answer: Some(answer), heard: false, end }).unwrap();
}

pub(super) fn deliver_at<S: Subject>(ledger: &mut S, now: UnixMs, payment: PaymentKey) {
    let answer = answer(ledger, payment, 200);
    let url = format!("https://seller.example/v/{}", payment.0);
    ledger.hand_back(now, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
}

pub(super) fn who_takes_three_and_delivers_none_gets_no_more_in_any_batch_until_it_delivers<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 500);
    for (batch, n) in [(july, 2), (june, 3)] {
        let payment = buy(&mut ledger, batch, n).unwrap();
        pay(&mut ledger, payment, n, 500);
    }
    for batch in [june, july] {
        let held = buy(&mut ledger, batch, 4).unwrap_err();
        assert_eq!(held.reason(), Reason::AwaitingDelivery, "{held}");
        assert!(held.is_alarming(AT) && held.may_change_elsewhere(), "{held:?}");
        assert!(held.to_string().starts_with("https://seller.example/make took 3 payments in a row"), "{held}");
    }
    deliver_at(&mut ledger, AT, first);
    for n in 4..8 {
        buy(&mut ledger, july, n).unwrap();
    }
}

pub(super) fn until_it_delivers_no_more_are_open_whatever_they_are_called<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let in_doubt = buy(&mut ledger, june, 1).unwrap();
    let record = Record::Doubt { payment: in_doubt, reason: Reason::PaymentUnknown, error: None, wait_until: None };
    ledger.hand_back(AT, record).unwrap();
    let abandoned = buy(&mut ledger, june, 2).unwrap();
    let job = ledger.open_jobs(None).unwrap().into_iter().find(|job| job.id == "b").unwrap().key;
    ledger.say(AT, job, Decision::Lost, None).unwrap();
    let third = buy(&mut ledger, july, 3).unwrap();
    let held = buy(&mut ledger, july, 4).unwrap_err();
    assert_eq!(held.reason(), Reason::AwaitingDelivery);
    assert!(!held.is_alarming(AT), "nothing speaks against it so far");
    // A delivery a long time ago proves nothing; one since the run began, or within the hour, does.
    ledger.hand_back(AT, paid(third, 3, Some(posted()))).unwrap();
    deliver_at(&mut ledger, AT, third);
    let later = AT.plus_ms(2 * HOUR);
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
pub(super) fn what_earlier_runs_have_left_brings_an_endpoint_back_on_trial_within_the_hour<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let first = buy(&mut ledger, june, 1).unwrap();
    ledger.hand_back(AT, paid(first, 1, Some(posted()))).unwrap();
    deliver_at(&mut ledger, AT, first);
    let run = |minute: i64| IntentBounds { run_began: AT.plus_ms(minute * 60_000), ..BOUNDS };
    let mut begin = |minute: i64, batch, n| try_at(&mut ledger, AT.plus_ms(minute * 60_000), batch, n, run(minute));
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
    ledger.hand_back(AT, paid(payment, 2, Some(posted()))).unwrap();
    deliver_at(&mut ledger, AT.plus_ms(50 * 60_000), payment);
    try_at(&mut ledger, AT.plus_ms(51 * 60_000), june, 7, run(51)).unwrap();
}

/// Whoever gives up what is in doubt takes it for paid: it counts against the endpoint until that delivers, however long ago it was,
/// and a person's word is named.
pub(super) fn what_a_person_gave_up_counts_until_the_endpoint_delivers<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let bounds = IntentBounds { max_undelivered: 1, ..BOUNDS };
    let payment = try_at(&mut ledger, AT, june, 1, bounds).unwrap();
    ledger.hand_back(AT, Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None }).unwrap();
    assert_eq!(try_at(&mut ledger, AT, july, 2, bounds).unwrap_err().reason(), Reason::AwaitingDelivery);
    let job = ledger.open_jobs(None).unwrap().remove(0).key;
    ledger.say(AT, job, Decision::Lost, None).unwrap();
    for now in [AT, AT.plus_ms(60 * 24 * HOUR)] {
        let held = try_at(&mut ledger, now, july, 2, bounds).unwrap_err();
        assert_eq!(held.reason(), Reason::BreakerOpen, "{held}");
        assert!(held.to_string().ends_with("(that word is seller.example@1)"), "{held}");
    }
    ledger.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    deliver_at(&mut ledger, AT, payment);
    try_at(&mut ledger, AT, july, 2, bounds).unwrap();
}

pub(super) fn a_node_holds_no_more_than_the_bounds_say_over_all_batches<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let bounds = IntentBounds { max_undelivered: 100, ..BOUNDS };
    let mut payments = Vec::new();
    for n in 1..=6 {
        payments.push(try_at(&mut ledger, AT, if n < 4 { june } else { july }, n, bounds).unwrap());
    }
    let held = try_at(&mut ledger, AT, july, 7, bounds).unwrap_err();
    assert_eq!((held.reason(), held.is_alarming(AT)), (Reason::DoubtLimit, false), "the node is busy");
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
        ledger.hand_back(AT, record).unwrap();
    }
    // Two of six settle: four in doubt are as many as may be.
    for n in [5_u8, 6] {
        ledger.hand_back(AT, paid(payments[usize::from(n) - 1], n, Some(posted()))).unwrap();
    }
    let held = try_at(&mut ledger, AT, june, 7, bounds).unwrap_err();
    assert!(held.is_alarming(AT) && held.to_string().contains("until fewer than 4 are in doubt"), "{held}");
    // What a person gives up is not in doubt, and is held while the node may still pay it.
    for job in ledger.open_jobs(None).unwrap().into_iter().filter(|job| job.state == JobState::InDoubt) {
        ledger.say(AT, job.key, Decision::Lost, None).unwrap();
    }
    for n in [7, 8] {
        try_at(&mut ledger, AT, june, n, bounds).unwrap();
    }
    assert!(try_at(&mut ledger, AT, june, 10, bounds).is_err(), "four given up and two on their way");
    let in_weeks = AT.plus_ms(29 * 24 * HOUR);
    try_at(&mut ledger, in_weeks, june, 10, bounds).unwrap();
}

/// Whoever asks has counted its slots already, whether their payments have got as far as the ledger or not.
pub(super) fn what_a_node_holds_for_whoever_asks_is_counted_by_its_slots<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let bounds = IntentBounds { max_undelivered: 100, ..BOUNDS };
    let jobs: Vec<JobKey> = pending(&ledger, june).iter().map(|job| job.key).collect();
    for n in 1..=2 {
        try_at(&mut ledger, AT, june, n, bounds).unwrap();
    }
    try_at(&mut ledger, AT, july, 3, bounds).unwrap();
    let new = new_intent(&pending(&ledger, june)[0], 9);
    let asked = |in_slots: &[JobKey], slots| {
        let asking = Asking { in_slots: in_slots.to_vec(), slots, ..Asking::default() };
        let prospect = Prospect {
            batch: june,
            url: new.request.url.clone(),
            node: new.node.clone(),
            bounds,
            asking,
            cost: Msat::ZERO,
            caps: Caps::default(),
        };
        ledger.held_back(AT, &prospect).unwrap().map(|held| held.reason())
    };
    // Six may be held: three are, and two of them are known by their slots, as is one that has no intent yet.
    assert_eq!((asked(&[], 2), asked(&[], 3)), (None, Some(Reason::DoubtLimit)));
    assert_eq!((asked(&jobs[..2], 4), asked(&jobs[..2], 5)), (None, Some(Reason::DoubtLimit)));
    assert_eq!((asked(&jobs[..3], 4), asked(&jobs[..3], 5)), (None, Some(Reason::DoubtLimit)));
}

pub(super) fn an_origin_that_does_not_take_what_was_paid_for_gets_no_more_at_any_endpoint<S: Subject>() {
    for status in [401, 402] {
        let (mut ledger, june, july) = two::<S>();
        let first = buy(&mut ledger, june, 1).unwrap();
        let second = buy(&mut ledger, june, 2).unwrap();
        pay(&mut ledger, first, 1, status);
        let held = buy(&mut ledger, july, 3).unwrap_err();
        assert_eq!((held.reason(), held.is_alarming(AT)), (Reason::BreakerOpen, false));
        assert!(held.is_alarming(AT.plus_ms(60_000)));
        assert!(held.to_string().contains("seller.example took the payment of job a (batch june)"), "{held}");
        let url = Url::parse("https://seller.example/another?x=1").unwrap();
        let node = WalletId("03payer".to_owned());
        let elsewhere = Prospect {
            batch: july,
            url,
            node,
            bounds: BOUNDS,
            asking: Asking::default(),
            cost: Msat::ZERO,
            caps: Caps::default(),
        };
        assert!(ledger.held_back(AT, &elsewhere).unwrap().is_some());
        let url = Url::parse("https://another.example/make").unwrap();
        assert_eq!(ledger.held_back(AT, &Prospect { url, ..elsewhere }).unwrap(), None);
        // Another purchase's delivery says nothing of this one; its own 2xx does.
        ledger.hand_back(AT, paid(second, 2, Some(posted()))).unwrap();
        deliver_at(&mut ledger, AT, second);
        assert!(buy(&mut ledger, july, 3).is_err());
        answer(&mut ledger, first, 202);
        buy(&mut ledger, july, 3).unwrap();
    }
}

pub(super) fn a_credential_that_has_ended_may_be_rejected<S: Subject>() {
    let (mut ledger, june, _) = two::<S>();
    let first = buy(&mut ledger, june, 1).unwrap();
    ledger.hand_back(AT, paid(first, 1, Some(posted()))).unwrap();
    let answer = HttpAnswer { status: 402, headers: Vec::new(), body: Vec::new() };
    let record = Record::Answer { payment: first, kind: AnswerKind::Redeem, answer };
    ledger.hand_back(AT.plus_ms(900_001), record).unwrap();
    buy(&mut ledger, june, 2).unwrap();
}

pub(super) fn what_is_left_after_a_long_wait_counts<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    for n in 1..=3 {
        let payment = buy(&mut ledger, june, n).unwrap();
        ledger.hand_back(AT, paid(payment, n, Some(posted()))).unwrap();
    }
    assert!(!buy(&mut ledger, july, 4).unwrap_err().is_alarming(AT));
    for job in ledger.open_jobs(Some(june)).unwrap() {
        ledger.hand_back(AT, Record::LeftUndelivered(job.key)).unwrap();
    }
    assert!(buy(&mut ledger, july, 4).unwrap_err().is_alarming(AT));
}
