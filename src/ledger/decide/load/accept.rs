//! Takes after the first that a word asked for, and that stand once they are accepted.

use crate::time::UnixMs;

use super::{LoadWrite, StoredTake, before};

/// What is written where a person accepts what the loads have found, of these takes of a job: that the latest one replaces the one
/// before it, where nobody has accepted that so far.
pub fn accepted(now: UnixMs, takes: &[StoredTake]) -> Vec<LoadWrite<'static>> {
    let latest = takes.last().filter(|latest| latest.is_unaccepted());
    let replaced = before(takes).zip(latest);
    let write = |(of, latest): (&StoredTake, &StoredTake)| LoadWrite::Accept { of: of.key, take: latest.take, at: now };
    replaced.map(write).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::decide::fixtures::stored_take;

    #[test]
    fn the_latest_take_is_accepted_once_and_only_in_the_place_of_the_one_before_it() {
        let take = |take, is_new_word| StoredTake { is_new_word, ..stored_take(take) };
        for (takes, of) in [
            (vec![take(1, false), take(2, true)], Some(1)),
            (vec![take(1, false), take(2, false), take(3, true)], Some(2)),
            (vec![take(1, false), take(2, false)], None),
            (vec![take(1, false), take(3, true)], None),
            (vec![take(1, true)], None),
            (vec![], None),
        ] {
            let writes = accepted(UnixMs(7), &takes);
            let found = writes.iter().map(|write| match write {
                LoadWrite::Accept { of, take, at } => (of.0, i64::from(*take), *at),
                other => panic!("{other:?}"),
            });
            let expected: Vec<_> = of.map(|of| (of, of + 1, UnixMs(7))).into_iter().collect();
            assert_eq!(found.collect::<Vec<_>>(), expected, "{takes:?}");
        }
    }
}
