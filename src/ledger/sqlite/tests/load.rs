//! Plans loaded again and again: what becomes of each job.

use std::convert::Infallible;
use std::sync::Arc;

use super::support::*;
use crate::catalog::{Endpoint, Param, ParamKind, Place, Value};
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{BatchKey, ChosenRows, DeadProof, LoadError, PlanLoad, Record, RefundRecord, Retake, Unmet};
use crate::manifest::ResultsRow;
use crate::money::Msat;
use crate::plan::{ContentHash, PlannedJob, content_hash, made_id};
use crate::purchase::{JobState, Reason};

/// Brings the only job, `a`, to that standing.
fn stand(state: JobState, reason: Reason) -> (SqliteLedger, BatchKey) {
    let (mut ledger, batch) = in_memory(&["a"]);
    let job = pending(&ledger, batch).remove(0);
    match state {
        JobState::Pending | JobState::Refused | JobState::Failed => {
            ledger.apply(NOW, Record::Ended(job.key, end(state, reason))).unwrap();
        }
        JobState::Delivered => drop(deliver(&mut ledger, &job, 1)),
        JobState::Running => drop(intend(&mut ledger, new_intent(&job, 1))),
        JobState::InDoubt => {
            let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
            ledger.apply(NOW, Record::Doubt { payment, reason, error: None, wait_until: None }).unwrap();
        }
        JobState::RefundOffered => {
            let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
            ledger.apply(NOW, paid(payment, 1, None)).unwrap();
            let answer = answer(&mut ledger, payment, 502);
            let offer = RefundRecord::Offered { answer, link: Some("l".to_owned()), message: "no".to_owned() };
            ledger.apply(NOW, Record::Refund(payment, offer)).unwrap();
        }
        JobState::Paid | JobState::Lost => {
            let payment = intend(&mut ledger, new_intent(&job, 1)).payment();
            ledger.apply(NOW, paid(payment, 1, None)).unwrap();
            ledger
                .apply(NOW, Record::Undelivered { payment, answer: None, heard: false, end: end(state, reason) })
                .unwrap();
        }
        JobState::Downloaded | JobState::Refunded => {
            deliver(&mut ledger, &job, 1);
            ledger
                .conn
                .execute("UPDATE jobs SET state = ?1, file = 'f', file_key = 'f', sha256 = '00'", [state])
                .unwrap();
        }
    }
    (ledger, batch)
}

/// How a job that stood so stands after a plan: with the same content, with another, without the job.
#[test]
fn each_standing_after_the_same_another_and_no_content() {
    use JobState::{
        Delivered, Downloaded, Failed, InDoubt, Lost, Paid, Pending, RefundOffered, Refunded, Refused, Running,
    };
    use Reason::{
        Changed, ContentFiltered, DayLimit, NoRoute, None, NotDelivered, OriginFailed, PaymentUnknown, PriceChanged,
    };
    let gone = (Refused, Reason::Withdrawn);
    let new = (Pending, None);
    let table = [
        ((Pending, None), new, new, gone),
        ((Pending, DayLimit), new, new, gone),
        ((Failed, NoRoute), new, new, gone),
        ((Refused, PriceChanged), new, new, gone),
        ((Refused, ContentFiltered), (Refused, ContentFiltered), new, gone),
        ((Running, None), (Running, None), (Running, None), (Running, None)),
        ((InDoubt, PaymentUnknown), (InDoubt, PaymentUnknown), (InDoubt, PaymentUnknown), (InDoubt, PaymentUnknown)),
        ((Paid, NotDelivered), (Paid, NotDelivered), (Paid, NotDelivered), (Paid, NotDelivered)),
        (
            (RefundOffered, Reason::RefundOffered),
            (RefundOffered, Reason::RefundOffered),
            (RefundOffered, Reason::RefundOffered),
            (RefundOffered, Reason::RefundOffered),
        ),
        ((Delivered, None), (Delivered, None), (Delivered, Changed), (Delivered, None)),
        ((Downloaded, None), (Downloaded, None), (Downloaded, Changed), (Downloaded, None)),
        ((Lost, OriginFailed), (Lost, OriginFailed), (Lost, OriginFailed), (Lost, OriginFailed)),
        ((Refunded, None), (Refunded, None), (Refunded, None), (Refunded, None)),
    ];
    for (stood, same, other, without) in table {
        let plans = [vec![planned(&endpoint(), "a", "a")], vec![planned(&endpoint(), "a", "b")], Vec::new()];
        for (jobs, expected) in plans.into_iter().zip([same, other, without]) {
            let (mut ledger, batch) = stand(stood.0, stood.1);
            let what = format!("{stood:?} with {} jobs", jobs.len());
            load(&mut ledger, batch, &Retake::default(), jobs);
            let (state, reason) = expected;
            assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, state, reason)], "{what}");
            ledger.check_money(Option::None).unwrap();
        }
    }
}

