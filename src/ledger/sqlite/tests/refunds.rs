//! Records about refunds: one invoice each, ever, and money that counts as back when our own node has it.

use rusqlite::params;
use url::Url;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    AnswerKey, AnswerKind, BatchKey, Caps, Committed, Decision, LedgerError, OpenJob, OpenMode, OpenStage, PaymentKey,
    PeriodCap, ReceiptKind, Record, RefundInvoice, RefundRecord, Retake,
};
use crate::money::Msat;
use crate::purchase::{HttpAnswer, JobState, Reason, WalletId};

fn invoice(amount: u64) -> RefundInvoice {
    RefundInvoice {
        invoice: "lnbc1back".to_owned(),
        hash: secret(200).1,
        amount: Msat::new(amount),
        expires_at: NOW.plus_ms(1_000_000),
        node: WalletId("03payer".to_owned()),
        callback: Url::parse("https://seller.example/cb").unwrap(),
        k1: "k1".to_owned(),
    }
}

fn apply(ledger: &mut SqliteLedger, payment: PaymentKey, record: RefundRecord) -> Result<Committed, LedgerError> {
    ledger.apply(NOW, Record::Refund(payment, record))
}

fn invoiced(amount: u64) -> RefundRecord {
    RefundRecord::Invoiced(Box::new(invoice(amount)))
}

fn settled(received: u64) -> RefundRecord {
    RefundRecord::Settled { received: Msat::new(received) }
}

fn waits(reason: Reason) -> RefundRecord {
    RefundRecord::Waits { reason, words: "not yet".to_owned() }
}

/// A paid job, charged to a day and a month, whose origin offers the money back.
fn offered(ledger: &mut SqliteLedger, batch: BatchKey, n: u8) -> PaymentKey {
    let job = pending(ledger, batch).remove(0);
    let period = |name: &str| Some(PeriodCap { period: name.to_owned(), most: Msat::new(u64::MAX) });
    let caps = Caps { day: period("2026-11-20"), month: period("2026-11"), ..Caps::default() };
    let payment = intend(ledger, crate::ledger::NewIntent { caps, ..new_intent(&job, n) }).payment();
    ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
    let answer = answer(ledger, payment, 502);
    let offer =
        RefundRecord::Offered { answer, link: Some("LNURL1X".to_owned()), message: "HTTP 502: no gpu".to_owned() };
    apply(ledger, payment, offer).unwrap();
    payment
}

fn begun() -> (SqliteLedger, BatchKey, PaymentKey) {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let payment = offered(&mut ledger, batch, 1);
    (ledger, batch, payment)
}

#[test]
fn an_offer_without_a_link_is_listed_and_not_open() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut ledger, payment, 502);
    let offer = RefundRecord::Offered { answer, link: None, message: "no".to_owned() };
    apply(&mut ledger, payment, offer).unwrap();
    assert_eq!(standing(&ledger, batch)[0].3, Reason::RefundFailed);
    assert!(ledger.open_refunds(None).unwrap().is_empty());
    assert_eq!(ledger.refunds(None).unwrap().len(), 1);
}

#[test]
fn a_refund_has_one_invoice_ever() {
    let (mut ledger, batch, payment) = begun();
    for record in [settled(1), RefundRecord::Expired { words: "no".to_owned() }] {
        assert!(is_contradiction(&apply(&mut ledger, payment, record)), "nothing was handed over");
    }
    assert!(is_contradiction(&apply(&mut ledger, payment, invoiced(PRICE.get() + 1))), "more than was paid");
    apply(&mut ledger, payment, invoiced(PRICE.get())).unwrap();
    assert_eq!(standing(&ledger, batch)[0].3, Reason::RefundPending);
    assert!(is_contradiction(&apply(&mut ledger, payment, invoiced(PRICE.get()))));
    let callback = Url::parse("https://seller.example/cb2").unwrap();
    apply(&mut ledger, payment, RefundRecord::HandedOver { callback, k1: "k2".to_owned() }).unwrap();
    let refund = ledger.refund(payment).unwrap().unwrap();
    let known = refund.invoice.unwrap();
    assert_eq!((known.invoice(), *known.hash(), known.amount()), ("lnbc1back", secret(200).1, PRICE));
    assert_eq!(ledger.refunds(None).unwrap()[0].invoice.as_ref().unwrap().handovers, 2);
    let replaced = ledger.conn.execute("UPDATE refunds SET hash = ?1", params![secret(201).1]);
    assert!(replaced.unwrap_err().to_string().contains("one invoice, ever"));
}

#[test]
fn an_invoice_serves_one_refund() {
    let (mut ledger, batch, first) = begun();
    let second = offered(&mut ledger, batch, 2);
    apply(&mut ledger, first, invoiced(PRICE.get())).unwrap();
    assert!(apply(&mut ledger, second, invoiced(PRICE.get())).is_err());
}

