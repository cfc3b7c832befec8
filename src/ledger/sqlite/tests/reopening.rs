//! A person's word on what is paid for and given up.

use super::support::*;
use crate::ledger::sqlite::store::extra_take;
use crate::ledger::sqlite::{MergeSource, SqliteLedger};
use crate::ledger::{
    AnswerKind, BatchKey, Committed, Decided, Decision, IntentRefusal, JobEnd, OpenMode, OpenStage, PaymentKey, Record,
    Reopened, Reopening,
};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

const LATER: UnixMs = NOW.plus_ms(90_000_000);

/// One paid job that was answered so and ended so.
fn ended(status: u16, body: &str, state: JobState, reason: Reason) -> (SqliteLedger, BatchKey, PaymentKey) {
    let (mut books, batch) = in_memory(&["a"]);
    let payment = end_so(&mut books, batch, (status, body), state, reason);
    (books, batch, payment)
}

fn end_so(
    books: &mut SqliteLedger,
    batch: BatchKey,
    (status, body): (u16, &str),
    state: JobState,
    reason: Reason,
) -> PaymentKey {
    let job = pending(books, batch).remove(0);
    let payment = intend(books, new_intent(&job, 1)).payment();
    books.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let mut said = http(status);
    said.body = body.as_bytes().to_vec();
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: said };
    let Committed::Answer(answer) = books.apply(NOW, record).unwrap() else { panic!("no answer") };
    let heard = (200..300).contains(&status);
    let end = JobEnd { state, reason, error: None };
    books.apply(NOW, Record::Undelivered { payment, answer: Some(answer), heard, end }).unwrap();
    payment
}

fn say(books: &mut SqliteLedger, batch: BatchKey, take: u32, word: Reopening) -> Reopened {
    let job = books.undecided_take(batch, "a", Some(take)).unwrap().unwrap();
    books.reopen(LATER, job.job, word, "a note").unwrap()
}

fn give_up(books: &mut SqliteLedger, batch: BatchKey, take: u32, decision: Decision) {
    let job = books.undecided_take(batch, "a", Some(take)).unwrap().unwrap();
    let decided = books.decide(LATER, job.job, decision, "a note", "", None).unwrap();
    assert_eq!(decided, Decided::Recorded);
}

fn words(books: &SqliteLedger, batch: BatchKey) -> Vec<String> {
    books.takes(batch, "a").unwrap().iter().flat_map(|take| &take.decisions).map(|word| word.decision.clone()).collect()
}

#[test]
fn a_lost_job_is_asked_for_again_with_what_was_paid_and_only_once_a_word() {
    let (mut books, batch, payment) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    assert!(books.open_jobs(None).unwrap().is_empty());
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Paid, Reason::NotDelivered)]);
    let open = books.open_jobs(None).unwrap();
    let OpenStage::Paid(purchase) = &open[0].stage else { panic!("{open:?}") };
    assert_eq!((purchase.payment(), purchase.waited_from()), (payment, LATER), "patience begins anew");
    assert!(purchase.is_retried() && pending(&books, batch).is_empty());
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Unchanged);
    assert_eq!(words(&books, batch), ["retry"]);
    books.check_money(None).unwrap();
}

#[test]
fn a_success_is_sent_for_once_more_by_a_word_alone() {
    let (mut books, batch, payment) = ended(200, "{}", JobState::Paid, Reason::UnknownAnswer);
    assert!(books.open_jobs(None).unwrap().is_empty(), "it is a person's");
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Unchanged);
    let open = books.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
    let sent = books.apply(LATER, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()));
}

#[test]
fn a_word_sends_for_a_success_once_whatever_the_clock_shows() {
    let (mut books, batch, payment) = ended(200, "{}", JobState::Paid, Reason::UnknownAnswer);
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Recorded);
    // The word was said while the clock was ahead by a day.
    let sent = books.apply(NOW, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()), "the word is used up");
    let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
    books.apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    assert!(books.open_jobs(None).unwrap().is_empty(), "it is a person's again");
    let job = books.undecided_take(batch, "a", Some(1)).unwrap().unwrap();
    assert_eq!(books.reopen(NOW, job.job, Reopening::Retry, "a note").unwrap(), Reopened::Recorded);
    let open = books.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
}

