//! What is read back: open stages, history checks, identical requests, results, receipts, batches.

use url::Url;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchStart, ByKind, Committed, DownloadTo, HistoryCheck, IdenticalRequest, Layout, NewBatch, NewIntent, OpenJob,
    OpenStage, OutputFile, OutputKind, Outputs, PaymentKey, Posted, Record, Remembered,
};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Poll, Reason, WalletId};

fn name(job: &OpenJob) -> String {
    let stage = match &job.stage {
        OpenStage::Intended(intent) => format!("intended {}", intent.invoice()),
        OpenStage::Abandoned(intent) => format!("given up {}", intent.invoice()),
        OpenStage::Paid(purchase) => format!("paid {} redeems", purchase.redeems()),
        OpenStage::Answered(_, _, _, answer) => format!("answered {}", answer.status),
        OpenStage::Accepted(_, poll) => format!("accepted {}", poll.url),
        OpenStage::Unposted(purchase) => format!("unposted {}", purchase.posted()),
    };
    format!("{}: {stage}", job.id)
}

/// One job at each stage.
fn every_stage(ledger: &mut SqliteLedger) {
    let batch = begin(ledger, "june");
    load_ids(ledger, batch, &["asked", "doubt", "paid", "answered", "polled", "unposted", "done", "lost", "todo"]);
    let jobs = pending(ledger, batch);
    let payments: Vec<PaymentKey> =
        (1..).zip(&jobs[..8]).map(|(n, job)| intend(ledger, new_intent(job, n)).payment()).collect();
    let doubt =
        Record::Doubt { payment: payments[1], reason: Reason::PaymentInFlight, error: None, wait_until: Some(NOW) };
    ledger.apply(NOW, doubt).unwrap();
    for (place, payment) in payments.iter().enumerate().skip(2) {
        let settled = (place >= 6).then(posted);
        ledger.apply(NOW, paid(*payment, u8::try_from(place + 1).unwrap(), settled)).unwrap();
    }
    let no = answer(ledger, payments[2], 503);
    let not_yet = end(JobState::Paid, Reason::NotDelivered);
    ledger
        .apply(NOW, Record::Undelivered { payment: payments[2], answer: Some(no), heard: false, end: not_yet })
        .unwrap();
    answer(ledger, payments[3], 500);
    let accepted = answer(ledger, payments[4], 202);
    let poll = Poll { url: Url::parse("https://seller.example/poll").unwrap(), interval_ms: 5_000 };
    ledger.apply(NOW, Record::Accepted { payment: payments[4], answer: accepted, poll }).unwrap();
    for payment in [payments[5], payments[6]] {
        let answer = answer(ledger, payment, 200);
        ledger
            .apply(
                NOW,
                Record::Delivered {
                    payment,
                    answer,
                    url: "https://seller.example/v".to_owned(),
                    more: Vec::new(),
                    own: false,
                },
            )
            .unwrap();
    }
    let lost = end(JobState::Lost, Reason::CredentialRejected);
    ledger.apply(NOW, Record::Undelivered { payment: payments[7], answer: None, heard: false, end: lost }).unwrap();
}

const STAGES: [&str; 6] = [
    "asked: intended lnbc1",
    "doubt: intended lnbc2",
    "paid: paid 1 redeems",
    "answered: answered 500",
    "polled: accepted https://seller.example/poll",
    "unposted: unposted false",
];

#[test]
fn open_purchases_are_read_back_by_how_far_they_came_also_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path, crate::ledger::OpenMode::Write).unwrap();
    every_stage(&mut ledger);
    let stages = |ledger: &SqliteLedger| ledger.open_jobs(None).unwrap().iter().map(name).collect::<Vec<_>>();
    assert_eq!(stages(&ledger), STAGES);
    drop(ledger);
    let ledger = SqliteLedger::open(&path, crate::ledger::OpenMode::Write).unwrap();
    assert_eq!(stages(&ledger), STAGES);
    let june = ledger.batch("june").unwrap().unwrap().key;
    assert_eq!(ledger.open_jobs(Some(june)).unwrap().len(), STAGES.len());
    assert_eq!(ledger.open_jobs(Some(crate::ledger::BatchKey(99))).unwrap().len(), 0);
    ledger.check_money(None).unwrap();
}

