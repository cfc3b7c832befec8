//! Claims refunds through the node that paid (LUD-03): ask what may be withdrawn, make an invoice, hand it over, and look at
//! our own node whether it is paid.
//!
//! For each refund there is one invoice, ever. It is durable before it is handed over; whatever the other side then says, or
//! does not say, is answered by looking that invoice up, and by handing over the same one again. A node takes money for an
//! invoice once, so that nothing of this can go wrong twice.

mod invoice;
mod offer;
mod queue;
mod record;

use crate::backoff;
use crate::ledger::{DurableInvoice, Ledger, LedgerError, OpenRefund};
use crate::origin::Origin;
use crate::payer::Payer;
use crate::purchase::Reason;

use super::shared::Shared;
use super::{Clock, Run};
use invoice::Looked;
use offer::Refusal;
use queue::Offer;

pub(super) use queue::Claims;

/// Times that a run tries to claim one.
const TRIES_MAX: u32 = 4;
/// The pause before the second try; each further one is twice as long.
const PAUSE_MS: u64 = 2_000;
/// How long a run looks for money that was promised; the next one looks again.
const WATCH_MS: i64 = 60_000;
/// Looks at an invoice that are taken, a second apart, where nobody waits any longer, or where nothing was promised.
const LOOKS_MIN: u32 = 3;
const LOOK_MS_MIN: u64 = 1_000;
const LOOK_MS_MAX: u64 = 8_000;

/// What follows a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterTry {
    /// Nothing more in this run.
    Done,
    /// It is tried again, after a pause.
    Again,
}

/// A place among the claims, given back when dropped.
struct UnderWay<'a>(&'a Shared);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.claims.done();
        self.0.wake.notify_one();
    }
}

/// One refund that is being claimed.
struct Claim<'r, L, P, O, C> {
    run: &'r Run<'r, L, P, O, C>,
    shared: &'r Shared,
    payer: &'r P,
    refund: OpenRefund,
}

impl<'a, L: Ledger, P: Payer, O: Origin, C: Clock> Run<'a, L, P, O, C> {
    /// The next refund to claim, where there is room; the future claims it.
    pub(super) fn next_claim<'r>(
        &'r self,
        shared: &'r Shared,
    ) -> Option<impl Future<Output = Result<(), LedgerError>> + use<'r, 'a, L, P, O, C>> {
        let payer = self.payer?;
        let (payment, offer) = shared.claims.next()?;
        let place = UnderWay(shared);
        Some(async move {
            let _place = place;
            let Some(refund) = self.ledger.refund(payment).await? else { return Ok(()) };
            let claim = Claim { run: self, shared, payer, refund };
            if offer == Offer::Claimed { claim.look_again().await } else { claim.claim().await }
        })
    }
}

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Claim<'_, L, P, O, C> {
    async fn claim(mut self) -> Result<(), LedgerError> {
        for tries in 0..TRIES_MAX {
            if self.attempt().await? == AfterTry::Done {
                break;
            }
            if tries + 1 < TRIES_MAX && !self.pause(backoff::pause_ms(tries, PAUSE_MS, u64::MAX)).await {
                break;
            }
        }
        if self.refund.invoice.is_some() {
            self.shared.claims.handed_over(self.refund.payment);
        }
        Ok(())
    }

    /// A last look of this run, which says nothing where nothing has come.
    async fn look_again(mut self) -> Result<(), LedgerError> {
        if let (Some(invoice), Ok(())) = (self.refund.invoice.clone(), self.is_payers_node().await) {
            self.look(&invoice).await?;
        }
        Ok(())
    }

    /// One try, from whatever is durable.
    async fn attempt(&mut self) -> Result<AfterTry, LedgerError> {
        if self.payer.receiver().is_none() {
            let (reason, words) = Self::receives_nothing();
            return self.waits(reason, words, AfterTry::Done).await;
        }
        if let Err((reason, words)) = self.is_payers_node().await {
            return self.waits(reason, words, AfterTry::Again).await;
        }
        let known = self.refund.invoice.clone();
        if let Some(invoice) = &known {
            match self.look(invoice).await? {
                Looked::Over => return Ok(AfterTry::Done),
                Looked::Open => {}
                Looked::Waits(reason, words) => return self.waits(reason, words, AfterTry::Done).await,
            }
        }
        let (withdraw, host) = match (self.ask().await, &known) {
            (Ok(asked), _) => asked,
            (Err(refusal), None) => return self.refused(refusal).await,
            // What was handed over may be on its way: whoever has taken it, offers nothing any more.
            (Err(refusal), Some(invoice)) => {
                let step = refusal.step();
                return self.watch(invoice, refusal.words(), false, step).await;
            }
        };
        let invoice = match known {
            Some(invoice) => self.again(invoice, &withdraw).await?,
            None => self.first(&withdraw).await?,
        };
        let invoice = match invoice {
            Ok(invoice) => invoice,
            Err((reason, words)) => return self.waits(reason, words, AfterTry::Done).await,
        };
        match self.hand_over(&withdraw, &invoice).await {
            Ok(()) => self.watch(&invoice, format!("{host} has taken it"), true, AfterTry::Done).await,
            Err(why) => self.watch(&invoice, format!("{host} says: {why}"), false, AfterTry::Again).await,
        }
    }

    async fn refused(&mut self, refusal: Refusal) -> Result<AfterTry, LedgerError> {
        let reason = match refusal {
            Refusal::Later(_) => Reason::RefundOffered,
            Refusal::No(_) => Reason::RefundFailed,
        };
        let step = refusal.step();
        self.waits(reason, format!("the refund cannot be claimed so far: {}", refusal.words()), step).await
    }

    /// Looks for the money: for a while where it was promised, and a few times where nothing was. `said` is the other side's
    /// word, and `step` what follows where nothing comes.
    async fn watch(
        &mut self,
        invoice: &DurableInvoice,
        said: String,
        promised: bool,
        step: AfterTry,
    ) -> Result<AfterTry, LedgerError> {
        let end = self.run.clock.now().plus_ms(WATCH_MS);
        let mut looks = 0;
        loop {
            match self.look(invoice).await? {
                Looked::Over => return Ok(AfterTry::Done),
                Looked::Open => {}
                Looked::Waits(reason, words) => return self.waits(reason, words, AfterTry::Done).await,
            }
            looks += 1;
            let patient = promised && self.run.clock.now() < end;
            if looks < LOOKS_MIN {
                self.run.clock.sleep_ms(LOOK_MS_MIN).await;
            } else if !patient || !self.pause(backoff::pause_ms(looks - 1, LOOK_MS_MIN, LOOK_MS_MAX)).await {
                break;
            }
        }
        let words = format!("the invoice was handed over and is not paid so far; {said}");
        self.waits(self.pending(), words, step).await
    }

    /// Waits, and says whether the run still does after it.
    async fn pause(&self, ms: u64) -> bool {
        if self.run.control.draining() || self.shared.doubt_timed_out.get() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_draining() => false,
            () = self.shared.doubt_timeout.notified() => false,
            () = self.run.clock.sleep_ms(ms) => true,
        }
    }
}
