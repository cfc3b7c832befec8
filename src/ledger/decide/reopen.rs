//! A person's word on what is paid for and given up: to ask for it again with the credential that was paid for, or to take the
//! answer that is kept as its result.

use crate::command::{command, needing_node, node_command};
pub use crate::ledger::history::TAKEN_BY;
use crate::ledger::{AnswerKey, AnswerKind, JobKey, Reopened, Reopening};
use crate::purchase::{HttpAnswer, JobState, Reason};
use crate::time::UnixMs;

use super::jobs::JobUpdate;
use super::{
    AnswerWrite, DeliveryFacts, Intent, Payment, PaymentState, PersonFacts, Ruling, Take, Unfit, Write, deliver,
};

/// How the word is kept that is said of a result which was fetched and taken for none.
const AS_SERVED: &str = TAKEN_BY[1];

/// What such a word depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReopeningFacts {
    pub of: PersonFacts,
    /// The intent of the job's payment that is not dead.
    pub intent: Option<Intent>,
    /// The address that the intent asks.
    pub asked: String,
    /// A refund was offered for that payment.
    pub has_refund: bool,
    /// The successes among its answers, in their order.
    pub successes: Vec<(AnswerKey, AnswerKind)>,
    /// The latest of all its answers.
    pub last_answer: Option<AnswerKey>,
    /// The endpoint of that payment, with the words that were said for its origin.
    pub origin: DeliveryFacts,
    /// Takes of the same job for which no payment was ever begun, and to which no token has answered.
    pub never_begun: Vec<JobKey>,
    /// A person has taken what there is for the job's result.
    pub is_taken: bool,
    /// Where another job's token has served it: the answer, and the address that the token's own job asked.
    pub served: Option<(HttpAnswer, String)>,
}

/// What becomes of the word, and what is written of it.
type Ruled<'a> = (Reopened, Vec<Write<'a>>);

/// Decides what becomes of a word. `kept` looks up an answer, where one is taken as the result.
///
/// # Errors
/// Where a row that it depends on cannot be what it says, or the answer cannot be looked up.
pub fn reopen<'a, E: From<Unfit>>(
    facts: &ReopeningFacts,
    now: UnixMs,
    (word, note): (Reopening, &'a str),
    kept: impl FnOnce(AnswerKey) -> Result<HttpAnswer, E>,
) -> Result<Ruled<'a>, E> {
    if word == Reopening::Delivered && facts.of.job.state == JobState::Delivered {
        return Ok(take_as_served(facts, now, note));
    }
    let stands = (facts.of.job.state, facts.of.job.reason);
    if let (Some(served), (JobState::Refused, Reason::UnknownAnswer)) = (&facts.served, stands) {
        return Ok(reopen_served(facts, served, now, (word, note))?);
    }
    let payment = match facts.undelivered() {
        Ok(payment) => payment,
        Err(not) => return Ok((not, Vec::new())),
    };
    match word {
        Reopening::Retry => Ok(retry(facts, payment, now, note)?),
        Reopening::Delivered => take(facts, payment, (now, note), kept),
    }
}

/// The answer that a person takes as the result, of those that are a success: what the origin said last where it is polled, else its
/// first success. Where it only said where to poll, none.
pub fn kept_answer(successes: &[(AnswerKey, AnswerKind)], is_polled: bool) -> Option<AnswerKey> {
    let of_kind = |kind| move |(_, of): &&(AnswerKey, AnswerKind)| *of == kind;
    let polled = successes.iter().rfind(of_kind(AnswerKind::Poll));
    let redeemed = || successes.iter().find(of_kind(AnswerKind::Redeem)).filter(|_| !is_polled);
    polled.or_else(redeemed).map(|(key, _)| *key)
}