#[test]
fn open_jobs_are_found_by_their_index() {
    let (ledger, _) = in_memory(&["a"]);
    let sql = format!(
        "EXPLAIN QUERY PLAN SELECT 1 FROM payments p JOIN jobs j ON j.id = p.job WHERE p.batch = 1 AND {}",
        super::super::schema::OPEN_PAYMENT
    );
    let plan: Vec<String> =
        ledger.conn.prepare(&sql).unwrap().query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    assert!(plan.iter().any(|step| step.contains("payments_open")), "{plan:?}");
}

#[test]
fn a_purchase_holds_its_credential_and_its_request_to_the_byte() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let new = new_intent(&job, 1);
    let request = new.request.clone();
    let intent = intend(&mut ledger, new);
    assert_eq!((intent.amount(), intent.fee_limit(), intent.hash()), (PRICE, FEE_CEILING, &secret(1).1));
    assert_eq!((intent.sends_begun(), intent.sends_answered()), (1, 0));
    assert_eq!(ledger.request(intent.payment()).unwrap(), request);
    ledger.apply(NOW, paid(intent.payment(), 1, None)).unwrap();
    let open = ledger.open_jobs(None).unwrap().remove(0);
    let OpenStage::Paid(purchase) = open.stage else { panic!("{:?}", open.stage) };
    assert_eq!(purchase.credential().token.reveal(), "token1");
    assert_eq!(purchase.credential().preimage, preimage(1));
    assert_eq!(purchase.intent().sends_answered(), 1);

    ledger.conn.execute("UPDATE intents SET body = x'00'", []).unwrap();
    assert!(ledger.request(intent.payment()).unwrap_err().to_string().contains("damaged"));
}

#[test]
fn an_interpreted_answer_is_not_interpreted_again() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
    ledger.apply(NOW, paid(payment, 1, None)).unwrap();
    answer(&mut ledger, payment, 200);
    let second = answer(&mut ledger, payment, 200);
    let end = end(JobState::Paid, Reason::UnknownAnswer);
    ledger.apply(NOW, Record::Undelivered { payment, answer: Some(second), heard: false, end }).unwrap();
    let open = ledger.open_jobs(None).unwrap().remove(0);
    assert_eq!(name(&open), "a: paid 2 redeems");
    assert_eq!(open.reason, Reason::UnknownAnswer);
}

#[test]
fn the_history_check_is_what_settled_before_and_since() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c", "d"]);
    let node = WalletId("03payer".to_owned());
    let jobs = pending(&ledger, batch);
    let mut intents = Vec::new();
    for (place, n) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let record = Record::Intend(Box::new(new_intent(&jobs[place], n)));
        let Committed::Intent(intent) = ledger.apply(NOW.plus_ms(i64::from(n)), record).unwrap() else { panic!() };
        intents.push(intent.payment());
    }
    assert_eq!(ledger.history_check(&node, intents[0]).unwrap(), HistoryCheck::default());
    assert!(!ledger.knows_settlement(&node).unwrap());
    // The node has numbered its payments anew: the last one has the lowest index.
    let mut settle = |n: u8, at: i64, index| {
        let posted = Some(Posted { fee: FEE, payment_index: Some(index) });
        ledger.apply(NOW.plus_ms(at), paid(intents[usize::from(n) - 1], n, posted)).unwrap();
    };
    settle(1, 2, 9);
    settle(4, 10, 8);
    settle(3, 20, 1);
    let hashes = |of: &[u8]| of.iter().map(|n| secret(*n).1).collect::<Vec<_>>();
    let of = |n: usize| ledger.history_check(&node, intents[n - 1]).unwrap();
    assert_eq!(of(2), HistoryCheck { settled: hashes(&[1, 3, 4]), is_earlier: true });
    assert_eq!(
        of(1),
        HistoryCheck { settled: hashes(&[3, 4]), is_earlier: false },
        "what settled since says nothing of before"
    );
    assert_eq!(
        of(3),
        HistoryCheck { settled: hashes(&[1, 4]), is_earlier: true },
        "itself tells nothing of the history"
    );
    assert!(ledger.knows_settlement(&node).unwrap());
    assert_eq!(ledger.history_check(&WalletId("03other".to_owned()), intents[1]).unwrap(), HistoryCheck::default());
}

