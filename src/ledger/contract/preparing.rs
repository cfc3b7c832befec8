//! What is made of a batch once its plan is loaded, before anything of it is bought.

use std::sync::Arc;

use super::cases::{answer, deliver, intend};
use super::{AT, Subject, of_ledger, plan};
use crate::catalog::{CredentialRule, Endpoint, Param, ParamKind, Place, Value};
use crate::ledger::contract::support::{HOLD, PRICE, end, endpoint, new_intent, paid, planned, posted, word};
use crate::ledger::loading::Again;
use crate::ledger::{BatchKey, ChosenRows, Compared, Decision, JobKey, Record, Retake, ToBuy};
use crate::manifest::Nonce;
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};

const JUNE: BatchKey = BatchKey(1);
const JULY: BatchKey = BatchKey(2);

/// What a run would buy: ids, and whether each is set aside.
fn to_buy<S: Subject>(store: &S, batch: BatchKey, duplicates: bool) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let each = &mut |job: ToBuy| {
        found.push((job.id, job.is_duplicate));
        Ok::<_, ()>(())
    };
    store.to_buy(batch, duplicates, each).unwrap().unwrap();
    found
}

fn takes<S: Subject>(store: &S) -> Vec<(String, u32)> {
    store.pending(JUNE, None, 9).unwrap().into_iter().map(|job| (job.id, job.take)).collect()
}

fn stands<S: Subject>(store: &S, job: JobKey) -> (JobState, Reason) {
    let job = store.job(job);
    (job.state, job.reason)
}

fn load<S: Subject>(store: &mut S, retake: &Retake, ids: &[&str]) -> u64 {
    of_ledger(store.load_plan(JUNE, AT, retake, plan(ids).into_iter().map(Ok))).unwrap().retaken.count
}

pub(super) fn a_word_buys_once_more_where_it_is_accepted_and_goes_where_it_is_not<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    deliver(&mut store, &jobs[0], 1);
    let before = store.seen();
    assert_eq!(load(&mut store, &word("a", 1), &["a"]), 1);
    assert_eq!(takes(&store), [("a".to_owned(), 2)]);
    store.discard_unaccepted(JUNE).unwrap();
    assert_eq!(store.seen(), before);
    for _ in 0..2 {
        assert_eq!(load(&mut store, &word("a", 1), &["a"]), 1, "nobody has accepted it");
    }
    store.accept_takes(AT, JUNE).unwrap();
    store.discard_unaccepted(JUNE).unwrap();
    assert_eq!(load(&mut store, &word("a", 1), &["a"]), 0, "the word is being carried out");
    assert_eq!(takes(&store), [("a".to_owned(), 2)]);
}

pub(super) fn what_is_bought_under_another_name_is_set_aside_until_a_person_means_it<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &[])]);
    let named = |id: &str| planned(&endpoint(), id, "a");
    store.take_in(JULY, vec![named("b"), named("c")]).unwrap();
    assert_eq!(store.set_duplicates_aside(JULY, AT, &Compared::default()).unwrap().count, 0, "nothing is bought");
    intend(&mut store, new_intent(&jobs[0], 1));
    let found = store.set_duplicates_aside(JULY, AT, &Compared::default()).unwrap();
    assert_eq!((found.count, found.price, found.first[0].1.id.as_str()), (2, Msat::new(2 * PRICE.get()), "a"));
    assert_eq!(to_buy(&store, JULY, false), []);
    assert_eq!(to_buy(&store, JULY, true), [("b".to_owned(), true), ("c".to_owned(), true)]);
    store.mean_duplicates(JULY, AT, &["c".to_owned()]).unwrap();
    let found = store.set_duplicates_aside(JULY, AT, &Compared::default()).unwrap();
    assert_eq!((found.count, to_buy(&store, JULY, false)), (1, vec![("c".to_owned(), false)]), "the word stands");
}

