//! Tokens that serve more than the job that bought them.

use url::Url;

use super::cases::{answer, intend};
use super::{AT, Subject};
use crate::l402::Network;
use crate::ledger::contract::support::{FEE, PRICE, end, http, is_contradiction, new_intent, paid, posted};
use crate::ledger::port::Decisions;
use crate::ledger::{
    BatchKey, Came, Committed, Compared, DeadProof, Decided, Decision, IntentRefusal, JobKey, NewIntent, PaymentKey,
    PendingJob, Record, Recorded, Reopened, Reopening, Reuse, Served, TokenAt, Undownloaded,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Next, Reason};

fn buys(job: &PendingJob, n: u8, after: Option<PaymentKey>) -> NewIntent {
    NewIntent { reuse: Some(Reuse { after }), ..new_intent(job, n) }
}

/// Why the token may not be bought; none where it is.
fn refused<S: Subject>(store: &mut S, intent: NewIntent) -> Option<IntentRefusal> {
    match store.hand_back(AT, Record::Intend(Box::new(intent))).unwrap() {
        Committed::IntentRefused(refusal) => Some(refusal),
        Committed::Intent(_) => None,
        other => panic!("{other:?}"),
    }
}

/// A token, from its intent to the delivery of its own job.
fn token<S: Subject>(store: &mut S, job: &PendingJob, n: u8, after: Option<PaymentKey>) -> PaymentKey {
    let payment = intend(store, buys(job, n, after));
    store.hand_back(AT, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(store, payment, 200);
    let url = format!("https://seller.example/v/{n}");
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    payment
}

fn at<S: Subject>(store: &S, job: &PendingJob) -> TokenAt {
    store.token(job.key, &job.endpoint.url, Network::Regtest).unwrap()
}

/// Whose token is in use there.
fn in_use<S: Subject>(store: &S, job: &PendingJob) -> Option<PaymentKey> {
    match at(store, job) {
        TokenAt::InUse(token) => Some(token.payment()),
        TokenAt::None | TokenAt::Open(_) | TokenAt::Unusable(_) => None,
    }
}

fn result(job: JobKey, by: PaymentKey, url: &str) -> Record {
    let came = Came::Result { url: url.to_owned(), more: Vec::new() };
    Record::Served(Box::new(Served { job, by, request: [7; 32], answer: http(200), came }))
}

/// The same, to the very request that an intent for the job would hold.
fn delivers(job: &PendingJob, by: PaymentKey, url: &str) -> Record {
    let Record::Served(served) = result(job.key, by, url) else { unreachable!() };
    Record::Served(Box::new(Served { request: new_intent(job, 1).request.digest(), ..*served }))
}

fn nothing(job: JobKey, by: PaymentKey, body: &str) -> Record {
    let answer = HttpAnswer { body: body.as_bytes().to_vec(), ..http(200) };
    let came = Came::Nothing(end(JobState::Refused, Reason::UnknownAnswer));
    Record::Served(Box::new(Served { job, by, request: [7; 32], answer, came }))
}

pub(super) fn a_token_is_open_until_its_own_job_is_delivered_and_then_serves_others<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c"])]);
    assert_eq!(at(&store, &jobs[1]), TokenAt::None);
    let payment = intend(&mut store, buys(&jobs[0], 1, None));
    let is_open = |store: &S| {
        let TokenAt::Open(buyer) = at(store, &jobs[2]) else { panic!("{:?}", at(store, &jobs[2])) };
        assert_eq!((buyer.batch.as_str(), buyer.id.as_str()), ("june", "a"));
        buyer.next
    };
    assert_eq!(is_open(&store), Next::Rerun);
    let doubt = Record::Doubt { payment, reason: Reason::PaymentUnknown, error: None, wait_until: None };
    store.hand_back(AT, doubt).unwrap();
    assert_eq!(is_open(&store), Next::Rerun);
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    assert_eq!(is_open(&store), Next::Rerun);
    let answer = answer(&mut store, payment, 200);
    // No run finds the result, and nobody else may buy: whoever waits is told that a person is needed.
    let end = end(JobState::Paid, Reason::UnknownAnswer);
    store.hand_back(AT, Record::Undelivered { payment, answer: Some(answer), heard: true, end }).unwrap();
    assert_eq!(is_open(&store), Next::Person);
    assert_eq!(refused(&mut store, buys(&jobs[1], 2, None)), Some(IntentRefusal::TokenKnown));
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    for job in &jobs[1..] {
        let TokenAt::InUse(token) = at(&store, job) else { panic!("{:?}", at(&store, job)) };
        assert_eq!((token.payment(), token.credential().token.reveal()), (payment, "token1"));
    }
}