#[test]
fn the_tables_themselves_let_an_invoice_serve_one_refund_and_a_refund_have_one_invoice() {
    let (mut ledger, batch, first) = begun();
    let second = offered(&mut ledger, batch, 2);
    apply(&mut ledger, first, invoiced(PRICE.get())).unwrap();
    let columns = "invoice, amount_msat, node, made_at, expires_at, callback, k1, handovers";
    let as_the_first = |hash: &str| {
        let sql = format!(
            "UPDATE refunds SET (state, hash, {columns}) =
                 (SELECT f.state, {hash}, {columns} FROM refunds f WHERE f.payment = ?1) WHERE payment = ?2"
        );
        ledger.conn.execute(&sql, [first.0, second.0]).map_err(|error| error.to_string())
    };
    assert_eq!(as_the_first("f.hash"), Err("UNIQUE constraint failed: refunds.hash".to_owned()));
    assert_eq!(as_the_first("randomblob(32)"), Ok(1), "but for its hash nothing stood against it");
    assert_eq!(as_the_first("randomblob(32)"), Err("a refund has one invoice, ever".to_owned()));
}

#[test]
fn what_came_counts_in_every_sum_and_no_sooner() {
    let (mut ledger, batch, payment) = begun();
    apply(&mut ledger, payment, invoiced(PRICE.get() - 2_000)).unwrap();
    assert_eq!(ledger.counts(batch).unwrap().refunded, Msat::ZERO);
    apply(&mut ledger, payment, settled(PRICE.get() - 2_000)).unwrap();
    let counts = ledger.counts(batch).unwrap();
    assert_eq!((counts.spent, counts.refunded), (PRICE, Msat::new(498_000)));
    assert_eq!(counts.net_spent(), Msat::new(2_000));
    ledger.check_money(None).unwrap();
    assert_eq!(standing(&ledger, batch)[0], ("a".to_owned(), 1, JobState::Refunded, Reason::RefundPartial));
    for record in [settled(1), waits(Reason::RefundPending), invoiced(1)] {
        assert!(is_contradiction(&apply(&mut ledger, payment, record)), "it is over");
    }
    assert!(ledger.open_refunds(None).unwrap().is_empty() && ledger.refund(payment).unwrap().is_none());
    ledger.conn.execute("UPDATE batches SET refunded_msat = refunded_msat + 1", []).unwrap();
    assert!(ledger.check_money(None).is_err(), "a sum that differs is noticed");
}

#[test]
fn a_refund_is_a_receipt_with_its_direction() {
    let (mut ledger, batch, payment) = begun();
    apply(&mut ledger, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut ledger, payment, settled(PRICE.get())).unwrap();
    let mut rows = Vec::new();
    let read = ledger.receipts(batch, &mut |row| {
        rows.push(row);
        Ok(())
    });
    read.unwrap().unwrap();
    let [out, back] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((out.kind, back.kind), (ReceiptKind::Payment, ReceiptKind::Refund));
    assert_eq!((back.id.as_str(), back.amount, back.fee), ("a", PRICE, Some(Msat::ZERO)));
    assert_eq!((back.hash, back.invoice.as_str()), (secret(200).1, "lnbc1back"));
    assert_eq!((back.payee_node.as_str(), back.payer_node.as_str(), back.preimage.as_str()), ("03payer", "", ""));
    assert_eq!(back.seller, "seller.example");
    assert!(ledger.knows(&secret(200).1).unwrap(), "receipts that hold it are no evidence against the ledger");
    // Each is found by its hash, whatever another payment's rows hold.
    let other = offered(&mut ledger, batch, 2);
    ledger
        .conn
        .execute_batch("PRAGMA ignore_check_constraints = ON; UPDATE intents SET network = 'moon' WHERE payment = 2")
        .unwrap();
    assert!(other == PaymentKey(2) && ledger.receipts(batch, &mut |_| Ok(())).is_err(), "the test would notice");
    for row in &rows {
        assert_eq!(ledger.receipt(&row.hash).unwrap().as_ref(), Some(row));
    }
    assert_eq!(ledger.payment_receipt(&out.batch, "a", 1).unwrap().as_ref(), Some(out));
    assert!(
        ledger.payment_receipt(&out.batch, "a", 2).unwrap().is_none()
            && ledger.receipt(&secret(9).1).unwrap().is_none()
    );
}

#[test]
fn a_refunded_job_is_bought_again_by_the_user_s_word_alone() {
    let endpoint = endpoint();
    let jobs = || vec![planned(&endpoint, "a", "a"), planned(&endpoint, "b", "b")];
    let (mut ledger, batch, payment) = begun();
    let refunded = Retake { refunded: true, ..Retake::default() };
    load(&mut ledger, batch, &refunded, jobs());
    assert_eq!(standing(&ledger, batch)[0].1, 1, "it is not back yet");
    apply(&mut ledger, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut ledger, payment, settled(PRICE.get())).unwrap();
    load(&mut ledger, batch, &Retake::default(), jobs());
    load(&mut ledger, batch, &Retake { changed: true, ..Retake::default() }, jobs());
    assert_eq!(standing(&ledger, batch)[0].1, 1);
    let found = load(&mut ledger, batch, &refunded, jobs());
    assert_eq!(found.retaken.first, ["a"]);
    assert_eq!(standing(&ledger, batch)[0], ("a".to_owned(), 2, JobState::Pending, Reason::None));
    ledger.accept_takes(NOW, batch).unwrap();
    let job = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &job, 3);
    let counts = ledger.counts(batch).unwrap();
    assert_eq!((counts.spent.get(), counts.net_spent()), (2 * PRICE.get(), PRICE));
    ledger.check_money(None).unwrap();
}