#[test]
fn the_first_settlement_that_is_kept_stays_and_counts_from_then_on() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let node = WalletId("03payer".to_owned());
    let jobs = pending(&ledger, batch);
    let early = intend(&mut ledger, new_intent(&jobs[0], 1)).payment();
    for n in [7, 8] {
        ledger
            .apply(NOW.plus_ms(i64::from(n)), Record::KeptSettlement { node: node.clone(), hash: secret(n).1 })
            .unwrap();
    }
    let record = Record::Intend(Box::new(new_intent(&jobs[1], 2)));
    let Committed::Intent(late) = ledger.apply(NOW.plus_ms(7), record).unwrap() else { panic!() };
    assert!(ledger.knows_settlement(&node).unwrap());
    assert_eq!(
        ledger.history_check(&node, early).unwrap(),
        HistoryCheck::default(),
        "it may have been kept after a restoration"
    );
    let kept = HistoryCheck { settled: vec![secret(7).1], is_earlier: true };
    assert_eq!(ledger.history_check(&node, late.payment()).unwrap(), kept);
}

#[test]
fn the_result_of_an_identical_request_is_no_second_one() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let batch = begin(&mut ledger, "june");
    load_ids(&mut ledger, batch, &["one", "two", "other"]);
    let jobs = pending(&ledger, batch);
    let mut bought = Vec::new();
    for (n, job) in (1..).zip(&jobs) {
        let mut new = new_intent(job, n);
        new.request = request(job, if job.id == "other" { b"{}".to_vec() } else { b"{\"same\":1}".to_vec() });
        let payment = intend(&mut ledger, new).payment();
        ledger.apply(NOW, paid(payment, n, Some(posted()))).unwrap();
        bought.push((payment, answer(&mut ledger, payment, 200)));
    }
    let deliver = |ledger: &mut SqliteLedger, at: usize, url: &str, own: bool| {
        let (payment, answer) = bought[at];
        ledger.apply(NOW, Record::Delivered { payment, answer, url: url.to_owned(), more: Vec::new(), own }).unwrap()
    };
    assert!(matches!(deliver(&mut ledger, 0, "https://s.example/1", true), Committed::Done));
    assert!(matches!(deliver(&mut ledger, 1, "https://s.example/1", true), Committed::NotItsOwn));
    let stage = ledger.open_jobs(None).unwrap().iter().find(|job| job.id == "two").map(name);
    assert_eq!(stage.as_deref(), Some("two: answered 200"), "nothing was written");
    assert!(matches!(deliver(&mut ledger, 2, "https://s.example/1", true), Committed::Done), "another request");
    assert!(matches!(deliver(&mut ledger, 1, "https://s.example/1", false), Committed::Done), "it may be");
}

#[test]
fn an_identical_request_is_another_purchase_of_the_same_request_in_any_batch() {
    let (mut ledger, june) = in_memory(&["a"]);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &["a"]);
    let (first, second) = (pending(&ledger, june).remove(0), pending(&ledger, july).remove(0));
    let identical = |last_at| IdenticalRequest {
        batch: "june".to_owned(),
        id: "a".to_owned(),
        open: false,
        awaiting: false,
        last_at,
    };
    let digest = new_intent(&first, 1).request.digest();
    assert_eq!(ledger.identical_request(second.key, &digest).unwrap(), None);
    let payment = intend(&mut ledger, new_intent(&first, 1)).payment();
    assert_eq!(ledger.identical_request(first.key, &digest).unwrap(), None, "it is not another");
    assert_eq!(ledger.identical_request(second.key, &[0; 32]).unwrap(), None, "another request");
    assert_eq!(
        ledger.identical_request(second.key, &digest).unwrap(),
        Some(IdenticalRequest { open: true, awaiting: true, ..identical(NOW) })
    );
    ledger.apply(NOW, paid(payment, 1, None)).unwrap();
    let later = NOW.plus_ms(50);
    let record = Record::Answer { payment, kind: crate::ledger::AnswerKind::Redeem, answer: http(200) };
    let crate::ledger::Committed::Answer(answer) = ledger.apply(later, record).unwrap() else { panic!() };
    ledger
        .apply(
            NOW,
            Record::Delivered { payment, answer, url: "https://s.example/v".to_owned(), more: Vec::new(), own: false },
        )
        .unwrap();
    assert_eq!(ledger.identical_request(second.key, &digest).unwrap(), Some(identical(later)));
}

