//! Words of a person that spend once more: each names the take that it replaces, and is carried out once. What the ledger
//! knows of a job decides what a word means, here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};

use super::{TakeId, TakeMark, UNKNOWN_CONTENT};
use crate::plan::ContentHash;
use crate::purchase::{JobState, Reason};

/// Which takes the user wants to replace by one more purchase each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retake {
    /// These takes, by their job's id: where the take is the latest and has ended as delivered, lost or refunded.
    pub takes: BTreeMap<String, BTreeSet<u32>>,
    /// Every delivered job whose content is another now, and one that no earlier take has delivered.
    pub changed: bool,
    /// Every job whose money came back for the first time, and of which no person has decided to leave it at that.
    pub refunded: bool,
    /// Every delivered job whose latest take a person has rejected, and of which none is picked.
    pub rejected: bool,
    /// Words are about these jobs alone; about all where it is empty.
    pub only: BTreeSet<String>,
}

impl Retake {
    /// The words for these takes.
    #[must_use]
    pub fn of(takes: impl IntoIterator<Item = TakeId>) -> Self {
        let mut retake = Self::default();
        for TakeId { id, take } in takes {
            retake.takes.entry(id).or_default().insert(take);
        }
        retake
    }

    /// Whether nobody says a word.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.takes.is_empty() && !self.changed && !self.refunded && !self.rejected
    }

    /// Whether any word concerns that job, as its latest take stands.
    pub(super) fn concerns(&self, id: &str, state: JobState) -> bool {
        let ended = matches!(state, JobState::Delivered | JobState::Downloaded | JobState::Refunded);
        (self.only.is_empty() || self.only.contains(id))
            && (self.takes.contains_key(id) || ((self.changed || self.refunded || self.rejected) && ended))
    }

    /// A take that these words name as well, and that was replaced before this latest one.
    pub(super) fn used(&self, id: &str, latest: u32) -> Option<u32> {
        self.takes.get(id)?.iter().copied().find(|take| *take < latest)
    }

    fn names(&self, id: &str, take: u32) -> bool {
        self.takes.get(id).is_some_and(|takes| takes.contains(&take))
    }
}

/// One take of a job, as far as words depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TakeStand {
    pub(super) take: u32,
    pub(super) state: JobState,
    pub(super) reason: Reason,
    pub(super) content: ContentHash,
    /// The content of its row at which a person said to leave it as it is.
    pub(super) kept: Option<ContentHash>,
    /// What a person says of it.
    pub(super) mark: Option<TakeMark>,
    /// A planned take of the same shot, which asked for the same, is picked.
    pub(super) is_beside_pick: bool,
    /// It has a payment whose hash is neither settled nor dead.
    pub(super) unsettled: bool,
}

impl TakeStand {
    /// Whether its purchase may still spend or bring something.
    fn is_open(&self) -> bool {
        self.unsettled
            || match self.state {
                JobState::Running | JobState::InDoubt | JobState::Paid | JobState::RefundOffered => true,
                JobState::Pending
                | JobState::Delivered
                | JobState::Downloaded
                | JobState::Refused
                | JobState::Failed
                | JobState::Refunded
                | JobState::Lost => false,
            }
    }

    /// A purchase that is over, so that another one can take its place.
    fn has_ended(&self) -> bool {
        !self.is_open() && (self.state.is_delivered() || matches!(self.state, JobState::Lost | JobState::Refunded))
    }
}

/// What the words say of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// No word is about it.
    Nothing,
    /// Its latest take is replaced.
    Buys,
    /// A word that buys nothing.
    Unmet(Unmet),
}

/// Why a word buys nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// A take of the job is open, or its payment is not settled for certain: the same command later may carry it out.
    Open,
    /// The take was replaced already, and what replaced it has ended too, as this latest take.
    Replaced(u32),
    /// Another word buys the job once more; this take, which is named as well, was replaced before.
    Used(u32),
    /// An earlier take, this one, has delivered what the manifest now asks for; by this one, the latest, the word for it
    /// would go.
    DeliveredBefore(u32, u32),
    /// One more take would cost more than the job may.
    AboveLimit,
    /// The money came back for an earlier take too, and the word for all that was refunded covered that; this is the
    /// latest take.
    RefundedBefore(u32),
}

