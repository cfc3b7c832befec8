//! Every record against every state of a payment.

use url::Url;

use super::{AT, Subject};
use crate::ledger::contract::support::{FEE, HOLD, end, http, is_contradiction, new_intent, paid, posted, preimage};
use crate::ledger::{
    AnswerKey, AnswerKind, Committed, DeadProof, IntentRefusal, JobKey, NewIntent, PaymentKey, PendingJob, Posted,
    Record,
};
use crate::money::Msat;
use crate::purchase::{JobState, Poll, Reason};

/// How far the purchase of the table's job has come.
#[derive(Clone, Copy, Debug)]
enum Came {
    Intended,
    Doubted,
    Paid,
    Posted,
    Accepted,
    Delivered,
    Lost,
    Dead,
}

const ALL: [Came; 8] =
    [Came::Intended, Came::Doubted, Came::Paid, Came::Posted, Came::Accepted, Came::Delivered, Came::Lost, Came::Dead];

fn poll() -> Poll {
    Poll { url: Url::parse("https://seller.example/poll/1").unwrap(), interval_ms: 2_000 }
}

/// The payment of a new intent.
pub(super) fn intend<S: Subject>(store: &mut S, intent: NewIntent) -> PaymentKey {
    match store.hand_back(AT, Record::Intend(Box::new(intent))).unwrap() {
        Committed::Intent(intent) => intent.payment(),
        other => panic!("{other:?}"),
    }
}

/// The answer that was stored.
pub(super) fn answer<S: Subject>(store: &mut S, payment: PaymentKey, status: u16) -> AnswerKey {
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(status) };
    match store.hand_back(AT, record).unwrap() {
        Committed::Answer(key) => key,
        other => panic!("{other:?}"),
    }
}

/// A purchase from intent to delivery.
pub(super) fn deliver<S: Subject>(store: &mut S, job: &PendingJob, n: u8) -> PaymentKey {
    let payment = intend(store, new_intent(job, n));
    store.hand_back(AT, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(store, payment, 200);
    let url = format!("https://seller.example/v/{n}");
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    payment
}

fn come<S: Subject>(came: Came) -> (S, PaymentKey) {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let doubt = |reason| Record::Doubt { payment, reason, error: None, wait_until: None };
    let mut go = |record| store.hand_back(AT, record).unwrap();
    match came {
        Came::Intended => {}
        Came::Doubted => drop(go(doubt(Reason::PaymentUnknown))),
        Came::Paid | Came::Accepted | Came::Lost => drop(go(paid(payment, 1, None))),
        Came::Posted | Came::Delivered => drop(go(paid(payment, 1, Some(posted())))),
        Came::Dead => drop(go(Record::Dead {
            payment,
            proof: DeadProof::FailedAndAnswered,
            end: end(JobState::Pending, Reason::NoRoute),
        })),
    }
    match came {
        Came::Accepted => {
            let answer = answer(&mut store, payment, 202);
            store.hand_back(AT, Record::Accepted { payment, answer, poll: poll() }).unwrap();
        }
        Came::Delivered => {
            let answer = answer(&mut store, payment, 200);
            let url = "https://s.example/v".to_owned();
            store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
        }
        Came::Lost => {
            let end = end(JobState::Lost, Reason::OriginFailed);
            store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
        }
        Came::Intended | Came::Doubted | Came::Paid | Came::Posted | Came::Dead => {}
    }
    (store, payment)
}

/// Each record, and in which of the states it is allowed, in the order of [`ALL`].
fn table(payment: PaymentKey) -> Vec<(&'static str, Record, [bool; 8])> {
    let (y, n) = (true, false);
    let doubt = Record::Doubt { payment, reason: Reason::PaymentInFlight, error: None, wait_until: None };
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Failed, Reason::NoRoute) };
    let answer = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(200) };
    let undelivered =
        Record::Undelivered { payment, answer: None, heard: false, end: end(JobState::Lost, Reason::OriginFailed) };
    let url = "https://s.example/v".to_owned();
    let at_once = Record::DeliveredAtOnce {
        payment,
        kind: AnswerKind::Redeem,
        answer: http(200),
        url,
        more: Vec::new(),
        own: true,
    };
    //                                                          int doubt paid post acc deliv lost dead
    vec![
        ("send begun", Record::SendBegun(payment), [y, y, n, n, n, n, n, n]),
        // Where the payment is paid, its one send has been answered already.
        ("send answered", Record::SendAnswered { payment, accepted: false }, [y, y, n, n, n, n, n, n]),
        ("paid", paid(payment, 1, None), [y, y, y, y, y, y, y, n]),
        ("paid and posted", paid(payment, 1, Some(posted())), [y, y, y, y, y, y, y, n]),
        ("posted", Record::Posted(payment, posted()), [n, n, y, y, y, y, y, n]),
        ("failed", dead(DeadProof::FailedAndAnswered), [y, y, n, n, n, n, n, n]),
        ("not found", dead(DeadProof::NotFoundAndAnswered), [n, n, n, n, n, n, n, n]),
        ("expired", dead(DeadProof::NotFoundAndExpired), [y, y, n, n, n, n, n, n]),
        ("doubt", doubt, [y, y, n, n, n, n, n, n]),
        ("answer", answer, [n, n, y, y, y, n, y, n]),
        ("answer with the result", at_once, [n, n, y, y, y, n, y, n]),
        ("undelivered", undelivered, [n, n, y, y, y, n, y, n]),
    ]
}