#[test]
fn a_first_load_is_all_new_and_the_same_again_is_all_unchanged() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let again = load_ids(&mut ledger, batch, &["a", "b"]);
    assert_eq!(again, PlanLoad { unchanged: 2, ..PlanLoad::default() });
}

#[test]
fn rows_follow_the_order_of_the_newest_manifest() {
    let (mut ledger, batch) = in_memory(&["a", "b", "c"]);
    let job = pending(&ledger, batch).remove(1);
    deliver(&mut ledger, &job, 1);
    let report = load_ids(&mut ledger, batch, &["c", "new", "b"]);
    assert_eq!((report.new, report.unchanged, report.withdrawn.first), (1, 2, vec!["a".to_owned()]));
    let order: Vec<String> = pending(&ledger, batch).into_iter().map(|job| job.id).collect();
    assert_eq!(order, ["c", "new"]);
    let rows: Vec<String> = standing(&ledger, batch).into_iter().map(|row| row.0).collect();
    assert_eq!(rows, ["a", "c", "new", "b"], "a row that has gone stays near its old place");
    // Pages of pending jobs lose and repeat none.
    let mut pages = Vec::new();
    while let Some(job) = ledger.pending(batch, pages.last().map(|(seq, _)| *seq), 1).unwrap().pop() {
        pages.push((job.seq, job.id));
    }
    assert_eq!(pages, [(0, "c".to_owned()), (1, "new".to_owned())]);
}

#[test]
fn what_is_not_bought_takes_the_new_price_and_what_is_bought_keeps_its_own() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let job = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &job, 1);
    let dearer = |id: &str| {
        let mut job = planned(&endpoint(), id, id);
        job.priced.price = Msat::new(700_000);
        job.extra = vec![("x_note".to_owned(), "edited".to_owned())];
        job
    };
    load(&mut ledger, batch, &Retake::default(), vec![dearer("a"), dearer("b")]);
    let mut prices = Vec::new();
    ledger
        .results(batch, &mut |row| {
            prices.push((row.price, row.extra[0].1.clone()));
            Ok(())
        })
        .unwrap()
        .unwrap();
    assert_eq!(prices, [(PRICE, "edited".to_owned()), (Msat::new(700_000), "edited".to_owned())]);
    assert_eq!(pending(&ledger, batch)[0].price, Msat::new(700_000));
}

#[test]
fn an_old_error_is_kept_until_the_next_try() {
    let (mut ledger, batch) = stand(JobState::Failed, Reason::NoRoute);
    assert_eq!(load_ids(&mut ledger, batch, &["a"]).again, 1);
    let error = |ledger: &SqliteLedger| ledger.conn.query_row("SELECT error FROM jobs", [], |row| row.get(0)).unwrap();
    let kept: Option<String> = error(&ledger);
    assert_eq!(kept.as_deref(), Some("because no_route"));
    let job = pending(&ledger, batch).remove(0);
    intend(&mut ledger, new_intent(&job, 1));
    let forgotten: Option<String> = error(&ledger);
    assert_eq!(forgotten, None);
}

