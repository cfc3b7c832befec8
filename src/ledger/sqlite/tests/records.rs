//! What records leave in the tables: what every store does with them stands in the contract suite.

use url::Url;

use super::support::*;
use crate::catalog::DedupPolicy;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Committed, LedgerError, PaymentKey, Posted, Record};
use crate::money::Msat;
use crate::purchase::{JobState, Poll};

#[test]
fn a_job_with_its_own_limit_takes_no_intent_above_it() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let batch = begin(&mut ledger, "june");
    let mut job = planned(&endpoint(), "a", "a");
    job.max_cost = Some(Msat::new(HOLD - 1));
    load(&mut ledger, batch, &Default::default(), vec![job]);
    let job = pending(&ledger, batch).remove(0);
    assert!(is_contradiction(&ledger.apply(NOW, Record::Intend(Box::new(new_intent(&job, 1))))));
    intend(&mut ledger, crate::ledger::NewIntent { fee_limit: Msat::new(9_999), ..new_intent(&job, 1) });
}

#[test]
fn one_contradiction_in_a_group_leaves_the_others_standing() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let jobs = pending(&ledger, batch);
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
    let outcomes = ledger.apply_all(records).unwrap();
    assert_eq!(outcomes.len(), 5);
    assert!(is_contradiction(&outcomes[1]), "{:?}", outcomes[1]);
    assert!([0, 3, 4].into_iter().all(|place| outcomes[place].is_ok()), "{outcomes:?}");
    drop(outcomes);
    ledger.check_money(None).unwrap();
    assert_eq!(ledger.counts(batch).unwrap().held, Msat::new(3 * HOLD));
    assert!(standing(&ledger, batch).iter().all(|row| row.2 == JobState::Running), "half a record was written");
}

#[test]
fn transitions_are_only_appended() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &job, 1);
    let steps: Vec<String> = ledger
        .conn
        .prepare("SELECT from_state || '>' || to_state FROM transitions ORDER BY id")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(steps, ["pending>running", "running>paid", "paid>delivered"]);
    assert!(ledger.conn.execute("DELETE FROM transitions", []).is_err());
    assert!(ledger.conn.execute("UPDATE transitions SET at = 0", []).is_err());
}

#[test]
fn counted_money_that_is_not_the_sum_of_payments_is_found() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    ledger.conn.execute("UPDATE batches SET spent_msat = spent_msat - 1", []).unwrap();
    assert!(matches!(ledger.check_money(Some(batch)), Err(LedgerError::Foreign(_))));
    let again = crate::ledger::NewBatch {
        name: "june".to_owned(),
        manifest: "/jobs/june.toml".to_owned(),
        sandbox: false,
        adopt: false,
    };
    assert!(matches!(ledger.begin_batch(NOW, &again), Err(LedgerError::Foreign(_))));
}

#[test]
fn an_identical_request_has_no_intent_before_its_window_is_over() {
    use crate::ledger::{IntentRefusal, NewIntent};
    let (mut ledger, june) = in_memory(&["a"]);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &["a"]);
    let meant = |ledger: &SqliteLedger| ledger.conn.execute("UPDATE jobs SET meant = 1", []).unwrap();
    meant(&ledger);
    let (first, second) = (pending(&ledger, june).remove(0), pending(&ledger, july).remove(0));
    let wants = |job, n| Record::Intend(Box::new(NewIntent { dedup: DedupPolicy::Window(30), ..new_intent(job, n) }));
    let is_refused = |outcome| matches!(outcome, Committed::IntentRefused(IntentRefusal::IdenticalKnown));
    deliver(&mut ledger, &first, 1);
    assert!(is_refused(ledger.apply(NOW.plus_ms(29_999), wants(&second, 2)).unwrap()));
    assert_eq!(ledger.counts(july).unwrap().held, Msat::ZERO);
    assert!(!is_refused(ledger.apply(NOW.plus_ms(30_000), wants(&second, 2)).unwrap()));
    // With a header that bypasses the cache no window counts, but that one has no answer of its own.
    let september = begin(&mut ledger, "september");
    load_ids(&mut ledger, september, &["a"]);
    meant(&ledger);
    let fourth = pending(&ledger, september).remove(0);
    let bypassing = |n| Record::Intend(Box::new(NewIntent { dedup: DedupPolicy::Answer, ..new_intent(&fourth, n) }));
    assert!(is_refused(ledger.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()));
    let payment = PaymentKey(2);
    ledger.apply(NOW, paid(payment, 2, None)).unwrap();
    assert!(is_refused(ledger.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()), "paid, and not answered");
    let accepted = answer(&mut ledger, payment, 202);
    let poll = Poll { url: Url::parse("https://seller.example/poll").unwrap(), interval_ms: 5_000 };
    ledger.apply(NOW, Record::Accepted { payment, answer: accepted, poll }).unwrap();
    assert!(!is_refused(ledger.apply(NOW.plus_ms(30_001), bypassing(4)).unwrap()));
    // Now that one is open.
    let august = begin(&mut ledger, "august");
    load_ids(&mut ledger, august, &["a"]);
    meant(&ledger);
    let third = pending(&ledger, august).remove(0);
    assert!(is_refused(ledger.apply(NOW.plus_ms(900_000), wants(&third, 3)).unwrap()));
    assert!(!is_refused(ledger.apply(NOW, Record::Intend(Box::new(new_intent(&third, 3)))).unwrap()), "no window");
}

