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
        token_at: ours.token_at.max(theirs.token_at),
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

#[cfg(test)]
mod tests {
    use super::super::tests::payment;
    use super::*;
    use crate::ledger::AnswerKey;
    use crate::time::UnixMs;

    type Edit = fn(&mut Payment);

    /// Asks that what `one` and `other` make of a payment is `[here, there]`, as the first is this ledger's and as the second is.
    fn holds(base: &Payment, (what, one, other, is): (&str, Edit, Edit, [Edit; 2])) {
        let of = |edit: Edit| {
            let mut payment = base.clone();
            edit(&mut payment);
            payment
        };
        for (ours, theirs, is) in [(one, other, is[0]), (other, one, is[1])] {
            let mut is = of(is);
            if is.redeeming.delivered_at.is_some() {
                let redeeming = &mut is.redeeming;
                (redeeming.poll, redeeming.undelivered, redeeming.rejected) = (None, Undelivered::No, false);
            }
            assert_eq!(combined(&of(ours), &of(theirs)), is, "{what}");
        }
    }

    const NOTHING: Edit = |_| ();

    #[test]
    fn a_payment_is_charged_to_what_either_knows_and_was_intended_when_it_first_was() {
        let day: [Edit; 2] =
            [|it| it.charged.day = Some("2026-06-01".to_owned()), |it| it.charged.day = Some("2026-06-02".to_owned())];
        let month: [Edit; 2] =
            [|it| it.charged.month = Some("2026-06".to_owned()), |it| it.charged.month = Some("2026-07".to_owned())];
        let intended: [Edit; 2] = [|it| it.intended_at = UnixMs(3), |it| it.intended_at = UnixMs(5)];
        for row in [
            ("one knows the day", day[0], NOTHING, [day[0]; 2]),
            ("each has a day", day[0], day[1], day),
            ("one knows the month", month[0], NOTHING, [month[0]; 2]),
            ("each has a month", month[0], month[1], month),
            ("intended", intended[0], intended[1], [intended[0]; 2]),
        ] {
            holds(&payment(PaymentState::Posted), row);
        }
    }

    #[test]
    fn a_token_that_either_knows_to_serve_several_jobs_does() {
        let token: Edit = |it| it.token_at = Some(UnixMs(9));
        holds(&payment(PaymentState::Posted), ("known by one", token, NOTHING, [token; 2]));
    }

    #[test]
    fn what_was_paid_for_is_redeemed_as_far_as_either_has_come_and_open_until_either_has_it() {
        let redeems: [Edit; 2] = [|it| it.redeeming.redeems = 2, |it| it.redeeming.redeems = 4];
        let answered: [Edit; 2] =
            [|it| it.redeeming.answered_at = Some(UnixMs(5)), |it| it.redeeming.answered_at = Some(UnixMs(9))];
        let heard_at: [Edit; 2] =
            [|it| it.redeeming.heard_at = Some(UnixMs(5)), |it| it.redeeming.heard_at = Some(UnixMs(9))];
        let heard: [Edit; 2] = [|it| it.redeeming.heard = AnswerKey(3), |it| it.redeeming.heard = AnswerKey(4)];
        let retried: [Edit; 2] =
            [|it| it.redeeming.retried_at = Some(UnixMs(5)), |it| it.redeeming.retried_at = Some(UnixMs(9))];
        let replayed: [Edit; 2] =
            [|it| it.redeeming.replayed_at = Some(UnixMs(5)), |it| it.redeeming.replayed_at = Some(UnixMs(9))];
        let poll: [Edit; 2] = [
            |it| it.redeeming.poll = Some(("https://a.example/".to_owned(), 1)),
            |it| it.redeeming.poll = Some(("https://b.example/".to_owned(), 2)),
        ];
        let undelivered: [Edit; 3] = [
            |it| it.redeeming.undelivered = Undelivered::No,
            |it| it.redeeming.undelivered = Undelivered::Begun,
            |it| it.redeeming.undelivered = Undelivered::Taken,
        ];
        let rejected: Edit = |it| it.redeeming.rejected = true;
        let open = payment(PaymentState::Posted);
        let mut done = open.clone();
        done.redeeming.delivered_at = Some(UnixMs(7));
        for row in [
            ("redeems", redeems[0], redeems[1], [redeems[1]; 2]),
            ("answered to one", answered[0], NOTHING, [answered[0]; 2]),
            ("answered to both", answered[0], answered[1], [answered[1]; 2]),
            ("heard by one", heard_at[0], NOTHING, [heard_at[0]; 2]),
            ("heard by both", heard_at[0], heard_at[1], [heard_at[0]; 2]),
            ("answers are each ledger's own", heard[0], heard[1], heard),
            ("retried by one", retried[0], NOTHING, [retried[0]; 2]),
            ("retried by both", retried[0], retried[1], [retried[1]; 2]),
            ("replayed by one", replayed[0], NOTHING, [replayed[0]; 2]),
            ("replayed by both", replayed[0], replayed[1], [replayed[1]; 2]),
            ("polled by one", poll[0], NOTHING, [poll[0]; 2]),
            ("polled by both", poll[0], poll[1], poll),
            ("begun by one", undelivered[0], undelivered[1], [undelivered[1]; 2]),
            ("taken from one", undelivered[1], undelivered[2], [undelivered[2]; 2]),
            ("rejected by one", rejected, NOTHING, [rejected; 2]),
        ] {
            holds(&open, row);
            holds(&done, row);
        }
    }

    #[test]
    fn what_either_has_delivered_is_neither_polled_nor_missed_nor_rejected() {
        let delivered: [Edit; 2] =
            [|it| it.redeeming.delivered_at = Some(UnixMs(6)), |it| it.redeeming.delivered_at = Some(UnixMs(8))];
        let open: Edit = |it| {
            let poll = Some(("https://a.example/".to_owned(), 1));
            (it.redeeming.poll, it.redeeming.undelivered, it.redeeming.rejected) = (poll, Undelivered::Taken, true);
        };
        for row in [
            ("delivered to one", delivered[0], NOTHING, [delivered[0]; 2]),
            ("open for one", delivered[0], open, [delivered[0]; 2]),
            ("delivered to both", delivered[0], delivered[1], delivered),
        ] {
            holds(&payment(PaymentState::Posted), row);
        }
    }
}
