//! What is shown of a ledger: of batches, of single jobs, and for a comparison with a node or with receipts.

use super::cases::{deliver, intend};
use super::{AT, Commanded, of_ledger, plan};
use crate::ledger::contract::support::{
    FEE, FEE_CEILING, HOLD, PRICE, end, http, new_intent, paid, posted, secret, word,
};
use crate::ledger::port::{Audit, Inspection, Views};
use crate::ledger::{
    AnswerKind, BatchKey, Came, Caps, DeadProof, NewIntent, OriginCaps, OriginUsed, PeriodCap, ReceiptKind, ReceiptRow,
    Record, ResultRow, Served, Standing, TakeRow,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Next, Reason, WalletId};

const JUNE: BatchKey = BatchKey(1);

fn results<S: Commanded>(store: &mut S) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let each = &mut |row| {
        rows.push(row);
        Ok(())
    };
    store.ledger().results(JUNE, each).unwrap().unwrap();
    rows
}

fn receipts<S: Commanded>(store: &mut S, batch: BatchKey) -> Vec<ReceiptRow> {
    let mut rows = Vec::new();
    let each = &mut |row| {
        rows.push(row);
        Ok(())
    };
    store.ledger().receipts(batch, each).unwrap().unwrap();
    rows
}

/// One more take of `a` is loaded, and accepted.
fn retake<S: Commanded>(store: &mut S, ids: &[&str]) {
    of_ledger(store.load_plan(JUNE, AT, &word("a", 1), plan(ids).into_iter().map(Ok))).unwrap();
    store.accept_takes(AT, JUNE).unwrap();
}

pub(super) fn counts_are_of_latest_takes_and_money_of_all<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"]), ("july", &["d"])]);
    deliver(&mut store, &jobs[0], 1);
    intend(&mut store, new_intent(&jobs[1], 2));
    retake(&mut store, &["a", "b", "c"]);
    let counts = store.ledger().counts(JUNE).unwrap();
    let states: Vec<_> = counts.by_state.iter().map(|count| (count.state, count.reason, count.jobs)).collect();
    let none = Reason::None;
    assert_eq!(states, [(JobState::Pending, none, 2), (JobState::Running, none, 1)]);
    assert_eq!((counts.spent, counts.fees, counts.held), (PRICE, FEE, Msat::new(HOLD)));
    assert_eq!(counts.planned, Msat::new(4 * PRICE.get()), "an earlier take was planned once");
    assert_eq!(counts.to_buy_worst_case, Msat::new(2 * HOLD));
    let july = store.ledger().counts(BatchKey(2)).unwrap();
    assert_eq!((july.jobs(JobState::Pending), july.spent), (1, Msat::ZERO));
}

pub(super) fn every_take_has_a_row_where_its_job_stands<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["d"])]);
    deliver(&mut store, &jobs[0], 1);
    retake(&mut store, &["b", "a"]);
    let mut rows = Vec::new();
    let each = &mut |TakeRow { row, is_replaced, .. }| {
        rows.push((row.id, row.take, row.state, is_replaced));
        Ok(())
    };
    store.ledger().all_takes(JUNE, each).unwrap().unwrap();
    let row = |id: &str, take, state, is_replaced| (id.to_owned(), take, state, is_replaced);
    let (pending, delivered) = (JobState::Pending, JobState::Delivered);
    assert_eq!(rows, [row("b", 1, pending, false), row("a", 1, delivered, true), row("a", 2, pending, false)]);
    let stopped = store.ledger().all_takes(JUNE, &mut |_| Err(std::io::Error::other("no"))).unwrap();
    assert!(stopped.is_err());
}

pub(super) fn results_show_what_was_bought_and_tell_of_the_take_after_it<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    retake(&mut store, &["b", "a"]);
    let rows = results(&mut store);
    let told: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.take, row.state, row.next)).collect();
    assert_eq!(
        told,
        [("b", 1, JobState::Pending, Next::Rerun), ("a", 1, JobState::Delivered, Next::Rerun)],
        "in the manifest's order"
    );
    assert_eq!(rows[1].error.as_deref(), Some("take 2 is pending"));
    assert_eq!((rows[1].fee, rows[1].url.as_deref()), (Some(FEE), Some("https://seller.example/v/1")));
    let mut latest = Vec::new();
    let each = &mut |row: ResultRow| {
        latest.push((row.id, row.take, row.state));
        Ok(())
    };
    store.ledger().latest_takes(JUNE, each).unwrap().unwrap();
    assert_eq!(latest, [("b".to_owned(), 1, JobState::Pending), ("a".to_owned(), 2, JobState::Pending)]);
    // What the second take delivers is shown in the place of the first.
    let again = store.pending(JUNE, None, 9).unwrap().into_iter().find(|job| job.id == "a").unwrap();
    deliver(&mut store, &again, 2);
    let row = results(&mut store).remove(1);
    assert_eq!((row.take, row.error, row.next), (2, None, Next::None));
}

