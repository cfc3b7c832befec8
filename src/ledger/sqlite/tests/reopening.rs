//! A person's word on what is paid for and given up.

use super::support::*;
use crate::ledger::port::Merging;
use crate::ledger::sqlite::{MergeSource, SqliteLedger};
use crate::ledger::{
    AnswerKind, BatchKey, Committed, JobEnd, OpenMode, OpenStage, PaymentKey, Record, Reopened, Reopening,
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