pub(super) fn there_is_never_a_second_purchase_in_the_place_of_one_token<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"]), ("july", &["d"])]);
    let first = intend(&mut store, buys(&jobs[0], 1, None));
    for after in [None, Some(first)] {
        assert_eq!(refused(&mut store, buys(&jobs[3], 2, after)), Some(IntentRefusal::TokenKnown), "it is open");
    }
    // A purchase whose token serves its own job alone has nothing to do with it.
    intend(&mut store, new_intent(&jobs[2], 9));
    store.hand_back(AT, paid(first, 1, Some(posted()))).unwrap();
    let answer = answer(&mut store, first, 200);
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment: first, answer, url, more: Vec::new(), own: false }).unwrap();
    assert_eq!(refused(&mut store, buys(&jobs[1], 2, None)), Some(IntentRefusal::TokenKnown), "it is in use");
    // It was refused to one job: that one buys another, and nobody else does in its place.
    let second = token(&mut store, &jobs[1], 2, Some(first));
    assert_eq!(refused(&mut store, buys(&jobs[3], 3, Some(first))), Some(IntentRefusal::TokenKnown));
    assert_eq!(in_use(&store, &jobs[3]), Some(second));
    assert_eq!(refused(&mut store, buys(&jobs[3], 3, Some(second))), None);
}

/// Whatever the clock shows.
pub(super) fn the_token_that_was_bought_last_is_the_newest<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let first = token(&mut store, &jobs[0], 1, None);
    let early = AT.plus_ms(-3_600_000);
    let Committed::Intent(intent) =
        store.hand_back(early, Record::Intend(Box::new(buys(&jobs[1], 2, Some(first))))).unwrap()
    else {
        panic!("it was refused")
    };
    let second = intent.payment();
    store.hand_back(early, paid(second, 2, Some(posted()))).unwrap();
    let answer = answer(&mut store, second, 200);
    let url = "https://seller.example/v/2".to_owned();
    store.hand_back(early, Record::Delivered { payment: second, answer, url, more: Vec::new(), own: false }).unwrap();
    assert_eq!(in_use(&store, &jobs[2]), Some(second));
    assert_eq!(refused(&mut store, buys(&jobs[2], 3, Some(first))), Some(IntentRefusal::TokenKnown));
}

/// A payment that a person took for never made, and that settles once a token has served its job.
pub(super) fn what_settles_late_leaves_what_a_token_has_served_as_it_is<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let by = token(&mut store, &jobs[0], 1, None);
    let payment = intend(&mut store, new_intent(&jobs[1], 2));
    let late = AT.plus_ms(3_000_000_000);
    assert_eq!(store.say(late, jobs[1].key, Decision::Unpaid, None).unwrap(), Decided::Recorded);
    store.take_in(BatchKey(1), super::plan(&["a", "b"])).unwrap();
    let url = "https://seller.example/v/b";
    store.hand_back(late, result(jobs[1].key, by, url)).unwrap();
    store.hand_back(late, paid(payment, 2, Some(posted()))).unwrap();
    let job = store.job(jobs[1].key);
    assert_eq!((job.state, job.url.as_deref()), (JobState::Delivered, Some(url)));
    let further = store.job(store.payment(payment).job);
    assert_ne!(further.key, job.key);
    assert_eq!((further.state, further.superseded, job.superseded), (JobState::Paid, false, true));
}