/// An endpoint with a number `n`, which may tell takes apart, and another one with that default.
fn numbered(has_nonce: bool, default: i64) -> Arc<Endpoint> {
    let param = |name: &str, default| {
        let kind = ParamKind::Integer { min: 0, max: 9_999 };
        Param { name: name.to_owned(), kind, required: false, default, place: Place::Usual }
    };
    let params = vec![param("n", None), param("other", Some(Value::Integer(default)))];
    Arc::new(Endpoint { params, nonce: has_nonce.then(|| "n".to_owned()), ..Endpoint::clone(&endpoint()) })
}

pub(super) fn a_further_take_sends_what_its_endpoint_tells_takes_apart_by<S: Subject>() {
    let endpoint = numbered(true, 5);
    let (mut store, _) = S::with(&[("june", &[])]);
    let plan = |prompt: &str, n| {
        let params = vec![("n".to_owned(), Value::Integer(n))];
        vec![PlannedJob { params, ..planned(&endpoint, "a", prompt) }].into_iter().map(Ok)
    };
    let sent = |store: &S| {
        let job = store.pending(JUNE, None, 9).unwrap().remove(0);
        (job.take, job.params.iter().map(|(_, value)| value.to_string()).collect::<String>())
    };
    let load = |store: &mut S, retake: &Retake, prompt: &str, n| {
        of_ledger(store.load_plan(JUNE, AT, retake, plan(prompt, n))).unwrap();
        store.accept_takes(AT, JUNE).unwrap();
        sent(store)
    };
    assert_eq!(load(&mut store, &Retake::default(), "a kite", 3), (1, "3".to_owned()), "as it was planned");
    let buy = |store: &mut S, n| {
        let job = store.pending(JUNE, None, 9).unwrap().remove(0);
        deliver(store, &job, n);
    };
    buy(&mut store, 1);
    assert_eq!(load(&mut store, &word("a", 1), "a kite", 3), (2, "5587".to_owned()), "64 steps further");
    assert_eq!(load(&mut store, &Retake::default(), "a kite", 3), (2, "5587".to_owned()), "loaded once more");
    buy(&mut store, 2);
    let changed = Retake { changed: true, ..Retake::default() };
    assert_eq!(load(&mut store, &changed, "a boat", 7), (3, "7".to_owned()), "the first of its content");
    let job = store.pending(JUNE, None, 9).unwrap().remove(0);
    let payment = intend(&mut store, new_intent(&job, 3));
    store.hand_back(AT, paid(payment, 3, Some(posted()))).unwrap();
    store.say(AT, job.key, Decision::Rebuy, None).unwrap();
    assert_eq!(sent(&store), (4, "5591".to_owned()), "what a decision buys once more");
}

pub(super) fn planned_takes_are_given_as_before_where_a_default_is_another<S: Subject>() {
    for had_nonce in [true, false] {
        let (mut store, _) = S::with(&[("june", &[]), ("july", &[])]);
        let rows = |ids: [&str; 2], has_nonce, default: i64| {
            let endpoint = numbered(has_nonce, default);
            let job = |id, n: i64| {
                let number = |name: &str, value| (name.to_owned(), Value::Integer(value));
                let nonce = (n != 3).then(|| Box::new(Nonce { param: 0, first: Some(Value::Integer(3)) }));
                let params = vec![number("n", n), number("other", default)];
                PlannedJob { params, nonce, ..planned(&endpoint, id, &format!("of {default}")) }
            };
            vec![job(ids[0], 3), job(ids[1], if has_nonce { 9 } else { 3 })]
        };
        store.take_in(JUNE, rows(["a", "a.t2"], had_nonce, 5)).unwrap();
        for (n, job) in (1..).zip(&store.pending(JUNE, None, 9).unwrap()) {
            deliver(&mut store, job, n);
        }
        store.take_in(JULY, rows(["b", "b.t2"], true, 6)).unwrap();
        let found = store.set_duplicates_aside(JULY, AT, &Compared::default()).unwrap();
        assert_eq!(found.count, 2, "with a nonce before: {had_nonce}");
    }
}

