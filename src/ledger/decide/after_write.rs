//! What a decision changes of facts that were looked up before it was written: sums, counts and the next keys, and what an
//! endpoint's delivery says of all its payments.

use crate::ledger::{AnswerKey, BatchKey, NewIntent, PaymentKey, Served};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::{
    AnswerWrite, BegunAt, Charged, Endpoint, EndpointFacts, EndpointKey, Facts, Held, IntentFacts, Job, Keys, Moved,
    Payment, PaymentState, PeriodKind, Undelivered, Write,
};

impl Facts {
    /// Brings them up to date, once that is decided to be written. False where only the store can tell what they are then.
    pub fn after_write(&mut self, keys: &Keys<'_>, write: &Write<'_>) -> bool {
        if self.is_looked_up_anew(keys, write) {
            return false;
        }
        let is_of_origin = keys.delivers.is_some() || self.intending.is_some();
        match write {
            Write::Job(job) => {
                self.intending.iter_mut().for_each(|known| known.after_job(job));
                true
            }
            Write::Intend(payment, intent) => {
                self.next.payment = PaymentKey(payment.key.0.saturating_add(1));
                if let Some(known) = &mut self.intending {
                    known.after_intent(keys.intent, payment, intent);
                }
                true
            }
            Write::Payment(was, is) => !is_of_origin || self.after_payment(was, is),
            Write::Money(batch, charged, _, moved) => {
                self.intending.as_mut().is_none_or(|known| known.after_money(*batch, charged, *moved).is_some())
            }
            Write::Period(kind, name) => {
                self.intending.iter_mut().for_each(|known| known.after_period(*kind, name));
                true
            }
            Write::Endpoint { key, url, origin } => {
                self.intending.iter_mut().for_each(|known| known.after_endpoint(*key, url, origin));
                true
            }
            Write::Delivers(endpoint, at) => {
                self.after_delivery(*endpoint, *at);
                true
            }
            Write::Answer(AnswerWrite::New { key, .. }) => {
                self.next.answer = AnswerKey(key.0.saturating_add(1));
                true
            }
            // They name rows that no other record of the round has to do with.
            Write::Transition { .. }
            | Write::MoreResults(..)
            | Write::Fetching(..)
            | Write::File(..)
            | Write::KeptSettlement { .. }
            | Write::OriginPeriod { .. }
            | Write::Decision { .. }
            | Write::Answer(AnswerWrite::Cut(..) | AnswerWrite::Drop(_) | AnswerWrite::Interpreted(..))
            | Write::BodyUnneeded(_)
            | Write::Refund(..) => true,
            Write::Served(served, _) => is_of_other_request(keys, served),
            Write::Word { .. } | Write::UseWord { .. } | Write::LapseWord { .. } => !is_of_origin,
            Write::FurtherTake { .. }
            | Write::Unreplace { .. }
            | Write::JoinTakes(_)
            | Write::Keep(_)
            | Write::AcceptsAgain(_) => false,
        }
    }

    /// What a token depends on, since one is bought seldom; and what an origin has of us, which the store sums up.
    fn is_looked_up_anew(&self, keys: &Keys<'_>, write: &Write<'_>) -> bool {
        let buys_token = keys.intent.is_some_and(|intent| intent.reuse.is_some());
        let is_of_token = matches!(write, Write::Job(_) | Write::Intend(..) | Write::Payment(..));
        let known = self.intending.as_ref().map(|known| &known.admission.endpoint);
        (buys_token && is_of_token) || known.is_some_and(|known| sums_change(known, write))
    }

