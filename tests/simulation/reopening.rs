//! A person who says of what is paid for and given up that it is to be asked for again, or that the answer that is kept is the
//! result; at the right time or not.

use std::rc::Rc;

use l402_batch::l402::PaymentHash;
use l402_batch::ledger::port::{Decisions, Downloads, Inspection};
use l402_batch::ledger::{Decision, JobKey, Reopened, Reopening, Standing, TakeRecord};
use l402_batch::purchase::{JobState, Reason};

use super::coverage::Sight;
use super::liars::Liar;
use super::life::Life;
use super::plan::job_name;
use super::verdict;

const WORDS: [Reopening; 3] = [Reopening::Retry, Reopening::Retry, Reopening::Delivered];

impl Life {
    /// At any time, of any take of any job: what does not fit must be refused.
    pub fn person_reopens(&mut self) {
        if self.acts.is_none() {
            return;
        }
        self.opens_the_ledger();
        let Some(acts) = &mut self.acts else { return };
        let at = usize::try_from(acts.below(self.batches.len() as u64)).unwrap_or(0);
        let Some(key) = self.batches[at].key else { return };
        let rows = verdict::rows(&self.disk.ledger.ledger(), key);
        let fitting: Vec<_> = rows.iter().filter(|row| fits(row.state, row.reason)).map(|row| row.id.clone()).collect();
        let all: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let of = if fitting.is_empty() || acts.below(4) == 0 { all } else { fitting.clone() };
        if of.is_empty() || (fitting.is_empty() && acts.below(3) > 0) {
            return;
        }
        let (id, word) = (acts.pick(&of).clone(), *acts.pick(&WORDS));
        let takes = self.disk.ledger.ledger().takes(key, &id).expect("the ledger can be read").len();
        // Sometimes it is an earlier one.
        let earlier = if acts.below(3) == 0 { acts.below(takes as u64) } else { 0 };
        let take = u32::try_from(takes as u64 - earlier).unwrap_or(1);
        let (twice, changes_mind) = (acts.below(3) == 0, acts.below(3) == 0);
        // First it was to be bought anew.
        if changes_mind && earlier == 0 && word == Reopening::Retry && fitting.contains(&id) {
            self.decides(at, &id, Decision::Rebuy, true);
        }
        self.reopens(at, &id, take, word);
        if twice {
            self.reopens(at, &id, take, word);
        }
    }

    /// What is given up is to be bought anew; and then it is to be asked for again, before anything was bought.
    pub fn person_changes_mind(&mut self) {
        let Some(key) = self.batches[0].key else { return };
        let mut rows = verdict::rows(&self.disk.ledger.ledger(), key);
        rows.retain(|row| row.state == JobState::Lost);
        for row in rows {
            self.decides(0, &row.id, Decision::Rebuy, true);
            self.reopens(0, &row.id, row.take, Reopening::Retry);
        }
    }

    /// The word is said of all that it fits.
    pub fn person_reopens_all(&mut self, word: Reopening) {
        for at in 0..self.batches.len() {
            let Some(key) = self.batches[at].key else { continue };
            let mut rows = verdict::rows(&self.disk.ledger.ledger(), key);
            rows.retain(|row| fits(row.state, row.reason));
            for row in rows {
                self.reopens(at, &row.id, row.take, word);
            }
        }
    }

    fn reopens(&mut self, at: usize, id: &str, take: u32, word: Reopening) {
        let world = Rc::clone(&self.world);
        let (Some(key), name) = (self.batches[at].key, job_name(&self.batches[at].name, id)) else { return };
        let takes = self.disk.ledger.ledger().takes(key, id).expect("the ledger can be read");
        let job = self.disk.ledger.ledger().undecided_take(key, id, Some(take)).expect("the ledger can be read");
        let (Some(stood), Some(job)) = (takes.iter().find(|one| one.row.take == take), job) else { return };
        // The hosts of files lie here: whoever takes what they serve as it is gets what is no result.
        if stood.row.state == JobState::Delivered && word == Reopening::Delivered {
            return;
        }
        let payment = paid(stood);
        world.note(|| {
            let (state, reason) = (stood.row.state, stood.row.reason);
            format!("a person says {} of {id}@{take}, which is {state:?} {reason:?}", word.as_str())
        });
        if self.liar == Liar::BuyingWord && word == Reopening::Retry {
            let decided = self.disk.decide(&job, Decision::Rebuy, "bought anew", None);
            world.note(|| format!("bought anew: {decided:?}"));
            return;
        }
        let reopened = self.disk.reopen(job.job, word, payment.as_ref());
        world.note(|| format!("reopened: {reopened:?}"));
        if let Some(wrong) = contradiction(stood, payment.as_ref(), word, &reopened) {
            world.violated(format!("{} of {id}@{take} is {reopened:?}, although {wrong}", word.as_str()));
        }
        world.saw_if(take < takes.len() as u32, Sight::ReopenedEarlierTake);
        match &reopened {
            Reopened::Recorded => world.saw(Sight::Retried),
            Reopened::Taken(_) => world.saw(Sight::TakenAsDelivered),
            Reopened::Unchanged => world.saw(Sight::RetriedAlready),
            Reopened::AsServed | Reopened::Refused(_) | Reopened::Unfit(_) => world.saw(Sight::ReopeningRefused),
        }
        if let (Reopened::Recorded | Reopened::Taken(_), Some(hash)) = (&reopened, payment) {
            self.hear(&name, hash, (stood.row.take, job.job), &reopened);
        }
        let left = self.disk.ledger.ledger().takes(key, id).expect("the ledger can be read").len();
        if left < takes.len() {
            world.saw(Sight::ReplacementTakenBack);
            world.auditor.borrow_mut().set_aside(&name, takes.len() as u32);
        }
    }