pub(super) fn whoever_reads_ends_the_reading<S: Commanded>() {
    let (mut store, _) = S::with(&[("june", &["a", "b"])]);
    let mut read = 0;
    let each = &mut |_| {
        read += 1;
        Err(std::io::Error::other("the disk is full"))
    };
    assert!(store.ledger().results(JUNE, each).unwrap().is_err());
    assert_eq!(read, 1);
}

pub(super) fn receipts_are_of_settlements_in_the_order_of_their_times<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"]), ("july", &["d"])]);
    let payments: Vec<_> = (1..).zip(&jobs[..3]).map(|(n, job)| intend(&mut store, new_intent(job, n))).collect();
    // The second settles first, and the third not at all.
    store.hand_back(AT.plus_ms(1), paid(payments[1], 2, Some(posted()))).unwrap();
    store.hand_back(AT.plus_ms(2), paid(payments[0], 1, None)).unwrap();
    deliver(&mut store, &jobs[3], 4);
    let rows = receipts(&mut store, JUNE);
    let told: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.kind, row.amount, row.fee)).collect();
    assert_eq!(told, [("b", ReceiptKind::Payment, PRICE, Some(FEE)), ("a", ReceiptKind::Payment, PRICE, None)]);
    assert_eq!((rows[0].seller.as_str(), rows[0].hash), ("seller.example", secret(2).1));
    assert_eq!(store.ledger().receipt(&secret(2).1).unwrap().as_ref(), Some(&rows[0]));
    assert_eq!(store.ledger().payment_receipt("june", "a", 1).unwrap().as_ref(), Some(&rows[1]));
    for nothing in [("june", "c", 1), ("june", "a", 2), ("july", "a", 1)] {
        let (batch, id, take) = nothing;
        assert_eq!(store.ledger().payment_receipt(batch, id, take).unwrap(), None, "{nothing:?}");
    }
    assert_eq!(store.ledger().receipt(&secret(3).1).unwrap(), None, "nothing has settled");
    assert_eq!(receipts(&mut store, BatchKey(2)).len(), 1);
}

pub(super) fn periods_tell_what_the_next_payment_would_find_used<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most: Msat::new(u64::MAX) });
    let caps = |month: &str, day: &str| Caps { day: period(day), month: period(month), ..Caps::default() };
    let of_day = caps("2026-11", "2026-11-20");
    let payment = intend(&mut store, NewIntent { caps: of_day.clone(), ..new_intent(&jobs[0], 1) });
    let mut used = |caps: &Caps| {
        let used = store.ledger().periods_used(caps).unwrap();
        (used.day.get(), used.month.get())
    };
    assert_eq!(used(&of_day), (HOLD, HOLD));
    assert_eq!(used(&caps("2026-11", "2026-11-21")), (0, HOLD), "a new day");
    assert_eq!(used(&caps("2026-10", "2026-10-31")), (HOLD, HOLD), "the clock never goes back");
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let spent = PRICE.get() + FEE.get();
    let used = store.ledger().periods_used(&of_day).unwrap();
    assert_eq!((used.day.get(), used.month.get()), (spent, spent));
}

pub(super) fn a_payment_is_shown_as_open_until_it_delivers<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"]), ("july", &["c"])]);
    let payment = intend(&mut store, new_intent(&jobs[0], 1));
    intend(&mut store, new_intent(&jobs[2], 3));
    let open = store.ledger().open_payments(JUNE).unwrap();
    assert_eq!(open.keys().collect::<Vec<_>>(), ["a"]);
    let row = &open["a"];
    assert_eq!((row.hash, row.standing, row.held), (secret(1).1, Standing::Open, Msat::new(HOLD)));
    assert_eq!((row.amount, row.fee_limit, row.fee), (PRICE, FEE_CEILING, None));
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let open = store.ledger().open_payments(JUNE).unwrap();
    assert_eq!((open["a"].standing, open["a"].held, open["a"].fee), (Standing::Posted, Msat::ZERO, Some(FEE)));
    deliver(&mut store, &jobs[1], 2);
    assert_eq!(store.ledger().open_payments(JUNE).unwrap().len(), 1, "what is delivered is not open");
}

