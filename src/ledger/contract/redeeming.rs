//! What comes of a purchase once it is paid: answers, where to poll, the one redeem more; and what is said of its job.

use super::cases::{answer, deliver, intend};
use super::{AT, Subject};
use crate::catalog::RedeemRule;
use crate::ledger::contract::support::{end, http, is_contradiction, new_intent, paid, posted, secret};
use crate::ledger::{AnswerKind, BatchKey, Committed, JobKey, NewIntent, OpenStage, PaidPurchase, PaymentKey, Record};
use crate::purchase::{HttpAnswer, JobState, Poll, Reason, WalletId};

const JUNE: BatchKey = BatchKey(1);

/// A job that is paid for and asked for.
fn bought<S: Subject>() -> (S, JobKey, PaymentKey) {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    (store, jobs[0].key, payment)
}

fn poll() -> Poll {
    Poll { url: "https://seller.example/poll/1".parse().unwrap(), interval_ms: 2_000 }
}

fn undelivered<S: Subject>(store: &mut S, payment: PaymentKey, status: u16) {
    let stored = answer(store, payment, status);
    let heard = (200..300).contains(&status);
    let end = end(JobState::Paid, Reason::NotDelivered);
    store.hand_back(AT, Record::Undelivered { payment, answer: Some(stored), heard, end }).unwrap();
}

/// The purchase as the next run finds it.
fn found<S: Subject>(store: &S) -> PaidPurchase {
    match store.open_jobs(Some(JUNE)).unwrap().remove(0).stage {
        OpenStage::Paid(purchase) | OpenStage::Answered(purchase, ..) | OpenStage::Accepted(purchase, ..) => purchase,
        other => panic!("{other:?}"),
    }
}

pub(super) fn redeems_are_counted_and_polls_are_not<S: Subject>() {
    let (mut store, _, payment) = bought::<S>();
    for (kind, redeems) in [(AnswerKind::Redeem, 1), (AnswerKind::Poll, 1), (AnswerKind::Redeem, 2)] {
        store.hand_back(AT, Record::Answer { payment, kind, answer: http(503) }).unwrap();
        assert_eq!(found(&store).redeems(), redeems, "{kind:?}");
    }
}

pub(super) fn an_answer_that_nobody_has_read_is_found_whole<S: Subject>() {
    let (mut store, _, payment) = bought::<S>();
    let long = HttpAnswer { status: 502, headers: http(502).headers, body: vec![b'x'; 200_000] };
    store.hand_back(AT, Record::Answer { payment, kind: AnswerKind::Redeem, answer: long.clone() }).unwrap();
    let OpenStage::Answered(_, kind, key, kept) = store.open_jobs(None).unwrap().remove(0).stage else { panic!() };
    assert_eq!((kind, kept), (AnswerKind::Redeem, long), "the link of a refund may stand at its end");
    let end = end(JobState::Paid, Reason::NotDelivered);
    store.hand_back(AT, Record::Undelivered { payment, answer: Some(key), heard: false, end }).unwrap();
    assert!(matches!(store.open_jobs(None).unwrap()[0].stage, OpenStage::Paid(_)), "it has been read");
}

pub(super) fn an_answer_with_the_result_is_as_the_answer_and_then_the_result<S: Subject>() {
    let url = "https://seller.example/v/1".to_owned();
    for (kind, own) in [(AnswerKind::Redeem, true), (AnswerKind::Redeem, false), (AnswerKind::Poll, true)] {
        let (mut apart, _, payment) = bought::<S>();
        answer(&mut apart, payment, 503);
        let record = Record::Answer { payment, kind, answer: http(200) };
        let Committed::Answer(stored) = apart.hand_back(AT, record).unwrap() else { panic!() };
        let record = Record::Delivered { payment, answer: stored, url: url.clone(), more: Vec::new(), own };
        assert!(matches!(apart.hand_back(AT, record).unwrap(), Committed::Done));
        let (mut at_once, job, payment) = bought::<S>();
        answer(&mut at_once, payment, 503);
        let record =
            Record::DeliveredAtOnce { payment, kind, answer: http(200), url: url.clone(), more: Vec::new(), own };
        assert!(matches!(at_once.hand_back(AT, record).unwrap(), Committed::Done));
        assert_eq!(at_once.seen(), apart.seen(), "{kind:?}");
        assert_eq!(at_once.delivery(job).unwrap(), Some(http(200)));
    }
}

