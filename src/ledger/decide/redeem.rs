//! Records about what was bought: answers, acceptance, delivery.

use crate::ledger::{AnswerKey, AnswerKind, Committed, JobEnd, JobKey, PaymentKey};
use crate::purchase::{HttpAnswer, JobState, Poll, Reason};
use crate::time::UnixMs;

use super::admission::DeliveryFacts;
use super::jobs::JobUpdate;
use super::{
    Answer, AnswerWrite, Facts, Intent, Job, Payment, PaymentState, Refusal, Ruling, Undelivered, Unfit, Write,
    contradiction, number,
};

/// Of a refusal's body, once it is interpreted, this much is kept, in bytes: what a complaint needs.
const REFUSAL_BYTES_MAX: u64 = 64 * 1024;
/// Refusals that are kept of one payment: the first ones, and the latest.
const REFUSALS_FIRST: usize = 16;
const REFUSALS_MAX: usize = 64;

impl Payment {
    /// That the payment is paid and its job not at its good end.
    pub fn expect_undelivered(&self, job: &Job, record: &str) -> Result<(), Unfit> {
        let paid = match self.fate.state {
            PaymentState::Paid | PaymentState::Posted => true,
            PaymentState::Intended | PaymentState::Dead => false,
        };
        let open = match job.state {
            // A lost job, or one whose refund is offered, may still be delivered in the end.
            JobState::Paid | JobState::RefundOffered | JobState::Lost => true,
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::Refunded => false,
        };
        if paid && open && self.redeeming.delivered_at.is_none() { Ok(()) } else { self.unexpected(job, record) }
    }

    /// The first success that is answered to a redeem counts: later ones change nothing of it.
    fn hear(&mut self, answer: &Answer) {
        if self.redeeming.heard_at.is_none() && answer.kind == AnswerKind::Redeem {
            (self.redeeming.heard_at, self.redeeming.heard) = (Some(answer.at), answer.first_success);
        }
    }

    /// What the origin's answer to a redeem says of credentials: 401 or 402 to one that is good, or that it takes this one.
    fn note_rejection(&mut self, intent: &Intent, now: UnixMs, status: u16) {
        match status {
            401 | 402 if now <= intent.credential_expires_at => self.redeeming.rejected = true,
            200..=299 => self.redeeming.rejected = false,
            _ => {}
        }
    }
}

/// An answer, before it is interpreted: whole, as what reads it after a crash must find what this process would have
/// found, a refund's link for instance. Each 2xx stays so (rule 6).
pub fn answer<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    kind: AnswerKind,
    answer: &'a HttpAnswer,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "an answer")?;
    let mut ruling = Ruling::new(Committed::Answer(facts.next.answer));
    let is = keep(&mut ruling, facts, now, payment, (kind, answer, false))?;
    ruling.payment(payment, is);
    Ok(ruling)
}

/// An answer that is the result: kept and interpreted in one commit. Where that does not come to a delivery, the answer is kept as
/// any other is, and what it means is decided from there.
pub fn delivered_at_once<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    (kind, answer): (AnswerKind, &'a HttpAnswer),
    (url, more, own): (&str, &'a [String], bool),
) -> Result<Ruling<'a>, Unfit> {
    if !is_success(answer) || (own && facts.is_result_of_another) {
        return self::answer(facts, now, key, kind, answer);
    }
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "an answer with the result")?;
    let mut ruling = Ruling::done();
    let mut is = keep(&mut ruling, facts, now, payment, (kind, answer, true))?;
    let stored = facts.next.answer;
    if payment.redeeming.answered_at.is_some() {
        // What came before it is no news any more.
        ruling.write(Write::Answer(AnswerWrite::Interpreted(key, stored)));
    }
    is.hear(&Answer { key: stored, payment: key, kind, at: now, first_success: stored });
    has_result(&mut ruling, facts, now, is, (url, more))?;
    Ok(ruling)
}

