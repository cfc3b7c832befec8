//! From the durable preimage to the durable result: redeem, and what to do where nothing is delivered. Once an answer was a
//! success, nothing is sent again: it is polled (`poll.rs`), or a person's, but for one redeem more where the endpoint or a
//! person says so.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::l402::Scheme;
use crate::ledger::{AnswerKey, AnswerKind, JobEnd, PaidPurchase, Record};
use crate::life::outcome::{Results, deliver, finish, keep, keep_result, refund_offered, results, undelivered};
use crate::life::{Effect, Moment, Sending, State, Step, Tries, commit, poll, stop, wait};
use crate::origin::{HttpFailure, RedeemResponse, read_redeem};
use crate::purchase::{HttpAnswer, JobState, Reason};
use crate::time::UnixMs;

/// The same request goes out with the credential.
pub(super) fn redeem(purchase: PaidPurchase, tries: Tries) -> Step {
    let sending = if tries.redeem_sent { Sending::Again } else { Sending::First };
    (State::Redeeming(purchase.clone(), tries), Effect::Redeem(purchase, sending))
}

/// What came of a redeem.
pub(super) fn answered(
    purchase: PaidPurchase,
    mut tries: Tries,
    answer: Result<HttpAnswer, HttpFailure>,
    moment: &Moment<'_>,
) -> Step {
    tries.redeem_sent |= !answer.as_ref().is_err_and(HttpFailure::is_not_sent);
    match answer {
        Ok(answer) => match result_at_once(|| read_redeem(&answer, &moment.facts.endpoint)) {
            Some(found) => keep_result(purchase, tries, (AnswerKind::Redeem, answer), found, moment),
            None => keep(purchase, tries, AnswerKind::Redeem, answer),
        },
        // What came of a success is kept like a whole one.
        Err(HttpFailure::Cut(answer, why)) => keep(purchase, tries, AnswerKind::Redeem, answer.cut(&why)),
        Err(failure) if purchase.heard().is_some() => {
            tries.redeems += 1;
            if failure.is_not_sent() && tries.redeems < moment.bounds.redeems {
                return wait(State::Redeeming(purchase, tries), moment.later(tries.redeems, None));
            }
            unheeded(purchase, tries, None, moment)
        }
        Err(failure) => not_yet(purchase, tries, None, None, Reason::NotDelivered, failure.to_string(), moment),
    }
}

/// The result, where the answer is that and nothing else has to be decided. Whatever becomes of reading it, the answer is kept: one that
/// reading breaks on is read where it is durable.
fn result_at_once(read: impl FnOnce() -> RedeemResponse) -> Option<Results> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(RedeemResponse::Delivered { url, more }) => Some(results(url, more)),
        Ok(
            RedeemResponse::Accepted { .. }
            | RedeemResponse::RefundOffered { .. }
            | RedeemResponse::Retry { .. }
            | RedeemResponse::CredentialRejected { .. }
            | RedeemResponse::CredentialSpent { .. }
            | RedeemResponse::Failed { .. }
            | RedeemResponse::UnknownShape { .. },
        )
        | Err(_) => None,
    }
}