#[test]
fn a_withdrawn_job_that_comes_back_is_bought() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    assert_eq!(load_ids(&mut ledger, batch, &["b"]).withdrawn.count, 1);
    assert_eq!(load_ids(&mut ledger, batch, &["b"]).withdrawn.count, 0, "it has gone before");
    assert_eq!(load_ids(&mut ledger, batch, &["a", "b"]).again, 1);
    assert_eq!(pending(&ledger, batch).len(), 2);
}

#[test]
fn a_refusal_for_the_jobs_own_limit_is_tried_again_under_another_limit() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let job = |max_cost| vec![PlannedJob { max_cost: Some(Msat::new(max_cost)), ..planned(&endpoint(), "a", "a") }];
    let worst_case = job(0)[0].priced.price.get() + job(0)[0].fee_ceiling.get();
    let refused = |ledger: &mut SqliteLedger, most: Option<u64>| {
        let refused = ledger.hold_to_job_limit(batch, NOW, most.map(Msat::new)).unwrap().first;
        (refused, pending(ledger, batch).len())
    };
    for (max_cost, most, expected) in [
        (worst_case, None, vec![]),
        (worst_case - 1, None, vec!["a"]),
        (worst_case - 1, Some(worst_case), vec!["a"]),
        (worst_case, Some(worst_case - 1), vec!["a"]),
        (worst_case, Some(worst_case), vec![]),
    ] {
        for _ in 0..2 {
            load(&mut ledger, batch, &Retake::default(), job(max_cost));
            assert_eq!(
                refused(&mut ledger, most),
                (expected.iter().map(|id| (*id).to_owned()).collect(), 1 - expected.len())
            );
        }
        let mut foreseen =
            ledger.foresee(Some(batch), &Retake::default(), "", job(max_cost).into_iter().map(Ok::<_, ()>)).unwrap();
        foreseen.hold_to_job_limit(most.map(Msat::new)).unwrap();
        assert_eq!(foreseen.report().above_limit.first, expected);
    }
}

#[test]
fn a_mark_goes_when_the_content_comes_back() {
    let (mut ledger, batch) = stand(JobState::Delivered, Reason::None);
    let other = planned(&endpoint(), "a", "b");
    for _ in 0..2 {
        let report = load(&mut ledger, batch, &Retake::default(), vec![other.clone()]);
        assert_eq!(report.changed.first, ["a"]);
    }
    load_ids(&mut ledger, batch, &["a"]);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Delivered, Reason::None)]);
}

#[test]
fn a_job_is_bought_once_more_only_by_the_users_word() {
    let by_id = word("a", 1);
    let changed = Retake { changed: true, ..Retake::default() };
    let refunded = Retake { refunded: true, ..Retake::default() };
    let lost = |state| stand(state, Reason::None);

    for (state, retake, prompt, expected) in [
        (JobState::Delivered, &by_id, "a", 2),
        (JobState::Delivered, &by_id, "b", 2),
        (JobState::Lost, &by_id, "a", 2),
        (JobState::Refunded, &by_id, "a", 2),
        (JobState::Delivered, &changed, "a", 1),
        (JobState::Delivered, &changed, "b", 2),
        (JobState::Lost, &changed, "b", 1),
        (JobState::Running, &by_id, "a", 1),
        (JobState::Pending, &by_id, "a", 1),
        (JobState::RefundOffered, &by_id, "a", 1),
        (JobState::Refunded, &refunded, "a", 2),
        (JobState::Refunded, &changed, "b", 1),
        (JobState::RefundOffered, &refunded, "a", 1),
        (JobState::Delivered, &refunded, "b", 1),
        (JobState::Lost, &refunded, "a", 1),
    ] {
        let (mut ledger, batch) = lost(state);
        let job = planned(&endpoint(), "a", prompt);
        let foreseen = foreseen(&ledger, batch, retake, vec![job.clone()]);
        let report = load(&mut ledger, batch, retake, vec![job]);
        assert_eq!(report.retaken.count, expected - 1, "{state:?}, {prompt}");
        let bought: Vec<_> = pending(&ledger, batch).into_iter().map(|job| job.id).collect();
        assert_eq!(foreseen, bought, "{state:?}, {prompt}: what is foreseen is what is done");
        let rows = standing(&ledger, batch);
        assert_eq!(rows.len(), 1, "the results show the latest take");
        assert_eq!(u64::from(rows[0].1), expected, "{state:?}, {prompt}");
        if expected == 2 {
            let job = pending(&ledger, batch).remove(0);
            assert_eq!((job.take, job.id.as_str()), (2, "a"));
            deliver(&mut ledger, &job, 9);
            ledger.check_money(None).unwrap();
            let mut receipts = Vec::new();
            ledger
                .receipts(batch, &mut |row| {
                    receipts.push(row.take);
                    Ok(())
                })
                .unwrap()
                .unwrap();
            assert_eq!(receipts, [1, 2], "every take has its receipt");
        }
    }
}

