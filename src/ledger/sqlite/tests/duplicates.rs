//! The same purchase under another name: which counts, and for how long.

use std::convert::Infallible;
use std::sync::Arc;

use rusqlite::trace::TraceEventCodes;

use super::support::*;
use crate::catalog::{Endpoint, Param, ParamKind, Place, Value};
use crate::l402::Network;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::sqlite::duplicates::beside;
use crate::ledger::sqlite::store::Rows;
use crate::ledger::{
    BatchKey, Committed, Compared, DeadProof, Duplicates, IntentRefusal, JobEnd, NewIntent, PaymentKey, Record, Retake,
};
use crate::manifest::Nonce;
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason, Request};

fn aside(ledger: &mut SqliteLedger, batch: BatchKey) -> Duplicates {
    ledger.set_duplicates_aside(batch, NOW, &Compared::default()).unwrap()
}

/// A second batch with one job of the content `a`, under the id `b`.
fn july(ledger: &mut SqliteLedger) -> BatchKey {
    let july = begin(ledger, "july");
    load(ledger, july, &Retake::default(), vec![planned(&endpoint(), "b", "a")]);
    july
}

fn intend(ledger: &mut SqliteLedger, batch: BatchKey, n: u8) -> Committed {
    let job = pending(ledger, batch).remove(0);
    ledger.apply(NOW, Record::Intend(Box::new(new_intent(&job, n)))).unwrap()
}

#[test]
fn what_is_open_paid_delivered_or_lost_counts_and_what_is_dead_does_not() {
    let (mut ledger, june) = in_memory(&["a"]);
    let july = july(&mut ledger);
    assert_eq!(aside(&mut ledger, july).count, 0, "nothing is bought yet");
    assert!(matches!(intend(&mut ledger, june, 1), Committed::Intent(_)));
    let payment = PaymentKey(1);
    let found = aside(&mut ledger, july);
    assert_eq!((found.count, found.price, found.first[0].0.as_str()), (1, PRICE, "b"));
    assert_eq!((found.first[0].1.id.as_str(), found.first[0].1.batch.as_str()), ("a", "june"));
    assert_eq!(pending(&ledger, july).len(), 0);
    assert_eq!(aside(&mut ledger, july).count, 1, "and it stays aside");
    let end = JobEnd { state: JobState::Failed, reason: Reason::NoRoute, error: None };
    ledger.apply(NOW, Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end }).unwrap();
    assert_eq!(aside(&mut ledger, july).count, 0, "its hash is dead");
    assert_eq!(pending(&ledger, july).len(), 1);

    load_ids(&mut ledger, june, &["a"]);
    assert!(matches!(intend(&mut ledger, june, 2), Committed::Intent(_)));
    ledger.apply(NOW, paid(PaymentKey(2), 2, None)).unwrap();
    assert_eq!(aside(&mut ledger, july).count, 1, "paid");
    for state in ["delivered", "downloaded", "lost", "refund_offered", "in_doubt", "refunded"] {
        let sql = "UPDATE jobs SET state = ?1, url = 'u', file = 'f', file_key = 'f', sha256 = 's' WHERE job = 'a'";
        ledger.conn.execute(sql, [state]).unwrap();
        assert_eq!(aside(&mut ledger, july).count, u64::from(state != "refunded"), "{state}");
    }
}

