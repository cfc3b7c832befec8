//! Limits are never passed, and counts are always the sums, whatever order records come in. Each limit by itself stands in the contract
//! suite.

use proptest::prelude::*;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{BatchKey, Caps, DeadProof, OriginCaps, PaymentKey, PeriodCap, Posted, Record};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

fn day(name: &str, most: u64) -> Option<PeriodCap> {
    Some(PeriodCap { period: name.to_owned(), most: Msat::new(most) })
}

const IDS: [&str; 4] = ["a", "b", "c", "d"];

/// One record out of those that a run could send, right or wrong.
fn record(ledger: &SqliteLedger, batch: BatchKey, kind: u8, which: u8, n: u8, caps: &Caps) -> Option<Record> {
    let payment = PaymentKey(i64::from(which % 6) + 1);
    let some_fee = Posted { fee: Msat::new(u64::from(n) * 100), payment_index: Some(u64::from(n)) };
    let proofs = [DeadProof::FailedAndAnswered, DeadProof::NotFoundAndExpired];
    Some(match kind {
        0..=2 => {
            let jobs = pending(ledger, batch);
            let job = jobs.get(usize::from(which) % jobs.len().max(1))?;
            let mut intent = new_intent(job, n);
            intent.caps = caps.clone();
            Record::Intend(Box::new(intent))
        }
        3 => Record::SendBegun(payment),
        4 => Record::SendAnswered { payment, accepted: false },
        5 => paid(payment, n, None),
        6 => {
            let hash =
                ledger.conn.query_row("SELECT payment_hash FROM payments WHERE id = ?1", [payment], |r| r.get(0));
            let hash: crate::l402::PaymentHash = hash.ok()?;
            let n = (0..=u8::MAX).find(|n| secret(*n).1 == hash)?;
            paid(payment, n, (which > 128).then_some(some_fee))
        }
        7 => Record::Posted(payment, some_fee),
        8 => Record::Dead {
            payment,
            proof: proofs[usize::from(n) % 2],
            end: end(if n > 40 { JobState::Pending } else { JobState::Failed }, Reason::NoRoute),
        },
        9 => Record::Doubt { payment, reason: Reason::PaymentUnknown, error: None, wait_until: Some(NOW) },
        10 => Record::Answer { payment, kind: crate::ledger::AnswerKind::Redeem, answer: http(200) },
        _ => Record::Delivered {
            payment,
            answer: crate::ledger::AnswerKey(i64::from(n) % 5 + 1),
            url: "https://s.example/v".to_owned(),
            more: Vec::new(),
            own: false,
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_sums_and_limits_hold_after_every_record(
        steps in proptest::collection::vec((0u8..12, any::<u8>(), 0u8..80), 1..60),
        most in HOLD..4 * HOLD,
    ) {
        let (mut ledger, batch) = in_memory(&IDS);
        // No fee of these steps is above its ceiling, so that what is held is never too little.
        let origin = OriginCaps { job: None, day: Some(Msat::new(most)), month: Some(Msat::new(most)), new: Some(Msat::new(most)) };
        let caps =
            Caps { batch: Some(Msat::new(most)), day: day("2026-11-20", most), month: day("2026-11", 4 * HOLD), origin };
        for (kind, which, n) in steps {
            let Some(record) = record(&ledger, batch, kind, which, n, &caps) else { continue };
            let outcome = ledger.apply(NOW, record);
            prop_assert!(outcome.is_ok() || is_contradiction(&outcome), "{:?}", outcome);
            let counts = ledger.counts(batch).unwrap();
            let used = Msat::checked_sum([counts.spent, counts.fees, counts.held]).unwrap();
            prop_assert!(used.get() <= most, "{} of {most}", used.get());
            ledger.check_money(None).unwrap();
            let twice: i64 = ledger.conn.query_row(
                "SELECT count(*) FROM (SELECT 1 FROM payments WHERE state <> 'dead' GROUP BY job HAVING count(*) > 1)",
                [],
                |row| row.get(0),
            ).unwrap();
            prop_assert_eq!(twice, 0);
            ledger.open_jobs(None).unwrap();
        }
    }
}
