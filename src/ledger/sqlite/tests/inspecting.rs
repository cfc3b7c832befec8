//! What a person is shown: open payments, and one job with all that ever happened to it.

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{AnswerKind, DeadProof, Decided, Decision, PaymentKey, Record, Standing};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Reason};

fn refusal(payment: PaymentKey, n: usize) -> Record {
    let body = format!("no {n}: L402 token2:{} {}", preimage(2).reveal_hex(), "x".repeat(200_000));
    Record::Answer {
        payment,
        kind: AnswerKind::Redeem,
        answer: HttpAnswer { status: 503, headers: Vec::new(), body: body.into_bytes() },
    }
}

#[test]
fn an_open_payment_says_what_was_asked_of_the_node_and_when() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let jobs = pending(&ledger, batch);
    deliver(&mut ledger, &jobs[1], 9);
    let payment = intend(&mut ledger, new_intent(&jobs[0], 1)).payment();
    ledger.apply(NOW.plus_ms(1), Record::SendAnswered { payment, accepted: false }).unwrap();
    ledger.apply(NOW.plus_ms(2), Record::SendBegun(payment)).unwrap();
    let doubt = Record::Doubt {
        payment,
        reason: Reason::WaitingForExpiry,
        error: Some("not paid so far".to_owned()),
        wait_until: Some(NOW.plus_ms(9)),
    };
    ledger.apply(NOW.plus_ms(3), doubt).unwrap();
    let open = ledger.open_payments(batch).unwrap();
    assert_eq!(open.keys().collect::<Vec<_>>(), ["a"]);
    let row = &open["a"];
    assert_eq!((row.standing, row.held.get(), row.fee), (Standing::Open, HOLD, None));
    assert_eq!((row.sends_begun, row.sends_answered), (2, 1));
    assert_eq!((row.sent_at, row.send_answered_at), (NOW.plus_ms(2), Some(NOW.plus_ms(1))));
    assert_eq!((row.node_said.as_deref(), row.node_said_at), (Some("not paid so far"), Some(NOW.plus_ms(3))));
}

/// One row of headers that cannot be read, or a receipt with what would redeem in it, keeps nobody from the rest.
#[test]
fn what_an_answer_s_headers_say_is_harmless() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 2)).payment();
    ledger.apply(NOW, paid(payment, 2, Some(posted()))).unwrap();
    ledger.apply(NOW.plus_ms(1), refusal(payment, 0)).unwrap();
    let proof = preimage(2).reveal_hex();
    let told = format!(r#"{{"status":"success {proof}","method":"m","timestamp":"t","reference":"{proof}"}}"#);
    let header = data_encoding::BASE64.encode(told.as_bytes());
    let with = |ledger: &SqliteLedger, headers: &str| {
        ledger.conn.execute("UPDATE answers SET headers = ?1", [headers]).unwrap();
        ledger.takes(batch, "a").unwrap().remove(0).payments.remove(0).answers.remove(0)
    };
    let answer = with(&ledger, &format!(r#"[["payment-receipt","{header}"]]"#));
    assert_eq!(answer.receipt.unwrap().status, "success [credential]");
    let damaged = with(&ledger, "[[");
    assert!(damaged.receipt.is_none() && damaged.body.starts_with("no 0:"), "{damaged:?}");
}

#[test]
fn a_lost_job_keeps_all_that_a_complaint_needs_and_no_credential_in_it() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let dead = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, Record::SendAnswered { payment: dead, accepted: false }).unwrap();
    let again = end(JobState::Pending, Reason::PaymentFailed);
    ledger.apply(NOW, Record::Dead { payment: dead, proof: DeadProof::NotFoundAndAnswered, end: again }).unwrap();
    let payment = intend(&mut ledger, new_intent(&job, 2)).payment();
    ledger.apply(NOW, paid(payment, 2, Some(posted()))).unwrap();
    for n in 0..80 {
        ledger.apply(NOW.plus_ms(1), refusal(payment, n)).unwrap();
    }
    let lost = end(JobState::Lost, Reason::NotDelivered);
    ledger.apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end: lost }).unwrap();

    let takes = ledger.takes(batch, "a").unwrap();
    let [take] = takes.as_slice() else { panic!("{takes:?}") };
    let [first, second] = take.payments.as_slice() else { panic!("{take:?}") };
    assert_eq!(first.row.dead_proof.as_deref(), Some("not_found_and_answered"));
    assert_eq!(first.row.node_said.as_deref(), Some("because payment_failed"));
    assert_eq!((first.preimage.as_ref(), second.preimage.as_ref()), (None, Some(&preimage(2).reveal_hex())));
    assert_eq!(
        (second.row.standing, second.row.redeems, second.row.answered_status),
        (Standing::Posted, 80, Some(503))
    );
    assert_eq!((second.body_bytes, second.invoice.as_str()), (Some(14), "lnbc2"));
    // The first ones and the latest are kept, none of them whole, and none with what would redeem.
    assert_eq!(second.answers.len(), 64);
    assert!(
        second.answers[0].body.starts_with("no 0: L402 [credential]:[credential] xx"),
        "{}",
        second.answers[0].body
    );
    assert!(second.answers[15].body.starts_with("no 15:") && second.answers[16].body.starts_with("no 32:"));
    assert!(second.answers[63].body.starts_with("no 79:"));
    assert!(second.answers.iter().all(|answer| answer.body_bytes == 64 * 1024 && answer.body.len() < 5_000));
    let states: Vec<JobState> = take.transitions.iter().map(|change| change.to).collect();
    use JobState::{Lost, Paid, Pending, Running};
    assert_eq!(states, [Running, Pending, Running, Paid, Lost]);
    assert!(ledger.takes(batch, "b").unwrap().is_empty());
}

#[test]
fn a_person_may_leave_a_lost_job_at_that() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let lost = end(JobState::Lost, Reason::NotDelivered);
    ledger.apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end: lost }).unwrap();
    let job = ledger.undecided(batch, "a").unwrap().unwrap();
    let decided =
        ledger.decide(NOW, job.job, Decision::Lost, "refunded by mail", "no payment of it is open", None).unwrap();
    assert_eq!(decided, Decided::Recorded);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Lost, Reason::Decided)]);
    let take = ledger.takes(batch, "a").unwrap().remove(0);
    assert_eq!(take.decisions[0].note, "refunded by mail");
    ledger.check_money(None).unwrap();
}

#[test]
fn what_earlier_takes_cost_was_planned_too() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &job, 1);
    let retake = word("a", 1);
    load(&mut ledger, batch, &retake, vec![planned(&endpoint(), "a", "a")]);
    let second = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &second, 2);
    let counts = ledger.counts(batch).unwrap();
    let both = PRICE.get() * 2;
    assert_eq!((counts.all_jobs(), counts.planned, counts.spent), (1, Msat::new(both), Msat::new(both)));
    assert_eq!(ledger.takes(batch, "a").unwrap().len(), 2);
}

/// Of a film that a poll brought the head alone is kept, and a 202 may have nothing but a `Location`.
#[test]
fn an_answer_without_a_body_is_shown_too() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let answer = HttpAnswer { status: 202, headers: Vec::new(), body: Vec::new() };
    ledger.apply(NOW, Record::Answer { payment, kind: AnswerKind::Redeem, answer }).unwrap();
    let takes = ledger.takes(batch, "a").unwrap();
    let answers = &takes[0].payments[0].answers;
    assert_eq!((answers[0].status, answers[0].body.as_str(), answers[0].body_bytes), (202, "", 0));
}