/// What the words say of a job with these takes, the latest last, of which the manifest now asks for that content.
pub(super) fn heard(retake: &Retake, id: &str, content: ContentHash, takes: &[TakeStand]) -> Heard {
    let Some(latest) = takes.last().filter(|latest| retake.concerns(id, latest.state)) else { return Heard::Nothing };
    let said = [
        of_name(retake, id, latest),
        of_changed(retake, content, takes),
        of_refunded(retake, takes),
        of_rejected(retake, content, takes),
    ];
    let Some(first) = said.iter().find(|said| **said == Heard::Buys).or(said.iter().find(|s| **s != Heard::Nothing))
    else {
        return Heard::Nothing;
    };
    // Two takes of one purchase are never under way together.
    if *first == Heard::Buys && takes.iter().any(TakeStand::is_open) {
        return Heard::Unmet(Unmet::Open);
    }
    first.clone()
}

/// Whether an unbought take, which stands by a person's word, is to become a purchase of what an earlier take delivered:
/// nobody said that.
pub(super) fn repeats(retake: &Retake, id: &str, content: ContentHash, takes: &[TakeStand]) -> bool {
    let Some((latest, earlier)) = takes.split_last() else { return false };
    latest.content != content
        && !retake.names(id, latest.take)
        && earlier.iter().any(|take| take.state.is_delivered() && take.content == content)
}

fn of_name(retake: &Retake, id: &str, latest: &TakeStand) -> Heard {
    match (retake.takes.contains_key(id), retake.names(id, latest.take)) {
        (false, _) => Heard::Nothing,
        (true, true) if latest.has_ended() => Heard::Buys,
        (true, true) if latest.is_open() => Heard::Unmet(Unmet::Open),
        (true, false) if latest.has_ended() => Heard::Unmet(Unmet::Replaced(latest.take)),
        // What replaced it is under way, or not bought yet: a run goes on with it as it stands.
        (true, _) => Heard::Nothing,
    }
}

fn of_changed(retake: &Retake, content: ContentHash, takes: &[TakeStand]) -> Heard {
    let Some((latest, earlier)) = takes.split_last() else { return Heard::Nothing };
    if !retake.changed || !latest.state.is_delivered() || latest.content == content || latest.kept == Some(content) {
        return Heard::Nothing;
    }
    // Nobody knows whether it is another.
    if latest.content == UNKNOWN_CONTENT {
        return Heard::Nothing;
    }
    match earlier.iter().rev().find(|take| take.state.is_delivered() && take.content == content) {
        Some(before) => Heard::Unmet(Unmet::DeliveredBefore(before.take, latest.take)),
        None => Heard::Buys,
    }
}

fn of_refunded(retake: &Retake, takes: &[TakeStand]) -> Heard {
    let Some((latest, earlier)) = takes.split_last() else { return Heard::Nothing };
    // What a person has decided to leave at that is not among what a word about all of them means.
    if !retake.refunded || latest.state != JobState::Refunded || latest.reason == Reason::Decided {
        return Heard::Nothing;
    }
    if earlier.iter().any(|take| take.state == JobState::Refunded) {
        return Heard::Unmet(Unmet::RefundedBefore(latest.take));
    }
    Heard::Buys
}