pub(super) fn within_a_group_too_one_token_is_bought<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c"])]);
    let want = |(n, job): (u8, &PendingJob)| (AT, Record::Intend(Box::new(buys(job, n, None))));
    let outcomes = store.apply_all((1..).zip(&jobs).map(want).collect()).unwrap();
    let made = |outcome: Result<Recorded, _>| matches!(outcome.unwrap().committed, Committed::Intent(_));
    assert_eq!(outcomes.into_iter().map(made).collect::<Vec<_>>(), [true, false, false]);
}

pub(super) fn a_token_serves_its_own_endpoint_network_and_kind_of_money_alone<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = token(&mut store, &jobs[0], 1, None);
    let asked = |url: &str, network| store.token(jobs[1].key, &Url::parse(url).unwrap(), network).unwrap();
    for url in ["https://seller.example/make", "https://seller.example/make?size=2"] {
        assert!(matches!(asked(url, Network::Regtest), TokenAt::InUse(_)), "{url}");
    }
    for url in ["https://seller.example/made", "https://seller.example:444/make", "http://seller.example/make"] {
        assert_eq!(asked(url, Network::Regtest), TokenAt::None, "{url}");
    }
    assert_eq!(asked("https://seller.example/make", Network::Mainnet), TokenAt::None);
    // Whoever is asked to pay on another network buys there, whatever is in use here.
    let elsewhere = NewIntent { network: Network::Mainnet, ..buys(&jobs[1], 2, None) };
    assert_eq!(refused(&mut store, elsewhere), None);
    assert_eq!(in_use(&store, &jobs[1]), Some(payment));
}

pub(super) fn a_token_that_came_to_nothing_is_none<S: Subject>() {
    for dead in [true, false] {
        let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
        let first = token(&mut store, &jobs[0], 1, None);
        let second = intend(&mut store, buys(&jobs[1], 2, Some(first)));
        if dead {
            let proof = DeadProof::FailedAndAnswered;
            let end = end(JobState::Failed, Reason::NoRoute);
            store.hand_back(AT, Record::Dead { payment: second, proof, end }).unwrap();
            assert_eq!(in_use(&store, &jobs[2]), Some(first), "the one before is the newest again");
            assert_eq!(refused(&mut store, buys(&jobs[2], 3, None)), Some(IntentRefusal::TokenKnown));
        } else {
            store.hand_back(AT, paid(second, 2, Some(posted()))).unwrap();
            let end = end(JobState::Lost, Reason::OriginFailed);
            let record = Record::Undelivered { payment: second, answer: None, heard: false, end };
            store.hand_back(AT, record).unwrap();
            assert_eq!(at(&store, &jobs[2]), TokenAt::None);
        }
        let after = Some(first).filter(|_| dead);
        assert_eq!(refused(&mut store, buys(&jobs[2], 3, after)), None);
    }
}

pub(super) fn what_a_token_serves_is_delivered_and_costs_nothing<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = token(&mut store, &jobs[0], 1, None);
    let (payments, sums, answers) = (store.payments(), store.sums(BatchKey(1)), store.answers());
    let url = "https://seller.example/v/b";
    let recorded = store.commit(AT, result(jobs[1].key, payment, url)).unwrap();
    let transition = recorded.transition.unwrap();
    assert_eq!((transition.state, transition.url.as_deref()), (JobState::Delivered, Some(url)));
    let job = store.job(jobs[1].key);
    assert_eq!((job.state, job.reason, job.url.as_deref()), (JobState::Delivered, Reason::None, Some(url)));
    assert_eq!((job.attempts, job.finished_at), (1, Some(AT)));
    assert_eq!((store.payments(), store.sums(BatchKey(1)), store.answers()), (payments, sums, answers));
    assert_eq!(store.delivery(job.key).unwrap(), Some(http(200)));
    let credential = store.credential(job.key).unwrap().unwrap();
    assert_eq!(credential.token.reveal(), "token1", "what stands behind its gate is fetched with that");
    let files = store.to_download(BatchKey(1), Undownloaded::All, None, 9).unwrap();
    let cost: Vec<_> = files.iter().map(|job| (job.amount, job.fee)).collect();
    assert_eq!(cost, [(Some(PRICE), Some(FEE)), (Some(Msat::ZERO), Some(Msat::ZERO))]);
    assert!(store.pending(BatchKey(1), None, 9).unwrap().is_empty());
    // Once.
    assert!(is_contradiction(&store.commit(AT, result(jobs[1].key, payment, url))));
    assert!(is_contradiction(&store.commit(AT, result(jobs[0].key, payment, url))), "it has paid for itself");
}