pub(super) fn what_is_set_aside_is_of_its_own_edition_and_told_of_where_it_is_named<S: Subject>() {
    let of_edition = |edition: &str| Compared { edition: Some(edition.to_owned()), ..Compared::default() };
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &[])]);
    store.set_duplicates_aside(JUNE, AT, &of_edition("summer")).unwrap();
    deliver(&mut store, &jobs[0], 1);
    let named = |id: &str| planned(&endpoint(), id, "a");
    store.take_in(JULY, vec![named("b"), named("c")]).unwrap();
    store.set_duplicates_aside(JUNE, AT, &of_edition("autumn")).unwrap();
    assert_eq!(store.set_duplicates_aside(JULY, AT, &of_edition("autumn")).unwrap().count, 0, "`a` is of summer");
    let only = ["b".to_owned()];
    let before = store.transitions();
    let found = store.set_duplicates_aside(JULY, AT, &Compared { only: &only, ..of_edition("summer") }).unwrap();
    assert_eq!((found.count, store.transitions() - before), (1, 2), "both are set aside");
    assert_eq!(to_buy(&store, JULY, true), [("b".to_owned(), true), ("c".to_owned(), true)]);
    let found = store.set_duplicates_aside(JULY, AT, &of_edition("autumn")).unwrap();
    assert_eq!((found.count, store.transitions() - before), (2, 2), "it is no other purchase on another day");
}

pub(super) fn a_retake_that_is_set_aside_is_taken_back<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    intend(&mut store, new_intent(&jobs[1], 2));
    let changed = Retake { changed: true, ..Retake::default() };
    // `a` asks for what `b` buys.
    let jobs_now = || vec![planned(&endpoint(), "a", "b"), planned(&endpoint(), "c", "c")].into_iter().map(Ok);
    assert_eq!(of_ledger(store.load_plan(JUNE, AT, &changed, jobs_now())).unwrap().retaken.count, 1);
    let before = store.transitions();
    store.set_duplicates_aside(JUNE, AT, &Compared::default()).unwrap();
    store.mean_duplicates(JUNE, AT, &["another".to_owned()]).unwrap();
    assert_eq!(store.transitions(), before, "a word that nobody has accepted leaves no trace");
    store.accept_takes(AT, JUNE).unwrap();
    let found = store.set_duplicates_aside(JUNE, AT, &Compared::default()).unwrap();
    assert_eq!(found.retaken.first, ["a"]);
    store.discard_duplicates(JUNE, AT).unwrap();
    assert_eq!(stands(&store, jobs[0].key), (JobState::Delivered, Reason::Changed), "nothing hides it");
    assert_eq!(to_buy(&store, JUNE, true), [("c".to_owned(), false)]);
}

pub(super) fn what_costs_more_than_one_may_is_refused_until_it_may<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    let most = |most: u64| Some(Msat::new(most));
    assert_eq!(store.hold_to_job_limit(JUNE, AT, most(HOLD)).unwrap().count, 0);
    assert_eq!(store.hold_to_job_limit(JUNE, AT, most(HOLD - 1)).unwrap().first, ["b"]);
    assert_eq!(stands(&store, jobs[1].key), (JobState::Refused, Reason::JobLimit));
    assert!(store.job(jobs[1].key).error.is_some());
    assert_eq!(store.hold_to_job_limit(JUNE, AT, None).unwrap().count, 0);
    assert_eq!(stands(&store, jobs[1].key), (JobState::Pending, Reason::None));
}

pub(super) fn what_is_begun_and_changes_is_told_and_marked_once_it_is_delivered<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = intend(&mut store, new_intent(&jobs[1], 2));
    let other = || vec![planned(&endpoint(), "a", "a"), planned(&endpoint(), "b", "another")];
    store.take_in(JUNE, other()).unwrap();
    assert_eq!((store.open_and_changed(JUNE).unwrap(), store.open_and_changed(JULY).unwrap()), (1, 0));
    store.mark_changed(Some(JUNE), AT).unwrap();
    assert_eq!(stands(&store, jobs[1].key), (JobState::Running, Reason::None), "it is finished as it was begun");
    store.hand_back(AT, paid(payment, 2, Some(posted()))).unwrap();
    let answer = answer(&mut store, payment, 200);
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    store.mark_changed(Some(JULY), AT).unwrap();
    assert_eq!(stands(&store, jobs[1].key), (JobState::Delivered, Reason::None), "another batch was meant");
    store.mark_changed(None, AT).unwrap();
    assert_eq!(stands(&store, jobs[1].key), (JobState::Delivered, Reason::Changed));
    assert_eq!(store.open_and_changed(JUNE).unwrap(), 0);
}

