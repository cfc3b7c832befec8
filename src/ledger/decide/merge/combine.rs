//! What two ledgers know of one payment, taken together.

use crate::ledger::DeadProof;
use crate::ledger::RefundStanding;
use crate::ledger::decide::{Charged, Death, Fate, Payment, PaymentState, Redeeming, Refund, Sends, Undelivered};
use crate::purchase::JobState;

use super::Side;

/// A preimage beats everything, and what may still settle beats dead. What stays the same for ever is this ledger's.
pub fn combined(ours: &Payment, theirs: &Payment) -> Payment {
    let Payment { key, job, batch, hash, amount, fee_limit, cltv_limit, node, charged, intended_at, endpoint, .. } =
        ours.clone();
    Payment {
        key,
        job,
        batch,
        hash,
        amount,
        fee_limit,
        cltv_limit,
        node,
        charged: Charged {
            day: charged.day.or_else(|| theirs.charged.day.clone()),
            month: charged.month.or_else(|| theirs.charged.month.clone()),
        },
        intended_at: intended_at.min(theirs.intended_at),
        endpoint,
        sends: sends(&ours.sends, &theirs.sends),
        fate: fate(&ours.fate, &theirs.fate),
        redeeming: redeeming(&ours.redeeming, &theirs.redeeming),
    }
}

/// Sends count as the larger number; of those, as many count as unanswered as in the ledger where more are, so that no death is
/// taken for proved that is not.
fn sends(ours: &Sends, theirs: &Sends) -> Sends {
    let begun = ours.begun.max(theirs.begun);
    let unanswered = |of: &Sends| of.begun.saturating_sub(of.answered);
    let theirs_is_newer = theirs.said_at > Some(ours.said_at.unwrap_or_default());
    Sends {
        begun,
        begun_at: ours.begun_at.max(theirs.begun_at),
        answered: begun.saturating_sub(unanswered(ours).max(unanswered(theirs))),
        answered_at: ours.answered_at.max(theirs.answered_at),
        accepted: ours.accepted || theirs.accepted,
        said: if theirs_is_newer { theirs.said.clone() } else { ours.said.clone() },
        said_at: ours.said_at.max(theirs.said_at),
    }
}

fn fate(ours: &Fate, theirs: &Fate) -> Fate {
    let state = match (ours.state, theirs.state) {
        (PaymentState::Posted, _) | (_, PaymentState::Posted) => PaymentState::Posted,
        (PaymentState::Paid, _) | (_, PaymentState::Paid) => PaymentState::Paid,
        (PaymentState::Dead, PaymentState::Dead) => PaymentState::Dead,
        (PaymentState::Intended, PaymentState::Intended | PaymentState::Dead)
        | (PaymentState::Dead, PaymentState::Intended) => PaymentState::Intended,
    };
    let is_dead = state == PaymentState::Dead;
    Fate {
        state,
        preimage: ours.preimage.or(theirs.preimage),
        paid_at: ours.paid_at.or(theirs.paid_at),
        fee: ours.fee.or(theirs.fee),
        index: ours.index.or(theirs.index),
        posted_at: ours.posted_at.or(theirs.posted_at),
        death: ours.death.filter(|_| is_dead),
        dead_at: ours.dead_at.filter(|_| is_dead),
    }
}

fn redeeming(ours: &Redeeming, theirs: &Redeeming) -> Redeeming {
    let delivered_at = ours.delivered_at.or(theirs.delivered_at);
    let is_open = delivered_at.is_none();
    let most = [ours.undelivered, theirs.undelivered].into_iter().max_by_key(|one| one.number());
    Redeeming {
        redeems: ours.redeems.max(theirs.redeems),
        answered_at: ours.answered_at.max(theirs.answered_at),
        heard_at: ours.heard_at.into_iter().chain(theirs.heard_at).min(),
        heard: ours.heard,
        retried_at: ours.retried_at.max(theirs.retried_at),
        replayed_at: ours.replayed_at.max(theirs.replayed_at),
        poll: ours.poll.as_ref().or(theirs.poll.as_ref()).filter(|_| is_open).cloned(),
        delivered_at,
        undelivered: most.filter(|_| is_open).unwrap_or(Undelivered::No),
        rejected: is_open && (ours.rejected || theirs.rejected),
    }
}

/// Whether what `dead` proves dead is dead for a ledger that knows `live` of its sends: no POST that the proof did not count may still
/// arrive. A person's word proves nothing.
pub fn proves_dead(dead: &Payment, live: &Sends) -> bool {
    let Some(Death::Proven(proof)) = dead.fate.death else { return false };
    let by_expiry = match proof {
        DeadProof::FailedAndExpired => return true,
        DeadProof::NotFoundAndExpired => true,
        DeadProof::FailedAndAnswered | DeadProof::NotFoundAndAnswered => false,
    };
    let counted = &dead.sends;
    let is_known = proof == DeadProof::FailedAndAnswered || !live.accepted;
    let is_same = (counted.begun, counted.begun_at) == (live.begun, live.begun_at);
    // The first POST is the intent's own, so that both know of the same one.
    is_known && live.begun <= counted.begun && (by_expiry || is_same || live.begun == 1 || live.begun == live.answered)
}

impl Side {
    pub(super) fn is_dead(&self) -> bool {
        self.payment.fate.state == PaymentState::Dead
    }

    pub(super) const fn has_preimage(&self) -> bool {
        self.payment.fate.preimage.is_some()
    }

    /// How far the purchase came: where both ledgers go on with it, the one that came further tells how its job stands.
    pub(super) const fn reached(&self) -> (bool, u8, u32) {
        let state = match self.job.state {
            JobState::Pending | JobState::Refused | JobState::Failed => 0,
            JobState::Running => 1,
            JobState::InDoubt => 2,
            JobState::Paid => 3,
            JobState::Lost => 4,
            JobState::RefundOffered => 5,
            JobState::Refunded => 6,
            JobState::Delivered => 7,
            JobState::Downloaded => 8,
        };
        (self.has_preimage(), state, self.payment.redeeming.redeems)
    }
}

/// Whether the other ledger's refund stands in the place of the one here, which has one invoice, as it went further; none where it has
/// none.
pub fn is_refund_further(ours: Option<&Refund>, theirs: Option<&Refund>) -> Option<bool> {
    let reached = |refund: &Refund| match refund.standing {
        RefundStanding::Offered => 1,
        RefundStanding::Invoiced => 2,
        RefundStanding::Expired => 3,
        RefundStanding::Settled => 4,
    };
    theirs.map(|theirs| reached(theirs) > ours.map_or(0, reached))
}
