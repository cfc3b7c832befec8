//! A person's word on what is paid for and given up.

use super::cases::{deliver, intend};
use super::{AT, Subject, plan};
use crate::ledger::contract::support::{end, http, new_intent, paid, posted};
use crate::ledger::port::Decisions;
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, Committed, DeadProof, Decided, Decision, IntentRefusal, JobEnd, JobKey, OpenStage,
    PaymentKey, PendingJob, Record, RefundRecord, Reopened, Reopening, Undownloaded,
};
use crate::purchase::{JobState, Poll, Reason};
use crate::time::UnixMs;

const JUNE: BatchKey = BatchKey(1);
const LATER: UnixMs = AT.plus_ms(90_000_000);

fn answered<S: Subject>(
    store: &mut S,
    payment: PaymentKey,
    kind: AnswerKind,
    (status, body): (u16, &str),
) -> AnswerKey {
    let mut answer = http(status);
    answer.body = body.as_bytes().to_vec();
    match store.hand_back(AT, Record::Answer { payment, kind, answer }).unwrap() {
        Committed::Answer(key) => key,
        other => panic!("{other:?}"),
    }
}

/// One paid job that was answered so and ended so.
fn ended<S: Subject>(said: (u16, &str), state: JobState, reason: Reason) -> (S, JobKey, PaymentKey) {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let answer = Some(answered(&mut store, payment, AnswerKind::Redeem, said));
    let heard = (200..300).contains(&said.0);
    let end = JobEnd { state, reason, error: None };
    store.hand_back(AT, Record::Undelivered { payment, answer, heard, end }).unwrap();
    (store, jobs[0].key, payment)
}

fn lost<S: Subject>() -> (S, JobKey, PaymentKey) {
    ended((404, "no"), JobState::Lost, Reason::NotDelivered)
}

fn word<S: Subject>(store: &mut S, job: JobKey, word: Reopening) -> Reopened {
    store.reopen(LATER, job, word, "a note").unwrap()
}

fn stands<S: Subject>(store: &S, job: JobKey) -> (JobState, Reason) {
    let job = store.job(job);
    (job.state, job.reason)
}

fn to_buy<S: Subject>(store: &S) -> Vec<PendingJob> {
    store.pending(JUNE, None, 9).unwrap()
}

pub(super) fn a_lost_job_is_asked_for_again_with_what_was_paid_and_only_once_a_word<S: Subject>() {
    let (mut store, job, payment) = lost::<S>();
    assert!(store.open_jobs(None).unwrap().is_empty());
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Recorded);
    assert_eq!(stands(&store, job), (JobState::Paid, Reason::NotDelivered));
    let open = store.open_jobs(None).unwrap();
    let OpenStage::Paid(purchase) = &open[0].stage else { panic!("{open:?}") };
    assert_eq!((purchase.payment(), purchase.waited_from()), (payment, LATER), "patience begins anew");
    assert!(purchase.is_retried() && to_buy(&store).is_empty());
    let before = store.seen();
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Unchanged);
    assert_eq!(store.seen(), before);
}

pub(super) fn a_success_is_sent_for_once_more_by_a_word_alone<S: Subject>() {
    let (mut store, job, payment) = ended::<S>((200, "{}"), JobState::Paid, Reason::UnknownAnswer);
    assert!(store.open_jobs(None).unwrap().is_empty(), "it is a person's");
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Recorded);
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Unchanged);
    let open = store.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
    let sent = store.hand_back(LATER, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()));
}

pub(super) fn a_word_sends_for_a_success_once_whatever_the_clock_shows<S: Subject>() {
    let (mut store, job, payment) = ended::<S>((200, "{}"), JobState::Paid, Reason::UnknownAnswer);
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Recorded);
    // The word was said while the clock was ahead by a day.
    let sent = store.hand_back(AT, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()), "the word is used up");
    let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
    store.hand_back(AT, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    assert!(store.open_jobs(None).unwrap().is_empty(), "it is a person's again");
    assert_eq!(store.reopen(AT, job, Reopening::Retry, "a note").unwrap(), Reopened::Recorded);
    let open = store.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
}

