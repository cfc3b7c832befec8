//! Records about refunds: one invoice each, ever, and money that counts as back when our own node has it.

use url::Url;

use super::cases::{answer, intend};
use super::limits::refused;
use super::{AT, Subject};
use crate::ledger::contract::support::{FEE, HOLD, PRICE, is_contradiction, new_intent, paid, posted, secret};
use crate::ledger::decide::Sums;
use crate::ledger::{
    BatchKey, Caps, Committed, Decided, Decision, LedgerError, NewIntent, PaymentKey, PendingJob, PeriodCap, Record,
    RefundInvoice, RefundRecord,
};
use crate::money::Msat;
use crate::purchase::{JobState, Reason, WalletId};

const JUNE: BatchKey = BatchKey(1);

fn apply<S: Subject>(store: &mut S, payment: PaymentKey, record: RefundRecord) -> Result<Committed, LedgerError> {
    store.hand_back(AT, Record::Refund(payment, record))
}

fn invoiced(amount: u64) -> RefundRecord {
    RefundRecord::Invoiced(Box::new(RefundInvoice {
        invoice: "lnbc1back".to_owned(),
        hash: secret(200).1,
        amount: Msat::new(amount),
        expires_at: AT.plus_ms(1_000_000),
        node: WalletId("03payer".to_owned()),
        callback: Url::parse("https://seller.example/cb").unwrap(),
        k1: "k1".to_owned(),
    }))
}

fn settled(received: u64) -> RefundRecord {
    RefundRecord::Settled { received: Msat::new(received) }
}

fn waits(reason: Reason) -> RefundRecord {
    RefundRecord::Waits { reason, words: "not yet".to_owned() }
}

/// A paid job, charged to a day and a month, whose origin offers the money back; and another one that is pending.
fn offered<S: Subject>() -> (S, Vec<PendingJob>, PaymentKey) {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most: Msat::new(u64::MAX) });
    let caps = Caps { day: period("2026-11-20"), month: period("2026-11"), ..Caps::default() };
    let payment = intend(&mut store, NewIntent { caps, ..new_intent(&jobs[0], 1) });
    store.hand_back(AT, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut store, payment, 502);
    let (link, message) = (Some("LNURL1X".to_owned()), "HTTP 502: no gpu".to_owned());
    apply(&mut store, payment, RefundRecord::Offered { answer, link, message }).unwrap();
    (store, jobs, payment)
}

fn stands<S: Subject>(store: &S) -> (JobState, Reason) {
    let first = store.jobs().remove(0);
    (first.state, first.reason)
}

pub(super) fn an_offer_is_durable_with_its_link_and_its_job_waits_for_it<S: Subject>() {
    let (store, _, payment) = offered::<S>();
    assert_eq!(stands(&store), (JobState::RefundOffered, Reason::RefundOffered));
    assert_eq!(store.open_refunds(Some(JUNE)).unwrap(), [payment]);
    let refund = store.refund(payment).unwrap().unwrap();
    assert_eq!((refund.link.as_str(), refund.paid, refund.invoice), ("LNURL1X", PRICE, None));
    assert_eq!((refund.seller.as_str(), refund.node.0.as_str()), ("https://seller.example/make", "03payer"));
    assert!(store.open_jobs(Some(JUNE)).unwrap().is_empty(), "nothing of the job itself is open");
}

pub(super) fn a_refund_has_one_invoice_ever<S: Subject>() {
    let (mut store, _, payment) = offered::<S>();
    for record in [settled(1), RefundRecord::Expired { words: "no".to_owned() }] {
        assert!(is_contradiction(&apply(&mut store, payment, record)), "nothing was handed over");
    }
    for amount in [PRICE.get() + 1, 0] {
        assert!(is_contradiction(&apply(&mut store, payment, invoiced(amount))), "{amount}");
    }
    apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
    assert_eq!(stands(&store).1, Reason::RefundPending);
    assert!(is_contradiction(&apply(&mut store, payment, invoiced(PRICE.get()))));
    let callback = Url::parse("https://seller.example/cb2").unwrap();
    apply(&mut store, payment, RefundRecord::HandedOver { callback, k1: "k2".to_owned() }).unwrap();
    let known = store.refund(payment).unwrap().unwrap().invoice.unwrap();
    assert_eq!((known.invoice(), *known.hash(), known.amount()), ("lnbc1back", secret(200).1, PRICE));
}

pub(super) fn one_invoice_serves_one_refund<S: Subject>() {
    let (mut store, jobs, payment) = offered::<S>();
    let other = intend(&mut store, new_intent(&jobs[1], 2));
    store.hand_back(AT, paid(other, 2, Some(posted()))).unwrap();
    let answer = answer(&mut store, other, 502);
    let (link, message) = (Some("LNURL1Y".to_owned()), "HTTP 502: no gpu".to_owned());
    apply(&mut store, other, RefundRecord::Offered { answer, link, message }).unwrap();
    // The same invoice for both, in one group: what comes by it would count as the money of two.
    let records = [payment, other].map(|of| (AT, Record::Refund(of, invoiced(PRICE.get()))));
    let outcomes = store.apply_all(records.into()).unwrap();
    let told = outcomes[1].as_ref().unwrap_err().to_string();
    assert!(outcomes[0].is_ok() && told.contains("the invoice of another refund"), "a rule says it: {told}");
    let seen = store.seen();
    assert!(is_contradiction(&apply(&mut store, other, invoiced(PRICE.get()))), "nor later");
    assert!(is_contradiction(&apply(&mut store, other, settled(1))) && store.seen() == seen);
    assert_eq!(store.refund(other).unwrap().unwrap().invoice, None);
}