impl ReopeningFacts {
    /// The payment for which nothing came: what a word about it needs.
    fn undelivered(&self) -> Result<&Payment, Reopened> {
        match self.of.job.state {
            JobState::Paid | JobState::Lost => {}
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::Refused
            | JobState::Failed
            | JobState::RefundOffered
            | JobState::Refunded => return Err(Reopened::Refused(self.of.job.state)),
        }
        let is_undelivered = |payment: &&Payment| {
            matches!(payment.fate.state, PaymentState::Paid | PaymentState::Posted)
                && payment.fate.preimage.is_some()
                && payment.redeeming.delivered_at.is_none()
        };
        match self.of.live.as_ref().filter(is_undelivered) {
            None => Err(Reopened::Unfit(format!(
                "nobody knows that it was paid; `{}`{} asks its node",
                node_command("recover --all"),
                needing_node()
            ))),
            Some(_) if self.has_refund => Err(Reopened::Unfit(format!(
                "a refund was offered for it; `{}` shows how it stands",
                command("refunds list --all")
            ))),
            Some(payment) => Ok(payment),
        }
    }

    fn intent(&self) -> Result<&Intent, Unfit> {
        let missing = || Err(Unfit::Damaged("a payment has no intent".to_owned()));
        self.intent.as_ref().map_or_else(missing, Ok)
    }

    /// The same purchase that was to be bought next in its place, and for which nothing was ever paid: whoever has the one asked
    /// for again does not want both.
    fn replacement(&self) -> Option<&Take> {
        let own = self.of.takes.iter().find(|take| take.job.key == self.of.job.key)?;
        let is_it = |take: &&Take| {
            Some(take.take) == own.take.checked_add(1)
                && !take.job.superseded
                && take.content == own.content
                && take.job.state.has_spent_nothing()
                && self.never_begun.contains(&take.job.key)
        };
        self.of.takes.iter().find(is_it)
    }
}

/// The job is asked for again with the credential that was paid for, for the endpoint's whole patience. Where it is so already,
/// nothing changes.
fn retry<'a>(facts: &ReopeningFacts, payment: &Payment, now: UnixMs, note: &'a str) -> Result<Ruled<'a>, Unfit> {
    let (job, intent) = (&facts.of.job, facts.intent()?);
    let purchase = payment.purchase(intent, (job.reason, job.error.clone()))?;
    if intent.token.is_empty() {
        let words = "it is known by its receipt alone: its credential stood in the ledger that is gone";
        return Ok((Reopened::Unfit(words.to_owned()), Vec::new()));
    }
    let asks_no_more = job.state == JobState::Lost || (job.reason == Reason::UnknownAnswer && !purchase.is_retried());
    if !asks_no_more {
        return Ok((Reopened::Unchanged, Vec::new()));
    }
    let (mut ruling, mut own) = (Ruling::done(), job.clone());
    let evidence = match facts.replacement() {
        Some(next) => {
            ruling.write(Write::Unreplace { of: job.key, next: next.job.key });
            (own.superseded, own.is_gone) = (false, next.job.is_gone);
            format!("take {}, which was to be bought in its place and was not, is none any more", next.take)
        }
        None => "it is asked for with the credential that was paid for".to_owned(),
    };
    ruling.write(decision(job.key, now, Reopening::Retry, note, evidence));
    let mut is = payment.clone();
    // Later than any redeem that was sent by an earlier word, whatever the clock shows.
    let sent = payment.redeeming.replayed_at.map(|sent| sent.plus_ms(1));
    is.redeeming.retried_at = Some(sent.map_or(now, |sent| sent.max(now)));
    ruling.payment(payment, is);
    let reason = if purchase.poll().is_some() { Reason::Processing } else { Reason::NotDelivered };
    ruling.change(now, &own, &JobUpdate::to(JobState::Paid, reason));
    Ok((Reopened::Recorded, ruling.writes))
}

