//! Batches, as commands begin them, remember of them and list them.

use super::bounds::{buy, deliver_at, pay, two};
use super::cases::{deliver, intend};
use super::{AT, Commanded, of_ledger, plan};
use crate::ledger::contract::support::new_intent;
use crate::ledger::port::{Batches, Views};
use crate::ledger::{BatchKey, BatchStart, DownloadTo, Layout, NewBatch, Remembered, ResultRow, Retake};
use crate::manifest::Limits;
use crate::money::{Msat, Sats};
use crate::purchase::Reason;

fn new(name: &str, manifest: &str) -> NewBatch {
    NewBatch { name: name.to_owned(), manifest: manifest.to_owned(), sandbox: false, adopt: false }
}

fn begin<S: Commanded>(store: &mut S, name: &str, manifest: &str) -> BatchKey {
    match store.ledger().begin_batch(AT, &new(name, manifest)).unwrap() {
        BatchStart::New(batch) => batch.key,
        other => panic!("{other:?}"),
    }
}

/// Why each job of the batch is as it is.
fn reasons<S: Commanded>(store: &mut S, batch: BatchKey) -> Vec<(String, Reason, Option<String>)> {
    let mut found = Vec::new();
    let each = &mut |row: ResultRow| {
        found.push((row.id, row.reason, row.error));
        Ok(())
    };
    store.ledger().latest_takes(batch, each).unwrap().unwrap();
    found
}

pub(super) fn a_batch_begins_once_and_goes_on_with_its_own_manifest_and_money<S: Commanded>() {
    let mut store = S::empty();
    let key = begin(&mut store, "june", "/a.toml");
    let (later, ledger) = (AT.plus_ms(7), store.ledger());
    let BatchStart::Existing(on) = ledger.begin_batch(later, &new("june", "/a.toml")).unwrap() else { panic!() };
    assert_eq!((on.key, on.created_at, on.last_run_at), (key, AT, later));
    let before = ledger.batch("june").unwrap();
    assert_eq!(before.as_ref(), Some(&on));
    let (known, given) = ("/a.toml".to_owned(), "/b.toml".to_owned());
    let other = ledger.begin_batch(AT.plus_ms(8), &new("june", "/b.toml")).unwrap();
    assert_eq!(other, BatchStart::OtherManifest { known, given });
    let play = NewBatch { sandbox: true, adopt: true, ..new("june", "/b.toml") };
    assert_eq!(ledger.begin_batch(later, &play).unwrap(), BatchStart::OtherMoney { known_is_sandbox: false });
    assert_eq!(ledger.batch("june").unwrap(), before, "nothing was written");
    let adopted = NewBatch { adopt: true, ..new("june", "/b.toml") };
    let BatchStart::Existing(adopted) = ledger.begin_batch(later, &adopted).unwrap() else { panic!() };
    assert_eq!((adopted.key, adopted.manifest.as_str()), (key, "/b.toml"));
    assert_eq!(ledger.batch("june").unwrap(), Some(adopted));
    assert_eq!(ledger.batch("May").unwrap(), None);
}

pub(super) fn what_is_remembered_of_a_batch_is_there_again<S: Commanded>() {
    let mut store = S::empty();
    let (june, july) = (begin(&mut store, "june", "/a.toml"), begin(&mut store, "july", "/a.toml"));
    let ledger = store.ledger();
    let download = DownloadTo { folder: "/films".to_owned(), name: "{id}".to_owned(), device: Some(7) };
    let layout = Layout { delimiter: ';', params: vec!["prompt".to_owned()], ..Layout::default() };
    let what = Remembered {
        layout,
        accepted: Some(Msat::new(510_000)),
        fingerprint: Some("f1".to_owned()),
        download: Some(download),
        plan: Some("5a".repeat(16)),
        ..Remembered::default()
    };
    ledger.remember(june, &what).unwrap();
    assert_eq!(ledger.batch("june").unwrap().unwrap().remembered, what);
    assert_eq!(ledger.batch("july").unwrap().unwrap().remembered, Remembered::default());
    assert!(ledger.remember(BatchKey(9), &what).is_err(), "there is no such batch");
    assert_eq!(ledger.limits(june).unwrap(), Limits::default());
    let limits = Limits { max_sats: Some(Sats::new(5_000)), ..Limits::default() };
    ledger.remember_limits(july, &limits).unwrap();
    assert_eq!((ledger.limits(july).unwrap(), ledger.limits(june).unwrap()), (limits, Limits::default()));
}

