//! Several writes as one.

use super::support::new_intent;
use super::{AT, Subject, of_ledger, plan};
use crate::ledger::port::{Fate, Whole};
use crate::ledger::{BatchKey, LedgerError, PlanLoad, Record, Retake};

const JUNE: BatchKey = BatchKey(1);

fn load<S: Subject>(store: &mut S, ids: &[&str]) -> Result<PlanLoad, LedgerError> {
    of_ledger(store.load_plan(JUNE, AT, &Retake::default(), plan(ids).into_iter().map(Ok)))
}

fn pending<S: Subject>(store: &S) -> Vec<String> {
    store.pending(JUNE, None, 9).unwrap().into_iter().map(|job| job.id).collect()
}

pub(super) fn what_is_taken_back_is_read_meanwhile_and_was_never_written<S: Subject + Whole>() {
    let (mut store, _) = S::with(&[("june", &["a"])]);
    let before = store.seen();
    let mut carried_out = |fate: Fate| {
        let (found, seen) = store
            .as_one::<_, LedgerError>(|store| {
                load(store, &["b", "c"])?;
                store.hold_to_job_limit(JUNE, AT, None)?;
                Ok(((pending(store), store.seen()), fate))
            })
            .unwrap();
        assert_eq!(found, ["b", "c"]);
        assert_eq!(store.seen(), if fate == Fate::Kept { seen } else { before.clone() });
    };
    carried_out(Fate::TakenBack);
    carried_out(Fate::TakenBack);
    carried_out(Fate::Kept);
}

/// Whoever pays relies on what is recorded: it cannot be taken back.
pub(super) fn nothing_is_recorded_amid_what_may_be_taken_back<S: Subject + Whole>() {
    let (mut store, jobs) = S::with(&[("june", &["a"])]);
    let before = store.seen();
    let intend = || Record::Intend(Box::new(new_intent(&jobs[0], 1)));
    store
        .as_one::<_, LedgerError>(|store| {
            let refused = store.apply_all(vec![(AT, intend())]);
            assert!(matches!(refused, Err(LedgerError::Contradiction(_))), "{refused:?}");
            Ok(((), Fate::Kept))
        })
        .unwrap();
    assert_eq!(store.seen(), before);
    store.hand_back(AT, intend()).unwrap();
}

pub(super) fn what_fails_on_its_way_was_never_written<S: Subject + Whole>() {
    let (mut store, _) = S::with(&[("june", &["a"])]);
    let before = store.seen();
    let failed = store.as_one::<(), LedgerError>(|store| {
        load(store, &["b", "c"])?;
        Err(LedgerError::Contradiction("somebody said no".to_owned()))
    });
    assert!(failed.is_err());
    assert_eq!(store.seen(), before);
    // One part that is refused undoes itself alone.
    let kept = store.as_one::<_, LedgerError>(|store| {
        load(store, &["b", "c"])?;
        assert!(load(store, &["d", "d"]).is_err());
        Ok((pending(store), Fate::Kept))
    });
    assert_eq!(kept.unwrap(), ["b", "c"]);
    assert_eq!(pending(&store), ["b", "c"]);
}