pub(super) fn a_record_that_does_not_fit_the_state_is_refused_and_leaves_no_trace<S: Subject>() {
    for (column, came) in ALL.into_iter().enumerate() {
        let (mut store, mut payment) = come::<S>(came);
        for row in 0..table(payment).len() {
            let (name, record, allowed) = table(payment).remove(row);
            let before = store.seen();
            let outcome = store.hand_back(AT, record);
            if allowed[column] {
                assert!(outcome.is_ok(), "{name} where it is {came:?}: {outcome:?}");
                (store, payment) = come::<S>(came);
            } else {
                assert!(is_contradiction(&outcome), "{name} where it is {came:?}: {outcome:?}");
                assert_eq!(store.seen(), before, "{name}, {came:?}");
            }
        }
    }
}

pub(super) fn an_answer_is_interpreted_only_for_its_own_payment<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let mut answers = Vec::new();
    for (n, job) in (1..).zip(&jobs) {
        let payment = intend(&mut store, new_intent(job, n));
        store.hand_back(AT, paid(payment, n, None)).unwrap();
        answers.push((payment, answer(&mut store, payment, 200)));
    }
    let crossed = Record::Delivered {
        payment: answers[0].0,
        answer: answers[1].1,
        url: "https://x.example".to_owned(),
        more: Vec::new(),
        own: false,
    };
    assert!(is_contradiction(&store.hand_back(AT, crossed)));
}

pub(super) fn only_an_end_without_spending_ends_a_job_without_a_payment<S: Subject>() {
    let allowed = [JobState::Pending, JobState::Refused, JobState::Failed];
    for &state in JobState::ALL {
        let (mut store, jobs) = S::with(&[("june", &["a"])]);
        let outcome = store.hand_back(AT, Record::Ended(jobs[0].key, end(state, Reason::OriginError)));
        assert_eq!(outcome.is_ok(), allowed.contains(&state), "{state:?}: {outcome:?}");
    }
    for came in ALL {
        let (mut store, _) = come::<S>(came);
        let open = store.jobs()[0].key;
        let outcome = store.hand_back(AT, Record::Ended(open, end(JobState::Failed, Reason::OriginError)));
        assert_eq!(outcome.is_ok(), matches!(came, Came::Dead), "{came:?}");
    }
}

pub(super) fn an_intent_needs_a_pending_job_and_no_more_than_its_price_and_its_ceilings<S: Subject>() {
    let (mut store, mut jobs) = S::with(&[("june", &["a"])]);
    let job = jobs.remove(0);
    let good = new_intent(&job, 1);
    for intent in [
        NewIntent { amount: Msat::new(500_001), ..good.clone() },
        NewIntent { amount: Msat::ZERO, ..good.clone() },
        NewIntent { fee_limit: Msat::new(10_001), ..good.clone() },
        NewIntent { job: JobKey(99), ..good.clone() },
    ] {
        assert!(is_contradiction(&store.hand_back(AT, Record::Intend(Box::new(intent)))));
    }
    intend(&mut store, good);
    let second = Record::Intend(Box::new(new_intent(&job, 2)));
    assert!(is_contradiction(&store.hand_back(AT, second)), "a job has one live payment");
}

pub(super) fn a_payment_below_the_price_is_held_and_spent_as_it_is<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let batch = store.jobs()[0].batch;
    let payment = intend(&mut store, NewIntent { amount: Msat::new(450_000), ..new_intent(&jobs[0], 1) });
    assert_eq!(store.sums(batch).held, 460_000);
    let told = store.commit(AT, paid(payment, 1, Some(posted()))).unwrap().transition.unwrap();
    assert_eq!((told.amount, told.fee), (Some(Msat::new(450_000)), Some(FEE)));
    let sums = store.sums(batch);
    assert_eq!((sums.held, sums.spent, sums.fees), (0, 450_000, i64::try_from(FEE.get()).unwrap()));
}

pub(super) fn a_hash_belongs_to_one_purchase_for_ever<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["a"])]);
    let (first, other) = (&jobs[0], &jobs[1]);
    let payment = intend(&mut store, new_intent(first, 1));
    let known = |store: &mut S, intent| {
        let outcome = store.hand_back(AT, Record::Intend(Box::new(intent))).unwrap();
        assert!(matches!(outcome, Committed::IntentRefused(IntentRefusal::HashKnown)), "{outcome:?}");
    };
    known(&mut store, new_intent(other, 1));
    let end = end(JobState::Pending, Reason::NoRoute);
    store.hand_back(AT, Record::Dead { payment, proof: DeadProof::FailedAndExpired, end }).unwrap();
    known(&mut store, new_intent(first, 1));
    assert_eq!(store.sums(store.jobs()[0].batch).held, 0);
    intend(&mut store, new_intent(first, 2));
}

