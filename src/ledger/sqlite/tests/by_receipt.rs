//! What is known by receipts alone is learnt only where it is proved; until then nothing is bought that it may be.

use std::path::Path;
use std::sync::Arc;

use super::merging::receipts_of;
use super::support::*;
use crate::catalog::Endpoint;
use crate::ledger::port::Merging;
use crate::ledger::sqlite::schema::BOUGHT;
use crate::ledger::sqlite::{MergeSource, SqliteLedger};
use crate::ledger::{BatchKey, Compared, Decision, Duplicates, KnownParams, PlanLoad, ReceiptRow, Retake};
use crate::plan::{PlannedJob, made_id};
use crate::purchase::{JobState, Reason};

/// A ledger that knows by receipts alone what a batch June has bought: jobs of these ids and prompts. The results beside tell
/// what was asked for where they are there.
fn known_by_receipts(bought: &[(&str, &str)], results: bool) -> (SqliteLedger, BatchKey) {
    let mut ledger = SqliteLedger::in_memory().unwrap();
    let june = learn(&mut ledger, "june", 1, bought, results);
    (ledger, june)
}

/// It learns so of one more batch, whose payments are numbered from there.
fn learn(ledger: &mut SqliteLedger, batch: &str, from: u8, bought: &[(&str, &str)], results: bool) -> BatchKey {
    let mut gone = SqliteLedger::in_memory().unwrap();
    let key = begin(&mut gone, batch);
    load(&mut gone, key, &Retake::default(), rows(bought));
    for (n, job) in (from..).zip(pending(&gone, key)) {
        deliver(&mut gone, &job, n);
    }
    let cells = |prompt: &str| vec![("prompt".to_owned(), prompt.to_owned()), ("n".to_owned(), "3".to_owned())];
    let asked = bought.iter().map(|(id, prompt)| ((batch.to_owned(), (*id).to_owned(), 1), cells(prompt)));
    let asked: KnownParams = asked.filter(|_| results).collect();
    let (file, rows) = (Path::new("a.receipts.csv"), receipts_of(&gone, batch));
    let manifest = format!("/jobs/{batch}.toml");
    let source = MergeSource::of_receipts(file, &manifest, &rows, &asked, &endpoint(), ledger).unwrap();
    assert_eq!(ledger.merge(NOW, &source).unwrap().payments, u64::try_from(bought.len()).unwrap());
    ledger.batch(batch).unwrap().unwrap().key
}

fn rows(rows: &[(&str, &str)]) -> Vec<PlannedJob> {
    let endpoint = endpoint();
    rows.iter().map(|(id, prompt)| planned(&endpoint, id, prompt)).collect()
}

fn loaded(ledger: &mut SqliteLedger, batch: BatchKey, of: &[(&str, &str)]) -> (PlanLoad, Duplicates) {
    let load = load(ledger, batch, &Retake::default(), rows(of));
    (load, ledger.set_duplicates_aside(batch, NOW, &Compared::default()).unwrap())
}

fn stands(ledger: &SqliteLedger, batch: BatchKey) -> Vec<(String, JobState, Reason)> {
    standing(ledger, batch).into_iter().map(|(id, _, state, reason)| (id, state, reason)).collect()
}

fn standing_as(expected: &[(&str, JobState, Reason)]) -> Vec<(String, JobState, Reason)> {
    expected.iter().map(|(id, state, reason)| ((*id).to_owned(), *state, *reason)).collect()
}

const HERE: (JobState, Reason) = (JobState::Delivered, Reason::None);
const CHANGED: (JobState, Reason) = (JobState::Delivered, Reason::Changed);
const UNKNOWN: (JobState, Reason) = (JobState::Delivered, Reason::KnownByReceipt);
const ASIDE: (JobState, Reason) = (JobState::Refused, Reason::Duplicate);
const PENDING: (JobState, Reason) = (JobState::Pending, Reason::None);

