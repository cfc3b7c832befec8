//! Every record against every state of a payment.

use url::Url;

use super::support::*;
use crate::catalog::Apart;
use crate::ledger::sqlite::Books;
use crate::ledger::{
    AnswerKind, BatchKey, Committed, DeadProof, IntentRefusal, JobState, LedgerError, OpenStage, PaymentKey, Poll,
    Posted, Reason, Record,
};
use crate::money::Msat;

/// How far the purchase of the table's job has come.
#[derive(Clone, Copy, Debug)]
enum Came {
    Intended,
    Doubted,
    Paid,
    Posted,
    Accepted,
    Delivered,
    Lost,
    Dead,
}

const ALL: [Came; 8] =
    [Came::Intended, Came::Doubted, Came::Paid, Came::Posted, Came::Accepted, Came::Delivered, Came::Lost, Came::Dead];

fn poll() -> Poll {
    Poll { url: Url::parse("https://seller.example/poll/1").unwrap(), interval_ms: 2_000 }
}

fn come(came: Came) -> (Books, BatchKey, PaymentKey) {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    let payment = intend(&mut books, new_intent(&job, 1)).payment();
    let doubt = |reason| Record::Doubt { payment, reason, error: None, wait_until: None };
    let mut go = |record| books.apply(NOW, record).unwrap();
    match came {
        Came::Intended => {}
        Came::Doubted => drop(go(doubt(Reason::PaymentUnknown))),
        Came::Paid | Came::Accepted | Came::Lost => drop(go(paid(payment, 1, None))),
        Came::Posted | Came::Delivered => drop(go(paid(payment, 1, Some(posted())))),
        Came::Dead => drop(go(Record::Dead {
            payment,
            proof: DeadProof::FailedAndAnswered,
            end: end(JobState::Pending, Reason::NoRoute),
        })),
    }
    match came {
        Came::Accepted => {
            let answer = answer(&mut books, payment, 202);
            books.apply(NOW, Record::Accepted { payment, answer, poll: poll() }).unwrap();
        }
        Came::Delivered => {
            let answer = answer(&mut books, payment, 200);
            books
                .apply(NOW, Record::Delivered { payment, answer, url: "https://s.example/v".to_owned(), own: false })
                .unwrap();
        }
        Came::Lost => {
            let end = end(JobState::Lost, Reason::OriginFailed);
            books.apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end }).unwrap();
        }
        Came::Intended | Came::Doubted | Came::Paid | Came::Posted | Came::Dead => {}
    }
    (books, batch, payment)
}

/// Each record, and in which of the states it is allowed, in the order of [`ALL`].
fn table(payment: PaymentKey) -> Vec<(&'static str, Record, [bool; 8])> {
    let (y, n) = (true, false);
    let doubt = Record::Doubt { payment, reason: Reason::PaymentInFlight, error: None, wait_until: None };
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Failed, Reason::NoRoute) };
    let answer = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(200) };
    let undelivered =
        Record::Undelivered { payment, answer: None, heard: false, end: end(JobState::Lost, Reason::OriginFailed) };
    //                                                          int doubt paid post acc deliv lost dead
    vec![
        ("send begun", Record::SendBegun(payment), [y, y, n, n, n, n, n, n]),
        // Where the payment is paid, its one send has been answered already.
        ("send answered", Record::SendAnswered { payment, accepted: false }, [y, y, n, n, n, n, n, n]),
        ("paid", paid(payment, 1, None), [y, y, y, y, y, y, y, n]),
        ("paid and posted", paid(payment, 1, Some(posted())), [y, y, y, y, y, y, y, n]),
        ("posted", Record::Posted(payment, posted()), [n, n, y, y, y, y, y, n]),
        ("failed", dead(DeadProof::FailedAndAnswered), [y, y, n, n, n, n, n, n]),
        ("not found", dead(DeadProof::NotFoundAndAnswered), [n, n, n, n, n, n, n, n]),
        ("expired", dead(DeadProof::NotFoundAndExpired), [y, y, n, n, n, n, n, n]),
        ("doubt", doubt, [y, y, n, n, n, n, n, n]),
        ("answer", answer, [n, n, y, y, y, n, y, n]),
        ("undelivered", undelivered, [n, n, y, y, y, n, y, n]),
    ]
}

#[test]
fn a_record_that_does_not_fit_the_state_is_refused_and_leaves_no_trace() {
    for (column, came) in ALL.into_iter().enumerate() {
        for row in 0..table(PaymentKey(0)).len() {
            let (mut books, batch, payment) = come(came);
            let (name, record, allowed) = table(payment).remove(row);
            let before = (standing(&books, batch), books.counts(batch).unwrap());
            let outcome = books.apply(NOW, record);
            if allowed[column] {
                assert!(outcome.is_ok(), "{name} where it is {came:?}: {outcome:?}");
            } else {
                assert!(is_contradiction(&outcome), "{name} where it is {came:?}: {outcome:?}");
                assert_eq!((standing(&books, batch), books.counts(batch).unwrap()), before, "{name}, {came:?}");
            }
            books.check_money(None).unwrap();
        }
    }
}