pub(super) fn what_a_token_brings_and_is_not_understood_is_a_person_s<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = token(&mut store, &jobs[0], 1, None);
    let key = jobs[1].key;
    let film = "{\"film\":\"https://seller.example/film/b\"}";
    store.hand_back(AT, nothing(key, payment, film)).unwrap();
    assert_eq!((store.job(key).state, store.job(key).reason), (JobState::Refused, Reason::UnknownAnswer));
    // Loading the same plan does not send it again.
    store.take_in(BatchKey(1), super::plan(&["a", "b"])).unwrap();
    assert_eq!(store.job(key).state, JobState::Refused);
    assert_eq!(store.reopen(AT, key, Reopening::Retry, "so").unwrap(), Reopened::Recorded);
    assert_eq!((store.job(key).state, store.job(key).reason), (JobState::Pending, Reason::None));
    store.hand_back(AT, nothing(key, payment, film)).unwrap();
    let taken = store.reopen(AT, key, Reopening::Delivered, "so").unwrap();
    assert_eq!(taken, Reopened::Taken("https://seller.example/film/b".to_owned()));
    assert_eq!(store.job(key).state, JobState::Delivered);
    assert_eq!(store.delivery(key).unwrap().unwrap().body, film.as_bytes());
}

/// One answer may hold several results.
pub(super) fn further_results_of_what_a_token_serves_are_kept<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let by = token(&mut store, &jobs[0], 1, None);
    let more = vec!["https://seller.example/v/b2".to_owned()];
    let came = Came::Result { url: "https://seller.example/v/b1".to_owned(), more: more.clone() };
    let served = Served { job: jobs[1].key, by, request: [7; 32], answer: http(200), came };
    let recorded = store.commit(AT, Record::Served(Box::new(served))).unwrap();
    assert_eq!(recorded.transition.unwrap().more_urls, more);
    let found = store.to_download(BatchKey(1), Undownloaded::All, None, 9).unwrap();
    let of_b = found.iter().find(|job| job.key == jobs[1].key).unwrap();
    assert_eq!(of_b.more.iter().map(|one| one.url.clone()).collect::<Vec<_>>(), more);
}

/// Once its request is told, by whatever name: a job that a token has served is bought.
pub(super) fn what_a_token_has_delivered_is_not_bought_under_another_name<S: Subject>() {
    for in_one_group in [false, true] {
        let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["b"])]);
        let by = token(&mut store, &jobs[0], 1, None);
        let digest = new_intent(&jobs[2], 2).request.digest();
        let known = |store: &S| store.bought_elsewhere(jobs[2].key, &digest, Network::Regtest).unwrap();
        assert_eq!(known(&store), None);
        let records =
            [delivers(&jobs[1], by, "https://seller.example/v/b"), Record::Intend(Box::new(new_intent(&jobs[2], 2)))];
        let last = if in_one_group {
            let outcomes = store.apply_all(records.into_iter().map(|record| (AT, record)).collect()).unwrap();
            outcomes.into_iter().last().unwrap().unwrap().committed
        } else {
            records.into_iter().map(|record| store.hand_back(AT, record).unwrap()).last().unwrap()
        };
        let Committed::IntentRefused(IntentRefusal::Duplicate(original)) = last else { panic!("{last:?}") };
        assert_eq!((original.batch.as_str(), original.id.as_str(), original.at), ("june", "b", AT));
        assert_eq!(known(&store).map(|original| original.id), Some("b".to_owned()));
        let identical = store.identical_request(jobs[2].key, &digest).unwrap().unwrap();
        assert_eq!((identical.last_at, identical.open, identical.awaiting), (AT, false, false));
    }
}