    /// A payment becomes another. What begins to count against an origin, or ends to, is looked up anew.
    fn after_payment(&mut self, was: &Payment, is: &Payment) -> bool {
        let is_revived = was.fate.state == PaymentState::Dead && is.fate.state != PaymentState::Dead;
        let (before, after) = (&was.redeeming, &is.redeeming);
        let is_taken = after.undelivered == Undelivered::Taken && before.undelivered != Undelivered::Taken;
        let words =
            self.origin.words.iter().chain(self.intending.iter().flat_map(|known| &known.admission.endpoint.words));
        let is_by_word = words.filter_map(|word| word.payment).any(|(key, ..)| key == is.key);
        if is_revived || is_taken || is_by_word || before.rejected || after.rejected {
            return false;
        }
        if let Some(known) = &mut self.intending {
            known.after_payment(is);
        }
        self.origin.against.retain(|one| one.payment != is.key || is.redeeming.undelivered == Undelivered::Taken);
        true
    }

    /// Nothing that the endpoint took before counts against it any more.
    fn after_delivery(&mut self, endpoint: EndpointKey, at: UnixMs) {
        let payments = self.payment.iter_mut().chain(&mut self.undelivered);
        let here = payments.filter(|payment| payment.endpoint == Some(endpoint));
        here.for_each(|payment| payment.redeeming.undelivered = Undelivered::No);
        if let Some(known) = self.intending.as_mut().map(|known| &mut known.admission.endpoint)
            && let Some(known_endpoint) = known.known.as_mut().filter(|known| known.key == endpoint)
        {
            known_endpoint.delivered_at = Some(at);
            known.begun.clear();
        }
        if let Some(known) = self.origin.endpoint.as_mut().filter(|known| known.key == endpoint) {
            known.delivered_at = Some(at);
        }
        self.origin.against.retain(|one| one.rejected || one.endpoint != endpoint);
        self.origin
            .against
            .iter_mut()
            .filter(|one| one.endpoint == endpoint)
            .for_each(|one| one.undelivered = Undelivered::No);
    }
}

/// Whether what an origin has of us, as far as that is limited, may be another by that.
fn sums_change(known: &EndpointFacts, write: &Write<'_>) -> bool {
    let Some(sums) = &known.of_origin else { return false };
    match write {
        Write::Money(_, _, endpoint, _) => endpoint.is_some_and(|endpoint| sums.endpoints.contains(&endpoint)),
        Write::Delivers(endpoint, _) => sums.endpoints.contains(endpoint),
        Write::Endpoint { origin, .. } | Write::OriginPeriod { origin, .. } => *origin == known.origin,
        Write::Period(..) => true,
        // Whether something is open there.
        Write::Job(_) | Write::Payment(..) => sums.new.is_some(),
        Write::Intend(..)
        | Write::Transition { .. }
        | Write::MoreResults(..)
        | Write::Fetching(..)
        | Write::File(..)
        | Write::KeptSettlement { .. }
        | Write::Decision { .. }
        | Write::Answer(_)
        | Write::BodyUnneeded(_)
        | Write::Refund(..)
        | Write::Served(..)
        | Write::Word { .. }
        | Write::UseWord { .. }
        | Write::LapseWord { .. }
        | Write::FurtherTake { .. }
        | Write::Unreplace { .. }
        | Write::JoinTakes(_)
        | Write::Keep(_)
        | Write::AcceptsAgain(_) => false,
    }
}

impl IntentFacts {
    fn after_job(&mut self, job: &Job) {
        let held = self.admission.held.iter_mut().filter(|one| one.job == job.key);
        held.for_each(|one| one.job_state = job.state);
        let EndpointFacts { begun, rejected, .. } = &mut self.admission.endpoint;
        let begun = begun.iter_mut().filter(|one| one.job == job.key);
        begun.for_each(|one| (one.job_state, one.job_reason) = (job.state, job.reason));
        let rejected = rejected.iter_mut().filter(|one| one.job == job.key);
        rejected.for_each(|one| (one.job_state, one.job_reason) = (job.state, job.reason));
    }

    /// Nothing was bought there before.
    fn after_endpoint(&mut self, key: EndpointKey, url: &str, origin: &str) {
        self.next_endpoint = EndpointKey(key.0.saturating_add(1));
        let facts = &mut self.admission.endpoint;
        if facts.url == url {
            facts.known = Some(Endpoint { key, origin: origin.to_owned(), delivered_at: None });
        }
    }