/// The answer is stored, `is_read` or not; gives the payment as it is then.
fn keep<'a>(
    ruling: &mut Ruling<'a>,
    facts: &Facts,
    now: UnixMs,
    payment: &Payment,
    (kind, answer, is_read): (AnswerKind, &'a HttpAnswer, bool),
) -> Result<Payment, Unfit> {
    let stored = facts.next.answer;
    trim_refusals(ruling, &facts.refusals);
    ruling.write(Write::Answer(AnswerWrite::New { key: stored, payment: payment.key, kind, at: now, answer, is_read }));
    if !is_success(answer) && facts.refusals.len() >= REFUSALS_MAX {
        // The first after the first ones goes.
        let first = facts.refusals.get(REFUSALS_FIRST);
        ruling.writes.extend(first.map(|refusal| Write::Answer(AnswerWrite::Drop(refusal.key))));
    }
    let mut is = payment.clone();
    is.redeeming.answered_at = Some(now);
    if kind == AnswerKind::Redeem {
        is.redeeming.redeems = is.redeeming.redeems.saturating_add(1);
        is.note_rejection(facts.intent(payment.key)?, now, answer.status);
    }
    Ok(is)
}

fn is_success(answer: &HttpAnswer) -> bool {
    (200..300).contains(&answer.status)
}

/// Cuts the refusals of one payment, which nobody reads any more but a person.
fn trim_refusals(ruling: &mut Ruling<'_>, refusals: &[Refusal]) {
    let long = refusals.iter().filter(|refusal| refusal.bytes > REFUSAL_BYTES_MAX);
    ruling.writes.extend(long.map(|refusal| Write::Answer(AnswerWrite::Cut(refusal.key, REFUSAL_BYTES_MAX))));
}

/// The answer, and those before it, are interpreted. It must belong to the payment.
pub fn interpreted<'f>(
    ruling: &mut Ruling<'_>,
    facts: &'f Facts,
    payment: &Payment,
    answer: AnswerKey,
) -> Result<&'f Answer, Unfit> {
    let found = facts.answer.as_ref().filter(|found| found.key == answer && found.payment == payment.key);
    let Some(found) = found else {
        return contradiction(format!("answer {} does not belong to payment {}", answer.0, payment.hash));
    };
    ruling.write(Write::Answer(AnswerWrite::Interpreted(payment.key, answer)));
    trim_refusals(ruling, &facts.refusals);
    Ok(found)
}

/// The origin takes its time: where to poll is durable.
pub fn accepted<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    answer: AnswerKey,
    poll: &Poll,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "an acceptance")?;
    number(poll.interval_ms)?;
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    is.hear(interpreted(&mut ruling, facts, payment, answer)?);
    is.redeeming.poll = Some((poll.url.as_str().to_owned(), poll.interval_ms));
    let purchase = is.purchase(facts.intent(key)?, (Reason::Processing, None))?;
    ruling.payment(payment, is);
    ruling.change(now, job, &JobUpdate::to(JobState::Paid, Reason::Processing));
    ruling.committed = Committed::Paid(purchase);
    Ok(ruling)
}

/// The one redeem more that may follow a success is about to be sent: for whoever comes after a crash, it was. It comes after the
/// word that asked for it, whatever the clock shows: a clock that was set back since would let that word send it once more.
pub fn replaying<'a>(facts: &Facts, now: UnixMs, key: PaymentKey) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "a redeem more")?;
    if payment.redeeming.heard_at.is_none() {
        return payment.unexpected(job, "a redeem more");
    }
    let mut is = payment.clone();
    is.redeeming.replayed_at = Some(payment.redeeming.retried_at.map_or(now, |word| word.max(now)));
    let purchase = is.purchase(facts.intent(key)?, (job.reason, job.error.clone()))?;
    let mut ruling = Ruling::new(Committed::Paid(purchase));
    ruling.payment(payment, is);
    Ok(ruling)
}

/// The result is there; `own`, where it may not be an identical request's.
pub fn delivered<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    answer: AnswerKey,
    (url, more, own): (&str, &'a [String], bool),
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "a delivery")?;
    if own && facts.is_result_of_another {
        return Ok(Ruling::new(Committed::NotItsOwn));
    }
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    is.hear(interpreted(&mut ruling, facts, payment, answer)?);
    has_result(&mut ruling, facts, now, is, (url, more))?;
    Ok(ruling)
}

