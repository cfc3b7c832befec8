//! Records about the payment itself: sends, settlement, death, doubt.

use crate::l402::{PaymentHash, Preimage, Token};
use crate::ledger::record::SincePaid;
use crate::ledger::{
    AnswerKey, Committed, DeadProof, DurableIntent, JobEnd, PaidPurchase, PaymentKey, Posted, Transition,
};
use crate::purchase::{Credential, JobState, Poll, Reason, WalletId};
use crate::time::UnixMs;

use super::jobs::{JobUpdate, expect_unspent};
use super::takes::{job_of_settled, survivor};
use super::{
    Death, Facts, Fate, Intent, Job, Payment, PaymentState, Redeeming, Ruling, Sends, Undelivered, Unfit, Write,
    budget, contradiction, number,
};

impl Payment {
    /// That the payment has no preimage and may still settle.
    fn expect_intended(&self, job: &Job, record: &str) -> Result<(), Unfit> {
        match self.fate.state {
            PaymentState::Intended => Ok(()),
            PaymentState::Paid | PaymentState::Posted | PaymentState::Dead => self.unexpected(job, record),
        }
    }

    /// The contradiction of a record that does not fit the state.
    pub fn unexpected<T>(&self, job: &Job, record: &str) -> Result<T, Unfit> {
        contradiction(format!(
            "{record} does not fit payment {}, which is {}, of a job that is {}",
            self.hash,
            self.fate.state.as_str(),
            job.state.as_str()
        ))
    }

    /// What paying it takes.
    pub fn durable(&self, intent: &Intent) -> DurableIntent {
        DurableIntent {
            payment: self.key,
            job: self.job,
            hash: self.hash,
            invoice: intent.invoice.clone(),
            headers: intent.headers.clone(),
            amount: self.amount,
            fee_limit: self.fee_limit,
            cltv_limit: self.cltv_limit,
            node: self.node.clone(),
            invoice_expires_at: intent.invoice_expires_at,
            credential_expires_at: intent.credential_expires_at,
            sends_begun: self.sends.begun,
            sends_answered: self.sends.answered,
            accepted: self.sends.accepted,
        }
    }

    /// What redeeming it takes, its preimage verified once more; of a job of which that is said.
    pub fn purchase(&self, intent: &Intent, stood: (Reason, Option<String>)) -> Result<PaidPurchase, Unfit> {
        let verified = self.fate.preimage.and_then(|bytes| Preimage::verify(bytes, &self.hash).ok());
        let Some(preimage) = verified else {
            let what = format!("the preimage of payment {} does not belong to its hash", self.hash);
            return Err(Unfit::Damaged(what));
        };
        let redeeming = &self.redeeming;
        let poll = redeeming.poll.as_ref().map(|(url, interval_ms)| match url.parse() {
            Ok(url) => Ok(Poll { url, interval_ms: *interval_ms }),
            Err(error) => Err(Unfit::Damaged(format!("a stored address is none ({error})"))),
        });
        Ok(PaidPurchase {
            intent: self.durable(intent),
            credential: Credential { scheme: intent.scheme, token: Token::new(intent.token.clone()), preimage },
            posted: self.fate.state != PaymentState::Paid,
            redeems: redeeming.redeems,
            since: Box::new(SincePaid {
                paid_at: self.fate.paid_at.unwrap_or(self.intended_at),
                heard: redeeming.heard_at.map(|at| (at, redeeming.heard)),
                retried_at: redeeming.retried_at,
                replayed_at: redeeming.replayed_at,
                poll: poll.transpose()?,
                stood,
            }),
        })
    }
}

impl Fate {
    /// Nothing is known yet.
    pub(super) const INTENDED: Self = Self {
        state: PaymentState::Intended,
        preimage: None,
        paid_at: None,
        fee: None,
        index: None,
        posted_at: None,
        death: None,
        dead_at: None,
    };
}

impl Redeeming {
    /// Nothing is redeemed before it is paid.
    pub(super) const NOT_BEGUN: Self = Self {
        redeems: 0,
        answered_at: None,
        heard_at: None,
        heard: AnswerKey(0),
        retried_at: None,
        replayed_at: None,
        poll: None,
        delivered_at: None,
        undelivered: Undelivered::Begun,
        rejected: false,
    };
}

impl Sends {
    /// The one that an intent begins.
    pub(super) fn first(now: UnixMs) -> Self {
        Self { begun: 1, begun_at: now, answered: 0, answered_at: None, accepted: false, said: None, said_at: None }
    }

    fn answer_one(&mut self, now: UnixMs) {
        self.answered = self.answered.saturating_add(1).min(self.begun);
        self.answered_at = Some(now);
    }

    /// What the node last said of the payment, or why nothing was learnt, for a person: it outlives the job's own words.
    fn note_said(&mut self, now: UnixMs, words: Option<&str>) {
        self.said = words.map(str::to_owned);
        self.said_at = Some(now);
    }
}

