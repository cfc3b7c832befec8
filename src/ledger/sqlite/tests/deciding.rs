//! What a person decides: recorded, bounded by the books, and no way to a second payment without the person's word.

use super::support::*;
use crate::ledger::sqlite::{AuditRow, Books, Decided, Decision};
use crate::ledger::{BatchKey, JobState, OpenStage, PaymentKey, Reason, Record, Standing};
use crate::payer::NodeId;

fn doubted() -> (Books, BatchKey, PaymentKey) {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    let payment = intend(&mut books, new_intent(&job, 1)).payment();
    let doubt = Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None };
    books.apply(NOW, doubt).unwrap();
    (books, batch, payment)
}

fn decide(books: &mut Books, batch: BatchKey, decision: Decision) -> Decided {
    let job = books.undecided(batch, "a").unwrap().unwrap();
    books.decide(NOW, job.job, decision, "a note", "nobody was asked").unwrap()
}

#[test]
fn unpaid_frees_the_hold_and_lets_the_job_be_bought_again() {
    let (mut books, batch, _) = doubted();
    assert_eq!(books.counts(batch).unwrap().held.get(), HOLD);
    assert_eq!(decide(&mut books, batch, Decision::Unpaid), Decided::Recorded);
    assert_eq!(books.counts(batch).unwrap().held.get(), 0);
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Failed, Reason::Decided)]);
    assert!(books.open_jobs(None).unwrap().is_empty());
    load_ids(&mut books, batch, &["a"]);
    assert_eq!(pending(&books, batch).len(), 1);
    books.check_money(None).unwrap();
}

#[test]
fn lost_keeps_the_hold_used_and_the_job_unbought() {
    let (mut books, batch, _) = doubted();
    assert_eq!(decide(&mut books, batch, Decision::Lost), Decided::Recorded);
    assert_eq!(books.counts(batch).unwrap().held.get(), HOLD);
    load_ids(&mut books, batch, &["a"]);
    assert!(pending(&books, batch).is_empty());
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Lost, Reason::Decided)]);
    let open = books.open_jobs(None).unwrap();
    assert!(matches!(open[0].stage, OpenStage::GivenUp(_)), "its node may know better one day");
    books.check_money(None).unwrap();
}

#[test]
fn rebuy_makes_one_more_take_once() {
    let (mut books, batch, _) = doubted();
    assert_eq!(decide(&mut books, batch, Decision::Rebuy), Decided::Recorded);
    assert_eq!(standing(&books, batch), [("a".to_owned(), 2, JobState::Pending, Reason::None)]);
    assert_eq!(decide(&mut books, batch, Decision::Rebuy), Decided::Refused(JobState::Pending));
    load_ids(&mut books, batch, &["a"]);
    assert_eq!(pending(&books, batch).len(), 1, "loading the plan again makes no further take");
}

#[test]
fn what_is_paid_is_not_taken_as_unpaid() {
    let (mut books, batch, payment) = doubted();
    books.apply(NOW, paid(payment, 1, None)).unwrap();
    assert_eq!(decide(&mut books, batch, Decision::Unpaid), Decided::Refused(JobState::Paid));
    assert!(matches!(books.open_jobs(None).unwrap()[0].stage, OpenStage::Paid(_)), "nothing has changed");
    assert_eq!(decide(&mut books, batch, Decision::Lost), Decided::Recorded);
}

#[test]
fn what_is_delivered_or_not_bought_is_nothing_to_decide_on() {
    let (mut books, batch) = in_memory(&["a"]);
    for decision in [Decision::Unpaid, Decision::Lost, Decision::Rebuy] {
        assert_eq!(decide(&mut books, batch, decision), Decided::Refused(JobState::Pending));
    }
    let job = pending(&books, batch).remove(0);
    deliver(&mut books, &job, 1);
    for decision in [Decision::Unpaid, Decision::Lost, Decision::Rebuy] {
        assert_eq!(decide(&mut books, batch, decision), Decided::Refused(JobState::Delivered));
    }
    assert_eq!(books.undecided(batch, "b").unwrap(), None);
}

#[test]
fn an_audit_reads_every_payment_of_its_node() {
    let (mut books, batch) = in_memory(&["a", "b"]);
    let jobs = pending(&books, batch);
    deliver(&mut books, &jobs[0], 1);
    intend(&mut books, new_intent(&jobs[1], 2));
    let node = NodeId("03payer".to_owned());
    let rows = books.payments_at(&node).unwrap();
    let told = |row: &AuditRow| (row.job.clone(), row.standing, row.fee);
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [("a".to_owned(), Standing::Posted, Some(FEE)), ("b".to_owned(), Standing::Open, None)]
    );
    assert!(books.payments_at(&NodeId("03other".to_owned())).unwrap().is_empty());
}

#[test]
fn what_is_pending_learns_why_and_forgets_it_with_the_next_plan() {
    let (mut books, batch) = in_memory(&["a"]);
    books.explain_pending(batch, Some("other"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Pending, Reason::None)]);
    books.explain_pending(batch, Some("make"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Pending, Reason::BreakerOpen)]);
    load_ids(&mut books, batch, &["a"]);
    assert_eq!(standing(&books, batch), [("a".to_owned(), 1, JobState::Pending, Reason::None)]);
}
