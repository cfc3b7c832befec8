//! What one origin may get: in a day, in a month, before its first delivery, and by one purchase.

use url::Url;

use super::cases::intend;
use super::limits::refused;
use super::{AT, Subject};
use crate::ledger::contract::support::{FEE, HOLD, PRICE, end, http, new_intent, paid, posted, request};
use crate::ledger::{
    AnswerKind, Asking, BatchKey, Caps, Committed, DeadProof, HeldBack, IntentBounds, IntentRefusal, NewIntent,
    OriginCaps, OriginLimit, PendingJob, PeriodCap, Posted, Prospect, Record,
};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};

const SELLER: &str = "seller.example";

/// The caps of an intent that is made on that day.
fn caps_on(day: &str, origin: OriginCaps) -> Caps {
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most: Msat::new(u64::MAX) });
    Caps { batch: None, day: period(day), month: period(&day[..7]), origin }
}

fn limited(job: &PendingJob, n: u8, origin: OriginCaps) -> NewIntent {
    NewIntent { caps: caps_on("2026-11-20", origin), ..new_intent(job, n) }
}

/// The same at another origin.
fn elsewhere(job: &PendingJob, n: u8, origin: OriginCaps) -> NewIntent {
    let url = Url::parse("https://other.example:8443/make").unwrap();
    let mut request = request(job, vec![n]);
    request.url = url.clone();
    NewIntent { request, endpoint_url: url, ..limited(job, n, origin) }
}

/// A limit of each kind, by itself.
fn each(most: u64) -> [(OriginLimit, OriginCaps); 3] {
    let (most, none) = (Some(Msat::new(most)), OriginCaps::default());
    [
        (OriginLimit::Day, OriginCaps { day: most, ..none }),
        (OriginLimit::Month, OriginCaps { month: most, ..none }),
        (OriginLimit::New, OriginCaps { new: most, ..none }),
    ]
}

/// That the purchase does not fit, which it is told before the ask as well; none where it does.
fn held<S: Subject>(store: &mut S, intent: NewIntent) -> Option<HeldBack> {
    let prospect = Prospect {
        batch: BatchKey(1),
        url: intent.endpoint_url.clone(),
        node: intent.node.clone(),
        bounds: IntentBounds::default(),
        asking: Asking::default(),
        cost: intent.amount.checked_add(intent.fee_limit).unwrap(),
        caps: intent.caps.clone(),
    };
    let before = store.held_back(AT, &prospect).unwrap();
    match refused(store, AT, intent) {
        Some(IntentRefusal::HeldBack(held)) => {
            assert_eq!(before.as_ref(), Some(&held));
            Some(held)
        }
        refusal => {
            assert_eq!((refusal, before), (None, None));
            None
        }
    }
}

pub(super) fn each_limit_of_an_origin_refuses_the_first_purchase_that_would_pass_it<S: Subject>() {
    for (limit, caps) in each(2 * HOLD - 1) {
        let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c", "d"])]);
        assert_eq!(held(&mut store, limited(&jobs[0], 1, caps)), None);
        // Whichever batch it is of.
        let expected = HeldBack::OriginLimit {
            origin: SELLER.to_owned(),
            limit,
            cost: Msat::new(HOLD),
            used: Msat::new(HOLD),
            most: Msat::new(2 * HOLD - 1),
            is_open: limit == OriginLimit::New,
        };
        assert_eq!(held(&mut store, limited(&jobs[2], 2, caps)), Some(expected));
        assert_eq!(held(&mut store, elsewhere(&jobs[3], 3, caps)), None, "another origin");
        assert_eq!(held(&mut store, limited(&jobs[1], 4, OriginCaps::default())), None, "no limit");
        assert!(held(&mut store, limited(&jobs[2], 5, caps)).is_some());
    }
}