pub(super) fn batches_are_listed_in_their_order_and_those_of_a_manifest_the_newest_first<S: Commanded>() {
    let mut store = S::empty();
    for (name, manifest) in [("june", "/a.toml"), ("july", "/b.toml"), ("may", "/a.toml")] {
        begin(&mut store, name, manifest);
    }
    let ledger = store.ledger();
    let names: Vec<_> = ledger.batches().unwrap().into_iter().map(|(batch, _)| batch.name).collect();
    assert_eq!(names, ["june", "july", "may"]);
    let names: Vec<_> = ledger.batches_at("/a.toml").unwrap().into_iter().map(|batch| batch.name).collect();
    assert_eq!(names, ["may", "june"]);
    assert_eq!(ledger.name_of(BatchKey(2)).unwrap(), "july");
    assert!(ledger.name_of(BatchKey(4)).is_err());
    let id = ledger.id().unwrap();
    assert!(id.len() == 32 && id == ledger.id().unwrap(), "{id}");
}

pub(super) fn files_are_told_of_where_any_are_waited_for<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a"]), ("july", &["b"])]);
    let to = |folder: &str| DownloadTo { folder: folder.to_owned(), name: "{id}".to_owned(), device: None };
    for (batch, folder) in [(1, "/june"), (2, "/july")] {
        let what = Remembered { download: Some(to(folder)), ..Remembered::default() };
        store.ledger().remember(BatchKey(batch), &what).unwrap();
    }
    assert_eq!(store.ledger().files().unwrap(), []);
    deliver(&mut store, &jobs[1], 1);
    let files = store.ledger().files().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!((files[0].name.as_str(), &files[0].to, files[0].has_files), ("july", &to("/july"), false));
}

pub(super) fn why_jobs_were_not_bought_is_said_of_what_is_pending_alone<S: Commanded>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b", "c"])]);
    intend(&mut store, new_intent(&jobs[0], 1));
    let june = BatchKey(1);
    store.ledger().explain_jobs(&[jobs[0].key, jobs[1].key], Reason::BreakerOpen, "it delivers nothing").unwrap();
    store.ledger().explain_pending(june, Some("another"), Reason::MonthLimit, "the month is full").unwrap();
    let breaker = ("b".to_owned(), Reason::BreakerOpen, Some("it delivers nothing".to_owned()));
    let (running, plain) = (("a".to_owned(), Reason::None, None), ("c".to_owned(), Reason::None, None));
    assert_eq!(reasons(&mut store, june), [running.clone(), breaker.clone(), plain]);
    store.ledger().explain_pending(june, Some("make"), Reason::MonthLimit, "the month is full").unwrap();
    let late = ("c".to_owned(), Reason::MonthLimit, Some("the month is full".to_owned()));
    assert_eq!(reasons(&mut store, june), [running.clone(), breaker, late], "what was said stays");
    of_ledger(store.load_plan(june, AT, &Retake::default(), plan(&["a", "b", "c"]).into_iter().map(Ok))).unwrap();
    assert!(reasons(&mut store, june).iter().all(|(_, reason, _)| *reason == Reason::None), "a load begins anew");
}

pub(super) fn why_an_endpoint_gets_no_more_is_said_anew_once_it_has_delivered<S: Commanded>() {
    let (mut store, june, july) = two::<S>();
    let payments = [1, 2, 3].map(|n| {
        let payment = buy(&mut store, june, n).unwrap();
        pay(&mut store, payment, n, 500);
        payment
    });
    store.ledger().explain_pending(june, None, Reason::MonthLimit, "the month is full").unwrap();
    store.ledger().explain_pending(july, None, Reason::BreakerOpen, "it delivers nothing").unwrap();
    let full = ("d".to_owned(), Reason::MonthLimit, Some("the month is full".to_owned()));
    store.ledger().explain_held_anew(AT, 3).unwrap();
    let (_, reason, words) = reasons(&mut store, july).remove(0);
    assert_eq!(reason, Reason::AwaitingDelivery, "what is open is offered to it again");
    assert!(words.unwrap().contains("took 3 payments in a row"));
    for payment in payments {
        deliver_at(&mut store, AT, payment);
    }
    store.ledger().explain_held_anew(AT, 3).unwrap();
    assert!(reasons(&mut store, july).iter().all(|(_, reason, words)| (*reason, words) == (Reason::None, &None)));
    assert_eq!(reasons(&mut store, june)[3], full, "limits are none of its business");
}
