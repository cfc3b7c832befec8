//! What endpoints take and nodes hold is counted over batches, and refuses intents in their own transaction.

use url::Url;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    AnswerKind, Asking, BatchKey, Committed, HeldBack, IntentBounds, IntentRefusal, NewIntent, PaymentKey, Prospect,
    Record, Trusted,
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