/// The answer that is kept is the result: the one address in it, else the answer itself.
fn take<'a, E: From<Unfit>>(
    facts: &ReopeningFacts,
    payment: &Payment,
    (now, note): (UnixMs, &'a str),
    kept: impl FnOnce(AnswerKey) -> Result<HttpAnswer, E>,
) -> Result<Ruled<'a>, E> {
    let job = &facts.of.job;
    let unfit = |words: &str| Ok((Reopened::Unfit(words.to_owned()), Vec::new()));
    if job.state == JobState::Paid && job.reason != Reason::UnknownAnswer {
        return unfit("the origin is still asked for it");
    }
    let Some(answer) = kept_answer(&facts.successes, payment.redeeming.poll.is_some()) else {
        return unfit("no answer of it is kept that could hold a result");
    };
    let asked = facts.asked.parse().map_err(|error| Unfit::Damaged(format!("a stored address is none ({error})")))?;
    let Some(url) = kept(answer)?.taken_result(&asked) else {
        return unfit("the answer that is kept of it is empty");
    };
    let mut ruling = Ruling::done();
    let evidence = format!("taken from answer {}: {url}", answer.0);
    ruling.write(decision(job.key, now, Reopening::Delivered, note, evidence));
    let last = facts.last_answer.unwrap_or(answer);
    ruling.write(Write::Answer(AnswerWrite::Interpreted(payment.key, last)));
    ruling.writes.extend(deliver(&facts.origin, now, payment));
    let change =
        JobUpdate { url: Some(url.as_str()), finished: true, ..JobUpdate::to(JobState::Delivered, Reason::None) };
    ruling.change(now, job, &change);
    Ok((Reopened::Taken(url.into()), ruling.writes))
}

/// A token has served the job, and what came is not understood: nothing was paid for it. It is asked for again, or the answer is the result.
fn reopen_served<'a>(
    facts: &ReopeningFacts,
    (answer, asked): &(HttpAnswer, String),
    now: UnixMs,
    (word, note): (Reopening, &'a str),
) -> Result<Ruled<'a>, Unfit> {
    let job = &facts.of.job;
    let unfit = |words: &str| Ok((Reopened::Unfit(words.to_owned()), Vec::new()));
    if job.superseded {
        return unfit("a later take stands in its place");
    }
    let mut ruling = Ruling::done();
    if word == Reopening::Retry {
        let evidence = "nothing was paid for it: it is asked for again".to_owned();
        ruling.write(decision(job.key, now, word, note, evidence));
        ruling.change(now, job, &JobUpdate::to(JobState::Pending, Reason::None));
        return Ok((Reopened::Recorded, ruling.writes));
    }
    let asked = asked.parse().map_err(|error| Unfit::Damaged(format!("a stored address is none ({error})")))?;
    let Some(url) = answer.taken_result(&asked) else { return unfit("the answer that is kept of it is empty") };
    ruling.write(decision(job.key, now, word, note, format!("taken from what a token has brought: {url}")));
    let to = JobUpdate::to(JobState::Delivered, Reason::None);
    ruling.change(now, job, &JobUpdate { url: Some(url.as_str()), finished: true, ..to });
    Ok((Reopened::Taken(url.into()), ruling.writes))
}

/// What the address of a delivered job answers with, or what stands in the answer itself, is the result, though it looked like
/// none: the next run fetches it as it is.
fn take_as_served<'a>(facts: &ReopeningFacts, now: UnixMs, note: &'a str) -> Ruled<'a> {
    let job = &facts.of.job;
    let reason = if job.reason.is_of_manifest() {
        job.reason
    } else if job.reason.is_of_file() {
        Reason::NotDownloaded
    } else {
        return (Reopened::Refused(job.state), Vec::new());
    };
    if facts.is_taken {
        return (Reopened::Unchanged, Vec::new());
    }
    let mut ruling = Ruling::done();
    let evidence = "what its address answers with is the result";
    ruling.write(Write::Decision { job: job.key, at: now, decision: AS_SERVED, note, evidence: evidence.into() });
    ruling.change(now, job, &JobUpdate::to(JobState::Delivered, reason));
    (Reopened::AsServed, ruling.writes)
}

fn decision(job: JobKey, at: UnixMs, word: Reopening, note: &str, evidence: String) -> Write<'_> {
    Write::Decision { job, at, decision: word.as_str(), note, evidence: evidence.into() }
}
