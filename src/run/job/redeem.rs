//! From the durable preimage to the durable result: redeem, poll, and what to do where nothing is delivered.

use super::{
    Effect, Input, Moment, Postponed, Seen, Sending, State, Tries, Waiting, answer_key, commit, defect, posted,
};
use crate::catalog::Apart;
use crate::ledger::{
    AnswerKey, AnswerKind, Committed, JobEnd, JobState, PaidPurchase, Poll, Reason, Record, RefundRecord,
};
use crate::origin::{HttpAnswer, HttpFailure, Polled, Redeemed, read_poll, read_redeem};
use crate::time::UnixMs;

/// The preimage is durable: redeem at once.
pub(super) fn settling(tries: Tries, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Paid(purchase)) => {
            (State::Redeeming(purchase.clone(), tries), Effect::Redeem(purchase, Sending::First))
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
        | Input::Answer(_) => defect("settling"),
    }
}

/// The same request goes out with the credential.
pub(super) fn redeeming(
    purchase: PaidPurchase,
    mut tries: Tries,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Start | Input::Waited => {
            let sending = if tries.redeem_sent { Sending::Again } else { Sending::First };
            (State::Redeeming(purchase.clone(), tries), Effect::Redeem(purchase, sending))
        }
        Input::Answer(Ok(answer)) => {
            tries.redeem_sent = true;
            keep(purchase, tries, AnswerKind::Redeem, answer)
        }
        Input::Answer(Err(failure)) => {
            tries.redeem_sent |= !matches!(failure, HttpFailure::NotSent(_));
            let reason = match failure {
                HttpFailure::NotSent(_) | HttpFailure::NoAnswer(_) => Reason::NotDelivered,
                HttpFailure::TooLarge(_) | HttpFailure::Redirect(_) => Reason::UnknownAnswer,
            };
            not_yet(purchase, tries, None, None, reason, failure.to_string(), moment)
        }
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) => defect("redeeming"),
    }
}

fn keep(purchase: PaidPurchase, tries: Tries, kind: AnswerKind, answer: HttpAnswer) -> (State, Effect) {
    let record = Record::Answer { payment: purchase.payment(), kind, answer: answer.clone() };
    (State::Keeping(purchase, tries, kind, answer), commit(record))
}

/// The answer is durable (rule 6): only now is it interpreted.
pub(super) fn keeping(
    purchase: PaidPurchase,
    tries: Tries,
    kind: AnswerKind,
    answer: &HttpAnswer,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Committed(committed) => match (answer_key(&committed), kind) {
            (Some(key), AnswerKind::Redeem) => redeemed(purchase, tries, key, answer, moment),
            (Some(key), AnswerKind::Poll) => polled_end(purchase, tries, key, answer, moment),
            (None, AnswerKind::Redeem | AnswerKind::Poll) => defect("keeping"),
        },
        Input::Start | Input::Waited | Input::Asked(_) | Input::Sent(_) | Input::Sighted(_) | Input::Answer(_) => {
            defect("keeping")
        }
    }
}

fn redeemed(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match read_redeem(answer, &moment.facts.endpoint) {
        Redeemed::Delivered { url } => deliver(purchase, tries, key, url.into(), moment),
        Redeemed::Accepted { poll } => {
            let record = Record::Accepted { payment: purchase.payment(), answer: key, poll: poll.clone() };
            (State::Accepting(purchase, tries, poll), commit(record))
        }
        Redeemed::RefundOffered { message, .. } => refund_offered(purchase, key, answer, message),
        Redeemed::Retry { after_ms, reason, message } => {
            not_yet(purchase, tries, Some(key), after_ms, reason, message, moment)
        }
        Redeemed::CredentialRejected { after_ms, message } => {
            let ended_ms = moment.now.since_ms(purchase.intent().credential_expires_at());
            // Our clock may be wrong, and an origin may see a payment a little late: one rejection is not the last word.
            let heard_out = tries.redeems.saturating_add(1) >= moment.bounds.redeems;
            if heard_out && ended_ms > moment.bounds.credential_margin_ms {
                return finish(purchase, Some(key), JobState::Lost, Reason::CredentialRejected, message);
            }
            not_yet(purchase, tries, Some(key), after_ms, Reason::CredentialRejected, message, moment)
        }
        Redeemed::Final { reason, message } => finish(purchase, Some(key), JobState::Lost, reason, message),
        Redeemed::UnknownShape { message } => {
            not_yet(purchase, tries, Some(key), None, Reason::UnknownAnswer, message, moment)
        }
    }
}

fn deliver(purchase: PaidPurchase, tries: Tries, key: AnswerKey, url: String, moment: &Moment<'_>) -> (State, Effect) {
    let own = moment.facts.endpoint.apart() != Apart::Never;
    let record = Record::Delivered { payment: purchase.payment(), answer: key, url, own };
    (State::Delivering(purchase, tries, key), commit(record))
}

