//! What a person decides: bounded by the books, and no way to a second payment without the person's word.

use std::sync::Arc;

use super::cases::{deliver, intend};
use super::{AT, Subject, plan};
use crate::catalog::{Endpoint, Header};
use crate::ledger::contract::support::{
    HOLD, PRICE, end, endpoint, is_contradiction, new_intent, paid, planned, posted,
};
use crate::ledger::decide::Sums;
use crate::ledger::{
    BatchKey, Committed, DeadProof, Decided, Decision, IntentRefusal, JobKey, NewIntent, OpenStage, PaymentKey,
    PendingJob, Record,
};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

const JUNE: BatchKey = BatchKey(1);

/// The expiry of the invoice, and 1,008 blocks of twenty minutes.
const HORIZON: UnixMs = AT.plus_ms(600_000 + 1_008 * 1_200_000);
const LATER: UnixMs = HORIZON.plus_ms(1);

/// A job in doubt.
fn doubted<S: Subject>() -> (S, JobKey, PaymentKey) {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let doubt = Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None };
    store.hand_back(AT, doubt).unwrap();
    (store, jobs[0].key, payment)
}

fn decided<S: Subject>(store: &mut S, job: JobKey, decision: Decision) -> Decided {
    store.say(LATER, job, decision, None).unwrap()
}

fn stands<S: Subject>(store: &S, job: JobKey) -> (JobState, Reason) {
    let job = store.job(job);
    (job.state, job.reason)
}

/// What is held and spent.
fn used<S: Subject>(store: &S) -> (u64, u64) {
    let Sums { held, spent, .. } = store.sums(JUNE);
    (u64::try_from(held).unwrap(), u64::try_from(spent).unwrap())
}

fn to_buy<S: Subject>(store: &S) -> Vec<PendingJob> {
    store.pending(JUNE, None, 9).unwrap()
}

fn is_abandoned<S: Subject>(store: &S) -> bool {
    let open = store.open_jobs(None).unwrap();
    !open.is_empty() && open.iter().all(|job| matches!(job.stage, OpenStage::Abandoned(_)))
}

pub(super) fn what_may_still_settle_is_not_replaced<S: Subject>() {
    for decision in [Decision::Unpaid, Decision::Rebuy] {
        let (mut store, job, _) = doubted::<S>();
        let before = store.seen();
        for now in [AT, HORIZON] {
            assert_eq!(store.say(now, job, decision, None).unwrap(), Decided::TooEarly(HORIZON));
        }
        assert_eq!(store.seen(), before);
        assert_eq!(decided(&mut store, job, decision), Decided::Recorded);
        assert!(is_abandoned(&store), "its node may know better one day");
    }
}

pub(super) fn what_its_node_proves_need_not_wait<S: Subject>() {
    let (mut store, job, _) = doubted::<S>();
    let forgotten = store.say(AT, job, Decision::Rebuy, Some(DeadProof::NotFoundAndExpired));
    assert!(is_contradiction(&forgotten), "a node that forgot proves nothing");
    let proof = Some(DeadProof::FailedAndExpired);
    assert_eq!(store.say(AT, job, Decision::Rebuy, proof).unwrap(), Decided::Recorded);
    assert!(store.open_jobs(None).unwrap().is_empty());
    assert_eq!(used(&store), (0, 0));
    let again = to_buy(&store).remove(0);
    intend(&mut store, new_intent(&again, 2));
}

pub(super) fn unpaid_frees_the_hold_and_lets_the_job_be_bought_again<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    assert_eq!(used(&store), (HOLD, 0));
    assert_eq!(decided(&mut store, job, Decision::Unpaid), Decided::Recorded);
    assert_eq!(used(&store), (0, 0));
    assert_eq!(stands(&store, job), (JobState::Failed, Reason::Decided));
    assert!(is_abandoned(&store), "its node may know better one day");
    assert_eq!(decided(&mut store, job, Decision::Unpaid), Decided::Refused(JobState::Failed));
    store.take_in(JUNE, plan(&["a"])).unwrap();
    assert_eq!(to_buy(&store).len(), 1);
    store.hand_back(AT, Record::AbandonedDead { payment, proof: DeadProof::FailedAndExpired }).unwrap();
    assert!(store.open_jobs(None).unwrap().is_empty(), "its node has said so");
    assert!(is_contradiction(&store.hand_back(AT, paid(payment, 1, None))), "nobody decided that");
}