pub(super) fn a_node_that_forgot_once_never_proves_an_absence_again<S: Subject>() {
    let (mut store, mut jobs) = S::with(&[("june", &["a"])]);
    let job = jobs.remove(0);
    let payment = intend(&mut store, new_intent(&job, 1));
    store.hand_back(AT, Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None }).unwrap();
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::PaymentFailed) };
    assert!(is_contradiction(&store.hand_back(AT, dead(DeadProof::NotFoundAndExpired))));
    assert!(store.payment(payment).sends.accepted, "the next run knows it too");
}

pub(super) fn sends_are_counted_and_decide_which_proof_of_death_holds<S: Subject>() {
    let (mut store, mut jobs) = S::with(&[("june", &["a"])]);
    let job = jobs.remove(0);
    let payment = intend(&mut store, new_intent(&job, 1));
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::NoRoute) };
    let Committed::Intent(intent) = store.hand_back(AT, Record::SendBegun(payment)).unwrap() else { panic!() };
    assert_eq!((intent.sends_begun(), intent.sends_answered()), (2, 0));
    assert!(is_contradiction(&store.hand_back(AT, dead(DeadProof::FailedAndAnswered))), "two sends, none answered");
    store.hand_back(AT, Record::SendAnswered { payment, accepted: false }).unwrap();
    assert!(is_contradiction(&store.hand_back(AT, dead(DeadProof::FailedAndAnswered))), "two sends, one answered");
    store.hand_back(AT, Record::SendAnswered { payment, accepted: false }).unwrap();
    assert!(
        is_contradiction(&store.hand_back(AT, Record::SendAnswered { payment, accepted: false })),
        "more answers than sends"
    );
    store.hand_back(AT, dead(DeadProof::NotFoundAndAnswered)).unwrap();
}

pub(super) fn what_is_posted_stays_as_it_was_posted<S: Subject>() {
    let (mut store, payment) = come::<S>(Came::Posted);
    let other_fee = Posted { fee: Msat::new(1), payment_index: Some(9) };
    assert!(is_contradiction(&store.hand_back(AT, Record::Posted(payment, other_fee))));
    // lnd numbers its payments anew when it moves to SQL: an index is a hint.
    let other_index = Posted { fee: FEE, payment_index: Some(3) };
    store.hand_back(AT, Record::Posted(payment, other_index)).unwrap();
    let other_preimage = Record::Paid { payment, preimage: preimage(2), answered: false, posted: None };
    assert!(is_contradiction(&store.hand_back(AT, other_preimage)));
}

pub(super) fn what_a_node_took_up_and_does_not_know_is_not_dead_although_every_send_is_answered<S: Subject>() {
    let (mut store, payment) = come::<S>(Came::Intended);
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::NoRoute) };
    store.hand_back(AT, Record::SendAnswered { payment, accepted: true }).unwrap();
    for proof in [DeadProof::NotFoundAndAnswered, DeadProof::NotFoundAndExpired] {
        assert!(is_contradiction(&store.hand_back(AT, dead(proof))), "{proof:?}");
    }
    store.hand_back(AT, dead(DeadProof::FailedAndAnswered)).unwrap();
}

pub(super) fn a_death_is_no_end_that_claims_a_purchase<S: Subject>() {
    let (mut store, payment) = come::<S>(Came::Intended);
    for state in [JobState::Paid, JobState::Delivered, JobState::Lost, JobState::Running, JobState::InDoubt] {
        let end = end(state, Reason::None);
        let dead = Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end };
        assert!(is_contradiction(&store.hand_back(AT, dead)), "{state:?}");
    }
    assert_eq!(store.sums(store.jobs()[0].batch).held, i64::try_from(HOLD).unwrap(), "the hold stays");
}

/// A fee that fits no ledger is found after the preimage was to be written.
pub(super) fn half_a_record_is_never_written<S: Subject>() {
    let (mut store, payment) = come::<S>(Came::Intended);
    let before = store.seen();
    let posted = Some(Posted { fee: Msat::new(u64::MAX), payment_index: None });
    let half_good = Record::Paid { payment, preimage: preimage(1), answered: true, posted };
    assert!(is_contradiction(&store.hand_back(AT, half_good)));
    assert_eq!(store.seen(), before);
}

pub(super) fn a_result_of_an_identical_request_is_not_its_own<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let same = new_intent(&jobs[0], 1).request;
    let first = deliver(&mut store, &jobs[0], 1);
    let payment = intend(&mut store, NewIntent { request: same, ..new_intent(&jobs[1], 2) });
    store.hand_back(AT, paid(payment, 2, None)).unwrap();
    let answer = answer(&mut store, payment, 200);
    let url = store.job(store.payment(first).job).url.unwrap();
    let mut go = |own| {
        store.hand_back(AT, Record::Delivered { payment, answer, url: url.clone(), more: Vec::new(), own }).unwrap()
    };
    assert!(matches!(go(true), Committed::NotItsOwn));
    assert!(matches!(go(false), Committed::Done));
}
