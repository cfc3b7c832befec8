//! What is held, spent and given back, of batches, days and months.

use super::cases::intend;
use super::limits::refused;
use super::{AT, Subject, plan};
use crate::ledger::contract::support::{
    FEE, FEE_CEILING, HOLD, PRICE, end, is_contradiction, new_intent, paid, posted,
};
use crate::ledger::decide::Sums;
use crate::ledger::{BatchKey, Caps, DeadProof, IntentRefusal, NewIntent, PendingJob, PeriodCap, Posted, Record};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

const JUNE: BatchKey = BatchKey(1);

fn period(name: &str, most: u64) -> Option<PeriodCap> {
    Some(PeriodCap { period: name.to_owned(), most: Msat::new(most) })
}

fn capped(job: &PendingJob, n: u8, caps: &Caps) -> NewIntent {
    NewIntent { caps: caps.clone(), ..new_intent(job, n) }
}

fn msat(amount: u64) -> i64 {
    i64::try_from(amount).unwrap()
}

pub(super) fn each_limit_refuses_the_first_purchase_that_would_pass_it<S: Subject>() {
    let most = Msat::new(2 * HOLD - 1);
    let (cost, used) = (Msat::new(HOLD), Msat::new(HOLD));
    for (caps, expected) in [
        (Caps { batch: Some(most), ..Caps::default() }, IntentRefusal::BatchLimit { cost, used, most }),
        (
            Caps { day: period("2026-11-20", most.get()), ..Caps::default() },
            IntentRefusal::DayLimit { cost, used, most },
        ),
        (
            Caps { month: period("2026-11", most.get()), ..Caps::default() },
            IntentRefusal::MonthLimit { cost, used, most },
        ),
    ] {
        let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
        assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, &caps)), None);
        assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, &caps)), Some(expected));
        let wider = Caps {
            batch: caps.batch.map(|_| Msat::new(2 * HOLD)),
            day: caps.day.and_then(|_| period("2026-11-20", 2 * HOLD)),
            month: caps.month.and_then(|_| period("2026-11", 2 * HOLD)),
            ..Caps::default()
        };
        assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, &wider)), None);
    }
}

pub(super) fn a_payment_belongs_to_the_periods_of_its_intent_whenever_it_settles<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c", "d"])]);
    let caps = |month: &str, today: &str| Caps {
        day: period(today, 2 * HOLD),
        month: period(month, 2 * HOLD),
        ..Caps::default()
    };
    // Intended on the last day of June, settled in July: it counts for June alone.
    let late = intend(&mut store, capped(&jobs[0], 1, &caps("2026-06", "2026-06-30")));
    assert_eq!(refused(&mut store, AT, capped(&jobs[2], 2, &caps("2026-07", "2026-07-01"))), None);
    store.hand_back(AT, paid(late, 1, Some(Posted { fee: FEE_CEILING, payment_index: None }))).unwrap();
    // A batch whose time zone, or whose clock, is still in June: what it buys counts for July.
    assert_eq!(refused(&mut store, AT, capped(&jobs[1], 3, &caps("2026-06", "2026-06-30"))), None);
    let (cost, most) = (Msat::new(HOLD), Msat::new(2 * HOLD));
    let by_day = IntentRefusal::DayLimit { cost, used: most, most };
    let by_month = IntentRefusal::MonthLimit { cost, used: most, most };
    let last = &jobs[3];
    assert_eq!(refused(&mut store, AT, capped(last, 4, &caps("2026-06", "2026-06-30"))), Some(by_day));
    let next_day = capped(last, 4, &caps("2026-07", "2026-07-02"));
    assert_eq!(refused(&mut store, AT, next_day), Some(by_month), "a new day, the same month");
    assert_eq!(refused(&mut store, AT, capped(last, 4, &caps("2026-08", "2026-08-01"))), None);
}

pub(super) fn a_fee_above_its_ceiling_is_posted_as_it_is<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let fee = Msat::new(FEE_CEILING.get() + 1);
    store.hand_back(AT, paid(payment, 1, Some(Posted { fee, payment_index: None }))).unwrap();
    let sums = Sums { held: 0, spent: msat(PRICE.get()), fees: msat(fee.get()), refunded: 0 };
    assert_eq!(store.sums(JUNE), sums);
}

pub(super) fn an_amount_that_no_ledger_can_count_fits_nothing<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let caps = Caps { batch: Some(Msat::ZERO), day: period("2026-11-20", u64::MAX), ..Caps::default() };
    let nothing = IntentRefusal::BatchLimit { cost: Msat::new(HOLD), used: Msat::ZERO, most: Msat::ZERO };
    assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, &caps)), Some(nothing));
    let endless = Caps { batch: Some(Msat::new(u64::MAX)), ..caps };
    assert_eq!(refused(&mut store, AT, capped(&jobs[0], 1, &endless)), None);
}

pub(super) fn a_job_with_its_own_limit_takes_no_intent_above_it<S: Subject>() {
    let mut store = S::empty();
    let batch = store.begin("june");
    let mut jobs = plan(&["a"]);
    jobs[0].max_cost = Some(Msat::new(HOLD - 1));
    store.take_in(batch, jobs).unwrap();
    let job = store.pending(batch, None, 9).unwrap().remove(0);
    assert_eq!(job.max_cost, Some(Msat::new(HOLD - 1)));
    assert!(is_contradiction(&store.hand_back(AT, Record::Intend(Box::new(new_intent(&job, 1))))));
    intend(&mut store, NewIntent { fee_limit: Msat::new(9_999), ..new_intent(&job, 1) });
}

pub(super) fn what_is_paid_is_held_until_it_is_posted<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    let held = Sums { held: msat(HOLD), ..Sums::default() };
    assert_eq!(store.sums(JUNE), held);
    store.hand_back(AT, paid(payment, 1, None)).unwrap();
    assert_eq!(store.sums(JUNE), held, "its fee is not known");
    for _ in 0..2 {
        store.hand_back(AT, Record::Posted(payment, posted())).unwrap();
        let sums = Sums { held: 0, spent: msat(PRICE.get()), fees: msat(FEE.get()), refunded: 0 };
        assert_eq!(store.sums(JUNE), sums, "the same again moves nothing");
    }
}

pub(super) fn a_death_makes_room_in_batch_day_and_month<S: Subject>() {
    let caps = [
        Caps { batch: Some(Msat::new(HOLD)), ..Caps::default() },
        Caps { day: period("2026-11-20", HOLD), ..Caps::default() },
        Caps { month: period("2026-11", HOLD), ..Caps::default() },
    ];
    for caps in caps {
        let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
        let payment = intend(&mut store, capped(&jobs[0], 1, &caps));
        assert!(refused(&mut store, AT, capped(&jobs[1], 2, &caps)).is_some());
        let end = end(JobState::Failed, Reason::NoRoute);
        store.hand_back(AT, Record::Dead { payment, proof: DeadProof::FailedAndExpired, end }).unwrap();
        assert_eq!(store.sums(JUNE), Sums::default());
        assert_eq!(refused(&mut store, AT, capped(&jobs[1], 2, &caps)), None);
    }
}