/// One more POST is about to begin.
pub fn send_begun<'a>(facts: &Facts, now: UnixMs, key: PaymentKey) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_intended(job, "a new send")?;
    let mut is = payment.clone();
    is.sends.begun = match is.sends.begun.checked_add(1) {
        Some(begun) => begun,
        None => return contradiction("more sends than can be counted"),
    };
    is.sends.begun_at = now;
    let mut ruling = Ruling::new(Committed::Intent(is.durable(facts.intent(key)?)));
    ruling.payment(payment, is);
    Ok(ruling)
}

/// The node itself has answered a POST. The preimage may have come by another way in the meantime.
pub fn send_answered<'a>(facts: &Facts, now: UnixMs, key: PaymentKey, accepted: bool) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    let live = match payment.fate.state {
        PaymentState::Intended | PaymentState::Paid | PaymentState::Posted => true,
        PaymentState::Dead => false,
    };
    if !live || payment.sends.answered >= payment.sends.begun {
        return payment.unexpected(job, "an answer to a send");
    }
    let mut is = payment.clone();
    is.sends.answer_one(now);
    is.sends.accepted |= accepted;
    let mut ruling = Ruling::new(Committed::Intent(is.durable(facts.intent(key)?)));
    ruling.payment(payment, is);
    Ok(ruling)
}

/// The preimage is known. The same again changes nothing.
pub fn paid<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    preimage: &Preimage,
    answered: bool,
    posted: Option<Posted>,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    if Preimage::verify(*preimage.reveal(), &payment.hash).is_err() {
        return contradiction(format!("a preimage that does not belong to payment {}", payment.hash));
    }
    let mut is = payment.clone();
    let mut ruling = Ruling::done();
    let is_news = match (payment.fate.state, payment.fate.death) {
        (PaymentState::Intended, _) => true,
        (PaymentState::Dead, Some(Death::Decided)) => {
            budget::hold(&mut ruling, payment)?;
            true
        }
        (PaymentState::Paid | PaymentState::Posted, _) if payment.fate.preimage.as_ref() == Some(preimage.reveal()) => {
            false
        }
        (PaymentState::Paid | PaymentState::Posted | PaymentState::Dead, _) => {
            return payment.unexpected(job, "a preimage");
        }
    };
    if answered {
        is.sends.answer_one(now);
    }
    // What it counts for has to stand before the payment moves there.
    let of = is_news.then(|| job_of_settled(&mut ruling, facts, now, payment, job));
    if let Some(of) = &of {
        is.job = of.key;
        is.fate.preimage = Some(*preimage.reveal());
        (is.fate.state, is.fate.paid_at) = (PaymentState::Paid, Some(now));
        (is.fate.death, is.fate.dead_at) = (None, None);
    }
    if let Some(posted) = posted {
        post(&mut ruling, &mut is, job, now, posted)?;
    }
    let stood = if is_news { (Reason::None, None) } else { (job.reason, job.error.clone()) };
    ruling.committed = Committed::Paid(is.purchase(facts.intent(key)?, stood)?);
    ruling.payment(payment, is);
    let change = JobUpdate::to(JobState::Paid, Reason::None);
    if let Some(of) = &of {
        ruling.change(now, of, &change);
    }
    let (amount, fee) = (Some(payment.amount), posted.map(|posted| posted.fee));
    ruling.transition = Some(Transition { amount, fee, ..Transition::of(&change) });
    Ok(ruling)
}

/// The node says SUCCEEDED.
pub fn posted<'a>(facts: &Facts, now: UnixMs, key: PaymentKey, posted: Posted) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    post(&mut ruling, &mut is, job, now, posted)?;
    ruling.payment(payment, is);
    Ok(ruling)
}

/// The same again changes nothing, but for the index: the node may have numbered its payments anew. Another fee contradicts.
fn post(ruling: &mut Ruling<'_>, payment: &mut Payment, job: &Job, now: UnixMs, posted: Posted) -> Result<(), Unfit> {
    posted.payment_index.map(number).transpose()?;
    match payment.fate.state {
        PaymentState::Paid => {
            budget::post(ruling, payment, posted.fee)?;
            payment.fate.state = PaymentState::Posted;
            payment.fate.fee = Some(posted.fee);
            payment.fate.index = posted.payment_index;
            payment.fate.posted_at = Some(now);
            Ok(())
        }
        PaymentState::Posted if payment.fate.fee == Some(posted.fee) => {
            payment.fate.index = posted.payment_index.or(payment.fate.index);
            Ok(())
        }
        PaymentState::Intended | PaymentState::Posted | PaymentState::Dead => payment.unexpected(job, "a posting"),
    }
}