#[test]
fn results_and_receipts_show_what_happened() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let job = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &job, 1);
    let (mut results, mut receipts) = (Vec::new(), Vec::new());
    ledger
        .results(batch, &mut |row| {
            results.push(row);
            Ok(())
        })
        .unwrap()
        .unwrap();
    ledger
        .receipts(batch, &mut |row| {
            receipts.push(row);
            Ok(())
        })
        .unwrap()
        .unwrap();
    let (a, b) = (&results[0], &results[1]);
    assert_eq!((a.fee, a.attempts, a.next, a.line), (Some(FEE), 1, Next::None, 7));
    assert_eq!((a.started_at, a.finished_at), (Some(NOW), Some(NOW)));
    assert_eq!(a.url.as_deref(), Some("https://seller.example/v/1"));
    assert_eq!((b.fee, b.attempts, b.next), (None, 0, Next::Rerun));
    let receipt = &receipts[0];
    assert_eq!((receipts.len(), receipt.amount, receipt.fee), (1, PRICE, Some(FEE)));
    assert_eq!((receipt.seller.as_str(), receipt.hash), ("seller.example", secret(1).1));
    assert_eq!(receipt.preimage, preimage(1).reveal_hex());

    let stopped = ledger.results(batch, &mut |_| Err(std::io::Error::other("pipe closed"))).unwrap();
    assert!(stopped.is_err(), "an error of the writer ends the reading");
}

#[test]
fn a_batch_is_found_again_and_remembers() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let mut new = NewBatch { name: "june".to_owned(), manifest: "/a/jobs.csv".to_owned(), sandbox: true, adopt: false };
    let BatchStart::New(batch) = ledger.begin_batch(NOW, &new).unwrap() else { panic!() };
    let what = Remembered {
        layout: Layout { delimiter: ';', bom: true, params: vec!["prompt".to_owned()], extra: vec!["x_a".to_owned()] },
        outputs: Outputs {
            files: ByKind::of(|kind| OutputFile {
                path: Some(format!("/a/jobs.{kind}.csv")),
                written: kind == OutputKind::Results,
            }),
            unknown: [("html".to_owned(), "/a/jobs.html".into())].into_iter().collect(),
        },
        accepted: Some(Msat::new(9)),
        fingerprint: Some("f".to_owned()),
        download: Some(DownloadTo { folder: "/a/videos".to_owned(), name: "{id}".to_owned(), device: Some(7) }),
        plan: Some("5a".repeat(16)),
    };
    ledger.remember(batch.key, &what).unwrap();
    let BatchStart::Existing(known) = ledger.begin_batch(NOW, &new).unwrap() else { panic!() };
    assert_eq!(known.remembered, what);
    assert_eq!(ledger.batches_at("/a/jobs.csv").unwrap(), [known]);

    new.manifest = "/b/jobs.csv".to_owned();
    let other = BatchStart::OtherManifest { known: "/a/jobs.csv".to_owned(), given: "/b/jobs.csv".to_owned() };
    assert_eq!(ledger.begin_batch(NOW, &new).unwrap(), other);
    new.adopt = true;
    assert!(matches!(ledger.begin_batch(NOW, &new).unwrap(), BatchStart::Existing(_)));
    assert_eq!(ledger.batch("june").unwrap().unwrap().manifest, "/b/jobs.csv");
    new.sandbox = false;
    assert_eq!(ledger.begin_batch(NOW, &new).unwrap(), BatchStart::OtherMoney { known_is_sandbox: true });
    assert_eq!(ledger.batches().unwrap().len(), 1);
}

#[test]
fn play_money_is_of_no_network() {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let new = NewBatch { name: "s".to_owned(), manifest: "-".to_owned(), sandbox: true, adopt: false };
    let BatchStart::New(batch) = ledger.begin_batch(NOW, &new).unwrap() else { panic!() };
    load_ids(&mut ledger, batch.key, &["a"]);
    let job = pending(&ledger, batch.key).remove(0);
    let payment = intend(&mut ledger, NewIntent { fee_limit: Msat::ZERO, ..new_intent(&job, 1) }).payment();
    ledger.apply(NOW, paid(payment, 1, None)).unwrap();
    let mut networks = Vec::new();
    ledger
        .receipts(batch.key, &mut |row| {
            networks.push((row.network, row.fee));
            Ok(())
        })
        .unwrap()
        .unwrap();
    assert_eq!(networks, [(None, None)]);
}