#[test]
fn ids_that_a_spreadsheet_confuses_are_reported_against_the_batch() {
    let (mut ledger, batch) = in_memory(&["010", "Shot", "plain"]);
    let report = load_ids(&mut ledger, batch, &["10", "shot", "plain", "other"]);
    assert_eq!(report.alike, [("10".to_owned(), "010".to_owned()), ("shot".to_owned(), "Shot".to_owned())]);
    assert!(load_ids(&mut ledger, batch, &["10", "shot", "plain", "other"]).alike.is_empty(), "reported once");
}

#[test]
fn a_plan_that_ends_with_an_error_leaves_no_trace() {
    let (mut ledger, batch) = in_memory(&["a"]);
    let jobs = vec![Ok(planned(&endpoint(), "b", "b")), Err("line 3")];
    let outcome = ledger.load_plan(batch, NOW, &Retake::default(), jobs);
    assert!(matches!(outcome, Err(LoadError::Plan("line 3"))), "{outcome:?}");
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Pending, Reason::None)]);

    let twice = vec![planned(&endpoint(), "b", "b"), planned(&endpoint(), "b", "c")];
    let outcome = ledger.load_plan(batch, NOW, &Retake::default(), twice.into_iter().map(Ok::<_, ()>));
    assert!(matches!(outcome, Err(LoadError::Ledger(_))), "{outcome:?}");
    assert_eq!(load_ids(&mut ledger, batch, &["a"]).unchanged, 1, "the books go on");
}

#[test]
fn a_bought_job_keeps_the_endpoint_it_was_bought_from() {
    let (mut ledger, batch) = in_memory(&["a", "b"]);
    let job = pending(&ledger, batch).remove(0);
    intend(&mut ledger, new_intent(&job, 1));
    let mut moved = endpoint().as_ref().clone();
    moved.url = "https://moved.example/make".parse().unwrap();
    let moved = Arc::new(moved);
    load(&mut ledger, batch, &Retake::default(), vec![planned(&moved, "a", "a"), planned(&moved, "b", "b")]);
    assert_eq!(ledger.open_jobs(None).unwrap()[0].endpoint.url.host_str(), Some("seller.example"));
    assert_eq!(pending(&ledger, batch)[0].endpoint.url.host_str(), Some("moved.example"));
}

#[test]
fn many_thousand_rows_are_loaded() {
    const ROWS: u64 = 20_000;
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let batch = begin(&mut ledger, "june");
    let endpoint = endpoint();
    let rows = |from: u64| {
        let endpoint = Arc::clone(&endpoint);
        (from..from + ROWS).map(move |n| Ok::<_, ()>(planned(&endpoint, &format!("job{n}"), "same")))
    };
    assert_eq!(ledger.load_plan(batch, NOW, &Retake::default(), rows(0)).unwrap().new, ROWS);
    let report = ledger.load_plan(batch, NOW, &Retake::default(), rows(10)).unwrap();
    assert_eq!((report.new, report.unchanged, report.withdrawn.count), (10, ROWS - 10, 10));
    let counts = ledger.counts(batch).unwrap();
    assert_eq!(counts.all_jobs(), ROWS + 10);
    assert_eq!(counts.planned, PRICE.checked_mul(ROWS).unwrap());
    assert_eq!(counts.to_buy_worst_case, Msat::new(HOLD).checked_mul(ROWS).unwrap());
}

