//! A person's word on what is paid for and given up.

use super::support::*;
use crate::ledger::port::Merging;
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
    let (mut ledger, batch) = in_memory(&["a"]);
    let payment = end_so(&mut ledger, batch, (status, body), state, reason);
    (ledger, batch, payment)
}

fn end_so(
    ledger: &mut SqliteLedger,
    batch: BatchKey,
    (status, body): (u16, &str),
    state: JobState,
    reason: Reason,
) -> PaymentKey {
    let job = pending(ledger, batch).remove(0);
    let payment = intend(ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let mut said = http(status);
    said.body = body.as_bytes().to_vec();
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: said };
    let Committed::Answer(answer) = ledger.apply(NOW, record).unwrap() else { panic!("no answer") };
    let heard = (200..300).contains(&status);
    let end = JobEnd { state, reason, error: None };
    ledger.apply(NOW, Record::Undelivered { payment, answer: Some(answer), heard, end }).unwrap();
    payment
}

fn say(ledger: &mut SqliteLedger, batch: BatchKey, take: u32, word: Reopening) -> Reopened {
    let job = ledger.undecided_take(batch, "a", Some(take)).unwrap().unwrap();
    ledger.reopen(LATER, job.job, word, "a note").unwrap()
}

fn give_up(ledger: &mut SqliteLedger, batch: BatchKey, take: u32, decision: Decision) {
    let job = ledger.undecided_take(batch, "a", Some(take)).unwrap().unwrap();
    let decided = ledger.decide(LATER, job.job, decision, "a note", "", None).unwrap();
    assert_eq!(decided, Decided::Recorded);
}

fn words(ledger: &SqliteLedger, batch: BatchKey) -> Vec<String> {
    ledger
        .takes(batch, "a")
        .unwrap()
        .iter()
        .flat_map(|take| &take.decisions)
        .map(|word| word.decision.clone())
        .collect()
}

#[test]
fn a_lost_job_is_asked_for_again_with_what_was_paid_and_only_once_a_word() {
    let (mut ledger, batch, payment) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    assert!(ledger.open_jobs(None).unwrap().is_empty());
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Paid, Reason::NotDelivered)]);
    let open = ledger.open_jobs(None).unwrap();
    let OpenStage::Paid(purchase) = &open[0].stage else { panic!("{open:?}") };
    assert_eq!((purchase.payment(), purchase.waited_from()), (payment, LATER), "patience begins anew");
    assert!(purchase.is_retried() && pending(&ledger, batch).is_empty());
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Unchanged);
    assert_eq!(words(&ledger, batch), ["retry"]);
    ledger.check_money(None).unwrap();
}

#[test]
fn a_success_is_sent_for_once_more_by_a_word_alone() {
    let (mut ledger, batch, payment) = ended(200, "{}", JobState::Paid, Reason::UnknownAnswer);
    assert!(ledger.open_jobs(None).unwrap().is_empty(), "it is a person's");
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Unchanged);
    let open = ledger.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
    let sent = ledger.apply(LATER, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()));
}

#[test]
fn a_word_sends_for_a_success_once_whatever_the_clock_shows() {
    let (mut ledger, batch, payment) = ended(200, "{}", JobState::Paid, Reason::UnknownAnswer);
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Recorded);
    // The word was said while the clock was ahead by a day.
    let sent = ledger.apply(NOW, Record::Replaying(payment)).unwrap();
    assert!(matches!(sent, Committed::Paid(purchase) if !purchase.is_retried()), "the word is used up");
    let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
    ledger.apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    assert!(ledger.open_jobs(None).unwrap().is_empty(), "it is a person's again");
    let job = ledger.undecided_take(batch, "a", Some(1)).unwrap().unwrap();
    assert_eq!(ledger.reopen(NOW, job.job, Reopening::Retry, "a note").unwrap(), Reopened::Recorded);
    let open = ledger.open_jobs(None).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Answered(purchase, ..) if purchase.is_retried()), "{open:?}");
}

