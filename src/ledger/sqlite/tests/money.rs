//! Limits are never passed, and counts are always the sums, whatever order records come in.

use proptest::prelude::*;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, Caps, Committed, DeadProof, IntentRefusal, NewIntent, PaymentKey, PeriodCap, Posted, Record,
};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

fn day(name: &str, most: u64) -> Option<PeriodCap> {
    Some(PeriodCap { period: name.to_owned(), most: Msat::new(most) })
}

fn refusal(ledger: &mut SqliteLedger, batch: BatchKey, n: u8, caps: Caps) -> Option<IntentRefusal> {
    let job = pending(ledger, batch).remove(0);
    let mut intent = new_intent(&job, n);
    intent.caps = caps;
    match ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap() {
        Committed::IntentRefused(refusal) => Some(refusal),
        Committed::Intent(_) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_limit_refuses_the_first_purchase_that_would_pass_it() {
    let most = Msat::new(2 * HOLD - 1);
    let (cost, used) = (Msat::new(HOLD), Msat::new(HOLD));
    for (caps, expected) in [
        (Caps { batch: Some(most), ..Caps::default() }, IntentRefusal::BatchLimit { cost, used, most }),
        (Caps { day: day("2026-11-20", most.get()), ..Caps::default() }, IntentRefusal::DayLimit { cost, used, most }),
        (Caps { month: day("2026-11", most.get()), ..Caps::default() }, IntentRefusal::MonthLimit { cost, used, most }),
    ] {
        let (mut ledger, batch) = in_memory(&["a", "b"]);
        assert_eq!(refusal(&mut ledger, batch, 1, caps.clone()), None);
        assert_eq!(refusal(&mut ledger, batch, 2, caps.clone()), Some(expected));
        let mut wider = caps;
        wider.batch = wider.batch.map(|_| Msat::new(2 * HOLD));
        wider.day = wider.day.and_then(|_| day("2026-11-20", 2 * HOLD));
        wider.month = wider.month.and_then(|_| day("2026-11", 2 * HOLD));
        assert_eq!(refusal(&mut ledger, batch, 2, wider), None);
        ledger.check_money(None).unwrap();
    }
}

#[test]
fn a_day_that_is_past_is_charged_to_the_newest_and_a_new_day_begins_at_nothing() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let caps = |name: &str| Caps { day: day(name, HOLD), ..Caps::default() };
    assert_eq!(refusal(&mut ledger, batch, 1, caps("2026-11-20")), None);
    let full = IntentRefusal::DayLimit { cost: Msat::new(HOLD), used: Msat::new(HOLD), most: Msat::new(HOLD) };
    assert_eq!(refusal(&mut ledger, batch, 2, caps("2026-11-19")), Some(full.clone()));
    assert_eq!(refusal(&mut ledger, batch, 2, caps("2026-11-20")), Some(full));
    assert_eq!(refusal(&mut ledger, batch, 2, caps("2026-11-21")), None);
    ledger.check_money(None).unwrap();
}

#[test]
fn a_payment_belongs_to_the_periods_of_its_intent_whenever_it_settles_and_whoever_asks() {
    let (mut ledger, june) = in_memory(&["a", "b"]);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &["c", "d"]);
    let caps =
        |month: &str, today: &str| Caps { day: day(today, 2 * HOLD), month: day(month, 2 * HOLD), ..Caps::default() };
    // Intended on the last day of June, settled in July: it counts for June alone.
    let job = pending(&ledger, june).remove(0);
    let late = intend(&mut ledger, NewIntent { caps: caps("2026-06", "2026-06-30"), ..new_intent(&job, 1) }).payment();
    assert_eq!(refusal(&mut ledger, july, 2, caps("2026-07", "2026-07-01")), None);
    ledger.apply(NOW, paid(late, 1, Some(Posted { fee: FEE_CEILING, payment_index: None }))).unwrap();
    // A batch whose time zone, or whose clock, is still in June: what it buys counts for July.
    assert_eq!(refusal(&mut ledger, june, 3, caps("2026-06", "2026-06-30")), None);
    let full =
        |limit: fn(Msat, Msat, Msat) -> IntentRefusal| limit(Msat::new(HOLD), Msat::new(2 * HOLD), Msat::new(2 * HOLD));
    let by_day = full(|cost, used, most| IntentRefusal::DayLimit { cost, used, most });
    let by_month = full(|cost, used, most| IntentRefusal::MonthLimit { cost, used, most });
    assert_eq!(refusal(&mut ledger, july, 4, caps("2026-06", "2026-06-30")), Some(by_day));
    assert_eq!(
        refusal(&mut ledger, july, 4, caps("2026-07", "2026-07-02")),
        Some(by_month),
        "a new day, the same month"
    );
    assert_eq!(refusal(&mut ledger, july, 4, caps("2026-08", "2026-08-01")), None);
    ledger.check_money(None).unwrap();
}

#[test]
fn a_fee_above_its_ceiling_is_posted_as_it_is() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    let fee = Msat::new(FEE_CEILING.get() + 1);
    ledger.apply(NOW, paid(payment, 1, Some(Posted { fee, payment_index: None }))).unwrap();
    let counts = ledger.counts(batch).unwrap();
    assert_eq!((counts.spent, counts.fees, counts.held), (PRICE, fee, Msat::ZERO));
    ledger.check_money(None).unwrap();
}

#[test]
fn an_amount_that_no_ledger_can_count_fits_nothing() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let caps = Caps { batch: Some(Msat::ZERO), day: day("2026-11-20", u64::MAX), month: None };
    let nothing = IntentRefusal::BatchLimit { cost: Msat::new(HOLD), used: Msat::ZERO, most: Msat::ZERO };
    assert_eq!(refusal(&mut ledger, batch, 1, caps), Some(nothing));
    let endless = Caps { batch: Some(Msat::new(u64::MAX)), day: day("2026-11-20", u64::MAX), month: None };
    assert_eq!(refusal(&mut ledger, batch, 1, endless), None);
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
        let caps = Caps { batch: Some(Msat::new(most)), day: day("2026-11-20", most), month: day("2026-11", 4 * HOLD) };
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