#[test]
fn a_link_is_shown_nowhere_but_in_its_own_place() {
    let (mut ledger, batch, payment) = begun();
    apply(&mut ledger, payment, waits(Reason::RefundFailed)).unwrap();
    let record = ledger.takes(batch, "a").unwrap().remove(0);
    let refund = record.refund.unwrap();
    assert_eq!((refund.link.as_deref(), refund.words.as_deref()), (Some("LNURL1X"), Some("not yet")));
    let shown = format!("{:?}", ledger.refund(payment).unwrap());
    assert!(!shown.contains("LNURL1X"), "{shown}");
    let debug = format!("{:?}", Record::Refund(payment, invoiced(1)));
    assert!(!debug.contains("k1") && !debug.contains("lnbc1back"), "{debug}");
}

#[test]
fn what_a_person_has_left_at_that_is_bought_again_by_its_name_alone() {
    let endpoint = endpoint();
    let jobs = || vec![planned(&endpoint, "a", "a"), planned(&endpoint, "b", "b")];
    let (mut ledger, batch, payment) = begun();
    apply(&mut ledger, payment, invoiced(PRICE.get())).unwrap();
    apply(&mut ledger, payment, settled(PRICE.get())).unwrap();
    let job = ledger.undecided(batch, "a").unwrap().unwrap().job;
    ledger.decide(NOW, job, Decision::Lost, "not wanted any more", "", None).unwrap();
    load(&mut ledger, batch, &Retake { refunded: true, ..Retake::default() }, jobs());
    assert_eq!(standing(&ledger, batch)[0].1, 1, "the person said to leave it at that");
    let named = word("a", 1);
    load(&mut ledger, batch, &named, jobs());
    assert_eq!(standing(&ledger, batch)[0].1, 2);
}

#[test]
fn a_large_body_goes_once_the_money_is_here() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let open = || SqliteLedger::open(&path, OpenMode::Write).unwrap();
    let files = || std::fs::read_dir(folder.path().join("ledger.db.bodies")).unwrap().count();
    let mut ledger = open();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["a"]);
    let job = pending(&ledger, batch).remove(0);
    let mut intent = new_intent(&job, 1);
    intent.request = request(&job, vec![b'x'; 64 * 1024 + 1]);
    let payment = intend(&mut ledger, intent).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let answer = answer(&mut ledger, payment, 502);
    let offer = RefundRecord::Offered { answer, link: Some("LNURL1X".to_owned()), message: "no gpu".to_owned() };
    for record in [offer, invoiced(1_000)] {
        apply(&mut ledger, payment, record).unwrap();
        drop(ledger);
        ledger = open();
        assert_eq!(files(), 1, "while the money is not here, it may be needed for a complaint");
    }
    apply(&mut ledger, payment, settled(1_000)).unwrap();
    drop((ledger, open()));
    assert_eq!(files(), 0);
}

#[test]
fn what_is_delivered_is_not_given_back() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = deliver(&mut ledger, &job, 1);
    let answer = AnswerKey(1);
    let offer = RefundRecord::Offered { answer, link: Some("l".to_owned()), message: "no".to_owned() };
    assert!(is_contradiction(&apply(&mut ledger, payment, offer)));
    assert_eq!(standing(&ledger, batch)[0].2, JobState::Delivered);
    assert!(ledger.refunds(None).unwrap().is_empty());
}

/// The process ends between the answer and what it means.
#[test]
fn an_answer_is_read_again_as_long_as_it_came() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, Some(posted()))).unwrap();
    let body = format!(r#"{{"trace":"{}","refund":{{"lnurl_withdraw":"lnurl1x"}}}}"#, "x".repeat(70_000)).into_bytes();
    let answer = HttpAnswer { status: 502, headers: Vec::new(), body };
    let kept = Record::Answer { payment, kind: AnswerKind::Redeem, answer: answer.clone() };
    let Committed::Answer(key) = ledger.apply(NOW, kept).unwrap() else { panic!("no answer") };
    let open = ledger.open_jobs(Some(batch)).unwrap();
    let [OpenJob { stage: OpenStage::Answered(.., known), .. }] = &open[..] else { panic!("{open:?}") };
    assert_eq!(*known, answer);
    let offer = RefundRecord::Offered { answer: key, link: Some("lnurl1x".to_owned()), message: "no".to_owned() };
    apply(&mut ledger, payment, offer).unwrap();
    let bytes: i64 = ledger.conn.query_row("SELECT length(body) FROM answers", [], |row| row.get(0)).unwrap();
    assert_eq!(bytes, 64 * 1024, "a complaint needs no more");
}