#[test]
fn an_intent_shows_no_credential() {
    let (ledger, batch) = in_memory(&["a"]);
    let intent = new_intent(&pending(&ledger, batch)[0], 1);
    let shown = format!("{:?}", Record::Intend(Box::new(intent)));
    assert!(!shown.contains("token1") && !shown.contains("lnbc1"), "{shown}");
}

#[test]
fn an_earlier_take_is_never_bought() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    ledger.conn.execute("UPDATE jobs SET superseded = 1", []).unwrap();
    let intended = ledger.apply(NOW, Record::Intend(Box::new(new_intent(&job, 1))));
    assert!(is_contradiction(&intended));
}

#[test]
fn the_schema_itself_allows_one_live_payment_a_job() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    intend(&mut ledger, new_intent(&job, 1));
    let one_more =
        "INSERT INTO payments (job, batch, payment_hash, state, amount_msat, fee_limit_msat, node, sends_begun,
        sent_at, intended_at) SELECT job, batch, zeroblob(32), state, 1, 1, node, 1, 1, 1 FROM payments";
    assert!(ledger.conn.execute(one_more, []).is_err(), "the schema itself allows one live payment a job");
}

/// The rules let nothing pass that the tables refuse; where one of them ever does, only its own record is lost.
#[test]
fn what_the_tables_refuse_is_one_record_s_and_the_others_of_its_group_stand() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let jobs = pending(&ledger, batch);
    let refuse =
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.payments WHEN NEW.job = (SELECT id FROM jobs WHERE job = 'b')
                  BEGIN SELECT RAISE (ABORT, 'not this one'); END";
    ledger.conn.execute_batch(refuse).unwrap();
    let records = (1..).zip(&jobs).map(|(n, job)| (NOW, Record::Intend(Box::new(new_intent(job, n))))).collect();
    let outcomes = ledger.apply_all(records).unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(is_contradiction(&outcomes[1]), "{:?}", outcomes[1]);
    let states: Vec<JobState> = standing(&ledger, batch).into_iter().map(|(.., state, _)| state).collect();
    assert_eq!(states, [JobState::Running, JobState::Pending, JobState::Running]);
    ledger.check_money(None).unwrap();
    ledger.conn.execute_batch("DROP TRIGGER refuse").unwrap();
    intend(&mut ledger, new_intent(&jobs[1], 2));
}

/// A row that cannot be read is one job's trouble: the others of its group are recorded.
#[test]
fn a_damaged_row_is_told_of_its_own_record_alone() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let jobs = pending(&ledger, batch);
    let payments: Vec<PaymentKey> =
        (1..).zip(&jobs).map(|(n, job)| intend(&mut ledger, new_intent(job, n)).payment()).collect();
    ledger.conn.execute_batch("PRAGMA ignore_check_constraints = 1").unwrap();
    ledger.conn.execute("UPDATE payments SET state = 'odd' WHERE id = ?1", [payments[1]]).unwrap();
    let records = (1..).zip(&payments).map(|(n, payment)| (NOW, paid(*payment, n, Some(posted())))).collect();
    let outcomes = ledger.apply_all(records).unwrap();
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(outcomes[1], Err(LedgerError::OfJob { .. })), "{:?}", outcomes[1]);
}
