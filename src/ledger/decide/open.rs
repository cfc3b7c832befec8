//! Which purchases are open, and how far each came: where a run goes on with it.

use super::{Death, Intent, Job, Payment, PaymentState, Unfit};
use crate::catalog::RedeemRule;
use crate::ledger::{AnswerKey, AnswerKind, OpenStage};
use crate::purchase::{HttpAnswer, JobState, Reason};

/// An answer as it is stored.
pub type StoredAnswer = (AnswerKey, AnswerKind, HttpAnswer);

/// What a store knows besides of a payment: looked up only where it decides.
pub trait Stored {
    /// Why they could not be looked up.
    type Error: From<Unfit>;

    /// The latest that nobody has interpreted.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn uninterpreted(&self) -> Result<Option<StoredAnswer>, Self::Error>;

    /// That one.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn answer(&self, key: AnswerKey) -> Result<Option<StoredAnswer>, Self::Error>;

    /// Whether its endpoint gives the same purchase again.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn rule(&self) -> Result<RedeemRule, Self::Error>;
}

impl Payment {
    /// Whether something may still become of it: it is not settled and posted and delivered, nor dead by proof.
    pub fn is_open(&self) -> bool {
        match self.fate.state {
            PaymentState::Intended | PaymentState::Paid => true,
            PaymentState::Posted => self.redeeming.delivered_at.is_none(),
            PaymentState::Dead => self.fate.death == Some(Death::Decided),
        }
    }
}

/// How far an open purchase came; none where nothing is left to do for it.
///
/// # Errors
/// Where its rows cannot be what they say, or an answer cannot be looked up.
pub fn stage<S: Stored>(
    payment: &Payment,
    job: &Job,
    intent: &Intent,
    stored: &S,
) -> Result<Option<OpenStage>, S::Error> {
    let durable = || payment.durable(intent);
    if payment.fate.state == PaymentState::Dead {
        return Ok(Some(OpenStage::Abandoned(durable())));
    }
    match job.state {
        JobState::Running | JobState::InDoubt => Ok(Some(OpenStage::Intended(durable()))),
        JobState::Paid => paid(payment, job, intent, stored),
        JobState::Delivered | JobState::Downloaded | JobState::RefundOffered | JobState::Refunded | JobState::Lost => {
            match payment.fate.state {
                PaymentState::Paid => {
                    let stood = (job.reason, job.error.clone());
                    Ok(Some(OpenStage::Unposted(payment.purchase(intent, stood)?)))
                }
                PaymentState::Intended => Ok(Some(OpenStage::Abandoned(durable()))),
                PaymentState::Posted | PaymentState::Dead => Ok(None),
            }
        }
        JobState::Pending | JobState::Refused | JobState::Failed => {
            Err(Unfit::Damaged(format!("it is {} and has an open payment", job.state.as_str())).into())
        }
    }
}

/// How far a paid purchase came; none where a person has to decide, and the node has posted it.
fn paid<S: Stored>(payment: &Payment, job: &Job, intent: &Intent, stored: &S) -> Result<Option<OpenStage>, S::Error> {
    let purchase = payment.purchase(intent, (job.reason, job.error.clone()))?;
    if let Some((key, kind, answer)) = stored.uninterpreted()? {
        return Ok(Some(OpenStage::Answered(purchase, kind, key, answer)));
    }
    if let Some(poll) = purchase.poll().cloned() {
        return Ok(Some(OpenStage::Accepted(purchase, poll)));
    }
    let Some(first) = purchase.heard() else { return Ok(Some(OpenStage::Paid(purchase))) };
    let may_replay = purchase.may_replay(stored.rule()?);
    match stored.answer(first)? {
        // What it says is read once more, and what it left undone is done.
        Some((key, kind, answer)) if may_replay || job.reason != Reason::UnknownAnswer => {
            Ok(Some(OpenStage::Answered(purchase, kind, key, answer)))
        }
        Some(_) | None => Ok(Some(OpenStage::Unposted(purchase)).filter(|_| payment.fate.state == PaymentState::Paid)),
    }
}