pub(super) fn nothing_is_bought_in_the_place_of_what_is_asked_for_again<S: Subject>() {
    let (mut store, job, _) = lost::<S>();
    assert_eq!(store.say(LATER, job, Decision::Rebuy, None).unwrap(), Decided::Recorded);
    let next = to_buy(&store).remove(0).key;
    store.hand_back(LATER, Record::Ended(next, end(JobState::Refused, Reason::PriceChanged))).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Recorded);
    assert_eq!(stands(&store, job), (JobState::Paid, Reason::NotDelivered));
    let jobs = store.jobs();
    assert_eq!(jobs.len(), 1, "the take that was to replace it is none any more");
    assert!(!jobs[0].superseded && to_buy(&store).is_empty());
    assert!(store.undecided_take(JUNE, "a", Some(2)).unwrap().is_none());
    store.take_in(JUNE, plan(&["a"])).unwrap();
    assert_eq!(stands(&store, job), (JobState::Paid, Reason::NotDelivered));
}

/// One that is bought, and failed, stays; it is bought again only once the reopened one has ended.
pub(super) fn a_take_that_was_bought_stays_beside_what_is_asked_for_again<S: Subject>() {
    let (mut store, job, _) = lost::<S>();
    store.say(LATER, job, Decision::Rebuy, None).unwrap();
    let next = to_buy(&store).remove(0);
    let failed = intend(&mut store, new_intent(&next, 2));
    let end = end(JobState::Failed, Reason::NoRoute);
    store.hand_back(AT, Record::Dead { payment: failed, proof: DeadProof::FailedAndExpired, end }).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Recorded);
    store.take_in(JUNE, plan(&["a"])).unwrap();
    let take = to_buy(&store).remove(0);
    let refused = store.hand_back(LATER, Record::Intend(Box::new(new_intent(&take, 3)))).unwrap();
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: None })), "{refused:?}");
    store.say(LATER, job, Decision::Lost, None).unwrap();
    intend(&mut store, new_intent(&take, 3));
}

