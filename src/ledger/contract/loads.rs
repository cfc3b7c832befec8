//! A plan is loaded, and loaded again.

use super::cases::{deliver, intend};
use super::{AT, Subject, plan};
use crate::ledger::contract::support::{end, endpoint, is_contradiction, new_intent, planned};
use crate::ledger::load::CHUNK;
use crate::ledger::{BatchKey, JobKey, Record};
use crate::purchase::{JobState, Reason};

const JUNE: BatchKey = BatchKey(1);

fn to_buy<S: Subject>(store: &S) -> Vec<String> {
    store.pending(JUNE, None, 9).unwrap().into_iter().map(|job| job.id).collect()
}

fn stands<S: Subject>(store: &S, job: JobKey) -> (JobState, Reason) {
    let job = store.job(job);
    (job.state, job.reason)
}

pub(super) fn the_same_plan_again_changes_nothing<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    deliver(&mut store, &jobs[0], 1);
    intend(&mut store, new_intent(&jobs[1], 2));
    let before = store.seen();
    let load = store.take_in(JUNE, plan(&["a", "b", "c"])).unwrap();
    assert_eq!((load.new, load.unchanged), (0, 3));
    assert_eq!(store.seen(), before);
}

pub(super) fn jobs_are_bought_in_the_order_of_the_last_plan<S: Subject>() {
    let (mut store, _) = S::with(&[("june", &["a", "b"])]);
    let load = store.take_in(JUNE, plan(&["c", "b", "a"])).unwrap();
    assert_eq!((load.new, load.unchanged), (1, 2));
    assert_eq!(to_buy(&store), ["c", "b", "a"]);
}

pub(super) fn what_has_gone_from_the_plan_is_withdrawn_until_it_is_back<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    deliver(&mut store, &jobs[0], 1);
    let open = intend(&mut store, new_intent(&jobs[1], 2));
    let load = store.take_in(JUNE, plan(&["d"])).unwrap();
    assert_eq!(load.withdrawn.first, ["c"]);
    assert_eq!(stands(&store, jobs[0].key), (JobState::Delivered, Reason::None), "what is bought stays");
    assert_eq!(stands(&store, jobs[1].key).0, JobState::Running, "and what is on its way");
    assert_eq!(stands(&store, jobs[2].key), (JobState::Refused, Reason::Withdrawn));
    // Its payment turns out never to have been made: nobody asks for it any more.
    let proof = crate::ledger::DeadProof::FailedAndAnswered;
    let dead = Record::Dead { payment: open, proof, end: end(JobState::Pending, Reason::NoRoute) };
    let told = store.hand_back(AT, dead).unwrap();
    assert!(matches!(told, crate::ledger::Committed::NotItsOwn), "{told:?}");
    assert_eq!(stands(&store, jobs[1].key), (JobState::Refused, Reason::Withdrawn));
    let load = store.take_in(JUNE, plan(&["c", "b", "d", "a"])).unwrap();
    assert_eq!((load.new, load.again), (0, 2));
    assert_eq!(to_buy(&store), ["c", "b", "d"]);
}

pub(super) fn what_is_not_bought_becomes_what_the_plan_asks_for_now<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let endpoint = endpoint();
    let load = store.take_in(JUNE, vec![planned(&endpoint, "a", "another prompt")]).unwrap();
    assert_eq!((load.replaced.first, load.new), (vec!["a".to_owned()], 0));
    let job = store.pending(JUNE, None, 9).unwrap().remove(0);
    assert_ne!(job.content, jobs[0].content);
    assert_eq!((job.key, job.params), (jobs[0].key, planned(&endpoint, "a", "another prompt").params));
}

pub(super) fn what_is_bought_is_marked_and_not_bought_again<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    intend(&mut store, new_intent(&jobs[1], 2));
    let endpoint = endpoint();
    let other = || vec![planned(&endpoint, "a", "another"), planned(&endpoint, "b", "a third")];
    let load = store.take_in(JUNE, other()).unwrap();
    assert_eq!((load.changed.first, load.open_as_begun.first), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!(stands(&store, jobs[0].key), (JobState::Delivered, Reason::Changed));
    assert!(to_buy(&store).is_empty());
    store.take_in(JUNE, plan(&["a", "b"])).unwrap();
    assert_eq!(stands(&store, jobs[0].key), (JobState::Delivered, Reason::None), "it is as it was bought");
}

pub(super) fn what_failed_is_tried_again_where_another_try_may_fare_better<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    store.hand_back(AT, Record::Ended(jobs[0].key, end(JobState::Failed, Reason::OriginError))).unwrap();
    store.hand_back(AT, Record::Ended(jobs[1].key, end(JobState::Refused, Reason::InvalidInput))).unwrap();
    let load = store.take_in(JUNE, plan(&["a", "b"])).unwrap();
    assert_eq!((load.again, load.unchanged), (1, 1));
    assert_eq!(to_buy(&store), ["a"]);
    assert_eq!(stands(&store, jobs[1].key), (JobState::Refused, Reason::InvalidInput), "the same input is as invalid");
}

pub(super) fn two_jobs_of_one_id_are_no_plan<S: Subject>() {
    let (mut store, _) = S::with(&[("june", &["a"])]);
    let before = store.seen();
    assert!(is_contradiction(&store.take_in(JUNE, plan(&["b", "a", "b"]))));
    assert!(is_contradiction(&store.take_in(BatchKey(9), plan(&["a"]))), "there is no such batch");
    assert_eq!(store.seen(), before);
    assert_eq!(to_buy(&store), ["a"]);
    let july = store.begin("july");
    let before = store.seen();
    let ids: Vec<String> = (0..=CHUNK).map(|n| format!("job{}", n % CHUNK)).collect();
    let far_apart = plan(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(is_contradiction(&store.take_in(july, far_apart)), "of a batch that is new, too");
    assert_eq!(store.seen(), before);
}

pub(super) fn batches_do_not_know_of_each_other_s_ids<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["a"])]);
    store.take_in(JUNE, plan(&["b"])).unwrap();
    assert_eq!(stands(&store, jobs[0].key), (JobState::Refused, Reason::Withdrawn));
    assert_eq!(stands(&store, jobs[1].key), (JobState::Pending, Reason::None));
    assert_eq!(store.begin("june"), JUNE, "it is found again");
}