    /// The newest from now on: nothing of it is used yet.
    fn after_period(&mut self, kind: PeriodKind, name: &str) {
        let used = match kind {
            PeriodKind::Day => &mut self.used.day,
            PeriodKind::Month => &mut self.used.month,
        };
        *used = Some((name.to_owned(), Msat::ZERO));
    }

    /// One more begins, for a job of which is told next how it stands.
    fn after_intent(&mut self, own: Option<&NewIntent>, payment: &Payment, intent: &NewIntent) {
        let (key, job, batch) = (payment.key, payment.job, payment.batch);
        if own.is_some_and(|own| own.node == payment.node) {
            self.admission.held.push(Held {
                payment: key,
                job,
                batch,
                job_state: JobState::Running,
                invoice_expires_at: intent.invoice_expires_at,
                cltv_limit: payment.cltv_limit,
            });
        }
        let EndpointFacts { known, begun, .. } = &mut self.admission.endpoint;
        if known.as_ref().is_some_and(|known| Some(known.key) == payment.endpoint) {
            begun.push(BegunAt {
                payment: key,
                job,
                batch,
                job_state: JobState::Running,
                job_reason: Reason::None,
                undelivered: payment.redeeming.undelivered,
                intended_at: payment.intended_at,
            });
        }
    }

    fn after_payment(&mut self, is: &Payment) {
        let admission = &mut self.admission;
        if is.fate.state != PaymentState::Intended {
            admission.held.retain(|one| one.payment != is.key);
        }
        let begun = &mut admission.endpoint.begun;
        if is.fate.state == PaymentState::Dead || is.redeeming.undelivered == Undelivered::No {
            begun.retain(|one| one.payment != is.key);
        }
        begun.iter_mut().filter(|one| one.payment == is.key).for_each(|one| one.job = is.job);
    }

    /// None where a sum does not fit.
    fn after_money(&mut self, batch: BatchKey, charged: &Charged, moved: Moved) -> Option<()> {
        let used = &mut self.used;
        if self.buyer.batch == batch {
            used.batch = after(used.batch, moved)?;
        }
        for (used, charged) in [(&mut used.day, &charged.day), (&mut used.month, &charged.month)] {
            if let Some((_, sum)) = used.as_mut().filter(|(name, _)| charged.as_ref() == Some(name)) {
                *sum = after(*sum, moved)?;
            }
        }
        Some(())
    }
}

/// What a token has served is a purchase of its request by now. Of whoever must have a result of his own, nobody knows the request here.
fn is_of_other_request(keys: &Keys<'_>, served: &Served) -> bool {
    keys.result.is_none() && keys.intent.is_none_or(|intent| intent.request.digest() != served.request)
}

fn after(sum: Msat, moved: Moved) -> Option<Msat> {
    let Moved { held, spent, fees, refunded } = moved;
    let moved = held.checked_add(spent)?.checked_add(fees)?.checked_sub(refunded)?;
    sum.get().checked_add_signed(moved).map(Msat::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::decide::OriginSums;

    #[test]
    fn what_an_origin_has_of_us_is_summed_anew_after_what_happens_there_alone() {
        let sums = OriginSums { endpoints: vec![EndpointKey(1)], ..OriginSums::default() };
        let known = EndpointFacts { origin: "a.example".to_owned(), of_origin: Some(sums), ..EndpointFacts::default() };
        let money = |at| Write::Money(BatchKey(1), Charged::default(), Some(EndpointKey(at)), Moved::default());
        let begins = |origin: &str| Write::OriginPeriod { origin: origin.to_owned(), period: "all".to_owned() };
        for (here, elsewhere) in [
            (money(1), money(2)),
            (Write::Delivers(EndpointKey(1), UnixMs(0)), Write::Delivers(EndpointKey(2), UnixMs(0))),
            (begins("a.example"), begins("b.example")),
        ] {
            assert!(sums_change(&known, &here));
            assert!(!sums_change(&known, &elsewhere));
            assert!(!sums_change(&EndpointFacts::default(), &here), "no limit");
        }
    }
}
