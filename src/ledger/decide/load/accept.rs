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