#[test]
fn row_numbers_that_shift_are_told_by_the_results_and_by_nothing_else() {
    let now = [("1", "zero"), ("2", "one"), ("3", "two")];
    for results in [true, false] {
        let (mut ledger, june) = known_by_receipts(&[("1", "one"), ("2", "two")], results);
        let (load, duplicates) = loaded(&mut ledger, june, &now);
        let lists = (load.changed.count, load.unproved.count);
        assert_eq!(lists, if results { (2, 0) } else { (0, 2) }, "what a later row proves is known too");
        assert_eq!((duplicates.count, duplicates.first[0].1.is_unproved()), (1, !results), "{duplicates:?}");
        let own = if results { CHANGED } else { UNKNOWN };
        let expected = [("1", own), ("2", own), ("3", ASIDE)].map(|(id, (state, why))| (id, state, why));
        assert_eq!(stands(&ledger, june), standing_as(&expected));
        let (load, _) = loaded(&mut ledger, june, &[("1", "one"), ("2", "two"), ("3", "three")]);
        assert_eq!(load.unproved.count, if results { 0 } else { 2 });
        let expected = if results { [HERE, HERE, PENDING] } else { [UNKNOWN, UNKNOWN, ASIDE] };
        let expected: Vec<_> =
            ["1", "2", "3"].into_iter().zip(expected).map(|(id, (state, why))| (id, state, why)).collect();
        assert_eq!(stands(&ledger, june), standing_as(&expected));
        // A person's word buys it all the same.
        ledger.mean_duplicates(june, NOW, &["3".to_owned()]).unwrap();
        assert_eq!(loaded(&mut ledger, june, &[("1", "one"), ("2", "two"), ("3", "three")]).1.count, 0);
    }
}

#[test]
fn rows_of_another_batch_are_compared_by_content_where_that_is_proved_and_left_out_where_not() {
    let made: Vec<String> = ["kite", "boat"].iter().map(|prompt| made_id(&rows(&[("x", prompt)])[0].content)).collect();
    // What the receipts' ids are, whether results stand beside them, the rows of another manifest, and how many are left out.
    let again = [("1", "kite"), ("2", "boat"), ("3", "dog")];
    let renamed = [("a", "kite"), ("b", "boat"), ("3", "dog")];
    for (ids, results, now, left_out) in [
        (["1", "2"], true, again, 2),
        (["1", "2"], true, renamed, 2),
        (["1", "2"], false, again, 3),
        (["1", "2"], false, renamed, 3),
        ([&made[0], &made[1]], false, again, 2),
        ([&made[0], &made[1]], false, renamed, 2),
    ] {
        let (mut ledger, _) = known_by_receipts(&[(ids[0], "kite"), (ids[1], "boat")], results);
        let july = begin(&mut ledger, "july");
        let (load, duplicates) = loaded(&mut ledger, july, &now);
        assert_eq!((load.new, duplicates.count), (3, left_out), "{ids:?} {results} {now:?}");
        let of_other_ids = duplicates.first.iter().find(|(id, _)| id == "a").map(|(_, original)| original.to_string());
        if !results && ids[0] == "1" && now == renamed {
            assert_eq!(of_other_ids.unwrap(), "one of 2 jobs of the batch june that are known by their receipts alone");
        }
        // Where the content was not known, it is by now, where it was proved.
        let proved = duplicates.first.iter().all(|(_, original)| !original.is_unproved());
        assert_eq!(proved, results || ids[0] != "1" || left_out == 0);
    }
}

/// A row that may be a purchase of several batches is said to be one of all of them.
#[test]
fn purchases_of_every_batch_that_a_row_may_repeat_are_counted() {
    let (mut ledger, _) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    learn(&mut ledger, "july", 3, &[("7", "dog")], false);
    let august = begin(&mut ledger, "august");
    let (_, duplicates) = loaded(&mut ledger, august, &[("x", "elk"), ("7", "fox")]);
    let originals: Vec<String> = duplicates.first.iter().map(|(_, original)| original.to_string()).collect();
    let of_all = "one of 3 jobs of the batch june and another one that are known by their receipts alone";
    assert_eq!(originals[0], of_all);
    assert!(originals[1].starts_with("job 7 of the batch july, "), "{originals:?}");
}

