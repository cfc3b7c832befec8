//! What a person says: that one purchase more may begin at an origin, and what became of a purchase.

use super::bounds::{BOUNDS, buy, deliver_at, pay, two};
use super::cases::deliver;
use super::{AT, Subject};
use crate::ledger::contract::support::{end, endpoint, new_intent, paid, planned, posted};
use crate::ledger::port::Decisions;
use crate::ledger::{BatchKey, DeadProof, Decision, PaymentKey, Record, Trusted};
use crate::purchase::{JobState, Reason};

pub(super) fn a_word_lets_one_purchase_begin_once<S: Subject>() {
    let (mut ledger, june, july) = two::<S>();
    let trust = |ledger: &mut S, number| ledger.trust(AT, july, "seller.example", number, BOUNDS).unwrap();
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
    ledger.hand_back(AT, paid(second, 3, Some(posted()))).unwrap();
    deliver_at(&mut ledger, AT, second);
    // The purchase that it was trusted with speaks for the whole origin.
    buy(&mut ledger, june, 4).unwrap();
    assert_eq!(trust(&mut ledger, 3), Trusted::NotNeeded);
}

/// A purchase whose payment can never settle.
fn dies<S: Subject>(ledger: &mut S, payment: PaymentKey) {
    ledger.hand_back(AT, Record::SendAnswered { payment, accepted: false }).unwrap();
    let end = end(JobState::Failed, Reason::NoRoute);
    ledger.hand_back(AT, Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end }).unwrap();
}

pub(super) fn a_word_for_what_was_never_paid_is_not_used_up<S: Subject>() {
    let (mut ledger, june, _) = two::<S>();
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 402);
    let word = |ledger: &mut S, number| ledger.trust(AT, june, "seller.example", number, BOUNDS).unwrap();
    assert_eq!(word(&mut ledger, 1), Trusted::Recorded);
    let dead = buy(&mut ledger, june, 2).unwrap();
    dies(&mut ledger, dead);
    assert_eq!(word(&mut ledger, 1), Trusted::InForce);
    let lost = buy(&mut ledger, june, 3).unwrap();
    let job = ledger.payment(lost).job;
    ledger.say(AT, job, Decision::Lost, None).unwrap();
    let by = Some(("june".to_owned(), "c".to_owned()));
    assert_eq!(word(&mut ledger, 1), Trusted::UsedUp { by, next: 2 }, "whoever gives it up takes it for paid");
}

pub(super) fn a_word_lapses_where_it_is_not_needed<S: Subject>() {
    let (mut ledger, june, _) = two::<S>();
    let first = buy(&mut ledger, june, 1).unwrap();
    pay(&mut ledger, first, 1, 402);
    assert_eq!(ledger.trust(AT, june, "seller.example", 1, BOUNDS).unwrap(), Trusted::Recorded);
    deliver_at(&mut ledger, AT, first);
    assert_eq!(
        ledger.trust(AT, june, "seller.example", 1, BOUNDS).unwrap(),
        Trusted::UsedUp { by: None, next: 2 },
        "the origin has delivered by itself"
    );
    assert_eq!(ledger.trust(AT, june, "seller.example", 2, BOUNDS).unwrap(), Trusted::NotNeeded);
    assert_eq!(ledger.trust(AT, june, "another.example", 1, BOUNDS).unwrap(), Trusted::NotNeeded);
    let second = buy(&mut ledger, june, 2).unwrap();
    pay(&mut ledger, second, 2, 402);
    assert!(buy(&mut ledger, june, 3).is_err(), "a word that has lapsed lets nothing begin");
}

pub(super) fn a_job_is_found_by_its_id_and_its_take<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let (june, payment) = (BatchKey(1), super::cases::intend(&mut store, new_intent(&jobs[0], 1)));
    let found = store.undecided(june, "a").unwrap().unwrap();
    assert_eq!((found.job, found.state, found.intent.unwrap().payment()), (jobs[0].key, JobState::Running, payment));
    assert_eq!(store.undecided(june, "b").unwrap().unwrap().intent, None);
    let proof = Some(DeadProof::FailedAndExpired);
    store.say(AT, jobs[0].key, Decision::Rebuy, proof).unwrap();
    let latest = store.undecided(june, "a").unwrap().unwrap();
    assert_eq!((latest.state, latest.intent), (JobState::Pending, None));
    assert_eq!(store.undecided_take(june, "a", Some(2)).unwrap().unwrap().job, latest.job);
    assert_eq!(store.undecided_take(june, "a", Some(1)).unwrap().unwrap().job, jobs[0].key);
    assert!(store.undecided_take(june, "a", Some(3)).unwrap().is_none());
    assert!(store.undecided(june, "c").unwrap().is_none() && store.undecided(BatchKey(2), "a").unwrap().is_none());
}

pub(super) fn what_is_left_as_it_was_delivered_says_no_more<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let june = BatchKey(1);
    deliver(&mut store, &jobs[0], 1);
    let reason = |store: &S| store.job(jobs[0].key).reason;
    let load =
        |store: &mut S, prompt: &str| drop(store.take_in(june, vec![planned(&endpoint(), "a", prompt)]).unwrap());
    assert!(!store.keep(AT, jobs[0].key, "fine").unwrap(), "there is nothing to decide");
    load(&mut store, "another");
    assert_eq!(reason(&store), Reason::Changed);
    assert!(store.keep(AT, jobs[0].key, "fine").unwrap());
    load(&mut store, "another");
    assert_eq!(reason(&store), Reason::None);
    assert!(!store.keep(AT, jobs[0].key, "fine").unwrap());
    load(&mut store, "a third");
    assert_eq!(reason(&store), Reason::Changed, "for as long as its row asks for what it now asks for");
}
