//! From the address that an origin named to the durable result. No answer of it ends a paid job but a refund and the end of
//! the endpoint's patience, which is counted by the wall clock and keeps no run alive.

use crate::ledger::{AnswerKey, AnswerKind, JobEnd, PaidPurchase};
use crate::life::outcome::{deliver, finish, keep, keep_result, refund_offered, results, undelivered};
use crate::life::{Moment, State, Step, Then, Tries, stop, wait};
use crate::origin::{HttpFailure, PollResponse, read_poll};
use crate::purchase::{HttpAnswer, JobState, Poll, Reason};
use crate::time::UnixMs;

/// It is polled, once the address is durable.
pub(super) fn begin(tries: Tries, poll: Poll, moment: &Moment<'_>) -> Then {
    let until = after(moment, poll.interval_ms);
    Then::Poll(Tries { polls: 0, polls_failed: 0, polls_told: None, ..tries }, poll, until)
}

/// Acts on the answer to a poll. An answer that only tells of progress is not recorded; any other is, the first time.
pub(super) fn answered(
    purchase: PaidPurchase,
    mut tries: Tries,
    poll: Poll,
    answer: Result<HttpAnswer, HttpFailure>,
    moment: &Moment<'_>,
) -> Step {
    let since = *tries.polling_since.get_or_insert(moment.now);
    let Ok(answer) = answer else {
        tries.polls += 1;
        return if replays(&purchase, &tries, moment) {
            wait(State::Replaying(purchase, tries), moment.later(1, None))
        } else if has_had_its_time(&purchase, &tries, moment) {
            let message = "its address to poll did not answer any more".to_owned();
            finish(purchase, None, false, lost(Reason::NotDelivered, message))
        } else {
            again(purchase, tries, poll, None, moment)
        };
    };
    let (reason, after_ms) = match read_poll(&answer, &moment.facts.endpoint) {
        PollResponse::Delivered { url, more } => {
            return keep_result(purchase, tries, (AnswerKind::Poll, answer), results(url, more), moment);
        }
        PollResponse::RefundOffered { .. } => return keep(purchase, tries, AnswerKind::Poll, answer),
        PollResponse::Pending { after_ms } => {
            (tries.polls, tries.polls_failed) = (0, 0);
            if moment.now.since_ms(since) > moment.bounds.polling_ms {
                return stop();
            }
            let until = after(moment, after_ms.unwrap_or(poll.interval_ms));
            let payment = purchase.payment();
            let told = tries.polls_told.take();
            let next = wait(State::Polling(purchase, tries, poll), until);
            if told.is_some() {
                let end = JobEnd { state: JobState::Paid, reason: Reason::Processing, error: None };
                return undelivered(payment, None, false, end, next);
            }
            return next;
        }
        PollResponse::Failed { reason, after_ms, .. } => (reason, after_ms),
        PollResponse::Retry { after_ms, .. } => (Reason::NotDelivered, after_ms),
        PollResponse::UnknownShape { .. } => (Reason::NotDelivered, None),
    };
    let failed = u32::from(reason != Reason::NotDelivered);
    let told = Tries { polls: tries.polls + 1, polls_failed: tries.polls_failed + failed, ..tries };
    if told.polls_told != Some(reason) || is_heard_out(&told, moment) || replays(&purchase, &told, moment) {
        return keep(purchase, tries, AnswerKind::Poll, answer);
    }
    again(purchase, told, poll, after_ms, moment)
}

/// A kept poll answer: the result, a refund, or what has to be told of polls that bring nothing.
pub(super) fn read(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> Step {
    let (reason, after_ms, message) = match read_poll(answer, &moment.facts.endpoint) {
        PollResponse::Delivered { url, more } => return deliver(purchase, tries, key, results(url, more), moment),
        PollResponse::RefundOffered { message, .. } => return refund_offered(purchase, key, answer, message),
        PollResponse::Failed { reason, after_ms, message } => {
            tries.polls_failed += 1;
            (reason, after_ms, message)
        }
        PollResponse::Retry { after_ms, message } => (Reason::NotDelivered, after_ms, message),
        PollResponse::UnknownShape { message } => (Reason::NotDelivered, None, message),
        // Whoever reads it otherwise now polls again.
        PollResponse::Pending { after_ms } => (Reason::Processing, after_ms, "the origin works on it".to_owned()),
    };
    brought_nothing(purchase, tries, key, reason, message, after_ms, moment)
}

/// A poll brought nothing, which is told: it is polled again, one redeem more goes out where one may, or the origin has had
/// its time.
pub(super) fn brought_nothing(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    reason: Reason,
    message: String,
    after_ms: Option<u64>,
    moment: &Moment<'_>,
) -> Step {
    tries.polls += 1;
    tries.polls_told = Some(reason);
    let replays = replays(&purchase, &tries, moment);
    if has_had_its_time(&purchase, &tries, moment) && !replays {
        return finish(purchase, Some(key), false, lost(reason, message));
    }
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let payment = purchase.payment();
    let next = match purchase.poll().cloned() {
        Some(_) if replays && !moment.draining => {
            tries.polls_failed = 0;
            wait(State::Replaying(purchase, tries), moment.later(1, after_ms))
        }
        Some(poll) if !moment.draining && !is_heard_out(&tries, moment) => {
            let until = next_at(&tries, &poll, after_ms, moment);
            wait(State::Polling(purchase, tries, poll), until)
        }
        Some(_) | None => stop(),
    };
    undelivered(payment, Some(key), false, end, next)
}

const fn lost(reason: Reason, message: String) -> JobEnd {
    JobEnd { state: JobState::Lost, reason, error: Some(message) }
}

/// Whether one redeem more goes out, where one may: polls failed often enough in a row, or it is the last that is left to try.
fn replays(purchase: &PaidPurchase, tries: &Tries, moment: &Moment<'_>) -> bool {
    let failed = tries.polls_failed >= moment.bounds.polls_failed;
    purchase.may_replay(moment.facts.endpoint.terms.redeem) && (failed || has_had_its_time(purchase, tries, moment))
}

fn has_had_its_time(purchase: &PaidPurchase, tries: &Tries, moment: &Moment<'_>) -> bool {
    is_heard_out(tries, moment) && is_patience_over(purchase, moment)
}

/// Whether this run has asked often enough.
const fn is_heard_out(tries: &Tries, moment: &Moment<'_>) -> bool {
    tries.polls >= moment.bounds.polls
}

/// Whether the endpoint's patience is over by our clock, which may be wrong.
pub(super) fn is_patience_over(purchase: &PaidPurchase, moment: &Moment<'_>) -> bool {
    moment.now.since_ms(purchase.waited_from()) > moment.facts.endpoint.terms.patience_ms()
}

/// When to poll again after polls that brought nothing.
pub(super) fn next_at(tries: &Tries, poll: &Poll, after_ms: Option<u64>, moment: &Moment<'_>) -> UnixMs {
    moment.later(tries.polls, after_ms).max(after(moment, poll.interval_ms))
}

fn again(purchase: PaidPurchase, tries: Tries, poll: Poll, after_ms: Option<u64>, moment: &Moment<'_>) -> Step {
    let polled_ms = tries.polling_since.map_or(0, |since| moment.now.since_ms(since));
    if is_heard_out(&tries, moment) || polled_ms > moment.bounds.polling_ms {
        return stop();
    }
    let until = next_at(&tries, &poll, after_ms, moment);
    wait(State::Polling(purchase, tries, poll), until)
}

pub(super) fn after(moment: &Moment<'_>, ms: u64) -> UnixMs {
    moment.now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