#[test]
fn a_word_that_was_used_up_in_one_copy_of_a_ledger_is_used_up_in_both() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("ledger.db"), folder.path().join("other.db"));
    let mut ledger = SqliteLedger::open(&path, OpenMode::Write).unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a"]);
    let payment = end_so(&mut ledger, batch, (200, "{}"), JobState::Paid, Reason::UnknownAnswer);
    let word = |ledger: &mut SqliteLedger, at: UnixMs| {
        let job = ledger.undecided_take(batch, "a", Some(1)).unwrap().unwrap();
        assert_eq!(ledger.reopen(at, job.job, Reopening::Retry, "a note").unwrap(), Reopened::Recorded);
        ledger.apply(at, Record::Replaying(payment)).unwrap();
        let end = JobEnd { state: JobState::Paid, reason: Reason::UnknownAnswer, error: None };
        ledger.apply(at, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
    };
    word(&mut ledger, NOW);
    ledger.conn.execute("VACUUM INTO ?1", [other.display().to_string()]).unwrap();
    word(&mut SqliteLedger::open(&other, OpenMode::Write).unwrap(), LATER);
    let source = MergeSource::open(&other, &ledger).unwrap();
    ledger.merge(LATER, &source).unwrap();
    assert!(
        ledger.open_jobs(None).unwrap().is_empty(),
        "both words are used up: {:?}",
        ledger.open_jobs(None).unwrap()
    );
}

#[test]
fn nothing_is_bought_in_the_place_of_what_is_asked_for_again() {
    let (mut ledger, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    give_up(&mut ledger, batch, 1, Decision::Rebuy);
    assert_eq!(pending(&ledger, batch).len(), 1);
    ledger.explain_pending(batch, Some("make"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Recorded);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Paid, Reason::NotDelivered)]);
    assert!(pending(&ledger, batch).is_empty(), "the take that was to replace it is none any more");

    // One that is bought, and failed, stays; it is bought again only once the reopened one has ended.
    let (mut ledger, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    give_up(&mut ledger, batch, 1, Decision::Rebuy);
    let job = pending(&ledger, batch).remove(0);
    let failed = intend(&mut ledger, new_intent(&job, 2)).payment();
    let record = Record::Dead {
        payment: failed,
        proof: crate::ledger::DeadProof::FailedAndExpired,
        end: end(JobState::Failed, Reason::NoRoute),
    };
    ledger.apply(NOW, record).unwrap();
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Recorded);
    load_ids(&mut ledger, batch, &["a"]);
    let take = pending(&ledger, batch).remove(0);
    let refused = ledger.apply(LATER, Record::Intend(Box::new(new_intent(&take, 3)))).unwrap();
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: None })), "{refused:?}");
    give_up(&mut ledger, batch, 1, Decision::Lost);
    intend(&mut ledger, new_intent(&take, 3));
}

#[test]
fn an_answer_that_is_kept_is_taken_as_the_result() {
    for (state, reason) in [(JobState::Paid, Reason::UnknownAnswer), (JobState::Lost, Reason::Decided)] {
        let (mut ledger, batch, payment) = ended(200, r#"{"film":"https://cdn.example/a.mp4"}"#, state, reason);
        // What was answered later does not hide it.
        let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(401) };
        ledger.apply(NOW, record).unwrap();
        let taken = say(&mut ledger, batch, 1, Reopening::Delivered);
        assert_eq!(taken, Reopened::Taken("https://cdn.example/a.mp4".to_owned()));
        assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Delivered, Reason::None)]);
        assert_eq!(say(&mut ledger, batch, 1, Reopening::Delivered), Reopened::Refused(JobState::Delivered));
        assert_eq!(words(&ledger, batch), ["delivered"]);
        let job = ledger.undecided(batch, "a").unwrap().unwrap().job;
        assert_eq!(ledger.delivery(job).unwrap().unwrap().status, 200);
        ledger.check_money(None).unwrap();
    }
}

#[test]
fn what_brought_no_answer_or_was_never_paid_cannot_be_taken() {
    let (mut ledger, batch, _) = ended(404, "no", JobState::Lost, Reason::NotDelivered);
    assert!(matches!(say(&mut ledger, batch, 1, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut ledger, batch, _) = ended(404, "no", JobState::Paid, Reason::NotDelivered);
    assert_eq!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Unchanged);
    assert!(matches!(say(&mut ledger, batch, 1, Reopening::Delivered), Reopened::Unfit(_)));
    let (mut ledger, batch) = in_memory(&["a"]);
    for decision in [Reopening::Retry, Reopening::Delivered] {
        assert_eq!(say(&mut ledger, batch, 1, decision), Reopened::Refused(JobState::Pending));
    }
    let job = pending(&ledger, batch).remove(0);
    intend(&mut ledger, new_intent(&job, 1));
    give_up(&mut ledger, batch, 1, Decision::Lost);
    assert!(
        matches!(say(&mut ledger, batch, 1, Reopening::Retry), Reopened::Unfit(_)),
        "nobody knows that it was paid"
    );
    further_take(&ledger, job.key);
    assert_eq!(say(&mut ledger, batch, 2, Reopening::Retry), Reopened::Refused(JobState::Pending));
}
