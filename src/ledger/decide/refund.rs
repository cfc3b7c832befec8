//! Records about refunds.

use crate::ledger::{AnswerKey, PaymentKey, RefundInvoice, RefundRecord, RefundStanding, Transition};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::redeem::interpreted;
use super::{Facts, Job, Payment, RefundWrite, Ruling, Undelivered, Unfit, Write, budget, contradiction};

/// Decides one record about the refund of a payment.
pub fn refund<'a>(facts: &Facts, now: UnixMs, key: PaymentKey, record: &'a RefundRecord) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    let of = Of { now, payment, job, standing: facts.refund.as_ref().map(|refund| refund.standing) };
    match record {
        RefundRecord::Offered { answer, link, message } => offered(facts, &of, *answer, link.as_deref(), message),
        RefundRecord::Invoiced(invoice) => of.invoiced(invoice, facts.is_invoice_of_another),
        RefundRecord::HandedOver { callback, k1 } => {
            of.expect(RefundStanding::Invoiced, "a handing over")?;
            let mut ruling = Ruling::done();
            ruling.write(Write::Refund(key, RefundWrite::HandedOver { callback: callback.as_str(), k1, at: now }));
            Ok(ruling)
        }
        RefundRecord::Waits { reason, words } => of.waits(*reason, words),
        RefundRecord::Settled { received } => of.settled(*received),
        RefundRecord::Expired { words } => of.expired(words),
    }
}

/// A refund, and whose it is.
struct Of<'f> {
    now: UnixMs,
    payment: &'f Payment,
    job: &'f Job,
    standing: Option<RefundStanding>,
}

/// The offer, with its link, in the transaction that ends the job's life. An offer without a link is a person's to see to.
fn offered<'a>(
    facts: &Facts,
    of: &Of<'_>,
    answer: AnswerKey,
    link: Option<&'a str>,
    message: &str,
) -> Result<Ruling<'a>, Unfit> {
    let Of { now, payment, job, .. } = *of;
    payment.expect_undelivered(job, "a refund's offer")?;
    let mut ruling = Ruling::done();
    interpreted(&mut ruling, facts, payment, answer)?;
    match of.standing {
        None | Some(RefundStanding::Offered) => {
            ruling.write(Write::Refund(payment.key, RefundWrite::Offered { batch: payment.batch, link, at: now }));
        }
        // It has its invoice, which stands whatever else is offered.
        Some(RefundStanding::Invoiced | RefundStanding::Settled | RefundStanding::Expired) => {}
    }
    let mut is = payment.clone();
    (is.redeeming.poll, is.redeeming.undelivered) = (None, Undelivered::Taken);
    ruling.payment(payment, is);
    let reason = if link.is_some() { Reason::RefundOffered } else { Reason::RefundFailed };
    ruling.change(now, job, &JobUpdate { error: Some(message), ..JobUpdate::to(JobState::RefundOffered, reason) });
    Ok(ruling)
}

impl Of<'_> {
    fn standing(&self) -> Result<RefundStanding, Unfit> {
        let missing = || contradiction(format!("no refund is offered for payment {}", self.payment.hash));
        self.standing.map_or_else(missing, Ok)
    }

    fn expect(&self, standing: RefundStanding, record: &str) -> Result<(), Unfit> {
        if self.standing()? == standing { Ok(()) } else { self.unexpected(record) }
    }

    fn unexpected<T>(&self, record: &str) -> Result<T, Unfit> {
        contradiction(format!(
            "{record} does not fit the refund of payment {}, which is {}",
            self.payment.hash,
            self.standing()?.as_str()
        ))
    }

    /// The one invoice, before it is handed over for the first time. What comes by it is this refund's alone: else one payment would
    /// count as the money of two.
    fn invoiced<'a>(&self, invoice: &'a RefundInvoice, is_of_another: bool) -> Result<Ruling<'a>, Unfit> {
        self.expect(RefundStanding::Offered, "an invoice")?;
        if is_of_another {
            return contradiction(format!("the invoice of another refund for payment {}", self.payment.hash));
        }
        if invoice.amount > self.payment.amount || invoice.amount == Msat::ZERO {
            return contradiction(format!("a refund of {} for payment {}", invoice.amount, self.payment.hash));
        }
        let mut ruling = Ruling::done();
        ruling.write(Write::Refund(self.payment.key, RefundWrite::Invoiced { invoice, at: self.now }));
        self.stand(&mut ruling, Reason::RefundPending, None)?;
        Ok(ruling)
    }

    fn waits<'a>(&self, reason: Reason, words: &'a str) -> Result<Ruling<'a>, Unfit> {
        let open = matches!(self.standing()?, RefundStanding::Offered | RefundStanding::Invoiced);
        let fits = matches!(
            reason,
            Reason::RefundOffered | Reason::RefundPending | Reason::RefundNotPermitted | Reason::RefundFailed
        );
        if !open || !fits {
            return self.unexpected(reason.as_str());
        }
        let mut ruling = Ruling::done();
        ruling.write(Write::Refund(self.payment.key, RefundWrite::Said { words, at: self.now }));
        self.stand(&mut ruling, reason, Some(words))?;
        Ok(ruling)
    }

    /// What came is what our own node says, whatever was asked for. Of more than was paid, no limit hears.
    fn settled<'a>(&self, received: Msat) -> Result<Ruling<'a>, Unfit> {
        let Self { now, payment, job, .. } = *self;
        if self.standing()? != RefundStanding::Invoiced || received == Msat::ZERO {
            return self.unexpected("a settled refund");
        }
        let mut ruling = Ruling::done();
        budget::give_back(&mut ruling, payment, received.min(payment.amount))?;
        let standing = RefundStanding::Settled;
        ruling.write(Write::Refund(payment.key, RefundWrite::Ends { standing, received: Some((received, now)) }));
        let less = received < payment.amount;
        let words = format!("{} of {} came back", received, payment.amount);
        let reason = if less { Reason::RefundPartial } else { Reason::None };
        let error = less.then_some(words.as_str());
        let change = JobUpdate { error, finished: true, ..JobUpdate::to(JobState::Refunded, reason) };
        ruling.change(now, job, &change);
        ruling.transition = Some(Transition { refunded: Some(received), ..Transition::of(&change) });
        Ok(ruling)
    }

    fn expired<'a>(&self, words: &'a str) -> Result<Ruling<'a>, Unfit> {
        self.expect(RefundStanding::Invoiced, "an expiry")?;
        let payment = self.payment.key;
        let mut ruling = Ruling::done();
        let ends = RefundWrite::Ends { standing: RefundStanding::Expired, received: None };
        ruling.write(Write::Refund(payment, ends));
        ruling.write(Write::Refund(payment, RefundWrite::Said { words, at: self.now }));
        self.stand(&mut ruling, Reason::RefundExpired, Some(words))?;
        Ok(ruling)
    }

    /// How the job stands now; one on which a person has decided stands as that person said.
    fn stand(&self, ruling: &mut Ruling<'_>, reason: Reason, error: Option<&str>) -> Result<(), Unfit> {
        match self.job.state {
            JobState::RefundOffered => {
                ruling.change(
                    self.now,
                    self.job,
                    &JobUpdate { error, ..JobUpdate::to(JobState::RefundOffered, reason) },
                );
                Ok(())
            }
            JobState::Lost => Ok(()),
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::Refunded => self.payment.unexpected(self.job, "a refund"),
        }
    }
}
