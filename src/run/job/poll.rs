//! From the address that an origin named to the durable result. No answer of it ends a paid job but a refund and the end of
//! the endpoint's patience, which is counted by the wall clock and keeps no run alive.

use super::redeem::{deliver, finish, keep, refund_offered};
use super::{Effect, Input, Moment, Postponed, State, Tries, Waiting, commit, defect};
use crate::ledger::{AnswerKey, AnswerKind, Committed, JobEnd, JobState, PaidPurchase, Poll, Reason, Record};
use crate::origin::{HttpAnswer, Polled, read_poll};
use crate::time::UnixMs;

/// The poll address is durable.
pub(super) fn accepting(tries: Tries, poll: Poll, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Paid(purchase)) => {
            let tries = Tries { polls: 0, polls_failed: 0, polls_told: None, ..tries };
            let until = after(moment, poll.interval_ms);
            (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn))
        }
        Input::Committed(
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn
            | Committed::Done,
        )
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("accepting"),
    }
}

/// The origin works on it. What a poll merely says of progress is not kept; whatever else it says for the first time is.
pub(super) fn polling(
    purchase: PaidPurchase,
    mut tries: Tries,
    poll: Poll,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let answer = match input {
        Input::Start | Input::Waited => {
            return (State::Polling(purchase.clone(), tries, poll.clone()), Effect::Poll(purchase, poll));
        }
        Input::Answer(answer) => answer,
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) => return defect("polling"),
    };
    let since = *tries.polling_since.get_or_insert(moment.now);
    let Ok(answer) = answer else {
        tries.polls += 1;
        return if replays(&purchase, &tries, moment) {
            let until = moment.later(1, None);
            (State::Replaying(purchase, tries), Effect::Wait(until, Waiting::Turn))
        } else if has_had_its_time(&purchase, &tries, moment) {
            let message = "its address to poll did not answer any more".to_owned();
            finish(purchase, None, false, lost(Reason::NotDelivered, message))
        } else {
            again(purchase, tries, poll, None, moment)
        };
    };
    let (reason, after_ms) = match read_poll(&answer, &moment.facts.endpoint) {
        Polled::Delivered { .. } | Polled::RefundOffered { .. } => {
            return keep(purchase, tries, AnswerKind::Poll, answer);
        }
        Polled::Pending { after_ms } => {
            (tries.polls, tries.polls_failed) = (0, 0);
            if moment.now.since_ms(since) > moment.bounds.polling_ms {
                return (State::Done, Effect::Stop);
            }
            let until = after(moment, after_ms.unwrap_or(poll.interval_ms));
            if tries.polls_told.take().is_some() {
                let end = JobEnd { state: JobState::Paid, reason: Reason::Processing, error: None };
                let record = Record::Undelivered { payment: purchase.payment(), answer: None, heard: false, end };
                return (State::Postponing(purchase, tries, Postponed::Poll(until)), commit(record));
            }
            return (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn));
        }
        Polled::Failed { reason, after_ms, .. } => (reason, after_ms),
        Polled::Retry { after_ms, .. } => (Reason::NotDelivered, after_ms),
        Polled::UnknownShape { .. } => (Reason::NotDelivered, None),
    };
    let failed = u32::from(reason != Reason::NotDelivered);
    let told = Tries { polls: tries.polls + 1, polls_failed: tries.polls_failed + failed, ..tries };
    if told.polls_told != Some(reason) || is_heard_out(&told, moment) || replays(&purchase, &told, moment) {
        return keep(purchase, tries, AnswerKind::Poll, answer);
    }
    again(purchase, told, poll, after_ms, moment)
}

/// A kept poll answer: the result, a refund, or what has to be told of polls that bring nothing.
pub(super) fn kept(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let (reason, after_ms, message) = match read_poll(answer, &moment.facts.endpoint) {
        Polled::Delivered { url } => return deliver(purchase, tries, key, url.into(), moment),
        Polled::RefundOffered { message, .. } => return refund_offered(purchase, key, answer, message),
        Polled::Failed { reason, after_ms, message } => {
            tries.polls_failed += 1;
            (reason, after_ms, message)
        }
        Polled::Retry { after_ms, message } => (Reason::NotDelivered, after_ms, message),
        Polled::UnknownShape { message } => (Reason::NotDelivered, None, message),
        // Whoever reads it otherwise now polls again.
        Polled::Pending { after_ms } => (Reason::Processing, after_ms, "the origin works on it".to_owned()),
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
) -> (State, Effect) {
    tries.polls += 1;
    tries.polls_told = Some(reason);
    let replays = replays(&purchase, &tries, moment);
    if has_had_its_time(&purchase, &tries, moment) && !replays {
        return finish(purchase, Some(key), false, lost(reason, message));
    }
    let then = match purchase.poll() {
        Some(_) if moment.draining => Postponed::Leave,
        Some(_) if replays => Postponed::Replay(moment.later(1, after_ms)),
        Some(_) if is_heard_out(&tries, moment) => Postponed::Leave,
        Some(poll) => Postponed::Poll(next(&tries, poll, after_ms, moment)),
        None => Postponed::Leave,
    };
    if matches!(then, Postponed::Replay(_)) {
        tries.polls_failed = 0;
    }
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let record = Record::Undelivered { payment: purchase.payment(), answer: Some(key), heard: false, end };
    (State::Postponing(purchase, tries, then), commit(record))
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
pub(super) fn next(tries: &Tries, poll: &Poll, after_ms: Option<u64>, moment: &Moment<'_>) -> UnixMs {
    moment.later(tries.polls, after_ms).max(after(moment, poll.interval_ms))
}

fn again(
    purchase: PaidPurchase,
    tries: Tries,
    poll: Poll,
    after_ms: Option<u64>,
    moment: &Moment<'_>,
) -> (State, Effect) {
    let polled_ms = tries.polling_since.map_or(0, |since| moment.now.since_ms(since));
    if is_heard_out(&tries, moment) || polled_ms > moment.bounds.polling_ms {
        return (State::Done, Effect::Stop);
    }
    let until = next(&tries, &poll, after_ms, moment);
    (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn))
}

fn after(moment: &Moment<'_>, ms: u64) -> UnixMs {
    moment.now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