/// The hash can never settle any more: the hold is given back.
pub fn dead<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    proof: DeadProof,
    end: &JobEnd,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_intended(job, "a death")?;
    if !is_proven(payment, proof) {
        return payment.unexpected(job, "a death while a send is unanswered");
    }
    expect_unspent(end)?;
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    bury(&mut ruling, &mut is, now, Death::Proven(proof))?;
    is.sends.note_said(now, end.error.as_deref());
    ruling.payment(payment, is);
    let change = if job.is_gone { JobUpdate::to(JobState::Refused, Reason::Withdrawn) } else { JobUpdate::to_end(end) };
    ruling.change(now, job, &JobUpdate { error: end.error.as_deref(), ..change });
    let joined = survivor(&facts.takes, job.key, Some(key));
    if let Some(join) = joined {
        ruling.write(Write::JoinTakes(join));
    }
    if joined.is_some() || job.is_gone {
        (ruling.committed, ruling.transition) = (Committed::NotItsOwn, None);
    }
    ruling.write(Write::BodyUnneeded(key));
    Ok(ruling)
}

/// The open payment was never made, by proof or by a person's word alone: its hold is given back.
pub fn buried<'a>(
    payment: &Payment,
    job: &Job,
    now: UnixMs,
    proof: Option<DeadProof>,
) -> Result<Vec<Write<'a>>, Unfit> {
    if proof.is_some_and(|proof| !is_proven(payment, proof)) {
        return payment.unexpected(job, "a death while a send is unanswered");
    }
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    bury(&mut ruling, &mut is, now, proof.map_or(Death::Decided, Death::Proven))?;
    ruling.payment(payment, is);
    Ok(ruling.writes)
}

fn bury(ruling: &mut Ruling<'_>, payment: &mut Payment, now: UnixMs, death: Death) -> Result<(), Unfit> {
    budget::void(ruling, payment)?;
    payment.fate.state = PaymentState::Dead;
    (payment.fate.death, payment.fate.dead_at) = (Some(death), Some(now));
    payment.redeeming.undelivered = Undelivered::No;
    Ok(())
}

/// What a person gave up is dead by proof. The job stays as it was decided.
pub fn abandoned_dead<'a>(facts: &Facts, now: UnixMs, key: PaymentKey, proof: DeadProof) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    let abandoned = match payment.fate.state {
        PaymentState::Intended => !matches!(job.state, JobState::Running | JobState::InDoubt),
        PaymentState::Dead => payment.fate.death == Some(Death::Decided),
        PaymentState::Paid | PaymentState::Posted => false,
    };
    if !abandoned || !is_proven(payment, proof) {
        return payment.unexpected(job, "the death of what was given up");
    }
    let mut ruling = Ruling::done();
    if payment.fate.state == PaymentState::Intended {
        budget::void(&mut ruling, payment)?;
    }
    let mut is = payment.clone();
    is.fate.state = PaymentState::Dead;
    (is.fate.death, is.fate.dead_at) = (Some(Death::Proven(proof)), payment.fate.dead_at.or(Some(now)));
    is.sends.note_said(now, Some("it was never paid, and can never be"));
    ruling.payment(payment, is);
    ruling.write(Write::BodyUnneeded(key));
    Ok(ruling)
}

/// Whether the counted sends allow that proof (rule 2). That the invoice has expired is known by the node's clock alone,
/// so it cannot be checked here.
const fn is_proven(payment: &Payment, proof: DeadProof) -> bool {
    let Sends { begun, answered, accepted, .. } = payment.sends;
    match proof {
        // A node that says FAILED knows the hash: where one POST was ever begun, that is its answer.
        DeadProof::FailedAndAnswered => answered == begun || begun == 1,
        // A node that has taken a payment up and does not know it has forgotten it, which proves nothing.
        DeadProof::NotFoundAndAnswered => !accepted && answered == begun,
        DeadProof::NotFoundAndExpired => !accepted,
        DeadProof::FailedAndExpired => true,
    }
}

/// The payment's fate is unknown, or known not to be final.
pub fn doubt<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    (reason, error): (Reason, Option<&str>),
    wait_until: Option<UnixMs>,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_intended(job, "a doubt")?;
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    // What a node that has lost its history once does not know, it may have paid: for ever.
    is.sends.accepted |= matches!(reason, Reason::PaymentInFlight | Reason::NodeForgot);
    is.sends.note_said(now, error);
    ruling.payment(payment, is);
    ruling.change(now, job, &JobUpdate { error, wait_until, ..JobUpdate::to(JobState::InDoubt, reason) });
    Ok(ruling)
}

/// Keeps the first payment by which the history of a node is checked; one that is there stays.
pub fn kept_settlement<'a>(facts: &Facts, now: UnixMs, node: &'a WalletId, hash: PaymentHash) -> Ruling<'a> {
    let mut ruling = Ruling::done();
    if !facts.has_kept_settlement {
        ruling.write(Write::KeptSettlement { node, hash, at: now });
    }
    ruling
}
