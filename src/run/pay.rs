//! Pays for a job, and looks at what became of its payment.

use crate::error::Hinted;
use crate::ledger::{DurableIntent, Ledger, LedgerError};
use crate::life::{PaymentFate, PaymentLookup, outlives_a_payment};
use crate::origin::Origin;
use crate::payer::{NodeProblem, PayRefusal, Payer, ProblemKind, SendOutcome, SendReport};
use crate::time::UnixMs;

use super::Clock;
use super::drive::Driver;
use super::payment_lookup::look_up;

/// A look-up that nothing else bounds is followed this long before it is asked anew.
const TRACK_MS: u64 = 60_000;

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'_, L, P, O, C> {
    /// Sends a payment, in a slot. None: the run leaves before anything was sent.
    pub(super) async fn send(&mut self, intent: &DurableIntent) -> Result<Option<SendReport>, LedgerError> {
        let Some(payer) = self.run.payer else { return Ok(None) };
        if self.slot.is_none() {
            // The same invoice again; its first send is on record, so a run that ends here loses nothing.
            self.slot = self.shared.slots.try_acquire().ok();
        }
        if self.slot.is_none() {
            let Ok(slot) = self.shared.slots.acquire().await else { return Ok(None) };
            self.slot = Some(slot);
            // What was seen before it stood in line is old: an earlier POST may have arrived since, the node may have lost its
            // history, or the time is over in which what it would pay for could be redeemed.
            let PaymentLookup { fate: seen, node_time } = look_up(self.run.ledger, payer, intent, None).await?;
            let unpaid = matches!(seen, PaymentFate::NotFound | PaymentFate::Failed(_));
            let in_time = outlives_a_payment(intent, node_time, self.run.clock.now(), &self.run.settings.bounds);
            if !(unpaid && in_time) {
                self.leave_slot();
                let why = if unpaid { "it came too late for that" } else { "the node says otherwise now" };
                let outcome = SendOutcome::InDoubt(format!("not sent again: {why}"));
                return Ok(Some(SendReport { answered: false, outcome, node_time }));
            }
        }
        let patience_ms = self.run.settings.payment_patience_ms.max(payer.promises().patience_ms_min);
        let report = payer.send(intent, patience_ms).await;
        match &report.outcome {
            SendOutcome::Refused(PayRefusal::Node(problem)) => self.heed_problem(problem),
            // Was it this payment, or the node? Known before the slot is free, so that not one job after the other runs
            // into a node that is gone.
            SendOutcome::InDoubt(_) => {
                if let Err(problem) = payer.node().await {
                    self.heed_problem(&problem);
                }
            }
            SendOutcome::Settled(_)
            | SendOutcome::PreimageKnown(_)
            | SendOutcome::Failed(_)
            | SendOutcome::Refused(_)
            | SendOutcome::InFlight => {}
        }
        Ok(Some(report))
    }

    /// A problem of the whole node pauses admission; words about one payment do not.
    pub(super) fn heed_problem(&self, problem: &NodeProblem) {
        match problem.kind {
            ProblemKind::Unreachable(_)
            | ProblemKind::Certificate(_)
            | ProblemKind::Locked
            | ProblemKind::Starting
            | ProblemKind::Denied(_)
            | ProblemKind::NotSynced => self.trouble(&problem.told(), self.run.clock.now()),
            ProblemKind::Other(_) => {}
        }
    }

    fn heed_node_time(&self, node_time: Option<UnixMs>) {
        if let Some(node_time) = node_time {
            self.shared.node_ahead_ms.set(node_time.since_ms(self.run.clock.now()));
        }
    }

    /// Asks the node. What was sent keeps its slot until it is known how it stands.
    pub(super) async fn look(
        &mut self,
        intent: &DurableIntent,
        track_ms: Option<u64>,
    ) -> Result<PaymentLookup, LedgerError> {
        let Some(payer) = self.run.payer else {
            let problem = ProblemKind::Unreachable("no node is configured".to_owned());
            return Ok(PaymentLookup { fate: PaymentFate::Unknown(problem.into()), node_time: None });
        };
        let lookup = look_up(self.run.ledger, payer, intent, track_ms).await?;
        // A stream's date is that of its beginning, and a broken stream is no news of the node.
        if track_ms.is_none() {
            self.heed_node_time(lookup.node_time);
            if let PaymentFate::Unknown(problem) = &lookup.fate {
                self.heed_problem(problem);
            }
        }
        Ok(lookup)
    }

    /// Follows a payment without a slot and without a place. None: the run does not wait for it any more.
    pub(super) async fn track(&mut self, intent: &DurableIntent) -> Result<Option<PaymentLookup>, LedgerError> {
        self.leave_slot();
        self.leave_place();
        if self.run.control.draining() || self.shared.doubt_timed_out.get() {
            return Ok(None);
        }
        let (control, shared) = (&self.run.control, self.shared);
        let lookup = tokio::select! {
            biased;
            () = control.until_draining() => None,
            () = shared.doubt_timeout.notified() => None,
            lookup = self.look(intent, Some(TRACK_MS)) => Some(lookup?),
        };
        Ok(lookup)
    }
}