pub(super) fn an_answer_that_is_kept_is_taken_as_the_result<S: Subject>() {
    for (state, reason) in [(JobState::Paid, Reason::UnknownAnswer), (JobState::Lost, Reason::Decided)] {
        let film = r#"{"film":"https://cdn.example/a.mp4"}"#;
        let (mut store, job, payment) = ended::<S>((200, film), state, reason);
        // What was answered later does not hide it.
        answered(&mut store, payment, AnswerKind::Redeem, (200, r#"{"film":"https://cdn.example/b.mp4"}"#));
        answered(&mut store, payment, AnswerKind::Redeem, (401, "no"));
        let taken = word(&mut store, job, Reopening::Delivered);
        assert_eq!(taken, Reopened::Taken("https://cdn.example/a.mp4".to_owned()));
        assert_eq!(stands(&store, job), (JobState::Delivered, Reason::None));
        assert_eq!(store.job(job).url.as_deref(), Some("https://cdn.example/a.mp4"));
        assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Refused(JobState::Delivered));
        assert_eq!(store.delivery(job).unwrap().unwrap().body, film.as_bytes());
        assert!(store.open_jobs(None).unwrap().is_empty());
    }
}

pub(super) fn of_polls_the_last_word_is_taken<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let (job, payment) = (jobs[0].key, intend(&mut store, new_intent(&jobs[0], 1)));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let accepted = answered(&mut store, payment, AnswerKind::Redeem, (202, r#"{"at":"https://x.example/poll"}"#));
    let poll = Poll { url: "https://x.example/poll".parse().unwrap(), interval_ms: 1_000 };
    store.hand_back(AT, Record::Accepted { payment, answer: accepted, poll }).unwrap();
    let ends = |store: &mut S, answer| {
        let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
        store.hand_back(AT, Record::Undelivered { payment, answer, heard: false, end }).unwrap();
    };
    ends(&mut store, None);
    let unfit = word(&mut store, job, Reopening::Delivered);
    assert!(matches!(unfit, Reopened::Unfit(_)), "it only said where to poll: {unfit:?}");
    for n in 1..=2 {
        let said = format!(r#"{{"film":"https://cdn.example/{n}.mp4"}}"#);
        let answer = answered(&mut store, payment, AnswerKind::Poll, (200, &said));
        ends(&mut store, Some(answer));
    }
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Taken("https://cdn.example/2.mp4".to_owned()));
    assert_eq!(store.delivery(job).unwrap().unwrap().body, br#"{"film":"https://cdn.example/2.mp4"}"#);
}

pub(super) fn what_brought_no_answer_or_was_never_paid_cannot_be_taken<S: Subject>() {
    let (mut store, job, _) = lost::<S>();
    assert!(matches!(word(&mut store, job, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut store, job, _) = ended::<S>((404, "no"), JobState::Paid, Reason::NotDelivered);
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Unchanged);
    assert!(matches!(word(&mut store, job, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    for said in [Reopening::Retry, Reopening::Delivered] {
        assert_eq!(word(&mut store, jobs[0].key, said), Reopened::Refused(JobState::Pending));
    }
    intend(&mut store, new_intent(&jobs[0], 1));
    store.say(LATER, jobs[0].key, Decision::Lost, None).unwrap();
    let before = store.seen();
    let unpaid = word(&mut store, jobs[0].key, Reopening::Retry);
    assert!(matches!(unpaid, Reopened::Unfit(_)), "nobody knows that it was paid: {unpaid:?}");
    assert_eq!(store.seen(), before);
}

pub(super) fn what_is_given_back_is_not_asked_for_again<S: Subject>() {
    let (mut store, job, payment) = ended::<S>((200, "{}"), JobState::Paid, Reason::UnknownAnswer);
    let answer = answered(&mut store, payment, AnswerKind::Redeem, (502, "no gpu"));
    let offer = RefundRecord::Offered { answer, link: Some("LNURL1X".to_owned()), message: "no gpu".to_owned() };
    store.hand_back(AT, Record::Refund(payment, offer)).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Retry), Reopened::Refused(JobState::RefundOffered));
    store.say(LATER, job, Decision::Lost, None).unwrap();
    for said in [Reopening::Retry, Reopening::Delivered] {
        let unfit = word(&mut store, job, said);
        assert!(matches!(&unfit, Reopened::Unfit(words) if words.contains("a refund was offered")), "{unfit:?}");
    }
}

/// What looks like no result is one by a person's word, said once, and only where it was fetched in vain.
pub(super) fn what_was_fetched_in_vain_is_taken_as_it_is<S: Subject>() {
    let gone = |job| Record::NotDownloaded { job, reason: Reason::UrlGone, error: "HTTP 404".to_owned() };
    let film = r#"{"film":"https://cdn.example/a.mp4"}"#;
    let (mut store, job, _) = ended::<S>((200, film), JobState::Paid, Reason::UnknownAnswer);
    assert!(matches!(word(&mut store, job, Reopening::Delivered), Reopened::Taken(_)));
    store.hand_back(AT, gone(job)).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Unchanged, "it is taken, and gone");
    assert_eq!(stands(&store, job), (JobState::Delivered, Reason::UrlGone));

    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let job = jobs[0].key;
    deliver(&mut store, &jobs[0], 1);
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Refused(JobState::Delivered));
    store.hand_back(AT, gone(job)).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::AsServed);
    assert_eq!(stands(&store, job), (JobState::Delivered, Reason::NotDownloaded));
    assert!(store.to_download(JUNE, Undownloaded::Left, None, 9).unwrap()[0].is_taken);
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Unchanged);
    store.hand_back(AT, gone(job)).unwrap();
    assert_eq!(word(&mut store, job, Reopening::Delivered), Reopened::Unchanged);
    assert_eq!(stands(&store, job), (JobState::Delivered, Reason::UrlGone));
}