pub(super) fn lost_keeps_the_hold_used_and_the_job_unbought<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    let proof = DeadProof::FailedAndExpired;
    assert!(is_contradiction(&store.hand_back(AT, Record::AbandonedDead { payment, proof })), "nobody gave it up");
    assert_eq!(store.say(AT, job, Decision::Lost, None).unwrap(), Decided::Recorded);
    assert_eq!(used(&store), (HOLD, 0));
    store.take_in(JUNE, plan(&["a"])).unwrap();
    assert!(to_buy(&store).is_empty() && is_abandoned(&store));
    assert_eq!(stands(&store, job), (JobState::Lost, Reason::Decided));
    store.hand_back(AT, Record::AbandonedDead { payment, proof }).unwrap();
    assert_eq!((used(&store), stands(&store, job)), ((0, 0), (JobState::Lost, Reason::Decided)));
}

pub(super) fn rebuy_makes_one_more_take_once<S: Subject>() {
    let (mut store, job, _) = doubted::<S>();
    assert_eq!(decided(&mut store, job, Decision::Rebuy), Decided::Recorded);
    assert_eq!(decided(&mut store, job, Decision::Rebuy), Decided::Refused(JobState::Lost), "it is replaced");
    let takes = to_buy(&store);
    assert_eq!(takes.iter().map(|job| job.take).collect::<Vec<_>>(), [2]);
    assert_eq!(decided(&mut store, takes[0].key, Decision::Rebuy), Decided::Refused(JobState::Pending));
    store.take_in(JUNE, plan(&["a"])).unwrap();
    assert_eq!(to_buy(&store).len(), 1, "loading the plan again makes no further take");
    assert_eq!(used(&store), (HOLD, 0), "what is given up for lost stays used");
}

pub(super) fn a_take_is_bought_once_what_it_replaces_can_settle_no_more<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    decided(&mut store, job, Decision::Rebuy);
    let take = to_buy(&store).remove(0);
    let intend_at = |store: &mut S, now| store.hand_back(now, Record::Intend(Box::new(new_intent(&take, 2)))).unwrap();
    let refused = intend_at(&mut store, HORIZON);
    let until = Some(HORIZON);
    assert!(
        matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: at }) if at == until),
        "the clock was set back since: {refused:?}"
    );
    store.hand_back(AT, Record::AbandonedDead { payment, proof: DeadProof::FailedAndExpired }).unwrap();
    assert!(matches!(intend_at(&mut store, AT), Committed::Intent(_)));
}

pub(super) fn what_a_person_took_as_never_made_and_settles_is_paid<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    decided(&mut store, job, Decision::Unpaid);
    store.take_in(JUNE, plan(&["a"])).unwrap();
    assert!(matches!(store.hand_back(AT, paid(payment, 1, None)).unwrap(), Committed::Paid(_)));
    assert_eq!(used(&store), (HOLD, 0), "it is held again");
    assert!(to_buy(&store).is_empty(), "nothing is bought in its place any more");
    assert_eq!(stands(&store, job), (JobState::Paid, Reason::None));
    store.hand_back(AT, Record::Posted(payment, posted())).unwrap();
    assert_eq!(used(&store), (0, PRICE.get()));
}

/// What an endpoint wants in the head of its requests may be something else by then.
pub(super) fn what_settles_late_is_redeemed_with_the_headers_that_it_was_asked_with<S: Subject>() {
    let header = |value: &str| [Header::text("X-Version", value)];
    let with = |value: &str| {
        let wanting = Arc::new(Endpoint { headers: header(value).to_vec(), ..Endpoint::clone(&endpoint()) });
        vec![planned(&wanting, "a", "a")]
    };
    let mut store = S::empty();
    store.begin("june");
    store.take_in(JUNE, with("1")).unwrap();
    let job = to_buy(&store).remove(0);
    let asked = new_intent(&job, 1);
    let asked = NewIntent { request: asked.request.heading(&header("1")), ..asked };
    let request = asked.request.clone();
    let payment = intend(&mut store, asked);
    let doubt = Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None };
    store.hand_back(AT, doubt).unwrap();
    decided(&mut store, job.key, Decision::Unpaid);
    store.take_in(JUNE, with("2")).unwrap();
    assert_eq!(to_buy(&store)[0].endpoint.headers, header("2"));
    let Committed::Paid(purchase) = store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap() else { panic!() };
    assert_eq!(purchase.intent().headers(), header("1"), "polls have them as well");
    let kept = store.request(payment).unwrap();
    assert_eq!((kept.headers(), kept.digest()), (&header("1")[..], request.digest()));
}