pub(super) fn a_job_is_shown_with_all_its_takes_and_without_its_secrets<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let dies = intend(&mut store, new_intent(&jobs[0], 1));
    let dead = Record::Dead {
        payment: dies,
        proof: DeadProof::FailedAndAnswered,
        end: end(JobState::Pending, Reason::NoRoute),
    };
    store.hand_back(AT, dead).unwrap();
    let payment = intend(&mut store, new_intent(&jobs[0], 2));
    store.hand_back(AT, paid(payment, 2, Some(posted()))).unwrap();
    // `new_intent` gives each payment its own token.
    let answer = HttpAnswer { body: b"who has token2 may have it".to_vec(), ..http(502) };
    store.hand_back(AT, Record::Answer { payment, kind: AnswerKind::Redeem, answer }).unwrap();
    let takes = store.ledger().takes(JUNE, "a").unwrap();
    assert_eq!((takes.len(), takes[0].row.take, takes[0].row.state), (1, 1, JobState::Paid));
    let standings: Vec<_> = takes[0].payments.iter().map(|payment| payment.row.standing).collect();
    assert_eq!(standings, [Standing::Dead, Standing::Posted], "the oldest first");
    let answers = &takes[0].payments[1].answers;
    assert_eq!((answers.len(), answers[0].status), (1, 502));
    assert_eq!(answers[0].body, "who has [credential] may have it");
    let stood: Vec<_> = takes[0].transitions.iter().map(|row| row.to).collect();
    assert_eq!(stood, [JobState::Running, JobState::Pending, JobState::Running, JobState::Paid]);
    assert_eq!(store.ledger().takes(JUNE, "b").unwrap(), []);
}

pub(super) fn what_was_ever_intended_is_known_and_told_by_its_node<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c", "d"])]);
    let node = WalletId("03other".to_owned());
    let token = deliver(&mut store, &jobs[1], 2);
    intend(&mut store, new_intent(&jobs[0], 1));
    intend(&mut store, NewIntent { node: node.clone(), ..new_intent(&jobs[2], 3) });
    let ledger = store.ledger();
    assert!(ledger.knows(&secret(1).1).unwrap() && !ledger.knows(&secret(9).1).unwrap());
    assert!(ledger.knows_purchase("june", "a", 1).unwrap());
    assert!(!ledger.knows_purchase("june", "a", 2).unwrap() && !ledger.knows_purchase("july", "a", 1).unwrap());
    // What a token has served is known as well.
    let came = Came::Result { url: "https://seller.example/v/d".to_owned(), more: Vec::new() };
    let served = Served { job: jobs[3].key, by: token, request: [7; 32], answer: http(200), came };
    assert!(!ledger.knows_purchase("june", "d", 1).unwrap());
    store.hand_back(AT, Record::Served(Box::new(served))).unwrap();
    let ledger = store.ledger();
    assert!(ledger.knows_purchase("june", "d", 1).unwrap());
    let told = |node: &WalletId| {
        let rows = ledger.payments_at(node).unwrap();
        rows.into_iter().map(|row| (row.job, row.standing, row.fee)).collect::<Vec<_>>()
    };
    let of_payer = told(&WalletId("03payer".to_owned()));
    assert_eq!(of_payer, [("b".to_owned(), Standing::Posted, Some(FEE)), ("a".to_owned(), Standing::Open, None)]);
    assert_eq!(told(&node), [("c".to_owned(), Standing::Open, None)]);
}

pub(super) fn origins_tell_what_is_used_there<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most: Msat::new(u64::MAX) });
    let (day, month) = (period("2026-11-20"), period("2026-11"));
    let most = Some(Msat::new(u64::MAX));
    let caps = Caps { batch: None, day, month, origin: OriginCaps { job: None, day: most, month: most, new: most } };
    intend(&mut store, NewIntent { caps: caps.clone(), ..new_intent(&jobs[0], 1) });
    let none = Caps { origin: OriginCaps::default(), ..caps.clone() };
    intend(&mut store, NewIntent { caps: none, ..new_intent(&jobs[1], 2) });
    let mut used = |origin: &str| store.ledger().origin_used(origin, &caps).unwrap();
    let both = Msat::new(2 * HOLD);
    assert_eq!(used("seller.example"), OriginUsed { day: both, month: both, new: Some(both) });
    assert_eq!(used("other.example"), OriginUsed { new: Some(Msat::ZERO), ..OriginUsed::default() });
}
