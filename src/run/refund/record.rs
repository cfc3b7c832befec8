//! What a claim writes down, and tells.

use crate::event::{Event, JobEvent};
use crate::ledger::{JobState, Ledger, LedgerError, Next, Reason, Record, RefundRecord};
use crate::money::Msat;
use crate::origin::Origin;
use crate::payer::Payer;

use super::{Claim, Step};
use crate::run::Clock;

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    pub(super) async fn waits(&mut self, reason: Reason, words: String, step: Step) -> Result<Step, LedgerError> {
        if self.refund.reason != reason || self.refund.words.as_ref() != Some(&words) {
            let record = RefundRecord::Waits { reason, words: words.clone() };
            self.commit(record, reason, Some(words)).await?;
        }
        Ok(step)
    }

    pub(super) async fn settled(&mut self, received: Msat) -> Result<(), LedgerError> {
        let less = received < self.refund.paid;
        let words = less.then(|| format!("{received} of {} came back", self.refund.paid));
        let reason = if less { Reason::RefundPartial } else { Reason::None };
        self.commit_to(JobState::Refunded, RefundRecord::Settled { received }, reason, words, Some(received)).await
    }

    pub(super) async fn expired(&mut self, words: &str) -> Result<(), LedgerError> {
        let record = RefundRecord::Expired { words: words.to_owned() };
        self.commit(record, Reason::RefundExpired, Some(words.to_owned())).await
    }

    pub(super) async fn commit(
        &mut self,
        record: RefundRecord,
        reason: Reason,
        words: Option<String>,
    ) -> Result<(), LedgerError> {
        self.commit_to(JobState::RefundOffered, record, reason, words, None).await
    }

    async fn commit_to(
        &mut self,
        state: JobState,
        record: RefundRecord,
        reason: Reason,
        words: Option<String>,
        refunded: Option<Msat>,
    ) -> Result<(), LedgerError> {
        let now = self.run.clock.now();
        self.run.ledger.commit(now, Record::Refund(self.refund.payment, record)).await?;
        // What a person has given up stands so, until the money is here.
        if self.refund.state == JobState::Lost && state != JobState::Refunded {
            self.refund.words = words;
            return Ok(());
        }
        let from = std::mem::replace(&mut self.refund.state, state);
        self.refund.reason = reason;
        self.refund.words.clone_from(&words);
        self.run.listener.hear(&Event::Job(JobEvent {
            id: self.refund.id.clone(),
            take: self.refund.take,
            endpoint: self.refund.endpoint.name.clone(),
            from,
            state,
            reason,
            next: Next::of(state, reason),
            price_msat: self.refund.paid,
            fee_msat: None,
            refunded_msat: refunded,
            url: None,
            file: None,
            error: words,
            at: now,
        }));
        Ok(())
    }
}