#[test]
fn an_answer_is_interpreted_only_for_its_own_payment() {
    let (mut books, batch) = in_memory(&["a", "b"]);
    let jobs = pending(&books, batch);
    let mut answers = Vec::new();
    for (n, job) in (1..).zip(&jobs) {
        let payment = intend(&mut books, new_intent(job, n)).payment();
        books.apply(NOW, paid(payment, n, None)).unwrap();
        answers.push((payment, answer(&mut books, payment, 200)));
    }
    let crossed = Record::Delivered {
        payment: answers[0].0,
        answer: answers[1].1,
        url: "https://x.example".to_owned(),
        own: false,
    };
    assert!(is_contradiction(&books.apply(NOW, crossed)));
}

#[test]
fn only_an_end_without_spending_ends_a_job_without_a_payment() {
    let allowed = [JobState::Pending, JobState::Refused, JobState::Failed];
    for &state in JobState::ALL {
        let (mut books, batch) = in_memory(&["a"]);
        let job = pending(&books, batch).remove(0);
        let outcome = books.apply(NOW, Record::Ended(job.key, end(state, Reason::OriginError)));
        assert_eq!(outcome.is_ok(), allowed.contains(&state), "{state:?}: {outcome:?}");
    }
    for came in ALL {
        let (mut books, batch, _) = come(came);
        let open = books.conn.query_row("SELECT id FROM jobs", [], |row| row.get(0)).unwrap();
        let outcome = books.apply(NOW, Record::Ended(open, end(JobState::Failed, Reason::OriginError)));
        assert_eq!(outcome.is_ok(), matches!(came, Came::Dead), "{came:?}, {batch:?}");
    }
}

#[test]
fn an_intent_needs_a_pending_job_its_exact_price_and_no_more_than_its_ceilings() {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    let good = new_intent(&job, 1);
    for intent in [
        crate::ledger::NewIntent { amount: Msat::new(500_001), ..good.clone() },
        crate::ledger::NewIntent { amount: Msat::new(499_999), ..good.clone() },
        crate::ledger::NewIntent { fee_limit: Msat::new(10_001), ..good.clone() },
        crate::ledger::NewIntent { job: crate::ledger::JobKey(99), ..good.clone() },
    ] {
        assert!(is_contradiction(&books.apply(NOW, Record::Intend(Box::new(intent)))));
    }
    intend(&mut books, good);
    let second = Record::Intend(Box::new(new_intent(&job, 2)));
    assert!(is_contradiction(&books.apply(NOW, second)), "a job has one live payment");

    let one_more =
        "INSERT INTO payments (job, batch, payment_hash, state, amount_msat, fee_limit_msat, node, sends_begun,
        sent_at, intended_at) SELECT job, batch, zeroblob(32), state, 1, 1, node, 1, 1, 1 FROM payments";
    assert!(books.conn.execute(one_more, []).is_err(), "the schema itself allows one live payment a job");
}

#[test]
fn a_job_with_its_own_limit_takes_no_intent_above_it() {
    let mut books = Books::in_memory().unwrap();
    let batch = begin(&mut books, "june");
    let mut job = planned(&endpoint(), "a", "a");
    job.max_cost = Some(Msat::new(HOLD - 1));
    load(&mut books, batch, &Default::default(), vec![job]);
    let job = pending(&books, batch).remove(0);
    assert!(is_contradiction(&books.apply(NOW, Record::Intend(Box::new(new_intent(&job, 1))))));
    intend(&mut books, crate::ledger::NewIntent { fee_limit: Msat::new(9_999), ..new_intent(&job, 1) });
}

#[test]
fn a_hash_belongs_to_one_purchase_for_ever() {
    let (mut books, june) = in_memory(&["a"]);
    let july = begin(&mut books, "july");
    load_ids(&mut books, july, &["a"]);
    let first = pending(&books, june).remove(0);
    let other = pending(&books, july).remove(0);
    let payment = intend(&mut books, new_intent(&first, 1)).payment();
    let known = |books: &mut Books, intent| {
        let outcome = books.apply(NOW, Record::Intend(Box::new(intent))).unwrap();
        assert!(matches!(outcome, Committed::IntentRefused(IntentRefusal::HashKnown)), "{outcome:?}");
    };
    known(&mut books, new_intent(&other, 1));
    let end = end(JobState::Pending, Reason::NoRoute);
    books.apply(NOW, Record::Dead { payment, proof: DeadProof::FailedAndExpired, end }).unwrap();
    known(&mut books, new_intent(&first, 1));
    assert_eq!(books.counts(june).unwrap().held, Msat::ZERO);
    intend(&mut books, new_intent(&first, 2));
}