#[test]
fn what_is_unproved_is_found_by_an_index() {
    let ledger = SqliteLedger::in_memory().unwrap();
    let sql = format!("EXPLAIN QUERY PLAN SELECT o.id FROM jobs o WHERE o.content = zeroblob(32) AND {BOUGHT}");
    let plan: String = ledger.conn.query_row(&sql, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("jobs_bought"), "{plan}");
}

#[test]
fn made_ids_are_their_contents() {
    let id = |prompt: &str| made_id(&rows(&[("x", prompt)])[0].content);
    let (kite, boat, dog) = (id("kite"), id("boat"), id("dog"));
    let (mut ledger, june) = known_by_receipts(&[(&kite, "kite"), (&boat, "boat")], false);
    let (load, duplicates) = loaded(&mut ledger, june, &[(&kite, "kite"), (&dog, "dog")]);
    assert_eq!(
        (load.unproved.count, load.changed.count, duplicates.count),
        (0, 0, 1),
        "the id of the boat may have been given"
    );
    let (load, duplicates) = loaded(&mut ledger, june, &[(&kite, "kite"), (&boat, "boat"), (&dog, "dog")]);
    assert_eq!((load.unproved.count, load.changed.count, duplicates.count), (0, 0, 0));
    assert_eq!(pending(&ledger, june).len(), 1, "the dog");
}

/// How many of these jobs are left out of a new batch; a dry run says the same of each.
fn left_out(ledger: &mut SqliteLedger, name: &str, jobs: &[PlannedJob]) -> Vec<String> {
    let each = || jobs.iter().cloned().map(Ok::<_, std::convert::Infallible>);
    let foreseen = ledger.foresee(None, &Retake::default(), "", each()).unwrap().compare(&Compared::default()).unwrap();
    let batch = begin(ledger, name);
    ledger.load_plan(batch, NOW, &Retake::default(), each()).unwrap();
    let done = ledger.set_duplicates_aside(batch, NOW, &Compared::default()).unwrap();
    assert_eq!(foreseen, done, "what is foreseen is what is done, word for word");
    done.first.into_iter().map(|(id, _)| id).collect()
}

#[test]
fn only_another_endpoint_at_another_host_is_certainly_something_else() {
    let (mut ledger, _) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    for (n, (name, url, is_free)) in [
        ("draw", "https://other.example/draw", true),
        ("draw", "https://seller.example/draw", false),
        ("make", "https://other.example/make", false),
        ("make", "https://seller.example/make", false),
    ]
    .into_iter()
    .enumerate()
    {
        let other = Arc::new(Endpoint { name: name.to_owned(), url: url.parse().unwrap(), ..(*endpoint()).clone() });
        // The price shows nothing.
        let mut job = planned(&other, "x", &format!("{name} {url}"));
        job.priced.price = crate::money::Msat::new(1_000);
        assert_eq!(left_out(&mut ledger, &format!("july-{n}"), &[job]).is_empty(), is_free, "{name} {url}");
    }
}

/// An id may look made and have been given; a spreadsheet writes truths and dates in its own language.
#[test]
fn neither_ids_nor_cells_show_that_a_row_is_something_else() {
    let made = made_id(&rows(&[("x", "kite")])[0].content);
    for (id, cell) in [(made.as_str(), None), ("1", Some("WAHR")), ("1", Some("05-Mar"))] {
        let (mut ledger, _) = known_by_receipts(&[(id, cell.unwrap_or("boat"))], cell.is_some());
        for (n, prompt) in ["true", "March 5", "dog"].into_iter().enumerate() {
            assert_eq!(
                left_out(&mut ledger, &format!("july-{n}"), &rows(&[("a", prompt)])),
                ["a"],
                "{id} {cell:?} {prompt}"
            );
        }
    }
}

