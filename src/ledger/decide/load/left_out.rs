//! Jobs that are left out before anything is asked for them, and taken in again: what is bought already under another name
//! (rule 11), and what costs more than one job may.

use std::collections::HashSet;

use crate::ledger::decide::Unfit;
use crate::ledger::{Compared, Duplicates, JobKey, Original, job_limit_words};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::{LoadWrite, is_set_aside, is_untouched_word};

/// The latest take of a job that is to be bought, or is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub key: JobKey,
    pub id: String,
    pub take: u32,
    /// Intents, and tries that were refused or failed.
    pub attempts: u32,
    pub price: Msat,
    /// That is the most that it may be.
    pub is_capped: bool,
    /// It is set aside as a duplicate; else it is to be bought.
    pub is_aside: bool,
    /// Nobody has accepted so far what the load found that made it.
    pub is_new_word: bool,
    /// A word of the last load wants it once more.
    pub is_retaken: bool,
}

/// How a job stands from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    pub key: JobKey,
    pub from: JobState,
    pub state: JobState,
    pub reason: Reason,
    /// Why it is left out; none where it is to be bought.
    pub words: Option<String>,
    /// A person means it, though it is bought elsewhere.
    pub is_meant: bool,
    /// Its history tells of it.
    pub is_told: bool,
}

impl Stand {
    /// What is written of it.
    pub fn writes(&self, at: UnixMs) -> Vec<LoadWrite<'_>> {
        let Self { key, from, state, reason, is_meant, is_told, .. } = *self;
        let mut writes =
            vec![LoadWrite::Stand { key, at, to: (state, reason), words: self.words.as_deref(), is_meant }];
        if is_told {
            writes.push(LoadWrite::Transition { job: key, at, from, to: state, reason });
        }
        writes
    }
}

impl Candidate {
    /// Left out for these words; without any it is to be bought again. A take whose word nobody has accepted may be taken back, and
    /// leaves no trace then.
    fn stand(&self, words: Option<String>, is_meant: bool) -> Stand {
        let (state, reason) = match words {
            Some(_) => (JobState::Refused, Reason::Duplicate),
            None => (JobState::Pending, Reason::None),
        };
        let from = if self.is_aside { JobState::Refused } else { JobState::Pending };
        let is_told = !is_untouched_word(self.take, self.attempts, self.is_new_word);
        Stand { key: self.key, from, state, reason, words, is_meant, is_told }
    }

    /// Counts it among the duplicates, with what it repeats.
    ///
    /// # Errors
    /// Where their prices do not fit together.
    pub fn count(&self, among: &mut Duplicates, original: Original) -> Result<(), Unfit> {
        let fits = among.add(&self.id, (self.price, self.is_capped), self.is_retaken, original);
        fits.ok_or_else(|| Unfit::Contradiction("the prices of the duplicates do not fit".to_owned()))
    }
}

/// A person means the duplicates among these jobs, of these ids where any are named: how those stand from now on.
pub fn mean<'c>(jobs: impl IntoIterator<Item = &'c Candidate>, only: &[String]) -> Vec<Stand> {
    let only: HashSet<&String> = only.iter().collect();
    let is_meant = |job: &&Candidate| job.is_aside && (only.is_empty() || only.contains(&job.id));
    jobs.into_iter().filter(is_meant).map(|job| job.stand(None, true)).collect()
}

/// Duplicates that are set aside, and those that are none any more.
#[derive(Debug)]
pub struct SettingAside<'a> {
    only: HashSet<&'a String>,
    duplicates: Duplicates,
}

impl<'a> SettingAside<'a> {
    pub fn of(compared: &Compared<'a>) -> Self {
        Self { only: compared.only.iter().collect(), duplicates: Duplicates::default() }
    }

    /// Decides how a job stands from now on beside the purchase that it would repeat; none where it stands as it stood.
    ///
    /// # Errors
    /// Where the prices of the duplicates do not fit together.
    pub fn set(&mut self, job: &Candidate, original: Option<Original>) -> Result<Option<Stand>, Unfit> {
        let Some(original) = original else { return Ok(job.is_aside.then(|| job.stand(None, false))) };
        let stand = (!job.is_aside).then(|| job.stand(Some(original.words()), false));
        if self.only.is_empty() || self.only.contains(&job.id) {
            job.count(&mut self.duplicates, original)?;
        }
        Ok(stand)
    }

    /// What is set aside now, as far as it is told.
    pub fn found(self) -> Duplicates {
        self.duplicates
    }
}

/// Whether a job that stands so is of its manifest's edition from now on. What was bought keeps its own, and so does what was set
/// aside: it is no other purchase on another day.
pub const fn takes_edition(state: JobState, reason: Reason) -> bool {
    let is_unbought = state.has_spent_nothing();
    is_unbought && !is_set_aside(state, reason)
}