/// Whoever declines the question, or stops the process there, has not given the word.
#[test]
fn a_take_that_was_not_accepted_is_taken_back() {
    let retake = word("a", 1);
    let jobs = || vec![planned(&endpoint(), "new", "new"), planned(&endpoint(), "a", "a")];
    let delivered = ("a".to_owned(), 1, JobState::Delivered, Reason::None);
    let again = ("a".to_owned(), 2, JobState::Pending, Reason::None);

    let (mut ledger, batch) = stand(JobState::Delivered, Reason::None);
    ledger.accept_takes(NOW, batch).unwrap();
    load(&mut ledger, batch, &retake, jobs());
    assert_eq!(standing(&ledger, batch)[1], again);
    ledger.discard_unaccepted(batch).unwrap();
    assert_eq!(standing(&ledger, batch)[1], delivered, "in its place of now");
    assert_eq!(standing(&ledger, batch).len(), 2);

    load(&mut ledger, batch, &retake, jobs());
    load(&mut ledger, batch, &Retake::default(), jobs());
    assert_eq!(standing(&ledger, batch)[1], delivered, "the next run buys nothing that it was not told to buy");

    load(&mut ledger, batch, &retake, jobs());
    ledger.accept_takes(NOW, batch).unwrap();
    load(&mut ledger, batch, &Retake::default(), jobs());
    assert_eq!(standing(&ledger, batch)[1], again, "what was accepted stands until it is bought");
    let job = pending(&ledger, batch).remove(1);
    deliver(&mut ledger, &job, 9);
    load(&mut ledger, batch, &Retake::default(), jobs());
    assert_eq!(standing(&ledger, batch)[1], ("a".to_owned(), 2, JobState::Delivered, Reason::None));
    ledger.check_money(None).unwrap();
}

/// The same command, stopped and given again wherever it may be stopped, makes one more take in all.
#[test]
fn a_word_makes_one_take_however_often_and_wherever_it_is_repeated() {
    let (a, b) = (ContentHash([1; 32]), ContentHash([2; 32]));
    let job = |content: ContentHash| PlannedJob { content, ..planned(&endpoint(), "a", "a") };
    for (what, retake, content) in [
        ("by name", word("a", 1), a),
        ("by its change", Retake { changed: true, ..Retake::default() }, b),
        ("by name and by its change", Retake { changed: true, ..word("a", 1) }, b),
    ] {
        let (mut ledger, batch) = in_memory(&[]);
        load(&mut ledger, batch, &Retake::default(), vec![job(a)]);
        let first = pending(&ledger, batch).remove(0);
        deliver(&mut ledger, &first, 1);
        // Killed at the question, twice.
        for _ in 0..2 {
            assert_eq!(load(&mut ledger, batch, &retake, vec![job(content)]).retaken.count, 1, "{what}");
        }
        ledger.accept_takes(NOW, batch).unwrap();
        // Killed before its purchase, and while it is under way; each time the same command again.
        assert_eq!(load(&mut ledger, batch, &retake, vec![job(content)]).retaken.count, 0, "{what}");
        ledger.accept_takes(NOW, batch).unwrap();
        let second = pending(&ledger, batch).remove(0);
        assert_eq!(second.take, 2, "{what}");
        let payment = intend(&mut ledger, new_intent(&second, 2)).payment();
        let open = load(&mut ledger, batch, &retake, vec![job(content)]);
        assert_eq!((open.retaken.count, pending(&ledger, batch).len()), (0, 0), "{what}");
        ledger.apply(NOW, paid(payment, 2, Some(posted()))).unwrap();
        let answer = answer(&mut ledger, payment, 200);
        let url = "https://seller.example/v/1".to_owned();
        ledger.apply(NOW, Record::Delivered { payment, answer, url, more: Vec::new(), own: false }).unwrap();
        // And when it has ended: the word for one more is another.
        let ended = load(&mut ledger, batch, &retake, vec![job(content)]);
        let named = [("a".to_owned(), Unmet::Replaced(2))];
        assert_eq!(
            (ended.retaken.count, ended.unmet.as_slice()),
            (0, if retake.takes.is_empty() { &[] } else { &named[..] }),
            "{what}"
        );
        ledger.accept_takes(NOW, batch).unwrap();
        let takes = ledger.takes(batch, "a").unwrap();
        let words: Vec<_> = takes.iter().flat_map(|take| &take.decisions).collect();
        assert_eq!((takes.len(), words.len(), words[0].note.as_str()), (2, 1, "a@1"), "{what}: the word is kept, once");
        assert_eq!(load(&mut ledger, batch, &word("a", 2), vec![job(content)]).retaken.count, 1, "{what}");
    }
}