#[test]
fn results_that_are_found_later_tell_what_was_bought() {
    let (mut ledger, _) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    let now = rows(&[("a", "kite"), ("b", "boat"), ("c", "dog")]);
    assert_eq!(left_out(&mut ledger, "july", &now), ["a", "b", "c"]);
    // The receipts once more tell nothing new; the results beside them do.
    let (told, _) = known_by_receipts(&[("1", "kite"), ("2", "boat")], true);
    let receipts = receipts_of(&told, "june");
    let cells = |prompt: &str| vec![("prompt".to_owned(), prompt.to_owned()), ("n".to_owned(), "3".to_owned())];
    let asked: KnownParams = [("1", "kite"), ("2", "boat")]
        .map(|(id, prompt)| (("june".to_owned(), id.to_owned(), 1), cells(prompt)))
        .into();
    let untold = asked.keys().map(|of| (of.clone(), vec![("prompt".to_owned(), String::new())])).collect();
    let file = Path::new("june.receipts.csv");
    for (n, (asked, changed, expected)) in
        [(KnownParams::new(), 0, vec!["a", "b", "c"]), (untold, 0, vec!["a", "b", "c"]), (asked, 2, vec!["a", "b"])]
            .into_iter()
            .enumerate()
    {
        let source =
            MergeSource::of_receipts(file, "/jobs/june.toml", &receipts, &asked, &endpoint(), &ledger).unwrap();
        assert_eq!(ledger.merge(NOW, &source).unwrap().changed, changed);
        assert_eq!(left_out(&mut ledger, &format!("august-{n}"), &now), expected);
    }
}

/// What a spreadsheet makes of `007` is 7, and of `3.5` a date: no row is shown to be that, nor anything learnt from it.
#[test]
fn a_cell_that_may_have_been_written_anew_proves_nothing() {
    for (told, row) in [("7", "7"), ("03. Mai", "03. Mai"), ("5-Sept", "5-Sept"), ("10,000", "10,000")] {
        let (mut ledger, _) = known_by_receipts(&[("1", told)], true);
        for name in ["july", "august"] {
            assert_eq!(left_out(&mut ledger, name, &rows(&[("a", row), ("b", "007")])), ["a", "b"], "{told}");
        }
    }
}

/// Two receipts files that somebody has put together hold one twice; two payments of one take are of two ledgers.
#[test]
fn a_receipt_that_stands_twice_is_one() {
    let (told, _) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    let mut receipts = receipts_of(&told, "june");
    let file = Path::new("june.receipts.csv");
    let merged = |receipts: &[ReceiptRow]| {
        let mut ledger = SqliteLedger::in_memory().unwrap();
        let source =
            MergeSource::of_receipts(file, "/jobs/june.toml", receipts, &KnownParams::new(), &endpoint(), &ledger)?;
        ledger.merge(NOW, &source)
    };
    receipts.push(receipts[0].clone());
    assert_eq!(merged(&receipts).unwrap().payments, 2);
    receipts[2] = ReceiptRow { id: "1".to_owned(), ..receipts[1].clone() };
    let error = merged(&receipts).unwrap_err().to_string();
    assert!(error.contains("take 1 of 1 (june) has receipts of two payments"), "{error}");
}

#[test]
fn a_take_that_is_wanted_once_more_may_be_what_another_receipt_tells_of() {
    let (mut ledger, june) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    loaded(&mut ledger, june, &[("1", "boat"), ("2", "boat")]);
    load(&mut ledger, june, &word("1", 1), rows(&[("1", "boat"), ("2", "boat")]));
    let duplicates = ledger.set_duplicates_aside(june, NOW, &Compared::default()).unwrap();
    assert_eq!(duplicates.count, 1, "the second purchase may have been a boat");
    assert!(duplicates.first[0].1.is_unproved());
}

#[test]
fn a_made_id_tells_what_its_first_take_was_and_no_more() {
    let id = made_id(&rows(&[("x", "kite")])[0].content);
    let (mut ledger, june) = known_by_receipts(&[(&id, "kite")], false);
    ledger.conn.execute("UPDATE jobs SET take = 2 WHERE batch = ?1", [june]).unwrap();
    assert_eq!(left_out(&mut ledger, "july", &rows(&[("a", "dog")])), ["a"]);
}

