//! Tokens that serve more than the job that bought them: who may buy one, and what becomes of a job that one has served.

use crate::ledger::{
    Came, Committed, IntentRefusal, LedgerError, PaidPurchase, PaymentKey, ReusableToken, Reuse, Served, TokenAt,
    TokenBuyer,
};
use crate::money::Msat;
use crate::purchase::{JobState, Next, Reason};
use crate::time::UnixMs;

use super::jobs::{JobUpdate, expect_unspent};
use super::takes::earlier_take;
use super::{Facts, ReusablePayment, Ruling, Take, Unfit, Write, contradiction};

/// How the purchase of a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStanding {
    /// Nothing came of it that others could use: the endpoint has no token.
    Gone,
    /// It may be paid, and its own job is not delivered.
    Open,
    /// It has delivered its own job, and serves others until it is refused.
    InUse,
}

impl ReusablePayment {
    /// How it stands.
    pub const fn standing(&self) -> TokenStanding {
        if self.is_delivered {
            TokenStanding::InUse
        } else if self.job_state.is_open() {
            TokenStanding::Open
        } else {
            TokenStanding::Gone
        }
    }
}

/// What the token of an endpoint is, by the purchase on which it depends; `read` looks that up where it is in use.
///
/// # Errors
/// Where it cannot be looked up; but for what is damaged of it, which is in nobody's way.
pub fn token_at(
    found: Option<ReusablePayment>,
    read: impl FnOnce(PaymentKey) -> Result<PaidPurchase, LedgerError>,
) -> Result<TokenAt, LedgerError> {
    let Some(found) = found else { return Ok(TokenAt::None) };
    Ok(match found.standing() {
        TokenStanding::Gone => TokenAt::None,
        TokenStanding::Open => {
            let next = Next::of(found.job_state, found.job_reason);
            TokenAt::Open(TokenBuyer { batch: found.batch_name, id: found.id, next })
        }
        TokenStanding::InUse => match read(found.payment) {
            Ok(purchase) => TokenAt::InUse(Box::new(ReusableToken::of(&purchase))),
            Err(LedgerError::OfJob(_)) => TokenAt::Unusable(found.payment),
            Err(error) => return Err(error),
        },
    })
}

/// Whether a token may be bought, where that is what is known of the endpoint's: not while it is open, and, where it is in use, only in the
/// place of that very one, once it was refused, or cannot be used. So there is never a second purchase in the place of one token, whoever asks.
pub fn may_buy(reuse: Reuse, newest: Option<&ReusablePayment>) -> bool {
    let Some(newest) = newest else { return true };
    match newest.standing() {
        TokenStanding::Gone => true,
        TokenStanding::Open => false,
        TokenStanding::InUse => reuse.after == Some(newest.payment),
    }
}

/// When the token counts as bought that an intent buys; none where it serves its own job alone.
pub fn bought_at(now: UnixMs, reuse: Option<Reuse>, newest: Option<&ReusablePayment>) -> Option<UnixMs> {
    reuse.map(|_| newest.map_or(now, |newest| now.max(newest.token_at.plus_ms(1))))
}

/// A token has served a job: the answer is kept with what it comes to, in one commit. Until then the job is pending, and sending its request
/// again costs nothing.
pub fn served<'a>(facts: &Facts, now: UnixMs, served: &'a Served) -> Result<Ruling<'a>, Unfit> {
    let job = facts.job(served.job)?;
    if job.state != JobState::Pending || job.superseded || facts.takes.iter().any(|take| pays_for(take, served)) {
        return contradiction(format!("job {} is served, which is {}", served.job.0, job.state.as_str()));
    }
    if let Some(until) = earlier_take(&facts.takes, served.job, now) {
        // It may be paid for after all, and is redeemed then.
        return Ok(Ruling::new(Committed::IntentRefused(IntentRefusal::EarlierTake { until })));
    }
    let mut ruling = Ruling::done();
    match &served.came {
        Came::Result { url, more } => {
            let url = Some(url.as_str());
            let to = JobUpdate::to(JobState::Delivered, Reason::None);
            ruling.change(now, job, &JobUpdate { url, finished: true, attempt: true, ..to });
            ruling.add_results(job.key, more);
            // Whoever watches is told that it cost nothing.
            if let Some(seen) = &mut ruling.transition {
                (seen.amount, seen.fee) = (Some(Msat::ZERO), Some(Msat::ZERO));
            }
        }
        Came::Nothing(end) => {
            expect_unspent(end)?;
            ruling.change(now, job, &JobUpdate { attempt: true, ..JobUpdate::to_end(end) });
        }
    }
    ruling.write(Write::Served(served, now));
    Ok(ruling)
}

fn pays_for(take: &Take, served: &Served) -> bool {
    take.job.key == served.job && take.has_live_payment()
}