/// The result is durable; or it is not its own, and no second purchase's (rule 9): after the window the cache is empty.
pub(super) fn delivering(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Committed(Committed::NotItsOwn) => {
            let window_ms = u64::try_from(moment.facts.endpoint.window_ms()).ok();
            let message = "the origin answers with the result of an identical request, which was bought before";
            let reason = Reason::AnsweredFromCache;
            not_yet(purchase, tries, Some(key), window_ms, reason, message.to_owned(), moment)
        }
        done => finishing(purchase, done),
    }
}

/// The offer is durable with its link before anything is done about it; claiming it is no part of the job's own life.
fn refund_offered(purchase: PaidPurchase, key: AnswerKey, answer: &HttpAnswer, message: String) -> (State, Effect) {
    let link = answer.refund_link();
    let message = if link.is_some() { message } else { format!("{message}; it names no link to claim a refund with") };
    let record = Record::Refund(purchase.payment(), RefundRecord::Offered { answer: key, link, message });
    (State::Finishing(purchase), commit(record))
}

fn finish(
    purchase: PaidPurchase,
    answer: Option<AnswerKey>,
    state: JobState,
    reason: Reason,
    message: String,
) -> (State, Effect) {
    let end = JobEnd { state, reason, error: Some(message) };
    let record = Record::Undelivered { payment: purchase.payment(), answer, end };
    (State::Finishing(purchase), commit(record))
}

/// Not delivered so far: the same credential again with a growing pause, in this run and the next, and only after very
/// many tries and long after the credential's end is it over.
fn not_yet(
    purchase: PaidPurchase,
    mut tries: Tries,
    answer: Option<AnswerKey>,
    after_ms: Option<u64>,
    reason: Reason,
    message: String,
    moment: &Moment<'_>,
) -> (State, Effect) {
    tries.redeems += 1;
    let ended_ms = moment.now.since_ms(purchase.intent().credential_expires_at());
    let had_its_chance = purchase.redeems().saturating_add(tries.redeems) >= moment.bounds.redeems_over_all
        && ended_ms > moment.bounds.credential_margin_ms;
    if had_its_chance {
        return finish(purchase, answer, JobState::Lost, reason, message);
    }
    let then = if tries.redeems >= moment.bounds.redeems || moment.draining {
        Postponed::Leave
    } else {
        Postponed::Until(within_credential(&purchase, moment.later(tries.redeems, after_ms), moment))
    };
    let end = JobEnd { state: JobState::Paid, reason, error: Some(message) };
    let record = Record::Undelivered { payment: purchase.payment(), answer, end };
    (State::Postponing(purchase, tries, then), commit(record))
}

/// No pause that an origin asks for outlives a credential that is still good.
fn within_credential(purchase: &PaidPurchase, until: UnixMs, moment: &Moment<'_>) -> UnixMs {
    let last = purchase.intent().credential_expires_at().plus_ms(-moment.bounds.lifetime_ms_min);
    if last > moment.now { until.min(last) } else { until }
}

/// That it is not delivered so far is durable.
pub(super) fn postponing(purchase: PaidPurchase, tries: Tries, then: Postponed, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Done) => match then {
            Postponed::Until(until) => (State::Redeeming(purchase, tries), Effect::Wait(until, Waiting::Turn)),
            Postponed::Leave => (State::Done, Effect::Stop),
        },
        Input::Committed(
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Paid(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn,
        )
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("postponing"),
    }
}

/// The poll address is durable.
pub(super) fn accepting(
    purchase: PaidPurchase,
    tries: Tries,
    poll: Poll,
    input: Input,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Done) => {
            let until = after(moment, poll.interval_ms);
            (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn))
        }
        Input::Committed(
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Paid(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn,
        )
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("accepting"),
    }
}

/// The origin works on it. What a poll merely says of progress is not kept; whatever ends it is.
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
        Input::Answer(Ok(answer)) => answer,
        Input::Answer(Err(_)) => return poll_again(purchase, tries, poll, None, moment),
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Sighted(_) => return defect("polling"),
    };
    match read_poll(&answer, &moment.facts.endpoint) {
        Polled::Delivered { .. } | Polled::Failed { .. } | Polled::Gone { .. } | Polled::RefundOffered { .. } => {
            keep(purchase, tries, AnswerKind::Poll, answer)
        }
        Polled::Pending { after_ms } => {
            tries.polls = 0;
            let since = *tries.polling_since.get_or_insert(moment.now);
            if moment.now.since_ms(since) > moment.bounds.polling_ms {
                return (State::Done, Effect::Stop);
            }
            let until = after(moment, after_ms.unwrap_or(poll.interval_ms));
            (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn))
        }
        Polled::Retry { after_ms, .. } => poll_again(purchase, tries, poll, after_ms, moment),
        Polled::UnknownShape { .. } => poll_again(purchase, tries, poll, None, moment),
    }
}

