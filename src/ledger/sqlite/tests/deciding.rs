//! What a person decides: recorded, bounded by the books, and no way to a second payment without the person's word.

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    AuditRow, BatchKey, Committed, DeadProof, Decided, Decision, IntentRefusal, OpenStage, PaymentKey, ReceiptRow,
    Record, Standing,
};
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

fn doubted() -> (SqliteLedger, BatchKey, PaymentKey) {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    let doubt = Record::Doubt { payment, reason: Reason::NodeForgot, error: None, wait_until: None };
    ledger.apply(NOW, doubt).unwrap();
    (ledger, batch, payment)
}

fn decide(ledger: &mut SqliteLedger, batch: BatchKey, decision: Decision) -> Decided {
    decide_at(ledger, batch, decision, HORIZON.plus_ms(1))
}

fn decide_at(ledger: &mut SqliteLedger, batch: BatchKey, decision: Decision, now: UnixMs) -> Decided {
    let job = ledger.undecided(batch, "a").unwrap().unwrap();
    ledger.decide(now, job.job, decision, "a note", "nobody was asked", None).unwrap()
}

fn used(ledger: &SqliteLedger, batch: BatchKey) -> (u64, u64) {
    ledger.check_money(None).unwrap();
    let counts = ledger.counts(batch).unwrap();
    (counts.held.get(), counts.spent.get())
}

/// The expiry of the invoice, and 1,008 blocks of twenty minutes.
const HORIZON: UnixMs = NOW.plus_ms(600_000 + 1_008 * 1_200_000);

#[test]
fn what_may_still_settle_is_not_replaced() {
    for decision in [Decision::Unpaid, Decision::Rebuy] {
        let (mut ledger, batch, _) = doubted();
        for now in [NOW, HORIZON] {
            assert_eq!(decide_at(&mut ledger, batch, decision, now), Decided::TooEarly(HORIZON));
        }
        assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::InDoubt, Reason::NodeForgot)]);
        // Where version 0.1 left the time lock to the node, it may be as long as lnd lets it be.
        ledger.conn.execute("UPDATE payments SET cltv_limit = NULL", []).unwrap();
        let late = NOW.plus_ms(600_000 + 2_016 * 1_200_000);
        assert_eq!(decide(&mut ledger, batch, decision), Decided::TooEarly(late));
        assert_eq!(decide_at(&mut ledger, batch, decision, late.plus_ms(1)), Decided::Recorded);
        assert!(ledger.open_jobs(None).unwrap().iter().all(|job| matches!(job.stage, OpenStage::Abandoned(_))));
    }
    // What its node proves need not wait.
    let (mut ledger, batch, _) = doubted();
    let job = ledger.undecided(batch, "a").unwrap().unwrap();
    let proof = Some(DeadProof::FailedAndExpired);
    assert_eq!(ledger.decide(NOW, job.job, Decision::Rebuy, "a note", "it failed", proof).unwrap(), Decided::Recorded);
    assert!(ledger.open_jobs(None).unwrap().is_empty());
    assert_eq!(used(&ledger, batch), (0, 0));
    let job = pending(&ledger, batch).remove(0);
    intend(&mut ledger, new_intent(&job, 2));
}

/// A person said "lost", which nobody keeps from being said; version 0.1 then let a take be bought in its place at once.
#[test]
fn a_take_waits_for_the_hash_that_it_replaces() {
    let (mut ledger, batch, payment) = doubted();
    assert_eq!(decide_at(&mut ledger, batch, Decision::Lost, NOW), Decided::Recorded);
    assert_eq!(decide_at(&mut ledger, batch, Decision::Rebuy, NOW), Decided::TooEarly(HORIZON));
    let own = ledger.undecided(batch, "a").unwrap().unwrap().job;
    further_take(&ledger, own);
    let take = pending(&ledger, batch).remove(0);
    let intend_at =
        |ledger: &mut SqliteLedger, now| ledger.apply(now, Record::Intend(Box::new(new_intent(&take, 2)))).unwrap();
    let refused = intend_at(&mut ledger, HORIZON);
    let until = Some(HORIZON);
    assert!(
        matches!(refused, Committed::IntentRefused(IntentRefusal::EarlierTake { until: at }) if at == until),
        "{refused:?}"
    );
    // Its node says that it never settles: then it may be bought, and what was held for it is free.
    ledger.apply(NOW, Record::AbandonedDead { payment, proof: DeadProof::FailedAndExpired }).unwrap();
    assert_eq!(used(&ledger, batch), (0, 0));
    assert!(matches!(intend_at(&mut ledger, NOW), Committed::Intent(_)));
}

/// It settles after its job was bought once more: both were paid, both have a take and a receipt.
#[test]
fn what_settles_beside_its_successor_is_a_take_of_its_own() {
    let (mut ledger, batch, payment) = doubted();
    decide(&mut ledger, batch, Decision::Unpaid);
    load_ids(&mut ledger, batch, &["a"]);
    let job = pending(&ledger, batch).remove(0);
    let second = ledger.apply(HORIZON.plus_ms(1), Record::Intend(Box::new(new_intent(&job, 2)))).unwrap();
    let Committed::Intent(second) = second else { panic!("{second:?}") };
    ledger.apply(NOW, paid(second.payment(), 2, Some(posted()))).unwrap();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 2, JobState::Paid, Reason::None)]);
    assert_eq!(used(&ledger, batch), (0, 2 * PRICE.get()), "above any limit: it is the truth");
    let mut receipts = Vec::new();
    let mut each = |row: ReceiptRow| {
        receipts.push((row.take, row.hash));
        Ok(())
    };
    ledger.receipts(batch, &mut each).unwrap().unwrap();
    receipts.sort_by_key(|(take, _)| *take);
    assert_eq!(receipts, [(1, secret(2).1), (2, secret(1).1)]);
    let stages: Vec<_> = ledger.open_jobs(None).unwrap().into_iter().map(|job| (job.take, job.state)).collect();
    assert_eq!(stages, [(1, JobState::Paid), (2, JobState::Paid)], "both are redeemed");
}

#[test]
fn an_audit_reads_every_payment_of_its_node() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let jobs = pending(&ledger, batch);
    deliver(&mut ledger, &jobs[0], 1);
    intend(&mut ledger, new_intent(&jobs[1], 2));
    let node = WalletId("03payer".to_owned());
    let rows = ledger.payments_at(&node).unwrap();
    let told = |row: &AuditRow| (row.job.clone(), row.standing, row.fee);
    assert_eq!(
        rows.iter().map(told).collect::<Vec<_>>(),
        [("a".to_owned(), Standing::Posted, Some(FEE)), ("b".to_owned(), Standing::Open, None)]
    );
    assert!(ledger.payments_at(&WalletId("03other".to_owned())).unwrap().is_empty());
}

#[test]
fn what_is_pending_learns_why_and_forgets_it_with_the_next_plan() {
    let (mut ledger, batch) = in_memory(&["a"]);
    ledger.explain_pending(batch, Some("other"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Pending, Reason::None)]);
    ledger.explain_pending(batch, Some("make"), Reason::BreakerOpen, "words").unwrap();
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Pending, Reason::BreakerOpen)]);
    load_ids(&mut ledger, batch, &["a"]);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Pending, Reason::None)]);
}
