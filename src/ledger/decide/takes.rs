//! Takes of one job beside each other: purchases whose hash is neither settled nor dead although a person has ended their job,
//! what they keep from being bought, and what becomes of one that settles after all.

use crate::ledger::record::{BLOCK_MS_MAX, CLTV_LIMIT_UNKNOWN};
use crate::ledger::{JobKey, PaymentKey};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::{Death, Facts, Job, Join, Payment, PaymentState, Ruling, Take, TakePayment, Write};

/// Until when a payment may still settle, as far as anybody knows without its node.
pub fn settles_until(invoice_expires_at: UnixMs, cltv_limit: Option<u32>) -> UnixMs {
    let blocks = i64::from(cltv_limit.unwrap_or(CLTV_LIMIT_UNKNOWN));
    invoice_expires_at.plus_ms(blocks.saturating_mul(BLOCK_MS_MAX))
}

impl TakePayment {
    const fn is_live(&self) -> bool {
        match self.state {
            PaymentState::Intended | PaymentState::Paid | PaymentState::Posted => true,
            PaymentState::Dead => false,
        }
    }

    /// Its hash is neither settled nor dead: intended, or dead by a person's word alone.
    fn is_unsettled(&self) -> bool {
        self.state == PaymentState::Intended || self.death == Some(Death::Decided)
    }
}

impl Take {
    /// Something pays for it, or may.
    pub fn has_live_payment(&self) -> bool {
        self.live_payment().is_some()
    }

    /// Something pays for it, or may; or another job's token has delivered it. Whatever else is paid for it stands as a take of its own.
    pub fn is_bought(&self) -> bool {
        self.has_live_payment() || self.is_served()
    }

    /// Another job's token has delivered it.
    const fn is_served(&self) -> bool {
        match self.job.state {
            JobState::Delivered | JobState::Downloaded => self.is_answered,
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Refused
            | JobState::Failed
            | JobState::RefundOffered
            | JobState::Refunded
            | JobState::Lost => false,
        }
    }

    /// What pays for it, or may.
    pub fn live_payment(&self) -> Option<PaymentKey> {
        self.payments.iter().find(|payment| payment.is_live()).map(|payment| payment.key)
    }
}

/// Until when any purchase of the same job may still settle although nobody follows it. None where none may by now. No take
/// replaces one for which this says a time.
pub fn unsettled_until(takes: &[Take], now: UnixMs) -> Option<UnixMs> {
    may_settle_until(takes.iter().flat_map(|take| &take.payments)).filter(|until| *until >= now)
}

/// Until when any of these payments, which are all of one job, may still settle although nobody follows it.
pub fn may_settle_until<'p>(payments: impl Iterator<Item = &'p TakePayment>) -> Option<UnixMs> {
    let unsettled = payments.filter(|payment| payment.is_unsettled());
    let times = unsettled
        .filter_map(|payment| payment.invoice_expires_at.map(|expires| settles_until(expires, payment.cltv_limit)));
    times.max()
}

/// What of the same job has to end before that take may be bought: another take that is open, or a hash that may still settle.
pub fn earlier_take(takes: &[Take], job: JobKey, now: UnixMs) -> Option<Option<UnixMs>> {
    if takes.iter().any(|take| take.job.key != job && take.job.state.is_open()) {
        return Some(None);
    }
    unsettled_until(takes, now).map(Some)
}

/// The job for which a payment counts that has just settled. It is its own, unless a person gave it up in the meantime and its job
/// went on: then it is the take that was to be bought in its place and is not bought yet, or, where something else pays for
/// each of these, or a token has served it, a further take.
pub fn job_of_settled(ruling: &mut Ruling<'_>, facts: &Facts, now: UnixMs, payment: &Payment, own: &Job) -> Job {
    if own.superseded
        && let Some(heir) = heir(&facts.takes, own.key)
    {
        ruling.change(now, own, &JobUpdate { finished: true, ..JobUpdate::to(JobState::Failed, Reason::Decided) });
        return heir.job.clone();
    }
    let is_bought =
        |take: &Take| take.is_served() || take.payments.iter().any(|other| other.key != payment.key && other.is_live());
    if !facts.takes.iter().any(|take| take.job.key == own.key && is_bought(take)) {
        return own.clone();
    }
    let key = facts.next.job;
    let latest = facts.takes.iter().map(|take| take.take).max().unwrap_or_default();
    // What has settled was sent as the other one.
    ruling.write(Write::FurtherTake { of: own.key, key, take: latest.saturating_add(1), moved: 0 });
    Job {
        key,
        superseded: false,
        state: JobState::Pending,
        reason: Reason::None,
        error: None,
        wait_until: None,
        url: None,
        attempts: 0,
        started_at: None,
        finished_at: None,
        ..own.clone()
    }
}

/// By how many takes one that comes after all of these is moved from that one: those of the same content that are not before it.
pub fn moved_from(takes: &[Take], own: JobKey) -> u32 {
    let Some(own) = takes.iter().find(|take| take.job.key == own) else { return 0 };
    let after = takes.iter().filter(|take| take.take >= own.take && take.content == own.content);
    u32::try_from(after.count()).unwrap_or(u32::MAX)
}

/// The latest take of the same job, where it is the same purchase, still to be bought, and nothing pays for it.
fn heir(takes: &[Take], own: JobKey) -> Option<&Take> {
    let own = takes.iter().find(|take| take.job.key == own)?;
    takes.iter().find(|take| {
        let is_to_be_bought = take.job.state.has_spent_nothing();
        let is_same = take.content == own.content && take.bought == own.bought && take.job.price == own.job.price;
        !take.job.superseded && take.job.key != own.job.key && is_to_be_bought && is_same && !take.has_live_payment()
    })
}

/// What becomes of two takes beside which only a merge has put each other, where that one has turned out never to have been
/// paid, its payments but for the `dying` one being dead already: the other stands for both from now on. None where the job
/// stays as it is.
pub fn survivor(takes: &[Take], own: JobKey, dying: Option<PaymentKey>) -> Option<Join> {
    let own = takes.iter().find(|take| take.job.key == own)?;
    if own.payments.iter().any(|payment| payment.is_live() && Some(payment.key) != dying) {
        return None;
    }
    let is_merged = |other: &&Take| (own.merged && other.take < own.take) || (other.merged && other.take > own.take);
    let others = takes.iter().filter(|take| take.job.key != own.job.key);
    let other = others.filter(is_merged).filter(|take| take.is_bought()).max_by_key(|take| take.take)?;
    let take = own.take.min(other.take);
    let left = takes.iter().filter(|take| take.job.key != own.job.key && take.job.key != other.job.key);
    Some(Join {
        gone: own.job.key,
        stays: other.job.key,
        take,
        merged: own.merged && other.merged,
        takes_place: own.take > other.take,
        latest: left.map(|take| take.take).max().unwrap_or_default().max(take),
    })
}