pub(super) fn what_ended_without_spending_is_chosen_again<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    store.hand_back(AT, Record::Ended(jobs[0].key, end(JobState::Failed, Reason::OriginError))).unwrap();
    let again = vec![Again { key: jobs[0].key, from: JobState::Failed }];
    store.choose(AT, &ChosenRows { again, ..ChosenRows::default() }).unwrap();
    assert_eq!(stands(&store, jobs[0].key), (JobState::Pending, Reason::None));
    assert_eq!(to_buy(&store, JUNE, false), [("a".to_owned(), false), ("b".to_owned(), false)]);
}

pub(super) fn what_is_capped_is_told_apart<S: Subject>() {
    let exact = endpoint();
    let mut capped = Endpoint::clone(&exact);
    capped.name = "quoted".to_owned();
    capped.price.is_cap = true;
    told_apart::<S>(Arc::new(capped));
    // What a token may serve for nothing is capped, too.
    let mut reusable = Endpoint::clone(&exact);
    reusable.name = "many".to_owned();
    reusable.terms.credential = CredentialRule::Reusable;
    told_apart::<S>(Arc::new(reusable));
}

fn told_apart<S: Subject>(capped: Arc<Endpoint>) {
    let exact = endpoint();
    let (mut store, mut jobs) = S::with(&[("june", &[]), ("july", &[])]);
    store.take_in(JUNE, vec![planned(&exact, "a", "a"), planned(&capped, "b", "b")]).unwrap();
    assert_eq!(store.planned(JUNE), [Msat::new(2 * PRICE.get()), PRICE]);
    jobs.extend(store.pending(JUNE, None, 9).unwrap());
    for (n, job) in (1..).zip(&jobs) {
        deliver(&mut store, job, n);
    }
    let rows = [(&exact, "c", "a"), (&capped, "d", "b"), (&exact, "e", "e"), (&capped, "f", "f")];
    store.take_in(JULY, rows.map(|(endpoint, id, prompt)| planned(endpoint, id, prompt)).into()).unwrap();
    let found = store.set_duplicates_aside(JULY, AT, &Compared::default()).unwrap();
    assert_eq!((found.count, found.price, found.capped), (2, Msat::new(2 * PRICE.get()), PRICE));
    let mut told = Vec::new();
    let each = &mut |job: ToBuy| {
        told.push((job.id, job.is_capped, job.is_duplicate));
        Ok::<_, ()>(())
    };
    store.to_buy(JULY, true, each).unwrap().unwrap();
    let told: Vec<_> = told.iter().map(|(id, is_capped, is_aside)| (id.as_str(), *is_capped, *is_aside)).collect();
    assert_eq!(told, [("c", false, true), ("d", true, true), ("e", false, false), ("f", true, false)]);
    assert_eq!(store.planned(JULY), [Msat::new(4 * PRICE.get()), Msat::new(2 * PRICE.get())]);
    // What has gone is planned no more, and is no part of what is capped.
    store.take_in(JULY, vec![planned(&exact, "e", "e")]).unwrap();
    assert_eq!(store.planned(JULY), [PRICE, Msat::ZERO]);
    let key = store.pending(JULY, None, 9).unwrap()[0].key;
    store.hand_back(AT, Record::Ended(key, end(JobState::Refused, Reason::PriceChanged))).unwrap();
    store.take_in(JULY, vec![planned(&exact, "e", "e")]).unwrap();
    assert_eq!(store.pending(JULY, None, 9).unwrap()[0].attempts, 1, "it was tried before");
}