    /// What follows from the word, for those who watch.
    fn hear(&self, name: &str, hash: PaymentHash, (take, job): (u32, JobKey), reopened: &Reopened) {
        let world = &self.world;
        match reopened {
            Reopened::Recorded => world.auditor.borrow_mut().redeems.retried(hash, world.is_calm()),
            Reopened::Taken(_) => {
                world.auditor.borrow_mut().taken_as_delivered(name, take);
                world.shop.borrow_mut().taken_as_delivered(&hash, world.now());
                let answer = self.disk.ledger.ledger().delivery(job).expect("the ledger can be read");
                match answer {
                    Some(answer) => world.files.may_hold(&answer.body),
                    None => world.violated(format!("the answer that was taken for {name} is not kept")),
                }
            }
            Reopened::AsServed | Reopened::Unchanged | Reopened::Refused(_) | Reopened::Unfit(_) => {}
        }
    }
}

/// What is paid for and given up, or answered in a shape that only a person may understand.
const fn fits(state: JobState, reason: Reason) -> bool {
    matches!(state, JobState::Lost) || (matches!(state, JobState::Paid) && matches!(reason, Reason::UnknownAnswer))
}

fn paid(take: &TakeRecord) -> Option<PaymentHash> {
    let settled = |standing| matches!(standing, Standing::Paid | Standing::Posted);
    take.payments.iter().find(|payment| settled(payment.row.standing)).map(|payment| payment.row.hash)
}

/// What speaks against how a word was taken, by how the job stood.
fn contradiction(
    stood: &TakeRecord,
    payment: Option<&PaymentHash>,
    word: Reopening,
    reopened: &Reopened,
) -> Option<String> {
    let (state, reason) = (stood.row.state, stood.row.reason);
    let is_asked_for = state == JobState::Paid;
    let answers = || stood.payments.iter().flat_map(|payment| &payment.answers);
    let has_answer = answers().any(|answer| (200..=299).contains(&answer.status) && !answer.body.is_empty());
    // Where a success named an address to poll, it is no result.
    let is_accepted = answers().any(|answer| answer.status == 202);
    let wrong = match reopened {
        Reopened::Recorded | Reopened::Taken(_) if payment.is_none() => "nobody has paid for it",
        Reopened::Recorded | Reopened::Taken(_) if stood.refund.is_some() => "its refund was offered",
        Reopened::Recorded if word != Reopening::Retry => "another word was said",
        Reopened::Recorded if !fits(state, reason) => "it is not given up",
        Reopened::Taken(_) if !fits(state, reason) => "it is not given up",
        Reopened::Taken(_) if !has_answer => "no answer is kept",
        Reopened::AsServed => "nothing was fetched for it",
        Reopened::Unchanged if word != Reopening::Retry || !is_asked_for => "it is not asked for",
        Reopened::Refused(_) if matches!(state, JobState::Paid | JobState::Lost) => "it is paid for",
        Reopened::Unfit(_) if payment.is_none() || stood.refund.is_some() => return None,
        Reopened::Unfit(_) if word == Reopening::Retry => "it can be asked for again",
        Reopened::Unfit(_) if fits(state, reason) && has_answer && !is_accepted => "there is an answer to take",
        Reopened::Recorded | Reopened::Taken(_) | Reopened::Unchanged | Reopened::Refused(_) | Reopened::Unfit(_) => {
            return None;
        }
    };
    Some(wrong.to_owned())
}
