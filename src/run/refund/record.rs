//! What a claim writes down, and tells.

use crate::event::Changing;
use crate::ledger::{Ledger, LedgerError, Record, RefundRecord};
use crate::money::Msat;
use crate::origin::Origin;
use crate::payer::Payer;
use crate::purchase::Reason;

use super::{AfterTry, Claim};
use crate::run::Clock;

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    pub(super) async fn waits(
        &mut self,
        reason: Reason,
        words: String,
        step: AfterTry,
    ) -> Result<AfterTry, LedgerError> {
        if self.refund.reason != reason || self.refund.words.as_ref() != Some(&words) {
            self.commit(RefundRecord::Waits { reason, words: words.clone() }, Some(words)).await?;
        }
        Ok(step)
    }

    pub(super) async fn settled(&mut self, received: Msat) -> Result<(), LedgerError> {
        self.commit(RefundRecord::Settled { received }, None).await
    }

    pub(super) async fn expired(&mut self, words: &str) -> Result<(), LedgerError> {
        self.commit(RefundRecord::Expired { words: words.to_owned() }, Some(words.to_owned())).await
    }

    /// Writes one record, and tells of the job where that changes. `words` are what is said of the refund from then on.
    pub(super) async fn commit(&mut self, record: RefundRecord, words: Option<String>) -> Result<(), LedgerError> {
        let now = self.run.clock.now();
        let recorded = self.run.ledger.commit(now, Record::Refund(self.refund.payment, record)).await?;
        // What a person has abandoned stands so, until the money is here.
        let Some(to) = recorded.transition else {
            self.refund.words = words;
            return Ok(());
        };
        let from = std::mem::replace(&mut self.refund.state, to.state);
        self.refund.reason = to.reason;
        self.refund.words.clone_from(&to.error);
        let (id, take, endpoint) = (&*self.refund.id, self.refund.take, &*self.refund.endpoint.name);
        let (price, is_capped) = (self.refund.price, self.refund.endpoint.is_capped());
        let job = Changing { id, take, endpoint, from, price, is_capped, amount: Some(self.refund.paid), fee: None };
        job.announce(to, now, self.run.listener);
        Ok(())
    }
}