/// A, B, A: what the first take delivered is there, whether the second was bought or not.
#[test]
fn a_manifest_that_is_put_back_buys_nothing_anew() {
    let job = |prompt: &str| vec![planned(&endpoint(), "a", prompt)];
    let changed = Retake { changed: true, ..Retake::default() };
    let (mut ledger, batch) = stand(JobState::Delivered, Reason::None);
    load(&mut ledger, batch, &changed, job("b"));
    ledger.accept_takes(NOW, batch).unwrap();
    assert!(foreseen(&ledger, batch, &Retake::default(), job("a")).is_empty());
    let back = load(&mut ledger, batch, &Retake::default(), job("a"));
    assert_eq!((back.replaced.count, back.withdrawn.first), (0, vec!["a".to_owned()]));
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 1, JobState::Delivered, Reason::None)]);

    // The word for B was taken back with it, and may be given again.
    load(&mut ledger, batch, &changed, job("b"));
    ledger.accept_takes(NOW, batch).unwrap();
    let second = pending(&ledger, batch).remove(0);
    ledger.apply(NOW, Record::Ended(second.key, end(JobState::Failed, Reason::RateLimited))).unwrap();
    load(&mut ledger, batch, &changed, job("a"));
    assert_eq!(
        standing(&ledger, batch),
        [("a".to_owned(), 1, JobState::Delivered, Reason::None)],
        "it came to no payment"
    );
    load(&mut ledger, batch, &changed, job("a"));
    assert!(pending(&ledger, batch).is_empty(), "it stays so");
    load(&mut ledger, batch, &changed, job("b"));
    ledger.accept_takes(NOW, batch).unwrap();
    let second = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &second, 2);
    let found = load(&mut ledger, batch, &changed, job("a"));
    assert_eq!(found.unmet, [("a".to_owned(), Unmet::DeliveredBefore(1, 2))]);
    assert!(pending(&ledger, batch).is_empty());
    assert_eq!(load(&mut ledger, batch, &changed, job("c")).retaken.count, 1);
}

/// The second take came to a payment that died: it stays in the books, and nobody asks for it any more.
#[test]
fn a_take_that_is_withdrawn_is_not_foreseen_to_be_bought() {
    let job = |prompt: &str| vec![planned(&endpoint(), "a", prompt)];
    let (mut ledger, batch) = stand(JobState::Delivered, Reason::None);
    load(&mut ledger, batch, &Retake { changed: true, ..Retake::default() }, job("b"));
    ledger.accept_takes(NOW, batch).unwrap();
    let second = pending(&ledger, batch).remove(0);
    let payment = intend(&mut ledger, new_intent(&second, 2)).payment();
    let end = end(JobState::Pending, Reason::NoRoute);
    ledger.apply(NOW, Record::Dead { payment, proof: DeadProof::FailedAndAnswered, end }).unwrap();
    assert_eq!(foreseen(&ledger, batch, &Retake::default(), job("a")), Vec::<String>::new());
    let back = load(&mut ledger, batch, &Retake::default(), job("a"));
    assert_eq!(back.withdrawn.first, ["a"]);
    assert_eq!(standing(&ledger, batch), [("a".to_owned(), 2, JobState::Refused, Reason::Withdrawn)]);
}

