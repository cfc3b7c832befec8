//! The port's implementations: the thread, and the one called inline.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use tokio::task::coop;

use super::support::*;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{
    BatchKey, Committed, HistoryCheck, InlineLedger, Ledger, LedgerHandle, OpenStage, PaymentKey, Record, Recorded,
};
use crate::purchase::{JobState, WalletId};

/// The contract of the port, for every implementation.
async fn keep_the_contract(ledger: &impl Ledger, batch: BatchKey) {
    let jobs = ledger.claim(batch, 2).await.unwrap();
    assert_eq!(jobs.len(), 2);
    let rest = ledger.claim(batch, 10).await.unwrap();
    assert_eq!(rest.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["c"], "each job once");
    assert!(ledger.claim(batch, 10).await.unwrap().is_empty());
    let new = new_intent(&jobs[0], 1);
    let request = new.request.clone();
    let Committed::Intent(intent) = ledger.commit(NOW, Record::Intend(Box::new(new))).await.unwrap().committed else {
        panic!()
    };
    assert_eq!(ledger.request(intent.payment()).await.unwrap(), request);
    let open = ledger.open_jobs(Some(batch)).await.unwrap();
    assert!(matches!(open[0].stage, OpenStage::Intended(_)));
    let Committed::Paid(purchase) =
        ledger.commit(NOW, paid(intent.payment(), 1, Some(posted()))).await.unwrap().committed
    else {
        panic!()
    };
    assert!(purchase.posted());
    let node = WalletId("03payer".to_owned());
    assert!(ledger.knows_settlement(&node).await.unwrap());
    assert_eq!(
        ledger.history_check(&node, intent.payment()).await.unwrap(),
        HistoryCheck::default(),
        "itself tells nothing of the history"
    );
    assert!(ledger.identical_request(jobs[1].key, &request.digest()).await.unwrap().is_some());
    let wrong = ledger.commit(NOW, Record::SendBegun(PaymentKey(99))).await;
    assert!(is_contradiction(&wrong));
    ledger.commit(NOW, Record::Intend(Box::new(new_intent(&jobs[1], 2)))).await.unwrap();
}

#[tokio::test]
async fn the_inline_ledger_keeps_the_contract() {
    let (ledger, batch) = in_memory(&["a", "b", "c"]);
    let ledger = InlineLedger::new(ledger);
    keep_the_contract(&ledger, batch).await;
    ledger.ledger().check_money(None).unwrap();
    // Another run: what the first one claimed and never bought is pending still.
    let next: Vec<String> = ledger.clone().claim(batch, 10).await.unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(next, ["c"]);
}

#[tokio::test]
async fn the_thread_keeps_the_contract_and_gives_the_books_back() {
    let (ledger, batch) = in_memory(&["a", "b", "c"]);
    let (ledger, thread) = LedgerHandle::spawn(ledger).unwrap();
    keep_the_contract(&ledger, batch).await;
    drop(ledger);
    thread.join().unwrap().check_money(None).unwrap();
}

#[tokio::test]
async fn many_at_once_are_all_committed_each_with_its_own_answer() {
    const JOBS: u8 = 100;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path, crate::ledger::OpenMode::Write).unwrap();
    let batch = begin(&mut ledger, "june");
    let ids: Vec<String> = (0..JOBS).map(|n| format!("job{n}")).collect();
    load_ids(&mut ledger, batch, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let (ledger, thread) = LedgerHandle::spawn(ledger).unwrap();
    let jobs = Arc::new(ledger.claim(batch, 1_000).await.unwrap());
    let buy = |n: u8| {
        let (ledger, jobs) = (ledger.clone(), Arc::clone(&jobs));
        async move {
            let job = &jobs[usize::from(n)];
            let outcome = ledger.commit(NOW, Record::Intend(Box::new(new_intent(job, n)))).await.unwrap();
            let Committed::Intent(intent) = outcome.committed else { panic!("{outcome:?}") };
            assert_eq!((intent.job(), intent.hash()), (job.key, &secret(n).1));
            let wrong =
                Record::Paid { payment: intent.payment(), preimage: preimage(n + 1), answered: true, posted: None };
            assert!(is_contradiction(&ledger.commit(NOW, wrong).await));
            ledger.commit(NOW, paid(intent.payment(), n, Some(posted()))).await.unwrap();
        }
    };
    futures::future::join_all((0..JOBS).map(buy)).await;
    drop(ledger);
    let ledger = thread.join().unwrap();
    assert_eq!(ledger.counts(batch).unwrap().jobs(JobState::Paid), u64::from(JOBS));
    ledger.check_money(None).unwrap();
}

#[test]
fn what_is_read_waits_for_no_commit_of_others() {
    let (ledger, batch) = in_memory(&["a"]);
    let intend = Record::Intend(Box::new(new_intent(&pending(&ledger, batch)[0], 1)));
    let (ledger, serve) = LedgerHandle::line(ledger);
    let other = ledger.clone();
    let mut commit = async move { other.commit(NOW, intend).await }.boxed();
    let mut read = async move { ledger.open_jobs(Some(batch)).await }.boxed();
    // Both stand in line before anybody serves it.
    assert!(commit.as_mut().now_or_never().is_none());
    assert!(read.as_mut().now_or_never().is_none());
    let (committed, seen) = std::thread::scope(|scope| {
        scope.spawn(serve);
        futures::executor::block_on(futures::future::join(commit, read))
    });
    assert!(matches!(committed, Ok(Recorded { committed: Committed::Intent(_), .. })), "{committed:?}");
    assert!(seen.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_caller_stopped_waiting_for_is_committed_all_the_same() {
    let (ledger, batch) = in_memory(&["a"]);
    let (ledger, thread) = LedgerHandle::spawn(ledger).unwrap();
    let job = ledger.claim(batch, 1).await.unwrap().remove(0);
    let commit = ledger.commit(NOW, Record::Intend(Box::new(new_intent(&job, 1))));
    // Polled once: the request is sent, and its answer is never waited for.
    assert!(futures::FutureExt::now_or_never(commit).is_none_or(|outcome| outcome.is_ok()));
    drop(ledger);
    assert_eq!(thread.join().unwrap().open_jobs(None).unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_handed_over_once_a_record_is_in_line_is_carried_out_after_it() {
    let (ledger, batch) = in_memory(&["a"]);
    let (ledger, thread) = LedgerHandle::spawn(ledger).unwrap();
    let job = ledger.claim(batch, 1).await.unwrap().remove(0);
    {
        let is_in_line = Cell::new(false);
        let intend = Record::Intend(Box::new(new_intent(&job, 1)));
        let mut first = pin!(ledger.commit_in_line(NOW, intend, || is_in_line.set(true)).fuse());
        // Its task has done so much in this turn that it must wait for the next one.
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        poll_fn(|context| {
            let _answer = first.as_mut().poll(context);
            if is_in_line.get() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let next = coop::unconstrained(ledger.commit(NOW, Record::SendBegun(PaymentKey(1)))).await;
        assert!(matches!(next, Ok(Recorded { committed: Committed::Intent(_), .. })), "{next:?}");
    }
    drop(ledger);
    thread.join().unwrap();
}