fn of_rejected(retake: &Retake, content: ContentHash, takes: &[TakeStand]) -> Heard {
    let Some((latest, earlier)) = takes.split_last() else { return Heard::Nothing };
    // Of a job that has its pick, or whose shot has, what else was rejected is left at that.
    let is_picked = takes.iter().any(|take| take.mark == Some(TakeMark::Pick)) || latest.is_beside_pick;
    if !retake.rejected || !latest.state.is_delivered() || latest.mark != Some(TakeMark::Reject) || is_picked {
        return Heard::Nothing;
    }
    let is_good = |take: &&TakeStand| take.state.is_delivered() && take.mark != Some(TakeMark::Reject);
    let is_asked_for = |take: &&TakeStand| latest.content != content && take.content == content;
    match earlier.iter().rev().filter(is_good).find(is_asked_for) {
        Some(before) => Heard::Unmet(Unmet::DeliveredBefore(before.take, latest.take)),
        None => Heard::Buys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ContentHash = ContentHash([1; 32]);
    const B: ContentHash = ContentHash([2; 32]);

    fn takes(all: &[(JobState, ContentHash)]) -> Vec<TakeStand> {
        let stand = |(at, (state, content)): (usize, &(JobState, ContentHash))| TakeStand {
            take: u32::try_from(at + 1).unwrap(),
            state: *state,
            reason: Reason::None,
            content: *content,
            kept: None,
            mark: None,
            is_beside_pick: false,
            unsettled: false,
        };
        all.iter().enumerate().map(stand).collect()
    }

    fn word(typed: &str) -> Retake {
        Retake::of(TakeId::read(typed, |id| id == "a"))
    }

    #[test]
    fn a_word_replaces_the_take_that_it_names_and_no_later_one() {
        use JobState::{Delivered, Failed, InDoubt, Lost, Pending, RefundOffered, Refunded, Running};
        let first = |states: &[JobState]| {
            let all: Vec<_> = states.iter().map(|state| (*state, A)).collect();
            heard(&word("a"), "a", A, &takes(&all))
        };
        for ended in [Delivered, Lost, Refunded] {
            assert_eq!(first(&[ended]), Heard::Buys);
            assert_eq!(first(&[Lost, ended]), Heard::Unmet(Unmet::Replaced(2)), "its successor has ended: {ended:?}");
            let third = takes(&[(Lost, A), (ended, A)]);
            assert_eq!(heard(&word("a@2"), "a", A, &third), Heard::Buys, "the word for it is a@2");
        }
        for open in [Running, InDoubt, RefundOffered] {
            assert_eq!(first(&[open]), Heard::Unmet(Unmet::Open));
            assert_eq!(first(&[Lost, open]), Heard::Nothing, "the word is being carried out");
            assert_eq!(first(&[open, Lost]), Heard::Unmet(Unmet::Replaced(2)));
            let two = takes(&[(open, A), (Lost, A)]);
            assert_eq!(heard(&word("a@2"), "a", A, &two), Heard::Unmet(Unmet::Open), "any take that is open");
        }
        for unbought in [Pending, Failed] {
            assert_eq!(first(&[unbought]), Heard::Nothing, "a run buys it as it stands");
            assert_eq!(first(&[Lost, unbought]), Heard::Nothing);
        }
    }

    #[test]
    fn a_hash_that_may_still_settle_keeps_every_word_waiting() {
        let mut lost = takes(&[(JobState::Lost, A)]);
        lost[0].unsettled = true;
        assert_eq!(heard(&word("a"), "a", A, &lost), Heard::Unmet(Unmet::Open));
        let changed = Retake { changed: true, ..Retake::default() };
        let mut delivered = takes(&[(JobState::Lost, A), (JobState::Delivered, A)]);
        assert_eq!(heard(&changed, "a", B, &delivered), Heard::Buys);
        delivered[0].unsettled = true;
        assert_eq!(heard(&changed, "a", B, &delivered), Heard::Unmet(Unmet::Open));
    }

    #[test]
    fn what_an_earlier_take_delivered_is_not_bought_as_a_change() {
        let changed = Retake { changed: true, ..Retake::default() };
        let aba = takes(&[(JobState::Delivered, A), (JobState::Downloaded, B)]);
        assert_eq!(heard(&changed, "a", A, &aba), Heard::Unmet(Unmet::DeliveredBefore(1, 2)));
        assert_eq!(heard(&changed, "a", B, &aba), Heard::Nothing);
        let lost = takes(&[(JobState::Lost, A), (JobState::Delivered, B)]);
        assert_eq!(heard(&changed, "a", A, &lost), Heard::Buys, "it was never delivered");
        let unbought = takes(&[(JobState::Delivered, A), (JobState::Pending, B)]);
        assert!(repeats(&changed, "a", A, &unbought) && !repeats(&changed, "a", B, &unbought));
        assert!(!repeats(&word("a@2"), "a", A, &unbought), "that very word was given");
    }

    #[test]
    fn one_refund_is_covered_once_and_words_keep_to_the_chosen_jobs() {
        let refunded = Retake { refunded: true, ..Retake::default() };
        assert_eq!(heard(&refunded, "a", A, &takes(&[(JobState::Refunded, A)])), Heard::Buys);
        let twice = takes(&[(JobState::Refunded, A), (JobState::Refunded, A)]);
        assert_eq!(heard(&refunded, "a", A, &twice), Heard::Unmet(Unmet::RefundedBefore(2)));
        let other = Retake { only: BTreeSet::from(["b".to_owned()]), ..refunded };
        assert_eq!(heard(&other, "a", A, &takes(&[(JobState::Refunded, A)])), Heard::Nothing);
    }

    #[test]
    fn each_rejected_take_is_replaced_once_and_none_of_a_job_that_has_its_pick() {
        use TakeMark::{Pick, Reject};
        let rejected = Retake { rejected: true, ..Retake::default() };
        let marked = |all: &[(JobState, ContentHash, Option<TakeMark>)]| {
            let mut stands = takes(&all.iter().map(|(state, content, _)| (*state, *content)).collect::<Vec<_>>());
            stands.iter_mut().zip(all).for_each(|(stand, (.., mark))| stand.mark = *mark);
            stands
        };
        let heard = |content, all: &[_]| heard(&rejected, "a", content, &marked(all));
        let (done, bad, good) = (JobState::Downloaded, Some(Reject), Some(Pick));
        assert_eq!(heard(A, &[(done, A, bad)]), Heard::Buys);
        assert_eq!(heard(A, &[(JobState::Delivered, A, bad)]), Heard::Buys);
        assert_eq!(heard(A, &[(done, A, None)]), Heard::Nothing);
        assert_eq!(heard(A, &[(done, A, good)]), Heard::Nothing);
        assert_eq!(heard(A, &[(JobState::Refunded, A, bad)]), Heard::Nothing, "it is no more to be had");
        assert_eq!(heard(A, &[(done, A, bad), (done, A, None)]), Heard::Nothing, "it was replaced");
        assert_eq!(heard(A, &[(done, A, bad), (JobState::Pending, A, None)]), Heard::Nothing);
        assert_eq!(heard(A, &[(done, A, bad), (done, A, bad)]), Heard::Buys, "each take has its own mark");
        assert_eq!(heard(A, &[(done, A, good), (done, A, bad)]), Heard::Nothing, "there is a pick");
        assert_eq!(heard(B, &[(done, A, bad)]), Heard::Buys, "what its row asks for by now");
        assert_eq!(heard(A, &[(done, A, None), (done, B, bad)]), Heard::Unmet(Unmet::DeliveredBefore(1, 2)));
        assert_eq!(heard(A, &[(done, A, bad), (done, B, bad)]), Heard::Buys, "that was rejected, too");
        let mut beside = marked(&[(done, A, bad)]);
        beside[0].is_beside_pick = true;
        assert_eq!(super::heard(&rejected, "a", A, &beside), Heard::Nothing, "another take of the shot is picked");
        let mut open = marked(&[(JobState::Lost, A, None), (done, A, bad)]);
        open[0].unsettled = true;
        assert_eq!(super::heard(&rejected, "a", A, &open), Heard::Unmet(Unmet::Open));
    }
}