pub(super) fn an_answer_with_a_result_that_may_not_be_its_own_is_kept_alone<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let same = new_intent(&jobs[0], 1).request;
    let first = deliver(&mut store, &jobs[0], 1);
    let payment = intend(&mut store, NewIntent { request: same, ..new_intent(&jobs[1], 2) });
    store.hand_back(AT, paid(payment, 2, None)).unwrap();
    let url = store.job(store.payment(first).job).url.unwrap();
    let record = |status, own| Record::DeliveredAtOnce {
        payment,
        kind: AnswerKind::Redeem,
        answer: http(status),
        url: url.clone(),
        more: Vec::new(),
        own,
    };
    for (status, own) in [(200, true), (503, false)] {
        let Committed::Answer(key) = store.hand_back(AT, record(status, own)).unwrap() else { panic!("{status}") };
        let OpenStage::Answered(_, _, found, kept) = store.open_jobs(None).unwrap().remove(0).stage else { panic!() };
        assert_eq!((found, kept), (key, http(status)), "it is to be read");
        assert_eq!(store.job(jobs[1].key).state, JobState::Paid);
    }
    assert!(matches!(store.hand_back(AT, record(200, false)).unwrap(), Committed::Done));
    assert_eq!(store.job(jobs[1].key).state, JobState::Delivered);
}

pub(super) fn the_first_success_counts_and_later_ones_change_nothing_of_it<S: Subject>() {
    let (mut store, _, payment) = bought::<S>();
    undelivered(&mut store, payment, 503);
    assert_eq!(found(&store).heard(), None);
    let first = answer(&mut store, payment, 200);
    let stood = end(JobState::Paid, Reason::Processing);
    let heard = Record::Undelivered { payment, answer: Some(first), heard: true, end: stood };
    store.hand_back(AT.plus_ms(5), heard).unwrap();
    let known = store.payment(payment).redeeming;
    assert_eq!((known.heard, known.heard_at), (first, Some(AT)), "by the time of the answer itself");
    undelivered(&mut store, payment, 200);
    let known = store.payment(payment).redeeming;
    assert_eq!((known.heard, known.heard_at), (first, Some(AT)));
}

pub(super) fn a_redeem_after_a_success_is_durable_before_it_is_sent<S: Subject>() {
    let (mut store, _, payment) = bought::<S>();
    assert!(is_contradiction(&store.hand_back(AT, Record::Replaying(payment))), "no success was answered");
    undelivered(&mut store, payment, 200);
    assert!(store.payment(payment).redeeming.replayed_at.is_none());
    let Committed::Paid(purchase) = store.hand_back(AT, Record::Replaying(payment)).unwrap() else { panic!() };
    assert!(!purchase.may_replay(RedeemRule::Replays), "once");
    assert_eq!(store.payment(payment).redeeming.replayed_at, Some(AT));
}

pub(super) fn a_poll_address_stays_until_the_result_is_here<S: Subject>() {
    let (mut store, job, payment) = bought::<S>();
    let accepted = answer(&mut store, payment, 202);
    let taken = store.hand_back(AT, Record::Accepted { payment, answer: accepted, poll: poll() }).unwrap();
    assert!(matches!(taken, Committed::Paid(purchase) if purchase.poll() == Some(&poll())));
    assert_eq!(store.job(job).reason, Reason::Processing);
    let end = end(JobState::Paid, Reason::NotDelivered);
    store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    assert_eq!(found(&store).poll(), Some(&poll()));
    let last = answer(&mut store, payment, 200);
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer: last, url, more: Vec::new(), own: true }).unwrap();
    assert!(store.payment(payment).redeeming.poll.is_none() && store.open_jobs(None).unwrap().is_empty());
}

pub(super) fn what_was_lost_may_be_delivered_in_the_end<S: Subject>() {
    let (mut store, job, payment) = bought::<S>();
    let lost = end(JobState::Lost, Reason::OriginFailed);
    store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end: lost }).unwrap();
    let late = answer(&mut store, payment, 200);
    let url = "https://seller.example/v/1".to_owned();
    let record = Record::Delivered { payment, answer: late, url: url.clone(), more: Vec::new(), own: true };
    store.hand_back(AT.plus_ms(9), record.clone()).unwrap();
    let stands = store.job(job);
    assert_eq!((stands.state, stands.url, stands.finished_at), (JobState::Delivered, Some(url), Some(AT.plus_ms(9))));
    assert!(is_contradiction(&store.hand_back(AT, record)), "it is here");
}