#[test]
fn what_a_person_leaves_as_it_is_stays_so_for_as_long_as_its_row_does() {
    let (mut ledger, june) = known_by_receipts(&[("1", "kite"), ("2", "boat")], false);
    loaded(&mut ledger, june, &[("1", "kite"), ("2", "boat")]);
    let key = |ledger: &SqliteLedger, id: &str| ledger.undecided(june, id).unwrap().unwrap().job;
    let (one, two) = (key(&ledger, "1"), key(&ledger, "2"));
    assert!(ledger.keep(NOW, one, "I have looked").unwrap());
    assert!(!ledger.keep(NOW, one, "I have looked").unwrap(), "there is nothing left to decide");
    for (prompt, reason) in [("kite", Reason::None), ("dog", Reason::KnownByReceipt), ("kite", Reason::None)] {
        // A word for all that is changed is none for what nobody knows to be.
        let changed = Retake { changed: true, ..Retake::default() };
        let loaded = load(&mut ledger, june, &changed, rows(&[("1", prompt), ("2", "boat")]));
        assert_eq!((loaded.retaken.count, loaded.changed.count), (0, 0));
        assert_eq!(loaded.unproved.count, if reason == Reason::None { 1 } else { 2 });
        let expected = [("1", JobState::Delivered, reason), ("2", JobState::Delivered, Reason::KnownByReceipt)];
        assert_eq!(stands(&ledger, june), standing_as(&expected));
    }
    // What it was for is not learnt by that.
    assert_eq!(left_out(&mut ledger, "july", &rows(&[("a", "dog")])), ["a"]);
    assert!(ledger.keep(NOW, two, "that too").unwrap());
}

#[test]
fn what_is_changed_can_be_left_as_it_is_too() {
    let (mut ledger, june) = in_memory(&["a", "b"]);
    for (n, job) in (1..).zip(pending(&ledger, june)) {
        deliver(&mut ledger, &job, n);
    }
    let a = ledger.undecided(june, "a").unwrap().unwrap().job;
    assert!(!ledger.keep(NOW, a, "as it is").unwrap(), "nothing speaks against it");
    let now = [("a", "another"), ("b", "b")];
    assert_eq!(load(&mut ledger, june, &Retake::default(), rows(&now)).changed.count, 1);
    assert!(ledger.keep(NOW, a, "as it is").unwrap());
    for changed in [false, true] {
        let loaded = load(&mut ledger, june, &Retake { changed, ..Retake::default() }, rows(&now));
        assert_eq!((loaded.changed.count, loaded.retaken.count, loaded.unchanged), (0, 0, 2));
    }
    assert_eq!(load(&mut ledger, june, &word("a", 1), rows(&now)).retaken.count, 1, "its own word buys it");
}

#[test]
fn what_is_bought_for_a_lost_receipt_is_not_said_to_have_changed() {
    let (mut ledger, june) = known_by_receipts(&[("1", "kite")], false);
    ledger.conn.execute("UPDATE jobs SET state = 'lost', reason = '' WHERE batch = ?1", [june]).unwrap();
    let foreseen = |ledger: &SqliteLedger| {
        let jobs = rows(&[("1", "kite")]).into_iter().map(Ok::<_, ()>);
        let foreseen = ledger.foresee(Some(june), &Retake::default(), "", jobs).unwrap();
        let stays: Vec<_> =
            foreseen.stays(false).unwrap().into_iter().map(|(state, _, ids)| (state, ids.first)).collect();
        (foreseen.report().clone(), stays)
    };
    assert_eq!(foreseen(&ledger).1, [(JobState::Lost, vec!["1".to_owned()])], "no run brings it on");
    let lost = ledger.undecided(june, "1").unwrap().unwrap().job;
    ledger.decide(NOW, lost, Decision::Rebuy, "a note", "nobody", None).unwrap();
    let (report, stays) = foreseen(&ledger);
    assert_eq!((report.by_receipt.count, report.replaced.count, stays), (1, 0, Vec::new()));
    let (load, _) = loaded(&mut ledger, june, &[("1", "kite")]);
    assert_eq!((load.by_receipt.first, load.replaced.count), (vec!["1".to_owned()], 0));
}