#[test]
fn the_intent_compares_requests_in_its_transaction() {
    let (mut ledger, june) = in_memory(&["a"]);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &["a"]);
    let second = pending(&ledger, july).remove(0);
    assert!(matches!(intend(&mut ledger, june, 1), Committed::Intent(_)));
    let refused = ledger.apply(NOW, Record::Intend(Box::new(new_intent(&second, 2)))).unwrap();
    let Committed::IntentRefused(IntentRefusal::Duplicate(original)) = refused else { panic!("{refused:?}") };
    assert_eq!((original.batch.as_str(), original.id.as_str()), ("june", "a"));
    assert_eq!(ledger.counts(july).unwrap().held, crate::money::Msat::ZERO);
    // Of another network or edition it is another purchase, and a person may mean it.
    let digest = new_intent(&second, 2).request.digest();
    let seen =
        |ledger: &SqliteLedger, network| ledger.bought_elsewhere(second.key, &digest, network).unwrap().is_some();
    let network = new_intent(&second, 2).network;
    let other = if network == Network::Mainnet { Network::Regtest } else { Network::Mainnet };
    assert!(seen(&ledger, network) && !seen(&ledger, other));
    ledger.conn.execute("UPDATE jobs SET edition = 'x' WHERE id = 2", []).unwrap();
    assert!(seen(&ledger, network), "what was bought in none was bought in all");
    ledger.conn.execute("UPDATE jobs SET edition = 'y' WHERE id = 1", []).unwrap();
    assert!(!seen(&ledger, network));
    ledger.conn.execute("UPDATE jobs SET edition = '', meant = (id = 2)", []).unwrap();
    assert!(!seen(&ledger, network));
    assert!(matches!(intend(&mut ledger, july, 2), Committed::Intent(_)));
}

/// As when a plan is loaded: two batches that were loaded before either bought anything meet here.
#[test]
fn at_the_intent_counts_what_counts_at_the_load() {
    let (mut ledger, june) = in_memory(&["a"]);
    let july = begin(&mut ledger, "july");
    load_ids(&mut ledger, july, &["a"]);
    let second = pending(&ledger, july).remove(0);
    assert!(matches!(intend(&mut ledger, june, 1), Committed::Intent(_)));
    ledger.apply(NOW, paid(PaymentKey(1), 1, None)).unwrap();
    let digest = new_intent(&second, 2).request.digest();
    let counts =
        |ledger: &SqliteLedger| ledger.bought_elsewhere(second.key, &digest, Network::Regtest).unwrap().is_some();
    for state in
        ["running", "in_doubt", "paid", "delivered", "downloaded", "refund_offered", "lost", "refunded", "failed"]
    {
        let sql = "UPDATE jobs SET state = ?1, url = 'u', file = 'f', file_key = 'f', sha256 = 's' WHERE id = 1";
        ledger.conn.execute(sql, [state]).unwrap();
        assert_eq!(counts(&ledger), !["refunded", "failed"].contains(&state), "{state}");
    }
    ledger.conn.execute("UPDATE jobs SET state = 'delivered' WHERE id = 1", []).unwrap();
    for batch in ["june", "july"] {
        ledger.conn.execute("UPDATE batches SET sandbox = (name = ?1)", [batch]).unwrap();
        assert!(!counts(&ledger), "{batch} is play money");
    }
    ledger.conn.execute("UPDATE batches SET sandbox = 0", []).unwrap();
    assert!(counts(&ledger));
    let dead = "UPDATE payments SET state = 'dead', preimage = NULL, dead_proof = 'failed_and_answered'";
    ledger.conn.execute(dead, []).unwrap();
    assert!(!counts(&ledger), "its payment is dead");
}

/// Two rows of one manifest with one request, and a third one of another manifest.
#[test]
fn at_the_intent_identical_rows_of_one_manifest_are_both_meant() {
    let endpoint = endpoint();
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let (june, july) = (begin(&mut ledger, "june"), begin(&mut ledger, "july"));
    load(&mut ledger, june, &Retake::default(), vec![planned(&endpoint, "a", "x"), planned(&endpoint, "b", "x")]);
    load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint, "c", "x")]);
    let (identicals, third) = (pending(&ledger, june), pending(&ledger, july).remove(0));
    let request = new_intent(&identicals[0], 1).request;
    let mut intend = |job: &crate::ledger::PendingJob, n: u8| {
        let intent = crate::ledger::NewIntent { request: request.clone(), ..new_intent(job, n) };
        ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap()
    };
    assert!(matches!(intend(&identicals[0], 1), Committed::Intent(_)));
    let refused = intend(&third, 2);
    assert!(matches!(refused, Committed::IntentRefused(IntentRefusal::Duplicate(_))), "{refused:?}");
    assert!(matches!(intend(&identicals[1], 3), Committed::Intent(_)));
}