/// The payment has brought its result.
fn has_result<'a>(
    ruling: &mut Ruling<'a>,
    facts: &Facts,
    now: UnixMs,
    mut is: Payment,
    (url, more): (&str, &'a [String]),
) -> Result<(), Unfit> {
    let key = is.key;
    let (payment, job) = facts.payment(key)?;
    let of_origin = delivers(&facts.origin, now, &mut is);
    ruling.payment(payment, is);
    ruling.writes.extend(of_origin);
    let change = JobUpdate { url: Some(url), finished: true, ..JobUpdate::to(JobState::Delivered, Reason::None) };
    ruling.change(now, job, &change);
    ruling.add_results(job.key, more);
    ruling.write(Write::BodyUnneeded(key));
    Ok(())
}

impl<'a> Ruling<'a> {
    /// The answer that has delivered a job holds further results.
    pub fn add_results(&mut self, job: JobKey, more: &'a [String]) {
        if !more.is_empty() {
            self.write(Write::MoreResults(job, more));
            self.transition.iter_mut().for_each(|seen| more.clone_into(&mut seen.more_urls));
        }
    }
}

/// What is written of a payment whose result is there.
pub fn deliver<'a>(origin: &DeliveryFacts, now: UnixMs, payment: &Payment) -> Vec<Write<'a>> {
    let mut is = payment.clone();
    let mut writes = delivers(origin, now, &mut is);
    writes.push(Write::Payment(Box::new(payment.clone()), Box::new(is)));
    writes
}

/// It delivered: what was counted against the endpoint counts no more. A purchase that a person trusted the origin with
/// speaks for the whole origin. Words that are not needed any more lapse.
fn delivers<'a>(origin: &DeliveryFacts, now: UnixMs, payment: &mut Payment) -> Vec<Write<'a>> {
    let redeeming = &mut payment.redeeming;
    (redeeming.delivered_at, redeeming.poll) = (Some(now), None);
    let Some(endpoint) = &origin.endpoint else { return Vec::new() };
    let mut writes = vec![Write::Delivers(endpoint.key, now)];
    (redeeming.undelivered, redeeming.rejected) = (Undelivered::No, false);
    let was_trusted = origin.words.iter().any(|word| word.payment.is_some_and(|(by, ..)| by == payment.key));
    if was_trusted {
        writes.push(Write::AcceptsAgain(endpoint.origin.clone()));
    }
    let is_held = origin.against.iter().any(|one| {
        (one.undelivered == Undelivered::Taken && one.endpoint != endpoint.key)
            || (one.rejected && !was_trusted && one.payment != payment.key)
    });
    if !is_held {
        let open = origin.words.iter().filter(|word| word.payment.is_none() && !word.has_lapsed);
        let lapse =
            |word: &super::Word| Write::LapseWord { origin: endpoint.origin.clone(), number: word.number, at: now };
        writes.extend(open.map(lapse));
    }
    writes
}

/// Paid and not delivered. Where `heard`, the answer was a success.
pub fn undelivered<'a>(
    facts: &Facts,
    now: UnixMs,
    key: PaymentKey,
    (answer, heard): (Option<AnswerKey>, bool),
    end: &JobEnd,
) -> Result<Ruling<'a>, Unfit> {
    let (payment, job) = facts.payment(key)?;
    payment.expect_undelivered(job, "a failed delivery")?;
    match end.state {
        JobState::Paid | JobState::Lost => {}
        JobState::Pending
        | JobState::Running
        | JobState::InDoubt
        | JobState::RefundOffered
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::Refunded => {
            return contradiction(format!("a paid job without its result cannot be {}", end.state.as_str()));
        }
    }
    let mut ruling = Ruling::done();
    let mut is = payment.clone();
    match answer {
        Some(answer) => {
            let found = interpreted(&mut ruling, facts, payment, answer)?;
            if heard {
                is.hear(found);
            }
        }
        None => trim_refusals(&mut ruling, &facts.refusals),
    }
    is.redeeming.undelivered = Undelivered::Taken;
    ruling.payment(payment, is);
    ruling.change(now, job, &JobUpdate::to_end(end));
    Ok(ruling)
}
