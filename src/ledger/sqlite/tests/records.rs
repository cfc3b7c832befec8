//! What records leave in the tables: what every store does with them stands in the contract suite.

use super::support::*;
use crate::ledger::{AnswerKind, Committed, LedgerError, OpenJob, OpenStage, PaymentKey, Record};
use crate::purchase::JobState;

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

/// What the tables refuse of a delivery, they do not refuse of its answer.
#[test]
fn an_answer_is_kept_where_its_result_cannot_be_written() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let jobs = pending(&ledger, batch);
    let payments = [0, 1].map(|n: u8| {
        let payment = intend(&mut ledger, new_intent(&jobs[usize::from(n)], n)).payment();
        ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
        payment
    });
    let refuse = format!(
        "CREATE TEMP TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.id = {} AND NEW.state = 'delivered'
             BEGIN SELECT RAISE (ABORT, 'no'); END",
        jobs[0].key.0
    );
    ledger.conn.execute_batch(&refuse).unwrap();
    let records = payments.map(|payment| {
        let (kind, url) = (AnswerKind::Redeem, format!("https://seller.example/v/{}", payment.0));
        (NOW, Record::DeliveredAtOnce { payment, kind, answer: http(200), url, more: Vec::new(), own: true })
    });
    let outcomes = ledger.apply_all(records.into()).unwrap();
    let committed: Vec<Committed> = outcomes.into_iter().map(|outcome| outcome.unwrap().committed).collect();
    assert!(matches!(committed[..], [Committed::Answer(_), Committed::Done]), "{committed:?}");
    let open = ledger.open_jobs(Some(batch)).unwrap();
    assert!(matches!(&open[..], [job] if job.key == jobs[0].key && matches!(job.stage, OpenStage::Answered(..))));
    ledger.check_money(None).unwrap();
}

/// What breaks the ledger at a delivery need not break it at the answers: they are nowhere else.
#[test]
fn answers_are_kept_where_the_ledger_breaks_at_a_result() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let payments: Vec<PaymentKey> = (1..)
        .zip(pending(&ledger, batch))
        .map(|(n, job)| {
            let payment = intend(&mut ledger, new_intent(&job, n)).payment();
            ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
            payment
        })
        .collect();
    let breaks = "CREATE TEMP TRIGGER breaks BEFORE UPDATE ON jobs WHEN NEW.state = 'delivered'
                      BEGIN SELECT json('no json'); END";
    ledger.conn.execute_batch(breaks).unwrap();
    let records = payments.iter().map(|&payment| {
        let (kind, url) = (AnswerKind::Redeem, format!("https://seller.example/v/{}", payment.0));
        let answer = http(200);
        // One that is in the same transaction, and is to be read yet.
        let record = match payment == payments[2] {
            true => Record::Answer { payment, kind, answer },
            false => Record::DeliveredAtOnce { payment, kind, answer, url, more: Vec::new(), own: true },
        };
        (NOW, record)
    });
    let first = ledger.apply_all(records.collect()).unwrap_err();
    assert!(matches!(&first, LedgerError::Io(_)), "{first:?}");
    ledger.conn.execute_batch("DROP TRIGGER breaks").unwrap();
    let further = ledger.apply(NOW, Record::Replaying(payments[0])).unwrap_err();
    assert_eq!(format!("{further:?}"), format!("{first:?}"), "nothing more is written");
    let open = ledger.open_jobs(Some(batch)).unwrap();
    let is_kept = |job: &OpenJob| matches!(&job.stage, OpenStage::Answered(_, _, _, answer) if *answer == http(200));
    assert!(open.len() == 3 && open.iter().all(is_kept), "{open:?}");
    ledger.check_money(None).unwrap();
}

/// They are long, and each purchase has them.
#[test]
fn token_and_invoice_stand_once() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let mut intent = new_intent(&pending(&ledger, batch)[0], 1);
    let part = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // Another scheme's words have other names.
    intent.challenge = vec![part("x", intent.token.reveal()), part("y", &intent.invoice), part("version", "0")];
    ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap();
    let kept: String = ledger.conn.query_row("SELECT challenge FROM intents", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, r#"[["x",{"is":"token"}],["y",{"is":"invoice"}],["version","0"]]"#);
}