#[test]
fn a_word_that_was_used_up_in_one_copy_of_a_ledger_is_used_up_in_both() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("ledger.db"), folder.path().join("other.db"));
    let mut books = SqliteLedger::open(&path, OpenMode::Write).unwrap();
    let batch = begin(&mut books, "june");
    load_ids(&mut books, batch, &["a"]);
    let payment = end_so(&mut books, batch, (200, "{}"), JobState::Paid, Reason::UnknownAnswer);
    let word = |books: &mut SqliteLedger, at: UnixMs| {
        let job = books.undecided_take(batch, "a", Some(1)).unwrap().unwrap();
        assert_eq!(books.reopen(at, job.job, Reopening::Retry, "a note").unwrap(), Reopened::Recorded);
        books.apply(at, Record::Replaying(payment)).unwrap();
        let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
        books.apply(at, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    };
    word(&mut books, NOW);
    books.conn.execute("VACUUM INTO ?1", [other.display().to_string()]).unwrap();
    word(&mut SqliteLedger::open(&other, OpenMode::Write).unwrap(), LATER);
    let source = MergeSource::open(&other, &books).unwrap();
    books.merge(LATER, &source).unwrap();
    assert!(books.open_jobs(None).unwrap().is_empty(), "both words are used up: {:?}", books.open_jobs(None).unwrap());
}

#[test]
fn nothing_is_bought_in_the_place_of_what_is_asked_for_again() {
    let (mut books, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    give_up(&mut books, batch, 1, Decision::Rebuy);
    assert_eq!(pending(&books, batch).len(), 1);
    books.explain_pending(batch, Some("make"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Paid, Reason::NotDelivered)]);
    assert!(pending(&books, batch).is_empty(), "the take that was to replace it is none any more");

    // One that is bought, and failed, stays; it is bought again only once the reopened one has ended.
    let (mut books, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    give_up(&mut books, batch, 1, Decision::Rebuy);
    let job = pending(&books, batch).remove(0);
    let failed = intend(&mut books, new_intent(&job, 2)).payment();
    let record = Record::Dead {
        payment: failed,
        proof: crate::ledger::DeadProof::FailedAndExpired,
        end: end(JobState::Failed, Reason::NoRoute),
    };
    books.apply(NOW, record).unwrap();
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Recorded);
    load_ids(&mut books, batch, &["a"]);
    let take = pending(&books, batch).remove(0);
    let refused = books.apply(LATER, Record::Intend(Box::new(new_intent(&take, 3)))).unwrap();
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: None })), "{refused:?}");
    give_up(&mut books, batch, 1, Decision::Lost);
    intend(&mut books, new_intent(&take, 3));
}

#[test]
fn an_answer_that_is_kept_is_taken_as_the_result() {
    for (state, reason) in [(JobState::Paid, Reason::UnknownAnswer), (JobState::Lost, Reason::Decided)] {
        let (mut books, batch, payment) = ended(200, r#"{"film":"https://cdn.example/a.mp4"}"#, state, reason);
        // What was answered later does not hide it.
        let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(401) };
        books.apply(NOW, record).unwrap();
        let taken = say(&mut books, batch, 1, Reopening::Delivered);
        assert_eq!(taken, Reopened::Taken("https://cdn.example/a.mp4".to_owned()));
        assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Delivered, Reason::None)]);
        assert_eq!(say(&mut books, batch, 1, Reopening::Delivered), Reopened::Refused(JobState::Delivered));
        assert_eq!(words(&books, batch), ["delivered"]);
        let job = books.undecided(batch, "a").unwrap().unwrap().job;
        assert_eq!(books.delivery(job).unwrap().unwrap().status, 200);
        books.check_money(None).unwrap();
    }
}

#[test]
fn what_brought_no_answer_or_was_never_paid_cannot_be_taken() {
    let (mut books, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    assert!(matches!(say(&mut books, batch, 1, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut books, batch, _) = ended(404, "no", JobState::Paid, Reason::NotDelivered);
    assert_eq!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Unchanged);
    assert!(matches!(say(&mut books, batch, 1, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut books, batch) = in_memory(&["a"]);
    for decision in [Reopening::Retry, Reopening::Delivered] {
        assert_eq!(say(&mut books, batch, 1, decision), Reopened::Refused(JobState::Pending));
    }
    let job = pending(&books, batch).remove(0);
    intend(&mut books, new_intent(&job, 1));
    give_up(&mut books, batch, 1, Decision::Lost);
    assert!(matches!(say(&mut books, batch, 1, Reopening::Retry), Reopened::Unfit(_)), "nobody knows that it was paid");
    let tx = books.conn.transaction().unwrap();
    extra_take(&tx, job.key).unwrap();
    tx.commit().unwrap();
    assert_eq!(say(&mut books, batch, 2, Reopening::Retry), Reopened::Refused(JobState::Pending));
}