/// A kept answer to a redeem.
pub(super) fn read(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> Step {
    let may_be_used = tries.may_be_used;
    tries.may_be_used |= uses_up(answer.status);
    let is_later = purchase.heard().is_some_and(|first| first != key);
    match read_redeem(answer, &moment.facts.endpoint) {
        RedeemResponse::Delivered { url, more } => deliver(purchase, tries, key, results(url, more), moment),
        RedeemResponse::Accepted { poll } => {
            let record = Record::Accepted { payment: purchase.payment(), answer: key, poll: poll.clone() };
            commit(record, poll::begin(tries, poll, moment))
        }
        RedeemResponse::RefundOffered { message, .. } => refund_offered(purchase, key, answer, message),
        RedeemResponse::Retry { .. }
        | RedeemResponse::CredentialRejected { .. }
        | RedeemResponse::CredentialSpent { .. }
        | RedeemResponse::Failed { .. }
        | RedeemResponse::UnknownShape { .. }
            if is_later =>
        {
            unheeded(purchase, tries, Some(key), moment)
        }
        RedeemResponse::Retry { after_ms, reason, message } => {
            not_yet(purchase, tries, Some(key), after_ms, reason, message, moment)
        }
        RedeemResponse::CredentialRejected { after_ms, message } => {
            not_yet(purchase, tries, Some(key), after_ms, Reason::CredentialRejected, message, moment)
        }
        // No other try changes it: it is a person's at once, with its proof, and nothing is ever paid again for it.
        RedeemResponse::CredentialSpent { is_late, message, .. }
            if purchase.credential().scheme == Scheme::Payment && (is_late || may_be_used) =>
        {
            let error = Some(format!("{message}{SPENT}"));
            finish(
                purchase,
                Some(key),
                false,
                JobEnd { state: JobState::Lost, reason: Reason::CredentialRejected, error },
            )
        }
        RedeemResponse::CredentialSpent { after_ms, message, .. } => {
            not_yet(purchase, tries, Some(key), after_ms, Reason::CredentialRejected, message, moment)
        }
        RedeemResponse::Failed { reason, after_ms, message } => {
            let may_replay = purchase.may_replay(moment.facts.endpoint.terms.redeem);
            brought_nothing(purchase, tries, key, (reason, message), may_replay.then_some(after_ms), moment)
        }
        RedeemResponse::UnknownShape { message } => {
            let replay = purchase.is_retried().then_some(None);
            brought_nothing(purchase, tries, key, (Reason::UnknownAnswer, message), replay, moment)
        }
    }
}

const SPENT: &str = "; what was paid for is used up by the origin's word, so nothing is sent again by itself; the receipt proves \
                     the payment to whoever sold it";

/// Whether a redeem that is answered so may have used a charge up in vain: by success, or an error of the server's own. What turns it
/// away has not, nor what stands before the server; and what was never answered may still be in the making.
const fn uses_up(status: u16) -> bool {
    matches!(status, 200..=299 | 500)
}

/// The first success brings nothing: one redeem more goes out where one may (after the pause that is asked for), else it is a
/// person's.
fn brought_nothing(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    (reason, message): (Reason, String),
    replay: Option<Option<u64>>,
    moment: &Moment<'_>,
) -> Step {
    let Some(after_ms) = replay else {
        let end = end_of_nothing(reason, Some(message));
        return finish(purchase, Some(key), true, end);
    };
    tries.redeems += 1;
    let until = within_credential(&purchase, moment.later(tries.redeems, after_ms), moment);
    if purchase.heard() == Some(key) {
        // It is read once more, by a later run, and stands as it did: that is no news.
        return once_more(purchase, tries, until, moment);
    }
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    undelivered(purchase.payment(), Some(key), true, end, once_more(purchase, tries, until, moment))
}

/// One redeem more, then; a run that drains leaves it to the next.
fn once_more(purchase: PaidPurchase, tries: Tries, until: UnixMs, moment: &Moment<'_>) -> Step {
    if moment.draining { stop() } else { wait(State::Replaying(purchase, tries), until) }
}

/// How a job stands whose success brings nothing and is not asked for again: in an answer that is not understood a person may
/// find the result.
fn end_of_nothing(reason: Reason, error: Option<String>) -> JobEnd {
    let state = if reason == Reason::UnknownAnswer { JobState::Paid } else { JobState::Lost };
    JobEnd { state, reason, error }
}

/// The redeem that followed a success brought nothing: the first answer stands, whatever came later.
fn unheeded(purchase: PaidPurchase, tries: Tries, answer: Option<AnswerKey>, moment: &Moment<'_>) -> Step {
    let (reason, error) = purchase.stood().clone();
    let Some(poll) = purchase.poll().cloned() else {
        return finish(purchase, answer, false, end_of_nothing(reason, error));
    };
    let end = JobEnd { state: JobState::Paid, reason, error };
    let (payment, until) = (purchase.payment(), poll::next_at(&tries, &poll, None, moment));
    let next = if moment.draining { stop() } else { wait(State::Polling(purchase, tries, poll), until) };
    undelivered(payment, answer, false, end, next)
}

/// The result is another purchase's, and not a second one's too (rule 9): after the window the cache is empty.
pub(super) fn not_its_own(purchase: PaidPurchase, tries: Tries, key: AnswerKey, moment: &Moment<'_>) -> Step {
    let window_ms = u64::try_from(moment.facts.endpoint.window_ms()).ok();
    let message = "the origin answers with the result of an identical request, which was bought before";
    let (reason, message) = (Reason::AnsweredFromCache, message.to_owned());
    match (purchase.poll(), purchase.heard()) {
        (Some(_), _) => poll::brought_nothing(purchase, tries, key, reason, message, window_ms, moment),
        (None, Some(_)) => unheeded(purchase, tries, Some(key), moment),
        (None, None) => not_yet(purchase, tries, Some(key), window_ms, reason, message, moment),
    }
}

/// Not delivered so far: the same credential again with a growing pause, in this run and the next. Only once the endpoint's
/// patience is over and this run has heard it out, it is a person's.
fn not_yet(
    purchase: PaidPurchase,
    mut tries: Tries,
    answer: Option<AnswerKey>,
    after_ms: Option<u64>,
    reason: Reason,
    message: String,
    moment: &Moment<'_>,
) -> Step {
    tries.redeems += 1;
    let heard_out = tries.redeems >= moment.bounds.redeems;
    if heard_out && is_over(&purchase, reason, moment) {
        return finish(purchase, answer, false, JobEnd { state: JobState::Lost, reason, error: Some(message) });
    }
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let payment = purchase.payment();
    let next = if heard_out || moment.draining {
        stop()
    } else {
        let until = within_credential(&purchase, moment.later(tries.redeems, after_ms), moment);
        wait(State::Redeeming(purchase, tries), until)
    };
    undelivered(payment, answer, false, end, next)
}

/// Whether an origin has had its time. Our clock may be wrong, and an origin may see a payment a little late: so this alone
/// ends nothing.
fn is_over(purchase: &PaidPurchase, reason: Reason, moment: &Moment<'_>) -> bool {
    let credential_ended =
        moment.now.since_ms(purchase.intent().credential_expires_at()) > moment.bounds.credential_margin_ms;
    // Nobody takes a credential that has ended, unless a person knows better (rule 7).
    let rejected = reason == Reason::CredentialRejected && !purchase.is_retried();
    credential_ended && (rejected || poll::is_patience_over(purchase, moment))
}

/// No pause that an origin asks for outlives a credential that is still good.
fn within_credential(purchase: &PaidPurchase, until: UnixMs, moment: &Moment<'_>) -> UnixMs {
    let last = purchase.intent().credential_expires_at().plus_ms(-moment.bounds.lifetime_ms_min);
    if last > moment.now { until.min(last) } else { until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_on_which_reading_breaks_is_kept_like_any_other() {
        let url: url::Url = "https://seller.example/v/1".parse().unwrap();
        let delivered = || RedeemResponse::Delivered { url: url.clone(), more: vec![url.clone()] };
        assert_eq!(result_at_once(delivered), Some((url.to_string(), vec![url.to_string()])));
        assert_eq!(result_at_once(|| RedeemResponse::UnknownShape { message: String::new() }), None);
        assert_eq!(result_at_once(|| panic!("a defect")), None);
    }
}