#[test]
fn a_node_that_forgot_once_never_proves_an_absence_again() {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    let payment = intend(&mut books, new_intent(&job, 1)).payment();
    books.apply(NOW, Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None }).unwrap();
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::PaymentFailed) };
    assert!(is_contradiction(&books.apply(NOW, dead(DeadProof::NotFoundAndExpired))));
    let open = books.open_jobs(Some(batch)).unwrap();
    assert!(matches!(&open[0].stage, OpenStage::Intended(intent) if intent.accepted()), "the next run knows it too");
}

#[test]
fn sends_are_counted_and_decide_which_proof_of_death_holds() {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    let payment = intend(&mut books, new_intent(&job, 1)).payment();
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::NoRoute) };
    let Committed::Intent(intent) = books.apply(NOW, Record::SendBegun(payment)).unwrap() else { panic!() };
    assert_eq!((intent.sends_begun(), intent.sends_answered()), (2, 0));
    assert!(is_contradiction(&books.apply(NOW, dead(DeadProof::FailedAndAnswered))), "two sends, none answered");
    books.apply(NOW, Record::SendAnswered { payment, accepted: false }).unwrap();
    assert!(is_contradiction(&books.apply(NOW, dead(DeadProof::FailedAndAnswered))), "two sends, one answered");
    books.apply(NOW, Record::SendAnswered { payment, accepted: false }).unwrap();
    assert!(
        is_contradiction(&books.apply(NOW, Record::SendAnswered { payment, accepted: false })),
        "more answers than sends"
    );
    books.apply(NOW, dead(DeadProof::NotFoundAndAnswered)).unwrap();
}

#[test]
fn what_is_posted_stays_as_it_was_posted() {
    let (mut books, _, payment) = come(Came::Posted);
    let other_fee = Posted { fee: Msat::new(1), payment_index: Some(9) };
    assert!(is_contradiction(&books.apply(NOW, Record::Posted(payment, other_fee))));
    // lnd numbers its payments anew when it moves to SQL: an index is a hint.
    let other_index = Posted { fee: FEE, payment_index: Some(3) };
    books.apply(NOW, Record::Posted(payment, other_index)).unwrap();
    let other_preimage = Record::Paid { payment, preimage: preimage(2), answered: false, posted: None };
    assert!(is_contradiction(&books.apply(NOW, other_preimage)));
}

#[test]
fn one_contradiction_in_a_group_leaves_the_others_standing() {
    let (mut books, batch) = in_memory(&["a", "b", "c"]);
    let jobs = pending(&books, batch);
    let mut records: Vec<_> =
        (1..).zip(&jobs).map(|(n, job)| (NOW, Record::Intend(Box::new(new_intent(job, n))))).collect();
    records.insert(1, (NOW, Record::SendBegun(PaymentKey(77))));
    // This one writes its preimage before its fee is found to fit no ledger.
    let first = PaymentKey(1);
    let half_good = Record::Paid {
        payment: first,
        preimage: preimage(1),
        answered: true,
        posted: Some(Posted { fee: Msat::new(u64::MAX), payment_index: None }),
    };
    records.insert(2, (NOW, half_good));
    let outcomes = books.apply_all(records).unwrap();
    assert_eq!(outcomes.len(), 5);
    assert!(is_contradiction(&outcomes[1]), "{:?}", outcomes[1]);
    assert!([0, 3, 4].into_iter().all(|place| outcomes[place].is_ok()), "{outcomes:?}");
    drop(outcomes);
    books.check_money(None).unwrap();
    assert_eq!(books.counts(batch).unwrap().held, Msat::new(3 * HOLD));
    assert!(standing(&books, batch).iter().all(|row| row.2 == JobState::Running), "half a record was written");
}