fn poll_again(
    purchase: PaidPurchase,
    mut tries: Tries,
    poll: Poll,
    after_ms: Option<u64>,
    moment: &Moment<'_>,
) -> (State, Effect) {
    tries.polls += 1;
    if tries.polls >= moment.bounds.polls {
        return (State::Done, Effect::Stop);
    }
    let until = moment.later(tries.polls, after_ms).max(after(moment, poll.interval_ms));
    (State::Polling(purchase, tries, poll), Effect::Wait(until, Waiting::Turn))
}

/// A kept poll answer: the result, or an end without one, after which the credential gets one more chance (rule 6).
fn polled_end(
    purchase: PaidPurchase,
    tries: Tries,
    key: AnswerKey,
    answer: &HttpAnswer,
    moment: &Moment<'_>,
) -> (State, Effect) {
    match read_poll(answer, &moment.facts.endpoint) {
        Polled::Delivered { url } => deliver(purchase, tries, key, url.into(), moment),
        Polled::RefundOffered { message, .. } => refund_offered(purchase, key, answer, message),
        Polled::Failed { reason, message } => poll_failed(purchase, tries, key, reason, message, moment),
        Polled::Gone { message } => poll_failed(purchase, tries, key, Reason::OriginFailed, message, moment),
        // It was kept because it ends something; whoever reads it otherwise now has the credential left.
        Polled::Pending { .. } | Polled::Retry { .. } | Polled::UnknownShape { .. } => {
            let message = "the kept answer of the poll address is understood in another way now".to_owned();
            not_yet(purchase, tries, Some(key), None, Reason::UnknownAnswer, message, moment)
        }
    }
}

/// The poll address says that it will not be made, or is gone: the credential gets one more chance.
fn poll_failed(
    purchase: PaidPurchase,
    mut tries: Tries,
    key: AnswerKey,
    reason: Reason,
    message: String,
    moment: &Moment<'_>,
) -> (State, Effect) {
    tries.polls_failed += 1;
    if tries.polls_failed > 1 {
        return finish(purchase, Some(key), JobState::Lost, reason, message);
    }
    not_yet(purchase, tries, Some(key), None, reason, message, moment)
}

/// Its end is durable. What the node has not posted yet is looked up, so that the books hold the actual fee.
pub(super) fn finishing(purchase: PaidPurchase, input: Input) -> (State, Effect) {
    match input {
        Input::Committed(Committed::Done) if purchase.posted() => (State::Done, Effect::Stop),
        Input::Committed(Committed::Done) => {
            let intent = purchase.intent().clone();
            (State::Posting(purchase, Tries::default()), Effect::LookUp(intent))
        }
        Input::Committed(
            Committed::Intent(_)
            | Committed::IntentRefused(_)
            | Committed::Paid(_)
            | Committed::Answer(_)
            | Committed::NotItsOwn,
        )
        | Input::Start
        | Input::Waited
        | Input::Asked(_)
        | Input::Sent(_)
        | Input::Sighted(_)
        | Input::Answer(_) => defect("finishing"),
    }
}

/// Paid and at its end; the node has still to post the payment.
pub(super) fn posting(purchase: PaidPurchase, mut tries: Tries, input: Input, moment: &Moment<'_>) -> (State, Effect) {
    let intent = purchase.intent().clone();
    let sighting = match input {
        Input::Start | Input::Waited => return (State::Posting(purchase, tries), Effect::LookUp(intent)),
        Input::Sighted(sighting) => sighting,
        Input::Asked(_) | Input::Committed(_) | Input::Sent(_) | Input::Answer(_) => return defect("posting"),
    };
    match sighting.seen {
        Seen::Settled(settled) => (State::Closing, commit(Record::Posted(purchase.payment(), posted(&settled)))),
        Seen::PreimageKnown(_) | Seen::InFlight => {
            // Some parts may be out for long, and a node may never say what it cost: each look has its pause, and a later run
            // asks again.
            tries.looks += 1;
            if tries.looks >= moment.bounds.posts {
                return (State::Done, Effect::Stop);
            }
            let until = moment.later(tries.looks, None);
            (State::Posting(purchase, tries), Effect::Wait(until, Waiting::Doubt))
        }
        // The money is gone and the result is there: only the fee is unknown, and a later run asks again.
        Seen::Failed(_)
        | Seen::NotFound
        | Seen::Unwitnessed
        | Seen::Forgot(_)
        | Seen::OtherNode(_)
        | Seen::Unknown(_) => (State::Done, Effect::Stop),
    }
}

fn after(moment: &Moment<'_>, ms: u64) -> UnixMs {
    moment.now.plus_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