#[test]
fn another_network_and_play_money_do_not_count() {
    let (mut ledger, june) = in_memory(&["a"]);
    let july = july(&mut ledger);
    intend(&mut ledger, june, 1);
    let other = Compared { network: Some(Network::Signet), ..Compared::default() };
    assert_eq!(ledger.set_duplicates_aside(july, NOW, &other).unwrap().count, 0);
    assert_eq!(aside(&mut ledger, july).count, 1);
    ledger.conn.execute("UPDATE batches SET sandbox = 1 WHERE name = 'june'", []).unwrap();
    assert_eq!(aside(&mut ledger, july).count, 0, "the original is play money");
    ledger.conn.execute("UPDATE batches SET sandbox = NOT sandbox", []).unwrap();
    assert_eq!(aside(&mut ledger, july).count, 0, "the job is play money");
}

#[test]
fn a_purchase_is_a_row_of_the_manifest_only_under_its_own_id_and_content() {
    let endpoint = endpoint();
    let (mut ledger, june) = in_memory(&["a"]);
    intend(&mut ledger, june, 1);
    let rows = |pairs: &[(&str, &str)]| pairs.iter().map(|(id, prompt)| planned(&endpoint, id, prompt)).collect();
    let load = |ledger: &mut SqliteLedger, pairs: &[(&str, &str)]| {
        let foreseen = foreseen(ledger, june, &Retake::default(), rows(pairs));
        load(ledger, june, &Retake::default(), rows(pairs));
        let aside = aside(ledger, june).first.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let bought: Vec<_> = pending(ledger, june).into_iter().map(|job| job.id).collect();
        assert_eq!(foreseen, bought, "what is foreseen is what is done");
        aside
    };
    assert_eq!(load(&mut ledger, &[("a", "a"), ("b", "a")]), [""; 0], "identical rows are both meant");
    assert_eq!(load(&mut ledger, &[("b", "a")]), ["b"], "its own row has gone");
    assert_eq!(load(&mut ledger, &[("a", "other"), ("b", "a")]), ["b"], "its own row is another now");
    assert_eq!(load(&mut ledger, &[("a", "a"), ("b", "a")]), [""; 0], "and is as it was again");
    assert_eq!(pending(&ledger, june).len(), 1);
}