/// How the latest take of a job that stands so stands under these limits, fee included: its own, and that of the run; none where
/// nothing changes.
pub fn limited(
    key: JobKey,
    (from, why): (JobState, Reason),
    (price, fee_ceiling): (Msat, Msat),
    (own, of_run): (Option<Msat>, Option<Msat>),
) -> Option<Stand> {
    let most = own.into_iter().chain(of_run).min();
    let above = most.filter(|most| price.checked_add(fee_ceiling).is_none_or(|cost| cost > *most));
    let words = above.map(|most| job_limit_words(price, fee_ceiling, most));
    let is_otherwise = match from {
        JobState::Pending => words.is_some(),
        JobState::Refused if why == Reason::Duplicate => words.is_some(),
        JobState::Refused if why == Reason::JobLimit => words.is_none(),
        JobState::Refused
        | JobState::Failed
        | JobState::Running
        | JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => false,
    };
    let (state, reason) = match words {
        Some(_) => (JobState::Refused, Reason::JobLimit),
        None => (JobState::Pending, Reason::None),
    };
    is_otherwise.then_some(Stand { key, from, state, reason, words, is_meant: false, is_told: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Likeness;

    fn candidate(id: &str, is_aside: bool) -> Candidate {
        let (key, price) = (JobKey(7), Msat::new(500_000));
        Candidate {
            is_capped: false,
            key,
            id: id.to_owned(),
            take: 1,
            attempts: 0,
            price,
            is_aside,
            is_new_word: true,
            is_retaken: false,
        }
    }

    fn original() -> Original {
        Original { batch: "june".to_owned(), id: "a".to_owned(), at: UnixMs(5), is: Likeness::Same }
    }

    fn to((state, reason): (JobState, Reason), words: Option<String>, is_meant: bool) -> Stand {
        let from = if state == JobState::Pending { JobState::Refused } else { JobState::Pending };
        Stand { key: JobKey(7), from, state, reason, words, is_meant, is_told: true }
    }

    #[test]
    fn a_duplicate_is_set_aside_once_and_taken_in_again_once_it_repeats_nothing() {
        let only = ["b".to_owned()];
        let compared = Compared { only: &only, ..Compared::default() };
        let mut setting = SettingAside::of(&compared);
        let aside = to((JobState::Refused, Reason::Duplicate), Some(original().words()), false);
        assert_eq!(setting.set(&candidate("b", false), Some(original())), Ok(Some(aside.clone())));
        assert_eq!(setting.set(&candidate("c", false), Some(original())), Ok(Some(aside)), "it is not told of");
        assert_eq!(setting.set(&candidate("b", true), Some(original())), Ok(None), "it is set aside already");
        let again = to((JobState::Pending, Reason::None), None, false);
        assert_eq!(setting.set(&candidate("b", true), None), Ok(Some(again)));
        assert_eq!(setting.set(&candidate("b", false), None), Ok(None));
        let found = setting.found();
        assert_eq!((found.count, found.price), (2, Msat::new(1_000_000)));
    }

    #[test]
    fn prices_that_do_not_fit_together_are_said_to() {
        let dear = Candidate { price: Msat::new(u64::MAX), ..candidate("b", false) };
        let mut setting = SettingAside::of(&Compared::default());
        setting.set(&dear, Some(original())).unwrap();
        assert!(matches!(setting.set(&dear, Some(original())), Err(Unfit::Contradiction(_))));
    }

    #[test]
    fn a_person_means_what_is_named_and_set_aside() {
        let named = ["b".to_owned()];
        let meant = to((JobState::Pending, Reason::None), None, true);
        let jobs = [candidate("b", true), candidate("c", true), candidate("d", false)];
        assert_eq!(mean(&jobs, &named), std::slice::from_ref(&meant));
        assert_eq!(mean(&jobs, &[]), [meant.clone(), meant]);
    }

    #[test]
    fn a_take_whose_word_nobody_accepted_leaves_no_trace() {
        let told = |take, attempts, is_new_word| {
            let job = Candidate { take, attempts, is_new_word, ..candidate("b", true) };
            mean([&job], &[]).remove(0).writes(UnixMs(9)).len() == 2
        };
        assert!(!told(2, 0, true));
        assert!(told(1, 0, true) && told(2, 1, true) && told(2, 0, false));
    }

    #[test]
    fn what_is_set_aside_keeps_its_edition() {
        assert!(takes_edition(JobState::Pending, Reason::None) && takes_edition(JobState::Refused, Reason::JobLimit));
        assert!(
            !takes_edition(JobState::Refused, Reason::Duplicate) && !takes_edition(JobState::Delivered, Reason::None)
        );
    }

    #[test]
    fn a_job_above_a_limit_is_refused_and_told_and_taken_in_again_below_it() {
        let (price, most) = ((Msat::new(500_000), Msat::new(10_000)), |most| (None, Some(Msat::new(most))));
        let pending = (JobState::Pending, Reason::None);
        assert_eq!(limited(JobKey(7), pending, price, most(510_000)), None);
        let refused = limited(JobKey(7), pending, price, most(509_999)).unwrap();
        assert_eq!(refused, to((JobState::Refused, Reason::JobLimit), refused.words.clone(), false));
        assert!(refused.words.is_some());
        let again = limited(JobKey(7), (JobState::Refused, Reason::JobLimit), price, most(510_000));
        assert_eq!(again, Some(to(pending, None, false)));
        assert_eq!(limited(JobKey(7), (JobState::Delivered, Reason::None), price, most(1)), None);
    }
}