#[test]
fn transitions_are_only_appended() {
    let (books, _, _) = come(Came::Delivered);
    let steps: Vec<String> = books
        .conn
        .prepare("SELECT from_state || '>' || to_state FROM transitions ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(steps, ["pending>running", "running>paid", "paid>delivered"]);
    assert!(books.conn.execute("DELETE FROM transitions", []).is_err());
    assert!(books.conn.execute("UPDATE transitions SET at = 0", []).is_err());
}

#[test]
fn counted_money_that_is_not_the_sum_of_payments_is_found() {
    let (mut books, batch, _) = come(Came::Posted);
    books.conn.execute("UPDATE batches SET spent_msat = spent_msat - 1", []).unwrap();
    assert!(matches!(books.check_money(Some(batch)), Err(LedgerError::Foreign(_))));
    let again = crate::ledger::sqlite::NewBatch {
        name: "june".to_owned(),
        manifest: "/jobs/june.toml".to_owned(),
        sandbox: false,
        adopt: false,
    };
    assert!(matches!(books.begin_batch(NOW, &again), Err(LedgerError::Foreign(_))));
}

#[test]
fn an_identical_request_has_no_intent_before_its_window_is_over() {
    use crate::ledger::{IntentRefusal, NewIntent};
    let (mut books, june) = in_memory(&["a"]);
    let july = begin(&mut books, "july");
    load_ids(&mut books, july, &["a"]);
    let meant = |books: &Books| books.conn.execute("UPDATE jobs SET meant = 1", []).unwrap();
    meant(&books);
    let (first, second) = (pending(&books, june).remove(0), pending(&books, july).remove(0));
    let wants = |job, n| Record::Intend(Box::new(NewIntent { apart: Apart::Window(30), ..new_intent(job, n) }));
    let is_refused = |outcome| matches!(outcome, Committed::IntentRefused(IntentRefusal::TwinKnown));
    deliver(&mut books, &first, 1);
    assert!(is_refused(books.apply(NOW.plus_ms(29_999), wants(&second, 2)).unwrap()));
    assert_eq!(books.counts(july).unwrap().held, Msat::ZERO);
    assert!(!is_refused(books.apply(NOW.plus_ms(30_000), wants(&second, 2)).unwrap()));
    // With a header that bypasses the cache no window counts, but that one has no answer of its own.
    let september = begin(&mut books, "september");
    load_ids(&mut books, september, &["a"]);
    meant(&books);
    let fourth = pending(&books, september).remove(0);
    let bypassing = |n| Record::Intend(Box::new(NewIntent { apart: Apart::Answer, ..new_intent(&fourth, n) }));
    assert!(is_refused(books.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()));
    let payment = PaymentKey(2);
    books.apply(NOW, paid(payment, 2, None)).unwrap();
    assert!(is_refused(books.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()), "paid, and not answered");
    let accepted = answer(&mut books, payment, 202);
    let poll = Poll { url: Url::parse("https://seller.example/poll").unwrap(), interval_ms: 5_000 };
    books.apply(NOW, Record::Accepted { payment, answer: accepted, poll }).unwrap();
    assert!(!is_refused(books.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()));
    // Now that one is open.
    let august = begin(&mut books, "august");
    load_ids(&mut books, august, &["a"]);
    meant(&books);
    let third = pending(&books, august).remove(0);
    assert!(is_refused(books.apply(NOW.plus_ms(900_000), wants(&third, 3)).unwrap()));
    assert!(!is_refused(books.apply(NOW, Record::Intend(Box::new(new_intent(&third, 3)))).unwrap()), "no window");
}

#[test]
fn an_intent_shows_no_credential() {
    let (books, batch) = in_memory(&["a"]);
    let intent = new_intent(&pending(&books, batch)[0], 1);
    let shown = format!("{:?}", Record::Intend(Box::new(intent)));
    assert!(!shown.contains("token1") && !shown.contains("lnbc1"), "{shown}");
}

#[test]
fn what_a_node_took_up_and_does_not_know_is_not_dead_although_every_send_is_answered() {
    let (mut books, _, payment) = come(Came::Intended);
    let dead = |proof| Record::Dead { payment, proof, end: end(JobState::Pending, Reason::NoRoute) };
    books.apply(NOW, Record::SendAnswered { payment, accepted: true }).unwrap();
    for proof in [DeadProof::NotFoundAndAnswered, DeadProof::NotFoundAndExpired] {
        assert!(is_contradiction(&books.apply(NOW, dead(proof))), "{proof:?}");
    }
    books.apply(NOW, dead(DeadProof::FailedAndAnswered)).unwrap();
}

#[test]
fn a_death_is_no_end_that_claims_a_purchase() {
    let (mut books, batch, payment) = come(Came::Intended);
    for state in [JobState::Paid, JobState::Delivered, JobState::Lost, JobState::Running, JobState::InDoubt] {
        let end = end(state, Reason::None);
        let dead = Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end };
        assert!(is_contradiction(&books.apply(NOW, dead)), "{state:?}");
    }
    assert_eq!(books.counts(batch).unwrap().held.get(), HOLD, "the hold stays");
}

#[test]
fn an_earlier_take_is_never_bought() {
    let (mut books, batch) = in_memory(&["a"]);
    let job = pending(&books, batch).remove(0);
    books.conn.execute("UPDATE jobs SET superseded = 1", []).unwrap();
    let intended = books.apply(NOW, Record::Intend(Box::new(new_intent(&job, 1))));
    assert!(is_contradiction(&intended));
}