/// A word was said at a question that nobody answered, and then a default of the catalogue changed: what was bought is known again.
#[test]
fn what_is_bought_is_recognised_behind_a_word_that_nobody_accepted() {
    let job = |default: i64| {
        let of = Param {
            name: "n".to_owned(),
            kind: ParamKind::Integer { min: 0, max: 9 },
            required: false,
            default: Some(Value::Integer(default)),
            place: Place::Usual,
        };
        let endpoint = Arc::new(Endpoint { params: vec![of], ..endpoint().as_ref().clone() });
        let params = vec![("n".to_owned(), Value::Integer(default))];
        let content = content_hash(&endpoint.name, &params);
        PlannedJob { content, params, ..planned(&endpoint, &made_id(&content), "") }
    };
    let (mut ledger, batch) = in_memory(&[]);
    load(&mut ledger, batch, &Retake::default(), vec![job(3)]);
    let first = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &first, 1);
    load(&mut ledger, batch, &word(&first.id, 1), vec![job(3)]);
    assert_eq!(foreseen(&ledger, batch, &Retake::default(), vec![job(4)]), Vec::<String>::new());
    let again = load(&mut ledger, batch, &Retake::default(), vec![job(4)]);
    assert_eq!((again.new, again.changed.first), (0, vec![first.id.clone()]));
    assert_eq!(standing(&ledger, batch), [(first.id.clone(), 1, JobState::Delivered, Reason::Changed)]);
    // The same command again, which was killed at its question, asks the same again.
    let changed = Retake { changed: true, ..Retake::default() };
    for _ in 0..2 {
        assert_eq!(foreseen(&ledger, batch, &changed, vec![job(4)]), std::slice::from_ref(&first.id));
        ledger.load_plan(batch, NOW, &changed, [Ok::<_, ()>(job(4))]).unwrap();
        assert_eq!(standing(&ledger, batch), [(first.id.clone(), 2, JobState::Pending, Reason::None)]);
    }
}

/// What a results file with a row of the job `a` chooses, at that take.
fn read(ledger: &SqliteLedger, batch: BatchKey, take: &str) -> ChosenRows {
    let row = ResultsRow::of([("id", "a"), ("take", take)]);
    ledger.read_rows(batch, [Ok::<_, Infallible>(row)]).unwrap()
}

/// A command that asked for a retake was killed at its question. Whoever runs the results file then says no word.
#[test]
fn a_results_file_carries_out_no_word_that_nobody_accepted() {
    let (mut ledger, batch) = in_memory(&[]);
    let job = || planned(&endpoint(), "a", "a");
    load(&mut ledger, batch, &Retake::default(), vec![job()]);
    let first = pending(&ledger, batch).remove(0);
    deliver(&mut ledger, &first, 1);
    assert_eq!(load(&mut ledger, batch, &word("a", 1), vec![job()]).retaken.count, 1);
    let foreseen = ledger.foresee_rows(batch, &read(&ledger, batch, "")).unwrap();
    assert_eq!(to_buy(&foreseen), Vec::<String>::new(), "a dry run says so too");
    drop(foreseen);
    for take in ["1", ""] {
        ledger.discard_unaccepted(batch).unwrap();
        let chosen = read(&ledger, batch, take);
        ledger.choose(NOW, &chosen).unwrap();
        assert_eq!(chosen.ids, ["a"]);
    }
    ledger.accept_takes(NOW, batch).unwrap();
    assert!(pending(&ledger, batch).is_empty(), "it would be bought once more");
    assert_eq!(ledger.takes(batch, "a").unwrap().len(), 1);
    // What was accepted is carried out by whatever command comes next.
    load(&mut ledger, batch, &word("a", 1), vec![job()]);
    ledger.accept_takes(NOW, batch).unwrap();
    ledger.discard_unaccepted(batch).unwrap();
    let chosen = read(&ledger, batch, "");
    ledger.choose(NOW, &chosen).unwrap();
    assert_eq!(pending(&ledger, batch).remove(0).take, 2);
}
