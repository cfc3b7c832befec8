//! What a person says of takes, and the word by which what was rejected is bought once more.

use super::cases::deliver;
use super::support::{endpoint, planned};
use super::{AT, Subject, of_ledger, plan};
use crate::ledger::port::Marks;
use crate::ledger::{BatchKey, Marking, Retake, TakeId, TakeMark, Unmarkable};
use crate::plan::PlannedJob;
use crate::purchase::JobState;

const JUNE: BatchKey = BatchKey(1);

fn marking(id: &str, take: u32, mark: Option<TakeMark>) -> Marking {
    Marking { batch: JUNE, take: TakeId { id: id.to_owned(), take }, mark, note: None }
}

fn say<S: Marks>(store: &mut S, id: &str, take: u32, mark: Option<TakeMark>) {
    assert_eq!(store.mark(AT, &[marking(id, take, mark)]).unwrap(), [], "{id}@{take}");
}

/// The ids that are bought once more where the plan is loaded, and accepted, with a word for all that is rejected.
fn retaken<S: Subject>(store: &mut S, ids: &[&str]) -> Vec<String> {
    retaken_of(store, plan(ids))
}

fn retaken_of<S: Subject>(store: &mut S, jobs: Vec<PlannedJob>) -> Vec<String> {
    let rejected = Retake { rejected: true, ..Retake::default() };
    let load = of_ledger(store.load_plan(JUNE, AT, &rejected, jobs.into_iter().map(Ok))).unwrap();
    store.accept_takes(AT, JUNE).unwrap();
    load.retaken.first
}

fn deliver_pending<S: Subject>(store: &mut S, first: u8) {
    for (n, job) in (first..).zip(store.pending(JUNE, None, 9).unwrap()) {
        deliver(store, &job, n);
    }
}

pub(super) fn what_is_rejected_is_bought_once_more_by_a_word_and_once<S: Subject + Marks>() {
    use TakeMark::{Pick, Reject};
    let all = ["a", "b", "c", "d"];
    let (mut store, _) = S::with(&[("june", &all)]);
    deliver_pending(&mut store, 1);
    for (id, mark) in [("a", Reject), ("b", Reject), ("c", Pick)] {
        say(&mut store, id, 1, Some(mark));
    }
    say(&mut store, "b", 1, None);
    assert_eq!((store.has_picks(JUNE).unwrap(), store.has_picks(BatchKey(2)).unwrap()), (true, false));
    assert_eq!(store.pending(JUNE, None, 9).unwrap(), [], "a mark buys nothing");
    assert_eq!(retaken(&mut store, &all), ["a"]);
    assert_eq!(retaken(&mut store, &all), [""; 0], "it is under way");
    deliver_pending(&mut store, 5);
    assert_eq!(retaken(&mut store, &all), [""; 0], "what replaced it has a mark of its own");
    say(&mut store, "a", 1, Some(Reject));
    assert_eq!(retaken(&mut store, &all), [""; 0], "it was replaced before");
    say(&mut store, "a", 2, Some(Reject));
    assert_eq!(retaken(&mut store, &all), ["a"]);
    deliver_pending(&mut store, 6);
    say(&mut store, "a", 3, Some(Reject));
    say(&mut store, "a", 1, Some(Pick));
    assert_eq!(retaken(&mut store, &all), [""; 0], "the job has its pick");
}

/// Takes that are planned of one shot stand beside each other: with the pick of one the others are left at that.
pub(super) fn a_shot_has_its_pick_whichever_planned_take_that_is<S: Subject + Marks>() {
    use TakeMark::{Pick, Reject};
    // Of the last one somebody made the id; it asks for something else.
    let all = ["a", "a.t2", "a.t3", "b.t2", "b.t3", "a.t4"];
    let planned = || {
        let endpoint = endpoint();
        all.map(|id| planned(&endpoint, id, if id == "a.t4" { "other" } else { &id[..1] })).into()
    };
    let mut store = S::with(&[("june", &all)]).0;
    retaken_of(&mut store, planned());
    deliver_pending(&mut store, 1);
    let marks = [("a", Reject), ("a.t2", Reject), ("a.t3", Pick), ("b.t2", Pick), ("b.t3", Reject), ("a.t4", Reject)];
    for (id, mark) in marks {
        say(&mut store, id, 1, Some(mark));
    }
    let bought = retaken_of(&mut store, planned());
    assert_eq!(bought, ["b.t3", "a.t4"], "there is no job b of which these are takes, and a.t4 is none of a");
    deliver_pending(&mut store, 7);
    say(&mut store, "a.t3", 1, Some(Reject));
    say(&mut store, "a.t2", 1, None);
    assert_eq!(retaken_of(&mut store, planned()), ["a", "a.t3"]);
}

pub(super) fn all_marks_are_taken_in_or_none<S: Subject + Marks>() {
    let (mut store, jobs) = S::with(&[("june", &["a", "b"])]);
    deliver(&mut store, &jobs[0], 1);
    let reject = Some(TakeMark::Reject);
    let markings = [marking("a", 1, reject), marking("a", 2, reject), marking("b", 1, reject), marking("c", 1, reject)];
    let refused = store.mark(AT, &markings).unwrap();
    let undelivered = Unmarkable::Undelivered(JobState::Pending);
    assert_eq!(refused, [(1, Unmarkable::NoTake(1)), (2, undelivered), (3, Unmarkable::NoJob)]);
    assert_eq!(retaken(&mut store, &["a", "b"]), [""; 0], "the one that could be marked was not");
}