pub(super) fn a_limit_of_an_origin_counts_what_was_bought_before_it_was_set<S: Subject>() {
    for (limit, caps) in each(3 * HOLD - 1) {
        let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
        let first = intend(&mut store, limited(&jobs[0], 1, OriginCaps::default()));
        intend(&mut store, limited(&jobs[1], 2, OriginCaps::default()));
        store.hand_back(AT, paid(first, 1, Some(posted()))).unwrap();
        let Some(HeldBack::OriginLimit { used, limit: by, .. }) =
            held(&mut store, limited(&jobs[2], 3, each(HOLD)[0].1))
        else {
            panic!("what was bought counts");
        };
        assert_eq!((used.get(), by), (PRICE.get() + FEE.get() + HOLD, OriginLimit::Day));
        // The fee was below its ceiling.
        assert_eq!(held(&mut store, limited(&jobs[2], 3, caps)), None);
        let refusal = held(&mut store, limited(&jobs[3], 4, caps));
        assert!(matches!(refusal, Some(HeldBack::OriginLimit { limit: by, .. }) if by == limit), "{refusal:?}");
    }
}

pub(super) fn what_an_origin_gives_back_makes_room_there<S: Subject>() {
    for (_, caps) in each(HOLD) {
        let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
        let payment = intend(&mut store, limited(&jobs[0], 1, caps));
        assert!(held(&mut store, limited(&jobs[1], 2, caps)).is_some());
        let end = end(JobState::Failed, Reason::NoRoute);
        store.hand_back(AT, Record::Dead { payment, proof: DeadProof::FailedAndExpired, end }).unwrap();
        let payment = intend(&mut store, limited(&jobs[1], 2, caps));
        let fee = Msat::new(1);
        store.hand_back(AT, paid(payment, 2, Some(Posted { fee, payment_index: None }))).unwrap();
        let Some(HeldBack::OriginLimit { used, .. }) = held(&mut store, limited(&jobs[2], 3, caps)) else {
            panic!("what is spent counts");
        };
        assert_eq!(used.get(), PRICE.get() + 1);
    }
}

pub(super) fn an_origin_is_charged_in_the_period_of_the_ledger<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    let at = |job: &PendingJob, n, day, origin| NewIntent { caps: caps_on(day, origin), ..new_intent(job, n) };
    let [(_, by_day), (_, by_month), _] = each(2 * HOLD - 1);
    assert_eq!(held(&mut store, at(&jobs[0], 1, "2026-11-20", by_day)), None);
    assert_eq!(held(&mut store, at(&jobs[1], 2, "2026-11-21", by_day)), None, "a new day");
    // Whose clock, or time zone, is still on the day before charges the newest day that is known.
    assert!(held(&mut store, at(&jobs[2], 3, "2026-11-20", by_day)).is_some());
    assert!(held(&mut store, at(&jobs[2], 3, "2026-11-22", by_month)).is_some(), "the same month");
    assert_eq!(held(&mut store, at(&jobs[2], 3, "2026-12-01", by_month)), None);
    assert!(held(&mut store, at(&jobs[3], 4, "2026-11-30", by_month)).is_some());
}

pub(super) fn an_origin_that_has_delivered_is_new_no_more<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    let [.., (_, caps)] = each(HOLD);
    let payment = intend(&mut store, limited(&jobs[0], 1, caps));
    assert!(held(&mut store, limited(&jobs[1], 2, caps)).is_some());
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    assert!(held(&mut store, limited(&jobs[1], 2, caps)).is_some(), "paid is not delivered");
    let record = Record::Answer { payment, kind: AnswerKind::Redeem, answer: http(200) };
    let Committed::Answer(answer) = store.hand_back(AT, record).unwrap() else { panic!() };
    let url = "https://seller.example/v/1".to_owned();
    store.hand_back(AT, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
    assert_eq!(held(&mut store, limited(&jobs[1], 2, caps)), None);
    assert_eq!(held(&mut store, limited(&jobs[2], 3, caps)), None);
}

pub(super) fn a_purchase_above_what_one_may_cost_at_its_origin_is_refused<S: Subject>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let caps = |most| OriginCaps { job: Some(Msat::new(most)), ..OriginCaps::default() };
    let refusal = IntentRefusal::OriginJobLimit { cost: Msat::new(HOLD), most: Msat::new(HOLD - 1) };
    assert_eq!(refused(&mut store, AT, limited(&jobs[0], 1, caps(HOLD - 1))), Some(refusal));
    assert_eq!(refused(&mut store, AT, limited(&jobs[0], 1, caps(HOLD))), None);
}