/// A scan of all purchases for each row would take hours where there are a million of both.
#[test]
fn every_purchase_is_found_by_an_index() {
    let (ledger, june) = in_memory(&["a"]);
    ledger.foresee(Some(june), &Retake::default(), "", Vec::<Result<_, ()>>::new()).unwrap();
    for manifest in [Rows::Loaded, Rows::Planned] {
        let mut statement = ledger.conn.prepare(&format!("EXPLAIN QUERY PLAN {}", beside(manifest))).unwrap();
        let asked = rusqlite::params![june, [0_u8; 32], [0_u8; 32], None::<Network>];
        let steps = statement.query_map(asked, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        for index in ["jobs_bought (content=?)", "jobs_bought_as_given (given=?)"] {
            assert!(steps.iter().any(|step| step.contains("SEARCH o") && step.contains(index)), "{index}: {steps:?}");
        }
        assert!(!steps.iter().any(|step| step.starts_with("SCAN ")), "{steps:?}");
    }
}

/// Pairs would be a hundred million where two batches have ten thousand identical rows each.
#[test]
fn identical_rows_are_not_held_one_by_one_against_all_purchases_of_their_content() {
    const ROWS: u64 = 64;
    let endpoint = endpoint();
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let (june, july) = (begin(&mut ledger, "june"), begin(&mut ledger, "july"));
    for (batch, name) in [(june, "a"), (july, "b")] {
        let rows = (0..ROWS).map(|n| planned(&endpoint, &format!("{name}{n}"), "x")).collect();
        load(&mut ledger, batch, &Retake::default(), rows);
    }
    let buys = |ledger: &SqliteLedger, which: &str| {
        let sql = format!("UPDATE jobs SET state = 'delivered', url = 'u', begun = 1 WHERE batch = 1 AND {which}");
        ledger.conn.execute(&sql, []).unwrap();
    };
    let found = |ledger: &mut SqliteLedger, batch: BatchKey| {
        let (rows, found) = count(ledger, TraceEventCodes::SQLITE_TRACE_ROW, |ledger| aside(ledger, batch).count);
        assert!(rows <= 8 * ROWS, "{rows} rows for {ROWS} jobs");
        found
    };
    buys(&ledger, "id % 2 = 0");
    assert_eq!(found(&mut ledger, june), 0, "identical rows of one manifest are all meant");
    buys(&ledger, "true");
    assert_eq!(found(&mut ledger, july), ROWS);
    ledger.mean_duplicates(july, NOW, &[]).unwrap();
    assert_eq!(found(&mut ledger, july), 0, "a person means them");
    ledger.conn.execute("UPDATE jobs SET meant = 0", []).unwrap();
    ledger.conn.execute("UPDATE batches SET sandbox = 1 WHERE id = 1", []).unwrap();
    assert_eq!(found(&mut ledger, july), 0, "what play money bought is none");
    ledger.conn.execute("UPDATE batches SET sandbox = 0", []).unwrap();
    ledger.conn.execute("UPDATE jobs SET edition = iif(batch = 1, 'monday', 'tuesday')", []).unwrap();
    assert_eq!(found(&mut ledger, july), 0, "it was another edition");
    ledger.conn.execute("UPDATE jobs SET edition = 'tuesday' WHERE job IN ('a62', 'a63')", []).unwrap();
    assert_eq!(found(&mut ledger, july), ROWS);
}

/// Those that were bought are no rows of the manifest any more: each new one repeats the first of them.
#[test]
fn rows_of_another_name_repeat_what_was_bought_however_often_it_was() {
    let endpoint = endpoint();
    let (mut ledger, june) = in_memory(&[]);
    let rows = |ids: &[&str]| ids.iter().map(|id| planned(&endpoint, id, "x")).collect::<Vec<_>>();
    let ids: Vec<String> = (10..50).map(|n| format!("a{n}")).collect();
    load(&mut ledger, june, &Retake::default(), rows(&ids.iter().map(String::as_str).collect::<Vec<_>>()));
    ledger.conn.execute("UPDATE jobs SET state = 'delivered', url = 'u', begun = 1", []).unwrap();
    load(&mut ledger, june, &Retake::default(), rows(&["new", "two", "a12"]));
    let found = aside(&mut ledger, june);
    let of: Vec<_> = found.first.iter().map(|(id, original)| (id.as_str(), original.id.as_str())).collect();
    assert_eq!(of, [("new", "a10"), ("two", "a10")]);
}

/// What is asked for is another content there, and is sent all the same: a dry run says what the load then does.
#[test]
fn what_was_bought_is_known_by_its_request_where_an_endpoint_lets_contents_differ_for_the_first_time() {
    let with = |nonce: bool, place| {
        let kind = ParamKind::Integer { min: 0, max: 9_999 };
        let param = |name: &str, place| Param {
            name: name.to_owned(),
            kind: kind.clone(),
            required: false,
            default: None,
            place,
        };
        let params = vec![param("n", Place::Usual), param("other", place)];
        Arc::new(Endpoint { params, nonce: nonce.then(|| "n".to_owned()), ..Endpoint::clone(&endpoint()) })
    };
    // The second take of a row whose own number is 1; rows with another value of what is not sent, and of what is.
    let moved = |job| PlannedJob { nonce: Some(Box::new(Nonce { param: 0, first: Some(Value::Integer(1)) })), ..job };
    let valued = |mut job: PlannedJob| {
        job.params.push(("other".to_owned(), Value::Integer(5)));
        job
    };
    let job = |endpoint| PlannedJob { content: planned(&endpoint, "b", "y").content, ..planned(&endpoint, "b", "x") };
    for (same, repeats) in [
        (moved(job(with(true, Place::Usual))), 1),
        (valued(job(with(false, Place::Unsent))), 1),
        (valued(job(with(false, Place::Usual))), 0),
    ] {
        let (mut ledger, june) = in_memory(&[]);
        load(&mut ledger, june, &Retake::default(), vec![planned(&with(false, Place::Usual), "a", "x")]);
        let job = pending(&ledger, june).remove(0);
        let request = Request::build(&job.endpoint, &job.params, |_, _| Ok::<_, Infallible>(())).unwrap();
        let intent = NewIntent { request, ..new_intent(&job, 1) };
        assert!(matches!(ledger.apply(NOW, Record::Intend(Box::new(intent))).unwrap(), Committed::Intent(_)));
        let jobs = || [same.clone()].into_iter().map(Ok::<_, Infallible>);
        let foreseen = ledger.foresee(None, &Retake::default(), "", jobs()).unwrap();
        let foreseen = foreseen.compare(&Compared::default()).unwrap();
        let july = begin(&mut ledger, "july");
        ledger.load_plan(july, NOW, &Retake::default(), jobs()).unwrap();
        let found = aside(&mut ledger, july);
        assert_eq!((foreseen.count, &found), (repeats, &foreseen), "{same:?}");
    }
}

#[test]
fn a_word_is_the_job_s_own_and_goes_with_its_content() {
    let (mut ledger, june) = in_memory(&["a"]);
    intend(&mut ledger, june, 1);
    let july = july(&mut ledger);
    aside(&mut ledger, july);
    ledger.mean_duplicates(july, NOW, &["another".to_owned()]).unwrap();
    assert_eq!(pending(&ledger, july).len(), 0);
    ledger.mean_duplicates(july, NOW, &["b".to_owned()]).unwrap();
    assert_eq!((aside(&mut ledger, july).count, pending(&ledger, july).len()), (0, 1));
    let endpoint = endpoint();
    load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint, "b", "a")]);
    assert_eq!(aside(&mut ledger, july).count, 0, "it stands over loads");
    load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint, "b", "c")]);
    load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint, "b", "a")]);
    assert_eq!(aside(&mut ledger, july).count, 1, "the word was for what it was then");
}

#[test]
fn what_is_set_aside_keeps_its_edition() {
    let (mut ledger, june) = in_memory(&["a"]);
    let on = |day: &str| Compared { edition: Some(day.to_owned()), ..Compared::default() };
    assert_eq!(ledger.set_duplicates_aside(june, NOW, &on("monday")).unwrap().count, 0);
    intend(&mut ledger, june, 1);
    let july = july(&mut ledger);
    for day in ["monday", "tuesday"] {
        assert_eq!(ledger.set_duplicates_aside(july, NOW, &on(day)).unwrap().count, 1, "{day}");
        load(&mut ledger, july, &Retake::default(), vec![planned(&endpoint(), "b", "a")]);
        assert_eq!(pending(&ledger, july).len(), 0, "{day}");
    }
    let august = begin(&mut ledger, "august");
    load(&mut ledger, august, &Retake::default(), vec![planned(&endpoint(), "c", "a")]);
    assert_eq!(ledger.set_duplicates_aside(august, NOW, &on("tuesday")).unwrap().count, 0, "a new row is of its day");
    assert_eq!(ledger.set_duplicates_aside(august, NOW, &on("")).unwrap().count, 1, "without one, all count");
}