/// It settles after its job was bought once more: both were paid, and both are redeemed.
pub(super) fn what_settles_beside_its_successor_is_a_take_of_its_own<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    decided(&mut store, job, Decision::Unpaid);
    store.take_in(JUNE, plan(&["a"])).unwrap();
    let again = to_buy(&store).remove(0);
    let second = store.hand_back(LATER, Record::Intend(Box::new(new_intent(&again, 2)))).unwrap();
    let Committed::Intent(second) = second else { panic!("{second:?}") };
    store.hand_back(AT, paid(second.payment(), 2, Some(posted()))).unwrap();
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    assert_eq!(used(&store), (0, 2 * PRICE.get()), "above any limit: it is the truth");
    assert_ne!(store.payment(payment).job, store.payment(second.payment()).job);
    let open: Vec<_> = store.open_jobs(None).unwrap().into_iter().map(|job| (job.take, job.state)).collect();
    assert_eq!(open, [(1, JobState::Paid), (2, JobState::Paid)], "both are redeemed");
}

/// Whoever was to be bought in its place is not, as long as it is not bought yet.
pub(super) fn what_was_rebought_and_settles_is_the_take_that_was_to_be_bought<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    decided(&mut store, job, Decision::Rebuy);
    let take = to_buy(&store).remove(0).key;
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    assert!(to_buy(&store).is_empty());
    assert_eq!((store.payment(payment).job, stands(&store, take)), (take, (JobState::Paid, Reason::None)));
    assert_eq!(stands(&store, job), (JobState::Failed, Reason::Decided));
    assert_eq!(used(&store), (0, PRICE.get()));
}

pub(super) fn what_is_paid_is_not_taken_as_unpaid<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    let before = store.seen();
    assert_eq!(decided(&mut store, job, Decision::Unpaid), Decided::Refused(JobState::Paid));
    assert_eq!(store.seen(), before);
    assert_eq!(decided(&mut store, job, Decision::Lost), Decided::Recorded);
    assert_eq!(stands(&store, job), (JobState::Lost, Reason::Decided));
}

pub(super) fn what_is_delivered_or_not_bought_is_nothing_to_decide_on<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let all = [Decision::Unpaid, Decision::Lost, Decision::Rebuy];
    for decision in all {
        assert_eq!(decided(&mut store, jobs[0].key, decision), Decided::Refused(JobState::Pending));
    }
    deliver(&mut store, &jobs[0], 1);
    let before = store.seen();
    for decision in all {
        assert_eq!(decided(&mut store, jobs[0].key, decision), Decided::Refused(JobState::Delivered));
    }
    assert!(is_contradiction(&store.say(AT, JobKey(99), Decision::Lost, None)), "there is no such job");
    assert_eq!(store.seen(), before);
}

pub(super) fn what_a_run_gave_up_on_is_dead_only_by_a_word_or_a_proof<S: Subject>() {
    let (mut store, job, payment) = doubted::<S>();
    let proof = DeadProof::FailedAndAnswered;
    store.hand_back(AT, Record::Dead { payment, proof, end: end(JobState::Failed, Reason::NoRoute) }).unwrap();
    assert_eq!(stands(&store, job), (JobState::Failed, Reason::NoRoute));
    assert_eq!(
        decided(&mut store, job, Decision::Lost),
        Decided::Refused(JobState::Failed),
        "there is nothing to lose"
    );
    let dead = Record::AbandonedDead { payment, proof };
    assert!(is_contradiction(&store.hand_back(AT, dead)), "it is dead by proof");
}