/// Nor is it bought by a batch that is loaded later, on the network of its token.
pub(super) fn what_a_token_has_delivered_is_set_aside_elsewhere<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["b"])]);
    let by = token(&mut store, &jobs[0], 1, None);
    store.hand_back(AT, delivers(&jobs[1], by, "https://seller.example/v/b")).unwrap();
    for (network, count) in [(Network::Mainnet, 0), (Network::Regtest, 1)] {
        let compared = Compared { network: Some(network), ..Compared::default() };
        assert_eq!(store.set_duplicates_aside(BatchKey(2), AT, &compared).unwrap().count, count, "{network:?}");
    }
}

/// An origin that answers from a cache has sold nothing, although a token had it answer before.
pub(super) fn a_result_that_a_token_has_brought_is_no_other_purchase_s<S: Subject>() {
    for in_one_group in [false, true] {
        let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
        let by = token(&mut store, &jobs[0], 1, None);
        let request = new_intent(&jobs[1], 1).request;
        let payment = intend(&mut store, NewIntent { request, ..new_intent(&jobs[2], 2) });
        store.hand_back(AT, paid(payment, 2, Some(posted()))).unwrap();
        let answer = answer(&mut store, payment, 200);
        let url = "https://seller.example/v/b";
        let own = Record::Delivered { payment, answer, url: url.to_owned(), more: Vec::new(), own: true };
        let records = [delivers(&jobs[1], by, url), own];
        let last = if in_one_group {
            let outcomes = store.apply_all(records.into_iter().map(|record| (AT, record)).collect()).unwrap();
            outcomes.into_iter().last().unwrap().unwrap().committed
        } else {
            records.into_iter().map(|record| store.hand_back(AT, record).unwrap()).last().unwrap()
        };
        assert!(matches!(last, Committed::NotItsOwn), "{last:?}");
    }
}

/// An answer that is kept for a person goes with no word about an earlier take.
pub(super) fn a_take_that_a_token_has_answered_to_stays<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let by = token(&mut store, &jobs[0], 1, None);
    let payment = intend(&mut store, new_intent(&jobs[1], 2));
    store.hand_back(AT, paid(payment, 2, Some(posted()))).unwrap();
    let b = jobs[1].key;
    store.say(AT, b, Decision::Rebuy, None).unwrap();
    let second = store.pending(BatchKey(1), None, 9).unwrap().remove(0).key;
    store.hand_back(AT, nothing(second, by, "{}")).unwrap();
    assert_eq!(store.reopen(AT, b, Reopening::Retry, "so").unwrap(), Reopened::Recorded);
    store.take_in(BatchKey(1), super::plan(&["a", "b"])).unwrap();
    assert_eq!(store.delivery(second).unwrap().unwrap().body, b"{}");
    assert_eq!((store.job(second).state, store.job(second).reason), (JobState::Refused, Reason::UnknownAnswer));
}

pub(super) fn what_may_still_be_paid_for_is_not_served<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let payment = token(&mut store, &jobs[0], 1, None);
    intend(&mut store, new_intent(&jobs[1], 2));
    let served = || result(jobs[1].key, payment, "https://seller.example/v/b");
    assert!(is_contradiction(&store.commit(AT, served())), "it is paid for by itself");
    let late = AT.plus_ms(3_000_000_000);
    assert_eq!(store.say(late, jobs[1].key, Decision::Unpaid, None).unwrap(), Decided::Recorded);
    store.take_in(BatchKey(1), super::plan(&["a", "b"])).unwrap();
    let refused = store.hand_back(AT, served()).unwrap();
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: Some(_) })), "{refused:?}");
    assert!(matches!(store.hand_back(late, served()).unwrap(), Committed::Done));
}