pub(super) fn nobody_can_go_on_for_few_reasons_alone_and_the_state_stays<S: Subject>() {
    let (mut store, job, payment) = bought::<S>();
    let stuck = |reason| Record::Stuck { job, reason, error: "restore it".to_owned() };
    let before = store.payment(payment);
    for reason in [Reason::BodyMissing, Reason::RowDamaged, Reason::NotDelivered] {
        store.hand_back(AT, stuck(reason)).unwrap();
        let stands = store.job(job);
        assert_eq!(
            (stands.state, stands.reason, stands.error.as_deref()),
            (JobState::Paid, reason, Some("restore it"))
        );
    }
    assert!(is_contradiction(&store.hand_back(AT, stuck(Reason::NoRoute))));
    assert_eq!(store.payment(payment), before, "nothing counts against whoever was not asked");
}

pub(super) fn tries_that_ended_are_counted_and_those_that_wait_are_not<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let attempts = |store: &S| store.job(jobs[0].key).attempts;
    for (state, reason, counted) in [
        (JobState::Pending, Reason::OriginError, 0),
        (JobState::Failed, Reason::OriginError, 1),
        (JobState::Refused, Reason::PriceChanged, 2),
    ] {
        store.hand_back(AT, Record::Ended(jobs[0].key, end(state, reason))).unwrap();
        assert_eq!(attempts(&store), counted, "{state:?}");
    }
}

pub(super) fn what_is_in_doubt_waits_and_says_why_until_it_is_known<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let until = AT.plus_ms(60_000);
    let (reason, error) = (Reason::WaitingForExpiry, Some("so".to_owned()));
    store.hand_back(AT, Record::Doubt { payment, reason, error, wait_until: Some(until) }).unwrap();
    let doubted = store.job(jobs[0].key);
    assert_eq!((doubted.state, doubted.reason, doubted.wait_until), (JobState::InDoubt, reason, Some(until)));
    assert!(!store.payment(payment).sends.accepted, "that it waits says nothing of its node");
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    let settled = store.job(jobs[0].key);
    assert_eq!((settled.reason, settled.wait_until, settled.error), (Reason::None, None, None));
}

pub(super) fn the_first_settlement_that_is_kept_of_a_node_stays<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let node = WalletId("03payer".to_owned());
    for n in [8, 9] {
        store.hand_back(AT, Record::KeptSettlement { node: node.clone(), hash: secret(n).1 }).unwrap();
    }
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    assert_eq!(store.history_check(&node, payment).unwrap().settled, [secret(8).1]);
}

pub(super) fn what_is_waited_for_in_vain_counts_for_its_own_job_alone<S: Subject>() {
    use crate::ledger::decide::Undelivered;
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    for (n, job) in (1..).zip(&jobs) {
        let payment = intend(&mut store, new_intent(job, n));
        store.hand_back(AT, paid(payment, n, None)).unwrap();
    }
    store.hand_back(AT, Record::LeftUndelivered(jobs[0].key)).unwrap();
    let counts: Vec<_> = store.payments().into_iter().map(|payment| payment.redeeming.undelivered).collect();
    assert_eq!(counts, [Undelivered::Taken, Undelivered::Begun]);
    assert!(store.jobs().iter().all(|job| (job.state, job.reason) == (JobState::Paid, Reason::None)));
}

pub(super) fn a_delivery_frees_the_endpoint_of_what_it_took_before<S: Subject>() {
    use crate::ledger::decide::Undelivered;
    let (mut store, _, payment) = bought::<S>();
    undelivered(&mut store, payment, 500);
    assert_eq!(store.payment(payment).redeeming.undelivered, Undelivered::Taken);
    let other = store.pending(JUNE, None, 9).unwrap().remove(0);
    deliver(&mut store, &other, 2);
    assert_eq!(store.payment(payment).redeeming.undelivered, Undelivered::No);
}