pub(super) fn what_came_counts_once_and_no_sooner<S: Subject>() {
    let (mut store, _, payment) = offered::<S>();
    let before = store.sums(JUNE);
    apply(&mut store, payment, invoiced(PRICE.get() - 2_000)).unwrap();
    assert_eq!(store.sums(JUNE), before);
    apply(&mut store, payment, settled(PRICE.get() - 2_000)).unwrap();
    assert_eq!(store.sums(JUNE), Sums { refunded: 498_000, ..before });
    assert_eq!(stands(&store), (JobState::Refunded, Reason::RefundPartial));
    for record in [settled(1), waits(Reason::RefundPending), invoiced(1)] {
        assert!(is_contradiction(&apply(&mut store, payment, record)), "it is over");
    }
    assert!(store.open_refunds(None).unwrap().is_empty() && store.refund(payment).unwrap().is_none());
    assert_eq!(store.sums(JUNE), Sums { refunded: 498_000, ..before });
}

pub(super) fn what_is_more_than_was_paid_gives_no_limit_more_room<S: Subject>() {
    let (mut store, _, payment) = offered::<S>();
    apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
    assert!(is_contradiction(&apply(&mut store, payment, settled(0))), "nothing is no settlement");
    apply(&mut store, payment, settled(PRICE.get() * 2)).unwrap();
    assert_eq!(store.sums(JUNE).refunded, i64::try_from(PRICE.get()).unwrap());
    assert_eq!(stands(&store), (JobState::Refunded, Reason::None));
}

pub(super) fn limits_of_batch_day_and_month_have_room_again<S: Subject>() {
    let most = Msat::new(HOLD + FEE.get());
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most });
    let caps = [
        Caps { batch: Some(most), ..Caps::default() },
        Caps { day: period("2026-11-20"), ..Caps::default() },
        Caps { month: period("2026-11"), ..Caps::default() },
    ];
    for caps in caps {
        let (mut store, jobs, payment) = offered::<S>();
        let intent = NewIntent { caps, ..new_intent(&jobs[1], 2) };
        apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
        assert!(refused(&mut store, AT, intent.clone()).is_some());
        apply(&mut store, payment, settled(PRICE.get())).unwrap();
        assert_eq!(refused(&mut store, AT, intent), None);
    }
}

pub(super) fn an_expired_refund_is_for_a_person<S: Subject>() {
    let (mut store, _, payment) = offered::<S>();
    apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut store, payment, RefundRecord::Expired { words: "unpaid".to_owned() }).unwrap();
    assert_eq!(stands(&store), (JobState::RefundOffered, Reason::RefundExpired));
    assert!(store.open_refunds(None).unwrap().is_empty() && store.refund(payment).unwrap().is_none());
    for record in [settled(1), waits(Reason::RefundPending), invoiced(1)] {
        assert!(is_contradiction(&apply(&mut store, payment, record)));
    }
}

pub(super) fn only_reasons_of_refunds_are_said_of_one<S: Subject>() {
    let (mut store, jobs, payment) = offered::<S>();
    for reason in [Reason::RefundFailed, Reason::RefundNotPermitted, Reason::RefundOffered, Reason::RefundPending] {
        apply(&mut store, payment, waits(reason)).unwrap();
        assert_eq!(stands(&store).1, reason);
        let open = store.refund(payment).unwrap().unwrap();
        assert_eq!((open.reason, open.words.as_deref()), (reason, Some("not yet")));
    }
    assert!(is_contradiction(&apply(&mut store, payment, waits(Reason::None))));
    let other = intend(&mut store, new_intent(&jobs[1], 9));
    assert!(is_contradiction(&apply(&mut store, other, waits(Reason::RefundPending))), "none was offered");
}

pub(super) fn what_a_person_has_left_at_that_stays_so_whatever_becomes_of_the_refund<S: Subject>() {
    let (mut store, jobs, payment) = offered::<S>();
    assert_eq!(store.say(AT, jobs[0].key, Decision::Lost, None).unwrap(), Decided::Recorded);
    assert_eq!(stands(&store), (JobState::Lost, Reason::Decided));
    apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut store, payment, waits(Reason::RefundPending)).unwrap();
    assert_eq!(stands(&store), (JobState::Lost, Reason::Decided));
    apply(&mut store, payment, settled(PRICE.get())).unwrap();
    assert_eq!(stands(&store), (JobState::Refunded, Reason::None), "money that is here is here");
}

pub(super) fn a_person_leaves_a_refunded_job_at_that<S: Subject>() {
    let (mut store, jobs, payment) = offered::<S>();
    apply(&mut store, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut store, payment, settled(PRICE.get())).unwrap();
    store.say(AT, jobs[0].key, Decision::Lost, None).unwrap();
    assert_eq!(stands(&store), (JobState::Refunded, Reason::Decided));
    store.say(AT, jobs[0].key, Decision::Rebuy, None).unwrap();
    let again = store.pending(JUNE, None, 9).unwrap();
    assert_eq!(again.iter().map(|job| (job.id.as_str(), job.take)).collect::<Vec<_>>(), [("a", 2), ("b", 1)]);
}
