//! Takes after the first that a word asked for, and that go as if it had never been said.

use crate::purchase::Reason;
use crate::time::UnixMs;

use super::{LoadWrite, StoredTake, before};

/// Which takes are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarding {
    /// Those that nobody has accepted. The load that follows says how the purchases before them stand.
    Unaccepted,
    /// Those that are set aside as duplicates, where they came to no payment: they would hide what was bought before, which is
    /// marked from now on where the manifest asks for something else.
    SetAside(UnixMs),
}

/// What is written where the latest of these takes of a job goes, and the one before it is the latest again; nothing where it stays.
pub fn discard_takes(which: Discarding, takes: &[StoredTake]) -> Vec<LoadWrite<'static>> {
    let Some((before, latest)) = before(takes).zip(takes.last()) else { return Vec::new() };
    let (goes, marked_at) = match which {
        Discarding::Unaccepted => (latest.is_unaccepted(), None),
        Discarding::SetAside(now) => (latest.can_be_discarded() && latest.is_set_aside(), Some(now)),
    };
    if !goes {
        return Vec::new();
    }
    let mut writes = vec![LoadWrite::DiscardTake { gone: latest.key, latest: before.key }];
    let is_otherwise = before.is_delivered()
        && before.content != latest.content
        && before.kept != Some(latest.content)
        && !matches!(before.reason, Reason::Changed | Reason::KnownByReceipt);
    if let Some(at) = marked_at.filter(|_| is_otherwise) {
        let reason = before.marked_beside_other_row();
        writes.push(LoadWrite::Mark { job: before.key, reason });
        writes.push(LoadWrite::transition(at, before, (before.state, reason)));
    }
    writes
}
