//! A job that another one's token serves: from the answer to the durable result. Nothing is paid for it, and its job is pending until the
//! answer is recorded, since sending its request again costs nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use url::Url;

use crate::ledger::{Came, JobEnd, Record, Served};
use crate::life::outcome::results;
use crate::life::{Asked, Effect, Moment, SentWith, State, Step, Then, Tries, Waiting, ask, commit, poll};
use crate::origin::{HttpFailure, PollResponse, RedeemResponse, read_poll, read_redeem};
use crate::purchase::{HttpAnswer, JobState, Poll, Reason};
use crate::time::UnixMs;

/// What came of asking with the token: a success.
pub(super) fn answered(sent: Box<SentWith>, tries: Tries, answer: HttpAnswer, moment: &Moment<'_>) -> Step {
    // What reading breaks on is kept like any answer that is not understood.
    let read = catch_unwind(AssertUnwindSafe(|| read_redeem(&answer, &moment.facts.endpoint)));
    let read = read.unwrap_or_else(|_| RedeemResponse::UnknownShape {
        message: "the answer could not be read; it is kept".to_owned(),
    });
    match read {
        RedeemResponse::Delivered { url, more } => keep(&sent, tries, answer, result(url, more), moment),
        RedeemResponse::Accepted { poll } => {
            let until = poll::after(moment, poll.interval_ms);
            let tries = Tries { polls: 0, polls_failed: 0, polling_since: None, ..tries };
            waiting(sent, tries, poll, until)
        }
        RedeemResponse::UnknownShape { message } => nothing(&sent, tries, answer, message, moment),
        RedeemResponse::Failed { reason: Reason::UnknownAnswer, message, .. } => {
            nothing(&sent, tries, answer, message, moment)
        }
        RedeemResponse::Failed { reason, message, .. } => failed(reason, message, moment),
        RedeemResponse::RefundOffered { message, .. } => failed(Reason::OriginFailed, message, moment),
        RedeemResponse::Retry { after_ms, message, .. }
        | RedeemResponse::CredentialRejected { after_ms, message }
        | RedeemResponse::CredentialSpent { after_ms, message, .. } => {
            ask::asked(tries, Asked::Retry { after_ms, reason: Reason::OriginError, message }, moment)
        }
    }
}

/// Acts on the answer to a poll of this run. No later run polls: it asks again, which costs nothing.
pub(super) fn polled(
    sent: Box<SentWith>,
    mut tries: Tries,
    poll: Poll,
    answer: Result<HttpAnswer, HttpFailure>,
    moment: &Moment<'_>,
) -> Step {
    tries.polling_since.get_or_insert(moment.now);
    tries.polls += 1;
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            let message = format!("its address to poll did not answer: {failure}");
            return again(sent, tries, poll, None, message, moment);
        }
    };
    let (after_ms, message) = match read_poll(&answer, &moment.facts.endpoint) {
        PollResponse::Delivered { url, more } => return keep(&sent, tries, answer, result(url, more), moment),
        PollResponse::RefundOffered { message, .. } => return failed(Reason::OriginFailed, message, moment),
        PollResponse::Failed { reason, after_ms, message } => {
            // One word of that is not enough: its address may not be there yet.
            tries.polls_failed += 1;
            if tries.polls_failed >= moment.bounds.polls_failed {
                return failed(reason, message, moment);
            }
            (after_ms, message)
        }
        PollResponse::Pending { after_ms } => {
            (tries.polls, tries.polls_failed) = (0, 0);
            (after_ms, "the origin has worked on it for too long".to_owned())
        }
        PollResponse::Retry { after_ms, message } => (after_ms, message),
        PollResponse::UnknownShape { message } => (None, message),
    };
    again(sent, tries, poll, after_ms, message, moment)
}

/// It is polled again, unless it was polled often or long enough in this run.
fn again(
    sent: Box<SentWith>,
    tries: Tries,
    poll: Poll,
    after_ms: Option<u64>,
    message: String,
    moment: &Moment<'_>,
) -> Step {
    let polled_ms = tries.polling_since.map_or(0, |since| moment.now.since_ms(since));
    if tries.polls >= moment.bounds.polls || polled_ms > moment.bounds.polling_ms {
        return moment.end(JobState::Failed, Reason::OriginError, message);
    }
    let until = poll::next_at(&tries, &poll, after_ms, moment);
    waiting(sent, tries, poll, until)
}

/// Nothing is bought by it: it goes on, also where nothing more is bought in this run.
fn waiting(sent: Box<SentWith>, tries: Tries, poll: Poll, until: UnixMs) -> Step {
    (State::ServedPolling(sent, tries, poll), Effect::Wait(until, Waiting::Served))
}

fn result(url: Url, more: Vec<Url>) -> Came {
    let (url, more) = results(url, more);
    Came::Result { url, more }
}

/// The answer is made durable with what it comes to.
fn keep(sent: &SentWith, tries: Tries, answer: HttpAnswer, came: Came, moment: &Moment<'_>) -> Step {
    let served = Served { job: moment.facts.key, by: sent.token.payment(), request: sent.request, answer, came };
    commit(Record::Served(Box::new(served)), Then::Served(tries))
}

/// A person may find the result in it. It is not sent again by itself: the origin may have made it.
fn nothing(sent: &SentWith, tries: Tries, answer: HttpAnswer, message: String, moment: &Moment<'_>) -> Step {
    let end = JobEnd { state: JobState::Refused, reason: Reason::UnknownAnswer, error: Some(message) };
    keep(sent, tries, answer, Came::Nothing(end), moment)
}

/// The origin says that it will not be made: nothing was paid for it.
fn failed(reason: Reason, message: String, moment: &Moment<'_>) -> Step {
    if matches!(reason, Reason::ContentFiltered | Reason::InvalidInput) {
        return moment.end(JobState::Refused, reason, message);
    }
    moment.end(JobState::Failed, Reason::OriginError, message)
}
